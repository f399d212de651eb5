//! Whose names, role and limits a statement goes by.
//!
//! Invariant: a statement of ours finds nothing but what `pg_catalog` holds and what it names with its schema. An operator
//! or a function that somebody has planted in another schema is never called by it, and no policy hides rows from it.
//!
//! A transaction begins as ours. Before statements of the user's come the names and the role of the session as it was
//! before, and after them ours again; what their script had set is kept for those that follow. Settings end with the
//! transaction, so that a pooler may stand between.

use std::time::Duration;

use crate::database::IDLE_IN_TRANSACTION;

/// Whose statements an open transaction is ready for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    Ours,
    Theirs,
}

/// Which server a session may be limited by, for the settings that it knows.
const TRANSACTION_TIMEOUT_SINCE: u32 = 170_000;

/// Begins as ours, and tells first whether this is a standby: behind a pooler each transaction may be at another server. Keeps what the session goes by, and puts aside the limits that its role may have. `locks` bounds the
/// waits for locks of a session that only asks.
pub(super) fn pin(version: Option<u32>, locks: Option<Duration>) -> String {
    let locks = locks.map_or(0, |limit| limit.as_millis().max(1));
    let idle =
        crate::crash::limit("PHASEGATE_IDLE_IN_TRANSACTION", IDLE_IN_TRANSACTION).as_millis();
    let mut sql = format!(
        "SELECT pg_catalog.pg_is_in_recovery(), {}, {}, {}, {}, {}, {}, {}, {}, {}, {}",
        kept("own_user", SESSION_USER),
        kept("own_role", ROLE),
        kept("user", SESSION_USER),
        kept("role", ROLE),
        kept("search_path", SEARCH_PATH),
        set("search_path", OWN_PATH),
        set("row_security", "'off'"),
        set("statement_timeout", "'0'"),
        set("lock_timeout", &format!("'{locks}'")),
        set("idle_in_transaction_session_timeout", &format!("'{idle}'")),
    );
    // What was answered is there after a crash of the server, whatever the role says; its replicas are not waited for because of us.
    sql.push_str(&format!(
        ", CASE WHEN {SYNCHRONOUS} OPERATOR(pg_catalog.=) 'off' THEN {} END",
        set("synchronous_commit", "'local'")
    ));
    if version.is_some_and(|version| version >= TRANSACTION_TIMEOUT_SINCE) {
        sql.push_str(", ");
        sql.push_str(&set("transaction_timeout", "'0'"));
    }
    sql
}

/// From ours to theirs.
pub(super) fn theirs() -> String {
    format!(
        "SELECT CASE WHEN {SESSION_USER} OPERATOR(pg_catalog.<>) {user} THEN {become_user} END, {role}, {path}",
        user = remembered("user"),
        become_user = set("session_authorization", &remembered("user")),
        role = set("role", &remembered("role")),
        path = set("search_path", &remembered("search_path")),
    )
}

/// From theirs to ours again, whatever they have set.
pub(super) fn ours() -> String {
    format!(
        "SELECT {user}, {role}, {path}, \
         CASE WHEN {SESSION_USER} OPERATOR(pg_catalog.<>) {own_user} THEN {become_user} END, {own_role}, {own_path}, {rows}",
        user = kept("user", SESSION_USER),
        role = kept("role", ROLE),
        path = kept("search_path", SEARCH_PATH),
        own_user = remembered("own_user"),
        become_user = set("session_authorization", &remembered("own_user")),
        own_role = set("role", &remembered("own_role")),
        own_path = set("search_path", OWN_PATH),
        rows = set("row_security", "'off'"),
    )
}

/// Before a query of theirs outside of a transaction.
pub(super) const SEES_ALL: &str = "SELECT pg_catalog.set_config('row_security', 'off', true)";

/// What a session is opened with whose statements run outside of transactions.
pub(super) const LIMITLESS: [(&str, &str); 5] = [
    ("statement_timeout", "0"),
    ("lock_timeout", "0"),
    ("idle_in_transaction_session_timeout", "0"),
    ("row_security", "off"),
    // As in a transaction of ours.
    ("default_transaction_read_only", "off"),
];

const SESSION_USER: &str = "session_user::pg_catalog.text";
const ROLE: &str = "pg_catalog.current_setting('role')";
const SYNCHRONOUS: &str = "pg_catalog.current_setting('synchronous_commit')";
const SEARCH_PATH: &str = "pg_catalog.current_setting('search_path')";
/// Temporary objects come last: otherwise a table of such a name would be taken for one of the catalogue.
const OWN_PATH: &str = "'pg_catalog, pg_temp'";

/// Calls that set something until the transaction ends.
fn set(name: &str, value: &str) -> String {
    format!("pg_catalog.set_config('{name}', {value}, true)")
}

fn kept(name: &str, value: &str) -> String {
    set(&format!("phasegate.{name}"), value)
}

fn remembered(name: &str) -> String {
    format!("pg_catalog.current_setting('phasegate.{name}')")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_under_their_names_is_written_out_whole() {
        for sql in [pin(Some(170_001), None), theirs(), ours()] {
            for call in ["set_config(", "current_setting("] {
                let whole = sql.matches(&format!("pg_catalog.{call}")).count();
                assert_eq!(sql.matches(call).count(), whole, "{sql}");
            }
            assert_eq!(
                sql.matches("<>").count(),
                sql.matches("OPERATOR(pg_catalog.<>)").count()
            );
        }
        assert!(!pin(Some(150_000), None).contains("transaction_timeout'"));
        assert!(pin(None, Some(Duration::from_secs(5))).contains("'lock_timeout', '5000'"));
    }
}
