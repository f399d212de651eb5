//! `migrate gate`: is an action safe now?

use clap::{Args, Subcommand};

use super::args::{Global, ServiceVersion};
use super::context::{Context, NO_FILE, refuse_drift_before, settings_in_order};
use super::exit::Exit;
use super::failure::Failure;
use super::out::Out;
use super::recording::Recording;
use super::{json, text};
use crate::coordinator::{self, CoordinatorError, Situation};
use crate::database::{Connection, DatabaseError, ErrorKind, Target};
use crate::gate::{Action, Decision, Verdict, decide, unreachable};
use crate::ledger::{LedgerError, Named};
use crate::model::{Live, Snapshot, Step, Version};
use crate::project::{Config, Section};

#[derive(Args)]
pub(super) struct GateArgs {
    #[command(subcommand)]
    pub command: GateCommand,
    #[command(flatten)]
    pub recording: Recording,
}

#[derive(Subcommand)]
pub(super) enum GateCommand {
    /// May instances of these versions start now, beside those that run?
    Deploy {
        /// A service and a version: web=1.1.0
        #[arg(required = true, value_name = "SERVICE=VERSION")]
        versions: Vec<ServiceVersion>,
    },
    /// May the expand of this migration run now?
    Expand {
        /// Its number or name
        id: String,
    },
    /// May its backfill run now?
    Backfill {
        /// Its number or name
        id: String,
    },
    /// May its contract run now?
    Contract {
        /// Its number or name
        id: String,
    },
    /// May its expand be undone now?
    Revert {
        /// Its number or name
        id: String,
    },
}

pub(super) async fn run(args: &GateArgs, global: &Global, out: &Out) -> Result<u8, Failure> {
    let context = Context::load(global, out)?;
    if args.recording.record {
        // By settings that cannot be read nobody tells who has gone.
        settings_in_order(&context.project)?;
    }
    let action = action(&args.command, &context).await?;
    match answer(&context, action.clone(), args).await {
        Ok((decision, snapshot)) => Ok(show(&decision, &snapshot, out)),
        // A gate that cannot see must not say yes, and need not say that anything is broken.
        Err(Unanswered::Unreachable { error, next }) => {
            let snapshot = Snapshot {
                taken_at: jiff::Timestamp::now().as_millisecond(),
                ..Snapshot::default()
            };
            Ok(show(&unreachable(action, &error, next), &snapshot, out))
        }
        Err(Unanswered::Failed(failure)) => Err(failure),
    }
}

enum Unanswered {
    Unreachable {
        error: String,
        /// What to do about it, where that is not to ask again.
        next: Option<&'static str>,
    },
    Failed(Failure),
}

impl From<DatabaseError> for Unanswered {
    fn from(error: DatabaseError) -> Self {
        if Exit::of_a_question(&error) != Exit::Unknown {
            return Self::Failed(error.into());
        }
        // Of a server that is not there the answer itself says when to ask again.
        let is_away = matches!(
            error.kind,
            ErrorKind::Unreachable | ErrorKind::Full | ErrorKind::Tls
        );
        Self::Unreachable {
            error: error.to_string(),
            next: error.help().filter(|_| !is_away),
        }
    }
}

impl From<LedgerError> for Unanswered {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Database(error) => error.into(),
            LedgerError::Elsewhere { .. } => Self::Unreachable {
                error: error.to_string(),
                next: error.help(),
            },
            error => Self::Failed(error.into()),
        }
    }
}

impl From<CoordinatorError> for Unanswered {
    fn from(error: CoordinatorError) -> Self {
        match error {
            CoordinatorError::Database(error) => error.into(),
            error => Self::Failed(error.into()),
        }
    }
}

async fn answer(
    context: &Context,
    action: Action,
    args: &GateArgs,
) -> Result<(Decision, Snapshot), Unanswered> {
    let connected = if args.recording.record {
        context.recorder().await
    } else {
        context.reader().await
    };
    let situation = match connected {
        // Whatever else is asked about is expected to be there: a mistyped path must not say yes.
        Err(error) if coordinator::is_nothing_yet(&error, &context.target) => match &action {
            Action::Step {
                step: Step::Expand, ..
            } if is_to_be_made(&context.target) => {
                coordinator::nothing_yet(&context.project, context.target.dialect())
            }
            _ => {
                return Err(Unanswered::Unreachable {
                    error: error.to_string(),
                    next: Some(NO_FILE),
                });
            }
        },
        Err(error) => return Err(error.into()),
        Ok(mut connection) => {
            let situation = survey(context, &action, args, connection.as_mut()).await?;
            connection.close().await;
            situation
        }
    };
    context
        .tells_something(situation.has_ledger)
        .map_err(Unanswered::Failed)?;
    refuse_drift_before(&action, &situation).map_err(Unanswered::Failed)?;
    let decision = decide(action, &situation.evidence);
    Ok((decision, situation.evidence.snapshot))
}

/// Whether an expand would make the file.
fn is_to_be_made(target: &Target) -> bool {
    let parent = target.path().and_then(|path| path.parent());
    parent.is_some_and(|parent| parent.as_os_str().is_empty() || parent.is_dir())
}

/// As much as the answer needs, because pipelines ask often.
async fn survey(
    context: &Context,
    action: &Action,
    args: &GateArgs,
    connection: &mut dyn Connection,
) -> Result<Situation, Unanswered> {
    let project = &context.project;
    let mut situation = coordinator::survey(project, connection).await?;
    if args.recording.record {
        coordinator::record(project, connection, &mut situation).await?;
    }
    if let Action::Step {
        step: Step::Contract,
        migration,
    } = action
    {
        coordinator::measure_if_clear(project, migration, &mut situation, connection).await?;
    }
    // Only a blocker names instances.
    if decide(action.clone(), &situation.evidence).verdict != Verdict::Go {
        situation.name_examples(connection).await?;
    } else if let (true, GateCommand::Deploy { versions }, Action::Deploy(candidates)) =
        (args.recording.record, &args.command, action)
        && situation.has_ledger
        && situation.drift.is_empty()
    {
        // Whoever asked is about to start them, and may be done before anybody looks again.
        let named: Vec<(Named, Version)> = versions
            .iter()
            .zip(candidates)
            .map(|(wanted, who)| {
                let name = Named::new(&wanted.service, &wanted.label);
                (name, who.version.clone())
            })
            .collect();
        coordinator::record_deploy(project, connection, &named).await?;
    }
    Ok(situation)
}

fn show(decision: &Decision, snapshot: &Snapshot, out: &Out) -> u8 {
    if out.is_json() {
        out.json(&json::decision(decision, snapshot));
    } else {
        out.lines(text::decision(decision, snapshot.taken_at));
    }
    decision.verdict.exit_code()
}

async fn action(command: &GateCommand, context: &Context) -> Result<Action, Failure> {
    let (step, id) = match command {
        GateCommand::Deploy { versions } => {
            let live = versions
                .iter()
                .map(|wanted| candidate(wanted, &context.project.config));
            return Ok(Action::Deploy(live.collect::<Result<_, _>>()?));
        }
        GateCommand::Expand { id } => (Step::Expand, id),
        GateCommand::Backfill { id } => (Step::Backfill, id),
        GateCommand::Contract { id } => (Step::Contract, id),
        GateCommand::Revert { id } => (Step::Revert, id),
    };
    let migration = context.find(id).await?;
    Ok(Action::Step { step, migration })
}

/// A version to start, placed among the versions.
pub(super) fn candidate(wanted: &ServiceVersion, config: &Config) -> Result<Live, Failure> {
    let ServiceVersion { service, label } = wanted;
    let is_doubtful = config.is_doubtful(Section::Fleet);
    if !is_doubtful && !config.services.contains_key(service) {
        let known: Vec<&str> = config.services.keys().map(String::as_str).collect();
        return Err(Failure::new(format!(
            "the service `{service}` is not named in migrate.toml"
        ))
        .help(format!("named there: {}", known.join(", ")))
        .usage());
    }
    let version = placed(config, service, label)?;
    Ok(Live {
        service: service.clone(),
        version,
    })
}

/// `1.2.0`, which nobody uses as another version's name.
fn is_a_plain_version(label: &str) -> bool {
    let version = label.parse::<Version>();
    version.is_ok_and(|version| version.to_string() == label)
}

/// Where a version lies, by its alias or by itself.
pub(super) fn placed(config: &Config, service: &str, label: &str) -> Result<Version, Failure> {
    if config.is_doubtful(Section::Fleet) && !is_a_plain_version(label) {
        return Err(Failure::new(format!(
            "whether `{label}` is another name of a version is not known, because migrate.toml is not in order"
        ))
        .help("mend it; `migrate check` shows what is wrong. A version such as 1.2.0 needs no file")
        .unknown());
    }
    if let Some(version) = config.place(service, label).version {
        return Ok(version);
    }
    let why = label
        .parse::<Version>()
        .err()
        .map_or_else(String::new, |error| error.to_string());
    let help = format!(
        "say which version it is in migrate.toml: [services.{service}] aliases = {{ \"{label}\" = \"1.2.3\" }}"
    );
    Err(Failure::new(why).help(help).unknown())
}
