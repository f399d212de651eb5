//! What status names as next is what the gate would say, as far as it was asked.

use serde_json::json;

use crate::support::shop::{APPEND_ONLY, NAME, Shop};

/// What status says is next of the first migration, and that its text says the same.
fn next(shop: &Shop) -> serde_json::Value {
    let status = shop.json(&["status"], 0);
    let next = status["migrations"][0]["next"].clone();
    let text = shop.run(&["status"], 0).stdout;
    assert_eq!(
        text.contains("which is safe now"),
        next["verdict"] == "go",
        "{next}: {text}"
    );
    next
}

fn declare(shop: &Shop, rules: &str) {
    let manifest = format!("{APPEND_ONLY}[contract]\n{rules}\n");
    let path = format!("{NAME}/migration.toml");
    shop.project.file(&path, &manifest);
}

scenario!(
    fn what_is_next_is_what_the_gate_says_of_it(db: Db) {
        let shop = Shop::backfilled(db);
        // What a query of the user's would count was not asked.
        let asks = next(&shop);
        assert_eq!(asks["verdict"], "unknown", "{asks}");
        assert_eq!(asks["asks"], json!(["remaining"]), "{asks}");
        shop.run(&["gate", "contract", "1"], 0);
        declare(&shop, "require = [\"SELECT count(*) FROM users\"]");
        let asks = next(&shop);
        assert_eq!(asks["asks"], json!(["remaining", "require"]), "{asks}");
        let text = shop.run(&["status"], 0).stdout;
        let which = "`migrate contract 0001`, which asks `remaining` and `require` first";
        assert!(text.contains(which), "{text}");
        shop.run(&["gate", "contract", "1"], 11);

        // What is known without them is said.
        declare(&shop, "soak = \"24h\"");
        let held = next(&shop);
        assert_eq!(held["blockers"][0]["kind"], "soak", "{held}");
        let gate = shop.json(&["gate", "contract", "1"], 10);
        assert_eq!(held["verdict"], gate["verdict"], "{held}");
        declare(&shop, "");

        let config = std::fs::read_to_string(shop.project.path().join("migrate.toml"));
        let config = config.expect("a migrate.toml");
        let asking = format!("{config}\n[rehearse]\nrequired = true\n");
        shop.project.file("migrate.toml", &asking);
        let held = next(&shop);
        assert_eq!(held["blockers"][0]["kind"], "rehearsal", "{held}");
        let gate = shop.json(&["gate", "contract", "1"], 12);
        assert_eq!(held["verdict"], gate["verdict"], "{held}");
        shop.project.file("migrate.toml", &config);

        if shop.db.backend.name == "postgres" {
            shop.db
                .execute("CREATE VIEW report AS SELECT full_name FROM users");
            let held = next(&shop);
            assert_eq!(held["blockers"][0]["kind"], "needed", "{held}");
            shop.run(&["gate", "contract", "1"], 11);
            shop.db.execute("DROP VIEW report");
        }
        shop.run(&["contract", "1"], 0);
        assert_eq!(next(&shop), serde_json::Value::Null);
    }
);
