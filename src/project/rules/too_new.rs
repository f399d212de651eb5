//! A value that an earlier migration lets in (one more of an enumeration, or of a CHECK that lists them), put into rows while versions may
//! be live that are declared to read only what was there before: a default is written by each of them that leaves the column out.
//!
//! Such a value is written by those who know it. What a script writes waits for the others in a contract.

use crate::change::{Kind, Wider};
use crate::model::{Format, RowKind, Step, Usage, Version};
use crate::sql::{
    Dependents, Dialect, ObjectKind, Puts, PutsAs, PutsAt, Statement, Table, TableConstraint,
    into_rows,
};

use super::super::finding::{Finding, first_line};
use super::super::later::{self, Forward};
use super::super::manifest::Manifest;
use super::Scripts;
use super::triggers::known_deeds;

pub(super) fn check(scripts: &Scripts<'_>) -> Vec<(Step, Finding)> {
    // Its own values as well: an expand that lets one in may put it into rows at once.
    let count = scripts.all.len().saturating_sub(scripts.later.len());
    let so_far = scripts.all.get(..count).unwrap_or_default();
    let mut found = Vec::new();
    let steps = [Step::Expand, Step::Contract].into_iter();
    let whole = steps.filter_map(|step| Some((step, scripts.script(step)?)));
    for (step, script) in whole {
        for (index, statement) in script.statements.iter().enumerate() {
            let puts = puts(scripts, step, statement);
            let look = Look {
                scripts,
                so_far,
                step,
            };
            let finding = puts.iter().find_map(|one| look.at(one, statement));
            found.extend(finding.map(|one| (step, one.excusable(index))));
        }
    }
    let backfill = scripts.backfill.map(|one| one.as_script(scripts.dialect));
    for statement in backfill.iter().flat_map(|script| &script.statements) {
        let look = Look {
            scripts,
            so_far,
            step: Step::Backfill,
        };
        let puts = statement.puts(scripts.dialect);
        let finding = puts.iter().find_map(|one| look.at(one, statement));
        found.extend(finding.map(|one| (Step::Backfill, one.excusable(0))));
    }
    found
}

/// What a statement puts where, with what the code does that it makes.
fn puts(scripts: &Scripts<'_>, step: Step, statement: &Statement) -> Vec<Puts> {
    let dialect = scripts.dialect;
    let Some(code) = statement.code(dialect) else {
        return statement.puts(dialect);
    };
    if code.kind != ObjectKind::Trigger {
        return Vec::new();
    }
    let script = scripts.script(step);
    let mut known = script.map_or_else(|| Dependents::new(dialect), Dependents::made_by);
    let deeds = known_deeds(scripts.before(), &mut known, &code);
    into_rows(dialect, &deeds, code.table.as_deref())
}

struct Look<'l> {
    scripts: &'l Scripts<'l>,
    /// The migrations up to this one.
    so_far: &'l [Forward],
    step: Step,
}

/// A value that an earlier migration lets in, with who does not know it.
struct TooNew<'f> {
    of: &'f Manifest,
    table: String,
    column: String,
    text: String,
}

impl Look<'_> {
    fn dialect(&self) -> Dialect {
        self.scripts.dialect
    }

    fn at(&self, puts: &Puts, statement: &Statement) -> Option<Finding> {
        let mut earlier = later::with_text(self.so_far, self.dialect(), &puts.text).into_iter();
        earlier.find_map(|at| {
            let migration = self.so_far.get(at)?;
            let of = migration.manifest()?;
            // Most let nothing in that anybody could fail to read.
            if !of
                .services
                .values()
                .any(|usage| !unable(usage, None).is_empty())
            {
                return None;
            }
            let column = lets_in(self.so_far, at, puts, self.dialect())?;
            let new = TooNew {
                of,
                table: puts.table.clone(),
                column,
                text: puts.text.clone(),
            };
            self.finding(&new, puts.into, statement)
        })
    }

    /// Of the versions that do not know the value, those for which this does not wait.
    fn finding(&self, new: &TooNew<'_>, into: PutsAs, statement: &Statement) -> Option<Finding> {
        let own = self.scripts.manifest?;
        let (service, usage) = new.of.services.iter().find(|(service, usage)| {
            let waits = own.services.get(service.as_str());
            let waits = waits.filter(|_| self.step == Step::Contract);
            !unable(usage, waits).is_empty()
        })?;
        let range = usage.reads.old.as_ref()?.to_string();
        let TooNew {
            table,
            column,
            text,
            ..
        } = new;
        let does = match into {
            PutsAs::Default => {
                "becomes the default, which each version writes that leaves the column out"
            }
            PutsAs::Rows => "is put into rows here",
        };
        let message = format!(
            "`{text}` of `{table}.{column}` {does}: {service} {range} is declared not to read it (\"{}\"), and may be live",
            new.of.description
        );
        let help = match self.step {
            Step::Contract => format!(
                "let this contract wait for these versions: `old = \"{range}\"` under `[services.{service}]`"
            ),
            _ => format!(
                "write it into the contract.sql of a migration with `old = \"{range}\"` under `[services.{service}]` (without `[change]`), which waits until none of them is live"
            ),
        };
        Some(Finding::new(
            "too-new-value",
            first_line(statement),
            message,
            help,
        ))
    }
}

/// Versions of a service that cannot read a row with the value, and that no contract of these formats waits for.
fn unable(usage: &Usage, waits: Option<&Usage>) -> Vec<Version> {
    let mut all = usage.representatives(waits);
    all.retain(|version| {
        let reads = usage.behaviours(version);
        let is_unable = reads.iter().any(|one| !one.can_read(RowKind::NEW_ONLY));
        let is_gone = waits.is_some_and(|waits| {
            let uses = waits.behaviours(version);
            uses.iter().all(|one| one.touches(Format::Old))
        });
        is_unable && !is_gone
    });
    all
}

/// The column that gets the constant, where the migration at this place lets it in there.
fn lets_in(all: &[Forward], at: usize, puts: &Puts, dialect: Dialect) -> Option<String> {
    let migration = all.get(at)?;
    let is = |a: &str, b: &str| dialect.may_be_same_name(a, b);
    let last = |name: &'_ str| name.rsplit('.').next().unwrap_or(name).to_owned();
    let now = || later::table(all, dialect, &puts.table);
    let column = match &puts.column {
        PutsAt::Named(name) => name.clone(),
        PutsAt::Place(place) => now()?.columns.get(*place)?.name.clone(),
    };
    if let Some(declared) = migration.manifest().and_then(|of| of.change.as_ref()) {
        let change = &declared.change;
        let (of, values): (&String, Vec<&String>) = match &change.kind {
            Kind::Widen(kind) => match &kind.wider {
                Wider::Values(values) => (&kind.column, values.iter().collect()),
                Wider::To(_) => return None,
            },
            Kind::Values(kind) => (&kind.column, kind.added()),
            _ => return None,
        };
        let is_its = is(&last(&change.table), &last(&puts.table)) && is(of, &column);
        if is_its {
            return values.contains(&&puts.text).then_some(column);
        }
    }
    let expand = migration.expand(dialect)?;
    let added = expand.statements.iter().find(|statement| {
        let value = statement.added_value();
        value.is_some_and(|value| {
            dialect.is_among(value, std::slice::from_ref(&puts.text)) == Some(true)
        })
    });
    if let Some(added) = added {
        let kind = added.objects().next()?.name.clone();
        let table = now()?;
        let own = table.column(dialect, &column)?;
        let bare = own.kind.trim_matches('"').to_owned();
        return is(&last(&bare), &kind).then_some(column);
    }
    let before = later::table(all.get(..at)?, dialect, &puts.table)?;
    let after = later::table(all.get(..=at)?, dialect, &puts.table)?;
    let has = |table: &Table| {
        let list = list(table, dialect, &column);
        list.map(|list| list.contains(&puts.text))
    };
    (has(&before) == Some(false) && has(&after) == Some(true)).then_some(column)
}

/// All that a column may be, where its type or a CHECK lists it.
fn list(table: &Table, dialect: Dialect, column: &str) -> Option<Vec<String>> {
    let members = table.column(dialect, column)?.members(dialect);
    members.or_else(|| {
        let is_its = |one: &&TableConstraint| {
            one.columns.len() == 1 && one.is_over(dialect, column) && one.lists.is_some()
        };
        let mut all = table.constraints.iter().filter(is_its);
        all.find_map(|one| one.lists.clone())
    })
}
