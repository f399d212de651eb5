//! What MySQL and MariaDB can do, and how their SQL is written.

use std::borrow::Cow;

use super::quoted::{identifier, literal};
use super::{Flavour, depends};
use crate::database::{
    AddCheck, Apart, Capabilities, ManyLeases, RowComparison, Senseless, Statistics, Versions,
    Writers,
};
use crate::sql::{Ddl, Dialect};

/// Begins the names of the ledger's tables, wherever they are.
pub(super) const LEDGER_PREFIX: &str = "phasegate_";

/// How the ledger's texts are compared: by every letter.
pub(super) const COLLATION: &str = "utf8mb4_bin";

/// An expression for the present moment, without a time zone: an hour that a clock goes through twice would be ambiguous.
pub(super) const NOW_MS: &str =
    "(TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(3)) DIV 1000)";

/// Those of a server of this flavour, for whoever keeps the ledger there.
pub(super) fn of(flavour: Flavour, apart: Option<Apart>) -> Capabilities {
    let (ledger_prefix, schema) = match &apart {
        None => (Cow::Borrowed(LEDGER_PREFIX), "DATABASE()".to_owned()),
        Some(apart) => (
            Cow::Owned(format!("{}.{LEDGER_PREFIX}", identifier(&apart.ledger))),
            literal(&apart.ledger),
        ),
    };
    Capabilities {
        dialect: Dialect::Mysql,
        ddl: Ddl::CommitsImplicitly,
        ledger_prefix,
        ledger_setup: &[],
        ledger_exists: Cow::Owned(format!(
            "SELECT count(*) FROM information_schema.tables \
             WHERE table_schema = {schema} AND table_name = '{LEDGER_PREFIX}{{table}}'"
        )),
        // By name: whatever else the schema holds need not be opened. In one query: MariaDB makes a table on disk for each SELECT.
        ledger_columns: Cow::Owned(format!(
            "SELECT SUBSTRING(table_name, {}), lower(column_name), lower(data_type), is_nullable = 'YES', column_key = 'PRI', \
             coalesce(generation_expression, '') <> '', column_default IS NOT NULL FROM information_schema.columns \
             WHERE table_schema = {schema} AND table_name LIKE '{LEDGER_PREFIX}%' AND SUBSTRING(table_name, {}) IN ({{tables}})",
            LEDGER_PREFIX.len() + 1,
            LEDGER_PREFIX.len() + 1,
        )),
        // A right is for a name, which is granted before or after the table is there.
        ledger_given: None,
        apart,
        schema_numbers: None,
        now_ms: NOW_MS,
        client_address: "CASE WHEN USER() LIKE '%@localhost' THEN '' ELSE LEFT(SUBSTRING_INDEX(USER(), '@', -1), 255) END",
        looks_names_up: true,
        client_session: "CAST(CONNECTION_ID() AS SIGNED)",
        client_user: "LEFT(USER(), 255)",
        client_user_ends: Some('@'),
        octets: "length",
        for_update: " FOR UPDATE",
        key_int: "BIGINT",
        key_text: "VARCHAR(255)",
        text: "LONGTEXT",
        table_options: " ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        composite_key_options: "",
        add_check: AddCheck {
            add: match flavour {
                // It would compare what is there, and be stopped by it.
                Flavour::MariaDb => {
                    "SET STATEMENT check_constraint_checks = 0 FOR ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({check})"
                }
                Flavour::MySql => "ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({check})",
            },
            validate: None,
            exists: Cow::Owned(format!(
                "SELECT count(*) FROM information_schema.table_constraints WHERE table_schema = {schema} \
                 AND table_name = '{LEDGER_PREFIX}{{bare}}' AND constraint_name = '{{name}}'"
            )),
        },
        many_leases: ManyLeases {
            versions: Versions::Grouped,
            senseless: Senseless::ByColumn,
            // A key does not hold the whole of a long text.
            by_instance: "(instance(64))",
            indexes: Cow::Owned(format!(
                "SELECT count(DISTINCT index_name) FROM information_schema.statistics WHERE table_schema = {schema} \
                 AND table_name = '{LEDGER_PREFIX}leases' AND index_name IN ({{names}})"
            )),
        },
        row_comparison: RowComparison::WrittenOut,
        writers: Writers::Many,
        lists_sessions: true,
        statistics: Some(STATISTICS),
        depends: Some(depends::of(flavour)),
        past_triggers: Some(PAST_TRIGGERS),
        column_rights: Some(COLUMN_RIGHTS),
    }
}

/// What is sent prepared, by the binary protocol, is in no digest, neither when it is prepared nor when it is run.
const UNCOUNTED: &str = "statements for which there is no room (make `performance_schema_digests_size` larger, or empty \
     events_statements_summary_by_digest), or that other users send prepared, which this server counts without their text";

const STATISTICS: Statistics = Statistics {
    installed: "SELECT 'performance_schema' FROM performance_schema.setup_consumers \
                WHERE @@performance_schema = 1 AND name = 'statements_digest' AND enabled = 'YES' \
                AND NOT EXISTS (SELECT 1 FROM performance_schema.setup_consumers \
                WHERE name IN ('global_instrumentation', 'thread_instrumentation') AND enabled = 'NO') \
                AND NOT EXISTS (SELECT 1 FROM performance_schema.setup_instruments WHERE name LIKE 'statement/sql/%' AND enabled = 'NO') \
                AND NOT EXISTS (SELECT 1 FROM performance_schema.setup_actors WHERE enabled = 'NO') \
                AND EXISTS (SELECT 1 FROM performance_schema.setup_actors WHERE user = '%' AND host = '%')",
    off: "start it with `performance_schema = ON`, keep the consumer `statements_digest` and what it needs as they are by default (the consumers \
          global_instrumentation and thread_instrumentation, the instruments statement/sql/%, all of setup_actors), and give the role that asks \
          SELECT on performance_schema",
    hidden: UNCOUNTED,
    missed: UNCOUNTED,
    // A row that is there stays, with when it was seen first, until all are emptied, by hand or by a start of the server.
    counters: "SELECT CAST(coalesce(min(CASE WHEN digest IS NOT NULL THEN UNIX_TIMESTAMP(first_seen) END), 0) AS CHAR), \
               CAST(coalesce(sum(CASE WHEN digest IS NULL THEN count_star END), 0) + (SELECT coalesce(sum(count_star), 0) \
               FROM {place}.events_statements_summary_by_user_by_event_name \
               WHERE event_name = 'statement/com/Execute' AND user <> substring_index(USER(), '@', 1)) AS SIGNED), {now} \
               FROM {place}.events_statements_summary_by_digest",
    cut_off: "statements that are, or may be, cut off before they name it: have the server keep more of them, by `max_digest_length` and \
              `performance_schema_max_digest_length`",
    around: &[("SELECT * FROM (", ") AS found LIMIT 1")],
    since: None,
    // MariaDB does not mark what it has cut off. What it keeps of a statement takes at most its length and a byte for each word, and
    // a name that finds no place any more is no longer than 64 letters.
    counted: "SELECT text, CAST(sum(calls) AS SIGNED), '', CAST(max(seen) AS CHAR) FROM (SELECT count_star AS calls, last_seen AS seen, \
              CAST(CASE WHEN VERSION() LIKE '%MariaDB%' \
              AND 2 * length(digest_text) - length(replace(digest_text, ' ', '')) \
              >= least(@@max_digest_length, @@performance_schema_max_digest_length) - 260 \
              THEN concat(digest_text, '...') ELSE digest_text END AS CHAR) AS text \
              FROM {place}.events_statements_summary_by_digest \
              WHERE schema_name = DATABASE() OR digest_text LIKE concat('%', DATABASE(), '%')) AS found \
              WHERE text LIKE ? AND text LIKE ? OR text LIKE '%...' AND text NOT LIKE '%information_schema%' \
              AND text NOT LIKE '%performance_schema%' AND text NOT LIKE '%phasegate_%' GROUP BY text \
              UNION ALL SELECT '<insufficient room>', missed, '', '' FROM (SELECT CAST(coalesce(sum(CASE WHEN digest IS NULL THEN count_star END), 0) \
              + (SELECT coalesce(sum(count_star), 0) FROM {place}.events_statements_summary_by_user_by_event_name \
              WHERE event_name = 'statement/com/Execute' AND user <> substring_index(USER(), '@', 1)) AS SIGNED) AS missed \
              FROM {place}.events_statements_summary_by_digest) AS uncounted WHERE missed > 0 ORDER BY 2 DESC LIMIT 500",
    sessions: "SELECT CAST(coalesce(info, '') AS CHAR), CAST(user AS CHAR), '', CAST(coalesce(state, '') AS CHAR) \
               FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID() AND info LIKE ? LIMIT 50",
};

// What a foreign key does by itself fires no triggers.
const PAST_TRIGGERS: &str = "WITH w AS (SELECT ? AS tab, ? AS path) \
     SELECT 'key', CAST(r.constraint_name AS CHAR), CAST(k.column_name AS CHAR) FROM w JOIN information_schema.referential_constraints r \
       ON r.constraint_schema = DATABASE() AND r.table_name = w.tab AND (r.delete_rule IN ('SET NULL', 'SET DEFAULT') \
       OR r.update_rule IN ('CASCADE', 'SET NULL', 'SET DEFAULT')) \
       JOIN information_schema.key_column_usage k ON k.constraint_schema = r.constraint_schema AND k.table_name = r.table_name \
       AND k.constraint_name = r.constraint_name \
     UNION ALL SELECT 'delete', CAST(r.constraint_name AS CHAR), '' FROM w JOIN information_schema.referential_constraints r \
       ON r.constraint_schema = DATABASE() AND r.table_name = w.tab AND r.delete_rule = 'CASCADE' ORDER BY 1, 2, 3";

// A role of MariaDB stands there as a user without a host, which no GRANT knows.
const COLUMN_RIGHTS: &str = "WITH w AS (SELECT ? AS tab, ? AS path, ? AS col) \
     SELECT CAST(TRIM(TRAILING '@''''' FROM p.grantee) AS CHAR), CAST(p.privilege_type AS CHAR), CAST(group_concat(p.column_name ORDER BY p.column_name SEPARATOR ', ') AS CHAR) \
       FROM w JOIN information_schema.column_privileges p ON p.table_schema = DATABASE() AND p.table_name = w.tab AND p.column_name <> w.col \
       WHERE NOT EXISTS (SELECT 1 FROM information_schema.column_privileges o WHERE o.grantee = p.grantee AND o.table_schema = p.table_schema \
           AND o.table_name = p.table_name AND o.column_name = w.col AND o.privilege_type = p.privilege_type) \
         AND NOT EXISTS (SELECT 1 FROM information_schema.table_privileges o WHERE o.grantee = p.grantee \
           AND o.table_schema = p.table_schema AND o.table_name = p.table_name AND o.privilege_type = p.privilege_type) \
         AND NOT EXISTS (SELECT 1 FROM information_schema.schema_privileges o WHERE o.grantee = p.grantee \
           AND o.table_schema = p.table_schema AND o.privilege_type = p.privilege_type) \
         AND NOT EXISTS (SELECT 1 FROM information_schema.user_privileges o WHERE o.grantee = p.grantee \
           AND o.privilege_type = p.privilege_type) \
       GROUP BY p.grantee, p.privilege_type ORDER BY 1, 2";
