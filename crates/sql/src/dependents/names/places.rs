//! Where the name of a table may stand beside what reads and writes rows of it.

use super::super::super::{Dialect, ObjectKind, Verb};
use super::{Piece, Wanted, closing, named};

impl Wanted<'_> {
    /// `TRUNCATE t`, `LOCK TABLE t`, `COPY t TO …`, `r t;`, `ROW TYPE OF t`, `'t'::regclass`.
    pub(super) fn is_named_besides(&self, statement: &[Piece], index: usize) -> bool {
        const VERBS: &[&str] = &[
            "truncate", "lock", "copy", "analyze", "analyse", "vacuum", "cluster", "reindex",
            "handler", "describe", "like",
        ];
        let before = |at: usize| at.checked_sub(1).and_then(|before| statement.get(before));
        if let Some(Piece::Text(text)) = statement.get(index) {
            return self.is_spoken_of(text, statement, index);
        }
        if !self.is_table(statement.get(index)) {
            return false;
        }
        let mut at = index;
        while before(at).is_some_and(|piece| piece.is_sign(".")) {
            at = at.saturating_sub(2);
        }
        // One after the other: `TRUNCATE a, b`, `LOCK TABLES a READ, b WRITE`.
        let first = statement
            .iter()
            .find(|piece| !piece.is_any(&["begin", "then", "else", "loop", "do"]));
        let of_each = first.is_some_and(|verb| verb.is_any(&["truncate", "lock"]));
        if of_each && matches!(before(at), Some(Piece::Comma)) {
            return true;
        }
        match before(at) {
            Some(verb) if verb.is_any(VERBS) => true,
            Some(of) if of.is("of") => {
                before(at.saturating_sub(1)).is_some_and(|word| word.is("type"))
            }
            Some(Piece::Name(_)) => self.is_declared(statement, (at, index)),
            _ => false,
        }
    }

    /// `r stage;`, `r CONSTANT stage := …`: a variable that is a row of it.
    fn is_declared(&self, statement: &[Piece], (at, index): (usize, usize)) -> bool {
        const NO_NAME: &[&str] = &[
            "return", "perform", "call", "select", "goto", "end", "exit", "continue", "begin",
            "delete", "set", "raise", "open", "close", "fetch", "if", "while", "case", "when",
            "else", "drop", "use", "leave", "iterate",
        ];
        if self.dialect != Dialect::Postgres {
            return false;
        }
        let start = usize::from(statement.first().is_some_and(|piece| piece.is("declare")));
        let is_variable =
            matches!(statement.get(start), Some(name @ Piece::Name(_)) if !name.is_any(NO_NAME));
        let is_behind_it = at == start + 1
            || at == start + 2
                && statement
                    .get(start + 1)
                    .is_some_and(|word| word.is("constant"));
        let next = statement.get(index + 1);
        let ends = next.is_none_or(|next| match next {
            Piece::Sign(sign) => sign.starts_with([':', '=', '%']),
            // `r stage[]`
            Piece::Open => true,
            next => next.is_any(&["not", "default"]),
        });
        is_variable && is_behind_it && ends
    }

    /// `'t'::regclass`, `to_regclass('s.t')`, `pg_relation_size('t')`. As any other value it is a word.
    fn is_spoken_of(&self, text: &str, statement: &[Piece], index: usize) -> bool {
        let name = text.rsplit('.').next().unwrap_or(text).trim_matches('"');
        if self.dialect != Dialect::Postgres || !self.same(name, self.table) {
            return false;
        }
        let before = |back: usize| index.checked_sub(back).and_then(|at| statement.get(at));
        let mut casts = statement.iter().skip(index + 1).take(3);
        let is_cast = casts.any(|piece| piece.is("regclass"))
            || before(1).is_some_and(|word| word.is("regclass"));
        let is_argument = before(1) == Some(&Piece::Open)
            && matches!(before(2), Some(Piece::Name(function)) if {
                let function = function.to_ascii_lowercase();
                function.contains("regclass") || function.starts_with("pg_")
            });
        is_cast || is_argument
    }

    /// `INSERT INTO t SELECT …`, `INSERT INTO t VALUES (…)`, `COPY t FROM …`: as many values as it has columns. Where one is called
    /// something else nothing is missing.
    pub(super) fn fills_each_column(&self, statement: &[Piece]) -> bool {
        self.verb != Verb::Rename
            && statement.iter().enumerate().any(|(index, piece)| {
                if !piece.is_any(&["into", "copy"]) {
                    return false;
                }
                let (end, is_of_table) = named(self, statement, index + 1);
                let rest = match statement.get(end) {
                    // `INSERT INTO t (SELECT …)`, and not a list of columns.
                    Some(Piece::Open) => statement.get(end + 1..closing(statement, end)),
                    _ => statement.get(end..),
                };
                let rest = rest.unwrap_or_default();
                is_of_table
                    && rest.iter().take(4).any(|piece| {
                        piece.is_any(&["select", "values", "value", "table", "with", "from"])
                    })
                    && !rest.first().is_some_and(|piece| piece.is("default"))
            })
    }
}

/// Whether a body fails once the table has one more column: it inserts a value for each of them, or all of them into another table that
/// does not grow as well.
pub(in super::super) fn counts_columns(
    dialect: Dialect,
    body: &str,
    (table, is_on): (&str, bool),
    grows_too: &dyn Fn(&str) -> bool,
) -> bool {
    let wanted = Wanted {
        dialect,
        verb: Verb::Create,
        kind: ObjectKind::Table,
        is_on,
        table,
        column: None,
        aliases: Vec::new(),
        rows: Vec::new(),
    };
    let pieces = super::pieces(dialect, body);
    let mut statements = pieces.split(|piece| *piece == Piece::Semicolon);
    statements.any(|statement| {
        // PostgreSQL takes fewer values than there are columns.
        dialect != Dialect::Postgres && wanted.fills_each_column(statement)
            || wanted.spreads(statement, grows_too)
    })
}

impl Wanted<'_> {
    /// `INSERT INTO other SELECT NEW.*`, `INSERT INTO other SELECT * FROM t`.
    fn spreads(&self, statement: &[Piece], grows_too: &dyn Fn(&str) -> bool) -> bool {
        let Some(into) = statement.iter().position(|piece| piece.is("into")) else {
            return false;
        };
        let is_insert = statement.get(..into).unwrap_or_default().iter();
        if !is_insert
            .clone()
            .any(|piece| piece.is_any(&["insert", "replace"]))
        {
            return false;
        }
        let (end, is_of_table) = named(self, statement, into + 1);
        let target = end.checked_sub(1).and_then(|at| statement.get(at));
        if is_of_table || matches!(target, Some(Piece::Name(name)) if grows_too(name)) {
            return false;
        }
        let scope = super::Scope::of(self, statement);
        let begins = (end..statement.len()).find(|at| {
            statement
                .get(*at)
                .is_some_and(|piece| piece.is_any(&["select", "values", "value"]))
        });
        let Some(begins) = begins else {
            return false;
        };
        let least = usize::from(
            statement
                .get(begins)
                .is_some_and(|piece| !piece.is("select")),
        );
        let mut depth = 0_usize;
        for at in begins + 1..statement.len() {
            let back = |back: usize| at.checked_sub(back).and_then(|at| statement.get(at));
            match statement.get(at) {
                Some(Piece::Open) => depth += 1,
                // `INSERT INTO t (SELECT …)` ends there.
                Some(Piece::Close) if depth == 0 => return false,
                Some(Piece::Close) => depth -= 1,
                Some(from) if depth == 0 && from.is("from") => return false,
                Some(star) if star.is_sign("*") && depth <= least => {
                    let of_row = match (back(1), back(2), back(3)) {
                        (Some(dot), Some(Piece::Name(row)), _) if dot.is_sign(".") => Some(row),
                        // `(NEW).*`
                        (Some(dot), Some(Piece::Close), Some(Piece::Name(row)))
                            if dot.is_sign(".") =>
                        {
                            Some(row)
                        }
                        _ => None,
                    };
                    let is_spread = match of_row {
                        Some(row)
                            if row.eq_ignore_ascii_case("new")
                                || row.eq_ignore_ascii_case("old") =>
                        {
                            self.is_on
                        }
                        Some(row) => {
                            self.same(row, self.table)
                                || scope.aliases.iter().any(|alias| self.same(alias, row))
                        }
                        None => {
                            scope.mentions
                                && back(1).is_some_and(|piece| {
                                    *piece == Piece::Comma
                                        || piece.is_any(&["select", "distinct", "all"])
                                })
                        }
                    };
                    if is_spread {
                        return true;
                    }
                }
                _ => {}
            }
        }
        false
    }
}
