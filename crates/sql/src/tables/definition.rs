//! The definition of a column or an index, word by word.

mod constraint;

use super::{TableColumn, TableConstraint, TableIndex, is_name};
use crate::Dialect;
use crate::lexeme::{Kind, Token};

/// What makes an index of PostgreSQL another one than the usual. MySQL and MariaDB take `USING HASH` for what they have.
const UNUSUAL: [&str; 6] = ["gin", "gist", "spgist", "brin", "hash", "distinct"];

/// A place in the words of a statement.
#[derive(Clone)]
pub(crate) struct Cursor<'t> {
    pub dialect: Dialect,
    text: &'t str,
    tokens: &'t [Token],
    at: usize,
}

/// What a column's definition says of the table.
#[derive(Default)]
pub(crate) struct Says {
    pub is_primary: bool,
    pub is_unique: bool,
    pub constraints: Vec<TableConstraint>,
}

/// Where the type of a column ends.
const AFTER_TYPE: &[&str] = &[
    "not",
    "null",
    "default",
    "comment",
    "after",
    "first",
    "unique",
    "primary",
    "key",
    "check",
    "constraint",
    "references",
    "generated",
    "as",
    "auto_increment",
    "autoincrement",
    "collate",
    "charset",
    "invisible",
    "on",
    "storage",
    "compression",
    "using",
    "virtual",
    "stored",
];

/// The parts between commas that no parentheses hold.
pub(crate) fn items(tokens: &[Token]) -> Vec<&[Token]> {
    let mut depth = 0_usize;
    let mut found = Vec::new();
    let mut from = 0;
    for (at, token) in tokens.iter().enumerate() {
        match token.kind {
            Kind::Open => depth += 1,
            Kind::Close => depth = depth.saturating_sub(1),
            Kind::Comma if depth == 0 => {
                found.extend(tokens.get(from..at));
                from = at + 1;
            }
            _ => {}
        }
    }
    found.extend(tokens.get(from..).filter(|rest| !rest.is_empty()));
    found
}

impl<'t> Cursor<'t> {
    pub fn new(dialect: Dialect, text: &'t str, tokens: &'t [Token]) -> Self {
        Self {
            dialect,
            text,
            tokens,
            at: 0,
        }
    }

    pub fn within(&self, tokens: &'t [Token]) -> Self {
        Self {
            tokens,
            at: 0,
            ..self.clone()
        }
    }

    pub fn again(self) -> Self {
        Self { at: 0, ..self }
    }

    fn peek(&self) -> Option<&'t Token> {
        self.tokens.get(self.at)
    }

    pub fn rest(&self) -> &'t [Token] {
        self.tokens.get(self.at..).unwrap_or_default()
    }

    fn is(&self, word: &str) -> bool {
        self.peek()
            .is_some_and(|token| token.is_word(self.text, word))
    }

    pub fn is_any(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.is(word))
    }

    pub fn has(&self, word: &str) -> bool {
        self.rest()
            .iter()
            .any(|token| token.is_word(self.text, word))
    }

    /// Whether one name is all that is left.
    pub fn is_one(&self) -> bool {
        matches!(self.rest(), [one] if is_name(one))
    }

    pub fn eat(&mut self, word: &str) -> bool {
        let is = self.is(word);
        self.at += usize::from(is);
        is
    }

    pub fn eats_sign(&mut self, sign: &str) -> bool {
        let is = self
            .peek()
            .is_some_and(|token| token.text(self.text) == sign);
        self.at += usize::from(is);
        is
    }

    pub fn skip(&mut self) {
        self.at += 1;
    }

    /// All of them or none.
    pub fn eats(&mut self, words: &[&str]) -> bool {
        let before = self.at;
        let all = words.iter().all(|word| self.eat(word));
        if !all {
            self.at = before;
        }
        all
    }

    pub fn until(&mut self, word: &str) -> Option<()> {
        while !self.eat(word) {
            self.peek()?;
            self.at += 1;
        }
        Some(())
    }

    /// A name, without the schema before it.
    pub fn name(&mut self) -> Option<String> {
        let mut token = self.peek().filter(|token| is_name(token))?;
        self.at += 1;
        while self.peek().is_some_and(|dot| dot.text(self.text) == ".") {
            token = self
                .tokens
                .get(self.at + 1)
                .filter(|token| is_name(token))?;
            self.at += 2;
        }
        (self.dialect.grammar().identifier)(token.text(self.text))
    }

    pub fn is_group(&self) -> bool {
        self.peek().is_some_and(|token| token.kind == Kind::Open)
    }

    /// Whether this word is the name of a column, with a type behind it.
    pub fn names_a_column(&self) -> bool {
        let next = self.tokens.get(self.at + 1);
        let after = self.tokens.get(self.at + 2);
        self.peek()
            .is_some_and(|token| token.kind == Kind::QuotedName)
            || next.is_some_and(|next| next.kind == Kind::Word && !next.is_word(self.text, "key"))
                && !after.is_some_and(|after| after.kind == Kind::Open && !self.is_type(next))
    }

    fn is_type(&self, token: Option<&Token>) -> bool {
        let types = [
            "varchar",
            "char",
            "decimal",
            "numeric",
            "int",
            "bigint",
            "enum",
            "character",
        ];
        token.is_some_and(|token| types.iter().any(|typ| token.is_word(self.text, typ)))
    }

    /// What is between the parentheses that begin here.
    pub fn group(&mut self) -> Option<&'t [Token]> {
        if !self.is_group() {
            return None;
        }
        let from = self.at + 1;
        let mut depth = 0_usize;
        while let Some(token) = self.peek() {
            match token.kind {
                Kind::Open => depth += 1,
                Kind::Close => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return self.tokens.get(from..self.at - 1);
            }
        }
        None
    }

    /// `(a, b)`
    pub fn columns_in_group(&mut self) -> Option<Vec<String>> {
        let group = self.group()?;
        let names = items(group).into_iter();
        names.map(|item| self.within(item).name()).collect()
    }

    /// From the columns of an index on.
    pub fn index(&mut self, name: Option<String>, is_unique: bool) -> Option<TableIndex> {
        // `USING btree`, `NULLS NOT DISTINCT`; `USING INDEX name` takes an index that is there.
        let mut is_usual = true;
        while !self.is_group() {
            if self.eats(&["using", "index"]) {
                return None;
            }
            self.peek()?;
            is_usual &= self.dialect != Dialect::Postgres || !self.is_any(&UNUSUAL);
            self.at += 1;
        }
        let group = self.group()?;
        let is_simple = |item: &&[Token]| {
            let first = item.first().is_some_and(is_name);
            let rest = item.get(1..).unwrap_or_default().iter();
            let ways = ["asc", "desc", "nulls", "first", "last"];
            first
                && rest
                    .into_iter()
                    .all(|token| ways.iter().any(|way| token.is_word(self.text, way)))
        };
        let includes = self.included();
        let items = items(group);
        let is_over_columns = items.iter().all(is_simple) && !self.has("where");
        let is_plain =
            is_usual && is_over_columns && !self.has("distinct") && !self.has("deferrable");
        let columns = if is_over_columns {
            items
                .iter()
                .filter_map(|item| self.within(item).name())
                .collect()
        } else {
            let mut columns = self.names_in(group);
            columns.extend(self.names_in(self.rest()));
            columns
        };
        Some(TableIndex {
            name,
            columns,
            is_unique,
            is_constraint: false,
            is_plain,
            includes,
        })
    }

    /// What may be a column in an expression.
    pub fn names_in(&self, tokens: &[Token]) -> Vec<String> {
        let words = [
            "where", "is", "not", "null", "and", "or", "in", "true", "false",
        ];
        let names = tokens.iter().enumerate().filter(|(at, token)| {
            let next = tokens.get(at + 1);
            let is_word = words.iter().any(|word| token.is_word(self.text, word));
            // `a(10)` is the beginning of a column, and `pow(2, a)` a call.
            let inside = tokens
                .get(at + 2)
                .map_or("", |inside| inside.text(self.text));
            let is_prefix = self.dialect == Dialect::Mysql
                && inside.chars().all(|digit| digit.is_ascii_digit())
                && tokens
                    .get(at + 3)
                    .is_some_and(|end| end.kind == Kind::Close);
            let is_called = next.is_some_and(|next| next.kind == Kind::Open) && !is_prefix;
            is_name(token) && !is_word && !is_called
        });
        names
            .filter_map(|(_, token)| (self.dialect.grammar().identifier)(token.text(self.text)))
            .collect()
    }

    fn slice(&self, from: usize, to: usize) -> String {
        let start = self.tokens.get(from).map(|token| token.span.start);
        let end = to
            .checked_sub(1)
            .and_then(|last| self.tokens.get(last))
            .map(|token| token.span.end);
        let span = start
            .zip(end)
            .and_then(|(start, end)| self.text.get(start..end));
        span.unwrap_or_default().to_owned()
    }

    /// Past a value: a literal, a call, something in parentheses, a cast.
    fn value(&mut self) -> String {
        let from = self.at;
        while let Some(token) = self.peek() {
            let is_next = self.at > from
                && token.kind == Kind::Word
                && AFTER_TYPE.iter().any(|word| self.is(word));
            if is_next {
                // `DEFAULT NULL`, and `ON UPDATE` ends the default.
                break;
            }
            if token.kind == Kind::Open {
                if self.group().is_none() {
                    break;
                }
            } else {
                self.at += 1;
            }
        }
        self.slice(from, self.at)
    }

    /// Name, type and what is said of a column.
    pub fn column(&mut self) -> Option<(TableColumn, Says)> {
        let name = self.peek().filter(|token| is_name(token))?;
        let name = (self.dialect.grammar().identifier)(name.text(self.text))?;
        self.at += 1;
        let mut column = TableColumn {
            name,
            kind: self.kind(),
            ..TableColumn::unknown()
        };
        let mut says = Says::default();
        self.is_serial(&mut column);
        while self.peek().is_some() {
            self.said(&mut column, &mut says)?;
        }
        for constraint in &mut says.constraints {
            if !constraint.is_over(self.dialect, &column.name) {
                constraint.columns.push(column.name.clone());
            }
        }
        if says.is_primary {
            column.is_nullable = false;
            let is_rowid =
                self.dialect == Dialect::Sqlite && column.kind.eq_ignore_ascii_case("integer");
            column.is_made |= is_rowid;
        }
        Some((column, says))
    }

    fn is_serial(&self, column: &mut TableColumn) {
        let kind = column.kind.to_ascii_lowercase();
        if self.dialect == Dialect::Postgres && kind.contains("serial") {
            column.is_made = true;
            column.is_nullable = false;
        }
    }

    /// A type as it is written.
    pub fn kind(&mut self) -> String {
        let from = self.at;
        while let Some(token) = self.peek() {
            let ends = token.kind == Kind::Word
                && (AFTER_TYPE.iter().any(|word| self.is(word))
                    || self.is("character")
                        && self
                            .tokens
                            .get(self.at + 1)
                            .is_some_and(|next| next.is_word(self.text, "set")));
            if ends {
                break;
            }
            if token.kind == Kind::Open {
                if self.group().is_none() {
                    break;
                }
            } else {
                self.at += 1;
            }
        }
        self.slice(from, self.at)
    }

    /// One thing that is said of a column.
    fn said(&mut self, column: &mut TableColumn, says: &mut Says) -> Option<()> {
        let from = self.at;
        if self.eats(&["not", "null"]) {
            column.is_nullable = false;
        } else if self.eat("null") {
            column.is_nullable = true;
        } else if self.eat("default") {
            column.default = Some(self.value());
        } else if self.eats(&["primary", "key"]) {
            says.is_primary = true;
            let _ = self.eat("asc") || self.eat("desc");
        } else if self.eat("unique") {
            self.eat("key");
            says.is_unique = true;
        } else if self.eat("auto_increment") || self.eat("autoincrement") {
            column.is_made = true;
        } else if self.is_any(&["constraint", "references", "check"]) {
            let name = match self.eat("constraint") {
                // `CONSTRAINT CHECK (…)`
                true if !self.is_any(&["check", "references"]) => Some(self.name()?),
                _ => None,
            };
            says.constraints.extend(self.constraint_of_column(name)?);
        } else if self.eat("generated") || self.is("as") {
            column.is_made = true;
            let _ = self.eat("always") || self.eats(&["by", "default"]);
            self.eat("as");
            if self.eat("identity") {
                column.is_nullable = false;
            }
            if self.is_group() {
                let _ = self.group();
            }
            let _ = self.eat("stored") || self.eat("virtual") || self.eat("persistent");
        } else {
            // A collation, a comment, `ON UPDATE`: up to what is understood again.
            self.at += 1;
            while self.peek().is_some()
                && !self.is_any(&[
                    "not",
                    "null",
                    "default",
                    "primary",
                    "unique",
                    "auto_increment",
                    "references",
                    "check",
                    "constraint",
                    "generated",
                    "collate",
                    "comment",
                ])
            {
                self.at += 1;
            }
            column.more.push(self.slice(from, self.at));
        }
        Some(())
    }

    /// `ALTER COLUMN c …`
    pub fn altered(&mut self, column: &mut TableColumn) -> Option<()> {
        if self.eats(&["set", "not", "null"]) {
            column.is_nullable = false;
        } else if self.eats(&["drop", "not", "null"]) {
            column.is_nullable = true;
        } else if self.eats(&["set", "default"]) {
            column.default = Some(self.value());
        } else if self.eats(&["drop", "default"]) {
            column.default = None;
        } else if self.eats(&["set", "data", "type"]) || self.eat("type") {
            column.kind = self.kind();
        } else if self.eats(&["add", "generated"]) {
            column.is_made = true;
        } else if !self.is_any(&["set", "reset"]) {
            return None;
        }
        Some(())
    }
}
