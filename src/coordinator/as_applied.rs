//! A revert undoes what was applied, whatever expand.sql has become since: it is judged by the statements that the ledger keeps.

use super::{Changed, Situation};
use crate::database::{Connection, ErrorKind};
use crate::gate::{Flaw, Flawed};
use crate::ledger::{Ledger, LedgerError};
use crate::model::{MigrationId, Step};
use crate::project::{Excess, Problem, Project, beyond_expand};
use crate::sql::{Dialect, Script};

/// Judges the reverts of migrations whose expand.sql was changed, or is gone, by what was applied.
pub(super) async fn judge_reverts(
    project: &Project,
    situation: &mut Situation,
    connection: &mut dyn Connection,
) -> Result<(), LedgerError> {
    let changed = situation.drift.iter();
    let changed = changed.filter(|drift| drift.what == Changed::Script(Step::Expand));
    let ids: Vec<MigrationId> = changed.map(|drift| drift.migration.clone()).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let dialect = connection.capabilities().dialect;
    let Some(mut ledger) = Ledger::read(connection).await? else {
        return Ok(());
    };
    let mut judged = Vec::new();
    for id in ids {
        let recorded = match ledger.steps(&id, Step::Expand).await {
            Ok(recorded) => recorded,
            // Whoever may not look at them goes by the files.
            Err(LedgerError::Database(error)) if error.kind == ErrorKind::Permission => break,
            Err(error) => return Err(error),
        };
        let texts: Vec<&str> = recorded
            .iter()
            .map(|step| step.statement.as_str())
            .collect();
        // It was run, so it can be read.
        if let Ok(script) = Script::parse(dialect, &texts.join(";\n")) {
            judged.push((id, script));
        }
    }
    ledger.rollback().await?;
    for (id, script) in judged {
        judge(project, situation, dialect, &id, &script);
    }
    Ok(())
}

fn judge(
    project: &Project,
    situation: &mut Situation,
    dialect: Dialect,
    id: &MigrationId,
    applied: &Script,
) {
    let Some(files) = project
        .as_read(id)
        .map(|migration| migration.files(dialect))
    else {
        return;
    };
    let Some(revert) = &files.revert else {
        return;
    };
    let of = Flawed::Step(id.clone(), Step::Revert);
    let flaws = &mut situation.evidence.flaws;
    flaws.retain(|flaw| flaw.of != of);
    let problems = project
        .flaws
        .of(id)
        .map(|broken| broken.problems.as_slice());
    let mut left = problems
        .unwrap_or_default()
        .iter()
        .filter(|problem| problem.path.ends_with(&revert.path));
    if let Some(problem) = left.find(|problem| !is_by_the_file(problem)) {
        flaws.push(super::flaws::flaw(of.clone(), problem));
    }
    let beyond = beyond_expand(files, applied);
    flaws.extend(beyond.into_iter().map(|Excess { message, help }| Flaw {
        of: of.clone(),
        error: format!(
            "{}: {message} (by the expand that was applied, which the file is not any more)",
            revert.path.display()
        ),
        help,
    }));
}

/// Whether a problem is that the revert does not undo what stands in expand.sql now.
fn is_by_the_file(problem: &Problem) -> bool {
    matches!(problem.code, "takes-too-much" | "revert-without-expand")
}
