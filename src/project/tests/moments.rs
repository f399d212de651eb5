//! Triggers whose code is right, at a moment at which it cannot succeed.

use super::contracts::{alone, judge};

const BASE: &str = "CREATE TABLE users (id int PRIMARY KEY, parent int, name text, code varchar(20), doc tsvector);\n";
const NEW: &str = "description = \"x\"\n[services.web]\nnew = \">=2.0.0\"\n";
const OLD: &str = "description = \"x\"\n[services.web]\nold = \"<2.0.0\"\n";

fn plpgsql(when: &str, body: &str) -> String {
    format!(
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$;\n\
         CREATE TRIGGER g {when} ON users FOR EACH ROW EXECUTE FUNCTION f();\n"
    )
}

fn judge_all(dialect: &str, cases: &[(String, bool)]) {
    let cases: Vec<(&str, bool)> = cases.iter().map(|(sql, is)| (sql.as_str(), *is)).collect();
    judge(&cases, "destructive-expand", |sql| {
        alone(dialect, BASE, NEW, "expand.sql", sql)
    });
    // What a contract makes live versions meet as well.
    let refused: Vec<(&str, bool)> = cases.into_iter().filter(|(_, is_fine)| !is_fine).collect();
    judge(&refused, "loses-rows", |sql| {
        let mut found = alone(dialect, BASE, OLD, "contract.sql", sql);
        for line in &mut found {
            *line = line.replace("takes-too-much", "loses-rows");
        }
        found
    });
}

#[test]
fn a_delete_gets_the_row_back_that_goes() {
    const ALL: &str = "BEFORE INSERT OR UPDATE OR DELETE";
    judge_all(
        "postgres",
        &[
            (plpgsql("BEFORE DELETE", "RETURN NEW;"), false),
            (plpgsql(ALL, "RETURN NEW;"), false),
            (plpgsql(ALL, "RETURN COALESCE(OLD, NEW);"), false),
            (plpgsql(ALL, "RETURN COALESCE(NEW, OLD);"), true),
            (plpgsql("AFTER DELETE", "RETURN NEW;"), true),
            (plpgsql("BEFORE DELETE", "RETURN OLD;"), true),
        ],
    );
}

/// The trigger of an earlier migration calls it as before.
#[test]
fn a_function_that_is_replaced_gives_back_what_goes() {
    const RIGHT: &str = "IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW;";
    let base = format!(
        "{BASE}{}",
        plpgsql("BEFORE INSERT OR UPDATE OR DELETE", RIGHT)
    );
    let replaced = |body: &str| {
        format!(
            "CREATE OR REPLACE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$;\n"
        )
    };
    let cases = [
        (replaced("RETURN NEW;"), false),
        (
            replaced("IF NEW.name = '' THEN NEW.name := 'x'; END IF; RETURN NEW;"),
            false,
        ),
        (replaced(&format!("NEW.code := NEW.code; {RIGHT}")), true),
        (replaced(RIGHT), true),
    ];
    let cases: Vec<(&str, bool)> = cases.iter().map(|(sql, is)| (sql.as_str(), *is)).collect();
    judge(&cases, "loses-rows", |sql| {
        alone("postgres", &base, OLD, "contract.sql", sql)
    });
}

#[test]
fn a_row_is_referred_to_while_it_is_there() {
    const CHILD: &str =
        "CREATE TABLE p (id int PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE, n int);\n";
    let deferred = CHILD.replace(", n", " DEFERRABLE INITIALLY DEFERRED, n");
    let puts = |child: &str, when: &str, what: &str| format!("{child}{}", plpgsql(when, what));
    judge_all(
        "postgres",
        &[
            (
                puts(
                    CHILD,
                    "BEFORE INSERT",
                    "INSERT INTO p VALUES (NEW.id); RETURN NEW;",
                ),
                false,
            ),
            (
                puts(
                    CHILD,
                    "BEFORE INSERT OR UPDATE",
                    "INSERT INTO p (id) VALUES (NEW.id) ON CONFLICT DO NOTHING; RETURN NEW;",
                ),
                false,
            ),
            (
                puts(
                    CHILD,
                    "AFTER DELETE",
                    "INSERT INTO p (n, id) VALUES (1, OLD.id); RETURN NULL;",
                ),
                false,
            ),
            (
                puts(
                    CHILD,
                    "AFTER INSERT",
                    "INSERT INTO p VALUES (NEW.id); RETURN NULL;",
                ),
                true,
            ),
            // One that was there before.
            (
                puts(
                    "CREATE TABLE p (id int REFERENCES users (id) ON DELETE CASCADE);\n",
                    "BEFORE INSERT",
                    "INSERT INTO p VALUES (NEW.parent); RETURN NEW;",
                ),
                true,
            ),
            (
                puts(
                    &deferred,
                    "BEFORE INSERT",
                    "INSERT INTO p VALUES (NEW.id); RETURN NEW;",
                ),
                true,
            ),
            (
                puts(
                    "CREATE TABLE p (id int PRIMARY KEY);\n",
                    "BEFORE INSERT",
                    "INSERT INTO p VALUES (NEW.id); RETURN NEW;",
                ),
                true,
            ),
        ],
    );
    let child = "CREATE TABLE p (id int PRIMARY KEY, FOREIGN KEY (id) REFERENCES users (id) ON DELETE CASCADE);\n";
    let of = |when: &str| {
        format!(
            "{child}CREATE TRIGGER g {when} INSERT ON users FOR EACH ROW INSERT INTO p VALUES (NEW.id);\n"
        )
    };
    judge_all("mysql", &[(of("BEFORE"), false), (of("AFTER"), true)]);
}

#[test]
fn a_notice_is_short() {
    let sends = |what: &str| plpgsql("AFTER INSERT", &format!("{what} RETURN NULL;"));
    let by_variable = |value: &str| {
        sends("p := 1;").replace(
            "BEGIN p := 1;",
            &format!("DECLARE p text := {value}; BEGIN PERFORM pg_notify('c', p);"),
        )
    };
    judge_all(
        "postgres",
        &[
            (
                sends("PERFORM pg_notify('c', row_to_json(NEW)::text);"),
                false,
            ),
            (
                sends("PERFORM pg_notify('c', json_build_object('row', to_jsonb(NEW))::text);"),
                false,
            ),
            (sends("PERFORM pg_notify('c', NEW.name);"), false),
            (by_variable("row_to_json(NEW)"), false),
            (by_variable("left(row_to_json(NEW)::text, 1900)"), true),
            (sends("PERFORM pg_notify('c', NEW.id::text);"), true),
            (
                sends(
                    "PERFORM pg_notify('c', json_build_object('id', NEW.id, 'code', NEW.code)::text);",
                ),
                true,
            ),
            (
                sends("PERFORM pg_notify('c', left(row_to_json(NEW)::text, 1900));"),
                true,
            ),
            (
                sends(
                    "IF octet_length(NEW.name) < 7000 THEN PERFORM pg_notify('c', NEW.name); END IF;",
                ),
                true,
            ),
        ],
    );
}

#[test]
fn functions_of_the_database_are_called_when_they_may_be() {
    let calls = |when: &str, what: &str| {
        (
            format!(
                "ALTER TABLE users ADD COLUMN words tsvector;\nCREATE TRIGGER g {when} ON users FOR EACH ROW EXECUTE FUNCTION {what};\n"
            ),
            (),
        )
    };
    let cases = [
        (
            calls("BEFORE UPDATE", "suppress_redundant_updates_trigger()"),
            true,
        ),
        (
            calls("BEFORE INSERT", "suppress_redundant_updates_trigger()"),
            false,
        ),
        (
            calls("AFTER UPDATE", "suppress_redundant_updates_trigger()"),
            false,
        ),
        (
            calls(
                "BEFORE INSERT OR UPDATE",
                "tsvector_update_trigger(words, 'pg_catalog.english', name)",
            ),
            true,
        ),
        (
            calls(
                "BEFORE INSERT OR UPDATE",
                "tsvector_update_trigger(words, 'english', name)",
            ),
            false,
        ),
        (
            calls(
                "BEFORE INSERT OR UPDATE",
                "tsvector_update_trigger(name, 'pg_catalog.english', code)",
            ),
            false,
        ),
        (
            calls(
                "BEFORE INSERT OR DELETE",
                "tsvector_update_trigger(words, 'pg_catalog.english', name)",
            ),
            false,
        ),
    ];
    let cases: Vec<(String, bool)> = cases.into_iter().map(|((sql, ()), is)| (sql, is)).collect();
    judge_all("postgres", &cases);
}

#[test]
fn a_text_is_asked_whether_it_is_json() {
    let puts = |what: &str| {
        format!(
            "CREATE TABLE t2 (x text);\nCREATE TRIGGER g AFTER INSERT ON users FOR EACH ROW INSERT INTO t2 (x) VALUES ({what});\n"
        )
    };
    judge_all(
        "mysql",
        &[
            (puts("json_extract(NEW.name, '$.a')"), false),
            (
                puts("IF(json_valid(NEW.name), json_extract(NEW.name, '$.a'), NULL)"),
                true,
            ),
            (puts("json_object('id', NEW.id)"), true),
        ],
    );
}

#[test]
fn code_comes_to_one_value_for_each_row() {
    const TEAMS: &str = "CREATE TABLE teams (id int PRIMARY KEY, name varchar(50), code varchar(50) UNIQUE, a int, b int, UNIQUE (a, b));\n";
    let base = format!("{BASE}{TEAMS}");
    let column = "ALTER TABLE users ADD COLUMN team int;\n";
    let queries = [
        ("(SELECT id FROM teams WHERE name = NEW.name)", false),
        (
            "(SELECT t.id FROM teams t WHERE t.name = NEW.name AND t.a = 1)",
            false,
        ),
        ("(SELECT id FROM teams)", false),
        (
            "COALESCE((SELECT id FROM teams WHERE name = NEW.name), 0)",
            false,
        ),
        (
            "(SELECT id FROM teams WHERE code = NEW.name OR id = 1)",
            false,
        ),
        (
            "(SELECT id FROM teams WHERE name = NEW.name ORDER BY id LIMIT 1)",
            true,
        ),
        ("(SELECT max(id) FROM teams WHERE name = NEW.name)", true),
        ("(SELECT id FROM teams WHERE code = NEW.code)", true),
        (
            "(SELECT t.id FROM teams AS t WHERE NEW.code = t.code)",
            true,
        ),
        ("(SELECT id FROM teams WHERE a = 1 AND b = 2)", true),
        ("(SELECT a FROM teams WHERE id = NEW.parent)", true),
        // Nobody shows what it is.
        ("(SELECT id FROM elsewhere WHERE name = NEW.name)", true),
        (
            "CASE WHEN EXISTS (SELECT 1 FROM teams WHERE name = NEW.name) THEN 1 END",
            true,
        ),
        (
            "CASE WHEN NEW.id IN (SELECT id FROM teams) THEN 1 END",
            true,
        ),
        ("100 / NEW.parent", false),
        ("100 / NULLIF(NEW.parent, 0)", true),
        ("NEW.parent / 100", true),
        ("CASE WHEN NEW.parent <> 0 THEN 100 / NEW.parent END", true),
    ];
    let fires = "BEFORE INSERT OR UPDATE";
    let mut postgres: Vec<(String, bool)> = queries
        .iter()
        .map(|(query, is)| {
            (
                format!(
                    "{column}{}",
                    plpgsql(fires, &format!("NEW.team := {query}; RETURN NEW;"))
                ),
                *is,
            )
        })
        .collect();
    let strict = "SELECT id INTO STRICT NEW.team FROM teams WHERE code = NEW.code;";
    postgres.push((
        format!(
            "{column}{}",
            plpgsql(fires, &format!("{strict} RETURN NEW;"))
        ),
        false,
    ));
    let caught = format!("BEGIN {strict} EXCEPTION WHEN no_data_found THEN NULL; END; RETURN NEW;");
    postgres.push((format!("{column}{}", plpgsql(fires, &caught)), true));
    let mysql: Vec<(String, bool)> = queries
        .iter()
        .map(|(query, is)| (format!("{column}CREATE TRIGGER g BEFORE INSERT ON users FOR EACH ROW SET NEW.team = {query};\n"), *is))
        .collect();
    let local = "(SELECT id FROM teams WHERE name = NEW.name)";
    let local = format!(
        "CREATE TRIGGER g BEFORE INSERT ON users FOR EACH ROW BEGIN DECLARE v INT; SET v = {local}; SET NEW.team = v; END;\n"
    );
    let body = |statement: &str| {
        format!(
            "{column}CREATE TRIGGER g BEFORE INSERT ON users FOR EACH ROW BEGIN DECLARE v INT; {statement} SET NEW.team = v; END;\n"
        )
    };
    let bodies = [
        ("SELECT id INTO v FROM teams WHERE name = NEW.name;", false),
        (
            "SELECT id INTO v FROM teams WHERE name = NEW.name LIMIT 1;",
            true,
        ),
        ("SELECT id INTO v FROM teams WHERE code = NEW.code;", true),
        ("SELECT count(*) INTO v FROM teams;", true),
        ("CASE NEW.name WHEN 'a' THEN SET v = 1; END CASE;", false),
        (
            "CASE NEW.name WHEN 'a' THEN SET v = 1; ELSE BEGIN END; END CASE;",
            true,
        ),
        ("SET v = CASE NEW.name WHEN 'a' THEN 1 END;", true),
        (
            "IF NEW.name = 'a' THEN CASE WHEN NEW.id = 1 THEN SET v = CASE WHEN 1 THEN 2 ELSE 3 END; END CASE; END IF;",
            false,
        ),
    ];
    let mysql: Vec<(String, bool)> = mysql
        .into_iter()
        .chain(bodies.iter().map(|(statement, is)| (body(statement), *is)))
        .collect();
    let chooses = |rest: &str| {
        format!(
            "{column}{}",
            plpgsql(
                fires,
                &format!("CASE NEW.name WHEN 'a' THEN NEW.team := 1; {rest}END CASE; RETURN NEW;")
            )
        )
    };
    postgres.push((chooses(""), false));
    postgres.push((chooses("ELSE NULL; "), true));
    let mysql: Vec<(String, bool)> = mysql
        .into_iter()
        .chain([(format!("{column}{local}"), false)])
        .collect();
    for (dialect, cases) in [("postgres", postgres), ("mysql", mysql)] {
        let cases: Vec<(&str, bool)> = cases.iter().map(|(sql, is)| (sql.as_str(), *is)).collect();
        judge(&cases, "destructive-expand", |sql| {
            alone(
                dialect,
                &base.replace("doc tsvector", "doc text"),
                NEW,
                "expand.sql",
                sql,
            )
        });
    }
}
