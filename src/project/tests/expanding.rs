//! What an expand does to what live versions write to tables that were there before.

use super::losing::{EVERYWHERE, codes, of};

const BASE: &str = "CREATE TABLE users (id integer primary key, full_name varchar(50), email varchar(50) NOT NULL UNIQUE, \
     n int, price numeric(10, 2));\n\
     CREATE TABLE orders (id integer primary key, user_id integer, team_id integer);\n\
     CREATE TABLE teams (id integer primary key);\n";

fn expand(dialect: &str, sql: &str) -> Vec<String> {
    with(dialect, sql, &[])
}

fn with(dialect: &str, sql: &str, files: &[(&str, &str)]) -> Vec<String> {
    let all = [
        &[
            ("0001_base/migration.toml", "description = \"x\"\n"),
            ("0001_base/expand.sql", BASE),
            ("0003_next/migration.toml", "description = \"x\"\n"),
            ("0003_next/expand.sql", sql),
        ],
        files,
    ];
    of(dialect, &all.concat())
}

/// Statements, and whether nothing has to be said of them.
fn judge(cases: &[(&[&str], &str, bool)]) {
    let mut wrong = Vec::new();
    for (dialects, sql, is_fine) in cases {
        for dialect in *dialects {
            let found = expand(dialect, sql);
            let expected = if *is_fine {
                &[][..]
            } else {
                &["destructive-expand"]
            };
            if codes(&found) != expected {
                wrong.push(format!("{dialect}: {sql}\n  {found:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const POSTGRES: &[&str] = &["postgres"];
const MYSQL: &[&str] = &["mysql"];
const SQLITE: &[&str] = &["sqlite"];
const SERVERS: &[&str] = &["postgres", "mysql"];

#[test]
fn rows_that_hold_on_to_those_of_live_versions_are_asked_for() {
    let kid = |rest: &str| {
        format!(
            "CREATE TABLE kid (uid integer, b integer, FOREIGN KEY (uid) REFERENCES users (id){rest});\n"
        )
    };
    let fill = "INSERT INTO kid (uid) SELECT id FROM users;\n";
    let [plain, cascades, sets_null, updates] = [
        kid(""),
        kid(" ON DELETE CASCADE"),
        kid(" ON DELETE SET NULL"),
        kid(" ON UPDATE CASCADE"),
    ]
    .map(|table| table + fill);
    let grandkid = "CREATE TABLE mid (id integer primary key, uid integer REFERENCES users (id) ON DELETE CASCADE);\n\
         CREATE TABLE low (mid integer REFERENCES mid (id));\nINSERT INTO mid SELECT id, id FROM users;\n\
         INSERT INTO low SELECT id FROM mid;\n";
    let empty = kid("");
    let another = kid("") + "INSERT INTO kid (b) VALUES (1);\n";
    let renamed = kid("").replace("kid", "k2") + "ALTER TABLE k2 RENAME TO kid;\n" + fill;
    judge(&[
        (EVERYWHERE, &plain, false),
        (EVERYWHERE, &updates, false),
        (EVERYWHERE, &cascades, true),
        (EVERYWHERE, &sets_null, true),
        (EVERYWHERE, &empty, true),
        // Where the key is NULL, nothing is held.
        (EVERYWHERE, &another, true),
        (EVERYWHERE, &renamed, false),
        (EVERYWHERE, grandkid, false),
        (
            EVERYWHERE,
            "CREATE TABLE kid (a integer NOT NULL REFERENCES users (id) ON DELETE SET NULL);\nINSERT INTO kid SELECT id FROM users;\n",
            false,
        ),
        (
            EVERYWHERE,
            "CREATE TABLE kid (a integer REFERENCES users ON DELETE RESTRICT);\nINSERT INTO kid SELECT id FROM users;\n",
            false,
        ),
        // A key that may be changed.
        (
            EVERYWHERE,
            "CREATE TABLE kid (mail varchar(50) REFERENCES users (email) ON DELETE CASCADE);\nINSERT INTO kid SELECT email FROM users;\n",
            false,
        ),
        (
            EVERYWHERE,
            "CREATE TABLE kid (mail varchar(50) REFERENCES users (email) ON DELETE CASCADE ON UPDATE CASCADE);\nINSERT INTO kid SELECT email FROM users;\n",
            true,
        ),
        // Both tables are of the script.
        (
            EVERYWHERE,
            "CREATE TABLE p (id integer primary key);\nCREATE TABLE kid (a integer REFERENCES p (id));\nINSERT INTO p VALUES (1);\nINSERT INTO kid VALUES (1);\n",
            true,
        ),
        // Of two columns, both have to have a value.
        (
            EVERYWHERE,
            "CREATE TABLE kid (a integer, b integer, FOREIGN KEY (a, b) REFERENCES orders (user_id, team_id));\nINSERT INTO kid (a) SELECT 1;\n",
            true,
        ),
        (
            EVERYWHERE,
            "CREATE TABLE kid (a integer, b integer, FOREIGN KEY (a, b) REFERENCES orders (user_id, team_id));\nINSERT INTO kid (b, a) SELECT 1, 2;\n",
            false,
        ),
        (
            SERVERS,
            "CREATE TABLE kid (a integer);\nINSERT INTO kid SELECT id FROM users;\nALTER TABLE kid ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES users (id);\n",
            false,
        ),
        (
            SERVERS,
            "CREATE TABLE kid AS SELECT id AS a FROM users;\nALTER TABLE kid ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES users (id);\n",
            false,
        ),
        // A new column of a table that was there.
        (
            EVERYWHERE,
            "ALTER TABLE orders ADD COLUMN of_user integer REFERENCES users (id);\n",
            true,
        ),
        (
            EVERYWHERE,
            "ALTER TABLE orders ADD COLUMN of_user integer REFERENCES users (id);\nUPDATE orders SET of_user = user_id;\n",
            false,
        ),
        (
            EVERYWHERE,
            "ALTER TABLE orders ADD COLUMN of_user integer REFERENCES users (id) ON DELETE SET NULL;\nUPDATE orders SET of_user = user_id;\n",
            true,
        ),
        // Rows of a table that was there go with what live versions delete.
        (
            EVERYWHERE,
            "ALTER TABLE orders ADD COLUMN of_user integer REFERENCES users (id) ON DELETE CASCADE;\nUPDATE orders SET of_user = user_id;\n",
            false,
        ),
        (
            SQLITE,
            &(kid("")
                + "CREATE TRIGGER t AFTER INSERT ON users BEGIN INSERT INTO kid (uid) VALUES (new.id); END;\n"),
            false,
        ),
        (
            POSTGRES,
            &(kid("")
                + "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO kid (uid) VALUES (NEW.id); RETURN NEW; END $$;\n\
              CREATE TRIGGER t AFTER INSERT ON users FOR EACH ROW EXECUTE FUNCTION f();\n"),
            false,
        ),
        (
            MYSQL,
            &(kid("")
                + "CREATE TRIGGER t AFTER INSERT ON users FOR EACH ROW INSERT INTO kid (uid) VALUES (NEW.id);\n"),
            false,
        ),
        (
            MYSQL,
            &(kid("") + "INSERT IGNORE kid SET uid = 1;\n"),
            false,
        ),
        (
            POSTGRES,
            &(kid("")
                + "WITH x AS (INSERT INTO kid (uid) SELECT id FROM users RETURNING uid) SELECT count(*) FROM x;\n"),
            false,
        ),
    ]);
}

/// A backfill fills a foreign key while versions that know nothing of it are live.
#[test]
fn a_backfill_holds_on_to_rows_as_well() {
    const MANIFEST: &str = "description = \"x\"\nsync = \"to-new\"\n[services.web]\nold = \"<1.2.0\"\nnew = \">=1.1.0\"\n\
         [backfill]\ntable = \"orders\"\nkey = \"id\"\nremaining = \"SELECT count(*) FROM orders WHERE of_user IS NULL\"\n";
    const BACKFILL: &str =
        "UPDATE orders SET of_user = user_id WHERE id > :after AND id <= :upto;\n";
    for dialect in EVERYWHERE {
        for (action, is_fine) in [("", false), (" ON DELETE SET NULL", true)] {
            let sql = format!(
                "ALTER TABLE orders ADD COLUMN of_user integer REFERENCES users (id){action};\n"
            );
            let found = with(
                dialect,
                &sql,
                &[
                    ("0003_next/migration.toml", MANIFEST),
                    ("0003_next/backfill.sql", BACKFILL),
                ],
            );
            let expected = if is_fine {
                &[][..]
            } else {
                &["destructive-expand"]
            };
            assert_eq!(codes(&found), expected, "{dialect} {sql} {found:?}");
        }
    }
}

#[test]
fn a_generated_column_holds_what_live_versions_write() {
    judge(&[
        (
            POSTGRES,
            "ALTER TABLE users ADD COLUMN a varchar(50) GENERATED ALWAYS AS (lower(email)) STORED;\n",
            true,
        ),
        (
            SERVERS,
            "ALTER TABLE users ADD COLUMN a varchar(3) GENERATED ALWAYS AS (lower(email)) STORED;\n",
            false,
        ),
        (
            SERVERS,
            "ALTER TABLE users ADD COLUMN a smallint GENERATED ALWAYS AS (n) STORED;\n",
            false,
        ),
        (
            SERVERS,
            "ALTER TABLE users ADD COLUMN a int GENERATED ALWAYS AS (n * 1000000) STORED;\n",
            false,
        ),
        (
            POSTGRES,
            "ALTER TABLE users ADD COLUMN b smallint, ADD COLUMN a int GENERATED ALWAYS AS (b) STORED;\n",
            true,
        ),
        // What no file tells may be anything.
        (
            SERVERS,
            "ALTER TABLE users ADD COLUMN a int GENERATED ALWAYS AS (gone) STORED;\n",
            false,
        ),
        (
            SERVERS,
            "ALTER TABLE users ADD COLUMN a text GENERATED ALWAYS AS (lower(gone)) STORED;\n",
            true,
        ),
        (
            SERVERS,
            "CREATE TABLE own (n int, a smallint GENERATED ALWAYS AS (n) STORED);\nALTER TABLE own ADD COLUMN b smallint GENERATED ALWAYS AS (n) STORED;\n",
            true,
        ),
        (
            MYSQL,
            "ALTER TABLE users ADD COLUMN a int GENERATED ALWAYS AS (n * 1000000) VIRTUAL;\n",
            false,
        ),
        (
            MYSQL,
            "ALTER TABLE users ADD COLUMN a int GENERATED ALWAYS AS (n * 1000000) VIRTUAL;\nCREATE INDEX users_a ON users (a);\n",
            false,
        ),
        (
            MYSQL,
            "ALTER TABLE users ADD COLUMN a int GENERATED ALWAYS AS (n * 1000000) VIRTUAL, ADD INDEX (a);\n",
            false,
        ),
        (
            SQLITE,
            "ALTER TABLE users ADD COLUMN a int GENERATED ALWAYS AS (n * 1000000) VIRTUAL;\n",
            true,
        ),
    ]);
}

/// A contract, beside what it is for, and whether nothing has to be said of it.
#[test]
fn a_contract_leaves_the_indexes_of_others() {
    const BASE: &str = "CREATE TABLE users (id integer primary key, full_name varchar(50), email varchar(50), n int);\n\
         CREATE UNIQUE INDEX users_email ON users (email);\nCREATE INDEX users_n ON users (n);\n\
         CREATE INDEX users_full_name ON users (full_name, n);\n";
    for dialect in EVERYWHERE {
        let on = if *dialect == "mysql" { " ON users" } else { "" };
        for (expand, drop, is_fine) in [
            ("", "users_email", false),
            ("", "users_n", false),
            // It is over what goes.
            ("", "users_full_name", true),
            // Another takes its place.
            (
                "CREATE INDEX users_n_2 ON users (n, id);\n",
                "users_n",
                true,
            ),
            (
                "CREATE INDEX users_email_2 ON users (email);\n",
                "users_email",
                false,
            ),
            // Nobody knows what it is over.
            ("", "users_else", true),
        ] {
            let expand = format!("ALTER TABLE users ADD COLUMN first_name TEXT;\n{expand}");
            let contract =
                format!("DROP INDEX {drop}{on};\nALTER TABLE users DROP COLUMN full_name;\n");
            let found = of(
                dialect,
                &[
                    ("0001_base/migration.toml", "description = \"x\"\n"),
                    ("0001_base/expand.sql", BASE),
                    ("0002_split/expand.sql", &expand),
                    ("0002_split/contract.sql", &contract),
                ],
            );
            let expected = if is_fine {
                &[][..]
            } else {
                &["takes-too-much"]
            };
            assert_eq!(
                codes(&found),
                expected,
                "{dialect} {expand}{contract} {found:?}"
            );
        }
    }
}

/// What the database writes beside what a backfill says, where an earlier migration tells.
#[test]
fn a_backfill_that_touches_the_time_of_the_last_change_is_told_of() {
    const OWN: &str =
        "CREATE TABLE users (id integer primary key, full_name varchar(50), updated_at timestamp";
    let fill = |set: &str| {
        format!("UPDATE users SET first_name = full_name{set} WHERE id > :after AND id <= :upto;\n")
    };
    let postgres = |event: &str| {
        format!(
            "{OWN});\nCREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.updated_at := now(); RETURN NEW; END $$;\n\
             CREATE TRIGGER t BEFORE {event} ON users FOR EACH ROW EXECUTE FUNCTION touch();\n"
        )
    };
    let sqlite = |event: &str| {
        format!(
            "{OWN});\nCREATE TRIGGER t AFTER {event} ON users BEGIN UPDATE users SET updated_at = CURRENT_TIMESTAMP WHERE id = NEW.id; END;\n"
        )
    };
    let mysql = format!("{OWN} NULL DEFAULT NULL ON UPDATE CURRENT_TIMESTAMP);\n");
    for (dialect, base, set, is_quiet) in [
        ("mysql", mysql.clone(), "", false),
        ("mysql", mysql, ", updated_at = updated_at", true),
        ("postgres", postgres("UPDATE"), "", false),
        (
            "postgres",
            postgres("INSERT OR UPDATE OF first_name"),
            "",
            false,
        ),
        ("postgres", postgres("UPDATE OF full_name"), "", true),
        ("postgres", postgres("INSERT"), "", true),
        ("sqlite", sqlite("UPDATE"), "", false),
        ("sqlite", sqlite("DELETE"), "", true),
    ] {
        let backfill = fill(set);
        let found = of(
            dialect,
            &[
                ("0001_base/migration.toml", "description = \"x\"\n"),
                ("0001_base/expand.sql", &base),
                ("0002_split/backfill.sql", &backfill),
            ],
        );
        let expected = if is_quiet { &[][..] } else { &["writes-along"] };
        assert_eq!(codes(&found), expected, "{dialect} {base} {found:?}");
    }
}

/// Of what keeps rows apart, a column takes along what is about others as well, unless the script says so by name.
#[test]
fn a_contract_takes_no_unique_index_over_other_columns_along() {
    const BASE: &str = "CREATE TABLE users (id integer primary key, team int, full_name varchar(50), email varchar(50));\n";
    const GOES: &str = "ALTER TABLE users DROP COLUMN full_name;\n";
    for (dialects, index, contract, is_fine) in [
        (
            EVERYWHERE,
            "CREATE UNIQUE INDEX once ON users (team, full_name);\n",
            GOES,
            false,
        ),
        (
            POSTGRES,
            "CREATE UNIQUE INDEX once ON users (email) WHERE full_name IS NOT NULL;\n",
            GOES,
            false,
        ),
        (
            POSTGRES,
            "ALTER TABLE users ADD UNIQUE (team) INCLUDE (full_name);\n",
            GOES,
            false,
        ),
        (
            EVERYWHERE,
            "CREATE UNIQUE INDEX once ON users (full_name);\n",
            GOES,
            true,
        ),
        (
            EVERYWHERE,
            "CREATE INDEX plain ON users (team, full_name);\n",
            GOES,
            true,
        ),
        (
            EVERYWHERE,
            "CREATE UNIQUE INDEX once ON users (team, email);\n",
            GOES,
            true,
        ),
        (
            POSTGRES,
            "CREATE UNIQUE INDEX once ON users (team, full_name);\n",
            "DROP INDEX once;\nALTER TABLE users DROP COLUMN full_name;\n",
            true,
        ),
        (
            MYSQL,
            "ALTER TABLE users ADD UNIQUE (full_name, team);\n",
            "ALTER TABLE users DROP INDEX full_name;\nALTER TABLE users DROP COLUMN full_name;\n",
            true,
        ),
    ] {
        for dialect in dialects {
            let found = of(
                dialect,
                &[
                    ("0001_base/migration.toml", "description = \"x\"\n"),
                    ("0001_base/expand.sql", &format!("{BASE}{index}")),
                    (
                        "0002_split/expand.sql",
                        "ALTER TABLE users ADD COLUMN first_name TEXT;\n",
                    ),
                    (
                        "0002_split/backfill.sql",
                        "UPDATE users SET first_name = full_name WHERE id > :after AND id <= :upto;\n",
                    ),
                    ("0002_split/contract.sql", contract),
                ],
            );
            let expected = if is_fine {
                &[][..]
            } else {
                &["takes-too-much"]
            };
            assert_eq!(
                codes(&found),
                expected,
                "{dialect} {index}{contract} {found:?}"
            );
        }
    }
}

/// What its expand has dropped by its name goes along with nothing.
#[test]
fn a_unique_index_that_the_expand_has_replaced_does_not_go_along() {
    const BASE: &str = "CREATE TABLE users (id integer primary key, team int, full_name varchar(50));\n\
        CREATE UNIQUE INDEX once ON users (team, full_name);\n";
    const ADDS: &str = "ALTER TABLE users ADD COLUMN first_name varchar(50);\n\
        CREATE UNIQUE INDEX once_2 ON users (team, first_name);\n";
    for (drops, is_fine) in [("DROP INDEX once;\n", true), ("", false)] {
        let found = of(
            "postgres",
            &[
                ("0001_base/migration.toml", "description = \"x\"\n"),
                ("0001_base/expand.sql", BASE),
                ("0002_split/expand.sql", &format!("{ADDS}{drops}")),
                ("-0002_split/backfill.sql", ""),
                (
                    "0002_split/contract.sql",
                    "ALTER TABLE users DROP COLUMN full_name;\n",
                ),
            ],
        );
        let goes = found.iter().any(|one| one.contains("goes with it"));
        assert_eq!(goes, !is_fine, "{drops}{found:?}");
    }
}

/// Every value of the old type is one of the new type as it is.
#[test]
fn a_type_that_only_becomes_wider_is_free_in_a_contract() {
    const BASE: &str = "CREATE TABLE users (id integer primary key, n int NOT NULL DEFAULT 1, e numeric(5,2), full_name varchar(20));\n";
    const MANIFEST: &str = "description = \"x\"\n[services.web]\nold = \"<2.0.0\"\n";
    let found = |dialect: &str, base: &str, contract: &str| {
        of(
            dialect,
            &[
                ("0001_base/migration.toml", "description = \"x\"\n"),
                ("0001_base/expand.sql", base),
                ("0002_split/migration.toml", MANIFEST),
                ("-0002_split/expand.sql", ""),
                ("-0002_split/backfill.sql", ""),
                ("-0002_split/revert.sql", ""),
                ("0002_split/contract.sql", contract),
            ],
        )
    };
    for (dialect, change, is_fine) in [
        (
            "postgres",
            "ALTER TABLE users ALTER COLUMN n TYPE bigint;\n",
            true,
        ),
        (
            "postgres",
            "ALTER TABLE users ALTER COLUMN n TYPE smallint;\n",
            false,
        ),
        (
            "postgres",
            "ALTER TABLE users ALTER COLUMN n TYPE text;\n",
            false,
        ),
        (
            "postgres",
            "ALTER TABLE users ALTER COLUMN e TYPE numeric(10,2);\n",
            true,
        ),
        (
            "postgres",
            "ALTER TABLE users ALTER COLUMN e TYPE numeric(10,1);\n",
            false,
        ),
        (
            "postgres",
            "ALTER TABLE users ALTER COLUMN full_name TYPE varchar(10);\n",
            false,
        ),
        (
            "mysql",
            "ALTER TABLE users MODIFY n bigint NOT NULL DEFAULT 1;\n",
            true,
        ),
        (
            "mysql",
            "ALTER TABLE users MODIFY n bigint NOT NULL DEFAULT 1, ALGORITHM = COPY, LOCK = SHARED;\n",
            true,
        ),
        // What MODIFY does not repeat is gone.
        (
            "mysql",
            "ALTER TABLE users MODIFY n bigint NOT NULL;\n",
            false,
        ),
        ("mysql", "ALTER TABLE users MODIFY e numeric(10,2);\n", true),
    ] {
        let found = found(dialect, BASE, change);
        let is_told = codes(&found).contains(&"takes-too-much");
        assert_eq!(is_told, !is_fine, "{dialect} {change} {found:?}");
    }
}

/// As `ALTER TYPE … ADD VALUE` is on PostgreSQL: what old versions cannot read is for the versions that are declared.
#[test]
fn a_list_of_values_may_get_one_more_at_its_end() {
    const BASE: &str = "CREATE TABLE users (id integer primary key, st enum('a','b') NOT NULL DEFAULT 'a', full_name text);\n";
    for (change, is_fine) in [
        (
            "st enum('a','b','c') NOT NULL DEFAULT 'a', ALGORITHM = INSTANT",
            true,
        ),
        ("st enum('a','c','b') NOT NULL DEFAULT 'a'", false),
        ("st enum('a') NOT NULL DEFAULT 'a'", false),
        ("st enum('a','b','c') NOT NULL DEFAULT 'c'", false),
    ] {
        let found = of(
            "mysql",
            &[
                ("0001_base/migration.toml", "description = \"x\"\n"),
                ("0001_base/expand.sql", BASE),
                (
                    "0002_split/expand.sql",
                    &format!("ALTER TABLE users MODIFY {change};\n"),
                ),
                ("-0002_split/backfill.sql", ""),
                ("-0002_split/contract.sql", ""),
            ],
        );
        let is_told = codes(&found).contains(&"destructive-expand");
        assert_eq!(is_told, !is_fine, "{change} {found:?}");
    }
}
