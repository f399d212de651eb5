//! What in the database needs what a contract takes away, so that the server would refuse to let go of it.
//!
//! A script whose statements are committed one by one would stop there, in the middle: what keeps the formats in step is gone by then, and
//! old versions are shut out. So whoever asks is told before.

use super::CoordinatorError;
use super::counters::{gone, named};
use crate::database::{Connection, DatabaseError};
use crate::project::Migration;
use crate::sql::{Dialect, Effect, Gone, ObjectKind, Script, Statement, Verb};

/// Something that the server would not lose, and what of it needs that.
pub(super) struct Needs {
    /// In words.
    pub said: String,
    /// What it is called by itself.
    pub name: String,
    /// What it needs is called so as well: an index has the name of its first column unless it got another.
    pub is_namesake: bool,
    /// Triggers and functions, whose text is looked through as well.
    pub is_code: bool,
    /// The column that it needs, and what else it is about: with all of that it goes along.
    pub about: Option<About>,
}

pub(super) struct About {
    table: String,
    columns: Vec<String>,
}

impl About {
    fn of(gone: &Gone, others: &str) -> Option<Self> {
        let column = gone.column.clone().filter(|_| !others.is_empty())?;
        let others = others.split(BETWEEN).map(ToOwned::to_owned);
        Some(Self {
            table: gone.table.clone(),
            columns: others.chain([column]).collect(),
        })
    }

    /// Whether all of it goes at once. Of two statements MySQL refuses the first.
    fn goes(&self, script: &Script) -> bool {
        let dialect = script.dialect;
        let takes = |statements: &[Statement]| {
            self.columns.iter().all(|column| {
                let mut gone = statements.iter().flat_map(Statement::gone);
                gone.any(|gone| {
                    let is_it = |one: &String| dialect.may_be_same_name(one, column);
                    gone.verb == Verb::Drop
                        && dialect.may_be_same_name(&gone.table, &self.table)
                        && gone.column.as_ref().is_some_and(is_it)
                })
            })
        };
        match dialect {
            Dialect::Mysql => script.statements.chunks(1).any(takes),
            Dialect::Postgres | Dialect::Sqlite => takes(&script.statements),
        }
    }
}

/// Stands between the names of columns, because no name holds it.
const BETWEEN: char = '\u{1f}';

/// What the database itself would not let go of, or nothing where it keeps no account of that. In a transaction.
pub(super) async fn needs(
    connection: &mut dyn Connection,
    gone: &[Gone],
) -> Result<Vec<Needs>, DatabaseError> {
    let Some(depends) = connection.capabilities().depends else {
        return Ok(Vec::new());
    };
    let schemas = connection.schemas().unwrap_or_default().to_owned();
    let mut found = Vec::new();
    let is_table = |one: &&Gone| {
        matches!(
            one.kind,
            ObjectKind::Table
                | ObjectKind::Column
                | ObjectKind::View
                | ObjectKind::MaterializedView
                | ObjectKind::Index
        )
    };
    for one in gone.iter().filter(is_table) {
        let column = one.column.clone().unwrap_or_default();
        let place = one.schema.clone().unwrap_or_else(|| schemas.clone());
        let parameters = [one.table.clone().into(), column.into(), place.into()];
        for row in connection.query(depends, &parameters).await? {
            found.push(Needs {
                said: format!("{} needs {}", row.text(0)?, named(one)),
                is_namesake: row
                    .text(1)?
                    .eq_ignore_ascii_case(one.column.as_ref().unwrap_or(&one.table)),
                name: row.text(1)?.to_owned(),
                is_code: row.int(2)? != 0,
                about: About::of(one, row.text(3)?),
            });
        }
    }
    Ok(found)
}

/// What the contract of this migration would be refused by. What its own script names is its author's, and so is all that a
/// statement does which nobody can read.
pub(super) async fn needed(
    migration: &Migration,
    connection: &mut dyn Connection,
) -> Result<Vec<String>, CoordinatorError> {
    let dialect = connection.capabilities().dialect;
    let files = migration.files(dialect);
    let Some(file) = &files.contract else {
        return Ok(Vec::new());
    };
    let mut gone = gone(migration, dialect);
    // What gets another name keeps what needs it.
    gone.retain(|one| one.verb == Verb::Drop);
    gone.extend(indexes(&file.script));
    if gone.is_empty() || does_more(&file.script) {
        return Ok(Vec::new());
    }
    let found = needs(connection, &gone).await?;
    let is_named = |needs: &Needs| {
        let mut statements = file.script.statements.iter();
        statements.any(|statement| match needs.is_namesake {
            true => is_dropped(statement, &needs.name),
            false => dialect.mentions(&statement.text, &needs.name),
        })
    };
    let mut said: Vec<String> = Vec::new();
    let goes = |one: &Needs| {
        let about = one.about.as_ref();
        about.is_some_and(|about| about.goes(&file.script))
    };
    for one in found.into_iter().filter(|one| !is_named(one) && !goes(one)) {
        if !said.contains(&one.said) {
            said.push(one.said);
        }
    }
    Ok(said)
}

/// Whether a statement takes an index or a constraint of that name away.
fn is_dropped(statement: &Statement, name: &str) -> bool {
    statement.objects().any(|object| {
        matches!(object.kind, ObjectKind::Index | ObjectKind::Constraint)
            && object.verb == Verb::Drop
            && object.name.eq_ignore_ascii_case(name)
    })
}

/// The indexes that a script drops by name, where these are names of a schema.
fn indexes(script: &Script) -> Vec<Gone> {
    let objects = script.statements.iter().flat_map(Statement::objects);
    let dropped = objects.filter(|object| {
        object.kind == ObjectKind::Index
            && object.verb == Verb::Drop
            && script.dialect == Dialect::Postgres
    });
    let gone = dropped.map(|object| Gone {
        verb: object.verb,
        kind: object.kind,
        schema: object.schema.clone(),
        table: object.name.clone(),
        column: None,
    });
    gone.collect()
}

/// Whether it may take away more than it names.
fn does_more(script: &Script) -> bool {
    script.statements.iter().any(|statement| {
        matches!(statement.effect, Effect::Unknown { .. })
            || script.dialect.mentions(&statement.text, "cascade")
    })
}
