//! One migration's directory: which scripts it holds, and for which database.

use std::fs::{File, Metadata};
use std::io;
use std::path::Path;

use rustix::fs::{Dir, FileType, Mode, OFlags};

use crate::model::{MigrationId, Step, names_this};
use crate::sql::{Dialect, Script};

use super::files::Revisions;
use super::links::Links;
use super::manifest::MANIFEST_FILE;
use super::problem::{Problem, closest, shown};
use super::source::Source;
use super::this;

/// A script file that is there.
#[derive(Debug)]
pub(super) struct Candidate {
    pub step: Step,
    /// The one database that it is for; otherwise every one that has none of its own.
    pub only: Option<Dialect>,
    /// `None` if it could not be read, which is reported.
    pub source: Option<Source>,
    /// What another migration tool is to do in its place; `source` is then the SQL of that, where it can be read.
    pub revisions: Option<Revisions>,
}

impl Candidate {
    pub fn file_name(&self) -> String {
        file_name(self.step, self.only)
    }
}

/// Whether this is what [`file_name`] says, without writing that down: it is asked of every file for every name.
fn is_named(name: &str, step: Step, only: Option<Dialect>) -> bool {
    let Some(rest) = name
        .strip_suffix(".sql")
        .and_then(|name| name.strip_prefix(step.name()))
    else {
        return false;
    };
    match only {
        None => rest.is_empty(),
        Some(dialect) => rest.strip_prefix('.') == Some(dialect.name()),
    }
}

/// `expand.sql`, or `expand.postgres.sql`.
pub(super) fn file_name(step: Step, only: Option<Dialect>) -> String {
    match only {
        None => format!("{}.sql", step.name()),
        Some(dialect) => format!("{}.{}.sql", step.name(), dialect.name()),
    }
}

#[derive(Debug)]
pub(super) struct Directory {
    pub id: MigrationId,
    /// Relative to the project's root, with `/`.
    pub path: String,
    /// `None` if it is missing or could not be read, which is reported.
    pub manifest: Option<Source>,
    pub candidates: Vec<Candidate>,
    /// Whether it could be seen what is in it.
    pub is_listed: bool,
    pub problems: Vec<Problem>,
}

impl Directory {
    pub fn read(root: &Path, path: String, id: MigrationId, links: Links) -> Self {
        let mut directory = Self {
            id,
            path,
            manifest: None,
            candidates: Vec::new(),
            is_listed: false,
            problems: Vec::new(),
        };
        let listed = match Listed::of(&root.join(&directory.path)) {
            Ok(listed) => listed,
            Err(error) => {
                directory.problems.push(Problem::about(
                    shown(root, &directory.path),
                    "unreadable-directory",
                    format!("this directory cannot be read: {error}"),
                    "make it readable for the user who runs `migrate`",
                ));
                return directory;
            }
        };
        directory.is_listed = true;
        let place = Place {
            root,
            links,
            listed: &listed,
        };
        directory.read_manifest(&place);
        for entry in &listed.entries {
            directory.read_script(&place, entry);
        }
        directory
    }

    fn read_manifest(&mut self, place: &Place<'_>) {
        let path = format!("{}/{MANIFEST_FILE}", self.path);
        let (root, entries) = (place.root, &place.listed.entries);
        let manifest = Entry {
            name: MANIFEST_FILE.to_owned(),
            kind: Kind::Unknown,
        };
        let listed = entries.iter().find(|entry| entry.name == MANIFEST_FILE);
        match place.read(&path, listed.unwrap_or(&manifest)) {
            Ok(Some(mut source)) => {
                if names_this(source.text()) {
                    source.tags = Some(this::tags_with(root, &path));
                }
                self.manifest = Some(source);
            }
            Err(problem) => self.problems.push(problem),
            Ok(None) => {
                let mut names = entries.iter().map(|entry| &entry.name);
                let other = names.find(|name| name.ends_with(".toml"));
                let help = match other {
                    Some(other) => format!("did you mean to name `{other}` so?"),
                    None => {
                        format!(
                            "write a `{MANIFEST_FILE}` with a `description`, or remove the directory"
                        )
                    }
                };
                self.problems.push(Problem::about(
                    shown(root, &self.path),
                    "missing-manifest",
                    format!(
                        "this directory is named like a migration and has no `{MANIFEST_FILE}`"
                    ),
                    help,
                ));
            }
        }
    }

    fn read_script(&mut self, place: &Place<'_>, entry: &Entry) {
        let Entry { name, .. } = entry;
        let is_script = Path::new(name)
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("sql"));
        if !is_script || name.starts_with('.') || is_seed(name) {
            return;
        }
        let path = format!("{}/{name}", self.path);
        let Some((step, only)) = known_names().find(|(step, only)| is_named(name, *step, *only))
        else {
            let shown = shown(place.root, &path);
            self.problems.push(unknown_script(shown, name));
            return;
        };
        let source = match place.read(&path, entry) {
            Ok(Some(source)) => Some(source),
            // It was there a moment ago.
            Ok(None) => return,
            Err(problem) => {
                self.problems.push(problem);
                None
            }
        };
        self.candidates.push(Candidate {
            step,
            only,
            source,
            revisions: None,
        });
    }

    /// The script for `step` on `dialect`: its own, else the common one.
    pub fn chosen(&self, step: Step, dialect: Dialect) -> Option<&Candidate> {
        let of_step = || self.candidates.iter().filter(|found| found.step == step);
        of_step()
            .find(|found| found.only == Some(dialect))
            .or_else(|| of_step().find(|found| found.only.is_none()))
    }

    /// Whether its scripts hold nothing but comments, as `migrate new` writes them.
    pub fn is_blank(&self, dialect: Dialect) -> bool {
        let is_blank = |candidate: &Candidate| {
            candidate.source.as_ref().is_some_and(|source| {
                // A word is the beginning of a statement, or of what nobody can read.
                let text = source.text().trim_start();
                !text.starts_with(|c: char| c.is_ascii_alphabetic())
                    && Script::parse(dialect, text).is_ok_and(|script| script.statements.is_empty())
            })
        };
        self.candidates.len() > 1 && self.candidates.iter().all(is_blank)
    }

    /// Whether its scripts follow from a declaration, and are written by whoever asks for that rather than filled in.
    ///
    /// By its lines: asked before anybody knows whether the file can be read.
    pub fn declares_change(&self) -> bool {
        let is_change = |line: &str| {
            let key = line.trim_start_matches(['[', ' ', '\t']);
            let rest = key.strip_prefix("change").unwrap_or_default();
            rest.starts_with([']', '.', '=', ' ', '\t'])
        };
        let mut manifest = self.manifest.iter();
        manifest.any(|source| source.text().lines().any(is_change))
    }

    pub fn has(&self, step: Step) -> bool {
        self.candidates.iter().any(|found| found.step == step)
    }
}

/// Where the files of a migration are read.
struct Place<'a> {
    root: &'a Path,
    links: Links,
    listed: &'a Listed,
}

impl Place<'_> {
    /// Reads the file of an entry, whose path from the root this is.
    fn read(&self, path: &str, entry: &Entry) -> Result<Option<Source>, Problem> {
        let root = self.root;
        // It leads nowhere else, and is nothing that could be waited for.
        let opened = (entry.kind == Kind::File).then(|| self.listed.open(entry));
        if let Some(Ok((file, metadata))) = opened {
            return Source::read_open(path, shown(root, path), (file, &metadata)).map(Some);
        }
        // What has become of it is told there.
        self.links
            .refuse_within(root, path)
            .map_or_else(|| Source::read(root, path), Err)
    }
}

/// Rows for a rehearsal, which no phase runs.
fn is_seed(name: &str) -> bool {
    let Some(rest) = name
        .strip_prefix("seed.")
        .and_then(|rest| rest.strip_suffix("sql"))
    else {
        return false;
    };
    let of = |dialect: &Dialect| rest.strip_suffix('.') == Some(dialect.name());
    rest.is_empty() || Dialect::ALL.iter().any(of)
}

fn known_names() -> impl Iterator<Item = (Step, Option<Dialect>)> {
    let variants = || std::iter::once(None).chain(Dialect::ALL.iter().copied().map(Some));
    Step::ALL
        .into_iter()
        .flat_map(move |step| variants().map(move |only| (step, only)))
}

fn unknown_script(shown: std::path::PathBuf, name: &str) -> Problem {
    let known: Vec<String> = known_names()
        .map(|(step, only)| file_name(step, only))
        .collect();
    let dialect = name
        .split('.')
        .nth(1)
        .filter(|_| name.matches('.').count() == 2);
    // What else people call these databases.
    let meant = dialect.and_then(|dialect| match dialect {
        "mariadb" => Some("mysql"),
        "postgresql" | "pg" | "psql" => Some("postgres"),
        "sqlite3" => Some("sqlite"),
        _ => None,
    });
    let step = name.split('.').next().unwrap_or_default();
    let meant = meant.filter(|_| Step::ALL.iter().any(|known| known.name() == step));
    let help = match (meant, closest(name, known.iter().map(String::as_str))) {
        (Some(meant), _) => {
            let also = if meant == "mysql" {
                ", for MySQL and for MariaDB"
            } else {
                ""
            };
            format!("such a file is called `{step}.{meant}.sql`{also}")
        }
        (_, Some(guess)) => format!("did you mean `{guess}`?"),
        (_, None) => "a migration's scripts are `expand.sql`, `backfill.sql`, `contract.sql` and \
             `revert.sql`, or for one database only `expand.postgres.sql` and so on; \
             put other SQL elsewhere"
            .to_owned(),
    };
    let message = "this script would never be run: no phase has a file of this name";
    Problem::about(shown, "unknown-script", message, help)
}

/// What is in a directory.
pub(super) struct Entry {
    pub name: String,
    pub kind: Kind,
}

/// What the directory itself says of an entry, which takes no look at the entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Directory,
    /// A link, something else, or a file system that does not say.
    Unknown,
}

/// A directory that is open, and what is in it, sorted by name. Names that are not UTF-8 are shown with replacements: they match
/// nothing that is run.
pub(super) struct Listed {
    directory: Dir,
    pub entries: Vec<Entry>,
}

impl Listed {
    pub fn of(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut directory = Dir::new(rustix::fs::open(path, flags, Mode::empty())?)?;
        let mut entries = Vec::new();
        while let Some(entry) = directory.read() {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let kind = match entry.file_type() {
                FileType::RegularFile => Kind::File,
                FileType::Directory => Kind::Directory,
                _ => Kind::Unknown,
            };
            let (name, kind) = match name.to_str() {
                Ok(name) => (name.to_owned(), kind),
                // The name that is shown is not the one that it has.
                Err(_) => (name.to_string_lossy().into_owned(), Kind::Unknown),
            };
            entries.push(Entry { name, kind });
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self { directory, entries })
    }

    /// Opens what is listed as a file, from here: nobody has to follow the way to it once more. If something else has come in its place
    /// meanwhile, nothing is followed and nothing waited for.
    fn open(&self, entry: &Entry) -> io::Result<(File, Metadata)> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let name = entry.name.as_str();
        let file = rustix::fs::openat(self.directory.fd()?, name, flags, Mode::empty())?;
        let file = File::from(file);
        let metadata = file.metadata()?;
        Ok((file, metadata))
    }
}

/// Whether a script holds nothing yet, as `migrate new` writes it.
#[must_use]
pub fn is_unwritten(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim);
    lines.all(|line| line.is_empty() || line.starts_with("--"))
}
