//! node-pg-migrate: programs or SQL files that begin with a number; `up --timestamp N` applies up to it.

use std::path::Path;
use std::sync::Arc;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::Table;
use super::history::with_time;
use super::revision::in_a_row;
use super::{Applied, Call, History, Kind, Reach, Revision, Runner, Sql, Tool, files};

pub(super) const KIND: Kind = Kind {
    kind: "node-pg-migrate",
    read: |_| Some(Arc::new(NodePgMigrate)),
};

#[derive(Debug)]
struct NodePgMigrate;

/// What the tool takes the number of a name for: 17 digits are a moment, and it counts in milliseconds. The digits themselves would be
/// later than every revision, and it would apply all of them.
fn time(name: &str) -> i64 {
    let digits = files::number(name);
    let part = |from: usize, to: usize| digits.get(from..to)?.parse::<i16>().ok();
    let moment = || {
        let small = |from, to| i8::try_from(part(from, to)?).ok();
        let nanoseconds = i32::from(part(14, 17)?) * 1_000_000;
        let moment = DateTime::new(
            part(0, 4)?,
            small(4, 6)?,
            small(6, 8)?,
            small(8, 10)?,
            small(10, 12)?,
            small(12, 14)?,
            nanoseconds,
        );
        let moment = moment.ok()?.to_zoned(TimeZone::UTC).ok()?;
        Some(moment.timestamp().as_millisecond())
    };
    let number = || digits.parse().unwrap_or(i64::MAX);
    match digits.len() {
        17 => moment().unwrap_or_else(number),
        _ => number(),
    }
}

fn mark(line: &str, which: &str) -> bool {
    let rest = line.trim_start().strip_prefix("--");
    rest.is_some_and(|rest| rest.trim_start().to_ascii_lowercase().starts_with(which))
}

impl Tool for NodePgMigrate {
    fn kind(&self) -> &'static str {
        KIND.kind
    }

    fn program(&self) -> Vec<String> {
        // Where it is not installed, nothing is fetched.
        vec![
            "npx".into(),
            "--no-install".into(),
            "node-pg-migrate".into(),
        ]
    }

    fn files(&self, _dir: &Path) -> String {
        "migrations".into()
    }

    fn history(&self) -> History {
        History::Table(Table {
            name: "pgmigrations".into(),
            on: &[],
            columns: &["name", "run_on"],
        })
    }

    fn revisions(&self, runner: &Runner, root: &Path) -> Result<Vec<Revision>, String> {
        let found = files::by_name(root, &runner.place(root), |file| {
            let (stem, end) = file.rsplit_once('.')?;
            let is_one = matches!(end, "js" | "ts" | "cjs" | "mjs" | "sql")
                && stem.starts_with(|c: char| c.is_ascii_digit());
            is_one.then(|| stem.to_owned())
        })?;
        let mut found: Vec<(i64, Revision)> = found
            .into_iter()
            .map(|one| (time(&one.name), one))
            .collect();
        found.sort_by(|(a, one), (b, other)| (a, &one.name).cmp(&(b, &other.name)));
        Ok(in_a_row(found.into_iter().map(|(_, one)| one).collect()))
    }

    fn read(&self, rows: &[Vec<String>], _known: &[Revision]) -> Result<Vec<Applied>, String> {
        Ok(with_time(rows))
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
        let is_pending = |name: &str| applied.iter().all(|one| one.revision != name);
        let comes_along = |one: &&Revision| {
            one.name != revision && time(&one.name) == time(revision) && is_pending(&one.name)
        };
        let other = known.iter().find(comes_along)?;
        Some(format!(
            "node-pg-migrate would apply `{}` along with `{revision}`, because both begin with the same time: give one of them another \
             (no database may have applied it)",
            other.name
        ))
    }

    fn apply(&self, runner: &Runner, root: &Path, revision: &Revision) -> Result<Call, String> {
        let place = root.join(runner.place(root)).display().to_string();
        let time = time(&revision.name).to_string();
        Ok(Call::new(["up", "--timestamp", &time, "-m", &place]))
    }

    fn sql(&self, revision: &Revision, text: &str) -> Sql {
        let is_sql = revision
            .file
            .as_deref()
            .is_some_and(|file| file.ends_with(".sql"));
        if !is_sql {
            return Sql::Hidden;
        }
        Sql::Written(files::only_between(
            text,
            |line| mark(line, "up migration"),
            |line| mark(line, "down migration"),
        ))
    }

    fn mend(&self, table: Option<&str>, revision: &str) -> String {
        let table = table.unwrap_or("pgmigrations");
        format!(
            "a row in `{table}` with `{revision}` as its `name` and a time as its `run_on` says that it is done"
        )
    }

    fn is_here(&self, dir: &Path) -> bool {
        let package = std::fs::read_to_string(dir.join("package.json")).unwrap_or_default();
        package.contains("\"node-pg-migrate\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_what_the_tool_takes_it_for() {
        for (name, expected) in [
            ("1760000000001_step", 1_760_000_000_001),
            ("20251009085320001_step", 1_760_000_000_001),
            ("0012_step", 12),
            // No moment at all.
            ("20259909085320001_step", 20_259_909_085_320_001),
        ] {
            assert_eq!(time(name), expected, "{name}");
        }
    }

    #[test]
    fn those_of_one_time_come_together_and_are_in_the_way() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("migrations")).unwrap();
        for name in ["20251009085320001_d", "1760000000001_e", "1_a"] {
            std::fs::write(dir.path().join(format!("migrations/{name}.sql")), "").unwrap();
        }
        let runner = Runner::usual("node-pg-migrate").unwrap();
        let known = runner.revisions(dir.path()).unwrap();
        let names: Vec<&str> = known.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["1_a", "1760000000001_e", "20251009085320001_d"]);
        let in_the_way =
            |applied: &[Applied], wanted| NodePgMigrate.in_the_way(&known, applied, wanted);
        let done = [Applied::done("20251009085320001_d")];
        assert!(in_the_way(&[], "1760000000001_e").is_some());
        assert!(in_the_way(&[], "1_a").is_none());
        assert!(in_the_way(&done, "1760000000001_e").is_none());
    }
}
