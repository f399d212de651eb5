//! The rules of the layout, and what breaks them.

use std::collections::BTreeSet;

use super::source::{Path, Source};

/// Every top-level module, from the top down, and the modules that it may use. `lib` is the crate's root: a name that only
/// the public API re-exports is reached through the module that it comes from.
pub const LAYERS: &[(&str, &str)] = &[
    ("main", "cli"),
    (
        "lib",
        "ledger database change planner gate model sql crash process interrupt text",
    ),
    (
        "cli",
        "analysis serve ask adopt rehearse rollout coordinator backfill lease fleet ledger database project change runner planner gate model sql interrupt text telemetry span",
    ),
    (
        "serve",
        "ask rollout coordinator lease fleet ledger database project source cluster web planner gate model interrupt text telemetry span",
    ),
    (
        "adopt",
        "database project program runner sql crash interrupt text",
    ),
    ("rehearse", "backfill database project model sql interrupt"),
    (
        "ask",
        "rollout coordinator ledger database project planner gate model interrupt",
    ),
    (
        "rollout",
        "analysis coordinator ledger project driver planner gate model crash interrupt span",
    ),
    (
        "coordinator",
        "backfill fleet ledger database project runner gate model sql crash interrupt text span",
    ),
    ("backfill", "ledger database project model sql crash span"),
    (
        "lease",
        "ledger database project runner gate model crash process interrupt chance text",
    ),
    (
        "fleet",
        "ledger database project source model process text span",
    ),
    (
        "project",
        "analysis change source driver runner web row model sql text",
    ),
    // What the build of an application reads: it may use nothing that a database or a script is read with.
    ("build", "model"),
    ("change", "model sql"),
    (
        "source",
        "cluster web row program database interrupt model text",
    ),
    ("analysis", "web row program interrupt text"),
    ("driver", "cluster row program process interrupt model text"),
    ("cluster", "row process model text"),
    ("telemetry", "web"),
    ("web", "row text"),
    ("runner", "row program database process interrupt sql"),
    ("program", "process interrupt text"),
    ("row", ""),
    ("ledger", "database model crash chance text"),
    ("database", "sql crash process interrupt chance text"),
    ("planner", "gate model"),
    ("gate", "model"),
    ("model", ""),
    ("sql", ""),
    // Leaves for all; `crash`, which ends the process on purpose, is not for what is pure.
    ("crash", ""),
    ("process", ""),
    ("interrupt", ""),
    ("chance", ""),
    ("span", ""),
    ("text", ""),
];

/// How many files of a folder need each other, folder by folder. There are none elsewhere, and here it may only become less.
pub const CIRCLES: &[(&str, usize)] = &[
    ("crates/lease/src/database", 20),
    ("crates/lease/src/lease", 3),
    ("crates/lease/src/ledger", 12),
    ("crates/model/src/gate", 12),
];

/// Modules without I/O, clock, chance or async: what they answer depends on what they are given, alone.
const PURE: &[&str] = &["change", "planner", "gate", "model", "sql", "text"];

/// Modules that are programs, or run as one: their process is theirs.
const PROGRAMS: &[&str] = &["cli", "main", "build"];

/// Paths that no pure module mentions. `…::now` of any crate is refused as well.
const IMPURE: &[&str] = &[
    "std::env",
    "std::fs",
    "std::io::stdin",
    "std::io::stdout",
    "std::io::stderr",
    "std::net",
    "std::os",
    "std::process",
    "std::time::Instant",
    "std::time::SystemTime",
    "fastrand",
    "rustix",
    "sqlx",
    "tokio",
    "whoami",
];

/// Tokens that no pure module contains.
const IMPURE_TOKENS: &[&[&str]] = &[
    &["async"],
    &[".", "await"],
    &[":", ":", "now"],
    &["eprintln", "!"],
    &["eprint", "!"],
    &["dbg", "!"],
];

/// Lines of one file, those under `#[cfg(test)]` not counted.
const MOST_LINES: usize = 500;

/// Every place that breaks a rule, as `file:line: what is wrong`.
pub fn violations(sources: &[Source]) -> Vec<String> {
    sources.iter().flat_map(violations_of).collect()
}

fn violations_of(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    let module = source.layer();
    if !is_known(module) {
        found.push(format!("{}: {}", source.name, unknown(module)));
        return found;
    }
    for path in source.paths() {
        found.extend(arrow(source, module, &path));
        if PURE.contains(&module) {
            found.extend(impure_path(source, module, &path));
        }
    }
    if PURE.contains(&module) {
        for tokens in IMPURE_TOKENS {
            let lines = source.lines_with(tokens);
            let text = tokens.concat();
            found.extend(lines.into_iter().map(|line| {
                format!(
                    "{}:{line}: {module} is pure and may not use {text}",
                    source.name
                )
            }));
        }
    }
    found.extend(unchecked_output(source));
    found.extend(of_the_process(source, module));
    found.extend(unexplained_panics(source));
    if source.code_lines() > MOST_LINES {
        let lines = source.code_lines();
        found.push(format!(
            "{}: {lines} lines are more than {MOST_LINES}: is it one concept?",
            source.name
        ));
    }
    found
}

/// Arrows of the table that nothing in the sources goes along, as `module -> used`.
pub fn unused(sources: &[Source]) -> Vec<String> {
    let used: BTreeSet<(String, String)> = sources
        .iter()
        .flat_map(|source| {
            let modules = source.paths().into_iter().filter_map(|path| path.module);
            modules.map(|used| (source.layer().to_owned(), used))
        })
        .collect();
    let present: BTreeSet<&str> = sources.iter().map(Source::layer).collect();
    let mut found = Vec::new();
    for (module, may_use) in LAYERS {
        if !present.contains(module) {
            found.push(format!("{module} has no file"));
        }
        for other in may_use.split_whitespace() {
            if !used.contains(&((*module).to_owned(), other.to_owned())) {
                found.push(format!("{module} -> {other}"));
            }
        }
    }
    found
}

fn is_known(module: &str) -> bool {
    LAYERS.iter().any(|(known, _)| *known == module)
}

fn unknown(module: &str) -> String {
    format!(
        "{module} has no row in LAYERS, tests/suite/architecture/rules.rs: add one that says what it may use"
    )
}

/// A path into a module that this one may not use.
fn arrow(source: &Source, module: &str, path: &Path) -> Option<String> {
    let used = path.module.as_deref()?;
    let (_, may_use) = LAYERS.iter().find(|(known, _)| *known == module)?;
    if used == module || may_use.split(' ').any(|allowed| allowed == used) {
        return None;
    }
    let place = format!("{}:{}", source.name, path.line);
    if is_known(used) {
        let hint = if used == "lib" {
            ": name the module that it comes from"
        } else {
            ""
        };
        Some(format!(
            "{place}: {module} may not use {used} ({}){hint}",
            path.text
        ))
    } else if module == "lib" || module == "main" {
        Some(format!("{place}: {}", unknown(used)))
    } else {
        Some(format!(
            "{place}: {module} may not use {used}, and {}",
            unknown(used)
        ))
    }
}

fn impure_path(source: &Source, module: &str, path: &Path) -> Option<String> {
    let below = |impure: &str| path.text == impure || path.text.starts_with(&format!("{impure}::"));
    let impure = IMPURE.iter().find(|impure| below(impure))?;
    Some(format!(
        "{}:{}: {module} is pure and may not use {impure}",
        source.name, path.line
    ))
}

/// `println!` panics when its reader has gone (`migrate status | head`).
fn unchecked_output(source: &Source) -> Vec<String> {
    let calls = ["println", "print"].into_iter().flat_map(|name| {
        source.lines_with(&[name, "!"]).into_iter().map(move |line| {
            format!("{}:{line}: {name}! panics on a closed pipe: write to standard output and handle the error", source.name)
        })
    });
    calls.collect()
}

/// What ends or moves the whole process is for a program to decide, and not for what it is made of.
fn of_the_process(source: &Source, module: &str) -> Vec<String> {
    if PROGRAMS.contains(&module) {
        return Vec::new();
    }
    let calls: [(&str, &[&str]); 2] = [
        ("process::exit", &["process", ":", ":", "exit"]),
        ("set_current_dir", &["set_current_dir"]),
    ];
    let calls = calls.into_iter().flat_map(|(name, tokens)| {
        source.lines_with(tokens).into_iter().map(move |line| {
            format!(
                "{}:{line}: {module} is no program: {name} is for whoever calls it",
                source.name
            )
        })
    });
    calls.collect()
}

fn unexplained_panics(source: &Source) -> Vec<String> {
    let calls: [(&str, &[&str]); 2] = [
        (".unwrap()", &[".", "unwrap", "(", ")"]),
        (".expect(", &[".", "expect", "("]),
    ];
    let calls = calls.into_iter().flat_map(|(name, tokens)| {
        source.lines_with(tokens).into_iter().filter(|line| !source.comment(*line).contains("// Invariant: ")).map(move |line| {
            format!("{}:{line}: {name} without a comment `// Invariant: …` on its line that says why it cannot fail", source.name)
        })
    });
    calls.collect()
}
