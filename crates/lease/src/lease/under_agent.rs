//! Whether `migrate agent` runs this process: then the instance has its lease already.

use std::env;

use super::error::LeaseError;

/// The service of the instance that an agent runs, in the environment of whatever it runs.
pub const SERVICE: &str = "PHASEGATE_SERVICE";

/// How that instance is called.
pub const INSTANCE: &str = "PHASEGATE_INSTANCE";

/// Refuses a second lease of the same instance, which would count as another one that is there.
pub(super) fn check(service: &str) -> Result<(), LeaseError> {
    // Without the instance it is not an agent's word: what a rollout runs is told the service as well.
    match (env::var(SERVICE), env::var(INSTANCE)) {
        (Ok(of), Ok(instance)) if of == service => Err(LeaseError::UnderAgent {
            service: of,
            instance,
        }),
        _ => Ok(()),
    }
}
