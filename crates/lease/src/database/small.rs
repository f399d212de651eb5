//! Files of a few lines: a URL, a password, a token, a certificate.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// In bytes: far more than any of them has.
const LARGEST: u64 = 1 << 20;

/// How long whoever writes into a pipe may take for all of it.
fn patience() -> Duration {
    crate::crash::limit("PHASEGATE_PIPE_SECONDS", Duration::from_secs(10))
}

/// The text of a small file that is read again and again, as what is at a server may change.
///
/// # Errors
/// It cannot be read, is no UTF-8, or goes on for more than a mebibyte. A pipe is refused: whoever waits for somebody to write
/// into it waits for ever, and it tells what it holds to the first who reads it.
pub fn read_small(path: &Path) -> io::Result<String> {
    in_words(bytes_of_small(path)?)
}

/// The same for what need not be text in all of its lines.
pub(super) fn bytes_of_small(path: &Path) -> io::Result<Vec<u8>> {
    if is_stream(path)? {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is no regular file: what it holds is read anew each time, which a pipe or a device does not give. Write it into a file",
        ));
    }
    all_of(path)
}

/// The text of a small file that is read once; of a pipe too, as `<(…)` of a shell is one.
///
/// # Errors
/// As of [`read_small`], and where nobody writes the whole of it within ten seconds.
pub fn read_small_once(path: &Path) -> io::Result<String> {
    if !is_stream(path)? {
        return in_words(all_of(path)?);
    }
    let (done, is_done) = mpsc::channel();
    let of_thread = path.to_owned();
    // Who waits at a pipe cannot be called back. The thread is left to it, and ends with the process.
    thread::Builder::new()
        .name("pipe".to_owned())
        .spawn(move || done.send(all_of(&of_thread)))?;
    let patience = patience();
    let read = is_done.recv_timeout(patience).unwrap_or_else(|_| {
        Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!(
                "it is no regular file, and nobody has written the whole of it within {} s",
                patience.as_secs()
            ),
        ))
    });
    in_words(read?)
}

fn is_stream(path: &Path) -> io::Result<bool> {
    let kind = fs::metadata(path)?.file_type();
    // A directory says for itself what it is.
    Ok(!kind.is_file() && !kind.is_dir())
}

fn all_of(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(LARGEST + 1)
        .read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > LARGEST) {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            "it has more than 1 MiB",
        ));
    }
    Ok(bytes)
}

fn in_words(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is no UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_ends_is_not_read_whole() {
        let error = read_small_once(Path::new("/dev/zero")).unwrap_err();
        assert_eq!(error.to_string(), "it has more than 1 MiB");
        let error = read_small(Path::new("/dev/zero")).unwrap_err();
        assert!(error.to_string().starts_with("it is no regular file"));
        for nothing in ["/nonexistent", "/"] {
            assert!(read_small(Path::new(nothing)).is_err());
            assert!(read_small_once(Path::new(nothing)).is_err());
        }
    }
}
