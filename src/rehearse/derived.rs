//! The ranges that follow from what recorded statements of versions need. Pure.
//!
//! Invariant: what nothing shows is a question, `"?"`, which no check lets pass until somebody has answered it.

use serde::Serialize;

use crate::model::{Format, Formats, Version};

/// What the statements of one version show of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shown {
    #[serde(serialize_with = "as_text")]
    pub version: Version,
    #[serde(serialize_with = "as_names")]
    pub reads: Formats,
    #[serde(serialize_with = "as_names")]
    pub writes: Formats,
    /// What is needed by statements that do not tell whether they read or write it.
    #[serde(serialize_with = "as_names")]
    pub unclear: Formats,
    /// One query needs the old format and another one the new: whether that is a reader of both is known to its program alone.
    pub reads_apart: bool,
    /// Statements that could be run at all, in one state or more: those that read, and those that write.
    pub queries: usize,
    pub changes: usize,
}

/// What the statements of one service propose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Derived {
    pub service: String,
    pub versions: Vec<Shown>,
    /// Lines of `migration.toml`.
    pub proposed: Vec<String>,
    /// Whether a line of them is a question.
    pub is_open: bool,
}

/// What cannot show whatever is recorded, because of the migration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Blind {
    pub of_old: Option<&'static str>,
    /// Both formats are in the same columns.
    pub is_in_place: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn as_names<S: serde::Serializer>(formats: &Formats, serializer: S) -> Result<S::Ok, S::Error> {
    let both = [Format::Old, Format::New].into_iter();
    let named = both.filter(|format| formats.contains(*format));
    serializer.collect_seq(named.map(|format| format.to_string()))
}

fn as_text<S: serde::Serializer>(version: &Version, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(version)
}

/// What one key of a service gets.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Edge {
    /// Nobody uses it, and the key is left out.
    Nobody,
    Range(String),
    Question(String),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Reads,
    Writes,
}

const IN_PLACE: &str = "both formats are in the same columns, and a statement that runs in either does not show what its program makes of them";

pub(super) fn derived(
    service: &str,
    versions: Vec<Shown>,
    releases: &[Version],
    blind: Blind,
) -> Derived {
    let both = |of, verb| {
        let edge = |format| edge(&versions, releases, blind, (of, verb, format));
        [edge(Format::Old), edge(Format::New)]
    };
    let alike = both(Use::Reads, "use");
    let keys = if alike == both(Use::Writes, "use") {
        ["old", "new"].into_iter().zip(alike).collect()
    } else {
        let [reads_old, reads_new] = both(Use::Reads, "read");
        let [writes_old, writes_new] = both(Use::Writes, "write");
        vec![
            ("reads.old", reads_old),
            ("reads.new", reads_new),
            ("writes.old", writes_old),
            ("writes.new", writes_new),
        ]
    };
    let mut proposed = vec![format!("[services.{}]", key_of(service))];
    for one in versions.iter().filter(|one| !one.is_known()) {
        proposed.push(format!(
            "# nothing is known of {}: none of its statements runs in any state of this migration",
            one.version
        ));
    }
    let is_open = keys
        .iter()
        .any(|(_, edge)| matches!(edge, Edge::Question(_)));
    let is_unused = keys.iter().all(|(_, edge)| *edge == Edge::Nobody);
    for (key, edge) in keys {
        match edge {
            Edge::Nobody => {}
            Edge::Range(range) => proposed.push(format!("{key} = \"{range}\"")),
            Edge::Question(why) => {
                proposed.push(format!("# {why}"));
                proposed.push(format!("{key} = \"?\""));
            }
        }
    }
    if is_unused {
        proposed = vec![format!(
            "# no statement of `{service}` needs what this migration changes: it is left out"
        )];
    }
    Derived {
        service: service.to_owned(),
        versions,
        proposed,
        is_open,
    }
}

/// A name as a key of TOML.
fn key_of(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if name.chars().all(is_bare) {
        name.to_owned()
    } else {
        format!("\"{name}\"")
    }
}

impl Shown {
    pub fn of(version: Version) -> Self {
        Self {
            version,
            reads: Formats::NONE,
            writes: Formats::NONE,
            unclear: Formats::NONE,
            reads_apart: false,
            queries: 0,
            changes: 0,
        }
    }

    fn is_known(&self) -> bool {
        self.queries + self.changes > 0
    }

    /// Whether it reads or writes the format; `None` where no statement of that kind could be run.
    fn uses(&self, of: Use, format: Format) -> Option<bool> {
        let (formats, statements) = match of {
            Use::Reads => (self.reads, self.queries),
            Use::Writes => (self.writes, self.changes),
        };
        (statements > 0 || formats.contains(format)).then_some(formats.contains(format))
    }
}

fn edge(
    versions: &[Shown],
    releases: &[Version],
    blind: Blind,
    (of, verb, format): (Use, &str, Format),
) -> Edge {
    if let (Format::Old, Some(why)) = (format, blind.of_old) {
        return Edge::Question(why.to_owned());
    }
    if blind.is_in_place && (of, format) != (Use::Writes, Format::Old) {
        return Edge::Question(IN_PLACE.to_owned());
    }
    if let Some(one) = versions.iter().find(|one| one.unclear.contains(format)) {
        return Edge::Question(format!(
            "a statement of {} needs the {format} format, and its words do not tell whether it reads or writes it",
            one.version
        ));
    }
    let apart = versions.iter().find(|one| one.reads_apart);
    if let (Some(one), Use::Reads) = (apart, of) {
        return Edge::Question(format!(
            "{} reads the old format in one query and the new one in another: it reads both if its program takes the new one of each \
             row and the old one where that is missing, and otherwise no range says what it needs",
            one.version
        ));
    }
    let line: Vec<(&Version, bool)> = versions
        .iter()
        .filter_map(|one| Some((&one.version, one.uses(of, format)?)))
        .collect();
    if line.is_empty() {
        return Edge::Question(format!(
            "no recorded statement {verb}s rows in any state: say which versions {verb} the {format} format, or leave the line out if none does"
        ));
    }
    // What is old is used up to a version, what is new from one on.
    let first_of_later = line
        .iter()
        .position(|(_, uses)| *uses == (format == Format::New));
    let at = first_of_later.unwrap_or(line.len());
    let is_steady = line
        .iter()
        .skip(at)
        .all(|(_, uses)| *uses == (format == Format::New));
    if !is_steady {
        return Edge::Question(format!(
            "versions that {verb} the {format} format lie on both sides of versions that do not: {}",
            told(&line)
        ));
    }
    let lower = at.checked_sub(1).and_then(|at| line.get(at));
    let upper = line.get(at);
    match (lower, upper, format) {
        (None, _, Format::Old) | (_, None, Format::New) => Edge::Nobody,
        // Nothing shows where it ends.
        (Some(_), None, Format::Old) => Edge::Range("*".to_owned()),
        (None, Some((upper, _)), Format::New) => {
            if releases.iter().min() == Some(upper) {
                return Edge::Range(format!(">={upper}"));
            }
            Edge::Question(format!(
                "all that is recorded {verb}s the new format, and of versions before {upper} nothing is known: \
                 \"*\" if they do as well, \">={upper}\" if not"
            ))
        }
        (Some((lower, _)), Some((upper, _)), _) => {
            let range = match format {
                Format::Old => format!("<{upper}"),
                Format::New => format!(">={upper}"),
            };
            if is_next(lower, upper, releases) {
                return Edge::Range(range);
            }
            let (all, none, with, without_it) = match format {
                Format::Old => (range, format!("<={lower}"), lower, upper),
                Format::New => (format!(">{lower}"), range, upper, lower),
            };
            Edge::Question(format!(
                "statements of {with} {verb} the {format} format, and those of {without_it} do not; of versions between them nothing is known: \
                 \"{all}\" if all of them do, \"{none}\" if none does (`releases` of the service says that there are none)"
            ))
        }
    }
}

/// Whether the project lists both releases, and none between them.
fn is_next(lower: &Version, upper: &Version, releases: &[Version]) -> bool {
    let is_between = |one: &Version| one > lower && one < upper;
    releases.contains(lower) && releases.contains(upper) && !releases.iter().any(is_between)
}

fn told(line: &[(&Version, bool)]) -> String {
    let each = line.iter().map(|(version, uses)| {
        let does = if *uses { "does" } else { "does not" };
        format!("{version} {does}")
    });
    each.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Formats = Formats::NONE;
    const OLD: Formats = Formats::OLD;
    const NEW: Formats = Formats::NEW;
    const BOTH: Formats = Formats::BOTH;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    fn shown(text: &str, reads: Formats, writes: Formats) -> Shown {
        Shown {
            reads,
            writes,
            queries: 1,
            changes: 1,
            ..Shown::of(version(text))
        }
    }

    fn proposed(versions: Vec<Shown>, releases: &[&str]) -> Vec<String> {
        let releases: Vec<Version> = releases.iter().map(|text| version(text)).collect();
        derived("web", versions, &releases, Blind::default()).proposed
    }

    #[test]
    fn ranges_end_where_releases_follow_each_other() {
        let versions = vec![
            shown("1.0.0", OLD, OLD),
            shown("1.1.0", BOTH, BOTH),
            shown("1.2.0", NEW, NEW),
        ];
        let found = proposed(versions, &["1.0.0", "1.1.0", "1.2.0"]);
        assert_eq!(
            found,
            ["[services.web]", "old = \"<1.2.0\"", "new = \">=1.1.0\""]
        );
        let versions = vec![
            shown("1.0.0", OLD, OLD),
            shown("1.1.0", OLD, BOTH),
            shown("1.2.0", NEW, NEW),
        ];
        let found = proposed(versions, &["1.0.0", "1.1.0", "1.2.0"]);
        assert_eq!(
            found,
            [
                "[services.web]",
                "reads.old = \"<1.2.0\"",
                "reads.new = \">=1.2.0\"",
                "writes.old = \"<1.2.0\"",
                "writes.new = \">=1.1.0\""
            ]
        );
    }

    #[test]
    fn what_lies_between_two_known_versions_is_never_guessed() {
        let versions = || vec![shown("1.0.0", OLD, OLD), shown("1.2.0", NEW, NEW)];
        for releases in [vec![], vec!["1.0.0", "1.1.0", "1.2.0"]] {
            let found = proposed(versions(), &releases);
            assert_eq!(found.len(), 5, "{found:?}");
            assert_eq!((&*found[2], &*found[4]), ("old = \"?\"", "new = \"?\""));
            assert!(
                found[1].contains("\"<1.2.0\" if all of them do, \"<=1.0.0\" if none does"),
                "{found:?}"
            );
            assert!(
                found[3].contains("\">1.0.0\" if all of them do, \">=1.2.0\" if none does"),
                "{found:?}"
            );
        }
        let found = proposed(versions(), &["1.0.0", "1.2.0"]);
        assert_eq!(
            found,
            ["[services.web]", "old = \"<1.2.0\"", "new = \">=1.2.0\""]
        );
    }

    #[test]
    fn what_does_not_show_is_a_question() {
        let all = &["1.0.0", "1.1.0", "1.2.0"];
        let is_open = |versions: Vec<Shown>, key: &str| {
            let found = proposed(versions, all);
            assert!(
                found.contains(&format!("{key} = \"?\"")),
                "{key}: {found:?}"
            );
        };
        let mut apart = shown("1.1.0", BOTH, BOTH);
        apart.reads_apart = true;
        is_open(vec![shown("1.0.0", OLD, OLD), apart], "reads.old");
        let mut unclear = shown("1.1.0", NONE, NONE);
        unclear.unclear = OLD;
        is_open(vec![unclear], "old");
        let mut only_reads = shown("1.0.0", OLD, NONE);
        only_reads.changes = 0;
        is_open(vec![only_reads], "writes.old");
        // There and back again.
        is_open(
            vec![
                shown("1.0.0", OLD, OLD),
                shown("1.1.0", NEW, NEW),
                shown("1.2.0", OLD, OLD),
            ],
            "old",
        );
        let newer = vec![shown("1.1.0", NEW, NEW)];
        is_open(newer.clone(), "new");
        assert_eq!(
            proposed(newer, &["1.1.0"]),
            ["[services.web]", "new = \">=1.1.0\""]
        );
        let old = vec![shown("1.0.0", OLD, OLD)];
        assert_eq!(proposed(old, all), ["[services.web]", "old = \"*\""]);
        let none = vec![shown("1.0.0", NONE, NONE)];
        assert!(proposed(none, all)[0].contains("it is left out"));
        let unknown = derived(
            "a.b",
            vec![Shown::of(version("1.0.0"))],
            &[],
            Blind::default(),
        );
        assert_eq!(unknown.proposed[0], "[services.\"a.b\"]");
        assert!(unknown.is_open);
    }

    #[test]
    fn formats_in_one_column_show_who_writes_what_is_not_allowed_any_more() {
        let blind = Blind {
            is_in_place: true,
            of_old: None,
        };
        let versions = vec![shown("1.0.0", NONE, OLD), shown("1.1.0", NONE, NONE)];
        let releases = [version("1.0.0"), version("1.1.0")];
        let found = derived("web", versions, &releases, blind).proposed;
        assert!(
            found.contains(&"writes.old = \"<1.1.0\"".to_owned()),
            "{found:?}"
        );
        for key in ["reads.old", "reads.new", "writes.new"] {
            assert!(found.contains(&format!("{key} = \"?\"")), "{found:?}");
        }
    }
}
