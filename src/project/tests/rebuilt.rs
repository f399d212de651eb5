//! Tables that a script builds anew.

use super::losing::{EVERYWHERE, codes, of};

const BASE: &str = "CREATE TABLE users (id integer primary key, name varchar(50), email varchar(50) NOT NULL, \
     n int NOT NULL DEFAULT 3, st varchar(10));\n";
const COPY: &str = "CREATE TABLE k (id integer primary key, email varchar(50) NOT NULL, n int NOT NULL DEFAULT 3, \
     st varchar(10), nom varchar(50));\n";
const MANIFEST: &str = "description = \"d\"\nsync = \"to-new\"\n[services.web]\nold = \"<1.2.0\"\nnew = \">=1.1.0\"\n\
     [backfill]\ntable = \"users\"\nkey = \"id\"\nremaining = \"SELECT count(*) FROM users WHERE nom IS NULL\"\n";
const SWAP: &str = "DROP TABLE users;\nALTER TABLE k RENAME TO users;\n";

fn found(dialect: &str, files: &[(&str, &str)]) -> Vec<String> {
    let all = [
        &[
            ("0001_base/migration.toml", "description = \"x\"\n"),
            ("0001_base/expand.sql", BASE),
        ],
        files,
    ];
    of(dialect, &all.concat())
}

#[test]
fn a_contract_loses_and_mixes_no_column_of_others() {
    let without = |column: &str| COPY.replace(column, "");
    for (copy, fill, is_fine) in [
        (
            COPY.to_owned(),
            "(id, email, n, st, nom) SELECT id, email, n, st, nom",
            true,
        ),
        (COPY.to_owned(), "SELECT id, email, n, st, nom", true),
        (
            COPY.to_owned(),
            "(id, email, n, st, nom) SELECT id, COALESCE(email, ''), CAST(n AS int), st, upper(nom)",
            true,
        ),
        // What takes over the name of the old format.
        (
            COPY.replace("nom varchar", "name varchar"),
            "(id, email, n, st, name) SELECT id, email, n, st, nom",
            false,
        ),
        (
            COPY.to_owned(),
            "(id, email, nom) SELECT id, email, nom",
            false,
        ),
        (COPY.to_owned(), "SELECT id, email, n, nom, st", false),
        (
            COPY.to_owned(),
            "SELECT id, lower(email), 0, st, nom",
            false,
        ),
        (
            without(" st varchar(10),"),
            "(id, email, n, nom) SELECT id, email, n, nom",
            false,
        ),
        (
            without(" DEFAULT 3"),
            "(id, email, n, st, nom) SELECT id, email, n, st, nom",
            false,
        ),
        (
            COPY.replace("st varchar(10)", "st varchar(10) NOT NULL"),
            "(id, email, n, st, nom) SELECT id, email, n, st, nom",
            false,
        ),
        // Of its own it may ask more.
        (
            COPY.replace("nom varchar(50)", "nom varchar(50) NOT NULL"),
            "(id, email, n, st, nom) SELECT id, email, n, st, nom",
            true,
        ),
        // The new format is not all that there is.
        (
            COPY.to_owned(),
            "(id, email, n, st, nom) SELECT id, nom, n, st, nom",
            false,
        ),
    ] {
        for dialect in EVERYWHERE {
            let contract = format!("{copy}INSERT INTO k {fill} FROM users;\n{SWAP}");
            let found = found(
                dialect,
                &[
                    ("0002_split/migration.toml", MANIFEST),
                    (
                        "0002_split/expand.sql",
                        "ALTER TABLE users ADD COLUMN nom varchar(50);\n",
                    ),
                    (
                        "0002_split/backfill.sql",
                        "UPDATE users SET nom = name WHERE id > :after AND id <= :upto;\n",
                    ),
                    ("0002_split/contract.sql", &contract),
                ],
            );
            let is_found = codes(&found).contains(&"takes-too-much");
            assert_eq!(is_found, !is_fine, "{dialect} {copy}{fill}: {found:?}");
        }
    }
}

#[test]
fn an_expand_loses_and_mixes_no_column() {
    const ALLOWED: &str =
        "description = \"d\"\n[[expand.allow]]\nstatement = \"DROP TABLE users\"\nreason = \"r\"\n";
    let copy = COPY.replace("nom varchar(50)", "name varchar(50)");
    let strict = copy.replace("st varchar(10)", "st varchar(10) NOT NULL");
    let generated = copy.replace(
        "name varchar(50)",
        "name varchar(50), more int GENERATED ALWAYS AS (n + 1)",
    );
    for (copy, fill, code) in [
        (
            &copy,
            "(id, email, n, st, name) SELECT id, email, n, st, name",
            None,
        ),
        (
            &generated,
            "(id, email, n, st, name) SELECT id, email, n, st, name",
            None,
        ),
        (&copy, "(id, email) SELECT id, email", Some("loses-rows")),
        (&copy, "SELECT id, email, n, name, st", Some("loses-rows")),
        // The old table has them in another order.
        (&copy, "SELECT *", Some("loses-rows")),
        (
            &strict,
            "(id, email, n, st, name) SELECT id, email, n, COALESCE(st, ''), name",
            Some("destructive-expand"),
        ),
        // As DROP NOT NULL and SET DEFAULT are.
        (
            &copy.replace("email varchar(50) NOT NULL", "email varchar(50)"),
            "(id, email, n, st, name) SELECT id, email, n, st, name",
            None,
        ),
        (
            &copy.replace("DEFAULT 3", "DEFAULT 4"),
            "(id, email, n, st, name) SELECT id, email, n, st, name",
            None,
        ),
        (
            &copy.replace("email varchar(50)", "email varchar(50) CHECK (email <> '')"),
            "(id, email, n, st, name) SELECT id, email, n, st, name",
            Some("destructive-expand"),
        ),
    ] {
        let expand = format!("{copy}INSERT INTO k {fill} FROM users;\n{SWAP}");
        let found = found(
            "sqlite",
            &[
                ("0002_split/migration.toml", ALLOWED),
                ("0002_split/expand.sql", &expand),
                ("-0002_split/backfill.sql", ""),
                ("-0002_split/contract.sql", ""),
            ],
        );
        let expected: Vec<&str> = code.into_iter().collect();
        assert_eq!(codes(&found), expected, "{copy}{fill}: {found:?}");
    }
}

/// What no format is about is in the new table as it was in the old one: nothing carries it over but the CREATE TABLE.
#[test]
fn a_copy_says_of_its_columns_what_the_table_said() {
    const OLD: &str = "CREATE TABLE teams (id integer primary key);\n\
         CREATE TABLE users (id integer primary key, email varchar(50) NOT NULL COLLATE nocase UNIQUE, legacy varchar(50), n int DEFAULT 5, \
         g int GENERATED ALWAYS AS (n + 2) STORED, t int REFERENCES teams (id) ON DELETE CASCADE, CHECK (n < 100));\n";
    const NEW: &str = "id integer primary key, email varchar(50) NOT NULL COLLATE nocase UNIQUE, n int DEFAULT 5, \
         g int GENERATED ALWAYS AS (n + 2) STORED, t int REFERENCES teams (id) ON DELETE CASCADE, CHECK (n < 100)";
    const FILL: &str = "(id, email, n, t) SELECT id, email, n, t";
    for (was, is, fill, part) in [
        ("", "", FILL, ""),
        ("CHECK (n < 100)", "check ((n<100))", FILL, ""),
        ("CHECK (n < 100)", "CHECK (\"n\" < 100)", FILL, ""),
        ("DEFAULT 5", "DEFAULT (5)", FILL, ""),
        ("DEFAULT 5", "DEFAULT \"true\"", FILL, "in place of 5"),
        (
            "",
            "",
            "(email, n, t) SELECT email, n, t",
            "filled without its column `id`",
        ),
        (
            "g int GENERATED ALWAYS AS (n + 2) STORED",
            "g int",
            "(id, email, n, t, g) SELECT id, email, n, t, g",
            "ordinary column `g`",
        ),
        ("n < 100", "n < 50", FILL, "the condition CHECK (n < 50)"),
        (
            "CHECK (n < 100)",
            "CHECK (n < 100), CHECK (t > 0)",
            FILL,
            "the condition CHECK (t > 0)",
        ),
        (" UNIQUE", "", FILL, "keeps (email) unique"),
        (" UNIQUE, n int", ", n int, UNIQUE (email)", FILL, ""),
        (
            ", n int DEFAULT 5",
            ", n int",
            FILL,
            "without the default 5",
        ),
        (
            "DEFAULT 5",
            "DEFAULT 6",
            FILL,
            "the default 6 in place of 5",
        ),
        ("NOT NULL COLLATE", "COLLATE", FILL, "`email` be NULL"),
        (" COLLATE nocase", "", FILL, "without COLLATE NOCASE"),
        (" ON DELETE CASCADE", "", FILL, "another ON DELETE"),
        (
            "t int REFERENCES teams (id) ON DELETE CASCADE",
            "t int",
            FILL,
            "not the foreign key of (t)",
        ),
    ] {
        let contract = format!(
            "CREATE TABLE k ({});\nINSERT INTO k {fill} FROM users;\n{SWAP}",
            NEW.replacen(was, is, usize::from(!was.is_empty()))
        );
        let found = of(
            "sqlite",
            &[
                ("0001_base/migration.toml", "description = \"x\"\n"),
                ("0001_base/expand.sql", OLD),
                (
                    "0002_split/migration.toml",
                    "description = \"x\"\n[services.web]\nold = \"<2.0.0\"\n",
                ),
                ("-0002_split/expand.sql", ""),
                ("-0002_split/backfill.sql", ""),
                ("0002_split/contract.sql", &contract),
            ],
        );
        let told = found.iter().find(|one| one.contains("takes-too-much"));
        match (told, part) {
            (None, "") => {}
            (Some(told), part) if !part.is_empty() => {
                assert!(told.contains(part), "{part}: {found:?}");
            }
            _ => panic!("{was} -> {is}, {part}: {found:?}"),
        }
    }
}

/// Where nothing is left out, the migration is about what it says otherwise.
#[test]
fn a_table_built_anew_for_a_constraint_is_what_its_migration_is_about() {
    let copy = BASE
        .replace("CREATE TABLE users", "CREATE TABLE k")
        .replace("st varchar(10)", "st varchar(10) NOT NULL DEFAULT ''");
    let contract = format!("{copy}INSERT INTO k SELECT * FROM users;\n{SWAP}");
    let found = found(
        "sqlite",
        &[
            (
                "0002_split/migration.toml",
                "description = \"x\"\n[services.web]\nold = \"<2.0.0\"\n",
            ),
            ("-0002_split/expand.sql", ""),
            ("-0002_split/backfill.sql", ""),
            ("0002_split/contract.sql", &contract),
        ],
    );
    assert!(!codes(&found).contains(&"takes-too-much"), "{found:?}");
}
