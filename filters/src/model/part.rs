//! What a turn or an answer is made of: text, media, reasoning, calls and results.

use bytes::Bytes;

use super::{RawJson, Str};

/// One piece of content, with what hangs on it.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// The content itself.
    pub content: PartContent,
    /// A prompt-cache breakpoint after this part.
    pub cache: Option<CachePoint>,
    /// Vendor state that must come back unchanged with this part (thought signatures).
    pub opaque: Vec<Opaque>,
    /// Sources that the text rests on.
    pub citations: Vec<Citation>,
}

impl Part {
    /// A part that is nothing but `content`.
    pub fn new(content: PartContent) -> Self {
        Self { content, cache: None, opaque: Vec::new(), citations: Vec::new() }
    }

    /// Plain text.
    pub fn text(text: impl Into<Str>) -> Self {
        Self::new(PartContent::Text(text.into()))
    }

    /// The text, if this is a text part.
    pub fn as_text(&self) -> Option<&Str> {
        match &self.content {
            PartContent::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// The kinds of content that any dialect can hold.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum PartContent {
    /// Visible text.
    Text(Str),
    /// The model declined, in these words.
    Refusal(Str),
    /// An image, a sound, a film, a document.
    Media(Media),
    /// Thinking, readable or sealed.
    Reasoning(Reasoning),
    /// The model asks the client to run a tool.
    ToolCall(ToolCall),
    /// The client's answer to a call.
    ToolResult(ToolResult),
    /// The model had the provider run a tool of its own.
    ServerCall(ServerCall),
    /// What the provider's own tool gave.
    ServerResult(ServerResult),
    /// A member that only its own family understands; re-emitted there and nowhere else.
    Unknown {
        /// Whose member it is.
        family: Family,
        /// The member as it was written.
        raw: RawJson,
    },
}

/// Vendors whose opaque state and file ids belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Family {
    /// `OpenAI` Chat Completions and Responses, and what speaks like them.
    OpenAi,
    /// Anthropic Messages, on any host.
    Anthropic,
    /// Gemini, Developer API and Vertex.
    Gemini,
    /// Bedrock Converse.
    Bedrock,
    /// Cohere v2.
    Cohere,
    /// Ollama's own API.
    Ollama,
}

/// State that a vendor wants back verbatim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opaque {
    /// Whose state it is. It means nothing to any other family.
    pub family: Family,
    /// What sort of state.
    pub kind: OpaqueKind,
    /// The model that made it, where known.
    pub model: Option<Str>,
    /// An item id that the state is bound to (`OpenAI` reasoning items).
    pub id: Option<Str>,
    /// The state, verbatim.
    pub data: Str,
}

/// The sorts of opaque state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpaqueKind {
    /// A signature over readable thinking (`thinking.signature`).
    Signature,
    /// Thinking that only the vendor can read (`encrypted_content`).
    Encrypted,
    /// Thinking withheld for safety (`redacted_thinking`).
    Redacted,
    /// A Gemini thought signature; may sit on any part.
    ThoughtSignature,
}

/// A prompt-cache breakpoint.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct CachePoint {
    /// The lifetime asked for (`5m`, `1h`), if any.
    pub ttl: Option<Str>,
}

/// An image, a sound, a film, a document.
#[derive(Clone, Debug, PartialEq)]
pub struct Media {
    /// What it is, broadly.
    pub class: MediaClass,
    /// Its media type (`image/png`), where known.
    pub mime: Option<Str>,
    /// Where its bytes are.
    pub source: MediaSource,
    /// A file name.
    pub name: Option<Str>,
    /// `OpenAI`'s image detail (`low`, `high`, `auto`).
    pub detail: Option<Str>,
    /// A document's title.
    pub title: Option<Str>,
    /// What the document is about, for the model only.
    pub context: Option<Str>,
    /// Whether the answer is to cite the document; `None` where the client did not say.
    pub citations: Option<bool>,
}

impl Media {
    /// Media of a class, from a source, with nothing else known.
    pub fn new(class: MediaClass, mime: Option<Str>, source: MediaSource) -> Self {
        Self { class, mime, source, name: None, detail: None, title: None, context: None, citations: None }
    }
}

/// Broad classes of media.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaClass {
    /// A still picture.
    Image,
    /// Sound.
    Audio,
    /// Moving pictures.
    Video,
    /// PDF, text and other documents.
    Document,
}

/// Where the bytes of a medium are.
#[derive(Clone, Debug, PartialEq)]
pub enum MediaSource {
    /// Here, as standard base64 text (as every JSON dialect carries it: translating never decodes it).
    Base64(Str),
    /// At a URL that somebody must fetch.
    Url(Str),
    /// In a vendor's file store; ids never cross families.
    File {
        /// Whose store.
        family: Family,
        /// The id or URI there.
        id: Str,
    },
    /// A document given as plain text.
    Text(Str),
    /// A document given as parts.
    Parts(Vec<Part>),
    /// Here, as raw bytes (binary dialects).
    Bytes(Bytes),
}

/// Thinking.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Reasoning {
    /// Readable thinking, or its summary.
    pub text: Option<Str>,
    /// True if the vendor withheld it; then only opaque state is here.
    pub redacted: bool,
    /// The state that must come back with it.
    pub opaque: Vec<Opaque>,
}

/// The model asks the client to run a tool.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolCall {
    /// The id that its result must name. Decoders mint one where the wire has none.
    pub id: Str,
    /// The tool.
    pub name: Str,
    /// How to read `args`.
    pub kind: CallKind,
    /// Arguments: JSON text for a function (`{}` when the wire had nothing), free text for a custom tool.
    pub args: Str,
}

/// How the arguments of a call are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum CallKind {
    /// JSON by a schema.
    #[default]
    Function,
    /// Free text (`OpenAI` custom tools).
    Custom,
}

/// The client's answer to a call.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolResult {
    /// The call it answers.
    pub call: Str,
    /// The tool's name, where the wire gives it (Gemini requires it).
    pub name: Option<Str>,
    /// What the tool gave.
    pub parts: Vec<Part>,
    /// The result as a JSON object, where the wire has it as one (Gemini).
    pub json: Option<RawJson>,
    /// True if the tool failed.
    pub is_error: bool,
}

/// A tool that the provider ran itself.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerCall {
    /// The call's id.
    pub id: Str,
    /// The tool, in its family's name (`web_search`, `code_execution`).
    pub tool: Str,
    /// Its input.
    pub input: RawJson,
    /// Whose tool.
    pub family: Family,
}

/// What a provider's own tool gave.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerResult {
    /// The call it answers.
    pub id: Str,
    /// The tool, in its family's name.
    pub tool: Str,
    /// The result as that family writes it.
    pub output: RawJson,
    /// Whose tool.
    pub family: Family,
}

/// A source that text rests on.
#[derive(Clone, Debug, PartialEq)]
pub struct Citation {
    /// Which piece of the answer's text it covers; `None` for the whole part.
    pub span: Option<Span>,
    /// The source's address, if it has one.
    pub url: Option<Str>,
    /// The source's title.
    pub title: Option<Str>,
    /// The words quoted from the source.
    pub quoted: Option<Str>,
    /// The citation as its family wrote it, and whose it is.
    pub raw: Option<(Family, RawJson)>,
}

/// A piece of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First position.
    pub start: u32,
    /// Position after the last.
    pub end: u32,
    /// What the positions count.
    pub unit: SpanUnit,
}

/// What positions in text count. Vendors differ; convert, never copy numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanUnit {
    /// Unicode scalar values (`OpenAI`, Cohere).
    Char,
    /// UTF-8 bytes (Gemini).
    Byte,
}
