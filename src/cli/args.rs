//! The arguments that several commands share, and the list of the commands, each of which has its own beside it.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::backfill::BackfillArgs;
use super::check::CheckArgs;
use super::completions::CompletionsArgs;
use super::contract::ContractArgs;
use super::duration::duration;
use super::expand::ExpandArgs;
use super::forget::FleetArgs;
use super::gate::GateArgs;
use super::generate::GenerateArgs;
use super::instance::{AdmitArgs, AgentArgs};
use super::log::LogArgs;
use super::plan::{PLAN_HELP, PlanArgs};
use super::prepare::{PREPARE_HELP, PrepareArgs};
use super::rehearse::RehearseArgs;
use super::renumber::RenumberArgs;
use super::resolve::ResolveArgs;
use super::revert::RevertArgs;
use super::rollout::{ROLLOUT_HELP, RolloutArgs};
use super::scaffold::NewArgs;
#[cfg(feature = "serve")]
use super::serve::{SERVE_HELP, ServeArgs};
use super::show::{RepairArgs, ShowArgs};
use super::status::StatusArgs;
use crate::interrupt::Interrupt;

const AFTER_HELP: &str = "\
Exit codes, the same for every command:
  0  go, or done            10  hold: passes by itself (a drain, a soak)
  1  error                  11  refuse: somebody has to do something first
  2  wrong usage            12  unknown: the evidence is missing or stale
 74  output not written    130  interrupted (Ctrl-C, SIGTERM, SIGHUP)

A change from start to end:
  migrate new split_full_name      write the migration
  migrate check                    in every pull request; needs no database
  migrate plan --to web=1.2.0      which steps and rollouts, in which order
  migrate expand                   add the new format; old versions do not notice
  migrate gate deploy web=1.1.0    may this version start now?
  migrate backfill 0002            fill the new format for existing rows
  migrate contract 0002 --wait 1h  remove the old format once nothing uses it

Or all of it, from expand to contract, with the rollouts in between:
  migrate rollout --to web=1.2.0";

/// Schema migrations that know which application versions are live.
///
/// A migration is declared as an expand and a contract phase, with the versions that read and
/// write each format. Migrate finds out which versions are live, refuses every step that one of
/// them could not survive, and says why and what to do next.
#[derive(Parser)]
#[command(name = "migrate", version, after_help = AFTER_HELP)]
pub(super) struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Args)]
pub(super) struct Global {
    /// Work as if started in DIR, which holds migrate.toml
    #[arg(short = 'C', long, value_name = "DIR", global = true)]
    pub project: Option<PathBuf>,
    /// The database. Everybody on this machine can read it in the list of processes: a URL with a
    /// password belongs in a file or in the environment
    #[arg(
        long,
        value_name = "URL",
        global = true,
        conflicts_with = "database_url_file"
    )]
    pub(super) database_url: Option<String>,
    /// A file that holds the database's URL and nothing else; read anew for each connection.
    /// After these options come DATABASE_URL, DATABASE_URL_FILE, and [database] url in migrate.toml
    #[arg(long, value_name = "FILE", global = true)]
    pub(super) database_url_file: Option<PathBuf>,
    /// How results are printed
    #[arg(long, value_name = "FORMAT", global = true, default_value = "text")]
    pub output: Format,
    /// Say more on standard error; repeat for yet more. RUST_LOG wins
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Say nothing on standard error but errors, and nothing of what went well
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Show the whole statements of those who hold a lock, and not only of what kind they are: they
    /// may hold what is nobody's business
    #[arg(long, global = true)]
    pub show_statements: bool,
    /// What stops the command; no argument.
    #[arg(skip)]
    pub interrupt: Interrupt,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Text,
    Json,
    /// A diagram; only of a plan
    Mermaid,
    /// Annotations of GitHub Actions; only of `check`, as are those that follow
    Github,
    /// A report of code quality for GitLab
    Gitlab,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// A comment for a pull request
    Markdown,
    /// JUnit's XML
    Junit,
}

#[derive(Subcommand)]
pub(super) enum Command {
    /// Write a migrate.toml to start from
    Init,
    /// Write the files of a new migration to start from
    New(NewArgs),
    /// Write the scripts that follow from `[change]` in migration.toml
    Generate(GenerateArgs),
    /// Try a migration on a scratch database, and test what it declares
    Rehearse(RehearseArgs),
    /// Check migrate.toml and every migration, without a database
    Check(CheckArgs),
    /// Give a migration that no database has applied the next free number
    Renumber(RenumberArgs),
    /// Show each migration's phase, what it waits for, and which versions may start now
    Status(StatusArgs),
    /// Show which versions are live, who says so, and what they touch
    Fleet(FleetArgs),
    /// Plan the schema steps and rollouts that lead to these versions
    #[command(after_help = PLAN_HELP)]
    Plan(PlanArgs),
    /// Take every schema step that comes before a rollout, and ask whether it may begin
    #[command(after_help = PREPARE_HELP)]
    Prepare(PrepareArgs),
    /// Carry the plan out: schema steps and rollouts, one after the other
    #[command(after_help = ROLLOUT_HELP)]
    Rollout(RolloutArgs),
    /// Ask whether an action is safe now, without doing anything
    Gate(GateArgs),
    /// Add the new format: every pending migration, or those named
    Expand(ExpandArgs),
    /// Fill the new format for existing rows
    Backfill(BackfillArgs),
    /// Remove the old format, once no live version depends on it
    Contract(ContractArgs),
    /// Undo the expand of a migration
    Revert(RevertArgs),
    /// Say what nobody else can tell: whether an interrupted statement took effect, or that rows were repaired
    Resolve(ResolveArgs),
    /// Show what was applied of a migration beside what its files say now
    Show(ShowArgs),
    /// Record an applied file as it is now, where nothing but the record differs
    Repair(RepairArgs),
    /// Register a version once, for an init container: exits 0 if it may start
    Admit(AdmitArgs),
    /// Run a program under a lease: register it, start it, renew, release when it ends
    Agent(AgentArgs),
    /// Answer over HTTP: the gate, metrics, and a page
    #[cfg(feature = "serve")]
    #[command(after_help = SERVE_HELP)]
    Serve(ServeArgs),
    /// Show what was done, by whom and when
    Log(LogArgs),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
}

/// Where a plan is to end, and what may be on the way.
#[derive(Args)]
pub(super) struct GoalArgs {
    /// The version that a service is to end at: web=1.2.0; repeat for others
    #[arg(long, value_name = "SERVICE=VERSION")]
    pub to: Vec<ServiceVersion>,
    /// A release that may be rolled out on the way, beside `releases` in migrate.toml
    #[arg(long, value_name = "SERVICE=VERSION")]
    pub via: Vec<ServiceVersion>,
    /// A file of more such releases, one SERVICE=VERSION a line
    #[arg(long, value_name = "FILE")]
    pub releases: Option<PathBuf>,
}

#[derive(Args)]
pub(super) struct Patience {
    /// How long each step may wait for the fleet, and for what holds it: 90s, 30m; `timeout`
    /// under [rollout] otherwise, and 30m without that
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub timeout: Option<Duration>,
}

#[derive(Clone, Debug)]
pub(super) struct ServiceVersion {
    pub service: String,
    pub label: String,
}

impl std::str::FromStr for ServiceVersion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((service, label)) if !service.is_empty() && !label.is_empty() => Ok(Self {
                service: service.to_owned(),
                label: label.to_owned(),
            }),
            _ => Err("write a service and a version, such as web=1.1.0".into()),
        }
    }
}

#[derive(Args)]
pub(super) struct Waiting {
    /// Wait this long for another coordinator: 30s, 10m
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub wait: Option<Duration>,
}

#[derive(Args)]
pub(super) struct Override {
    /// Go on although evidence is missing, for this reason; recorded in the log. Does not
    /// override what is known to be unsafe
    #[arg(long, value_name = "REASON")]
    pub accept_unknown: Option<String>,
}

/// What is no failure for a job that comes again.
#[derive(Args)]
pub(super) struct Using {
    /// End with 0 where nothing but live versions, or what passes by itself, is in the way: for a job
    /// that comes again and again. The answer is printed all the same
    #[arg(long)]
    pub unless_in_use: bool,
}
