//! Whose locks are waited for.

use std::time::Duration;

use futures_util::future::BoxFuture;

use super::{Flavour, Mysql, own};
use crate::database::holders::{Seen, in_words, naming};
use crate::database::own::is_own_session;
use crate::database::{
    Asks, ConnectOptions, DatabaseError, ErrorKind, LockHolder, Statements, Target,
};
use crate::text::secret;

/// Who a session is and what it does, by the process list and the transactions. Of its statement only the kind is told unless
/// the whole is asked for: the text may hold a password.
fn described(statements: Statements) -> String {
    let statement = match statements {
        Statements::Kind => {
            "UPPER(REGEXP_SUBSTR(p.info, '^[[:space:](]*[a-zA-Z]+([[:space:]]+[a-zA-Z]+)?'))"
        }
        Statements::Whole => "LEFT(p.info, 2000)",
    };
    format!(
        "SELECT p.id, CONCAT('session ', p.id, ' of ', p.user, '@', p.host, \
         CASE WHEN p.command = 'Sleep' THEN ', idle' ELSE ', running' END, \
         coalesce(CONCAT(', in a transaction since ', t.trx_started), ''), \
         coalesce(CONCAT(', statement: ', NULLIF({statement}, '')), '')) \
         FROM information_schema.processlist p \
         LEFT JOIN information_schema.innodb_trx t ON t.trx_mysql_thread_id = p.id"
    )
}

/// Who has locked a table of these databases against readers, where the plugin `metadata_lock_info` of MariaDB or the
/// performance schema tells.
const KEEP_OUT: [&str; 2] = [
    "SELECT DISTINCT thread_id FROM information_schema.metadata_lock_info \
     WHERE table_schema IN ({}) AND lock_mode IN ('MDL_SHARED_NO_READ_WRITE', 'MDL_EXCLUSIVE') \
     AND thread_id <> CONNECTION_ID()",
    "SELECT DISTINCT t.processlist_id FROM performance_schema.metadata_locks l \
     JOIN performance_schema.threads t ON t.thread_id = l.owner_thread_id \
     WHERE l.object_schema IN ({}) AND l.object_type = 'TABLE' AND l.lock_status = 'GRANTED' \
     AND l.lock_type IN ('SHARED_NO_READ_WRITE', 'EXCLUSIVE') AND t.processlist_id <> CONNECTION_ID()",
];

/// How a server may be made to say who holds a table.
const TO_KNOW: &str = "who holds it the server does not say: of rows it would to a user with the right PROCESS, and of a table with \
     `INSTALL SONAME 'metadata_lock_info'` (MariaDB) or its performance schema and the instrument `wait/lock/metadata/sql/mdl`; \
     `SHOW FULL PROCESSLIST` lists who there is";

/// Whether it is known that a session holds the lock.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sure {
    Yes,
    No,
}

impl Mysql {
    /// What an error is of: of an interruption, or of a lock, whose holder a question names.
    pub(super) async fn judged(&self, error: DatabaseError, seen: Seen) -> DatabaseError {
        let error = self.stop.judge(error);
        if self.asks != Asks::Yes || error.kind != ErrorKind::Locked {
            return error;
        }
        let holders = seen.into_holders();
        if holders.iter().any(|holder| holder.end.is_some()) {
            return naming(error, &holders);
        }
        name_holders(self.target.clone(), error).await
    }

    /// The session to look at while it waits, where somebody is to be told for whom.
    pub(super) fn watched(&self) -> Option<i64> {
        (self.asks == Asks::Yes).then_some(self.id)
    }

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
        let mut guessed = self.perhaps(id).await?;
        match guessed.last_mut() {
            Some(last) => last.description.push_str(&format!("; {TO_KNOW}")),
            None => guessed.push(LockHolder {
                id: 0,
                description: format!("a session that is not known: {TO_KNOW}"),
                end: None,
            }),
        }
        Ok(guessed)
    }

    /// Who may hold a table that the session `id` waits for, where the server does not tell who does: whoever has locked one,
    /// is in a transaction, or at work.
    async fn perhaps(&mut self, id: i64) -> Result<Vec<LockHolder>, DatabaseError> {
        let locked = format!(
            "SELECT DISTINCT thread_id FROM information_schema.metadata_lock_info \
             WHERE table_schema IN ({}) AND thread_id NOT IN ({id}, CONNECTION_ID())",
            self.both_schemas()
        );
        let ids = self.ids(&locked).await;
        let which = if ids.is_empty() {
            // One that has chosen no database may have named a table with its own.
            format!(
                "(p.db IN ({}) OR p.db IS NULL) AND (t.trx_id IS NOT NULL OR p.command = 'Query')",
                self.both_schemas()
            )
        } else {
            format!("p.id IN ({})", ids.join(", "))
        };
        self.describe(
            &format!(
                "p.id NOT IN ({id}, CONNECTION_ID()) AND coalesce(p.state, '') NOT LIKE 'Waiting for%lock%' AND {which}"
            ),
            Sure::No,
        )
        .await
    }

    /// Who keeps everybody from reading a table of this database, for a question that has given up waiting for it; in words.
    async fn keeping_out(&mut self) -> Result<String, DatabaseError> {
        for sql in KEEP_OUT {
            let ids = self.ids(&sql.replace("{}", &self.both_schemas())).await;
            if !ids.is_empty() {
                let which = format!("p.id IN ({})", ids.join(", "));
                let holders = self.describe(&which, Sure::Yes).await?;
                return Ok(format!("it is held by {}", in_words(&holders)));
            }
        }
        // The session that asked may still be in its transaction.
        let mut holders = self.perhaps(0).await?;
        holders.retain(|holder| !is_own_session(holder.id));
        if holders.is_empty() {
            // LOCK TABLES leaves no trace but its session.
            let others = format!(
                "p.db IN ({}) AND p.command = 'Sleep' AND NOT {}",
                self.both_schemas(),
                own::is_marked("p.id")
            );
            holders = self.describe(&others, Sure::No).await?;
        }
        Ok(if holders.is_empty() {
            TO_KNOW.to_owned()
        } else {
            format!("it is held by {}; {TO_KNOW}", in_words(&holders))
        })
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
            .rows(&format!(
                "{} WHERE {condition} ORDER BY p.id",
                described(self.target.statements())
            ))
            .await?;
        rows.iter()
            .map(|row| {
                let (id, session) = (row.int(0)?, secret::masked(row.text(1)?));
                let (description, end) = match sure {
                    Sure::Yes => (session.into_owned(), Some(format!("KILL {id}"))),
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

/// Says who is in the way of a question, which its own session cannot ask any more.
fn name_holders(target: Target, mut error: DatabaseError) -> BoxFuture<'static, DatabaseError> {
    /// Nothing that is asked here waits for a lock; the login may.
    const PATIENCE: Duration = Duration::from_secs(10);
    Box::pin(async move {
        let looking = async {
            let options = ConnectOptions {
                lock_limit: Some(Duration::from_secs(1)),
                ..ConnectOptions::default()
            };
            let mut other = Mysql::connect(&target, options).await?;
            other.keeping_out().await
        };
        if let Ok(Ok(who)) = tokio::time::timeout(PATIENCE, looking).await {
            error.message = format!("{}; {who}", error.message);
        }
        error
    })
}
