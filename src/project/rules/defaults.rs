//! What a script asks of a column whose default does not satisfy it, or a default that what is asked does not let in: the rows that are there do, and the next INSERT of a live version
//! that leaves the column out is refused.

use crate::change::Kind;
use crate::model::Step;
use crate::sql::{Asks, DefaultMet, Effect, Meets, Script, Statement, Tables};

use super::super::finding::{Finding, first_line};
use super::super::later;
use super::{Scripts, narrows};

pub(super) fn check(scripts: &Scripts<'_>) -> Vec<(Step, Finding)> {
    // Of a declared change it is said with the change, but for what somebody may vouch for.
    let is_said = scripts.manifest.is_some_and(|manifest| {
        let change = manifest.change.as_ref();
        let is_unique = change.is_some_and(|of| matches!(of.change.kind, Kind::Unique(_)));
        manifest.is_of_a_change && !is_unique
    });
    if is_said {
        return Vec::new();
    }
    let each = scripts.whole();
    each.flat_map(|(step, script)| of_script(scripts, step, script))
        .collect()
}

fn of_script(scripts: &Scripts<'_>, step: Step, script: &Script) -> Vec<(Step, Finding)> {
    let dialect = scripts.dialect;
    let mut found = Vec::new();
    for name in tables(script) {
        let Some(mut then) = later::tables_with(scripts.before(), dialect, &name) else {
            continue;
        };
        if let Some(expand) = scripts.expand.filter(|_| step != Step::Expand) {
            then.apply(expand);
        }
        let mut met = met(&then, scripts, &name);
        let mut at: Vec<(usize, DefaultMet)> = Vec::new();
        for (index, statement) in script.statements.iter().enumerate() {
            then.apply_statement(dialect, statement);
            let now = self::met(&then, scripts, &name);
            let new = now.iter().filter(|one| !met.contains(one));
            at.extend(new.map(|one| (index, one.clone())));
            met = now;
        }
        // A later statement may have given it another default.
        at.retain(|(_, one)| met.contains(one));
        found.extend(at.into_iter().filter_map(|(index, one)| {
            let statement = script.statements.get(index)?;
            // One question is asked once.
            let is_told = match step {
                Step::Expand => matches!(statement.effect, Effect::Destructive { .. }),
                _ => narrows::beyond_formats(scripts, step, statement).is_some(),
            };
            if is_told {
                return None;
            }
            Some((step, finding(step, &name, statement, &one).excusable(index)))
        }));
    }
    found
}

/// The tables of which the script changes constraints, indexes or columns.
fn tables(script: &Script) -> Vec<String> {
    let mut changed = Tables::default();
    changed.apply(script);
    changed.iter().map(|(name, _)| name.to_owned()).collect()
}

fn met(tables: &Tables, scripts: &Scripts<'_>, name: &str) -> Vec<DefaultMet> {
    let table = tables.get(scripts.dialect, name);
    let table = table.filter(|table| table.is_certain);
    let met = table.map(|table| table.defaults_met(scripts.dialect));
    let mut met = met.unwrap_or_default();
    met.retain(|one| one.meets == Meets::Refused);
    met
}

fn finding(step: Step, table: &str, statement: &Statement, met: &DefaultMet) -> Finding {
    let DefaultMet {
        column, default, ..
    } = met;
    let called = |name: &Option<String>| {
        let name = name.as_ref();
        name.map_or_else(String::new, |name| format!(" `{name}`"))
    };
    let (what, which) = match &met.by {
        Asks::Check(name) => (
            format!("the CHECK{} does not let that in", called(name)),
            "each",
        ),
        Asks::Unique(name) => (
            format!("the unique index{} lets it in once", called(name)),
            "the second",
        ),
        Asks::Length(kind) => (format!("its type `{kind}` does not hold that"), "each"),
        Asks::ForeignKey(name) => (
            format!("the foreign key{} wants a row for it", called(name)),
            "each",
        ),
    };
    let help = match step {
        Step::Expand => {
            "give it a default that is let in, or none: versions that know of the column name it"
        }
        _ => {
            "give the column another default, or none, in a migration whose contract comes before this one"
        }
    };
    Finding::unsurvived(
        step,
        first_line(statement),
        format!(
            "`{column}` of `{table}` has the default {default}, and {what}: {which} INSERT of a live version that leaves the column out is refused from then on"
        ),
        help,
    )
}
