//! What the code of triggers does to what live versions write.

use super::*;

const SERVICES: &str = "[services.web]\n[services.worker]\n";

fn of(dialect: &str, files: &[(&str, &str)]) -> Vec<String> {
    let config = format!("[database]\ndialects = [\"{dialect}\"]\n{SERVICES}");
    let files = [&[("migrate.toml", config.as_str())], files].concat();
    lines(&changed(&files), None)
}

/// A trigger of PL/pgSQL with this body, after what stands before it.
fn plpgsql(fires: &str, body: &str) -> String {
    format!(
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $f$ {body} $f$;\n\
         CREATE TRIGGER g {fires} FOR EACH ROW EXECUTE FUNCTION f();\n"
    )
}

/// Bodies of triggers on a live table, beside the column `first_name` that expand.sql adds, and the codes of what is said.
const POSTGRES: &[(&str, &str, &str)] = &[
    (
        "BEFORE UPDATE ON users",
        "DECLARE r users; BEGIN r := NEW; r.full_name := 'x'; RETURN r; END",
        "destructive-expand",
    ),
    (
        "BEFORE UPDATE ON users",
        "DECLARE r users := OLD; BEGIN r.first_name := 'x'; RETURN r; END",
        "destructive-expand",
    ),
    (
        "BEFORE UPDATE ON users",
        "DECLARE r record; BEGIN SELECT * INTO r FROM users LIMIT 1; RETURN r; END",
        "destructive-expand",
    ),
    (
        "BEFORE UPDATE ON users",
        "BEGIN RETURN (OLD); END",
        "destructive-expand",
    ),
    (
        "BEFORE UPDATE ON users",
        "BEGIN RETURN CASE WHEN NEW.id > 3 THEN OLD ELSE NEW END; END",
        "destructive-expand",
    ),
    (
        "BEFORE UPDATE ON users",
        "BEGIN RETURN jsonb_populate_record(NEW, '{}'); END",
        "destructive-expand",
    ),
    (
        "BEFORE UPDATE ON users",
        "BEGIN f.new.full_name := 'x'; RETURN NEW; END",
        "destructive-expand",
    ),
    (
        "BEFORE UPDATE ON users",
        "DECLARE n int; BEGIN GET DIAGNOSTICS NEW.id = ROW_COUNT; RETURN NEW; END",
        "destructive-expand",
    ),
    (
        "BEFORE UPDATE ON users",
        "BEGIN FOR NEW.full_name IN SELECT 'x' LOOP NULL; END LOOP; RETURN NEW; END",
        "destructive-expand",
    ),
    (
        "AFTER UPDATE ON users",
        "BEGIN UPDATE users SET first_name = NEW.full_name WHERE id = NEW.id; RETURN NULL; END",
        "destructive-expand",
    ),
    (
        "AFTER INSERT ON users",
        "BEGIN UPDATE users SET first_name = NEW.full_name; RETURN NULL; END",
        "destructive-expand",
    ),
    (
        "AFTER INSERT ON users",
        "BEGIN LOCK TABLE orders; RETURN NULL; END",
        "unknown-effect",
    ),
    (
        "BEFORE UPDATE ON users",
        "DECLARE r users; BEGIN r := NEW; r.first_name := NEW.full_name; RETURN r; END",
        "",
    ),
    (
        "BEFORE UPDATE ON users",
        "DECLARE r users := NEW; BEGIN r.first_name := NEW.full_name; RETURN (r); END",
        "",
    ),
    (
        "BEFORE UPDATE OR DELETE ON users",
        "BEGIN RETURN COALESCE(NEW, OLD); END",
        "",
    ),
    (
        "BEFORE UPDATE OR DELETE ON users",
        "BEGIN RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END; END",
        "",
    ),
    (
        "BEFORE UPDATE ON users",
        "BEGIN IF NEW.id > 3 THEN NEW.first_name := NEW.full_name; RETURN NEW; ELSE RETURN NEW; END IF; END",
        "",
    ),
    (
        "AFTER INSERT ON users",
        "BEGIN UPDATE users SET first_name = NEW.full_name WHERE id = NEW.id; RETURN NULL; END",
        "",
    ),
    (
        "AFTER UPDATE OF full_name ON users",
        "BEGIN UPDATE users SET first_name = NEW.full_name WHERE id = NEW.id; RETURN NULL; END",
        "",
    ),
    (
        "AFTER UPDATE ON users",
        "BEGIN IF NEW.full_name IS DISTINCT FROM OLD.full_name THEN UPDATE users SET first_name = NEW.full_name WHERE id = NEW.id; END IF; RETURN NULL; END",
        "",
    ),
    (
        "AFTER UPDATE ON users",
        "BEGIN UPDATE users SET first_name = NEW.full_name WHERE id = NEW.id AND first_name IS DISTINCT FROM NEW.full_name; RETURN NULL; END",
        "",
    ),
    (
        "BEFORE UPDATE ON users",
        "BEGIN NEW.full_name := NULL; RETURN NEW; END",
        "destructive-expand",
    ),
    (
        "BEFORE UPDATE ON users",
        "BEGIN new.full_name = ''; RETURN NEW; END",
        "destructive-expand",
    ),
    (
        "BEFORE UPDATE ON users",
        "BEGIN NEW.\"full_name\" := 'x'; RETURN NEW; END",
        "destructive-expand",
    ),
    (
        "BEFORE UPDATE ON users",
        "BEGIN NEW.phone := NEW.first_name; RETURN NEW; END",
        "destructive-expand",
    ),
    (
        "BEFORE UPDATE ON users",
        "BEGIN NEW.email := lower(NEW.email); RETURN NEW; END",
        "destructive-expand",
    ),
    (
        "BEFORE UPDATE ON users",
        "BEGIN NEW.email := OLD.email; RETURN NEW; END",
        "destructive-expand",
    ),
    (
        "BEFORE UPDATE ON users",
        "BEGIN NEW.deleted_at := now(); RETURN NEW; END",
        "destructive-expand",
    ),
    (
        "BEFORE UPDATE ON users",
        "BEGIN IF NEW.id = 1 THEN IF TRUE THEN NEW.email := ''; END IF; END IF; RETURN NEW; END",
        "destructive-expand",
    ),
    (
        "BEFORE UPDATE ON users",
        "BEGIN CASE NEW.id WHEN 1 THEN NULL; ELSE NEW.email := ''; END CASE; RETURN NEW; END",
        "destructive-expand",
    ),
    (
        "BEFORE UPDATE ON users",
        "BEGIN SELECT 'x' INTO NEW.email; RETURN NEW; END",
        "destructive-expand",
    ),
    (
        "BEFORE UPDATE ON users",
        "BEGIN NEW := OLD; RETURN NEW; END",
        "destructive-expand",
    ),
    (
        "BEFORE UPDATE ON users",
        "BEGIN RETURN OLD; END",
        "destructive-expand",
    ),
    (
        "AFTER INSERT ON users",
        "BEGIN DELETE FROM orders WHERE user_id = NEW.id; RETURN NULL; END",
        "destructive-expand",
    ),
    (
        "AFTER INSERT ON users",
        "BEGIN UPDATE orders SET total = 0; RETURN NULL; END",
        "destructive-expand",
    ),
    (
        "AFTER INSERT ON users",
        "BEGIN UPDATE users SET email = NULL WHERE id = NEW.id; RETURN NULL; END",
        "destructive-expand",
    ),
    (
        "AFTER INSERT ON users",
        "BEGIN TRUNCATE orders; RETURN NULL; END",
        "destructive-expand",
    ),
    (
        "AFTER INSERT ON users",
        "BEGIN WITH x AS (DELETE FROM orders RETURNING id) INSERT INTO audit SELECT id FROM x; RETURN NULL; END",
        "destructive-expand",
    ),
    (
        "AFTER INSERT ON users",
        "BEGIN INSERT INTO totals (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET n = 0; RETURN NULL; END",
        "destructive-expand",
    ),
    (
        "AFTER INSERT ON users",
        "BEGIN MERGE INTO totals t USING orders o ON o.id = t.id WHEN MATCHED THEN DELETE; RETURN NULL; END",
        "destructive-expand",
    ),
    (
        "AFTER INSERT ON users",
        "DECLARE r record; BEGIN FOR r IN SELECT id FROM orders LOOP DELETE FROM orders WHERE id = r.id; END LOOP; RETURN NULL; END",
        "destructive-expand",
    ),
    (
        "AFTER INSERT ON users",
        "BEGIN EXECUTE 'DELETE FROM orders'; RETURN NULL; END",
        "unknown-effect",
    ),
    (
        "AFTER INSERT ON users",
        "BEGIN EXECUTE format('DELETE FROM %I', TG_TABLE_NAME); RETURN NULL; END",
        "unknown-effect",
    ),
    (
        "AFTER INSERT ON users",
        "BEGIN PERFORM purge(NEW.id); RETURN NULL; END",
        "unknown-effect",
    ),
    (
        "AFTER INSERT ON users",
        "BEGIN IF purge(NEW.id) THEN RETURN NULL; END IF; RETURN NULL; END",
        "unknown-effect",
    ),
    (
        "AFTER INSERT ON users",
        "BEGIN CALL purge(); RETURN NULL; END",
        "unknown-effect",
    ),
    (
        "AFTER INSERT ON users",
        "BEGIN DROP TABLE orders; RETURN NULL; END",
        "unknown-effect",
    ),
    (
        "AFTER INSERT ON users",
        "BEGIN BEGIN DELETE FROM orders; EXCEPTION WHEN OTHERS THEN NULL; END; RETURN NULL; END",
        "destructive-expand",
    ),
    (
        "BEFORE UPDATE ON users",
        "BEGIN \"new\".full_name := 'x'; RETURN NEW; END",
        "destructive-expand",
    ),
    (
        "BEFORE UPDATE ON users",
        "DECLARE r users; BEGIN SELECT 'x' INTO \"new\".full_name; RETURN NEW; END",
        "destructive-expand",
    ),
    (
        "BEFORE UPDATE ON users",
        "BEGIN RETURN coalesce(OLD, NEW); END",
        "destructive-expand",
    ),
    (
        "BEFORE INSERT OR UPDATE ON users",
        "BEGIN RETURN CASE WHEN NEW.id > 3 THEN NEW END; END",
        "destructive-expand",
    ),
    (
        "BEFORE INSERT OR UPDATE ON users",
        "BEGIN RETURN CASE TG_OP WHEN 'UPDATE' THEN OLD ELSE NEW END; END",
        "destructive-expand",
    ),
    (
        "BEFORE INSERT OR UPDATE ON users",
        "BEGIN NEW.first_name := 'x'; IF NEW.id > 5 THEN RETURN NEW; END IF; END",
        "destructive-expand",
    ),
    (
        "AFTER INSERT ON users",
        "BEGIN IF NEW.id > 5 THEN INSERT INTO audit (op) VALUES ('x'); ELSE RETURN NULL; END IF; END",
        "destructive-expand",
    ),
    // What a trigger rightly does.
    (
        "BEFORE INSERT OR UPDATE OR DELETE ON users",
        "BEGIN RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END; END",
        "",
    ),
    (
        "AFTER INSERT OR UPDATE OR DELETE ON users",
        "BEGIN IF (TG_OP = 'DELETE') THEN RETURN OLD; ELSIF (TG_OP = 'UPDATE') THEN RETURN NEW; ELSIF (TG_OP = 'INSERT') THEN RETURN NEW; END IF; END",
        "",
    ),
    (
        "BEFORE INSERT OR UPDATE ON users",
        "BEGIN NEW.first_name := split_part(NEW.full_name, ' ', 1); RETURN NEW; END",
        "",
    ),
    (
        "BEFORE INSERT OR UPDATE ON users",
        "BEGIN NEW.first_name := NULL; RETURN NEW; END",
        "",
    ),
    (
        "BEFORE INSERT OR UPDATE ON users",
        "BEGIN NEW.full_name := coalesce(NEW.first_name, NEW.full_name); RETURN NEW; END",
        "",
    ),
    (
        "BEFORE INSERT OR UPDATE ON users",
        "DECLARE v_name text := NEW.first_name; BEGIN <<x>> IF TG_OP = 'INSERT' OR (NEW.first_name IS DISTINCT FROM OLD.first_name) THEN v_name := trim(v_name); NEW.full_name := v_name; ELSIF NEW.full_name IS DISTINCT FROM OLD.full_name THEN NEW.first_name := NEW.full_name; END IF; RETURN NEW; END",
        "",
    ),
    (
        "BEFORE UPDATE ON users",
        "BEGIN NEW.updated_at := now(); RETURN NEW; END",
        "",
    ),
    (
        "BEFORE UPDATE ON users",
        "BEGIN NEW.updated_at = CURRENT_TIMESTAMP; RETURN NEW; END;",
        "",
    ),
    (
        "BEFORE UPDATE ON users",
        "BEGIN IF row(NEW.*) IS DISTINCT FROM row(OLD.*) THEN NEW.modified_on = (now() AT TIME ZONE 'utc'); NEW.modified_by := current_setting('app.user', true); RETURN NEW; ELSE RETURN NEW; END IF; END",
        "",
    ),
    (
        "AFTER INSERT OR UPDATE OR DELETE ON users",
        "BEGIN IF (TG_OP = 'DELETE') THEN INSERT INTO audit (op, at, who, row) SELECT 'D', now(), current_user, to_jsonb(OLD.*); RETURN OLD; ELSIF (TG_OP = 'UPDATE') THEN INSERT INTO audit (op, row) SELECT 'U', row_to_json(NEW); RETURN NEW; END IF; RETURN NULL; END",
        "",
    ),
    (
        "AFTER INSERT ON users",
        "DECLARE v_id bigint; BEGIN INSERT INTO audit (op) VALUES ('I') RETURNING id INTO v_id; PERFORM pg_notify('users', v_id::text); RETURN NULL; END",
        "",
    ),
    (
        "AFTER INSERT ON users",
        "DECLARE n int; BEGIN SELECT count(*) INTO STRICT n FROM orders WHERE user_id = NEW.id; RAISE NOTICE 'n %', n; RETURN NULL; END",
        "",
    ),
    (
        "AFTER INSERT ON users",
        "DECLARE r record; i int; BEGIN FOR r IN SELECT * FROM orders LOOP INSERT INTO audit (op) VALUES (r.id); END LOOP; FOR i IN 1..10 LOOP NULL; END LOOP; WHILE i > 0 LOOP i := i - 1; END LOOP; RETURN NULL; END",
        "",
    ),
    (
        "AFTER INSERT ON users",
        "BEGIN IF current_setting('app.sync', true) = 'on' THEN RETURN NULL; END IF; PERFORM set_config('app.sync', 'on', true); UPDATE users SET first_name = NEW.full_name WHERE id = NEW.id; RETURN NULL; END",
        "",
    ),
    (
        "AFTER UPDATE ON users",
        "BEGIN UPDATE users SET full_name = NEW.first_name WHERE id = NEW.id AND full_name IS DISTINCT FROM NEW.first_name; RETURN NULL; END",
        "",
    ),
    (
        "AFTER INSERT ON users",
        "DECLARE a text[] := ARRAY['x']; BEGIN a[1] := 'y'; a := array_append(a, NEW.full_name); NEW.first_name := a[1]; RETURN NEW; END",
        "",
    ),
    (
        "AFTER INSERT ON users",
        "BEGIN RETURN NULL; EXCEPTION WHEN unique_violation OR check_violation THEN INSERT INTO audit (op) VALUES ('x'); RETURN NULL; END",
        "",
    ),
];

const MYSQL: &[(&str, &str)] = &[
    (
        "BEFORE UPDATE ON users FOR EACH ROW SET NEW.full_name = NULL",
        "destructive-expand",
    ),
    (
        "BEFORE UPDATE ON users FOR EACH ROW SET NEW.first_name = NEW.full_name, NEW.email = ''",
        "destructive-expand",
    ),
    (
        "BEFORE UPDATE ON users FOR EACH ROW BEGIN IF NEW.id = 1 THEN SET NEW.`email` = LOWER(NEW.email); END IF; END",
        "destructive-expand",
    ),
    (
        "AFTER INSERT ON users FOR EACH ROW DELETE FROM orders WHERE user_id = NEW.id",
        "destructive-expand",
    ),
    (
        "AFTER INSERT ON users FOR EACH ROW BEGIN DECLARE n INT DEFAULT 0; WHILE n < 1 DO DELETE FROM orders; SET n = n + 1; END WHILE; END",
        "destructive-expand",
    ),
    (
        "AFTER INSERT ON users FOR EACH ROW BEGIN DECLARE CONTINUE HANDLER FOR SQLEXCEPTION DELETE FROM orders; INSERT INTO audit (a) VALUES (1); END",
        "destructive-expand",
    ),
    (
        "AFTER INSERT ON users FOR EACH ROW UPDATE orders SET total = 0",
        "destructive-expand",
    ),
    (
        "AFTER INSERT ON users FOR EACH ROW UPDATE orders o JOIN users u ON u.id = o.user_id SET o.total = 0",
        "destructive-expand",
    ),
    (
        "AFTER INSERT ON users FOR EACH ROW INSERT INTO totals (id) VALUES (1) ON DUPLICATE KEY UPDATE n = 0",
        "destructive-expand",
    ),
    (
        "AFTER INSERT ON users FOR EACH ROW CALL purge(NEW.id)",
        "unknown-effect",
    ),
    (
        "AFTER INSERT ON users FOR EACH ROW SET @x = purge(NEW.id)",
        "unknown-effect",
    ),
    (
        "BEFORE INSERT ON users FOR EACH ROW SET time_zone = '+05:00', max_statement_time = 1",
        "unknown-effect",
    ),
    (
        "BEFORE INSERT ON users FOR EACH ROW SET NAMES latin1",
        "unknown-effect",
    ),
    (
        "AFTER INSERT ON users FOR EACH ROW BEGIN DECLARE a, b INT; SET b = 1, sql_select_limit = b; END",
        "unknown-effect",
    ),
    (
        "AFTER INSERT ON users FOR EACH ROW BEGIN DECLARE a, b INT; SET b = 1, A = b; END",
        "",
    ),
    (
        "AFTER INSERT ON users FOR EACH ROW BEGIN DECLARE a INT; IF 1 THEN BEGIN CASE a WHEN 1 THEN SET a = 2; ELSE SET a = 3; END CASE; END; END IF; SET a = CASE 1 WHEN 1 THEN 2 END; END",
        "",
    ),
    (
        "BEFORE UPDATE ON users FOR EACH ROW SET NEW.first_name = 'x', @@sql_select_limit = 1",
        "unknown-effect",
    ),
    (
        "BEFORE UPDATE ON users FOR EACH ROW SET @@session.time_zone = '+05:00'",
        "unknown-effect",
    ),
    (
        "BEFORE UPDATE ON users FOR EACH ROW BEGIN BEGIN DECLARE sql_select_limit INT; END; SET sql_select_limit = 1; END",
        "unknown-effect",
    ),
    (
        "BEFORE UPDATE ON users FOR EACH ROW SET `NEW`.email = ''",
        "destructive-expand",
    ),
    (
        "BEFORE INSERT ON users FOR EACH ROW SET NEW.first_name = SUBSTRING_INDEX(NEW.full_name, ' ', 1)",
        "",
    ),
    (
        "BEFORE INSERT ON users FOR EACH ROW SET NEW.first_name = NEW.full_name, NEW.full_name = COALESCE(NEW.first_name, NEW.full_name)",
        "",
    ),
    (
        "BEFORE UPDATE ON users FOR EACH ROW SET NEW.updated_at = CURRENT_TIMESTAMP(6)",
        "",
    ),
    (
        "BEFORE UPDATE ON users FOR EACH ROW SET NEW.updated_at = NOW()",
        "",
    ),
    (
        "AFTER INSERT ON users FOR EACH ROW INSERT INTO audit (op, at, row) VALUES ('I', NOW(), JSON_OBJECT('id', NEW.id))",
        "",
    ),
    (
        "BEFORE UPDATE ON users FOR EACH ROW l1: BEGIN DECLARE v VARCHAR(100); IF @sync IS NOT NULL THEN LEAVE l1; END IF; SET v = TRIM(NEW.first_name); SET NEW.full_name = v; END",
        "",
    ),
    (
        "AFTER UPDATE ON users FOR EACH ROW BEGIN DECLARE n INT; SELECT COUNT(*) INTO n FROM orders; INSERT INTO audit (op) VALUES (n); END",
        "",
    ),
    (
        "BEFORE UPDATE ON users FOR EACH ROW BEGIN CASE NEW.id WHEN 1 THEN SET NEW.first_name = 'x'; ELSE BEGIN END; END CASE; REPEAT SET @i = 1; UNTIL @i > 0 END REPEAT; END",
        "",
    ),
    (
        "AFTER UPDATE ON users FOR EACH ROW UPDATE users SET first_name = NEW.full_name WHERE id = NEW.id",
        "destructive-expand",
    ),
    (
        "AFTER INSERT ON users FOR EACH ROW INSERT INTO users (id, full_name) VALUES (NEW.id + 1, '')",
        "destructive-expand",
    ),
];

const SQLITE: &[(&str, &str)] = &[
    (
        "AFTER UPDATE ON users BEGIN UPDATE users SET full_name = NULL WHERE id = NEW.id; END",
        "destructive-expand",
    ),
    (
        "AFTER INSERT ON users BEGIN INSERT INTO audit VALUES (NEW.id); DELETE FROM orders; END",
        "destructive-expand",
    ),
    (
        "AFTER INSERT ON users BEGIN UPDATE orders SET total = 0; END",
        "destructive-expand",
    ),
    (
        "AFTER INSERT ON users BEGIN UPDATE users SET phone = full_name WHERE id = NEW.id; END",
        "destructive-expand",
    ),
    (
        "AFTER INSERT ON users BEGIN INSERT INTO totals (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET n = 0; END",
        "destructive-expand",
    ),
    (
        "AFTER INSERT ON users BEGIN UPDATE users SET first_name = full_name WHERE id = NEW.id; END",
        "",
    ),
    (
        "AFTER INSERT ON users BEGIN UPDATE users SET full_name = trim(first_name || ' x') WHERE id = NEW.id; END",
        "",
    ),
    (
        "AFTER UPDATE ON users BEGIN UPDATE users SET updated_at = CURRENT_TIMESTAMP WHERE id = OLD.id; END",
        "",
    ),
    (
        "AFTER UPDATE ON users BEGIN UPDATE users SET updated_at = datetime('now') WHERE id = OLD.id; END",
        "",
    ),
    (
        "AFTER UPDATE ON users BEGIN UPDATE users SET updated_at = strftime('%s', 'now') WHERE rowid = NEW.rowid; END",
        "",
    ),
    (
        "AFTER DELETE ON users BEGIN INSERT INTO audit (op, row) VALUES ('D', json_object('id', OLD.id)); END",
        "",
    ),
    (
        "AFTER INSERT ON users BEGIN SELECT CASE WHEN 1 THEN 2 END; INSERT INTO audit VALUES (CASE WHEN NEW.id THEN 1 END); END",
        "",
    ),
    (
        "AFTER INSERT ON users BEGIN UPDATE users SET first_name = NEW.full_name; END",
        "destructive-expand",
    ),
];

/// What contract.sql leaves behind is another matter.
fn codes(lines: &[String]) -> Vec<&str> {
    let code = |line: &'_ str| line.rfind('[').map_or(0, |at| at + 1);
    lines
        .iter()
        .map(|line| &line[code(line)..line.len() - 1])
        .filter(|code| *code != "left-behind")
        .collect()
}

fn all() -> Vec<(&'static str, String, &'static str)> {
    let postgres = POSTGRES
        .iter()
        .map(|(fires, body, code)| ("postgres", plpgsql(fires, body), *code));
    let others = [("mysql", MYSQL), ("sqlite", SQLITE)];
    let others = others.into_iter().flat_map(|(dialect, rows)| {
        rows.iter()
            .map(move |(rest, code)| (dialect, format!("CREATE TRIGGER g {rest};\n"), *code))
    });
    postgres.chain(others).collect()
}

#[test]
fn the_code_of_a_trigger_is_judged_as_a_script_is() {
    let mut wrong = Vec::new();
    for (dialect, trigger, expected) in all() {
        let expand = format!("{EXPAND}{trigger}");
        let found = of(dialect, &[("0002_split/expand.sql", &expand)]);
        let expected = [expected].into_iter().filter(|code| !code.is_empty());
        if codes(&found) != expected.collect::<Vec<_>>() {
            wrong.push(format!("{dialect} {trigger}  found {found:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What keeps rows from being written at all is told of the trigger that calls it.
#[test]
fn a_trigger_does_not_refuse_what_live_versions_write() {
    for (body, said) in [
        (
            "BEGIN RETURN CASE WHEN NEW.id > 3 THEN NULL ELSE NEW END; END",
            "returns NULL",
        ),
        ("BEGIN RETURN (NULL); END", "returns NULL"),
        (
            "BEGIN ASSERT NEW.email IS NOT NULL; RETURN NEW; END",
            "may refuse",
        ),
        (
            "BEGIN NEW.first_name := NEW.full_name; END",
            "without RETURN",
        ),
        ("BEGIN END", "without RETURN"),
    ] {
        let expand = format!("{EXPAND}{}", plpgsql("BEFORE UPDATE ON users", body));
        let found = of("postgres", &[("0002_split/expand.sql", &expand)]);
        let is_told = found
            .iter()
            .any(|line| line.contains("destructive-expand") && line.contains(said));
        assert!(is_told, "{said}: {body}: {found:?}");
        let contract = format!("{}{CONTRACT}", plpgsql("BEFORE UPDATE ON users", body));
        let found = of("postgres", &[("0002_split/contract.sql", &contract)]);
        let is_told = found
            .iter()
            .any(|line| line.contains("silent-loss") && line.contains(said));
        assert!(is_told, "{said}: {body}: {found:?}");
    }
}

/// One that was there before is made anew as it was; anything else that refuses rows is asked for, wherever it stands.
#[test]
fn a_contract_makes_no_trigger_that_refuses_rows() {
    const SIGNAL: &str =
        "CREATE TRIGGER g BEFORE UPDATE ON users FOR EACH ROW SIGNAL SQLSTATE '45000';\n";
    const IF: &str = "CREATE TRIGGER g BEFORE UPDATE ON users FOR EACH ROW BEGIN IF NEW.id < 0 THEN SIGNAL SQLSTATE '45000'; END IF; END;\n";
    const ABORT: &str =
        "CREATE TRIGGER g BEFORE UPDATE ON users BEGIN SELECT RAISE(ABORT, 'no'); END;\n";
    const IGNORE: &str = "CREATE TRIGGER g BEFORE UPDATE ON users WHEN NEW.id < 0 BEGIN SELECT RAISE(IGNORE); END;\n";
    const PASSES: &str =
        "CREATE TRIGGER g AFTER UPDATE ON users BEGIN INSERT INTO audit VALUES (NEW.id); END;\n";
    const COPY: &str = "CREATE TABLE users_new (id integer PRIMARY KEY, first_name text);\n\
        INSERT INTO users_new SELECT id, first_name FROM users;\nDROP TABLE users;\nALTER TABLE users_new RENAME TO users;\n";
    const SYNCS: &str = "CREATE TRIGGER s AFTER INSERT ON users BEGIN UPDATE users SET nick = full_name WHERE id = NEW.id; END;\n";
    let at_once = |trigger: &str| COPY.replace("DROP TABLE", &format!("{trigger}DROP TABLE"));
    let plpgsql = |word: &str, body: &str| {
        format!("{word} FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$;\n")
    };
    let fires = |when: &str| {
        format!("CREATE TRIGGER g {when} UPDATE ON users FOR EACH ROW EXECUTE FUNCTION f();\n")
    };
    let kept = |when: &str, body: &str| plpgsql("CREATE", body) + &fires(when);
    let anew = |body: &str| plpgsql("CREATE OR REPLACE", body);
    let passes = kept("BEFORE", "RETURN NEW;");
    const OLD: &str = "IF NEW.full_name = '' THEN RAISE 'no'; END IF; RETURN NEW;";
    const NEW: &str = "IF NEW.first_name = '' THEN RAISE 'no'; END IF; RETURN NEW;";
    let mut wrong = Vec::new();
    for (dialect, earlier, own, is_fine) in [
        ("mysql", "", SIGNAL.to_owned(), false),
        ("mysql", "", IF.to_owned(), false),
        ("mysql", IF, format!("DROP TRIGGER g;\n{SIGNAL}"), false),
        (
            "mysql",
            "",
            SIGNAL.replace("CREATE", "CREATE OR REPLACE"),
            false,
        ),
        ("mysql", IF, format!("DROP TRIGGER g;\n{IF}"), true),
        ("sqlite", "", ABORT.to_owned(), false),
        ("sqlite", "", IGNORE.to_owned(), false),
        ("sqlite", PASSES, format!("DROP TRIGGER g;\n{ABORT}"), false),
        ("sqlite", "", format!("{COPY}{IGNORE}"), false),
        ("sqlite", IGNORE, format!("{COPY}{IGNORE}"), true),
        ("sqlite", PASSES, format!("{COPY}{PASSES}"), true),
        // The trigger of a migration that is under way, for the copy: it writes what it wrote.
        ("sqlite", SYNCS, format!("{COPY}{SYNCS}"), true),
        (
            "sqlite",
            IGNORE,
            at_once(&IGNORE.replace("ON users", "ON users_new")),
            true,
        ),
        (
            "sqlite",
            IGNORE,
            at_once(&ABORT.replace("ON users", "ON users_new")),
            false,
        ),
        ("postgres", &passes, anew("RAISE 'no';"), false),
        ("postgres", &passes, anew("RETURN NULL;"), false),
        (
            "postgres",
            &passes,
            anew("NEW.email := ''; RETURN NEW;"),
            false,
        ),
        (
            "postgres",
            &passes,
            anew("RAISE NOTICE 'x'; RETURN NEW;"),
            true,
        ),
        (
            "postgres",
            &kept("AFTER", "RETURN NULL;"),
            anew("RAISE 'no';"),
            false,
        ),
        (
            "postgres",
            &kept("AFTER", "RETURN NULL;"),
            anew("RETURN NULL;"),
            true,
        ),
        ("postgres", &kept("BEFORE", OLD), anew(NEW), true),
        ("postgres", &kept("BEFORE", OLD), anew(OLD), true),
        ("postgres", "", anew("RAISE 'no';"), false),
        ("postgres", "", anew("RETURN NULL;"), true),
    ] {
        let earlier = format!("CREATE TABLE audit (id int);\n{earlier}");
        let contract = format!("{own}{CONTRACT}");
        let revert = format!("{own}ALTER TABLE users DROP COLUMN first_name;\n");
        for (file, text) in [
            ("0002_split/contract.sql", &contract),
            ("0002_split/revert.sql", &revert),
        ] {
            let found = of(
                dialect,
                &[
                    ("0001_first/migration.toml", "description = \"d\"\n"),
                    ("0001_first/expand.sql", earlier.as_str()),
                    (file, text),
                ],
            );
            let says = found.iter().any(|line| {
                line.contains("trigger")
                    && (line.contains("loses-rows") || line.contains("silent-loss"))
            });
            // The revert takes the column away that this names.
            let is_fine = is_fine && !(own.contains(NEW) && file.ends_with("revert.sql"));
            if says == is_fine {
                wrong.push(format!("{dialect} {file} {own}  found {found:#?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a contract or a revert makes meets live versions just so.
#[test]
fn a_trigger_of_a_contract_is_judged_too() {
    let mut wrong = Vec::new();
    for (dialect, trigger, expected) in all() {
        let contract = format!("{trigger}{CONTRACT}");
        let found = of(dialect, &[("0002_split/contract.sql", &contract)]);
        let found_codes = codes(&found);
        let is_lost = found_codes.contains(&"loses-rows") || found_codes.contains(&"silent-loss");
        if is_lost != (expected == "destructive-expand") {
            wrong.push(format!("{dialect} {trigger}  found {found:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a procedure gives back goes into the row that is written.
#[test]
fn a_procedure_may_write_the_row() {
    for (parameter, expected) in [
        ("IN a VARCHAR(200)", &[][..]),
        ("INOUT a VARCHAR(200)", &["destructive-expand"]),
        ("OUT a VARCHAR(200)", &["destructive-expand"]),
    ] {
        let expand = format!(
            "{EXPAND}CREATE PROCEDURE p({parameter}) BEGIN DECLARE b INT DEFAULT 1; SET b = 2; END;\n\
             CREATE TRIGGER g BEFORE UPDATE ON users FOR EACH ROW CALL p(NEW.full_name);\n"
        );
        let found = of("mysql", &[("0002_split/expand.sql", &expand)]);
        assert_eq!(codes(&found), expected, "{parameter}: {found:?}");
    }
}

#[test]
fn a_function_of_another_file_is_read_there() {
    const TRIGGER: &str =
        "CREATE TRIGGER g BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION touch();\n";
    let function = |body: &str| {
        format!(
            "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NEW; END $$;\n"
        )
    };
    let expand = format!("{EXPAND}{TRIGGER}");
    for (body, expected) in [
        (Some("NEW.updated_at := now();"), &[][..]),
        (Some("NEW.email := '';"), &["destructive-expand"]),
        (None, &["unknown-effect"]),
    ] {
        let earlier = body.map(function).unwrap_or_default() + "CREATE TABLE own (id int);\n";
        let files = [
            (
                "0001_first/migration.toml",
                "description = \"d\"\n[services.web]\nnew = \">=1.0.0\"\n",
            ),
            ("0001_first/expand.sql", earlier.as_str()),
            ("0002_split/expand.sql", expand.as_str()),
        ];
        let found = of("postgres", &files);
        assert_eq!(codes(&found), expected, "{body:?} {found:#?}");
    }
    // A function that triggers call already runs at once.
    let replaced = function("NEW.email := '';").replace("CREATE", "CREATE OR REPLACE");
    let found = of(
        "postgres",
        &[("0002_split/expand.sql", &format!("{EXPAND}{replaced}"))],
    );
    assert_eq!(codes(&found), ["destructive-expand"], "{found:#?}");
}

/// A function refuses rows wherever it stands: in an earlier file, and behind another one.
#[test]
fn a_function_that_is_called_refuses_rows_as_well() {
    const CALLS: &str =
        "CREATE TRIGGER g BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION f();\n";
    let function = |body: &str| {
        format!("CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$;\n")
    };
    let (raises, passes) = (function("RAISE 'no';"), function("RETURN NEW;"));
    let swallows = function("RETURN NULL;");
    let calls_on = function("NEW.first_name := h(); RETURN NEW;") + CALLS;
    let of_rows = CALLS.replace("EACH ROW", "EACH STATEMENT");
    let after = CALLS.replace("BEFORE", "AFTER");
    const HELPER: &str =
        "CREATE FUNCTION h() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;\n";
    const TELLS: &str = "CREATE FUNCTION h() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'x'; RETURN 'a'; END $$;\n";
    const PROCEDURE: &str = "CREATE PROCEDURE f() SIGNAL SQLSTATE '45000';\n";
    const CALL: &str = "CREATE TRIGGER g BEFORE INSERT ON users FOR EACH ROW CALL f();\n";
    const OF_MYSQL: &str =
        "CREATE FUNCTION h() RETURNS TEXT BEGIN SIGNAL SQLSTATE '45000'; RETURN 'a'; END;\n";
    const SET: &str =
        "CREATE TRIGGER g BEFORE INSERT ON users FOR EACH ROW SET NEW.first_name = h();\n";
    for (dialect, earlier, own, is_fine) in [
        ("postgres", raises.as_str(), CALLS.to_owned(), false),
        ("postgres", &raises, of_rows, false),
        ("postgres", &passes, CALLS.to_owned(), true),
        ("postgres", &swallows, CALLS.to_owned(), false),
        // Nobody looks at what is returned then.
        ("postgres", &swallows, after, true),
        ("postgres", "", format!("{HELPER}{calls_on}"), false),
        ("postgres", HELPER, calls_on.clone(), false),
        ("postgres", "", format!("{TELLS}{calls_on}"), true),
        ("mysql", PROCEDURE, CALL.to_owned(), false),
        ("mysql", "", format!("{PROCEDURE}{CALL}"), false),
        ("mysql", "", format!("{OF_MYSQL}{SET}"), false),
    ] {
        let earlier = format!("CREATE TABLE own (id int);\n{earlier}");
        let before = [
            ("0001_first/migration.toml", "description = \"d\"\n"),
            ("0001_first/expand.sql", earlier.as_str()),
        ];
        let expand = format!("{EXPAND}{own}");
        let contract = format!("{CONTRACT}{own}");
        for (file, text, code) in [
            ("0002_split/expand.sql", &expand, "destructive-expand"),
            ("0002_split/contract.sql", &contract, "loses-rows"),
        ] {
            let found = of(dialect, &[&before[..], &[(file, text)]].concat());
            let expected: &[&str] = if is_fine { &[] } else { &[code] };
            assert_eq!(
                codes(&found),
                expected,
                "{dialect} {file} {own}: {found:#?}"
            );
        }
    }
}

/// One allowance excuses the trigger, whatever it does.
#[test]
fn a_trigger_that_somebody_vouches_for() {
    let manifest = format!(
        "{SPLIT}[[expand.allow]]\nstatement = \"CREATE TRIGGER g AFTER\"\nreason = \"r\"\n"
    );
    for (dialect, rest) in [("mysql", MYSQL[3].0), ("sqlite", SQLITE[1].0)] {
        let expand = format!("{EXPAND}CREATE TRIGGER g {rest};\n");
        let files = [
            ("0002_split/migration.toml", manifest.as_str()),
            ("0002_split/expand.sql", expand.as_str()),
        ];
        assert!(of(dialect, &files).is_empty(), "{dialect}");
    }
}

/// A migration that mends a trigger of an earlier one writes what that wrote.
#[test]
fn a_trigger_may_be_mended_by_a_later_migration() {
    const DROP: &str = "DROP TRIGGER g";
    for (dialect, on) in [("mysql", ""), ("sqlite", ""), ("postgres", " ON users")] {
        let trigger = |value: &str| match dialect {
            "mysql" => {
                format!(
                    "CREATE TRIGGER g BEFORE INSERT ON users FOR EACH ROW SET NEW.first_name = {value};\n"
                )
            }
            "sqlite" => format!(
                "CREATE TRIGGER g AFTER INSERT ON users BEGIN UPDATE users SET first_name = {value} WHERE id = NEW.id; END;\n"
            ),
            _ => format!(
                "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.first_name := {value}; RETURN NEW; END $$;\n\
                 CREATE TRIGGER g BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION f();\n"
            ),
        };
        for (value, is_fine) in [("trim(NEW.full_name)", true), ("NULL", false)] {
            let expand = format!("{EXPAND}{}", trigger("NEW.full_name"));
            let contract = format!("{DROP}{on};\n{CONTRACT}");
            let second = format!("{DROP}{on};\n{}", trigger(value))
                .replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION");
            let manifest = format!(
                "description = \"d\"\n[services.web]\nnew = \">=1.3.0\"\n[[expand.allow]]\nstatement = \"DROP TRIGGER g{on}\"\nreason = \"r\"\n{}",
                match dialect {
                    // Which other triggers call it is not known.
                    "postgres" =>
                        "[[expand.allow]]\nstatement = \"CREATE OR REPLACE FUNCTION f()\"\nreason = \"r\"\n",
                    _ => "",
                }
            );
            let files = [
                ("0002_split/expand.sql", expand.as_str()),
                ("0002_split/contract.sql", contract.as_str()),
                ("0003_mended/migration.toml", manifest.as_str()),
                ("0003_mended/expand.sql", second.as_str()),
            ];
            let found = of(dialect, &files);
            let is_said = codes(&found).contains(&"destructive-expand");
            assert_eq!(is_said, !is_fine, "{dialect} {value} {found:#?}");
        }
    }
}
