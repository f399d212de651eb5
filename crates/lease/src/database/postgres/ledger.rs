//! Whether the tables of the ledger are what this program has made, and nobody else's.

use super::guards::{GUARDS, SETTINGS};
use super::quoted::identifier;
use super::{Postgres, literal};
use crate::database::{DatabaseError, ErrorKind, Owners};

/// What another database records comes here without the changes that it tells of.
fn replicated(subscription: &str) -> DatabaseError {
    DatabaseError::new(
        ErrorKind::Standby,
        format!(
            "the rows of the ledger come here by the subscription `{subscription}`, and what they tell of does not: it replicates no change of a schema. \
             Where this database is migrated by itself, have the publication name its schemas or tables in the place of FOR ALL TABLES, leave \
             the schema phasegate out, and run ALTER SUBSCRIPTION {} REFRESH PUBLICATION here: \
             then the ledger is this database's own, and holds what was recorded until then",
            identifier(subscription)
        ),
    )
}

impl Postgres {
    /// What speaks against the schema of the ledger and these tables in it, in words; nothing where they are not there.
    pub(super) async fn against_ledger(
        &mut self,
        tables: &[&str],
        owners: Owners,
    ) -> Result<Vec<String>, DatabaseError> {
        let names: Vec<String> = tables.iter().map(|name| literal(name)).collect();
        let names = names.join(", ");
        // Whoever owns a table can put code on it. A superuser can do so anyway.
        let schema_is_foreign = match owners {
            Owners::Trusted => "nspowner NOT IN (SELECT oid FROM trusted)",
            Owners::One => "false",
        };
        // What belongs to the owner of the schema is said with that.
        let table_is_foreign = "relowner <> nspowner AND relowner NOT IN (SELECT oid FROM trusted)";
        // A function of the ledger's own schema that is one of the guards, word by word, on the table that it is for.
        let guards: Vec<String> = GUARDS
            .iter()
            .map(|(table, body)| format!("({}, {})", literal(table), literal(body)))
            .collect();
        let is_guard = format!(
            "EXISTS (SELECT FROM pg_proc p JOIN pg_language g ON g.oid = p.prolang JOIN space s ON s.oid = p.pronamespace \
             JOIN (VALUES {}) AS k (name, body) ON 'phasegate.' || k.name = f.name AND k.body = p.prosrc \
             WHERE p.oid = t.tgfoid AND p.proowner = s.nspowner AND NOT p.prosecdef AND g.lanname = 'plpgsql' \
             AND p.proconfig = ARRAY[{}])",
            guards.join(", "),
            literal(SETTINGS),
        );
        let sql = format!(
            "WITH RECURSIVE mine (oid) AS (\
               SELECT oid FROM pg_roles WHERE rolname IN (current_user, session_user) \
               UNION SELECT m.roleid FROM pg_auth_members m JOIN mine ON m.member = mine.oid), \
             trusted AS (SELECT oid FROM mine UNION SELECT oid FROM pg_roles WHERE rolsuper \
               UNION SELECT r.oid FROM pg_roles r, pg_database d WHERE r.rolname = 'pg_database_owner' \
               AND d.datname = current_database() AND d.datdba IN (SELECT oid FROM mine)), \
             space AS (SELECT oid, nspname, nspowner FROM pg_namespace WHERE nspname = 'phasegate'), \
             found AS (SELECT c.oid, 'phasegate.' || c.relname AS name, c.relkind, c.relpersistence, c.relowner, c.relrowsecurity, s.nspowner \
               FROM pg_class c JOIN space s ON c.relnamespace = s.oid WHERE c.relname IN ({names})), \
             parts AS (SELECT 'pg_class'::regclass AS class, oid, name FROM found \
               UNION ALL SELECT 'pg_class'::regclass, i.indexrelid, f.name FROM pg_index i JOIN found f ON f.oid = i.indrelid \
               UNION ALL SELECT 'pg_constraint'::regclass, o.oid, f.name FROM pg_constraint o JOIN found f ON f.oid = o.conrelid \
               UNION ALL SELECT 'pg_attrdef'::regclass, d.oid, f.name FROM pg_attrdef d JOIN found f ON f.oid = d.adrelid), \
             against (what) AS (SELECT 'the schema phasegate belongs to ' || pg_get_userbyid(nspowner) FROM space WHERE {schema_is_foreign} \
             UNION ALL SELECT 'the table ' || name || ' belongs to ' || pg_get_userbyid(relowner) FROM found WHERE {table_is_foreign} \
             UNION ALL SELECT name || ' is no ordinary table' FROM found WHERE relkind <> 'r' \
             UNION ALL SELECT name || ' is not logged: a crash of the server empties it' FROM found WHERE relpersistence <> 'p' \
             UNION ALL SELECT name || ' has row level security' FROM found WHERE relrowsecurity \
             UNION ALL SELECT f.name || ' has the trigger ' || t.tgname FROM pg_trigger t JOIN found f ON f.oid = t.tgrelid \
               WHERE NOT t.tgisinternal AND NOT {is_guard} \
             UNION ALL SELECT f.name || ' has the rule ' || r.rulename FROM pg_rewrite r JOIN found f ON f.oid = r.ev_class \
               WHERE r.rulename <> '_RETURN' \
             UNION ALL SELECT f.name || ' has the unique index ' || x.relname FROM pg_index i JOIN found f ON f.oid = i.indrelid \
               JOIN pg_class x ON x.oid = i.indexrelid WHERE i.indisunique AND NOT i.indisprimary \
             UNION ALL SELECT f.name || ' shares rows with ' || (CASE f.oid WHEN h.inhparent THEN h.inhrelid ELSE h.inhparent END)::regclass::text \
               FROM pg_inherits h JOIN found f ON f.oid IN (h.inhparent, h.inhrelid) \
             UNION ALL SELECT f.name || ' is tied to another table by the foreign key ' || o.conname \
               FROM pg_constraint o JOIN found f ON f.oid IN (o.conrelid, o.confrelid) WHERE o.contype = 'f' \
             UNION ALL SELECT DISTINCT p.name || ' uses ' || pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid) \
               FROM parts p JOIN pg_depend d ON d.classid = p.class AND d.objid = p.oid \
               WHERE d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass, 'pg_type'::regclass, 'pg_opclass'::regclass, \
               'pg_opfamily'::regclass, 'pg_collation'::regclass, 'pg_am'::regclass)) \
             SELECT what, NULL::text FROM against \
             UNION ALL SELECT NULL, min(s.subname::text) FROM found f JOIN pg_subscription_rel r ON r.srrelid = f.oid \
               JOIN pg_subscription s ON s.oid = r.srsubid HAVING count(*) > 0"
        );
        let rows = self.rows(&sql).await?;
        let mut against = Vec::new();
        for row in &rows {
            if let Some(subscription) = row.optional_text(1)? {
                return Err(replicated(subscription));
            }
            against.extend(row.optional_text(0)?.map(ToOwned::to_owned));
        }
        Ok(against)
    }
}
