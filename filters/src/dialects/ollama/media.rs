//! Pictures: bare base64, without a media type.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::BytesMut;

use crate::{
    json::push_str,
    model::{ErrorInfo, Media, MediaClass, MediaSource, Str},
};

/// A picture of a client's. The wire names no media type, which other vendors require; the first bytes tell it. Clients
/// that write a data URL, which the vendor refuses, are understood.
pub(super) fn picture(text: &Str) -> Media {
    let (stated, data) = match text.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,")) {
        Some((mime, data)) => (Some(text.slice_ref(mime)), text.slice_ref(data)),
        None => (None, text.clone()),
    };
    let mime = stated.filter(|mime| !mime.is_empty()).or_else(|| sniff(&data).map(Str::from_static));
    Media::new(MediaClass::Image, mime, MediaSource::Base64(data))
}

/// The media type that base64 data begins like.
fn sniff(data: &str) -> Option<&'static str> {
    let known =
        [("iVBORw0KGgo", "image/png"), ("/9j/", "image/jpeg"), ("R0lGOD", "image/gif"), ("UklGR", "image/webp")];
    known.iter().find(|(start, _)| data.starts_with(start)).map(|(_, mime)| *mime)
}

/// Writes a picture for an upstream.
pub(super) fn push(out: &mut BytesMut, media: &Media) -> Result<(), ErrorInfo> {
    let refused = |message: &'static str| Err(ErrorInfo::invalid("messages", message));
    if media.class != MediaClass::Image {
        return refused("this upstream takes pictures and text only; leave the file out or choose another model");
    }
    match &media.source {
        MediaSource::Base64(data) => push_str(out, data),
        MediaSource::Bytes(bytes) => push_str(out, &STANDARD.encode(bytes)),
        MediaSource::Url(_) => return refused("this upstream fetches no URLs; send the picture inline as base64"),
        _ => return refused("the file id belongs to another provider; send the picture inline as base64"),
    }
    Ok(())
}

/// The words of a document that is text: this dialect has no documents.
pub(super) fn document_text(media: &Media) -> Option<Str> {
    let text = match &media.source {
        MediaSource::Text(text) => text.clone(),
        MediaSource::Parts(parts) => {
            let texts: Vec<&str> = parts.iter().filter_map(|part| part.as_text().map(|text| &**text)).collect();
            Str::from(texts.join("\n\n"))
        }
        MediaSource::Base64(data) if media.mime.as_deref().is_some_and(|mime| mime.starts_with("text/")) => {
            Str::from(String::from_utf8(STANDARD.decode(&**data).ok()?).ok()?)
        }
        _ => return None,
    };
    match media.title.as_ref().or(media.name.as_ref()) {
        Some(title) => Some(Str::from(format!("{title}\n\n{text}"))),
        None => Some(text),
    }
}
