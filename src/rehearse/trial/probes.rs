//! The statements of the application itself, in every state in which the model lets its versions live: they have to run, and
//! those that only read have to find the same rows.

use super::recorded;
use super::states::{Brought, States, ask, control};
use super::told::shortened;
use crate::project::Probed;
use crate::rehearse::RehearseError;
use crate::rehearse::report::{Finding, masked};
use crate::rehearse::stage::Stage;

/// Whose statement it is, and where it ran.
type Place<'p> = (&'p str, &'p str, &'p str, &'p str);

/// What went wrong of one service, in one state and for one cause: the first statement of which that holds, and how many more.
struct Failed {
    finding: Finding,
    /// All that tells it from others.
    of: (String, String, String),
    more: u64,
}

pub(super) async fn run(stage: &mut Stage<'_>) -> Result<(), RehearseError> {
    let probes = stage.migration().probes.clone();
    if probes.is_empty() {
        return Ok(());
    }
    let Some(mut states) = States::open(stage).await? else {
        return Ok(());
    };
    let mut times = 0;
    let mut failed: Vec<Failed> = Vec::new();
    for (service, probes) in &probes {
        let (old, new) = (
            statements(stage, service, &probes.old)?,
            statements(stage, service, &probes.new)?,
        );
        let is_recorded = matches!(probes.old, Probed::InFile(_));
        let mut without_a_word = 0_usize;
        for statement in &old {
            times += 1;
            let wanted = control(stage, &mut states.before, statement).await?;
            if let Err(denied) = &wanted {
                // In a recording there is what needs rows or tables that are not here; it says nothing then.
                without_a_word += 1;
                if !is_recorded || without_a_word == old.len() {
                    let place = (&**service, "old", &**statement, "before the migration");
                    find(stage, &mut failed, place, &denied.said);
                }
                continue;
            }
            for (world, state) in [
                (&mut states.between, "after expand"),
                (&mut states.filled, "after the backfill"),
            ] {
                let found = ask(stage, world, statement).await?;
                let place = (&**service, "old", &**statement, state);
                judge(stage, &mut failed, place, (&wanted, &found));
            }
        }
        if (1..old.len()).contains(&without_a_word) && is_recorded {
            stage.tried(
                format!("statements of `{service}` that fail before the migration already, and tell nothing"),
                without_a_word,
            );
        }
        for statement in &new {
            times += 1;
            let first = ask(stage, &mut states.between, statement).await?;
            if let Err(denied) = &first {
                let place = (&**service, "new", &**statement, "after expand");
                find(stage, &mut failed, place, &denied.said);
                continue;
            }
            let wanted = control(stage, &mut states.filled, statement).await?;
            if let Some(after) = &mut states.after {
                let found = ask(stage, after, statement).await?;
                let place = (&**service, "new", &**statement, "after the contract");
                judge(stage, &mut failed, place, (&wanted, &found));
            }
        }
    }
    for Failed {
        mut finding, more, ..
    } in failed
    {
        if more > 0 {
            let others = if more == 1 { "statement" } else { "statements" };
            finding.message = format!("{} (and {more} more {others} likewise)", finding.message);
        }
        stage.find(finding);
    }
    stage.tried("statements of the application", times);
    states.close().await;
    Ok(())
}

/// The statements themselves.
fn statements(
    stage: &mut Stage<'_>,
    service: &str,
    probed: &Probed,
) -> Result<Vec<String>, RehearseError> {
    match probed {
        Probed::Here(statements) => Ok(statements.clone()),
        Probed::InFile(path) => recorded::statements(stage, &format!("`{service}`"), path),
    }
}

fn judge(
    stage: &Stage<'_>,
    failed: &mut Vec<Failed>,
    place: Place<'_>,
    (wanted, found): (&Brought, &Brought),
) {
    let (service, _, statement, state) = place;
    match (wanted, found) {
        (_, Err(denied)) => find(stage, failed, place, &denied.said),
        (Ok(Some(wanted)), Ok(Some(found))) if wanted != found => {
            let shown = masked(&shortened(stage, statement));
            let finding = Finding::wrong(
                "probe-differs",
                None,
                format!(
                    "{state} a statement of `{service}` finds other rows than before ({} instead of {}, or others): {shown}",
                    found.len(),
                    wanted.len()
                ),
                "the same rows have to be found as long as versions with this statement may be live",
            );
            grouped(failed, finding, (service, state, "other rows"));
        }
        _ => {}
    }
}

/// Those of one cause are told once.
fn grouped(failed: &mut Vec<Failed>, finding: Finding, of: (&str, &str, &str)) {
    let of = (of.0.to_owned(), of.1.to_owned(), of.2.to_owned());
    match failed.iter_mut().find(|one| one.of == of) {
        Some(one) => one.more += 1,
        None => failed.push(Failed {
            finding,
            of,
            more: 0,
        }),
    }
}

fn find(
    stage: &Stage<'_>,
    failed: &mut Vec<Failed>,
    (service, format, statement, state): Place<'_>,
    said: &str,
) {
    let shown = masked(&shortened(stage, statement));
    let help = match (format, state) {
        ("old", "before the migration") => {
            "`old` holds statements of versions that use the old format, which run before anything is migrated: are `old` and `new` \
             the wrong way round?"
        }
        ("old", _) => {
            "versions that use the old format are live until the contract: leave what they use, or say in `old` and `new` of the \
             service which versions are really meant"
        }
        _ => {
            "versions that use the new format are live from expand on and after the contract: what they use has to be there, or \
             `new` of the service names versions too many"
        }
    };
    let finding = Finding::wrong(
        "probe-fails",
        None,
        format!(
            "{state} a statement of `{service}` fails, which versions of its {format} format run there: {said}; in: {shown}"
        ),
        help,
    );
    grouped(failed, finding, (service, state, said));
}
