//! UNIQUE, CHECK and NOT NULL of what an expand makes, where code of the same script fills it from what live versions write.

use super::*;

/// The table of live versions, as the migration before leaves it.
fn base(dialect: &str) -> String {
    let id = match dialect {
        "postgres" => "id serial PRIMARY KEY",
        "mysql" => "id int AUTO_INCREMENT PRIMARY KEY",
        _ => "id INTEGER PRIMARY KEY",
    };
    format!(
        "CREATE TABLE people ({id}, name varchar(200), email varchar(100) NOT NULL UNIQUE, phone varchar(20), n int CHECK (n > 5), \
         kind varchar(9) NOT NULL CHECK (kind IN ('a', 'b')));\n"
    )
}

/// What is said of rows that live versions write.
fn found(dialect: &str, expand: &str) -> Vec<String> {
    let config = format!("[database]\ndialects = [\"{dialect}\"]\n[services.web]\n");
    let manifest = "description = \"d\"\nsync = \"to-new\"\n[services.web]\nold = \"<2.0.0\"\nnew = \">=2.0.0\"\n";
    let dir = written(&[
        ("migrate.toml", &config),
        (
            "0001_base/migration.toml",
            "description = \"d\"\n[services.web]\nnew = \">=1.0.0\"\n",
        ),
        ("0001_base/expand.sql", &base(dialect)),
        ("0002_more/migration.toml", manifest),
        ("0002_more/expand.sql", expand),
    ]);
    let mut lines = lines(&dir, None);
    lines.retain(|line| line.contains("[destructive-expand]"));
    lines
}

/// A trigger of PostgreSQL on the table of live versions.
fn plpgsql(fires: &str, body: &str) -> String {
    format!(
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $f$ {body} $f$;\n\
         CREATE TRIGGER g {fires} ON people FOR EACH ROW EXECUTE FUNCTION f();\n"
    )
}

fn compare(dialect: &str, cases: &[(&str, String, bool)]) {
    let mut wrong = Vec::new();
    for (makes, code, is_fine) in cases {
        let expand = format!("{makes};\n{code}");
        let found = found(dialect, &expand);
        if found.is_empty() != *is_fine || found.len() > 1 {
            wrong.push(format!("{expand}\n  {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_column_with_a_rule_is_filled_with_what_the_rule_lets_pass() {
    const ADD: &str = "ALTER TABLE people ADD COLUMN";
    let assigns = |makes: &str, body: &str, is_fine: bool| {
        let fires = "BEFORE INSERT OR UPDATE";
        let code = plpgsql(fires, &format!("BEGIN {body} RETURN NEW; END"));
        (format!("{ADD} {makes}"), code, is_fine)
    };
    let cases = [
        assigns("x text UNIQUE", "NEW.x := lower(NEW.name);", false),
        assigns("x text UNIQUE", "NEW.x := lower(NEW.email);", false),
        assigns("x text UNIQUE", "NEW.x := NEW.email;", true),
        assigns("x text UNIQUE", "NEW.x := md5(NEW.email);", true),
        assigns("x text UNIQUE", "NEW.x := NULL;", true),
        assigns("x text UNIQUE, ADD COLUMN y int", "NEW.y := 1;", true),
        assigns("x uuid UNIQUE", "NEW.x := gen_random_uuid();", true),
        assigns(
            "x text UNIQUE",
            "NEW.x := lower(NEW.name) || '-' || NEW.id;",
            true,
        ),
        assigns(
            "x text UNIQUE",
            "NEW.x := lower(NEW.name); WHILE EXISTS (SELECT 1 FROM people WHERE x = NEW.x) LOOP NEW.x := NEW.x || '1'; END LOOP;",
            true,
        ),
        // Before what fills it.
        assigns(
            "x text; CREATE UNIQUE INDEX i ON people (x)",
            "NEW.x := lower(NEW.name);",
            false,
        ),
        assigns(
            "x text; ALTER TABLE people ADD CONSTRAINT c UNIQUE (x)",
            "NEW.x := NEW.kind;",
            false,
        ),
        assigns("x int CHECK (x > 100)", "NEW.x := NEW.n;", false),
        assigns("x int CHECK (x > 5)", "NEW.x := NEW.n;", true),
        assigns(
            "x varchar(9) CHECK (x IN ('a', 'b'))",
            "NEW.x := NEW.kind;",
            true,
        ),
        assigns(
            "x varchar(9) CHECK (x IN ('a'))",
            "NEW.x := NEW.kind;",
            false,
        ),
        assigns(
            "x text CHECK (x IN ('few', 'many'))",
            "NEW.x := CASE WHEN NEW.n > 9 THEN 'many' ELSE 'few' END;",
            true,
        ),
        assigns(
            "x text CHECK (x IN ('few', 'many'))",
            "NEW.x := CASE WHEN NEW.n > 9 THEN 'lots' ELSE 'few' END;",
            false,
        ),
        assigns("x text NOT NULL DEFAULT ''", "NEW.x := NEW.phone;", false),
        assigns(
            "x text NOT NULL DEFAULT ''",
            "NEW.x := trim(NEW.phone);",
            false,
        ),
        assigns("x text NOT NULL DEFAULT ''", "NEW.x := NEW.email;", true),
        assigns(
            "x text NOT NULL DEFAULT ''",
            "NEW.x := coalesce(NEW.phone, '');",
            true,
        ),
        assigns(
            "x text NOT NULL DEFAULT ''",
            "IF NEW.phone <> '' THEN NEW.x := NEW.phone; END IF;",
            true,
        ),
        assigns(
            "x text NOT NULL DEFAULT ''",
            "IF NEW.phone IS DISTINCT FROM OLD.phone THEN NEW.x := NEW.phone; END IF;",
            false,
        ),
        assigns(
            "x boolean NOT NULL DEFAULT false",
            "NEW.x := NEW.phone IS NOT NULL;",
            true,
        ),
    ];
    let cases: Vec<(&str, String, bool)> = cases
        .iter()
        .map(|(makes, code, is_fine)| (makes.as_str(), code.clone(), *is_fine))
        .collect();
    compare("postgres", &cases);
}

#[test]
fn a_default_behind_a_rule_is_one_that_the_rule_lets_pass() {
    for (dialect, makes, default, is_fine) in [
        ("postgres", "x int UNIQUE", "5", false),
        ("postgres", "x uuid UNIQUE", "gen_random_uuid()", true),
        ("postgres", "x int CHECK (x > 100)", "5", false),
        ("postgres", "x int CHECK (x > 100)", "500", true),
        ("mysql", "x int UNIQUE", "5", false),
        ("mysql", "x int", "5", true),
    ] {
        let expand = format!(
            "ALTER TABLE people ADD COLUMN {makes};\nALTER TABLE people ALTER COLUMN x SET DEFAULT {default};\n"
        );
        let found = found(dialect, &expand);
        assert_eq!(found.is_empty(), is_fine, "{expand}{found:?}");
    }
}

#[test]
fn a_table_that_a_trigger_fills_refuses_no_row() {
    const FIRES: &str = "AFTER INSERT";
    let inserts = |makes: &'static str, body: &str, is_fine: bool| {
        (
            makes,
            plpgsql(FIRES, &format!("BEGIN {body} RETURN NEW; END")),
            is_fine,
        )
    };
    const SLUGS: &str = "CREATE TABLE slugs (person_id int PRIMARY KEY, slug text UNIQUE)";
    const PHONES: &str = "CREATE TABLE phones (person_id int PRIMARY KEY, phone text NOT NULL)";
    compare(
        "postgres",
        &[
            inserts(
                SLUGS,
                "INSERT INTO slugs VALUES (NEW.id, lower(NEW.name));",
                false,
            ),
            inserts(
                SLUGS,
                "INSERT INTO slugs VALUES (NEW.id, lower(NEW.name)) ON CONFLICT (person_id) DO UPDATE SET slug = EXCLUDED.slug;",
                false,
            ),
            inserts(
                SLUGS,
                "INSERT INTO slugs VALUES (NEW.id, lower(NEW.name)) ON CONFLICT (slug) DO NOTHING;",
                true,
            ),
            inserts(
                SLUGS,
                "INSERT INTO slugs VALUES (NEW.id, lower(NEW.name)) ON CONFLICT DO NOTHING;",
                true,
            ),
            inserts(SLUGS, "INSERT INTO slugs VALUES (NEW.id, NEW.email);", true),
            inserts(
                SLUGS,
                "INSERT INTO slugs (person_id) VALUES (NEW.id);",
                true,
            ),
            inserts(
                SLUGS,
                "INSERT INTO slugs SELECT NEW.id, NEW.name WHERE NOT EXISTS (SELECT 1 FROM slugs WHERE slug = NEW.name);",
                true,
            ),
            inserts(
                SLUGS,
                "BEGIN INSERT INTO slugs VALUES (NEW.id, NEW.name); EXCEPTION WHEN unique_violation THEN NULL; END;",
                true,
            ),
            inserts(
                PHONES,
                "INSERT INTO phones VALUES (NEW.id, NEW.phone);",
                false,
            ),
            inserts(
                PHONES,
                "INSERT INTO phones VALUES (NEW.id, NEW.phone) ON CONFLICT (person_id) DO UPDATE SET phone = NEW.phone;",
                false,
            ),
            inserts(
                PHONES,
                "INSERT INTO phones (person_id) VALUES (NEW.id);",
                false,
            ),
            inserts(
                PHONES,
                "UPDATE phones SET phone = NEW.phone WHERE person_id = NEW.id;",
                false,
            ),
            inserts(
                PHONES,
                "IF NEW.phone IS NOT NULL THEN INSERT INTO phones VALUES (NEW.id, NEW.phone) ON CONFLICT (person_id) DO UPDATE SET phone = EXCLUDED.phone; END IF;",
                true,
            ),
            inserts(
                PHONES,
                "INSERT INTO phones SELECT NEW.id, NEW.phone WHERE NEW.phone IS NOT NULL ON CONFLICT DO NOTHING;",
                true,
            ),
            inserts(
                "CREATE TABLE names (name text PRIMARY KEY, n int)",
                "INSERT INTO names VALUES (NEW.kind, 1);",
                false,
            ),
            inserts(
                "CREATE TABLE names (name text PRIMARY KEY, n int)",
                "INSERT INTO names VALUES (NEW.kind, 1) ON CONFLICT ON CONSTRAINT names_pkey DO UPDATE SET n = names.n + 1;",
                true,
            ),
            inserts(
                "CREATE TABLE tels (person_id int PRIMARY KEY, tel text CONSTRAINT t UNIQUE)",
                "INSERT INTO tels VALUES (NEW.id, NEW.phone) ON CONFLICT ON CONSTRAINT t DO NOTHING;",
                true,
            ),
            inserts(
                "CREATE TABLE tels (person_id int PRIMARY KEY, tel text CONSTRAINT t UNIQUE)",
                "INSERT INTO tels VALUES (NEW.id, NEW.phone) ON CONFLICT ON CONSTRAINT tels_pkey DO NOTHING;",
                false,
            ),
            inserts(
                "CREATE TABLE sizes (person_id int PRIMARY KEY, n int CHECK (n > 10))",
                "INSERT INTO sizes VALUES (NEW.id, NEW.n) ON CONFLICT DO NOTHING;",
                false,
            ),
            inserts(
                "CREATE TABLE audit (id bigserial PRIMARY KEY, person_id int NOT NULL, at timestamptz NOT NULL DEFAULT now(), what text NOT NULL)",
                "INSERT INTO audit (person_id, what) VALUES (NEW.id, TG_OP);",
                true,
            ),
            inserts(
                "CREATE TABLE outbox (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), data jsonb NOT NULL)",
                "INSERT INTO outbox (data) VALUES (to_jsonb(NEW));",
                true,
            ),
        ],
    );
    let mysql =
        |body: &str| format!("CREATE TRIGGER g AFTER INSERT ON people FOR EACH ROW {body};\n");
    compare(
        "mysql",
        &[
            (
                "ALTER TABLE people ADD COLUMN slug varchar(200) UNIQUE",
                "CREATE TRIGGER g BEFORE INSERT ON people FOR EACH ROW SET NEW.slug = LOWER(NEW.name);\n".to_owned(),
                false,
            ),
            (
                "CREATE TABLE phones (person_id int PRIMARY KEY, phone varchar(20) NOT NULL)",
                mysql("INSERT INTO phones SET person_id = NEW.id, phone = NEW.phone"),
                false,
            ),
            (
                "CREATE TABLE names (name varchar(9) PRIMARY KEY, n int)",
                mysql("INSERT INTO names VALUES (NEW.kind, 1) ON DUPLICATE KEY UPDATE n = n + 1"),
                true,
            ),
        ],
    );
    let sqlite =
        |body: &str| format!("CREATE TRIGGER g AFTER INSERT ON people BEGIN {body} END;\n");
    compare(
        "sqlite",
        &[
            (
                SLUGS,
                sqlite("INSERT INTO slugs VALUES (NEW.id, lower(NEW.name));"),
                false,
            ),
            (
                PHONES,
                sqlite("INSERT INTO phones VALUES (NEW.id, NEW.phone);"),
                false,
            ),
            (
                PHONES,
                sqlite("INSERT INTO phones SELECT id, phone FROM people WHERE id = NEW.id;"),
                false,
            ),
            (
                PHONES,
                sqlite(
                    "INSERT INTO phones SELECT id, phone FROM people WHERE id = NEW.id AND phone IS NOT NULL;",
                ),
                true,
            ),
            (
                "ALTER TABLE people ADD COLUMN tel text NOT NULL DEFAULT ''",
                sqlite("UPDATE people SET tel = phone WHERE id = NEW.id;"),
                false,
            ),
            (
                "ALTER TABLE people ADD COLUMN tel text NOT NULL DEFAULT ''",
                sqlite("UPDATE people SET tel = coalesce(phone, '') WHERE id = NEW.id;"),
                true,
            ),
        ],
    );
}

/// Of a table that no migration makes nothing is held against anybody that it might not be.
#[test]
fn what_no_migration_tells_of_is_not_held_to_be_null() {
    let body = "BEGIN INSERT INTO mails VALUES (NEW.id, NEW.mail); RETURN NEW; END";
    let code = plpgsql("AFTER INSERT", body).replace("ON people", "ON others");
    for (makes, is_fine) in [
        (
            "CREATE TABLE mails (other_id int PRIMARY KEY, mail text NOT NULL)",
            true,
        ),
        (
            "CREATE TABLE mails (other_id int PRIMARY KEY, mail text UNIQUE)",
            false,
        ),
    ] {
        let found = found("postgres", &format!("{makes};\n{code}"));
        assert_eq!(found.is_empty(), is_fine, "{makes}: {found:?}");
    }
}

/// An UPDATE of the same row puts the same into the table once more.
#[test]
fn a_row_that_is_written_again_is_not_put_there_again() {
    const ADD: &str = "CREATE TABLE audit (people_id int PRIMARY KEY, what varchar(200))";
    const WITH_VERSION: &str =
        "CREATE TABLE audit (people_id int, what varchar(200), PRIMARY KEY (people_id, what))";
    const PUT: &str = "INSERT INTO audit (people_id, what) VALUES (NEW.id, NEW.name)";
    let each = |fires: &str, body: &str| plpgsql(fires, &format!("BEGIN {body}; RETURN NULL; END"));
    compare(
        "postgres",
        &[
            (ADD, each("AFTER INSERT OR UPDATE", PUT), false),
            (ADD, each("AFTER UPDATE", PUT), false),
            (ADD, each("AFTER INSERT", PUT), true),
            (
                ADD,
                each(
                    "AFTER INSERT OR UPDATE",
                    &format!("{PUT} ON CONFLICT (people_id) DO NOTHING"),
                ),
                true,
            ),
            (
                ADD,
                each(
                    "AFTER INSERT OR UPDATE",
                    &format!("DELETE FROM audit WHERE people_id = NEW.id; {PUT}"),
                ),
                true,
            ),
            (
                ADD,
                each(
                    "AFTER INSERT OR UPDATE",
                    &format!("IF TG_OP = 'INSERT' THEN {PUT}; END IF"),
                ),
                true,
            ),
            (
                ADD,
                each(
                    "AFTER INSERT OR UPDATE",
                    &format!(
                        "UPDATE audit SET what = NEW.name WHERE people_id = NEW.id; IF NOT FOUND THEN {PUT}; END IF"
                    ),
                ),
                true,
            ),
            // The name may be another one each time.
            (
                WITH_VERSION,
                each(
                    "AFTER UPDATE OF name",
                    &PUT.replace("NEW.name", "coalesce(NEW.name, '') || now()"),
                ),
                true,
            ),
        ],
    );
    let own = |event: &str, put: &str| {
        format!("CREATE TRIGGER g AFTER {event} ON people FOR EACH ROW {put};\n")
    };
    compare(
        "mysql",
        &[
            (ADD, own("UPDATE", PUT), false),
            (ADD, own("INSERT", PUT), true),
            (
                ADD,
                own(
                    "UPDATE",
                    &format!("{PUT} ON DUPLICATE KEY UPDATE what = NEW.name"),
                ),
                true,
            ),
        ],
    );
    let own = |event: &str, put: &str| {
        format!("CREATE TRIGGER g AFTER {event} ON people BEGIN {put}; END;\n")
    };
    compare(
        "sqlite",
        &[
            (ADD, own("UPDATE", PUT), false),
            (ADD, own("UPDATE OF name", PUT), false),
            (ADD, own("INSERT", PUT), true),
            (
                ADD,
                own(
                    "UPDATE",
                    &format!("{PUT} ON CONFLICT (people_id) DO UPDATE SET what = excluded.what"),
                ),
                true,
            ),
        ],
    );
}
