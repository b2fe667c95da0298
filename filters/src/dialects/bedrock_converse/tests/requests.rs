//! Requests, fact by fact.

use serde_json::json;

use super::*;
use crate::model::{
    CachePoint, Display, Effort, Family, Field, LossLevel, Media, MediaClass, MediaSource, Opaque, OpaqueKind,
    OutputFormat, RawJson, Reasoning, ReasoningMode, Tool, ToolChoice,
};

fn raw(value: &Value) -> RawJson {
    RawJson::from_value(value)
}

fn tool(name: &str) -> Tool {
    let schema = Some(raw(&json!({"type": "object", "properties": {"a": {"type": "string"}}})));
    Tool::Function { name: Str::from(name), description: None, schema, strict: None, cache: None }
}

fn losses(encoded: &Encoded) -> Vec<(Field, LossLevel)> {
    encoded.losses.iter().map(|loss| (loss.field, loss.level)).collect()
}

/// A request in which `f` was called and answered.
fn after_a_call() -> Request {
    asking(vec![
        turn(Role::User, vec![Part::text("x")]),
        turn(Role::Assistant, vec![call("a", "{}")]),
        turn(Role::User, vec![result("a", "1")]),
    ])
}

#[test]
fn every_block_is_read() {
    let request = decode(&json!({
        "system": [{"text": "be terse"}, {"cachePoint": {"type": "default", "ttl": "1h"}}],
        "messages": [
            {"role": "user", "content": [
                {"text": "see"}, {"cachePoint": {"type": "default"}},
                {"image": {"format": "png", "source": {"bytes": "iVBO"}}},
                {"document": {"format": "pdf", "name": "report", "source": {"bytes": "JVBE"}, "context": "c", "citations": {"enabled": true}}},
                {"document": {"format": "txt", "name": "notes", "source": {"content": [{"text": "p"}]}}},
                {"video": {"format": "three_gp", "source": {"s3Location": {"uri": "s3://b/v"}}}},
                {"audio": {"format": "mp3", "source": {"bytes": "SUQz"}}},
                {"video": {"format": "mp4", "source": {"s3Location": {"uri": "s3://b/v", "bucketOwner": "123456789012"}}}},
                {"guardContent": {"text": {"text": "guarded", "qualifiers": ["query"]}}},
                {"searchResult": {"source": "https://example.com", "title": "t", "content": [{"text": "r"}]}},
            ]},
            {"role": "assistant", "content": [
                {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "sig"}}},
                {"reasoningContent": {"redactedContent": "c2VjcmV0"}},
                {"citationsContent": {"content": [{"text": "cited"}], "citations": [{"title": "report"}]}},
                {"toolUse": {"toolUseId": "t1", "name": "f", "input": {"a": 1}}},
                {"toolUse": {"toolUseId": "t2", "name": "g", "input": {}}},
            ]},
            {"role": "user", "content": [
                {"cachePoint": {"type": "default", "ttl": "5m"}},
                {"toolResult": {"toolUseId": "t1", "content": [{"json": {"x": 1}}]}},
                {"toolResult": {"toolUseId": "t2", "content": [{"text": "a"}, {"json": [1]}, {"image": {"format": "gif", "source": {"bytes": "R0lG"}}}], "status": "error"}},
            ]},
        ],
    }))
    .expect("all of it is known");
    assert_eq!(request.system[0].cache, Some(CachePoint { ttl: Some(Str::from_static("1h")) }));
    let user = &request.turns[0].parts;
    assert_eq!(user[0].cache, Some(CachePoint { ttl: None }));
    let media = |at: usize| match &user[at].content {
        PartContent::Media(media) => media,
        other => panic!("{other:?} is no media"),
    };
    assert_eq!((media(1).class, media(1).mime.as_deref()), (MediaClass::Image, Some("image/png")));
    let report = media(2);
    assert_eq!(
        (report.name.as_deref(), report.context.as_deref(), report.citations),
        (Some("report"), Some("c"), Some(true))
    );
    assert!(matches!(&media(3).source, MediaSource::Parts(parts) if parts.len() == 1));
    assert_eq!(media(4).source, MediaSource::File { family: Family::Bedrock, id: Str::from_static("s3://b/v") });
    assert_eq!((media(5).class, media(5).mime.as_deref()), (MediaClass::Audio, Some("audio/mpeg")));
    assert!(matches!(&user[6].content, PartContent::Unknown { family: Family::Bedrock, .. }), "with its owner");
    assert_eq!(user[7].as_text().map(|text| &**text), Some("guarded"));
    assert_eq!((media(8).title.as_deref(), media(8).context.as_deref()), (Some("t"), Some("https://example.com")));
    let assistant = &request.turns[1].parts;
    let PartContent::Reasoning(thinking) = &assistant[0].content else { panic!("thinking") };
    assert_eq!((thinking.text.as_deref(), &*thinking.opaque[0].data), (Some("hm"), "sig"));
    let PartContent::Reasoning(withheld) = &assistant[1].content else { panic!("thinking") };
    assert_eq!((withheld.redacted, &*withheld.opaque[0].data), (true, "c2VjcmV0"));
    assert_eq!(assistant[2].citations[0].title.as_deref(), Some("report"));
    assert_eq!(
        assistant[4].cache,
        Some(CachePoint { ttl: Some(Str::from_static("5m")) }),
        "it covers what came before"
    );
    let results = &request.turns[2].parts;
    let PartContent::ToolResult(first) = &results[0].content else { panic!("a result") };
    assert_eq!(first.json.as_ref().map(RawJson::as_str), Some(r#"{"x":1}"#));
    let PartContent::ToolResult(second) = &results[1].content else { panic!("a result") };
    assert_eq!((second.is_error, second.parts.len()), (true, 3));
    assert_eq!(second.parts[1].as_text().map(|text| &**text), Some("[1]"));
}

#[test]
fn every_option_is_read() {
    let request = decode(&json!({
        "messages": [{"role": "user", "content": [{"text": "x"}]}],
        "inferenceConfig": {"maxTokens": 5000, "temperature": 0.5, "topP": 0.9, "stopSequences": ["a", ""]},
        "toolConfig": {
            "tools": [
                {"toolSpec": {"name": "f", "description": "d", "inputSchema": {"json": {"type": "object"}}, "strict": true}},
                {"cachePoint": {"type": "default"}},
                {"systemTool": {"name": "nova_grounding"}},
            ],
            "toolChoice": {"auto": {}},
        },
        "guardrailConfig": {"guardrailIdentifier": "g", "guardrailVersion": "1"},
        "additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 2048, "display": "omitted"}, "top_k": 7, "anthropic_beta": ["b"]},
        "additionalModelResponseFieldPaths": ["/x"],
        "requestMetadata": {"k": "v"},
        "performanceConfig": {"latency": "optimized"},
        "serviceTier": {"type": "flex"},
        "outputConfig": {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": "{\"type\":\"object\"}", "name": "n"}}}},
    }))
    .expect("all of it is known");
    assert_eq!((request.limits.max_output, request.limits.stop.len()), (Some(5000), 1));
    assert_eq!(
        (request.sampling.temperature, request.sampling.top_p, request.sampling.top_k),
        (Some(0.5), Some(0.9), Some(7))
    );
    assert!(matches!(&request.tools[0], Tool::Function { strict: Some(true), cache: Some(_), .. }));
    assert!(matches!(&request.tools[1], Tool::Server { family: Family::Bedrock, .. }));
    assert_eq!(request.tool_choice, ToolChoice::Auto);
    assert_eq!(request.reasoning.mode, ReasoningMode::Budget(2048));
    assert_eq!(request.reasoning.display, Some(Display::Omitted));
    assert_eq!((request.tier.as_deref(), request.safety.is_some()), (Some("flex"), true));
    assert!(matches!(&request.output.format, OutputFormat::JsonSchema { name: Some(_), .. }));
    let extra: Vec<_> = request.extra.iter().map(|(name, _)| &**name).collect();
    assert_eq!(extra, ["additionalModelRequestFields", "additionalModelResponseFieldPaths", "performanceConfig"]);
    let body = body_for(CLAUDE, &request);
    assert_eq!(body["additionalModelRequestFields"]["anthropic_beta"], json!(["b", "interleaved-thinking-2025-05-14"]));
    assert_eq!(body["performanceConfig"], json!({"latency": "optimized"}));
    assert_eq!(body["guardrailConfig"]["guardrailIdentifier"], "g");
    assert_eq!(body["additionalModelResponseFieldPaths"], json!(["/x"]), "the client's own, and nothing beside it");
    assert_eq!(body["serviceTier"], json!({"type": "flex"}));
}

#[test]
fn thinking_is_read_in_every_vendors_words() {
    let mode = |fields: Value| {
        let body =
            json!({"messages": [{"role": "user", "content": [{"text": "x"}]}], "additionalModelRequestFields": fields});
        decode(&body).expect("it is known").reasoning.mode
    };
    assert_eq!(
        mode(json!({"reasoning_config": {"type": "enabled", "budget_tokens": 1024}})),
        ReasoningMode::Budget(1024)
    );
    assert_eq!(
        mode(json!({"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}})),
        ReasoningMode::Effort(Effort::High)
    );
    assert_eq!(mode(json!({"thinking": {"type": "disabled"}})), ReasoningMode::Off);
    assert_eq!(mode(json!({"reasoning_effort": "low"})), ReasoningMode::Effort(Effort::Low));
    assert_eq!(
        mode(json!({"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "medium"}})),
        ReasoningMode::Effort(Effort::Medium)
    );
    assert_eq!(mode(json!({"reasoningConfig": {"type": "disabled"}})), ReasoningMode::Off);
}

#[test]
fn refusals_name_the_place() {
    let user = |content: Value| json!({"messages": [{"role": "user", "content": content}]});
    for (body, at) in [
        (json!({}), "/messages"),
        (json!({"messages": [5]}), "/messages"),
        (user(json!([{"hologram": {}}])), "/messages/0/content/0/hologram"),
        (user(json!([{}])), "/messages/0/content/0"),
        (user(json!([{"text": "a", "image": {}}])), "/messages/0/content/0"),
        (user(json!([{"image": {"format": "png"}}])), "/messages/0/content/0/image/source"),
        (user(json!([{"toolResult": {"content": []}}])), "/messages/0/content/0/toolResult/toolUseId"),
        (json!({"messages": [{"role": "robot", "content": []}]}), "/messages/0/role"),
        (json!({"system": [{"image": {"format": "png", "source": {"bytes": ""}}}], "messages": []}), "/system/0"),
        (json!({"messages": [], "inferenceConfig": {"maxTokens": 0}}), "/inferenceConfig/maxTokens"),
        (json!({"messages": [], "toolConfig": {"tools": [{"toolSpec": {}}]}}), "/toolConfig/tools/0/toolSpec/name"),
        (json!({"messages": [], "toolConfig": {"toolChoice": {"some": {}}}}), "/toolConfig/toolChoice"),
    ] {
        let error = decode(&body).expect_err("it is wrong");
        assert_eq!(error.param.as_deref(), Some(at), "{error}");
    }
}

#[test]
fn pitfall_25_tools_in_the_history_ask_for_tools_on_offer() {
    let request = after_a_call();
    let body = body_for(CLAUDE, &request);
    let stub = json!([{"toolSpec": {"name": "f", "description": "(unavailable)", "inputSchema": {"json": {"type": "object"}}}}]);
    assert_eq!(body["toolConfig"], json!({"tools": stub}));
    let refused = Request { tools: vec![tool("f"), tool("g")], tool_choice: ToolChoice::None, ..after_a_call() };
    let encoded = encode_for(CLAUDE, &refused).expect("can be carried");
    let config = &json_of(&encoded)["toolConfig"];
    assert_eq!(config["tools"].as_array().map(Vec::len), Some(1), "of those on offer, what was called");
    assert_eq!(config["tools"][0]["toolSpec"]["inputSchema"]["json"]["type"], "object");
    assert!(config.get("toolChoice").is_none());
    assert!(losses(&encoded).contains(&(Field::ToolChoice, LossLevel::Approx)));
    let plain = Request { tools: vec![tool("f")], tool_choice: ToolChoice::None, ..hello() };
    assert!(body_for(CLAUDE, &plain).get("toolConfig").is_none(), "without a history, none is none");
}

#[test]
fn choices_are_what_the_model_lets_itself_be_made_to() {
    let named =
        Request { tools: vec![tool("f"), tool("g")], tool_choice: ToolChoice::Named(Str::from_static("g")), ..hello() };
    let config = |model: &str, request: &Request| body_for(model, request)["toolConfig"].clone();
    assert_eq!(config(CLAUDE, &named)["toolChoice"], json!({"tool": {"name": "g"}}));
    assert_eq!(config("amazon.nova-pro-v1:0", &named)["toolChoice"], json!({"tool": {"name": "g"}}));
    let mistral = config("mistral.mistral-large-2407-v1:0", &named);
    assert_eq!((mistral["tools"].as_array().map(Vec::len), &mistral["toolChoice"]), (Some(1), &json!({"any": {}})));
    let llama = encode_for("us.meta.llama4-scout-17b-instruct-v1:0", &named).expect("can be carried");
    assert_eq!(json_of(&llama)["toolConfig"]["toolChoice"], json!({"auto": {}}));
    assert_eq!(losses(&llama), [(Field::ToolChoice, LossLevel::Approx)]);
    let allowed = ToolChoice::Allowed { names: vec![Str::from_static("f")], required: true };
    let allowed = config(CLAUDE, &Request { tool_choice: allowed, ..named });
    assert_eq!((allowed["tools"].as_array().map(Vec::len), &allowed["toolChoice"]), (Some(1), &json!({"any": {}})));
    let single = Request { tools: vec![tool("f")], parallel_tools: Some(false), ..hello() };
    assert_eq!(losses(&encode_for(CLAUDE, &single).expect("fits")), [(Field::ParallelTools, LossLevel::Approx)]);
}

#[test]
fn pitfall_20_and_21_ids_and_names_fit() {
    let id = "call|with.odd:characters and more than sixty-four of them, which is too long";
    let request = asking(vec![
        turn(Role::User, vec![Part::text("x")]),
        turn(Role::Assistant, vec![call(id, "{}")]),
        turn(Role::User, vec![result(id, "1")]),
    ]);
    for (model, longest) in [(CLAUDE, 64), ("mistral.mistral-large-2407-v1:0", 9)] {
        let body = body_for(model, &request);
        let sent = body["messages"][1]["content"][0]["toolUse"]["toolUseId"].as_str().expect("an id");
        assert!(sent.len() <= longest, "{sent}");
        assert_eq!(body["messages"][2]["content"][0]["toolResult"]["toolUseId"], sent);
    }
    let long = "a".repeat(70);
    let encoded = encode_for(CLAUDE, &Request { tools: vec![tool(&long)], ..hello() }).expect("fits");
    assert_eq!(&*encoded.renamed_tools[0].1, &*long);
    assert!(
        json_of(&encoded)["toolConfig"]["tools"][0]["toolSpec"]["name"].as_str().is_some_and(|name| name.len() <= 64)
    );
}

#[test]
fn pitfall_22_and_23_results_come_first_and_missing_ones_are_made_up() {
    let request = asking(vec![
        turn(Role::User, vec![Part::text("x")]),
        turn(Role::Assistant, vec![call("a", ""), call("b", "[1]")]),
        turn(Role::User, vec![Part::text("and"), result("b", "2"), result("z", "orphan")]),
    ]);
    let encoded = encode_for(CLAUDE, &request).expect("can be repaired");
    let body = json_of(&encoded);
    let calls = &body["messages"][1]["content"];
    assert_eq!(calls[0]["toolUse"]["input"], json!({}));
    assert_eq!(calls[1]["toolUse"]["input"], json!({"rawInvalidInput": "[1]"}));
    let answers = body["messages"][2]["content"].as_array().expect("a list");
    assert_eq!(answers[0]["toolResult"]["status"], "error");
    assert_eq!(answers[1]["toolResult"]["toolUseId"], "b");
    assert!(answers[2..].iter().all(|block| block.get("text").is_some()), "{answers:?}");
}

#[test]
fn errors_of_tools_are_told_to_every_model() {
    let mut request = after_a_call();
    if let PartContent::ToolResult(result) = &mut request.turns[2].parts[0].content {
        result.is_error = true;
    }
    assert_eq!(body_for(CLAUDE, &request)["messages"][2]["content"][0]["toolResult"]["status"], "error");
    let encoded = encode_for("us.meta.llama4-scout-17b-instruct-v1:0", &request).expect("can be told");
    let told = &json_of(&encoded)["messages"][2]["content"][0]["toolResult"];
    assert_eq!((&told["content"][0]["text"], told.get("status")), (&json!("[error]"), None));
    assert!(losses(&encoded).contains(&(Field::ToolError, LossLevel::Approx)));
}

#[test]
fn documents_are_named_and_never_alone() {
    let pdf = |name: Option<&str>| {
        let mut media = Media::new(
            MediaClass::Document,
            Some(Str::from_static("application/pdf")),
            MediaSource::Base64(Str::from_static("JVBE")),
        );
        media.name = name.map(Str::from);
        Part::new(PartContent::Media(media))
    };
    let request = asking(vec![turn(Role::User, vec![pdf(Some("a.pdf")), pdf(Some("a.pdf")), pdf(None)])]);
    let encoded = encode_for(CLAUDE, &request).expect("can be carried");
    let content = &json_of(&encoded)["messages"][0]["content"];
    let names: Vec<_> = (0..3).map(|at| content[at]["document"]["name"].as_str().expect("a name")).collect();
    assert_eq!(names, ["a-pdf", "a-pdf (2)", "document-3"]);
    assert!(content[3]["text"].is_string(), "a message with a document needs text");
    assert_eq!(losses(&encoded), [(Field::Document, LossLevel::Approx)]);
    let named = asking(vec![turn(Role::User, vec![pdf(None), Part::text("read it")])]);
    assert!(encode_for(CLAUDE, &named).expect("can be carried").losses.is_empty());
}

#[test]
fn pitfall_66_media_that_cannot_be_sent_is_refused() {
    let image = |source| Part::new(PartContent::Media(Media::new(MediaClass::Image, None, source)));
    let ask = |part| encode_for(CLAUDE, &asking(vec![turn(Role::User, vec![part])]));
    assert!(ask(image(MediaSource::Url(Str::from_static("https://example.com/a.png")))).is_err());
    assert!(ask(image(MediaSource::File { family: Family::OpenAi, id: Str::from_static("file-1") })).is_err());
    let s3 = ask(image(MediaSource::Url(Str::from_static("s3://bucket/a.png")))).expect("it can reach that");
    let source = &json_of(&s3)["messages"][0]["content"][0]["image"]["source"];
    assert_eq!(source["s3Location"]["uri"], "s3://bucket/a.png");
    let mut odd = Media::new(MediaClass::Image, None, MediaSource::Base64(Str::from_static("AAAA")));
    odd.mime = Some(Str::from_static("image/tiff"));
    assert!(ask(Part::new(PartContent::Media(odd))).expect_err("no such format").message.contains("image/tiff"));
}

#[test]
fn breakpoints_stand_behind_what_they_cover_and_the_last_four_go_out() {
    let cached = |mut part: Part| {
        part.cache = Some(CachePoint { ttl: Some(Str::from_static("1h")) });
        part
    };
    let mut request = asking(vec![turn(Role::User, (0..5).map(|n| cached(Part::text(format!("{n}")))).collect())]);
    request.system = vec![cached(Part::text("s"))];
    let encoded = encode_for(CLAUDE, &request).expect("fits");
    let body = json_of(&encoded);
    assert_eq!(body["system"], json!([{"text": "s"}]));
    let content = body["messages"][0]["content"].as_array().expect("a list");
    let points: Vec<_> =
        content.iter().enumerate().filter(|(_, block)| block.get("cachePoint").is_some()).map(|(at, _)| at).collect();
    assert_eq!(points, [2, 4, 6, 8], "{content:?}");
    assert_eq!(content[2], json!({"cachePoint": {"type": "default", "ttl": "1h"}}));
    assert_eq!(losses(&encoded), [(Field::CacheControl, LossLevel::Drop)]);
    let llama = encode_for("us.meta.llama4-scout-17b-instruct-v1:0", &request).expect("fits");
    assert!(!json_of(&llama).to_string().contains("cachePoint"));
    let nova = encode_for("amazon.nova-pro-v1:0", &request).expect("fits");
    assert!(losses(&nova).contains(&(Field::CacheControl, LossLevel::Drop)));
    assert!(json_of(&nova)["messages"][0]["content"][2]["cachePoint"].get("ttl").is_none());
}

#[test]
fn pitfall_43_only_own_thinking_goes_back() {
    let thinking = |family, data: &str| {
        let opaque = Opaque { family, kind: OpaqueKind::Signature, model: None, id: None, data: Str::from(data) };
        Part::new(PartContent::Reasoning(Reasoning {
            text: Some(Str::from_static("hm")),
            redacted: false,
            opaque: vec![opaque],
        }))
    };
    let ask = |model: &str, part| {
        let turns = vec![
            turn(Role::User, vec![Part::text("x")]),
            turn(Role::Assistant, vec![part, Part::text("y")]),
            turn(Role::User, vec![Part::text("z")]),
        ];
        encode_for(model, &asking(turns)).expect("can be carried")
    };
    let own = ask(CLAUDE, thinking(Family::Bedrock, "sig"));
    assert_eq!(
        json_of(&own)["messages"][1]["content"][0],
        json!({"reasoningContent": {"reasoningText": {"text": "hm", "signature": "sig"}}})
    );
    let sealed = sealer().seal(&Opaque {
        family: Family::Bedrock,
        kind: OpaqueKind::Signature,
        model: None,
        id: None,
        data: Str::from_static("inner"),
    });
    let unsealed = ask(CLAUDE, thinking(Family::OpenAi, &sealed));
    assert_eq!(
        json_of(&unsealed)["messages"][1]["content"][0]["reasoningContent"]["reasoningText"]["signature"],
        "inner"
    );
    for (model, family) in
        [(CLAUDE, Family::Anthropic), (CLAUDE, Family::Gemini), ("amazon.nova-pro-v1:0", Family::Bedrock)]
    {
        let dropped = ask(model, thinking(family, "sig"));
        assert_eq!(json_of(&dropped)["messages"][1]["content"], json!([{"text": "y"}]), "{model} {family:?}");
        assert_eq!(losses(&dropped), [(Field::ReasoningHistory, LossLevel::Drop)]);
    }
}

#[test]
fn pitfall_51_and_52_thinking_fits_its_model() {
    let thinking = |mode| {
        let mut request = hello();
        request.reasoning.mode = mode;
        request.sampling.temperature = Some(0.2);
        request.limits.max_output = Some(2000);
        request
    };
    let claude = encode_for(CLAUDE, &thinking(ReasoningMode::Budget(9000))).expect("fits");
    let body = json_of(&claude);
    assert_eq!(body["additionalModelRequestFields"]["thinking"], json!({"type": "enabled", "budget_tokens": 1999}));
    assert_eq!(body["inferenceConfig"], json!({"maxTokens": 2000}), "no temperature beside thinking");
    let newest = body_for("us.anthropic.claude-opus-5-5-v1:0", &thinking(ReasoningMode::Effort(Effort::High)));
    assert_eq!(newest["additionalModelRequestFields"]["thinking"]["type"], "adaptive");
    assert_eq!(newest["outputConfig"], json!({"effort": "high"}));
    let nova = encode_for("us.amazon.nova-2-lite-v1:0", &thinking(ReasoningMode::Effort(Effort::High))).expect("fits");
    assert_eq!(
        json_of(&nova)["additionalModelRequestFields"]["reasoningConfig"],
        json!({"type": "enabled", "maxReasoningEffort": "medium"}),
        "the highest effort takes no limit"
    );
    let open = body_for("openai.gpt-oss-120b-1:0", &thinking(ReasoningMode::Budget(2048)));
    assert_eq!(open["additionalModelRequestFields"], json!({"reasoning_effort": "low"}));
    let plain = encode_for("us.meta.llama4-scout-17b-instruct-v1:0", &thinking(ReasoningMode::Adaptive)).expect("fits");
    assert_eq!(losses(&plain), [(Field::Reasoning, LossLevel::Drop)]);
    let unset = body_for(
        CLAUDE,
        &Request {
            reasoning: crate::model::ReasoningSpec { mode: ReasoningMode::Budget(4096), display: None },
            ..hello()
        },
    );
    assert!(
        unset["inferenceConfig"]["maxTokens"].as_u64().is_some_and(|limit| limit > 4096),
        "the limit covers the budget"
    );
}

#[test]
fn pitfall_50_a_forced_tool_takes_precedence_over_thinking() {
    let mut request = Request { tools: vec![tool("f")], tool_choice: ToolChoice::Required, ..hello() };
    request.reasoning.mode = ReasoningMode::Budget(2048);
    let encoded = encode_for(CLAUDE, &request).expect("fits");
    assert_eq!(json_of(&encoded)["additionalModelRequestFields"]["thinking"], json!({"type": "disabled"}));
    assert!(losses(&encoded).contains(&(Field::Reasoning, LossLevel::Approx)));
}

#[test]
fn structured_output_is_asked_for_or_emulated() {
    let mut request = hello();
    request.output.format = OutputFormat::JsonSchema {
        name: Some(Str::from_static("person")),
        description: None,
        schema: raw(&json!({"type": "object", "properties": {}, "additionalProperties": false})),
        strict: Some(true),
    };
    let definition = &body_for(CLAUDE, &request)["outputConfig"]["textFormat"]["structure"]["jsonSchema"];
    assert_eq!(definition["name"], "person");
    assert!(serde_json::from_str::<Value>(definition["schema"].as_str().expect("a string")).expect("JSON").is_object());
    let nova = encode_for("amazon.nova-pro-v1:0", &request).expect("fits");
    assert_eq!(nova.json_tool.as_deref(), Some("json_answer"));
    assert_eq!(json_of(&nova)["toolConfig"]["toolChoice"], json!({"tool": {"name": "json_answer"}}));
    assert_eq!(losses(&nova), [(Field::ResponseFormat, LossLevel::Approx)]);
    request.output.format = OutputFormat::JsonObject;
    assert!(body_for(CLAUDE, &request)["system"][0]["text"].as_str().is_some_and(|text| text.contains("JSON")));
}

#[test]
fn pitfall_35_blank_stops_and_pitfall_64_blank_texts_stay_out() {
    let mut request = asking(vec![turn(Role::User, vec![Part::text(" "), Part::text("x")])]);
    request.limits.stop = vec![Str::from_static("\n"), Str::from_static("END")];
    let encoded = encode_for(CLAUDE, &request).expect("fits");
    let body = json_of(&encoded);
    assert_eq!(body["messages"][0]["content"], json!([{"text": "x"}]));
    assert_eq!(body["inferenceConfig"]["stopSequences"], json!(["END"]));
    assert_eq!(body["additionalModelResponseFieldPaths"], json!(["/stop_sequence"]), "to know which it was");
    assert_eq!(losses(&encoded), [(Field::Stop, LossLevel::Drop)]);
}

#[test]
fn pitfall_65_nothing_is_put_into_the_mouth_of_models_that_refuse_it() {
    let prefill =
        asking(vec![turn(Role::User, vec![Part::text("x")]), turn(Role::Assistant, vec![Part::text("It is ")])]);
    assert_eq!(body_for(CLAUDE, &prefill)["messages"][1]["content"], json!([{"text": "It is"}]));
    assert!(encode_for("anthropic.claude-opus-4-6-v1", &prefill).is_err());
    let open_call = asking(vec![turn(Role::User, vec![Part::text("x")]), turn(Role::Assistant, vec![call("a", "{}")])]);
    assert!(
        encode_for(CLAUDE, &open_call).is_err()
            || json_of(&encode_for(CLAUDE, &open_call).expect("ok"))["messages"][2].is_object()
    );
    let begins = asking(vec![turn(Role::Assistant, vec![Part::text("x")])]);
    assert!(encode_for(CLAUDE, &begins).is_err());
}

#[test]
fn who_asks_goes_into_the_metadata_as_far_as_it_fits() {
    let mut request = hello();
    request.identity.user = Some(Str::from_static("user-1"));
    request.identity.metadata = Some(raw(&json!({"team": "a", "bad\u{1f30a}": "x", "n": 5})));
    let encoded = encode_for(CLAUDE, &request).expect("fits");
    assert_eq!(json_of(&encoded)["requestMetadata"], json!({"team": "a", "user": "user-1"}));
    assert_eq!(losses(&encoded), [(Field::Metadata, LossLevel::Drop), (Field::User, LossLevel::Approx)]);
}

#[test]
fn pitfall_68_what_a_client_would_miss_is_refused() {
    let refused = |change: fn(&mut Request)| {
        let mut request = hello();
        change(&mut request);
        encode_for(CLAUDE, &request).is_err()
    };
    assert!(refused(|request| request.candidates = Some(2)));
    assert!(refused(|request| request.sampling.logprobs = true));
    assert!(refused(|request| request.output.modalities = vec![Str::from_static("audio")]));
    assert!(refused(|request| request.state.cached_content = Some(Str::from_static("c"))));
    assert!(refused(|request| request.limits.max_output = Some(0)), "zero is not unset");
}
