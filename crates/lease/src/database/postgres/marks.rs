//! The marks of triggers: their rows in the catalogue, which are written anew whenever a trigger is.

use super::Postgres;
use crate::database::{
    Connection as _, DatabaseError, MarksSeen, MarksTell, TriggerMark, TriggerMarks,
};

impl Postgres {
    /// A function that is replaced keeps its number. That it was is not told, because a GRANT writes its row anew as well.
    pub(super) async fn marks(&mut self) -> Result<TriggerMarks, DatabaseError> {
        let queries = [
            "SELECT concat((SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database()), '/', \
               (SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                WHERE n.nspname = 'phasegate' AND c.relname = 'meta'))"
                .to_owned(),
            "SELECT c.relname::text, t.tgname::text, concat(t.oid, '/', t.xmin, '/', t.tgfoid), \
               (t.tgenabled IN ('O', 'A'))::int \
             FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE NOT t.tgisinternal AND coalesce(to_jsonb(t) ->> 'tgparentid', '0') = '0' \
             AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'phasegate') ORDER BY 1, 2"
                .to_owned(),
        ];
        let results = self.query_all(&queries).await?;
        let mut results = results.into_iter();
        let place = results.next().unwrap_or_default();
        let inside = place.first().map_or(Ok(""), |row| row.text(0))?.to_owned();
        // A cluster that was upgraded is another one; one that was promoted is not.
        let cluster = self.server().and_then(|server| server.split('/').next());
        let place = format!("{}/{inside}", cluster.unwrap_or_default());
        let all = results.next().unwrap_or_default().into_iter().map(|row| {
            Ok(TriggerMark {
                table: row.text(0)?.to_owned(),
                name: row.text(1)?.to_owned(),
                mark: row.text(2)?.to_owned(),
                fires: row.int(3)? != 0,
            })
        });
        Ok(TriggerMarks {
            place,
            all: all.collect::<Result<_, DatabaseError>>()?,
            seen: MarksSeen::All,
            // Two clusters may count alike from their beginnings.
            tell: MarksTell::Where,
        })
    }
}
