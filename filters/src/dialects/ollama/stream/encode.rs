//! Writes a client's stream: a line for each piece of text or thinking, one for each call when it is whole, and the
//! line that says `done`, at the very end, because counts may come after the finish.

use bytes::{BufMut, BytesMut};

use super::super::{
    Endpoint, error,
    response::{push_call, push_end},
    time,
    wire::Writer,
};
use crate::{
    dialects::{Reply, StreamEncoder},
    json::{one_line, push_raw_str, push_str},
    model::{Delta, Event, Finish, FinishReason, PartKey, PartKind, PartStart, RawJson, Start, Str, ToolCall, Usage},
};

/// An open part of the answer.
#[derive(Debug)]
enum Open {
    Text,
    Thinking,
    /// A call, whose line waits for its arguments.
    Call {
        call: Box<ToolCall>,
        args: String,
    },
}

/// Writes one stream.
#[derive(Debug)]
pub(in super::super) struct Encoder {
    endpoint: Endpoint,
    show_reasoning: bool,
    model: Str,
    /// When the answer was made, Unix seconds.
    created: u64,
    /// Every line up to its first member that says something; made with the first.
    head: BytesMut,
    /// The parts that are open.
    parts: Vec<(PartKey, Open)>,
    calls: u64,
    usage: Option<Usage>,
    finish: Option<Box<Finish>>,
    done: bool,
}

impl StreamEncoder for Encoder {
    fn encode(&mut self, event: &Event, out: &mut BytesMut) {
        if self.done {
            return;
        }
        match event {
            Event::Delta { part, delta } => self.delta(*part, delta, out),
            Event::Start(start) => self.start(start),
            // The wire has one answer.
            Event::PartStart(start) if start.candidate == 0 => self.begin(start),
            Event::PartEnd(part) => self.close(*part, out),
            Event::Usage(usage) => self.usage = Some(**usage),
            Event::Finish { candidate: 0, finish } => self.finish = Some(finish.clone()),
            Event::Error(error) => {
                error::push(out, error);
                out.put_u8(b'\n');
                self.done = true;
            }
            Event::End => self.end(out),
            Event::PartStart(_) | Event::Finish { .. } | Event::Ping => {}
        }
    }
}

impl Encoder {
    /// An encoder for one answer.
    pub(in super::super) fn new(reply: &Reply, endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            show_reasoning: reply.show_reasoning,
            model: reply.model.clone(),
            created: reply.created,
            head: BytesMut::new(),
            parts: Vec::new(),
            calls: 0,
            usage: None,
            finish: None,
            done: false,
        }
    }

    fn start(&mut self, start: &Start) {
        if start.created != 0 {
            self.created = start.created;
        }
        // All that some upstreams count; what comes later replaces it.
        self.usage = start.usage.or(self.usage);
    }

    fn begin(&mut self, start: &PartStart) {
        let open = match &start.kind {
            PartKind::Text | PartKind::Refusal => Open::Text,
            PartKind::Reasoning => Open::Thinking,
            PartKind::ToolCall(call) => Open::Call { call: Box::new(call.clone()), args: String::new() },
            // Withheld thinking and what comes whole have no place on the wire.
            PartKind::Redacted(_) | PartKind::Whole(_) => return,
        };
        self.parts.push((start.part, open));
    }

    fn delta(&mut self, part: PartKey, delta: &Delta, out: &mut BytesMut) {
        let Some((_, open)) = self.parts.iter_mut().rev().find(|(key, _)| *key == part) else { return };
        match (open, delta) {
            (_, Delta::Text(text) | Delta::Args(text)) if text.is_empty() => {}
            (Open::Text, Delta::Text(text)) => self.text(text, out),
            (Open::Thinking, Delta::Text(text)) if self.show_reasoning => self.thinking(text, out),
            (Open::Call { args, .. }, Delta::Args(more)) => args.push_str(more),
            (Open::Text, Delta::Logprobs(tokens)) => self.logprobs(tokens, out),
            // Sources and opaque state have no place on the wire.
            _ => {}
        }
    }

    fn text(&mut self, text: &str, out: &mut BytesMut) {
        self.put_head(out);
        out.reserve(text.len() + 64);
        out.put_slice(match self.endpoint {
            Endpoint::Chat => br#""message":{"role":"assistant","content":""#,
            Endpoint::Generate => br#""response":""#,
        });
        push_raw_str(out, text);
        self.put_tail(out);
    }

    fn thinking(&mut self, text: &str, out: &mut BytesMut) {
        self.put_head(out);
        out.reserve(text.len() + 96);
        out.put_slice(match self.endpoint {
            Endpoint::Chat => br#""message":{"role":"assistant","content":"","thinking":""#,
            Endpoint::Generate => br#""response":"","thinking":""#,
        });
        push_raw_str(out, text);
        self.put_tail(out);
    }

    /// The end of a line whose last member is a string.
    fn put_tail(&self, out: &mut BytesMut) {
        out.put_slice(match self.endpoint {
            Endpoint::Chat => b"\"},\"done\":false}\n",
            Endpoint::Generate => b"\",\"done\":false}\n",
        });
    }

    /// Every line up to its first member that says something.
    fn put_head(&mut self, out: &mut BytesMut) {
        if self.head.is_empty() {
            self.head.put_slice(br#"{"model":"#);
            push_str(&mut self.head, &self.model);
            self.head.put_slice(br#","created_at":"#);
            push_str(&mut self.head, &time::format(self.created));
            self.head.put_u8(b',');
        }
        out.extend_from_slice(&self.head);
    }

    /// Probabilities of the text just sent, on a line without any.
    fn logprobs(&mut self, tokens: &RawJson, out: &mut BytesMut) {
        self.put_head(out);
        out.put_slice(match self.endpoint {
            Endpoint::Chat => br#""message":{"role":"assistant","content":""},"done":false,"logprobs":"#,
            Endpoint::Generate => br#""response":"","done":false,"logprobs":"#,
        });
        out.extend_from_slice(one_line(tokens.as_str()).as_bytes());
        out.put_slice(b"}\n");
    }

    fn close(&mut self, part: PartKey, out: &mut BytesMut) {
        let Some(at) = self.parts.iter().rposition(|(key, _)| *key == part) else { return };
        if let (_, Open::Call { call, args }) = self.parts.remove(at) {
            self.call(&ToolCall { args: Str::from(args), ..*call }, out);
        }
    }

    fn call(&mut self, call: &ToolCall, out: &mut BytesMut) {
        self.put_head(out);
        out.put_slice(match self.endpoint {
            Endpoint::Chat => br#""message":{"role":"assistant","content":"","tool_calls":["#,
            Endpoint::Generate => br#""response":"","tool_calls":["#,
        });
        push_call(out, call, Some(self.calls));
        self.calls += 1;
        out.put_slice(match self.endpoint {
            Endpoint::Chat => &b"]},\"done\":false}\n"[..],
            Endpoint::Generate => b"],\"done\":false}\n",
        });
    }

    fn end(&mut self, out: &mut BytesMut) {
        // A decoder ends all parts before it finishes; a call is not to be lost if one does not.
        for (_, open) in std::mem::take(&mut self.parts) {
            if let Open::Call { call, args } = open {
                self.call(&ToolCall { args: Str::from(args), ..*call }, out);
            }
        }
        self.done = true;
        let mut object = Writer::object(out);
        object.str("model", &self.model);
        object.str("created_at", &time::format(self.created));
        match self.endpoint {
            Endpoint::Chat => object.raw("message", r#"{"role":"assistant","content":""}"#),
            Endpoint::Generate => object.str("response", ""),
        }
        let finish = self.finish.take().unwrap_or_else(|| Box::new(Finish::new(FinishReason::Other)));
        push_end(&mut object, &finish, self.usage.as_ref());
        object.end();
        out.put_u8(b'\n');
    }
}
