//! What is missing in the evidence.

use super::{Words, forgetting, seconds};
use crate::gate::reason::{Missing, Reason, Sessions, Silence, Unplaced, Unseen};
use crate::model::{
    InstanceState, LostLedger, MigrationId, Moved, Step, Unaccounted, Whereabouts, tells_none,
};

pub(super) fn words(reason: &Reason) -> Words {
    match reason {
        Reason::Source(silence) => silent(silence),
        Reason::MissingInstances {
            service,
            seen,
            wanted,
            missing,
        } => match missing {
            Missing::Settling { instances, left_ms } => {
                settling((service, *seen, *wanted), *instances, *left_ms)
            }
            Missing::Unseen(unseen) => too_few((service, *seen, *wanted), unseen),
        },
        Reason::UnplacedVersion(unplaced) => not_placed(unplaced),
        Reason::UnaccountedSession(Sessions::Unlisted { why }) => Words::new(
            format!("who has sessions in the database cannot be seen: {why}"),
            "docs/grants.md has the right that it needs; `sessions = \"note\"` under [fleet] in migrate.toml goes on without",
        ),
        Reason::UnaccountedSession(Sessions::Unaccounted(group)) => unaccounted(group),
        Reason::UnknownService { service } => Words::new(
            format!(
                "an instance of `{service}` is live, and neither migrate.toml nor a migration names that service"
            ),
            "if the name is mistyped, start it under the right one; otherwise name the service under [services] in migrate.toml",
        ),
        _ => Words::new("", ""),
    }
}

fn silent(silence: &Silence) -> Words {
    match silence {
        Silence::Stale { source, age_ms } => Words::new(
            format!(
                "the source `{source}` is stale: what it said is {} s old",
                age_ms / 1000
            ),
            "wait until it reports again, or repair it",
        ),
        Silence::Failed { source, reason } => Words::new(
            format!("the source `{source}` failed: {reason}"),
            "repair it, or take it out of [fleet] sources in migrate.toml if instances do not depend on it",
        ),
        Silence::Moved {
            moved,
            all_renew_ms,
            step,
            migration,
        } => has_moved(*moved, *all_renew_ms, (*step, migration)),
        Silence::LedgerLost(lost) => Words::new(lost.to_string(), LostLedger::HELP),
        Silence::Unreachable { error, next } => Words::new(
            error,
            next.as_deref().unwrap_or(
                "ask again when the database can be reached; running instances go on under their leases",
            ),
        ),
    }
}

/// A ledger that has come to another server lately may lack what was committed last on the one before.
fn has_moved(moved: Moved, all_renew_ms: u64, (step, id): (Step, &MigrationId)) -> Words {
    let last = moved.last_ms_ago.map_or_else(String::new, |ago| {
        format!("; the last thing that is recorded is {} s old", ago / 1000)
    });
    let left = seconds(all_renew_ms.saturating_sub(moved.noticed_ms_ago.unwrap_or(0)));
    let otherwise = format!(
        "what runs without a lease is for you to know: `--accept-unknown REASON` goes on with `migrate {} {id}`",
        step.name()
    );
    let help = if moved.noticed_ms_ago.is_some() {
        format!(
            "holders of leases that are missing register anew within {left} s: ask again after that; {otherwise}"
        )
    } else {
        format!(
            "the next command that acts begins to count (`migrate {} {id}` itself): {left} s later holders of leases that are \
             missing have registered anew, so run it again then; {otherwise}",
            step.name()
        )
    };
    Words::new(
        format!(
            "the ledger has come to another server (a replica was promoted, or a backup restored), and what was committed last \
             on the one before may be missing, leases among it{last}"
        ),
        help,
    )
}

/// Of which service how many are seen, and how many there have to be.
type Count<'a> = (&'a str, u64, u64);

/// Enough of them renew their leases, and have only not stayed long enough yet. Whether they do is not known.
fn settling((service, seen, wanted): Count<'_>, instances: u64, left_ms: u64) -> Words {
    let (are, they) = match instances {
        1 => ("is starting and renews its lease", "it counts once it has"),
        _ => (
            "are starting and renew their leases",
            "they count once they have",
        ),
    };
    Words::new(
        format!(
            "{seen} of at least {wanted} instances of {service} have stayed for `min_ready` so far; {instances} more {are}"
        ),
        format!(
            "{they} stayed for `min_ready`, in about {} s if nothing ends before: ask again then; where this answer comes again and \
             again, look with `migrate fleet` at what ends and starts anew",
            seconds(left_ms).max(1)
        ),
    )
}

fn too_few((service, seen, wanted): Count<'_>, unseen: &Unseen) -> Words {
    let also = if unseen.states.is_empty() {
        String::new()
    } else {
        let mut states: Vec<&str> = unseen.states.iter().map(|state| state.name()).collect();
        states.sort_unstable();
        format!(
            " ({} more prove nothing: {})",
            unseen.unproven,
            states.join(", ")
        )
    };
    let mut ways = ways(unseen);
    if !unseen.silent.is_empty() {
        let names: Vec<String> = unseen
            .silent
            .iter()
            .map(|name| format!("`{name}`"))
            .collect();
        ways.push(format!(
            "have {} answer again: it may show them",
            names.join(" and ")
        ));
    } else if unseen.states.is_empty() {
        const START: &str = "start them with `migrate agent`, name a source that sees them";
        // None is what a fleet looks like that is not seen at all: no reason to expect none.
        ways.push(if seen > 0 {
            format!(
                "{START}, or set min_instances = {seen} under [services.{service}] if that is all there are"
            )
        } else {
            format!(
                "{START}, or, if it is meant to run nowhere, say so (`min_instances` in docs/files.md)"
            )
        });
    }
    Words::new(
        format!(
            "{seen} of at least {wanted} instances of {service} are seen{also}: others may be live unseen"
        ),
        ways.join("; "),
    )
}

/// What helps those that prove nothing, for each state that there is.
fn ways(unseen: &Unseen) -> Vec<String> {
    let mut ways = Vec::new();
    let are_some = |state: InstanceState| unseen.states.contains(&state);
    if unseen.settling > 0 {
        ways.push(format!(
            "{} of them renew their leases and count once they have stayed for `min_ready`; the others have to be started",
            unseen.settling
        ));
    }
    if unseen.admitted > 0 {
        ways.push(
            "what `migrate admit` let in never renews its lease, so waiting proves nothing of it: start it with `migrate agent`, or \
             name a source that sees it"
                .to_owned(),
        );
    }
    if unseen.starting > unseen.settling.saturating_add(unseen.admitted) {
        ways.push(
            "see why what is starting does not come up (`migrate fleet` shows it)".to_owned(),
        );
    }
    if are_some(InstanceState::Lost) {
        ways.push(format!(
            "see why what is lost does not renew its lease, and start it anew; if it is gone for good, {}",
            forgetting(&unseen.lost)
        ));
    }
    if are_some(InstanceState::Superseded) {
        ways.push(
            "leases that are superseded stay so: start as many instances as there have to be, each under a name of its own"
                .to_owned(),
        );
    }
    if are_some(InstanceState::Contradictory) {
        ways.push(
            "see that every source lists each instance once, and at the version that it runs"
                .to_owned(),
        );
    }
    if are_some(InstanceState::Unreadable) {
        ways.push(
            "what is unreadable has to be looked at (`migrate fleet` says who wrote it)".to_owned(),
        );
    }
    for twins in &unseen.twins {
        ways.push(format!(
            "give each process a name of its own with `--instance` ({}, which counts as one instance)",
            twins.describe()
        ));
    }
    ways
}

fn not_placed(unplaced: &Unplaced) -> Words {
    let (service, label, state, names) = match unplaced {
        Unplaced::TooMany {
            service,
            versions,
            most,
        } => {
            return Words::new(
                format!(
                    "{versions} versions of {service} are said to be live, and more than {most} are not believed"
                ),
                format!(
                    "look with `migrate fleet` at who reports them, and mend a source that lists them. Leases that somebody has made up are ended by \
                     `migrate fleet forget --never-renewed --service {service} --reason TEXT`, once three renewals are overdue; with `--admitted` \
                     also those of `migrate admit`, where nothing runs by them"
                ),
            );
        }
        Unplaced::Label {
            service,
            label,
            state,
            names,
        } => (service, label, state, names),
    };
    match state {
        InstanceState::Unreadable => Words::new(
            format!(
                "a lease of {service} holds what no instance writes: it counts as a live one of a version that nobody knows"
            ),
            format!(
                "look at its row in the ledger's table `leases` and at who has written it; if it stands for nothing that runs, {}",
                forgetting(names)
            ),
        ),
        InstanceState::Contradictory => Words::new(
            format!(
                "`{label}` of {service} is live, and its label and what is said beside it name two versions"
            ),
            format!(
                "set label and image together, in one change of the template, so that both name the version that runs. Where a tag says the same in \
                 other words (`1.2.0-alpine`, the number of a build), say so in migrate.toml: [services.{service}] aliases = {{ \"1.2.0-alpine\" = \
                 \"1.2.0\" }}, or `labels`, a pattern for all of them. Where it is the template that says something else, somebody has relabelled \
                 what runs: set that label back (`kubectl label --overwrite`)"
            ),
        ),
        _ if tells_none(label) => Words::new(
            format!("an instance of {service} is live and tells {label}"),
            "`migrate fleet` names it: let it tell its version, or take it out of what the source lists once it is gone. No alias helps, because \
             that would stand for whatever tells none",
        ),
        _ => Words::new(
            format!("`{label}` of {service} is live and cannot be placed among the versions"),
            format!(
                "say which version it is in migrate.toml: [services.{service}] aliases = {{ \"{label}\" = \"1.2.3\" }}"
            ),
        ),
    }
}

fn unaccounted(group: &Unaccounted) -> Words {
    let message = format!(
        "{}: {} may be of one that does not register",
        group.belong_to_nobody(),
        if group.sessions == 1 { "it" } else { "they" }
    );
    let help = match (&group.address, &group.whereabouts) {
        (None, _) => {
            "let us see where they come from (docs/grants.md); or start what has them with `migrate agent`, or declare it: \
             [[fleet.allow_session]] in migrate.toml"
        }
        // No server tells which process is at the other end of a local socket.
        (Some(address), Whereabouts::Here) if address.is_empty() => {
            "start what has them with `migrate agent`, or end them. Whose a session over a local socket is nobody can tell, unless, \
             on PostgreSQL, it gives itself the name that the agent hands on (PGAPPNAME), or that its own lease says (`session_name` in \
             docs/library.md): an instance that connects to 127.0.0.1 instead is known. What is no instance (a pooler, a console, a report) is declared in migrate.toml: [[fleet.allow_session]] with `user`, \
             `application` or `address`, and a `reason`"
        }
        (Some(_), Whereabouts::Here) => {
            "start what has them with `migrate agent`, or end them; what is no instance (a pooler, a console, a report) is \
             declared in migrate.toml: [[fleet.allow_session]] with `user`, `application` or `address`, and a `reason`"
        }
        (Some(_), Whereabouts::Database(_) | Whereabouts::Nowhere) => {
            "its user has rights in this database: start what has them with `migrate agent`, or end them; what is of another \
             application needs no rights here (REVOKE), or is declared in migrate.toml: [[fleet.allow_session]] with `user` or \
             `database`, and a `reason`"
        }
    };
    Words::new(message, help)
}
