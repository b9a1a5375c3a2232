//! Whom the client trusts, and as whom it appears.

use std::fmt;

use rustls::client::WantsClientCert;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};

use crate::network::BadNetwork;

/// Certificates and key in PEM.
#[derive(Clone)]
pub struct Tls {
    roots: Vec<CertificateDer<'static>>,
    identity: Option<Identity>,
}

struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        Self {
            chain: self.chain.clone(),
            key: self.key.clone_key(),
        }
    }
}

impl Tls {
    /// Trusts servers whose certificate was issued under one of `roots`.
    pub fn trusting(roots: &[u8]) -> Result<Self, BadNetwork> {
        Ok(Self {
            roots: certificates(roots, "trusted certificates")?,
            identity: None,
        })
    }

    /// Appears with a certificate, for a Flink that has `security.ssl.rest.authentication-enabled`.
    pub fn appearing_as(mut self, chain: &[u8], key: &[u8]) -> Result<Self, BadNetwork> {
        let chain = certificates(chain, "client certificate")?;
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|_| BadNetwork("client key: no private key in PEM".to_owned()))?;
        self.identity = Some(Identity { chain, key });
        Ok(self)
    }

    pub(crate) fn configure(
        &self,
        builder: ConfigBuilder<ClientConfig, WantsVerifier>,
    ) -> Result<ClientConfig, BadNetwork> {
        let mut store = RootCertStore::empty();
        for root in &self.roots {
            store
                .add(root.clone())
                .map_err(|error| BadNetwork(format!("trusted certificates: {error}")))?;
        }
        let builder: ConfigBuilder<ClientConfig, WantsClientCert> =
            builder.with_root_certificates(store);
        match self.identity.clone() {
            None => Ok(builder.with_no_client_auth()),
            Some(Identity { chain, key }) => builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| BadNetwork(format!("client certificate: {error}"))),
        }
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("roots", &self.roots.len())
            .field("identity", &self.identity.is_some())
            .finish_non_exhaustive()
    }
}

fn certificates(pem: &[u8], what: &str) -> Result<Vec<CertificateDer<'static>>, BadNetwork> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match read {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) | Err(_) => Err(BadNetwork(format!(
            "{what}: no certificate in PEM (a Java keystore must be exported to PEM first)"
        ))),
    }
}
