//! Who changes the schema at this moment.

use super::Postgres;
use super::quoted::literal;
use crate::database::DatabaseError;

impl Postgres {
    /// The sessions at work that are called `named`, or that hold or want a lock which no query of an application takes.
    pub(super) async fn changing(&mut self, named: &str) -> Result<Vec<i64>, DatabaseError> {
        let named = literal(named);
        let query = format!(
            "SELECT a.pid::bigint FROM pg_stat_activity a WHERE a.pid <> pg_backend_pid() \
             AND a.datname = current_database() AND (a.backend_type IS NULL OR a.backend_type = 'client backend') \
             AND a.state IS DISTINCT FROM 'idle' AND (a.application_name = {named} OR EXISTS (\
             SELECT 1 FROM pg_locks l WHERE l.pid = a.pid AND l.locktype = 'relation' AND l.mode IN (\
             'ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'))) \
             ORDER BY a.pid"
        );
        let rows = self.rows(&query).await?;
        rows.iter().map(|row| row.int(0)).collect()
    }
}
