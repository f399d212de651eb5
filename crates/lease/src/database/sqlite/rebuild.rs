//! What a script may break in SQLite without a word: children of a rebuilt table, its triggers and
//! indexes, views, foreign keys, and the sequence of its ids.

use std::collections::BTreeSet;

use super::{ForeignKeys, Sqlite, identifier};
use crate::database::{Connection, DatabaseError, ErrorKind};
use crate::sql::{Effect, Object, ObjectKind, Script, Verb};

/// What a table rebuild can lose without a word.
#[derive(Default)]
pub(super) struct Before {
    /// Triggers and indexes: kind, name, table.
    attached: BTreeSet<(String, String, String)>,
    broken_views: BTreeSet<String>,
    /// Tables that cannot be written, with why.
    broken_writes: BTreeSet<(String, String)>,
    /// Foreign keys that lead to no table.
    orphans: BTreeSet<String>,
    /// Tables whose rows cannot be deleted, because a foreign key leads to columns of theirs that are not unique.
    mismatches: BTreeSet<(String, String)>,
    violations: BTreeSet<String>,
    sequences: Vec<(String, i64)>,
}

/// Tables that a foreign key leads to, each with the one that has the key. In the order in which they stand: left to itself, SQLite asks
/// for the keys of each table once for every other table.
pub(super) const PARENTS: &str = "SELECT DISTINCT p.name, m.name FROM sqlite_master m CROSS JOIN pragma_foreign_key_list(m.name) k \
    CROSS JOIN sqlite_master p WHERE m.type = 'table' AND m.sql LIKE '%references%' \
    AND p.type = 'table' AND p.name = k.\"table\" COLLATE NOCASE";

impl Sqlite {
    pub(super) async fn look_before(&mut self, script: &Script) -> Result<(), DatabaseError> {
        let mut before = Before::default();
        let reach = self.reach(script).await?;
        if may_mismatch(script) {
            before.mismatches = self.mismatches(&reach).await?;
        }
        if may_break_views(script) {
            before.broken_views = self.broken_views(&reach).await?;
            before.orphans = self.orphans().await?;
        }
        if may_break_writes(script) {
            before.broken_writes = self.broken_writes(&reach).await?;
        }
        // What only a dropped table can take along is not looked for in the whole schema otherwise.
        if rebuilds(script) {
            before.attached = self.attached().await?;
            before.violations = self.violations().await?;
            before.sequences = self.sequences().await?;
            // DROP TABLE deletes the rows first, and with foreign keys on that cascades to the
            // children. Inside a transaction the pragma would do nothing.
            self.foreign_keys = ForeignKeys::Off;
            self.plain("PRAGMA foreign_keys = OFF").await?;
        }
        self.before = Some(before);
        Ok(())
    }

    pub(super) async fn check_after(
        &mut self,
        script: &Script,
        vouched: &BTreeSet<usize>,
    ) -> Result<(), DatabaseError> {
        let Some(before) = self.before.take() else {
            return Ok(());
        };
        let fail = |message: String| Err(DatabaseError::new(ErrorKind::Statement, message));
        let reach = self.reach(script).await?;
        let broken = if may_break_views(script) {
            self.broken_views(&reach).await?
        } else {
            BTreeSet::new()
        };
        let broken: Vec<String> = broken.difference(&before.broken_views).cloned().collect();
        if !broken.is_empty() {
            return fail(format!(
                "the script leaves views that cannot be read any more: {}. Drop or replace them in the same script",
                broken.join(", ")
            ));
        }
        if may_break_writes(script) {
            let broken = self.broken_writes(&reach).await?;
            // What the application's own SQLite has beside ours, somebody has to say.
            let is_wrong = |(_, why): &&(String, String)| !is_vouched(script, vouched, why);
            if let Some((table, why)) = broken.difference(&before.broken_writes).find(is_wrong) {
                let triggers = self.triggers_of(table).await?;
                return fail(format!(
                    "after the script `{table}` cannot be written any more: {why}. One of its triggers ({}), or one that they \
                     fire, names what is not there, or counts columns of which there are more now: drop or replace it in the same script",
                    triggers.join(", ")
                ));
            }
        }
        if may_break_views(script) {
            let orphans = self.orphans().await?;
            if let Some(orphan) = orphans.difference(&before.orphans).next() {
                return fail(format!(
                    "the script leaves {orphan}, which is gone: no row could be written there any more. Build that table anew \
                     without it in the same script"
                ));
            }
        }
        if may_mismatch(script) {
            let mismatches = self.mismatches(&reach).await?;
            if let Some((table, why)) = mismatches.difference(&before.mismatches).next() {
                return fail(format!(
                    "after the script no row of `{table}` could be deleted, nor its key changed: {why}. A foreign key has to lead to \
                     the primary key or to columns with a UNIQUE index of their own: make that index in the same script, or leave the \
                     key out"
                ));
            }
        }
        if !rebuilds(script) {
            return Ok(());
        }
        let tables = self.tables().await?;
        let after = self.attached().await?;
        let lost: Vec<String> = before
            .attached
            .difference(&after)
            .filter(|(kind, name, table)| {
                let kind = if kind == "index" {
                    ObjectKind::Index
                } else {
                    ObjectKind::Trigger
                };
                tables.contains(table) && !script.explicitly_drops(kind, name)
            })
            .map(|(kind, name, table)| format!("the {kind} `{name}` of `{table}`"))
            .collect();
        if !lost.is_empty() {
            return fail(format!(
                "rebuilding the table has lost {}. Create it again in the same script, or drop it there on purpose",
                lost.join(", ")
            ));
        }
        let violations: Vec<String> = self
            .violations()
            .await?
            .difference(&before.violations)
            .cloned()
            .collect();
        if let Some(first) = violations.first() {
            return fail(format!(
                "{} foreign keys point nowhere after the script; the first: {first}",
                violations.len()
            ));
        }
        for (table, sequence) in before.sequences {
            // A rebuilt AUTOINCREMENT table would start again at its largest row and give out the
            // ids of deleted rows a second time.
            if tables.contains(&table) {
                self.execute(
                    "UPDATE sqlite_sequence SET seq = ? WHERE name = ? AND seq < ?",
                    &[sequence.into(), table.as_str().into(), sequence.into()],
                )
                .await?;
            }
        }
        Ok(())
    }

    async fn attached(&mut self) -> Result<BTreeSet<(String, String, String)>, DatabaseError> {
        let rows = self
            .rows("SELECT type, name, tbl_name FROM sqlite_master WHERE type IN ('trigger', 'index') AND sql IS NOT NULL")
            .await?;
        rows.iter()
            .map(|row| {
                Ok((
                    row.text(0)?.to_owned(),
                    row.text(1)?.to_owned(),
                    row.text(2)?.to_owned(),
                ))
            })
            .collect()
    }

    /// Where the script can be felt: the tables and views that it names, and those whose code names one of them, however far off.
    async fn reach(&mut self, script: &Script) -> Result<Reach, DatabaseError> {
        let Some(mut names) = named(script) else {
            return Ok(Reach::Everywhere);
        };
        let mut code = Vec::new();
        for row in self
            .rows("SELECT tbl_name, sql FROM sqlite_master WHERE type IN ('trigger', 'view') AND sql IS NOT NULL")
            .await?
        {
            let of = row.text(0)?.to_ascii_lowercase();
            code.push((of, row.text(1)?.to_ascii_lowercase()));
        }
        let mut fresh: Vec<String> = names.iter().cloned().collect();
        while let Some(name) = fresh.pop() {
            // More than those that name it, as a word in another word is found as well.
            for (of, _) in code.iter().filter(|(_, text)| text.contains(&name)) {
                if names.insert(of.clone()) {
                    fresh.push(of.clone());
                }
            }
        }
        Ok(Reach::Of(names))
    }

    /// Views that cannot be read, because something that they name is missing.
    async fn broken_views(&mut self, reach: &Reach) -> Result<BTreeSet<String>, DatabaseError> {
        let mut broken = BTreeSet::new();
        for row in self
            .rows("SELECT name FROM sqlite_master WHERE type = 'view'")
            .await?
        {
            let name = row.text(0)?.to_owned();
            if !reach.has(&name) {
                continue;
            }
            let probe = format!("SELECT * FROM {} LIMIT 0", identifier(&name));
            if self.plain(&probe).await.is_err() {
                broken.insert(name);
            }
        }
        Ok(broken)
    }

    /// Tables with triggers that cannot be written: a write is compiled together with the triggers that it would fire, and
    /// nothing is run.
    async fn broken_writes(
        &mut self,
        reach: &Reach,
    ) -> Result<BTreeSet<(String, String)>, DatabaseError> {
        let mut broken = BTreeSet::new();
        let tables = self
            .rows("SELECT DISTINCT tbl_name FROM sqlite_master WHERE type = 'trigger'")
            .await?;
        for row in tables {
            let table = row.text(0)?.to_owned();
            if !reach.has(&table) {
                continue;
            }
            let name = identifier(&table);
            let columns = self
                .query(
                    "SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0",
                    &[table.as_str().into()],
                )
                .await;
            // Of a view that cannot be read the columns are not known; that is told otherwise.
            let Ok(columns) = columns else { continue };
            let mut set = Vec::new();
            for row in &columns {
                let column = identifier(row.text(0)?);
                set.push(format!("{column} = {column}"));
            }
            let writes = [
                format!("EXPLAIN INSERT INTO {name} DEFAULT VALUES"),
                format!("EXPLAIN UPDATE {name} SET {}", set.join(", ")),
                format!("EXPLAIN DELETE FROM {name}"),
            ];
            for write in writes {
                if let Err(error) = self.plain(&write).await
                    && names_what_is_gone(&error.message)
                {
                    broken.insert((table.clone(), error.message));
                }
            }
        }
        Ok(broken)
    }

    async fn triggers_of(&mut self, table: &str) -> Result<Vec<String>, DatabaseError> {
        let rows = self
            .query(
                "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ? ORDER BY name",
                &[table.into()],
            )
            .await?;
        let names = rows.iter().map(|row| Ok(format!("`{}`", row.text(0)?)));
        names.collect()
    }

    async fn orphans(&mut self) -> Result<BTreeSet<String>, DatabaseError> {
        let rows = self
            .rows(
                "SELECT DISTINCT 'the foreign key of `' || m.name || '` to `' || k.\"table\" || '`' \
                 FROM sqlite_master m CROSS JOIN pragma_foreign_key_list(m.name) k WHERE m.type = 'table' \
                 AND m.sql LIKE '%references%' AND NOT EXISTS \
                 (SELECT 1 FROM sqlite_master p WHERE p.type = 'table' AND p.name = k.\"table\" COLLATE NOCASE)",
            )
            .await?;
        rows.iter().map(|row| Ok(row.text(0)?.to_owned())).collect()
    }

    /// SQLite takes such a key, and tells of it only when somebody writes to the table that it leads to. While foreign keys are put
    /// aside it does not tell; then [`Self::violations`] meets it.
    async fn mismatches(
        &mut self,
        reach: &Reach,
    ) -> Result<BTreeSet<(String, String)>, DatabaseError> {
        let parents = self.rows(PARENTS).await?;
        let mut found = BTreeSet::new();
        let mut asked = BTreeSet::new();
        for row in parents {
            let table = row.text(0)?.to_owned();
            let is_reached = reach.has(&table) || reach.has(row.text(1)?);
            if !is_reached || !asked.insert(table.clone()) {
                continue;
            }
            let delete = format!("EXPLAIN DELETE FROM {}", identifier(&table));
            if let Err(error) = self.plain(&delete).await
                && error.message.contains("foreign key mismatch")
            {
                found.insert((table, error.message));
            }
        }
        Ok(found)
    }

    async fn violations(&mut self) -> Result<BTreeSet<String>, DatabaseError> {
        let rows = self
            .rows("SELECT \"table\" || ' (rowid ' || coalesce(rowid, '?') || ') refers to a missing row of ' || parent FROM pragma_foreign_key_check")
            .await?;
        rows.iter().map(|row| Ok(row.text(0)?.to_owned())).collect()
    }

    async fn sequences(&mut self) -> Result<Vec<(String, i64)>, DatabaseError> {
        let exists = self
            .rows("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'")
            .await?;
        if exists.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self
            .rows("SELECT name, CAST(seq AS INTEGER) FROM sqlite_sequence WHERE seq IS NOT NULL")
            .await?;
        rows.iter()
            .map(|row| Ok((row.text(0)?.to_owned(), row.int(1)?)))
            .collect()
    }

    async fn tables(&mut self) -> Result<BTreeSet<String>, DatabaseError> {
        let rows = self
            .rows("SELECT name FROM sqlite_master WHERE type = 'table'")
            .await?;
        rows.iter().map(|row| Ok(row.text(0)?.to_owned())).collect()
    }
}

/// Whether a statement cannot be compiled because something is not there or is there twice, or there are more columns than values, and not
/// for what it is itself.
fn names_what_is_gone(message: &str) -> bool {
    [
        "no such table",
        "no such column",
        "no such view",
        "has no column named",
        "has no column",
        "ambiguous column name",
        "values were supplied",
        " values for ",
        "do not have the same number of result columns",
        "no such function",
        "wrong number of arguments",
        "no such collation",
    ]
    .iter()
    .any(|words| message.contains(words))
}

/// Whether somebody vouches for a trigger that names what is missing by this message: a function or a collation that an application
/// brings along is not known here.
fn is_vouched(script: &Script, vouched: &BTreeSet<usize>, message: &str) -> bool {
    const OF_THE_APPLICATION: &[&str] = &["no such function: ", "no such collation sequence: "];
    let mut missing = OF_THE_APPLICATION.iter();
    let Some((_, name)) = missing.find_map(|words| message.split_once(words)) else {
        return false;
    };
    let mut statements = vouched
        .iter()
        .filter_map(|index| script.statements.get(*index));
    statements.any(|one| {
        let mut objects = one.objects();
        objects.any(|object| object.kind == ObjectKind::Trigger) && one.text.contains(name.trim())
    })
}

/// Where a script can be felt.
enum Reach {
    Everywhere,
    /// Tables and views, in lower case.
    Of(BTreeSet<String>),
}

impl Reach {
    fn has(&self, name: &str) -> bool {
        match self {
            Self::Everywhere => true,
            Self::Of(names) => names.contains(&name.to_ascii_lowercase()),
        }
    }
}

/// The tables and views that a script changes, in lower case. `None` where that is not known of each statement.
fn named(script: &Script) -> Option<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for statement in &script.statements {
        if statement.object.is_none() && statement.effect != Effect::Data {
            return None;
        }
        for object in statement.objects() {
            let name = match object.kind {
                ObjectKind::Table | ObjectKind::View => &object.name,
                // Of an index that goes the statement does not say the table.
                _ => object.table.as_ref()?,
            };
            names.insert(name.to_ascii_lowercase());
            if let Some(new) = &object.renamed_to {
                names.insert(new.to_ascii_lowercase());
            }
        }
    }
    // A quote in a name is written twice in the code that names it.
    let is_plain = |name: &String| !name.contains(['"', '\'', '`']);
    names.iter().all(is_plain).then_some(names)
}

/// Whether a script drops a table, as SQLite's way of changing one does.
fn rebuilds(script: &Script) -> bool {
    script.dropped_tables().next().is_some()
}

/// Whether a script may make a foreign key that leads nowhere, or take the index that one leads to.
fn may_mismatch(script: &Script) -> bool {
    let mut statements = script.statements.iter();
    statements.any(|statement| statement.effect != Effect::Data)
}

/// Whether a script may leave tables that cannot be written: a trigger is compiled only when somebody writes.
fn may_break_writes(script: &Script) -> bool {
    let mut objects = script.statements.iter().flat_map(|one| one.objects());
    may_break_views(script) || objects.any(|object| object.kind == ObjectKind::Trigger)
}

/// Whether a script does anything but write rows and create what no view can name yet. A new column can: it may make a
/// name ambiguous.
fn may_break_views(script: &Script) -> bool {
    let creates = |object: &Object| {
        object.verb == Verb::Create
            && matches!(
                object.kind,
                ObjectKind::Table | ObjectKind::Index | ObjectKind::Trigger
            )
    };
    !script.statements.iter().all(|statement| {
        statement.effect == Effect::Data
            || (statement.object.is_some() && statement.objects().all(creates))
    })
}
