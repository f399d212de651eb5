//! Why the server does not start, or does not go on.

use std::net::SocketAddr;
use std::path::PathBuf;

/// What keeps the server from starting.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("{address} can be reached from other machines, and nothing says who may ask")]
    Open { address: SocketAddr },
    #[error("`{}` cannot be read: {why}", file.display())]
    File { file: PathBuf, why: String },
    #[error("`{}` holds no token that could not be guessed", file.display())]
    Token { file: PathBuf, shortest: usize },
    #[error("the certificate of `{}` cannot be used: {why}", file.display())]
    Certificate { file: PathBuf, why: String },
    #[error("{address} cannot be listened on: {why}")]
    Listen { address: SocketAddr, why: String },
    #[error("the socket that systemd hands over cannot be used: {why}")]
    Handed { why: String },
    #[error("the server cannot be started: {0}")]
    Start(#[from] std::io::Error),
}

impl ServeError {
    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::Open { .. } => "write a token into a file (`openssl rand -hex 32 > token`) and give --token-file, or ask for \
                 certificates with --tls-cert, --tls-key and --client-ca; or listen on 127.0.0.1"
                .to_owned(),
            Self::File { .. } => "check its path and its rights".to_owned(),
            Self::Token { shortest, .. } => format!(
                "write one token a line, each of {shortest} characters or more: `openssl rand -hex 32 > token`"
            ),
            Self::Certificate { .. } => {
                "give PEM files: --tls-cert with the certificate and those that lead to its root, --tls-key with its key".to_owned()
            }
            Self::Handed { .. } => {
                "have one socket in its unit, with ListenStream=ADDRESS:PORT".to_owned()
            }
            Self::Listen { .. } => "name another address with --listen".to_owned(),
            Self::Start(_) => "check how many threads and files this user may have open".to_owned(),
        }
    }
}
