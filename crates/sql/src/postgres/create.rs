//! `CREATE …`, and the names and kinds of what statements are about.

use squawk_syntax::{SyntaxKind as K, SyntaxNode};

use super::super::facts::{Check, Facts, Name, Needs, Subject};
use super::super::{ObjectKind, Verb, checked, lexeme, nulls};
use super::tree::{self, TABLE};
use super::{lexer, read};

pub(super) fn index(statement: &SyntaxNode) -> Facts {
    let concurrently = tree::has(statement, K::CONCURRENTLY_KW);
    let Some(table) = tree::child_name(statement, TABLE) else {
        return Facts::unknown("builds an index of a table whose name cannot be read");
    };
    let expressions = statement.text().to_string();
    let may_fail =
        lexer::lex(&expressions).is_ok_and(|tokens| lexeme::may_fail(&expressions, &tokens));
    let mut facts = if may_fail {
        let why = "builds an index of an expression that may fail for rows that old versions write";
        Facts::destructive(why).about(table.subject(ObjectKind::Table))
    } else if tree::has(statement, K::UNIQUE_KW) {
        let why = format!(
            "makes values of `{}` unique: old versions may still write duplicates",
            table.name
        );
        let tokens = lexer::lex(&expressions).unwrap_or_default();
        let columns = nulls::columns_behind(&expressions, &tokens, &["on"])
            .filter(|_| !tree::within(statement, K::NULLS_NOT_DISTINCT));
        let facts = match columns {
            Some(columns) => Facts::additive().unless(nulls::unless(
                why,
                Needs::Any,
                &table,
                &expressions,
                &tokens,
                &columns,
                tree::folded,
            )),
            None => Facts::destructive(why),
        };
        facts.about(table.subject(ObjectKind::Table))
    } else {
        Facts::additive().about(table.subject(ObjectKind::Table))
    };
    facts.runs = read::strange_call(statement);
    facts
        .objects
        .extend(tree::child_name(statement, &[K::INDEX]).map(|index| {
            table
                .member(ObjectKind::Index, Verb::Create, index.name)
                .concurrently(concurrently)
                .conditional(tree::has(statement, K::IF_NOT_EXISTS))
        }));
    facts.outside_transaction(concurrently)
}

/// `replaces`: what OR REPLACE may change.
pub(super) fn created(statement: &SyntaxNode, temporary: bool, replaces: Option<&str>) -> Facts {
    if temporary {
        return Facts::session("a temporary object, which lives as long as the session");
    }
    let replacing = tree::has(statement, K::OR_REPLACE);
    let object = object_kind(statement.kind())
        .zip(first_name(statement))
        .map(|(kind, name)| {
            name.object(kind, Verb::Create)
                .conditional(replacing || tree::has(statement, K::IF_NOT_EXISTS))
        });
    let mut facts = match (replacing, replaces, &object) {
        (true, Some(what), Some(object)) => {
            Facts::destructive(format!("may change {what} `{}`", object.name))
        }
        _ => Facts::additive(),
    };
    if let Some(object) = object {
        facts.subjects.push(Subject {
            kind: object.kind,
            schema: object.schema.clone(),
            name: object.name.clone(),
        });
        facts.objects.push(object);
    }
    facts
}

/// Rows that leave a column of it out get its default, or NULL.
pub(super) fn domain(statement: &SyntaxNode) -> Facts {
    let mut facts = created(statement, false, None);
    let text = statement.text().to_string();
    let is_strict = lexer::lex(&text).map_or(true, |tokens| {
        let has = |word| checked::has_word(&text, &tokens, word);
        let has_default = has("default");
        let check = lexeme::check(&text, &tokens, has_default, |word| {
            word.eq_ignore_ascii_case("value")
        });
        check == Check::Strict || (has("not") && has("null") && !has_default)
    });
    facts.strict_type = first_name(statement)
        .filter(|_| is_strict)
        .map(|name| name.name);
    facts
}

pub(super) fn first_name(statement: &SyntaxNode) -> Option<Name> {
    if let Some(into) = tree::child(statement, &[K::INTO_CLAUSE]) {
        return tree::child_name(&into, TABLE);
    }
    names(statement).into_iter().next()
}

/// The names that come right after the keywords.
pub(super) fn names(statement: &SyntaxNode) -> Vec<Name> {
    // `ON t` of a policy, `USING btree` of an operator class: nothing can be called so without quotes.
    let is_beside = |child: &SyntaxNode| {
        let first = tree::tokens(child).next();
        first.is_some_and(|token| {
            let text = token.text();
            ["on", "using", "for"]
                .iter()
                .any(|word| text.eq_ignore_ascii_case(word))
        })
    };
    statement
        .children()
        .filter(|child| !is_beside(child))
        .filter(|child| {
            !matches!(
                child.kind(),
                K::OR_REPLACE
                    | K::TEMP
                    | K::UNLOGGED
                    | K::IF_NOT_EXISTS
                    | K::IF_EXISTS
                    | K::CASCADE
                    | K::RESTRICT
                    | K::ON_RELATION
            )
        })
        .flat_map(|child| match child.kind() {
            K::FUNCTION_SIG_LIST | K::PROCEDURE_SIG_LIST | K::ROUTINE_SIG_LIST => {
                child.children().collect()
            }
            _ => vec![child],
        })
        .filter_map(|child| tree::name(&child))
        .collect()
}

pub(super) fn object_kind(statement: K) -> Option<ObjectKind> {
    Some(match statement {
        K::CREATE_TABLE
        | K::CREATE_TABLE_AS
        | K::CREATE_FOREIGN_TABLE
        | K::SELECT_INTO
        | K::DROP_TABLE
        | K::DROP_FOREIGN_TABLE => ObjectKind::Table,
        K::CREATE_INDEX | K::DROP_INDEX | K::ALTER_INDEX => ObjectKind::Index,
        K::CREATE_VIEW | K::DROP_VIEW | K::ALTER_VIEW => ObjectKind::View,
        K::CREATE_MATERIALIZED_VIEW | K::DROP_MATERIALIZED_VIEW | K::ALTER_MATERIALIZED_VIEW => {
            ObjectKind::MaterializedView
        }
        K::DROP_TRIGGER => ObjectKind::Trigger,
        K::CREATE_FUNCTION
        | K::CREATE_PROCEDURE
        | K::CREATE_AGGREGATE
        | K::DROP_FUNCTION
        | K::DROP_PROCEDURE
        | K::DROP_ROUTINE
        | K::DROP_AGGREGATE
        | K::ALTER_FUNCTION
        | K::ALTER_PROCEDURE => ObjectKind::Function,
        K::CREATE_TYPE
        | K::CREATE_DOMAIN
        | K::DROP_TYPE
        | K::DROP_DOMAIN
        | K::ALTER_TYPE
        | K::ALTER_DOMAIN => ObjectKind::Type,
        K::CREATE_SEQUENCE | K::DROP_SEQUENCE | K::ALTER_SEQUENCE => ObjectKind::Sequence,
        K::CREATE_SCHEMA | K::DROP_SCHEMA | K::ALTER_SCHEMA => ObjectKind::Schema,
        K::CREATE_EXTENSION | K::DROP_EXTENSION => ObjectKind::Extension,
        K::DROP_POLICY => ObjectKind::Policy,
        K::CREATE_DATABASE | K::DROP_DATABASE => ObjectKind::Database,
        _ => return None,
    })
}
