//! Migrations that people write every day, and that nothing is to be said of.

use super::*;

const SERVICES: &str = "[services.web]\n";
const ADDITIVE: &str = "description = \"d\"\n[services.web]\nnew = \">=1.1.0\"\n";

/// A project of two migrations, and what is reported about it.
fn after(dialect: &str, first: &str, second: &str) -> Vec<String> {
    declared_after(dialect, first, (ADDITIVE, second))
}

fn declared_after(dialect: &str, first: &str, (declared, second): (&str, &str)) -> Vec<String> {
    let config = format!("[database]\ndialects = [\"{dialect}\"]\n{SERVICES}");
    let dir = written(&[
        ("migrate.toml", &config),
        ("0001_first/migration.toml", ADDITIVE),
        ("0001_first/expand.sql", first),
        ("0002_second/migration.toml", declared),
        ("0002_second/expand.sql", second),
    ]);
    without_locks(lines(&dir, None))
}

/// What type a column has is known where a migration has made it.
#[test]
fn a_text_may_become_longer() {
    const MADE: &str =
        "CREATE TABLE users (id INT PRIMARY KEY, name VARCHAR(50) NOT NULL, code CHAR(2), n INT);";
    for (dialect, first, second, is_fine) in [
        (
            "postgres",
            MADE,
            "ALTER TABLE users ALTER COLUMN name TYPE varchar(100);",
            true,
        ),
        (
            "postgres",
            MADE,
            "ALTER TABLE users ALTER name SET DATA TYPE text;",
            true,
        ),
        (
            "postgres",
            MADE,
            "ALTER TABLE ONLY public.users ALTER name TYPE character varying(50);",
            true,
        ),
        (
            "postgres",
            MADE,
            "ALTER TABLE users ALTER name TYPE varchar(20);",
            false,
        ),
        (
            "postgres",
            MADE,
            "ALTER TABLE users ALTER name TYPE text USING left(name, 1);",
            false,
        ),
        (
            "postgres",
            MADE,
            "ALTER TABLE users ALTER name TYPE text, DROP COLUMN code;",
            false,
        ),
        (
            "postgres",
            MADE,
            "ALTER TABLE users ALTER code TYPE varchar(20);",
            false,
        ),
        (
            "postgres",
            MADE,
            "ALTER TABLE users ALTER n TYPE bigint;",
            false,
        ),
        (
            "postgres",
            MADE,
            "ALTER TABLE others ALTER name TYPE text;",
            false,
        ),
        (
            "postgres",
            "CREATE TABLE users (id INT, old VARCHAR(9)); ALTER TABLE users ADD COLUMN name varchar(10), ADD COLUMN b INT;",
            "ALTER TABLE users ALTER name TYPE varchar(11);",
            true,
        ),
        (
            "mysql",
            MADE,
            "ALTER TABLE users MODIFY name VARCHAR(100) NOT NULL;",
            true,
        ),
        (
            "mysql",
            MADE,
            "ALTER TABLE users MODIFY COLUMN `name` VARCHAR(100);",
            false,
        ),
        (
            "mysql",
            MADE,
            "ALTER TABLE users MODIFY name TEXT NOT NULL;",
            false,
        ),
        (
            "mysql",
            MADE,
            "ALTER TABLE users MODIFY name VARCHAR(20) NOT NULL;",
            false,
        ),
    ] {
        let found = after(dialect, first, second);
        assert_eq!(found.is_empty(), is_fine, "{dialect} {second} {found:#?}");
    }
}

#[test]
fn a_table_of_the_scripts_own_is_numbered_as_it_likes() {
    const MADE: &str = "CREATE TABLE items (id serial PRIMARY KEY, name text); INSERT INTO items (id, name) VALUES (7, 'a');";
    for (second, is_fine) in [
        (format!("{MADE} SELECT setval('items_id_seq', 7);"), true),
        (
            format!("{MADE} SELECT setval('items_id_seq', (SELECT max(id) FROM items));"),
            true,
        ),
        (
            format!(
                "{MADE} SELECT setval(pg_get_serial_sequence('items', 'id'), coalesce(max(id), 1)) FROM items;"
            ),
            true,
        ),
        (
            format!("{MADE} ALTER SEQUENCE items_id_seq RESTART WITH 8;"),
            true,
        ),
        (
            "CREATE SEQUENCE s; SELECT setval('s', 7); ALTER SEQUENCE s RESTART;".to_owned(),
            true,
        ),
        (format!("{MADE} SELECT setval('orders_id_seq', 7);"), false),
        (
            format!("{MADE} SELECT setval('items_id_seq', 7), setval('orders_id_seq', 7);"),
            false,
        ),
        (
            format!("{MADE} SELECT setval('items_id_seq', purge());"),
            false,
        ),
        (
            format!("{MADE} ALTER SEQUENCE orders_id_seq RESTART WITH 8;"),
            false,
        ),
        ("SELECT setval('items_id_seq', 7);".to_owned(), false),
    ] {
        let found = after("postgres", "CREATE TABLE first (id int);", &second);
        assert_eq!(found.is_empty(), is_fine, "{second} {found:#?}");
    }
}

/// What Rails, Django, Alembic and people write, on each database.
#[test]
fn everyday_migrations_pass() {
    let postgres: &[&str] = &[
        "ALTER TABLE users ADD COLUMN nickname varchar(100);",
        "ALTER TABLE users ADD COLUMN active boolean NOT NULL DEFAULT true;",
        "ALTER TABLE users ADD COLUMN created_at timestamptz NOT NULL DEFAULT now();",
        "ALTER TABLE \"users\" ADD COLUMN \"settings\" jsonb DEFAULT '{}'::jsonb NOT NULL;",
        "ALTER TABLE users ADD COLUMN tags text[] NOT NULL DEFAULT '{}';",
        "-- migrate: no-transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS index_users_on_name ON users USING btree (name);",
        "CREATE INDEX users_lower_name ON users (lower(name));",
        "CREATE INDEX users_partial ON users (name) WHERE name IS NOT NULL;",
        "CREATE INDEX users_gin ON users USING gin (to_tsvector('english', name));",
        "CREATE TABLE orders (id bigserial PRIMARY KEY, user_id bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE, total numeric(10,2) NOT NULL DEFAULT 0, created_at timestamp(6) NOT NULL);\nCREATE INDEX index_orders_on_user_id ON orders (user_id);",
        "CREATE TABLE \"blog_post\" (\"id\" bigint NOT NULL PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY, \"title\" varchar(200) NOT NULL);\nCREATE INDEX \"blog_post_title_like\" ON \"blog_post\" (\"title\" varchar_pattern_ops);",
        "ALTER TABLE users ADD COLUMN team_id bigint NULL; ALTER TABLE users ADD CONSTRAINT fk_team FOREIGN KEY (team_id) REFERENCES teams (id) NOT VALID; ALTER TABLE users VALIDATE CONSTRAINT fk_team;",
        "ALTER TABLE users ADD COLUMN \"team_id\" bigint NULL CONSTRAINT \"fk\" REFERENCES \"teams\"(\"id\") DEFERRABLE INITIALLY DEFERRED; SET CONSTRAINTS \"fk\" IMMEDIATE;",
        "CREATE TYPE mood AS ENUM ('sad', 'ok');\nALTER TABLE users ADD COLUMN mood mood;",
        "CREATE VIEW active_users AS SELECT id, name FROM users WHERE active;",
        "CREATE MATERIALIZED VIEW stats AS SELECT count(*) AS n FROM users;",
        "CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');",
        "CREATE TABLE events (id bigint, at timestamptz NOT NULL) PARTITION BY RANGE (at); CREATE TABLE events_default PARTITION OF events DEFAULT;",
        "ALTER TABLE users ADD COLUMN full_name text GENERATED ALWAYS AS (first || ' ' || last) STORED;",
        "COMMENT ON COLUMN users.name IS 'as written'; COMMENT ON TABLE users IS 'people';",
        "GRANT SELECT ON users TO reporting; GRANT USAGE ON SCHEMA public TO reporting;",
        "CREATE SEQUENCE invoice_numbers START 1000 OWNED BY users.id;",
        "CREATE EXTENSION IF NOT EXISTS \"uuid-ossp\"; CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public;",
        "CREATE SCHEMA IF NOT EXISTS reporting;",
        "ALTER TABLE users ALTER COLUMN name SET STATISTICS 1000; ANALYZE users;",
        "INSERT INTO roles (name) VALUES ('admin'), ('user') ON CONFLICT DO NOTHING;",
        "ALTER TABLE users ALTER COLUMN nickname DROP NOT NULL;",
        "CREATE DOMAIN email AS text CHECK (VALUE ~ '@');",
        "CREATE FUNCTION add(a int, b int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a + b';",
        "CREATE POLICY p ON users FOR SELECT USING (true);",
        "CREATE STATISTICS s (dependencies) ON a, b FROM users;",
        "CREATE UNIQUE INDEX u ON fresh (a); ",
    ];
    let mysql: &[&str] = &[
        "ALTER TABLE users ADD COLUMN nickname VARCHAR(100) NULL;",
        "ALTER TABLE `users` ADD COLUMN `active` TINYINT(1) NOT NULL DEFAULT 1;",
        "ALTER TABLE users ADD COLUMN created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6);",
        "ALTER TABLE users ADD COLUMN settings JSON;",
        "ALTER TABLE users ADD COLUMN a INT AFTER name, ADD INDEX idx_a (a), ALGORITHM=INPLACE, LOCK=NONE;",
        "CREATE INDEX index_users_on_name ON users (name(10));",
        "CREATE INDEX lower_name ON users ((LOWER(name)));",
        "ALTER TABLE users ADD INDEX idx_name (name);",
        "ALTER TABLE users ADD FULLTEXT INDEX ft (name);",
        "CREATE TABLE orders (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, user_id BIGINT NOT NULL, INDEX (user_id), CONSTRAINT fk FOREIGN KEY (user_id) REFERENCES users (id)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;",
        "CREATE TABLE events (id BIGINT, at DATE NOT NULL) PARTITION BY RANGE (YEAR(at)) (PARTITION p0 VALUES LESS THAN (2026), PARTITION pm VALUES LESS THAN MAXVALUE);",
        "ALTER TABLE events ADD PARTITION (PARTITION p2027 VALUES LESS THAN (2028));",
        "CREATE VIEW active_users AS SELECT id, name FROM users WHERE active;",
        "ALTER TABLE users ADD COLUMN full_name TEXT GENERATED ALWAYS AS (CONCAT(first, ' ', last)) VIRTUAL;",
        "ALTER TABLE users COMMENT = 'people';",
        "GRANT SELECT ON users TO 'reporting'@'%';",
        "INSERT INTO roles (name) VALUES ('admin'), ('user');",
        "ANALYZE TABLE users;",
        "ALTER TABLE users ADD COLUMN mood ENUM('sad','ok') NULL;",
        "CREATE FUNCTION add_one(a INT) RETURNS INT DETERMINISTIC RETURN a + 1;",
        "CREATE PROCEDURE p() SELECT 1;",
        "CREATE SEQUENCE s START WITH 100;",
    ];
    let sqlite: &[&str] = &[
        "ALTER TABLE users ADD COLUMN nickname varchar(100);",
        "ALTER TABLE users ADD COLUMN active BOOLEAN NOT NULL DEFAULT 1;",
        "ALTER TABLE \"users\" ADD COLUMN \"settings\" json;",
        "CREATE INDEX index_users_on_name ON users (name);",
        "CREATE INDEX lower_name ON users (lower(name));",
        "CREATE INDEX partial ON users (name) WHERE name IS NOT NULL;",
        "CREATE TABLE \"orders\" (\"id\" integer NOT NULL PRIMARY KEY AUTOINCREMENT, \"user_id\" integer NOT NULL REFERENCES \"users\" (\"id\") DEFERRABLE INITIALLY DEFERRED);\nCREATE INDEX \"orders_user\" ON \"orders\" (\"user_id\");",
        "ALTER TABLE users ADD COLUMN team_id INTEGER REFERENCES teams (id);",
        "CREATE VIEW active_users AS SELECT id FROM users WHERE active;",
        "ALTER TABLE users ADD COLUMN full_name TEXT GENERATED ALWAYS AS (first || ' ' || last) VIRTUAL;",
        "CREATE VIRTUAL TABLE users_fts USING fts5(name, content='users', content_rowid='id');",
        "INSERT INTO roles (name) VALUES ('admin') ON CONFLICT DO NOTHING;",
        "INSERT INTO roles (name) SELECT 'admin' WHERE NOT EXISTS (SELECT 1 FROM roles WHERE name = 'admin');",
        "ANALYZE;",
        "CREATE TABLE kv (k TEXT PRIMARY KEY, v BLOB) STRICT, WITHOUT ROWID;",
    ];
    let mut wrong = Vec::new();
    for (dialect, scripts) in [("postgres", postgres), ("mysql", mysql), ("sqlite", sqlite)] {
        for script in scripts {
            let found = after(dialect, "CREATE TABLE fresh (a int);", script);
            let is_unique = script.starts_with("CREATE UNIQUE");
            if found.is_empty() == is_unique {
                wrong.push(format!("{dialect} {script}\n  {found:#?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The release that reads a value comes before the one that writes it.
#[test]
fn a_value_may_come_for_a_release_that_reads_it() {
    let read_first = "description = \"d\"\nsync = \"to-new\"\n[services.web]\nreads = { old = \"<1.1.0\", new = \">=1.1.0\" }\nwrites = { old = \"<1.2.0\", new = \">=1.2.0\" }\n";
    let added = "ALTER TYPE status ADD VALUE IF NOT EXISTS 'archived';";
    let first = "CREATE TABLE fresh (a int);";
    let found = declared_after("postgres", first, (read_first, added));
    assert_eq!(found, Vec::<String>::new());
    let found = after("postgres", first, added);
    assert!(found.concat().contains("widens-unsaid"), "{found:?}");
}
