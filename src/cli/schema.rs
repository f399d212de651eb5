//! `migrate schema`: what editors complete and check the files in TOML by.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::json;

use super::failure::Failure;
use super::out::Out;
use crate::project::{CONFIG_FILE, Schema};

#[derive(Args)]
pub(super) struct SchemaArgs {
    /// The file whose schema is printed
    #[arg(value_name = "FILE", required_unless_present = "write")]
    pub file: Option<File>,
    /// Write both into `.phasegate`, where the files that `init` and `new` write look for them
    #[arg(long, conflicts_with = "file")]
    pub write: bool,
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum File {
    /// The project
    #[value(name = "migrate.toml")]
    Config,
    /// A migration
    #[value(name = "migration.toml")]
    Manifest,
}

/// Where a project keeps them: a file beside it can name no place that everybody has.
pub(super) const DIRECTORY: &str = ".phasegate";

pub(super) fn run(args: &SchemaArgs, out: &Out) -> Result<u8, Failure> {
    match args.file {
        Some(File::Config) => out.verbatim(&text(Schema::Config)),
        Some(File::Manifest) => out.verbatim(&text(Schema::Manifest)),
        None => {
            if !Path::new(CONFIG_FILE).exists() {
                return Err(Failure::new(format!("there is no {CONFIG_FILE} here, so this is not a project"))
                    .help("name the project's directory with `-C`; `migrate init` starts a new one and writes the schemas too"));
            }
            let written = write(Path::new("."))?;
            if out.is_json() {
                out.json(&json!({ "written": written }));
            } else {
                written
                    .iter()
                    .for_each(|path| out.well(format!("wrote {path}")));
            }
        }
    }
    Ok(0)
}

fn text(schema: Schema) -> String {
    format!("{:#}", schema.to_json())
}

/// Writes them anew, and says what was written.
pub(super) fn write(root: &Path) -> Result<Vec<String>, Failure> {
    let directory = root.join(DIRECTORY);
    let failed = |path: PathBuf, error: std::io::Error| {
        Failure::new(format!("{} cannot be written: {error}", path.display()))
    };
    match std::fs::symlink_metadata(&directory) {
        Ok(found) if found.is_dir() => {}
        Ok(_) => {
            let message = format!("{DIRECTORY} is there, and is no directory of this project");
            let help = "move it away: the schemas of the project's files are written there";
            return Err(Failure::new(message).help(help));
        }
        Err(_) => std::fs::create_dir(&directory).map_err(|error| failed(directory, error))?,
    }
    let mut written = Vec::new();
    for schema in Schema::ALL {
        let path = format!("{DIRECTORY}/{}", schema.file_name());
        let whole = root.join(&path);
        let text = format!("{}\n", text(schema));
        // A link that leads elsewhere goes; what it leads to stays.
        let _ = std::fs::remove_file(&whole);
        std::fs::write(&whole, text).map_err(|error| failed(whole, error))?;
        written.push(path);
    }
    Ok(written)
}

/// The line that names the schema to editors, for a file in a directory so far below the project's, where it is there.
pub(super) fn directive(root: &Path, schema: Schema, depth: usize) -> String {
    let path = format!("{DIRECTORY}/{}", schema.file_name());
    if !root.join(&path).exists() {
        return String::new();
    }
    let up = match depth {
        0 => "./".to_owned(),
        depth => "../".repeat(depth),
    };
    format!("#:schema {up}{path}\n")
}
