//! A lease for a Rust application, kept by a thread of its own.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use tokio::sync::oneshot;

use super::admission::{Admission, AdmissionRequest, admit};
use super::clock::Moment;
use super::deadline::Terms;
use super::error::LeaseError;
use super::keeper::{Ended, Keeper, KeeperHandle};
use super::session_name::session_name;
use super::tenure::{Loss, Tenure};
use crate::database::Target;
use crate::model::{Declaration, InstanceState, Version};
use crate::project::Project;

type OnLost = Box<dyn FnOnce(&Loss) + Send>;

/// What a lease is asked for with.
#[must_use = "nothing is registered before `acquire`"]
pub struct LeaseBuilder {
    database_url: String,
    service: String,
    label: String,
    instance: Option<String>,
    project: Option<PathBuf>,
    pending: Vec<Declaration>,
    lease: Option<Duration>,
    renew: Option<Duration>,
    stop_timeout: Duration,
    on_lost: Option<OnLost>,
}

impl LeaseBuilder {
    /// How others see this process; by default the host's name and the process number.
    pub fn instance(mut self, instance: impl Into<String>) -> Self {
        self.instance = Some(instance.into());
        self
    }

    /// The directory of `migrate.toml`: its migrations are known before they are applied, and its
    /// aliases and the terms of its leases hold.
    pub fn project(mut self, directory: impl Into<PathBuf>) -> Self {
        self.project = Some(directory.into());
        self
    }

    /// Migrations that the application knows, and the database perhaps not yet.
    pub fn pending(mut self, declarations: Vec<Declaration>) -> Self {
        self.pending.extend(declarations);
        self
    }

    /// How long a lease lasts; ten minutes by default.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = Some(lease);
        self
    }

    /// How often it is renewed; every ten seconds by default.
    pub fn renew(mut self, renew: Duration) -> Self {
        self.renew = Some(renew);
        self
    }

    /// How long stopping may take after a loss; ten seconds by default, and a quarter of the lease at most.
    pub fn stop_timeout(mut self, stop_timeout: Duration) -> Self {
        self.stop_timeout = stop_timeout;
        self
    }

    /// What happens instead of a SIGTERM to this process when the lease is lost. It runs on a thread
    /// of its own. Unless the lease is released or the process has ended in time, a SIGKILL follows.
    pub fn on_lost(mut self, callback: impl FnOnce(&Loss) + Send + 'static) -> Self {
        self.on_lost = Some(Box::new(callback));
        self
    }

    /// Registers the instance. On any async runtime.
    ///
    /// # Errors
    /// [`LeaseError::Refused`] where the version may not start now, and whatever keeps the database
    /// from being reached or used.
    pub async fn acquire(mut self) -> Result<Lease, LeaseError> {
        let (ready, acquired) = oneshot::channel();
        let on_lost = self.on_lost.take();
        // A thread and a runtime of its own: those of the application may be busy or blocked just
        // when the lease has to be renewed.
        std::thread::Builder::new()
            .name("phasegate-lease".into())
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build();
                match runtime {
                    Ok(runtime) => runtime.block_on(self.hold(ready, on_lost)),
                    // The receiver waits for exactly this.
                    Err(error) => drop(ready.send(Err(error.into()))),
                }
            })?;
        acquired.await.map_err(|_| LeaseError::NotHeld)?
    }

    /// Asks for the lease, answers through `ready`, and holds it until it is released.
    async fn hold(
        mut self,
        ready: oneshot::Sender<Result<Lease, LeaseError>>,
        on_lost: Option<OnLost>,
    ) {
        let instance = self.instance.get_or_insert_with(this_process);
        let session_name = session_name(&self.service, &self.label, instance);
        let (keeper, handle, tenure) = match self.admitted().await {
            Ok(admitted) => admitted,
            Err(error) => {
                // Whoever asked may not wait any more.
                let _ = ready.send(Err(error));
                return;
            }
        };
        let lease = Lease {
            handle: handle.clone(),
            tenure: Arc::clone(&tenure),
            session_name,
        };
        if ready.send(Ok(lease)).is_err() {
            // Nobody waits for it, so nobody has begun to use the database.
            let keeping = tokio::spawn(keeper.run());
            report_failure(handle.release().await);
            let _ = keeping.await;
            return;
        }
        drop(handle);
        watch_over(keeper, &tenure, on_lost).await;
    }

    async fn admitted(self) -> Result<(Keeper, KeeperHandle, Arc<Tenure>), LeaseError> {
        let stop_timeout = self.stop_timeout;
        let (target, request) = self.request()?;
        let terms = Terms::new(request.lease, request.renew, stop_timeout)?;
        match admit(&target, &request).await? {
            Admission::Admitted { id, asked_at, .. } => {
                let tenure = Arc::new(Tenure::new(terms, asked_at));
                let (keeper, handle) = Keeper::new(target, request, id, Arc::clone(&tenure));
                Ok((keeper, handle, tenure))
            }
            Admission::Refused(decision) => Err(LeaseError::Refused(Box::new(decision))),
        }
    }

    fn request(self) -> Result<(Target, AdmissionRequest), LeaseError> {
        let target = Target::parse(&self.database_url, &std::env::current_dir()?)?;
        let mut pending = self.pending;
        let (mut lease, mut renew) = (Terms::DEFAULT_LEASE, Terms::DEFAULT_RENEW);
        let mut placed = None;
        if let Some(directory) = &self.project {
            let project =
                Project::load(directory, Some(&self.database_url)).map_err(LeaseError::Project)?;
            (lease, renew) = (project.config.fleet.lease, project.config.fleet.renew);
            placed = project.config.place(&self.service, &self.label).version;
            let declarations = project.migrations.into_iter();
            pending.extend(declarations.map(|migration| migration.declaration));
        }
        let version: Version = match placed {
            Some(version) => version,
            None => self.label.parse()?,
        };
        let request = AdmissionRequest {
            service: self.service,
            label: self.label,
            version,
            instance: self.instance.unwrap_or_else(this_process),
            lease: self.lease.unwrap_or(lease),
            renew: self.renew.unwrap_or(renew),
            state: InstanceState::Serving,
            pending,
        };
        Ok((target, request))
    }
}

/// How a process calls itself where nobody named it.
fn this_process() -> String {
    let host = rustix::system::uname();
    format!(
        "{}-{}",
        host.nodename().to_string_lossy(),
        std::process::id()
    )
}

fn report_failure(released: Result<(), LeaseError>) {
    if let Err(error) = released {
        tracing::warn!("the lease could not be released and counts until it runs out: {error}");
    }
}

/// Keeps a lease, and stops this process where that fails.
async fn watch_over(keeper: Keeper, tenure: &Tenure, on_lost: Option<OnLost>) {
    let keeping = keeper.run();
    tokio::pin!(keeping);
    let mut abandoned = false;
    let mut on_lost = Some(on_lost.unwrap_or_else(|| Box::new(terminate)));
    loop {
        // Invariant: the deadline comes before anything else. It may be long after the last look.
        let now = Moment::now();
        let held = tenure.look(now);
        if let Some(loss) = held.loss {
            if now >= held.deadline.kill_at() {
                tracing::error!("killing this process: it did not stop in time");
                signal_self(Signal::KILL);
            } else if let Some(callback) = on_lost.take() {
                // It may block, and must not keep the kill from coming.
                let told = std::thread::Builder::new()
                    .name("phasegate-lost".into())
                    .spawn(move || callback(&loss));
                if told.is_err() {
                    signal_self(Signal::TERM);
                }
            }
        }
        tokio::select! {
            ended = &mut keeping, if !abandoned => match ended {
                Ended::Released => return,
                Ended::Abandoned => {
                    abandoned = true;
                    let left = tenure.failed("it was dropped and not released".into(), now);
                    tracing::warn!(
                        "a lease was dropped and not released: if this process goes on, it is stopped in {} s",
                        left.as_secs()
                    );
                }
            },
            () = tokio::time::sleep(tenure.nap(now, None)) => {}
        }
    }
}

fn terminate(loss: &Loss) {
    tracing::error!(help = loss.help(), "stopping this process: {loss}");
    signal_self(Signal::TERM);
}

fn signal_self(signal: Signal) {
    if let Err(error) = rustix::process::kill_process(rustix::process::getpid(), signal) {
        tracing::error!("cannot stop this process: {error}");
    }
}

/// The right of this process to use the database, at the version that it named.
///
/// A thread of its own renews it. When it cannot be kept, that thread ends the process in time:
/// SIGTERM (or [`LeaseBuilder::on_lost`]) first, SIGKILL at the deadline. Hold it as long as the
/// process uses the database, then [release](Self::release) it.
///
/// Dropping it without a release stops the renewals. The version then counts as live until the
/// lease ends, and a process that goes on beyond that is stopped like after any other loss.
///
/// ```no_run
/// # async fn run() -> Result<(), phasegate::lease::LeaseError> {
/// let lease = phasegate::Lease::builder("sqlite://shop.db", "web", env!("CARGO_PKG_VERSION"))
///     .instance("server-1")
///     .acquire()
///     .await?;
/// while lease.is_valid() {
///     // one unit of work
/// #   break;
/// }
/// lease.draining().await?;
/// lease.release().await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "the lease is held only as long as this value is"]
#[derive(Debug)]
pub struct Lease {
    handle: KeeperHandle,
    tenure: Arc<Tenure>,
    session_name: String,
}

impl Lease {
    /// Begins to ask for a lease: the version is that of the application, for instance
    /// `env!("CARGO_PKG_VERSION")`.
    pub fn builder(
        database_url: impl Into<String>,
        service: impl Into<String>,
        version: impl Into<String>,
    ) -> LeaseBuilder {
        LeaseBuilder {
            database_url: database_url.into(),
            service: service.into(),
            label: version.into(),
            instance: None,
            project: None,
            pending: Vec::new(),
            lease: None,
            renew: None,
            stop_timeout: Terms::DEFAULT_STOP_TIMEOUT,
            on_lost: None,
        }
    }

    /// Whether another unit of work may begin. Only looks at the clock: it can be asked often, and is
    /// right even in a process that stood still.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        let now = Moment::now();
        self.tenure.look(now).is_valid_at(now)
    }

    /// What this process should call its database sessions (`application_name` of PostgreSQL): then a look at the
    /// database shows whose they are, and none of them holds up a contract as somebody who never registered.
    #[must_use]
    pub fn session_name(&self) -> &str {
        &self.session_name
    }

    /// Resolves when the process has to stop using the database, and says why. Never resolves after a
    /// release.
    pub async fn lost(&self) -> Loss {
        let mut changes = self.tenure.subscribe();
        loop {
            if let Some(loss) = changes.borrow_and_update().loss.clone() {
                return loss;
            }
            if changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Says that this instance is finishing its work. It keeps its lease.
    ///
    /// # Errors
    /// [`LeaseError::NotHeld`] after a loss.
    pub async fn draining(&self) -> Result<(), LeaseError> {
        self.handle.draining().await
    }

    /// Ends the lease: from here this process may not use the database.
    ///
    /// # Errors
    /// Whatever keeps the database from being told within a few seconds; the version then counts as
    /// live until the lease runs out by itself.
    pub async fn release(self) -> Result<(), LeaseError> {
        self.handle.release().await
    }
}
