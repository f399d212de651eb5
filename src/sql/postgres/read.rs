//! Whether a query only reads.

use squawk_syntax::{SyntaxKind, SyntaxNode};

use super::super::facts::{Facts, Query};
use super::super::{Effect, Loss};
use super::tree;

/// Functions of PostgreSQL, and of its uuid-ossp, that only compute or wait. Any other may do anything: PostgreSQL itself cannot tell.
const PURE: &[&str] = &[
    "abs",
    "age",
    "array_agg",
    "array_append",
    "array_cat",
    "array_dims",
    "array_fill",
    "array_length",
    "array_lower",
    "array_ndims",
    "array_position",
    "array_positions",
    "array_prepend",
    "array_remove",
    "array_replace",
    "array_to_string",
    "array_upper",
    "ascii",
    "avg",
    "bit_and",
    "bit_length",
    "bit_or",
    "bool_and",
    "bool_or",
    "btrim",
    "cardinality",
    "cbrt",
    "ceil",
    "ceiling",
    "char_length",
    "character_length",
    "chr",
    "clock_timestamp",
    "coalesce",
    "concat",
    "concat_ws",
    "convert_from",
    "convert_to",
    "cos",
    "count",
    "cume_dist",
    "current_database",
    "current_schema",
    "current_setting",
    "currval",
    "date",
    "date_part",
    "date_trunc",
    "daterange",
    "decode",
    "degrees",
    "dense_rank",
    "encode",
    "every",
    "exists",
    "exp",
    "extract",
    "first_value",
    "floor",
    "format",
    "format_type",
    "gen_random_uuid",
    "generate_series",
    "greatest",
    "has_table_privilege",
    "hashtext",
    "host",
    "initcap",
    "int4range",
    "int8range",
    "isempty",
    "isfinite",
    "json_agg",
    "json_array_elements",
    "json_array_elements_text",
    "json_array_length",
    "json_build_array",
    "json_build_object",
    "json_each",
    "json_each_text",
    "json_extract_path",
    "json_extract_path_text",
    "json_object",
    "json_object_agg",
    "json_object_keys",
    "json_populate_record",
    "json_populate_recordset",
    "json_strip_nulls",
    "json_to_record",
    "json_to_recordset",
    "json_typeof",
    "jsonb_agg",
    "jsonb_array_elements",
    "jsonb_array_elements_text",
    "jsonb_array_length",
    "jsonb_build_array",
    "jsonb_build_object",
    "jsonb_each",
    "jsonb_each_text",
    "jsonb_exists",
    "jsonb_extract_path",
    "jsonb_extract_path_text",
    "jsonb_insert",
    "jsonb_object",
    "jsonb_object_agg",
    "jsonb_object_keys",
    "jsonb_path_exists",
    "jsonb_path_query",
    "jsonb_path_query_array",
    "jsonb_path_query_first",
    "jsonb_populate_record",
    "jsonb_populate_recordset",
    "jsonb_pretty",
    "jsonb_set",
    "jsonb_strip_nulls",
    "jsonb_to_record",
    "jsonb_to_recordset",
    "jsonb_typeof",
    "justify_days",
    "justify_hours",
    "justify_interval",
    "lag",
    "last_value",
    "lead",
    "least",
    "left",
    "length",
    "ln",
    "log",
    "lower",
    "lpad",
    "ltrim",
    "make_date",
    "make_interval",
    "make_time",
    "make_timestamp",
    "make_timestamptz",
    "max",
    "md5",
    "min",
    "mod",
    "mode",
    "now",
    "nth_value",
    "ntile",
    "nullif",
    "numrange",
    "obj_description",
    "octet_length",
    "overlay",
    "parse_ident",
    "percent_rank",
    "percentile_cont",
    "percentile_disc",
    "pg_get_constraintdef",
    "pg_get_indexdef",
    "pg_get_viewdef",
    "pg_relation_size",
    "pg_size_pretty",
    "pg_sleep",
    "pg_sleep_for",
    "pg_sleep_until",
    "pg_table_is_visible",
    "pg_total_relation_size",
    "pg_typeof",
    "phraseto_tsquery",
    "pi",
    "plainto_tsquery",
    "position",
    "power",
    "quote_ident",
    "quote_literal",
    "quote_nullable",
    "radians",
    "random",
    "rank",
    "regexp_count",
    "regexp_instr",
    "regexp_like",
    "regexp_match",
    "regexp_matches",
    "regexp_replace",
    "regexp_split_to_array",
    "regexp_split_to_table",
    "regexp_substr",
    "repeat",
    "replace",
    "reverse",
    "right",
    "round",
    "row_number",
    "row_to_json",
    "rpad",
    "rtrim",
    "setweight",
    "sha224",
    "sha256",
    "sha384",
    "sha512",
    "sign",
    "sin",
    "split_part",
    "sqrt",
    "starts_with",
    "statement_timestamp",
    "stddev",
    "string_agg",
    "string_to_array",
    "string_to_table",
    "strpos",
    "substr",
    "substring",
    "sum",
    "tan",
    "text",
    "timeofday",
    "timezone",
    "to_ascii",
    "to_char",
    "to_date",
    "to_hex",
    "to_json",
    "to_jsonb",
    "to_number",
    "to_regclass",
    "to_regproc",
    "to_regtype",
    "to_timestamp",
    "to_tsquery",
    "to_tsvector",
    "transaction_timestamp",
    "translate",
    "trim",
    "trim_array",
    "trunc",
    "tsrange",
    "tstzrange",
    "unnest",
    "upper",
    "uuid_generate_v1",
    "uuid_generate_v4",
    "variance",
    "version",
    "websearch_to_tsquery",
    "width_bucket",
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
        Facts::destructive("deletes rows in its WITH clause").loses(Loss::Rows)
    } else if changes(statement) {
        Facts::destructive("changes rows in its WITH clause that live versions use")
            .loses(Loss::Values)
    } else if writes(statement) {
        calling(statement, Facts::new(Effect::Data))
    } else {
        calling(statement, Facts::additive())
    };
    facts.query(Query::Select { problem })
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
    let unknown = functions.iter().find(|function| {
        !(PURE.contains(&function.as_str()) || steps && function.as_str() == "nextval")
    });
    let Some(function) = unknown else {
        return facts;
    };
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
