//! `migrate completions`, and what a shell is told while somebody types.
//!
//! The script asks this program at each Tab, so that it knows the migrations and the services of the project.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::Args;
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use clap_complete::env::{EnvCompleter, Shells};

use super::failure::Failure;
use super::numbering::migrations_in;
use super::out::Out;
use crate::model::MigrationId;
use crate::project::Project;

#[derive(Args)]
pub(super) struct CompletionsArgs {
    pub shell: clap_complete::Shell,
}

/// The environment variable by which a script asks, and that names its shell.
const ASKED_BY: &str = "PHASEGATE_COMPLETE";

pub(super) fn run(args: &CompletionsArgs, out: &Out) -> Result<u8, Failure> {
    let shells = Shells::builtins();
    let shell = args.shell.to_string();
    let Some(shell) = shells.completer(&shell) else {
        return Err(Failure::new(format!("there are no completions for {shell}")).usage());
    };
    let mut script = Vec::new();
    shell
        .write_registration(ASKED_BY, "migrate", "migrate", "migrate", &mut script)
        .map_err(|error| Failure::new(format!("the script cannot be written: {error}")))?;
    out.verbatim(String::from_utf8_lossy(&script).trim_end());
    Ok(0)
}

/// What to print where a script asks how a line may go on; `None` where nobody asks.
pub(super) fn answer(command: impl FnOnce() -> clap::Command) -> Option<Vec<u8>> {
    let shell = std::env::var_os(ASKED_BY)?;
    let words: Vec<OsString> = std::env::args_os()
        .skip_while(|word| word != "--")
        .skip(1)
        .collect();
    let shells = Shells::builtins();
    let shell = Path::new(&shell).file_stem()?.to_str()?;
    let shell: &dyn EnvCompleter = shells.completer(shell)?;
    let mut command = informed(command());
    command.build();
    let mut answer = Vec::new();
    let here = std::env::current_dir().ok();
    // Whoever presses Tab has no use for an error.
    let _ = shell.write_complete(&mut command, words, here.as_deref(), &mut answer);
    Some(answer)
}

/// The project that the line is about.
fn root() -> PathBuf {
    named_in(std::env::args_os()).unwrap_or_else(|| PathBuf::from("."))
}

/// The directory behind `-C` or `--project`.
fn named_in(words: impl Iterator<Item = OsString>) -> Option<PathBuf> {
    let mut words = words.skip_while(|word| word != "--").skip(1);
    while let Some(word) = words.next() {
        if word == "-C" || word == "--project" {
            return words.next().map(PathBuf::from);
        }
        let joined = word.to_str().and_then(|word| {
            word.strip_prefix("--project=")
                .or_else(|| word.strip_prefix("-C"))
        });
        if let Some(joined) = joined.filter(|joined| !joined.is_empty()) {
            return Some(PathBuf::from(joined));
        }
        if word == OsStr::new("--") {
            return None;
        }
    }
    None
}

/// The command, with what stands for each of its arguments in the project.
fn informed(command: clap::Command) -> clap::Command {
    let command = command.mut_args(|argument| {
        let names = argument.get_value_names().unwrap_or_default();
        let is_version = names.iter().any(|name| name.as_str() == "SERVICE=VERSION");
        let candidates = match argument.get_id().as_str() {
            _ if is_version => ArgValueCandidates::new(releases),
            "id" | "ids" | "migration" => ArgValueCandidates::new(migrations),
            "service" => ArgValueCandidates::new(services),
            _ => return argument,
        };
        argument.add(candidates)
    });
    command.mut_subcommands(informed)
}

fn migrations() -> Vec<CompletionCandidate> {
    let Ok(base) = Project::migrations_dir(&root()) else {
        return Vec::new();
    };
    let found = migrations_in(&base).unwrap_or_default();
    let names = found.iter().map(MigrationId::as_str);
    names.map(CompletionCandidate::new).collect()
}

fn services() -> Vec<CompletionCandidate> {
    let services = Project::settings(&root()).services;
    services.into_keys().map(CompletionCandidate::new).collect()
}

/// The releases of each service, and its name for a version that is none of them.
fn releases() -> Vec<CompletionCandidate> {
    let services = Project::settings(&root()).services.into_iter();
    let each = services.flat_map(|(name, service)| {
        let releases = service.releases.iter();
        let releases: Vec<String> = releases
            .map(|release| format!("{name}={release}"))
            .collect();
        releases.into_iter().chain([format!("{name}=")])
    });
    each.map(CompletionCandidate::new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_project_is_the_one_that_the_line_names() {
        let named = |line: &str| {
            let words = line.split(' ').map(OsString::from);
            named_in(words).map(|path| path.display().to_string())
        };
        for (line, project) in [
            ("migrate -- migrate -C shop contract ", Some("shop")),
            ("migrate -- migrate contract --project=shop ", Some("shop")),
            ("migrate -- migrate --project shop contract", Some("shop")),
            ("migrate -- migrate -Cshop contract", Some("shop")),
            ("migrate -- migrate contract ", None),
            ("migrate -- migrate agent --service web -- ls -C shop", None),
        ] {
            assert_eq!(named(line).as_deref(), project, "{line}");
        }
    }
}
