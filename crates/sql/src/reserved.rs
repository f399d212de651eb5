//! Whether a text names the tables in which Phasegate records what it did.

use super::lexeme::{self, Kind, Token};
use super::{Dialect, postgres};

/// The schema of the ledger where it has one, and the beginning of its tables' names elsewhere.
const LEDGER: &str = "phasegate";
const LEDGER_TABLE: &str = "phasegate_";
/// Deeper, a text within a text is not read.
const DEEPEST: usize = 4;

/// What names the ledger in a text.
#[derive(Clone, Copy)]
struct Ledger<'a> {
    dialect: Dialect,
    /// The database that holds it alone.
    database: Option<&'a str>,
}

/// Whether `sql` names a table of the ledger, or the schema or the `database` of its own in which they are, wherever that is:
/// in a body, in a text that may be run, in a search path.
#[must_use]
pub fn names_ledger(dialect: Dialect, database: Option<&str>, sql: &str) -> bool {
    let database = database.filter(|_| dialect == Dialect::Mysql);
    Ledger { dialect, database }.is_named(sql, 0)
}

impl Ledger<'_> {
    fn is_named(self, sql: &str, depth: usize) -> bool {
        let Self { dialect, database } = self;
        let lower = sql.to_ascii_lowercase();
        let mentions_it = lower.contains(LEDGER)
            || database.is_some_and(|name| lower.contains(&name.to_ascii_lowercase()));
        if !mentions_it && !sql.contains('\\') {
            return false;
        }
        let Ok(tokens) = lexeme::tokens(dialect.grammar(), sql) else {
            // A text in another language: what it says is taken by its words.
            return said(dialect, sql);
        };
        let runs_texts = !is_plain_rows(sql, &tokens);
        tokens
            .iter()
            .enumerate()
            .any(|(index, token)| match token.kind {
                // Another language may quote its texts so.
                Kind::QuotedName if runs_texts && said(dialect, token.text(sql)) => true,
                Kind::Word | Kind::QuotedName => {
                    is_of_ledger(dialect, sql, &tokens, index)
                        || self.is_its_database(sql, &tokens, index)
                }
                Kind::Literal if is_name_place(dialect, sql, &tokens, index) => {
                    let grammar = dialect.grammar();
                    (grammar.identifier)(token.text(sql)).is_some_and(|name| is_table(&name))
                }
                Kind::Literal if runs_texts && depth < DEEPEST => {
                    let inner = inner(dialect, token.text(sql));
                    let is_path = inner
                        .split([',', ' ', '"'])
                        .any(|part| part.trim() == LEDGER)
                        && dialect == Dialect::Postgres
                        && mentions(sql, &tokens, &["search_path"]);
                    is_path || self.is_named(&inner, depth + 1) || self.quotes(sql, &tokens, &inner)
                }
                // A comment that the server runs.
                Kind::Other if token.text(sql).starts_with("/*") => {
                    let text = token.text(sql).trim_start_matches(['/', '*', 'M', '!']);
                    let text = text.trim_end_matches(['/', '*']);
                    let text = text.trim_start_matches(|c: char| c.is_ascii_digit());
                    self.is_named(text, depth + 1)
                }
                _ => false,
            })
    }

    /// Whether a name is that of the ledger's own database, where the name of a database stands. On some servers it is the
    /// same however it is written.
    fn is_its_database(self, sql: &str, tokens: &[Token], index: usize) -> bool {
        const BEFORE: &[&str] = &["database", "schema", "use"];
        let Some(own) = self.database else {
            return false;
        };
        let is_it = identifier(self.dialect, sql, tokens, index)
            .is_some_and(|name| name.eq_ignore_ascii_case(own));
        let is_qualifier = || {
            tokens
                .get(index + 1)
                .is_some_and(|next| next.text(sql).starts_with('.'))
        };
        let is_object = || {
            index
                .checked_sub(1)
                .and_then(|before| tokens.get(before))
                .is_some_and(|before| {
                    BEFORE.iter().any(|word| before.is_word(sql, word))
                        || before.is_word(sql, "exists")
                            && mentions(sql, tokens, &["database", "schema"])
                })
        };
        is_it && (is_qualifier() || is_object())
    }

    /// The schema or the database alone, as a value in a text that is run: `format('DELETE FROM %I.leases', 'phasegate')`.
    fn quotes(self, sql: &str, tokens: &[Token], inner: &str) -> bool {
        match self.dialect {
            Dialect::Postgres => inner == LEDGER && mentions(sql, tokens, &["execute", "format"]),
            Dialect::Mysql => {
                const JOINS: &[&str] = &[
                    "concat",
                    "concat_ws",
                    "replace",
                    "execute",
                    "prepare",
                    "insert",
                ];
                let trimmed = inner.trim_matches(['`', '.', ' ']);
                self.database
                    .is_some_and(|own| trimmed.eq_ignore_ascii_case(own))
                    && mentions(sql, tokens, JOINS)
            }
            Dialect::Sqlite => false,
        }
    }
}

fn is_table(name: &str) -> bool {
    name.get(..LEDGER_TABLE.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(LEDGER_TABLE))
}

fn is_of_ledger(dialect: Dialect, sql: &str, tokens: &[Token], index: usize) -> bool {
    let Some(name) = identifier(dialect, sql, tokens, index) else {
        return false;
    };
    match dialect {
        Dialect::Sqlite | Dialect::Mysql => is_table(&name),
        Dialect::Postgres => {
            let next = tokens.get(index + 1).map(|next| next.text(sql));
            // A role or a column may be called so.
            name == LEDGER
                && (next == Some(".") || mentions(sql, tokens, &["schema", "search_path"]))
        }
    }
}

/// The name that a token spells; with the escapes of `U&"…"` resolved.
fn identifier(dialect: Dialect, sql: &str, tokens: &[Token], index: usize) -> Option<String> {
    let token = tokens.get(index)?;
    let text = token.text(sql);
    let escaped = text.strip_prefix("U&").or_else(|| text.strip_prefix("u&"));
    let before = sql.get(..token.span.start).unwrap_or_default();
    let is_escaped = before.ends_with("U&") || before.ends_with("u&");
    match (dialect, escaped) {
        (Dialect::Postgres, Some(quoted)) => Some(unescaped(quoted.trim_matches('"'))),
        (Dialect::Postgres, None) if is_escaped => Some(unescaped(text.trim_matches('"'))),
        _ => (dialect.grammar().identifier)(text),
    }
}

fn unescaped(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        plain.push_str(rest.get(..at).unwrap_or_default());
        let after = rest.get(at + 1..).unwrap_or_default();
        let (digits, skip) = match after.strip_prefix('+') {
            Some(long) => (long.get(..6), 7),
            None => (after.get(..4), 4),
        };
        let character = digits
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .and_then(char::from_u32);
        match character {
            Some(character) => {
                plain.push(character);
                rest = after.get(skip..).unwrap_or_default();
            }
            None => {
                plain.push('\\');
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    plain
}

/// Rows are only data: a text in them is not run.
fn is_plain_rows(sql: &str, tokens: &[Token]) -> bool {
    const PLAIN: &[&str] = &["insert", "update", "delete", "comment", "replace"];
    tokens
        .first()
        .is_some_and(|first| PLAIN.iter().any(|word| first.is_word(sql, word)))
}

/// SQLite takes a text in quotes for a name where one is needed.
fn is_name_place(dialect: Dialect, sql: &str, tokens: &[Token], index: usize) -> bool {
    const BEFORE: &[&str] = &[
        "from", "into", "update", "table", "join", "on", "exists", "index", "trigger", "view",
    ];
    dialect == Dialect::Sqlite
        && index
            .checked_sub(1)
            .and_then(|before| tokens.get(before))
            .is_some_and(|before| {
                before.text(sql) == "." || BEFORE.iter().any(|word| before.is_word(sql, word))
            })
}

fn mentions(sql: &str, tokens: &[Token], words: &[&str]) -> bool {
    tokens.iter().any(|token| {
        let text = token.text(sql).trim_matches(['\'', '"']);
        words.iter().any(|word| text.eq_ignore_ascii_case(word))
    })
}

fn inner(dialect: Dialect, literal: &str) -> String {
    match dialect {
        Dialect::Postgres => postgres::unquoted(literal).unwrap_or_default(),
        Dialect::Sqlite | Dialect::Mysql => {
            let inner = literal.trim_matches(['\'', '"']);
            inner.replace("''", "'")
        }
    }
}

/// A text that is no SQL.
fn said(dialect: Dialect, text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    match dialect {
        Dialect::Postgres => {
            lower.contains("phasegate.") || lower.contains("phasegate\".") || lower.trim() == LEDGER
        }
        Dialect::Sqlite | Dialect::Mysql => lower.contains(LEDGER_TABLE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ledgers_tables_are_known_however_they_are_written() {
        let everywhere: &[(&str, bool)] = &[
            ("UPDATE phasegate_migrations SET phase = 'contracted'", true),
            ("update PhaseGate_Migrations set phase = 'contracted'", true),
            ("DELETE FROM main.phasegate_leases", true),
            ("DROP TABLE IF EXISTS a, phasegate_events", true),
            (
                "SELECT count(*) FROM users u JOIN phasegate_leases l ON l.id = u.id",
                true,
            ),
            ("CREATE VIEW v AS SELECT * FROM phasegate_meta", true),
            ("INSERT INTO notes VALUES ('see phasegate_leases')", false),
            ("UPDATE notes SET a = 'phasegate.leases'", false),
            ("SELECT 1 -- phasegate_leases", false),
        ];
        let of = |dialect| match dialect {
            Dialect::Sqlite => &[
                (
                    "CREATE TRIGGER z AFTER INSERT ON phasegate_events BEGIN DELETE FROM phasegate_leases; END",
                    true,
                ),
                (
                    "CREATE TRIGGER z AFTER INSERT ON users BEGIN DELETE FROM [phasegate_leases]; END",
                    true,
                ),
                ("DELETE FROM 'phasegate_leases'", true),
                ("DELETE FROM \"PHASEGATE_leases\"", true),
            ][..],
            Dialect::Mysql => &[
                ("DELETE FROM `phasegate_leases`", true),
                ("GRANT ALL ON shop.phasegate_leases TO x", true),
                ("/*!50000 DROP TABLE phasegate_meta */", true),
                (
                    "CREATE TRIGGER z AFTER INSERT ON users FOR EACH ROW DELETE FROM phasegate_leases",
                    true,
                ),
                (
                    "CREATE PROCEDURE p() BEGIN EXECUTE IMMEDIATE 'DELETE FROM phasegate_leases'; END",
                    true,
                ),
                ("DROP DATABASE shop_phasegate", true),
                ("DROP SCHEMA IF EXISTS `Shop_Phasegate`", true),
                ("ALTER DATABASE shop_phasegate CHARACTER SET latin1", true),
                ("USE shop_phasegate", true),
                ("RENAME TABLE users TO `shop_phasegate` . users", true),
                ("GRANT ALL ON shop_phasegate.* TO x", true),
                ("CREATE VIEW v AS SELECT 1 FROM shop_phasegate.a", true),
                (
                    "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO DROP DATABASE shop_phasegate",
                    true,
                ),
                (
                    "CREATE TRIGGER z AFTER INSERT ON users FOR EACH ROW INSERT INTO shop_phasegate.a VALUES (1)",
                    true,
                ),
                (
                    "CREATE PROCEDURE p() BEGIN PREPARE s FROM 'DROP DATABASE shop_phasegate'; EXECUTE s; END",
                    true,
                ),
                ("SET @x = CONCAT('DROP DATABASE ', 'shop_phasegate')", true),
                (
                    "SET @x = CONCAT('DROP DATABASE `', 'shop_phasegate', '`')",
                    true,
                ),
                ("/*M!100000 DROP DATABASE shop_phasegate */", true),
                ("DROP DATABASE shop_phasegate_old", false),
                ("ALTER TABLE users ADD COLUMN shop_phasegate int", false),
                ("UPDATE users SET shop_phasegate = 1", false),
                (
                    "INSERT INTO notes VALUES ('shop_phasegate', 'DROP DATABASE shop_phasegate')",
                    false,
                ),
            ][..],
            Dialect::Postgres => &[
                ("UPDATE phasegate.migrations SET phase = 'contracted'", true),
                ("UPDATE \"phasegate\" . migrations SET phase = 'x'", true),
                ("DELETE FROM U&\"phaseg\\0061te\".leases", true),
                ("SET LOCAL search_path = phasegate, public", true),
                ("SET LOCAL search_path TO 'phasegate'", true),
                (
                    "SELECT set_config('search_path', 'phasegate,public', true)",
                    true,
                ),
                ("DROP SCHEMA a, phasegate CASCADE", true),
                ("GRANT USAGE ON SCHEMA phasegate TO x", true),
                ("ALTER TABLE users SET SCHEMA phasegate", true),
                ("DO $$ BEGIN DELETE FROM phasegate.leases; END $$", true),
                (
                    "DO $$ BEGIN EXECUTE 'DELETE FROM phasegate.leases'; END $$",
                    true,
                ),
                (
                    "DO $$ BEGIN EXECUTE format('DELETE FROM %I.leases', 'phasegate'); END $$",
                    true,
                ),
                (
                    "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpython3u AS $$ plpy.execute(\"delete from phasegate.leases\") $$",
                    true,
                ),
                (
                    "CREATE TRIGGER z AFTER INSERT ON phasegate.events FOR EACH ROW EXECUTE FUNCTION f()",
                    true,
                ),
                ("GRANT SELECT ON users TO phasegate", false),
                ("ALTER TABLE users ADD COLUMN phasegate text", false),
                ("COMMENT ON TABLE users IS 'see phasegate.leases'", false),
            ][..],
        };
        for dialect in Dialect::ALL.iter().copied() {
            for (sql, expected) in everywhere.iter().chain(of(dialect)) {
                if dialect == Dialect::Postgres && sql.to_lowercase().contains("phasegate_") {
                    continue;
                }
                assert_eq!(
                    names_ledger(dialect, Some("shop_phasegate"), sql),
                    *expected,
                    "{}: {sql}",
                    dialect.name()
                );
            }
        }
    }
}
