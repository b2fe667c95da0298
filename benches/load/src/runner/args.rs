//! The command line of `bench`.

use std::path::PathBuf;

use regex::Regex;

/// Measures lockgate beside a bare Pingora and no gateway at all.
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "bench")]
pub struct Args {
    /// The lockgate binary, built with `--release`.
    #[arg(long, required_unless_present = "gateway_cmd")]
    pub gateway: Option<PathBuf>,
    /// Where to write the summary.
    #[arg(long, default_value = "target/bench/summary.json")]
    pub out: PathBuf,
    /// One short round: checks every answer, measures nothing worth reading.
    #[arg(long)]
    pub quick: bool,
    /// Rounds; figures are medians over them.
    #[arg(long, default_value_t = 3)]
    pub rounds: usize,
    /// Only cases whose name matches.
    #[arg(long, default_value = ".")]
    pub cases: Regex,
    /// Vary the padding of the upstream's `OpenAI` chunks, as the real API does.
    #[arg(long)]
    pub obfuscate: bool,
    /// Keep the folder with configuration and logs; it is kept anyway when something was wrong.
    #[arg(long)]
    pub keep: bool,
    /// A stand-in for lockgate, to try the runner itself: a command with `{listen}` and `{upstream}` in it. It cannot
    /// translate, so the crossings are left out.
    #[arg(long, hide = true)]
    pub gateway_cmd: Option<String>,
}
