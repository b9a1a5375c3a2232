//! Certificates: trusted, not trusted, and the client's own.

use std::sync::Arc;

use flink_rest::{Client, Endpoint, Error, Network, Tls};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

use crate::server::{Server, limits, network, ok};

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    fn issue(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.0).unwrap(), key)
    }

    fn acceptor(&self, clients: bool) -> TlsAcceptor {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let (certificate, key) = self.issue("127.0.0.1");
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = if clients {
            let mut roots = RootCertStore::empty();
            roots.add(self.0.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = builder
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}

async fn call(server: &Server, tls: Option<Tls>) -> Result<String, Error> {
    let client = Client::new(Network { tls, ..network() }.transport().unwrap(), limits());
    let endpoint = Endpoint::https(server.address.ip(), server.address.port());
    client
        .job_manager(endpoint)
        .config()
        .await
        .map(|config| config.flink_version)
}

#[tokio::test]
async fn only_trusted_certificates_are_spoken_to() {
    let (ours, others) = (Authority::new(), Authority::new());
    let config = r#"{"flink-version":"1.20.5"}"#;
    let server = Server::start_with(Some(ours.acceptor(false)), move |_| ok(config)).await;
    let trusting = |authority: &Authority| Tls::trusting(authority.pem().as_bytes()).unwrap();
    assert_eq!(
        call(&server, Some(trusting(&ours))).await.unwrap(),
        "1.20.5"
    );
    for distrust in [None, Some(trusting(&others))] {
        let error = call(&server, distrust).await.unwrap_err();
        assert!(
            matches!(&error, Error::Refused { why, .. } if why.contains("certificate")),
            "{error:?}"
        );
    }
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn the_client_shows_its_certificate() {
    let ours = Authority::new();
    let config = r#"{"flink-version":"1.20.5"}"#;
    let server = Server::start_with(Some(ours.acceptor(true)), move |_| ok(config)).await;
    let anonymous = Tls::trusting(ours.pem().as_bytes()).unwrap();
    assert!(call(&server, Some(anonymous.clone())).await.is_err());
    let (certificate, key) = ours.issue("operator");
    let known = anonymous
        .appearing_as(certificate.pem().as_bytes(), key.serialize_pem().as_bytes())
        .unwrap();
    assert_eq!(call(&server, Some(known)).await.unwrap(), "1.20.5");
}

#[test]
fn what_is_not_pem_is_refused_with_the_cure() {
    let error = Tls::trusting(b"\xfe\xed\xfe\xed").unwrap_err();
    assert!(error.to_string().contains("exported to PEM"), "{error}");
    let trusting = Tls::trusting(Authority::new().pem().as_bytes()).unwrap();
    let shown = format!("{trusting:?}");
    assert!(!shown.contains("BEGIN"), "{shown}");
    assert!(trusting.appearing_as(b"", b"").is_err());
}
