//! Changelogs in formatted SQL: each changeset begins with a comment.

use super::changelog::{Changelog, Entry, Format, Set};

/// What stands behind the dashes of a comment, if it begins with this word.
fn said<'l>(line: &'l str, word: &str) -> Option<&'l str> {
    let rest = line.trim_start().strip_prefix("--")?.trim_start();
    let head = rest.get(..word.len())?;
    let after = rest.get(word.len()..)?;
    let ends = after.is_empty() || after.starts_with([' ', '\t']);
    (head.eq_ignore_ascii_case(word) && ends).then(|| after.trim())
}

fn is_changelog(text: &str) -> bool {
    let first = text.lines().find(|line| !line.trim().is_empty());
    let first = first.unwrap_or_default().trim_start_matches('\u{feff}');
    said(first, "liquibase").is_some_and(|rest| {
        let words: Vec<&str> = rest.split_whitespace().take(2).collect();
        let [a, b] = words.as_slice() else {
            return false;
        };
        a.eq_ignore_ascii_case("formatted") && b.eq_ignore_ascii_case("sql")
    })
}

/// A text up to one of these, or in quotes; and what is behind it.
fn part(text: &str, until: fn(char) -> bool) -> Option<(&str, &str)> {
    if let Some(rest) = text.strip_prefix('"') {
        return rest.split_once('"');
    }
    let end = text.find(until).unwrap_or(text.len());
    Some(text.split_at(end))
}

/// The author and the identifier of the changeset that a line begins, and its attributes.
fn begins(line: &str) -> Option<(&str, &str, &str)> {
    let (author, rest) = part(said(line, "changeset")?, |c| c == ':')?;
    let rest = rest.trim_start().strip_prefix(':')?.trim_start();
    let (id, attributes) = part(rest, char::is_whitespace)?;
    let is_whole = !author.trim().is_empty() && !id.is_empty();
    is_whole.then_some((author.trim(), id, attributes))
}

/// What stands behind `name:` among the attributes of a line.
fn attribute<'l>(attributes: &'l str, name: &str) -> Option<&'l str> {
    let name = format!("{name}:");
    let at = attributes.to_ascii_lowercase().find(&name)?;
    let rest = attributes.get(at + name.len()..)?;
    let (value, _) = part(rest.trim_start(), char::is_whitespace)?;
    (!value.is_empty()).then_some(value)
}

/// The path that a changelog or a changeset gives itself.
fn logical(attributes: &str) -> Option<String> {
    attribute(attributes, "logicalfilepath").map(str::to_owned)
}

/// Reads a file, if its first line says that it is one.
pub(super) fn read(text: &str) -> Option<Changelog> {
    if !is_changelog(text) {
        return None;
    }
    let sets = text.lines().filter_map(begins);
    let entries = sets.map(|(author, id, attributes)| {
        Entry::Set(Set {
            id: id.to_owned(),
            author: author.to_owned(),
            logical: logical(attributes),
        })
    });
    let properties = text.lines().filter_map(|line| said(line, "property"));
    Some(Changelog {
        format: Format::Sql,
        logical: text
            .lines()
            .find_map(|line| logical(said(line, "liquibase")?)),
        entries: entries.collect(),
        properties: properties
            .filter_map(|rest| attribute(rest, "name"))
            .map(str::to_owned)
            .collect(),
    })
}

/// The lines at which the changesets begin.
fn beginnings(text: &str) -> Vec<usize> {
    let lines = text.lines().enumerate();
    lines
        .filter(|(_, line)| begins(line).is_some())
        .map(|(number, _)| number)
        .collect()
}

/// A text of the same length in which only these lines stay.
fn only_lines(text: &str, stays: impl Fn(usize, &str) -> bool) -> String {
    let mut kept = String::with_capacity(text.len());
    for (number, line) in text.split_inclusive('\n').enumerate() {
        if stays(number, line) {
            kept.push_str(line);
        } else {
            let blank = |byte| if byte == b'\n' { '\n' } else { ' ' };
            kept.extend(line.bytes().map(blank));
        }
    }
    kept
}

/// The lines of one changeset, with that which begins it.
fn lines_of(beginnings: &[usize], wanted: usize) -> std::ops::Range<usize> {
    let begin = beginnings.get(wanted).copied().unwrap_or(usize::MAX);
    let end = beginnings.get(wanted.saturating_add(1)).copied();
    begin..end.unwrap_or(usize::MAX)
}

/// The text with that changeset alone, its head, and the properties that it may use, wherever they stand.
pub(super) fn only(text: &str, wanted: usize) -> String {
    let all = beginnings(text);
    let lines = lines_of(&all, wanted);
    let first = all.first().copied().unwrap_or(usize::MAX);
    only_lines(text, |number, line| {
        number < first || lines.contains(&number) || said(line, "property").is_some()
    })
}

/// The SQL of a changeset, as this text of the same length.
pub(super) fn statements(text: &str, wanted: usize) -> String {
    let lines = lines_of(&beginnings(text), wanted);
    only_lines(text, |number, _| {
        lines.contains(&number) && number != lines.start
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "--liquibase formatted sql\n\n--changeset dev:1\nA;\n--rollback B;\n-- changeset \"A B\":\"2 x\" runInTransaction:false\nC;\n";

    #[test]
    fn changesets_are_read_as_liquibase_reads_them() {
        let names = |text: &str| read(text).map(|log| log.names("db/a.sql"));
        assert_eq!(read("-- liquibase\nSELECT 1;\n"), None);
        let found = names(TEXT).unwrap();
        assert_eq!(found, ["db/a.sql::1::dev", "db/a.sql::2 x::A B"]);
        let elsewhere = "--liquibase formatted sql logicalFilePath:x.sql\n--changeset a:1\n--changeset a:2 logicalFilePath:y.sql\n";
        assert_eq!(names(elsewhere).unwrap(), ["x.sql::1::a", "y.sql::2::a"]);
        let none = "--liquibase formatted sql\n--changesets a:1\n--changeset a\n";
        assert_eq!(names(none).unwrap(), [""; 0]);
        let property = "--liquibase formatted sql\n--property name:t value:varchar(10)\n";
        assert_eq!(read(property).unwrap().properties, ["t"]);
    }

    #[test]
    fn a_changeset_is_read_alone() {
        let text = statements(TEXT, 0);
        assert_eq!(text.trim(), "A;\n--rollback B;");
        assert_eq!(text.len(), TEXT.len());
        let copy = only(TEXT, 1);
        assert!(copy.starts_with("--liquibase formatted sql\n"), "{copy}");
        assert!(!copy.contains("A;") && copy.contains("2 x") && copy.contains("C;"));
    }
}
