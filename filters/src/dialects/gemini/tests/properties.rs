//! What holds for any bytes, any cut and any stream.

use proptest::prelude::*;
use serde_json::json;

use super::{streams::error_code, *};
use crate::{
    dialects::TapSpec,
    model::{Candidate, Delta, Finish, Part, PartContent},
};

/// Streams of plain events, with everything that may stand around the text.
fn streams() -> impl Strategy<Value = Vec<u8>> {
    let said = prop_oneof![".{0,6}", "[a-z \"\\\\\u{1}]{0,4}"];
    let event = (said, 0u64..2000, prop::sample::select(vec!["", "thought", "sig", "cand", "finish", "call"]));
    (prop::collection::vec(event, 0..12), any::<bool>(), any::<bool>()).prop_map(|(events, array, pretty)| {
        let messages: Vec<String> =
            events.iter().map(|(said, count, kind)| message(said, *count, kind, pretty)).collect();
        if array {
            format!("[{}]", messages.join(",\r\n")).into_bytes()
        } else {
            messages.iter().map(|message| format!("data: {message}\r\n\r\n")).collect::<Vec<_>>().concat().into_bytes()
        }
    })
}

fn message(said: &str, count: u64, kind: &str, pretty: bool) -> String {
    let mut part = json!({"text": said});
    match kind {
        "thought" => part["thought"] = json!(true),
        "sig" => part["thoughtSignature"] = json!("c2ln"),
        "call" => part = json!({"functionCall": {"name": "f", "args": {"t": said}}}),
        _ => {}
    }
    let index = u8::from(kind == "cand");
    let mut candidate = json!({"content": {"parts": [part], "role": "model"}, "index": index});
    if kind == "finish" {
        candidate["finishReason"] = json!("STOP");
    }
    let usage = json!({"promptTokenCount": 7, "candidatesTokenCount": count, "totalTokenCount": count + 7,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 7}]});
    let message = json!({"candidates": [candidate], "usageMetadata": usage, "modelVersion": "m", "responseId": "r"});
    // Only the colon's space differs: events are lines.
    if pretty { message.to_string().replace("\":", "\": ") } else { message.to_string() }
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
        if !matches!(event, Event::Usage(_)) {
            joined.push(event);
        }
    }
    joined
}

/// A stream has no border between two texts of which the second has the signature.
fn joined(response: Response) -> Vec<(Vec<Part>, Finish)> {
    let join = |candidate: Candidate| {
        let mut parts: Vec<Part> = Vec::new();
        for mut part in candidate.parts {
            if let (Some(before), Some(text)) = (parts.last(), part.as_text())
                && before.opaque.is_empty()
                && let Some(first) = before.as_text()
            {
                part.content = PartContent::Text(Str::from(format!("{first}{text}")));
                parts.pop();
            }
            parts.push(part);
        }
        (parts, candidate.finish)
    };
    response.candidates.into_iter().map(join).collect()
}

/// Parts of any kind, in any order, with ids that meet or miss.
fn requests() -> impl Strategy<Value = serde_json::Value> {
    let name = prop::sample::select(vec!["f", "g", "odd name!"]);
    let id = prop::sample::select(vec![json!("a"), json!("b"), json!(null), json!("")]);
    let part = prop_oneof![
        ".{0,3}".prop_map(|text| json!({"text": text})),
        ".{1,3}".prop_map(|text| json!({"text": text, "thought": true, "thoughtSignature": "c2ln"})),
        (name.clone(), id.clone())
            .prop_map(|(name, id)| json!({"functionCall": {"name": name, "id": id, "args": {"a": 1}}})),
        (name, id).prop_map(|(name, id)| {
            json!({"functionResponse": {"name": name, "id": id, "response": {"result": "r"},
                "parts": [{"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}}]}})
        }),
        Just(json!({"inlineData": {"mimeType": "audio/wav", "data": "_-_-"}})),
        Just(json!({"executableCode": {"code": "1", "language": "PYTHON"}})),
        Just(json!({"fileData": {"fileUri": "gs://a/b"}, "videoMetadata": {"fps": 1}})),
    ];
    let role = prop::sample::select(vec!["user", "model", "function"]);
    let content =
        (role, prop::collection::vec(part, 0..4)).prop_map(|(role, parts)| json!({"role": role, "parts": parts}));
    prop::collection::vec(content, 1..6).prop_map(|contents| json!({"contents": contents}))
}

/// Whether speakers alternate, and every call is answered at once and in order.
fn is_legal(body: &serde_json::Value) -> bool {
    let contents = body["contents"].as_array().expect("contents");
    let kinds = |content: &serde_json::Value, kind: &str| -> Vec<String> {
        let parts = content["parts"].as_array().expect("parts").iter();
        parts.filter_map(|part| Some(part.get(kind)?["name"].to_string())).collect()
    };
    let alternate = contents.windows(2).all(|pair| pair[0]["role"] != pair[1]["role"]);
    let paired = contents.iter().enumerate().all(|(at, content)| {
        let before = at.checked_sub(1).map(|at| kinds(&contents[at], "functionCall")).unwrap_or_default();
        let parts = content["parts"].as_array().expect("parts");
        let first = parts.iter().take(before.len()).all(|part| part.get("functionResponse").is_some());
        let (model, forbidden) = match content["role"].as_str() {
            Some("model") => (true, "functionResponse"),
            _ => (false, "functionCall"),
        };
        kinds(content, forbidden).is_empty() && (model || (first && kinds(content, "functionResponse") == before))
    });
    alternate && paired
}

proptest! {
    #[test]
    fn any_conversation_is_written_legally_or_refused(body in requests()) {
        let mut request = decode_request(&body.to_string()).expect("a request");
        for origin in ["gemini", "openai_chat"] {
            request.origin = Some(origin);
            for model in ["gemini-3-flash", "gemini-2.5-pro", "gemma-3"] {
                if let Ok(encoded) = encode_for(model, &[], &request) {
                    let json = json_of(&encoded);
                    prop_assert!(is_legal(&json), "{json}");
                }
            }
        }
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200), cut in any::<prop::sample::Index>()) {
        let at = cut.index(bytes.len() + 1);
        events_of([&bytes[..at], &bytes[at..]]).ok();
        let body = Bytes::from(bytes);
        Gemini.decode_response(&body).ok();
        Gemini.decode_request(&call("m", "generateContent", ""), &body).ok();
        Gemini.inspect(&call("m", "generateContent", ""), &body).ok();
        Gemini.inspect_response(&body);
        Gemini.decode_error(500, &body);
        let mut tap = Gemini.tap(TapSpec::default());
        tap.feed(body, &mut Vec::new());
        tap.finish(&mut Vec::new());
    }

    #[test]
    fn any_cut_gives_the_same_events(
        stream in streams(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        at.extend([0, stream.len()]);
        at.sort_unstable();
        let chunks = at.windows(2).map(|pair| &stream[pair[0]..pair[1]]);
        prop_assert_eq!(events_of(chunks).expect("a stream"), events_of([&stream[..]]).expect("a stream"));
    }

    /// A space before each message's end keeps it from any template that was made before it.
    #[test]
    fn the_fast_path_says_what_the_parser_says(stream in streams()) {
        let text = String::from_utf8(stream.clone()).expect("text");
        let mut count = 0;
        let odd = text.split("{\"candidates\"").enumerate().map(|(at, piece)| {
            count += 1;
            if at == 0 { piece.to_owned() } else { format!("{{{}\"candidates\"{piece}", " ".repeat(count)) }
        }).collect::<String>();
        let fast = summary(events_of([&stream[..]]).expect("a stream"));
        let slow = summary(events_of([odd.as_bytes()]).expect("a stream"));
        prop_assert_eq!(fast, slow);
    }

    #[test]
    fn what_is_written_reads_back(stream in streams()) {
        let events = events_of([&stream[..]]).expect("a stream");
        if error_code(&events).is_none() {
            let response = fold(&events);
            for form in [StreamForm::Sse, StreamForm::JsonArray] {
                let written = write(&events, &reply(form));
                let again = fold(&events_of([&written[..]]).expect("a stream"));
                prop_assert_eq!(&again.usage, &response.usage);
                prop_assert_eq!(joined(again), joined(response.clone()));
            }
        }
    }
}
