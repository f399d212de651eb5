use super::super::Dialect;
use super::Part::{After, Sql, Upto};
use super::{backfill_statement, single_select};

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
            Sql("UPDATE t SET a = b::text || ':after', c = x[1:n]\r\nWHERE id > ".to_owned()),
            After,
            Sql("::bigint AND id <= ".to_owned()),
            Upto,
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
    ] {
        let errors = backfill_statement(Dialect::Postgres, sql).expect_err(sql);
        assert!(errors[0].message.contains(message), "{sql}: {errors:?}");
    }
    let upsert =
        "INSERT INTO t SELECT * FROM u WHERE id BETWEEN :after AND:upto ON CONFLICT DO NOTHING";
    assert!(backfill_statement(Dialect::Postgres, upsert).is_ok());
}
