//! Files of statements that somebody has recorded.

use crate::rehearse::RehearseError;
use crate::rehearse::stage::Stage;
use crate::sql::Recorded;

/// What of a file can be run, and a word on what of it was not.
pub(super) fn statements(
    stage: &mut Stage<'_>,
    whose: &str,
    path: &str,
) -> Result<Vec<String>, RehearseError> {
    let text = stage.base.settings.recorded.get(path);
    let read = Recorded::read(stage.dialect(), text.map_or("", String::as_str));
    let recorded = read.map_err(|error| {
        RehearseError::cannot(
            format!("{path} is no file of statements: {}", error.message),
            error.help,
        )
    })?;
    if recorded.statements.is_empty() {
        return Err(RehearseError::cannot(
            format!("{path} has no statement that could be run"),
            "record statements with their values, as the server's log has them: nobody can run one with a placeholder",
        ));
    }
    for (what, count) in [
        ("with placeholders", recorded.with_placeholders),
        ("of no rows", recorded.others),
    ] {
        if count > 0 {
            let what = format!("statements {what} recorded of {whose}, which were not run");
            stage.tried(what, count);
        }
    }
    Ok(recorded.statements)
}
