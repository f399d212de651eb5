//! What a server cannot work out, or always refuses, is said before there is a trigger that every write meets.

use crate::support::backend::Db;
use crate::support::shop::Shop;

/// A shop with a second migration that replaces `full_name` by this expression.
fn shop(db: Db, forward: &str, back: &str) -> Shop {
    let shop = Shop::with_config(db, "[services.web]\nmin_instances = 0\n");
    let manifest = format!(
        "description = \"Another name\"\n[services.web]\nold = \"<1.2.0\"\nnew = \">=1.1.0\"\n[change]\nkind = \"columns\"\n\
         table = \"users\"\nkey = \"id\"\nold = [\"full_name\"]\nnew = {{ name = \"varchar(200)\" }}\n\
         [change.forward]\nname = {forward:?}\n[change.back]\nfull_name = {back:?}\n"
    );
    shop.project
        .migration("0001_name", &[("migration.toml", &manifest)]);
    shop.run(&["generate"], 0);
    shop
}

scenario!(
    fn an_expression_is_tried_before_every_write_meets_it(db: Db) {
        let failing = match db.backend.name {
            "postgres" => [
                ("full_name + 1", "name"),
                ("upper(full_name)", "ltrim(name, 5)"),
            ],
            _ => [
                ("upper(full_name, 1, 2)", "name"),
                ("upper(full_name)", "lower(name, 1, 2)"),
            ],
        };
        for (forward, back) in failing {
            let shop = shop(db.copy(), forward, back);
            let output = shop.run(&["expand"], 1);
            assert!(
                output.stderr.contains("the server cannot work out"),
                "{forward}, {back}: {output:?}"
            );
            let is_there = shop.db.try_execute("SELECT name FROM users");
            assert!(is_there.is_err(), "{forward}, {back}: the column was made");
            shop.db
                .execute("INSERT INTO users (full_name) VALUES ('Ada Lovelace')");
        }
        let shop = shop(db, "upper(full_name)", "lower(name)");
        shop.db
            .execute("INSERT INTO users (full_name) VALUES ('Ada Lovelace')");
        shop.run(&["expand"], 0);
    }
);

scenario!(
    fn what_holds_nothing_of_rows_can_be_undone_after_it_was_used(db: Db) {
        let shop = Shop::with_config(db, "[services.web]\nmin_instances = 0\n");
        let ask = |name: &str, asked: &[&str]| {
            let arguments = [&["new", name], asked, &["--new", ">=1.1.0"]].concat();
            shop.project.migrate(&arguments).expect_code(0);
        };
        ask("find", &["--add-index", "users.full_name"]);
        shop.run(&["expand"], 0);
        let used = [
            "admit",
            "--service",
            "web",
            "--version",
            "1.1.0",
            "--instance",
            "a",
            "--for",
            "1h",
        ];
        shop.run(&used, 0);
        shop.run(&["revert", "1"], 10);
        shop.run(&["fleet", "forget", "a", "--reason", "it is gone"], 0);
        shop.run(&["revert", "1"], 0);
        // And what its values would be lost of cannot, which names a way that there is.
        ask("phone", &["--add", "users.phone=varchar(20)"]);
        shop.run(&["expand"], 0);
        shop.run(&used, 0);
        shop.run(&["fleet", "forget", "a", "--reason", "it is gone"], 0);
        let refused = shop.run(&["revert", "2"], 11);
        assert!(
            !refused.stdout.contains("go on to the contract"),
            "{refused:?}"
        );
        assert!(
            refused.stdout.contains("a new migration takes it away"),
            "{refused:?}"
        );
    }
);

scenario!(
    fn an_index_beside_another_format_is_no_way_back(db: Db) {
        let shop = Shop::with_config(db, "[services.web]\nmin_instances = 0\n");
        let manifest = "description = \"Names in capitals\"\n[services.web]\nold = \"<1.1.0\"\nnew = \">=1.1.0\"\n\
                        [backfill]\ntable = \"users\"\nkey = \"id\"\n\
                        remaining = \"SELECT count(*) FROM users WHERE full_name <> upper(full_name)\"\n";
        let backfill =
            "UPDATE users SET full_name = upper(full_name) WHERE id > :after AND id <= :upto;";
        let drop = match shop.db.backend.name {
            "mysql" => "DROP INDEX capitals ON users;",
            _ => "DROP INDEX capitals;",
        };
        shop.project.migration(
            "0001_capitals",
            &[
                ("migration.toml", manifest),
                ("expand.sql", "CREATE INDEX capitals ON users (full_name);"),
                ("backfill.sql", backfill),
                ("revert.sql", drop),
            ],
        );
        shop.run(&["expand"], 0);
        shop.run(&["backfill"], 0);
        let admit = "admit --service web --version 1.1.0 --instance a --for 1h";
        let admit: Vec<&str> = admit.split(' ').collect();
        shop.run(&admit, 0);
        shop.run(&["fleet", "forget", "a", "--reason", "it is gone"], 0);
        let refused = shop.run(&["revert", "1"], 11);
        assert!(refused.stdout.contains("going back would"), "{refused:?}");
    }
);
