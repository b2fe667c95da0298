//! What is known of the models that the service hosts, by their ids.
//!
//! Ids are `vendor.model-version`, with a region before them or an ARN around them. An id that names no vendor (an
//! application's own inference profile) may be anybody's: nothing is held back from it.

use crate::claude;

/// Whose model it is, as far as that decides what may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Model {
    /// Anthropic's.
    Claude(claude::Profile),
    /// Amazon Nova; the second generation thinks.
    Nova {
        /// Whether it thinks.
        thinks: bool,
    },
    /// `OpenAI`'s open models.
    OpenAi,
    /// Mistral's.
    Mistral,
    /// Another vendor's, whose models take the common members and nothing else.
    Plain,
    /// Nobody can tell.
    Unknown,
}

/// How far a model lets itself be made to call a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Forcing {
    /// Not at all.
    None,
    /// Some tool.
    Any,
    /// A named one.
    Named,
}

/// Vendors whose models are plain, as ids name them.
const PLAIN: &[&str] = &[
    "ai21",
    "cohere",
    "deepseek",
    "google",
    "luma",
    "meta",
    "minimax",
    "moonshot",
    "moonshotai",
    "nvidia",
    "qwen",
    "twelvelabs",
    "writer",
    "zai",
];

impl Model {
    /// The model of an id.
    pub(super) fn of(id: &str) -> Self {
        let id = id.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
        if id.contains("claude") {
            return Self::Claude(claude::Profile::of(&id));
        }
        let mut words = id.split('.');
        words
            .find_map(|word| match word {
                "amazon" => {
                    Some(if id.contains("nova") { Self::Nova { thinks: id.contains("nova-2") } } else { Self::Plain })
                }
                "openai" => Some(Self::OpenAi),
                "mistral" => Some(Self::Mistral),
                word if PLAIN.contains(&word) => Some(Self::Plain),
                _ => None,
            })
            .unwrap_or(Self::Unknown)
    }

    /// How far it lets itself be made to call a tool (vendor: "Tool use, toolChoice").
    pub(super) fn forcing(self) -> Forcing {
        match self {
            Self::Claude(profile) if !profile.forced_tools => Forcing::None,
            Self::Claude(_) | Self::Nova { .. } | Self::Unknown => Forcing::Named,
            Self::Mistral => Forcing::Any,
            Self::OpenAi | Self::Plain => Forcing::None,
        }
    }

    /// Whether a result may say that it is an error.
    pub(super) fn takes_status(self) -> bool {
        matches!(self, Self::Claude(_) | Self::Nova { .. } | Self::Unknown)
    }

    /// Whether it takes cache breakpoints behind tools.
    pub(super) fn caches_tools(self) -> bool {
        matches!(self, Self::Claude(_) | Self::Unknown)
    }

    /// Whether it takes cache breakpoints in system text and messages.
    pub(super) fn caches(self) -> bool {
        self.caches_tools() || matches!(self, Self::Nova { .. })
    }

    /// Whether it answers in JSON by a schema.
    pub(super) fn structured(self) -> bool {
        match self {
            Self::Claude(profile) => profile.structured,
            Self::Nova { .. } => false,
            Self::OpenAi | Self::Mistral | Self::Plain | Self::Unknown => true,
        }
    }

    /// Whether thinking of earlier turns may come back.
    pub(super) fn remembers_thinking(self) -> bool {
        matches!(self, Self::Claude(_) | Self::Unknown)
    }

    /// Whether system text may stand in the middle of a conversation.
    pub(super) fn mid_system(self) -> bool {
        matches!(self, Self::Claude(profile) if profile.mid_system)
    }

    /// Whether the conversation may end with words put into the model's mouth.
    pub(super) fn prefill(self) -> bool {
        match self {
            Self::Claude(profile) => profile.prefill,
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_with_regions_and_arns_find_their_vendor() {
        let claude = |id| matches!(Model::of(id), Model::Claude(_));
        assert!(claude("anthropic.claude-sonnet-4-20250514-v1:0"));
        assert!(claude("arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-opus-4-6-v1"));
        for (id, model) in [
            ("amazon.nova-lite-v1:0", Model::Nova { thinks: false }),
            ("us.amazon.nova-2-lite-v1:0", Model::Nova { thinks: true }),
            ("amazon.titan-text-express-v1", Model::Plain),
            ("eu.mistral.pixtral-large-2502-v1:0", Model::Mistral),
            ("openai.gpt-oss-120b-1:0", Model::OpenAi),
            ("us.meta.llama4-scout-17b-instruct-v1:0", Model::Plain),
            ("arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123", Model::Unknown),
            ("echo", Model::Unknown),
        ] {
            assert_eq!(Model::of(id), model, "{id}");
        }
    }
}
