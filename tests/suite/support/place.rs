//! Where the databases of the tests lie.

use std::path::{Path, PathBuf};

/// What a run of all tests has needed at one moment, several times over.
const ENOUGH: u64 = 3 << 30;

/// A directory for databases: in memory, where this machine has room there, because every commit, every new file and every
/// file that goes away would otherwise wait for the disk. A container often has a few megabytes of it alone.
///
/// It proves the same. What a process has written is there after that process was killed, on a disk as in memory; what a
/// machine without power leaves behind is not under test.
pub fn place() -> PathBuf {
    let memory = Path::new("/dev/shm");
    let has_room = rustix::fs::statvfs(memory)
        .is_ok_and(|found| found.f_bavail.saturating_mul(found.f_frsize) >= ENOUGH);
    if has_room && tempfile::tempfile_in(memory).is_ok() {
        memory.to_owned()
    } else {
        std::env::temp_dir()
    }
}
