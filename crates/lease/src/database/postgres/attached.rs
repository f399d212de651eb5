//! What belongs to a table by the number that the catalogue knows it by: a copy that takes its name does not get it.

use crate::database::{DatabaseError, Row};
use crate::sql::Attached;

/// Stands between the names of columns, because no name holds it.
pub(super) const BETWEEN: char = '\u{1f}';

/// Each with the columns: schema, table, name, what, detail, number, with, columns (between them the sign that no name
/// holds), again.
pub(super) fn queries(theirs: &str) -> Vec<String> {
    let of_tables = format!(
        "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND c.relkind IN ('r', 'p') AND {theirs}"
    );
    let grantee = "CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(g.grantee)::text END";
    let to = "CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)::text) END";
    let names = |keys: &str, of: &str, between: &str| {
        format!(
            "(SELECT string_agg(a.attname::text, {between} ORDER BY k.at) FROM unnest({keys}) WITH ORDINALITY k(num, at) \
             JOIN pg_attribute a ON a.attrelid = {of} AND a.attnum = k.num)"
        )
    };
    let columns = |between: &str| names("f.conkey", "f.conrelid", between);
    let parents = names("f.confkey", "f.confrelid", "', '");
    let of_keys = "JOIN pg_constraint f ON f.contype = 'f' AND f.conparentid = 0 AND f.conrelid <> f.confrelid";
    vec![
        format!(
            "SELECT n.nspname::text, c.relname::text, {grantee}, format('the right %s of `%s`', g.privilege_type, {grantee}), \
               '', NULL::bigint, NULL::text, '', format('GRANT %s ON %s TO %s', g.privilege_type, quote_ident(c.relname), {to}) \
             {of_tables} CROSS JOIN LATERAL aclexplode(c.relacl) g WHERE g.grantee <> c.relowner"
        ),
        format!(
            "SELECT n.nspname::text, c.relname::text, pg_get_userbyid(c.relowner)::text, \
               format('its owner `%s`', pg_get_userbyid(c.relowner)), '', NULL::bigint, NULL::text, '', \
               format('ALTER TABLE %s OWNER TO %s', quote_ident(c.relname), quote_ident(pg_get_userbyid(c.relowner)::text)) {of_tables}"
        ),
        format!(
            "SELECT n.nspname::text, c.relname::text, {grantee}, \
               format('the right %s (%s) of `%s`', g.privilege_type, a.attname, {grantee}), '', NULL::bigint, NULL::text, \
               a.attname::text, \
               format('GRANT %s (%s) ON %s TO %s', g.privilege_type, quote_ident(a.attname), quote_ident(c.relname), {to}) \
             {of_tables} JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
             CROSS JOIN LATERAL aclexplode(a.attacl) g"
        ),
        format!(
            "SELECT n.nspname::text, c.relname::text, 'security', 'row level security' || s.forced, '', NULL::bigint, NULL::text, \
               '', format('ALTER TABLE %s %s ROW LEVEL SECURITY', quote_ident(c.relname), s.verb) \
             {of_tables} JOIN (VALUES (false, '', 'ENABLE'), (true, ' for its owner too', 'FORCE')) s(is_forced, forced, verb) \
               ON CASE WHEN s.is_forced THEN c.relforcerowsecurity ELSE c.relrowsecurity END"
        ),
        format!(
            "SELECT n.nspname::text, c.relname::text, p.polname::text, format('the policy `%s`', p.polname), \
               concat_ws(' ', p.polcmd, p.polpermissive, p.polroles::text, pg_get_expr(p.polqual, p.polrelid), \
                 pg_get_expr(p.polwithcheck, p.polrelid)), NULL::bigint, NULL::text, '', \
               format('CREATE POLICY %s ON %s …', quote_ident(p.polname), quote_ident(c.relname)) \
             {of_tables} JOIN pg_policy p ON p.polrelid = c.oid"
        ),
        format!(
            "SELECT n.nspname::text, c.relname::text, p.pubname::text, format('its place in the publication `%s`', p.pubname), \
               '', NULL::bigint, NULL::text, '', \
               format('ALTER PUBLICATION %s ADD TABLE %s', quote_ident(p.pubname), quote_ident(c.relname)) \
             {of_tables} JOIN pg_publication_rel r ON r.prrelid = c.oid JOIN pg_publication p ON p.oid = r.prpubid"
        ),
        // The number is for those to see who may use the sequence.
        format!(
            "SELECT n.nspname::text, c.relname::text, s.relname::text, format('the sequence behind `%s`', a.attname), '', \
               coalesce(CASE WHEN has_sequence_privilege(s.oid, 'USAGE, SELECT') THEN pg_sequence_last_value(s.oid) END, 0)::bigint, \
               NULL::text, a.attname::text, \
               CASE d.deptype WHEN 'a' THEN \
                 format('ALTER SEQUENCE %s OWNED BY %s.%s', quote_ident(s.relname), quote_ident(c.relname), quote_ident(a.attname)) \
               ELSE format('SELECT setval(pg_get_serial_sequence(%L, %L), max(%s)) FROM %s', quote_ident(c.relname), a.attname, \
                 quote_ident(a.attname), quote_ident(c.relname)) END \
             {of_tables} JOIN pg_depend d ON d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = c.oid \
               AND d.classid = 'pg_catalog.pg_class'::regclass AND d.deptype IN ('a', 'i') \
             JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S' \
             JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid"
        ),
        // An identity is as good as a default: the copy of a `serial` may have one.
        format!(
            "SELECT n.nspname::text, c.relname::text, a.attname::text, format('the default of `%s`', a.attname), '', NULL::bigint, \
               NULL::text, a.attname::text, format('ALTER TABLE %s ALTER COLUMN %s %s', quote_ident(c.relname), \
                 quote_ident(a.attname), CASE a.attidentity WHEN '' THEN 'SET DEFAULT ' || coalesce(pg_get_expr(d.adbin, d.adrelid), '…') \
                 ELSE 'ADD GENERATED BY DEFAULT AS IDENTITY' END) \
             {of_tables} JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' \
             LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum WHERE d.oid IS NOT NULL OR a.attidentity <> ''"
        ),
        format!(
            "SELECT n.nspname::text, c.relname::text, a.attname::text, format('NOT NULL of `%s`', a.attname), '', NULL::bigint, \
               NULL::text, a.attname::text, \
               format('ALTER TABLE %s ALTER COLUMN %s SET NOT NULL', quote_ident(c.relname), quote_ident(a.attname)) \
             {of_tables} JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attnotnull"
        ),
        // By what it is over: a copy has one of another name.
        format!(
            "SELECT n.nspname::text, c.relname::text, x.relname::text, \
               format('the unique index (%s)', (SELECT string_agg(pg_get_indexdef(i.indexrelid, k, true), ', ' ORDER BY k) \
                 FROM generate_series(1, i.indnkeyatts::int) k)), \
               coalesce(pg_get_expr(i.indpred, i.indrelid), ''), NULL::bigint, NULL::text, \
               coalesce((SELECT string_agg(DISTINCT a.attname::text, chr(31)) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 \
                 AND (a.attnum = ANY (i.indkey) OR EXISTS (SELECT 1 FROM pg_depend d \
                   WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = i.indexrelid \
                   AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = c.oid AND d.refobjsubid = a.attnum))), ''), \
               pg_get_indexdef(i.indexrelid) \
             {of_tables} JOIN pg_index i ON i.indrelid = c.oid AND i.indisunique AND i.indisvalid \
             JOIN pg_class x ON x.oid = i.indexrelid"
        ),
        // Keys that lead to the table, and its own.
        format!(
            "SELECT n.nspname::text, c.relname::text, f.conname::text, \
               format('the foreign key of `%s` (%s)', o.relname, {of}), '', NULL::bigint, o.relname::text, {between}, \
               format('ALTER TABLE %1$s DROP CONSTRAINT %2$s, ADD CONSTRAINT %2$s FOREIGN KEY (%3$s) REFERENCES %4$s (%5$s)', \
                 quote_ident(o.relname), quote_ident(f.conname), {of}, quote_ident(c.relname), {parents}) \
             {of_tables} {of_keys} AND f.confrelid = c.oid JOIN pg_class o ON o.oid = f.conrelid",
            of = columns("', '"),
            between = columns("chr(31)"),
        ),
        format!(
            "SELECT n.nspname::text, c.relname::text, f.conname::text, \
               format('its foreign key (%s) to `%s`', {of}, o.relname), '', NULL::bigint, NULL::text, {between}, \
               format('ALTER TABLE %s ADD FOREIGN KEY (%s) REFERENCES %s (%s)', quote_ident(c.relname), {of}, \
                 quote_ident(o.relname), {parents}) \
             {of_tables} {of_keys} AND f.conrelid = c.oid JOIN pg_class o ON o.oid = f.confrelid",
            of = columns("', '"),
            between = columns("chr(31)"),
        ),
    ]
}

pub(super) fn read(row: &Row) -> Result<Attached, DatabaseError> {
    let columns = row.text(7)?.split(BETWEEN);
    Ok(Attached {
        schema: Some(row.text(0)?.to_owned()),
        table: row.text(1)?.to_owned(),
        name: row.text(2)?.to_owned(),
        what: row.text(3)?.to_owned(),
        detail: row.text(4)?.to_owned(),
        number: row.optional_int(5)?,
        with: row.optional_text(6)?.map(ToOwned::to_owned),
        columns: columns
            .filter(|column| !column.is_empty())
            .map(ToOwned::to_owned)
            .collect(),
        again: row.text(8)?.to_owned(),
    })
}
