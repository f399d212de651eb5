//! `unused_for`: whether statements that name what a contract takes away were sent of late, by looks at the server's counters that
//! are remembered in the ledger.
//!
//! Invariant: looks that do not follow one another without a gap are no evidence for the time between them. Counters that were set
//! back or are another server's, statements for which there was no room, and a look that could not see all begin anew.

use std::collections::BTreeMap;

use super::CoordinatorError;
use super::connecting::writing;
use super::counters::{Counters, counters};
use super::in_ledger::End;
use super::past_return::past_return;
use super::session::Session;
use crate::database::{Connection, ErrorKind};
use crate::gate::{Sent, Unused, Watched};
use crate::ledger::{CountedUse, Ledger, LedgerError, UseRecord, View};
use crate::model::{MigrationId, Phase, Step};
use crate::project::{Migration, Project, UnusedRule};
use crate::sql::Dialect;

/// How long no look is due after one.
const OFTEN_ENOUGH_MS: i64 = 60_000;
/// How long whoever waits for a contract goes by the last look, where it clears nothing.
const BETWEEN_LOOKS_MS: i64 = 5_000;

/// Whether what was seen a moment ago may be the answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Eager {
    LooksNow,
    MayRest,
}

/// What a look has shown.
pub(super) struct Look {
    pub unused: Unused,
    /// What is to be remembered of it, if anything.
    pub record: Option<UseRecord>,
}

/// Looks at the counters, where the contract of this migration asks for that and has not begun.
pub(super) async fn look(
    migration: &Migration,
    connection: &mut dyn Connection,
    eager: Eager,
) -> Result<Option<Look>, CoordinatorError> {
    let Some(rule) = &migration.contract_rules.unused else {
        return Ok(None);
    };
    let id = migration.id();
    let Some(mut ledger) = Ledger::read(connection).await? else {
        let unused = never_looked(rule);
        let record = None;
        return Ok(Some(Look { unused, record }));
    };
    let is_begun = past_return((id, Some(migration)), Step::Contract, &mut ledger).await;
    let now = ledger.now().await;
    ledger.rollback().await?;
    if is_begun? {
        return Ok(None);
    }
    let now = now?;
    let dialect = connection.capabilities().dialect;
    let mut known = match Ledger::uses(connection).await {
        Ok(known) => known,
        Err(LedgerError::Database(error)) if error.kind == ErrorKind::Permission => {
            let unused = Unused {
                required_ms: required(rule),
                watched: Watched::Unseen {
                    why: format!("the looks that are remembered may not be read: {error}"),
                },
            };
            let record = None;
            return Ok(Some(Look { unused, record }));
        }
        Err(error) => return Err(error.into()),
    };
    let before = known.remove(&id.number());
    if let Some(before) = before.as_ref().filter(|_| eager == Eager::MayRest) {
        let unused = judged(rule, before, now, dialect);
        let is_recent = now.saturating_sub(before.at) < BETWEEN_LOOKS_MS;
        if is_recent && was_seen(before) && !unused.is_clear() {
            let record = None;
            return Ok(Some(Look { unused, record }));
        }
    }
    seen(migration, rule, before.as_ref(), (connection, now)).await
}

async fn seen(
    migration: &Migration,
    rule: &UnusedRule,
    before: Option<&UseRecord>,
    (connection, now): (&mut dyn Connection, i64),
) -> Result<Option<Look>, CoordinatorError> {
    let dialect = connection.capabilities().dialect;
    let found = match counters(migration, connection).await {
        Ok(found) => found,
        Err(error)
            if matches!(
                error.kind,
                ErrorKind::Statement | ErrorKind::Permission | ErrorKind::NoTable
            ) =>
        {
            Counters {
                blind: Some(error.to_string()),
                ..Counters::default()
            }
        }
        Err(error) => return Err(error.into()),
    };
    let at = if found.at > 0 { found.at } else { now };
    let record = followed(before, &found, at);
    let unused = match &found.blind {
        Some(why) => Unused {
            required_ms: required(rule),
            watched: Watched::Unseen { why: why.clone() },
        },
        None => judged(rule, &record, at, dialect),
    };
    Ok(Some(Look {
        unused,
        record: Some(record),
    }))
}

/// What is known once a look has followed those before it.
fn followed(before: Option<&UseRecord>, found: &Counters, at: i64) -> UseRecord {
    if let Some(why) = &found.blind {
        return unseen(before, found, why, at);
    }
    let before = before.filter(|before| before.subject == found.subject);
    let was_seen = before.is_some_and(was_seen);
    let are_others = was_seen && before.is_some_and(|before| before.counters != found.counters);
    let statements = found.statements.iter().map(|now| {
        let then = before.and_then(|before| before.of(&now.text, &now.roles));
        let was_sent = match then {
            // Counters that begin anew have counted it since.
            Some(then) => are_others || now.calls != then.calls,
            None => was_seen,
        };
        CountedUse {
            text: now.text.clone(),
            roles: now.roles.clone(),
            calls: now.calls,
            grew_at: if was_sent {
                at
            } else {
                then.map_or(0, |then| then.grew_at)
            },
        }
    });
    let (since, began) = match before {
        None => (at, String::new()),
        Some(before) => match broken(before, found) {
            None => (before.since, before.began.clone()),
            Some(why) => (at, why),
        },
    };
    UseRecord {
        subject: found.subject.clone(),
        counters: found.counters.clone(),
        evicted: found.evicted,
        since,
        began,
        at,
        statements: statements.collect(),
    }
}

/// A look that could not see all: what those before it have shown is kept, and the time begins anew with the next.
fn unseen(before: Option<&UseRecord>, found: &Counters, why: &str, at: i64) -> UseRecord {
    let subject = match before {
        Some(before) if found.subject.is_empty() => &before.subject,
        _ => &found.subject,
    };
    let statements = before.filter(|before| before.subject == *subject);
    UseRecord {
        subject: subject.clone(),
        since: at,
        began: why.to_owned(),
        at,
        statements: statements.map_or_else(Vec::new, |before| before.statements.clone()),
        ..UseRecord::default()
    }
}

/// Whether a look that is remembered has seen all.
fn was_seen(record: &UseRecord) -> bool {
    !record.counters.is_empty()
}

/// Why a look does not follow the one before without a gap.
fn broken(before: &UseRecord, found: &Counters) -> Option<String> {
    if !was_seen(before) {
        return Some(before.began.clone());
    }
    if before.counters != found.counters {
        let why = "since then the server counts anew: it was started, its counters were set back, or it is another server";
        return Some(why.to_owned());
    }
    if before.evicted != found.evicted {
        return Some(format!("not all was counted until then: {}", found.missed));
    }
    let is_less = before.statements.iter().any(|then| {
        let mut now = found.statements.iter();
        let now = now.find(|now| now.text == then.text && now.roles == then.roles);
        now.is_none_or(|now| now.calls < then.calls)
    });
    is_less.then(|| "a counter was set back then".to_owned())
}

/// What is known where there is no ledger.
fn never_looked(rule: &UnusedRule) -> Unused {
    Unused {
        required_ms: required(rule),
        watched: Watched::Unseen {
            why: "there is no ledger yet, in which looks are remembered: `migrate expand` makes it"
                .to_owned(),
        },
    }
}

fn required(rule: &UnusedRule) -> i64 {
    i64::try_from(rule.lasts.as_millis()).unwrap_or(i64::MAX)
}

/// What is known at a moment by what is remembered.
fn judged(rule: &UnusedRule, record: &UseRecord, now: i64, dialect: Dialect) -> Unused {
    let except: Vec<Vec<String>> = rule
        .except
        .iter()
        .map(|text| dialect.counted_as(text))
        .collect();
    let counts = |one: &&CountedUse| {
        let words = dialect.counted_as(&one.text);
        one.grew_at > 0
            && !except
                .iter()
                .any(|begins| !begins.is_empty() && words.starts_with(begins))
    };
    let mut sent: Vec<Sent> = record
        .statements
        .iter()
        .filter(counts)
        .map(|one| Sent {
            text: on_one_line(&one.text),
            roles: one.roles.clone(),
            ago_ms: now.saturating_sub(one.grew_at).max(0),
        })
        .collect();
    sent.sort_by_key(|one| one.ago_ms);
    Unused {
        required_ms: required(rule),
        watched: Watched::Looked {
            for_ms: now.saturating_sub(record.since).max(0),
            began: (!record.began.is_empty()).then(|| record.began.clone()),
            sent,
        },
    }
}

fn on_one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    crate::text::shown::shortened(&words.join(" "), 200).into_owned()
}

/// The migrations whose use is watched now, and was not looked at a moment ago.
fn due<'p>(
    project: &'p Project,
    view: &View,
    known: &BTreeMap<u64, UseRecord>,
) -> Vec<&'p Migration> {
    let is_over = |id: &MigrationId| {
        let mut applied = view.applied.iter();
        applied.any(|one| one.state.id() == id && one.state.phase == Phase::Contracted)
    };
    let all = project.migrations.iter();
    all.filter(|migration| {
        let id = migration.id();
        let record = known.get(&id.number());
        let is_recent =
            record.is_some_and(|record| view.now.saturating_sub(record.at) < OFTEN_ENOUGH_MS);
        migration.contract_rules.unused.is_some() && !is_over(id) && !is_recent
    })
    .collect()
}

/// Whether any migration asks to be watched: nothing is looked up for the others.
fn is_asked(project: &Project) -> bool {
    let mut all = project.migrations.iter();
    all.any(|migration| migration.contract_rules.unused.is_some())
}

async fn looks_due(
    project: &Project,
    view: &View,
    connection: &mut dyn Connection,
) -> Result<Vec<(u64, UseRecord)>, CoordinatorError> {
    let mut looks = Vec::new();
    let known = match Ledger::uses(connection).await {
        Err(LedgerError::Database(error)) if error.kind == ErrorKind::Permission => {
            tracing::debug!("who uses what contracts take away was not looked at: {error}");
            return Ok(looks);
        }
        known => known?,
    };
    for migration in due(project, view, &known) {
        let look = look(migration, connection, Eager::LooksNow).await?;
        if let Some(record) = look.and_then(|look| look.record) {
            looks.push((migration.id().number(), record));
        }
    }
    Ok(looks)
}

/// Looks at what is watched, for whoever is no coordinator and writes down what it sees.
pub(super) async fn record_uses(
    project: &Project,
    view: &View,
    connection: &mut dyn Connection,
) -> Result<(), LedgerError> {
    if !is_asked(project) {
        return Ok(());
    }
    let looks = match looks_due(project, view, connection).await {
        Ok(looks) => looks,
        Err(CoordinatorError::Ledger(error)) => return Err(error),
        Err(CoordinatorError::Database(error)) => return Err(error.into()),
        Err(error) => {
            tracing::debug!("who uses what contracts take away was not looked at: {error}");
            return Ok(());
        }
    };
    if looks.is_empty() {
        return Ok(());
    }
    match keep(project, &looks, connection).await {
        // Whoever looks for something else may have no right to keep this.
        Err(LedgerError::Database(error)) if error.kind == ErrorKind::Permission => {
            tracing::debug!("who uses what contracts take away could not be kept: {error}");
            Ok(connection.rollback().await?)
        }
        kept => kept,
    }
}

async fn keep(
    project: &Project,
    looks: &[(u64, UseRecord)],
    connection: &mut dyn Connection,
) -> Result<(), LedgerError> {
    Ledger::complete_uses(connection).await?;
    let mut ledger = writing(project, connection).await?;
    for (number, record) in looks {
        ledger.record_uses(*number, record);
    }
    ledger.commit().await
}

/// Looks for `migrate uses --record`, and remembers what it has shown; `None` where there is no ledger, or nothing to watch.
///
/// # Errors
/// A database error.
pub async fn remember_uses(
    project: &Project,
    migration: &Migration,
    connection: &mut dyn Connection,
) -> Result<Option<UseRecord>, CoordinatorError> {
    let Some(mut ledger) = Ledger::read(connection).await? else {
        return Ok(None);
    };
    let now = ledger.now().await;
    ledger.rollback().await?;
    let mut known = Ledger::uses(connection).await?;
    let before = known.remove(&migration.id().number());
    let found = counters(migration, connection).await?;
    let at = if found.at > 0 { found.at } else { now? };
    let record = followed(before.as_ref(), &found, at);
    let looks = [(migration.id().number(), record.clone())];
    keep(project, &looks, connection).await?;
    Ok(Some(record))
}

impl Session<'_> {
    /// Looks at what is watched, and remembers it.
    pub(super) async fn record_uses(&mut self, view: &View) -> Result<(), CoordinatorError> {
        let project = self.orders.project;
        if !is_asked(project) {
            return Ok(());
        }
        let looks = looks_due(project, view, self.connection.as_mut()).await?;
        self.keep_uses(&looks).await
    }

    /// Whether what a contract takes away was used of late; what the look has shown is remembered, whatever becomes of the step.
    pub(super) async fn unused(
        &mut self,
        id: &MigrationId,
    ) -> Result<Option<Unused>, CoordinatorError> {
        let migration = self.orders.migration(id)?;
        let Some(look) = look(migration, self.connection.as_mut(), Eager::MayRest).await? else {
            return Ok(None);
        };
        let record = look.record.map(|record| (id.number(), record));
        self.keep_uses(record.as_slice()).await?;
        Ok(Some(look.unused))
    }

    async fn keep_uses(&mut self, looks: &[(u64, UseRecord)]) -> Result<(), CoordinatorError> {
        if looks.is_empty() {
            return Ok(());
        }
        Ledger::complete_uses(self.connection.as_mut()).await?;
        self.in_ledger(async |ledger| {
            for (number, record) in looks {
                ledger.record_uses(*number, record);
            }
            Ok(End::Commit(()))
        })
        .await
    }
}

#[cfg(test)]
mod tests;
