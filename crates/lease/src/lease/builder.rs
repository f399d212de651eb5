//! How an application asks for its lease.

use std::fmt;
use std::sync::mpsc;
use std::sync::{Arc, atomic::Ordering};
use std::time::Duration;

use tokio::sync::oneshot;

use super::admission::{Admission, AdmissionRequest};
use super::blocking::block_on;
use super::credentials::password_of_environment;
use super::deadline::Terms;
use super::embedded::Embedded;
use super::error::LeaseError;
use super::held::Lease;
use super::keeper::{Ended, Keeper, KeeperHandle};
use super::known::{Asked, Known, Learn};
use super::loss::{AtLoss, OnLoss};
use super::patience::{Patience, admit_within, target_within};
use super::session_name::session_name;
use super::stopper::{self, Said, Watched};
use super::tenure::{Loss, Tenure};
#[cfg(feature = "test")]
use super::test::Control;
use crate::database::{Database, PasswordSource, Target};
use crate::model::{Declaration, InstanceState, LeaseConnection, Version};
use crate::process::Sign;

/// What a lease is asked for with. A clone asks for a lease of its own with the same.
///
/// ```no_run
/// use std::time::Duration;
/// use phasegate_lease::{AtLoss, Lease, LeaseBuilder, LeaseConnection, LeaseError, PasswordSource};
///
/// fn asked(url: &str) -> LeaseBuilder {
///     Lease::builder(url, "web", "1.2.0")
///         .instance("web-1")
///         .lease(Duration::from_secs(300))
///         .renew(Duration::from_secs(20))
///         .stop_timeout(Duration::from_secs(5))
///         .connection(LeaseConnection::Kept)
///         .password(PasswordSource::File("/run/secrets/db".into()))
/// }
///
/// async fn hold(url: &str) -> Result<Lease, LeaseError> {
///     // A database that comes up later is waited for, and so is a phase that is being changed.
///     asked(url).at_loss(AtLoss::Terminate).acquire_within(Duration::from_secs(60)).await
/// }
///
/// /// In a program without an async runtime.
/// fn hold_blocking(url: &str) -> Result<Lease, LeaseError> {
///     asked(url).on_lost(|loss| std::process::exit(loss.exit_code().into())).acquire_blocking()
/// }
///
/// /// Where the ledger has a database of its own (MySQL, MariaDB).
/// fn beside(url: &str) -> LeaseBuilder {
///     asked(url).ledger("shop_phasegate")
/// }
/// ```
#[must_use = "nothing is registered before `acquire`"]
#[derive(Clone)]
pub struct LeaseBuilder {
    database: Database,
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
    /// How long an answer that may pass is waited for, and the database; `None` where it is asked once.
    wait: Option<Duration>,
    #[cfg(feature = "test")]
    control: Option<Control>,
}

/// Without anything that could be a password.
impl fmt::Debug for LeaseBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeaseBuilder")
            .field("database", &self.database)
            .field("service", &self.service)
            .field("version", &self.label)
            .field("instance", &self.instance)
            .finish_non_exhaustive()
    }
}

impl LeaseBuilder {
    pub(super) fn new(database: Database, service: String, label: String) -> Self {
        Self {
            database,
            service,
            label,
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
            wait: None,
            #[cfg(feature = "test")]
            control: None,
        }
    }

    /// How others see this process; by default the host's name and the process number.
    pub fn instance(mut self, instance: impl Into<String>) -> Self {
        self.instance = Some(instance.into());
        self
    }

    /// What a project says is asked of `learn`, when the lease is asked for; what is said here wins.
    #[doc(hidden)]
    pub fn knowing(
        mut self,
        learn: impl Fn(Asked<'_>) -> Result<Known, LeaseError> + Send + Sync + 'static,
    ) -> Self {
        self.learn = Some(Arc::new(learn));
        self
    }

    /// The migrations that the application was built with: they are known before the database knows them, and no file is read
    /// when it starts. What its `migrate.toml` said of leases holds as well, where nothing else is said here.
    ///
    /// ```text
    /// Lease::builder(url, "web", env!("CARGO_PKG_VERSION")).embedded(phasegate_lease::embedded!())
    /// ```
    pub fn embedded(self, embedded: Embedded) -> Self {
        self.knowing(move |asked| embedded.known(asked))
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
    pub fn on_lost(mut self, callback: impl Fn(&Loss) + Send + Sync + 'static) -> Self {
        self.on_loss = OnLoss::Call(Arc::new(callback));
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
    /// What a function of the application says is asked by [`Database::asked`].
    pub fn password(mut self, source: PasswordSource) -> Self {
        self.password = Some(source);
        self
    }

    /// The database of its own in which the ledger is, as `ledger` in `migrate.toml` and in the URL (MySQL, MariaDB).
    pub fn ledger(mut self, database: impl Into<String>) -> Self {
        self.ledger = Some(database.into());
        self
    }

    /// The lease that is acquired is one without a database, which a test controls.
    #[cfg(feature = "test")]
    pub fn controlled_by(mut self, control: &Control) -> Self {
        self.control = Some(control.clone());
        self
    }

    /// Registers the instance. On any async runtime. If it is given up before it is done, nothing is held.
    ///
    /// # Errors
    /// [`LeaseError::Refused`] where the version may not start now, and whatever keeps the database
    /// from being reached or used.
    #[cfg_attr(
        not(feature = "test"),
        expect(unused_mut, reason = "only a test takes something out of it")
    )]
    pub async fn acquire(mut self) -> Result<Lease, LeaseError> {
        #[cfg(feature = "test")]
        if let Some(control) = self.control.take() {
            return control.answer(self);
        }
        self.acquire_really().await
    }

    /// As [`Self::acquire`], and where what stands against it may pass by itself, such as a database that cannot be reached yet
    /// or a phase that is just being changed, asks again for so long.
    ///
    /// # Errors
    /// As of [`Self::acquire`]; what stood against it at last.
    pub async fn acquire_within(mut self, limit: Duration) -> Result<Lease, LeaseError> {
        self.wait = Some(limit);
        self.acquire().await
    }

    /// As [`Self::acquire`], for a program without an async runtime. The thread waits.
    ///
    /// # Errors
    /// As of [`Self::acquire`].
    pub fn acquire_blocking(self) -> Result<Lease, LeaseError> {
        block_on(self.acquire())
    }

    async fn acquire_really(mut self) -> Result<Lease, LeaseError> {
        let (ready, acquired) = oneshot::channel();
        let on_loss = std::mem::take(&mut self.on_loss);
        let stopper = stopper::start()?;
        // A thread and a runtime of its own: those of the application may be busy or blocked just
        // when the lease has to be renewed.
        std::thread::Builder::new()
            .name("phasegate-lease".into())
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build();
                match runtime {
                    Ok(runtime) => {
                        runtime.block_on(self.hold(ready, on_loss, &stopper));
                        // What the application was asked may never answer.
                        runtime.shutdown_background();
                    }
                    // The receiver waits for exactly this.
                    Err(error) => drop(ready.send(Err(error.into()))),
                }
            })?;
        let lease: Lease = acquired.await.map_err(|_| LeaseError::NotHeld)??;
        // It may have waited here for longer than it lasts, where the application's runtime was blocked.
        if !lease.is_valid() {
            return Err(LeaseError::NotHeld);
        }
        lease.delivery().store(true, Ordering::Release);
        Ok(lease)
    }

    /// Asks for the lease, answers through `ready`, and holds it until it is released.
    async fn hold(
        mut self,
        mut ready: oneshot::Sender<Result<Lease, LeaseError>>,
        on_loss: OnLoss,
        stopper: &mpsc::Sender<Said>,
    ) {
        let instance = self.instance.get_or_insert_with(this_process);
        let session_name = session_name(&self.service, &self.label, instance);
        let service = self.service.clone();
        let (keeper, handle, tenure) = match self.admitted(&mut ready).await {
            Ok(admitted) => admitted,
            Err(error) => {
                // Whoever asked may not wait any more.
                let _ = ready.send(Err(error));
                return;
            }
        };
        let (_running, over) = mpsc::channel();
        let sign = Sign::put_up(&session_name);
        let lease = Lease::of(handle, Arc::clone(&tenure), (session_name, sign), over);
        let watched = Watched {
            service,
            tenure,
            on_loss,
            delivered: Arc::clone(lease.delivery()),
        };
        // Invariant: nobody has a lease whose end stops nobody.
        if stopper.send(Said::Admitted(Box::new(watched))).is_err() {
            let _ = ready.send(Err(LeaseError::NotHeld));
            drop(lease);
            keeper.run().await;
            return;
        }
        // Where nobody waits for it any more, or it is not received although it was sent, it is dropped, and so released.
        drop(ready.send(Ok(lease)));
        if keeper.run().await == Ended::Released {
            // It waits for nothing else.
            let _ = stopper.send(Said::Released);
        }
    }

    async fn admitted(
        self,
        ready: &mut oneshot::Sender<Result<Lease, LeaseError>>,
    ) -> Result<(Keeper, KeeperHandle, Arc<Tenure>), LeaseError> {
        super::under_agent::check(&self.service)?;
        let (stop_timeout, wait) = (self.stop_timeout, self.wait);
        let mut patience = Patience::new(wait, ready);
        let target = target_within(self.database.clone(), &mut patience).await?;
        let (target, request, between) = self.request(target)?;
        let terms = Terms::new(request.lease, request.renew, stop_timeout)?;
        let (admission, connection) = admit_within(&target, &request, wait, &mut patience).await?;
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

    fn request(
        self,
        mut target: Target,
    ) -> Result<(Target, AdmissionRequest, LeaseConnection), LeaseError> {
        let known = match self.learn {
            Some(learn) => learn(Asked {
                dialect: target.dialect(),
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
            unread: Vec::new(),
            brought: known.newest,
            made: known.made,
            history: known.history,
            sources: known.sources,
            rules: known.rules,
        };
        Ok((target, request, connection))
    }

    #[cfg(feature = "test")]
    pub(super) fn into_asker(self) -> Asker {
        Asker {
            service: self.service,
            label: self.label,
            instance: self.instance.unwrap_or_else(this_process),
            on_loss: self.on_loss,
        }
    }
}

/// Who asks for a lease under test.
#[cfg(feature = "test")]
pub(super) struct Asker {
    pub service: String,
    pub label: String,
    pub instance: String,
    pub on_loss: OnLoss,
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
