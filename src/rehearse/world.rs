//! One scratch database: scripts are applied to it, rows written and read.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::rows::{Rows, quoted};
use super::shape::{Catalogue, Told};
use super::tongue::Tongue;
use super::values::kind_of;
use crate::backfill;
use crate::database::{
    Access, Connection, DatabaseError, ErrorKind, KeyRange, Keys, LockTimeout, Row, Start, Value,
};
use crate::project::{BackfillFile, BackfillRules, ScriptFile};
use crate::sql::{Dialect, Mode, Script, range_query};

pub(super) const PATIENCE: LockTimeout = LockTimeout(Duration::from_secs(20));

pub(super) struct World {
    pub connection: Box<dyn Connection>,
    pub dialect: Dialect,
    pub tongue: &'static Tongue,
    /// Whether it is written down what each statement did.
    pub is_measured: bool,
    pub ran: Vec<Ran>,
}

/// What one statement of a script did.
#[derive(Debug)]
pub(super) struct Ran {
    pub began: Instant,
    pub ended: Instant,
    /// Locks that it added: the mode and the table, where they can be seen.
    pub locks: Vec<(String, String)>,
    /// Those that the transaction holds behind it; `None` where they cannot be seen.
    pub held: Option<BTreeSet<(String, String)>>,
    /// Tables of which it is known where their rows were before it.
    pub stood: Vec<String>,
    /// Tables whose rows it stored anew.
    pub stored: Vec<String>,
    /// Tables that it read; `None` where that cannot be seen.
    pub scanned: Option<Vec<String>>,
}

impl Ran {
    fn between(began: Instant, ended: Instant, before: &Marks, after: &Marks) -> Self {
        let changed = |before: &BTreeSet<(String, String)>, after: &BTreeSet<(String, String)>| {
            let was = |table: &String| before.iter().any(|(name, _)| name == table);
            let changed = after.difference(before).map(|(table, _)| table.clone());
            changed.filter(was).collect::<Vec<_>>()
        };
        let scanned = before.scanned.as_ref().zip(after.scanned.as_ref());
        Self {
            began,
            ended,
            locks: Vec::new(),
            held: None,
            stood: before.stored.iter().map(|(name, _)| name.clone()).collect(),
            stored: changed(&before.stored, &after.stored),
            scanned: scanned.map(|(before, after)| changed(before, after)),
        }
    }
}

/// A mark for each table that changes where its rows are stored anew, and one that changes where they are read.
#[derive(Default)]
struct Marks {
    stored: BTreeSet<(String, String)>,
    scanned: Option<BTreeSet<(String, String)>>,
}

/// A statement of a script that failed.
#[derive(Debug)]
pub(super) struct Stopped {
    /// Counted from 0.
    pub at: usize,
    pub error: DatabaseError,
}

impl Stopped {
    fn at(at: usize) -> impl Fn(DatabaseError) -> Self {
        move |error| Self { at, error }
    }
}

impl World {
    pub async fn close(self) {
        self.connection.close().await;
    }

    pub async fn apply(&mut self, file: &ScriptFile) -> Result<(), Stopped> {
        self.apply_script(&file.script).await
    }

    pub async fn apply_script(&mut self, script: &Script) -> Result<(), Stopped> {
        match script.mode {
            Mode::Transactional => {
                let ran = self.in_one_transaction(script).await;
                let back = self.connection.rollback().await;
                let released = self.connection.release_script().await;
                ran?;
                back.and(released).map_err(Stopped::at(0))
            }
            Mode::NoTransaction => {
                for (index, statement) in script.statements.iter().enumerate() {
                    let before = self.marks_apart().await;
                    let began = Instant::now();
                    let ran = if statement.needs_no_transaction {
                        self.alone(&statement.text).await
                    } else {
                        self.execute(&statement.text).await
                    };
                    ran.map_err(Stopped::at(index))?;
                    if self.is_measured {
                        let ended = Instant::now();
                        let after = self.marks_apart().await;
                        self.ran.push(Ran::between(began, ended, &before, &after));
                    }
                }
                Ok(())
            }
        }
    }

    async fn in_one_transaction(&mut self, script: &Script) -> Result<(), Stopped> {
        let connection = self.connection.as_mut();
        connection
            .before_script(script)
            .await
            .map_err(Stopped::at(0))?;
        connection
            .begin(Access::Write)
            .await
            .map_err(Stopped::at(0))?;
        let mut held: BTreeSet<(String, String)> = BTreeSet::new();
        for (index, statement) in script.statements.iter().enumerate() {
            let before = self.marks().await;
            let began = Instant::now();
            let ran = self.connection.run(&statement.text).await;
            ran.map_err(Stopped::at(index))?;
            if self.is_measured {
                let ended = Instant::now();
                let locks = self.locks().await;
                let added = locks.difference(&held).cloned().collect();
                let after = self.marks().await;
                self.ran.push(Ran {
                    locks: added,
                    held: self.tongue.locks.map(|_| locks.clone()),
                    ..Ran::between(began, ended, &before, &after)
                });
                held = locks;
            }
        }
        let last = script.statements.len().saturating_sub(1);
        let connection = self.connection.as_mut();
        connection
            .after_script(script, &BTreeSet::new())
            .await
            .map_err(Stopped::at(last))?;
        connection.commit().await.map_err(Stopped::at(last))?;
        let is_measured = self.is_measured;
        if let Some(ran) = self.ran.last_mut().filter(|_| is_measured) {
            // What it locked is given back only now.
            ran.ended = Instant::now();
        }
        Ok(())
    }

    /// Inside a transaction.
    async fn marks(&mut self) -> Marks {
        if !self.is_measured {
            return Marks::default();
        }
        let stored = match self.tongue.stored {
            Some(query) => self.pairs(query).await,
            None => BTreeSet::new(),
        };
        let scanned = match self.tongue.scanned {
            Some(query) => Some(self.pairs(query).await),
            None => None,
        };
        Marks { stored, scanned }
    }

    /// Outside of any.
    async fn marks_apart(&mut self) -> Marks {
        let (Some(query), true) = (self.tongue.stored, self.is_measured) else {
            return Marks::default();
        };
        let rows = self.rows(query).await.unwrap_or_default();
        Marks {
            stored: rows.into_iter().filter_map(pair).collect(),
            scanned: None,
        }
    }

    async fn locks(&mut self) -> BTreeSet<(String, String)> {
        match self.tongue.locks {
            Some(query) => self.pairs(query).await,
            None => BTreeSet::new(),
        }
    }

    async fn pairs(&mut self, query: &str) -> BTreeSet<(String, String)> {
        let found = self.connection.query(query, &[]).await.unwrap_or_default();
        found
            .into_iter()
            .filter_map(|row| pair(texts(row)))
            .collect()
    }

    /// Runs a statement and takes it back.
    pub async fn try_out(&mut self, sql: &str) -> Result<(), DatabaseError> {
        self.connection.begin(Access::Write).await?;
        let ran = self.connection.run(sql).await;
        let back = self.connection.rollback().await;
        ran?;
        back
    }

    /// A statement outside of any transaction.
    pub async fn alone(&mut self, sql: &str) -> Result<u64, DatabaseError> {
        self.connection.prepare_bare().await?;
        self.connection.run_alone(sql, PATIENCE).await
    }

    /// What an application does: one statement in a transaction of its own.
    pub async fn execute(&mut self, sql: &str) -> Result<u64, DatabaseError> {
        execute(self.connection.as_mut(), sql).await
    }

    pub async fn rows(&mut self, sql: &str) -> Result<Vec<Vec<String>>, DatabaseError> {
        self.connection.begin(Access::Read).await?;
        let found = self.connection.query(sql, &[]).await;
        let ended = self.connection.rollback().await;
        let found = found?;
        ended?;
        Ok(found.into_iter().map(texts).collect())
    }

    /// The single number that a query of the migration returns.
    pub async fn count(&mut self, sql: &str) -> Result<i64, DatabaseError> {
        self.connection.begin(Access::Read).await?;
        let counted = self.connection.count(sql).await;
        let ended = self.connection.rollback().await;
        let counted = counted?;
        ended?;
        Ok(counted)
    }

    /// Rows of a user's own query, as texts.
    pub async fn sample(
        &mut self,
        sql: &str,
        most: u64,
    ) -> Result<Vec<Vec<String>>, DatabaseError> {
        self.connection.begin(Access::Read).await?;
        let found = self.connection.sample(sql, most).await;
        let ended = self.connection.rollback().await;
        let found = found?;
        ended?;
        Ok(found)
    }

    pub async fn catalogue(&mut self) -> Result<Catalogue, DatabaseError> {
        let tongue = self.tongue;
        let mut told = Told {
            columns: self.rows(tongue.columns).await?,
            keys: self.rows(tongue.keys).await?,
            parents: self.rows(tongue.parents).await?,
            objects: Vec::new(),
        };
        for query in tongue.objects {
            told.objects.extend(self.rows(query).await?);
        }
        Ok(Catalogue::read(&told, kind_of))
    }

    /// Columns of all rows of a relation, in the order of their keys.
    pub async fn dump(
        &mut self,
        catalogue: &Catalogue,
        relation: &str,
        columns: &[String],
    ) -> Result<Rows, DatabaseError> {
        let Some(found) = catalogue.get(relation) else {
            return Err(DatabaseError::new(
                ErrorKind::NoTable,
                format!("{relation} is not there"),
            ));
        };
        let literals: Vec<String> = columns
            .iter()
            .filter_map(|name| found.column(name))
            .map(|column| (self.tongue.literal)(&quoted(self.dialect, &column.name), &column.kind))
            .collect();
        let sql = format!("SELECT {} FROM {relation}", literals.join(", "));
        let mut rows = self.rows(&sql).await?;
        rows.sort();
        Ok(Rows {
            columns: columns.to_vec(),
            rows,
        })
    }

    async fn whole(&mut self, rules: &BackfillRules) -> Result<Option<KeyRange>, DatabaseError> {
        self.connection.begin(Access::Read).await?;
        let range = self.connection.key_range(keys(rules)).await;
        let ended = self.connection.rollback().await;
        let range = range?;
        ended?;
        Ok(range)
    }

    /// The key of the row that is so many places into the table.
    pub async fn half(&mut self, rules: &BackfillRules) -> Result<Option<KeyRange>, DatabaseError> {
        let Some(whole) = self.whole(rules).await? else {
            return Ok(None);
        };
        self.connection.begin(Access::Read).await?;
        let after = self.connection.key_ahead(keys(rules), &whole, 3).await;
        let upto = self.connection.key_ahead(keys(rules), &whole, 6).await;
        let ended = self.connection.rollback().await;
        let (after, upto) = (after?, upto?);
        ended?;
        Ok(after.zip(upto).map(|(after, upto)| KeyRange {
            start: Start::After(after),
            last: upto,
        }))
    }

    /// The backfill's statement over this range of keys, or over all.
    pub async fn fill(
        &mut self,
        rules: &BackfillRules,
        file: &BackfillFile,
        range: Option<KeyRange>,
    ) -> Result<u64, DatabaseError> {
        let range = match range {
            Some(range) => Some(range),
            None => self.whole(rules).await?,
        };
        let Some(range) = range else {
            return Ok(0);
        };
        let comparison = self.connection.capabilities().row_comparison;
        let sql = backfill::over(&file.statement, &range, comparison);
        let began = Instant::now();
        let ran = self.execute(&sql).await;
        if self.is_measured {
            let (before, after) = (Marks::default(), Marks::default());
            let ran = Ran::between(began, Instant::now(), &before, &after);
            self.ran.push(ran);
        }
        ran
    }

    /// Rows that `check` finds.
    pub async fn found_by_check(
        &mut self,
        rules: &BackfillRules,
    ) -> Result<Option<usize>, DatabaseError> {
        let Some(query) = &rules.check else {
            return Ok(None);
        };
        let query = range_query(self.dialect, query.of(self.dialect)).map_err(|errors| {
            let messages: Vec<String> = errors.iter().map(ToString::to_string).collect();
            DatabaseError::new(ErrorKind::Statement, messages.join("; "))
        })?;
        let Some(range) = self.whole(rules).await? else {
            return Ok(Some(0));
        };
        let comparison = self.connection.capabilities().row_comparison;
        let sql = backfill::over(&query, &range, comparison);
        Ok(Some(self.sample(&sql, 100).await?.len()))
    }

    /// Why the backfill cannot go along its key.
    pub async fn against_key(
        &mut self,
        rules: &BackfillRules,
    ) -> Result<Option<String>, DatabaseError> {
        self.connection.begin(Access::Read).await?;
        let along = self.connection.along(keys(rules)).await;
        let ended = self.connection.rollback().await;
        let along = along?;
        ended?;
        Ok(backfill::against(keys(rules), &along, self.dialect))
    }
}

pub(super) fn texts(row: Row) -> Vec<String> {
    let values = row.0.into_iter().map(|value| match value {
        Value::Null => "NULL".to_owned(),
        Value::Int(number) => number.to_string(),
        Value::Text(text) => text,
    });
    values.collect()
}

fn pair(row: Vec<String>) -> Option<(String, String)> {
    let mut values = row.into_iter();
    values.next().zip(values.next())
}

fn keys(rules: &BackfillRules) -> Keys<'_> {
    Keys {
        table: &rules.table,
        columns: &rules.key,
    }
}

pub(super) async fn execute(
    connection: &mut dyn Connection,
    sql: &str,
) -> Result<u64, DatabaseError> {
    connection.begin(Access::Write).await?;
    let ran = match connection.run(sql).await {
        Ok(rows) => connection.commit().await.map(|()| rows),
        Err(error) => Err(error),
    };
    if ran.is_err() {
        connection.rollback().await?;
    }
    ran
}
