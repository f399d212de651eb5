//! The marks of triggers: when each was made.

use super::Mysql;
use crate::database::{
    Connection as _, DatabaseError, MarksSeen, MarksTell, TriggerMark, TriggerMarks,
};

const QUERIES: [&str; 3] = [
    // A table of the ledger that any role of Phasegate sees, and that nobody alters. OPTIMIZE makes it anew, and leaves the
    // triggers what they were.
    "SELECT CAST(coalesce(max(UNIX_TIMESTAMP(CREATE_TIME)), '') AS CHAR) FROM information_schema.TABLES \
     WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'phasegate_admission'",
    "SELECT CAST(EVENT_OBJECT_TABLE AS CHAR), CAST(TRIGGER_NAME AS CHAR), \
     CAST(coalesce(UNIX_TIMESTAMP(CREATED), '') AS CHAR) \
     FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE() ORDER BY 1, 2",
    // Triggers are shown to those who may make them.
    "SELECT (SELECT count(*) FROM information_schema.USER_PRIVILEGES WHERE PRIVILEGE_TYPE = 'TRIGGER') \
     + (SELECT count(*) FROM information_schema.SCHEMA_PRIVILEGES WHERE PRIVILEGE_TYPE = 'TRIGGER' \
        AND DATABASE() LIKE TABLE_SCHEMA)",
];

impl Mysql {
    pub(super) async fn marks(&mut self) -> Result<TriggerMarks, DatabaseError> {
        let queries: Vec<String> = QUERIES.iter().map(|sql| (*sql).to_owned()).collect();
        let results = self.query_all(&queries).await?;
        let mut results = results.into_iter();
        let mut next = || results.next().unwrap_or_default();
        let place = next().first().map_or(Ok(""), |row| row.text(0))?.to_owned();
        let all = next().into_iter().map(|row| {
            Ok(TriggerMark {
                table: row.text(0)?.to_owned(),
                name: row.text(1)?.to_owned(),
                mark: row.text(2)?.to_owned(),
                fires: true,
            })
        });
        let all = all.collect::<Result<_, DatabaseError>>()?;
        let may_see = next().first().map_or(Ok(0), |row| row.int(0))?;
        let seen = match may_see {
            0 => MarksSeen::Part,
            _ => MarksSeen::All,
        };
        Ok(TriggerMarks {
            place,
            all,
            seen,
            tell: MarksTell::Which,
        })
    }
}
