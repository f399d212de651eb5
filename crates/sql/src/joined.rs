//! Tables that become a part of another one on PostgreSQL: partitions, and children of a parent. What they ask of rows, rows
//! of old versions have to satisfy from there on: those of a new partition went to the default one before.

use super::facts::{Facts, Name};
use super::lexeme::{self, Kind, Token};
use super::{Dialect, Object};

/// One statement that makes a table a part of another one.
pub(super) struct Joined {
    pub parent: Name,
    pub child: Name,
    /// What the statement itself asks of rows; completes "which …".
    asks: Option<&'static str>,
    bounds: Bounds,
}

/// The literals of `FOR VALUES`.
#[derive(Default)]
struct Bounds {
    from: Vec<String>,
    to: Vec<String>,
    within: Vec<String>,
}

impl Joined {
    pub fn read(dialect: Dialect, sql: &str) -> Option<Self> {
        let tokens = lexeme::tokens(dialect.grammar(), sql).ok()?;
        let words = Words {
            dialect,
            sql,
            tokens: &tokens,
        };
        let table = (0..tokens.len()).find(|at| words.is(*at, "table"))?;
        let mut at = table + 1;
        while ["if", "not", "exists", "only"]
            .iter()
            .any(|word| words.is(at, word))
        {
            at += 1;
        }
        let (named, behind) = words.name(at)?;
        let bounds = words.bounds();
        let other = |ahead: &[&str]| {
            let found = (behind..tokens.len()).find(|at| {
                let mut ahead = ahead.iter().enumerate();
                ahead.all(|(more, word)| words.is(at + more, word))
            })?;
            let mut at = found + ahead.len();
            while tokens.get(at).is_some_and(|token| token.kind == Kind::Open) {
                at += 1;
            }
            Some(words.name(at)?.0)
        };
        if let Some(child) = other(&["attach", "partition"]) {
            return Some(Self {
                parent: named,
                child,
                asks: None,
                bounds,
            });
        }
        let parent = other(&["partition", "of"])
            .or_else(|| other(&["inherits"]))
            .or_else(|| other(&["inherit"]))?;
        let asks = words.asks(&parent, &bounds);
        Some(Self {
            parent,
            child: named,
            asks,
            bounds,
        })
    }

    /// Why rows of old versions may not satisfy what the new part asks; completes "this statement …".
    pub fn stricter(&self, dialect: Dialect, earlier: &[Facts], texts: &[&str]) -> Option<String> {
        let own = self.asks.or_else(|| {
            let statements = earlier.iter().zip(texts);
            let mut about = statements.filter(|(fact, _)| self.is_about_child(dialect, fact));
            about.find_map(|(_, text)| {
                let tokens = lexeme::tokens(dialect.grammar(), text).ok()?;
                let words = Words {
                    dialect,
                    sql: text,
                    tokens: &tokens,
                };
                words.asks(&self.parent, &self.bounds)
            })
        })?;
        let (child, parent) = (&self.child.name, &self.parent.name);
        Some(format!(
            "makes `{child}` a part of `{parent}`, which {own}: rows that old versions write to `{parent}` may not satisfy that (`CREATE TABLE {child} (LIKE {parent} INCLUDING ALL)` asks what `{parent}` does)"
        ))
    }

    fn is_about_child(&self, dialect: Dialect, fact: &Facts) -> bool {
        let is = |name: &str| dialect.same_name(name, &self.child.name);
        fact.subjects.iter().any(|subject| is(&subject.name))
            || fact
                .objects
                .iter()
                .any(|object: &Object| object.table.as_deref().map_or_else(|| is(&object.name), is))
    }
}

struct Words<'t> {
    dialect: Dialect,
    sql: &'t str,
    tokens: &'t [Token],
}

impl<'t> Words<'t> {
    fn is(&self, at: usize, word: &str) -> bool {
        let token = self.tokens.get(at);
        token.is_some_and(|token| token.is_word(self.sql, word))
    }

    fn text(&self, at: usize) -> &'t str {
        let token = self.tokens.get(at);
        token.map_or("", |token| token.text(self.sql))
    }

    /// The name that begins here, and what stands behind it.
    fn name(&self, at: usize) -> Option<(Name, usize)> {
        let part = |at: usize| (self.dialect.grammar().identifier)(self.text(at));
        Some(match self.text(at + 1) {
            "." => {
                let name = Name {
                    schema: Some(part(at)?),
                    name: part(at + 2)?,
                };
                (name, at + 3)
            }
            _ => {
                let name = Name {
                    schema: None,
                    name: part(at)?,
                };
                (name, at + 1)
            }
        })
    }

    fn bounds(&self) -> Bounds {
        let mut bounds = Bounds::default();
        let Some(values) =
            (0..self.tokens.len()).find(|at| self.is(*at, "for") && self.is(at + 1, "values"))
        else {
            return bounds;
        };
        let mut list = &mut bounds.within;
        for at in values..self.tokens.len() {
            if self.is(at, "from") {
                list = &mut bounds.from;
            } else if self.is(at, "to") {
                list = &mut bounds.to;
            } else if self
                .tokens
                .get(at)
                .is_some_and(|token| token.kind == Kind::Literal)
            {
                list.push(self.text(at).to_owned());
            }
        }
        bounds
    }

    /// What a definition, or a change of it, asks of rows beside what the parent asks of them.
    fn asks(&self, parent: &Name, bounds: &Bounds) -> Option<&'static str> {
        const CONSTRAINTS: &[(&str, &str)] = &[
            ("unique", "has a key of its own"),
            ("primary", "has a key of its own"),
            ("references", "has a foreign key of its own"),
            ("exclude", "has an exclusion constraint of its own"),
            ("trigger", "has a trigger of its own"),
            ("rule", "has a rule of its own"),
        ];
        if !(self.is(0, "create") || self.is(0, "alter")) {
            return None;
        }
        let mut at = 0;
        while at < self.tokens.len() {
            if self.is(at, "for") && self.is(at + 1, "values") {
                return None;
            }
            if self.is(at, "check") && self.text(at + 1) == "(" {
                let end = self.end_of_group(at + 1);
                let group = at + 2..end.saturating_sub(1);
                if !self.is_bound(group, bounds) {
                    return Some("has a CHECK of its own");
                }
                at = end;
                continue;
            }
            if self.is(at, "not") && self.is(at + 1, "null") && !self.is(at.wrapping_sub(1), "drop")
            {
                return Some("has a column that is NOT NULL");
            }
            if self.is(at, "like")
                && self
                    .name(at + 1)
                    .is_some_and(|(name, _)| name.name != parent.name)
            {
                return Some("is made like another table");
            }
            let found = CONSTRAINTS.iter().find(|(word, _)| self.is(at, word));
            if let Some((_, asks)) = found {
                return Some(asks);
            }
            at += 1;
        }
        None
    }

    /// What stands behind the parentheses that open here.
    fn end_of_group(&self, open: usize) -> usize {
        let mut depth = 0_usize;
        for (at, token) in self.tokens.iter().enumerate().skip(open) {
            match token.kind {
                Kind::Open => depth += 1,
                Kind::Close => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                return at + 1;
            }
        }
        self.tokens.len()
    }

    /// Whether a CHECK only says once more what the bounds of the partition say: what is attached then is not read for it.
    fn is_bound(&self, group: std::ops::Range<usize>, bounds: &Bounds) -> bool {
        let mut parts: Vec<Vec<usize>> = vec![Vec::new()];
        for at in group {
            let kind = self.tokens.get(at).map(|token| token.kind);
            if self.is(at, "and") {
                parts.push(Vec::new());
            } else if !matches!(kind, Some(Kind::Open | Kind::Close))
                && let Some(part) = parts.last_mut()
            {
                part.push(at);
            }
        }
        parts.iter().all(|part| self.is_part_of_bound(part, bounds))
    }

    fn is_part_of_bound(&self, part: &[usize], bounds: &Bounds) -> bool {
        let Some((column, rest)) = part.split_first() else {
            return false;
        };
        let is_name = self
            .tokens
            .get(*column)
            .is_some_and(|token| matches!(token.kind, Kind::Word | Kind::QuotedName));
        let is = |at: usize, word: &str| rest.get(at).is_some_and(|at| self.is(*at, word));
        if !is_name {
            return false;
        }
        if rest.len() == 3 && is(0, "is") && is(1, "not") && is(2, "null") {
            return true;
        }
        let signs: String = rest
            .iter()
            .map(|at| self.text(*at))
            .take_while(|sign| matches!(*sign, "<" | ">" | "=" | ">=" | "<="))
            .collect();
        let literals = || {
            rest.iter().filter(|at| {
                let token = self.tokens.get(**at);
                token.is_some_and(|token| token.kind == Kind::Literal)
            })
        };
        let are_in = |list: &[String]| {
            literals().next().is_some()
                && literals().all(|at| list.iter().any(|one| one == self.text(*at)))
        };
        let has_all = |list: &[String]| {
            !list.is_empty()
                && list
                    .iter()
                    .all(|one| literals().any(|at| one == self.text(*at)))
        };
        // A cast, or the name of a type before its literal.
        const OTHERS: &[&str] = &[
            ":",
            "::",
            ",",
            "date",
            "timestamp",
            "timestamptz",
            "text",
            "with",
            "without",
            "time",
            "zone",
            "in",
        ];
        let is_plain = rest.iter().all(|at| {
            let text = self.text(*at).to_ascii_lowercase();
            let is_literal = self
                .tokens
                .get(*at)
                .is_some_and(|token| token.kind == Kind::Literal);
            is_literal
                || OTHERS.contains(&text.as_str())
                || matches!(text.as_str(), "<" | ">" | "=" | ">=" | "<=")
        });
        is_plain
            && match signs.as_str() {
                ">=" => are_in(&bounds.from),
                "<" => are_in(&bounds.to),
                "=" => are_in(&bounds.within) && bounds.within.len() == 1,
                "" if is(0, "in") => has_all(&bounds.within),
                _ => false,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::parse;
    use super::super::{Dialect, Effect};

    /// Whether old versions cannot notice any statement of the script.
    fn is_fine(sql: &str) -> bool {
        let script = parse(Dialect::Postgres, sql);
        script
            .statements
            .iter()
            .all(|statement| matches!(statement.effect, Effect::Additive | Effect::Data))
    }

    #[test]
    fn a_new_part_asks_no_more_of_rows_than_its_parent() {
        const BOUNDS: &str = "FOR VALUES FROM (5) TO (50)";
        const DATES: &str = "FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')";
        let attach = |made: &str, bounds: &str| {
            format!("{made}; ALTER TABLE s.t ATTACH PARTITION p {bounds}")
        };
        for (sql, expected) in [
            (format!("CREATE TABLE p PARTITION OF t {BOUNDS}"), true),
            (
                format!("CREATE TABLE p PARTITION OF t (a DEFAULT 3) {BOUNDS}"),
                true,
            ),
            (
                format!("CREATE TABLE p PARTITION OF t (a NOT NULL) {BOUNDS}"),
                false,
            ),
            (
                format!("CREATE TABLE p PARTITION OF t (a WITH OPTIONS CHECK (a > 10)) {BOUNDS}"),
                false,
            ),
            (
                format!("CREATE TABLE p PARTITION OF s.t (CONSTRAINT c CHECK (a > 10)) {BOUNDS}"),
                false,
            ),
            (
                format!("CREATE TABLE p PARTITION OF t (UNIQUE (a)) {BOUNDS}"),
                false,
            ),
            (
                format!(
                    "CREATE TABLE p PARTITION OF t (FOREIGN KEY (a) REFERENCES u (id)) {BOUNDS}"
                ),
                false,
            ),
            // Its parent is of the script as well.
            (
                format!(
                    "CREATE TABLE t (a int, n int) PARTITION BY RANGE (n); CREATE TABLE p PARTITION OF t (a NOT NULL) {BOUNDS}"
                ),
                true,
            ),
            // It is not new to whoever writes to its parent.
            (
                format!(
                    "CREATE TABLE p PARTITION OF t {BOUNDS}; ALTER TABLE p ALTER a SET NOT NULL"
                ),
                false,
            ),
            (
                attach("CREATE TABLE p (LIKE s.t INCLUDING ALL)", BOUNDS),
                true,
            ),
            (
                attach("CREATE TABLE p (LIKE s.t INCLUDING ALL)", BOUNDS)
                    + "; ALTER TABLE p ALTER a SET NOT NULL",
                false,
            ),
            (
                attach(
                    "CREATE TABLE p (LIKE s.t INCLUDING ALL, CHECK (a > 10))",
                    BOUNDS,
                ),
                false,
            ),
            (
                attach(
                    "CREATE TABLE p (LIKE s.t INCLUDING ALL); ALTER TABLE p ADD CHECK (a > 10)",
                    BOUNDS,
                ),
                false,
            ),
            (
                attach(
                    "CREATE TABLE p (LIKE s.t INCLUDING ALL); ALTER TABLE p ALTER a SET NOT NULL",
                    BOUNDS,
                ),
                false,
            ),
            (
                attach(
                    "CREATE TABLE p (LIKE s.t INCLUDING ALL); CREATE UNIQUE INDEX ON p (a)",
                    BOUNDS,
                ),
                false,
            ),
            (
                attach("CREATE TABLE p (LIKE other INCLUDING ALL)", BOUNDS),
                false,
            ),
            (
                attach("CREATE TABLE p (a int, n int NOT NULL)", BOUNDS),
                false,
            ),
            (attach("CREATE TABLE p (a int, n int)", BOUNDS), true),
            // The bounds once more, so that what is attached is not read for them.
            (
                attach(
                    "CREATE TABLE p (LIKE s.t INCLUDING ALL, CHECK (n >= 5 AND n < 50))",
                    BOUNDS,
                ),
                true,
            ),
            (
                attach(
                    "CREATE TABLE p (LIKE s.t INCLUDING ALL); ALTER TABLE p ADD CONSTRAINT c CHECK ((at IS NOT NULL) AND (at >= '2026-01-01'::date) AND (at < DATE '2027-01-01'))",
                    DATES,
                ),
                true,
            ),
            (
                attach(
                    "CREATE TABLE p (LIKE s.t INCLUDING ALL, CHECK (n > 5 AND n < 50))",
                    BOUNDS,
                ),
                false,
            ),
            (
                attach(
                    "CREATE TABLE p (LIKE s.t INCLUDING ALL, CHECK (n >= 6 AND n < 50))",
                    BOUNDS,
                ),
                false,
            ),
            (
                attach(
                    "CREATE TABLE p (LIKE s.t, CHECK (n IN (1, 2)))",
                    "FOR VALUES IN (1, 2)",
                ),
                true,
            ),
            (
                attach(
                    "CREATE TABLE p (LIKE s.t, CHECK (n IN (1, 2)))",
                    "FOR VALUES IN (1, 2, 3)",
                ),
                false,
            ),
            ("CREATE TABLE p (b int) INHERITS (t)".to_owned(), true),
            (
                "CREATE TABLE p (CHECK (a > 10)) INHERITS (t)".to_owned(),
                false,
            ),
            (
                "CREATE TABLE p (LIKE t); ALTER TABLE p INHERIT t".to_owned(),
                true,
            ),
            (
                "CREATE TABLE p (LIKE t, CHECK (a > 10)); ALTER TABLE p INHERIT t".to_owned(),
                false,
            ),
        ] {
            assert_eq!(is_fine(&sql), expected, "{sql}");
        }
    }
}
