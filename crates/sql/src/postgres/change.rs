//! `DROP …`, and `ALTER …` of anything but a table.

use squawk_syntax::{SyntaxKind as K, SyntaxNode};

use super::super::facts::Facts;
use super::super::{ObjectKind, Verb};
use super::create::{first_name, names, object_kind};
use super::hazard::cascades;
use super::tree::{self, TABLE};

pub(super) fn dropped(statement: &SyntaxNode, keywords: &[&str]) -> Facts {
    let concurrently = tree::has(statement, K::CONCURRENTLY_KW);
    let conditional = tree::has(statement, K::IF_EXISTS);
    let word = keywords
        .iter()
        .skip(1)
        .take_while(|word| word.chars().all(char::is_alphabetic) && **word != "CONCURRENTLY")
        .map(|word| word.to_ascii_lowercase())
        .collect::<Vec<_>>()
        .join(" ");
    let kind = object_kind(statement.kind());
    let names = names(statement);
    let quoted: Vec<String> = names
        .iter()
        .map(|name| format!("`{}`", name.name))
        .collect();
    let mut facts = Facts::destructive(
        format!("drops the {word} {}", quoted.join(", "))
            .trim_end()
            .to_owned(),
    );
    facts.cascade = tree::has(statement, K::CASCADE);
    let on = tree::child(statement, &[K::ON_RELATION]).and_then(|on| tree::child_name(&on, TABLE));
    match (kind, on) {
        (Some(ObjectKind::Trigger), Some(table)) => {
            facts.objects.extend(names.into_iter().map(|name| {
                table
                    .member(ObjectKind::Trigger, Verb::Drop, name.name)
                    .conditional(conditional)
            }));
            facts.subjects.push(table.subject(ObjectKind::Table));
        }
        (Some(kind), _) => {
            for name in names {
                facts.subjects.push(name.subject(kind));
                let object = name.object(kind, Verb::Drop);
                facts
                    .objects
                    .push(object.concurrently(concurrently).conditional(conditional));
            }
        }
        (None, _) => {}
    }
    facts = facts.hazard(cascades(statement));
    if facts.cascade {
        facts.subjects.clear();
    }
    facts.outside_transaction(
        concurrently
            || matches!(
                statement.kind(),
                K::DROP_DATABASE | K::DROP_TABLESPACE | K::DROP_SUBSCRIPTION
            ),
    )
}

pub(super) fn alter_type(statement: &SyntaxNode) -> Facts {
    let facts = if tree::has(statement, K::ADD_VALUE) {
        Facts::additive()
    } else if tree::has(statement, K::RENAME_VALUE) {
        Facts::destructive("renames a value that old versions may still read or write")
    } else {
        return other_alter(statement, "ALTER TYPE");
    };
    altered(statement, facts)
}

/// Adds what is changed.
pub(super) fn altered(statement: &SyntaxNode, mut facts: Facts) -> Facts {
    let object = object_kind(statement.kind()).zip(first_name(statement));
    if let Some((kind, name)) = object {
        facts.subjects.push(name.subject(kind));
        let object = name.object(kind, Verb::Alter);
        facts
            .objects
            .push(object.conditional(tree::has(statement, K::IF_EXISTS)));
    }
    facts
}

/// Renames are recognised; whatever else can be altered is left to a human.
pub(super) fn other_alter(statement: &SyntaxNode, what: &str) -> Facts {
    let name = first_name(statement).map_or_else(String::new, |name| format!(" `{}`", name.name));
    let new_name = statement.children().find_map(|child| {
        let is_rename = tree::keywords(&child)
            .first()
            .is_some_and(|word| word == "RENAME");
        let whole = is_rename && !matches!(child.kind(), K::RENAME_COLUMN | K::RENAME_ATTRIBUTE);
        whole.then(|| child.children().find_map(|new| tree::name(&new)))
    });
    let noun = what.trim_start_matches("ALTER ").to_ascii_lowercase();
    match new_name {
        Some(new_name) => {
            let mut facts = altered(
                statement,
                Facts::destructive(format!("renames the {noun}{name}")),
            );
            for object in &mut facts.objects {
                object.verb = Verb::Rename;
                object.renamed_to = new_name.as_ref().map(|name| name.name.clone());
            }
            facts
        }
        None if tree::within_any(statement, &[K::RENAME_COLUMN, K::RENAME_ATTRIBUTE]) => altered(
            statement,
            Facts::destructive(format!("renames a part of the {noun}{name}")),
        ),
        None if tree::has(statement, K::SET_SCHEMA) => altered(
            statement,
            Facts::destructive(format!("moves the {noun}{name} to another schema")),
        ),
        None if statement.kind() == K::ALTER_SEQUENCE && only_counts_further(statement) => {
            altered(statement, Facts::additive())
        }
        None => {
            let mut facts = altered(
                statement,
                Facts::unknown(format!(
                    "changes the {noun}{name} in a way that is not known here"
                )),
            );
            facts.sequence =
                first_name(statement).filter(|_| statement.kind() == K::ALTER_SEQUENCE);
            facts
        }
    }
}

/// Whether a sequence may give out more numbers than before, or more at a time: `AS bigint`, `NO MAXVALUE`, `CACHE 20`.
fn only_counts_further(statement: &SyntaxNode) -> bool {
    let text = statement.text().to_string().to_ascii_lowercase();
    let words: Vec<&str> = text
        .split_whitespace()
        .map(|word| word.trim_end_matches(';'))
        .collect();
    let mut rest = words.get(2..).unwrap_or_default();
    if let ["if", "exists", behind @ ..] = rest {
        rest = behind;
    }
    let Some((_, mut options)) = rest.split_first() else {
        return false;
    };
    if options.is_empty() {
        return false;
    }
    loop {
        options = match options {
            [] => return true,
            ["as", "bigint" | "int8", behind @ ..] | ["no", "maxvalue", behind @ ..] => behind,
            ["cache", number, behind @ ..] if number.parse::<u64>().is_ok() => behind,
            _ => return false,
        };
    }
}
