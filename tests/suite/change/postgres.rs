//! What PostgreSQL has around the triggers that keep both formats in step: COPY, partitions, generated columns, row level
//! security, replication.

use crate::support::backend::Db;
use crate::support::shop::Shop;

const RENAME: &str = "description = \"Rename\"\n[services.web]\nold = \"<1.2.0\"\nnew = \">=1.1.0\"\n\
    [change]\nkind = \"columns\"\ntable = \"people\"\nkey = [\"region\", \"id\"]\nold = [\"full_name\"]\nnew = { name = \"text\" }\n\
    forward = { name = \"full_name\" }\nback = { full_name = \"name\" }\n";

/// A table in two partitions, of which one has its columns in another order and one fewer than it had, expanded.
fn partitioned() -> Shop {
    let shop = Shop::new(Db::on("postgres"));
    shop.db.execute(
        "CREATE TABLE people (id bigint NOT NULL, region text NOT NULL, full_name text, \
             shout text GENERATED ALWAYS AS (upper(region)) STORED, PRIMARY KEY (region, id)) PARTITION BY LIST (region); \
         CREATE TABLE people_eu PARTITION OF people FOR VALUES IN ('eu'); \
         CREATE TABLE people_us (gone integer, full_name text, region text NOT NULL, id bigint NOT NULL, \
             shout text GENERATED ALWAYS AS (upper(region)) STORED); \
         ALTER TABLE people_us DROP COLUMN gone; \
         ALTER TABLE people ATTACH PARTITION people_us FOR VALUES IN ('us'); \
         INSERT INTO people (id, region, full_name) VALUES (1, 'eu', 'before'), (2, 'us', 'before')",
    );
    shop.project
        .migration("0001_name", &[("migration.toml", RENAME)]);
    shop.run(&["generate"], 0);
    shop.run(&["check"], 0);
    shop.run(&["expand"], 0);
    shop
}

#[track_caller]
fn in_step(shop: &Shop, rows: usize, after: &str) {
    let found = shop
        .db
        .query("SELECT id, full_name, name, shout = upper(region) FROM people ORDER BY id");
    assert_eq!(found.len(), rows, "{after}");
    for row in found {
        assert_eq!((&row[1], &*row[3]), (&row[2], "1"), "{after}: {row:?}");
    }
}

#[test]
fn rows_of_any_partition_are_kept_in_step_however_they_come() {
    let shop = partitioned();
    shop.run(&["backfill"], 0);
    in_step(&shop, 2, "the backfill");
    for statement in [
        "INSERT INTO people (id, region, full_name) VALUES (3, 'eu', 'c'), (4, 'us', 'd')",
        "INSERT INTO people (id, region, name) VALUES (5, 'eu', 'e'), (6, 'us', 'f')",
        "INSERT INTO people_us (id, region, name) VALUES (7, 'us', 'g')",
        "UPDATE people SET full_name = 'x ' || id",
        "UPDATE people SET name = 'y ' || id WHERE id > 2",
        // From one partition into the other.
        "UPDATE people SET region = 'us', full_name = 'moved' WHERE id = 3",
        "UPDATE people SET region = 'eu', name = 'moved too' WHERE id = 4",
        "INSERT INTO people (id, region, full_name) VALUES (6, 'us', 'again') \
             ON CONFLICT (region, id) DO UPDATE SET full_name = EXCLUDED.full_name",
    ] {
        shop.db.execute(statement);
        let rows = shop.db.value("SELECT count(*) FROM people");
        in_step(&shop, rows.parse().expect("a number"), statement);
    }
    shop.db.execute(
        "COPY people (id, region, full_name) FROM PROGRAM 'printf ''8\\tus\\tcopied\\n9\\teu\\tcopied\\n'''; \
         COPY people (id, region, name) FROM PROGRAM 'printf ''10\\tus\\tcopied\\n11\\teu\\tcopied\\n'''",
    );
    in_step(&shop, 11, "COPY");
    shop.run(&["contract"], 0);
    assert_eq!(
        shop.db
            .value("SELECT count(*) FROM people WHERE name = 'copied'"),
        "4"
    );
}

/// What is replicated brings both formats from where it was written; where only one side has them, docs/change.md says what to do.
#[test]
fn triggers_leave_what_is_replicated_alone_unless_they_are_told_to() {
    let shop = partitioned();
    shop.run(&["backfill"], 0);
    let mut replica = shop.db.connect();
    replica.execute("SET session_replication_role = replica");
    replica.execute("INSERT INTO people (id, region, full_name) VALUES (3, 'us', 'replicated')");
    assert_eq!(
        shop.db.value("SELECT name FROM people WHERE id = 3"),
        "NULL"
    );
    shop.db.execute(
        "ALTER TABLE people ENABLE ALWAYS TRIGGER zz_0001_people_insert; \
         ALTER TABLE people ENABLE ALWAYS TRIGGER zz_0001_people_update",
    );
    replica.execute("INSERT INTO people (id, region, full_name) VALUES (4, 'us', 'replicated')");
    replica.execute("UPDATE people SET full_name = 'changed' WHERE id = 3");
    in_step(&shop, 4, "ENABLE ALWAYS");
}

/// A dump that is taken while both formats are there can be restored.
#[test]
fn what_the_server_prints_of_the_triggers_makes_them_again() {
    let shop = partitioned();
    for trigger in ["zz_0001_people_insert", "zz_0001_people_update"] {
        let printed = shop.db.value(&format!(
            "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname = '{trigger}' AND tgrelid = 'people'::regclass"
        ));
        shop.db
            .execute(&format!("DROP TRIGGER {trigger} ON people; {printed}"));
    }
    shop.db
        .execute("UPDATE people SET full_name = 'Changed' WHERE id = 1");
    assert_eq!(
        shop.db.value("SELECT name FROM people WHERE id = 1"),
        "Changed"
    );
}

/// Whoever sees and writes some rows alone, with a search path of their own, writes them in both formats.
#[test]
fn row_level_security_holds_beside_the_triggers() {
    let shop = partitioned();
    let writer = format!("writer_{:08x}", fastrand::u32(..));
    shop.db.execute(&format!(
        "CREATE ROLE {writer}; GRANT SELECT, INSERT, UPDATE ON people TO {writer}; \
         ALTER TABLE people ENABLE ROW LEVEL SECURITY; ALTER TABLE people FORCE ROW LEVEL SECURITY; \
         CREATE POLICY own ON people USING (region = 'us') WITH CHECK (region = 'us')"
    ));
    // The owner of a table for which it is forced sees all as well, or nothing would be filled.
    shop.run(&["backfill"], 0);
    let mut connection = shop.db.connect();
    connection.execute(&format!("SET ROLE {writer}"));
    connection.execute("SET search_path = pg_catalog");
    connection.execute("INSERT INTO public.people (id, region, full_name) VALUES (3, 'us', 'old')");
    connection.execute("INSERT INTO public.people (id, region, name) VALUES (4, 'us', 'new')");
    connection.execute("UPDATE public.people SET name = 'changed'");
    let refused = connection
        .try_execute("INSERT INTO public.people (id, region, name) VALUES (5, 'eu', 'x')");
    assert!(refused.is_err(), "a row of another region was written");
    connection.execute("RESET ROLE");
    in_step(&shop, 4, "row level security");
    assert_eq!(
        shop.db.value("SELECT name FROM people WHERE id = 1"),
        "before"
    );
    shop.db
        .execute(&format!("DROP OWNED BY {writer}; DROP ROLE {writer}"));
}
