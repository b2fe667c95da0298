//! TLS towards clients: certificates that can be replaced while the gateway runs, and the handshake.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use arc_swap::ArcSwap;
use pingora_core::{
    listeners::tls::Acceptor,
    protocols::{Stream, l4::stream::Stream as TcpStream},
};
use rustls::{
    ServerConfig,
    crypto::CryptoProvider,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

/// One certificate chain with its key, read from files and read again when asked to.
#[derive(Debug)]
pub struct Certificates {
    cert: PathBuf,
    key: PathBuf,
    current: ArcSwap<CertifiedKey>,
}

/// A certificate or key cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot use certificate `{}` with key `{}`: {reason}", cert.display(), key.display())]
pub struct CertificateError {
    cert: PathBuf,
    key: PathBuf,
    reason: String,
}

impl Certificates {
    /// Reads the files.
    ///
    /// # Errors
    /// If they cannot be read or do not belong together.
    pub fn load(cert: &Path, key: &Path) -> Result<Arc<Self>, CertificateError> {
        let current = read(cert, key)?;
        Ok(Arc::new(Self { cert: cert.to_owned(), key: key.to_owned(), current: ArcSwap::from_pointee(current) }))
    }

    /// Reads the files again. New connections get what they hold now; on an error the old certificate stays.
    ///
    /// # Errors
    /// If they cannot be read or do not belong together.
    pub fn reload(&self) -> Result<(), CertificateError> {
        self.current.store(Arc::new(read(&self.cert, &self.key)?));
        Ok(())
    }
}

/// What accepts TLS with these certificates; with `http2`, HTTP/2 is agreed on where the client has it.
///
/// # Errors
/// If the process has no cryptography.
pub(super) fn acceptor(certificates: Arc<Certificates>, http2: bool) -> io::Result<Acceptor> {
    let provider = CryptoProvider::get_default().ok_or_else(|| io::Error::other("no cryptography is installed"))?;
    let builder = ServerConfig::builder_with_provider(provider.clone());
    let builder = builder.with_protocol_versions(&[&TLS12, &TLS13]).map_err(io::Error::other)?;
    let mut config = builder.with_no_client_auth().with_cert_resolver(certificates);
    if http2 {
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    }
    Ok(Acceptor::from_server_config(Arc::new(config)))
}

/// Shakes hands. `None` if that fails: there is nobody to answer then.
pub(super) async fn handshake(acceptor: &Acceptor, stream: Stream) -> Option<Stream> {
    let plain = stream.into_any().downcast::<TcpStream>().ok()?;
    match acceptor.tls_handshake(*plain).await {
        Ok(stream) => Some(Box::new(stream)),
        Err(error) => {
            tracing::debug!(%error, "a TLS handshake failed");
            None
        }
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

fn read(cert: &Path, key: &Path) -> Result<CertifiedKey, CertificateError> {
    let fail = |reason: String| CertificateError { cert: cert.to_owned(), key: key.to_owned(), reason };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect)
        .map_err(|error| fail(format!("the certificate file: {error}")))?;
    if chain.is_empty() {
        return Err(fail("the certificate file holds no certificate".to_owned()));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| fail(format!("the key file: {error}")))?;
    let provider = CryptoProvider::get_default().ok_or_else(|| fail("no cryptography is installed".to_owned()))?;
    CertifiedKey::from_der(chain, private, provider).map_err(|error| fail(error.to_string()))
}
