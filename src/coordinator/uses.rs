//! Who still uses what a contract takes away: the code of the database, statements that the server has counted, and sessions at work.
//!
//! Invariant: what is found speaks against the contract; that nothing is found clears it of nothing. A job that runs once a month
//! is in no counter of yesterday.

use std::time::Duration;

use super::CoordinatorError;
use crate::database::{Access, Connection, DatabaseError, Row, Statistics, Value};
use crate::interrupt::Interrupt;
use crate::model::Step;
use crate::project::Migration;
use crate::sql::{Dialect, Gone, Inventory, Met, ObjectKind, Visible};

/// What is known of the use of what a contract takes away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uses {
    /// What goes, in words.
    pub gone: Vec<String>,
    /// Code and keys of the database that name it.
    pub dependents: Vec<String>,
    pub statements: Vec<Counted>,
    pub sessions: Vec<AtWork>,
    /// Since when statements are counted, if the server says that.
    pub since: Option<String>,
    /// What could not be seen, and what would show it.
    pub unseen: Vec<String>,
}

/// A statement that the server has counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Without its values.
    pub text: String,
    pub calls: i64,
    /// By how many calls it grew while it was watched.
    pub grew: Option<i64>,
    /// The roles that have sent it, where the server tells.
    pub roles: String,
    /// When it was sent last, where the server tells.
    pub last: String,
}

/// A session whose last statement names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AtWork {
    pub role: String,
    pub application: String,
    pub state: String,
    pub text: String,
}

impl Uses {
    /// Whether anything was found.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        !(self.dependents.is_empty() && self.statements.is_empty() && self.sessions.is_empty())
    }
}

/// Looks who uses what the contract of this migration takes away; twice, where it is to be watched for so long: then only
/// statements that were sent meanwhile count.
///
/// # Errors
/// A database error, or an interruption.
pub async fn uses(
    migration: &Migration,
    connection: &mut dyn Connection,
    watch: Option<Duration>,
    interrupt: Interrupt,
) -> Result<Uses, CoordinatorError> {
    let capabilities = connection.capabilities();
    let dialect = capabilities.dialect;
    let gone = gone(migration, dialect);
    let mut uses = Uses {
        gone: gone.iter().map(named).collect(),
        ..Uses::default()
    };
    if gone.is_empty() {
        return Ok(uses);
    }
    connection.begin(Access::Read).await?;
    let inventory = connection.inventory().await;
    connection.rollback().await?;
    let inventory = inventory?;
    if inventory.visible == Visible::Part {
        uses.unseen
            .push("code that this role may not see".to_owned());
    }
    uses.dependents = dependents(&inventory, &gone);
    if let Some(depends) = capabilities.depends {
        connection.begin(Access::Read).await?;
        let kept = kept(connection, depends, &gone).await;
        connection.rollback().await?;
        for said in kept? {
            if !uses.dependents.contains(&said) {
                uses.dependents.push(said);
            }
        }
    }
    let Some(statistics) = &capabilities.statistics else {
        uses.unseen.push(format!(
            "{} counts no statements: look at the logs of the application",
            dialect.title()
        ));
        return Ok(uses);
    };
    let mut eye = Eye {
        connection,
        dialect,
        gone: &gone,
        statistics,
    };
    eye.sessions(&mut uses).await;
    let Some(place) = eye.place(&mut uses).await else {
        return Ok(uses);
    };
    uses.since = eye.since(&place).await;
    match eye.counted(&place).await {
        Ok((counted, hidden)) => {
            uses.statements = counted;
            if hidden {
                uses.unseen.push(statistics.hidden.to_owned());
            }
        }
        Err(error) => {
            let why = format!(
                "the statements that the server has counted: {error}; {}",
                statistics.off
            );
            uses.unseen.push(why);
            return Ok(uses);
        }
    }
    if let Some(watch) = watch {
        interrupt.pause(watch).await;
        let (after, _) = eye.counted(&place).await?;
        uses.statements = grown(&uses.statements, after);
    }
    Ok(uses)
}

/// Those that were sent between the two looks.
fn grown(before: &[Counted], after: Vec<Counted>) -> Vec<Counted> {
    let after = after.into_iter().filter_map(|now| {
        let then = before
            .iter()
            .find(|one| one.text == now.text && one.roles == now.roles);
        // Counters that were set back begin anew.
        let then = then.map_or(0, |one| one.calls);
        let grew = if now.calls >= then {
            now.calls - then
        } else {
            now.calls
        };
        (grew > 0).then_some(Counted {
            grew: Some(grew),
            ..now
        })
    });
    after.collect()
}

/// What its contract takes away or gives another name.
fn gone(migration: &Migration, dialect: Dialect) -> Vec<Gone> {
    let files = migration.files(dialect);
    let by_runner = files.revisions.get(&Step::Contract);
    let script = files
        .contract
        .as_ref()
        .or_else(|| by_runner.and_then(|revisions| revisions.script.as_ref()));
    let mut gone: Vec<Gone> = Vec::new();
    let statements = script.into_iter().flat_map(|file| &file.script.statements);
    for one in statements.flat_map(|statement| statement.all_gone()) {
        if !gone.contains(&one) {
            gone.push(one);
        }
    }
    gone
}

fn named(gone: &Gone) -> String {
    let word = match gone.kind {
        ObjectKind::Column => "the column",
        ObjectKind::Table => "the table",
        ObjectKind::View | ObjectKind::MaterializedView => "the view",
        ObjectKind::Function => "the function",
        ObjectKind::Sequence => "the sequence",
        ObjectKind::Type => "the type",
        _ => "the object",
    };
    match &gone.column {
        Some(column) => format!("{word} `{}.{column}`", gone.table),
        None => format!("{word} `{}`", gone.table),
    }
}

fn dependents(inventory: &Inventory, gone: &[Gone]) -> Vec<String> {
    let dialect = inventory.code.dialect;
    let mut found = Vec::new();
    let mut tell = |said: String| {
        if !found.contains(&said) {
            found.push(said);
        }
    };
    for one in gone {
        for (code, through) in inventory.code.that_name(one) {
            let on = code.table.as_ref().map(|table| format!(" of `{table}`"));
            let through = through.map(|function| format!(", by the function `{function}`"));
            tell(format!(
                "the {} `{}`{}{} names {}",
                code.word,
                code.name,
                on.unwrap_or_default(),
                through.unwrap_or_default(),
                named(one)
            ));
        }
        let leads_to = inventory.attached.iter().filter(|attached| {
            let to = attached.with.as_ref();
            let is_to = to.is_some_and(|to| dialect.may_be_same_name(to, &one.table));
            is_to
                && one.column.as_ref().is_none_or(|column| {
                    let mut columns = attached.columns.iter();
                    columns.any(|other| dialect.may_be_same_name(other, column))
                })
        });
        for attached in leads_to {
            tell(format!(
                "{} of `{}` (`{}`) leads to {}",
                attached.what,
                attached.table,
                attached.name,
                named(one)
            ));
        }
    }
    found
}

/// What the database itself would not let go of.
async fn kept(
    connection: &mut dyn Connection,
    depends: &str,
    gone: &[Gone],
) -> Result<Vec<String>, DatabaseError> {
    let mut found = Vec::new();
    for one in gone {
        let column = one.column.clone().unwrap_or_default();
        let parameters = [one.table.clone().into(), column.into()];
        for row in connection.query(depends, &parameters).await? {
            found.push(format!("{} needs {}", row.text(0)?, named(one)));
        }
    }
    Ok(found)
}

/// How the server is asked.
struct Eye<'a> {
    connection: &'a mut dyn Connection,
    dialect: Dialect,
    gone: &'a [Gone],
    statistics: &'a Statistics,
}

impl Eye<'_> {
    /// Each question in a transaction of its own: one that fails leaves nothing behind for the next.
    async fn rows(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, DatabaseError> {
        self.connection.begin(Access::Read).await?;
        let rows = self.connection.query(sql, parameters).await;
        self.connection.rollback().await?;
        rows
    }

    fn is_meant_by(&self, text: &str) -> bool {
        let mut gone = self.gone.iter();
        gone.any(|gone| gone.met_by(self.dialect, text) == Met::Named)
    }

    fn tables(&self) -> Vec<String> {
        let mut tables: Vec<String> = self.gone.iter().map(|gone| gone.table.clone()).collect();
        tables.sort();
        tables.dedup();
        tables
    }

    /// Where the counters are; what is in the way is told.
    async fn place(&mut self, uses: &mut Uses) -> Option<String> {
        let rows = self.rows(self.statistics.installed, &[]).await;
        let why = match rows.map(|rows| rows.into_iter().next()) {
            Ok(Some(row)) => return row.text(0).ok().map(str::to_owned),
            Ok(None) => String::new(),
            Err(error) => format!(" ({error})"),
        };
        let off = self.statistics.off;
        uses.unseen
            .push(format!("the server counts no statements{why}: {off}"));
        None
    }

    async fn since(&mut self, place: &str) -> Option<String> {
        let sql = self.statistics.since?.replace("{place}", place);
        let rows = self.rows(&sql, &[]).await.ok()?;
        let since = rows.first()?.text(0).ok()?;
        (!since.is_empty()).then(|| since.to_owned())
    }

    /// The statements that name what goes, and whether there are some that this role may not see.
    async fn counted(&mut self, place: &str) -> Result<(Vec<Counted>, bool), DatabaseError> {
        let sql = self.statistics.counted.replace("{place}", place);
        let mut found: Vec<Counted> = Vec::new();
        let mut hidden = false;
        for table in self.tables() {
            let pattern = Value::Text(format!("%{table}%"));
            for row in self.rows(&sql, &[pattern]).await? {
                let text = row.text(0)?.to_owned();
                if text.starts_with("<insufficient") {
                    hidden = true;
                    continue;
                }
                // What the server has cut off may name it behind the cut.
                if !self.is_meant_by(&text) && !text.ends_with("...") {
                    continue;
                }
                let one = Counted {
                    text,
                    calls: row.int(1)?,
                    grew: None,
                    roles: row.text(2)?.to_owned(),
                    last: row.text(3)?.to_owned(),
                };
                if !found.contains(&one) {
                    found.push(one);
                }
            }
        }
        Ok((found, hidden))
    }

    async fn sessions(&mut self, uses: &mut Uses) {
        for table in self.tables() {
            let pattern = Value::Text(format!("%{table}%"));
            let rows = match self.rows(self.statistics.sessions, &[pattern]).await {
                Ok(rows) => rows,
                Err(error) => {
                    uses.unseen.push(format!("the sessions: {error}"));
                    return;
                }
            };
            for row in rows {
                let text = |index| row.text(index).unwrap_or_default().to_owned();
                let one = AtWork {
                    text: text(0),
                    role: text(1),
                    application: text(2),
                    state: text(3),
                };
                if self.is_meant_by(&one.text) && !uses.sessions.contains(&one) {
                    uses.sessions.push(one);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_meanwhile_is_what_its_counter_says() {
        let counted = |text: &str, calls| Counted {
            text: text.to_owned(),
            calls,
            grew: None,
            roles: "app".to_owned(),
            last: String::new(),
        };
        let before = [counted("a", 5), counted("b", 7), counted("c", 9)];
        let after = vec![
            counted("a", 5),
            counted("b", 8),
            counted("c", 2),
            counted("d", 1),
        ];
        let grown = grown(&before, after);
        let grown: Vec<(&str, Option<i64>)> =
            grown.iter().map(|one| (&*one.text, one.grew)).collect();
        assert_eq!(grown, [("b", Some(1)), ("c", Some(2)), ("d", Some(1))]);
    }
}
