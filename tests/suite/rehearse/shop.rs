//! A migration that renames a column, right on every database, and ways to make a mistake in it.

use std::collections::BTreeMap;

use crate::support::project::Project;

/// The files of the second migration of a project.
#[derive(Clone, Debug)]
pub struct Files {
    pub backend: &'static str,
    files: BTreeMap<String, String>,
    /// Files of further migrations, by their paths.
    others: Vec<(String, String)>,
}

/// Which writes a trigger answers to, and with what.
#[derive(Clone, Copy, Debug)]
pub struct Triggers {
    pub insert_old: bool,
    pub insert_new: bool,
    pub update_old: bool,
    pub update_new: bool,
    /// What the new column is made of.
    pub forward: &'static str,
}

pub const ALL: Triggers = Triggers {
    insert_old: true,
    insert_new: true,
    update_old: true,
    update_new: true,
    forward: "NEW.full_name",
};

const MANIFEST: &str = "\
description = \"Rename users.full_name to name\"
sync = \"both\"

[services.web]
old = \"<1.2.0\"
new = \">=1.1.0\"

[backfill]
table = \"users\"
key = \"id\"
remaining = \"SELECT count(*) FROM users WHERE full_name IS NOT NULL AND name IS NULL\"
check = \"SELECT id FROM users WHERE id > :after AND id <= :upto AND (full_name <> name OR (full_name IS NULL) <> (name IS NULL))\"
";

const BACKFILL: &str = "UPDATE users SET name = full_name WHERE id > :after AND id <= :upto AND full_name IS NOT NULL AND name IS NULL;\n";

pub fn rename(backend: &'static str) -> Files {
    let mut files = BTreeMap::new();
    let drops = dropped(backend);
    for (name, text) in [
        ("migration.toml", MANIFEST.to_owned()),
        ("expand.sql", expand(backend, ALL)),
        ("backfill.sql", BACKFILL.to_owned()),
        (
            "contract.sql",
            format!("{drops}ALTER TABLE users DROP COLUMN full_name;\n"),
        ),
        (
            "revert.sql",
            format!("{drops}ALTER TABLE users DROP COLUMN name;\n"),
        ),
    ] {
        files.insert(name.to_owned(), text);
    }
    Files {
        backend,
        files,
        others: Vec::new(),
    }
}

fn dropped(backend: &str) -> String {
    match backend {
        "postgres" => "DROP TRIGGER users_sync ON users;\nDROP FUNCTION users_sync();\n".to_owned(),
        "mysql" => "DROP TRIGGER users_insert;\nDROP TRIGGER users_update;\n".to_owned(),
        _ => ["insert_old", "insert_new", "update_old", "update_new"]
            .map(|name| format!("DROP TRIGGER users_{name};\n"))
            .concat(),
    }
}

/// `expand.sql` with triggers that answer to these writes alone.
pub fn expand(backend: &str, triggers: Triggers) -> String {
    let Triggers { forward, .. } = triggers;
    let when = |is: bool, does: &str, nothing: &str| {
        if is {
            does.to_owned()
        } else {
            nothing.to_owned()
        }
    };
    match backend {
        "postgres" => {
            let new = format!("NEW.name := {forward};");
            let old = "NEW.full_name := NEW.name;";
            format!(
                "ALTER TABLE users ADD COLUMN name text;
CREATE FUNCTION users_sync() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.name IS NULL THEN {} ELSE {} END IF;
    ELSIF NEW.name IS DISTINCT FROM OLD.name THEN {}
    ELSIF NEW.full_name IS DISTINCT FROM OLD.full_name THEN {}
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER users_sync BEFORE INSERT OR UPDATE ON users FOR EACH ROW EXECUTE FUNCTION users_sync();
",
                when(triggers.insert_old, &new, "NULL;"),
                when(triggers.insert_new, old, "NULL;"),
                when(triggers.update_new, old, "NULL;"),
                when(triggers.update_old, &new, "NULL;"),
            )
        }
        "mysql" => {
            let new = format!("SET NEW.name = {forward};");
            let old = "SET NEW.full_name = NEW.name;";
            let nothing = "SET @nothing = 1;";
            format!(
                "ALTER TABLE users ADD COLUMN name VARCHAR(200), ALGORITHM = INSTANT;
CREATE TRIGGER users_insert BEFORE INSERT ON users FOR EACH ROW
BEGIN
    IF NEW.name IS NULL THEN {} ELSE {} END IF;
END;
CREATE TRIGGER users_update BEFORE UPDATE ON users FOR EACH ROW
BEGIN
    IF NOT (BINARY NEW.name <=> BINARY OLD.name) THEN {}
    ELSEIF NOT (BINARY NEW.full_name <=> BINARY OLD.full_name) THEN {}
    END IF;
END;
",
                when(triggers.insert_old, &new, nothing),
                when(triggers.insert_new, old, nothing),
                when(triggers.update_new, old, nothing),
                when(triggers.update_old, &new, nothing),
            )
        }
        _ => {
            let never = |is: bool| if is { "" } else { "0 AND " };
            format!(
                "ALTER TABLE users ADD COLUMN name TEXT;
CREATE TRIGGER users_insert_old AFTER INSERT ON users WHEN {}NEW.name IS NULL AND NEW.full_name IS NOT NULL
BEGIN UPDATE users SET name = {forward} WHERE id = NEW.id; END;
CREATE TRIGGER users_insert_new AFTER INSERT ON users WHEN {}NEW.name IS NOT NULL AND NEW.full_name IS NOT NEW.name
BEGIN UPDATE users SET full_name = NEW.name WHERE id = NEW.id; END;
CREATE TRIGGER users_update_new AFTER UPDATE OF name ON users WHEN {}NEW.name IS NOT OLD.name AND NEW.full_name IS NOT NEW.name AND NEW.full_name IS OLD.full_name
BEGIN UPDATE users SET full_name = NEW.name WHERE id = NEW.id; END;
CREATE TRIGGER users_update_old AFTER UPDATE OF full_name ON users WHEN {}NEW.full_name IS NOT OLD.full_name AND NEW.name IS OLD.name AND NEW.name IS NOT NEW.full_name
BEGIN UPDATE users SET name = {forward} WHERE id = NEW.id; END;
",
                never(triggers.insert_old),
                never(triggers.insert_new),
                never(triggers.update_new),
                never(triggers.update_old),
            )
        }
    }
}

impl Files {
    pub fn get(&self, name: &str) -> &str {
        self.files.get(name).map_or("", String::as_str)
    }

    pub fn added(mut self, name: &str, text: &str) -> Self {
        self.files.insert(name.to_owned(), text.to_owned());
        self
    }

    pub fn appended(self, name: &str, text: &str) -> Self {
        let all = format!("{}{text}", self.get(name));
        self.added(name, &all)
    }

    pub fn without(mut self, name: &str) -> Self {
        self.files.remove(name);
        self
    }

    #[track_caller]
    pub fn replaced(self, name: &str, from: &str, to: &str) -> Self {
        let text = self.get(name);
        assert!(text.contains(from), "{name} has no `{from}`:\n{text}");
        let text = text.replace(from, to);
        self.added(name, &text)
    }

    pub fn migrations(&self) -> usize {
        let manifests = self.others.iter();
        2 + manifests
            .filter(|(path, _)| path.ends_with("migration.toml"))
            .count()
    }

    pub fn write(&self, project: &Project) {
        let (key, text) = match self.backend {
            "postgres" => (
                "bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY",
                "text",
            ),
            "mysql" => ("BIGINT AUTO_INCREMENT PRIMARY KEY", "VARCHAR(200)"),
            _ => ("INTEGER PRIMARY KEY", "TEXT"),
        };
        project.migration(
            "0001_users",
            &[
                ("migration.toml", "description = \"Users\"\n[services.web]\nnew = \">=1.0.0\"\n"),
                (
                    "expand.sql",
                    &format!(
                        "CREATE TABLE users (id {key}, full_name {text}, email {text}, logins INTEGER NOT NULL DEFAULT 0,\n  \
                         shop INTEGER, slug VARCHAR(50), UNIQUE (shop, slug));\n\
                         CREATE TABLE notes (id {key}, note {text});\n"
                    ),
                ),
            ],
        );
        for (name, text) in &self.files {
            project.file(format!("0002_name/{name}"), text);
        }
        for (name, text) in &self.others {
            project.file(name, text);
        }
    }
}

/// A declared change that moves columns to a table of their own.
pub fn split(backend: &'static str) -> Files {
    let (key, text) = match backend {
        "mysql" => ("bigint", "varchar(200)"),
        "postgres" => ("bigint", "text"),
        _ => ("integer", "text"),
    };
    let files = ["expand.sql", "backfill.sql", "contract.sql", "revert.sql"];
    let files = files.into_iter().fold(rename(backend), Files::without);
    files.added(
        "migration.toml",
        &format!(
            "description = \"Profiles\"\n[services.web]\nold = \"<1.2.0\"\nnew = \">=1.2.0\"\n[change]\nkind = \"split-table\"\n\
             table = \"users\"\nkey = \"id\"\nto = \"profiles\"\nlink = \"user_id\"\n\
             new = {{ user_id = \"{key}\", full_name = \"{text}\", email = \"{text}\" }}\n"
        ),
    )
}

/// Declared changes, one migration each.
pub fn declared(backend: &'static str) -> Files {
    let text = if backend == "mysql" {
        "varchar(200)"
    } else {
        "text"
    };
    let services = "[services.web]\nold = \"<1.2.0\"\nnew = \">=1.1.0\"\n";
    let old = "[services.web]\nold = \"<1.2.0\"\n";
    let new = "[services.web]\nnew = \">=1.2.0\"\n";
    let mut files = rename(backend);
    for name in ["expand.sql", "backfill.sql", "contract.sql", "revert.sql"] {
        files = files.without(name);
    }
    let files = files.added(
        "migration.toml",
        &format!(
            "description = \"Rename\"\n{services}[change]\nkind = \"columns\"\ntable = \"users\"\nkey = \"id\"\nold = [\"full_name\"]\n\
             new = {{ name = \"{text}\" }}\n[change.forward]\nname = \"full_name\"\n[change.back]\nfull_name = \"name\"\n"
        ),
    );
    let mut files = files;
    files.others = vec![
        (
            "0003_counted/migration.toml".to_owned(),
            format!(
                "description = \"A longer number\"\n{services}[change]\nkind = \"columns\"\ntable = \"users\"\nkey = \"id\"\n\
                 old = [\"logins\"]\nnew = {{ logins_big = \"bigint\" }}\n[change.forward]\nlogins_big = \"logins\"\n[change.back]\n\
                 logins = \"logins_big\"\n"
            ),
        ),
        (
            "0004_index/migration.toml".to_owned(),
            format!(
                "description = \"An index\"\n{new}[change]\nkind = \"index\"\ntable = \"users\"\nname = \"users_name\"\ncolumns = [\"name\"]\n"
            ),
        ),
        (
            "0005_phone/migration.toml".to_owned(),
            format!(
                "description = \"A phone\"\n{new}[change]\nkind = \"add-column\"\ntable = \"users\"\ncolumn = \"phone\"\ntype = \"{text}\"\n"
            ),
        ),
        (
            "0006_no_email/migration.toml".to_owned(),
            format!(
                "description = \"No email\"\n{old}[change]\nkind = \"drop-column\"\ntable = \"users\"\ncolumns = [\"email\"]\n"
            ),
        ),
        (
            "0007_no_notes/migration.toml".to_owned(),
            format!(
                "description = \"No notes\"\n{old}[change]\nkind = \"drop-table\"\ntable = \"notes\"\n"
            ),
        ),
        (
            "0008_people/migration.toml".to_owned(),
            format!(
                "description = \"Another name\"\n{services}[change]\nkind = \"rename-table\"\ntable = \"users\"\nto = \"people\"\nkey = \"id\"\n\
                 columns = [\"id\", \"name\", \"logins_big\", \"phone\", \"shop\", \"slug\"]\n"
            ),
        ),
    ];
    if backend != "sqlite" {
        files.others.extend(enumeration(backend));
        files.others.extend(listed());
    }
    files
}

/// A column whose values a CHECK lists, another value of it, and one that goes.
fn listed() -> Vec<(String, String)> {
    let versions = "[services.web]\nreads = { old = \"<1.1.0\", new = \">=1.1.0\" }\nwrites = { old = \"<1.2.0\", new = \">=1.2.0\" }\n";
    let old = "[services.web]\nold = \"<1.3.0\"\n";
    let values = |from: &str, to: &str| {
        format!(
            "[change]\nkind = \"values\"\ntable = \"people\"\ncolumn = \"state\"\nname = \"people_state\"\nfrom = [{from}]\nto = [{to}]\n"
        )
    };
    let more = values("\"new\", \"paid\"", "\"new\", \"paid\", \"settled\"");
    let fewer = values("\"new\", \"paid\", \"settled\"", "\"new\", \"settled\"");
    // No other row can be made up.
    let seed = "INSERT INTO people (name, logins_big, state) VALUES ('a', 1, 'new'), ('b', 2, 'paid'), ('c', 3, NULL);\n";
    [
        (
            "0011_state/migration.toml",
            "description = \"A state\"\n[services.web]\nnew = \">=1.0.0\"\n".to_owned(),
        ),
        (
            "0011_state/expand.sql",
            "ALTER TABLE people ADD COLUMN state varchar(20) NULL;\n\
             ALTER TABLE people ADD CONSTRAINT people_state CHECK (state IN ('new', 'paid'));\n"
                .to_owned(),
        ),
        (
            "0012_settled/migration.toml",
            format!("description = \"Another state\"\n{versions}{more}"),
        ),
        ("0012_settled/seed.sql", seed.to_owned()),
        (
            "0013_not_paid/migration.toml",
            format!("description = \"No state paid\"\n{old}{fewer}[change.instead]\npaid = \"settled\"\n"),
        ),
        ("0013_not_paid/seed.sql", seed.to_owned()),
    ]
    .map(|(path, text)| (path.to_owned(), text))
    .to_vec()
}

/// A column of an enumeration, made by a script, and another value of it.
fn enumeration(backend: &str) -> [(String, String); 3] {
    let (made, kind, from) = match backend {
        "postgres" => (
            "CREATE TYPE mood AS ENUM ('calm', 'glad');\n",
            "mood",
            "mood",
        ),
        _ => ("", "ENUM('calm','glad')", "ENUM('calm','glad')"),
    };
    let versions = "[services.web]\nreads = { old = \"<1.1.0\", new = \">=1.1.0\" }\nwrites = { old = \"<1.2.0\", new = \">=1.2.0\" }\n";
    [
        (
            "0009_mood/migration.toml".to_owned(),
            "description = \"A mood\"\n[services.web]\nnew = \">=1.2.0\"\n".to_owned(),
        ),
        (
            "0009_mood/expand.sql".to_owned(),
            format!("{made}ALTER TABLE people ADD COLUMN mood {kind} NULL;\n"),
        ),
        (
            "0010_grim/migration.toml".to_owned(),
            format!(
                "description = \"Another mood\"\n{versions}[change]\nkind = \"widen\"\ntable = \"people\"\ncolumn = \"mood\"\nfrom = \"{from}\"\nvalues = [\"grim\"]\n"
            ),
        ),
    ]
}
