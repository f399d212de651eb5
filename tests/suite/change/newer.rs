//! Values and code that live versions cannot use: a default that they cannot read, a time that each session takes for another one, a
//! trigger that names what is nowhere.

use crate::support::backend::{Db, Ledger};
use crate::support::shop::Shop;

const BASE: &str = "description = \"base\"\n[services.web]\nnew = \">=1.0.0\"\n";
const WAITS: &str = "description = \"Drafts to begin with\"\n[services.web]\nold = \"<2.0.0\"\n";

/// `--add-value`, and then the value as the default: old versions would write what they cannot read.
#[test]
fn a_default_that_live_versions_cannot_read_waits_for_their_end() {
    for (backend, table) in [
        (
            "postgres",
            "CREATE TYPE st AS ENUM ('new', 'paid');\nCREATE TABLE orders (id integer PRIMARY KEY, status st NOT NULL DEFAULT 'new');\n",
        ),
        (
            "mysql",
            "CREATE TABLE orders (id integer PRIMARY KEY, status enum('new','paid') NOT NULL DEFAULT 'new');\n",
        ),
    ] {
        let shop = Shop::new(Db::on(backend));
        let files = [("migration.toml", BASE), ("expand.sql", table)];
        shop.project.migration("0001_base", &files);
        shop.run(&["expand"], 0);
        let versions = ["--old", "<2.0.0", "--new", ">=3.0.0"];
        let add = ["new", "draft", "--add-value", "orders.status=draft"];
        shop.run(&[&add[..], &versions].concat(), 0);
        shop.run(&["expand", "2"], 0);
        let set = ["new", "def", "--set-default", "orders.status='draft'"];
        shop.run(&[&set[..], &["--new", ">=3.0.0"]].concat(), 0);
        let refused = shop.run(&["check"], 1);
        assert!(refused.stderr.contains("web <2.0.0"), "{refused:?}");
        assert!(refused.stderr.contains("old = \"<2.0.0\""), "{refused:?}");
        // It does not go in by another way.
        let refused = shop.project.migrate(&["expand"]);
        assert_ne!(refused.code, 0, "{refused:?}");
        shop.db.execute("INSERT INTO orders (id) VALUES (1)");
        assert_eq!(
            shop.db.value("SELECT status FROM orders"),
            "new",
            "{backend}"
        );

        // As the advice says.
        std::fs::remove_dir_all(shop.project.path().join("0003_def")).unwrap();
        let contract = "ALTER TABLE orders ALTER COLUMN status SET DEFAULT 'draft';\n";
        let files = [("migration.toml", WAITS), ("contract.sql", contract)];
        shop.project.migration("0003_def", &files);
        shop.run(&["check"], 0);
        let plan = ["plan", "--from", "web=1.0.0", "--to", "web=2.0.0"];
        let plan = shop.run(&plan, 0).stdout;
        let at = |text: &str| plan.find(text).unwrap_or_else(|| panic!("{text}: {plan}"));
        assert!(at("2.0.0") < at("contract 0003_def"), "{plan}");
        shop.run(&["contract", "3"], 0);
        shop.db.execute("INSERT INTO orders (id) VALUES (2)");
        let found = shop.db.value("SELECT status FROM orders WHERE id = 2");
        assert_eq!(found, "draft", "{backend}");
    }
}

/// Versions write from sessions of other time zones than that of whoever runs the migrations.
#[test]
fn a_moment_is_the_same_in_every_session() {
    let shop = Shop::new(Db::on("postgres"));
    shop.db
        .execute("CREATE TABLE seen (id integer PRIMARY KEY, at timestamp, day timestamptz)");
    let versions = ["--old", "<2.0.0", "--new", ">=2.0.0"];
    for (name, what) in [
        ("tz", "seen.at=at_tz:timestamptz"),
        ("day", "seen.day=on_day:date"),
    ] {
        let new = ["new", name, "--retype", what];
        shop.run(&[&new[..], &versions].concat(), 0);
    }
    shop.run(&["check"], 0);
    shop.run(&["expand"], 0);
    shop.run(&["backfill"], 0);
    shop.db.execute(
        "SET timezone = 'Asia/Tokyo'; \
         INSERT INTO seen (id, at_tz) VALUES (1, '2024-06-01 12:00+00'); \
         INSERT INTO seen (id, at) VALUES (2, '2024-06-01 12:00'); \
         INSERT INTO seen (id, day) VALUES (3, '2024-06-01 22:00+00'); \
         SET timezone = 'America/Lima'; UPDATE seen SET at = at + interval '1 hour' WHERE id = 2; RESET timezone",
    );
    shop.run(&["contract"], 0);
    let seen = "SELECT id, (at_tz AT TIME ZONE 'UTC')::text, on_day::text FROM seen ORDER BY id";
    assert_eq!(
        shop.db.query(seen),
        [
            ["1", "2024-06-01 12:00:00", "NULL"],
            ["2", "2024-06-01 13:00:00", "NULL"],
            ["3", "NULL", "2024-06-01"]
        ]
    );
}

/// What no file tells, the catalogue does.
#[test]
fn a_trigger_that_writes_to_what_is_nowhere_is_not_made() {
    const SYNC: &str = "description = \"audit\"\nsync = \"to-new\"\n[services.web]\nold = \"<2.0.0\"\nnew = \">=2.0.0\"\n";
    for backend in ["postgres", "mysql"] {
        let shop = Shop::new(Db::on(backend));
        shop.db.execute("CREATE TABLE audit (id bigint)");
        let before = shop.db.dump(Ledger::Excluded);
        let trigger = |insert: &str| match backend {
            "postgres" => format!(
                "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {insert}; RETURN NEW; END $$;\n\
                 CREATE TRIGGER t AFTER INSERT ON users FOR EACH ROW EXECUTE FUNCTION f();\n"
            ),
            _ => format!("CREATE TRIGGER t AFTER INSERT ON users FOR EACH ROW {insert};\n"),
        };
        for (insert, nowhere) in [
            ("INSERT INTO audits VALUES (NEW.id)", "the table `audits`"),
            (
                "INSERT INTO audit (user_id) VALUES (NEW.id)",
                "the column `user_id` of `audit`",
            ),
        ] {
            let expand = trigger(insert);
            let files = [("migration.toml", SYNC), ("expand.sql", expand.as_str())];
            shop.project.migration("0001_audit", &files);
            let refused = shop.run(&["expand"], 1);
            assert!(refused.stderr.contains(nowhere), "{backend}: {refused:?}");
            assert_eq!(shop.db.dump(Ledger::Excluded), before, "{backend}");
        }
        let expand = trigger("INSERT INTO audit (id) VALUES (NEW.id)");
        let files = [("migration.toml", SYNC), ("expand.sql", expand.as_str())];
        shop.project.migration("0001_audit", &files);
        shop.run(&["expand"], 0);
        shop.db
            .execute("INSERT INTO users (full_name) VALUES ('z')");
        assert_eq!(shop.db.value("SELECT count(*) FROM audit"), "1");
    }
}
