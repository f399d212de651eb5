//! What was tried of the crash matrix. The tests run beside each other and in any order, so each leaves its number in a
//! file, and `tests/run.sh` prints them as one table when all have passed.

use std::fs;
use std::path::Path;

/// What is done to a run, as the table calls it.
pub const KILLED: &str = "migrate killed with -9";
pub const CUT: &str = "connection cut";
pub const CRASHED: &str = "server crashed";
pub const FULL: &str = "disk full";

/// So many points were tried, and each ended where an undisturbed run does.
pub fn all_equal(fault: &str, step: &str, database: &str, points: usize) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("crash-matrix");
    let name = format!("{fault} {step} {database}").replace(' ', "-");
    let written = fs::create_dir_all(&folder).and_then(|()| {
        fs::write(
            folder.join(name),
            format!("{fault}\t{step}\t{database}\t{points}\n"),
        )
    });
    written.expect("a place for the table");
}
