//! What the database writes in each row that a backfill fills, beside what the backfill says.

use crate::support::shop::{APPEND_ONLY, Shop, said};

scenario!(
    fn what_is_written_along_is_told_before_the_first_batch(db: Db) {
        let shop = Shop::new(db);
        let (stamp, told) = match shop.db.backend.name {
            "sqlite" => (
                "ALTER TABLE users ADD COLUMN updated_at text; UPDATE users SET updated_at = '2001-01-01'; \
                 CREATE TRIGGER touch AFTER UPDATE ON users WHEN new.updated_at = old.updated_at \
                 BEGIN UPDATE users SET updated_at = 'now' WHERE id = new.id; END",
                "the trigger `touch` of `users` runs for each row",
            ),
            "postgres" => (
                "ALTER TABLE users ADD COLUMN updated_at text DEFAULT '2001-01-01'; \
                 CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS \
                 $$ BEGIN NEW.updated_at := 'now'; RETURN NEW; END $$; \
                 CREATE TRIGGER touch BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION touch()",
                "the trigger `touch` of `users` runs for each row",
            ),
            _ => (
                "ALTER TABLE users ADD COLUMN updated_at timestamp NOT NULL DEFAULT '2001-01-01 00:00:00' ON UPDATE CURRENT_TIMESTAMP",
                "`updated_at` of `users` has ON UPDATE CURRENT_TIMESTAMP",
            ),
        };
        shop.db.execute(stamp);
        shop.name_migration(APPEND_ONLY);
        shop.run(&["expand"], 0);
        let filled = shop.run(&["backfill"], 0);
        assert!(said(&filled).contains(told), "{filled:?}");
        let untouched = "SELECT count(*) FROM users WHERE updated_at LIKE '2001-01-01%'";
        assert_eq!(shop.db.value(untouched), "0");

        if shop.db.backend.name != "mysql" {
            return;
        }
        // What it advises keeps the column as it is.
        shop.db
            .execute("UPDATE users SET updated_at = '2001-01-01 00:00:00'");
        shop.project.migration(
            "0002_second",
            &[
                ("migration.toml", &APPEND_ONLY.replace("name IS NULL", "second IS NULL")),
                ("expand.sql", "ALTER TABLE users ADD COLUMN second VARCHAR(200);\n"),
                (
                    "backfill.sql",
                    "UPDATE users SET second = full_name, updated_at = updated_at WHERE id > :after AND id <= :upto;\n",
                ),
            ],
        );
        shop.run(&["expand", "2"], 0);
        let filled = shop.run(&["backfill", "2"], 0);
        assert!(!said(&filled).contains("ON UPDATE"), "{filled:?}");
        assert_eq!(shop.db.value(untouched), "5");
    }
);
