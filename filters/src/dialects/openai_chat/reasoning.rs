//! Thinking, which this dialect never standardised.
//!
//! | member | written by |
//! |---|---|
//! | `reasoning_content` | `DeepSeek`, Qwen, vLLM, `LiteLLM`; the form that this gateway writes |
//! | `reasoning` | `OpenRouter`, Groq, Ollama, newer vLLM |
//! | `reasoning_details[]` | `OpenRouter`; carries signatures too, so the gateway puts opaque state there |
//! | `thinking_blocks[]` | `LiteLLM` |
//! | `content[].thinking` | Mistral |
//! | `extra_content.google.thought_signature` | Google's own compatible endpoint |

use serde::Deserialize;

use super::wire::{Count, Message, OneOrMany, Source, Text, Writer, lenient};
use crate::{
    model::{Family, Opaque, OpaqueKind, Part, PartContent, Reasoning, Str},
    seal::Sealer,
};

/// A piece of thinking, as one member of one message or event says it.
#[derive(Debug)]
pub(super) struct Piece {
    /// The block that it belongs to, where the vendor numbers them.
    pub(super) index: Option<u64>,
    /// Readable words; may be empty.
    pub(super) text: Str,
    /// State that came with it.
    pub(super) opaque: Option<Opaque>,
    /// Whether it is state that stands by itself (`reasoning.encrypted`), not a signature over words.
    pub(super) sealed: bool,
}

#[derive(Deserialize)]
struct Detail<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Text<'a>>,
    text: Option<Text<'a>>,
    summary: Option<Text<'a>>,
    data: Option<Text<'a>>,
    signature: Option<Text<'a>>,
    format: Option<Text<'a>>,
    id: Option<Text<'a>>,
    index: Option<Count>,
}

#[derive(Deserialize)]
struct Block<'a> {
    #[serde(borrow)]
    thinking: Option<Text<'a>>,
    signature: Option<Text<'a>>,
    data: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Extra<'a> {
    #[serde(borrow)]
    google: Option<Google<'a>>,
}

#[derive(Deserialize)]
struct Google<'a> {
    #[serde(borrow)]
    thought_signature: Option<Text<'a>>,
}

/// The thinking of a message or delta, whichever way it is written. Members that say the same twice count once.
pub(super) fn pieces(message: &Message<'_>, source: &Source) -> Vec<Piece> {
    let mut pieces = Vec::new();
    if let Some(details) = lenient::<Vec<Detail<'_>>>(message.reasoning_details) {
        pieces.extend(details.iter().filter_map(|detail| of_detail(detail, source)));
    }
    if let (true, Some(blocks)) = (pieces.is_empty(), lenient::<Vec<Block<'_>>>(message.thinking_blocks)) {
        pieces.extend((0..).zip(&blocks).filter_map(|(index, block)| of_block(index, block, source)));
    }
    if pieces.iter().all(|piece| piece.text.is_empty()) {
        let index = pieces.first().and_then(|piece| piece.index);
        let words = plain(message, source).map(|text| Piece { index, text, opaque: None, sealed: false });
        pieces.splice(0..0, words);
    }
    pieces
}

/// The words of `reasoning_content` or `reasoning`, if there are any.
pub(super) fn plain(message: &Message<'_>, source: &Source) -> Option<Str> {
    let content = message.reasoning_content.as_ref().filter(|text| !text.is_empty()).map(|text| source.text(text));
    content.or_else(|| {
        let text = lenient::<Text<'_>>(message.reasoning).filter(|text| !text.is_empty())?;
        Some(source.text(&text))
    })
}

/// The words of Mistral's thinking chunk.
pub(super) fn of_chunk(raw: Option<&serde_json::value::RawValue>, source: &Source) -> Str {
    #[derive(Deserialize)]
    struct Chunk<'a> {
        #[serde(borrow)]
        text: Option<Text<'a>>,
    }
    match lenient::<OneOrMany<'_, Chunk<'_>>>(raw) {
        Some(OneOrMany::One(text)) => source.text(&text),
        Some(OneOrMany::Many(chunks)) => {
            let mut texts = chunks.iter().filter_map(|chunk| chunk.text.as_ref());
            let first = texts.next().map(|text| source.text(text)).unwrap_or_default();
            texts.fold(first, |all, text| Str::from(format!("{all}{}", text.as_str())))
        }
        None => Str::new(),
    }
}

/// Google's thought signature on a call or a message.
pub(super) fn thought_signature(raw: Option<&serde_json::value::RawValue>, source: &Source) -> Option<Opaque> {
    let signature = lenient::<Extra<'_>>(raw)?.google?.thought_signature?;
    if signature.is_empty() {
        return None;
    }
    let data = source.text(&signature);
    Some(Opaque { family: Family::Gemini, kind: OpaqueKind::ThoughtSignature, model: None, id: None, data })
}

/// Puts pieces together to parts of thinking.
pub(super) fn parts(pieces: Vec<Piece>) -> Vec<Part> {
    let mut done: Vec<(Option<u64>, Reasoning)> = Vec::new();
    for piece in pieces {
        match done.last_mut() {
            Some((index, last)) if piece.continues(*index) && !last.redacted => append(last, piece),
            _ => done.push((piece.index, begin(piece))),
        }
    }
    done.into_iter().map(|(_, reasoning)| Part::new(PartContent::Reasoning(reasoning))).collect()
}

impl Piece {
    /// Whether it goes on with the block that began last and has the number `index`.
    pub(super) fn continues(&self, index: Option<u64>) -> bool {
        match (self.index, index) {
            (Some(this), Some(last)) => this == last,
            // Without numbers, words go on and a signature ends them; state that stands alone belongs to nothing.
            _ => !self.sealed,
        }
    }
}

fn begin(piece: Piece) -> Reasoning {
    let redacted = piece.sealed;
    Reasoning { text: (!redacted).then_some(piece.text), redacted, opaque: piece.opaque.into_iter().collect() }
}

fn append(reasoning: &mut Reasoning, piece: Piece) {
    if !piece.text.is_empty() {
        let text = match reasoning.text.take() {
            Some(text) if !text.is_empty() => Str::from(format!("{text}{}", piece.text)),
            _ => piece.text,
        };
        reasoning.text = Some(text);
    }
    reasoning.opaque.extend(piece.opaque);
}

fn of_detail(detail: &Detail<'_>, source: &Source) -> Option<Piece> {
    let family = family_of(detail.format.as_ref());
    let text = detail.text.as_ref().or(detail.summary.as_ref()).map(|text| source.text(text)).unwrap_or_default();
    let data = detail.data.as_ref().filter(|data| !data.is_empty());
    let signature = detail.signature.as_ref().filter(|signature| !signature.is_empty());
    let sealed = detail.kind.as_ref().is_some_and(|kind| kind.as_str() == "reasoning.encrypted");
    let state =
        data.map(|data| (encrypted_kind(family), data)).or_else(|| signature.map(|text| (signed_kind(family), text)));
    if text.is_empty() && state.is_none() {
        return None;
    }
    let id = detail.id.as_ref().filter(|id| !id.is_empty()).map(|id| source.text(id));
    let opaque = state.map(|(kind, data)| Opaque { family, kind, model: None, id, data: source.text(data) });
    Some(Piece { index: detail.index.map(|index| index.0), text, opaque, sealed })
}

fn of_block(index: u64, block: &Block<'_>, source: &Source) -> Option<Piece> {
    let text = block.thinking.as_ref().map(|text| source.text(text)).unwrap_or_default();
    let family = Family::Anthropic;
    let state = match (&block.data, &block.signature) {
        (Some(data), _) if !data.is_empty() => Some((OpaqueKind::Redacted, data)),
        (_, Some(signature)) if !signature.is_empty() => Some((OpaqueKind::Signature, signature)),
        _ => None,
    };
    if text.is_empty() && state.is_none() {
        return None;
    }
    let sealed = matches!(state, Some((OpaqueKind::Redacted, _)));
    let opaque = state.map(|(kind, data)| Opaque { family, kind, model: None, id: None, data: source.text(data) });
    Some(Piece { index: Some(index), text, opaque, sealed })
}

fn family_of(format: Option<&Text<'_>>) -> Family {
    match format.map(Text::as_str) {
        Some(format) if format.starts_with("anthropic") => Family::Anthropic,
        Some(format) if format.starts_with("google") => Family::Gemini,
        _ => Family::OpenAi,
    }
}

fn format_of(family: Family) -> Option<&'static str> {
    match family {
        Family::OpenAi => Some("openai-responses-v1"),
        Family::Anthropic => Some("anthropic-claude-v1"),
        Family::Gemini => Some("google-gemini-v1"),
        _ => None,
    }
}

fn signed_kind(family: Family) -> OpaqueKind {
    if family == Family::Gemini { OpaqueKind::ThoughtSignature } else { OpaqueKind::Signature }
}

fn encrypted_kind(family: Family) -> OpaqueKind {
    match family {
        Family::Anthropic => OpaqueKind::Redacted,
        Family::Gemini => OpaqueKind::ThoughtSignature,
        _ => OpaqueKind::Encrypted,
    }
}

/// Who reads the opaque state that is written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reader<'a> {
    /// A client: what is not its own family's is sealed.
    Client(&'a Sealer),
    /// An upstream that knows the formats of `reasoning_details`: state goes as it is, with its format's name.
    Upstream,
}

impl Reader<'_> {
    fn data(self, opaque: &Opaque) -> Str {
        match self {
            Self::Client(sealer) if opaque.family != Family::OpenAi => sealer.seal(opaque),
            _ => opaque.data.clone(),
        }
    }

    fn format(self, opaque: &Opaque) -> Option<&'static str> {
        match self {
            Self::Client(_) if opaque.family != Family::OpenAi => None,
            _ => format_of(opaque.family),
        }
    }
}

/// Writes one block of thinking to a `reasoning_details` array: its words together with its state, so that a client
/// that sends the entries back gives back both.
pub(super) fn write_detail(list: &mut Writer<'_>, index: u64, text: &str, opaque: &[Opaque], reader: Reader<'_>) {
    let signature = opaque.iter().find(|opaque| opaque.kind == OpaqueKind::Signature);
    if !text.is_empty() || signature.is_some() {
        let mut entry = Writer::object(list.element());
        entry.str("type", "reasoning.text");
        entry.str("text", text);
        if let Some(opaque) = signature {
            entry.str("signature", &reader.data(opaque));
            entry.maybe_str("id", opaque.id.as_deref());
            entry.maybe_str("format", reader.format(opaque));
        }
        entry.u64("index", index);
        entry.end();
    }
    for opaque in opaque.iter().filter(|opaque| opaque.kind != OpaqueKind::Signature) {
        let mut entry = Writer::object(list.element());
        entry.str("type", "reasoning.encrypted");
        entry.str("data", &reader.data(opaque));
        entry.maybe_str("id", opaque.id.as_deref());
        entry.maybe_str("format", reader.format(opaque));
        entry.u64("index", index);
        entry.end();
    }
}

/// Writes the member `extra_content` with the state of a call or of visible text, if there is any.
pub(super) fn write_extra(object: &mut Writer<'_>, opaque: &[Opaque], reader: Reader<'_>) {
    let Some(opaque) = opaque.first() else { return };
    let mut extra = object.nested("extra_content");
    let mut google = extra.nested("google");
    google.str("thought_signature", &reader.data(opaque));
    google.end();
    extra.end();
}
