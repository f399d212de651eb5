//! Where a session is: on which server, among which schemas, and behind whom.

use futures_util::future::BoxFuture;

use super::{Postgres, literal};
use crate::database::holders::naming;
use crate::database::{
    ConnectOptions, DatabaseError, ErrorKind, LockHolder, Server, Statements, Target,
};
use crate::sql::ServerReading;
use crate::text::secret;

/// What follows a server that is behind.
const LAG: &str = "SELECT CASE WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0 \
     ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::bigint END";

/// The cluster and its timeline, which begins with a promotion; a standby has none of its own.
const SERVER: &str = "CASE WHEN pg_catalog.pg_is_in_recovery() THEN NULL ELSE pg_catalog.concat(\
     (SELECT c.system_identifier FROM pg_catalog.pg_control_system() c), '/', \
     pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8)) END";

impl Postgres {
    /// Looks at what the session is, under its own names.
    pub(super) async fn look_where(&mut self, server: Server) -> Result<(), DatabaseError> {
        let look = |server: &str| {
            format!(
                "SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('search_path'), \
                 current_user::pg_catalog.text, EXISTS (SELECT FROM pg_catalog.pg_namespace n \
                 WHERE n.nspname OPERATOR(pg_catalog.=) current_user), {server}, \
                 pg_catalog.current_setting('standard_conforming_strings'), \
                 pg_catalog.current_setting('session_replication_role')"
            )
        };
        let rows = match self.their_rows(&look(SERVER)).await {
            Ok(rows) => rows,
            // Not every service that offers PostgreSQL lets its users see that.
            Err(error) if matches!(error.kind, ErrorKind::Permission | ErrorKind::Statement) => {
                self.their_rows(&look("NULL::pg_catalog.text")).await?
            }
            Err(error) => return Err(error),
        };
        let Some(row) = rows.first() else {
            return Ok(());
        };
        if row.int(0)? != 0 && server != Server::Any {
            return Err(self.standby().await);
        }
        if row.text(5)? == "off" {
            self.readings.push(ServerReading::EscapingBackslash);
        }
        if row.text(6)? == "replica" && server != Server::Any {
            return Err(DatabaseError::new(
                ErrorKind::Statement,
                format!(
                    "sessions of `{user}` have session_replication_role = replica: they fire no triggers and check no foreign keys, \
                     so that what keeps formats in step would not see what they write. Take it back (ALTER ROLE {user} RESET \
                     session_replication_role), or log in as another role",
                    user = row.text(2)?
                ),
            ));
        }
        let user = (row.int(3)? != 0).then(|| row.text(2)).transpose()?;
        self.server = row.optional_text(4)?.map(ToOwned::to_owned);
        self.schemas = listed(row.text(1)?, user).join(", ");
        Ok(())
    }

    /// Whether names are looked for in the same schemas as where these are listed. Those that are not there hold nothing, and
    /// neither do those that this role may not use: the server passes them by.
    pub(super) async fn are_its_schemas(&mut self, named: &str) -> Result<bool, DatabaseError> {
        if self.schemas == named {
            return Ok(true);
        }
        let lists = [named, &self.schemas].map(|list| {
            let names: Vec<String> = list.split(", ").map(literal).collect();
            format!(
                "(SELECT coalesce(string_agg(n.nspname, ', ' ORDER BY l.at), '') FROM unnest(ARRAY[{}]::text[]) \
                 WITH ORDINALITY AS l (name, at) JOIN pg_namespace n ON n.nspname = l.name \
                 WHERE has_schema_privilege(n.oid, 'USAGE'))",
                names.join(", ")
            )
        });
        let sql = format!("SELECT {}", lists.join(", "));
        let rows = self.rows(&sql).await?;
        let Some(row) = rows.first() else {
            return Ok(false);
        };
        let (recorded, own) = (row.text(0)?, row.text(1)?);
        // Where nothing is there yet, two lists that differ will make two places.
        Ok(recorded == own && !own.is_empty())
    }

    /// Those of these schemas that are there, whether or not this role may use them.
    pub(super) async fn there_of(&mut self, named: &str) -> Result<Vec<String>, DatabaseError> {
        let names: Vec<String> = named.split(", ").map(literal).collect();
        let sql = format!(
            "SELECT nspname::text FROM pg_namespace WHERE nspname IN ({}) ORDER BY 1",
            names.join(", ")
        );
        let rows = self.rows(&sql).await?;
        rows.iter().map(|row| Ok(row.text(0)?.to_owned())).collect()
    }

    async fn standby(&mut self) -> DatabaseError {
        let rows = self.rows(LAG).await.unwrap_or_default();
        let seconds = rows.first().and_then(|row| row.int(0).ok());
        let behind = seconds.map_or_else(
            || "how far behind cannot be told".to_owned(),
            |seconds| format!("{} s behind", seconds.max(0)),
        );
        DatabaseError::new(ErrorKind::Standby, format!("this is a standby, {behind}"))
    }

    /// Sessions that keep everybody from reading a table of this database.
    async fn exclusive(&mut self) -> Result<Vec<LockHolder>, DatabaseError> {
        let rows = self
            .rows(
                "SELECT DISTINCT l.pid FROM pg_locks l JOIN pg_database d ON d.oid = l.database \
                 WHERE d.datname = current_database() AND l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' \
                 AND l.pid <> pg_backend_pid() ORDER BY 1",
            )
            .await?;
        let mut pids = Vec::new();
        for row in &rows {
            pids.push(row.int(0)?.to_string());
        }
        if pids.is_empty() {
            return Ok(Vec::new());
        }
        self.holders(&format!("VALUES ({})", pids.join("), (")))
            .await
    }

    /// Those of these sessions, and of those that they wait for, that wait for nobody themselves.
    pub(super) async fn holders(&mut self, pids: &str) -> Result<Vec<LockHolder>, DatabaseError> {
        // Who stands before it in the queue and waits as well is not to blame. Of its statement only the kind is told unless
        // the whole is asked for: the text may hold a password.
        let statement = match self.target.statements() {
            Statements::Kind => {
                "upper(regexp_replace(substring(query from '^[[:space:](]*([a-zA-Z]+([[:space:]]+[a-zA-Z]+)?)'), '\\s+', ' ', 'g'))"
            }
            Statements::Whole => "nullif(left(query, 2000), '')",
        };
        let rows = self
            .rows(&format!(
                "WITH RECURSIVE blocking (pid) AS ({pids} UNION SELECT unnest(pg_blocking_pids(pid)) FROM blocking) \
                 SELECT pid, 'session ' || pid || coalesce(' of ' || usename, '') \
                 || CASE WHEN application_name <> '' THEN ' (' || application_name || ')' ELSE '' END \
                 || coalesce(', ' || state, '') \
                 || coalesce(', in a transaction since ' || to_char(xact_start AT TIME ZONE 'UTC', 'HH24:MI:SS') || ' UTC', '') \
                 || coalesce(', last statement: ' || {statement}, '') \
                 FROM pg_stat_activity WHERE pid IN (SELECT pid FROM blocking) AND cardinality(pg_blocking_pids(pid)) = 0"
            ))
            .await?;
        rows.iter()
            .map(|row| {
                let id = row.int(0)?;
                Ok(LockHolder {
                    id,
                    end: Some(format!("SELECT pg_terminate_backend({id})")),
                    description: secret::masked(row.text(1)?).into_owned(),
                })
            })
            .collect()
    }
}

/// Says who is in the way of a question, which its own session cannot ask any more.
pub(super) fn name_holders(
    target: Target,
    error: DatabaseError,
) -> BoxFuture<'static, DatabaseError> {
    Box::pin(async move {
        let looking = async {
            let mut other = Postgres::connect(&target, ConnectOptions::default()).await?;
            other.exclusive().await
        };
        let looked = tokio::time::timeout(super::CONNECT_AGAIN, looking).await;
        let holders = looked.unwrap_or_else(|_| Ok(Vec::new()));
        naming(error, &holders.unwrap_or_default())
    })
}

/// The schemas that a `search_path` names, in their order. That of the user stands in it where there is one; what the
/// server looks into anyway does not count, and one that is not there yet does.
fn listed(path: &str, user: Option<&str>) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = path.trim_start();
    while !rest.is_empty() {
        let (name, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_name(quoted),
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                let (name, after) = rest.split_at(end);
                (name.trim().to_lowercase(), after)
            }
        };
        match name.as_str() {
            "$user" => names.extend(user.map(ToOwned::to_owned)),
            "" | "pg_catalog" | "pg_temp" => {}
            _ => names.push(name),
        }
        rest = after.trim_start().trim_start_matches(',').trim_start();
    }
    names
}

/// A name up to its closing quote, and what follows.
fn quoted_name(text: &str) -> (String, &str) {
    let mut name = String::new();
    let mut rest = text;
    while let Some((part, after)) = rest.split_once('"') {
        name.push_str(part);
        rest = after;
        match rest.strip_prefix('"') {
            Some(after) => {
                name.push('"');
                rest = after;
            }
            None => return (name, rest),
        }
    }
    name.push_str(rest);
    (name, "")
}

#[cfg(test)]
mod tests {
    use super::listed;

    #[test]
    fn a_search_path_is_read_as_the_server_reads_it() {
        for (path, user, names) in [
            ("\"$user\", public", None, "public"),
            ("\"$user\",public", Some("bob"), "bob|public"),
            ("tenant_a", None, "tenant_a"),
            ("App , \"App\", \"a,\"\"b\"", None, "app|App|a,\"b"),
            ("pg_catalog, x, pg_temp", None, "x"),
            ("", None, ""),
            ("\"\"", None, ""),
        ] {
            assert_eq!(listed(path, user).join("|"), names, "{path}");
        }
    }
}
