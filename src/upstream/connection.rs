//! One HTTP/1 connection, driven by whoever uses it.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
    rt::{Read, Write},
};
use lockgate_layers::{BoxError, body::Body};

use super::{
    gate::Gate,
    pool::{Key, Pool},
};

/// hyper's half that does the IO. Boxed: connections over TCP and TLS are of different types.
type Driver = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send + Sync>>;

/// A connection on which one request is sent at a time.
pub(super) struct Connection {
    sender: SendRequest<Body>,
    driver: Driver,
    gate: Gate,
    /// It has carried an exchange before.
    reused: bool,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connection")
    }
}

/// Why a request was not answered.
pub(super) enum SendError {
    /// The connection was closed before the request went out; here it is again.
    Stale(Box<Request<Body>>),
    /// The connection failed.
    Broken(hyper::Error),
}

impl Connection {
    pub(super) async fn handshake<I>(io: I) -> hyper::Result<Self>
    where
        I: Read + Write + Unpin + Send + Sync + 'static,
    {
        let (sender, driver) = http1::Builder::new().max_buf_size(MAX_BUFFER).handshake(io).await?;
        Ok(Self { sender, driver: Box::pin(driver), gate: Gate::default(), reused: false })
    }

    /// Sends a request. The answer's body gives the connection back to its `home` when it has been read to its end;
    /// without one it is closed.
    pub(super) async fn send(
        mut self,
        request: Request<Body>,
        home: Option<(&Arc<Pool>, &Key)>,
    ) -> Result<Response<Body>, SendError> {
        if self.reused && !self.is_alive().await {
            return Err(SendError::Stale(Box::new(request)));
        }
        let sent = self.sender.try_send_request(request);
        tokio::pin!(sent);
        let mut closed = false;
        let gate = self.gate.clone();
        let answer = std::future::poll_fn(|cx| {
            gate.poll(cx, |cx| {
                // What fails in the driver is reported through the answer.
                closed = closed || self.driver.as_mut().poll(cx).is_ready();
                sent.as_mut().poll(cx)
            })
        })
        .await;
        match answer {
            Ok(rsp) => {
                self.reused = true;
                let home = home.filter(|_| !closed).map(|(pool, key)| (pool.clone(), key.clone()));
                Ok(rsp.map(|incoming| wrap(incoming, self, home, closed)))
            }
            Err(mut failed) => match failed.take_message() {
                Some(request) => Err(SendError::Stale(Box::new(request))),
                None => Err(SendError::Broken(failed.into_error())),
            },
        }
    }

    /// Looks whether the provider has closed it meanwhile.
    async fn is_alive(&mut self) -> bool {
        let gate = self.gate.clone();
        std::future::poll_fn(|cx| {
            let closed = gate.poll(cx, |cx| self.driver.as_mut().poll(cx)).is_ready();
            Poll::Ready(!closed && self.sender.is_ready())
        })
        .await
    }
}

/// Largest read buffer: a chunk of an answer is never larger.
const MAX_BUFFER: usize = 64 << 10;

fn wrap(incoming: Incoming, connection: Connection, home: Option<(Arc<Pool>, Key)>, closed: bool) -> Body {
    let mut body = Answer { incoming, connection: Some(connection), home, closed };
    if body.incoming.is_end_stream() {
        body.go_home();
        return Body::empty();
    }
    Body::stream(body)
}

/// An answer's body, with the connection that it comes on.
struct Answer {
    incoming: Incoming,
    connection: Option<Connection>,
    home: Option<(Arc<Pool>, Key)>,
    closed: bool,
}

impl Answer {
    fn go_home(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        if let Some((pool, key)) = self.home.take()
            && !self.closed
            && connection.settles()
        {
            pool.give_back(&key, connection);
        }
    }
}

impl Connection {
    /// Lets hyper finish the exchange; tells whether the connection can carry another.
    fn settles(&mut self) -> bool {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let closed = self.driver.as_mut().poll(&mut cx).is_ready();
        !closed && self.sender.is_ready()
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let Self { incoming, connection, closed, .. } = this;
        let frame = match connection {
            None => Pin::new(incoming).poll_frame(cx),
            Some(connection) => {
                let Connection { driver, gate, .. } = connection;
                gate.poll_if_woken(cx, |cx| {
                    // Asking first tells hyper that a chunk is wanted, so that driving it can deliver one.
                    let frame = Pin::new(&mut *incoming).poll_frame(cx);
                    if frame.is_ready() || *closed {
                        return frame;
                    }
                    *closed = driver.as_mut().poll(cx).is_ready();
                    Pin::new(&mut *incoming).poll_frame(cx)
                })
            }
        };
        match ready!(frame) {
            Some(Ok(frame)) => {
                if this.incoming.is_end_stream() {
                    this.go_home();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(error)) => {
                this.connection = None;
                Poll::Ready(Some(Err(error.into())))
            }
            None => {
                this.go_home();
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
