//! Templates against a parser.

use proptest::prelude::*;

use super::*;

const VARYING: Varying = Varying { strings: &[r#""pad":""#, r#""at":""#], numbers: &[r#"Count":"#] };

const PART: PartKey = PartKey(7);

/// A template learnt from an event that says `text`, which was copied if it had escapes.
fn learnt_of(event: &Str, text: Str, delta: fn(Str) -> Delta) -> Template {
    let mut template = Template::default();
    template.learn(event, &[Event::Delta { part: PART, delta: delta(text) }], &VARYING);
    template
}

/// `Hi` as a slice of the event that says it.
fn hi(event: &Str) -> Str {
    let at = event.find("Hi").expect("the event says Hi");
    event.slice_ref(event.get(at..at + 2).expect("it is ASCII"))
}

/// A template learnt from an event whose text is `Hi`.
fn learnt(event: &str) -> Template {
    let event = Str::from(event);
    learnt_of(&event, hi(&event), Delta::Text)
}

fn event(text: &str, pad: &str, count: u32, blank: &str) -> String {
    format!(r#"{{"a":1,"d":{{"text":"{text}"{blank}}},"n":12,"pad":"{pad}","xCount":{blank}{count},"e":"x y"}}{blank}"#)
}

fn text(template: &mut Template, event: &str) -> Option<String> {
    match template.delta(&Str::from(event))? {
        (PART, Delta::Text(text) | Delta::Args(text)) => Some(text.to_string()),
        other => panic!("the template told {other:?}"),
    }
}

#[test]
fn text_padding_counts_and_blanks_may_differ() {
    let mut template = learnt(&event("Hi", "abc", 7, ""));
    let found = template.delta(&Str::from(event("größer", "other padding", 1234, "  ")));
    assert_eq!(found, Some((PART, Delta::Text(Str::from_static("größer")))));
    let mut template = learnt(&event("Hi", "", 0, " "));
    assert_eq!(text(&mut template, &event("there", "p", 10, "")).as_deref(), Some("there"));
}

#[test]
fn a_plain_text_is_a_slice() {
    let event = Str::from(event("there", "", 1, ""));
    let found = learnt(&self::event("Hi", "", 1, "")).delta(&event).expect("it fits").1;
    let Delta::Text(found) = found else { panic!("it is text") };
    assert!(event.as_bytes().as_ptr_range().contains(&found.as_bytes().as_ptr()), "the text was copied");
}

#[test]
fn arguments_stay_arguments() {
    let first = Str::from(event("Hi", "", 1, ""));
    let mut template = learnt_of(&first, hi(&first), Delta::Args);
    let found = template.delta(&Str::from(event(r#"{\"a\":\"\u00e4\\n"#, "", 1, "")));
    assert_eq!(found, Some((PART, Delta::Args(Str::from_static(r#"{"a":"ä\n"#)))));
}

#[test]
fn a_text_with_escapes_teaches_where_it_stands() {
    for (written, said) in [(r#"{\"a"#, "{\"a"), (r"\u0041", "A"), (r"\ud83d\ude00\n", "😀\n")] {
        let mut template = learnt_of(&event(written, "abc", 7, "").into(), Str::from(said), Delta::Args);
        assert_eq!(text(&mut template, &event("there", "p", 10, "")).as_deref(), Some("there"), "{written}");
    }
    // It must be the whole of just one string.
    for (event, said) in
        [(event(r"a\n", r"a\n", 7, ""), "a\n"), (event(r"a\n", "", 7, ""), "\n"), (event("a", "", 7, ""), "a\n")]
    {
        let mut template = learnt_of(&event.as_str().into(), Str::from(said), Delta::Args);
        assert_eq!(text(&mut template, &event), None, "{event}");
    }
}

#[test]
fn two_parts_may_take_turns() {
    let event_of = |part: u32, text: &str| Str::from(format!(r#"{{"index":{part},"text":"{text}"}}"#));
    let mut template = Template::default();
    for part in [1, 2, 3] {
        let event = event_of(part, "Hi");
        template.learn(&event, &[Event::Delta { part: PartKey(part), delta: Delta::Args(hi(&event)) }], &VARYING);
    }
    for part in [2, 3, 3, 2] {
        let there = Some((PartKey(part), Delta::Args(Str::from_static("there"))));
        assert_eq!(template.delta(&event_of(part, "there")), there);
    }
    assert_eq!(template.delta(&event_of(1, "there")), None, "it remembers two");
    template.forget();
    assert_eq!((template.delta(&event_of(2, "a")), template.delta(&event_of(3, "a"))), (None, None));
}

#[test]
fn whatever_else_was_said_makes_it_forget() {
    let event = Str::from(event("Hi", "", 1, ""));
    let hi = || Event::Delta { part: PART, delta: Delta::Text(hi(&event)) };
    let mut template = Template::default();
    template.learn(&event, &[hi()], &VARYING);
    assert_eq!(text(&mut template, &event).as_deref(), Some("Hi"), "it was learnt");
    for said in [vec![], vec![Event::Ping], vec![hi(), hi()], vec![Event::PartEnd(PART)]] {
        template.learn(&event, &[hi()], &VARYING);
        template.learn(&event, &said, &VARYING);
        assert_eq!(text(&mut template, &event), None, "{said:?}");
    }
}

#[test]
fn anything_else_takes_the_slow_path() {
    let mut template = learnt(&event("Hi", "abc", 7, ""));
    for said in ["", "a\u{1}b", r#"a"},"finish_reason":"stop","x":{"y":"z"#, r"\x", r"\u12", r"\ud83d", r"\ud83d\u0041"]
    {
        assert_eq!(text(&mut template, &event(said, "pad", 1, "")), None, "{said}");
    }
    assert_eq!(text(&mut template, &event("a", r"p\u0041", 1, "")), None, "padding has an escape");
    assert_eq!(text(&mut template, &event("a", "p", 1, "").replace("12", "1 2")), None, "a number was cut");
    assert_eq!(text(&mut template, &event("a", "p", 1, "").replace("x y", "x  y")), None, "a string differs");
    assert_eq!(text(&mut template, &event("a", "p", 1, "").replace(":1,\"e", ":01,\"e")), None, "no such number");
    assert_eq!(text(&mut template, &format!("{}}}", event("a", "p", 1, ""))), None, "more follows");
    assert_eq!(text(&mut template, "{}"), None);
    template.forget();
    assert_eq!(text(&mut template, &event("a", "abc", 7, "")), None, "all was forgotten");
}

#[test]
fn strings_and_counts_before_the_text_may_differ() {
    let event = |at: &str, count: &str, text: &str| {
        format!(r#"{{"m":"m","at":"{at}","xCount":{count},"d":{{"text":"{text}"}},"done":false}}"#)
    };
    let mut template = learnt(&event("12:00", "7", "Hi"));
    assert_eq!(text(&mut template, &event("12:00:01", "8", "there")).as_deref(), Some("there"));
    assert_eq!(text(&mut template, &event("", "123456", "größer")).as_deref(), Some("größer"));
    assert_eq!(text(&mut template, &event(r"12\u003a00", "8", "there")), None, "it has an escape");
    assert_eq!(text(&mut template, &event(r#"1","m":"2"#, "8", "there")), None, "more stands between");
    assert_eq!(text(&mut template, &event("1", "1.5", "there")), None, "no whole number");
    assert_eq!(text(&mut template, &event("1", "08", "there")), None, "no number of JSON");
    assert_eq!(text(&mut template, &event("1", "8", "there").replace("false", "true")), None, "the end differs");
}

proptest! {
    #[test]
    fn the_fast_path_agrees_with_a_parser(
        said in ".{0,20}|[ -~]{0,20}|(\\\\u[0-9a-fD]{4}|\\\\[nrtbf\"/\\\\x]|[a-z😀]){0,6}",
        pad in "[a-z\"\\\\]{0,4}",
        count in any::<u32>(),
        blank in "[ \t\r\n]{0,3}",
        cut in any::<prop::sample::Index>(),
    ) {
        // Half of the texts are escaped as a server would, the others are what they are.
        let quoted = serde_json::to_string(&said).expect("a string serialises");
        for said in [quoted.trim_start_matches('"').strip_suffix('"').unwrap_or_default(), said.as_str()] {
            let mut template = learnt(&event("Hi", "abc", 7, " "));
            let event = event(said, &pad, count, &blank);
            let parsed = serde_json::from_str::<serde_json::Value>(&event);
            match text(&mut template, &event) {
                Some(found) => {
                    let parsed = parsed.expect("what the fast path takes is JSON");
                    prop_assert_eq!(Some(&*found), parsed["d"]["text"].as_str());
                }
                None => prop_assert!(parsed.is_err() || said.is_empty() || pad.contains('\\') || pad.contains('"'),
                    "a good event must take the fast path: {}", event),
            }
            // A damaged event is either refused or still JSON.
            let damaged = event.get(..cut.index(event.len())).unwrap_or_default();
            if text(&mut template, damaged).is_some() {
                let parsed = serde_json::from_str::<serde_json::Value>(damaged);
                prop_assert!(parsed.is_ok(), "the fast path took {}", damaged);
            }
        }
    }
}
