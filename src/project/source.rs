//! The text of one file, and the problems found in it.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::problem::{Problem, shown};
use super::this::Tags;

/// Bytes of one file: far more than any script that somebody wrote, and read before it is taken apart.
const LARGEST: u64 = 64 << 20;
/// Lines of one file: more than any editor or review gets through.
const MOST_LINES: usize = 1_000_000;

const TOO_LARGE: &str = "move the data out of it: load them by other means, or split the migration";

/// A file's text as the project sees it, whatever system it was checked out on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRef {
    /// Relative to the project's root, with `/`.
    pub path: PathBuf,
    /// Without a byte order mark and with LF at the end of each line.
    pub text: Arc<str>,
    /// Of `text`, in hexadecimal.
    pub sha256: String,
}

/// A file that has been read, and what is wrong in it.
#[derive(Debug)]
pub(super) struct Source {
    pub file: FileRef,
    shown: PathBuf,
    found: RefCell<Vec<Problem>>,
    /// The tags that have this file, where it speaks of them.
    pub tags: Option<Tags>,
}

impl Source {
    /// Reads `relative` (with `/`) under `root`; `None` where there is no such file.
    pub fn read(root: &Path, relative: &str) -> Result<Option<Self>, Problem> {
        let shown = shown(root, relative);
        let path = root.join(relative);
        let metadata = match fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                return match fs::symlink_metadata(&path) {
                    Ok(_) => Err(dangling(&shown)),
                    Err(_) => Ok(None),
                };
            }
            Err(error) => return Err(unreadable(&shown, &error)),
        };
        // Opening a pipe would wait for ever.
        if !metadata.is_file() {
            return Err(not_a_file(&shown, &metadata));
        }
        let file = File::open(&path).map_err(|error| unreadable(&shown, &error))?;
        Self::read_open(relative, shown, (file, &metadata)).map(Some)
    }

    /// Reads what is open already, and was not waited for.
    pub fn read_open(
        relative: &str,
        shown: PathBuf,
        (file, metadata): (File, &Metadata),
    ) -> Result<Self, Problem> {
        if !metadata.is_file() {
            return Err(not_a_file(&shown, metadata));
        }
        if metadata.len() > LARGEST {
            return Err(Problem::about(
                &shown,
                "too-large",
                format!(
                    "this file has {} MiB, and {} MiB are the most that is read",
                    metadata.len() >> 20,
                    LARGEST >> 20
                ),
                TOO_LARGE,
            ));
        }
        let size = usize::try_from(metadata.len()).unwrap_or(0);
        let bytes = all_of(file, size).map_err(|error| unreadable(&shown, &error))?;
        let text = String::from_utf8(bytes).map_err(|error| not_utf8(&shown, &error))?;
        // As many lines take as many bytes.
        if text.len() > MOST_LINES && text.lines().nth(MOST_LINES).is_some() {
            return Err(Problem::about(
                &shown,
                "too-large",
                format!(
                    "this file has {} lines, and {MOST_LINES} are the most that are read",
                    text.lines().count()
                ),
                TOO_LARGE,
            ));
        }
        Ok(Self::new(relative, shown, &text))
    }

    pub fn new(relative: &str, shown: PathBuf, text: &str) -> Self {
        let text = normalised(text);
        Self {
            file: FileRef {
                path: PathBuf::from(relative),
                sha256: sha256(&text),
                text: Arc::from(text),
            },
            shown,
            found: RefCell::default(),
            tags: None,
        }
    }

    /// The same file to be read once more, by somebody who asks for no problems.
    pub fn again(&self) -> Self {
        Self {
            file: self.file.clone(),
            shown: self.shown.clone(),
            found: RefCell::default(),
            tags: self.tags.clone(),
        }
    }

    pub fn text(&self) -> &str {
        &self.file.text
    }

    pub fn error(
        &self,
        code: &'static str,
        span: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let problem = Problem::about(&self.shown, code, message, help).at(&self.file.text, span);
        self.found.borrow_mut().push(problem);
    }

    pub fn warning(
        &self,
        code: &'static str,
        span: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let problem = Problem::about(&self.shown, code, message, help).at(&self.file.text, span);
        self.found.borrow_mut().push(problem.into_warning());
    }

    /// Whether nothing was found that would make further conclusions doubtful.
    pub fn is_sound(&self) -> bool {
        self.errors() == 0
    }

    /// How many errors were found so far.
    pub fn errors(&self) -> usize {
        let found = self.found.borrow();
        found.iter().filter(|problem| problem.is_error()).count()
    }

    /// The problems in the order of the file.
    pub fn into_parts(self) -> (FileRef, Vec<Problem>) {
        let mut problems = self.found.into_inner();
        problems.sort_by_key(|problem| problem.span.start);
        (self.file, problems)
    }
}

/// All that is in a file, which had so many bytes when it was opened.
fn all_of(mut file: File, size: usize) -> io::Result<Vec<u8>> {
    // One more than there was: where that is not filled, this is the end, and nobody has to ask once more.
    let mut bytes = vec![0; size.saturating_add(1)];
    let read = match file.read(&mut bytes) {
        Ok(read) => read,
        Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
        Err(error) => return Err(error),
    };
    bytes.truncate(read);
    if read == 0 || read != size {
        file.read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

fn unreadable(shown: &Path, error: &io::Error) -> Problem {
    Problem::about(
        shown,
        "unreadable-file",
        format!("this file cannot be read: {error}"),
        "make it readable for the user who runs `migrate`",
    )
}

fn not_a_file(shown: &Path, metadata: &Metadata) -> Problem {
    let what = if metadata.is_dir() {
        "a directory"
    } else {
        "not a regular file"
    };
    Problem::about(
        shown,
        "not-a-file",
        format!("this is {what}, where a file is expected"),
        "put a text file in its place",
    )
}

fn dangling(shown: &Path) -> Problem {
    Problem::about(
        shown,
        "dangling-link",
        "this symbolic link leads nowhere",
        "let it point to a file that exists, or remove it",
    )
}

fn not_utf8(shown: &Path, error: &std::string::FromUtf8Error) -> Problem {
    let bytes = error.as_bytes();
    let encoding = match bytes {
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => " (it looks like UTF-16)",
        _ => "",
    };
    let before = bytes
        .get(..error.utf8_error().valid_up_to())
        .unwrap_or_default();
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    Problem::about(
        shown,
        "not-utf8",
        format!("line {line} is not UTF-8{encoding}"),
        "save the file as UTF-8",
    )
}

/// A checkout on another system must not count as an edit.
fn normalised(text: &str) -> Cow<'_, str> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.contains('\r') {
        text.replace("\r\n", "\n").into()
    } else {
        text.into()
    }
}

/// In hexadecimal.
pub(super) fn sha256(text: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digest = Sha256::digest(text.as_bytes());
    let halves = digest.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    let mut text = String::with_capacity(digest.len() * 2);
    text.extend(halves.map(|half| char::from(DIGITS[usize::from(half)])));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_systems_checkout_is_the_same_file() {
        let read = |text: &str| Source::new("a.sql", "a.sql".into(), text).file;
        let unix = read("SELECT 1;\nSELECT 2;\n");
        assert_eq!(unix, read("\u{feff}SELECT 1;\r\nSELECT 2;\r\n"));
        assert_ne!(unix, read("SELECT 1;\nSELECT 2;"));
        assert_eq!(
            read("").sha256,
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }

    #[test]
    fn what_is_not_a_text_file_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir(root.join("dir.sql")).unwrap();
        fs::write(root.join("latin.sql"), b"a\nb\n\xe9").unwrap();
        fs::write(root.join("wide.sql"), b"\xff\xfeS\0").unwrap();
        fs::write(root.join("good.sql"), "x").unwrap();
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("nowhere", root.join("link.sql")).unwrap();
            std::os::unix::fs::symlink("good.sql", root.join("fine.sql")).unwrap();
            assert!(Source::read(root, "fine.sql").unwrap().is_some());
            let problem = Source::read(root, "link.sql").unwrap_err();
            assert_eq!(problem.code, "dangling-link");
        }
        // It takes no room on the disk.
        let large = fs::File::create(root.join("large.sql")).unwrap();
        large.set_len(LARGEST + 1).unwrap();
        fs::write(root.join("lines.sql"), "\n".repeat(MOST_LINES + 1)).unwrap();
        fs::write(root.join("all.sql"), "\n".repeat(MOST_LINES)).unwrap();
        assert!(Source::read(root, "all.sql").unwrap().is_some());
        for (file, code, message) in [
            ("lines.sql", "too-large", "1000001 lines"),
            ("large.sql", "too-large", "64 MiB"),
            ("dir.sql", "not-a-file", "a directory"),
            ("latin.sql", "not-utf8", "line 3"),
            ("wide.sql", "not-utf8", "UTF-16"),
        ] {
            let problem = Source::read(root, file).unwrap_err();
            assert_eq!(problem.code, code);
            assert!(problem.message.contains(message), "{}", problem.message);
        }
        assert!(Source::read(root, "none.sql").unwrap().is_none());
    }
}
