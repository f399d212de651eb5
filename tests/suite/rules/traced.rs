//! Whether what `rehearse` sees of the statements that the servers are asked about is what the rules say of them.

use std::collections::BTreeSet;

use super::servers::{ALTERED, COSTS, POSTGRES};
use crate::support::backend::Db;
use crate::support::mysql::is_mariadb;
use crate::support::project::Project;

/// Statements, each for a table of its own, in one contract.
struct Asked {
    lint: String,
    /// What stands above them.
    head: &'static str,
    /// What makes the tables.
    schema: String,
    statements: Vec<String>,
}

/// What the rules say of each statement, and whether the rehearsal has seen that: by the number of the statement.
fn rehearsed(db: &Db, asked: &Asked) -> BTreeSet<(usize, String, String)> {
    let project = Project::new(db, &["web"]);
    project.file(
        "migrate.toml",
        &format!(
            "[database]\ndialects = [\"{}\"]\n[services.web]\nmin_instances = 0\n[rehearse]\nurl = \"{}\"\n\
             schema = \"schema.sql\"\n[lint]\n{}\n",
            db.backend.name, db.url, asked.lint
        ),
    );
    project.file("schema.sql", &asked.schema);
    let script: String = asked
        .statements
        .iter()
        .map(|sql| format!("{sql};\n"))
        .collect();
    let script = format!("{}{script}", asked.head);
    let above = asked.head.lines().count() + 1;
    let manifest = "description = \"d\"\n[services.web]\nold = \"<2.0.0\"\n";
    let write = |manifest: &str| {
        let files = [("migration.toml", manifest), ("contract.sql", &*script)];
        project.migration("0001_x", &files);
    };
    write(manifest);
    // What else is wrong with a statement is excused.
    let checked = project.migrate(&["check", "--output", "json"]).json();
    let problems = checked["error"]["problems"].as_array();
    let wrong: BTreeSet<usize> = problems
        .into_iter()
        .flatten()
        .filter(|one| {
            one["rule"]
                .as_str()
                .is_some_and(|rule| !COSTS.contains(&rule))
        })
        .filter_map(|one| usize::try_from(one["line"].as_u64()?).ok())
        .collect();
    let allowed: String = wrong
        .iter()
        .map(|line| {
            let statement = &asked.statements[line - above];
            format!("[[contract.allow]]\nstatement = {statement:?}\nreason = \"it is asked of the server\"\n")
        })
        .collect();
    write(&format!("{manifest}{allowed}"));
    let rehearsed = project
        .migrate(&["rehearse", "1", "--rows", "20", "--output", "json"])
        .json();
    let statements = rehearsed["rehearsals"][0]["statements"].as_array();
    let statements = statements.expect("what was measured");
    assert_eq!(statements.len(), asked.statements.len(), "{rehearsed}");
    let mut found = BTreeSet::new();
    for (index, one) in statements.iter().enumerate() {
        for rule in one["rules"].as_array().expect("a list") {
            let text = |key: &str| rule[key].as_str().expect("a text").to_owned();
            found.insert((index, text("rule"), text("traced")));
        }
    }
    found
}

/// The tables of [`POSTGRES`] as they are asked about: nothing leads to another one, where rows that a rehearsal makes up lead nowhere.
#[test]
fn a_rehearsal_confirms_what_the_rules_say_of_postgres() {
    let db = Db::on("postgres");
    let all = POSTGRES
        .iter()
        .filter(|(sql, _)| !sql.contains("REFERENCES"));
    let all: Vec<_> = all.enumerate().collect();
    let table = |index: &usize| format!("users{index}");
    let schema = all.iter().map(|(index, _)| {
        let name = table(index);
        format!(
            "CREATE TABLE {name} (id int PRIMARY KEY, a int, one int, b text);\nCREATE UNIQUE INDEX {name}_a ON {name} (a);\n\
             ALTER TABLE {name} ADD CONSTRAINT waiting CHECK (id > 0) NOT VALID;\n"
        )
    });
    let statements = all
        .iter()
        .map(|(index, (sql, _))| sql.replace("users", &table(index)));
    let found = rehearsed(
        &db,
        &Asked {
            lint: "postgres = \"15\"".to_owned(),
            head: "",
            schema: schema.collect(),
            statements: statements.collect(),
        },
    );
    // A lock that is held for long is none of this statement's.
    let found: BTreeSet<_> = found
        .into_iter()
        .filter(|(_, rule, _)| rule != "holds-lock")
        .collect();
    let expected: BTreeSet<_> = all
        .iter()
        .flat_map(|(index, (_, rules))| {
            let each = rules.iter();
            each.map(|rule| (*index, (*rule).to_owned(), "confirmed".to_owned()))
        })
        .collect();
    assert_eq!(found, expected);
}

/// Those of [`ALTERED`] that rows which a rehearsal makes up do not stand in the way of, one or two of each kind: each table takes its time.
const SOME: &[&str] = &[
    "ADD COLUMN c int",
    "ADD COLUMN c int FIRST",
    "ADD COLUMN c int AS (a + 1) STORED",
    "ADD COLUMN c int AS (a + 1) VIRTUAL",
    "ADD COLUMN c char(36) DEFAULT (uuid())",
    "MODIFY b text",
    "MODIFY a bigint",
    "ALTER COLUMN a SET DEFAULT 3",
    "ADD INDEX (b)",
    "DROP INDEX ka",
    "CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
    "DEFAULT CHARACTER SET latin1",
    "ENGINE=InnoDB",
    "FORCE",
    "COMMENT='x'",
];

#[test]
fn a_rehearsal_does_not_contradict_what_the_rules_say_of_mysql() {
    let db = Db::on("mysql");
    let version = db.value("SELECT VERSION()");
    let number = version.split('-').next().unwrap_or(&version);
    let is_mariadb = is_mariadb(&db);
    let server = if is_mariadb { "mariadb" } else { "mysql" };
    let actions: Vec<&str> = SOME.to_vec();
    assert!(actions.iter().all(|action| ALTERED.contains(action)));
    let tables = (0..actions.len()).map(|index| {
        format!(
            "CREATE TABLE t{index} (id int PRIMARY KEY, a int, b varchar(20), n int NOT NULL, e enum('x','y'), KEY ka (a)) ENGINE=InnoDB;\n"
        )
    });
    let statements = actions.iter().enumerate();
    let statements = statements.map(|(index, action)| format!("ALTER TABLE t{index} {action}"));
    let found = rehearsed(
        &db,
        &Asked {
            lint: format!("{server} = \"{number}\""),
            head: "-- migrate: no-transaction\n",
            schema: tables.collect(),
            statements: statements.collect(),
        },
    );
    let denied: Vec<_> = found
        .iter()
        .filter(|(_, _, traced)| traced == "contradicted" || traced == "not-foreseen")
        .map(|(index, rule, traced)| (actions[*index], rule, traced))
        .collect();
    assert!(denied.is_empty(), "{denied:#?}");
    let confirmed = found.iter().filter(|(_, _, traced)| traced == "confirmed");
    // MySQL does not show where rows are, as MariaDB does.
    assert!(!is_mariadb || confirmed.count() > 5, "{found:#?}");
}
