//! How long each test took, which the harness of a stable toolchain does not say: `tests/run.sh` prints the slowest.
//!
//! A test runs in a thread of its own that has the test's name. What it calls first begins its time, and the end of the
//! thread ends it.

use std::cell::RefCell;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

struct Test {
    name: String,
    began: Instant,
}

thread_local! {
    static TEST: RefCell<Option<Test>> = const { RefCell::new(None) };
}

/// Begins the time of this thread's test, unless it has begun.
pub fn begins() {
    TEST.with_borrow_mut(|test| {
        let current = std::thread::current();
        // A thread that a test has started has no such name, and neither has the only one of `--test-threads=1`.
        if let Some(name) = current.name().filter(|name| name.contains("::")) {
            test.get_or_insert_with(|| Test {
                name: name.to_owned(),
                began: Instant::now(),
            });
        }
    });
}

impl Drop for Test {
    fn drop(&mut self) {
        let line = format!("{:.3}\t{}\n", self.began.elapsed().as_secs_f64(), self.name);
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        // One write, to the end of the file: lines of tests that end together do not mix. A list without one of them is no
        // reason to fail.
        let _ = fs::create_dir_all(folder).and_then(|()| {
            OpenOptions::new()
                .create(true)
                .append(true)
                .open(folder.join("took"))?
                .write_all(line.as_bytes())
        });
    }
}
