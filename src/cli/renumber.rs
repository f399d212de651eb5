//! `migrate renumber`: two branches have taken one number, or one of them is merged below what is applied.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::args::Global;
use super::context::Context;
use super::failure::Failure;
use super::numbering::{migrations_in, next};
use super::out::Out;
use crate::ledger::Ledger;
use crate::model::MigrationId;
use crate::project::Project;

#[derive(Args)]
pub(super) struct RenumberArgs {
    /// The migration: its whole name, or its number where no other has it
    pub id: String,
    /// This number in place of the next free one
    #[arg(long, value_name = "NUMBER")]
    pub to: Option<u64>,
    /// Do not ask the database: nobody has applied it
    #[arg(long)]
    pub offline: bool,
}

pub(super) async fn run(args: &RenumberArgs, global: &Global, out: &Out) -> Result<u8, Failure> {
    let root = Path::new(".");
    let base = Project::migrations_dir(root)?;
    let all = migrations_in(&base)?;
    let id = meant(&args.id, &all)?;
    let applied = if args.offline {
        Vec::new()
    } else {
        applied(global, out).await?
    };
    if applied.contains(id) {
        return Err(Failure::new(format!(
            "{id} is applied in this database, which knows it by this name"
        ))
        .help("leave it as it is, and renumber the one that is not applied")
        .refused());
    }
    let number = match args.to {
        Some(number) => free(number, id, &all, &applied)?,
        None => {
            let others = all.iter().filter(|other| *other != id).chain(&applied);
            next(others.map(MigrationId::number).max().unwrap_or(0))?
        }
    };
    let (digits, name) = id.as_str().split_once('_').unwrap_or_default();
    let width = digits.len();
    let renamed = format!("{number:0width$}_{name}");
    if renamed == id.as_str() {
        return Err(Failure::new(format!(
            "{id} has the next free number already: there is nothing to renumber"
        ))
        .help("leave it as it is, or choose another number with --to"));
    }
    let (from, to) = (base.join(id.as_str()), base.join(&renamed));
    // Before it is renamed, so that its own files are named as they are known.
    let named = elsewhere(root, id.as_str());
    if to.exists() {
        return Err(Failure::new(format!("{} is there already", to.display()))
            .help("choose another number with --to"));
    }
    fs::rename(&from, &to).map_err(|error| {
        Failure::new(format!("{} cannot be renamed: {error}", from.display()))
            .help("nothing was changed")
    })?;
    if out.is_json() {
        let named: Vec<_> = named
            .iter()
            .map(|(path, line)| json!({ "path": path, "line": line }))
            .collect();
        out.json(&json!({ "renumbered": { "from": id, "to": renamed, "named_by": named } }));
        return Ok(0);
    }
    out.well(format!("{id} is {renamed} now; its files are as they were"));
    for (path, line) in named.iter().take(SHOWN) {
        out.line(format!("  {}:{line} still names {id}", path.display()));
    }
    if named.len() > SHOWN {
        out.line(format!("  and {} more places", named.len() - SHOWN));
    }
    out.well("next: `migrate check`, and commit the new name together with the old one's removal");
    Ok(0)
}

/// How many places that still name it are listed.
const SHOWN: usize = 20;

fn meant<'a>(wanted: &str, all: &'a [MigrationId]) -> Result<&'a MigrationId, Failure> {
    let wanted = wanted.trim_end_matches('/');
    let wanted = wanted.rsplit('/').next().unwrap_or(wanted);
    if let Some(id) = all.iter().find(|id| id.as_str() == wanted) {
        return Ok(id);
    }
    let meant: Vec<&MigrationId> = all.iter().filter(|id| id.is_meant_by(wanted)).collect();
    match meant.as_slice() {
        [id] => Ok(id),
        [] => Err(Failure::new(format!("there is no migration `{wanted}`"))
            .help("give the name of its directory")
            .usage()),
        several => {
            let names: Vec<&str> = several.iter().map(|id| id.as_str()).collect();
            Err(Failure::new(format!(
                "`{wanted}` could be {}",
                names.join(" or ")
            ))
            .help("give its whole name; the one that is applied nowhere is the one to renumber")
            .usage())
        }
    }
}

/// A number that somebody asks for.
fn free(
    number: u64,
    id: &MigrationId,
    all: &[MigrationId],
    applied: &[MigrationId],
) -> Result<u64, Failure> {
    let mut taken = all.iter().filter(|other| *other != id).chain(applied);
    match taken.find(|other| other.number() == number) {
        Some(other) => Err(Failure::new(format!("{other} has the number {number}"))
            .help("leave --to out: the next free number is found")
            .refused()),
        None if i64::try_from(number).is_err() => {
            Err(Failure::new(format!("{number} is too large for a migration")).usage())
        }
        None => Ok(number),
    }
}

/// What the database has applied; nothing where the project names none.
async fn applied(global: &Global, out: &Out) -> Result<Vec<MigrationId>, Failure> {
    const OFFLINE: &str = "name the database, so that it can be asked whether it has applied it; or add --offline where nobody has";
    let context = Context::load_to_act(global, out).map_err(|failure| failure.help(OFFLINE))?;
    // Two of one number are why it is run.
    out.drop_flaws();
    let connected = context.connect().await;
    let connected = connected.map_err(|failure| failure.help(OFFLINE))?;
    let Some(mut connection) = connected else {
        return Ok(Vec::new());
    };
    let view = match Ledger::read(connection.as_mut()).await? {
        Some(mut ledger) => {
            let view = ledger.view().await?;
            ledger.rollback().await?;
            Some(view)
        }
        None => None,
    };
    connection.close().await;
    let applied = view.into_iter().flat_map(|view| view.applied);
    Ok(applied.map(|applied| applied.state.id().clone()).collect())
}

/// Where else in the project a name stands: a path and the number of the line.
fn elsewhere(root: &Path, name: &str) -> Vec<(PathBuf, usize)> {
    /// More is no project of migrations.
    const MOST_FILES: usize = 20_000;
    const LARGEST: u64 = 1_000_000;
    let mut found = Vec::new();
    let mut left = vec![root.to_owned()];
    let mut files = 0;
    while let Some(directory) = left.pop() {
        let Ok(entries) = fs::read_dir(&directory) else {
            continue;
        };
        let mut entries: Vec<_> = entries.flatten().collect();
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let own = entry.file_name();
            let own = own.to_string_lossy();
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            if kind.is_dir() {
                if !own.starts_with('.') && !["target", "node_modules"].contains(&&*own) {
                    left.push(entry.path());
                }
                continue;
            }
            files += 1;
            let is_small = entry.metadata().is_ok_and(|file| file.len() <= LARGEST);
            if files > MOST_FILES || !kind.is_file() || !is_small {
                continue;
            }
            let Ok(text) = fs::read_to_string(entry.path()) else {
                continue;
            };
            let path = entry.path();
            let path = path.strip_prefix(root).unwrap_or(&path);
            let lines = (1..).zip(text.lines());
            let naming = lines.filter(|(_, line)| line.contains(name));
            found.extend(naming.map(|(line, _)| (path.to_owned(), line)));
        }
    }
    found.sort();
    found
}
