//! What whole answers and streamed ones have in common: finish reasons, citations, pictures, sound.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    request::url_media,
    wire::{ContentPart, ImageUrl, Source, Text, Writer, lenient},
};
use crate::model::{
    Citation, Family, Finish, FinishReason, Media, MediaClass, MediaSource, Part, PartContent, RawJson, Span, SpanUnit,
    Str,
};
pub(super) use crate::openai::ids::{hex, mint_id};

/// What a candidate has said so far, as far as its finish depends on it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    pub(super) call: bool,
    pub(super) refusal: bool,
    pub(super) text: bool,
}

/// The reason that `word` stands for. No word at all (some servers write `""`) is a normal stop.
pub(super) fn finish(word: Option<Str>, seen: Seen) -> Finish {
    let reason = match word.as_deref() {
        None | Some("stop" | "eos" | "end_turn" | "stop_sequence") => FinishReason::Stop,
        Some("length" | "max_tokens" | "model_length") => FinishReason::Length,
        // No calls can be asked for where none were made.
        Some("tool_calls" | "function_call" | "tool_use") if seen.call => FinishReason::ToolCalls,
        Some("tool_calls" | "function_call" | "tool_use") => FinishReason::Stop,
        Some("content_filter") => FinishReason::ContentFilter,
        Some(_) => FinishReason::Other,
    };
    let reason = match reason {
        FinishReason::Stop if seen.refusal && !seen.text && !seen.call => FinishReason::Refusal,
        reason => reason,
    };
    Finish { raw: word, ..Finish::new(reason) }.with_calls(seen.call)
}

/// The word for a reason.
pub(super) fn finish_word(reason: FinishReason, saw_call: bool) -> &'static str {
    match Finish::new(reason).with_calls(saw_call).reason {
        FinishReason::Length | FinishReason::ContextFull => "length",
        FinishReason::ToolCalls if saw_call => "tool_calls",
        FinishReason::ContentFilter => "content_filter",
        _ => "stop",
    }
}

#[derive(Deserialize)]
struct Annotation<'a> {
    #[serde(borrow)]
    url_citation: Option<UrlCitation<'a>>,
}

#[derive(Deserialize)]
struct UrlCitation<'a> {
    start_index: Option<u32>,
    end_index: Option<u32>,
    #[serde(borrow)]
    url: Option<Text<'a>>,
    title: Option<Text<'a>>,
    content: Option<Text<'a>>,
}

/// Decodes `annotations`.
pub(super) fn citations(raw: Option<&RawValue>, source: &Source) -> Vec<Citation> {
    let all: Vec<&RawValue> = lenient(raw).unwrap_or_default();
    all.into_iter().filter_map(|raw| citation(raw, source)).collect()
}

fn citation(raw: &RawValue, source: &Source) -> Option<Citation> {
    let wire = lenient::<Annotation<'_>>(Some(raw))?.url_citation?;
    let text = |text: Option<Text<'_>>| text.filter(|text| !text.is_empty()).map(|text| source.text(&text));
    // OpenRouter writes 0 to 0 where it does not know.
    let span = match (wire.start_index, wire.end_index) {
        (Some(start), Some(end)) if end > start => Some(Span { start, end, unit: SpanUnit::Char }),
        _ => None,
    };
    Some(Citation {
        span,
        url: text(wire.url),
        title: text(wire.title),
        quoted: text(wire.content),
        raw: Some((Family::OpenAi, source.raw(raw))),
    })
}

/// Appends a citation as an annotation. All four members are always there: the AI SDK requires them.
pub(super) fn write_citation(list: &mut Writer<'_>, citation: &Citation, span: (usize, usize)) {
    let Some(url) = citation.url.as_deref() else { return };
    let mut annotation = Writer::object(list.element());
    annotation.str("type", "url_citation");
    let mut wire = annotation.nested("url_citation");
    wire.u64("start_index", span.0 as u64);
    wire.u64("end_index", span.1 as u64);
    wire.str("url", url);
    wire.str("title", citation.title.as_deref().unwrap_or(url));
    wire.maybe_str("content", citation.quoted.as_deref());
    wire.end();
    annotation.end();
}

/// Decodes `OpenRouter`'s `images`.
pub(super) fn images(raw: Option<&RawValue>, source: &Source) -> Vec<Part> {
    let all: Vec<ContentPart<'_>> = lenient(raw).unwrap_or_default();
    let url = |part: ContentPart<'_>| {
        let image: ImageUrl<'_> = lenient(part.image_url)?;
        url_media(MediaClass::Image, &source.text(&image.url)).ok()
    };
    all.into_iter().filter_map(url).map(|media| Part::new(PartContent::Media(media))).collect()
}

#[derive(Deserialize)]
struct Audio<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    data: Option<Text<'a>>,
    transcript: Option<Text<'a>>,
}

/// Decodes the `audio` of a whole message: its id becomes the name, its transcript the context.
pub(super) fn audio(raw: Option<&RawValue>, source: &Source) -> Option<Part> {
    let wire: Audio<'_> = lenient(raw)?;
    // Snowflake writes the member with nothing in it.
    let data = wire.data.filter(|data| !data.is_empty())?;
    let mut media = Media::new(MediaClass::Audio, None, MediaSource::Base64(source.text(&data)));
    media.name = wire.id.map(|id| source.text(&id));
    media.context = wire.transcript.map(|text| source.text(&text));
    Some(Part::new(PartContent::Media(media)))
}

/// Writes what media an answer can hold, as members of its message.
pub(super) fn write_media(parts: &[&Media], message: &mut Writer<'_>) {
    let images: Vec<_> = parts.iter().filter(|media| media.class == MediaClass::Image).collect();
    if !images.is_empty() {
        let mut list = message.list("images");
        for media in images {
            write_image(media, &mut list);
        }
        list.end();
    }
    let audio = parts.iter().find(|media| media.class == MediaClass::Audio);
    if let Some((media, MediaSource::Base64(data))) = audio.map(|media| (media, &media.source)) {
        let mut object = message.nested("audio");
        object.str("id", media.name.as_deref().unwrap_or("audio"));
        object.u64("expires_at", 0);
        object.str("data", data);
        object.str("transcript", media.context.as_deref().unwrap_or_default());
        object.end();
    }
}

fn write_image(media: &Media, list: &mut Writer<'_>) {
    let url = match &media.source {
        MediaSource::Url(url) => url.to_string(),
        MediaSource::Base64(data) => format!("data:{};base64,{data}", media.mime.as_deref().unwrap_or("image/png")),
        _ => return,
    };
    let mut object = Writer::object(list.element());
    object.str("type", "image_url");
    let mut image = object.nested("image_url");
    image.str("url", &url);
    image.end();
    object.end();
}

/// Log probabilities that say something.
pub(super) fn logprobs(raw: Option<&RawValue>, source: &Source) -> Option<RawJson> {
    let tokens = tokens(raw)?;
    (tokens.get() != "[]").then(|| raw.map(|raw| source.raw(raw)))?
}

/// The list of tokens in a `logprobs` object: of the text, or of a refusal.
pub(super) fn tokens(raw: Option<&RawValue>) -> Option<&RawValue> {
    #[derive(Deserialize)]
    struct Logprobs<'a> {
        #[serde(borrow)]
        content: Option<&'a RawValue>,
        #[serde(borrow)]
        refusal: Option<&'a RawValue>,
    }
    let wire: Logprobs<'_> = lenient(raw)?;
    wire.content.or(wire.refusal)
}

/// Text so far, as citations count it: they come in characters of the part, in bytes, or for the whole part, and go
/// out in characters of the whole message.
#[derive(Debug, Default)]
pub(super) struct Offsets {
    bytes: usize,
    chars: usize,
    /// The stretches of text in which bytes and characters differ.
    wide: Vec<Stretch>,
}

#[derive(Debug)]
struct Stretch {
    first_byte: usize,
    first_char: usize,
    text: String,
}

impl Offsets {
    /// Takes the next piece of text.
    pub(super) fn push(&mut self, text: &str) {
        let chars = text.chars().count();
        if chars != text.len() {
            match self.wide.last_mut() {
                Some(last) if last.first_byte + last.text.len() == self.bytes => last.text.push_str(text),
                _ => self.wide.push(Stretch { first_byte: self.bytes, first_char: self.chars, text: text.to_owned() }),
            }
        }
        self.bytes += text.len();
        self.chars += chars;
    }

    /// The position behind the text so far.
    pub(super) fn mark(&self) -> Mark {
        Mark { bytes: self.bytes, chars: self.chars }
    }

    /// A citation's span in characters of the message, in a part that began at `start`.
    pub(super) fn span(&self, span: Option<Span>, start: Mark) -> (usize, usize) {
        match span {
            None => (start.chars, self.chars),
            Some(Span { start: from, end: to, unit: SpanUnit::Char }) => {
                (start.chars.saturating_add(from as usize), start.chars.saturating_add(to as usize))
            }
            Some(Span { start: from, end: to, unit: SpanUnit::Byte }) => (
                self.char_at(start.bytes.saturating_add(from as usize)),
                self.char_at(start.bytes.saturating_add(to as usize)),
            ),
        }
    }

    fn char_at(&self, byte: usize) -> usize {
        let after = self.wide.partition_point(|stretch| stretch.first_byte <= byte);
        let Some(stretch) = after.checked_sub(1).and_then(|last| self.wide.get(last)) else { return byte };
        let within = byte - stretch.first_byte;
        let before = stretch.text.char_indices().take_while(|(at, _)| *at < within).count();
        stretch.first_char + before + within.saturating_sub(stretch.text.len())
    }
}

/// A position in the text of a message.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mark {
    bytes: usize,
    chars: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_characters() {
        let mut offsets = Offsets::default();
        offsets.push("abc");
        let start = offsets.mark();
        for piece in ["x", "äö", "yz", "€"] {
            offsets.push(piece);
        }
        let span = |start, end, unit| Some(Span { start, end, unit });
        assert_eq!(offsets.span(None, start), (3, 9));
        assert_eq!(offsets.span(span(0, 2, SpanUnit::Char), start), (3, 5));
        // "xäöyz€" from the start of "ä" to the end of "€".
        assert_eq!(offsets.span(span(1, 10, SpanUnit::Byte), start), (4, 9));
        assert_eq!(offsets.span(span(5, 6, SpanUnit::Byte), start), (6, 7));
    }

    #[test]
    fn calls_are_never_announced_without_calls() {
        let word = |word| Some(Str::from_static(word));
        assert_eq!(finish(word("tool_calls"), Seen::default()).reason, FinishReason::Stop);
        let call = Seen { call: true, ..Seen::default() };
        assert_eq!(finish(word("stop"), call).reason, FinishReason::ToolCalls);
        assert_eq!(finish(word("length"), call).reason, FinishReason::Length);
        assert_eq!(finish_word(FinishReason::ToolCalls, false), "stop");
    }
}
