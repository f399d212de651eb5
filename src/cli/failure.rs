//! Errors as a user sees them: cause, subject and way out.

use std::fmt;

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode, SourceSpan};

use super::exit::Exit;
use super::out::Out;
use super::report::rendered;
use crate::ask::{Answer, AskError};
use crate::coordinator::{CoordinatorError, ScriptFailure};
use crate::database::DatabaseError;
use crate::ledger::LedgerError;
use crate::project::{Problems, UnknownMigration};
use crate::rollout::RolloutError;
use crate::text::secret::masked_own;

/// An error that ends a command.
#[derive(Debug)]
pub(super) struct Failure(Box<Parts>);

/// Boxed, because every command returns it and almost none does.
#[derive(Debug)]
struct Parts {
    message: String,
    help: Option<String>,
    source: Option<(NamedSource<String>, SourceSpan)>,
    problems: Option<Problems>,
    /// What was done before it, as `--output json` shows it.
    results: Vec<serde_json::Value>,
    exit: Exit,
    /// The end of the same command where it only asks.
    exit_of_a_question: Option<Exit>,
}

impl Failure {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            message: message.into(),
            help: None,
            source: None,
            problems: None,
            results: Vec::new(),
            exit: Exit::Error,
            exit_of_a_question: None,
        }))
    }

    /// An answer to something else than what was asked.
    pub(super) fn unasked(answer: &Answer) -> Self {
        let verdict = answer.verdict().name();
        Self::new(format!(
            "an answer ({verdict}) came to something else than what was asked"
        ))
        .help("this is a defect of migrate: please report it")
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// What was done before it.
    pub(super) fn after(mut self, results: Vec<serde_json::Value>) -> Self {
        self.0.results = results;
        self
    }

    /// Where the cause was found.
    pub(super) fn at(mut self, place: &str) -> Self {
        self.0.message = format!("{place}: {}", self.0.message);
        self
    }

    /// Wrong usage that only shows once the project is read.
    pub(super) fn usage(self) -> Self {
        self.ending(Exit::Usage)
    }

    pub(super) fn ending(mut self, exit: Exit) -> Self {
        self.0.exit = exit;
        self
    }

    /// Somebody has to do something first.
    pub(super) fn refused(self) -> Self {
        self.ending(Exit::Refuse)
    }

    /// The evidence is missing: a version that cannot be placed.
    pub(super) fn unknown(self) -> Self {
        self.ending(Exit::Unknown)
    }

    /// Somebody wanted the program to stop, and nothing was changed by then.
    pub(super) fn interrupted() -> Self {
        DatabaseError::interrupted().into()
    }

    /// As the answer to a question: what a lock hides is not known.
    pub(super) fn of_a_question(self) -> Self {
        match self.0.exit_of_a_question {
            Some(exit) => self.ending(exit),
            None => self,
        }
    }

    pub(super) fn caused_by(mut self, cause: &DatabaseError) -> Self {
        self.0.exit_of_a_question = Some(Exit::of_a_question(cause));
        self.ending(Exit::of(cause))
    }

    /// Whether the same question may be answered later: the database was away, full or busy.
    pub(super) fn passes(&self) -> bool {
        self.0.exit_of_a_question == Some(Exit::Unknown)
    }

    pub(super) fn exit_code(&self) -> u8 {
        self.0.exit.code()
    }

    pub(super) fn show(&self, out: &Out) {
        if self.0.problems.is_some() {
            out.drop_flaws();
        }
        if out.is_json() {
            let mut error = serde_json::json!({ "message": self.0.message, "help": self.0.help });
            if let (Some(problems), Some(object)) = (&self.0.problems, error.as_object_mut()) {
                object.insert("problems".into(), serde_json::json!(problems));
            }
            let mut value = serde_json::json!({ "error": error });
            if let Some(object) = value.as_object_mut()
                && !self.0.results.is_empty()
            {
                object.insert("results".into(), self.0.results.clone().into());
            }
            out.json(&value);
        }
        let shown = match &self.0.problems {
            Some(problems) => rendered(problems),
            None => rendered(self),
        };
        super::out::note_verbatim(shown.trim_end());
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Before it is broken into lines, where a secret would no longer be found.
        f.write_str(&masked_own(&self.0.message))
    }
}

impl std::error::Error for Failure {}

impl Diagnostic for Failure {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.0
            .help
            .as_ref()
            .map(|help| Box::new(masked_own(help)) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.0
            .source
            .as_ref()
            .map(|(source, _)| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let (_, span) = self.0.source.as_ref()?;
        Some(Box::new(std::iter::once(LabeledSpan::new_with_span(
            None, *span,
        ))))
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        let mut failure = Self::new(problems.to_string());
        failure.0.problems = Some(problems);
        failure
    }
}

impl From<DatabaseError> for Failure {
    fn from(error: DatabaseError) -> Self {
        let failure = Self::new(error.to_string()).caused_by(&error);
        match error.help() {
            Some(help) => failure.help(help),
            None => failure,
        }
    }
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        let failure = match &error {
            LedgerError::Database(cause) => Self::new(error.to_string()).caused_by(cause),
            _ => Self::new(error.to_string()),
        };
        let failure = match &error {
            LedgerError::Elsewhere { .. } | LedgerError::Missing(_) => failure.unknown(),
            _ => failure,
        };
        match error.help() {
            Some(help) => failure.help(help),
            None => failure,
        }
    }
}

impl From<AskError> for Failure {
    fn from(error: AskError) -> Self {
        let message = error.to_string();
        match error {
            AskError::Database(error) => error.into(),
            AskError::Ledger(error) => error.into(),
            AskError::Coordinator(error) => (*error).into(),
            AskError::Files(problems) => problems.into(),
            AskError::UnknownMigration(error) => error.into(),
            AskError::TwoGoals { .. } => Self::new(message)
                .help("give `--to` once for each service; releases on the way go into `--via`")
                .usage(),
            AskError::Unjudged => Self::new(message).help("ask again"),
            AskError::Unlisted { help, .. } | AskError::Unplaced { help, .. } => {
                Self::new(message).help(help).unknown()
            }
            AskError::UnknownService { named, .. } => Self::new(message)
                .help(format!("named there: {}", named.join(", ")))
                .usage(),
        }
    }
}

impl From<UnknownMigration> for Failure {
    fn from(error: UnknownMigration) -> Self {
        let help = Diagnostic::help(&error).map(|help| help.to_string());
        let failure = Self::new(error.to_string()).usage();
        match help {
            Some(help) => failure.help(help),
            None => failure,
        }
    }
}

impl From<CoordinatorError> for Failure {
    fn from(error: CoordinatorError) -> Self {
        let mut failure = match &error {
            CoordinatorError::Script(script) => Self::of_script(script),
            CoordinatorError::Held(_) => Self::new(error.to_string()).ending(Exit::Hold),
            CoordinatorError::Fenced { cause, .. } => match cause.as_ref() {
                CoordinatorError::Script(script) => Self::of_script(script),
                _ => Self::new(error.to_string()),
            },
            CoordinatorError::Lists(_) => Self::new(error.to_string()).unknown(),
            CoordinatorError::Ledger(LedgerError::Elsewhere { .. } | LedgerError::Missing(_)) => {
                Self::new(error.to_string()).unknown()
            }
            _ => Self::new(error.to_string()),
        };
        if let Some(cause) = of_the_database(&error) {
            failure = failure.caused_by(cause);
        }
        if error.is_interruption() {
            failure = failure.ending(Exit::Interrupted);
        }
        failure.0.help = error.help();
        failure
    }
}

/// What the database said, wherever it came up.
fn of_the_database(error: &CoordinatorError) -> Option<&DatabaseError> {
    match error {
        CoordinatorError::Database(cause)
        | CoordinatorError::Ledger(LedgerError::Database(cause)) => Some(cause),
        CoordinatorError::Lost { cause, .. } => Some(cause),
        CoordinatorError::Script(script) => Some(&script.cause),
        CoordinatorError::Fenced { cause, .. } => of_the_database(cause),
        _ => None,
    }
}

impl From<RolloutError> for Failure {
    fn from(error: RolloutError) -> Self {
        let (message, help) = (error.to_string(), error.help());
        let exit = match &error {
            _ if error.is_interruption() => Exit::Interrupted,
            RolloutError::Open(_) => Exit::Refuse,
            _ => Exit::Error,
        };
        let mut failure = match error {
            RolloutError::Coordinator(error) => error.into(),
            _ => Self::new(message).ending(exit),
        };
        failure.0.help = help;
        failure
    }
}

impl Failure {
    fn of_script(script: &ScriptFailure) -> Self {
        let mut failure = Self::new(script.to_string());
        let name = script.path.display().to_string();
        let span = SourceSpan::from(script.span.clone());
        failure.0.source = Some((
            NamedSource::new(name, script.text.to_string()).with_language("sql"),
            span,
        ));
        failure
    }
}
