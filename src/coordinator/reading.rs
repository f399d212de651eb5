//! What a server reads otherwise than it is read in the files is not run: it would mean something else than was checked.

use super::CoordinatorError;
use crate::database::{Connection, DatabaseError, ErrorKind};
use crate::model::Step;
use crate::project::{Migration, ScriptFile};

/// Refuses a step whose texts the server reads otherwise.
pub(super) fn refuse_misread(
    migration: &Migration,
    step: Step,
    connection: &dyn Connection,
) -> Result<(), CoordinatorError> {
    let dialect = connection.capabilities().dialect;
    let files = migration.files(dialect);
    let script = |file: &Option<ScriptFile>| {
        file.as_ref()
            .map(|file| (file.path.display().to_string(), file.text.to_string()))
    };
    let manifest = migration.manifest.path.display().to_string();
    let mut texts: Vec<(String, String)> = Vec::new();
    texts.extend(match step {
        Step::Expand => script(&files.expand),
        Step::Contract => script(&files.contract),
        Step::Revert => script(&files.revert),
        Step::Backfill => files
            .backfill
            .as_ref()
            .map(|file| (file.path.display().to_string(), file.text.to_string())),
    });
    if matches!(step, Step::Backfill | Step::Contract) {
        let backfill = migration.backfill.iter();
        let queries =
            backfill.flat_map(|rules| std::iter::once(&rules.remaining).chain(&rules.check));
        let queries = queries.chain(&migration.contract_rules.require);
        texts.extend(queries.map(|query| (manifest.clone(), query.of(dialect).to_owned())));
    }
    for reading in connection.readings() {
        for (path, text) in &texts {
            if let Some(found) = reading.differs(dialect, text) {
                let shown: String = found.chars().take(60).collect();
                return Err(DatabaseError::new(
                    ErrorKind::Statement,
                    format!(
                        "{path}: the server has {}, and reads {shown} otherwise than it is read here, and by `migrate check`: {}, which \
                         means the same to both",
                        reading.setting(),
                        reading.instead()
                    ),
                )
                .into());
            }
        }
    }
    Ok(())
}
