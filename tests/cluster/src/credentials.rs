//! Keys, tokens and kubeconfig files. All are made for one cluster and end with it.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::json;

use crate::error::{Error, Result};

/// What precedes the 65 bytes of an uncompressed P-256 point in a public key
/// (SubjectPublicKeyInfo, RFC 5480): two lengths and the two object identifiers.
const P256_PUBLIC_KEY_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// A hexadecimal word that cannot be guessed.
pub(crate) fn random_word() -> Result<String> {
    let mut bytes = [0; 16];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|error| Error::data("get random bytes", &error))?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

/// The key pair that signs the tokens of ServiceAccounts, as PEM files.
pub(crate) fn write_signing_key(private: &Path, public: &Path) -> Result<()> {
    let random = SystemRandom::new();
    let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
    let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random)
        .map_err(|error| Error::data("make a signing key", &error))?;
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random)
        .map_err(|error| Error::data("make a signing key", &error))?;
    let public_key = [&P256_PUBLIC_KEY_PREFIX, pair.public_key().as_ref()].concat();
    write_private(private, &pem("PRIVATE KEY", document.as_ref()))?;
    write_private(public, &pem("PUBLIC KEY", &public_key))
}

/// Both keys fit on two lines of PEM, whose lines have 64 characters; Go takes longer ones.
fn pem(label: &str, bytes: &[u8]) -> String {
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        STANDARD.encode(bytes)
    )
}

/// Who a kubeconfig file is, and where.
#[derive(Debug)]
pub(crate) struct Kubeconfig<'a> {
    pub(crate) server: &'a str,
    pub(crate) certificate_authority: &'a [u8],
    pub(crate) user: &'a str,
    pub(crate) token: &'a str,
    pub(crate) namespace: &'a str,
}

impl Kubeconfig<'_> {
    /// Writes the file, readable by its owner only.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let Self {
            server,
            certificate_authority,
            user,
            token,
            namespace,
        } = *self;
        let authority = STANDARD.encode(certificate_authority);
        let document = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{
                "name": "test",
                "cluster": { "server": server, "certificate-authority-data": authority },
            }],
            "users": [{ "name": user, "user": { "token": token } }],
            "contexts": [{
                "name": "test",
                "context": { "cluster": "test", "user": user, "namespace": namespace },
            }],
            "current-context": "test",
        });
        let text = serde_saphyr::to_string(&document)
            .map_err(|error| Error::data("write a kubeconfig", &error))?;
        write_private(path, &text)
    }
}

/// Writes a file that only its owner can read.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<()> {
    OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(Error::io(format!("write {}", path.display())))
}
