//! What holds for any input.

use proptest::prelude::*;

use super::*;
use crate::{
    model::{
        CallKind, Field, Media, MediaClass, MediaSource, OutputFormat, Part, PartContent, RawJson, Role, Sampling,
        Tool, ToolCall, ToolResult, Turn,
    },
    stream::hidden,
};

/// Pieces of streams, good ones and odd ones, that a stream is put together from.
const LINES: &[&str] = &[
    r#"{"model":"m","created_at":"2024-05-24T20:26:46.29Z","message":{"role":"assistant","content":"Grüße "},"done":false}"#,
    r#"{"model":"m","created_at":"2024-05-24T20:26:46.3Z","message":{"role":"assistant","content":"plain"},"done":false}"#,
    r#"{"model":"m","created_at":"2024-05-24T20:26:46.31Z","message":{"role":"assistant","content":"a\nb"},"done":false}"#,
    r#"{"model":"m","created_at":"","message":{"role":"assistant","content":"","thinking":"hm"},"done":false}"#,
    r#"{"model":"m","created_at":"x","message":{"role":"assistant","content":"y","thinking":"x"},"done":false}"#,
    r#"{"model":"m","message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"f","arguments":{"a":1}}}]},"done":false}"#,
    r#"{"model":"m","message":{"role":"assistant","content":"z","tool_calls":[{"id":"b","function":{"name":"g"}}]},"done":false}"#,
    r#"{"model":"m","message":{"role":"assistant","content":"t"},"logprobs":[{"token":"t","logprob":-1}],"done":false}"#,
    r#"{"model":"m","response":"generated","done":false}"#,
    r#"{"model":"m","message":{"content":""},"done":true,"done_reason":"stop","prompt_eval_count":3,"eval_count":4}"#,
    r#"{"error":"no"}"#,
    "",
    "{}",
];

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

fn feed_all(dialect: &dyn Upstream, bytes: &[u8]) {
    let body = Bytes::copy_from_slice(bytes);
    drop(dialect.inspect(&CallHead::default(), &body));
    if let Ok(request) = dialect.decode_request(&CallHead::default(), &body) {
        drop(encode_with(&Ollama, &request, &[]));
        drop(encode_with(&OllamaGenerate, &request, &[]));
    }
    if let Ok(response) = dialect.decode_response(&body) {
        let written = dialect.encode_response(&response, &reply());
        serde_json::from_slice::<Value>(&written).expect("what is written is JSON");
    }
    drop(dialect.inspect_response(&body));
    assert!(!dialect.decode_error(500, bytes).message.is_empty());
    let mut events = Vec::new();
    let mut decoder = dialect.stream_decoder();
    if decoder.feed(body, &mut events).is_ok() {
        drop(decoder.finish(&mut events));
    }
    lines(&written(dialect, &events, &reply()));
}

fn word() -> impl Strategy<Value = Str> {
    "[a-zä\"\\\\\n ]{1,8}".prop_map(Str::from)
}

fn said() -> impl Strategy<Value = Part> {
    prop_oneof![
        word().prop_map(Part::text),
        Just(Part::new(PartContent::Media(Media::new(
            MediaClass::Image,
            Some(Str::from_static("image/png")),
            MediaSource::Base64(Str::from_static("iVBORw0KGgo="))
        )))),
    ]
}

/// A person's words, the model's answer with calls of its tools, and their results.
fn exchange() -> impl Strategy<Value = Vec<Turn>> {
    let calls = prop::collection::vec((word(), any::<bool>()), 0..3);
    (prop::collection::vec(said(), 1..3), prop::option::of(word()), calls).prop_map(|(user, text, calls)| {
        let turn = |role, parts| Turn { role, parts, name: None };
        let mut turns = vec![turn(Role::User, user)];
        let id = |at: usize| Str::from(format!("call_{at}"));
        let mut parts: Vec<Part> = text.map(Part::text).into_iter().collect();
        parts.extend(calls.iter().enumerate().map(|(at, (name, _))| {
            let call = ToolCall {
                id: id(at),
                name: name.clone(),
                kind: CallKind::Function,
                args: Str::from_static(r#"{"a":[1]}"#),
            };
            Part::new(PartContent::ToolCall(call))
        }));
        if !parts.is_empty() {
            turns.push(turn(Role::Assistant, parts));
        }
        let results = calls.iter().enumerate().map(|(at, (name, is_error))| {
            let parts = vec![Part::text("it gave this")];
            let result = ToolResult { call: id(at), name: Some(name.clone()), parts, json: None, is_error: *is_error };
            Part::new(PartContent::ToolResult(result))
        });
        let results: Vec<Part> = results.collect();
        if !results.is_empty() {
            turns.push(turn(Role::User, results));
            turns.push(turn(Role::Assistant, vec![Part::text("so")]));
        }
        turns
    })
}

/// What a conversation says, without what the wire joins: who, and in what order of kinds.
fn meaning(turns: &[Turn]) -> Vec<String> {
    let mut said: Vec<(String, String)> = Vec::new();
    for turn in turns {
        let (mut pictures, mut texts) = (Vec::new(), Vec::new());
        for part in &turn.parts {
            let (who, what) = match &part.content {
                PartContent::Text(text) => {
                    texts.push(text.to_string());
                    continue;
                }
                PartContent::Media(media) => {
                    pictures.push(format!("{:?}", media.source));
                    continue;
                }
                PartContent::ToolCall(call) => ("call".to_owned(), format!("{} {} {}", call.id, call.name, call.args)),
                PartContent::ToolResult(result) => {
                    let text: Vec<_> = result.parts.iter().filter_map(Part::as_text).collect();
                    ("result".to_owned(), format!("{} {:?}", result.call, text))
                }
                other => panic!("unexpected {other:?}"),
            };
            said.push((who, what));
        }
        let joined = if turn.role == Role::Assistant { texts.concat() } else { texts.join("\n") };
        said.extend(pictures.into_iter().map(|picture| (format!("{:?}", turn.role), picture)));
        said.push((format!("{:?}", turn.role), joined));
    }
    // Neighbours of one speaker become one message.
    let mut all: Vec<String> = Vec::new();
    for (who, what) in said.into_iter().filter(|(_, what)| !what.is_empty()) {
        all.push(format!("{who}: {what}"));
    }
    all
}

proptest! {
    #[test]
    fn any_stream_keeps_the_contract(picks in prop::collection::vec(prop::sample::select(LINES), 0..14), size in 1usize..40) {
        let stream = picks.join("\n");
        let whole = events(&[stream.as_bytes()]);
        check(&whole);
        prop_assert_eq!(&events(&[hidden(&picks).join("\n").as_bytes()]), &whole, "the fast path differs");
        let pieces: Vec<&[u8]> = stream.as_bytes().chunks(size).collect();
        prop_assert_eq!(&events(&pieces), &whole);
        // What is written of it is a legal stream too, and says the same.
        for dialect in [&Ollama as &dyn Dialect, &OllamaGenerate] {
            let again = events(&[&written(dialect, &whole, &reply())]);
            check(&again);
            let said = |events: &[Event]| fold(events).ok().map(|response| {
                response.candidates.into_iter().map(|c| (c.parts, c.finish.reason, c.logprobs)).collect::<Vec<_>>()
            });
            let failed = whole.iter().any(|event| matches!(event, Event::Error(_)));
            prop_assert_eq!(failed, again.iter().any(|event| matches!(event, Event::Error(_))));
            // Ids of calls are made of the first line's time where the wire has none, and are kept from then on.
            prop_assert_eq!(said(&again), said(&whole));
        }
    }

    #[test]
    fn the_fast_path_agrees_with_the_slow_one(texts in prop::collection::vec("[a-zäß\"\\\\\n\t ]{0,8}", 1..12), times in prop::collection::vec("[0-9:Z]{0,5}", 12)) {
        let line = |text: &str, time: &str| format!(
            "{{\"model\":\"m\",\"created_at\":\"{time}\",\"message\":{{\"role\":\"assistant\",\"content\":{}}},\"done\":false}}\n",
            serde_json::to_string(text).expect("text")
        );
        let feed = |lines: Vec<String>| {
            let mut decoder = Ollama.stream_decoder();
            let mut events = Vec::new();
            for line in lines {
                decoder.feed(Bytes::from(line), &mut events).expect("the stream is good");
            }
            fold(&events).expect("no error").candidates
        };
        let fast = feed(texts.iter().zip(&times).map(|(text, time)| line(text, time)).collect());
        // A blank before the object hides what was learnt.
        let slow = feed(texts.iter().enumerate().map(|(at, text)| " ".repeat(at + 1) + &line(text, "")).collect());
        let text = |candidates: Vec<crate::model::Candidate>| candidates.into_iter().map(|c| c.parts).collect::<Vec<_>>();
        prop_assert_eq!(text(fast), text(slow));
    }

    #[test]
    fn any_conversation_survives_up_to_what_is_told(exchanges in prop::collection::vec(exchange(), 1..4), temperature in prop::option::of((0u32..8).prop_map(|n| f64::from(n) / 4.0)), json in any::<bool>()) {
        let request = Request {
            model: Str::from_static("m"),
            turns: exchanges.into_iter().flatten().collect(),
            tools: vec![Tool::Function {
                name: Str::from_static("f"),
                description: Some(Str::from_static("d")),
                schema: Some(RawJson::from_checked(Str::from_static(r#"{"type":"object","properties":{}}"#))),
                strict: None,
                cache: None,
            }],
            output: crate::model::OutputSpec { format: if json { OutputFormat::JsonObject } else { OutputFormat::Text }, ..Default::default() },
            sampling: Sampling { temperature, ..Sampling::default() },
            ..Request::default()
        };
        let encoded = encode_with(&Ollama, &request, &[]).expect("it can be carried");
        let again = Ollama.decode_request(&CallHead::default(), &encoded.body).expect("what is written is read");
        let told = |field| encoded.losses.iter().any(|loss| loss.field == field);
        let failed = request.turns.iter().flat_map(|turn| &turn.parts).any(|part| matches!(&part.content, PartContent::ToolResult(r) if r.is_error));
        prop_assert_eq!(told(Field::ToolError), failed);
        prop_assert_eq!(encoded.losses.iter().filter(|loss| !matches!(loss.field, Field::ToolError | Field::Prefill | Field::Image)).count(), 0);
        let meaning = |turns: &[Turn]| meaning(turns).join("|").replace("ERROR: ", "");
        let joined = crate::conversation::arrange(&request.turns, crate::conversation::Rules { mid_system: true }, &mut crate::model::Losses::default(), |turn, _| {
            Ok(turn.parts.iter().map(crate::conversation::Piece::Part).collect())
        }).expect("it is a conversation");
        let joined: Vec<Turn> = joined.iter().map(|message| Turn {
            role: message.role,
            parts: message.pieces.iter().filter_map(|piece| piece.part().cloned()).collect(),
            name: None,
        }).collect();
        // Where among the words a picture stood is lost.
        let shows_first = joined.iter().any(|turn| {
            turn.parts.iter().skip_while(|part| !matches!(part.content, PartContent::Media(_))).any(|part| part.as_text().is_some())
        });
        prop_assert_eq!(told(Field::Image), shows_first);
        prop_assert_eq!(meaning(&again.turns), meaning(&joined));
        prop_assert_eq!((&again.tools, &again.sampling, &again.output), (&request.tools, &request.sampling, &request.output));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        feed_all(&Ollama, &bytes);
        feed_all(&OllamaGenerate, &bytes);
    }

    #[test]
    fn any_change_of_a_good_body_is_read_or_refused(pick in prop::sample::select(LINES), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = pick.as_bytes().to_vec();
        if !bytes.is_empty() {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.push(b'\n');
        feed_all(&Ollama, &bytes);
    }
}
