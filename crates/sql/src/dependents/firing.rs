//! What a trigger does, apart from its name: at which writes it fires, on which condition, and the code that then runs.
//!
//! Invariant: two triggers that read alike here do the same to every row; one whose code cannot be followed (a function in
//! another language than SQL's) is told apart by its name.

use std::collections::{BTreeMap, BTreeSet};

use super::super::lexeme::{self, Kind, Token};
use super::super::{Dialect, ObjectKind, Script, Statement, Verb};
use super::{Dependent, Dependents, Runs};

/// At which writes a trigger fires: the event, and for updates the columns that it looks at; none for all.
type Events = BTreeMap<String, Option<BTreeSet<String>>>;

/// What one trigger does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Firing {
    /// `before`, `after`, `instead of`.
    moment: String,
    events: Events,
    /// For each row or each statement, the condition, transition tables.
    rest: String,
    /// What it hands to its function.
    arguments: String,
    body: String,
    /// The functions that it reaches; the first is that which the trigger calls.
    functions: Vec<Function>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Function {
    name: String,
    /// Empty where it cannot be read.
    text: String,
    /// What is set while it runs, as a catalogue keeps it.
    settings: String,
}

impl Function {
    fn is_same(&self, now: &Self, texts: Texts) -> bool {
        match texts {
            Texts::Same => self.text == now.text && self.settings == now.settings,
            // A file has the head of the function before its body, and may not have the function at all.
            Texts::FileAndCatalogue => {
                self.text.is_empty() || now.text.is_empty() || self.text.ends_with(&now.text)
            }
        }
    }
}

/// Where the texts come from that are compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Texts {
    /// Both from the same catalogue.
    Same,
    /// One from a file, and one as the catalogue writes it: conditions are written anew there.
    FileAndCatalogue,
}

/// Names that a script takes for others. A database writes the texts of triggers anew with them.
pub(super) struct Renames {
    dialect: Dialect,
    /// Each with what it was before.
    pairs: Vec<(String, String)>,
}

impl Renames {
    pub(super) const fn none(dialect: Dialect) -> Self {
        Self {
            dialect,
            pairs: Vec::new(),
        }
    }

    /// Of tables and columns.
    pub(super) fn of(script: &Script) -> Self {
        let objects = script.statements.iter().flat_map(Statement::objects);
        let renamed = objects.filter(|object| {
            object.verb == Verb::Rename
                && matches!(object.kind, ObjectKind::Table | ObjectKind::Column)
        });
        let pairs = renamed.filter_map(|object| {
            let new = object.renamed_to.clone()?;
            Some((new, object.name.clone()))
        });
        Self {
            dialect: script.dialect,
            pairs: pairs.collect(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// The token as it is compared: a name that was or is another one as the earliest of them.
    fn told(&self, token: &Token, text: &str) -> String {
        let written = token.text(text);
        if matches!(token.kind, Kind::Word | Kind::QuotedName)
            && let Some(mut name) = (self.dialect.grammar().identifier)(written)
        {
            let is = |a: &str, b: &str| self.dialect.may_be_same_name(a, b);
            let is_one = |(new, old): &(String, String)| is(new, &name) || is(old, &name);
            if self.pairs.iter().any(is_one) {
                for _ in 0..self.pairs.len() {
                    match self.pairs.iter().find(|(new, _)| is(new, &name)) {
                        Some((_, old)) => name.clone_from(old),
                        None => break,
                    }
                }
                return name;
            }
        }
        match (token.kind, self.dialect) {
            // Names have no case there, or are folded.
            (Kind::Word, Dialect::Postgres | Dialect::Sqlite) => written.to_lowercase(),
            _ => written.to_owned(),
        }
    }
}

impl Dependents {
    /// What `trigger`, which is one of these, does.
    pub(super) fn firing(&self, trigger: &Dependent, renames: &Renames) -> Firing {
        let header = Header::read(renames, &trigger.header);
        Firing {
            moment: header.moment,
            events: header.events,
            rest: header.rest,
            arguments: header.arguments,
            body: squeezed(renames, &trigger.body),
            functions: self.reached(trigger, renames),
        }
    }

    /// The functions whose names stand in the trigger and in these functions, and so on.
    fn reached(&self, trigger: &Dependent, renames: &Renames) -> Vec<Function> {
        let functions = || {
            self.all
                .iter()
                .filter(|one| one.kind == ObjectKind::Function)
        };
        let mut found: Vec<&Dependent> = Vec::new();
        let mut reached = Vec::new();
        if let Some(calls) = &trigger.calls {
            let called = functions().find(|one| self.dialect.may_be_same_name(&one.name, calls));
            match called {
                Some(function) => found.push(function),
                None => reached.push(Function {
                    name: calls.clone(),
                    text: String::new(),
                    settings: String::new(),
                }),
            }
        }
        found.extend(self.named_in(&trigger.body));
        let mut at = 0;
        while let Some(function) = found.get(at).copied() {
            at += 1;
            for next in self.named_in(&function.body) {
                if !found.iter().any(|known| std::ptr::eq(*known, next)) {
                    found.push(next);
                }
            }
        }
        reached.extend(found.into_iter().map(|function| Function {
            name: function.name.clone(),
            text: squeezed(renames, &function.body),
            settings: function.header.clone(),
        }));
        reached
    }

    pub(in super::super) fn named_in(&self, body: &str) -> Vec<&Dependent> {
        let grammar = self.dialect.grammar();
        let Ok(tokens) = lexeme::tokens(grammar, body) else {
            return Vec::new();
        };
        let names: BTreeSet<String> = tokens
            .windows(2)
            .filter_map(|pair| match pair {
                // A call without parentheses is one of MySQL's procedures.
                [name, next]
                    if next.kind == Kind::Open
                        && matches!(name.kind, Kind::Word | Kind::QuotedName) =>
                {
                    (grammar.identifier)(name.text(body))
                }
                [call, name] if call.is_word(body, "call") => (grammar.identifier)(name.text(body)),
                _ => None,
            })
            .collect();
        self.all
            .iter()
            .filter(|one| {
                one.kind == ObjectKind::Function
                    && names
                        .iter()
                        .any(|name| self.dialect.may_be_same_name(name, &one.name))
            })
            .collect()
    }
}

impl Firing {
    /// What of this `now` does not do any more, in words that complete "the trigger …"; `None` if it does all of it.
    pub(super) fn less(&self, now: &Self, texts: Texts) -> Option<Less> {
        let said = |how: String| {
            Some(Less {
                how,
                function: None,
            })
        };
        for (event, columns) in &self.events {
            match (now.events.get(event), columns) {
                (None, _) => {
                    return said(format!("no longer fires on {}", event.to_uppercase()));
                }
                (Some(Some(now)), None) => {
                    let listed: Vec<&str> = now.iter().map(String::as_str).collect();
                    return said(format!(
                        "fires on UPDATE of {} alone, where it fired on every UPDATE",
                        listed.join(", ")
                    ));
                }
                (Some(Some(now)), Some(before)) => {
                    if let Some(column) = before.difference(now).next() {
                        return said(format!("no longer fires on UPDATE of `{column}`"));
                    }
                }
                (Some(None), _) => {}
            }
        }
        if self.moment != now.moment {
            return said(format!(
                "fires {} the write, where it fired {}",
                now.moment.to_uppercase(),
                self.moment.to_uppercase()
            ));
        }
        let is_same = match texts {
            Texts::Same => self.rest == now.rest,
            Texts::FileAndCatalogue => self.has_condition() == now.has_condition(),
        };
        if !is_same {
            return said(if now.rest.is_empty() {
                "fires without the condition that it had".to_owned()
            } else {
                format!("fires otherwise than it did ({})", now.rest)
            });
        }
        if self.arguments != now.arguments {
            return said(format!(
                "calls its function with {}, where it was {}",
                now.arguments, self.arguments
            ));
        }
        // What stands in a comment that the server runs, it may write down without one.
        let is_taken_apart = texts == Texts::FileAndCatalogue && self.body.contains("/*");
        if self.body != now.body && !is_taken_apart {
            return said("does something else than it did".to_owned());
        }
        self.less_code(now, texts)
    }

    fn less_code(&self, now: &Self, texts: Texts) -> Option<Less> {
        for (index, function) in self.functions.iter().enumerate() {
            let same_name = now
                .functions
                .iter()
                .find(|other| other.name == function.name);
            // The one that the trigger calls may have another name.
            let called = now.functions.get(index).filter(|_| index == 0);
            let name = &function.name;
            let how = match (same_name, called) {
                (Some(other), _) if function.is_same(other, texts) => continue,
                (None, Some(other)) if !other.text.is_empty() && function.is_same(other, texts) => {
                    continue;
                }
                (Some(_), _) => {
                    format!("does something else than it did: its function `{name}` was replaced")
                }
                (None, Some(other)) => {
                    format!("calls `{}`, where it called `{name}`", other.name)
                }
                (None, None) => format!("does something else than it did: `{name}` is gone"),
            };
            return Some(Less {
                how,
                function: Some(name.clone()),
            });
        }
        None
    }

    fn has_condition(&self) -> bool {
        self.rest.split(' ').any(|word| word == "when")
    }
}

/// That a trigger does less than it did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Less {
    pub how: String,
    /// The function by whose text it does.
    pub function: Option<String>,
}

/// Whether it fires at all.
pub(super) fn is_at_work(one: &Dependent) -> bool {
    one.kind == ObjectKind::Trigger && one.runs == Runs::Used
}

#[derive(Default)]
struct Header {
    moment: String,
    events: Events,
    rest: String,
    arguments: String,
}

impl Header {
    /// `CREATE TRIGGER g BEFORE INSERT OR UPDATE OF a ON t FOR EACH ROW WHEN (…) EXECUTE FUNCTION f('x')`, or as much of it
    /// as a catalogue keeps apart: `BEFORE INSERT`.
    fn read(renames: &Renames, text: &str) -> Self {
        let dialect = renames.dialect;
        let grammar = dialect.grammar();
        let Ok(tokens) = lexeme::tokens(grammar, text) else {
            // Compared as it stands.
            return Self {
                rest: text.to_owned(),
                ..Self::default()
            };
        };
        let word = |at: usize| {
            tokens
                .get(at)
                .filter(|token| token.kind == Kind::Word)
                .map(|token| token.text(text).to_ascii_lowercase())
        };
        let is = |at: usize, wanted: &[&str]| {
            word(at).is_some_and(|word| wanted.contains(&word.as_str()))
        };
        const MOMENTS: &[&str] = &["before", "after", "instead"];
        const EVENTS: &[&str] = &["insert", "update", "delete", "truncate"];
        // As it is compared elsewhere, and without quotes.
        let name = |token: &Token| {
            let told = renames.told(token, text);
            (grammar.identifier)(&told)
        };
        let mut header = Self::default();
        let begin = (0..tokens.len()).find(|at| is(*at, MOMENTS));
        let mut at = begin
            .or_else(|| (0..tokens.len()).find(|at| is(*at, EVENTS)))
            .unwrap_or(tokens.len());
        header.moment = match begin.and_then(word).as_deref() {
            Some("instead") => "instead of".to_owned(),
            Some(moment) => moment.to_owned(),
            None => "before".to_owned(),
        };
        while at < tokens.len() && !is(at, &["on"]) {
            if let Some(event) = word(at).filter(|event| EVENTS.contains(&event.as_str())) {
                let mut columns = None;
                if event == "update" && is(at + 1, &["of"]) {
                    at += 2;
                    let mut listed = BTreeSet::new();
                    while let Some(token) = tokens.get(at)
                        && !is(at, &["on", "or"])
                    {
                        if matches!(token.kind, Kind::Word | Kind::QuotedName) {
                            listed.extend(name(token));
                        }
                        at += 1;
                    }
                    columns = Some(listed);
                    header.events.insert(event, columns);
                    continue;
                }
                header.events.insert(event, columns.take());
            }
            at += 1;
        }
        // The name of the table.
        at += 2;
        while tokens.get(at).is_some_and(|dot| dot.text(text) == ".") {
            at += 2;
        }
        let execute = (at..tokens.len()).find(|at| is(*at, &["execute"]));
        let end = execute.unwrap_or(tokens.len());
        let mut rest: Vec<String> = Vec::new();
        while at < end {
            if dialect != Dialect::Postgres && is(at, &["for"]) && is(at + 1, &["each"]) {
                at += 3;
                continue;
            }
            if is(at, &["follows", "precedes"]) {
                at += 2;
                continue;
            }
            rest.extend(tokens.get(at).map(|token| match token.kind {
                Kind::Word => renames.told(token, text).to_lowercase(),
                _ => renames.told(token, text),
            }));
            at += 1;
        }
        header.rest = rest.join(" ");
        if let Some(execute) = execute {
            let called = tokens.get(execute..).unwrap_or_default();
            let arguments = called.iter().skip_while(|token| token.kind != Kind::Open);
            header.arguments = arguments.map(|token| token.text(text)).collect();
        }
        header
    }
}

/// Without what means nothing: space, comments and, where names have no case, that of letters.
fn squeezed(renames: &Renames, text: &str) -> String {
    let Ok(tokens) = lexeme::tokens(renames.dialect.grammar(), text) else {
        return text.split_whitespace().collect::<Vec<_>>().join(" ");
    };
    let last = tokens
        .iter()
        .rposition(|token| token.kind != Kind::Semicolon);
    let words: Vec<String> = tokens
        .iter()
        .take(last.map_or(0, |last| last + 1))
        .map(|token| renames.told(token, text))
        .collect();
    words.join(" ")
}
