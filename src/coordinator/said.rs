//! What the server said about the statements of a script, beside errors: shown, and kept in the event of the phase.

use super::Progress;
use super::session::Session;
use crate::database::Heard;
use crate::project::ScriptFile;

/// How much goes into one event.
const MOST: usize = 50;

/// Keeps what was said about the statements from `first` on.
pub(super) fn keep(said: &mut Vec<Heard>, heard: Vec<Heard>, first: usize) {
    for mut one in heard {
        one.at = one.at.saturating_add(first);
        if said.len() < MOST && !said.contains(&one) {
            said.push(one);
        }
    }
}

/// One of them with its place in the script.
pub(super) fn placed(file: &ScriptFile, said: &Heard) -> Progress {
    let statement = file.script.statements.get(said.at);
    Progress::Said {
        path: file.path.display().to_string(),
        line: statement.map_or(1, |statement| statement.line),
        severity: said.severity,
        text: said.text.clone(),
    }
}

/// As the event of the phase has it.
pub(super) fn in_event(file: &ScriptFile, said: &[Heard]) -> serde_json::Value {
    let lines = said.iter().map(|one| {
        let line = file.script.statements.get(one.at);
        let line = line.map_or(1, |statement| statement.line);
        serde_json::Value::from(format!(
            "line {line}: {}: {}",
            one.severity.name(),
            one.text
        ))
    });
    lines.collect()
}

/// Tells what was said about a script.
pub(super) fn tell_said(session: &Session<'_>, file: &ScriptFile) {
    for one in &session.said {
        session.orders.report(placed(file, one));
    }
}

/// Tells what was said about one statement that ran alone, and keeps it for the event.
pub(super) fn hear_alone(session: &mut Session<'_>, file: &ScriptFile, index: usize) {
    let heard = session.connection.heard();
    let before = session.said.len();
    keep(&mut session.said, heard, index);
    for one in session.said.iter().skip(before) {
        session.orders.report(placed(file, one));
    }
}
