//! Verdicts, and what leads to one: a reason, who was seen, and what to do about it.

use super::advice::Advice;
use super::reason::{Reason, Subject};
use super::words;
use crate::model::{Live, LiveGroup, MigrationId, ORDERED, Snapshot};

/// The gate's answer in one word. The order is that of weight: the heaviest blocker decides. There are these four, and whoever matches
/// them is to be told by the compiler should that ever change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    Go,
    /// Will pass by itself, and nobody has to do anything: a drain, a soak, a backfill or a rollout that
    /// somebody is at work on.
    Hold,
    /// The evidence is missing or stale.
    Unknown,
    /// Needs another step first, or somebody's decision.
    Refuse,
}

impl Verdict {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Go => "go",
            Self::Hold => "hold",
            Self::Unknown => "unknown",
            Self::Refuse => "refuse",
        }
    }

    /// The exit code of a command that ends with this verdict.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Go => 0,
            Self::Hold => 10,
            Self::Refuse => 11,
            Self::Unknown => 12,
        }
    }

    pub(super) fn of(blockers: &[Blocker]) -> Self {
        blockers
            .iter()
            .map(Blocker::verdict)
            .max()
            .unwrap_or(Self::Go)
    }
}

/// What a blocker is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum BlockerKind {
    /// A live version cannot survive the action.
    LiveVersion,
    /// A live version is declared to use what is not there.
    Contradiction,
    /// Whether the statement of a backfill does what it has to is not said, or said wrongly.
    UndeclaredFill,
    /// The new format is not there yet.
    ExpandFirst,
    /// Rows are not all in the new format yet.
    BackfillFirst,
    /// An earlier migration keeps in step what this one changes, until it is contracted.
    ContractFirst,
    /// The old format is gone or going.
    OldFormatGone,
    /// What comes along with the code that is to start is older than its version.
    TooOld,
    /// Rows may exist that the version cannot read.
    UnreadableRows,
    /// Data would be lost.
    DataLoss,
    /// No statement could tell which format of a row is right.
    UndecidableRows,
    /// The versions to deploy cannot run beside each other.
    Incompatible,
    /// An earlier or a later migration has to be dealt with first.
    Order,
    /// The migration has no such phase.
    NoSuchPhase,
    /// Another phase of the migration has to end first.
    WrongPhase,
    /// What keeps formats in step is gone, or does less than its file says.
    OutOfStep,
    /// A query that has to return 0 does not.
    Requirement,
    /// Old versions were seen too recently.
    Soak,
    /// What goes is used, or is not known to be unused for long enough.
    InUse,
    /// Something in the database needs what goes, and the server would refuse to drop it.
    Needed,
    /// These very files were not rehearsed, or the rehearsal denied what they claim.
    Rehearsal,
    /// A source failed or is stale.
    Source,
    /// Fewer instances of a service are seen than there have to be.
    MissingInstances,
    /// A live version cannot be placed among the versions.
    UnplacedVersion,
    /// Database sessions belong to nobody who is known.
    UnaccountedSession,
    /// A service is not named in `migrate.toml`.
    UnknownService,
    /// Files of the project are not in order.
    Files,
}

impl BlockerKind {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LiveVersion => "live_version",
            Self::Contradiction => "contradiction",
            Self::UndeclaredFill => "undeclared_fill",
            Self::ExpandFirst => "expand_first",
            Self::BackfillFirst => "backfill_first",
            Self::ContractFirst => "contract_first",
            Self::OldFormatGone => "old_format_gone",
            Self::TooOld => "too_old",
            Self::UnreadableRows => "unreadable_rows",
            Self::DataLoss => "data_loss",
            Self::UndecidableRows => "undecidable_rows",
            Self::Incompatible => "incompatible",
            Self::Order => "order",
            Self::NoSuchPhase => "no_such_phase",
            Self::WrongPhase => "wrong_phase",
            Self::OutOfStep => "out_of_step",
            Self::Requirement => "requirement",
            Self::Soak => "soak",
            Self::InUse => "in_use",
            Self::Needed => "needed",
            Self::Rehearsal => "rehearsal",
            Self::Source => "source",
            Self::MissingInstances => "missing_instances",
            Self::UnplacedVersion => "unplaced_version",
            Self::UnaccountedSession => "unaccounted_session",
            Self::UnknownService => "unknown_service",
            Self::Files => "files",
        }
    }
}

/// One reason for a verdict other than go.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Blocker {
    /// For Phasegate's own packages, and no promise: others go by [`Self::kind`].
    #[doc(hidden)]
    pub reason: Reason,
    /// The migration that it is said of.
    pub migration: Option<MigrationId>,
    pub seen: Seen,
    /// For Phasegate's own packages, and no promise: others say [`Self::help`].
    #[doc(hidden)]
    pub advice: Advice,
}

/// Who was seen of those that a reason is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Seen {
    pub instances: u64,
    /// Names of a few of the instances.
    pub examples: Vec<String>,
    /// By which sources, each once.
    pub sources: Vec<String>,
    /// When, in milliseconds since the epoch.
    pub at: Option<i64>,
    pub trace: Trace,
}

/// How it is known that somebody is live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trace {
    /// A source shows it now.
    #[default]
    Shown,
    /// It was seen or admitted before, and no look since tells that it is gone.
    Remembered,
    /// No look shows it yet, and a rollout that is open has ordered it.
    Ordered,
}

/// How many names of instances a blocker has.
const MOST_EXAMPLES: usize = 3;

impl Seen {
    /// Where a live version was seen, how often and when.
    #[doc(hidden)]
    #[must_use]
    pub fn of(who: &Live, snapshot: &Snapshot) -> Self {
        let groups: Vec<&LiveGroup> = snapshot.groups_of(who).collect();
        let is_remembered = |group: &&LiveGroup| snapshot.remembered.contains(group);
        let trace = if groups.is_empty() || !groups.iter().all(is_remembered) {
            Trace::Shown
        } else if groups.iter().all(|group| group.source == ORDERED) {
            Trace::Ordered
        } else {
            Trace::Remembered
        };
        Self {
            instances: crate::model::most_in_one_source(groups.iter().copied()),
            trace,
            ..Self::in_groups(&groups)
        }
    }

    /// What these groups of one source show.
    pub(super) fn in_groups(groups: &[&LiveGroup]) -> Self {
        let mut sources: Vec<String> = groups.iter().map(|group| group.source.clone()).collect();
        sources.sort_unstable();
        sources.dedup();
        let mut examples: Vec<String> = Vec::new();
        for name in groups.iter().flat_map(|group| &group.examples) {
            if !examples.contains(name) && examples.len() < MOST_EXAMPLES {
                examples.push(name.clone());
            }
        }
        Self {
            instances: crate::model::count(groups.iter().copied()),
            examples,
            sources,
            at: groups.iter().map(|group| group.seen_at).max(),
            trace: Trace::Shown,
        }
    }

    /// What one source says of itself.
    pub(super) fn by(source: &str) -> Self {
        Self {
            sources: vec![source.to_owned()],
            ..Self::default()
        }
    }
}

impl From<Reason> for Blocker {
    fn from(reason: Reason) -> Self {
        Self {
            reason,
            migration: None,
            seen: Seen::default(),
            advice: Advice::AsTheReasonSays,
        }
    }
}

impl Blocker {
    #[doc(hidden)]
    #[must_use]
    pub fn of_migration(mut self, id: &MigrationId) -> Self {
        self.migration = Some(id.clone());
        self
    }

    pub(super) fn seen(mut self, seen: Seen) -> Self {
        self.seen = seen;
        self
    }

    #[must_use]
    pub const fn kind(&self) -> BlockerKind {
        self.reason.kind()
    }

    /// What this reason alone leads to.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        self.reason.verdict()
    }

    #[must_use]
    pub fn service(&self) -> Option<&str> {
        match self.reason.subject() {
            Subject::Version(who) => Some(&who.service),
            Subject::Label { service, .. } | Subject::Service(service) => Some(service),
            Subject::Nothing => None,
        }
    }

    /// As text, because a live version may be one that cannot be placed.
    #[must_use]
    pub fn version(&self) -> Option<String> {
        match self.reason.subject() {
            Subject::Version(who) => Some(who.version.to_string()),
            Subject::Label { label, .. } => Some(label.to_owned()),
            Subject::Service(_) | Subject::Nothing => None,
        }
    }

    /// What is the matter, in words.
    #[must_use]
    pub fn message(&self) -> String {
        words::message(&self.reason)
    }

    /// What to do next, in words.
    #[must_use]
    pub fn help(&self) -> String {
        let mut help = words::advice(&self.advice, &self.reason);
        help.push_str(match self.seen.trace {
            Trace::Shown => "",
            Trace::Remembered => words::REMEMBERED,
            Trace::Ordered => words::ORDERED,
        });
        help
    }
}

impl Reason {
    /// Whether it is about the same as `other`, whatever else they say: of two reasons why one version is in the way, one
    /// is enough.
    pub(super) fn is_about_the_same(&self, other: &Self) -> bool {
        self.kind() == other.kind() && self.subject() == other.subject()
    }
}
