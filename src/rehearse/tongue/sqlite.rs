//! SQLite.

use super::{Constrained, Tongue};
use crate::rehearse::rows::quoted;
use crate::sql::Dialect;

pub(super) const TONGUE: Tongue = Tongue {
    columns: "SELECT '\"' || replace(m.name, '\"', '\"\"') || '\"', m.name, m.type, c.name, c.type, \
         CASE WHEN c.\"notnull\" OR (c.pk > 0 AND upper(c.type) = 'INTEGER') THEN '0' ELSE '1' END, COALESCE(c.dflt_value, ''), \
         CASE WHEN c.hidden IN (2, 3) THEN 'generated' WHEN c.pk > 0 AND upper(c.type) = 'INTEGER' THEN 'auto' ELSE '' END \
         FROM sqlite_master m JOIN pragma_table_xinfo(m.name) c \
         WHERE m.type IN ('table', 'view') AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND c.hidden <> 1 \
             AND NOT EXISTS (SELECT 1 FROM pragma_table_list l WHERE l.name = m.name AND l.type = 'shadow') ORDER BY m.name, c.cid",
    keys: "SELECT '\"' || replace(name, '\"', '\"\"') || '\"', '1', group_concat(col, char(31)) FROM \
             (SELECT m.name AS name, c.name AS col FROM sqlite_master m JOIN pragma_table_info(m.name) c \
              WHERE m.type = 'table' AND c.pk > 0 ORDER BY m.name, c.pk) GROUP BY name \
         UNION ALL SELECT '\"' || replace(name, '\"', '\"\"') || '\"', '0', group_concat(col, char(31)) FROM \
             (SELECT m.name AS name, l.name AS idx, i.name AS col FROM sqlite_master m JOIN pragma_index_list(m.name) l \
              JOIN pragma_index_info(l.name) i WHERE m.type = 'table' AND l.\"unique\" = 1 AND l.partial = 0 AND l.origin <> 'pk' \
              ORDER BY m.name, l.name, i.seqno) GROUP BY name, idx HAVING count(*) = count(col)",
    parents: "SELECT '\"' || replace(m.name, '\"', '\"\"') || '\"', f.\"from\", \
         '\"' || replace(p.name, '\"', '\"\"') || '\"', \
         COALESCE(f.\"to\", (SELECT c.name FROM pragma_table_info(p.name) c WHERE c.pk = 1)) \
         FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f \
         JOIN sqlite_master p ON p.type = 'table' AND lower(p.name) = lower(f.\"table\") WHERE m.type = 'table'",
    objects: &[
        "SELECT m.type, m.tbl_name, m.name, m.sql FROM sqlite_master m WHERE m.type IN ('trigger', 'view') \
             OR (m.type = 'index' AND m.sql IS NOT NULL)",
        "SELECT 'foreign key', m.name, f.\"from\", f.\"table\" || ' ' || COALESCE(f.\"to\", '') || ' ' || f.on_delete \
             FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table'",
        "SELECT 'unique key', name, group_concat(col), '' FROM \
             (SELECT m.name AS name, l.name AS idx, i.name AS col FROM sqlite_master m JOIN pragma_index_list(m.name) l \
              JOIN pragma_index_info(l.name) i WHERE m.type = 'table' AND l.origin IN ('u', 'pk') ORDER BY m.name, l.name, i.seqno) \
             GROUP BY name, idx",
    ],
    defined: "SELECT 'main', m.name, '1', c.name, c.type, \
         CASE WHEN c.\"notnull\" OR c.pk > 0 THEN '0' ELSE '1' END, COALESCE(c.dflt_value, ''), \
         CASE WHEN c.hidden IN (2, 3) OR (c.pk > 0 AND upper(c.type) = 'INTEGER') THEN '1' ELSE '0' END, '' \
         FROM sqlite_master m JOIN pragma_table_xinfo(m.name) c \
         WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND c.hidden <> 1 ORDER BY m.name, c.cid",
    indexed: "SELECT 'main', name, '1', CASE WHEN origin = 'c' THEN idx ELSE '' END, uniq, prim, plain, group_concat(col, char(31)), \
             CASE WHEN origin = 'c' THEN '0' ELSE '1' END FROM \
             (SELECT m.name AS name, l.name AS idx, l.origin AS origin, CASE WHEN l.\"unique\" THEN '1' ELSE '0' END AS uniq, \
                  CASE WHEN l.origin = 'pk' THEN '1' ELSE '0' END AS prim, \
                  CASE WHEN l.partial = 0 AND NOT EXISTS (SELECT 1 FROM pragma_index_info(l.name) e WHERE e.name IS NULL) \
                      THEN '1' ELSE '0' END AS plain, i.name AS col \
              FROM sqlite_master m JOIN pragma_index_list(m.name) l JOIN pragma_index_info(l.name) i \
              WHERE m.type = 'table' ORDER BY m.name, l.name, i.seqno) GROUP BY name, idx \
         UNION ALL SELECT 'main', name, '1', '', '1', '1', '1', group_concat(col, char(31)), '1' FROM \
             (SELECT m.name AS name, c.name AS col FROM sqlite_master m JOIN pragma_table_info(m.name) c \
              WHERE m.type = 'table' AND c.pk > 0 ORDER BY m.name, c.pk) GROUP BY name",
    constrained: Constrained::Made(|_, table| {
        let table = table.replace('\'', "''");
        format!("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = '{table}'")
    }),
    literal: |column, _| format!("quote({column})"),
    create: |_, _| String::new(),
    drop: |_| String::new(),
    // Its scratch databases are files of a directory, which has a lock of its own.
    hold: |_| String::new(),
    left: "",
    empty: |tables| {
        let emptied = tables.iter().map(|table| format!("DELETE FROM {table}"));
        let off = "PRAGMA foreign_keys = OFF".to_owned();
        let on = "PRAGMA foreign_keys = ON".to_owned();
        std::iter::once(off).chain(emptied).chain([on]).collect()
    },
    silence: |_, triggers| {
        let each = triggers.iter();
        each.map(|name| format!("DROP TRIGGER {}", quoted(Dialect::Sqlite, name)))
            .collect()
    },
    careless: Some("PRAGMA synchronous = OFF"),
    is_shared: false,
    locks: None,

    stored: None,
    scanned: None,
};
