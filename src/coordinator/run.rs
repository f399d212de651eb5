//! Running a script of the user's, in the way that its first line asks for.

use super::CoordinatorError;
use super::in_one::run_in_one_transaction;
use super::one_by_one::run_one_by_one;
use super::recheck::Ran;
use super::script::Run;
use super::session::Session;
use crate::span;
use crate::sql::Mode;

pub(super) async fn run_script(
    session: &mut Session<'_>,
    run: Run<'_>,
) -> Result<Ran, CoordinatorError> {
    let path = run.file.path.display().to_string();
    let span = span::script(&path, run.file.script.statements.len());
    let running = async {
        match run.file.script.mode {
            Mode::Transactional => run_in_one_transaction(session, &run).await,
            Mode::NoTransaction => run_one_by_one(session, &run).await,
        }
    };
    span::within(span, running).await
}
