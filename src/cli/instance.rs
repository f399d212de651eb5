//! `migrate admit` and `migrate agent`: what an instance runs.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::args::Global;
use super::context::named_target;
use super::duration::{duration, lease_duration};
use super::exit::Exit;
use super::failure::Failure;
use super::out::{Out, note};
use super::version_from::VersionArgs;
use super::{flaws, json, text};
use crate::database::{Made, Target};
use crate::gate::Decision;
use crate::lease::agent::{self, AgentEnd, AgentOptions, Guard};
use crate::lease::{
    Admission, AdmissionRequest, History, LeaseError, admit_unless as ask, give_back, history_of,
    session_name, under_agent,
};
use crate::ledger::{LeaseId, LedgerError};
use crate::model::{Declaration, InstanceState, Live, MigrationId, Snapshot};
use crate::project::{CONFIG_FILE, Config, Project, Section};

#[derive(Args)]
pub(super) struct InstanceArgs {
    /// The service, as migrate.toml names it
    #[arg(long)]
    pub service: String,
    #[command(flatten)]
    pub version: VersionArgs,
    /// What this instance is called; by default the host's name and the process's number
    #[arg(long)]
    pub instance: Option<String>,
}

#[derive(Args)]
pub(super) struct AdmitArgs {
    #[command(flatten)]
    pub instance: InstanceArgs,
    /// How long the version counts as live, until its instance shows up in another source
    #[arg(long = "for", value_name = "DURATION", value_parser = lease_duration, default_value = "10m")]
    pub hold: Duration,
}

#[derive(Args)]
pub(super) struct AgentArgs {
    #[command(flatten)]
    pub instance: InstanceArgs,
    /// How long the program has after SIGTERM, before SIGKILL, when the lease is lost
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "10s")]
    pub stop_timeout: Duration,
    /// Make a Unix socket that says valid, draining or lost, as one line of JSON at once and at each change
    #[arg(long, value_name = "PATH")]
    pub status_socket: Option<PathBuf>,
    /// What becomes of processes that the program has put into the background when it ends with 0
    #[arg(long, value_name = "WHAT", default_value = "keep")]
    pub background: Background,
    /// The program and its arguments, after `--`
    #[arg(last = true, required = true, value_name = "CMD")]
    pub command: Vec<OsString>,
}

pub(super) async fn admit(args: &AdmitArgs, global: &Global, out: &Out) -> Result<u8, Failure> {
    let context = InstanceContext::read(global)?;
    let mut request = context.request(&args.instance, InstanceState::Starting)?;
    // Nobody renews this one, so it is not late before it ends.
    request.lease = args.hold;
    request.renew = args.hold;
    match ask(&context.target, &request, global.interrupt).await? {
        Admission::Refused(decision) => Ok(refuse(&decision, out)),
        // It came while the lease was being kept.
        Admission::Admitted { id, .. } if global.interrupt.is_due() => {
            Err(not_wanted(&context.target, &id, &request).await)
        }
        Admission::Admitted { .. } => {
            if request.sources.is_empty() && !context.config.services.is_empty() && !global.quiet {
                note(&format!(
                    "note: nothing but leases says who is live, so {} stops counting as live in {}, whether or not it \
                     still runs: use `migrate agent`, or name a source that sees it under [fleet] in migrate.toml",
                    request.instance,
                    text::span(milliseconds(args.hold)),
                ));
            }
            let who = Live {
                service: request.service,
                version: request.version,
            };
            if out.is_json() {
                out.json(&json!({
                    "verdict": "go",
                    "service": who.service,
                    "version": who.version,
                    "instance": request.instance,
                    "held_for_ms": milliseconds(args.hold),
                }));
            } else {
                let held = text::span(milliseconds(args.hold));
                out.well(format!(
                    "{who} may start; it counts as live for {held} as {}",
                    request.instance
                ));
            }
            Ok(0)
        }
    }
}

/// Gives back the lease of an instance that is not to start any more, and says so.
async fn not_wanted(target: &Target, id: &LeaseId, request: &AdmissionRequest) -> Failure {
    let instance = &request.instance;
    let failure = match give_back(target, id).await {
        Ok(()) => Failure::new(format!(
            "interrupted: the lease that {instance} got was given back"
        )),
        Err(error) => Failure::new(format!(
            "interrupted: the lease that {instance} got could not be given back ({error}), and counts for {}",
            text::span(milliseconds(request.lease))
        ))
        .help(format!(
            "`migrate fleet forget {instance} --reason TEXT` ends it"
        )),
    };
    failure.ending(Exit::Interrupted)
}

/// What becomes of processes that an application has put into the background.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Background {
    /// They are the application: the agent stays, and keeps the lease until they are gone
    Keep,
    /// They are stopped, and then the lease is released
    Stop,
    /// They run on, and the lease is released: they do not use the database
    Leave,
}

impl From<Background> for agent::Background {
    fn from(background: Background) -> Self {
        match background {
            Background::Keep => Self::Keep,
            Background::Stop => Self::Stop,
            Background::Leave => Self::Leave,
        }
    }
}

/// Everything that an agent begins with, the guard of its application among it.
pub(super) fn prepare_agent(args: &AgentArgs, global: &Global) -> Result<AgentOptions, Failure> {
    let context = InstanceContext::read(global)?;
    let request = context.request(&args.instance, InstanceState::Serving)?;
    let session_name = session_name(&request.service, &request.label, &request.instance);
    let status_socket = args.status_socket.as_deref().map(std::path::absolute);
    let status_socket = status_socket.transpose().map_err(LeaseError::from)?;
    // By what an application knows itself, whatever has started it.
    let said = |text: &str| Some(OsString::from(text));
    let environment = vec![
        (under_agent::SERVICE, said(&request.service)),
        ("PHASEGATE_VERSION", said(&request.label)),
        (under_agent::INSTANCE, said(&request.instance)),
        (
            "PHASEGATE_STATUS_SOCKET",
            status_socket.clone().map(PathBuf::into_os_string),
        ),
    ];
    Ok(AgentOptions {
        target: context.target,
        request,
        guard: Guard::split_off(args.command.clone(), session_name, environment)?,
        status_socket,
        stop_timeout: args.stop_timeout,
        connection: context.config.fleet.connection,
        background: args.background.into(),
    })
}

pub(super) async fn agent(prepared: Option<AgentOptions>, out: &Out) -> Result<u8, Failure> {
    let Some(options) = prepared else {
        return Err(Failure::new("the agent was not prepared"));
    };
    let end = agent::run(options).await?;
    match &end {
        AgentEnd::Exited { .. } => {}
        AgentEnd::Refused(decision) => return Ok(refuse(decision, out)),
        AgentEnd::Lost { loss, .. } => {
            Failure::new(format!("the program was stopped: {loss}"))
                .help(loss.help())
                .show(out);
        }
    }
    Ok(u8::try_from(end.code()).unwrap_or(1))
}

/// Says why the version may not start. On standard error as well as in the result, because an
/// entrypoint's output is often all there is.
fn refuse(decision: &Decision, out: &Out) -> u8 {
    let now = jiff::Timestamp::now().as_millisecond();
    if out.is_json() {
        let snapshot = Snapshot {
            taken_at: now,
            ..Snapshot::default()
        };
        let mut value = json::decision(decision, &snapshot);
        if let Some(object) = value.as_object_mut() {
            object.remove("sources");
        }
        out.json(&value);
    } else {
        out.lines(text::decision(decision, now));
    }
    decision.verdict.exit_code()
}

/// What an instance knows of the project. Old instances do not have the files of new migrations,
/// and some have none at all: then the ledger alone decides.
struct InstanceContext {
    target: Target,
    config: Config,
    declarations: Vec<Declaration>,
    /// Of the files that are here, readable or not.
    newest: Option<MigrationId>,
    /// What the expands of its migrations make.
    made: Vec<(MigrationId, Made)>,
    /// That of the project's other migration tool.
    history: Option<Arc<dyn History>>,
}

impl InstanceContext {
    fn read(global: &Global) -> Result<Self, Failure> {
        let root = Path::new(".");
        let (mut config, project) = if root.join(CONFIG_FILE).exists() {
            let given = global.database_url()?;
            let url = given.as_ref().map(|given| given.url.as_str());
            let project = Project::load_as_far_as_possible(root, url);
            // Its own output begins after this.
            flaws::told(project.flaws.problems())
                .iter()
                .for_each(|line| note(line));
            (project.config.clone(), Some(project))
        } else {
            if !global.quiet {
                note(
                    "there is no migrate.toml here, so migrations that nobody has applied yet are not known",
                );
            }
            (Config::default(), None)
        };
        global.name_versions(&mut config)?;
        let target = named_target(global, &config, root)?;
        let made = |project: &Project| project.made(target.dialect());
        let history = |project: &Project| {
            history_of(project, target.dialect(), |text| {
                note(&format!("note: {text}"))
            })
        };
        let declarations = |project: &Project| project.declarations().cloned().collect();
        Ok(Self {
            config,
            declarations: project.as_ref().map(declarations).unwrap_or_default(),
            newest: project.as_ref().and_then(Project::newest).cloned(),
            made: project.as_ref().map(made).unwrap_or_default(),
            history: project.as_ref().and_then(history),
            target,
        })
    }

    fn request(
        &self,
        args: &InstanceArgs,
        state: InstanceState,
    ) -> Result<AdmissionRequest, Failure> {
        let InstanceArgs {
            service,
            version,
            instance,
        } = args;
        let is_doubtful = self.config.is_doubtful(Section::Fleet);
        let services = &self.config.services;
        if !is_doubtful && !services.is_empty() && !services.contains_key(service) {
            let known: Vec<&str> = services.keys().map(String::as_str).collect();
            return Err(Failure::new(format!(
                "the service `{service}` is not named in migrate.toml"
            ))
            .help(format!("named there: {}", known.join(", ")))
            .usage());
        }
        let (label, version) = version.placed(&self.config, service)?;
        Ok(AdmissionRequest {
            service: service.clone(),
            label,
            version,
            instance: instance.clone().unwrap_or_else(default_instance),
            lease: self.config.fleet.lease,
            renew: self.config.fleet.renew,
            min_ready: services.get(service).and_then(|service| service.min_ready),
            state,
            pending: self.declarations.clone(),
            // It needs no more than came along with it.
            unread: Vec::new(),
            brought: self.newest.clone(),
            made: self.made.clone(),
            history: self.history.clone(),
            sources: self.config.other_sources(),
            rules: crate::fleet::lease_rules(&self.config),
        })
    }
}

fn default_instance() -> String {
    let system = rustix::system::uname();
    format!(
        "{}-{}",
        system.nodename().to_string_lossy(),
        std::process::id()
    )
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl From<LeaseError> for Failure {
    fn from(error: LeaseError) -> Self {
        let failure = Self::new(error.to_string());
        let failure = match &error {
            LeaseError::Database(cause) | LeaseError::Ledger(LedgerError::Database(cause)) => {
                // Whether it may start is a question.
                let failure = failure.caused_by(cause).of_a_question();
                if Exit::of(cause) == Exit::Interrupted {
                    return failure.help("no lease was kept; run the same command again");
                }
                failure
            }
            // Nothing was answered, and nobody was let in.
            LeaseError::Timeout { .. } => failure.unknown(),
            // What is admitted there says nothing of here.
            LeaseError::Ledger(LedgerError::Elsewhere { .. } | LedgerError::Missing(_)) => {
                failure.unknown()
            }
            _ => failure,
        };
        match error.help() {
            Some(help) => failure.help(help),
            None => failure,
        }
    }
}
