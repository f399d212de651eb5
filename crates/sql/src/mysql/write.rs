//! Statements that write rows, and what they lose without a word.

use super::super::facts::{Facts, Name};
use super::super::lexeme;
use super::super::{Effect, Loss, ObjectKind};
use super::cursor::Cursor;
use super::lexer::unquote;

pub(super) const REPLACES: &str =
    "deletes rows that are in its way, and by ON DELETE CASCADE what belongs to them (REPLACE)";
pub(super) const IGNORES: &str =
    "leaves out rows and cuts values that do not fit, without a word (IGNORE)";

/// Whether a statement that writes says IGNORE.
pub(super) fn ignores(cursor: Cursor<'_>) -> bool {
    const BEFORE: &[&str] = &[
        "insert",
        "update",
        "delete",
        "low_priority",
        "high_priority",
        "delayed",
        "quick",
    ];
    BEFORE.iter().any(|word| cursor.has_pair(word, &["ignore"]))
}

/// What the body of a trigger or routine does to rows of old versions.
pub(super) fn hazard_of_body(cursor: Cursor<'_>) -> Option<&'static str> {
    if cursor.has_pair("replace", &["into"]) {
        Some(REPLACES)
    } else {
        ignores(cursor).then_some(IGNORES)
    }
}

pub(super) fn inserted(
    mut cursor: Cursor<'_>,
    updates: bool,
    hazard: Option<&'static str>,
) -> Facts {
    let table = target(&mut cursor, &["insert", "replace"]);
    written(table.as_ref(), updates, hazard)
}

pub(super) fn updated(mut cursor: Cursor<'_>) -> Facts {
    let whole = cursor;
    let hazard = ignores(cursor).then_some(IGNORES);
    // `UPDATE a JOIN b` and `UPDATE a, b` name several.
    let is_plain = whole.is_word("update") && !whole.has_outer(&["join", "straight_join"]);
    let table = target(&mut cursor, &["update"]);
    let is_one = cursor
        .first()
        .is_none_or(|next| next.text(cursor.text) != ",");
    let table = table.filter(|_| is_plain && is_one);
    let mut facts = written(table.as_ref(), true, hazard);
    if let Some(table) = table.filter(|_| hazard.is_none()) {
        let columns = lexeme::assigned(whole.text, whole.tokens).unwrap_or_default();
        facts.only_columns = columns
            .into_iter()
            .map(|column| table.column(&unquote(column)))
            .collect();
    }
    facts
}

/// The table after the verb and its modifiers.
fn target(cursor: &mut Cursor<'_>, verbs: &[&str]) -> Option<Name> {
    const MODIFIERS: &[&str] = &[
        "low_priority",
        "high_priority",
        "delayed",
        "quick",
        "ignore",
        "into",
    ];
    let verb = cursor
        .tokens
        .iter()
        .position(|token| verbs.iter().any(|verb| token.is_word(cursor.text, verb)))?;
    cursor.skip(verb + 1);
    while cursor.eat_any(MODIFIERS).is_some() {}
    cursor.name()
}

fn written(table: Option<&Name>, changes: bool, hazard: Option<&'static str>) -> Facts {
    let facts = match (hazard, table) {
        (Some(why), _) => Facts::destructive(why),
        (None, Some(table)) if changes => Facts::destructive(format!(
            "changes rows of `{}` that live versions use: that is a backfill's work",
            table.name
        )),
        (None, None) if changes => Facts::destructive("changes rows that live versions use"),
        (None, _) => Facts::new(Effect::Data),
    };
    let loss = if hazard == Some(REPLACES) {
        Some(Loss::Rows)
    } else {
        changes.then_some(Loss::Values)
    };
    let mut facts = facts.hazard(hazard);
    facts.loses = loss;
    match table {
        Some(table) => facts.about(table.subject(ObjectKind::Table)),
        None => facts,
    }
}
