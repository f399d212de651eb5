//! Triggers that change the row before it is written: nothing is written twice, and nothing echoes.

use super::super::Wrong;
use super::super::definition::bare_type;
use super::super::text::{Script, trigger_function};
use super::{NewColumn, Pieces, Seen, added, dropped, is_apart};

/// Whether the formats of a row of the table agree. `IS NOT DISTINCT FROM` would ask the collation, and has no answer for
/// types such as json; `*=` compares what is stored.
pub(super) fn agree(seen: &Seen<'_>) -> Result<String, Wrong> {
    let forward = seen.forward.iter().map(|(name, expression)| {
        let new = seen.columns.new.iter().find(|new| new.name == *name);
        (*name, (*expression).to_owned(), new)
    });
    let mut sides = Vec::new();
    let mut tested = Vec::new();
    for (name, expression, new) in forward {
        let kind = new.map(|new| seen.kind_of(new)).transpose()?;
        tested.push((seen.column(name), cast(&expression, kind)));
    }
    sides.push(same(&tested));
    let back: Vec<(String, String)> = seen
        .back
        .iter()
        .map(|(name, expression)| (seen.column(name), (*expression).to_owned()))
        .collect();
    sides.push(same_as_text(&back));
    let mut condition = sides.join("\n    OR ");
    let needed: Vec<String> = not_null(seen)
        .map(|new| format!("{} IS NOT NULL", seen.column(&new.name)))
        .collect();
    if !needed.is_empty() {
        condition = format!("({condition})\n    AND {}", needed.join(" AND "));
    }
    Ok(condition)
}

fn cast(expression: &str, kind: Option<&str>) -> String {
    match kind {
        Some(kind) => format!("CAST({expression} AS {})", bare_type(kind)),
        None => expression.to_owned(),
    }
}

/// `ROW(a, b)::record *= ROW(x, y)::record`: as stored, NULL being one value. Without the casts the operator would be asked for
/// each column.
fn same(pairs: &[(String, String)]) -> String {
    let left: Vec<&str> = pairs.iter().map(|(left, _)| left.as_str()).collect();
    let right: Vec<&str> = pairs.iter().map(|(_, right)| right.as_str()).collect();
    format!(
        "ROW({})::record *= ROW({})::record",
        left.join(", "),
        right.join(", ")
    )
}

/// As texts, where the type of one side is not known: any type has one, and not any has an equality.
fn same_as_text(pairs: &[(String, String)]) -> String {
    let each: Vec<String> = pairs
        .iter()
        .map(|(left, right)| {
            format!("CAST({left} AS text) IS NOT DISTINCT FROM CAST({right} AS text)")
        })
        .collect();
    if each.len() == 1 {
        each.join("")
    } else {
        format!("({})", each.join(" AND "))
    }
}

fn not_null<'c>(seen: &Seen<'c>) -> impl Iterator<Item = &'c NewColumn> {
    seen.columns.new.iter().filter(|new| new.not_null)
}

fn row(prefix: &str, names: &[String], seen: &Seen<'_>) -> String {
    let names: Vec<String> = names
        .iter()
        .map(|name| format!("{prefix}.{}", seen.column(name)))
        .collect();
    format!("ROW({})::record", names.join(", "))
}

/// Whether any of these columns gets another value. As texts, because not every type can be compared, and letter by letter, whatever their
/// collation takes for the same; the record operators, which could do both, are printed by the server in a way that no dump can be
/// restored from.
fn is_changed(names: &[String], seen: &Seen<'_>) -> String {
    let text = |row: &str, name: &String| {
        format!("CAST({row}.{} AS text) COLLATE \"C\"", seen.column(name))
    };
    let each = names.iter().map(|name| {
        format!(
            "{} IS DISTINCT FROM {}",
            text("OLD", name),
            text("NEW", name)
        )
    });
    each.collect::<Vec<_>>().join("\n    OR ")
}

/// `row.a := …;` for each column, in lines.
fn set(row: &str, of: &[(&str, &str)], seen: &Seen<'_>, blanks: usize) -> Result<String, Wrong> {
    let mut lines = Vec::new();
    for (name, expression) in of {
        let value = seen.of_row(expression, "NEW")?;
        lines.push(format!(
            "{row}.{} := {};",
            seen.column(name),
            seen.indented(&value, 4)
        ));
    }
    Ok(lines.join(&format!("\n{}", " ".repeat(blanks))))
}

pub(super) fn pieces(seen: &Seen<'_>) -> Result<Pieces, Wrong> {
    let place = seen.place;
    let table = place.table();
    let function = place.function("sync");
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
    let all: Vec<String> = seen.old.iter().chain(&seen.new).cloned().collect();
    let agrees = |of: &[(&str, &str)], names: &[String]| -> Result<String, Wrong> {
        let made = set("other", of, seen, 4)?;
        let (other, now) = (row("other", names, seen), row("NEW", names, seen));
        Ok(format!(
            "{made}\n    IF {other} *= {now} THEN\n        RETURN NEW;\n    END IF;"
        ))
    };
    let by_back = agrees(&seen.back, &seen.old)?;
    let by_forward = agrees(&seen.forward, &seen.new)?;
    // What several columns were merged to, one of them may not hold; what one was split to, one of those may not.
    let (first, second) = if seen.old.len() > seen.new.len() {
        (by_forward, by_back)
    } else {
        (by_back, by_forward)
    };
    let body = format!(
        "DECLARE
    other record := NEW;
    only_old boolean;
BEGIN
    IF TG_OP = 'INSERT' THEN
        only_old := {nothing_new};
    ELSE
        only_old := {new_now} *= {new_before};
    END IF;

    IF only_old THEN
        {forward}
        RETURN NEW;
    END IF;

    {first}
    {second}
    {take_back}
    RETURN NEW;
END
",
        nothing_new = nothing_new.join(" AND "),
        new_now = row("NEW", &seen.new, seen),
        new_before = row("OLD", &seen.new, seen),
        forward = set("NEW", &seen.forward, seen, 8)?,
        take_back = seen
            .old
            .iter()
            .map(|name| format!("NEW.{0} := other.{0};", seen.column(name)))
            .collect::<Vec<_>>()
            .join("\n    "),
    );
    let add = format!("ALTER TABLE {table} {}", columns.join(", "));
    let expand = added(seen, vec![(None, add)])
        .explained(
            "Keeps both formats in step, whoever writes: what was written holds, and the other format follows unless the two\n\
             agree already. Rows are compared as they are stored (*=), so that a capital letter counts as a change.",
            trigger_function(&function, &body),
        )
        .explained(
            "Triggers fire in the order of their names: these after all others, so that they see what those have made of the row.",
            format!("CREATE TRIGGER {on_insert} BEFORE INSERT ON {table}\nFOR EACH ROW EXECUTE FUNCTION {function}()"),
        )
        .statement(format!(
            "CREATE TRIGGER {on_update} BEFORE UPDATE ON {table}\nFOR EACH ROW WHEN ({})\nEXECUTE FUNCTION {function}()",
            is_changed(&all, seen),
        ));
    let drops = |script: Script, if_there: &str| {
        script
            .statement(format!("DROP TRIGGER {if_there}{on_insert} ON {table}"))
            .statement(format!("DROP TRIGGER {if_there}{on_update} ON {table}"))
            .statement(format!("DROP FUNCTION {if_there}{function}()"))
    };
    // With an index expand is committed statement by statement, and may have stopped before the triggers.
    let if_there = match is_apart(seen) {
        true => "IF EXISTS ",
        false => "",
    };
    let back: Vec<String> = seen
        .new
        .iter()
        .map(|name| format!("DROP COLUMN {if_there}{}", seen.column(name)))
        .collect();
    Ok(Pieces {
        expand,
        contract: contract(seen, |script| drops(script, ""))?,
        revert: drops(Script::whole(), if_there)
            .statement(format!("ALTER TABLE {table} {}", back.join(", "))),
    })
}

fn contract(seen: &Seen<'_>, drops: impl FnOnce(Script) -> Script) -> Result<Script, Wrong> {
    let place = seen.place;
    let table = place.table();
    let needed: Vec<&NewColumn> = not_null(seen).collect();
    let mut last = dropped(seen, &seen.old);
    for new in &seen.columns.new {
        if let Some(default) = seen.default_of(new)? {
            last.push(format!(
                "ALTER COLUMN {} SET DEFAULT {default}",
                seen.column(&new.name)
            ));
        }
    }
    if needed.is_empty() {
        return Ok(
            drops(Script::whole()).statement(format!("ALTER TABLE {table} {}", last.join(", ")))
        );
    }
    // Each statement is committed by itself, and versions of the new format write between any two of them.
    let constraints = seen.columns.drop_constraints.iter();
    let constraints = constraints.filter(|name| !seen.old.contains(name));
    let constraints =
        constraints.map(|name| format!("DROP CONSTRAINT IF EXISTS {}", seen.column(name)));
    let freed = seen
        .old
        .iter()
        .map(|name| format!("ALTER COLUMN {} DROP NOT NULL", seen.column(name)));
    let freed: Vec<String> = constraints.chain(freed).collect();
    let mut script = Script::one_by_one();
    for (index, new) in needed.iter().enumerate() {
        let name = place.constraint(&format!("{}_not_null", new.name));
        let column = seen.column(&new.name);
        let add = format!(
            "ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({column} IS NOT NULL) NOT VALID"
        );
        script = if index == 0 {
            script.explained(
                "NOT NULL in steps: the check reads the table beside writers, and SET NOT NULL then reads nothing.",
                add,
            )
        } else {
            script.statement(add)
        };
        script = script
            .statement(format!("ALTER TABLE {table} VALIDATE CONSTRAINT {name}"))
            .statement(format!(
                "ALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL"
            ))
            .statement(format!("ALTER TABLE {table} DROP CONSTRAINT {name}"));
    }
    script = script.explained(
        "Rows are written while the triggers go: nothing has to stand in the old format by then.",
        format!("ALTER TABLE {table} {}", freed.join(", ")),
    );
    Ok(drops(script).statement(format!("ALTER TABLE {table} {}", last.join(", "))))
}
