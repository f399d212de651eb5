//! Which version an instance is: what it is told, what a file of its image says, what its environment says.
//!
//! Who starts an instance can name another version than the one whose code is in the image. The image cannot: so its
//! word is taken where it has one, and whoever says something else is contradicted.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::Args;

use super::failure::Failure;
use super::gate::placed;
use crate::database::read_small_once;
use crate::model::Version;
use crate::project::Config;

/// More than any name of a version takes: a longer file is another file.
const LONGEST: u64 = 4096;

#[derive(Args)]
#[group(required = true, multiple = true)]
pub(super) struct VersionArgs {
    /// The version that is to start
    #[arg(long = "version", value_name = "VERSION")]
    label: Option<String>,
    /// A file of the image that holds the version and nothing else. Beside --version, both have to name the same one
    #[arg(long = "version-file", value_name = "PATH")]
    file: Option<PathBuf>,
    /// The name of an environment variable that holds the version. Beside the others, all have to name the same one
    #[arg(long = "version-env", value_name = "NAME")]
    env: Option<String>,
}

/// Who names a version.
enum Origin<'a> {
    Told(&'a str),
    File(&'a Path),
    Env(&'a str),
}

impl fmt::Display for Origin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Told(_) => f.write_str("--version"),
            Self::File(path) => write!(f, "the file {}", path.display()),
            Self::Env(name) => write!(f, "the environment variable {name}"),
        }
    }
}

impl Origin<'_> {
    /// How to give it a version to name.
    fn remedy(&self) -> String {
        match self {
            Self::Told(_) => "give --version a version, such as 1.2.0".to_owned(),
            Self::File(path) => format!(
                "write the version, and nothing else, into {} where the image is built, or name another file with \
                 --version-file",
                path.display()
            ),
            Self::Env(name) => format!(
                "set {name} to the version where the image is built (`ENV` in a Dockerfile), or name another variable \
                 with --version-env: it takes a variable's name, and not the version itself"
            ),
        }
    }

    /// The text that it holds.
    fn text(&self) -> Result<String, String> {
        match self {
            Self::Told(label) => Ok((*label).to_owned()),
            Self::File(path) => {
                read_small_once(path).map_err(|error| format!("it cannot be read: {error}"))
            }
            Self::Env(name) => match std::env::var(name) {
                Ok(text) => Ok(text),
                Err(std::env::VarError::NotPresent) => Err("it is not set".to_owned()),
                Err(std::env::VarError::NotUnicode(_)) => Err("it is no text".to_owned()),
            },
        }
    }

    /// The version that it names.
    fn label(&self, service: &str) -> Result<String, Failure> {
        let found = self
            .text()
            .and_then(|text| Ok(only_line(&text)?.to_owned()));
        found.map_err(|why| {
            Failure::new(format!(
                "which version of {service} this is cannot be told: {self} is to name it, and {why}"
            ))
            .help(self.remedy())
            .unknown()
        })
    }
}

impl VersionArgs {
    /// The version, and the name by which it is known: the one that was told, else the image's.
    ///
    /// Invariant: where several are given, all of them name this version.
    pub(super) fn placed(
        &self,
        config: &Config,
        service: &str,
    ) -> Result<(String, Version), Failure> {
        let origins = [
            self.label.as_deref().map(Origin::Told),
            self.file.as_deref().map(Origin::File),
            self.env.as_deref().map(Origin::Env),
        ];
        let mut found: Option<(Origin<'_>, String, Version)> = None;
        for origin in origins.into_iter().flatten() {
            let label = origin.label(service)?;
            let version = placed(config, service, &label)
                .map_err(|failure| failure.at(&origin.to_string()))?;
            match &found {
                None => found = Some((origin, label, version)),
                Some((_, _, first)) if *first == version => {}
                Some((first, known, _)) => {
                    return Err(contradicted(service, (first, known), (&origin, &label)));
                }
            }
        }
        match found {
            Some((_, label, version)) => Ok((label, version)),
            // The arguments are a group of which one has to be there.
            None => Err(Failure::new(format!("no version of {service} is given"))
                .help("give --version, --version-file or --version-env")
                .usage()),
        }
    }
}

fn contradicted(
    service: &str,
    (one, label): (&Origin<'_>, &str),
    (other, another): (&Origin<'_>, &str),
) -> Failure {
    Failure::new(format!(
        "{service} may not start (refuse): {one} says that this is {label}, and {other} that it is {another}"
    ))
    .help(
        "one of them is not what runs here, and which one is not guessed: start an image with its own version \
         (`kubectl set image` changes the image and no label), or build the image anew if it is the image that is wrong",
    )
    .refused()
}

/// The one line of this text that is not empty.
fn only_line(text: &str) -> Result<&str, String> {
    if u64::try_from(text.len()).is_ok_and(|length| length > LONGEST) {
        return Err("it is too long for a version".into());
    }
    // Editors of Windows put a mark before the text.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    match (lines.next(), lines.count()) {
        (None, _) => Err("it is empty".into()),
        (Some(line), 0) => Ok(line),
        (Some(_), more) => Err(format!(
            "it has {} lines where one version is to stand",
            more + 1
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_is_a_version_whatever_is_around_it() {
        for text in [
            "1.1.0",
            "1.1.0\n",
            "1.1.0\r\n",
            "\n  1.1.0  \n\n",
            "\u{feff}1.1.0\n",
        ] {
            assert_eq!(only_line(text), Ok("1.1.0"), "{text:?}");
        }
    }

    #[test]
    fn what_is_not_one_line_is_told() {
        for (text, why) in [
            ("", "empty"),
            (" \n\t\n", "empty"),
            ("1.1.0\n1.1.0\n", "2 lines"),
            ("# version\n1.1.0\n", "2 lines"),
            (&"1".repeat(5000), "too long"),
        ] {
            let error = only_line(text).expect_err(text);
            assert!(error.contains(why), "{text:?}: {error}");
        }
    }
}
