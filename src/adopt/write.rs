//! Writing what is new, and nothing over what is there.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use super::AdoptError;

/// Where the migrations of a project are that was brought in: its own root is full of other things.
pub const MIGRATIONS: &str = "phasegate";

const README: &str = "\
# Migrations, in phases

Each directory names revisions of the project's migration tool, and says which versions of the application use what they add or
take away. `migrate check` asks for what is not said yet, `migrate status` shows how far each one is. A new revision gets its
directory by `migrate adopt`.
";

/// Writes a file that must not exist yet, whole or not at all.
///
/// # Errors
/// It exists, or cannot be written.
pub fn write_new(path: &Path, text: &str) -> Result<(), AdoptError> {
    made_whole(path, text).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => AdoptError::said(
            format!("{} exists already, and was left as it is", path.display()),
            "run the same command again: it goes on from what is there",
        ),
        _ => unwritten(path, &error),
    })
}

/// Writes a file that must not exist yet. Where the disk is full, an empty one would stay.
///
/// # Errors
/// It exists, or cannot be written.
pub fn made_whole(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    let written = file.write_all(text.as_bytes());
    if written.is_err() {
        let _ = fs::remove_file(path);
    }
    written
}

/// Makes the directory of the migrations, with what it is for; a version control that keeps no empty directory keeps it so.
///
/// # Errors
/// It cannot be written.
pub fn write_readme(base: &Path) -> Result<Option<PathBuf>, AdoptError> {
    fs::create_dir_all(base).map_err(|error| unwritten(base, &error))?;
    let path = base.join("README.md");
    if path.exists() {
        return Ok(None);
    }
    write_new(&path, README)?;
    Ok(Some(path))
}

/// Writes a migration's directory with these files, whole or not at all.
///
/// # Errors
/// It exists, or cannot be written.
pub fn write_migration(
    base: &Path,
    name: &str,
    files: &[(&str, &str)],
) -> Result<PathBuf, AdoptError> {
    let directory = base.join(name);
    if directory.exists() {
        return Err(AdoptError::said(
            format!(
                "{} exists already, and was left as it is",
                directory.display()
            ),
            "run the same command again: it goes on from what is there",
        ));
    }
    // Its name begins with a dot, so that nobody takes it for a migration.
    let beside = base.join(format!(".{name}.new"));
    let made = || -> io::Result<()> {
        // What an interrupted run has left.
        let _ = fs::remove_dir_all(&beside);
        fs::create_dir(&beside)?;
        for (file, text) in files {
            fs::write(beside.join(file), text)?;
        }
        crate::crash::point("adopt.writing");
        fs::rename(&beside, &directory)
    };
    made().map_err(|error| {
        let _ = fs::remove_dir_all(&beside);
        unwritten(&directory, &error)
    })?;
    Ok(directory)
}

/// Adds a file to a migration's directory, whole or not at all.
///
/// # Errors
/// It cannot be written.
pub fn add_file(directory: &Path, file: &str, text: &str) -> Result<PathBuf, AdoptError> {
    let (path, beside) = (directory.join(file), directory.join(format!(".{file}.new")));
    let made = || -> io::Result<()> {
        fs::write(&beside, text)?;
        fs::rename(&beside, &path)
    };
    made().map_err(|error| {
        let _ = fs::remove_file(&beside);
        unwritten(&path, &error)
    })?;
    Ok(path)
}

fn unwritten(path: &Path, error: &io::Error) -> AdoptError {
    AdoptError::said(
        format!("{} cannot be written: {error}", path.display()),
        "nothing of it is left: make the directory writable, or make room on its disk, and run the same command again: it goes on from what is there",
    )
}
