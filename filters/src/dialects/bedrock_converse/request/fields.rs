//! Writes `additionalModelRequestFields`: what only some models take.

use bytes::BytesMut;

use super::{
    super::{profile::Model, wire::Writer},
    encode::{Cx, is_own, push_unless_empty},
    options::FIELDS,
    settings::{Settings, Thinking},
};
use crate::{json::push_str, model::Field};

/// The member that holds Claude's betas.
const BETAS: &str = "anthropic_beta";

/// Writes the member, if there is anything in it.
pub(super) fn push(body: &mut Writer<'_>, settings: &Settings, cx: &mut Cx<'_>) {
    let request = cx.request;
    let own = request.extra.iter().find(|(name, _)| is_own(request) && *name == FIELDS).map(|(_, raw)| raw.to_value());
    let own = own.as_ref().and_then(|own| own.as_object());
    let mut scratch = BytesMut::new();
    let mut object = Writer::object(&mut scratch);
    push_thinking(&mut object, settings, cx);
    if let Some(top_k) = settings.top_k {
        if matches!(cx.model, Model::Nova { .. }) {
            let mut config = object.nested("inferenceConfig");
            config.u64("topK", top_k.into());
            config.end();
        } else {
            object.u64("top_k", top_k.into());
        }
    }
    let asked = own.and_then(|own| own.get(BETAS)).and_then(|betas| betas.as_array());
    let asked: Vec<&str> = asked.into_iter().flatten().filter_map(|beta| beta.as_str()).collect();
    if !asked.is_empty() || !cx.betas.is_empty() {
        let mut list = object.list(BETAS);
        for beta in asked.iter().chain(cx.betas.iter().filter(|beta| !asked.contains(*beta))) {
            push_str(list.element(), beta);
        }
        list.end();
    }
    for (name, value) in own.into_iter().flatten().filter(|(name, _)| *name != BETAS) {
        push_str(object.element(), name);
        object.out.extend_from_slice(b":");
        object.out.extend_from_slice(value.to_string().as_bytes());
    }
    object.end();
    push_unless_empty(body, FIELDS, &scratch);
}

fn push_thinking(object: &mut Writer<'_>, settings: &Settings, cx: &mut Cx<'_>) {
    let shows = cx.request.reasoning.display.is_some();
    match settings.thinking {
        Thinking::Claude(plan) => return plan.push_thinking(object, cx.request, &mut cx.losses),
        Thinking::Unsaid => {}
        Thinking::Nova(effort) => {
            let mut config = object.nested("reasoningConfig");
            config.str("type", if effort.is_some() { "enabled" } else { "disabled" });
            config.maybe_str("maxReasoningEffort", effort);
            config.end();
        }
        Thinking::Effort(effort) => object.str("reasoning_effort", effort),
    }
    if shows {
        cx.losses.drop(Field::ReasoningDisplay);
    }
}
