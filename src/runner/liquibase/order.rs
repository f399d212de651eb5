//! The order in which changesets come: as they stand in their changelogs, with what these include.

use std::collections::BTreeSet;

use super::changelog::{Changelog, Entry, From, resolved};

/// A changelog of the project.
#[derive(Debug)]
pub(super) struct Log {
    /// Relative to the project's root.
    pub(super) file: String,
    /// What Liquibase calls it.
    pub(super) path: String,
    pub(super) changelog: Changelog,
    /// What its changesets are called.
    pub(super) names: Vec<String>,
}

/// The changesets, each with its file. Changelogs that no other one includes are gone through by their names; one that is included
/// twice comes where it is met first.
pub(super) fn in_order(logs: &[Log]) -> Vec<(&str, &str)> {
    let mut included = BTreeSet::new();
    for (at, log) in logs.iter().enumerate() {
        let found = log.changelog.entries.iter();
        let found = found.flat_map(|entry| includes(logs, log, entry));
        included.extend(found.filter(|other| *other != at));
    }
    let mut walk = Walk {
        logs,
        met: BTreeSet::new(),
        found: Vec::new(),
    };
    let outer = (0..logs.len()).filter(|at| !included.contains(at));
    // Those that include each other come last.
    for at in outer.chain(0..logs.len()) {
        walk.go(at);
    }
    walk.found
}

/// Which of the changelogs an entry of one includes.
fn includes(logs: &[Log], log: &Log, entry: &Entry) -> Vec<usize> {
    let Entry::Include { path, from } = entry else {
        return Vec::new();
    };
    // In newer versions the path of a directory may be relative without saying so.
    let places = [*from, From::SearchPath, From::Changelog];
    let of = |from: From| {
        let wanted = resolved(path, from, &log.path);
        let is_it = move |(_, other): &(usize, &Log)| {
            let rest = other.path.strip_prefix(&wanted);
            rest.is_some_and(|rest| rest.is_empty() || wanted.is_empty() || rest.starts_with('/'))
        };
        let found = logs.iter().enumerate().filter(is_it);
        found.map(|(at, _)| at).collect::<Vec<_>>()
    };
    let mut found = places.into_iter().map(of);
    found.find(|found| !found.is_empty()).unwrap_or_default()
}

struct Walk<'l> {
    logs: &'l [Log],
    met: BTreeSet<usize>,
    found: Vec<(&'l str, &'l str)>,
}

impl Walk<'_> {
    fn go(&mut self, at: usize) {
        let logs = self.logs;
        let Some(log) = logs.get(at).filter(|_| self.met.insert(at)) else {
            return;
        };
        let mut names = log.names.iter();
        for entry in &log.changelog.entries {
            match entry {
                Entry::Set(_) => self
                    .found
                    .extend(names.next().map(|name| (name.as_str(), log.file.as_str()))),
                Entry::Include { .. } => {
                    for other in includes(logs, log, entry) {
                        self.go(other);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::changelog::Format;
    use super::super::reading;
    use super::*;

    fn log(path: &str, text: &str) -> Log {
        let text = format!("<databaseChangeLog>{text}</databaseChangeLog>");
        let changelog = reading::read(Format::Xml, &text).unwrap().unwrap();
        Log {
            file: format!("src/{path}"),
            path: path.into(),
            names: changelog.names(path),
            changelog,
        }
    }

    #[test]
    fn changesets_come_where_their_changelog_is_included() {
        let set = |id: &str| format!("<changeSet id=\"{id}\" author=\"a\"/>");
        let all = format!(
            "{}<include file=\"z.xml\" relativeToChangelogFile=\"true\"/>{}<includeAll path=\"db/more\"/>",
            set("1"),
            set("3")
        );
        let logs = [
            log("db/all.xml", &all),
            log("db/more/a.xml", &set("4")),
            // A circle is for Liquibase to refuse.
            log(
                "db/more/b.xml",
                &format!("{}<include file=\"db/all.xml\"/>", set("5")),
            ),
            log("db/other.xml", &set("0")),
            log("db/z.xml", &set("2")),
        ];
        let ids = |logs: &[Log]| {
            let found = in_order(logs).into_iter();
            found
                .map(|(name, _)| name.split("::").nth(1).unwrap_or_default().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(ids(&logs), ["0", "1", "2", "3", "4", "5"]);
        assert_eq!(ids(&logs[..2]), ["1", "3", "4"]);
    }
}
