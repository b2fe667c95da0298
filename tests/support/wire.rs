//! HTTP/1.1 as bytes: heads and bodies read from a socket, for both sides of the gateway.

use std::io;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// A head as it came: start line and header lines.
#[derive(Clone, Debug, Default)]
pub(crate) struct Head {
    /// Request line or status line.
    pub(crate) start: String,
    /// Names as they came, values trimmed.
    pub(crate) headers: Vec<(String, String)>,
}

/// Where a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// After that many more bytes.
    Length(u64),
    /// With the last chunk; `left` bytes of the current one are still to come, then its line end if `tail`.
    Chunked { left: u64, tail: bool },
    /// With the connection.
    Close,
    /// It has ended.
    Done,
}

/// A socket with what was read ahead of need.
#[derive(Debug)]
pub(crate) struct Wire<S> {
    pub(crate) stream: S,
    pub(crate) ahead: BytesMut,
}

// === impl Head ===

impl Head {
    fn parse(raw: &[u8]) -> Self {
        let text: String = raw.iter().map(|byte| char::from(*byte)).collect();
        let mut lines = text.split("\r\n");
        let start = lines.next().unwrap_or_default().to_owned();
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect();
        Self { start, headers }
    }

    /// The first header of that name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// All headers of that name.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers.iter().filter(move |(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The status of a status line.
    pub(crate) fn status(&self) -> u16 {
        let code = self.start.split(' ').nth(1);
        code.and_then(|code| code.parse().ok()).unwrap_or_else(|| panic!("`{}` must be a status line", self.start))
    }

    /// The method of a request line.
    pub(crate) fn method(&self) -> &str {
        self.start.split(' ').next().unwrap_or_default()
    }

    /// The target of a request line, raw.
    pub(crate) fn target(&self) -> &str {
        self.start.split(' ').nth(1).unwrap_or_default()
    }

    /// The framing of the body after this head, `default` where no header says it.
    pub(crate) fn framing(&self, default: Framing) -> Framing {
        if self.all("transfer-encoding").any(|value| value.eq_ignore_ascii_case("chunked")) {
            return Framing::Chunked { left: 0, tail: false };
        }
        match self.get("content-length").and_then(|value| value.parse().ok()) {
            Some(0) => Framing::Done,
            Some(length) => Framing::Length(length),
            None => default,
        }
    }
}

// === impl Wire ===

impl<S: AsyncRead + Unpin> Wire<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, ahead: BytesMut::new() }
    }

    /// Reads a head; `None` if the peer closed instead.
    pub(crate) async fn head(&mut self) -> io::Result<Option<Head>> {
        loop {
            if let Some(end) = find(&self.ahead, b"\r\n\r\n") {
                let raw = self.ahead.split_to(end + 4);
                return Ok(Some(Head::parse(&raw)));
            }
            if !self.more().await? {
                return Ok(None);
            }
        }
    }

    /// Reads the next piece of a body, as it comes; `None` after the last.
    pub(crate) async fn piece(&mut self, framing: &mut Framing) -> io::Result<Option<Bytes>> {
        loop {
            match *framing {
                Framing::Done => return Ok(None),
                Framing::Close => return Ok(self.some().await?.then(|| self.ahead.split().freeze())),
                Framing::Length(left) => {
                    self.need().await?;
                    let piece = self.take(left);
                    let left = left - piece.len() as u64;
                    *framing = if left == 0 { Framing::Done } else { Framing::Length(left) };
                    return Ok(Some(piece));
                }
                Framing::Chunked { left: 0, tail } => *framing = self.chunk_line(tail).await?,
                Framing::Chunked { left, .. } => {
                    self.need().await?;
                    let piece = self.take(left);
                    *framing = Framing::Chunked { left: left - piece.len() as u64, tail: true };
                    return Ok(Some(piece));
                }
            }
        }
    }

    /// Reads what is left of a body.
    pub(crate) async fn body(&mut self, mut framing: Framing) -> io::Result<Bytes> {
        let mut body = BytesMut::new();
        while let Some(piece) = self.piece(&mut framing).await? {
            body.extend_from_slice(&piece);
        }
        Ok(body.freeze())
    }

    /// Reads everything until the peer closes; a reset counts as closing.
    pub(crate) async fn rest(&mut self) -> Bytes {
        while matches!(self.more().await, Ok(true)) {}
        self.ahead.split().freeze()
    }

    /// Reads the line that begins a chunk, after the line end of the one before.
    async fn chunk_line(&mut self, tail: bool) -> io::Result<Framing> {
        if tail {
            let end = self.line().await?;
            if !end.is_empty() {
                return Err(io::Error::other("a chunk must end with a line end"));
            }
        }
        let line = self.line().await?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let left = u64::from_str_radix(size, 16).map_err(io::Error::other)?;
        if left > 0 {
            return Ok(Framing::Chunked { left, tail: false });
        }
        while !self.line().await?.is_empty() {}
        Ok(Framing::Done)
    }

    async fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = find(&self.ahead, b"\r\n") {
                let raw = self.ahead.split_to(end);
                self.ahead.advance(2);
                return String::from_utf8(raw.to_vec()).map_err(io::Error::other);
            }
            if !self.more().await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Waits for bytes that must come.
    async fn need(&mut self) -> io::Result<()> {
        if self.some().await? { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    /// Waits for bytes; false if the peer closed.
    async fn some(&mut self) -> io::Result<bool> {
        if self.ahead.is_empty() { self.more().await } else { Ok(true) }
    }

    async fn more(&mut self) -> io::Result<bool> {
        self.ahead.reserve(16 * 1024);
        Ok(self.stream.read_buf(&mut self.ahead).await? > 0)
    }

    fn take(&mut self, limit: u64) -> Bytes {
        let count = usize::try_from(limit).unwrap_or(usize::MAX).min(self.ahead.len());
        self.ahead.split_to(count).freeze()
    }
}

/// Where `needle` first stands.
pub(crate) fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
