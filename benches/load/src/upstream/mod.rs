//! The mock upstream: three providers on one port, one thread, every answer computed beforehand.
//!
//! | request | answer |
//! |---|---|
//! | `POST …/chat/completions`, `POST …/messages` | JSON, or a stream when the body says `"stream":true` |
//! | `POST …:generateContent`, `…:streamGenerateContent` | the same for Gemini |
//! | `POST …/files` | the length and hash of the body, read without keeping it |
//! | `GET /control?chunks=200&delay_us=0` | the settings and counters, see [`control::Control`] |
//!
//! Each text delta carries the time at which it was written (`stamp`).

pub mod control;

mod anthropic;
mod frames;
mod gemini;
mod openai;
mod respond;

use std::io;
use std::rc::Rc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::spawn_local;

use crate::dialect::Dialect;
use crate::wire::{self, RequestHead};
use control::Control;
use frames::Answer;

/// Where the hash of an uploaded body starts: the offset basis of 64-bit FNV-1a.
pub const HASH_SEED: u64 = 0xcbf2_9ce4_8422_2325;
const HASH_PRIME: u64 = 0x0100_0000_01b3;

/// The precomputed answers and what the control endpoint sets and counts.
#[derive(Debug)]
pub struct Upstream {
    control: Control,
    openai: Answer,
    anthropic: Answer,
    gemini: Answer,
}

/// What a request asks for, known from its head alone.
#[derive(Clone, Copy)]
enum Route {
    /// A chat answer; `None` means that the body says whether it is streamed.
    Chat(Dialect, Option<bool>),
    Control,
    Files,
    Models,
    Unknown,
}

/// A request whose body has been read.
struct Received {
    streamed: bool,
    body_bytes: u64,
    hash: u64,
}

/// Continues the FNV-1a hash of an uploaded body, which starts at [`HASH_SEED`].
pub fn hash(state: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(state, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(HASH_PRIME))
}

// === impl Upstream ===

impl Upstream {
    /// Precomputes the answers; with `obfuscate`, the padding of `OpenAI` chunks varies in length as the real one does.
    pub fn new(control: Control, obfuscate: bool) -> Rc<Self> {
        Rc::new(Self {
            control,
            openai: openai::answer(obfuscate),
            anthropic: anthropic::answer(),
            gemini: gemini::answer(),
        })
    }

    /// Serves connections until the listener fails; wants a `LocalSet` around it.
    pub async fn serve(self: Rc<Self>, listener: TcpListener) -> io::Result<()> {
        loop {
            let (stream, _) = listener.accept().await?;
            let upstream = Rc::clone(&self);
            spawn_local(async move {
                // A client that goes away is no failure of the upstream.
                upstream.connection(&stream).await.ok();
            });
        }
    }

    async fn connection(&self, stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut buf = Vec::new();
        while let Some(mut head) = next_head(stream, &mut buf).await? {
            let route = route(&head);
            let Some(received) = self.receive_body(stream, &mut buf, &mut head, route).await? else { return Ok(()) };
            self.respond(stream, &head.target, route, &received).await?;
        }
        Ok(())
    }

    /// Reads the body, keeping only what the route needs; `None` when the client closed in its middle.
    async fn receive_body(
        &self,
        stream: &TcpStream,
        buf: &mut Vec<u8>,
        head: &mut RequestHead,
        route: Route,
    ) -> io::Result<Option<Received>> {
        wire::consume(buf, head.len);
        let keep = matches!(route, Route::Chat(_, None));
        let mut kept = Vec::new();
        let mut received = Received { streamed: false, body_bytes: 0, hash: HASH_SEED };
        let mut sink = |run: &[u8]| {
            received.body_bytes += run.len() as u64;
            if keep {
                kept.extend_from_slice(run);
            } else {
                received.hash = hash(received.hash, run);
            }
        };
        loop {
            let used = head.framing.feed(buf, &mut sink).map_err(io::Error::other)?;
            wire::consume(buf, used);
            if head.framing.is_done() {
                break;
            }
            if matches!(route, Route::Files) {
                pause(self.control.read_us.get()).await;
            }
            if wire::receive(stream, buf).await? == 0 {
                return Ok(None);
            }
        }
        received.streamed = match route {
            Route::Chat(_, Some(streamed)) => streamed,
            _ => asks_for_stream(&kept),
        };
        Ok(Some(received))
    }
}

async fn next_head(stream: &TcpStream, buf: &mut Vec<u8>) -> io::Result<Option<RequestHead>> {
    loop {
        if !buf.is_empty() {
            match wire::parse_request(buf) {
                Ok(Some(head)) => {
                    if head.expects_continue {
                        wire::send(stream, b"HTTP/1.1 100 Continue\r\n\r\n").await?;
                    }
                    return Ok(Some(head));
                }
                Ok(None) => {}
                Err(error) => {
                    wire::send(stream, b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
                        .await?;
                    return Err(io::Error::other(error));
                }
            }
        }
        if wire::receive(stream, buf).await? == 0 {
            return Ok(None);
        }
    }
}

fn route(head: &RequestHead) -> Route {
    let path = head.target.split('?').next().unwrap_or_default();
    match path.rsplit(['/', ':']).next().unwrap_or_default() {
        "control" if head.is_get => Route::Control,
        _ if head.is_get => Route::Models,
        "completions" => Route::Chat(Dialect::Openai, None),
        "messages" => Route::Chat(Dialect::Anthropic, None),
        "generateContent" => Route::Chat(Dialect::Gemini, Some(false)),
        "streamGenerateContent" => Route::Chat(Dialect::Gemini, Some(true)),
        "files" => Route::Files,
        _ => Route::Unknown,
    }
}

fn asks_for_stream(body: &[u8]) -> bool {
    [&b"\"stream\":true"[..], b"\"stream\": true"].iter().any(|wish| memchr::memmem::find(body, wish).is_some())
}

async fn pause(micros: u64) {
    if micros > 0 {
        tokio::time::sleep(Duration::from_micros(micros)).await;
    }
}
