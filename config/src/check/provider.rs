//! One provider, checked: the parts of an entry one after the other.

use super::context::At;
use super::params::Params;
use super::secrets::{from_env, secret};
use super::settings::timeout_overrides;
use crate::nearest::expected_one_of;
use crate::raw::{RawAuth, RawAuthParts, RawModelNames, RawPaths, RawProvider};
use crate::secret::Secret;
use crate::types::{Auth, BaseUrl, Face, Kind, ModelNames, Provider};
use crate::{DIALECTS, catalog};

/// Endings of paths whose dialect has another path for streams, and what stands in their place there.
const STREAMED: &[(&str, &str)] = &[
    (GENERATE, ":streamGenerateContent?alt=sse"),
    (":rawPredict", ":streamRawPredict"),
    (CONVERSE, "/converse-stream"),
    ("/invoke", "/invoke-with-response-stream"),
];

/// Stands for a base URL that has a placeholder without a value. Nothing is ever sent there (RFC 6761, 6.4).
const UNFILLED_BASE_URL: &str = "https://unfilled.invalid";

/// Ending of a Gemini path.
const GENERATE: &str = ":generateContent";

/// Ending of a Bedrock path.
const CONVERSE: &str = "/converse";

/// Returns the variable that moves a provider: `OPENAI_EU_BASE_URL` for `openai-eu`.
pub(super) fn base_url_variable(name: &str) -> String {
    let word: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    format!("{word}_BASE_URL")
}

/// Builds a provider from an entry that has all its parts.
pub(super) fn build(at: &At<'_>, name: &str, entry: &str, raw: &RawProvider) -> Option<Provider> {
    let auth = auth(&at.key("auth"), raw.auth.as_ref());
    let (key, key_missing) = key(at, raw, auth.as_ref());
    // A local server takes a key if it has one, and none if it has not.
    let auth = auth.map(|auth| if raw.keyless == Some(true) && key.is_none() { Auth::None } else { auth });
    let params = Params::read(at, raw);
    let base_url = base_url(at, name, raw, &params);
    let paths = filled(at, raw, &params);
    let faces = paths.as_ref().and_then(|paths| faces(at, raw, paths));
    let headers = headers(at, raw, &params);
    params.refuse_unused(catalog::entry(entry));
    let key_header = catalog::key_header(name, raw);
    if !is_header_name(&key_header) {
        at.key("key_header").error(format!("invalid header name `{key_header}`"));
    }
    let quirks = raw.quirks.clone().unwrap_or_default();
    let timeouts = timeout_overrides(at, raw.timeouts.as_ref());
    Some(Provider {
        name: name.to_owned(),
        entry: entry.to_owned(),
        title: raw.title.clone().unwrap_or_else(|| name.to_owned()),
        kind: raw.kind.unwrap_or(Kind::Vendor),
        base_url: base_url?,
        faces: faces?,
        models_path: paths.and_then(|paths| paths.models),
        auth: auth?,
        key,
        key_missing,
        params_missing: params.missing(name, raw),
        key_header,
        headers,
        models: models(raw.models.as_ref()),
        quirks,
        usage_in_stream: raw.usage_in_stream.unwrap_or(true),
        timeouts,
        request_keys: raw.request_keys.unwrap_or(true),
    })
}

/// The file's URL wins over the variables, and a variable over the catalog's.
fn base_url(at: &At<'_>, name: &str, raw: &RawProvider, params: &Params<'_>) -> Option<BaseUrl> {
    let own = base_url_variable(name);
    let written = at.key("base_url");
    let variables = || std::iter::once(&own).chain(raw.base_url_env.iter().flatten());
    let from_env = || variables().find_map(|name| Some((at.var(name)?, format!("`{name}`"))));
    let (text, source) = (!written.is_written())
        .then(from_env)
        .flatten()
        .unwrap_or_else(|| (raw.base_url.clone().unwrap_or_default(), "base url".to_owned()));
    let text = params.base_url(&written, text.trim());
    let text = text.as_deref().unwrap_or(UNFILLED_BASE_URL);
    // The text is not shown: where it is wrong, it may hold a password.
    written.take(BaseUrl::parse(text).map_err(|reason| format!("invalid {source}, {reason}")))
}

/// The entry's paths with their placeholders filled. One that has no value stays: the provider cannot be used then.
fn filled(at: &At<'_>, raw: &RawProvider, params: &Params<'_>) -> Option<RawPaths> {
    let at = at.key("paths");
    let mut paths = raw.paths.clone().unwrap_or_default();
    check_paths(&at, &mut paths)?;
    for (name, path) in named_mut(&mut paths) {
        if let Some(template) = path.as_deref() {
            *path = params.path(&at.key(name), template).or_else(|| path.take());
        }
    }
    Some(paths)
}

fn auth(at: &At<'_>, raw: Option<&RawAuth>) -> Option<Auth> {
    let parts = match raw {
        None | Some(RawAuth::None(_)) => return Some(Auth::None),
        Some(RawAuth::Parts(parts)) => parts,
    };
    match parts {
        RawAuthParts { header: Some(header), scheme, query: None } => {
            if !is_header_name(header) {
                at.key("header").error(format!("invalid header name `{header}`"));
                return None;
            }
            Some(Auth::Header { name: header.to_ascii_lowercase(), scheme: scheme.clone() })
        }
        RawAuthParts { header: None, scheme: None, query: Some(query) } => Some(Auth::Query { name: query.clone() }),
        _ => {
            at.error("expected either `header`, with or without `scheme`, or `query`".to_owned());
            None
        }
    }
}

/// Returns the key, or why there is none though there should be.
fn key(at: &At<'_>, raw: &RawProvider, auth: Option<&Auth>) -> (Option<Secret>, Option<String>) {
    if let Some(written) = &raw.api_key {
        return match secret(&at.key("api_key"), written) {
            Ok(key) => (Some(key), None),
            Err(reason) => (None, Some(reason)),
        };
    }
    let names = raw.env.as_deref().unwrap_or_default();
    if let Some(key) = from_env(at, names) {
        return (Some(key), None);
    }
    let keyless = raw.keyless.unwrap_or(false) || auth.is_none_or(|auth| *auth == Auth::None);
    let missing = names.first().filter(|_| !keyless).map(|name| format!("`{name}` is not set"));
    (None, missing)
}

fn faces(at: &At<'_>, raw: &RawProvider, paths: &RawPaths) -> Option<Vec<Face>> {
    let dialect = raw.dialect.as_deref().unwrap_or_default();
    if !DIALECTS.contains(&dialect) {
        let hint = expected_one_of(dialect, DIALECTS.iter().copied());
        at.key("dialect").error(format!("unknown dialect `{dialect}`{hint}"));
        return None;
    }
    let faces = catalog::faces(dialect, paths).into_iter().map(|(dialect, route_type, path)| {
        let stream_path =
            STREAMED.iter().find_map(|(whole, streamed)| Some(format!("{}{streamed}", path.strip_suffix(whole)?)));
        Face { dialect, route_type: route_type.to_owned(), path, stream_path }
    });
    let faces: Vec<Face> = faces.collect();
    if faces.is_empty() {
        at.key("paths").error(
            "expected one of `chat`, `messages`, `generate_content`, `cohere_chat`, `ollama_chat`, `converse`, `responses`, \
             `completions` or `generate`"
                .to_owned(),
        );
        return None;
    }
    Some(faces)
}

/// The paths by name.
fn named_mut(paths: &mut RawPaths) -> [(&'static str, &mut Option<String>); 12] {
    [
        ("chat", &mut paths.chat),
        ("messages", &mut paths.messages),
        ("generate_content", &mut paths.generate_content),
        ("cohere_chat", &mut paths.cohere_chat),
        ("ollama_chat", &mut paths.ollama_chat),
        ("converse", &mut paths.converse),
        ("responses", &mut paths.responses),
        ("completions", &mut paths.completions),
        ("generate", &mut paths.generate),
        ("count_tokens", &mut paths.count_tokens),
        ("bedrock_count_tokens", &mut paths.bedrock_count_tokens),
        ("models", &mut paths.models),
    ]
}

fn check_paths(at: &At<'_>, paths: &mut RawPaths) -> Option<()> {
    let mut sound = Some(());
    for (name, path) in named_mut(paths) {
        let Some(path) = path else { continue };
        let wrong = |c: char| c.is_whitespace() || c.is_control() || !c.is_ascii() || c == '#';
        if !path.starts_with('/') || path.contains(wrong) {
            at.key(name).error(format!("invalid path `{path}`, expected one that begins with `/`"));
            sound = None;
        } else if name == "generate_content" && !path.ends_with(GENERATE) {
            at.key(name).error(format!("invalid path `{path}`, expected `{GENERATE}` at its end"));
            sound = None;
        } else if name == "converse" && !path.ends_with(CONVERSE) {
            at.key(name).error(format!("invalid path `{path}`, expected `{CONVERSE}` at its end"));
            sound = None;
        }
    }
    sound
}

fn headers(at: &At<'_>, raw: &RawProvider, params: &Params<'_>) -> Vec<(String, String)> {
    let at = at.key("headers");
    let mut headers: Vec<(String, String)> = Vec::new();
    for (name, value) in raw.headers.iter().flat_map(|named| &named.0) {
        if !is_header_name(name) {
            at.key(name).error(format!("invalid header name `{name}`"));
        }
        if !value.bytes().all(|byte| byte == b'\t' || (0x20..0x7f).contains(&byte)) {
            at.key(name).error(format!("header `{name}` holds characters that a header cannot carry"));
        }
        if headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(name)) {
            at.key(name).error(format!("duplicate header `{name}`"));
        }
        let value = params.header(&at.key(name), value).unwrap_or_default();
        headers.push((name.to_ascii_lowercase(), value));
    }
    headers
}

/// Tells whether a text is a `token` of RFC 9110.
fn is_header_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

fn models(raw: Option<&RawModelNames>) -> ModelNames {
    match raw {
        None => ModelNames::default(),
        Some(RawModelNames::Known(known)) => ModelNames { prefixes: Vec::new(), known: known.clone() },
        Some(RawModelNames::Parts(parts)) => ModelNames {
            prefixes: parts.prefixes.clone().unwrap_or_default(),
            known: parts.known.clone().unwrap_or_default(),
        },
    }
}
