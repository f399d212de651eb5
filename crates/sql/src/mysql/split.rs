//! Where a statement ends: at its semicolon, or, for what has a compound body, at the one after the body.
//! No `DELIMITER` is needed, because the body's blocks are followed to their ends.

use std::ops::Range;

use super::super::lexeme::{Kind, Token};

/// Where the statement that these tokens begin with ends.
pub(super) struct End {
    /// The index of its semicolon, or the number of tokens.
    pub at: usize,
    /// Blocks of its body that are still open there.
    pub open: usize,
}

pub(super) fn split(text: &str, tokens: &[Token]) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let mut rest = tokens;
    while !rest.is_empty() {
        let end = statement_end(text, rest).at;
        let (mut own, after) = rest.split_at(end);
        rest = after.get(1..).unwrap_or_default();
        // A body that is never closed has taken the semicolons at the end of the file.
        while let [more @ .., last] = own {
            if last.kind != Kind::Semicolon {
                break;
            }
            own = more;
        }
        if let (Some(first), Some(last)) = (own.first(), own.last()) {
            spans.push(first.span.start..last.span.end);
        }
    }
    spans
}

pub(super) fn statement_end(text: &str, tokens: &[Token]) -> End {
    let semicolon = |from: usize| {
        let found = tokens
            .iter()
            .skip(from)
            .position(|token| token.kind == Kind::Semicolon);
        found.map_or(tokens.len(), |found| from + found)
    };
    let plain = || End {
        at: semicolon(0),
        open: 0,
    };
    let Some(routine) = routine(text, tokens) else {
        return plain();
    };
    match body(text, tokens, &routine, semicolon(0)) {
        Some(start) => {
            let mut blocks = Blocks::new(text, tokens, start);
            let at = blocks.run();
            End {
                at,
                open: blocks.open.len(),
            }
        }
        None => plain(),
    }
}

/// What has a body of statements.
enum Routine {
    Trigger,
    Event,
    Function,
    Anonymous,
}

fn is(text: &str, tokens: &[Token], at: usize, word: &str) -> bool {
    tokens
        .get(at)
        .is_some_and(|token| token.is_word(text, word))
}

fn routine(text: &str, tokens: &[Token]) -> Option<Routine> {
    if is(text, tokens, 0, "begin") && is(text, tokens, 1, "not") && is(text, tokens, 2, "atomic") {
        return Some(Routine::Anonymous);
    }
    if !is(text, tokens, 0, "create") && !is(text, tokens, 0, "alter") {
        return None;
    }
    let mut at = kind_of_object(text, tokens);
    if is(text, tokens, at, "aggregate") {
        at += 1;
    }
    [
        ("trigger", Routine::Trigger),
        ("event", Routine::Event),
        ("procedure", Routine::Function),
        ("function", Routine::Function),
    ]
    .into_iter()
    .find_map(|(word, routine)| is(text, tokens, at, word).then_some(routine))
}

/// The index of the word after `CREATE`, `OR REPLACE` and `DEFINER = somebody`.
fn kind_of_object(text: &str, tokens: &[Token]) -> usize {
    let mut at = 1;
    if is(text, tokens, at, "or") && is(text, tokens, at + 1, "replace") {
        at += 2;
    }
    if is(text, tokens, at, "definer") {
        at += definer(text, tokens.get(at..).unwrap_or_default());
    }
    at
}

/// How many tokens say `DEFINER = root@localhost`, `DEFINER = 'app'@'10.0.%'` or `DEFINER = CURRENT_USER()`.
pub(super) fn definer(text: &str, tokens: &[Token]) -> usize {
    let mut at = 3;
    while let Some(token) = tokens.get(at) {
        at += match token.kind {
            _ if token.text(text) == "@" => 2,
            Kind::Other | Kind::Open | Kind::Close | Kind::Literal => 1,
            _ => break,
        };
    }
    at
}

/// Where the body begins.
fn body(text: &str, tokens: &[Token], routine: &Routine, semicolon: usize) -> Option<usize> {
    let header = tokens.get(..semicolon).unwrap_or_default();
    let word = |word: &str| header.iter().position(|token| token.is_word(text, word));
    match routine {
        Routine::Anonymous => Some(0),
        Routine::Trigger => {
            let row = header
                .windows(2)
                .position(|pair| matches!(pair, [each, row] if each.is_word(text, "each") && row.is_word(text, "row")))?
                + 2;
            let is_ordered = is(text, tokens, row, "follows") || is(text, tokens, row, "precedes");
            Some(if is_ordered { row + 2 } else { row })
        }
        Routine::Event => word("do").map(|at| at + 1),
        Routine::Function => {
            let mut depth = 0usize;
            let mut seen_parameters = false;
            for (at, token) in header.iter().enumerate() {
                match token.kind {
                    Kind::Open => depth += 1,
                    Kind::Close => {
                        depth = depth.saturating_sub(1);
                        seen_parameters |= depth == 0;
                    }
                    Kind::Word if depth == 0 && seen_parameters && starts(text, header, at) => {
                        return Some(at);
                    }
                    _ => {}
                }
            }
            None
        }
    }
}

/// Whether the word at `at`, after the parameters of a routine, is the first of its body.
fn starts(text: &str, header: &[Token], at: usize) -> bool {
    const FIRST: &[&str] = &[
        "begin", "if", "case", "loop", "while", "repeat", "for", "return", "select", "insert",
        "update", "delete", "replace", "set", "call", "with", "do", "signal", "resignal",
        "execute", "prepare", "truncate", "create", "drop", "alter",
    ];
    let token = |at: usize| header.get(at);
    let is_label = token(at + 1).is_some_and(|next| next.text(text) == ":");
    let is_first =
        token(at).is_some_and(|found| FIRST.iter().any(|word| found.is_word(text, word)));
    // `RETURNS SET('a')`, `CHARACTER SET utf8mb4`
    let is_type = at.checked_sub(1).and_then(token).is_some_and(|before| {
        ["returns", "character", "char"]
            .iter()
            .any(|word| before.is_word(text, word))
    });
    (is_first || is_label) && !is_type
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    Begin,
    If,
    /// Ends with `END CASE`, and its branches are statements.
    Case,
    /// Ends with `END`, and its branches are values.
    CaseValue,
    Loop,
}

/// Where in a statement of the body we are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    Within,
    /// Between `DECLARE … HANDLER` and the handler's own statement.
    Handler,
}

struct Blocks<'t> {
    text: &'t str,
    tokens: &'t [Token],
    at: usize,
    open: Vec<Block>,
    place: Place,
}

impl<'t> Blocks<'t> {
    fn new(text: &'t str, tokens: &'t [Token], at: usize) -> Self {
        Self {
            text,
            tokens,
            at,
            open: Vec::new(),
            place: Place::Start,
        }
    }

    /// The index of the semicolon after the body.
    fn run(&mut self) -> usize {
        while let Some(token) = self.tokens.get(self.at) {
            match token.kind {
                Kind::Semicolon if self.open.is_empty() => return self.at,
                Kind::Semicolon => self.place = Place::Start,
                Kind::Word | Kind::QuotedName if self.is_label() => self.at += 1,
                Kind::Word => self.word(),
                _ => self.place = self.within(),
            }
            self.at += 1;
        }
        self.tokens.len()
    }

    fn is(&self, offset: usize, word: &str) -> bool {
        is(self.text, self.tokens, self.at + offset, word)
    }

    fn within(&self) -> Place {
        match self.place {
            Place::Handler => Place::Handler,
            Place::Start | Place::Within => Place::Within,
        }
    }

    fn is_label(&self) -> bool {
        let next = self.tokens.get(self.at + 1);
        self.place == Place::Start && next.is_some_and(|next| next.text(self.text) == ":")
    }

    fn word(&mut self) {
        let before = self.at.checked_sub(1).and_then(|at| self.tokens.get(at));
        if before.is_some_and(|before| before.text(self.text) == ".") {
            // `NEW.begin` is a column.
            self.place = self.within();
            return;
        }
        match self.place {
            Place::Start => self.first_word(),
            Place::Handler if self.is(0, "begin") || self.is(0, "if") || self.is(0, "set") => {
                self.first_word();
            }
            Place::Within | Place::Handler => self.later_word(),
        }
    }

    fn first_word(&mut self) {
        const OPENING: &[(&str, Block, Place)] = &[
            ("begin", Block::Begin, Place::Start),
            ("loop", Block::Loop, Place::Start),
            ("repeat", Block::Loop, Place::Start),
            ("if", Block::If, Place::Within),
            ("case", Block::Case, Place::Within),
            ("while", Block::Loop, Place::Within),
            ("for", Block::Loop, Place::Within),
        ];
        if let Some((_, block, place)) = OPENING.iter().find(|(word, ..)| self.is(0, word)) {
            self.open.push(*block);
            self.place = *place;
            if *block == Block::Begin && self.is(1, "not") && self.is(2, "atomic") {
                self.at += 2;
            }
        } else if self.is(0, "end") {
            self.open.pop();
            // `END IF` and its like; a label after it is of no concern.
            if ["if", "case", "loop", "while", "repeat", "for"]
                .iter()
                .any(|word| self.is(1, word))
            {
                self.at += 1;
            }
            self.place = Place::Within;
        } else if self.is(0, "else") {
            self.place = Place::Start;
        } else if self.is(0, "declare") && self.is(2, "handler") {
            self.place = Place::Handler;
        } else {
            self.place = Place::Within;
        }
    }

    fn later_word(&mut self) {
        let innermost = self.open.last().copied();
        let in_value = innermost == Some(Block::CaseValue);
        if self.is(0, "case") {
            self.open.push(Block::CaseValue);
        } else if self.is(0, "end") && in_value {
            self.open.pop();
        } else if self.is(0, "end") && self.is(1, "repeat") {
            // `UNTIL a > 3 END REPEAT` has no semicolon before it.
            self.open.pop();
            self.at += 1;
        } else if ((self.is(0, "then") || self.is(0, "else")) && !in_value)
            || (self.is(0, "do") && innermost == Some(Block::Loop))
        {
            self.place = Place::Start;
        }
    }
}
