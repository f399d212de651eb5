//! The `[runner]` of a project.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::{History, KINDS, Revision, Tool};
use crate::row::{LONGEST_WAIT, Place, Row};

/// How a project's migration tool is called.
#[derive(Clone, Debug)]
pub struct Runner {
    pub tool: Arc<dyn Tool>,
    /// The program and its first arguments.
    pub program: Vec<String>,
    /// Where it runs, relative to the project's root; empty for the root.
    pub dir: String,
    /// Where its revisions are, relative to `dir`, where the project says so.
    pub files: Option<String>,
    /// What its history table is called, where the project says so.
    pub table: Option<String>,
    /// How our database's URL is handed to it; `None` where it has its own.
    pub url: Option<UrlFor>,
    /// How long it may take for one revision.
    pub timeout: Duration,
    /// How long its statements may wait for a lock on PostgreSQL, if its client is to be told (`PGOPTIONS`).
    pub lock_timeout: Option<Duration>,
}

/// The variable in which the database's URL is handed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlFor {
    pub variable: String,
    /// What stands before `:` there, where the tool wants another word: `postgresql+psycopg`.
    pub scheme: Option<String>,
}

const PROGRAM: &str = "program = [\"poetry\", \"run\", \"alembic\"]";
const DIR: &str = "dir = \"backend\"";
const FILES: &str = "files = \"db/migrations\"";
const TABLE: &str = "table = \"schema_migrations\"";
const URL: &str = "url = \"env:DATABASE_URL\"";
const SCHEME: &str = "scheme = \"postgresql+psycopg\"";
const USUAL_TIMEOUT: Duration = Duration::from_hours(1);

impl Runner {
    /// Reads the row whose `kind` is known.
    pub fn read(kind: &super::Kind, row: &mut dyn Row) -> Option<Self> {
        let tool = (kind.read)(row);
        let program = row.texts("program", PROGRAM);
        if program.as_ref().is_some_and(Vec::is_empty) {
            let help = format!("write for example `{PROGRAM}`");
            let message = "`program` names no program".to_owned();
            row.refuse(Place::Key("program"), "empty-value", message, help);
        }
        let dir = inside(row, "dir", DIR).unwrap_or_default();
        let files = inside(row, "files", FILES);
        let table = row.text("table", TABLE);
        let scheme = row.text("scheme", SCHEME);
        let url = row.text("url", URL).and_then(|text| {
            let name = text.strip_prefix("env:").filter(|name| is_variable(name));
            let Some(name) = name else {
                row.refuse(
                    Place::Value("url"),
                    "bad-url-variable",
                    "`url` names the environment variable in which the runner is given the URL of the database".to_owned(),
                    format!("write for example `{URL}`"),
                );
                return None;
            };
            Some(UrlFor {
                variable: name.to_owned(),
                scheme: scheme.clone(),
            })
        });
        if scheme.is_some() && url.is_none() && !row.has("url") {
            row.refuse(
                Place::Key("scheme"),
                "scheme-without-url",
                "`scheme` is for the URL that is handed over, and none is".to_owned(),
                format!("add `{URL}`, or remove this"),
            );
        }
        let timeout = row
            .duration("timeout", LONGEST_WAIT)
            .unwrap_or(USUAL_TIMEOUT);
        let lock_timeout = row.duration("lock_timeout", LONGEST_WAIT);
        let tool = tool?;
        let program = program
            .filter(|program| !program.is_empty())
            .unwrap_or_else(|| tool.program());
        Some(Self {
            tool,
            program,
            dir,
            files,
            table,
            url,
            timeout,
            lock_timeout,
        })
    }

    /// As a directory that is a project of this tool calls it, without a word of anybody's.
    #[must_use]
    pub fn usual(kind: &str) -> Option<Self> {
        let kind = KINDS.iter().find(|one| one.kind == kind)?;
        Self::read(kind, &mut NoRow)
    }

    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.tool.kind()
    }

    /// The directory in which it runs.
    #[must_use]
    pub fn directory(&self, root: &Path) -> PathBuf {
        root.join(&self.dir)
    }

    /// Where its revisions are, relative to the project's root, with `/`.
    #[must_use]
    pub fn place(&self, root: &Path) -> String {
        let files = match &self.files {
            Some(files) => files.clone(),
            None => self.tool.files(&self.directory(root)),
        };
        let parts = self.dir.split('/').chain(files.split('/'));
        let parts: Vec<&str> = parts
            .filter(|part| !part.is_empty() && *part != ".")
            .collect();
        parts.join("/")
    }

    /// Its history, by the name that the project gives to the table.
    #[must_use]
    pub fn history(&self) -> History {
        match (self.tool.history(), &self.table) {
            (History::Table(mut table), Some(name)) => {
                table.name.clone_from(name);
                table.on = &[];
                History::Table(table)
            }
            (history, _) => history,
        }
    }

    /// The revisions that there are, in their order.
    ///
    /// # Errors
    /// Why they cannot be read.
    pub fn revisions(&self, root: &Path) -> Result<Vec<Revision>, String> {
        self.tool.revisions(self, root)
    }

    /// How its own tool is told that a revision is done, or that a failed one is to be forgotten.
    #[must_use]
    pub fn mend(&self, revision: &str) -> String {
        self.tool.mend(self.table.as_deref(), revision)
    }

    /// How somebody calls it by hand.
    #[must_use]
    pub fn command(&self) -> String {
        self.program.join(" ")
    }
}

fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// A directory below the one that it is relative to.
pub(super) fn inside(row: &mut dyn Row, key: &'static str, example: &str) -> Option<String> {
    let text = row.text(key, example)?;
    let leads_out = text.starts_with('/') || text.split('/').any(|part| part == "..");
    if leads_out {
        row.refuse(
            Place::Value(key),
            "bad-runner-directory",
            format!("`{key}` must be a directory inside the project"),
            format!("write it relative to migrate.toml and with `/`, for example `{example}`"),
        );
        return None;
    }
    Some(text)
}

/// A row in which nothing stands.
pub(super) struct NoRow;

impl Row for NoRow {
    fn has(&self, _key: &str) -> bool {
        false
    }
    fn text(&mut self, _key: &'static str, _example: &str) -> Option<String> {
        None
    }
    fn texts(&mut self, _key: &'static str, _example: &str) -> Option<Vec<String>> {
        None
    }
    fn counts(&mut self, _: &'static str, _: &str, _: (u64, u64)) -> Option<Vec<u64>> {
        None
    }
    fn duration(&mut self, _key: &'static str, _longest: Duration) -> Option<Duration> {
        None
    }
    fn flag(&mut self, _key: &'static str) -> Option<bool> {
        None
    }
    fn named(&mut self, _key: &'static str, _read: &mut dyn FnMut(&str, &mut dyn Row)) {}
    fn variables(&mut self) -> Vec<String> {
        Vec::new()
    }
    fn missing(&self, _key: &'static str, _example: &str) {}
    fn refuse(&self, _place: Place, _code: &'static str, _message: String, _help: String) {}
    fn meant(&self, _wanted: &str, _known: &[&'static str]) -> Option<&'static str> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_do_names_the_table_that_the_project_has() {
        for (kind, usual) in [
            ("rails", "schema_migrations"),
            ("dbmate", "schema_migrations"),
            ("sqlx", "_sqlx_migrations"),
            ("knex", "knex_migrations"),
            ("node-pg-migrate", "pgmigrations"),
            ("drizzle", "__drizzle_migrations"),
            ("typeorm", "migrations"),
        ] {
            let mut runner = Runner::usual(kind).unwrap();
            let said = runner.mend("2");
            assert!(said.contains(&format!("`{usual}`")), "{kind}: {said}");
            runner.table = Some("app.history".to_owned());
            let said = runner.mend("2");
            assert!(said.contains("`app.history`"), "{kind}: {said}");
            assert!(!said.contains(usual), "{kind}: {said}");
        }
    }
}
