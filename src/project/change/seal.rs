//! The first line of a generated script: for which databases it is, what it was made from, and its text.
//!
//! Invariant: a script whose seal holds is as some build of this program wrote it from this very declaration. Another build
//! may write it otherwise; what is applied stays as it is, so that nobody may be asked to write it anew for that alone.

use crate::change::{GENERATED, GENERATED_ONE_BY_ONE};
use crate::model::{MigrationId, Step};
use crate::sql::Dialect;

use super::super::source::sha256;

/// Hexadecimal digits of each hash: enough that no edit meets one by accident.
const DIGITS: usize = 12;
const FOR: &str = " for ";

/// A generated script, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parts<'t> {
    /// [`GENERATED`] or [`GENERATED_ONE_BY_ONE`].
    pub head: &'static str,
    /// What follows the head in the first line, from ` for `; nothing in what is not sealed.
    seal: &'t str,
    /// All but the first line.
    pub body: &'t str,
}

impl<'t> Parts<'t> {
    /// `None` where the first line does not say that the script is generated.
    pub fn of(text: &'t str) -> Option<Self> {
        let (first, body) = text.split_once('\n').unwrap_or((text, ""));
        let first = first.trim_end();
        let heads = [GENERATED_ONE_BY_ONE, GENERATED].into_iter();
        let with_rest = |head: &'static str| first.strip_prefix(head).map(|seal| (head, seal));
        let (head, seal) = heads.filter_map(with_rest).next()?;
        (seal.is_empty() || seal.starts_with(FOR)).then_some(Self { head, seal, body })
    }

    /// Whether it says the same, whatever their first lines say of where they come from.
    pub fn is_as(&self, other: &Self) -> bool {
        (self.head, self.body) == (other.head, other.body)
    }

    /// What its first line says; `None` where it has none that can be read.
    pub fn seal(&self) -> Option<Seal> {
        let (dialects, hashes) = self.seal.strip_prefix(FOR)?.split_once(": ")?;
        let (made_from, text) = hashes.split_once(' ')?;
        let dialects = dialects.split(", ").map(|name| {
            Dialect::ALL
                .iter()
                .copied()
                .find(|dialect| dialect.name() == name)
        });
        Some(Seal {
            dialects: dialects.collect::<Option<_>>()?,
            made_from: made_from.to_owned(),
            text: text.to_owned(),
        })
    }
}

/// What the first line of a script says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seal {
    pub dialects: Vec<Dialect>,
    made_from: String,
    text: String,
}

/// A declaration by what its scripts are made from: its `[change]`, and the number after which objects are named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MadeFrom(String);

impl MadeFrom {
    /// By what `[change]` says, not by how it is written: comments, blanks and the order of keys are no part of it.
    pub fn of(manifest: &str, id: &MigrationId) -> Self {
        let table: toml::Table = manifest.parse().unwrap_or_default();
        // As JSON, whose form no other version of a library writes otherwise.
        let change = table
            .get("change")
            .and_then(|change| serde_json::to_string(change).ok());
        Self(short(&[number(id), &change.unwrap_or_default()]))
    }

    /// What such a script is to hold in the project, where it is the same for these databases.
    pub fn sealed(&self, written: &Parts<'_>, step: Step, dialects: &[Dialect]) -> String {
        let names: Vec<&str> = dialects.iter().map(|dialect| dialect.name()).collect();
        let Parts { head, body, .. } = written;
        let (Self(made_from), text) = (self, text_of(written, step, dialects));
        format!(
            "{head}{FOR}{}: {made_from} {text}\n{body}",
            names.join(", ")
        )
    }

    pub fn is_of(&self, seal: &Seal) -> bool {
        self.0 == seal.made_from
    }
}

impl Seal {
    /// Whether the text is still the one that was sealed.
    pub fn holds(&self, parts: &Parts<'_>, step: Step) -> bool {
        self.text == text_of(parts, step, &self.dialects)
    }
}

/// As the directory has it.
pub(super) fn number(id: &MigrationId) -> &str {
    id.as_str().split_once('_').map_or("", |(digits, _)| digits)
}

/// Whether both scripts are as one `migrate generate` has left them, from one declaration.
pub(in crate::project) fn are_of_one(scripts: [(Step, &str); 2]) -> bool {
    let made_from = scripts.map(|(step, text)| {
        let parts = Parts::of(text)?;
        let seal = parts.seal().filter(|seal| seal.holds(&parts, step))?;
        Some(seal.made_from)
    });
    matches!(made_from, [Some(a), Some(b)] if a == b)
}

fn text_of(parts: &Parts<'_>, step: Step, dialects: &[Dialect]) -> String {
    let names: Vec<&str> = dialects.iter().map(|dialect| dialect.name()).collect();
    short(&[step.name(), &names.join(" "), parts.head, parts.body])
}

/// Of texts one after the other, each with its length.
fn short(texts: &[&str]) -> String {
    let all: String = texts
        .iter()
        .map(|text| format!("{} {text}\n", text.len()))
        .collect();
    let mut hash = sha256(&all);
    hash.truncate(DIGITS);
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str =
        "description = \"a\"\n[change]\nkind = \"drop-table\" # gone\ntable = 'users'\n";

    fn made_from(manifest: &str, id: &str) -> MadeFrom {
        MadeFrom::of(manifest, &id.parse().unwrap())
    }

    #[test]
    fn what_is_sealed_is_known_again_until_something_is_changed() {
        let from = made_from(MANIFEST, "0002_gone");
        for head in [GENERATED, GENERATED_ONE_BY_ONE] {
            let text = format!("{head}\nDROP TABLE users;\n");
            let plain = Parts::of(&text).unwrap();
            assert_eq!(plain.seal(), None);
            let dialects = [Dialect::Sqlite, Dialect::Postgres];
            let sealed = from.sealed(&plain, Step::Contract, &dialects);
            let parts = Parts::of(&sealed).unwrap();
            assert!(parts.is_as(&plain));
            let seal = parts.seal().unwrap();
            assert_eq!(seal.dialects, dialects);
            assert!(from.is_of(&seal) && seal.holds(&parts, Step::Contract));
            assert!(!seal.holds(&parts, Step::Expand));
            for edited in [
                sealed.replace("users", "people"),
                sealed.replace("sqlite, ", ""),
                format!("{sealed}\n"),
            ] {
                let parts = Parts::of(&edited).unwrap();
                let seal = parts.seal().unwrap();
                assert!(!seal.holds(&parts, Step::Contract), "{edited}");
            }
        }
    }

    #[test]
    fn a_declaration_is_another_one_by_what_it_says() {
        let from = made_from(MANIFEST, "0002_gone");
        let same =
            "[change]\n\ntable = \"users\"\nkind = 'drop-table'\n[services.web]\nold = '<2'\n";
        assert_eq!(made_from(same, "0002_other"), from);
        for (manifest, id) in [
            (MANIFEST, "0003_gone"),
            (&MANIFEST.replace("users", "people"), "0002_gone"),
        ] {
            assert_ne!(made_from(manifest, id), from, "{manifest} {id}");
        }
    }

    #[test]
    fn only_the_first_line_tells() {
        for text in [
            "",
            "DROP TABLE users;",
            "-- migrate: no-transaction\nA;",
            "\n-- migrate: generated from [change]",
            "-- migrate: generated from [change]s",
        ] {
            assert_eq!(Parts::of(text), None, "{text}");
        }
        for seal in [
            "",
            " for",
            " for sqlite",
            " for oracle: a b",
            " for sqlite: a",
        ] {
            let text = format!("{GENERATED}{seal}\nA;\n");
            assert!(
                Parts::of(&text).is_none_or(|parts| parts.seal().is_none()),
                "{text}"
            );
        }
    }
}
