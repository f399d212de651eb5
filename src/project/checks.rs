//! Whether what a manifest declares and the scripts beside it fit together.

use std::collections::BTreeMap;

use crate::model::{Declaration, Format, Step, Sync};
use crate::sql::Dialect;

use super::directory::{Candidate, Directory, file_name};
use super::manifest::Manifest;
use super::problem::{Problem, closest, listed, shown};
use super::service::ServiceConfig;
use super::source::Source;

/// Every service has to be known, or its instances would not be looked for.
pub(super) fn services(
    source: &Source,
    manifest: &Manifest,
    known: &BTreeMap<String, ServiceConfig>,
) {
    for name in &manifest.service_names {
        if known.contains_key(&name.value) {
            continue;
        }
        let names = || known.keys().map(String::as_str);
        let help = match closest(&name.value, names()) {
            Some(guess) => format!("did you mean `{guess}`?"),
            None => format!(
                "add `[services.{}]` to migrate.toml, which names {}",
                name.value,
                if known.is_empty() {
                    "no service yet".to_owned()
                } else {
                    listed(names())
                }
            ),
        };
        source.error(
            "unknown-service",
            name.span.clone(),
            format!("migrate.toml names no service `{}`", name.value),
            help,
        );
    }
}

/// A step that has a script for one database needs one for all that the project is for.
pub(super) fn variants(
    root: &std::path::Path,
    directory: &Directory,
    dialects: &[Dialect],
) -> Vec<Problem> {
    let mut problems = Vec::new();
    for step in Step::ALL.into_iter().filter(|step| directory.has(*step)) {
        for dialect in dialects {
            if directory.chosen(step, *dialect).is_some() {
                continue;
            }
            let there = directory
                .candidates
                .iter()
                .filter(|found| found.step == step);
            let there: Vec<String> = there.map(Candidate::file_name).collect();
            let missing = file_name(step, Some(*dialect));
            problems.push(Problem::about(
                shown(root, &format!("{}/{missing}", directory.path)),
                "missing-script",
                format!(
                    "{} has no script for {}: there is {}, and neither `{}` nor `{missing}`",
                    step.name(),
                    dialect.name(),
                    listed(there.iter().map(String::as_str)),
                    file_name(step, None),
                ),
                format!(
                    "write `{missing}`, with `SELECT 1;` if there is nothing to do; or set `dialects` under `[database]` in migrate.toml to what the project runs on"
                ),
            ));
        }
    }
    problems
}

/// What needs a server that counts statements, in a project that has none.
pub(super) fn counted(source: &Source, manifest: &Manifest, dialects: &[Dialect]) {
    let rules = manifest.contract.as_ref().and_then(|of| of.rules.as_ref());
    let Some(unused) = rules.and_then(|rules| rules.unused.as_ref()) else {
        return;
    };
    if dialects.iter().all(|dialect| *dialect == Dialect::Sqlite) {
        source.error(
            "not-counted",
            unused.span.clone(),
            "`unused_for` goes by the statements that a server has counted, and SQLite counts none",
            "write `soak` in its place, which goes by the versions that were live, or a `require` that shows that nobody writes it any more",
        );
    }
}

/// Sections without their scripts, and scripts without their sections.
pub(super) fn presence(source: &Source, manifest: &Manifest, directory: &Directory) {
    // Scripts that follow from a declaration are asked for with it.
    let follows = manifest.is_of_a_change;
    let missing = |span, message: &str, help: &str| {
        if !follows {
            source.error("missing-script", span, message, help);
        }
    };
    if let Some(section) = &manifest.backfill
        && !directory.has(Step::Backfill)
    {
        missing(
            section.header.clone(),
            "there is a `[backfill]` and no `backfill.sql`",
            "write `backfill.sql` with one UPDATE over the key range, `WHERE id > :after AND id <= :upto`, or name the `revisions` of another migration tool here, or remove the section",
        );
    }
    if manifest.backfill.is_none() {
        let message = "nothing says which rows this backfill goes over";
        let help = "add `[backfill]` to migration.toml, with `table`, `key` and `remaining`, or remove the file";
        about_scripts(
            directory,
            Step::Backfill,
            "undeclared-script",
            message,
            help,
        );
    }
    if let Some(section) = &manifest.contract
        && !directory.has(Step::Contract)
    {
        missing(
            section.header.clone(),
            "there is a `[contract]` and no `contract.sql`",
            "write `contract.sql` with the statements that remove the old format, or remove the section",
        );
    }
    match (manifest.declares(Format::New), &manifest.nothing_to_do) {
        (Some(new), None) if !directory.has(Step::Expand) => missing(
            new,
            "there is a new format and no `expand.sql` that adds it",
            "write `expand.sql`, or name the `revisions` of another migration tool under `[expand]`; if the new format needs no statement, say why: `[expand]` with `nothing_to_do = \"…\"`",
        ),
        (_, Some(reason)) if directory.has(Step::Expand) => source.error(
            "contradictory-expand",
            reason.span.clone(),
            "`nothing_to_do` says that expand needs no statement, and there is an `expand.sql`",
            "remove one of them",
        ),
        _ => {}
    }
    if !directory.has(Step::Expand) {
        let message = "there is nothing to revert: this migration has no `expand.sql`";
        let help = "`revert.sql` undoes `expand.sql`: put that back as it was applied; or, if it never was, remove this";
        about_scripts(
            directory,
            Step::Revert,
            "revert-without-expand",
            message,
            help,
        );
    }
}

fn about_scripts(directory: &Directory, step: Step, code: &'static str, message: &str, help: &str) {
    let scripts = directory
        .candidates
        .iter()
        .filter(|found| found.step == step);
    for source in scripts.filter_map(|found| found.source.as_ref()) {
        let first_line = source.text().lines().next().unwrap_or_default();
        source.error(code, 0..first_line.len(), message, help);
    }
}

/// What the declaration means as a whole. Only worth asking once everything in it could be read.
pub(super) fn meaning(source: &Source, manifest: &Manifest, declaration: &Declaration) {
    let parts = declaration.parts;
    let old = manifest.declares(Format::Old);
    let new = manifest.declares(Format::New);
    if !parts.expand && !parts.backfill && !parts.contract {
        source.error(
            "nothing-to-do",
            0..0,
            "this migration has nothing to do",
            "write `expand.sql`, `backfill.sql` or `contract.sql`, or remove the directory",
        );
        return;
    }
    let sync = manifest
        .sync
        .as_ref()
        .filter(|sync| sync.value != Sync::None);
    if !declaration.existing_rows_reach_new()
        && let Some(new) = new.clone()
    {
        let help = "add a `[backfill]`; or, if writing the old format refreshes the new one (by triggers, a view, a wider type), \
                    say `sync = \"both\"` or `sync = \"to-new\"`";
        if sync.is_none() {
            let message = "nothing brings existing rows from the old format into the new one";
            source.error("no-way-to-new", new, message, help);
        } else if parts.contract {
            let message = "the contract can never be reached: nothing brings existing rows into the new format";
            source.error("unreachable-contract", new, message, help);
        }
    }
    if let Some(sync) = sync
        && (old.is_none() || new.is_none())
    {
        source.warning(
            "idle-sync",
            sync.span.clone(),
            "`sync` keeps an old and a new format in step, and only one is declared",
            "declare both under `[services.NAME]`, or remove `sync`",
        );
    }
    if let Some(reason) = &manifest.nothing_to_do
        && new.is_none()
    {
        source.warning(
            "idle-nothing-to-do",
            reason.span.clone(),
            "`nothing_to_do` is for a new format, and none is declared",
            "remove it, or declare `new` under `[services.NAME]`",
        );
    }
    match old {
        None if parts.contract => source.warning(
            "ungated-contract",
            manifest.contract.as_ref().map_or(0..0, |section| section.header.clone()),
            "no version is declared to use what `contract.sql` removes, so no live version will hold it back",
            "declare `old` under `[services.NAME]`, for example `old = \"<1.2.0\"`",
        ),
        Some(old) if new.is_none() && !parts.contract => source.warning(
            "old-without-contract",
            old,
            "an old format is declared and nothing ever removes it",
            "write `contract.sql`, or declare the `new` format that takes its place",
        ),
        _ => {}
    }
}
