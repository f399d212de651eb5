//! Several statements in one message, and what the server answers to each.

use std::sync::Arc;

use futures_util::{FutureExt as _, TryStreamExt as _};
use sqlx::postgres::{PgQueryResult, PgRow};
use sqlx::{AssertSqlSafe, Column, Either, Executor, Row as _, TypeInfo, ValueRef};

use tracing::instrument::WithSubscriber as _;

use super::cancel::{Place, beginning_of};
use super::names::{self, Whose};
use super::{Postgres, from_sqlx, literal, place};
use crate::database::answers::collect;
use crate::database::heard::{Ear, Heard};
use crate::database::holders::{Seen, naming};
use crate::database::stop::BOUND;
use crate::database::{Answer, Asks, Call, DatabaseError, ErrorKind, Row, Server, Stopped, Value};

/// One statement of a message.
#[derive(Clone, Copy)]
pub(super) enum Part<'s> {
    Ours(&'s str),
    /// A query on tables of the user's, by their names; its rows are read.
    Query(&'s str),
    /// A statement of the user's, as it is written. Nobody reads its rows.
    Theirs(&'s str),
    /// What the user's statements have put off until the end runs as they do.
    Commit,
    Rollback,
}

impl<'s> Part<'s> {
    const fn sql(self) -> &'s str {
        match self {
            Self::Ours(sql) | Self::Query(sql) | Self::Theirs(sql) => sql,
            Self::Commit => "COMMIT",
            Self::Rollback => "ROLLBACK",
        }
    }

    /// Whether it is ours to say what was in its way.
    const fn is_asked(&self) -> bool {
        matches!(self, Self::Ours(_) | Self::Query(_))
    }
}

impl Postgres {
    /// What each of these statements of ours has brought, sent together with what has to come before them.
    pub(super) async fn together(
        &mut self,
        statements: &[&str],
    ) -> Result<Vec<Answer>, DatabaseError> {
        let parts: Vec<Part<'_>> = statements.iter().copied().map(Part::Ours).collect();
        let sent = self.exchange(&parts).await;
        sent.map_err(|stopped| stopped.error)
    }

    /// The rows that a query on the user's tables returns.
    pub(super) async fn their_rows(&mut self, sql: &str) -> Result<Vec<Row>, DatabaseError> {
        let sent = self.exchange(&[Part::Query(sql)]).await;
        let answers = sent.map_err(|stopped| stopped.error)?;
        Ok(answers.into_iter().next().unwrap_or_default().rows)
    }

    /// Sends these statements together, with what has to come before and between them. As many answers as statements.
    pub(super) async fn exchange(&mut self, parts: &[Part<'_>]) -> Result<Vec<Answer>, Stopped> {
        let ends = matches!(parts.last(), Some(Part::Commit | Part::Rollback));
        let interrupt = self.stop.now();
        if interrupt.is_due() && !ends {
            return Err(DatabaseError::interrupted().into());
        }
        let (settings, pin) = (std::mem::take(&mut self.settings), Arc::clone(&self.pin));
        let (to_theirs, to_ours) = (names::theirs(), names::ours());
        let begins = self.beginning.take().map(|begin| self.place.marked(begin));
        let mut asked = None;
        let mut all: Vec<&str> = Vec::new();
        let mut places = Vec::new();
        let mut whose = self.whose;
        let mut has_run_theirs = self.has_run_theirs;
        if let Some(begin) = &begins {
            all.extend([begin, &*pin]);
            if interrupt.is_listening() || self.asks == Asks::Yes {
                asked = Some(all.len());
                all.push(Place::asked(self.inner.server_version_num()));
            }
            (whose, has_run_theirs) = (Whose::Ours, false);
        } else if !self.in_transaction {
            // Together they are a transaction of their own. What cannot run in one is sent alone.
            match parts.first() {
                Some(Part::Ours(_)) => all.push(&pin),
                Some(Part::Query(_)) => all.push(names::SEES_ALL),
                _ => {}
            }
        }
        all.extend(settings.iter().map(String::as_str));
        for part in parts {
            let wanted = match part {
                Part::Ours(_) => Whose::Ours,
                Part::Query(_) | Part::Theirs(_) => Whose::Theirs,
                Part::Commit if has_run_theirs => Whose::Theirs,
                Part::Commit | Part::Rollback => whose,
            };
            if self.in_transaction && wanted != whose {
                all.push(match wanted {
                    Whose::Ours => &to_ours,
                    Whose::Theirs => &to_theirs,
                });
                whose = wanted;
                has_run_theirs |= wanted == Whose::Theirs;
            }
            places.push(all.len());
            all.push(part.sql());
        }
        if all.is_empty() {
            return Ok(Vec::new());
        }
        let first_of_theirs = parts
            .iter()
            .position(|part| matches!(part, Part::Theirs(_)));
        let read = first_of_theirs.and_then(|index| places.get(index));
        let read = read.copied().unwrap_or(all.len());
        let sql = all.join(SEPARATOR);
        let known_by = beginning_of(&sql, interrupt);
        // What it says about statements of ours is of no interest to anybody.
        let ear = first_of_theirs.map(|_| &*self.ear.get_or_insert_with(Ear::new));
        let items = self.inner.fetch_many(sqlx::raw_sql(AssertSqlSafe(sql)));
        let items = items.inspect_ok(|item| {
            if let (Some(ear), Either::Left(_)) = (ear, item) {
                ear.next();
            }
        });
        let collecting = collect(
            items,
            |place| place < read,
            PgQueryResult::rows_affected,
            decode,
            from_sqlx,
        );
        let collecting = match ear {
            Some(ear) => collecting.with_subscriber(ear.begin()).left_future(),
            None => collecting.right_future(),
        };
        // What is alone in its text: the beginning of a transaction is marked, and a statement outside of any is theirs.
        let is_alone = begins.is_some() || !self.in_transaction;
        let (place, target, known_by) = (&self.place, &self.target, known_by.as_str());
        let cancel = || place.cancel(target, known_by, is_alone);
        if ends {
            self.stop.ending();
        }
        // Behind a pooler, where this transaction runs is known once its first message has been answered.
        let is_watched = self.asks == Asks::Yes && self.in_transaction && begins.is_none();
        let waiting = place.session.filter(|_| is_watched);
        let seen = Seen::default();
        let collecting = seen.beside(collecting, target, waiting);
        let watched = self.stop.watch(BOUND, collecting, cancel).await;
        self.stop.ended();
        for (done, severity, text) in ear.map(Ear::heard).unwrap_or_default() {
            let place = places.iter().position(|place| *place == done);
            if let Some(at) = place.and_then(|place| place.checked_sub(first_of_theirs?)) {
                self.heard.keep(Heard { at, severity, text });
            }
        }
        let (answers, failed) = watched?;
        if let Some(answer) = asked.and_then(|index| answers.get(index)) {
            self.place.found(&answer.rows);
        }
        // What is asked outside of a transaction may be about the standby itself.
        let begun = begins.as_ref().and_then(|_| answers.get(1));
        let is_in_recovery = begun.and_then(|begun| begun.rows.first()?.int(0).ok()) == Some(1);
        // To write, a standby does not even begin.
        let has_not_begun = begins.is_some() && answers.is_empty();
        let code = failed.as_ref().and_then(|error| error.code.as_deref());
        let is_standby = is_in_recovery || has_not_begun && code == Some(UNSUPPORTED);
        // What it holds may be old, and what was to be written there has failed for that reason.
        if is_standby && self.wanted != Server::Any {
            let what = "this is a standby, and was none when it was connected to";
            return Err(DatabaseError::new(ErrorKind::Standby, what).into());
        }
        if let Some(error) = failed {
            if error.code.as_deref() == Some(CANCELLED) && interrupt.is_due() {
                return Err(DatabaseError::interrupted().into());
            }
            let (index, error) = attribute(&all, answers.len(), error);
            let place = places.iter().position(|place| *place == index);
            let at = place.and_then(|place| place.checked_sub(first_of_theirs?));
            let is_asked = self.asks == Asks::Yes && parts.iter().all(Part::is_asked);
            let holders = seen.into_holders();
            let error = match error.kind {
                ErrorKind::Locked if !holders.is_empty() => naming(error, &holders),
                ErrorKind::Locked if is_asked => {
                    place::name_holders(self.target.clone(), error).await
                }
                _ => error,
            };
            return Err(Stopped { at, error });
        }
        (self.whose, self.has_run_theirs) = (whose, has_run_theirs);
        let mut answers: Vec<Option<Answer>> = answers.into_iter().map(Some).collect();
        let mut found = |place: &usize| answers.get_mut(*place).and_then(Option::take);
        Ok(places
            .iter()
            .map(|place| found(place).unwrap_or_default())
            .collect())
    }
}

/// The server's code of a statement that was cancelled.
const CANCELLED: &str = "57014";

/// The server's code of what it cannot do at all.
const UNSUPPORTED: &str = "0A000";

/// What stands between statements that are sent together. The newline ends a comment.
const SEPARATOR: &str = "\n;\n";

/// Which of the statements sent together an error is of, with its position counted from the beginning of that one.
/// Without a position it is the one after those that are done.
fn attribute(all: &[&str], done: usize, mut error: DatabaseError) -> (usize, DatabaseError) {
    let Some(position) = error.position else {
        return (done, error);
    };
    let mut before = 0;
    for (index, statement) in all.iter().enumerate() {
        let length = statement.chars().count();
        if position <= before + length + 1 {
            error.position = Some(position.saturating_sub(before).max(1));
            return (index, error);
        }
        before += length + SEPARATOR.chars().count();
    }
    error.position = None;
    (done, error)
}

/// The statement with its values in place of the question marks: our own statements hold no others.
pub(super) fn written_out(call: &Call) -> Result<String, DatabaseError> {
    let mut sql = String::with_capacity(call.sql.len() + 64);
    let mut parts = call.sql.split('?');
    sql.push_str(parts.next().unwrap_or_default());
    for (part, value) in parts.zip(&call.parameters) {
        match value {
            Value::Null => sql.push_str("NULL"),
            Value::Int(value) => sql.push_str(&value.to_string()),
            // It would end the whole message.
            Value::Text(value) if value.contains('\0') => {
                return Err(DatabaseError::new(
                    ErrorKind::Statement,
                    "a text with a NUL character cannot be stored",
                ));
            }
            Value::Text(value) => sql.push_str(&literal(value)),
        }
        sql.push_str(part);
    }
    Ok(sql)
}

fn decode(row: &PgRow) -> Result<Row, DatabaseError> {
    let mut values = Vec::with_capacity(row.len());
    for (index, column) in row.columns().iter().enumerate() {
        let raw = row.try_get_raw(index).map_err(|error| from_sqlx(&error))?;
        if raw.is_null() {
            values.push(Value::Null);
            continue;
        }
        let value = match column.type_info().name() {
            "INT8" => row.try_get::<i64, _>(index).map(Value::Int),
            "INT4" => row
                .try_get::<i32, _>(index)
                .map(|value| Value::Int(value.into())),
            "INT2" => row
                .try_get::<i16, _>(index)
                .map(|value| Value::Int(value.into())),
            "BOOL" => row
                .try_get::<bool, _>(index)
                .map(|value| Value::Int(value.into())),
            "TEXT" | "VARCHAR" | "NAME" | "UNKNOWN" => {
                row.try_get::<String, _>(index).map(Value::Text)
            }
            other => {
                return Err(DatabaseError::new(
                    ErrorKind::Statement,
                    format!(
                        "the column `{}` has the type {other}, and a number or a text is needed",
                        column.name()
                    ),
                ));
            }
        };
        values.push(value.map_err(|error| from_sqlx(&error))?);
    }
    Ok(Row(values))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_out() {
        let call = Call::new(
            "a = ? AND b = ? AND c = ?",
            &["is it '?".into(), (-5).into(), Value::Null],
        );
        assert_eq!(
            written_out(&call).unwrap(),
            "a = E'is it ''?' AND b = -5 AND c = NULL"
        );
        assert!(written_out(&Call::new("a = ?", &["\0".into()])).is_err());
    }

    #[test]
    fn an_error_is_of_the_statement_that_it_points_into() {
        let all = ["BEGIN", "CREATE TABLE ö (n int)", "CREATE INDEX i ON x (n)"];
        let at = |done, position| {
            let mut error = DatabaseError::new(ErrorKind::Statement, "");
            error.position = position;
            let (index, error) = attribute(&all, done, error);
            (index, error.position)
        };
        // Without a position it is the first that is not done.
        assert_eq!(at(2, None), (2, None));
        // `BEGIN` and what separates it take 8 characters, the second statement 22 and 3.
        assert_eq!(at(1, Some(9)), (1, Some(1)));
        assert_eq!(at(1, Some(8 + 22)), (1, Some(22)));
        assert_eq!(at(2, Some(8 + 25 + 19)), (2, Some(19)));
        // A position beyond the message names no place.
        assert_eq!(at(0, Some(1000)), (0, None));
    }
}
