//! The floor for a gateway on Pingora: picks the one upstream there is and forwards, nothing else.

use std::net::SocketAddr;

use async_trait::async_trait;
use clap::Parser;
use pingora_core::Result;
use pingora_core::server::Server;
use pingora_core::server::configuration::ServerConf;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_http::RequestHeader;
use pingora_proxy::{ProxyHttp, Session, http_proxy_service};

/// Forwards everything to one upstream.
#[derive(clap::Parser)]
#[command(name = "bare-pingora")]
struct Options {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:9201")]
    listen: SocketAddr,
    /// Where to forward to.
    #[arg(long, default_value = "127.0.0.1:9100")]
    upstream: SocketAddr,
}

struct Forward {
    upstream: SocketAddr,
    host: String,
}

#[async_trait]
impl ProxyHttp for Forward {
    type CTX = ();

    fn new_ctx(&self) {}

    async fn upstream_peer(&self, _session: &mut Session, _cx: &mut ()) -> Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(self.upstream, false, String::new())))
    }

    async fn upstream_request_filter(
        &self,
        _session: &mut Session,
        req: &mut RequestHeader,
        _cx: &mut (),
    ) -> Result<()> {
        req.insert_header("Host", &self.host)
    }
}

fn main() {
    let options = Options::parse();
    let conf = ServerConf {
        threads: 1,
        upstream_keepalive_pool_size: 512,
        grace_period_seconds: Some(0),
        graceful_shutdown_timeout_seconds: Some(1),
        ..ServerConf::default()
    };
    let mut server = Server::new_with_opt_and_conf(None, conf);
    server.bootstrap();
    let forward = Forward { upstream: options.upstream, host: options.upstream.to_string() };
    let mut service = http_proxy_service(&server.configuration, forward);
    service.add_tcp(&options.listen.to_string());
    server.add_service(service);
    server.run_forever();
}
