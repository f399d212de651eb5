//! Headers, and where their values are kept.

use std::fmt;
use std::io;
use std::path::Path;

use tokio::fs::File;
use tokio::io::AsyncReadExt as _;

use crate::row::{Place, Row};
use crate::text::secret;

/// In bytes: far more than any of them has.
const LONGEST: u64 = 1 << 20;

/// Where the value of a header is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Secret {
    Plain(String),
    Env { name: String, before: &'static str },
    File { path: String, before: &'static str },
}

impl Secret {
    /// The value, as it is now: files change.
    pub async fn value(&self) -> Result<String, String> {
        let (before, value) = match self {
            Self::Plain(value) => return Ok(value.clone()),
            Self::Env { name, before } => {
                let value = std::env::var(name);
                (before, value.map_err(|_| format!("{self} is not set"))?)
            }
            Self::File { path, before } => {
                let value = text_of(Path::new(path)).await;
                (before, value.map_err(|error| format!("{self}: {error}"))?)
            }
        };
        let value = value.trim();
        if value.is_empty() {
            return Err(format!("{self} is empty"));
        }
        secret::remember(value, &[]);
        Ok(format!("{before}{value}"))
    }
}

/// A file of a few lines; what never ends is not read whole, and nobody is waited for at a pipe.
async fn text_of(path: &Path) -> io::Result<String> {
    let kind = tokio::fs::metadata(path).await?.file_type();
    if !kind.is_file() && !kind.is_dir() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is no regular file",
        ));
    }
    let mut text = String::new();
    let file = File::open(path).await?;
    file.take(LONGEST + 1).read_to_string(&mut text).await?;
    if u64::try_from(text.len()).is_ok_and(|length| length > LONGEST) {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            "it has more than 1 MiB",
        ));
    }
    Ok(text)
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(_) => f.write_str("the value of a header"),
            Self::Env { name, .. } => write!(f, "the environment variable `{name}`"),
            Self::File { path, .. } => write!(f, "the file `{path}`"),
        }
    }
}

/// The keys `headers`, `token_env` and `token_file` of a row.
pub(super) fn read(row: &mut dyn Row) -> Vec<(String, Secret)> {
    const EXAMPLE: &str = "headers = { X-Nomad-Token = { env = \"NOMAD_TOKEN\" } }";
    let mut headers = Vec::new();
    row.named("headers", &mut |name, row| {
        let env = row.text("env", "env = \"NOMAD_TOKEN\"");
        let file = row.text("file", "file = \"/run/secrets/nomad\"");
        let value = row.text("value", "value = \"application/json\"");
        let secret = match (env, file, value) {
            (Some(name), None, None) => Secret::Env { name, before: "" },
            (None, Some(path), None) => Secret::File { path, before: "" },
            (None, None, Some(value)) => Secret::Plain(value),
            _ => {
                let message = format!("the header `{name}` has to have one value");
                let help = format!("write for example `{EXAMPLE}`, or `file`, or `value`");
                row.refuse(Place::Row, "bad-header", message, help);
                return;
            }
        };
        if http::HeaderName::try_from(name).is_err() {
            let message = format!("`{name}` is no name of a header");
            let help = format!("write for example `{EXAMPLE}`");
            row.refuse(Place::Row, "bad-header", message, help);
            return;
        }
        headers.push((name.to_owned(), secret));
    });
    let before = "Bearer ";
    let env = row.text("token_env", "token_env = \"CONSUL_HTTP_TOKEN\"");
    let file = row.text("token_file", "token_file = \"/run/secrets/token\"");
    let token = match (env, file) {
        (Some(name), None) => Some(Secret::Env { name, before }),
        (None, Some(path)) => Some(Secret::File { path, before }),
        (None, None) => None,
        (Some(_), Some(_)) => {
            let message = "there are two tokens".to_owned();
            let help = "keep one of `token_env` and `token_file`".to_owned();
            row.refuse(Place::Key("token_file"), "two-tokens", message, help);
            None
        }
    };
    headers.extend(token.map(|token| ("Authorization".to_owned(), token)));
    headers
}
