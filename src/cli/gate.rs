//! `migrate gate`: is an action safe now?

use clap::{Args, Subcommand};

use super::args::{Format, Global, ServiceVersion};
use super::declared;
use super::failure::Failure;
use super::markdown;
use super::out::Out;
use super::paint::Line;
use super::recording::Recording;
use super::text;
use crate::ask::{self, Answer, Question, Record, Wanted};
use crate::model::{Live, Step, Version};
use crate::project::Config;

#[derive(Args)]
pub(super) struct GateArgs {
    #[command(subcommand)]
    pub command: GateCommand,
    #[command(flatten)]
    pub recording: Recording,
}

#[derive(Subcommand)]
pub(super) enum GateCommand {
    /// May instances of these versions start now, beside those that run?
    Deploy {
        /// A service and a version: web=1.1.0
        #[arg(required = true, value_name = "SERVICE=VERSION")]
        versions: Vec<ServiceVersion>,
    },
    /// May the expand of this migration run now?
    Expand {
        /// Its number or name
        id: String,
    },
    /// May its backfill run now?
    Backfill {
        /// Its number or name
        id: String,
    },
    /// May its contract run now?
    Contract {
        /// Its number or name
        id: String,
    },
    /// May its expand be undone now?
    Revert {
        /// Its number or name
        id: String,
    },
}

pub(super) async fn run(args: &GateArgs, global: &Global, out: &Out) -> Result<u8, Failure> {
    let (_, answer) = declared::ask(&question(args), global, out).await?;
    match &answer {
        Answer::Gate { decision, snapshot } if !out.is_json() => {
            let lines = text::decision(decision, snapshot.taken_at);
            match global.output {
                Format::Markdown => out.verbatim(&as_markdown(&lines)),
                _ => out.lines(lines),
            }
        }
        _ => out.json(&answer.to_json()),
    }
    Ok(answer.verdict().exit_code())
}

/// The verdict as a heading, and what is in the way below it.
fn as_markdown(lines: &[Line]) -> String {
    let lines: Vec<String> = lines.iter().map(Line::plain).collect();
    let Some((verdict, reasons)) = lines.split_first() else {
        return String::new();
    };
    let heading = format!("### `migrate gate`: {}", markdown::inline(verdict));
    match reasons {
        [] => heading,
        reasons => format!("{heading}\n\n{}", markdown::block("text", reasons)),
    }
}

fn question(args: &GateArgs) -> Question {
    let record = Record::from(&args.recording);
    let (step, id) = match &args.command {
        GateCommand::Deploy { versions } => {
            let versions = versions.iter().map(wanted).collect();
            return Question::Deploy { versions, record };
        }
        GateCommand::Expand { id } => (Step::Expand, id),
        GateCommand::Backfill { id } => (Step::Backfill, id),
        GateCommand::Contract { id } => (Step::Contract, id),
        GateCommand::Revert { id } => (Step::Revert, id),
    };
    Question::Step {
        step,
        migration: id.clone(),
        record,
    }
}

/// A version as an argument names it.
pub(super) fn wanted(argument: &ServiceVersion) -> Wanted {
    Wanted {
        service: argument.service.clone(),
        label: argument.label.clone(),
    }
}

/// A version to start, placed among the versions.
pub(super) fn candidate(argument: &ServiceVersion, config: &Config) -> Result<Live, Failure> {
    Ok(ask::candidate(&wanted(argument), config)?)
}

/// Where a version lies, by its alias or by itself.
pub(super) fn placed(config: &Config, service: &str, label: &str) -> Result<Version, Failure> {
    Ok(ask::placed(config, service, label)?)
}
