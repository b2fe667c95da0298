//! Bedrock Converse and `ConverseStream`, the one dialect that AWS has for the models of all its vendors.
//!
//! Reference: <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html> and, for streams,
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html>. Names, limits and enums
//! are those of the service model in botocore.
//!
//! What shapes this dialect: model and verb stand in the path, so a request of the same dialect passes without an
//! edit. Content is a list of blocks with one member each; a cache breakpoint is a block of its own behind what it
//! covers. Tools in the history ask for tools on offer. What only one vendor's models take goes into
//! `additionalModelRequestFields`. A stream is binary frames, in which text and thinking begin without announcement and
//! counts come after the stop. An error's sort is a header.
//!
//! Signatures are this family's own, though most of them are Claude's: an answer does not say whose model signed it,
//! and withheld thinking is written in another way than the vendor's.

mod blocks;
mod count;
mod error;
mod finish;
mod formats;
mod inspect;
mod pointer;
mod profile;
mod request;
mod response;
mod stream;
mod usage;
mod wire;

#[cfg(test)]
mod tests;

use bytes::Bytes;
pub use count::CountTokens;

use super::{
    CallHead, Dialect, Encoded, Glance, Inspection, Reply, ResponseError, StreamDecoder, StreamEncoder, StreamForm,
    Tap, TapSpec, Target, Upstream, relayed_status,
};
use crate::{
    aws,
    json::Splice,
    model::{ErrorClass, ErrorInfo, Field, Media, Request, Response, Str},
};

/// The Converse dialect.
#[derive(Clone, Copy, Debug)]
pub struct BedrockConverse;

impl Dialect for BedrockConverse {
    fn name(&self) -> &'static str {
        "bedrock_converse"
    }

    fn config_name(&self) -> (&'static str, &'static str) {
        ("bedrock", "llm/v1/chat")
    }

    fn upstream(&self) -> Option<&'static dyn Upstream> {
        Some(&BedrockConverse)
    }

    fn inspect(&self, call: &CallHead<'_>, body: &Bytes) -> Result<Inspection, ErrorInfo> {
        inspect::inspect(call, body)
    }

    fn decode_request(&self, call: &CallHead<'_>, body: &Bytes) -> Result<Request, ErrorInfo> {
        request::decode(call, body)
    }

    fn encode_response(&self, response: &Response, reply: &Reply) -> Bytes {
        response::encode(response, reply)
    }

    fn stream_encoder(&self, reply: &Reply) -> Box<dyn StreamEncoder> {
        Box::new(stream::Encoder::new(reply))
    }

    fn encode_error(&self, error: &ErrorInfo, _request_id: &str) -> Bytes {
        error::encode(error)
    }

    fn error_status(&self, error: &ErrorInfo) -> u16 {
        // The vendor refuses unknown callers and unwelcome ones with the same status.
        if error.class == ErrorClass::Auth {
            return 403;
        }
        relayed_status(error).unwrap_or_else(|| error.class.status())
    }

    fn error_headers(&self, error: &ErrorInfo) -> Vec<(&'static str, Str)> {
        vec![("x-amzn-errortype", Str::from_static(error::name(error.class)))]
    }

    fn keepalive(&self, _form: StreamForm) -> &'static [u8] {
        // Clients hand events that they do not know to their users.
        &[]
    }

    fn pointer(&self, field: Field) -> &'static str {
        pointer::pointer(field)
    }
}

impl Upstream for BedrockConverse {
    fn splices(&self, _inspection: &Inspection, _target: &Target<'_>) -> Vec<Splice> {
        // The model is in the path.
        Vec::new()
    }

    fn encode_request(&self, request: &Request, target: &Target<'_>) -> Result<Encoded, ErrorInfo> {
        request::encode(request, target)
    }

    fn takes_url(&self, _media: &Media, _quirks: &[String]) -> bool {
        // Only files in S3, which are no web addresses.
        false
    }

    fn decode_response(&self, body: &Bytes) -> Result<Response, ResponseError> {
        response::decode(body)
    }

    fn inspect_response(&self, body: &Bytes) -> Glance {
        inspect::inspect_response(body)
    }

    fn decode_error(&self, status: u16, body: &[u8]) -> ErrorInfo {
        aws::decode(status, body)
    }

    fn stream_form(&self) -> StreamForm {
        StreamForm::EventStream
    }

    fn stream_decoder(&self) -> Box<dyn StreamDecoder> {
        Box::new(stream::Decoder::default())
    }

    fn tap(&self, _tap: TapSpec) -> Box<dyn Tap> {
        // Usage always comes here, so there is never an uninvited piece of it to take out.
        Box::new(stream::StreamTap::default())
    }
}
