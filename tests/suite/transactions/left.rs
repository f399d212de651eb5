//! Code that a contract leaves behind, whatever it is that the contract takes away: it fails when it is used, and who uses it
//! are live versions.

use crate::support::backend::Db;
use crate::support::shop::{Shop, said};

/// A contract, in a database that these statements have prepared.
fn contracting(backend: &str, before: &str, contract: &str) -> Shop {
    let shop = Shop::new(Db::on(backend));
    shop.db.execute(before);
    shop.project.migration(
        "0001_old",
        &[
            (
                "migration.toml",
                "description = \"x\"\n[services.web]\nold = \"<1.1.0\"\n",
            ),
            ("contract.sql", contract),
        ],
    );
    shop
}

#[track_caller]
fn refused(backend: &str, before: &str, contract: &str, parts: &[&str]) {
    let shop = contracting(backend, before, contract);
    let data = shop.data();
    let refused = shop.project.migrate(&["contract"]);
    assert_eq!(refused.code, 1, "{before}; {contract}: {refused:?}");
    for part in parts {
        assert!(
            said(&refused).contains(part),
            "{part}: {contract}: {refused:?}"
        );
    }
    assert_eq!(shop.data(), data, "{contract}");
    assert_ne!(shop.phase(1), "contracted", "{contract}");
}

#[track_caller]
fn passes(backend: &str, before: &str, contract: &str) {
    let shop = contracting(backend, before, contract);
    let ran = shop.project.migrate(&["contract"]);
    assert_eq!(ran.code, 0, "{contract}: {ran:?}");
}

fn plpgsql(body: &str) -> String {
    format!("CREATE FUNCTION f() RETURNS bigint LANGUAGE plpgsql AS $$ {body} $$")
}

#[test]
fn functions_of_postgres_name_more_than_tables() {
    let view = "CREATE VIEW names AS SELECT full_name FROM users";
    let deep = "CREATE FUNCTION deep() RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint'";
    let mood = "CREATE TYPE mood AS ENUM ('sad', 'glad')";
    for (before, contract, part) in [
        (format!("{view}; {}", plpgsql("BEGIN RETURN (SELECT count(*) FROM names); END")), "DROP VIEW names;\n", "`names`"),
        (
            format!("CREATE MATERIALIZED VIEW names AS SELECT 1 AS n; {}", plpgsql("BEGIN RETURN (SELECT sum(n) FROM public.names); END")),
            "DROP MATERIALIZED VIEW names;\n",
            "`names`",
        ),
        (format!("CREATE SEQUENCE tick; {}", plpgsql("BEGIN RETURN nextval('tick'); END")), "DROP SEQUENCE tick;\n", "the sequence `tick`"),
        (format!("CREATE SEQUENCE tick; {}", plpgsql("BEGIN RETURN nextval('public.tick'); END")), "DROP SEQUENCE tick;\n", "the sequence `tick`"),
        (format!("{deep}; {}", plpgsql("BEGIN RETURN deep() + 1; END")), "DROP FUNCTION deep();\n", "the function `deep`"),
        (format!("{mood}; {}", plpgsql("BEGIN PERFORM 'sad'::mood; RETURN 1; END")), "DROP TYPE mood;\n", "the type `mood`"),
        (format!("{mood}; {}", plpgsql("DECLARE m mood; BEGIN RETURN 1; END")), "DROP TYPE mood;\n", "the type `mood`"),
        (
            "CREATE DOMAIN short AS text CHECK (length(VALUE) < 9); CREATE FUNCTION f(x text) RETURNS text LANGUAGE sql AS 'SELECT CAST(x AS short)'".to_owned(),
            "DROP DOMAIN short;\n",
            "the type `short`",
        ),
        // Rows in variables.
        (plpgsql("DECLARE u users%ROWTYPE; BEGIN SELECT * INTO u FROM users LIMIT 1; RETURN length(u.full_name); END"), "ALTER TABLE users DROP COLUMN full_name;\n", "`full_name`"),
        (plpgsql("DECLARE u record; BEGIN FOR u IN SELECT * FROM users LOOP RETURN length(u.full_name); END LOOP; RETURN 0; END"), "ALTER TABLE users DROP COLUMN full_name;\n", "`full_name`"),
        (
            "CREATE FUNCTION f(u users) RETURNS int LANGUAGE sql AS 'SELECT length((u).full_name)'".to_owned(),
            "ALTER TABLE users DROP COLUMN full_name;\n",
            "`full_name`",
        ),
    ] {
        refused("postgres", &before, contract, &["`f`", part]);
    }
    for (before, contract) in [
        // Another one of its name stays.
        (
            format!(
                "{deep}; CREATE FUNCTION deep(x int) RETURNS bigint LANGUAGE sql AS 'SELECT 2::bigint'; {}",
                plpgsql("BEGIN RETURN deep(1); END")
            ),
            "DROP FUNCTION deep();\n",
        ),
        // A column may be called like a type, and a text may be the same word.
        (
            format!(
                "{mood}; ALTER TABLE users ADD mood text; {}",
                plpgsql("BEGIN RETURN (SELECT count(mood) FROM users WHERE mood = 'mood'); END")
            ),
            "DROP TYPE mood;\n",
        ),
        (
            format!(
                "CREATE SEQUENCE tick; {}",
                plpgsql("BEGIN PERFORM 'tick'; RETURN 1; END")
            ),
            "DROP SEQUENCE tick;\n",
        ),
        (
            format!(
                "{view}; {}",
                plpgsql("DECLARE names int; BEGIN names := 1; RETURN names; END")
            ),
            "DROP VIEW names;\n",
        ),
        // What takes its place does as well.
        (
            format!(
                "{view}; {}",
                plpgsql("BEGIN RETURN (SELECT count(*) FROM names); END")
            ),
            "DROP VIEW names;\nCREATE TABLE names (full_name text);\n",
        ),
    ] {
        passes("postgres", &before, contract);
    }
}

#[test]
fn views_of_views_routines_of_routines_and_defaults_of_sequences() {
    for (before, contract, parts) in [
        (
            "CREATE VIEW names AS SELECT full_name FROM users; CREATE VIEW short AS SELECT full_name FROM names",
            "DROP VIEW names;\n",
            &["the view `short`", "`names`"][..],
        ),
        (
            "CREATE FUNCTION deep() RETURNS INT DETERMINISTIC RETURN 1; CREATE VIEW short AS SELECT deep() AS n",
            "DROP FUNCTION deep;\n",
            &["the view `short`", "`deep`"],
        ),
        (
            "CREATE PROCEDURE deep() SELECT 1; CREATE PROCEDURE p() CALL deep()",
            "DROP PROCEDURE deep;\n",
            &["the procedure `p`", "`deep`"],
        ),
        (
            "CREATE PROCEDURE deep(n INT) UPDATE users SET id = id WHERE id = n; \
             CREATE TRIGGER t AFTER INSERT ON users FOR EACH ROW CALL deep(NEW.id)",
            "DROP PROCEDURE deep;\nDROP TRIGGER t;\n",
            &["the trigger `t`", "`deep`"],
        ),
    ] {
        refused("mysql", before, contract, parts);
    }
    passes(
        "mysql",
        "CREATE PROCEDURE deep() SELECT 1; CREATE PROCEDURE p() CALL deep()",
        "DROP PROCEDURE p;\nDROP PROCEDURE deep;\n",
    );
    let db = Db::on("mysql");
    if crate::support::mysql::is_mariadb(&db) {
        let before = "CREATE SEQUENCE tick; CREATE TABLE ticks (id INT DEFAULT NEXTVAL(tick))";
        refused(
            "mysql",
            before,
            "DROP SEQUENCE tick;\n",
            &["the default `id` of `ticks`", "DROP DEFAULT"],
        );
        passes(
            "mysql",
            before,
            "ALTER TABLE ticks ALTER id DROP DEFAULT;\nDROP SEQUENCE tick;\n",
        );
    }
}

#[test]
fn what_sqlite_cannot_compile_any_more_is_seen() {
    for (before, contract, parts) in [
        (
            "CREATE VIEW names AS SELECT full_name FROM users; CREATE TABLE log (n); CREATE TABLE orders (id INTEGER PRIMARY KEY); \
             CREATE TRIGGER t AFTER INSERT ON orders BEGIN INSERT INTO log SELECT count(*) FROM names; END",
            "DROP VIEW names;\n",
            &["names"][..],
        ),
        // No text of ours would find this one: the name stands in an expression of another table's trigger.
        (
            "CREATE TABLE log (n); CREATE TABLE orders (id INTEGER PRIMARY KEY); \
             CREATE TRIGGER t AFTER UPDATE ON orders WHEN NEW.id IN log BEGIN SELECT 1; END",
            "DROP TABLE log;\n",
            &["log"],
        ),
        // The child has no row yet.
        (
            "CREATE TABLE log (id INTEGER PRIMARY KEY); CREATE TABLE orders (id INTEGER PRIMARY KEY, log INTEGER REFERENCES log (id))",
            "DROP TABLE log;\n",
            &["the foreign key of `orders` to `log`"],
        ),
    ] {
        refused("sqlite", before, contract, parts);
    }
    passes(
        "sqlite",
        "CREATE TABLE log (n); CREATE TABLE orders (id INTEGER PRIMARY KEY NOT NULL, must TEXT NOT NULL, twice AS (id * 2)); \
         CREATE TRIGGER t AFTER UPDATE ON orders WHEN NEW.id IN log BEGIN SELECT 1; END",
        "DROP TRIGGER t;\nDROP TABLE log;\n",
    );
}

/// A name alone is one of the database in which it stands: what is innocent stays where it is.
#[test]
fn code_of_another_database_of_the_server_is_looked_at() {
    let drop = "ALTER TABLE users DROP COLUMN full_name;\n";
    let shop = contracting("mysql", "CREATE TABLE unrelated (id int)", drop);
    let here = shop.db.value("SELECT DATABASE()");
    let there = format!("{here}_crm");
    shop.db.execute(&format!(
        "CREATE DATABASE `{there}`; CREATE TABLE `{there}`.users (id int, full_name text); \
         CREATE VIEW `{there}`.own AS SELECT u.full_name, o.id FROM `{there}`.users u JOIN `{here}`.unrelated o; \
         CREATE PROCEDURE `{there}`.own() UPDATE users SET full_name = ''"
    ));
    for (word, code) in [
        ("VIEW", format!("AS SELECT full_name FROM `{here}`.users")),
        (
            "TRIGGER",
            format!(
                "BEFORE INSERT ON `{there}`.users FOR EACH ROW UPDATE `{here}`.users SET full_name = NEW.full_name"
            ),
        ),
        (
            "PROCEDURE",
            format!("() UPDATE `{here}`.users SET full_name = ''"),
        ),
    ] {
        let create = format!("CREATE {word} `{there}`.people {code}");
        shop.db.execute(&create);
        let refused = shop.run(&["contract"], 1);
        let wanted = format!("the {} `{there}.people`", word.to_lowercase());
        assert!(said(&refused).contains(&wanted), "{create}: {refused:?}");
        assert_ne!(shop.phase(1), "contracted", "{create}");
        shop.db.execute(&format!("DROP {word} `{there}`.people"));
    }
    shop.run(&["contract"], 0);
    shop.db.execute(&format!("DROP DATABASE `{there}`"));
}

#[track_caller]
fn expanding(backend: &str, before: &str, expand: &str) -> Shop {
    let shop = Shop::new(Db::on(backend));
    shop.db.execute(before);
    shop.project.migration(
        "0001_more",
        &[
            (
                "migration.toml",
                "description = \"x\"\n[services.web]\nnew = \">=1.1.0\"\n",
            ),
            ("expand.sql", expand),
        ],
    );
    shop
}

/// The write of a live version fires it, and would fail.
#[test]
fn code_that_counts_columns_is_seen_before_there_is_one_more() {
    const ADD: &str = "ALTER TABLE users ADD COLUMN z INT;\n";
    const BY_MYSQL: &str = "CREATE TABLE orders (id INT); CREATE TABLE audit (id INT, full_name TEXT); \
         CREATE TRIGGER t AFTER INSERT ON orders FOR EACH ROW INSERT INTO audit SELECT * FROM users";
    const BY_POSTGRES: &str = "CREATE TABLE audit (id int, full_name text); \
         CREATE FUNCTION kept() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO audit SELECT NEW.*; RETURN NEW; END'; \
         CREATE TRIGGER t AFTER UPDATE ON users FOR EACH ROW EXECUTE FUNCTION kept()";
    const BY_SQLITE: &str = "CREATE TABLE orders (id INTEGER PRIMARY KEY); CREATE TABLE audit (id, full_name); \
         CREATE TRIGGER t AFTER INSERT ON orders BEGIN INSERT INTO audit SELECT * FROM users; END";
    for (backend, before, mended) in [
        (
            "mysql",
            BY_MYSQL,
            "DROP TRIGGER t;\nCREATE TRIGGER t AFTER INSERT ON orders FOR EACH ROW INSERT INTO audit SELECT id, full_name FROM users;\n",
        ),
        (
            "postgres",
            BY_POSTGRES,
            "CREATE OR REPLACE FUNCTION kept() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO audit SELECT NEW.id, NEW.full_name; RETURN NEW; END';\n",
        ),
        (
            "sqlite",
            BY_SQLITE,
            "DROP TRIGGER t;\nCREATE TRIGGER t AFTER INSERT ON orders BEGIN INSERT INTO audit SELECT id, full_name FROM users; END;\n",
        ),
    ] {
        let shop = expanding(backend, before, ADD);
        let data = shop.data();
        let refused = shop.project.migrate(&["expand"]);
        assert_eq!(refused.code, 1, "{backend}: {refused:?}");
        let said = said(&refused);
        assert!(said.contains("`t`") || said.contains("(`t`)"), "{said}");
        assert_eq!(shop.data(), data, "{backend}");
        assert_eq!(shop.phase(1), "pending", "{backend}");
        let statement = if backend == "postgres" {
            "CREATE OR REPLACE FUNCTION kept"
        } else {
            "DROP TRIGGER t"
        };
        let allowed = format!(
            "description = \"x\"\n[services.web]\nnew = \">=1.1.0\"\n[[expand.allow]]\nstatement = \"{statement}\"\nreason = \"r\"\n"
        );
        shop.project.migration(
            "0001_more",
            &[
                ("migration.toml", &allowed),
                ("expand.sql", &format!("{mended}{ADD}")),
            ],
        );
        shop.run(&["expand"], 0);
    }
}

/// SQLite takes the key, and refuses every DELETE of the table that it leads to from then on.
#[test]
fn a_foreign_key_that_leads_to_no_unique_column_is_refused_on_sqlite() {
    for (expand, is_refused) in [
        (
            "CREATE TABLE kid (a TEXT REFERENCES users (full_name));\n",
            true,
        ),
        (
            "CREATE TABLE kid (id INTEGER PRIMARY KEY);\nALTER TABLE kid ADD COLUMN a TEXT REFERENCES users (full_name);\n",
            true,
        ),
        (
            "CREATE TABLE kid (a INTEGER REFERENCES users (id));\n",
            false,
        ),
        (
            "CREATE TABLE up (a TEXT UNIQUE);\nCREATE TABLE kid (a TEXT REFERENCES up (a));\n",
            false,
        ),
    ] {
        let shop = expanding("sqlite", "SELECT 1", expand);
        let run = shop.project.migrate(&["expand"]);
        assert_eq!(run.code == 1, is_refused, "{expand}: {run:?}");
        let said = said(&run);
        assert_eq!(said.contains("foreign key mismatch"), is_refused, "{said}");
        assert_eq!(shop.phase(1) == "pending", is_refused, "{expand}");
    }
}

/// PostgreSQL looks for it when somebody writes, and then each write of a live version fails.
#[test]
fn a_trigger_that_names_no_column_of_its_table_is_refused_on_postgres() {
    for (name, code) in [("nam", 1), ("full_name", 0)] {
        let expand = format!(
            "ALTER TABLE users ADD COLUMN name text;\n\
             CREATE FUNCTION synced() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.name := NEW.{name}; RETURN NEW; END $$;\n\
             CREATE TRIGGER synced BEFORE INSERT OR UPDATE ON users FOR EACH ROW EXECUTE FUNCTION synced();\n"
        );
        let shop = expanding("postgres", "SELECT 1", &expand);
        let run = shop.run(&["expand"], code);
        assert_eq!(said(&run).contains("NEW.nam"), code == 1, "{run:?}");
        assert_eq!(shop.phase(1) == "pending", code == 1);
    }
}

/// A contract whose statements are committed one by one would stop in the middle, so the gate knows what the server would refuse; what the
/// script itself takes away first is its own.
#[test]
fn what_the_server_would_not_let_go_of_is_told_before_the_contract() {
    let drop = "-- migrate: no-transaction\nALTER TABLE users DROP COLUMN full_name;\n";
    let of_postgres = [
        (
            "CREATE VIEW names AS SELECT full_name FROM users",
            "the view `names`",
            "DROP VIEW names",
        ),
        (
            "CREATE MATERIALIZED VIEW names AS SELECT full_name FROM users",
            "the materialised view `names`",
            "DROP MATERIALIZED VIEW names",
        ),
        (
            "ALTER TABLE users ADD loud text GENERATED ALWAYS AS (upper(full_name)) STORED",
            "the generated column `loud` of `users`",
            "ALTER TABLE users DROP COLUMN loud",
        ),
        (
            "CREATE POLICY own ON users USING (full_name = current_user)",
            "the policy `own` of `users`",
            "",
        ),
        (
            "CREATE RULE calm AS ON UPDATE TO users WHERE new.full_name = 'x' DO INSTEAD NOTHING",
            "the rule `calm` of `users`",
            "",
        ),
        (
            "ALTER TABLE users ADD UNIQUE (full_name); CREATE TABLE named (n text CONSTRAINT led REFERENCES users (full_name))",
            "the foreign key `led` of `named`",
            "ALTER TABLE named DROP CONSTRAINT led",
        ),
        (
            "CREATE UNIQUE INDEX once ON users (id) WHERE full_name IS NULL",
            "the unique index `once` of `users`, which is about other columns as well,",
            "",
        ),
        (
            "ALTER TABLE users ADD CONSTRAINT apart UNIQUE (id) INCLUDE (full_name)",
            "the unique index `apart` of `users`, which is about other columns as well,",
            "",
        ),
        (
            "ALTER TABLE users ADD CONSTRAINT apart EXCLUDE USING btree (id WITH =, lower(full_name) WITH =)",
            "the exclusion constraint `apart` of `users`, which is about other columns as well,",
            "",
        ),
    ];
    for (before, part, first) in of_postgres {
        needed("postgres", before, drop, part);
        // What belongs to no format somebody has to vouch for.
        if first.is_empty() {
            continue;
        }
        let first = format!(
            "-- migrate: no-transaction\n{first};\nALTER TABLE users DROP COLUMN full_name;\n"
        );
        passes("postgres", before, &first);
    }
    // What goes along by itself, is in another schema, or keeps what gets another name.
    for (before, contract) in [
        (
            "CREATE INDEX ON users (full_name); CREATE UNIQUE INDEX ON users (lower(full_name)) WHERE full_name <> ''; \
             ALTER TABLE users ADD CHECK (full_name <> ''); \
             CREATE SCHEMA other; CREATE TABLE other.users (full_name text); CREATE VIEW other.names AS SELECT full_name FROM other.users",
            drop,
        ),
        (
            "CREATE VIEW names AS SELECT full_name FROM users",
            "ALTER TABLE users RENAME COLUMN full_name TO name_of_before;\n",
        ),
    ] {
        passes("postgres", before, contract);
    }
    let drop = "ALTER TABLE users DROP COLUMN full_name;\n";
    for (before, part, first) in [
        (
            "ALTER TABLE users MODIFY full_name VARCHAR(100), ADD loud VARCHAR(100) AS (upper(full_name)) STORED",
            "the generated column `loud` of `users`",
            "ALTER TABLE users DROP COLUMN loud",
        ),
        (
            "ALTER TABLE users MODIFY full_name VARCHAR(100), ADD UNIQUE (full_name); \
             CREATE TABLE named (n VARCHAR(100), CONSTRAINT led FOREIGN KEY (n) REFERENCES users (full_name))",
            "the foreign key `led` of `named`",
            "ALTER TABLE named DROP FOREIGN KEY led",
        ),
        (
            "ALTER TABLE users MODIFY full_name VARCHAR(100), ADD shown VARCHAR(100) DEFAULT (concat(full_name, '!'))",
            "the default of `shown` of `users`",
            "ALTER TABLE users ALTER shown DROP DEFAULT",
        ),
        (
            "ALTER TABLE users ADD other VARCHAR(100), ADD CONSTRAINT apart CHECK (full_name <> other)",
            "the check `apart` of `users`",
            "ALTER TABLE users DROP CONSTRAINT apart",
        ),
        (
            "ALTER TABLE users MODIFY full_name VARCHAR(100), ADD other INT, ADD UNIQUE (full_name, other)",
            "the unique index `full_name` of `users`, which is about other columns as well,",
            "ALTER TABLE users DROP INDEX full_name",
        ),
        (
            "CREATE TABLE up (n VARCHAR(100) PRIMARY KEY); INSERT INTO up SELECT DISTINCT full_name FROM users; \
             ALTER TABLE users MODIFY full_name VARCHAR(100), ADD CONSTRAINT led FOREIGN KEY (full_name) REFERENCES up (n)",
            "the foreign key `led` of `users`",
            "ALTER TABLE users DROP FOREIGN KEY led",
        ),
    ] {
        needed("mysql", before, drop, part);
        passes("mysql", before, &format!("{first};\n{drop}"));
    }
    // What is about this column alone goes along, and a text is no name.
    passes(
        "mysql",
        "ALTER TABLE users MODIFY full_name VARCHAR(100), ADD CHECK (full_name <> ''), ADD UNIQUE (full_name), \
         ADD other VARCHAR(100) DEFAULT 'full_name', ADD INDEX (full_name, other)",
        drop,
    );
}

#[track_caller]
fn needed(backend: &str, before: &str, contract: &str, part: &str) {
    let shop = contracting(backend, before, contract);
    for command in [
        &["gate", "contract", "1"][..],
        &["contract", "1", "--dry-run"],
        &["contract", "1"],
    ] {
        let refused = shop.project.migrate(command);
        assert_eq!(refused.code, 11, "{before}: {command:?}: {refused:?}");
        let text = format!("{} {}", refused.stdout, said(&refused));
        for part in [part, "needs the column `users.full_name`"] {
            assert!(text.contains(part), "{part}: {command:?}: {refused:?}");
        }
    }
    assert_ne!(shop.phase(1), "contracting", "{before}");
}
