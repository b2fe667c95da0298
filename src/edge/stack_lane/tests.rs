//! Answers as they leave, piece by piece, and what they leave of the connection.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::Frame;
use http_body_util::StreamBody;
use lockgate_config::MapEnv;
use lockgate_filters::seal::Sealer;
use lockgate_layers::{BoxError, body::Body};
use pingora_core::protocols::http::{ServerSession, v1::server::HttpSession};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Left, answer, discard, hide_body};
use crate::{
    edge::{head::Follows, stream::ClientStream},
    gateway::{Parts, Shared, Unread, state_memory},
    observe::Observer,
    upstream::{Connector, Upstream},
};

fn gateway() -> Arc<Shared> {
    let config = lockgate_config::load_str("test", "{}", &MapEnv::default()).expect("the defaults load");
    crate::serve::install_cryptography();
    let parts = Parts {
        upstream: Upstream::new(Connector::default()),
        observer: Arc::new(Observer::new(None)),
        sealer: Sealer::new(b"test"),
        memory: state_memory(),
        sim: None,
    };
    Shared::new(&config, parts).expect("the defaults can be used")
}

/// A body that begins with frames that write nothing, and whose first word comes when the test says so.
fn late(word: tokio::sync::oneshot::Receiver<&'static str>) -> Body {
    let frames = [Frame::trailers(HeaderMap::new()), Frame::data(Bytes::new())];
    let first = futures_util::stream::iter(frames.map(Ok::<_, BoxError>));
    let then = futures_util::stream::once(async { Ok(Frame::data(Bytes::from_static(word.await?.as_bytes()))) });
    Body::stream(StreamBody::new(futures_util::StreamExt::chain(first, Box::pin(then))))
}

#[tokio::test]
async fn head_does_not_wait_behind_frames_that_write_nothing() {
    let shared = gateway();
    let (mut client, server) = tokio::io::duplex(4096);
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("the pipe takes it");
    let mut session = ServerSession::new_http1(Box::new(ClientStream::new(Box::new(server))));
    assert!(session.read_request().await.expect("the head is sound"), "there is a request");
    let unread = Unread { client: None, line: None, since: tokio::time::Instant::now() };
    let (admitted, _) = shared.load().refuse(&unread, "nothing".into());
    let (say, said) = tokio::sync::oneshot::channel();
    let read = async {
        let mut buf = vec![0; 4096];
        let count = tokio::time::timeout(Duration::from_secs(5), client.read(&mut buf)).await;
        let count = count.expect("the head must leave before the body comes").expect("the pipe is open");
        assert!(buf.starts_with(b"HTTP/1.1 200"), "{:?}", buf.get(..count));
        say.send("late").expect("the body is waited for");
        let mut rest = Vec::new();
        while !rest.ends_with(b"0\r\n\r\n") {
            client.read_buf(&mut rest).await.expect("the pipe is open");
        }
        assert_eq!(rest, b"4\r\nlate\r\n0\r\n\r\n");
    };
    let (left, ()) = tokio::join!(answer(&mut session, Response::new(late(said)), &admitted), read);
    assert_eq!(left, Left::Whole);
}

#[tokio::test]
async fn body_that_nobody_asked_for_does_not_become_the_next_request() {
    const HEAD: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
    const NEXT: &str = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n";
    let shared = gateway();
    let (mut client, server) = tokio::io::duplex(4096);
    client.write_all(format!("{HEAD}he").as_bytes()).await.expect("the pipe takes it");
    let mut stream = Box::new(ClientStream::new(Box::new(server)));
    stream.read_ahead().await.expect("the pipe is open");
    let head = stream.take_head(HEAD.len(), Follows::Length(5));
    let mut session = HttpSession::new(stream);
    session.set_pipelined_prefix(head);
    let mut session = ServerSession::H1(session);
    session.set_pipelining_enabled(true);
    assert!(session.read_request().await.expect("the head is sound"), "there is a request");
    hide_body(&mut session);
    let unread = Unread { client: None, line: None, since: tokio::time::Instant::now() };
    let (admitted, _) = shared.load().refuse(&unread, "nothing".into());
    let (say, said) = tokio::sync::oneshot::channel();
    let talk = async {
        let mut rest = Vec::new();
        while !rest.ends_with(b"\r\n\r\n") {
            client.read_buf(&mut rest).await.expect("the pipe is open");
        }
        client.write_all(format!("llo{NEXT}").as_bytes()).await.expect("the pipe takes it");
        // By now the client is listened to, and what it has sent is there.
        tokio::time::sleep(Duration::from_millis(50)).await;
        say.send("late").expect("the body is waited for");
    };
    let (left, ()) = tokio::join!(answer(&mut session, Response::new(late(said)), &admitted), talk);
    assert_eq!(left, Left::Whole);
    discard(&session, Duration::from_secs(1)).await.expect("nothing is left of the body");
    let (stream, next) = session.finish().await.expect("the pipe is open").expect("it is kept").into_parts();
    let mut stream = stream.into_any().downcast::<ClientStream>().expect("it is the door's");
    let mut next = next.unwrap_or_default();
    next.extend_from_slice(stream.ahead());
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read_ahead()).await;
    read.expect("the rest is there").expect("the pipe is open");
    next.extend_from_slice(stream.ahead());
    assert_eq!(next, NEXT);
}
