//! Files of a few lines: a URL, a password, a token, a certificate.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// In bytes: far more than any of them has.
const LARGEST: u64 = 1 << 20;

/// The text of a small file; of a pipe too, as `<(…)` of a shell is one.
///
/// # Errors
/// It cannot be read, is no UTF-8, or goes on for more than a mebibyte: what never ends is never read whole.
pub fn read_small(path: &Path) -> io::Result<String> {
    String::from_utf8(bytes_of_small(path)?)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is no UTF-8"))
}

/// The same for what need not be text in all of its lines.
pub(super) fn bytes_of_small(path: &Path) -> io::Result<Vec<u8>> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_ends_is_not_read_whole() {
        let error = read_small(Path::new("/dev/zero")).unwrap_err();
        assert_eq!(error.to_string(), "it has more than 1 MiB");
        assert!(read_small(Path::new("/nonexistent")).is_err());
    }
}
