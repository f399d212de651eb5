//! Where a server listens: at an address, or at the socket that systemd has opened for it.
//!
//! Invariant: who may ask is judged by where it really listens.

use std::net::{SocketAddr, TcpListener};

use listenfd::ListenFd;
use sd_notify::NotifyState;

use super::error::ServeError;

/// Takes the socket of systemd where there is one, and opens one where there is none.
///
/// # Errors
/// An address that cannot be listened at, and a socket that is none of TCP.
pub(super) fn open(address: SocketAddr) -> Result<TcpListener, ServeError> {
    let handed = ListenFd::from_env().take_tcp_listener(0);
    let failed = |error: std::io::Error| ServeError::Listen {
        address,
        why: error.to_string(),
    };
    match handed {
        // What is started from here does not inherit it.
        Ok(Some(listener)) => Ok(listener),
        Ok(None) => TcpListener::bind(address).map_err(failed),
        Err(error) => Err(ServeError::Handed {
            why: error.to_string(),
        }),
    }
}

/// Tells systemd, where it wants to know. Nobody waits for a server that cannot say so.
pub(super) fn tell(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(false, &[state]) {
        tracing::warn!("systemd could not be told: {error}");
    }
}
