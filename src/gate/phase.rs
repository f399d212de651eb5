//! Whether one step of one migration is safe now.

use super::blocker::{Blocker, BlockerKind, Verdict};
use super::evidence::{self, Gaps};
use super::words::{ambiguity, touch_words};
use super::{Evidence, Facts, first_causes};
use crate::model::{Breach, Clause, Format, Live, MigrationId, MigrationState, Phase, Step};

type Answer = (Vec<Blocker>, Vec<String>);

pub(super) fn decide(step: Step, id: &MigrationId, evidence: &Evidence) -> Answer {
    let Some(state) = evidence.schema.get(id) else {
        let blocker = Blocker::new(
            BlockerKind::NoSuchPhase,
            Verdict::Refuse,
            format!("there is no migration {id}"),
            "`migrate status` lists them",
        );
        return (vec![blocker.of_migration(id)], Vec::new());
    };
    let live = evidence.snapshot.live();
    // A step that is done already is not an error.
    if state.has_taken(step, &live) {
        let note = format!(
            "{id} is {} already: nothing to {}",
            state.phase,
            step.name()
        );
        return (Vec::new(), vec![note]);
    }
    let mut blockers = structure(step, state, evidence);
    let mut notes = Vec::new();
    if blockers.is_empty() {
        blockers = by_the_rule(step, state, &live, evidence);
        blockers.extend(without_evidence(step, state, &live, evidence));
        blockers.extend(measured(step, state, &evidence.facts));
        notes = advice(step, state, &live);
    }
    let blockers = blockers
        .into_iter()
        .map(|blocker| blocker.of_migration(id))
        .collect();
    (blockers, notes)
}

/// What has to be in place before the rule can be asked.
fn structure(step: Step, state: &MigrationState, evidence: &Evidence) -> Vec<Blocker> {
    let id = state.id();
    let parts = state.declaration.parts;
    let refuse = |kind, message: String, help: String| {
        vec![Blocker::new(kind, Verdict::Refuse, message, help)]
    };
    let expand_first = || {
        refuse(
            BlockerKind::ExpandFirst,
            format!("{id} is {}: its expand has to come first", state.phase),
            format!("run `migrate expand {id}`"),
        )
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
                return refuse(
                    BlockerKind::WrongPhase,
                    format!("{id} is being reverted"),
                    format!("finish that first: run `migrate revert {id}`"),
                );
            }
            let earlier = migrations
                .iter()
                .find(|other| other.id() < id && !other.expand_is_done());
            earlier.map_or_else(Vec::new, |other| {
                refuse(
                    BlockerKind::Order,
                    format!("{} comes before it and is {}", other.id(), other.phase),
                    format!("run `migrate expand --up-to {id}`"),
                )
            })
        }
        Step::Backfill if !state.expand_is_done() => expand_first(),
        Step::Backfill => Vec::new(),
        Step::Contract if !state.expand_is_done() => expand_first(),
        Step::Contract => {
            let filled = matches!(state.phase, Phase::Backfilled | Phase::Contracting);
            if parts.backfill && !filled {
                return vec![backfill_first(state, &evidence.facts)];
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
                refuse(
                    BlockerKind::Order,
                    format!("{} was applied after it and may build on it", other.id()),
                    format!(
                        "revert {} first, or undo {id} with a new migration",
                        other.id()
                    ),
                )
            })
        }
    }
}

fn backfill_first(state: &MigrationState, facts: &Facts) -> Blocker {
    let id = state.id();
    match (&facts.coordinator, state.phase) {
        (Some(holder), Phase::Backfilling) => Blocker::new(
            BlockerKind::BackfillFirst,
            Verdict::Hold,
            format!("its backfill is running ({holder})"),
            format!("wait for it: `migrate contract {id} --wait 1h`"),
        ),
        _ => Blocker::new(
            BlockerKind::BackfillFirst,
            Verdict::Refuse,
            format!("{id} is {}: its backfill is not finished", state.phase),
            format!("run `migrate backfill {id}`"),
        ),
    }
}

fn by_the_rule(
    step: Step,
    state: &MigrationState,
    live: &[Live],
    evidence: &Evidence,
) -> Vec<Blocker> {
    let mut blockers: Vec<Blocker> = Vec::new();
    for breach in first_causes(state.breaches_of(step, live)) {
        for blocker in explain(step, state, &breach, live, evidence) {
            let known = blockers.iter().any(|other| {
                (other.kind, &other.service, &other.version)
                    == (blocker.kind, &blocker.service, &blocker.version)
            });
            if !known {
                blockers.push(blocker);
            }
        }
    }
    blockers
}

fn explain(
    step: Step,
    state: &MigrationState,
    breach: &Breach,
    live: &[Live],
    evidence: &Evidence,
) -> Vec<Blocker> {
    let id = state.id();
    let declaration = &state.declaration;
    let holds = |who: &Live, message: String| {
        Blocker::new(
            BlockerKind::LiveVersion,
            Verdict::Hold,
            format!("{message}{}", ambiguity(declaration, who)),
            format!(
                "replace {who} by a version that does not, and wait until its last instance is gone \
                 (`migrate fleet` shows where it runs)"
            ),
        )
        .seen(who, &evidence.snapshot)
    };
    match (breach.clause, &breach.who) {
        (Clause::NewIsThere | Clause::OldIsThere, Some(who)) => {
            let format = if breach.clause == Clause::OldIsThere { Format::Old } else { Format::New };
            let does = touch_words(declaration, who, format);
            vec![holds(who, format!("{who} {does} the {format} format"))]
        }
        (Clause::Readable(kind), Some(who)) => vec![holds(
            who,
            format!("{who} could not read rows that the {} leaves ({})", step.name(), kind.describe()),
        )],
        (Clause::Filled(_), _) if !breach.writers.is_empty() => breach
            .writers
            .iter()
            .map(|who| {
                holds(
                    who,
                    format!("{who} writes only the old format: rows that it writes meanwhile would lack a fresh new one"),
                )
            })
            .collect(),
        (Clause::NothingIsLost(_) | Clause::Filled(_), _) | (_, None) => match step {
            Step::Backfill => vec![Blocker::new(
                BlockerKind::UndecidableRows,
                Verdict::Refuse,
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
                    vec![Blocker::new(
                        BlockerKind::DataLoss,
                        Verdict::Refuse,
                        "rows may exist whose new format is missing or stale: the contract would lose their data",
                        if declaration.parts.backfill {
                            format!("run `migrate backfill {id}`")
                        } else {
                            "add a [backfill] in a new migration, or a sync that refreshes the new format".to_owned()
                        },
                    )]
                } else {
                    writers
                        .into_iter()
                        .map(|who| {
                            let does = touch_words(declaration, who, Format::Old);
                            holds(who, format!("{who} {does} the old format"))
                        })
                        .collect()
                }
            }
            Step::Expand | Step::Revert => vec![Blocker::new(
                BlockerKind::DataLoss,
                Verdict::Refuse,
                "rows may exist whose old format is missing or stale: going back would lose what was written in the new one",
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
    Gaps::find(evidence, [declaration]).that_matter(declaration, changes)
}

fn measured(step: Step, state: &MigrationState, facts: &Facts) -> Vec<Blocker> {
    let id = state.id();
    let mut blockers = Vec::new();
    if let Some(count) = facts.remaining.filter(|count| *count != 0) {
        let why = match step {
            Step::Backfill => "the backfill went over every row and left these as they are",
            _ => "rows were written past the backfill",
        };
        blockers.push(Blocker::new(
            BlockerKind::Requirement,
            Verdict::Refuse,
            format!(
                "`remaining` of the backfill returns {count}, and has to be 0{}",
                examples(
                    "; some of these rows have the keys",
                    &facts.remaining_examples
                )
            ),
            format!(
                "{why}: look at them with that query, repair what writes them, and run \
                 `migrate backfill {id}`, which begins at the first key again"
            ),
        ));
    }
    if let Some(found) = &facts.check {
        blockers.push(Blocker::new(
            BlockerKind::Requirement,
            Verdict::Refuse,
            format!(
                "`check` of the backfill finds rows {}, and may find none{}",
                found.place,
                examples("; the first are", &found.examples)
            ),
            format!(
                "look at them with that query, repair what writes them, and run `migrate backfill {id}`, \
                 which begins at the first key again"
            ),
        ));
    }
    if step != Step::Contract {
        return blockers;
    }
    for (query, result) in facts.require.iter().filter(|(_, result)| *result != 0) {
        blockers.push(Blocker::new(
            BlockerKind::Requirement,
            Verdict::Refuse,
            format!("a query under `require` returns {result}, and has to be 0: {query}"),
            "look at the rows that it counts, and repair them",
        ));
    }
    if let Some(soak) = facts.soak.filter(|soak| soak.quiet_ms < soak.required_ms) {
        let left = (soak.required_ms.saturating_sub(soak.quiet_ms)).saturating_add(999) / 1000;
        blockers.push(Blocker::new(
            BlockerKind::Soak,
            Verdict::Hold,
            format!(
                "no old version has been seen for {} s, and `soak` asks for {} s",
                soak.quiet_ms.max(0) / 1000,
                soak.required_ms / 1000
            ),
            format!("wait {left} s more: `migrate contract {id} --wait {left}s`"),
        ));
    }
    blockers
}

fn examples(what: &str, examples: &[String]) -> String {
    if examples.is_empty() {
        return String::new();
    }
    format!("{what} {}", examples.join(" and "))
}

fn advice(step: Step, state: &MigrationState, live: &[Live]) -> Vec<String> {
    match step {
        Step::Expand => came_too_early(state, live),
        Step::Backfill => how_to_fill(state, live),
        Step::Contract | Step::Revert => Vec::new(),
    }
}

/// Versions that need the new format run already, whatever let them start.
fn came_too_early(state: &MigrationState, live: &[Live]) -> Vec<String> {
    let after = state.after(Step::Expand, live);
    state
        .breaches(live)
        .into_iter()
        .filter(|breach| breach.clause == Clause::NewIsThere)
        .filter_map(|breach| breach.who)
        .map(|who| {
            let alone = std::slice::from_ref(&who);
            let rest = if after.breaches(alone).is_empty() {
                ""
            } else if state.declaration.parts.backfill {
                "; it still cannot read existing rows until the backfill is done"
            } else {
                "; it still cannot read existing rows"
            };
            format!("{who} is live already and came before the new format that it needs{rest}")
        })
        .collect()
}

fn how_to_fill(state: &MigrationState, live: &[Live]) -> Vec<String> {
    let mut notes = Vec::new();
    if state.backfill_must_overwrite(live) {
        notes.push(
            "an old-only writer ran beside one that writes both: backfill.sql has to overwrite \
             stale values of the new format, not only fill missing ones"
                .to_owned(),
        );
    } else if state.backfill_must_only_fill(live) {
        notes.push(
            "rows may exist, or be written while it runs, whose old format is stale or missing: backfill.sql has to leave a new \
             format alone that is already there"
                .to_owned(),
        );
    }
    notes
}
