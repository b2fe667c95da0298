//! The names of media formats, and the media types that they stand for.

use crate::model::MediaClass;

/// Formats and their media types; the first row of a format or a type counts.
type Table = &'static [(&'static str, &'static str)];

const IMAGES: Table = &[
    ("png", "image/png"),
    ("jpeg", "image/jpeg"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
    ("jpeg", "image/jpg"),
];

const DOCUMENTS: Table = &[
    ("pdf", "application/pdf"),
    ("txt", "text/plain"),
    ("csv", "text/csv"),
    ("md", "text/markdown"),
    ("html", "text/html"),
    ("doc", "application/msword"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("xls", "application/vnd.ms-excel"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("md", "text/x-markdown"),
    ("html", "application/xhtml+xml"),
    ("txt", "application/json"),
];

const VIDEOS: Table = &[
    ("mp4", "video/mp4"),
    ("mov", "video/quicktime"),
    ("mkv", "video/x-matroska"),
    ("webm", "video/webm"),
    ("flv", "video/x-flv"),
    ("mpeg", "video/mpeg"),
    ("mpg", "video/mpg"),
    ("wmv", "video/x-ms-wmv"),
    ("three_gp", "video/3gpp"),
    ("flv", "video/flv"),
    ("wmv", "video/wmv"),
    ("mov", "video/mov"),
];

const SOUNDS: Table = &[
    ("mp3", "audio/mpeg"),
    ("wav", "audio/wav"),
    ("flac", "audio/flac"),
    ("ogg", "audio/ogg"),
    ("opus", "audio/opus"),
    ("aac", "audio/aac"),
    ("mp4", "audio/mp4"),
    ("m4a", "audio/m4a"),
    ("webm", "audio/webm"),
    ("mkv", "audio/x-matroska"),
    ("mka", "audio/x-mka"),
    ("x-aac", "audio/x-aac"),
    ("mpeg", "audio/mpeg"),
    ("mpga", "audio/mpga"),
    ("pcm", "audio/pcm"),
    ("mp3", "audio/mp3"),
    ("wav", "audio/x-wav"),
    ("wav", "audio/wave"),
    ("m4a", "audio/x-m4a"),
    ("pcm", "audio/l16"),
];

fn table(class: MediaClass) -> Table {
    match class {
        MediaClass::Image => IMAGES,
        MediaClass::Document => DOCUMENTS,
        MediaClass::Video => VIDEOS,
        MediaClass::Audio => SOUNDS,
    }
}

/// The media type of a format.
pub(super) fn mime_of(class: MediaClass, format: &str) -> Option<&'static str> {
    table(class).iter().find(|(of, _)| of.eq_ignore_ascii_case(format)).map(|(_, mime)| *mime)
}

/// The format of a media type; of media without one, the commonest of their class. `None` if the service does not take
/// it.
pub(super) fn format_of(class: MediaClass, mime: Option<&str>) -> Option<&'static str> {
    let table = table(class);
    let Some(mime) = mime else { return table.first().map(|(format, _)| *format) };
    let bare = mime.split(';').next().unwrap_or_default().trim();
    let known = table.iter().find(|(_, of)| of.eq_ignore_ascii_case(bare)).map(|(format, _)| *format);
    let is_text =
        class == MediaClass::Document && bare.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("text/"));
    if is_text { known.or(Some("txt")) } else { known }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_and_types_meet() {
        for class in [MediaClass::Image, MediaClass::Document, MediaClass::Video] {
            for (format, _) in table(class) {
                let mime = mime_of(class, format).expect("every format has a type");
                assert_eq!(format_of(class, Some(mime)), Some(*format), "{mime}");
            }
        }
        assert_eq!(format_of(MediaClass::Image, Some("IMAGE/JPG; q=1")), Some("jpeg"));
        assert_eq!(format_of(MediaClass::Image, Some("image/tiff")), None);
        assert_eq!(format_of(MediaClass::Document, Some("text/x-rust")), Some("txt"));
        assert_eq!(format_of(MediaClass::Document, None), Some("pdf"));
        assert_eq!(format_of(MediaClass::Audio, Some("audio/mpeg")), Some("mp3"));
    }
}
