//! What stands beside the columns that change: indexes, and what else is said of them.

use crate::support::backend::Db;
use crate::support::shop::Shop;

const SERVICES: &str = "[services.web]\nold = \"<1.2.0\"\nnew = \">=1.1.0\"\n";

/// A shop whose `users` is made by its first migration, so that its files say what it is, and a second one that is declared
/// like this.
fn shop(db: Db, change: &str) -> Shop {
    let shop = Shop::new(db);
    shop.db.execute("DROP TABLE users");
    let text = "varchar(50)";
    shop.project.migration(
        "0001_users",
        &[
            ("migration.toml", "description = \"Users\"\n[services.web]\nnew = \">=1.0.0\"\n"),
            (
                "expand.sql",
                &format!(
                    "CREATE TABLE users (id {}, email {text} NOT NULL DEFAULT 'nobody', nick {text});\n\
                     CREATE UNIQUE INDEX users_email ON users (email);\nCREATE INDEX users_both ON users (nick, email);\n",
                    shop.db.backend.key
                ),
            ),
        ],
    );
    shop.run(&["expand"], 0);
    let manifest = format!("description = \"It changes\"\n{change}\n");
    shop.project
        .migration("0002_change", &[("migration.toml", &manifest)]);
    shop
}

/// A role that may read this column alone, where there are roles.
fn reader_of_email(db: &Db) -> Option<String> {
    if db.backend.name == "sqlite" {
        return None;
    }
    let reader = format!("reader_{:08x}", fastrand::u32(..));
    db.execute(&format!("CREATE ROLE {reader}"));
    db.execute(&format!("GRANT SELECT (email) ON users TO {reader}"));
    Some(reader)
}

/// A query for how many columns of the table it may read.
fn columns_of(reader: &str) -> String {
    format!(
        "SELECT count(DISTINCT column_name) FROM information_schema.column_privileges \
         WHERE table_name = 'users' AND grantee LIKE '%{reader}%'"
    )
}

scenario!(
    fn a_unique_index_is_carried_over_to_the_new_column(db: Db) {
        let shop = shop(
            db,
            &format!(
                "{SERVICES}[change]\nkind = \"columns\"\ntable = \"users\"\nkey = \"id\"\nold = [\"email\"]\nnew = {{ mail = \"varchar(80)\" }}\n\
                 forward = {{ mail = \"email\" }}\nback = {{ email = \"mail\" }}\ndrop_indexes = [\"users_both\"]\n\
                 [change.indexes]\nusers_mail = {{ columns = [\"mail\"], unique = true, replaces = \"users_email\" }}"
            ),
        );
        shop.run(&["generate", "2"], 0);
        let checked = shop.run(&["check"], 0);
        assert_eq!(checked.stderr, "", "{checked:?}");
        shop.db
            .execute("INSERT INTO users (email, nick) VALUES ('a@x', 'a'), ('b@x', 'b')");
        let reader = reader_of_email(&shop.db);
        let expanded = shop.run(&["expand"], 0).stdout;
        match reader {
            Some(reader) => {
                let grant = expanded
                    .split('`')
                    .find(|said| said.starts_with("GRANT"))
                    .unwrap_or_else(|| panic!("{expanded}"));
                assert!(grant.contains(&reader), "{grant}");
                shop.db.execute(grant);
                assert_eq!(shop.db.value(&columns_of(&reader)), "2");
                shop.db.execute(&format!(
                    "REVOKE SELECT (email, mail) ON users FROM {reader}"
                ));
                shop.db.execute(&format!("DROP ROLE {reader}"));
            }
            None => assert!(!expanded.contains("GRANT"), "{expanded}"),
        }
        shop.run(&["backfill"], 0);
        for refused in [
            "INSERT INTO users (email) VALUES ('a@x')",
            "INSERT INTO users (mail) VALUES ('b@x')",
            "UPDATE users SET mail = 'a@x' WHERE nick = 'b'",
        ] {
            let refused = shop.db.try_execute(refused);
            assert!(refused.is_err(), "twice");
        }
        shop.db.execute("INSERT INTO users (mail) VALUES ('c@x')");
        shop.run(&["contract"], 0);
        let refused = shop
            .db
            .try_execute("INSERT INTO users (mail) VALUES ('a@x')");
        assert!(refused.is_err(), "twice");
        shop.db.execute("INSERT INTO users (mail) VALUES ('d@x')");
        assert_eq!(shop.db.value("SELECT count(*) FROM users"), "4");
    }
);

scenario!(
    fn a_foreign_key_is_asked_about_and_can_hold_all_the_time(db: Db) {
        let shop = Shop::with_config(db, "[services.web]\nmin_instances = 0\n");
        let is_sqlite = shop.db.backend.name == "sqlite";
        let team = match shop.db.backend.name {
            "sqlite" => "team_id integer REFERENCES teams (id)",
            _ => "team_id integer, FOREIGN KEY (team_id) REFERENCES teams (id)",
        };
        shop.project.migration(
            "0001_members",
            &[
                ("migration.toml", "description = \"Members\"\n"),
                (
                    "expand.sql",
                    &format!(
                        "CREATE TABLE teams (id integer PRIMARY KEY);\nCREATE TABLE members (id integer PRIMARY KEY, {team});\n\
                         INSERT INTO teams VALUES (1);\nINSERT INTO members VALUES (1, 1);\n"
                    ),
                ),
            ],
        );
        shop.run(&["expand"], 0);
        let rename = ["new", "crew", "--rename", "members.team_id=crew_id"];
        let ranges = ["--old", "<1.2.0", "--new", ">=1.1.0"];
        let asked = shop.run(&[&rename[..], &ranges].concat(), 0);
        let goes = "goes with its column at the contract, and nothing refuses then what it refused";
        assert!(asked.stderr.contains(goes), "{asked:?}");
        let manifest = shop.project.path().join("0002_crew/migration.toml");
        let text = std::fs::read_to_string(&manifest).expect("it was written");
        if shop.db.backend.name == "mysql" {
            assert!(
                text.contains("drop_constraints = [\"members_ibfk_1\"]"),
                "{text}"
            );
        } else {
            let checked = shop.run(&["check"], 0);
            assert!(checked.stderr.contains(goes), "{checked:?}");
            let said = "\ndrop_constraints = [\"members_team_id_fkey\"]\n[change.new.";
            let text = text.replacen("\n[change.new.", said, 1);
            std::fs::write(&manifest, text).expect("it can be written");
        }
        let checked = shop.run(&["check"], 0);
        assert!(!checked.stderr.contains(goes), "{checked:?}");
        shop.run(&["expand"], 0);
        shop.run(&["backfill"], 0);
        if !is_sqlite {
            // Before the old one goes there is one over the new column.
            let again = [
                "new",
                "of_crew",
                "--foreign-key",
                "members.crew_id=teams.id",
            ];
            shop.run(&again, 0);
            shop.run(&["check"], 0);
            shop.run(&["expand"], 0);
            shop.run(&["contract", "3"], 0);
        }
        shop.run(&["contract", "2"], 0);
        let nobody = shop
            .db
            .try_execute("INSERT INTO members (id, crew_id) VALUES (2, 99)");
        assert_eq!(nobody.is_ok(), is_sqlite, "{nobody:?}");
        shop.db
            .execute("INSERT INTO members (id, crew_id) VALUES (3, 1)");
    }
);

scenario!(
    fn an_index_goes_before_its_column(db: Db) {
        let change = "[services.web]\nold = \"<1.2.0\"\n[change]\nkind = \"drop-column\"\ntable = \"users\"\ncolumns = [\"nick\"]\n";
        let shop = shop(db, change);
        if shop.db.backend.name == "sqlite" {
            let refused = shop.run(&["generate", "2"], 1);
            assert!(
                refused.stderr.contains("drop_indexes = [\"users_both\"]"),
                "{refused:?}"
            );
        }
        let said =
            format!("description = \"It changes\"\n{change}drop_indexes = [\"users_both\"]\n");
        shop.project
            .migration("0002_change", &[("migration.toml", &said)]);
        shop.run(&["generate", "2"], 0);
        shop.run(&["check"], 0);
        shop.run(&["contract"], 0);
        shop.db.execute("CREATE INDEX users_both ON users (email)");
    }
);

scenario!(
    fn a_text_becomes_longer_and_stays_what_else_it_is(db: Db) {
        let change = "[services.web]\nnew = \">=1.2.0\"\n[change]\nkind = \"widen\"\ntable = \"users\"\ncolumn = \"email\"\n\
            from = { postgres = \"varchar(50)\", mysql = \"varchar(50) NOT NULL DEFAULT 'nobody'\", sqlite = \"varchar(50)\" }\n\
            to = { postgres = \"varchar(60)\", mysql = \"varchar(60) NOT NULL DEFAULT 'nobody'\", sqlite = \"varchar(60)\" }\n";
        let shop = shop(db, change);
        if shop.db.backend.name == "sqlite" {
            let refused = shop.run(&["generate", "2"], 1);
            assert!(refused.stderr.contains("nothing to widen"), "{refused:?}");
            return;
        }
        shop.run(&["generate", "2"], 0);
        shop.run(&["check"], 0);
        shop.run(&["expand"], 0);
        let long = "x".repeat(60);
        shop.db
            .execute(&format!("INSERT INTO users (email) VALUES ('{long}')"));
        let refused = shop
            .db
            .try_execute("INSERT INTO users (email) VALUES (NULL)");
        assert!(refused.is_err(), "NULL was taken");
        shop.db.execute("INSERT INTO users (nick) VALUES ('n')");
        assert_eq!(
            shop.db.value("SELECT email FROM users WHERE nick = 'n'"),
            "nobody"
        );
    }
);

#[test]
fn what_mysql_would_forget_is_said_before() {
    let db = Db::on("mysql");
    let change = "[services.web]\nnew = \">=1.2.0\"\n[change]\nkind = \"widen\"\ntable = \"users\"\ncolumn = \"email\"\n\
        from = \"varchar(50)\"\nto = \"varchar(60)\"\n";
    let shop = shop(db, change);
    for command in ["check", "generate"] {
        let refused = shop.run(&[command], 1);
        assert!(refused.stderr.contains("contradicts-table"), "{refused:?}");
    }
    assert!(!shop.project.path().join("0002_change/expand.sql").exists());
}
