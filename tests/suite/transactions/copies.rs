//! What belongs to a table and not to its name: a copy that takes its place gets it in the same script, or stays out.

use crate::support::backend::Db;
use crate::support::shop::{Shop, said};

/// An identity of the copy begins at 1.
const SETVAL: &str = "SELECT setval(pg_get_serial_sequence('users', 'id'), max(id)) FROM users;\n";
const NUMBERED: &str = "SELECT setval(pg_get_serial_sequence('users', 'id'),";

fn swap(db: &Db, more: &str) -> (String, &'static str) {
    match db.backend.name {
        "postgres" => (
            format!(
                "CREATE TABLE users_new (LIKE users INCLUDING ALL);\nINSERT INTO users_new SELECT * FROM users;\n\
                 ALTER TABLE users RENAME TO users_old;\nALTER TABLE users_new RENAME TO users;\n{more}"
            ),
            "ALTER TABLE users RENAME TO users_old",
        ),
        "mysql" => (
            format!(
                "CREATE TABLE users_new LIKE users;\nINSERT INTO users_new SELECT * FROM users;\n\
                 RENAME TABLE users TO users_old, users_new TO users;\n{more}"
            ),
            "RENAME TABLE users TO users_old",
        ),
        _ => (
            format!(
                "CREATE TABLE users_new (id INTEGER PRIMARY KEY, full_name TEXT);\n\
                 INSERT INTO users_new SELECT id, full_name FROM users;\n\
                 ALTER TABLE users RENAME TO users_old;\nALTER TABLE users_new RENAME TO users;\n{more}"
            ),
            "ALTER TABLE users RENAME TO users_old",
        ),
    }
}

fn swapping(shop: &Shop, more: &str, allow: &[&str]) {
    let (script, renames) = swap(&shop.db, more);
    let mut manifest = "description = \"A copy of users\"\n".to_owned();
    // Nothing holds writes up there, and nobody writes.
    let copies = (shop.db.backend.name == "mysql").then_some(&"INSERT INTO users_new SELECT");
    for statement in allow.iter().chain([&renames]).chain(copies) {
        manifest.push_str(&format!(
            "[[expand.allow]]\nstatement = \"{statement}\"\nreason = \"a test\"\n"
        ));
    }
    shop.project.migration(
        "0001_swap",
        &[("migration.toml", &manifest), ("expand.sql", &script)],
    );
}

/// A table `orders` whose rows belong to those of `users`.
fn with_orders(db: Db) -> Shop {
    let shop = Shop::new(db);
    let key = match shop.db.backend.name {
        "mysql" => shop
            .db
            .value("SELECT column_type FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = 'users' AND column_name = 'id'"),
        _ => "BIGINT".to_owned(),
    };
    shop.db.execute(&format!(
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, buyer {key}, CONSTRAINT orders_buyer FOREIGN KEY (buyer) REFERENCES users (id)); \
         INSERT INTO orders VALUES (1, 1)"
    ));
    shop
}

scenario!(
    fn the_children_of_a_table_stay_with_its_name(db: Db) {
        let shop = with_orders(db);
        let own = match shop.db.backend.name {
            // Or the copy would be refused for the numbers that it gives out.
            "postgres" => SETVAL,
            _ => "",
        };
        let numbered = match shop.db.backend.name {
            "postgres" => &[NUMBERED][..],
            _ => &[],
        };
        swapping(&shop, own, numbered);
        let data = shop.data();
        let refused = shop.run(&["expand"], 1);
        for part in ["the foreign key of `orders`", "buyer", "place of `users`"] {
            assert!(said(&refused).contains(part), "{part}: {refused:?}");
        }
        assert_eq!(shop.data(), data, "nothing may be lost before it is said");
        assert_eq!(shop.phase(1), "pending");

        let again = match shop.db.backend.name {
            "postgres" => {
                "ALTER TABLE orders DROP CONSTRAINT orders_buyer, ADD CONSTRAINT orders_buyer FOREIGN KEY (buyer) REFERENCES users (id);\n"
            }
            "mysql" => {
                "ALTER TABLE orders DROP FOREIGN KEY orders_buyer;\nALTER TABLE orders ADD CONSTRAINT orders_buyer_2 FOREIGN KEY (buyer) REFERENCES users (id);\n"
            }
            // Its keys follow a name that is dropped and given anew.
            _ => {
                let script = "CREATE TABLE users_new (id INTEGER PRIMARY KEY, full_name TEXT);\nINSERT INTO users_new SELECT id, full_name FROM users;\n\
                     DROP TABLE users;\nALTER TABLE users_new RENAME TO users;\n";
                let manifest = "description = \"x\"\n[[expand.allow]]\nstatement = \"DROP TABLE users\"\nreason = \"a test\"\n";
                shop.project.migration(
                    "0001_swap",
                    &[("migration.toml", manifest), ("expand.sql", script)],
                );
                shop.run(&["expand"], 0);
                assert!(
                    shop.db
                        .try_execute("PRAGMA foreign_keys = ON; INSERT INTO orders VALUES (2, 99)")
                        .is_err()
                );
                return;
            }
        };
        let allow = match shop.db.backend.name {
            "postgres" => &["ALTER TABLE orders DROP CONSTRAINT", NUMBERED][..],
            _ => &[
                "ALTER TABLE orders DROP FOREIGN",
                "ALTER TABLE orders ADD CONSTRAINT",
            ],
        };
        swapping(&shop, &format!("{own}{again}"), allow);
        shop.run(&["expand"], 0);
        assert!(
            shop.db
                .try_execute("INSERT INTO orders VALUES (2, 99)")
                .is_err()
        );
    }
);

scenario!(
    /// A table that only gets another name keeps all it has, and so does one that nothing belongs to.
    fn a_table_that_is_renamed_is_not_accused(db: Db) {
        let shop = with_orders(db);
        shop.project.migration(
            "0001_rename",
            &[
                (
                    "migration.toml",
                    "description = \"x\"\n[[expand.allow]]\nstatement = \"ALTER TABLE users RENAME\"\nreason = \"a test\"\n",
                ),
                (
                    "expand.sql",
                    "ALTER TABLE users RENAME TO people;\nCREATE VIEW users AS SELECT * FROM people;\n",
                ),
            ],
        );
        shop.run(&["expand"], 0);
    }
);

/// Everything else that PostgreSQL knows a table by, and the statement that gives it to the copy.
#[test]
fn rights_policies_sequences_and_publications_are_no_part_of_a_copy() {
    for (before, what, again, allow) in [
        (
            "ALTER TABLE users ALTER id DROP IDENTITY; CREATE SEQUENCE ids OWNED BY users.id; ALTER TABLE users ALTER id SET DEFAULT nextval('ids')",
            "the sequence behind `id` (`ALTER SEQUENCE ids OWNED BY users.id`)",
            "ALTER SEQUENCE ids OWNED BY users.id;\n",
            &[][..],
        ),
        (
            "GRANT SELECT (full_name) ON users TO pg_monitor",
            "the right SELECT (full_name) of `pg_monitor`",
            "GRANT SELECT (full_name) ON users TO pg_monitor;\n",
            &["GRANT SELECT (full_name) ON users"],
        ),
        (
            "GRANT INSERT ON users TO pg_monitor",
            "the right INSERT of `pg_monitor` (`GRANT INSERT ON users TO pg_monitor`)",
            "GRANT INSERT ON users TO pg_monitor;\n",
            &["GRANT INSERT ON users TO"],
        ),
        (
            "ALTER TABLE users ENABLE ROW LEVEL SECURITY",
            "row level security",
            "ALTER TABLE users ENABLE ROW LEVEL SECURITY;\n",
            &["ALTER TABLE users ENABLE ROW"],
        ),
        (
            "CREATE POLICY mine ON users USING (id > 1)",
            "the policy `mine`",
            "CREATE POLICY mine ON users USING (id > 1);\n",
            &["CREATE POLICY mine ON users"],
        ),
        (
            "CREATE PUBLICATION feed FOR TABLE users",
            "its place in the publication `feed`",
            "ALTER PUBLICATION feed ADD TABLE users;\n",
            &["ALTER PUBLICATION feed ADD TABLE"],
        ),
        (
            "CREATE TABLE orgs (id int PRIMARY KEY); ALTER TABLE users ADD org int REFERENCES orgs (id)",
            "its foreign key (org) to `orgs`",
            "ALTER TABLE users ADD FOREIGN KEY (org) REFERENCES orgs (id);\n",
            &["ALTER TABLE users ADD FOREIGN KEY"],
        ),
    ] {
        let shop = Shop::new(Db::on("postgres"));
        shop.db.execute(before);
        let numbered = if before.contains("IDENTITY") {
            ("", &[][..])
        } else {
            (SETVAL, &[NUMBERED][..])
        };
        swapping(&shop, numbered.0, numbered.1);
        let data = shop.data();
        let refused = shop.run(&["expand"], 1);
        assert!(said(&refused).contains(what), "{before}: {refused:?}");
        assert_eq!(shop.data(), data, "{before}");

        let allow = [allow, numbered.1].concat();
        swapping(&shop, &format!("{}{again}", numbered.0), &allow);
        let ran = shop.project.migrate(&["expand"]);
        assert_eq!(ran.code, 0, "{before}: {ran:?}");
    }
}

/// An identity of the copy begins at 1: the next row would get the number of one that is there.
#[test]
fn numbers_are_not_given_out_twice() {
    let shop = Shop::new(Db::on("postgres"));
    shop.db.execute(
        "DROP TABLE users; CREATE TABLE users (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, full_name text); \
         INSERT INTO users (full_name) VALUES ('Ann'), ('Bob')",
    );
    swapping(&shop, "", &[]);
    let refused = shop.run(&["expand"], 1);
    assert!(said(&refused).contains("setval"), "{refused:?}");
    swapping(&shop, SETVAL, &[NUMBERED]);
    shop.run(&["expand"], 0);
    shop.db
        .execute("INSERT INTO users (full_name) VALUES ('Cyd')");
}

/// Rows that old versions write rely on them, and a copy has what its CREATE TABLE says.
#[test]
fn defaults_and_unique_indexes_are_made_for_the_copy_too() {
    const BEFORE: &str = "DROP TABLE users; CREATE TABLE users (id bigserial PRIMARY KEY, full_name text, email text NOT NULL DEFAULT 'x'); \
         CREATE UNIQUE INDEX mails ON users (lower(email)) WHERE full_name IS NOT NULL";
    const MAIL: &str =
        "CREATE UNIQUE INDEX again ON users (lower(email)) WHERE full_name IS NOT NULL;\n";
    let swap = |columns: &str, more: &str| {
        format!(
            "CREATE TABLE users_new ({columns});\nINSERT INTO users_new SELECT id, full_name, email FROM users;\n\
             DROP TABLE users;\nALTER TABLE users_new RENAME TO users;\n{more}"
        )
    };
    let identity = "id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, full_name text";
    for (script, missed) in [
        (
            swap(
                &format!("{identity}, email text NOT NULL DEFAULT 'y'"),
                MAIL,
            ),
            None,
        ),
        (
            swap(&format!("{identity}, email text NOT NULL DEFAULT 'x'"), ""),
            Some("the unique index (lower(email))"),
        ),
        (
            swap(&format!("{identity}, email text NOT NULL"), MAIL),
            Some(
                "the default of `email` (`ALTER TABLE users ALTER COLUMN email SET DEFAULT 'x'::text`)",
            ),
        ),
        (
            swap(&format!("{identity}, email text DEFAULT 'x'"), MAIL),
            Some("NOT NULL of `email`"),
        ),
        (
            swap(
                "id bigint GENERATED BY DEFAULT AS IDENTITY, full_name text, email text NOT NULL DEFAULT 'x'",
                MAIL,
            ),
            Some("the unique index (id)"),
        ),
        // What is taken away by name is meant.
        (
            format!(
                "DROP INDEX mails;\nALTER TABLE users ALTER COLUMN email DROP DEFAULT;\nALTER TABLE users ALTER COLUMN email DROP NOT NULL;\n{}",
                swap(&format!("{identity}, email text"), "")
            ),
            None,
        ),
    ] {
        let shop = Shop::new(Db::on("postgres"));
        shop.db.execute(BEFORE);
        shop.project.migration(
            "0001_swap",
            &[
                (
                    "migration.toml",
                    "description = \"x\"\n[services.web]\nold = \"<2.0.0\"\n",
                ),
                ("contract.sql", &script),
            ],
        );
        let data = shop.data();
        let ran = shop.project.migrate(&["contract"]);
        match missed {
            None => assert_eq!(ran.code, 0, "{script}: {ran:?}"),
            Some(what) => {
                assert_eq!(ran.code, 1, "{script}: {ran:?}");
                assert!(said(&ran).contains(what), "{what}: {ran:?}");
                assert_eq!(shop.data(), data, "{script}");
            }
        }
    }
}

fn new_accounts(columns: &str) -> Shop {
    let shop = Shop::new(Db::on("mysql"));
    shop.db.execute(&format!(
        "CREATE TABLE accounts ({columns}, UNIQUE accounts_mail (mail)); INSERT INTO accounts (mail) VALUES ('a'), ('b')"
    ));
    shop
}

/// Statement by statement there is no way back, so it is said before the copy takes the place.
#[test]
fn a_copy_on_mysql_has_what_keeps_and_fills_its_rows() {
    const COPY: &str = "INSERT INTO accounts_new (id, mail, state, seen) SELECT id, mail, state, seen FROM accounts";
    let columns = "id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, mail VARCHAR(100), state VARCHAR(10) DEFAULT 'new', \
         seen TIMESTAMP NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP";
    let run = |shop: &Shop, columns: &str, later: &str, code: i32| {
        let script = format!(
            "CREATE TABLE accounts_new {columns};\n{COPY};\nRENAME TABLE accounts TO accounts_old, accounts_new TO accounts;\n{later}"
        );
        let mut manifest = "description = \"A copy\"\n".to_owned();
        let added = (!later.is_empty()).then_some("ALTER TABLE accounts ADD");
        let allowed = ["RENAME TABLE accounts TO", "INSERT INTO accounts_new"];
        for statement in allowed.into_iter().chain(added) {
            manifest.push_str(&format!(
                "[[expand.allow]]\nstatement = \"{statement}\"\nreason = \"a test\"\n"
            ));
        }
        shop.project.migration(
            "0001_swap",
            &[("migration.toml", &manifest), ("expand.sql", &script)],
        );
        shop.run(&["expand"], code)
    };
    let unique = |columns: &str| format!("({columns}, UNIQUE (mail))");
    for (copy, missed) in [
        (format!("({columns})"), "its unique index (mail)"),
        (
            unique(&columns.replace(" AUTO_INCREMENT", "")),
            "AUTO_INCREMENT of `id`",
        ),
        (
            unique(&columns.replace(" DEFAULT 'new'", "")),
            "the default of `state`",
        ),
        (
            unique(&columns.replace(" ON UPDATE CURRENT_TIMESTAMP", "")),
            "`seen` on update",
        ),
        (
            format!("({columns}, UNIQUE (mail(10)))"),
            "its unique index (mail)",
        ),
    ] {
        let shop = new_accounts(columns);
        let refused = run(&shop, &copy, "", 1);
        assert!(said(&refused).contains(missed), "{missed}: {refused:?}");
        let old = shop.db.value(
            "SELECT count(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = 'accounts_old'",
        );
        assert_eq!(old, "0", "{missed}: it was swapped");
    }
    // The way out that is named: by hand, and the same command goes on.
    let shop = new_accounts(columns);
    run(&shop, &format!("({columns})"), "", 1);
    shop.db
        .execute("ALTER TABLE accounts_new ADD UNIQUE (mail)");
    shop.run(&["expand"], 0);
    // All of it, under whatever name, or what comes afterwards.
    for (copy, later) in [
        ("LIKE accounts".to_owned(), ""),
        (
            format!("({columns})"),
            "ALTER TABLE accounts ADD UNIQUE accounts_mail (mail);\n",
        ),
        (format!("({columns}, UNIQUE another_name (mail))"), ""),
    ] {
        run(&new_accounts(columns), &copy, later, 0);
    }
}

scenario!(
    /// What no text shows: the view that the copy is filled from leaves rows out.
    fn a_copy_has_all_rows_or_stays(db: Db) {
        // Each statement is committed at once there.
        if db.backend.name == "mysql" {
            return;
        }
        let shop = Shop::new(db);
        shop.db
            .execute("CREATE VIEW users_seen AS SELECT * FROM users WHERE id < 4");
        let swapped = |from: &str| {
            let (make, own) = match shop.db.backend.name {
                "postgres" => ("(LIKE users INCLUDING ALL)", SETVAL),
                _ => ("(id INTEGER PRIMARY KEY, full_name TEXT)", ""),
            };
            let script = format!(
                "CREATE TABLE users_new {make};\nINSERT INTO users_new (id, full_name) SELECT id, full_name FROM {from};\n\
                 ALTER TABLE users RENAME TO users_old;\nALTER TABLE users_new RENAME TO users;\n{own}"
            );
            let mut manifest = "description = \"A copy of users\"\n".to_owned();
            let renames = ["ALTER TABLE users RENAME TO users_old"];
            let numbered = (!own.is_empty()).then_some(NUMBERED);
            for statement in renames.into_iter().chain(numbered) {
                manifest.push_str(&format!(
                    "[[expand.allow]]\nstatement = \"{statement}\"\nreason = \"a test\"\n"
                ));
            }
            shop.project.migration(
                "0001_swap",
                &[("migration.toml", &manifest), ("expand.sql", &script)],
            );
        };
        swapped("users_seen");
        let data = shop.data();
        let refused = shop.project.migrate(&["expand"]);
        assert_ne!(refused.code, 0, "{refused:?}");
        assert_eq!(shop.data(), data);
        swapped("users");
        shop.run(&["expand"], 0);
        assert_eq!(shop.db.value("SELECT count(*) FROM users"), "5");
    }
);
