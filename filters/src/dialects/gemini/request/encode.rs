//! Writes a request for an upstream.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::BytesMut;

use super::{
    contents::object_of,
    history::{self, Content, Piece, media_of, text_of},
    settings, tools,
};
use crate::dialects::gemini::{
    VERTEX, emit,
    parts::is_google_only,
    profile::{Profile, profile},
    write,
};
use crate::{
    alias::{Charset, alias},
    dialects::{Encoded, Target},
    json::push_str,
    model::{
        ErrorInfo, Family, Field, Losses, Media, MediaClass, MediaSource, Part, RawJson, Request, Str, ToolResult,
    },
};

/// What Gemini allows in the name of a function.
const NAMES: Charset = Charset { max: 64, extra: b"_-.:", starts_with_letter: true };

/// What Gemini accepts in place of a signature that was lost.
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

/// The encoding of one request.
pub(super) struct Job<'a> {
    pub(super) request: &'a Request,
    pub(super) target: &'a Target<'a>,
    pub(super) profile: Profile,
    pub(super) losses: Losses,
    renamed: Vec<(Str, Str)>,
}

impl Job<'_> {
    /// Whether the client speaks Gemini too, and means its settings as Gemini does.
    pub(super) fn is_own(&self) -> bool {
        self.request.origin == Some("gemini")
    }

    /// Whether the upstream is Vertex, whose requests differ in a few members.
    pub(super) fn is_vertex(&self) -> bool {
        self.target.has_quirk(VERTEX)
    }

    /// The name that a tool has upstream.
    pub(super) fn tool_name(&mut self, name: &Str) -> Str {
        let sent = alias(name, NAMES);
        if sent != *name && !self.renamed.iter().any(|(_, original)| original == name) {
            self.renamed.push((sent.clone(), name.clone()));
        }
        sent
    }

    /// A member that no field holds, if the client speaks Gemini too.
    pub(super) fn kept(&self, name: &str) -> Option<RawJson> {
        let found = self.request.extra.iter().find(|(of, _)| self.is_own() && of == name);
        found.map(|(_, value)| value.clone())
    }
}

/// Encodes a request.
pub(crate) fn encode(request: &Request, target: &Target<'_>) -> Result<Encoded, ErrorInfo> {
    settings::refuse(request)?;
    let mut job =
        Job { request, target, profile: profile(target.model), losses: Losses::default(), renamed: Vec::new() };
    let mut contents = history::plan(&mut job)?;
    let system = system_texts(&mut job);
    let mut out = BytesMut::with_capacity(1024);
    out.extend_from_slice(b"{");
    if job.profile.system {
        write_system(&mut out, &system);
    } else {
        prefix_system(&mut job, system, &mut contents);
    }
    emit::key(&mut out, "contents");
    out.extend_from_slice(b"[");
    for content in &contents {
        write_content(&mut out, &mut job, content)?;
    }
    out.extend_from_slice(b"]");
    tools::encode(&mut out, &mut job)?;
    settings::encode(&mut out, &mut job)?;
    write_rest(&mut out, &mut job);
    out.extend_from_slice(b"}");
    Ok(Encoded {
        body: out.freeze(),
        losses: job.losses,
        headers: Vec::new(),
        renamed_tools: job.renamed,
        json_tool: None,
    })
}

fn system_texts(job: &mut Job<'_>) -> Vec<Str> {
    let texts = job.request.system.iter().filter_map(Part::as_text).filter(|text| !text.is_empty());
    let mut texts: Vec<Str> = texts.cloned().collect();
    if settings::format_in_words(job)
        && let Some(words) = settings::words_of_format(&job.request.output.format)
    {
        job.losses.approx(Field::ResponseFormat);
        texts.push(Str::from(words));
    }
    texts
}

fn write_system(out: &mut BytesMut, texts: &[Str]) {
    if texts.is_empty() {
        return;
    }
    emit::object(out, "systemInstruction", |out| {
        emit::key(out, "parts");
        out.extend_from_slice(b"[");
        for text in texts {
            write::text(out, text, false, None);
        }
        out.extend_from_slice(b"]");
    });
}

/// For models without a system instruction: its text goes before the first user text.
fn prefix_system(job: &mut Job<'_>, texts: Vec<Str>, contents: &mut Vec<Content<'_>>) {
    if texts.is_empty() {
        return;
    }
    job.losses.approx(Field::System);
    let pieces = texts.into_iter().map(|text| Piece::Text { text, thought: false, signature: None });
    match contents.first_mut().filter(|first| !first.is_model) {
        Some(first) => _ = first.pieces.splice(0..0, pieces),
        None => contents.insert(0, Content { is_model: false, pieces: pieces.collect() }),
    }
}

fn write_content(out: &mut BytesMut, job: &mut Job<'_>, content: &Content<'_>) -> Result<(), ErrorInfo> {
    emit::item(out);
    out.extend_from_slice(b"{");
    emit::text(out, "role", if content.is_model { "model" } else { "user" });
    emit::key(out, "parts");
    out.extend_from_slice(b"[");
    let mut first_call = true;
    for piece in &content.pieces {
        match piece {
            Piece::Text { text, thought, signature } => write::text(out, text, *thought, signature.as_deref()),
            Piece::Media { media, signature } => {
                let state = signature.as_deref();
                let before = out.len();
                let mut outcome = Ok(());
                write::part(out, state, |out| outcome = write_media(out, job, media));
                if outcome.is_err() {
                    out.truncate(before);
                }
                outcome?;
            }
            Piece::Call { call, signature } => {
                let (args, wrapped) = write::arguments(call);
                if wrapped {
                    job.losses.approx(Field::ToolArguments);
                }
                let mut state = signature.as_deref();
                // The first call of a step must be signed; parallel ones need not be.
                if state.is_none() && first_call && job.profile.modern {
                    job.losses.approx(Field::Signature);
                    state = Some(NO_SIGNATURE);
                }
                first_call = false;
                let name = job.tool_name(&call.name);
                write::call(out, job.profile.modern.then_some(&*call.id), &name, &args, state);
            }
            Piece::Result { call, name, result } => write_result(out, job, call, name, *result)?,
            Piece::Server { tool, is_result, raw, signature } => {
                write::part(out, signature.as_deref(), |out| write::server(out, tool, *is_result, raw));
            }
            Piece::Raw(raw) => {
                emit::item(out);
                out.extend_from_slice(raw.as_str().as_bytes());
            }
        }
    }
    out.extend_from_slice(b"]}");
    Ok(())
}

fn write_result(
    out: &mut BytesMut,
    job: &mut Job<'_>,
    call: &Str,
    name: &Str,
    result: Option<&ToolResult>,
) -> Result<(), ErrorInfo> {
    let mut outcome = Ok(());
    let name = job.tool_name(name);
    write::part(out, None, |out| {
        emit::object(out, "functionResponse", |out| {
            emit::text_opt(out, "id", job.profile.modern.then_some(&**call));
            emit::text(out, "name", &name);
            emit::raw(out, "response", &response_of(result));
            let media: Vec<&Media> = result.into_iter().flat_map(media_of).filter(|_| job.profile.modern).collect();
            if media.is_empty() {
                return;
            }
            emit::key(out, "parts");
            out.extend_from_slice(b"[");
            for media in media {
                write::part(out, None, |out| {
                    if let Err(problem) = write_media(out, job, media) {
                        outcome = Err(problem);
                    }
                });
            }
            out.extend_from_slice(b"]");
        });
    });
    outcome
}

/// A result as an object: its own if it is one, else wrapped by what it is.
fn response_of(result: Option<&ToolResult>) -> String {
    let Some(result) = result else { return write::wrap("error", "no result") };
    if let Some(object) = object_of(result.json.as_ref()) {
        return object.to_owned();
    }
    let text = text_of(result);
    match (result.is_error, write::is_object(&text)) {
        (true, _) => write::wrap("error", &text),
        (false, true) => text.to_string(),
        (false, false) => write::wrap("result", &text),
    }
}

/// Appends the content of a media part.
fn write_media(out: &mut BytesMut, job: &mut Job<'_>, media: &Media) -> Result<(), ErrorInfo> {
    match &media.source {
        MediaSource::Base64(data) => write::inline_data(out, mime_of(media, data), data),
        MediaSource::Bytes(bytes) => {
            let data = STANDARD.encode(bytes);
            write::inline_data(out, mime_of(media, &data), &data);
        }
        MediaSource::File { family: Family::Gemini, id } => write_file(out, media, id),
        MediaSource::File { .. } => {
            let message = "the file is stored with another provider, send its content inline as base64";
            return Err(ErrorInfo::invalid("file_id", message));
        }
        MediaSource::Url(url) => match data_url(url) {
            Some((mime, data)) => write::inline_data(out, mime, data),
            None if is_google_only(url) || job.is_vertex() || job.is_own() => write_file(out, media, url),
            None => {
                let message = "the upstream does not fetch URLs, send the file inline as base64";
                return Err(ErrorInfo::invalid("image_url", message));
            }
        },
        MediaSource::Text(text) => emit::text(out, "text", text),
        // Flattened when the contents were planned.
        MediaSource::Parts(_) => emit::text(out, "text", ""),
    }
    match media.detail.as_deref() {
        Some("low") if job.profile.modern => resolution(out, "MEDIA_RESOLUTION_LOW"),
        Some("high") if job.profile.modern => resolution(out, "MEDIA_RESOLUTION_HIGH"),
        Some("low" | "high") => job.losses.drop(Field::ImageDetail),
        _ => {}
    }
    Ok(())
}

fn resolution(out: &mut BytesMut, level: &str) {
    emit::object(out, "mediaResolution", |out| emit::text(out, "level", level));
}

fn write_file(out: &mut BytesMut, media: &Media, uri: &str) {
    emit::object(out, "fileData", |out| {
        emit::text_opt(out, "mimeType", media.mime.as_deref());
        emit::text(out, "fileUri", uri);
    });
}

fn mime_of<'a>(media: &'a Media, data: &str) -> &'a str {
    media.mime.as_deref().or_else(|| write::sniff(data)).unwrap_or(match media.class {
        MediaClass::Image => "image/jpeg",
        MediaClass::Audio => "audio/wav",
        MediaClass::Video => "video/mp4",
        MediaClass::Document => "application/pdf",
    })
}

/// Media type and base64 of a `data:` URL.
fn data_url(url: &str) -> Option<(&str, &str)> {
    let (head, data) = url.strip_prefix("data:")?.split_once(',')?;
    Some((head.strip_suffix(";base64")?, data))
}

/// Appends the members beside contents, tools and settings, and notes those that Gemini lacks.
fn write_rest(out: &mut BytesMut, job: &mut Job<'_>) {
    let request = job.request;
    match &request.safety {
        Some((Family::Gemini, settings)) => emit::raw(out, "safetySettings", settings.as_str()),
        Some(_) => job.losses.drop(Field::Safety),
        None => {}
    }
    emit::text_opt(out, "cachedContent", request.state.cached_content.as_deref());
    match &request.identity.metadata {
        Some(labels) if job.is_own() || job.is_vertex() => emit::raw(out, "labels", labels.as_str()),
        Some(_) => job.losses.drop(Field::Metadata),
        None => {}
    }
    let tier = settings::tier(job);
    emit::text_opt(out, "serviceTier", tier.as_deref());
    let dropped = [
        (request.identity.user.is_some(), Field::User),
        (request.state.store == Some(true), Field::Store),
        (request.state.cache_key.is_some(), Field::CacheKey),
        (request.output.verbosity.is_some(), Field::Verbosity),
        (!request.extra.is_empty() && !job.is_own(), Field::Extra),
    ];
    for (_, field) in dropped.into_iter().filter(|(present, _)| *present) {
        job.losses.drop(field);
    }
    if job.is_own() {
        for (name, value) in &request.extra {
            if !matches!(&**name, "toolConfig" | "generationConfig") {
                emit::item(out);
                push_str(out, name);
                out.extend_from_slice(b":");
                out.extend_from_slice(value.as_str().as_bytes());
            }
        }
    }
}
