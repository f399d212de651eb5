use super::super::Dialect;
use super::Part::{After, Sql, Upto};
use super::{backfill_statement, range_query, single_select};

#[test]
fn single_queries() {
    for good in [
        "SELECT count(*) FROM t WHERE a IS NULL",
        "WITH x AS (SELECT 1 AS a) SELECT count(*) FROM x;",
        "-- how many\nVALUES (1)",
        "(SELECT 1) UNION ALL SELECT 2",
        "SELECT count(*) FROM t WHERE coalesce(a, lower(b)) <> ':after'",
    ] {
        assert_eq!(single_select(Dialect::Postgres, good), Ok(()), "{good}");
    }
    for (bad, message) in [
        ("", "no statement"),
        // Its own settings may hide rows, and what it does cannot be seen.
        ("SELECT app.remaining()", "app.remaining"),
        ("SELECT count(*) FROM t WHERE purge(a)", "purge"),
        ("SELECT 1; SELECT 2", "second"),
        ("DELETE FROM t", "not a SELECT"),
        ("SELECT 1 INTO x", "INTO"),
        ("SELECT * FROM t FOR UPDATE", "locks"),
        (
            "WITH x AS (DELETE FROM t RETURNING 1) SELECT * FROM x",
            "WITH",
        ),
        ("SELECT nextval('s')", "nextval"),
        ("SELECT :after", ":after"),
        ("SELECT $1", "$1"),
        ("SELEC 1", "syntax"),
    ] {
        let error = single_select(Dialect::Postgres, bad).expect_err(bad);
        assert!(error.message.contains(message), "{bad}: {error:?}");
    }
}

#[test]
fn backfills() {
    let sql = "\u{feff}-- fill\r\nUPDATE t SET a = b::text || ':after', c = x[1:n]\r\nWHERE id > :after::bigint AND id <= :upto;\r\n";
    let backfill = backfill_statement(Dialect::Postgres, sql, None).unwrap();
    assert_eq!(
        backfill.parts,
        [
            Sql("UPDATE t SET a = b::text || ':after', c = x[1:n]\r\nWHERE id ".to_owned()),
            After(Vec::new()),
            Sql("::bigint AND id ".to_owned()),
            Upto(Vec::new()),
        ]
    );
    for (sql, message) in [
        ("UPDATE t SET a = 1", "missing"),
        ("UPDATE t SET a = 1 WHERE id > :after", ":upto"),
        (
            "UPDATE t SET a = :now WHERE id > :after AND id <= :upto",
            ":now",
        ),
        (
            "UPDATE t SET a = $1 WHERE id > :after AND id <= :upto",
            "$1",
        ),
        ("DELETE FROM t WHERE id > :after AND id <= :upto", "delete"),
        (
            "UPDATE t SET a = set_config('row_security', 'on', true) WHERE id > :after AND id <= :upto",
            "set anything",
        ),
        (
            "INSERT INTO t SELECT * FROM u WHERE id > :after AND id <= :upto",
            "repeated",
        ),
        (
            "SELECT * FROM u WHERE id > :after AND id <= :upto",
            "UPDATE",
        ),
        (
            "UPDATE t SET a = 1 WHERE id > :after AND id <= :upto; SELECT 1",
            "second",
        ),
        (
            "UPDATE t SET a = 1 WHERE id >= :after AND id <= :upto",
            "right behind `>`",
        ),
        (
            "UPDATE t SET a = 1 WHERE id > :after AND id < :upto",
            "right behind `<=`",
        ),
        (
            "UPDATE t SET a = 1 WHERE id BETWEEN :after AND :upto",
            "right behind `>`",
        ),
    ] {
        let errors = backfill_statement(Dialect::Postgres, sql, None).expect_err(sql);
        assert!(errors[0].message.contains(message), "{sql}: {errors:?}");
    }
    let upsert =
        "INSERT INTO t SELECT * FROM u WHERE id>:after AND id<=:upto ON CONFLICT DO NOTHING";
    assert!(backfill_statement(Dialect::Postgres, upsert, None).is_ok());
}

#[test]
fn keys_of_several_columns() {
    let sql =
        "UPDATE t AS u SET a = 1 WHERE (u.x, u.y) > :after AND (u.x,\n u.y)<=:upto AND f(1) > 0";
    for dialect in Dialect::ALL {
        let backfill = backfill_statement(*dialect, sql, None).unwrap();
        let row = || vec!["u.x".to_owned(), "u.y".to_owned()];
        assert_eq!(
            backfill.parts,
            [
                Sql("UPDATE t AS u SET a = 1 WHERE ".to_owned()),
                After(row()),
                Sql(" AND ".to_owned()),
                Upto(row()),
                Sql(" AND f(1) > 0".to_owned()),
            ],
            "{dialect:?}"
        );
        assert_eq!(backfill.widths().collect::<Vec<_>>(), [2, 2]);
        // What stands in parentheses is not a row for that.
        let single = "UPDATE t SET a = 1 WHERE (id) > :after AND id <= :upto";
        let single = backfill_statement(*dialect, single, None).unwrap();
        assert_eq!(single.widths().collect::<Vec<_>>(), [1, 1]);
    }
}

#[test]
fn checks() {
    for dialect in Dialect::ALL {
        let good = "SELECT id FROM t WHERE id > :after AND id <= :upto AND a <> b";
        assert!(range_query(*dialect, good).is_ok());
        for (bad, message) in [
            ("SELECT id FROM t", "missing"),
            (
                "UPDATE t SET a = 1 WHERE id > :after AND id <= :upto",
                "not a SELECT",
            ),
        ] {
            let errors = range_query(*dialect, bad).expect_err(bad);
            assert!(errors[0].message.contains(message), "{bad}: {errors:?}");
        }
    }
}

#[test]
fn ranges_that_bound_a_statement() {
    for (condition, bounds) in [
        ("WHERE id > :after AND id <= :upto", true),
        ("WHERE (id > :after AND id <= :upto) AND a IS NULL", true),
        (
            "WHERE a IS NULL AND ((id > :after) AND (id <= :upto))",
            true,
        ),
        (
            "WHERE id > :after AND id <= :upto AND (a IS NULL OR b = 1)",
            true,
        ),
        (
            "WHERE a BETWEEN 1 AND 2 AND id > :after AND id <= :upto",
            true,
        ),
        (
            "WHERE CASE WHEN a = 1 THEN 1 ELSE 0 END = 1 AND id > :after AND id <= :upto",
            true,
        ),
        (
            "WHERE NOT a = 1 AND id > :after AND id <= :upto AND NOT b = 1",
            true,
        ),
        (
            "WHERE (x, y) > :after AND (x, y) <= :upto AND a IN (1, 2)",
            true,
        ),
        (
            "WHERE id IN (SELECT id FROM t WHERE id > :after AND id <= :upto)",
            true,
        ),
        (
            "WHERE EXISTS (SELECT 1 FROM u WHERE u.id = t.id AND u.id > :after AND u.id <= :upto)",
            true,
        ),
        ("WHERE (id > :after AND id <= :upto) OR id > 0", false),
        ("WHERE id > 0 OR (id > :after AND id <= :upto)", false),
        ("WHERE id > :after AND id <= :upto OR id > 0", false),
        ("WHERE id > :after OR id <= :upto", false),
        (
            "WHERE ((id > :after AND id <= :upto) OR a = 1) AND b = 1",
            false,
        ),
        ("WHERE NOT (id > :after AND id <= :upto)", false),
        ("WHERE NOT id > :after AND NOT id <= :upto", false),
        (
            "WHERE a = 1 AND NOT (b = 1 AND (id > :after AND id <= :upto))",
            false,
        ),
        ("WHERE (id > :after AND id <= :upto) IS NOT NULL", false),
        ("WHERE (id > :after AND id <= :upto) = (1 = 0)", false),
        ("WHERE coalesce(id > :after AND id <= :upto, a = 1)", false),
        ("WHERE coalesce((id > :after AND id <= :upto))", false),
        (
            "WHERE CASE WHEN a = 1 AND id > :after AND id <= :upto AND b = 1 THEN a = 1 ELSE b = 1 END",
            false,
        ),
        (
            "WHERE id NOT IN (SELECT id FROM t WHERE id > :after AND id <= :upto)",
            false,
        ),
        (
            "WHERE id IN (SELECT id FROM t WHERE id > :after AND id <= :upto) OR a = 1",
            false,
        ),
        (
            "WHERE id > :after AND id > (SELECT max(id) FROM t WHERE id <= :upto)",
            false,
        ),
    ] {
        for dialect in Dialect::ALL {
            let update =
                backfill_statement(*dialect, &format!("UPDATE t SET a = 1 {condition}"), None);
            assert_eq!(
                update.is_ok(),
                bounds,
                "{dialect:?} {condition}: {update:?}"
            );
            let check = range_query(*dialect, &format!("SELECT id FROM t {condition}"));
            assert_eq!(check.is_ok(), bounds, "{dialect:?} {condition}: {check:?}");
        }
    }
    use Dialect::{Mysql, Postgres, Sqlite};
    for (dialect, sql, bounds) in [
        (
            Postgres,
            "UPDATE t SET a = 1 WHERE a IS DISTINCT FROM b AND id > :after::bigint AND id <= :upto::bigint RETURNING id",
            true,
        ),
        (
            Postgres,
            "UPDATE t SET a = u.a FROM (SELECT id, a FROM u WHERE id > :after AND id <= :upto) u WHERE u.id = t.id",
            true,
        ),
        (
            Postgres,
            "WITH b AS (SELECT id FROM t WHERE id > :after AND id <= :upto FOR UPDATE) UPDATE t SET a = 1 FROM b WHERE b.id = t.id",
            true,
        ),
        (
            Postgres,
            "UPDATE t SET a = 1 WHERE id = ANY (SELECT id FROM t WHERE id > :after AND id <= :upto)",
            true,
        ),
        (
            Postgres,
            "UPDATE t SET a = (SELECT max(a) FROM u WHERE u.id > :after AND u.id <= :upto) WHERE id > :after AND id <= :upto",
            true,
        ),
        (
            Postgres,
            "UPDATE t SET a = (SELECT max(a) FROM u WHERE u.id > :after AND u.id <= :upto)",
            false,
        ),
        (
            Postgres,
            "UPDATE t SET a = 1 WHERE (id > :after AND id <= :upto) IS DISTINCT FROM true",
            false,
        ),
        (
            Postgres,
            "INSERT INTO n SELECT id FROM t WHERE id > :after AND id <= :upto ON CONFLICT DO NOTHING",
            true,
        ),
        (
            Postgres,
            "INSERT INTO n SELECT id FROM t WHERE id > :after AND id <= :upto LIMIT 5 ON CONFLICT DO NOTHING",
            false,
        ),
        (
            Postgres,
            "INSERT INTO n SELECT id FROM t WHERE id > :after AND id <= :upto FETCH FIRST 5 ROWS ONLY ON CONFLICT DO NOTHING",
            false,
        ),
        (
            Postgres,
            "UPDATE t SET a = (SELECT a FROM u WHERE u.id = t.id LIMIT 1) WHERE id > :after AND id <= :upto",
            true,
        ),
        (
            Sqlite,
            "INSERT INTO n SELECT id FROM t WHERE id > :after AND id <= :upto AND NOT EXISTS (SELECT 1 FROM n WHERE n.id = t.id)",
            true,
        ),
        (
            Mysql,
            "UPDATE t JOIN u ON u.id = t.id SET t.a = u.a WHERE t.id > :after AND t.id <= :upto",
            true,
        ),
        (
            Mysql,
            "UPDATE t SET a = 1 WHERE id > :after AND id <= :upto LIMIT 5",
            false,
        ),
        (
            Mysql,
            "UPDATE t SET a = 1 WHERE id > :after XOR id <= :upto",
            false,
        ),
    ] {
        let found = backfill_statement(dialect, sql, None);
        assert_eq!(found.is_ok(), bounds, "{sql}: {found:?}");
    }
}

/// A range that stands somewhere is not yet one of the rows that are written.
#[test]
fn a_range_of_something_else_bounds_nothing() {
    const RANGE: &str = "id > :after AND id <= :upto";
    for (sql, bounds) in [
        // A query of a WITH counts where it is joined with.
        (
            "WITH b AS (SELECT id FROM t WHERE RANGE) UPDATE t SET a = 1",
            false,
        ),
        (
            "WITH b AS (SELECT id FROM t WHERE RANGE) UPDATE t SET a = (SELECT count(*) FROM b)",
            false,
        ),
        (
            "WITH b AS (SELECT id FROM t WHERE RANGE) UPDATE t SET a = 1 WHERE id IN (SELECT id FROM b)",
            true,
        ),
        (
            "WITH b AS (SELECT id FROM t WHERE RANGE) UPDATE t SET a = 1 WHERE EXISTS (SELECT 1 FROM b)",
            false,
        ),
        (
            "WITH b AS (SELECT id FROM t WHERE RANGE) UPDATE t SET a = 1 WHERE EXISTS (SELECT 1 FROM b WHERE b.id = t.id)",
            true,
        ),
        (
            "WITH b AS (SELECT id FROM t WHERE RANGE LIMIT 5) UPDATE t SET a = 1 WHERE id IN (SELECT id FROM b)",
            false,
        ),
        (
            "WITH b (k) AS (SELECT id FROM t WHERE RANGE) UPDATE t SET a = 1 WHERE id IN (SELECT k FROM b)",
            true,
        ),
        (
            "WITH b AS (SELECT id FROM t WHERE RANGE), c AS (SELECT id FROM b) UPDATE t SET a = 1 WHERE id IN (SELECT id FROM c)",
            true,
        ),
        (
            "UPDATE t SET a = 1 WHERE EXISTS (SELECT 1 FROM t WHERE RANGE)",
            false,
        ),
        (
            "UPDATE t SET a = 1 WHERE EXISTS (SELECT 1 FROM u WHERE u.id > :after AND u.id <= :upto AND u.a = 1)",
            false,
        ),
        (
            "UPDATE t SET a = 1 WHERE EXISTS (SELECT 1 FROM u WHERE u.id > :after AND u.id <= :upto AND (u.id = t.id OR a = 1))",
            false,
        ),
        (
            "UPDATE t SET a = 1 WHERE 1 IN (SELECT 1 FROM t WHERE RANGE)",
            false,
        ),
        (
            "UPDATE t SET a = 1 WHERE id IN (SELECT 7 FROM t WHERE RANGE)",
            false,
        ),
        (
            "UPDATE t SET a = 1 WHERE id = (SELECT max(id) FROM t WHERE RANGE)",
            false,
        ),
        (
            "UPDATE t SET a = 1 WHERE id + 1 IN (SELECT id FROM t WHERE RANGE)",
            false,
        ),
        // Every branch of a UNION.
        (
            "INSERT INTO n SELECT id FROM t WHERE RANGE AND id NOT IN (SELECT id FROM n)",
            true,
        ),
        (
            "INSERT INTO n SELECT id FROM t WHERE RANGE AND id NOT IN (SELECT id FROM n) UNION ALL SELECT id FROM u",
            false,
        ),
        (
            "INSERT INTO n SELECT id FROM u UNION SELECT id FROM t WHERE RANGE AND id NOT IN (SELECT id FROM n)",
            false,
        ),
        (
            "INSERT INTO n SELECT id FROM u WHERE RANGE UNION SELECT id FROM t WHERE RANGE AND id NOT IN (SELECT id FROM n)",
            true,
        ),
        (
            "INSERT INTO n SELECT id FROM t WHERE RANGE EXCEPT SELECT id FROM n",
            true,
        ),
        (
            "INSERT INTO n SELECT id FROM t EXCEPT SELECT id FROM n WHERE RANGE",
            false,
        ),
        (
            "UPDATE t SET a = 1 WHERE id IN (SELECT id FROM t WHERE RANGE UNION SELECT id FROM u)",
            false,
        ),
        // Nothing is added to the key or to the ends.
        (
            "UPDATE t SET a = 1 WHERE id > :after AND id <= :upto + 1000",
            false,
        ),
        (
            "UPDATE t SET a = 1 WHERE id > :after - 1 AND id <= :upto",
            false,
        ),
        (
            "UPDATE t SET a = 1 WHERE id > :after * 0 AND id <= :upto",
            false,
        ),
        (
            "UPDATE t SET a = 1 WHERE id % 10 > :after AND id % 10 <= :upto",
            false,
        ),
        (
            "UPDATE t SET a = 1 WHERE -id > :after AND -id <= :upto",
            false,
        ),
        (
            "UPDATE t SET a = 1 WHERE abs(id) > :after AND abs(id) <= :upto",
            false,
        ),
        (
            "UPDATE t SET a = 1 WHERE (id) > :after AND (id) <= :upto",
            true,
        ),
        // The ends are not exchanged.
        (
            "UPDATE t SET a = 1 WHERE id > :upto AND id <= :after",
            false,
        ),
        (
            "UPDATE t SET a = 1 WHERE id BETWEEN :upto AND :after",
            false,
        ),
        (
            "UPDATE t SET a = 1 WHERE id BETWEEN :after AND :upto",
            false,
        ),
        (
            "UPDATE t SET a = 1 WHERE id > :after AND :upto >= id",
            false,
        ),
        // Joined with what the range is of.
        (
            "INSERT INTO n SELECT b.id FROM (SELECT id FROM t WHERE RANGE) b WHERE b.id NOT IN (SELECT id FROM n)",
            true,
        ),
        (
            "INSERT INTO n SELECT t.id FROM t, (SELECT id FROM t WHERE RANGE) b WHERE t.id NOT IN (SELECT id FROM n)",
            false,
        ),
        (
            "INSERT INTO n SELECT t.id FROM t JOIN (SELECT id FROM t WHERE RANGE) b ON b.id = t.id WHERE t.id NOT IN (SELECT id FROM n)",
            true,
        ),
        (
            "INSERT INTO n SELECT t.id FROM t LEFT JOIN (SELECT id FROM t WHERE RANGE) b ON b.id = t.id WHERE t.id NOT IN (SELECT id FROM n)",
            false,
        ),
    ] {
        for dialect in Dialect::ALL {
            let sql = sql.replace("RANGE", RANGE);
            let found = backfill_statement(*dialect, &sql, None);
            assert_eq!(found.is_ok(), bounds, "{dialect:?} {sql}: {found:?}");
        }
    }
    for (dialect, sql, bounds) in [
        (
            Dialect::Postgres,
            "UPDATE t SET a = u.a FROM u WHERE u.id > :after AND u.id <= :upto",
            false,
        ),
        (
            Dialect::Postgres,
            "UPDATE t SET a = u.a FROM u WHERE u.id > :after AND u.id <= :upto AND u.t = t.id",
            true,
        ),
        (
            Dialect::Postgres,
            "UPDATE t SET a = u.a FROM u WHERE t.id > :after AND t.id <= :upto",
            true,
        ),
        (
            Dialect::Postgres,
            "WITH b AS (SELECT id FROM t WHERE RANGE) UPDATE t SET a = 1 FROM b",
            false,
        ),
        (
            Dialect::Postgres,
            "WITH b AS MATERIALIZED (SELECT id FROM t WHERE RANGE) UPDATE t AS x SET a = 1 FROM b WHERE x.id = b.id AND a IS NULL",
            true,
        ),
        (
            Dialect::Postgres,
            "WITH b AS (SELECT id FROM t WHERE RANGE FOR UPDATE SKIP LOCKED) UPDATE t SET a = 1 FROM b WHERE b.id = t.id",
            false,
        ),
        (
            Dialect::Postgres,
            "WITH b AS (UPDATE u SET a = 1 RETURNING id) UPDATE t SET a = 1 WHERE RANGE",
            false,
        ),
        (
            Dialect::Postgres,
            "UPDATE t SET a = 1 FROM (SELECT x, y FROM t WHERE (x, y) > :after AND (x, y) <= :upto) b WHERE (t.x, t.y) = (b.x, b.y)",
            true,
        ),
        (
            Dialect::Mysql,
            "UPDATE t JOIN u ON u.t = t.id SET t.a = u.a WHERE u.id > :after AND u.id <= :upto",
            true,
        ),
        (
            Dialect::Mysql,
            "UPDATE t JOIN u SET t.a = u.a WHERE u.id > :after AND u.id <= :upto",
            false,
        ),
        (
            Dialect::Mysql,
            "UPDATE t JOIN (SELECT id FROM t WHERE RANGE) b ON (b.id = t.id) SET t.a = 1",
            true,
        ),
        (
            Dialect::Sqlite,
            "UPDATE t SET a = u.a FROM u WHERE u.id > :after AND u.id <= :upto",
            false,
        ),
    ] {
        let sql = sql.replace("RANGE", RANGE);
        let found = backfill_statement(dialect, &sql, None);
        assert_eq!(found.is_ok(), bounds, "{dialect:?} {sql}: {found:?}");
    }
}

/// The batches go along the keys of one table, and no other's.
#[test]
fn a_range_is_of_the_key_that_the_manifest_names() {
    let one = ["id".to_owned()];
    let two = ["a".to_owned(), "b".to_owned()];
    for (columns, sql, is_fine) in [
        (
            &one[..],
            "UPDATE t SET x = 1 WHERE id > :after AND id <= :upto",
            true,
        ),
        (
            &one,
            "UPDATE t SET x = 1 WHERE ID > :after AND t.Id <= :upto",
            true,
        ),
        (
            &one,
            "UPDATE t SET x = 1 WHERE number > :after AND number <= :upto",
            false,
        ),
        (
            &one,
            "UPDATE u SET x = 1 WHERE id > :after AND id <= :upto",
            false,
        ),
        (
            &one,
            "INSERT INTO n SELECT id FROM t WHERE id > :after AND id <= :upto AND id NOT IN (SELECT id FROM n)",
            true,
        ),
        (
            &one,
            "INSERT INTO n SELECT id FROM u WHERE id > :after AND id <= :upto AND id NOT IN (SELECT id FROM n)",
            false,
        ),
        (
            &one,
            "INSERT INTO n SELECT t.id FROM t JOIN u ON u.t = t.id WHERE t.id > :after AND t.id <= :upto AND NOT EXISTS (SELECT 1 FROM n WHERE n.id = t.id)",
            true,
        ),
        (
            &one,
            "INSERT INTO n SELECT t.id FROM t JOIN u ON u.t = t.id WHERE u.id > :after AND u.id <= :upto AND NOT EXISTS (SELECT 1 FROM n WHERE n.id = t.id)",
            false,
        ),
        // It is the same value.
        (
            &one,
            "INSERT INTO n SELECT t.id FROM t JOIN u ON u.t = t.id WHERE u.t > :after AND u.t <= :upto AND NOT EXISTS (SELECT 1 FROM n WHERE n.id = t.id)",
            true,
        ),
        (
            &two,
            "UPDATE t SET x = 1 WHERE (a, b) > :after AND (a, b) <= :upto",
            true,
        ),
        (
            &two,
            "UPDATE t SET x = 1 WHERE (b, a) > :after AND (b, a) <= :upto",
            false,
        ),
    ] {
        for dialect in Dialect::ALL {
            for table in ["t", "app.t"] {
                let key = super::Key { table, columns };
                let found = backfill_statement(*dialect, sql, Some(key));
                assert_eq!(found.is_ok(), is_fine, "{dialect:?} {sql}: {found:?}");
            }
        }
    }
}
