//! What a rollout has ordered: it is live before any look shows it. How long it counts beside what looks show is decided in `looks`.

use super::arrivals::Named;
use super::{Ledger, LedgerError};
use crate::model::{ORDERED, Version};

impl Ledger<'_> {
    /// Counts a version that a rollout is about to order as live, until [`Self::forget_orders`]: it may start at any moment, whatever
    /// the looks until then show.
    ///
    /// # Errors
    /// A database error.
    pub async fn record_order(&mut self, service: &str, to: &Version) -> Result<(), LedgerError> {
        let who = Named::new(service, &to.to_string());
        self.record_deploy(&[(who.clone(), to.clone())]).await?;
        let at = self.as_of().await?;
        let key = [
            ORDERED.into(),
            who.service.as_str().into(),
            who.label.as_str().into(),
        ];
        self.execute(
            "DELETE FROM {seen} WHERE source = ? AND service = ? AND version = ?",
            &key,
        )
        .await?;
        let [source, service, version] = key;
        self.execute(
            "INSERT INTO {seen} (source, service, version, instances, at) VALUES (?, ?, ?, 1, ?)",
            &[source, service, version, at.into()],
        )
        .await?;
        Ok(())
    }

    /// What was ordered of this service is there, and the looks tell of it from now on; without one, of every service: it was given
    /// up.
    ///
    /// # Errors
    /// A database error.
    pub async fn forget_orders(&mut self, service: Option<&str>) -> Result<(), LedgerError> {
        match service {
            Some(service) => {
                self.execute(
                    "DELETE FROM {seen} WHERE source = ? AND service = ?",
                    &[ORDERED.into(), service.into()],
                )
                .await?
            }
            None => {
                self.execute("DELETE FROM {seen} WHERE source = ?", &[ORDERED.into()])
                    .await?
            }
        };
        Ok(())
    }
}
