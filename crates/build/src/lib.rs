//! The migrations that an application was built with travel in its binary: what they declare, and nothing of their scripts.
//!
//! In `build.rs` of the application:
//!
//! ```no_run
//! phasegate_build::embed("migrations");
//! ```
//!
//! and where it asks for its lease: `Lease::builder(…).embedded(phasegate_lease::embedded!())`. So an instance knows the
//! migrations that its version needs, although its container holds no file of them, and whatever is wrong with what a process
//! never runs cannot stop its start: what stops something is read here, when it is built.

mod config;
mod declared;
mod duration;

use std::path::{Path, PathBuf};
use std::{env, fs};

pub use config::Fleet;
pub use declared::{Declared, read};

/// What the application includes.
const FILE: &str = "phasegate.json";

/// Reads the project in this directory, where `migrate.toml` is, relative to the package that is built, and writes what it
/// declares for `phasegate_lease::embedded!()`. Whatever cannot be read ends the build and says why.
///
/// ```no_run
/// // In the `main` of build.rs, in a directory beside that of the migrations.
/// phasegate_build::embed("../migrations");
/// ```
pub fn embed(project: impl AsRef<Path>) {
    let project = project.as_ref();
    if let Err(why) = embed_into(project, env::var_os("OUT_DIR").map(PathBuf::from)) {
        eprintln!("phasegate-build: {why}");
        std::process::exit(1);
    }
}

fn embed_into(project: &Path, out: Option<PathBuf>) -> Result<(), String> {
    let Some(out) = out else {
        return Err("there is no OUT_DIR: `embed` is called in `build.rs`, by cargo".to_owned());
    };
    // Of a directory cargo looks at everything below it.
    watch(project)?;
    let declared = read(project)?;
    if let Some(migrations) = &declared.directory {
        watch(migrations)?;
    }
    let text = serde_json::to_string(&declared).map_err(|error| error.to_string())?;
    let file = out.join(FILE);
    fs::write(&file, text)
        .map_err(|error| format!("`{}` cannot be written: {error}", file.display()))
}

/// Builds again when something below it changes. Said on standard output, to cargo.
fn watch(path: &Path) -> Result<(), String> {
    use std::io::Write as _;
    writeln!(
        std::io::stdout(),
        "cargo::rerun-if-changed={}",
        path.display()
    )
    .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_declared_is_written_for_the_application() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations-example");
        let out = tempfile::tempdir().unwrap();
        embed_into(&root, Some(out.path().to_owned())).unwrap();
        let text = fs::read_to_string(out.path().join(FILE)).unwrap();
        assert!(text.contains("\"services\"") && text.contains("\"migrations\""));
        for script in ["CREATE TABLE", "UPDATE ", "ALTER TABLE"] {
            assert!(!text.contains(script), "{text}");
        }
        assert!(embed_into(&root, None).unwrap_err().contains("build.rs"));
    }
}
