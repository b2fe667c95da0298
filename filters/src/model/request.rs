//! The canonical request.

use super::{CachePoint, Family, Part, RawJson, Str};

/// What a client asks of a model.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The model as the client named it.
    pub model: Str,
    /// Leading system and developer text, one part per block or message, in order.
    pub system: Vec<Part>,
    /// The conversation.
    pub turns: Vec<Turn>,
    /// Tools on offer.
    pub tools: Vec<Tool>,
    /// Which tool must, may or must not be called.
    pub tool_choice: ToolChoice,
    /// Whether several calls in one answer are wanted; `None` leaves it to the provider.
    pub parallel_tools: Option<bool>,
    /// The form of the answer.
    pub output: OutputSpec,
    /// How tokens are drawn.
    pub sampling: Sampling,
    /// How long the answer may get, and where it stops.
    pub limits: Limits,
    /// How much to think, and what of it to show.
    pub reasoning: ReasoningSpec,
    /// Who asks.
    pub identity: Identity,
    /// Handles on state that a vendor stores.
    pub state: State,
    /// The service tier asked for.
    pub tier: Option<Str>,
    /// `Some` if the answer is to be streamed.
    pub stream: Option<StreamSpec>,
    /// How many answers; at least 1.
    pub candidates: Option<u32>,
    /// Safety settings as their family writes them.
    pub safety: Option<(Family, RawJson)>,
    /// Members that no field holds, as `(name, value)` of the request's top level, re-emitted only to their family.
    pub extra: Vec<(Str, RawJson)>,
    /// The name of the dialect whose members `extra` are.
    pub origin: Option<&'static str>,
}

/// One speaker's turn.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// Who speaks.
    pub role: Role,
    /// What is said, in order.
    pub parts: Vec<Part>,
    /// A speaker's name (`OpenAI` `name`).
    pub name: Option<Str>,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The person, or the tool results that come back in the person's place.
    User,
    /// The model.
    Assistant,
    /// System text that stands in the middle of the conversation.
    System,
}

/// A tool on offer.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Tool {
    /// A function of the client's.
    Function {
        /// Its name.
        name: Str,
        /// What it does.
        description: Option<Str>,
        /// JSON Schema of its arguments; `None` if it takes none.
        schema: Option<RawJson>,
        /// Whether arguments must fit the schema exactly; `None` where the client did not say.
        strict: Option<bool>,
        /// A cache breakpoint after this tool.
        cache: Option<CachePoint>,
    },
    /// A tool that takes free text (`OpenAI` custom tools).
    Custom {
        /// Its name.
        name: Str,
        /// What it does.
        description: Option<Str>,
        /// The grammar its input must follow, as `OpenAI` writes it.
        format: Option<RawJson>,
    },
    /// A tool that a provider runs itself, as its family writes it.
    Server {
        /// Whose tool.
        family: Family,
        /// Its kind in that family's name.
        kind: Str,
        /// Its definition, verbatim.
        raw: RawJson,
    },
}

/// Which tool must, may or must not be called.
#[derive(Clone, Debug, PartialEq, Default)]
pub enum ToolChoice {
    /// The client did not say.
    #[default]
    Unset,
    /// The model decides.
    Auto,
    /// No tool.
    None,
    /// Some tool.
    Required,
    /// This tool.
    Named(Str),
    /// One of these, required or not.
    Allowed {
        /// The tools' names.
        names: Vec<Str>,
        /// True if one of them must be called.
        required: bool,
    },
}

/// The form of the answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OutputSpec {
    /// Text, JSON, or JSON by a schema.
    pub format: OutputFormat,
    /// Modalities other than text that are asked for (`audio`, `image`).
    pub modalities: Vec<Str>,
    /// `OpenAI`'s verbosity (`low`, `medium`, `high`).
    pub verbosity: Option<Str>,
}

/// Text, JSON, or JSON by a schema.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum OutputFormat {
    /// Free text.
    #[default]
    Text,
    /// Any JSON object.
    JsonObject,
    /// JSON that fits a schema.
    JsonSchema {
        /// A name for the schema.
        name: Option<Str>,
        /// What it describes.
        description: Option<Str>,
        /// The schema, as JSON Schema.
        schema: RawJson,
        /// Whether the fit must be exact; `None` where the client did not say.
        strict: Option<bool>,
    },
}

/// How tokens are drawn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sampling {
    /// Temperature, 0 to 2.
    pub temperature: Option<f64>,
    /// Nucleus mass, 0 to 1.
    pub top_p: Option<f64>,
    /// Candidates per step.
    pub top_k: Option<u32>,
    /// Frequency penalty, -2 to 2.
    pub frequency_penalty: Option<f64>,
    /// Presence penalty, -2 to 2.
    pub presence_penalty: Option<f64>,
    /// Seed for repeatable draws.
    pub seed: Option<i64>,
    /// Token biases as `OpenAI` writes them.
    pub logit_bias: Option<RawJson>,
    /// Whether log probabilities are wanted.
    pub logprobs: bool,
    /// How many alternatives per token.
    pub top_logprobs: Option<u32>,
}

/// How long the answer may get, and where it stops.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Limits {
    /// Most tokens of output, thinking included.
    pub max_output: Option<u64>,
    /// Stop sequences, none of them empty.
    pub stop: Vec<Str>,
}

/// How much to think, and what of it to show.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReasoningSpec {
    /// How much.
    pub mode: ReasoningMode,
    /// What the client wants to see; `None` leaves it to the provider.
    pub display: Option<Display>,
}

/// How much to think.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReasoningMode {
    /// The client did not say.
    #[default]
    Unset,
    /// Not at all.
    Off,
    /// As the model sees fit.
    Adaptive,
    /// On a named scale.
    Effort(Effort),
    /// At most so many tokens.
    Budget(u64),
}

/// The common scale of reasoning effort.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effort {
    /// No thinking.
    None,
    /// The least.
    Minimal,
    /// Little.
    Low,
    /// Some.
    Medium,
    /// Much.
    High,
    /// More than high.
    XHigh,
    /// All the model can do.
    Max,
}

impl Effort {
    /// The name that `OpenAI` and Anthropic use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::XHigh => "xhigh",
            Self::Max => "max",
        }
    }

    /// Reads such a name, in any case.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::None, Self::Minimal, Self::Low, Self::Medium, Self::High, Self::XHigh, Self::Max]
            .into_iter()
            .find(|effort| effort.as_str().eq_ignore_ascii_case(name))
    }

    /// The effort that a token budget amounts to.
    pub fn from_budget(tokens: u64) -> Self {
        match tokens {
            0 => Self::None,
            1..=1024 => Self::Minimal,
            1025..=4096 => Self::Low,
            4097..=12288 => Self::Medium,
            12289..=20480 => Self::High,
            20481..=28672 => Self::XHigh,
            _ => Self::Max,
        }
    }

    /// The token budget that an effort amounts to on models that take budgets.
    pub fn to_budget(self) -> u64 {
        match self {
            Self::None => 0,
            Self::Minimal => 1024,
            Self::Low => 2048,
            Self::Medium => 8192,
            Self::High => 16384,
            Self::XHigh => 24576,
            Self::Max => 32768,
        }
    }
}

/// What of the thinking the client wants to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Display {
    /// Nothing readable.
    Omitted,
    /// A summary.
    Summary,
    /// All there is.
    Full,
}

/// Who asks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Identity {
    /// An opaque id of the end user.
    pub user: Option<Str>,
    /// Free key-value pairs, as a JSON object.
    pub metadata: Option<RawJson>,
}

/// Handles on state that a vendor stores, and what to store.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// Whether the vendor may keep the exchange.
    pub store: Option<bool>,
    /// A cache key (`prompt_cache_key`).
    pub cache_key: Option<Str>,
    /// A handle on cached content (Gemini `cachedContent`).
    pub cached_content: Option<Str>,
    /// The stored answer that this request continues (`previous_response_id`).
    pub previous: Option<Str>,
    /// The stored conversation that this request belongs to, by its id.
    pub conversation: Option<Str>,
    /// Whether the vendor is to answer later, on request.
    pub background: bool,
    /// The first item of the conversation that the vendor is to take from its store, by its id (`item_reference`).
    pub item: Option<Str>,
}

impl State {
    /// Whether the vendor already has what was said before.
    pub fn has_history(&self) -> bool {
        self.previous.is_some() || self.conversation.is_some()
    }
}

/// How the answer is streamed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamSpec {
    /// The client wants usage at the end of the stream (`stream_options.include_usage`).
    pub include_usage: bool,
}
