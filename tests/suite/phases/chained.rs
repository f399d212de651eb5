//! Migrations whose contracts are about what later ones change or take away.

use crate::support::backend::Db;
use crate::support::shop::Shop;

/// SQLite changes no column that is there.
const DATABASES: [&str; 2] = ["postgres", "mysql"];

fn migration(shop: &Shop, directory: &str, ranges: &str, (file, script): (&str, &str)) {
    let manifest = format!("description = \"A change\"\n[services.web]\n{ranges}\n");
    shop.project
        .migration(directory, &[("migration.toml", &manifest), (file, script)]);
}

#[test]
fn what_a_contract_is_to_define_nobody_defines_before_it() {
    for backend in DATABASES {
        let shop = Shop::new(Db::on(backend));
        shop.db
            .execute("ALTER TABLE users ALTER COLUMN full_name SET DEFAULT 'nobody'");
        let alter = |what: &str| format!("ALTER TABLE users ALTER COLUMN full_name {what};\n");
        migration(
            &shop,
            "0001_none",
            "old = \"<1.1.0\"",
            ("contract.sql", &alter("DROP DEFAULT")),
        );
        migration(
            &shop,
            "0002_guest",
            "new = \">=1.2.0\"",
            ("expand.sql", &alter("SET DEFAULT 'guest'")),
        );
        // Of another column of the table nobody cares.
        let other = "ALTER TABLE users ADD COLUMN other integer;\n";
        migration(
            &shop,
            "0003_other",
            "new = \">=1.2.0\"",
            ("expand.sql", other),
        );
        shop.run(&["check"], 0);
        let refused = shop.json(&["gate", "expand", "2"], 11);
        let blocker = &refused["blockers"][0];
        assert_eq!(blocker["kind"], "contract_first", "{refused}");
        assert_eq!(blocker["details"]["definition"], "full_name", "{refused}");
        shop.run(&["expand"], 11);
        shop.run(&["contract", "1"], 0);
        shop.run(&["expand"], 0);
        shop.db.execute("INSERT INTO users (id) VALUES (77)");
        let value = shop.db.value("SELECT full_name FROM users WHERE id = 77");
        assert_eq!(value, "guest", "{backend}");
    }
}

#[test]
fn what_a_contract_needs_is_not_taken_away_before_it() {
    for (backend, needs) in [
        (
            "postgres",
            "ALTER TABLE users ALTER COLUMN full_name SET NOT NULL;\n",
        ),
        (
            "mysql",
            "CREATE INDEX users_full_name ON users (full_name);\n",
        ),
    ] {
        let shop = Shop::new(Db::on(backend));
        let old = "old = \"<1.3.0\"";
        migration(&shop, "0001_needed", old, ("contract.sql", needs));
        let contract = "ALTER TABLE users DROP COLUMN full_name;\n";
        migration(
            &shop,
            "0002_gone",
            "old = \"<1.2.0\"",
            ("contract.sql", contract),
        );
        let refused = shop.run(&["gate", "contract", "2"], 11);
        let told = "the contract of 0001_needed still needs users.full_name, which this takes away";
        assert!(refused.stdout.contains(told), "{refused:?}");
        let done = shop.run(&["contract"], 0);
        let order = ["contracted 0001_needed", "contracted 0002_gone"];
        let at = order.map(|line| done.stdout.find(line));
        assert!(at[0].is_some() && at[0] < at[1], "{backend}: {done:?}");
    }
}

scenario!(
    fn a_table_that_a_contract_needs_is_not_renamed_before_it(db: Db) {
        let shop = Shop::new(db);
        let unique = "CREATE UNIQUE INDEX users_full_name ON users (full_name);\n";
        let rule = ("contract.sql", unique);
        migration(&shop, "0001_unique", "old = \"<1.3.0\"", rule);
        let renamed = "ALTER TABLE users RENAME TO people;\n";
        migration(
            &shop,
            "0002_people",
            "old = \"<1.2.0\"",
            ("contract.sql", renamed),
        );
        let refused = shop.json(&["gate", "contract", "2"], 11);
        let blocker = &refused["blockers"][0];
        assert_eq!(blocker["kind"], "contract_first", "{refused}");
        assert_eq!(blocker["details"]["table"], "users", "{refused}");
        let told = "the contract of 0001_unique still needs the table users";
        let message = blocker["message"].as_str().unwrap_or_default();
        assert!(message.contains(told), "{refused}");
        let done = shop.run(&["contract"], 0);
        let order = ["contracted 0001_unique", "contracted 0002_people"];
        let at = order.map(|line| done.stdout.find(line));
        assert!(at[0].is_some() && at[0] < at[1], "{done:?}");
    }
);
