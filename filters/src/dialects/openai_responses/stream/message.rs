//! Messages of an upstream's stream: text and refusals in parts, and what they rest on.

use super::{
    super::{
        citation, item, logprobs,
        wire::{ContentPart, Item, Source},
    },
    decode::{Decoder, MAX_OPEN, rest_of},
    event::{WireEvent, text},
    open::{OpenKind, OpenPart},
};
use crate::model::{Delta, Event, FilterError, PartKey, PartKind, Str};

impl Decoder {
    /// The key of a message's part, which begins now if it has not.
    pub(super) fn message_part(
        &mut self,
        wire: &WireEvent<'_>,
        is_refusal: bool,
        events: &mut Vec<Event>,
    ) -> Result<Option<PartKey>, FilterError> {
        self.begin_unannounced(events);
        let (item, index) = (wire.item_index(), wire.part_index());
        let OpenKind::Message(parts) = self.open(item, |_| OpenKind::Message(Vec::new()))? else { return Ok(None) };
        if let Some(part) = parts.iter().rev().find(|part| part.index == index) {
            return Ok((!part.ended).then_some(part.key));
        }
        if parts.len() >= MAX_OPEN {
            return Err(FilterError::malformed("responses stream", &"a message has too many parts"));
        }
        if is_refusal {
            self.seen.refusal = true;
        } else {
            self.seen.text = true;
        }
        let key = self.begin_part(if is_refusal { PartKind::Refusal } else { PartKind::Text }, events);
        let Some(OpenKind::Message(parts)) =
            self.position(item).and_then(|at| self.open.get_mut(at)).map(|open| &mut open.kind)
        else {
            return Ok(None);
        };
        parts.push(OpenPart { index, key, cited: 0, ended: false });
        Ok(Some(key))
    }

    pub(super) fn part_added(
        &mut self,
        wire: &WireEvent<'_>,
        source: &Source,
        events: &mut Vec<Event>,
    ) -> Result<(), FilterError> {
        let part = wire.part();
        let is_refusal = match part.kind() {
            "refusal" => true,
            "output_text" | "text" => false,
            _ => return Ok(()),
        };
        let Some(key) = self.message_part(wire, is_refusal, events)? else { return Ok(()) };
        let said = part.text.or(part.refusal).map(|text| source.text(&text)).unwrap_or_default();
        self.push_text(key, said, events);
        Ok(())
    }

    /// Text of a message.
    pub(super) fn text(
        &mut self,
        wire: &WireEvent<'_>,
        is_refusal: bool,
        source: &Source,
        events: &mut Vec<Event>,
    ) -> Result<(), FilterError> {
        let Some(key) = self.message_part(wire, is_refusal, events)? else { return Ok(()) };
        let tokens = logprobs::decode(wire.logprobs, source);
        let said = text(wire.delta, source);
        self.push_text(key, said, events);
        events.extend(tokens.map(|tokens| Event::Delta { part: key, delta: Delta::Logprobs(Box::new(tokens)) }));
        Ok(())
    }

    pub(super) fn annotation(
        &mut self,
        wire: &WireEvent<'_>,
        source: &Source,
        events: &mut Vec<Event>,
    ) -> Result<(), FilterError> {
        let Some(key) = self.message_part(wire, false, events)? else { return Ok(()) };
        self.cited(wire, |part| part.cited += 1);
        let citation = wire.annotation.and_then(|raw| citation::decode(raw, source));
        events.extend(citation.map(|citation| Event::Delta { part: key, delta: Delta::Citation(Box::new(citation)) }));
        Ok(())
    }

    /// Changes what is known of a part that is open.
    pub(super) fn cited(&mut self, wire: &WireEvent<'_>, change: impl FnOnce(&mut OpenPart)) {
        let Some(open) = self.position(wire.item_index()).and_then(|at| self.open.get_mut(at)) else { return };
        let OpenKind::Message(parts) = &mut open.kind else { return };
        let index = wire.part_index();
        if let Some(part) = parts.iter_mut().rev().find(|part| part.index == index) {
            change(part);
        }
    }

    /// The whole of a text whose pieces may have been lost: what is missing at its end is made up for.
    pub(super) fn repair_text(
        &mut self,
        wire: &WireEvent<'_>,
        whole: &Str,
        is_refusal: bool,
        events: &mut Vec<Event>,
    ) -> Result<(), FilterError> {
        if whole.is_empty() {
            return Ok(());
        }
        if let Some(key) = self.message_part(wire, is_refusal, events)? {
            let rest = rest_of(whole, self.said(key));
            self.push_text(key, rest, events);
        }
        Ok(())
    }

    pub(super) fn part_done(
        &mut self,
        wire: &WireEvent<'_>,
        source: &Source,
        events: &mut Vec<Event>,
    ) -> Result<(), FilterError> {
        let part = wire.part();
        let is_refusal = match part.kind() {
            "refusal" => true,
            "output_text" | "text" => false,
            _ => return Ok(()),
        };
        let Some(key) = self.message_part(wire, is_refusal, events)? else { return Ok(()) };
        let mut cited = 0;
        self.cited(wire, |part| {
            cited = part.cited;
            part.ended = true;
        });
        self.complete_part(key, &part, cited, source, events);
        events.push(Event::PartEnd(key));
        Ok(())
    }

    /// What a whole part has and its pieces did not say.
    pub(super) fn complete_part(
        &mut self,
        key: PartKey,
        whole: &ContentPart<'_>,
        cited: usize,
        source: &Source,
        events: &mut Vec<Event>,
    ) {
        let said = whole.text.as_ref().or(whole.refusal.as_ref()).map(|text| source.text(text)).unwrap_or_default();
        let rest = rest_of(&said, self.said(key));
        self.push_text(key, rest, events);
        let missed = citation::decode_all(whole.annotations, source).into_iter().skip(cited);
        events.extend(missed.map(|citation| Event::Delta { part: key, delta: Delta::Citation(Box::new(citation)) }));
    }

    pub(super) fn message_done(
        &mut self,
        parts: &[OpenPart],
        item: &Item<'_>,
        source: &Source,
        events: &mut Vec<Event>,
    ) {
        let contents = item::content(item.content);
        for (index, content) in (0..).zip(&contents) {
            match parts.iter().find(|part| part.index == index) {
                Some(part) if !part.ended => self.complete_part(part.key, content, part.cited, source, events),
                Some(_) => {}
                None => {
                    events.extend(item::said(content, source).map(|part| self.whole_part(part)).into_iter().flatten());
                }
            }
        }
        events.extend(parts.iter().filter(|part| !part.ended).map(|part| Event::PartEnd(part.key)));
    }
}
