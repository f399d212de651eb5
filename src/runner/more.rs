//! What would be applied along with a revision, by the tool's files and its history.

use super::{Applied, Revision, Runner, Standing, along, unknown_before};

/// Why the tool would not be called for this revision, and what to do, by its files and its history: it would apply others along.
#[must_use]
pub fn more_than(
    runner: &Runner,
    known: &[Revision],
    applied: &[Applied],
    revision: &str,
) -> Option<(String, String)> {
    let is_applied = |name: &str| {
        let is_it = |one: &Applied| one.revision == name && one.standing == Standing::Done;
        applied.iter().any(is_it)
    };
    if is_applied(revision) {
        return None;
    }
    let (tool, kind) = (&runner.tool, runner.kind());
    if let Some(why) = tool.in_the_way(known, applied, revision) {
        return Some((
            why,
            format!("nothing is run until then; put it right with {kind}"),
        ));
    }
    let with = along(tool.reach(), known, is_applied, revision);
    if !with.is_empty() {
        return Some((along_with(kind, revision, &with), name_them(kind, &with)));
    }
    let unknown = unknown_before(tool.reach(), known, is_applied, revision);
    let unknown: Vec<&str> = unknown
        .iter()
        .map(String::as_str)
        .filter(|name| !tool.may_come_along(known, applied, name))
        .collect();
    let names = unknown.join("`, `");
    (!unknown.is_empty()).then(|| {
        (
            format!(
                "`{revision}` comes after `{names}`, which no file of the project is and the history of {kind} does not show"
            ),
            format!(
                "where it is one of the project's, let its file be found (`dir` and `files` under [runner] in migrate.toml), and name it in \
                 `revisions`; one of a package that every live version survives is applied before with {kind}"
            ),
        )
    })
}

/// What is said where a tool would apply others along with a revision.
#[must_use]
pub fn along_with(kind: &str, revision: &str, with: &[&str]) -> String {
    format!(
        "{kind} would apply `{}` along with `{revision}`, and nobody has asked for that here",
        with.join("`, `")
    )
}

/// What to do where a tool would apply these along.
#[must_use]
pub fn name_them(kind: &str, with: &[&str]) -> String {
    let them = if with.len() == 1 { "it" } else { "them" };
    format!(
        "where every version that is live survives {them}, apply {them} before with {kind}, or name {them} before it in `revisions` of this \
         phase; what is another phase's is applied by that"
    )
}
