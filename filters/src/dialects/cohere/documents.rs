//! Documents that an answer may cite: in a request, and in a tool's result.
//!
//! The wire has a document as a text or as an object of any members; the model has its text. What is more than a title
//! and a text stays JSON, which other vendors' models read as well, and becomes the same object again.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::BytesMut;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::wire::{Object, Text, Writer, keep_raw, lenient};
use crate::{
    json::push_str,
    model::{Media, MediaClass, MediaSource, Str},
};

/// The media type of a document that is an object of more than a title and a text.
const JSON: &str = "application/json";
/// That of one which is an object of a text.
const PLAIN: &str = "text/plain";

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<Text<'a>>,
}

/// Reads a document; `None` if it is none.
pub(super) fn decode(raw: &RawValue, source: &Str) -> Option<Media> {
    if let Some(text) = lenient::<Text<'_>>(Some(raw)) {
        return Some(of_text(text.keep(source)));
    }
    let wire: Wire<'_> = lenient(Some(raw))?;
    let data = wire.data?;
    let mut media = match lenient::<Text<'_>>(Some(data)) {
        Some(text) => Media { mime: Some(Str::from_static(PLAIN)), ..of_text(text.keep(source)) },
        None => of_object(data, source)?,
    };
    media.name = wire.id.filter(|id| !id.is_empty()).map(|id| id.keep(source));
    Some(media)
}

fn of_text(text: Str) -> Media {
    Media::new(MediaClass::Document, None, MediaSource::Text(text))
}

fn of_object(data: &RawValue, source: &Str) -> Option<Media> {
    let members: Object<'_> = lenient(Some(data))?;
    let text = |name: &str| {
        let found = members.0.iter().find(|(of, _)| of == name)?;
        lenient::<Text<'_>>(Some(found.1)).map(|text| text.keep(source))
    };
    let (title, words) = (text("title"), text("text"));
    let plain = words.is_some() && members.0.len() == 1 + usize::from(title.is_some());
    let (mime, words) = match words.filter(|_| plain) {
        Some(words) => (PLAIN, words),
        None => (JSON, keep_raw(source, data).text().clone()),
    };
    Some(Media { title, mime: Some(Str::from_static(mime)), ..of_text(words) })
}

/// The error that a result's document tells, if it is nothing else.
pub(super) fn error_in(media: &Media) -> Option<Str> {
    let MediaSource::Text(text) = &media.source else { return None };
    if media.mime.as_deref() != Some(JSON) {
        return None;
    }
    let members: Object<'_> = serde_json::from_str(text).ok()?;
    match members.0.as_slice() {
        [(name, raw)] if name == "error" => lenient::<Text<'_>>(Some(raw)).map(|text| Str::from(text.as_str())),
        _ => None,
    }
}

/// The words of a document that is text; `None` if it is not.
pub(super) fn text_of(media: &Media) -> Option<Str> {
    match &media.source {
        MediaSource::Text(text) => Some(text.clone()),
        MediaSource::Parts(parts) => {
            let texts: Vec<&str> = parts.iter().filter_map(|part| part.as_text().map(|text| &**text)).collect();
            Some(Str::from(texts.join("\n\n")))
        }
        MediaSource::Base64(data) if media.mime.as_deref().is_some_and(|mime| mime.starts_with("text/")) => {
            Some(Str::from(String::from_utf8(STANDARD.decode(&**data).ok()?).ok()?))
        }
        _ => None,
    }
}

/// Writes a document: as a text where that is all it is, unless it must be an object.
pub(super) fn push(out: &mut BytesMut, media: &Media, text: &str, object: bool) {
    if !object && media.mime.is_none() && media.title.is_none() && media.name.is_none() {
        return push_str(out, text);
    }
    let mut document = Writer::object(out);
    let is_object = media.mime.as_deref() == Some(JSON) && serde_json::from_str::<Object<'_>>(text).is_ok();
    if is_object {
        document.raw("data", text);
    } else {
        let mut data = document.nested("data");
        data.maybe_str("title", media.title.as_deref());
        data.str("text", text);
        data.end();
    }
    document.maybe_str("id", media.name.as_deref());
    document.end();
}
