//! Columns that are replaced by others of the same table: renamed, retyped, split or merged.
//!
//! From expand to contract both formats are kept in step by triggers, whoever writes. What they keep true is one condition,
//! which also says what is left to fill and what is wrong: the formats of a row agree where the new one is what `forward`
//! makes of the old one, **or** the old one is what `back` makes of the new one. Either is enough, because a change may lose
//! something in one direction: 'Jean Luc' and 'Picard' are joined to a name that is split elsewhere, and both are right.
//!
//! What a write means, in this order:
//! 1. nothing of either format has changed: the row is left alone, also by the backfill's own writes;
//! 2. the new format was written: it holds, and the old one follows unless they agree. So a version that writes both
//!    has its way as long as what it writes agrees;
//! 3. only the old format was written: the new one follows.
//!
//! A row is compared exactly, byte by byte, and not as its collation does: a letter that became a capital is a change.

mod mysql;
mod postgres;
mod sqlite;
mod trials;

use std::collections::BTreeMap;

use phasegate_model::model::{Step, Sync};
use phasegate_sql::{self as sql, Dialect};

use super::names::Place;
use super::text::{Script, indented};
use super::{Allowed, Filling, Generated, Varied, Wrong};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    /// A unique key of the table that batches go along.
    pub key: Vec<String>,
    pub old: Vec<String>,
    pub new: Vec<NewColumn>,
    /// Each new column from the old ones.
    pub forward: BTreeMap<String, Varied>,
    /// Each old column from the new ones.
    pub back: BTreeMap<String, Varied>,
    /// Columns that the backfill leaves as they are although the database would set them: `updated_at` with
    /// `ON UPDATE CURRENT_TIMESTAMP` (MySQL, MariaDB).
    pub keep: Vec<String>,
    /// Indexes over the new columns, which expand builds while they are empty.
    pub indexes: Vec<NewIndex>,
    /// Indexes over the old columns that go with them.
    pub drop_indexes: Vec<String>,
    /// Foreign keys and conditions over the old columns that go with them.
    pub drop_constraints: Vec<String>,
}

/// An index that the new format brings along.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewIndex {
    pub name: String,
    pub columns: Vec<String>,
    /// In place of `columns`: what is indexed, as SQL.
    pub on: Option<Varied>,
    /// Which rows (not on MySQL and MariaDB).
    pub condition: Option<Varied>,
    pub is_unique: bool,
    /// The index over the old columns whose place it takes, and that goes at the contract.
    pub replaces: Option<String>,
}

impl Columns {
    /// The indexes over the old columns of which something is said.
    pub fn leaving(&self) -> impl Iterator<Item = &String> {
        let replaced = self
            .indexes
            .iter()
            .filter_map(|index| index.replaces.as_ref());
        replaced.chain(&self.drop_indexes)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewColumn {
    pub name: String,
    pub kind: Varied,
    /// From the contract on.
    pub not_null: bool,
    /// From the contract on; before, a row that says nothing of the new format is one of the old format.
    pub default: Option<Varied>,
}

impl NewColumn {
    /// Its type on a database, or that it is not said.
    pub(super) fn kind_on(&self, dialect: Dialect) -> Result<&str, Wrong> {
        self.kind.of(dialect).ok_or_else(|| {
            Wrong::new(
                format!(
                    "the type of `{}` on {} is not said",
                    self.name,
                    dialect.title()
                ),
                format!(
                    "write it under `[change.new.{}.type]`: `{} = \"…\"`",
                    self.name,
                    dialect.name()
                ),
            )
        })
    }
}

/// The declaration as one database sees it.
struct Seen<'c> {
    place: &'c Place,
    columns: &'c Columns,
    /// Name and expression of each column of a format from those of the other one.
    forward: Vec<(&'c str, &'c str)>,
    back: Vec<(&'c str, &'c str)>,
    old: Vec<String>,
    new: Vec<String>,
}

impl<'c> Seen<'c> {
    fn new(columns: &'c Columns, place: &'c Place) -> Result<Self, Wrong> {
        let old = columns.old.clone();
        let new: Vec<String> = columns.new.iter().map(|new| new.name.clone()).collect();
        let forward = expressions("forward", &columns.forward, &new, &old, place.dialect)?;
        let back = expressions("back", &columns.back, &old, &new, place.dialect)?;
        nothing_is_forgotten(&forward, &old, place.dialect)?;
        Ok(Self {
            place,
            columns,
            forward,
            back,
            old,
            new,
        })
    }

    fn dialect(&self) -> Dialect {
        self.place.dialect
    }

    fn kind_of(&self, new: &'c NewColumn) -> Result<&'c str, Wrong> {
        new.kind_on(self.dialect())
    }

    fn default_of(&self, new: &'c NewColumn) -> Result<Option<&'c str>, Wrong> {
        let Some(default) = &new.default else {
            return Ok(None);
        };
        let own = default.of(self.dialect()).ok_or_else(|| {
            Wrong::new(
                format!(
                    "the default of `{}` on {} is not said",
                    new.name,
                    self.dialect().title()
                ),
                format!(
                    "write it under `[change.new.{}.default]`: `{} = \"…\"`",
                    new.name,
                    self.dialect().name()
                ),
            )
        })?;
        Ok(Some(own))
    }

    /// `expression` over the columns of one row that a trigger calls `row`.
    fn of_row(&self, expression: &str, row: &str) -> Result<String, Wrong> {
        let names: Vec<String> = self.old.iter().chain(&self.new).cloned().collect();
        let dialect = self.dialect();
        sql::qualified(dialect, expression, &names, &format!("{row}.")).map_err(|error| {
            Wrong::new(
                format!(
                    "`{expression}` is no expression on {}: {}",
                    dialect.title(),
                    error.message
                ),
                error.help,
            )
        })
    }

    fn column(&self, name: &str) -> String {
        self.place.column(name)
    }

    /// `text` further in, unless an expression has a line break: it may stand in a literal, whose value it is.
    fn indented(&self, text: &str, blanks: usize) -> String {
        let mut expressions = self.forward.iter().chain(&self.back);
        if expressions.any(|(_, expression)| expression.contains('\n')) {
            return text.to_owned();
        }
        indented(text, blanks)
    }
}

/// Every old column has to live on in a new one: the contract drops it.
fn nothing_is_forgotten(
    forward: &[(&str, &str)],
    old: &[String],
    dialect: Dialect,
) -> Result<(), Wrong> {
    let is_kept = |name: &&String| {
        forward.iter().any(|(_, expression)| {
            let found = sql::columns_in(dialect, expression, std::slice::from_ref(*name));
            found.is_ok_and(|found| !found.is_empty())
        })
    };
    match old.iter().find(|name| !is_kept(name)) {
        None => Ok(()),
        Some(lost) => Err(Wrong::new(
            format!(
                "no new column is made of `{lost}` on {}, and the contract drops it: what it holds would be lost",
                dialect.title()
            ),
            format!(
                "name `{lost}` in an expression under `[change.forward]`; what nobody needs goes with a migration of the kind `drop-column`"
            ),
        )),
    }
}

/// One expression for each of `of`, over `over` alone.
fn expressions<'c>(
    section: &str,
    given: &'c BTreeMap<String, Varied>,
    of: &[String],
    over: &[String],
    dialect: Dialect,
) -> Result<Vec<(&'c str, &'c str)>, Wrong> {
    let mut found = Vec::new();
    for name in of {
        let missing = || {
            Wrong::new(
                format!(
                    "nothing says what `{name}` is made of on {}",
                    dialect.title()
                ),
                format!(
                    "write it under `[change.{section}]`: `{name} = \"an expression over {}\"`",
                    over.join(", ")
                ),
            )
        };
        let (name, given) = given.get_key_value(name).ok_or_else(missing)?;
        let expression = given.of(dialect).ok_or_else(missing)?;
        let itself = sql::columns_in(dialect, expression, of).map_err(|error| {
            Wrong::new(
                format!(
                    "`{name}` under `[change.{section}]` is no expression on {}: {}",
                    dialect.title(),
                    error.message
                ),
                error.help,
            )
        })?;
        if let Some(circle) = itself.first() {
            return Err(Wrong::new(
                format!(
                    "`{name}` under `[change.{section}]` is made of `{circle}`, which is of the same format"
                ),
                format!("name columns of the other format only: {}", over.join(", ")),
            ));
        }
        if sql::columns_in(dialect, expression, over).is_ok_and(|found| found.is_empty()) {
            return Err(Wrong::new(
                format!(
                    "`{name}` under `[change.{section}]` is the same in every row: it is made of none of {}",
                    over.join(", ")
                ),
                "write an expression over the columns of the other format; a column that starts out empty is of the kind `add-column`",
            ));
        }
        found.push((name.as_str(), expression));
    }
    Ok(found)
}

pub(super) fn generate(columns: &Columns, place: &Place) -> Result<Generated, Wrong> {
    let seen = Seen::new(columns, place)?;
    let (agree, pieces) = match place.dialect {
        Dialect::Postgres => (postgres::agree(&seen)?, postgres::pieces(&seen)?),
        Dialect::Mysql => (mysql::agree(&seen)?, mysql::pieces(&seen)?),
        Dialect::Sqlite => (sqlite::agree(&seen), sqlite::pieces(&seen)?),
    };
    let range = place.range(&columns.key);
    let backfill = Script::whole().explained(
        "Runs once for each batch of keys. A row whose formats agree is left alone: a trigger or a bridge wrote it.",
        format!(
            "UPDATE {}\nSET {}\nWHERE {range}\n    AND NOT ({})",
            place.table(),
            assignments(&seen),
            seen.indented(&agree, 4),
        ),
    );
    let key = place.columns(&columns.key);
    let filling = Filling {
        table: place.plain_table(),
        key: columns.key.clone(),
        remaining: format!(
            "SELECT count(*) FROM {}\nWHERE NOT ({agree})",
            place.table()
        ),
        check: format!(
            "SELECT {key} FROM {}\nWHERE {range}\n    AND NOT ({agree})",
            place.table()
        ),
    };
    Ok(Generated {
        filling: Some(filling),
        sync: Sync::Both,
        allow: vouched(&seen),
        trials: trials::trials(&seen)?,
        ..Generated::of([
            (Step::Expand, pieces.expand),
            (Step::Backfill, backfill),
            (Step::Contract, pieces.contract),
            (Step::Revert, pieces.revert),
        ])
    })
}

/// What differs between databases.
struct Pieces {
    expand: Script,
    contract: Script,
    revert: Script,
}

/// What the backfill sets.
fn assignments(seen: &Seen<'_>) -> String {
    let forward = seen
        .forward
        .iter()
        .map(|(name, expression)| format!("{} = {expression}", seen.column(name)));
    let kept = (seen.dialect() == Dialect::Mysql)
        .then_some(&seen.columns.keep)
        .into_iter()
        .flatten()
        .map(|name| format!("{0} = {0}", seen.column(name)));
    let all: Vec<String> = forward.chain(kept).collect();
    all.join(",\n    ")
}

/// Whether expand is committed statement by statement where the database has transactions for it: an index is built beside writers
/// outside of one only.
fn is_apart(seen: &Seen<'_>) -> bool {
    seen.dialect() == Dialect::Postgres && !seen.columns.indexes.is_empty()
}

/// The script that expand is, with the columns and the indexes of the new format; the triggers come after.
fn added(seen: &Seen<'_>, columns: Vec<(Option<&str>, String)>) -> Script {
    let script = if is_apart(seen) {
        Script::one_by_one()
    } else {
        Script::whole()
    };
    let script = columns
        .into_iter()
        .fold(script, |script, (comment, statement)| match comment {
            Some(comment) => script.explained(comment, statement),
            None => script.statement(statement),
        });
    let mut built = built(seen).into_iter();
    let Some(first) = built.next() else {
        return script;
    };
    let script = script.explained(
        "While nothing stands in the new columns yet, so that it is built at once and nothing is there twice.",
        first,
    );
    built.fold(script, Script::statement)
}

/// The statements that build the indexes over the new columns.
fn built(seen: &Seen<'_>) -> Vec<String> {
    let place = seen.place;
    let dialect = seen.dialect();
    let of = |text: &Option<Varied>| {
        let text = text.as_ref().and_then(|text| text.of(dialect));
        text.map(str::to_owned)
    };
    let one = |index: &NewIndex| {
        let unique = if index.is_unique { "UNIQUE " } else { "" };
        let on = of(&index.on).unwrap_or_else(|| place.columns(&index.columns));
        let condition = of(&index.condition)
            .filter(|_| dialect != Dialect::Mysql)
            .map(|condition| format!(" WHERE {condition}"));
        let condition = condition.unwrap_or_default();
        let (beside, way) = match dialect {
            Dialect::Postgres => ("CONCURRENTLY ", ""),
            Dialect::Mysql => ("", " ALGORITHM = INPLACE LOCK = NONE"),
            Dialect::Sqlite => ("", ""),
        };
        format!(
            "CREATE {unique}INDEX {beside}{} ON {} ({on}){condition}{way}",
            place.column(&index.name),
            place.table()
        )
    };
    seen.columns.indexes.iter().map(one).collect()
}

/// Unique indexes that refuse nothing that is not refused already: the column is the old one as it is, and the index takes the
/// place of one over that. Of any other one `check` says what it could do to old versions.
fn vouched(seen: &Seen<'_>) -> Vec<Allowed> {
    let is_as_it_was = |column: &String| {
        let made = seen.forward.iter().find(|(name, _)| name == column);
        made.is_none_or(|(_, expression)| {
            seen.old.iter().any(|old| seen.column(old) == *expression)
        })
    };
    let indexes = seen.columns.indexes.iter().zip(built(seen));
    let vouched = indexes.filter(|(index, _)| {
        let is_plain = index.on.is_none() && index.columns.iter().all(is_as_it_was);
        index.is_unique && index.replaces.is_some() && is_plain
    });
    vouched
        .map(|(_, statement)| Allowed {
            step: Step::Expand,
            statement,
        })
        .collect()
}

/// `DROP INDEX a, DROP INDEX b`, for a statement that drops their columns: MySQL would leave of an index what is over others.
fn indexes_dropped<'n>(seen: &Seen<'_>, names: impl Iterator<Item = &'n String>) -> Vec<String> {
    let each = names.map(|name| format!("DROP INDEX {}", seen.column(name)));
    each.collect()
}

/// `DROP COLUMN a, DROP COLUMN b`
fn dropped(seen: &Seen<'_>, names: &[String]) -> Vec<String> {
    names
        .iter()
        .map(|name| format!("DROP COLUMN {}", seen.column(name)))
        .collect()
}
