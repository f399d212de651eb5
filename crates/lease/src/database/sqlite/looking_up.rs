//! Statements that look up from their work now and then, whether they shall go on.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Sqlite, from_sqlx};
use crate::database::DatabaseError;

/// How long an interrupted statement may take to end: only a wait for somebody else's lock on the file takes so long.
pub(super) const LOCKED_OUT: Duration = Duration::from_secs(2);

/// A statement looks up by itself, see [`Sqlite::look_up_at_work`].
pub(super) fn by_itself() -> std::future::Ready<Result<(), DatabaseError>> {
    std::future::ready(Ok(()))
}

impl Sqlite {
    /// Has a statement end when the program is interrupted: SQLite asks now and then whether it shall go on.
    pub(super) async fn look_up_at_work(&mut self) -> Result<(), DatabaseError> {
        /// A fraction of a millisecond.
        const INSTRUCTIONS: i32 = 10_000;
        let (interrupt, is_ending) = (self.stop.interrupt, Arc::clone(&self.is_ending));
        let mut handle = self
            .inner
            .lock_handle()
            .await
            .map_err(|error| from_sqlx(&error))?;
        handle.set_progress_handler(INSTRUCTIONS, move || {
            is_ending.load(Ordering::Relaxed) || !interrupt.is_due()
        });
        Ok(())
    }

    /// Until [`Self::ended`] nothing is interrupted.
    pub(super) fn ending(&mut self) {
        self.stop.ending();
        self.is_ending.store(true, Ordering::Relaxed);
    }

    pub(super) fn ended(&mut self) {
        self.stop.ended();
        self.is_ending.store(false, Ordering::Relaxed);
    }
}
