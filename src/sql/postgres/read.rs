//! Whether a query only reads.

use squawk_syntax::{SyntaxKind, SyntaxNode};

use super::super::Effect;
use super::super::facts::{Facts, Query};
use super::tree;

/// Functions of PostgreSQL that only compute. Any other may do anything: PostgreSQL itself cannot tell.
const PURE: &[&str] = &[
    "abs",
    "age",
    "array_agg",
    "array_length",
    "array_position",
    "array_to_string",
    "avg",
    "bool_and",
    "bool_or",
    "btrim",
    "cardinality",
    "ceil",
    "ceiling",
    "char_length",
    "clock_timestamp",
    "coalesce",
    "concat",
    "concat_ws",
    "count",
    "current_database",
    "current_schema",
    "current_setting",
    "date_part",
    "date_trunc",
    "dense_rank",
    "every",
    "exists",
    "extract",
    "first_value",
    "floor",
    "format",
    "format_type",
    "generate_series",
    "gen_random_uuid",
    "greatest",
    "has_table_privilege",
    "initcap",
    "json_agg",
    "json_array_length",
    "json_build_object",
    "jsonb_agg",
    "jsonb_array_length",
    "jsonb_build_object",
    "jsonb_exists",
    "jsonb_typeof",
    "lag",
    "last_value",
    "lead",
    "least",
    "left",
    "length",
    "lower",
    "lpad",
    "ltrim",
    "max",
    "md5",
    "min",
    "mod",
    "now",
    "nullif",
    "obj_description",
    "octet_length",
    "pg_get_constraintdef",
    "pg_get_indexdef",
    "pg_get_viewdef",
    "pg_relation_size",
    "pg_size_pretty",
    "pg_table_is_visible",
    "pg_total_relation_size",
    "pg_typeof",
    "position",
    "power",
    "quote_ident",
    "quote_literal",
    "random",
    "rank",
    "regexp_matches",
    "regexp_replace",
    "repeat",
    "replace",
    "reverse",
    "right",
    "round",
    "row_number",
    "row_to_json",
    "rpad",
    "rtrim",
    "sign",
    "split_part",
    "sqrt",
    "statement_timestamp",
    "string_agg",
    "string_to_array",
    "strpos",
    "substr",
    "substring",
    "sum",
    "to_char",
    "to_date",
    "to_json",
    "to_jsonb",
    "to_number",
    "to_regclass",
    "to_regproc",
    "to_regtype",
    "to_timestamp",
    "transaction_timestamp",
    "translate",
    "trim",
    "trunc",
    "unnest",
    "upper",
    "version",
];

/// Functions that are known to do more than read.
const WRITING: &[&str] = &[
    "nextval",
    "setval",
    "set_config",
    "dblink",
    "dblink_exec",
    "lo_create",
    "lo_import",
    "lo_export",
    "lo_unlink",
    "pg_advisory_lock",
    "pg_advisory_lock_shared",
    "pg_try_advisory_lock",
    "pg_advisory_unlock",
    "pg_advisory_unlock_all",
    "pg_cancel_backend",
    "pg_terminate_backend",
    "pg_notify",
    "pg_reload_conf",
    "pg_switch_wal",
    "pg_create_restore_point",
    "query_to_xml",
];

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
            .find(|function| WRITING.contains(&function.as_str()))
            .map(|function| format!("calls `{function}`, which does more than read"))
    };
    let facts = if deletes(statement) {
        Facts::destructive("deletes rows in its WITH clause")
    } else if changes(statement) {
        Facts::destructive("changes rows in its WITH clause that live versions use")
    } else if writes(statement) {
        Facts::new(Effect::Data)
    } else if functions.iter().any(|function| is_session_call(function)) {
        Facts::session("a setting or lock of the session")
    } else if let Some(function) = functions
        .iter()
        .find(|function| !PURE.contains(&function.as_str()))
    {
        Facts::unknown(format!("calls `{function}`, which may do anything"))
    } else {
        Facts::additive()
    };
    facts.query(Query::Select { problem })
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
