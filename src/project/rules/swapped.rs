//! A table that takes the place of another one, without all of its rows: the versions that live find an empty table, or
//! half of one, and where the old table is dropped nothing brings them back.

use crate::model::Step;
use crate::sql::{
    Copied, Dialect, Effect, Gone, Mode, Object, ObjectKind, Script, Statement, Taken, Verb,
};

use super::super::finding::{Finding, first_line};
use super::Scripts;
use super::formats::Formats;
use super::takes::makes;

pub(super) fn check(scripts: &Scripts<'_>) -> Vec<(Step, Finding)> {
    let formats = Formats::of(scripts);
    let mut found = Vec::new();
    for (step, script) in scripts.whole() {
        for (index, statement) in script.statements.iter().enumerate() {
            for gone in statement.gone() {
                let before = script.statements.get(..index).unwrap_or_default();
                if gone.column.is_some() || makes(before, &gone, scripts.dialect) {
                    continue;
                }
                let finding = Swap::of(scripts, step, script, index, &gone)
                    .and_then(|swap| swap.finding(script, &formats));
                found.extend(finding.map(|finding| (step, finding)));
            }
        }
    }
    found
}

/// A table that goes, and one of the script's own that bears its name afterwards.
pub(super) struct Swap<'s> {
    gone: &'s Gone,
    /// The name under which the new table is made.
    pub made_as: String,
    /// The statement that somebody may vouch for where nothing is copied.
    pub at: usize,
}

impl<'s> Swap<'s> {
    pub fn of(
        scripts: &Scripts<'_>,
        step: Step,
        script: &Script,
        index: usize,
        gone: &'s Gone,
    ) -> Option<Self> {
        let dialect = scripts.dialect;
        let later = script.statements.get(index..)?;
        let back = later
            .iter()
            .flat_map(Statement::objects)
            .find(|object| object.kind == ObjectKind::Table && gone.is_back(dialect, object))?;
        if back.verb == Verb::Create {
            // A table that only helps is dropped first if one was left, and goes again.
            let goes_again =
                later.iter().skip(1).flat_map(Statement::gone).any(|again| {
                    again.column.is_none() && same(dialect, &again.table, &gone.table)
                });
            return (!goes_again).then(|| Self {
                gone,
                made_as: back.name.clone(),
                at: index,
            });
        }
        // One that was there before the script was filled by a backfill, or by triggers.
        let made_by_expand = step != Step::Expand
            && scripts
                .expand
                .is_some_and(|expand| maker(&expand.statements, dialect, &back.name).is_some());
        let at = maker(&script.statements, dialect, &back.name)?;
        (!made_by_expand).then(|| Self {
            gone,
            made_as: back.name.clone(),
            at,
        })
    }

    fn finding(&self, script: &Script, formats: &Formats) -> Option<Finding> {
        let dialect = script.dialect;
        let table = &self.gone.table;
        let mut sources = vec![table.clone()];
        let is_one_of =
            |names: &[String], name: &str| names.iter().any(|one| same(dialect, one, name));
        let is_new = |name: &str| same(dialect, name, &self.made_as) || same(dialect, name, table);
        let mut partly: Option<(usize, Copied)> = None;
        for (index, statement) in script.statements.iter().enumerate() {
            for object in statement.objects() {
                let to = object.renamed_to.as_ref().filter(|_| is_table(object));
                if let Some(to) = to.filter(|_| is_one_of(&sources, &object.name)) {
                    sources.push(to.clone());
                }
            }
            if self.may_keep(dialect, statement) {
                return None;
            }
            let Some(copied) = statement.copied(dialect) else {
                continue;
            };
            let from = copied.from.as_deref();
            let is_whole =
                copied.leaves_out.is_none() && from.is_some_and(|from| is_one_of(&sources, from));
            match (is_whole, is_new(&copied.into)) {
                (true, true) => {
                    return self
                        .undone(script, index, formats)
                        .or_else(|| self.written_meanwhile(script, index));
                }
                (true, false) => sources.push(copied.into),
                (false, true) if partly.is_none() => partly = Some((index, copied)),
                (false, _) => {}
            }
        }
        let (at, why) = match partly {
            Some((index, copied)) => (
                index,
                match copied.leaves_out {
                    Some(word) => format!("this may leave out rows of `{table}` ({word})"),
                    None => format!("this does not copy the rows of `{table}` as they are"),
                },
            ),
            None => (
                self.at,
                format!("nothing in this script copies the rows of `{table}`"),
            ),
        };
        let finding = Finding::new(
            "loses-rows",
            first_line(script.statements.get(at)?),
            format!("{why}, and another table takes its place: live versions no longer find them"),
            format!(
                "copy all of them with one `INSERT INTO … SELECT … FROM {table}`, without WHERE, LIMIT, DISTINCT, GROUP BY or an inner join"
            ),
        );
        Some(finding.excusable(at))
    }

    /// A copy that nothing holds writes up for. In SQLite, and in one transaction of PostgreSQL, the step does it by itself.
    fn written_meanwhile(&self, script: &Script, copied: usize) -> Option<Finding> {
        let table = &self.gone.table;
        let help = match (script.dialect, script.mode) {
            (Dialect::Mysql, _) => {
                "change the table in place with ALTER TABLE, or let triggers carry over what is written; where nothing writes to it meanwhile, \
                 say so with `allow`"
            }
            (Dialect::Postgres, Mode::NoTransaction) => {
                "let the script be one transaction: then writes are held up from before the copy on"
            }
            (Dialect::Postgres | Dialect::Sqlite, _) => return None,
        };
        let before = script.statements.get(..copied)?;
        let is_held = before.iter().any(|statement| {
            let words = statement.words(script.dialect);
            let is = |at: usize, word: &str| words.get(at).is_some_and(|found| found == word);
            is(0, "lock") && words.iter().any(|word| same(script.dialect, word, table))
        });
        // What was renamed first, nobody finds any more.
        let is_gone = before
            .iter()
            .flat_map(Statement::gone)
            .any(|gone| gone.column.is_none() && same(script.dialect, &gone.table, table));
        if is_held || is_gone {
            return None;
        }
        let finding = Finding::new(
            "loses-rows",
            first_line(script.statements.get(copied)?),
            format!(
                "what live versions write to `{table}` from this copy on is lost with the old table: each statement is committed by \
                 itself, and nothing holds writes up until the copy has its place"
            ),
            help,
        );
        Some(finding.excusable(copied))
    }

    /// What a later statement takes from the copy again.
    fn undone(&self, script: &Script, copied: usize, formats: &Formats) -> Option<Finding> {
        let dialect = script.dialect;
        let names = [self.made_as.as_str(), self.gone.table.as_str()];
        let later = script.statements.iter().enumerate().skip(copied + 1);
        let (at, what) = later.into_iter().find_map(|(index, statement)| {
            let what = match statement.takes_from(dialect, &names)? {
                Taken::Rows => "deletes rows",
                Taken::Values(columns)
                    if !columns.is_empty()
                        && columns.iter().all(|column| {
                            names.iter().any(|name| formats.is_new(Some(name), column))
                        }) =>
                {
                    return None;
                }
                Taken::Values(_) => "overwrites values",
            };
            // What was told of the old table before the swap is about that.
            statement.loses.is_none().then_some((index, what))
        })?;
        let finding = Finding::new(
            "loses-rows",
            first_line(script.statements.get(at)?),
            format!(
                "this {what} of the copy that takes the place of `{}`: live versions no longer find them",
                self.gone.table
            ),
            "leave it to a version of the application that no longer needs them",
        );
        Some(finding.excusable(at))
    }

    /// What may bring the rows by other means: code, or the old table itself as a part of the new one.
    fn may_keep(&self, dialect: Dialect, statement: &Statement) -> bool {
        let mentions = |name: &str| dialect.mentions(&statement.text, name);
        let names_it = || mentions(&self.gone.table) || mentions(&self.made_as);
        let is_code = matches!(statement.effect, Effect::Unknown { .. });
        let attaches = || ["attach", "inherit", "exchange"].into_iter().any(mentions);
        let is_alter = statement
            .objects()
            .all(|object| object.verb != Verb::Create);
        statement.copied(dialect).is_none() && (is_code || is_alter && attaches()) && names_it()
    }
}

fn same(dialect: Dialect, a: &str, b: &str) -> bool {
    dialect.may_be_same_name(a, b)
}

const fn is_table(object: &Object) -> bool {
    matches!(object.kind, ObjectKind::Table)
}

/// The statement that makes a table of this name.
fn maker(statements: &[Statement], dialect: Dialect, name: &str) -> Option<usize> {
    statements.iter().position(|statement| {
        let mut objects = statement.objects();
        objects.any(|object| {
            is_table(object) && object.verb == Verb::Create && same(dialect, &object.name, name)
        })
    })
}
