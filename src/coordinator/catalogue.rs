//! What the catalogue says about a statement that was begun and never recorded as done.
//!
//! Invariant: it is only believed where it leaves no choice. Everything else is for a human to say.

use crate::database::{Connection, DatabaseError, Presence};
use crate::sql::{Effect, Object, ObjectKind, Statement, Verb};

/// What became of an interrupted statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// All of it has happened; what the catalogue shows.
    Applied(Vec<String>),
    /// It can run: nothing of it has happened, or it does the same however often it runs.
    NotApplied,
    /// Some of it has happened; what the catalogue shows.
    Between(Vec<String>),
    /// The catalogue does not show such things.
    Unknown,
}

/// What a statement makes of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Change {
    object: Object,
    /// `None` if the statement takes both.
    before: Option<Presence>,
    after: Presence,
}

/// Asks the catalogue what became of `statement`.
pub(super) async fn look_up(
    connection: &mut dyn Connection,
    statement: &Statement,
) -> Result<Found, DatabaseError> {
    let changes = changes(statement);
    let mut seen = Vec::with_capacity(changes.len());
    for change in changes {
        let presence = connection.presence(&change.object).await?;
        seen.push((change, presence));
    }
    Ok(judge(statement, &seen))
}

fn judge(statement: &Statement, seen: &[(Change, Presence)]) -> Found {
    let (mut applied, mut not_applied, mut open) = (0, 0, 0);
    for (change, presence) in seen {
        if !matches!(presence, Presence::Absent | Presence::Present) {
            return Found::Unknown;
        }
        match (&change.before, *presence == change.after) {
            (Some(_), true) => applied += 1,
            (_, false) => not_applied += 1,
            (None, true) => open += 1,
        }
    }
    let shown = || seen.iter().map(describe).collect();
    match (applied, not_applied) {
        (0, 0) if open > 0 || is_repeatable(statement) => Found::NotApplied,
        (0, 0) => Found::Unknown,
        (_, 0) if fills_what_it_creates(statement) => Found::Between(
            seen.iter()
                .map(|one| format!("{}, perhaps without its rows", describe(one)))
                .collect(),
        ),
        (_, 0) => Found::Applied(shown()),
        (0, _) => Found::NotApplied,
        _ => Found::Between(shown()),
    }
}

fn describe((change, presence): &(Change, Presence)) -> String {
    let object = &change.object;
    let kind = match object.kind {
        ObjectKind::Table => "the table",
        ObjectKind::Index => "the index",
        ObjectKind::View | ObjectKind::MaterializedView => "the view",
        ObjectKind::Trigger => "the trigger",
        ObjectKind::Column => "the column",
        ObjectKind::Constraint => "the constraint",
        _ => "the object",
    };
    let is = if *presence == Presence::Present {
        "is there"
    } else {
        "is not there"
    };
    match &object.table {
        Some(table) => format!("{kind} `{}` of `{table}` {is}", object.name),
        None => format!("{kind} `{}` {is}", object.name),
    }
}

/// What the statement as a whole makes of each object. A name that it takes away and gives again tells nothing.
fn changes(statement: &Statement) -> Vec<Change> {
    let mut changes: Vec<Change> = Vec::new();
    let moves_table = statement
        .objects()
        .any(|object| object.kind == ObjectKind::Table && object.verb == Verb::Rename);
    for object in statement.objects() {
        // Its columns may be looked for under either name.
        if moves_table && object.table.is_some() {
            continue;
        }
        let before = |presence| (!object.if_exists_or_not).then_some(presence);
        match object.verb {
            Verb::Create => note(
                &mut changes,
                object.clone(),
                before(Presence::Absent),
                Presence::Present,
            ),
            Verb::Drop => note(
                &mut changes,
                object.clone(),
                before(Presence::Present),
                Presence::Absent,
            ),
            Verb::Rename => {
                note(
                    &mut changes,
                    object.clone(),
                    before(Presence::Present),
                    Presence::Absent,
                );
                if let Some(name) = object.renamed_to.clone() {
                    let new = Object {
                        name,
                        ..object.clone()
                    };
                    note(
                        &mut changes,
                        new,
                        before(Presence::Absent),
                        Presence::Present,
                    );
                }
            }
            Verb::Alter => {}
        }
    }
    changes.retain(|change| change.before != Some(change.after));
    changes
}

fn note(changes: &mut Vec<Change>, object: Object, before: Option<Presence>, after: Presence) {
    let same = changes.iter_mut().find(|change| {
        let known = &change.object;
        known.kind == object.kind
            && known.schema == object.schema
            && known.table == object.table
            && known.name == object.name
    });
    match same {
        Some(change) => change.after = after,
        None => changes.push(Change {
            object,
            before,
            after,
        }),
    }
}

/// `CREATE TABLE … AS SELECT …`: the table comes first, and the rows after it.
fn fills_what_it_creates(statement: &Statement) -> bool {
    let has = |verb: Verb| {
        statement
            .objects()
            .any(|object| object.kind == ObjectKind::Table && object.verb == verb)
    };
    has(Verb::Create) && has(Verb::Alter)
}

/// Statements that do the same however often they run.
fn is_repeatable(statement: &Statement) -> bool {
    const MAINTENANCE: &[&str] = &[
        "VACUUM", "REINDEX", "PRAGMA", "ANALYZE", "CLUSTER", "OPTIMIZE", "CHECK", "GRANT", "REVOKE",
    ];
    let first = statement
        .text
        .split_whitespace()
        .next()
        .unwrap_or_default()
        .to_ascii_uppercase();
    // A column that is given the definition it has already stays as it is.
    let only_redefines = statement.object.is_some()
        && statement
            .objects()
            .all(|object| object.verb == Verb::Alter && object.kind == ObjectKind::Column)
        && !matches!(statement.effect, Effect::Unknown { .. });
    MAINTENANCE.contains(&first.as_str()) || only_redefines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::{Dialect, Script};

    const APPLIED: Found = Found::Applied(Vec::new());

    /// Judges a statement where the objects with these names, and no others, exist.
    fn judged(sql: &str, there: &[&str]) -> Found {
        let script = Script::parse(Dialect::Mysql, sql).unwrap();
        let statement = &script.statements[0];
        let seen: Vec<_> = changes(statement)
            .into_iter()
            .map(|change| {
                let presence = if there.contains(&change.object.name.as_str()) {
                    Presence::Present
                } else {
                    Presence::Absent
                };
                (change, presence)
            })
            .collect();
        judge(statement, &seen)
    }

    #[test]
    fn what_the_catalogue_tells() {
        use Found::{NotApplied, Unknown};
        for (sql, there, expected) in [
            ("CREATE TABLE a (id INT)", &["a"][..], APPLIED),
            ("CREATE TABLE a (id INT)", &[], NotApplied),
            ("CREATE TABLE IF NOT EXISTS a (id INT)", &["a"], NotApplied),
            ("CREATE OR REPLACE VIEW a AS SELECT 1", &["a"], NotApplied),
            ("CREATE TABLE a AS SELECT 1", &[], NotApplied),
            ("DROP TABLE a", &["a"], NotApplied),
            ("DROP TABLE a", &[], APPLIED),
            ("DROP TABLE IF EXISTS a", &[], NotApplied),
            ("ALTER TABLE t ADD a INT, ADD b INT", &["a", "b"], APPLIED),
            ("ALTER TABLE t ADD a INT, MODIFY b BIGINT", &["a"], APPLIED),
            ("ALTER TABLE t CHANGE a b INT", &["a"], NotApplied),
            ("ALTER TABLE t CHANGE a b INT", &["b"], APPLIED),
            ("ALTER TABLE t MODIFY a BIGINT", &["a"], NotApplied),
            (
                "ALTER TABLE t MODIFY a BIGINT, PARTITION BY HASH (a)",
                &["a"],
                Unknown,
            ),
            ("ALTER TABLE t DROP a, ADD a BIGINT", &["a"], Unknown),
            // Carried out twice, it would make a second index, with another name.
            (
                "ALTER TABLE t MODIFY a BIGINT, ADD INDEX (a)",
                &["a"],
                Unknown,
            ),
            ("ALTER TABLE t ADD UNIQUE (a)", &["a"], Unknown),
            (
                "ALTER TABLE t ADD COLUMN IF NOT EXISTS b INT, ADD INDEX (a)",
                &["b"],
                Unknown,
            ),
            (
                "ALTER TABLE t ADD COLUMN b INT, ADD INDEX (b)",
                &["b"],
                APPLIED,
            ),
            ("ALTER TABLE IF EXISTS t ADD b INT", &["b"], APPLIED),
            ("ALTER TABLE IF EXISTS t DROP b", &[], APPLIED),
            ("ALTER TABLE IF EXISTS t RENAME TO u", &["u"], NotApplied),
            ("ALTER TABLE t ADD x INT, RENAME TO u", &["u", "x"], APPLIED),
            ("RENAME TABLE a TO old, new TO a", &["a", "new"], NotApplied),
            ("RENAME TABLE a TO old, new TO a", &["a", "old"], APPLIED),
            ("CREATE INDEX i ON t (a)", &["i"], APPLIED),
            ("DROP TRIGGER g", &[], APPLIED),
            ("ANALYZE TABLE t", &[], NotApplied),
            ("TRUNCATE t", &["t"], Unknown),
            ("CALL p()", &[], Unknown),
        ] {
            let found = match judged(sql, there) {
                Found::Applied(_) => APPLIED,
                other => other,
            };
            assert_eq!(found, expected, "{sql} with {there:?}");
        }
        assert_eq!(
            judged("CREATE TABLE a AS SELECT 1", &["a"]),
            Found::Between(vec![
                "the table `a` is there, perhaps without its rows".into()
            ])
        );
        let Found::Between(shown) = judged("DROP TABLE a, b", &["b"]) else {
            panic!("one of two tables is gone");
        };
        assert_eq!(
            shown,
            ["the table `a` is not there", "the table `b` is there"]
        );
    }
}
