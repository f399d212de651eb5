//! How large tables are, and which transaction has been open the longest.

use super::Mysql;
use super::quoted::literal;
use crate::database::size::{OpenTransaction, Sizes, TableSize};
use crate::database::{Connection as _, DatabaseError};
use crate::sql::Place;

/// It needs the right PROCESS. When it began stands there in the time zone of the server or of the session, as the release
/// has it; no transaction is open for less than none.
const LONGEST: &str = "SELECT CAST(CASE WHEN by_session >= 0 AND (by_utc < 0 OR by_session <= by_utc) THEN by_session ELSE by_utc END AS SIGNED), \
     user, CAST(id AS SIGNED) FROM ( \
       SELECT timestampdiff(SECOND, t.trx_started, now()) AS by_session, timestampdiff(SECOND, t.trx_started, utc_timestamp()) AS by_utc, \
              coalesce(p.user, '') AS user, t.trx_mysql_thread_id AS id \
       FROM information_schema.innodb_trx t LEFT JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id \
       WHERE t.trx_mysql_thread_id <> connection_id() AND (p.db IS NULL OR p.db = database()) \
       ORDER BY t.trx_started LIMIT 1) AS longest";

impl Mysql {
    pub(super) async fn measure(&mut self, tables: &[Place]) -> Result<Sizes, DatabaseError> {
        let queries: Vec<String> = tables.iter().map(of_table).collect();
        let mut sizes = Sizes::default();
        let answers = match queries.as_slice() {
            // The server takes nothing for a question.
            [] => Vec::new(),
            queries => self.query_all(queries).await?,
        };
        for rows in answers {
            let size = match rows.first() {
                Some(row) => TableSize::of(row.int(0)?, row.int(1)?),
                None => None,
            };
            sizes.tables.push(size);
        }
        // Whoever may not see others is told nothing of them.
        let longest = self.query(LONGEST, &[]).await.unwrap_or_default();
        if let Some(row) = longest.first() {
            let open_for = row.int(0)?.saturating_mul(1000);
            sizes.longest = OpenTransaction::of(open_for, row.text(1)?, "", row.int(2)?);
        }
        Ok(sizes)
    }
}

fn of_table(place: &Place) -> String {
    let schema = place.schema.as_ref();
    let schema = schema.map_or_else(|| "DATABASE()".to_owned(), |schema| literal(schema));
    format!(
        "SELECT CAST(coalesce(table_rows, 0) AS SIGNED), CAST(coalesce(data_length, 0) + coalesce(index_length, 0) AS SIGNED) \
         FROM information_schema.tables WHERE table_schema = {schema} AND table_name = {}",
        literal(&place.table)
    )
}
