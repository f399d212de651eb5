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

/// Which tags have this file, by git, wherever it was at the time: a migration that was given another number, or whose directory was
/// moved, is the one that was released before.
pub(super) fn tags_with(root: &Path, path: &str) -> Tags {
    let shallow = git(root, &["rev-parse", "--is-shallow-repository"], "")?;
    if shallow.trim() != "false" {
        return Err("this checkout is not a full one, so a tag may be missing".to_owned());
    }
    let names = git(root, &["tag", "--list"], "")?;
    let names: Vec<&str> = names.lines().filter(|name| !name.is_empty()).collect();
    // The project may be a part of a repository.
    let within = git(root, &["rev-parse", "--show-prefix"], "")?;
    let path = format!("{}{path}", within.trim_end_matches('\n'));
    let (own, gone) = places(root, path)?;
    let mut has_it = vec![false; names.len()];
    for place in &own {
        for (has_it, found) in has_it.iter_mut().zip(in_tags(root, &names, place)?) {
            *has_it |= found;
        }
    }
    for place in &gone {
        let found = in_tags(root, &names, place)?.into_iter();
        let mut alone = found.zip(&has_it).zip(&names);
        if let Some((_, name)) = alone.find(|((is_there, has_it), _)| *is_there && !**has_it) {
            return Err(format!(
                "{name} has `{place}`, which is not there any more and may be this migration as it was called then"
            ));
        }
    }
    let tags = names.into_iter().zip(has_it);
    Ok(tags
        .map(|(name, has_it)| Tag {
            name: name.to_owned(),
            has_it,
        })
        .collect())
}

/// Where the file is and was, from the root of the repository; and places of a file of a migration called the same that are
/// there no more, of which git cannot tell whether they were this one.
fn places(root: &Path, path: String) -> Result<(Vec<String>, Vec<String>), String> {
    let unquoted = ["-c", "core.quotePath=off"];
    let from_the_top = format!(":(top,literal){path}");
    let follow = ["log", "--follow", "-M", "--format=", "--name-only", "--"];
    // A repository without a commit has no log.
    if git(root, &["rev-parse", "--verify", "--quiet", "HEAD"], "").is_err() {
        return Ok((vec![path], Vec::new()));
    }
    let lines = |text: String| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.is_empty());
        lines.map(ToOwned::to_owned).collect()
    };
    let args = [&unquoted[..], &follow, &[from_the_top.as_str()]].concat();
    let mut own = lines(git(root, &args, "")?);
    own.push(path.clone());
    own.sort();
    own.dedup();
    // `0003_add_email`: the number may be another, and the directories before it.
    let mut parts = path.rsplit('/');
    let (file, directory) = (parts.next().unwrap_or_default(), parts.next());
    let Some((_, called)) = directory.and_then(|directory| directory.split_once('_')) else {
        return Ok((own, Vec::new()));
    };
    let alike = format!(":(top,glob)**/*_{called}/{file}");
    let log = [
        "log",
        "--all",
        "--format=",
        "--name-only",
        "--no-renames",
        "--",
    ];
    let args = [&unquoted[..], &log, &[alike.as_str()]].concat();
    let mut gone = lines(git(root, &args, "")?);
    let args = [
        &unquoted[..],
        &["ls-files", "--full-name", "--", alike.as_str()],
    ]
    .concat();
    let there = lines(git(root, &args, "")?);
    gone.retain(|place| !own.contains(place) && !there.contains(place));
    gone.sort();
    gone.dedup();
    Ok((own, gone))
}

/// Which of these tags have a file there, from the root of the repository.
fn in_tags(root: &Path, names: &[&str], place: &str) -> Result<Vec<bool>, String> {
    let wanted: String = names
        .iter()
        .map(|name| format!("refs/tags/{name}:{place}\n"))
        .collect();
    let found = git(root, &["cat-file", "--batch-check=%(objecttype)"], &wanted)?;
    let found: Vec<bool> = found.lines().map(|found| found == "blob").collect();
    if found.len() == names.len() {
        Ok(found)
    } else {
        Err("git has not told of every tag".to_owned())
    }
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
