//! A directory of our own for one call: a view of the project with fewer files, for tools that have no target.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Gone with whoever holds it.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// A new directory in which there is nothing.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn empty() -> io::Result<Self> {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("phasegate-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        // One that is there is not ours, or of a process that is gone and had our number.
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path)?;
        Ok(Self(path))
    }

    /// A new directory with copies of these files.
    ///
    /// # Errors
    /// It cannot be made, or a file not be read.
    pub fn with(files: &[&Path]) -> io::Result<Self> {
        let made = Self::empty()?;
        for file in files {
            if let Some(name) = file.file_name() {
                std::fs::copy(file, made.0.join(name))?;
            }
        }
        Ok(made)
    }

    /// Writes a file, and the directories that it is in.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, place: &str, text: &str) -> io::Result<()> {
        let path = self.0.join(place);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(path, text)
    }

    /// Lets everything of a directory be found here as well, but what stands at this place in it: that is for a file of our own.
    ///
    /// # Errors
    /// It cannot be read, or linked to.
    pub fn beside(&self, directory: &Path, place: &str) -> io::Result<()> {
        let (mut theirs, mut ours) = (directory.to_owned(), self.0.clone());
        for part in place.split('/') {
            std::fs::create_dir_all(&ours)?;
            for entry in std::fs::read_dir(&theirs)? {
                let name = entry?.file_name();
                if name != part {
                    std::os::unix::fs::symlink(theirs.join(&name), ours.join(&name))?;
                }
            }
            theirs.push(part);
            ours.push(part);
        }
        Ok(())
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
