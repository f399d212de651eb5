//! What SQLite knows from one release on. It reads the text of all that is in a file whenever a connection opens it: a library of an application
//! that is older can no longer use the file, or fails where a trigger fires.

use super::super::costs::Release;
use super::super::lexeme::{self, Kind, Token};
use super::GRAMMAR;

/// What needs a release, where it stands, and which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Newer {
    /// As it is written: `concat(`.
    pub what: String,
    pub since: Release,
    /// Whether it is looked up when it is used, and not when the file is opened.
    pub is_function: bool,
}

const fn release(minor: u16) -> Release {
    Release::new(3, minor, 0)
}

/// Functions, with the release that brought them.
const FUNCTIONS: &[(&str, u16)] = &[
    ("concat", 44),
    ("concat_ws", 44),
    ("format", 38),
    ("if", 48),
    ("json_array_insert", 51),
    ("json_error_position", 42),
    ("json_pretty", 46),
    ("octet_length", 43),
    ("sign", 35),
    ("string_agg", 44),
    ("timediff", 43),
    ("unhex", 41),
    ("unistr", 50),
    ("unistr_quote", 50),
    ("unixepoch", 38),
];

const AGGREGATES: &[&str] = &[
    "avg",
    "count",
    "group_concat",
    "json_group_array",
    "json_group_object",
    "jsonb_group_array",
    "jsonb_group_object",
    "max",
    "min",
    "string_agg",
    "sum",
    "total",
];

/// What the statement has in it that came with a release after this one; the newest of it.
#[must_use]
pub fn newer(sql: &str, than: Release) -> Option<Newer> {
    let code = Code {
        sql,
        tokens: lexeme::tokens(&GRAMMAR, sql).ok()?,
    };
    let each = (0..code.tokens.len()).filter_map(|at| code.at(at));
    let newest = each.max_by_key(|one| one.since);
    newest.filter(|one| one.since > than)
}

struct Code<'t> {
    sql: &'t str,
    tokens: Vec<Token>,
}

impl Code<'_> {
    fn sign(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| token.text(self.sql))
    }

    fn is(&self, at: usize, word: &str) -> bool {
        self.tokens
            .get(at)
            .is_some_and(|token| token.is_word(self.sql, word))
    }

    fn at(&self, at: usize) -> Option<Newer> {
        let token = self.tokens.get(at)?;
        let syntax = |what: &str, minor| {
            Some(Newer {
                what: what.to_owned(),
                since: release(minor),
                is_function: false,
            })
        };
        let written = token.text(self.sql);
        match token.kind {
            Kind::Word if self.sign(at + 1) == "(" && !self.is(at.wrapping_sub(1), "as") => {
                self.call(at)
            }
            _ if self.is(at, "strict") && self.is_end_of_table(at) => syntax("STRICT", 37),
            _ if self.is(at, "distinct") && self.is(at + 1, "from") => {
                syntax("IS DISTINCT FROM", 39)
            }
            _ if (self.is(at, "full") || self.is(at, "right"))
                && (self.is(at + 1, "join") || self.is(at + 1, "outer")) =>
            {
                syntax(&format!("{} JOIN", written.to_uppercase()), 39)
            }
            _ if self.is(at, "materialized") && self.is(at.wrapping_sub(1), "as") => {
                syntax("AS MATERIALIZED", 35)
            }
            _ if written.starts_with("->")
                || written == "-" && self.sign(at + 1).starts_with('>') =>
            {
                syntax("->", 38)
            }
            _ if written.starts_with(|c: char| c.is_ascii_digit()) && written.contains('_') => {
                syntax(written, 46)
            }
            _ => None,
        }
    }

    fn call(&self, at: usize) -> Option<Newer> {
        let name = self.sign(at).to_ascii_lowercase();
        let arguments = self.arguments(at + 1);
        let count = arguments.len();
        let function = |minor| {
            Some(Newer {
                what: name.clone(),
                since: release(minor),
                is_function: true,
            })
        };
        let is_ordered = AGGREGATES.contains(&name.as_str())
            && arguments.iter().any(|(from, to)| {
                (*from..*to).any(|at| self.is(at, "order") && self.is(at + 1, "by"))
            });
        if is_ordered && name != "string_agg" {
            return Some(Newer {
                what: format!("{name}(… ORDER BY …)"),
                since: release(44),
                is_function: false,
            });
        }
        match name.as_str() {
            "json_valid" if count > 1 => function(45),
            "iif" if count == 2 => function(48),
            _ if name == "jsonb" || name.starts_with("jsonb_") => function(45),
            _ => {
                let (_, minor) = FUNCTIONS.iter().find(|(known, _)| *known == name)?;
                function(*minor)
            }
        }
    }

    /// What stands between the commas of this parenthesis, by its tokens.
    fn arguments(&self, open: usize) -> Vec<(usize, usize)> {
        let (mut depth, mut from, mut found) = (0_usize, open + 1, Vec::new());
        for (at, token) in self.tokens.iter().enumerate().skip(open) {
            match token.kind {
                Kind::Open => depth += 1,
                Kind::Close => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        if at > from || !found.is_empty() {
                            found.push((from, at));
                        }
                        break;
                    }
                }
                Kind::Comma if depth == 1 => {
                    found.push((from, at));
                    from = at + 1;
                }
                _ => {}
            }
        }
        found
    }

    /// Whether it stands behind the columns of a table: `) STRICT`, `) WITHOUT ROWID, STRICT`.
    fn is_end_of_table(&self, at: usize) -> bool {
        let rest = self.tokens.iter().skip(at + 1);
        let before = at.checked_sub(1).map_or("", |before| self.sign(before));
        self.is(0, "create")
            && (before == ")" || before == ",")
            && rest
                .clone()
                .all(|token| token.kind != Kind::Open && token.kind != Kind::Close)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_newer_is_told_from_what_only_looks_so() {
        const THREE_FORTY: Release = release(40);
        for (sql, what) in [
            ("CREATE INDEX i ON t (concat(a, b))", Some("concat")),
            ("CREATE INDEX i ON t (a || b)", None),
            ("CREATE INDEX i ON t (\"concat\")", None),
            ("CREATE TABLE t (concat TEXT, octet_length INT)", None),
            (
                "CREATE VIEW v AS SELECT group_concat(a, ',' ORDER BY b) FROM t",
                Some("group_concat(… ORDER BY …)"),
            ),
            (
                "CREATE VIEW v AS SELECT group_concat(a) FROM (SELECT a FROM t ORDER BY a)",
                None,
            ),
            (
                "CREATE VIEW v AS SELECT sum(a) OVER (ORDER BY b) FROM t",
                None,
            ),
            (
                "CREATE VIEW v AS SELECT json_valid(a, 6) FROM t",
                Some("json_valid"),
            ),
            (
                "CREATE VIEW v AS SELECT json_valid(a), iif(a, 1, 2) FROM t",
                None,
            ),
            ("CREATE VIEW v AS SELECT iif(a, 1) FROM t", Some("iif")),
            (
                "CREATE VIEW v AS SELECT jsonb_extract(a, '$') FROM t",
                Some("jsonb_extract"),
            ),
            ("CREATE TABLE t (a INT DEFAULT 1_000)", Some("1_000")),
            ("CREATE TABLE t (a INT) STRICT", None),
            (
                "CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT CASE WHEN 1 THEN 2 END; END",
                None,
            ),
        ] {
            let found = newer(sql, THREE_FORTY);
            assert_eq!(found.as_ref().map(|one| one.what.as_str()), what, "{sql}");
        }
        const THREE_THIRTY: Release = release(30);
        for (sql, since) in [
            ("CREATE TABLE t (a INT) STRICT", 37),
            ("CREATE TABLE t (a INT) WITHOUT ROWID, STRICT", 37),
            ("CREATE VIEW v AS SELECT a -> '$.b' FROM t", 38),
            ("CREATE VIEW v AS SELECT a ->> '$.b' FROM t", 38),
            ("CREATE VIEW v AS SELECT 1 FROM t FULL JOIN u ON 1", 39),
            (
                "CREATE VIEW v AS SELECT a IS NOT DISTINCT FROM b FROM t",
                39,
            ),
            (
                "CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT unixepoch(); END",
                38,
            ),
        ] {
            assert_eq!(
                newer(sql, THREE_THIRTY).map(|one| one.since),
                Some(release(since)),
                "{sql}"
            );
        }
    }
}
