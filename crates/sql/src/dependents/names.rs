//! Whether a text names a table, or a column of it.

mod places;
mod things;

pub(super) use places::counts_columns;

use super::super::lexeme::{self, Kind};
use super::super::{Dialect, ObjectKind, Verb, postgres};
use super::{Dependent, Gone};

/// A text within a text is read as deep as this.
const DEEPEST: usize = 3;

/// A piece of a text.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Piece {
    /// A keyword or a name, as the catalogue has it.
    Name(String),
    /// What stands in quotes.
    Text(String),
    Sign(String),
    Open,
    Close,
    Comma,
    Semicolon,
}

impl Piece {
    fn is(&self, word: &str) -> bool {
        matches!(self, Self::Name(name) if name.eq_ignore_ascii_case(word))
    }

    fn is_any(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.is(word))
    }

    fn is_sign(&self, sign: &str) -> bool {
        matches!(self, Self::Sign(text) if text == sign)
    }
}

struct Wanted<'a> {
    dialect: Dialect,
    verb: Verb,
    kind: ObjectKind,
    /// Whether `NEW` and `OLD` are rows of the table.
    is_on: bool,
    table: &'a str,
    column: Option<&'a str>,
    /// Other names of the table: those of transition tables.
    aliases: Vec<String>,
    /// Variables and parameters that hold a row of it.
    rows: Vec<String>,
}

/// `is_on`: whether the dependent is a trigger of the table in question.
pub(super) fn names(dialect: Dialect, one: &Dependent, is_on: bool, gone: &Gone) -> bool {
    let header = pieces(dialect, &one.header);
    let body = pieces(dialect, &one.body);
    let mut wanted = Wanted {
        dialect,
        verb: gone.verb,
        kind: gone.kind,
        is_on,
        table: &gone.table,
        column: gone.column.as_deref(),
        aliases: Vec::new(),
        rows: Vec::new(),
    };
    if is_on {
        wanted.aliases = transition_tables(&header);
    }
    if one.kind == ObjectKind::Function {
        wanted.rows = wanted.rows_of(&header);
    }
    wanted.rows.extend(wanted.rows_of(&body));
    wanted.header(&header) || wanted.body(&body, 0)
}

fn pieces(dialect: Dialect, text: &str) -> Vec<Piece> {
    let grammar = dialect.grammar();
    let Ok(tokens) = lexeme::tokens(grammar, text) else {
        return Vec::new();
    };
    let piece = |token: &lexeme::Token| {
        let written = token.text(text);
        match token.kind {
            Kind::Word | Kind::QuotedName => {
                Piece::Name((grammar.identifier)(written).unwrap_or_default())
            }
            Kind::Literal => Piece::Text(match dialect {
                Dialect::Postgres => postgres::unquoted(written).unwrap_or_default(),
                Dialect::Sqlite | Dialect::Mysql => {
                    written.trim_matches(['\'', '"']).replace("''", "'")
                }
            }),
            Kind::Open => Piece::Open,
            Kind::Close => Piece::Close,
            Kind::Comma => Piece::Comma,
            Kind::Semicolon => Piece::Semicolon,
            Kind::Parameter | Kind::Positional | Kind::Other => Piece::Sign(written.to_owned()),
        }
    };
    tokens.iter().map(piece).collect()
}

/// `REFERENCING NEW TABLE AS fresh OLD TABLE AS stale`
fn transition_tables(header: &[Piece]) -> Vec<String> {
    let mut tables = Vec::new();
    for (index, piece) in header.iter().enumerate() {
        let is_one = piece.is("table")
            && index
                .checked_sub(1)
                .and_then(|before| header.get(before))
                .is_some_and(|before| before.is_any(&["new", "old"]));
        let skip = usize::from(header.get(index + 1).is_some_and(|next| next.is("as")));
        if let (true, Some(Piece::Name(name))) = (is_one, header.get(index + 1 + skip)) {
            tables.push(name.clone());
        }
    }
    tables
}

impl Wanted<'_> {
    fn same(&self, a: &str, b: &str) -> bool {
        self.dialect.may_be_same_name(a, b)
    }

    fn is_table(&self, piece: Option<&Piece>) -> bool {
        matches!(piece, Some(Piece::Name(name)) if self.same(name, self.table)
            || self.aliases.iter().any(|alias| self.same(name, alias)))
    }

    fn is_column(&self, piece: &Piece) -> bool {
        matches!((piece, self.column), (Piece::Name(name), Some(column)) if name.eq_ignore_ascii_case(column)
            && (self.dialect != Dialect::Postgres || name == column))
    }

    /// `UPDATE OF a, b ON t`, and what a condition says of `NEW` and `OLD`.
    fn header(&self, header: &[Piece]) -> bool {
        if !self.is_on || self.column.is_none() {
            return false;
        }
        let mut in_list = false;
        for (index, piece) in header.iter().enumerate() {
            if piece.is("of") {
                in_list = true;
            } else if piece.is("on") {
                in_list = false;
            }
            let qualified = index
                .checked_sub(1)
                .and_then(|before| header.get(before))
                .is_some_and(|before| before.is_sign("."));
            if self.is_column(piece) && (in_list || qualified && self.is_row(header, index)) {
                return true;
            }
        }
        false
    }

    /// Whether the column at `index` is that of `NEW` or `OLD`.
    fn is_row(&self, pieces: &[Piece], index: usize) -> bool {
        index
            .checked_sub(2)
            .and_then(|at| pieces.get(at))
            .is_some_and(|row| row.is_any(&["new", "old"]))
    }

    fn body(&self, body: &[Piece], depth: usize) -> bool {
        // A text that nothing runs is a message, or a value.
        const RUN: &[&str] = &[
            "execute",
            "prepare",
            "do",
            "dblink",
            "dblink_exec",
            "query_to_xml",
        ];
        let runs_texts = depth > 0 || body.iter().any(|piece| piece.is_any(RUN));
        body.split(|piece| *piece == Piece::Semicolon)
            .any(|statement| {
                self.statement(statement) || runs_texts && self.texts(statement, depth)
            })
    }

    /// SQL in a text, as `EXECUTE` runs it.
    fn texts(&self, statement: &[Piece], depth: usize) -> bool {
        depth < DEEPEST
            && statement.iter().any(|piece| match piece {
                Piece::Text(text) if text.contains(' ') => {
                    self.body(&pieces(self.dialect, text), depth + 1)
                }
                _ => false,
            })
    }

    fn statement(&self, statement: &[Piece]) -> bool {
        if self.column.is_none() {
            return (0..statement.len()).any(|index| match self.kind {
                ObjectKind::Function => self.is_called(statement, index),
                ObjectKind::Sequence => {
                    self.is_counted_by(statement, index) || self.is_named_table(statement, index)
                }
                ObjectKind::Type => self.is_type(statement, index),
                _ => {
                    self.is_named_table(statement, index) || self.is_named_besides(statement, index)
                }
            });
        }
        if self.fills_each_column(statement) {
            return true;
        }
        let scope = Scope::of(self, statement);
        statement.iter().enumerate().any(|(index, piece)| {
            self.is_column(piece) && self.is_of_table(statement, index, &scope)
        })
    }

    /// Whether the name at `index` is that of the table, and no column or alias that is called the same.
    fn is_named_table(&self, statement: &[Piece], index: usize) -> bool {
        const BEFORE: &[&str] = &[
            "from",
            "join",
            "into",
            "update",
            "only",
            "table",
            "using",
            "references",
            "on",
        ];
        const CLAUSES: &[&str] = &[
            "from", "where", "set", "select", "on", "values", "group", "order", "into", "using",
        ];
        if !self.is_table(statement.get(index)) {
            return false;
        }
        let mut at = index;
        let before = |at: usize| at.checked_sub(1).and_then(|before| statement.get(before));
        let next = statement.get(index + 1);
        if before(at).is_some_and(|piece| piece.is_sign(".")) {
            at = at.saturating_sub(2);
        } else if next.is_some_and(|next| next.is_sign(".") || next.is_sign("%")) {
            return true;
        }
        match before(at) {
            Some(piece) if piece.is_any(BEFORE) => true,
            Some(Piece::Comma) => statement
                .get(..at)
                .unwrap_or_default()
                .iter()
                .rev()
                .find(|piece| piece.is_any(CLAUSES))
                .is_some_and(|clause| clause.is("from")),
            _ => false,
        }
    }

    /// Whether the column at `index` is one of the table.
    fn is_of_table(&self, statement: &[Piece], index: usize, scope: &Scope) -> bool {
        let before = |back: usize| index.checked_sub(back).and_then(|at| statement.get(at));
        let next = statement.get(index + 1);
        // A function, or a table, of that name.
        if next.is_some_and(|next| *next == Piece::Open || next.is_sign("."))
            && !scope.is_in_list(index)
        {
            return false;
        }
        if before(1).is_some_and(|dot| dot.is_sign(".")) {
            return match before(2) {
                Some(row) if row.is_any(&["new", "old"]) => self.is_on,
                Some(Piece::Name(qualifier)) => {
                    let is_alias = |alias: &String| self.same(alias, qualifier);
                    self.is_table(before(2)) || scope.aliases.iter().chain(&self.rows).any(is_alias)
                }
                // `(u).name`
                Some(Piece::Close) => matches!(before(3), Some(Piece::Name(row))
                    if self.is_table(before(3)) || scope.aliases.iter().chain(&self.rows).any(|known| self.same(known, row))),
                _ => false,
            };
        }
        // It names a result.
        if before(1).is_some_and(|word| word.is("as")) {
            return false;
        }
        if let Some(list) = scope.lists.iter().find(|list| list.range.contains(&index)) {
            return list.is_of_table;
        }
        let is_assigned = before(1).is_some_and(|piece| piece.is("set") || *piece == Piece::Comma)
            && next.is_some_and(|next| next.is_sign("=") || next.is_sign(":="));
        match scope.target {
            Some(is_of_table) if is_assigned => is_of_table,
            _ => scope.mentions,
        }
    }
}

/// What the names of one statement belong to.
struct Scope {
    /// Whether it names the table at all.
    mentions: bool,
    aliases: Vec<String>,
    /// The columns of `INSERT INTO t (a, b)`.
    lists: Vec<List>,
    /// Whether what is assigned to is the table, if anything is.
    target: Option<bool>,
}

struct List {
    range: std::ops::Range<usize>,
    is_of_table: bool,
}

impl Scope {
    fn of(wanted: &Wanted<'_>, statement: &[Piece]) -> Self {
        const NO_ALIAS: &[&str] = &[
            "set",
            "where",
            "on",
            "using",
            "join",
            "inner",
            "left",
            "right",
            "cross",
            "natural",
            "full",
            "group",
            "order",
            "limit",
            "values",
            "select",
            "union",
            "for",
            "from",
            "when",
            "as",
            "begin",
            "default",
            "returning",
            "loop",
            "then",
            "do",
            "having",
            "window",
            "except",
            "intersect",
            "straight_join",
            "use",
            "force",
            "ignore",
            "into",
            "end",
            "else",
        ];
        let mut scope = Self {
            mentions: false,
            aliases: Vec::new(),
            lists: Vec::new(),
            target: None,
        };
        let mut inserted = None;
        for index in 0..statement.len() {
            if wanted.is_table(statement.get(index)) {
                scope.mentions = true;
                let skip = usize::from(statement.get(index + 1).is_some_and(|next| next.is("as")));
                if let Some(Piece::Name(alias)) = statement.get(index + 1 + skip)
                    && !NO_ALIAS.iter().any(|word| alias.eq_ignore_ascii_case(word))
                {
                    scope.aliases.push(alias.clone());
                }
            }
            let Some(piece) = statement.get(index) else {
                continue;
            };
            if piece.is("into") {
                let (end, is_of_table) = named(wanted, statement, index + 1);
                inserted = Some(is_of_table);
                if statement.get(end) == Some(&Piece::Open) {
                    let range = end..closing(statement, end);
                    scope.lists.push(List { range, is_of_table });
                }
            }
            if piece.is("update") {
                let is_upsert = index
                    .checked_sub(1)
                    .and_then(|before| statement.get(before))
                    .is_some_and(|before| before.is_any(&["key", "do"]));
                // MERGE has said before which table it is of.
                let is_merged = statement.get(index + 1).is_some_and(|next| next.is("set"));
                scope.target = if is_upsert || is_merged {
                    inserted
                } else {
                    Some(named(wanted, statement, index + 1).1)
                };
            }
        }
        scope
    }

    fn is_in_list(&self, index: usize) -> bool {
        self.lists.iter().any(|list| list.range.contains(&index))
    }
}

/// Where the name that begins at `from` ends, and whether it is that of the table.
fn named(wanted: &Wanted<'_>, statement: &[Piece], from: usize) -> (usize, bool) {
    let mut at = from;
    while statement
        .get(at)
        .is_some_and(|piece| piece.is_any(&["only", "ignore", "low_priority", "or", "replace"]))
    {
        at += 1;
    }
    while statement.get(at + 1).is_some_and(|next| next.is_sign(".")) {
        at += 2;
    }
    (at + 1, wanted.is_table(statement.get(at)))
}

fn closing(statement: &[Piece], open: usize) -> usize {
    let mut depth = 0usize;
    for (index, piece) in statement.iter().enumerate().skip(open) {
        match piece {
            Piece::Open => depth += 1,
            Piece::Close => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return index;
                }
            }
            _ => {}
        }
    }
    statement.len()
}
