//! Ending a statement at the server, from a second connection.

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, Row as _};

use super::{Flavour, Marked, from_sqlx, login, own};
use crate::database::{DatabaseError, ErrorKind, Target};

/// Where a statement runs that is to be ended.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub id: i64,
    pub flavour: Flavour,
    pub marked: Marked,
}

/// The server's number of a statement that has ended meanwhile, or a session.
const GONE: [&str; 2] = ["1094", "1957"];

/// Ends the statement that the session is running, if it still is. Logs in with what the password is by now.
///
/// Only a session that is ours is met, whoever has its number by now; and where the server numbers statements, only the one
/// that was found there.
pub(super) async fn end_statement(target: &Target, place: Place) -> Result<(), DatabaseError> {
    let Place {
        id,
        flavour,
        marked,
    } = place;
    let target = target.current().await?;
    let options = login::options(&target)?;
    let mut other = login::log_in(&target, &options).await?;
    let number = match flavour {
        Flavour::MariaDb => "query_id",
        Flavour::MySql => "id",
    };
    let is_ours = match marked {
        Marked::Yes => own::is_marked("id"),
        Marked::No => "1".to_owned(),
    };
    let looking = format!(
        "SELECT CAST({number} AS SIGNED) FROM information_schema.processlist WHERE id = {id} \
         AND command NOT IN ('Sleep', 'Killed') AND {is_ours}"
    );
    let found = other.fetch_optional(sqlx::raw_sql(AssertSqlSafe(looking)));
    let found = found.await.map_err(|error| from_sqlx(&error))?;
    if let Some(row) = found {
        let number: i64 = row.try_get(0).map_err(|error| from_sqlx(&error))?;
        let kill = match flavour {
            Flavour::MariaDb => format!("KILL QUERY ID {number}"),
            Flavour::MySql => format!("KILL QUERY {number}"),
        };
        let killed = other.execute(sqlx::raw_sql(AssertSqlSafe(kill))).await;
        if let Err(error) = killed.map_err(|error| from_sqlx(&error)) {
            let is_gone = error
                .code
                .as_deref()
                .is_some_and(|code| GONE.contains(&code));
            if error.kind != ErrorKind::Statement || !is_gone {
                return Err(error);
            }
        }
    }
    // It was asked for; the farewell changes nothing.
    let _ = other.close().await;
    Ok(())
}
