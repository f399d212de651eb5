//! How objects are called and written.

use phasegate_sql::Dialect;

/// Bytes of a name on PostgreSQL, and characters of one on MySQL less one: the least that all of them take.
const LONGEST_NAME: usize = 63;

/// Words that name nothing without quotes on one of the databases and that somebody might call a table or a column.
#[rustfmt::skip]
const RESERVED: &[&str] = &[
    "add", "all", "alter", "analyze", "and", "any", "array", "as", "asc", "authorization", "before", "between",
    "both", "by", "call", "cascade", "case", "cast", "change", "char", "character", "check", "collate", "column",
    "condition", "constraint", "convert", "create", "cross", "cube", "current_date", "current_time",
    "current_timestamp", "current_user", "cursor", "database", "databases", "dec", "decimal", "declare", "default",
    "delayed", "delete", "desc", "describe", "distinct", "div", "do", "double", "drop", "each", "else", "end",
    "escape", "except", "exists", "exit", "explain", "false", "fetch", "float", "for", "force", "foreign", "freeze",
    "from", "full", "fulltext", "function", "generated", "glob", "grant", "group", "groups", "having", "if", "ignore",
    "ilike", "in", "index", "infile", "initially", "inner", "inout", "insert", "int", "integer", "intersect",
    "interval", "into", "is", "isnull", "join", "key", "keys", "kill", "lateral", "lead", "leading", "leave", "left",
    "like", "limit", "linear", "lines", "load", "localtime", "lock", "long", "loop", "match", "mod", "natural", "not",
    "notnull", "null", "numeric", "of", "offset", "offsets", "on", "only", "option", "or", "order", "out", "outer",
    "over", "overlaps", "partition", "placing", "precision", "primary", "procedure", "purge", "range", "rank", "read",
    "real", "references", "regexp", "release", "rename", "repeat", "replace", "require", "restrict", "return",
    "returning", "revoke", "right", "rlike", "row", "row_number", "rows", "schema", "select", "separator",
    "session_user", "set", "show", "signal", "similar", "some", "spatial", "sql", "starting", "symmetric", "system",
    "table", "tablesample", "terminated", "text", "then", "to", "trailing", "transaction", "trigger", "true", "undo",
    "union", "unique", "unlock", "unsigned", "update", "usage", "use", "user", "using", "values", "varchar",
    "variadic", "verbose", "when", "where", "while", "window", "with", "write", "xor", "zerofill",
];

/// A name as a statement writes it: quoted only where it has to be.
pub(super) fn quoted(dialect: Dialect, name: &str) -> String {
    let mut letters = name.chars();
    let is_plain = letters
        .next()
        .is_some_and(|first| first.is_ascii_lowercase() || first == '_')
        && letters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && RESERVED.binary_search(&name).is_err();
    if is_plain {
        return name.to_owned();
    }
    match dialect {
        Dialect::Mysql => format!("`{}`", name.replace('`', "``")),
        Dialect::Postgres | Dialect::Sqlite => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

/// Where the change takes place, and what its objects are called.
pub(super) struct Place {
    pub dialect: Dialect,
    schema: Option<String>,
    name: String,
    number: String,
}

impl Place {
    pub fn new(dialect: Dialect, table: &str, number: &str) -> Self {
        let (schema, name) = match table.split_once('.') {
            Some((schema, name)) => (Some(schema.trim().to_owned()), name.trim()),
            None => (None, table.trim()),
        };
        Self {
            dialect,
            schema,
            name: name.to_owned(),
            number: number.to_owned(),
        }
    }

    /// Another table beside it, of the same migration.
    pub fn another(&self, name: &str) -> Self {
        Self {
            dialect: self.dialect,
            schema: self.schema.clone(),
            name: name.to_owned(),
            number: self.number.clone(),
        }
    }

    /// The table as a statement writes it.
    pub fn table(&self) -> String {
        self.in_schema(&self.name)
    }

    /// Its name alone, without quotes.
    pub fn own_name(&self) -> &str {
        &self.name
    }

    /// The table as `[backfill]` names it.
    pub fn plain_table(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{schema}.{}", self.name),
            None => self.name.clone(),
        }
    }

    pub fn column(&self, name: &str) -> String {
        quoted(self.dialect, name)
    }

    pub fn columns<'n>(&self, names: impl IntoIterator<Item = &'n String>) -> String {
        let names: Vec<String> = names.into_iter().map(|name| self.column(name)).collect();
        names.join(", ")
    }

    /// The rows of one batch: `id > :after AND id <= :upto`.
    pub fn range(&self, key: &[String]) -> String {
        let columns = self.columns(key);
        if key.len() == 1 {
            format!("{columns} > :after AND {columns} <= :upto")
        } else {
            format!("({columns}) > :after AND ({columns}) <= :upto")
        }
    }

    /// A trigger of this migration. Triggers of one kind fire in the order of their names on PostgreSQL, and those of
    /// MySQL in the order in which they were made: so ours sees what the others have made of the row.
    pub fn trigger(&self, does: &str) -> String {
        quoted(self.dialect, &self.fitting("zz_", does))
    }

    /// A function of this migration, where it belongs.
    pub fn function(&self, does: &str) -> String {
        self.in_schema(&self.fitting("zz_", does))
    }

    /// What lies in the table's schema, as a statement that does not name the table has to write it.
    pub fn beside(&self, written: &str) -> String {
        match &self.schema {
            Some(schema) => format!("{}.{written}", quoted(self.dialect, schema)),
            None => written.to_owned(),
        }
    }

    /// A trigger, an index or a view that is named with the schema that it is in, on databases that want it.
    pub fn in_schema(&self, name: &str) -> String {
        let name = quoted(self.dialect, name);
        match &self.schema {
            Some(schema) => format!("{}.{name}", quoted(self.dialect, schema)),
            None => name,
        }
    }

    /// A constraint that has no name of its own, as written.
    pub fn constraint(&self, does: &str) -> String {
        quoted(self.dialect, &self.fitting("", does))
    }

    /// A name for what has none, without quotes.
    pub fn unquoted(&self, does: &str) -> String {
        self.fitting("", does)
    }

    /// `PREFIX NUMBER _ TABLE _ WHAT`, the table cut where it is too long.
    fn fitting(&self, prefix: &str, does: &str) -> String {
        let head = if prefix.is_empty() {
            String::new()
        } else {
            format!("{prefix}{}_", self.number)
        };
        let tail = if does.is_empty() {
            String::new()
        } else {
            format!("_{does}")
        };
        let room = LONGEST_NAME.saturating_sub(head.len() + tail.len());
        let mut end = room.min(self.name.len());
        while !self.name.is_char_boundary(end) {
            end -= 1;
        }
        let table = self.name.get(..end).unwrap_or_default();
        format!("{head}{table}{tail}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_where_they_have_to_be() {
        assert!(RESERVED.is_sorted(), "looked up by halving");
        for (name, postgres, mysql) in [
            ("users", "users", "users"),
            ("order", "\"order\"", "`order`"),
            ("Users", "\"Users\"", "`Users`"),
            ("two words", "\"two words\"", "`two words`"),
            ("a\"b`c", "\"a\"\"b`c\"", "`a\"b``c`"),
            ("größe", "\"größe\"", "`größe`"),
        ] {
            assert_eq!(quoted(Dialect::Postgres, name), postgres);
            assert_eq!(quoted(Dialect::Sqlite, name), postgres);
            assert_eq!(quoted(Dialect::Mysql, name), mysql);
        }
    }

    #[test]
    fn names_of_objects_fit_everywhere() {
        let long = "ä".repeat(40);
        let place = Place::new(Dialect::Postgres, &format!("app.{long}"), "20260105103000");
        let function = place.function("insert");
        assert!(
            function.starts_with("app.\"zz_20260105103000_ä"),
            "{function}"
        );
        assert!(function.ends_with("ä_insert\""), "{function}");
        assert!(
            function.len() - "app.\"\"".len() <= LONGEST_NAME,
            "{function}"
        );
        assert_eq!(place.table(), format!("app.\"{long}\""));
    }
}
