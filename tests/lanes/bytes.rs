//! Same dialect on both sides: bytes pass as they are, but for the splices that have a name.

use std::time::Duration;

use serde_json::json;

use crate::support::{Answer, Ask, Config, Face, Gateway, Script, Upstream};

/// Requests with everything that a JSON tree would lose: spacing, order, escapes, long numbers, unknown members.
fn requests(model: &str) -> [(Face, String); 4] {
    [
        (
            Face::OpenAi,
            format!(
                "{{ \"messages\" : [ {{\"content\":\"h\\u00e9 \\ud83d\\ude00 \\/ <&>\",\"role\":\"user\"}} ],\n\t\"model\" :  \
                 \"{model}\" , \"x_unknown\":{{\"b\":1.0e-0,\"a\":[ ]}}, \"temperature\":1.00, \
                 \"seed\": 123456789012345678901234567890 }}\r\n"
            ),
        ),
        (
            Face::Anthropic,
            format!(
                "\n{{\"max_tokens\":100,\"model\":\"{model}\",\"thinking\":{{\"type\":\"x-future\",\"n\":1.50}},\
                 \"messages\":[{{\"role\":\"user\",\"content\":[{{\"type\":\"text\",\"text\":\"\\u0041\\\"\"}}]}}],  \
                 \"zz\":null}}"
            ),
        ),
        (
            Face::Gemini,
            "{\"contents\":[{\"parts\":[{\"text\":\"\\u20ac\"}] , \"role\":\"user\"}],\"generationConfig\":{\"topK\":4.0,\
             \"xFuture\":[1,2 ,3]}}"
                .to_owned(),
        ),
        (
            Face::Responses,
            format!(
                "{{\"input\":[{{\"role\":\"user\",\"content\":\"\\u20ac\"}} ,{{\"id\":\"msg_1\",\"type\":\"item_reference\"}}],\
                 \"previous_response_id\":\"resp_1\",  \"model\":\"{model}\",\"x\":{{\"model\":1.0e3}}}} "
            ),
        ),
    ]
}

async fn ask(gateway: &Gateway, face: Face, model: &str, body: &str, streamed: bool) -> Answer {
    let ask = Ask::post_text(&face.target(model, streamed), body).header("anthropic-version", "2023-06-01");
    gateway.ask(&ask).await.expect_status(200)
}

#[tokio::test]
async fn pitfall_45_and_46_and_62_request_bytes_are_kept_but_for_the_model() {
    let upstream = Upstream::start(|seen| by_path(seen.head.target()).script("fine", false)).await;
    let gateway = Gateway::start(Config::to(&upstream)).await;
    for (face, _) in requests("") {
        let model = format!("{}/m\u{20}1", face.provider()).replace(' ', "-");
        let index = Face::ALL.iter().position(|own| *own == face).expect("every face is in the list");
        let [sent, expected] = [requests(&model), requests("m-1")].map(|all| all[index].1.clone());
        ask(&gateway, face, &model, &sent, false).await;
        let seen = upstream.seen().pop().expect("the request must reach the upstream");
        assert_eq!(seen.body, expected, "{face:?}: all bytes but the model's name must stay");
        let target = face.target("m-1", false);
        assert_eq!(seen.head.target(), target, "{face:?}: the upstream must be asked at its own path");
        assert_eq!(seen.head.all("content-type").collect::<Vec<_>>(), ["application/json"], "the type must stay");
        assert_eq!(seen.head.get("content-length"), Some(expected.len().to_string().as_str()), "the length is known");
    }
}

#[tokio::test]
async fn alias_is_replaced_by_the_targets_model() {
    let upstream = Upstream::start(|seen| by_path(seen.head.target()).script("fine", false)).await;
    let gateway = Gateway::start(Config::to(&upstream).model("quick", "up-openai/deep/name:1")).await;
    let [(_, sent), ..] = requests("quick");
    let [(_, expected), ..] = requests("deep/name:1");
    ask(&gateway, Face::OpenAi, "quick", &sent, false).await;
    assert_eq!(upstream.only().body, expected, "only the name of the model may change");
}

#[tokio::test]
async fn pitfall_59_stream_is_asked_for_usage_by_one_insertion() {
    let upstream = Upstream::start(|_| Face::OpenAi.script("fine", true)).await;
    let gateway = Gateway::start(Config::to(&upstream)).await;
    let body = |options: &str| format!("{{\"model\":\"m\", \"stream\":true {options}, \"messages\":[ ]}}");
    let cases =
        [("", true), (", \"stream_options\": {\"include_usage\" : true}", false), (", \"stream_options\":{}", true)];
    for (options, changed) in cases {
        let sent = body(options).replace("\"m\"", "\"up-openai/m\"");
        ask(&gateway, Face::OpenAi, "", &sent, true).await;
        let seen = upstream.seen().pop().expect("the request must reach the upstream").body;
        let seen_json: serde_json::Value = serde_json::from_slice(&seen).expect("the request must stay JSON");
        assert_eq!(seen_json["stream_options"], json!({"include_usage": true}), "usage must be asked for");
        let own = body(options);
        assert!(is_insertion(own.as_bytes(), &seen), "{own} may only get an insertion: {seen:?}");
        assert_eq!(own.as_bytes() != seen, changed, "a request that asks for usage is not touched: {seen:?}");
    }
}

/// Whether `longer` is `shorter` with one run of bytes put in.
fn is_insertion(shorter: &[u8], longer: &[u8]) -> bool {
    let before = shorter.iter().zip(longer).take_while(|(a, b)| a == b).count();
    let after = shorter.iter().rev().zip(longer.iter().rev()).take_while(|(a, b)| a == b).count();
    before + after >= shorter.len()
}

#[tokio::test]
async fn whole_answer_is_kept_to_the_byte() {
    for face in Face::ALL.iter().copied() {
        let body = face.whole("caf\u{e9} \u{1f600}").replace("\",\"", "\" ,\n\t\"").replace("18", "1.8e1") + "\r\n\r\n";
        let expected = body.clone();
        let upstream = Upstream::start(move |_| Script::json(200, &body)).await;
        let gateway = Gateway::start(Config::to(&upstream)).await;
        let answer = gateway.ask(&face.ask(&format!("{}/m", face.provider()), "hello", false)).await;
        assert_eq!(answer.text(), expected, "{face:?}: the body must pass untouched");
        assert_eq!(answer.get("x-lockgate-provider"), Some(face.provider()), "the provider must be named");
        assert_eq!(answer.get("x-lockgate-model"), Some("m"), "the upstream's model must be named");
        assert_eq!(answer.get("x-lockgate-attempts"), Some("1"), "one attempt was enough");
    }
}

#[tokio::test]
async fn pitfall_01_stream_is_kept_to_the_byte_however_it_is_cut() {
    for face in Face::ALL.iter().copied() {
        let stream = face.stream(&["caf\u{e9} ", "\u{1f600}", "end"]).concat();
        let odd = format!(": a comment\n\n{}: more\r\n\r\n", stream.replace("data: ", "data:").replace('\n', "\r\n"));
        for size in [1, 7, 4096] {
            let pieces: Vec<Vec<u8>> = odd.as_bytes().chunks(size).map(<[u8]>::to_vec).collect();
            let upstream = Upstream::start(move |_| {
                let script = pieces.iter().fold(Script::sse(), Script::chunk);
                script.pause(Duration::from_millis(1)).end()
            })
            .await;
            let gateway = Gateway::start(Config::to(&upstream)).await;
            let answer = gateway.ask(&face.ask(&format!("{}/m", face.provider()), "hello", true)).await;
            assert_eq!(answer.text(), odd, "{face:?} in pieces of {size}: the stream must pass untouched");
            assert_eq!(answer.get("content-type"), Some("text/event-stream"), "the type must stay");
        }
    }
}

#[tokio::test]
async fn pitfall_59_uninvited_usage_chunk_is_taken_out() {
    let usage = "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"choices\":[],\
                 \"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3}}\n\n";
    let frames = Face::OpenAi.stream(&["one ", "two"]);
    let (done, before) = frames.split_last().expect("a stream has frames");
    let (before, done) = (before.concat(), done.clone());
    let whole = format!("{before}{usage}{done}");
    for size in [1, 10, 100_000] {
        let pieces: Vec<Vec<u8>> = whole.as_bytes().chunks(size).map(<[u8]>::to_vec).collect();
        let upstream = Upstream::start(move |_| pieces.iter().fold(Script::sse(), Script::chunk).end()).await;
        let gateway = Gateway::start(Config::to(&upstream)).await;
        let plain = Face::OpenAi.ask("up-openai/m", "hello", true);
        let answer = gateway.ask(&plain).await;
        assert_eq!(answer.text(), format!("{before}{done}"), "in pieces of {size}: the usage chunk must be taken out");
        for (options, kept) in [(r#"{"include_usage":true}"#, true), (r#"{"include_usage":false}"#, false)] {
            let body = format!(
                r#"{{"model":"up-openai/m","stream":true,"stream_options":{options},"messages":[{{"role":"user","content":"x"}}]}}"#
            );
            let answer = gateway.ask(&Ask::post_text("/v1/chat/completions", &body)).await;
            let expected = if kept { whole.clone() } else { format!("{before}{done}") };
            assert_eq!(answer.text(), expected, "{options} in pieces of {size}: the client gets what it asked for");
        }
    }
}

/// The dialect that is spoken at an upstream's path.
fn by_path(target: &str) -> Face {
    match target {
        "/v1/chat/completions" => Face::OpenAi,
        "/v1/messages" => Face::Anthropic,
        "/v1/responses" => Face::Responses,
        _ => Face::Gemini,
    }
}
