//! Versions of both formats beside each other, after expand and backfill: one after the other, and from several sessions at once.
//! Only those that the model lets live beside each other.

use futures_util::future::join_all;

use super::actors::{Actor, Origin, Who, actors};
use super::after;
use super::drawn::{is_like, without_drawn};
use super::said::Writers;
use super::told::{shortened, told};
use super::writes::{ANEW, Fresh, is_between, left_so, statements};
use crate::database::{Connection, DatabaseError};
use crate::model::{Formats, Step, Sync};
use crate::rehearse::RehearseError;
use crate::rehearse::report::Finding;
use crate::rehearse::rows::{Tuple, differing};
use crate::rehearse::scratch::Made;
use crate::rehearse::stage::{OfARow, Stage, is_of_a_row, refuse_lost};
use crate::rehearse::world::{World, execute};

const SESSIONS: u64 = 3;
const WRITES: usize = 40;

pub(super) async fn write(stage: &mut Stage<'_>) -> Result<(), RehearseError> {
    let (mut world, made) = stage.base.fresh_for_many().await?;
    stage.sow(&mut world).await?;
    let is_ready = stage.step(&mut world, Step::Expand).await?
        && stage.step(&mut world, Step::Backfill).await?;
    if !is_ready {
        return Ok(());
    }
    let actors = actors(stage, &mut world).await?;
    let mut is_sound = true;
    let is_lawful = carries_over(stage);

    let mut writes = 0;
    for (index, actor) in (1..).zip(&actors) {
        let mut statements = statements(stage, &actor.surface, &actor.rows, ANEW * index * 10);
        if actor.who == Who::Old {
            let first = ANEW * index * 10 + ANEW / 2;
            statements.extend(left_so(stage, &actor.surface, &actor.rows, first));
        }
        // From nothing to something.
        if let (Some(silent), Some(tuple)) = (&actor.silent, actor.rows.tuples().next()) {
            statements.extend(stage.writer(&actor.surface).update(silent, &tuple));
        }
        writes += statements.len();
        is_sound &= turn(stage, &mut world, actor, &statements).await?;
        if is_sound && is_lawful {
            let so_far = usize::try_from(index)
                .ok()
                .and_then(|so_far| actors.get(..so_far));
            let written = so_far.unwrap_or(&actors);
            is_sound &= law(stage, &mut world, Some(actor.who), written).await?;
        }

        if !is_sound {
            break;
        }
    }
    if !actors.is_empty() {
        stage.tried("writes of every kind of version, in turn", writes);
    }
    if is_sound && actors.len() > 1 {
        let writes = at_once(stage, &made, &actors).await?;
        if is_lawful {
            is_sound &= law(stage, &mut world, None, &actors).await?;
        }
        stage.tried(format!("writes from {SESSIONS} sessions at once"), writes);
    }
    if is_sound && is_lawful {
        extremes(stage, &mut world, &actors).await?;
    }
    world.close().await;
    after::contract(stage, is_sound).await
}

/// Whether the new format of a row follows from its old one for ever: nothing else is written there than what the old one says.
fn carries_over(stage: &Stage<'_>) -> bool {
    let declaration = &stage.migration().declaration;
    let refreshes_old = declaration.sync.extend(Formats::NEW) == Formats::BOTH;
    let is_carried = stage.migration().backfill.is_some() || declaration.sync != Sync::None;
    let writers = Writers::of(declaration);
    declaration.has_old()
        && declaration.has_new()
        && is_carried
        && (refreshes_old || !writers.new_alone)
}

/// One kind of version writes alone.
async fn turn(
    stage: &mut Stage<'_>,
    world: &mut World,
    actor: &Actor,
    statements: &[String],
) -> Result<bool, RehearseError> {
    for statement in statements {
        let Err(error) = world.execute(statement).await else {
            continue;
        };
        refuse_lost(&error)?;
        // The value of a row that is there, where the other format lets each be there once.
        if actor.who != Who::Old && is_of_a_row(&error) == Some(OfARow::Twice) {
            continue;
        }
        if is_between(&actor.surface, statement, &error) {
            continue;
        }
        // A row that was made up may lead nowhere.
        if actor.origin == Origin::MadeUp && is_of_a_row(&error).is_some() {
            continue;
        }
        let code = match actor.who {
            Who::Old => "old-writes-fail",
            Who::New => "new-writes-fail",
            Who::Both => "both-writes-fail",
        };
        let said = stage.said(&error);
        let shown = shortened(stage, statement);
        let help = match actor.who {
            Who::New => {
                "until the contract the old format is there as well: let it be NULL, or give it a default, or let a trigger fill it"
            }
            Who::Old | Who::Both => {
                "let what keeps the formats in step take every value that they may write"
            }
        };
        stage.find(Finding::wrong(
            code,
            Step::Expand,
            format!(
                "after expand and backfill {} cannot write: {said}; in: {shown}",
                actor.who.words()
            ),
            help,
        ));
        return Ok(false);
    }
    Ok(true)
}

/// Whether the formats of every row agree as a declared change says it. One way is enough: where the new format has more than fits into
/// the old one, that does not lead back to it.
async fn agrees(stage: &Stage<'_>, world: &mut World) -> Result<bool, RehearseError> {
    let rules = stage.migration().backfill.as_ref();
    let Some(rules) = rules.filter(|rules| rules.remaining.follows()) else {
        return Ok(false);
    };
    let left = world.count(rules.remaining.of(stage.dialect())).await;
    match left {
        Ok(left) => Ok(left == 0),
        Err(error) => {
            refuse_lost(&error)?;
            Ok(false)
        }
    }
}

/// Whether the old format of all rows, taken by itself, leads to the new format that is there.
async fn law(
    stage: &mut Stage<'_>,
    world: &mut World,
    who: Option<Who>,
    written: &[Actor],
) -> Result<bool, RehearseError> {
    let is_mixed = written.iter().any(|actor| actor.who != Who::Old);
    let old = stage.old_part(world).await?;
    let mut found = stage.new_rows(world).await?;
    let Some(mut wanted) = stage.made_of(&old).await? else {
        return Ok(true);
    };
    if is_like(&wanted, &found) || (is_mixed && agrees(stage, world).await?) {
        return Ok(true);
    }
    if let Some(held) = without_drawn(stage, &old, &wanted, &found).await? {
        (wanted, found) = held;
    }
    for (wanted, found) in wanted.iter().zip(&found) {
        let pairs = differing(wanted, found);
        let Some((row, other)) = pairs.first() else {
            continue;
        };
        let told = told(stage, &wanted.columns, *row, *other);
        let (code, who, help) = match who {
            Some(Who::Old) => (
                "new-stale",
                "after a write of the old format alone the new one is not what the backfill makes of it",
                "`sync` claims that a write of the old format refreshes the new one: install triggers that do, on INSERT and on \
                 UPDATE, in the same way as the backfill",
            ),
            Some(Who::New) => (
                "old-stale",
                "after a write of the new format alone the old one does not lead back to it",
                "`sync` claims that a write of the new format refreshes the old one: install triggers that do, on INSERT and on \
                 UPDATE",
            ),
            Some(Who::Both) => (
                "both-undone",
                "what versions of both formats write does not stay",
                "a trigger may fill what a write leaves out, and nothing that it says",
            ),
            None => (
                "sync-races",
                "after writes from several sessions the formats of a row do not belong together",
                "let a trigger set the other format in the very row that is written",
            ),
        };
        stage.find(Finding::wrong(
            code,
            Step::Expand,
            format!("{who}: {told}"),
            help,
        ));
        return Ok(false);
    }
    Ok(true)
}

/// All kinds of versions from several sessions. What fails against each other is nobody's mistake.
async fn at_once(
    stage: &mut Stage<'_>,
    made: &Made,
    actors: &[Actor],
) -> Result<usize, RehearseError> {
    let mut sessions: Vec<Box<dyn Connection>> = Vec::new();
    for _ in 0..SESSIONS {
        sessions.push(stage.base.scratch.connect(&made.target).await?);
    }
    let plans: Vec<Vec<String>> = (0..SESSIONS)
        .map(|number| plan(stage, actors, number))
        .collect();
    let running = sessions
        .into_iter()
        .zip(&plans)
        .map(|(mut session, plan)| async move {
            let mut written = 0;
            let mut lost = None;
            for statement in plan {
                match execute(session.as_mut(), statement).await {
                    Ok(_) => written += 1,
                    Err(error) => lost = refuse_lost(&error).err().or(lost),
                }
            }
            session.close().await;
            (written, lost)
        });
    let mut writes = 0;
    for (written, lost) in join_all(running).await {
        writes += written;
        if let Some(error) = lost {
            return Err(error);
        }
    }
    Ok(writes)
}

fn plan(stage: &Stage<'_>, actors: &[Actor], session: u64) -> Vec<String> {
    let mut plan = Vec::new();
    let mut random = fastrand::Rng::with_seed(session + 1);
    for number in 0..WRITES {
        let Some(actor) = random.choice(actors) else {
            break;
        };
        let writer = stage.writer(&actor.surface);
        let tuples: Vec<Tuple> = actor.rows.tuples().collect();
        let (Some(row), Some(tuple)) = (random.choice(&tuples), random.choice(&tuples)) else {
            continue;
        };
        let fresh = 900_000 + session * 1000 + u64::try_from(number).unwrap_or_default();
        if random.u8(..4) == 0 {
            let (owner, row) = Fresh::new(stage, &actor.surface).row(tuple, fresh);
            plan.extend(owner);
            plan.push(writer.insert(&row));
        } else {
            plan.extend(writer.update(row, tuple));
        }
    }
    plan
}

/// The ends of each type. Whether an application writes them is its own business.
async fn extremes(
    stage: &mut Stage<'_>,
    world: &mut World,
    actors: &[Actor],
) -> Result<(), RehearseError> {
    let mut control = stage.seeded().await?;
    let mut refused: Option<(String, DatabaseError)> = None;
    let mut times = 0;
    for (index, actor) in (1..).zip(actors) {
        let Some(tuple) = actor.rows.tuples().next() else {
            continue;
        };
        let writer = stage.writer(&actor.surface);
        for (shown, statement) in writer.extremes(&tuple, 2_000 + index * 100) {
            if actor.who == Who::Old && control.execute(&statement).await.is_err() {
                continue;
            }
            times += 1;
            if let Err(error) = world.execute(&statement).await {
                refuse_lost(&error)?;
                if is_of_a_row(&error).is_some() {
                    continue;
                }
                refused.get_or_insert((format!("{} {shown}", actor.who.words()), error));
            }
        }
    }
    control.close().await;
    if let Some((what, error)) = refused {
        let said = stage.said(&error);
        stage.find(Finding::doubt(
            "extreme-refused",
            Step::Expand,
            format!("while both formats are there, a value at the end of its type cannot be written: {what}: {said}"),
            "if your application writes such values, say in `forward` and `back`, or in the triggers, what becomes of them",
        ));
    }
    let weight = stage.findings.len();
    if !law(stage, world, None, actors).await? {
        for finding in stage.findings.iter_mut().skip(weight) {
            *finding = Finding::doubt(
                "extreme-changed",
                Step::Expand,
                finding.message.replace(
                    "after writes from several sessions",
                    "at the ends of a type",
                ),
                "if your application writes such values, say in `forward` and `back`, or in the triggers, what becomes of them",
            );
        }
    }
    stage.tried("writes of what is at the ends of a type", times);
    Ok(())
}
