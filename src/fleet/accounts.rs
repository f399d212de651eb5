//! Who the database's sessions belong to: one that nobody accounts for is somebody who is not seen.
//!
//! An application that does not register is found so, before something is taken away under it. A name can be imitated, and
//! an address is believed of every process behind it: this finds what was forgotten, and nobody who hides.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::database::{Connection, DatabaseError, Reach, Session, Whose};
use crate::ledger::{Accounts, Ledger, LedgerError};
use crate::model::{Live, SessionCheck, SessionRule, Snapshot, Unaccounted, Whereabouts};
use crate::process::{Behind, End, behind};
use crate::project::Config;
use crate::source::Pattern;

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
        .filter(|session| session.whose == Whose::Others && !is_allowed(config, session))
        .filter(|session| !names_an_instance(config, &live, session))
        .collect();
    if open.is_empty() {
        return check;
    }
    let found = async {
        let open = with_clients(open, connection).await?;
        let accounts = accounts(&open, connection).await?;
        Ok::<_, LedgerError>((open, accounts))
    };
    let (open, accounts) = match found.await {
        Ok(found) => found,
        Err(error) => {
            check.unseen = Some(error.to_string());
            return check;
        }
    };
    let strangers = open.iter().filter(|found| !is_held(found, &accounts));
    let mut strangers: Vec<&Session> = strangers.map(|found| &found.session).collect();
    if !strangers.is_empty() {
        let ours = shown_meanwhile(connection).await;
        strangers.retain(|session| !ours.contains(&session.id));
    }
    let (unseen, known): (Vec<&Session>, Vec<&Session>) = strangers
        .into_iter()
        .partition(|session| matches!(session.reach, Reach::Unseen { .. }));
    check.unaccounted = grouped(known.into_iter());
    check.unseen = beyond_sight(&grouped(unseen.into_iter()));
    check
}

/// How long a session of ours is given to show itself.
const TO_SHOW_ITSELF: Duration = Duration::from_millis(100);

/// The sessions that have shown a moment later that they are ours: MySQL knows one by its first statement, and one that
/// has only just come in may have been met before. Whoever is gone by then was there.
async fn shown_meanwhile(connection: &mut dyn Connection) -> BTreeSet<i64> {
    tokio::time::sleep(TO_SHOW_ITSELF).await;
    match connection.sessions().await {
        Ok(sessions) => sessions
            .into_iter()
            .filter(|session| session.whose == Whose::Ours)
            .map(|session| session.id)
            .collect(),
        Err(error) => {
            tracing::debug!("sessions could not be looked at again: {error}");
            BTreeSet::new()
        }
    }
}

/// A session, and what this machine knows of its client.
struct Found {
    session: Session,
    client: Behind,
}

/// Asks this machine about those whose clients may be on it.
async fn with_clients(
    sessions: Vec<Session>,
    connection: &mut dyn Connection,
) -> Result<Vec<Found>, DatabaseError> {
    let end = |session: &Session| {
        Some(End {
            address: session.address.clone()?,
            port: session.port?,
        })
    };
    let ends: Vec<End> = sessions.iter().filter_map(end).collect();
    let mut clients = Vec::new();
    if !ends.is_empty()
        && let Some(wire) = connection.wire().await?
        && let Some(server) = wire.server
    {
        let own = wire.client.map(|(address, port)| End { address, port });
        let looking = move || behind(own.as_ref(), server, &ends);
        // It reads what every process has open.
        clients = tokio::task::spawn_blocking(looking)
            .await
            .unwrap_or_default();
    }
    let mut clients = clients.into_iter();
    let found = sessions.into_iter().map(|session| Found {
        client: end(&session)
            .and_then(|_| clients.next())
            .unwrap_or(Behind::Unknown),
        session,
    });
    Ok(found.collect())
}

/// What is said of sessions of which nobody knows whether they can touch anything here.
fn beyond_sight(groups: &[Unaccounted]) -> Option<String> {
    const MOST: usize = 5;
    if groups.is_empty() {
        return None;
    }
    let shown: Vec<String> = groups
        .iter()
        .take(MOST)
        .map(Unaccounted::describe)
        .collect();
    let more = if groups.len() > MOST {
        ", and others"
    } else {
        ""
    };
    Some(format!(
        "what rights their users have in this database cannot be read, of {}{more}",
        shown.join(", ")
    ))
}

fn is_allowed(config: &Config, session: &Session) -> bool {
    let address = session.address.as_deref().unwrap_or("");
    config.fleet.allowed_sessions.iter().any(|allowed| {
        let fits = |pattern: &Option<String>, value: &str| {
            pattern
                .as_ref()
                .is_none_or(|pattern| matches(pattern, value))
        };
        let is_there = |pattern: &String| {
            let away = match &session.reach {
                Reach::Within => return false,
                Reach::Granted { database } | Reach::Unseen { database } => database,
            };
            matches(pattern, away.as_deref().unwrap_or(""))
        };
        fits(&allowed.user, &session.user)
            && fits(&allowed.application, &session.application)
            && fits(&allowed.address, address)
            && allowed.database.as_ref().is_none_or(is_there)
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
    let usual = Pattern::new(Pattern::USUAL);
    let others = config.fleet.others();
    let patterns = others.filter_map(|named| named.source.session_names());
    patterns.chain([&usual]).any(|pattern| {
        let Some(found) = pattern.read(&session.application) else {
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
    open: &[Found],
    connection: &mut dyn Connection,
) -> Result<Accounts, LedgerError> {
    let Some(mut ledger) = Ledger::read(connection).await? else {
        return Ok(Accounts::default());
    };
    let names: BTreeSet<&str> = open
        .iter()
        .flat_map(|found| {
            let instance = match &found.client {
                Behind::Instance(name) => name.as_str(),
                Behind::Stranger | Behind::Unknown => "",
            };
            [found.session.application.as_str(), instance]
        })
        .filter(|name| !name.is_empty())
        .collect();
    let names: Vec<&str> = names.into_iter().collect();
    let accounts = ledger.accounts(&names).await;
    ledger.rollback().await?;
    accounts
}

/// Whether a lease accounts for a session: by its name and user, by the process that has it, or by the address that both
/// come from, unless it began before anybody had registered from there, or is seen to be of another process.
fn is_held(found: &Found, accounts: &Accounts) -> bool {
    let session = &found.session;
    // Whoever names a session may take any name; the user is what the server has let in.
    let is_named = accounts.names.get(&session.application);
    let is_theirs =
        is_named.is_some_and(|users| users.contains("") || users.contains(&session.user));
    if accounts.keepers.contains(&session.id) || is_theirs {
        return true;
    }
    match &found.client {
        Behind::Instance(name) => return accounts.names.contains_key(name),
        Behind::Stranger => return false,
        Behind::Unknown => {}
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

fn whereabouts(reach: &Reach) -> Whereabouts {
    match reach {
        Reach::Within => Whereabouts::Here,
        Reach::Granted { database: None } | Reach::Unseen { database: None } => {
            Whereabouts::Nowhere
        }
        Reach::Granted {
            database: Some(name),
        }
        | Reach::Unseen {
            database: Some(name),
        } => Whereabouts::Database(name.clone()),
    }
}

fn grouped<'s>(sessions: impl Iterator<Item = &'s Session>) -> Vec<Unaccounted> {
    let mut groups = BTreeMap::<_, (Option<i64>, u64)>::new();
    for session in sessions {
        let whereabouts = whereabouts(&session.reach);
        let key = (
            &session.user,
            &session.application,
            &session.address,
            whereabouts,
        );
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
            |((user, application, address, whereabouts), (since, sessions))| Unaccounted {
                user: user.clone(),
                application: application.clone(),
                address: address.clone(),
                whereabouts,
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
        let session = |address: Option<&str>, since| Found {
            session: Session {
                id: 7,
                user: "app".into(),
                address: address.map(ToOwned::to_owned),
                since,
                ..Session::default()
            },
            client: Behind::Unknown,
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
        early.session.id = 5;
        assert!(!is_held(&early, &accounts));
        early.session.server_since = Some(101);
        assert!(is_held(&early, &accounts));
        // Another process of this machine is nobody's, and one of an instance is accounted for as long as that is live.
        early.client = Behind::Stranger;
        assert!(!is_held(&early, &accounts));
        early.client = Behind::Instance("lease:web/1.2.0/web-1".into());
        assert!(!is_held(&early, &accounts));
        let named = Accounts {
            names: [(
                "lease:web/1.2.0/web-1".to_owned(),
                ["app".to_owned()].into(),
            )]
            .into(),
            ..Accounts::default()
        };
        assert!(is_held(&early, &named));
        // A name is that of the instance where its user is the one that has written the lease.
        let mut called = session(None, None);
        called.session.application = "lease:web/1.2.0/web-1".into();
        assert!(is_held(&called, &named));
        called.session.user = "other".into();
        assert!(!is_held(&called, &named));
        let before = Accounts {
            names: [("lease:web/1.2.0/web-1".to_owned(), [String::new()].into())].into(),
            ..Accounts::default()
        };
        assert!(is_held(&called, &before));
    }
}
