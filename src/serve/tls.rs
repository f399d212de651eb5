//! Certificates, from files that may change while the server runs.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;

use super::error::ServeError;

/// How long files are believed before somebody looks whether they have changed.
const BELIEVED: Duration = Duration::from_secs(5);

/// The files that a server is known by, and those that its clients are known by.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The certificate, and those that lead to its root, in PEM.
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// Whose signature makes a client known.
    pub client_ca: Option<PathBuf>,
}

/// What a server's connections are encrypted with.
///
/// # Errors
/// Files that cannot be read, or do not belong together.
pub(super) fn config(files: &TlsFiles) -> Result<Arc<ServerConfig>, ServeError> {
    let provider = Arc::new(default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(&files.certificate, error))?;
    let builder = match &files.client_ca {
        Some(ca) => builder.with_client_cert_verifier(verifier(ca, &provider)?),
        None => builder.with_no_client_auth(),
    };
    let certificate = Reread::new(files, provider)?;
    let mut config = builder.with_cert_resolver(Arc::new(certificate));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn unusable(file: &Path, why: impl ToString) -> ServeError {
    ServeError::Certificate {
        file: file.to_owned(),
        why: why.to_string(),
    }
}

/// One without a certificate is let through to where it may show a token, or ask whether the server is well.
fn verifier(
    ca: &Path,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, ServeError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(ca)? {
        roots
            .add(certificate)
            .map_err(|error| unusable(ca, error))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .allow_unauthenticated()
        .build()
        .map_err(|error| unusable(ca, error))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, ServeError> {
    let read = CertificateDer::pem_file_iter(file).map_err(|error| unusable(file, error))?;
    let read: Result<Vec<_>, _> = read.collect();
    let read = read.map_err(|error| unusable(file, error))?;
    if read.is_empty() {
        return Err(unusable(file, "it holds no certificate"));
    }
    Ok(read)
}

/// A certificate that is read again when its files change. One that cannot be used leaves the one before in its place.
#[derive(Debug)]
struct Reread {
    files: TlsFiles,
    provider: Arc<CryptoProvider>,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    key: Arc<CertifiedKey>,
    changed: [Option<SystemTime>; 2],
    looked: Instant,
}

impl Reread {
    fn new(files: &TlsFiles, provider: Arc<CryptoProvider>) -> Result<Self, ServeError> {
        let changed = changed(files);
        let key = certified(files, &provider)?;
        Ok(Self {
            files: files.clone(),
            provider,
            known: Mutex::new(Known {
                key,
                changed,
                looked: Instant::now(),
            }),
        })
    }

    fn current(&self) -> Arc<CertifiedKey> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.looked.elapsed() >= BELIEVED {
            known.looked = Instant::now();
            let now = changed(&self.files);
            if now != known.changed {
                match certified(&self.files, &self.provider) {
                    Ok(key) => {
                        known.key = key;
                        known.changed = now;
                    }
                    // They are not written at one moment: the next look may find both.
                    Err(error) => tracing::warn!("the certificate stays the one before: {error}"),
                }
            }
        }
        Arc::clone(&known.key)
    }
}

impl ResolvesServerCert for Reread {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

fn changed(files: &TlsFiles) -> [Option<SystemTime>; 2] {
    [&files.certificate, &files.key].map(|file| {
        let metadata = std::fs::metadata(file).ok();
        metadata.and_then(|metadata| metadata.modified().ok())
    })
}

fn certified(files: &TlsFiles, provider: &CryptoProvider) -> Result<Arc<CertifiedKey>, ServeError> {
    let chain = certificates(&files.certificate)?;
    let key =
        PrivateKeyDer::from_pem_file(&files.key).map_err(|error| unusable(&files.key, error))?;
    let key = CertifiedKey::from_der(chain, key, provider);
    Ok(Arc::new(
        key.map_err(|error| unusable(&files.certificate, error))?,
    ))
}
