//! Requests: what decodes is written as JSON for every dialect or refused; edits in place leave JSON.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use lockgate_filters::{
    dialects::{encode_request, upstreams},
    json,
};
use lockgate_fuzz::{HEAD, assert_json, pick, targets};

fuzz_target!(|input: &[u8]| {
    let Some((dialect, body)) = pick(input) else { return };
    let body = Bytes::copy_from_slice(body);
    let is_json = serde_json::from_slice::<serde_json::Value>(&body).is_ok();
    if let Ok(inspection) = dialect.inspect(&HEAD, &body) {
        targets(|target| {
            let edited = json::apply(&body, &mut dialect.splices(&inspection, target));
            if is_json {
                assert_json(&edited, "an edited request");
            }
        });
    }
    let Ok(request) = dialect.decode_request(&HEAD, &body) else { return };
    for to in upstreams() {
        targets(|target| {
            let Ok(encoded) = encode_request(to, &request, target) else { return };
            assert_json(&encoded.body, to.name());
        });
    }
});
