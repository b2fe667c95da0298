//! The tap passes everything but the usage event.

use proptest::prelude::*;

use super::*;
use crate::dialects::TapSpec;

const USAGE: &str =
    r#"{"id":"x","model":"m","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}"#;

/// Feeds the pieces; gives what came out, and checks that no more than an incomplete event was ever held back.
fn pass(pieces: &[&[u8]], strip_usage: bool) -> (Vec<u8>, Option<u64>) {
    let mut tap = OpenAiChat.tap(TapSpec { strip_usage, json_array: false });
    let mut out = Vec::new();
    for piece in pieces {
        tap.feed(Bytes::copy_from_slice(piece), &mut out);
    }
    tap.finish(&mut out);
    (out.concat(), tap.usage().map(crate::model::Usage::total))
}

fn event(text: &str, end: &str) -> String {
    format!(r#"data: {{"id":"x","model":"m","choices":[{{"index":0,"delta":{{"content":"{text}"}}}}],"usage":null}}"#)
        + end
        + end
}

#[test]
fn nothing_is_held_back_without_need() {
    let mut tap = OpenAiChat.tap(TapSpec { strip_usage: true, json_array: false });
    let mut out = Vec::new();
    tap.feed(Bytes::from(event("a", "\n") + "data: {\"cho"), &mut out);
    assert_eq!(out.concat(), event("a", "\n").as_bytes(), "a complete event goes on at once");
    out.clear();
    tap.feed(Bytes::from("ices\":[]}\n\n"), &mut out);
    assert_eq!(out.concat(), b"data: {\"choices\":[]}\n\n", "and the rest as soon as it is complete");
    let mut tap = OpenAiChat.tap(TapSpec::default());
    out.clear();
    tap.feed(Bytes::from("data: {\"cho"), &mut out);
    assert_eq!(out.concat(), b"data: {\"cho", "without stripping nothing waits");
}

#[test]
fn usage_beside_choices_stays() {
    let stream = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1,\"total_tokens\":2}}\n\ndata: [DONE]\n\n";
    assert_eq!(pass(&[stream.as_bytes()], true), (stream.as_bytes().to_vec(), Some(2)));
}

#[test]
fn words_about_usage_are_not_usage() {
    let stream = event(r#"the \"usage\":{} member, \"choices\":[]"#, "\n");
    assert_eq!(pass(&[stream.as_bytes()], true), (stream.into_bytes(), None));
}

#[test]
fn an_event_without_its_blank_line_is_read_at_the_end() {
    let text = format!("{}data: {USAGE}", event("a", "\n"));
    assert_eq!(pass(&[text.as_bytes()], true), (event("a", "\n").into_bytes(), Some(7)));
    let text = event("a", "\n") + "data: [DONE]";
    assert_eq!(pass(&[text.as_bytes()], true), (text.into_bytes(), None));
}

proptest! {
    #[test]
    fn pitfall_59_any_cut_gives_the_stream_without_usage(
        end in prop::sample::select(vec!["\n", "\r\n", "\r"]),
        before in prop::collection::vec("[a-zé€ ]{0,6}", 0..4),
        after in prop::collection::vec("[a-z]{0,6}", 0..3),
        comment in any::<bool>(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        byte_by_byte in any::<bool>(),
    ) {
        let texts = |texts: &[String]| texts.iter().map(|text| event(text, end)).collect::<String>();
        let comment = if comment { format!(": OPENROUTER PROCESSING{end}{end}") } else { String::new() };
        let head = texts(&before) + &comment;
        let tail = texts(&after) + "data: [DONE]" + end + end;
        let stream = format!("{head}data: {USAGE}{end}{end}{tail}");
        let bytes = stream.as_bytes();
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        at.extend([0, bytes.len()]);
        at.sort_unstable();
        let pieces: Vec<&[u8]> = if byte_by_byte {
            bytes.chunks(1).collect()
        } else {
            at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
        };
        let (out, usage) = pass(&pieces, true);
        prop_assert_eq!(String::from_utf8(out).expect("whole events are UTF-8"), head + &tail);
        prop_assert_eq!(usage, Some(7));
        prop_assert_eq!(pass(&pieces, false), (bytes.to_vec(), Some(7)));
    }

    #[test]
    fn any_bytes_pass(pieces in prop::collection::vec(prop::collection::vec(prop::sample::select(&b"\r\n:data {}[]\"usage,choices1\xff"[..]), 0..20), 0..12)) {
        let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
        prop_assert_eq!(pass(&pieces, true).0, pieces.concat());
        prop_assert_eq!(pass(&pieces, false).0, pieces.concat());
    }
}
