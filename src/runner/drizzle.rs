//! Drizzle: SQL files, which a journal puts in order. `drizzle-kit migrate` applies whatever is pending.
//!
//! Its history knows a revision by the time that the journal gives it, and Drizzle applies what has a later one than the latest there:
//! what has an earlier one it leaves out for ever, and says that all went well.
//!
//! It is given a configuration of ours, which is the project's with another directory: one with a journal of one entry.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use super::revision::in_a_row;
use super::settings::inside;
use super::{
    Applied, Call, History, Kind, Reach, Revision, Runner, Scratch, Sql, Table, Tool, files,
};
use crate::row::Row;
use crate::sql::Dialect;

pub(super) const KIND: Kind = Kind {
    kind: "drizzle",
    read: made,
};

#[derive(Debug)]
struct Drizzle {
    /// Relative to where it runs, where the project says so.
    config: Option<String>,
}

const CONFIG: &str = "config = \"db/drizzle.config.ts\"";
const ENDS: [&str; 7] = ["ts", "js", "mts", "mjs", "cts", "cjs", "json"];
const JOURNAL: &str = "meta/_journal.json";

fn made(row: &mut dyn Row) -> Option<Arc<dyn Tool>> {
    let config = inside(row, "config", CONFIG);
    Some(Arc::new(Drizzle { config }))
}

fn config_in(dir: &Path) -> Option<String> {
    let names = ENDS.iter().map(|end| format!("drizzle.config.{end}"));
    names.into_iter().find(|name| dir.join(name).is_file())
}

/// The journal as it is, and its entries.
fn journal(root: &Path, place: &str) -> Result<(Value, Vec<Value>), String> {
    let path = format!("{place}/{JOURNAL}");
    let unread = |why: &str| {
        format!(
            "{path}, Drizzle's journal, cannot be read: {why}; `files` under [runner] is the directory that drizzle-kit writes to (`out`)"
        )
    };
    let text = files::text(root, &path).map_err(|why| unread(&why))?;
    let journal: Value = serde_json::from_str(&text).map_err(|why| unread(&why.to_string()))?;
    let entries = journal["entries"].as_array().cloned();
    let entries = entries.ok_or_else(|| unread("it has no list of `entries`"))?;
    Ok((journal, entries))
}

impl Tool for Drizzle {
    fn kind(&self) -> &'static str {
        KIND.kind
    }

    fn program(&self) -> Vec<String> {
        // Where it is not installed, nothing is fetched.
        vec!["npx".into(), "--no-install".into(), "drizzle-kit".into()]
    }

    fn files(&self, _dir: &Path) -> String {
        "drizzle".into()
    }

    fn history(&self) -> History {
        History::Table(Table {
            name: "__drizzle_migrations".into(),
            on: &[(Dialect::Postgres, "drizzle.__drizzle_migrations")],
            columns: &["created_at"],
        })
    }

    fn revisions(&self, runner: &Runner, root: &Path) -> Result<Vec<Revision>, String> {
        let place = runner.place(root);
        let (_, entries) = journal(root, &place)?;
        let of = |entry: &Value| match (entry["tag"].as_str(), entry["when"].as_u64()) {
            // It becomes the name of a file.
            (Some(tag), Some(when)) if !tag.contains(['/', '\\']) => Ok(Revision {
                name: tag.to_owned(),
                file: Some(format!("{place}/{tag}.sql")),
                key: Some(when.to_string()),
                ..Revision::default()
            }),
            _ => Err(format!(
                "{place}/{JOURNAL} has an entry without a `tag` and a `when` that can be read: have drizzle-kit write it anew"
            )),
        };
        let found: Result<Vec<Revision>, String> = entries.iter().map(of).collect();
        Ok(in_a_row(found?))
    }

    fn read(&self, rows: &[Vec<String>], known: &[Revision]) -> Result<Vec<Applied>, String> {
        let times = rows.iter().filter_map(|row| row.first());
        let named = |time: &String| {
            let mut of = known.iter().filter(|one| one.key.as_ref() == Some(time));
            match (of.next(), of.next()) {
                (Some(one), Some(other)) => Err(format!(
                    "`{}` and `{}` have the same `when` in Drizzle's journal, and its history tells one from the other by nothing else: give \
                     the one that is not applied a later one",
                    one.name, other.name
                )),
                (Some(one), None) => Ok(Applied::done(&one.name)),
                // Of a file that this checkout does not have.
                (None, _) => Ok(Applied::done(format!("when {time}"))),
            }
        };
        times.filter(|time| !time.is_empty()).map(named).collect()
    }

    fn reach(&self) -> Reach {
        Reach::UpTo
    }

    fn in_the_way(
        &self,
        known: &[Revision],
        applied: &[Applied],
        revision: &str,
    ) -> Option<String> {
        let when = |name: &str| -> Option<u64> {
            if let Some(time) = name.strip_prefix("when ") {
                return time.parse().ok();
            }
            let one = known.iter().find(|one| one.name == name)?;
            one.key.as_ref()?.parse().ok()
        };
        let own = when(revision)?;
        let times = applied
            .iter()
            .filter_map(|one| Some((when(&one.revision)?, &one.revision)));
        let (latest, name) = times.max()?;
        (latest >= own).then(|| {
            format!(
                "Drizzle would leave `{revision}` out and say that all went well: by its journal it is not later than `{name}`, which is \
                 applied. Give it a `when` above {latest} in {JOURNAL} (no database may have applied it)"
            )
        })
    }

    fn apply(&self, runner: &Runner, root: &Path, revision: &Revision) -> Result<Call, String> {
        let place = runner.place(root);
        let (mut journal, mut entries) = journal(root, &place)?;
        entries.retain(|entry| entry["tag"] == *revision.name);
        journal["entries"] = Value::Array(entries);
        let dir = std::path::absolute(runner.directory(root)).map_err(|why| why.to_string())?;
        let Some(config) = self.config.clone().or_else(|| config_in(&dir)) else {
            return Err(format!(
                "there is no drizzle.config.ts in {}: write for example `{CONFIG}` under [runner]",
                dir.display()
            ));
        };
        let text = files::text(root, &format!("{place}/{}.sql", revision.name))?;
        let uncopied = |why| format!("a directory for `{}` cannot be made: {why}", revision.name);
        let scratch = Scratch::empty().map_err(uncopied)?;
        let out = scratch.path().join("out").display().to_string();
        let theirs = dir.join(config).display().to_string();
        let config = format!(
            "import * as loaded from {};\nconst theirs: any = (loaded as any).default ?? loaded;\n\
             export default {{ ...(theirs.default ?? theirs), out: {} }};\n",
            json!(theirs),
            json!(out)
        );
        for (file, text) in [
            ("drizzle.config.ts", config),
            (&*format!("out/{JOURNAL}"), journal.to_string()),
            (&*format!("out/{}.sql", revision.name), text),
        ] {
            scratch.write(file, &text).map_err(uncopied)?;
        }
        let config = scratch.path().join("drizzle.config.ts");
        let mut call = Call::new([
            "migrate".to_owned(),
            format!("--config={}", config.display()),
        ]);
        call.scratch = Some(scratch);
        Ok(call)
    }

    fn sql(&self, _revision: &Revision, text: &str) -> Sql {
        Sql::Written(text.to_owned())
    }

    fn mend(&self, table: Option<&str>, revision: &str) -> String {
        let table = table.unwrap_or("__drizzle_migrations");
        format!(
            "a row in `{table}` with the `when` of `{revision}` in the journal as its `created_at`, and the SHA-256 of its file \
             as its `hash`, says that it is done"
        )
    }

    fn is_here(&self, dir: &Path) -> bool {
        config_in(dir).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRIZZLE: Drizzle = Drizzle { config: None };

    fn known() -> Vec<Revision> {
        let named =
            [("0000_a", "10"), ("0001_b", "30"), ("0002_c", "20")].map(|(name, when)| Revision {
                name: name.into(),
                key: Some(when.into()),
                ..Revision::default()
            });
        named.to_vec()
    }

    #[test]
    fn what_is_applied_is_known_by_its_time() {
        let rows = ["10", "30", "99"].map(|time| vec![time.to_owned()]);
        let read = DRIZZLE.read(&rows, &known()).unwrap();
        let names: Vec<&str> = read.iter().map(|one| one.revision.as_str()).collect();
        assert_eq!(names, ["0000_a", "0001_b", "when 99"]);
        let mut twice = known();
        twice[1].key = Some("10".into());
        assert!(DRIZZLE.read(&rows, &twice).is_err());
    }

    #[test]
    fn what_drizzle_would_leave_out_is_told() {
        for (applied, revision, is_left_out) in [
            (vec![], "0000_a", false),
            (vec!["10"], "0001_b", false),
            (vec!["10", "30"], "0002_c", true),
            (vec!["10", "99"], "0001_b", true),
        ] {
            let rows: Vec<_> = applied
                .iter()
                .map(|time| vec![(*time).to_owned()])
                .collect();
            let read = DRIZZLE.read(&rows, &known()).unwrap();
            let why = DRIZZLE.in_the_way(&known(), &read, revision);
            assert_eq!(why.is_some(), is_left_out, "{applied:?} {revision}");
        }
    }
}
