//! What a contract or a revert does to rows, and takes from others.

use super::*;

const SERVICES: &str = "[services.web]\n[services.worker]\n";

pub(super) fn of(dialect: &str, files: &[(&str, &str)]) -> Vec<String> {
    let config = format!("[database]\ndialects = [\"{dialect}\"]\n{SERVICES}");
    let files = [&[("migrate.toml", config.as_str())], files].concat();
    without_locks(lines(&changed(&files), None))
}

pub(super) fn codes(lines: &[String]) -> Vec<&str> {
    let code = |line: &'_ str| line.rfind('[').map_or(0, |at| at + 1);
    lines
        .iter()
        .map(|line| &line[code(line)..line.len() - 1])
        .collect()
}

pub(super) const EVERYWHERE: &[&str] = &["sqlite", "postgres", "mysql"];

/// Statements of a contract or a revert, beside those that are right, and what is said of them.
#[test]
fn rows_are_not_lost_on_the_way() {
    let everywhere: &[(&str, &str)] = &[
        ("DELETE FROM users WHERE id = 3", "loses-rows"),
        ("DELETE FROM legacy", "loses-rows"),
        ("UPDATE users SET first_name = 'x'", "loses-rows"),
        (
            "UPDATE users SET first_name = full_name WHERE first_name IS NULL",
            "loses-rows",
        ),
        ("UPDATE other SET a = 1", "loses-rows"),
        ("REPLACE INTO users (id) VALUES (1)", "silent-loss"),
        ("INSERT INTO archive SELECT id FROM users", ""),
        (
            "CREATE TABLE own (id INT); INSERT INTO own VALUES (1); UPDATE own SET id = 2; DELETE FROM own",
            "",
        ),
    ];
    let postgres: &[(&str, &str)] = &[
        ("TRUNCATE users", "loses-rows"),
        (
            "INSERT INTO users (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET first_name = 'x'",
            "loses-rows",
        ),
        (
            "MERGE INTO users u USING x ON x.id = u.id WHEN MATCHED THEN DELETE",
            "loses-rows",
        ),
        (
            "WITH gone AS (DELETE FROM users RETURNING id) INSERT INTO archive SELECT id FROM gone",
            "loses-rows",
        ),
        (
            "WITH gone AS (DELETE FROM users RETURNING id) SELECT count(*) FROM gone",
            "loses-rows",
        ),
        (
            "CREATE TABLE kept AS WITH gone AS (DELETE FROM users RETURNING id) SELECT id FROM gone",
            "loses-rows",
        ),
        ("DO $$ BEGIN DELETE FROM users; END $$", "unknown-effect"),
        (
            "DO $$ BEGIN EXECUTE format('DELETE FROM %I', 'users'); END $$",
            "unknown-effect",
        ),
        ("CALL purge()", "unknown-effect"),
        ("SELECT purge()", "unknown-effect"),
        ("SELECT purge() FROM users", "unknown-effect"),
        ("INSERT INTO archive SELECT purge()", "unknown-effect"),
        ("EXECUTE purge", "unknown-effect"),
        ("SELECT count(*) FROM users", ""),
    ];
    let mysql: &[(&str, &str)] = &[
        ("TRUNCATE TABLE users", "loses-rows"),
        (
            "INSERT INTO users (id) VALUES (1) ON DUPLICATE KEY UPDATE first_name = 'x'",
            "loses-rows",
        ),
        ("DELETE u FROM users u JOIN x ON x.id = u.id", "loses-rows"),
        (
            "UPDATE users u JOIN x ON x.id = u.id SET u.first_name = 'x'",
            "loses-rows",
        ),
        ("CALL purge()", "unknown-effect"),
        ("SELECT purge()", "unknown-effect"),
        ("ALTER TABLE users DROP PARTITION p0", "loses-rows"),
        ("ALTER TABLE users TRUNCATE PARTITION p0", "loses-rows"),
        ("BEGIN NOT ATOMIC DELETE FROM users; END", "unknown-effect"),
        ("SELECT SLEEP(1)", ""),
    ];
    let sqlite: &[(&str, &str)] = &[
        (
            "INSERT INTO users (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET first_name = 'x'",
            "loses-rows",
        ),
        (
            "INSERT OR REPLACE INTO users (id) VALUES (1)",
            "silent-loss",
        ),
    ];
    let mut wrong = Vec::new();
    for (dialects, table) in [
        (EVERYWHERE, everywhere),
        (&["postgres"][..], postgres),
        (&["mysql"], mysql),
        (&["sqlite"], sqlite),
    ] {
        for (dialect, (sql, expected)) in dialects
            .iter()
            .flat_map(|dialect| table.iter().map(move |row| (dialect, row)))
        {
            if *dialect == "postgres" && sql.starts_with("REPLACE") {
                continue;
            }
            for (script, right) in [
                ("0002_split/contract.sql", CONTRACT),
                (
                    "0002_split/revert.sql",
                    "ALTER TABLE users DROP COLUMN first_name;\n",
                ),
            ] {
                let found = of(dialect, &[(script, &format!("{sql};\n{right}"))]);
                let expected = [*expected].into_iter().filter(|code| !code.is_empty());
                if codes(&found) != expected.collect::<Vec<_>>() {
                    wrong.push(format!("{dialect} {script}: {sql}: {found:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// One allowance excuses one such statement.
#[test]
fn rows_that_somebody_vouches_for_may_go() {
    let delete = "DELETE FROM users WHERE id = 3;\nDELETE FROM users WHERE id = 4;\n";
    for (script, step) in [
        ("0002_split/contract.sql", "contract"),
        ("0002_split/revert.sql", "revert"),
    ] {
        let right = if step == "contract" {
            CONTRACT
        } else {
            "ALTER TABLE users DROP COLUMN first_name;\n"
        };
        let manifest = format!(
            "{SPLIT}[[{step}.allow]]\nstatement = \"DELETE FROM users WHERE id = 3\"\nreason = \"a test\"\n"
        );
        for dialect in EVERYWHERE {
            let found = of(
                dialect,
                &[
                    (script, &format!("{delete}{right}")),
                    ("0002_split/migration.toml", &manifest),
                ],
            );
            let [left] = found.as_slice() else {
                panic!("{dialect} {step}: {found:?}");
            };
            assert!(
                left.starts_with(&format!("{script}:2:1: this deletes rows of `users`")),
                "{left}"
            );
        }
    }
}

#[test]
fn a_revert_takes_away_what_expand_adds_and_nothing_else() {
    let revert = "0002_split/revert.sql";
    let expand = "0002_split/expand.sql";
    for dialect in EVERYWHERE {
        for (sql, is_fine) in [
            ("DROP TABLE orders;\n", false),
            ("ALTER TABLE users DROP COLUMN email;\n", false),
            ("ALTER TABLE orders DROP COLUMN first_name;\n", false),
            ("ALTER TABLE users DROP COLUMN first_name;\n", true),
        ] {
            let found = of(dialect, &[(revert, sql)]);
            let expected: &[&str] = if is_fine { &[] } else { &["takes-too-much"] };
            assert_eq!(codes(&found), expected, "{dialect} {sql}: {found:?}");
        }
        for (adds, drops) in [
            ("CREATE TABLE names (id INT);\n", "DROP TABLE names;\n"),
            (
                "CREATE TABLE IF NOT EXISTS names (id INT);\n",
                "DROP TABLE IF EXISTS names;\n",
            ),
        ] {
            let files = [
                (expand, format!("{EXPAND}{adds}")),
                (
                    revert,
                    format!("{drops}ALTER TABLE users DROP COLUMN first_name;\n"),
                ),
            ];
            let files: Vec<(&str, &str)> = files
                .iter()
                .map(|(file, text)| (*file, text.as_str()))
                .collect();
            assert_eq!(of(dialect, &files), [""; 0], "{dialect} {adds}");
        }
    }
}

/// Under another name, or in another schema, no version finds the new format.
#[test]
fn a_contract_leaves_the_table_of_the_new_format_its_name() {
    const CASES: &[(&[&str], &str)] = &[
        (EVERYWHERE, "ALTER TABLE users RENAME TO people"),
        (EVERYWHERE, "ALTER TABLE \"users\" RENAME TO people"),
        (
            &["postgres"],
            "ALTER TABLE IF EXISTS users RENAME TO people",
        ),
        (&["postgres"], "ALTER TABLE public.users RENAME TO people"),
        (&["postgres"], "ALTER TABLE users SET SCHEMA app"),
        (&["mysql"], "RENAME TABLE users TO people"),
        (&["mysql"], "RENAME TABLE other TO o, users TO people"),
        (&["mysql"], "RENAME TABLE users TO app.users"),
        (&["mysql"], "ALTER TABLE users RENAME people"),
        (&["mysql"], "ALTER TABLE users RENAME AS app.people"),
        (
            &["mysql"],
            "ALTER TABLE users DROP COLUMN full_name, RENAME TO people",
        ),
    ];
    let contract = "0002_split/contract.sql";
    let manifest = "0002_split/migration.toml";
    let cases = CASES
        .iter()
        .flat_map(|(dialects, sql)| dialects.iter().map(move |dialect| (*dialect, *sql)));
    for (dialect, sql) in cases {
        let sql = match dialect {
            "mysql" => sql.replace('"', "`"),
            _ => sql.to_owned(),
        };
        let script = format!("{sql};\n");
        // What has a backfill, and what has a sync alone.
        let synced = SPLIT.split("[backfill]").next().unwrap().to_owned() + "[contract]\n";
        for (toml, backfill, says) in [
            (SPLIT, Some(BACKFILL), "which backfill.sql fills"),
            (&synced, None, "to which expand.sql adds a column"),
        ] {
            let mut files = vec![(contract, script.as_str()), (manifest, toml)];
            if backfill.is_none() {
                files.push(("0002_split/backfill.sql", ""));
            }
            let found = of(dialect, &files);
            let is_said = |line: &String| line.contains(says) && line.contains("[takes-too-much]");
            assert!(found.iter().any(is_said), "{dialect} {sql}: {found:?}");
            let vouched =
                format!("{toml}[[contract.allow]]\nstatement = {sql:?}\nreason = \"a test\"\n");
            files.retain(|(name, _)| *name != manifest);
            files.push((manifest, &vouched));
            let found = of(dialect, &files);
            assert!(!found.iter().any(is_said), "{dialect} {sql}: {found:?}");
        }
    }
}

/// It has the name already by which the new format goes, or gets its own back.
#[test]
fn a_contract_may_rename_what_is_known_by_its_new_name() {
    let view = format!("{EXPAND}CREATE VIEW people AS SELECT * FROM users;\n");
    let drops = "ALTER TABLE users DROP COLUMN full_name;\n";
    for (dialects, expand, sql) in [
        (
            EVERYWHERE,
            view.as_str(),
            "DROP VIEW people;\nALTER TABLE users RENAME TO people;\n",
        ),
        (
            &["mysql"],
            &view,
            "DROP VIEW people;\nRENAME TABLE users TO people;\n",
        ),
        (
            &["postgres", "mysql"],
            EXPAND,
            "ALTER TABLE users RENAME TO people;\nCREATE VIEW users AS SELECT id, first_name FROM people;\n",
        ),
    ] {
        for dialect in dialects {
            let files = [
                ("0002_split/expand.sql", expand),
                ("0002_split/contract.sql", &format!("{drops}{sql}")),
            ];
            let found = of(dialect, &files);
            assert!(
                !codes(&found).contains(&"takes-too-much"),
                "{dialect} {sql}: {found:?}"
            );
        }
    }
}

/// A table that is built anew has to have the new format after a contract, and the old one after a revert.
#[test]
fn a_rebuilt_table_forgets_no_column() {
    for (script, keeps) in [
        ("0002_split/contract.sql", "first_name"),
        ("0002_split/revert.sql", "full_name"),
    ] {
        for (made, filled, is_fine) in [
            (
                "KEPT TEXT",
                "INSERT INTO users_new SELECT id, KEPT FROM users;",
                true,
            ),
            (
                "KEPT TEXT",
                "INSERT INTO users_new SELECT * FROM users;",
                true,
            ),
            (
                "KEPT TEXT",
                "INSERT INTO users_new (id) SELECT id FROM users;",
                false,
            ),
            (
                "email TEXT",
                "INSERT INTO users_new SELECT id, email FROM users;",
                false,
            ),
        ] {
            let sql = format!(
                "CREATE TABLE users_new (id INTEGER PRIMARY KEY, {made});\n{filled}\nDROP TABLE users;\nALTER TABLE users_new RENAME TO users;\n"
            );
            let sql = sql.replace("KEPT", keeps);
            for dialect in EVERYWHERE {
                let found = but_for_writes_meanwhile(of(dialect, &[(script, &sql)]));
                let expected: &[&str] = if is_fine { &[] } else { &["takes-too-much"] };
                assert_eq!(codes(&found), expected, "{dialect} {sql}: {found:?}");
            }
        }
    }
}

/// Without what is told of each copy where statements are committed by themselves.
fn but_for_writes_meanwhile(mut found: Vec<String>) -> Vec<String> {
    found.retain(|line| !line.contains("from this copy on is lost"));
    found
}

/// A copy that nothing holds writes up for loses what live versions write until it has its place.
#[test]
fn what_is_written_while_a_table_is_copied_is_not_lost() {
    const COPY: &str = "CREATE TABLE users_new (id INTEGER PRIMARY KEY, first_name TEXT);\n\
         INSERT INTO users_new SELECT id, first_name FROM users;\nDROP TABLE users;\nALTER TABLE users_new RENAME TO users;\n";
    const RENAMED_FIRST: &str = "ALTER TABLE users RENAME TO users_old;\n\
         CREATE TABLE users (id INTEGER PRIMARY KEY, first_name TEXT);\n\
         INSERT INTO users SELECT id, first_name FROM users_old;\nDROP TABLE users_old;\n";
    let bare = format!("-- migrate: no-transaction\n{COPY}");
    let held = format!("LOCK TABLES users WRITE, users_new WRITE;\n{COPY}");
    for (dialect, sql, is_told) in [
        ("sqlite", COPY, false),
        // The step itself holds them up.
        ("postgres", COPY, false),
        ("postgres", &bare, true),
        ("mysql", COPY, true),
        ("mysql", &held, false),
        ("mysql", RENAMED_FIRST, false),
    ] {
        let found = of(dialect, &[("0002_split/contract.sql", sql)]);
        let told = found.len() - but_for_writes_meanwhile(found.clone()).len();
        assert_eq!(told > 0, is_told, "{dialect} {sql}: {found:?}");
    }
}

/// A table that takes the place of another one has all of its rows, or somebody vouches for it.
#[test]
fn a_rebuilt_table_has_all_rows() {
    const SWAP: &str = "DROP TABLE other;\nALTER TABLE o RENAME TO other;\n";
    const MADE: &str = "CREATE TABLE o (id INT PRIMARY KEY, a INT);\n";
    let services = "[services.web]\nold = \"<1.2.0\"\n";
    let fills = [
        ("", false),
        ("INSERT INTO o SELECT id, a FROM other;\n", true),
        (
            "INSERT INTO o (id, a) SELECT id, (SELECT max(x) FROM y WHERE y.id = other.id LIMIT 1) FROM other ORDER BY id, a;\n",
            true,
        ),
        (
            "INSERT INTO o SELECT t.id, p.a FROM other AS t LEFT JOIN p ON p.id = t.id LEFT OUTER JOIN q ON q.id = t.id;\n",
            true,
        ),
        (
            "INSERT INTO o SELECT id, a FROM other WHERE id < 5;\n",
            false,
        ),
        ("INSERT INTO o SELECT id, a FROM other LIMIT 5;\n", false),
        ("INSERT INTO o SELECT DISTINCT id, a FROM other;\n", false),
        (
            "INSERT INTO o SELECT id, max(a) FROM other GROUP BY id;\n",
            false,
        ),
        (
            "INSERT INTO o SELECT t.id, t.a FROM other t JOIN p ON p.id = t.id;\n",
            false,
        ),
        ("INSERT INTO o SELECT t.id, t.a FROM other t, p;\n", false),
        ("INSERT INTO o SELECT id, a FROM another;\n", false),
        ("INSERT INTO o VALUES (1, 1);\n", false),
        // One row of all of them.
        (
            "INSERT INTO o SELECT max(id), count(a) FROM other;\n",
            false,
        ),
        (
            "INSERT INTO o SELECT id, row_number() OVER (ORDER BY id) FROM other;\n",
            true,
        ),
        (
            "INSERT INTO o SELECT id, max(a) OVER (PARTITION BY a) FROM other;\n",
            true,
        ),
        // What is copied is taken again.
        (
            "INSERT INTO o SELECT id, a FROM other;\nDELETE FROM o WHERE a = 1;\n",
            false,
        ),
        (
            "INSERT INTO o SELECT id, a FROM other;\nUPDATE o SET a = NULL;\n",
            false,
        ),
        (
            "CREATE TABLE b AS SELECT * FROM other;\nINSERT INTO o SELECT id, a FROM b;\n",
            true,
        ),
        (
            "CREATE TABLE b AS SELECT * FROM other WHERE id < 5;\nINSERT INTO o SELECT id, a FROM b;\n",
            false,
        ),
    ];
    let whole = [
        (
            "CREATE TABLE o AS SELECT * FROM other;\nDROP TABLE other;\nALTER TABLE o RENAME TO other;\n",
            true,
        ),
        (
            "CREATE TABLE o AS SELECT * FROM other WHERE a = 1;\nDROP TABLE other;\nALTER TABLE o RENAME TO other;\n",
            false,
        ),
        (
            "ALTER TABLE other RENAME TO aside;\nCREATE TABLE other (id INT, a INT);\nINSERT INTO other SELECT id, a FROM aside;\nDROP TABLE aside;\n",
            true,
        ),
        (
            "ALTER TABLE other RENAME TO aside;\nCREATE TABLE other (id INT, a INT);\nINSERT INTO other SELECT id, a FROM aside WHERE id > 1;\nDROP TABLE aside;\n",
            false,
        ),
        (
            "DROP TABLE other;\nCREATE TABLE other (id INT, a INT);\n",
            false,
        ),
        (
            "CREATE TABLE o (id INT, a INT);\nINSERT INTO o SELECT id, a FROM other;\nDROP TABLE other;\nALTER TABLE o RENAME TO other;\nDELETE FROM other WHERE a = 1;\n",
            false,
        ),
        (
            "CREATE TABLE o (id INT, a INT);\nDELETE FROM o;\nINSERT INTO o SELECT id, a FROM other;\nDROP TABLE other;\nALTER TABLE o RENAME TO other;\n",
            true,
        ),
        // What was left of an attempt goes first.
        (
            "DROP TABLE IF EXISTS o;\nCREATE TABLE o (id INT, a INT);\nINSERT INTO o SELECT id, a FROM other;\nDROP TABLE other;\nALTER TABLE o RENAME TO other;\n",
            true,
        ),
        // It was there before, and is filled by now.
        (
            "DROP TABLE other;\nALTER TABLE filled RENAME TO other;\n",
            true,
        ),
    ];
    let fills = fills.map(|(fill, is_fine)| (format!("{MADE}{fill}{SWAP}"), is_fine));
    let whole = whole.map(|(sql, is_fine)| (sql.to_owned(), is_fine));
    for (sql, is_fine) in fills.into_iter().chain(whole) {
        for dialect in EVERYWHERE {
            let manifest = format!("description = \"x\"\n{services}");
            let files = [
                ("0003_x/migration.toml", manifest.as_str()),
                ("0003_x/contract.sql", sql.as_str()),
            ];
            let found = but_for_writes_meanwhile(of(dialect, &files));
            let expected: &[&str] = if is_fine { &[] } else { &["loses-rows"] };
            assert_eq!(codes(&found), expected, "{dialect} {sql}: {found:?}");
        }
    }
    // An allowance for the DROP says nothing of rows that the copy leaves out; one for the copy does.
    for dialect in EVERYWHERE {
        let sql = format!("{MADE}INSERT INTO o SELECT id, a FROM other WHERE id < 5;\n{SWAP}");
        for (allowed, expected) in [
            (&["DROP TABLE other"][..], &["loses-rows"][..]),
            (&["DROP TABLE other", "INSERT INTO o SELECT"], &[]),
        ] {
            let mut manifest = "description = \"x\"\n".to_owned();
            for statement in allowed {
                manifest.push_str(&format!(
                    "[[expand.allow]]\nstatement = \"{statement}\"\nreason = \"a test\"\n"
                ));
            }
            let files = [
                ("0003_x/migration.toml", manifest.as_str()),
                ("0003_x/expand.sql", sql.as_str()),
            ];
            let found = of(dialect, &files);
            assert_eq!(codes(&found), expected, "{dialect}: {found:?}");
        }
    }
}

/// Every expand may come before any contract.
#[test]
fn a_contract_leaves_what_a_later_migration_needs() {
    let later = "description = \"later\"\n";
    for dialect in EVERYWHERE {
        for (file, sql, is_fine) in [
            (
                "0003_x/expand.sql",
                "CREATE INDEX i ON users (full_name);\n",
                false,
            ),
            (
                "0003_x/expand.sql",
                "CREATE TABLE n (a TEXT);\nINSERT INTO n SELECT full_name FROM users;\n",
                false,
            ),
            (
                "0003_x/expand.sql",
                "CREATE VIEW v AS SELECT u.full_name FROM users u;\n",
                false,
            ),
            (
                "0003_x/expand.sql",
                "CREATE INDEX i ON users (first_name);\n",
                true,
            ),
            (
                "0003_x/expand.sql",
                "CREATE TABLE n (full_name TEXT);\n",
                true,
            ),
            // It is another one.
            (
                "0003_x/expand.sql",
                "ALTER TABLE users ADD COLUMN full_name TEXT;\nCREATE INDEX i ON users (full_name);\n",
                true,
            ),
        ] {
            let found = of(dialect, &[("0003_x/migration.toml", later), (file, sql)]);
            if is_fine {
                assert_eq!(found, [""; 0], "{dialect} {sql}");
                continue;
            }
            let [one] = found.as_slice() else {
                panic!("{dialect} {sql}: {found:?}");
            };
            let expected = "0002_split/contract.sql:1:1: this takes away the column `full_name` of `users`, which 0003_x/expand.sql names";
            assert!(one.starts_with(expected), "{dialect} {sql}: {one}");
        }
    }
}

/// Touching the old column has its trigger run, and fills nothing.
#[test]
fn a_column_that_is_assigned_to_itself_is_not_filled() {
    let backfill = "0002_split/backfill.sql";
    let range = "WHERE id > :after AND id <= :upto;\n";
    for set in [
        "full_name = full_name, first_name = full_name",
        "full_name = full_name",
        "first_name = full_name, full_name = users.full_name",
        "FULL_NAME = full_name",
    ] {
        for dialect in EVERYWHERE {
            let sql = format!("UPDATE users SET {set} {range}");
            if *dialect == "postgres" && set.contains("FULL") {
                continue;
            }
            assert_eq!(of(dialect, &[(backfill, &sql)]), [""; 0], "{dialect} {set}");
        }
    }
    for set in [
        "full_name = full_name || 'x'",
        "full_name = coalesce(full_name, '')",
    ] {
        let sql = format!("UPDATE users SET {set} {range}");
        let found = of("sqlite", &[(backfill, &sql)]);
        assert_eq!(
            codes(&found),
            ["fills-too-much", "takes-too-much"],
            "{set}: {found:?}"
        );
    }
}

/// What comes after it in the script would go to the temporary table.
#[test]
fn a_temporary_table_bears_no_name_of_another() {
    let expand = "0002_split/expand.sql";
    let manifest = "description = \"x\"\n";
    let earlier = "CREATE TABLE orders (id int);\n";
    for (name, files, is_fine) in [
        ("users", &[][..], false),
        ("\"users\"", &[], false),
        ("pg_temp.users", &[], false),
        ("picked", &[], true),
        ("orders", &[], true),
        (
            "orders",
            &[
                ("0001_x/migration.toml", manifest),
                ("0001_x/expand.sql", earlier),
            ],
            false,
        ),
        // Another working table.
        (
            "picked",
            &[
                ("0001_x/migration.toml", manifest),
                (
                    "0001_x/expand.sql",
                    "CREATE TEMP TABLE picked (id int) ON COMMIT DROP;\nINSERT INTO picked VALUES (1);\n",
                ),
            ],
            true,
        ),
    ] {
        let temp = if name.contains('.') { "" } else { "TEMP" };
        let sql = format!("CREATE {temp} TABLE {name} (id int) ON COMMIT DROP;\n{EXPAND}");
        let files = [files, &[(expand, sql.as_str())]].concat();
        let found = of("postgres", &files);
        let is_found = codes(&found).contains(&"hidden-table");
        assert_eq!(is_found, !is_fine, "{name}: {found:?}");
    }
}

/// A new migration is told what to fill in, and accused of nothing.
#[test]
fn a_migration_that_is_not_filled_in_is_one_problem() {
    let manifest = "description = \"x\"\n[services.web]\nold = \"<1.2.0\"\nnew = \">=1.1.0\"\n";
    for dialect in EVERYWHERE {
        let found = of(
            dialect,
            &[
                ("0003_x/migration.toml", manifest),
                (
                    "0003_x/expand.sql",
                    "-- ALTER TABLE users ADD COLUMN a TEXT;\n",
                ),
                ("0003_x/contract.sql", "-- later\n"),
            ],
        );
        assert_eq!(codes(&found), ["not-filled-in"], "{dialect}: {found:?}");
    }
}

/// What a contract or a revert does beside the format that it takes away.
#[test]
fn bystanders_are_left_alone() {
    let postgres: &[(&str, bool)] = &[
        ("DROP SCHEMA app", false),
        ("ALTER SCHEMA public RENAME TO old", false),
        (
            "CREATE TRIGGER g AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
            false,
        ),
        (
            "CREATE TRIGGER g BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
            true,
        ),
        ("DROP ROLE web", false),
        ("DROP SEQUENCE orders_seq", false),
        ("REVOKE SELECT ON users FROM web", false),
        ("REASSIGN OWNED BY web TO other", false),
        ("ALTER TABLE orders DETACH PARTITION orders_1", false),
        ("ALTER TABLE users ENABLE ROW LEVEL SECURITY", false),
        ("ALTER TABLE orders FORCE ROW LEVEL SECURITY", false),
        ("ALTER TABLE users SET UNLOGGED", false),
        ("ALTER TABLE users OWNER TO other", false),
        ("ALTER TYPE mood RENAME VALUE 'a' TO 'b'", false),
        ("ALTER TABLE orders DROP CONSTRAINT orders_pkey", false),
        (
            "CREATE RULE r AS ON INSERT TO orders DO INSTEAD NOTHING",
            false,
        ),
        (
            "CREATE OR REPLACE RULE r AS ON INSERT TO users DO INSTEAD NOTHING",
            false,
        ),
        (
            "CREATE POLICY p ON orders AS RESTRICTIVE USING (false)",
            false,
        ),
        ("DROP POLICY p ON users", false),
        ("DROP RULE r ON users", false),
        ("CREATE OR REPLACE VIEW v AS SELECT 1 AS a", false),
        (
            "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            false,
        ),
        ("ALTER TABLE users ALTER email TYPE varchar(3)", false),
        (
            "ALTER TABLE users ALTER COLUMN email SET DATA TYPE int",
            false,
        ),
        ("ALTER TABLE users ALTER first_name TYPE varchar(3)", false),
        ("ALTER TABLE users ALTER first_name TYPE text", true),
        ("ALTER TABLE users ALTER first_name SET NOT NULL", true),
        ("ALTER TABLE users ADD CHECK (first_name <> '')", true),
        ("ALTER TABLE users DROP CONSTRAINT users_full_name", true),
        (
            "ALTER TABLE users ADD CONSTRAINT c UNIQUE (first_name)",
            true,
        ),
        ("DROP INDEX users_full_name", true),
        ("DROP FUNCTION sync_names()", true),
        ("DROP TRIGGER sync_names ON users", true),
        ("DROP TYPE old_mood", true),
        (
            "CREATE OR REPLACE VIEW v AS SELECT first_name FROM users",
            true,
        ),
        ("CREATE SEQUENCE s; DROP SEQUENCE s", true),
        ("GRANT SELECT ON users TO web", true),
    ];
    let mysql: &[(&str, bool)] = &[
        ("DROP DATABASE shop", false),
        ("DROP SCHEMA shop", false),
        ("DROP USER web", false),
        ("DROP SEQUENCE s", false),
        ("REVOKE INSERT ON users FROM web", false),
        ("ALTER TABLE users MODIFY email VARCHAR(3)", false),
        ("ALTER TABLE users MODIFY COLUMN email INT NOT NULL", false),
        (
            "ALTER TABLE users MODIFY first_name VARCHAR(3) NOT NULL",
            false,
        ),
        ("ALTER TABLE users CHANGE email email INT", false),
        ("ALTER TABLE users MODIFY first_name TEXT NOT NULL", true),
        ("ALTER TABLE orders DROP PRIMARY KEY", false),
        ("ALTER TABLE users ADD UNIQUE (first_name)", true),
        ("DROP INDEX users_full_name ON users", true),
        ("DROP TRIGGER sync_names", true),
    ];
    let mut wrong = Vec::new();
    for (dialect, table) in [("postgres", postgres), ("mysql", mysql)] {
        for (sql, is_fine) in table {
            for (script, right) in [
                ("0002_split/contract.sql", CONTRACT),
                (
                    "0002_split/revert.sql",
                    "ALTER TABLE users DROP COLUMN first_name;\n",
                ),
            ] {
                let found = of(dialect, &[(script, &format!("{sql};\n{right}"))]);
                let expected: &[&str] = if *is_fine { &[] } else { &["takes-too-much"] };
                if codes(&found) != expected {
                    wrong.push(format!("{dialect} {script}: {sql}: {found:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What others call by its name.
#[test]
fn what_others_call_by_its_name_stays() {
    const POSTGRES: &[&str] = &["postgres"];
    let with = |sql: &str| format!("{EXPAND}{sql};\n");
    let view = with("CREATE VIEW v AS SELECT first_name FROM users");
    let other = with("CREATE VIEW w AS SELECT first_name FROM users");
    let function = with("CREATE FUNCTION g() RETURNS int LANGUAGE sql AS 'SELECT 1'");
    let drop = "; ALTER TABLE users DROP COLUMN full_name";
    let before = "CREATE TABLE orders (id int); CREATE VIEW v AS SELECT id FROM orders;\n";
    let reads = "CREATE VIEW v AS SELECT * FROM users;\n";
    let code = "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT max(id) FROM orders';\n";
    let calls =
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';\n";
    let trigger =
        "CREATE TRIGGER t AFTER INSERT ON orders BEGIN INSERT INTO log VALUES (1); END;\n";
    let of_users =
        "CREATE TRIGGER t AFTER INSERT ON users BEGIN INSERT INTO log VALUES (1); END;\n";
    let none = "CREATE TABLE none (id int);\n";
    for (dialects, earlier, expand, sql, is_fine) in [
        (EVERYWHERE, none, EXPAND, "DROP VIEW v".to_owned(), false),
        (EVERYWHERE, none, &view, "DROP VIEW v".to_owned(), true),
        // Another one takes its place.
        (EVERYWHERE, none, &other, "DROP VIEW v".to_owned(), true),
        (
            EVERYWHERE,
            none,
            &other,
            "DROP VIEW v; DROP VIEW w".to_owned(),
            false,
        ),
        // Who drops a column has to drop the view that reads it.
        (EVERYWHERE, none, EXPAND, format!("DROP VIEW v{drop}"), true),
        (
            EVERYWHERE,
            reads,
            EXPAND,
            format!("DROP VIEW v{drop}"),
            true,
        ),
        (
            EVERYWHERE,
            before,
            EXPAND,
            format!("DROP VIEW v{drop}"),
            false,
        ),
        (
            EVERYWHERE,
            none,
            EXPAND,
            "DROP VIEW v; CREATE VIEW v AS SELECT first_name FROM users".to_owned(),
            true,
        ),
        (
            &["sqlite"],
            trigger,
            EXPAND,
            format!("DROP TRIGGER t{drop}"),
            false,
        ),
        (
            &["sqlite"],
            of_users,
            EXPAND,
            format!("DROP TRIGGER t{drop}"),
            true,
        ),
        (
            &["sqlite"],
            none,
            EXPAND,
            "DROP TRIGGER t".to_owned(),
            false,
        ),
        (&["mysql"], none, EXPAND, "DROP EVENT e".to_owned(), false),
        (
            &["mysql"],
            none,
            EXPAND,
            "DROP PROCEDURE p".to_owned(),
            false,
        ),
        (
            POSTGRES,
            code,
            EXPAND,
            format!("DROP FUNCTION f(){drop}"),
            false,
        ),
        (
            POSTGRES,
            calls,
            EXPAND,
            format!("DROP FUNCTION f(){drop}"),
            true,
        ),
        (
            POSTGRES,
            code,
            &function,
            "DROP FUNCTION f()".to_owned(),
            true,
        ),
        (
            POSTGRES,
            none,
            &view,
            "ALTER VIEW v RENAME TO w".to_owned(),
            true,
        ),
        (
            POSTGRES,
            none,
            EXPAND,
            format!("DROP TRIGGER t ON orders{drop}"),
            false,
        ),
        (
            POSTGRES,
            none,
            EXPAND,
            "DROP TRIGGER t ON users".to_owned(),
            true,
        ),
        (
            POSTGRES,
            none,
            &with("CREATE OPERATOR + (LEFTARG = int, RIGHTARG = y, FUNCTION = f)"),
            "DROP OPERATOR + (int, y)".to_owned(),
            true,
        ),
    ] {
        for dialect in dialects {
            let files = [
                ("0001_x/migration.toml", "description = \"x\"\n"),
                ("0001_x/expand.sql", earlier),
                ("0002_split/expand.sql", expand),
                ("0002_split/contract.sql", &format!("{sql};\n")),
            ];
            let found = of(dialect, &files);
            assert_eq!(
                codes(&found).contains(&"takes-too-much"),
                !is_fine,
                "{dialect} {sql}: {found:?}"
            );
        }
    }
    for sql in [
        "DROP MATERIALIZED VIEW v",
        "DROP FUNCTION f()",
        "DROP PROCEDURE f()",
        "DROP ROUTINE f()",
        "DROP AGGREGATE f(int)",
        "DROP TYPE st",
        "DROP DOMAIN st",
        "DROP EXTENSION pg_trgm",
        "DROP OPERATOR + (int, y)",
        "DROP CAST (int AS y)",
        "DROP PUBLICATION feed",
        "DROP EVENT TRIGGER e",
        "ALTER VIEW v RENAME TO w",
        "ALTER VIEW v RENAME COLUMN a TO b",
        "ALTER VIEW v SET SCHEMA app",
        "ALTER MATERIALIZED VIEW v RENAME TO w",
        "ALTER FUNCTION f() RENAME TO g",
        "ALTER SEQUENCE s RENAME TO t",
        "ALTER TYPE st RENAME TO su",
        "ALTER TYPE st RENAME ATTRIBUTE a TO b",
        "ALTER DOMAIN st RENAME TO su",
        "ALTER EXTENSION pg_trgm SET SCHEMA app",
        "ALTER PUBLICATION feed RENAME TO food",
        "ALTER TRIGGER t ON orders RENAME TO u",
        "ALTER POLICY p ON orders RENAME TO q",
    ] {
        for script in ["0002_split/contract.sql", "0002_split/revert.sql"] {
            let found = of("postgres", &[(script, &format!("{sql};\n"))]);
            assert_eq!(
                codes(&found),
                ["takes-too-much"],
                "{script} {sql}: {found:?}"
            );
        }
    }
}

/// A contract asks of INSERTs what its own formats give reason for.
#[test]
fn only_columns_of_the_formats_become_stricter() {
    const MANIFEST: &str = "0002_split/migration.toml";
    let known = "CREATE TABLE users (id INT PRIMARY KEY, full_name VARCHAR(50), email VARCHAR(50), UNIQUE (email));\n";
    let checked =
        format!("{EXPAND}ALTER TABLE users ADD CONSTRAINT c CHECK (email <> '') NOT VALID;\n");
    let renamed = SPLIT.replace("first_name = ''", "email IS NULL");
    let tighter = "description = \"d\"\n[services.web]\nold = \"<1.2.0\"\n";
    let drop = ", DROP COLUMN full_name";
    for (dialect, files, action, is_fine) in [
        (
            "mysql",
            &[][..],
            format!("ADD COLUMN q INT NOT NULL{drop}"),
            false,
        ),
        ("mysql", &[], format!("ADD COLUMN q INT{drop}"), true),
        (
            "mysql",
            &[],
            "ADD COLUMN q INT NOT NULL DEFAULT 1".to_owned(),
            true,
        ),
        ("mysql", &[], "ALTER email DROP DEFAULT".to_owned(), false),
        (
            "mysql",
            &[],
            "ALTER first_name DROP DEFAULT".to_owned(),
            true,
        ),
        ("mysql", &[], "DROP PRIMARY KEY".to_owned(), false),
        (
            "mysql",
            &[],
            "DROP PRIMARY KEY, ADD PRIMARY KEY (first_name)".to_owned(),
            true,
        ),
        (
            "postgres",
            &[],
            "ADD COLUMN q int NOT NULL".to_owned(),
            false,
        ),
        (
            "postgres",
            &[],
            "ADD COLUMN q int NOT NULL DEFAULT 1, ALTER q DROP DEFAULT".to_owned(),
            false,
        ),
        (
            "postgres",
            &[],
            "ALTER email SET NOT NULL".to_owned(),
            false,
        ),
        // It is read, and goes.
        (
            "postgres",
            &[],
            "ALTER full_name SET NOT NULL".to_owned(),
            false,
        ),
        (
            "postgres",
            &[],
            format!("ALTER full_name DROP DEFAULT{drop}"),
            true,
        ),
        (
            "postgres",
            &[],
            "ALTER first_name SET NOT NULL".to_owned(),
            true,
        ),
        (
            "postgres",
            &[],
            "ALTER email SET DEFAULT NULL".to_owned(),
            false,
        ),
        (
            "postgres",
            &[],
            "ALTER email SET DEFAULT 'x'".to_owned(),
            true,
        ),
        (
            "postgres",
            &[("0002_split/expand.sql", checked.as_str())],
            "ALTER email SET NOT NULL".to_owned(),
            true,
        ),
        (
            "postgres",
            &[(MANIFEST, renamed.as_str())],
            "ALTER email SET NOT NULL".to_owned(),
            true,
        ),
        // Nothing else says what it is about.
        (
            "postgres",
            &[
                (MANIFEST, tighter),
                ("-0002_split/expand.sql", ""),
                ("-0002_split/backfill.sql", ""),
                ("-0002_split/revert.sql", ""),
            ],
            "ALTER email SET NOT NULL".to_owned(),
            true,
        ),
        (
            "postgres",
            &[],
            "DROP CONSTRAINT users_pkey".to_owned(),
            false,
        ),
        (
            "postgres",
            &[],
            "DROP CONSTRAINT users_pkey, ADD PRIMARY KEY (first_name)".to_owned(),
            true,
        ),
        (
            "postgres",
            &[("0001_x/expand.sql", known)],
            "DROP CONSTRAINT users_email_key".to_owned(),
            false,
        ),
        (
            "postgres",
            &[],
            "DROP CONSTRAINT users_email_key".to_owned(),
            true,
        ),
        (
            "mysql",
            &[("0001_x/expand.sql", known)],
            "DROP INDEX users_email_key".to_owned(),
            false,
        ),
        ("sqlite", &[], "ADD COLUMN q INT NOT NULL".to_owned(), false),
    ] {
        let sql = format!("ALTER TABLE users {action};\n");
        let all = [
            &[
                ("0001_x/migration.toml", "description = \"x\"\n"),
                ("0001_x/expand.sql", "CREATE TABLE none (id int);\n"),
                ("0002_split/contract.sql", sql.as_str()),
            ],
            files,
        ]
        .concat();
        let found = of(dialect, &all);
        let is_found = codes(&found).contains(&"takes-too-much");
        assert_eq!(is_found, !is_fine, "{dialect} {action}: {found:?}");
    }
}

/// A revert takes back what expand.sql has granted, made or attached.
#[test]
fn a_revert_may_undo_what_expand_did() {
    let drop = "ALTER TABLE users DROP COLUMN first_name;\n";
    for (dialect, expand, revert) in [
        (
            "postgres",
            "GRANT SELECT ON users TO web;\n",
            "REVOKE SELECT ON users FROM web;\n",
        ),
        (
            "postgres",
            "CREATE ROLE reader;\n",
            "DROP ROLE IF EXISTS reader;\n",
        ),
        ("postgres", "CREATE SCHEMA app;\n", "DROP SCHEMA app;\n"),
        (
            "postgres",
            "CREATE SEQUENCE s START 7;\n",
            "DROP SEQUENCE s;\n",
        ),
        ("mysql", "CREATE USER reader;\n", "DROP USER reader;\n"),
        (
            "mysql",
            "GRANT SELECT ON users TO web;\n",
            "REVOKE SELECT ON users FROM web;\n",
        ),
        (
            "postgres",
            "CREATE TABLE orders_1 PARTITION OF orders FOR VALUES IN (1);\n",
            "ALTER TABLE orders DETACH PARTITION orders_1;\nDROP TABLE orders_1;\n",
        ),
    ] {
        let (expand, revert) = (format!("{EXPAND}{expand}"), format!("{revert}{drop}"));
        let found = of(
            dialect,
            &[
                ("0002_split/expand.sql", &expand),
                ("0002_split/revert.sql", &revert),
            ],
        );
        assert_eq!(found, [""; 0], "{dialect} {revert}");
    }
}
