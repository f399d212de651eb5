//! Who holds a lock that a question waits for. It is looked for from beside while that waits: once it has given up, no
//! server can tell any more.

use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::{ConnectOptions, DatabaseError, LockHolder, Server, Target, connect};

/// Most statements are done before anybody has to look.
const BEFORE: Duration = Duration::from_millis(250);
const BETWEEN: Duration = Duration::from_millis(500);

/// Who was seen to hold it, at the latest look that has shown somebody.
#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<Vec<LockHolder>>);

impl Seen {
    /// Waits for `work`, and looks beside it at whom the session `waiting` waits for; at nobody where that is not known.
    pub(super) async fn beside<T>(
        &self,
        work: impl Future<Output = T>,
        target: &Target,
        waiting: Option<i64>,
    ) -> T {
        let Some(waiting) = waiting else {
            return work.await;
        };
        let mut work = pin!(work);
        tokio::select! {
            biased;
            done = &mut work => return done,
            () = self.look(target.clone(), waiting) => {}
        }
        work.await
    }

    /// Looks until that cannot be done any more. Boxed, because it opens a connection of the kind that it is asked for.
    fn look(&self, target: Target, waiting: i64) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            tokio::time::sleep(BEFORE).await;
            let options = ConnectOptions {
                server: Server::Any,
                ..ConnectOptions::default()
            };
            let Ok(mut other) = connect(&target, options).await else {
                return;
            };
            while let Ok(found) = other.lock_holders(waiting).await {
                if !found.is_empty() {
                    *self.0.lock().unwrap_or_else(PoisonError::into_inner) = found;
                }
                tokio::time::sleep(BETWEEN).await;
            }
        })
    }

    pub(super) fn into_holders(self) -> Vec<LockHolder> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The error with whoever holds the lock in it, and what ends them.
pub(super) fn naming(mut error: DatabaseError, holders: &[LockHolder]) -> DatabaseError {
    if !holders.is_empty() {
        error.message = format!("{}; it is held by {}", error.message, in_words(holders));
    }
    error
}

/// A few of them: where it is only a guess there may be many.
pub(super) fn in_words(holders: &[LockHolder]) -> String {
    const MOST: usize = 5;
    let shown = holders.iter().take(MOST);
    let names: Vec<&str> = shown.map(|held| held.description.as_str()).collect();
    let more = if holders.len() > MOST {
        "; and others"
    } else {
        ""
    };
    let ends = holders
        .iter()
        .take(MOST)
        .filter_map(|held| held.end.as_ref());
    let ends: Vec<String> = ends.map(|end| format!("`{end}`")).collect();
    let way_out = match ends.as_slice() {
        [] => String::new(),
        [end] => format!(" (if whoever began that is gone, {end} ends it)"),
        ends => format!(
            " (what nobody waits for any more ends with {})",
            ends.join(", ")
        ),
    };
    format!("{}{more}{way_out}", names.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::ErrorKind;

    #[test]
    fn who_holds_a_lock_is_told_with_what_ends_it() {
        let holder = |id: i64, end: bool| LockHolder {
            id,
            description: format!("session {id}"),
            end: end.then(|| format!("KILL {id}")),
        };
        let told = |holders: &[LockHolder]| {
            naming(DatabaseError::new(ErrorKind::Locked, "locked"), holders).message
        };
        assert_eq!(told(&[]), "locked");
        assert_eq!(
            told(&[holder(7, true)]),
            "locked; it is held by session 7 (if whoever began that is gone, `KILL 7` ends it)"
        );
        assert_eq!(
            told(&[holder(7, true), holder(8, true)]),
            "locked; it is held by session 7; session 8 (what nobody waits for any more ends with `KILL 7`, `KILL 8`)"
        );
        let guesses: Vec<LockHolder> = (1..=9).map(|id| holder(id, false)).collect();
        let said = told(&guesses);
        assert!(said.ends_with("session 5; and others"), "{said}");
    }
}
