//! The layout of the packages, enforced: arrows point down only, and the pure part stays pure.
//!
//! The check reads the sources as text, not as a compiler would: it follows written paths (`crate::…`, `super::…`,
//! `phasegate::…`, `phasegate_model::…`), not what a macro or an alias of the crate may hide. Code under `#[cfg(test)]` is left out.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

mod circles;
mod lexed;
mod rules;
mod source;

use circles::circles;
use rules::violations;
use source::{PACKAGES, Package, Source};

/// Every file of every package, the packages apart.
fn sources() -> Vec<Source> {
    let packages = PACKAGES.iter().map(sources_of);
    packages.flat_map(source::without_test_files).collect()
}

/// Every file of one package, by its path below the package's folder.
fn sources_of(package: &'static Package) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(package.folder);
    let mut sources = Vec::new();
    let mut directories = vec![root.clone()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).expect("src is readable") {
            let path = entry.expect("src is readable").path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("sources are UTF-8");
                let name = path
                    .strip_prefix(&root)
                    .expect("it was found there")
                    .display()
                    .to_string();
                sources.push(Source::new(package, &name, &text));
            }
        }
    }
    assert!(!sources.is_empty(), "{} has no sources", package.folder);
    sources
}

#[test]
fn the_crate_keeps_its_layout() {
    let found = violations(&sources());
    assert!(
        found.is_empty(),
        "{} violations of the layout:\n{}\n",
        found.len(),
        found.join("\n")
    );
}

#[test]
fn no_arrow_of_the_table_is_unused() {
    let found = rules::unused(&sources());
    assert!(
        found.is_empty(),
        "{} arrows of LAYERS that nobody uses:\n{}\n",
        found.len(),
        found.join("\n")
    );
}

/// A circle is opened by a third file that has what both need, or by turning one of its arrows.
#[test]
fn no_file_needs_one_that_needs_it() {
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    let groups = circles(&sources());
    for group in &groups {
        let folder = group[0].rsplit_once('/').map_or("", |(folder, _)| folder);
        *found.entry(folder.to_owned()).or_default() += group.len();
    }
    for (folder, files) in rules::CIRCLES {
        let there = found.remove(*folder).unwrap_or_default();
        assert_eq!(
            there, *files,
            "files below {folder} that need each other, see CIRCLES in tests/suite/architecture/rules.rs; \
             it may only become less: {groups:#?}"
        );
    }
    assert!(found.is_empty(), "files that need each other: {groups:#?}");
}

/// The circles of made-up files, all in one package.
fn circles_of(files: &[(&str, &str)]) -> Vec<Vec<String>> {
    let sources = files
        .iter()
        .map(|(name, text)| Source::new(&PACKAGES[0], name, text));
    circles(&sources.collect::<Vec<_>>())
}

#[test]
fn a_circle_is_found_however_the_names_are_reached() {
    let two = vec![vec!["src/m/a.rs".to_owned(), "src/m/b.rs".to_owned()]];
    let root = (
        "m/mod.rs",
        "mod a; mod b; pub use a::A; pub use b::{B, f as g};",
    );
    for (a, b) in [
        ("use super::b::B; struct A;", "use super::a::A; struct B;"),
        ("use super::B; struct A;", "use crate::m::{A}; struct B;"),
        (
            "struct A { b: super::B }",
            "fn f() { crate::m::a::A::new() } struct B;",
        ),
        (
            "use super::g; struct A;",
            "use super::A; fn f() {} struct B;",
        ),
        (
            "use super::b; struct A;",
            "use super::*; use super::a::{self}; struct B;",
        ),
    ] {
        let files = [("lib.rs", "mod m;"), root, ("m/a.rs", a), ("m/b.rs", b)];
        assert_eq!(circles_of(&files), two, "{a} and {b}");
    }
    for (a, b) in [
        ("use super::b::B; struct A;", "struct B;"),
        (
            "struct A;",
            "//! [super::a::A]\nconst B: &str = \"super::a::A\";",
        ),
        (
            "use super::B; struct A;",
            "#[cfg(test)]\nmod tests { use super::super::A; } struct B;",
        ),
    ] {
        let files = [("lib.rs", "mod m;"), root, ("m/a.rs", a), ("m/b.rs", b)];
        assert_eq!(circles_of(&files), Vec::<Vec<String>>::new(), "{a} and {b}");
    }
    // A module and its parts are one; three files are a circle as well.
    let parts = [
        ("m/mod.rs", "mod a; struct M; fn f() { a::f() }"),
        ("m/a.rs", "use super::M; fn f() {}"),
    ];
    assert_eq!(circles_of(&parts), Vec::<Vec<String>>::new());
    let three = [
        ("lib.rs", ""),
        ("a.rs", "use crate::b::B; struct A;"),
        ("b.rs", "use crate::c::C; struct B;"),
        ("c.rs", "use crate::a::A; struct C;"),
        ("d.rs", "use crate::a::A;"),
    ];
    assert_eq!(
        circles_of(&three),
        [["src/a.rs", "src/b.rs", "src/c.rs"].map(str::to_owned)]
    );
}

#[test]
fn tests_wait_for_conditions_not_for_time() {
    let mut directories = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).expect("tests are readable") {
            let path = entry.expect("tests are readable").path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && !path.ends_with("support/wait.rs")
            {
                let source = Source::new(
                    &PACKAGES[0],
                    "tests.rs",
                    &fs::read_to_string(&path).expect("sources are UTF-8"),
                );
                let sleeps = source.has(&["thread", ":", ":", "sleep"])
                    || source.has(&["time", ":", ":", "sleep"]);
                assert!(
                    !sleeps,
                    "{}: use support::wait::eventually instead of sleep",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn every_package_of_the_workspace_is_in_the_layout() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates");
    for entry in fs::read_dir(crates).expect("crates is readable") {
        let name = entry.expect("crates is readable").file_name();
        let folder = format!("crates/{}/src", name.display());
        assert!(
            PACKAGES.iter().any(|package| package.folder == folder),
            "{folder} has no row in PACKAGES, tests/suite/architecture/source.rs"
        );
    }
}

/// What the check says about one made-up file, in the package that its module would be in.
fn about(name: &str, text: &str) -> Vec<String> {
    about_in(&PACKAGES[0], name, text)
}

fn about_in(package: &'static Package, name: &str, text: &str) -> Vec<String> {
    violations(&source::without_test_files(vec![Source::new(
        package, name, text,
    )]))
}

#[track_caller]
fn refused(name: &str, text: &str, reason: &str) {
    let found = about(name, text);
    assert!(
        found.iter().any(|violation| violation.contains(reason)),
        "{text:?} in {name}: expected {reason:?}, found {found:?}"
    );
}

#[track_caller]
fn accepted(name: &str, text: &str) {
    assert_eq!(
        about(name, text),
        Vec::<String>::new(),
        "{text:?} in {name}"
    );
}

#[test]
fn an_arrow_that_points_up_is_refused() {
    refused(
        "gate.rs",
        "use crate::planner::Plan;",
        "gate may not use planner",
    );
    refused(
        "model/version.rs",
        "fn f() { crate::ledger::open() }",
        "model may not use ledger",
    );
    refused(
        "ledger/log.rs",
        "use super::super::fleet::Snapshot;",
        "ledger may not use fleet",
    );
    refused(
        "ledger.rs",
        "mod inner { use super::super::fleet::Snapshot; }",
        "ledger may not use fleet",
    );
    refused(
        "sql.rs",
        "use crate::{model::{Version, State}, text};",
        "sql may not use model",
    );
    refused(
        "database/mod.rs",
        "pub use crate::{self as top};",
        "database may not use lib",
    );
    refused(
        "database/mod.rs",
        "use crate::Lease;",
        "database may not use lib",
    );
    refused("fleet/leases.rs", "use crate::*;", "fleet may not use lib");
    refused(
        "lib.rs",
        "use crate::main_loop::run;",
        "main_loop has no row",
    );
    refused("helpers.rs", "", "helpers has no row");
    accepted("gate.rs", "use crate::model::{self, Version};");
    accepted(
        "ledger/log.rs",
        "use super::table::Row; use crate::database::Session; pub(crate) fn f() {}",
    );
    accepted(
        "ledger.rs",
        "mod inner { use super::Row; use super::super::model::Version; } use crate::text;",
    );
    accepted("main.rs", "fn main() { phasegate::cli::run() }");
    accepted(
        "lib.rs",
        "mod model; pub use model::Version; pub use crate::ledger::Ledger;",
    );
}

#[test]
fn a_package_of_its_own_is_a_row_like_any_other() {
    let package = |folder: &str| {
        PACKAGES
            .iter()
            .find(|package| package.folder == folder)
            .expect("it has a row")
    };
    let said =
        |folder: &str, name: &str, text: &str| about_in(package(folder), name, text).join("");
    let (sql, model) = ("crates/sql/src", "crates/model/src");
    for (folder, name, text, reason) in [
        (sql, "lib.rs", "use std::fs;", "sql is pure"),
        (
            sql,
            "mysql/client.rs",
            "fn f() { std::env::var(\"\"); }",
            "sql is pure",
        ),
        (
            sql,
            "mysql.rs",
            "use phasegate_model::model::Version;",
            "sql may not use model",
        ),
        (model, "lib.rs", "use std::fs;", "model is pure"),
        (
            model,
            "gate/mod.rs",
            "use crate::planner::Plan;",
            "gate may not use planner",
        ),
        (
            model,
            "gate/mod.rs",
            "use phasegate_sql::Effect;",
            "gate may not use sql",
        ),
    ] {
        assert!(
            said(folder, name, text).contains(reason),
            "{text} in {folder}/{name}"
        );
    }
    assert_eq!(
        said(
            sql,
            "mysql/client.rs",
            "use crate::{ScriptError, words::Word};"
        ),
        ""
    );
    assert_eq!(said(model, "gate/mod.rs", "use crate::model::Version;"), "");
    assert_eq!(
        about("cli/check.rs", "use phasegate_sql::Effect;"),
        Vec::<String>::new()
    );
    refused(
        "ledger/mod.rs",
        "use phasegate_sql::Effect;",
        "ledger may not use sql",
    );
    refused(
        "ledger/mod.rs",
        "use phasegate_model::gate::Verdict;",
        "ledger may not use gate",
    );
}

#[test]
fn comments_strings_and_tests_are_no_code() {
    accepted(
        "gate.rs",
        "//! See [crate::planner].\n/* crate::cli /* nested */ crate::cli */",
    );
    accepted(
        "gate.rs",
        r####"const A: &str = "crate::cli \" crate::cli"; const B: &str = r#"crate::cli " x"#;"####,
    );
    accepted(
        "gate.rs",
        "fn f<'a>(x: &'a str) -> char { '\"' } // crate::cli\nconst C: &str = \"crate::cli\";",
    );
    accepted(
        "gate.rs",
        "#[cfg(test)]\nmod tests { use crate::cli; fn f() { println!(); x.unwrap(); } }",
    );
    refused(
        "gate.rs",
        "#[cfg(test)]\nmod tests { fn f() {} }\nuse crate::cli;",
        "gate.rs:3: gate may not use cli",
    );
    refused(
        "gate.rs",
        "#[cfg(test)]\nmod tests;\nuse crate::cli;",
        "gate.rs:3: gate may not use cli",
    );
    let parent = Source::new(&PACKAGES[0], "gate.rs", "#[cfg(test)]\nmod tests;");
    let tests = Source::new(
        &PACKAGES[0],
        "gate/tests.rs",
        "use crate::planner; fn f() { x.unwrap(); }",
    );
    assert_eq!(
        violations(&source::without_test_files(vec![parent, tests])),
        Vec::<String>::new()
    );
}

#[test]
fn what_is_impure_is_refused_in_the_pure_part() {
    for text in [
        "use std::fs;",
        "use std::{fmt, env};",
        "use std::time::{Duration, Instant};",
        "fn f() { std::time::SystemTime::now(); }",
        "fn f() { std::process::exit(1) }",
        "use std::net::TcpStream;",
        "use tokio::sync::Mutex;",
        "fn f(e: sqlx::Error) {}",
        "fn f() { jiff::Timestamp::now(); }",
        "async fn f() {}",
        "fn f() { g.await }",
        "fn f() { fastrand::bool(); }",
        "fn f() { eprintln!(); }",
        "use crate::crash;",
    ] {
        for file in [
            "model/version.rs",
            "gate.rs",
            "planner.rs",
            "sql.rs",
            "text.rs",
        ] {
            assert!(!about(file, text).is_empty(), "{text} in {file}");
        }
    }
    refused(
        "gate.rs",
        "use std::fs;",
        "gate is pure and may not use std::fs",
    );
    accepted(
        "gate.rs",
        "use std::time::Duration; use jiff::Timestamp; use std::collections::BTreeMap;",
    );
    accepted(
        "database/sqlite.rs",
        "async fn f() { sqlx::query(\"\").await; std::time::Instant::now(); }",
    );
}

#[test]
fn what_may_panic_is_refused_without_its_invariant() {
    refused("cli/status.rs", "fn f() { println!(\"x\"); }", "println!");
    refused("cli/status.rs", "fn f() { print!(\"x\"); }", "print!");
    refused(
        "cli/status.rs",
        "fn f() {\n    x.unwrap();\n}",
        "status.rs:2: .unwrap()",
    );
    refused(
        "cli/status.rs",
        "fn f() { x\n  .expect(\"y\"); }",
        "status.rs:2: .expect(",
    );
    refused(
        "cli/status.rs",
        "fn f() { x.unwrap(); } // never fails",
        ".unwrap()",
    );
    refused(
        "cli/status.rs",
        "fn f() { x.expect(\"// Invariant: in a string\"); }",
        ".expect(",
    );
    accepted(
        "cli/status.rs",
        "fn f() { x.unwrap(); } // Invariant: x was checked above.",
    );
    accepted(
        "cli/status.rs",
        "fn f() { x.unwrap_or(1); x.expect_none; writeln!(out, \"\"); eprintln!(); }",
    );
}

#[test]
fn only_a_program_ends_or_moves_its_process() {
    refused(
        "ask/mod.rs",
        "fn f() { std::process::exit(1); }",
        "process::exit",
    );
    refused(
        "rollout/mod.rs",
        "fn f() { std::env::set_current_dir(d); }",
        "set_current_dir",
    );
    accepted("cli/mod.rs", "fn f() { std::process::exit(1); }");
}

#[test]
fn a_file_that_grew_too_long_is_refused() {
    refused("gate.rs", &"const A: u8 = 1;\n".repeat(501), "501 lines");
    accepted("gate.rs", &"const A: u8 = 1;\n".repeat(500));
    accepted(
        "gate.rs",
        &format!(
            "#[cfg(test)]\nmod tests {{\n{}}}\n",
            "const A: u8 = 1;\n".repeat(501)
        ),
    );
}

#[test]
fn the_table_itself_points_down_only() {
    for (at, (module, may_use)) in rules::LAYERS.iter().enumerate() {
        for used in may_use.split_whitespace() {
            let below = rules::LAYERS
                .iter()
                .skip(at + 1)
                .any(|(other, _)| *other == used);
            assert!(below, "{module} may use {used}, which has no row below it");
        }
    }
}
