//! Tool calls that come in pieces.

use crate::{
    dialects::openai_chat::wire::{Call, Source, Text, lenient},
    model::{CallKind, PartKey, Str},
};

/// The calls of one candidate.
#[derive(Debug, Default)]
pub(super) struct Calls {
    all: Vec<Pending>,
}

/// A call that has begun.
#[derive(Debug)]
pub(super) struct Pending {
    /// The number that the vendor gives it, if it gives one.
    index: Option<u64>,
    pub(super) id: Str,
    pub(super) name: Str,
    pub(super) kind: CallKind,
    /// Its part, once its name is known.
    pub(super) part: Option<PartKey>,
    pub(super) ended: bool,
    /// Arguments that came before the name did.
    pub(super) early: String,
    arguments: Progress,
}

impl Calls {
    /// The position of the call that a piece belongs to; a new one if it belongs to none. To be asked once per piece.
    ///
    /// By number, where the vendor counts. Some count wrongly: all calls are number 0, and only a new id with a name,
    /// when the call so far is complete, shows that another has begun. Ids also change within a call, or come again
    /// with every piece, so that an id alone shows nothing.
    pub(super) fn find(&mut self, piece: &Call<'_>, source: &Source) -> usize {
        let filled = |text: Option<&Text<'_>>| text.filter(|text| !text.is_empty()).map(|text| source.text(text));
        let id = filled(piece.id.as_ref());
        let (name, kind) = match (&piece.function, &piece.custom) {
            (Some(function), _) if piece.custom.is_none() || function.name.is_some() => {
                (filled(function.name.as_ref()), CallKind::Function)
            }
            (_, Some(custom)) => (filled(custom.name.as_ref()), CallKind::Custom),
            _ => (None, CallKind::Function),
        };
        let index = piece.index.map(|index| index.0);
        let found = self.all.iter().rposition(|call| match (index, &id) {
            (Some(_), _) => call.index == index,
            (None, Some(id)) => call.id == *id,
            (None, None) => name.is_none(),
        });
        let found = found.filter(|at| {
            let Some(call) = self.all.get(*at) else { return false };
            let another_id = id.as_ref().is_some_and(|id| !call.id.is_empty() && call.id != *id);
            !(another_id && name.is_some() && call.is_complete())
        });
        let at = found.unwrap_or_else(|| {
            self.all.push(Pending {
                index,
                id: Str::new(),
                name: Str::new(),
                kind,
                part: None,
                ended: false,
                early: String::new(),
                arguments: Progress::default(),
            });
            self.all.len() - 1
        });
        let Some(call) = self.all.get_mut(at) else { return at };
        if let (true, Some(id)) = (call.id.is_empty(), id) {
            call.id = id;
        }
        if let (true, Some(name)) = (call.name.is_empty(), name) {
            call.name = name;
            call.kind = kind;
        }
        at
    }

    /// The call at a position.
    pub(super) fn get(&mut self, at: usize) -> Option<&mut Pending> {
        self.all.get_mut(at)
    }

    /// The call that is a part.
    pub(super) fn of_part(&mut self, part: PartKey) -> Option<&mut Pending> {
        self.all.iter_mut().rev().find(|call| call.part == Some(part))
    }

    /// The calls whose arguments are complete, though they have not ended.
    pub(super) fn complete(&mut self) -> impl Iterator<Item = &mut Pending> {
        self.all.iter_mut().filter(|call| !call.ended && call.part.is_some() && call.is_complete())
    }

    /// All calls that have begun and not ended.
    pub(super) fn open(&mut self) -> impl Iterator<Item = &mut Pending> {
        self.all.iter_mut().filter(|call| !call.ended && call.part.is_some())
    }
}

impl Pending {
    /// Takes a piece of arguments.
    pub(super) fn take(&mut self, arguments: &str) {
        if self.kind == CallKind::Function {
            self.arguments.push(arguments);
        }
    }

    /// Whether its arguments are a whole object. Free text has no end of its own.
    pub(super) fn is_complete(&self) -> bool {
        self.arguments.is_complete()
    }
}

/// A piece of a call's arguments or input. An object stands for its own text.
pub(super) fn arguments(piece: &Call<'_>, source: &Source) -> Str {
    if let Some(raw) = piece.function.as_ref().and_then(|function| function.arguments) {
        return match lenient::<Text<'_>>(Some(raw)) {
            Some(text) => source.text(&text),
            None => source.slice(raw.get()),
        };
    }
    let input = piece.custom.as_ref().and_then(|custom| custom.input.as_ref());
    input.map(|input| source.text(input)).unwrap_or_default()
}

/// How far a JSON object has come, without keeping it.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    depth: u32,
    begun: bool,
    in_string: bool,
    after_backslash: bool,
}

impl Progress {
    fn push(&mut self, text: &str) {
        for byte in text.bytes() {
            if std::mem::take(&mut self.after_backslash) {
                continue;
            }
            match byte {
                b'\\' if self.in_string => self.after_backslash = true,
                b'"' => self.in_string = !self.in_string,
                b'{' | b'[' if !self.in_string => {
                    self.depth = self.depth.saturating_add(1);
                    self.begun = true;
                }
                b'}' | b']' if !self.in_string => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
    }

    fn is_complete(self) -> bool {
        self.begun && self.depth == 0 && !self.in_string
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complete_arguments_are_told_from_begun_ones() {
        for (text, complete) in [
            ("", false),
            ("{", false),
            ("{}", true),
            (r#"{"a":"}"#, false),
            (r#"{"a":"\"}"}"#, true),
            (r#"{"a":[{}]}"#, true),
        ] {
            let mut progress = Progress::default();
            for piece in text.split_inclusive(':') {
                progress.push(piece);
            }
            assert_eq!(progress.is_complete(), complete, "{text}");
        }
    }
}
