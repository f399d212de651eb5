//! The settings of a project, before anything is asked of its migrations.

use std::path::Path;

use super::aliases;
use super::config::{CONFIG_FILE, Config};
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
        let (read, mut problems) = match Source::read(dir, CONFIG_FILE) {
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
