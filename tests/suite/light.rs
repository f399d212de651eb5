//! What a service takes on with a lease.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

/// More than this nobody should have to build for it.
const MOST: usize = 15;

/// The packages that a service with this `Cargo.toml` is built from.
fn packages(directory: &Path, arguments: &[&str]) -> BTreeSet<String> {
    let lines = tree(directory, arguments, "{p}");
    let names = lines.iter().filter_map(|line| line.split(' ').next());
    names.map(str::to_owned).collect()
}

/// A line for each of them and each set of features that it is built with.
fn tree(directory: &Path, arguments: &[&str], format: &str) -> BTreeSet<String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let listed = Command::new(cargo)
        .args(["tree", "--offline", "--edges", "normal,build"])
        .args(["--prefix", "none", "--no-dedupe", "--format", format])
        .args(arguments)
        .current_dir(directory)
        .output()
        .expect("cargo is there");
    let said = String::from_utf8_lossy(&listed.stderr);
    assert!(listed.status.success(), "{said}");
    let text = String::from_utf8(listed.stdout).expect("names are UTF-8");
    text.lines().map(str::to_owned).collect()
}

/// A service that has sqlx with this database, and a lease if it is asked to.
fn service(database: &str, sqlx: &str) -> tempfile::TempDir {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let directory = tempfile::tempdir().expect("a directory");
    let manifest = format!(
        r#"[package]
name = "service"
version = "0.1.0"
edition = "2024"
[workspace]
[features]
lease = ["dep:phasegate-lease"]
embedding = ["lease", "dep:phasegate-build"]
[dependencies]
sqlx = {{ version = "0.9", default-features = false, features = ["runtime-tokio", "tls-rustls-ring-webpki", "{sqlx}"] }}
tokio = {{ version = "1", features = ["rt-multi-thread", "macros", "net"] }}
phasegate-lease = {{ path = "{}", features = ["{database}"], optional = true }}
[build-dependencies]
phasegate-build = {{ path = "{}", optional = true }}
"#,
        root.join("crates/lease").display(),
        root.join("crates/build").display()
    );
    fs::write(directory.path().join("Cargo.toml"), manifest).expect("a manifest");
    fs::create_dir(directory.path().join("src")).expect("a directory");
    fs::write(directory.path().join("src/main.rs"), "fn main() {}").expect("a program");
    // The versions that this workspace is built with: whoever runs this has them.
    fs::copy(root.join("Cargo.lock"), directory.path().join("Cargo.lock")).expect("a lock");
    directory
}

#[test]
fn a_lease_adds_few_packages_to_a_service() {
    for (database, sqlx) in [
        ("postgres", "postgres"),
        ("mysql", "mysql"),
        ("sqlite", "sqlite-bundled"),
    ] {
        let service = service(database, sqlx);
        let without = packages(service.path(), &[]);
        let with = packages(service.path(), &["--features", "lease"]);
        assert!(without.contains("sqlx") && with.contains("phasegate-lease"));
        let embedding = packages(service.path(), &["--features", "embedding"]);
        let for_it: Vec<&String> = embedding.difference(&with).collect();
        assert!(for_it.len() <= 6, "{database}: {for_it:?}");
        // What the lease and the build script both depend on is built once: with the same features.
        let built = tree(service.path(), &["--features", "embedding"], "{p} {f}");
        for package in ["serde_core ", "serde ", "phasegate-model "] {
            let times = built.iter().filter(|line| line.starts_with(package));
            assert_eq!(times.count(), 1, "{database}: {built:#?}");
        }
        let added: Vec<&String> = with.difference(&without).collect();
        assert!(
            added.len() <= MOST,
            "{database}: {}: {added:?}",
            added.len()
        );
        for heavy in [
            "clap",
            "miette",
            "toml",
            "squawk-syntax",
            "sqlite3-parser",
            "strsim",
        ] {
            assert!(!with.contains(heavy), "{database}: {heavy}");
        }
        for other in ["sqlx-postgres", "sqlx-mysql", "libsqlite3-sys"] {
            assert_eq!(
                with.contains(other),
                without.contains(other),
                "{database}: {other}"
            );
        }
    }
}
