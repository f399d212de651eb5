//! "The release that contains this migration": `old = "<this"`, whose number nobody has to know when the migration is written.
//!
//! It is written down under `this`, or else follows from the tags of the repository: it is the first release whose tree has the
//! migration. Invariant: where tags may be missing, or do not agree, it is not known, and an error of its migration.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::model::Version;

/// The tags of the repository, each with whether the migration is in it; or why they are not known.
pub(super) type Tags = Result<Vec<Tag>, String>;

/// A tag of the repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tag {
    pub name: String,
    /// Whether the migration is in its tree.
    pub has_it: bool,
}

/// The release of a service that is the first to contain the migration.
pub(super) fn release_of(service: &str, tags: &Tags) -> Result<Version, String> {
    let tags = tags.as_ref().map_err(Clone::clone)?;
    let own = |tag: &Tag| {
        let rest = tag.name.strip_prefix(service)?;
        let version = rest.strip_prefix(['-', '/', '@', '_'])?.parse::<Version>();
        version.ok().map(|version| (version, tag.has_it))
    };
    let mut releases: Vec<(Version, bool)> = tags.iter().filter_map(own).collect();
    // Where a repository has tags for each service, the others are of something else.
    if releases.is_empty() {
        let plain = |tag: &Tag| {
            tag.name
                .parse::<Version>()
                .ok()
                .map(|version| (version, tag.has_it))
        };
        releases = tags.iter().filter_map(plain).collect();
    }
    if releases.is_empty() {
        return Err("no tag of this repository is a version".to_owned());
    }
    let having = releases.iter().filter(|(_, has_it)| *has_it);
    let Some((first, _)) = having.min_by(|(a, _), (b, _)| a.cmp(b)) else {
        return Err("no tag contains it yet".to_owned());
    };
    match releases
        .iter()
        .find(|(version, has_it)| !has_it && version > first)
    {
        Some((without, _)) => Err(format!(
            "{first} contains it, and {without}, which comes after that, does not"
        )),
        None => Ok(first.clone()),
    }
}

/// Which tags have this file, by git.
pub(super) fn tags_with(root: &Path, path: &str) -> Tags {
    // Relative to where it runs; the project may be a part of a repository.
    let shallow = git(root, &["rev-parse", "--is-shallow-repository"], "")?;
    if shallow.trim() != "false" {
        return Err("this checkout is not a full one, so a tag may be missing".to_owned());
    }
    let names = git(root, &["tag", "--list"], "")?;
    let names: Vec<&str> = names.lines().filter(|name| !name.is_empty()).collect();
    let wanted: String = names
        .iter()
        .map(|name| format!("refs/tags/{name}:./{path}\n"))
        .collect();
    let found = git(root, &["cat-file", "--batch-check=%(objecttype)"], &wanted)?;
    let found: Vec<&str> = found.lines().collect();
    if found.len() != names.len() {
        return Err("git has not told of every tag".to_owned());
    }
    let tags = names.into_iter().zip(found).map(|(name, found)| Tag {
        name: name.to_owned(),
        has_it: found == "blob",
    });
    Ok(tags.collect())
}

/// What git prints for this input.
fn git(root: &Path, arguments: &[&str], input: &str) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("`git` cannot be started: {error}");
    // An empty path is the directory that we are in.
    let root = if root.as_os_str().is_empty() {
        Path::new(".")
    } else {
        root
    };
    let mut child = Command::new("git")
        .args(arguments)
        .current_dir(root)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let stdin = child.stdin.take();
    let output = std::thread::scope(|scope| {
        // It answers while it reads: whoever wrote all of it first could wait for ever.
        scope.spawn(move || {
            if let Some(mut stdin) = stdin {
                let _ = stdin.write_all(input.as_bytes());
            }
        });
        child.wait_with_output()
    });
    let output = output.map_err(failed)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let first = said.lines().next().unwrap_or("it said nothing");
    Err(format!("git says: {}", first.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_release_with_it_is_known_where_all_agree() {
        let tags = |all: &[(&str, bool)]| -> Tags {
            Ok(all
                .iter()
                .map(|(name, has_it)| Tag {
                    name: (*name).to_owned(),
                    has_it: *has_it,
                })
                .collect())
        };
        for (all, expected) in [
            (
                vec![("v1.2.0", false), ("v1.3.0", true), ("v1.4.0", true)],
                Ok("1.3.0"),
            ),
            (
                vec![("1.10.0", true), ("1.9.0", true), ("1.2.0", false)],
                Ok("1.9.0"),
            ),
            (
                vec![("v1.3.0-rc.1", true), ("v1.3.0", true)],
                Ok("1.3.0-rc.1"),
            ),
            // It was carried over to a release before.
            (
                vec![("v1.2.5", true), ("v1.3.0", false), ("v1.4.0", true)],
                Err("does not"),
            ),
            (vec![("v1.2.0", false)], Err("no tag contains it yet")),
            (vec![("nightly", true)], Err("no tag of this repository")),
            // Those of the service itself win, and those of another are none of its own.
            (
                vec![
                    ("web-v2.0.0", true),
                    ("web-v1.0.0", false),
                    ("v9.0.0", false),
                ],
                Ok("2.0.0"),
            ),
            (vec![("jobs/1.0.0", true), ("v3.0.0", true)], Ok("3.0.0")),
            (
                vec![("website-1.0.0", true)],
                Err("no tag of this repository"),
            ),
        ] {
            let found = release_of("web", &tags(&all));
            match (found, expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found.to_string(), expected),
                (Err(found), Err(expected)) => assert!(found.contains(expected), "{found}"),
                (found, _) => panic!("{found:?} of {all:?}"),
            }
        }
        let unknown: Tags = Err("why".to_owned());
        assert_eq!(release_of("web", &unknown), Err("why".to_owned()));
    }
}
