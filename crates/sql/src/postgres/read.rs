//! Whether a query only reads.

use squawk_syntax::{SyntaxKind, SyntaxNode};

use super::super::facts::{Facts, Name, Query};
use super::super::{Effect, Loss};
use super::functions::is_pure;
use super::{lexer, tree};

pub(super) const WRITES: &[SyntaxKind] = &[
    SyntaxKind::INSERT,
    SyntaxKind::UPDATE,
    SyntaxKind::DELETE,
    SyntaxKind::MERGE,
];

pub(super) fn select(statement: &SyntaxNode) -> Facts {
    let functions = called(statement);
    let problem = if writes(statement) {
        Some("changes rows in its WITH clause".to_owned())
    } else if tree::within_any(
        statement,
        &[SyntaxKind::SELECT_INTO, SyntaxKind::INTO_CLAUSE],
    ) {
        Some("creates a table with INTO".to_owned())
    } else if tree::within(statement, SyntaxKind::LOCKING_CLAUSE) {
        Some("locks rows (FOR UPDATE or the like)".to_owned())
    } else {
        functions
            .iter()
            .find(|function| !is_pure(function))
            .map(|function| {
                format!("calls `{function}`, which may do more than read, or not see every row")
            })
    };
    let facts = if deletes(statement) {
        Facts::destructive("deletes rows in its WITH clause").loses(Loss::Rows)
    } else if changes(statement) {
        Facts::destructive("changes rows in its WITH clause that live versions use")
            .loses(Loss::Values)
    } else if writes(statement) {
        calling(statement, Facts::new(Effect::Data))
    } else {
        calling(statement, Facts::additive())
    };
    let mut facts = facts.query(Query::Select { problem });
    let mut strange = functions.iter().filter(|function| !is_pure(function));
    if !writes(statement) && strange.all(|function| COUNTING.contains(&function.as_str())) {
        facts.sequence = sequence(statement);
    }
    facts
}

/// What a sequence of the script's own may be told.
const COUNTING: [&str; 2] = ["setval", "nextval"];

/// The sequence that `setval('t_id_seq', 1)` is about, or the table of `setval(pg_get_serial_sequence('t', 'id'), 1)`.
fn sequence(statement: &SyntaxNode) -> Option<Name> {
    let mut calls = statement
        .descendants()
        .filter(|node| node.kind() == SyntaxKind::CALL_EXPR)
        .filter(|call| {
            let function = call.children().next();
            function
                .and_then(|function| tree::name(&function))
                .is_some_and(|name| COUNTING.contains(&name.name.as_str()))
        });
    let call = calls.next()?;
    if calls.next().is_some() {
        return None;
    }
    let written = tree::tokens(&call).find_map(|token| lexer::unquoted(token.text()))?;
    let mut parts = written.rsplitn(2, '.');
    let name = tree::folded(parts.next()?)?;
    let schema = match parts.next() {
        Some(schema) => Some(tree::folded(schema)?),
        None => None,
    };
    Some(Name { schema, name })
}

/// What a statement that runs a query and keeps its rows in something new does: no less than the query does alone.
pub(super) fn kept(statement: &SyntaxNode, made: Facts) -> Facts {
    let query = if tree::within(statement, SyntaxKind::EXECUTE) {
        Facts::unknown("runs a statement that is not here")
    } else {
        select(statement)
    };
    if matches!(made.effect, Effect::SessionSetting { .. }) || query.effect == Effect::Additive {
        return made;
    }
    // That its own table is new excuses nothing that the query does to others.
    query.objects(made.objects).query(made.query)
}

/// The functions that a statement calls do what they do, whatever the statement does itself.
pub(super) fn calling(statement: &SyntaxNode, mut facts: Facts) -> Facts {
    let functions = called(statement);
    if functions.iter().any(|function| is_session_call(function)) {
        return Facts::session("a setting or lock of the session");
    }
    // A column's default takes the next value as well.
    let steps = statement.kind() == SyntaxKind::INSERT;
    let unknown = functions
        .iter()
        .find(|function| !(is_pure(function) || steps && function.as_str() == "nextval"));
    let Some(function) = unknown else {
        return facts;
    };
    facts.strange = Some(function.clone());
    if matches!(facts.effect, Effect::Additive | Effect::Data) {
        facts.effect = Effect::Unknown {
            why: format!("calls `{function}`, which may do anything"),
        };
    }
    // Nor is that bounded by the tables and columns that are named.
    facts.subjects.clear();
    facts.only_columns.clear();
    facts
}

/// The first function that a part of a statement calls and that may do anything. A default may take the next value.
pub(super) fn strange_call(part: &SyntaxNode) -> Option<String> {
    let mut functions = called(part).into_iter();
    functions.find(|function| !is_pure(function) && function != "nextval")
}

fn is_session_call(function: &str) -> bool {
    function == "set_config"
        || (function.contains("advisory_lock") && !function.contains("xact"))
        || function.starts_with("pg_advisory_unlock")
}

fn writes(statement: &SyntaxNode) -> bool {
    statement
        .descendants()
        .any(|node| node != *statement && WRITES.contains(&node.kind()))
}

/// Whether rows go, in the statement itself or in a CTE.
pub(super) fn deletes(statement: &SyntaxNode) -> bool {
    statement
        .descendants()
        .any(|node| matches!(node.kind(), SyntaxKind::DELETE | SyntaxKind::MERGE_DELETE))
}

/// Whether rows that are there get other values, in the statement itself or in a CTE.
pub(super) fn changes(statement: &SyntaxNode) -> bool {
    statement.descendants().any(|node| {
        matches!(
            node.kind(),
            SyntaxKind::UPDATE | SyntaxKind::MERGE_UPDATE | SyntaxKind::CONFLICT_DO_UPDATE_SET
        )
    })
}

/// The functions it calls by name, folded and without schema. What has syntax of its own only computes.
fn called(statement: &SyntaxNode) -> Vec<String> {
    statement
        .descendants()
        .filter(|node| node.kind() == SyntaxKind::CALL_EXPR)
        .filter(|call| tree::has(call, SyntaxKind::ARG_LIST))
        .filter_map(|call| {
            let function = call.children().next()?;
            let name = tree::name(&function)?;
            let builtin = name
                .schema
                .as_deref()
                .is_none_or(|schema| schema == "pg_catalog");
            Some(match name.schema {
                Some(schema) if !builtin => format!("{schema}.{}", name.name),
                _ => name.name,
            })
        })
        .collect()
}
