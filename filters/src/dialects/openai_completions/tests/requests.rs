//! Requests and whole answers, fact by fact.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::model::{
    Candidate, Field, Finish, FinishReason, LossLevel, OutputFormat, Part, PartContent, Reasoning, ReasoningMode, Role,
    Tool, ToolChoice, Turn,
};

fn with(member: &str, value: Value) -> Value {
    let mut body = json!({"model": "m", "prompt": "Once"});
    body[member] = value;
    body
}

fn said(role: Role, text: &str) -> Turn {
    Turn { role, parts: vec![Part::text(text)], name: None }
}

fn talk(turns: Vec<Turn>) -> Request {
    Request { model: Str::from_static("m"), turns, origin: Some("another"), ..Request::default() }
}

fn losses(encoded: &Encoded) -> Vec<(Field, LossLevel)> {
    encoded.losses.iter().map(|loss| (loss.field, loss.level)).collect()
}

#[test]
fn a_prompt_is_one_text() {
    for prompt in [json!("Once"), json!(["Once"])] {
        let request = decode(&with("prompt", prompt)).expect("it is one text");
        assert_eq!(request.turns, [said(Role::User, "Once")]);
    }
    for (prompt, words) in [
        (json!([1, 2, 3]), "tokens"),
        (json!([[1, 2], [3]]), "tokens"),
        (json!(["a", "b"]), "several prompts"),
        (json!([]), "empty"),
        (json!(""), "empty"),
        (json!(null), "must be the text"),
        (json!({}), "a string"),
    ] {
        let error = decode(&with("prompt", prompt.clone())).expect_err("it cannot be carried");
        assert_eq!(error.param.as_deref(), Some("prompt"));
        assert!(error.message.contains(words), "{prompt}: {}", error.message);
    }
}

#[test]
fn what_only_this_wire_has_is_refused_where_it_would_be_missed() {
    for (member, value) in [("suffix", json!(" end")), ("echo", json!(true)), ("best_of", json!(3))] {
        let error = decode(&with(member, value)).expect_err("a client would miss it");
        assert_eq!((error.param.as_deref(), error.code.as_deref()), (Some(member), Some("unsupported_parameter")));
    }
    for (member, value) in
        [("suffix", json!("")), ("echo", json!(false)), ("best_of", json!(1)), ("suffix", json!(null))]
    {
        assert!(decode(&with(member, value)).is_ok(), "{member} asks for nothing");
    }
    let mut several = with("best_of", json!(2));
    several["n"] = json!(2);
    assert_eq!(decode(&several).expect("it asks for two of two").candidates, Some(2));
    let twice = Bytes::from_static(br#"{"model":"m","prompt":"a","prompt":"b"}"#);
    assert!(OpenAiCompletions.decode_request(&CallHead::default(), &twice).is_err());
    assert!(decode(&json!({"prompt": "a"})).is_err() && decode(&with("n", json!(0))).is_err());
}

#[test]
fn settings_go_both_ways() {
    let body = json!({
        "model": "m", "prompt": "Once", "max_tokens": 5, "temperature": 0.5, "top_p": 0.9, "frequency_penalty": 1.0,
        "presence_penalty": -1.0, "seed": 7, "logit_bias": {"50256": -100}, "logprobs": 2, "n": 2, "stop": ["END"],
        "user": "u", "stream": true, "stream_options": {"include_usage": false}, "min_tokens": 3,
    });
    let request = decode(&body).expect("it is good");
    assert_eq!((request.sampling.logprobs, request.sampling.top_logprobs), (true, Some(2)));
    assert_eq!(request.stream.map(|stream| stream.include_usage), Some(false));
    let (mut found, encoded) = encode(&request).expect("it can go back");
    assert!(encoded.losses.is_empty(), "{:?}", encoded.losses);
    assert_eq!(found["stream_options"], json!({"include_usage": true}));
    found["stream_options"] = json!({"include_usage": false});
    for name in ["frequency_penalty", "presence_penalty"] {
        assert_eq!(found[name].as_f64(), body[name].as_f64());
        found[name] = body[name].clone();
    }
    assert_eq!(found, body);
    assert_eq!(decode(&with("logit_bias", json!({}))).expect("it is good").sampling.logit_bias, None);
    assert_eq!(decode(&with("stop", json!("END"))).expect("it is good").limits.stop, ["END"]);
    assert!(decode(&with("stream_options", json!({"include_usage": true}))).expect("it is good").stream.is_none());
}

#[test]
fn one_message_is_its_own_prompt() {
    let (body, encoded) = encode(&talk(vec![said(Role::User, "Once upon")])).expect("it is text");
    assert_eq!((&body["prompt"], &body["max_tokens"]), (&json!("Once upon"), &json!(1024)));
    assert_eq!(body.get("stop"), None);
    assert_eq!(losses(&encoded), [(Field::Messages, LossLevel::Approx)]);
}

#[test]
fn a_conversation_is_a_transcript() {
    let mut request = talk(vec![
        said(Role::User, "Hi."),
        said(Role::Assistant, "Hello."),
        said(Role::System, "Be terse."),
        said(Role::User, "Who?"),
    ]);
    request.system = vec![Part::text("You are kind.")];
    request.limits.stop = vec![Str::from_static("END")];
    let (body, encoded) = encode(&request).expect("it is text");
    let expected = "You are kind.\n\nUser: Hi.\n\nAssistant: Hello.\n\nBe terse.\n\nUser: Who?\n\nAssistant:";
    assert_eq!((&body["prompt"], &body["stop"]), (&json!(expected), &json!(["END", "\nUser:"])));
    let mut found = losses(&encoded);
    found.sort_by_key(|(field, _)| format!("{field:?}"));
    let approx = |field| (field, LossLevel::Approx);
    let lost = [Field::Messages, Field::Stop, Field::System, Field::SystemMid];
    assert_eq!(found, lost.map(approx));
    request.turns.push(said(Role::Assistant, "I am"));
    let (body, _) = encode(&request).expect("it is text");
    assert!(body["prompt"].as_str().expect("text").ends_with("Assistant: I am"), "a begun answer goes on");
    assert!(encode(&talk(Vec::new())).is_err(), "there is nothing to continue");
}

#[test]
fn what_a_client_would_miss_is_refused() {
    let plain = || talk(vec![said(Role::User, "x")]);
    let tool =
        Tool::Function { name: Str::from_static("f"), description: None, schema: None, strict: None, cache: None };
    let mut tools = plain();
    tools.tools = vec![tool];
    let mut json_answer = plain();
    json_answer.output.format = OutputFormat::JsonObject;
    let mut loud = plain();
    loud.output.modalities = vec![Str::from_static("audio")];
    let mut calling = plain();
    calling.turns.push(Turn {
        role: Role::Assistant,
        parts: vec![Part::new(PartContent::ToolCall(crate::model::ToolCall {
            id: Str::from_static("a"),
            name: Str::from_static("f"),
            kind: crate::model::CallKind::Function,
            args: Str::from_static("{}"),
        }))],
        name: None,
    });
    for (request, param) in
        [(&tools, "tools"), (&json_answer, "response_format"), (&loud, "modalities"), (&calling, "messages")]
    {
        assert_eq!(encode(request).expect_err("it cannot be carried").param.as_deref(), Some(param));
    }
    tools.tool_choice = ToolChoice::None;
    tools.reasoning.mode = ReasoningMode::Adaptive;
    tools.sampling.top_k = Some(4);
    tools.sampling.logprobs = true;
    tools.sampling.top_logprobs = Some(20);
    let (body, encoded) = encode(&tools).expect("no tool is to be called");
    assert_eq!(body["logprobs"], 5);
    let lost: Vec<_> = losses(&encoded);
    for field in [Field::Tools, Field::Reasoning, Field::TopK] {
        assert!(lost.contains(&(field, LossLevel::Drop)), "{field:?}: {lost:?}");
    }
    assert!(lost.contains(&(Field::Logprobs, LossLevel::Approx)));
}

#[test]
fn log_probabilities_are_columns_here_and_rows_in_the_model() {
    let columns = json!({
        "tokens": ["Hé", " there", "bytes:\\xe2\\x82"], "token_logprobs": [-0.5, null, -1.25],
        "top_logprobs": [{"Hé": -0.5, "Hi": -1}, null, {"bytes:\\xe2\\x82": -1.25}], "text_offset": [9, 11, 17],
    });
    let body = json!({"id": "c", "object": "text_completion", "created": 1, "model": "m",
        "choices": [{"text": "Hé there€", "index": 0, "logprobs": columns, "finish_reason": "stop"}]});
    let response = OpenAiCompletions.decode_response(&Bytes::from(body.to_string())).expect("it is good");
    let rows = response.candidates[0].logprobs.as_ref().expect("they are kept").to_value();
    let first = json!({"token": "Hé", "logprob": -0.5, "bytes": [72, 195, 169], "top_logprobs": [
        {"token": "Hé", "logprob": -0.5, "bytes": [72, 195, 169]}, {"token": "Hi", "logprob": -1, "bytes": [72, 105]}]});
    assert_eq!(rows["content"][0], first);
    assert_eq!((&rows["content"][1]["logprob"], &rows["content"][1]["top_logprobs"]), (&json!(-9999.0), &json!([])));
    assert_eq!(rows["content"][2]["bytes"], json!([226, 130]));
    let again: Value = serde_json::from_slice(&OpenAiCompletions.encode_response(&response, &reply())).expect("JSON");
    let found = &again["choices"][0]["logprobs"];
    assert_eq!(found["tokens"], columns["tokens"]);
    assert_eq!(found["top_logprobs"][0], json!({"Hé": -0.5, "Hi": -1}));
    assert_eq!(found["text_offset"], json!([0, 2, 8]), "positions are those of the text that is sent");
}

#[test]
fn an_answer_is_its_text_alone() {
    let reasoning = Reasoning { text: Some(Str::from_static("secret")), ..Reasoning::default() };
    let candidate =
        |parts: Vec<Part>, reason| Candidate { index: 0, parts, finish: Finish::new(reason), logprobs: None };
    let choice = |candidates: Vec<Candidate>| {
        let response = Response { candidates, ..Response::default() };
        let body: Value =
            serde_json::from_slice(&OpenAiCompletions.encode_response(&response, &reply())).expect("JSON");
        assert_eq!((&body["object"], &body["id"]), (&json!("text_completion"), &json!("cmpl-minted")));
        body["choices"][0].clone()
    };
    let parts = vec![Part::new(PartContent::Reasoning(reasoning)), Part::text("a"), Part::text("b")];
    let expected = json!({"text": "ab", "index": 0, "logprobs": null, "finish_reason": "stop"});
    assert_eq!(choice(vec![candidate(parts, FinishReason::Stop)]), expected);
    let refusal = vec![Part::new(PartContent::Refusal(Str::from_static("No.")))];
    assert_eq!(choice(vec![candidate(refusal, FinishReason::Stop)])["finish_reason"], "content_filter");
    assert_eq!(choice(vec![candidate(Vec::new(), FinishReason::ContextFull)])["finish_reason"], "length");
    assert_eq!(choice(vec![candidate(Vec::new(), FinishReason::ToolCalls)])["finish_reason"], "stop");
    assert_eq!(choice(Vec::new())["text"], "", "an answer has a choice");
}

#[test]
fn errors_in_a_success_are_errors() {
    for body in [
        r#"{"error":{"message":"no","type":"server_error"}}"#,
        r#"{"object":"error","message":"no","code":400}"#,
        r#"{"choices":[]}"#,
        "[]",
    ] {
        assert!(OpenAiCompletions.decode_response(&Bytes::from_static(body.as_bytes())).is_err(), "{body}");
    }
}

proptest! {
    #[test]
    fn what_is_not_reported_survives(
        text in "[ -~é\n]{1,40}", limit in 1u64..9, temperature in prop::option::of((0u8..200).prop_map(|hundredths| f64::from(hundredths) / 100.0)), seed in prop::option::of(any::<i64>()),
        stop in prop::collection::vec("[a-z]{1,4}", 0..4), count in prop::option::of(1u32..4), streamed in any::<bool>(),
    ) {
        let mut request = talk(vec![said(Role::User, &text)]);
        request.limits.max_output = Some(limit);
        request.limits.stop = stop.iter().map(|stop| Str::from(stop.as_str())).collect();
        request.sampling.temperature = temperature;
        request.sampling.seed = seed;
        request.candidates = count;
        request.stream = streamed.then(crate::model::StreamSpec::default);
        let (body, encoded) = encode(&request).expect("it is text");
        prop_assert_eq!(losses(&encoded), vec![(Field::Messages, LossLevel::Approx)]);
        let again = decode(&body).expect("it is our own");
        prop_assert_eq!(again.turns, request.turns);
        prop_assert_eq!((again.limits, again.sampling, again.candidates), (request.limits, request.sampling, request.candidates));
        prop_assert_eq!(again.stream.is_some(), streamed);
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), json in "[\\[\\]{}\":,a-z0-9 ]{0,80}") {
        for body in [Bytes::from(bytes), Bytes::from(json)] {
            drop(OpenAiCompletions.inspect(&CallHead::default(), &body));
            drop(OpenAiCompletions.decode_request(&CallHead::default(), &body));
            drop(OpenAiCompletions.decode_response(&body));
            OpenAiCompletions.inspect_response(&body);
            OpenAiCompletions.decode_error(500, &body);
            let mut decoder = OpenAiCompletions.stream_decoder();
            if decoder.feed(body, &mut Vec::new()).is_ok() {
                drop(decoder.finish(&mut Vec::new()));
            }
        }
    }
}
