//! The AI SDK's UI message stream (Vercel `ai`, versions 5 and 6), as its chat transport speaks it to a server.
//!
//! Reference: <https://ai-sdk.dev/docs/ai-sdk-ui/stream-protocol>. Spoken by clients alone.
//!
//! What shapes this dialect: the client sends the whole conversation as UI messages, in which a call and its result are
//! one part and `step-start` parts cut an answer into turns; the answer is always a stream, whose chunks name the part
//! that they belong to, so that parts may interleave; the set of chunk types is closed, and one unknown chunk ends the
//! stream at the client. The older data stream of AI SDK 4 (`0:"text"`) is another dialect.

mod finish;
mod inspect;
mod metadata;
mod pointer;
mod request;
mod response;
mod stream;

#[cfg(test)]
mod tests;

use bytes::Bytes;

use super::{CallHead, Dialect, Inspection, Reply, StreamEncoder, StreamForm, Upstream};
use crate::{
    model::{ErrorInfo, Field, Request, Response},
    openai::error,
};

/// The UI message stream dialect.
#[derive(Clone, Copy, Debug, Default)]
pub struct AiSdkUi;

impl Dialect for AiSdkUi {
    fn name(&self) -> &'static str {
        "ai_sdk_ui"
    }

    fn config_name(&self) -> (&'static str, &'static str) {
        ("ai-sdk-ui", "llm/v1/chat")
    }

    fn upstream(&self) -> Option<&'static dyn Upstream> {
        None
    }

    fn claims(&self, body: &Bytes) -> bool {
        inspect::claims(body)
    }

    fn inspect(&self, _call: &CallHead<'_>, body: &Bytes) -> Result<Inspection, ErrorInfo> {
        inspect::inspect(body)
    }

    fn decode_request(&self, _call: &CallHead<'_>, body: &Bytes) -> Result<Request, ErrorInfo> {
        request::decode(body)
    }

    fn encode_response(&self, response: &Response, reply: &Reply) -> Bytes {
        response::encode(response, reply)
    }

    fn stream_encoder(&self, reply: &Reply) -> Box<dyn StreamEncoder> {
        Box::new(stream::Encoder::new(reply))
    }

    fn encode_error(&self, error: &ErrorInfo, _request_id: &str) -> Bytes {
        // The client shows the whole body as its error's message.
        error::encode(error)
    }

    fn answer_headers(&self, streamed: bool) -> &'static [(&'static str, &'static str)] {
        if streamed { &[("x-vercel-ai-ui-message-stream", "v1")] } else { &[] }
    }

    fn keepalive(&self, _form: StreamForm) -> &'static [u8] {
        b": ka\n\n"
    }

    fn pointer(&self, field: Field) -> &'static str {
        pointer::pointer(field)
    }
}
