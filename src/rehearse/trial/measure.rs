//! What each statement takes, locks and stores anew, with many rows in the tables and somebody who wants to write and to read.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::database::Connection;
use crate::model::Step;
use crate::project::Priced;
use crate::rehearse::RehearseError;
use crate::rehearse::report::{Finding, Measured};
use crate::rehearse::rows::{Maker, Tuple, quoted};
use crate::rehearse::scratch::Made;
use crate::rehearse::stage::Stage;
use crate::rehearse::traced::judged;
use crate::rehearse::world::{Ran, World, execute};

/// Numbers of rows from here on are those that are many.
const MANY: u64 = 10_000_000;
const AT_ONCE: u64 = 500;
const BETWEEN_PROBES: Duration = Duration::from_millis(2);

/// When somebody beside began to wait, and when that was over.
type Waits = Arc<Mutex<Vec<(Instant, Instant)>>>;

struct Beside {
    waits: Waits,
    is_over: Arc<AtomicBool>,
    running: tokio::task::JoinHandle<()>,
}

impl Beside {
    fn start(mut connection: Box<dyn Connection>, probe: String) -> Self {
        let waits = Waits::default();
        let is_over = Arc::new(AtomicBool::new(false));
        let (seen, over) = (Arc::clone(&waits), Arc::clone(&is_over));
        let running = tokio::spawn(async move {
            while !over.load(Ordering::Relaxed) {
                let began = Instant::now();
                // What fails is that the table is gone, and nobody waits for it any more.
                let _ = execute(connection.as_mut(), &probe).await;
                let waited = (began, Instant::now());
                seen.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(waited);
                tokio::time::sleep(BETWEEN_PROBES).await;
            }
            connection.close().await;
        });
        Self {
            waits,
            is_over,
            running,
        }
    }

    async fn stop(self) -> Vec<(Instant, Instant)> {
        self.is_over.store(true, Ordering::Relaxed);
        let _ = self.running.await;
        let waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        waits.clone()
    }
}

/// How long the longest wait lay within this time.
fn longest(waits: &[(Instant, Instant)], ran: &Ran) -> u64 {
    let each = waits.iter().map(|(began, ended)| {
        let from = (*began).max(ran.began);
        (*ended).min(ran.ended).saturating_duration_since(from)
    });
    milliseconds(each.max().unwrap_or_default())
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

pub(super) async fn all(stage: &mut Stage<'_>) -> Result<Vec<Measured>, RehearseError> {
    let rows = stage.base.settings.rows;
    if rows == 0 {
        return Ok(Vec::new());
    }
    let (mut world, made) = stage.base.fresh_for_many().await?;
    stage.sow(&mut world).await?;
    multiply(stage, &mut world, rows).await?;
    let mut measured = Vec::new();
    let files = stage.files();
    let mut steps = vec![Step::Expand];
    if files.revert.is_some() && files.expand.is_some() {
        steps.extend([Step::Revert, Step::Expand]);
    }
    steps.extend([Step::Backfill, Step::Contract]);
    for (place, step) in steps.into_iter().enumerate() {
        let is_again = step == Step::Expand && place > 0;
        let told = stage.findings.len();
        let Some(found) = measure(stage, &mut world, &made, step).await? else {
            // Why it fails was told by the trial that meets it first.
            stage.findings.truncate(told);
            break;
        };
        if !is_again {
            measured.extend(found);
        }
    }
    world.close().await;
    for one in &measured {
        if let Some(table) = one.rewrote.first() {
            let waited = one.writers_waited_ms.unwrap_or_default();
            let meanwhile = if waited * 2 >= one.took_ms {
                ", and keeps its writers out meanwhile"
            } else {
                ""
            };
            stage.find(Finding::doubt(
                "rewrites-table",
                one.step,
                format!(
                    "line {} stores every row of `{table}` anew, which takes the longer the larger it is{meanwhile}: {}",
                    one.line, one.statement
                ),
                "on a large table add what is new beside what is old, and fill it in batches",
            ));
        }
    }
    Ok(measured)
}

/// Many plain rows in the tables of the old format.
async fn multiply(stage: &Stage<'_>, world: &mut World, rows: u64) -> Result<(), RehearseError> {
    for surface in &stage.shape.old {
        let maker = Maker {
            relation: &surface.relation,
            changing: &surface.changing,
            parents: &stage.parents,
        };
        let writer = stage.writer(surface);
        let mut number = 0;
        while number < rows {
            let upto = (number + AT_ONCE).min(rows);
            let tuples: Vec<Tuple> = (number..upto).map(|n| maker.plain_row(MANY + n)).collect();
            let Some(statement) = writer.insert_all(&tuples) else {
                break;
            };
            if let Err(error) = world.execute(&statement).await {
                crate::rehearse::stage::refuse_lost(&error)?;
                tracing::debug!("no more rows of {}: {error}", surface.relation.shown);
                break;
            }
            number = upto;
        }
    }
    Ok(())
}

/// One step, with somebody beside it; `None` if it fails.
async fn measure(
    stage: &mut Stage<'_>,
    world: &mut World,
    made: &Made,
    step: Step,
) -> Result<Option<Vec<Measured>>, RehearseError> {
    let mut writer = None;
    let mut reader = None;
    let first = stage
        .shape
        .old
        .first()
        .map(|surface| surface.relation.clone());
    if let (Some(table), true) = (first, world.tongue.is_shared)
        && let Some(column) = table.columns.iter().find(|column| !column.is_generated)
    {
        let name = quoted(stage.dialect(), &column.name);
        let write = format!("UPDATE {} SET {name} = {name} WHERE 1 = 0", table.sql);
        let read = format!("SELECT 1 FROM {} WHERE 1 = 0", table.sql);
        let scratch = stage.base.scratch;
        writer = Some(Beside::start(scratch.connect(&made.target).await?, write));
        reader = Some(Beside::start(scratch.connect(&made.target).await?, read));
    }
    world.ran.clear();
    world.is_measured = true;
    let is_done = stage.step(world, step).await;
    world.is_measured = false;
    let writers = stopped(writer).await;
    let readers = stopped(reader).await;
    if !is_done? {
        return Ok(None);
    }
    let files = stage.files();
    let script = match step {
        Step::Expand => &files.expand,
        Step::Contract => &files.contract,
        Step::Revert => &files.revert,
        Step::Backfill => &None,
    };
    let relations = stage.before.relations.iter();
    let known: Vec<String> = relations.map(|r| r.shown.clone()).collect();
    let (settings, dialect) = (stage.base.settings, stage.dialect());
    let priced = settings.project.priced(stage.base.migration, step, dialect);
    let mut found = Vec::new();
    for (index, ran) in world.ran.iter().enumerate() {
        let statement = script
            .as_ref()
            .and_then(|file| file.script.statements.get(index));
        let said = priced.iter().filter(|one| one.index == index);
        let said: Vec<&Priced> = said.collect();
        let text = statement.map_or("the whole table in one batch", |statement| &statement.text);
        found.push(Measured {
            step,
            line: statement.map_or(1, |statement| statement.line),
            statement: first_words(text),
            took_ms: milliseconds(ran.ended.saturating_duration_since(ran.began)),
            writers_waited_ms: writers.as_ref().map(|waits| longest(waits, ran)),
            readers_waited_ms: readers.as_ref().map(|waits| longest(waits, ran)),
            locks: ran
                .locks
                .iter()
                .filter(|(_, table)| known.contains(table))
                .map(|(mode, table)| format!("{table}: {mode}"))
                .collect(),
            rewrote: ran
                .stored
                .iter()
                .filter(|table| known.contains(table))
                .cloned()
                .collect(),
            rules: judged(dialect, &known, &said, ran),
        });
    }
    Ok(Some(found))
}

async fn stopped(beside: Option<Beside>) -> Option<Vec<(Instant, Instant)>> {
    match beside {
        Some(beside) => Some(beside.stop().await),
        None => None,
    }
}

fn first_words(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let all = words.join(" ");
    let mut short: String = all.chars().take(60).collect();
    if short.len() < all.len() {
        short.push('…');
    }
    crate::rehearse::report::masked(&short)
}
