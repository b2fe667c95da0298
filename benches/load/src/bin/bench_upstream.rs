//! Runs the mock upstream until it is killed.

use std::io::{self, Write};
use std::net::SocketAddr;

use clap::Parser;
use lockgate_bench::upstream::Upstream;
use lockgate_bench::upstream::control::Control;
use tokio::net::TcpSocket;
use tokio::task::LocalSet;

/// A thousand connections may come at once.
const BACKLOG: u32 = 4096;

/// Answers as `OpenAI`, Anthropic and Gemini do.
#[derive(clap::Parser)]
#[command(name = "bench-upstream")]
struct Options {
    /// Where to listen; only loopback.
    #[arg(long, default_value = "127.0.0.1:9100")]
    listen: SocketAddr,
    /// Vary the padding of `OpenAI` chunks from chunk to chunk, as the real API does.
    #[arg(long)]
    obfuscate: bool,
    /// Settings to start with, as in a control request: `chunks=200&delay_us=0`.
    #[arg(long, default_value = "")]
    set: String,
}

fn main() -> io::Result<()> {
    let options = Options::parse();
    if !options.listen.ip().is_loopback() {
        return Err(io::Error::other(format!("`{}` is not a loopback address", options.listen)));
    }
    let control = Control::default();
    control.apply(&format!("?{}", options.set));
    let upstream = Upstream::new(control, options.obfuscate);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(options.listen)?;
        let listener = socket.listen(BACKLOG)?;
        writeln!(io::stderr(), "listening on {}", listener.local_addr()?)?;
        upstream.serve(listener).await
    })
}
