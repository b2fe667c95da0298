//! Paths of a provider's endpoints: one table says what each is called, in which dialect it is spoken and what it does.
//!
//! The schema, the reader and the lists of what a provider has all go by the table: a new endpoint is a row.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// The route type of a conversation in the usual form.
pub(crate) const CHAT: &str = "llm/v1/chat";

/// The route type of counting.
pub(crate) const COUNT: &str = "llm/v1/count_tokens";

/// A kind of path.
#[derive(Debug)]
pub(crate) struct PathKind {
    /// The key under `paths`.
    pub(crate) name: &'static str,
    /// How it is spoken to.
    pub(crate) spoken: Spoken,
    /// What requests there ask for.
    pub(crate) route_type: &'static str,
    /// What such a path ends in, where its dialect leaves no choice.
    pub(crate) ending: &'static str,
    /// Sentence for the schema.
    what: &'static str,
}

/// How an endpoint is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spoken {
    /// In the provider's `dialect`.
    Own,
    /// In a dialect of its own, whatever the provider's is.
    In(&'static str),
    /// In the one form that everybody has taken over from its inventor.
    Common,
}

/// Every kind of path, in the order in which they are shown.
pub(crate) const PATHS: &[PathKind] = &[
    kind("chat", Spoken::Own, CHAT, "Chat in the provider's `dialect`."),
    kind("messages", Spoken::In("anthropic"), CHAT, "Messages, in the `anthropic` dialect."),
    PathKind {
        ending: ":generateContent",
        ..kind(
            "generate_content",
            Spoken::In("gemini"),
            CHAT,
            "Content generation, in the `gemini` dialect; ends in `:generateContent`.",
        )
    },
    kind("cohere_chat", Spoken::In("cohere"), CHAT, "Chat, in the `cohere` dialect."),
    kind("ollama_chat", Spoken::In("ollama"), CHAT, "Chat, in the `ollama` dialect."),
    PathKind {
        ending: "/converse",
        ..kind("converse", Spoken::In("bedrock"), CHAT, "Converse, in the `bedrock` dialect; ends in `/converse`.")
    },
    kind("responses", Spoken::In("openai"), "llm/v1/responses", "Responses, in the `openai` dialect."),
    kind("completions", Spoken::In("openai"), "llm/v1/completions", "Legacy completions, in the `openai` dialect."),
    kind(
        "generate",
        Spoken::In("ollama"),
        "llm/v1/completions",
        "Generation from one prompt, in the `ollama` dialect.",
    ),
    kind(
        "count_tokens",
        Spoken::Own,
        COUNT,
        "Counting of tokens, in the provider's `dialect`; in `openai`, for Responses.",
    ),
    kind("bedrock_count_tokens", Spoken::In("bedrock"), COUNT, "Counting of tokens, in the `bedrock` dialect."),
    kind("models", Spoken::Common, "llm/v1/models", "The list of models."),
    kind("embeddings", Spoken::Common, "llm/v1/embeddings", "Embeddings, in OpenAI's form."),
    kind("rerank", Spoken::Common, "llm/v1/rerank", "Reranking, in the form that Cohere and Jina share."),
    kind("moderations", Spoken::Common, "llm/v1/moderations", "Moderation, in OpenAI's form."),
    kind("images", Spoken::Common, "image/v1/images/generations", "Images from text, in OpenAI's form."),
    kind("image_edits", Spoken::Common, "image/v1/images/edits", "Edits of images, in OpenAI's form."),
    kind("image_variations", Spoken::Common, "image/v1/images/variations", "Variations of an image, in OpenAI's form."),
    kind("speech", Spoken::Common, "audio/v1/audio/speech", "Speech from text, in OpenAI's form."),
    kind("transcriptions", Spoken::Common, "audio/v1/audio/transcriptions", "Text from speech, in OpenAI's form."),
    kind(
        "translations",
        Spoken::Common,
        "audio/v1/audio/translations",
        "English text from speech of any language, in OpenAI's form.",
    ),
    kind("videos", Spoken::Common, "video/v1/videos/generations", "Video jobs, in OpenAI's form."),
    kind("ocr", Spoken::Common, "llm/v1/ocr", "Text of documents, in Mistral's form."),
    kind("files", Spoken::Common, "llm/v1/files", "Files, in OpenAI's form."),
    kind("batches", Spoken::Common, "llm/v1/batches", "Batches, in OpenAI's form."),
    kind("assistants", Spoken::Common, "llm/v1/assistants", "Assistants, in OpenAI's form."),
    kind("threads", Spoken::Common, "llm/v1/threads", "Threads of assistants, in OpenAI's form."),
    kind("fine_tuning", Spoken::Common, "llm/v1/fine_tuning", "Fine-tuning jobs, in OpenAI's form."),
    kind("vector_stores", Spoken::Common, "llm/v1/vector_stores", "Vector stores, in OpenAI's form."),
    kind("uploads", Spoken::Common, "llm/v1/uploads", "Uploads in parts, in OpenAI's form."),
    kind("realtime", Spoken::Common, "realtime/v1/realtime", "Realtime sessions over WebSocket, in OpenAI's form."),
];

const fn kind(name: &'static str, spoken: Spoken, route_type: &'static str, what: &'static str) -> PathKind {
    PathKind { name, spoken, route_type, ending: "", what }
}

/// Paths of endpoints by kind, in the order of the file.
#[derive(Clone, Debug, Default)]
pub(crate) struct RawPaths(Vec<(&'static PathKind, String)>);

// === impl PathKind ===

impl PathKind {
    /// Finds a kind by its name.
    pub(crate) fn find(name: &str) -> Option<&'static Self> {
        PATHS.iter().find(|kind| kind.name == name)
    }

    /// Returns what is on offer there: the operation, or how one converses, in whichever dialect.
    pub(crate) fn offer(&self) -> &'static str {
        match self.spoken {
            Spoken::Common => self.name,
            Spoken::Own | Spoken::In(_) => self.route_type.rsplit('/').next().unwrap_or(self.name),
        }
    }

    /// Tells whether it is one beside conversations and the list of models.
    pub(crate) fn is_operation(&self) -> bool {
        self.spoken == Spoken::Common && self.name != "models"
    }
}

// === impl RawPaths ===

impl RawPaths {
    /// Returns a path by the name of its kind.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(kind, _)| kind.name == name).map(|(_, path)| path.as_str())
    }

    /// Returns the paths in the order of the table.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static PathKind, &str)> {
        PATHS.iter().filter_map(|kind| Some((kind, self.get(kind.name)?)))
    }

    /// Returns the paths for changes.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&'static PathKind, &mut String)> {
        self.0.iter_mut().map(|(kind, path)| (*kind, path))
    }

    /// Keeps the paths that `keep` says yes to.
    #[must_use]
    pub(crate) fn only(mut self, keep: impl Fn(&PathKind) -> bool) -> Self {
        self.0.retain(|(kind, _)| keep(kind));
        self
    }

    /// Fills what these leave open from others.
    #[must_use]
    pub(crate) fn over(mut self, base: Self) -> Self {
        for (kind, path) in base.0 {
            if self.get(kind.name).is_none() {
                self.0.push((kind, path));
            }
        }
        self
    }
}

impl<'de> Deserialize<'de> for RawPaths {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PathsVisitor)
    }
}

struct PathsVisitor;

impl<'de> Visitor<'de> for PathsVisitor {
    type Value = RawPaths;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping of paths")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut paths = Vec::new();
        while let Some((name, path)) = map.next_entry::<String, String>()? {
            let kind = PathKind::find(&name).ok_or_else(|| A::Error::custom(format!("unknown path `{name}`")))?;
            paths.push((kind, path));
        }
        Ok(RawPaths(paths))
    }
}

impl JsonSchema for RawPaths {
    fn schema_name() -> Cow<'static, str> {
        "Paths".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let properties = PATHS.iter().map(|kind| {
            let property = serde_json::json!({"description": kind.what, "type": ["string", "null"]});
            (kind.name.to_owned(), property)
        });
        let properties: serde_json::Map<String, serde_json::Value> = properties.collect();
        json_schema!({
            "description": "Paths of endpoints, appended to `base_url`, or whole URLs where one is elsewhere; `{model}` stands \
                            for the model's id.",
            "type": "object",
            "properties": properties,
            "additionalProperties": false,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn kinds_and_what_they_are_asked_for_are_told_apart() {
        let names: HashSet<_> = PATHS.iter().map(|kind| kind.name).collect();
        assert_eq!(names.len(), PATHS.len(), "two kinds share a name");
        let operations: Vec<_> = PATHS.iter().filter(|kind| kind.is_operation()).collect();
        let asked: HashSet<_> = operations.iter().map(|kind| kind.route_type).collect();
        assert_eq!(asked.len(), operations.len(), "two operations share a route type");
    }

    #[test]
    fn own_paths_win_over_others() {
        let paths = |text: &str| serde_json::from_str::<RawPaths>(text).expect("the paths are known");
        let both = paths(r#"{"models": "/m", "chat": "/mine"}"#).over(paths(r#"{"chat": "/theirs", "rerank": "/r"}"#));
        let all: Vec<_> = both.iter().map(|(kind, path)| (kind.name, path)).collect();
        assert_eq!(all, [("chat", "/mine"), ("models", "/m"), ("rerank", "/r")]);
        assert!(both.only(PathKind::is_operation).get("chat").is_none());
        assert!(serde_json::from_str::<RawPaths>(r#"{"chatt": "/x"}"#).is_err(), "unknown names are refused");
    }
}
