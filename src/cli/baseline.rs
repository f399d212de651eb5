//! `migrate adopt --baseline`: the schema as it is becomes what a new database begins with.

use std::path::Path;

use serde_json::json;

use super::args::Global;
use super::context::{Context, say_unreleased};
use super::failure::Failure;
use super::out::Out;
use super::progress::Reporter;
use super::text::count;
use crate::adopt::baseline::{
    BASELINE, Looked, MANIFEST, file_name, first_trace, schema, script, with_allowances,
};
use crate::adopt::{add_file, write_migration};
use crate::coordinator::{Coordinator, Options, Progress, Purpose, RecordedAsItIs};
use crate::model::MigrationId;
use crate::project::{CONFIG_FILE, MANIFEST_FILE, Project, Sign, to_vouch_for};
use crate::runner::finish_url;

const ROOT: &str = ".";

/// What has become of the file.
enum File {
    Written(String),
    /// It was there, of this or another database.
    There(String),
}

pub(super) async fn run(reason: Option<&str>, global: &Global, out: &Out) -> Result<u8, Failure> {
    if reason.is_some_and(|reason| reason.trim().is_empty()) {
        return Err(Failure::new("--reason needs a reason")
            .help("say why, for whoever reads the log")
            .usage());
    }
    if !Path::new(ROOT).join(CONFIG_FILE).exists() {
        return Err(Failure::new(format!("there is no {CONFIG_FILE} here")).help(
            "`migrate init` writes one; name the database in it, then run the same command again",
        ));
    }
    let context = Context::load_to_act(global, out)?;
    if let Some(runner) = &context.project.config.runner {
        return Err(Failure::new(format!(
            "{} makes the schema of new databases here ([runner] in {CONFIG_FILE})",
            runner.kind()
        ))
        .help("leave out --baseline: `migrate adopt` takes what it has applied as the baseline"));
    }
    let id: MigrationId = BASELINE
        .parse()
        .map_err(|error| Failure::new(format!("{error}")))?;
    if let Some(other) = context.project.with_number(0).filter(|it| *it.id() != id) {
        return Err(
            Failure::new(format!("{} has the number of a baseline", other.id())).help(format!(
                "`migrate renumber {}` gives it another one",
                other.id()
            )),
        );
    }
    let applied = applied(&context).await?;
    if applied.contains(&id) {
        return Ok(already(&id, out));
    }
    refuse_others(&applied)?;
    let made = look(&context).await?;
    refuse_traces(&context, &id).await?;
    let file = write(&context, &id, &made)?;
    tell_written(&file, out);
    let recorded = record(global, out, &id, reason).await?;
    if let RecordedAsItIs::Already = recorded {
        return Ok(already(&id, out));
    }
    if out.is_json() {
        let (path, is_new) = match &file {
            File::Written(path) => (path, true),
            File::There(path) => (path, false),
        };
        let statements = made.len();
        out.json(&json!({ "baseline": { "migration": id, "path": path, "written": is_new, "statements": statements, "recorded": true } }));
        return Ok(0);
    }
    out.well(format!(
        "recorded {id} as applied in this database; nothing of it was run"
    ));
    if let File::Written(_) = file {
        out.well("next: read the file and commit it. A new database gets its schema by `migrate expand`; in every other one that has it");
        out.well("      already, run `migrate adopt --baseline` once before that");
    }
    Ok(0)
}

fn tell_written(file: &File, out: &Out) {
    if let (File::Written(path), false) = (file, out.is_json()) {
        out.well(format!("wrote {path}: the schema as it is"));
    }
}

fn already(id: &MigrationId, out: &Out) -> u8 {
    if out.is_json() {
        out.json(&json!({ "baseline": { "migration": id, "written": false, "recorded": false } }));
    } else {
        out.well(format!("{id} is recorded as applied here already"));
    }
    0
}

async fn applied(context: &Context) -> Result<Vec<MigrationId>, Failure> {
    let situation = context.observe().await?;
    let applied = situation.view.applied.iter();
    Ok(applied.map(|applied| applied.state.id().clone()).collect())
}

fn refuse_others(applied: &[MigrationId]) -> Result<(), Failure> {
    let Some(first) = applied.first() else {
        return Ok(());
    };
    Err(Failure::new(format!(
        "{first} was applied in this database: what it has made is part of the schema by now, and would be in the baseline as well"
    ))
    .help("a baseline is taken before the first migration is applied; a new database gets its schema from what made it so far, and then from the migrations")
    .refused())
}

/// Refuses where what is there tells that a later migration has been at work: with a baseline on record nobody would see it again,
/// and whoever uses what it took away would be let in.
async fn refuse_traces(context: &Context, id: &MigrationId) -> Result<(), Failure> {
    let traces = context.project.traces_after(id, context.target.dialect());
    if traces.is_empty() {
        return Ok(());
    }
    let Some(mut connection) = context.connect().await? else {
        return Ok(());
    };
    let found = first_trace(connection.as_mut(), &traces).await;
    connection.close().await;
    let Some(trace) = found? else {
        return Ok(());
    };
    let what = trace.what.described();
    let migration = &trace.migration;
    let sign = match trace.sign {
        Sign::Gone => {
            format!("{what}, which the contract of {migration} takes away, is not there")
        }
        Sign::There => {
            format!("{what}, which {migration} makes, is there already")
        }
    };
    Err(Failure::new(format!(
        "{sign}: {migration} has been at work here and no ledger tells of it, which was lost or left out of a restore; or this is another \
         database than is meant"
    ))
    .help(format!(
        "restore the ledger from the backup that the tables come from, or correct the URL. If there is none, or no `migrate` ever ran here, \
         finish by hand what {migration} is about, take it out of the project, and run the same command again: docs/stuck.md. --reason \
         is no way around it: versions that use what is gone would be let in"
    ))
    .refused())
}

/// The statements that make this database's schema.
async fn look(context: &Context) -> Result<Vec<String>, Failure> {
    let url = context.project.config.database_url.as_deref();
    let looked = Looked {
        dialect: context.target.dialect(),
        url: &finish_url(url.unwrap_or_default(), None, None),
        interrupt: context.interrupt,
    };
    let mut made = Vec::new();
    if let Some(mut connection) = context.connect().await? {
        let read = schema(&looked, connection.as_mut()).await;
        connection.close().await;
        made = read?;
    }
    if made.is_empty() {
        return Err(Failure::new("this database has no schema yet").help(
            "a baseline is taken from a database that is in use; a new one begins with `migrate expand`",
        ));
    }
    Ok(made)
}

/// Writes what was seen, unless a file of it is there.
fn write(context: &Context, id: &MigrationId, made: &[String]) -> Result<File, Failure> {
    let base = Project::migrations_dir(Path::new(ROOT))?;
    let name = file_name(context.target.dialect());
    let directory = base.join(id.as_str());
    let path = directory.join(&name);
    let shown = path
        .strip_prefix(ROOT)
        .unwrap_or(&path)
        .display()
        .to_string();
    if path.exists() {
        return Ok(File::There(shown));
    }
    let text = script(made);
    let vouched = to_vouch_for(context.target.dialect(), &text).map_err(|wrong| {
        Failure::new(format!("this schema has no place in a script: {}", wrong.join("; "))).help(format!(
            "nothing was written. Write {shown} by hand, without that, and run the same command again with --reason TEXT: it records what is there"
        ))
    })?;
    if directory.exists() {
        // Of another kind of database.
        let manifest = directory.join(MANIFEST_FILE);
        let before = std::fs::read_to_string(&manifest).map_err(|error| {
            Failure::new(format!("{} cannot be read: {error}", manifest.display()))
                .help("make it readable, and run the same command again")
        })?;
        let after = with_allowances(&before, &vouched);
        if after != before {
            add_file(&directory, MANIFEST_FILE, &after)?;
        }
        add_file(&directory, &name, &text)?;
    } else {
        let manifest = with_allowances(MANIFEST, &vouched);
        let files = [(MANIFEST_FILE, manifest.as_str()), (&name, &text)];
        write_migration(&base, id.as_str(), &files)?;
    }
    Ok(File::Written(shown))
}

/// Records it, if the database is as the file says: it is looked at once more, while nobody else can take a step.
async fn record(
    global: &Global,
    out: &Out,
    id: &MigrationId,
    reason: Option<&str>,
) -> Result<RecordedAsItIs, Failure> {
    // With the files that were written.
    let context = Context::load_to_act(global, out)?;
    let reporter = Reporter::new(global);
    let report = |progress: Progress| reporter.show(&progress);
    let options = Options {
        project: &context.project,
        target: &context.target,
        purpose: Purpose::Adopt,
        doing: format!("adopt {id}"),
        accept_unknown: None,
        wait: None,
        pace: None,
        report: &report,
        lists: None,
        interrupt: context.interrupt,
    };
    let mut coordinator = Coordinator::start(options).await?;
    let recorded = record_under_lease(&context, &mut coordinator, id, reason).await;
    reporter.finish();
    say_unreleased(coordinator.finish().await, &context);
    let recorded = recorded?;
    if let RecordedAsItIs::After(others) = &recorded {
        refuse_others(others)?;
    }
    Ok(recorded)
}

async fn record_under_lease(
    context: &Context,
    coordinator: &mut Coordinator<'_>,
    id: &MigrationId,
    reason: Option<&str>,
) -> Result<RecordedAsItIs, Failure> {
    let dialect = context.target.dialect();
    refuse_traces(context, id).await?;
    let made = look(context).await?;
    let migration = context.project.get(id);
    let file = migration.and_then(|migration| migration.files(dialect).expand.as_ref());
    let Some(file) = file else {
        return Err(
            Failure::new(format!("{id} has no script for {}", dialect.name()))
                .help("`migrate check` says what is wrong with it: mend it, and run the same command again"),
        );
    };
    let said = file.script.statements.iter().map(|said| said.text.as_str());
    let difference = difference(&said.collect::<Vec<_>>(), &made);
    let mut detail = json!({ "as_it_is": true });
    if let Some(difference) = difference {
        let Some(reason) = reason else {
            return Err(Failure::new(format!(
                "the schema of this database is not the one in {}: {difference}",
                file.path.display()
            ))
            .help(format!(
                "if this database is right and nothing begins with that file yet, remove {id} and run the same command again. If it is another \
                 database, and the difference is one that no migration minds (the order of columns), record it with --reason TEXT"
            ))
            .refused());
        };
        if let Some(object) = detail.as_object_mut() {
            object.insert("reason".into(), reason.into());
            object.insert("differs".into(), difference.into());
        }
    }
    Ok(coordinator.record_as_it_is(id, detail).await?)
}

/// In words, what is not in both.
fn difference(said: &[&str], made: &[String]) -> Option<String> {
    let only_said: Vec<&str> = said
        .iter()
        .filter(|said| !made.iter().any(|made| made == *said))
        .copied()
        .collect();
    let only_made: Vec<&str> = made
        .iter()
        .map(String::as_str)
        .filter(|made| !said.contains(made))
        .collect();
    let mut parts = Vec::new();
    for (what, all, others) in [
        ("in the file alone", &only_said, &only_made),
        ("in the database alone", &only_made, &only_said),
    ] {
        if let Some(first) = all.first() {
            let number = u64::try_from(all.len()).unwrap_or(u64::MAX);
            parts.push(format!(
                "{} {what}, the first `{}`",
                count(number, "statement"),
                excerpt(first, others)
            ));
        }
    }
    // In another order they make the same.
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// How long an excerpt is, and how much of it may be what comes before a difference.
const EXCERPT: usize = 80;
const BEFORE: usize = 20;

/// Of a statement, its beginning; and where it goes on as the nearest of the others does, what is not the same.
fn excerpt(text: &str, others: &[&str]) -> String {
    let in_one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = in_one_line(text);
    let alike = |other: &&str| {
        let other = in_one_line(other);
        let pairs = line.chars().zip(other.chars());
        pairs.take_while(|(a, b)| a == b).count()
    };
    let alike = others.iter().map(alike).max().unwrap_or_default();
    if alike < EXCERPT {
        return line.chars().take(EXCERPT).collect();
    }
    let known_by: String = line.chars().take(EXCERPT / 2).collect();
    let differs: String = line.chars().skip(alike - BEFORE).take(EXCERPT).collect();
    format!("{known_by} … {differs}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_statements_are_shown_where_they_differ() {
        let long = format!("CREATE TABLE users (id int, {}", "column int, ".repeat(9));
        let said = format!("{long}legacy int)");
        let made = vec![format!("{long}other int)")];
        let told = difference(&[&said], &made).unwrap();
        for part in [
            "1 statement in the file alone, the first `CREATE TABLE users",
            "legacy int)`; 1 statement in the database alone",
            "other int)`",
        ] {
            assert!(told.contains(part), "{part} in {told}");
        }
        let made = vec!["CREATE TABLE b (id int)".to_owned()];
        assert_eq!(
            difference(&["CREATE TABLE a (id int)"], &made).unwrap(),
            "1 statement in the file alone, the first `CREATE TABLE a (id int)`; \
             1 statement in the database alone, the first `CREATE TABLE b (id int)`"
        );
        assert_eq!(difference(&["CREATE TABLE b (id int)"], &made), None);
    }
}
