//! `migrate show` and `migrate repair`: what was applied beside what is there.

use clap::Args;
use serde_json::json;

use super::args::Global;
use super::context::{Context, say_unreleased};
use super::difference::{Line, difference};
use super::failure::Failure;
use super::out::Out;
use super::progress::Reporter;
use crate::coordinator::{
    self, Coordinator, CoordinatorError, Options, Progress, Purpose, Recorded, Repaired,
};
use crate::model::{MigrationId, Step};
use crate::project::{Migration, ScriptFile};
use crate::sql::Dialect;

#[derive(Args)]
pub(super) struct ShowArgs {
    /// The migration
    pub id: String,
}

#[derive(Args)]
pub(super) struct RepairArgs {
    /// The migration
    pub id: String,
    /// Why the record may be changed; kept in the log
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

/// How the file of a phase stands to what was applied.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    NotApplied,
    Same,
    /// Comments and white space differ, which is no change.
    SameStatements,
    Differs,
    Gone,
    /// The hash differs, and the text was not kept.
    DiffersUnseen,
}

impl Standing {
    const fn name(self) -> &'static str {
        match self {
            Self::NotApplied => "not_applied",
            Self::Same => "same",
            Self::SameStatements => "same_statements",
            Self::Differs => "differs",
            Self::Gone => "gone",
            Self::DiffersUnseen => "differs_unseen",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::NotApplied => "not applied",
            Self::Same => "as it was applied",
            Self::SameStatements => {
                "the statements that were applied; comments or white space differ, which is no change"
            }
            Self::Differs => "differs from what was applied (`-` was applied, `+` is there now)",
            Self::Gone => "applied, and the file is gone",
            Self::DiffersUnseen => {
                "differs from what was applied, of which the ledger kept the hash alone"
            }
        }
    }
}

/// One file.
struct Shown {
    step: Step,
    path: String,
    standing: Standing,
    applied: Option<Vec<String>>,
    present: Option<Vec<String>>,
}

pub(super) async fn run(args: &ShowArgs, global: &Global, out: &Out) -> Result<u8, Failure> {
    let context = Context::load(global, out)?;
    let id = context.find(&args.id).await?;
    let migration = context.project.as_read(&id);
    let situation = context.observe().await?;
    let mut recorded = Vec::new();
    if let Some(mut connection) = context.connect().await? {
        let read = coordinator::present(connection.as_mut(), &id).await;
        connection.close().await;
        recorded = read?;
    }
    // Without its files it is what the ledger has of it.
    if migration.is_none() && recorded.is_empty() {
        return Err(CoordinatorError::NoFiles(id).into());
    }
    let dialect = context.target.dialect();
    let shown: Vec<Shown> = Step::ALL
        .into_iter()
        .filter_map(|step| shown(migration, step, dialect, &recorded))
        .collect();
    let phase = situation.evidence.schema.get(&id);
    let phase = phase.map_or("pending", |state| state.phase.name());
    if out.is_json() {
        let files: Vec<_> = shown.iter().map(as_json).collect();
        out.json(&json!({ "migration": id, "phase": phase, "files": files }));
        return Ok(0);
    }
    out.line(format!("{id}: {phase}"));
    for file in &shown {
        out.line("");
        out.line(format!("{}: {}", file.path, file.standing.words()));
        out.lines(text_of(file));
    }
    Ok(0)
}

fn shown(
    migration: Option<&Migration>,
    step: Step,
    dialect: Dialect,
    recorded: &[Recorded],
) -> Option<Shown> {
    let files = migration.map(|migration| migration.files(dialect));
    let script: Option<&ScriptFile> = files.and_then(|files| match step {
        Step::Expand => files.expand.as_ref(),
        Step::Contract => files.contract.as_ref(),
        Step::Revert => files.revert.as_ref(),
        Step::Backfill => None,
    });
    let statement = files
        .and_then(|files| files.backfill.as_ref())
        .filter(|_| step == Step::Backfill);
    let of_step = |one: &&Recorded| one.file.phase == step.name();
    let record = recorded.iter().find(of_step);
    let now = script
        .map(|file| (file.path.display().to_string(), &file.sha256))
        .or_else(|| statement.map(|file| (file.path.display().to_string(), &file.sha256)));
    let present: Option<Vec<String>> = script.map(|file| {
        let statements = file.script.statements.iter();
        statements.map(|one| one.text.clone()).collect()
    });
    let present = present.or_else(|| statement.map(|file| vec![file.statement.text.clone()]));
    let applied: Option<Vec<String>> =
        record
            .filter(|record| !record.steps.is_empty())
            .map(|record| {
                let steps = record.steps.iter();
                steps.map(|step| step.statement.clone()).collect()
            });
    let standing = match (record, &now) {
        (None, None) => return None,
        (None, Some(_)) => Standing::NotApplied,
        (Some(_), None) => Standing::Gone,
        (Some(record), Some((_, sha256))) if record.file.sha256 == **sha256 => Standing::Same,
        (Some(_), Some(_)) => match (&applied, &present) {
            (Some(applied), Some(present)) => {
                let says_the_same = applied.len() == present.len()
                    && applied
                        .iter()
                        .zip(present)
                        .all(|(applied, present)| dialect.says_the_same(applied, present));
                if says_the_same {
                    Standing::SameStatements
                } else {
                    Standing::Differs
                }
            }
            _ => Standing::DiffersUnseen,
        },
    };
    let path = now.map(|(path, _)| path);
    let path = path.or_else(|| record.map(|record| record.file.path.clone()));
    Some(Shown {
        step,
        path: path.unwrap_or_default(),
        standing,
        applied,
        present,
    })
}

fn joined(statements: Option<&Vec<String>>) -> String {
    let statements = statements.map(Vec::as_slice).unwrap_or_default();
    let ended = statements.iter().map(|one| format!("{one};\n"));
    ended.collect()
}

fn text_of(file: &Shown) -> Vec<String> {
    let (applied, present) = (joined(file.applied.as_ref()), joined(file.present.as_ref()));
    match file.standing {
        Standing::Differs | Standing::Gone => difference(&applied, &present)
            .into_iter()
            .map(|line| match line {
                Line::Same(text) => format!("    {text}"),
                Line::Before(text) => format!("  - {text}"),
                Line::After(text) => format!("  + {text}"),
            })
            .collect(),
        _ => present.lines().map(|line| format!("    {line}")).collect(),
    }
}

fn as_json(file: &Shown) -> serde_json::Value {
    json!({
        "phase": file.step.name(),
        "path": file.path,
        "state": file.standing.name(),
        "applied": file.applied,
        "present": file.present,
    })
}

pub(super) async fn repair(args: &RepairArgs, global: &Global, out: &Out) -> Result<u8, Failure> {
    let reason = args.reason.trim();
    if reason.is_empty() {
        return Err(Failure::new("--reason needs a reason")
            .help("say why, for whoever reads the log")
            .usage());
    }
    let context = Context::load_to_act(global, out)?;
    let id: MigrationId = context.find(&args.id).await?;
    let reporter = Reporter::new(global);
    let report = |progress: Progress| reporter.show(&progress);
    let options = Options {
        project: &context.project,
        target: &context.target,
        purpose: Purpose::Act,
        doing: format!("repair {id}"),
        accept_unknown: None,
        wait: None,
        pace: None,
        report: &report,
        lists: None,
        interrupt: context.interrupt,
    };
    let mut coordinator = Coordinator::start(options).await?;
    let repaired = coordinator.repair(&id, reason).await;
    reporter.finish();
    say_unreleased(coordinator.finish().await, &context);
    match repaired? {
        Repaired::Refused(reasons) => Err(Failure::new(reasons.join("; "))
            .help(format!("`migrate show {id}` shows the difference"))
            .refused()),
        Repaired::Done(files) => {
            if out.is_json() {
                out.json(&json!({ "repaired": { "migration": id, "files": files } }));
            } else if files.is_empty() {
                out.well(format!("{id}: everything is recorded as it is"));
            }
            if !out.is_json() {
                for file in &files {
                    out.well(format!("{file} is recorded as it is now"));
                }
            }
            Ok(0)
        }
    }
}
