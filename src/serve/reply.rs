//! What an answer is over HTTP: status, headers and body. Pure.

use serde_json::{Value, json};

use super::query::{Answering, Misused};
use crate::ask::{Answer, AskError};
use crate::database::{DatabaseError, ErrorKind};
use crate::gate::Verdict;
use crate::lease::LeaseError;
use crate::ledger::LedgerError;
use crate::project::Project;
use crate::text::secret::masked_own;

/// When to ask again where the answer may be another one soon, in seconds.
const AGAIN: u32 = 10;

/// An answer to a request.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reply {
    pub status: u16,
    /// In seconds.
    pub retry_after: Option<u32>,
    pub body: Value,
}

/// Why a question that was understood has no answer.
#[derive(Debug)]
pub(super) enum Unanswered {
    /// So many wait already that this one would not be answered in time.
    Busy,
    /// In so many seconds.
    TooLate(f32),
    Closing,
    Failed(AskError),
    NotAdmitted(Box<LeaseError>),
}

impl Reply {
    /// The gate's answer: 200 with the verdict in the body, or a status that tells it as well.
    pub(super) fn of_the_gate(answer: &Answer, way: Answering, project: &Project) -> Self {
        let verdict = answer.verdict();
        let status = match (way, verdict) {
            (Answering::InTheBody, _) | (Answering::ByStatus, Verdict::Go) => 200,
            (Answering::ByStatus, Verdict::Hold) => 409,
            (Answering::ByStatus, Verdict::Refuse) => 403,
            (Answering::ByStatus, Verdict::Unknown) => 503,
        };
        Self {
            status,
            retry_after: matches!(verdict, Verdict::Hold | Verdict::Unknown).then_some(AGAIN),
            body: body(answer, project),
        }
    }

    /// What is told and not decided.
    pub(super) fn told(answer: &Answer, project: &Project) -> Self {
        Self {
            status: 200,
            retry_after: None,
            body: body(answer, project),
        }
    }

    pub(super) fn misused(misused: &Misused) -> Self {
        Self::error(400, &misused.message, Some(&misused.help))
    }

    /// Never a status that could be taken for a yes.
    pub(super) fn unanswered(unanswered: &Unanswered) -> Self {
        let (status, message, help) = match unanswered {
            Unanswered::Busy => (
                503,
                "more is asked at once than can be answered".to_owned(),
                Some("ask again; `--askers` says how much is looked up at once".to_owned()),
            ),
            Unanswered::TooLate(seconds) => (
                503,
                format!("no answer within {seconds} s: the database, or a source, is slow"),
                Some("ask again; `--timeout` says how long an answer may take".to_owned()),
            ),
            Unanswered::Closing => (
                503,
                "this server is being stopped".to_owned(),
                Some("ask again".to_owned()),
            ),
            Unanswered::NotAdmitted(error) => {
                (503, error.to_string(), error.help().map(str::to_owned))
            }
            Unanswered::Failed(error) => (status_of(error), error.to_string(), error.help()),
        };
        let reply = Self::error(status, &message, help.as_deref());
        match status {
            503 => Self {
                retry_after: Some(AGAIN),
                ..reply
            },
            _ => reply,
        }
    }

    pub(super) fn error(status: u16, message: &str, help: Option<&str>) -> Self {
        Self {
            status,
            retry_after: None,
            body: without_secrets(json!({ "error": { "message": message, "help": help } })),
        }
    }
}

/// As `--output json` prints it, with what is wrong with the files that it was answered without.
fn body(answer: &Answer, project: &Project) -> Value {
    let mut value = answer.to_json();
    let problems: Vec<_> = project.flaws.problems().collect();
    if let (false, Some(object)) = (problems.is_empty(), value.as_object_mut()) {
        object.insert("problems".into(), json!(problems));
    }
    without_secrets(value)
}

/// No secret that this process was given goes out.
pub(super) fn without_secrets(mut value: Value) -> Value {
    match &mut value {
        Value::String(text) => *text = masked_own(text).into_owned(),
        Value::Array(values) => {
            for value in values {
                *value = without_secrets(value.take());
            }
        }
        Value::Object(values) => {
            for value in values.values_mut() {
                *value = without_secrets(value.take());
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
    value
}

/// Whose fault it is: the question's (4xx), nobody's for now (503), or something that somebody has to mend (500).
fn status_of(error: &AskError) -> u16 {
    match error {
        AskError::Database(error) | AskError::Ledger(LedgerError::Database(error)) => {
            status_of_the_database(error)
        }
        AskError::Ledger(LedgerError::Elsewhere { .. } | LedgerError::Missing(_))
        | AskError::Unlisted { .. } => 503,
        AskError::UnknownMigration(_) => 404,
        AskError::UnknownService { .. } | AskError::TwoGoals { .. } | AskError::Unplaced { .. } => {
            400
        }
        AskError::Ledger(_)
        | AskError::Coordinator(_)
        | AskError::Files(_)
        | AskError::Unjudged => 500,
    }
}

const fn status_of_the_database(error: &DatabaseError) -> u16 {
    match error.kind {
        ErrorKind::Unreachable
        | ErrorKind::Full
        | ErrorKind::NoSpace
        | ErrorKind::Tls
        | ErrorKind::Standby
        | ErrorKind::Locked
        | ErrorKind::Timeout
        | ErrorKind::Interrupted => 503,
        _ => 500,
    }
}
