//! The reasons of the gate: which there are, how `--output json` tells them apart, and where each has its row.

use phasegate::gate::{
    Conflict, FillNeed, FlawEffect, InUse, Incompatible, Missing, NoSuchPhase, Order, Reason,
    Requirement, Sessions, Silence, Suspicion, Unplaced, Unrehearsed, WaitsForFill, WrongPhase,
};

use super::{Elsewhere, databases, evidence, files, schema, versions};

macro_rules! cases {
    ($($(#[$meta:meta])* $case:ident = $kind:literal $(, $field:literal = $value:literal)?;)+) => {
        /// What stands against an action.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Case { $($(#[$meta])* $case),+ }

        impl Case {
            const ALL: &[Self] = &[$(Self::$case),+];

            /// Its kind in `--output json`, and the field of its details that tells it from others of that kind.
            pub const fn as_json(self) -> (&'static str, Option<(&'static str, &'static str)>) {
                match self {
                    $(Self::$case => ($kind, cases!(@field $($field $value)?))),+
                }
            }
        }
    };
    (@field $field:literal $value:literal) => { Some(($field, $value)) };
    (@field) => { None };
}

cases! {
    Uses = "live_version", "conflict" = "uses";
    CannotRead = "live_version", "conflict" = "cannot_read";
    WritesOnlyOld = "live_version", "conflict" = "writes_only_old";
    Leaves = "live_version", "conflict" = "leaves_unreadable";
    Swapped = "contradiction", "suspicion" = "swapped";
    BeginsTooLow = "contradiction", "suspicion" = "begins_too_low";
    HasToOverwrite = "undeclared_fill", "has_to" = "overwrite";
    HasOnlyToFill = "undeclared_fill", "has_to" = "only_fill";
    ExpandFirst = "expand_first";
    BackfillBeforeContract = "backfill_first", "for" = "contract";
    BackfillBeforeStart = "backfill_first", "for" = "start";
    ContractFirst = "contract_first";
    OldFormatGone = "old_format_gone";
    TooOld = "too_old";
    UnreadableRows = "unreadable_rows";
    DataLoss = "data_loss";
    UndecidableRows = "undecidable_rows";
    WithItself = "incompatible", "with" = "itself";
    WithAnother = "incompatible", "with" = "another";
    NoSequence = "incompatible", "with" = "migrations";
    NoOrder = "incompatible", "with" = "services";
    NotAllTried = "incompatible";
    Earlier = "order";
    Later = "order";
    Strict = "order";
    Passed = "order";
    NoMigration = "no_such_phase";
    NoPart = "no_such_phase";
    BeingReverted = "wrong_phase", "phase" = "reverting";
    PastReturn = "wrong_phase", "phase" = "contracted";
    OutOfStep = "out_of_step";
    Remaining = "requirement", "query" = "remaining";
    Check = "requirement", "query" = "check";
    Require = "requirement", "query" = "require";
    Soak = "soak";
    UsedLately = "in_use", "found" = "sent";
    NotWatchedForLongEnough = "in_use", "found" = "not_long_enough";
    UseUnseen = "in_use", "found" = "unseen";
    Needed = "needed";
    NeverRehearsed = "rehearsal", "found" = "never";
    RehearsedOtherFiles = "rehearsal", "found" = "other_files";
    RehearsedInVain = "rehearsal", "found" = "denied";
    Stale = "source", "status" = "stale";
    Failed = "source", "status" = "failed";
    Moved = "source", "status" = "moved";
    Unreachable = "source", "status" = "unreachable";
    LedgerLost = "source", "status" = "lost";
    Settling = "missing_instances";
    Unseen = "missing_instances";
    TooMany = "unplaced_version";
    Label = "unplaced_version";
    Unlisted = "unaccounted_session";
    Unaccounted = "unaccounted_session";
    UnknownService = "unknown_service";
    Hides = "files", "effect" = "hides";
    CannotRun = "files", "effect" = "cannot_run";
    CannotLive = "files", "effect" = "cannot_live";
    ComesBefore = "files", "effect" = "comes_before";
}

/// The case of a reason. A variant that is new needs one, and that its row.
const fn case(reason: &Reason) -> Case {
    match reason {
        Reason::LiveVersion { conflict, .. } => match conflict {
            Conflict::Uses { .. } => Case::Uses,
            Conflict::CannotRead { .. } => Case::CannotRead,
            Conflict::WritesOnlyOld { .. } => Case::WritesOnlyOld,
            Conflict::Leaves(_) => Case::Leaves,
        },
        Reason::Contradiction { suspicion, .. } => match suspicion {
            Suspicion::Swapped => Case::Swapped,
            Suspicion::BeginsTooLow => Case::BeginsTooLow,
        },
        Reason::UndeclaredFill(need) => match need {
            FillNeed::Overwrite => Case::HasToOverwrite,
            FillNeed::OnlyFill => Case::HasOnlyToFill,
        },
        Reason::ExpandFirst { .. } => Case::ExpandFirst,
        Reason::BackfillFirst { waiting, .. } => match waiting {
            WaitsForFill::Contract => Case::BackfillBeforeContract,
            WaitsForFill::Start(_) => Case::BackfillBeforeStart,
        },
        Reason::ContractFirst { .. } => Case::ContractFirst,
        Reason::OldFormatGone { .. } => Case::OldFormatGone,
        Reason::TooOld { .. } => Case::TooOld,
        Reason::UnreadableRows { .. } => Case::UnreadableRows,
        Reason::DataLoss { .. } => Case::DataLoss,
        Reason::UndecidableRows { .. } => Case::UndecidableRows,
        Reason::Incompatible(incompatible) => match incompatible {
            Incompatible::WithItself { .. } => Case::WithItself,
            Incompatible::WithAnother(_) => Case::WithAnother,
            Incompatible::NoSequence { .. } => Case::NoSequence,
            Incompatible::NoOrder => Case::NoOrder,
            Incompatible::NotAllTried { .. } => Case::NotAllTried,
        },
        Reason::Order(order) => match order {
            Order::Earlier { .. } => Case::Earlier,
            Order::Later { .. } => Case::Later,
            Order::Strict { .. } => Case::Strict,
            Order::Passed { .. } => Case::Passed,
        },
        Reason::NoSuchPhase(none) => match none {
            NoSuchPhase::NoMigration(_) => Case::NoMigration,
            NoSuchPhase::NoPart { .. } => Case::NoPart,
        },
        Reason::WrongPhase(wrong) => match wrong {
            WrongPhase::BeingReverted { .. } => Case::BeingReverted,
            WrongPhase::PastReturn { .. } => Case::PastReturn,
        },
        Reason::OutOfStep { .. } => Case::OutOfStep,
        Reason::Requirement(requirement) => match requirement {
            Requirement::Remaining { .. } => Case::Remaining,
            Requirement::Check { .. } => Case::Check,
            Requirement::Require { .. } => Case::Require,
        },
        Reason::Soak { .. } => Case::Soak,
        Reason::InUse { found, .. } => match found {
            InUse::Sent { .. } => Case::UsedLately,
            InUse::NotLongEnough { .. } => Case::NotWatchedForLongEnough,
            InUse::Unseen { .. } => Case::UseUnseen,
        },
        Reason::Needed { .. } => Case::Needed,
        Reason::Rehearsal { found, .. } => match found {
            Unrehearsed::Never => Case::NeverRehearsed,
            Unrehearsed::OtherFiles { .. } => Case::RehearsedOtherFiles,
            Unrehearsed::Denied { .. } => Case::RehearsedInVain,
        },
        Reason::Source(silence) => match silence {
            Silence::Stale { .. } => Case::Stale,
            Silence::Failed { .. } => Case::Failed,
            Silence::Moved { .. } => Case::Moved,
            Silence::LedgerLost(_) => Case::LedgerLost,
            Silence::Unreachable { .. } => Case::Unreachable,
        },
        Reason::MissingInstances { missing, .. } => match missing {
            Missing::Settling { .. } => Case::Settling,
            Missing::Unseen(_) => Case::Unseen,
        },
        Reason::UnplacedVersion(unplaced) => match unplaced {
            Unplaced::TooMany { .. } => Case::TooMany,
            Unplaced::Label { .. } => Case::Label,
        },
        Reason::UnaccountedSession(sessions) => match sessions {
            Sessions::Unlisted { .. } => Case::Unlisted,
            Sessions::Unaccounted(_) => Case::Unaccounted,
        },
        Reason::UnknownService { .. } => Case::UnknownService,
        Reason::Files { effect, .. } => match effect {
            FlawEffect::Hides => Case::Hides,
            FlawEffect::CannotRun(_) => Case::CannotRun,
            FlawEffect::CannotLive(_) => Case::CannotLive,
            FlawEffect::ComesBefore(_) => Case::ComesBefore,
        },
    }
}

const _: fn(&Reason) -> Case = case;

/// What has no row in these tables, by the name of its test.
const ELSEWHERE: &[(Case, Elsewhere)] = &[
    (
        Case::ContractFirst,
        Elsewhere::Taken("fn what_comes_after_a_renamed_table_says_that_its_contract_comes_first("),
    ),
    (
        Case::LedgerLost,
        Elsewhere::Taken("fn a_lost_ledger_is_no_new_database("),
    ),
    (
        Case::CannotRead,
        Elsewhere::Shown(
            "fn advice_does_not_lead_in_a_circle(",
            "no fleet that a shop can have shows it alone: such a step also takes away what the version uses, and that is said",
        ),
    ),
    (
        Case::NoMigration,
        Elsewhere::Shown(
            "fn an_unknown_migration_is_answered_with_the_ones_there_are(",
            "a command looks for the migration first, and says the same of its arguments",
        ),
    ),
    (
        Case::TooOld,
        Elsewhere::Taken("fn an_image_whose_migrations_are_older_than_its_version_is_refused("),
    ),
    (
        Case::NotAllTried,
        Elsewhere::Taken("fn a_search_that_gives_up_does_not_say_that_there_is_no_way("),
    ),
    (Case::UsedLately, Elsewhere::Taken("fn nightly_job(")),
    (
        Case::NotWatchedForLongEnough,
        Elsewhere::Taken("fn nightly_job("),
    ),
    (
        Case::UseUnseen,
        Elsewhere::Taken("fn a_contract_that_goes_by_use_is_unknown_where_nothing_is_counted("),
    ),
    (
        Case::Needed,
        Elsewhere::Taken("fn what_the_server_would_not_let_go_of_is_told_before_the_contract("),
    ),
    (
        Case::NeverRehearsed,
        Elsewhere::Taken("fn a_contract_wants_a_rehearsal_of_its_very_files("),
    ),
    (
        Case::RehearsedOtherFiles,
        Elsewhere::Taken("fn a_contract_wants_a_rehearsal_of_its_very_files("),
    ),
    (
        Case::RehearsedInVain,
        Elsewhere::Taken("fn a_contract_wants_a_rehearsal_of_its_very_files("),
    ),
    (
        Case::Moved,
        Elsewhere::Taken("fn a_ledger_knows_that_its_standby_was_promoted("),
    ),
    (
        Case::TooMany,
        Elsewhere::Taken(
            "fn versions_that_somebody_made_up_are_ended_by_the_command_that_is_named(",
        ),
    ),
];

#[test]
fn every_reason_has_its_row() {
    let shown = [
        versions::ROWS,
        files::ROWS,
        schema::ROWS,
        evidence::ROWS,
        databases::RIGHTS,
    ]
    .concat_cases();
    super::errors::each_has_its_row(Case::ALL, |case| shown.contains(case), ELSEWHERE);
}

trait Cases {
    fn concat_cases(&self) -> Vec<Case>;
}

impl Cases for [&[super::Row<Case>]; 5] {
    fn concat_cases(&self) -> Vec<Case> {
        self.iter()
            .flat_map(|rows| rows.iter().map(|row| row.case))
            .collect()
    }
}

/// Whether the answer as JSON is of this case.
#[track_caller]
pub fn is_of(case: &Case, shop: &crate::support::shop::Shop, asks: &[&str]) {
    if !matches!(asks.first(), Some(&"gate" | &"plan")) {
        return;
    }
    let arguments = [asks, &["--output", "json"]].concat();
    let answer = shop.project.migrate(&arguments).json();
    let (kind, field) = case.as_json();
    let blockers = answer["blockers"].as_array().expect("a list");
    let is_it = |blocker: &&serde_json::Value| {
        blocker["kind"] == kind
            && field.is_none_or(|(name, value)| blocker["details"][name] == value)
    };
    let found = blockers.iter().find(is_it);
    let found = found.unwrap_or_else(|| panic!("no {case:?} in {answer}"));
    for part in ["message", "help"] {
        let text = found[part].as_str().unwrap_or_default();
        assert!(!text.is_empty(), "{case:?} has no {part}: {answer}");
    }
}
