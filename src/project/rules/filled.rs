//! UNIQUE, CHECK and NOT NULL of what expand.sql makes, where a trigger or a default of the same script gives it values for the rows
//! that live versions write: their INSERTs fail from then on. A constraint that stands behind all that fills it is judged with its
//! statement; here is what stands before, or in the definition of the column or of the table.

use crate::model::Step;
use crate::sql::{
    Deed, Dependent, Dependents, Dialect, ObjectKind, Runs, Script, Statement, Tables, Value,
};

use super::super::finding::{Finding, first_line};
use super::super::later;
use super::Scripts;
use super::asked::{Asked, Made, rules};
use super::formats::Formats;
use super::put::{Given, Put};
use super::triggers::{known_deeds, short};

/// A trigger, or a function that triggers may call already, and what its code does.
struct Code {
    one: Dependent,
    deeds: Vec<Deed>,
    /// All texts that may run by it.
    texts: Vec<String>,
}

pub(super) fn check(scripts: &Scripts<'_>) -> Vec<(Step, Finding)> {
    // What a declared change asks of rows is judged with the change.
    let is_declared = scripts
        .manifest
        .is_some_and(|manifest| manifest.change.is_some());
    let Some(script) = scripts.expand.filter(|_| !is_declared) else {
        return Vec::new();
    };
    let formats = Formats::of(scripts);
    let (made, own) = rules(script, &formats);
    if made.is_empty() {
        return Vec::new();
    }
    let codes = codes(scripts, script, &formats);
    let dialect = script.dialect;
    let made_on = |table: &str| {
        let mut objects = script.statements.iter().flat_map(Statement::objects);
        objects.any(|object| {
            let on = object.table.as_deref();
            object.kind == ObjectKind::Trigger
                && on.is_some_and(|on| dialect.may_be_same_name(on, table))
        })
    };
    let mut found = Vec::new();
    for rule in &made {
        let Some(statement) = script.statements.get(rule.index) else {
            continue;
        };
        let judged = Judged {
            scripts,
            formats: &formats,
            own: &own,
            rule,
            has_triggers: made_on(&rule.table),
        };
        let by_code = codes.iter().find_map(|code| judged.by_code(code));
        let why = by_code.or_else(|| judged.by_default(script));
        if let Some(why) = why {
            let finding = Finding::new(
                "destructive-expand",
                first_line(statement),
                format!("live versions may not survive this: {why}"),
                HELP,
            );
            found.push((Step::Expand, finding.excusable(rule.index)));
        }
    }
    found
}

const HELP: &str = "ask for it in a later migration, when nobody writes the old format any longer, or give it values that cannot be refused";

/// What live versions run of the code that the script makes.
fn codes(scripts: &Scripts<'_>, script: &Script, formats: &Formats) -> Vec<Code> {
    let dialect = script.dialect;
    let made = Dependents::made_by(script);
    let all = script.statements.iter();
    let all: Vec<Dependent> = all.filter_map(|one| one.code(dialect)).collect();
    let is_called = |function: &Dependent| {
        all.iter().any(|one| {
            let calls = one.calls.as_deref();
            calls.is_some_and(|calls| dialect.may_be_same_name(calls, &function.name))
        })
    };
    let is_met = |one: &Dependent| match one.kind {
        ObjectKind::Trigger => one
            .table
            .as_deref()
            .is_some_and(|table| !formats.has_table(table)),
        // One that triggers of earlier migrations call already.
        ObjectKind::Function => one.runs == Runs::ByTriggers && !is_called(one),
        _ => false,
    };
    let met = all.iter().filter(|one| is_met(one));
    met.map(|one| {
        let mut known = made.clone();
        let deeds = known_deeds(scripts.before(), &mut known, one);
        Code {
            texts: known.texts_of(one).into_iter().map(str::to_owned).collect(),
            one: one.clone(),
            deeds,
        }
    })
    .collect()
}

/// One rule, and what is known around it.
struct Judged<'j> {
    scripts: &'j Scripts<'j>,
    formats: &'j Formats,
    own: &'j Tables,
    rule: &'j Made,
    /// Whether a trigger of expand.sql is one of the rule's table.
    has_triggers: bool,
}

impl Judged<'_> {
    fn dialect(&self) -> Dialect {
        self.scripts.dialect
    }

    /// Why rows are refused for what the code puts there.
    fn by_code(&self, code: &Code) -> Option<String> {
        let dialect = self.dialect();
        let table = &self.rule.table;
        let parent = code.one.table.as_deref();
        let known = parent.and_then(|parent| later::table(self.scripts.before(), dialect, parent));
        let put = Put {
            dialect,
            table,
            parent,
            known: known.as_ref(),
            of: self.own.get(dialect, table),
            is_whole: self.formats.has_table(table),
            has_triggers: self.has_triggers,
            header: &code.one.header,
            texts: &code.texts,
            deeds: &code.deeds,
        };
        let mut rows = put.rows().into_iter();
        let refused = rows.find_map(|row| put.refused(row, &self.rule.asked))?;
        let what = match code.one.kind {
            ObjectKind::Trigger => format!("the trigger `{}`", code.one.name),
            _ => format!("the function `{}`", code.one.name),
        };
        Some(self.sentence(&refused, &what))
    }

    fn sentence(&self, refused: &Given, what: &str) -> String {
        let table = &self.rule.table;
        let column = &refused.column;
        let value = match &refused.value {
            Some(value) => format!(
                "{what} gives the column `{column}` of `{table}` a value (`{}`) for each row that they write",
                short(&value.text)
            ),
            None => format!("{what} leaves out the column `{column}` of `{table}`"),
        };
        match &self.rule.asked {
            Asked::Unique { columns, .. } => format!(
                "{value}, and {} to be unique: a write whose value is there already is refused",
                has(columns)
            ),
            Asked::Check { condition, .. } => {
                format!(
                    "{value}, and where that does not satisfy `{}`, the write is refused",
                    short(condition)
                )
            }
            Asked::NotNull(_) if refused.value.is_none() => format!(
                "{value}, which takes no NULL and has no default: each write that fires it is refused"
            ),
            Asked::NotNull(_) => {
                format!("{value}, which takes no NULL: a write whose value is NULL is refused")
            }
        }
    }

    /// Why rows are refused for a default that the column gets after the rule.
    fn by_default(&self, script: &Script) -> Option<String> {
        let dialect = self.dialect();
        let table = &self.rule.table;
        // Who writes to a new table knows what it asks.
        if self.formats.has_table(table) {
            return None;
        }
        let columns = match &self.rule.asked {
            Asked::Unique { columns, .. } | Asked::Check { columns, .. } => columns,
            Asked::NotNull(_) => return None,
        };
        let [column] = columns.as_slice() else {
            return None;
        };
        let mut then = Tables::default();
        then.apply(&Script {
            dialect,
            mode: script.mode,
            statements: script.statements.get(..=self.rule.index)?.to_vec(),
        });
        let default = |tables: &Tables| {
            let column = tables.get(dialect, table)?.column(dialect, column)?;
            column.default.clone()
        };
        let last = default(self.own)?;
        if default(&then).as_ref() == Some(&last) || last.trim().eq_ignore_ascii_case("null") {
            return None;
        }
        let value = Value { text: last };
        let default = short(&value.text);
        match &self.rule.asked {
            Asked::Check { condition, .. } => (!dialect
                .literal_passes(column, &value.text, condition))
            .then(|| {
                format!(
                    "`{column}` of `{table}` gets the default `{default}` after this, and where that does not satisfy `{}`, each \
                     INSERT that leaves the column out is refused",
                    short(condition)
                )
            }),
            _ => (!value.is_given_out()).then(|| {
                format!(
                    "`{column}` of `{table}` has to be unique, and gets the default `{default}` after this: of the rows that old \
                     versions insert, which leave it out, the second one is refused"
                )
            }),
        }
    }
}

fn has(columns: &[String]) -> String {
    let quoted: Vec<String> = columns.iter().map(|name| format!("`{name}`")).collect();
    let has = if columns.len() == 1 { "has" } else { "have" };
    format!("{} {has}", quoted.join(" and "))
}
