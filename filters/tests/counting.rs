//! What holds for all who count.

use bytes::Bytes;
use lockgate_filters::{
    dialects::{
        COUNTERS, CallHead, Dialect, Encoded, Reply, ResponseError, StreamForm, Target, Upstream, encode_request, find,
    },
    model::{ErrorInfo, Part, Request, Response, Role, State, Str, Turn},
    seal::Sealer,
};

fn reply() -> Reply {
    Reply {
        model: Str::from_static("m"),
        id: Str::from_static("id"),
        created: 1,
        form: StreamForm::Sse,
        include_usage: false,
        show_reasoning: false,
        input_estimate: 1,
        sealer: Sealer::new(b"key"),
    }
}

fn encode(counter: &dyn Upstream, request: &Request) -> Result<Encoded, ErrorInfo> {
    let sealer = Sealer::new(b"key");
    encode_request(counter, request, &Target { model: "m", quirks: &[], usage_in_stream: true, sealer: &sealer })
}

#[test]
fn a_count_that_is_written_is_read_again() {
    for counter in COUNTERS {
        let answer = Response { counted: Some(123), ..Response::default() };
        let body = counter.encode_response(&answer, &reply());
        assert_eq!(counter.decode_response(&body).expect("a count").counted, Some(123), "{}", counter.name());
        for other in [&b"{}"[..], b"[]", b"", br#"{"input_tokens":"1","inputTokens":-1,"totalTokens":null}"#] {
            let read = counter.decode_response(&Bytes::from_static(other));
            assert!(matches!(read, Err(ResponseError::Malformed(_))), "{}: {read:?}", counter.name());
        }
    }
}

#[test]
fn each_is_found_by_its_name_and_asks_what_it_can_read() {
    let turn = Turn { role: Role::User, parts: vec![Part::text(Str::from_static("How are you?"))], name: None };
    let request = Request { model: Str::from_static("m"), turns: vec![turn], ..Request::default() };
    for counter in COUNTERS {
        let (name, route_type) = counter.config_name();
        let found = find(name, route_type).and_then(Dialect::upstream).expect("a counter is in the table");
        assert_eq!(found.name(), counter.name());
        let body = encode(*counter, &request).expect("a text can be counted anywhere").body;
        let head = CallHead { model: Some("m"), ..CallHead::default() };
        assert_eq!(counter.inspect(&head, &body).expect("it is the counter's own").model, "m", "{}", counter.name());
        let read = counter.decode_request(&head, &body).expect("it is the counter's own");
        let expected = Request { origin: Some(counter.origin()), ..request.clone() };
        assert_eq!((read.turns, read.origin), (expected.turns, expected.origin), "{}", counter.name());
    }
}

#[test]
fn what_a_vendor_stores_is_counted_by_that_vendor() {
    let state = State { previous: Some(Str::from_static("resp_1")), ..State::default() };
    let request = Request { model: Str::from_static("m"), state, ..Request::default() };
    for counter in COUNTERS {
        let refused = encode(*counter, &request).expect_err("there is no origin");
        assert_eq!(refused.code.as_deref(), Some("unsupported_parameter"), "{}", counter.name());
        let own = Request { origin: Some(counter.origin()), ..request.clone() };
        let code = encode(*counter, &own).err().and_then(|error| error.code);
        assert_eq!(code, None, "{}", counter.name());
    }
}
