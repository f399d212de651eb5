//! MySQL and MariaDB.

use super::{Constrained, Tongue};
use crate::rehearse::rows::quoted;
use crate::rehearse::values::Kind;
use crate::sql::Dialect;

pub(super) const TONGUE: Tongue = Tongue {
    columns: "SELECT CONCAT('`', REPLACE(c.table_name, '`', '``'), '`'), c.table_name, \
         CASE WHEN t.table_type LIKE '%VIEW' THEN 'view' ELSE 'table' END, c.column_name, CAST(c.column_type AS CHAR), \
         CASE WHEN c.is_nullable = 'YES' THEN '1' ELSE '0' END, \
         CASE WHEN c.column_default IS NULL OR c.column_default = 'NULL' THEN '' ELSE CAST(c.column_default AS CHAR) END, \
         CASE WHEN c.extra LIKE '%GENERATED%' AND c.extra NOT LIKE 'DEFAULT_GENERATED%' THEN 'generated' \
              WHEN c.extra LIKE '%auto_increment%' THEN 'auto' \
              WHEN c.extra LIKE '%on update%' THEN 'current_' ELSE '' END \
         FROM information_schema.columns c JOIN information_schema.tables t \
             ON t.table_schema = c.table_schema AND t.table_name = c.table_name \
         WHERE c.table_schema = DATABASE() ORDER BY c.table_name, c.ordinal_position",
    keys: "SELECT CONCAT('`', REPLACE(s.table_name, '`', '``'), '`'), CASE WHEN s.index_name = 'PRIMARY' THEN '1' ELSE '0' END, \
         GROUP_CONCAT(s.column_name ORDER BY s.seq_in_index SEPARATOR '\u{1f}') \
         FROM information_schema.statistics s WHERE s.table_schema = DATABASE() AND s.non_unique = 0 \
         GROUP BY s.table_name, s.index_name HAVING MAX(s.sub_part IS NOT NULL) = 0 ORDER BY 1, 2 DESC, 3",
    parents: "SELECT CONCAT('`', REPLACE(k.table_name, '`', '``'), '`'), k.column_name, \
         CONCAT('`', REPLACE(k.referenced_table_name, '`', '``'), '`'), k.referenced_column_name \
         FROM information_schema.key_column_usage k \
         WHERE k.table_schema = DATABASE() AND k.referenced_table_name IS NOT NULL ORDER BY 1, 2",
    objects: &[
        "SELECT 'constraint', table_name, constraint_name, constraint_type FROM information_schema.table_constraints \
             WHERE table_schema = DATABASE()",
        "SELECT 'check', '', constraint_name, CAST(check_clause AS CHAR) FROM information_schema.check_constraints \
             WHERE constraint_schema = DATABASE()",
        "SELECT 'index', table_name, index_name, \
             CONCAT(MIN(non_unique), ' ', GROUP_CONCAT(CONCAT(COALESCE(column_name, ''), COALESCE(sub_part, '')) ORDER BY seq_in_index)) \
             FROM information_schema.statistics WHERE table_schema = DATABASE() GROUP BY table_name, index_name",
        "SELECT 'trigger', event_object_table, trigger_name, \
             CONCAT(action_timing, ' ', event_manipulation, ' ', CAST(action_statement AS CHAR)) \
             FROM information_schema.triggers WHERE trigger_schema = DATABASE()",
        "SELECT LOWER(routine_type), '', routine_name, COALESCE(CAST(routine_definition AS CHAR), '') \
             FROM information_schema.routines WHERE routine_schema = DATABASE()",
        "SELECT 'view', table_name, table_name, CAST(view_definition AS CHAR) FROM information_schema.views \
             WHERE table_schema = DATABASE()",
    ],
    defined: "SELECT c.table_schema, c.table_name, CASE WHEN c.table_schema = DATABASE() THEN '1' ELSE '0' END, c.column_name, \
         CAST(c.column_type AS CHAR), CASE WHEN c.is_nullable = 'YES' THEN '1' ELSE '0' END, \
         CASE WHEN c.column_default IS NULL OR c.column_default = 'NULL' THEN '' \
              WHEN VERSION() LIKE '%MariaDB%' OR c.extra LIKE '%DEFAULT_GENERATED%' THEN CAST(c.column_default AS CHAR) \
              ELSE QUOTE(c.column_default) END, \
         CASE WHEN (c.extra LIKE '%GENERATED%' AND c.extra NOT LIKE '%DEFAULT_GENERATED%') OR c.extra LIKE '%auto_increment%' \
              THEN '1' ELSE '0' END, \
         CONCAT_WS(' ', IF(c.collation_name <> t.table_collation, CONCAT('COLLATE ', c.collation_name), NULL), \
              IF(c.extra LIKE '%on update%', SUBSTRING(c.extra, LOCATE('on update', c.extra)), NULL), \
              IF(c.column_comment <> '', CONCAT('COMMENT ', QUOTE(c.column_comment)), NULL)) \
         FROM information_schema.columns c JOIN information_schema.tables t \
             ON t.table_schema = c.table_schema AND t.table_name = c.table_name \
         WHERE c.table_schema NOT IN ('mysql', 'information_schema', 'performance_schema', 'sys') AND t.table_type = 'BASE TABLE' \
         ORDER BY c.table_schema, c.table_name, c.ordinal_position",
    indexed: "SELECT s.table_schema, s.table_name, CASE WHEN s.table_schema = DATABASE() THEN '1' ELSE '0' END, s.index_name, \
         CASE WHEN MAX(s.non_unique) = 0 THEN '1' ELSE '0' END, CASE WHEN s.index_name = 'PRIMARY' THEN '1' ELSE '0' END, \
         CASE WHEN MAX(s.sub_part IS NOT NULL OR s.column_name IS NULL) = 0 THEN '1' ELSE '0' END, \
         COALESCE(GROUP_CONCAT(s.column_name ORDER BY s.seq_in_index SEPARATOR '\u{1f}'), ''), '0' \
         FROM information_schema.statistics s \
         WHERE s.table_schema NOT IN ('mysql', 'information_schema', 'performance_schema', 'sys') \
         GROUP BY s.table_schema, s.table_name, s.index_name ORDER BY 1, 2, 4",
    constrained: Constrained::Made(|schema, table| {
        let (schema, table) = (
            quoted(Dialect::Mysql, schema),
            quoted(Dialect::Mysql, table),
        );
        format!("SHOW CREATE TABLE {schema}.{table}")
    }),
    literal: |column, kind| match kind {
        Kind::Bytes => format!("IF({column} IS NULL, 'NULL', CONCAT('X''', HEX({column}), ''''))"),
        Kind::Integer(_) | Kind::Unsigned(_) | Kind::Decimal(..) | Kind::Float | Kind::Boolean => {
            format!("IFNULL(CAST({column} AS CHAR), 'NULL')")
        }
        _ => format!("QUOTE(CAST({column} AS CHAR))"),
    },
    create: |name, _| format!("CREATE DATABASE `{name}`"),
    drop: |name| format!("DROP DATABASE IF EXISTS `{name}`"),
    hold: |digits| format!("SELECT CAST(GET_LOCK('phasegate_rehearsal_{digits}', 0) AS CHAR)"),
    // A database has no owner: one that we may not drop stays.
    left: "SELECT s.schema_name FROM information_schema.schemata s \
         WHERE s.schema_name REGEXP '^phasegate_rehearsal_[0-9a-f]{8}_[0-9]+$' \
             AND IS_FREE_LOCK(SUBSTRING(s.schema_name, 1, 28)) = 1 \
             AND NOT EXISTS (SELECT 1 FROM information_schema.processlist p WHERE p.db = s.schema_name) ORDER BY 1",
    empty: |tables| {
        let emptied = tables.iter().map(|table| format!("DELETE FROM {table}"));
        let off = "SET foreign_key_checks = 0".to_owned();
        let on = "SET foreign_key_checks = 1".to_owned();
        std::iter::once(off).chain(emptied).chain([on]).collect()
    },
    silence: |_, triggers| {
        let each = triggers.iter();
        each.map(|name| format!("DROP TRIGGER {}", quoted(Dialect::Mysql, name)))
            .collect()
    },
    careless: None,
    is_shared: true,
    locks: None,
    // MariaDB's name of it; MySQL has another, and then nobody says it.
    stored: Some(
        "SELECT SUBSTRING_INDEX(name, '/', -1), CONCAT(table_id, '-', space) FROM information_schema.innodb_sys_tables \
         WHERE name LIKE CONCAT(DATABASE(), '/%')",
    ),
    scanned: None,
};
