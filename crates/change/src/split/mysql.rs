//! A trigger may not write a table that the statement which fired it writes or reads, so that none is written where it holds already
//! what it should: within the work of the other trigger that is always so. It is read as it is now, and not as it was when the
//! transaction began; a row that is missing is not looked for in this way, because its place would be locked for others.
//!
//! Foreign keys delete rows and change their keys without a trigger.

use phasegate_model::model::Step;

use super::super::text::Script;
use super::super::{Allowed, Wrong};
use super::{Pieces, Seen};

const NOW: &str = "LOCK IN SHARE MODE";

pub(super) fn pieces(seen: &Seen<'_>) -> Result<Pieces, Wrong> {
    let (whole, part) = (seen.whole.table(), seen.part.table());
    let of_whole = [seen.whole.trigger("insert"), seen.whole.trigger("update")];
    let of_part = ["insert", "update", "delete"].map(|event| seen.part.trigger(event));
    let triggers = [
        (&of_whole[0], "INSERT", &whole, inserted(seen)),
        (&of_whole[1], "UPDATE", &whole, updated(seen)),
        (&of_part[0], "INSERT", &part, written(seen)),
        (&of_part[1], "UPDATE", &part, moved(seen)),
        (&of_part[2], "DELETE", &part, gone(seen)),
    ];
    let mut expand = Script::whole().statement(seen.made()?);
    let mut allow = Vec::new();
    for (index, (name, event, table, body)) in triggers.iter().enumerate() {
        let statement = format!(
            "CREATE TRIGGER {name} AFTER {event} ON {table}\nFOR EACH ROW\nBEGIN\n{body}END"
        );
        // The row that it reads and locks is that of the very row which is written.
        if statement.contains(NOW) && *table == &whole {
            allow.push(Allowed {
                step: Step::Expand,
                statement: statement.clone(),
            });
        }
        expand = match index {
            0 => expand.explained(
                "What is written into the columns that move is followed in the new table.",
                statement,
            ),
            2 => expand.explained(
                "And the other way round, where the table holds something else. With its row in the table a row goes, and gets its\n\
                 key, by the foreign key.",
                statement,
            ),
            _ => expand.statement(statement),
        };
    }
    let drops = |names: &[String]| {
        names.iter().fold(Script::whole(), |script, name| {
            script.statement(format!("DROP TRIGGER {}", seen.whole.beside(name)))
        })
    };
    let all = [of_whole.as_slice(), of_part.as_slice()].concat();
    let constraints = seen.split.drop_constraints.iter();
    let constraints = constraints
        // MariaDB's condition of a column alone has its name, and goes with it.
        .filter(|name| !seen.split.moved().any(|new| new.name == **name))
        .map(|name| format!("DROP CONSTRAINT {}", seen.whole.column(name)));
    let indexes = seen.split.drop_indexes.iter();
    let indexes = indexes.map(|name| format!("DROP INDEX {}", seen.whole.column(name)));
    let last: Vec<String> = constraints.chain(indexes).chain(seen.dropped()).collect();
    Ok(Pieces {
        expand,
        contract: drops(&all).statement(format!(
            "ALTER TABLE {whole} {}, ALGORITHM = INPLACE, LOCK = NONE",
            last.join(", ")
        )),
        // Those of a table go with it.
        revert: drops(&of_whole).statement(format!("DROP TABLE {part}")),
        allow,
    })
}

/// `INSERT … ON DUPLICATE KEY UPDATE …;`
fn upsert(seen: &Seen<'_>, blanks: usize) -> String {
    let pad = " ".repeat(blanks);
    format!(
        "{pad}INSERT INTO {} ({})\n{pad}VALUES ({}, {})\n{pad}ON DUPLICATE KEY UPDATE {};\n",
        seen.part.table(),
        seen.columns(),
        Seen::of("NEW.", &seen.key),
        Seen::of("NEW.", &seen.moved),
        seen.set("NEW."),
    )
}

/// No row of the new table can be there before its row in the other one.
fn inserted(seen: &Seen<'_>) -> String {
    format!(
        "    IF NOT ({}) THEN\n{}    END IF;\n",
        seen.nothing("NEW."),
        upsert(seen, 8)
    )
}

fn updated(seen: &Seen<'_>) -> String {
    let part = seen.part.table();
    let is_row = Seen::same_key("", &seen.link, "NEW.", &seen.key);
    let same = seen.same("", "NEW.");
    format!(
        "    DECLARE is_so boolean DEFAULT FALSE;
    IF NOT ({unchanged}) THEN
        IF {nothing} THEN
            IF EXISTS (SELECT 1 FROM {part} WHERE {is_row} AND NOT ({empty}) {NOW}) THEN
                DELETE FROM {part} WHERE {is_row};
            END IF;
        ELSE
            SET is_so = EXISTS (SELECT 1 FROM {part} WHERE {is_row} AND {same});
            IF is_so THEN
                SET is_so = EXISTS (SELECT 1 FROM {part} WHERE {is_row} AND {same} {NOW});
            END IF;
            IF NOT is_so THEN
{upsert}            END IF;
        END IF;
    END IF;
",
        unchanged = seen.same("NEW.", "OLD."),
        nothing = seen.nothing("NEW."),
        empty = seen.nothing(""),
        upsert = upsert(seen, 16),
    )
}

fn written(seen: &Seen<'_>) -> String {
    let whole = seen.whole.table();
    let is_row = Seen::same_key("", &seen.key, "NEW.", &seen.link);
    format!(
        "    IF EXISTS (SELECT 1 FROM {whole} WHERE {is_row} AND NOT ({same}) {NOW}) THEN
        UPDATE {whole} SET {set} WHERE {is_row};
    END IF;
",
        same = seen.same("", "NEW."),
        set = seen.set("NEW."),
    )
}

fn moved(seen: &Seen<'_>) -> String {
    let is_same: Vec<String> = seen
        .link
        .iter()
        .map(|name| format!("NEW.{name} <=> OLD.{name}"))
        .collect();
    format!(
        "    IF NOT ({}) THEN
        UPDATE {} SET {} WHERE {};
    END IF;
{}",
        is_same.join(" AND "),
        seen.whole.table(),
        seen.set_nothing(),
        Seen::same_key("", &seen.key, "OLD.", &seen.link),
        written(seen),
    )
}

fn gone(seen: &Seen<'_>) -> String {
    let whole = seen.whole.table();
    let was_row = Seen::same_key("", &seen.key, "OLD.", &seen.link);
    format!(
        "    IF EXISTS (SELECT 1 FROM {whole} WHERE {was_row} AND NOT ({empty}) {NOW}) THEN
        UPDATE {whole} SET {nothing} WHERE {was_row};
    END IF;
",
        empty = seen.nothing(""),
        nothing = seen.set_nothing(),
    )
}
