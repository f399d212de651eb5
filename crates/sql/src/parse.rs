//! A script's text, taken apart.

use std::ops::Range;

use super::context;
use super::facts::Grammar;
use super::lexeme;
use super::{Ddl, Dialect, Mode, Script, ScriptError, Statement, mysql, postgres, sqlite};

/// Statements of one script: each is looked at, recorded and perhaps committed on its own.
pub(crate) const MOST_STATEMENTS: usize = 200_000;

impl Dialect {
    /// The registry of grammars: one row each.
    pub(crate) fn grammar(self) -> &'static Grammar {
        match self {
            Dialect::Sqlite => &sqlite::GRAMMAR,
            Dialect::Postgres => &postgres::GRAMMAR,
            Dialect::Mysql => &mysql::GRAMMAR,
        }
    }
}

/// Where the statements of a text are, each without its `;` and without the comments around it. Nothing of them is judged.
///
/// # Errors
/// A text that ends within a quotation or a comment.
pub fn statements(dialect: Dialect, text: &str) -> Result<Vec<Range<usize>>, ScriptError> {
    let grammar = dialect.grammar();
    let tokens = lexeme::tokens(grammar, text)?;
    Ok((grammar.split)(text, &tokens))
}

impl ScriptError {
    pub(crate) fn new(
        span: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        ScriptError {
            span,
            message: message.into(),
            help: help.into(),
        }
    }

    /// Moves a position within a statement to its place in the file.
    pub(crate) fn shifted(mut self, by: usize) -> Self {
        self.span = self.span.start + by..self.span.end + by;
        self
    }
}

impl Script {
    /// # Errors
    /// All mistakes found, in file order. A script without statements is not a mistake.
    pub fn parse(dialect: Dialect, text: &str) -> Result<Script, Vec<ScriptError>> {
        let grammar = dialect.grammar();
        let tokens = lexeme::tokens(grammar, text).map_err(|error| vec![error])?;
        let spans = (grammar.split)(text, &tokens);
        if let Some(beyond) = spans.get(MOST_STATEMENTS) {
            return Err(vec![ScriptError::new(
                beyond.clone(),
                format!(
                    "this script has {} statements, and {MOST_STATEMENTS} are the most that one may have",
                    spans.len()
                ),
                "write several rows in one INSERT, load the data by other means, or split the migration",
            )]);
        }
        let mut errors = Vec::new();
        let mode = match lexeme::mode(text, &spans) {
            Ok(mode) => mode,
            Err(error) => {
                errors.push(error);
                Mode::Transactional
            }
        };
        let mut facts = Vec::with_capacity(spans.len());
        for span in &spans {
            match lexeme::slice(text, span).map(|sql| grammar.facts(sql)) {
                Some(Ok(found)) => facts.push(found),
                Some(Err(error)) => errors.push(error.shifted(span.start)),
                None => {}
            }
        }
        if !errors.is_empty() {
            errors.sort_by_key(|error| error.span.start);
            return Err(errors);
        }
        let commits = grammar.ddl == Ddl::CommitsImplicitly
            && facts.iter().any(|facts| facts.needs_no_transaction);
        let mode = if commits { Mode::NoTransaction } else { mode };
        let contexts = {
            let texts = spans
                .iter()
                .map(|span| lexeme::slice(text, span).unwrap_or_default());
            let texts: Vec<&str> = texts.collect();
            context::in_context(dialect, mode, &facts, &texts)
        };
        let (mut line, mut counted) = (1, 0);
        let statements = spans
            .into_iter()
            .zip(facts)
            .zip(contexts)
            .map(|((span, facts), context)| {
                line += lexeme::newlines(text, counted..span.start);
                counted = span.start;
                let mut objects = facts.objects.into_iter();
                Statement {
                    text: lexeme::slice(text, &span).unwrap_or_default().to_owned(),
                    span,
                    line,
                    effect: context.effect,
                    hazard: context.hazard,
                    loses: context.loses,
                    needs_no_transaction: facts.needs_no_transaction,
                    object: objects.next(),
                    more_objects: objects.collect(),
                }
            })
            .collect();
        Ok(Script {
            dialect,
            mode,
            statements,
        })
    }
}
