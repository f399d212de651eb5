//! Whether one step of one migration is safe now.

use super::blocker::{Blocker, BlockerKind};
use super::claims::{advice, contradictions, out_of_step, undeclared_fill};
use super::evidence::{self, Gaps};
use super::measured::{foreseen, measured};
use super::next::{Guide, Objection};
use super::reason::{Conflict, NoSuchPhase, Order, Part, Reason, Rows, WrongPhase};
use super::touch::{Readings, Touch};
use super::unfilled::backfill_first;
use super::{Action, Answer, Evidence, Onward, flaw, sequence, without_consequences};
use crate::model::{
    Breach, Clause, Format, Live, MigrationId, MigrationState, Phase, Schema, Step,
};

pub(super) fn decide(step: Step, id: &MigrationId, evidence: &Evidence) -> Answer {
    let live = evidence.snapshot.live();
    let state = evidence.schema.get(id);
    // A step that is done already is not an error.
    if let Some(state) = state.filter(|state| state.has_taken(step, &live)) {
        let note = format!(
            "{id} is {} already: nothing to {}",
            state.phase,
            step.name()
        );
        return Answer {
            blockers: Vec::new(),
            notes: vec![note],
        };
    }
    let objections = objections(step, id, evidence);
    let mut notes = match state {
        Some(state) if !objections.iter().any(is_of_structure) => {
            advice(step, state, &live, evidence)
        }
        _ => Vec::new(),
    };
    if step == Step::Expand {
        notes.extend(sequence::note(id, evidence));
    }
    let action = Action::Step {
        step,
        migration: id.clone(),
    };
    Answer {
        blockers: Guide::new(evidence).advise(&action, objections),
        notes,
    }
}

/// Whether it keeps the rule from being asked at all.
fn is_of_structure(objection: &Objection) -> bool {
    use BlockerKind::{BackfillFirst, ContractFirst, ExpandFirst, NoSuchPhase, Order, WrongPhase};
    matches!(
        objection.reason.kind(),
        BackfillFirst | ContractFirst | ExpandFirst | NoSuchPhase | Order | WrongPhase
    )
}

/// What stands against the step now, each with what has to happen first.
pub(super) fn objections(step: Step, id: &MigrationId, evidence: &Evidence) -> Vec<Objection> {
    let mut objections = match evidence.schema.get(id) {
        None => unknown(step, id, evidence),
        Some(state) => objections_to(step, state, evidence),
    };
    for objection in &mut objections {
        objection.migration = Some(id.clone());
    }
    objections
}

/// Of a migration of which neither the ledger nor the files tell anything.
fn unknown(step: Step, id: &MigrationId, evidence: &Evidence) -> Vec<Objection> {
    let refused = flaw::against_step(step, id, &evidence.flaws);
    if !refused.is_empty() {
        return refused.into_iter().map(Objection::from).collect();
    }
    vec![Reason::NoSuchPhase(NoSuchPhase::NoMigration(id.clone())).into()]
}

fn objections_to(step: Step, state: &MigrationState, evidence: &Evidence) -> Vec<Objection> {
    let live = evidence.snapshot.live();
    if state.has_taken(step, &live) {
        return Vec::new();
    }
    let by_files = flaw::against_step(step, state.id(), &evidence.flaws);
    let mut objections: Vec<Objection> = by_files.into_iter().map(Objection::from).collect();
    objections.extend(structure(step, state, evidence));
    if step != Step::Revert && objections.iter().all(leaves_the_declaration_in_doubt) {
        objections.extend(contradictions(state, &live, evidence));
    }
    if matches!(step, Step::Backfill | Step::Contract) {
        // Whatever else is in the way: the way on leads through it.
        let found = out_of_step(state, &evidence.facts).into_iter();
        objections.splice(0..0, found.map(Objection::from));
    }
    if objections.iter().any(is_of_structure) {
        return objections;
    }
    objections.extend(by_the_rule(step, state, &live, evidence));
    let is_undecidable =
        |objection: &Objection| objection.reason.kind() == BlockerKind::UndecidableRows;
    if step == Step::Backfill && !objections.iter().any(is_undecidable) {
        objections.extend(undeclared_fill(state, &live).map(Objection::from));
    }
    let missing = without_evidence(step, state, &live, evidence);
    objections.extend(missing.into_iter().map(Objection::from));
    let measured = measured(step, state, &evidence.facts);
    objections.extend(measured.into_iter().map(Objection::from));
    if step == Step::Contract && objections.is_empty() {
        // Beside who is live it would say the same once more.
        let foreseen = foreseen(state, evidence).into_iter();
        objections.extend(foreseen.map(Objection::from));
    }
    objections
}

fn leaves_the_declaration_in_doubt(objection: &Objection) -> bool {
    matches!(
        objection.reason.kind(),
        BlockerKind::ExpandFirst
            | BlockerKind::ContractFirst
            | BlockerKind::Order
            | BlockerKind::Files
    )
}

/// What has to be in place before the rule can be asked.
fn structure(step: Step, state: &MigrationState, evidence: &Evidence) -> Vec<Objection> {
    let id = state.id();
    let parts = state.declaration.parts;
    let expand_first = || {
        let taken_by = evidence.facts.taken_by(Step::Expand, id);
        let reason = Reason::ExpandFirst {
            migration: id.clone(),
            phase: state.phase,
            needed_by: None,
            taken_by: taken_by.map(ToOwned::to_owned),
        };
        vec![Objection::take_or_wait(reason, Step::Expand, id)]
    };
    let missing_part = match step {
        Step::Expand => (!parts.expand).then_some(Part::Expand),
        Step::Backfill => (!parts.backfill).then_some(Part::Backfill),
        Step::Contract => (!parts.contract).then_some(Part::Contract),
        Step::Revert if !parts.expand => Some(Part::ExpandToUndo),
        Step::Revert => (!parts.revert).then_some(Part::WayBack),
    };
    if let Some(part) = missing_part {
        let reason = Reason::NoSuchPhase(NoSuchPhase::NoPart {
            migration: id.clone(),
            step,
            part,
        });
        return vec![reason.into()];
    }
    let migrations = evidence.schema.migrations();
    match step {
        Step::Expand => {
            if state.phase == Phase::Reverting {
                let taken_by = evidence.facts.taken_by(Step::Revert, id);
                let reason = Reason::WrongPhase(WrongPhase::BeingReverted {
                    migration: id.clone(),
                    taken_by: taken_by.map(ToOwned::to_owned),
                });
                return vec![reason.into()];
            }
            if let Some(refused) = sequence::refused(id, evidence) {
                return vec![refused.into()];
            }
            let earlier = migrations
                .iter()
                .find(|other| other.id() < id && !other.expand_is_done());
            let Some(other) = earlier else {
                return contract_first(id, Step::Expand, evidence);
            };
            let taken_by = evidence.facts.taken_by(Step::Expand, other.id());
            let reason = Reason::Order(Order::Earlier {
                migration: other.id().clone(),
                phase: other.phase,
                taken_by: taken_by.map(ToOwned::to_owned),
            });
            vec![Objection::take_or_wait(reason, Step::Expand, id)]
        }
        Step::Backfill if !state.expand_is_done() => expand_first(),
        Step::Backfill => Vec::new(),
        Step::Contract if !state.expand_is_done() => expand_first(),
        Step::Contract => {
            let filled = matches!(state.phase, Phase::Backfilled | Phase::Contracting);
            if parts.backfill && !filled {
                return backfill_first(state, evidence);
            }
            // What has begun is finished, and who could still read the old format is fenced off.
            if state.phase == Phase::Contracting {
                return Vec::new();
            }
            let mut objections = contract_first(id, Step::Contract, evidence);
            if let Some((later, keeps)) = evidence.schema.passed_by(state) {
                let reason = Reason::Order(Order::Passed {
                    migration: id.clone(),
                    later: later.clone(),
                    keeps: keeps.clone(),
                });
                objections.push(reason.into());
            }
            objections
        }
        Step::Revert if state.phase.contract_has_begun() => {
            let reason = Reason::WrongPhase(WrongPhase::PastReturn {
                migration: id.clone(),
                phase: state.phase,
            });
            vec![reason.into()]
        }
        Step::Revert => {
            let later = migrations
                .iter()
                .rev()
                .find(|other| other.id() > id && other.phase != Phase::Pending);
            later.map_or_else(Vec::new, |other| vec![undo_later(id, other, evidence)])
        }
    }
}

/// What it builds on is kept in step, or in a table's place, by an earlier migration that is not contracted, or its contract
/// would undo what this does.
fn contract_first(id: &MigrationId, step: Step, evidence: &Evidence) -> Vec<Objection> {
    let open = evidence.schema.open_bases(id, step);
    open.map(|basis| {
        let earlier = &basis.migration;
        let taken_by = evidence.facts.taken_by(Step::Contract, earlier);
        let no_room_for = no_room(id, step, earlier, &evidence.schema);
        let has_room = no_room_for.is_none();
        let reason = Reason::ContractFirst {
            basis: basis.clone(),
            taken_by: taken_by.map(ToOwned::to_owned),
            no_room_for,
        };
        if has_room {
            Objection::take_or_wait(reason, Step::Contract, earlier)
        } else {
            reason.into()
        }
    })
    .collect()
}

/// A service none of whose versions could be live between that contract and this expand: no step and no version leads on. Of a
/// migration that is expanded already nobody waits for its expand.
fn no_room(id: &MigrationId, step: Step, earlier: &MigrationId, schema: &Schema) -> Option<String> {
    let state = schema.get(id).filter(|_| step == Step::Expand)?;
    let earlier = schema.get(earlier)?;
    let service = state.declaration.without_room_after(&earlier.declaration)?;
    Some(service.to_owned())
}

/// A later migration that may build on the one to be undone: it is undone first, if it can be.
fn undo_later(id: &MigrationId, other: &MigrationState, evidence: &Evidence) -> Objection {
    let ways = structure(Step::Revert, other, evidence).into_iter();
    let mut dead_ends = ways.map(|objection| objection.reason).filter(|reason| {
        matches!(
            reason.kind(),
            BlockerKind::NoSuchPhase | BlockerKind::WrongPhase
        )
    });
    let dead_end = dead_ends.next().map(Box::new);
    let has_way = dead_end.is_none();
    let reason = Reason::Order(Order::Later {
        migration: other.id().clone(),
        undo: id.clone(),
        dead_end,
    });
    if has_way {
        Objection::take(reason, Step::Revert, other.id())
    } else {
        reason.into()
    }
}

pub(super) fn by_the_rule(
    step: Step,
    state: &MigrationState,
    live: &[Live],
    evidence: &Evidence,
) -> Vec<Objection> {
    let mut objections: Vec<Objection> = Vec::new();
    for breach in without_consequences(state.breaches_of(step, live)) {
        for objection in explain(step, state, &breach, live, evidence) {
            let is_known = objections
                .iter()
                .any(|other| other.reason.is_about_the_same(&objection.reason));
            if !is_known {
                objections.push(objection);
            }
        }
    }
    objections
}

fn explain(
    step: Step,
    state: &MigrationState,
    breach: &Breach,
    live: &[Live],
    evidence: &Evidence,
) -> Vec<Objection> {
    let id = state.id();
    let declaration = &state.declaration;
    let sync = declaration.sync;
    let gone = |who: &Live, conflict| Objection::gone(who, (id, Some(step)), conflict, evidence);
    let uses = |who: &Live, format| {
        let conflict = Conflict::Uses {
            format,
            touch: Touch::of(declaration, who, format),
            readings: Readings::of(declaration, who),
        };
        gone(who, conflict)
    };
    match (breach.clause, &breach.who) {
        (Clause::NewIsThere, Some(who)) => vec![uses(who, Format::New)],
        (Clause::OldIsThere, Some(who)) => vec![uses(who, Format::Old)],
        (Clause::Readable(kind), Some(who)) => {
            let conflict = Conflict::CannotRead {
                step,
                rows: Rows { kind, sync },
                readings: Readings::of(declaration, who),
            };
            vec![gone(who, conflict)]
        }
        (Clause::Filled(_), _) if !breach.writers.is_empty() => {
            let writers = breach.writers.iter();
            let each = writers.map(|who| {
                let readings = Readings::of(declaration, who);
                gone(who, Conflict::WritesOnlyOld { sync, readings })
            });
            each.collect()
        }
        (Clause::NothingIsLost(_) | Clause::Filled(_), _) | (_, None) => match step {
            Step::Backfill => vec![
                Reason::UndecidableRows {
                    migration: id.clone(),
                }
                .into(),
            ],
            Step::Contract => {
                // Rows without a new format are the work of live old-only writers, or were never filled.
                let users = live
                    .iter()
                    .filter(|who| state.is_touched_by(who, Format::Old));
                let users: Vec<&Live> = users.collect();
                if !users.is_empty() && state.kinds.all_new_fresh() {
                    return users
                        .into_iter()
                        .map(|who| uses(who, Format::Old))
                        .collect();
                }
                let loss = Reason::DataLoss {
                    migration: id.clone(),
                    step,
                    sync,
                    onward: Onward::of(declaration),
                };
                vec![if declaration.parts.backfill {
                    Objection::take(loss, Step::Backfill, id)
                } else {
                    loss.into()
                }]
            }
            // Where there is an old format, the rows themselves may be what it cannot read.
            Step::Revert
                if evidence.facts.holding_nothing.contains(&id.number())
                    && !declaration.has_old()
                    && !declaration.parts.backfill =>
            {
                Vec::new()
            }
            Step::Expand | Step::Revert => vec![
                Reason::DataLoss {
                    migration: id.clone(),
                    step,
                    sync,
                    onward: Onward::of(declaration),
                }
                .into(),
            ],
        },
    }
}

/// What could go wrong through instances that nobody sees.
fn without_evidence(
    step: Step,
    state: &MigrationState,
    live: &[Live],
    evidence: &Evidence,
) -> Vec<Blocker> {
    let declaration = &state.declaration;
    let base = state.breaches_of(step, live).len();
    let changes = |unseen: &[Live]| {
        let more = match step {
            // What they take away does not come back: not even the coherence of the fleet counts.
            Step::Contract | Step::Revert => Some([live, unseen].concat()),
            Step::Expand | Step::Backfill => evidence::may_be_live(state, live, unseen),
        };
        more.is_some_and(|more| state.breaches_of(step, &more).len() > base)
    };
    let mut missing = Gaps::find(evidence, [declaration]).that_matter(declaration, changes);
    if matches!(step, Step::Contract | Step::Revert) {
        missing.extend(evidence::strangers(evidence));
        missing.extend(evidence::unaccounted(&evidence.snapshot));
        if !declaration.services.is_empty() {
            missing.extend(evidence::moved(evidence.moved, (step, state.id())));
        }
    }
    missing
}
