//! What a server says beside errors: notices and warnings.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Level, Metadata, Subscriber};

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Notice,
    Warning,
}

impl Severity {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Notice => "NOTICE",
            Self::Warning => "WARNING",
        }
    }
}

/// One thing that a server has said about a statement that did not fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Which of the user's statements that were sent together it is about.
    pub at: usize,
    pub severity: Severity,
    pub text: String,
}

/// How much is kept: a trigger may say something about each row.
pub(super) const MOST: usize = 50;

/// Keeps what has been said until somebody asks.
#[derive(Debug, Default)]
pub(super) struct Kept(Vec<Heard>);

impl Kept {
    pub(super) fn keep(&mut self, heard: Heard) {
        if self.0.len() < MOST && !self.0.contains(&heard) {
            self.0.push(heard);
        }
    }

    pub(super) fn take(&mut self) -> Vec<Heard> {
        std::mem::take(&mut self.0)
    }
}

/// Hears the notices of one connection to PostgreSQL. The driver tells them to `tracing` and to nobody else, while it reads
/// what the server sends: so they are caught by whoever listens during that.
pub(super) struct Ear {
    dispatch: Dispatch,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// How many statements of the message are done.
    done: AtomicUsize,
    said: Mutex<Vec<(usize, Severity, String)>>,
}

impl Shared {
    fn said(&self) -> MutexGuard<'_, Vec<(usize, Severity, String)>> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ear {
    pub(super) fn new() -> Self {
        let shared = Arc::<Shared>::default();
        Self {
            dispatch: Dispatch::new(Listener(Arc::clone(&shared))),
            shared,
        }
    }

    /// Begins to listen to another message.
    pub(super) fn begin(&self) -> Dispatch {
        self.shared.done.store(0, Ordering::Relaxed);
        self.shared.said().clear();
        self.dispatch.clone()
    }

    /// Another statement of it is done.
    pub(super) fn next(&self) {
        self.shared.done.fetch_add(1, Ordering::Relaxed);
    }

    /// What was said, each with the number of the statements that were done before.
    pub(super) fn heard(&self) -> Vec<(usize, Severity, String)> {
        std::mem::take(&mut *self.shared.said())
    }
}

struct Listener(Arc<Shared>);

/// Under which name the driver tells them.
const TARGET: &str = "sqlx::postgres::notice";

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == TARGET && *metadata.level() <= Level::INFO
    }

    fn max_level_hint(&self) -> Option<tracing::level_filters::LevelFilter> {
        Some(tracing::level_filters::LevelFilter::INFO)
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = Message::default();
        event.record(&mut text);
        let severity = match *event.metadata().level() {
            Level::INFO => Severity::Notice,
            _ => Severity::Warning,
        };
        let mut said = self.0.said();
        // More than are kept in the end, because some are of statements of ours.
        if said.len() < MOST * 2 {
            said.push((self.0.done.load(Ordering::Relaxed), severity, text.0));
        }
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.0);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_are_heard_with_their_statement_and_nothing_else_is() {
        let ear = Ear::new();
        tracing::dispatcher::with_default(&ear.begin(), || {
            tracing::info!(target: "sqlx::postgres::notice", message = "first");
            ear.next();
            tracing::warn!(target: "sqlx::postgres::notice", message = "second");
            tracing::warn!("of somebody else");
        });
        let expected = [
            (0, Severity::Notice, "first".to_owned()),
            (1, Severity::Warning, "second".to_owned()),
        ];
        assert_eq!(ear.heard(), expected);
        assert!(ear.heard().is_empty());
    }

    #[test]
    fn a_few_are_kept_and_none_twice() {
        let mut kept = Kept::default();
        for row in 0..1000 {
            kept.keep(Heard {
                at: 0,
                severity: Severity::Notice,
                text: format!("row {}", row / 2),
            });
        }
        assert_eq!(kept.take().len(), MOST);
        assert!(kept.take().is_empty());
    }
}
