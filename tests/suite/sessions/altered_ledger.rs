//! A ledger whose tables somebody has altered, or has put something else in the place of: neither a question nor a command takes
//! what it says for all that there is.

use crate::support::shop::{Shop, said};

/// What is done to the leases, what undoes it, and what is said of it. `{l}` is the table, `{n}` its name alone, `{n2}` another.
const ALTERED: &[(&str, &str, &str)] = &[
    (
        "ALTER TABLE {l} RENAME COLUMN instance TO other",
        "ALTER TABLE {l} RENAME COLUMN other TO instance",
        "has no column instance",
    ),
    // One of those that came later, which a ledger of before need not have.
    (
        "ALTER TABLE {l} RENAME COLUMN superseded TO other",
        "ALTER TABLE {l} RENAME COLUMN other TO superseded",
        "has no column superseded",
    ),
    (
        "ALTER TABLE {l} RENAME TO {n2}; CREATE VIEW {l} AS SELECT * FROM {l2} WHERE 1 = 0",
        "DROP VIEW {l}; ALTER TABLE {l2} RENAME TO {n}",
        "leases is no ",
    ),
    // Its rows are all there, and its key is not.
    (
        "ALTER TABLE {l} RENAME TO {n2}; CREATE TABLE {l} AS SELECT * FROM {l2}",
        "DROP TABLE {l}; ALTER TABLE {l2} RENAME TO {n}",
        "leases.id is not in the primary key",
    ),
];

/// What only some of the databases can do.
fn more(shop: &Shop) -> &'static [(&'static str, &'static str, &'static str)] {
    match shop.db.backend.name {
        // Nobody is live at a moment that is unknown.
        "postgres" => &[
            (
                "ALTER TABLE {l} ALTER COLUMN expires_at DROP NOT NULL",
                "ALTER TABLE {l} ALTER COLUMN expires_at SET NOT NULL",
                "leases.expires_at may be NULL",
            ),
            (
                "ALTER TABLE phasegate.sightings DROP COLUMN placed; \
                 ALTER TABLE phasegate.sightings ADD COLUMN placed text GENERATED ALWAYS AS ('9.0.0') STORED",
                "ALTER TABLE phasegate.sightings ALTER COLUMN placed DROP EXPRESSION",
                "sightings.placed is generated",
            ),
            (
                "ALTER TABLE {l} ALTER COLUMN written_by DROP DEFAULT",
                "ALTER TABLE {l} ALTER COLUMN written_by SET DEFAULT session_user",
                "leases.written_by has no default",
            ),
        ],
        "mysql" => &[
            (
                "ALTER TABLE {l} MODIFY expires_at BIGINT",
                "ALTER TABLE {l} MODIFY expires_at BIGINT NOT NULL",
                "leases.expires_at may be NULL",
            ),
            (
                "ALTER TABLE {l} MODIFY renew_ms INT NOT NULL",
                "ALTER TABLE {l} MODIFY renew_ms BIGINT NOT NULL",
                "leases.renew_ms is of the type int",
            ),
        ],
        _ => &[],
    }
}

scenario!(
    fn a_ledger_that_was_altered_is_not_believed(db: Db) {
        let shop = Shop::backfilled(db);
        let leases = shop.ledger("leases");
        let bare = leases.rsplit('.').next().expect("a name").to_owned();
        let named = |sql: &str| {
            let prefix = leases.strip_suffix(&bare).expect("it ends so");
            let renamed = if shop.db.backend.name == "postgres" {
                "was".to_owned()
            } else {
                format!("{prefix}was")
            };
            let there = format!("{prefix}was");
            sql.replace("{l2}", &there)
                .replace("{l}", &leases)
                .replace("{n2}", &renamed)
                .replace("{n}", &bare)
        };
        for (altered, undone, words) in ALTERED.iter().chain(more(&shop)) {
            shop.db.execute(&named(altered));
            for command in [
                &["gate", "contract", "1"] as &[&str],
                &["status"],
                &["fleet"],
                &["contract", "1"],
                &["admit", "--service", "web", "--version", "1.1.0"],
            ] {
                let refused = said(&shop.run(command, 1));
                assert!(refused.contains(words), "{altered}: {command:?}: {refused}");
                assert!(
                    refused.contains("is not what this program has made"),
                    "{altered}: {command:?}: {refused}"
                );
            }
            shop.db.execute(&named(undone));
            shop.run(&["gate", "contract", "1"], 0);
        }
        shop.run(&["contract", "1"], 0);
    }
);
