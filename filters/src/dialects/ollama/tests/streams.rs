//! Facts of streams and whole answers.

use serde_json::json;

use super::*;
use crate::{
    dialects::TapSpec,
    model::{
        CallKind, Delta, ErrorClass, FilterError, Finish, FinishReason, PartContent, PartKey, PartKind, PartStart,
        RawJson, Start, ToolCall, Usage,
    },
};

fn line(message: &str, rest: &str) -> String {
    format!("{{\"model\":\"m\",\"created_at\":\"2024-05-24T20:26:46.2Z\",\"message\":{message}{rest}}}\n")
}

fn say(text: &str) -> String {
    line(&json!({"role": "assistant", "content": text}).to_string(), ",\"done\":false")
}

const END: &str = concat!(
    r#"{"model":"m","created_at":"2024-05-24T20:26:47.8Z","message":{"role":"assistant","content":""},"#,
    r#""done_reason":"stop","done":true,"total_duration":1,"prompt_eval_count":17,"eval_count":50}"#,
    "\n"
);

fn calls_of(response: &Response) -> Vec<&ToolCall> {
    let parts = response.candidates[0].parts.iter();
    parts
        .filter_map(|part| match &part.content {
            PartContent::ToolCall(call) => Some(call),
            _ => None,
        })
        .collect()
}

#[test]
fn a_line_with_thinking_and_words_says_the_thinking_first() {
    let both = line(r#"{"role":"assistant","content":"So.","thinking":"Hm."}"#, ",\"done\":false");
    let response = fold(&events(&[(both + END).as_bytes()])).expect("a whole answer");
    let kinds: Vec<bool> =
        response.candidates[0].parts.iter().map(|part| matches!(part.content, PartContent::Reasoning(_))).collect();
    assert_eq!(kinds, [true, false]);
    assert_eq!(response.created, 1_716_582_406);
    assert_eq!(response.usage.map(|usage| (usage.input(), usage.output())), Some((17, 50)));
}

#[test]
fn pitfall_15_and_16_and_29_parallel_calls_of_one_tool_stay_apart() {
    let call = |city: &str| {
        line(
            &json!({"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f", "arguments": {"city": city}}}]})
                .to_string(),
            ",\"done\":false",
        )
    };
    let response = fold(&events(&[(call("A") + &call("B") + END).as_bytes()])).expect("a whole answer");
    let calls = calls_of(&response);
    assert_eq!(calls.iter().map(|call| &*call.args).collect::<Vec<_>>(), [r#"{"city":"A"}"#, r#"{"city":"B"}"#]);
    assert_ne!(calls[0].id, calls[1].id, "the name is no id, and each call has one of its own");
    assert_eq!(response.candidates[0].finish.reason, FinishReason::ToolCalls, "`stop` with calls");
}

#[test]
fn pitfall_19_and_30_a_length_is_not_masked_by_calls() {
    let text = line(
        r#"{"role":"assistant","tool_calls":[{"function":{"name":"f"}}]}"#,
        ",\"done\":true,\"done_reason\":\"length\"",
    );
    let response = fold(&events(&[text.as_bytes()])).expect("a whole answer");
    assert_eq!(response.candidates[0].finish.reason, FinishReason::Length);
    assert_eq!(&*calls_of(&response)[0].args, "{}", "no arguments are an empty object");
}

#[test]
fn pitfall_13_and_31_the_last_line_may_hold_words() {
    let last = line(r#"{"role":"assistant","content":"end"}"#, ",\"done\":true");
    let response = fold(&events(&[(say("the ") + &last).as_bytes()])).expect("a whole answer");
    assert_eq!(response.candidates[0].parts[0].as_text().map(|text| &**text), Some("the end"));
    assert_eq!(response.candidates[0].finish.reason, FinishReason::Stop, "old servers give no reason");
    assert_eq!(response.usage, None);
}

#[test]
fn pitfall_4_an_error_line_is_an_error() {
    let all = events(&[(say("a") + "{\"error\":\"an error was encountered while running the model\"}\n").as_bytes()]);
    let [.., Event::Error(error), Event::End] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!(
        (error.class, &*error.message),
        (ErrorClass::Upstream, "an error was encountered while running the model")
    );
}

#[test]
fn pitfall_5_a_stream_without_its_end_is_cut_off() {
    for (text, code) in [
        (say("a"), "stream_truncated"),
        (say("a") + "{\"model\":\"m\",\"mess", "stream_truncated"),
        (String::new(), "empty_stream"),
    ] {
        let all = events(&[text.as_bytes()]);
        let [.., Event::Error(error), Event::End] = all.as_slice() else { panic!("{all:?}") };
        assert_eq!(error.code.as_deref(), Some(code), "{text}");
    }
}

#[test]
fn pitfall_7_nothing_is_read_behind_the_end() {
    let all = events(&[(END.to_owned() + "garbage\n{{{").as_bytes()]);
    assert!(matches!(all.as_slice(), [Event::Start(_), Event::Usage(_), Event::Finish { .. }, Event::End]), "{all:?}");
}

#[test]
fn garbage_is_refused() {
    let mut decoder = Ollama.stream_decoder();
    let fed = decoder.feed(Bytes::from_static(b"<html>\n"), &mut Vec::new());
    assert!(matches!(fed, Err(FilterError::Malformed { .. })));
}

#[test]
fn a_text_line_is_read_without_a_copy_by_what_was_learnt() {
    let mut decoder = Ollama.stream_decoder();
    let mut events = Vec::new();
    for text in ["a", "b"] {
        decoder.feed(Bytes::from(say(text)), &mut events).expect("good");
    }
    let chunk = Bytes::from(say("größer").replace("46.2Z", "46.987654Z"));
    events.clear();
    decoder.feed(chunk.clone(), &mut events).expect("good");
    let [Event::Delta { delta: Delta::Text(text), .. }] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(&**text, "größer");
    assert!(chunk.as_ptr_range().contains(&text.as_bytes().as_ptr()), "the text was copied");
}

#[test]
fn whatever_ends_a_text_is_seen_by_the_parser() {
    let thinking = line(r#"{"role":"assistant","content":"","thinking":"Hm."}"#, ",\"done\":false");
    let stream = say("a") + &say("b") + &thinking + &thinking + &say("c") + &say("d\\\"") + END;
    let response = fold(&events(&[stream.as_bytes()])).expect("a whole answer");
    let texts: Vec<&str> =
        response.candidates[0].parts.iter().filter_map(|part| part.as_text()).map(|text| &**text).collect();
    assert_eq!(texts, ["ab", "cd\\\""]);
}

fn started(part: u32, kind: PartKind) -> Event {
    Event::PartStart(Box::new(PartStart { candidate: 0, part: PartKey(part), kind }))
}

fn delta(part: u32, delta: Delta) -> Event {
    Event::Delta { part: PartKey(part), delta }
}

#[test]
fn pitfall_12_a_client_reads_words_at_once_and_calls_when_they_are_whole() {
    let call = ToolCall {
        id: Str::from_static("c1"),
        name: Str::from_static("f"),
        kind: CallKind::Function,
        args: Str::new(),
    };
    let all = [
        started(0, PartKind::Reasoning),
        delta(0, Delta::Text(Str::from_static("Hm"))),
        Event::PartEnd(PartKey(0)),
        started(1, PartKind::ToolCall(call)),
        delta(1, Delta::Args(Str::from_static("{\"a\""))),
        started(2, PartKind::Text),
        delta(2, Delta::Text(Str::from_static("a\"b\n"))),
        delta(2, Delta::Logprobs(Box::new(RawJson::from_checked(Str::from_static(r#"[{"token":"a","logprob":-1}]"#))))),
        delta(1, Delta::Args(Str::from_static(":1}"))),
        Event::PartEnd(PartKey(1)),
        Event::Finish { candidate: 0, finish: Box::new(Finish::new(FinishReason::ToolCalls)) },
        Event::Usage(Box::new(Usage { input_uncached: 3, output_visible: 2, output_reasoning: 1, ..Usage::default() })),
        Event::End,
    ];
    let told = lines(&written(&Ollama, &all, &reply()));
    for line in &told {
        assert_eq!((&line["model"], &line["created_at"]), (&json!("client-model"), &json!("2023-11-14T22:13:20Z")));
    }
    assert_eq!(told[0]["message"], json!({"role": "assistant", "content": "", "thinking": "Hm"}));
    assert_eq!(told[1]["message"]["content"], "a\"b\n");
    assert_eq!(told[2]["logprobs"], json!([{"token": "a", "logprob": -1}]));
    let function = json!({"index": 0, "name": "f", "arguments": {"a": 1}});
    assert_eq!(told[3]["message"]["tool_calls"], json!([{"id": "c1", "function": function}]));
    assert_eq!(told[4]["done"], true, "the end comes once, and last");
    assert!(told[..4].iter().all(|line| line["done"] == false && line.get("done_reason").is_none()));
    assert_eq!(
        (&told[4]["done_reason"], &told[4]["prompt_eval_count"], &told[4]["eval_count"]),
        (&json!("stop"), &json!(3), &json!(3))
    );
    for duration in ["total_duration", "load_duration", "prompt_eval_duration", "eval_duration"] {
        assert_eq!(told[4][duration], 0, "the client's types require `{duration}`");
    }
    assert_eq!(told.len(), 5);
    let told = lines(&written(&OllamaGenerate, &all, &reply()));
    assert_eq!((&told[0]["thinking"], &told[1]["response"]), (&json!("Hm"), &json!("a\"b\n")));
    assert_eq!((&told[4]["response"], &told[4]["done"]), (&json!(""), &json!(true)));
}

#[test]
fn arguments_on_several_lines_stay_on_one() {
    let name = Str::from_static("f");
    let call = ToolCall { id: Str::from_static("c1"), name, kind: CallKind::Function, args: Str::new() };
    let all = [
        Event::Start(Box::new(Start {
            usage: Some(Usage { input_uncached: 7, ..Usage::default() }),
            ..Start::default()
        })),
        started(0, PartKind::ToolCall(call)),
        delta(0, Delta::Args(Str::from_static("{\n  \"a\": \"b\\nc\"\r\n}"))),
        Event::PartEnd(PartKey(0)),
        Event::End,
    ];
    let told = lines(&written(&Ollama, &all, &reply()));
    assert_eq!(told[0]["message"]["tool_calls"][0]["function"]["arguments"], json!({"a": "b\nc"}));
    assert_eq!(told[1]["prompt_eval_count"], 7, "counts that come with the start alone are told");
}

#[test]
fn hidden_thinking_stays_hidden() {
    let all = [started(0, PartKind::Reasoning), delta(0, Delta::Text(Str::from_static("Hm"))), Event::End];
    let reply = Reply { show_reasoning: false, ..reply() };
    assert_eq!(lines(&written(&Ollama, &all, &reply)).len(), 1);
}

#[test]
fn pitfall_5_and_6_a_failed_stream_ends_with_the_error() {
    let error = ErrorInfo::new(ErrorClass::Upstream, "it \"broke\"");
    let all = [
        started(0, PartKind::Text),
        delta(0, Delta::Text(Str::from_static("a"))),
        Event::Error(Box::new(error)),
        Event::End,
    ];
    let told = lines(&written(&Ollama, &all, &reply()));
    assert_eq!(told.len(), 2);
    assert_eq!(told[1], json!({"error": "it \"broke\""}), "and nothing says that it was done");
}

#[test]
fn pitfall_9_and_11_a_keepalive_is_read_by_nobody() {
    let form = StreamForm::JsonLines;
    let keepalive = std::str::from_utf8(Ollama.keepalive(form)).expect("a blank");
    let stream = say("a") + keepalive + keepalive + &say("b") + keepalive + END;
    assert!(
        stream.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()),
        "a blank line is no JSON to a client"
    );
    assert_eq!(events(&[stream.as_bytes()]), events(&[(say("a") + &say("b") + END).as_bytes()]));
}

#[test]
fn words_about_the_end_are_not_the_end() {
    let mut tap = Ollama.tap(TapSpec::default());
    let mut out = Vec::new();
    tap.feed(Bytes::from(say("x") + &say("\"done\":true")), &mut out);
    tap.feed(Bytes::from_static(b"{\"a\":1,\"done\" : false}\n"), &mut out);
    assert!(!tap.is_complete());
    tap.feed(Bytes::from(END.replace("\"done\":true", "\"done\" : true")), &mut out);
    assert!(tap.is_complete());
    assert_eq!(tap.usage().map(Usage::total), Some(67));
}

#[test]
fn errors_are_told_by_status_and_words() {
    for (status, message, class) in [
        (404, "model 'x' not found", ErrorClass::ModelNotFound),
        (404, "not found", ErrorClass::NotFound),
        (400, "registry.ollama.ai/library/x does not support tools", ErrorClass::InvalidRequest),
        (400, "the input length exceeds the context length", ErrorClass::ContextTooLong),
        (401, "unauthorized", ErrorClass::Auth),
        (503, "server busy, please try again.  maximum pending requests exceeded", ErrorClass::Overloaded),
        (502, "bad gateway", ErrorClass::Upstream),
    ] {
        let error = Ollama.decode_error(status, json!({"error": message}).to_string().as_bytes());
        assert_eq!((error.class, &*error.message), (class, message));
    }
    assert_eq!(&*Ollama.decode_error(500, br#"{"error":{"message":"no"}}"#).message, "no");
    assert!(Ollama.decode_error(500, b"<html>").message.contains("500"));
}
