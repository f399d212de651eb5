//! The spans of a trace: which there are, what they are called, and what they say.
//!
//! Without a collector nobody wants them, and each costs the look at one flag.
//!
//! Invariant: no span holds a statement, a key, a message of a server or of a program, or anything else that may be a secret: only
//! names that stand in the project's files or are told by `migrate status`, words of ours, and numbers.

use std::sync::atomic::{AtomicU32, Ordering};

use tracing::field::Empty;
pub use tracing::instrument::Instrument;
use tracing::{Span, info_span};

/// What the spans are told apart by from what is logged: a log never shows them, and a trace nothing else.
pub const TARGET: &str = "phasegate_trace";

/// Spans of one command, of the kinds of which there may be any number: a contract that waits for a day looks once a second, and no
/// collector keeps a trace of that size.
const MOST: u32 = 10_000;

/// How many more of them there may be.
static ROOM: AtomicU32 = AtomicU32::new(MOST);

macro_rules! span {
    ($name:literal $(, $field:literal = $value:expr)* $(,)?) => {
        info_span!(
            target: TARGET,
            $name,
            "otel.status_code" = Empty,
            "error.type" = Empty,
            "phasegate.verdict" = Empty,
            $($field = $value,)*
        )
    };
}

/// A whole command, as it was called.
pub fn command(name: &str) -> Span {
    span!(
        "command",
        "otel.name" = format!("migrate {name}"),
        "process.executable.name" = "migrate",
        "process.pid" = std::process::id(),
        "process.exit.code" = Empty,
    )
}

/// A request to the server. It begins a trace of its own, unless whoever asks has begun one.
#[cfg(feature = "serve")]
pub fn request(method: &str, route: &str) -> Span {
    info_span!(
        target: TARGET,
        parent: None,
        "request",
        "otel.name" = format!("{method} {route}"),
        "otel.kind" = "server",
        "otel.status_code" = Empty,
        "error.type" = Empty,
        "http.request.method" = method,
        "http.route" = route,
        "http.response.status_code" = Empty,
        "phasegate.verdict" = Empty,
    )
}

/// A look at everything that nobody in particular has asked for.
#[cfg(feature = "serve")]
pub fn look() -> Span {
    info_span!(target: TARGET, parent: None, "look", "otel.status_code" = Empty, "error.type" = Empty)
}

/// A step of a migration, or of several at once.
pub fn step(step: &str) -> Span {
    span!(
        "step",
        "otel.name" = step,
        "phasegate.step" = step,
        "phasegate.migration" = Empty,
        "phasegate.blockers" = Empty,
        "phasegate.statements" = Empty,
        "phasegate.rows" = Empty,
    )
}

/// The time until the coordinator's lease is held.
pub fn lease() -> Span {
    span!("coordinator lease")
}

/// A script of a migration, by its path in the project.
pub fn script(path: &str, statements: usize) -> Span {
    let statements = u64::try_from(statements).unwrap_or(u64::MAX);
    span!(
        "script",
        "phasegate.file" = path,
        "phasegate.statements" = statements
    )
}

/// A revision of another migration tool.
pub fn revision(runner: &str, name: &str) -> Span {
    span!(
        "revision",
        "phasegate.runner" = runner,
        "phasegate.revision" = name
    )
}

/// A batch of a backfill: how much, and never which keys.
pub fn batch() -> Span {
    among_many(|| span!("batch", "phasegate.keys" = Empty, "phasegate.rows" = Empty))
}

/// A question to a source.
pub fn source(name: &str) -> Span {
    among_many(|| {
        span!(
            "source",
            "phasegate.source" = name,
            "phasegate.instances" = Empty
        )
    })
}

/// A step of a rollout that takes a service to another version.
pub fn roll(service: &str, to: &str) -> Span {
    span!(
        "roll",
        "phasegate.service" = service,
        "phasegate.version" = to
    )
}

/// What a step of a rollout consists of: the wait for the gate, the driver's work, the wait for the fleet, and the time that it holds.
pub fn part(name: &str, service: &str, percent: u8) -> Span {
    span!(
        "part",
        "otel.name" = name,
        "phasegate.service" = service,
        "phasegate.percent" = percent
    )
}

/// For a server, whose traces are one for each request.
#[cfg(feature = "serve")]
pub fn without_bound() {
    ROOM.store(u32::MAX, Ordering::Relaxed);
}

fn among_many(span: impl FnOnce() -> Span) -> Span {
    let take = |room: u32| match room {
        u32::MAX => Some(u32::MAX),
        room => room.checked_sub(1),
    };
    let is_left = ROOM.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
    is_left.map_or_else(|_| Span::none(), |_| span())
}

/// How what a span is about has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End<'e> {
    /// By a verdict that is not go, which is no error of anybody.
    Verdict(&'e str),
    /// In words of ours, of which there are few.
    Failed(&'e str),
}

/// Says in a span how it has ended.
pub fn ended(span: &Span, end: End<'_>) {
    match end {
        End::Verdict(verdict) => {
            span.record("phasegate.verdict", verdict);
        }
        End::Failed(kind) => {
            span.record("otel.status_code", "ERROR");
            span.record("error.type", kind);
        }
    }
}

/// Does something within a span, which is told whether it has come to an error.
pub async fn within<T, E>(span: Span, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    let done = work.instrument(span.clone()).await;
    if done.is_err() {
        ended(&span, End::Failed("error"));
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_made_where_nobody_wants_it() {
        assert!(command("status").is_disabled());
        assert!(source("cluster").is_disabled());
        assert!(batch().is_disabled());
    }
}
