//! The backfill: it fills what is there, keeps to its keys, changes nothing the second time, and what says that it is done is
//! honest: a row that is made wrong has to be counted.

use super::drawn::{is_like, without_drawn};
use super::told::told;
use crate::model::{Step, Sync};
use crate::rehearse::RehearseError;
use crate::rehearse::report::Finding;
use crate::rehearse::rows::{Rows, differing, quoted};
use crate::rehearse::stage::{Stage, refuse_lost};
use crate::rehearse::tongue::triggers_of;
use crate::rehearse::world::World;

/// Rows that are made wrong, one after the other.
const MADE_WRONG: usize = 16;
/// And how many of them the backfill meets again.
const GARBLED: usize = 3;

/// In a database that is expanded, with rows that old versions wrote before and after it.
pub(super) async fn fill(stage: &mut Stage<'_>, world: &mut World) -> Result<(), RehearseError> {
    let (Some(rules), Some(file)) = (&stage.migration().backfill, &stage.files().backfill) else {
        if stage.migration().declaration.sync != Sync::None {
            let new = stage.new_rows(world).await?;
            by_itself(stage, world, &new, "expand").await?;
        }
        return Ok(());
    };
    let before = stage.new_rows(world).await?;
    let others = stage.old_part(world).await?;
    if let Some(range) = world.half(rules).await? {
        let inside = format!("{range}");
        match world.fill(rules, file, Some(range)).await {
            Err(error) => refuse_lost(&error)?,
            Ok(_) => {
                let after = stage.new_rows(world).await?;
                let changed: usize = before
                    .iter()
                    .zip(&after)
                    .map(|(before, after)| differing(before, after).len())
                    .sum();
                if changed > 3 {
                    stage.find(Finding::wrong(
                        "backfill-beyond",
                        Step::Backfill,
                        format!("a batch of 3 keys ({inside}) changed {changed} rows"),
                        "end the statement with `WHERE key > :after AND key <= :upto`, and bind it to the rows of that range alone",
                    ));
                }
            }
        }
    }
    if !stage.step(world, Step::Backfill).await? {
        return Ok(());
    }
    let query = rules.remaining.of(stage.dialect());
    match world.count(query).await {
        Ok(0) => {}
        Ok(left) => stage.find(Finding::wrong(
            "remaining-never-ends",
            Step::Backfill,
            format!("after the backfill went over every row, `remaining` still counts {left}: it would never be done"),
            "count exactly those rows that the backfill would still change",
        )),
        Err(error) => {
            refuse_lost(&error)?;
            let said = stage.said(&error);
            stage.find(Finding::wrong(
                "remaining-fails",
                Step::Backfill,
                format!("`remaining` fails: {said}"),
                "mend the query",
            ));
            return Ok(());
        }
    }
    let filled = stage.new_rows(world).await?;
    if stage.step(world, Step::Backfill).await? {
        let again = stage.new_rows(world).await?;
        for (first, second) in filled.iter().zip(&again) {
            if let Some((row, other)) = differing(first, second).first() {
                let told = told(stage, &first.columns, *row, *other);
                stage.find(Finding::wrong(
                    "backfill-not-idempotent",
                    Step::Backfill,
                    format!("run a second time, the backfill changes what it has filled: {told}"),
                    "a batch that is interrupted runs again: compute the new format from the old one alone",
                ));
            }
        }
    }
    let kept = stage.old_part(world).await?;
    let surfaces = stage.shape.old.clone();
    for (surface, (wanted, found)) in surfaces.iter().zip(others.iter().zip(&kept)) {
        if surface.is_in_place {
            continue;
        }
        if let Some((row, other)) = differing(wanted, found).first() {
            let told = told(stage, &wanted.columns, *row, *other);
            stage.find(Finding::wrong(
                "backfill-changes-old",
                Step::Backfill,
                format!("the backfill changes the old format, which live versions use: {told}"),
                "set nothing but the new format, and keep triggers from answering to it",
            ));
        }
    }
    match world.found_by_check(rules).await {
        Ok(None | Some(0)) => {}
        Ok(Some(rows)) => stage.find(Finding::wrong(
            "check-finds",
            Step::Backfill,
            format!("`check` finds {rows} rows right after the backfill"),
            "make it find what differs from what the backfill writes, and nothing else; mind NULL",
        )),
        Err(error) => {
            refuse_lost(&error)?;
            let said = stage.said(&error);
            stage.find(Finding::wrong(
                "check-fails",
                Step::Backfill,
                format!("`check` fails: {said}"),
                "mend the query",
            ));
        }
    }
    left_out(stage, &filled, &others);
    let rows = filled.iter().map(|rows| rows.rows.len()).sum();
    stage.tried("rows that are backfilled, twice", rows);
    by_itself(stage, world, &filled, "the backfill").await?;
    honest(stage, world, &filled).await
}

/// Rows from before and rows that a trigger has seen have to be alike.
async fn by_itself(
    stage: &mut Stage<'_>,
    world: &mut World,
    found: &[Rows],
    who: &str,
) -> Result<(), RehearseError> {
    let old = stage.old_part(world).await?;
    let Some(mut wanted) = stage.made_of(&old).await? else {
        return Ok(());
    };
    let mut found = found.to_vec();
    if !is_like(&wanted, &found)
        && let Some(held) = without_drawn(stage, &old, &wanted, &found).await?
    {
        (wanted, found) = held;
    }
    for (wanted, found) in wanted.iter().zip(&found) {
        if let Some((row, other)) = differing(wanted, found).first() {
            let told = told(stage, &wanted.columns, *row, *other);
            let has_sync = stage
                .migration()
                .declaration
                .sync
                .extend(crate::model::Formats::OLD)
                == crate::model::Formats::BOTH;
            let message = if has_sync {
                format!(
                    "what old versions write after expand does not become what {who} makes of the same rows: {told}"
                )
            } else {
                format!(
                    "the backfill does not make the same of rows that were written after expand: {told}"
                )
            };
            stage.find(Finding::wrong(
                "new-stale",
                Step::Expand,
                message,
                "let triggers set the new format in the same way as the backfill, on INSERT and on UPDATE; and let the backfill \
                 fill whatever they have not",
            ));
        }
    }
    Ok(())
}

/// Rows whose new format is nothing at all, though there is something in the old one.
fn left_out(stage: &mut Stage<'_>, filled: &[Rows], old: &[Rows]) {
    let judged = stage.shape.judged(&stage.before);
    for ((relation, _), rows) in judged.iter().zip(filled) {
        let keys = stage.before.get(relation).map_or(0, |was| was.key.len());
        // Where nothing goes, nothing is there that the new format could miss.
        if keys == 0
            || !stage
                .shape
                .both
                .iter()
                .any(|both| both.relation.sql == *relation)
        {
            continue;
        }
        let source = stage.shape.old.iter().zip(old);
        let Some((surface, source)) = source
            .into_iter()
            .find(|(s, _)| s.relation.sql == *relation)
        else {
            continue;
        };
        let places: Vec<usize> = surface
            .changing
            .iter()
            .filter_map(|name| source.columns.iter().position(|other| other == name))
            .collect();
        let is_missing = |row: &&Vec<String>| row.iter().skip(keys).all(|value| value == "NULL");
        let has_old = |row: &&Vec<String>| {
            let of_key =
                |other: &&Vec<String>| other.iter().zip(row.iter()).take(keys).all(|(a, b)| a == b);
            source.rows.iter().find(of_key).is_some_and(|old| {
                let values = places.iter().filter_map(|place| old.get(*place));
                // Blank or nothing may well become nothing.
                values
                    .into_iter()
                    .any(|value| value.chars().any(char::is_alphanumeric) && value != "NULL")
            })
        };
        let left: Vec<&Vec<String>> = rows
            .rows
            .iter()
            .filter(is_missing)
            .filter(has_old)
            .collect();
        if let Some(first) = left.first() {
            let key = first.first().map_or("", String::as_str);
            let message = format!(
                "after the backfill the new format is NULL in {} rows whose old format is not; the first has {} = {}",
                left.len(),
                rows.columns.first().map_or("its key", String::as_str),
                stage.shown(key)
            );
            stage.find(Finding::doubt(
                "backfill-skips",
                Step::Backfill,
                message,
                "if that is not what you want there, let the backfill fill every row, and `remaining` count every one that is not",
            ));
        }
    }
}

/// Whether no collation takes the values of these rows for the same: not even without case, accents and blanks.
fn differs_for_all(row: &[String], other: &[String], keys: usize) -> bool {
    let plain = |values: &[String]| -> Option<String> {
        let text = values.get(keys..)?.join(",");
        text.is_ascii().then(|| {
            let kept = text.chars().filter(char::is_ascii_alphanumeric);
            kept.collect::<String>().to_lowercase()
        })
    };
    match (plain(row), plain(other)) {
        (Some(row), Some(other)) => row != other && !row.is_empty() && !other.is_empty(),
        _ => false,
    }
}

/// Whether the backfill makes of a row that is wrong neither what it was nor what it should be.
async fn garbles(
    stage: &mut Stage<'_>,
    world: &mut World,
    (relation, columns): (&str, &[String]),
    (right, wrong): (&[String], &[String]),
) -> Result<(), RehearseError> {
    let keys = stage
        .between
        .get(relation)
        .map_or(1, |there| there.key.len());
    let told = stage.findings.len();
    let is_filled = stage.step(world, Step::Backfill).await?;
    stage.findings.truncate(told);
    if !is_filled {
        return Ok(());
    }
    let rows = world.dump(&stage.between, relation, columns).await?;
    let is_it = |row: &&Vec<String>| row.get(..keys) == right.get(..keys);
    let Some(found) = rows.rows.iter().find(is_it) else {
        return Ok(());
    };
    let values = found.get(keys..);
    if values != right.get(keys..) && values != wrong.get(keys..) {
        let shown = stage.shown(right.first().map_or("", String::as_str));
        stage.find(Finding::wrong(
            "backfill-garbles",
            Step::Backfill,
            format!("of a row whose new format is that of another one, with the key {shown}, the backfill makes neither what it was nor what follows from its old format"),
            "set each column of the new format from the old one, also where something stands there already",
        ));
    }
    Ok(())
}

/// Makes rows wrong behind the back of the triggers, and looks whether `remaining` and `check` see it.
async fn honest(
    stage: &mut Stage<'_>,
    world: &mut World,
    filled: &[Rows],
) -> Result<(), RehearseError> {
    let Some(rules) = &stage.migration().backfill else {
        return Ok(());
    };
    let judged = stage.shape.judged(&stage.before);
    let query = rules.remaining.of(stage.dialect()).to_owned();
    let mut is_counted = true;
    let mut is_found = true;
    let mut times = 0;
    let dialect = stage.dialect();
    let source = stage.before.named(&rules.table);
    let source = source.map(|source| source.sql.clone());
    for ((relation, columns), rows) in judged.iter().zip(filled) {
        let Some(there) = stage.between.get(relation).cloned() else {
            continue;
        };
        let is_of_both = stage.before.get(relation).is_some_and(|was| was.is_table);
        // A table of its own, with a row for each that is filled.
        let is_apart =
            !is_of_both && there.is_table && source.is_some() && there.owner() == source.as_deref();
        let triggers = triggers_of(&stage.between, &there.shown);
        if !triggers.is_empty() {
            for statement in (world.tongue.silence)(relation, &triggers) {
                world.connection.run(&statement).await?;
            }
        }
        let keys = there.key.len();
        if keys == 0 {
            continue;
        }
        let clean: Vec<&Vec<String>> = rows
            .rows
            .iter()
            .filter(|row| !row.iter().skip(keys).all(|value| value == "NULL"))
            .take(MADE_WRONG)
            .collect();
        for (index, row) in clean.iter().enumerate() {
            let is_row: Vec<String> = columns
                .iter()
                .zip(row.iter())
                .take(keys)
                .map(|(name, value)| format!("{} = {value}", quoted(dialect, name)))
                .collect();
            let is_row = is_row.join(" AND ");
            let set = |values: &[String]| {
                let each: Vec<String> = columns
                    .iter()
                    .zip(values)
                    .skip(keys)
                    .map(|(name, value)| format!("{} = {value}", quoted(dialect, name)))
                    .collect();
                format!("UPDATE {relation} SET {} WHERE {is_row}", each.join(", "))
            };
            let unfilled = if is_apart {
                format!("DELETE FROM {relation} WHERE {is_row}")
            } else if is_of_both {
                set(&vec!["NULL".to_owned(); columns.len()])
            } else {
                continue;
            };
            if world.execute(&unfilled).await.is_ok() {
                times += 1;
                let count = world.count(&query).await.unwrap_or(0);
                if count == 0 && std::mem::take(&mut is_counted) {
                    let shown = stage.shown(row.first().map_or("", String::as_str));
                    stage.find(Finding::wrong(
                        "remaining-blind",
                        Step::Backfill,
                        format!("`remaining` is 0 although the row with the key {shown} was never filled: a contract would lose it"),
                        "count every row whose new format is missing, whatever its old format holds",
                    ));
                }
            }
            if is_apart {
                let names: Vec<String> = columns.iter().map(|name| quoted(dialect, name)).collect();
                let (names, row) = (names.join(", "), row.join(", "));
                world
                    .execute(&format!("INSERT INTO {relation} ({names}) VALUES ({row})"))
                    .await?;
            }
            let other = clean.iter().cycle().skip(index + 1).take(clean.len());
            let other = other
                .into_iter()
                .find(|other| differs_for_all(row, other, keys));

            if let Some(other) = other
                && world.execute(&set(other)).await.is_ok()
            {
                times += 1;
                let found = world.found_by_check(rules).await.unwrap_or(None);
                if index < GARBLED {
                    garbles(stage, world, (relation, columns), (row, other)).await?;
                }
                if found == Some(0) && std::mem::take(&mut is_found) {
                    let shown = stage.shown(row.first().map_or("", String::as_str));
                    stage.find(Finding::wrong(
                        "check-blind",
                        Step::Backfill,
                        format!("`check` finds nothing although the row with the key {shown} holds the new format of another one"),
                        "compare the new format with what the backfill makes of the old one, NULL included",
                    ));
                }
            }
            world.execute(&set(row)).await?;
        }
    }
    stage.tried("rows made wrong behind the back of the triggers", times);
    Ok(())
}
