//! What a project declares, read without its scripts and without what only matters to whoever runs them.
//!
//! `migrate check` judges the whole of it. Here only what an instance has to know is read, and that strictly: a migration that
//! was misread would be one that the instance does not know.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use phasegate_model::model::{
    Declaration, Fill, MigrationId, Parts, Range, Rows, Sync, Touched, Usage, Version, names_this,
    with_release,
};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

use super::config::{Config, Fleet};

/// What an instance knows of its project.
///
/// ```no_run
/// let declared = phasegate_build::read("migrations".as_ref())?;
/// for migration in &declared.migrations {
///     println!("{}: {}", migration.id, migration.description);
/// }
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Declared {
    /// The services that `migrate.toml` names, each with its other names for versions.
    pub services: BTreeMap<String, BTreeMap<String, Version>>,
    /// How their leases are held, and who else sees them.
    pub fleet: Fleet,
    /// In the order of their numbers.
    pub migrations: Vec<Declaration>,
    /// Where they are, if not beside `migrate.toml`.
    #[serde(skip)]
    pub directory: Option<PathBuf>,
}

/// The part of `migration.toml` that says who uses what.
#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    description: String,
    sync: Option<String>,
    rows: Option<String>,
    #[serde(default)]
    services: BTreeMap<String, Uses>,
    #[serde(default)]
    expand: Phase,
    backfill: Option<IgnoredAny>,
    change: Option<toml::Value>,
    #[serde(default)]
    contract: Phase,
    revert: Option<IgnoredAny>,
    /// A name that is mistyped may be any of those above.
    #[serde(flatten)]
    others: BTreeMap<String, IgnoredAny>,
}

/// A phase, as far as another migration tool carries it out.
#[derive(Default, Deserialize)]
struct Phase {
    revisions: Option<IgnoredAny>,
}

/// How versions use the formats, in the short or the long form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Uses {
    old: Option<String>,
    new: Option<String>,
    reads: Option<Sides>,
    writes: Option<Sides>,
    /// The first release that contains the migration.
    this: Option<Version>,
    /// For a rehearsal.
    probes: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sides {
    old: Option<String>,
    new: Option<String>,
}

impl Sides {
    fn touched(self, this: Option<&Version>) -> Result<Touched, String> {
        let range = |text: Option<String>| {
            let Some(text) = text else {
                return Ok(None);
            };
            let text = match this {
                Some(this) => with_release(&text, this),
                // Tags are for `migrate` to look at: a build may be anywhere.
                None if names_this(&text) => {
                    return Err(format!(
                        "has `{text}`, and a build does not look at the tags: write `this = \"1.3.0\"` beside it"
                    ));
                }
                None => text,
            };
            let range: Range = text.parse().map_err(|error| format!("{error}"))?;
            Ok(Some(range))
        };
        Ok(Touched {
            old: range(self.old)?,
            new: range(self.new)?,
        })
    }
}

impl Uses {
    fn usage(self) -> Result<Usage, String> {
        let is_short = self.old.is_some() || self.new.is_some();
        let is_long = self.reads.is_some() || self.writes.is_some();
        let (this, _) = (self.this.as_ref(), self.probes);
        let side = |sides: Option<Sides>| {
            let touched = sides.map(|sides| sides.touched(this)).transpose();
            touched.map(Option::unwrap_or_default)
        };
        match (is_short, is_long) {
            (true, true) => Err(
                "uses `old` and `new` beside `reads` and `writes`: write one form only".to_owned(),
            ),
            (false, false) => Err(
                "says of no version that it uses a format: write `old = …` or `new = …`".to_owned(),
            ),
            (true, false) => {
                let both = side(Some(Sides {
                    old: self.old,
                    new: self.new,
                }))?;
                Ok(Usage {
                    reads: both.clone(),
                    writes: both,
                })
            }
            (false, true) => Ok(Usage {
                reads: side(self.reads)?,
                writes: side(self.writes)?,
            }),
        }
    }
}

/// What the project in this directory declares.
///
/// # Errors
/// What could not be read, in one sentence that names the file.
///
/// ```no_run
/// use phasegate_build::Declared;
///
/// /// For a build script that puts it elsewhere than `embed` does.
/// fn text() -> Result<String, Box<dyn std::error::Error>> {
///     let declared: Declared = phasegate_build::read("migrations".as_ref())?;
///     Ok(serde_json::to_string(&declared)?)
/// }
/// ```
pub fn read(project: &Path) -> Result<Declared, String> {
    let file = project.join("migrate.toml");
    let config: Config = toml_in(&file)?;
    let fleet = config
        .fleet()
        .map_err(|why| format!("`{}` {why}", file.display()))?;
    let directory = project.join(&config.migrations);
    let mut migrations = Vec::new();
    for (id, path) in found(&directory)? {
        let before = migrations.last().map(|before: &Declaration| &before.id);
        if let Some(before) = before.filter(|before| before.number() == id.number()) {
            return Err(format!(
                "`{}` has the same number as `{before}`: `migrate renumber` gives it another",
                path.display()
            ));
        }
        migrations.push(declaration(id, &path, &config)?);
    }
    Ok(Declared {
        services: config
            .services
            .into_iter()
            .map(|(name, service)| (name, service.aliases))
            .collect(),
        fleet,
        migrations,
        directory: (!config.migrations.is_empty()).then_some(directory),
    })
}

/// The directories of migrations, in the order of their numbers.
fn found(directory: &Path) -> Result<BTreeSet<(MigrationId, PathBuf)>, String> {
    let unlisted = |error: std::io::Error| {
        format!(
            "the migrations in `{}` cannot be listed: {error}",
            directory.display()
        )
    };
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(directory).map_err(unlisted)? {
        let entry = entry.map_err(unlisted)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if !name.starts_with(|c: char| c.is_ascii_digit()) || !entry.path().is_dir() {
            continue;
        }
        let id = name.parse().map_err(|error| format!("{error}"))?;
        found.insert((id, entry.path()));
    }
    Ok(found)
}

fn declaration(id: MigrationId, path: &Path, config: &Config) -> Result<Declaration, String> {
    let file = path.join("migration.toml");
    let wrong = |why: String| format!("`{}` {why}", file.display());
    let manifest: Manifest = toml_in(&file)?;
    let mut services = BTreeMap::new();
    for (name, uses) in manifest.services {
        if !config.services.is_empty() && !config.services.contains_key(&name) {
            return Err(wrong(format!(
                "names the service `{name}`, which migrate.toml does not"
            )));
        }
        let usage = uses.usage();
        services.insert(
            name.clone(),
            usage.map_err(|why| wrong(format!("at `{name}` {why}")))?,
        );
    }
    if let (true, Some(name)) = (services.is_empty(), manifest.others.keys().next()) {
        return Err(wrong(format!(
            "names no service, and has `{name}`, which means nothing: is it mistyped?"
        )));
    }
    let has_new = services
        .values()
        .any(|usage| usage.reads.new.is_some() || usage.writes.new.is_some());
    let _ = manifest.revert;
    let follows = manifest.change.as_ref().map(kept_by);
    Ok(Declaration {
        id,
        description: manifest.description.trim().to_owned(),
        services: services.into(),
        sync: match (manifest.sync.as_deref(), follows) {
            (None, Some(follows)) => follows,
            (said, _) => named(said).map_err(|text| {
                wrong(format!(
                    "has `sync = \"{text}\"`, which can be both, to-new, to-old or none"
                ))
            })?,
        },
        rows: named::<Rows>(manifest.rows.as_deref()).map_err(|text| {
            wrong(format!(
                "has `rows = \"{text}\"`, which can be mutable or append-only"
            ))
        })?,
        parts: Parts {
            // A new format that nothing here makes is one to wait for all the same: by `nothing_to_do`, by a script that is still
            // to come, or by one whose name is mistyped.
            expand: has(path, "expand")? || manifest.expand.revisions.is_some() || has_new,
            backfill: manifest.backfill.is_some(),
            contract: has(path, "contract")? || manifest.contract.revisions.is_some(),
            revert: has(path, "revert")? || manifest.expand.revisions.is_some(),
        },
        fill: Fill::Unrecorded,
    })
}

/// What a declared change keeps in step by its triggers or its view. Of what only widens a column it is not known here, and none is the
/// strictest.
fn kept_by(change: &toml::Value) -> Sync {
    let kind = change.get("kind").and_then(toml::Value::as_str);
    match kind {
        Some("columns" | "split-table" | "rename-table") => Sync::Both,
        Some("not-null") if change.get("fill").is_some() => Sync::Both,
        Some("drop-column") if change.get("placeholder").is_some() => Sync::Both,
        _ => Sync::None,
    }
}

/// A word of a file, as the ledger writes it as well.
fn named<T: DeserializeOwned + Default>(text: Option<&str>) -> Result<T, String> {
    match text {
        None => Ok(T::default()),
        Some(text) => serde_json::from_value(text.into()).map_err(|_| text.to_owned()),
    }
}

/// Whether there is a script for this step, for whatever database.
fn has(path: &Path, step: &str) -> Result<bool, String> {
    let unlisted =
        |error: std::io::Error| format!("`{}` cannot be listed: {error}", path.display());
    for entry in fs::read_dir(path).map_err(unlisted)? {
        let name = entry.map_err(unlisted)?.file_name();
        let name = name.to_string_lossy();
        let rest = name
            .strip_prefix(step)
            .and_then(|rest| rest.strip_suffix(".sql"));
        if let Some("" | ".sqlite" | ".postgres" | ".mysql") = rest {
            return Ok(true);
        }
    }
    Ok(false)
}

fn toml_in<T: DeserializeOwned>(file: &Path) -> Result<T, String> {
    let text = fs::read_to_string(file)
        .map_err(|error| format!("`{}` cannot be read: {error}", file.display()))?;
    toml::from_str(&text).map_err(|error| format!("`{}` cannot be read: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        directory
    }

    const CONFIG: (&str, &str) = (
        "migrate.toml",
        "[services.web]\naliases = { \"a1b2c3d\" = \"1.2.0\" }\n",
    );

    fn with(manifest: &str) -> Result<Declared, String> {
        let files = [
            CONFIG,
            ("0001_a/migration.toml", manifest),
            ("0001_a/expand.sql", "x"),
        ];
        read(project(&files).path())
    }

    #[test]
    fn who_uses_what_is_read_and_nothing_else() {
        // Neither the backfill nor the contract makes sense, and no process of the application runs them.
        let declared = with(
            "description = \"x\"\nrows = \"append-only\"\n[services.web]\nreads = { old = \"<1.2.0\" }\nwrites = { new = \">=1.1.0\" }\n\
             [backfill]\ntable = 7\n[contract]\nsoack = 1\n[later]\nx = 1\n",
        )
        .unwrap();
        assert_eq!(
            serde_json::to_string(&declared).unwrap(),
            r#"{"services":{"web":{"a1b2c3d":"1.2.0"}},"fleet":{},"migrations":[{"id":"0001_a","description":"x","services":{"web":{"reads":{"old":"<1.2.0"},"writes":{"new":">=1.1.0"}}},"sync":"none","rows":"append-only","parts":{"expand":true,"backfill":true,"contract":false,"revert":false}}]}"#
        );
    }

    #[test]
    fn a_new_format_is_waited_for_whatever_makes_it() {
        let parts = |manifest: &str, scripts: &[&str]| {
            let mut files = vec![CONFIG, ("0001_a/migration.toml", manifest)];
            files.extend(scripts.iter().map(|script| (*script, "x")));
            read(project(&files).path()).unwrap().migrations[0].parts
        };
        let new = "[services.web]\nnew = \">=1.2.0\"\n";
        for manifest in [
            format!("{new}[expand]\nrevisions = [\"3f2a91c0\"]\n"),
            format!("{new}[expand]\nnothing_to_do = \"any text does\"\n"),
            new.to_owned(),
        ] {
            assert!(parts(&manifest, &[]).expand, "{manifest}");
        }
        let old = "[services.web]\nold = \"<1.2.0\"\n";
        let of_another_tool = format!("{old}[contract]\nrevisions = [\"8c11d07e\"]\n");
        assert!(parts(&of_another_tool, &[]).contract && !parts(&of_another_tool, &[]).expand);
        assert!(!parts(old, &["0001_a/expand.txt"]).expand);
    }

    #[test]
    fn how_leases_are_held_is_read() {
        let config = "[database]\nledger = \"shop_phasegate\"\n[services.web]\nmin_ready = \"5s\"\n[fleet]\nlease = \"30s\"\n\
                      renew = \"500ms\"\nconnection = \"short\"\nsources = [{ kind = \"leases\" }, { kind = \"kubernetes\" }, \
                      { kind = \"command\", run = [\"./bin/list\", \"-a\"] }, { kind = \"http\", name = \"consul\" }]\n";
        let declared = read(project(&[("migrate.toml", config)]).path()).unwrap();
        assert_eq!(
            serde_json::to_string(&declared.fleet).unwrap(),
            r#"{"lease_ms":30000,"renew_ms":500,"connection":"short","sources":["kubernetes","list","consul"],"min_ready_ms":{"web":5000},"ledger":"shop_phasegate"}"#
        );
    }

    #[test]
    fn what_would_be_misread_ends_the_build() {
        for (manifest, why) in [
            ("[services.wbe]\nnew = \">=1.1.0\"", "`wbe`"),
            ("[sevices.web]\nnew = \">=1.1.0\"", "`sevices`"),
            ("[services.web]\nnwe = \">=1.1.0\"", "nwe"),
            ("[services.web]\nnew = \"1.1\"", "migration.toml"),
            ("[services.web]\n", "no version"),
            (
                "[services.web]\nnew = \">=1.1.0\"\nreads = { old = \"<1.2.0\" }",
                "one form only",
            ),
            ("sync = \"bth\"\n[services.web]\nnew = \">=1.1.0\"", "bth"),
            ("rows = 3\n[services.web]\nnew = \">=1.1.0\"", "rows"),
            ("description = \"x", "migration.toml"),
        ] {
            let said = with(manifest).unwrap_err();
            assert!(said.contains(why), "{manifest}: {said}");
        }
        for (config, why) in [
            ("[fleet]\nlease = \"soon\"\n", "soon"),
            ("[fleet]\nconnection = \"none\"\n", "none"),
            ("[services.web]\nmin_ready = \"PT5S\"\n", "PT5S"),
        ] {
            let said = read(project(&[("migrate.toml", config)]).path()).unwrap_err();
            assert!(
                said.contains(why) && said.contains("migrate.toml"),
                "{said}"
            );
        }
        assert!(
            read(Path::new("/nowhere"))
                .unwrap_err()
                .contains("migrate.toml")
        );
        let twice = [
            CONFIG,
            ("0001_a/migration.toml", ""),
            ("1_b/migration.toml", ""),
        ];
        assert!(
            read(project(&twice).path())
                .unwrap_err()
                .contains("same number")
        );
        let elsewhere = [("migrate.toml", "migrations = \"db\"\n")];
        assert!(read(project(&elsewhere).path()).unwrap_err().contains("db"));
        let unnamed = [CONFIG, ("0001/migration.toml", "")];
        assert!(read(project(&unnamed).path()).unwrap_err().contains("0001"));
    }
}
