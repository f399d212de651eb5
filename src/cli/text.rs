//! How results read for a person.

use comfy_table::{ContentArrangement, Table, presets};

use super::paint::{self, Cell, Line, NARROWEST, Tone};
use super::summed;
pub(super) use crate::ask::words::{count, so_far, span, speed};
use crate::backfill::Standing;
use crate::gate::{Action, Blocker, Decision, Verdict};
use crate::model::MigrationId;

/// A table without lines, its columns aligned; it is broken to the width of the terminal.
pub(super) fn table<C: Into<Cell>>(header: &[&str], rows: Vec<Vec<C>>) -> Vec<Line> {
    arranged(ContentArrangement::Dynamic, header, rows)
}

/// A table of short cells, with more about each row in lines of their own below it.
pub(super) fn table_with_details(
    header: &[&str],
    rows: Vec<(Vec<Cell>, Vec<String>)>,
) -> Vec<Line> {
    let (cells, details): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
    let arranged = arranged(ContentArrangement::Disabled, header, cells);
    let mut lines = Vec::new();
    let header_has_none = std::iter::once(Vec::new());
    for (line, details) in arranged.into_iter().zip(header_has_none.chain(details)) {
        lines.push(line);
        lines.extend(
            details
                .iter()
                .map(|detail| Line::from(format!("     {detail}"))),
        );
    }
    lines
}

fn arranged<C: Into<Cell>>(
    arrangement: ContentArrangement,
    header: &[&str],
    rows: Vec<Vec<C>>,
) -> Vec<Line> {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(arrangement)
        // Colour is taken away where the line is written, if need be.
        .enforce_styling()
        .set_header(
            header
                .iter()
                .map(|title| Cell::toned(Tone::Label, &title.to_uppercase()).into_inner()),
        );
    match table.width() {
        // A terminal that does not know its width: nothing else is broken there either.
        Some(0) => {
            table.set_content_arrangement(ContentArrangement::Disabled);
        }
        Some(width) if width < NARROWEST => {
            table.set_width(NARROWEST);
        }
        _ => {}
    }
    for row in rows {
        table.add_row(row.into_iter().map(|cell| cell.into().into_inner()));
    }
    paint::of_table(&table)
}

/// How a backfill gets on: `0002_name: 300000 of about 1000000 rows, 45000 rows/s, 15 s left`.
pub(super) fn standing(migration: &MigrationId, standing: &Standing) -> String {
    let what = if standing.is_check { " check" } else { "" };
    format!(
        "{migration}{what}: {}{}",
        so_far(standing.seen, standing.total),
        speed(standing.seen, standing.total, standing.rate)
    )
}

/// What the action is, as a person would say it.
pub(super) fn action(action: &Action) -> String {
    match action {
        Action::Step { step, migration } => format!("{} {migration}", step.name()),
        Action::Deploy(live) => {
            let names: Vec<String> = live.iter().map(ToString::to_string).collect();
            format!("deploy {}", names.join(", "))
        }
    }
}

/// A verdict with its reasons, one paragraph each.
pub(super) fn decision(decision: &Decision, now: i64) -> Vec<Line> {
    let mut lines = vec![verdict(decision.verdict, &action(&decision.action))];
    lines.extend(summed::blockers(&decision.blockers, |reason| {
        blocker(reason, now)
    }));
    lines.extend(notes(&decision.notes));
    lines
}

/// `hold: contract 0002_name`.
pub(super) fn verdict(verdict: Verdict, of: &str) -> Line {
    let name = format!("{}:", verdict.name());
    let named = Line::default().toned(verdict.into(), &name);
    named.and(" ").and(of)
}

/// What is to be known beside a result, below it.
pub(super) fn notes<T: AsRef<str>>(notes: &[T]) -> impl Iterator<Item = Line> + '_ {
    notes
        .iter()
        .map(|note| Line::named("  ", "note:", note.as_ref()))
}

/// A reason, who was seen, and what to do next.
pub(super) fn blocker(blocker: &Blocker, now: i64) -> Vec<Line> {
    let mut lines = blocker_alone(blocker, now);
    let help = blocker.help();
    if !help.is_empty() {
        lines.push(Line::named("    ", "next:", &help));
    }
    lines
}

/// A reason and who was seen, where what to do next is said of several together.
pub(super) fn blocker_alone(blocker: &Blocker, now: i64) -> Vec<Line> {
    let mut lines = vec![Line::from(format!("  {}", blocker.message()))];
    if let Some(seen) = seen(blocker, now) {
        lines.push(Line::named("    ", "seen:", &seen));
    }
    lines
}

/// Where and when a blocker was seen.
fn seen(blocker: &Blocker, now: i64) -> Option<String> {
    let seen = &blocker.seen;
    if seen.sources.is_empty() || seen.instances == 0 {
        return None;
    }
    let mut text = count(seen.instances, "instance");
    if !seen.examples.is_empty() {
        text.push_str(&format!(" ({})", names(blocker)));
    }
    text.push_str(&format!(", by {}", seen.sources.join(", ")));
    if let Some(at) = seen.at {
        let age = u64::try_from(now.saturating_sub(at)).unwrap_or(0);
        text.push_str(&format!(", {} ago", span(age)));
    }
    Some(text)
}

/// The instances that a blocker names; an ellipsis if there are more.
pub(super) fn names(blocker: &Blocker) -> String {
    let seen = &blocker.seen;
    let shown = u64::try_from(seen.examples.len()).unwrap_or(u64::MAX);
    let more = if shown < seen.instances { ", …" } else { "" };
    format!("{}{more}", seen.examples.join(", "))
}

/// The lines of a statement as a user wrote it.
pub(super) fn code(statement: &str) -> impl Iterator<Item = String> + '_ {
    let lines = statement.lines();
    lines.map(|line| format!("    {}", line.replace('\t', "    ")))
}

/// The heaviest of several verdicts.
pub(super) fn heaviest(verdicts: impl IntoIterator<Item = Verdict>) -> Verdict {
    verdicts.into_iter().max().unwrap_or(Verdict::Go)
}
