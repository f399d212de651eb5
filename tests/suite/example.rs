//! The example that the documentation shows: sound files, triggers that keep their word, and the demonstration's story.

use std::path::{Path, PathBuf};

use crate::support::backend::Db;
use crate::support::project::Project;

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations-example")
}

/// A copy of the example, on this database.
fn shop(db: &Db) -> Project {
    let project = Project::new(db, &[]);
    copy(&example(), Path::new(""), &project);
    project
}

fn copy(from: &Path, to: &Path, project: &Project) {
    for entry in std::fs::read_dir(from).expect("the example is a directory") {
        let entry = entry.expect("a file of the example");
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &to, project);
        } else {
            let text = std::fs::read_to_string(&path).expect("the example is text");
            project.file(to, &text);
        }
    }
}

fn direct(db: &Db, path: &str) {
    let (dir, step) = path.rsplit_once('/').unwrap();
    let own = example().join(dir).join(format!("{step}.{}.sql", db.backend.name));
    let common = example().join(dir).join(format!("{step}.sql"));
    let file = if own.exists() { own } else { common };
    let text = std::fs::read_to_string(file).unwrap();
    if text.starts_with("-- migrate") {
        for s in text.split_terminator(";\n") { db.execute(s); }
    } else {
        db.execute(&text);
    }
}

/// A shop whose users have their names in both formats, and no users yet.
fn with_both_formats(db: &Db) {
    direct(db, "0001_create_shop/expand");
    direct(db, "0002_split_full_name/expand");
    db.execute("DELETE FROM orders; DELETE FROM users");
}

#[test]
fn the_example_has_no_errors_and_no_warnings() {
    let project = phasegate::project::Project::load(&example(), None)
        .unwrap_or_else(|problems| panic!("{problems:#?}"));
    assert!(project.warnings.is_empty(), "{:#?}", project.warnings);
    assert_eq!(project.migrations.len(), 4);
}

/// A name as old versions write it, and as new ones read it.
const SPLITS: &[(&str, &str, &str)] = &[
    ("'Ada'", "Ada", ""),
    ("'Grace Hopper'", "Grace", "Hopper"),
    ("'Jean Luc Picard'", "Jean", "Luc Picard"),
    ("'Åsa Öberg'", "Åsa", "Öberg"),
    ("'Miles O''Brien'", "Miles", "O'Brien"),
    ("''", "", ""),
    ("NULL", "NULL", "NULL"),
    ("' Ada'", "", "Ada"),
    ("'Ada '", "Ada ", ""),
    ("' '", " ", ""),
    ("'Ada  Lovelace '", "Ada", " Lovelace "),
];

/// First and last name as new versions write them, and the name as old ones read it.
const JOINS: &[(&str, &str, &str)] = &[
    ("'Ada'", "''", "Ada"),
    ("'Ada'", "NULL", "Ada"),
    ("NULL", "'Lovelace'", "Lovelace"),
    ("'Grace'", "'Hopper'", "Grace Hopper"),
    ("'Jean Luc'", "'Picard'", "Jean Luc Picard"),
    ("'Åsa'", "'Öberg'", "Åsa Öberg"),
    ("'Miles'", "'O''Brien'", "Miles O'Brien"),
    ("''", "''", ""),
    ("NULL", "NULL", "NULL"),
];

fn names(db: &Db) -> [String; 3] {
    let rows = db.query("SELECT full_name, first_name, last_name FROM users");
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows[0].clone().try_into().expect("three columns")
}

/// What a version reads that writes a value like this: `'it''s'` is it's.
fn plain(literal: &str) -> String {
    match literal
        .strip_prefix('\'')
        .and_then(|text| text.strip_suffix('\''))
    {
        Some(text) => text.replace("''", "'"),
        None => literal.to_owned(),
    }
}

fn assert_was_split(db: &Db, (full, first, last): (&str, &str, &str)) {
    assert_eq!(names(db), [&plain(full), first, last], "after writing {full}");
}

fn assert_was_joined(db: &Db, (first, last, full): (&str, &str, &str)) {
    assert_eq!(
        names(db),
        [full, &plain(first), &plain(last)],
        "after writing {first}, {last}"
    );
}

scenario!(
    fn a_name_written_in_one_format_is_there_in_the_other(db: Db) {
        with_both_formats(&db);
        for split in SPLITS {
            db.execute(&format!("INSERT INTO users (full_name) VALUES ({})", split.0));
            assert_was_split(&db, *split);
            db.execute("DELETE FROM users");
        }
        for join in JOINS {
            let (first, last, full) = *join;
            db.execute(&format!(
                "INSERT INTO users (first_name, last_name) VALUES ({first}, {last})"
            ));
            assert_was_joined(&db, *join);
            db.execute("DELETE FROM users");
            // The bridge writes both.
            let full = if full == "NULL" { full.to_owned() } else { format!("'{}'", full.replace('\'', "''")) };
            db.execute(&format!(
                "INSERT INTO users (full_name, first_name, last_name) VALUES ({full}, {first}, {last})"
            ));
            assert_was_joined(&db, *join);
            db.execute("DELETE FROM users");
        }
    }
);

scenario!(
    fn updates_by_either_side_follow_each_other_in_every_order(db: Db) {
        with_both_formats(&db);
        // Every name replaces every other one, from the side that did not write it and from the one that did.
        let writes: Vec<Write> = SPLITS
            .iter()
            .map(|split| Write::Old(*split))
            .chain(JOINS.iter().map(|join| Write::New(*join)))
            .collect();
        let mut connection = db.connect();
        for before in &writes {
            for after in &writes {
                connection.execute("DELETE FROM users; INSERT INTO users (full_name) VALUES ('Somebody Else')");
                connection.execute(&before.update());
                connection.execute(&after.update());
                let rows = connection.query("SELECT full_name, first_name, last_name FROM users");
                let [full, first, last] = rows[0].as_slice() else { panic!("three columns") };
                let told = format!("{} and then {} led to {rows:?}", before.update(), after.update());
                match after {
                    Write::Old((wrote, ..)) => assert_eq!(*full, plain(wrote), "{told}"),
                    Write::New((f, l, _)) => assert_eq!([first, last], [&plain(f), &plain(l)], "{told}"),
                }
                assert_eq!(*full, joined(first, last), "{told}");
            }
        }
    }
);

enum Write {
    Old((&'static str, &'static str, &'static str)),
    New((&'static str, &'static str, &'static str)),
}

impl Write {
    fn update(&self) -> String {
        match self {
            Self::Old((full, ..)) => format!("UPDATE users SET full_name = {full}"),
            Self::New((first, last, _)) => {
                format!("UPDATE users SET first_name = {first}, last_name = {last}")
            }
        }
    }
}

fn joined(first: &str, last: &str) -> String {
    match (first, last) {
        ("NULL", "NULL") => "NULL".into(),
        ("NULL", last) => last.into(),
        (first, "NULL" | "") => first.into(),
        (first, last) => format!("{first} {last}"),
    }
}

scenario!(
    fn a_write_that_changes_no_name_leaves_both_formats_alone(db: Db) {
        with_both_formats(&db);
        db.execute("INSERT INTO users (first_name, last_name) VALUES ('Jean Luc', 'Picard')");
        for untouched in [
            // As an ORM does it that writes back every column it has read.
            "UPDATE users SET full_name = full_name",
            "UPDATE users SET first_name = first_name, last_name = last_name",
            "UPDATE users SET full_name = 'Jean Luc Picard'",
            "UPDATE users SET full_name = 'Jean Luc Picard', first_name = 'Jean Luc', last_name = 'Picard'",
            "INSERT INTO users (id, full_name) SELECT id, full_name FROM users WHERE true \
             ON CONFLICT (id) DO UPDATE SET full_name = excluded.full_name",
        ] {
            db.execute(untouched);
            assert_eq!(names(&db), ["Jean Luc Picard", "Jean Luc", "Picard"], "{untouched}");
        }
    }
);

