//! What to do next.

use super::{Naming, forgetting, message, seconds, words};
use crate::gate::advice::{Advice, Departure, Leftover, Span, Unrecorded, Way, Worker};
use crate::gate::reason::Reason;
use crate::model::{EndingCause, Live, MigrationId, Rows, Step, Sync, Version};

const WHERE: &str = "(`migrate fleet` shows where it runs)";

pub(super) fn help(advice: &Advice, reason: &Reason) -> String {
    match advice {
        Advice::AsTheReasonSays => words(reason, Naming::ByName).help,
        Advice::Take {
            step,
            migration,
            unrecorded,
        } => {
            let also = match unrecorded {
                Unrecorded::Nothing => "",
                Unrecorded::Overwrites => {
                    "; its backfill.sql has to overwrite stale values, and its migration.toml to say so (`overwrites = true`, or a `check`)"
                }
            };
            format!("run `{}` first{also}", command(*step, migration))
        }
        Advice::TakeOnce {
            step,
            migration,
            passing,
        } => format!(
            "run `{}` first, once this has passed: {}",
            command(*step, migration),
            message(passing)
        ),
        Advice::TakeAfter {
            step,
            migration,
            refused,
            first,
        } => {
            let mut text = format!(
                "`{}` has to come first, and is refused itself: {}",
                command(*step, migration),
                message(refused)
            );
            if let Some(first) = first {
                let end = if text.ends_with(['?', '.']) { "" } else { "." };
                text.push_str(&format!("{end} For that: {}", help(first, refused)));
            }
            text
        }
        Advice::Resume { migration, worker } => match worker {
            Worker::Waits => format!(
                "`migrate backfill resume {migration}` lets it go on; then wait until it is finished"
            ),
            Worker::Nobody => format!(
                "`migrate backfill resume {migration}`, and then `migrate backfill {migration}`"
            ),
        },
        Advice::SeeOff(departure) => see_off(departure),
        Advice::OrOnPaper(other) => format!(
            "{}; or plan on paper: `migrate plan --from SERVICE=VERSION …`",
            help(other, reason)
        ),
    }
}

fn command(step: Step, migration: &MigrationId) -> String {
    match step {
        Step::Expand => format!("migrate expand --up-to {migration}"),
        _ => format!("migrate {} {migration}", step.name()),
    }
}

fn see_off(departure: &Departure) -> String {
    let who = &departure.who;
    let mut text = way(&departure.way, who);
    text.extend(departure.leftovers.iter().map(left_over));
    // Those that are easily overlooked.
    text.extend(departure.twins.iter().map(|twins| {
        format!(
            "; {}: the one at {} is not gone, so stop it by hand where it runs, and give each process a name of its own (`--instance`)",
            twins.describe(),
            who.version
        )
    }));
    text
}

fn way(way: &Way, who: &Live) -> String {
    let none = || {
        format!(
            "no version of {} that may start now could take the place of {who}",
            who.service
        )
    };
    match way {
        Way::Leaves => {
            format!("it is on its way out: wait until its last instance is gone {WHERE}")
        }
        Way::Replace => format!("replace {who}, and wait until its last instance is gone {WHERE}"),
        Way::ReplaceBy(ranges) => format!(
            "replace {who} by a version in the range {}, which may start now, and wait until its last instance is gone {WHERE}",
            spans(ranges)
        ),
        Way::Stop => format!(
            "{}: with downtime, stop it down to its last instance {WHERE}",
            none()
        ),
        Way::NoSuccessor { sync, rows } => format!(
            "{}. To go on without downtime {others}; `migrate plan --to {service}=VERSION` shows what would open a way",
            none(),
            service = who.service,
            others = other_ways(*sync, *rows),
        ),
    }
}

/// What a declaration can be changed to, or a release can do, where nothing that may start helps.
fn other_ways(sync: Sync, rows: Rows) -> String {
    let mut ways = vec![match sync {
        Sync::ToNew => {
            "put a release in between that reads the new format and does not write it yet"
        }
        Sync::ToOld => {
            "put a release in between that writes the new format and still reads the old one"
        }
        Sync::None | Sync::Both => {
            "put a release in between that reads old and writes both formats"
        }
    }];
    if sync == Sync::None {
        ways.push("install a `sync` in expand.sql");
        if rows == Rows::Mutable {
            ways.push("declare `rows = \"append-only\"` if rows are never updated");
        }
    }
    ways.join(", or ")
}

/// Until when leases count that nobody renews, and what ends them sooner.
fn left_over(leftover: &Leftover) -> String {
    let ending = &leftover.ending;
    let left = seconds(ending.left_ms);
    let silent = ending.silent_ms / 1000;
    let (are, count_as) = if ending.leases == 1 {
        ("one lease is", "counts as live")
    } else {
        ("some leases are", "count as live")
    };
    match ending.cause {
        EndingCause::Admitted => format!(
            "; what `migrate admit` let in counts as live for as long as it was let in for, {left} s more at most, unless a source shows it"
        ),
        EndingCause::Lost => format!(
            "; {are} lost since {silent} s ago (nobody has renewed it) and {count_as} until it ends, in {left} s at most: if its instance is \
             gone for good, {}",
            forgetting(&leftover.names)
        ),
        EndingCause::Superseded => format!(
            "; {are} left behind by an instance that has registered once more since, was renewed {silent} s ago for the last time, and \
             {count_as} until it ends, in {left} s at most: {} sooner, and nothing of an instance that runs",
            forgetting(&leftover.names)
        ),
    }
}

/// `>=1.1.0, <1.2.0`, several of them joined by ` || `, as `migration.toml` has them.
pub(in super::super) fn spans(spans: &[Span]) -> String {
    let first = Version::new(0, 0, 0);
    let each = spans.iter().map(|Span { from, before }| match before {
        None if *from <= first => "*".to_owned(),
        None => format!(">={from}"),
        Some(before) if *from <= first => format!("<{before}"),
        Some(before) => format!(">={from}, <{before}"),
    });
    each.collect::<Vec<_>>().join(" || ")
}
