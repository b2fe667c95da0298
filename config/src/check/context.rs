//! Where the checks stand, and where they leave their findings.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use crate::document::Source;
use crate::env::Env;
use crate::report::{Problem, Report};
use crate::tree::{Pos, join};

/// What all checks of a document share.
pub(super) struct Context<'a> {
    source: &'a Source,
    env: &'a dyn Env,
    problems: RefCell<Vec<Problem>>,
    warnings: RefCell<Vec<Problem>>,
}

/// A place in the document, by JSON pointer. Cheap enough: it is made only while a configuration loads.
#[derive(Clone)]
pub(super) struct At<'a> {
    cx: &'a Context<'a>,
    path: String,
}

// === impl Context ===

impl<'a> Context<'a> {
    pub(super) fn new(source: &'a Source, env: &'a dyn Env) -> Self {
        Self { source, env, problems: RefCell::default(), warnings: RefCell::default() }
    }

    /// Returns the warnings, or every mistake.
    pub(super) fn finish(&self) -> Result<Vec<Problem>, Report> {
        let problems = self.problems.take();
        if problems.is_empty() { Ok(self.warnings.take()) } else { Err(Report::new(problems)) }
    }

    fn problem(&self, path: &str, message: String) -> Problem {
        let Pos { line, column } = self.source.place(path).unwrap_or_default();
        Problem { file: self.source.file.clone(), line, column, path: path.to_owned(), message }
    }
}

// === impl At ===

impl<'a> At<'a> {
    pub(super) fn root(cx: &'a Context<'a>) -> Self {
        Self { cx, path: String::new() }
    }

    pub(super) fn key(&self, name: &str) -> Self {
        Self { cx: self.cx, path: join(&self.path, name) }
    }

    pub(super) fn item(&self, index: usize) -> Self {
        self.key(&index.to_string())
    }

    /// Reports a mistake here.
    pub(super) fn error(&self, message: String) {
        self.cx.problems.borrow_mut().push(self.cx.problem(&self.path, message));
    }

    /// Reports something that is probably not meant.
    pub(super) fn warn(&self, message: String) {
        self.cx.warnings.borrow_mut().push(self.cx.problem(&self.path, message));
    }

    /// Runs a check of what nobody asked for: a mistake there refuses nothing, and is told as a warning.
    pub(super) fn unasked<T>(&self, check: impl FnOnce() -> T) -> Option<T> {
        let before = self.cx.problems.borrow().len();
        let checked = check();
        let found = self.cx.problems.borrow_mut().split_off(before);
        let sound = found.is_empty();
        self.cx.warnings.borrow_mut().extend(found);
        sound.then_some(checked)
    }

    /// Takes a value, or reports the mistake.
    pub(super) fn take<T>(&self, result: Result<T, String>) -> Option<T> {
        result.map_err(|message| self.error(message)).ok()
    }

    /// Tells whether the document has a value here.
    pub(super) fn is_written(&self) -> bool {
        self.cx.source.node(&self.path).is_some()
    }

    /// Tells whether the value here came from the environment.
    pub(super) fn is_expanded(&self) -> bool {
        self.cx.source.node(&self.path).is_some_and(|node| node.expanded)
    }

    /// Returns the variable that this value asked for in vain.
    pub(super) fn missing_variable(&self) -> Option<&'a str> {
        self.cx.source.node(&self.path)?.missing.as_deref()
    }

    /// Returns a variable that is set and not empty.
    pub(super) fn var(&self, name: &str) -> Option<String> {
        self.cx.env.var(name).filter(|value| !value.trim().is_empty())
    }

    /// Finds a file that the document names: relative paths begin beside the document.
    pub(super) fn file(&self, path: &str) -> PathBuf {
        Path::new(&self.cx.source.file).parent().map_or_else(|| PathBuf::from(path), |folder| folder.join(path))
    }

    /// Reads a file that the document names.
    pub(super) fn read(&self, path: &str) -> std::io::Result<String> {
        self.cx.env.read(&self.file(path))
    }
}
