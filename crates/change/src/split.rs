//! Columns that move to a table of their own, in which a row is that of the row they come from: expand makes it, with the table's key
//! as its key.
//!
//! A row is there where one of its columns holds something; one in which all of them are NULL is as good as none. From expand to
//! contract triggers on both tables keep them in step, whoever writes. What they answer to is what was written last: a write to
//! either table is followed in the other one where that holds something else, so that none answers another one. With its row in the
//! first table a row goes, and gets its key, by the foreign key.
//!
//! Invariant: a version that writes one of the tables alone writes as it will after the contract. So an INSERT of a row that the new
//! table wants has to find none there, and a column that moves has to be NULL where it is left out.

mod mysql;
mod postgres;
mod sqlite;

use phasegate_model::model::{Step, Sync};
use phasegate_sql::Dialect;

use super::names::Place;
use super::text::Script;
use super::{Allowed, Filling, Generated, NewColumn, Wrong};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SplitTable {
    /// A unique key of the table, which batches go along.
    pub key: Vec<String>,
    /// The new table, without a schema: it lies in that of the other one.
    pub to: String,
    /// What the columns of the key are called there.
    pub link: Vec<String>,
    /// All columns of the new table. Those that are not of `link` move, and keep their names.
    pub new: Vec<NewColumn>,
    /// Indexes over the columns that move, which go with them.
    pub drop_indexes: Vec<String>,
    /// Conditions over them, which go with them.
    pub drop_constraints: Vec<String>,
}

impl SplitTable {
    /// The columns that move.
    pub fn moved(&self) -> impl Iterator<Item = &NewColumn> {
        self.new.iter().filter(|new| !self.link.contains(&new.name))
    }

    fn wrong(&self, place: &Place) -> Option<Wrong> {
        if self.to.contains('.') {
            return Some(Wrong::new(
                format!("`to` names a schema: `{}`", self.to),
                "write the name of the new table alone; it lies in the schema of the other one",
            ));
        }
        if self.to == place.own_name() {
            return Some(Wrong::new(
                format!("the table is called `{}` itself", self.to),
                "name the new table under `to`",
            ));
        }
        if self.link.len() != self.key.len() {
            return Some(Wrong::new(
                format!(
                    "`key` names {} columns, and `link` names {}",
                    self.key.len(),
                    self.link.len()
                ),
                "name under `link` what each column of the key is called in the new table",
            ));
        }
        let is_there = |name: &&String| self.new.iter().any(|new| new.name == **name);
        if let Some(name) = self.link.iter().find(|name| !is_there(name)) {
            return Some(Wrong::new(
                format!("`new` does not say the type of `{name}`, by which a row is found"),
                format!(
                    "write it beside the columns that move: `new = {{ {name} = \"bigint\", … }}`"
                ),
            ));
        }
        if self.moved().next().is_none() {
            return Some(Wrong::new(
                format!("no column moves to `{}`", self.to),
                "name each under `new`, with its type",
            ));
        }
        if let Some(new) = self.moved().find(|new| self.key.contains(&new.name)) {
            return Some(Wrong::new(
                format!("`{}` is of the key, and cannot move", new.name),
                "name under `new` what moves, and under `link` what the key is called in the new table",
            ));
        }
        let strict = self.new.iter();
        let mut strict = strict.filter(|new| new.not_null || new.default.is_some());
        strict.next().map(|new| {
            Wrong::new(
                format!(
                    "`{}` cannot be NOT NULL or have a default while old versions write it",
                    new.name
                ),
                "leave `not_null` and `default` out; after the contract a migration of the kind `not-null` or `default` says them",
            )
        })
    }
}

/// The declaration as one database sees it, with everything as a statement writes it.
struct Seen<'c> {
    split: &'c SplitTable,
    /// The table that is there.
    whole: &'c Place,
    /// The new one.
    part: Place,
    key: Vec<String>,
    link: Vec<String>,
    moved: Vec<String>,
}

impl<'c> Seen<'c> {
    fn new(split: &'c SplitTable, whole: &'c Place) -> Self {
        let written = |names: &[String]| names.iter().map(|name| whole.column(name)).collect();
        Self {
            split,
            whole,
            part: whole.another(&split.to),
            key: written(&split.key),
            link: written(&split.link),
            moved: split.moved().map(|new| whole.column(&new.name)).collect(),
        }
    }

    fn dialect(&self) -> Dialect {
        self.whole.dialect
    }

    /// `a.x = b.y AND …`
    fn same_key(left: &str, names: &[String], right: &str, others: &[String]) -> String {
        let each = names.iter().zip(others);
        let each = each.map(|(name, other)| format!("{left}{name} = {right}{other}"));
        each.collect::<Vec<_>>().join(" AND ")
    }

    /// `a.x IS NULL AND a.y IS NULL`
    fn nothing(&self, row: &str) -> String {
        let each = self.moved.iter().map(|name| format!("{row}{name} IS NULL"));
        each.collect::<Vec<_>>().join(" AND ")
    }

    /// `a.x, a.y`
    fn of(row: &str, names: &[String]) -> String {
        let each = names.iter().map(|name| format!("{row}{name}"));
        each.collect::<Vec<_>>().join(", ")
    }

    /// `x = a.x, y = a.y`
    fn set(&self, row: &str) -> String {
        let each = self
            .moved
            .iter()
            .map(|name| format!("{name} = {row}{name}"));
        each.collect::<Vec<_>>().join(", ")
    }

    fn set_nothing(&self) -> String {
        let each = self.moved.iter().map(|name| format!("{name} = NULL"));
        each.collect::<Vec<_>>().join(", ")
    }

    /// All columns of the new table, those of its key first.
    fn columns(&self) -> String {
        let all: Vec<&str> = self
            .link
            .iter()
            .chain(&self.moved)
            .map(String::as_str)
            .collect();
        all.join(", ")
    }

    /// Whether two rows hold the same in the columns that move, byte by byte.
    fn same(&self, left: &str, right: &str) -> String {
        let one = |name: &String| {
            let (left, right) = (format!("{left}{name}"), format!("{right}{name}"));
            match self.dialect() {
                Dialect::Postgres => format!(
                    "CAST({left} AS text) COLLATE \"C\" IS NOT DISTINCT FROM CAST({right} AS text)"
                ),
                // As numbers too: the text of a FLOAT has fewer digits than its value.
                Dialect::Mysql => format!(
                    "{left} <=> {right} AND CAST({left} AS BINARY) <=> CAST({right} AS BINARY)"
                ),
                Dialect::Sqlite => format!("{left} COLLATE BINARY IS {right}"),
            }
        };
        let each: Vec<String> = self.moved.iter().map(one).collect();
        each.join(" AND ")
    }

    /// The statement that makes the new table.
    fn made(&self) -> Result<String, Wrong> {
        let mut lines = Vec::new();
        let link = self.split.link.iter();
        let link = link.filter_map(|name| self.split.new.iter().find(|new| new.name == *name));
        for (new, end) in link
            .map(|new| (new, " NOT NULL"))
            .chain(self.split.moved().map(|new| (new, "")))
        {
            let kind = new.kind_on(self.dialect())?;
            lines.push(format!("{} {kind}{end}", self.whole.column(&new.name)));
        }
        let link = self.link.join(", ");
        lines.push(format!("PRIMARY KEY ({link})"));
        lines.push(format!(
            "FOREIGN KEY ({link}) REFERENCES {} ({}) ON UPDATE CASCADE ON DELETE CASCADE",
            // SQLite looks for it in the schema of the table that it is said in.
            match self.dialect() {
                Dialect::Sqlite => self.whole.column(self.whole.own_name()),
                Dialect::Postgres | Dialect::Mysql => self.whole.table(),
            },
            self.key.join(", ")
        ));
        Ok(format!(
            "CREATE TABLE {} (\n    {}\n)",
            self.part.table(),
            lines.join(",\n    ")
        ))
    }

    /// `ALTER TABLE users DROP COLUMN street, DROP COLUMN city`, or one by one where a statement takes one.
    fn dropped(&self) -> Vec<String> {
        let each = self.moved.iter();
        each.map(|name| format!("DROP COLUMN {name}")).collect()
    }
}

/// What differs between databases.
struct Pieces {
    expand: Script,
    contract: Script,
    revert: Script,
    allow: Vec<Allowed>,
}

pub(super) fn generate(split: &SplitTable, place: &Place) -> Result<Generated, Wrong> {
    if let Some(wrong) = split.wrong(place) {
        return Err(wrong);
    }
    let seen = Seen::new(split, place);
    let pieces = match place.dialect {
        Dialect::Postgres => postgres::pieces(&seen)?,
        Dialect::Mysql => mysql::pieces(&seen)?,
        Dialect::Sqlite => sqlite::pieces(&seen)?,
    };
    let both = format!(
        "FROM {} AS kept\nLEFT JOIN {} AS moved ON {}",
        place.table(),
        seen.part.table(),
        Seen::same_key("moved.", &seen.link, "kept.", &seen.key)
    );
    let agree = seen.same("moved.", "kept.");
    let range = range(&seen);
    let (locked, link) = (locked(&seen), seen.link.join(", "));
    let upsert = match place.dialect {
        Dialect::Postgres | Dialect::Sqlite => {
            format!(
                "ON CONFLICT ({link}) DO UPDATE SET {}",
                seen.set("excluded.")
            )
        }
        Dialect::Mysql => {
            let each = seen
                .moved
                .iter()
                .map(|name| format!("{name} = VALUES({name})"));
            format!(
                "ON DUPLICATE KEY UPDATE {}",
                each.collect::<Vec<_>>().join(", ")
            )
        }
    };
    let backfill = Script::whole().explained(
        "Runs once for each batch of keys. What agrees is left alone, and what is read cannot be written before it is there.",
        format!(
            "INSERT INTO {} ({})\nSELECT {}, {}\n{both}\nWHERE {range}\n    AND NOT ({agree})\n{locked}{upsert}",
            seen.part.table(),
            seen.columns(),
            Seen::of("kept.", &seen.key),
            Seen::of("kept.", &seen.moved),
        ),
    );
    let filling = Filling {
        table: place.plain_table(),
        key: split.key.clone(),
        remaining: format!("SELECT count(*)\n{both}\nWHERE NOT ({agree})"),
        check: format!(
            "SELECT {}\n{both}\nWHERE {range}\n    AND NOT ({agree})",
            Seen::of("kept.", &seen.key)
        ),
    };
    Ok(Generated {
        filling: Some(filling),
        sync: Sync::Both,
        allow: pieces.allow,
        ..Generated::of([
            (Step::Expand, pieces.expand),
            (Step::Backfill, backfill),
            (Step::Contract, pieces.contract),
            (Step::Revert, pieces.revert),
        ])
    })
}

fn range(seen: &Seen<'_>) -> String {
    let columns = Seen::of("kept.", &seen.key);
    if seen.key.len() == 1 {
        format!("{columns} > :after AND {columns} <= :upto")
    } else {
        format!("({columns}) > :after AND ({columns}) <= :upto")
    }
}

/// What a version writes while the batch runs waits for it, or the batch takes what it wrote.
fn locked(seen: &Seen<'_>) -> &'static str {
    match seen.dialect() {
        Dialect::Postgres => "FOR SHARE OF kept\n",
        Dialect::Mysql => "LOCK IN SHARE MODE\n",
        Dialect::Sqlite => "",
    }
}
