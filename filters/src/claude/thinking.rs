//! Decides how much to think, how long the answer may get, and which sampling parameters may go along.

use bytes::BytesMut;

use super::profile::{Off, Profile, SamplingRule, Thinking};
use crate::{
    conversation::{Message, Piece},
    json::Writer,
    model::{Display, Effort, Field, Losses, PartContent, ReasoningMode, Request},
};

/// The least budget that the vendor takes.
const MIN_BUDGET: u64 = 1024;

/// What is sent of thinking and of the limit that it shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// `max_tokens`.
    pub(crate) max_tokens: u64,
    /// `thinking`, if it is sent.
    pub(crate) mode: Option<Mode>,
    /// `output_config.effort`, if it is sent.
    pub(crate) effort: Option<Effort>,
}

/// `thinking.type`, with its budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Disabled,
    BetweenTools,
    Budget(u64),
    Adaptive,
}

/// What in the rest of the request forbids thinking.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Obstacles {
    /// A tool is forced, which the client can observe, while less thinking it can not.
    pub(crate) forced_tool: bool,
    /// The running tool loop lacks its thinking.
    pub(crate) broken_loop: bool,
}

impl Plan {
    /// Plans for a request.
    pub(crate) fn new(request: &Request, profile: &Profile, obstacles: Obstacles, losses: &mut Losses) -> Self {
        let wanted = request.limits.max_output;
        let mut max_tokens = wanted.unwrap_or_else(|| profile.default_output());
        if profile.is_known() && max_tokens > profile.max_output {
            losses.approx(Field::MaxTokens);
            max_tokens = profile.max_output;
        }
        let plan = Self { max_tokens, mode: None, effort: None };
        let thinks = !matches!(
            request.reasoning.mode,
            ReasoningMode::Unset | ReasoningMode::Off | ReasoningMode::Effort(Effort::None) | ReasoningMode::Budget(0)
        );
        if thinks && (obstacles.forced_tool || obstacles.broken_loop && has_budget(request, profile)) {
            losses.approx(Field::Reasoning);
            return plan.off(profile, false, losses);
        }
        match request.reasoning.mode {
            ReasoningMode::Unset => plan,
            _ if !thinks => plan.off(profile, true, losses),
            ReasoningMode::Budget(budget) => plan.budget(budget, request, profile, losses),
            ReasoningMode::Effort(effort) => plan.effort(effort, request, profile, losses),
            _ => plan.adaptive(request, profile, losses),
        }
    }

    /// Whether the model will think because this plan asks for it.
    pub(crate) fn thinks(&self) -> bool {
        matches!(self.mode, Some(Mode::Budget(_) | Mode::Adaptive))
    }

    fn off(mut self, profile: &Profile, asked: bool, losses: &mut Losses) -> Self {
        match profile.off {
            Off::Omit => {}
            Off::Disabled => self.mode = Some(Mode::Disabled),
            Off::BetweenTools => self.mode = Some(Mode::BetweenTools),
            Off::LowEffort => {
                self.effort = Some(Effort::Low);
                if asked {
                    losses.approx(Field::Reasoning);
                }
            }
        }
        self
    }

    fn adaptive(mut self, request: &Request, profile: &Profile, losses: &mut Losses) -> Self {
        match profile.thinking {
            Thinking::Adaptive | Thinking::AdaptiveOrBudget => {
                self.mode = Some(Mode::Adaptive);
                self
            }
            Thinking::None => self.unable(losses),
            Thinking::Budget | Thinking::BudgetInterleaved => {
                losses.approx(Field::Reasoning);
                self.budget(Effort::Medium.to_budget(), request, profile, losses)
            }
        }
    }

    fn effort(mut self, effort: Effort, request: &Request, profile: &Profile, losses: &mut Losses) -> Self {
        match profile.thinking {
            Thinking::Adaptive | Thinking::AdaptiveOrBudget => {
                let level = match effort {
                    Effort::None | Effort::Minimal => Effort::Low,
                    Effort::XHigh if !profile.has_xhigh() => Effort::High,
                    effort => effort,
                };
                if level != effort {
                    losses.approx(Field::Reasoning);
                }
                self.mode = Some(Mode::Adaptive);
                self.effort = Some(level);
                self
            }
            Thinking::None => self.unable(losses),
            Thinking::Budget | Thinking::BudgetInterleaved => {
                let budget = effort.to_budget();
                let budget = if effort == Effort::Max { budget.min(profile.max_output / 2) } else { budget };
                self.budget(budget, request, profile, losses)
            }
        }
    }

    fn budget(mut self, budget: u64, request: &Request, profile: &Profile, losses: &mut Losses) -> Self {
        match profile.thinking {
            Thinking::None => return self.unable(losses),
            Thinking::Adaptive => {
                losses.approx(Field::Reasoning);
                return self.effort(Effort::from_budget(budget), request, profile, losses);
            }
            _ => {}
        }
        let mut allowed = budget.max(MIN_BUDGET);
        if request.limits.max_output.is_some() {
            // The client's limit covers thinking and answer together.
            allowed = allowed.min(self.max_tokens.saturating_sub(1));
            if allowed < MIN_BUDGET {
                return self.unable(losses);
            }
        } else {
            self.max_tokens = allowed.saturating_add(self.max_tokens).min(profile.max_output);
            allowed = allowed.min(self.max_tokens.saturating_sub(1));
        }
        if allowed != budget {
            losses.approx(Field::Reasoning);
        }
        self.mode = Some(Mode::Budget(allowed));
        self
    }

    fn unable(self, losses: &mut Losses) -> Self {
        losses.drop(Field::Reasoning);
        self
    }

    /// Writes `thinking`.
    pub(crate) fn push_thinking(&self, body: &mut Writer<'_>, request: &Request, losses: &mut Losses) {
        let Some(mode) = self.mode else { return };
        let display = request.reasoning.display.filter(|_| self.thinks());
        let out: &mut BytesMut = body.member("thinking");
        let mut object = match mode {
            Mode::Disabled => Writer::of_type(out, "disabled"),
            Mode::BetweenTools => Writer::of_type(out, "between_tools"),
            Mode::Adaptive => Writer::of_type(out, "adaptive"),
            Mode::Budget(budget) => {
                let mut object = Writer::of_type(out, "enabled");
                object.u64("budget_tokens", budget);
                object
            }
        };
        match display {
            Some(Display::Omitted) => object.str("display", "omitted"),
            Some(Display::Summary) => object.str("display", "summarized"),
            Some(Display::Full) => {
                losses.approx(Field::ReasoningDisplay);
                object.str("display", "summarized");
            }
            None => {}
        }
        object.end();
    }

    /// The sampling parameters that may go along.
    pub(crate) fn sampling(&self, request: &Request, profile: &Profile, losses: &mut Losses) -> Drawn {
        let sampling = &request.sampling;
        let none = profile.sampling == SamplingRule::None;
        let default = |value: f64| (value - 1.0).abs() < f64::EPSILON;
        let mut drawn = Drawn::default();
        if let Some(temperature) = sampling.temperature {
            let allowed = temperature.clamp(0.0, 1.0);
            if (none || self.thinks()) && !default(temperature) {
                losses.drop(Field::Temperature);
            } else if !none {
                if !default(temperature) && allowed.to_bits() != temperature.to_bits() {
                    losses.approx(Field::Temperature);
                }
                drawn.temperature = Some(allowed);
            }
        }
        if let Some(top_p) = sampling.top_p {
            let both = profile.sampling == SamplingRule::OneOf && sampling.temperature.is_some();
            if none || both || (self.thinks() && top_p < 0.95) {
                if !default(top_p) {
                    losses.drop(Field::TopP);
                }
            } else {
                drawn.top_p = Some(top_p);
            }
        }
        if let Some(top_k) = sampling.top_k {
            if none || self.thinks() {
                losses.drop(Field::TopK);
            } else {
                drawn.top_k = Some(top_k);
            }
        }
        drawn
    }
}

/// Sampling parameters as they are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Drawn {
    /// Temperature, 0 to 1.
    pub(crate) temperature: Option<f64>,
    /// Nucleus mass, 0 to 1.
    pub(crate) top_p: Option<f64>,
    /// Candidates per step.
    pub(crate) top_k: Option<u32>,
}

/// Whether thinking would go out with a budget: only then must a tool loop begin with its thinking.
fn has_budget(request: &Request, profile: &Profile) -> bool {
    match profile.thinking {
        Thinking::Budget | Thinking::BudgetInterleaved => true,
        Thinking::AdaptiveOrBudget => matches!(request.reasoning.mode, ReasoningMode::Budget(_)),
        Thinking::None | Thinking::Adaptive => false,
    }
}

/// Whether the turn in which tools are being called lacks the thinking that a thinking model must find at its
/// beginning: it was made by another model, or its state was lost.
pub(crate) fn loop_lacks_thinking(messages: &[Message<'_>]) -> bool {
    let Some([assistant, user]) = messages.last_chunk::<2>() else { return false };
    let in_loop = user.pieces.iter().any(|piece| piece.answers().is_some());
    let first = assistant.pieces.first().and_then(Piece::part);
    in_loop && !first.is_some_and(|part| matches!(part.content, PartContent::Reasoning(_)))
}
