//! SQLite: a file in a directory of its own.

use std::fmt::Write as _;
use std::str::FromStr as _;
use std::time::Duration;

use super::backend::{Backend, Fresh, Ledger};
use super::connection::{Connection, Session, SqliteSession};
use super::place::place;

pub const BACKEND: Backend = Backend {
    name: "sqlite",
    key: "INTEGER PRIMARY KEY",
    ledger_prefix: "phasegate_",
    transactional_ddl: true,
    fresh,
    copy,
    connect,
    connect_plainly: connect,
    dump,
};

fn fresh() -> Fresh {
    let directory = tempfile::Builder::new()
        .prefix("phasegate-sqlite-")
        .tempdir_in(place())
        .expect("a directory for a SQLite database");
    let url = format!("sqlite://{}", directory.path().join("test.db").display());
    // The file exists from the start: a tool that creates a database by mistyping its name is not what a test expects.
    let options = options(&url)
        .expect("the URL is well-formed")
        .create_if_missing(true);
    let mut session = SqliteSession::open(&options).expect("a SQLite database");
    session
        .run("PRAGMA journal_mode = DELETE")
        .expect("a database file");
    Fresh {
        url,
        keep: Box::new(directory),
    }
}

fn copy(url: &str) -> Fresh {
    let fresh = fresh();
    let file = |url: &str| {
        url.strip_prefix("sqlite://")
            .expect("a URL of ours")
            .to_owned()
    };
    std::fs::copy(file(url), file(&fresh.url)).expect("a database file that nobody has open");
    fresh
}

fn options(url: &str) -> Result<sqlx::sqlite::SqliteConnectOptions, sqlx::Error> {
    Ok(sqlx::sqlite::SqliteConnectOptions::from_str(url)?.busy_timeout(Duration::from_secs(10)))
}

fn connect(url: &str) -> Result<Box<dyn Session>, sqlx::Error> {
    Ok(Box::new(SqliteSession::open(&options(url)?)?))
}

fn dump(connection: &mut Connection, ledger: Ledger) -> String {
    let shown = match ledger {
        Ledger::Included => "1",
        Ledger::Excluded => r"tbl_name NOT LIKE 'phasegate\_%' ESCAPE '\'",
    };
    // One moment for all of it, however many sessions write meanwhile.
    connection.execute("BEGIN");
    let mut text = String::new();
    let objects = connection.query(&format!(
        "SELECT type, name, coalesce(sql, '') FROM sqlite_schema \
         WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND {shown} ORDER BY type, name"
    ));
    for object in &objects {
        let [kind, name, sql] = object.as_slice() else {
            unreachable!("three columns were asked for")
        };
        writeln!(text, "{kind} {name}: {}", one_spelling(sql)).expect("a string takes any text");
        if kind == "table" {
            // Beside the text, what SQLite made of it: after ALTER TABLE the text alone is easy to misread.
            let columns = connection.query(&format!(
                "SELECT name, type, \"notnull\", dflt_value, pk, hidden FROM pragma_table_xinfo({}) ORDER BY cid",
                quoted_text(name)
            ));
            for column in columns {
                writeln!(text, "  column {}", column.join(" | ")).expect("a string takes any text");
            }
        }
    }
    for object in objects.iter().filter(|object| object[0] == "table") {
        push_rows(
            &mut text,
            &object[1],
            connection.query(&format!("SELECT * FROM {}", quoted_name(&object[1]))),
        );
    }
    let counters = connection.query("SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence'");
    if !counters.is_empty() {
        let shown = shown.replace("tbl_name", "name");
        let rows = connection.query(&format!(
            "SELECT name, seq FROM sqlite_sequence WHERE {shown}"
        ));
        push_rows(&mut text, "sqlite_sequence", rows);
    }
    connection.execute("COMMIT");
    text
}

fn push_rows(text: &mut String, table: &str, rows: super::connection::Rows) {
    let mut rows: Vec<String> = rows.iter().map(|row| row.join(" | ")).collect();
    rows.sort();
    for row in rows {
        writeln!(text, "row {table}: {row}").expect("a string takes any text");
    }
}

/// A definition without what the way to it leaves behind: SQLite keeps the user's text, and a table that was renamed or
/// rebuilt differs from an untouched one in quotes and blanks alone.
fn one_spelling(sql: &str) -> String {
    let words: Vec<&str> = sql.split_whitespace().collect();
    let mut text = words.join(" ").replace('"', "");
    for mark in ["(", ")", ","] {
        text = text
            .replace(&format!(" {mark}"), mark)
            .replace(&format!("{mark} "), mark);
    }
    text
}

fn quoted_name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn quoted_text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
