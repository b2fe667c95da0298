//! Envelopes: any text is refused without a panic, what was sealed opens to itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lockgate_filters::model::{Family, Opaque, OpaqueKind, Str};

fuzz_target!(|text: &str| {
    let sealer = lockgate_fuzz::sealer();
    assert_eq!(sealer.open(text), None, "nobody but the gateway seals");
    let (id, data) = text.split_once('\n').unwrap_or(("", text));
    let state = Opaque {
        family: Family::Gemini,
        kind: OpaqueKind::Encrypted,
        model: None,
        id: (!id.is_empty()).then(|| Str::from(id)),
        data: Str::from(data),
    };
    assert_eq!(sealer.open(&sealer.seal(&state)), Some(state));
});
