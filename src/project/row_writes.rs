//! Statements that write into rows, and take nothing away.

use crate::sql::{Effect, Loss, Statement};

/// Whether it writes into rows, and takes nothing else away.
pub(super) fn changes_rows(statement: &Statement) -> bool {
    match &statement.effect {
        Effect::Data => true,
        Effect::Destructive { .. } => {
            let losing = statement.loses.as_ref().map(|losing| losing.loss);
            losing == Some(Loss::Values) && statement.hazard.is_none()
        }
        _ => false,
    }
}
