//! What MySQL and MariaDB can do, and how their SQL is written.

use crate::database::{AddCheck, Capabilities, RowComparison, Writers};
use crate::sql::{Ddl, Dialect};

pub(super) static CAPABILITIES: Capabilities = Capabilities {
    dialect: Dialect::Mysql,
    ddl: Ddl::CommitsImplicitly,
    ledger_prefix: "phasegate_",
    ledger_setup: &[],
    ledger_exists: "SELECT count(*) FROM information_schema.tables \
                    WHERE table_schema = DATABASE() AND table_name = 'phasegate_{table}'",
    // Without a time zone: an hour that a clock goes through twice would be ambiguous.
    now_ms: "(TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(3)) DIV 1000)",
    client_address: "CASE WHEN USER() LIKE '%@localhost' THEN '' ELSE LEFT(SUBSTRING_INDEX(USER(), '@', -1), 255) END",
    looks_names_up: true,
    client_session: "CAST(CONNECTION_ID() AS SIGNED)",
    client_user: "LEFT(USER(), 255)",
    client_user_ends: Some('@'),
    for_update: " FOR UPDATE",
    key_int: "BIGINT",
    key_text: "VARCHAR(255)",
    text: "LONGTEXT",
    table_options: " ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
    composite_key_options: "",
    // MariaDB would compare what is there, and be stopped by it.
    add_check: AddCheck {
        add: "/*M!100000 SET STATEMENT check_constraint_checks = 0 FOR */ ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({check})",
        validate: None,
        exists: "SELECT count(*) FROM information_schema.table_constraints \
                 WHERE table_schema = DATABASE() AND table_name = '{table}' AND constraint_name = '{name}'",
    },
    row_comparison: RowComparison::WrittenOut,
    writers: Writers::Many,
    lists_sessions: true,
};
