//! Heads: the few fields that decide how a message goes on.

use super::WireError;
use super::framing::{Chunk, Framing};

/// More header lines than any gateway adds.
const MAX_HEADERS: usize = 96;

/// The head of a request, as the upstream needs it.
#[derive(Debug)]
pub struct RequestHead {
    /// How many bytes the head takes.
    pub len: usize,
    /// Whether the method is GET.
    pub is_get: bool,
    /// Path and query.
    pub target: String,
    /// Where the body ends.
    pub framing: Framing,
    /// Whether the client waits for `100 Continue`.
    pub expects_continue: bool,
}

/// The head of a response, as the load generator needs it.
#[derive(Debug)]
pub struct ResponseHead {
    /// How many bytes the head takes.
    pub len: usize,
    /// The status code.
    pub status: u16,
    /// Where the body ends.
    pub framing: Framing,
    /// Whether the connection ends with this message.
    pub closes: bool,
}

#[derive(Default)]
struct Fields {
    length: Option<u64>,
    chunked: bool,
    closes: bool,
    expects_continue: bool,
}

/// Parses the head of a request; `None` means that more bytes are needed.
pub fn parse_request(buf: &[u8]) -> Result<Option<RequestHead>, WireError> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(len) = request.parse(buf)? else { return Ok(None) };
    let fields = Fields::read(request.headers);
    Ok(Some(RequestHead {
        len,
        is_get: request.method == Some("GET"),
        target: request.path.unwrap_or("/").to_owned(),
        framing: fields.framing().unwrap_or(Framing::Length(0)),
        expects_continue: fields.expects_continue,
    }))
}

/// Parses the head of a response; `None` means that more bytes are needed.
pub fn parse_response(buf: &[u8]) -> Result<Option<ResponseHead>, WireError> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(len) = response.parse(buf)? else { return Ok(None) };
    let fields = Fields::read(response.headers);
    let framing = fields.framing();
    Ok(Some(ResponseHead {
        len,
        status: response.code.unwrap_or(0),
        closes: fields.closes || framing.is_none(),
        framing: framing.unwrap_or(Framing::UntilClose),
    }))
}

// === impl Fields ===

impl Fields {
    fn read(headers: &[httparse::Header<'_>]) -> Self {
        let mut fields = Self::default();
        for header in headers {
            if header.name.eq_ignore_ascii_case("content-length") {
                fields.length = str::from_utf8(header.value).ok().and_then(|value| value.trim().parse().ok());
            } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
                fields.chunked = true;
            } else if header.name.eq_ignore_ascii_case("connection") {
                fields.closes = header.value.eq_ignore_ascii_case(b"close");
            } else if header.name.eq_ignore_ascii_case("expect") {
                fields.expects_continue = true;
            }
        }
        fields
    }

    fn framing(&self) -> Option<Framing> {
        if self.chunked { Some(Framing::Chunked(Chunk::Size)) } else { self.length.map(Framing::Length) }
    }
}
