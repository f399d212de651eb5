//! SQLite cannot change a row before it is written, so each trigger writes once more. It does so only where the formats
//! differ, and after it they agree: so no trigger answers another one, with or without `recursive_triggers`.

use super::super::text::Script;
use super::super::{Wrong, not_for_sqlite};
use super::{Pieces, Seen, added, dropped};

/// Whether two values are one: a column's own collation may overlook case.
fn same(left: &str, right: &str) -> String {
    format!("{left} COLLATE BINARY IS ({right})")
}

fn all_same(pairs: impl IntoIterator<Item = (String, String)>) -> String {
    let each: Vec<String> = pairs
        .into_iter()
        .map(|(left, right)| same(&left, &right))
        .collect();
    each.join(" AND ")
}

pub(super) fn agree(seen: &Seen<'_>) -> String {
    let pairs = |of: &[(&str, &str)]| {
        let pairs: Vec<(String, String)> = of
            .iter()
            .map(|(name, expression)| (seen.column(name), (*expression).to_owned()))
            .collect();
        all_same(pairs)
    };
    format!("({})\n    OR ({})", pairs(&seen.forward), pairs(&seen.back))
}

fn agree_in_new(seen: &Seen<'_>) -> Result<String, Wrong> {
    let side = |of: &[(&str, &str)]| {
        let mut pairs = Vec::new();
        for (name, expression) in of {
            pairs.push((
                format!("NEW.{}", seen.column(name)),
                seen.of_row(expression, "NEW")?,
            ));
        }
        Ok::<_, Wrong>(all_same(pairs))
    };
    Ok(format!(
        "({})\n        OR ({})",
        side(&seen.back)?,
        side(&seen.forward)?
    ))
}

fn unchanged(seen: &Seen<'_>, names: &[String]) -> String {
    let each = names.iter().map(|name| {
        let name = seen.column(name);
        (format!("NEW.{name}"), format!("OLD.{name}"))
    });
    all_same(each)
}

pub(super) fn pieces(seen: &Seen<'_>) -> Result<Pieces, Wrong> {
    let place = seen.place;
    let table = place.table();
    let mut columns = Vec::new();
    for new in &seen.columns.new {
        if new.not_null || new.default.is_some() {
            return Err(not_for_sqlite(
                format!(
                    "SQLite cannot make `{}` NOT NULL or give it a default once it is there",
                    new.name
                ),
                "leave `not_null` and `default` out, or rebuild the table with scripts of your own",
            ));
        }
        let add = format!(
            "ALTER TABLE {table} ADD COLUMN {} {}",
            seen.column(&new.name),
            seen.kind_of(new)?
        );
        columns.push((None, add));
    }
    let mut expand = added(seen, columns);
    let key: Vec<String> = seen
        .columns
        .key
        .iter()
        .map(|name| format!("{0} = NEW.{0}", seen.column(name)))
        .collect();
    let update = |of: &[(&str, &str)]| {
        let set: Vec<String> = of
            .iter()
            .map(|(name, expression)| format!("{} = {expression}", seen.column(name)))
            .collect();
        format!(
            "UPDATE {table} SET {}\n    WHERE {};",
            set.join(",\n        "),
            key.join(" AND ")
        )
    };
    let nothing_new: Vec<String> = seen
        .new
        .iter()
        .map(|name| format!("NEW.{} IS NULL", seen.column(name)))
        .collect();
    let nothing_new = nothing_new.join(" AND ");
    let agree = agree_in_new(seen)?;
    let triggers = [
        (
            place.trigger("new_inserted"),
            "INSERT".to_owned(),
            format!("NOT ({nothing_new})\n    AND NOT ({agree})"),
            update(&seen.back),
        ),
        (
            place.trigger("old_inserted"),
            "INSERT".to_owned(),
            nothing_new.clone(),
            update(&seen.forward),
        ),
        (
            place.trigger("new_updated"),
            format!("UPDATE OF {}", place.columns(&seen.new)),
            format!(
                "NOT ({})\n    AND NOT ({agree})",
                unchanged(seen, &seen.new)
            ),
            update(&seen.back),
        ),
        (
            place.trigger("old_updated"),
            format!("UPDATE OF {}", place.columns(&seen.old)),
            format!(
                "{}\n    AND NOT ({})\n    AND NOT ({agree})",
                unchanged(seen, &seen.new),
                unchanged(seen, &seen.old)
            ),
            update(&seen.forward),
        ),
    ];
    for (index, (name, event, condition, body)) in triggers.iter().enumerate() {
        let statement = format!(
            "CREATE TRIGGER {name} AFTER {event} ON {table}\nWHEN {condition}\nBEGIN\n    {body}\nEND"
        );
        expand = if index == 0 {
            expand.explained(
                "Keep both formats in step, whoever writes: what was written holds, and the other format follows unless the two\n\
                 agree already. Each writes once more, only where the formats differ, and after it they agree: no trigger\n\
                 answers another one. RETURNING shows the row as it was before that.",
                statement,
            )
        } else {
            expand.statement(statement)
        };
    }
    let drops = |mut script: Script| {
        for (name, ..) in &triggers {
            script = script.statement(format!("DROP TRIGGER {}", place.beside(name)));
        }
        script
    };
    // A column that an index is over cannot be dropped.
    let without = |mut script: Script, indexes: Vec<&String>, names: &[String]| {
        for index in indexes {
            script = script.statement(format!("DROP INDEX {}", place.in_schema(index)));
        }
        for dropped in dropped(seen, names) {
            script = script.statement(format!("ALTER TABLE {table} {dropped}"));
        }
        script
    };
    Ok(Pieces {
        contract: without(
            drops(Script::whole()),
            seen.columns.leaving().collect(),
            &seen.old,
        ),
        revert: without(
            drops(Script::whole()),
            seen.columns
                .indexes
                .iter()
                .map(|index| &index.name)
                .collect(),
            &seen.new,
        ),
        expand,
    })
}
