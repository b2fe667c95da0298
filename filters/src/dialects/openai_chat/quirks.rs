//! What upstreams of this dialect want otherwise than its inventor: the one list of it, and the edits of requests that
//! pass.
//!
//! | quirk | effect |
//! |---|---|
//! | `max_tokens_legacy` | the limit is `max_tokens` whatever the model; also renamed where a request passes |
//! | `max_completion_tokens` | the limit is `max_completion_tokens` whatever the model |
//! | `random_seed` | `seed` is `random_seed`; also renamed where a request passes |
//! | `no_developer_role` | instructions are `system` whatever the model; also renamed where a request passes |
//! | `no_parallel_tool_calls`, `no_reasoning_effort`, `no_stream_options`, `no_user` | that member is left out |
//! | `effort_of_known_models` | `reasoning_effort` goes only to models that are known to take it |
//! | `no_penalties` | `frequency_penalty` and `presence_penalty` are left out |
//! | `no_platform_members` | `metadata`, `prompt_cache_key`, `service_tier`, `store` and `verbosity` are left out |
//! | `no_name` | `name` of a message is left out |
//! | `no_candidates`, `no_logit_bias`, `no_logprobs` | a request that asks for it is refused |
//! | `no_required_tool` | a call that must be made is one that may be made |
//! | `json_object_only` | a schema of the answer is said in words, and any JSON object asked for |
//! | `flat_content` | texts of a message are joined to one string |
//! | `top_k` | `top_k` is sent |
//! | `reasoning_content_in` | earlier thinking is sent back as `reasoning_content` |
//! | `reasoning_details_in` | earlier thinking is sent back with its state as `reasoning_details` |
//! | `thought_signature_in` | Gemini's signatures are sent back as `extra_content` |
//! | `cache_control`, `prompt_cache_breakpoint` | cache breakpoints are sent in that form |
//! | `tool_ids_9` | call ids are nine letters and digits |
//!
//! What is left out of a translated request is told as a loss. A request that passes keeps all that it has but for the
//! renamed members: the upstream itself says what it refuses.

use bytes::Bytes;
use memchr::memmem;

use super::inspect::{self, name_of};
use crate::{
    dialects::{Inspection, Target},
    json::{Elements, Members, Splice},
};

/// The names of the quirks.
pub(super) const QUIRKS: &[&str] = &[
    "cache_control",
    "effort_of_known_models",
    "flat_content",
    "json_object_only",
    "max_completion_tokens",
    "max_tokens_legacy",
    "no_candidates",
    "no_developer_role",
    "no_logit_bias",
    "no_logprobs",
    "no_name",
    "no_parallel_tool_calls",
    "no_penalties",
    "no_platform_members",
    "no_reasoning_effort",
    "no_required_tool",
    "no_stream_options",
    "no_user",
    "prompt_cache_breakpoint",
    "random_seed",
    "reasoning_content_in",
    "reasoning_details_in",
    "thought_signature_in",
    "tool_ids_9",
    "top_k",
];

/// Members that have another name with a quirk: quirk, name, name at the upstream.
const RENAMED: &[(&str, &str, &str)] =
    &[("max_tokens_legacy", "max_completion_tokens", "max_tokens"), ("random_seed", "seed", "random_seed")];

/// The role that `no_developer_role` makes of another, as they stand in a body.
const DEVELOPER: &[u8] = b"\"developer\"";
const SYSTEM: &[u8] = b"\"system\"";

/// The edits for a request that passes to an upstream with quirks.
pub(super) fn edits(body: &Bytes, inspection: &Inspection, target: &Target<'_>) -> Vec<Splice> {
    let mut splices = inspect::splices(inspection, target);
    // Most requests have nothing to rename, which is seen faster than members are told apart.
    let says = |text: &[u8]| memmem::find(body, text).is_some();
    let renamed = || RENAMED.iter().filter(|(quirk, ..)| target.has_quirk(quirk));
    let roles = target.has_quirk("no_developer_role") && says(DEVELOPER);
    if !roles && !renamed().any(|(_, from, _)| says(from.as_bytes())) {
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
    for (_, from, to) in renamed().filter(|(_, _, to)| !has(to)) {
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
