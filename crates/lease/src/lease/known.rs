//! What a project says about a lease: its files are read above, by whoever has them.

use std::sync::Arc;
use std::time::Duration;

use super::error::LeaseError;
use super::past::History;
use crate::database::{Dialect, Made, PasswordSource};
use crate::ledger::LeaseRules;
use crate::model::{Declaration, LeaseConnection, MigrationId, Version};

/// For whom a project is asked.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Of its database.
    pub dialect: Dialect,
    pub service: &'a str,
    /// The version as the instance calls it.
    pub label: &'a str,
}

/// What a project answers. What it does not say stays as it is by default.
#[derive(Debug, Default)]
pub struct Known {
    pub lease: Option<Duration>,
    pub renew: Option<Duration>,
    pub connection: Option<LeaseConnection>,
    pub password: Option<PasswordSource>,
    /// The database of its own in which its ledger is.
    pub ledger: Option<String>,
    /// Which version the label means, where the project places it.
    pub version: Option<Version>,
    /// Its sources other than the leases.
    pub sources: Vec<String>,
    /// How long an instance of the service has to have stayed.
    pub min_ready: Option<Duration>,
    pub rules: LeaseRules,
    /// Its migrations.
    pub pending: Vec<Declaration>,
    /// The newest migration of which it has files; `None` if it has none.
    pub newest: Option<MigrationId>,
    /// The history of another migration tool that carries out steps of it.
    pub history: Option<Arc<dyn History>>,
    /// What their expands make, where their scripts are known.
    pub made: Vec<(MigrationId, Made)>,
}

/// Asks a project, when a lease is asked for.
pub(super) type Learn = Arc<dyn Fn(Asked<'_>) -> Result<Known, LeaseError> + Send + Sync>;
