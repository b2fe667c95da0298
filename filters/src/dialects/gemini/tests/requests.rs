//! Requests: what is read, what is written, what is refused.

use serde_json::{Value, json};

use super::*;
use crate::model::{
    CallKind, Display, Effort, ErrorClass, Family, Field, Media, MediaClass, MediaSource, Opaque, OpaqueKind,
    OutputFormat, Part, PartContent, RawJson, Reasoning, ReasoningMode, Role, Tool, ToolCall, ToolChoice, ToolResult,
    Turn,
};

fn user(text: &'static str) -> Turn {
    Turn { role: Role::User, parts: vec![Part::text(Str::from_static(text))], name: None }
}

fn turn(role: Role, parts: Vec<PartContent>) -> Turn {
    Turn { role, parts: parts.into_iter().map(Part::new).collect(), name: None }
}

fn tool_call(id: &'static str, name: &'static str, args: &'static str) -> PartContent {
    let [id, name, args] = [id, name, args].map(Str::from_static);
    PartContent::ToolCall(ToolCall { id, name, kind: CallKind::Function, args })
}

fn result(call: &'static str, text: &'static str) -> PartContent {
    let parts = vec![Part::text(Str::from_static(text))];
    PartContent::ToolResult(ToolResult { call: Str::from_static(call), name: None, parts, json: None, is_error: false })
}

fn request(turns: Vec<Turn>) -> Request {
    Request { turns, origin: Some("openai_chat"), ..Request::default() }
}

fn encoded(request: &Request) -> Value {
    json_of(&encode_for("gemini-3-flash", &[], request).expect("it can be carried"))
}

#[test]
fn snake_case_singletons_and_odd_numbers_are_read() {
    let request = decode_request(
        r#"{"contents": {"parts": {"text": "hi"}}, "system_instruction": {"parts": {"text": "s"}},
            "generation_config": {"max_output_tokens": "10", "top_k": 40.0, "temperature": 1, "candidate_count": 2,
              "thinking_config": {"include_thoughts": true, "thinking_level": 1}, "stop_sequences": "x",
              "response_modalities": [1, "IMAGE"]},
            "tool_config": {"function_calling_config": {"mode": 2, "allowed_function_names": ["f"]}},
            "safetySettings": null, "cached_content": "c"}"#,
    )
    .expect("proto JSON has many spellings");
    assert_eq!(request.turns, [user("hi")]);
    assert_eq!(request.system[0].as_text().map(|text| &**text), Some("s"));
    assert_eq!((request.limits.max_output, request.sampling.top_k, request.candidates), (Some(10), Some(40), Some(2)));
    assert_eq!(request.reasoning.mode, ReasoningMode::Effort(Effort::Low));
    assert_eq!(request.reasoning.display, Some(Display::Summary));
    assert_eq!(request.tool_choice, ToolChoice::Named(Str::from_static("f")));
    assert_eq!(request.output.modalities, ["text", "image"]);
    assert_eq!(request.limits.stop, ["x"]);
    assert_eq!(request.state.cached_content.as_deref(), Some("c"));
}

#[test]
fn text_is_a_slice_of_the_body() {
    let body = Bytes::from_static(br#"{"contents":[{"parts":[{"text":"hello"}]}]}"#);
    let request = Gemini.decode_request(&call("m", "generateContent", ""), &body).expect("a request");
    let text = request.turns[0].parts[0].as_text().expect("text").as_bytes();
    assert!(body.as_ptr_range().contains(&text.as_ptr()), "the text was copied");
}

#[test]
fn refusals_name_their_place() {
    for (json, param) in [
        (r#"{"contents":[{"parts":[{"text":"a"},{"hologram":{}}]}]}"#, "/contents/0/parts/1"),
        (r#"{"contents":[{"role":"system","parts":[{"text":"a"}]}]}"#, "/contents/0/role"),
        (r#"{"contents":[{"parts":[{"text":1}]}]}"#, "/contents/0/parts/0"),
        (r#"{"contents":[]}"#, "/contents"),
        (r#"{"contents":[{"parts":[{"text":"a"}]}],"contents":[]}"#, "/contents"),
        (r#"{"contents":[{"parts":[{"text":"a"}]}],"generationConfig":{"topK":-1}}"#, "/generationConfig/topK"),
        (
            r#"{"contents":[{"parts":[{"functionCall":{"name":"f","args":[1]}}]}]}"#,
            "/contents/0/parts/0/functionCall/args",
        ),
    ] {
        let error = decode_request(json).expect_err("it is malformed");
        assert_eq!(error.class, ErrorClass::InvalidRequest);
        assert_eq!(error.param.as_deref(), Some(param), "{json}");
    }
}

#[test]
fn verbs_and_forms_come_from_the_path() {
    let body = Bytes::from_static(b"{}");
    let form = |verb, query| Gemini.inspect(&call("models/a/b:c", verb, query), &body).map(|found| found.stream);
    assert_eq!(form("generateContent", "alt=sse"), Ok(None));
    assert_eq!(form("streamGenerateContent", "key=x&alt=sse"), Ok(Some(StreamForm::Sse)));
    assert_eq!(form("streamGenerateContent", ""), Ok(Some(StreamForm::JsonArray)));
    assert_eq!(form("rawPredict", "").map_err(|error| error.class), Err(ErrorClass::NotFound));
    let found = Gemini.inspect(&call("models/a/b:c", "generateContent", ""), &body).expect("an object");
    assert_eq!((&*found.model, found.model_at.clone()), ("a/b:c", None));
    assert!(Gemini.inspect(&call("a", "generateContent", ""), &Bytes::from_static(b"[]")).is_err());
    assert!(Gemini.inspect(&CallHead::default(), &body).is_err());
}

#[test]
fn pitfall_16_results_pair_by_id_else_by_name_and_order() {
    let request = decode_request(
        r#"{"contents":[{"role":"user","parts":[{"text":"q"}]},
            {"role":"model","parts":[{"functionCall":{"name":"f","args":{"n":1}}},{"functionCall":{"name":"g"}},
              {"functionCall":{"name":"f","args":{"n":2}}}]},
            {"role":"function","parts":[{"functionResponse":{"name":"f","response":{"result":"one"}}},
              {"functionResponse":{"name":"g","response":{"error":"bad"}}},
              {"functionResponse":{"name":"f","response":{"a":1,"b":2}}}]}]}"#,
    )
    .expect("a request");
    let calls: Vec<&ToolCall> = request.turns[1]
        .parts
        .iter()
        .filter_map(|part| if let PartContent::ToolCall(call) = &part.content { Some(call) } else { None })
        .collect();
    let results: Vec<&ToolResult> = request.turns[2]
        .parts
        .iter()
        .filter_map(|part| if let PartContent::ToolResult(result) = &part.content { Some(result) } else { None })
        .collect();
    assert_eq!(calls[1].args, "{}");
    assert!(calls.iter().zip(&results).all(|(call, result)| call.id == result.call));
    assert!(calls[0].id != calls[2].id, "equal names must not give equal ids");
    let texts: Vec<&str> = results.iter().map(|result| &**result.parts[0].as_text().expect("text")).collect();
    assert_eq!(texts, ["one", "bad", r#"{"a":1,"b":2}"#]);
    assert_eq!(results.iter().map(|result| result.is_error).collect::<Vec<_>>(), [false, true, false]);
}

#[test]
fn pitfall_22_and_24_and_26_and_49_every_call_is_answered_in_order_before_anything_else() {
    let request = request(vec![
        user("q"),
        turn(
            Role::Assistant,
            vec![tool_call("a", "f", ""), tool_call("b", "g", "{\"x\":1}"), tool_call("c", "h", "oops")],
        ),
        turn(Role::User, vec![PartContent::Text(Str::from_static("and?")), result("b", "{\"y\":2}")]),
        turn(Role::User, vec![result("a", "5"), result("zz", "stray")]),
    ]);
    let encoded = encode_for("gemini-3-flash", &[], &request).expect("it can be carried");
    let json = json_of(&encoded);
    assert_eq!(json["contents"].as_array().map(Vec::len), Some(3));
    assert_eq!(
        json["contents"][1]["parts"],
        json!([
            {"functionCall": {"id": "a", "name": "f", "args": {}}, "thoughtSignature": "skip_thought_signature_validator"},
            {"functionCall": {"id": "b", "name": "g", "args": {"x": 1}}},
            {"functionCall": {"id": "c", "name": "h", "args": {"_raw": "oops"}}},
        ])
    );
    assert_eq!(
        json["contents"][2]["parts"],
        json!([
            {"functionResponse": {"id": "a", "name": "f", "response": {"result": "5"}}},
            {"functionResponse": {"id": "b", "name": "g", "response": {"y": 2}}},
            {"functionResponse": {"id": "c", "name": "h", "response": {"error": "no result"}}},
            {"text": "[result of tool call zz]\nstray"},
            {"text": "and?"},
        ])
    );
    let fields: Vec<Field> = encoded.losses.iter().map(|loss| loss.field).collect();
    assert_eq!(fields, [Field::ToolResult, Field::Signature, Field::ToolArguments]);
}

#[test]
fn a_call_without_any_result_is_refused() {
    let request = request(vec![user("q"), turn(Role::Assistant, vec![tool_call("a", "f", "{}")])]);
    assert_eq!(encode_for("gemini-3-flash", &[], &request).expect_err("no result").class, ErrorClass::InvalidRequest);
}

#[test]
fn older_models_get_no_ids_and_images_behind_results() {
    let image = Media::new(MediaClass::Image, None, MediaSource::Base64(Str::from_static("iVBORw0KGgo=")));
    let mut with_image = result("a", "see");
    if let PartContent::ToolResult(result) = &mut with_image {
        result.parts.push(Part::new(PartContent::Media(image)));
    }
    let request = request(vec![
        user("q"),
        turn(Role::Assistant, vec![tool_call("a", "f", "{}")]),
        turn(Role::User, vec![with_image]),
    ]);
    let old = json_of(&encode_for("gemini-2.5-flash", &[], &request).expect("it can be carried"));
    let inline = json!({"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}});
    let response = json!({"name": "f", "response": {"result": "see"}});
    assert_eq!(old["contents"][1]["parts"], json!([{"functionCall": {"name": "f", "args": {}}}]));
    assert_eq!(old["contents"][2]["parts"], json!([{"functionResponse": response}, inline]));
    let new = encoded(&request);
    let response = json!({"id": "a", "name": "f", "response": {"result": "see"}, "parts": [inline]});
    assert_eq!(new["contents"][2]["parts"], json!([{"functionResponse": response}]));
}

#[test]
fn pitfall_43_and_44_envelopes_are_opened_and_strangers_dropped() {
    let state = |family, data: &'static str| Opaque {
        family,
        kind: OpaqueKind::ThoughtSignature,
        model: None,
        id: None,
        data: Str::from_static(data),
    };
    let sealed = Sealer::new(b"key").seal(&state(Family::Gemini, "own"));
    let thinking = |opaque| {
        PartContent::Reasoning(Reasoning { text: Some(Str::from_static("hm")), redacted: false, opaque: vec![opaque] })
    };
    let mut request = request(vec![
        user("q"),
        turn(
            Role::Assistant,
            vec![
                thinking(state(Family::Anthropic, "foreign")),
                thinking(Opaque { data: sealed, ..state(Family::Anthropic, "") }),
                tool_call("a", "f", "{}"),
            ],
        ),
        turn(Role::User, vec![result("a", "r")]),
    ]);
    let json = encoded(&request);
    let signed = json!([{"functionCall": {"id": "a", "name": "f", "args": {}}, "thoughtSignature": "own"}]);
    assert_eq!(json["contents"][1]["parts"], signed);
    request.turns[1].parts[1] = Part::new(thinking(state(Family::Gemini, "own")));
    assert_eq!(encoded(&request)["contents"][1]["parts"], signed);
}

#[test]
fn an_envelope_in_the_url_alphabet_is_still_an_envelope() {
    let opaque = Opaque {
        family: Family::Anthropic,
        kind: OpaqueKind::Signature,
        model: None,
        id: None,
        data: Str::from_static("?>?>~~"),
    };
    let sealer = Sealer::new(b"key");
    let url = sealer.seal(&opaque).replace('+', "-").replace('/', "_");
    let json = json!({"contents": [{"role": "model", "parts": [{"text": "a", "thoughtSignature": url.trim_end_matches('=')}]}]});
    let request = decode_request(&json.to_string()).expect("a request");
    assert_eq!(sealer.open(&request.turns[0].parts[0].opaque[0].data), Some(opaque));
}

#[test]
fn web_addresses_need_somebody_to_fetch_them() {
    let media = |url: &'static str| {
        let source = MediaSource::Url(Str::from_static(url));
        request(vec![turn(Role::User, vec![PartContent::Media(Media::new(MediaClass::Image, None, source))])])
    };
    let web = media("https://example.com/a.png");
    assert_eq!(
        encode_for("gemini-3-flash", &[], &web).expect_err("nobody fetches").param.as_deref(),
        Some("image_url")
    );
    assert!(encode_for("gemini-3-flash", &["vertex".to_owned()], &web).is_ok(), "Vertex fetches");
    assert!(encode_for("gemini-3-flash", &[], &media("https://www.youtube.com/watch?v=x")).is_ok());
    let data = encoded(&media("data:image/gif;base64,R0lGOD"));
    assert_eq!(data["contents"][0]["parts"], json!([{"inlineData": {"mimeType": "image/gif", "data": "R0lGOD"}}]));
    let file = MediaSource::File { family: Family::OpenAi, id: Str::from_static("file-1") };
    let file = request(vec![turn(Role::User, vec![PartContent::Media(Media::new(MediaClass::Document, None, file))])]);
    assert!(encode_for("gemini-3-flash", &[], &file).is_err());
}

#[test]
fn thinking_is_dosed_as_the_model_takes_it() {
    let dosed = |model: &str, mode| {
        let mut request = request(vec![user("q")]);
        request.reasoning.mode = mode;
        let encoded = encode_for(model, &[], &request).expect("it can be carried");
        (json_of(&encoded)["generationConfig"]["thinkingConfig"].clone(), encoded.losses.is_empty())
    };
    let effort = ReasoningMode::Effort;
    assert_eq!(dosed("gemini-2.5-flash", ReasoningMode::Off), (json!({"thinkingBudget": 0}), true));
    assert_eq!(dosed("gemini-2.5-pro", ReasoningMode::Off), (json!({"thinkingBudget": 128}), false));
    assert_eq!(dosed("gemini-2.5-pro", effort(Effort::High)), (json!({"thinkingBudget": 24576}), true));
    assert_eq!(dosed("gemini-2.5-pro", effort(Effort::Max)), (json!({"thinkingBudget": 32768}), true));
    assert_eq!(dosed("gemini-2.5-flash", ReasoningMode::Adaptive), (json!({"thinkingBudget": -1}), true));
    assert_eq!(dosed("gemini-3-pro", effort(Effort::Medium)), (json!({"thinkingLevel": "HIGH"}), false));
    assert_eq!(dosed("gemini-3-flash", effort(Effort::Minimal)), (json!({"thinkingLevel": "MINIMAL"}), true));
    assert_eq!(dosed("gemini-3-flash", ReasoningMode::Adaptive), (Value::Null, true));
    assert_eq!(dosed("gemini-2.0-flash", effort(Effort::High)), (Value::Null, false));
}

#[test]
fn tools_choices_and_formats_are_written() {
    let schema = RawJson::from_value(&json!({"type": "object", "properties": {"a": {"type": ["string", "null"]}}}));
    let tool = |name: &'static str, schema, strict| Tool::Function {
        name: Str::from_static(name),
        description: None,
        schema,
        strict,
        cache: None,
    };
    let mut request = request(vec![user("q")]);
    request.tools = vec![tool("1st tool!", Some(schema.clone()), None), tool("g", None, Some(true))];
    request.output.format =
        OutputFormat::JsonSchema { name: None, description: None, schema: schema.clone(), strict: None };
    let written = encode_for("gemini-3-flash", &[], &request).expect("it can be carried");
    let json = json_of(&written);
    let functions = &json["tools"][0]["functionDeclarations"];
    assert_eq!(functions[0]["parametersJsonSchema"], schema.to_value());
    assert_eq!(written.renamed_tools[0].1, "1st tool!");
    assert_eq!(functions[0]["name"], *written.renamed_tools[0].0);
    assert_eq!(functions[1], json!({"name": "g"}));
    assert_eq!(json["toolConfig"]["functionCallingConfig"], json!({"mode": "VALIDATED"}));
    assert_eq!(json["generationConfig"]["responseJsonSchema"], schema.to_value());

    request.tool_choice = ToolChoice::Named(Str::from_static("g"));
    let json = json_of(&encode_for("gemini-2.0-flash", &[], &request).expect("it can be carried"));
    let parameters = json!({"type": "object", "properties": {"a": {"type": "string", "nullable": true}}});
    assert_eq!(json["tools"][0]["functionDeclarations"][0]["parameters"], parameters);
    let config = json!({"mode": "ANY", "allowedFunctionNames": ["g"]});
    assert_eq!(json["toolConfig"]["functionCallingConfig"], config);
    assert_eq!(json["generationConfig"], Value::Null, "older models have either functions or JSON");
    assert!(json["systemInstruction"]["parts"][0]["text"].as_str().is_some_and(|text| text.contains("JSON")));

    request.tool_choice = ToolChoice::Allowed { names: vec![Str::from_static("g")], required: false };
    assert_eq!(encoded(&request)["tools"][0]["functionDeclarations"], json!([{"name": "g"}]));
}

#[test]
fn models_without_system_text_read_it_from_the_user() {
    let mut request = request(vec![user("q")]);
    request.system = vec![Part::text(Str::from_static("be brief"))];
    request.turns.push(Turn { role: Role::System, ..user("now") });
    let json = json_of(&encode_for("gemma-3-27b-it", &[], &request).expect("it can be carried"));
    assert_eq!(json["systemInstruction"], Value::Null);
    let reminder = json!({"text": "<system-reminder>\nnow\n</system-reminder>"});
    assert_eq!(json["contents"][0]["parts"], json!([{"text": "be brief"}, {"text": "q"}, reminder]));
}

#[test]
fn what_gemini_lacks_is_told_or_refused() {
    let mut request = request(vec![user("q")]);
    request.limits.stop = ["1", "2", "3", "4", "5", "6"].map(Str::from_static).to_vec();
    request.identity.user = Some(Str::from_static("u"));
    request.output.verbosity = Some(Str::from_static("low"));
    request.parallel_tools = Some(false);
    request.extra = vec![(Str::from_static("x"), RawJson::from_value(&json!(1)))];
    let encoded = encode_for("gemini-3-flash", &[], &request).expect("it can be carried");
    let json = json_of(&encoded);
    assert_eq!(json["generationConfig"]["stopSequences"].as_array().map(Vec::len), Some(5));
    assert_eq!(json["x"], Value::Null, "another family's members are a 400");
    let fields: Vec<Field> = encoded.losses.iter().map(|loss| loss.field).collect();
    assert_eq!(fields, [Field::Stop, Field::User, Field::Verbosity, Field::Extra]);
    request.sampling.logit_bias = Some(RawJson::from_value(&json!({})));
    let error = encode_for("gemini-3-flash", &[], &request).expect_err("tokens cannot be biased");
    assert_eq!(error.param.as_deref(), Some("logit_bias"));
}

#[test]
fn members_that_nobody_knows_come_back_to_gemini() {
    let text = r#"{"contents":[{"parts":[{"text":"a"}]}],"modelArmorConfig":{"t":1},"we\"ird":2,
        "generationConfig":{"speechConfig":{"v":1},"topP":0.5},"toolConfig":{"retrievalConfig":{"l":1}}}"#;
    let json = encoded(&decode_request(text).expect("a request"));
    assert_eq!(json["modelArmorConfig"], json!({"t": 1}));
    assert_eq!(json["we\"ird"], json!(2));
    assert_eq!(json["generationConfig"], json!({"topP": 0.5, "speechConfig": {"v": 1}}));
    assert_eq!(json["toolConfig"], json!({"retrievalConfig": {"l": 1}}));
}

/// A web address goes out as a `fileUri` only where somebody at the other end reads it.
#[test]
fn pitfall_66_only_addresses_that_google_reads_are_left_to_google() {
    let at = |url: &'static str| Media::new(MediaClass::Image, None, MediaSource::Url(Str::from_static(url)));
    let vertex = ["vertex".to_owned()];
    for (url, own) in [
        ("https://example.com/cat.png", false),
        ("http://10.0.0.5/cat.png", false),
        ("https://youtube.com.example.com/watch?v=1", false),
        ("https://www.youtube.com/watch?v=1", true),
        ("https://youtu.be/1", true),
        ("https://generativelanguage.googleapis.com/v1beta/files/abc", true),
    ] {
        let media = at(url);
        assert_eq!(Gemini.takes_url(&media, &[]), own, "{url}");
        assert!(Gemini.takes_url(&media, &vertex), "Vertex reads {url}");
        let sent = encode_for("gemini-3-flash", &[], &request(vec![turn(Role::User, vec![PartContent::Media(media)])]));
        assert_eq!(sent.is_ok(), own, "the encoder agrees on {url}");
    }
}
