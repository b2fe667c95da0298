//! Facts of requests.

use serde_json::json;

use super::*;
use crate::model::{
    Effort, Family, Field, LossLevel, Media, MediaClass, MediaSource, Opaque, OpaqueKind, OutputFormat, Part,
    PartContent, RawJson, Reasoning, ReasoningMode, Role, Tool, ToolChoice, ToolResult, Turn,
};

const PLAIN: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;

const TOOLS: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"tools":[
    {"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{"a":{}},"required":["a"]}}},
    {"type":"function","function":{"name":"g","description":"d"}}]}"#;

fn losses(encoded: &Encoded) -> Vec<(Field, LossLevel)> {
    encoded.losses.iter().map(|loss| (loss.field, loss.level)).collect()
}

fn foreign(body: &str) -> Request {
    Request { origin: Some("another"), ..request(body) }
}

#[test]
fn only_the_model_is_edited_in_place() {
    let body = Bytes::from_static(br#"{ "a":{"model":"x"}, "mod\u0065l" : "m","messages":[] ,"stream":true}"#);
    let inspection = Cohere.inspect(&CallHead::default(), &body).expect("good");
    assert_eq!(inspection.stream, Some(StreamForm::Sse));
    let sealer = Sealer::new(b"key");
    let target = Target { model: "n\"1", quirks: &[], usage_in_stream: true, sealer: &sealer };
    let edited = crate::json::apply(&body, &mut Cohere.splices(&inspection, &target));
    assert_eq!(
        edited,
        Bytes::from_static(br#"{ "a":{"model":"x"}, "mod\u0065l" : "n\"1","messages":[] ,"stream":true}"#)
    );
}

#[test]
fn refusals_name_the_place() {
    let with = |members: &str| format!(r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],{members}}}"#);
    let message = |message: &str| format!(r#"{{"model":"m","messages":[{message}]}}"#);
    for (body, param) in [
        ("[]".to_owned(), "body"),
        (r#"{"messages":[]}"#.to_owned(), "/model"),
        (r#"{"model":"m","messages":[]}"#.to_owned(), "/messages"),
        (r#"{"model":"m","messages":[],"messages":[]}"#.to_owned(), "/messages"),
        (message(r#"{"content":"x"}"#), "/messages/0/role"),
        (message(r#"{"role":"CHATBOT","content":"x"}"#), "/messages/0/role"),
        (message(r#"{"role":"user","content":[{"type":"hologram"}]}"#), "/messages/0/content/0"),
        (
            message(r#"{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:x"}}]}"#),
            "/messages/0/content/0/image_url/url",
        ),
        (
            message(r#"{"role":"system","content":[{"type":"image_url","image_url":{"url":"https://x"}}]}"#),
            "/messages/0/content",
        ),
        (message(r#"{"role":"tool","content":"x"}"#), "/messages/0/tool_call_id"),
        (message(r#"{"role":"assistant","tool_calls":[{"id":"a"}]}"#), "/messages/0/tool_calls/0"),
        (with(r#""tools":[{}]"#), "/tools/0"),
        (with(r#""tool_choice":"auto""#), "/tool_choice"),
        (with(r#""documents":[{"text":"x"}]"#), "/documents/0"),
        (with(r#""response_format":{"type":"json_schema"}"#), "/response_format/type"),
        (with(r#""thinking":{"type":"hard"}"#), "/thinking/type"),
        (with(r#""temperature":"hot""#), "/temperature"),
        (with(r#""safety_mode":07"#), "/safety_mode"),
    ] {
        let error = decode(&body).expect_err(&body);
        assert_eq!(error.param.as_deref(), Some(param), "{body}: {error}");
    }
    assert!(Cohere.inspect(&CallHead::default(), &Bytes::from_static(br#"{"model":"a","mod\u0065l":"b"}"#)).is_err());
}

#[test]
fn text_is_a_slice_of_the_body() {
    let body = Bytes::from(PLAIN);
    let request = Cohere.decode_request(&CallHead::default(), &body).expect("good");
    let text = request.turns[0].parts[0].as_text().expect("a text part");
    assert!(body.as_ptr_range().contains(&text.as_bytes().as_ptr()), "the text was copied");
}

#[test]
fn documents_keep_what_they_are() {
    let documents = json!([
        "just words",
        {"data": {"text": "t"}},
        {"id": "d1", "data": {"title": "T", "text": "t"}},
        {"id": "d2", "data": {"title": "T", "snippet": "s", "year": 2024}},
    ]);
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "who?"}], "documents": documents,
        "citation_options": {"mode": "FAST"}, "stream": false});
    let request = request(&body.to_string());
    let media: Vec<&Media> = request.turns[0]
        .parts
        .iter()
        .filter_map(|part| match &part.content {
            PartContent::Media(media) => Some(media),
            _ => None,
        })
        .collect();
    assert_eq!(media.len(), 4);
    assert!(media.iter().all(|media| media.class == MediaClass::Document && media.citations == Some(true)));
    assert_eq!((media[2].name.as_deref(), media[2].title.as_deref()), (Some("d1"), Some("T")));
    assert_eq!(
        media[3].source,
        MediaSource::Text(Str::from_static(r#"{"title":"T","snippet":"s","year":2024}"#)),
        "others read it as it is"
    );
    let (found, encoded) = encode(&request);
    let mut expected = body.clone();
    expected["model"] = json!("m-1");
    assert_eq!(found, expected);
    assert!(encoded.losses.is_empty(), "{:?}", encoded.losses);
}

#[test]
fn documents_that_nobody_speaks_about_are_words_or_refused() {
    let media = Media::new(MediaClass::Document, None, MediaSource::Text(Str::from_static("a document")));
    let document = Part::new(PartContent::Media(media));
    let mut request = foreign(PLAIN);
    let asked = request.turns.clone();
    request.turns[0].parts = vec![document];
    let error = encode_for("m-1", &request).expect_err("nothing is asked");
    assert_eq!(error.param.as_deref(), Some("messages"));
    request.turns.extend([Turn { role: Role::Assistant, parts: vec![Part::text("noted")], name: None }]);
    request.turns.extend(asked.clone());
    let (body, encoded) = encode(&request);
    assert_eq!(body["messages"][0], json!({"role": "user", "content": "a document"}), "a message is never empty");
    assert_eq!((body["messages"].as_array().map(Vec::len), body.get("documents")), (Some(3), None));
    assert_eq!(losses(&encoded), [(Field::Document, LossLevel::Approx)]);
}

#[test]
fn documents_of_others_are_cited_unless_they_must_not_be() {
    let with = |citations| {
        let mut request = foreign(PLAIN);
        let mut media = Media::new(
            MediaClass::Document,
            Some(Str::from_static("text/plain")),
            MediaSource::Text(Str::from_static("words")),
        );
        media.title = Some(Str::from_static("T"));
        media.citations = citations;
        request.turns[0].parts.insert(0, Part::new(PartContent::Media(media)));
        encode(&request).0
    };
    let body = with(None);
    assert_eq!(body["documents"], json!([{"data": {"title": "T", "text": "words"}}]));
    assert_eq!(body["messages"], json!([{"role": "user", "content": "hi"}]));
    assert_eq!(
        (body.get("citation_options"), with(Some(false))["citation_options"].clone()),
        (None, json!({"mode": "OFF"}))
    );
    let refused = |media: Media| {
        let mut request = foreign(PLAIN);
        request.turns[0].parts.push(Part::new(PartContent::Media(media)));
        encode_for("m", &request).is_err()
    };
    let data = || MediaSource::Base64(Str::from_static("AAAA"));
    assert!(refused(Media::new(MediaClass::Document, Some(Str::from_static("application/pdf")), data())));
    assert!(refused(Media::new(MediaClass::Audio, None, data())));
    assert!(refused(Media::new(
        MediaClass::Image,
        None,
        MediaSource::File { family: Family::OpenAi, id: Str::from_static("f") }
    )));
}

#[test]
fn pictures_go_by_url_or_inline() {
    let body = json!({"model": "m-1", "messages": [{"role": "user", "content": [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "data:image/gif;base64,R0lG"}}]}], "stream": false});
    let request = request(&body.to_string());
    assert!(matches!(&request.turns[0].parts[2].content,
        PartContent::Media(Media { mime: Some(mime), source: MediaSource::Base64(data), .. }) if mime == "image/gif" && data == "R0lG"));
    assert_eq!(encode(&request).0, body);
}

#[test]
fn settings_go_both_ways() {
    let body = json!({"model": "m-1", "messages": [{"role": "user", "content": "x"}], "temperature": 1.5, "p": 0.5, "k": 3,
        "seed": 7, "frequency_penalty": 0.5, "presence_penalty": 0.25, "max_tokens": 9, "stop_sequences": ["a"], "logprobs": true,
        "thinking": {"type": "enabled", "token_budget": 100}, "safety_mode": "STRICT", "priority": 3, "stream": true,
        "response_format": {"type": "json_object", "json_schema": {"type": "object"}}});
    let request = request(&body.to_string());
    assert_eq!(
        (request.sampling.top_k, request.sampling.top_p, request.limits.max_output),
        (Some(3), Some(0.5), Some(9))
    );
    assert_eq!(request.reasoning.mode, ReasoningMode::Budget(100));
    assert!(
        matches!(&request.output.format, OutputFormat::JsonSchema { schema, .. } if schema.as_str() == r#"{"type":"object"}"#)
    );
    let (found, encoded) = encode(&request);
    assert_eq!(found, body);
    assert!(encoded.losses.is_empty());
    let (found, encoded) = encode(&Request { origin: Some("another"), ..request });
    assert_eq!((&found["temperature"], found.get("priority")), (&json!(1), None));
    let expected = [
        (Field::Temperature, LossLevel::Approx),
        (Field::Logprobs, LossLevel::Approx),
        (Field::Extra, LossLevel::Drop),
    ];
    assert_eq!(losses(&encoded), expected);
}

#[test]
fn pitfall_68_numbers_stay_within_the_wires_bounds() {
    let mut request = foreign(PLAIN);
    request.sampling.top_p = Some(1.0);
    request.sampling.top_k = Some(900);
    request.sampling.seed = Some(-1);
    request.sampling.presence_penalty = Some(-1.0);
    request.limits.stop = (0..7).map(|n| Str::from(n.to_string())).collect();
    let (body, encoded) = encode(&request);
    assert_eq!(
        (&body["p"], &body["k"], body.get("seed"), &body["presence_penalty"]),
        (&json!(0.99), &json!(500), None, &json!(0))
    );
    assert_eq!(body["stop_sequences"].as_array().map(Vec::len), Some(5));
    assert_eq!(losses(&encoded).len(), 5);
    request.limits.max_output = Some(0);
    assert!(encode_for("m", &request).is_err(), "zero is not unset");
}

#[test]
fn thinking_is_asked_of_models_that_think() {
    let asked = |model: &str, mode| {
        let mut request = foreign(PLAIN);
        request.reasoning.mode = mode;
        let encoded = encode_for(model, &request).expect("it can be carried");
        let body: Value = serde_json::from_slice(&encoded.body).expect("JSON");
        (body.get("thinking").cloned(), losses(&encoded))
    };
    let model = "command-a-reasoning-08-2025";
    assert_eq!(asked(model, ReasoningMode::Unset), (None, vec![]));
    assert_eq!(asked(model, ReasoningMode::Off), (Some(json!({"type": "disabled"})), vec![]));
    assert_eq!(asked(model, ReasoningMode::Adaptive), (Some(json!({"type": "enabled"})), vec![]));
    assert_eq!(
        asked(model, ReasoningMode::Budget(5000)),
        (Some(json!({"type": "enabled", "token_budget": 5000})), vec![])
    );
    let effort = asked(model, ReasoningMode::Effort(Effort::Low));
    assert_eq!(
        effort,
        (Some(json!({"type": "enabled", "token_budget": 2048})), vec![(Field::Reasoning, LossLevel::Approx)])
    );
    let other = asked("command-a-03-2025", ReasoningMode::Effort(Effort::Low));
    assert_eq!(other, (None, vec![(Field::Reasoning, LossLevel::Drop)]));
    assert_eq!(asked("command-r-plus", ReasoningMode::Off), (None, vec![]));
}

#[test]
fn a_choice_of_tools_is_said_as_far_as_the_wire_has_words() {
    let offered = |choice| {
        let request = Request { tool_choice: choice, ..request(TOOLS) };
        let (body, encoded) = encode(&request);
        let names: String = body["tools"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|tool| tool["function"]["name"].as_str())
            .collect();
        (names, body.get("tool_choice").and_then(Value::as_str).map(str::to_owned), encoded.losses.is_empty())
    };
    let g = || Str::from_static("g");
    let word = |word: &str| Some(word.to_owned());
    assert_eq!(offered(ToolChoice::Auto), ("fg".to_owned(), None, true));
    assert_eq!(offered(ToolChoice::None), ("fg".to_owned(), word("NONE"), true));
    assert_eq!(offered(ToolChoice::Required), ("fg".to_owned(), word("REQUIRED"), true));
    assert_eq!(offered(ToolChoice::Named(g())), ("g".to_owned(), word("REQUIRED"), false));
    assert_eq!(offered(ToolChoice::Allowed { names: vec![g()], required: false }), ("g".to_owned(), None, false));
    assert_eq!(
        offered(ToolChoice::Allowed { names: vec![g()], required: true }),
        ("g".to_owned(), word("REQUIRED"), false)
    );
}

#[test]
fn strictness_is_all_tools_or_none() {
    let mut own = request(&TOOLS.replacen('{', r#"{"strict_tools":true,"#, 1));
    assert!(own.tools.iter().all(|tool| matches!(tool, Tool::Function { strict: Some(true), .. })));
    let (body, encoded) = encode(&own);
    assert_eq!((&body["strict_tools"], encoded.losses.is_empty()), (&json!(true), true));
    own.origin = Some("another");
    let (body, encoded) = encode(&own);
    assert_eq!(body.get("strict_tools"), None, "a tool that requires nothing cannot be strict");
    assert_eq!(losses(&encoded), [(Field::ToolStrict, LossLevel::Drop)]);
    own.tools.truncate(1);
    assert_eq!(encode(&own).0["strict_tools"], true);
}

#[test]
fn pitfall_21_tool_names_are_fitted_and_restored() {
    let mut request = foreign(TOOLS);
    let name = Str::from_static("ns.tool/1");
    if let Tool::Function { name: slot, .. } = &mut request.tools[0] {
        *slot = name.clone();
    }
    let (body, encoded) = encode(&request);
    let sent = body["tools"][0]["function"]["name"].as_str().expect("a name").to_owned();
    assert_eq!(encoded.renamed_tools, [(Str::from(sent.as_str()), name)]);
    assert!(sent.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)));
}

#[test]
fn a_form_beside_tools_or_documents_is_asked_for_in_words() {
    let mut request = foreign(TOOLS);
    request.output.format = OutputFormat::JsonObject;
    let (body, encoded) = encode(&request);
    assert_eq!(body.get("response_format"), None, "the wire refuses it");
    assert_eq!(body["messages"][0], json!({"role": "system", "content": "Respond only with a JSON object."}));
    assert_eq!(losses(&encoded), [(Field::ResponseFormat, LossLevel::Approx)]);
    request.tools.clear();
    assert_eq!(encode(&request).0["response_format"], json!({"type": "json_object"}));
}

#[test]
fn words_before_calls_are_a_plan() {
    let body = r#"{"model":"m","messages":[{"role":"user","content":"go"},
        {"role":"assistant","content":"I will look.","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]},
        {"role":"tool","tool_call_id":"a","content":"1"}]}"#;
    let (own, _) = encode(&request(body));
    assert_eq!((&own["messages"][1]["content"], own["messages"][1].get("tool_plan")), (&json!("I will look."), None));
    let (other, encoded) = encode(&foreign(body));
    assert_eq!(
        (other["messages"][1].get("content"), &other["messages"][1]["tool_plan"]),
        (None, &json!("I will look."))
    );
    assert!(encoded.losses.is_empty());
}

#[test]
fn pitfall_43_only_own_thoughts_come_back() {
    let mut request = foreign(PLAIN);
    let thought = |text: &'static str, opaque: Vec<Opaque>| {
        Part::new(PartContent::Reasoning(Reasoning { text: Some(Str::from_static(text)), redacted: false, opaque }))
    };
    let tag = |family, data: &'static str| Opaque {
        family,
        kind: OpaqueKind::Signature,
        model: None,
        id: None,
        data: Str::from_static(data),
    };
    let sealed = Sealer::new(b"key").seal(&tag(Family::Cohere, "tool_plan"));
    let parts = vec![
        thought("another's", vec![tag(Family::Anthropic, "sig")]),
        thought("nobody's", vec![]),
        thought("mine", vec![tag(Family::Cohere, "thinking")]),
        thought("my plan", vec![Opaque { data: sealed, ..tag(Family::Anthropic, "") }]),
        Part::text("so"),
    ];
    request.turns.push(Turn { role: Role::Assistant, parts, name: None });
    request.turns.push(request.turns[0].clone());
    let (body, encoded) = encode(&request);
    assert_eq!(
        body["messages"][1]["content"],
        json!([{"type": "thinking", "thinking": "mine"}, {"type": "text", "text": "so"}])
    );
    assert_eq!(body["messages"][1]["tool_plan"], "my plan", "the envelope is opened");
    assert_eq!(losses(&encoded), [(Field::ReasoningHistory, LossLevel::Drop)]);
}

#[test]
fn results_keep_their_form() {
    let result = |content: Value| {
        json!({"model": "m-1", "messages": [{"role": "user", "content": "go"},
            {"role": "assistant", "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "a", "content": content}], "stream": false})
    };
    for (content, level) in [
        (json!("plain"), None),
        (json!([{"type": "document", "document": {"data": {"year": 1993}, "id": "u"}}]), None),
        (json!([{"type": "text", "text": "t"}, {"type": "document", "document": {"data": {"text": "d"}}}]), None),
        (
            json!([{"type": "document", "document": {"data": {"error": "no"}}}]),
            Some((Field::ToolError, LossLevel::Approx)),
        ),
    ] {
        let body = result(content);
        let (found, encoded) = encode(&request(&body.to_string()));
        assert_eq!(found, body);
        assert_eq!(losses(&encoded), level.into_iter().collect::<Vec<_>>());
    }
    // Another dialect's object becomes a document, which the answer can cite; its picture is the user's.
    let mut other = foreign(&result(json!("")).to_string());
    other.turns[2].parts[0] = Part::new(PartContent::ToolResult(ToolResult {
        call: Str::from_static("a"),
        name: None,
        parts: vec![Part::new(PartContent::Media(Media::new(
            MediaClass::Image,
            None,
            MediaSource::Url(Str::from_static("https://x")),
        )))],
        json: Some(RawJson::from_checked(Str::from_static(r#"{"n":1}"#))),
        is_error: false,
    }));
    let (body, encoded) = encode(&other);
    assert_eq!(body["messages"][2]["content"], json!([{"type": "document", "document": {"data": {"n": 1}}}]));
    assert_eq!(body["messages"][3]["content"][0]["type"], "image_url");
    assert_eq!(losses(&encoded), [(Field::ToolResult, LossLevel::Approx)]);
}

#[test]
fn pitfall_19_and_22_a_call_without_a_result_gets_one() {
    let body = r#"{"model":"m","messages":[{"role":"user","content":"go"},
        {"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":""}}]},
        {"role":"user","content":"well?"}]}"#;
    let (body, encoded) = encode(&request(body));
    assert_eq!(body["messages"][2]["tool_call_id"], "a");
    assert_eq!(body["messages"][1]["tool_calls"][0]["function"]["arguments"], "{}", "no arguments are an empty object");
    assert_eq!(losses(&encoded), [(Field::ToolResult, LossLevel::Approx)]);
}

#[test]
fn history_keeps_its_sources() {
    let body = json!({"model": "m-1", "messages": [{"role": "user", "content": "who?"},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "he"}],
         "citations": [{"start": 0, "end": 2, "text": "he", "sources": [], "type": "TEXT_CONTENT", "content_index": 1}]},
        {"role": "user", "content": "sure?"}], "stream": false});
    let request = request(&body.to_string());
    assert_eq!(request.turns[1].parts[1].citations.len(), 1);
    assert_eq!(encode(&request).0, body);
}

#[test]
fn what_a_client_would_miss_is_refused() {
    let refused = |request: Request| encode_for("m", &request).expect_err("it must be refused").param;
    assert_eq!(refused(Request { candidates: Some(2), ..foreign(PLAIN) }).as_deref(), Some("n"));
    let mut request = foreign(PLAIN);
    request.sampling.top_logprobs = Some(3);
    assert_eq!(refused(request).as_deref(), Some("top_logprobs"));
    let mut request = foreign(PLAIN);
    request.sampling.logit_bias = Some(RawJson::from_checked(Str::from_static("{}")));
    assert_eq!(refused(request).as_deref(), Some("logit_bias"));
    let mut request = foreign(PLAIN);
    request.tools.push(Tool::Server {
        family: Family::OpenAi,
        kind: Str::from_static("web_search"),
        raw: RawJson::from_checked(Str::from_static("{}")),
    });
    assert_eq!(refused(request).as_deref(), Some("tools"));
}
