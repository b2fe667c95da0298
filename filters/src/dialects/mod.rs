//! The dialects: one folder each, and the table of them.
//!
//! A dialect maps its wire format to the model and back, and says how its own requests are read at a glance and
//! edited in place, so that traffic between two speakers of it passes untouched. No file here names two dialects.

pub mod ai_sdk_ui;
pub mod anthropic;
pub mod bedrock_converse;
pub mod cohere;
pub mod counting;
pub mod gemini;
pub mod mcp_sampling;
pub mod ollama;
pub mod openai_chat;
pub mod openai_completions;
pub mod openai_responses;

use bytes::{Bytes, BytesMut};
use counting::Counting;

use crate::{
    hosts::HostWire,
    json::Splice,
    model::{ErrorClass, ErrorInfo, Event, Field, FilterError, Losses, Media, Request, Response, Str, Usage},
    seal::Sealer,
};

/// Every dialect. A new one is a folder and a line here.
pub const DIALECTS: &[&dyn Dialect] = &[
    &openai_chat::OpenAiChat,
    &anthropic::Anthropic,
    &gemini::Gemini,
    &bedrock_converse::BedrockConverse,
    &openai_responses::OpenAiResponses,
    &cohere::Cohere,
    &ollama::Ollama,
    &ollama::OllamaGenerate,
    &openai_completions::OpenAiCompletions,
    &ai_sdk_ui::AiSdkUi,
    &mcp_sampling::McpSampling::BARE,
];

/// Every dialect that counts tokens. A new one is a file in its dialect's folder and a line here.
pub const COUNTERS: &[&dyn Upstream] = &[
    &Counting(anthropic::CountTokens),
    &Counting(gemini::CountTokens),
    &Counting(bedrock_converse::CountTokens),
    &Counting(openai_responses::CountTokens),
];

/// The route type of counting.
pub const COUNT: &str = "llm/v1/count_tokens";

/// The dialect that configuration calls `name` for requests of `route_type`.
pub fn find(name: &str, route_type: &str) -> Option<&'static dyn Dialect> {
    let counters = COUNTERS.iter().map(|&counter| counter as &dyn Dialect);
    DIALECTS.iter().copied().chain(counters).find(|dialect| dialect.config_name() == (name, route_type))
}

/// The dialects that upstreams speak.
pub fn upstreams() -> impl Iterator<Item = &'static dyn Upstream> {
    DIALECTS.iter().filter_map(|dialect| dialect.upstream())
}

/// A wire format as a server speaks it to its clients: requests in, answers out.
pub trait Dialect: std::fmt::Debug + Send + Sync {
    /// The name of its folder, used in logs and metrics.
    fn name(&self) -> &'static str;

    /// The dialect and route type by which configuration asks for it.
    fn config_name(&self) -> (&'static str, &'static str);

    /// What requests of this dialect ask for. A request goes only where the same is done.
    fn operation(&self) -> Operation {
        Operation::Converse
    }

    /// The dialect that requests of this one name as their [`Request::origin`].
    fn origin(&self) -> &'static str {
        self.name()
    }

    /// The same wire format as a client speaks it to its upstream; `None` if there are no such servers.
    fn upstream(&self) -> Option<&'static dyn Upstream>;

    /// Whether clients of this dialect carry vendors' state from one request to the next in a place made for it. The
    /// gateway keeps it for those that do not.
    fn carries_state(&self) -> bool {
        true
    }

    /// Whether a body is this dialect's, where a path is shared with another.
    fn claims(&self, body: &Bytes) -> bool {
        let _ = body;
        true
    }

    /// Whether a body says of itself that it is this dialect's, written for a host of many vendors' models.
    fn claims_hosted(&self, body: &Bytes) -> bool {
        let _ = body;
        false
    }

    /// The variant of this dialect that a request is in, where the dialect has several: in an envelope, or of a revision
    /// that a header names. `header` gives a header's first value, if it is text. `None` if it is this one.
    fn variant<'h>(&self, _header: &dyn Fn(&str) -> Option<&'h str>, _body: &Bytes) -> Option<Variant> {
        None
    }

    /// Names that a request hints at where it may not name a model (MCP), the most wanted first. Whoever knows which
    /// models there are chooses by them.
    fn hints(&self, body: &Bytes) -> Vec<Str> {
        let _ = body;
        Vec::new()
    }

    /// Reads what routing needs, without decoding the rest. A dialect whose requests may name no model gives an empty
    /// name for those.
    ///
    /// # Errors
    /// What the client is to be told: not JSON, no model, a member named twice.
    fn inspect(&self, call: &CallHead<'_>, body: &Bytes) -> Result<Inspection, ErrorInfo>;

    /// Decodes a client's request.
    ///
    /// # Errors
    /// What the client is to be told.
    fn decode_request(&self, call: &CallHead<'_>, body: &Bytes) -> Result<Request, ErrorInfo>;

    /// Encodes a whole response for a client.
    fn encode_response(&self, response: &Response, reply: &Reply) -> Bytes;

    /// Writes a client's stream.
    fn stream_encoder(&self, reply: &Reply) -> Box<dyn StreamEncoder>;

    /// Encodes an error for a client, as a whole body.
    fn encode_error(&self, error: &ErrorInfo, request_id: &str) -> Bytes;

    /// The HTTP status that this dialect's clients expect for an error.
    fn error_status(&self, error: &ErrorInfo) -> u16 {
        relayed_status(error).unwrap_or_else(|| error.class.status())
    }

    /// Headers that an error's answer carries besides the body (`x-amzn-errortype`).
    fn error_headers(&self, error: &ErrorInfo) -> Vec<(&'static str, Str)> {
        let _ = error;
        Vec::new()
    }

    /// Headers that every answer of this dialect carries (`x-vercel-ai-ui-message-stream`), streamed or not.
    fn answer_headers(&self, streamed: bool) -> &'static [(&'static str, &'static str)] {
        let _ = streamed;
        &[]
    }

    /// Bytes that keep an idle stream alive and that every client of this dialect ignores. Empty if there are none.
    fn keepalive(&self, form: StreamForm) -> &'static [u8];

    /// Where a member stands in this dialect's requests, as a JSON pointer.
    fn pointer(&self, field: Field) -> &'static str;

    /// Request headers that belong to the dialect itself and travel between its speakers (`anthropic-beta`).
    fn headers(&self) -> &'static [&'static str] {
        &[]
    }
}

/// A named deviation of an upstream from its dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quirk {
    /// The name by which the catalog and configurations list it.
    pub name: &'static str,
    /// What is done for an upstream that has it: a phrase for a table, without a full stop.
    pub what: &'static str,
}

/// A wire format as a client speaks it to its upstream: requests out, answers in.
pub trait Upstream: Dialect {
    /// The edits that a request needs to go to an upstream of the same dialect.
    fn splices(&self, inspection: &Inspection, target: &Target<'_>) -> Vec<Splice>;

    /// All edits that a request needs to go to an upstream of the same dialect that has quirks: [`Self::splices`], and
    /// what the quirks ask for. `headers` are those of [`Dialect::headers`] as the client sent them; what is in it
    /// afterwards goes out.
    fn edits(
        &self,
        body: &Bytes,
        inspection: &Inspection,
        target: &Target<'_>,
        headers: &mut Vec<(&'static str, Str)>,
    ) -> Vec<Splice> {
        let _ = (body, headers);
        self.splices(inspection, target)
    }

    /// Encodes a request for an upstream.
    ///
    /// # Errors
    /// What the client is to be told of a member that must not be left out and cannot be carried.
    fn encode_request(&self, request: &Request, target: &Target<'_>) -> Result<Encoded, ErrorInfo>;

    /// Whether an upstream fetches such media itself when it is given an `http` or `https` URL. What it does not, the
    /// gateway fetches and inlines, if it may. `quirks` are the upstream's.
    fn takes_url(&self, media: &Media, quirks: &[String]) -> bool;

    /// Decodes an upstream's whole response. An error object in a success is [`Err`] of [`ResponseError::Upstream`].
    ///
    /// # Errors
    /// If the body is not this dialect's, or is an error.
    fn decode_response(&self, body: &Bytes) -> Result<Response, ResponseError>;

    /// Reads token counts, and whether the answer is one, from a whole response that passes untouched.
    fn inspect_response(&self, body: &Bytes) -> Glance;

    /// Decodes an upstream's error body; `status` decides where the body says nothing.
    fn decode_error(&self, status: u16, body: &[u8]) -> ErrorInfo;

    /// Whether an error body is of this dialect's own shape, so that a client of it can read it. A host in front of the
    /// upstream may have written another.
    fn is_own_error(&self, body: &[u8]) -> bool {
        let _ = body;
        true
    }

    /// The framing of this dialect's streams, for the `accept` header and to tell a stream from a whole answer.
    fn stream_form(&self) -> StreamForm {
        StreamForm::Sse
    }

    /// What the host that a target is behind puts around this dialect's wire. It has to be taken off before anything of
    /// an answer is read as this dialect's.
    fn host_wire(&self, target: &Target<'_>) -> Option<&'static dyn HostWire> {
        let _ = target;
        None
    }

    /// Reads an upstream's stream.
    fn stream_decoder(&self) -> Box<dyn StreamDecoder>;

    /// Watches a stream that passes untouched.
    fn tap(&self, tap: TapSpec) -> Box<dyn Tap>;

    /// The named deviations of upstreams that the dialect knows how to meet: all that [`Target::has_quirk`] is asked for.
    fn quirks(&self) -> &'static [Quirk] {
        &[]
    }
}

/// Encodes a request for an upstream of another dialect than its client's. What a vendor stores exists at that vendor
/// alone, so a request that goes on from there cannot be carried.
///
/// # Errors
/// What the client is to be told of a member that must not be left out and cannot be carried.
pub fn encode_request(upstream: &dyn Upstream, request: &Request, target: &Target<'_>) -> Result<Encoded, ErrorInfo> {
    let state = &request.state;
    let stored = [
        (state.previous.is_some(), "previous_response_id", "stored answer, send the whole conversation"),
        (state.conversation.is_some(), "conversation", "stored conversation, send all of it"),
        (state.background, "background", "answer for later, leave it out"),
        (state.item.is_some(), "input", "stored item that an `item_reference` names, send the item itself"),
        (state.cached_content.is_some(), "cached_content", "cached content, send the content itself"),
    ];
    let found = stored.into_iter().find(|(is_asked, ..)| *is_asked && request.origin != Some(upstream.origin()));
    if let Some((_, param, what)) = found {
        let message =
            format!("this model's provider has no such {what}, or choose a model of the provider that has it");
        return Err(ErrorInfo::invalid(param, message).with_code("unsupported_parameter"));
    }
    upstream.encode_request(request, target)
}

/// The status of an error that is an upstream's own 4xx answer to the client's own request: it is relayed.
/// Failures of the gateway's credential are not (they carry [`ErrorClass::UpstreamAuth`]).
pub fn relayed_status(error: &ErrorInfo) -> Option<u16> {
    let status = error.upstream_status.filter(|status| (400..=599).contains(status))?;
    match error.class {
        ErrorClass::UpstreamAuth => None,
        _ if status == 529 => None,
        _ => Some(status),
    }
}

/// A variant of a dialect.
#[derive(Clone, Debug)]
pub struct Variant {
    /// Reads the request and writes its answer, in place of the dialect that was asked.
    pub dialect: &'static dyn Dialect,
    /// What the client calls its request, as JSON text, where the answer must repeat it. It stands where else the
    /// gateway's own id does: in [`Reply::id`], and in what `encode_error` is given.
    pub id: Option<Str>,
}

/// What is asked of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// The next turn of a conversation.
    Converse,
    /// How many tokens a conversation amounts to.
    Count,
}

/// What a request's path and query say of the call.
#[derive(Clone, Copy, Debug, Default)]
pub struct CallHead<'a> {
    /// The model in the path, decoded, where the dialect puts it there.
    pub model: Option<&'a str>,
    /// The verb in the path (`streamGenerateContent`), where the dialect has verbs.
    pub verb: Option<&'a str>,
    /// The query, raw.
    pub query: Option<&'a str>,
}

/// What routing needs to know of a request.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// The model as the client named it.
    pub model: Str,
    /// Where the model's JSON string stands in the body, quotes included; `None` if it stands in the path.
    pub model_at: Option<std::ops::Range<usize>>,
    /// How the answer is to be streamed; `None` if it is not.
    pub stream: Option<StreamForm>,
    /// Whether the client asked for usage at the end of the stream. Meaningless where usage always comes.
    pub include_usage: bool,
    /// Where `stream_options` (or what corresponds) stands, for the splice that asks for usage.
    pub stream_options_at: Option<std::ops::Range<usize>>,
}

/// How a streamed answer is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamForm {
    /// Server-sent events.
    Sse,
    /// One JSON array, element by element (Gemini without `alt=sse`).
    JsonArray,
    /// One JSON value per line (Ollama).
    JsonLines,
    /// Binary frames with checksums (`application/vnd.amazon.eventstream`, Bedrock).
    EventStream,
}

impl StreamForm {
    /// The media type of a stream of this form.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Sse => "text/event-stream",
            Self::JsonArray => "application/json",
            Self::JsonLines => "application/x-ndjson",
            Self::EventStream => "application/vnd.amazon.eventstream",
        }
    }
}

/// Where a request goes.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The model as the upstream names it.
    pub model: &'a str,
    /// Named quirks of the upstream, from the catalog.
    pub quirks: &'a [String],
    /// Whether the upstream accepts a request for usage in a stream.
    pub usage_in_stream: bool,
    /// Opens envelopes that this gateway made.
    pub sealer: &'a Sealer,
}

impl Target<'_> {
    /// Whether the catalog lists a quirk for the upstream. It must be one of the dialect's [`Upstream::quirks`].
    pub fn has_quirk(&self, quirk: &str) -> bool {
        self.quirks.iter().any(|listed| listed == quirk)
    }
}

/// A request as an upstream reads it.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// The body.
    pub body: Bytes,
    /// What could not be carried.
    pub losses: Losses,
    /// Headers that members of the body require (`anthropic-beta`).
    pub headers: Vec<(&'static str, Str)>,
    /// Tool names that had to be changed for the upstream: `(sent, original)`. The reply restores them.
    pub renamed_tools: Vec<(Str, Str)>,
    /// True if structured output had to be emulated by a forced tool call: the reply turns that call back to text.
    pub json_tool: Option<Str>,
}

/// How the client wants its answer written. Made once per request, from the request and what its encoding changed.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The model as the client named it; answers carry this name.
    pub model: Str,
    /// Id for an answer to which the upstream gave none.
    pub id: Str,
    /// Now, Unix seconds, for an answer that says no time.
    pub created: u64,
    /// The framing of a streamed answer.
    pub form: StreamForm,
    /// Whether a stream is to end with usage where that is the client's choice.
    pub include_usage: bool,
    /// Whether readable thinking is to be shown.
    pub show_reasoning: bool,
    /// Estimated input tokens, for dialects that state them before the upstream has counted.
    pub input_estimate: u64,
    /// Seals other vendors' opaque state into this dialect's fields.
    pub sealer: Sealer,
}

/// Why a whole response is not an answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ResponseError {
    /// The body is an error object, though the status may have said success.
    #[error(transparent)]
    Upstream(#[from] ErrorInfo),
    /// The body is not this dialect's.
    #[error(transparent)]
    Malformed(#[from] FilterError),
}

/// What a whole response says at a glance.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Glance {
    /// Token counts, if it has any.
    pub usage: Option<Usage>,
    /// The model that served, as the provider names it.
    pub model: Option<Str>,
    /// The error, if the body is one although the status said success.
    pub error: Option<Box<ErrorInfo>>,
}

/// Reads a stream cut anywhere.
pub trait StreamDecoder: Send + Sync {
    /// Takes a chunk cut anywhere; appends the events that it completes, their text sliced from it.
    ///
    /// # Errors
    /// If the stream is not this dialect's. Nothing more may be fed then.
    fn feed(&mut self, chunk: Bytes, events: &mut Vec<Event>) -> Result<(), FilterError>;

    /// The upstream closed. A stream cut short yields [`Event::Error`], then [`Event::End`]; one that ended properly
    /// yields `End` if it has not been seen.
    ///
    /// # Errors
    /// If what was left over is not this dialect's.
    fn finish(&mut self, events: &mut Vec<Event>) -> Result<(), FilterError>;
}

/// Writes a stream.
pub trait StreamEncoder: Send + Sync {
    /// Appends the bytes of an event.
    fn encode(&mut self, event: &Event, out: &mut BytesMut);
}

/// What a tap must do besides watching.
#[derive(Clone, Copy, Debug, Default)]
pub struct TapSpec {
    /// Take out the usage chunk that only the gateway asked for.
    pub strip_usage: bool,
    /// The stream is a JSON array, not events.
    pub json_array: bool,
}

/// Watches a stream that passes untouched.
pub trait Tap: Send + Sync {
    /// Sees a chunk pass; appends to `out` what goes on to the client: the chunk itself, except for an uninvited
    /// usage event, and for the beginning of an event that may turn out to be one.
    fn feed(&mut self, chunk: Bytes, out: &mut Vec<Bytes>);

    /// The upstream closed; appends what was held back.
    fn finish(&mut self, out: &mut Vec<Bytes>);

    /// Token counts seen so far.
    fn usage(&self) -> Option<&Usage>;

    /// The model that served, as the provider names it.
    fn model(&self) -> Option<&Str>;

    /// Whether the stream has said that it is complete.
    fn is_complete(&self) -> bool;

    /// Whether the stream has said its last word, behind which nothing means anything. False where the wire has no such
    /// word.
    fn is_over(&self) -> bool {
        false
    }
}
