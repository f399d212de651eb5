//! Ending leases of instances that are gone, from elsewhere.

use super::session::actor;
use crate::database::Connection;
use crate::ledger::{Ended, EventKind, KnownLease, Ledger, LedgerError, ProjectTerms, Standing};
use crate::model::InstanceState;
use crate::text::shown::{shortened, shown};

/// Which leases are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// All of an instance, in one service where it is named.
    Instance {
        name: String,
        service: Option<String>,
    },
    /// All that were renewed once and have missed three renewals.
    Lost { service: Option<String> },
    /// These, and all of one admission, which nobody renews: whether their instances run is not known.
    LostAndAdmitted { service: Option<String> },
    /// What somebody has made up: all that nobody has renewed since they were registered, or that claim to last longer than
    /// the leases of the project, although three renewals are overdue by its own terms. Those of one admission too, where
    /// `admitted` says so.
    NeverRenewed {
        service: Option<String>,
        admitted: Admitted,
    },
}

/// Whether leases of one admission are meant as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admitted {
    Too,
    Not,
}

impl Which {
    fn service(&self) -> Option<&str> {
        let (Self::Instance { service, .. }
        | Self::Lost { service }
        | Self::LostAndAdmitted { service }
        | Self::NeverRenewed { service, .. }) = self;
        service.as_deref()
    }

    fn means(&self, lease: &KnownLease, terms: ProjectTerms) -> bool {
        if self
            .service()
            .is_some_and(|service| service != lease.service)
        {
            return false;
        }
        let is_lost = || {
            let is_judged = !matches!(lease.state, None | Some(InstanceState::Unreadable));
            is_judged && !lease.is_of_one_admission && lease.standing(terms) == Standing::Unrenewed
        };
        match self {
            // As it is, or as `fleet` shows it.
            Self::Instance { name, .. } => {
                lease.instance == *name || shown(&lease.instance) == *name
            }
            Self::Lost { .. } => is_lost(),
            Self::LostAndAdmitted { .. } => lease.is_of_one_admission || is_lost(),
            Self::NeverRenewed { admitted, .. } => {
                let is_meant = *admitted == Admitted::Too || !lease.is_of_one_admission;
                is_meant && lease.is_made_up(terms)
            }
        }
    }
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forgotten {
    /// These leases were ended, none where none was meant; and these were not, because somebody renews them.
    Ended {
        leases: Vec<KnownLease>,
        going_on: Vec<KnownLease>,
    },
    /// Somebody renews each of them, and nothing was changed. This is the one that was renewed the longest time ago.
    Renewed {
        lease: Box<KnownLease>,
        ago_ms: u64,
        left_ms: u64,
        /// The others.
        going_on: Vec<KnownLease>,
    },
    /// One of them was renewed or released meanwhile, and nothing was changed.
    ChangedMeanwhile,
}

/// Ends leases, and records why. `terms` are those by which instances of the project hold theirs.
///
/// Invariant: no lease that somebody renews is ended.
///
/// # Errors
/// A database or ledger error.
pub async fn forget(
    connection: &mut dyn Connection,
    which: &Which,
    terms: ProjectTerms,
    reason: &str,
) -> Result<Forgotten, LedgerError> {
    let Some(ledger) = Ledger::read(connection).await? else {
        return Ok(Forgotten::Ended {
            leases: Vec::new(),
            going_on: Vec::new(),
        });
    };
    ledger.rollback().await?;
    let mut ledger = Ledger::write(connection).await?;
    ledger.stay_here().await?;
    match forget_in(&mut ledger, which, terms, reason).await? {
        Forgotten::Ended { leases, going_on } if !leases.is_empty() => {
            ledger.commit().await?;
            Ok(Forgotten::Ended { leases, going_on })
        }
        nothing => {
            ledger.rollback().await?;
            Ok(nothing)
        }
    }
}

async fn forget_in(
    ledger: &mut Ledger<'_>,
    which: &Which,
    terms: ProjectTerms,
    reason: &str,
) -> Result<Forgotten, LedgerError> {
    // Whoever decides about a contract has counted them, or does so afterwards.
    ledger.lock_admissions().await?;
    let mut leases = ledger.known_leases().await?;
    leases.retain(|lease| which.means(lease, terms));
    // An instance that came back under its name renews its own lease: what is left of the one before is ended.
    let (mut going_on, leases): (Vec<_>, Vec<_>) = leases.into_iter().partition(|lease| {
        // Of what was never renewed, the row alone says when a renewal is missed.
        !matches!(which, Which::NeverRenewed { .. })
            && matches!(lease.standing(terms), Standing::Renewed { .. })
    });
    if leases.is_empty() {
        let silent = |lease: &KnownLease| match lease.standing(terms) {
            Standing::Renewed { ago_ms, left_ms } => Some((ago_ms, left_ms)),
            Standing::Unrenewed => None,
        };
        let each = going_on.iter().enumerate();
        let longest = each
            .filter_map(|(at, lease)| Some((silent(lease)?, at)))
            .max();
        return Ok(match longest {
            Some(((ago_ms, left_ms), at)) => Forgotten::Renewed {
                lease: Box::new(going_on.remove(at)),
                ago_ms,
                left_ms,
                going_on,
            },
            None => Forgotten::Ended { leases, going_on },
        });
    }
    if ledger.end_leases(&leases).await? == Ended::ChangedMeanwhile {
        return Ok(Forgotten::ChangedMeanwhile);
    }
    let detail = serde_json::json!({
        "leases": leases.len(),
        "of": leases.iter().take(MOST_NAMED).map(in_words).collect::<Vec<_>>(),
        "reason": reason,
    });
    ledger
        .append(EventKind::Forgot, &actor(), None, &detail)
        .await?;
    Ok(Forgotten::Ended { leases, going_on })
}

/// How many leases an event names, and how long a name in it is.
const MOST_NAMED: usize = 500;
const LONGEST_NAME: usize = 200;

fn in_words(lease: &KnownLease) -> String {
    let state = lease.state.map_or("ended", InstanceState::name);
    let instance = shortened(&lease.instance, LONGEST_NAME);
    format!("{} {} {instance} ({state})", lease.service, lease.label)
}
