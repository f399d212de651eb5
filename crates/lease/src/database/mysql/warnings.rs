//! What the server says about the statement before, beside its error.

use sqlx::AssertSqlSafe;

use super::Mysql;
use crate::database::heard::{Heard, Severity};
use crate::database::{Answer, Call, Connection as _, DatabaseError, ErrorKind, Row, Stopped};

impl Mysql {
    /// Runs a statement of the user's, with what is said about it.
    pub(super) async fn run_heard(&mut self, sql: &str) -> Result<u64, DatabaseError> {
        let ran = self.plain(sql).await;
        self.listen(ran).await
    }

    /// The outcome of a statement of the user's that has just run, with everything that the server has to say about it: what
    /// is no error is kept for whoever asks, and an error is told with the reasons that stand beside it.
    async fn listen(&mut self, ran: Result<u64, DatabaseError>) -> Result<u64, DatabaseError> {
        if self.stop.is_lost {
            return ran;
        }
        let is_cut_short = |error: &DatabaseError| {
            !matches!(
                error.kind,
                ErrorKind::Statement | ErrorKind::Permission | ErrorKind::NoTable
            )
        };
        if ran.as_ref().is_err_and(is_cut_short) {
            return ran;
        }
        // In the statement's own session, and nothing was sent since.
        let said = match self.rows(WARNINGS).await {
            Ok(rows) => told(&rows),
            Err(error) => {
                tracing::debug!("what the server says beside errors cannot be read: {error}");
                return ran;
            }
        };
        match ran {
            Ok(rows) => {
                self.keep(said, self.at);
                Ok(rows)
            }
            Err(mut error) => {
                for (_, text) in said {
                    if !error.message.contains(&text) {
                        error.message = format!("{}. The server adds: {text}", error.message);
                    }
                }
                Err(error)
            }
        }
    }

    /// Keeps what was said about the statement at `at`, for whoever asks.
    fn keep(&mut self, said: Vec<(String, String)>, at: usize) {
        for (level, text) in said {
            let severity = if level == "Note" {
                Severity::Notice
            } else {
                Severity::Warning
            };
            self.heard.keep(Heard { at, severity, text });
        }
    }

    /// Statements of ours, and then these of the user's one after the other, each with what is said about it.
    pub(super) async fn run_several(
        &mut self,
        calls: &[Call],
        statements: &[&str],
    ) -> Result<Vec<Answer>, Stopped> {
        let answers = match calls {
            [] => Vec::new(),
            calls => self.call(calls).await?,
        };
        let mut done = 0;
        while let Some(left) = statements.get(done..).filter(|left| !left.is_empty()) {
            done = match self.insert_several(done, left).await? {
                0 => self.run_next(done, left).await?,
                inserted => done.saturating_add(inserted),
            };
        }
        Ok(answers)
    }

    /// Runs the first of the statements that are left; the place of the next one.
    async fn run_next(&mut self, at: usize, left: &[&str]) -> Result<usize, Stopped> {
        if let Some(statement) = left.first() {
            self.at = at;
            let ran = self.run(statement).await;
            self.at = 0;
            ran.map_err(|error| Stopped {
                at: Some(at),
                error,
            })?;
        }
        Ok(at.saturating_add(1))
    }

    /// Sends the INSERTs that come next in one message, each with the question of what is said about it: a round trip for each
    /// of them, and another one for its warnings, took longer than the work. How many are done; none where they have to be
    /// run one by one.
    async fn insert_several(&mut self, at: usize, left: &[&str]) -> Result<usize, Stopped> {
        let as_ours = self
            .modes
            .as_ref()
            .is_none_or(|modes| modes.scripts.is_none());
        if self.limit.is_some() || !as_ours {
            return Ok(0);
        }
        let inserts = left.iter().take_while(|sql| is_insert(sql));
        let mut sent = Vec::new();
        for insert in inserts {
            // One that has to be refused is run alone, after those before it.
            if self.open.is_some() && self.refuse_untransactional(insert).await.is_err() {
                break;
            }
            sent.extend([*insert, WARNINGS]);
        }
        if sent.len() <= 2 {
            return Ok(0);
        }
        self.begin_now().await?;
        let sql = sent.join(";\n");
        let is_of_ours = |place: usize| place % 2 == 1;
        let message = sqlx::raw_sql(AssertSqlSafe(sql));
        let (answers, failed) = self.answers_of(message, is_of_ours).await?;
        for (index, answer) in answers.iter().enumerate() {
            if is_of_ours(index) {
                self.keep(told(&answer.rows), at.saturating_add(index / 2));
            }
        }
        let place = answers.len();
        match failed {
            None => Ok(sent.len() / 2),
            // The statement itself is done, and those after it were not sent to their end.
            Some(error) if is_of_ours(place) && error.kind == ErrorKind::Statement => {
                tracing::debug!("what the server says beside errors cannot be read: {error}");
                Ok(place / 2 + 1)
            }
            Some(error) => {
                let listened = self.listen(Err(error)).await;
                listened.map(|_| 0).map_err(|error| Stopped {
                    at: Some(at.saturating_add(place / 2)),
                    error,
                })
            }
        }
    }
}

/// What the server says about the statement before. It may say something of each row.
const WARNINGS: &str = "SHOW WARNINGS LIMIT 20";

/// The levels and texts of warnings.
fn told(rows: &[Row]) -> Vec<(String, String)> {
    let each = rows.iter().map(|row| {
        let (level, text) = (row.text(0).ok()?, row.text(2).ok()?);
        Some((level.to_owned(), text.to_owned()))
    });
    each.flatten().collect()
}

/// Whether a statement brings one result, whatever it holds.
fn is_insert(sql: &str) -> bool {
    sql.get(..7)
        .is_some_and(|word| word.trim_end().eq_ignore_ascii_case("INSERT"))
}

#[cfg(test)]
mod tests {
    use super::is_insert;

    #[test]
    fn only_what_begins_as_an_insert_is_one() {
        for sql in [
            "INSERT INTO t VALUES (1)",
            "insert\nt VALUES (1)",
            "Insert\tt SET a = 1",
        ] {
            assert!(is_insert(sql), "{sql}");
        }
        for sql in [
            "INSERTS",
            "INSERT",
            "CALL f()",
            "/* x */ INSERT t VALUES (1)",
            "é",
            "",
        ] {
            assert!(!is_insert(sql), "{sql}");
        }
    }
}
