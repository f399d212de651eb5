//! Statements that write rows.

use squawk_syntax::{SyntaxKind as K, SyntaxNode};

use super::super::facts::{Facts, Name, Query};
use super::super::{Effect, Loss, ObjectKind, lexeme};
use super::tree::{self, TABLE};
use super::{lexer, read};

pub(super) fn written(statement: &SyntaxNode) -> Facts {
    let table = tree::child_name(statement, TABLE);
    let facts = if statement.kind() == K::DELETE {
        let name = table
            .as_ref()
            .map(|table| format!(" of `{}`", table.name))
            .unwrap_or_default();
        let facts = Facts::destructive(format!("deletes rows{name}")).loses(Loss::Rows);
        // What its WITH clause writes may be anybody's.
        match table.filter(|_| writes(statement) == 1) {
            Some(table) => facts.about(table.subject(ObjectKind::Table)),
            None => facts,
        }
    } else if read::deletes(statement) {
        Facts::destructive("deletes rows").loses(Loss::Rows)
    } else if read::changes(statement) && !keeps(statement) {
        changed(statement, table)
    } else {
        Facts::new(Effect::Data)
    };
    let facts = read::calling(statement, facts);
    match statement.kind() {
        _ if read::deletes(statement) => facts,
        K::UPDATE => facts.query(Query::Update),
        K::INSERT => facts.query(Query::Insert {
            selects: statement.children().any(|child| {
                matches!(
                    child.kind(),
                    K::SELECT | K::COMPOUND_SELECT | K::PAREN_SELECT | K::TABLE
                )
            }),
            on_conflict: tree::has(statement, K::ON_CONFLICT_CLAUSE),
        }),
        _ => facts,
    }
}

/// How many statements that write it is made of: itself, and those of its WITH clause.
fn writes(statement: &SyntaxNode) -> usize {
    statement
        .descendants()
        .filter(|node| read::WRITES.contains(&node.kind()))
        .count()
}

/// Whether it only leaves rows that are in its way as they are, in another way than by DO NOTHING.
fn keeps(statement: &SyntaxNode) -> bool {
    let text = statement.text().to_string();
    statement.kind() == K::INSERT
        && writes(statement) == 1
        && lexer::lex(&text).is_ok_and(|tokens| lexeme::keeps_on_conflict(&text, &tokens))
}

/// Rows that are there get other values.
fn changed(statement: &SyntaxNode, table: Option<Name>) -> Facts {
    let Some(table) = table.filter(|_| writes(statement) == 1) else {
        return Facts::destructive("changes rows that live versions use").loses(Loss::Values);
    };
    let why = format!(
        "changes rows of `{}` that live versions use: that is a backfill's work",
        table.name
    );
    let mut facts = Facts::destructive(why)
        .loses(Loss::Values)
        .about(table.subject(ObjectKind::Table));
    let text = statement.text().to_string();
    if statement.kind() == K::UPDATE
        && let Ok(tokens) = lexer::lex(&text)
        && let Some(columns) = lexeme::assigned(&text, &tokens)
    {
        let columns: Option<Vec<String>> = columns.into_iter().map(tree::folded).collect();
        let columns = columns.unwrap_or_default();
        facts.only_columns = columns.iter().map(|name| table.column(name)).collect();
    }
    facts
}
