//! Keys of every kind, from the very first one on, in the database's own order.

use super::table::Items;
use crate::support::backend::Db;
use crate::support::mysql::is_mariadb;
use crate::support::project::Project;

/// Fills a table with these keys, is killed after the first batch, goes on, and has filled every row once.
#[track_caller]
fn goes_over(db: Db, columns: &str, key: &[&str], keys: &[&str]) {
    let items = Items::new(db, columns, key);
    items.fill(keys).expanded();
    let dry = items
        .project
        .migrate(&["backfill", "--dry-run"])
        .expect_code(0);
    assert!(dry.stdout.contains("would go from key"), "{dry:?}");
    items.project.env("PHASEGATE_CRASH_AT", "backfill.batch");
    items.project.migrate(&["backfill"]).expect_code(137);
    items.project.env_remove("PHASEGATE_CRASH_AT");
    let touched = items
        .db
        .value("SELECT count(*) FROM items WHERE touched = 1");
    assert_eq!(touched, "2");
    let output = items.project.migrate(&["backfill"]).expect_code(0);
    let left = keys.len() - 2;
    let said = format!("({left} rows in {} batches", left.div_ceil(2));
    assert!(output.stdout.contains(&said), "{said}: {output:?}");
    items.assert_filled_once();
}

scenario!(
    fn numbers_from_the_smallest_on(db: Db) {
        goes_over(
            db,
            "id bigint NOT NULL",
            &["id"],
            &[
                "-9223372036854775808",
                "-1",
                "0",
                "7",
                "9223372036854775807",
            ],
        );
    }
);

scenario!(
    fn decimals(db: Db) {
        goes_over(
            db,
            "id decimal(20, 5) NOT NULL",
            &["id"],
            &["-12.5", "0", "0.00001", "3.25", "1000000"],
        );
    }
);

scenario!(
    fn texts_from_the_empty_one_on(db: Db) {
        goes_over(
            db,
            "code varchar(20) NOT NULL",
            &["code"],
            &["''", "'it''s'", "'B'", "'a'", "'ü'", "'~'", "'0'"],
        );
    }
);

scenario!(
    fn uuids_from_the_nil_one_on(db: Db) {
        let column = match db.backend.name {
            "sqlite" => "id text NOT NULL",
            // There they are texts of one length.
            "mysql" if !is_mariadb(&db) => "id char(36) NOT NULL",
            _ => "id uuid NOT NULL",
        };
        goes_over(
            db,
            column,
            &["id"],
            &[
                "'00000000-0000-0000-0000-000000000000'",
                "'00000000-0000-0000-0000-0000000000ff'",
                "'018f4e2e-0000-7000-8000-000000000001'",
                "'018f4e2e-0000-7000-8000-000000000002'",
                "'ffffffff-ffff-ffff-ffff-ffffffffffff'",
            ],
        );
    }
);

scenario!(
    fn bytes_from_none_on(db: Db) {
        let (column, bytes): (_, fn(&str) -> String) = match db.backend.name {
            "postgres" => ("id bytea NOT NULL", |hex| format!("'\\x{hex}'")),
            "mysql" => ("id varbinary(20) NOT NULL", |hex| format!("x'{hex}'")),
            _ => ("id blob NOT NULL", |hex| format!("x'{hex}'")),
        };
        let keys = ["", "00", "00ff", "5c27", "ff"].map(bytes);
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        goes_over(db, column, &["id"], &keys);
    }
);

scenario!(
    fn times(db: Db) {
        let column = match db.backend.name {
            "postgres" => "at timestamptz NOT NULL",
            "mysql" => "at datetime(6) NOT NULL",
            _ => "at text NOT NULL",
        };
        goes_over(
            db,
            column,
            &["at"],
            &[
                "'2026-01-05 10:00:00'",
                "'2026-01-05 10:00:00.000001'",
                "'2026-03-29 02:30:00'",
                "'2026-10-25 02:30:00'",
                "'2027-01-01 00:00:00'",
            ],
        );
    }
);

scenario!(
    fn keys_of_several_columns(db: Db) {
        goes_over(
            db,
            "tenant integer NOT NULL, code varchar(10) NOT NULL, day date NOT NULL",
            &["tenant", "code", "day"],
            &[
                "1, '', '2026-01-05'",
                "1, 'a', '2026-01-05'",
                "1, 'a', '2026-01-06'",
                "1, 'b', '2025-01-05'",
                "2, '', '2026-01-05'",
                "2, 'a', '2026-01-05'",
                "3, 'a', '2026-01-05'",
            ],
        );
    }
);

#[test]
fn a_padded_character_and_a_session_that_writes_dates_its_own_way() {
    let db = Db::on("postgres");
    let name = db.value("SELECT current_database()");
    db.execute(&format!(
        "ALTER DATABASE {name} SET datestyle = 'German'; ALTER DATABASE {name} SET timezone = 'Europe/Berlin'"
    ));
    goes_over(
        db,
        "code char(4) NOT NULL, at timestamptz NOT NULL",
        &["code", "at"],
        &[
            "'ab', '2026-10-25 00:30:00+00'",
            "'ab', '2026-10-25 01:30:00+00'",
            "'abc', '2026-12-11 00:00:00+00'",
            "'b', '2026-11-12 00:00:00+00'",
            "'b', 'infinity'",
        ],
    );
}

/// Bytes that are no UTF-8 in a text, a NUL, and every type beside every other, because a column has none.
#[test]
fn whatever_sqlite_lets_into_a_key() {
    goes_over(
        Db::on("sqlite"),
        "id",
        &["id"],
        &[
            "-1e999",
            "-7",
            "0.1",
            "9223372036854775807",
            "1e999",
            "''",
            "'a'",
            "CAST(x'610062' AS TEXT)",
            "CAST(x'61ff' AS TEXT)",
            "CAST(x'61ff00ff' AS TEXT)",
            "'ü'",
            "CAST(x'ff' AS TEXT)",
            "x''",
            "x'00'",
            "x'ff'",
        ],
    );
}

/// The short list of a table's columns leaves them out.
#[test]
fn a_generated_column_of_sqlite_is_a_key() {
    let db = Db::on("sqlite");
    db.execute(
        "CREATE TABLE t (a INTEGER, v INTEGER, id INTEGER GENERATED ALWAYS AS (a * 2) STORED NOT NULL UNIQUE); \
         INSERT INTO t (a) VALUES (1), (2), (3)",
    );
    let project = Project::new(&db, &["web"]);
    project.migration(
        "0001_v",
        &[
            (
                "migration.toml",
                "description = \"v\"\n[backfill]\ntable = \"t\"\nkey = \"id\"\n\
                 remaining = \"SELECT count(*) FROM t WHERE v IS NULL\"\n",
            ),
            (
                "backfill.sql",
                "UPDATE t SET v = 1 WHERE id > :after AND id <= :upto AND v IS NULL;\n",
            ),
        ],
    );
    project.migrate(&["expand"]).expect_code(0);
    project.migrate(&["backfill"]).expect_code(0);
    assert_eq!(db.value("SELECT count(*) FROM t WHERE v = 1"), "3");
}

#[test]
fn keys_of_odd_types_on_postgres() {
    for (column, keys) in [
        (
            "id jsonb NOT NULL",
            ["'\"a\"'", "'1'", "'{\"a\": 1}'", "'[1, \"b\"]'", "'true'"],
        ),
        (
            "id numeric NOT NULL",
            [
                "-1.50",
                "0",
                "12345678901234567890.123456789",
                "'NaN'",
                "'Infinity'",
            ],
        ),
        (
            "id timestamp NOT NULL",
            [
                "'-infinity'",
                "'0044-03-15 12:00:00 BC'",
                "'2026-01-05'",
                "'294276-01-01'",
                "'infinity'",
            ],
        ),
        (
            "id float8 NOT NULL",
            [
                "'-Infinity'",
                "0.1",
                "1e-320",
                "3.0000000000000004",
                "'NaN'",
            ],
        ),
        (
            "id interval NOT NULL",
            [
                "'-1 day'",
                "'0'",
                "'1 month -1 day'",
                "'3 years'",
                "'3 years 1 microsecond'",
            ],
        ),
        (
            "id bit varying(9) NOT NULL",
            ["B''", "B'0'", "B'00'", "B'101'", "B'111111111'"],
        ),
        (
            "id inet NOT NULL",
            ["'10.0.0.1'", "'10.0.0.1/8'", "'10.0.0.2'", "'::'", "'::1'"],
        ),
        ("id \"char\" NOT NULL", ["'a'", "'b'", "'c'", "' '", "'~'"]),
    ] {
        let keys = &keys[..];
        goes_over(Db::on("postgres"), column, &["id"], keys);
    }
    // Equal by its collation, whatever its letters.
    let db = Db::on("postgres");
    db.execute(
        "CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
    );
    goes_over(
        db,
        "id text COLLATE ci NOT NULL",
        &["id"],
        &["'a'", "'B'", "'c'", "'D '", "'d'"],
    );
}

/// What is no date is a key all the same, where the server's mode lets it in.
#[test]
fn dates_that_are_none() {
    for column in ["id date NOT NULL", "id datetime(6) NOT NULL"] {
        let db = Db::on("mysql");
        let items = Items::new(db, column, &["id"]);
        items.db.execute(
            "SET SESSION sql_mode = 'ALLOW_INVALID_DATES'; INSERT INTO items (id, label) VALUES \
             ('0000-00-00', 'a'), ('2026-00-01', 'b'), ('2026-01-00', 'c'), ('2026-01-05', 'd')",
        );
        items.expanded();
        items.project.migrate(&["backfill"]).expect_code(0);
        assert_eq!(
            items
                .db
                .value("SELECT count(*) FROM items WHERE name IS NULL"),
            "0"
        );
    }
}

/// A key that cannot be written exactly is refused in words, and nothing is changed.
#[test]
fn keys_that_cannot_be_written_are_refused_in_words() {
    for (backend, before, column, key) in [
        (
            "postgres",
            "CREATE TYPE pair AS (a int, b text)",
            "id pair NOT NULL",
            "ROW(1, 'x')",
        ),
        ("postgres", "SELECT 1", "id int[] NOT NULL", "'{1,2}'"),
        ("mysql", "SELECT 1", "id float NOT NULL", "0.1"),
        ("mysql", "SELECT 1", "id enum('b', 'a') NOT NULL", "'a'"),
        ("mysql", "SELECT 1", "id bit(8) NOT NULL", "b'101'"),
        (
            "mysql",
            "SELECT 1",
            "id timestamp NOT NULL",
            "'2026-10-25 02:30:00'",
        ),
    ] {
        let db = Db::on(backend);
        db.execute(before);
        let items = Items::new(db, column, &["id"]);
        items.fill(&[key]).expanded();
        let refused = items.project.migrate(&["backfill"]).expect_code(1);
        let said = crate::support::shop::said(&refused);
        assert!(said.contains("cannot go over"), "{column}: {refused:?}");
        assert_eq!(
            items
                .db
                .value("SELECT count(*) FROM items WHERE name IS NULL"),
            "1"
        );
    }
}

#[test]
fn a_collation_of_its_own_orders_the_keys() {
    let db = Db::on("mysql");
    goes_over(
        db,
        "code varchar(10) CHARACTER SET latin1 COLLATE latin1_german2_ci NOT NULL",
        &["code"],
        &["'Zebra'", "'Äpfel'", "'apfel'", "'ZZ'", "'öl'"],
    );
}

/// The plan of what finds the end of a batch, and of the batch itself, in a table that nobody has analysed.
#[test]
fn an_index_serves_each_batch_of_a_composite_key() {
    for backend in ["postgres", "mysql", "sqlite"] {
        let db = Db::on(backend);
        let items = Items::new(
            db,
            "tenant integer NOT NULL, id integer NOT NULL",
            &["tenant", "id"],
        );
        let keys: Vec<String> = (0..4000).map(|id| format!("{}, {id}", id / 2000)).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        items.fill(&keys).expanded();
        items.declare("batch = 10", "name = label");
        let shown = Db::at(backend, items.db.url.clone());
        let is_mysql_itself = backend == "mysql" && !is_mariadb(&shown);
        let read = |db: &Db| -> i64 {
            let sql = match backend {
                "mysql" if is_mysql_itself => {
                    "SELECT CAST(sum(count_fetch) AS CHAR) FROM performance_schema.table_io_waits_summary_by_table \
                     WHERE object_schema = DATABASE() AND object_name = 'items'"
                }
                "mysql" => {
                    "SELECT CAST(sum(rows_read) AS CHAR) FROM information_schema.table_statistics \
                     WHERE table_schema = DATABASE() AND table_name = 'items'"
                }
                "postgres" => {
                    "SELECT (seq_tup_read)::text FROM pg_stat_user_tables WHERE relname = 'items'"
                }
                _ => "SELECT '0'",
            };
            db.value(sql).parse().unwrap_or(0)
        };
        if backend == "mysql" && !is_mysql_itself {
            shown.execute("SET GLOBAL userstat = 1");
        }
        let before = read(&shown);
        items.project.migrate(&["backfill"]).expect_code(0);
        let rows = read(&shown) - before;
        // SQLite keeps no count, and PostgreSQL counts only what no index serves.
        assert!(backend != "mysql" || rows >= 4000, "{rows} rows were read");
        let passes = rows / 4000;
        // Statistics, `remaining` twice or so, and the keys themselves twice; never the table for each of 400 batches.
        assert!(passes < 20, "{backend}: the table was read {passes} times");
        assert_eq!(
            shown.value("SELECT count(*) FROM items WHERE name IS NULL"),
            "0"
        );
    }
}

#[test]
fn the_columns_of_the_key_are_compared_as_declared() {
    let db = Db::on("sqlite");
    let items = Items::new(db, "tenant integer, id integer", &["tenant", "id"]);
    items.project.migration(
        "0001_name",
        &[(
            "backfill.sql",
            "UPDATE items SET name = label WHERE id > :after AND id <= :upto;\n",
        )],
    );
    let said = |project: &Project| {
        let output = project.migrate(&["check"]).expect_code(1);
        output.stderr
    };
    let wrong = said(&items.project);
    assert!(wrong.contains("has 1 column"), "{wrong}");
    assert!(wrong.contains("has 2 columns"), "{wrong}");
}
