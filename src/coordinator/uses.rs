//! Who still uses what a contract takes away: the code of the database, statements that the server has counted, and sessions at work.
//!
//! Invariant: what is found speaks against the contract; that nothing is found clears it of nothing. A job that runs once a month
//! is in no counter of yesterday.

use std::time::Duration;

use super::CoordinatorError;
use super::counters::{AtWork, Counted, Eye, gone, named};
use super::needed::needs;
use super::own_statements::Own;
use crate::database::{Access, Connection};
use crate::interrupt::Interrupt;
use crate::ledger::Ledger;
use crate::project::Migration;
use crate::sql::{Gone, Inventory, Visible};

/// What is known of the use of what a contract takes away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uses {
    /// What goes, in words.
    pub gone: Vec<String>,
    /// Code and keys of the database that name it.
    pub dependents: Vec<String>,
    pub statements: Vec<Counted>,
    pub sessions: Vec<AtWork>,
    /// Since when statements are counted, if the server says that.
    pub since: Option<String>,
    /// The looks before, as far as they are remembered: since when they follow one another without a gap, and when the last one was,
    /// in milliseconds since the epoch.
    pub looked: Option<(i64, i64)>,
    /// What could not be seen, and what would show it.
    pub unseen: Vec<String>,
}

impl Uses {
    /// Whether anything was found.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        !(self.dependents.is_empty() && self.statements.is_empty() && self.sessions.is_empty())
    }
}

/// Looks who uses what the contract of this migration takes away; twice, where it is to be watched for so long: then only
/// statements that were sent meanwhile count.
///
/// # Errors
/// A database error, or an interruption.
pub async fn uses(
    migration: &Migration,
    connection: &mut dyn Connection,
    watch: Option<Duration>,
    interrupt: Interrupt,
) -> Result<Uses, CoordinatorError> {
    let capabilities = connection.capabilities();
    let dialect = capabilities.dialect;
    let gone = gone(migration, dialect);
    let mut uses = Uses {
        gone: gone.iter().map(named).collect(),
        ..Uses::default()
    };
    if gone.is_empty() {
        return Ok(uses);
    }
    connection.begin(Access::Read).await?;
    let inventory = connection.inventory().await;
    connection.rollback().await?;
    let inventory = inventory?;
    if inventory.visible == Visible::Part {
        uses.unseen
            .push("code that this role may not see".to_owned());
    }
    uses.dependents = dependents(&inventory, &gone);
    connection.begin(Access::Read).await?;
    let kept = needs(connection, &gone).await;
    connection.rollback().await?;
    for one in kept?.into_iter().filter(|one| !one.is_code) {
        if !uses.dependents.contains(&one.said) {
            uses.dependents.push(one.said);
        }
    }
    let Some(statistics) = &capabilities.statistics else {
        uses.unseen.push(format!(
            "{} counts no statements: look at the logs of the application",
            dialect.title()
        ));
        return Ok(uses);
    };
    let own = Own::of(migration, dialect, statistics);
    let mut eye = Eye::new(connection, (&gone, &own), statistics);
    match eye.sessions().await {
        Ok(sessions) => uses.sessions = sessions,
        Err(error) => uses.unseen.push(format!("the sessions: {error}")),
    }
    let place = match eye.place().await? {
        Ok(place) => place,
        Err(why) => {
            uses.unseen.push(why);
            return Ok(uses);
        }
    };
    uses.since = eye.since(&place).await;
    match eye.counted(&place).await {
        Ok((counted, hidden)) => {
            uses.statements = counted;
            if hidden.no_room {
                uses.unseen.push(statistics.hidden.to_owned());
            }
            uses.unseen.extend(hidden.told(statistics));
        }
        Err(error) => {
            let why = format!(
                "the statements that the server has counted: {error}; {}",
                statistics.off
            );
            uses.unseen.push(why);
            return Ok(uses);
        }
    }
    let known = Ledger::uses(connection).await?;
    if let Some(known) = known.get(&migration.id().number()) {
        uses.looked = Some((known.since, known.at));
        for one in &mut uses.statements {
            let before = known.of(&one.text, &one.roles);
            let before = before.map_or(0, |then| then.calls);
            // Counters that were set back begin anew.
            one.grew = Some(
                one.calls
                    .checked_sub(before)
                    .filter(|grew| *grew >= 0)
                    .unwrap_or(one.calls),
            );
        }
    }
    if let Some(watch) = watch {
        interrupt.pause(watch).await;
        let mut eye = Eye::new(connection, (&gone, &own), statistics);
        let (after, _) = eye.counted(&place).await?;
        uses.statements = grown(&uses.statements, after);
    }
    Ok(uses)
}

/// Those that were sent between the two looks.
fn grown(before: &[Counted], after: Vec<Counted>) -> Vec<Counted> {
    let after = after.into_iter().filter_map(|now| {
        let then = before
            .iter()
            .find(|one| one.text == now.text && one.roles == now.roles);
        // Counters that were set back begin anew.
        let then = then.map_or(0, |one| one.calls);
        let grew = if now.calls >= then {
            now.calls - then
        } else {
            now.calls
        };
        (grew > 0).then_some(Counted {
            grew: Some(grew),
            ..now
        })
    });
    after.collect()
}

fn dependents(inventory: &Inventory, gone: &[Gone]) -> Vec<String> {
    let dialect = inventory.code.dialect;
    let mut found = Vec::new();
    let mut tell = |said: String| {
        if !found.contains(&said) {
            found.push(said);
        }
    };
    for one in gone {
        for (code, through) in inventory.code.that_name(one) {
            let on = code.table.as_ref().map(|table| format!(" of `{table}`"));
            let through = through.map(|function| format!(", by the function `{function}`"));
            tell(format!(
                "the {} `{}`{}{} names {}",
                code.word,
                code.name,
                on.unwrap_or_default(),
                through.unwrap_or_default(),
                named(one)
            ));
        }
        let leads_to = inventory.attached.iter().filter(|attached| {
            let to = attached.with.as_ref();
            let is_to = to.is_some_and(|to| dialect.may_be_same_name(to, &one.table));
            is_to
                && one.column.as_ref().is_none_or(|column| {
                    let mut columns = attached.columns.iter();
                    columns.any(|other| dialect.may_be_same_name(other, column))
                })
        });
        for attached in leads_to {
            tell(format!(
                "{} of `{}` (`{}`) leads to {}",
                attached.what,
                attached.table,
                attached.name,
                named(one)
            ));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_meanwhile_is_what_its_counter_says() {
        let counted = |text: &str, calls| Counted {
            text: text.to_owned(),
            calls,
            grew: None,
            roles: "app".to_owned(),
            last: String::new(),
        };
        let before = [counted("a", 5), counted("b", 7), counted("c", 9)];
        let after = vec![
            counted("a", 5),
            counted("b", 8),
            counted("c", 2),
            counted("d", 1),
        ];
        let grown = grown(&before, after);
        let grown: Vec<(&str, Option<i64>)> =
            grown.iter().map(|one| (&*one.text, one.grew)).collect();
        assert_eq!(grown, [("b", Some(1)), ("c", Some(2)), ("d", Some(1))]);
    }
}
