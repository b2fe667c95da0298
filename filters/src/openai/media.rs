//! Media at URLs, data URLs among them, and documents that are text.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::BytesMut;

use crate::{
    json::push_raw_str,
    model::{Media, MediaClass, MediaSource, Str},
};

/// Media at a URL; a data URL becomes what it holds.
pub(crate) fn url_media(class: MediaClass, url: &Str) -> Result<Media, &'static str> {
    let Some(rest) = url.strip_prefix("data:") else {
        return Ok(Media::new(class, None, MediaSource::Url(url.clone())));
    };
    let (head, data) =
        rest.split_once(',').ok_or("the data URL has no comma; write data:<media type>;base64,<data>")?;
    let mime =
        head.strip_suffix(";base64").ok_or("the data URL must be base64; write data:<media type>;base64,<data>")?;
    let mime = mime.split(';').next().unwrap_or_default();
    let class = match mime.split('/').next() {
        Some("image") => MediaClass::Image,
        Some("audio") => MediaClass::Audio,
        Some("video") => MediaClass::Video,
        _ => class,
    };
    let mime = (!mime.is_empty()).then(|| url.slice_ref(mime));
    Ok(Media::new(class, mime, MediaSource::Base64(url.slice_ref(data))))
}

/// The words of a document that is text; this dialect has no documents but files.
pub(crate) fn document_text(media: &Media) -> Option<Str> {
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

/// Appends a data URL as a JSON string, without building it first.
pub(crate) fn data_url(out: &mut BytesMut, mime: &str, data: &str) {
    out.extend_from_slice(b"\"data:");
    push_raw_str(out, mime);
    out.extend_from_slice(b";base64,");
    push_raw_str(out, data);
    out.extend_from_slice(b"\"");
}
