//! Reasoning and calls of an upstream's stream.

use super::{
    super::{
        item,
        wire::{Item, Source},
    },
    decode::{Decoder, rest_of},
    event::{WireEvent, text},
    open::{Form, OpenKind, OpenReasoning},
};
use crate::model::{Delta, Event, FilterError, Part, PartContent, PartKey, PartKind, Str};

impl Decoder {
    /// The part that an item's reasoning is, which begins now if it has not. `None` if it comes in the other form.
    pub(super) fn reasoning_part(
        &mut self,
        wire: &WireEvent<'_>,
        form: Form,
        events: &mut Vec<Event>,
    ) -> Result<Option<PartKey>, FilterError> {
        self.begin_unannounced(events);
        let (item, index) = (wire.item_index(), wire.part_index());
        let OpenKind::Reasoning(open) = self.open(item, |_| OpenKind::Reasoning(OpenReasoning::default()))? else {
            return Ok(None);
        };
        if *open.form.get_or_insert(form) != form {
            return Ok(None);
        }
        let (known, is_next) = (open.key, open.piece != index);
        let key = match known {
            Some(key) => key,
            None => self.begin_part(PartKind::Reasoning, events),
        };
        if is_next && form == Form::Summary && self.said(key) > 0 {
            self.push_text(key, Str::from_static(item::PARAGRAPH), events);
        }
        let said = self.said(key);
        if let OpenKind::Reasoning(open) = self.open(item, |_| OpenKind::Held)? {
            open.key = Some(key);
            if is_next {
                open.piece = index;
                open.before = said;
            }
        }
        Ok(Some(key))
    }

    /// Words of reasoning.
    pub(super) fn thought(
        &mut self,
        wire: &WireEvent<'_>,
        form: Form,
        source: &Source,
        events: &mut Vec<Event>,
    ) -> Result<(), FilterError> {
        let said = text(wire.delta, source);
        if said.is_empty() {
            return Ok(());
        }
        let Some(key) = self.reasoning_part(wire, form, events)? else { return Ok(()) };
        self.push_text(key, said, events);
        Ok(())
    }

    pub(super) fn repair_thought(
        &mut self,
        wire: &WireEvent<'_>,
        form: Form,
        whole: &Str,
        events: &mut Vec<Event>,
    ) -> Result<(), FilterError> {
        if whole.is_empty() {
            return Ok(());
        }
        let Some(key) = self.reasoning_part(wire, form, events)? else { return Ok(()) };
        let before = match self.open(wire.item_index(), |_| OpenKind::Held)? {
            OpenKind::Reasoning(open) => open.before,
            _ => 0,
        };
        let rest = rest_of(whole, self.said(key).saturating_sub(before));
        self.push_text(key, rest, events);
        Ok(())
    }

    pub(super) fn call_key(&self, wire: &WireEvent<'_>) -> Option<PartKey> {
        match self.open.get(self.position(wire.item_index())?)?.kind {
            OpenKind::Call(key) => Some(key),
            _ => None,
        }
    }

    pub(super) fn args(&mut self, wire: &WireEvent<'_>, source: &Source, events: &mut Vec<Event>) {
        // Without its announcement a call has no name: it comes whole with its end.
        let Some(key) = self.call_key(wire) else { return };
        self.push_args(key, text(wire.delta, source), events);
    }

    pub(super) fn repair_args(&mut self, wire: &WireEvent<'_>, whole: &Str, events: &mut Vec<Event>) {
        let Some(key) = self.call_key(wire) else { return };
        self.push_args(key, rest_of(whole, self.said(key)), events);
    }

    pub(super) fn reasoning_done(
        &mut self,
        open: &OpenReasoning,
        item: &Item<'_>,
        source: &Source,
        events: &mut Vec<Event>,
    ) {
        let Some(key) = open.key else {
            let part = item::reasoning(item, source).map(|reasoning| Part::new(PartContent::Reasoning(reasoning)));
            events.extend(part.map(|part| self.whole_part(part)).into_iter().flatten());
            return;
        };
        let state = item::state(item, source);
        events.extend(state.map(|state| Event::Delta { part: key, delta: Delta::Opaque(Box::new(state)) }));
        events.push(Event::PartEnd(key));
    }
}
