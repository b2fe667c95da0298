//! Certificates made on the spot, and connections that trust exactly one of them.

use std::{fs, path::Path, sync::Arc};

use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, ServerName},
    },
};

/// A self-signed certificate for `localhost`, as its clients know it.
#[derive(Clone, Debug)]
pub(crate) struct Certificate(CertificateDer<'static>);

// === impl Certificate ===

impl Certificate {
    /// Makes a certificate and writes `cert.pem` and `key.pem`.
    pub(crate) fn write(dir: &Path) -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate can be made");
        fs::write(dir.join("cert.pem"), made.cert.pem()).expect("a test can write its folder");
        fs::write(dir.join("key.pem"), made.signing_key.serialize_pem()).expect("a test can write its folder");
        Self(made.cert.der().clone())
    }

    /// Connects to the gateway, trusting only this certificate and offering these protocols.
    pub(crate) async fn connect(&self, port: u16, protocols: &[&str]) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.clone()).expect("a certificate can be trusted");
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the default versions are supported")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        let name = ServerName::try_from("localhost").expect("the name is valid");
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }
}

/// The protocol that a connection has agreed on.
pub(crate) fn protocol(stream: &TlsStream<TcpStream>) -> Option<String> {
    let (_, session) = stream.get_ref();
    session.alpn_protocol().map(|name| name.iter().map(|byte| char::from(*byte)).collect())
}
