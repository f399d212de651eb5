//! `migrate uses`: who still uses what a contract takes away.

use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::args::Global;
use super::context::Context;
use super::duration::duration;
use super::exit::Exit;
use super::failure::Failure;
use super::out::Out;
use super::paint::Line;
use crate::ask::json::time;
use crate::coordinator::{AtWork, Counted, Uses, connect_to_record, remember_uses, uses};
use crate::gate::Verdict;
use crate::project::Migration;

#[derive(Args)]
pub(super) struct UsesArgs {
    /// Its number or name
    pub id: String,
    /// Look twice, with so long between them: only statements that are sent meanwhile count
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub watched: Option<Duration>,
    /// Keep what was counted in the ledger, so that the next look knows what has grown since, and `unused_for` for how long
    /// nothing has. Without it nothing is written
    #[arg(long)]
    pub record: bool,
}

pub(super) async fn run(args: &UsesArgs, global: &Global, out: &Out) -> Result<u8, Failure> {
    let context = Context::load(global, out)?;
    let migration = context.project.find(&args.id)?;
    let Some(mut connection) = context.connect().await? else {
        return Ok(Exit::Unknown.code());
    };
    let found = uses(
        migration,
        connection.as_mut(),
        args.watched,
        global.interrupt,
    )
    .await;
    connection.close().await;
    let mut found = found?;
    if args.record {
        record(&context, migration, &mut found).await?;
    }
    let verdict = match (found.is_in_use(), found.unseen.is_empty()) {
        (true, _) => Verdict::Refuse,
        (false, false) => Verdict::Unknown,
        (false, true) => Verdict::Go,
    };
    if out.is_json() {
        out.json(&as_json(migration.id().as_str(), verdict, &found));
    } else {
        out.lines(as_text(
            migration.id().as_str(),
            &found,
            args.watched.is_some(),
        ));
    }
    Ok(verdict.exit_code())
}

/// Remembers what the counters show now.
async fn record(context: &Context, migration: &Migration, found: &mut Uses) -> Result<(), Failure> {
    let (project, target) = (&context.project, &context.target);
    let mut connection = connect_to_record(project, target, context.interrupt).await?;
    let recorded = remember_uses(project, migration, connection.as_mut()).await;
    connection.close().await;
    match recorded? {
        Some(record) => found.looked = Some((record.since, record.at)),
        None => found.unseen.push(
            "what was counted is not kept: there is no ledger yet, which the first step makes, and `migrate expand` even without one"
                .to_owned(),
        ),
    }
    Ok(())
}

fn as_json(id: &str, verdict: Verdict, found: &Uses) -> serde_json::Value {
    let statements = found.statements.iter().map(|one| {
        json!({ "text": one.text, "calls": one.calls, "grew": one.grew, "roles": one.roles, "last": one.last })
    });
    let sessions = found.sessions.iter().map(|one| {
        json!({ "role": one.role, "application": one.application, "state": one.state, "text": one.text })
    });
    json!({
        "verdict": verdict.name(),
        "migration": id,
        "takes_away": found.gone,
        "dependents": found.dependents,
        "statements": statements.collect::<Vec<_>>(),
        "since": found.since,
        "looked": found.looked.map(|(since, at)| json!({ "since": time(since), "at": time(at) })),
        "sessions": sessions.collect::<Vec<_>>(),
        "unseen": found.unseen,
    })
}

fn as_text(id: &str, found: &Uses, watched: bool) -> Vec<Line> {
    if found.gone.is_empty() {
        return vec![Line::from(format!(
            "{id}: no contract takes anything away here that somebody could name"
        ))];
    }
    let mut lines = vec![Line::from(format!(
        "{id}: its contract takes away {}",
        found.gone.join(", ")
    ))];
    let mut section = |title: &str, each: Vec<String>| {
        if !each.is_empty() {
            lines.push(Line::from(format!("  {title}:")));
            lines.extend(each.iter().map(|one| Line::from(format!("    {one}"))));
        }
    };
    section("in the database", found.dependents.clone());
    let since = found.since.as_ref();
    let since = since.map(|since| format!(" since {since}"));
    if let Some((since, at)) = found.looked {
        let each = [
            format!("without a gap since {}", time(since)),
            format!("the last at {}", time(at)),
        ];
        section("looks that are remembered", each.to_vec());
    }
    let meanwhile = match found.looked {
        Some(_) if !watched => "since the last look",
        _ => "meanwhile",
    };
    section(
        &format!(
            "statements that the server has counted{}",
            since.unwrap_or_default()
        ),
        found
            .statements
            .iter()
            .map(|one| counted(one, meanwhile))
            .collect(),
    );
    section("sessions", found.sessions.iter().map(at_work).collect());
    section("not seen", found.unseen.clone());
    if !found.is_in_use() {
        lines.push(Line::from(
            "  nobody was seen to use it; that is no proof, because what runs seldom is not seen",
        ));
    }
    lines
}

fn counted(one: &Counted, meanwhile: &str) -> String {
    let calls = match one.grew {
        Some(grew) => format!("{grew} calls {meanwhile}, {} in all", one.calls),
        None => format!("{} calls", one.calls),
    };
    let by = match &*one.roles {
        "" => String::new(),
        roles => format!(" by {roles}"),
    };
    let last = match &*one.last {
        "" => String::new(),
        last => format!(", the last at {last}"),
    };
    format!("{calls}{by}{last}: {}", on_one_line(&one.text))
}

fn at_work(one: &AtWork) -> String {
    let named = [&*one.role, &*one.application, &*one.state];
    let named: Vec<&str> = named.into_iter().filter(|text| !text.is_empty()).collect();
    format!("{}: {}", named.join(", "), on_one_line(&one.text))
}

fn on_one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    crate::text::shown::shortened(&words.join(" "), 200).into_owned()
}
