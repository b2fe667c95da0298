//! Headers: credentials are swapped, what belongs to one connection stays there, the rest passes.

use crate::support::{Ask, Config, Face, Gateway, Script, Upstream, config::UPSTREAM_KEY};

/// What a client may send and no upstream may see.
const PRIVATE: &[(&str, &str)] = &[
    ("authorization", "Bearer sk-gateway-client"),
    ("x-api-key", "sk-gateway-client"),
    ("x-goog-api-key", "sk-gateway-client"),
    ("api-key", "sk-gateway-client"),
    ("cookie", "session=sk-gateway-client"),
    ("proxy-authorization", "Basic c2stZ2F0ZXdheS1jbGllbnQ="),
    ("forwarded", "for=10.1.2.3"),
    ("x-forwarded-for", "10.1.2.3"),
    ("x-forwarded-host", "inside.test"),
    ("x-forwarded-proto", "https"),
    ("keep-alive", "timeout=5"),
    ("te", "trailers"),
    ("trailer", "x-after"),
    ("connection", "keep-alive, x-named, te"),
    ("x-named", "named by connection"),
    ("x-lockgate-strict", "false"),
    ("x-lockgate-tag", "team"),
];

/// What a client may send and the provider must see.
const PUBLIC: &[(&str, &str)] = &[
    ("x-custom", "one"),
    ("accept-language", "en"),
    ("idempotency-key", "abc"),
    ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ("user-agent", "some-sdk/1.0"),
];

fn loaded(ask: Ask) -> Ask {
    PRIVATE.iter().chain(PUBLIC).fold(ask, |ask, (name, value)| ask.header(name, value))
}

fn targets(face: Face) -> [Ask; 2] {
    let native = face.ask(&format!("{}/m", face.provider()), "hello", false);
    let mut passed = native.clone();
    passed.target = format!("/p/{}{}", face.provider(), face.target("m", false));
    [native, passed]
}

#[tokio::test]
async fn credentials_and_connection_headers_of_a_client_stay_here() {
    for face in Face::ALL.iter().copied() {
        let upstream = Upstream::start(move |_| face.script("fine", false)).await;
        let gateway = Gateway::start(Config::to(&upstream).key("sk-gateway-client")).await;
        for ask in targets(face) {
            gateway.ask(&loaded(ask.clone())).await.expect_status(200);
            let seen = upstream.seen().pop().expect("the request must reach the upstream");
            let (name, value) = face.credential(UPSTREAM_KEY);
            assert_eq!(seen.head.all(name).collect::<Vec<_>>(), [value], "{}: the provider's key, once", ask.target);
            for (name, value) in &seen.head.headers {
                assert!(!value.contains("sk-gateway-client"), "{}: the client's key leaks in {name}", ask.target);
            }
            for (private, _) in PRIVATE.iter().filter(|(private, _)| *private != name && *private != "connection") {
                assert_eq!(seen.head.get(private), None, "{}: {private} must not pass", ask.target);
            }
            assert!(
                seen.head.get("host").is_some_and(|host| host.starts_with("127.0.0.1")),
                "the host is the upstream's"
            );
        }
    }
}

#[tokio::test]
async fn other_headers_of_a_client_pass() {
    let upstream = Upstream::start(|_| Script::json(200, "{}")).await;
    let gateway = Gateway::start(Config::to(&upstream)).await;
    let ask = loaded(Ask::new("POST", "/p/up-anthropic/v1/messages").body("{}"));
    let ask = ask
        .header("anthropic-beta", "one-2025")
        .header("anthropic-beta", "two-2025")
        .header("anthropic-version", "2024-01-01");
    gateway.ask(&ask).await.expect_status(200);
    let seen = upstream.only();
    for (name, value) in PUBLIC {
        assert_eq!(seen.head.get(name), Some(*value), "{name} must pass under `/p/`");
    }
    let beta = seen.head.all("anthropic-beta").collect::<Vec<_>>().join(",").replace(' ', "");
    assert_eq!(beta, "one-2025,two-2025", "each value of a header with several must pass");
    assert_eq!(seen.head.get("anthropic-version"), Some("2024-01-01"), "the client's own version must pass");
    assert!(seen.head.get("x-request-id").is_some(), "the request id must be sent upstream");
}

#[tokio::test]
async fn key_in_the_query_does_not_reach_the_upstream() {
    let upstream = Upstream::start(|_| Face::Gemini.script("fine", false)).await;
    let gateway = Gateway::start(Config::to(&upstream).key("sk-gateway-client")).await;
    let mut ask = Face::Gemini.ask("up-gemini/m", "hello", false);
    ask.target.push_str("?key=sk-gateway-client");
    gateway.ask(&ask).await.expect_status(200);
    assert!(!upstream.only().head.target().contains("sk-gateway"), "the gateway's key must be taken out of the query");
}

#[tokio::test]
async fn gateway_key_in_a_passed_query_is_taken_out() {
    let upstream = Upstream::start(|_| Script::json(200, "{}")).await;
    let gateway = Gateway::start(Config::to(&upstream).key("sk-gateway-client")).await;
    let answer = gateway.ask(&Ask::get("/p/up-gemini/v1beta/models?a=1&key=sk-gateway-client&b=%2F")).await;
    if answer.status() == 200 {
        let seen = upstream.only();
        assert_eq!(seen.head.target(), "/v1beta/models?a=1&b=%2F", "the rest of the query must stay as it was");
    }
    for seen in upstream.seen() {
        assert!(!seen.head.target().contains("sk-gateway"), "the gateway's key must never reach a provider");
    }
}

#[tokio::test]
async fn connection_headers_of_an_upstream_stay_there() {
    let upstream = Upstream::start(|_| {
        Script::default().raw(
            "HTTP/1.1 200 OK\r\nconnection: keep-alive, x-named\r\nx-named: 1\r\nkeep-alive: timeout=9\r\n\
             proxy-authenticate: Basic\r\nset-cookie: a=b\r\nx-forwarded-for: 10.0.0.1\r\ncontent-type: text/plain\r\n\
             content-encoding: x-own\r\netag: \"e\"\r\nopenai-processing-ms: 5\r\nretry-after: 7\r\nvary: a\r\nvary: b\r\n\
             content-length: 4\r\n\r\nfine",
        )
    })
    .await;
    let gateway = Gateway::start(Config::to(&upstream)).await;
    let answer = gateway.ask(&Ask::get("/p/up-openai/v1/files")).await.expect_status(200);
    assert_eq!(answer.text(), "fine", "the body must pass");
    for name in ["x-named", "keep-alive", "proxy-authenticate", "set-cookie", "x-forwarded-for"] {
        assert_eq!(answer.get(name), None, "{name} of an upstream must not pass");
    }
    let kept = [("content-encoding", "x-own"), ("etag", "\"e\""), ("openai-processing-ms", "5"), ("retry-after", "7")];
    for (name, value) in kept {
        assert_eq!(answer.get(name), Some(value), "{name} of an upstream must pass");
    }
    assert_eq!(answer.head.all("vary").count(), 2, "each value of a header with several must pass");
}

#[tokio::test]
async fn callers_own_provider_key_wins_and_goes_to_its_provider_alone() {
    let upstream = Upstream::start(|seen| {
        if seen.head.target().contains("/v1/chat") {
            Face::OpenAi.script("fine", false)
        } else {
            Script::json(200, "{}")
        }
    })
    .await;
    let yaml = format!(
        "{{dialect: openai, base_url: \"{}\", api_key: {UPSTREAM_KEY}, key_header: x-mine-key}}",
        upstream.url()
    );
    let gateway = Gateway::start(Config::new().provider_text("mine", &yaml)).await;
    let passed = Ask::get("/p/mine/v1/files");
    for ask in [Face::OpenAi.ask("mine/m", "hello", false), passed] {
        gateway
            .ask(&ask.header("x-mine-key", "sk-callers-own").header("x-other-key", "sk-other"))
            .await
            .expect_status(200);
        let seen = upstream.seen().pop().expect("the request must reach the upstream");
        assert_eq!(seen.head.get("authorization"), Some("Bearer sk-callers-own"), "the caller's key must be used");
        assert_eq!(seen.head.get("x-mine-key"), None, "the header of the key must not pass");
    }
}
