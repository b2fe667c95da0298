//! From where nothing is fetched. Each of these URLs would lead to a server that is there, were it not refused.

use super::{file, files, gateway, path, picture, provider, reason};
use crate::support::{
    Config, Face, Gateway, Script, Upstream,
    gateway::{free_port, scratch},
    tls::Certificate,
};

#[tokio::test]
async fn addresses_of_the_gateways_own_network_are_refused_in_every_spelling() {
    let (files, provider) = (files().await, provider().await);
    let gateway = gateway(&provider, "{}").await;
    let port = files.url().rsplit(':').next().expect("a port").to_owned();
    let (private, odd, user) = ("not a public one", "as four decimal numbers", "a user name or a password");
    for (host, words) in [
        ("127.0.0.1", private),
        ("127.0.0.1.", private),
        ("127.8.8.8", private),
        ("0.0.0.0", private),
        ("localhost", private),
        ("LOCALHOST", private),
        ("localhost.", private),
        ("2130706433", odd),
        ("0x7f000001", odd),
        ("0x7f.0.0.1", odd),
        ("017700000001", odd),
        ("0177.0.0.1", odd),
        ("127.1", odd),
        ("127.0.1", odd),
        ("[::1]", private),
        ("[::]", private),
        ("[::127.0.0.1]", private),
        ("[::ffff:127.0.0.1]", private),
        ("[::ffff:7f00:1]", private),
        ("[0:0:0:0:0:ffff:127.0.0.1]", private),
        ("[64:ff9b::127.0.0.1]", private),
        ("[fe80::1%25lo]", "not valid"),
        ("name@127.0.0.1", user),
        ("name:word@127.0.0.1", user),
        ("example.com@127.0.0.1", user),
        ("169.254.169.254", private),
        ("10.0.0.1", private),
        ("[fd00:ec2::254]", private),
    ] {
        let told = reason(gateway.ask(&picture(&format!("http://{host}:{port}/cat.png"))).await);
        assert!(told.contains(words), "{host}: {told}");
        assert!(!told.contains("name:word") && !told.contains("name@"), "{host}: {told}");
    }
    assert!(files.seen().is_empty(), "nobody may have been asked");
    assert!(provider.seen().is_empty(), "nothing is sent to the provider");
    gateway.still_serves().await;
}

#[tokio::test]
async fn an_exemption_is_for_whom_it_names() {
    let (files, provider) = (files().await, provider().await);
    let gateway = gateway(&provider, "{allow: [localhost]}").await;
    let port = files.url().rsplit(':').next().expect("a port").to_owned();
    gateway.ask(&picture(&format!("http://localhost:{port}/cat.png"))).await.expect_status(200);
    let reason = reason(gateway.ask(&picture(&format!("http://127.0.0.1:{port}/cat.png"))).await);
    assert!(reason.contains("not a public one"), "the name is exempt, its address is not: {reason}");
    assert_eq!(files.seen().len(), 1);
}

#[tokio::test]
async fn a_redirect_is_checked_like_any_other_url() {
    let private = files().await;
    let target = private.url();
    let open = Upstream::start(move |seen| {
        let location = match path(seen) {
            "/private.png" => format!("{target}/cat.png"),
            "/file" => "file:///etc/passwd".to_owned(),
            _ => return file(path(seen)),
        };
        Script::default().raw(format!("HTTP/1.1 301 Moved\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n"))
    })
    .await;
    let provider = provider().await;
    let gateway = gateway(&provider, "{allow: [localhost]}").await;
    let port = open.url().rsplit(':').next().expect("a port").to_owned();
    gateway.ask(&picture(&format!("http://localhost:{port}/cat.png"))).await.expect_status(200);
    let told = reason(gateway.ask(&picture(&format!("http://localhost:{port}/private.png"))).await);
    assert!(told.contains("not a public one"), "{told}");
    let told = reason(gateway.ask(&picture(&format!("http://localhost:{port}/file"))).await);
    assert!(told.contains("not valid") || told.contains("only http and https"), "{told}");
    assert!(private.seen().is_empty(), "the private server may not be asked");
}

#[tokio::test]
async fn what_is_there_but_no_medium_is_refused() {
    let files = Upstream::start(|seen| match path(seen) {
        "/page" => Script::whole(200, "image/png", b"<html><body>Login</body></html>"),
        "/empty" => Script::whole(200, "image/png", b""),
        "/packed" => Script::default().raw(
            "HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc",
        ),
        "/part" => Script::whole(206, "image/png", super::PNG),
        "/short" => Script::default()
            .raw("HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncontent-length: 500\r\n\r\n\x7fPNG")
            .close(),
        "/garbage" => Script::default().raw("this is not HTTP\r\n\r\n").close(),
        "/gone" => Script::default().reset(),
        "/nowhere" => Script::default().raw("HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n"),
        path => file(path),
    })
    .await;
    let provider = provider().await;
    let gateway = gateway(&provider, "{allow: [127.0.0.1]}").await;
    for (path, words) in [
        ("page", "expected an image"),
        ("empty", "expected an image"),
        ("paper.pdf", "expected an image, the server sent application/pdf"),
        ("packed", "compresses"),
        ("part", "status 206"),
        ("none", "status 404"),
        ("short", "broke off"),
        ("garbage", "broke off"),
        ("gone", "broke off"),
        ("nowhere", "redirects to nowhere"),
    ] {
        let told = reason(gateway.ask(&picture(&format!("{}/{path}", files.url()))).await);
        assert!(told.contains(words), "{path}: {told}");
    }
    let told = reason(gateway.ask(&picture(&format!("http://127.0.0.1:{}/cat.png", free_port()))).await);
    assert!(told.contains("cannot be reached"), "{told}");
    let told = reason(gateway.ask(&picture("https://nobody.invalid/cat.png")).await);
    assert!(told.contains("its name is not known"), "{told}");
    assert!(provider.seen().is_empty(), "nothing is sent to the provider");
    gateway.still_serves().await;
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    let dir = scratch();
    Certificate::write(&dir);
    let tls = "[{address: \"127.0.0.1:{PORT}\", tls: {cert: \"{DIR}/cert.pem\", key: \"{DIR}/key.pem\"}}]";
    let server = Gateway::start_in(dir, Config::new().section("listeners", tls)).await;
    let provider = provider().await;
    let gateway = gateway(&provider, "{allow: [localhost]}").await;
    let told = reason(gateway.ask(&picture(&format!("https://localhost:{}/health", server.port))).await);
    assert!(told.contains("no secure connection"), "{told}");
    assert!(server.pid() > 0, "the server was there");
}

#[tokio::test]
async fn every_dialect_is_told_in_its_own_words() {
    let (files, provider) = (files().await, provider().await);
    let gateway = gateway(&provider, "{allow: [127.0.0.1]}").await;
    let url = format!("{}/none?signature=secret", files.url());
    for (from, to) in Face::pairs().filter(|(from, to)| from != to && !matches!(to, Face::Anthropic | Face::Responses))
    {
        let kind = if to == Face::OpenAi { "document" } else { "image" };
        let model = format!("{}/m", to.provider());
        let answer = gateway.ask(&super::ask(from, &model, kind, &url)).await.expect_status(400);
        let (_, message) = from.error(&answer.json());
        assert!(message.contains(kind) && message.contains("status 404"), "{from:?} to {to:?}: {message}");
        assert!(message.contains("/none`") && !message.contains("secret"), "{from:?} to {to:?}: {message}");
    }
    assert!(provider.seen().is_empty(), "nothing is sent to the provider");
}

#[tokio::test]
async fn only_a_target_that_fetches_for_itself_is_tried_instead() {
    let (files, provider) = (files().await, provider().await);
    let config = Config::to(&provider)
        .model("same", "{balance: failover, targets: [up-gemini/a, up-gemini/b]}")
        .model("other", "{balance: failover, targets: [up-gemini/a, up-gemini/b, up-anthropic/c]}")
        .section("media", "{allow: [127.0.0.1]}");
    let gateway = Gateway::start(config).await;
    let url = format!("{}/none", files.url());
    let told = reason(gateway.ask(&super::ask(Face::OpenAi, "same", "image", &url)).await);
    assert!(told.contains("status 404"), "{told}");
    assert!(provider.seen().is_empty());
    let answer = gateway.ask(&super::ask(Face::OpenAi, "other", "image", &url)).await.expect_status(200);
    assert_eq!(
        (answer.get("x-lockgate-provider"), answer.get("x-lockgate-attempts")),
        (Some("up-anthropic"), Some("2"))
    );
    assert!(crate::support::client::contains(&provider.only().body, &url), "it gets the URL");
    assert_eq!(files.seen().len(), 2, "each request asked once");
}
