//! PostgreSQL: squawk's parser, which follows PostgreSQL's grammar and keeps byte positions.

mod alter;
mod block;
mod change;
mod create;
mod functions;
mod hazard;
mod lexer;
mod read;
mod returning;
mod statement;
mod tree;
mod trigger;
mod write;

#[cfg(test)]
mod tests;

pub(super) use functions::{is_a_function, is_pure};
pub(super) use lexer::unquoted;
use squawk_syntax::{SourceFile, SyntaxNode};

use super::ScriptError;
use super::facts::{Facts, Grammar};
use super::{Ddl, Dialect};

pub(super) const GRAMMAR: Grammar = Grammar {
    dialect: Dialect::Postgres,
    ddl: Ddl::Transactional,
    lex: lexer::lex,
    split: lexer::split,
    inspect,
    identifier: tree::folded,
};

fn inspect(sql: &str) -> Result<Facts, ScriptError> {
    let parsed = SourceFile::parse(sql);
    if let Some(error) = parsed.errors().first() {
        let span = usize::from(error.range().start())..usize::from(error.range().end());
        let message = format!("syntax error: {}", plain(error.message()));
        let help = "PostgreSQL would reject this statement; is a `;` missing before it?";
        return Err(ScriptError::new(span, message, help));
    }
    let statements: Vec<SyntaxNode> = parsed.syntax_node().children().collect();
    match statements.as_slice() {
        [] => Ok(Facts::additive()),
        [statement]
            if tree::has(statement, squawk_syntax::SyntaxKind::COPY_FROM)
                && tree::within(statement, squawk_syntax::SyntaxKind::COPY_STDIN) =>
        {
            Err(lexer::from_stdin(0..sql.len()))
        }
        [statement] => Ok(statement::classify(statement)),
        _ => Ok(Facts::unknown("is more than one statement")),
    }
}

/// The parser's message without its own names of keywords.
fn plain(message: &str) -> String {
    let words = message.split(' ').map(|word| {
        let name = word.trim_end_matches(|c: char| !c.is_alphanumeric());
        match name.strip_suffix("_KW") {
            Some(keyword) => word.replacen(name, keyword, 1),
            None => word.to_owned(),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}
