//! Who has the file locked, as far as the system tells: Linux lists the locks on files with their processes.

use std::path::Path;

use crate::database::holders::naming;
use crate::database::{Asks, DatabaseError, ErrorKind, LockHolder, Target};

/// What a lock on the bytes of a file keeps others from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Keeps {
    /// Somebody writes, or is about to.
    Writing,
    /// Somebody reads, and has not ended: what was written cannot be committed.
    Reading,
}

/// The processes that have the file of this database locked; writers alone where there are any. Nobody where the system does
/// not tell, or it is no file. The file itself is not opened: to close it would give up the locks that this process has on it.
#[must_use]
pub fn holders_of_file(target: &Target) -> Vec<LockHolder> {
    target.path().map(holders).unwrap_or_default()
}

#[cfg(not(target_os = "linux"))]
fn holders(_path: &Path) -> Vec<LockHolder> {
    Vec::new()
}

#[cfg(target_os = "linux")]
fn holders(path: &Path) -> Vec<LockHolder> {
    use std::os::linux::fs::MetadataExt as _;
    let number = |path: &Path| std::fs::metadata(path).ok().map(|file| file.st_ino());
    let mut shared = path.as_os_str().to_owned();
    shared.push("-shm");
    let files = [
        (number(path), File::Database),
        (number(Path::new(&shared)), File::Index),
    ];
    let Ok(listed) = std::fs::read_to_string("/proc/locks") else {
        return Vec::new();
    };
    let mut found: Vec<(Keeps, u32)> = listed
        .lines()
        .filter_map(Lock::read)
        .filter(|lock| lock.process != std::process::id())
        .filter_map(|lock| {
            let (_, file) = files
                .iter()
                .find(|(number, _)| *number == Some(lock.file))?;
            Some((lock.keeps(*file)?, lock.process))
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    let strongest = found.first().map(|(keeps, _)| *keeps);
    found.retain(|(keeps, _)| Some(*keeps) == strongest);
    found
        .into_iter()
        .map(|(keeps, process)| {
            let name = std::fs::read_to_string(format!("/proc/{process}/comm"));
            let name =
                name.map_or_else(|_| String::new(), |name| format!(" ({})", name.trim_end()));
            let does = match keeps {
                Keeps::Writing => "which has the file locked for writing",
                Keeps::Reading => "which reads and has not ended",
            };
            LockHolder {
                id: process.into(),
                description: format!("process {process}{name}, {does}"),
                end: Some(format!("kill {process}")),
            }
        })
        .collect()
}

/// Says who is in the way of a question; whoever acts is told while he waits.
pub(super) fn named(mut error: DatabaseError, target: &Target, asks: Asks) -> DatabaseError {
    if asks == Asks::Yes && error.kind == ErrorKind::Locked {
        let holders = holders_of_file(target);
        if !holders.is_empty() {
            return naming(error, &holders);
        }
        error.message = format!(
            "{}; it is held by another process, which the system does not show",
            error.message
        );
    }
    error
}

/// Which of the two files a lock is on.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    not(target_os = "linux"),
    allow(dead_code, reason = "nobody looks there")
)]
enum File {
    Database,
    /// With a write-ahead log, the index of it has the locks.
    Index,
}

/// A line of `/proc/locks`.
#[derive(Debug, PartialEq, Eq)]
struct Lock {
    writes: bool,
    process: u32,
    file: u64,
    first: u64,
}

impl Lock {
    #[cfg_attr(
        not(target_os = "linux"),
        allow(dead_code, reason = "nobody looks there")
    )]
    fn read(line: &str) -> Option<Self> {
        // Who only waits stands below with an arrow.
        let mut fields = line.split_ascii_whitespace().skip(1);
        if fields.next()? != "POSIX" {
            return None;
        }
        let writes = fields.nth(1)? == "WRITE";
        let process = fields.next()?.parse().ok()?;
        let file = fields.next()?.rsplit(':').next()?.parse().ok()?;
        let first = fields.next()?.parse().ok()?;
        Some(Self {
            writes,
            process,
            file,
            first,
        })
    }

    /// By the bytes that SQLite locks: <https://www.sqlite.org/lockingv3.html> and <https://www.sqlite.org/walformat.html>.
    #[cfg_attr(
        not(target_os = "linux"),
        allow(dead_code, reason = "nobody looks there")
    )]
    const fn keeps(&self, file: File) -> Option<Keeps> {
        const PENDING: u64 = 0x4000_0000;
        const INDEX_WRITE: u64 = 120;
        const INDEX_RECOVER: u64 = 122;
        match file {
            File::Database if self.first < PENDING => None,
            File::Database if self.writes => Some(Keeps::Writing),
            File::Database => Some(Keeps::Reading),
            File::Index
                if self.writes && self.first >= INDEX_WRITE && self.first <= INDEX_RECOVER =>
            {
                Some(Keeps::Writing)
            }
            File::Index => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_are_read_as_the_system_lists_them() {
        let line = "2: POSIX  ADVISORY  WRITE 4711 08:01:123456 1073741825 1073741825";
        let lock = Lock::read(line).unwrap();
        assert_eq!((lock.process, lock.file), (4711, 123_456));
        assert_eq!(lock.keeps(File::Database), Some(Keeps::Writing));
        let line = "3: POSIX  ADVISORY  READ 4711 08:01:123456 1073741826 1073742335";
        assert_eq!(
            Lock::read(line).unwrap().keeps(File::Database),
            Some(Keeps::Reading)
        );
        let line = "4: POSIX  ADVISORY  WRITE 4711 08:01:9 120 120";
        assert_eq!(
            Lock::read(line).unwrap().keeps(File::Index),
            Some(Keeps::Writing)
        );
        for other in [
            "1: FLOCK  ADVISORY  WRITE 4711 08:01:123456 0 EOF",
            "1: -> POSIX  ADVISORY  WRITE 4711 08:01:123456 1073741825 1073741825",
            "1: POSIX  ADVISORY  WRITE -1 08:01:123456 1073741825 1073741825",
            "",
        ] {
            assert_eq!(Lock::read(other), None, "{other}");
        }
    }
}
