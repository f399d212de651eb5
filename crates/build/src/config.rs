//! The part of `migrate.toml` that an instance has to know: the services, and how their leases are held and judged.

use std::collections::BTreeMap;

use phasegate_model::model::Version;
use serde::{Deserialize, Serialize};

use super::duration::milliseconds;

/// How the leases of a project are held, and who sees its instances besides. What the file does not say is not here.
///
/// ```no_run
/// use phasegate_build::Fleet;
///
/// let fleet: Fleet = phasegate_build::read("migrations".as_ref())?.fleet;
/// println!("a lease lasts {:?} ms, and others are seen by {:?}", fleet.lease_ms, fleet.sources);
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Fleet {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renew_ms: Option<u64>,
    /// `kept` or `short`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection: Option<&'static str>,
    /// What the sources other than the leases are called.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// How long an instance has to have stayed, by its service.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub min_ready_ms: BTreeMap<String, u64>,
    /// The database of its own in which the ledger is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ledger: Option<String>,
}

#[derive(Default, Deserialize)]
pub(super) struct Config {
    #[serde(default)]
    pub migrations: String,
    #[serde(default)]
    pub services: BTreeMap<String, Service>,
    #[serde(default)]
    fleet: FleetTable,
    #[serde(default)]
    database: DatabaseTable,
}

#[derive(Default, Deserialize)]
pub(super) struct Service {
    #[serde(default)]
    pub aliases: BTreeMap<String, Version>,
    min_ready: Option<String>,
}

#[derive(Default, Deserialize)]
struct FleetTable {
    lease: Option<String>,
    renew: Option<String>,
    connection: Option<String>,
    #[serde(default)]
    sources: Vec<SourceTable>,
}

#[derive(Deserialize)]
struct SourceTable {
    kind: String,
    name: Option<String>,
    /// The program of a `command`, with its arguments.
    #[serde(default)]
    run: Vec<String>,
}

#[derive(Default, Deserialize)]
struct DatabaseTable {
    ledger: Option<String>,
}

impl SourceTable {
    /// What reports call it; `None` for the leases.
    fn called(&self) -> Option<String> {
        if self.kind == "leases" {
            return None;
        }
        let program = match self.kind.as_str() {
            "command" => self.run.first(),
            _ => None,
        };
        let file_name =
            program.map(|program| program.rsplit(['/', '\\']).next().unwrap_or(program));
        let usual = file_name.unwrap_or(&self.kind);
        Some(self.name.clone().unwrap_or_else(|| usual.to_owned()))
    }
}

/// What is wrong is said as a sentence about the file.
impl Config {
    pub(super) fn fleet(&self) -> Result<Fleet, String> {
        let table = &self.fleet;
        let lease_ms = some_length("lease", table.lease.as_ref())?;
        let renew_ms = some_length("renew", table.renew.as_ref())?;
        let connection = match table.connection.as_deref() {
            None => None,
            Some("kept") => Some("kept"),
            Some("short") => Some("short"),
            Some(other) => {
                return Err(format!(
                    "has `connection = \"{other}\"`, which can be kept or short"
                ));
            }
        };
        let mut min_ready_ms = BTreeMap::new();
        for (name, service) in &self.services {
            if let Some(least) = length("min_ready", service.min_ready.as_ref())? {
                min_ready_ms.insert(name.clone(), least);
            }
        }
        Ok(Fleet {
            lease_ms,
            renew_ms,
            connection,
            sources: table
                .sources
                .iter()
                .filter_map(SourceTable::called)
                .collect(),
            min_ready_ms,
            ledger: self.database.ledger.clone(),
        })
    }
}

/// As [`length`], and none at all makes no sense.
fn some_length(key: &str, text: Option<&String>) -> Result<Option<u64>, String> {
    match length(key, text)? {
        Some(0) => Err(format!("has a `{key}` of nothing")),
        length => Ok(length),
    }
}

fn length(key: &str, text: Option<&String>) -> Result<Option<u64>, String> {
    let Some(text) = text else { return Ok(None) };
    match milliseconds(text) {
        Some(length) => Ok(Some(length)),
        None => Err(format!(
            "has `{key} = \"{text}\"`, which is read here where it is numbers with units: 500ms, 30s, 10m, 1h 30m or 7d"
        )),
    }
}
