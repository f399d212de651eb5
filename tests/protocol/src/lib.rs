//! The protocol, written down once more for a model checker: instances, coordinators and faults in every order, within
//! bounds. `tests/suite/protocol.rs` says what has to hold, and which wrong protocols have to be caught.
//!
//! Each decision in it is made by the function that production calls (`judge.rs`); which of them are made in one
//! transaction, and in which order, is written down once more in `work.rs` and `fleet.rs`. Rows have real contents, so what
//! a reader sees is not judged by the model's own row kinds.
//!
//! A package of its own because it visits millions of states: built without optimisation, as the tests are, it takes ten
//! times as long.
//!
//! `PHASEGATE_CHECK=long` checks larger bounds: minutes instead of seconds.

mod check;
mod fleet;
mod judge;
mod mutation;
mod rows;
mod scenario;
pub mod scenarios;
mod state;
mod work;

use std::collections::BTreeSet;
use std::time::Instant;

use stateright::{Checker as _, HasDiscoveries, Model as _};

pub use mutation::Mutation;
pub use scenario::Scenario;

/// Checks every state within the bounds; fails with the shortest way to one that is wrong.
#[track_caller]
pub fn holds(scenario: Scenario) {
    let began = Instant::now();
    let name = scenario.name;
    let checker = scenario.checker().threads(2).spawn_bfs().join();
    eprintln!(
        "{name}: {} unique states, {} in all, at most {} steps deep, {:.1} s",
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth(),
        began.elapsed().as_secs_f64()
    );
    // Always-properties have no counterexample, and everything that has to be possible was met.
    checker.assert_properties();
}

/// Makes sure that the checker finds what a wrong protocol leads to.
#[track_caller]
pub fn is_caught(scenario: Scenario, breaks: &[&str]) {
    let (name, mutation) = (scenario.name, scenario.mutation);
    let began = Instant::now();
    let checker = scenario
        .checker()
        .threads(2)
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    let discoveries = checker.discoveries();
    let found: Vec<_> = breaks
        .iter()
        .filter_map(|property| Some((property, discoveries.get(*property)?)))
        .collect();
    eprintln!(
        "{mutation:?} in {name}: {} unique states, {:.1} s, broken: {:?}",
        checker.unique_state_count(),
        began.elapsed().as_secs_f64(),
        discoveries.keys().collect::<BTreeSet<_>>()
    );
    if let Some((_, path)) = found.first() {
        eprintln!("{:?}", (*path).clone().into_actions());
    }
    assert!(
        !found.is_empty(),
        "{mutation:?} was not caught by {breaks:?}"
    );
}

/// Makes sure that a wrong protocol keeps what has to be possible from ever being so.
#[track_caller]
pub fn locks_out(scenario: Scenario, reached: &str) {
    let (name, mutation) = (scenario.name, scenario.mutation);
    let checker = scenario.checker().threads(2).spawn_bfs().join();
    let discoveries = checker.discoveries();
    eprintln!(
        "{mutation:?} in {name}: {} unique states, reached: {:?}",
        checker.unique_state_count(),
        discoveries.keys().collect::<BTreeSet<_>>()
    );
    assert!(
        !discoveries.contains_key(reached),
        "{mutation:?} does not lock out: {reached}"
    );
}
