//! What fetched bytes are: by their first bytes, and by the server's word only where these say nothing.

use base64::{Engine, engine::general_purpose::STANDARD};
use lockgate_filters::model::{Media, MediaClass, MediaSource, Str};

use super::{FetchError, Fetched};

/// Fetched bytes as every dialect carries them, with what they look like.
#[derive(Debug)]
pub(super) struct Content {
    /// Standard base64.
    data: Str,
    /// How many bytes it was before.
    pub(super) size: u64,
    /// The media type that the first bytes show.
    shown: Option<&'static str>,
    /// The media type that the server said, without parameters, in small letters.
    said: Option<Str>,
    /// Whether it can be read as text.
    is_text: bool,
}

/// Whether a server's word has the form of a media type (RFC 6838, section 4.2): others go nowhere.
fn is_media_type(word: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+/".contains(&byte);
    word.len() <= 127 && word.matches('/').count() == 1 && word.bytes().all(plain)
}

/// Words for a class in messages.
pub(super) fn class_name(class: MediaClass) -> &'static str {
    match class {
        MediaClass::Image => "image",
        MediaClass::Audio => "audio",
        MediaClass::Video => "video",
        MediaClass::Document => "document",
    }
}

impl Content {
    pub(super) fn new(fetched: &Fetched) -> Self {
        let said = fetched.content_type.as_deref().and_then(|value| value.split(';').next());
        let said = said.map(str::trim).filter(|said| is_media_type(said)).map(str::to_ascii_lowercase);
        let shown = signature(&fetched.bytes);
        Self {
            data: Str::from(STANDARD.encode(&fetched.bytes)),
            size: fetched.bytes.len() as u64,
            shown,
            said: said.map(Str::from),
            is_text: shown.is_none() && !fetched.bytes.contains(&0) && std::str::from_utf8(&fetched.bytes).is_ok(),
        }
    }

    /// Puts the bytes in place of the URL.
    pub(super) fn inline(&self, media: &mut Media) -> Result<(), FetchError> {
        let (class, mime) = self.kind(media).ok_or_else(|| self.mismatch(media.class))?;
        media.class = class;
        media.mime = Some(mime);
        media.source = MediaSource::Base64(self.data.clone());
        Ok(())
    }

    /// Class and media type, if they are what the request says.
    fn kind(&self, media: &Media) -> Option<(MediaClass, Str)> {
        let shown = self.shown.unwrap_or_default();
        let (family, name) = shown.split_once('/').unwrap_or_default();
        let of = |class, mime| Some((class, Str::from_static(mime)));
        match (media.class, family) {
            (MediaClass::Image, "image") => of(MediaClass::Image, shown),
            (MediaClass::Audio, "audio") => of(MediaClass::Audio, shown),
            // One container for both.
            (MediaClass::Audio, "video") if name == "mp4" => of(MediaClass::Audio, "audio/mp4"),
            (MediaClass::Audio, "video") if name == "webm" => of(MediaClass::Audio, "audio/webm"),
            (MediaClass::Video, "audio") if name == "ogg" => of(MediaClass::Video, "video/ogg"),
            (MediaClass::Video, "video") => of(MediaClass::Video, shown),
            (MediaClass::Document, "application") => {
                self.document(shown, media).map(|mime| (MediaClass::Document, mime))
            }
            (MediaClass::Document, "") if self.is_text => self.text(media).map(|mime| (MediaClass::Document, mime)),
            // A file of which the client did not say what it is.
            (MediaClass::Document, "image") if media.mime.is_none() => of(MediaClass::Image, shown),
            (MediaClass::Document, "audio") if media.mime.is_none() => of(MediaClass::Audio, shown),
            (MediaClass::Document, "video") if media.mime.is_none() => of(MediaClass::Video, shown),
            _ => None,
        }
    }

    /// The type of a document; archives are what the server or the client calls them.
    fn document(&self, shown: &'static str, media: &Media) -> Option<Str> {
        let named = |names: &[&str]| {
            let words = [self.said.as_ref(), media.mime.as_ref()].into_iter().flatten();
            words.into_iter().find(|word| names.iter().any(|name| word.starts_with(name))).cloned()
        };
        match shown {
            ZIP => named(&["application/vnd.openxmlformats-officedocument.", "application/vnd.oasis.opendocument."]),
            OLE => named(&["application/msword", "application/vnd.ms-"]),
            shown => Some(Str::from_static(shown)),
        }
    }

    /// The type of a text, as the server or the client calls it.
    fn text(&self, media: &Media) -> Option<Str> {
        let is_text = |word: &&Str| {
            word.starts_with("text/") || matches!(&***word, "application/json" | "application/xml" | "application/yaml")
        };
        self.said.as_ref().filter(is_text).or_else(|| media.mime.as_ref().filter(is_text)).cloned()
    }

    fn mismatch(&self, class: MediaClass) -> FetchError {
        let expected = match class {
            MediaClass::Image => "an image",
            MediaClass::Audio => "audio",
            MediaClass::Video => "video",
            MediaClass::Document => "a pdf or a text",
        };
        let shown = self.shown.map(Str::from_static);
        let found = shown.or_else(|| self.said.clone()).unwrap_or_else(|| Str::from_static("something unknown"));
        FetchError::WrongType { expected, found }
    }
}

const ZIP: &str = "application/zip";
const OLE: &str = "application/x-ole-storage";

/// Marks at the beginning of a file, as `(offset, bytes, media type)`; the first that fits counts.
const MARKS: &[(usize, &[u8], &str)] = &[
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (0, b"II*\0", "image/tiff"),
    (0, b"MM\0*", "image/tiff"),
    (0, b"%PDF-", "application/pdf"),
    (8, b"WAVE", "audio/wav"),
    (8, b"AVI ", "video/x-msvideo"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"OggS", "audio/ogg"),
    (0, b"fLaC", "audio/flac"),
    (8, b"AIFF", "audio/aiff"),
    (8, b"AIFC", "audio/aiff"),
    (0, b"\0\0\x01\xba", "video/mpeg"),
    (0, b"\0\0\x01\xb3", "video/mpeg"),
    (0, b"FLV\x01", "video/x-flv"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "video/x-ms-wmv"),
    (0, b"PK\x03\x04", ZIP),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", OLE),
];

/// Brands of ISO base media files (`ftyp` boxes); any other is MP4.
const BRANDS: &[(&[u8], &str)] = &[
    (b"heic", "image/heic"),
    (b"heix", "image/heic"),
    (b"mif1", "image/heif"),
    (b"avif", "image/avif"),
    (b"M4A ", "audio/mp4"),
    (b"M4B ", "audio/mp4"),
    (b"qt  ", "video/quicktime"),
    (b"3gp", "video/3gpp"),
];

/// The media type that the first bytes of a file show.
fn signature(bytes: &[u8]) -> Option<&'static str> {
    let has = |at: usize, mark: &[u8]| bytes.get(at..).is_some_and(|rest| rest.starts_with(mark));
    let mark = MARKS.iter().find(|(at, mark, _)| {
        // Eight bytes of RIFF or FORM and a length stand before the marks at eight.
        has(*at, mark) && (*at == 0 || has(0, b"RIFF") || has(0, b"FORM"))
    });
    if let Some((_, _, mime)) = mark {
        return Some(mime);
    }
    if has(4, b"ftyp") {
        return Some(BRANDS.iter().find(|(brand, _)| has(8, brand)).map_or("video/mp4", |(_, mime)| *mime));
    }
    if has(0, b"\x1a\x45\xdf\xa3") {
        let head = bytes.get(..64).unwrap_or(bytes);
        let is_webm = head.windows(4).any(|window| window == b"webm");
        return Some(if is_webm { "video/webm" } else { "video/x-matroska" });
    }
    frame_of_sound(bytes)
}

/// MPEG audio without a tag: eleven bits of synchronisation, then version, layer and rates that are not reserved.
fn frame_of_sound(bytes: &[u8]) -> Option<&'static str> {
    let [0xff, second, third, ..] = *bytes else { return None };
    if second & 0xf6 == 0xf0 {
        return Some("audio/aac");
    }
    let (version, layer) = ((second >> 3) & 3, (second >> 1) & 3);
    let (bits, rate) = (third >> 4, (third >> 2) & 3);
    (second & 0xe0 == 0xe0 && version != 1 && layer != 0 && bits != 15 && rate != 3).then_some("audio/mpeg")
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n rest";

    fn content(bytes: &[u8], said: &str) -> Content {
        let content_type = (!said.is_empty()).then(|| Str::from(said));
        Content::new(&Fetched { bytes: Bytes::copy_from_slice(bytes), content_type })
    }

    fn media(class: MediaClass, mime: Option<&'static str>) -> Media {
        Media::new(class, mime.map(Str::from_static), MediaSource::Url(Str::from_static("https://example.com/x")))
    }

    #[test]
    fn bytes_decide_and_not_the_server() {
        for (bytes, said, class, mime) in [
            (PNG, "image/jpeg", MediaClass::Image, "image/png"),
            (PNG, "", MediaClass::Image, "image/png"),
            (b"\xff\xd8\xff\xe0....", "text/html", MediaClass::Image, "image/jpeg"),
            (b"GIF89a..", "image/gif", MediaClass::Image, "image/gif"),
            (b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp", MediaClass::Image, "image/webp"),
            (b"RIFF\x10\0\0\0WAVEfmt ", "", MediaClass::Audio, "audio/wav"),
            (b"ID3\x04....", "", MediaClass::Audio, "audio/mpeg"),
            (b"\xff\xfb\x90\x00....", "", MediaClass::Audio, "audio/mpeg"),
            (b"\xff\xf1\x50\x80....", "", MediaClass::Audio, "audio/aac"),
            (b"\0\0\0\x18ftypM4A ....", "", MediaClass::Audio, "audio/mp4"),
            (b"\0\0\0\x18ftypisom....", "", MediaClass::Audio, "audio/mp4"),
            (b"\0\0\0\x18ftypisom....", "", MediaClass::Video, "video/mp4"),
            (b"\0\0\0\x18ftypavif....", "", MediaClass::Image, "image/avif"),
            (b"\x1a\x45\xdf\xa3\x01\0\0\0\x42\x82\x84webm", "", MediaClass::Video, "video/webm"),
            (b"%PDF-1.7", "application/octet-stream", MediaClass::Document, "application/pdf"),
            (b"# Title\n", "text/markdown; charset=utf-8", MediaClass::Document, "text/markdown"),
        ] {
            let mut media = media(class, None);
            content(bytes, said).inline(&mut media).expect("it is what it says");
            assert_eq!((media.class, media.mime.as_deref()), (class, Some(mime)), "{said}");
            assert_eq!(media.source, MediaSource::Base64(Str::from(STANDARD.encode(bytes))));
        }
    }

    #[test]
    fn what_is_not_what_the_request_says_is_refused() {
        for (bytes, said, class, found) in [
            (&b"<html>login</html>"[..], "text/html", MediaClass::Image, "text/html"),
            (b"<svg/>", "image/svg+xml", MediaClass::Image, "image/svg+xml"),
            (b"", "image/png", MediaClass::Image, "image/png"),
            (b"%PDF-1.7", "image/png", MediaClass::Image, "application/pdf"),
            (PNG, "audio/mpeg", MediaClass::Audio, "image/png"),
            (b"\0\x01\x02", "text/plain", MediaClass::Document, "text/plain"),
            (b"\xff\xfe\xfd", "", MediaClass::Document, "something unknown"),
            (b"plain", "application/octet-stream", MediaClass::Document, "application/octet-stream"),
            (b"PK\x03\x04", "application/zip", MediaClass::Document, "application/zip"),
            (b"x", "text/\x07", MediaClass::Image, "something unknown"),
            (b"x", "text/plain,x", MediaClass::Document, "something unknown"),
            (b"x", "text", MediaClass::Document, "something unknown"),
        ] {
            let refused = content(bytes, said).inline(&mut media(class, None));
            let Err(FetchError::WrongType { found: told, .. }) = refused else { panic!("{said} is no {class:?}") };
            assert_eq!(told, found);
        }
    }

    #[test]
    fn a_file_of_unknown_kind_becomes_what_it_is() {
        let mut unknown = media(MediaClass::Document, None);
        content(PNG, "").inline(&mut unknown).expect("a picture is a file");
        assert_eq!((unknown.class, unknown.mime.as_deref()), (MediaClass::Image, Some("image/png")));
        let mut pdf = media(MediaClass::Document, Some("application/pdf"));
        assert!(content(PNG, "").inline(&mut pdf).is_err(), "the client said that it is a document");
        let mut word = media(MediaClass::Document, None);
        let docx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
        content(b"PK\x03\x04", docx).inline(&mut word).expect("an archive by its name");
        assert_eq!(word.mime.as_deref(), Some(docx));
    }
}
