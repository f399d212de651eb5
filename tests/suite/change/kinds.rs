//! Changes that leave every row as it is: a table by another name, more values of an enumeration, another default.

use crate::support::backend::{Db, Ledger};
use crate::support::project::Project;
use crate::support::shop::Shop;

const SERVICES: &str = "[services.web]\nold = \"<1.2.0\"\nnew = \">=1.1.0\"\n";

/// A shop with one migration that is declared like this, generated and without a fault.
fn declared(db: Db, change: &str) -> Shop {
    let shop = Shop::new(db);
    shop.db.execute(&format!(
        "ALTER TABLE users ADD COLUMN logins integer NOT NULL DEFAULT 7; \
         CREATE TABLE notes (id integer PRIMARY KEY, user_id {}, FOREIGN KEY (user_id) REFERENCES users (id))",
        match shop.db.backend.name {
            "sqlite" => "integer",
            _ => "bigint",
        }
    ));
    shop.project.migration(
        "0001_change",
        &[(
            "migration.toml",
            &format!("description = \"It changes\"\n{change}\n"),
        )],
    );
    shop.run(&["generate"], 0);
    let checked = shop.run(&["check"], 0);
    assert_eq!(checked.stderr, "", "{checked:?}");
    shop
}

const RENAMED: &str = "[change]\nkind = \"rename-table\"\ntable = \"users\"\nto = \"people\"\nkey = \"id\"\n\
    columns = [\"id\", \"full_name\", \"logins\"]\n[change.defaults]\nlogins = \"7\"\n";

scenario!(
    fn a_table_is_written_under_both_names_until_the_contract(db: Db) {
        let shop = declared(db, &format!("{SERVICES}{RENAMED}"));
        let before = shop.db.dump(Ledger::Excluded);
        shop.run(&["expand"], 0);
        shop.run(&["revert", "1"], 0);
        assert_eq!(shop.db.dump(Ledger::Excluded), before);
        shop.run(&["expand"], 0);
        for (table, other) in [("users", "people"), ("people", "users")] {
            for statement in [
                format!("INSERT INTO {table} (id, full_name) VALUES (10, 'new'), (11, NULL)"),
                format!(
                    "UPDATE {table} SET full_name = 'changed', logins = logins + 1 WHERE id < 11"
                ),
                format!("UPDATE {table} SET id = 12 WHERE id = 11"),
            ] {
                shop.db.execute(&statement);
            }
            let seen =
                format!("SELECT id, full_name, logins FROM {other} WHERE id > 9 ORDER BY id");
            assert_eq!(
                shop.db.query(&seen),
                [["10", "changed", "8"], ["12", "NULL", "7"]],
                "written as {table}"
            );
            shop.db
                .execute(&format!("DELETE FROM {table} WHERE id > 9"));
            assert_eq!(shop.db.query(&seen).len(), 0, "deleted from {table}");
        }
        if shop.db.backend.name != "sqlite" {
            // What gives out keys does so under either name, and rows that are there already are met.
            let upsert = match shop.db.backend.name {
                "postgres" => "ON CONFLICT (id) DO UPDATE SET full_name = 'met'",
                _ => "ON DUPLICATE KEY UPDATE full_name = 'met'",
            };
            shop.db
                .execute("INSERT INTO people (full_name) VALUES ('given')");
            shop.db.execute(&format!(
                "INSERT INTO people (id, full_name) VALUES (1, 'x') {upsert}"
            ));
            assert_eq!(
                shop.db.value("SELECT full_name FROM users WHERE id = 1"),
                "met"
            );
        }
        let count = shop.db.value("SELECT count(*) FROM users");
        let contracted = shop.run(&["contract"], 0);
        // What leads to the table leads to it still.
        assert!(!contracted.stderr.contains("WARNING"), "{contracted:?}");
        let astray = shop.db.try_execute("INSERT INTO notes VALUES (1, 77)");
        assert!(
            astray.is_err() || shop.db.backend.name == "sqlite",
            "it leads nowhere"
        );
        assert_eq!(shop.db.value("SELECT count(*) FROM people"), count);
        shop.db
            .execute("INSERT INTO people (full_name) VALUES ('after')");
        assert_eq!(
            shop.db
                .value("SELECT logins FROM people WHERE full_name = 'after'"),
            "7"
        );
        assert!(
            shop.db.try_execute("SELECT * FROM users").is_err(),
            "the old name is gone"
        );
    }
);

scenario!(
    fn what_comes_after_a_renamed_table_says_that_its_contract_comes_first(db: Db) {
        let shop = declared(db, &format!("{SERVICES}{RENAMED}"));
        shop.project.migration(
            "0002_more",
            &[
                ("migration.toml", "description = \"More\"\n"),
                (
                    "expand.sql",
                    "ALTER TABLE people ADD COLUMN more integer;\n",
                ),
            ],
        );
        let stopped = shop.run(&["expand"], 11);
        assert!(
            stopped
                .stdout
                .contains("people is a view until 0001_change is contracted"),
            "{stopped:?}"
        );
        // There were tables before: who may be using them nobody knows.
        assert_eq!(shop.phase(1), "expanded");
        shop.run(&["contract", "0001_change"], 0);
        shop.run(&["expand"], 0);
        shop.db
            .execute("INSERT INTO people (full_name, more) VALUES ('after', 1)");
    }
);

fn renamed_column(old: &str, new: &str, versions: (&str, &str)) -> String {
    format!(
        "description = \"Rename\"\n[services.web]\nold = \"{}\"\nnew = \"{}\"\n[change]\nkind = \"columns\"\ntable = \"users\"\n\
         key = \"id\"\nold = [\"{old}\"]\nnew.{new} = {{ type = \"varchar(200)\" }}\nforward = {{ {new} = \"{old}\" }}\n\
         back = {{ {old} = \"{new}\" }}\n",
        versions.0, versions.1
    )
}

scenario!(
    fn what_changes_columns_that_are_kept_in_step_waits_for_their_contract(db: Db) {
        let shop = Shop::new(db);
        let first = renamed_column("full_name", "nom", ("<1.2.0", ">=1.1.0"));
        let second = renamed_column("nom", "naam", (">=1.1.0, <1.4.0", ">=1.3.0"));
        shop.project
            .migration("0001_nom", &[("migration.toml", &first)]);
        shop.project.migration(
            "0002_other",
            &[
                ("migration.toml", "description = \"Other\"\n"),
                (
                    "expand.sql",
                    "ALTER TABLE users ADD COLUMN other integer;\n",
                ),
            ],
        );
        shop.project
            .migration("0003_naam", &[("migration.toml", &second)]);
        shop.run(&["generate"], 0);
        let stopped = shop.run(&["expand"], 11);
        assert!(
            stopped
                .stdout
                .contains("0001_nom keeps users.full_name and users.nom in step"),
            "{stopped:?}"
        );
        let gate = shop.json(&["gate", "expand", "3"], 11);
        assert_eq!(gate["blockers"][0]["kind"], "contract_first", "{gate}");
        assert_eq!(gate["blockers"][0]["details"]["of"], "0001_nom", "{gate}");
        let help = gate["blockers"][0]["help"].to_string();
        assert!(help.contains("migrate backfill 0001_nom"), "{gate}");
        shop.run(&["backfill", "1"], 0);
        shop.run(&["contract", "1"], 0);
        shop.run(&["expand"], 0);
        shop.db
            .execute("INSERT INTO users (id, naam) VALUES (77, 'new')");
        assert_eq!(shop.db.value("SELECT nom FROM users WHERE id = 77"), "new");
    }
);

/// A project that makes `users` and renames a column of it twice, over a database that is empty.
fn nothing_yet(db: Db, config: &str, [nom, naam]: [&str; 2]) -> Shop {
    let users = format!(
        "CREATE TABLE users (id {}, full_name VARCHAR(200));\n",
        db.backend.key
    );
    let plain = "description = \"Plain\"\n";
    let project = Project::new(&db, &[]);
    project.file("migrate.toml", config);
    project.migration(
        "0001_users",
        &[("migration.toml", plain), ("expand.sql", &users)],
    );
    for (id, text) in [("0002_nom", nom), ("0003_naam", naam)] {
        project.migration(id, &[("migration.toml", text)]);
    }
    let shop = Shop { db, project };
    shop.run(&["generate"], 0);
    shop
}

scenario!(
    fn in_a_database_in_which_nothing_is_yet_the_contract_comes_by_itself(db: Db) {
        let versions = ("<1.2.0", ">=1.1.0");
        // Nobody was ever live here who could be gone for a day.
        let nom = renamed_column("full_name", "nom", versions) + "[contract]\nsoak = \"24h\"\n";
        let naam = renamed_column("nom", "naam", (">=1.1.0, <1.4.0", ">=1.3.0"));
        let shop = nothing_yet(db, "[services.web]\n", [&nom, &naam]);
        let expanded = shop.run(&["expand"], 0);
        assert!(
            expanded.stdout.contains("contracted 0002_nom"),
            "{expanded:?}"
        );
        assert_eq!(shop.phase(2), "contracted");
        assert_eq!(shop.phase(3), "expanded");
        assert!(
            shop.run(&["log"], 0)
                .stdout
                .contains("nothing was in this database before"),
            "why nobody had to be seen is recorded"
        );
        shop.db
            .execute("INSERT INTO users (id, nom) VALUES (1, 'new')");
        assert_eq!(shop.db.value("SELECT naam FROM users"), "new");
    }
);

scenario!(
    fn who_shows_nothing_may_hide_a_fleet_from_a_new_database_too(db: Db) {
        let nom = renamed_column("full_name", "nom", ("<1.2.0", ">=1.1.0"));
        let naam = renamed_column("nom", "naam", (">=1.1.0, <1.4.0", ">=1.3.0"));
        let fails = "[services.web]\n[fleet]\nsources = [{ kind = \"command\", name = \"list\", run = [\"false\"] }]\n";
        let shop = nothing_yet(db, fails, [&nom, &naam]);
        let stopped = shop.run(&["expand"], 11);
        assert!(
            stopped.stdout.contains("the source `list` failed"),
            "{stopped:?}"
        );
        assert_eq!(shop.phase(2), "backfilled");
        assert_eq!(shop.phase(3), "pending");
        let log = shop.run(&["log"], 0).stdout;
        assert!(
            !log.contains("the source `list`"),
            "nobody accepted that: {log}"
        );
    }
);

/// Whoever may use the table may use the view, and sees no more rows through it.
#[test]
fn rights_and_rows_of_a_table_are_those_of_its_view() {
    let shop = declared(Db::on("postgres"), &format!("{SERVICES}{RENAMED}"));
    let reader = format!("reader_{:08x}", fastrand::u32(..));
    shop.db.execute(&format!(
        "CREATE ROLE {reader}; GRANT SELECT, INSERT ON users TO {reader}; ALTER TABLE users ENABLE ROW LEVEL SECURITY; \
         CREATE POLICY own ON users USING (full_name = 'Ann') WITH CHECK (true)"
    ));
    shop.run(&["expand"], 0);
    let mut connection = shop.db.connect();
    connection.execute(&format!("SET ROLE {reader}"));
    assert_eq!(
        connection.query("SELECT full_name FROM people"),
        [["Ann"]],
        "rows of others are seen through the view"
    );
    connection.execute("INSERT INTO people (id, full_name) VALUES (99, 'mine')");
    for forbidden in ["UPDATE people SET full_name = 'x'", "DELETE FROM people"] {
        assert!(connection.try_execute(forbidden).is_err(), "{forbidden}");
    }
    connection.execute("RESET ROLE");
    shop.db
        .execute(&format!("DROP OWNED BY {reader}; DROP ROLE {reader}"));
}

/// Nobody finds neither name while a table takes the place of its view.
#[test]
fn a_view_gives_way_to_its_table_at_once() {
    use std::sync::atomic::{AtomicBool, Ordering};
    for backend in ["postgres", "mysql"] {
        let shop = declared(Db::on(backend), &format!("{SERVICES}{RENAMED}"));
        shop.run(&["expand"], 0);
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let readers: Vec<_> = (0..2)
                .map(|_| {
                    scope.spawn(|| {
                        let mut connection = shop.db.connect();
                        let mut reads = 0_u32;
                        while !is_over.load(Ordering::Relaxed) {
                            connection.query("SELECT count(*) FROM people");
                            reads += 1;
                        }
                        reads
                    })
                })
                .collect();
            let contracted = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                shop.run(&["contract"], 0);
            }));
            is_over.store(true, Ordering::Relaxed);
            for reader in readers {
                let reads = reader.join();
                assert!(
                    reads.is_ok_and(|reads| reads > 0),
                    "a reader on {backend} found nothing"
                );
            }
            assert!(contracted.is_ok(), "{backend}");
        });
    }
}

#[test]
fn what_sqlite_needs_to_write_through_a_view_is_asked_for() {
    let shop = Shop::new(Db::on("sqlite"));
    for (change, wanted) in [
        (RENAMED.replace("key = \"id\"\n", ""), "`key` is not said"),
        (
            RENAMED.replace("columns = [\"id\", \"full_name\", \"logins\"]\n", ""),
            "`columns` is not said",
        ),
    ] {
        let manifest = format!("description = \"It changes\"\n{SERVICES}{change}");
        shop.project
            .migration("0001_change", &[("migration.toml", &manifest)]);
        let refused = shop.run(&["generate"], 1);
        assert!(refused.stderr.contains(wanted), "{refused:?}");
    }
}

/// A release that knows a value goes before the one that writes it.
#[test]
fn an_enumeration_gets_a_value_that_live_versions_know() {
    const READS_FIRST: &str = "[services.web]\nreads = { old = \"<1.1.0\", new = \">=1.1.0\" }\nwrites = { old = \"<1.2.0\", new = \">=1.2.0\" }\n";
    for (backend, kind, from) in [
        ("postgres", "order_status DEFAULT 'new'", "order_status"),
        (
            "mysql",
            "enum('new','paid') NOT NULL DEFAULT 'new'",
            "enum('new','paid') NOT NULL DEFAULT 'new'",
        ),
    ] {
        let db = Db::on(backend);
        if backend == "postgres" {
            db.execute("CREATE TYPE order_status AS ENUM ('new', 'paid')");
        }
        db.execute(&format!(
            "CREATE TABLE orders (id integer PRIMARY KEY, status {kind})"
        ));
        let shop = declared(
            db,
            &format!(
                "{READS_FIRST}[change]\nkind = \"widen\"\ntable = \"orders\"\ncolumn = \"status\"\nfrom = \"{from}\"\nvalues = [\"late\", \"it's\"]"
            ),
        );
        let refused = shop
            .db
            .try_execute("INSERT INTO orders (id, status) VALUES (1, 'late')");
        assert!(refused.is_err(), "{backend} knew the value");
        shop.run(&["expand"], 0);
        shop.db
            .execute("INSERT INTO orders (id, status) VALUES (1, 'late'), (2, 'it''s')");
        shop.db.execute("INSERT INTO orders (id) VALUES (3)");
        assert_eq!(
            shop.db.value("SELECT status FROM orders WHERE id = 3"),
            "new"
        );
        let plan = |via: &[&str]| {
            let mut arguments = vec!["plan", "--from", "web=1.0.0", "--to", "web=1.2.0"];
            for version in via {
                arguments.extend(["--via", version]);
            }
            shop.project.migrate(&arguments).code
        };
        assert_eq!((plan(&["web=1.1.0"]), plan(&[])), (0, 11), "{backend}");
    }
}

scenario!(
    fn a_check_lists_more_values_before_they_are_written_and_fewer_once_they_are_not(db: Db) {
        let shop = Shop::new(db);
        let backend = shop.db.backend.name;
        shop.db.execute(
            "CREATE TABLE orders (id integer PRIMARY KEY, status varchar(20), \
             CONSTRAINT orders_status CHECK (status IN ('new', 'paid', 'it''s')))",
        );
        shop.db
            .execute("INSERT INTO orders (id, status) VALUES (1, 'paid'), (2, NULL)");
        let more = [
            "new",
            "more",
            "--add-value",
            "orders.status=settled",
            "--old",
            "<1.1.0",
            "--new",
            ">=1.2.0",
        ];
        if backend == "sqlite" {
            let refused = shop.project.migrate(&more).expect_code(1);
            assert!(
                refused.stderr.contains("cannot change a CHECK"),
                "{refused:?}"
            );
            assert!(refused.stderr.contains("kind = \"columns\""), "{refused:?}");
            return;
        }
        let is_taken = |id: u32, status: &str| {
            let insert = format!("INSERT INTO orders (id, status) VALUES ({id}, '{status}')");
            shop.db.try_execute(&insert).is_ok()
        };
        // On MySQL and MariaDB `check` warns of the copy, and of nothing else.
        let is_in_order = || {
            let stderr = shop.run(&["check"], 0).stderr;
            let mut lines = stderr.lines();
            let is_known =
                |line: &str| backend == "mysql" && line.contains("while it copies the table");
            assert!(lines.all(is_known), "{stderr}");
        };
        shop.run(&more, 0);
        is_in_order();
        assert!(!is_taken(3, "settled"));
        shop.run(&["expand"], 0);
        assert!(is_taken(3, "settled") && is_taken(4, "it''s") && !is_taken(5, "other"));
        let plan = |via: &[&str]| {
            let to = ["plan", "--from", "web=1.0.0", "--to", "web=1.2.0"];
            shop.project.migrate(&[&to, via].concat()).code
        };
        assert_eq!((plan(&["--via", "web=1.1.0"]), plan(&[])), (0, 11));

        // A value of which nobody says what becomes of its rows waits until there are none.
        let fewer = [
            "new",
            "fewer",
            "--remove-value",
            "orders.status=paid:settled,it's",
            "--old",
            "<1.3.0",
        ];
        shop.run(&fewer, 0);
        is_in_order();
        let refused = shop.run(&["contract", "2"], 11);
        assert!(
            refused.stdout.contains("under `require` returns 1"),
            "{refused:?}"
        );
        assert!(is_taken(5, "paid"));
        shop.db.execute("DELETE FROM orders WHERE id = 4");
        shop.run(&["contract", "2"], 0);
        assert_eq!(
            shop.db.query("SELECT id, status FROM orders ORDER BY id"),
            [
                ["1", "settled"],
                ["2", "NULL"],
                ["3", "settled"],
                ["5", "settled"]
            ]
        );
        assert!(is_taken(6, "new") && !is_taken(7, "paid") && !is_taken(7, "it''s"));
        if backend == "postgres" {
            let valid = "SELECT convalidated FROM pg_constraint WHERE conname = 'orders_status'";
            assert_eq!(shop.db.value(valid), "1");
        }
        let again = ["new", "again", "--add-value", "orders.status=new"];
        let refused = shop.project.migrate(&again).expect_code(1);
        assert!(
            refused.stderr.contains("knows the value `new` already"),
            "{refused:?}"
        );
    }
);

/// A default is there from expand on and a revert brings back what it was; one that goes waits for who counts on it.
#[test]
fn another_default_comes_with_expand_and_none_with_the_contract() {
    for backend in ["postgres", "mysql"] {
        let shop = declared(
            Db::on(backend),
            "[services.web]\nnew = \">=1.2.0\"\n[change]\nkind = \"default\"\ntable = \"users\"\ncolumn = \"logins\"\nfrom = \"7\"\nto = \"8\"",
        );
        let logins = |id: u32| {
            shop.db
                .execute(&format!("INSERT INTO users (id) VALUES ({id})"));
            shop.db
                .value(&format!("SELECT logins FROM users WHERE id = {id}"))
        };
        let before = shop.db.dump(Ledger::Excluded);
        shop.run(&["expand"], 0);
        assert_eq!(logins(20), "8", "{backend}");
        shop.db.execute("DELETE FROM users WHERE id = 20");
        shop.run(&["revert", "1"], 0);
        assert_eq!(shop.db.dump(Ledger::Excluded), before, "{backend}");

        let shop = declared(
            Db::on(backend),
            "[services.web]\nold = \"<1.2.0\"\n[change]\nkind = \"default\"\ntable = \"users\"\ncolumn = \"logins\"\nfrom = \"7\"",
        );
        shop.db.execute("INSERT INTO users (id) VALUES (20)");
        shop.run(&["contract"], 0);
        let refused = shop.db.try_execute("INSERT INTO users (id) VALUES (21)");
        assert!(refused.is_err(), "{backend} has a default still");
    }
}
