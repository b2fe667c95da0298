//! The crate from outside: texts in, configurations or reports out.

mod catalog;
mod data;
mod environment;
mod facts;
mod good;
mod mistakes;
mod page;
mod params;
mod robustness;

use crate::{Config, MapEnv, Report, load_str};

/// Loads a text that is right.
fn loaded(text: &str, env: &MapEnv) -> Config {
    load_str("gateway.yaml", text, env).unwrap_or_else(|report| panic!("the text is right, but:\n{report}"))
}

/// Loads a text that is wrong.
fn refused(text: &str, env: &MapEnv) -> Report {
    load_str("gateway.yaml", text, env).expect_err("the text is wrong")
}
