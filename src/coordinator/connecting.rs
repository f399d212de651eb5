//! Connecting to the project's database, by what the connection is for.

use std::time::Duration;

use crate::database::{
    Asks, ConnectOptions, Connection, DatabaseError, LockTimeout, Owners, Target,
};
use crate::fleet;
use crate::interrupt::Interrupt;
use crate::ledger::{Ledger, LedgerError};
use crate::project::Project;

/// How long a question waits for whoever writes to an embedded database.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To answer a question.
    Ask,
    /// To act on a database that is there: an embedded one that is not is a mistyped path.
    Act,
    /// To act, and to make an embedded database that is not there: it is that of a new project.
    Begin,
    /// To record what is there already, in a ledger that tells of nothing yet.
    Adopt,
}

/// Connects to the project's database, with what stops the statements there.
///
/// # Errors
/// Whatever keeps it from being reached.
pub async fn connect(
    project: &Project,
    target: &Target,
    purpose: Purpose,
    interrupt: Interrupt,
) -> Result<Box<dyn Connection>, DatabaseError> {
    connect_as(project, target, purpose, (Owners::Trusted, interrupt)).await
}

/// As [`connect`], for whoever writes down what a look has shown and nothing else: the ledger may be somebody
/// else's, as it is for an instance.
///
/// # Errors
/// As of [`connect`].
pub async fn connect_to_record(
    project: &Project,
    target: &Target,
    interrupt: Interrupt,
) -> Result<Box<dyn Connection>, DatabaseError> {
    connect_as(project, target, Purpose::Ask, (Owners::One, interrupt)).await
}

async fn connect_as(
    project: &Project,
    target: &Target,
    purpose: Purpose,
    (owners, interrupt): (Owners, Interrupt),
) -> Result<Box<dyn Connection>, DatabaseError> {
    let config = &project.config.database;
    let defaults = ConnectOptions::default();
    let (asks, busy_timeout) = match purpose {
        Purpose::Act | Purpose::Begin | Purpose::Adopt => (Asks::No, config.busy_timeout),
        Purpose::Ask => (Asks::Yes, config.busy_timeout.min(LONGEST_WAIT)),
    };
    let options = ConnectOptions {
        busy_timeout,
        create: purpose == Purpose::Begin,
        lock_limit: Some(config.lock_timeout),
        owners,
        interrupt,
        asks,
        ..defaults
    };
    crate::database::connect(target, options).await
}

/// A transaction on the ledger for whoever is no coordinator, by the rules of the project.
pub(super) async fn writing<'c>(
    project: &Project,
    connection: &'c mut dyn Connection,
) -> Result<Ledger<'c>, LedgerError> {
    let mut ledger = Ledger::write(connection).await?;
    ledger.judge_by(&fleet::lease_rules(&project.config));
    let limit = LockTimeout(project.config.database.lock_timeout);
    ledger.connection().await?.limit_lock_waits(limit).await?;
    Ok(ledger)
}
