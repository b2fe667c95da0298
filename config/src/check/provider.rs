//! One provider, checked: the parts of an entry one after the other.

use super::context::At;
use super::params::Params;
use super::secrets::{from_env, secret};
use super::settings::timeout_overrides;
use crate::nearest::{expected_one_of, one_of};
use crate::raw::{PathKind, RawAuth, RawAuthParts, RawModelNames, RawPaths, RawProvider, Spoken};
use crate::secret::Secret;
use crate::types::{Auth, BaseUrl, Face, Kind, ModelNames, Operation, Provider};
use crate::{DIALECTS, catalog};

/// Endings of paths whose dialect has another path for streams, and what stands in their place there.
const STREAMED: &[(&str, &str)] = &[
    (":generateContent", ":streamGenerateContent?alt=sse"),
    (":rawPredict", ":streamRawPredict"),
    ("/converse", "/converse-stream"),
    ("/invoke", "/invoke-with-response-stream"),
];

/// Stands for a base URL that has a placeholder without a value. Nothing is ever sent there (RFC 6761, 6.4).
const UNFILLED_BASE_URL: &str = "https://unfilled.invalid";

/// Returns the variable that moves a provider: `OPENAI_EU_BASE_URL` for `openai-eu`.
pub(super) fn base_url_variable(name: &str) -> String {
    let word: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    format!("{word}_BASE_URL")
}

/// Builds a provider from an entry that has all its parts, those of `base` included.
pub(super) fn build(
    at: &At<'_>,
    name: &str,
    entry: &str,
    raw: &RawProvider,
    base: Option<&RawProvider>,
) -> Option<Provider> {
    let auth = auth(&at.key("auth"), raw.auth.as_ref());
    let (key, key_missing) = key(at, raw, auth.as_ref());
    // A local server takes a key if it has one, and none if it has not.
    let auth = auth.map(|auth| if raw.keyless == Some(true) && key.is_none() { Auth::None } else { auth });
    let params = Params::read(at, raw);
    let (base_url, moved) = base_url(at, name, raw, &params).unzip();
    let paths = filled(at, raw, &params, moved.unwrap_or(false));
    let faces = paths.as_ref().and_then(|paths| faces(at, raw, paths));
    let headers = headers(at, raw, &params);
    params.refuse_unused(base);
    let key_header = catalog::key_header(name, raw);
    if !is_header_name(&key_header) {
        at.key("key_header").error(format!("invalid header name `{key_header}`"));
    }
    let quirks = raw.quirks.clone().unwrap_or_default();
    let timeouts = timeout_overrides(at, raw.timeouts.as_ref());
    Some(Provider {
        name: name.to_owned(),
        entry: entry.to_owned(),
        aliases: aliases(at, raw),
        title: raw.title.clone().unwrap_or_else(|| name.to_owned()),
        kind: raw.kind.unwrap_or(Kind::Vendor),
        base_url: base_url?,
        faces: faces?,
        operations: paths.as_ref().map(operations).unwrap_or_default(),
        models_path: paths.and_then(|paths| paths.get("models").map(str::to_owned)),
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

fn aliases(at: &At<'_>, raw: &RawProvider) -> Vec<String> {
    let aliases = raw.aliases.clone().unwrap_or_default();
    for alias in aliases.iter().filter(|alias| !is_name(alias)) {
        at.key("aliases").error(format!("invalid provider name `{alias}`, expected letters, digits, `-`, `_` and `.`"));
    }
    aliases
}

/// Tells whether a text can stand before the slash in `provider/model`.
pub(super) fn is_name(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.bytes().all(inner)
}

/// The file's URL or region wins over the variables, and a variable over the catalog's. Says too whether it is another than
/// the catalog's.
fn base_url(at: &At<'_>, name: &str, raw: &RawProvider, params: &Params<'_>) -> Option<(BaseUrl, bool)> {
    let own = base_url_variable(name);
    let written = at.key("base_url");
    let variables = || std::iter::once(&own).chain(raw.base_url_env.iter().flatten());
    let from_env = || variables().find_map(|name| Some((at.var(name)?, format!("`{name}`"))));
    let from_file = written.is_written().then(|| (raw.base_url.clone().unwrap_or_default(), "base url".to_owned()));
    let region = region(at, raw);
    let moved = from_file.or(region).or_else(from_env);
    let is_moved = moved.is_some();
    let (text, source) = moved.unwrap_or_else(|| (raw.base_url.clone().unwrap_or_default(), "base url".to_owned()));
    let text = params.base_url(&written, text.trim());
    let text = text.as_deref().unwrap_or(UNFILLED_BASE_URL);
    // The text is not shown: where it is wrong, it may hold a password.
    let url = written.take(BaseUrl::parse(text).map_err(|reason| format!("invalid {source}, {reason}")));
    Some((url?, is_moved))
}

/// The base URL of the region that the file names.
fn region(at: &At<'_>, raw: &RawProvider) -> Option<(String, String)> {
    let name = raw.region.as_deref()?;
    let at_region = at.key("region");
    if at.key("base_url").is_written() {
        at_region.error("`base_url` and `region` both say where the provider is, expected one of them".to_owned());
        return None;
    }
    let regions = raw.regions.as_ref().map(|regions| regions.0.as_slice()).unwrap_or_default();
    let Some((_, url)) = regions.iter().find(|(other, _)| other == name) else {
        let known: Vec<&str> = regions.iter().map(|(name, _)| name.as_str()).collect();
        let hint =
            if known.is_empty() { ", this provider has no `regions`".to_owned() } else { expected_one_of(name, known) };
        at_region.error(format!("unknown region `{name}`{hint}"));
        return None;
    };
    Some((url.clone(), format!("base url of region `{name}`")))
}

/// The entry's paths with their placeholders filled. One that has no value stays: the provider cannot be used then.
///
/// Where the operator has moved the provider, an endpoint that the catalog knows at another host is taken to have moved
/// along: nothing goes to a host that somebody meant to keep away from.
fn filled(at: &At<'_>, raw: &RawProvider, params: &Params<'_>, moved: bool) -> Option<RawPaths> {
    let at = at.key("paths");
    let mut paths = raw.paths.clone().unwrap_or_default();
    let mut sound = true;
    for (kind, path) in paths.iter_mut() {
        let at = at.key(kind.name);
        if let Err(reason) = check_path(kind, path) {
            at.error(format!("invalid path `{path}`, {reason}"));
            sound = false;
            continue;
        }
        if let Some(filled) = params.path(&at, path) {
            *path = filled;
        }
        if moved && !at.is_written() {
            *path = origin_and_path(path).1.to_owned();
        }
    }
    sound.then_some(paths)
}

/// Takes a whole URL apart behind its host; a path has no host.
fn origin_and_path(path: &str) -> (Option<&str>, &str) {
    let Some(scheme) = path.find("://").filter(|_| !path.starts_with('/')) else { return (None, path) };
    let host = scheme + 3;
    let end = path.get(host..).and_then(|rest| rest.find('/')).map_or(path.len(), |slash| host + slash);
    path.split_at_checked(end).map_or((None, path), |(origin, path)| (Some(origin), path))
}

fn auth(at: &At<'_>, raw: Option<&RawAuth>) -> Option<Auth> {
    let parts = match raw {
        None | Some(RawAuth::None(_)) => return Some(Auth::None),
        Some(RawAuth::Parts(parts)) => parts,
    };
    match parts {
        RawAuthParts { header: Some(header), scheme, prefix, query: None } => {
            if !is_header_name(header) {
                at.key("header").error(format!("invalid header name `{header}`"));
                return None;
            }
            Some(Auth::Header { name: header.to_ascii_lowercase(), scheme: scheme.clone(), prefix: prefix.clone() })
        }
        RawAuthParts { header: None, scheme: None, prefix: None, query: Some(query) } => {
            Some(Auth::Query { name: query.clone() })
        }
        _ => {
            at.error("expected either `header`, with or without `scheme` and `prefix`, or `query`".to_owned());
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
    if let Some(dialect) = &raw.dialect
        && !DIALECTS.contains(&dialect.as_str())
    {
        let hint = expected_one_of(dialect, DIALECTS.iter().copied());
        at.key("dialect").error(format!("unknown dialect `{dialect}`{hint}"));
        return None;
    }
    if let (None, Some((kind, _))) = (&raw.dialect, paths.iter().find(|(kind, _)| kind.spoken == Spoken::Own)) {
        let dialects = one_of(DIALECTS.iter().copied());
        at.error(format!("missing key `dialect`, `paths.{}` is spoken in it, expected {dialects}", kind.name));
        return None;
    }
    let faces = catalog::faces(dialect, paths).into_iter().map(|(dialect, route_type, path)| {
        let (base, path) = placed(&path);
        let stream_path =
            STREAMED.iter().find_map(|(whole, streamed)| Some(format!("{}{streamed}", path.strip_suffix(whole)?)));
        Face { dialect, route_type: route_type.to_owned(), base, path, stream_path }
    });
    Some(faces.collect())
}

fn operations(paths: &RawPaths) -> Vec<Operation> {
    let operations = paths.iter().filter(|(kind, _)| kind.is_operation()).map(|(kind, path)| {
        let (base, path) = placed(path);
        Operation { name: kind.name, route_type: kind.route_type, base, path }
    });
    operations.collect()
}

/// Tells a checked path's host from the path below it.
fn placed(path: &str) -> (Option<BaseUrl>, String) {
    let (origin, path) = origin_and_path(path);
    (origin.and_then(|origin| BaseUrl::parse(origin).ok()), path.to_owned())
}

fn check_path(kind: &PathKind, path: &str) -> Result<(), String> {
    let (origin, below) = origin_and_path(path);
    if let Some(origin) = origin {
        // A placeholder in a host would need other care than one in a path.
        BaseUrl::parse(origin).map_err(|reason| format!("as a whole URL, {reason}"))?;
    }
    let wrong = |c: char| c.is_whitespace() || c.is_control() || !c.is_ascii() || c == '#';
    if !below.starts_with('/') || below.contains(wrong) {
        return Err("expected one that begins with `/`".to_owned());
    }
    if !below.ends_with(kind.ending) {
        return Err(format!("expected `{}` at its end", kind.ending));
    }
    Ok(())
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
