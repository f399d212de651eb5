//! Files that are not in order: what they hide is not known, and what they would do is refused.

use super::Blocker;
use super::reason::Reason;
use super::words;
use crate::model::{Live, MigrationId, MigrationState, Phase, Step};

/// Something of the project's files that is not in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    pub of: Flawed,
    /// What is wrong, with its file and line.
    pub error: String,
    /// What to do about it.
    pub help: String,
}

impl Flaw {
    /// The migration whose files they are.
    #[must_use]
    pub const fn migration(&self) -> Option<&MigrationId> {
        match &self.of {
            Flawed::Settings | Flawed::Listing => None,
            Flawed::Declaration(id)
            | Flawed::Step(id, _)
            | Flawed::Now(id, _)
            | Flawed::Applied(id)
            | Flawed::Leaving(id) => Some(id),
        }
    }
}

/// What a flaw of the files does to an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlawEffect {
    /// What it hides is not known.
    Hides,
    /// The step cannot run from these files.
    CannotRun(Step),
    /// The version cannot live beside what the migration leaves in place until its contract.
    CannotLive(Live),
    /// The migration builds on one that is not in order.
    ComesBefore(MigrationId),
}

/// What a flaw leaves unknown, or impossible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flawed {
    /// Which services there are, how many instances of each, and who sees them.
    Settings,
    /// Which migrations there are beside those that the ledger knows.
    Listing,
    /// What a migration declares that nobody has applied.
    Declaration(MigrationId),
    /// What a step of a migration runs, or cannot be taken without.
    Step(MigrationId, Step),
    /// What keeps a step of a migration from being taken as things stand; what comes before it may change that.
    Now(MigrationId, Step),
    /// What was applied of a migration: whatever comes next builds on it, and only a revert takes away by what is recorded.
    Applied(MigrationId),
    /// Whether the versions that no longer write a migration's old format can live before its contract.
    Leaving(MigrationId),
}

/// What the files leave unknown for whoever starts a version, or plans with it: any version may need a migration that
/// cannot be read.
#[must_use]
pub fn unread(flaws: &[Flaw]) -> Vec<Blocker> {
    flaws.iter().filter_map(unknown).collect()
}

fn unknown(flaw: &Flaw) -> Option<Blocker> {
    let id = match &flaw.of {
        Flawed::Settings | Flawed::Listing => None,
        Flawed::Declaration(id) => Some(id),
        Flawed::Step(..) | Flawed::Now(..) | Flawed::Applied(_) | Flawed::Leaving(_) => {
            return None;
        }
    };
    let blocker = Blocker::from(reason(flaw, FlawEffect::Hides));
    Some(match id {
        Some(id) => blocker.of_migration(id),
        None => blocker,
    })
}

fn reason(flaw: &Flaw, effect: FlawEffect) -> Reason {
    Reason::Files {
        effect,
        flaw: flaw.clone(),
    }
}

/// What the files say against one step.
#[must_use]
pub fn against_step(step: Step, id: &MigrationId, flaws: &[Flaw]) -> Vec<Blocker> {
    let found = flaws.iter().filter_map(|flaw| match &flaw.of {
        Flawed::Step(of, kept) | Flawed::Now(of, kept) if of == id && *kept == step => {
            Some(reason(flaw, FlawEffect::CannotRun(step)).into())
        }
        Flawed::Applied(_) if step != Step::Revert => {
            Some(reason(flaw, FlawEffect::CannotRun(step)).into())
        }
        // They build on each other.
        Flawed::Declaration(before) if step == Step::Expand && before < id => {
            Some(reason(flaw, FlawEffect::ComesBefore(before.clone())).into())
        }
        Flawed::Listing if step == Step::Expand => unknown(flaw),
        Flawed::Settings => unknown(flaw),
        _ => None,
    });
    found.collect()
}

/// What the files say of one migration against versions that are to start.
#[must_use]
pub fn against_start(
    candidates: &[Live],
    state: &MigrationState,
    flaws: &[Flaw],
) -> Option<Blocker> {
    if state.phase == Phase::Contracted {
        return None;
    }
    let flaw = flaws
        .iter()
        .find(|flaw| matches!(&flaw.of, Flawed::Leaving(id) if id == state.id()))?;
    let services = &state.declaration.services;
    let leaves = |who: &&Live| {
        let usage = services.get(&who.service);
        usage.is_some_and(|usage| usage.has_ceased_to_write_old(&who.version))
    };
    let who = candidates.iter().find(leaves)?;
    let blocker = Blocker::from(reason(flaw, FlawEffect::CannotLive(who.clone())));
    Some(blocker.of_migration(state.id()))
}

/// Whether the version line of a service cannot be drawn, and why.
pub(super) fn hides_migrations(flaws: &[Flaw]) -> Option<String> {
    let hidden = flaws
        .iter()
        .filter(|flaw| matches!(flaw.of, Flawed::Listing | Flawed::Declaration(_)));
    let hidden: Vec<String> = hidden
        .map(|flaw| words::message(&reason(flaw, FlawEffect::Hides)))
        .collect();
    (!hidden.is_empty()).then(|| hidden.join("; "))
}
