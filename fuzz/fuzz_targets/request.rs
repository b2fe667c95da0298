//! Requests: what decodes is written as JSON for every dialect or refused; edits in place leave JSON.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use lockgate_filters::{
    dialects::{DIALECTS, Dialect, Target, encode_request, upstreams},
    json,
    model::Str,
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
            for quirk in dialect.quirks() {
                let quirks = [quirk.name.to_owned()];
                let odd = Target { quirks: &quirks, ..*target };
                let mut headers = vec![("anthropic-beta", Str::from_static("compact-1,other"))];
                let edited = json::apply(&body, &mut dialect.edits(&body, &inspection, &odd, &mut headers));
                if is_json {
                    assert_json(&edited, quirk.name);
                }
            }
        });
    }
    // What only clients speak is read whichever dialect the first byte picks.
    let of_clients = DIALECTS.iter().copied().filter(|dialect| dialect.upstream().is_none());
    for from in of_clients.chain([dialect as &dyn Dialect]) {
        let Ok(request) = from.decode_request(&HEAD, &body) else { continue };
        for to in upstreams() {
            targets(|target| {
                let Ok(encoded) = encode_request(to, &request, target) else { return };
                assert_json(&encoded.body, to.name());
            });
        }
    }
});
