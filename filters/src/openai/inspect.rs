//! The native lane: what routing reads of a request, the edits it needs, and what a passing response says.

use std::{borrow::Cow, ops::Range};

use bytes::{Bytes, BytesMut};

use super::{error, usage};
use crate::{
    dialects::{Glance, Inspection, StreamForm, Target},
    json::{Member, Members, Splice, push_str},
    model::{ErrorInfo, Str},
};

/// The members that routing reads. One that stands twice is refused: the upstream might act on the other one.
const READ: [&str; 3] = ["model", "stream", "stream_options"];

/// `Inspection::stream_options_at` is the bytes that an edit replaces. How many they are says what they are:
/// none, in front of the object's first member;
const IN_FRONT: usize = 0;
/// the brace that ends an empty object;
const BRACE: usize = 1;
/// the word `null`; or else a whole member `"include_usage":…`.
const NULL: usize = 4;

/// Reads what routing needs.
pub(crate) fn inspect(body: &Bytes) -> Result<Inspection, ErrorInfo> {
    let mut found: [Option<Range<usize>>; READ.len()] = Default::default();
    for member in Members::new(body) {
        let member = member.map_err(|cause| not_json(&cause))?;
        let name = name_of(body, &member);
        let Some(at) = READ.iter().position(|read| *read == name) else { continue };
        if let Some(slot @ None) = found.get_mut(at) {
            *slot = Some(member.value);
        } else {
            return Err(twice(&name));
        }
    }
    let [model_at, stream_at, options_at] = found;
    let model_at = model_at.ok_or_else(no_model)?;
    let model: Cow<'_, str> = parse(body, &model_at).ok_or_else(no_model)?;
    let stream = match stream_at {
        Some(at) => parse::<Option<bool>>(body, &at)
            .ok_or_else(|| ErrorInfo::invalid("stream", "`stream` must be true or false"))?
            .unwrap_or(false),
        None => false,
    };
    let options = options_at.map(|at| stream_options(body, at)).transpose()?;
    let (include_usage, stream_options_at) = options.map_or((false, None), |(asked, edit)| (asked, Some(edit)));
    if model.is_empty() {
        return Err(no_model());
    }
    Ok(Inspection {
        model: Str::from(&*model),
        model_at: Some(model_at),
        stream: stream.then_some(StreamForm::Sse),
        include_usage,
        stream_options_at,
    })
}

/// The edits for an upstream of this dialect: its name for the model, and a request for usage.
///
/// Where members are to be added, they go right behind the model, the one member that is surely there.
pub(crate) fn splices(inspection: &Inspection, target: &Target<'_>) -> Vec<Splice> {
    let mut splices = Vec::new();
    let Some(model_at) = inspection.model_at.clone() else { return splices };
    let behind_model = model_at.end;
    if inspection.model != target.model {
        let mut with = BytesMut::new();
        push_str(&mut with, target.model);
        splices.push(Splice { at: model_at, with: with.freeze() });
    }
    let wants_usage = inspection.stream.is_some() && !inspection.include_usage;
    if wants_usage && target.usage_in_stream && !target.has_quirk("no_stream_options") {
        let (at, with): (_, &'static [u8]) = match inspection.stream_options_at.clone() {
            None => (behind_model..behind_model, br#","stream_options":{"include_usage":true}"#),
            Some(at) => match at.len() {
                IN_FRONT => (at, br#""include_usage":true,"#),
                BRACE => (at, br#""include_usage":true}"#),
                NULL => (at, br#"{"include_usage":true}"#),
                _ => (at, br#""include_usage":true"#),
            },
        };
        splices.push(Splice { at, with: Bytes::from_static(with) });
    }
    splices
}

/// What a whole response says at a glance.
pub(crate) fn glance(body: &Bytes) -> Glance {
    let mut glance = Glance::default();
    for member in Members::new(body) {
        let Ok(member) = member else { break };
        let value = body.get(member.value.clone()).unwrap_or_default();
        match &*name_of(body, &member) {
            "usage" => glance.usage = parse(body, &member.value).and_then(usage::decode).or(glance.usage),
            "model" => glance.model = parse::<Cow<'_, str>>(body, &member.value).map(|model| Str::from(&*model)),
            "error" if value != b"null" => {
                glance.error = parse(body, &member.value).map(|raw| Box::new(error::decode_in_band(raw)));
            }
            "object" if value == br#""error""# => {
                glance.error = parse(body, &(0..body.len())).map(|raw| Box::new(error::decode_in_band(raw)));
            }
            _ => {}
        }
    }
    glance
}

/// A member's name, its escapes undone: `"mod\u0065l"` is the model to every JSON parser.
pub(crate) fn name_of<'a>(body: &'a [u8], member: &Member) -> Cow<'a, str> {
    let name = std::str::from_utf8(body.get(member.name.clone()).unwrap_or_default()).unwrap_or_default();
    if !name.contains('\\') {
        return Cow::Borrowed(name);
    }
    serde_json::from_str(&format!("\"{name}\"")).map_or(Cow::Borrowed(name), Cow::Owned)
}

pub(crate) fn not_json(cause: &crate::json::MemberError) -> ErrorInfo {
    let message = format!("the body could not be read: {cause}; send one JSON object in UTF-8");
    ErrorInfo {
        code: Some(Str::from_static("invalid_json")),
        ..ErrorInfo::new(crate::model::ErrorClass::InvalidRequest, message)
    }
}

pub(crate) fn twice(name: &str) -> ErrorInfo {
    ErrorInfo::invalid(name, format!("`{name}` stands twice in the body; send it once"))
}

pub(crate) fn no_model() -> ErrorInfo {
    ErrorInfo::invalid("model", "`model` must be the name of a model, as `/v1/models` lists it")
        .with_code("missing_parameter")
}

/// Whether `stream_options` asks for usage, and which bytes an edit that makes it ask has to replace.
fn stream_options(body: &[u8], at: Range<usize>) -> Result<(bool, Range<usize>), ErrorInfo> {
    let options = body.get(at.clone()).unwrap_or_default();
    if options == b"null" {
        return Ok((false, at));
    }
    let wrong = || ErrorInfo::invalid("stream_options", "`stream_options` must be an object");
    if options.first() != Some(&b'{') {
        return Err(wrong());
    }
    let mut edit = None;
    let mut asked = false;
    let mut empty = true;
    for member in Members::new(options) {
        let member = member.map_err(|_| wrong())?;
        empty = false;
        if name_of(options, &member) == "include_usage" {
            if edit.is_some() {
                return Err(twice("stream_options.include_usage"));
            }
            asked = options.get(member.value.clone()) == Some(&b"true"[..]);
            edit = Some(at.start + member.name.start - 1..at.start + member.value.end);
        }
    }
    let missing = if empty { at.end - BRACE..at.end } else { at.start + 1..at.start + 1 };
    Ok((asked, edit.unwrap_or(missing)))
}

fn parse<'a, T: serde::Deserialize<'a>>(body: &'a [u8], at: &Range<usize>) -> Option<T> {
    serde_json::from_slice(body.get(at.clone())?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{json::apply, seal::Sealer};

    fn edited(body: &'static str, model: &str) -> String {
        let body = Bytes::from_static(body.as_bytes());
        let sealer = Sealer::new(b"key");
        let target = Target { model, quirks: &[], usage_in_stream: true, sealer: &sealer };
        let inspection = inspect(&body).expect("the test's request is good");
        let bytes = apply(&body, &mut splices(&inspection, &target));
        String::from_utf8(bytes.to_vec()).expect("edits are UTF-8")
    }

    #[test]
    fn a_request_that_needs_no_edit_keeps_its_bytes() {
        for body in [
            r#"{ "model" : "m" , "messages":[] }"#,
            r#"{"stream":true,"model":"m","stream_options":{"include_usage": true},"messages":[]}"#,
            r#"{"model":"m","stream":null}"#,
        ] {
            assert_eq!(edited(body, "m"), body);
        }
    }

    #[test]
    fn the_model_is_replaced_in_place() {
        assert_eq!(
            edited(r#"{"a":{"model":"x"},"model" :"m","z":1}"#, "n\"1"),
            r#"{"a":{"model":"x"},"model" :"n\"1","z":1}"#
        );
        assert_eq!(edited(r#"{"mod\u0065l":"m"}"#, "n"), r#"{"mod\u0065l":"n"}"#);
    }

    #[test]
    fn a_stream_is_made_to_ask_for_usage() {
        for (body, expected) in [
            (
                r#"{"model":"m","stream":true}"#,
                r#"{"model":"m","stream_options":{"include_usage":true},"stream":true}"#,
            ),
            (
                r#"{"model":"m","stream":true,"stream_options":{}}"#,
                r#"{"model":"m","stream":true,"stream_options":{"include_usage":true}}"#,
            ),
            (
                r#"{"model":"m","stream":true,"stream_options": null}"#,
                r#"{"model":"m","stream":true,"stream_options": {"include_usage":true}}"#,
            ),
            (
                r#"{"model":"m","stream":true,"stream_options":{ "include_usage" : false, "x":1}}"#,
                r#"{"model":"m","stream":true,"stream_options":{ "include_usage":true, "x":1}}"#,
            ),
            (
                r#"{"model":"m","stream":true,"stream_options":{ "include_obfuscation":false}}"#,
                r#"{"model":"m","stream":true,"stream_options":{"include_usage":true, "include_obfuscation":false}}"#,
            ),
        ] {
            assert_eq!(edited(body, "m"), expected);
        }
    }

    #[test]
    fn what_routing_reads_must_stand_once() {
        for body in [
            r#"{"model":"a","model":"b"}"#,
            r#"{"model":"a","mod\u0065l":"b"}"#,
            r#"{"model":"a","stream":true,"stream":false}"#,
            r#"{"model":"a","stream_options":{"include_usage":true,"include_usage":false}}"#,
            r#"{"model":"a","stream":"yes"}"#,
            r#"{"model":""}"#,
            r#"{"messages":[]}"#,
            r#"{"model":1}"#,
            "[]",
            "",
        ] {
            assert!(inspect(&Bytes::from_static(body.as_bytes())).is_err(), "{body} must be refused");
        }
    }

    #[test]
    fn a_glance_sees_usage_and_errors() {
        let body = br#"{"id":"x","model":"gpt-4o-2024","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}"#;
        let seen = glance(&Bytes::from_static(body));
        assert_eq!(seen.usage.map(|usage| (usage.input(), usage.output())), Some((3, 4)));
        assert_eq!(seen.model.as_deref(), Some("gpt-4o-2024"));
        assert_eq!(seen.error, None);
        let seen = glance(&Bytes::from_static(br#"{"error":{"message":"no","code":429}}"#));
        assert_eq!(seen.error.map(|error| error.class), Some(crate::model::ErrorClass::RateLimit));
        let seen =
            glance(&Bytes::from_static(br#"{"object":"error","message":"no","code":"1500","type":"invalid_model"}"#));
        assert_eq!(seen.error.map(|error| error.class), Some(crate::model::ErrorClass::ModelNotFound));
    }
}
