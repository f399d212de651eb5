//! What the server says about the statement before, beside its error.

use super::Mysql;
use crate::database::heard::{Heard, Severity};
use crate::database::{Answer, Call, Connection as _, DatabaseError, ErrorKind, Stopped};

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
        let said = match self.rows("SHOW WARNINGS LIMIT 20").await {
            Ok(rows) => rows,
            Err(error) => {
                tracing::debug!("what the server says beside errors cannot be read: {error}");
                return ran;
            }
        };
        let mut told = Vec::new();
        for row in &said {
            let (Ok(level), Ok(text)) = (row.text(0), row.text(2)) else {
                continue;
            };
            told.push((level.to_owned(), text.to_owned()));
        }
        match ran {
            Ok(rows) => {
                for (level, text) in told {
                    let severity = if level == "Note" {
                        Severity::Notice
                    } else {
                        Severity::Warning
                    };
                    self.heard.keep(Heard {
                        at: self.at,
                        severity,
                        text,
                    });
                }
                Ok(rows)
            }
            Err(mut error) => {
                for (_, text) in told {
                    if !error.message.contains(&text) {
                        error.message = format!("{}. The server adds: {text}", error.message);
                    }
                }
                Err(error)
            }
        }
    }

    /// Statements of ours, and then these of the user's one after the other, each with what is said about it.
    pub(super) async fn run_each(
        &mut self,
        calls: &[Call],
        statements: &[&str],
    ) -> Result<Vec<Answer>, Stopped> {
        let answers = match calls {
            [] => Vec::new(),
            calls => self.call(calls).await?,
        };
        for (index, statement) in statements.iter().enumerate() {
            self.at = index;
            let ran = self.run(statement).await;
            self.at = 0;
            ran.map_err(|error| Stopped {
                at: Some(index),
                error,
            })?;
        }
        Ok(answers)
    }
}
