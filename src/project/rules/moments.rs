//! A trigger that runs when what it does cannot succeed: it refers to the row before that is there, or after it has gone; it
//! calls a function of the database's own that takes other events; it sends, or reads, what does not fit.

use crate::model::Step;
use crate::sql::{
    Deed, Dependent, Dependents, Dialect, Insert, Reference, Script, Statement, Table, Value,
};

use super::super::finding::Finding;
use super::super::later;
use super::breaks;
use super::shipped;
use super::triggers::{Fired, fired, known_deeds, short};
use super::{Scripts, bystanders};

pub(super) fn check(scripts: &Scripts<'_>) -> Vec<(Step, Finding)> {
    let dialect = scripts.dialect;
    if dialect == Dialect::Sqlite {
        // A key is looked at when the whole statement is over; of what its functions read another rule tells.
        return Vec::new();
    }
    let mut found = Vec::new();
    for fired in fired(scripts) {
        let Fired {
            step,
            index,
            statement,
            ..
        } = fired;
        // What is told of it is one and the same question.
        if step != Step::Expand && bystanders::is_trigger_of_others(scripts, step, index, statement)
        {
            continue;
        }
        let moment = Moment {
            scripts,
            step,
            script: fired.script,
            code: &fired.code,
            parent: &fired.parent,
            known: scripts.table(step, &fired.parent),
        };
        let wrong = moment.wrong(statement);
        found.extend(wrong.map(|wrong| fired.unsurvived(wrong)));
    }
    found
}

type Wrong = (String, String);

struct Moment<'s> {
    scripts: &'s Scripts<'s>,
    step: Step,
    script: &'s Script,
    code: &'s Dependent,
    /// The table whose rows fire it, and what is known of that.
    parent: &'s str,
    known: Option<Table>,
}

impl Moment<'_> {
    fn wrong(&self, statement: &Statement) -> Option<Wrong> {
        let dialect = self.scripts.dialect;
        if dialect == Dialect::Postgres
            && let Some(called) = &self.code.calls
            && let Some(wrong) =
                shipped::wrong(dialect, statement, self.code, called, self.known.as_ref())
        {
            return Some(wrong);
        }
        let mut known = Dependents::new(dialect);
        if let Some(own) = self.scripts.expand.filter(|_| self.step != Step::Expand) {
            own.statements.iter().for_each(|one| known.apply(one));
        }
        self.script
            .statements
            .iter()
            .for_each(|one| known.apply(one));
        let deeds = known_deeds(self.scripts.before(), &mut known, self.code);
        deeds
            .iter()
            .find_map(|deed| match deed {
                Deed::Inserts(insert) => self.refers_too_soon(insert),
                Deed::Updates {
                    place,
                    column,
                    value,
                } => self.refers(&place.table, &[(column.clone(), value.clone())]),
                Deed::Tells { payload } => self.tells_too_much(payload),
                _ => None,
            })
            .or_else(|| {
                let mut texts = known.texts_of(self.code).into_iter();
                texts.find_map(|text| {
                    self.reads_json(text).or_else(|| {
                        breaks::wrong(self.scripts, self.step, self.known.as_ref(), text)
                    })
                })
            })
    }

    /// The row that fires it where its key does not stand in the table: before an INSERT, after a DELETE.
    fn row(&self) -> Option<(&'static str, &'static str)> {
        let header = self.code.header.to_lowercase();
        let says = |word: &str| header.split_whitespace().any(|other| other == word);
        match () {
            () if says("before") && says("insert") => Some(("new", "is not there yet")),
            () if says("after") && says("delete") => Some(("old", "is gone by then")),
            () => None,
        }
    }

    fn refers_too_soon(&self, insert: &Insert) -> Option<Wrong> {
        let columns = match &insert.columns {
            Some(columns) => columns.clone(),
            None => {
                let table = self.scripts.table(self.step, &insert.place.table)?;
                table
                    .columns
                    .into_iter()
                    .map(|column| column.name)
                    .collect()
            }
        };
        insert.rows.iter().find_map(|row| {
            let given = columns.iter().cloned().zip(row.iter().cloned());
            self.refers(&insert.place.table, &given.collect::<Vec<_>>())
        })
    }

    /// Whether a row of another table is given the key of the row that fires it, to which a foreign key leads.
    fn refers(&self, child: &str, given: &[(String, Value)]) -> Option<Wrong> {
        let dialect = self.scripts.dialect;
        let (row, when) = self.row()?;
        let same = |a: &str, b: &str| dialect.may_be_same_name(a, b);
        let is_key = |key: &Reference, at: usize, name: &str| match key.parent_columns.get(at) {
            Some(column) => same(column, name),
            None => {
                let primary = self
                    .known
                    .as_ref()
                    .map(|known| known.primary_key.as_slice());
                match primary.and_then(|primary| primary.get(at)) {
                    Some(column) => same(column, name),
                    None => same("id", name),
                }
            }
        };
        let of_row = |value: &Value| {
            let text = value.text.to_lowercase().replace(['"', '`'], "");
            let (of, name) = text.trim().split_once('.')?;
            (of.trim() == row).then(|| name.trim().to_owned())
        };
        let leads = |key: &&Reference| {
            same(&key.parent, self.parent)
                && !key.columns.is_empty()
                && key.columns.iter().enumerate().all(|(at, column)| {
                    given.iter().any(|(name, value)| {
                        same(name, column)
                            && of_row(value).is_some_and(|name| is_key(key, at, &name))
                    })
                })
        };
        let keys = self.keys_of(child);
        keys.iter().find(leads)?;
        let help = match row {
            "new" => "make it a trigger that runs AFTER INSERT: the row is there by then",
            _ => {
                "let the foreign key say what becomes of those rows (ON DELETE CASCADE), or keep the number in a column without one"
            }
        };
        Some((
            format!(
                "gives `{child}` the key of a row of `{}` that {when}, and a foreign key leads from there to it: each write that fires it fails",
                self.parent
            ),
            help.to_owned(),
        ))
    }

    /// The foreign keys of a table that are not looked at later, at the end of the transaction.
    fn keys_of(&self, child: &str) -> Vec<Reference> {
        let dialect = self.scripts.dialect;
        let of = |script: &Script| {
            let statements = script.statements.iter();
            let at_once =
                statements.filter(|one| !one.words(dialect).iter().any(|word| word == "deferred"));
            let keys = at_once.flat_map(|one| one.references(dialect));
            let keys: Vec<Reference> = keys
                .filter(|key| dialect.may_be_same_name(&key.table, child))
                .collect();
            (!keys.is_empty()).then_some(keys)
        };
        let own = self.scripts.expand.into_iter().chain([self.script]);
        let own: Vec<Reference> = own.filter_map(of).flatten().collect();
        let before = later::newest(self.scripts.before(), dialect, &[child], of);
        own.into_iter().chain(before.unwrap_or_default()).collect()
    }

    /// Whether a notice may be longer than the server takes: less than 8000 bytes.
    fn tells_too_much(&self, payload: &Value) -> Option<Wrong> {
        const MOST: u64 = 7999;
        let dialect = self.scripts.dialect;
        let rows = payload.whole_rows(dialect);
        let known = self.known.as_ref();
        let columns = known
            .filter(|known| known.is_certain)
            .map(|known| &known.columns);
        let what = if rows {
            let sizes = columns
                .into_iter()
                .flatten()
                .map(|column| Some(bytes(&column.kind)? + 40));
            let sum = sizes
                .into_iter()
                .try_fold(0, |sum: u64, size| Some(sum + size?));
            let fits = columns.is_some() && sum.is_some_and(|sum| sum <= MOST);
            (!fits).then(|| format!("whole rows of `{}`", self.parent))
        } else {
            let known = known?;
            let long = payload.names(dialect).into_iter().find(|name| {
                let column = known.column(dialect, name);
                column.is_some_and(|column| bytes(&column.kind).is_none_or(|size| size > MOST))
            });
            long.map(|name| format!("`{name}`"))
        }?;
        Some((
            format!(
                "sends {what} by `pg_notify`, which takes less than 8000 bytes (`{}`): each write of a longer one fails",
                short(&payload.text)
            ),
            "send the key alone, and let whoever listens read the row; or cut what is sent: `left(…, 1900)`".to_owned(),
        ))
    }

    /// Whether it reads a text of the row as JSON, without asking first whether it is.
    fn reads_json(&self, text: &str) -> Option<Wrong> {
        const ASK: &[&str] = &["json_valid", "handler"];
        let lower = text.to_lowercase();
        if self.scripts.dialect != Dialect::Mysql || ASK.iter().any(|word| lower.contains(word)) {
            return None;
        }
        let known = self.known.as_ref()?;
        let mut read = self.scripts.dialect.json_of_row(text).into_iter();
        let column = read.find(|name| {
            let column = known.column(self.scripts.dialect, name);
            column.is_some_and(|column| {
                let kind = column.kind.to_lowercase();
                (kind.contains("text") || kind.contains("char"))
                    && !is_checked_json(self.scripts.dialect, known, &column.name)
            })
        })?;
        Some((
            format!(
                "reads the text `{column}` of `{}` as JSON: a write whose text is none fails",
                self.parent
            ),
            format!("let it look first: `IF(json_valid(NEW.{column}), …, NULL)`"),
        ))
    }
}

/// Whether a CHECK sees to it that a text is JSON.
pub(super) fn is_checked_json(dialect: Dialect, table: &Table, column: &str) -> bool {
    let mut conditions = table.conditions_on(dialect, column);
    conditions.any(|condition| condition.to_lowercase().contains("json_valid"))
}

/// How many bytes a value has at most; `None` where the type does not say.
fn bytes(kind: &str) -> Option<u64> {
    const LONG: &[&str] = &[
        "text", "citext", "json", "jsonb", "bytea", "xml", "hstore", "tsvector", "path", "polygon",
    ];
    let kind = kind.trim().to_lowercase();
    let word: String = kind.chars().take_while(|c| c.is_alphanumeric()).collect();
    if kind.contains('[') || LONG.contains(&word.as_str()) {
        return None;
    }
    if !matches!(word.as_str(), "varchar" | "char" | "character" | "bpchar") {
        return Some(64);
    }
    match kind.split_once('(') {
        Some((_, rest)) => Some(rest.split_once(')')?.0.trim().parse::<u64>().ok()? * 4),
        None if kind == "char" || kind == "character" => Some(4),
        None => None,
    }
}
