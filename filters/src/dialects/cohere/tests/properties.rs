//! What holds for any input.

use proptest::prelude::*;

use super::*;
use crate::{
    conversation::{Piece, Rules, arrange},
    model::{
        CallKind, Field, Losses, Media, MediaClass, MediaSource, OutputFormat, OutputSpec, Part, PartContent, RawJson,
        Role, Sampling, Tool, ToolCall, ToolResult, Turn,
    },
    stream::hidden,
};

/// Pieces of streams, good ones and odd ones, that a stream is put together from.
const DATA: &[&str] = &[
    r#"{"id":"i","type":"message-start","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}}"#,
    r#"{"type":"tool-plan-delta","delta":{"message":{"tool_plan":"I will"}}}"#,
    r#"{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"thinking","thinking":""}}}}"#,
    r#"{"type":"content-delta","index":0,"delta":{"message":{"content":{"thinking":"hm"}}}}"#,
    r#"{"type":"content-delta","index":0,"delta":{"message":{"content":{"thinking":"so"}}},"logprobs":{"text":"so","token_ids":[3],"logprobs":[-3.5]}}"#,
    r#"{"type":"content-end","index":0}"#,
    r#"{"type":"content-start","index":1,"delta":{"message":{"content":{"type":"text","text":""}}}}"#,
    r#"{"type":"content-delta","index":1,"delta":{"message":{"content":{"text":"Grüße "}}}}"#,
    r#"{"type":"content-delta","index":1,"delta":{"message":{"content":{"text":"plain"}}}}"#,
    r#"{"type":"content-delta","index":1,"delta":{"message":{"content":{"text":"a\nb"}}},"logprobs":{"text":"a\nb","token_ids":[1],"logprobs":[-1.5]}}"#,
    r#"{"type":"content-delta","index":1,"delta":{"message":{"content":{"text":""}}},"logprobs":{"text":"c","token_ids":[2],"logprobs":[-2.5]}}"#,
    r#"{"type":"citation-start","index":0,"delta":{"message":{"citations":{"start":0,"end":2,"text":"Gr","sources":[{"type":"tool","id":"x","tool_output":{"content":"y"}}],"type":"TEXT_CONTENT"}}}}"#,
    r#"{"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":{"id":"a","type":"function","function":{"name":"f","arguments":""}}}}}"#,
    r#"{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"{\"a\":"}}}}}"#,
    r#"{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"null"}}}}}"#,
    r#"{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"1"}}}}}"#,
    r#"{"type":"tool-call-start","index":1,"delta":{"message":{"tool_calls":{"id":"b","type":"function","function":{"name":"g","arguments":""}}}}}"#,
    r#"{"type":"tool-call-delta","index":1,"delta":{"message":{"tool_calls":{"function":{"arguments":"{"}}}}}"#,
    r#"{"type":"tool-call-end","index":0}"#,
    r#"{"type":"message-end","delta":{"finish_reason":"COMPLETE","usage":{"tokens":{"input_tokens":3,"output_tokens":4}}}}"#,
    r#"{"type":"message-end","delta":{"finish_reason":"ERROR","error":"no"}}"#,
    r#"{"message":"no"}"#,
    r#"{"type":"debug"}"#,
    "[DONE]",
];

fn framed(data: &[&str]) -> String {
    data.iter().flat_map(|data| ["data: ", data, "\n\n"]).collect()
}

/// Checks the contract of decoders over a stream's events.
fn check(events: &[Event]) {
    let (mut begun, mut open, mut finished) = (Vec::new(), None, false);
    for (at, event) in events.iter().enumerate() {
        match event {
            Event::Start(_) => assert_eq!(at, 0, "the start comes first"),
            Event::PartStart(start) => {
                assert!(!begun.contains(&start.part) && open.is_none(), "a key is used once, and one part is open");
                begun.push(start.part);
                open = Some(start.part);
            }
            Event::Delta { part, .. } => assert_eq!(open, Some(*part), "a delta is for the open part"),
            Event::PartEnd(part) => assert_eq!(open.take(), Some(*part), "a part ends once"),
            Event::Finish { .. } => {
                assert!(
                    !std::mem::replace(&mut finished, true) && open.is_none(),
                    "a finish comes once, after all parts"
                );
            }
            Event::End => assert_eq!(at + 1, events.len(), "nothing follows the end"),
            _ => {}
        }
    }
    assert!(matches!(events.last(), Some(Event::End)), "a stream ends");
}

fn feed_all(bytes: &[u8]) {
    let body = Bytes::copy_from_slice(bytes);
    drop(Cohere.inspect(&CallHead::default(), &body));
    if let Ok(request) = Cohere.decode_request(&CallHead::default(), &body) {
        drop(encode_for("m", &request));
    }
    if let Ok(response) = Cohere.decode_response(&body) {
        let written = Cohere.encode_response(&response, &reply());
        serde_json::from_slice::<Value>(&written).expect("what is written is JSON");
    }
    drop(Cohere.inspect_response(&body));
    assert!(!Cohere.decode_error(500, bytes).message.is_empty());
    let mut events = Vec::new();
    let mut decoder = Cohere.stream_decoder();
    if decoder.feed(body, &mut events).is_ok() && decoder.finish(&mut events).is_ok() {
        told(&written(&events, &reply()));
    }
}

fn word() -> impl Strategy<Value = Str> {
    "[a-zä\"\\\\\n ]{1,8}".prop_map(Str::from)
}

fn said() -> impl Strategy<Value = Part> {
    let media = |class, mime: &'static str, source| {
        let media = Media::new(class, Some(Str::from_static(mime)), source);
        Just(Part::new(PartContent::Media(media)))
    };
    prop_oneof![
        4 => word().prop_map(Part::text),
        1 => media(MediaClass::Image, "image/png", MediaSource::Base64(Str::from_static("iVBORw0KGgo="))),
        1 => media(MediaClass::Document, "text/plain", MediaSource::Text(Str::from_static("a document"))),
    ]
}

/// A person's words, the model's answer with calls of its tools, and their results.
fn exchange() -> impl Strategy<Value = Vec<Turn>> {
    let calls = prop::collection::vec(any::<bool>(), 0..3);
    (prop::collection::vec(said(), 1..4), prop::option::of(word()), calls).prop_map(|(user, text, calls)| {
        let turn = |role, parts| Turn { role, parts, name: None };
        let mut turns = vec![turn(Role::User, user)];
        let id = |at: usize| Str::from(format!("call_{at}"));
        let mut parts: Vec<Part> = text.map(Part::text).into_iter().collect();
        parts.extend((0..calls.len()).map(|at| {
            let call = ToolCall {
                id: id(at),
                name: Str::from_static("f"),
                kind: CallKind::Function,
                args: Str::from_static(r#"{"a":[1]}"#),
            };
            Part::new(PartContent::ToolCall(call))
        }));
        if !parts.is_empty() {
            turns.push(turn(Role::Assistant, parts));
        }
        let results: Vec<Part> = calls
            .iter()
            .enumerate()
            .map(|(at, is_error)| {
                let parts = vec![Part::text("it gave this")];
                Part::new(PartContent::ToolResult(ToolResult {
                    call: id(at),
                    name: None,
                    parts,
                    json: None,
                    is_error: *is_error,
                }))
            })
            .collect();
        if !results.is_empty() {
            turns.push(turn(Role::User, results));
            turns.push(turn(Role::Assistant, vec![Part::text("so")]));
        }
        turns
    })
}

fn as_document(part: &Part) -> Option<&Media> {
    match &part.content {
        PartContent::Media(media) if media.class == MediaClass::Document => Some(media),
        _ => None,
    }
}

/// Whether a turn holds documents alone, which are words then.
fn is_of_documents(turn: &Turn) -> bool {
    turn.parts.iter().all(|part| as_document(part).is_some())
}

/// What a conversation says: who says what, and the documents, which have a place of their own.
fn meaning(turns: &[Turn]) -> (Vec<String>, Vec<String>) {
    let (mut said, mut documents) = (Vec::new(), Vec::new());
    for turn in turns {
        let mut of_turn = Vec::new();
        let alone = is_of_documents(turn);
        for part in &turn.parts {
            match &part.content {
                PartContent::Text(text) => of_turn.push(format!("{:?} {text}", turn.role)),
                PartContent::Media(Media { class: MediaClass::Document, source: MediaSource::Text(text), .. })
                    if alone =>
                {
                    of_turn.push(format!("{:?} {text}", turn.role));
                }
                PartContent::Media(media) if media.class == MediaClass::Document => {
                    documents.push(format!("{:?}", media.source));
                }
                PartContent::Media(media) => of_turn.push(format!("picture {:?}", media.source)),
                PartContent::ToolCall(call) => of_turn.push(format!("{} {} {}", call.id, call.name, call.args)),
                PartContent::ToolResult(result) => of_turn.push(format!("{result:?}")),
                // Words before calls become a plan.
                PartContent::Reasoning(reasoning) => {
                    of_turn.push(format!("{:?} {}", turn.role, reasoning.text.as_deref().unwrap_or_default()));
                }
                other => panic!("unexpected {other:?}"),
            }
        }
        said.extend(of_turn);
    }
    (said, documents)
}

/// Parts with thoughts of one kind that follow each other as one: a plan has no end of its own on the wire.
fn joined(parts: Vec<Part>) -> Vec<Part> {
    let mut all: Vec<Part> = Vec::new();
    for part in parts {
        if let (Some(Part { content: PartContent::Reasoning(last), .. }), PartContent::Reasoning(next)) =
            (all.last_mut(), &part.content)
            && last.opaque == next.opaque
        {
            let text = [&last.text, &next.text].into_iter().flatten().map(|text| &**text).collect::<String>();
            last.text = Some(Str::from(text));
            continue;
        }
        all.push(part);
    }
    all
}

proptest! {
    #[test]
    fn any_stream_keeps_the_contract(picks in prop::collection::vec(prop::sample::select(DATA), 0..24), size in 1usize..40) {
        let stream = framed(&picks);
        let whole = events(&[stream.as_bytes()]);
        check(&whole);
        let slow = hidden(&picks);
        let slow: Vec<&str> = slow.iter().map(String::as_str).collect();
        prop_assert_eq!(&events(&[framed(&slow).as_bytes()]), &whole, "the fast path differs");
        let pieces: Vec<&[u8]> = stream.as_bytes().chunks(size).collect();
        prop_assert_eq!(&events(&pieces), &whole);
        // What is written of it is a legal stream too, and says the same.
        let bytes = written(&whole, &reply());
        told(&bytes);
        let again = events(&[&bytes]);
        check(&again);
        let said = |events: &[Event]| fold(events).ok().map(|response| {
            response.candidates.into_iter().map(|c| (joined(c.parts), c.finish.reason, c.logprobs)).collect::<Vec<_>>()
        });
        prop_assert_eq!(said(&again), said(&whole));
    }

    #[test]
    fn the_fast_path_agrees_with_the_slow_one(texts in prop::collection::vec("[a-zäß\"\\\\\n\t ]{0,8}", 1..12)) {
        let event = |text: &str, blank: &str| {
            let text = serde_json::to_string(text).expect("text");
            format!("event: content-delta\ndata: {blank}{{\"type\":\"content-delta\",\"index\":0,\"delta\":{{\"message\":{{\"content\":{{\"text\":{text}}}}}}}}}\n\n")
        };
        let feed = |stream: String| {
            let mut events = Vec::new();
            Cohere.stream_decoder().feed(Bytes::from(stream), &mut events).expect("the stream is good");
            fold(&events).expect("no error").candidates.into_iter().map(|c| c.parts).collect::<Vec<_>>()
        };
        let fast = feed(texts.iter().map(|text| event(text, "")).collect());
        // Blanks in front, more each time, hide what was learnt.
        let slow = feed(texts.iter().enumerate().map(|(at, text)| event(text, &" ".repeat(at + 1))).collect());
        prop_assert_eq!(fast, slow);
    }

    #[test]
    fn any_conversation_survives_up_to_what_is_told(exchanges in prop::collection::vec(exchange(), 1..4), temperature in prop::option::of((0u32..5).prop_map(|n| f64::from(n) / 4.0)), json in any::<bool>(), tools in any::<bool>()) {
        let tool = Tool::Function {
            name: Str::from_static("f"),
            description: Some(Str::from_static("d")),
            schema: Some(RawJson::from_checked(Str::from_static(r#"{"type":"object","properties":{}}"#))),
            strict: None,
            cache: None,
        };
        let request = Request {
            model: Str::from_static("m"),
            turns: exchanges.into_iter().flatten().collect(),
            tools: tools.then_some(tool).into_iter().collect(),
            output: OutputSpec { format: if json { OutputFormat::JsonObject } else { OutputFormat::Text }, ..OutputSpec::default() },
            sampling: Sampling { temperature, ..Sampling::default() },
            ..Request::default()
        };
        let joined = arrange(&request.turns, Rules { mid_system: true }, &mut Losses::default(), |turn, _| {
            Ok(turn.parts.iter().map(Piece::Part).collect())
        }).expect("it is a conversation");
        let joined: Vec<Turn> = joined.iter().map(|message| Turn {
            role: message.role,
            parts: message.pieces.iter().filter_map(|piece| piece.part().cloned()).collect(),
            name: None,
        }).collect();
        let Ok(encoded) = encode_for("m", &request) else {
            prop_assert!(joined.iter().all(is_of_documents), "what says something can be carried");
            return Ok(());
        };
        let again = Cohere.decode_request(&CallHead::default(), &encoded.body).expect("what is written is read");
        let told = |field| encoded.losses.iter().any(|loss| loss.field == field);
        prop_assert!(encoded.losses.iter().all(|loss| matches!(loss.field, Field::ToolError | Field::Prefill | Field::ResponseFormat | Field::Document)), "{:?}", encoded.losses);
        prop_assert_eq!(told(Field::Document), joined.iter().any(is_of_documents));
        prop_assert_eq!((&again.tools, &again.sampling), (&request.tools, &request.sampling));
        if told(Field::ResponseFormat) {
            prop_assert_eq!(again.system.len(), 1, "it is asked for in words");
        } else {
            prop_assert_eq!(&again.output, &request.output);
        }
        prop_assert_eq!(meaning(&again.turns), meaning(&joined));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        feed_all(&bytes);
    }

    #[test]
    fn any_change_of_a_good_body_is_read_or_refused(pick in prop::sample::select(DATA), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = pick.as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        feed_all(&bytes);
        let mut framed = b"data: ".to_vec();
        framed.extend_from_slice(&bytes);
        framed.extend_from_slice(b"\n\n");
        feed_all(&framed);
    }
}
