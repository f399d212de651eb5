//! What a schema may hold that a tool can trip over: the same on every database.

use crate::support::backend::Db;
use crate::support::project::Project;
use crate::support::shop::Shop;

const CONFIG: &str = "[services.web]\nmin_instances = 0\n";

/// A migration of the table `table` by the key `key`, which moves the column `old` to `new`.
fn manifest(table: &str, key: &str, remaining: &str) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    format!(
        "description = \"Move a column\"\nrows = \"append-only\"\n\
         [services.web]\nold = \"<1.2.0\"\nnew = \">=1.1.0\"\n\
         [backfill]\ntable = {}\nkey = {}\nbatch = 1\nremaining = {}\n",
        quoted(table),
        quoted(key),
        quoted(remaining)
    )
}

fn shop(db: Db, tables: &str, files: &[(&str, &str)]) -> Shop {
    db.execute(tables);
    let project = Project::new(&db, &[]);
    project.file("migrate.toml", CONFIG);
    project.migration("0001_move", files);
    Shop { db, project }
}

/// There and back, and then through every phase; the log stays whole.
#[track_caller]
fn goes_through_every_phase(shop: &Shop) {
    let before = shop.data();
    shop.run(&["check"], 0);
    shop.run(&["expand"], 0);
    shop.run(&["revert", "1"], 0);
    assert_eq!(shop.data(), before, "a revert leaves what was there before");
    for (command, phase) in [
        ("expand", "expanded"),
        ("backfill", "backfilled"),
        ("contract", "contracted"),
    ] {
        shop.run(&[command], 0);
        assert_eq!(shop.phase(1), phase);
    }
    shop.run(&["log", "--verify"], 0);
}

/// A name as this database quotes it.
fn quoted(db: &Db, name: &str) -> String {
    let quote = if db.backend.name == "mysql" { '`' } else { '"' };
    let doubled = name.replace(quote, &format!("{quote}{quote}"));
    format!("{quote}{doubled}{quote}")
}

scenario!(
    fn names_that_need_quotes_and_other_alphabets(db: Db) {
        let table = quoted(&db, "select `Größe\" — 日本");
        let [key, old, new, index] =
            ["Schlüssel id", "order", "naïve Ω", "Índice `\""].map(|name| quoted(&db, name));
        let text = "VARCHAR(60)";
        let tables = format!(
            "CREATE TABLE {table} ({key} BIGINT PRIMARY KEY, {old} {text}); \
             INSERT INTO {table} VALUES (1, 'Ärger — it''s 😀'), (2, 'Ελλάδα'), (3, '日本; -- ')"
        );
        let remaining = format!("SELECT count(*) FROM {table} WHERE {new} IS NULL");
        let drop_index = if db.backend.name == "mysql" {
            format!("DROP INDEX {index} ON {table}")
        } else {
            format!("DROP INDEX {index}")
        };
        let shop = shop(
            db,
            &tables,
            &[
                (
                    "migration.toml",
                    &manifest("select `Größe\" — 日本", "Schlüssel id", &remaining),
                ),
                (
                    "expand.sql",
                    &format!(
                        "ALTER TABLE {table} ADD COLUMN {new} {text};\nCREATE INDEX {index} ON {table} ({new});\n"
                    ),
                ),
                (
                    "backfill.sql",
                    &format!(
                        "UPDATE {table} SET {new} = {old} WHERE {key} > :after AND {key} <= :upto;\n"
                    ),
                ),
                (
                    "contract.sql",
                    &format!("ALTER TABLE {table} DROP COLUMN {old};\n"),
                ),
                (
                    "revert.sql",
                    &format!("{drop_index};\nALTER TABLE {table} DROP COLUMN {new};\n"),
                ),
            ],
        );
        goes_through_every_phase(&shop);
        assert_eq!(
            shop.db
                .query(&format!("SELECT {new} FROM {table} ORDER BY {key}")),
            [["Ärger — it's 😀"], ["Ελλάδα"], ["日本; -- "]]
        );
    }
);

/// A parent with children, a view, a trigger that keeps a log, and a generated column.
fn related(db: &Db) -> String {
    let generated = if db.backend.name == "postgres" {
        "GENERATED ALWAYS AS (price * 2) STORED"
    } else {
        "GENERATED ALWAYS AS (price * 2) VIRTUAL"
    };
    let trigger = match db.backend.name {
        "sqlite" => {
            "CREATE TRIGGER noted AFTER INSERT ON items BEGIN INSERT INTO notes (item) VALUES (NEW.id); END"
        }
        "postgres" => {
            "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO notes (item) VALUES (NEW.id); \
             RETURN NEW; END $$; \
             CREATE TRIGGER noted AFTER INSERT ON items FOR EACH ROW EXECUTE FUNCTION note()"
        }
        _ => {
            "CREATE TRIGGER noted AFTER INSERT ON items FOR EACH ROW BEGIN INSERT INTO notes (item) VALUES (NEW.id); END"
        }
    };
    format!(
        "CREATE TABLE items (id BIGINT PRIMARY KEY, price BIGINT NOT NULL, twice BIGINT {generated}, label VARCHAR(40)); \
         CREATE TABLE parts (id BIGINT PRIMARY KEY, item BIGINT NOT NULL, \
         FOREIGN KEY (item) REFERENCES items (id) ON DELETE CASCADE); \
         CREATE TABLE notes (item BIGINT); \
         CREATE VIEW dear AS SELECT id, price, twice FROM items WHERE price > 10; \
         {trigger}; \
         INSERT INTO items (id, price, label) VALUES (1, 5, 'a'), (2, 20, 'b'), (3, 30, NULL); \
         INSERT INTO parts VALUES (1, 1), (2, 1), (3, 2)"
    )
}

/// SQLite makes the table anew; what hung on the old one is made again by the script, and the children stay.
const REBUILT: &str = "\
DROP VIEW dear;
CREATE TABLE items_new (id BIGINT PRIMARY KEY, price BIGINT NOT NULL, twice BIGINT GENERATED ALWAYS AS (price * 2) VIRTUAL, title VARCHAR(40));
INSERT INTO items_new (id, price, title) SELECT id, price, title FROM items;
DROP TABLE items;
ALTER TABLE items_new RENAME TO items;
CREATE INDEX items_title ON items (title);
CREATE TRIGGER noted AFTER INSERT ON items BEGIN INSERT INTO notes (item) VALUES (NEW.id); END;
CREATE VIEW dear AS SELECT id, price, twice FROM items WHERE price > 10;
";

scenario!(
    fn foreign_keys_views_triggers_and_generated_columns(db: Db) {
        let tables = related(&db);
        let drop_index = if db.backend.name == "mysql" {
            "DROP INDEX items_title ON items"
        } else {
            "DROP INDEX items_title"
        };
        let remaining = "SELECT count(*) FROM items WHERE title IS NULL AND label IS NOT NULL";
        let shop = shop(
            db,
            &tables,
            &[
                ("migration.toml", &manifest("items", "id", remaining)),
                (
                    "expand.sql",
                    "ALTER TABLE items ADD COLUMN title VARCHAR(40);\nCREATE INDEX items_title ON items (title);\n",
                ),
                (
                    "backfill.sql",
                    "UPDATE items SET title = label WHERE id > :after AND id <= :upto;\n",
                ),
                ("contract.sql", "ALTER TABLE items DROP COLUMN label;\n"),
                ("contract.sqlite.sql", REBUILT),
                (
                    "revert.sql",
                    &format!("{drop_index};\nALTER TABLE items DROP COLUMN title;\n"),
                ),
            ],
        );
        goes_through_every_phase(&shop);
        let db = &shop.db;
        assert_eq!(
            db.query("SELECT item FROM parts ORDER BY id"),
            [["1"], ["1"], ["2"]]
        );
        db.execute("INSERT INTO items (id, price, title) VALUES (4, 40, 'd')");
        assert_eq!(
            db.query("SELECT id, twice FROM dear ORDER BY id"),
            [["2", "40"], ["3", "60"], ["4", "80"]]
        );
        assert_eq!(
            db.query("SELECT item FROM notes ORDER BY item"),
            [["1"], ["2"], ["3"], ["4"]]
        );
        let enforce = match db.backend.name {
            "sqlite" => "PRAGMA foreign_keys = ON; ",
            _ => "",
        };
        db.execute(&format!("{enforce}DELETE FROM items WHERE id = 1"));
        assert_eq!(db.value("SELECT count(*) FROM parts"), "1");
    }
);

scenario!(
    fn composite_and_text_keys_in_the_phases_of_the_schema(db: Db) {
        let shop = shop(
            db,
            "CREATE TABLE entries (shop VARCHAR(20) NOT NULL, number BIGINT NOT NULL, amount BIGINT, PRIMARY KEY (shop, number)); \
             CREATE TABLE shops (name VARCHAR(20) NOT NULL PRIMARY KEY, city VARCHAR(20)); \
             INSERT INTO entries VALUES ('north', 1, 10), ('north', 2, 20), ('süd', 1, 30); \
             INSERT INTO shops VALUES ('north', 'Kiel'), ('süd', 'Ulm')",
            &[
                (
                    "migration.toml",
                    &manifest(
                        "shops",
                        "name",
                        "SELECT count(*) FROM shops WHERE town IS NULL",
                    ),
                ),
                (
                    "expand.sql",
                    "CREATE TABLE totals (shop VARCHAR(20) NOT NULL, number BIGINT NOT NULL, sum BIGINT, \
                     PRIMARY KEY (shop, number), FOREIGN KEY (shop, number) REFERENCES entries (shop, number));\n\
                     ALTER TABLE shops ADD COLUMN town VARCHAR(20);\n",
                ),
                (
                    "backfill.sql",
                    "UPDATE shops SET town = city WHERE name > :after AND name <= :upto;\n",
                ),
                (
                    "contract.sql",
                    "ALTER TABLE shops DROP COLUMN city;\nDROP TABLE totals;\n",
                ),
                (
                    "revert.sql",
                    "ALTER TABLE shops DROP COLUMN town;\nDROP TABLE totals;\n",
                ),
            ],
        );
        goes_through_every_phase(&shop);
        assert_eq!(
            shop.db.query("SELECT name, town FROM shops ORDER BY town"),
            [["north", "Kiel"], ["süd", "Ulm"]]
        );
        assert_eq!(
            shop.db
                .query("SELECT shop, number, amount FROM entries ORDER BY amount"),
            [
                ["north", "1", "10"],
                ["north", "2", "20"],
                ["süd", "1", "30"]
            ]
        );
    }
);

fn numbers(db: Db, rows: &str) -> Shop {
    shop(
        db,
        &format!("CREATE TABLE numbers (id BIGINT PRIMARY KEY, old BIGINT); {rows}"),
        &[
            (
                "migration.toml",
                &manifest(
                    "numbers",
                    "id",
                    "SELECT count(*) FROM numbers WHERE new IS NULL",
                ),
            ),
            ("expand.sql", "ALTER TABLE numbers ADD COLUMN new BIGINT;\n"),
            (
                "backfill.sql",
                "UPDATE numbers SET new = old WHERE id > :after AND id <= :upto;\n",
            ),
            ("contract.sql", "ALTER TABLE numbers DROP COLUMN old;\n"),
            ("revert.sql", "ALTER TABLE numbers DROP COLUMN new;\n"),
        ],
    )
}

scenario!(
    fn an_empty_table_goes_through_every_phase(db: Db) {
        let shop = numbers(db, "");
        goes_through_every_phase(&shop);
        assert_eq!(shop.db.value("SELECT count(new) FROM numbers"), "0");
    }
);

scenario!(
    fn keys_and_values_at_both_ends_of_64_bits(db: Db) {
        let shop = numbers(
            db,
            // The least number itself has none before it to begin after.
            "INSERT INTO numbers VALUES (-9223372036854775807, 9223372036854775807), (-1, 0), (0, -1), \
             (9223372036854775807, -9223372036854775807 - 1)",
        );
        goes_through_every_phase(&shop);
        assert_eq!(
            shop.db.query("SELECT id, new FROM numbers ORDER BY id"),
            [
                ["-9223372036854775807", "9223372036854775807"],
                ["-1", "0"],
                ["0", "-1"],
                ["9223372036854775807", "-9223372036854775808"]
            ]
        );
    }
);
