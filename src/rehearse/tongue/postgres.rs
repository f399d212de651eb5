//! `PostgreSQL`.

use super::{Constrained, Tongue};

pub(super) const TONGUE: Tongue = Tongue {
    columns: "SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname), \
         CASE WHEN n.nspname = 'public' THEN c.relname::text ELSE n.nspname || '.' || c.relname END, \
         CASE WHEN c.relkind IN ('r', 'p') THEN 'table' ELSE 'view' END, a.attname::text, \
         CASE WHEN e.labels IS NULL THEN pg_catalog.format_type(COALESCE(NULLIF(t.typbasetype, 0), a.atttypid), a.atttypmod) \
              ELSE 'enum(' || e.labels || ')' END, \
         CASE WHEN a.attnotnull OR t.typnotnull THEN '0' ELSE '1' END, \
         COALESCE(pg_catalog.pg_get_expr(d.adbin, d.adrelid), ''), \
         CASE WHEN a.attgenerated <> '' THEN 'generated' \
              WHEN a.attidentity <> '' OR pg_catalog.pg_get_expr(d.adbin, d.adrelid) LIKE 'nextval(%' THEN 'auto' ELSE '' END \
         FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
         LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
         LEFT JOIN (SELECT enumtypid, pg_catalog.string_agg(pg_catalog.quote_literal(enumlabel), ',' ORDER BY enumsortorder) AS labels \
             FROM pg_catalog.pg_enum GROUP BY enumtypid) e ON e.enumtypid = a.atttypid \
         WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm') AND NOT c.relispartition \
             AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND n.nspname NOT LIKE 'pg\\_temp%' \
         ORDER BY 1, a.attnum",
    keys: "SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname), \
         CASE WHEN i.indisprimary THEN '1' ELSE '0' END, \
         (SELECT pg_catalog.string_agg(a.attname::text, pg_catalog.chr(31) ORDER BY k.place) \
             FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place) \
             JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum WHERE k.place <= i.indnkeyatts) \
         FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indrelid \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL AND NOT c.relispartition \
             AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') ORDER BY 1, 2 DESC, 3",
    parents: "SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname), a.attname::text, \
         pg_catalog.quote_ident(pn.nspname) || '.' || pg_catalog.quote_ident(p.relname), pa.attname::text \
         FROM pg_catalog.pg_constraint f CROSS JOIN LATERAL ROWS FROM (pg_catalog.unnest(f.conkey), pg_catalog.unnest(f.confkey)) AS k (own, other) \
         JOIN pg_catalog.pg_class c ON c.oid = f.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         JOIN pg_catalog.pg_class p ON p.oid = f.confrelid JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace \
         JOIN pg_catalog.pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.own \
         JOIN pg_catalog.pg_attribute pa ON pa.attrelid = f.confrelid AND pa.attnum = k.other \
         WHERE f.contype = 'f' AND NOT c.relispartition ORDER BY 1, 2",
    objects: &[
        "SELECT 'constraint', CASE WHEN n.nspname = 'public' THEN c.relname::text ELSE n.nspname || '.' || c.relname END, \
             f.conname::text, pg_catalog.pg_get_constraintdef(f.oid) || CASE WHEN f.convalidated THEN '' ELSE ' NOT VALID' END \
             FROM pg_catalog.pg_constraint f JOIN pg_catalog.pg_class c ON c.oid = f.conrelid \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE NOT c.relispartition AND f.contype <> 't' AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')",
        "SELECT 'index', CASE WHEN n.nspname = 'public' THEN c.relname::text ELSE n.nspname || '.' || c.relname END, \
             x.relname::text, pg_catalog.pg_get_indexdef(i.indexrelid) || CASE WHEN i.indisvalid THEN '' ELSE ' INVALID' END \
             FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indrelid \
             JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE NOT c.relispartition AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')",
        "SELECT 'trigger', CASE WHEN n.nspname = 'public' THEN c.relname::text ELSE n.nspname || '.' || c.relname END, \
             g.tgname::text, pg_catalog.pg_get_triggerdef(g.oid) || ' ' || g.tgenabled::text \
             FROM pg_catalog.pg_trigger g JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE NOT g.tgisinternal AND NOT c.relispartition",
        "SELECT 'function', '', p.oid::pg_catalog.regprocedure::text, pg_catalog.pg_get_functiondef(p.oid) \
             FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace \
             WHERE p.prokind IN ('f', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema') \
             AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')",
        "SELECT 'view', CASE WHEN n.nspname = 'public' THEN c.relname::text ELSE n.nspname || '.' || c.relname END, \
             c.relname::text, pg_catalog.pg_get_viewdef(c.oid) \
             FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relkind IN ('v', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema')",
        "SELECT 'type', '', t.oid::pg_catalog.regtype::text, \
             COALESCE((SELECT pg_catalog.string_agg(enumlabel::text, ',' ORDER BY enumsortorder) \
                 FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid), '') \
             FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace \
             WHERE t.typtype IN ('e', 'd') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')",
        "SELECT 'policy', c.relname::text, p.polname::text, COALESCE(pg_catalog.pg_get_expr(p.polqual, p.polrelid), '') \
             FROM pg_catalog.pg_policy p JOIN pg_catalog.pg_class c ON c.oid = p.polrelid",
    ],
    // The search path is ours while we ask; that of the session is kept beside it.
    defined: "SELECT n.nspname::text, c.relname::text, CASE WHEN n.nspname = ANY (SELECT pg_catalog.btrim(pg_catalog.replace(p, '\"$user\"', session_user::text), ' \"') \
              FROM pg_catalog.regexp_split_to_table(pg_catalog.current_setting('phasegate.search_path', true), ',') AS p) THEN '1' ELSE '0' END, a.attname::text, \
         pg_catalog.format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN '0' ELSE '1' END, \
         CASE WHEN a.attgenerated <> '' THEN '' ELSE COALESCE(pg_catalog.pg_get_expr(d.adbin, d.adrelid), '') END, \
         CASE WHEN a.attgenerated <> '' OR a.attidentity <> '' OR pg_catalog.pg_get_expr(d.adbin, d.adrelid) LIKE 'nextval(%' \
              THEN '1' ELSE '0' END, \
         CASE WHEN l.oid IS NULL THEN '' ELSE 'COLLATE ' || CASE WHEN ln.nspname = 'pg_catalog' OR ln.nspname = ANY (SELECT pg_catalog.btrim(pg_catalog.replace(p, '\"$user\"', session_user::text), ' \"') \
              FROM pg_catalog.regexp_split_to_table(pg_catalog.current_setting('phasegate.search_path', true), ',') AS p) THEN '' \
              ELSE pg_catalog.quote_ident(ln.nspname) || '.' END || pg_catalog.quote_ident(l.collname) END, \
         CASE WHEN c.relkind = 'p' THEN '1' ELSE '0' END \
         FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
         LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
         LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation AND a.attcollation <> t.typcollation \
         LEFT JOIN pg_catalog.pg_namespace ln ON ln.oid = l.collnamespace \
         WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p') \
             AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') ORDER BY 1, 2, a.attnum",
    indexed: "SELECT n.nspname::text, c.relname::text, CASE WHEN n.nspname = ANY (SELECT pg_catalog.btrim(pg_catalog.replace(p, '\"$user\"', session_user::text), ' \"') \
              FROM pg_catalog.regexp_split_to_table(pg_catalog.current_setting('phasegate.search_path', true), ',') AS p) THEN '1' ELSE '0' END, x.relname::text, \
         CASE WHEN i.indisunique THEN '1' ELSE '0' END, CASE WHEN i.indisprimary THEN '1' ELSE '0' END, \
         CASE WHEN i.indpred IS NULL AND i.indexprs IS NULL \
              AND (SELECT m.amname FROM pg_catalog.pg_am m WHERE m.oid = x.relam) = 'btree' \
              AND pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct' IS DISTINCT FROM 'true' \
              AND NOT EXISTS (SELECT 1 FROM pg_catalog.unnest(i.indclass::oid[]) AS k (class) JOIN pg_catalog.pg_opclass o ON o.oid = k.class \
                  WHERE NOT o.opcdefault) \
              AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_constraint f WHERE f.conindid = i.indexrelid AND f.condeferrable AND f.conrelid = i.indrelid) \
              THEN '1' ELSE '0' END, \
         COALESCE((SELECT pg_catalog.string_agg(DISTINCT a.attname::text, pg_catalog.chr(31)) FROM pg_catalog.pg_depend k \
             JOIN pg_catalog.pg_attribute a ON a.attrelid = k.refobjid AND a.attnum = k.refobjsubid \
             WHERE k.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND k.objid = i.indexrelid AND k.refobjid = i.indrelid \
                 AND k.refobjsubid > 0 AND (i.indpred IS NOT NULL OR i.indexprs IS NOT NULL)), \
             (SELECT pg_catalog.string_agg(a.attname::text, pg_catalog.chr(31) ORDER BY k.place) \
             FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place) \
             JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum WHERE k.place <= i.indnkeyatts), ''), \
         CASE WHEN EXISTS (SELECT 1 FROM pg_catalog.pg_constraint f WHERE f.conindid = i.indexrelid AND f.contype IN ('u', 'p', 'x')) \
              THEN '1' ELSE '0' END, \
         COALESCE((SELECT pg_catalog.string_agg(a.attname::text, pg_catalog.chr(31) ORDER BY k.place) \
             FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place) \
             JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum WHERE k.place > i.indnkeyatts), '') \
         FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indrelid \
         JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE i.indisvalid AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') ORDER BY 1, 2, 4",
    constrained: Constrained::Listed(
        "SELECT n.nspname::text, c.relname::text, CASE WHEN n.nspname = ANY (SELECT pg_catalog.btrim(pg_catalog.replace(p, '\"$user\"', session_user::text), ' \"') \
              FROM pg_catalog.regexp_split_to_table(pg_catalog.current_setting('phasegate.search_path', true), ',') AS p) THEN '1' ELSE '0' END, k.conname::text, \
         k.contype::text, COALESCE((SELECT pg_catalog.string_agg(a.attname::text, pg_catalog.chr(31) ORDER BY a.attnum) FROM pg_catalog.pg_attribute a \
             WHERE a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey)), ''), pg_catalog.pg_get_constraintdef(k.oid) \
         FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE k.contype IN ('f', 'c') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') ORDER BY 1, 2, 4",
    ),
    literal: |column, _| format!("pg_catalog.quote_nullable({column})"),
    create: |name, like| match like {
        Some(like) => format!("CREATE DATABASE \"{name}\" TEMPLATE \"{like}\""),
        None => format!("CREATE DATABASE \"{name}\""),
    },
    drop: |name| format!("DROP DATABASE IF EXISTS \"{name}\""),
    // `1347572045` is what these locks have in common; pg_locks shows those of sessions in any database.
    hold: |digits| {
        format!(
            "SELECT CASE WHEN pg_catalog.pg_try_advisory_lock(1347572045, ('x' || '{digits}')::bit(32)::integer) \
             THEN '1' ELSE '0' END"
        )
    },
    left: "SELECT d.datname::text FROM pg_catalog.pg_database d JOIN pg_catalog.pg_roles r ON r.oid = d.datdba \
         WHERE d.datname ~ '^phasegate_rehearsal_[0-9a-f]{8}_[0-9]+$' AND r.rolname = current_user \
             AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_locks l WHERE l.locktype = 'advisory' AND l.classid = 1347572045 \
                 AND l.objsubid = 2 AND l.objid::bigint = ('x' || pg_catalog.substr(d.datname::text, 21, 8))::bit(32)::bigint) \
             AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_stat_activity a WHERE a.datid = d.oid) ORDER BY 1",
    empty: |tables| vec![format!("TRUNCATE {} CASCADE", tables.join(", "))],
    silence: |table, _| vec![format!("ALTER TABLE {table} DISABLE TRIGGER USER")],
    careless: Some("SET synchronous_commit = off"),
    is_shared: true,
    locks: Some(
        "SELECT DISTINCT l.mode::text, CASE WHEN n.nspname = 'public' THEN c.relname::text ELSE n.nspname || '.' || c.relname END \
         FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_class c ON c.oid = l.relation \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE l.pid = pg_catalog.pg_backend_pid() AND l.granted AND c.relkind IN ('r', 'p') \
             AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') ORDER BY 2, 1",
    ),
    stored: Some(
        "SELECT CASE WHEN n.nspname = 'public' THEN c.relname::text ELSE n.nspname || '.' || c.relname END, \
         pg_catalog.pg_relation_filenode(c.oid)::text FROM pg_catalog.pg_class c \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')",
    ),
    scanned: Some(
        "SELECT CASE WHEN schemaname = 'public' THEN relname::text ELSE schemaname || '.' || relname END, \
         concat_ws('-', seq_scan, idx_scan) FROM pg_catalog.pg_stat_xact_user_tables",
    ),
};
