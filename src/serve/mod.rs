//! `migrate serve`: the gate over HTTP, metrics, and a page.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `query`, `flagger`, `review`, `reply`, `openapi` | pure: what is asked, and what is answered |
//! | `desk` | threads that look things up, each over a kept connection |
//! | `watch`, `files` | what was seen last, and the project's files as they are now |
//! | `guard`, `tls`, `socket`, `door` | who may ask; where it listens; connections and their bounds |
//! | `newer` | pure: what is said of a version that the files do not reach |
//! | `admission` | lets pods in, and registers them |
//! | `certificate` | one for the webhook's server, where nothing else makes one |
//! | `policy`, `lists` | pure: the same for a cluster without a server, as far as a list can say it; and how that list is renewed |
//! | `notices`, `notifier` | pure: what somebody has to be told; and who posts it |
//! | `metrics`, `label`, `page` | what was seen last, for a program and for a person |
//! | `router` | which path is answered by whom |
//!
//! Invariant: nothing here decides: every answer is that of [`crate::ask`], or of the door. Nothing is written but the leases of what is admitted. What could not be answered has a
//! status that nobody takes for a yes. `docs/serve.md` tells what it is for.

mod admission;
mod certificate;
mod desk;
mod door;
mod error;
mod files;
mod flagger;
mod guard;
mod label;
mod lists;
mod metrics;
mod newer;
mod notices;
mod notifier;
mod openapi;
mod page;
mod policy;
mod query;
mod reply;
mod review;
mod router;
mod socket;
mod tls;
mod watch;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::database::Target;
use crate::interrupt::Interrupt;
use crate::project::{NotifyConfig, Occasion, Project};
use sd_notify::NotifyState;

pub use certificate::{Certificates, certificates};
pub use error::ServeError;
pub use lists::Policies;
pub use policy::{PolicyError, PolicySettings, policy, words as policy_words};
pub use tls::TlsFiles;

use desk::{Desk, Terms};
use door::Door;
use files::Files;
use guard::Guard;
use metrics::Metrics;
use notifier::Notifier;
use router::Room;
use watch::Watcher;

/// How long a connection to the database is kept. That its server is the one which others follow is asked again by each question.
const KEEP: Duration = Duration::from_secs(30);

/// What it posts to those whom `[notify]` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notifies {
    Everything,
    /// What it refuses itself: of that no other server knows.
    OwnRefusals,
    Nothing,
}

impl Notifies {
    /// Those who are told of something, each with what it is told of.
    fn told(self, named: &[NotifyConfig]) -> Vec<NotifyConfig> {
        let mut told = named.to_vec();
        for one in &mut told {
            one.on.retain(|occasion| match self {
                Self::Everything => true,
                Self::OwnRefusals => *occasion == Occasion::Refused,
                Self::Nothing => false,
            });
        }
        told.retain(|one| !one.on.is_empty());
        told
    }
}

/// What a server answers from, and to whom.
pub struct Settings {
    pub project: Project,
    pub root: PathBuf,
    /// As it was given beside the files.
    pub database_url: Option<String>,
    pub target: Target,
    pub listen: SocketAddr,
    pub token_file: Option<PathBuf>,
    pub tls: Option<TlsFiles>,
    /// How many questions are looked up at once.
    pub askers: usize,
    /// How long an answer may take.
    pub timeout: Duration,
    /// For how long what the admission webhook lets in counts as live; `None` if there is none.
    pub admits_for: Option<Duration>,
    pub notifies: Notifies,
    /// How often the page and the metrics look.
    pub every: Duration,
    pub interrupt: Interrupt,
}

/// Serves until it is interrupted. `ready` is told where it listens.
///
/// # Errors
/// What keeps it from starting.
pub fn run(settings: Settings, ready: impl FnOnce(SocketAddr)) -> Result<(), ServeError> {
    let certificates = settings.tls.as_ref();
    let certificates = certificates.is_some_and(|files| files.client_ca.is_some());
    let guard = Guard::new(settings.token_file, certificates)?;
    let is_open = |address: SocketAddr| !guard.asks() && !address.ip().is_loopback();
    if is_open(settings.listen) {
        return Err(ServeError::Open {
            address: settings.listen,
        });
    }
    let listener = socket::open(settings.listen)?;
    let address = listener.local_addr()?;
    if is_open(address) {
        return Err(ServeError::Open { address });
    }
    let tls = settings.tls.as_ref().map(tls::config).transpose()?;
    // Two threads are enough for what only reads and writes; what looks things up has its own.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let desk = Desk::open(&Terms {
        target: settings.target.clone(),
        askers: settings.askers,
        keep: KEEP,
        limit: settings.timeout,
    })?;
    let told = settings.notifies.told(&settings.project.config.notify);
    let files = Arc::new(Files::new(
        settings.project,
        settings.root,
        settings.database_url,
    ));
    let interrupt = settings.interrupt;
    runtime.block_on(async {
        let door = Door::open(listener, tls)?;
        let seen = Watcher {
            files: Arc::clone(&files),
            target: settings.target,
            every: settings.every,
            limit: settings.timeout,
        }
        .start()?;
        let notifier = Notifier::start(told, seen.clone())?;
        let (close, closing) = tokio::sync::watch::channel(false);
        let room = Room {
            desk,
            files,
            guard,
            seen,
            metrics: Metrics::new(),
            notifier,
            timeout: settings.timeout,
            every: settings.every,
            admits_for: settings.admits_for,
            closing: closing.clone(),
        };
        let serving = tokio::spawn(door.serve(router::router(room), closing));
        ready(address);
        socket::tell(NotifyState::Ready);
        interrupt.due().await;
        socket::tell(NotifyState::Stopping);
        let _ = close.send(true);
        let _ = serving.await;
        Ok(())
    })
}
