//! What a server has counted of the statements that name what a contract takes away, and the sessions whose last one does.

use super::own_statements::Own;
use crate::database::{Access, Connection, DatabaseError, ErrorKind, Row, Statistics, Value};
use crate::model::Step;
use crate::project::Migration;
use crate::sql::{Dialect, Gone, Met, ObjectKind};

/// A statement that the server has counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Without its values.
    pub text: String,
    pub calls: i64,
    /// By how many calls it grew while it was watched, or since the last look that is remembered.
    pub grew: Option<i64>,
    /// The roles that have sent it, where the server tells.
    pub roles: String,
    /// When it was sent last, where the server tells.
    pub last: String,
}

/// What the counters of the server show at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counters {
    /// What goes, in words.
    pub subject: String,
    /// Which counters these are.
    pub counters: String,
    /// For how many statements there was no room.
    pub evicted: i64,
    /// Which these are, and what makes room.
    pub missed: &'static str,
    /// By the database's clock; 0 where it was not asked.
    pub at: i64,
    pub statements: Vec<Counted>,
    /// Why it is not all there is.
    pub blind: Option<String>,
}

/// A session whose last statement names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AtWork {
    pub role: String,
    pub application: String,
    pub state: String,
    pub text: String,
}

/// What the server has counted of what the contract of this migration takes away.
///
/// # Errors
/// A database error.
pub(super) async fn counters(
    migration: &Migration,
    connection: &mut dyn Connection,
) -> Result<Counters, DatabaseError> {
    let capabilities = connection.capabilities();
    let dialect = capabilities.dialect;
    let gone = gone(migration, dialect);
    let mut subject: Vec<String> = gone.iter().map(named).collect();
    subject.sort();
    let mut found = Counters {
        subject: subject.join(", "),
        ..Counters::default()
    };
    let Some(statistics) = &capabilities.statistics else {
        found.blind = Some(format!("{} counts no statements", dialect.title()));
        return Ok(found);
    };
    if gone.is_empty() {
        found.blind = Some("what its contract takes away has no name to look for".to_owned());
        return Ok(found);
    }
    let own = Own::of(migration, dialect, statistics);
    let mut eye = Eye::new(connection, (&gone, &own), statistics);
    let place = match eye.place().await? {
        Ok(place) => place,
        Err(why) => {
            found.blind = Some(why);
            return Ok(found);
        }
    };
    found.missed = statistics.missed;
    // Before the statements: what becomes of the counters meanwhile shows at the next look.
    (found.counters, found.evicted, _) = eye.which(&place).await?;
    let (statements, hidden) = eye.counted(&place).await?;
    found.statements = statements;
    found.blind = hidden.told(statistics).into_iter().next();
    // What grows after this moment was sent after it.
    (_, _, found.at) = eye.which(&place).await?;
    Ok(found)
}

/// What its contract takes away or gives another name.
pub(super) fn gone(migration: &Migration, dialect: Dialect) -> Vec<Gone> {
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

pub(super) fn named(gone: &Gone) -> String {
    let word = match gone.kind {
        ObjectKind::Column => "the column",
        ObjectKind::Table => "the table",
        ObjectKind::View | ObjectKind::MaterializedView => "the view",
        ObjectKind::Index => "the index",
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

/// What a statement that is counted without its values may name by one of them.
fn by_value(gone: &[Gone], dialect: Dialect) -> &'static [&'static str] {
    match dialect {
        Dialect::Postgres if gone.iter().any(|one| one.kind == ObjectKind::Sequence) => {
            &["nextval(", "setval(", "currval("]
        }
        Dialect::Mysql => &["PREPARE", "EXECUTE IMMEDIATE"],
        Dialect::Postgres | Dialect::Sqlite => &[],
    }
}

/// Whether it says one of these and keeps the value to itself: `nextval($1)`, `PREPARE s FROM ?`.
fn may_mean_it(text: &str, gone: &[Gone], dialect: Dialect) -> bool {
    let text = text.to_ascii_lowercase();
    let mut words = by_value(gone, dialect).iter();
    let value = if dialect == Dialect::Mysql { '?' } else { '$' };
    words.any(|word| {
        let found = text.find(&word.to_ascii_lowercase());
        let behind = found.and_then(|at| text.get(at + word.len()..));
        behind.is_some_and(|behind| match dialect {
            Dialect::Mysql => found == Some(0) && behind.contains(value),
            _ => behind.trim_start().starts_with(value),
        })
    })
}

/// How many statements the server is asked for.
const MOST: usize = 500;

/// How the server is asked.
pub(super) struct Eye<'a> {
    connection: &'a mut dyn Connection,
    dialect: Dialect,
    gone: &'a [Gone],
    own: &'a Own,
    statistics: &'a Statistics,
}

/// What the counters do not show.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hidden {
    /// Statements for which there was no room.
    pub no_room: bool,
    /// Those of other roles.
    of_others: bool,
    /// Those that were cut off before they name it.
    cut_off: bool,
    /// More than are looked at.
    too_many: bool,
}

impl Hidden {
    /// What keeps a look from seeing all that is counted.
    pub(super) fn told(self, statistics: &Statistics) -> Vec<String> {
        let each = [
            (self.of_others, statistics.hidden),
            (self.cut_off, statistics.cut_off),
            (self.too_many, "more statements than are looked at name it"),
        ];
        let each = each.into_iter().filter(|(is_so, _)| *is_so);
        each.map(|(_, what)| what.to_owned()).collect()
    }
}

impl<'a> Eye<'a> {
    pub(super) fn new(
        connection: &'a mut dyn Connection,
        (gone, own): (&'a [Gone], &'a Own),
        statistics: &'a Statistics,
    ) -> Self {
        Self {
            dialect: connection.capabilities().dialect,
            connection,
            gone,
            own,
            statistics,
        }
    }

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

    /// What a statement has in it that names what goes, or that may name it by a value.
    fn looked_for(&self) -> Vec<(String, String)> {
        let named = self.gone.iter().map(|one| {
            let column = one.column.clone().unwrap_or_default();
            (one.table.clone(), column)
        });
        let by_value = by_value(self.gone, self.dialect).iter();
        let by_value = by_value.map(|word| ((*word).to_owned(), String::new()));
        named.chain(by_value).collect()
    }

    fn tables(&self) -> Vec<String> {
        let mut tables: Vec<String> = self.gone.iter().map(|gone| gone.table.clone()).collect();
        tables.sort();
        tables.dedup();
        tables
    }

    /// Where the counters are; what is in the way is told.
    pub(super) async fn place(&mut self) -> Result<Result<String, String>, DatabaseError> {
        let rows = self.rows(self.statistics.installed, &[]).await;
        let why = match rows.map(|rows| rows.into_iter().next()) {
            Ok(Some(row)) => return Ok(Ok(row.text(0)?.to_owned())),
            Ok(None) => String::new(),
            Err(error) => format!(" ({error})"),
        };
        let off = self.statistics.off;
        Ok(Err(format!("the server counts no statements{why}: {off}")))
    }

    /// Which counters these are, for how many statements there was no room, and when this was.
    async fn which(&mut self, place: &str) -> Result<(String, i64, i64), DatabaseError> {
        let now = self.connection.capabilities().now_ms;
        let sql = self.statistics.counters.replace("{place}", place);
        let rows = self.rows(&sql.replace("{now}", now), &[]).await?;
        let row = rows.first().ok_or_else(|| {
            DatabaseError::new(
                ErrorKind::Statement,
                "the server does not say since when it counts",
            )
        })?;
        Ok((row.text(0)?.to_owned(), row.int(1)?, row.int(2)?))
    }

    pub(super) async fn since(&mut self, place: &str) -> Option<String> {
        let sql = self.statistics.since?.replace("{place}", place);
        let rows = self.rows(&sql, &[]).await.ok()?;
        let since = rows.first()?.text(0).ok()?;
        (!since.is_empty()).then(|| since.to_owned())
    }

    /// The statements that name what goes, and what is not shown.
    pub(super) async fn counted(
        &mut self,
        place: &str,
    ) -> Result<(Vec<Counted>, Hidden), DatabaseError> {
        let sql = self.statistics.counted.replace("{place}", place);
        let mut found: Vec<Counted> = Vec::new();
        let mut hidden = Hidden::default();
        for (table, column) in self.looked_for() {
            let like = |name: &str| Value::Text(format!("%{name}%"));
            let rows = self.rows(&sql, &[like(&table), like(&column)]).await?;
            hidden.too_many |= rows.len() >= MOST;
            for row in rows {
                let text = row.text(0)?.to_owned();
                if text.starts_with("<insufficient") {
                    hidden.no_room |= text.starts_with("<insufficient room");
                    hidden.of_others |= !text.starts_with("<insufficient room");
                    continue;
                }
                if !self.is_meant_by(&text) && !may_mean_it(&text, self.gone, self.dialect) {
                    // It may name it behind the cut.
                    hidden.cut_off |= text.ends_with("...");
                    continue;
                }
                if self.own.is(self.dialect, &text) {
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

    pub(super) async fn sessions(&mut self) -> Result<Vec<AtWork>, DatabaseError> {
        let mut sessions: Vec<AtWork> = Vec::new();
        for table in self.tables() {
            let pattern = Value::Text(format!("%{table}%"));
            for row in self.rows(self.statistics.sessions, &[pattern]).await? {
                let text = |index| row.text(index).unwrap_or_default().to_owned();
                let one = AtWork {
                    text: text(0),
                    role: text(1),
                    application: text(2),
                    state: text(3),
                };
                if self.is_meant_by(&one.text) && !sessions.contains(&one) {
                    sessions.push(one);
                }
            }
        }
        Ok(sessions)
    }
}

#[cfg(test)]
mod tests {
    use super::{Gone, ObjectKind, may_mean_it};
    use crate::sql::{Dialect, Verb};

    #[test]
    fn a_value_that_is_not_counted_may_be_the_name_of_what_goes() {
        let gone = |kind| {
            [Gone {
                verb: Verb::Drop,
                kind,
                schema: None,
                table: "sq".to_owned(),
                column: None,
            }]
        };
        for (dialect, kind, text, may) in [
            (
                Dialect::Postgres,
                ObjectKind::Sequence,
                "SELECT nextval($1)",
                true,
            ),
            (
                Dialect::Postgres,
                ObjectKind::Sequence,
                "select NEXTVAL( $1::regclass)",
                true,
            ),
            (
                Dialect::Postgres,
                ObjectKind::Sequence,
                "SELECT nextval(name) FROM sequences",
                false,
            ),
            (
                Dialect::Postgres,
                ObjectKind::Table,
                "SELECT nextval($1)",
                false,
            ),
            (
                Dialect::Mysql,
                ObjectKind::Table,
                "PREPARE `s` FROM ?",
                true,
            ),
            (
                Dialect::Mysql,
                ObjectKind::Table,
                "EXECUTE IMMEDIATE ?",
                true,
            ),
            (Dialect::Mysql, ObjectKind::Table, "EXECUTE `s`", false),
            (
                Dialect::Mysql,
                ObjectKind::Table,
                "SELECT `prepare` FROM `t` WHERE `id` = ?",
                false,
            ),
        ] {
            assert_eq!(may_mean_it(text, &gone(kind), dialect), may, "{text}");
        }
    }
}
