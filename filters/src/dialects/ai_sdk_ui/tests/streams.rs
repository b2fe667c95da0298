//! Streams, fact by fact.

use serde_json::{Value, json};

use super::{super::AiSdkUi, args, call, end, finish, reader, reader::Read, reply, sealer, start, text, written};
use crate::{
    dialects::{Dialect, Reply, StreamForm},
    model::{
        CallKind, Candidate, Citation, Delta, ErrorClass, ErrorInfo, Event, Family, Finish, FinishReason, Media,
        MediaClass, MediaSource, Opaque, OpaqueKind, Part, PartContent, PartKey, PartKind, PartStart, RawJson,
        Response, ServerCall, ServerResult, Start, Str, ToolCall, Usage,
    },
};

fn read(events: &[Event]) -> Read {
    reader::read(&written(events, &reply()))
}

fn opaque(family: Family, kind: OpaqueKind, data: &'static str) -> Opaque {
    Opaque { family, kind, model: None, id: None, data: Str::from_static(data) }
}

fn state(part: u32, opaque: Opaque) -> Event {
    Event::Delta { part: PartKey(part), delta: Delta::Opaque(Box::new(opaque)) }
}

fn raw(text: &'static str) -> RawJson {
    RawJson::parse(Str::from_static(text)).expect("the test writes JSON")
}

fn whole(part: u32, content: PartContent) -> Event {
    start(part, PartKind::Whole(Part::new(content)))
}

#[test]
fn the_order_of_chunks_is_the_protocols() {
    let start_event = Start { model: Str::from_static("m-1"), ..Start::default() };
    let usage =
        Usage { input_uncached: 5, input_cache_read: 4, output_visible: 3, output_reasoning: 2, ..Usage::default() };
    let stream = written(
        &[
            Event::Start(Box::new(start_event)),
            start(0, PartKind::Text),
            text(0, "Grü\n"),
            text(0, "ße"),
            end(0),
            finish(FinishReason::Stop),
            Event::Usage(Box::new(usage)),
            Event::End,
        ],
        &Reply { created: 1_767_225_600, ..reply() },
    );
    let expected = [
        r#"data: {"type":"start"}"#,
        r#"data: {"type":"start-step"}"#,
        r#"data: {"type":"text-start","id":"0"}"#,
        r#"data: {"type":"text-delta","id":"0","delta":"Grü\n"}"#,
        r#"data: {"type":"text-delta","id":"0","delta":"ße"}"#,
        r#"data: {"type":"text-end","id":"0"}"#,
        r#"data: {"type":"finish-step"}"#,
        concat!(
            r#"data: {"type":"finish","finishReason":"stop","messageMetadata":{"model":"client-model","#,
            r#""timestamp":"2026-01-01T00:00:00Z","usage":{"inputTokens":9,"outputTokens":5,"totalTokens":14,"#,
            r#""reasoningTokens":2,"cachedInputTokens":4,"promptTokens":9,"completionTokens":5}}}"#
        ),
        "data: [DONE]",
        "",
    ];
    assert_eq!(stream.split("\n\n").collect::<Vec<_>>(), expected);
}

#[test]
fn interleaved_calls_keep_their_input() {
    let message = read(&[
        call(0),
        args(0, "{\"a\""),
        call(1),
        args(1, "{\"b\""),
        args(0, ":1}"),
        args(1, ":2}"),
        end(1),
        end(0),
        finish(FinishReason::Stop),
        Event::End,
    ]);
    let inputs: Vec<_> = message.said().iter().map(|part| part["input"].clone()).collect();
    assert_eq!(inputs, [json!({"a":1}), json!({"b":2})]);
    assert_eq!(message.finish.as_deref(), Some("tool-calls"));
}

/// Pitfall 19: a call without arguments poisons the history if its input is an empty string.
#[test]
fn a_call_without_arguments_has_an_empty_object() {
    let message = read(&[call(0), end(0), call(1), args(1, "  "), end(1), finish(FinishReason::Stop), Event::End]);
    for part in message.said() {
        assert_eq!((&part["input"], &part["state"]), (&json!({}), &json!("input-available")));
    }
}

#[test]
fn input_that_is_no_json_is_an_error_of_the_call() {
    let message = read(&[call(0), args(0, "{\"a\":"), end(0), finish(FinishReason::Stop), Event::End]);
    assert_eq!(message.said()[0]["state"], "output-error");
    assert_eq!(message.said()[0]["rawInput"], "{\"a\":");
}

#[test]
fn free_text_input_is_marked_as_such() {
    let kind = PartKind::ToolCall(ToolCall {
        id: Str::from_static("c"),
        name: Str::from_static("f"),
        kind: CallKind::Custom,
        args: Str::new(),
    });
    let events = [start(0, kind), args(0, "SELECT 1"), end(0), finish(FinishReason::Stop), Event::End];
    assert!(written(&events, &reply()).contains(r#""inputEncoding":"text""#));
    assert_eq!(read(&events).said()[0]["input"], "SELECT 1");
}

/// Pitfall 30: only a stop is overridden. The client fails on words that it does not know.
#[test]
fn finish_reasons_are_the_clients_words() {
    for (reason, calls, word) in [
        (FinishReason::Stop, false, "stop"),
        (FinishReason::Stop, true, "tool-calls"),
        (FinishReason::ToolCalls, false, "stop"),
        (FinishReason::StopSequence, false, "stop"),
        (FinishReason::Length, true, "length"),
        (FinishReason::ContextFull, false, "length"),
        (FinishReason::ContentFilter, true, "content-filter"),
        (FinishReason::Refusal, false, "content-filter"),
        (FinishReason::Pause, false, "stop"),
        (FinishReason::BadToolCall, false, "error"),
        (FinishReason::Other, false, "other"),
    ] {
        let mut events = if calls { vec![call(0), end(0)] } else { Vec::new() };
        events.extend([finish(reason), Event::End]);
        assert_eq!(read(&events).finish.as_deref(), Some(word), "{reason:?}");
    }
    let refused = read(&[start(0, PartKind::Refusal), text(0, "No."), end(0), finish(FinishReason::Stop), Event::End]);
    assert_eq!((refused.finish.as_deref(), &refused.said()[0]["text"]), (Some("content-filter"), &json!("No.")));
}

#[test]
fn each_vendors_state_is_where_its_package_keeps_it() {
    let mut encrypted = opaque(Family::OpenAi, OpaqueKind::Encrypted, "enc");
    encrypted.id = Some(Str::from_static("rs_1"));
    for (state_of, expected) in [
        (opaque(Family::Anthropic, OpaqueKind::Signature, "sig"), json!({"anthropic": {"signature": "sig"}})),
        (opaque(Family::Gemini, OpaqueKind::ThoughtSignature, "sig"), json!({"google": {"thoughtSignature": "sig"}})),
        (opaque(Family::Bedrock, OpaqueKind::Signature, "sig"), json!({"bedrock": {"signature": "sig"}})),
        (encrypted, json!({"openai": {"itemId": "rs_1", "reasoningEncryptedContent": "enc"}})),
    ] {
        let message = read(&[
            start(0, PartKind::Reasoning),
            text(0, "hm"),
            state(0, state_of),
            end(0),
            finish(FinishReason::Stop),
            Event::End,
        ]);
        assert_eq!(message.said()[0]["providerMetadata"], expected);
    }
    let redacted = opaque(Family::Anthropic, OpaqueKind::Redacted, "data");
    let message = read(&[start(0, PartKind::Redacted(redacted)), end(0), finish(FinishReason::Stop), Event::End]);
    assert_eq!(message.said()[0]["providerMetadata"], json!({"anthropic": {"redactedData": "data"}}));
    assert_eq!(message.said()[0]["text"], "");
}

/// Pitfall 44: what has no place of its own travels in an envelope that only this gateway takes back.
#[test]
fn state_without_a_place_travels_sealed() {
    let message = read(&[
        call(0),
        state(0, opaque(Family::Gemini, OpaqueKind::ThoughtSignature, "one")),
        state(0, opaque(Family::Gemini, OpaqueKind::ThoughtSignature, "two")),
        state(0, opaque(Family::Cohere, OpaqueKind::Signature, "three")),
        end(0),
        finish(FinishReason::Stop),
        Event::End,
    ]);
    let metadata = &message.said()[0]["callProviderMetadata"];
    assert_eq!(metadata["google"]["thoughtSignature"], "one");
    let sealed: Vec<_> = metadata["lockgate"]["sealed"].as_array().expect("a list").iter().collect();
    let opened = sealed.iter().map(|envelope| sealer().open(envelope.as_str().expect("text")).expect("our own"));
    assert_eq!(opened.map(|state| state.data.to_string()).collect::<Vec<_>>(), ["two", "three"]);
}

#[test]
fn hidden_thinking_leaves_only_its_state() {
    let events = [
        start(0, PartKind::Reasoning),
        text(0, "secret"),
        state(0, opaque(Family::Anthropic, OpaqueKind::Signature, "sig")),
        end(0),
        finish(FinishReason::Stop),
        Event::End,
    ];
    let stream = written(&events, &Reply { show_reasoning: false, ..reply() });
    assert!(!stream.contains("secret") && stream.contains("sig"));
    reader::read(&stream);
}

#[test]
fn sources_are_named_once() {
    let cited = |url: Option<&'static str>, title: &'static str| {
        let citation = Citation {
            span: None,
            url: url.map(Str::from_static),
            title: Some(Str::from_static(title)),
            quoted: None,
            raw: Some((Family::Anthropic, raw(r#"{"type":"x","encrypted_index":"i"}"#))),
        };
        Event::Delta { part: PartKey(0), delta: Delta::Citation(Box::new(citation)) }
    };
    let message = read(&[
        start(0, PartKind::Text),
        text(0, "It is so."),
        cited(Some("https://a.example"), "A"),
        cited(Some("https://a.example"), "A"),
        cited(None, "A book"),
        end(0),
        finish(FinishReason::Stop),
        Event::End,
    ]);
    let said = message.said();
    let kinds: Vec<_> = said.iter().map(|part| part["type"].as_str().expect("a type")).collect();
    assert_eq!(kinds, ["text", "source-url", "source-document"]);
    assert_eq!((&said[1]["url"], &said[2]["title"]), (&json!("https://a.example"), &json!("A book")));
    assert_eq!(said[0]["providerMetadata"]["anthropic"]["citations"].as_array().map(Vec::len), Some(3));
}

#[test]
fn the_providers_own_tools_are_dynamic_and_answered() {
    let server_call = ServerCall {
        id: Str::from_static("s1"),
        tool: Str::from_static("web_search"),
        input: raw(r#"{"query":"x"}"#),
        family: Family::Anthropic,
    };
    let result = |id: &'static str| ServerResult {
        id: Str::from_static(id),
        tool: Str::from_static("web_search"),
        output: raw(r#"{"type":"web_search_tool_result"}"#),
        family: Family::Anthropic,
    };
    let message = read(&[
        whole(0, PartContent::ServerCall(server_call)),
        end(0),
        whole(1, PartContent::ServerResult(result("s1"))),
        end(1),
        whole(2, PartContent::ServerResult(result("lost"))),
        end(2),
        finish(FinishReason::Stop),
        Event::End,
    ]);
    assert_eq!(message.finish.as_deref(), Some("stop"), "the client has nothing to run");
    let said = message.said();
    assert_eq!(said.len(), 2, "a result without its call brings one along");
    assert_eq!((&said[0]["type"], &said[0]["state"]), (&json!("dynamic-tool"), &json!("output-available")));
    assert_eq!(said[0]["resultProviderMetadata"], json!({"lockgate": {"family": "anthropic"}}));
}

#[test]
fn files_are_data_urls() {
    let image = Media::new(MediaClass::Image, None, MediaSource::Base64(Str::from_static("aGk=")));
    let there = Media::new(
        MediaClass::Image,
        Some(Str::from_static("image/webp")),
        MediaSource::Url(Str::from_static("https://a.example/x")),
    );
    let message = read(&[
        whole(0, PartContent::Media(image)),
        end(0),
        whole(1, PartContent::Media(there)),
        end(1),
        finish(FinishReason::Stop),
        Event::End,
    ]);
    let urls: Vec<_> = message.said().iter().map(|part| (part["url"].clone(), part["mediaType"].clone())).collect();
    assert_eq!(urls[0], (json!("data:image/png;base64,aGk="), json!("image/png")));
    assert_eq!(urls[1], (json!("https://a.example/x"), json!("image/webp")));
}

/// Pitfalls 5 and 6: a stream that fails ends in the client's own way, and the error is no content.
#[test]
fn an_error_ends_the_stream_and_leaves_parts_open() {
    let error = || Event::Error(Box::new(ErrorInfo::new(ErrorClass::Upstream, "the upstream broke off")));
    let message = read(&[start(0, PartKind::Text), text(0, "half"), error(), Event::End, text(0, "more")]);
    assert_eq!((message.error.as_deref(), message.finish), (Some("the upstream broke off"), None));
    let stream = written(&[error(), Event::End], &reply());
    assert_eq!(stream, "data: {\"type\":\"error\",\"errorText\":\"the upstream broke off\"}\n\ndata: [DONE]\n\n");
}

#[test]
fn other_answers_than_the_first_are_left_out() {
    let second = PartStart { candidate: 1, part: PartKey(1), kind: PartKind::Text };
    let message = read(&[
        start(0, PartKind::Text),
        text(0, "first"),
        Event::PartStart(Box::new(second)),
        text(1, "second"),
        Event::Finish { candidate: 1, finish: Box::new(Finish::new(FinishReason::Length)) },
        finish(FinishReason::Stop),
        Event::End,
    ]);
    let said: Vec<Value> = message.said().into_iter().map(|part| part["text"].clone()).collect();
    assert_eq!((said, message.finish.as_deref()), (vec![json!("first")], Some("stop")));
}

/// Pitfall 11 is about other clients; this one takes comments, and nothing that is no chunk.
#[test]
fn a_silent_stream_is_kept_alive_by_comments() {
    assert_eq!(AiSdkUi.keepalive(StreamForm::Sse), b": ka\n\n");
    assert_eq!(written(&[Event::Ping], &reply()), "");
    assert_eq!(AiSdkUi.answer_headers(true), [("x-vercel-ai-ui-message-stream", "v1")]);
}

#[test]
fn a_whole_answer_is_a_stream_in_one_piece() {
    let candidate = Candidate {
        index: 0,
        parts: vec![Part::text("hello")],
        finish: Finish { raw: Some(Str::from_static("end_turn")), ..Finish::new(FinishReason::Stop) },
        logprobs: None,
    };
    let response = Response { candidates: vec![candidate], ..Response::default() };
    let bytes = AiSdkUi.encode_response(&response, &reply());
    let message = reader::read(std::str::from_utf8(&bytes).expect("UTF-8"));
    assert_eq!(message.said()[0]["text"], "hello");
    assert_eq!(message.metadata["rawFinishReason"], "end_turn");
}

#[test]
fn an_unnamed_model_is_named_by_who_served() {
    let start_event = Start { model: Str::from_static("served"), ..Start::default() };
    let events = [Event::Start(Box::new(start_event)), finish(FinishReason::Stop), Event::End];
    let stream = written(&events, &Reply { model: Str::new(), ..reply() });
    assert_eq!(reader::read(&stream).metadata["model"], "served");
}
