//! What stands against an action, as data. Kind, verdict and subject follow from it here, and the words for people in
//! [`super::words`]. Two reasons are the same if their data is: sentences are never compared.

use super::blocker::{BlockerKind, Verdict};
pub use super::doubt::{Missing, Sessions, Silence, Unplaced, Unseen};
pub use super::flaw::FlawEffect;
use super::touch::{Readings, Touch};
use super::{CheckFinding, Flaw, InUse, Onward, Soak, Unrehearsed};
use crate::model::{Basis, Format, Keeps, Live, MigrationId, Phase, RowKind, Step, Sync};

/// One thing that stands against an action. `taken_by`: who is at work on what is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A live version cannot survive the action.
    LiveVersion {
        who: Live,
        conflict: Conflict,
        stay: Stay,
    },
    /// A live version is declared to use a new format that is not there.
    Contradiction {
        who: Live,
        touch: Touch,
        migration: MigrationId,
        /// *pending* or *expanding*.
        phase: Phase,
        suspicion: Suspicion,
    },
    /// Whether the statement of a backfill does what these rows need is not said, or said wrongly.
    UndeclaredFill(FillNeed),
    /// The new format is not there yet.
    ExpandFirst {
        migration: MigrationId,
        phase: Phase,
        /// The version that asks for it, if one does.
        needed_by: Option<Need>,
        taken_by: Option<String>,
    },
    /// A backfill has to end first.
    BackfillFirst {
        migration: MigrationId,
        waiting: WaitsForFill,
        fill: FillWork,
    },
    /// An earlier migration keeps in step what this one changes, until it is contracted.
    ContractFirst {
        basis: Basis,
        taken_by: Option<String>,
        /// A service none of whose versions could be live meanwhile.
        no_room_for: Option<String>,
    },
    /// The old format is gone or going.
    OldFormatGone {
        who: Live,
        touch: Touch,
        migration: MigrationId,
        phase: Phase,
        readings: Readings,
    },
    /// What comes along with the code that is to start is older than its version.
    TooOld {
        who: Live,
        touch: Touch,
        /// The migration that the version was written with.
        migration: MigrationId,
        /// The last one that comes along.
        newest: MigrationId,
    },
    /// Rows may exist that the version cannot read.
    UnreadableRows {
        who: Live,
        migration: MigrationId,
        rows: Rows,
        readings: Readings,
    },
    /// Data would be lost by this step.
    DataLoss {
        migration: MigrationId,
        step: Step,
        sync: Sync,
        onward: Onward,
    },
    /// No statement could tell which format of a row is right.
    UndecidableRows { migration: MigrationId },
    /// The versions to deploy cannot run beside each other.
    Incompatible(Incompatible),
    /// An earlier or a later migration has to be dealt with first.
    Order(Order),
    /// There is nothing to take.
    NoSuchPhase(NoSuchPhase),
    /// Another phase of the migration has to end first.
    WrongPhase(WrongPhase),
    /// What keeps formats in step is gone, or does less than its file says.
    OutOfStep {
        migration: MigrationId,
        /// Which trigger, and what it does instead.
        what: String,
    },
    /// A query that has to return 0 does not.
    Requirement(Requirement),
    /// Old versions were seen too recently.
    Soak { migration: MigrationId, soak: Soak },
    /// What goes is used, or is not known to be unused for so long.
    InUse {
        migration: MigrationId,
        required_ms: i64,
        found: InUse,
    },
    /// The server would refuse to let go of what the contract takes away.
    Needed {
        migration: MigrationId,
        /// What needs it, in words.
        by: Vec<String>,
    },
    /// These very files were not rehearsed, or in vain.
    Rehearsal {
        migration: MigrationId,
        found: Unrehearsed,
    },
    /// Something that gives evidence is silent.
    Source(Silence),
    /// Fewer instances of a service are seen than there have to be.
    MissingInstances {
        service: String,
        seen: u64,
        wanted: u64,
        missing: Missing,
    },
    /// A live version cannot be placed among the versions.
    UnplacedVersion(Unplaced),
    /// Database sessions belong to nobody who is known.
    UnaccountedSession(Sessions),
    /// A service is live that is named nowhere.
    UnknownService { service: String },
    /// Files of the project are not in order.
    Files { effect: FlawEffect, flaw: Flaw },
}

/// Whether a live version goes by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stay {
    /// Every instance of it is about to go.
    Leaving,
    /// Somebody has to replace it.
    Staying,
}

/// What a live version and an action do to each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// It uses a format that the action takes away.
    Uses {
        format: Format,
        touch: Touch,
        readings: Readings,
    },
    /// It could not read rows that the step leaves.
    CannotRead {
        step: Step,
        rows: Rows,
        readings: Readings,
    },
    /// It writes only the old format, while the step relies on the new one.
    WritesOnlyOld { sync: Sync, readings: Readings },
    /// It, or a version that is to start, leaves rows that the other cannot read.
    Leaves(Leaves),
}

/// Rows that one version writes and another cannot read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaves {
    pub writer: Live,
    pub reader: Live,
    pub migration: MigrationId,
    pub rows: Rows,
    /// Those of the reader.
    pub readings: Readings,
}

/// Rows of one kind, in a migration that keeps its formats in step like this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rows {
    pub kind: RowKind,
    pub sync: Sync,
}

/// Why a declaration may be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suspicion {
    /// `old` and `new` may be swapped.
    Swapped,
    /// `new` may begin too low; nothing is declared to use an old format.
    BeginsTooLow,
}

/// What a backfill has to do with rows that are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FillNeed {
    /// Overwrite stale values, and nothing says that it does.
    Overwrite,
    /// Leave a new format alone that is there, and it is said to overwrite.
    OnlyFill,
}

/// What a version needs of a format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    pub who: Live,
    pub touch: Touch,
    pub readings: Readings,
}

/// What a backfill is in the way of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WaitsForFill {
    /// The contract of its migration.
    Contract,
    /// A version that is to start: the backfill would overwrite what it writes.
    Start(Live),
}

/// How a backfill that is not finished gets on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FillWork {
    Running {
        by: String,
    },
    Paused,
    /// Nobody is at work on it.
    Idle {
        phase: Phase,
        /// The live versions that hold it up.
        held_up_by: Vec<Live>,
    },
}

/// Why versions cannot run beside each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incompatible {
    /// It cannot read what it writes itself.
    WithItself {
        who: Live,
        migration: MigrationId,
        rows: Rows,
        readings: Readings,
    },
    /// Of two that are to start, one cannot read what the other writes.
    WithAnother(Leaves),
    /// Each migration alone leaves the service a way, and all of them together none.
    NoSequence { service: String },
    /// Each service alone could get there, and together they cannot.
    NoOrder,
    /// No plan was found among so many states, and there are more.
    NotAllTried { states: usize },
}

/// Which migration comes first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// An earlier one is not expanded.
    Earlier {
        migration: MigrationId,
        phase: Phase,
        taken_by: Option<String>,
    },
    /// A later one may build on what is to be undone.
    Later {
        migration: MigrationId,
        undo: MigrationId,
        /// Why the later one cannot be undone itself.
        dead_end: Option<Box<Reason>>,
    },
    /// The project wants one history, and a later one is applied.
    Strict {
        migration: MigrationId,
        later: MigrationId,
    },
    /// A later one has changed what this contract is to define.
    Passed {
        migration: MigrationId,
        later: MigrationId,
        keeps: Keeps,
    },
}

/// Why there is no such phase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoSuchPhase {
    NoMigration(MigrationId),
    NoPart {
        migration: MigrationId,
        step: Step,
        part: Part,
    },
}

/// What a migration lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Expand,
    Backfill,
    Contract,
    /// A format that was there from the start has nothing that could be undone.
    ExpandToUndo,
    WayBack,
}

/// Which phase is in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WrongPhase {
    BeingReverted {
        migration: MigrationId,
        taken_by: Option<String>,
    },
    /// There is no way back any more.
    PastReturn {
        migration: MigrationId,
        phase: Phase,
    },
}

/// What was counted and has to be 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// The rows that `remaining` counts.
    Remaining {
        migration: MigrationId,
        step: Step,
        rows: i64,
        examples: Vec<String>,
        /// Why the backfill did not go over all of them, in words of whoever looked.
        passed_by: Vec<String>,
    },
    /// The rows that `check` finds.
    Check {
        migration: MigrationId,
        found: CheckFinding,
    },
    /// A query under `require`.
    Require { query: String, result: i64 },
}

/// Whom or what a reason is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject<'a> {
    Version(&'a Live),
    /// A version as it is called, which cannot be placed.
    Label {
        service: &'a str,
        label: &'a str,
    },
    Service(&'a str),
    Nothing,
}

impl Reason {
    /// The word for it in `--output json`.
    #[must_use]
    pub const fn kind(&self) -> BlockerKind {
        match self {
            Self::LiveVersion { .. } => BlockerKind::LiveVersion,
            Self::Contradiction { .. } => BlockerKind::Contradiction,
            Self::UndeclaredFill(_) => BlockerKind::UndeclaredFill,
            Self::ExpandFirst { .. } => BlockerKind::ExpandFirst,
            Self::BackfillFirst { .. } => BlockerKind::BackfillFirst,
            Self::ContractFirst { .. } => BlockerKind::ContractFirst,
            Self::OldFormatGone { .. } => BlockerKind::OldFormatGone,
            Self::TooOld { .. } => BlockerKind::TooOld,
            Self::UnreadableRows { .. } => BlockerKind::UnreadableRows,
            Self::DataLoss { .. } => BlockerKind::DataLoss,
            Self::UndecidableRows { .. } => BlockerKind::UndecidableRows,
            Self::Incompatible(_) => BlockerKind::Incompatible,
            Self::Order(_) => BlockerKind::Order,
            Self::NoSuchPhase(_) => BlockerKind::NoSuchPhase,
            Self::WrongPhase(_) => BlockerKind::WrongPhase,
            Self::OutOfStep { .. } => BlockerKind::OutOfStep,
            Self::Requirement(_) => BlockerKind::Requirement,
            Self::Soak { .. } => BlockerKind::Soak,
            Self::InUse { .. } => BlockerKind::InUse,
            Self::Needed { .. } => BlockerKind::Needed,
            Self::Rehearsal { .. } => BlockerKind::Rehearsal,
            Self::Source(_) => BlockerKind::Source,
            Self::MissingInstances { .. } => BlockerKind::MissingInstances,
            Self::UnplacedVersion(_) => BlockerKind::UnplacedVersion,
            Self::UnaccountedSession(_) => BlockerKind::UnaccountedSession,
            Self::UnknownService { .. } => BlockerKind::UnknownService,
            Self::Files { .. } => BlockerKind::Files,
        }
    }

    /// What this reason alone leads to.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        match self {
            // What somebody is at work on, and what leaves, passes by itself.
            Self::LiveVersion {
                stay: Stay::Leaving,
                ..
            }
            | Self::ExpandFirst {
                taken_by: Some(_), ..
            }
            | Self::ContractFirst {
                taken_by: Some(_), ..
            }
            | Self::Order(Order::Earlier {
                taken_by: Some(_), ..
            })
            | Self::WrongPhase(WrongPhase::BeingReverted {
                taken_by: Some(_), ..
            })
            | Self::BackfillFirst {
                fill: FillWork::Running { .. },
                ..
            }
            | Self::MissingInstances {
                missing: Missing::Settling { .. },
                ..
            }
            | Self::Soak { .. } => Verdict::Hold,
            Self::Source(_)
            | Self::MissingInstances { .. }
            | Self::UnplacedVersion(_)
            | Self::UnaccountedSession(_)
            | Self::UnknownService { .. }
            | Self::InUse {
                found: InUse::NotLongEnough { .. } | InUse::Unseen { .. },
                ..
            }
            | Self::Rehearsal {
                found: Unrehearsed::Never | Unrehearsed::OtherFiles { .. },
                ..
            }
            | Self::Incompatible(Incompatible::NotAllTried { .. })
            | Self::Files {
                effect: FlawEffect::Hides,
                ..
            } => Verdict::Unknown,
            Self::LiveVersion { .. }
            | Self::Contradiction { .. }
            | Self::UndeclaredFill(_)
            | Self::ExpandFirst { .. }
            | Self::BackfillFirst { .. }
            | Self::ContractFirst { .. }
            | Self::OldFormatGone { .. }
            | Self::TooOld { .. }
            | Self::UnreadableRows { .. }
            | Self::DataLoss { .. }
            | Self::UndecidableRows { .. }
            | Self::Incompatible(_)
            | Self::Order(_)
            | Self::NoSuchPhase(_)
            | Self::WrongPhase(_)
            | Self::OutOfStep { .. }
            | Self::Requirement(_)
            | Self::InUse { .. }
            | Self::Needed { .. }
            | Self::Rehearsal { .. }
            | Self::Files { .. } => Verdict::Refuse,
        }
    }

    /// The version or the service that it is about.
    #[must_use]
    pub fn subject(&self) -> Subject<'_> {
        match self {
            Self::LiveVersion { who, .. }
            | Self::Contradiction { who, .. }
            | Self::ExpandFirst {
                needed_by: Some(Need { who, .. }),
                ..
            }
            | Self::BackfillFirst {
                waiting: WaitsForFill::Start(who),
                ..
            }
            | Self::OldFormatGone { who, .. }
            | Self::TooOld { who, .. }
            | Self::UnreadableRows { who, .. }
            | Self::Files {
                effect: FlawEffect::CannotLive(who),
                ..
            }
            | Self::Incompatible(
                Incompatible::WithItself { who, .. }
                | Incompatible::WithAnother(Leaves { reader: who, .. }),
            ) => Subject::Version(who),
            Self::UnplacedVersion(Unplaced::Label { service, label, .. }) => {
                Subject::Label { service, label }
            }
            Self::MissingInstances { service, .. }
            | Self::UnknownService { service }
            | Self::UnplacedVersion(Unplaced::TooMany { service, .. })
            | Self::Incompatible(Incompatible::NoSequence { service }) => Subject::Service(service),
            _ => Subject::Nothing,
        }
    }
}
