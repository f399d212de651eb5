//! The schema alone, without rows of ours: each script runs, a revert leaves what was there, and a contract takes what is old.

use std::collections::BTreeSet;

use super::said::between_ranges;
use crate::model::{Formats, Step, Sync};
use crate::rehearse::RehearseError;
use crate::rehearse::report::Finding;
use crate::rehearse::shape::{Catalogue, Difference, Object};
use crate::rehearse::stage::{Stage, refuse_lost};
use crate::rehearse::world::World;

/// Differences that are told one by one.
const TOLD: usize = 3;

/// Runs every script once; false where no more can be tried.
pub(super) async fn look(stage: &mut Stage<'_>) -> Result<bool, RehearseError> {
    let mut world = stage.base.fresh().await?;
    if !stage.step(&mut world, Step::Expand).await? {
        world.close().await;
        return Ok(false);
    }
    stage.between = world.catalogue().await?;
    let files = stage.files();
    let mut scripts = usize::from(files.expand.is_some());
    if files.revert.is_some() && files.expand.is_some() {
        scripts += 1;
        if stage.step(&mut world, Step::Revert).await? {
            let found = world.catalogue().await?;
            let left = found.differences(&stage.before);
            if !left.is_empty() {
                stage.find(Finding::wrong(
                    "revert-leaves",
                    Step::Revert,
                    format!(
                        "after expand and revert the schema is not as it was: {}",
                        listed(&left)
                    ),
                    "revert.sql has to undo all that expand.sql does, and nothing else",
                ));
            }
            let again = stage.findings.len();
            let is_expanded = stage.step(&mut world, Step::Expand).await?;
            if !is_expanded {
                // What it left behind was told; that it is in the way is the same mistake.
                if stage
                    .findings
                    .iter()
                    .any(|found| found.code == "revert-leaves")
                {
                    stage.findings.truncate(again);
                }
                world.close().await;
                world = stage.base.fresh().await?;
                stage.step(&mut world, Step::Expand).await?;
            }
        } else {
            world.close().await;
            world = stage.base.fresh().await?;
            stage.step(&mut world, Step::Expand).await?;
        }
    }
    if let Some(rules) = &stage.migration().backfill
        && let Some(why) = world.against_key(rules).await?
    {
        stage.find(Finding::wrong(
            "key",
            Step::Backfill,
            format!("the backfill cannot go along its key: {why}"),
            "name a unique key of the table that an index serves",
        ));
    }
    stage.after = stage.between.clone();
    if files.contract.is_some() {
        scripts += 1;
        let is_done = stage.step(&mut world, Step::Backfill).await?
            && stage.step(&mut world, Step::Contract).await?;
        if is_done {
            stage.after = world.catalogue().await?;
            taken(stage);
            views(stage, &mut world).await?;
        }
    }
    declared(stage);
    world.close().await;
    stage.tried("scripts on a schema without rows", scripts);
    Ok(true)
}

/// What the declaration alone leaves open.
fn declared(stage: &mut Stage<'_>) {
    let migration = stage.migration();
    let declaration = &migration.declaration;
    let keeps_old =
        migration.backfill.is_some() || declaration.sync.extend(Formats::NEW) == Formats::BOTH;
    if stage.files().contract.is_none()
        && declaration.has_old()
        && declaration.has_new()
        && keeps_old
    {
        stage.find(Finding::doubt(
            "no-contract",
            Step::Contract,
            "there is no contract.sql: the old format stays for ever, and what keeps it in step with the new one",
            "write what takes the old format away once no version uses it",
        ));
    }
    if let Some((service, version)) = between_ranges(declaration) {
        stage.find(Finding::doubt(
            "ranges-gap",
            None,
            format!(
                "`{service}` {version} uses neither format, though versions before it use the old one and versions after it the new one"
            ),
            "let `new` begin where `old` ends, or before",
        ));
    }
}

pub(super) fn listed(differences: &[(Object, Difference)]) -> String {
    let told: Vec<String> = differences
        .iter()
        .take(TOLD)
        .map(|(object, difference)| format!("{object} {}", difference.word()))
        .collect();
    let more = match differences.len().saturating_sub(TOLD) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    format!("{}{more}", told.join(", "))
}

/// What the contract takes and leaves.
fn taken(stage: &mut Stage<'_>) {
    let gained = stage.between.differences(&stage.before);
    let is_of_rows = |object: &Object| object.what == "column";
    let added: BTreeSet<Object> = gained
        .iter()
        .filter(|(_, difference)| *difference == Difference::Added)
        .map(|(object, _)| object.clone())
        .collect();
    let of_views: BTreeSet<String> = stage
        .between
        .relations
        .iter()
        .filter(|relation| !relation.is_table)
        .map(|relation| relation.shown.clone())
        .collect();
    let lost: Vec<(Object, Difference)> = stage
        .after
        .differences(&stage.between)
        .into_iter()
        .filter(|(object, difference)| {
            *difference == Difference::Gone && added.contains(object) && is_of_rows(object)
        })
        .filter(|(object, _)| !of_views.contains(&object.table))
        .collect();
    if !lost.is_empty() {
        stage.find(Finding::wrong(
            "contract-loses",
            Step::Contract,
            format!(
                "the contract takes away what expand has added: {}",
                listed(&lost)
            ),
            "contract.sql removes the old format, and the new one stays",
        ));
    }
    let left: Vec<String> = added
        .iter()
        .filter(|object| matches!(object.what.as_str(), "trigger"))
        .filter(|object| stage.after.objects.contains_key(*object))
        .map(ToString::to_string)
        .collect();
    if !left.is_empty() && stage.migration().declaration.sync != Sync::None {
        stage.find(Finding::doubt(
            "contract-leaves",
            Step::Contract,
            format!(
                "the contract leaves what keeps the formats in step, though one of them is gone: {}",
                left.join(", ")
            ),
            "drop it in contract.sql, before the old format goes",
        ));
    }
    keeps_both(stage);
    uncarried(stage);
}

/// A contract that ends the keeping in step and leaves both formats: from then on they drift apart.
fn keeps_both(stage: &mut Stage<'_>) {
    let changed = stage.after.differences(&stage.between);
    let is_of_keeping =
        |object: &Object| matches!(object.what.as_str(), "trigger" | "function" | "procedure");
    let only_that = changed
        .iter()
        .all(|(object, difference)| *difference == Difference::Gone && is_of_keeping(object));
    if changed.is_empty() || !only_that || stage.migration().declaration.sync == Sync::None {
        return;
    }
    let gone = listed(&changed);
    stage.find(Finding::doubt(
        "contract-keeps-old",
        Step::Contract,
        format!(
            "the contract takes away what keeps the formats in step, and leaves both of them: {gone}"
        ),
        "let it take the old format as well, or leave what keeps it in step until that goes",
    ));
}

/// Columns and tables of before that the contract drops and of which nothing before speaks.
fn uncarried(stage: &mut Stage<'_>) {
    let files = stage.files();
    if files.expand.is_none() && files.backfill.is_none() {
        return;
    }
    let mut speaks = String::new();
    for file in files.expand.iter() {
        speaks.push_str(&file.text.to_lowercase());
    }
    for file in files.backfill.iter() {
        speaks.push_str(&file.text.to_lowercase());
    }
    let is_spoken_of = |name: &str| {
        let is_apart = |c: char| !(c.is_alphanumeric() || c == '_');
        // A table may be shown with its schema.
        let name = name.rsplit('.').next().unwrap_or(name).to_lowercase();
        // One of several words stands in quotes.
        let is_plain = !name.chars().any(is_apart);
        speaks.split(is_apart).any(|word| word == name) || !is_plain && speaks.contains(&name)
    };
    let dropped: Vec<Object> = stage
        .after
        .differences(&stage.between)
        .into_iter()
        .filter(|(object, difference)| {
            *difference == Difference::Gone
                && object.what == "column"
                && stage.before.objects.contains_key(object)
        })
        .map(|(object, _)| object)
        .collect();
    let is_whole = |object: &Object, catalogue: &Catalogue| {
        catalogue
            .named(&object.table)
            .is_none_or(|there| !there.is_table)
    };
    let (carried, silent): (Vec<&Object>, Vec<&Object>) = dropped.iter().partition(|object| {
        if is_whole(object, &stage.after) {
            is_spoken_of(&object.table)
        } else {
            is_spoken_of(&object.name) && is_spoken_of(&object.table)
        }
    });
    let Some(first) = silent.first() else {
        return;
    };
    let what = if is_whole(first, &stage.after) {
        format!("the table `{}`", first.table)
    } else {
        first.to_string()
    };
    let message =
        format!("the contract drops {what}, of which neither expand.sql nor backfill.sql speaks");
    let help = "if it is meant, put it into a migration of its own, which says who still uses it; if not, drop what the new format replaces";
    let finding = if carried.is_empty() {
        Finding::wrong("contract-drops-other", Step::Contract, message, help)
    } else {
        Finding::doubt("contract-drops-other", Step::Contract, message, help)
    };
    stage.find(finding);
}

/// Views that could be read before and cannot any more.
pub(super) async fn views(stage: &mut Stage<'_>, world: &mut World) -> Result<(), RehearseError> {
    let views: Vec<_> = stage
        .before
        .relations
        .iter()
        .filter(|relation| !relation.is_table)
        .cloned()
        .collect();
    for view in views {
        let sql = format!("SELECT count(*) FROM {}", view.sql);
        if let Err(error) = world.count(&sql).await {
            refuse_lost(&error)?;
            let said = stage.said(&error);
            stage.find(Finding::wrong(
                "view-broken",
                Step::Contract,
                format!("after the contract the view `{}` cannot be read any more: {said}", view.shown),
                "make it anew over the new format in expand.sql, or drop it in contract.sql if nobody reads it",
            ));
        }
    }
    Ok(())
}
