//! Every answer that is no yes says what is the matter, what to do next, and that works: the table of reasons and errors, in
//! which the advice is taken as it stands there, and leads out.
//!
//! That none is missing is for the compiler: [`reasons`], [`errors`] and [`around`] name each variant once.

mod around;
mod databases;
mod errors;
mod evidence;
mod files;
mod held;
mod ledgers;
mod reasons;
mod schema;
mod versions;

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::support::backend::{BACKENDS, Db};
use crate::support::project::Output;
use crate::support::shop::Shop;

/// A case that has no row here.
#[derive(Clone, Copy)]
pub enum Elsewhere {
    /// More is needed for it than a shop: the test of this name takes the advice.
    Taken(&'static str),
    /// The test of this name shows it. Nobody can take the advice in a test, or there is none to be taken, because of this.
    Shown(&'static str, &'static str),
}

/// One situation, and the way out of it.
pub struct Row<Case: 'static> {
    pub case: Case,
    /// The databases on which it arises; all, if there are none.
    pub on: &'static [&'static str],
    pub make: fn(Db) -> Shop,
    pub asks: &'static [&'static str],
    pub code: i32,
    /// What has to be said of the matter.
    pub says: &'static [&'static str],
    /// Takes the advice.
    pub takes: fn(&Shop, &Said),
    /// How the same command ends after that.
    pub then: i32,
}

/// What a command has said, on both streams, without the line breaks that only fit it to a page.
pub struct Said {
    text: String,
}

impl Said {
    pub fn of(output: &Output) -> Self {
        let text = format!("{} {}", output.stdout, output.stderr).replace('│', " ");
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        Self { text }
    }

    #[track_caller]
    pub fn tells(&self, what: &str) {
        assert!(self.text.contains(what), "no {what:?} in: {}", self.text);
    }

    /// It advises to run this command, and so it is run.
    #[track_caller]
    pub fn run(&self, shop: &Shop, command: &str, code: i32) -> Output {
        self.tells(&format!("`{command}`"));
        let mut words = command.split(' ');
        assert_eq!(words.next(), Some("migrate"), "{command}");
        let words: Vec<&str> = words.collect();
        shop.run(&words, code)
    }

    /// It advises to run this command, in which somebody has to write `with` for the word `what`.
    #[track_caller]
    pub fn run_with(&self, shop: &Shop, command: &str, (what, with): (&str, &str), code: i32) {
        self.tells(&format!("`{command}`"));
        let words = command.split(' ').skip(1);
        let words = words.map(|word| if word == what { with } else { word });
        let words: Vec<&str> = words.collect();
        shop.run(&words, code);
    }

    /// The first command that begins like this, as it stands there.
    #[track_caller]
    pub fn command(&self, begins: &str) -> Vec<String> {
        let found = self
            .text
            .split('`')
            .skip(1)
            .step_by(2)
            .find(|part| part.starts_with(begins));
        let found = found.unwrap_or_else(|| panic!("no `{begins}…` in: {}", self.text));
        found.split(' ').skip(1).map(str::to_owned).collect()
    }

    /// What stands between these two.
    #[track_caller]
    pub fn between(&self, before: &str, after: &str) -> &str {
        let found = self.text.split_once(before);
        let found = found.and_then(|(_, rest)| rest.split_once(after));
        let found = found.unwrap_or_else(|| panic!("no {before:?} {after:?} in: {}", self.text));
        found.0
    }

    /// The word after this text.
    pub fn after(&self, text: &str) -> Option<&str> {
        let (_, rest) = self.text.split_once(text)?;
        rest.split(' ').next()
    }

    /// Statements that it advises to run at the database.
    #[track_caller]
    pub fn statements(&self, begins: &str) -> Vec<String> {
        let quoted = self.text.split('`').skip(1).step_by(2);
        let found: Vec<String> = quoted
            .filter(|part| part.starts_with(begins))
            .map(str::to_owned)
            .collect();
        assert!(!found.is_empty(), "no `{begins}…` in: {}", self.text);
        found
    }
}

/// Asks once more, and what is said then.
#[track_caller]
pub fn asked(shop: &Shop, arguments: &[&str], code: i32) -> Said {
    Said::of(&shop.run(arguments, code))
}

/// Goes through the rows on one database, to the last of them; `look` looks closer at the answer.
#[track_caller]
pub fn go_through<Case: std::fmt::Debug>(
    db: &Db,
    rows: &[Row<Case>],
    look: impl Fn(&Case, &Shop, &[&str]),
) {
    let backend = db.backend.name;
    let mut failed = Vec::new();
    for row in rows {
        let is_known = |name: &&str| BACKENDS.iter().any(|backend| backend.name == *name);
        assert!(row.on.iter().all(is_known), "{:?}", row.case);
        if !row.on.is_empty() && !row.on.contains(&backend) {
            continue;
        }
        eprintln!("{:?}: {:?}", row.case, row.asks);
        let taken = catch_unwind(AssertUnwindSafe(|| {
            let shop = (row.make)(Db::on(backend));
            let said = asked(&shop, row.asks, row.code);
            for part in row.says {
                said.tells(part);
            }
            look(&row.case, &shop, row.asks);
            (row.takes)(&shop, &said);
            shop.run(row.asks, row.then);
        }));
        if taken.is_err() {
            failed.push(format!("{:?}", row.case));
        }
    }
    assert!(failed.is_empty(), "{failed:?} do not lead out, see above");
}
