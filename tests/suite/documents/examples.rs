//! Whatever an application can name of the lease has an example, which the compiler checks.

use std::collections::BTreeSet;
use std::path::Path;

use super::{read, root};

/// What the packages of an application show of themselves.
const ENTRIES: [&str; 5] = [
    "crates/lease/src/lib.rs",
    "crates/lease/src/lease/test.rs",
    "crates/lease/src/lease/tower.rs",
    "crates/build/src/lib.rs",
    "src/lib.rs",
];

/// Where it is written.
const SOURCES: [&str; 6] = [
    "crates/lease/src/lib.rs",
    "crates/lease/src/lease",
    "crates/lease/src/database",
    "crates/model/src",
    "crates/build/src",
    "src/lease",
];

/// What is said above an item of this text, and its lines from there on.
struct Item<'t> {
    name: &'t str,
    comment: Vec<&'t str>,
}

/// The word after what makes something public.
fn named(line: &str) -> Option<&str> {
    let words = [
        "pub struct ",
        "pub enum ",
        "pub trait ",
        "pub mod ",
        "pub fn ",
        "macro_rules! ",
    ];
    let rest = words.iter().find_map(|word| line.strip_prefix(word))?;
    rest.split(|c: char| !c.is_alphanumeric() && c != '_')
        .next()
}

/// The public items of a file and what it shows of others, each with its comment.
fn items(text: &str) -> Vec<Item<'_>> {
    let mut found = Vec::new();
    let mut comment = Vec::new();
    let mut used: Option<Vec<&str>> = None;
    for line in text.lines() {
        let bare = line.trim_start();
        if let Some(names) = &mut used {
            names.push(bare);
        } else if bare.starts_with("///") {
            comment.push(bare);
            continue;
        } else if bare.starts_with("#[") {
            continue;
        } else if let Some(names) = line.strip_prefix("pub use ") {
            used = Some(vec![names]);
        } else if let Some(name) = named(line) {
            found.push(Item {
                name,
                comment: comment.clone(),
            });
        }
        match &used {
            Some(names) if names.last().is_some_and(|line| line.ends_with(';')) => {
                let words = names
                    .iter()
                    .flat_map(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_'));
                let types = words.filter(|word| word.starts_with(char::is_uppercase));
                found.extend(types.map(|name| Item {
                    name,
                    comment: comment.clone(),
                }));
                used = None;
                comment.clear();
            }
            Some(_) => {}
            None => comment.clear(),
        }
    }
    found
}

fn has_example(comment: &[&str]) -> bool {
    comment.iter().any(|line| line.contains("```"))
}

/// The names that an application can use, without what is hidden.
fn shown() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for entry in ENTRIES {
        let text = read(entry);
        let mut is_hidden = false;
        let mut visible = String::new();
        for line in text.lines() {
            is_hidden |= line == "#[doc(hidden)]";
            if !is_hidden {
                visible.push_str(line);
                visible.push('\n');
            }
            is_hidden &= !line.ends_with(';');
        }
        names.extend(items(&visible).into_iter().map(|item| item.name.to_owned()));
    }
    names.insert("embedded".to_owned());
    names
}

fn files(path: &Path, found: &mut Vec<String>) {
    if path.is_file() {
        found.push(std::fs::read_to_string(path).expect("a source is text"));
        return;
    }
    for entry in std::fs::read_dir(path).expect("a directory") {
        let path = entry.expect("a source").path();
        if path.is_dir() || path.extension().is_some_and(|end| end == "rs") {
            files(&path, found);
        }
    }
}

#[test]
fn everything_that_an_application_can_name_has_an_example() {
    let mut texts = Vec::new();
    for source in SOURCES {
        files(&root().join(source), &mut texts);
    }
    let mut with_example = BTreeSet::new();
    for text in &texts {
        let items = items(text).into_iter();
        let explained = items.filter(|item| has_example(&item.comment));
        with_example.extend(explained.map(|item| item.name.to_owned()));
    }
    let shown = shown();
    for name in [
        "Lease",
        "LeaseBuilder",
        "Verdict",
        "embed",
        "LeaseBuilderExt",
    ] {
        assert!(shown.contains(name), "{name}: {shown:?}");
    }
    let without: Vec<&String> = shown.difference(&with_example).collect();
    assert!(without.is_empty(), "no example in its comment: {without:?}");
}
