//! The scripts of later migrations: a contract must not take away what they need.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::model::Step;
use crate::sql::{Dependent, Dependents, Dialect, Gone, Met, ObjectKind, Script};

use super::directory::Directory;

/// The scripts of one migration that bring it forward.
pub(super) struct Forward {
    scripts: BTreeMap<Dialect, Vec<Text>>,
}

struct Text {
    path: PathBuf,
    text: Arc<str>,
    lower: Arc<str>,
}

impl Forward {
    pub fn of(directory: &Directory, dialects: &[Dialect]) -> Self {
        let mut scripts = BTreeMap::new();
        let mut lower: BTreeMap<PathBuf, Arc<str>> = BTreeMap::new();
        for dialect in dialects {
            let of_step = |step| directory.chosen(step, *dialect)?.source.as_ref();
            let mut texts = Vec::new();
            for source in [Step::Expand, Step::Backfill, Step::Contract]
                .into_iter()
                .filter_map(of_step)
            {
                let path = source.file.path.clone();
                let text = Arc::clone(&source.file.text);
                let lower = lower
                    .entry(path.clone())
                    .or_insert_with(|| text.to_lowercase().into());
                let lower = Arc::clone(lower);
                texts.push(Text { path, text, lower });
            }
            scripts.insert(*dialect, texts);
        }
        Self { scripts }
    }
}

/// What is found in the newest script of these migrations that has it, among those that have this name in them.
pub(super) fn newest<T>(
    before: &[Forward],
    dialect: Dialect,
    name: &str,
    look: impl Fn(&Script) -> Option<T>,
) -> Option<T> {
    let name = name.to_lowercase();
    let migrations = before.iter().rev();
    let texts = migrations.filter_map(|forward| forward.scripts.get(&dialect));
    let mut texts = texts
        .flat_map(|texts| texts.iter().rev())
        .filter(|text| text.lower.contains(&name));
    texts.find_map(|text| look(&Script::parse(dialect, &text.text).ok()?))
}

/// What the newest of these migrations with code of the same name on the same table makes, and that code itself.
pub(super) fn made_before(
    before: &[Forward],
    dialect: Dialect,
    code: &Dependent,
) -> Option<(Dependents, Dependent)> {
    newest(before, dialect, &code.name, |script| {
        let made = Dependents::made_by(script);
        let found = made
            .all
            .iter()
            .find(|one| one.is_called_as(dialect, code))?
            .clone();
        Some((made, found))
    })
}

/// The code that the newest of these migrations with a function of this name makes.
pub(super) fn code_with(
    before: &[Forward],
    dialect: Dialect,
    function: &str,
) -> Option<Dependents> {
    newest(before, dialect, function, |script| {
        let made = Dependents::made_by(script);
        let is_it = |one: &Dependent| {
            one.kind == ObjectKind::Function && dialect.may_be_same_name(&one.name, function)
        };
        made.all.iter().any(is_it).then_some(made)
    })
}

/// The first script of these migrations that uses a table of this name, other than as a temporary one.
pub(super) fn uses<'a>(all: &'a [Forward], dialect: Dialect, gone: &Gone) -> Option<&'a PathBuf> {
    let name = gone.table.to_lowercase();
    let texts = all
        .iter()
        .filter_map(|forward| forward.scripts.get(&dialect))
        .flatten();
    let mut texts = texts.filter(|text| text.lower.contains(&name));
    let is_temporary = |text: &Text| {
        let script = Script::parse(dialect, &text.text);
        script.is_ok_and(|script| {
            script.statements.iter().any(|statement| {
                let made = statement.temporary_table(dialect);
                made.is_some_and(|made| dialect.same_name(made, &gone.table))
            })
        })
    };
    let found =
        texts.find(|text| gone.met_by(dialect, &text.text) != Met::Not && !is_temporary(text));
    found.map(|text| &text.path)
}

/// The first script of these migrations, in their order, that needs what is gone; none where another makes it anew before.
pub(super) fn needs<'a>(
    later: &'a [Forward],
    dialect: Dialect,
    gone: &Gone,
) -> Option<&'a PathBuf> {
    let name = gone.column.as_ref().unwrap_or(&gone.table).to_lowercase();
    let texts = later
        .iter()
        .filter_map(|forward| forward.scripts.get(&dialect))
        .flatten();
    for text in texts.filter(|text| text.lower.contains(&name)) {
        match gone.met_by(dialect, &text.text) {
            Met::Named => return Some(&text.path),
            Met::Back => return None,
            Met::Not => {}
        }
    }
    None
}
