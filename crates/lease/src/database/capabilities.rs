//! What differs between databases, as data.

use std::borrow::Cow;

use super::RowComparison;
use crate::sql::{Ddl, Dialect};

/// What the database at the other end of a connection can do, and how its SQL is written where that differs. Each connection has
/// its own, so that the server's version and flavour, and where the project keeps its ledger, are part of it.
#[derive(Clone, Debug)]
pub struct Capabilities {
    pub dialect: Dialect,
    /// What a change of the schema does to the transaction around it.
    pub ddl: Ddl,
    /// What stands before the name of each of the ledger's tables.
    pub ledger_prefix: Cow<'static, str>,
    /// Statements that have to run before the ledger's tables are created.
    pub ledger_setup: &'static [&'static str],
    /// A query that returns whether the ledger has `{table}`, as a count.
    pub ledger_exists: Cow<'static, str>,
    /// A query of the columns that `{tables}` of the ledger have, as far as this user may see them: table, column, type in small
    /// letters, and 1 or 0 for each of: may be NULL, is part of the primary key, is generated, has a default.
    pub ledger_columns: Cow<'static, str>,
    /// A query of the statements that take from others what they have on `{tables}` of the ledger besides `{may}`, where a
    /// database gives rights to others by itself.
    pub ledger_given: Option<&'static str>,
    /// Where the ledger is, if that is a database of its own.
    pub apart: Option<Apart>,
    /// How schemas are known whatever they are called, where there is more than one.
    pub schema_numbers: Option<SchemaNumbers>,
    /// An expression for the present moment in milliseconds since the epoch, by the database's
    /// clock and not by that of the transaction's start.
    pub now_ms: &'static str,
    /// An expression for the address of the client as the server sees it, as a text; empty for one on the same machine.
    pub client_address: &'static str,
    /// Whether that may be the name of a machine, which the server has looked up.
    pub looks_names_up: bool,
    /// An expression for the user as whom the client logged in, as a text.
    pub client_user: &'static str,
    /// What stands behind the user's name in it, and begins the host.
    pub client_user_ends: Option<char>,
    /// An expression for the number of the client's session, where sessions are numbered in order; 0 elsewhere.
    pub client_session: &'static str,
    /// The function that tells how long a text is, in bytes at most, where the server can without reading it.
    pub octets: &'static str,
    /// What makes a SELECT lock the rows that it finds; empty where a writing transaction locks
    /// out all others anyway.
    pub for_update: &'static str,
    /// The type of a key that is one integer.
    pub key_int: &'static str,
    /// The type of a text column that can be part of a primary key.
    pub key_text: &'static str,
    /// The type of a text column of any length.
    pub text: &'static str,
    /// What stands after the columns of each of the ledger's tables.
    pub table_options: &'static str,
    /// What follows that of a table whose key has several columns.
    pub composite_key_options: &'static str,
    /// How a check is put on a table that is there.
    pub add_check: AddCheck,
    /// How a few of many leases are found.
    pub many_leases: ManyLeases,
    /// How an index serves comparisons of keys of several columns.
    pub row_comparison: RowComparison,
    /// How many connections can write at the same time.
    pub writers: Writers,
    /// Whether sessions can be listed with the name of their application.
    pub lists_sessions: bool,
    /// Where statements are counted, if they are anywhere.
    pub statistics: Option<Statistics>,
    /// A query for what the database itself keeps from losing a table (the first parameter) or a column of it (the second, empty
    /// for all of them) in the first of the schemas where it is (the third): in words, by its name, and 1 where it is code. The
    /// inventory has what nobody keeps.
    pub depends: Option<&'static str>,
    /// A query for what happens to a table (the first parameter) past its triggers, in the first of the schemas where it is (the second):
    /// `child`, `of`, `key` or `delete`, what it is called, and the column that it is about. `None` if triggers see all.
    pub past_triggers: Option<&'static str>,
    /// A query for who has rights on single columns of a table (the first parameter), in the first of the schemas where it is (the
    /// second), and not on this column of it (the third): who, as a GRANT names them, which right, and on which columns. None where
    /// there are no rights.
    pub column_rights: Option<&'static str>,
}

/// How a server is asked which statements it has counted. `{place}` stands for what `installed` returns.
#[derive(Clone, Debug)]
pub struct Statistics {
    /// A query that returns where the counters are, and no row where there are none.
    pub installed: &'static str,
    /// What makes the server count, as an order.
    pub off: &'static str,
    /// What is not seen where statements of others are hidden.
    pub hidden: &'static str,
    /// A query that returns which counters these are, so that others have another text, for how many statements there was no room,
    /// and the present moment, for which `{now}` stands.
    pub counters: &'static str,
    /// What is not counted where there was no room for it.
    pub missed: &'static str,
    /// What is not seen where the server has cut statements off.
    pub cut_off: &'static str,
    /// What Phasegate puts before and behind a query of the project that it runs.
    pub around: &'static [(&'static str, &'static str)],
    /// A query that returns since when they count.
    pub since: Option<&'static str>,
    /// A query for statements that are like both its parameters: the text, how often, by whom, and when the last time.
    pub counted: &'static str,
    /// A query for sessions whose last statement is like its parameter: the statement, the role, what the session is called, its state.
    pub sessions: &'static str,
}

/// How schemas are known whatever they are called.
#[derive(Clone, Copy, Debug)]
pub struct SchemaNumbers {
    /// A query for the numbers of those that are there of the schemas that its parameter lists, as a text.
    pub of: &'static str,
    /// A query for what those are called now whose numbers are its parameters, twice: one row each, NULL for one that is not there.
    pub called: &'static str,
}

/// How a check is put on a table that is there; `{table}`, `{name}` and `{check}` stand for what they say, and `{bare}` for the
/// table's name without what [`Capabilities::ledger_prefix`] puts before it.
#[derive(Clone, Debug)]
pub struct AddCheck {
    /// Has the database refuse what breaks it from now on.
    pub add: &'static str,
    /// Looks at the rows that are there as well, where `add` does not.
    pub validate: Option<&'static str>,
    /// A query that returns how many checks of this name there are.
    pub exists: Cow<'static, str>,
}

/// How a few of many leases are found without looking at each.
#[derive(Clone, Debug)]
pub struct ManyLeases {
    pub versions: Versions,
    pub senseless: Senseless,
    /// What stands after the table's name in an index by the names of instances, which may be long.
    pub by_instance: &'static str,
    /// A query that returns how many of the indexes `{names}` the leases have.
    pub indexes: Cow<'static, str>,
}

/// Who goes along an index from one version to the next, and skips all the leases between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versions {
    /// The query, step by step.
    Stepped,
    /// The server, wherever it groups by an index. It would not take as many steps as there may be versions, and not say so.
    Grouped,
}

/// How rows that make no sense are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Senseless {
    /// By an index of these rows alone.
    OwnIndex,
    /// By an index of each column.
    ByColumn,
}

/// A ledger in a database of its own, beside that of the application. See `ledger::apart`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Apart {
    /// The database that holds the ledger and nothing else.
    pub ledger: String,
    /// The database that it tells of, as the server names it.
    pub application: String,
    /// What makes the former.
    pub create: String,
    /// What stands before the names of tables in the latter.
    pub beside: String,
}

/// Whether transactions that write different rows can run beside each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writers {
    One,
    Many,
}
