//! A changelog, whatever it is written in: its changesets in their order, and what it includes.

/// What a changelog is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Sql,
    Xml,
    Yaml,
    Json,
}

impl Format {
    /// By the end of a file's name.
    pub(super) fn of(file: &str) -> Option<Self> {
        let (_, end) = file.rsplit_once('.')?;
        match end.to_ascii_lowercase().as_str() {
            "sql" => Some(Self::Sql),
            "xml" => Some(Self::Xml),
            "yaml" | "yml" => Some(Self::Yaml),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// A changeset, as Liquibase knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Set {
    pub(super) id: String,
    pub(super) author: String,
    /// The path that it gives itself.
    pub(super) logical: Option<String>,
}

/// What stands in a changelog, one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Set(Set),
    /// Another changelog, or all of a directory.
    Include {
        path: String,
        from: From,
    },
}

/// What the path of an included changelog is relative to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    SearchPath,
    Changelog,
}

/// What is to be known of a changelog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Changelog {
    pub(super) format: Format,
    /// The path that it gives itself.
    pub(super) logical: Option<String>,
    pub(super) entries: Vec<Entry>,
    /// The names of the values that it sets.
    pub(super) properties: Vec<String>,
}

/// What every changelog in a format of its own is called by.
pub(super) const ROOT: &str = "databaseChangeLog";

impl Changelog {
    /// What its changesets are called, where its file has this name.
    pub(super) fn names(&self, path: &str) -> Vec<String> {
        let sets = self.entries.iter().filter_map(|entry| match entry {
            Entry::Set(set) => Some(set),
            Entry::Include { .. } => None,
        });
        let named = |set: &Set| {
            let own = set.logical.as_deref().or(self.logical.as_deref());
            called(own.unwrap_or(path), &set.id, &set.author)
        };
        sets.map(named).collect()
    }
}

/// A changeset as Liquibase itself writes it.
pub(super) fn called(path: &str, id: &str, author: &str) -> String {
    format!("{path}::{id}::{author}")
}

/// A path from the search path, without `.` and `..`, of one that is written in the changelog of this path.
pub(super) fn resolved(path: &str, from: From, changelog: &str) -> String {
    let path = path.strip_prefix("classpath:").unwrap_or(path);
    let before = match from {
        From::SearchPath => "",
        From::Changelog => changelog.rsplit_once('/').map_or("", |(place, _)| place),
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in before.split('/').chain(path.split(['/', '\\'])) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The names of the values that a text uses: `${name}`.
pub(super) fn uses(text: &str) -> Vec<&str> {
    let after = text.split("${").skip(1);
    let names = after.filter_map(|rest| rest.split_once('}').map(|(name, _)| name.trim()));
    let is_name = |name: &&str| {
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-');
        !name.is_empty() && name.chars().all(is_part)
    };
    names.filter(is_name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_followed_from_where_it_is_written() {
        for (path, from, found) in [
            ("db/a.xml", From::SearchPath, "db/a.xml"),
            ("classpath:/db/a.xml", From::SearchPath, "db/a.xml"),
            ("a.xml", From::Changelog, "db/changelog/a.xml"),
            ("../x/./a.xml", From::Changelog, "db/x/a.xml"),
            ("../../../a.xml", From::Changelog, "a.xml"),
        ] {
            assert_eq!(
                resolved(path, from, "db/changelog/all.xml"),
                found,
                "{path}"
            );
        }
    }

    #[test]
    fn what_a_text_uses_is_found() {
        assert_eq!(uses("a ${b} ${ c.d } ${e f} ${"), ["b", "c.d"]);
    }
}
