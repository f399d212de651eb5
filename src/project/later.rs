//! The scripts of later migrations: a contract must not take away what they need.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::model::Step;
use crate::sql::{
    Dependent, Dependents, Dialect, Gone, Met, ObjectKind, Script, Table, TableIndex, Tables,
};

use super::directory::{Directory, is_unwritten};
use super::manifest::{self, Manifest};
use super::mentions::Mentions;
use super::source::Source;

/// The scripts of one migration that bring it forward.
pub(super) struct Forward {
    /// Its place among all of them.
    at: usize,
    all: Arc<All>,
}

/// Those of all migrations.
struct All {
    each: Vec<Scripts>,
    /// Made for the first who looks for a name: most migrations need nothing of the others.
    mentions: OnceLock<BTreeMap<Dialect, Mentions>>,
}

#[derive(Default)]
struct Scripts {
    texts: BTreeMap<Dialect, Vec<Arc<Text>>>,
    /// Whether they are all still to be generated: then nobody knows yet what they leave.
    are_to_come: bool,
    /// What stands beside them, as far as it was read.
    manifest: Mutex<Option<Source>>,
    declared: OnceLock<Option<Manifest>>,
}

struct Text {
    path: PathBuf,
    text: Arc<str>,
    lower: OnceLock<String>,
    /// As each database reads it that was asked about; `None` if it cannot. Every migration behind it asks.
    scripts: Mutex<Vec<(Dialect, Option<Arc<Script>>)>>,
}

impl Forward {
    /// Those of all migrations, in their order.
    pub fn of_all(directories: &[Directory], dialects: &[Dialect]) -> Vec<Self> {
        let each = directories.iter().map(|directory| {
            let texts = scripts(directory, dialects);
            let are_to_come = directory.declares_change() && {
                let mut all = texts.values().flatten();
                all.all(|text| is_unwritten(&text.text))
            };
            Scripts {
                texts,
                are_to_come,
                manifest: Mutex::new(directory.manifest.as_ref().map(Source::again)),
                declared: OnceLock::new(),
            }
        });
        Self::of_scripts(each.collect())
    }

    /// Those of migrations whose scripts for this database have been read, in their order.
    pub fn of_texts(each: &[Vec<(&Path, &Arc<str>)>], dialect: Dialect) -> Vec<Self> {
        let each = each.iter().map(|texts| {
            let texts = texts.iter().map(|(path, text)| Text::new(path, text));
            Scripts {
                texts: BTreeMap::from([(dialect, texts.collect())]),
                ..Scripts::default()
            }
        });
        Self::of_scripts(each.collect())
    }

    fn of_scripts(each: Vec<Scripts>) -> Vec<Self> {
        let count = each.len();
        let all = Arc::new(All {
            each,
            mentions: OnceLock::new(),
        });
        let forward = (0..count).map(|at| Self {
            at,
            all: Arc::clone(&all),
        });
        forward.collect()
    }

    fn is_to_come(&self) -> bool {
        let own = self.all.each.get(self.at);
        own.is_some_and(|scripts| scripts.are_to_come)
    }

    /// What is declared beside the scripts, as far as it can be read.
    pub fn manifest(&self) -> Option<&Manifest> {
        let own = self.all.each.get(self.at)?;
        let read = || {
            // Whoever panicked with it has left it whole.
            let source = own
                .manifest
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take()?;
            manifest::read(&source)
        };
        own.declared.get_or_init(read).as_ref()
    }

    /// Its expand.sql.
    pub fn expand(&self, dialect: Dialect) -> Option<Arc<Script>> {
        let mut texts = self.texts(dialect).iter();
        let text = texts.find(|text| text.is_of(Step::Expand))?;
        text.script(dialect)
    }

    fn texts(&self, dialect: Dialect) -> &[Arc<Text>] {
        let own = self.all.each.get(self.at);
        let texts = own.and_then(|scripts| scripts.texts.get(&dialect));
        texts.map_or(&[], Vec::as_slice)
    }
}

impl All {
    fn mentions(&self) -> &BTreeMap<Dialect, Mentions> {
        self.mentions.get_or_init(|| {
            let mut mentions: BTreeMap<Dialect, Mentions> = BTreeMap::new();
            for (at, scripts) in self.each.iter().enumerate() {
                for (dialect, texts) in &scripts.texts {
                    let lower = texts.iter().map(|text| text.lower());
                    mentions.entry(*dialect).or_default().add(at, lower);
                }
            }
            mentions
        })
    }
}

impl Text {
    fn new(path: &Path, text: &Arc<str>) -> Arc<Self> {
        Arc::new(Self {
            path: path.to_owned(),
            text: Arc::clone(text),
            lower: OnceLock::new(),
            scripts: Mutex::default(),
        })
    }

    /// None if it cannot be read.
    fn script(&self, dialect: Dialect) -> Option<Arc<Script>> {
        // Nothing is left half done by one who panics while he holds it.
        let mut scripts = self.scripts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, script)) = scripts.iter().find(|(of, _)| *of == dialect) {
            return script.clone();
        }
        let script = Script::parse(dialect, &self.text).ok().map(Arc::new);
        scripts.push((dialect, script.clone()));
        script
    }

    fn is_of(&self, step: Step) -> bool {
        let file = self.path.file_name().unwrap_or_default();
        file.to_string_lossy().starts_with(step.name())
    }

    fn lower(&self) -> &str {
        self.lower.get_or_init(|| self.text.to_lowercase())
    }
}

/// A script that several databases run is one text.
fn scripts(directory: &Directory, dialects: &[Dialect]) -> BTreeMap<Dialect, Vec<Arc<Text>>> {
    let mut known: Vec<Arc<Text>> = Vec::new();
    let of_dialect = |dialect: &Dialect| {
        let of_step = |step| directory.chosen(step, *dialect)?.source.as_ref();
        let sources = [Step::Expand, Step::Backfill, Step::Contract]
            .into_iter()
            .filter_map(of_step);
        let texts = sources.map(|source| {
            let file = &source.file;
            if let Some(text) = known.iter().find(|text| text.path == file.path) {
                return Arc::clone(text);
            }
            let text = Text::new(&file.path, &file.text);
            known.push(Arc::clone(&text));
            text
        });
        (*dialect, texts.collect())
    };
    dialects.iter().map(of_dialect).collect()
}

/// The scripts of these migrations that have each of these names in them, as a name or otherwise.
fn with_names<'a>(
    migrations: &'a [Forward],
    dialect: Dialect,
    names: &[&str],
) -> impl DoubleEndedIterator<Item = &'a Text> + use<'a> {
    let lower: Vec<String> = names.iter().map(|name| name.to_lowercase()).collect();
    let from = migrations.first().map_or(0, |first| first.at);
    let places = migrations
        .first()
        .and_then(|first| first.all.mentions().get(&dialect))
        .and_then(|mentions| mentions.of(&lower, from, from + migrations.len()))
        .unwrap_or_else(|| (from..from + migrations.len()).collect());
    let migrations = places
        .into_iter()
        .filter_map(move |place| migrations.get(place.checked_sub(from)?));
    let texts = migrations.flat_map(move |forward| forward.texts(dialect));
    texts
        .map(|text| &**text)
        .filter(move |text| lower.iter().all(|name| text.lower().contains(name)))
}

/// Those of these migrations that have this text in a script, by their places.
pub(super) fn with_text(migrations: &[Forward], dialect: Dialect, text: &str) -> Vec<usize> {
    let lower = text.replace('\'', "''").to_lowercase();
    let from = migrations.first().map_or(0, |first| first.at);
    let places = migrations
        .first()
        .and_then(|first| first.all.mentions().get(&dialect))
        .and_then(|mentions| {
            mentions.of(std::slice::from_ref(&lower), from, from + migrations.len())
        });
    let places = places.unwrap_or_else(|| (from..from + migrations.len()).collect());
    let places = places
        .into_iter()
        .filter_map(|place| place.checked_sub(from));
    let has_it = |place: &usize| {
        let of_it = migrations.get(*place).map(|one| one.texts(dialect));
        let mut texts = of_it.into_iter().flatten();
        texts.any(|one| one.lower().contains(&lower))
    };
    places.filter(has_it).collect()
}

/// What is found in the newest script of these migrations that has it, among those that have these names in them.
pub(super) fn newest<T>(
    before: &[Forward],
    dialect: Dialect,
    names: &[&str],
    look: impl Fn(&Script) -> Option<T>,
) -> Option<T> {
    with_names(before, dialect, names)
        .rev()
        .find_map(|text| look(text.script(dialect)?.as_ref()))
}

/// A table as these migrations leave it; `None` if they do not speak of it, or one of them is still to be generated.
pub(super) fn table(before: &[Forward], dialect: Dialect, name: &str) -> Option<Table> {
    tables_with(before, dialect, name)?
        .get(dialect, name)
        .cloned()
}

/// The tables that the scripts about one of them make, as far as these migrations tell; `None` if they do not speak of that one.
pub(super) fn tables_with(before: &[Forward], dialect: Dialect, name: &str) -> Option<Tables> {
    if before.iter().any(Forward::is_to_come) {
        return None;
    }
    let name = name.rsplit('.').next().unwrap_or(name);
    // A backfill has parameters, and changes rows alone.
    let is_of_schema = |text: &&Text| !text.is_of(Step::Backfill);
    let named: Vec<&Text> = with_names(before, dialect, &[name])
        .filter(is_of_schema)
        .collect();
    let mut tables = applied(dialect, named.iter().copied())?;
    // An index is dropped by its name alone on most databases.
    let table = tables.get(dialect, name)?;
    let indexes = table.indexes.iter().filter_map(|index| index.name.clone());
    let indexes: Vec<String> = indexes.collect();
    let dropping = indexes.iter().flat_map(|index| {
        let naming = with_names(before, dialect, &["drop", index]);
        naming.filter(is_of_schema).map(|text| &text.path)
    });
    let dropping: BTreeSet<&PathBuf> = dropping.collect();
    let known: BTreeSet<&PathBuf> = named.iter().map(|text| &text.path).collect();
    if !dropping.is_subset(&known) {
        let all = before.iter().flat_map(|forward| forward.texts(dialect));
        let both = all
            .map(|text| &**text)
            .filter(|text| known.contains(&text.path) || dropping.contains(&text.path));
        tables = applied(dialect, both)?;
    }
    tables.get(dialect, name).is_some().then_some(tables)
}

/// What these scripts make of all tables. What cannot be read says nothing for certain of anything.
fn applied<'t>(dialect: Dialect, texts: impl Iterator<Item = &'t Text>) -> Option<Tables> {
    let mut tables = Tables::default();
    for text in texts {
        tables.apply(text.script(dialect)?.as_ref());
    }
    Some(tables)
}

/// The columns of an index or constraint of this name, as these migrations leave its table; `None` if they do not tell.
pub(super) fn columns_of_rule(
    before: &[Forward],
    dialect: Dialect,
    of: &str,
    name: &str,
) -> Option<Vec<String>> {
    let table = table(before, dialect, of)?;
    let is_it = |called: Option<&String>| {
        called.is_some_and(|called| dialect.may_be_same_name(called, name))
    };
    let indexes = table.indexes.into_iter();
    let indexes = indexes.map(|index| (index.name, index.columns));
    let constraints = table.constraints.into_iter();
    let mut all = indexes.chain(constraints.map(|one| (one.name, one.columns)));
    all.find(|(called, _)| is_it(called.as_ref()))
        .map(|(_, columns)| columns)
}

/// An index of this name, with its table, as the newest of these migrations that makes one does.
pub(super) fn index(
    before: &[Forward],
    dialect: Dialect,
    table: Option<&str>,
    name: &str,
) -> Option<(String, TableIndex)> {
    let is = |a: &str, b: &str| dialect.may_be_same_name(a, b);
    let is_it = |index: &&TableIndex| {
        // MySQL names one after its first column.
        let first = index.columns.first().filter(|_| dialect == Dialect::Mysql);
        let called = index.name.as_ref().or(first);
        called.is_some_and(|called| is(called, name))
    };
    newest(before, dialect, &[name], |script| {
        let mut tables = Tables::default();
        tables.apply(script);
        let mut all = tables
            .iter()
            .filter(|(of, _)| table.is_none_or(|table| is(of, table)));
        all.find_map(|(of, table)| {
            let index = table.indexes.iter().find(is_it)?;
            Some((of.to_owned(), index.clone()))
        })
    })
}

/// What the newest of these migrations with code of the same name on the same table makes, and that code itself.
pub(super) fn made_before(
    before: &[Forward],
    dialect: Dialect,
    code: &Dependent,
) -> Option<(Dependents, Dependent)> {
    newest(before, dialect, &[&code.name], |script| {
        let made = Dependents::made_by(script);
        let found = made
            .all
            .iter()
            .find(|one| one.is_called_as(dialect, code))?
            .clone();
        Some((made, found))
    })
}

/// The code that these migrations leave of what their scripts about this table make.
pub(super) fn code_about(before: &[Forward], dialect: Dialect, table: &str) -> Dependents {
    let mut known = Dependents::new(dialect);
    let names = [table];
    let scripts = with_names(before, dialect, &names).filter_map(|text| text.script(dialect));
    for script in scripts {
        for statement in &script.statements {
            known.apply(statement);
        }
    }
    known
}

/// The code that the newest of these migrations with a function of this name makes.
pub(super) fn code_with(
    before: &[Forward],
    dialect: Dialect,
    function: &str,
) -> Option<Dependents> {
    newest(before, dialect, &[function], |script| {
        let made = Dependents::made_by(script);
        let is_it = |one: &Dependent| {
            one.kind == ObjectKind::Function && dialect.may_be_same_name(&one.name, function)
        };
        made.all.iter().any(is_it).then_some(made)
    })
}

/// The first script of these migrations that uses a table of this name, other than as a temporary one.
pub(super) fn uses<'a>(all: &'a [Forward], dialect: Dialect, gone: &Gone) -> Option<&'a PathBuf> {
    let is_temporary = |text: &Text| {
        text.script(dialect).is_some_and(|script| {
            script.statements.iter().any(|statement| {
                let made = statement.temporary_table(dialect);
                made.is_some_and(|made| dialect.same_name(made, &gone.table))
            })
        })
    };
    let found = with_names(all, dialect, &[&gone.table])
        .find(|text| gone.met_by(dialect, &text.text) != Met::Not && !is_temporary(text));
    found.map(|text| &text.path)
}

/// The first script of these migrations, in their order, that needs what is gone or makes it only where it is missing, and
/// which of the two; `None` if another makes it anew before.
pub(super) fn needs<'a>(
    later: &'a [Forward],
    dialect: Dialect,
    gone: &Gone,
) -> Option<(&'a PathBuf, Met)> {
    // Who names a column names its table as well.
    let names: Vec<&str> = std::iter::once(&gone.table)
        .chain(&gone.column)
        .map(String::as_str)
        .collect();
    for text in with_names(later, dialect, &names) {
        match gone.met_by(dialect, &text.text) {
            met @ (Met::Named | Met::BackIfMissing) => return Some((&text.path, met)),
            Met::Back => return None,
            Met::Not => {}
        }
    }
    None
}
