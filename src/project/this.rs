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

/// Why the release is not known where nothing is wrong: it is not made yet.
pub(super) const NOT_RELEASED: &str = "no tag contains it yet";
pub(super) const NO_RELEASE: &str = "no tag of this repository is a version";

/// The release of a service that is the first to contain the migration.
pub(super) fn release_of(service: &str, tags: &Tags) -> Result<Version, String> {
    let tags = tags.as_ref().map_err(Clone::clone)?;
    let own = |tag: &Tag| {
        let rest = tag.name.strip_prefix(service)?;
        Release::of(rest.strip_prefix(['-', '/', '@', '_'])?, tag.has_it)
    };
    let mut found: Vec<Release> = tags.iter().filter_map(own).collect();
    // Where a repository has tags for each service, the others are of something else.
    if found.is_empty() {
        let plain = |tag: &Tag| Release::of(&tag.name, tag.has_it);
        found = tags.iter().filter_map(plain).collect();
    }
    // `v1.1` beside `v1.1.0` moves along to the newest of its line, and is no release of its own.
    if found.iter().any(|release| release.is_whole) {
        found.retain(|release| release.is_whole);
    }
    let releases: Vec<(Version, bool)> = found
        .into_iter()
        .map(|release| (release.version, release.has_it))
        .collect();
    if releases.is_empty() {
        return Err(NO_RELEASE.to_owned());
    }
    let having = releases.iter().filter(|(_, has_it)| *has_it);
    let Some((first, _)) = having.min_by(|(a, _), (b, _)| a.cmp(b)) else {
        return Err(NOT_RELEASED.to_owned());
    };
    match releases
        .iter()
        .find(|(version, has_it)| !has_it && version >= first)
    {
        Some((without, _)) if without == first => Err(format!(
            "of two tags of {first} one contains it, and the other does not"
        )),
        Some((without, _)) => Err(format!(
            "{first} contains it, and {without}, which comes after that, does not"
        )),
        None => Ok(first.clone()),
    }
}

/// A tag that is a version.
struct Release {
    version: Version,
    has_it: bool,
    /// Whether it says major, minor and patch.
    is_whole: bool,
}

impl Release {
    fn of(text: &str, has_it: bool) -> Option<Self> {
        let version = text.parse().ok()?;
        let numbers = text.split(['-', '+']).next().unwrap_or_default();
        Some(Self {
            version,
            has_it,
            is_whole: numbers.matches('.').count() >= 2,
        })
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
    let Places { own, doubtful } = places(root, path)?;
    let mut has_it = vec![false; names.len()];
    for place in &own {
        for (has_it, found) in has_it.iter_mut().zip(in_tags(root, &names, place)?) {
            *has_it |= found;
        }
    }
    for place in &doubtful {
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

/// Where a migration's file is and was.
struct Places {
    /// From the root of the repository.
    own: Vec<String>,
    /// Places that are there no more, of which nobody can tell whether they were this one.
    doubtful: Vec<String>,
}

fn places(root: &Path, path: String) -> Result<Places, String> {
    let mut places = Places {
        own: vec![path.clone()],
        doubtful: Vec::new(),
    };
    // A repository without a commit has no history.
    let Ok(head) = git(root, &["rev-parse", "--verify", "--quiet", "HEAD"], "") else {
        return Ok(places);
    };
    let mut place = path.clone();
    let mut until = head.trim().to_owned();
    while let Some((commit, came)) = moved_from(root, &until, &place)? {
        places.doubtful.extend(came.doubtful);
        let Some(before) = came.from.filter(|before| !places.own.contains(before)) else {
            break;
        };
        places.own.push(before.clone());
        place = before;
        until = format!("{commit}^");
    }
    if let Some((directory, file)) = called(&path) {
        let alike = format!(":(top,glob)**/*_{directory}/{file}");
        let log = [
            "-c",
            "log.showSignature=false",
            "log",
            "--all",
            "--format=",
            "--name-only",
            "--no-renames",
            "-z",
            "--",
            &alike,
        ];
        places.doubtful.extend(each(&git(root, &log, "")?));
    }
    let top = git(root, &["rev-parse", "--show-toplevel"], "")?;
    let top = Path::new(top.trim_end_matches('\n'));
    let Places { own, doubtful } = &mut places;
    doubtful.retain(|place| !own.contains(place) && !top.join(place).exists());
    doubtful.sort();
    doubtful.dedup();
    Ok(places)
}

/// How the directory of a file is called without its number, and the file: `add_email` of `db/0003_add_email/migration.toml`.
fn called(path: &str) -> Option<(&str, &str)> {
    let mut parts = path.rsplit('/');
    let (file, directory) = (parts.next()?, parts.next()?);
    Some((directory.split_once('_')?.1, file))
}

/// Where a file was before a commit brought it to where it is.
struct Came {
    from: Option<String>,
    doubtful: Vec<String>,
}

/// The first commit up to `until` that brought a file to `path`, and where it came from.
///
/// Two migrations of one kind resemble each other more than one does after a year of edits, and git takes the one for the
/// other (`--follow` even a copy of what is still there). So it was here before only where the commit took away one that is
/// called the same, and that git takes for it; where one of these holds alone, nobody knows.
fn moved_from(root: &Path, until: &str, path: &str) -> Result<Option<(String, Came)>, String> {
    let literal = format!(":(top,literal){path}");
    let commits = git(root, &["rev-list", until, "--", &literal], "")?;
    let (_, file) = path.rsplit_once('/').unwrap_or(("", path));
    let alike = format!(":(top,glob)**/{file}");
    for commit in commits.lines() {
        let within = |options: [&str; 2]| {
            let options = [
                &["diff-tree", "-r", "--root", "--no-commit-id", "-z"],
                &options[..],
                &[commit, "--", &alike],
            ];
            git(root, &options.concat(), "").map(|text| differences(&text))
        };
        let alone = within(["--no-renames", "--diff-filter=AD"])?;
        let Some(added) = alone.iter().find(|one| one.kind == 'A' && one.path == path) else {
            continue;
        };
        let renamed = within(["-M", "--diff-filter=R"])?;
        let taken_for = renamed
            .into_iter()
            .find(|one| one.path == path)
            .and_then(|one| one.from);
        let mut came = Came {
            from: None,
            doubtful: Vec::new(),
        };
        let is_called_the_same = |gone: &&Difference| {
            gone.kind == 'D' && called(&gone.path).is_some() && called(&gone.path) == called(path)
        };
        for gone in alone.iter().filter(is_called_the_same) {
            let is_alike = gone.old == added.new || taken_for.as_ref() == Some(&gone.path);
            if is_alike && came.from.is_none() {
                came.from = Some(gone.path.clone());
            } else {
                came.doubtful.push(gone.path.clone());
            }
        }
        if came.from.is_none() {
            came.doubtful.extend(taken_for);
        }
        return Ok(Some((commit.to_owned(), came)));
    }
    Ok(None)
}

/// What a commit did to one file.
#[derive(Debug, PartialEq, Eq)]
struct Difference {
    /// As git calls it: `A`, `D`, `R`.
    kind: char,
    old: String,
    new: String,
    from: Option<String>,
    path: String,
}

/// What `git diff-tree -z` prints: `:100644 000000 OLD NEW D`, and then one path or two.
fn differences(text: &str) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut parts = text.split('\0');
    while let Some(head) = parts.next().and_then(|head| head.strip_prefix(':')) {
        let mut words = head.split(' ').skip(2);
        let (Some(old), Some(new), Some(kind)) = (words.next(), words.next(), words.next()) else {
            break;
        };
        let Some(kind) = kind.chars().next() else {
            break;
        };
        let from = match kind {
            'R' | 'C' => parts.next().map(ToOwned::to_owned),
            _ => None,
        };
        let Some(path) = parts.next() else {
            break;
        };
        found.push(Difference {
            kind,
            old: old.to_owned(),
            new: new.to_owned(),
            from,
            path: path.to_owned(),
        });
    }
    found
}

fn each(text: &str) -> impl Iterator<Item = String> {
    let parts = text.split(['\0', '\n']).filter(|part| !part.is_empty());
    parts.map(ToOwned::to_owned)
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
    fn what_a_commit_did_is_read() {
        let text = ":100644 000000 a1 00 D\0a b/x\0:100644 100644 a2 a3 R087\0old\0new\0:000000 100644 00 a4 A\0ü\0";
        let found = differences(text);
        let short: Vec<_> = found
            .iter()
            .map(|one| {
                (
                    one.kind,
                    one.from.as_deref(),
                    one.path.as_str(),
                    one.new.as_str(),
                )
            })
            .collect();
        assert_eq!(
            short,
            [
                ('D', None, "a b/x", "00"),
                ('R', Some("old"), "new", "a3"),
                ('A', None, "ü", "a4")
            ]
        );
        assert_eq!(differences(""), []);
        assert_eq!(
            called("db/0003_add_email/migration.toml"),
            Some(("add_email", "migration.toml"))
        );
        assert_eq!(called("migration.toml"), None);
    }

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
            // Tags that move along are no releases, but where there are no others.
            (
                vec![
                    ("v1", true),
                    ("v1.1", true),
                    ("v1.1.0", false),
                    ("v1.1.1", true),
                ],
                Ok("1.1.1"),
            ),
            (vec![("v1.1", false), ("v1.2", true)], Ok("1.2.0")),
            (
                vec![("v1.1.0", false), ("v1.1.0+hotfix", true)],
                Err("of two tags of 1.1.0"),
            ),
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
