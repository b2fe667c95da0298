//! What holds for any bytes, any cut, any stream and any conversation.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{
    dialects::TapSpec,
    model::{
        CachePoint, Delta, Family, Media, MediaClass, MediaSource, Opaque, OpaqueKind, Reasoning, Tool, ToolChoice,
    },
};

/// Streams of text, thinking and calls, with padding and odd texts.
fn streams() -> impl Strategy<Value = Vec<(&'static str, Value)>> {
    let said = prop_oneof![".{0,6}", "[a-z \"\\\\\u{1}]{0,4}"];
    let block = (prop::collection::vec(said, 0..5), prop::sample::select(vec!["text", "thinking", "call", "redacted"]));
    prop::collection::vec(block, 0..5).prop_map(|blocks| {
        let mut events = vec![("messageStart", json!({"p": "ab", "role": "assistant"}))];
        for (index, (pieces, kind)) in blocks.into_iter().enumerate() {
            if kind == "call" {
                let start = json!({"toolUse": {"toolUseId": format!("t{index}"), "name": "f"}});
                events.push(("contentBlockStart", json!({"contentBlockIndex": index, "start": start})));
            }
            for piece in pieces {
                let delta = match kind {
                    "text" => json!({"text": piece}),
                    "thinking" => json!({"reasoningContent": {"text": piece}}),
                    "redacted" => json!({"reasoningContent": {"redactedContent": "c2VjcmV0"}}),
                    _ => json!({"toolUse": {"input": piece}}),
                };
                events.push(("contentBlockDelta", json!({"contentBlockIndex": index, "delta": delta, "p": "abcd"})));
            }
            events.push(("contentBlockStop", json!({"contentBlockIndex": index})));
        }
        events.push(("messageStop", json!({"stopReason": "end_turn"})));
        events.push(("metadata", json!({"usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3}})));
        events
    })
}

/// What the events say, with adjacent pieces of a part joined.
fn summary(events: Vec<Event>) -> Vec<Event> {
    let mut joined: Vec<Event> = Vec::new();
    for event in events {
        if let (
            Some(Event::Delta { part: of, delta: Delta::Text(before) }),
            Event::Delta { part, delta: Delta::Text(text) },
        ) = (joined.last_mut(), &event)
            && of == part
        {
            *before = Str::from(format!("{before}{text}"));
            continue;
        }
        joined.push(event);
    }
    joined
}

fn opaque(data: &str) -> Vec<Opaque> {
    vec![Opaque { family: Family::Bedrock, kind: OpaqueKind::Signature, model: None, id: None, data: Str::from(data) }]
}

fn cached(part: Part, cache: bool) -> Part {
    Part { cache: cache.then(|| CachePoint { ttl: Some(Str::from_static("1h")) }), ..part }
}

fn user_part() -> impl Strategy<Value = Part> {
    let image = Media::new(
        MediaClass::Image,
        Some(Str::from_static("image/png")),
        MediaSource::Base64(Str::from_static("iVBO")),
    );
    let document = |name: String| {
        let source = MediaSource::Text(Str::from_static("words"));
        let mut media = Media::new(MediaClass::Document, Some(Str::from_static("text/plain")), source);
        media.name = Some(Str::from(name));
        media
    };
    let part = prop_oneof![
        "[a-z]{1,4}".prop_map(Part::text),
        Just(Part::new(PartContent::Media(image))),
        "[a-c]{1,2}".prop_map(move |name| Part::new(PartContent::Media(document(name)))),
    ];
    (part, prop::bool::weighted(0.1)).prop_map(|(part, cache)| cached(part, cache))
}

/// A turn of each speaker: what the user says, what the model answers, and the results of what it called.
fn exchange() -> impl Strategy<Value = (Vec<Part>, Vec<Part>, usize)> {
    let assistant = prop_oneof![
        "[a-z]{1,4}".prop_map(Part::text),
        "[a-z]{1,4}".prop_map(|text| Part::new(PartContent::Reasoning(Reasoning {
            text: Some(Str::from(text)),
            redacted: false,
            opaque: opaque("c2ln"),
        }))),
    ];
    (prop::collection::vec(user_part(), 1..4), prop::collection::vec(assistant, 1..3), 0usize..3)
}

/// A conversation that needs no repair.
fn conversations() -> impl Strategy<Value = Request> {
    let choice = prop::sample::select(vec![
        ToolChoice::Unset,
        ToolChoice::Auto,
        ToolChoice::Required,
        ToolChoice::Named(Str::from_static("f")),
    ]);
    (prop::collection::vec(exchange(), 1..4), choice, any::<bool>(), 0u64..3).prop_map(
        |(exchanges, choice, temper, most)| {
            let mut turns: Vec<Turn> = Vec::new();
            let mut results: Vec<Part> = Vec::new();
            for (at, (said, mut answered, calls)) in exchanges.into_iter().enumerate() {
                let mut user = std::mem::take(&mut results);
                user.push(Part::text("listen"));
                user.extend(said);
                turns.push(turn(Role::User, user));
                for n in 0..calls {
                    let id = format!("t{at}.{n}");
                    answered.push(call(&id, &format!("{{\"n\":{n}}}")));
                    results.push(result(&id, "done"));
                }
                turns.push(turn(Role::Assistant, answered));
            }
            results.push(Part::text("go on"));
            turns.push(turn(Role::User, results));
            let mut request = asking(turns);
            request.model = Str::from_static("unknown");
            request.origin = Some("bedrock_converse");
            let schema = Some(crate::model::RawJson::from_value(&json!({"type": "object"})));
            request.tools = vec![Tool::Function {
                name: Str::from_static("f"),
                description: None,
                schema,
                strict: None,
                cache: None,
            }];
            request.tool_choice = choice;
            request.sampling.temperature = temper.then_some(0.5);
            request.limits.max_output = (most > 0).then_some(most);
            request
        },
    )
}

/// Whether speakers alternate, every call is answered at once, and names of documents differ.
fn is_legal(body: &Value) -> bool {
    let messages = body["messages"].as_array().expect("messages");
    let blocks = |at: usize| messages[at]["content"].as_array().expect("content");
    let ids = |at: usize, kind: &str| -> Vec<String> {
        blocks(at).iter().filter_map(|block| Some(block.get(kind)?["toolUseId"].to_string())).collect()
    };
    let alternate = messages.windows(2).all(|pair| pair[0]["role"] != pair[1]["role"]);
    let paired = (0..messages.len()).all(|at| {
        let calls = at.checked_sub(1).map(|before| ids(before, "toolUse")).unwrap_or_default();
        let results = ids(at, "toolResult");
        let first = blocks(at).iter().take(calls.len()).all(|block| block.get("toolResult").is_some());
        results == calls && first
    });
    let filled = (0..messages.len()).all(|at| !blocks(at).is_empty());
    let mentions_tools = (0..messages.len()).any(|at| !ids(at, "toolUse").is_empty());
    let offered = body["toolConfig"]["tools"].as_array().is_some_and(|tools| !tools.is_empty());
    let mut names: Vec<_> = body.to_string().split("\"name\":\"").skip(1).map(str::to_owned).collect();
    names.retain(|name| name.contains("\"source\""));
    alternate && paired && filled && (offered || !mentions_tools) && messages[0]["role"] == "user"
}

/// Any parts in any order, with ids that meet or miss.
fn any_requests() -> impl Strategy<Value = Request> {
    let id = prop::sample::select(vec!["a", "b", "odd|id", ""]);
    let part = prop_oneof![
        ".{0,3}".prop_map(Part::text),
        (id.clone(), "[{}a1]{0,4}").prop_map(|(id, args)| call(id, &args)),
        (id, ".{0,3}").prop_map(|(id, text)| result(id, &text)),
        user_part(),
        ".{0,3}".prop_map(|text| Part::new(PartContent::Reasoning(Reasoning {
            text: Some(Str::from(text)),
            redacted: false,
            opaque: opaque("c2ln"),
        }))),
    ];
    let role = prop::sample::select(vec![Role::User, Role::Assistant, Role::System]);
    let turns = (role, prop::collection::vec(part, 0..4)).prop_map(|(role, parts)| turn(role, parts));
    prop::collection::vec(turns, 1..6).prop_map(asking)
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200), cut in any::<prop::sample::Index>()) {
        let at = cut.index(bytes.len() + 1);
        events_of([&bytes[..at], &bytes[at..]]).ok();
        let framed = {
            let mut out = BytesMut::new();
            let headers = [(":message-type", "event"), (":event-type", "contentBlockDelta")];
            push_frame(&mut out, &headers, |out| out.extend_from_slice(&bytes));
            out
        };
        events_of([&framed[..]]).ok();
        let body = Bytes::from(bytes);
        BedrockConverse.decode_response(&body).ok();
        BedrockConverse.decode_request(&head("m"), &body).ok();
        BedrockConverse.inspect(&head("m"), &body).ok();
        BedrockConverse.inspect_response(&body);
        BedrockConverse.decode_error(500, &body);
        let mut tap = BedrockConverse.tap(TapSpec::default());
        tap.feed(body, &mut Vec::new());
        tap.finish(&mut Vec::new());
    }

    #[test]
    fn any_cut_gives_the_same_events_and_passes_the_same_bytes(
        events in streams(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let bytes = stream(&events);
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        at.extend([0, bytes.len()]);
        at.sort_unstable();
        let chunks = || at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]);
        prop_assert_eq!(events_of(chunks()).expect("a stream"), events_of([&bytes[..]]).expect("a stream"));
        let mut tap = BedrockConverse.tap(TapSpec::default());
        let mut out = Vec::new();
        chunks().for_each(|chunk| tap.feed(Bytes::copy_from_slice(chunk), &mut out));
        tap.finish(&mut out);
        prop_assert!(tap.is_complete());
        prop_assert_eq!(out.concat(), bytes);
    }

    /// Spaces in front keep each event from any template that was made before it.
    #[test]
    fn the_fast_path_says_what_the_parser_says(events in streams()) {
        let mut odd = BytesMut::new();
        for (at, (name, payload)) in events.iter().enumerate() {
            let headers = [(":event-type", *name), (":message-type", "event")];
            push_frame(&mut odd, &headers, |out| {
                out.extend_from_slice(format!("{}{payload}", " ".repeat(at)).as_bytes());
            });
        }
        let fast = summary(events_of([&stream(&events)[..]]).expect("a stream"));
        prop_assert_eq!(fast, summary(events_of([&odd[..]]).expect("a stream")));
    }

    #[test]
    fn what_is_written_reads_back(events in streams()) {
        let events = events_of([&stream(&events)[..]]).expect("a stream");
        // The service says `end_turn` of answers that hold calls; what is written says so.
        let plain = |events: &[Event]| {
            let mut response = fold(events).expect("no error");
            response.candidates.iter_mut().for_each(|candidate| candidate.finish.raw = None);
            response
        };
        let again = events_of([&write(&events, &reply())[..]]).expect("a stream");
        prop_assert_eq!(plain(&again), plain(&events));
    }

    #[test]
    fn a_conversation_survives_up_to_what_is_reported(request in conversations()) {
        for model in ["unknown", CLAUDE] {
            let encoded = encode_for(model, &request).expect("it needs no repair");
            let again = BedrockConverse.decode_request(&head("unknown"), &encoded.body).expect("it was written here");
            let lost: Vec<_> = encoded.losses.iter().map(|loss| loss.field).collect();
            let plain = |request: &Request| {
                let mut request = request.clone();
                for part in request.turns.iter_mut().flat_map(|turn| &mut turn.parts) {
                    if lost.contains(&crate::model::Field::CacheControl) {
                        part.cache = None;
                    }
                    if let PartContent::Media(media) = &mut part.content
                        && lost.contains(&crate::model::Field::Document)
                    {
                        media.name = None;
                    }
                }
                format!("{request:#?}")
            };
            prop_assert_eq!(plain(&again), plain(&request));
        }
    }

    #[test]
    fn any_conversation_is_written_legally_or_refused(request in any_requests()) {
        for model in [CLAUDE, "amazon.nova-pro-v1:0", "mistral.mistral-large-2407-v1:0", "unknown"] {
            if let Ok(encoded) = encode_for(model, &request) {
                let json = json_of(&encoded);
                prop_assert!(is_legal(&json), "{json}");
            }
        }
    }
}
