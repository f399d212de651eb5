//! The settings of a project, before anything is asked of its migrations.

use std::path::Path;

use super::aliases;
use super::config::{CONFIG_FILE, Config};
use super::links::Links;
use super::listing;
use super::problem::{Problem, shown};
use super::source::Source;

/// What migrate.toml and the URL given from outside say.
pub(super) struct Settings {
    pub config: Config,
    /// Whether migrate.toml is there and has no error of its syntax.
    pub is_readable: bool,
    pub problems: Vec<Problem>,
}

impl Settings {
    pub fn read(dir: &Path, url_override: Option<&str>) -> Self {
        let source = match elsewhere(dir) {
            Some(problem) => Err(problem),
            None => Source::read(dir, CONFIG_FILE),
        };
        let (read, mut problems) = match source {
            Ok(Some(source)) => {
                let config = Config::read(&source);
                (config, source.into_parts().1)
            }
            Ok(None) => (None, vec![listing::missing_config(dir)]),
            Err(problem) => (None, vec![problem]),
        };
        let is_readable = read.is_some();
        let mut config = read.unwrap_or_else(Config::unread);
        if let Some(url) = url_override {
            let problem = config.override_url(url, &shown(dir, CONFIG_FILE));
            problems.splice(0..0, problem);
        }
        problems.extend(aliases::read_files(&mut config, dir));
        config.name_ledger();
        Self {
            config,
            is_readable,
            problems,
        }
    }
}

/// Its errors show what stands in it, and a link may lead to anything that this machine can read.
fn elsewhere(dir: &Path) -> Option<Problem> {
    let problem = Links::Inside.refuse(dir, CONFIG_FILE)?;
    Some(
        problem.with_help(
            "put the file itself there, or go to the project that it belongs to (`-C DIR`)",
        ),
    )
}
