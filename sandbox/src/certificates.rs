//! The secrets of an instance: its own authority, the API server's certificate, tokens.

use std::fs::{self, File};
use std::io::Read;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

/// The files that the control plane reads, and the secrets that its clients need.
#[derive(Debug, Clone)]
pub(crate) struct Certificates {
    directory: PathBuf,
    /// The authority's certificate.
    pub(crate) ca_pem: String,
    /// The token of each user.
    pub(crate) tokens: Tokens,
}

/// Who may talk to the API server from the beginning: all are administrators, apart for audits.
#[derive(Debug, Clone)]
pub(crate) struct Tokens {
    pub(crate) admin: String,
    pub(crate) controllers: String,
    pub(crate) node: String,
}

impl Certificates {
    /// Makes new secrets for an API server with these addresses.
    pub(crate) fn create(directory: &Path, addresses: &[Ipv4Addr]) -> Result<Self> {
        fs::create_dir_all(directory)?;
        fs::set_permissions(directory, fs::Permissions::from_mode(0o700))?;
        let (ca_pem, issuer) = authority()?;
        let (server_pem, server_key) = server(&issuer, addresses)?;
        let accounts = KeyPair::generate()?;
        let tokens = Tokens {
            admin: token()?,
            controllers: token()?,
            node: token()?,
        };
        let certificates = Self {
            directory: directory.to_owned(),
            ca_pem,
            tokens,
        };
        let tokens = &certificates.tokens;
        let users = format!(
            "{},admin,admin,\"system:masters\"\n\
             {},system:kube-controller-manager,controllers,\"system:masters\"\n\
             {},system:node:sandbox,node,\"system:masters,system:nodes\"\n",
            tokens.admin, tokens.controllers, tokens.node
        );
        let files = [
            (certificates.authority(), &certificates.ca_pem),
            (certificates.server(), &server_pem),
            (certificates.server_key(), &server_key),
            (certificates.account_key(), &accounts.serialize_pem()),
            (
                certificates.account_public_key(),
                &accounts.public_key_pem(),
            ),
            (certificates.users(), &users),
        ];
        for (path, content) in files {
            fs::write(&path, content)
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(certificates)
    }

    pub(crate) fn authority(&self) -> PathBuf {
        self.directory.join("ca.crt")
    }

    pub(crate) fn server(&self) -> PathBuf {
        self.directory.join("api-server.crt")
    }

    pub(crate) fn server_key(&self) -> PathBuf {
        self.directory.join("api-server.key")
    }

    /// Signs the tokens of service accounts.
    pub(crate) fn account_key(&self) -> PathBuf {
        self.directory.join("service-accounts.key")
    }

    pub(crate) fn account_public_key(&self) -> PathBuf {
        self.directory.join("service-accounts.pub")
    }

    pub(crate) fn users(&self) -> PathBuf {
        self.directory.join("tokens.csv")
    }
}

fn authority() -> Result<(String, Issuer<'static, KeyPair>)> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(DnType::CommonName, "flink-sandbox");
    params.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyCertSign,
    ];
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok((certificate.pem(), Issuer::new(params, key)))
}

/// The first cluster IP is the API server's own; it is in the certificate although nothing routes it.
fn server(issuer: &Issuer<'static, KeyPair>, addresses: &[Ipv4Addr]) -> Result<(String, String)> {
    let names = [
        "localhost",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
    ];
    let addresses = addresses
        .iter()
        .copied()
        .chain([Ipv4Addr::LOCALHOST, Ipv4Addr::new(10, 96, 0, 1)]);
    let subjects = names
        .iter()
        .map(ToString::to_string)
        .chain(addresses.map(|address| address.to_string()));
    let mut params = CertificateParams::new(subjects.collect::<Vec<_>>())?;
    params
        .distinguished_name
        .push(DnType::CommonName, "kube-apiserver");
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, issuer)?;
    Ok((certificate.pem(), key.serialize_pem()))
}

fn token() -> Result<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .context("cannot read /dev/urandom")?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}
