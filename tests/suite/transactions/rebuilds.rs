//! SQLite changes a table by building it anew, which can lose more than it says.

use crate::support::backend::{Db, Ledger};
use crate::support::shop::{Shop, said};

/// A parent table with children that go with it, and a rebuild of the parent that makes `note` required.
fn family(tables: &str, rebuild: &str) -> Shop {
    let shop = Shop::new(Db::on("sqlite"));
    shop.db.execute(tables);
    shop.project.migration(
        "0001_rebuild",
        &[
            (
                "migration.toml",
                "description = \"Rebuild parents\"\n[services.web]\nold = \"<1.1.0\"\n",
            ),
            ("contract.sql", rebuild),
        ],
    );
    shop
}

const TABLES: &str = "\
CREATE TABLE parents (id INTEGER PRIMARY KEY AUTOINCREMENT, note TEXT, legacy TEXT);
CREATE TABLE children (id INTEGER PRIMARY KEY, parent INTEGER NOT NULL REFERENCES parents (id) ON DELETE CASCADE);
CREATE INDEX parents_note ON parents (note);
CREATE TRIGGER parents_check BEFORE INSERT ON parents BEGIN SELECT 1; END;
INSERT INTO parents (note) VALUES ('a'), ('b'), ('c'), ('d');
INSERT INTO children (parent) VALUES (1), (1), (2);
DELETE FROM parents WHERE id = 4";

const REBUILD: &str = "\
CREATE TABLE parents_new (id INTEGER PRIMARY KEY AUTOINCREMENT, note TEXT NOT NULL);
INSERT INTO parents_new SELECT id, note FROM parents;
DROP TABLE parents;
ALTER TABLE parents_new RENAME TO parents;
";
const INDEX: &str = "CREATE INDEX parents_note ON parents (note);\n";
const TRIGGER: &str =
    "CREATE TRIGGER parents_check BEFORE INSERT ON parents BEGIN SELECT 1; END;\n";

#[test]
fn a_rebuilt_parent_keeps_its_children_and_its_numbers() {
    let shop = family(TABLES, &format!("{REBUILD}{INDEX}{TRIGGER}"));
    shop.run(&["contract"], 0);
    assert_eq!(shop.phase(1), "contracted");
    assert_eq!(
        shop.db.query("SELECT parent FROM children ORDER BY id"),
        [["1"], ["1"], ["2"]]
    );
    assert_eq!(shop.db.value("SELECT count(*) FROM parents"), "3");
    // The number of the deleted row is not given out again.
    shop.db.execute("INSERT INTO parents (note) VALUES ('e')");
    assert_eq!(shop.db.value("SELECT max(id) FROM parents"), "5");
    // The children still belong to it.
    shop.db
        .execute("PRAGMA foreign_keys = ON; DELETE FROM parents WHERE id = 1");
    assert_eq!(shop.db.value("SELECT count(*) FROM children"), "1");
}

#[track_caller]
fn refused(tables: &str, rebuild: &str, parts: &[&str]) {
    let shop = family(tables, rebuild);
    let data = shop.db.dump(Ledger::Excluded);
    let failed = shop.run(&["contract"], 1);
    for part in parts {
        assert!(said(&failed).contains(part), "{part} in {failed:?}");
    }
    assert_eq!(shop.db.dump(Ledger::Excluded), data);
    assert_eq!(shop.phase(1), "pending");
    shop.run(&["admit", "--service", "web", "--version", "1.0.0"], 0);
}

#[test]
fn a_violated_foreign_key_undoes_the_script() {
    let lossy = REBUILD.replace("SELECT id, note FROM", "SELECT id + 1, note FROM");
    let whole = format!("{lossy}{INDEX}{TRIGGER}");
    refused(
        TABLES,
        &whole,
        &[
            "2 foreign keys point nowhere",
            "children",
            "parents",
            "contract.sql",
        ],
    );
}

#[test]
fn a_lost_index_or_trigger_undoes_the_script() {
    refused(
        TABLES,
        &format!("{REBUILD}{TRIGGER}"),
        &["the index `parents_note` of `parents`"],
    );
    refused(
        TABLES,
        &format!("{REBUILD}{INDEX}"),
        &["the trigger `parents_check` of `parents`"],
    );
}

#[test]
fn an_index_may_be_dropped_on_purpose() {
    let shop = family(
        TABLES,
        &format!("DROP INDEX parents_note;\n{REBUILD}{TRIGGER}"),
    );
    shop.run(&["contract"], 0);
}

const VIEW: &str = "CREATE VIEW notes AS SELECT id, note FROM parents;\n";

#[test]
fn a_view_that_cannot_be_read_any_more_undoes_the_script() {
    let tables = format!("{TABLES};\n{VIEW}");
    let gone = "DROP TABLE children;\nDROP TABLE parents;\n";
    refused(
        &tables,
        gone,
        &[
            "views that cannot be read any more: notes",
            "contract.sql:2",
        ],
    );
}

#[test]
fn a_view_of_a_rebuilt_table_is_made_again() {
    let tables = format!("{TABLES};\n{VIEW}");
    let rebuild = format!("{REBUILD}{INDEX}{TRIGGER}");
    // SQLite itself refuses this; that the view is in the way, and what to do, has to be said.
    refused(
        &tables,
        &rebuild,
        &["view notes", "`DROP VIEW`", "create it again"],
    );
    let shop = family(&tables, &format!("DROP VIEW notes;\n{rebuild}{VIEW}"));
    shop.run(&["contract"], 0);
    assert_eq!(shop.db.value("SELECT count(*) FROM notes"), "3");
}

#[test]
fn what_was_broken_before_is_nobodys_fault() {
    let shop = family(
        &format!("{TABLES}; PRAGMA foreign_keys = OFF; INSERT INTO children (parent) VALUES (99)"),
        &format!("{REBUILD}{INDEX}{TRIGGER}"),
    );
    shop.run(&["contract"], 0);
    assert_eq!(shop.db.value("SELECT count(*) FROM children"), "4");
}
