//! A lease for a Rust application, kept by a thread of its own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::admission::{Admission, AdmissionRequest, admit_and_keep};
use super::clock::Moment;
use super::credentials::password_of_environment;
use super::deadline::Terms;
use super::error::LeaseError;
use super::keeper::{Keeper, KeeperHandle};
use super::known::{Asked, Known, Learn};
use super::loss::{AtLoss, OnLoss, watch_over};
use super::session_name::session_name;
use super::tenure::{Loss, Tenure};
use crate::database::{PasswordSource, Target};
use crate::interrupt::Interrupt;
use crate::model::{Declaration, InstanceState, LeaseConnection, Version};
use crate::process::Sign;

/// What a lease is asked for with.
#[must_use = "nothing is registered before `acquire`"]
pub struct LeaseBuilder {
    database_url: String,
    service: String,
    label: String,
    instance: Option<String>,
    learn: Option<Learn>,
    pending: Vec<Declaration>,
    lease: Option<Duration>,
    renew: Option<Duration>,
    stop_timeout: Duration,
    on_loss: OnLoss,
    connection: Option<LeaseConnection>,
    password: Option<PasswordSource>,
    ledger: Option<String>,
}

impl LeaseBuilder {
    /// How others see this process; by default the host's name and the process number.
    pub fn instance(mut self, instance: impl Into<String>) -> Self {
        self.instance = Some(instance.into());
        self
    }

    /// What a project says is asked of `learn`, once, when the lease is asked for; what is said here wins.
    #[doc(hidden)]
    pub fn knowing(
        mut self,
        learn: impl FnOnce(Asked<'_>) -> Result<Known, LeaseError> + Send + 'static,
    ) -> Self {
        self.learn = Some(Box::new(learn));
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
    /// of its own. Unless the lease is released or the process has ended in time, a SIGKILL follows; and if it panics, the
    /// SIGTERM does.
    pub fn on_lost(mut self, callback: impl FnOnce(&Loss) + Send + 'static) -> Self {
        self.on_loss = OnLoss::Call(Box::new(callback));
        self
    }

    /// What is done to this process when the lease is lost, by default [`AtLoss::Terminate`].
    pub fn at_loss(mut self, at_loss: AtLoss) -> Self {
        self.on_loss = match at_loss {
            AtLoss::Terminate => OnLoss::Terminate,
            AtLoss::Report => OnLoss::Report,
        };
        self
    }

    /// Whether the connection to the database is kept between two renewals; by default it is.
    pub fn connection(mut self, connection: LeaseConnection) -> Self {
        self.connection = Some(connection);
        self
    }

    /// What says the password at each login, whatever the URL and the project say: it may change while this process runs.
    pub fn password(mut self, source: PasswordSource) -> Self {
        self.password = Some(source);
        self
    }

    /// The database of its own in which the ledger is, as `ledger` in `migrate.toml` and in the URL (MySQL, MariaDB).
    pub fn ledger(mut self, database: impl Into<String>) -> Self {
        self.ledger = Some(database.into());
        self
    }

    /// Registers the instance. On any async runtime. If it is given up before it is done, nothing is held.
    ///
    /// # Errors
    /// [`LeaseError::Refused`] where the version may not start now, and whatever keeps the database
    /// from being reached or used.
    pub async fn acquire(mut self) -> Result<Lease, LeaseError> {
        let (ready, acquired) = oneshot::channel();
        let on_loss = std::mem::take(&mut self.on_loss);
        // A thread and a runtime of its own: those of the application may be busy or blocked just
        // when the lease has to be renewed.
        std::thread::Builder::new()
            .name("phasegate-lease".into())
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build();
                match runtime {
                    Ok(runtime) => runtime.block_on(self.hold(ready, on_loss)),
                    // The receiver waits for exactly this.
                    Err(error) => drop(ready.send(Err(error.into()))),
                }
            })?;
        let lease: Lease = acquired.await.map_err(|_| LeaseError::NotHeld)??;
        // It may have waited here for longer than it lasts, where the application's runtime was blocked.
        if !lease.is_valid() {
            return Err(LeaseError::NotHeld);
        }
        lease.0.delivered.store(true, Ordering::Release);
        Ok(lease)
    }

    /// Asks for the lease, answers through `ready`, and holds it until it is released.
    async fn hold(mut self, ready: oneshot::Sender<Result<Lease, LeaseError>>, on_loss: OnLoss) {
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
        let (_running, over) = mpsc::channel();
        let delivered = Arc::new(AtomicBool::new(false));
        let lease = Lease(Arc::new(Holding {
            handle,
            tenure: Arc::clone(&tenure),
            _sign: Sign::put_up(&session_name),
            session_name,
            delivered: Arc::clone(&delivered),
            released: AtomicBool::new(false),
            over: Mutex::new(over),
        }));
        // Where nobody waits for it any more, or it is not received although it was sent, it is dropped, and so released.
        drop(ready.send(Ok(lease)));
        watch_over(keeper, &tenure, on_loss, &delivered).await;
    }

    async fn admitted(self) -> Result<(Keeper, KeeperHandle, Arc<Tenure>), LeaseError> {
        let stop_timeout = self.stop_timeout;
        let (target, request, between) = self.request()?;
        let terms = Terms::new(request.lease, request.renew, stop_timeout)?;
        let (admission, connection) =
            admit_and_keep(&target, &request, Interrupt::default()).await?;
        match admission {
            Admission::Admitted { id, asked_at, .. } => {
                let tenure = Arc::new(Tenure::new(terms, asked_at));
                let (keeper, handle) = Keeper::new(target, request, id, Arc::clone(&tenure));
                Ok((keeper.over(between, connection), handle, tenure))
            }
            Admission::Refused(decision) => {
                connection.close().await;
                Err(LeaseError::Refused(Box::new(decision)))
            }
        }
    }

    fn request(self) -> Result<(Target, AdmissionRequest, LeaseConnection), LeaseError> {
        let directory = std::env::current_dir()?;
        let mut target = Target::parse(&self.database_url, &directory)?;
        let known = match self.learn {
            Some(learn) => learn(Asked {
                database_url: &self.database_url,
                service: &self.service,
                label: &self.label,
            })?,
            None => Known::default(),
        };
        if let Some(ledger) = self.ledger.or(known.ledger) {
            target = target.with_ledger(ledger);
        }
        let password = self.password.or_else(password_of_environment);
        if let Some(source) = password.or(known.password) {
            target = target.with_password(source);
        }
        let version: Version = match known.version {
            Some(version) => version,
            None => self.label.parse()?,
        };
        let mut pending = self.pending;
        pending.extend(known.pending);
        let lease = self.lease.or(known.lease).unwrap_or(Terms::DEFAULT_LEASE);
        let renew = self.renew.or(known.renew).unwrap_or(Terms::DEFAULT_RENEW);
        let connection = self.connection.or(known.connection).unwrap_or_default();
        let request = AdmissionRequest {
            service: self.service,
            label: self.label,
            version,
            instance: self.instance.unwrap_or_else(this_process),
            lease,
            renew,
            min_ready: known.min_ready,
            state: InstanceState::Serving,
            pending,
            sources: known.sources,
            rules: known.rules,
        };
        Ok((target, request, connection))
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

/// The right of this process to use the database, at the version that it named.
///
/// A thread of its own renews it. When it cannot be kept, that thread ends the process in time: SIGTERM first, SIGKILL at the
/// deadline; or what [`LeaseBuilder::on_lost`] and [`LeaseBuilder::at_loss`] have chosen. Hold it as long as the process uses
/// the database, then [release](Self::release) it.
///
/// A clone is the same lease. When the last one is dropped, the lease is released as well; the drop waits up to two seconds
/// until the database knows. So drop it when nothing uses the database any more. If it is dropped by a panic, the rest of the
/// process may still do: then that is a [loss](Loss::Panicked), of which everybody is told.
///
/// Giving up [`LeaseBuilder::acquire`], at any moment, leaves nothing behind: what was registered is released.
///
/// ```no_run
/// # async fn run() -> Result<std::process::ExitCode, phasegate_lease::LeaseError> {
/// let lease = phasegate_lease::Lease::builder("sqlite://shop.db", "web", env!("CARGO_PKG_VERSION"))
///     .instance("server-1")
///     .acquire()
///     .await?;
/// while lease.is_valid() {
///     // one unit of work
/// #   break;
/// }
/// lease.draining().await.ok();
/// lease.release().await?;
/// // That a process stopped in good order because its lease was lost does not make it a success.
/// Ok(lease.loss().map_or(0, |loss| loss.exit_code()).into())
/// # }
/// ```
#[must_use = "the lease is held only as long as this value is"]
#[derive(Clone, Debug)]
pub struct Lease(Arc<Holding>);

/// What the clones of a lease share.
#[derive(Debug)]
struct Holding {
    handle: KeeperHandle,
    tenure: Arc<Tenure>,
    session_name: String,
    /// Shows on this machine whose its sessions are.
    _sign: Sign,
    /// Whether this process has it: one that nobody has received yet stops nobody.
    delivered: Arc<AtomicBool>,
    released: AtomicBool,
    /// Disconnected when its thread has ended.
    over: Mutex<Receiver<()>>,
}

impl Holding {
    fn is_released(&self) -> bool {
        self.released.load(Ordering::Acquire)
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        const PATIENCE: Duration = Duration::from_secs(2);
        if self.is_released() {
            return;
        }
        let delivered = self.delivered.load(Ordering::Acquire);
        if delivered && std::thread::panicking() {
            self.tenure.lose(Loss::Panicked, Moment::now());
            return;
        }
        self.handle.begin_release();
        if delivered {
            // The process may be about to end, and its threads with it. Nothing is ever sent: it waits for their end.
            let over = self.over.get_mut().unwrap_or_else(PoisonError::into_inner);
            let _ = over.recv_timeout(PATIENCE);
        }
    }
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
            learn: None,
            pending: Vec::new(),
            lease: None,
            renew: None,
            stop_timeout: Terms::DEFAULT_STOP_TIMEOUT,
            on_loss: OnLoss::Terminate,
            connection: None,
            password: None,
            ledger: None,
        }
    }

    /// Whether another unit of work may begin. Only looks at the clock: it can be asked often, and is
    /// right even in a process that stood still.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        let now = Moment::now();
        !self.0.is_released() && self.0.tenure.look(now).is_valid_at(now)
    }

    /// Why the process has to stop using the database, if it has to.
    #[must_use]
    pub fn loss(&self) -> Option<Loss> {
        if self.0.is_released() {
            // What it was when it was released.
            return self.0.tenure.loss();
        }
        self.0.tenure.look(Moment::now()).loss
    }

    /// What this process should call its database sessions (`application_name` of PostgreSQL): then a look at the
    /// database shows whose they are, and none of them holds up a contract as somebody who never registered.
    #[must_use]
    pub fn session_name(&self) -> &str {
        &self.0.session_name
    }

    /// Resolves when the process has to stop using the database, and says why. Never resolves after a
    /// release.
    pub async fn lost(&self) -> Loss {
        let mut changes = self.0.tenure.subscribe();
        loop {
            let loss = changes.borrow_and_update().loss.clone();
            match loss {
                Some(loss) if !self.0.is_released() => return loss,
                _ => {}
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
        self.0.handle.draining().await
    }

    /// Ends the lease: from here this process may not use the database. To release it again does nothing.
    ///
    /// # Errors
    /// Whatever keeps the database from being told within a few seconds; the version then counts as
    /// live until the lease runs out by itself.
    pub async fn release(&self) -> Result<(), LeaseError> {
        if self.0.released.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        self.0.handle.release().await
    }
}
