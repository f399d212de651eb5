//! The revisions of a tool, and what comes along with one.

use std::collections::BTreeSet;

/// A revision, as the files tell it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revision {
    /// What the history and the command line call it.
    pub name: String,
    /// Its file, relative to the project's root, with `/`.
    pub file: Option<String>,
    /// Those that have to be applied before it, each by its name.
    pub after: Vec<String>,
    /// Those that it stands for, each by its name: where all of them are applied, so is it.
    pub replaces: Vec<String>,
    /// What its history knows it by, where that is not its name.
    pub key: Option<String>,
}

impl Revision {
    /// Whether somebody who writes `wanted` means this one: by its name, or by that of its file, with or without what comes
    /// after the dot.
    #[must_use]
    pub fn is_meant_by(&self, wanted: &str) -> bool {
        let file = self.file.as_deref().unwrap_or_default();
        let file = file.rsplit('/').next().unwrap_or_default();
        let stem = file.split('.').next().unwrap_or_default();
        !wanted.is_empty() && [self.name.as_str(), file, stem].contains(&wanted)
    }
}

/// What a tool applies when it is told to apply one revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// That one alone.
    Alone,
    /// Whatever is pending of those that have to come before it, and that one.
    UpTo,
}

/// The revisions that would be applied along with this one, in their order.
#[must_use]
pub fn along<'r>(
    reach: Reach,
    known: &'r [Revision],
    is_applied: impl Fn(&str) -> bool,
    revision: &str,
) -> Vec<&'r str> {
    let wanted: BTreeSet<&str> = match reach {
        Reach::Alone => return Vec::new(),
        Reach::UpTo => before(known, &[revision]),
    };
    known
        .iter()
        .map(|one| one.name.as_str())
        .filter(|name| wanted.contains(name) && *name != revision && !is_applied(name))
        .collect()
}

/// What has to be applied before this one by its files, of which no file tells and that is not applied.
#[must_use]
pub fn unknown_before(
    reach: Reach,
    known: &[Revision],
    is_applied: impl Fn(&str) -> bool,
    revision: &str,
) -> BTreeSet<String> {
    if reach != Reach::UpTo {
        return BTreeSet::new();
    }
    let is_known = |name: &str| known.iter().any(|one| one.name == name);
    let wanted = before(known, &[revision]);
    let wanted = known
        .iter()
        .filter(|one| wanted.contains(one.name.as_str()) && !is_applied(&one.name));
    wanted
        .flat_map(|one| &one.after)
        .filter(|name| !is_known(name) && !is_applied(name))
        .cloned()
        .collect()
}

/// These revisions, and all that have to come before them.
#[must_use]
pub fn before<'r>(known: &'r [Revision], wanted: &[&str]) -> BTreeSet<&'r str> {
    let mut found = BTreeSet::new();
    let mut left: Vec<&str> = wanted.to_vec();
    while let Some(name) = left.pop() {
        let Some(one) = known.iter().find(|one| one.name == name) else {
            continue;
        };
        if found.insert(one.name.as_str()) {
            left.extend(one.after.iter().map(String::as_str));
        }
    }
    found
}

/// Revisions that come one after the other.
pub(super) fn in_a_row(mut revisions: Vec<Revision>) -> Vec<Revision> {
    let mut last: Option<String> = None;
    for one in &mut revisions {
        one.after = last.replace(one.name.clone()).into_iter().collect();
    }
    revisions
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revision(name: &str, after: &[&str]) -> Revision {
        Revision {
            name: name.into(),
            file: Some(format!("db/{name}_x.up.sql")),
            after: after.iter().map(|name| (*name).to_owned()).collect(),
            replaces: Vec::new(),
            key: None,
        }
    }

    #[test]
    fn what_comes_along_follows_from_the_reach() {
        let known = [
            revision("a", &[]),
            revision("b", &["a"]),
            revision("c", &["a"]),
            revision("d", &["b", "c"]),
        ];
        let is_applied = |name: &str| name == "a";
        for (reach, wanted, along_with) in [
            (Reach::Alone, "d", vec![]),
            (Reach::UpTo, "d", vec!["b", "c"]),
            (Reach::UpTo, "b", vec![]),
            (Reach::UpTo, "nosuch", vec![]),
        ] {
            assert_eq!(
                along(reach, &known, is_applied, wanted),
                along_with,
                "{wanted}"
            );
        }
    }

    #[test]
    fn what_no_file_tells_of_is_not_nothing() {
        let known = [
            revision("a", &["lost"]),
            revision("b", &["a", "other", "there"]),
        ];
        let unknown = |reach, applied: &[&str]| {
            let is_applied = |name: &str| applied.contains(&name);
            Vec::from_iter(unknown_before(reach, &known, is_applied, "b"))
        };
        assert_eq!(unknown(Reach::UpTo, &["there"]), ["lost", "other"]);
        // What comes before one that is applied is its own affair.
        assert_eq!(unknown(Reach::UpTo, &["a", "there"]), ["other"]);
        assert!(unknown(Reach::Alone, &[]).is_empty());
    }

    #[test]
    fn a_revision_is_meant_by_its_name_or_its_file() {
        let one = revision("12", &[]);
        for wanted in ["12", "12_x.up.sql", "12_x"] {
            assert!(one.is_meant_by(wanted), "{wanted}");
        }
        for wanted in ["", "1", "12_", "db/12_x.up.sql"] {
            assert!(!one.is_meant_by(wanted), "{wanted}");
        }
    }
}
