//! Whose locks are waited for.

use super::{Flavour, Mysql};
use crate::database::{DatabaseError, LockHolder};

/// Who a session is and what it does, by the process list and the transactions. Of its statement only the kind is told: the
/// text may hold a password.
const DESCRIBED: &str = "SELECT p.id, CONCAT('session ', p.id, ' of ', p.user, '@', p.host, \
     CASE WHEN p.command = 'Sleep' THEN ', idle' ELSE ', running' END, \
     coalesce(CONCAT(', in a transaction since ', t.trx_started), ''), \
     coalesce(CONCAT(', statement: ', UPPER(NULLIF(REGEXP_SUBSTR(p.info, '^[[:space:](]*[a-zA-Z]+([[:space:]]+[a-zA-Z]+)?'), ''))), '')) \
     FROM information_schema.processlist p \
     LEFT JOIN information_schema.innodb_trx t ON t.trx_mysql_thread_id = p.id";

/// Whether it is known that a session holds the lock.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sure {
    Yes,
    No,
}

impl Mysql {
    /// Who holds what the session `id` waits for. Each way of looking needs rights or settings that
    /// may not be there; then the next one is tried.
    pub(super) async fn holders_of_locks(
        &mut self,
        id: i64,
    ) -> Result<Vec<LockHolder>, DatabaseError> {
        let rows_of = match self.flavour {
            Flavour::MariaDb => format!(
                "SELECT DISTINCT b.trx_mysql_thread_id FROM information_schema.innodb_lock_waits w \
                 JOIN information_schema.innodb_trx r ON r.trx_id = w.requesting_trx_id \
                 JOIN information_schema.innodb_trx b ON b.trx_id = w.blocking_trx_id \
                 WHERE r.trx_mysql_thread_id = {id} AND b.trx_state <> 'LOCK WAIT'"
            ),
            Flavour::MySql => {
                format!(
                    "SELECT DISTINCT blocking_pid FROM sys.innodb_lock_waits WHERE waiting_pid = {id} \
                     AND blocking_pid NOT IN (SELECT waiting_pid FROM sys.innodb_lock_waits)"
                )
            }
        };
        let tables_of = format!(
            "SELECT DISTINCT gt.processlist_id FROM performance_schema.metadata_locks p \
             JOIN performance_schema.threads pt ON pt.thread_id = p.owner_thread_id \
             JOIN performance_schema.metadata_locks g ON g.object_type = p.object_type \
             AND g.object_schema = p.object_schema AND g.object_name = p.object_name AND g.lock_status = 'GRANTED' \
             JOIN performance_schema.threads gt ON gt.thread_id = g.owner_thread_id \
             WHERE p.lock_status = 'PENDING' AND pt.processlist_id = {id} AND gt.processlist_id <> {id}"
        );
        for sql in [rows_of, tables_of] {
            let ids = self.ids(&sql).await;
            if !ids.is_empty() {
                return self
                    .describe(&format!("p.id IN ({})", ids.join(", ")), Sure::Yes)
                    .await;
            }
        }
        let state = self
            .rows(&format!(
                "SELECT count(*) FROM information_schema.processlist WHERE id = {id} AND state LIKE 'Waiting for%lock%'"
            ))
            .await?;
        if state.first().map(|row| row.int(0)).transpose()? != Some(1) {
            return Ok(Vec::new());
        }
        // The server does not keep who holds a table; a transaction or a statement has to.
        self.describe(
            &format!(
                "p.id <> {id} AND p.id <> CONNECTION_ID() AND p.db = DATABASE() AND (t.trx_id IS NOT NULL \
                 OR (p.command = 'Query' AND coalesce(p.state, '') NOT LIKE 'Waiting for%lock%'))"
            ),
            Sure::No,
        )
        .await
    }

    async fn ids(&mut self, sql: &str) -> Vec<String> {
        match self.rows(sql).await {
            Ok(rows) => rows
                .iter()
                .filter_map(|row| row.int(0).ok())
                .map(|id| id.to_string())
                .collect(),
            Err(error) => {
                tracing::debug!("looking for the holder of a lock: {error}");
                Vec::new()
            }
        }
    }

    async fn describe(
        &mut self,
        condition: &str,
        sure: Sure,
    ) -> Result<Vec<LockHolder>, DatabaseError> {
        let rows = self
            .rows(&format!("{DESCRIBED} WHERE {condition} ORDER BY p.id"))
            .await?;
        rows.iter()
            .map(|row| {
                let (id, session) = (row.int(0)?, row.text(1)?);
                let (description, end) = match sure {
                    Sure::Yes => (session.to_owned(), Some(format!("KILL {id}"))),
                    Sure::No => (format!("perhaps {session}"), None),
                };
                Ok(LockHolder {
                    id,
                    description,
                    end,
                })
            })
            .collect()
    }
}
