//! Triggers that change the row before it is written: nothing is written twice, and nothing echoes.

mod stored;

use self::stored::{Kind, same_bytes};
use phasegate_sql::{self as sql, Dialect};

use super::super::Wrong;
use super::super::definition::is_constant;
use super::super::text::Script;
use super::{Pieces, Seen, added, dropped, indexes_dropped};

const BESIDE: &str = "ALGORITHM = INPLACE, LOCK = NONE";

/// Whether a column is as it was. As numbers too: the text of a FLOAT has fewer digits than its value.
fn unchanged(seen: &Seen<'_>, names: &[String]) -> String {
    let each: Vec<String> = names
        .iter()
        .map(|name| {
            let (new, old) = (
                format!("NEW.{}", seen.column(name)),
                format!("OLD.{}", seen.column(name)),
            );
            format!("{new} <=> {old} AND {}", same_bytes(&new, &old))
        })
        .collect();
    each.join("\n        AND ")
}

/// What says whether the formats of a row of the table agree.
pub(super) fn agree(seen: &Seen<'_>) -> Result<String, Wrong> {
    let mut forward = Vec::new();
    let mut beside_numbers = false;
    for ((name, expression), new) in seen.forward.iter().zip(&seen.columns.new) {
        let kind = Kind::of(seen.kind_of(new)?);
        beside_numbers |= kind.is_number();
        forward.push(kind.holds(&seen.column(name), expression));
    }
    let back: Vec<String> = seen
        .back
        .iter()
        .map(|(name, expression)| stored::holds(&seen.column(name), expression, beside_numbers))
        .collect();
    let sides = format!(
        "({})\n    OR ({})",
        forward.join(" AND "),
        back.join(" AND ")
    );
    let needed: Vec<String> = seen
        .columns
        .new
        .iter()
        .filter(|new| new.not_null)
        .map(|new| format!("{} IS NOT NULL", seen.column(&new.name)))
        .collect();
    Ok(if needed.is_empty() {
        sides
    } else {
        format!("({sides})\n    AND {}", needed.join(" AND "))
    })
}

/// `SET NEW.a = …, NEW.b = …;`
fn set(of: &[(&str, &str)], seen: &Seen<'_>) -> Result<String, Wrong> {
    let mut each = Vec::new();
    for (name, expression) in of {
        let value = seen.of_row(expression, "NEW")?;
        each.push(format!(
            "NEW.{} = {}",
            seen.column(name),
            seen.indented(&value, 12)
        ));
    }
    Ok(format!("SET {};", each.join(",\n            ")))
}

/// How a trigger finds out whether the new format is what `forward` makes of the old one: by an assignment to variables of the
/// columns' types, which is what the server does to the columns.
struct Tried {
    variables: String,
    assigned: String,
    agree: String,
}

fn tried(seen: &Seen<'_>) -> Result<Tried, Wrong> {
    let mut variables = Vec::new();
    let mut assigned = Vec::new();
    let mut agree = vec!["can_be".to_owned()];
    let each = seen.forward.iter().zip(&seen.columns.new).enumerate();
    for (index, ((name, expression), new)) in each {
        let kind = Kind::of(seen.kind_of(new)?);
        let made = format!("made_{}", index + 1);
        variables.push(format!("    DECLARE {made} {};\n", kind.variable()));
        let value = seen.of_row(expression, "NEW")?;
        assigned.push(format!("SET {made} = {value};"));
        agree.push(kind.same(&format!("NEW.{}", seen.column(name)), &made));
    }
    Ok(Tried {
        variables: format!(
            "    DECLARE can_be boolean DEFAULT TRUE;\n{}",
            variables.concat()
        ),
        assigned: format!(
            "BEGIN
            DECLARE CONTINUE HANDLER FOR SQLEXCEPTION SET can_be = FALSE;
            {}
        END;",
            assigned.join("\n            ")
        ),
        agree: agree.join(" AND "),
    })
}

/// The servers drop no column of a foreign key or of a table's condition. What is called as its column is MariaDB's condition of that
/// alone, which cannot be named there and goes with it.
fn constraints_dropped(seen: &Seen<'_>) -> Vec<String> {
    let named = seen.columns.drop_constraints.iter();
    let named = named.filter(|name| !seen.old.contains(name));
    named
        .map(|name| format!("DROP CONSTRAINT {}", seen.column(name)))
        .collect()
}

pub(super) fn pieces(seen: &Seen<'_>) -> Result<Pieces, Wrong> {
    let place = seen.place;
    let table = place.table();
    let (on_insert, on_update) = (place.trigger("insert"), place.trigger("update"));
    let mut columns = Vec::new();
    for new in &seen.columns.new {
        columns.push(format!(
            "ADD COLUMN {} {}",
            seen.column(&new.name),
            seen.kind_of(new)?
        ));
    }
    let nothing_new: Vec<String> = seen
        .new
        .iter()
        .map(|name| format!("NEW.{} IS NULL", seen.column(name)))
        .collect();
    let Tried {
        variables,
        assigned,
        agree,
    } = tried(seen)?;
    let (forward, back) = (set(&seen.forward, seen)?, set(&seen.back, seen)?);
    let instantly = format!(
        "ALTER TABLE {table} {}, ALGORITHM = INSTANT",
        columns.join(", ")
    );
    let why = "At the end of the row new columns are an entry in the catalogue; where the server would rewrite the table, it refuses.";
    let expand = added(seen, vec![(Some(why), instantly)])
        .explained(
            "Keep both formats in step, whoever writes: what was written holds, and the other format follows unless the two agree\n\
             already: what `forward` makes is compared as it would be stored, and what cannot be stored is not what stands there.\n\
             Triggers fire in the order in which they were made: these see what earlier ones have made of the row.",
            format!(
                "CREATE TRIGGER {on_insert} BEFORE INSERT ON {table}
FOR EACH ROW
BEGIN
{variables}    IF {nothing_new} THEN
        {forward}
    ELSE
        {assigned}
        IF NOT ({agree}) THEN
            {back}
        END IF;
    END IF;
END",
                nothing_new = nothing_new.join(" AND "),
                back = seen.indented(&back, 4),
            ),
        )
        .statement(format!(
            "CREATE TRIGGER {on_update} BEFORE UPDATE ON {table}
FOR EACH ROW
BEGIN
{variables}    IF NOT ({new_unchanged}) THEN
        {assigned}
        IF NOT ({agree}) THEN
            {back}
        END IF;
    ELSEIF NOT ({old_unchanged}) THEN
        {forward}
    END IF;
END",
            new_unchanged = unchanged(seen, &seen.new),
            old_unchanged = unchanged(seen, &seen.old),
            back = seen.indented(&back, 4),
        ));
    let drops = |script: Script| {
        script
            .statement(format!("DROP TRIGGER {}", place.beside(&on_insert)))
            .statement(format!("DROP TRIGGER {}", place.beside(&on_update)))
    };
    // Each by itself: of an expand that stopped on the way some may not be there.
    let built = seen.columns.indexes.iter().map(|index| &index.name);
    let without_indexes = indexes_dropped(seen, built)
        .into_iter()
        .fold(drops(Script::whole()), |script, drop| {
            script.statement(format!("ALTER TABLE {table} {drop}, {BESIDE}"))
        });
    Ok(Pieces {
        expand,
        contract: contract(seen, drops)?,
        revert: without_indexes.statement(format!(
            "ALTER TABLE {table} {}, {BESIDE}",
            dropped(seen, &seen.new).join(", ")
        )),
    })
}

/// When a default is known.
#[derive(PartialEq, Eq)]
enum Known {
    Always,
    /// With the moment, which servers could write from before they had expressions.
    AtTheMoment,
    /// An expression, worked out for each row.
    ForEachRow,
}

fn known(default: &str) -> Known {
    let lower = default.trim().to_ascii_lowercase();
    let is_moment = ["current_timestamp", "now(", "localtime"]
        .iter()
        .any(|word| lower.starts_with(word));
    let is_word = ["null", "true", "false"].contains(&lower.as_str());
    if is_moment {
        Known::AtTheMoment
    } else if is_constant(default.trim()) || is_word {
        Known::Always
    } else {
        Known::ForEachRow
    }
}

fn in_parentheses(expression: &str) -> String {
    let is_whole = expression
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'))
        .is_some_and(|inner| !inner.contains(['(', ')', '\'']));
    match is_whole {
        true => expression.to_owned(),
        false => format!("({expression})"),
    }
}

/// Each statement is committed by itself, and versions of the new format write between any two of them: what an old column gets must
/// not depend on the triggers when these go.
fn contract(seen: &Seen<'_>, drops: impl FnOnce(Script) -> Script) -> Result<Script, Wrong> {
    let table = seen.place.table();
    let mut later_than_old = Vec::new();
    for new in &seen.columns.new {
        if let Some(default) = seen
            .default_of(new)?
            .filter(|default| known(default) != Known::Always)
        {
            later_than_old.push((new.name.clone(), default.to_owned()));
        }
    }
    let mut given = Vec::new();
    for (name, expression) in &seen.back {
        // The default of a column cannot name one behind it whose own is known with the row only.
        let value = sql::replaced(Dialect::Mysql, expression, &later_than_old)
            .map_err(|error| Wrong::new(error.message, error.help))?;
        given.push(format!(
            "ALTER COLUMN {} SET DEFAULT ({value})",
            seen.column(name)
        ));
    }
    let mut script = Script::whole();
    let mut stricter = Vec::new();
    let mut later = Vec::new();
    for new in &seen.columns.new {
        let column = seen.column(&new.name);
        match (new.not_null, seen.default_of(new)?) {
            // Not both at once, which older servers would make by a copy.
            (true, Some(default)) if known(default) == Known::ForEachRow => {
                stricter.push(format!(
                    "MODIFY COLUMN {column} {} NOT NULL",
                    seen.kind_of(new)?
                ));
                later.push(format!(
                    "ALTER COLUMN {column} SET DEFAULT {}",
                    in_parentheses(default)
                ));
            }
            (true, default) => stricter.push(format!(
                "MODIFY COLUMN {column} {} NOT NULL{}",
                seen.kind_of(new)?,
                default
                    .map(|default| format!(" DEFAULT {default}"))
                    .unwrap_or_default()
            )),
            (false, Some(default)) => {
                stricter.push(format!("ALTER COLUMN {column} SET DEFAULT {default}"));
            }
            (false, None) => {}
        }
    }
    if !stricter.is_empty() {
        script = script.explained(
            "Refused where it could not be done beside writers; nothing is lost by then.",
            format!("ALTER TABLE {table} {}, {BESIDE}", stricter.join(", ")),
        );
    }
    if !later.is_empty() {
        script = script.statement(format!(
            "ALTER TABLE {table} {}, ALGORITHM = INSTANT",
            later.join(", ")
        ));
    }
    script = script.explained(
        "Rows are written while the triggers go: what these have put into the old format stands there without them.",
        format!("ALTER TABLE {table} {}, ALGORITHM = INSTANT", given.join(", ")),
    );
    let mut last = constraints_dropped(seen);
    last.extend(indexes_dropped(seen, seen.columns.leaving()));
    last.extend(dropped(seen, &seen.old));
    Ok(drops(script).statement(format!("ALTER TABLE {table} {}, {BESIDE}", last.join(", "))))
}
