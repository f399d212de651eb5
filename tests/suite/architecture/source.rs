//! A source file as tokens: without comments, strings and tests.

use std::collections::BTreeSet;

use super::lexed::{Token, split, tokens_of};

/// A package of the workspace whose modules are rows of the table.
pub struct Package {
    /// Where its sources are, from the repository's root.
    pub folder: &'static str,
    /// How it is written in a path of another package.
    name: &'static str,
    /// The row that its root is, if it is one row as a whole.
    root: Option<&'static str>,
    /// The row of its lib.rs.
    lib: &'static str,
}

/// The package that has the commands, and those of the floors below.
pub const PACKAGES: &[Package] = &[
    Package {
        folder: "src",
        name: "phasegate",
        root: None,
        lib: "lib",
    },
    Package {
        folder: "crates/build/src",
        name: "phasegate_build",
        root: Some("build"),
        lib: "build",
    },
    Package {
        folder: "crates/change/src",
        name: "phasegate_change",
        root: Some("change"),
        lib: "change",
    },
    Package {
        folder: "crates/lease/src",
        name: "phasegate_lease",
        root: None,
        lib: "lib",
    },
    Package {
        folder: "crates/model/src",
        name: "phasegate_model",
        root: None,
        lib: "model",
    },
    Package {
        folder: "crates/sql/src",
        name: "phasegate_sql",
        root: Some("sql"),
        lib: "sql",
    },
    Package {
        folder: "crates/text/src",
        name: "phasegate_text",
        root: Some("text"),
        lib: "text",
    },
];

pub struct Source {
    /// The path from the repository's root.
    pub name: String,
    package: &'static Package,
    /// The row of the table that this file belongs to.
    layer: String,
    /// The modules from the table down to this file; empty for main.rs and lib.rs.
    modules: Vec<String>,
    tokens: Vec<Token>,
    /// What is a comment of each line.
    comments: Vec<String>,
    /// Modules in files of their own that are declared under `#[cfg(test)]`.
    test_files: Vec<Vec<String>>,
    code_lines: usize,
}

/// A path as it is written, with its groups spread out and what it is relative to resolved.
pub struct Path {
    /// From the crate's root, as `model::Version`, or from outside, as `std::fs`.
    pub text: String,
    /// The top-level module of this crate that it leads into; `lib` where it names something at the root.
    pub module: Option<String>,
    pub line: usize,
}

/// Roots of other crates whose paths are of interest.
const OUTSIDE: &[&str] = &[
    "std", "core", "fastrand", "jiff", "rustix", "sqlx", "tokio", "whoami",
];

impl Source {
    /// A file of `package`, by its path below the package's folder.
    pub fn new(package: &'static Package, name: &str, text: &str) -> Self {
        let (code, comments) = split(text);
        let tokens = tokens_of(&code);
        let root = package.root.map(str::to_owned);
        let modules: Vec<String> = root.into_iter().chain(modules_of(name)).collect();
        let layer = match modules.first() {
            Some(module) => module.clone(),
            None if name == "lib.rs" => package.lib.to_owned(),
            None => name.trim_end_matches(".rs").to_owned(),
        };
        let mut kept = Vec::new();
        let mut test_files = Vec::new();
        let mut test_lines = BTreeSet::new();
        let mut at = 0;
        while at < tokens.len() {
            if let Some(end) = test_item(&tokens[at..]) {
                let item = &tokens[at..at + end];
                test_lines.extend(item[0].line..=item[end - 1].line);
                if let [.., keyword, file, semicolon] = item
                    && keyword.text == "mod"
                    && semicolon.text == ";"
                {
                    test_files.push(modules.iter().chain([&file.text]).cloned().collect());
                }
                at += end;
            } else {
                kept.push(Token {
                    text: tokens[at].text.clone(),
                    line: tokens[at].line,
                });
                at += 1;
            }
        }
        let code_lines = text.lines().count() - test_lines.len();
        Self {
            name: format!("{}/{name}", package.folder),
            package,
            layer,
            modules,
            tokens: kept,
            comments,
            test_files,
            code_lines,
        }
    }

    /// The package that it is of, and its path there.
    pub fn place(&self) -> (&'static str, Vec<String>) {
        let inside = usize::from(self.package.root.is_some());
        let path = self.modules.get(inside..).unwrap_or_default().to_vec();
        let is_program = path.is_empty() && self.layer != self.package.lib;
        match is_program {
            true => (self.package.name, vec![self.layer.clone()]),
            false => (self.package.name, path),
        }
    }

    pub fn words(&self) -> Vec<&str> {
        let words = self.tokens.iter();
        words.map(|token| token.text.as_str()).collect()
    }

    pub fn layer(&self) -> &str {
        &self.layer
    }

    pub fn code_lines(&self) -> usize {
        self.code_lines
    }

    /// The comment of a line, empty if there is none.
    pub fn comment(&self, line: usize) -> &str {
        self.comments.get(line - 1).map_or("", String::as_str)
    }

    pub fn has(&self, words: &[&str]) -> bool {
        !self.lines_with(words).is_empty()
    }

    /// The lines where these tokens follow each other. A path that is an argument of a macro counts as well.
    pub fn lines_with(&self, words: &[&str]) -> Vec<usize> {
        self.tokens
            .windows(words.len())
            .filter(|window| {
                window
                    .iter()
                    .zip(words)
                    .all(|(token, word)| token.text == *word)
            })
            .map(|window| window[window.len() - 1].line)
            .collect()
    }

    /// Every path that starts at this crate's root, at a parent, or at an interesting crate.
    pub fn paths(&self) -> Vec<Path> {
        let mut found = Vec::new();
        // The modules written inside this file, each with the number of braces open where it starts.
        let mut inner: Vec<(String, usize)> = Vec::new();
        let mut depth = 0;
        let mut at = 0;
        while at < self.tokens.len() {
            match self.text(at) {
                "{" => {
                    depth += 1;
                    if at >= 2 && self.text(at - 2) == "mod" {
                        inner.push((self.text(at - 1).to_owned(), depth));
                    }
                }
                "}" => {
                    inner.pop_if(|(_, start)| *start == depth);
                    depth = usize::saturating_sub(depth, 1);
                }
                _ if self.starts_path(at) => {
                    let here: Vec<&str> = self
                        .modules
                        .iter()
                        .map(String::as_str)
                        .chain(inner.iter().map(|(name, _)| name.as_str()))
                        .collect();
                    let mut written = Vec::new();
                    at = self.tree(at, &[], &mut written);
                    found.extend(
                        written.into_iter().filter_map(|(words, line)| {
                            resolved(self.package, &here, &words, line)
                        }),
                    );
                    continue;
                }
                _ => {}
            }
            at += 1;
        }
        found
    }

    fn text(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| &token.text)
    }

    fn starts_path(&self, at: usize) -> bool {
        let word = self.text(at);
        let continues = at >= 2 && self.text(at - 1) == ":" && self.text(at - 2) == ":";
        let visibility = at >= 1 && self.text(at - 1) == "(" && self.text(at + 1) == ")";
        match word {
            "crate" | "super" => !continues && !visibility,
            _ => {
                let outside = package(word).is_some() || OUTSIDE.contains(&word);
                // `::std::fs` starts with colons too.
                let absolute = continues && (at < 3 || !is_word(self.text(at - 3)));
                outside && (!continues || absolute) && self.text(at.wrapping_sub(1)) != "."
            }
        }
    }

    /// Reads a path, with its groups, that starts here; answers where it ends.
    fn tree(
        &self,
        mut at: usize,
        before: &[String],
        written: &mut Vec<(Vec<String>, usize)>,
    ) -> usize {
        let mut words = before.to_vec();
        let mut line = self.tokens.get(at).map_or(0, |token| token.line);
        loop {
            match self.text(at) {
                "{" => {
                    at += 1;
                    while !matches!(self.text(at), "}" | "") {
                        let next = self.tree(at, &words, written);
                        // Between the members: commas, and `as name` after one.
                        at = next.max(at + usize::from(next == at));
                        while !matches!(self.text(at), "," | "}" | "") {
                            at += 1;
                        }
                        at += usize::from(self.text(at) == ",");
                    }
                    return at + 1;
                }
                word if is_word(word) || word == "*" => {
                    line = self.tokens[at].line;
                    words.push(word.to_owned());
                    at += 1;
                }
                _ => break,
            }
            if self.text(at) == ":"
                && self.text(at + 1) == ":"
                && (is_word(self.text(at + 2)) || matches!(self.text(at + 2), "{" | "*"))
            {
                at += 2;
            } else {
                break;
            }
        }
        written.push((words, line));
        at
    }
}

/// The sources without the files that are tests.
pub fn without_test_files(sources: Vec<Source>) -> Vec<Source> {
    let tests: Vec<Vec<String>> = sources
        .iter()
        .flat_map(|source| source.test_files.clone())
        .collect();
    sources
        .into_iter()
        .filter(|source| !tests.iter().any(|test| source.modules.starts_with(test)))
        .collect()
}

fn is_word(text: &str) -> bool {
    text.chars()
        .next()
        .is_some_and(|first| first.is_alphanumeric() || first == '_')
}

/// `ledger/log.rs` is ledger, log; `ledger/mod.rs` is ledger; `main.rs` and `lib.rs` are the root.
fn modules_of(name: &str) -> Vec<String> {
    let mut modules: Vec<String> = name
        .trim_end_matches(".rs")
        .split('/')
        .map(str::to_owned)
        .collect();
    if modules.last().is_some_and(|last| last == "mod") || matches!(name, "main.rs" | "lib.rs") {
        modules.pop();
    }
    modules
}

/// The package that this word names in a path.
fn package(word: &str) -> Option<&'static Package> {
    PACKAGES.iter().find(|package| package.name == word)
}

/// The name of the package that this word names in a path.
pub fn package_of(word: &str) -> Option<&'static str> {
    package(word).map(|package| package.name)
}

/// A written path from where it is written. None if it stays inside its module.
fn resolved(
    inside: &'static Package,
    here: &[&str],
    words: &[String],
    line: usize,
) -> Option<Path> {
    let mut rest = words;
    let first = words.first()?.as_str();
    let of = if first == "crate" {
        Some(inside)
    } else {
        package(first)
    };
    let from: Vec<&str> = match (of, first) {
        (Some(package), _) => {
            rest = &rest[1..];
            package.root.into_iter().collect()
        }
        (None, "super") => {
            let mut base = here.len();
            while rest.first().is_some_and(|word| word == "super") {
                base = base.checked_sub(1)?;
                rest = &rest[1..];
            }
            here[..base].to_vec()
        }
        (None, _) => {
            return Some(Path {
                text: words.join("::"),
                module: None,
                line,
            });
        }
    };
    let path: Vec<&str> = from
        .into_iter()
        .chain(rest.iter().map(String::as_str))
        .collect();
    // A module has a name in lower case; a type, a trait or a constant at the root is the public API's.
    let module = match path.first() {
        Some(first)
            if first.starts_with(|letter: char| letter.is_lowercase()) && *first != "self" =>
        {
            first
        }
        _ => "lib",
    };
    Some(Path {
        text: path.join("::"),
        module: Some(module.to_owned()),
        line,
    })
}

/// The number of tokens of the item that starts here, if it is one under `#[cfg(test)]`.
fn test_item(tokens: &[Token]) -> Option<usize> {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    let is_test = ["#", "[", "cfg", "("]
        .iter()
        .enumerate()
        .all(|(at, word)| text(at) == *word)
        && (text(4) == "test" || (text(4) == "all" && text(6) == "test"));
    if !is_test {
        return None;
    }
    // To the end of a body, or to a semicolon where there is none.
    let mut open = 0;
    for (at, token) in tokens.iter().enumerate() {
        match token.text.as_str() {
            "{" | "[" | "(" => open += 1,
            "}" if open == 1 => return Some(at + 1),
            "}" | "]" | ")" => open -= 1,
            ";" if open == 0 => return Some(at + 1),
            _ => {}
        }
    }
    Some(tokens.len())
}
