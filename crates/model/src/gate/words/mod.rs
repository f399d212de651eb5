//! How reasons and advice read. Nothing decides by these sentences.

mod advice;
mod evidence;
mod rule;
mod schema;
mod used;

pub(super) use advice::spans;

use super::advice::Advice;
use super::reason::{Reason, Rows};
use super::touch::Readings;
use crate::model::{Freshness, Live, Sync};

/// What is added of whoever is live because no look since tells otherwise.
pub(super) const REMEMBERED: &str = "; it was seen or admitted, and no look since tells that it is gone: once it is, `migrate fleet --record` says so to all";

/// What is added of whoever is live because a rollout has ordered it.
pub(super) const ORDERED: &str = "; no look shows it yet, but the open rollout has ordered it, so that it may start at any moment: `migrate rollout resume` goes on with it, and \
     `migrate rollout abort` gives it up";

/// A reason, for a person.
pub(super) struct Words {
    /// What is the matter.
    pub message: String,
    /// What to do about it, if the reason alone tells.
    pub help: String,
}

impl Words {
    fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: help.into(),
        }
    }
}

/// How versions are called.
#[derive(Clone, Copy)]
pub(super) enum Naming<'a> {
    ByName,
    /// This one is only "it": it stands for others that are like it.
    AnyLike(&'a Live),
}

impl Naming<'_> {
    fn of(self, who: &Live) -> String {
        match self {
            Self::AnyLike(it) if it == who => "it".to_owned(),
            Self::AnyLike(_) | Self::ByName => who.to_string(),
        }
    }

    fn all(self, versions: &[Live]) -> String {
        let names: Vec<String> = versions.iter().map(|who| self.of(who)).collect();
        names.join(" and ")
    }
}

pub(super) fn message(reason: &Reason) -> String {
    words(reason, Naming::ByName).message
}

pub(super) fn advice(advice: &Advice, reason: &Reason) -> String {
    advice::help(advice, reason)
}

pub(super) fn words(reason: &Reason, naming: Naming<'_>) -> Words {
    match reason {
        Reason::LiveVersion { .. }
        | Reason::Contradiction { .. }
        | Reason::UndeclaredFill(_)
        | Reason::OldFormatGone { .. }
        | Reason::TooOld { .. }
        | Reason::UnreadableRows { .. }
        | Reason::DataLoss { .. }
        | Reason::UndecidableRows { .. }
        | Reason::Incompatible(_) => rule::words(reason, naming),
        Reason::ExpandFirst { .. }
        | Reason::BackfillFirst { .. }
        | Reason::ContractFirst { .. }
        | Reason::Order(_)
        | Reason::NoSuchPhase(_)
        | Reason::WrongPhase(_)
        | Reason::OutOfStep { .. }
        | Reason::Requirement(_)
        | Reason::Soak { .. }
        | Reason::InUse { .. }
        | Reason::Needed { .. }
        | Reason::Rehearsal { .. }
        | Reason::Files { .. } => schema::words(reason, naming),
        Reason::Source(_)
        | Reason::MissingInstances { .. }
        | Reason::UnplacedVersion(_)
        | Reason::UnaccountedSession(_)
        | Reason::UnknownService { .. } => evidence::words(reason),
    }
}

/// How to pin a version that may be read in several ways, to go on a message; empty if there is one.
fn ambiguity(who: &Live, readings: Readings) -> String {
    if readings == Readings::One {
        return String::new();
    }
    if let Some(tag) = who.version.tag() {
        return format!(
            "; {version} was built after {tag} and has no tag of its own: it may hold the code of {tag} or already that of any \
             release to come, and all have to be safe: tag what you deploy (a pre-release of the next release will do), or name \
             an alias for {version} under [services.{service}.aliases] in migrate.toml",
            version = who.version,
            service = who.service,
        );
    }
    let release = who.version.release();
    format!(
        "; {version} may hold the code before {release} or that of {release}, and both have to be \
         safe: name {release}-0 (every pre-release is the new code) or a pre-release in the range of \
         [services.{service}], or an alias for {version} in migrate.toml",
        version = who.version,
        service = who.service,
    )
}

/// Whether both formats are one thing in the database, of which the new one allows more, or less: a
/// value more in an enum, NULL or a constraint. Nothing of a row is stale or missing then.
const fn is_one_thing(sync: Sync) -> bool {
    matches!(sync, Sync::ToNew | Sync::ToOld)
}

/// What is the matter with rows of this kind.
fn of_kind(rows: Rows) -> String {
    if !is_one_thing(rows.sync) {
        return rows.kind.describe();
    }
    let words = match (rows.kind.old, rows.kind.new) {
        (Freshness::Fresh, Freshness::Fresh) => "right in both formats",
        (Freshness::Fresh, _) => "right in the old format only",
        (_, Freshness::Fresh) => "right in the new format only",
        _ => "right in neither format",
    };
    words.to_owned()
}

/// ` (who)`, if somebody is at work.
fn by(taken_by: Option<&String>) -> String {
    taken_by.map_or_else(String::new, |who| format!(" ({who})"))
}

/// Whole seconds, rounded up: whoever waits for so long does not come too early.
const fn seconds(ms: u64) -> u64 {
    ms.saturating_add(999) / 1000
}

/// The command that ends the lease of an instance that is gone.
fn forgetting(names: &[String]) -> String {
    // Only what needs no quotes can be copied as it stands.
    let is_plain = |name: &&String| {
        name.starts_with(|first: char| first.is_ascii_alphanumeric())
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    let name = names.iter().find(is_plain);
    format!(
        "`migrate fleet forget {} --reason TEXT` ends its lease",
        name.map_or("INSTANCE", String::as_str)
    )
}
