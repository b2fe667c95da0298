//! MCP sampling: an MCP server asks for a completion (`sampling/createMessage`). Spoken by clients alone, and never
//! streamed.
//!
//! Reference: <https://modelcontextprotocol.io/specification/2025-11-25/client/sampling>.
//!
//! Two forms. *Bare*: the body is the request's parameters, the answer is the result, errors are `OpenAI`'s with their
//! status. *JSON-RPC*: both are in their envelope, and an error is an answer like another. What shapes this dialect: a
//! request does not name a model but hints at some; a message is one block or a list; the answer says which model it
//! was; thinking has no place.

mod content;
mod error;
mod inspect;
mod request;
mod response;
mod stream;

#[cfg(test)]
mod tests;

use bytes::Bytes;

use super::{CallHead, Dialect, Inspection, Reply, StreamEncoder, StreamForm, Upstream, Variant, relayed_status};
use crate::model::{ErrorInfo, Field, Request, Response, Str};

/// The sampling dialect, in one of its forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct McpSampling(Form);

/// How a request came and how its answer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Bare, for whoever is no MCP peer: content is always a list.
    Bare,
    /// Bare, for an MCP peer (it states its revision): content of one block is that block. The SDKs read a list only
    /// where the request had tools, and peers of revisions before 2025-11-25 read none at all.
    Peer,
    /// In a JSON-RPC envelope; content as for a peer.
    JsonRpc,
}

/// The header by which peers state the revision of the protocol that they speak.
const REVISION: &str = "mcp-protocol-version";

impl McpSampling {
    /// The form of a request that is in no envelope and comes from no MCP peer.
    pub const BARE: Self = Self(Form::Bare);
    const PEER: Self = Self(Form::Peer);
    const JSON_RPC: Self = Self(Form::JsonRpc);
}

impl Dialect for McpSampling {
    fn name(&self) -> &'static str {
        "mcp_sampling"
    }

    fn config_name(&self) -> (&'static str, &'static str) {
        ("mcp-sampling", "llm/v1/chat")
    }

    fn upstream(&self) -> Option<&'static dyn Upstream> {
        None
    }

    fn carries_state(&self) -> bool {
        // A call has a place for its own, thinking before it has none.
        false
    }

    fn variant<'h>(&self, header: &dyn Fn(&str) -> Option<&'h str>, body: &Bytes) -> Option<Variant> {
        if let Some(id) = inspect::json_rpc_id(body) {
            return Some(Variant { dialect: &Self::JSON_RPC, id: Some(id) });
        }
        header(REVISION).map(|_| Variant { dialect: &Self::PEER, id: None })
    }

    fn inspect(&self, _call: &CallHead<'_>, body: &Bytes) -> Result<Inspection, ErrorInfo> {
        inspect::inspect(&self.parameters(body)?)
    }

    fn hints(&self, body: &Bytes) -> Vec<Str> {
        self.parameters(body).map(|parameters| inspect::hints(&parameters)).unwrap_or_default()
    }

    fn decode_request(&self, _call: &CallHead<'_>, body: &Bytes) -> Result<Request, ErrorInfo> {
        request::decode(&self.parameters(body)?)
    }

    fn encode_response(&self, response: &Response, reply: &Reply) -> Bytes {
        match self.0 {
            Form::Bare => response::encode(response, reply, true),
            Form::Peer => response::encode(response, reply, false),
            Form::JsonRpc => response::in_envelope(&response::encode(response, reply, false), &reply.id),
        }
    }

    fn stream_encoder(&self, reply: &Reply) -> Box<dyn StreamEncoder> {
        Box::new(stream::Encoder::new(*self, reply))
    }

    fn encode_error(&self, error: &ErrorInfo, request_id: &str) -> Bytes {
        match self.0 {
            Form::Bare | Form::Peer => crate::openai::error::encode(error),
            Form::JsonRpc => error::encode(error, request_id),
        }
    }

    fn error_status(&self, error: &ErrorInfo) -> u16 {
        match self.0 {
            Form::Bare | Form::Peer => relayed_status(error).unwrap_or_else(|| error.class.status()),
            // The exchange has worked; what it was about has not.
            Form::JsonRpc => 200,
        }
    }

    fn keepalive(&self, _form: StreamForm) -> &'static [u8] {
        b""
    }

    fn pointer(&self, field: Field) -> &'static str {
        match field {
            Field::System => "/systemPrompt",
            Field::Messages | Field::SystemMid | Field::Prefill | Field::Name => "/messages",
            Field::Image | Field::ImageDetail | Field::Document | Field::Audio | Field::Video => "/messages/content",
            Field::Signature => "/messages/content/_meta",
            Field::ToolArguments => "/messages/content/input",
            Field::ToolResult | Field::ToolError => "/messages/content/tool_result",
            Field::Tools | Field::CustomTool | Field::ServerTool => "/tools",
            Field::ToolSchema | Field::ToolStrict => "/tools/inputSchema",
            Field::ToolChoice => "/toolChoice",
            Field::Temperature => "/temperature",
            Field::MaxTokens => "/maxTokens",
            Field::Stop => "/stopSequences",
            // Whatever else a request may hold is a hint to a provider.
            _ => "/metadata",
        }
    }

    fn headers(&self) -> &'static [&'static str] {
        &[REVISION]
    }
}

impl McpSampling {
    /// The parameters of a request, out of their envelope if they are in one.
    fn parameters(self, body: &Bytes) -> Result<Bytes, ErrorInfo> {
        match self.0 {
            Form::Bare | Form::Peer => Ok(body.clone()),
            Form::JsonRpc => inspect::parameters(body),
        }
    }
}
