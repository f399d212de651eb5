//! The keys of `[change]`.

use super::{Key, Section, Shape};

const COLUMN: Key = Key::new("column", Shape::Text, "\"email\"", "The column").needed();
const TYPE: Key = Key::new("type", Shape::Varied, "\"text\"", "Its type");
const NOT_NULL: Key =
    Key::new("not_null", Shape::Flag, "true", "Whether it is NOT NULL").usually("false");
const DEFAULT: Key = Key::new("default", Shape::Varied, "\"''\"", "Its default, as SQL");
const NAMED: Key = Key::new("name", Shape::Text, "\"users_email\"", "Its name");
const COLUMNS: Key = Key::new("columns", Shape::TextOrTexts, "[\"email\"]", "The columns");
const BATCHED: Key = Key::new(
    "key",
    Shape::TextOrTexts,
    "\"id\"",
    "A unique key of the table that the backfill's batches go along",
);

const DROP_INDEXES: Key = Key::new(
    "drop_indexes",
    Shape::Texts,
    "[\"users_email\"]",
    "Indexes over the old columns that go with them",
);

const DROP_CONSTRAINTS: Key = Key::new(
    "drop_constraints",
    Shape::Texts,
    "[\"orders_user_id_fkey\"]",
    "Foreign keys and conditions over the old columns that go with them",
);

const INDEXED: Key = Key::new(
    "on",
    Shape::Varied,
    "\"lower(email)\"",
    "What is indexed in place of columns, as SQL",
);
const WHERE: Key = Key::new(
    "where",
    Shape::Varied,
    "\"deleted_at IS NULL\"",
    "Which rows are indexed, as SQL",
);

const NEW_INDEX: Section = Section::of(&[
    COLUMNS,
    INDEXED,
    WHERE,
    Key::new(
        "unique",
        Shape::Flag,
        "true",
        "Whether no two rows have the same",
    )
    .usually("false"),
    Key::new(
        "replaces",
        Shape::Text,
        "\"users_full_name\"",
        "The index over the old columns whose place it takes",
    ),
]);

const NEW_COLUMN: Section = Section::of(&[
    Key::new(
        "type",
        Shape::Varied,
        "{ postgres = \"text\", mysql = \"varchar(200)\" }",
        "Its type",
    )
    .needed(),
    DEFAULT,
    NOT_NULL,
]);

pub(super) const CHANGE: Section = Section {
    keys: &[Key::new("table", Shape::Text, "\"users\"", "The table that changes").needed()],
    kinds: &[
        (
            "columns",
            &[
                Key::new(
                    "key",
                    Shape::TextOrTexts,
                    "\"id\"",
                    "A unique key of the table that the backfill's batches go along",
                )
                .needed(),
                Key::new(
                    "old",
                    Shape::TextOrTexts,
                    "[\"full_name\"]",
                    "The columns that go",
                )
                .needed(),
                Key::table(
                    "new",
                    Shape::Columns(&NEW_COLUMN),
                    "The columns that come, with their types",
                )
                .needed(),
                Key::table(
                    "indexes",
                    Shape::TableEach(&NEW_INDEX),
                    "Indexes over the new columns, which expand builds while they are empty",
                ),
                DROP_INDEXES,
                DROP_CONSTRAINTS,
                Key::new(
                    "forward",
                    Shape::Expressions,
                    "{ NAME = \"upper(full_name)\", mysql = { NAME = \"ucase(full_name)\" } }",
                    "Each new column from the old ones, as SQL",
                )
                .needed(),
                Key::new(
                    "back",
                    Shape::Expressions,
                    "{ full_name = \"NAME\" }",
                    "Each old column from the new ones, as SQL",
                )
                .needed(),
                Key::new(
                    "keep",
                    Shape::Texts,
                    "[\"updated_at\"]",
                    "Columns that the backfill leaves as they are (MySQL, MariaDB)",
                ),
            ],
        ),
        (
            "not-null",
            &[
                COLUMN,
                TYPE,
                Key::new(
                    "fill",
                    Shape::Varied,
                    "\"''\"",
                    "What stands in place of NULL, as SQL",
                ),
                BATCHED,
            ],
        ),
        (
            "check",
            &[
                NAMED,
                Key::new(
                    "condition",
                    Shape::Varied,
                    "\"price > 0\"",
                    "What has to hold, as SQL",
                )
                .needed(),
            ],
        ),
        (
            "foreign-key",
            &[
                NAMED,
                COLUMNS,
                Key::new(
                    "references",
                    Shape::Text,
                    "\"users\"",
                    "The table that is referred to",
                )
                .needed(),
                Key::new("referenced", Shape::TextOrTexts, "[\"id\"]", "Its columns").needed(),
                Key::new(
                    "on_delete",
                    Shape::Text,
                    "\"cascade\"",
                    "What becomes of the row when the other one is deleted",
                ),
            ],
        ),
        ("unique", &[NAMED, COLUMNS]),
        (
            "add-column",
            &[
                COLUMN,
                Key::new("type", Shape::Varied, "\"text\"", "Its type").needed(),
                DEFAULT,
                NOT_NULL,
            ],
        ),
        (
            "default",
            &[
                COLUMN,
                Key::new(
                    "from",
                    Shape::Varied,
                    "\"'NL'\"",
                    "Its default now, as SQL; none if it has none",
                ),
                Key::new(
                    "to",
                    Shape::Varied,
                    "\"'BE'\"",
                    "Its default then, as SQL; none if it is to have none",
                ),
            ],
        ),
        (
            "rename-table",
            &[
                Key::new(
                    "to",
                    Shape::Text,
                    "\"people\"",
                    "Its new name, without a schema",
                )
                .needed(),
                Key::new(
                    "key",
                    Shape::TextOrTexts,
                    "\"id\"",
                    "A unique key by which a row is found again (SQLite)",
                ),
                Key::new(
                    "columns",
                    Shape::TextOrTexts,
                    "[\"id\", \"name\"]",
                    "All columns that can be written (SQLite)",
                ),
                Key::new(
                    "defaults",
                    Shape::Expressions,
                    "{ name = \"'nobody'\" }",
                    "What stands in a column that is left out (SQLite)",
                ),
            ],
        ),
        (
            "split-table",
            &[
                Key::new(
                    "key",
                    Shape::TextOrTexts,
                    "\"id\"",
                    "A unique key of the table that the backfill's batches go along",
                )
                .needed(),
                Key::new(
                    "to",
                    Shape::Text,
                    "\"addresses\"",
                    "The new table, without a schema",
                )
                .needed(),
                Key::new(
                    "link",
                    Shape::TextOrTexts,
                    "\"user_id\"",
                    "What the columns of the key are called in the new table",
                )
                .needed(),
                Key::table(
                    "new",
                    Shape::Columns(&NEW_COLUMN),
                    "All columns of the new table, with their types: those of `link`, and those that move",
                )
                .needed(),
                DROP_INDEXES,
                DROP_CONSTRAINTS,
            ],
        ),
        (
            "index",
            &[
                Key::new("name", Shape::Text, "\"users_email\"", "Its name").needed(),
                COLUMNS,
                INDEXED,
                WHERE,
            ],
        ),
        (
            "widen",
            &[
                COLUMN,
                Key::new("from", Shape::Varied, "\"varchar(50)\"", "Its type now").needed(),
                Key::new("to", Shape::Varied, "\"varchar(200)\"", "Its type then"),
                Key::new(
                    "values",
                    Shape::TextOrTexts,
                    "[\"refunded\"]",
                    "Values that the enumeration gets, in place of `to`",
                ),
            ],
        ),
        (
            "values",
            &[
                COLUMN,
                Key::new(
                    "name",
                    Shape::Varied,
                    "\"orders_status_check\"",
                    "The CHECK that lists the values",
                )
                .needed(),
                Key::new(
                    "from",
                    Shape::TextOrTexts,
                    "[\"new\", \"paid\"]",
                    "All values that it lists now",
                )
                .needed(),
                Key::new(
                    "to",
                    Shape::TextOrTexts,
                    "[\"new\", \"paid\", \"refunded\"]",
                    "All values that it lists then",
                )
                .needed(),
                Key::new(
                    "instead",
                    Shape::Named,
                    "{ paid = \"settled\" }",
                    "What rows get in place of a value that goes",
                ),
            ],
        ),
        (
            "drop-column",
            &[
                DROP_INDEXES,
                Key::new(
                    "placeholder",
                    Shape::Varied,
                    "\"''\"",
                    "What versions that no longer know it leave in it, as SQL",
                ),
                COLUMNS,
            ],
        ),
        ("drop-table", &[]),
        (
            "drop-index",
            &[Key::new("name", Shape::Text, "\"users_email\"", "Its name").needed()],
        ),
    ],
};
