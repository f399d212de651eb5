//! What PostgreSQL can do, and how its SQL is written.

use std::borrow::Cow;

use crate::database::{
    AddCheck, Capabilities, ManyLeases, RowComparison, SchemaNumbers, Senseless, Statistics,
    Versions, Writers,
};
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
    schema_numbers: Some(SchemaNumbers {
        // With that of the database: another one may number its own likewise.
        of: "SELECT concat((SELECT oid FROM pg_database WHERE datname = current_database()), ':', \
             string_agg(oid::text, ',' ORDER BY oid)) FROM pg_namespace WHERE nspname::text = ANY (string_to_array(?, ', '))",
        called: "SELECT n.nspname::text FROM unnest(string_to_array(split_part(?, ':', 2), ',')) AS l (number) \
                 LEFT JOIN pg_namespace n ON n.oid::text = l.number AND split_part(?, ':', 1) = \
                 (SELECT oid::text FROM pg_database WHERE datname = current_database())",
    }),
    now_ms: "(extract(epoch FROM clock_timestamp()) * 1000)::bigint",
    client_address: "coalesce(host(inet_client_addr()), '')",
    looks_names_up: false,
    client_session: "0",
    client_user: "session_user::text",
    client_user_ends: None,
    octets: "octet_length",
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
    many_leases: ManyLeases {
        versions: Versions::Stepped,
        senseless: Senseless::OwnIndex,
        // A name may be longer than a page of a tree has room for.
        by_instance: "USING hash (instance)",
        indexes: Cow::Borrowed(
            "SELECT count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname = 'phasegate' AND c.relkind = 'i' AND c.relname IN ({names})",
        ),
    },
    row_comparison: RowComparison::AsRow,
    writers: Writers::Many,
    lists_sessions: true,
    statistics: Some(STATISTICS),
    depends: Some(DEPENDS),
    past_triggers: Some(PAST_TRIGGERS),
    column_rights: Some(COLUMN_RIGHTS),
};

const STATISTICS: Statistics = Statistics {
    installed: "SELECT quote_ident(n.nspname::text) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace \
                WHERE e.extname = 'pg_stat_statements' AND current_setting('pg_stat_statements.track', true) IS DISTINCT FROM 'none' \
                AND current_setting('pg_stat_statements.track_utility', true) IS DISTINCT FROM 'off' \
                AND current_setting('compute_query_id', true) IS DISTINCT FROM 'off' \
                AND NOT EXISTS (SELECT 1 FROM pg_db_role_setting \
                WHERE array_to_string(setconfig, ' ') ~* '(pg_stat_statements[.]track|compute_query_id)')",
    off: "put pg_stat_statements into shared_preload_libraries, start the server anew, run `CREATE EXTENSION pg_stat_statements` in this database, \
          and leave pg_stat_statements.track on `top` or `all`, pg_stat_statements.track_utility on and compute_query_id on `auto` or `on`, for all roles \
          (pg_db_role_setting shows those that have their own)",
    missed: "statements for which there was no room: make pg_stat_statements.max larger",
    hidden: "statements of other roles: `GRANT pg_read_all_stats` to the one that asks",
    // What a crash has emptied, and what another server counts, began with the start of the server. Before PostgreSQL 17 no statement
    // says since when it is counted.
    counters: "SELECT concat_ws(' ', extract(epoch FROM pg_postmaster_start_time())::text, extract(epoch FROM i.stats_reset)::text, \
               (SELECT min(extract(epoch FROM (to_jsonb(s) ->> 'stats_since')::timestamptz))::text FROM {place}.pg_stat_statements s \
                WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database()))), i.dealloc, {now} \
               FROM {place}.pg_stat_statements_info i",
    cut_off: "",
    around: &[
        (
            "SELECT CASE WHEN n OPERATOR(pg_catalog.=) pg_catalog.trunc(n) THEN n::pg_catalog.int8 END FROM (SELECT (",
            ")::pg_catalog.numeric AS n) AS counted",
        ),
        (
            "SELECT (SELECT pg_catalog.string_agg(coalesce(value, 'NULL'), ', ') \
             FROM pg_catalog.json_each_text(pg_catalog.row_to_json(found))) FROM (",
            ") AS found LIMIT 1",
        ),
    ],
    since: Some(
        "SELECT to_char(stats_reset AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') FROM {place}.pg_stat_statements_info",
    ),
    counted: "SELECT s.query, sum(s.calls)::bigint, coalesce(string_agg(DISTINCT r.rolname::text, ', '), ''), '' \
              FROM {place}.pg_stat_statements s LEFT JOIN pg_roles r ON r.oid = s.userid \
              WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) \
              AND (s.query ILIKE ? AND s.query ILIKE ? OR s.query LIKE '<insufficient%') GROUP BY s.query ORDER BY 2 DESC LIMIT 500",
    sessions: "SELECT coalesce(query, ''), coalesce(usename::text, ''), coalesce(application_name, ''), coalesce(state, '') \
               FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND query ILIKE ? LIMIT 50",
};

// What goes along with the table or the column by itself has an automatic dependency on it as well.
const DEPENDS: &str = "WITH asked AS (SELECT ?::text AS tab, ?::text AS col, string_to_array(?::text, ', ') AS path), \
     wanted AS (SELECT c.oid, a.col, t.attnum FROM asked a JOIN pg_class c ON c.relname::text = a.tab AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'i', 'I') \
       JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname::text = ANY (a.path) \
       LEFT JOIN pg_attribute t ON t.attrelid = c.oid AND t.attname::text = a.col AND NOT t.attisdropped \
       WHERE a.col = '' OR t.attnum IS NOT NULL ORDER BY array_position(a.path, n.nspname::text) LIMIT 1), \
     kept AS (SELECT DISTINCT d.classid, d.objid FROM wanted w JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = w.oid \
       AND (w.col = '' OR d.refobjsubid = w.attnum) WHERE d.deptype = 'n' AND NOT EXISTS (SELECT 1 FROM pg_depend o \
       WHERE o.classid = d.classid AND o.objid = d.objid AND o.refclassid = d.refclassid AND o.refobjid = d.refobjid \
       AND (w.col = '' OR o.refobjsubid = d.refobjsubid) AND o.deptype IN ('a', 'i'))) \
     SELECT 'the ' || CASE c.relkind WHEN 'm' THEN 'materialised view' ELSE 'view' END || ' `' || c.relname::text || '`', c.relname::text, 0, '' \
       FROM kept k JOIN pg_rewrite r ON k.classid = 'pg_rewrite'::regclass AND r.oid = k.objid AND r.rulename::text = '_RETURN' \
       JOIN pg_class c ON c.oid = r.ev_class AND c.oid NOT IN (SELECT oid FROM wanted) \
     UNION SELECT 'the rule `' || r.rulename::text || '` of `' || c.relname::text || '`', r.rulename::text, 0, '' \
       FROM kept k JOIN pg_rewrite r ON k.classid = 'pg_rewrite'::regclass AND r.oid = k.objid AND r.rulename::text <> '_RETURN' \
       JOIN pg_class c ON c.oid = r.ev_class \
     UNION SELECT CASE o.contype WHEN 'f' THEN 'the foreign key `' ELSE 'the constraint `' END || o.conname::text || '` of `' || c.relname::text || '`', \
       o.conname::text, 0, '' FROM kept k JOIN pg_constraint o ON k.classid = 'pg_constraint'::regclass AND o.oid = k.objid \
       JOIN pg_class c ON c.oid = o.conrelid \
     UNION SELECT 'the generated column `' || t.attname::text || '` of `' || c.relname::text || '`', t.attname::text, 0, '' \
       FROM kept k JOIN pg_attrdef e ON k.classid = 'pg_attrdef'::regclass AND e.oid = k.objid JOIN pg_class c ON c.oid = e.adrelid \
       JOIN pg_attribute t ON t.attrelid = e.adrelid AND t.attnum = e.adnum \
     UNION SELECT 'the policy `' || p.polname::text || '` of `' || c.relname::text || '`', p.polname::text, 0, '' \
       FROM kept k JOIN pg_policy p ON k.classid = 'pg_policy'::regclass AND p.oid = k.objid JOIN pg_class c ON c.oid = p.polrelid \
     UNION SELECT 'the list of columns, or the filter of rows, in the publication `' || b.pubname::text || '`', b.pubname::text, 0, '' \
       FROM kept k JOIN pg_publication_rel l ON k.classid = 'pg_publication_rel'::regclass AND l.oid = k.objid \
       JOIN pg_publication b ON b.oid = l.prpubid \
     UNION SELECT 'the trigger `' || g.tgname::text || '` of `' || c.relname::text || '`', g.tgname::text, 1, '' \
       FROM kept k JOIN pg_trigger g ON k.classid = 'pg_trigger'::regclass AND g.oid = k.objid JOIN pg_class c ON c.oid = g.tgrelid \
     UNION SELECT 'the function `' || f.proname::text || '`', f.proname::text, 1, '' \
       FROM kept k JOIN pg_proc f ON k.classid = 'pg_proc'::regclass AND f.oid = k.objid \
     UNION SELECT 'the replica identity of `' || c.relname::text || '` (`ALTER TABLE … REPLICA IDENTITY` chooses another one)', 'replica', 0, '' \
       FROM wanted w JOIN pg_index i ON i.indexrelid = w.oid OR i.indrelid = w.oid AND w.attnum = ANY (i.indkey::int2[]) \
       JOIN pg_class c ON c.oid = i.indrelid AND c.relreplident = 'i' WHERE i.indisreplident \
     UNION SELECT 'the ' || CASE WHEN i.indisprimary THEN 'primary key' WHEN i.indisunique THEN 'unique index' ELSE 'exclusion constraint' END \
       || ' `' || x.relname::text || '` of `' || c.relname::text || '`, which is about other columns as well,', x.relname::text, 0, \
       string_agg(DISTINCT t.attname::text, E'\\x1f') \
       FROM wanted w JOIN pg_index i ON i.indrelid = w.oid AND (i.indisunique OR i.indisexclusion) AND w.attnum IS NOT NULL \
       JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_class c ON c.oid = i.indrelid \
       CROSS JOIN LATERAL (SELECT d.refobjsubid AS attnum FROM pg_depend d LEFT JOIN pg_constraint o \
         ON d.classid = 'pg_constraint'::regclass AND o.oid = d.objid AND o.conindid = i.indexrelid \
         WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = w.oid AND d.refobjsubid > 0 \
         AND (o.oid IS NOT NULL OR d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid)) AS n \
       JOIN pg_attribute t ON t.attrelid = w.oid AND t.attnum = n.attnum AND n.attnum <> w.attnum \
       WHERE EXISTS (SELECT 1 FROM pg_depend d LEFT JOIN pg_constraint o \
         ON d.classid = 'pg_constraint'::regclass AND o.oid = d.objid AND o.conindid = i.indexrelid \
         WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = w.oid AND d.refobjsubid = w.attnum \
         AND (o.oid IS NOT NULL OR d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid)) \
       GROUP BY i.indisprimary, i.indisunique, x.relname, c.relname";

// Tables that inherit have triggers of their own, and `UPDATE OF` goes by the columns that a statement names.
const PAST_TRIGGERS: &str = "WITH asked AS (SELECT ?::text AS tab, string_to_array(?::text, ', ') AS path), \
     wanted AS (SELECT c.oid FROM asked a JOIN pg_class c ON c.relname::text = a.tab AND c.relkind IN ('r', 'p') \
       JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname::text = ANY (a.path) \
       ORDER BY array_position(a.path, n.nspname::text) LIMIT 1) \
     SELECT 'child', k.relname::text, '' FROM wanted w JOIN pg_inherits i ON i.inhparent = w.oid \
       JOIN pg_class k ON k.oid = i.inhrelid AND NOT k.relispartition \
     UNION ALL SELECT 'of', g.tgname::text, t.attname::text FROM wanted w JOIN pg_trigger g ON g.tgrelid = w.oid AND NOT g.tgisinternal \
       AND g.tgenabled <> 'D' JOIN pg_attribute t ON t.attrelid = w.oid AND t.attnum = ANY (g.tgattr::int2[]) ORDER BY 1, 2, 3";

// Who has the right on the whole table, or by a role that it is a member of, has it on the new column as well.
const COLUMN_RIGHTS: &str = "WITH asked AS (SELECT ?::text AS tab, string_to_array(?::text, ', ') AS path, ?::text AS col), \
     wanted AS (SELECT c.oid, t.attnum, t.attacl FROM asked a JOIN pg_class c ON c.relname::text = a.tab AND c.relkind IN ('r', 'p') \
       JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname::text = ANY (a.path) \
       JOIN pg_attribute t ON t.attrelid = c.oid AND t.attname::text = a.col AND NOT t.attisdropped \
       ORDER BY array_position(a.path, n.nspname::text) LIMIT 1) \
     SELECT coalesce(quote_ident(r.rolname::text), 'PUBLIC'), x.privilege_type, string_agg(t.attname::text, ', ' ORDER BY t.attnum) \
       FROM wanted w JOIN pg_attribute t ON t.attrelid = w.oid AND t.attnum > 0 AND t.attnum <> w.attnum AND NOT t.attisdropped \
       CROSS JOIN LATERAL aclexplode(t.attacl) x LEFT JOIN pg_roles r ON r.oid = x.grantee \
       WHERE CASE WHEN r.oid IS NULL THEN NOT EXISTS (SELECT 1 FROM aclexplode(w.attacl) y \
         WHERE y.grantee = 0 AND y.privilege_type = x.privilege_type) \
         ELSE NOT has_column_privilege(r.oid, w.oid, w.attnum, x.privilege_type) END \
       GROUP BY 1, 2 ORDER BY 1, 2";
