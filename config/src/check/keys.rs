//! Gateway keys.
//!
//! Unlike a provider's, a gateway key that cannot be read is a mistake: were it left out, a gateway might be open.

use std::time::SystemTime;

use super::context::At;
use super::secrets::secret;
use super::settings::globs;
use crate::raw::RawKey;
use crate::types::{Key, KeyMaterial};
use crate::units;

/// Shorter keys can be guessed.
const SHORT_KEY: usize = 16;

pub(super) fn check(at: &At<'_>, raw: Option<&[RawKey]>) -> Vec<Key> {
    let mut keys: Vec<Key> = Vec::new();
    for (index, raw) in raw.unwrap_or_default().iter().enumerate() {
        let at = at.item(index);
        let key = key(&at, raw);
        if keys.iter().any(|other| other.name == raw.name) {
            at.key("name").error(format!("duplicate key name `{}`", raw.name));
        }
        let Some(key) = key else { continue };
        if let Some(other) = keys.iter().find(|other| other.material == key.material) {
            at.error(format!("key `{}` is the same as key `{}`", key.name, other.name));
        }
        keys.push(key);
    }
    keys
}

fn key(at: &At<'_>, raw: &RawKey) -> Option<Key> {
    if raw.name.trim().is_empty() {
        at.key("name").error("expected a name".to_owned());
    }
    let material = material(at, raw);
    if raw.path.as_ref().is_some_and(|path| !path.starts_with('/')) {
        at.key("path").error("invalid owner path, expected `/` at its beginning".to_owned());
    }
    for (index, pattern) in raw.routes.iter().flatten().enumerate() {
        if !pattern.starts_with(['/', '*']) {
            let message = format!("invalid path pattern `{pattern}`, expected `/` at its beginning");
            at.key("routes").item(index).error(message);
        }
    }
    let expires = raw.expires.as_ref().and_then(|text| at.key("expires").take(units::time(text)));
    if expires.is_some_and(|end| end <= SystemTime::now()) {
        at.key("expires").warn(format!("key `{}` has expired", raw.name));
    }
    Some(Key {
        name: raw.name.clone(),
        material: material?,
        path: raw.path.clone(),
        labels: raw.labels.clone().unwrap_or_default().0,
        models: globs(raw.models.as_deref()),
        routes: globs(raw.routes.as_deref()),
        expires,
    })
}

fn material(at: &At<'_>, raw: &RawKey) -> Option<KeyMaterial> {
    match (&raw.key, &raw.hash) {
        (Some(key), None) => {
            let at = at.key("key");
            let key =
                at.take(secret(&at, key).map_err(|reason| format!("key `{}` cannot be read, {reason}", raw.name)))?;
            if key.expose().len() < SHORT_KEY {
                at.warn(format!("key `{}` is shorter than {SHORT_KEY} characters", raw.name));
            }
            Some(KeyMaterial::Plain(key))
        }
        (None, Some(hash)) => {
            let digest = digest(hash);
            if digest.is_none() {
                at.key("hash").error("invalid hash, expected `sha256:` and 64 hexadecimal digits".to_owned());
            }
            digest.map(KeyMaterial::Sha256)
        }
        _ => {
            at.error(format!("key `{}` needs either `key` or `hash`", raw.name));
            None
        }
    }
}

fn digest(text: &str) -> Option<[u8; 32]> {
    let hex = text.strip_prefix("sha256:")?.as_bytes();
    let (pairs, []) = hex.as_chunks::<2>() else { return None };
    let mut digest = [0; 32];
    if pairs.len() != digest.len() {
        return None;
    }
    for (byte, [high, low]) in digest.iter_mut().zip(pairs) {
        let value = char::from(*high).to_digit(16)? * 16 + char::from(*low).to_digit(16)?;
        *byte = u8::try_from(value).ok()?;
    }
    Some(digest)
}
