//! The keys of `migration.toml`.

use super::change::CHANGE;
use super::{Key, Section, Shape};

pub(super) const TOP: Section = Section::of(&[
    Key::new(
        "description",
        Shape::Text,
        "\"Split users.full_name\"",
        "What it does, in one line",
    )
    .needed(),
    Key::new(
        "sync",
        Shape::Choice(&["both", "to-new", "to-old", "none"]),
        "\"both\"",
        "Which format a write of the other one refreshes, from expand on",
    )
    .usually("\"none\""),
    Key::new(
        "rows",
        Shape::Choice(&["mutable", "append-only"]),
        "\"append-only\"",
        "\"append-only\": rows are never updated",
    )
    .usually("\"mutable\""),
    Key::table(
        "services",
        Shape::TableEach(&SERVICE),
        "Which versions of which service use the old and the new format",
    ),
    Key::table("expand", Shape::Table(&EXPAND), "What adds the new format"),
    Key::table(
        "change",
        Shape::Table(&CHANGE),
        "What changes, in place of scripts: `migrate generate` writes them",
    ),
    Key::table(
        "backfill",
        Shape::Table(&BACKFILL),
        "How existing rows come into the new format",
    ),
    Key::table(
        "contract",
        Shape::Table(&CONTRACT),
        "What has to hold before the old format is removed",
    ),
    Key::table("revert", Shape::Table(&REVERT), "What undoes the expand"),
]);

const OLD: Key = Key::new(
    "old",
    Shape::Text,
    "\"<1.2.0\"",
    "The versions that use the old format, which the contract removes",
);
const NEW: Key = Key::new(
    "new",
    Shape::Text,
    "\">=1.1.0\"",
    "The versions that use the new format, which the expand adds",
);

const SERVICE: Section = Section::of(&[
    OLD,
    NEW,
    Key::new(
        "this",
        Shape::Text,
        "\"1.3.0\"",
        "The first release that contains this migration, which `<this` and `>=this` speak of; without it the tags tell",
    ),
    Key::table(
        "reads",
        Shape::Table(&TOUCHED),
        "The versions that read each format, where reads and writes move in different releases",
    ),
    Key::table(
        "writes",
        Shape::Table(&TOUCHED),
        "The versions that write each format, where reads and writes move in different releases",
    ),
    Key::table(
        "probes",
        Shape::Table(&PROBES),
        "Statements that `migrate rehearse` runs as these versions would",
    ),
]);

const TOUCHED: Section = Section::of(&[OLD, NEW]);

const PROBES: Section = Section::of(&[
    Key::new(
        "old",
        Shape::TextOrTexts,
        "[\"SELECT full_name FROM users WHERE id = 1\"]",
        "Of versions that use the old format; or the path of a file of them",
    ),
    Key::new(
        "new",
        Shape::TextOrTexts,
        "[\"SELECT first_name FROM users WHERE id = 1\"]",
        "Of versions that use the new format; or the path of a file of them",
    ),
]);

const ALLOWANCES: Key = Key::table(
    "allow",
    Shape::Tables(&ALLOW),
    "Statements that somebody vouches for",
);
const ALLOW: Section = Section::of(&[
    Key::new(
        "statement",
        Shape::Text,
        "\"DROP INDEX old_name\"",
        "How the statement begins",
    )
    .needed(),
    Key::new(
        "reason",
        Shape::Text,
        "\"no version has used this index since 1.0\"",
        "Why it does no harm",
    )
    .needed(),
]);

const REVISIONS: Key = Key::new(
    "revisions",
    Shape::Texts,
    "[\"3f2a91c0\"]",
    "In place of a script: what the tool of `[runner]` applies, in its order",
);
const JUDGED: Key = Key::new(
    "judged",
    Shape::Text,
    "\"adds the column `status`, which has a default\"",
    "Somebody's word for what these revisions do, where it cannot be read",
);

const EXPAND: Section = Section::of(&[
    Key::new(
        "nothing_to_do",
        Shape::Text,
        "\"the column takes any text already\"",
        "Why the new format needs no statement, and no expand.sql",
    ),
    ALLOWANCES,
    REVISIONS,
    JUDGED,
]);

const BACKFILL: Section = Section::of(&[
    ALLOWANCES,
    REVISIONS,
    JUDGED,
    Key::new(
        "table",
        Shape::Text,
        "\"users\"",
        "The table whose rows are filled",
    ),
    Key::new(
        "key",
        Shape::TextOrTexts,
        "\"id\"",
        "A unique key of it that batches go along; an index has to serve it",
    ),
    Key::new(
        "remaining",
        Shape::Text,
        "\"SELECT count(*) FROM users WHERE first_name IS NULL\"",
        "A SELECT that counts the rows left; it must reach 0",
    ),
    Key::new(
        "batch",
        Shape::Count(1, 1_000_000),
        "1000",
        "Keys in every batch, where batches are not to adapt",
    ),
    Key::new(
        "target_time",
        Shape::Duration,
        "\"200ms\"",
        "How long a batch should take; batches grow and shrink to it",
    )
    .usually("\"200ms\""),
    Key::new(
        "min_batch",
        Shape::Count(1, 1_000_000),
        "100",
        "The fewest keys in a batch",
    )
    .usually("100"),
    Key::new(
        "max_batch",
        Shape::Count(1, 1_000_000),
        "50000",
        "The most keys in a batch",
    ),
    Key::new(
        "workers",
        Shape::Count(1, 64),
        "2",
        "How many batches run beside each other (not on SQLite)",
    )
    .usually("1"),
    Key::new(
        "pace",
        Shape::Number,
        "0.5",
        "The share of the time that it works; at 1 it never rests",
    )
    .usually("0.5"),
    Key::new(
        "statement_timeout",
        Shape::Duration,
        "\"30s\"",
        "How long one statement of a batch may take",
    )
    .usually("\"30s\""),
    Key::new(
        "throttle",
        Shape::Text,
        "\"SELECT count(*) FROM pg_stat_activity WHERE state = 'active'\"",
        "A SELECT that returns a number; above `throttle_limit` the backfill waits",
    ),
    Key::new(
        "throttle_limit",
        Shape::Count(0, 4_294_967_295),
        "20",
        "The most that `throttle` may return",
    ),
    Key::new(
        "max_replica_lag",
        Shape::Duration,
        "\"10s\"",
        "How far replicas may be behind",
    ),
    Key::new(
        "max_active_sessions",
        Shape::Count(1, 100_000),
        "20",
        "How many sessions may be at work on the server (PostgreSQL, MySQL)",
    ),
    Key::new(
        "check",
        Shape::Text,
        "\"SELECT id FROM users WHERE id > :after AND id <= :upto AND name <> full_name\"",
        "A SELECT over :after to :upto that finds every row that is not as it should be",
    ),
    Key::new(
        "overwrites",
        Shape::Flag,
        "true",
        "That backfill.sql also overwrites a new format that is there already",
    )
    .usually("false"),
]);

const CONTRACT: Section = Section::of(&[
    ALLOWANCES,
    REVISIONS,
    JUDGED,
    Key::new(
        "soak",
        Shape::Duration,
        "\"24h\"",
        "How long no version that touches the old format may have been seen",
    ),
    Key::new(
        "unused_for",
        Shape::Duration,
        "\"7d\"",
        "How long no statement that names what the contract takes away may have been counted (PostgreSQL, MySQL)",
    ),
    Key::new(
        "unused_except",
        Shape::Texts,
        "[\"COPY public.users\"]",
        "How statements begin that `unused_for` does not count, such as those of a dump",
    ),
    Key::new(
        "require",
        Shape::Texts,
        "[\"SELECT count(*) FROM users WHERE first_name = ''\"]",
        "SELECTs that must each return 0, asked in the contract's transaction",
    ),
    Key::new(
        "require_check",
        Shape::Flag,
        "true",
        "Whether the backfill's `check` has to find nothing once more before the contract runs",
    )
    .usually("false"),
]);

const REVERT: Section = Section::of(&[ALLOWANCES]);
