//! What holds on every database.

use proptest::prelude::*;

use super::*;

pub(super) fn parse(dialect: Dialect, sql: &str) -> Script {
    Script::parse(dialect, sql).unwrap_or_else(|errors| panic!("{sql}: {errors:?}"))
}

/// Each statement alone has the effect named, with these words in its explanation.
pub(super) fn check(dialect: Dialect, table: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    for (sql, expected) in table {
        let found = match Script::parse(dialect, &format!("{sql};\n")) {
            Err(errors) => format!("{errors:?}"),
            Ok(script) => match script.statements.as_slice() {
                [statement] => {
                    assert_eq!(statement.text, *sql);
                    let effect = match &statement.effect {
                        Effect::Additive => "additive".to_owned(),
                        Effect::Data => "data".to_owned(),
                        Effect::Destructive { why } => format!("destructive {why}"),
                        Effect::TransactionControl { what } => format!("transaction {what}"),
                        Effect::SessionSetting { what } => format!("session {what}"),
                        Effect::Unknown { why } => format!("unknown {why}"),
                    };
                    let outside = if statement.needs_no_transaction {
                        " outside"
                    } else {
                        ""
                    };
                    format!("{effect}{outside}")
                }
                statements => format!("{} statements", statements.len()),
            },
        };
        let (effect, rest) = expected.split_once(' ').unwrap_or((expected, ""));
        let words = rest.strip_suffix("outside").unwrap_or(rest).trim();
        let fits = found.starts_with(effect)
            && found.contains(words)
            && found.ends_with(" outside") == expected.ends_with(" outside");
        if !fits {
            wrong.push(format!("{sql}\n  expected {expected}\n  found    {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// One letter a statement: additive, Insert-like data, destructive, unknown, session, transaction.
pub(super) fn effects_of(dialect: Dialect, sql: &str) -> String {
    let letter = |statement: &Statement| match statement.effect {
        Effect::Additive => 'a',
        Effect::Data => 'I',
        Effect::Destructive { .. } => 'd',
        Effect::Unknown { .. } => 'u',
        Effect::SessionSetting { .. } => 's',
        Effect::TransactionControl { .. } => 't',
    };
    parse(dialect, sql).statements.iter().map(letter).collect()
}

#[test]
fn files_as_editors_leave_them() {
    for dialect in Dialect::ALL.iter().copied() {
        for empty in [
            "",
            "\u{feff}",
            "-- nothing\r\n",
            " ;;\n; /* x */",
            "-- migrate: no-transaction",
        ] {
            assert!(parse(dialect, empty).statements.is_empty(), "{empty:?}");
        }
        let text = "\u{feff}-- migrate: no-transaction\r\n-- ü;\r\n\r\nSELECT 'ä;' /* ; */ AS \"ö;\" -- x;\r\n;\r\nSELECT 2 -- end";
        let script = parse(dialect, text);
        assert_eq!(script.mode, Mode::NoTransaction);
        let found: Vec<_> = script
            .statements
            .iter()
            .map(|statement| (statement.line, statement.text.as_str()))
            .collect();
        assert_eq!(
            found,
            [(4, "SELECT 'ä;' /* ; */ AS \"ö;\""), (6, "SELECT 2")]
        );
        for statement in &script.statements {
            assert_eq!(text[statement.span.clone()], statement.text);
        }
        assert_eq!(parse(dialect, "SELECT 1").mode, Mode::Transactional);
        assert!(["sqlite", "postgres", "mysql"].contains(&dialect.name()));
    }
    let nested = parse(Dialect::Postgres, "/* a /* b; */ c; */ SELECT 1");
    assert_eq!(nested.statements[0].text, "SELECT 1");
}

/// Statements that nest `depth` deep in every way there is.
fn monsters(depth: usize) -> Vec<String> {
    [
        ("(", "1", ")"),
        ("(", "1", ""),
        ("NOT ", "1", ""),
        ("- ", "1", ""),
        ("", "1", " + 1"),
        ("CASE WHEN ", "1", " THEN 1 END"),
        ("(SELECT ", "1", ")"),
        ("f(", "1", ")"),
        ("ARRAY[", "1", "]"),
        ("", "1", " UNION SELECT 1"),
    ]
    .iter()
    .map(|(before, core, after)| {
        format!(
            "SELECT {}{core}{}",
            before.repeat(depth),
            after.repeat(depth)
        )
    })
    .collect()
}

#[test]
fn monsters_end_as_messages() {
    for dialect in Dialect::ALL.iter().copied() {
        for monster in [30, 700, 100_000].into_iter().flat_map(monsters) {
            let _ = Script::parse(dialect, &monster);
        }
        let rows = format!(
            "INSERT INTO t VALUES {}(1, 'x')",
            "(1, 'x'), ".repeat(20_000)
        );
        assert_eq!(parse(dialect, &rows).statements.len(), 1);
    }
}

/// What is not deep enough for a stack of its own must fit into the smallest one that a thread may have.
#[test]
fn shallow_statements_need_little_stack() {
    for dialect in Dialect::ALL.iter().copied() {
        for depth in 1..=facts::SHALLOW {
            for monster in monsters(depth) {
                let parsed = std::thread::Builder::new()
                    .stack_size(1 << 20)
                    .spawn(move || drop(Script::parse(dialect, &monster)));
                parsed.unwrap().join().unwrap();
            }
        }
    }
}

/// Pieces that make statements, or nearly.
fn script() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "CREATE TABLE t (a int)",
        "DROP TABLE t",
        "SELECT 1",
        "UPDATE t SET a = 'ü;'",
        "BEGIN",
        "END",
        "CASE",
        "CREATE TRIGGER g AFTER INSERT ON t BEGIN",
        "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC",
        "ATOMIC",
        ";",
        "\r\n",
        "\n",
        " ",
        "-- ö;\n",
        "/* x;",
        "*/",
        "'",
        "\"",
        "$$",
        "$a$",
        "(",
        ")",
        "[",
        "]",
        ",",
        ":after",
        "::",
        ":",
        "\\i",
        "\u{feff}",
        "é",
        "0x",
        "1e",
        "U&\"x\"",
        "E'\\",
        "x'0",
        "`",
        "@",
        "#",
        "ALTER TABLE t",
        "ADD",
        "COLUMN",
        "NOT NULL",
        "DEFAULT",
        "CHECK",
        "RENAME TO",
        "DROP",
        "CREATE",
        "OR REPLACE",
        "RULE",
        "DO",
        "IN",
        "-- migrate: no-transaction\n",
        "WITH x AS (DELETE FROM t)",
        "COPY t FROM STDIN",
        "GRANT",
        "SET",
        "a",
        "t",
    ]);
    prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.join(" "))
}

/// Whether nothing but space, semicolons and comments is in a gap between statements.
fn is_empty(gap: &str, dialect: Dialect) -> bool {
    let nested = dialect == Dialect::Postgres;
    let hash = dialect == Dialect::Mysql;
    let mut rest = gap;
    let mut depth = 0;
    while let Some(first) = rest.chars().next() {
        let step = if rest.starts_with("/*") && (depth == 0 || nested) {
            depth += 1;
            2
        } else if rest.starts_with("*/") && depth > 0 {
            depth -= 1;
            2
        } else if depth == 0 && (rest.starts_with("--") || (hash && first == '#')) {
            rest.find('\n').unwrap_or(rest.len())
        } else if depth > 0 || first.is_whitespace() || first == ';' || first == BOM {
            first.len_utf8()
        } else {
            return false;
        };
        rest = &rest[step..];
    }
    true
}

const BOM: char = '\u{feff}';

fn holds(dialect: Dialect, text: &str) -> Result<(), TestCaseError> {
    let _ = single_select(dialect, text);
    let _ = backfill_statement(dialect, text, None);
    match Script::parse(dialect, text) {
        Err(errors) => {
            prop_assert!(!errors.is_empty());
            for error in errors {
                prop_assert!(text.get(error.span.clone()).is_some(), "{error:?}");
            }
        }
        Ok(script) => {
            let mut from = 0;
            for statement in &script.statements {
                let span = statement.span.clone();
                prop_assert!(span.start >= from && span.start < span.end);
                prop_assert_eq!(text.get(span.clone()), Some(statement.text.as_str()));
                prop_assert!(is_empty(&text[from..span.start], dialect));
                from = span.end;
            }
            prop_assert!(is_empty(&text[from..], dialect), "{:?}", &text[from..]);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_survived(text in any::<String>()) {
        for dialect in Dialect::ALL {
            holds(*dialect, &text)?;
        }
    }

    #[test]
    fn any_script_is_covered(text in script()) {
        for dialect in Dialect::ALL {
            holds(*dialect, &text)?;
        }
    }
}

#[test]
fn only_what_makes_something_empty_is_instant() {
    let table: &[(&str, &[bool])] = &[
        (
            "CREATE TABLE a (id BIGINT PRIMARY KEY, n INT); CREATE INDEX a_n ON a (n); CREATE UNIQUE INDEX a_i ON a (id, n)",
            &[true, true, true, false],
        ),
        ("CREATE INDEX a_n ON a (n)", &[false, false]),
        (
            "CREATE TABLE a (n INT); INSERT INTO a (n) SELECT n FROM b; CREATE INDEX a_n ON a (n)",
            &[true, false, false, false],
        ),
        ("CREATE TABLE a AS SELECT n FROM b", &[false, false]),
        (
            "CREATE TABLE a (n INT REFERENCES b (n)); CREATE INDEX a_n ON a (n)",
            &[false, false, false],
        ),
        (
            "CREATE TABLE IF NOT EXISTS a (n INT); CREATE INDEX a_n ON a (n)",
            &[false, false, false],
        ),
        // Statements of other migrations that name it would mean this one.
        (
            "CREATE TEMPORARY TABLE a (n INT); CREATE INDEX a_n ON a (n)",
            &[false, false, false],
        ),
        ("ALTER TABLE a ADD COLUMN n INT", &[false, false]),
    ];
    for (sql, expected) in table {
        for &dialect in Dialect::ALL {
            let script = parse(dialect, sql);
            let found: Vec<bool> = (0..=script.statements.len())
                .map(|index| script.is_instant(index))
                .collect();
            assert_eq!(found, *expected, "{}: {sql}", dialect.name());
        }
    }
}

#[test]
fn a_script_has_no_more_statements_than_anybody_looks_at() {
    for dialect in Dialect::ALL {
        let script = "SELECT 1;\n".repeat(super::parse::MOST_STATEMENTS + 1);
        let errors = Script::parse(*dialect, &script).unwrap_err();
        let [error] = errors.as_slice() else {
            panic!("{errors:?}");
        };
        assert!(error.message.contains("200001 statements"), "{error}");
        // The first one that is too many.
        assert_eq!(
            error.span.start,
            super::parse::MOST_STATEMENTS * "SELECT 1;\n".len()
        );
    }
}
