//! The parts of a message: text, images, sounds, files.

use super::super::{
    reasoning,
    wire::{CacheControl, ContentPart, File, ImageUrl, InputAudio, OneOrMany, Source, Text, lenient},
};
use crate::model::{CachePoint, ErrorInfo, Family, Media, MediaClass, MediaSource, Part, PartContent, Reasoning, Str};
pub(in super::super) use crate::openai::media::url_media;

/// Where a part stands, for messages of errors.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// The message's position.
    message: usize,
    /// The part's position in its content.
    part: usize,
}

impl Place {
    fn error(self, message: &str) -> ErrorInfo {
        ErrorInfo::invalid(format!("messages[{}].content[{}]", self.message, self.part), message.to_owned())
    }
}

/// Decodes a message's content. Empty texts are left out.
pub(super) fn decode(
    content: Option<OneOrMany<'_, ContentPart<'_>>>,
    message: usize,
    source: &Source,
) -> Result<Vec<Part>, ErrorInfo> {
    match content {
        None => Ok(Vec::new()),
        Some(OneOrMany::One(text)) if text.is_empty() => Ok(Vec::new()),
        Some(OneOrMany::One(text)) => Ok(vec![Part::text(source.text(&text))]),
        Some(OneOrMany::Many(list)) => {
            let mut parts = Vec::with_capacity(list.len());
            for (part, wire) in list.iter().enumerate() {
                parts.extend(decode_part(wire, Place { message, part }, source)?);
            }
            Ok(parts)
        }
    }
}

fn decode_part(wire: &ContentPart<'_>, place: Place, source: &Source) -> Result<Option<Part>, ErrorInfo> {
    let kind = wire.kind.as_ref().map(Text::as_str);
    let content = match kind {
        Some("text" | "input_text" | "output_text") | None if wire.text.is_some() => text(wire, source),
        Some("text") => return Err(place.error("a part of type `text` needs `text`, a string")),
        Some("refusal") => wire.refusal.as_ref().map(|refusal| PartContent::Refusal(source.text(refusal))),
        Some("thinking") => thinking(wire, source),
        Some("image_url") => Some(PartContent::Media(image(wire, place, source)?)),
        Some("input_audio") => Some(PartContent::Media(audio(wire, place, source)?)),
        Some("file") => Some(PartContent::Media(file(wire, place, source)?)),
        Some(other) => {
            return Err(place.error(&format!(
                "parts of type `{other}` cannot be carried to this upstream; use text, image_url, input_audio or file"
            )));
        }
        None => return Err(place.error("a part needs `type`")),
    };
    let cache = cache_point(wire.cache_control.as_ref(), source)
        .or_else(|| wire.prompt_cache_breakpoint.map(|_| CachePoint::default()));
    Ok(content.map(|content| Part { cache, ..Part::new(content) }))
}

/// A cache breakpoint in Anthropic's form.
pub(super) fn cache_point(control: Option<&CacheControl<'_>>, source: &Source) -> Option<CachePoint> {
    control.map(|control| CachePoint { ttl: control.ttl.as_ref().map(|ttl| source.text(ttl)) })
}

fn text(wire: &ContentPart<'_>, source: &Source) -> Option<PartContent> {
    let text = wire.text.as_ref().filter(|text| !text.is_empty())?;
    Some(PartContent::Text(source.text(text)))
}

fn thinking(wire: &ContentPart<'_>, source: &Source) -> Option<PartContent> {
    let text = reasoning::of_chunk(wire.thinking, source);
    (!text.is_empty()).then(|| PartContent::Reasoning(Reasoning { text: Some(text), ..Reasoning::default() }))
}

fn image(wire: &ContentPart<'_>, place: Place, source: &Source) -> Result<Media, ErrorInfo> {
    // Mistral also takes the URL as a plain string.
    let (url, detail) = match (lenient::<ImageUrl<'_>>(wire.image_url), lenient::<Text<'_>>(wire.image_url)) {
        (Some(image), _) => (image.url, image.detail),
        (_, Some(url)) => (url, None),
        _ => return Err(place.error("a part of type `image_url` needs `image_url`, an object with `url`")),
    };
    let mut media = url_media(MediaClass::Image, &source.text(&url)).map_err(|message| place.error(message))?;
    media.detail = detail.map(|detail| source.text(&detail));
    Ok(media)
}

fn audio(wire: &ContentPart<'_>, place: Place, source: &Source) -> Result<Media, ErrorInfo> {
    let Some(audio) = lenient::<InputAudio<'_>>(wire.input_audio) else {
        return Err(place.error("a part of type `input_audio` needs `input_audio`, an object with `data` and `format`"));
    };
    let mime = match audio.format.as_str() {
        "mp3" => Str::from_static("audio/mpeg"),
        "wav" => Str::from_static("audio/wav"),
        other => Str::from(format!("audio/{other}")),
    };
    Ok(Media::new(MediaClass::Audio, Some(mime), MediaSource::Base64(source.text(&audio.data))))
}

fn file(wire: &ContentPart<'_>, place: Place, source: &Source) -> Result<Media, ErrorInfo> {
    let file: Option<File<'_>> = lenient(wire.file);
    let mut media = match file.as_ref().map(|file| (&file.data, &file.id)) {
        Some((Some(data), _)) => {
            let data = source.text(data);
            if data.starts_with("data:") || data.starts_with("http") {
                url_media(MediaClass::Document, &data).map_err(|message| place.error(message))?
            } else {
                Media::new(MediaClass::Document, None, MediaSource::Base64(data))
            }
        }
        Some((None, Some(id))) => {
            let id = source.text(id);
            Media::new(MediaClass::Document, None, MediaSource::File { family: Family::OpenAi, id })
        }
        _ => return Err(place.error("a part of type `file` needs `file`, an object with `file_data` or `file_id`")),
    };
    media.name = file.and_then(|file| file.filename).map(|name| source.text(&name));
    Ok(media)
}
