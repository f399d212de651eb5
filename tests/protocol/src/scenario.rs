//! What is checked: a migration, a fleet, and how often what may happen.

use std::collections::BTreeMap;
use std::time::Duration;

use phasegate::gate::BlockerKind;
use phasegate::model::{
    Behaviour, Declaration, Fill, Parts, Rows, Step, Sync, Touched, Usage, Version,
};

use super::judge::Judge;
use super::mutation::Mutation;
use super::rows::Statement;
use super::state::Left;

/// An instance that may run, over and over.
pub struct Slot {
    pub service: &'static str,
    pub version: Version,
    /// What its code really does: one of these, known to nobody.
    pub behaviours: Vec<Behaviour>,
    /// Thousandths of true time by which its machine's clock advances.
    pub rate: u64,
    /// Runs from the start and never registers; the source beside the leases sees it.
    pub unregistered: bool,
    /// Whether that source's name for its version can be placed.
    pub placed: bool,
}

pub struct Scenario {
    pub name: &'static str,
    /// As it really is.
    pub declaration: Declaration,
    /// As the protocol sees it: the same, but for a mutation.
    pub believed: Declaration,
    /// Other migrations of the project, of which nothing is applied.
    pub neighbours: Vec<Declaration>,
    pub slots: Vec<Slot>,
    pub min_instances: BTreeMap<String, u64>,
    /// How long no old version may have been seen before a contract.
    pub soak: Option<Duration>,
    pub rows: usize,
    pub statement: Statement,
    /// The steps that coordinators try.
    pub steps: Vec<Step>,
    pub coordinators: usize,
    /// Whether expand and contract run statement by statement.
    pub in_statements: bool,
    /// Whether the answers to admissions take their time.
    pub watches_leases: bool,
    pub left: Left,
    /// What has to be reached.
    pub reaches: &'static [&'static str],
    pub blockers: &'static [BlockerKind],
    pub mutation: Mutation,
    pub judge: Judge,
}

/// A range of versions in words, or none for `-`.
fn touched(old: &str, new: &str) -> Touched {
    let range = |text: &str| (text != "-").then(|| text.parse().expect("a range of versions"));
    Touched {
        old: range(old),
        new: range(new),
    }
}

/// Which versions read and write the old and the new format.
pub fn usage(reads: [&str; 2], writes: [&str; 2]) -> Usage {
    Usage {
        reads: touched(reads[0], reads[1]),
        writes: touched(writes[0], writes[1]),
    }
}

/// A migration with all of its phases.
pub fn declaration(id: &str, sync: Sync, rows: Rows, services: &[(&str, Usage)]) -> Declaration {
    Declaration {
        id: id.parse().expect("a migration's name"),
        description: String::new(),
        services: services
            .iter()
            .map(|(name, usage)| ((*name).to_owned(), usage.clone()))
            .collect(),
        sync,
        rows,
        parts: Parts {
            expand: true,
            backfill: true,
            contract: true,
            revert: true,
        },
        // Whatever the backfill has to do, it does.
        fill: Fill::Checked,
    }
}

impl Scenario {
    /// One coordinator, no fault, and nothing that happens: to be added to.
    pub fn new(
        name: &'static str,
        declaration: Declaration,
        fleet: &[(&'static str, &str)],
    ) -> Self {
        let slots = fleet
            .iter()
            .map(|(service, version)| {
                let version: Version = version.parse().expect("a version");
                Slot {
                    service,
                    behaviours: declaration.behaviours(service, &version),
                    version,
                    rate: 1000,
                    unregistered: false,
                    placed: true,
                }
            })
            .collect();
        Self {
            name,
            believed: declaration.clone(),
            declaration,
            neighbours: Vec::new(),
            slots,
            min_instances: BTreeMap::new(),
            soak: None,
            rows: 1,
            statement: Statement::FillsOnly,
            steps: vec![Step::Expand, Step::Backfill, Step::Contract],
            coordinators: 1,
            in_statements: false,
            watches_leases: false,
            left: Left::default(),
            reaches: &[],
            blockers: &[],
            mutation: Mutation::None,
            judge: Judge::default(),
        }
    }

    /// The same with a protocol that does one thing wrongly.
    pub fn with(mut self, mutation: Mutation) -> Self {
        self.mutation = mutation;
        if mutation == Mutation::KindsNotClosed {
            self.believed.rows = Rows::AppendOnly;
        }
        self
    }
}
