//! What a rehearsal that was killed has left, and how another one knows that nobody is at work there.
//!
//! A rehearsal holds a lock for as long as it lasts, which ends with its process whatever becomes of that: a lock of the
//! server, or one on a file of the directory. It is taken before anything is made. So what bears a name of ours and has no
//! lock that somebody holds was left.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::Duration;

use super::PREFIX;
use crate::database::{Access, Connection, DatabaseError, LockTimeout};
use crate::rehearse::RehearseError;
use crate::rehearse::tongue::Tongue;
use crate::rehearse::world::texts;

/// The lock of a rehearsal that is at work.
pub(super) enum Held {
    Session(Box<dyn Connection>),
    Directory(#[expect(dead_code, reason = "held until it is closed")] File),
}

impl Held {
    pub async fn release(self) {
        if let Self::Session(connection) = self {
            connection.close().await;
        }
    }
}

const DIGITS: usize = 8;

/// Whether a name is that of a rehearsal: the prefix and its digits.
fn is_ours(name: &str) -> bool {
    name.strip_prefix(PREFIX).is_some_and(|digits| {
        let is_digit = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        digits.len() == DIGITS && digits.chars().all(is_digit)
    })
}

/// Whether a name is that of a scratch database: the rehearsal, and a number.
fn is_database_of_ours(name: &str) -> bool {
    name.rsplit_once('_').is_some_and(|(rehearsal, number)| {
        is_ours(rehearsal) && !number.is_empty() && number.chars().all(|c| c.is_ascii_digit())
    })
}

/// Takes the lock of this rehearsal, and drops what killed ones have left on the server.
pub(super) async fn hold(
    mut connection: Box<dyn Connection>,
    tongue: &Tongue,
    name: &str,
) -> Result<Held, RehearseError> {
    let digits = name.strip_prefix(PREFIX).unwrap_or(name);
    let taken = ask(connection.as_mut(), &(tongue.hold)(digits)).await?;
    if taken.first().is_none_or(|taken| taken != "1") {
        connection.close().await;
        return Err(RehearseError::cannot(
            format!("somebody else holds the lock `{name}` on the server"),
            "run it again: it takes another name",
        ));
    }
    // Whatever goes wrong with what others have left is no reason not to go on.
    if let Err(error) = drop_left(connection.as_mut(), tongue).await {
        tracing::warn!("what killed rehearsals may have left was not looked for: {error}");
    }
    Ok(Held::Session(connection))
}

async fn ask(connection: &mut dyn Connection, query: &str) -> Result<Vec<String>, DatabaseError> {
    connection.begin(Access::Read).await?;
    let found = connection.query(query, &[]).await;
    let ended = connection.rollback().await;
    let found = found?;
    ended?;
    Ok(found
        .into_iter()
        .filter_map(|row| texts(row).into_iter().next())
        .collect())
}

async fn drop_left(connection: &mut dyn Connection, tongue: &Tongue) -> Result<(), DatabaseError> {
    for name in ask(connection, tongue.left).await? {
        if !is_database_of_ours(&name) {
            continue;
        }
        let drop = (tongue.drop)(&name);
        match connection
            .run_own(&drop, LockTimeout(Duration::from_secs(10)))
            .await
        {
            Ok(()) => tracing::info!("dropped {name}, which a killed rehearsal has left"),
            // Somebody has come to use it, or another rehearsal was faster.
            Err(error) => {
                tracing::info!("{name}, which a killed rehearsal has left, stays: {error}")
            }
        }
    }
    Ok(())
}

const LOCK: &str = "lock";

/// Locks a directory of ours: nobody sees the file before it is locked.
pub(super) fn hold_directory(directory: &Path) -> io::Result<Held> {
    let new = directory.join("lock.new");
    let file = File::create_new(&new)?;
    file.lock()?;
    fs::rename(&new, directory.join(LOCK))?;
    Ok(Held::Directory(file))
}

/// Removes directories that killed rehearsals of this user have left.
pub(super) fn remove_directories(parent: &Path) {
    use std::os::unix::fs::MetadataExt as _;
    let own = rustix::process::geteuid().as_raw();
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let is_named = entry.file_name().to_str().is_some_and(is_ours);
        // Of the entry itself: a link is none of ours.
        let is_own = entry
            .metadata()
            .is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == own);
        if !is_named || !is_own {
            continue;
        }
        let path = entry.path();
        let is_left = File::open(path.join(LOCK)).is_ok_and(|lock| lock.try_lock().is_ok());
        if is_left && let Err(error) = fs::remove_dir_all(&path) {
            tracing::warn!("{} could not be removed: {error}", path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_names_are_ours() {
        for (name, is_one) in [
            ("phasegate_rehearsal_0a1b2c3d_0", true),
            ("phasegate_rehearsal_0a1b2c3d_17", true),
            ("phasegate_rehearsal_0a1b2c3d_", false),
            ("phasegate_rehearsal_0a1b2c3d", false),
            ("phasegate_rehearsal_0A1b2c3d_0", false),
            ("phasegate_rehearsal_0a1b2c3_0", false),
            ("phasegate_rehearsal_0a1b2c3d_0_copy", false),
            ("phasegate_rehearsal_results_0", false),
            ("my_phasegate_rehearsal_0a1b2c3d_0", false),
        ] {
            assert_eq!(is_database_of_ours(name), is_one, "{name}");
        }
    }

    #[test]
    fn a_directory_that_nobody_works_in_goes() {
        let parent = tempfile::tempdir().expect("a directory");
        let make = |name: &str| {
            let path = parent.path().join(name);
            fs::create_dir(&path).expect("a directory");
            path
        };
        let at_work = make("phasegate_rehearsal_00000001");
        let held = hold_directory(&at_work).expect("a lock");
        let left = make("phasegate_rehearsal_00000002");
        drop(hold_directory(&left).expect("a lock"));
        let begun = make("phasegate_rehearsal_00000003");
        let other = make("phasegate_rehearsal_results");
        drop(hold_directory(&other).expect("a lock"));
        remove_directories(parent.path());
        assert!(at_work.exists() && begun.exists() && other.exists());
        assert!(!left.exists());
        drop(held);
        remove_directories(parent.path());
        assert!(!at_work.exists());
    }
}
