//! What only the library can be asked: fetching over TLS from a server that is trusted.

use std::{sync::Arc, time::Duration};

use lockgate_config::{Exempt, Glob, Media, Network};
use lockgate_filters::model::Str;
use lockgate_layers::fetch::{Budget, Fetch, FetchError};
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::PrivateKeyDer;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

use super::{Connector, MediaFetcher};

/// A server with a certificate for `localhost`, its port, and a connector that trusts it.
async fn server(tasks: &mut JoinSet<()>) -> (u16, Connector) {
    crate::serve::install_cryptography();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate can be made");
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let certificate = made.cert.der().clone();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).expect("a certificate can be trusted");
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key);
    let acceptor = TlsAcceptor::from(Arc::new(config.expect("certificate and key belong together")));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let port = listener.local_addr().expect("it is bound").port();
    tasks.spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            // A client that trusts nobody breaks off here.
            let Ok(mut tls) = acceptor.accept(tcp).await else { continue };
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(tls.read_u8().await.expect("a head comes"));
            }
            let answer = b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncontent-length: 5\r\n\r\nbytes";
            tls.write_all(answer).await.expect("it reads");
            tls.shutdown().await.expect("it reads");
        }
    });
    (port, Connector::with_roots(roots))
}

#[tokio::test]
async fn media_come_over_tls_from_whom_the_certificate_names() {
    let mut tasks = JoinSet::new();
    let (port, connector) = server(&mut tasks).await;
    let loopback = Network::new([127, 0, 0, 1].into(), 32).expect("a network");
    let allow = vec![Exempt::Host(Glob::new("localhost")), Exempt::Network(loopback)];
    let settings = Media { allow, timeout: Duration::from_secs(10), ..Media::default() };
    let fetcher = MediaFetcher::new(Arc::new(connector), &settings);
    let fetch = |host: &str| fetcher.fetch(Str::from(format!("https://{host}:{port}/a.png")), Budget::new(100));
    let fetched = fetch("localhost").await.expect("the certificate is trusted");
    assert_eq!((&*fetched.bytes, fetched.content_type.as_deref()), (&b"bytes"[..], Some("image/png")));
    let refused = fetch("127.0.0.1").await.expect_err("the certificate is another's");
    assert_eq!(refused, FetchError::Unreachable("no secure connection"));
}
