//! Indexes of a partitioned table: PostgreSQL neither builds nor drops one beside writers, because it would have to in every partition.

use phasegate_sql::Dialect;

use super::Against;
use crate::Kind;

impl Against<'_> {
    pub(super) fn partitions(&mut self, kind: &Kind) {
        if self.dialect != Dialect::Postgres || !self.table.is_partitioned {
            return;
        }
        let (does, help) = match kind {
            Kind::Index(_) | Kind::Unique(_) => ("builds", self.built()),
            Kind::Columns(columns) if !columns.indexes.is_empty() => (
                "builds",
                format!(
                    "say that the old ones go (`drop_indexes`) in place of `[change.indexes]`, and make the new ones in a migration of its own: {}",
                    self.built()
                ),
            ),
            Kind::DropIndex(_) => (
                "drops",
                "write the scripts of this migration by hand, with `DROP INDEX` in a transaction with a short `lock_timeout`: it locks the table and all of its \
                 partitions for a moment"
                    .to_owned(),
            ),
            _ => return,
        };
        self.error(
            format!(
                "`{}` is partitioned, and PostgreSQL {does} no index of such a table beside writers (CONCURRENTLY)",
                self.name
            ),
            help,
        );
    }

    fn built(&self) -> String {
        format!(
            "write the scripts by hand: `CREATE INDEX … ON ONLY {0} (…)`, for each partition `CREATE INDEX CONCURRENTLY …` and \
             `ALTER INDEX … ATTACH PARTITION …`, after which that of `{0}` is valid",
            self.name
        )
    }
}
