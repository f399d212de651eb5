//! Any other tool: a program that applies one revision, and where to read which are applied.

use std::path::Path;
use std::sync::Arc;

use super::history::one_a_row;
use super::{Applied, Call, History, Kind, Reach, Revision, Runner, Sql, Tool, files};
use crate::row::{Place, Row};

pub(super) const KIND: Kind = Kind {
    kind: "command",
    read: made,
};

const RUN: &str = "run = [\"./apply\", \"{revision}\"]";
const APPLIED: &str = "applied = [\"./applied\"]";
const QUERY: &str = "query = \"SELECT version FROM schema_versions\"";
const SQL: &str = "sql = [\"./show\", \"{revision}\"]";

/// The place of a revision in an argument.
const REVISION: &str = "{revision}";

#[derive(Debug)]
struct Command {
    run: Vec<String>,
    history: History,
    sql: Option<Vec<String>>,
}

fn made(row: &mut dyn Row) -> Option<Arc<dyn Tool>> {
    let query = row.text("query", QUERY);
    let applied = row.texts("applied", APPLIED);
    let sql = row.texts("sql", SQL);
    if !row.has("run") {
        row.missing("run", RUN);
    }
    let run = row.texts("run", RUN)?;
    for (key, example, parts) in [("run", RUN, Some(&run)), ("sql", SQL, sql.as_ref())] {
        let names_one = |parts: &Vec<String>| parts.iter().any(|part| part.contains(REVISION));
        if parts.is_some_and(|parts| !names_one(parts)) {
            row.refuse(
                Place::Key(key),
                "no-revision",
                format!("`{key}` does not say which revision is meant"),
                format!("write `{REVISION}` where it stands, for example `{example}`"),
            );
            return None;
        }
    }
    let history = match (query, applied) {
        (Some(query), None) => History::Query(query),
        (None, Some(applied)) if !applied.is_empty() => History::Command(applied),
        (Some(_), Some(_)) => {
            let help =
                "remove one of them; a query cannot be wrong about what is in the table".to_owned();
            let message = "`query` and `applied` both say what is applied".to_owned();
            row.refuse(Place::Key("applied"), "two-histories", message, help);
            return None;
        }
        _ => {
            row.missing("query", QUERY);
            return None;
        }
    };
    Some(Arc::new(Command { run, history, sql }))
}

fn filled(parts: &[String], revision: &str) -> Call {
    Call::new(parts.iter().map(|part| part.replace(REVISION, revision)))
}

impl Tool for Command {
    fn kind(&self) -> &'static str {
        KIND.kind
    }

    fn program(&self) -> Vec<String> {
        Vec::new()
    }

    fn files(&self, _dir: &Path) -> String {
        String::new()
    }

    fn history(&self) -> History {
        self.history.clone()
    }

    /// Those of the files, where the project says where they are: each by its name up to the first dot.
    fn revisions(&self, runner: &Runner, root: &Path) -> Result<Vec<Revision>, String> {
        if runner.files.is_none() {
            return Ok(Vec::new());
        }
        files::by_name(root, &runner.place(root), |file| {
            let stem = file.split('.').next().unwrap_or_default();
            (!stem.is_empty() && file.contains('.')).then(|| stem.to_owned())
        })
    }

    fn read(&self, rows: &[Vec<String>], _known: &[Revision]) -> Result<Vec<Applied>, String> {
        Ok(one_a_row(rows))
    }

    fn reach(&self) -> Reach {
        Reach::Alone
    }

    fn apply(&self, _: &Runner, _: &Path, revision: &Revision) -> Result<Call, String> {
        Ok(filled(&self.run, &revision.name))
    }

    fn sql(&self, revision: &Revision, text: &str) -> Sql {
        let is_sql = revision
            .file
            .as_deref()
            .is_some_and(|file| file.ends_with(".sql"));
        match &self.sql {
            Some(parts) => Sql::Printed(filled(parts, &revision.name)),
            None if is_sql => Sql::Written(text.to_owned()),
            None => Sql::Hidden,
        }
    }

    fn mend(&self, _table: Option<&str>, _revision: &str) -> String {
        "mark it in its history where it is done".into()
    }

    fn is_here(&self, _dir: &Path) -> bool {
        false
    }
}
