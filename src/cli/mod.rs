//! The commands: `serve`, `check`, `call`, `models`, `providers`.

mod call;
mod check;
mod providers;
mod table;

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use lockgate_config::{Config, ProcessEnv, Report};

use crate::serve;

/// An AI edge gateway: any client dialect to any provider.
#[derive(Debug, Parser)]
#[command(name = "lockgate", version, about)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve. Works without a file: providers are switched on by their usual variables, `sim` needs none.
    Serve {
        /// The configuration, as YAML. Reread on SIGHUP.
        #[arg(long, short)]
        config: Option<PathBuf>,
    },
    /// Check a configuration and explain what it means.
    Check {
        /// The configuration, as YAML; without one, what the environment alone switches on.
        file: Option<PathBuf>,
        /// Print the JSON Schema of the configuration instead.
        #[arg(long)]
        schema: bool,
    },
    /// Send one message to a model and print the answer as it comes.
    Call {
        /// The model: `provider/model`, or a name of the configuration.
        model: String,
        /// What to say.
        text: String,
        /// The configuration, as YAML.
        #[arg(long, short)]
        config: Option<PathBuf>,
    },
    /// List the models that can be asked for by name.
    Models {
        /// The configuration, as YAML.
        #[arg(long, short)]
        config: Option<PathBuf>,
    },
    /// List the providers that the gateway knows: which can be used now, what the others lack, and what each has.
    Providers {
        /// One of them, told in full; an alias will do.
        name: Option<String>,
        /// Only those that have this: `chat`, `responses`, `embeddings`, `images` and so on.
        #[arg(long)]
        capability: Option<String>,
        /// The configuration, as YAML.
        #[arg(long, short)]
        config: Option<PathBuf>,
    },
}

impl Cli {
    /// Runs the command.
    pub fn run(self) -> ExitCode {
        let outcome = match self.command {
            Command::Serve { config } => serve::run(config.as_deref()),
            Command::Check { file, schema } => check::run(file.as_deref(), schema),
            Command::Call { model, text, config } => call::run(config.as_deref(), &model, &text),
            Command::Models { config } => check::models(config.as_deref()),
            Command::Providers { name, capability, config } => {
                providers::run(config.as_deref(), name.as_deref(), capability.as_deref())
            }
        };
        match outcome {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => {
                // Nobody is left to tell if standard error is closed.
                drop(writeln!(io::stderr(), "{failure}"));
                ExitCode::FAILURE
            }
        }
    }
}

/// Why a command failed, in words for a person.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The configuration has mistakes.
    #[error("{0}")]
    Config(#[from] Report),
    /// The configuration cannot be used.
    #[error("{0}")]
    Build(#[from] crate::gateway::BuildError),
    /// Something outside failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

fn load(path: Option<&std::path::Path>) -> Result<Config, Report> {
    lockgate_config::load(path, &ProcessEnv)
}
