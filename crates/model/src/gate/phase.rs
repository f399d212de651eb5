//! Whether one step of one migration is safe now.

use super::blocker::{Blocker, BlockerKind, Verdict};
use super::claims::{advice, contradictions, undeclared_fill};
use super::evidence::{self, Gaps};
use super::measured::measured;
use super::next::{Guide, Reason};
use super::unfilled::backfill_first;
use super::words::{ambiguity, is_one_thing, kind_words, touch_words};
use super::{Action, Evidence, Facts, first_causes, flaw, sequence};
use crate::model::{Breach, Clause, Format, Live, MigrationId, MigrationState, Phase, Step};

type Answer = (Vec<Blocker>, Vec<String>);

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
        return (Vec::new(), vec![note]);
    }
    let reasons = reasons(step, id, evidence);
    let mut notes = match state {
        Some(state) if !reasons.iter().any(is_of_structure) => advice(step, state, &live, evidence),
        _ => Vec::new(),
    };
    if step == Step::Expand {
        notes.extend(sequence::note(id, evidence));
    }
    let action = Action::Step {
        step,
        migration: id.clone(),
    };
    let blockers = Guide::new(evidence).advise(&action, reasons);
    (blockers, notes)
}

/// Whether it keeps the rule from being asked at all.
fn is_of_structure(reason: &Reason) -> bool {
    use BlockerKind::{BackfillFirst, ExpandFirst, NoSuchPhase, Order, WrongPhase};
    matches!(
        reason.blocker.kind,
        BackfillFirst | ExpandFirst | NoSuchPhase | Order | WrongPhase
    )
}

/// Why the step cannot be taken now, each reason with what has to happen first.
pub(super) fn reasons(step: Step, id: &MigrationId, evidence: &Evidence) -> Vec<Reason> {
    let mut reasons = match evidence.schema.get(id) {
        None => unknown(step, id, evidence),
        Some(state) => reasons_of(step, state, evidence),
    };
    for reason in &mut reasons {
        reason.blocker.migration = Some(id.clone());
    }
    reasons
}

/// Of a migration of which neither the ledger nor the files tell anything.
fn unknown(step: Step, id: &MigrationId, evidence: &Evidence) -> Vec<Reason> {
    let reasons = flaw::against_step(step, id, &evidence.flaws);
    if !reasons.is_empty() {
        return reasons;
    }
    vec![Reason::said(Blocker::new(
        BlockerKind::NoSuchPhase,
        Verdict::Refuse,
        format!("there is no migration {id}"),
        "`migrate status` lists them",
    ))]
}

fn reasons_of(step: Step, state: &MigrationState, evidence: &Evidence) -> Vec<Reason> {
    let live = evidence.snapshot.live();
    if state.has_taken(step, &live) {
        return Vec::new();
    }
    let mut reasons = flaw::against_step(step, state.id(), &evidence.flaws);
    reasons.extend(structure(step, state, evidence));
    if step != Step::Revert && reasons.iter().all(leaves_the_declaration_in_doubt) {
        reasons.extend(contradictions(state, &live, evidence));
    }
    if reasons.iter().any(is_of_structure) {
        return reasons;
    }
    reasons.extend(by_the_rule(step, state, &live, evidence));
    let is_undecidable = |reason: &Reason| reason.blocker.kind == BlockerKind::UndecidableRows;
    if step == Step::Backfill && !reasons.iter().any(is_undecidable) {
        reasons.extend(undeclared_fill(state, &live).map(Reason::said));
    }
    let missing = without_evidence(step, state, &live, evidence);
    let measured = measured(step, state, &evidence.facts);
    reasons.extend(missing.into_iter().chain(measured).map(Reason::said));
    reasons
}

fn leaves_the_declaration_in_doubt(reason: &Reason) -> bool {
    matches!(
        reason.blocker.kind,
        BlockerKind::ExpandFirst | BlockerKind::Order | BlockerKind::Files
    )
}

/// What has to be in place before the rule can be asked.
fn structure(step: Step, state: &MigrationState, evidence: &Evidence) -> Vec<Reason> {
    let id = state.id();
    let parts = state.declaration.parts;
    let refuse = |kind, message: String, help: String| {
        vec![Reason::said(Blocker::new(
            kind,
            Verdict::Refuse,
            message,
            help,
        ))]
    };
    let expand_first = || {
        let message = format!("{id} is {}: its expand has to come first", state.phase);
        vec![Reason::take_or_wait(
            BlockerKind::ExpandFirst,
            message,
            (Step::Expand, id),
            evidence,
        )]
    };
    let has_part = match step {
        Step::Expand => parts.expand,
        Step::Backfill => parts.backfill,
        Step::Contract => parts.contract,
        // A format that was there from the start has nothing that could be undone.
        Step::Revert => parts.revert && parts.expand,
    };
    if !has_part {
        let (what, file) = match step {
            Step::Backfill => ("[backfill]", "backfill.sql"),
            Step::Expand => ("expand", "expand.sql"),
            Step::Contract => ("contract", "contract.sql"),
            Step::Revert if !parts.expand => ("expand to undo", "expand.sql and revert.sql"),
            Step::Revert => ("way back", "revert.sql"),
        };
        return refuse(
            BlockerKind::NoSuchPhase,
            format!("{id} has no {what}"),
            format!(
                "there is nothing to {}; if there should be, add {file} to the migration",
                step.name()
            ),
        );
    }
    let migrations = evidence.schema.migrations();
    match step {
        Step::Expand => {
            if state.phase == Phase::Reverting {
                if let Some(who) = evidence.facts.taken_by(Step::Revert, id) {
                    return vec![Reason::said(Blocker::new(
                        BlockerKind::WrongPhase,
                        Verdict::Hold,
                        format!("{id} is being reverted ({who})"),
                        "wait until that is done".to_owned(),
                    ))];
                }
                return refuse(
                    BlockerKind::WrongPhase,
                    format!("{id} is being reverted"),
                    format!("finish that first: run `migrate revert {id}`"),
                );
            }
            if let Some(refused) = sequence::refused(id, evidence) {
                return vec![Reason::said(refused)];
            }
            let earlier = migrations
                .iter()
                .find(|other| other.id() < id && !other.expand_is_done());
            earlier.map_or_else(Vec::new, |other| {
                let message = format!("{} comes before it and is {}", other.id(), other.phase);
                let first = evidence.facts.taken_by(Step::Expand, other.id());
                let next = if first.is_some() { other.id() } else { id };
                vec![Reason::take_or_wait(
                    BlockerKind::Order,
                    message,
                    (Step::Expand, next),
                    evidence,
                )]
            })
        }
        Step::Backfill if !state.expand_is_done() => expand_first(),
        Step::Backfill => Vec::new(),
        Step::Contract if !state.expand_is_done() => expand_first(),
        Step::Contract => {
            let filled = matches!(state.phase, Phase::Backfilled | Phase::Contracting);
            if parts.backfill && !filled {
                return backfill_first(state, evidence);
            }
            Vec::new()
        }
        Step::Revert if state.phase.contract_has_begun() => refuse(
            BlockerKind::WrongPhase,
            format!(
                "{id} is {}: the way back ended with its contract",
                state.phase
            ),
            "restore what is needed with a new migration".to_owned(),
        ),
        Step::Revert => {
            let later = migrations
                .iter()
                .rev()
                .find(|other| other.id() > id && other.phase != Phase::Pending);
            later.map_or_else(Vec::new, |other| {
                let message = format!("{} was applied after it and may build on it", other.id());
                let ways = structure(Step::Revert, other, evidence);
                let dead_end = ways.iter().find(|reason| {
                    let kind = reason.blocker.kind;
                    matches!(kind, BlockerKind::NoSuchPhase | BlockerKind::WrongPhase)
                });
                match dead_end {
                    Some(reason) => refuse(
                        BlockerKind::Order,
                        message,
                        format!(
                            "undo {id} with a new migration, because {}",
                            reason.blocker.message
                        ),
                    ),
                    None => {
                        let blocker =
                            Blocker::new(BlockerKind::Order, Verdict::Refuse, message, "");
                        vec![Reason::take(blocker, Step::Revert, other.id())]
                    }
                }
            })
        }
    }
}

pub(super) const PAUSED: &str = "its backfill is paused";

/// How a backfill that is paused goes on.
pub(super) fn resume(id: &MigrationId, facts: &Facts) -> String {
    let at_work = facts.at_work.as_ref();
    if at_work.is_some_and(|at_work| at_work.is_at(Step::Backfill, id)) {
        format!("`migrate backfill resume {id}` lets it go on; then wait until it is finished")
    } else {
        format!("`migrate backfill resume {id}`, and then `migrate backfill {id}`")
    }
}

pub(super) fn by_the_rule(
    step: Step,
    state: &MigrationState,
    live: &[Live],
    evidence: &Evidence,
) -> Vec<Reason> {
    let mut reasons: Vec<Reason> = Vec::new();
    for breach in first_causes(state.breaches_of(step, live)) {
        for reason in explain(step, state, &breach, live, evidence) {
            let blocker = &reason.blocker;
            let known = reasons.iter().any(|Reason { blocker: other, .. }| {
                (other.kind, &other.service, &other.version)
                    == (blocker.kind, &blocker.service, &blocker.version)
            });
            if !known {
                reasons.push(reason);
            }
        }
    }
    reasons
}

fn explain(
    step: Step,
    state: &MigrationState,
    breach: &Breach,
    live: &[Live],
    evidence: &Evidence,
) -> Vec<Reason> {
    let id = state.id();
    let declaration = &state.declaration;
    let gone = |who: &Live, message: String| {
        let message = format!("{message}{}", ambiguity(declaration, who));
        Reason::gone(who, (id, Some(step)), message, evidence)
    };
    let refuse = |kind, message: &str, help: &str| {
        Reason::said(Blocker::new(kind, Verdict::Refuse, message, help))
    };
    match (breach.clause, &breach.who) {
        (Clause::NewIsThere | Clause::OldIsThere, Some(who)) => {
            let format = if breach.clause == Clause::OldIsThere {
                Format::Old
            } else {
                Format::New
            };
            let does = touch_words(declaration, who, format);
            vec![gone(who, format!("{who} {does} the {format} format"))]
        }
        (Clause::Readable(kind), Some(who)) => vec![gone(
            who,
            format!(
                "{who} could not read rows that the {} leaves ({})",
                step.name(),
                kind_words(declaration, kind)
            ),
        )],
        (Clause::Filled(_), _) if !breach.writers.is_empty() => breach
            .writers
            .iter()
            .map(|who| {
                let left = if is_one_thing(declaration) {
                    "rows that it writes meanwhile may not be in the new one"
                } else {
                    "rows that it writes meanwhile would lack a fresh new one"
                };
                gone(who, format!("{who} writes only the old format: {left}"))
            })
            .collect(),
        (Clause::NothingIsLost(_) | Clause::Filled(_), _) | (_, None) => match step {
            Step::Backfill => vec![refuse(
                BlockerKind::UndecidableRows,
                "some rows may have a stale new format and others a stale or missing old one: \
                 no statement could tell which side is right",
                "compare both formats by hand and repair them in a new migration",
            )],
            Step::Contract => {
                // Rows without a new format are the work of live old-only writers, or were never filled.
                let writers: Vec<&Live> = live
                    .iter()
                    .filter(|who| state.is_touched_by(who, Format::Old))
                    .collect();
                if writers.is_empty() || !state.kinds.all_new_fresh() {
                    let message = if is_one_thing(declaration) {
                        "rows may exist that are not in the new format: the contract could not keep them"
                    } else {
                        "rows may exist whose new format is missing or stale: the contract would lose their data"
                    };
                    let help = "add a [backfill] in a new migration, or a sync that refreshes the new format";
                    let loss = refuse(BlockerKind::DataLoss, message, help);
                    vec![if declaration.parts.backfill {
                        Reason::take(loss.blocker, Step::Backfill, id)
                    } else {
                        loss
                    }]
                } else {
                    writers
                        .into_iter()
                        .map(|who| {
                            let does = touch_words(declaration, who, Format::Old);
                            gone(who, format!("{who} {does} the old format"))
                        })
                        .collect()
                }
            }
            Step::Expand | Step::Revert => vec![refuse(
                BlockerKind::DataLoss,
                if is_one_thing(declaration) {
                    "rows may exist that are in the new format only: going back could not keep them"
                } else {
                    "rows may exist whose old format is missing or stale: going back would lose what was written in the new one"
                },
                "go on to the contract, or carry the data back in a new migration",
            )],
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
