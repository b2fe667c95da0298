//! What the loader may ask of the world: variables and files.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Largest file the loader reads; a configuration of a thousand keys has about 200 KiB.
pub const MAX_FILE_BYTES: usize = 4 * 1024 * 1024;

/// Gives the loader environment variables and files.
pub trait Env {
    /// Returns the variable, or `None` where it is not set or not UTF-8.
    fn var(&self, name: &str) -> Option<String>;

    /// Reads a whole file, at most a little more than [`MAX_FILE_BYTES`].
    fn read(&self, path: &Path) -> io::Result<String>;
}

/// The environment and the files of this process.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessEnv;

/// A fixed environment, for tests and for checking a file that belongs to another machine.
#[derive(Clone, Default)]
pub struct MapEnv {
    vars: HashMap<String, String>,
    files: HashMap<PathBuf, String>,
}

// === impl ProcessEnv ===

impl Env for ProcessEnv {
    fn var(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        let mut text = String::new();
        // One byte more than allowed, so that the loader can tell a file that is too large.
        std::fs::File::open(path)?.take(MAX_FILE_BYTES as u64 + 1).read_to_string(&mut text)?;
        Ok(text)
    }
}

// === impl MapEnv ===

impl MapEnv {
    /// Makes an environment without variables and files.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a variable.
    #[must_use]
    pub fn with_var(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.vars.insert(name.into(), value.into());
        self
    }

    /// Adds a file.
    #[must_use]
    pub fn with_file(mut self, path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        self.files.insert(path.into(), text.into());
        self
    }
}

impl Env for MapEnv {
    fn var(&self, name: &str) -> Option<String> {
        self.vars.get(name).cloned()
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        self.files.get(path).cloned().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }
}

impl fmt::Debug for MapEnv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The values may be secrets.
        f.debug_struct("MapEnv").field("vars", &self.vars.keys()).field("files", &self.files.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_reads_real_files() {
        let text = ProcessEnv.read(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/data/routes.yaml")));
        assert!(text.expect("the file is there").contains("routes:"));
        assert!(ProcessEnv.read(Path::new("/no/where.yaml")).is_err());
        assert_eq!(ProcessEnv.var("LOCKGATE_NOBODY_SETS_THIS"), None);
    }
}
