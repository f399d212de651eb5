//! How long the planner takes, and how that grows with what is asked.
//!
//! `cargo bench --bench planner` prints one table. The planner is pure: there are no files and no database. Every row is
//! measured in turns with the smallest problem of its group, so that a busy machine slows both; nothing is asserted of the
//! times. Without `--bench` everything is small and runs only to see that it works.

#[path = "support/table.rs"]
mod table;

use std::time::{Duration, Instant};

use phasegate::model::{
    Declaration, Fill, Live, MigrationState, Parts, Rows, Schema, Sync, Touched, Usage, Version,
};
use phasegate::planner::{Problem, plan};
use table::Table;

/// How large a problem is.
#[derive(Clone, Copy)]
struct Size {
    migrations: u64,
    services: u64,
    /// Of each service, the first one live and the last one wanted.
    releases: u64,
    /// How many services each migration names.
    named: u64,
    way: Way,
}

#[derive(Clone, Copy, PartialEq)]
enum Way {
    Open,
    /// The last migration has rows that change and no sync: it leaves no way.
    Blocked,
}

/// What the planner is made for; each group changes one thing about it.
const USUAL: Size = Size {
    migrations: 100,
    services: 10,
    releases: 5,
    named: 2,
    way: Way::Open,
};

fn main() {
    let is_whole = std::env::args().any(|argument| argument == "--bench");
    let rounds = if is_whole { 21 } else { 1 };
    let mut table = Table::new("one plan, by migrations, services, releases of each service");
    let of = |sizes: &[u64], size: fn(u64) -> Size| -> Vec<Size> {
        sizes.iter().map(|number| size(*number)).collect()
    };
    let groups = [
        of(&[10, 50, 100, 200], |migrations| Size {
            migrations,
            ..USUAL
        }),
        of(&[2, 5, 10, 20], |services| Size { services, ..USUAL }),
        of(&[3, 5, 10, 20], |releases| Size { releases, ..USUAL }),
        of(&[1, 2, 3, 10], |named| Size { named, ..USUAL }),
        of(&[10, 50, 100, 200], |migrations| Size {
            migrations,
            way: Way::Blocked,
            ..USUAL
        }),
    ];
    for sizes in groups {
        let sizes = if is_whole { &sizes[..] } else { &sizes[..1] };
        group(sizes, rounds, &mut table);
    }
    let large = |named: u64| -> Vec<Size> {
        let each = [100, 300, 1000].into_iter();
        each.map(|migrations| Size {
            migrations,
            services: 30,
            releases: 10,
            named,
            way: Way::Open,
        })
        .collect()
    };
    if is_whole {
        for named in [2, 10, 30] {
            group(&large(named), 3, &mut table);
        }
    }
    table.print();
}

/// The sizes in turns, the first of them the peer of the others.
fn group(sizes: &[Size], rounds: usize, table: &mut Table) {
    let problems: Vec<Problem> = sizes.iter().map(|size| problem(*size)).collect();
    let mut times = vec![Vec::new(); sizes.len()];
    let mut found = vec![String::new(); sizes.len()];
    // One round to warm up.
    for round in 0..=rounds {
        for (at, problem) in problems.iter().enumerate() {
            let (took, what) = measure(problem);
            if round > 0 {
                times[at].push(took);
            }
            found[at] = what;
        }
    }
    for (at, size) in sizes.iter().enumerate() {
        let Size {
            migrations,
            services,
            releases,
            named,
            ..
        } = size;
        let label = format!("{migrations} × {services} × {releases}, {named} in each");
        if at == 0 {
            table.peer(&label, &found[at], &times[at]);
        } else {
            table.row(&label, &found[at], &times[at], &times[0]);
        }
    }
}

fn measure(problem: &Problem) -> (Duration, String) {
    let began = Instant::now();
    let answer = plan(problem);
    let took = began.elapsed();
    let what = match answer {
        Ok(plan) => {
            let proof = if plan.is_shortest { "" } else { ", not proven" };
            format!(
                "{} steps, {} rollouts{proof}",
                plan.steps.len(),
                plan.rollouts()
            )
        }
        Err(none) => format!(
            "none, {} blockers, {} ways out",
            none.blockers.len(),
            none.ways_out.len()
        ),
    };
    (took, what)
}

fn problem(size: Size) -> Problem {
    let last = size.releases - 1;
    let all = |minors: std::ops::Range<u64>| -> Vec<Live> {
        let each = (0..size.services).flat_map(|at| minors.clone().map(move |minor| (at, minor)));
        each.map(|(at, minor)| Live {
            service: service(at),
            version: Version::new(1, minor, 0),
        })
        .collect()
    };
    let states =
        (0..size.migrations).map(|number| MigrationState::pending(declaration(number, size)));
    Problem {
        schema: Schema::new(states.collect()),
        live: all(0..1),
        releases: all(1..last),
        goal: (0..size.services)
            .map(|at| (service(at), Version::new(1, last, 0)))
            .collect(),
    }
}

fn service(number: u64) -> String {
    format!("service{number:02}")
}

/// Every third migration needs no bridge, the others need one, of all the services that they name.
fn declaration(number: u64, size: Size) -> Declaration {
    let bridge = number % (size.releases - 2) + 1;
    let is_blocked = size.way == Way::Blocked && number + 1 == size.migrations;
    let (sync, rows, backfill) = match number % 3 {
        _ if is_blocked => (Sync::None, Rows::Mutable, true),
        0 => (Sync::Both, Rows::Mutable, true),
        1 => (Sync::None, Rows::AppendOnly, true),
        _ => (Sync::Both, Rows::Mutable, false),
    };
    let range = |text: String| Some(text.parse().expect("a range"));
    let touched = Touched {
        old: range(format!("<1.{}.0", bridge + 1)),
        new: range(format!(">=1.{bridge}.0")),
    };
    let usage = Usage {
        reads: touched.clone(),
        writes: touched,
    };
    // Neighbours differ from one migration to the next, so that all services hang together.
    let named = (0..size.named.min(size.services))
        .map(|at| service((number + at * (1 + number % 3)) % size.services));
    Declaration {
        id: format!("{:04}_change", number + 1).parse().expect("an id"),
        description: String::new(),
        services: named.map(|name| (name, usage.clone())).collect(),
        sync,
        rows,
        parts: Parts {
            expand: true,
            backfill,
            contract: true,
            revert: false,
        },
        fill: Fill::Unsaid,
    }
}
