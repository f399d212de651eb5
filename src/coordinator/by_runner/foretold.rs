//! What a tool would apply beside the revision that it is to be called for.
//!
//! Invariant: it is called only where nothing else would come along, by its files and, where it can be asked, by its own word. The
//! files alone do not tell: where they are and what comes before what is for its own settings to say.

use super::super::session::Session;
use super::super::{CoordinatorError, Progress};
use super::One;
use super::look::{ask, standing};
use super::words::{in_the_way, more_along, not_foretold, nothing_done};
use crate::runner::{Applied, RunnerFailure, Standing, along, unknown_before};

/// Refuses to call the tool for a revision that would not come alone.
pub(super) async fn refuse_more(
    session: &mut Session<'_>,
    one: &One<'_, '_>,
    applied: &[Applied],
) -> Result<(), CoordinatorError> {
    let tool = &one.of.runner.tool;
    let known = &one.of.known;
    if let Some(why) = tool.in_the_way(known, applied, one.name) {
        return Err(in_the_way(one, why));
    }
    let is_applied = |name: &str| standing(applied, name) == Some(Standing::Done);
    let with = along(tool.reach(), known, is_applied, one.name);
    if !with.is_empty() {
        return Err(more_along(one, &with));
    }
    let Some(call) = tool.asked(one.name) else {
        let unknown = unknown_before(tool.reach(), known, is_applied, one.name);
        let unknown: Vec<&str> = unknown.iter().map(String::as_str).collect();
        return match unknown.as_slice() {
            [] => Ok(()),
            unknown => Err(more_along(one, unknown)),
        };
    };
    let printed = match ask(session, one, &call).await {
        Ok(printed) => printed,
        Err(RunnerFailure::Interrupted(program)) => {
            return Err(nothing_done(one, Err(RunnerFailure::Interrupted(program))));
        }
        Err(RunnerFailure::Failed(why)) => return Err(not_foretold(one, &call, &why)),
    };
    let foretold = tool
        .foretold(&printed, known, applied, one.name)
        .map_err(|why| not_foretold(one, &call, &why))?;
    if !foretold.iter().any(|name| name == one.name) {
        let why = format!("by that it would not apply `{}`", one.name);
        return Err(not_foretold(one, &call, &why));
    }
    let others = foretold
        .iter()
        .map(String::as_str)
        .filter(|name| *name != one.name);
    let (new, with): (Vec<&str>, Vec<&str>) =
        others.partition(|name| tool.may_come_along(known, applied, name));
    if !with.is_empty() {
        return Err(more_along(one, &with));
    }
    if !new.is_empty() {
        session.orders.report(Progress::Runner(format!(
            "{} applies `{}` along with `{}`: they are of packages of which this database has nothing yet",
            one.of.revisions.kind,
            new.join("`, `"),
            one.name
        )));
    }
    Ok(())
}
