//! `migrate resolve ID --rows-repaired`: somebody has compared both formats, and says that they agree.

use serde_json::json;

use super::args::Global;
use super::context::{Context, say_unreleased};
use super::failure::Failure;
use super::out::Out;
use super::progress::Reporter;
use crate::coordinator::{Coordinator, Options, Progress, Purpose, RowsRepaired};
use crate::gate::Verdict;

pub(super) async fn run(id: &str, reason: &str, global: &Global, out: &Out) -> Result<u8, Failure> {
    let reason = reason.trim();
    if reason.is_empty() {
        return Err(Failure::new("--reason needs a reason")
            .help("say why, for whoever reads the log")
            .usage());
    }
    let context = Context::load_to_act(global, out)?;
    let id = context.find(id).await?;
    let reporter = Reporter::new(global);
    let report = |progress: Progress| reporter.show(&progress);
    let options = Options {
        project: &context.project,
        target: &context.target,
        purpose: Purpose::Act,
        doing: format!("resolve {id}"),
        accept_unknown: None,
        wait: None,
        pace: None,
        report: &report,
        lists: None,
        interrupt: context.interrupt,
    };
    let mut coordinator = Coordinator::start(options).await?;
    let repaired = coordinator.rows_repaired(&id, reason).await;
    reporter.finish();
    let head = say_unreleased(coordinator.finish().await, &context);
    let recorded = match repaired? {
        RowsRepaired::Refused(verdict, reasons) => {
            let failure = Failure::new(reasons.join("; "));
            return Err(match verdict {
                Verdict::Unknown => failure.unknown(),
                _ => failure.refused(),
            });
        }
        RowsRepaired::NoDoubt => None,
        RowsRepaired::Done(asked) => Some(asked),
    };
    if recorded.is_some() {
        out.log_ends(head.as_ref(), global.quiet);
    }
    if out.is_json() {
        out.json(&json!({
            "rows_repaired": { "migration": id, "recorded": recorded.is_some(), "asked": recorded.unwrap_or_default() }
        }));
    } else {
        out.well(&match recorded {
            Some(_) => format!("recorded: every row of {id} is right in both formats"),
            None => format!(
                "no rows of {id} are in doubt, and nothing was recorded: `migrate status` shows what it waits for"
            ),
        });
    }
    Ok(0)
}
