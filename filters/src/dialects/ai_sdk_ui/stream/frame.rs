//! Single chunks of a stream, each framed as a server-sent event.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::BytesMut;

use super::super::metadata::Outgoing;
use crate::{
    json::{Writer, push_raw_str, push_str},
    model::{Finish, Media, MediaSource, ServerCall, ServerResult, Usage},
    openai::DONE,
    seal::Sealer,
};

/// Writes one chunk; `members` adds what it has besides its type.
pub(super) fn chunk(out: &mut BytesMut, kind: &str, members: impl FnOnce(&mut Writer<'_>)) {
    out.extend_from_slice(b"data: ");
    let mut chunk = Writer::of_type(out, kind);
    members(&mut chunk);
    chunk.end();
    out.extend_from_slice(b"\n\n");
}

/// Writes the terminator.
pub(super) fn done(out: &mut BytesMut) {
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(DONE.as_bytes());
    out.extend_from_slice(b"\n\n");
}

/// Writes a file that the model made. Nothing is written of one that is not here and has no URL.
pub(super) fn file(out: &mut BytesMut, media: &Media, outgoing: Outgoing<'_>, sealer: &Sealer) {
    let mime = media.mime.as_deref().unwrap_or(match media.class {
        crate::model::MediaClass::Image => "image/png",
        crate::model::MediaClass::Audio => "audio/mpeg",
        crate::model::MediaClass::Video => "video/mp4",
        crate::model::MediaClass::Document => "application/octet-stream",
    });
    let inline = |out: &mut BytesMut, data: &str| {
        out.extend_from_slice(b"\"data:");
        push_raw_str(out, mime);
        out.extend_from_slice(b";base64,");
        push_raw_str(out, data);
        out.extend_from_slice(b"\"");
    };
    if !matches!(media.source, MediaSource::Base64(_) | MediaSource::Bytes(_) | MediaSource::Url(_)) {
        return;
    }
    chunk(out, "file", |chunk| {
        match &media.source {
            MediaSource::Base64(data) => inline(chunk.member("url"), data),
            MediaSource::Bytes(bytes) => inline(chunk.member("url"), &STANDARD.encode(bytes)),
            MediaSource::Url(url) => push_str(chunk.member("url"), url),
            _ => {}
        }
        chunk.str("mediaType", mime);
        outgoing.write(chunk, sealer);
    });
}

/// Writes a call of a tool that the provider runs. The client has no type of it, so it is a dynamic one.
pub(super) fn server_call(out: &mut BytesMut, call: &ServerCall, sealer: &Sealer) {
    let outgoing = Outgoing { family: Some(call.family), ..Outgoing::default() };
    for kind in ["tool-input-start", "tool-input-available"] {
        chunk(out, kind, |chunk| {
            chunk.str("toolCallId", &call.id);
            chunk.str("toolName", &call.tool);
            if kind == "tool-input-available" {
                chunk.raw("input", call.input.as_str());
                outgoing.write(chunk, sealer);
            }
            chunk.bool("providerExecuted", true);
            chunk.bool("dynamic", true);
        });
    }
}

/// Writes what a tool of the provider's gave.
pub(super) fn server_result(out: &mut BytesMut, result: &ServerResult, sealer: &Sealer) {
    let outgoing = Outgoing { family: Some(result.family), ..Outgoing::default() };
    chunk(out, "tool-output-available", |chunk| {
        chunk.str("toolCallId", &result.id);
        chunk.raw("output", result.output.as_str());
        chunk.bool("providerExecuted", true);
        chunk.bool("dynamic", true);
        outgoing.write(chunk, sealer);
    });
}

/// What an answer's metadata says of it, for a client that shows or stores it.
pub(super) struct Summary<'a> {
    pub(super) word: &'static str,
    pub(super) model: &'a str,
    /// When the answer was asked for, Unix seconds.
    pub(super) created: u64,
    pub(super) usage: Option<&'a Usage>,
    pub(super) finish: &'a Finish,
}

/// Writes `finish`. The protocol has no place for usage and the like but the message's metadata, which the application
/// defines; the names are those of the SDK's own results.
pub(super) fn finish(out: &mut BytesMut, summary: &Summary<'_>) {
    chunk(out, "finish", |chunk| {
        chunk.str("finishReason", summary.word);
        let mut metadata = chunk.nested("messageMetadata");
        if !summary.model.is_empty() {
            metadata.str("model", summary.model);
        }
        if summary.created > 0 {
            metadata.str("timestamp", &rfc3339(summary.created));
        }
        if let Some(usage) = summary.usage {
            let mut counts = metadata.nested("usage");
            counts.u64("inputTokens", usage.input());
            counts.u64("outputTokens", usage.output());
            counts.u64("totalTokens", usage.total());
            counts.u64("reasoningTokens", usage.output_reasoning);
            counts.u64("cachedInputTokens", usage.input_cache_read);
            // Clients of the SDK's fourth version knew them so.
            counts.u64("promptTokens", usage.input());
            counts.u64("completionTokens", usage.output());
            counts.end();
        }
        metadata.maybe_str("rawFinishReason", summary.finish.raw.as_deref());
        metadata.maybe_str("stopSequence", summary.finish.stop_sequence.as_deref());
        metadata.end();
    });
}

/// A time in Unix seconds as RFC 3339 writes it, in UTC.
fn rfc3339(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // The civil calendar, counted in eras of 400 years that begin in March (Howard Hinnant, "chrono-compatible
    // low-level date algorithms").
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_civil() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_827_696, "2000-02-29T12:34:56Z"),
            (1_767_225_599, "2025-12-31T23:59:59Z"),
            (1_767_225_600, "2026-01-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(seconds), text);
        }
    }
}
