//! What is wrong with a configuration, and where.

use std::fmt;

/// One mistake, or one warning, with the place it was written at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// File name as it was given to the loader.
    pub file: String,
    /// Line, counted from one; zero where the problem has no place in the file.
    pub line: usize,
    /// Column in characters, counted from one.
    pub column: usize,
    /// JSON pointer to the key or value, empty for the whole document.
    pub path: String,
    /// What is wrong and what was expected: lowercase, no full stop, names in backticks.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            write!(f, "{}: {}", self.file, self.message)?;
        } else {
            write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)?;
        }
        if self.path.is_empty() { Ok(()) } else { write!(f, "\n  at {}", self.path) }
    }
}

/// Every mistake of a refused configuration, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The mistakes; never empty in an `Err`.
    pub problems: Vec<Problem>,
}

// === impl Report ===

impl Report {
    pub(crate) fn new(mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| (problem.line, problem.column));
        Self { problems }
    }

    pub(crate) fn of_file(file: &str, message: String) -> Self {
        let problem = Problem { file: file.to_owned(), line: 0, column: 0, path: String::new(), message };
        Self { problems: vec![problem] }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Report {}
