//! Tables, views, triggers and functions, from the catalogue.

use super::Postgres;
use super::attached::BETWEEN;
use crate::database::{Connection as _, DatabaseError, Row};
use crate::sql::{
    Dependent, Dependents, Dialect, Inventory, ObjectKind, RULE, Relation, RelationKind, Runs,
    Visible,
};

/// The schemas that are neither the server's nor the ledger's.
const THEIRS: &str = "n.nspname NOT IN ('pg_catalog', 'information_schema', 'phasegate') AND n.nspname NOT LIKE 'pg\\_toast%'";
impl Postgres {
    pub(super) async fn take_stock(&mut self) -> Result<Inventory, DatabaseError> {
        let queries = [
            format!(
                "SELECT n.nspname::text, c.relname::text, c.relkind::text, \
                   coalesce(string_agg(a.attname::text, chr(31)), ''), c.oid::text \
                 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                 LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
                 WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S') AND {THEIRS} GROUP BY 1, 2, 3, 5 \
                 UNION ALL SELECT n.nspname::text, t.typname::text, 'T', '', t.oid::text \
                 FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace \
                 WHERE (t.typtype IN ('e', 'd', 'r') OR t.typtype = 'c' AND EXISTS ( \
                   SELECT 1 FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c')) AND {THEIRS}"
            ),
            // Those of a partition come and go with its parent's.
            format!(
                "SELECT n.nspname::text, t.tgname::text, c.relname::text, pg_get_triggerdef(t.oid), p.proname::text, \
                   CASE WHEN t.tgenabled IN ('O', 'A') AND NOT EXISTS ( \
                     WITH RECURSIVE below AS ( \
                       SELECT x.oid, x.tgenabled FROM pg_trigger x WHERE to_jsonb(x) ->> 'tgparentid' = t.oid::text \
                       UNION ALL SELECT x.oid, x.tgenabled FROM pg_trigger x JOIN below b \
                         ON to_jsonb(x) ->> 'tgparentid' = b.oid::text) \
                     SELECT 1 FROM below WHERE tgenabled NOT IN ('O', 'A')) THEN 'O' ELSE 'D' END \
                 FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
                 JOIN pg_proc p ON p.oid = t.tgfoid \
                 WHERE NOT t.tgisinternal AND coalesce(to_jsonb(t) ->> 'tgparentid', '0') = '0' AND {THEIRS}"
            ),
            format!(
                "SELECT n.nspname::text, p.proname::text, p.prosrc, \
                   (p.prorettype = 'pg_catalog.trigger'::regtype)::int::text, p.prokind::text, \
                   concat_ws(', ', pg_get_function_arguments(p.oid), p.prosecdef, p.proconfig::text, l.lanname), \
                   pg_get_function_identity_arguments(p.oid) \
                 FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang \
                 WHERE l.lanname NOT IN ('c', 'internal') AND {THEIRS} AND NOT EXISTS ( \
                   SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid \
                   AND d.deptype = 'e')"
            ),
            format!(
                "SELECT n.nspname::text, c.relname::text, pg_get_viewdef(c.oid) \
                 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'v' AND {THEIRS}"
            ),
            // What makes a view of a relation is a rule as well, and told above.
            format!(
                "SELECT n.nspname::text, r.rulename::text, pg_get_ruledef(r.oid), c.relname::text, r.ev_enabled::text \
                 FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace \
                 WHERE r.rulename <> '_RETURN' AND {THEIRS}"
            ),
        ];
        let attached = super::attached::queries(THEIRS);
        let queries: Vec<String> = queries.into_iter().chain(attached).collect();
        let results = self.query_all(&queries).await?;
        let mut inventory = Inventory {
            code: Dependents::new(Dialect::Postgres),
            relations: Vec::new(),
            attached: Vec::new(),
            visible: Visible::All,
        };
        let mut results = results.into_iter();
        let mut next = || results.next().unwrap_or_default();
        for row in next() {
            inventory.relations.push(relation(&row)?);
        }
        for row in next() {
            inventory.code.all.push(trigger(&row)?);
        }
        for row in next() {
            inventory.code.all.push(function(&row)?);
        }
        for row in next() {
            let (name, text) = (row.text(1)?, row.text(2)?);
            let view = dependent(ObjectKind::View, "view", row.text(0)?, name, text);
            inventory.code.all.push(view);
        }
        for row in results.next().unwrap_or_default() {
            let fires = matches!(row.text(4)?, "O" | "A");
            inventory.code.all.push(Dependent {
                table: Some(row.text(3)?.to_owned()),
                runs: if fires { Runs::Used } else { Runs::Never },
                ..dependent(
                    ObjectKind::Trigger,
                    RULE,
                    row.text(0)?,
                    row.text(1)?,
                    row.text(2)?,
                )
            });
        }
        for rows in results {
            let attached = rows.iter().map(super::attached::read);
            inventory
                .attached
                .extend(attached.collect::<Result<Vec<_>, _>>()?);
        }
        Ok(inventory)
    }
}

fn relation(row: &Row) -> Result<Relation, DatabaseError> {
    let columns = row.text(3)?.split(BETWEEN);
    Ok(Relation {
        kind: match row.text(2)? {
            "v" | "m" => RelationKind::View,
            "S" => RelationKind::Sequence,
            "T" => RelationKind::Type,
            _ => RelationKind::Table,
        },
        schema: Some(row.text(0)?.to_owned()),
        name: row.text(1)?.to_owned(),
        columns: columns.map(ToOwned::to_owned).collect(),
        identity: Some(row.text(4)?.to_owned()),
    })
}

fn trigger(row: &Row) -> Result<Dependent, DatabaseError> {
    let fires = row.text(5)? == "O";
    Ok(Dependent {
        table: Some(row.text(2)?.to_owned()),
        header: row.text(3)?.to_owned(),
        calls: Some(row.text(4)?.to_owned()),
        runs: if fires { Runs::Used } else { Runs::Never },
        ..dependent(
            ObjectKind::Trigger,
            "trigger",
            row.text(0)?,
            row.text(1)?,
            "",
        )
    })
}

fn function(row: &Row) -> Result<Dependent, DatabaseError> {
    let word = match row.text(4)? {
        "p" => "procedure",
        _ => "function",
    };
    // A body of the SQL standard is tied to what it names by the server, and is no text.
    let body = row.optional_text(2)?.unwrap_or_default();
    let is_for_triggers = row.text(3)? == "1";
    Ok(Dependent {
        header: row.text(5)?.to_owned(),
        arguments: Some(row.text(6)?.to_owned()),
        runs: if is_for_triggers {
            Runs::ByTriggers
        } else {
            Runs::Used
        },
        ..dependent(ObjectKind::Function, word, row.text(0)?, row.text(1)?, body)
    })
}

fn dependent(
    kind: ObjectKind,
    word: &'static str,
    schema: &str,
    name: &str,
    body: &str,
) -> Dependent {
    Dependent {
        kind,
        word,
        schema: Some(schema.to_owned()),
        name: name.to_owned(),
        table: None,
        header: String::new(),
        body: body.to_owned(),
        calls: None,
        arguments: None,
        runs: Runs::Used,
    }
}
