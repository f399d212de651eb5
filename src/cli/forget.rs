//! `migrate fleet forget`: ends the leases of instances that are gone.

use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand};
use serde_json::json;

use super::args::Global;
use super::context::{Context, log_head};
use super::failure::Failure;
use super::out::Out;
use super::recording::Recording;
use super::text;
use crate::coordinator::{Admitted, Forgotten, Which, forget};
use crate::ledger::{KnownLease, ProjectTerms};
use crate::model::InstanceState;
use crate::project::FleetConfig;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct FleetArgs {
    #[command(subcommand)]
    pub command: Option<FleetCommand>,
    #[command(flatten)]
    pub recording: Recording,
}

#[derive(Subcommand)]
pub(super) enum FleetCommand {
    /// End the leases of an instance that is gone for good, such as one of a dead host. Refused while it
    /// renews them; of an instance that came back under its name, those that it no longer renews are ended
    Forget(ForgetArgs),
}

#[derive(Args)]
#[command(group(ArgGroup::new("which").required(true).args(["instance", "all_lost", "never_renewed"])))]
pub(super) struct ForgetArgs {
    /// Its name, as `migrate fleet` shows it
    pub instance: Option<String>,
    /// Every lease that has missed three renewals, for example those that came along in a copy of the
    /// database
    #[arg(long)]
    pub all_lost: bool,
    /// What somebody has made up: every lease that nobody has renewed since it was registered, or that claims to last
    /// longer than `[fleet] lease` says, although three renewals of the project's terms are overdue
    #[arg(long)]
    pub never_renewed: bool,
    /// With --all-lost or --never-renewed also those that `migrate admit` has made: nobody renews them, so nothing here
    /// tells whether their instances run
    #[arg(long, conflicts_with = "instance")]
    pub admitted: bool,
    /// Only those of this service
    #[arg(long)]
    pub service: Option<String>,
    /// Why, for whoever reads the log
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

pub(super) async fn run(
    command: &FleetCommand,
    recording: &Recording,
    global: &Global,
    out: &Out,
) -> Result<u8, Failure> {
    let FleetCommand::Forget(args) = command;
    let reason = args.reason.trim();
    if reason.is_empty() {
        return Err(Failure::new("--reason needs a reason")
            .help("say why, for whoever reads the log")
            .usage());
    }
    if recording.record {
        return Err(Failure::new("`fleet forget` looks at no source")
            .help("leave `--record` out, and run `migrate fleet --record` afterwards")
            .usage());
    }
    let service = args.service.clone();
    let which = match &args.instance {
        Some(name) => Which::Instance {
            name: name.clone(),
            service,
        },
        None if args.never_renewed => Which::NeverRenewed {
            service,
            admitted: if args.admitted {
                Admitted::Too
            } else {
                Admitted::Not
            },
        },
        None if args.admitted => Which::LostAndAdmitted { service },
        None => Which::Lost { service },
    };
    let context = Context::load(global, out)?;
    let fleet = &context.project.config.fleet;
    let usual = FleetConfig::default();
    let milliseconds = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    let terms = ProjectTerms {
        renew_ms: milliseconds(fleet.renew),
        // An instance without the project's files has the usual terms.
        lease_ms: milliseconds(fleet.lease.max(usual.lease)),
    };
    let mut forgotten = Forgotten::Ended {
        leases: Vec::new(),
        going_on: Vec::new(),
    };
    if let Some(mut connection) = context.connect().await? {
        let done = forget(connection.as_mut(), &which, terms, reason).await;
        let head = match &done {
            Ok(Forgotten::Ended { leases, .. }) if !leases.is_empty() => {
                log_head(connection.as_mut()).await
            }
            _ => Ok(None),
        };
        connection.close().await;
        forgotten = done?;
        out.log_ends(head?.as_ref(), global.quiet);
    }
    match forgotten {
        Forgotten::Renewed {
            lease,
            ago_ms,
            left_ms,
            going_on,
        } => Err(renewed(&lease, (ago_ms, left_ms), &going_on)),
        Forgotten::ChangedMeanwhile => Err(Failure::new(
            "one of the leases was renewed or released meanwhile, and none was ended",
        )
        .help("`migrate fleet` shows whether it is still there; the same command can be run again")
        .refused()),
        Forgotten::Ended { leases, going_on } => match &args.instance {
            Some(wanted) if leases.is_empty() => Err(unknown(wanted)),
            _ => {
                show(args.never_renewed, &leases, &going_on, reason, out);
                Ok(0)
            }
        },
    }
}

/// Somebody renews every lease that was meant.
fn renewed(lease: &KnownLease, (ago_ms, left_ms): (u64, u64), others: &[KnownLease]) -> Failure {
    let (ago, left) = (text::span(ago_ms), text::span(left_ms.saturating_add(1000)));
    if others.is_empty() {
        return Failure::new(format!(
            "{} renewed its lease {ago} ago: it runs, and its lease was not ended",
            name(lease)
        ))
        .help(format!(
            "stop it, and its lease ends with it; if it was killed just now, the same command works in {left}"
        ))
        .refused();
    }
    let others: Vec<String> = others.iter().take(MOST_NAMED).map(name).collect();
    Failure::new(format!(
        "{} was renewed {ago} ago, and none of the leases of that name was ended",
        name(lease)
    ))
    .help(format!(
        "if that process was killed just now, the same command ends its lease in {left}; what is renewed then goes on ({})",
        others.join(", ")
    ))
    .refused()
}

/// How many leases that go on are named.
const MOST_NAMED: usize = 5;

fn unknown(instance: &str) -> Failure {
    Failure::new(format!("no lease of `{instance}` is known")).help(
        "`migrate fleet` shows who is live and who says so. Only a lease can be forgotten: what another source has shown \
         is remembered by version, until `migrate fleet --record` no longer finds it there",
    )
}

fn show(
    is_of_never_renewed: bool,
    leases: &[KnownLease],
    going_on: &[KnownLease],
    reason: &str,
    out: &Out,
) {
    if out.is_json() {
        let in_json = |leases: &[KnownLease]| -> Vec<_> {
            let each = leases.iter().map(|lease| {
                json!({
                    "service": lease.service,
                    "version": lease.label,
                    "instance": lease.instance,
                    "state": lease.state.map(InstanceState::name),
                })
            });
            each.collect()
        };
        out.json(
            &json!({ "forgot": in_json(leases), "going_on": in_json(going_on), "reason": reason }),
        );
        return;
    }
    if leases.is_empty() {
        out.well(if is_of_never_renewed {
            "no lease is one that somebody has made up"
        } else {
            "no lease is lost"
        });
    }
    for lease in leases {
        let state = lease.state.map_or("ended", InstanceState::name);
        out.well(format!("forgot {} ({state})", name(lease)));
    }
    for lease in going_on.iter().take(MOST_NAMED) {
        out.line(format!("{} renews its lease and goes on", name(lease)));
    }
}

fn name(lease: &KnownLease) -> String {
    format!("{} {} {}", lease.service, lease.label, lease.instance)
}
