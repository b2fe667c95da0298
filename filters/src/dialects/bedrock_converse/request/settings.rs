//! Decides how much to think, how long the answer may get, and which sampling parameters may go along: for each vendor
//! in the way that its models understand.

use super::{conversation::Message, encode::Cx, tools};
use crate::{
    claude::{Mode, Obstacles, Plan, Profile, loop_lacks_thinking},
    model::{Effort, Field, Losses, ReasoningMode, Request},
};

use super::super::profile::{Forcing, Model};

/// What is sent of all that.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Settings {
    /// `inferenceConfig.maxTokens`.
    pub(super) max_tokens: Option<u64>,
    /// `inferenceConfig.temperature`.
    pub(super) temperature: Option<f64>,
    /// `inferenceConfig.topP`.
    pub(super) top_p: Option<f64>,
    /// The vendor's own parameter for candidates per step.
    pub(super) top_k: Option<u32>,
    /// `outputConfig.effort`.
    pub(super) effort: Option<Effort>,
    /// How thinking is asked for.
    pub(super) thinking: Thinking,
}

/// How thinking is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Thinking {
    /// By no member.
    #[default]
    Unsaid,
    /// By Claude's `thinking`.
    Claude(Plan),
    /// By Nova's `reasoningConfig`; without an effort, it is switched off.
    Nova(Option<&'static str>),
    /// By `reasoning_effort`.
    Effort(&'static str),
}

impl Settings {
    /// Decides for a request.
    pub(super) fn new(messages: &[Message<'_>], cx: &mut Cx<'_>) -> Self {
        match cx.model {
            Model::Claude(profile) => Self::of_claude(&profile, messages, cx),
            Model::Unknown => Self::of_anybody(cx.request, &mut cx.losses),
            Model::Nova { thinks: true } => Self::of_nova(cx.request, &mut cx.losses),
            Model::OpenAi => Self::of_open_ai(cx.request, &mut cx.losses),
            Model::Nova { thinks: false } | Model::Mistral | Model::Plain => {
                let mut settings = Self::plain(cx.request, &mut cx.losses);
                if cx.model == Model::Plain && settings.top_k.take().is_some() {
                    cx.losses.drop(Field::TopK);
                }
                if thinks(cx.request) {
                    cx.losses.drop(Field::Reasoning);
                }
                settings
            }
        }
    }

    fn of_claude(profile: &Profile, messages: &[Message<'_>], cx: &mut Cx<'_>) -> Self {
        let request = cx.request;
        let obstacles = Obstacles {
            forced_tool: tools::is_forced(cx) && cx.model.forcing() > Forcing::None,
            broken_loop: loop_lacks_thinking(messages),
        };
        let plan = Plan::new(request, profile, obstacles, &mut cx.losses);
        let drawn = plan.sampling(request, profile, &mut cx.losses);
        if plan.thinks() && profile.thinking == crate::claude::Thinking::BudgetInterleaved && !request.tools.is_empty()
        {
            cx.beta("interleaved-thinking-2025-05-14");
        }
        Self {
            // The service has a default of its own; with thinking, the limit must be above the budget.
            max_tokens: (request.limits.max_output.is_some() || plan.thinks()).then_some(plan.max_tokens),
            temperature: drawn.temperature,
            top_p: drawn.top_p,
            top_k: drawn.top_k,
            effort: plan.effort,
            thinking: Thinking::Claude(plan),
        }
    }

    /// A model of which nothing is known is asked as the client asked, in the words that most of them take.
    fn of_anybody(request: &Request, losses: &mut Losses) -> Self {
        let (mode, effort) = match request.reasoning.mode {
            ReasoningMode::Unset => (None, None),
            ReasoningMode::Off | ReasoningMode::Budget(0) | ReasoningMode::Effort(Effort::None) => {
                (Some(Mode::Disabled), None)
            }
            ReasoningMode::Budget(budget) => (Some(Mode::Budget(budget)), None),
            ReasoningMode::Adaptive => (Some(Mode::Adaptive), None),
            ReasoningMode::Effort(Effort::Minimal) => {
                losses.approx(Field::Reasoning);
                (Some(Mode::Adaptive), Some(Effort::Low))
            }
            ReasoningMode::Effort(effort) => (Some(Mode::Adaptive), Some(effort)),
        };
        let plan = Plan { max_tokens: 0, mode, effort };
        Self { effort, thinking: Thinking::Claude(plan), ..Self::plain(request, losses) }
    }

    fn of_nova(request: &Request, losses: &mut Losses) -> Self {
        let mut settings = Self::plain(request, losses);
        settings.thinking = match request.reasoning.mode {
            ReasoningMode::Unset => Thinking::Unsaid,
            _ if !thinks(request) => Thinking::Nova(None),
            _ => Thinking::Nova(Some(level(request, losses))),
        };
        // With the highest effort, the vendor takes neither a limit nor a way of drawing.
        let is_set = settings.max_tokens.is_some() || settings.temperature.is_some() || settings.top_p.is_some();
        if is_set && settings.thinking == Thinking::Nova(Some("high")) {
            losses.approx(Field::Reasoning);
            settings.thinking = Thinking::Nova(Some("medium"));
        }
        settings
    }

    fn of_open_ai(request: &Request, losses: &mut Losses) -> Self {
        let mut settings = Self::plain(request, losses);
        if settings.top_k.take().is_some() {
            losses.drop(Field::TopK);
        }
        settings.thinking = match request.reasoning.mode {
            ReasoningMode::Unset => Thinking::Unsaid,
            _ if !thinks(request) => {
                losses.approx(Field::Reasoning);
                Thinking::Effort("low")
            }
            _ => Thinking::Effort(level(request, losses)),
        };
        settings
    }

    /// The common members.
    fn plain(request: &Request, losses: &mut Losses) -> Self {
        let sampling = &request.sampling;
        let temperature = sampling.temperature.map(|temperature| temperature.clamp(0.0, 1.0));
        if temperature.map(f64::to_bits) != sampling.temperature.map(f64::to_bits) {
            losses.approx(Field::Temperature);
        }
        Self {
            max_tokens: request.limits.max_output,
            temperature,
            top_p: sampling.top_p,
            top_k: sampling.top_k,
            ..Self::default()
        }
    }
}

/// Whether the client asked for thinking.
fn thinks(request: &Request) -> bool {
    !matches!(
        request.reasoning.mode,
        ReasoningMode::Unset | ReasoningMode::Off | ReasoningMode::Effort(Effort::None) | ReasoningMode::Budget(0)
    )
}

/// One of the three levels that models of other vendors know.
fn level(request: &Request, losses: &mut Losses) -> &'static str {
    let wanted = match request.reasoning.mode {
        ReasoningMode::Effort(effort) => effort,
        ReasoningMode::Budget(budget) => Effort::from_budget(budget),
        _ => Effort::Medium,
    };
    let level = wanted.clamp(Effort::Low, Effort::High);
    if request.reasoning.mode != ReasoningMode::Effort(level) {
        losses.approx(Field::Reasoning);
    }
    level.as_str()
}
