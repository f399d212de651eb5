//! The files that are written, in words that ask what only people know.

use std::fmt::Write as _;

use super::{Kind, Pending};
use crate::project::OPEN;
use crate::runner::Runner;
use crate::text::shown::shown;

/// Lines of SQL that are shown in a comment.
const MOST_LINES: usize = 40;

/// The `migration.toml` of a revision.
#[must_use]
pub fn migration_toml(runner: &Runner, services: &[String], pending: &Pending) -> String {
    let mut text = String::new();
    let revision = &pending.revision;
    let mut line = |said: String| {
        text.push_str(&said);
        text.push('\n');
    };
    let file = revision.file.as_deref();
    let from = file.map_or_else(String::new, |file| format!(" in {}", shown(file)));
    line(format!(
        "# The revision {} of {}{from}, which is not applied yet.",
        shown(&revision.name),
        runner.kind()
    ));
    line(format!("description = {}", quoted(&pending.description)));
    line(String::new());
    for said in explained(pending) {
        line(format!("# {said}"));
    }
    let asked = |key: &str| format!("{key} = \"{OPEN}\"");
    let keys: &[&str] = match pending.kind {
        Kind::Adds | Kind::Rows | Kind::Unclear => &["new"],
        Kind::Takes => &["old"],
        Kind::Both => &["old", "new"],
        Kind::Unnoticed => &[],
    };
    if !keys.is_empty() {
        for service in services {
            line(format!("[services.{}]", key(service)));
            for key in keys {
                line(format!("{:<48}# {}", asked(key), about(key)));
            }
        }
        line(String::new());
    }
    let phase = if pending.kind == Kind::Takes {
        "contract"
    } else {
        "expand"
    };
    line(format!("[{phase}]"));
    line(format!("revisions = [{}]", quoted(&revision.name)));
    if pending.needs_word {
        line(format!(
            "{:<48}# what it does, in a few words",
            asked("judged")
        ));
    }
    if let Some(sql) = &pending.printed {
        line(String::new());
        line(format!("# What {} prints of it:", runner.kind()));
        let lines: Vec<&str> = sql
            .lines()
            .map(str::trim_end)
            .filter(|one| !one.is_empty())
            .collect();
        for one in lines.iter().take(MOST_LINES) {
            line(format!("#   {}", shown(one)));
        }
        if lines.len() > MOST_LINES {
            line(format!("#   … and {} lines more", lines.len() - MOST_LINES));
        }
    }
    text
}

fn about(key: &str) -> &'static str {
    match key {
        "old" => "versions that use what goes: \"<1.2.0\" if 1.2.0 is the first without",
        _ => "versions that need what comes: \">=1.2.0\" if 1.2.0 is the first",
    }
}

/// The contract waits for the versions before, and the one after them is live until then.
const LEFT_OUT: [&str; 2] = [
    "Until then the first version without the column inserts rows and leaves it out: if it is NOT NULL and has no default in the",
    "database, that fails. Have a revision before this one give it a default, or let it be NULL where the versions before can read that.",
];

/// What it is to the versions that are live, and what is to be done about it.
fn explained(pending: &Pending) -> Vec<String> {
    let why: Vec<String> = pending
        .told
        .iter()
        .map(|why| shown(why).into_owned())
        .collect();
    let why = why.join("; ");
    let said: &[&str] = match pending.kind {
        Kind::Adds => &[
            "It adds something. If a later revision takes away what this replaces, the two can be one migration: name that one here",
            "under [contract], and say below which versions use the old (`old = …`).",
        ],
        Kind::Takes => &["It runs when no version is live any more that uses what goes. It"],
        Kind::Both => &[
            "It adds and takes away in one, so the versions before it and those after it cannot live side by side. Split it in two",
            "revisions, one that adds (here) and one that takes away ([contract]), before it is applied. It",
        ],
        Kind::Rows => &[
            "It changes rows, once, in one go. What live versions write after it stays as they write it. Where they do not write the new",
            "format, name it under [backfill] in the migration that adds the column, which waits until they are gone; a `backfill.sql` in",
            "its place goes in small batches.",
        ],
        Kind::Unnoticed => &["No version notices it."],
        Kind::Unclear => &[
            "What it does cannot be read here. If it takes something away, name it under [contract] in place of [expand], and write",
            "`old` in place of `new`.",
        ],
    };
    let mut lines: Vec<String> = said.iter().map(|line| (*line).to_owned()).collect();
    match pending.kind {
        Kind::Takes | Kind::Both => {
            if let Some(last) = lines.last_mut() {
                let _ = write!(last, " {why}.");
            }
            if pending
                .told
                .iter()
                .any(|why| why.starts_with("drops the column"))
            {
                lines.extend(LEFT_OUT.map(str::to_owned));
            }
        }
        Kind::Unclear if !why.is_empty() => lines.push(format!("({why})")),
        _ => {}
    }
    lines
}

/// A text of TOML.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A key of TOML: bare where that can be.
pub(super) fn key(name: &str) -> String {
    let is_bare = !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    match is_bare {
        true => name.to_owned(),
        false => quoted(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::Revision;

    #[test]
    fn whatever_a_revision_is_called_its_file_can_be_read() {
        let runner = Runner::usual("alembic").unwrap();
        for name in ["a1", "a\"b", "a\\b", "a\nb = 1", "[x]", "ä\u{7}"] {
            for kind in [
                Kind::Adds,
                Kind::Takes,
                Kind::Both,
                Kind::Rows,
                Kind::Unnoticed,
                Kind::Unclear,
            ] {
                let pending = Pending {
                    revision: Revision {
                        name: name.into(),
                        file: Some(format!("db/{name}.py")),
                        after: Vec::new(),
                        replaces: Vec::new(),
                        key: None,
                    },
                    slug: "x".into(),
                    description: name.into(),
                    kind,
                    told: vec![format!("drops\n{name}")],
                    printed: Some(format!("SELECT 1;\n\n{name}\r\nx = 1")),
                    needs_word: true,
                };
                let services = ["web".to_owned(), "a.b".to_owned()];
                let text = migration_toml(&runner, &services, &pending);
                let read: toml::Table =
                    toml::from_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
                let phase = if kind == Kind::Takes {
                    "contract"
                } else {
                    "expand"
                };
                assert_eq!(read[phase]["revisions"][0].as_str(), Some(name), "{text}");
                assert_eq!(read["description"].as_str(), Some(name));
                assert_eq!(read[phase]["judged"].as_str(), Some(OPEN));
                let asked = read.get("services").and_then(|of| of.get("a.b"));
                assert_eq!(asked.is_some(), kind != Kind::Unnoticed, "{text}");
            }
        }
    }
}
