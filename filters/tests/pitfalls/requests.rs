//! Requests: order, schemas, emptiness, addresses, limits, strictness.

use lockgate_filters::{
    dialects::upstreams,
    model::{Field, Media, MediaClass, MediaSource, Part, PartContent, Request, Role, Str, Tool},
};
use serde_json::{Value, json};

use crate::support::{
    asking, body_of, call, conversing, decode, dialect, encode, encode_for, result, served, tool, tool_with, turn, user,
};

#[test]
fn pitfall_62_members_keep_the_clients_order_and_come_out_alike_each_time() {
    let schema = r#"{"type":"object","properties":{"zebra":{"type":"string"},"apple":{"type":"integer"},"mango":{"type":"string"}},"required":["zebra"]}"#;
    let turns = vec![
        user("go"),
        turn(Role::Assistant, vec![call("call_1", r#"{"zz":1,"aa":{"yy":2,"bb":3}}"#)]),
        turn(Role::User, vec![result("call_1", "1")]),
    ];
    let request = Request { tools: vec![tool_with("f", schema), tool("e")], ..asking(turns) };
    for to in conversing() {
        for model in [crate::support::model_of(to), "gemini-2.0-flash", "gpt-5.1", "claude-opus-4-8"] {
            let Ok(encoded) = encode_for(to, model, &request) else { panic!("{} refuses", to.name()) };
            let again = encode_for(to, model, &request).expect("it was taken before");
            assert_eq!(encoded.body, again.body, "{}: the same bytes each time", to.name());
            let body = String::from_utf8(encoded.body.to_vec()).expect("a body is text").replace('\\', "");
            let at = |word: &str| body.find(word).unwrap_or_else(|| panic!("{}: no {word} in {body}", to.name()));
            assert!(at("\"zebra\"") < at("\"apple\"") && at("\"apple\"") < at("\"mango\""), "{}: {body}", to.name());
            assert!(at("\"zz\"") < at("\"aa\"") && at("\"yy\"") < at("\"bb\""), "{}: {body}", to.name());
        }
    }
    // One of the hosts caches by the order of members, so that what grows stands last.
    let encoded = encode(dialect("anthropic"), &request).expect("it can be carried");
    let body = String::from_utf8(encoded.body.to_vec()).expect("a body is text");
    assert!(body.find("\"tools\":") < body.find("\"messages\":"), "{body}");
    assert!(body.ends_with("}]}]}"), "nothing stands behind the conversation: {body}");
}

/// Everything that some vendor refuses, and properties that are only named like it.
const SCHEMA: &str = r##"{"$schema":"http://json-schema.org/draft-07/schema#","$id":"x","type":"object","title":"T",
    "properties":{"const":{"type":"string"},"additionalProperties":{"type":"string","contentEncoding":"base64"},
        "kind":{"const":"a"},"either":{"oneOf":[{"type":"string"},{"type":"null"}]},"ref":{"$ref":"#/$defs/d"},
        "many":{"type":"array","items":{"type":"object","properties":{"x":{"type":"integer","exclusiveMinimum":0}},"additionalProperties":false}}},
    "required":["const","kind"],"additionalProperties":false,"$defs":{"d":{"type":"object","properties":{"y":{"type":"string"}}}}}"##;

/// All names of members of schemas, those of properties aside.
fn keywords(schema: &Value, found: &mut Vec<String>) {
    match schema {
        Value::Object(members) => {
            for (name, value) in members {
                found.push(name.clone());
                match (name.as_str(), value) {
                    ("properties" | "$defs", Value::Object(properties)) => {
                        properties.values().for_each(|property| keywords(property, found));
                    }
                    _ => keywords(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| keywords(item, found)),
        _ => {}
    }
}

#[test]
fn pitfall_63_a_schema_is_cut_to_what_its_reader_takes_wherever_it_comes_from() {
    let openapi = [
        "$schema",
        "$id",
        "$ref",
        "$defs",
        "const",
        "additionalProperties",
        "contentEncoding",
        "oneOf",
        "exclusiveMinimum",
    ];
    for (model, pointer, refused) in [
        ("gemini-2.0-flash", "/tools/0/functionDeclarations/0/parameters", &openapi[..]),
        ("gemini-3-flash", "/tools/0/functionDeclarations/0/parametersJsonSchema", &["$schema", "$id"]),
    ] {
        let mut request = Request { tools: vec![tool_with("f", SCHEMA)], ..asking(vec![user("go")]) };
        request.output.format = lockgate_filters::model::OutputFormat::JsonSchema {
            name: None,
            description: None,
            schema: lockgate_filters::model::RawJson::parse(Str::from_static(SCHEMA)).expect("JSON"),
            strict: None,
        };
        let encoded = encode_for(dialect("gemini"), model, &request).expect("it can be carried");
        let body: Value = serde_json::from_slice(&encoded.body).expect("JSON");
        let tool = body.pointer(pointer).unwrap_or_else(|| panic!("{model}: {body}"));
        let formats = ["responseSchema", "responseJsonSchema"].map(|name| &body["generationConfig"][name]);
        for schema in [tool].into_iter().chain(formats).filter(|schema| schema.is_object()) {
            let mut found = Vec::new();
            keywords(schema, &mut found);
            for word in refused {
                assert!(!found.iter().any(|keyword| keyword == word), "{model}: `{word}` in {schema}");
            }
            let properties: Vec<&str> =
                schema["properties"].as_object().expect("it has properties").keys().map(String::as_str).collect();
            assert_eq!(properties, ["const", "additionalProperties", "kind", "either", "ref", "many"], "{model}");
            assert_eq!(schema["required"], json!(["const", "kind"]), "{model}: what is required is there");
            let kind = &schema["properties"]["kind"];
            assert!(kind["enum"] == json!(["a"]) || kind["const"] == "a", "{model}: by one word or another: {kind}");
        }
    }
}

fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            if let Some(text) = members.get("text").and_then(Value::as_str) {
                found.push(text.to_owned());
            }
            members.values().for_each(|value| texts(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        _ => {}
    }
}

#[test]
fn pitfall_64_blank_texts_stay_out_where_they_are_refused() {
    let turns = vec![
        user(""),
        turn(Role::User, vec![Part::text(" \n"), Part::text("x")]),
        turn(Role::Assistant, vec![Part::text(""), call("call_1", "{}")]),
        turn(Role::User, vec![result("call_1", ""), Part::text("")]),
        turn(Role::Assistant, vec![Part::text("  ")]),
        user("y"),
    ];
    let request = Request {
        system: vec![Part::text(""), Part::text(" "), Part::text("s")],
        tools: vec![tool("f")],
        ..asking(turns)
    };
    for name in ["anthropic", "bedrock_converse"] {
        let body = body_of(dialect(name), &request);
        let mut found = Vec::new();
        texts(&body, &mut found);
        assert!(found.iter().all(|text| !text.trim().is_empty()), "{name}: {found:?} in {body}");
        let said = ["s", "x", "y"].iter().all(|text| found.iter().any(|found| found == text));
        assert!(said, "{name}: what was said is there: {found:?}");
        let empty = body["messages"].as_array().expect("a list").iter().any(|message| message["content"] == json!([]));
        assert!(!empty, "{name}: no message is empty: {body}");
    }
}

#[test]
fn pitfall_65_the_gateway_never_puts_words_into_a_models_mouth() {
    let prefilled = asking(vec![user("x"), turn(Role::Assistant, vec![Part::text("It is")])]);
    let refused = [("anthropic", "claude-opus-4-6"), ("bedrock_converse", "anthropic.claude-opus-4-6-v1")];
    for (name, model) in refused {
        assert!(encode_for(dialect(name), model, &prefilled).is_err(), "{model} refuses beginnings");
        // What the client ended with is blank: it must not leave the answer before it as a beginning.
        for last in [vec![Part::text("  ")], vec![]] {
            let turns = vec![user("x"), turn(Role::Assistant, vec![Part::text("It is.")]), turn(Role::User, last)];
            match encode_for(dialect(name), model, &asking(turns)) {
                Err(error) => assert!(!error.message.is_empty()),
                Ok(encoded) => {
                    let body: Value = serde_json::from_slice(&encoded.body).expect("JSON");
                    let last = body["messages"].as_array().and_then(|messages| messages.last()).expect("a message");
                    assert_eq!(last["role"], "user", "{name}: {body}");
                }
            }
        }
    }
    // Wherever the last word is the user's, it stays so.
    let turns = vec![
        user("x"),
        turn(Role::Assistant, vec![call("call_1", "{}")]),
        turn(Role::User, vec![result("call_1", "1")]),
        turn(Role::System, vec![Part::text("be brief")]),
    ];
    let request = Request { tools: vec![tool("f")], ..asking(turns) };
    for to in conversing() {
        let turns = crate::support::sent(to, &request);
        assert_ne!(turns.last().map(|turn| turn.role), Some(Role::Assistant), "{}", to.name());
    }
}

#[test]
fn pitfall_66_an_address_is_sent_refused_or_fetched_but_never_dropped() {
    let url = "https://example.com/cat.png";
    for to in upstreams() {
        let media =
            Media::new(MediaClass::Image, Some(Str::from_static("image/png")), MediaSource::Url(Str::from(url)));
        let taken = to.takes_url(&media, &[]);
        let part = Part::new(PartContent::Media(media));
        let model = if to.name() == "cohere" { "command-a-vision-07-2025" } else { crate::support::model_of(to) };
        let sent = encode_for(to, model, &asking(vec![turn(Role::User, vec![Part::text("see"), part])]));
        match sent {
            Ok(encoded) => {
                let body = String::from_utf8(encoded.body.to_vec()).expect("a body is text");
                assert!(taken && body.contains(url), "{}: {body}", to.name());
            }
            Err(error) => {
                // Where the upstream fetches nothing, the gateway does before encoding; here nobody did.
                assert!(!taken && !error.message.is_empty(), "{}: {error}", to.name());
            }
        }
    }
}

#[test]
fn pitfall_68_no_tokens_is_not_no_limit() {
    let mut request = asking(vec![user("x")]);
    request.limits.max_output = Some(0);
    for to in upstreams() {
        let error = encode(to, &request).map(|encoded| encoded.body).expect_err(to.name());
        assert!(error.param.is_some(), "{}: {error}", to.name());
    }
    let question = json!([{"role": "user", "content": "x"}]);
    let contents = json!([{"role": "user", "parts": [{"text": "x"}]}]);
    let messages = json!([{"role": "user", "content": [{"text": "x"}]}]);
    for (name, body) in [
        ("openai", json!({"model": "m", "messages": question, "max_tokens": -1})),
        ("openai", json!({"model": "m", "messages": question, "max_completion_tokens": -1})),
        ("anthropic", json!({"model": "m", "messages": question, "max_tokens": -1})),
        ("gemini", json!({"contents": contents, "generationConfig": {"maxOutputTokens": -1}})),
        ("bedrock", json!({"messages": messages, "inferenceConfig": {"maxTokens": -1}})),
        ("cohere", json!({"model": "m", "messages": question, "max_tokens": -1})),
    ] {
        assert!(decode(served(name), body.to_string().as_bytes()).is_err(), "{name}: {body}");
        let zero = body.to_string().replace("-1", "0");
        let read = decode(served(name), zero.as_bytes());
        assert!(read.is_err() || read.is_ok_and(|read| read.limits.max_output == Some(0)), "{name}: {zero}");
    }
    let request = lockgate_filters::dialects::find("openai", "llm/v1/responses").expect("it is in the table");
    let body = json!({"model": "m", "input": "x", "max_output_tokens": -1});
    assert!(decode(request, body.to_string().as_bytes()).is_err());
}

#[test]
fn pitfall_70_strictness_is_said_whenever_it_crosses() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"],
        "additionalProperties": false});
    let chat = |strict: Option<bool>| {
        let mut function = json!({"name": "f", "parameters": schema});
        if let Some(strict) = strict {
            function["strict"] = json!(strict);
        }
        let body = json!({"model": "m", "messages": [{"role": "user", "content": "x"}],
            "tools": [{"type": "function", "function": function}]});
        decode(served("openai"), body.to_string().as_bytes()).expect("it is good")
    };
    let responses = |strict: Option<bool>| {
        let mut tool = json!({"type": "function", "name": "f", "parameters": schema});
        if let Some(strict) = strict {
            tool["strict"] = json!(strict);
        }
        let body = json!({"model": "m", "input": "x", "tools": [tool]});
        decode(dialect("openai_responses"), body.to_string().as_bytes()).expect("it is good")
    };
    for (said, to_responses, to_chat) in [(None, false, true), (Some(true), true, true), (Some(false), false, false)] {
        let sent = body_of(dialect("openai_responses"), &chat(said));
        assert_eq!(sent["tools"][0]["strict"], json!(to_responses), "chat says {said:?}");
        let sent = body_of(dialect("openai_chat"), &responses(said));
        assert_eq!(sent["tools"][0]["function"]["strict"], json!(to_chat), "responses say {said:?}");
    }
    let unsaid =
        Tool::Function { name: Str::from_static("f"), description: None, schema: None, strict: None, cache: None };
    let sent = body_of(dialect("openai_responses"), &Request { tools: vec![unsaid], ..asking(vec![user("x")]) });
    assert_eq!(sent["tools"][0]["strict"], json!(false), "where others are lax unless told, so is it here");
    let lost = encode(dialect("openai_responses"), &chat(Some(true))).expect("it can be carried").losses;
    assert!(!lost.iter().any(|loss| loss.field == Field::ToolStrict));
}
