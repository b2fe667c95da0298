//! Frames become the events that the vendor would have sent, whatever the cut.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{eventstream::push_frame, model::ErrorClass};

fn frame(headers: &[(&str, &str)], payload: &str) -> Bytes {
    let mut out = BytesMut::new();
    push_frame(&mut out, headers, |out| out.extend_from_slice(payload.as_bytes()));
    out.freeze()
}

fn event(name: &str, payload: &str) -> Bytes {
    frame(&[(EVENT_TYPE, name), (":content-type", "application/json"), (MESSAGE_TYPE, "event")], payload)
}

fn exception(name: &str, payload: &str) -> Bytes {
    frame(&[(":exception-type", name), (":content-type", "application/json"), (MESSAGE_TYPE, "exception")], payload)
}

/// A vendor's event as the service carries it.
fn carried(said: &str) -> Bytes {
    event("chunk", &json!({"bytes": BASE64.encode(said), "p": "abcdefghijk"}).to_string())
}

/// What is left of a stream, and how it failed, if it did.
fn unframed<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> (String, Option<ResponseError>) {
    let mut reader = BedrockInvoke.unframe();
    let mut out = BytesMut::new();
    let mut chunks = chunks.into_iter();
    let failed = chunks.find_map(|chunk| reader.feed(Bytes::copy_from_slice(chunk), &mut out).err());
    (String::from_utf8(out.to_vec()).expect("the events are text"), failed)
}

fn sse(frames: &[Bytes]) -> String {
    let (text, failed) = unframed([&frames.concat()[..]]);
    assert_eq!(failed, None);
    text
}

#[test]
fn events_get_their_names_back() {
    for (said, expected) in [
        (r#"{"type":"message_stop"}"#, "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"),
        (
            r#"{ "x":{"type":"no"}, "type" : "ping" }"#,
            "event: ping\ndata: { \"x\":{\"type\":\"no\"}, \"type\" : \"ping\" }\n\n",
        ),
        (r#"{"type":"p\u0069ng"}"#, "event: ping\ndata: {\"type\":\"p\\u0069ng\"}\n\n"),
        (r#"{"type":"a.b-c"}"#, "event: a.b-c\ndata: {\"type\":\"a.b-c\"}\n\n"),
        // What has no name, or none that may stand in a line, has none here either.
        (r#"{"completion":"é"}"#, "data: {\"completion\":\"é\"}\n\n"),
        (r#"{"type":"a\nid: 1"}"#, "data: {\"type\":\"a\\nid: 1\"}\n\n"),
        (r#"{"type":7}"#, "data: {\"type\":7}\n\n"),
        ("no JSON", "data: no JSON\n\n"),
    ] {
        assert_eq!(sse(&[carried(said)]), expected);
    }
}

#[test]
fn an_event_stays_on_its_line() {
    let pretty = "{\r\n  \"type\": \"ping\",\n\n  \"x\": \"a\\nb\"\n}\n";
    assert_eq!(sse(&[carried(pretty)]), "event: ping\ndata: {    \"type\": \"ping\",    \"x\": \"a\\nb\" } \n\n");
}

#[test]
fn what_carries_nothing_says_nothing() {
    let frames = [
        event("initial-response", "{}"),
        event("chunk", "{}"),
        event("chunk", r#"{"bytes":""}"#),
        event("chunk", r#"{"bytes":null,"p":"x"}"#),
        event("new", "not even JSON"),
        frame(&[], ""),
        // Escaped, unpadded.
        event("chunk", r#"{"p":"x","bytes":"\u0065w"}"#),
    ];
    assert_eq!(sse(&frames), "data: {\n\n");
}

#[test]
fn an_exception_comes_behind_what_was_said_and_keeps_its_sort() {
    for (name, class) in [
        ("throttlingException", ErrorClass::RateLimit),
        ("serviceUnavailableException", ErrorClass::Overloaded),
        ("modelStreamErrorException", ErrorClass::Upstream),
        ("modelTimeoutException", ErrorClass::Timeout),
        ("validationException", ErrorClass::InvalidRequest),
        ("newException", ErrorClass::Upstream),
    ] {
        let said = carried(r#"{"type":"ping"}"#);
        let stream = [said.clone(), exception(name, r#"{"message":"slow down"}"#), said].concat();
        let (text, failed) = unframed([&stream[..]]);
        assert_eq!(text, "event: ping\ndata: {\"type\":\"ping\"}\n\n");
        let Some(ResponseError::Upstream(told)) = failed else { panic!("{name} must be told: {failed:?}") };
        assert_eq!((told.class, &*told.message), (class, "slow down"), "{name}");
    }
    let transport = frame(&[(MESSAGE_TYPE, "error"), (":error-code", "500"), (":error-message", "gone")], "");
    let Some(ResponseError::Upstream(told)) = unframed([&transport[..]]).1 else { panic!("it must be told") };
    assert_eq!(&*told.message, "gone");
}

#[test]
fn what_is_not_the_hosts_is_an_error() {
    let mut flipped = carried("{}").to_vec();
    flipped[90] ^= 1;
    for (bad, why) in [
        (event("chunk", "[]").to_vec(), "a payload is an object"),
        (event("chunk", r#"{"bytes":"%%"}"#).to_vec(), "base64"),
        (event("chunk", r#"{"bytes":7}"#).to_vec(), "text"),
        (flipped, "a checksum"),
        (b"event: ping\ndata: {}\n\n".to_vec(), "a frame"),
    ] {
        let (text, failed) = unframed([&bad[..]]);
        assert!(matches!(failed, Some(ResponseError::Malformed(_))), "{why}: {failed:?}");
        assert_eq!(text, "", "{why}");
    }
}

#[test]
fn errors_of_the_front_door_have_their_class() {
    for (status, message, class) in [
        (424, "The model failed.", ErrorClass::Upstream),
        (429, "Too many requests.", ErrorClass::RateLimit),
        (400, "The provided model identifier is invalid.", ErrorClass::ModelNotFound),
        (400, "Input is too long for requested model.", ErrorClass::ContextTooLong),
        (403, "Not for you.", ErrorClass::Permission),
    ] {
        let error = BedrockInvoke.decode_error(status, json!({ "message": message }).to_string().as_bytes());
        assert_eq!((error.class, &*error.message), (class, message));
    }
}

proptest! {
    #[test]
    fn any_cut_says_the_same(
        said in prop::collection::vec(r#"[a-z"\\é😀{} \n]{0,12}"#, 1..6),
        ends_badly: bool,
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let events: Vec<String> = said.iter().map(|text| json!({"type": "word", "text": text}).to_string()).collect();
        let mut frames: Vec<Bytes> = events.iter().map(|event| carried(event)).collect();
        if ends_badly {
            frames.push(exception("throttlingException", r#"{"message":"slow down"}"#));
        }
        let stream = frames.concat();
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        at.extend([0, stream.len()]);
        at.sort_unstable();
        let (text, failed) = unframed(at.windows(2).map(|pair| &stream[pair[0]..pair[1]]));
        prop_assert_eq!(failed.is_some(), ends_badly);
        let expected: Vec<String> = events.iter().map(|event| format!("event: word\ndata: {event}\n\n")).collect();
        prop_assert_eq!(text, expected.concat());
    }
}
