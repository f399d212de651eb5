//! What stands against a step from the state of the schema, its files and its rows.

use super::{Naming, Words, ambiguity, by};
use crate::gate::flaw::{Flaw, Flawed};
use crate::gate::reason::{
    FillWork, FlawEffect, Need, NoSuchPhase, Order, Part, Reason, Requirement, WaitsForFill,
    WrongPhase,
};
use crate::gate::{Soak, Unrehearsed};
use crate::model::{Basis, Keeps, Live, MigrationId, Phase, Step};

pub(super) fn words(reason: &Reason, naming: Naming<'_>) -> Words {
    match reason {
        Reason::ExpandFirst {
            migration,
            phase,
            needed_by,
            taken_by,
        } => expand_first(
            (migration, *phase),
            needed_by.as_ref(),
            taken_by.as_ref(),
            naming,
        ),
        Reason::BackfillFirst {
            migration,
            waiting,
            fill,
        } => match waiting {
            WaitsForFill::Contract => unfilled(migration, fill, naming),
            WaitsForFill::Start(who) => overwritten(migration, who, fill, naming),
        },
        Reason::ContractFirst {
            basis,
            taken_by,
            no_room_for,
        } => contract_first(basis, taken_by.as_ref(), no_room_for.as_ref()),
        Reason::Order(order) => in_order(order),
        Reason::NoSuchPhase(NoSuchPhase::NoPart {
            migration,
            step,
            part,
        }) => no_part(migration, *step, *part),
        Reason::NoSuchPhase(NoSuchPhase::NoMigration(id)) => Words::new(
            format!("there is no migration {id}"),
            "`migrate status` lists them",
        ),
        Reason::WrongPhase(wrong) => wrong_phase(wrong),
        Reason::OutOfStep { migration, what } => Words::new(
            format!("{what}, and {migration} relies on it to keep both formats in step"),
            format!(
                "make it again as the expand.sql of {migration} has it. What was written meanwhile is remembered: the backfill of \
                 {migration} has to run again before its contract, and to overwrite what is stale"
            ),
        ),
        Reason::Requirement(requirement) => required(requirement),
        Reason::Soak { migration, soak } => soaking(migration, *soak),
        Reason::InUse {
            migration,
            required_ms,
            found,
        } => super::used::words(migration, *required_ms, found),
        Reason::Needed { migration, by } => needed(migration, by),
        Reason::Rehearsal { migration, found } => unrehearsed(migration, *found),
        Reason::Files { effect, flaw } => files(effect, flaw),
        _ => Words::new("", ""),
    }
}

fn expand_first(
    (migration, phase): (&MigrationId, Phase),
    needed_by: Option<&Need>,
    taken_by: Option<&String>,
    naming: Naming<'_>,
) -> Words {
    let message = match needed_by {
        Some(need) => {
            let is = match phase {
                Phase::Reverting => "being reverted",
                Phase::Expanding => "still being expanded",
                _ => "not expanded yet",
            };
            format!(
                "{} {} the new format of {migration}, which is {is}{}",
                naming.of(&need.who),
                need.touch.name(),
                ambiguity(&need.who, need.readings)
            )
        }
        None => format!("{migration} is {phase}: its expand has to come first"),
    };
    let help = if taken_by.is_some() {
        format!("wait until the expand of {migration} is done")
    } else {
        format!("finish `migrate revert {migration}`, then expand it again")
    };
    Words::new(format!("{message}{}", by(taken_by)), help)
}

/// A contract whose backfill is not finished.
fn unfilled(migration: &MigrationId, fill: &FillWork, naming: Naming<'_>) -> Words {
    match fill {
        FillWork::Running { by } => Words::new(
            format!("its backfill is running ({by})"),
            format!("wait for it: `migrate contract {migration} --wait 1h`"),
        ),
        FillWork::Paused => Words::new("its backfill is paused", ""),
        FillWork::Idle { phase, held_up_by } => {
            let message = format!("{migration} is {phase}: its backfill is not finished");
            if held_up_by.is_empty() {
                return Words::new(message, "");
            }
            let names = naming.all(held_up_by);
            Words::new(
                format!("{message}, and has to wait for {names}"),
                format!("run `migrate backfill {migration}` when {names} is gone"),
            )
        }
    }
}

/// A version whose writes the backfill would overwrite.
fn overwritten(migration: &MigrationId, who: &Live, fill: &FillWork, naming: Naming<'_>) -> Words {
    let what = format!(
        "the backfill of {migration} is under way and would overwrite what {} writes",
        naming.of(who)
    );
    match fill {
        FillWork::Running { by } => Words::new(
            format!("{what} ({by})"),
            "wait until the backfill is finished",
        ),
        FillWork::Paused => Words::new(format!("{what}, and is paused"), ""),
        FillWork::Idle { .. } => Words::new(format!("{what}, and nobody is at work on it now"), ""),
    }
}

/// What it builds on is still kept by an earlier migration.
fn contract_first(basis: &Basis, taken_by: Option<&String>, no_room_for: Option<&String>) -> Words {
    let Basis {
        migration, keeps, ..
    } = basis;
    let message = match keeps {
        Keeps::Columns { .. } | Keeps::Table(_) => {
            format!(
                "{migration} keeps {keeps} in step until it is contracted, and this changes that"
            )
        }
        Keeps::View(name) => format!("{name} is a view until {migration} is contracted"),
        Keeps::Definition { .. } => format!(
            "the contract of {migration} is to give {keeps} a definition of its own, which would undo what this makes of it"
        ),
        Keeps::Outcome { .. } => {
            format!("this counts on what the contract of {migration} is to do with {keeps}")
        }
        Keeps::Needed { .. } => {
            format!("the contract of {migration} still needs {keeps}, which this takes away")
        }
    };
    let help = match no_room_for {
        Some(service) => format!(
            "let this begin with a later release (`new` in its migration.toml), so that one of {service} comes between that needs \
             {migration} and not this: each version holds up that contract, or needs this expand. Or put both changes into {migration}, \
             where that is not applied yet"
        ),
        None => format!("wait until the contract of {migration} is done"),
    };
    Words::new(format!("{message}{}", by(taken_by)), help)
}

fn in_order(order: &Order) -> Words {
    match order {
        Order::Earlier {
            migration,
            phase,
            taken_by,
        } => Words::new(
            format!(
                "{migration} comes before it and is {phase}{}",
                by(taken_by.as_ref())
            ),
            format!("wait until the expand of {migration} is done"),
        ),
        Order::Later {
            migration,
            undo,
            dead_end,
        } => Words::new(
            format!("{migration} was applied after it and may build on it"),
            dead_end.as_ref().map_or_else(String::new, |because| {
                format!(
                    "undo {undo} with a new migration, because {}",
                    super::message(because)
                )
            }),
        ),
        Order::Passed {
            migration,
            later,
            keeps,
        } => Words::new(
            format!(
                "{later} is expanded already and has made something else of {keeps}, which this contract would undo"
            ),
            format!(
                "`migrate renumber {migration}` puts it after {later}: look then whether its contract says what {keeps} is now"
            ),
        ),
        Order::Strict { migration, later } => Words::new(
            format!("{migration} comes after {later} here, and before it on a new database"),
            format!(
                "`migrate renumber {migration}` gives it the next free number; `order = \"strict\"` under [project] in migrate.toml \
                 asks for this"
            ),
        ),
    }
}

fn no_part(migration: &MigrationId, step: Step, part: Part) -> Words {
    let (what, file) = match part {
        Part::Backfill => ("[backfill]", "backfill.sql"),
        Part::Expand => ("expand", "expand.sql"),
        Part::Contract => ("contract", "contract.sql"),
        Part::ExpandToUndo => ("expand to undo", "expand.sql and revert.sql"),
        Part::WayBack => ("way back", "revert.sql"),
    };
    Words::new(
        format!("{migration} has no {what}"),
        format!(
            "there is nothing to {}; if there should be, add {file} to the migration",
            step.name()
        ),
    )
}

fn wrong_phase(wrong: &WrongPhase) -> Words {
    match wrong {
        WrongPhase::BeingReverted {
            migration,
            taken_by,
        } => Words::new(
            format!("{migration} is being reverted{}", by(taken_by.as_ref())),
            if taken_by.is_some() {
                "wait until that is done".to_owned()
            } else {
                format!("finish that first: run `migrate revert {migration}`")
            },
        ),
        WrongPhase::PastReturn { migration, phase } => Words::new(
            format!("{migration} is {phase}: the way back ended with its contract"),
            "restore what is needed with a new migration",
        ),
    }
}

fn required(requirement: &Requirement) -> Words {
    match requirement {
        Requirement::Remaining {
            migration,
            step,
            rows,
            examples,
            passed_by,
        } => {
            let why = match step {
                Step::Backfill => {
                    "the backfill went over every key that there was when it began, and left these as they are"
                }
                _ => "rows were written past the backfill",
            };
            Words::new(
                format!(
                    "`remaining` of the backfill returns {rows}, and has to be 0{}",
                    some("; some of these rows have the keys", examples)
                ),
                if passed_by.is_empty() {
                    format!(
                        "{why}: look at them with that query, repair what writes them, and run \
                         `migrate backfill {migration}`, which begins at the first key again"
                    )
                } else {
                    passed_by.join("; ")
                },
            )
        }
        Requirement::Check { migration, found } => Words::new(
            format!(
                "`check` of the backfill finds rows {}, and may find none{}",
                found.place,
                some("; the first are", &found.examples)
            ),
            format!(
                "look at them with that query, repair what writes them, and run `migrate backfill {migration}`, \
                 which begins at the first key again"
            ),
        ),
        Requirement::Require { query, result } => Words::new(
            format!("a query under `require` returns {result}, and has to be 0: {query}"),
            "look at the rows that it counts, and repair them",
        ),
    }
}

fn some(what: &str, examples: &[String]) -> String {
    if examples.is_empty() {
        return String::new();
    }
    format!("{what} {}", examples.join(" and "))
}

fn soaking(migration: &MigrationId, soak: Soak) -> Words {
    let left = (soak.required_ms.saturating_sub(soak.quiet_ms)).saturating_add(999) / 1000;
    Words::new(
        format!(
            "no old version has been seen for {} s, and `soak` asks for {} s",
            soak.quiet_ms.max(0) / 1000,
            soak.required_ms / 1000
        ),
        format!("wait {left} s more: `migrate contract {migration} --wait {left}s`"),
    )
}

fn needed(migration: &MigrationId, by: &[String]) -> Words {
    const TOLD: usize = 5;
    let mut told: Vec<&str> = by.iter().take(TOLD).map(String::as_str).collect();
    let more = format!("and {} more", by.len().saturating_sub(TOLD));
    if by.len() > TOLD {
        told.push(&more);
    }
    Words::new(
        format!(
            "something in the database needs what the contract of {migration} takes away: {}",
            told.join("; ")
        ),
        format!(
            "make it anew without that, or drop it, by a migration before {migration} or in its contract.sql above the statement that takes \
             it away. CASCADE would take it along"
        ),
    )
}

fn unrehearsed(migration: &MigrationId, found: Unrehearsed) -> Words {
    let rehearse = format!("`migrate rehearse {migration} --record`");
    let message = match found {
        Unrehearsed::Never => format!("no rehearsal of {migration} is recorded"),
        Unrehearsed::OtherFiles { .. } => format!(
            "{migration} was rehearsed with other files: its migration.toml or a script was changed since"
        ),
        Unrehearsed::Denied { .. } => {
            format!("the last rehearsal of these files of {migration} has denied what they claim")
        }
    };
    let help = match found {
        Unrehearsed::Denied { .. } => format!(
            "{rehearse} says what: mend the files, and rehearse them again, or have what the rehearsal works with put in order"
        ),
        Unrehearsed::Never | Unrehearsed::OtherFiles { .. } => format!(
            "run {rehearse}; where it cannot be tried, and is known from elsewhere to be right, \
             `migrate contract {migration} --accept-unknown REASON` goes on and records why"
        ),
    };
    Words::new(
        format!(
            "{message}, and `required` under [rehearse] asks for one of these very files that finds nothing wrong"
        ),
        help,
    )
}

fn files(effect: &FlawEffect, flaw: &Flaw) -> Words {
    let what = match (effect, &flaw.of) {
        (FlawEffect::CannotRun(step), Flawed::Now(..)) => format!("{} cannot run now", step.name()),
        (FlawEffect::CannotRun(step), _) => format!("{} cannot run from these files", step.name()),
        (FlawEffect::CannotLive(who), of) => match of {
            Flawed::Leaving(id) => format!("{who} cannot live before the contract of {id}"),
            _ => format!("{who} cannot live as things stand"),
        },
        // They build on each other.
        (FlawEffect::ComesBefore(id), _) => format!("{id} comes before it, and is not in order"),
        (FlawEffect::Hides, Flawed::Settings) => {
            "which services there are and who sees them is not known".to_owned()
        }
        (FlawEffect::Hides, Flawed::Listing) => {
            "which migrations nobody has applied yet is not known".to_owned()
        }
        (
            FlawEffect::Hides,
            Flawed::Declaration(id)
            | Flawed::Step(id, _)
            | Flawed::Now(id, _)
            | Flawed::Applied(id)
            | Flawed::Leaving(id),
        ) => {
            format!("which versions need {id} is not known")
        }
    };
    Words::new(format!("{what}: {}", flaw.error), &flaw.help)
}
