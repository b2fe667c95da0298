//! Making connections: resolve, connect, TLS.

use std::{io, sync::Arc};

use hyper_util::rt::TokioIo;
use lockgate_layers::target::Endpoint;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::connection::Connection;

/// Makes connections to providers.
#[derive(Clone)]
pub struct Connector {
    tls: TlsConnector,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connector")
    }
}

impl Default for Connector {
    fn default() -> Self {
        // Mozilla's roots are built in: a container without certificates of its own works too.
        Self::with_roots(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() })
    }
}

impl Connector {
    /// A connector that trusts `roots`.
    pub fn with_roots(roots: RootCertStore) -> Self {
        let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self { tls: TlsConnector::from(Arc::new(config)) }
    }

    pub(super) async fn connect(&self, endpoint: &Endpoint) -> io::Result<Connection> {
        let host = endpoint.authority.host().trim_start_matches('[').trim_end_matches(']');
        let port = endpoint.authority.port_u16().unwrap_or(if endpoint.tls { 443 } else { 80 });
        self.over(connect_any(host, port).await?, host, endpoint.tls).await
    }

    /// Makes a connection to `host` of one that stands, with TLS where `tls` says so.
    pub(super) async fn over(&self, tcp: TcpStream, host: &str, tls: bool) -> io::Result<Connection> {
        tcp.set_nodelay(true)?;
        if !tls {
            return Connection::handshake(TokioIo::new(tcp)).await.map_err(io::Error::other);
        }
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let tls = self.tls.connect(name, tcp).await?;
        Connection::handshake(TokioIo::new(tls)).await.map_err(io::Error::other)
    }
}

/// Tries the host's addresses in turn; the last failure is the one reported.
async fn connect_any(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in tokio::net::lookup_host((host, port)).await? {
        match TcpStream::connect(address).await {
            Ok(tcp) => return Ok(tcp),
            Err(error) => last = error,
        }
    }
    Err(last)
}
