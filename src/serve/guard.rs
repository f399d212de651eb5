//! Who may ask: whoever holds a token, or a certificate that was asked for. On the loopback alone, everybody on the machine.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::{HeaderMap, Uri};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

use super::error::ServeError;
use crate::database::read_small;

/// A token that is shorter can be guessed.
const SHORTEST: usize = 16;
/// How long a token file is believed before it is read again.
const BELIEVED: Duration = Duration::from_secs(1);

/// A client's certificate, as the connection has shown it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Client {
    Unknown,
    /// Its certificate was signed by one of those that `--client-ca` names.
    Certified,
}

/// Decides who may ask.
pub(super) struct Guard {
    tokens: Option<Tokens>,
    /// Whether certificates are asked for.
    certificates: bool,
}

/// What a request is answered with that may not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turned {
    /// It shows neither a token nor a certificate.
    Away,
    /// It came to an address of this machine under a name of somebody else: a web page that a browser here shows.
    Elsewhere,
}

impl Guard {
    pub(super) fn new(token_file: Option<PathBuf>, certificates: bool) -> Result<Self, ServeError> {
        let tokens = token_file.map(Tokens::read).transpose()?;
        Ok(Self {
            tokens,
            certificates,
        })
    }

    /// Whether anything is asked of a client.
    pub(super) const fn asks(&self) -> bool {
        self.tokens.is_some() || self.certificates
    }

    pub(super) fn admit(
        &self,
        uri: &Uri,
        headers: &HeaderMap,
        client: Client,
    ) -> Result<(), Turned> {
        if !self.asks() {
            let named = headers.get(HOST).map(|host| host.to_str().unwrap_or("?"));
            let named = named.or_else(|| uri.authority().map(|authority| authority.as_str()));
            return match named {
                Some(name) if !is_of_this_machine(name) => Err(Turned::Elsewhere),
                _ => Ok(()),
            };
        }
        let shown = headers.get(AUTHORIZATION).and_then(|value| {
            let value = value.to_str().ok()?;
            token(value)
        });
        let holds_a_token = match (&self.tokens, &shown) {
            (Some(tokens), Some(shown)) => tokens.are_shown(shown),
            _ => false,
        };
        if holds_a_token || (self.certificates && client == Client::Certified) {
            Ok(())
        } else {
            Err(Turned::Away)
        }
    }
}

/// The token of an `Authorization` header: as a bearer or, for a browser that asks for one, as the password of anybody.
fn token(header: &str) -> Option<String> {
    let (scheme, value) = header.split_once(' ')?;
    let value = value.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(value.to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(value).ok()?).ok()?;
    let (_, password) = decoded.split_once(':')?;
    Some(password.to_owned())
}

/// `localhost`, or an address: no name that somebody else could have made lead here.
fn is_of_this_machine(authority: &str) -> bool {
    let name = match authority.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => authority,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || name.parse::<std::net::IpAddr>().is_ok()
}

/// The tokens of a file, one a line, so that a new one can be handed out before the old one is taken away.
struct Tokens {
    file: PathBuf,
    known: Mutex<Known>,
}

struct Known {
    /// Of each token only its hash is kept.
    hashes: Vec<[u8; 32]>,
    read: Instant,
}

impl Tokens {
    fn read(file: PathBuf) -> Result<Self, ServeError> {
        let hashes = hashes(&file)?;
        Ok(Self {
            file,
            known: Mutex::new(Known {
                hashes,
                read: Instant::now(),
            }),
        })
    }

    /// Whether this is one of them; in a time that does not tell how much of it is right.
    fn are_shown(&self, shown: &str) -> bool {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.read.elapsed() >= BELIEVED {
            known.read = Instant::now();
            // Of a file that cannot be read nothing is believed.
            known.hashes = hashes(&self.file).unwrap_or_else(|error| {
                tracing::warn!("nobody is let in by a token: {error}");
                Vec::new()
            });
        }
        let shown = Sha256::digest(shown.as_bytes());
        let is_one = known.hashes.iter().fold(Choice::from(0), |found, hash| {
            found | hash.as_slice().ct_eq(shown.as_slice())
        });
        is_one.into()
    }
}

fn hashes(file: &Path) -> Result<Vec<[u8; 32]>, ServeError> {
    let text = read_small(file).map_err(|error| ServeError::File {
        file: file.to_owned(),
        why: error.to_string(),
    })?;
    let tokens = text.lines().map(str::trim);
    let tokens: Vec<&str> = tokens.filter(|token| !token.is_empty()).collect();
    if tokens.is_empty() || tokens.iter().any(|token| token.len() < SHORTEST) {
        return Err(ServeError::Token {
            file: file.to_owned(),
            shortest: SHORTEST,
        });
    }
    let hashes = tokens.into_iter().map(|token| Sha256::digest(token).into());
    Ok(hashes.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: axum::http::HeaderName, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        headers
    }

    fn admitted(guard: &Guard, authorization: &str) -> bool {
        let headers = headers(AUTHORIZATION, authorization);
        let uri = Uri::from_static("/");
        guard.admit(&uri, &headers, Client::Unknown).is_ok()
    }

    #[test]
    fn a_token_is_shown_whole() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("token");
        std::fs::write(&file, "0123456789abcdef\nfedcba9876543210\n").unwrap();
        let guard = Guard::new(Some(file.clone()), false).unwrap();
        assert!(admitted(&guard, "Bearer 0123456789abcdef"));
        assert!(admitted(&guard, "bearer fedcba9876543210"));
        let basic = STANDARD.encode("anybody:0123456789abcdef");
        assert!(admitted(&guard, &format!("Basic {basic}")));
        for wrong in [
            "",
            "Bearer",
            "Bearer ",
            "Bearer 0123456789abcde",
            "Bearer 0123456789abcdef0",
            "Bearer 0123456789abcdef\tx",
            "Basic 0123456789abcdef",
            "Digest 0123456789abcdef",
        ] {
            assert!(!admitted(&guard, wrong), "{wrong}");
        }
        let uri = Uri::from_static("/");
        let none = HeaderMap::new();
        assert_eq!(guard.admit(&uri, &none, Client::Unknown), Err(Turned::Away));
        // Nobody asked for a certificate.
        assert_eq!(
            guard.admit(&uri, &none, Client::Certified),
            Err(Turned::Away)
        );
        std::fs::write(&file, "short\n").unwrap();
        assert!(Guard::new(Some(file.clone()), false).is_err());
        std::fs::write(&file, "\n").unwrap();
        assert!(Guard::new(Some(file), false).is_err());
        assert!(Guard::new(Some(directory.path().join("none")), false).is_err());
    }

    #[test]
    fn on_this_machine_alone_nobody_asks_under_another_name() {
        let guard = Guard::new(None, false).unwrap();
        let uri = Uri::from_static("/");
        for (host, is_fine) in [
            ("localhost:8787", true),
            ("LOCALHOST", true),
            ("127.0.0.1:8787", true),
            ("[::1]:8787", true),
            ("evil.example:8787", false),
            ("localhost.evil.example", false),
            ("", false),
        ] {
            let admitted = guard.admit(&uri, &headers(HOST, host), Client::Unknown);
            assert_eq!(admitted.is_ok(), is_fine, "{host}");
        }
    }
}
