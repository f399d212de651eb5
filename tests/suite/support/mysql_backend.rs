//! MariaDB: a database of its own on the server that all tests share.

use std::fmt::Write as _;

use super::backend::{Backend, Fresh, Ledger};
use super::connection::{Connection, MysqlSession, Rows, Session};
use super::mysql;

pub const BACKEND: Backend = Backend {
    name: "mysql",
    key: "BIGINT AUTO_INCREMENT PRIMARY KEY",
    ledger_prefix: "phasegate_",
    transactional_ddl: false,
    fresh,
    copy,
    connect,
    connect_plainly,
    dump,
};

fn fresh() -> Fresh {
    keep(mysql::fresh_database())
}

fn keep(database: mysql::Database) -> Fresh {
    Fresh {
        url: database.url.clone(),
        keep: Box::new(database),
    }
}

/// Only the first one exists; the other is for whoever makes the ledger.
pub fn fresh_apart() -> Fresh {
    apart(mysql::fresh_database())
}

fn apart(database: mysql::Database) -> Fresh {
    let ledger = database.for_ledger();
    Fresh {
        url: format!("{}?ledger={}", database.url, ledger.name),
        keep: Box::new((database, ledger)),
    }
}

fn connect_plainly(url: &str) -> Result<Box<dyn Session>, sqlx::Error> {
    Ok(Box::new(MysqlSession::open_plain(url)?))
}

fn connect(url: &str) -> Result<Box<dyn Session>, sqlx::Error> {
    Ok(Box::new(MysqlSession::open(url)?))
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// Tables with their rows, then what hangs on them.
fn copy(url: &str) -> Fresh {
    let database = mysql::fresh_database();
    if let Some((url, ledger)) = url.split_once("?ledger=") {
        let (server, application) = url.rsplit_once('/').expect("a URL of ours");
        fill(&database, url);
        let copy = apart(database);
        let mut to = Connection::new(connect(&copy.url).expect("a database made a moment ago"));
        let (own, of) = copy
            .url
            .split_once("?ledger=")
            .map_or(("", ""), |(url, of)| (url, of));
        let (_, own) = own.rsplit_once('/').expect("a URL of ours");
        if to
            .query(&format!("SHOW DATABASES LIKE '{ledger}'"))
            .is_empty()
        {
            return copy;
        }
        to.execute(&format!("CREATE DATABASE {of}"));
        let made = mysql::Database::named(server, of);
        fill(&made, &format!("{server}/{ledger}"));
        std::mem::forget(made);
        // Each of the two names the other.
        to.execute(&format!(
            "UPDATE phasegate_meta SET head = '{of}' WHERE id = 1 AND head = '{ledger}'"
        ));
        to.execute(&format!(
            "UPDATE {of}.phasegate_meta SET head = '{own}' WHERE id = 3 AND head = '{application}'"
        ));
        return copy;
    }
    fill(&database, url);
    keep(database)
}

fn fill(database: &mysql::Database, url: &str) {
    let (_, from) = url.rsplit_once('/').expect("a URL of ours");
    let mut to = Connection::new(connect(&database.url).expect("a database made a moment ago"));
    let mut source = Connection::new(connect(url).expect("a database of a test"));
    to.execute("SET SESSION foreign_key_checks = 0, sql_mode = ''");
    for table in names(&mut source, "BASE TABLE") {
        let name = quoted(&table);
        to.execute(&source.query(&format!("SHOW CREATE TABLE {name}"))[0][1]);
        let columns: Vec<String> = source
            .query(&format!(
                "SELECT column_name FROM information_schema.columns WHERE table_schema = DATABASE() \
                 AND table_name = '{table}' AND coalesce(generation_expression, '') = '' ORDER BY ordinal_position"
            ))
            .into_iter()
            .map(|row| quoted(&row[0]))
            .collect();
        let columns = columns.join(", ");
        to.execute(&format!(
            "INSERT INTO {name} ({columns}) SELECT {columns} FROM {from}.{name}"
        ));
    }
    for view in names(&mut source, "VIEW") {
        let sql = source.query(&format!("SHOW CREATE VIEW {}", quoted(&view)))[0][1].clone();
        to.execute(&sql.replace(&format!("`{from}`."), ""));
    }
    for trigger in source.query(
        "SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = DATABASE()",
    ) {
        let row = source.query(&format!("SHOW CREATE TRIGGER {}", quoted(&trigger[0])));
        to.execute(&row[0][2]);
    }
}

fn names(connection: &mut Connection, kind: &str) -> Vec<String> {
    let rows = connection.query(&format!(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type = '{kind}' \
         ORDER BY table_name"
    ));
    rows.into_iter().flatten().collect()
}

fn dump(connection: &mut Connection, ledger: Ledger) -> String {
    let mut text = String::new();
    let shown = |name: &str| ledger == Ledger::Included || !name.starts_with("phasegate_");
    for table in names(connection, "BASE TABLE") {
        if shown(&table) {
            let row = connection.query(&format!("SHOW CREATE TABLE {}", quoted(&table)));
            push(&mut text, "table", &without_counter(&row[0][1]));
        }
    }
    for view in names(connection, "VIEW") {
        let row = connection.query(&format!("SHOW CREATE VIEW {}", quoted(&view)));
        push(&mut text, "view", &row[0][1]);
    }
    let sorted = |connection: &mut Connection, sql: &str| {
        let rows: Rows = connection.query(sql);
        let mut lines: Vec<String> = rows.iter().map(|row| row.join(" | ")).collect();
        lines.sort();
        lines
    };
    let triggers = "SELECT trigger_name, event_manipulation, event_object_table, action_timing, action_statement \
                    FROM information_schema.triggers WHERE trigger_schema = DATABASE()";
    for line in sorted(connection, triggers) {
        push(&mut text, "trigger", &line);
    }
    let routines = "SELECT routine_name, routine_type, routine_definition FROM information_schema.routines \
                    WHERE routine_schema = DATABASE()";
    for line in sorted(connection, routines) {
        push(&mut text, "routine", &line);
    }
    // One moment for all rows, however many sessions write meanwhile.
    connection.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT");
    for table in names(connection, "BASE TABLE") {
        if shown(&table) {
            for line in sorted(connection, &format!("SELECT * FROM {}", quoted(&table))) {
                push(&mut text, &format!("row {table}"), &line);
            }
        }
    }
    connection.execute("COMMIT");
    text
}

fn push(text: &mut String, what: &str, line: &str) {
    writeln!(text, "{what}: {line}").expect("a string takes any text");
}

/// Where the next generated key begins is no part of the schema.
fn without_counter(sql: &str) -> String {
    match sql.split_once(" AUTO_INCREMENT=") {
        Some((before, after)) => {
            let rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
            format!("{before}{rest}")
        }
        None => sql.to_owned(),
    }
}
