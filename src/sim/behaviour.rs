//! What a model's name asks for.
//!
//! | word | what it does |
//! |---|---|
//! | `echo` | repeats the last user text, word by word |
//! | `think` | thinks first, readably and with a signature |
//! | `tools` | calls the first tool on offer, with invented arguments; answers `tool said: …` once there is a result |
//! | `parallel` | calls every tool on offer, at most four |
//! | `json` | answers JSON that fits the schema asked for, else `{"echo": …}` |
//! | `refuse`, `length`, `filter` | ends by a refusal, by length, by a filter |
//! | `chunks=N` | says the text in N pieces, repeating it if need be |
//! | `pace=MS`, `first=MS` | waits between pieces, before the first |
//! | `error=STATUS` | answers with an error status |
//! | `error-at=N`, `cut=N`, `stall=N` | after N pieces: an error event, a cut connection, silence |
//! | `lie=html`, `lie=empty`, `lie=garbage`, `lie=error200` | answers 200 with something that is no answer |

use std::time::Duration;

/// Most pieces of one answer.
const MAX_CHUNKS: usize = 100_000;

/// All words, for the message about an unknown one.
pub(super) const WORDS: &str = "echo, think, tools, parallel, json, refuse, length, filter, chunks=N, pace=MS, \
                                first=MS, error=STATUS, error-at=N, cut=N, stall=N, lie=html|empty|garbage|error200";

/// What is to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Behaviour {
    pub(super) think: bool,
    pub(super) calls: Calls,
    pub(super) json: bool,
    pub(super) ending: Ending,
    pub(super) chunks: Option<usize>,
    pub(super) pace: Duration,
    pub(super) first: Duration,
    pub(super) error: Option<u16>,
    pub(super) break_at: Option<(usize, Break)>,
    pub(super) lie: Option<Lie>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Calls {
    #[default]
    None,
    First,
    All,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Ending {
    #[default]
    Stop,
    Refusal,
    Length,
    Filter,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Break {
    Error,
    Cut,
    Stall,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lie {
    Html,
    Empty,
    Garbage,
    Error,
}

impl Behaviour {
    /// Reads a model's name; the error names the word that is unknown.
    pub(super) fn parse(model: &str) -> Result<Self, String> {
        let mut behaviour = Self::default();
        for word in model.split('+') {
            behaviour.word(word).ok_or_else(|| word.chars().take(60).collect::<String>())?;
        }
        Ok(behaviour)
    }

    fn word(&mut self, word: &str) -> Option<()> {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        let number = || value.parse::<usize>().ok();
        let millis = || value.parse().ok().map(Duration::from_millis);
        match name {
            "echo" => {}
            "think" => self.think = true,
            "tools" => self.calls = Calls::First,
            "parallel" => self.calls = Calls::All,
            "json" => self.json = true,
            "refuse" => self.ending = Ending::Refusal,
            "length" => self.ending = Ending::Length,
            "filter" => self.ending = Ending::Filter,
            "chunks" => self.chunks = Some(number()?.clamp(1, MAX_CHUNKS)),
            "pace" => self.pace = millis()?,
            "first" => self.first = millis()?,
            "error" => self.error = Some(value.parse().ok().filter(|status| (400..=599).contains(status))?),
            "error-at" => self.break_at = Some((number()?, Break::Error)),
            "cut" => self.break_at = Some((number()?, Break::Cut)),
            "stall" => self.break_at = Some((number()?, Break::Stall)),
            "lie" => self.lie = Some(lie(value)?),
            _ => return None,
        }
        Some(())
    }
}

fn lie(value: &str) -> Option<Lie> {
    match value {
        "html" => Some(Lie::Html),
        "empty" => Some(Lie::Empty),
        "garbage" => Some(Lie::Garbage),
        "error200" => Some(Lie::Error),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_add_up() {
        let behaviour = Behaviour::parse("think+echo+pace=20+cut=3").expect("all words are known");
        assert!(behaviour.think);
        assert_eq!(behaviour.pace, Duration::from_millis(20));
        assert_eq!(behaviour.break_at, Some((3, Break::Cut)));
        assert_eq!(Behaviour::parse("echo+dance"), Err("dance".to_owned()));
        assert_eq!(Behaviour::parse("error=200"), Err("error=200".to_owned()));
    }
}
