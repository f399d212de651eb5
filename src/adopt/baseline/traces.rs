//! Whether migrations that come after a baseline have been at work in a database already.

use crate::database::{Access, Connection, DatabaseError, Presence};
use crate::project::{Sign, Trace};
use crate::sql::{Dialect, Made};

/// The first of these that says so.
///
/// # Errors
/// A database error.
pub async fn first_trace<'t>(
    connection: &mut dyn Connection,
    traces: &'t [Trace],
) -> Result<Option<&'t Trace>, DatabaseError> {
    connection.begin(Access::Read).await?;
    let found = look(connection, traces).await;
    connection.rollback().await?;
    found
}

async fn look<'t>(
    connection: &mut dyn Connection,
    traces: &'t [Trace],
) -> Result<Option<&'t Trace>, DatabaseError> {
    for trace in traces {
        let tells = match trace.sign {
            Sign::There => Presence::Present,
            Sign::Gone => Presence::Absent,
        };
        if presence(connection, &trace.what).await? == tells {
            return Ok(Some(trace));
        }
    }
    Ok(None)
}

async fn presence(connection: &mut dyn Connection, what: &Made) -> Result<Presence, DatabaseError> {
    if is_there(connection, what).await? {
        return Ok(Presence::Present);
    }
    match connection.capabilities().dialect {
        Dialect::Mysql => connection.presence(&what.object()).await,
        // What is in another file, nobody has looked for.
        Dialect::Sqlite if what.schema.is_some() => Ok(Presence::Unknown),
        Dialect::Sqlite => Ok(Presence::Absent),
        // A table is looked for where it would be made, and a column in the table that is seen: one that every table has.
        Dialect::Postgres => {
            let seen = Made {
                column: what.column.clone().or_else(|| Some("tableoid".to_owned())),
                ..what.clone()
            };
            Ok(match is_there(connection, &seen).await? {
                true => Presence::Unknown,
                false => Presence::Absent,
            })
        }
    }
}

async fn is_there(connection: &mut dyn Connection, what: &Made) -> Result<bool, DatabaseError> {
    let found = connection.first_there(std::slice::from_ref(what)).await?;
    Ok(found.is_some())
}
