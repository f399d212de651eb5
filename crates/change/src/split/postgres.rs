//! Triggers after the row is written, with the rights of the table's owner: a role that may write one of the tables need not have any
//! right to the other one. So their functions look for tables in the schemas of expand alone, and nobody else can have a trigger of
//! them.

use phasegate_model::model::Step;

use super::super::text::{Script, trigger_function};
use super::super::{Allowed, Wrong};
use super::{Pieces, Seen};

pub(super) fn pieces(seen: &Seen<'_>) -> Result<Pieces, Wrong> {
    let (whole, part) = (seen.whole.table(), seen.part.table());
    let (forward, back) = (seen.whole.function("to_new"), seen.part.function("to_old"));
    let (on_insert, on_update) = (seen.whole.trigger("insert"), seen.whole.trigger("update"));
    let on_part = seen.part.trigger("write");
    let changed: Vec<String> = seen
        .moved
        .iter()
        .map(|name| {
            format!(
                "CAST(OLD.{name} AS text) COLLATE \"C\" IS DISTINCT FROM CAST(NEW.{name} AS text) COLLATE \"C\""
            )
        })
        .collect();
    let rights = rights(seen, &[&forward, &back]);
    let expand = Script::whole()
        .statement(seen.made()?)
        .explained(
            "What is written into the columns that move is followed in the new table, where it holds something else.",
            trigger_function(&forward, &to_new(seen)),
        )
        .explained(
            "And the other way round. What stands in the new table by then is what counts: a key that changes with that of its row in\n\
             the other table is followed by the foreign key before this.",
            trigger_function(&back, &to_old(seen)),
        )
        .explained(
            "The functions have the rights of their owner, and no schema of somebody else's comes first for them. Whoever may use the\n\
             table may use the new one.",
            &rights,
        )
        .statement(format!(
            "CREATE TRIGGER {on_insert} AFTER INSERT ON {whole}\nFOR EACH ROW EXECUTE FUNCTION {forward}()"
        ))
        .statement(format!(
            "CREATE TRIGGER {on_update} AFTER UPDATE ON {whole}\nFOR EACH ROW WHEN ({})\nEXECUTE FUNCTION {forward}()",
            changed.join("\n    OR ")
        ))
        .statement(format!(
            "CREATE TRIGGER {on_part} AFTER INSERT OR UPDATE OR DELETE ON {part}\nFOR EACH ROW EXECUTE FUNCTION {back}()"
        ));
    let drops = || {
        Script::whole()
            .statement(format!("DROP TRIGGER {on_insert} ON {whole}"))
            .statement(format!("DROP TRIGGER {on_update} ON {whole}"))
            .statement(format!("DROP TRIGGER {on_part} ON {part}"))
            .statement(format!("DROP FUNCTION {forward}()"))
            .statement(format!("DROP FUNCTION {back}()"))
    };
    Ok(Pieces {
        expand,
        contract: drops().statement(format!("ALTER TABLE {whole} {}", seen.dropped().join(", "))),
        revert: drops().statement(format!("DROP TABLE {part}")),
        allow: vec![Allowed {
            step: Step::Expand,
            statement: rights,
        }],
    })
}

fn to_new(seen: &Seen<'_>) -> String {
    let part = seen.part.table();
    format!(
        "BEGIN
    IF {nothing} THEN
        DELETE FROM {part}
        WHERE {is_row} AND NOT ({empty});
    ELSE
        INSERT INTO {part} AS there ({columns})
        VALUES ({key}, {moved})
        ON CONFLICT ({link}) DO UPDATE SET {set}
        WHERE NOT ({same});
    END IF;
    RETURN NULL;
END
",
        nothing = seen.nothing("NEW."),
        is_row = Seen::same_key("", &seen.link, "NEW.", &seen.key),
        empty = seen.nothing(""),
        columns = seen.columns(),
        key = Seen::of("NEW.", &seen.key),
        moved = Seen::of("NEW.", &seen.moved),
        link = seen.link.join(", "),
        set = seen.set("excluded."),
        same = seen.same("there.", "NEW."),
    )
}

/// What a key that changes with that of its row in the other table leaves to be done is asked of both tables, once all of the statement
/// is done: foreign keys follow it row by row, and triggers come after.
fn to_old(seen: &Seen<'_>) -> String {
    let (whole, part) = (seen.whole.table(), seen.part.table());
    format!(
        "BEGIN
    IF TG_OP <> 'INSERT' THEN
        UPDATE {whole} SET {nothing}
        WHERE {was_row} AND NOT ({empty})
            AND NOT EXISTS (SELECT 1 FROM {part} WHERE {still});
    END IF;
    IF TG_OP <> 'DELETE' THEN
        UPDATE {whole} AS kept SET {set}
        FROM {part} AS moved
        WHERE {is_row} AND {is_whole}
            AND NOT ({same});
    END IF;
    RETURN NULL;
END
",
        nothing = seen.set_nothing(),
        was_row = Seen::same_key("", &seen.key, "OLD.", &seen.link),
        empty = seen.nothing(""),
        still = Seen::same_key("", &seen.link, "OLD.", &seen.link),
        set = seen.set("moved."),
        is_row = Seen::same_key("moved.", &seen.link, "NEW.", &seen.link),
        is_whole = Seen::same_key("kept.", &seen.key, "moved.", &seen.link),
        same = seen.same("kept.", "moved."),
    )
}

fn rights(seen: &Seen<'_>, functions: &[&str]) -> String {
    let literal = |text: &str| text.replace('\'', "''");
    let (whole, part) = (literal(&seen.whole.table()), literal(&seen.part.table()));
    let owned: String = functions
        .iter()
        .map(|function| {
            let function = literal(function);
            format!(
                "    EXECUTE 'ALTER FUNCTION {function}() SECURITY DEFINER SET search_path = ' || current_setting('search_path') || ', pg_temp';
    EXECUTE 'REVOKE EXECUTE ON FUNCTION {function}() FROM PUBLIC';
"
            )
        })
        .collect();
    format!(
        "DO $rights$
DECLARE
    granted record;
BEGIN
    IF (SELECT relrowsecurity FROM pg_class WHERE oid = '{whole}'::regclass) THEN
        RAISE EXCEPTION 'the table has row level security, which the new one would not have'
            USING HINT = 'make expand.sql your own, without its first line, and say there which rows of the new table are whose';
    END IF;
{owned}    FOR granted IN
        SELECT acl.privilege_type AS what, CASE acl.grantee WHEN 0 THEN 'PUBLIC' ELSE acl.grantee::regrole::text END AS who
        FROM pg_class, aclexplode(coalesce(relacl, acldefault('r', relowner))) AS acl
        WHERE pg_class.oid = '{whole}'::regclass AND acl.grantee <> current_user::regrole
            AND acl.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
    LOOP
        EXECUTE 'GRANT ' || granted.what || ' ON {part} TO ' || granted.who;
    END LOOP;
END
$rights$"
    )
}
