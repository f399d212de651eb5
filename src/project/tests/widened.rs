//! Columns that may hold more from expand.sql on, and who is said to read that.

use super::examples::codes;
use crate::sql::Dialect::{self, Mysql, Postgres, Sqlite};

const NEW: &str = "description = \"x\"\n[services.web]\nnew = \">=2\"\n";
const READ_FIRST: &str = "description = \"x\"\nsync = \"to-new\"\n[services.web]\nreads = { old = \"<2\", new = \">=2\" }\nwrites = { old = \"<3\", new = \">=3\" }\n";
const ALWAYS: &str = "description = \"x\"\n[services.web]\nnew = \">=0\"\n";

#[test]
fn what_lets_more_in_asks_who_reads_it() {
    let base = |dialect| match dialect {
        Mysql => {
            "CREATE TABLE users (id int PRIMARY KEY, a varchar(20) NOT NULL, s enum('x', 'y') NOT NULL)"
        }
        Postgres => {
            "CREATE TYPE kind AS ENUM ('x', 'y'); CREATE TABLE users (id int PRIMARY KEY, a text NOT NULL, s text CONSTRAINT known CHECK (s IN ('x', 'y')), k kind)"
        }
        Sqlite => "CREATE TABLE users (id integer PRIMARY KEY, a text NOT NULL, s text)",
    };
    let rebuilt = "CREATE TABLE anew (id integer PRIMARY KEY, a text, s text); INSERT INTO anew (id, a, s) SELECT id, a, s FROM users; DROP TABLE users; ALTER TABLE anew RENAME TO users";
    let table: &[(Dialect, &str, bool)] = &[
        (
            Postgres,
            "ALTER TABLE users ALTER COLUMN a DROP NOT NULL",
            true,
        ),
        (Postgres, "ALTER TYPE kind ADD VALUE 'z'", true),
        (
            Postgres,
            "CREATE TYPE other AS ENUM ('a'); ALTER TYPE other ADD VALUE 'z'",
            false,
        ),
        (Postgres, "ALTER TABLE users DROP CONSTRAINT known", true),
        (Postgres, "ALTER TABLE users ADD COLUMN b text", false),
        (
            Postgres,
            "ALTER TABLE users ALTER COLUMN a SET DEFAULT ''",
            false,
        ),
        (
            Mysql,
            "ALTER TABLE users MODIFY s enum('x', 'y', 'z') NOT NULL",
            true,
        ),
        (
            Mysql,
            "ALTER TABLE users MODIFY a varchar(30) NOT NULL",
            false,
        ),
        (Sqlite, rebuilt, true),
    ];
    for (dialect, sql, is_wider) in table {
        for (manifest, expected) in [(NEW, *is_wider), (READ_FIRST, false), (ALWAYS, false)] {
            let found = codes(
                *dialect,
                &[
                    ("0001_base/expand.sql", base(*dialect)),
                    ("migration.toml", manifest),
                    ("expand.sql", sql),
                ],
            );
            assert_eq!(
                found.contains(&"widens-unsaid"),
                expected,
                "{dialect:?} {sql} with {manifest}: {found:?}"
            );
        }
    }
}
