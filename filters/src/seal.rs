//! The envelope that carries one vendor's opaque state through another vendor's field.
//!
//! A client of dialect A that talks to an upstream of dialect B gets B's signatures in A's slots. They are sealed, so
//! that on their way back the gateway tells them from A's own, knows whose they are, and can trust that nobody wrote
//! them but itself. Layout, base64 (standard alphabet, because clients validate it):
//! `LG1` · family (1 byte) · kind (1 byte) · id length (2 bytes, big endian) · id · data · HMAC-SHA256 cut to 16 bytes.

use base64::{
    Engine,
    alphabet::{STANDARD as STANDARD_ALPHABET, URL_SAFE as URL_SAFE_ALPHABET},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};
use hmac::{Hmac, Mac};
use memchr::memmem;
use sha2::Sha256;

use crate::model::{Family, Opaque, OpaqueKind, Str};

/// How envelopes are read. Clients that take the field for bytes may write it again in the other alphabet, or without
/// padding.
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const LENIENT_STANDARD: GeneralPurpose = GeneralPurpose::new(&STANDARD_ALPHABET, LENIENT);
const LENIENT_URL_SAFE: GeneralPurpose = GeneralPurpose::new(&URL_SAFE_ALPHABET, LENIENT);

const MAGIC: &[u8] = b"LG1";
const MAGIC_BASE64: &str = "TEcx";
const TAG_BYTES: usize = 16;
const HEAD_BYTES: usize = MAGIC.len() + 4;

/// Seals and opens envelopes with one key.
#[derive(Clone)]
pub struct Sealer {
    mac: Hmac<Sha256>,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer")
    }
}

impl Sealer {
    /// A sealer with a key of any length; 32 random bytes are best.
    pub fn new(key: &[u8]) -> Self {
        // HMAC takes keys of any length (RFC 2104), so the error cannot happen; a fixed block stands in for it.
        let mac = <Hmac<Sha256> as Mac>::new_from_slice(key)
            .unwrap_or_else(|_| <Hmac<Sha256> as Mac>::new(&hmac::digest::Key::<Hmac<Sha256>>::default()));
        Self { mac }
    }

    /// The same key for one tenant alone: what it seals opens for nobody else.
    #[must_use]
    pub fn bound_to(&self, tenant: &str) -> Self {
        let length = (tenant.len() as u64).to_be_bytes();
        Self { mac: self.mac.clone().chain_update(length).chain_update(tenant) }
    }

    /// A piece of state out of its envelope, or as it is if it came without one. `None` for an envelope that this key
    /// did not seal (another tenant's, or from before the key changed): nobody can use it.
    pub fn unwrap(&self, opaque: &Opaque) -> Option<Opaque> {
        if looks_sealed(&opaque.data) { self.open(&opaque.data) } else { Some(opaque.clone()) }
    }

    /// The envelope of a piece of opaque state.
    pub fn seal(&self, opaque: &Opaque) -> Str {
        let id = opaque.id.as_deref().unwrap_or_default().as_bytes();
        let id = &id[..id.len().min(usize::from(u16::MAX))];
        let mut bytes = Vec::with_capacity(HEAD_BYTES + id.len() + opaque.data.len() + TAG_BYTES);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&[family_code(opaque.family), kind_code(opaque.kind)]);
        bytes.extend_from_slice(&u16::try_from(id.len()).unwrap_or(u16::MAX).to_be_bytes());
        bytes.extend_from_slice(id);
        bytes.extend_from_slice(opaque.data.as_bytes());
        let tag = self.mac.clone().chain_update(&bytes).finalize().into_bytes();
        bytes.extend_from_slice(&tag[..TAG_BYTES]);
        Str::from(STANDARD.encode(bytes))
    }

    /// The state in `text`, if it is an envelope that this key sealed.
    pub fn open(&self, text: &str) -> Option<Opaque> {
        if !looks_sealed(text) {
            return None;
        }
        let engine = if text.contains(['-', '_']) { &LENIENT_URL_SAFE } else { &LENIENT_STANDARD };
        let bytes = engine.decode(text).ok()?;
        let (body, tag) = bytes.split_at_checked(bytes.len().checked_sub(TAG_BYTES)?)?;
        self.mac.clone().chain_update(body).verify_truncated_left(tag).ok()?;
        let (head, rest) = body.split_at_checked(HEAD_BYTES)?;
        let [family, kind, high, low] = *head.strip_prefix(MAGIC)? else { return None };
        let (id, data) = rest.split_at_checked(usize::from(u16::from_be_bytes([high, low])))?;
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok().map(Str::from);
        let id = text(id)?;
        Some(Opaque {
            family: family_of(family)?,
            kind: kind_of(kind)?,
            model: None,
            id: (!id.is_empty()).then_some(id),
            data: text(data)?,
        })
    }
}

/// Whether a piece of state begins as all envelopes do: the base64 of the magic is fixed, and no vendor's own state
/// begins so.
fn looks_sealed(text: &str) -> bool {
    text.starts_with(MAGIC_BASE64)
}

/// Whether a body of JSON may hold envelopes: one that does must not go to an upstream as it is, because no vendor
/// takes another's state. Scans the body once, for a string that begins as envelopes do.
pub fn may_hold_envelope(body: &[u8]) -> bool {
    static FINDER: std::sync::LazyLock<memmem::Finder<'static>> =
        std::sync::LazyLock::new(|| memmem::Finder::new(b"\"TEcx"));
    FINDER.find(body).is_some()
}

const FAMILIES: [Family; 6] =
    [Family::OpenAi, Family::Anthropic, Family::Gemini, Family::Bedrock, Family::Cohere, Family::Ollama];
const KINDS: [OpaqueKind; 4] =
    [OpaqueKind::Signature, OpaqueKind::Encrypted, OpaqueKind::Redacted, OpaqueKind::ThoughtSignature];

fn family_code(family: Family) -> u8 {
    FAMILIES.iter().position(|known| *known == family).and_then(|at| u8::try_from(at).ok()).unwrap_or(u8::MAX)
}

fn family_of(code: u8) -> Option<Family> {
    FAMILIES.get(usize::from(code)).copied()
}

fn kind_code(kind: OpaqueKind) -> u8 {
    KINDS.iter().position(|known| *known == kind).and_then(|at| u8::try_from(at).ok()).unwrap_or(u8::MAX)
}

fn kind_of(code: u8) -> Option<OpaqueKind> {
    KINDS.get(usize::from(code)).copied()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn opaque(data: String, id: Option<String>) -> Opaque {
        Opaque {
            family: Family::Gemini,
            kind: OpaqueKind::ThoughtSignature,
            model: None,
            id: id.filter(|id| !id.is_empty()).map(Str::from),
            data: Str::from(data),
        }
    }

    #[test]
    fn another_key_or_a_changed_byte_opens_nothing() {
        let sealed = Sealer::new(b"a").seal(&opaque("state".to_owned(), None)).to_string();
        assert!(Sealer::new(b"b").open(&sealed).is_none());
        let changed = sealed.replacen('c', "d", 1);
        assert!(changed == sealed || Sealer::new(b"a").open(&changed).is_none());
        assert!(Sealer::new(b"a").open("EqQBCkYIBxgCKkA").is_none());
    }

    #[test]
    fn envelopes_are_one_tenants() {
        let sealer = Sealer::new(b"key");
        let sealed = sealer.bound_to("a").seal(&opaque("state".to_owned(), None));
        assert!(sealer.bound_to("a").open(&sealed).is_some());
        assert!(sealer.bound_to("b").open(&sealed).is_none());
        assert!(sealer.open(&sealed).is_none());
        // Text and tenant do not run into each other.
        assert!(Sealer::new(b"key").bound_to("").open(&sealed).is_none());
        let state = Opaque { data: sealed.clone(), ..opaque(String::new(), None) };
        assert!(sealer.bound_to("b").unwrap(&state).is_none(), "another tenant's envelope is no state");
        let own = opaque("EqQBCkYIBxgCKkA".to_owned(), None);
        assert_eq!(sealer.unwrap(&own), Some(own), "a vendor's own state stays");
        assert!(may_hold_envelope(format!(r#"{{"signature":"{sealed}"}}"#).as_bytes()));
        assert!(!may_hold_envelope(br#"{"data":"AAATEcxAAA"}"#));
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens(data in ".*", id in proptest::option::of("[a-z0-9_]{0,40}")) {
            let state = opaque(data, id);
            let sealer = Sealer::new(b"key");
            let sealed = sealer.seal(&state);
            let written_again = sealed.replace('+', "-").replace('/', "_");
            prop_assert_eq!(sealer.open(written_again.trim_end_matches('=')), Some(state.clone()));
            prop_assert_eq!(sealer.open(&sealed), Some(state));
        }

        #[test]
        fn any_text_is_refused_without_panic(text in "TEcx[A-Za-z0-9+/=]{0,80}") {
            prop_assert_eq!(Sealer::new(b"key").open(&text), None);
        }
    }
}
