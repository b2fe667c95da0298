//! The dialects that the mock upstream answers in and the load generator asks in.

/// One provider API, as seen on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Dialect {
    /// `OpenAI` chat completions.
    Openai,
    /// Anthropic messages.
    Anthropic,
    /// Gemini `generateContent` and `streamGenerateContent`.
    Gemini,
}

// === impl Dialect ===

impl Dialect {
    /// Every dialect, in the order of the upstream's answers.
    pub const ALL: [Self; 3] = [Self::Openai, Self::Anthropic, Self::Gemini];

    /// Names the dialect as the command line and the control endpoint do.
    pub fn name(self) -> &'static str {
        match self {
            Self::Openai => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
        }
    }

    /// Names the path on which a gateway, or the provider itself, takes a chat request.
    pub fn chat_path(self) -> &'static str {
        match self {
            Self::Openai => "/v1/chat/completions",
            Self::Anthropic => "/v1/messages",
            Self::Gemini => "/v1beta/models/gemini-mock:streamGenerateContent?alt=sse",
        }
    }

    /// Returns bytes that stand near the end of a whole stream and nowhere before its closing event.
    pub fn closing_mark(self) -> &'static [u8] {
        match self {
            Self::Openai => b"[DONE]",
            Self::Anthropic => b"message_stop",
            Self::Gemini => b"STOP",
        }
    }
}
