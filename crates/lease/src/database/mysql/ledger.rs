//! Whether the tables of the ledger are what this program has made.

use super::capabilities::{COLLATION, LEDGER_PREFIX};
use super::quoted::literal;
use super::{Flavour, Mysql};
use crate::database::{DatabaseError, ErrorKind, Owners, Row};

impl Mysql {
    /// The schema in which the ledger's tables are, as an expression.
    pub(super) fn ledger_schema(&self) -> String {
        match &self.capabilities.apart {
            None => "DATABASE()".to_owned(),
            Some(apart) => literal(&apart.ledger),
        }
    }

    /// The schemas of the application and of the ledger, as a list of expressions.
    pub(super) fn both_schemas(&self) -> String {
        match &self.capabilities.apart {
            None => "DATABASE()".to_owned(),
            Some(apart) => format!("DATABASE(), {}", literal(&apart.ledger)),
        }
    }

    /// What speaks against the ledger's tables. A trigger runs as whoever made it, and could change what is recorded; a foreign
    /// key that leads to such a table keeps its rows, or takes others along with them; a unique index refuses what others write.
    pub(super) async fn against_ledger(
        &mut self,
        tables: &[&str],
        owners: Owners,
    ) -> Result<Vec<String>, DatabaseError> {
        let names: Vec<String> = tables
            .iter()
            .map(|name| literal(&format!("{LEDGER_PREFIX}{name}")))
            .collect();
        let names = names.join(", ");
        let schema = self.ledger_schema();
        let rows = self
            .rows(&format!(
                "SELECT CONCAT(table_name, ' is no ordinary table with transactions, but ', lower(table_type), ' ', coalesce(engine, '')) FROM information_schema.tables \
                 WHERE table_schema = {schema} AND table_name IN ({names}) \
                 AND (table_type <> 'BASE TABLE' OR coalesce(engine, '') <> 'InnoDB') \
                 UNION ALL SELECT CONCAT(event_object_table, ' has the trigger ', trigger_name, ' of ', definer) \
                 FROM information_schema.triggers WHERE event_object_schema = {schema} AND event_object_table IN ({names})"
            ))
            .await?;
        let mut against = texts(&rows)?;
        // An index or a key can refuse what an instance writes, and can make nothing of it that was not written. Looking for them takes the
        // server longer than admitting does, so that is for who owns the ledger.
        if owners == Owners::Trusted {
            against.extend(self.collations_of_ledger(&schema, &names).await?);
            against.extend(self.unique_on_ledger(&schema, &names).await?);
            against.extend(self.keys_to_ledger(&schema, &names).await?);
        }
        Ok(against)
    }

    /// Names and versions that differ in their letters alone are two. Whoever converts all tables of a database at once makes one of them.
    async fn collations_of_ledger(
        &mut self,
        schema: &str,
        names: &str,
    ) -> Result<Vec<String>, DatabaseError> {
        let rows = self
            .rows(&format!(
                "SELECT DISTINCT CONCAT(table_name, ' compares texts by ', collation_name, ' (ALTER TABLE ', table_name, \
                 ' CONVERT TO CHARACTER SET utf8mb4 COLLATE {COLLATION})') FROM information_schema.columns \
                 WHERE table_schema = {schema} AND table_name IN ({names}) AND collation_name <> '{COLLATION}'"
            ))
            .await?;
        texts(&rows)
    }

    async fn unique_on_ledger(
        &mut self,
        schema: &str,
        names: &str,
    ) -> Result<Vec<String>, DatabaseError> {
        let rows = self
            .rows(&format!(
                "SELECT DISTINCT CONCAT(table_name, ' has the unique index ', index_name) FROM information_schema.statistics \
                 WHERE table_schema = {schema} AND table_name IN ({names}) AND non_unique = 0 AND index_name <> 'PRIMARY'"
            ))
            .await?;
        texts(&rows)
    }

    /// The foreign keys that lead to the ledger's tables, or from them. Whoever sees the engine's own list sees those from other
    /// databases as well; a coordinator who does not looks into this one.
    async fn keys_to_ledger(
        &mut self,
        schema: &str,
        names: &str,
    ) -> Result<Vec<String>, DatabaseError> {
        let list = match self.flavour {
            Flavour::MariaDb => "innodb_sys_foreign",
            Flavour::MySql => "innodb_foreign",
        };
        // There names of databases are written as those of their directories.
        let is_ledgers = |column: &str| {
            format!(
                "(SUBSTRING_INDEX({column}, '/', 1) = CAST(CONVERT({schema} USING filename) AS BINARY) \
                 AND SUBSTRING_INDEX({column}, '/', -1) IN ({names}))"
            )
        };
        let told = self
            .rows(&format!(
                "SELECT CAST(CONCAT(SUBSTRING_INDEX(ref_name, '/', -1), ' is tied to ', REPLACE(for_name, '/', '.'), \
                 ' by a foreign key') AS CHAR) FROM information_schema.{list} WHERE {} OR {}",
                is_ledgers("ref_name"),
                is_ledgers("for_name")
            ))
            .await;
        match told {
            Ok(rows) => return texts(&rows),
            Err(error) if error.kind != ErrorKind::Permission => return Err(error),
            Err(_) => {}
        }
        let rows = self
            .rows(&format!(
                "SELECT DISTINCT CONCAT(referenced_table_name, ' is tied to ', table_name, ' by the foreign key ', constraint_name) \
                 FROM information_schema.key_column_usage WHERE table_schema = DATABASE() \
                 AND referenced_table_schema = {schema} AND referenced_table_name IN ({names})"
            ))
            .await?;
        texts(&rows)
    }
}

fn texts(rows: &[Row]) -> Result<Vec<String>, DatabaseError> {
    rows.iter().map(|row| Ok(row.text(0)?.to_owned())).collect()
}
