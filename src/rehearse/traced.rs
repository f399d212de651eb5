//! Whether what a statement did is what the rules of `check` say of it, as far as that was seen. Pure.

use serde::Serialize;

use super::world::Ran;
use crate::project::Priced;
use crate::sql::{Dialect, Place, Work};

/// What a rule says of a statement, and what was seen of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Judged {
    pub rule: &'static str,
    pub table: String,
    /// A sentence without its end.
    pub says: String,
    pub traced: Traced,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Traced {
    Confirmed,
    /// The server did not do what the rule says.
    Contradicted,
    /// The server did what no rule says.
    NotForeseen,
    /// This database does not show whether it is so, or not in this script.
    NotSeen,
}

/// What the rules say of one statement, with what it did.
pub(super) fn judged(
    dialect: Dialect,
    known: &[String],
    said: &[&Priced],
    ran: &Ran,
) -> Vec<Judged> {
    let mut judged: Vec<Judged> = said
        .iter()
        .map(|one| Judged {
            rule: one.rule(),
            table: one.place.table.clone(),
            says: one.says.clone(),
            traced: traced(dialect, one.work, &one.place, ran),
        })
        .collect();
    // An index is built, and a table emptied, in new files as well: what keeps others out has said enough.
    let is_foreseen = |shown: &str| {
        let mut said = said.iter().filter(|one| is_at(dialect, &one.place, shown));
        said.any(|one| {
            matches!(
                one.work,
                Work::Rewrites | Work::LocksOut | Work::LocksWrites
            )
        })
    };
    let stored = ran.stored.iter();
    for table in stored.filter(|table| known.contains(table) && !is_foreseen(table)) {
        judged.push(Judged {
            rule: crate::project::rule_of(Work::Rewrites),
            table: table.clone(),
            says: format!("nothing says that it stores every row of `{table}` anew"),
            traced: Traced::NotForeseen,
        });
    }
    judged
}

fn traced(dialect: Dialect, work: Work, place: &Place, ran: &Ran) -> Traced {
    let is_here = |shown: &String| is_at(dialect, place, shown);
    let stood = ran.stood.iter().any(is_here);
    let held = ran.held.as_ref().map(|held| {
        let here = held.iter().filter(|(_, table)| is_here(table));
        here.map(|(mode, _)| mode.as_str()).collect::<Vec<_>>()
    });
    match (work, held, &ran.scanned) {
        (Work::Rewrites, _, _) if stood => so_is_it(ran.stored.iter().any(is_here)),
        (Work::LocksWrites, Some(held), _) if !held.is_empty() => {
            so_is_it(held.iter().any(|mode| keeps_writers_out(mode)))
        }
        (Work::LocksOut, Some(held), _) if !held.is_empty() => {
            let is_out = held.contains(&"AccessExclusiveLock");
            // Readers may wait for an index, whose locks are not looked at.
            if !is_out && held.iter().any(|mode| keeps_writers_out(mode)) {
                return Traced::NotSeen;
            }
            so_is_it(is_out)
        }
        (Work::Scans, Some(held), Some(scanned)) if stood && !held.is_empty() => {
            so_is_it(scanned.iter().any(is_here) && held.iter().any(|mode| keeps_writers_out(mode)))
        }
        _ => Traced::NotSeen,
    }
}

const fn so_is_it(is_so: bool) -> Traced {
    if is_so {
        Traced::Confirmed
    } else {
        Traced::Contradicted
    }
}

/// A lock of PostgreSQL with which nobody writes.
fn keeps_writers_out(mode: &str) -> bool {
    matches!(
        mode,
        "ShareLock" | "ShareRowExclusiveLock" | "ExclusiveLock" | "AccessExclusiveLock"
    )
}

/// Whether a table, as it is shown, is the one that a rule means.
fn is_at(dialect: Dialect, place: &Place, shown: &str) -> bool {
    let (schema, table) = match shown.rsplit_once('.') {
        Some((schema, table)) => (Some(schema), table),
        None => (None, shown),
    };
    let schemas = match (&place.schema, schema) {
        (Some(said), Some(schema)) => dialect.may_be_same_name(said, schema),
        _ => true,
    };
    schemas && dialect.may_be_same_name(&place.table, table)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::PathBuf;
    use std::time::Instant;

    use super::*;

    fn ran(mode: Option<&str>, stored: &[&str], scanned: Option<&[&str]>) -> Ran {
        let now = Instant::now();
        let all = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Ran {
            began: now,
            ended: now,
            locks: Vec::new(),
            held: mode.map(|mode| BTreeSet::from([(mode.to_owned(), "users".to_owned())])),
            stood: all(&["users"]),
            stored: all(stored),
            scanned: scanned.map(all),
        }
    }

    fn said(work: Work, table: &str) -> Priced {
        Priced {
            path: PathBuf::from("contract.sql"),
            index: 0,
            line: 1,
            place: Place {
                schema: None,
                table: table.to_owned(),
            },
            work,
            says: "says".to_owned(),
        }
    }

    #[test]
    fn what_was_seen_confirms_a_rule_or_contradicts_it() {
        use Traced::{Confirmed, Contradicted, NotSeen};
        let out = Some("AccessExclusiveLock");
        let writers = Some("ShareLock");
        let reader = Some("AccessShareLock");
        let read: Option<&[&str]> = Some(&["users"]);
        let unread: Option<&[&str]> = Some(&[]);
        for (work, ran, expected) in [
            (Work::Rewrites, ran(out, &["users"], read), Confirmed),
            (Work::Rewrites, ran(out, &[], read), Contradicted),
            (Work::LocksWrites, ran(writers, &[], None), Confirmed),
            (Work::LocksWrites, ran(reader, &[], None), Contradicted),
            (Work::LocksWrites, ran(None, &[], None), NotSeen),
            (Work::LocksOut, ran(out, &[], None), Confirmed),
            (Work::LocksOut, ran(reader, &[], None), Contradicted),
            // It may lock an index.
            (Work::LocksOut, ran(writers, &[], None), NotSeen),
            (Work::Scans, ran(out, &[], read), Confirmed),
            (Work::Scans, ran(out, &[], unread), Contradicted),
            (Work::Scans, ran(reader, &[], read), Contradicted),
            (Work::Scans, ran(out, &[], None), NotSeen),
            (Work::Fills, ran(out, &["users"], read), NotSeen),
        ] {
            let said = said(work, "users");
            let found = judged(Dialect::Postgres, &["users".to_owned()], &[&said], &ran);
            assert_eq!(found[0].traced, expected, "{work:?}: {ran:?}");
        }
        // Of a table whose rows nobody tells of, nothing was seen.
        let other = said(Work::Rewrites, "other");
        let found = judged(Dialect::Postgres, &[], &[&other], &ran(out, &[], read));
        assert_eq!(found[0].traced, NotSeen);
    }

    #[test]
    fn what_no_rule_has_foreseen_is_told() {
        let anew = ran(Some("AccessExclusiveLock"), &["users"], None);
        let users = ["users".to_owned()];
        let judge = |said: &[&Priced], known: &[String]| {
            let found = judged(Dialect::Postgres, known, said, &anew).into_iter();
            found.map(|one| one.traced).collect::<Vec<_>>()
        };
        assert_eq!(judge(&[], &users), [Traced::NotForeseen]);
        // A table that the migration has made is nobody's yet.
        assert_eq!(judge(&[], &[]), []);
        let emptied = said(Work::LocksOut, "users");
        assert_eq!(judge(&[&emptied], &users), [Traced::Confirmed]);
    }
}
