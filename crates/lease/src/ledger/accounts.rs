//! Which database sessions the live leases account for.

use std::collections::{BTreeMap, BTreeSet};

use super::{Ledger, LedgerError};
use crate::database::Value;

/// What is known of the sessions of whoever holds a lease.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accounts {
    /// What instances call their sessions, and the users that have written their leases; an empty one where that is not
    /// known, as of a lease of an earlier build.
    pub names: BTreeMap<String, BTreeSet<String>>,
    /// The addresses of the machines of instances, none of them shared, with the first registration from there.
    pub addresses: BTreeMap<String, Registered>,
    /// The sessions that renew leases, where the database numbers them in order.
    pub keepers: BTreeSet<i64>,
}

/// When somebody registered first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registered {
    /// Milliseconds since the epoch.
    pub at: i64,
    /// The session in which that was.
    pub session: i64,
}

impl Ledger<'_> {
    /// What accounts for sessions of these names, and for those from addresses of instances.
    ///
    /// # Errors
    /// A database error.
    pub async fn accounts(&mut self, names: &[&str]) -> Result<Accounts, LedgerError> {
        const AT_ONCE: usize = 100;
        let mut accounts = Accounts::default();
        let columns = self.columns().await?;
        let now = self.as_of().await?;
        if columns.has("leases", "session_name") {
            let writer = columns.expression("leases", "written_by");
            let ends = self.connection().await?.capabilities().client_user_ends;
            for names in names.chunks(AT_ONCE) {
                let places = vec!["?"; names.len()].join(", ");
                let sql = format!(
                    "SELECT DISTINCT session_name, {writer} FROM {{leases}} WHERE expires_at > ? AND session_name IN ({places})"
                );
                let mut parameters = vec![Value::from(now)];
                parameters.extend(names.iter().map(|name| Value::from(*name)));
                for row in self.query(&sql, &parameters).await? {
                    let written_by = row.text(1)?;
                    let user = ends
                        .and_then(|ends| written_by.rsplit_once(ends))
                        .map_or(written_by, |(user, _)| user);
                    let users = accounts.names.entry(row.text(0)?.to_owned()).or_default();
                    users.insert(user.to_owned());
                }
            }
        }
        if columns.has("leases", "keeper_session") {
            let sql = "SELECT address, min(registered_at), min(registered_session) FROM {leases} \
                       WHERE expires_at > ? AND own_address = 1 AND address <> '' GROUP BY address";
            for row in self.query(sql, &[now.into()]).await? {
                let registered = Registered {
                    at: row.int(1)?,
                    session: row.int(2)?,
                };
                accounts
                    .addresses
                    .insert(row.text(0)?.to_owned(), registered);
            }
            let sql = "SELECT DISTINCT keeper_session FROM {leases} WHERE expires_at > ? AND keeper_session <> 0";
            for row in self.query(sql, &[now.into()]).await? {
                accounts.keepers.insert(row.int(0)?);
            }
        }
        Ok(accounts)
    }
}
