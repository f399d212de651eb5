//! The protocol, checked state by state: instances, coordinators and faults in every order, within bounds.
//!
//! What is checked is in `tests/protocol`. `PHASEGATE_CHECK=long` checks larger bounds: minutes instead of seconds.

use std::collections::BTreeSet;

use phasegate::gate::BlockerKind;
use phasegate_protocol::{Mutation, holds, is_caught, locks_out, scenarios};

use crate::support::took;

macro_rules! hold {
    ($($name:ident),+ $(,)?) => {
        $(
            #[test]
            fn $name() {
                took::begins();
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
    // The others are about what the scenarios do not have: files, triggers, sessions, services that nobody names.
    assert_eq!(met, every);
}

#[test]
fn with_kinds_of_versions_that_never_met() {
    took::begins();
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
                took::begins();
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
