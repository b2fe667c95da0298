//! Images, sounds and documents, as they are written to an upstream.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::super::wire::Writer;
pub(super) use crate::openai::media::document_text;
use crate::{
    model::{ErrorInfo, Family, Media, MediaClass, MediaSource},
    openai::media::data_url,
};

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
    ErrorInfo::invalid("messages", message)
}

fn foreign_file() -> ErrorInfo {
    refused("the file id belongs to another provider; send the file itself as base64")
}

fn write_image(media: &Media, object: &mut Writer<'_>) -> Result<(), ErrorInfo> {
    object.str("type", "image_url");
    let mut image = object.nested("image_url");
    match &media.source {
        MediaSource::Url(url) => image.str("url", url),
        MediaSource::Base64(data) => data_url(image.member("url"), media.mime.as_deref().unwrap_or("image/png"), data),
        MediaSource::Bytes(bytes) => {
            let mime = media.mime.as_deref().unwrap_or("image/png");
            data_url(image.member("url"), mime, &STANDARD.encode(bytes));
        }
        MediaSource::File { family: Family::OpenAi, .. } => {
            return Err(refused("images cannot be named by file id here; send the image as a URL or as base64"));
        }
        _ => return Err(foreign_file()),
    }
    image.maybe_str("detail", media.detail.as_deref());
    image.end();
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
    object.str("type", "file");
    let mut file = object.nested("file");
    let name = || media.name.as_deref().or(media.title.as_deref()).unwrap_or("document.pdf");
    let mime = media.mime.as_deref().unwrap_or("application/pdf");
    match &media.source {
        MediaSource::File { family: Family::OpenAi, id } => {
            file.str("file_id", id);
            file.maybe_str("filename", media.name.as_deref());
        }
        MediaSource::Base64(data) => {
            file.str("filename", name());
            data_url(file.member("file_data"), mime, data);
        }
        MediaSource::Bytes(bytes) => {
            file.str("filename", name());
            data_url(file.member("file_data"), mime, &STANDARD.encode(bytes));
        }
        MediaSource::Url(_) => return Err(refused("this upstream cannot fetch documents; send it inline as base64")),
        _ => return Err(foreign_file()),
    }
    file.end();
    Ok(())
}
