//! What upstreams of this dialect want otherwise than its inventor: the table of it, and the edits of requests that
//! pass.
//!
//! What is left out of a translated request is told as a loss. A request that passes keeps all that it has but for the
//! renamed members: the upstream itself says what it refuses.

use bytes::Bytes;
use memchr::memmem;

use super::inspect::{self, name_of};
use crate::{
    dialects::{Inspection, Quirk, Target},
    json::{Elements, Members, Splice},
};

/// All of them, in the order of their names.
pub(super) const QUIRKS: &[Quirk] = &[
    Quirk { name: "cache_control", what: "cache breakpoints are sent as `cache_control`" },
    Quirk { name: "effort_of_known_models", what: "`reasoning_effort` goes only to models that are known to take it" },
    Quirk { name: "flat_content", what: "texts of a message are joined to one string" },
    Quirk {
        name: "json_object_only",
        what: "a JSON Schema of the answer is put into words, and `json_object` asked for",
    },
    Quirk { name: "max_completion_tokens", what: "the limit is sent as `max_completion_tokens`, whatever the model" },
    Quirk {
        name: "max_tokens_legacy",
        what: "the limit is sent as `max_tokens`, whatever the model; `max_completion_tokens` is renamed where a request passes",
    },
    Quirk { name: "no_candidates", what: "a request with `n` above 1 is refused" },
    Quirk {
        name: "no_developer_role",
        what: "instructions are sent as `system`, whatever the model; `developer` is renamed where a request passes",
    },
    Quirk { name: "no_logit_bias", what: "a request with `logit_bias` is refused" },
    Quirk { name: "no_logprobs", what: "a request with `logprobs` is refused" },
    Quirk { name: "no_name", what: "`name` of a message is left out" },
    Quirk { name: "no_parallel_tool_calls", what: "`parallel_tool_calls` is left out" },
    Quirk { name: "no_penalties", what: "`frequency_penalty` and `presence_penalty` are left out" },
    Quirk {
        name: "no_platform_members",
        what: "`metadata`, `prompt_cache_key`, `service_tier`, `store` and `verbosity` are left out",
    },
    Quirk { name: "no_reasoning_effort", what: "`reasoning_effort` is left out" },
    Quirk { name: "no_required_tool", what: "`tool_choice` of `required` is sent as `auto`" },
    Quirk { name: "no_stream_options", what: "`stream_options` is left out, so streams may end without usage" },
    Quirk { name: "no_user", what: "`user` is left out" },
    Quirk { name: "prompt_cache_breakpoint", what: "cache breakpoints are sent as `prompt_cache_breakpoint`" },
    Quirk { name: "random_seed", what: "`seed` is sent as `random_seed`, also where a request passes" },
    Quirk { name: "reasoning_content_in", what: "earlier thinking is sent back as `reasoning_content`" },
    Quirk { name: "reasoning_details_in", what: "earlier thinking is sent back with its state as `reasoning_details`" },
    Quirk { name: "thought_signature_in", what: "Gemini's signatures are sent back in `extra_content`" },
    Quirk { name: "tool_ids_9", what: "ids of tool calls are nine letters and digits" },
    Quirk { name: "top_k", what: "`top_k` is sent" },
];

/// Members that have another name at an upstream: name, name there.
fn renamed(target: &Target<'_>) -> impl Iterator<Item = (&'static str, &'static str)> + Clone {
    let limit = target.has_quirk("max_tokens_legacy").then_some(("max_completion_tokens", "max_tokens"));
    let seed = target.has_quirk("random_seed").then_some(("seed", "random_seed"));
    limit.into_iter().chain(seed)
}

/// The role that `no_developer_role` makes of another, as they stand in a body.
const DEVELOPER: &[u8] = b"\"developer\"";
const SYSTEM: &[u8] = b"\"system\"";

/// The edits for a request that passes to an upstream with quirks.
pub(super) fn edits(body: &Bytes, inspection: &Inspection, target: &Target<'_>) -> Vec<Splice> {
    let mut splices = inspect::splices(inspection, target);
    // Most requests have nothing to rename, which is seen faster than members are told apart.
    let says = |text: &[u8]| memmem::find(body, text).is_some();
    let renamed = renamed(target);
    let roles = target.has_quirk("no_developer_role") && says(DEVELOPER);
    if !roles && !renamed.clone().any(|(from, _)| says(from.as_bytes())) {
        return splices;
    }
    let mut names = Vec::new();
    for member in Members::new(body).flatten() {
        let name = name_of(body, &member);
        if name == "messages" && roles {
            let messages = body.get(member.value.clone()).unwrap_or_default();
            splices.extend(developers(messages).map(|role| Splice {
                at: member.value.start + role.start..member.value.start + role.end,
                with: Bytes::from_static(SYSTEM),
            }));
        }
        names.push((name, member.name));
    }
    let has = |wanted: &str| names.iter().any(|(name, _)| name == wanted);
    // Where both names stand, the request is left as it is: which one was meant is not ours to say.
    for (from, to) in renamed.filter(|(_, to)| !has(to)) {
        let at = names.iter().find(|(name, _)| name == from).map(|(_, at)| at.clone());
        splices.extend(at.map(|at| Splice { at, with: Bytes::from_static(to.as_bytes()) }));
    }
    splices
}

/// Where in a list of messages the role of developers stands.
fn developers(messages: &[u8]) -> impl Iterator<Item = std::ops::Range<usize>> {
    Elements::new(messages).filter_map(|message| {
        let object = messages.get(message.clone())?;
        let role = Members::new(object).flatten().find(|member| name_of(object, member) == "role")?;
        let is_developer = object.get(role.value.clone()) == Some(DEVELOPER);
        is_developer.then(|| message.start + role.value.start..message.start + role.value.end)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::{json::apply, seal::Sealer};

    fn passed(body: &str, quirks: &[&str]) -> String {
        let body = Bytes::copy_from_slice(body.as_bytes());
        let sealer = Sealer::new(b"key");
        let quirks: Vec<String> = quirks.iter().map(|quirk| (*quirk).to_owned()).collect();
        let target = Target { model: "m", quirks: &quirks, usage_in_stream: true, sealer: &sealer };
        let inspection = inspect::inspect(&body).expect("the test's request is good");
        let bytes = apply(&body, &mut edits(&body, &inspection, &target));
        String::from_utf8(bytes.to_vec()).expect("edits are UTF-8")
    }

    #[test]
    fn members_are_renamed_in_place() {
        let body = r#"{ "seed" : 7,"model":"x", "max_completion_tokens": 5 ,"messages":[{"seed":1}]}"#;
        assert_eq!(
            passed(body, &["max_tokens_legacy", "random_seed"]),
            r#"{ "random_seed" : 7,"model":"m", "max_tokens": 5 ,"messages":[{"seed":1}]}"#
        );
        assert_eq!(passed(body, &["top_k"]), body.replace("\"x\"", "\"m\""), "other quirks leave what passes alone");
        let both = r#"{"model":"m","max_tokens":1,"max_completion_tokens":2}"#;
        assert_eq!(passed(both, &["max_tokens_legacy"]), both);
    }

    #[test]
    fn developers_become_the_system() {
        let quirks = ["no_developer_role"];
        assert_eq!(
            passed(
                r#"{"model":"m","messages":[ {"role":"developer","content":"a \"developer\""} , {"content":[{"role":"developer"}],"role" : "developer"},{"role":"user","content":"]\"developer\""}],"role":"developer"}"#,
                &quirks
            ),
            r#"{"model":"m","messages":[ {"role":"system","content":"a \"developer\""} , {"content":[{"role":"developer"}],"role" : "system"},{"role":"user","content":"]\"developer\""}],"role":"developer"}"#
        );
        for body in [
            r#"{"model":"m","messages":["developer",{"role":"developer"]}"#,
            r#"{"model":"m","messages":"developer"}"#,
            r#"{"model":"m","messages":[]}"#,
            r#"{"model":"m","messages":[{"role":"system"}]}"#,
        ] {
            let Ok(_) = inspect::inspect(&Bytes::from_static(body.as_bytes())) else { continue };
            assert_eq!(passed(body, &quirks), body, "what is not understood is left alone");
        }
    }

    proptest! {
        #[test]
        fn what_is_edited_means_what_it_should(
            roles in prop::collection::vec(prop::sample::select(&["developer", "user", "system", "a \"developer\""][..]), 0..5),
            others in prop::collection::btree_map("[a-z_\\\\\"é]{1,8}", "[ -~]{0,8}", 0..4),
            seed: Option<u8>,
            limit: Option<u8>,
            pretty: bool,
        ) {
            let mut request = json!({"model": "x"});
            for (name, value) in others {
                request[format!("x{name}")] = json!(value);
            }
            let messages = |rename: bool| -> Value {
                let role = |role: &&str| if rename && *role == "developer" { json!("system") } else { json!(role) };
                roles.iter().map(|own| json!({"content": [{"role": "developer"}], "role": role(own)})).collect()
            };
            let mut expected = request.clone();
            expected["model"] = json!("m");
            (request["messages"], expected["messages"]) = (messages(false), messages(true));
            if let Some(seed) = seed {
                (request["seed"], expected["random_seed"]) = (json!(seed), json!(seed));
            }
            if let Some(limit) = limit {
                (request["max_completion_tokens"], expected["max_tokens"]) = (json!(limit), json!(limit));
            }
            let body = if pretty { serde_json::to_string_pretty(&request) } else { serde_json::to_string(&request) };
            let body = body.expect("a value serialises");
            let edited = passed(&body, &["max_tokens_legacy", "random_seed", "no_developer_role"]);
            prop_assert_eq!(serde_json::from_str::<Value>(&edited).expect("edits leave JSON"), expected);
        }

        #[test]
        fn no_body_makes_edits_overlap(bytes in prop::collection::vec(prop::sample::select(&b"{}[]\":,\\ rolmes"[..]), 0..80)) {
            let body = Bytes::from([br#"{"model":"x","seed":1,"messages":[{"role":"developer"},"#, &bytes[..], b"]}"].concat());
            if let Ok(inspection) = inspect::inspect(&body) {
                let sealer = Sealer::new(b"key");
                let quirks = ["no_developer_role".to_owned(), "random_seed".to_owned()];
                let target = Target { model: "m", quirks: &quirks, usage_in_stream: true, sealer: &sealer };
                let mut splices = edits(&body, &inspection, &target);
                splices.sort_by_key(|splice| splice.at.start);
                prop_assert!(splices.windows(2).all(|pair| pair[0].at.end <= pair[1].at.start));
            }
        }
    }

    #[test]
    fn a_stream_asks_for_usage_beside_other_edits() {
        assert_eq!(
            passed(r#"{"stream":true,"max_completion_tokens":1,"model":"x"}"#, &["max_tokens_legacy"]),
            r#"{"stream":true,"max_tokens":1,"model":"m","stream_options":{"include_usage":true}}"#
        );
    }
}
