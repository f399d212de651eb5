//! The migrations and fleets that are checked. Between them they hold every action and every fault.

use phasegate::gate::BlockerKind as B;
use phasegate::model::{Rows, Step, Sync};

use super::rows::Statement;
use super::scenario::{Scenario, declaration, usage};
use super::state::Left;

/// Whether the long check was asked for.
fn is_long() -> bool {
    std::env::var("PHASEGATE_CHECK").is_ok_and(|value| value == "long")
}

/// A bound: this many, and as many more in the long check.
fn most(short: u8, more: u8) -> u8 {
    if is_long() { short + more } else { short }
}

/// 1.0 knows the old format, 1.1 both, 1.2 the new one, and triggers keep both in step.
pub fn a_rollout_in_step() -> Scenario {
    let web = usage(["<1.2.0", ">=1.1.0"], ["<1.2.0", ">=1.1.0"]);
    let declaration = declaration("0001_a", Sync::Both, Rows::Mutable, &[("web", web)]);
    let fleet = [("web", "1.0.0"), ("web", "1.1.0"), ("web", "1.2.0")];
    Scenario {
        left: Left {
            writes: 2,
            inserts: 1,
            admissions: most(3, 1),
            crashes: 1,
            runs: most(3, 1),
            takeovers: 1,
            ..Left::default()
        },
        reaches: &[
            "the contract is reached",
            "a rollback after the backfill succeeds",
            "a write falls between two batches",
        ],
        blockers: &[
            B::LiveVersion,
            B::ExpandFirst,
            B::BackfillFirst,
            B::OldFormatGone,
        ],
        rows: 2,
        ..Scenario::new("a rollout in step", declaration, &fleet)
    }
}

/// Reading moves in 1.2, writing in 1.1 and 1.3, and nothing keeps the formats in step.
pub fn a_rollout_of_four_releases() -> Scenario {
    let web = usage(["<1.2.0", ">=1.2.0"], ["<1.3.0", ">=1.1.0"]);
    let declaration = declaration("0001_a", Sync::None, Rows::Mutable, &[("web", web)]);
    let fleet = [
        ("web", "1.0.0"),
        ("web", "1.1.0"),
        ("web", "1.2.0"),
        ("web", "1.3.0"),
    ];
    Scenario {
        left: Left {
            writes: most(3, 1),
            inserts: 1,
            admissions: most(4, 1),
            runs: most(3, 1),
            ..Left::default()
        },
        statement: Statement::Overwrites,
        reaches: &["the contract is reached", "a rollback undoes the backfill"],
        blockers: &[B::UnreadableRows, B::DataLoss],
        ..Scenario::new("a rollout of four releases", declaration, &fleet)
    }
}

/// One version goes before the next comes; rows change, and nothing keeps the formats in step.
pub fn one_after_the_other() -> Scenario {
    let web = usage(["<1.2.0", ">=1.1.0"], ["<1.2.0", ">=1.1.0"]);
    let declaration = declaration("0001_a", Sync::None, Rows::Mutable, &[("web", web)]);
    let fleet = [("web", "1.0.0"), ("web", "1.1.0"), ("web", "1.2.0")];
    Scenario {
        left: Left {
            writes: 3,
            inserts: 1,
            admissions: most(4, 1),
            runs: 3,
            crashes: most(0, 1),
            ..Left::default()
        },
        statement: Statement::Overwrites,
        reaches: &[
            "the contract is reached",
            "whoever came when the one before had gone may come again",
        ],
        blockers: &[B::LiveVersion, B::UnreadableRows],
        ..Scenario::new("one after the other", declaration, &fleet)
    }
}

/// 1.0, 1.1 and 1.2 as above without triggers, on rows that are never changed.
pub fn rows_that_are_only_added() -> Scenario {
    let web = usage(["<1.2.0", ">=1.1.0"], ["<1.2.0", ">=1.1.0"]);
    let declaration = declaration("0001_a", Sync::None, Rows::AppendOnly, &[("web", web)]);
    let fleet = [("web", "1.0.0"), ("web", "1.1.0"), ("web", "1.2.0")];
    Scenario {
        left: Left {
            writes: 2,
            inserts: 2,
            admissions: 3,
            crashes: 1,
            drains: 1,
            runs: most(4, 1),
            takeovers: 1,
            ..Left::default()
        },
        reaches: &[
            "the contract is reached",
            "a rollback undoes the backfill",
            "a fence is left up by the dead",
            "a lease outlives its process",
        ],
        blockers: &[B::Requirement],
        ..Scenario::new("rows that are only added", declaration, &fleet)
    }
}

/// Two coordinators, of which each may be taken for dead in the middle of everything.
pub fn coordinators_that_take_over() -> Scenario {
    let web = usage(["<1.1.0", ">=1.1.0"], ["<1.1.0", ">=1.1.0"]);
    let declaration = declaration("0001_a", Sync::Both, Rows::Mutable, &[("web", web)]);
    let fleet = [("web", "1.0.0"), ("web", "1.1.0")];
    Scenario {
        left: Left {
            writes: 1,
            admissions: 2,
            runs: most(5, 1),
            takeovers: 2,
            restarts: 1,
            ..Left::default()
        },
        coordinators: 2,
        steps: Step::ALL.to_vec(),
        reaches: &[
            "the contract is reached",
            "expand is taken back",
            "two coordinators believe to be the one",
        ],
        ..Scenario::new("coordinators that take over", declaration, &fleet)
    }
}

/// Clocks a hundredth too slow and too fast, processes that stand still, answers that come late or never.
pub fn leases_under_drifting_clocks() -> Scenario {
    let web = usage(["<1.1.0", ">=1.1.0"], ["<1.1.0", ">=1.1.0"]);
    let declaration = declaration("0001_a", Sync::Both, Rows::Mutable, &[("web", web)]);
    let fleet = [("web", "1.0.0"), ("web", "1.1.0")];
    let mut scenario = Scenario {
        left: Left {
            ticks: most(5, 1),
            writes: 1,
            admissions: 2,
            crashes: 1,
            pauses: 1,
            renewals: most(1, 1),
            restarts: 1,
            runs: 3,
            ..Left::default()
        },
        watches_leases: true,
        reaches: &[
            "the contract is reached",
            "a process sleeps past the end of its lease",
            "a lease outlives its process",
        ],
        ..Scenario::new("leases under drifting clocks", declaration, &fleet)
    };
    scenario.slots[0].rate = 990;
    scenario.slots[1].rate = 1010;
    scenario
}

/// A worker that never registers, known only from a source that fails and lags.
pub fn two_services_and_a_source() -> Scenario {
    let web = usage(["<1.1.0", ">=1.1.0"], ["<1.1.0", ">=1.1.0"]);
    let worker = usage(["<2.1.0", ">=2.0.0"], ["<2.1.0", ">=2.0.0"]);
    let services = [("web", web), ("worker", worker)];
    let declaration = declaration("0001_a", Sync::Both, Rows::Mutable, &services);
    let fleet = [
        ("web", "1.0.0"),
        ("web", "1.1.0"),
        ("worker", "1.0.0"),
        ("worker", "2.1.0"),
    ];
    let mut scenario = Scenario {
        left: Left {
            writes: 1,
            admissions: 3,
            runs: 4,
            turns: most(2, 1),
            takeovers: 1,
            ..Left::default()
        },
        in_statements: true,
        min_instances: [("web".to_owned(), 1)].into(),
        reaches: &["the contract is reached"],
        blockers: &[B::Source, B::MissingInstances],
        ..Scenario::new("two services and a source", declaration, &fleet)
    };
    scenario.slots[2].unregistered = true;
    scenario
}

/// Nobody knows whether 1.1.0-rc.1 holds the code before 1.1.0 or that of 1.1.0.
pub fn a_prerelease() -> Scenario {
    let web = usage(["<1.1.0", ">=1.1.0"], ["<1.1.0", ">=1.1.0"]);
    let declaration = declaration("0001_a", Sync::Both, Rows::Mutable, &[("web", web)]);
    let fleet = [("web", "1.0.0"), ("web", "1.1.0-rc.1"), ("web", "1.1.0")];
    Scenario {
        left: Left {
            writes: 2,
            admissions: 3,
            runs: 3,
            ..Left::default()
        },
        reaches: &["the contract is reached"],
        ..Scenario::new("a prerelease", declaration, &fleet)
    }
}

/// Everything that stands in the way and does not come up elsewhere: nothing is ever contracted here.
pub fn what_stands_in_the_way() -> Scenario {
    let web = usage(["-", "-"], ["<2.0.0", ">=1.1.0"]);
    let worker = usage(["-", ">=2.0.0"], ["<3.0.0", ">=3.0.0"]);
    let lister = usage(["-", "-"], ["-", "*"]);
    let services = [("web", web), ("worker", worker), ("lister", lister)];
    let declaration = declaration("0001_a", Sync::None, Rows::Mutable, &services);
    let mut neighbour = declaration.clone();
    neighbour.id = "0002_b".parse().expect("a migration's name");
    let fleet = [
        ("web", "1.0.0"),
        ("web", "1.1.0"),
        ("lister", "1.0.0"),
        ("worker", "2.0.0"),
        ("worker", "1.0.0"),
    ];
    let mut scenario = Scenario {
        left: Left {
            writes: 2,
            inserts: 1,
            admissions: 3,
            runs: 2,
            ..Left::default()
        },
        neighbours: vec![neighbour],
        soak: Some(std::time::Duration::from_secs(60)),
        blockers: &[B::Soak, B::Incompatible, B::Order, B::UnplacedVersion],
        ..Scenario::new("what stands in the way", declaration, &fleet)
    };
    scenario.slots[4].unregistered = true;
    scenario.slots[4].placed = false;
    scenario
}

/// One service writes only the new format while another still writes only the old one: rows of which nobody knows
/// which side is right.
pub fn both_sides_written() -> Scenario {
    let web = usage(["-", "-"], ["<2.0.0", ">=1.1.0"]);
    let lister = usage(["-", "-"], ["-", "*"]);
    let services = [("web", web), ("lister", lister)];
    let declaration = declaration("0001_a", Sync::None, Rows::Mutable, &services);
    let fleet = [("web", "1.0.0"), ("web", "1.1.0"), ("lister", "1.0.0")];
    Scenario {
        left: Left {
            writes: 3,
            inserts: 1,
            admissions: 3,
            runs: 2,
            ..Left::default()
        },
        blockers: &[B::UndecidableRows],
        ..Scenario::new("both sides written", declaration, &fleet)
    }
}

/// Expand is undone, behind a fence of its own.
pub fn a_way_back() -> Scenario {
    let web = usage(["<1.2.0", ">=1.1.0"], ["<1.2.0", ">=1.1.0"]);
    let declaration = declaration("0002_b", Sync::None, Rows::AppendOnly, &[("web", web)]);
    let fleet = [("web", "1.0.0"), ("web", "1.1.0"), ("web", "1.2.0")];
    Scenario {
        left: Left {
            writes: 1,
            inserts: 1,
            admissions: 3,
            runs: most(4, 1),
            takeovers: 1,
            ..Left::default()
        },
        steps: Step::ALL.to_vec(),
        reaches: &["expand is taken back"],
        blockers: &[B::WrongPhase],
        ..Scenario::new("a way back", declaration, &fleet)
    }
}

/// Expand runs without a transaction: versions start and write between its statements.
pub fn statement_by_statement() -> Scenario {
    let web = usage(["<1.2.0", ">=1.1.0"], ["<1.2.0", ">=1.1.0"]);
    let mut declaration = declaration("0001_a", Sync::Both, Rows::Mutable, &[("web", web)]);
    declaration.parts.backfill = false;
    let fleet = [("web", "1.0.0"), ("web", "1.1.0"), ("web", "1.2.0")];
    Scenario {
        left: Left {
            writes: 2,
            inserts: 1,
            admissions: 3,
            runs: most(3, 1),
            takeovers: 1,
            ..Left::default()
        },
        steps: vec![Step::Expand, Step::Contract],
        in_statements: true,
        reaches: &["the contract is reached"],
        blockers: &[B::NoSuchPhase],
        ..Scenario::new("statement by statement", declaration, &fleet)
    }
}
