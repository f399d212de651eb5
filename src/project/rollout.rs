//! The `[rollout]` section, and the driver of one service.

use std::sync::Arc;
use std::time::Duration;

use super::reader::Table;
use super::row::RowOf;
use super::source::Source;
use crate::driver::{Driver, KINDS, Kind};

/// How rollouts are carried out.
#[derive(Clone, Debug)]
pub struct RolloutConfig {
    /// For each service that names none of its own.
    pub driver: Arc<dyn Driver>,
    /// How long each step may take to show in the fleet, or to be allowed.
    pub timeout: Duration,
}

impl Default for RolloutConfig {
    fn default() -> Self {
        Self {
            driver: crate::driver::usual(),
            timeout: Duration::from_mins(30),
        }
    }
}

const LONGEST: Duration = Duration::from_hours(24 * 20);
const EXAMPLE: &str =
    "driver = { kind = \"command\", run = [\"./deploy.sh\", \"{service}\", \"{to}\"] }";
const PLACES: &[(&str, &str)] = &[];

pub(super) fn read(source: &Source, mut table: Table<'_>) -> RolloutConfig {
    let mut config = RolloutConfig::default();
    if let Some(timeout) = table.duration("timeout", LONGEST) {
        config.timeout = timeout.value;
    }
    if let Some(driver) = read_driver(source, &mut table) {
        config.driver = driver;
    }
    table.finish(PLACES);
    config
}

/// The `driver` of a table, if it names one.
pub(super) fn read_driver(source: &Source, table: &mut Table<'_>) -> Option<Arc<dyn Driver>> {
    let mut table = table.table("driver")?;
    if !table.has("kind") {
        table.missing("kind", EXAMPLE);
        return None;
    }
    let kinds: Vec<(&str, &Kind)> = KINDS.iter().map(|kind| (kind.kind, kind)).collect();
    let kind = table.choice("kind", &kinds)?;
    let driver = (kind.read)(&mut RowOf::new(source, &mut table));
    table.finish(PLACES);
    driver
}
