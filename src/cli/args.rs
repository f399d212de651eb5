//! The arguments that several commands share. Those of one alone are beside it.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::duration::duration;
use crate::interrupt::Interrupt;
use crate::project::Alias;

/// The heading of what every command takes: below a command's own options.
const EVERYWHERE: &str = "Options of every command";

#[derive(Args)]
pub(super) struct Global {
    /// Work as if started in DIR, which holds migrate.toml
    #[arg(short = 'C', long, value_name = "DIR", global = true, help_heading = EVERYWHERE)]
    pub project: Option<PathBuf>,
    /// The database. Everybody on this machine can read it in the list of processes: a URL with a
    /// password belongs in a file or in the environment
    #[arg(
        long,
        value_name = "URL",
        global = true,
        help_heading = EVERYWHERE,
        conflicts_with = "database_url_file"
    )]
    pub(super) database_url: Option<String>,
    /// A file that holds the database's URL and nothing else; read anew for each connection.
    /// After these options come DATABASE_URL, DATABASE_URL_FILE, and [database] url in migrate.toml
    #[arg(long, value_name = "FILE", global = true, help_heading = EVERYWHERE)]
    pub(super) database_url_file: Option<PathBuf>,
    /// Another name of a version: web:a1b2c3d=1.2.0, beside those in migrate.toml; repeat for others. It holds for this command
    /// alone: what others are to know belongs into migrate.toml or its `aliases_file`
    #[arg(long, value_name = "SERVICE:NAME=VERSION", global = true, help_heading = EVERYWHERE)]
    pub alias: Vec<Alias>,
    /// How results are printed
    #[arg(long, value_name = "FORMAT", global = true, help_heading = EVERYWHERE, default_value = "text")]
    pub output: Format,
    /// Say more on standard error; repeat for yet more. RUST_LOG wins
    #[arg(short, long, global = true, help_heading = EVERYWHERE, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Say nothing on standard error but errors, and nothing of what went well
    #[arg(short, long, global = true, help_heading = EVERYWHERE, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Show the whole statements of those who hold a lock, and not only of what kind they are: they
    /// may hold what is nobody's business
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    pub show_statements: bool,
    /// What stops the command; no argument.
    #[arg(skip)]
    pub interrupt: Interrupt,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Text,
    Json,
    /// A diagram; only of a plan
    Mermaid,
    /// Annotations of GitHub Actions; only of `check`, as are all that follow but `markdown`
    Github,
    /// A report of code quality for GitLab
    Gitlab,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// A comment for a pull request; of `check`, `plan` and `gate`
    Markdown,
    /// JUnit's XML
    Junit,
}

/// Where a plan is to end, and what may be on the way.
#[derive(Args)]
pub(super) struct GoalArgs {
    /// The version that a service is to end at: web=1.2.0; repeat for others
    #[arg(long, value_name = "SERVICE=VERSION")]
    pub to: Vec<ServiceVersion>,
    /// A release that may be rolled out on the way, beside `releases` in migrate.toml
    #[arg(long, value_name = "SERVICE=VERSION")]
    pub via: Vec<ServiceVersion>,
    /// A file of more such releases, one SERVICE=VERSION a line
    #[arg(long, value_name = "FILE")]
    pub releases: Option<PathBuf>,
}

#[derive(Args)]
pub(super) struct Patience {
    /// How long each step may wait for the fleet, and for what holds it: 90s, 30m; `timeout`
    /// under [rollout] otherwise, and 30m without that
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub timeout: Option<Duration>,
}

#[derive(Clone, Debug)]
pub(super) struct ServiceVersion {
    pub service: String,
    pub label: String,
}

impl std::str::FromStr for ServiceVersion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((service, label)) if !service.is_empty() && !label.is_empty() => Ok(Self {
                service: service.to_owned(),
                label: label.to_owned(),
            }),
            _ => Err("write a service and a version, such as web=1.1.0".into()),
        }
    }
}

#[derive(Args)]
pub(super) struct Waiting {
    /// Wait this long for another coordinator: 30s, 10m
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub wait: Option<Duration>,
}

#[derive(Args)]
pub(super) struct Override {
    /// Go on although evidence is missing, for this reason; recorded in the log. Does not
    /// override what is known to be unsafe
    #[arg(long, value_name = "REASON")]
    pub accept_unknown: Option<String>,
}

/// What is no failure for a job that comes again.
#[derive(Args)]
pub(super) struct Using {
    /// End with 0 where nothing but live versions, or what passes by itself, is in the way: for a job
    /// that comes again and again. The answer is printed all the same
    #[arg(long)]
    pub unless_in_use: bool,
}
