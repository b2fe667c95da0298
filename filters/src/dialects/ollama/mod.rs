//! Ollama's own API: chat (`POST /api/chat`) and generation from one prompt (`POST /api/generate`).
//!
//! Reference: <https://docs.ollama.com/api/chat> and <https://docs.ollama.com/api/generate>; where they are silent, the
//! vendor's `api/types.go` and its Python client.
//!
//! What shapes this dialect: answers stream unless the client says otherwise, one JSON object per line; arguments of
//! calls are objects, calls come whole, and older clients give them no ids; a message's pictures stand beside its one
//! text; times are RFC 3339 and durations nanoseconds. Both endpoints share settings, counts, times and errors; they
//! differ in where a request's and an answer's words stand.

mod error;
mod finish;
mod ids;
mod inspect;
mod media;
mod pointer;
mod request;
mod response;
mod stream;
#[cfg(test)]
mod tests;
mod time;
mod wire;

use bytes::Bytes;

use super::{
    CallHead, Dialect, Encoded, Glance, Inspection, Quirk, Reply, ResponseError, StreamDecoder, StreamEncoder,
    StreamForm, Tap, TapSpec, Target, Upstream,
};
use crate::{
    json::Splice,
    model::{ErrorInfo, Field, Media, Request, Response},
};

/// The names of both endpoints' dialects: what one keeps in `extra`, the other may send.
const FAMILY: [&str; 2] = ["ollama", "ollama_generate"];

/// What keeps an idle stream alive: a blank before the next line's object, which every JSON parser passes over. An
/// empty line would not do: the vendor's Python client parses it.
const KEEPALIVE: &[u8] = b" ";

/// Chat: `POST /api/chat`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ollama;

/// Generation from one prompt: `POST /api/generate`.
#[derive(Clone, Copy, Debug, Default)]
pub struct OllamaGenerate;

/// Which of the two endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Endpoint {
    Chat,
    Generate,
}

/// In what servers deviate from the common form.
const QUIRKS: &[Quirk] =
    &[Quirk { name: "no_think", what: "`think` is not sent: the server's models refuse the member" }];

/// Implements both traits for an endpoint's type. The endpoints differ in what [`Endpoint`] says, and in names.
macro_rules! speak {
    ($dialect:ident, $endpoint:expr, $name:literal, $route_type:literal) => {
        impl Dialect for $dialect {
            fn name(&self) -> &'static str {
                $name
            }

            fn config_name(&self) -> (&'static str, &'static str) {
                ("ollama", $route_type)
            }

            fn upstream(&self) -> Option<&'static dyn Upstream> {
                Some(&$dialect)
            }

            fn carries_state(&self) -> bool {
                false
            }

            fn inspect(&self, _call: &CallHead<'_>, body: &Bytes) -> Result<Inspection, ErrorInfo> {
                inspect::inspect(body)
            }

            fn decode_request(&self, _call: &CallHead<'_>, body: &Bytes) -> Result<Request, ErrorInfo> {
                request::decode(body, $endpoint)
            }

            fn encode_response(&self, response: &Response, reply: &Reply) -> Bytes {
                response::encode(response, reply, $endpoint)
            }

            fn stream_encoder(&self, reply: &Reply) -> Box<dyn StreamEncoder> {
                Box::new(stream::Encoder::new(reply, $endpoint))
            }

            fn encode_error(&self, error: &ErrorInfo, _request_id: &str) -> Bytes {
                error::encode(error)
            }

            fn keepalive(&self, _form: StreamForm) -> &'static [u8] {
                KEEPALIVE
            }

            fn pointer(&self, field: Field) -> &'static str {
                pointer::pointer(field, $endpoint)
            }
        }

        impl Upstream for $dialect {
            fn splices(&self, inspection: &Inspection, target: &Target<'_>) -> Vec<Splice> {
                inspect::splices(inspection, target)
            }

            fn encode_request(&self, request: &Request, target: &Target<'_>) -> Result<Encoded, ErrorInfo> {
                request::encode(request, target, $endpoint)
            }

            fn takes_url(&self, _media: &Media) -> bool {
                false
            }

            fn decode_response(&self, body: &Bytes) -> Result<Response, ResponseError> {
                response::decode(body)
            }

            fn inspect_response(&self, body: &Bytes) -> Glance {
                inspect::glance(body)
            }

            fn decode_error(&self, status: u16, body: &[u8]) -> ErrorInfo {
                error::decode(status, body)
            }

            fn stream_form(&self) -> StreamForm {
                StreamForm::JsonLines
            }

            fn stream_decoder(&self) -> Box<dyn StreamDecoder> {
                Box::new(stream::Decoder::default())
            }

            fn tap(&self, _tap: TapSpec) -> Box<dyn Tap> {
                // Usage always comes, so there is never an uninvited piece of it to take out.
                Box::new(stream::StreamTap::default())
            }

            fn quirks(&self) -> &'static [Quirk] {
                QUIRKS
            }
        }
    };
}

speak!(Ollama, Endpoint::Chat, "ollama", "llm/v1/chat");
speak!(OllamaGenerate, Endpoint::Generate, "ollama_generate", "llm/v1/completions");
