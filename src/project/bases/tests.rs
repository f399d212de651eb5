use super::*;
use crate::project::files::ScriptFile;
use crate::project::source::FileRef;
use crate::sql::Script;

const DIALECT: Dialect = Dialect::Postgres;

fn file(text: &str) -> Option<ScriptFile> {
    let script = Script::parse(DIALECT, text).unwrap();
    let file = FileRef {
        path: "expand.sql".into(),
        text: text.into(),
        sha256: String::new(),
    };
    (!text.is_empty()).then(|| ScriptFile::new(&file, script, std::collections::BTreeSet::new()))
}

/// By what its own scripts say, with formats that are kept in step.
fn own(name: &str, (expand, contract): (&str, &str)) -> Deeds {
    let files = Files {
        expand: file(expand),
        contract: file(contract),
        ..Files::default()
    };
    Deeds {
        id: name.parse().unwrap(),
        each: BTreeMap::from([(
            DIALECT,
            Own {
                definitions: Definitions::of(&files, Vec::new(), DIALECT),
                counts_on: CountsOn::of(&files, None, DIALECT),
                ..Own::of(Sync::Both, &files, DIALECT)
            },
        )]),
    }
}

#[test]
fn what_a_migration_of_scripts_builds_on() {
    const RENAMED: (&str, &str) = (
        "ALTER TABLE users ADD COLUMN nom text; \
         CREATE TRIGGER users_sync BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION f();",
        "ALTER TABLE users DROP COLUMN name;",
    );
    const SPLIT: (&str, &str) = (
        "CREATE TABLE addresses (id bigint, street text); CREATE TABLE notes (id bigint); \
         CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE addresses SET street = NEW.street; RETURN NEW; END $$; \
         CREATE TRIGGER users_sync AFTER UPDATE ON users FOR EACH ROW EXECUTE FUNCTION f();",
        "DROP TRIGGER users_sync ON users;",
    );
    const MOVED: (&str, &str) = (
        "CREATE VIEW people AS SELECT * FROM users;",
        "DROP VIEW people; ALTER TABLE users RENAME TO people;",
    );
    const UNIQUE: (&str, &str) = ("", "CREATE UNIQUE INDEX u ON users (e)");
    const REFERS: (&str, &str) = (
        "",
        "ALTER TABLE orders ADD FOREIGN KEY (user_id) REFERENCES a.users (id)",
    );
    const NAMES: (&str, &str) = ("", "ALTER TABLE orders DROP COLUMN users");
    const USERS: Option<&str> = Some("the table users");
    const OF_A: (&str, &str) = ("ALTER TABLE a.users ADD COLUMN nom text", "");
    const NOM: Option<&str> = Some("users.nom");
    const KEPT: Option<&str> = Some("users.name and users.nom");
    for (first, second, expected) in [
        (
            RENAMED,
            "ALTER TABLE users ALTER COLUMN nom SET DEFAULT 'x'",
            KEPT,
        ),
        (RENAMED, "ALTER TABLE users ADD COLUMN name text", KEPT),
        (RENAMED, "ALTER TABLE users RENAME TO people", KEPT),
        (RENAMED, "DROP TABLE users", KEPT),
        (
            RENAMED,
            "CREATE TRIGGER other BEFORE UPDATE OF nom ON users FOR EACH ROW EXECUTE FUNCTION g()",
            KEPT,
        ),
        // PostgreSQL fires triggers by their names, and this one may see what is not in step yet.
        (
            RENAMED,
            "CREATE FUNCTION slug() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.slug := lower(NEW.nom); RETURN NEW; END $$; \
             CREATE TRIGGER a_slug BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION slug()",
            KEPT,
        ),
        (
            RENAMED,
            "CREATE FUNCTION slug() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.slug := lower(NEW.nom); RETURN NEW; END $$; \
             CREATE TRIGGER a_slug BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION slug()",
            None,
        ),
        (
            RENAMED,
            "CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.seen := now(); RETURN NEW; END $$; \
             CREATE TRIGGER a_stamp BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION stamp()",
            None,
        ),
        (RENAMED, "ALTER TABLE users ADD COLUMN age integer", None),
        (RENAMED, "CREATE INDEX CONCURRENTLY i ON users (nom)", None),
        (
            RENAMED,
            "ALTER TABLE users ADD CONSTRAINT c CHECK (nom <> '') NOT VALID",
            None,
        ),
        (RENAMED, "ALTER TABLE posts ADD COLUMN nom text", None),
        (
            RENAMED,
            "ALTER TABLE users RENAME TO users_old; ALTER TABLE users_new RENAME TO users",
            None,
        ),
        (
            RENAMED,
            "ALTER TABLE users RENAME TO people; ALTER TABLE people RENAME TO users_old",
            KEPT,
        ),
        (
            RENAMED,
            "CREATE TRIGGER users_sync BEFORE UPDATE OF nom ON users FOR EACH ROW EXECUTE FUNCTION f()",
            None,
        ),
        (
            SPLIT,
            "ALTER TABLE addresses RENAME street TO line1",
            Some("addresses"),
        ),
        (SPLIT, "ALTER TABLE addresses ADD COLUMN zip text", None),
        (SPLIT, "DROP TABLE addresses", Some("addresses")),
        (
            SPLIT,
            "CREATE INDEX CONCURRENTLY i ON addresses (street)",
            None,
        ),
        (SPLIT, "ALTER TABLE notes ADD COLUMN zip text", None),
        // A trigger of that name on another table is another one, and one of two leaves the other.
        (
            RENAMED,
            "DROP TRIGGER users_sync ON orders; ALTER TABLE users ALTER nom SET DEFAULT ''",
            KEPT,
        ),
        // It undoes the first one.
        (
            RENAMED,
            "DROP TRIGGER users_sync ON users; ALTER TABLE users DROP COLUMN nom",
            None,
        ),
        (
            MOVED,
            "ALTER TABLE people ADD COLUMN age integer",
            Some("people"),
        ),
        (MOVED, "CREATE INDEX i ON people (id)", Some("people")),
        (MOVED, "DROP TABLE users", Some("people")),
        (MOVED, "ALTER TABLE posts ADD COLUMN age integer", None),
        (UNIQUE, "ALTER TABLE users RENAME TO people", USERS),
        (UNIQUE, "DROP TABLE a.users", USERS),
        (
            UNIQUE,
            "DROP TABLE users; CREATE TABLE users (id bigint)",
            None,
        ),
        (REFERS, "ALTER TABLE users RENAME TO people", USERS),
        (REFERS, "DROP TABLE posts", None),
        (NAMES, "DROP TABLE users", None),
        // A table of the same name in another schema is another one.
        (REFERS, "DROP TABLE b.users", None),
        (OF_A, "ALTER TABLE b.users ALTER nom SET DEFAULT ''", None),
        (OF_A, "ALTER TABLE a.users ALTER nom SET DEFAULT ''", NOM),
        (OF_A, "ALTER TABLE users ALTER nom SET DEFAULT ''", NOM),
    ] {
        let deeds = [own("0001_a", first), own("0002_b", (second, ""))];
        let bases = of_all(&deeds, &[DIALECT], &[]).of(DIALECT);
        let said: Vec<String> = bases
            .values()
            .flatten()
            .map(|basis| basis.keeps.to_string())
            .collect();
        assert_eq!(said, expected.into_iter().collect::<Vec<_>>(), "{second}");
    }
}

/// One half of the code is of an earlier migration: a function, or the trigger that calls it.
#[test]
fn code_that_is_fired_is_put_together_from_several_migrations() {
    const KEEPS: &str = "ALTER TABLE users ADD COLUMN nom text; \
         CREATE TRIGGER zz BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION f();";
    const FUNCTION: &str = "CREATE OR REPLACE FUNCTION slug() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.slug := lower(NEW.nom); RETURN NEW; END $$;";
    const TRIGGER: &str =
        "CREATE TRIGGER a BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION slug();";
    const OF_OTHERS: &str =
        "CREATE TRIGGER a BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION slug();";
    for (first, last, waits) in [
        (FUNCTION, TRIGGER, true),
        (TRIGGER, FUNCTION, true),
        (OF_OTHERS, FUNCTION, false),
        (FUNCTION, OF_OTHERS, false),
    ] {
        let path = std::path::Path::new("expand.sql");
        let texts: [std::sync::Arc<str>; 3] = [first.into(), KEEPS.into(), last.into()];
        let each: Vec<_> = texts.iter().map(|text| vec![(path, text)]).collect();
        let forward = Forward::of_texts(&each, DIALECT);
        let deeds = [
            own("0001_a", (first, "")),
            own("0002_b", (KEEPS, "ALTER TABLE users DROP COLUMN name;")),
            own("0003_c", (last, "")),
        ];
        let bases = of_all(&deeds, &[DIALECT], &forward).of(DIALECT);
        let found: Vec<&str> = bases.keys().map(MigrationId::as_str).collect();
        let expected: &[&str] = if waits { &["0003_c"] } else { &[] };
        assert_eq!(found, expected, "{first} {last}");
    }
}
