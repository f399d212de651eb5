//! The files of a tool's revisions.

use std::fs;
use std::path::Path;

use super::Revision;

/// The names of the files, or of the directories, in a directory of the project, sorted.
pub(super) fn names(root: &Path, place: &str) -> Result<Vec<String>, String> {
    let shown = if place.is_empty() { "." } else { place };
    let unread = |error: std::io::Error| {
        format!(
            "the revisions in `{shown}` cannot be listed: {error}; `files` under [runner] says where they are"
        )
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(root.join(place)).map_err(unread)? {
        let name = entry.map_err(unread)?.file_name();
        if let Some(name) = name.to_str().filter(|name| !name.starts_with('.')) {
            found.push(name.to_owned());
        }
    }
    found.sort();
    Ok(found)
}

/// A file of the project in full.
pub(super) fn text(root: &Path, path: &str) -> Result<String, String> {
    fs::read_to_string(root.join(path)).map_err(|error| format!("{path} cannot be read: {error}"))
}

/// The number with which a name begins, up to what cannot be in one.
pub(super) fn number(name: &str) -> &str {
    let end = name
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(name.len());
    name.get(..end).unwrap_or_default()
}

/// One revision for each file that `named` gives a name.
pub(super) fn by_name(
    root: &Path,
    place: &str,
    named: impl Fn(&str) -> Option<String>,
) -> Result<Vec<Revision>, String> {
    let of = |file: String| {
        let name = named(&file)?;
        let file = match place {
            "" => file,
            place => format!("{place}/{file}"),
        };
        Some(Revision {
            name,
            file: Some(file),
            after: Vec::new(),
            replaces: Vec::new(),
            key: None,
        })
    };
    Ok(names(root, place)?.into_iter().filter_map(of).collect())
}

/// Sorts by the number that each name is.
pub(super) fn by_number(mut revisions: Vec<Revision>) -> Vec<Revision> {
    revisions.sort_by_key(|one| {
        let digits = number(&one.name);
        (digits.len(), one.name.clone())
    });
    revisions
}

/// A number without the zeros before it.
pub(super) fn without_zeros(digits: &str) -> String {
    match digits.trim_start_matches('0') {
        "" => "0".to_owned(),
        rest => rest.to_owned(),
    }
}

/// A text of the same length of which only the lines stay for which `stays` says so, told each line and the last mark before it.
pub(super) fn only_between(text: &str, begins: fn(&str) -> bool, ends: fn(&str) -> bool) -> String {
    let has_mark = text.lines().any(begins);
    let mut is_in = !has_mark;
    let mut kept = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let is_mark = begins(line) || ends(line);
        if begins(line) {
            is_in = true;
        } else if ends(line) {
            is_in = false;
        }
        if is_in && !is_mark {
            kept.push_str(line);
        } else {
            // As many bytes, so that places are those of the file.
            kept.extend(
                line.bytes()
                    .map(|byte| if byte == b'\n' { '\n' } else { ' ' }),
            );
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_for_going_forward_is_blank_and_as_long() {
        let begins = |line: &str| line.starts_with("-- up");
        let ends = |line: &str| line.starts_with("-- down");
        for (text, kept) in [
            ("-- up\nA;\n-- down\nB;\n", "     \nA;\n       \n  \n"),
            ("-- down\nB\n-- up\nÄ;", "       \n \n     \nÄ;"),
            ("A;\n-- down\nB;", "A;\n       \n  "),
        ] {
            assert_eq!(only_between(text, begins, ends), kept);
            assert_eq!(kept.len(), text.len());
        }
    }

    #[test]
    fn numbers_are_sorted_as_numbers() {
        let named = ["10", "9", "0011"].map(|name| Revision {
            name: without_zeros(number(name)),
            ..Revision::default()
        });
        let sorted = by_number(named.to_vec());
        let names: Vec<&str> = sorted.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["9", "10", "11"]);
        assert_eq!(number("0001_x"), "0001");
    }
}
