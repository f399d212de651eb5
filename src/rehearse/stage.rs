//! What a rehearsal works on: scratch databases in the state before the migration, what the migration makes of them, and rows.

use std::collections::BTreeSet;

use super::report::{Finding, Tried, masked};
use super::rows::{Parents, Rows, Writer};
use super::scratch::{Made, Scratch};
use super::shape::{Catalogue, Column, Shape, Surface};
use super::values::Kind;
use super::world::{Stopped, World};
use super::{RehearseError, Settings};
use crate::database::DatabaseError;
use crate::model::Step;
use crate::project::{Files, Migration, ScriptFile};
use crate::sql::{Dialect, ObjectKind, Script};

/// The state before the migration.
pub(super) struct Base<'s> {
    pub scratch: &'s Scratch,
    pub settings: &'s Settings<'s>,
    pub migration: &'s Migration,
    pattern: Option<Made>,
    /// Tables whose rows are ours alone.
    cleared: Vec<String>,
}

impl<'s> Base<'s> {
    pub async fn new(
        scratch: &'s Scratch,
        settings: &'s Settings<'s>,
        migration: &'s Migration,
    ) -> Result<(Self, Catalogue), RehearseError> {
        let mut base = Self {
            scratch,
            settings,
            migration,
            pattern: None,
            cleared: Vec::new(),
        };
        let made = scratch.empty().await?;
        let mut world = scratch.open(&made).await?;
        base.build(&mut world).await?;
        let before = world.catalogue().await?;
        base.cleared = base.concerned(&before);
        base.clear(&mut world).await?;
        world.close().await;
        base.pattern = Some(made);
        Ok((base, before))
    }

    /// A database in the state before the migration.
    pub async fn fresh(&self) -> Result<World, RehearseError> {
        let like = match &self.pattern {
            Some(pattern) => self.scratch.like(pattern).await?,
            None => None,
        };
        if let Some(made) = like {
            return self.scratch.open(&made).await;
        }
        let made = self.scratch.empty().await?;
        let mut world = self.scratch.open(&made).await?;
        self.build(&mut world).await?;
        self.clear(&mut world).await?;
        Ok(world)
    }

    /// As [`Self::fresh`], with what others need to connect to it.
    pub async fn fresh_for_many(&self) -> Result<(World, Made), RehearseError> {
        let like = match &self.pattern {
            Some(pattern) => self.scratch.like(pattern).await?,
            None => None,
        };
        if let Some(made) = like {
            return Ok((self.scratch.open(&made).await?, made));
        }
        let made = self.scratch.empty().await?;
        let mut world = self.scratch.open(&made).await?;
        self.build(&mut world).await?;
        self.clear(&mut world).await?;
        Ok((world, made))
    }

    /// What came before: the schema that no migration made, and the earlier migrations to their end.
    async fn build(&self, world: &mut World) -> Result<(), RehearseError> {
        let dialect = self.scratch.dialect;
        if let Some((path, text)) = &self.settings.schema {
            let script = parsed(dialect, path, text)?;
            let applied = world.apply_script(&script).await;
            applied.map_err(|stopped| {
                RehearseError::cannot(
                    format!("{path}: {}", stopped.error),
                    "write what makes an empty database into the one before the first migration",
                )
            })?;
        }
        let earlier = self.settings.project.migrations.iter();
        for migration in earlier.take_while(|other| other.id() != self.migration.id()) {
            let files = migration.files(dialect);
            for file in files.expand.iter() {
                apply_earlier(world, file).await?;
            }
            if let (Some(rules), Some(file)) = (&migration.backfill, &files.backfill) {
                let filled = world.fill(rules, file, None).await;
                filled.map_err(|error| earlier_failed(&file.path.display().to_string(), &error))?;
            }
            for file in files.contract.iter() {
                apply_earlier(world, file).await?;
            }
        }
        Ok(())
    }

    /// Every table that a script of the migration names, with those whose rows lead there.
    fn concerned(&self, before: &Catalogue) -> Vec<String> {
        let files = self.migration.files(self.scratch.dialect);
        let mut names = BTreeSet::new();
        let scripts = [&files.expand, &files.contract, &files.revert];
        for statement in scripts
            .into_iter()
            .flatten()
            .flat_map(|file| &file.script.statements)
        {
            for object in statement.objects() {
                names.extend(object.table.clone());
                if matches!(object.kind, ObjectKind::Table | ObjectKind::View) {
                    names.insert(object.name.clone());
                }
            }
        }
        names.extend(
            self.migration
                .backfill
                .iter()
                .map(|rules| rules.table.clone()),
        );
        let named = names.iter().filter_map(|name| before.named(name));
        let tables: BTreeSet<String> = named
            .filter(|relation| relation.is_table)
            .flat_map(|relation| before.with_children(&relation.sql))
            .map(|relation| relation.sql.clone())
            .collect();
        tables.into_iter().collect()
    }

    async fn clear(&self, world: &mut World) -> Result<(), RehearseError> {
        if self.cleared.is_empty() {
            return Ok(());
        }
        for statement in (world.tongue.empty)(&self.cleared) {
            world.connection.run(&statement).await?;
        }
        Ok(())
    }
}

async fn apply_earlier(world: &mut World, file: &ScriptFile) -> Result<(), RehearseError> {
    let applied = world.apply(file).await;
    applied.map_err(|stopped| earlier_failed(&place(file, stopped.at), &stopped.error))
}

fn earlier_failed(place: &str, error: &DatabaseError) -> RehearseError {
    RehearseError::cannot(
        format!("the schema before this migration cannot be built: {place}: {error}"),
        "where the first migration counts on tables that are there already, write what makes them into a file and name it: \
         `schema = \"schema.sql\"` under `[rehearse]` in migrate.toml",
    )
}

pub(super) fn parsed(dialect: Dialect, path: &str, text: &str) -> Result<Script, RehearseError> {
    Script::parse(dialect, text).map_err(|errors| {
        let first = errors.first().map_or_else(String::new, ToString::to_string);
        RehearseError::cannot(
            format!("{path} cannot be read: {first}"),
            "write SQL statements of this database, and nothing of a client's",
        )
    })
}

/// `0002_x/expand.sql:12`
pub(super) fn place(file: &ScriptFile, at: usize) -> String {
    let line = file
        .script
        .statements
        .get(at)
        .map_or(1, |statement| statement.line);
    format!("{}:{line}", file.path.display())
}

/// Letters of what a database says: a value that it repeats may be very long.
const LONGEST_SAYING: usize = 300;

/// What is tried with, and what was found so far.
pub(super) struct Stage<'s> {
    pub base: Base<'s>,
    pub before: Catalogue,
    pub between: Catalogue,
    pub after: Catalogue,
    pub shape: Shape,
    /// Statements that make the rows that every trial begins with.
    pub seeds: Vec<String>,
    /// Rows of each surface of the old format, as they are before the migration.
    pub old_rows: Vec<Rows>,
    pub parents: Parents,
    /// Whether the rows are the user's own, which are nobody else's business.
    pub is_seeded: bool,
    pub findings: Vec<Finding>,
    pub tried: Vec<Tried>,
}

impl<'s> Stage<'s> {
    pub fn dialect(&self) -> Dialect {
        self.base.scratch.dialect
    }

    pub fn migration(&self) -> &'s Migration {
        self.base.migration
    }

    pub fn files(&self) -> &'s Files {
        self.base.migration.files(self.base.scratch.dialect)
    }

    pub fn tried(&mut self, what: impl Into<String>, times: usize) {
        self.tried.push(Tried {
            what: what.into(),
            times: u64::try_from(times).unwrap_or(u64::MAX),
        });
    }

    pub fn find(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// What a database says of a failure, without anybody's rows.
    pub fn said(&self, error: &DatabaseError) -> String {
        let text = error.to_string();
        let text = if self.is_seeded { masked(&text) } else { text };
        let mut short: String = text.chars().take(LONGEST_SAYING).collect();
        if short.len() < text.len() {
            short.push('…');
        }
        short
    }

    /// A value as a message may show it.
    pub fn shown(&self, literal: &str) -> String {
        if self.is_seeded && literal != "NULL" {
            "…".to_owned()
        } else {
            literal.to_owned()
        }
    }

    pub fn writer<'w>(&self, surface: &'w Surface) -> Writer<'w> {
        Writer {
            dialect: self.dialect(),
            surface,
        }
    }

    /// A fresh database with the rows that every trial begins with.
    pub async fn seeded(&self) -> Result<World, RehearseError> {
        let mut world = self.base.fresh().await?;
        self.sow(&mut world).await?;
        Ok(world)
    }

    pub async fn sow(&self, world: &mut World) -> Result<(), RehearseError> {
        for seed in &self.seeds {
            world.execute(seed).await?;
        }
        Ok(())
    }

    /// Applies a step to a database; false where it failed, which is then found.
    pub async fn step(&mut self, world: &mut World, step: Step) -> Result<bool, RehearseError> {
        let files = self.files();
        let file = match step {
            Step::Expand => &files.expand,
            Step::Contract => &files.contract,
            Step::Revert => &files.revert,
            Step::Backfill => return self.fill(world).await,
        };
        let Some(file) = file else {
            return Ok(true);
        };
        match world.apply(file).await {
            Ok(()) => Ok(true),
            Err(Stopped { at, error }) => {
                refuse_lost(&error)?;
                let place = place(file, at);
                self.find(Finding::wrong(
                    "script-fails",
                    step,
                    format!("{place} fails: {}", self.said(&error)),
                    "mend the statement, and what it meets",
                ));
                Ok(false)
            }
        }
    }

    async fn fill(&mut self, world: &mut World) -> Result<bool, RehearseError> {
        let (Some(rules), Some(file)) = (&self.migration().backfill, &self.files().backfill) else {
            return Ok(true);
        };
        match world.fill(rules, file, None).await {
            Ok(_) => Ok(true),
            Err(error) => {
                refuse_lost(&error)?;
                self.find(Finding::wrong(
                    "script-fails",
                    Step::Backfill,
                    format!("{} fails: {}", file.path.display(), self.said(&error)),
                    "an old version may write every value of the column's type: make the statement give something for each, or \
                     write what it really writes into seed.sql",
                ));
                Ok(false)
            }
        }
    }

    /// The new format that the migration itself makes of these rows in the old one: what its backfill says, and nothing else.
    /// `None` if that could not be done.
    pub async fn made_of(&mut self, old: &[Rows]) -> Result<Option<Vec<Rows>>, RehearseError> {
        let mut world = self.seeded().await?;
        let tables: Vec<String> = self
            .shape
            .old
            .iter()
            .map(|surface| surface.relation.sql.clone())
            .collect();
        if !tables.is_empty() {
            for statement in (world.tongue.empty)(&tables) {
                world.connection.run(&statement).await?;
            }
        }
        for (surface, rows) in self.shape.old.clone().iter().zip(old) {
            let writer = self.writer(surface);
            for tuple in rows.tuples() {
                if let Err(error) = world.execute(&writer.insert(&tuple)).await {
                    refuse_lost(&error)?;
                    world.close().await;
                    let said = self.said(&error);
                    self.find(Finding::doubt(
                        "not-compared",
                        None,
                        format!(
                            "a row of `{}` cannot be written by itself, so what became of it was not compared: {said}",
                            surface.relation.shown
                        ),
                        "write rows as your application does into seed.sql, beside migration.toml",
                    ));
                    return Ok(None);
                }
            }
        }
        let is_made = self.step(&mut world, Step::Expand).await?
            && self.step(&mut world, Step::Backfill).await?;
        let new = match is_made {
            true => Some(self.new_rows(&mut world).await?),
            false => None,
        };
        world.close().await;
        Ok(new)
    }

    /// The new format of all rows, as far as it is compared.
    pub async fn new_rows(&self, world: &mut World) -> Result<Vec<Rows>, RehearseError> {
        let catalogue = world.catalogue().await?;
        let mut found = Vec::new();
        for (relation, columns) in self.shape.judged(&self.before) {
            found.push(world.dump(&catalogue, &relation, &columns).await?);
        }
        Ok(found)
    }

    /// The old format of all rows.
    pub async fn old_part(&self, world: &mut World) -> Result<Vec<Rows>, RehearseError> {
        let catalogue = world.catalogue().await?;
        let mut found = Vec::new();
        for surface in &self.shape.old {
            let columns: Vec<String> = stored(surface);
            found.push(
                world
                    .dump(&catalogue, &surface.relation.sql, &columns)
                    .await?,
            );
        }
        Ok(found)
    }
}

/// Columns of a surface that somebody wrote.
pub(super) fn stored(surface: &Surface) -> Vec<String> {
    let columns = surface.relation.columns.iter();
    let key = surface.relation.key.iter().cloned();
    let others = columns
        .filter(|column| !column.is_generated && !surface.relation.key.contains(&column.name))
        .filter(|column| surface.changing.contains(&column.name) || !is_of_the_moment(column))
        .map(|column| column.name.clone());
    key.chain(others).collect()
}

/// Whether it may be another value each time, by a default or by somebody's trigger.
fn is_of_the_moment(column: &Column) -> bool {
    let name = column.name.to_lowercase();
    column.is_volatile
        || column.kind == Kind::Moment
        || name.ends_with("_at")
        || ["updated", "modified", "changed"]
            .iter()
            .any(|word| name.contains(word))
}

/// What a database refuses a row for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OfARow {
    /// It has one that must be there once.
    Twice,
    /// It does not keep a condition, or leads nowhere.
    Unkept,
}

/// Whether it is the values of a row that were refused, and no statement or trigger that failed.
pub(super) fn is_of_a_row(error: &DatabaseError) -> Option<OfARow> {
    match error.code.as_deref()? {
        "23505" | "1062" | "1586" | "2067" | "1555" => Some(OfARow::Twice),
        "23502" | "23503" | "23514" | "23P01" | "1048" | "1216" | "1217" | "1451" | "1452"
        | "3819" | "4025" | "275" | "787" | "1299" => Some(OfARow::Unkept),
        _ => None,
    }
}

/// An error that says nothing about the migration ends the rehearsal.
pub(super) fn refuse_lost(error: &DatabaseError) -> Result<(), RehearseError> {
    use crate::database::ErrorKind as Kind;
    match error.kind {
        Kind::Unreachable | Kind::Full | Kind::Interrupted | Kind::Permission | Kind::Tls => {
            Err(error.clone().into())
        }
        _ => Ok(()),
    }
}
