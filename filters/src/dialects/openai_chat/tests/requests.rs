//! Requests: what clients write, and what upstreams get.

use serde_json::{Value, json};

use super::*;
use crate::model::{
    CallKind, Effort, Family, Field, LossLevel, Media, MediaClass, MediaSource, Opaque, OpaqueKind, OutputFormat, Part,
    PartContent, RawJson, Reasoning, ReasoningMode, Role, StreamSpec, Tool, ToolCall, ToolChoice, ToolResult, Turn,
};

fn refused(body: &str) -> (String, String) {
    let body = Bytes::copy_from_slice(body.as_bytes());
    let error = OpenAiChat.decode_request(&CallHead::default(), &body).expect_err("the request is bad");
    (error.param.map(|param| param.to_string()).unwrap_or_default(), error.message.to_string())
}

fn turn(role: Role, parts: Vec<Part>) -> Turn {
    Turn { role, parts, name: None }
}

fn call(id: &'static str, name: &'static str) -> Part {
    Part::new(PartContent::ToolCall(ToolCall {
        id: Str::from_static(id),
        name: Str::from_static(name),
        kind: CallKind::Function,
        args: Str::from_static("{}"),
    }))
}

fn result(id: &'static str, parts: Vec<Part>, is_error: bool) -> Part {
    Part::new(PartContent::ToolResult(ToolResult {
        call: Str::from_static(id),
        name: None,
        parts,
        json: None,
        is_error,
    }))
}

fn image(source: MediaSource) -> Part {
    Part::new(PartContent::Media(Media::new(MediaClass::Image, Some(Str::from_static("image/png")), source)))
}

/// A request as another dialect would have made it.
fn foreign(turns: Vec<Turn>) -> Request {
    Request { model: Str::from_static("m"), turns, origin: Some("anthropic"), ..Request::default() }
}

fn lost(encoded: &Encoded) -> Vec<(Field, LossLevel)> {
    encoded.losses.iter().map(|loss| (loss.field, loss.level)).collect()
}

#[test]
fn text_is_a_slice_of_the_body() {
    let body = Bytes::from_static(br#"{"model":"m","messages":[{"role":"user","content":"no escapes here"}]}"#);
    let request = OpenAiChat.decode_request(&CallHead::default(), &body).expect("the request is good");
    let text = request.turns[0].parts[0].as_text().expect("the part is text");
    let range = body.as_ptr_range();
    assert!(range.contains(&text.as_ptr()), "the text was copied");
}

#[test]
fn instructions_lead_and_others_stay_in_place() {
    let request = request(
        r#"{"model":"m","messages":[{"role":"system","content":"a"},{"role":"developer","content":[{"type":"text","text":"b"}]},
            {"role":"user","content":"c"},{"role":"system","content":"d"}]}"#,
    );
    assert_eq!(request.system, [Part::text("a"), Part::text("b")]);
    assert_eq!(request.turns[1], turn(Role::System, vec![Part::text("d")]));
    let (body, _) = encode(&request, "gpt-4o", &[]);
    let roles: Vec<_> = body["messages"].as_array().expect("a list").iter().map(|message| &message["role"]).collect();
    assert_eq!(roles, ["system", "user", "system"]);
    let (body, _) = encode(&request, "gpt-5", &[]);
    assert_eq!(body["messages"][0]["role"], "developer");
    let (body, _) = encode(&request, "gpt-5", &["no_developer_role", "flat_content"]);
    assert_eq!(body["messages"][0], json!({"role":"system","content":"a\n\nb"}));
}

#[test]
fn pitfall_19_content_of_nothing_beside_calls_is_no_text() {
    for content in ["\"\"", "null"] {
        let request = request(&format!(
            r#"{{"model":"m","messages":[{{"role":"user","content":"x"}},{{"role":"assistant","content":{content},
                "tool_calls":[{{"id":"a","type":"function","function":{{"name":"f","arguments":""}}}}]}}]}}"#
        ));
        assert_eq!(request.turns[1].parts, [call("a", "f")], "empty arguments are an empty object");
    }
}

#[test]
fn data_urls_are_inline_media() {
    let request = request(
        r#"{"model":"m","messages":[{"role":"user","content":[
            {"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA","detail":"low"}},
            {"type":"image_url","image_url":"https://example.com/x.jpg"},
            {"type":"input_audio","input_audio":{"data":"BBBB","format":"mp3"}},
            {"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,CCCC"}},
            {"type":"file","file":{"file_id":"file-1"}}]}]}"#,
    );
    let media: Vec<_> = request.turns[0]
        .parts
        .iter()
        .map(|part| match &part.content {
            PartContent::Media(media) => (media.class, media.source.clone()),
            other => panic!("unexpected {other:?}"),
        })
        .collect();
    let base64 = |data| MediaSource::Base64(Str::from_static(data));
    assert_eq!(media[0], (MediaClass::Image, base64("AAAA")));
    assert_eq!(media[1], (MediaClass::Image, MediaSource::Url(Str::from_static("https://example.com/x.jpg"))));
    assert_eq!(media[2], (MediaClass::Audio, base64("BBBB")));
    assert_eq!(media[3], (MediaClass::Document, base64("CCCC")));
    assert_eq!(media[4].1, MediaSource::File { family: Family::OpenAi, id: Str::from_static("file-1") });
    let (body, encoded) = encode(&request, "gpt-4o", &[]);
    assert!(encoded.losses.is_empty());
    assert_eq!(
        body["messages"][0]["content"],
        json!([
            {"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA","detail":"low"}},
            {"type":"image_url","image_url":{"url":"https://example.com/x.jpg"}},
            {"type":"input_audio","input_audio":{"data":"BBBB","format":"mp3"}},
            {"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,CCCC"}},
            {"type":"file","file":{"file_id":"file-1"}}
        ])
    );
}

#[test]
fn bad_requests_say_where() {
    for (body, param) in [
        (r#"{"model":"m","messages":[{"role":"user","content":[{"type":"hologram"}]}]}"#, "messages[0].content[0]"),
        (r#"{"model":"m","messages":[{"role":"user","content":[{"type":"image_url"}]}]}"#, "messages[0].content[0]"),
        (r#"{"model":"m","messages":[{"role":"robot","content":"x"}]}"#, "messages[0].role"),
        (r#"{"model":"m","messages":[{"role":"tool","content":"x"}]}"#, "messages[0].tool_call_id"),
        (r#"{"model":"m","messages":[{"role":"assistant","tool_calls":[{"id":"a"}]}]}"#, "messages[0].tool_calls[0]"),
        (r#"{"model":"m","messages":[]}"#, "messages"),
        (r#"{"model":"m","messages":"hi"}"#, "messages"),
        (r#"{"messages":[{"role":"user","content":"x"}]}"#, "model"),
        (r#"{"model":"m","messages":[{"role":"user","content":"x"}],"temperature":"hot"}"#, "temperature"),
        (r#"{"model":"m","messages":[{"role":"user","content":"x"}],"n":0}"#, "n"),
        (r#"{"model":"m","messages":[{"role":"user","content":"x"}],"stop":1}"#, "stop"),
        (r#"{"model":"m","messages":[{"role":"user","content":"x"}],"tool_choice":"maybe"}"#, "tool_choice"),
        (r#"{"model":"m","messages":[{"role":"user","content":"x"}],"reasoning_effort":"huge"}"#, "reasoning_effort"),
        (r#"{"model":"m","messages":[{"role":"user","content":"x"}],"model":"n"}"#, "model"),
    ] {
        assert_eq!(refused(body).0, param, "{body}");
    }
}

#[test]
fn members_of_every_age_are_understood() {
    let request = request(
        r#"{"model":"m","messages":[{"role":"user","content":"x"},{"role":"assistant","function_call":{"name":"f","arguments":"{\"a\":1}"}},
            {"role":"function","name":"f","content":"done"}],
            "functions":[{"name":"f","parameters":{"type":"object"}}],"function_call":{"name":"f"},
            "max_tokens":7,"stop":"END","user":"u","logit_bias":{"50256":-100},"n":2,"seed":-3,
            "response_format":{"type":"json_schema","json_schema":{"name":"s","schema":{"type":"object"},"strict":true}},
            "stream":true,"stream_options":{"include_usage":true},"prediction":{"type":"content","content":"x"},"novel":null}"#,
    );
    assert!(matches!(&request.turns[2].parts[0].content, PartContent::ToolResult(result) if result.call == "call_1"));
    assert!(matches!(&request.tools[..], [Tool::Function { name, .. }] if name == "f"));
    assert_eq!(request.tool_choice, ToolChoice::Named(Str::from_static("f")));
    assert_eq!((request.limits.max_output, request.limits.stop.len()), (Some(7), 1));
    assert_eq!((request.candidates, request.sampling.seed), (Some(2), Some(-3)));
    assert_eq!(request.stream, Some(StreamSpec { include_usage: true }));
    assert!(matches!(&request.output.format, OutputFormat::JsonSchema { strict: Some(true), .. }));
    assert_eq!(request.extra.len(), 1, "members of nothing are not kept");
    let (body, _) = encode(&request, "gpt-4o", &[]);
    assert_eq!(body["prediction"], json!({"type":"content","content":"x"}));
    assert_eq!(body["tools"][0]["function"]["name"], "f");
}

#[test]
fn pitfall_22_and_23_calls_are_answered_right_behind_them_and_in_order() {
    let request = foreign(vec![
        turn(Role::User, vec![Part::text("go")]),
        turn(Role::Assistant, vec![call("a", "f"), call("b", "f"), call("c", "f")]),
        turn(
            Role::User,
            vec![
                Part::text("and now?"),
                result("b", vec![Part::text("two")], true),
                result("a", vec![Part::text("one"), image(MediaSource::Base64(Str::from_static("AAAA")))], false),
                result("x", vec![Part::text("lost")], false),
            ],
        ),
    ]);
    let (body, encoded) = encode(&request, "gpt-4o", &[]);
    let messages = body["messages"].as_array().expect("a list");
    let ids: Vec<_> =
        messages[2..5].iter().map(|message| message["tool_call_id"].as_str().expect("a result")).collect();
    assert_eq!(ids, ["a", "b", "c"]);
    assert_eq!(messages[3]["content"], "ERROR: two");
    assert!(
        messages[4]["content"].as_str().is_some_and(|text| text.starts_with("ERROR")),
        "a missing answer is made up"
    );
    assert_eq!(messages[5]["content"][0]["type"], "image_url", "pictures come behind the last result");
    assert!(messages[6]["content"].as_str().is_some_and(|text| text.contains("lost")), "an answer to nothing is told");
    assert_eq!(messages[7]["content"], "and now?");
    assert!(lost(&encoded).contains(&(Field::ToolResult, LossLevel::Approx)));
    assert!(lost(&encoded).contains(&(Field::ToolError, LossLevel::Approx)));
}

#[test]
fn the_last_call_may_wait_for_its_answer() {
    let request = foreign(vec![turn(Role::User, vec![Part::text("go")]), turn(Role::Assistant, vec![call("a", "f")])]);
    let (body, _) = encode(&request, "gpt-4o", &[]);
    assert_eq!(body["messages"].as_array().map(Vec::len), Some(2));
}

#[test]
fn pitfall_20_and_21_long_ids_and_names_get_an_alias_that_both_sides_share() {
    let long = Str::from("toolu_".repeat(12));
    let name = Str::from("mcp.server/".repeat(10));
    let mut request = foreign(vec![
        turn(
            Role::Assistant,
            vec![Part::new(PartContent::ToolCall(ToolCall {
                id: long.clone(),
                name: name.clone(),
                kind: CallKind::Function,
                args: Str::new(),
            }))],
        ),
        turn(
            Role::User,
            vec![Part::new(PartContent::ToolResult(ToolResult {
                call: long,
                name: None,
                parts: vec![],
                json: None,
                is_error: false,
            }))],
        ),
    ]);
    request.tools =
        vec![Tool::Function { name: name.clone(), description: None, schema: None, strict: None, cache: None }];
    request.tool_choice = ToolChoice::Named(name.clone());
    let (body, encoded) = encode(&request, "gpt-4o", &[]);
    let sent = &body["tools"][0]["function"]["name"];
    let call = &body["messages"][0]["tool_calls"][0];
    assert!(sent.as_str().is_some_and(|sent| sent.len() <= 64));
    assert_eq!((&call["function"]["name"], &body["tool_choice"]["function"]["name"]), (sent, sent));
    assert_eq!(call["function"]["arguments"], "{}");
    assert!(call["id"].as_str().is_some_and(|id| id.len() <= 40));
    assert_eq!(body["messages"][1]["tool_call_id"], call["id"]);
    assert_eq!(encoded.renamed_tools[0].1, name);
    let (body, _) = encode(&request, "mistral-small", &["tool_ids_9"]);
    assert_eq!(body["messages"][1]["tool_call_id"].as_str().map(str::len), Some(9));
}

#[test]
fn pitfall_52_reasoning_models_get_what_they_take() {
    let mut request = foreign(vec![turn(Role::User, vec![Part::text("x")])]);
    request.limits.max_output = Some(100);
    request.sampling.temperature = Some(0.5);
    request.sampling.top_p = Some(1.0);
    request.sampling.top_k = Some(5);
    request.reasoning.mode = ReasoningMode::Budget(8000);
    let (body, encoded) = encode(&request, "o3", &[]);
    assert_eq!((&body["max_completion_tokens"], &body["reasoning_effort"]), (&json!(100), &json!("medium")));
    assert!(body.get("temperature").is_none() && body.get("max_tokens").is_none());
    let expected =
        [(Field::Temperature, LossLevel::Drop), (Field::TopK, LossLevel::Drop), (Field::Reasoning, LossLevel::Approx)];
    assert_eq!(lost(&encoded), expected);
    let (body, _) = encode(&request, "o3", &["max_tokens_legacy", "no_reasoning_effort"]);
    assert_eq!(body["max_tokens"], 100);
    assert!(body.get("reasoning_effort").is_none());
    let (body, _) = encode(&request, "llama-3", &["top_k"]);
    assert_eq!((&body["max_tokens"], &body["temperature"], &body["top_k"]), (&json!(100), &json!(0.5), &json!(5)));
    let (body, _) = encode(&request, "gpt-4o", &[]);
    assert!(body.get("reasoning_effort").is_none(), "a model that never thinks refuses it");
    request.reasoning.mode = ReasoningMode::Off;
    assert_eq!(encode(&request, "gpt-5", &[]).0["reasoning_effort"], "minimal");
    assert_eq!(encode(&request, "gpt-5.1", &[]).0["reasoning_effort"], "none");
    assert_eq!(encode(&request, "gpt-5.1", &[]).0["temperature"], 0.5);
    request.reasoning.mode = ReasoningMode::Effort(Effort::Max);
    assert_eq!(encode(&request, "gpt-5.4", &[]).0["reasoning_effort"], "xhigh");
}

#[test]
fn pitfall_34_and_68_what_the_client_would_miss_is_refused() {
    let base = foreign(vec![turn(Role::User, vec![Part::text("x")])]);
    let refuse = |change: &dyn Fn(&mut Request), model: &str| {
        let mut request = base.clone();
        change(&mut request);
        let error = encode_with(&request, model, &[]).expect_err("the request must be refused");
        error.param.map(|param| param.to_string()).unwrap_or_default()
    };
    assert_eq!(refuse(&|request| request.sampling.logprobs = true, "o3"), "logprobs");
    assert_eq!(refuse(&|request| request.limits.stop.push(Str::from_static("x")), "gpt-5"), "stop");
    assert_eq!(refuse(&|request| request.limits.max_output = Some(0), "gpt-4o"), "max_tokens");
    assert_eq!(refuse(&|request| request.output.modalities.push(Str::from_static("image")), "gpt-4o"), "modalities");
    let file = MediaSource::File { family: Family::Anthropic, id: Str::from_static("file_1") };
    assert_eq!(refuse(&|request| request.turns[0].parts.push(image(file.clone())), "gpt-4o"), "messages");
    let search = |family, kind| Tool::Server {
        family,
        kind: Str::from_static(kind),
        raw: RawJson::from_checked(Str::from_static("{}")),
    };
    assert_eq!(
        refuse(&|request| request.tools.push(search(Family::Anthropic, "web_search_20250305")), "gpt-4o"),
        "tools"
    );
    assert_eq!(refuse(&|request| request.tools.push(search(Family::OpenAi, "code_interpreter")), "gpt-4o"), "tools");
}

#[test]
fn more_stops_than_four_are_cut() {
    let mut request = foreign(vec![turn(Role::User, vec![Part::text("x")])]);
    request.limits.stop = ["a", "b", "c", "d", "e"].map(Str::from_static).to_vec();
    let (body, encoded) = encode(&request, "gpt-4o", &[]);
    assert_eq!(body["stop"].as_array().map(Vec::len), Some(4));
    assert_eq!(lost(&encoded), [(Field::Stop, LossLevel::Approx)]);
}

#[test]
fn members_of_another_family_stay_behind() {
    let mut request = foreign(vec![turn(Role::User, vec![Part::text("x")])]);
    request.extra.push((Str::from_static("container"), RawJson::from_checked(Str::from_static("{}"))));
    request.parallel_tools = Some(false);
    let (body, encoded) = encode(&request, "gpt-4o", &[]);
    assert!(body.get("container").is_none());
    assert!(body.get("parallel_tool_calls").is_none(), "without tools the member is an error");
    assert_eq!(lost(&encoded), [(Field::Extra, LossLevel::Drop)]);
}

#[test]
fn pitfall_59_usage_is_asked_for_where_the_upstream_gives_it() {
    let mut request = foreign(vec![turn(Role::User, vec![Part::text("x")])]);
    request.stream = Some(StreamSpec::default());
    let (body, _) = encode(&request, "gpt-4o", &[]);
    assert_eq!((&body["stream"], &body["stream_options"]["include_usage"]), (&json!(true), &json!(true)));
    let (body, _) = encode(&request, "gpt-4o", &["no_stream_options"]);
    assert_eq!((&body["stream"], body.get("stream_options")), (&json!(true), None::<&Value>));
}

#[test]
fn pitfall_43_and_49_earlier_thinking_goes_only_where_it_is_wanted() {
    let sealer = Sealer::new(b"key");
    let native =
        |family, kind, data: &'static str| Opaque { family, kind, model: None, id: None, data: Str::from_static(data) };
    let inner = native(Family::Gemini, OpaqueKind::ThoughtSignature, "R0VN");
    let sealed = Opaque { data: sealer.seal(&inner), ..native(Family::OpenAi, OpaqueKind::Encrypted, "") };
    let thought = Reasoning { text: Some(Str::from_static("hm")), redacted: false, opaque: vec![sealed.clone()] };
    let mut called = call("a", "f");
    called.opaque.push(Opaque { family: Family::Gemini, ..sealed });
    let request = foreign(vec![
        turn(Role::Assistant, vec![Part::new(PartContent::Reasoning(thought)), Part::text("yes"), called]),
        turn(Role::User, vec![result("a", vec![Part::text("1")], false)]),
    ]);
    let (body, encoded) = encode(&request, "gpt-4o", &[]);
    let text = body.to_string();
    assert!(!text.contains("hm") && !text.contains("TEcx") && !text.contains("R0VN"), "{text}");
    assert!(lost(&encoded).contains(&(Field::ReasoningHistory, LossLevel::Drop)));
    let (body, encoded) = encode(&request, "deepseek-reasoner", &["reasoning_content_in"]);
    assert_eq!(body["messages"][0]["reasoning_content"], "hm");
    assert!(!lost(&encoded).iter().any(|(field, _)| *field == Field::ReasoningHistory));
    let (body, _) = encode(&request, "google/gemini-3", &["reasoning_details_in", "thought_signature_in"]);
    assert_eq!(body["messages"][0]["reasoning_details"][1]["data"], "R0VN", "the envelope is opened");
    assert_eq!(body["messages"][0]["tool_calls"][0]["extra_content"]["google"]["thought_signature"], "R0VN");
}

#[test]
fn every_member_has_a_pointer() {
    for field in [Field::Temperature, Field::Stop, Field::Extra, Field::Prefill, Field::Video, Field::CachedContent] {
        assert!(OpenAiChat.pointer(field).starts_with('/'));
    }
}
