//! Foreign keys hold where a connection wants them to, so that triggers do here what they would do: a row goes with its row in the
//! other table, and gets its key. What the statement says of conflicts (`INSERT OR REPLACE`) is said of those of its triggers as
//! well, so that none of them has a conflict.

use super::super::Wrong;
use super::super::text::Script;
use super::{Pieces, Seen};

pub(super) fn pieces(seen: &Seen<'_>) -> Result<Pieces, Wrong> {
    let (whole, part) = (seen.whole.table(), seen.part.table());
    let (whole, part) = (&whole, &part);
    let triggers = [
        (
            seen.whole.trigger("insert"),
            format!("INSERT ON {whole}"),
            followed(seen),
        ),
        (
            seen.whole.trigger("update"),
            format!(
                "UPDATE OF {}, {} ON {whole}\nWHEN NOT ({} AND {})",
                seen.key.join(", "),
                seen.moved.join(", "),
                is_same_key("NEW.", "OLD.", &seen.key),
                seen.same("NEW.", "OLD."),
            ),
            format!(
                "    UPDATE {part} SET {}\n    WHERE {} AND NOT ({});\n{}",
                given(seen),
                Seen::same_key("", &seen.link, "OLD.", &seen.key),
                is_same_key("NEW.", "OLD.", &seen.key),
                followed(seen)
            ),
        ),
        (
            seen.whole.trigger("delete"),
            format!("DELETE ON {whole}"),
            format!(
                "    DELETE FROM {part} WHERE {};\n",
                Seen::same_key("", &seen.link, "OLD.", &seen.key)
            ),
        ),
        (
            seen.part.trigger("insert"),
            format!("INSERT ON {part}"),
            taken(seen),
        ),
        (
            seen.part.trigger("update"),
            format!(
                "UPDATE ON {part}\nWHEN {}\n    OR EXISTS (SELECT 1 FROM {} WHERE {})",
                is_same_key("NEW.", "OLD.", &seen.link),
                unqualified(seen),
                Seen::same_key("", &seen.key, "OLD.", &seen.link),
            ),
            format!(
                "{}{}",
                gone(
                    seen,
                    &format!(" AND NOT ({})", is_same_key("NEW.", "OLD.", &seen.link))
                ),
                taken(seen)
            ),
        ),
        (
            seen.part.trigger("delete"),
            format!("DELETE ON {part}"),
            gone(seen, ""),
        ),
    ];
    let mut expand = Script::whole().statement(seen.made()?);
    for (index, (name, event, body)) in triggers.iter().enumerate() {
        let statement = format!("CREATE TRIGGER {name} AFTER {event}\nBEGIN\n{body}END");
        expand = match index {
            0 => expand.explained(
                "What is written into the columns that move is followed in the new table, where it holds something else.",
                statement,
            ),
            3 => expand.explained(
                "And the other way round. A row whose key was that of a row which is there no more has got it from that, and says nothing\n\
                 new.",
                statement,
            ),
            _ => expand.statement(statement),
        };
    }
    // Those of a table go with it.
    let drops = |count: usize| {
        let first = triggers.iter().take(count);
        first.fold(Script::whole(), |script, (name, ..)| {
            script.statement(format!("DROP TRIGGER {}", seen.whole.beside(name)))
        })
    };
    // A column that an index is over cannot be dropped.
    let indexes = seen.split.drop_indexes.iter();
    let contract = indexes.fold(drops(triggers.len()), |script, index| {
        script.statement(format!("DROP INDEX {}", seen.whole.in_schema(index)))
    });
    let contract = seen.dropped().iter().fold(contract, |script, drop| {
        script.statement(format!("ALTER TABLE {whole} {drop}"))
    });
    Ok(Pieces {
        expand,
        contract,
        revert: drops(3).statement(format!("DROP TABLE {part}")),
        allow: Vec::new(),
    })
}

fn is_same_key(left: &str, right: &str, names: &[String]) -> String {
    let each = names
        .iter()
        .map(|name| format!("{left}{name} IS {right}{name}"));
    each.collect::<Vec<_>>().join(" AND ")
}

/// `user_id = NEW.id`, as what is set.
fn given(seen: &Seen<'_>) -> String {
    let each = seen.link.iter().zip(&seen.key);
    let each = each.map(|(link, key)| format!("{link} = NEW.{key}"));
    each.collect::<Vec<_>>().join(", ")
}

/// A trigger means tables of its own schema, and may name no other.
fn unqualified(seen: &Seen<'_>) -> String {
    seen.whole.column(seen.whole.own_name())
}

/// The row of the new table as it follows from that of the other one.
fn followed(seen: &Seen<'_>) -> String {
    let part = seen.part.column(seen.part.own_name());
    let is_row = Seen::same_key("", &seen.link, "NEW.", &seen.key);
    format!(
        "    DELETE FROM {part}
    WHERE {is_row} AND {nothing} AND NOT ({empty});
    UPDATE {part} SET {set}
    WHERE {is_row} AND NOT ({same});
    INSERT INTO {part} ({columns})
    SELECT {key}, {moved}
    WHERE NOT ({nothing}) AND NOT EXISTS (SELECT 1 FROM {part} WHERE {is_row});
",
        nothing = seen.nothing("NEW."),
        empty = seen.nothing(""),
        set = seen.set("NEW."),
        same = seen.same("", "NEW."),
        columns = seen.columns(),
        key = Seen::of("NEW.", &seen.key),
        moved = Seen::of("NEW.", &seen.moved),
    )
}

fn taken(seen: &Seen<'_>) -> String {
    format!(
        "    UPDATE {} SET {}\n    WHERE {} AND NOT ({});\n",
        unqualified(seen),
        seen.set("NEW."),
        Seen::same_key("", &seen.key, "NEW.", &seen.link),
        seen.same("", "NEW."),
    )
}

fn gone(seen: &Seen<'_>, only: &str) -> String {
    format!(
        "    UPDATE {} SET {}\n    WHERE {} AND NOT ({}){only}\n        AND NOT EXISTS (SELECT 1 FROM {} WHERE {});\n",
        unqualified(seen),
        seen.set_nothing(),
        Seen::same_key("", &seen.key, "OLD.", &seen.link),
        seen.nothing(""),
        seen.part.column(seen.part.own_name()),
        Seen::same_key("", &seen.link, "OLD.", &seen.link),
    )
}
