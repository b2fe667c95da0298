//! Listening: one Pingora service per address, on the runtime that calls.

use std::{io, net::SocketAddr, sync::Arc};

use pingora_core::{
    listeners::{L4BufferSettings, ListenerConfig, Listeners},
    server::{ShutdownWatch, configuration::ServerConf},
    services::listening::Service,
};

use super::{Certificates, Door, tls};
use crate::gateway::Shared;

/// A TLS record with its frame.
const TLS_RECORD: usize = (16 << 10) + 256;

/// One address to listen on.
#[derive(Clone, Debug)]
pub struct Listening {
    /// The address.
    pub address: SocketAddr,
    /// The certificate, for TLS.
    pub certificates: Option<Arc<Certificates>>,
    /// Whether HTTP/2 is taken.
    pub http2: bool,
}

/// Serves one address until `shutdown` turns true. Connections that are open then go on.
///
/// # Errors
/// If the address cannot be bound.
pub async fn listen(listening: Listening, shared: Arc<Shared>, shutdown: ShutdownWatch) -> io::Result<()> {
    let Listening { address, certificates, http2 } = listening;
    // Pingora panics on an address that it cannot bind: find out before it does.
    drop(std::net::TcpListener::bind(address)?);
    let conf = ServerConf { max_retries: 1, upstream_keepalive_pool_size: 256, ..ServerConf::default() };
    let buffer = match &certificates {
        // Connections read into buffers of their own, and gather what they write: Pingora's would cost 64 KiB each.
        None => L4BufferSettings::unbuffered(),
        Some(_) => L4BufferSettings::new(TLS_RECORD, 0),
    };
    // The door shakes hands itself: Pingora would wait a minute for every client that does not.
    let acceptor = certificates.map(|certificates| tls::acceptor(certificates, http2)).transpose()?;
    let door = Door::new(shared, Arc::new(conf), http2, acceptor);
    let endpoint = ListenerConfig::tcp(address.to_string()).l4_buffer(buffer);
    let mut listeners = Listeners::new();
    listeners.add_listener(endpoint);
    let mut service = Service::with_listeners("lockgate".to_owned(), listeners, door);
    pingora_core::services::Service::start_service(&mut service, None, shutdown, 1).await;
    Ok(())
}
