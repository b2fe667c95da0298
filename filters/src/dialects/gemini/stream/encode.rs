//! Writes a client's stream.
//!
//! Clients take nothing but messages: no event names, no comments, no end marker. The last message, with the finish
//! reasons and the token counts, is held until the stream has ended.

use bytes::BytesMut;

use crate::dialects::gemini::{emit, error, finish, grounding, logprobs, response, usage, write};
use crate::{
    dialects::{Reply, StreamEncoder, StreamForm, relayed_status},
    json::{one_line, push_raw_str},
    model::{
        CallKind, Citation, Delta, ErrorInfo, Event, Finish, Part, PartKey, PartKind, PartStart, RawJson, Span,
        SpanUnit, Str, ToolCall, Usage,
    },
};

/// The state of one stream.
#[derive(Debug)]
pub(crate) struct Encoder {
    reply: Reply,
    /// The end of every message: model and id.
    tail: BytesMut,
    parts: Vec<Writing>,
    finishes: Vec<(u32, Finish)>,
    usage: Option<Usage>,
    supports: Vec<(u32, grounding::Support)>,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing is written.
    Fresh,
    /// A message is written.
    Open,
    /// The end is written.
    Ended,
}

/// A part that is being written.
#[derive(Debug)]
struct Writing {
    key: PartKey,
    candidate: u32,
    kind: Kind,
    /// What follows the text of a delta, up to the end of its message.
    suffix: BytesMut,
    signatures: Vec<Str>,
    /// Bytes of text so far, and whether they are as many characters.
    length: usize,
    ascii: bool,
}

#[derive(Debug)]
enum Kind {
    Text,
    Thought,
    Call(ToolCall, String),
    /// Already written, or nothing that can be.
    Done,
}

/// What stands before the text of a delta.
const HEAD: &[u8] = br#"{"candidates":[{"content":{"parts":[{"text":""#;

impl Encoder {
    /// An encoder for one answer.
    pub(crate) fn new(reply: &Reply) -> Self {
        let mut encoder = Self {
            reply: reply.clone(),
            tail: BytesMut::new(),
            parts: Vec::new(),
            finishes: Vec::new(),
            usage: None,
            supports: Vec::new(),
            phase: Phase::Fresh,
        };
        encoder.identify(&reply.id);
        encoder
    }

    /// Renders the end of every message.
    fn identify(&mut self, id: &str) {
        self.tail.clear();
        let mut members = BytesMut::from(&b"{"[..]);
        emit::text(&mut members, "modelVersion", &self.reply.model);
        emit::text(&mut members, "responseId", id);
        self.tail.extend_from_slice(members.get(1..).unwrap_or_default());
        self.tail.extend_from_slice(b"}");
        if self.reply.form == StreamForm::Sse {
            self.tail.extend_from_slice(b"\n\n");
        }
    }

    /// Begins a message.
    fn open(&mut self, out: &mut BytesMut) {
        match (self.reply.form, self.phase) {
            (StreamForm::JsonArray, Phase::Fresh) => out.extend_from_slice(b"["),
            (StreamForm::JsonArray, _) => out.extend_from_slice(b",\r\n"),
            _ => out.extend_from_slice(b"data: "),
        }
        self.phase = Phase::Open;
    }

    /// Writes a message with the parts that `parts` writes.
    fn message(&mut self, out: &mut BytesMut, candidate: u32, parts: impl FnOnce(&mut BytesMut)) {
        self.open(out);
        out.extend_from_slice(b"{\"candidates\":[{\"content\":{\"parts\":[");
        parts(out);
        out.extend_from_slice(b"],\"role\":\"model\"}");
        emit::number(out, "index", candidate);
        out.extend_from_slice(b"}],");
        out.extend_from_slice(&self.tail);
    }

    fn start(&mut self, start: &PartStart, out: &mut BytesMut) {
        let reply = self.reply.clone();
        let mut signatures = Vec::new();
        let kind = match &start.kind {
            PartKind::Text | PartKind::Refusal => Kind::Text,
            PartKind::Reasoning => Kind::Thought,
            PartKind::Redacted(opaque) => {
                signatures.push(response::sealed(opaque, &reply));
                Kind::Thought
            }
            PartKind::ToolCall(call) => Kind::Call(call.clone(), String::new()),
            PartKind::Whole(part) => {
                self.whole(start.candidate, part, out);
                Kind::Done
            }
        };
        let mut suffix = BytesMut::from(&b"\""[..]);
        if matches!(kind, Kind::Thought) {
            suffix.extend_from_slice(b",\"thought\":true");
        }
        suffix.extend_from_slice(b"}],\"role\":\"model\"}");
        emit::number(&mut suffix, "index", start.candidate);
        suffix.extend_from_slice(b"}],");
        suffix.extend_from_slice(&self.tail);
        let (key, candidate) = (start.part, start.candidate);
        self.parts.push(Writing { key, candidate, kind, suffix, signatures, length: 0, ascii: true });
    }

    fn whole(&mut self, candidate: u32, part: &Part, out: &mut BytesMut) {
        let mut written = BytesMut::new();
        if response::encode_part(&mut written, part, &self.reply) > 0 {
            self.message(out, candidate, |out| out.extend_from_slice(&written));
        }
    }

    fn delta(&mut self, key: PartKey, delta: &Delta, out: &mut BytesMut) {
        let Some(at) = self.parts.iter().rposition(|part| part.key == key) else { return };
        let Some(part) = self.parts.get_mut(at) else { return };
        match (delta, &mut part.kind) {
            (Delta::Text(text), Kind::Text | Kind::Thought) => self.text(at, text, out),
            (Delta::Args(piece), Kind::Call(_, args)) => args.push_str(piece),
            (Delta::Opaque(opaque), Kind::Text | Kind::Thought | Kind::Call(..)) => {
                part.signatures.push(response::sealed(opaque, &self.reply));
            }
            (Delta::Citation(citation), Kind::Text) => {
                let support = support(citation, part);
                self.supports.push((part.candidate, support));
            }
            (Delta::Logprobs(tokens), Kind::Text) => {
                let candidate = part.candidate;
                self.logprobs(candidate, tokens, out);
            }
            _ => {}
        }
    }

    /// The hot path: three copies into the buffer.
    fn text(&mut self, at: usize, text: &str, out: &mut BytesMut) {
        let hidden = !self.reply.show_reasoning;
        let Some(part) = self.parts.get(at) else { return };
        if text.is_empty() || (hidden && matches!(part.kind, Kind::Thought)) {
            return;
        }
        self.open(out);
        let Some(part) = self.parts.get_mut(at) else { return };
        part.length += text.len();
        part.ascii = part.ascii && text.is_ascii();
        out.reserve(HEAD.len() + text.len() + part.suffix.len());
        out.extend_from_slice(HEAD);
        push_raw_str(out, text);
        out.extend_from_slice(&part.suffix);
    }

    fn logprobs(&mut self, candidate: u32, tokens: &RawJson, out: &mut BytesMut) {
        self.open(out);
        out.extend_from_slice(b"{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\"}],\"role\":\"model\"}");
        emit::number(out, "index", candidate);
        logprobs::encode(out, tokens);
        out.extend_from_slice(b"}],");
        out.extend_from_slice(&self.tail);
    }

    /// A part is complete: calls are written whole, signatures in an empty part of their kind.
    fn end(&mut self, key: PartKey, out: &mut BytesMut) {
        let Some(at) = self.parts.iter().rposition(|part| part.key == key) else { return };
        let part = self.parts.swap_remove(at);
        let mut signatures = part.signatures.into_iter();
        let thought = matches!(part.kind, Kind::Thought);
        if let Kind::Call(mut call, args) = part.kind {
            if !args.is_empty() || call.kind == CallKind::Custom {
                // Some models write their arguments on several lines, which an event cannot hold.
                let args = if write::is_object(&args) { one_line(&args).into_owned() } else { args };
                call.args = Str::from(args);
            }
            let signature = signatures.next();
            self.message(out, part.candidate, |out| response::encode_call(out, &call, signature.as_deref()));
        }
        for signature in signatures {
            self.message(out, part.candidate, |out| write::text(out, "", thought, Some(&signature)));
        }
    }

    /// The last message: how every candidate ended, and what it cost.
    fn last(&mut self, out: &mut BytesMut) {
        let open: Vec<PartKey> = self.parts.iter().map(|part| part.key).collect();
        for key in open {
            self.end(key, out);
        }
        if !self.finishes.is_empty() {
            self.open(out);
            out.extend_from_slice(b"{\"candidates\":[");
            let finishes = std::mem::take(&mut self.finishes);
            let mut supports = std::mem::take(&mut self.supports);
            for (candidate, finish) in finishes {
                emit::item(out);
                out.extend_from_slice(b"{\"content\":{\"parts\":[{\"text\":\"\"}],\"role\":\"model\"}");
                emit::text(out, "finishReason", finish::encode(&finish));
                emit::number(out, "index", candidate);
                let (own, others) = supports.into_iter().partition(|(of, _)| *of == candidate);
                supports = others;
                let own: Vec<(u32, grounding::Support)> = own;
                let own: Vec<grounding::Support> = own.into_iter().map(|(_, support)| support).collect();
                grounding::encode(out, &own);
                out.extend_from_slice(b"}");
            }
            out.extend_from_slice(b"]");
            usage::encode(out, &self.usage.unwrap_or_default());
            out.extend_from_slice(b",");
            out.extend_from_slice(&self.tail);
        }
        self.seal(out);
    }

    fn error(&mut self, error: &ErrorInfo, out: &mut BytesMut) {
        self.open(out);
        let status = relayed_status(error).unwrap_or_else(|| error.class.status());
        error::write(out, error, status, "");
        if self.reply.form == StreamForm::Sse {
            out.extend_from_slice(b"\n\n");
        }
        self.seal(out);
    }

    /// Open, or Fresh → Ended.
    fn seal(&mut self, out: &mut BytesMut) {
        if self.reply.form == StreamForm::JsonArray {
            out.extend_from_slice(if self.phase == Phase::Fresh { b"[]" } else { b"]" });
        }
        self.phase = Phase::Ended;
    }
}

impl StreamEncoder for Encoder {
    fn encode(&mut self, event: &Event, out: &mut BytesMut) {
        if self.phase == Phase::Ended {
            return;
        }
        match event {
            Event::Delta { part, delta } => self.delta(*part, delta, out),
            Event::Start(start) => {
                self.usage = start.usage.or(self.usage);
                if !start.id.is_empty() {
                    self.identify(&start.id);
                }
            }
            Event::PartStart(start) => self.start(start, out),
            Event::PartEnd(part) => self.end(*part, out),
            Event::Usage(usage) => self.usage = Some(**usage),
            Event::Finish { candidate, finish } => self.finishes.push((*candidate, (**finish).clone())),
            Event::Error(error) => self.error(error, out),
            Event::End => self.last(out),
            Event::Ping => {}
        }
    }
}

/// Where a citation of a streamed text stands. Positions in characters are those in bytes as long as all are ASCII;
/// else the citation is of all the text so far.
fn support(citation: &Citation, part: &Writing) -> grounding::Support {
    let span = match citation.span {
        Some(Span { start, end, unit: SpanUnit::Byte }) => Some((start, end)),
        Some(Span { start, end, unit: SpanUnit::Char }) if part.ascii => Some((start, end)),
        _ => None,
    };
    let (start, end) = span.map_or((0, part.length), |(start, end)| (start as usize, end as usize));
    let (url, title, quoted) = (citation.url.clone(), citation.title.clone(), citation.quoted.clone());
    grounding::Support { part: 0, start, end, url, title, quoted }
}
