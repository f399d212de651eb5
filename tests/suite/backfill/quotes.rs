//! A typo in double quotes, of which SQLite by itself makes a text.

use crate::support::backend::Db;
use crate::support::shop::{APPEND_ONLY, BACKFILL, CONTRACT, NAME, Shop, said};

const ADVICE: &str = "Nothing in double quotes is taken for a text here";

/// Such a text in the schema is one that has worked for years, and stays one.
const OF_BEFORE: &str = "CREATE VIEW kinds AS SELECT id, \"none\" AS kind FROM users";

#[test]
fn a_typo_in_double_quotes_is_no_text_to_sqlite() {
    let shop = Shop::new(Db::on("sqlite"));
    shop.db.execute(OF_BEFORE);
    // 0 for every row, and the contract would drop what was never carried over.
    let mistyped = APPEND_ONLY.replace("WHERE name IS NULL", "WHERE \\\"nmae\\\" IS NULL");
    shop.name_migration(&mistyped);
    shop.run(&["expand"], 0);
    let refused = said(&shop.run(&["backfill"], 1));
    assert!(refused.contains("no such column: \"nmae\""), "{refused}");
    assert!(refused.contains(ADVICE), "{refused}");

    // The same text in each row.
    shop.name_migration(APPEND_ONLY);
    let mistyped = BACKFILL.replace("= full_name", "= \"fullname\"");
    shop.project
        .migration(NAME, &[("backfill.sql", mistyped.as_str())]);
    let refused = said(&shop.run(&["backfill"], 1));
    assert!(
        refused.contains("no such column: \"fullname\""),
        "{refused}"
    );
    assert!(refused.contains(ADVICE), "{refused}");
    let filled = "SELECT count(*) FROM users WHERE name = 'fullname'";
    assert_eq!(shop.db.value(filled), "0");

    shop.name_migration(APPEND_ONLY);
    shop.run(&["backfill"], 0);
    // A script that alters a table beside is no other.
    let kept = "CREATE TABLE kept (id INTEGER PRIMARY KEY, name TEXT);\n\
                ALTER TABLE users ADD COLUMN more TEXT;\n";
    let mistyped =
        format!("{kept}INSERT INTO kept SELECT id, \"full_nmae\" FROM users;\n{CONTRACT}");
    shop.project
        .migration(NAME, &[("contract.sql", mistyped.as_str())]);
    let refused = said(&shop.run(&["contract"], 1));
    assert!(
        refused.contains("no such column: \"full_nmae\""),
        "{refused}"
    );
    assert!(refused.contains("contract.sql:3"), "{refused}");
    shop.name_migration(APPEND_ONLY);
    shop.run(&["contract"], 0);
    assert_eq!(shop.db.value("SELECT min(kind) FROM kinds"), "none");
}
