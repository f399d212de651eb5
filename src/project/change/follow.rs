//! What follows from `[change]` for the declaration of a migration.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range as Span;

use crate::change::{self, Formats, Generated, Kind, Objection, Weight};
use crate::model::{Fill, Format, MigrationId};
use crate::sql::Dialect;

use super::super::later::{self, Forward};
use super::super::manifest::{ContractRules, Manifest};
use super::super::query::Query;
use super::super::reader::Located;
use super::super::section::Section;
use super::super::source::Source;
use super::read::Declared;
use super::seal::number;
use super::split;

/// What follows from it, for each database that the project is for.
pub(in crate::project) type Following = BTreeMap<Dialect, Generated>;

/// What follows for each database; what cannot follow is reported, and what the migrations `before` speak against.
pub(in crate::project) fn follow(
    source: &Source,
    manifest: &mut Manifest,
    id: &MigrationId,
    (dialects, before): (&[Dialect], &[Forward]),
) -> Following {
    let mut following = Following::new();
    let Some(declared) = manifest.change.clone() else {
        return following;
    };
    for dialect in dialects {
        match change::generate(&declared.change, *dialect, number(id)) {
            Ok(generated) => {
                following.insert(*dialect, generated);
            }
            Err(wrong) => source.error(
                "cannot-follow",
                declared.header.clone(),
                wrong.message,
                wrong.help,
            ),
        }
    }
    against(source, &declared, dialects, before);
    formats(source, manifest, &declared);
    take(source, manifest, &declared, &following);
    following
}

/// What the tables speak against, as the earlier migrations leave them.
fn against(source: &Source, declared: &Declared, dialects: &[Dialect], before: &[Forward]) {
    let mut said = BTreeSet::new();
    let to = match &declared.change.kind {
        Kind::RenameTable(rename) => Some((&rename.to, "expand makes a view of that name")),
        Kind::SplitTable(split) => Some((&split.to, "expand makes the table")),
        _ => None,
    };
    if let Some((to, makes)) = to {
        let is_there = |dialect: &&Dialect| later::table(before, **dialect, to).is_some();
        if let Some(dialect) = dialects.iter().find(is_there) {
            source.error(
                "contradicts-table",
                declared.header.clone(),
                format!("there is a table `{to}` already on {}", dialect.title()),
                format!("choose another name under `to`: {makes}"),
            );
        }
    }
    for dialect in dialects {
        let Some(table) = later::table(before, *dialect, &declared.change.table) else {
            continue;
        };
        for Objection { weight, wrong } in change::objections(&declared.change, *dialect, &table) {
            if !said.insert(wrong.message.clone()) {
                continue;
            }
            let span = declared.header.clone();
            match weight {
                Weight::Error => {
                    source.error("contradicts-table", span, wrong.message, wrong.help);
                }
                Weight::IndexGoes => {
                    source.warning("index-goes", span, wrong.message, wrong.help);
                }
                Weight::MayBeRefused => {
                    source.warning("may-be-refused", span, wrong.message, wrong.help);
                }
                Weight::Unseen => {
                    source.warning("not-kept-in-step", span, wrong.message, wrong.help);
                }
                Weight::ConstraintGoes => {
                    source.warning("constraint-goes", span, wrong.message, wrong.help);
                }
            }
        }
    }
}

/// Whether the services declare the formats that such a change has.
fn formats(source: &Source, manifest: &Manifest, declared: &Declared) {
    if manifest.services.is_empty() {
        return;
    }
    if let Kind::SplitTable(split) = &declared.change.kind {
        split::writes_both(source, manifest, declared, split);
    }
    let wanted = declared.change.kind.formats();
    let missing = |format: &str, example: &str| {
        source.error(
            "missing-format",
            declared.header.clone(),
            format!("this change has {format} format, and no service says which versions use it"),
            format!("write for example `{example}` under `[services.NAME]`"),
        );
    };
    let too_much = |span: Option<Span<usize>>, message: &str, help: &str| {
        if let Some(span) = span {
            source.error("surplus-format", span, message, help);
        }
    };
    let (old, new) = (
        manifest.declares(Format::Old),
        manifest.declares(Format::New),
    );
    if wanted != Formats::New && old.is_none() {
        missing("an old", "old = \"<1.2.0\"");
    }
    if wanted != Formats::Old && new.is_none() {
        missing("a new", "new = \">=1.1.0\"");
    }
    match wanted {
        Formats::Both => {}
        Formats::New => too_much(
            old,
            "this change takes nothing away, so that no version uses an old format",
            "remove `old`",
        ),
        Formats::Old => too_much(
            new,
            "this change adds nothing that a version could need",
            "remove `new`; `old` names the versions that still use, or write, what the contract ends",
        ),
    }
}

/// Puts what follows into the manifest, where nothing else may say it.
fn take(source: &Source, manifest: &mut Manifest, declared: &Declared, following: &Following) {
    let Some(first) = following.values().next() else {
        return;
    };
    if let Some(said) = &manifest.sync {
        if said.value != first.sync {
            source.error(
                "contradictory-sync",
                said.span.clone(),
                format!(
                    "`sync` follows from `[change]`, and is \"{}\"",
                    first.sync.name()
                ),
                "remove it",
            );
        }
    } else {
        manifest.sync = Some(Located {
            value: first.sync,
            span: declared.header.clone(),
        });
    }
    let each = |of: &dyn Fn(&Generated) -> Option<String>| {
        let own = following
            .iter()
            .filter_map(|(dialect, generated)| Some((*dialect, of(generated)?)));
        Query::following(own.collect())
    };
    match (&mut manifest.backfill, &first.filling) {
        (section, Some(filling)) => {
            let section = section.get_or_insert_with(|| Section {
                header: declared.header.clone(),
                rules: Some(super::super::backfill::following()),
                queries: Vec::new(),
                range_queries: Vec::new(),
            });
            if let Some(rules) = &mut section.rules {
                rules.table.clone_from(&filling.table);
                rules.key.clone_from(&filling.key);
                rules.remaining = each(&|generated| {
                    generated
                        .filling
                        .as_ref()
                        .map(|filling| filling.remaining.clone())
                });
                rules.check = Some(each(&|generated| {
                    generated
                        .filling
                        .as_ref()
                        .map(|filling| filling.check.clone())
                }));
                rules.fill = Fill::Checked;
            }
        }
        (Some(section), None) => source.error(
            "surplus-backfill",
            section.header.clone(),
            "this change fills nothing, so that there is nothing to say about a backfill",
            "remove `[backfill]`",
        ),
        (None, None) => {}
    }
    if first.require.is_empty() {
        return;
    }
    let section = manifest.contract.get_or_insert_with(|| Section {
        header: declared.header.clone(),
        rules: Some(ContractRules::default()),
        queries: Vec::new(),
        range_queries: Vec::new(),
    });
    if let Some(rules) = &mut section.rules {
        for index in 0..first.require.len() {
            rules
                .require
                .push(each(&|generated| generated.require.get(index).cloned()));
        }
    }
}
