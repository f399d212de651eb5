//! `DO` blocks that are one statement: it is run unless the catalogue shows that what it makes is there, or with the error
//! passed over that says so. What such a block does is what its statement does; any other one may do anything.

use squawk_syntax::SyntaxNode;

use super::super::Effect;
use super::super::facts::Facts;
use super::super::lexeme::{Kind, Token};
use super::{inspect, lexer, tree, trigger};

/// Errors that say that what is made is there already.
const IS_THERE: &[&str] = &[
    "duplicate_column",
    "duplicate_object",
    "duplicate_schema",
    "duplicate_table",
];

/// Where the conditions of a block may look.
const CATALOGUE: &[&str] = &["pg_", "information_schema"];

/// What the block does, if its one statement is of a kind of which nothing but itself has to be known.
pub(super) fn guarded(statement: &SyntaxNode) -> Option<Facts> {
    let mut words = tree::tokens(statement);
    if words.any(|token| token.text().eq_ignore_ascii_case("language")) {
        return None;
    }
    let body = trigger::body(statement)?;
    let tokens = lexer::lex(&body).ok()?;
    let mut block = Block {
        body: &body,
        rest: &tokens,
    };
    let (only, is_guarded) = block.read()?;
    let mut facts = inspect(only).ok()?;
    let is_harmless = facts.effect == Effect::Additive
        && facts.strict_type.is_none()
        && facts.hazard.is_none()
        && !facts.needs_no_transaction;
    if !is_harmless || !is_plain(only) {
        return None;
    }
    // It may have been there, and be another than the statement says.
    for object in &mut facts.objects {
        object.if_exists_or_not |= is_guarded;
    }
    Some(facts)
}

/// A type or schema that is made, or columns that are added and that no condition is on.
fn is_plain(sql: &str) -> bool {
    const MORE: &[&str] = &[
        "alter",
        "check",
        "constraint",
        "default",
        "drop",
        "exclude",
        "foreign",
        "generated",
        "null",
        "primary",
        "references",
        "rename",
        "set",
        "unique",
    ];
    const ELEMENTS: &[&str] = &["authorization", "grant", "table", "trigger", "view"];
    let Ok(tokens) = lexer::lex(sql) else {
        return false;
    };
    let begins = |first: &str, second: &str| match tokens.as_slice() {
        [one, two, ..] => one.is_word(sql, first) && two.is_word(sql, second),
        _ => false,
    };
    let has = |words: &[&str]| {
        let mut rest = tokens.iter().skip(2);
        rest.any(|token| words.iter().any(|word| token.is_word(sql, word)))
    };
    if begins("create", "type") || begins("create", "schema") {
        return !has(ELEMENTS);
    }
    begins("alter", "table") && has(&["add"]) && !has(MORE)
}

struct Block<'b> {
    body: &'b str,
    rest: &'b [Token],
}

impl<'b> Block<'b> {
    /// The only statement, and whether it is passed over where what it makes is there.
    fn read(&mut self) -> Option<(&'b str, bool)> {
        self.eat("begin").then_some(())?;
        let is_conditional = self.eat("if");
        if is_conditional {
            let condition = self.upto("then")?;
            self.reads_the_catalogue(condition).then_some(())?;
        }
        let only = self.statement()?;
        if is_conditional {
            (self.eat("end") && self.eat("if") && self.semicolon()).then_some(())?;
        }
        let mut is_handled = false;
        if self.eat("exception") {
            self.handlers()?;
            is_handled = true;
        }
        self.eat("end").then_some(())?;
        self.semicolon();
        self.rest
            .is_empty()
            .then_some((only, is_conditional || is_handled))
    }

    /// `WHEN duplicate_object OR duplicate_table THEN NULL;`
    fn handlers(&mut self) -> Option<()> {
        self.eat("when").then_some(())?;
        loop {
            let named = IS_THERE.iter().any(|error| self.eat(error));
            named.then_some(())?;
            if !self.eat("or") {
                break;
            }
        }
        (self.eat("then") && self.eat("null") && self.semicolon()).then_some(())?;
        match self.rest.first() {
            Some(token) if token.is_word(self.body, "when") => self.handlers(),
            _ => Some(()),
        }
    }

    fn eat(&mut self, word: &str) -> bool {
        let found = self
            .rest
            .first()
            .is_some_and(|token| token.is_word(self.body, word));
        if found {
            self.skip(1);
        }
        found
    }

    fn semicolon(&mut self) -> bool {
        let found = self
            .rest
            .first()
            .is_some_and(|token| token.kind == Kind::Semicolon);
        if found {
            self.skip(1);
        }
        found
    }

    fn skip(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or_default();
    }

    /// What stands before this word, and goes past it.
    fn upto(&mut self, word: &str) -> Option<&'b [Token]> {
        let at = self
            .rest
            .iter()
            .position(|token| token.is_word(self.body, word))?;
        let before = self.rest.get(..at)?;
        self.skip(at + 1);
        Some(before)
    }

    fn statement(&mut self) -> Option<&'b str> {
        let at = self
            .rest
            .iter()
            .position(|token| token.kind == Kind::Semicolon)?;
        let text = self.text(self.rest.get(..at)?)?;
        self.skip(at + 1);
        Some(text)
    }

    fn text(&self, tokens: &[Token]) -> Option<&'b str> {
        let (first, last) = (tokens.first()?, tokens.last()?);
        self.body.get(first.span.start..last.span.end)
    }

    /// Whether the condition does no more than look there.
    fn reads_the_catalogue(&self, condition: &[Token]) -> bool {
        let Some(text) = self.text(condition) else {
            return false;
        };
        let Ok(facts) = inspect(&format!("SELECT {text}")) else {
            return false;
        };
        let is_from =
            |token: &Token| token.is_word(self.body, "from") || token.is_word(self.body, "join");
        let mut read = condition
            .windows(2)
            .filter(|pair| pair.first().is_some_and(is_from));
        let is_known = |pair: &[Token]| {
            let name = pair.last().map_or("", |token| token.text(self.body));
            let name = name.to_lowercase();
            CATALOGUE.iter().any(|known| name.starts_with(known))
        };
        facts.effect == Effect::Additive && facts.strange.is_none() && read.all(is_known)
    }
}
