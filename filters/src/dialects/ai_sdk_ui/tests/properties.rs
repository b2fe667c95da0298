//! What holds for any input.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::json;

use super::{super::AiSdkUi, args, call, decode, end, finish, reader, reply, start, text, written};
use crate::{
    dialects::{CallHead, Dialect},
    model::{Event, FinishReason, PartContent, PartKind},
};

proptest! {
    #[test]
    fn any_events_make_a_stream_that_the_client_takes(steps in prop::collection::vec((0u32..6, 0u8..4), 0..50)) {
        let mut events = vec![Event::Start(Box::default())];
        let mut begun = [0u8; 6];
        let mut said = String::new();
        for (count, (part, action)) in steps.into_iter().enumerate() {
            let at = part as usize;
            match (begun[at], action) {
                (0, _) => {
                    begun[at] = 1;
                    events.push(match part % 3 {
                        0 => start(part, PartKind::Text),
                        1 => call(part),
                        _ => start(part, PartKind::Reasoning),
                    });
                }
                (1, 0) => {
                    begun[at] = 2;
                    events.push(end(part));
                }
                (1, _) if part % 3 == 1 => events.push(args(part, if action == 1 { "{\"a\":1}" } else { " " })),
                (1, _) => {
                    let word = format!("<{count}>\n\"é\" ");
                    if part % 3 == 0 {
                        said.push_str(&word);
                    }
                    events.push(text(part, &word));
                }
                _ => {}
            }
        }
        events.extend([finish(FinishReason::Stop), Event::End]);
        let message = reader::read(&written(&events, &reply()));
        let found = message.said().into_iter().filter(|part| part["type"] == "text");
        let found: String = found.map(|part| part["text"].as_str().unwrap_or_default().to_owned()).collect();
        prop_assert_eq!(found.len(), said.len());
        prop_assert!(message.finish.is_some());
    }

    #[test]
    fn what_a_client_was_told_it_can_send_back(words in "[ -~é😀\n]{1,30}", thought in "[ -~é]{1,20}", value in any::<i32>()) {
        let events = [
            start(0, PartKind::Reasoning), text(0, &thought), end(0),
            start(1, PartKind::Text), text(1, &words), end(1),
            call(2), args(2, &format!("{{\"v\":{value}}}")), end(2),
            finish(FinishReason::Stop), Event::End,
        ];
        let mut message = reader::read(&written(&events, &reply()));
        let last = message.parts.last_mut().expect("the call");
        last["state"] = "output-available".into();
        last["output"] = json!({"ok": value});
        let body = json!({"id": "c", "messages": [
            {"role": "user", "parts": [{"type": "text", "text": "x"}]}, {"role": "assistant", "parts": message.parts},
        ]});
        let request = decode(&body).expect("it was written by ourselves");
        let said = &request.turns[1].parts;
        let PartContent::Reasoning(reasoning) = &said[0].content else { panic!("thinking") };
        prop_assert_eq!(reasoning.text.as_deref(), Some(&*thought));
        prop_assert_eq!(said[1].as_text().map(|text| &**text), Some(&*words));
        let PartContent::ToolCall(call) = &said[2].content else { panic!("a call") };
        prop_assert_eq!(&*call.args, format!("{{\"v\":{value}}}"));
        prop_assert_eq!(request.turns.len(), 3);
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), json in "[\\[\\]{}\":,a-z0-9 ]{0,80}") {
        for body in [Bytes::from(bytes), Bytes::from(json)] {
            AiSdkUi.claims(&body);
            drop(AiSdkUi.inspect(&CallHead::default(), &body));
            drop(AiSdkUi.decode_request(&CallHead::default(), &body));
        }
    }
}
