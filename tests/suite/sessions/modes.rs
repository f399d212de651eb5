//! MySQL and MariaDB: code that a script stores runs under the sql_mode that the server has, and nothing of ours is cut.

use crate::support::mysql::PrivateServer;
use crate::support::project::Project;

#[test]
fn stored_code_is_as_strict_as_the_server() {
    let server = PrivateServer::start();
    let db = server.create("shop");
    db.execute("SET GLOBAL sql_mode = ''");
    db.execute("CREATE TABLE t (id int PRIMARY KEY, old varchar(200)); INSERT INTO t VALUES (1, 'too long')");
    let project = Project::new(&db, &["web"]);
    project.migration(
        "0001_x",
        &[
            (
                "migration.toml",
                "description = \"x\"\n[[expand.allow]]\nstatement = \"CREATE EVENT e\"\nreason = \"a test\"\n",
            ),
            (
                "expand.sql",
                "ALTER TABLE t ADD COLUMN new varchar(5);\n\
                 CREATE TRIGGER tg BEFORE INSERT ON t FOR EACH ROW SET NEW.new = NEW.old;\n\
                 CREATE PROCEDURE p(x varchar(200)) UPDATE t SET new = x;\n\
                 CREATE FUNCTION f(x varchar(200)) RETURNS varchar(5) DETERMINISTIC BEGIN DECLARE y varchar(5); SET y = x; RETURN y; END;\n\
                 CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO UPDATE t SET new = old;\n",
            ),
        ],
    );
    project.migrate(&["expand"]).expect_code(0);
    // What a live version does is not refused for being too long.
    db.execute("INSERT INTO t (id, old) VALUES (2, 'a long value from the live version')");
    db.execute("CALL p('a long value')");
    let modes = "SELECT GROUP_CONCAT(DISTINCT sql_mode) FROM (SELECT sql_mode FROM information_schema.triggers \
         WHERE trigger_schema = 'shop' UNION ALL SELECT sql_mode FROM information_schema.routines WHERE routine_schema = 'shop' \
         UNION ALL SELECT sql_mode FROM information_schema.events WHERE event_schema = 'shop') AS stored";
    assert_eq!(db.value(modes), "");

    // Names that the driver's own mode would reserve.
    project.migration(
        "0003_z",
        &[
            ("migration.toml", "description = \"z\"\n"),
            ("expand.sql", "CREATE TABLE count (sum int);\n"),
        ],
    );
    project.migrate(&["expand", "3"]).expect_code(0);

    // A change of the table is strict as before: it would cut what is there.
    project.migration(
        "0002_y",
        &[
            ("migration.toml", "description = \"y\"\n[[expand.allow]]\nstatement = \"ALTER TABLE t MODIFY\"\nreason = \"a test\"\n"),
            ("expand.sql", "ALTER TABLE t MODIFY old varchar(3);\n"),
        ],
    );
    project.migrate(&["expand", "2"]).expect_code(1);
    assert_eq!(db.value("SELECT old FROM t WHERE id = 1"), "too long");
    project.migrate(&["log", "--verify"]).expect_code(0);
}

/// A text that the server would read otherwise than `check` does is refused; everything else runs, and code is stored under
/// the mode that the server's own client would give it.
#[test]
fn servers_that_read_quotes_or_backslashes_otherwise() {
    let server = PrivateServer::start();
    for (mode, text, same, instead) in [
        ("ANSI_QUOTES", "\"a\"", "'a'", "'text'"),
        (
            "NO_BACKSLASH_ESCAPES",
            "'a\\\\b'",
            "CONCAT('a', CHAR(92), 'b')",
            "CHAR(92)",
        ),
        ("ORACLE", "\"a\"", "'a'", "'text'"),
    ] {
        if mode == "ORACLE" && !crate::support::mysql::is_mariadb(&server.create("which")) {
            continue;
        }
        let db = server.create(&format!("shop_{}", mode.to_lowercase()));
        db.execute(&format!(
            "CREATE TABLE t (id int PRIMARY KEY, old varchar(20)); INSERT INTO t VALUES (1, 'x'); SET GLOBAL sql_mode = '{mode},STRICT_TRANS_TABLES'"
        ));
        let project = Project::new(&db, &["web"]);
        let script = |text: &str| {
            let trigger = match mode {
                // Its statements are written otherwise there.
                "ORACLE" => String::new(),
                _ => "CREATE TRIGGER tg BEFORE INSERT ON t FOR EACH ROW SET NEW.new = NEW.old;\n"
                    .to_owned(),
            };
            project.migration(
                "0001_x",
                &[
                    ("migration.toml", "description = \"x\"\n"),
                    (
                        "expand.sql",
                        &format!("ALTER TABLE t ADD COLUMN new varchar(20);\n{trigger}CREATE TABLE u AS SELECT {text} AS a;\n"),
                    ),
                ],
            );
        };
        script(text);
        let refused = project.migrate(&["expand"]).expect_code(1);
        let said = crate::support::shop::said(&refused);
        for part in ["expand.sql", instead] {
            assert!(said.contains(part), "{mode}: {part}: {refused:?}");
        }
        script(same);
        project.migrate(&["expand"]).expect_code(0);
        if mode != "ORACLE" {
            assert_eq!(
                db.value("SELECT sql_mode FROM information_schema.triggers WHERE trigger_schema = DATABASE()"),
                db.value("SELECT @@GLOBAL.sql_mode")
            );
        }
        db.execute("SET GLOBAL sql_mode = DEFAULT");
        project.migrate(&["log", "--verify"]).expect_code(0);
    }
}

#[test]
fn what_the_driver_asks_for_is_not_stored_on_a_strict_server() {
    let server = PrivateServer::start();
    let db = server.create("shop");
    let project = Project::new(&db, &["web"]);
    project.migration(
        "0001_x",
        &[
            ("migration.toml", "description = \"x\"\n"),
            (
                "expand.sql",
                "CREATE TABLE count (id int PRIMARY KEY, n int);\n\
                 CREATE TRIGGER tg BEFORE INSERT ON count FOR EACH ROW SET NEW.n = 1;\n",
            ),
        ],
    );
    project.migrate(&["expand"]).expect_code(0);
    assert_eq!(
        db.value("SELECT sql_mode FROM information_schema.triggers WHERE trigger_schema = 'shop'"),
        db.value("SELECT @@GLOBAL.sql_mode")
    );
}
