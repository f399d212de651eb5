//! Brings a project in that another migration tool has carried so far: what that tool has applied is the baseline, and what it has
//! not applied yet becomes migrations.
//!
//! Invariant: no file that was there is changed, nothing is written to the database, and nothing is run that changes one. What
//! only people know (which versions use what) is left as a question, and a question is an error until it is answered.

pub mod baseline;
mod found;
mod name;
mod pending;
mod settings;
mod words;
mod write;

pub use found::{Place, foreign, places};
pub use pending::{Adoption, Judged, Kind, Pending, judge};
pub use settings::{NewProject, runner_of, section};
pub use words::migration_toml;
pub use write::{MIGRATIONS, add_file, made_whole, write_migration, write_new, write_readme};

use std::path::Path;

use crate::database::{Connection, DatabaseError};
use crate::interrupt::Interrupt;
use crate::project::Project;
use crate::runner::{Applied, Called, History, Revision, Runner, Standing};

/// Why a project is not brought in.
#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    #[error("{message}")]
    Said { message: String, help: String },
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl AdoptError {
    fn said(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Said {
            message: message.into(),
            help: help.into(),
        }
    }
}

/// What a project is brought in with.
pub struct Asked<'a> {
    pub project: &'a Project,
    pub runner: &'a Runner,
    /// The URL of the database, as the tool is to be given it, if it is.
    pub database_url: Option<&'a str>,
    pub interrupt: Interrupt,
    /// Where it is said what is at work.
    pub progress: &'a (dyn Fn(&str) + Send + Sync),
}

impl Asked<'_> {
    fn called(&self) -> Called<'_> {
        Called {
            root: &self.project.root,
            database_url: self.database_url,
            interrupt: self.interrupt,
            progress: self.progress,
        }
    }
}

/// What is applied and what is not, by the tool's own history; `None` for the connection where there is no database yet.
///
/// # Errors
/// What cannot be read, or has to be mended first.
pub async fn look(
    asked: &Asked<'_>,
    connection: Option<&mut dyn Connection>,
) -> Result<Adoption, AdoptError> {
    let runner = asked.runner;
    let known = runner
        .revisions(&asked.project.root)
        .map_err(|why| {
            AdoptError::said(
                format!("which revisions there are cannot be read: {why}"),
                "put `dir` and `files` under `[runner]` in migrate.toml right, or run this where the project's files are",
            )
        })?;
    let applied = applied(asked, &known, connection).await?;
    if let Some(failed) = applied.iter().find(|one| one.standing == Standing::Failed) {
        return Err(AdoptError::said(
            format!(
                "{} has begun the revision `{}` and has not finished it",
                runner.kind(),
                failed.revision
            ),
            format!("{}; then run this again", runner.mend(&failed.revision)),
        ));
    }
    pending::find(asked, known, &applied).await
}

async fn applied(
    asked: &Asked<'_>,
    known: &[Revision],
    connection: Option<&mut dyn Connection>,
) -> Result<Vec<Applied>, AdoptError> {
    let mut lines = Vec::new();
    if let History::Command(parts) = asked.runner.history() {
        let call = crate::runner::Call {
            arguments: parts,
            scratch: None,
        };
        let printed = crate::runner::printed(asked.runner, &call, &asked.called()).await;
        let text = printed.map_err(|failure| {
            AdoptError::said(
                format!("which revisions are applied cannot be asked: {failure}"),
                "`applied` under [runner] in migrate.toml has to print one revision a line",
            )
        })?;
        lines.extend(text.lines().map(str::to_owned));
    }
    let Some(connection) = connection else {
        return Ok(Vec::new());
    };
    Ok(crate::runner::applied(asked.runner, known, &lines, connection).await?)
}

/// A path of the project as people write it.
fn below(root: &Path, path: &Path) -> String {
    let relative = path.strip_prefix(root).unwrap_or(path);
    relative.display().to_string()
}
