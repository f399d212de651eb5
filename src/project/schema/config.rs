//! The keys of `migrate.toml`.

use super::fleet::{DRIVER, FLEET};
use super::rollout::ROLLOUT;
use super::{Key, Section, Shape};

pub(super) const TOP: Section = Section::of(&[
    Key::new(
        "migrations",
        Shape::Text,
        "\"db/migrations\"",
        "Where the migration directories are, inside the project; left out it is the directory of this file",
    ),
    Key::new(
        "follow_links",
        Shape::Flag,
        "true",
        "Whether the migrations, or a directory or a file of them, may be symbolic links that lead out of the project",
    )
    .usually("false"),
    Key::table("project", Shape::Table(&PROJECT), "In which order migrations may be expanded"),
    Key::table("database", Shape::Table(&DATABASE), "Which database it is, and how long may be waited for it"),
    Key::table(
        "services",
        Shape::TableEach(&SERVICE),
        "One section for each application that uses the database",
    ),
    Key::table("fleet", Shape::Table(&FLEET), "Leases, and where live instances are learnt from"),
    Key::table("notify", Shape::TableEach(&NOTIFY), "Somebody whom `migrate serve` tells"),
    Key::table(
        "policy",
        Shape::TableEach(&POLICY),
        "A ValidatingAdmissionPolicy of a cluster that steps renew",
    ),
    Key::table("rollout", Shape::Table(&ROLLOUT), "What `migrate rollout` works with"),
    Key::table("rehearse", Shape::Table(&REHEARSE), "Where migrations are rehearsed"),
    Key::table("lint", Shape::Table(&LINT), "What the rules of scripts go by"),
    Key::table(
        "runner",
        Shape::Table(&RUNNER),
        "Another migration tool that carries out phases",
    ),
]);

const PROJECT: Section = Section::of(&[Key::new(
    "order",
    Shape::Choice(&["strict", "any"]),
    "\"strict\"",
    "Whether a migration may be expanded below one that is applied: \"strict\" refuses it",
)
.usually("\"any\"")]);

const DATABASE: Section = Section::of(&[
    Key::new(
        "url",
        Shape::Text,
        "\"sqlite://shop.db\"",
        "The database, without a password; --database-url and DATABASE_URL win over it",
    ),
    Key::new(
        "dialects",
        Shape::Choices(&["postgres", "mysql", "sqlite"]),
        "[\"sqlite\"]",
        "The databases that scripts are checked for; left out it is that of the URL. \"mysql\" is MySQL and MariaDB",
    ),
    Key::new(
        "replicas",
        Shape::Texts,
        "[\"sqlite://replica.db\"]",
        "URLs of replicas whose lag a backfill may look at",
    ),
    Key::new(
        "lock_timeout",
        Shape::Duration,
        "\"3s\"",
        "How long one statement may wait for a lock, with others queueing behind it",
    )
    .usually("\"3s\""),
    Key::new(
        "lock_retry_for",
        Shape::Duration,
        "\"5m\"",
        "How long a step that got no lock is tried again",
    )
    .usually("\"5m\""),
    Key::new(
        "busy_timeout",
        Shape::Duration,
        "\"30s\"",
        "How long to wait for another writer (SQLite)",
    )
    .usually("\"30s\""),
    Key::new(
        "password_file",
        Shape::Text,
        "\"/run/secrets/database\"",
        "A file that holds the password and nothing else; it is read for each login",
    ),
    Key::new(
        "password_command",
        Shape::Texts,
        "[\"./database-token\"]",
        "A program, with its arguments, that prints the password; it is run for each login",
    ),
    Key::new(
        "ledger",
        Shape::Text,
        "\"shop_phasegate\"",
        "A database of its own for the ledger, on the same server (MySQL, MariaDB)",
    ),
]);

const SERVICE: Section = Section::of(&[
    Key::new(
        "min_instances",
        Shape::Count(0, 1_000_000),
        "2",
        "Seeing fewer than this means that something is not seen; 0 for what may be scaled to nothing",
    )
    .usually("1"),
    Key::new(
        "min_ready",
        Shape::Duration,
        "\"10s\"",
        "How long an instance has to have stayed before it counts as serving",
    ),
    Key::new(
        "aliases",
        Shape::Named,
        "{ a1b2c3d = \"1.2.0\" }",
        "What else a version is called, a commit for example",
    ),
    Key::new(
        "aliases_file",
        Shape::Text,
        "\"versions.txt\"",
        "A file of more such names, one `NAME VERSION` a line",
    ),
    Key::new(
        "labels",
        Shape::Texts,
        "[\"build-{1}\"]",
        "How labels are written that are no versions: which of their digits are the numbers of one",
    ),
    Key::new(
        "releases",
        Shape::Texts,
        "[\"1.0.0\", \"1.1.0\"]",
        "The releases that `migrate plan` and `migrate rollout` may go through",
    ),
    Key::new(
        "statements",
        Shape::Named,
        "{ \"1.2.0\" = \"statements/web-1.2.0.sql\" }",
        "What each release sends, as files of statements that `migrate rehearse` runs in every state of the schema",
    ),
    Key::table(
        "driver",
        Shape::Table(&DRIVER),
        "What replaces the instances of this service, if not what `[rollout]` names",
    ),
]);

const POLICY: Section = Section::of(&[
    Key::new(
        "name",
        Shape::Text,
        "\"phasegate-shop\"",
        "What the policy and its binding are called; another one for each database",
    )
    .usually("\"phasegate\""),
    Key::new(
        "namespaces",
        Shape::Texts,
        "[\"shop\"]",
        "Where the pods are, if no source `kubernetes` says so",
    ),
    Key::new(
        "kubeconfig",
        Shape::Text,
        "\"~/.kube/config\"",
        "How the cluster is reached; left out as `kubectl` does it, or from within a pod",
    ),
    Key::new(
        "context",
        Shape::Text,
        "\"production\"",
        "Which context of it",
    ),
    Key::new(
        "settle",
        Shape::Duration,
        "\"30s\"",
        "How long the API servers are given to go by a new list, before a fence goes up",
    )
    .usually("\"30s\""),
    Key::new(
        "timeout",
        Shape::Duration,
        "\"10s\"",
        "How long an answer of the cluster may take",
    )
    .usually("\"10s\""),
]);

const NOTIFY: Section = Section::of(&[
    Key::new(
        "kind",
        Shape::Choice(&["plain", "slack", "teams"]),
        "\"slack\"",
        "What a notice is posted as",
    )
    .usually("\"plain\""),
    Key::new(
        "on",
        Shape::Choices(&[
            "held",
            "refused",
            "done",
            "failed",
            "fence",
            "lost",
            "past-gate",
        ]),
        "[\"held\", \"failed\"]",
        "What it is told of; left out it is everything",
    ),
    Key::new(
        "held_for",
        Shape::Duration,
        "\"30m\"",
        "How long a step may be impossible before it is told",
    )
    .usually("\"30m\""),
    Key::new(
        "fence_for",
        Shape::Duration,
        "\"5m\"",
        "How long a contract may keep versions out before it is told",
    )
    .usually("\"5m\""),
    Key::new(
        "url",
        Shape::Text,
        "\"http://127.0.0.1:9000/phasegate\"",
        "The URL, where it is no secret",
    ),
    Key::new(
        "url_env",
        Shape::Text,
        "\"SLACK_URL\"",
        "The environment variable in which the URL stands",
    ),
    Key::new(
        "url_file",
        Shape::Text,
        "\"/run/secrets/slack\"",
        "A file with the URL, read each time",
    ),
    Key::new(
        "secret_env",
        Shape::Text,
        "\"HOOK_SECRET\"",
        "The environment variable with the secret that posts are signed with",
    ),
    Key::new(
        "secret_file",
        Shape::Text,
        "\"/run/secrets/hook\"",
        "A file with the secret that posts are signed with",
    ),
    Key::new(
        "ca",
        Shape::Text,
        "\"/etc/ssl/shop-ca.pem\"",
        "A file of authorities, in PEM",
    ),
]);

const REHEARSE: Section = Section::of(&[
    Key::new(
        "url",
        Shape::TextOrTexts,
        "\"postgres://postgres@127.0.0.1:5433/postgres\"",
        "A server on which scratch databases may be made, or one for each kind of database",
    ),
    Key::new(
        "schema",
        Shape::Text,
        "\"schema.sql\"",
        "A file of SQL that makes the schema which no migration made",
    ),
    Key::new(
        "required",
        Shape::Flag,
        "true",
        "Whether a contract wants a rehearsal of its migration's files, as they are, in the ledger",
    )
    .usually("false"),
]);

const LINT: Section = Section::of(&[
    Key::new(
        "postgres",
        Shape::Text,
        "\"15\"",
        "The oldest PostgreSQL that the scripts run on",
    ),
    Key::new(
        "mysql",
        Shape::Text,
        "\"8.0.36\"",
        "The oldest MySQL that the scripts run on",
    ),
    Key::new(
        "mariadb",
        Shape::Text,
        "\"10.11\"",
        "The oldest MariaDB that the scripts run on",
    ),
    Key::new(
        "sqlite",
        Shape::Text,
        "\"3.40\"",
        "The oldest SQLite that an application or a tool opens the file with",
    ),
    Key::new(
        "off",
        Shape::Silenced,
        "{ locks-out = \"every table here is small\" }",
        "Warnings that the project does without, with the reason",
    ),
    Key::new(
        "large_rows",
        Shape::Count(1, 1_000_000_000_000),
        "100000",
        "From how many rows on a table is large, so that what a step does to it is told with how long that takes",
    )
    .usually("100000"),
    Key::new(
        "long_transaction",
        Shape::Duration,
        "\"30s\"",
        "From when on a transaction of somebody else's is told of before a step, and waited for by `contract --wait`",
    )
    .usually("\"30s\""),
]);

const RUNNER: Section = Section {
    keys: &[
        Key::new(
            "program",
            Shape::Texts,
            "[\"poetry\", \"run\", \"alembic\"]",
            "The program and its first arguments; left out it is the tool's own name",
        ),
        Key::new(
            "dir",
            Shape::Text,
            "\"backend\"",
            "Where it runs, inside the project",
        ),
        Key::new(
            "files",
            Shape::Text,
            "\"db/migrations\"",
            "Where its revisions are, relative to `dir`",
        ),
        Key::new(
            "table",
            Shape::Text,
            "\"schema_migrations\"",
            "What its history table is called",
        ),
        Key::new(
            "url",
            Shape::Text,
            "\"env:DATABASE_URL\"",
            "\"env:NAME\": the environment variable in which it is given the URL of the database",
        ),
        Key::new(
            "scheme",
            Shape::Text,
            "\"postgresql+psycopg\"",
            "What stands before `:` in that URL, where the tool wants another word",
        ),
        Key::new(
            "timeout",
            Shape::Duration,
            "\"1h\"",
            "How long it may take for one revision before it is stopped",
        )
        .usually("\"1h\""),
        Key::new(
            "lock_timeout",
            Shape::Duration,
            "\"3s\"",
            "How long its statements may wait for a lock, handed over in PGOPTIONS (PostgreSQL)",
        ),
    ],
    kinds: &[
        ("alembic", &[]),
        ("django", &[]),
        ("rails", &[]),
        ("prisma", &[]),
        ("sqlx", &[]),
        ("dbmate", &[]),
        ("knex", &[]),
        ("node-pg-migrate", &[]),
        (
            "drizzle",
            &[Key::new(
                "config",
                Shape::Text,
                "\"drizzle.config.ts\"",
                "Its configuration, relative to dir",
            )],
        ),
        (
            "typeorm",
            &[Key::new(
                "data_source",
                Shape::Text,
                "\"src/data-source.ts\"",
                "The file of its data source, relative to dir",
            )],
        ),
        (
            "liquibase",
            &[Key::new(
                "search_path",
                Shape::Text,
                "\"src/main/resources\"",
                "What the names of changelogs in its history are relative to, relative to dir",
            )],
        ),
        ("flyway", &[]),
        ("golang-migrate", &[]),
        (
            "command",
            &[
                Key::new(
                    "run",
                    Shape::Texts,
                    "[\"./apply\", \"{revision}\"]",
                    "The program and its arguments, with {revision} where that stands",
                )
                .needed(),
                Key::new(
                    "query",
                    Shape::Text,
                    "\"SELECT version FROM schema_migrations\"",
                    "A SELECT that tells which revisions are applied, one a row",
                ),
                Key::new(
                    "applied",
                    Shape::Texts,
                    "[\"./applied\"]",
                    "A program that tells which revisions are applied, one a line",
                ),
                Key::new(
                    "sql",
                    Shape::Texts,
                    "[\"./print\", \"{revision}\"]",
                    "A program that prints the SQL of {revision}",
                ),
            ],
        ),
    ],
};
