//! The revisions that are not applied yet, and what each does.

use std::collections::BTreeSet;

use super::{AdoptError, Asked, name};
use crate::project::{Nature, Revisions, text_of, without_its_own};
use crate::runner::{Applied, History, Printing, Reach, Revision, RunnerFailure, Sql, printed};
use crate::sql::Dialect;

/// What there is to bring in.
#[derive(Debug)]
pub struct Adoption {
    /// How many revisions are applied: the baseline.
    pub applied: usize,
    /// How many of the others are named by a migration already.
    pub named: usize,
    /// The others, in the order in which the tool applies them.
    pub pending: Vec<Pending>,
    /// Whether the tool applies what comes before a revision along with it.
    pub is_in_a_row: bool,
    /// What the tool could not print, by revision, and why.
    pub unprinted: Vec<String>,
}

/// A revision that is not applied, and that no migration names.
#[derive(Clone, Debug)]
pub struct Pending {
    pub revision: Revision,
    /// What its migration is called, without the number.
    pub slug: String,
    pub description: String,
    pub kind: Kind,
    /// What it does, in the words of the rules; for a comment.
    pub told: Vec<String>,
    /// What it does in SQL, where that is not in its file.
    pub printed: Option<String>,
    /// Whether somebody has to say what it does, because no rule reads it.
    pub needs_word: bool,
}

/// What a revision is to the versions that are live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Something comes that a version may need: an expand.
    Adds,
    /// Something goes that a version may use: a contract.
    Takes,
    /// Both at once, which no rollout survives.
    Both,
    /// Rows that are there get other values.
    Rows,
    /// No version notices, as of an index.
    Unnoticed,
    /// It cannot be told.
    Unclear,
}

impl Kind {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Adds => "adds",
            Self::Takes => "takes",
            Self::Both => "both",
            Self::Rows => "rows",
            Self::Unnoticed => "unnoticed",
            Self::Unclear => "unclear",
        }
    }

    const fn of(nature: &Nature) -> Self {
        if nature.unclear.is_some() {
            return Self::Unclear;
        }
        match (nature.takes.is_empty(), nature.adds) {
            (false, true) => Self::Both,
            (false, false) => Self::Takes,
            (true, _) if nature.rows => Self::Rows,
            (true, true) => Self::Adds,
            (true, false) => Self::Unnoticed,
        }
    }
}

pub(super) async fn find(
    asked: &Asked<'_>,
    known: Vec<Revision>,
    applied: &[Applied],
) -> Result<Adoption, AdoptError> {
    let done: BTreeSet<&str> = applied.iter().map(|one| one.revision.as_str()).collect();
    let named = named(asked);
    let mut pending = Vec::new();
    let mut unprinted = Vec::new();
    let there = known.len();
    let mut left: Vec<Revision> = known
        .into_iter()
        .filter(|one| !done.contains(one.name.as_str()))
        .collect();
    let applied = there - left.len();
    let before = left.len();
    left.retain(|one| !named.contains(&one.name));
    let named = before - left.len();
    for revision in left {
        let read = read(asked, &revision).await?;
        if let Read::Not(why) = &read {
            unprinted.push(format!("{}: {why}", revision.name));
        }
        pending.push(of(asked, revision, read));
    }
    // Where nothing could be printed, what is missing is the tool, and not a word of somebody's.
    if let Some(first) = unprinted
        .first()
        .filter(|_| unprinted.len() == pending.len())
    {
        return Err(AdoptError::said(
            format!("what the pending revisions do cannot be read. {first}"),
            format!(
                "run this where `{}` works, with what it needs to reach its database; `program`, `dir` and `url` under [runner] in \
                 migrate.toml say how it is called. Nothing was written",
                asked.runner.command()
            ),
        ));
    }
    Ok(Adoption {
        applied,
        named,
        pending,
        is_in_a_row: asked.runner.tool.reach() != Reach::Alone,
        unprinted,
    })
}

/// The revisions that a migration of the project names.
fn named(asked: &Asked<'_>) -> BTreeSet<String> {
    let project = asked.project;
    let sound = project.migrations.iter();
    let broken = project.flaws.migrations.iter().map(|one| one.as_read());
    sound
        .chain(broken)
        .flat_map(|migration| migration.files.values())
        .flat_map(|files| files.revisions.values())
        .flat_map(|revisions: &Revisions| revisions.names.iter().cloned())
        .collect()
}

/// Where what a revision does was read.
enum Read {
    InFile(String),
    Printed(String),
    Hidden,
    /// Its file could not be read, or the tool could not print it.
    Not(String),
}

async fn read(asked: &Asked<'_>, revision: &Revision) -> Result<Read, AdoptError> {
    let text = match text_of(&asked.project.root, revision) {
        Ok(text) => text,
        Err(problem) => return Ok(Read::Not(problem.one_line())),
    };
    let call = match asked.runner.tool.sql(revision, &text) {
        Sql::Written(text) => return Ok(Read::InFile(text)),
        Sql::Hidden => return Ok(Read::Hidden),
        Sql::Printed(call) => call,
    };
    let (call, sign) = match printing(asked, revision) {
        Ok(Some(alone)) => (alone.call, alone.sign),
        Ok(None) => (call, String::new()),
        Err(why) => return Ok(Read::Not(why)),
    };
    (asked.progress)(&format!("reading what `{}` does", revision.name));
    match printed(asked.runner, &call, &asked.called()).await {
        Ok(text) if !text.contains(&sign) => Ok(Read::Not(format!(
            "`{}` prints nothing of it: by its settings it would not be applied",
            asked.runner.command()
        ))),
        Ok(text) if !asked.runner.tool.prints_all(&text) => Ok(Read::Hidden),
        Ok(text) => Ok(Read::Printed(without_head(&text, &sign).to_owned())),
        Err(RunnerFailure::Failed(why)) => Ok(Read::Not(why)),
        Err(stopped @ RunnerFailure::Interrupted(_)) => Err(AdoptError::said(
            stopped.to_string(),
            "run the same command again; nothing was written",
        )),
    }
}

/// Without what the tool says of its call before it comes to the revision: when and where it ran is nothing to commit.
fn without_head<'t>(printed: &'t str, sign: &str) -> &'t str {
    let at = printed.find(sign).unwrap_or_default();
    let line = printed.get(..at).and_then(|head| head.rfind('\n'));
    printed
        .get(line.map_or(0, |end| end + 1)..)
        .unwrap_or(printed)
}

/// How the tool prints a revision alone, where it has to be called in a way of its own for that.
fn printing(asked: &Asked<'_>, revision: &Revision) -> Result<Option<Printing>, String> {
    let Some(dialect) = asked.project.config.database.dialects.first() else {
        return Ok(None);
    };
    let (runner, root) = (asked.runner, &asked.project.root);
    runner.tool.printing(runner, root, *dialect, revision)
}

/// A revision, and why what it does could not be read, if it could not.
#[derive(Clone, Debug)]
pub struct Judged {
    pub pending: Pending,
    pub unread: Option<String>,
}

/// What one revision does, by its SQL.
///
/// # Errors
/// Somebody wanted it to stop.
pub async fn judge(asked: &Asked<'_>, revision: &Revision) -> Result<Judged, AdoptError> {
    let read = read(asked, revision).await?;
    let unread = match &read {
        Read::Not(why) => Some(why.clone()),
        _ => None,
    };
    Ok(Judged {
        pending: of(asked, revision.clone(), read),
        unread,
    })
}

fn of(asked: &Asked<'_>, revision: Revision, read: Read) -> Pending {
    let dialects = &asked.project.config.database.dialects;
    let history = match asked.runner.history() {
        History::Table(table) => Some(table.name),
        History::Query(_) | History::Command(_) => None,
    };
    let history = history.as_deref();
    let natures = |text: &str| {
        let of = |dialect: &Dialect| Nature::of(*dialect, text, history);
        dialects.iter().map(of).collect::<Vec<_>>()
    };
    let (natures, sql) = match &read {
        Read::InFile(text) => (natures(text), None),
        Read::Printed(text) => {
            let dialect = dialects.first().copied();
            let bare = dialect.map(|dialect| without_its_own(dialect, text, history));
            (natures(text), bare)
        }
        Read::Hidden | Read::Not(_) => (Vec::new(), None),
    };
    let nature = worst(natures);
    let kind = nature.as_ref().map_or(Kind::Unclear, Kind::of);
    let told = nature.map_or_else(Vec::new, |nature| {
        let why = nature.unclear.into_iter();
        why.chain(nature.takes).collect()
    });
    let slug = name::slug(&revision);
    Pending {
        description: slug.replace('_', " "),
        slug,
        kind,
        told,
        printed: sql,
        needs_word: !matches!(read, Read::InFile(_)),
        revision,
    }
}

/// What it does where it does most: the same file may be for several databases.
fn worst(natures: Vec<Nature>) -> Option<Nature> {
    natures.into_iter().reduce(|mut all, one| {
        all.adds |= one.adds;
        all.rows |= one.rows;
        all.unclear = all.unclear.or(one.unclear);
        for why in one.takes {
            if !all.takes.contains(&why) {
                all.takes.push(why);
            }
        }
        all
    })
}

#[cfg(test)]
mod tests {
    use super::without_head;

    #[test]
    fn what_is_printed_before_the_revision_is_left_out() {
        let printed =
            "-- Ran at: 1/1/70\n-- Against: /tmp/x\n-- Changeset a.xml::1::dev\nSELECT 1;\n";
        let expected = "-- Changeset a.xml::1::dev\nSELECT 1;\n";
        assert_eq!(without_head(printed, "Changeset a.xml::1::dev"), expected);
        assert_eq!(without_head(expected, "Changeset a.xml::1::dev"), expected);
        assert_eq!(without_head("SELECT 1;\n", ""), "SELECT 1;\n");
    }
}
