//! Images, sounds and documents, both ways.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;

use super::super::wire::{ContentPart, Source, Text, Writer, filled, lenient};
use crate::{
    model::{ErrorInfo, Family, Media, MediaClass, MediaSource, Str},
    openai::media::{data_url, url_media},
};

/// Decodes a part that is not text.
pub(super) fn decode(wire: &ContentPart<'_>, source: &Source) -> Result<Media, String> {
    match wire.kind() {
        "input_image" => image(wire, source),
        "input_audio" => audio(wire, source),
        _ => file(wire, source),
    }
}

fn image(wire: &ContentPart<'_>, source: &Source) -> Result<Media, String> {
    #[derive(Deserialize)]
    struct Nested<'a> {
        #[serde(borrow)]
        url: Text<'a>,
    }
    let url = lenient::<Text<'_>>(wire.image_url).or_else(|| Some(lenient::<Nested<'_>>(wire.image_url)?.url));
    let mut media = match (url, filled(wire.file_id.as_ref(), source)) {
        (Some(url), _) => url_media(MediaClass::Image, &source.text(&url)).map_err(str::to_owned)?,
        (None, Some(id)) => Media::new(MediaClass::Image, None, MediaSource::File { family: Family::OpenAi, id }),
        (None, None) => return Err("a part of type `input_image` needs `image_url` or `file_id`".to_owned()),
    };
    media.detail = filled(wire.detail.as_ref(), source);
    Ok(media)
}

fn audio(wire: &ContentPart<'_>, source: &Source) -> Result<Media, String> {
    #[derive(Deserialize)]
    struct Audio<'a> {
        #[serde(borrow)]
        data: Text<'a>,
        format: Text<'a>,
    }
    let audio: Audio<'_> = lenient(wire.input_audio)
        .ok_or("a part of type `input_audio` needs `input_audio`, an object with `data` and `format`")?;
    let mime = match audio.format.as_str() {
        "mp3" => Str::from_static("audio/mpeg"),
        other => Str::from(format!("audio/{other}")),
    };
    Ok(Media::new(MediaClass::Audio, Some(mime), MediaSource::Base64(source.text(&audio.data))))
}

fn file(wire: &ContentPart<'_>, source: &Source) -> Result<Media, String> {
    let keep = |text: &Option<Text<'_>>| filled(text.as_ref(), source);
    let mut media = match (keep(&wire.file_data), keep(&wire.file_url), keep(&wire.file_id)) {
        (Some(data), ..) if data.starts_with("data:") => {
            url_media(MediaClass::Document, &data).map_err(str::to_owned)?
        }
        (Some(data), ..) => Media::new(MediaClass::Document, None, MediaSource::Base64(data)),
        (None, Some(url), _) => Media::new(MediaClass::Document, None, MediaSource::Url(url)),
        (None, None, Some(id)) => {
            Media::new(MediaClass::Document, None, MediaSource::File { family: Family::OpenAi, id })
        }
        _ => return Err("a part of type `input_file` needs `file_data`, `file_url` or `file_id`".to_owned()),
    };
    media.name = keep(&wire.filename);
    Ok(media)
}

/// Writes media as the members of a content part.
pub(super) fn write(media: &Media, object: &mut Writer<'_>) -> Result<(), ErrorInfo> {
    match media.class {
        MediaClass::Image => write_image(media, object),
        MediaClass::Audio => write_audio(media, object),
        MediaClass::Document => write_file(media, object),
        MediaClass::Video => Err(refused("this upstream takes no video; leave it out or choose another model")),
    }
}

fn refused(message: &'static str) -> ErrorInfo {
    ErrorInfo::invalid("input", message)
}

fn foreign_file() -> ErrorInfo {
    refused("the file id belongs to another provider; send the file itself as base64")
}

fn write_image(media: &Media, object: &mut Writer<'_>) -> Result<(), ErrorInfo> {
    object.str("type", "input_image");
    let mime = media.mime.as_deref().unwrap_or("image/png");
    match &media.source {
        MediaSource::Url(url) => object.str("image_url", url),
        MediaSource::Base64(data) => data_url(object.member("image_url"), mime, data),
        MediaSource::Bytes(bytes) => data_url(object.member("image_url"), mime, &STANDARD.encode(bytes)),
        MediaSource::File { family: Family::OpenAi, id } => object.str("file_id", id),
        _ => return Err(foreign_file()),
    }
    object.str("detail", media.detail.as_deref().unwrap_or("auto"));
    Ok(())
}

fn write_audio(media: &Media, object: &mut Writer<'_>) -> Result<(), ErrorInfo> {
    let format = match media.mime.as_deref().and_then(|mime| mime.strip_prefix("audio/")) {
        Some("wav" | "x-wav" | "wave" | "vnd.wave") => "wav",
        Some("mpeg" | "mp3") => "mp3",
        _ => return Err(refused("audio must be wav or mp3 for this upstream; convert it")),
    };
    object.str("type", "input_audio");
    let mut audio = object.nested("input_audio");
    match &media.source {
        MediaSource::Base64(data) => audio.str("data", data),
        MediaSource::Bytes(bytes) => audio.str("data", &STANDARD.encode(bytes)),
        _ => return Err(refused("audio must be sent inline as base64 for this upstream")),
    }
    audio.str("format", format);
    audio.end();
    Ok(())
}

fn write_file(media: &Media, object: &mut Writer<'_>) -> Result<(), ErrorInfo> {
    object.str("type", "input_file");
    let name = media.name.as_deref().or(media.title.as_deref());
    let mime = media.mime.as_deref().unwrap_or("application/pdf");
    let inline = match &media.source {
        MediaSource::File { family: Family::OpenAi, id } => {
            object.str("file_id", id);
            return Ok(());
        }
        MediaSource::Url(url) => {
            object.str("file_url", url);
            return Ok(());
        }
        MediaSource::Base64(data) => data.clone(),
        MediaSource::Bytes(bytes) => Str::from(STANDARD.encode(bytes)),
        _ => return Err(foreign_file()),
    };
    object.str("filename", name.unwrap_or("document.pdf"));
    data_url(object.member("file_data"), mime, &inline);
    Ok(())
}
