//! The protocol, checked state by state: instances, coordinators and faults in every order, within bounds.
//!
//! Each decision in it is made by the function that production calls (`judge.rs`); which of them are made in one
//! transaction, and in which order, is written down once more in `work.rs` and `fleet.rs`. Rows have real contents, so what
//! a reader sees is not judged by the model's own row kinds.
//!
//! `PHASEGATE_CHECK=long` checks larger bounds: minutes instead of seconds.

mod check;
mod fleet;
mod judge;
mod mutation;
mod rows;
mod scenario;
mod scenarios;
mod state;
mod work;

use std::collections::BTreeSet;
use std::time::Instant;

use phasegate::gate::BlockerKind;
use stateright::{Checker as _, HasDiscoveries, Model as _};

use crate::support::took;
use mutation::Mutation;
use scenario::Scenario;

/// Checks every state within the bounds; fails with the shortest way to one that is wrong.
fn holds(scenario: Scenario) {
    took::begins();
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
fn is_caught(scenario: Scenario, breaks: &[&str]) {
    took::begins();
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

macro_rules! hold {
    ($($name:ident),+ $(,)?) => {
        $(
            #[test]
            fn $name() {
                holds(scenarios::$name());
            }
        )+

        /// Every blocker that the scenarios have to meet.
        fn blockers_met() -> BTreeSet<BlockerKind> {
            [$(scenarios::$name()),+]
                .iter()
                .flat_map(|scenario| scenario.blockers)
                .copied()
                .collect()
        }
    };
}

hold!(
    a_rollout_in_step,
    a_rollout_of_four_releases,
    rows_that_are_only_added,
    coordinators_that_take_over,
    leases_under_drifting_clocks,
    two_services_and_a_source,
    a_prerelease,
    a_way_back,
    statement_by_statement,
    what_stands_in_the_way,
    both_sides_written,
    one_after_the_other,
);

#[test]
fn every_kind_of_blocker_is_met() {
    use BlockerKind::*;
    let met: Vec<_> = blockers_met().into_iter().collect();
    let every = [
        LiveVersion,
        ExpandFirst,
        BackfillFirst,
        OldFormatGone,
        UnreadableRows,
        DataLoss,
        UndecidableRows,
        Incompatible,
        Order,
        NoSuchPhase,
        WrongPhase,
        Requirement,
        Soak,
        Source,
        MissingInstances,
        UnplacedVersion,
    ];
    // Nothing in the gate ever gives the other two, UnknownService and Coordinator: they come from the command line.
    assert_eq!(met, every);
}

/// Makes sure that a wrong protocol keeps what has to be possible from ever being so.
fn locks_out(scenario: Scenario, reached: &str) {
    took::begins();
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

#[test]
fn with_kinds_of_versions_that_never_met() {
    locks_out(
        scenarios::one_after_the_other().with(Mutation::KindsAllAtOnce),
        "whoever came when the one before had gone may come again",
    );
}

macro_rules! caught {
    ($($name:ident: $mutation:ident in $scenario:ident breaks $($property:literal),+;)+) => {
        $(
            #[test]
            fn $name() {
                let mutant = scenarios::$scenario().with(Mutation::$mutation);
                is_caught(mutant, &[$($property),+]);
            }
        )+
    };
}

caught! {
    without_a_recheck_behind_the_fence: NoRecheckAfterFence in rows_that_are_only_added breaks "whoever runs finds the formats that it uses";
    with_a_fence_after_the_check: FenceAfterCheck in rows_that_are_only_added breaks "whoever runs finds the formats that it uses";
    with_a_deadline_from_the_reply: DeadlineFromReply in leases_under_drifting_clocks breaks "a holder stops before its lease ends";
    with_leases_that_end_early: LeaseEndsEarly in leases_under_drifting_clocks breaks "a holder stops before its lease ends";
    with_a_prerelease_taken_for_its_release: PrereleaseIsItsRelease in a_prerelease breaks "whoever runs finds the formats that it uses", "whoever runs reads what was written last";
    with_draining_counted_as_gone: DrainingIsGone in rows_that_are_only_added breaks "whoever runs finds the formats that it uses", "nobody who uses a format that is gone is admitted";
    with_kinds_not_closed_under_updates: KindsNotClosed in a_rollout_of_four_releases breaks "whoever runs reads what was written last", "every row is of a kind that may exist";
    with_a_backfill_done_whoever_was_admitted: BackfillDoneRegardless in rows_that_are_only_added breaks "the ledger says what is there", "whoever runs reads what was written last", "backfilled is what a contract can start from";
    with_a_stale_source_counted_as_empty: StaleSourceIsEmpty in two_services_and_a_source breaks "whoever runs finds the formats that it uses";
    without_a_look_at_the_token: TokenUnchecked in coordinators_that_take_over breaks "one coordinator's changes take effect at a time";
    with_a_backfill_begun_unchecked: BackfillBegunUnchecked in rows_that_are_only_added breaks "the ledger says what is there", "whoever runs reads what was written last";
    with_versions_forgotten_that_run_on: LiveForgotten in a_rollout_of_four_releases breaks "every row is of a kind that may exist", "whoever runs reads what was written last";
    with_a_fence_lowered_halfway: LoweredHalfway in two_services_and_a_source breaks "whoever runs finds the formats that it uses", "the ledger says what is there";
    with_everything_excused_that_looks_broken: BrokenExcuses in one_after_the_other breaks "whoever runs reads what was written last";
    with_a_fence_that_goes_back_whoever_came: BackWhoeverCame in rows_that_are_only_added breaks "backfilled is what a contract can start from";
}
