//! What hangs on a column beside its type goes along with it, or is told.

use crate::support::backend::Db;
use crate::support::shop::Shop;

/// A shop with `users` as the first migration makes it.
fn shop(db: Db, scripts: &str) -> Shop {
    let shop = Shop::with_config(db, "[services.web]\nmin_instances = 0\n");
    shop.db.execute("DROP TABLE users");
    let manifest = "description = \"Users\"\n";
    let files = [("migration.toml", manifest), ("expand.sql", scripts)];
    shop.project.migration("0001_users", &files);
    shop.run(&["expand"], 0);
    shop
}

fn asked(shop: &Shop, what: &[&str]) {
    let ranges = ["--old", "<1.2.0", "--new", ">=1.1.0"];
    shop.run(&[&["new", "change"], what, &ranges].concat(), 0);
}

scenario!(
    fn what_a_column_is_compared_by_goes_along(db: Db) {
        let (before, email) = match db.backend.name {
            "postgres" => (
                "CREATE COLLATION alike (provider = icu, locale = 'und-u-ks-level2', deterministic = false);\n",
                "text COLLATE alike NOT NULL",
            ),
            "mysql" => (
                "",
                "varchar(50) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT (uuid())",
            ),
            _ => ("", "text COLLATE NOCASE"),
        };
        let is_alike = db.backend.name != "mysql";
        let scripts = format!(
            "{before}CREATE TABLE users (id integer PRIMARY KEY, email {email});\nCREATE UNIQUE INDEX users_email ON users (email);\n"
        );
        let shop = shop(db, &scripts);
        shop.db
            .execute("INSERT INTO users (id, email) VALUES (1, 'Ada')");
        asked(&shop, &["--rename", "users.email=mail"]);
        for command in ["check", "expand", "backfill", "contract"] {
            shop.run(&[command], 0);
        }
        let found = shop
            .db
            .value("SELECT count(*) FROM users WHERE mail = 'ADA'");
        assert_eq!(found, if is_alike { "1" } else { "0" });
        let again = shop
            .db
            .try_execute("INSERT INTO users (id, mail) VALUES (2, 'ada')");
        assert_eq!(again.is_err(), is_alike, "{again:?}");
        if !is_alike {
            // Its default is worked out for each row.
            shop.db.execute("INSERT INTO users (id) VALUES (3)");
            let nothing = shop
                .db
                .try_execute("INSERT INTO users (id, mail) VALUES (4, NULL)");
            assert!(nothing.is_err(), "NULL was taken");
        }
    }
);

#[test]
fn the_moment_of_a_row_goes_along_on_mysql() {
    let kinds = [
        "datetime NOT NULL DEFAULT CURRENT_TIMESTAMP",
        "timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP()",
        "datetime(6) NOT NULL DEFAULT NOW(6)",
        "datetime DEFAULT CURRENT_TIMESTAMP",
    ];
    let columns: String = (0..kinds.len())
        .map(|at| format!(", a{at} {}", kinds[at]))
        .collect();
    let shop = shop(
        Db::on("mysql"),
        &format!("CREATE TABLE users (id integer PRIMARY KEY{columns});\n"),
    );
    shop.db.execute("INSERT INTO users (id) VALUES (1)");
    for at in 0..kinds.len() {
        asked(&shop, &["--rename", &format!("users.a{at}=b{at}")]);
        for command in ["check", "expand", "backfill", "contract"] {
            shop.run(&[command], 0);
        }
    }
    shop.db.execute("INSERT INTO users (id) VALUES (2)");
    let found = shop.db.value(
        "SELECT count(*) FROM users WHERE b0 > '2020-01-01' AND b1 = b0 AND b2 >= b0 AND b3 = b0 AND id = 2",
    );
    assert_eq!(found, "1");
}

scenario!(
    fn half_an_expand_is_taken_back(db: Db) {
        let is_whole_or_not = db.backend.name == "sqlite";
        let shop = shop(
            db,
            "CREATE TABLE users (id integer PRIMARY KEY, email varchar(50));\nCREATE INDEX users_email ON users (email);\n",
        );
        asked(&shop, &["--rename", "users.email=mail"]);
        let expand = shop.project.path().join("0002_change/expand.sql");
        let made = std::fs::read_to_string(expand).expect("it was written");
        let (_, index) = made.split_once("INDEX ").expect("an index is built");
        let index = index.trim_start_matches("CONCURRENTLY ");
        let index = index.split(' ').next().expect("its name");
        let columns = || {
            let named = shop.db.try_execute("SELECT mail FROM users");
            named.is_ok()
        };
        for _ in 0..2 {
            // So that it stops with the columns there, and neither the index nor the triggers.
            shop.db
                .execute(&format!("CREATE INDEX {index} ON users (id)"));
            shop.run(&["expand"], 1);
            let phase = if is_whole_or_not {
                "pending"
            } else {
                "expanding"
            };
            assert_eq!((&*shop.phase(2), columns()), (phase, !is_whole_or_not));
            let drop = match shop.db.backend.name {
                "mysql" => format!("DROP INDEX {index} ON users"),
                _ => format!("DROP INDEX {index}"),
            };
            shop.db.execute(&drop);
            shop.run(&["revert", "2"], 0);
            assert_eq!((&*shop.phase(2), columns()), ("pending", false));
        }
        // And a whole one as before.
        shop.run(&["expand"], 0);
        assert!(columns());
        shop.run(&["revert", "2"], 0);
        assert_eq!((&*shop.phase(2), columns()), ("pending", false));
        shop.run(&["expand"], 0);
        shop.run(&["log", "--verify"], 0);
    }
);

/// That an expand is refused by what the database alone knows, and leaves nothing behind.
#[track_caller]
fn refused(shop: &Shop, part: &str) {
    let refused = shop.run(&["expand"], 1);
    assert!(refused.stderr.contains(part), "{refused:?}");
    assert!(
        refused
            .stderr
            .contains("no statement of this expand was run"),
        "{refused:?}"
    );
    assert_eq!(shop.phase(2), "pending");
}

#[test]
fn what_triggers_of_postgres_do_not_see_is_refused_before_them() {
    let table = "CREATE TABLE users (id integer PRIMARY KEY, name text);\n";
    let shop = shop(Db::on("postgres"), table);
    shop.db
        .execute("CREATE TABLE admins (level integer) INHERITS (users)");
    asked(&shop, &["--rename", "users.name=nom"]);
    shop.run(&["check"], 0);
    refused(&shop, "`admins` inherits from `users`");
    shop.db.execute(
        "DROP TABLE admins; CREATE TABLE told (id integer); \
         CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO told VALUES (NEW.id); RETURN NULL; END'; \
         CREATE TRIGGER tell AFTER UPDATE OF name ON users FOR EACH ROW EXECUTE FUNCTION tell()",
    );
    refused(&shop, "`tell` of `users` fires for `UPDATE OF name`");
    // As it is advised.
    shop.db.execute(
        "DROP TRIGGER tell ON users; CREATE TRIGGER tell AFTER UPDATE ON users FOR EACH ROW \
         WHEN (OLD.name IS DISTINCT FROM NEW.name) EXECUTE FUNCTION tell()",
    );
    shop.run(&["expand"], 0);
    shop.db
        .execute("INSERT INTO users (id, nom) VALUES (1, 'a')");
    shop.db.execute("UPDATE users SET nom = 'b'");
    assert_eq!(shop.db.value("SELECT count(*) FROM told"), "1");
}

#[test]
fn what_triggers_of_mysql_do_not_see_is_refused_before_them() {
    let tables = "CREATE TABLE teams (id integer PRIMARY KEY);\nCREATE TABLE users (id integer PRIMARY KEY, team integer);\n";
    let shop = shop(Db::on("mysql"), tables);
    let key = |action: &str| {
        format!(
            "ALTER TABLE users ADD CONSTRAINT of_team FOREIGN KEY (team) REFERENCES teams (id) {action}"
        )
    };
    asked(&shop, &["--rename", "users.team=crew"]);
    for action in ["ON DELETE SET NULL", "ON UPDATE CASCADE"] {
        shop.db.execute(&key(action));
        refused(
            &shop,
            "the foreign key `of_team` gives `team` of `users` another value",
        );
        shop.db
            .execute("ALTER TABLE users DROP FOREIGN KEY of_team");
    }
    shop.db.execute(&key("ON DELETE RESTRICT"));
    shop.run(&["expand"], 0);
}

#[test]
fn a_replica_identity_does_not_go_with_its_column() {
    let table = "CREATE TABLE users (id integer PRIMARY KEY, code text NOT NULL);\nCREATE UNIQUE INDEX by_code ON users (code);\n";
    let shop = shop(Db::on("postgres"), table);
    shop.db
        .execute("ALTER TABLE users REPLICA IDENTITY USING INDEX by_code");
    let index = [
        "new",
        "index",
        "--drop-index",
        "users.by_code",
        "--old",
        "<1.2.0",
    ];
    shop.run(&index, 0);
    asked(
        &shop,
        &["--drop", "users.code", "--fill", "md5(random()::text)"],
    );
    shop.run(&["expand"], 0);
    for number in ["2", "3"] {
        let refused = shop.project.migrate(&["gate", "contract", number]);
        assert_ne!(refused.code, 0, "{refused:?}");
        assert!(
            refused.stdout.contains("the replica identity of `users`"),
            "{refused:?}"
        );
    }
    shop.db
        .execute("ALTER TABLE users REPLICA IDENTITY DEFAULT");
    shop.run(&["contract", "2"], 0);
}
