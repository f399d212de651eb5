//! Reasons, and the verdict that follows from them.

use crate::model::{Live, MigrationId, Snapshot};

/// The gate's answer in one word. The order is that of weight: the heaviest blocker decides.
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
            .map(|blocker| blocker.verdict)
            .max()
            .unwrap_or(Self::Go)
    }
}

/// What a blocker is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
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
    /// The old format is gone or going.
    OldFormatGone,
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
    /// Another coordinator is at work.
    Coordinator,
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
            Self::OldFormatGone => "old_format_gone",
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
            Self::Source => "source",
            Self::MissingInstances => "missing_instances",
            Self::UnplacedVersion => "unplaced_version",
            Self::UnaccountedSession => "unaccounted_session",
            Self::UnknownService => "unknown_service",
            Self::Coordinator => "coordinator",
            Self::Files => "files",
        }
    }
}

/// One reason for a verdict other than go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocker {
    pub kind: BlockerKind,
    /// What this reason alone leads to.
    pub verdict: Verdict,
    pub migration: Option<MigrationId>,
    pub service: Option<String>,
    /// As text, because a live version may be one that cannot be placed.
    pub version: Option<String>,
    pub instances: u64,
    pub examples: Vec<String>,
    /// The sources that saw it, joined by `, `.
    pub source: Option<String>,
    /// Milliseconds since the epoch.
    pub seen_at: Option<i64>,
    pub message: String,
    /// What to do next.
    pub help: String,
}

impl Blocker {
    pub(crate) fn new(
        kind: BlockerKind,
        verdict: Verdict,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            verdict,
            migration: None,
            service: None,
            version: None,
            instances: 0,
            examples: Vec::new(),
            source: None,
            seen_at: None,
            message: message.into(),
            help: help.into(),
        }
    }

    pub(crate) fn of_migration(mut self, id: &MigrationId) -> Self {
        self.migration = Some(id.clone());
        self
    }

    /// About a version, whether it is live or only wanted.
    pub(crate) fn about(mut self, who: &Live) -> Self {
        self.service = Some(who.service.clone());
        self.version = Some(who.version.to_string());
        self
    }

    /// About a live version: where it was seen, how often and when.
    pub fn seen(self, who: &Live, snapshot: &Snapshot) -> Self {
        let groups: Vec<_> = snapshot.groups_of(who).collect();
        let mut blocker = self.about(who);
        let is_remembered = |group: &&crate::model::LiveGroup| snapshot.remembered.contains(group);
        if !groups.is_empty() && groups.iter().all(is_remembered) {
            blocker.help.push_str(
                "; it was seen or admitted, and no look since tells that it is gone: once it is, `migrate fleet --record` says so to all",
            );
        }
        blocker.instances = crate::model::most_in_one_source(groups.iter().copied());
        let mut sources: Vec<&str> = groups.iter().map(|group| group.source.as_str()).collect();
        sources.sort_unstable();
        sources.dedup();
        blocker.source = (!sources.is_empty()).then(|| sources.join(", "));
        blocker.seen_at = groups.iter().map(|group| group.seen_at).max();
        for name in groups.iter().flat_map(|group| &group.examples) {
            if !blocker.examples.contains(name) && blocker.examples.len() < 3 {
                blocker.examples.push(name.clone());
            }
        }
        blocker
    }
}

/// The command that ends the lease of an instance that is gone.
pub(super) fn forgetting(examples: &[String]) -> String {
    // Only what needs no quotes can be copied as it stands.
    let is_plain = |name: &&String| {
        name.starts_with(|first: char| first.is_ascii_alphanumeric())
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    let name = examples.iter().find(is_plain);
    format!(
        "`migrate fleet forget {} --reason TEXT` ends its lease",
        name.map_or("INSTANCE", String::as_str)
    )
}
