//! A program at work with all that it starts in its process group, which ends with this program, however that ends.

use std::io::Write as _;
use std::os::fd::BorrowedFd;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;

use super::signal_group;

/// Learns which group it is, and kills it once this program is gone. A line says that all is well: by then the group's number may be
/// somebody else's.
const GUARD: &str = "read group && [ \"$group\" ] && { read _ || kill -s KILL -- \"-$group\"; }";

/// The process group of a program that is to be started. Dropped, what is in it goes on by itself.
///
/// The kernel would end a program whose parent is gone, and not what that has started. So a guard is there first, and the program says
/// its own number before it begins: there is no moment at which it runs and nobody watches.
pub struct Group {
    guard: Option<Child>,
    leader: Option<u32>,
}

impl Group {
    /// A group for this command, which it will lead.
    pub fn for_command(command: &mut Command) -> Self {
        let guard = Command::new("/bin/sh")
            .args(["-c", GUARD, "phasegate-guard"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn();
        if let Err(error) = &guard {
            tracing::debug!("nothing ends what is started if this process is killed: {error}");
        }
        let group = Self {
            guard: guard.ok(),
            leader: None,
        };
        command.process_group(0);
        let input = group.guard.as_ref().and_then(|guard| guard.stdin.as_ref());
        if let Some(input) = input.map(std::os::fd::AsRawFd::as_raw_fd) {
            let tell = move || {
                // SAFETY: the group has the pipe, and lives until the program has started.
                #[allow(unsafe_code, reason = "a closure of this kind cannot borrow")]
                let input = unsafe { BorrowedFd::borrow_raw(input) };
                let mut text = [0; DIGITS + 1];
                let pid = rustix::process::getpid().as_raw_nonzero().get();
                let line = decimal(pid.unsigned_abs(), &mut text);
                rustix::io::write(input, line)?;
                Ok(())
            };
            // SAFETY: between fork and exec it makes two system calls and neither allocates nor locks.
            #[allow(unsafe_code, reason = "there is no safe way to do this in a child")]
            unsafe {
                command.pre_exec(tell);
            }
        }
        group
    }

    /// The program has started.
    pub fn is_led_by(&mut self, program: Option<u32>) {
        self.leader = program;
    }

    /// Sends a signal to all of it.
    pub fn signal(&self, signal: Signal) {
        if let Some(leader) = self.leader {
            signal_group(leader, signal);
        }
    }

    /// Kills what is left of it.
    pub fn end(self) {
        self.signal(Signal::KILL);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(mut child) = self.guard.take() {
            if let Some(mut input) = child.stdin.take() {
                let _ = input.write_all(b"\n");
            }
            let _ = child.wait();
        }
    }
}

/// As many digits as a number of 32 bits has.
const DIGITS: usize = 10;

/// A number and the end of its line, made without memory of its own.
fn decimal(mut number: u32, text: &mut [u8; DIGITS + 1]) -> &[u8] {
    let mut from = DIGITS;
    if let Some(last) = text.last_mut() {
        *last = b'\n';
    }
    loop {
        from -= 1;
        let digit = u8::try_from(number % 10).unwrap_or(0);
        if let Some(place) = text.get_mut(from) {
            *place = b'0' + digit;
        }
        number /= 10;
        if number == 0 || from == 0 {
            return text.get(from..).unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_out() {
        for number in [0, 7, 10, 4_194_304, u32::MAX] {
            let mut text = [0; DIGITS + 1];
            let expected = format!("{number}\n");
            assert_eq!(decimal(number, &mut text), expected.as_bytes());
        }
    }
}
