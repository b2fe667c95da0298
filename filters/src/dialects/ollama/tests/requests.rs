//! Facts of requests.

use serde_json::json;

use super::*;
use crate::model::{
    Effort, Field, LossLevel,
    MediaClass::{Audio, Document, Image},
    MediaSource, OutputFormat, Part, PartContent, ReasoningMode, Role, Tool, ToolChoice, ToolResult, Turn,
};

fn losses(encoded: &Encoded) -> Vec<(Field, LossLevel)> {
    encoded.losses.iter().map(|loss| (loss.field, loss.level)).collect()
}

fn foreign(body: &str) -> Request {
    Request { origin: Some("another"), ..request(body) }
}

const PLAIN: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;

#[test]
fn an_answer_streams_unless_the_client_says_no() {
    for (said, streams) in
        [("", true), (r#","stream":null"#, true), (r#","stream":true"#, true), (r#","stream":false"#, false)]
    {
        let body = format!(r#"{{"model":"m"{said},"messages":[{{"role":"user","content":"hi"}}]}}"#);
        let inspected = Ollama.inspect(&CallHead::default(), &Bytes::from(body.clone())).expect("good");
        assert_eq!(inspected.stream, streams.then_some(StreamForm::JsonLines), "{body}");
        let request = request(&body);
        assert_eq!(request.stream.is_some(), streams, "{body}");
        assert_eq!(encode(&request).0["stream"], streams, "an upstream is always told");
    }
}

#[test]
fn only_the_model_is_edited_in_place() {
    let body = Bytes::from_static(br#"{ "a":{"model":"x"}, "mod\u0065l" : "m","messages":[] }"#);
    let inspection = Ollama.inspect(&CallHead::default(), &body).expect("good");
    let sealer = Sealer::new(b"key");
    let target = Target { model: "n:\"1", quirks: &[], usage_in_stream: true, sealer: &sealer };
    let edited = crate::json::apply(&body, &mut Ollama.splices(&inspection, &target));
    assert_eq!(edited, Bytes::from_static(br#"{ "a":{"model":"x"}, "mod\u0065l" : "n:\"1","messages":[] }"#));
}

#[test]
fn refusals_name_the_place() {
    for (body, param) in [
        ("[]", "body"),
        (r#"{"messages":[]}"#, "/model"),
        (r#"{"model":"","messages":[]}"#, "/model"),
        (r#"{"model":"m","model":"n","messages":[]}"#, "/model"),
        (r#"{"model":"m","messages":[]}"#, "/messages"),
        (r#"{"model":"m","messages":[{"content":"x"}]}"#, "/messages/0/role"),
        (r#"{"model":"m","messages":[{"role":"robot","content":"x"}]}"#, "/messages/0/role"),
        (r#"{"model":"m","messages":[{"role":"user","content":["x"]}]}"#, "/messages"),
        (r#"{"model":"m","messages":[{"role":"assistant","tool_calls":[{}]}]}"#, "/messages/0/tool_calls/0"),
        (r#"{"model":"m","messages":[{"role":"user","content":"x"}],"tools":[{}]}"#, "/tools/0"),
        (r#"{"model":"m","messages":[{"role":"user","content":"x"}],"format":"xml"}"#, "/format"),
        (r#"{"model":"m","messages":[{"role":"user","content":"x"}],"format":{"a":07}}"#, "/format"),
        (r#"{"model":"m","messages":[{"role":"user","content":"x"}],"think":"hard"}"#, "/think"),
        (r#"{"model":"m","messages":[{"role":"user","content":"x"}],"options":{"seed":"a"}}"#, "/options/seed"),
    ] {
        let error = decode(&Ollama, body).expect_err(body);
        assert_eq!(error.param.as_deref(), Some(param), "{body}: {error}");
    }
    for (body, param) in [
        (r#"{"model":"m"}"#, "/prompt"),
        (r#"{"model":"m","prompt":"a","suffix":"b"}"#, "/suffix"),
        (r#"{"model":"m","prompt":"a","context":[1,2]}"#, "/context"),
    ] {
        let error = decode(&OllamaGenerate, body).expect_err(body);
        assert_eq!(error.param.as_deref(), Some(param), "{body}: {error}");
    }
    assert!(Ollama.inspect(&CallHead::default(), &Bytes::from_static(br#"{"model":"a","mod\u0065l":"b"}"#)).is_err());
    assert!(Ollama.inspect(&CallHead::default(), &Bytes::from_static(br#"{"model":"a","stream":1}"#)).is_err());
}

#[test]
fn text_is_a_slice_of_the_body() {
    let body = Bytes::from(PLAIN);
    let request = Ollama.decode_request(&CallHead::default(), &body).expect("good");
    let text = request.turns[0].parts[0].as_text().expect("a text part");
    assert!(body.as_ptr_range().contains(&text.as_bytes().as_ptr()), "the text was copied");
}

#[test]
fn results_find_their_calls_without_ids() {
    let request = request(
        &json!({"model": "m", "messages": [
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": "", "tool_calls": [
                {"function": {"name": "f", "arguments": {"n": 1}}}, {"function": {"name": "g", "arguments": {}}},
                {"function": {"name": "f", "arguments": {"n": 2}}}]},
            {"role": "tool", "tool_name": "f", "content": "first f"},
            {"role": "tool", "tool_name": "f", "content": "second f"},
            {"role": "tool", "content": "g"},
        ]})
        .to_string(),
    );
    let ids = |turn: &Turn| -> Vec<Str> {
        turn.parts
            .iter()
            .filter_map(|part| match &part.content {
                PartContent::ToolCall(call) => Some(call.id.clone()),
                PartContent::ToolResult(result) => Some(result.call.clone()),
                _ => None,
            })
            .collect()
    };
    let (calls, results) = (ids(&request.turns[1]), ids(&request.turns[2]));
    assert_eq!(results, [calls[0].clone(), calls[2].clone(), calls[1].clone()]);
    assert_eq!(request.turns.len(), 3, "results of one turn stand together");
    let (body, encoded) = encode(&request);
    let told: Vec<_> =
        body["messages"].as_array().expect("a list").iter().skip(2).map(|m| m["content"].clone()).collect();
    assert_eq!(told, ["first f", "g", "second f"], "and go out in the order of their calls");
    assert!(encoded.losses.is_empty(), "{:?}", encoded.losses);
}

#[test]
fn pitfall_26_arguments_are_objects_upstream() {
    let mut request = request(
        r#"{"model":"m","messages":[{"role":"user","content":"x"},
        {"role":"assistant","tool_calls":[{"id":"a","function":{"name":"f","arguments":"{\"a\":1}"}},{"id":"b","function":{"name":"f"}}]},
        {"role":"tool","tool_call_id":"a","content":"1"},{"role":"tool","tool_call_id":"b","content":"2"}]}"#,
    );
    let (body, encoded) = encode(&request);
    let calls = &body["messages"][1]["tool_calls"];
    assert_eq!(
        (&calls[0]["function"]["arguments"], &calls[1]["function"]["arguments"]),
        (&json!({"a": 1}), &json!({}))
    );
    assert!(encoded.losses.is_empty());
    assert_eq!(body["messages"][2], json!({"role": "tool", "content": "1", "tool_name": "f", "tool_call_id": "a"}));
    if let PartContent::ToolCall(call) = &mut request.turns[1].parts[0].content {
        call.args = Str::from_static("{\"a\":");
    }
    let (body, encoded) = encode(&request);
    assert_eq!(body["messages"][1]["tool_calls"][0]["function"]["arguments"], json!({"_raw": "{\"a\":"}));
    assert_eq!(losses(&encoded), [(Field::ToolArguments, LossLevel::Approx)], "what is no object is told");
}

#[test]
fn pictures_are_bare_base64_with_a_type_that_their_bytes_tell() {
    let request = request(
        r#"{"model":"m","messages":[{"role":"user","content":"look","images":["iVBORw0KGgoAAAA","/9j/4AAQ","data:image/webp;base64,UklGRA=="]}]}"#,
    );
    let mimes: Vec<_> = request.turns[0]
        .parts
        .iter()
        .filter_map(|part| match &part.content {
            PartContent::Media(media) => Some(media.mime.as_deref().unwrap_or_default()),
            _ => None,
        })
        .collect();
    assert_eq!(mimes, ["image/png", "image/jpeg", "image/webp"]);
    let (body, _) = encode(&request);
    assert_eq!(body["messages"][0]["images"], json!(["iVBORw0KGgoAAAA", "/9j/4AAQ", "UklGRA=="]));
}

#[test]
fn pitfall_66_what_is_no_picture_is_refused_or_told() {
    let with = |source: MediaSource, class| {
        let mut request = request(PLAIN);
        let media = crate::model::Media::new(class, Some(Str::from_static("text/plain")), source);
        request.turns[0].parts.push(Part::new(PartContent::Media(media)));
        encode_with(&Ollama, &request, &[])
    };
    assert!(with(MediaSource::Url(Str::from_static("https://x/y.png")), Image).is_err(), "the server fetches nothing");
    assert!(with(MediaSource::Bytes(Bytes::from_static(b"x")), Audio).is_err());
    let encoded = with(MediaSource::Text(Str::from_static("words")), Document).expect("text is text");
    assert_eq!(losses(&encoded), [(Field::Document, LossLevel::Approx)]);
    let body: Value = serde_json::from_slice(&encoded.body).expect("JSON");
    assert_eq!(body["messages"][0]["content"], "hi\nwords");
}

#[test]
fn settings_go_both_ways() {
    let body = r#"{"model":"m","messages":[{"role":"user","content":"x"}],"stream":false,"think":"high","format":{"type":"object"},
        "keep_alive":"5m","truncate":false,"logprobs":true,"top_logprobs":2,
        "options":{"temperature":0,"top_p":0.9,"top_k":40,"seed":-1,"num_predict":10,"stop":["a"],"frequency_penalty":0.5,
        "presence_penalty":1,"num_ctx":8192,"min_p":0.05}}"#;
    let request = request(body);
    assert_eq!(
        (request.sampling.top_k, request.sampling.seed, request.limits.max_output),
        (Some(40), Some(-1), Some(10))
    );
    assert_eq!(request.reasoning.mode, ReasoningMode::Effort(Effort::High));
    assert!(
        matches!(&request.output.format, OutputFormat::JsonSchema { schema, .. } if schema.as_str() == r#"{"type":"object"}"#)
    );
    let (found, encoded) = encode(&request);
    let mut expected: Value = serde_json::from_str(body).expect("JSON");
    expected["model"] = json!("m-1");
    expected["options"]["temperature"] = json!(0);
    assert_eq!(found, expected);
    assert!(encoded.losses.is_empty());
    // Another family's members mean nothing here.
    let (found, encoded) = encode(&Request { origin: Some("another"), ..request });
    assert_eq!((found.get("keep_alive"), found["options"].get("num_ctx")), (None, None));
    assert_eq!(losses(&encoded), [(Field::Extra, LossLevel::Drop)]);
}

#[test]
fn pitfall_68_no_limit_is_no_limit_elsewhere() {
    let request = request(r#"{"model":"m","messages":[{"role":"user","content":"x"}],"options":{"num_predict":-1}}"#);
    assert_eq!(request.limits.max_output, None);
    assert_eq!(encode(&request).0["options"], json!({"num_predict": -1}));
    let zero = Request { limits: crate::model::Limits { max_output: Some(0), ..request.limits.clone() }, ..request };
    assert!(encode_with(&Ollama, &zero, &[]).is_err(), "zero is not unset");
}

#[test]
fn thinking_is_asked_for_in_the_words_of_the_wire() {
    let asked = |mode| {
        let mut request = foreign(PLAIN);
        request.reasoning.mode = mode;
        let (body, encoded) = encode(&request);
        (body.get("think").cloned(), encoded.losses.is_empty())
    };
    assert_eq!(asked(ReasoningMode::Unset), (None, true));
    assert_eq!(asked(ReasoningMode::Off), (Some(json!(false)), true));
    assert_eq!(asked(ReasoningMode::Adaptive), (Some(json!(true)), true));
    assert_eq!(asked(ReasoningMode::Effort(Effort::None)), (Some(json!(false)), true));
    assert_eq!(asked(ReasoningMode::Effort(Effort::Minimal)), (Some(json!("low")), false));
    assert_eq!(asked(ReasoningMode::Effort(Effort::XHigh)), (Some(json!("high")), false));
    assert_eq!(asked(ReasoningMode::Effort(Effort::Max)), (Some(json!("max")), true));
    assert_eq!(asked(ReasoningMode::Budget(8192)), (Some(json!("medium")), false));
    let mut request = foreign(PLAIN);
    request.reasoning.mode = ReasoningMode::Adaptive;
    let encoded = encode_with(&Ollama, &request, &["no_think"]).expect("it can be carried");
    assert_eq!(losses(&encoded), [(Field::Reasoning, LossLevel::Drop)]);
}

#[test]
fn a_choice_of_tools_is_a_shorter_list() {
    let offered = |choice| {
        let mut request = request(
            r#"{"model":"m","messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":{"name":"f"}},{"function":{"name":"g"}}]}"#,
        );
        request.tool_choice = choice;
        let (body, encoded) = encode(&request);
        let names = body["tools"]
            .as_array()
            .map(|tools| tools.iter().map(|t| t["function"]["name"].to_string()).collect::<String>());
        (names.unwrap_or_default(), encoded.losses.is_empty())
    };
    let g = Str::from_static("g");
    assert_eq!(offered(ToolChoice::Auto), (r#""f""g""#.to_owned(), true));
    assert_eq!(offered(ToolChoice::None), (String::new(), true));
    assert_eq!(offered(ToolChoice::Required), (r#""f""g""#.to_owned(), false));
    assert_eq!(offered(ToolChoice::Named(g.clone())), (r#""g""#.to_owned(), false));
    assert_eq!(offered(ToolChoice::Allowed { names: vec![g], required: false }), (r#""g""#.to_owned(), true));
}

#[test]
fn custom_tools_become_functions_and_others_tools_are_refused() {
    let mut request = foreign(PLAIN);
    request.tools.push(Tool::Custom { name: Str::from_static("f"), description: None, format: None });
    let (body, encoded) = encode(&request);
    assert_eq!(body["tools"][0]["function"]["parameters"]["required"], json!(["input"]));
    assert_eq!(losses(&encoded), [(Field::CustomTool, LossLevel::Approx)]);
    request.tools = vec![Tool::Server {
        family: crate::model::Family::OpenAi,
        kind: Str::from_static("web_search"),
        raw: crate::model::RawJson::from_checked(Str::from_static("{}")),
    }];
    assert!(encode_with(&Ollama, &request, &[]).is_err());
}

#[test]
fn pitfall_22_and_23_the_conversation_is_put_in_order() {
    let mut request = foreign(
        r#"{"model":"m","messages":[{"role":"system","content":"a"},{"role":"system","content":"b"},{"role":"user","content":"go"},
        {"role":"assistant","thinking":"hm","content":"","tool_calls":[{"id":"a","function":{"name":"f"}},{"id":"b","function":{"name":"g"}}]},
        {"role":"tool","tool_call_id":"b","content":"done","images":["iVBORw0KGgo="]},{"role":"user","content":"and?"}]}"#,
    );
    if let PartContent::ToolResult(ToolResult { is_error, .. }) = &mut request.turns[2].parts[0].content {
        *is_error = true;
    }
    let (body, encoded) = encode(&request);
    let said: Vec<(String, String)> = body["messages"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|message| {
            (
                message["role"].as_str().unwrap_or_default().to_owned(),
                message["content"].as_str().unwrap_or_default().to_owned(),
            )
        })
        .collect();
    let pair = |role: &str, text: &str| (role.to_owned(), text.to_owned());
    assert_eq!(
        said,
        [
            pair("system", "a\nb"),
            pair("user", "go"),
            pair("assistant", ""),
            pair("tool", "ERROR: no result of this call was recorded"),
            pair("tool", "ERROR: done"),
            pair("user", "and?"),
        ]
    );
    assert_eq!(body["messages"][5]["images"], json!(["iVBORw0KGgo="]), "a result's picture comes behind the results");
    let losses = losses(&encoded);
    for field in [Field::ToolResult, Field::ToolError, Field::ReasoningHistory] {
        assert!(losses.iter().any(|(lost, _)| *lost == field), "{field:?} must be in {losses:?}");
    }
}

#[test]
fn generation_takes_one_prompt() {
    let body = r#"{"model":"m","prompt":"why?","system":"be terse","images":["iVBORw0KGgo="],"raw":true,"options":{"num_ctx":1},"stream":false}"#;
    let one = decode(&OllamaGenerate, body).expect("good");
    assert_eq!((one.system.len(), one.turns.len(), one.turns[0].role), (1, 1, Role::User));
    let encoded = encode_with(&OllamaGenerate, &one, &[]).expect("one prompt");
    let mut expected: Value = serde_json::from_str(body).expect("JSON");
    expected["model"] = json!("m-1");
    assert_eq!(serde_json::from_slice::<Value>(&encoded.body).expect("JSON"), expected);
    // The other endpoint takes it as a conversation.
    let (chat, _) = encode(&one);
    assert_eq!(chat["messages"][1], json!({"role": "user", "content": "why?", "images": ["iVBORw0KGgo="]}));
    let two = request(
        r#"{"model":"m","messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}]}"#,
    );
    let error = encode_with(&OllamaGenerate, &two, &[]).expect_err("a conversation is no prompt");
    assert!(error.message.contains("one prompt"));
}

#[test]
fn what_a_client_would_miss_is_refused() {
    let plain = || foreign(PLAIN);
    let refused = |request: Request| encode_with(&Ollama, &request, &[]).expect_err("it must be refused").param;
    let n = Request { candidates: Some(2), ..plain() };
    assert_eq!(refused(n).as_deref(), Some("n"));
    let mut bias = plain();
    bias.sampling.logit_bias = Some(crate::model::RawJson::from_checked(Str::from_static("{}")));
    assert_eq!(refused(bias).as_deref(), Some("logit_bias"));
    let mut audio = plain();
    audio.output.modalities.push(Str::from_static("audio"));
    assert_eq!(refused(audio).as_deref(), Some("modalities"));
}
