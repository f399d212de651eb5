//! Connections: accepted, bounded in number and in time, encrypted where that is asked for, and ended in order.
//!
//! Invariant: whatever a client does or leaves undone, its connection ends: headers have their time, a request has its own (see
//! [`super::router`]), and a connection as a whole has one as well, so that nobody who reads slowly keeps one for good.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::error::ServeError;
use super::guard::Client;

/// For the headers of a request; also how long a kept connection may be silent.
const HEADERS: Duration = Duration::from_secs(10);
/// For the handshake of an encrypted connection.
const HANDSHAKE: Duration = Duration::from_secs(5);
const BOUNDS: Bounds = Bounds {
    life: Duration::from_secs(60),
    last_request: Duration::from_secs(10),
};
/// Of all headers of a request together.
const LONGEST_HEAD: usize = 32 * 1024;
/// Connections at once, as far as the system allows that many files.
const MOST: u64 = 16_384;
/// Files that are left for everything else.
const OTHER_FILES: u64 = 200;

/// How long a connection lasts.
#[derive(Clone, Copy)]
struct Bounds {
    /// After this it ends with the request that it is at.
    life: Duration,
    /// For the requests that are at work when the server is stopped, or a connection has had its time.
    last_request: Duration,
}

/// What listens, and how.
pub(super) struct Door {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
}

impl Door {
    /// Takes what listens already; within the runtime.
    pub(super) fn open(
        listener: std::net::TcpListener,
        tls: Option<Arc<rustls::ServerConfig>>,
    ) -> Result<Self, ServeError> {
        listener.set_nonblocking(true)?;
        Ok(Self {
            listener: TcpListener::from_std(listener)?,
            tls: tls.map(TlsAcceptor::from),
        })
    }

    /// Lets clients in until `closing` is true, and then waits for the requests that are at work.
    pub(super) async fn serve(self, router: Router, mut closing: watch::Receiver<bool>) {
        let places = usize::try_from(most_connections()).unwrap_or(usize::MAX);
        let places = Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS)));
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = self.accept(&places) => accepted,
                _ = closing.wait_for(|closing| *closing) => break,
            };
            // What has ended is forgotten.
            while connections.try_join_next().is_some() {}
            let Some((stream, place)) = accepted else {
                continue;
            };
            let (router, tls, closing) = (router.clone(), self.tls.clone(), closing.clone());
            connections.spawn(async move {
                let _place = place;
                welcome(stream, tls, router, closing).await;
            });
        }
        drop(self.listener);
        let ended = async { while connections.join_next().await.is_some() {} };
        if timeout(BOUNDS.last_request + Duration::from_secs(1), ended)
            .await
            .is_err()
        {
            tracing::warn!("requests that did not end in their time were left");
        }
    }

    async fn accept(
        &self,
        places: &Arc<Semaphore>,
    ) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
        let place = Arc::clone(places).acquire_owned().await.ok()?;
        match self.listener.accept().await {
            Ok((stream, _)) => {
                let _ = stream.set_nodelay(true);
                Some((stream, place))
            }
            Err(error) => {
                // As many files are open as may be, or the client has gone already.
                tracing::warn!("a connection could not be accepted: {error}");
                sleep(Duration::from_millis(100)).await;
                None
            }
        }
    }
}

/// As many as there may be open files, which is asked to be as high as it can.
fn most_connections() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let allowed = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    let allowed = allowed.unwrap_or(u64::MAX);
    allowed.saturating_sub(OTHER_FILES).clamp(16, MOST)
}

async fn welcome(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    router: Router,
    closing: watch::Receiver<bool>,
) {
    let Some(tls) = tls else {
        return talk(stream, (Client::Unknown, BOUNDS), router, closing).await;
    };
    match timeout(HANDSHAKE, tls.accept(stream)).await {
        Ok(Ok(stream)) => {
            // The certificate was verified by the handshake.
            let client = match stream.get_ref().1.peer_certificates() {
                Some(_) => Client::Certified,
                None => Client::Unknown,
            };
            talk(stream, (client, BOUNDS), router, closing).await;
        }
        Ok(Err(error)) => tracing::debug!("a handshake failed: {error}"),
        Err(_) => tracing::debug!("a handshake took too long"),
    }
}

async fn talk<S>(
    stream: S,
    (client, bounds): (Client, Bounds),
    router: Router,
    mut closing: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let router = TowerToHyperService::new(router.into_service::<Body>());
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(client);
        router.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .max_buf_size(LONGEST_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return told(ended),
        () = sleep(bounds.life) => {}
        _ = closing.wait_for(|closing| *closing) => {}
    }
    connection.as_mut().graceful_shutdown();
    match timeout(bounds.last_request, connection).await {
        Ok(ended) => told(ended),
        Err(_) => tracing::debug!("a connection was given up"),
    }
}

fn told(ended: Result<(), hyper::Error>) {
    if let Err(error) = ended {
        tracing::debug!("a connection ended: {error}");
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// Long enough that nobody reads it so in the time of a test.
    const LENGTH: usize = 16 * 1024 * 1024;

    #[tokio::test]
    async fn whoever_reads_byte_by_byte_keeps_no_connection_for_good() {
        let router = Router::new().route("/", get(|| async { "x".repeat(LENGTH) }));
        let short = Duration::from_millis(100);
        let bounds = Bounds {
            life: short,
            last_request: short,
        };
        let (_close, closing) = watch::channel(false);
        // As much as lies between the two.
        let (mut client, server) = tokio::io::duplex(64);
        let of = (Client::Unknown, bounds);
        let talking = tokio::spawn(talk(server, of, router, closing));
        let asked = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
        client.write_all(asked).await.unwrap();
        let mut read = 0;
        let mut byte = [0];
        while let Ok(1) = client.read(&mut byte).await {
            read += 1;
            // Slow, and never silent.
            sleep(Duration::from_millis(1)).await;
        }
        assert!(read > 0 && read < LENGTH, "{read}");
        talking.await.unwrap();
    }
}
