//! What other tools find in migrations, beside what is found here: strong_migrations, eugene and pgfence, as far as their checks are
//! known to us; there may be more.

use super::squawk::Answer::{Fine, Found};
use super::squawk::{Answer, wrong};
use crate::sql::Dialect;

const TASTE: &str = "a matter of taste, and not of a rollout";
const BOUNDED: &str = "every statement runs under `lock_timeout` of migrate.toml, and one that gets no lock is tried again";

/// The checks of strong_migrations 2 for PostgreSQL.
const STRONG_MIGRATIONS: &[(&str, &str, &str, Answer)] = &[
    (
        "removing a column",
        "expand.sql",
        "ALTER TABLE users DROP COLUMN a",
        Found("destructive-expand"),
    ),
    (
        "changing the type of a column",
        "contract.sql",
        "ALTER TABLE users ALTER COLUMN a TYPE varchar(10)",
        Found("takes-too-much"),
    ),
    (
        "renaming a column",
        "expand.sql",
        "ALTER TABLE users RENAME COLUMN a TO c",
        Found("destructive-expand"),
    ),
    (
        "renaming a table",
        "expand.sql",
        "ALTER TABLE users RENAME TO people",
        Found("destructive-expand"),
    ),
    (
        "renaming a schema",
        "expand.sql",
        "ALTER SCHEMA public RENAME TO app",
        Found("destructive-expand"),
    ),
    (
        "creating a table with the force option",
        "expand.sql",
        "DROP TABLE IF EXISTS orders CASCADE; CREATE TABLE orders (id int)",
        Found("destructive-expand"),
    ),
    (
        "adding an auto-incrementing column",
        "expand.sql",
        "ALTER TABLE users ADD COLUMN n bigserial",
        Found("rewrites-table"),
    ),
    (
        "adding a stored generated column",
        "expand.sql",
        "ALTER TABLE users ADD COLUMN n text GENERATED ALWAYS AS (lower(a)) STORED",
        Found("rewrites-table"),
    ),
    (
        "adding a check constraint",
        "contract.sql",
        "ALTER TABLE users ADD CONSTRAINT c CHECK (length(b) > 0)",
        Found("scans-under-lock"),
    ),
    (
        "executing SQL directly",
        "expand.sql",
        "SELECT do_it()",
        Found("unknown-effect"),
    ),
    (
        "backfilling data",
        "expand.sql",
        "ALTER TABLE users ADD COLUMN n text; UPDATE users SET n = a",
        Found("holds-lock"),
    ),
    (
        "adding an index non-concurrently",
        "expand.sql",
        "CREATE INDEX i ON users (a)",
        Found("locks-writes"),
    ),
    (
        "removing an index non-concurrently",
        "contract.sql",
        "DROP INDEX i",
        Found("locks-out"),
    ),
    (
        "adding a reference",
        "expand.sql",
        "ALTER TABLE orders ADD COLUMN n int REFERENCES users (id)",
        Found("unindexed-key"),
    ),
    (
        "adding a foreign key",
        "contract.sql",
        "ALTER TABLE users ADD CONSTRAINT f FOREIGN KEY (b) REFERENCES orders (id)",
        Found("scans-under-lock"),
    ),
    (
        "adding a unique constraint",
        "contract.sql",
        "ALTER TABLE users ADD CONSTRAINT u UNIQUE (b)",
        Found("locks-out"),
    ),
    (
        "adding an exclusion constraint",
        "contract.sql",
        "ALTER TABLE users ADD CONSTRAINT u EXCLUDE USING gist (b WITH =)",
        Found("locks-out"),
    ),
    (
        "adding a json column",
        "expand.sql",
        "ALTER TABLE users ADD COLUMN n json",
        Found("no-equality"),
    ),
    (
        "setting NOT NULL on an existing column",
        "contract.sql",
        "ALTER TABLE users ALTER COLUMN b SET NOT NULL",
        Found("scans-under-lock"),
    ),
    (
        "adding a column with a volatile default value",
        "expand.sql",
        "ALTER TABLE users ADD COLUMN n uuid DEFAULT gen_random_uuid()",
        Found("rewrites-table"),
    ),
    (
        "keeping non-unique indexes to three columns or less",
        "expand.sql",
        "CREATE TABLE n (a int, b int, c int, d int); CREATE INDEX i ON n (a, b, c, d)",
        Fine(TASTE),
    ),
];

/// Those of its checks that are for MySQL and MariaDB as well.
const ON_MYSQL: &[(&str, &str, &str, Answer)] = &[
    (
        "changing the type of a column",
        "contract.sql",
        "ALTER TABLE users MODIFY a varchar(10)",
        Found("takes-too-much"),
    ),
    (
        "adding a check constraint",
        "contract.sql",
        "ALTER TABLE users ADD CONSTRAINT c CHECK (length(b) > 0)",
        Found("scans-under-lock"),
    ),
    (
        "adding a foreign key",
        "contract.sql",
        "ALTER TABLE users ADD CONSTRAINT f FOREIGN KEY (b) REFERENCES orders (id)",
        Found("scans-under-lock"),
    ),
    (
        "renaming a column",
        "expand.sql",
        "ALTER TABLE users RENAME COLUMN a TO c",
        Found("destructive-expand"),
    ),
];

/// The hints of eugene 0.8.
const EUGENE: &[(&str, &str, &str, Answer)] = &[
    (
        "E1 validating table with a new constraint",
        "contract.sql",
        "ALTER TABLE users ADD CONSTRAINT c CHECK (length(b) > 0)",
        Found("scans-under-lock"),
    ),
    (
        "E2 validating table with a new NOT NULL column",
        "contract.sql",
        "ALTER TABLE users ALTER COLUMN b SET NOT NULL",
        Found("scans-under-lock"),
    ),
    (
        "E3 add a new JSON column",
        "expand.sql",
        "ALTER TABLE users ADD COLUMN n json",
        Found("no-equality"),
    ),
    (
        "E4 running more statements after taking AccessExclusiveLock",
        "expand.sql",
        "ALTER TABLE users ADD COLUMN n text; CREATE INDEX i ON users (a)",
        Found("locks-writes"),
    ),
    (
        "E5 type change requiring table rewrite",
        "contract.sql",
        "ALTER TABLE orders ALTER COLUMN user_id TYPE bigint",
        Found("takes-too-much"),
    ),
    (
        "E6 creating a new index on an existing table",
        "expand.sql",
        "CREATE INDEX i ON users (a)",
        Found("locks-writes"),
    ),
    (
        "E7 creating a new unique constraint",
        "contract.sql",
        "ALTER TABLE users ADD CONSTRAINT u UNIQUE (b)",
        Found("locks-out"),
    ),
    (
        "E8 creating a new exclusion constraint",
        "contract.sql",
        "ALTER TABLE users ADD CONSTRAINT u EXCLUDE USING gist (b WITH =)",
        Found("locks-out"),
    ),
    (
        "E9 taking dangerous lock without timeout",
        "expand.sql",
        "ALTER TABLE users ADD COLUMN n text",
        Fine(BOUNDED),
    ),
    (
        "E10 rewrote table or index while holding dangerous lock",
        "contract.sql",
        "ALTER TABLE orders ALTER COLUMN user_id TYPE bigint",
        Found("takes-too-much"),
    ),
    (
        "E11 adding a SERIAL or GENERATED ... STORED column",
        "expand.sql",
        "ALTER TABLE users ADD COLUMN n serial",
        Found("rewrites-table"),
    ),
    (
        "W12 multiple ALTER TABLE statements where one will do",
        "expand.sql",
        "ALTER TABLE users ADD COLUMN n text; ALTER TABLE users ADD COLUMN m text",
        Fine("they share a transaction, and the lock is taken once"),
    ),
    (
        "W13 creating an enum",
        "expand.sql",
        "CREATE TYPE mood AS ENUM ('calm')",
        Fine(TASTE),
    ),
    (
        "W14 adding a primary key using an index",
        "contract.sql",
        "ALTER TABLE users ADD CONSTRAINT p PRIMARY KEY USING INDEX i",
        Fine(
            "only where its columns may be NULL, which no file tells: of a large table it is told with its size",
        ),
    ),
    (
        "E15 missing index",
        "expand.sql",
        "ALTER TABLE orders ADD COLUMN n int; ALTER TABLE orders ADD CONSTRAINT f FOREIGN KEY (n) REFERENCES users (id) NOT VALID",
        Found("unindexed-key"),
    ),
];

/// What pgfence looks at beside those.
const PGFENCE: &[(&str, &str, &str, Answer)] = &[
    (
        "truncate",
        "expand.sql",
        "TRUNCATE orders",
        Found("destructive-expand"),
    ),
    (
        "vacuum full",
        "expand.sql",
        "-- migrate: no-transaction\nVACUUM FULL users",
        Found("rewrites-table"),
    ),
    (
        "cluster",
        "expand.sql",
        "-- migrate: no-transaction\nCLUSTER users USING users_pkey",
        Found("rewrites-table"),
    ),
    (
        "reindex",
        "expand.sql",
        "-- migrate: no-transaction\nREINDEX TABLE users",
        Found("locks-out"),
    ),
    (
        "refresh materialized view",
        "expand.sql",
        "REFRESH MATERIALIZED VIEW totals",
        Found("locks-out"),
    ),
    (
        "lock table",
        "expand.sql",
        "LOCK TABLE users IN ACCESS EXCLUSIVE MODE",
        Found("locks-out"),
    ),
    (
        "set unlogged",
        "contract.sql",
        "ALTER TABLE users SET UNLOGGED",
        Found("takes-too-much"),
    ),
    (
        "attach partition",
        "contract.sql",
        "ALTER TABLE users ATTACH PARTITION orders FOR VALUES IN (1)",
        Found("scans-under-lock"),
    ),
    (
        "disable trigger",
        "expand.sql",
        "ALTER TABLE users DISABLE TRIGGER ALL",
        Found("destructive-expand"),
    ),
    (
        "add primary key",
        "contract.sql",
        "ALTER TABLE users ADD PRIMARY KEY (b)",
        Found("locks-out"),
    ),
    (
        "add column not null without default",
        "expand.sql",
        "ALTER TABLE users ADD COLUMN n int NOT NULL",
        Found("destructive-expand"),
    ),
    (
        "delete without where",
        "expand.sql",
        "DELETE FROM orders",
        Found("destructive-expand"),
    ),
    (
        "update without where",
        "contract.sql",
        "UPDATE orders SET user_id = 0",
        Found("loses-rows"),
    ),
    (
        "concurrently in a transaction",
        "expand.sql",
        "CREATE INDEX CONCURRENTLY i ON users (a); ALTER TABLE users ADD COLUMN n text",
        Found("needs-no-transaction"),
    ),
    (
        "missing lock_timeout, statement_timeout and application_name",
        "expand.sql",
        "ALTER TABLE users ADD COLUMN n text",
        Fine(BOUNDED),
    ),
    (
        "prefer bigint, text and timestamptz",
        "expand.sql",
        "CREATE TABLE n (a int, b varchar(20), c timestamp)",
        Fine(TASTE),
    ),
];

#[test]
fn what_other_tools_find_is_found_or_is_fine_for_a_reason() {
    let mut all = Vec::new();
    for (tool, dialect, rows) in [
        ("strong_migrations", Dialect::Postgres, STRONG_MIGRATIONS),
        ("strong_migrations", Dialect::Mysql, ON_MYSQL),
        ("eugene", Dialect::Postgres, EUGENE),
        ("pgfence", Dialect::Postgres, PGFENCE),
    ] {
        let wrong = wrong(dialect, rows).into_iter();
        all.extend(wrong.map(|row| format!("{tool}: {row}")));
    }
    assert!(all.is_empty(), "{all:#?}");
}
