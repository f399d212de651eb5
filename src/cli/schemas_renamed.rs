//! `migrate resolve --schemas-renamed`: somebody has renamed the schemas that the ledger is for.

use serde_json::json;

use super::args::Global;
use super::context::{Context, log_head};
use super::failure::Failure;
use super::out::Out;
use crate::coordinator::{self, Purpose, schemas_renamed};
use crate::ledger::SchemasRenamed;

pub(super) async fn run(reason: &str, global: &Global, out: &Out) -> Result<u8, Failure> {
    let reason = reason.trim();
    if reason.is_empty() {
        return Err(Failure::new("--reason needs a reason")
            .help("say why, for whoever reads the log")
            .usage());
    }
    let context = Context::load_to_act(global, out)?;
    let (project, target) = (&context.project, &context.target);
    let mut connection =
        coordinator::connect(project, target, Purpose::Act, context.interrupt).await?;
    let renamed = schemas_renamed(project, connection.as_mut(), reason).await;
    let head = match &renamed {
        Ok(SchemasRenamed::Recorded { .. }) => log_head(connection.as_mut()).await,
        _ => Ok(None),
    };
    connection.close().await;
    let (before, now) = match renamed? {
        SchemasRenamed::Recorded { before, now } => (before, now),
        SchemasRenamed::NothingToSay => {
            out.well(
                "the ledger is for the schemas of this connection: there is nothing to record",
            );
            return Ok(0);
        }
        SchemasRenamed::NoLedger => {
            return Err(Failure::new("this database has no ledger")
                .help("check which database is meant; `migrate expand` makes a ledger"));
        }
        SchemasRenamed::StillThere(there) => {
            return Err(Failure::new(format!(
                "the ledger is for `{0}`, which is still there under that name: what this connection looks in is another schema",
                there.join("`, `")
            ))
            .help("one database holds one ledger: give the other schema a database of its own, or connect with the search_path of before")
            .refused());
        }
        SchemasRenamed::CalledNow(now) => {
            return Err(Failure::new(format!(
                "what the ledger is for is called `{}` now, and this connection does not look there",
                now.join("`, `")
            ))
            .help("connect with a search_path that names it in the place of the name of before, and say it again")
            .refused());
        }
        SchemasRenamed::NothingHere { migration, made } => {
            return Err(Failure::new(format!(
                "nothing that the applied migrations have made is where this connection looks, such as {made} of {migration}: this is another schema",
            ))
            .help("connect with the search_path under which the tables of the application are; what a restore has left out has to be restored first")
            .refused());
        }
    };
    out.log_ends(head?.as_ref(), global.quiet);
    if out.is_json() {
        out.json(&json!({ "schemas_renamed": { "before": before, "now": now } }));
    } else {
        out.well(format!(
            "recorded: the ledger is for `{now}`, which was `{before}`"
        ));
    }
    Ok(0)
}
