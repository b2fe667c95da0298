//! What the fuzz targets have in common: how an input is read.

use bytes::Bytes;
use lockgate_filters::{
    dialects::{CallHead, Reply, StreamForm, Target, Upstream, upstreams},
    model::Str,
    seal::Sealer,
};

/// The dialect that an input's first byte picks (`a` the first of the table, `b` the second ...), and the rest.
pub fn pick(input: &[u8]) -> Option<(&'static dyn Upstream, &[u8])> {
    let (first, rest) = input.split_first()?;
    let count = upstreams().count();
    Some((upstreams().nth(usize::from(first.wrapping_sub(b'a')) % count)?, rest))
}

/// The chunks of an input whose first line says how long they are, a byte each; the last is what is left.
pub fn chunks(input: &[u8]) -> (Vec<Bytes>, &[u8]) {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let (lengths, whole) = input.split_at(end);
    let whole = whole.get(1..).unwrap_or_default();
    let mut rest = Bytes::copy_from_slice(whole);
    let mut chunks: Vec<Bytes> = Vec::new();
    for length in lengths {
        chunks.push(rest.split_to(usize::from(*length).min(rest.len())));
    }
    chunks.push(rest);
    (chunks, whole)
}

/// A head of a call that suits every dialect.
pub const HEAD: CallHead<'static> = CallHead { model: Some("m"), verb: Some("generateContent"), query: None };

/// The key of all envelopes.
pub fn sealer() -> Sealer {
    Sealer::new(b"a key for fuzzing")
}

/// Calls `run` with targets that differ in what their model and their quirks allow.
pub fn targets(run: impl Fn(&Target<'_>)) {
    let sealer = sealer();
    for model in ["claude-sonnet-4-5", "gemini-3-flash", "gpt-5", "o3", "amazon.nova-pro-v1:0", "unknown"] {
        run(&Target { model, quirks: &[], usage_in_stream: true, sealer: &sealer });
    }
}

/// How answers are written.
pub fn reply(form: StreamForm) -> Reply {
    Reply {
        model: Str::from_static("m"),
        id: Str::from_static("id"),
        created: 1,
        form,
        include_usage: true,
        show_reasoning: true,
        input_estimate: 1,
        sealer: sealer(),
    }
}

/// Panics if `body` is not JSON.
pub fn assert_json(body: &[u8], what: &str) {
    if let Err(error) = serde_json::from_slice::<&serde_json::value::RawValue>(body) {
        panic!("{what} is not JSON: {error}: {}", String::from_utf8_lossy(body));
    }
}
