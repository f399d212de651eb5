//! What SQLite can do, and how its SQL is written.

use std::borrow::Cow;

use crate::database::{
    AddCheck, Capabilities, ManyLeases, RowComparison, Senseless, Versions, Writers,
};
use crate::sql::{Ddl, Dialect};

pub(super) const LEDGER_PREFIX: &str = "phasegate_";

pub(super) const CAPABILITIES: Capabilities = Capabilities {
    dialect: Dialect::Sqlite,
    ddl: Ddl::Transactional,
    ledger_prefix: Cow::Borrowed(LEDGER_PREFIX),
    ledger_setup: &[],
    ledger_exists: Cow::Borrowed(
        "SELECT count(*) FROM sqlite_master WHERE name = 'phasegate_{table}'",
    ),
    ledger_columns: Cow::Borrowed(
        "SELECT substr(lower(m.name), 11), lower(x.name), lower(x.type), x.\"notnull\" = 0, x.pk > 0, x.hidden IN (2, 3), \
         x.dflt_value IS NOT NULL FROM sqlite_master m, pragma_table_xinfo(m.name) x \
         WHERE m.type = 'table' AND m.sql NOT LIKE 'create virtual%' AND substr(lower(m.name), 1, 10) = 'phasegate_' \
         AND substr(lower(m.name), 11) IN ({tables})",
    ),
    ledger_given: None,
    apart: None,
    schema_numbers: None,
    now_ms: "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
    client_address: "''",
    looks_names_up: false,
    client_session: "0",
    client_user: "''",
    client_user_ends: None,
    octets: "length",
    for_update: "",
    // Only so spelled is it the number by which SQLite itself finds the row; any other key has a tree of its own
    // beside that of the rows, as one of several columns does.
    key_int: "INTEGER",
    key_text: "TEXT",
    text: "TEXT",
    table_options: "",
    composite_key_options: " WITHOUT ROWID",
    // A table gets a check with a column.
    add_check: AddCheck {
        add: "ALTER TABLE {table} ADD COLUMN {name} INTEGER DEFAULT 0 CONSTRAINT {name} CHECK ({check})",
        validate: None,
        exists: Cow::Borrowed(
            "SELECT count(*) FROM sqlite_master WHERE name = '{table}' AND sql LIKE '%CONSTRAINT {name} %'",
        ),
    },
    many_leases: ManyLeases {
        versions: Versions::Stepped,
        senseless: Senseless::OwnIndex,
        // By as many columns as are asked for: it prefers the index of which it can use most.
        by_instance: "(instance, service, version)",
        indexes: Cow::Borrowed(
            "SELECT count(*) FROM sqlite_master WHERE type = 'index' AND name IN ({names})",
        ),
    },
    row_comparison: RowComparison::AsRow,
    writers: Writers::One,
    lists_sessions: false,
    statistics: None,
    depends: None,
    past_triggers: None,
    column_rights: None,
};
