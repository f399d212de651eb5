//! `migrate adopt`: a project that another migration tool has carried so far is brought in.

use std::path::Path;

use clap::Args;
use serde_json::json;

use super::args::Global;
use super::baseline;
use super::context::{named_target, settings_in_order};
use super::failure::Failure;
use super::numbering::{migrations_in, next};
use super::out::{Out, note};
use super::progress::Reporter;
use super::text::count;
use crate::adopt::{
    AdoptError, Adoption, Asked, Kind, MIGRATIONS, NewProject, Pending, Place, foreign, look,
    migration_toml, places, runner_of, section, write_migration, write_new, write_readme,
};
use crate::coordinator::{self, Progress, Purpose};
use crate::database::{Connection, Target};
use crate::model::MigrationId;
use crate::project::{
    Bases, Broken, CONFIG_FILE, Config, Depth, Flaws, MANIFEST_FILE, Problems, Project,
};
use crate::runner::{Runner, finish_url};
use crate::sql::Dialect;

pub(super) const ADOPT_HELP: &str = "\
In the directory of a project that Alembic, Django, dbmate, sqlx or another tool has carried so far, with the URL of the
database that its live versions use:

  DATABASE_URL=postgres://… migrate adopt --service web

What the tool has applied there is the baseline. Each revision that it has not applied gets a migration that names it, with
questions where only people know the answer; `migrate check` asks them. Run it again when there are new revisions. It
changes no file that is there, and writes nothing to the database.

Without such a tool, after `migrate init`:

  migrate adopt --baseline

The schema as it is becomes the migration 0000_baseline, which a new database begins with. Here it is recorded as applied,
and nothing of it is run.";

#[derive(Args)]
pub(super) struct AdoptArgs {
    /// The tool, where several are found or none is
    #[arg(long, value_name = "KIND")]
    pub runner: Option<String>,
    /// Where the tool runs, relative to the project's directory, where several places are found
    #[arg(long, value_name = "DIR")]
    pub dir: Option<String>,
    /// An application that uses the database; repeat for others. `web` if migrate.toml names none
    #[arg(long, value_name = "NAME")]
    pub service: Vec<String>,
    /// Without a tool: the schema as it is becomes the first migration of new databases, recorded as applied here
    #[arg(long, conflicts_with_all = ["runner", "dir", "service"])]
    pub baseline: bool,
    /// Record the baseline although this database differs from its file: why that is meant
    #[arg(long, value_name = "TEXT", requires = "baseline")]
    pub reason: Option<String>,
}

/// A project with its tool, and what is new of it.
struct Brought {
    project: Project,
    runner: Runner,
    /// The migrate.toml that is to be written; `None` if there is one.
    config: Option<String>,
}

pub(super) async fn run(args: &AdoptArgs, global: &Global, out: &Out) -> Result<u8, Failure> {
    if args.baseline {
        return baseline::run(args.reason.as_deref(), global, out).await;
    }
    let root = Path::new(".");
    let brought = match root.join(CONFIG_FILE).exists() {
        true => again(args, global, root)?,
        false => first(args, global, root)?,
    };
    let project = &brought.project;
    let target = named_target(global, &project.config, root)?;
    let connection =
        match coordinator::connect(project, &target, Purpose::Ask, global.interrupt).await {
            Ok(connection) => Some(connection),
            Err(error) if coordinator::is_nothing_yet(&error, &target) => {
                note(&format!("note: {error}; nothing is applied there"));
                None
            }
            Err(error) => return Err(error.into()),
        };
    let adoption = looked(&brought, &target, connection, global).await?;
    let written = write(&brought, &adoption, root)?;
    tell(&brought, &adoption, &written, out);
    Ok(0)
}

async fn looked(
    brought: &Brought,
    target: &Target,
    connection: Option<Box<dyn Connection>>,
    global: &Global,
) -> Result<Adoption, Failure> {
    let url = brought.project.config.database_url.as_deref();
    let asks = brought.runner.url.as_ref().zip(url);
    let handed = asks.map(|(asks, url)| finish_url(url, target.path(), asks.scheme.as_deref()));
    let reporter = Reporter::new(global);
    let asked = Asked {
        project: &brought.project,
        runner: &brought.runner,
        database_url: handed.as_deref(),
        interrupt: global.interrupt,
        progress: &|text| reporter.show(&Progress::Runner(text.to_owned())),
    };
    let Some(mut connection) = connection else {
        return Ok(look(&asked, None).await?);
    };
    let adoption = look(&asked, Some(connection.as_mut())).await;
    connection.close().await;
    Ok(adoption?)
}

/// A project that has a migrate.toml.
fn again(args: &AdoptArgs, global: &Global, root: &Path) -> Result<Brought, Failure> {
    let given = global.database_url()?;
    let url = given.as_ref().map(|given| given.url.as_str());
    let project = Project::load_as_far_as_possible(root, url);
    settings_in_order(&project)?;
    if !project.flaws.listing.is_empty() {
        return Err(Problems(project.flaws.listing).into());
    }
    let Some(runner) = project.config.runner.clone() else {
        let dialect = named_target(global, &project.config, root)?.dialect();
        let lines = section(&found(args, root, dialect)?);
        return Err(Failure::new(format!(
            "{CONFIG_FILE} is there and names no migration tool, and no file that is there is changed"
        ))
        .help(format!(
            "add this to it, then run the same command again:\n\n{lines}"
        )));
    };
    if let Some(kind) = args.runner.as_deref().filter(|kind| *kind != runner.kind()) {
        return Err(Failure::new(format!(
            "[runner] in {CONFIG_FILE} is {}, and not {kind}",
            runner.kind()
        ))
        .help("leave out --runner, or change migrate.toml"));
    }
    if let Some(name) = args
        .service
        .iter()
        .find(|name| !project.config.services.contains_key(*name))
    {
        return Err(Failure::new(format!(
            "{CONFIG_FILE} has no service `{name}`, and no file that is there is changed"
        ))
        .help(format!(
            "add [services.{name}] to it, then run the same command again"
        )));
    }
    if project.config.services.is_empty() {
        return Err(Failure::new(format!(
            "{CONFIG_FILE} names no service that uses the database"
        ))
        .help("add [services.NAME] to it for each, then run the same command again"));
    }
    unreadable(&project.flaws)?;
    Ok(Brought {
        project,
        runner,
        config: None,
    })
}

/// What a migration names has to be known, or it would be named twice.
fn unreadable(flaws: &Flaws) -> Result<(), Failure> {
    const NAMES: [&str; 10] = [
        "toml-syntax",
        "missing-manifest",
        "unreadable-file",
        "not-utf8",
        "not-a-file",
        "unknown-revision",
        "ambiguous-revision",
        "revisions-out-of-order",
        "unreadable-revisions",
        "two-ways",
    ];
    let problems: Vec<_> = flaws
        .migrations
        .iter()
        .flat_map(|broken: &Broken| &broken.problems)
        .filter(|problem| NAMES.contains(&problem.code))
        .cloned()
        .collect();
    match problems.is_empty() {
        true => Ok(()),
        false => Err(Problems(problems).into()),
    }
}

/// A project that has none yet.
fn first(args: &AdoptArgs, global: &Global, root: &Path) -> Result<Brought, Failure> {
    let Some(given) = global.database_url()? else {
        return Err(Failure::new("no database is named").help(
            "set DATABASE_URL, --database-url-file or --database-url to the one that the live versions use: what is applied there is the \
             baseline",
        ));
    };
    let target = given.target(root)?;
    let runner = found(args, root, target.dialect())?;
    let services = match args.service.as_slice() {
        [] => vec!["web".to_owned()],
        services => services.to_vec(),
    };
    let new = NewProject {
        runner: &runner,
        dialect: target.dialect(),
        services: &services,
    };
    let text = new.text();
    let config = Config::parsed(&text)?;
    let mut config = config;
    config.database_url = Some(given.url);
    // As it will be read the next time.
    let runner = config.runner.clone().unwrap_or(runner);
    let project = Project {
        root: root.to_owned(),
        config,
        migrations: Vec::new(),
        warnings: Vec::new(),
        flaws: Flaws::default(),
        depth: Depth::Whole,
        bases: Bases::default(),
    };
    Ok(Brought {
        project,
        runner,
        config: Some(text),
    })
}

/// The one tool that is meant.
fn found(args: &AdoptArgs, root: &Path, dialect: Dialect) -> Result<Runner, Failure> {
    let dir = args
        .dir
        .as_deref()
        .map(|dir| dir.trim_start_matches("./").trim_end_matches('/'));
    let all = match dir {
        Some(dir) => places(&root.join(dir))
            .into_iter()
            .map(|place| Place {
                dir: format!("{dir}/{}", place.dir)
                    .trim_end_matches('/')
                    .to_owned(),
                ..place
            })
            .collect(),
        None => places(root),
    };
    let is_meant = |place: &&Place| args.runner.as_deref().is_none_or(|kind| kind == place.kind);
    let meant: Vec<&Place> = all.iter().filter(is_meant).collect();
    match meant.as_slice() {
        [one] => runner_of(root, one, dialect)
            .ok_or_else(|| Failure::new(format!("there is no runner of the kind {}", one.kind))),
        [] => match named(args, root, dir.unwrap_or_default()) {
            Some(place) => {
                runner_of(root, &place, dialect).ok_or_else(|| nothing_found(args, root, &all))
            }
            None => Err(nothing_found(args, root, &all)),
        },
        several => {
            let named: Vec<String> = several
                .iter()
                .map(|place| match place.dir.as_str() {
                    "" => format!("{} here", place.kind),
                    dir => format!("{} in {dir}", place.kind),
                })
                .collect();
            Err(Failure::new(format!(
                "several migration tools are found: {}",
                named.join(", ")
            ))
            .help("say which one carries the schema of this database: `migrate adopt --runner KIND --dir DIR`")
            .usage())
        }
    }
}

/// A tool that somebody names, where its revisions are although nothing else gives it away.
fn named(args: &AdoptArgs, root: &Path, dir: &str) -> Option<Place> {
    let mut runner = Runner::usual(args.runner.as_deref()?)?;
    dir.clone_into(&mut runner.dir);
    let has_revisions = runner.revisions(root).is_ok_and(|all| !all.is_empty());
    has_revisions.then(|| Place {
        dir: runner.dir.clone(),
        kind: runner.kind(),
    })
}

fn nothing_found(args: &AdoptArgs, root: &Path, all: &[Place]) -> Failure {
    if let (Some(kind), Some(other)) = (&args.runner, all.first()) {
        return Failure::new(format!(
            "no project of {kind} is found here, but one of {}",
            other.kind
        ))
        .help("name the directory in which it runs with --dir");
    }
    if let Some((tool, file)) = foreign(root) {
        return Failure::new(format!(
            "this is a project of {tool} ({file}), which is not called from here"
        ))
        .help("write a [runner] with `kind = \"command\"` and a script of your own: docs/runners/README.md");
    }
    if let Some(kind) = &args.runner {
        return Failure::new(format!("no revisions of {kind} are found here, nor in the directories below"))
            .help("name the directory in which it runs with --dir; docs/runners/README.md has the tools that can be named, and where each has its revisions");
    }
    Failure::new("no migration tool is found by the files here, nor in the directories below")
        .help("say which it is and where it runs (`migrate adopt --runner sqlx --dir server`), or name the project's directory with -C; for a tool that docs/runners/README.md does not have, write a [runner] with `kind = \"command\"`")
}

/// What was written, in the order in which it was.
struct Written {
    /// The files of the project itself.
    files: Vec<String>,
    migrations: Vec<(MigrationId, String)>,
}

fn write(brought: &Brought, adoption: &Adoption, root: &Path) -> Result<Written, Failure> {
    let shown = |path: &Path| path.strip_prefix(".").unwrap_or(path).display().to_string();
    let mut written = Written {
        files: Vec::new(),
        migrations: Vec::new(),
    };
    let base = match &brought.config {
        Some(text) => {
            let base = root.join(MIGRATIONS);
            let readme = write_readme(&base)?;
            let path = root.join(CONFIG_FILE);
            write_new(&path, text)?;
            written.files.push(shown(&path));
            written.files.extend(readme.as_deref().map(shown));
            base
        }
        None => Project::migrations_dir(root)?,
    };
    let services: Vec<String> = brought.project.config.services.keys().cloned().collect();
    let mut last = migrations_in(&base)?.last().map_or(0, MigrationId::number);
    for pending in &adoption.pending {
        last = next(last)?;
        let name = format!("{last:04}_{}", pending.slug);
        let text = migration_toml(&brought.runner, &services, pending);
        let directory = write_migration(&base, &name, &[(MANIFEST_FILE, &text)])?;
        let path = directory.join(MANIFEST_FILE);
        let id = name
            .parse()
            .map_err(|error| Failure::new(format!("{error}")))?;
        written.migrations.push((id, shown(&path)));
    }
    Ok(written)
}

fn tell(brought: &Brought, adoption: &Adoption, written: &Written, out: &Out) {
    let kind = brought.runner.kind();
    for said in &adoption.unprinted {
        note(&format!(
            "warning: what a revision does could not be printed: {said}"
        ));
    }
    if adoption.applied == 0 && !adoption.pending.is_empty() {
        note(&format!(
            "note: {kind} has applied nothing in this database. If the live versions use another one, remove what was written and \
             run this with the URL of that"
        ));
    }
    let order = out_of_order(adoption, written);
    if out.is_json() {
        let migrations: Vec<_> = adoption
            .pending
            .iter()
            .zip(&written.migrations)
            .map(|(pending, (id, path))| {
                json!({
                    "migration": id, "path": path, "revision": pending.revision.name, "kind": pending.kind.name(), "why": pending.told,
                })
            })
            .collect();
        out.json(&json!({
            "runner": { "kind": kind, "dir": brought.runner.dir, "program": brought.runner.program },
            "applied": adoption.applied,
            "named": adoption.named,
            "written": written.files,
            "migrations": migrations,
        }));
        return;
    }
    out.well(format!(
        "{kind} has applied {}: the baseline, of which nothing is run or judged",
        count(number(adoption.applied), "revision")
    ));
    for path in &written.files {
        out.well(format!("wrote {path}"));
    }
    for (pending, (_, path)) in adoption.pending.iter().zip(&written.migrations) {
        out.well(format!(
            "wrote {path}: `{}` {}",
            pending.revision.name,
            does(pending)
        ));
    }
    if written.migrations.is_empty() {
        let named = match adoption.named {
            0 => "no revision is pending".to_owned(),
            named => format!(
                "{} pending, each named by a migration",
                count(number(named), "revision")
            ),
        };
        out.well(format!("nothing new: {named}"));
    }
    out.lines(order);
    if !written.migrations.is_empty() {
        out.well("next: run `migrate check`, which asks what only you know, answer it in these files, and commit them; a pipeline then calls");
        out.well(format!(
            "      `migrate expand` and `migrate contract --unless-in-use` in place of {kind}"
        ));
    } else if brought.config.is_some() {
        out.well("next: read migrate.toml and commit it; after the next revision run this again");
    }
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn does(pending: &Pending) -> &'static str {
    match pending.kind {
        Kind::Adds => "adds something",
        Kind::Takes => "takes something away",
        Kind::Both => "adds and takes away in one, and has to be split",
        Kind::Rows => "changes rows",
        Kind::Unnoticed => "is noticed by no version",
        Kind::Unclear => "is not read here, so somebody has to say what it does",
    }
}

/// A tool that goes through its revisions in a row applies none that comes after one which waits.
fn out_of_order(adoption: &Adoption, written: &Written) -> Option<String> {
    let waits = adoption
        .pending
        .iter()
        .position(|pending| pending.kind == Kind::Takes)?;
    let (first, _) = written.migrations.get(waits)?;
    let (after, _) = written.migrations.get(waits + 1)?;
    adoption.is_in_a_row.then(|| {
        format!("{after} and what comes after it can only be applied once {first} is contracted: the tool goes through them in a row")
    })
}

impl From<AdoptError> for Failure {
    fn from(error: AdoptError) -> Self {
        match error {
            AdoptError::Said { message, help } => Self::new(message).help(help),
            AdoptError::Database(error) => error.into(),
        }
    }
}
