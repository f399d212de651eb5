//! Other names of versions that do not stand in migrate.toml: a file that a pipeline writes, and what a command is given.
//!
//! Invariant: a file that cannot be read, or that says two things, leaves every answer unknown that depends on the services.

use std::path::Path;

use super::config::{CONFIG_FILE, Config};
use super::doubts::Section;
use super::links::is_outside;
use super::problem::{Problem, shown};
use super::reader::Located;
use super::service::{ServiceConfig, check_alias, read_version};
use super::source::Source;
use crate::model::Version;

/// Reads the aliases of every service that has a file of them.
pub(super) fn read_files(config: &mut Config, root: &Path) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (name, service) in &mut config.services {
        let Some(path) = service.aliases_file.clone() else {
            continue;
        };
        match Source::read(root, &path) {
            Ok(Some(source)) => {
                read(&source, service);
                let found = source.into_parts().1.into_iter();
                // Whoever writes migrate.toml may name any file of the machine that checks it.
                match is_outside(root, &path) {
                    true => problems.extend(found.map(|problem| untold(&problem))),
                    false => problems.extend(found),
                }
            }
            Ok(None) => problems.push(Problem::about(
                shown(root, CONFIG_FILE),
                "missing-aliases",
                format!("the other names of versions of `{name}` are to be in {path}, and there is no such file"),
                "write it before this, one `NAME VERSION` a line (it may be empty), or take `aliases_file` out",
            )),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.iter().any(Problem::is_error) {
        config.doubtful.insert(Section::Fleet);
    }
    problems
}

/// The same without a word of what stands there.
fn untold(problem: &Problem) -> Problem {
    let place = problem.start().map(|at| format!("line {} of ", at.line));
    let untold = Problem::about(
        &problem.path,
        problem.code,
        format!(
            "{}this file does not name a version as it should; what stands in it is not shown, as it lies outside of the project",
            place.unwrap_or_default()
        ),
        "write one `NAME VERSION` a line, each name once, for example `a1b2c3d 1.2.0`",
    );
    match problem.is_error() {
        true => untold,
        false => untold.into_warning(),
    }
}

fn read(source: &Source, service: &mut ServiceConfig) {
    let mut at = 0;
    for line in source.text().split_inclusive('\n') {
        let start = at;
        at += line.len();
        let bare = line.split('#').next().unwrap_or_default();
        let mut words = bare
            .split(|c: char| c.is_whitespace() || c == '=')
            .filter(|word| !word.is_empty());
        let Some(name) = words.next() else {
            continue;
        };
        let (version, more) = (words.next(), words.next());
        let (Some(version), None) = (version, more) else {
            source.error(
                "bad-alias",
                start..start + bare.trim_end().len(),
                "a line has a name and the version that it stands for",
                "write for example `a1b2c3d 1.2.0`",
            );
            continue;
        };
        let from = start + bare.find(version).unwrap_or_default();
        let text = Located {
            value: version,
            span: from..from + version.len(),
        };
        let Some(read) = read_version(source, &text) else {
            continue;
        };
        match service.names.aliases.get(name) {
            Some(other) if *other != read => source.error(
                "two-aliases",
                text.span.clone(),
                format!("`{name}` stands for {other} already"),
                "keep one of them",
            ),
            Some(_) => {}
            None => {
                service.names.aliases.insert(name.to_owned(), read);
                check_alias(source, service, name, &text);
            }
        }
    }
}

/// A name that a command is given for a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    pub service: String,
    pub name: String,
    pub version: Version,
}

impl std::str::FromStr for Alias {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const EXAMPLE: &str =
            "write a service, a name and the version that it stands for, such as web:a1b2c3d=1.2.0";
        let (service, rest) = text.split_once(':').ok_or(EXAMPLE)?;
        let (name, version) = rest.rsplit_once('=').ok_or(EXAMPLE)?;
        if service.is_empty() || name.trim().is_empty() {
            return Err(EXAMPLE.to_owned());
        }
        Ok(Self {
            service: service.to_owned(),
            name: name.trim().to_owned(),
            version: version.parse().map_err(|error| format!("{error}"))?,
        })
    }
}

impl Config {
    /// Adds a name that a command was given.
    ///
    /// # Errors
    /// Why it cannot stand for this version.
    pub fn add_alias(&mut self, alias: &Alias) -> Result<(), String> {
        let Alias {
            service,
            name,
            version,
        } = alias;
        let Some(known) = self.services.get_mut(service) else {
            return Err(format!("migrate.toml has no service `{service}`"));
        };
        match known.names.aliases.get(name) {
            Some(other) if other != version => {
                return Err(format!(
                    "`{name}` stands for {other} in this project already"
                ));
            }
            _ => {}
        }
        known.names.aliases.insert(name.clone(), version.clone());
        if known.moves_a_release(name) {
            return Err(format!(
                "`{name}` is one of `releases` of `{service}`, and cannot stand for {version}"
            ));
        }
        Ok(())
    }
}
