//! A client that speaks HTTP/2, over whatever stream it is given.

use bytes::{Bytes, BytesMut};
use h2::{RecvStream, client::SendRequest};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::JoinHandle,
};

use super::{Answer, Ask, soon, wire::Head};

/// A connection. It ends with the value.
#[derive(Debug)]
pub(crate) struct Http2 {
    sender: SendRequest<Bytes>,
    task: JoinHandle<()>,
}

/// The body of an answer.
#[derive(Debug)]
pub(crate) struct Incoming(RecvStream);

// === impl Http2 ===

impl Http2 {
    /// Speaks HTTP/2 in cleartext, without asking first.
    pub(crate) async fn open(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("the gateway must accept a connection");
        Self::over(stream).await
    }

    /// Speaks HTTP/2 over a stream.
    pub(crate) async fn over(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        let shake = soon("the HTTP/2 handshake", h2::client::handshake(stream)).await;
        let (sender, connection) = shake.expect("the gateway must speak HTTP/2");
        // The connection ends when the gateway closes it, with or without an error; its streams tell which.
        let task = tokio::spawn(async { drop(connection.await) });
        Self { sender, task }
    }

    /// Sends a request and reads the head of its answer.
    pub(crate) async fn begin(&mut self, ask: &Ask) -> Result<(Head, Incoming), h2::Error> {
        let uri = format!("http://gateway.test{}", ask.target);
        let mut request = http::Request::builder().method(ask.method.as_str()).uri(uri).version(http::Version::HTTP_2);
        for (name, value) in &ask.headers {
            request = request.header(name, value);
        }
        let request = request.body(()).expect("a test must ask sensibly");
        let mut sender = self.sender.clone().ready().await?;
        let (answer, mut body) = sender.send_request(request, ask.body.is_empty())?;
        if !ask.body.is_empty() {
            send(&mut body, ask.body.clone()).await?;
        }
        let (parts, incoming) = soon("the head of an answer", answer).await?.into_parts();
        let value = |value: &http::HeaderValue| value.to_str().expect("answers have plain headers").to_owned();
        let headers = parts.headers.iter().map(|(name, own)| (name.as_str().to_owned(), value(own))).collect();
        Ok((Head { start: format!("HTTP/2 {}", parts.status.as_u16()), headers }, Incoming(incoming)))
    }

    /// Sends a request and reads its whole answer.
    pub(crate) async fn ask(&mut self, ask: &Ask) -> Answer {
        let (head, mut incoming) = self.begin(ask).await.expect("the gateway must answer");
        let mut body = BytesMut::new();
        while let Some(piece) = incoming.piece().await {
            body.extend_from_slice(&piece);
        }
        Answer { head, body: body.freeze() }
    }
}

impl Drop for Http2 {
    fn drop(&mut self) {
        self.task.abort();
    }
}

// === impl Incoming ===

impl Incoming {
    /// The next piece; `None` at the end.
    pub(crate) async fn piece(&mut self) -> Option<Bytes> {
        let piece = soon("the next piece of an answer", self.0.data()).await?.expect("the answer must not be cut");
        self.0.flow_control().release_capacity(piece.len()).expect("what came may be acknowledged");
        Some(piece)
    }

    /// Reads until what has come contains `text`.
    pub(crate) async fn read_until(&mut self, text: &str) -> String {
        let mut come = Vec::new();
        while !super::client::contains(&come, text) {
            let piece = self.piece().await;
            come.extend_from_slice(&piece.unwrap_or_else(|| panic!("`{text}` must come before the end")));
        }
        String::from_utf8(come).expect("an answer must be text")
    }
}

/// Sends a body as fast as the other side lets it.
async fn send(stream: &mut h2::SendStream<Bytes>, mut body: Bytes) -> Result<(), h2::Error> {
    while !body.is_empty() {
        stream.reserve_capacity(body.len());
        let granted = std::future::poll_fn(|cx| stream.poll_capacity(cx)).await;
        let Some(granted) = granted.transpose()? else { return Ok(()) };
        let piece = body.split_to(granted.min(body.len()));
        stream.send_data(piece, body.is_empty())?;
    }
    Ok(())
}
