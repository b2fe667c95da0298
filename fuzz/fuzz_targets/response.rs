//! Whole responses and error bodies: nothing panics, and what is written is JSON, or events of it.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use lockgate_filters::dialects::{DIALECTS, StreamForm};
use lockgate_fuzz::{assert_answer, assert_json, pick, reply};

fuzz_target!(|input: &[u8]| {
    let Some((dialect, body)) = pick(input) else { return };
    let body = Bytes::copy_from_slice(body);
    dialect.inspect_response(&body);
    let error = dialect.decode_error(400, &body);
    let response = dialect.decode_response(&body);
    for to in DIALECTS {
        assert_json(&to.encode_error(&error, "request-1"), "an error");
        let Ok(response) = &response else { continue };
        let written = to.encode_response(response, &reply(StreamForm::Sse));
        assert_answer(*to, &written);
    }
});
