//! Where a password is read anew for each login, because it may change while this process runs.

#[cfg(feature = "password-command")]
mod command;

use std::path::{Path, PathBuf};

use super::DatabaseError;
use super::small::read_small;

/// Something that says the password as it is now.
///
/// ```
/// use phasegate_lease::{Lease, LeaseBuilder, PasswordSource};
///
/// fn with_a_secret(url: &str) -> LeaseBuilder {
///     let mounted = PasswordSource::File("/run/secrets/db".into());
///     Lease::builder(url, "web", "1.2.0").password(mounted)
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PasswordSource {
    /// A file that holds nothing else: a mounted secret.
    File(PathBuf),
    /// A program that prints it: of a cloud, or of a vault.
    #[cfg(feature = "password-command")]
    Command {
        /// The program and its arguments.
        run: Vec<String>,
        /// Where it runs.
        directory: PathBuf,
    },
}

impl PasswordSource {
    /// The password as it is now.
    ///
    /// # Errors
    /// Where there is none to be had. Neither what the file holds nor what the program has printed is in the message.
    #[allow(
        clippy::unused_async,
        reason = "a program is waited for, where there is one"
    )]
    pub(super) async fn read(&self) -> Result<String, DatabaseError> {
        match self {
            Self::File(file) => read_file(file),
            #[cfg(feature = "password-command")]
            Self::Command { run, directory } => command::read(run, directory).await,
        }
    }
}

fn no_password(why: String) -> DatabaseError {
    DatabaseError::no_password(format!("there is no password to log in with: {why}"))
}

fn read_file(file: &Path) -> Result<String, DatabaseError> {
    let wrong = |why: &str| no_password(format!("{} {why}", told(file)));
    let text = read_small(file).map_err(|error| wrong(&format!("cannot be read: {error}")))?;
    one_line(&text).map_err(wrong)
}

/// The file, but for a bare name of one that is not there: where its path belongs, somebody may have put the password.
fn told(file: &Path) -> String {
    let is_bare = file.components().count() == 1;
    if is_bare && !file.exists() {
        "the file that DATABASE_PASSWORD_FILE or the password's source names (not shown: it may be the password itself)".to_owned()
    } else {
        format!("the file `{}`", file.display())
    }
}

/// What is printed or written, without the end of its line. What else is at its ends may belong to it.
fn one_line(text: &str) -> Result<String, &'static str> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err("is empty");
    }
    if text.contains(['\n', '\r', '\0']) {
        return Err("has several lines");
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(source: &PasswordSource) -> Result<String, String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let password = runtime.block_on(source.read());
        password.map_err(|error| error.to_string())
    }

    #[test]
    fn a_file_is_read_anew() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("password");
        let source = PasswordSource::File(file.clone());
        assert!(read(&source).unwrap_err().contains("cannot be read"));
        let slip = read(&PasswordSource::File("s3cret-in-place-of-a-path".into()));
        let slip = slip.unwrap_err();
        assert!(
            slip.contains("cannot be read") && !slip.contains("s3cret"),
            "{slip}"
        );
        for (text, password) in [
            ("one\n", "one"),
            (" tw o \r\n", " tw o "),
            ("three", "three"),
        ] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(read(&source).as_deref(), Ok(password));
        }
        for (text, why) in [
            ("", "is empty"),
            ("\n", "is empty"),
            ("s3cret\nb\n", "several lines"),
        ] {
            std::fs::write(&file, text).unwrap();
            let error = read(&source).unwrap_err();
            assert!(error.contains(why) && !error.contains("s3cret"), "{error}");
        }
    }
}
