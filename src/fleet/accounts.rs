//! Who the database's sessions belong to: one that nobody accounts for is somebody who is not seen.
//!
//! An application that does not register is found so, before something is taken away under it. A name can be imitated, and
//! an address is believed of every process behind it: this finds what was forgotten, and nobody who hides.

use std::collections::{BTreeMap, BTreeSet};

use super::pattern::Pattern;
use crate::database::{APPLICATION_NAME, Connection, Session, is_own_session};
use crate::ledger::{Accounts, Ledger, LedgerError};
use crate::model::{Live, SessionCheck, SessionRule, Snapshot, Unaccounted};
use crate::project::{Config, SourceConfig};

/// Looks at the sessions, where the database lists them and the project does not forbid it.
pub(super) async fn check(
    config: &Config,
    snapshot: &Snapshot,
    connection: &mut dyn Connection,
) -> SessionCheck {
    let mut check = SessionCheck {
        rule: config.fleet.sessions,
        ..SessionCheck::default()
    };
    if check.rule == SessionRule::Off || !connection.capabilities().lists_sessions {
        return check;
    }
    let sessions = match connection.sessions().await {
        Ok(sessions) => sessions,
        Err(error) => {
            check.unseen = Some(error.to_string());
            return check;
        }
    };
    let live: BTreeSet<Live> = snapshot.live().into_iter().collect();
    let open: Vec<Session> = sessions
        .into_iter()
        .filter(|session| !is_ours(session) && !is_allowed(config, session))
        .filter(|session| !names_an_instance(config, &live, session))
        .collect();
    if open.is_empty() {
        return check;
    }
    let accounts = match accounts(&open, connection).await {
        Ok(accounts) => accounts,
        Err(error) => {
            check.unseen = Some(error.to_string());
            return check;
        }
    };
    check.unaccounted = grouped(open.iter().filter(|session| !is_held(session, &accounts)));
    check
}

/// A session of this program: of this process, or one that says so.
fn is_ours(session: &Session) -> bool {
    is_own_session(session.id) || session.application == APPLICATION_NAME
}

fn is_allowed(config: &Config, session: &Session) -> bool {
    let address = session.address.as_deref().unwrap_or("");
    config.fleet.allowed_sessions.iter().any(|allowed| {
        let fits = |pattern: &Option<String>, value: &str| {
            pattern
                .as_ref()
                .is_none_or(|pattern| matches(pattern, value))
        };
        fits(&allowed.user, &session.user)
            && fits(&allowed.application, &session.application)
            && fits(&allowed.address, address)
    })
}

/// Whether a text is as a pattern says, in which `*` stands for anything.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(rest) = text.strip_prefix(before) else {
        return false;
    };
    let mut starts = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
    starts.any(|at| rest.get(at..).is_some_and(|rest| matches(after, rest)))
}

/// Whether the name of a session says that it is of a version that is known to be live.
fn names_an_instance(config: &Config, live: &BTreeSet<Live>, session: &Session) -> bool {
    let patterns = config
        .fleet
        .sources
        .iter()
        .filter_map(|source| match source {
            SourceConfig::Sessions { pattern } => Some(pattern.as_str()),
            _ => None,
        });
    patterns.chain(["{service}/{version}"]).any(|pattern| {
        let Some(found) = Pattern::new(pattern).read(&session.application) else {
            return false;
        };
        let version = config.place(&found.service, &found.version).version;
        version.is_some_and(|version| {
            live.contains(&Live {
                service: found.service,
                version,
            })
        })
    })
}

async fn accounts(
    open: &[Session],
    connection: &mut dyn Connection,
) -> Result<Accounts, LedgerError> {
    let Some(mut ledger) = Ledger::read(connection).await? else {
        return Ok(Accounts::default());
    };
    let names: BTreeSet<&str> = open
        .iter()
        .map(|session| session.application.as_str())
        .filter(|name| !name.is_empty())
        .collect();
    let names: Vec<&str> = names.into_iter().collect();
    let accounts = ledger.accounts(&names).await;
    ledger.rollback().await?;
    accounts
}

/// Whether a lease accounts for a session: by its name, or by the address that both come from, unless it began before
/// anybody had registered from there.
fn is_held(session: &Session, accounts: &Accounts) -> bool {
    if accounts.keepers.contains(&session.id) || accounts.names.contains(&session.application) {
        return true;
    }
    let address = session.address.as_deref().unwrap_or("");
    let Some(first) = accounts.addresses.get(address) else {
        return false;
    };
    match session.since {
        Some(since) => since >= first.at,
        // Numbers are given in order, and anew after the server was started.
        None => session.id > first.session || session.server_since.is_some_and(|at| at >= first.at),
    }
}

fn grouped<'s>(sessions: impl Iterator<Item = &'s Session>) -> Vec<Unaccounted> {
    let mut groups = BTreeMap::<_, (Option<i64>, u64)>::new();
    for session in sessions {
        let key = (&session.user, &session.application, &session.address);
        let (since, count) = groups.entry(key).or_default();
        *count = count.saturating_add(1);
        *since = match (*since, session.since) {
            (Some(known), Some(other)) => Some(known.min(other)),
            (known, other) => known.or(other),
        };
    }
    groups
        .into_iter()
        .map(
            |((user, application, address), (since, sessions))| Unaccounted {
                user: user.clone(),
                application: application.clone(),
                address: address.clone(),
                since,
                sessions,
            },
        )
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Registered;

    #[test]
    fn patterns() {
        for (pattern, text, fits) in [
            ("psql", "psql", true),
            ("psql", "psql2", false),
            ("*", "", true),
            ("pg*", "pgbouncer", true),
            ("*cron*", "my cron job", true),
            ("a*b", "ab", true),
            ("a*b", "abc", false),
            ("é*", "éa", true),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn an_address_accounts_for_what_began_after_a_registration() {
        let session = |address: Option<&str>, since| Session {
            id: 7,
            application: String::new(),
            user: "app".into(),
            address: address.map(ToOwned::to_owned),
            since,
            server_since: None,
        };
        let first = Registered {
            at: 100,
            session: 5,
        };
        let accounts = Accounts {
            addresses: [("10.0.0.7".to_owned(), first)].into(),
            ..Accounts::default()
        };
        assert!(is_held(&session(Some("10.0.0.7"), Some(100)), &accounts));
        assert!(!is_held(&session(Some("10.0.0.7"), Some(99)), &accounts));
        assert!(!is_held(&session(Some("10.0.0.8"), Some(100)), &accounts));
        assert!(!is_held(&session(Some(""), Some(100)), &accounts));
        assert!(!is_held(&session(None, Some(100)), &accounts));
        // By the order in which a server numbers them.
        assert!(is_held(&session(Some("10.0.0.7"), None), &accounts));
        let mut early = session(Some("10.0.0.7"), None);
        early.id = 5;
        assert!(!is_held(&early, &accounts));
        early.server_since = Some(101);
        assert!(is_held(&early, &accounts));
    }
}
