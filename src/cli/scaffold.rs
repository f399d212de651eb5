//! `migrate init` and `migrate new`: files to start from, with comments that teach.

use std::io::ErrorKind;
use std::path::{Component, Path};

use clap::Args;
use serde_json::json;

use super::args::Global;
use super::declare::{self, BesideArgs, WishArgs};
use super::failure::Failure;
use super::generate;
use super::numbering::{migrations_in, next};
use super::out::Out;
use super::schema;
use crate::adopt::{made_whole, write_migration};
use crate::database::Target;
use crate::model::MigrationId;
use crate::project::{CONFIG_FILE, MANIFEST_FILE, Project, Schema};

#[derive(Args)]
pub(super) struct NewArgs {
    /// What it does, in a few words: split_full_name
    pub name: String,
    #[command(flatten)]
    pub wish: WishArgs,
    #[command(flatten)]
    pub beside: BesideArgs,
}

const CONFIG: &str = include_str!("templates/migrate.toml");
const MANIFEST: &str = include_str!("templates/migration.toml");
const EXPAND: &str = include_str!("templates/expand.sql");
const BACKFILL: &str = include_str!("templates/backfill.sql");
const REVERT: &str = include_str!("templates/revert.sql");
const CONTRACT: &str = include_str!("templates/contract.sql");

/// The line of the template that names a database.
const URL: &str = "url = \"sqlite://app.db\"\n";

pub(super) fn init(global: &Global, out: &Out) -> Result<u8, Failure> {
    let text = match global.database_url()? {
        // The URL itself stays where it is: it may hold a password.
        Some(given) => {
            let dialect = Target::parse(&given.url, Path::new("."))?.dialect();
            let named = format!(
                "# What names the database is given from outside, as DATABASE_URL is.\ndialects = [\"{}\"]\n",
                dialect.name()
            );
            CONFIG.replace(URL, &named)
        }
        None => CONFIG.to_owned(),
    };
    let root = Path::new(".");
    if root.join(CONFIG_FILE).exists() {
        return Err(exists(Path::new(CONFIG_FILE)));
    }
    let schemas = schema::write(root)?;
    let directive = schema::directive(root, Schema::Config, 0);
    write_new(Path::new(CONFIG_FILE), &format!("{directive}{text}"))?;
    if out.is_json() {
        let written: Vec<String> = [CONFIG_FILE.to_owned()]
            .into_iter()
            .chain(schemas)
            .collect();
        out.json(&json!({ "written": written }));
    } else {
        out.well(format!(
            "wrote {CONFIG_FILE}: name your database and services there"
        ));
        out.well(format!(
            "wrote {}: by them editors complete and check the files; commit them",
            schemas.join(" and ")
        ));
        out.well("next: `migrate new NAME` writes the first migration, `migrate check` says what is wrong with it, and");
        out.well("      `migrate expand` applies it");
    }
    Ok(0)
}

pub(super) async fn new(args: &NewArgs, global: &Global, out: &Out) -> Result<u8, Failure> {
    let name = directory_name(&args.name)?;
    let wish = args.wish.wish()?;
    let root = Path::new(".");
    // A project whose last migration is unfinished can still get another one.
    if !root.join(CONFIG_FILE).exists() {
        let given = global.database_url()?;
        Project::load(root, given.as_ref().map(|given| given.url.as_str()))?;
    }
    let base = Project::migrations_dir(root)?;
    let last = migrations_in(&base)?.last().map_or(0, MigrationId::number);
    let number = next(last)?;
    let id = format!("{number:04}_{name}");
    let directory = base.join(&id);
    let declared = match &wish {
        Some(wish) => {
            let number = format!("{number:04}");
            Some(declare::declared(wish, &args.beside, &number, global, out).await?)
        }
        None => None,
    };
    let shown = directory
        .strip_prefix(".")
        .unwrap_or(&directory)
        .display()
        .to_string();
    // A file lies as deep as its directory has names.
    let names = directory.components();
    let depth = names
        .filter(|part| matches!(part, Component::Normal(_)))
        .count();
    let directive = schema::directive(root, Schema::Manifest, depth);
    let mut written = Vec::new();
    if let Some(declared) = declared {
        let manifest = format!("{directive}{}", declared.manifest);
        write_migration(&base, &id, &[(MANIFEST_FILE, &manifest)])?;
        written.push(format!("{shown}/{MANIFEST_FILE}"));
        let given = global.database_url()?;
        let url = given.as_ref().map(|given| given.url.as_str());
        let scripts = generate::write_one(root, url, &id).inspect_err(|_| {
            // Half of a migration would keep every gate from answering.
            let _ = std::fs::remove_dir_all(&directory);
        });
        written.extend(scripts?);
        told(&written, &shown, declared.open.as_deref(), out);
        return Ok(0);
    }
    let description = name.replace('_', " ");
    let manifest = MANIFEST.replace("{description}", &description);
    let manifest = format!("{directive}{manifest}");
    let files = [
        (MANIFEST_FILE, manifest.as_str()),
        ("expand.sql", EXPAND),
        ("backfill.sql", BACKFILL),
        ("contract.sql", CONTRACT),
        ("revert.sql", REVERT),
    ];
    write_migration(&base, &id, &files)?;
    written.extend(files.iter().map(|(file, _)| format!("{shown}/{file}")));
    if out.is_json() {
        out.json(&json!({ "written": written }));
    } else {
        written
            .iter()
            .for_each(|path| out.well(format!("wrote {path}")));
        out.well("next: fill them in, delete those you do not need, and run `migrate check`");
    }
    Ok(0)
}

/// What was written of a declared change, and what is left to say.
fn told(written: &[String], directory: &str, open: Option<&str>, out: &Out) {
    if out.is_json() {
        out.json(&json!({ "written": written, "open": open.map(|service| json!({ "versions_of": service })) }));
        return;
    }
    written
        .iter()
        .for_each(|path| out.well(format!("wrote {path}")));
    if let Some(service) = open {
        out.well(format!(
            "next: say in {directory}/migration.toml which versions of {service} use what, and run `migrate check`"
        ));
    } else {
        out.well("next: read them, run `migrate check`, and `migrate rehearse` where a server is there for it");
    }
}

fn directory_name(wanted: &str) -> Result<String, Failure> {
    let name: String = wanted
        .trim()
        .chars()
        .map(|c| {
            if c.is_whitespace() || c == '-' {
                '_'
            } else {
                c
            }
        })
        .collect::<String>()
        .to_lowercase();
    let is_good = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    if is_good {
        Ok(name)
    } else {
        Err(Failure::new(format!("`{wanted}` cannot name a migration"))
            .help("use letters, digits and `_`: split_full_name")
            .usage())
    }
}

/// Writes a file that must not exist yet.
fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    made_whole(path, text).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => exists(path),
        _ => Failure::new(format!("{} cannot be written: {error}", path.display())).help(
            "make the directory writable, or make room on its disk, and run the same command again",
        ),
    })
}

fn exists(path: &Path) -> Failure {
    Failure::new(format!(
        "{} exists already, and was left as it is",
        path.display()
    ))
    .help("edit it, or move it away first")
}
