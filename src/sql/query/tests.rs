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
        "SELECT app.remaining(':after')",
    ] {
        assert_eq!(single_select(Dialect::Postgres, good), Ok(()), "{good}");
    }
    for (bad, message) in [
        ("", "no statement"),
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
    let backfill = backfill_statement(Dialect::Postgres, sql).unwrap();
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
        let errors = backfill_statement(Dialect::Postgres, sql).expect_err(sql);
        assert!(errors[0].message.contains(message), "{sql}: {errors:?}");
    }
    let upsert =
        "INSERT INTO t SELECT * FROM u WHERE id>:after AND id<=:upto ON CONFLICT DO NOTHING";
    assert!(backfill_statement(Dialect::Postgres, upsert).is_ok());
}

#[test]
fn keys_of_several_columns() {
    let sql = "UPDATE t AS u SET a = 1 WHERE (u.x, coalesce(y, 0)) > :after AND (u.x,\n coalesce(y, 0))<=:upto AND f(1) > 0";
    for dialect in Dialect::ALL {
        let backfill = backfill_statement(*dialect, sql).unwrap();
        let row = || vec!["u.x".to_owned(), "coalesce(y, 0)".to_owned()];
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
        let single = "UPDATE t SET a = 1 WHERE (id) > :after AND abs(id) <= :upto";
        let single = backfill_statement(*dialect, single).unwrap();
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
