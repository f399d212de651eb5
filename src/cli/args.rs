//! The arguments, and the help that teaches them.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::duration::{duration, lease_duration};
use super::forget::FleetArgs;
use super::recording::{GateArgs, Recording};
use crate::interrupt::Interrupt;
use crate::ledger::KnownHead;
use crate::project::Pace;

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

const PLAN_HELP: &str = "\
The plan has the fewest rollouts there can be, and among those the fewest steps. Expands come
first, each backfill as early as it is safe, and contracts last: until then everything can be
undone. A service that no --to names stays at what it runs.

Where there is no plan, the answer (exit code 11) says which version is in the way of which, and
what would open a way: a release in between, a sync, another declaration.

  migrate plan --to web=1.2.0                  from what is live now
  migrate plan --to web=1.2.0 --via web=1.1.0  with a release that may be used on the way
  migrate plan --from web=1.0.0 --to web=1.2.0 on paper, without a database: in a pull request
  migrate plan … --output mermaid              as a diagram, for a page or a review";

const ROLLOUT_HELP: &str = "\
The steps are those that `migrate plan` shows for the same options; they are fixed and recorded
when the rollout begins. For each service that is rolled, its driver in migrate.toml is called, or
you are told what to do; then the fleet has to show the new version and none of the old. A contract
comes last, and waits for its soak and for whatever still runs an old version.

A rollout that stops, for whatever reason, leaves every live version able to live with the schema.
It stays open: `resume` goes on, `abort` gives it up.

  migrate rollout --to web=1.2.0                   as `migrate plan --to web=1.2.0` shows it
  migrate rollout --to web=1.2.0 --timeout 2h      wait that long for each step
  migrate rollout resume
  migrate rollout abort --roll-back web=1.1.0

[rollout]
driver = { kind = \"command\", run = [\"./deploy.sh\", \"{service}\", \"{to}\", \"{step}\"], steps = [10, 50, 100] }

Exit codes: 0 done, 1 error or a failed driver, 10 still waiting, 11 refused, 12 unknown.";

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
    /// Say nothing on standard error but errors
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
}

#[derive(Subcommand)]
pub(super) enum Command {
    /// Write a migrate.toml to start from
    Init,
    /// Write the files of a new migration to start from
    New(NewArgs),
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
    Resolve(super::resolve::ResolveArgs),
    /// Show what was applied of a migration beside what its files say now
    Show(ShowArgs),
    /// Record an applied file as it is now, where nothing but the record differs
    Repair(RepairArgs),
    /// Register a version once, for an init container: exits 0 if it may start
    Admit(AdmitArgs),
    /// Run a program under a lease: register it, start it, renew, release when it ends
    Agent(AgentArgs),
    /// Show what was done, by whom and when
    Log(LogArgs),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
}

#[derive(Args)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    pub recording: Recording,
    /// List every migration; otherwise a long run of complete ones is one line. JSON always
    /// lists every migration
    #[arg(long)]
    pub all: bool,
}

#[derive(Args)]
pub(super) struct CheckArgs {
    /// Compare with what is applied in the database as well: migrations below what is applied, and
    /// applied files that were edited
    #[arg(long)]
    pub applied: bool,
}

#[derive(Args)]
pub(super) struct RenumberArgs {
    /// The migration: its whole name, or its number where no other has it
    pub id: String,
    /// This number in place of the next free one
    #[arg(long, value_name = "NUMBER")]
    pub to: Option<u64>,
    /// Do not ask the database: nobody has applied it
    #[arg(long)]
    pub offline: bool,
}

#[derive(Args)]
pub(super) struct ShowArgs {
    /// The migration
    pub id: String,
}

#[derive(Args)]
pub(super) struct RepairArgs {
    /// The migration
    pub id: String,
    /// Why the record may be changed; kept in the log
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

#[derive(Args)]
pub(super) struct NewArgs {
    /// What it does, in a few words: split_full_name
    pub name: String,
}

#[derive(Args)]
pub(super) struct PlanArgs {
    #[command(flatten)]
    pub goal: GoalArgs,
    #[command(flatten)]
    pub recording: Recording,
    /// Plan on paper from these versions: nothing is applied, nothing else runs, no database
    /// is asked
    #[arg(long, value_name = "SERVICE=VERSION")]
    pub from: Vec<ServiceVersion>,
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
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct RolloutArgs {
    #[command(subcommand)]
    pub command: Option<RolloutCommand>,
    #[command(flatten)]
    pub goal: GoalArgs,
    #[command(flatten)]
    pub patience: Patience,
}

#[derive(Subcommand)]
pub(super) enum RolloutCommand {
    /// Show the last rollout: what is done, where it is, why it stopped. Changes nothing
    Status,
    /// Go on with the open rollout, at the step where it stopped, on any machine
    Resume {
        #[command(flatten)]
        patience: Patience,
    },
    /// Give the open rollout up: shows which versions may start now, and rolls back if asked
    Abort {
        /// Roll this service to this version through its driver: web=1.0.0; repeat for others
        #[arg(long, value_name = "SERVICE=VERSION")]
        roll_back: Vec<ServiceVersion>,
        #[command(flatten)]
        patience: Patience,
    },
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

#[derive(Args)]
pub(super) struct ExpandArgs {
    /// Numbers or names; every pending migration without any
    #[arg(value_name = "ID")]
    pub ids: Vec<String>,
    /// Every pending migration up to and including this one
    #[arg(long, value_name = "ID", conflicts_with = "ids")]
    pub up_to: Option<String>,
    #[command(flatten)]
    pub waiting: Waiting,
}

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct BackfillArgs {
    #[command(subcommand)]
    pub command: Option<BackfillCommand>,
    /// Numbers or names; every migration that waits for it without any
    #[arg(value_name = "ID")]
    pub ids: Vec<String>,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// The share of the time to work, between 0.01 and 1; wins over `pace` in migration.toml
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub pace: Option<Pace>,
    #[command(flatten)]
    pub using: Using,
    #[command(flatten)]
    pub waiting: Waiting,
    #[command(flatten)]
    pub overriding: Override,
}

/// What is no failure for a job that comes again.
#[derive(Args)]
pub(super) struct Using {
    /// End with 0 where nothing but live versions, or what passes by itself, is in the way: for a job
    /// that comes again and again. The answer is printed all the same
    #[arg(long)]
    pub unless_in_use: bool,
}

/// Steers a backfill that runs in another terminal or on another machine.
#[derive(Subcommand)]
pub(super) enum BackfillCommand {
    /// Let a running backfill wait after the batch that runs
    Pause {
        /// Its number or name
        id: String,
    },
    /// Let a paused backfill go on
    Resume {
        /// Its number or name
        id: String,
    },
    /// Change the share of the time that a running backfill works
    Pace {
        /// Its number or name
        id: String,
        /// Between 0.01 and 1
        #[arg(value_parser = share)]
        share: Pace,
    },
}

/// A share of the time.
fn share(text: &str) -> Result<Pace, String> {
    let wrong = || format!("`{text}` is not a number; write for example 0.5");
    let share: f64 = text.trim().parse().map_err(|_| wrong())?;
    Pace::from_share(share).map_err(|reason| format!("it {reason}"))
}

#[derive(Args)]
pub(super) struct ContractArgs {
    /// Numbers or names; every migration that waits for its contract without any
    #[arg(value_name = "ID")]
    pub ids: Vec<String>,
    /// Wait this long for what blocks: 30s, 10m, 24h. The fence is raised once nothing does
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub wait: Option<Duration>,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub using: Using,
    #[command(flatten)]
    pub overriding: Override,
}

#[derive(Args)]
pub(super) struct RevertArgs {
    /// Its number or name
    pub id: String,
    #[command(flatten)]
    pub waiting: Waiting,
    #[command(flatten)]
    pub overriding: Override,
}

#[derive(Args)]
pub(super) struct InstanceArgs {
    /// The service, as migrate.toml names it
    #[arg(long)]
    pub service: String,
    /// The version that is to start
    #[arg(long = "version", value_name = "VERSION")]
    pub label: String,
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
    /// What becomes of processes that the program has put into the background when it ends with 0
    #[arg(long, value_name = "WHAT", default_value = "keep")]
    pub background: super::instance::Background,
    /// The program and its arguments, after `--`
    #[arg(last = true, required = true, value_name = "CMD")]
    pub command: Vec<OsString>,
}

#[derive(Args)]
pub(super) struct LogArgs {
    /// Check that no event was changed, removed or put in between since the first one, up to the head,
    /// and that phases, files and statements are recorded as the events tell. Whoever may write to the
    /// ledger could write all of it anew: only a head that is kept elsewhere shows that
    #[arg(long)]
    pub verify: bool,
    /// Print the head of the log, to be kept elsewhere; with --verify and a head that was kept, check
    /// that the log still leads over it
    #[arg(long, value_name = "SEQ:HASH", num_args = 0..=1)]
    pub head: Option<Option<KnownHead>>,
    /// Only the last N events
    #[arg(short = 'n', long, value_name = "N")]
    pub last: Option<usize>,
}

#[derive(Args)]
pub(super) struct CompletionsArgs {
    pub shell: clap_complete::Shell,
}
