//! An index whose entries may be too long.

use super::contracts::{alone, judge};

const BASE: &str = "CREATE TABLE users (id int PRIMARY KEY, email text, error_message text, body varchar, summary varchar(500), meta jsonb, \
     note text, bounded_note text CHECK (length(bounded_note) < 2000));\n";

#[test]
fn an_index_over_long_texts_is_warned_of() {
    let cases = [
        ("CREATE INDEX CONCURRENTLY i ON users (body);\n", false),
        (
            "CREATE INDEX CONCURRENTLY i ON users (lower(body));\n",
            false,
        ),
        (
            "CREATE INDEX CONCURRENTLY i ON users (id, error_message) WHERE id > 0;\n",
            false,
        ),
        (
            "CREATE INDEX CONCURRENTLY i ON users (id) INCLUDE (body);\n",
            false,
        ),
        ("CREATE INDEX CONCURRENTLY i ON users (meta);\n", false),
        // The CHECK is of another column, whose name has this one in it.
        ("CREATE INDEX CONCURRENTLY i ON users (note);\n", false),
        ("CREATE INDEX CONCURRENTLY i ON users (email);\n", true),
        ("CREATE INDEX CONCURRENTLY i ON users (summary);\n", true),
        (
            "CREATE INDEX CONCURRENTLY i ON users (bounded_note);\n",
            true,
        ),
        ("CREATE INDEX CONCURRENTLY i ON users (md5(body));\n", true),
        (
            "CREATE INDEX CONCURRENTLY i ON users (left(body, 100));\n",
            true,
        ),
        (
            "CREATE INDEX CONCURRENTLY i ON users (body) WHERE length(body) < 2000;\n",
            true,
        ),
        (
            "CREATE INDEX CONCURRENTLY i ON users USING hash (body);\n",
            true,
        ),
        (
            "CREATE INDEX CONCURRENTLY i ON users USING gin (body gin_trgm_ops);\n",
            true,
        ),
    ];
    judge(&cases, "long-keys", |sql| {
        let sql = format!("-- migrate: no-transaction\n{sql}");
        alone(
            "postgres",
            BASE,
            "description = \"x\"\n",
            "expand.sql",
            &sql,
        )
    });
}
