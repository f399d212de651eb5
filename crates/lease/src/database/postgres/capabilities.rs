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
