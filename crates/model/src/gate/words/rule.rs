//! What the rule of [`crate::model`] says against an action.

use super::{Naming, Words, ambiguity, is_one_thing, of_kind};
use crate::gate::Onward;
use crate::gate::reason::{Conflict, FillNeed, Incompatible, Leaves, Reason, Suspicion};
use crate::model::{Live, MigrationId, Phase, Step, Sync};

pub(super) fn words(reason: &Reason, naming: Naming<'_>) -> Words {
    match reason {
        // Who has to go, and how, is not in the reason.
        Reason::LiveVersion { who, conflict, .. } => {
            Words::new(conflicts(who, conflict, naming), "")
        }
        Reason::Contradiction {
            who,
            touch,
            migration,
            phase,
            suspicion,
        } => contradiction(
            who,
            (touch.infinitive(), *suspicion),
            (migration, *phase),
            naming,
        ),
        Reason::UndeclaredFill(need) => fill(*need),
        Reason::OldFormatGone {
            who,
            touch,
            migration,
            phase,
            readings,
        } => {
            let gone = if *phase == Phase::Contracted {
                "has been removed"
            } else {
                "is being removed"
            };
            Words::new(
                format!(
                    "{} {} the old format of {migration}, which {gone}{}",
                    naming.of(who),
                    touch.name(),
                    ambiguity(who, *readings)
                ),
                "start a version that does not use it; `migrate status` shows which may start",
            )
        }
        Reason::TooOld {
            who,
            touch,
            migration,
            newest,
        } => Words::new(
            format!(
                "{} {} the new format of {migration}, and the migrations that came along with what is to start end at {newest}: this is \
                 the code of an older version, or its migrations were left behind",
                naming.of(who),
                touch.name(),
            ),
            format!(
                "start the image that {who} was built as (`kubectl set image` changes the image and no label); if this is it, build it anew \
                 with the migrations that its code was written with, {migration} among them"
            ),
        ),
        Reason::UnreadableRows {
            who,
            migration,
            rows,
            readings,
        } => Words::new(
            format!(
                "{} cannot read rows that may exist in {migration} ({}){}",
                naming.of(who),
                of_kind(*rows),
                ambiguity(who, *readings)
            ),
            "deploy a version that can read them; `migrate status` shows which may start",
        ),
        Reason::DataLoss {
            migration,
            step,
            sync,
            onward,
        } => loss(migration, *step, *sync, *onward),
        Reason::Incompatible(incompatible) => beside_each_other(incompatible, naming),
        Reason::UndecidableRows { migration } => Words::new(
            "some rows may have a stale new format and others a stale or missing old one: \
             no statement could tell which side is right",
            format!(
                "compare both formats by hand, repair the rows, have a `check` under [backfill] (or a `require` under [contract]) find \
                 those that do not agree, and then record it: {}",
                rows_repaired(migration)
            ),
        ),
        _ => Words::new("", ""),
    }
}

/// How a human's word is recorded.
fn rows_repaired(migration: &MigrationId) -> String {
    format!("`migrate resolve {migration} --rows-repaired --reason TEXT`")
}

fn conflicts(who: &Live, conflict: &Conflict, naming: Naming<'_>) -> String {
    let name = naming.of(who);
    match conflict {
        Conflict::Uses {
            format,
            touch,
            readings,
        } => format!(
            "{name} {} the {format} format{}",
            touch.name(),
            ambiguity(who, *readings)
        ),
        Conflict::CannotRead {
            step,
            rows,
            readings,
        } => format!(
            "{name} could not read rows that the {} leaves ({}){}",
            step.name(),
            of_kind(*rows),
            ambiguity(who, *readings)
        ),
        Conflict::WritesOnlyOld { sync, readings } => {
            let left = if is_one_thing(*sync) {
                "rows that it writes meanwhile may not be in the new one"
            } else {
                "rows that it writes meanwhile would lack a fresh new one"
            };
            format!(
                "{name} writes only the old format: {left}{}",
                ambiguity(who, *readings)
            )
        }
        Conflict::Leaves(leaves) => left_behind(leaves, naming),
    }
}

fn left_behind(leaves: &Leaves, naming: Naming<'_>) -> String {
    format!(
        "{} leaves rows in {} that {} cannot read ({}){}",
        naming.of(&leaves.writer),
        leaves.migration,
        naming.of(&leaves.reader),
        of_kind(leaves.rows),
        ambiguity(&leaves.reader, leaves.readings)
    )
}

fn contradiction(
    who: &Live,
    (does, suspicion): (&str, Suspicion),
    (migration, phase): (&MigrationId, Phase),
    naming: Naming<'_>,
) -> Words {
    let swapped = match suspicion {
        Suspicion::Swapped => "are `old` and `new` swapped?",
        Suspicion::BeginsTooLow => "does `new` begin too low?",
    };
    let (is, ranges) = match phase {
        Phase::Expanding => (
            "is only being added",
            "take back what is done of it with `migrate revert`, and then correct them",
        ),
        _ => (
            "does not exist yet",
            "correct them, which is possible while nothing of the migration is applied",
        ),
    };
    let name = naming.of(who);
    Words::new(
        format!(
            "{name} is live, and is declared to {does} the new format of {migration}, which {is}: {swapped}"
        ),
        format!(
            "if the ranges of [services.{service}] in its migration.toml are wrong, {ranges}; if {name} was started too early, \
             go back to a version that does without the new format, or stop it, and run this again",
            service = who.service,
        ),
    )
}

fn fill(need: FillNeed) -> Words {
    match need {
        FillNeed::Overwrite => Words::new(
            "an old-only writer ran beside one that writes both: backfill.sql has to overwrite stale values of the new format, \
             not only fill missing ones, and nothing says that it does",
            "see that it does, and write `overwrites = true` under [backfill]; or write a `check` there, which finds rows whose \
             new format does not agree with the old one",
        ),
        FillNeed::OnlyFill => Words::new(
            "rows may exist, or be written while it runs, whose old format is stale or missing, and `overwrites = true` says \
             that backfill.sql would write it over the new one",
            "see that backfill.sql leaves a new format alone that is already there (`… AND first_name IS NULL`), and take \
             `overwrites = true` out of [backfill]",
        ),
    }
}

fn loss(migration: &MigrationId, step: Step, sync: Sync, onward: Onward) -> Words {
    let message = match (step, is_one_thing(sync)) {
        (Step::Contract, true) => {
            "rows may exist that are not in the new format: the contract could not keep them"
        }
        (Step::Contract, false) => {
            "rows may exist whose new format is missing or stale: the contract would lose their data"
        }
        (_, true) => {
            "rows may exist that are in the new format only: going back could not keep them"
        }
        (_, false) => {
            "rows may exist whose old format is missing or stale: going back would lose what was written in the new one"
        }
    };
    let help = match step {
        Step::Contract => format!(
            "add a [backfill] in a new migration, or a sync that refreshes the new format; or repair the rows, have a `require` under \
             [contract] count those that do not agree, and record it: {}",
            rows_repaired(migration)
        ),
        _ => match onward {
            Onward::Contract => {
                "go on to the contract, or carry the data back in a new migration".to_owned()
            }
            Onward::Nothing => {
                "what it has added can stay; where it should go with what stands in it, a new migration takes it away at its contract".to_owned()
            }
        },
    };
    Words::new(message, help)
}

fn beside_each_other(incompatible: &Incompatible, naming: Naming<'_>) -> Words {
    match incompatible {
        Incompatible::WithItself {
            who,
            migration,
            rows,
            readings,
        } => Words::new(
            format!(
                "{} cannot read the rows that it writes itself in {migration} ({}){}",
                naming.of(who),
                of_kind(*rows),
                ambiguity(who, *readings)
            ),
            if who.version.tag().is_some() {
                "deploy a build that has a tag, or name an alias for it"
            } else {
                "correct the ranges in migration.toml, or declare the sync that there is"
            },
        ),
        Incompatible::WithAnother(leaves) => Words::new(
            left_behind(leaves, naming),
            "deploy one after the other, or a release in between that works with both",
        ),
        Incompatible::NoSequence { service } => Words::new(
            format!(
                "each migration alone leaves {service} a way, and no sequence of its releases suits all of them"
            ),
            format!(
                "name more releases with `--via {service}=…`, or take the migrations one after the other"
            ),
        ),
        Incompatible::NoOrder => Words::new(
            "each service alone could get there, and beside one another they cannot in any order",
            "name more releases with `--via`, or plan for versions nearer to those that run",
        ),
        Incompatible::NotAllTried { states } => Words::new(
            format!("no plan was found among the first {states} states, and not all were tried"),
            "plan fewer services at once, or name fewer releases",
        ),
    }
}
