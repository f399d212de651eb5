//! The list of the commands, each of which has its arguments beside it.

use clap::{Parser, Subcommand};

use super::adopt::{ADOPT_HELP, AdoptArgs};
use super::args::Global;
use super::backfill::BackfillArgs;
use super::check::CheckArgs;
use super::completions::CompletionsArgs;
use super::contract::ContractArgs;
use super::expand::ExpandArgs;
use super::forget::FleetArgs;
use super::gate::GateArgs;
use super::generate::GenerateArgs;
use super::instance::{AdmitArgs, AgentArgs};
#[cfg(feature = "serve")]
use super::kubernetes::{KUBERNETES_HELP, KubernetesArgs};
use super::log::LogArgs;
use super::man::ManArgs;
use super::plan::{PLAN_HELP, PlanArgs};
use super::prepare::{PREPARE_HELP, PrepareArgs};
use super::rehearse::RehearseArgs;
use super::renumber::RenumberArgs;
use super::resolve::ResolveArgs;
use super::revert::RevertArgs;
use super::rollout::{ROLLOUT_HELP, RolloutArgs};
use super::scaffold::NewArgs;
use super::schema::SchemaArgs;
#[cfg(feature = "serve")]
use super::serve::{SERVE_HELP, ServeArgs};
use super::show::{RepairArgs, ShowArgs};
use super::status::StatusArgs;
use super::uses::UsesArgs;

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

#[derive(Subcommand)]
pub(super) enum Command {
    /// Write a migrate.toml to start from
    Init,
    /// Bring a project in that another migration tool, or none, has carried so far
    #[command(after_help = ADOPT_HELP)]
    Adopt(AdoptArgs),
    /// Write the files of a new migration to start from
    New(Box<NewArgs>),
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
    /// Show who still uses what a contract takes away
    Uses(UsesArgs),
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
    /// Print what a cluster keeps to by itself: which versions may start
    #[cfg(feature = "serve")]
    #[command(after_help = KUBERNETES_HELP)]
    Kubernetes(KubernetesArgs),
    /// Show what was done, by whom and when
    Log(LogArgs),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
    /// Print the JSON schema of a file, for editors
    Schema(SchemaArgs),
    /// Write the pages of the manual
    Man(ManArgs),
}
