//! What code that a script makes does when the script itself has it run: a trigger or a rule of a table that it writes, a
//! function behind a view, a default or a domain that it uses.
//!
//! Code is followed by the names that stand in it. What is taken for a call and is none costs a question at most.

use std::collections::HashSet;

use super::facts::Facts;
use super::lexeme::{self, Kind};
use super::written::{Write, Written, writes};
use super::{Dialect, Object, ObjectKind, Verb, postgres};

/// Texts within texts that are looked into: `EXECUTE 'DELETE …'` in the body of a function.
const DEEPEST: usize = 3;

/// Where a text begins and ends that may hold code.
const OPENS: &str = "'<";
const CLOSES: &str = "'>";

/// A statement, or code, as it is followed.
pub(super) struct Said {
    /// Keywords, names and signs, in lower case.
    words: Vec<String>,
    /// The same, with names as the catalogue has them.
    names: Vec<String>,
    writes: Vec<Write>,
}

/// Code of the script, and what has it run.
struct Made {
    name: String,
    /// Which of the texts.
    said: usize,
    runs: Runs,
}

enum Runs {
    /// Whoever says its name.
    Named,
    /// A trigger that says its name.
    FromTrigger,
    /// Whoever writes the table.
    Written {
        table: String,
        events: Vec<&'static str>,
    },
}

/// What a script has made so far.
#[derive(Default)]
pub(super) struct Code {
    said: Vec<Said>,
    made: Vec<Made>,
}

/// Whether a table, or a column of it, is of the script.
pub(super) type IsNew<'a> = &'a dyn Fn(Option<&str>, &str, Option<&str>) -> bool;

const EVENTS: &[&str] = &["insert", "update", "delete", "truncate"];

impl Said {
    pub(super) fn read(dialect: Dialect, text: &str) -> Self {
        let mut said = Self {
            words: Vec::new(),
            names: Vec::new(),
            writes: Vec::new(),
        };
        said.collect(dialect, text, DEEPEST);
        said.writes = writes(&said.words, &said.names);
        said
    }

    fn is(&self, at: usize, word: &str) -> bool {
        self.words.get(at).is_some_and(|found| found == word)
    }

    /// The tables to which it gives rows or values.
    pub(super) fn written(&self) -> Vec<Written> {
        let writes = self
            .writes
            .iter()
            .filter(|write| matches!(write.event, "insert" | "update"));
        writes
            .map(|write| Written {
                table: write.table.clone(),
                columns: self.columns_of(write),
            })
            .collect()
    }

    /// The columns that get values; `None` if it may be any of them.
    fn columns_of(&self, write: &Write) -> Option<Vec<String>> {
        let columns = if write.event == "update" || self.is(write.behind, "set") {
            let assigned = self.assigned(write.behind).into_iter();
            assigned.map(str::to_owned).collect()
        } else if self.is(write.behind, "(")
            && !["select", "with", "values", "(", "table"]
                .iter()
                .any(|word| self.is(write.behind + 1, word))
        {
            let list = self.names.iter().skip(write.behind + 1);
            let list = list.take_while(|word| *word != ")");
            list.filter(|word| *word != ",").cloned().collect()
        } else {
            Vec::new()
        };
        (!columns.is_empty()).then_some(columns)
    }

    /// Whether it assigns to this column of a row that is written.
    pub(super) fn assigns_new(&self, dialect: Dialect, column: &str) -> bool {
        (0..self.words.len()).any(|at| {
            let name = self.names.get(at + 2);
            self.is(at, "new")
                && self.is(at + 1, ".")
                && name.is_some_and(|name| dialect.may_be_same_name(name, column))
                && (self.is(at + 3, "=") || self.is(at + 3, ":=") || self.is(at + 3, ":"))
        })
    }

    /// Whether the statement evaluates what it names, now.
    fn runs_now(&self) -> bool {
        const READS: &[&str] = &[
            "select", "insert", "update", "delete", "merge", "replace", "with", "values", "table",
            "truncate", "copy", "refresh", "alter",
        ];
        let Some(first) = self.words.iter().find(|word| *word != "(") else {
            return false;
        };
        let keeps = self.is(0, "create")
            && self.words.iter().any(|word| word == "select")
            && (self.is(1, "table") || self.is(1, "unlogged") || self.is(1, "materialized"));
        READS.contains(&first.as_str()) || keeps
    }

    /// What it does to rows, or tables, that were there before the script; completes "which …".
    fn deed(&self, is_new: IsNew<'_>) -> Option<String> {
        let harms = |write: &&Write| {
            let schema = write.schema.as_deref();
            let is_own = is_new(schema, &write.table, None);
            let columns = || self.assigned(write.behind);
            let writes_own_columns = write.event == "update"
                && !columns().is_empty()
                && columns()
                    .iter()
                    .all(|column| is_new(schema, &write.table, Some(column)));
            write.event != "insert" && !is_own && !writes_own_columns
        };
        if let Some(write) = self.writes.iter().find(harms) {
            let does = if write.event == "update" {
                "changes"
            } else {
                "deletes"
            };
            return Some(format!("{does} rows of `{}`", write.table));
        }
        if let Some(change) = self.changes_schema(is_new) {
            return Some(change);
        }
        self.words.windows(2).find_map(|pair| match pair {
            [execute, next]
                if execute == "execute"
                    && !["function", "procedure", "on"].contains(&next.as_str()) =>
            {
                Some("runs statements that are put together as it runs".to_owned())
            }
            _ => None,
        })
    }

    /// `DROP TABLE t` in a body; of tables alone it is known whether they are the script's own.
    fn changes_schema(&self, is_new: IsNew<'_>) -> Option<String> {
        const KINDS: &[&str] = &[
            "aggregate",
            "collation",
            "domain",
            "event",
            "extension",
            "foreign",
            "function",
            "index",
            "materialized",
            "operator",
            "owned",
            "policy",
            "procedure",
            "publication",
            "role",
            "routine",
            "rule",
            "schema",
            "sequence",
            "server",
            "subscription",
            "table",
            "trigger",
            "type",
            "user",
            "view",
        ];
        // What a statement itself does is judged as that.
        if self.is(0, "alter") || self.is(0, "drop") {
            return None;
        }
        (0..self.words.len()).find_map(|at| {
            let verb = self.words.get(at).map(String::as_str)?;
            let kind = self.words.get(at + 1)?;
            let does = match verb {
                "drop" => "drops",
                "alter" => "alters",
                "rename" => "renames",
                _ => return None,
            };
            // `ALTER TABLE t DROP CONSTRAINT` is told by its beginning.
            if !KINDS.contains(&kind.as_str()) {
                return None;
            }
            let mut name = at + 2;
            while ["if", "not", "exists", "only"]
                .iter()
                .any(|word| self.is(name, word))
            {
                name += 1;
            }
            let first = self.names.get(name)?;
            let (schema, table) = match self.is(name + 1, ".") {
                true => (Some(first.as_str()), self.names.get(name + 2)?),
                false => (None, first),
            };
            let is_own = kind == "table"
                && is_new(schema, table, None)
                && !self.is(name + 1, ",")
                && !self
                    .words
                    .iter()
                    .skip(name)
                    .take(6)
                    .any(|word| word == "cascade");
            (!is_own).then(|| format!("{does} the {kind} `{table}`"))
        })
    }

    /// The columns that an UPDATE assigns to, from behind the name of its table.
    fn assigned(&self, from: usize) -> Vec<&str> {
        const ENDS: &[&str] = &["where", "from", ";", "returning", "end", "order", "limit"];
        let mut depth = 0usize;
        let mut columns = Vec::new();
        let mut before = "";
        for (word, name) in self.words.iter().zip(&self.names).skip(from) {
            match word.as_str() {
                "(" | OPENS => depth += 1,
                // The end of the text in which the UPDATE stands.
                CLOSES if depth == 0 => break,
                ")" | CLOSES => depth = depth.saturating_sub(1),
                "=" | ":=" if depth == 0 => columns.push(before),
                end if depth == 0 && ENDS.contains(&end) => break,
                _ => {}
            }
            before = name;
        }
        columns
    }
}

impl Code {
    /// What a statement has run that is of the script, and what that does to rows of others; completes "this statement …".
    pub(super) fn run_by(&self, statement: &Said, is_new: IsNew<'_>) -> Option<String> {
        if self.made.is_empty() || !statement.runs_now() {
            return None;
        }
        let mut reached: Vec<usize> = Vec::new();
        let mut next = 0;
        let (mut said, mut from_trigger) = (statement, false);
        loop {
            let words: HashSet<&str> = said.words.iter().map(String::as_str).collect();
            for (index, made) in self.made.iter().enumerate() {
                let is_named = || words.contains(made.name.as_str());
                let is_run = match &made.runs {
                    Runs::Named => is_named(),
                    Runs::FromTrigger => from_trigger && is_named(),
                    Runs::Written { table, events } => said.writes.iter().any(|write| {
                        write.table.to_lowercase() == *table && events.contains(&write.event)
                    }),
                };
                if is_run && !reached.contains(&index) {
                    reached.push(index);
                    let does = self.said.get(made.said);
                    if let Some(deed) = does.and_then(|said| said.deed(is_new)) {
                        return Some(format!("has `{}` run, which {deed}", made.name));
                    }
                }
            }
            let made = self.made.get(*reached.get(next)?)?;
            next += 1;
            said = self.said.get(made.said)?;
            from_trigger = matches!(made.runs, Runs::Written { .. });
        }
    }

    /// The code that this statement makes.
    pub(super) fn note(&mut self, fact: &Facts, said: Said) {
        let at = self.said.len();
        let mut add = |name: &str, runs: Runs| {
            self.made.push(Made {
                name: name.to_lowercase(),
                said: at,
                runs,
            });
        };
        for object in &fact.objects {
            let is_made = object.verb == Verb::Create || object.verb == Verb::Alter;
            match (object.kind, &object.table) {
                _ if !is_made => {}
                (ObjectKind::Function, _) if fact.trigger_function => {
                    add(&object.name, Runs::FromTrigger);
                }
                (
                    ObjectKind::Function
                    | ObjectKind::View
                    | ObjectKind::MaterializedView
                    | ObjectKind::Type
                    | ObjectKind::Table,
                    _,
                ) => add(&object.name, Runs::Named),
                (ObjectKind::Column | ObjectKind::Constraint, Some(table)) => {
                    add(table, Runs::Named);
                }
                (ObjectKind::Trigger, Some(table)) if object.verb == Verb::Create => {
                    let events = said.events("on");
                    let table = table.to_lowercase();
                    add(&object.name, Runs::Written { table, events });
                }
                _ => {}
            }
        }
        let rule = said.words.iter().take(4).position(|word| word == "rule");
        if let (Some(rule), Some(subject)) = (rule, fact.subjects.first())
            && said.is(0, "create")
        {
            let table = subject.name.to_lowercase();
            let events = said.events("to");
            let name = said.words.get(rule + 1).cloned().unwrap_or_default();
            add(&name, Runs::Written { table, events });
        }
        if self.made.last().is_some_and(|made| made.said == at) {
            self.said.push(said);
        }
    }
}

impl Said {
    fn collect(&mut self, dialect: Dialect, text: &str, depth: usize) {
        let grammar = dialect.grammar();
        let Ok(tokens) = lexeme::tokens(grammar, text) else {
            return;
        };
        // Only PostgreSQL has code in texts.
        let looks_into = dialect == Dialect::Postgres
            && (depth < DEEPEST
                || tokens.iter().take(4).any(|token| {
                    token.is_word(text, "function") || token.is_word(text, "procedure")
                }));
        for token in &tokens {
            let written = token.text(text);
            match token.kind {
                Kind::Word | Kind::QuotedName => {
                    let name = (grammar.identifier)(written);
                    self.push(name.unwrap_or_else(|| written.to_owned()));
                }
                Kind::Literal if looks_into && depth > 0 => {
                    self.push(OPENS.to_owned());
                    if let Some(inner) = postgres::unquoted(written) {
                        self.collect(dialect, &inner, depth - 1);
                    }
                    self.push(CLOSES.to_owned());
                }
                Kind::Literal => self.push("'".to_owned()),
                _ => self.push(written.to_owned()),
            }
        }
    }

    fn push(&mut self, name: String) {
        self.words.push(name.to_lowercase());
        self.names.push(name);
    }

    /// The events that stand before this word.
    fn events(&self, end: &str) -> Vec<&'static str> {
        let head = self.words.iter().take_while(|word| *word != end);
        let found = head.filter_map(|word| EVENTS.iter().find(|event| *event == word));
        found.copied().collect()
    }
}

/// Whether a script makes anything that may do more than it shows when a later statement of it has it run.
pub(super) fn has_code_of_its_own(facts: &[Facts], texts: &[&str]) -> bool {
    let is_code = |object: &Object| {
        matches!(object.kind, ObjectKind::Trigger | ObjectKind::Function)
            && object.verb == Verb::Create
    };
    let is_rule = |text: &&str| {
        let mut words = text.split_ascii_whitespace().take(4);
        words.any(|word| word.eq_ignore_ascii_case("rule"))
    };
    facts.iter().flat_map(|fact| &fact.objects).any(is_code) || texts.iter().any(is_rule)
}
