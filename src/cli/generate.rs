//! `migrate generate`: the scripts that follow from a declared change.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use clap::Args;
use serde_json::json;

use super::args::Global;
use super::failure::Failure;
use super::out::Out;
use crate::project::{DeclaredChange, UnknownMigration};

#[derive(Args)]
pub(super) struct GenerateArgs {
    /// The migration, by number or name; every one that has a `[change]` if none is named
    pub id: Option<String>,
}

pub(super) fn run(args: &GenerateArgs, global: &Global, out: &Out) -> Result<u8, Failure> {
    let root = Path::new(".");
    let given = global.database_url()?;
    let all = DeclaredChange::all(root, given.as_ref().map(|given| given.url.as_str()))?;
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
    let mut done = Done::default();
    for change in &changes {
        write(root, change, &mut done)?;
    }
    let Done {
        written,
        removed,
        own,
        unchanged,
    } = done;
    if out.is_json() {
        out.json(
            &json!({ "written": written, "removed": removed, "own": own, "unchanged": unchanged }),
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
    if changes.is_empty() {
        out.well("no migration has a `[change]`: nothing to generate");
    } else if written.is_empty() && removed.is_empty() {
        out.well(format!(
            "{unchanged} scripts are as they follow from `[change]`"
        ));
    } else {
        out.well("next: read them, run `migrate check`, and commit them with migration.toml");
    }
    Ok(0)
}

/// What became of scripts.
#[derive(Default)]
struct Done {
    written: Vec<String>,
    removed: Vec<String>,
    own: Vec<String>,
    unchanged: usize,
}

fn write(root: &Path, change: &DeclaredChange, done: &mut Done) -> Result<(), Failure> {
    let shown = |name: &str| change.dir.join(name).display().to_string();
    for (name, text) in &change.files {
        let path = root.join(&change.dir).join(name);
        if fs::read_to_string(&path).is_ok_and(|there| there == *text) {
            done.unchanged += 1;
            continue;
        }
        write_whole(&path, text)?;
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
    Ok(())
}

/// The scripts of a migration that has just been declared.
pub(super) fn write_one(root: &Path, url: Option<&str>, id: &str) -> Result<Vec<String>, Failure> {
    let mut done = Done::default();
    for (found, change) in DeclaredChange::all(root, url)? {
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
