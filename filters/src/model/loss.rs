//! What a translation could not carry. Nothing is lost in silence.

/// How much of a member's meaning was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LossLevel {
    /// The same intent by other means.
    Approx,
    /// Left out; the shape of the answer does not change.
    Drop,
}

impl LossLevel {
    /// The name used in `x-lockgate-loss`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Approx => "approx",
            Self::Drop => "drop",
        }
    }
}

/// The request members that a target may be unable to carry. A dialect says where each stands in its own wire form
/// (`Dialect::pointer`), so that the client reads the name that it wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the names are the request members they stand for")]
pub enum Field {
    System,
    SystemMid,
    Messages,
    Name,
    Image,
    ImageDetail,
    Document,
    Audio,
    Video,
    CacheControl,
    Reasoning,
    ReasoningDisplay,
    ReasoningHistory,
    Signature,
    Tools,
    ServerTool,
    CustomTool,
    ToolSchema,
    ToolStrict,
    ToolChoice,
    ToolArguments,
    ToolResult,
    ToolError,
    ParallelTools,
    ResponseFormat,
    ResponseSchema,
    Modalities,
    Verbosity,
    Temperature,
    TopP,
    TopK,
    FrequencyPenalty,
    PresencePenalty,
    Seed,
    LogitBias,
    Logprobs,
    MaxTokens,
    Stop,
    Candidates,
    User,
    Metadata,
    Store,
    CacheKey,
    CachedContent,
    Tier,
    Safety,
    Prefill,
    Citations,
    Extra,
}

/// One thing that could not be carried as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// Which member.
    pub field: Field,
    /// How much was lost.
    pub level: LossLevel,
}

/// All losses of one translation, each named once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Losses(Vec<Loss>);

impl Losses {
    /// Notes that `field` was carried by other means.
    pub fn approx(&mut self, field: Field) {
        self.note(field, LossLevel::Approx);
    }

    /// Notes that `field` was left out.
    pub fn drop(&mut self, field: Field) {
        self.note(field, LossLevel::Drop);
    }

    fn note(&mut self, field: Field, level: LossLevel) {
        match self.0.iter_mut().find(|loss| loss.field == field) {
            Some(loss) => loss.level = loss.level.max(level),
            None => self.0.push(Loss { field, level }),
        }
    }

    /// The losses, in the order in which they were found.
    pub fn iter(&self) -> std::slice::Iter<'_, Loss> {
        self.0.iter()
    }

    /// True if everything was carried.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> IntoIterator for &'a Losses {
    type Item = &'a Loss;
    type IntoIter = std::slice::Iter<'a, Loss>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
