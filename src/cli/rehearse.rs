//! `migrate rehearse`: migrations tried on scratch databases.

use std::fs;
use std::path::Path;

use clap::Args;
use serde_json::json;

use super::args::Global;
use super::context::named_target;
use super::exit::Exit;
use super::failure::Failure;
use super::out::{Out, note};
use super::paint::{Cell, Line, Tone};
use super::statements::{recorded, refuse_underivable, show_derived};
use super::text::{self, count};
use crate::coordinator::{Rehearsed, connect_to_record, record_rehearsal};
use crate::database::Target;
use crate::project::{DialectsFrom, Migration, Project};
use crate::rehearse::{
    Finding, Judged, Measured, Rehearsal, RehearseError, Settings, Traced, Weight, rehearse,
};
use crate::sql::Dialect;

#[derive(Args)]
pub(super) struct RehearseArgs {
    /// The migrations, by number or name; the last one if none is named
    pub ids: Vec<String>,
    /// Every migration
    #[arg(long, conflicts_with = "ids")]
    pub all: bool,
    /// How many rows the tables have while it is measured what each statement locks and how long it takes
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(0..=10_000_000))]
    pub rows: u64,
    /// Record in the ledger of the project's database what came of it for these very files, on a database of its kind:
    /// `[rehearse] required` asks for that before a contract. Without it that database is never connected to
    #[arg(long)]
    pub record: bool,
    /// Propose the ranges of each service, from the `statements` of its releases in migrate.toml; what they do not show is a question
    #[arg(long)]
    pub derive: bool,
}

/// What could not be tried.
struct Untried {
    migration: String,
    dialect: Dialect,
    why: String,
    help: Option<String>,
    exit: Exit,
}

pub(super) async fn run(args: &RehearseArgs, global: &Global, out: &Out) -> Result<u8, Failure> {
    let root = Path::new(".");
    let given = global.database_url()?;
    let project = Project::load(root, given.as_ref().map(|given| given.url.as_str()))?;
    if !global.quiet {
        for warning in &project.warnings {
            note(&warning.one_line());
        }
    }
    if args.derive {
        refuse_underivable(&project)?;
    }
    let ledger = ledger(args, &project, root, global)?;
    let servers = servers(&project, root)?;
    let mut rehearsals = Vec::new();
    let mut untried = Vec::new();
    let mut unrecorded = Vec::new();
    let mut in_part = Vec::new();
    for migration in chosen(args, &project)? {
        let recorded = recorded(&project, migration, root)?;
        for dialect in dialects(&project) {
            let server = servers.iter().find(|server| server.dialect() == dialect);
            let settings = Settings {
                project: &project,
                server,
                schema: schema(&project, root)?,
                seed: seed(migration, dialect, root)?,
                recorded: &recorded,
                rows: args.rows,
                interrupt: global.interrupt,
            };
            match rehearse(&settings, migration, dialect).await {
                Ok(mut rehearsal) => {
                    if !args.derive {
                        rehearsal.derived.clear();
                    }
                    if !out.is_json() {
                        show(&rehearsal, out);
                    }
                    let ledger = ledger.as_ref().filter(|of| of.dialect() == dialect);
                    let says_little = rehearsal.is_in_part() && !rehearsal.is_wrong();
                    if ledger.is_some() && says_little {
                        in_part.push(migration.id());
                    } else if let Some(target) = ledger {
                        let is_told = record(&project, migration, &rehearsal, (target, global));
                        if !is_told.await? {
                            unrecorded.push(migration.id());
                        }
                    }
                    rehearsals.push(rehearsal);
                }
                Err(error) => untried.push(untried_of(migration, dialect, error)?),
            }
        }
    }
    let exit = match ending(&rehearsals, &untried) {
        Exit::Done if !unrecorded.is_empty() => Exit::Unknown,
        exit => exit,
    };
    if out.is_json() {
        let untried: Vec<_> = untried
            .iter()
            .map(|untried| {
                json!({
                    "migration": untried.migration,
                    "database": untried.dialect.name(),
                    "why": untried.why,
                    "help": untried.help,
                })
            })
            .collect();
        out.json(
            &json!({ "verdict": verdict(exit), "rehearsals": rehearsals, "untried": untried }),
        );
    }
    for untried in &untried {
        note(&format!(
            "error: {} was not rehearsed on {}: {}",
            untried.migration,
            untried.dialect.title(),
            untried.why
        ));
        if let Some(help) = &untried.help {
            note(&format!("  help: {help}"));
        }
    }
    for id in &in_part {
        note(&format!(
            "error: the rehearsal of {id} is not recorded: what it declares of rows was not tried"
        ));
        note("  help: see `no-rows` above, and rehearse again after that");
    }
    for id in &unrecorded {
        note(&format!(
            "error: the rehearsal of {id} is not recorded: there is no ledger yet"
        ));
        note(
            "  help: the first step makes it, and `migrate expand` even without one; rehearse again after that",
        );
    }
    Ok(exit.code())
}

/// The database in whose ledger it is recorded, where that is asked for.
fn ledger(
    args: &RehearseArgs,
    project: &Project,
    root: &Path,
    global: &Global,
) -> Result<Option<Target>, Failure> {
    if !args.record {
        return Ok(None);
    }
    let target = named_target(global, &project.config, root)?;
    let dialect = target.dialect();
    if !dialects(project).contains(&dialect) {
        return Err(Failure::new(format!(
            "nothing is rehearsed on {}, of which kind the database is",
            dialect.title()
        ))
        .help("add it to `dialects` under [database] in migrate.toml"));
    }
    Ok(Some(target))
}

/// Remembers what came of it; false where there is no ledger.
async fn record(
    project: &Project,
    migration: &Migration,
    rehearsal: &Rehearsal,
    (target, global): (&Target, &Global),
) -> Result<bool, Failure> {
    let found = if rehearsal.is_wrong() {
        Rehearsed::Wrong
    } else {
        Rehearsed::NothingWrong
    };
    let mut connection = connect_to_record(project, target, global.interrupt).await?;
    let recorded = record_rehearsal(project, migration, found, connection.as_mut()).await;
    connection.close().await;
    Ok(recorded?)
}

const fn verdict(exit: Exit) -> &'static str {
    match exit {
        Exit::Done => "go",
        Exit::Refuse => "refuse",
        Exit::Unknown => "unknown",
        _ => "error",
    }
}

fn ending(rehearsals: &[Rehearsal], untried: &[Untried]) -> Exit {
    if rehearsals.iter().any(Rehearsal::is_wrong) {
        return Exit::Refuse;
    }
    if rehearsals.iter().any(Rehearsal::is_in_part) {
        return Exit::Unknown;
    }
    untried.first().map_or(Exit::Done, |untried| untried.exit)
}

fn chosen<'p>(args: &RehearseArgs, project: &'p Project) -> Result<Vec<&'p Migration>, Failure> {
    if args.all {
        return Ok(project.migrations.iter().collect());
    }
    if args.ids.is_empty() {
        let last = project.migrations.last().ok_or_else(|| {
            Failure::new("the project has no migration that could be rehearsed")
                .help("`migrate new NAME` writes one")
        })?;
        return Ok(vec![last]);
    }
    let found = args.ids.iter().map(|id| Ok(project.find(id)?));
    found.collect()
}

/// The database that a command would go to, or all that the scripts are for.
fn dialects(project: &Project) -> Vec<Dialect> {
    let config = &project.config.database;
    match config.dialects_from {
        // Nobody says which: it can be tried where nothing is needed for it.
        DialectsFrom::Assumption => vec![Dialect::Sqlite],
        DialectsFrom::File | DialectsFrom::Url => config.dialects.clone(),
    }
}

fn servers(project: &Project, root: &Path) -> Result<Vec<Target>, Failure> {
    let urls = project.config.rehearsal.urls.iter();
    urls.map(|url| {
        Target::parse(url, root).map_err(|error| Failure::from(error).at("`url` under [rehearse]"))
    })
    .collect()
}

fn schema(project: &Project, root: &Path) -> Result<Option<(String, String)>, Failure> {
    let Some(path) = &project.config.rehearsal.schema else {
        return Ok(None);
    };
    match fs::read_to_string(root.join(path)) {
        Ok(text) => Ok(Some((path.clone(), text))),
        Err(error) => Err(Failure::new(format!("{path} cannot be read: {error}"))
            .help("`schema` under [rehearse] names a file of SQL in the project")),
    }
}

/// Rows as the application writes them, where somebody has written them down.
fn seed(
    migration: &Migration,
    dialect: Dialect,
    root: &Path,
) -> Result<Option<(String, String)>, Failure> {
    for name in [
        format!("seed.{}.sql", dialect.name()),
        "seed.sql".to_owned(),
    ] {
        let path = migration.dir.join(name);
        match fs::read_to_string(root.join(&path)) {
            Ok(text) => return Ok(Some((path.display().to_string(), text))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(Failure::new(format!(
                    "{} cannot be read: {error}",
                    path.display()
                )));
            }
        }
    }
    Ok(None)
}

fn untried_of(
    migration: &Migration,
    dialect: Dialect,
    error: RehearseError,
) -> Result<Untried, Failure> {
    let (why, help, exit) = match error {
        RehearseError::Cannot { why, help } => (why, Some(help), Exit::Unknown),
        RehearseError::Database(error) => match Exit::of(&error) {
            Exit::Interrupted => return Err(error.into()),
            _ => (error.to_string(), None, Exit::Unknown),
        },
    };
    Ok(Untried {
        migration: migration.id().to_string(),
        dialect,
        why,
        help,
        exit,
    })
}

fn show(rehearsal: &Rehearsal, out: &Out) {
    let wrong = rehearsal
        .findings
        .iter()
        .filter(|f| f.weight == Weight::Wrong)
        .count();
    let doubts = rehearsal.findings.iter();
    let doubts = doubts.filter(|f| f.weight == Weight::Doubt).count();
    let of = |number: usize, noun| count(u64::try_from(number).unwrap_or(u64::MAX), noun);
    let verdict = if wrong > 0 {
        (Tone::Refuse, format!("refuse: {}", of(wrong, "claim")))
    } else if rehearsal.is_in_part() {
        (Tone::Hold, "unknown".to_owned())
    } else {
        (Tone::Go, "go".to_owned())
    };
    let line = Line::default().toned(verdict.0, &verdict.1);
    let denied = if wrong > 0 {
        format!(
            " of {} denied by {}",
            rehearsal.migration,
            rehearsal.database.title()
        )
    } else if rehearsal.is_in_part() {
        format!(
            ": whether {} does on {} what it declares of rows was not tried",
            rehearsal.migration,
            rehearsal.database.title()
        )
    } else {
        format!(
            ": {} does on {} what it declares",
            rehearsal.migration,
            rehearsal.database.title()
        )
    };
    let doubted = if doubts > 0 {
        format!(", {}", of(doubts, "doubt"))
    } else {
        String::new()
    };
    out.line(line.and(&format!("{denied}{doubted}")));
    for finding in &rehearsal.findings {
        show_finding(finding, out);
    }
    for derived in &rehearsal.derived {
        show_derived(derived, rehearsal.database, out);
    }
    for tried in &rehearsal.tried {
        out.line(format!("  tried: {} ({})", tried.what, tried.times));
    }
    if !rehearsal.statements.is_empty() {
        out.line(format!(
            "  at {}:",
            of(usize::try_from(rehearsal.rows).unwrap_or(usize::MAX), "row")
        ));
        let rows = rehearsal.statements.iter().map(measured).collect();
        out.lines(text::table(
            &[
                "step",
                "line",
                "statement",
                "took",
                "writers waited",
                "readers waited",
                "locked",
                "rewrote",
            ],
            rows,
        ));
        for one in &rehearsal.statements {
            for judged in &one.rules {
                out.line(format!(
                    "  line {} of {}: {}",
                    one.line,
                    one.step.name(),
                    traced(judged)
                ));
            }
        }
    }
}

/// Whether it is as `check` says.
fn traced(judged: &Judged) -> String {
    let Judged {
        rule, table, says, ..
    } = judged;
    match judged.traced {
        Traced::Confirmed => format!("it is as `{rule}` of `check` says of `{table}`: {says}"),
        Traced::Contradicted => format!(
            "it is not as `{rule}` of `check` says of `{table}`, which goes by the oldest server that `[lint]` names: {says}"
        ),
        Traced::NotForeseen => format!("`{rule}` of `check` has not foreseen it: {says}"),
        Traced::NotSeen => {
            format!("whether it is as `{rule}` of `check` says of `{table}` was not seen: {says}")
        }
    }
}

fn show_finding(finding: &Finding, out: &Out) {
    let (tone, word) = match finding.weight {
        Weight::Wrong => (Tone::Refuse, "wrong"),
        Weight::Untried => (Tone::Hold, "not tried"),
        Weight::Doubt => (Tone::Hold, "doubt"),
    };
    let step = finding
        .step
        .map_or_else(String::new, |step| format!(" ({})", step.name()));
    let line = Line::default().and("  ").toned(tone, word);
    out.line(line.and(&format!(": [{}]{step} {}", finding.code, finding.message)));
    out.line(Line::named("    ", "help:", &finding.help));
}

fn measured(measured: &Measured) -> Vec<Cell> {
    let ms = |ms: Option<u64>| ms.map_or_else(|| "-".to_owned(), text::span);
    let listed = |names: &[String]| {
        if names.is_empty() {
            "-".to_owned()
        } else {
            names.join(", ")
        }
    };
    vec![
        Cell::from(measured.step.name().to_owned()),
        Cell::from(measured.line.to_string()),
        Cell::from(measured.statement.clone()),
        Cell::from(text::span(measured.took_ms)),
        Cell::from(ms(measured.writers_waited_ms)),
        Cell::from(ms(measured.readers_waited_ms)),
        Cell::from(listed(&measured.locks)),
        Cell::from(listed(&measured.rewrote)),
    ]
}
