//! What PostgreSQL can do, and how its SQL is written.

use std::borrow::Cow;

use crate::database::{AddCheck, Capabilities, RowComparison, Writers};
use crate::sql::{Ddl, Dialect};

pub(super) const CAPABILITIES: Capabilities = Capabilities {
    dialect: Dialect::Postgres,
    ddl: Ddl::Transactional,
    ledger_prefix: Cow::Borrowed("phasegate."),
    ledger_setup: &["CREATE SCHEMA IF NOT EXISTS phasegate"],
    // Asked of the catalogue, which everybody may read.
    ledger_exists: Cow::Borrowed(
        "SELECT count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = 'phasegate' AND c.relname = '{table}'",
    ),
    ledger_columns: Cow::Borrowed(
        "SELECT c.relname::text, a.attname::text, t.typname::text, CASE WHEN a.attnotnull THEN 0 ELSE 1 END, \
         CASE WHEN a.attnum = ANY (i.indkey) THEN 1 ELSE 0 END, CASE WHEN a.attgenerated = '' THEN 0 ELSE 1 END, \
         CASE WHEN a.atthasdef THEN 1 ELSE 0 END \
         FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
         JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary \
         WHERE n.nspname = 'phasegate' AND c.relname IN ({tables}) AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped",
    ),
    ledger_given: Some(
        "SELECT 'REVOKE ' || given || ' ON ' || string_agg('phasegate.' || quote_ident(of), ', ' ORDER BY of) || ' FROM ' || who FROM (\
           SELECT c.relname::text AS of, \
             CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)::text) END AS who, \
             string_agg(DISTINCT g.given, ', ' ORDER BY g.given) AS given \
           FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN LATERAL (\
             SELECT a.grantee, a.privilege_type AS kind, a.privilege_type AS given FROM aclexplode(c.relacl) a \
             UNION ALL SELECT a.grantee, a.privilege_type, a.privilege_type || ' (' || quote_ident(t.attname) || ')' \
             FROM pg_attribute t CROSS JOIN LATERAL aclexplode(t.attacl) a \
             WHERE t.attrelid = c.oid AND NOT t.attisdropped) g \
           WHERE n.nspname = 'phasegate' AND c.relkind = 'r' AND c.relname IN ({tables}) AND g.kind NOT IN ({may}) \
           AND CASE g.grantee WHEN 0 THEN true ELSE NOT pg_has_role(g.grantee, c.relowner, 'USAGE') END \
           GROUP BY c.relname, g.grantee) AS each GROUP BY given, who ORDER BY who, given",
    ),
    apart: None,
    now_ms: "(extract(epoch FROM clock_timestamp()) * 1000)::bigint",
    client_address: "coalesce(host(inet_client_addr()), '')",
    looks_names_up: false,
    client_session: "0",
    client_user: "session_user::text",
    client_user_ends: None,
    for_update: " FOR UPDATE",
    key_int: "bigint",
    key_text: "text",
    text: "text",
    table_options: "",
    composite_key_options: "",
    add_check: AddCheck {
        add: "ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({check}) NOT VALID",
        validate: Some("ALTER TABLE {table} VALIDATE CONSTRAINT {name}"),
        exists: Cow::Borrowed(
            "SELECT count(*) FROM pg_catalog.pg_constraint WHERE conrelid = '{table}'::regclass AND conname = '{name}'",
        ),
    },
    row_comparison: RowComparison::AsRow,
    writers: Writers::Many,
    lists_sessions: true,
};
