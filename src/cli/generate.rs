//! `migrate generate`: the scripts that follow from a declared change.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use clap::Args;
use serde_json::json;

use super::args::Global;
use super::context::Context;
use super::failure::Failure;
use super::out::{Out, note};
use crate::coordinator;
use crate::database::Connection;
use crate::ledger::{Ledger, LedgerError};
use crate::model::{MigrationId, Phase};
use crate::project::{DeclaredChange, Rewriting, UnknownMigration};

#[derive(Args)]
pub(super) struct GenerateArgs {
    /// The migration, by number or name; every one that has a `[change]` if none is named
    pub id: Option<String>,
    /// Write those as well that follow already and that another build of `migrate` wrote, as this one would; never what is
    /// applied in the database, where one is named
    #[arg(long)]
    pub anew: bool,
}

pub(super) async fn run(args: &GenerateArgs, global: &Global, out: &Out) -> Result<u8, Failure> {
    let root = Path::new(".");
    let given = global.database_url()?;
    let rewriting = match args.anew {
        true => Rewriting::Everything,
        false => Rewriting::WhatDiffers,
    };
    let url = given.as_ref().map(|given| given.url.as_str());
    let all = DeclaredChange::all(root, url, rewriting)?;
    let mut changes = Vec::new();
    let mut is_found = false;
    let ids: Vec<_> = all.iter().map(|(id, _)| id.clone()).collect();
    for (id, change) in all {
        if args
            .id
            .as_deref()
            .is_none_or(|wanted| id.is_meant_by(wanted))
        {
            is_found = true;
            // Before any is written.
            changes.push(change?);
        }
    }
    if let (Some(wanted), false) = (&args.id, is_found) {
        return Err(no_change(wanted, &ids));
    }
    let mut kept = Vec::new();
    if changes.iter().any(|change| change.changes_scripts) {
        let applied = applied(global, out).await;
        let is_kept =
            |change: &DeclaredChange| change.changes_scripts && applied.contains(&change.id);
        kept = changes
            .iter()
            .filter(|change| is_kept(change))
            .map(|change| change.id.clone())
            .collect();
        changes.retain(|change| !kept.contains(&change.id));
    }
    if let (Some(_), [one]) = (&args.id, kept.as_slice()) {
        let help = match args.anew {
            true => "nothing was written: what is applied stays as it is",
            false => {
                "nothing was written: put `[change]` back as it was, and declare what is to change now in a migration of its own, with \
                 `migrate new NAME`; before the contract there is also `migrate revert`, after which it may be changed"
            }
        };
        let failure = Failure::new(format!(
            "{one} is applied in this database, and its scripts would become others"
        ));
        return Err(failure.help(help).refused());
    }
    let mut done = Done::default();
    for change in &changes {
        write(root, change, &mut done)?;
    }
    let Done {
        written,
        removed,
        own,
        of_another_build,
        unchanged,
    } = done;
    if out.is_json() {
        out.json(
            &json!({ "written": written, "removed": removed, "own": own, "of_another_build": of_another_build, "unchanged": unchanged, "applied": kept }),
        );
        return Ok(0);
    }
    written
        .iter()
        .for_each(|path| out.well(format!("wrote {path}")));
    removed
        .iter()
        .for_each(|path| out.well(format!("removed {path}")));
    for path in &own {
        out.line(format!(
            "left {path} as it is: without the first line of a generated script it is your own"
        ));
    }
    for path in &of_another_build {
        out.line(format!("left {path} as another build of migrate wrote it"));
    }
    if !of_another_build.is_empty() {
        out.line(
            "`migrate generate --anew` writes as this build would what is applied nowhere yet",
        );
    }
    for id in &kept {
        out.line(format!(
            "left {id} as it is: it is applied in this database, and its scripts would become others"
        ));
    }
    if changes.is_empty() && kept.is_empty() {
        out.well("no migration has a `[change]`: nothing to generate");
    } else if written.is_empty()
        && removed.is_empty()
        && (unchanged > 0 || of_another_build.is_empty() && kept.is_empty())
    {
        out.well(format!(
            "{unchanged} scripts are as they follow from `[change]`"
        ));
    } else if !written.is_empty() || !removed.is_empty() {
        out.well("next: read them, run `migrate check`, and commit them with migration.toml");
    }
    Ok(0)
}

/// What the database has applied of these files; nothing where none is named, or it cannot be asked.
async fn applied(global: &Global, out: &Out) -> Vec<MigrationId> {
    let Ok(context) = Context::load(global, out) else {
        return Vec::new();
    };
    // They are why it is run.
    out.drop_flaws();
    let asked = match context.reader().await {
        Ok(mut connection) => {
            let asked = states(connection.as_mut()).await;
            connection.close().await;
            asked
        }
        Err(error) if coordinator::is_nothing_yet(&error, &context.target) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    };
    asked.unwrap_or_else(|error| {
        note(&format!(
            "note: the database could not be asked what is applied, so that nothing was kept: {error}"
        ));
        Vec::new()
    })
}

async fn states(connection: &mut dyn Connection) -> Result<Vec<MigrationId>, LedgerError> {
    let Some(mut ledger) = Ledger::read(connection).await? else {
        return Ok(Vec::new());
    };
    let view = ledger.view().await?;
    ledger.rollback().await?;
    let applied = view.applied.iter().map(|applied| &applied.state);
    let applied = applied.filter(|state| state.phase != Phase::Pending);
    Ok(applied.map(|state| state.id().clone()).collect())
}

/// What became of scripts.
#[derive(Default)]
struct Done {
    written: Vec<String>,
    removed: Vec<String>,
    own: Vec<String>,
    of_another_build: Vec<String>,
    unchanged: usize,
}

fn write(root: &Path, change: &DeclaredChange, done: &mut Done) -> Result<(), Failure> {
    let shown = |name: &str| change.dir.join(name).display().to_string();
    for (name, text) in &change.written {
        write_whole(&root.join(&change.dir).join(name), text)?;
        done.written.push(shown(name));
    }
    for name in &change.surplus {
        let path = root.join(&change.dir).join(name);
        fs::remove_file(&path).map_err(|error| {
            Failure::new(format!("{} cannot be removed: {error}", path.display()))
                .help("remove it by hand: nothing in `[change]` leads to it any more")
        })?;
        done.removed.push(shown(name));
    }
    done.own.extend(change.own.iter().map(|name| shown(name)));
    let others = change.of_another_build.iter();
    done.of_another_build.extend(others.map(|name| shown(name)));
    done.unchanged += change.unchanged;
    Ok(())
}

/// The scripts of a migration that has just been declared.
pub(super) fn write_one(root: &Path, url: Option<&str>, id: &str) -> Result<Vec<String>, Failure> {
    let mut done = Done::default();
    for (found, change) in DeclaredChange::all(root, url, Rewriting::WhatDiffers)? {
        if found.as_str() == id {
            write(root, &change?, &mut done)?;
        }
    }
    Ok(done.written)
}

fn no_change(wanted: &str, ids: &[crate::model::MigrationId]) -> Failure {
    if ids.is_empty() {
        return Failure::new("no migration has a `[change]` from which scripts could follow")
            .help("declare one in its migration.toml: docs/change.md shows each kind");
    }
    let near = UnknownMigration::among(wanted, ids).near;
    Failure::new(format!("no migration `{wanted}` has a `[change]`"))
        .help(format!("those that have one: {}", near.join(", ")))
}

/// A file that is there as it was or as it is to be, and never in part.
fn write_whole(path: &Path, text: &str) -> Result<(), Failure> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = Path::new(&beside);
    // What an interrupted run has left, or somebody has put there: a link is not followed.
    let _ = fs::remove_file(beside);
    let written = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(beside)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .and_then(|()| fs::rename(beside, path));
    written.map_err(|error| {
        let _ = fs::remove_file(beside);
        Failure::new(format!("{} cannot be written: {error}", path.display()))
            .help("make the directory writable; what was there is as it was")
    })
}
