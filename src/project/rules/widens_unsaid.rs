//! A column that may hold more from expand.sql on, where nobody says which versions cannot read that: the version that first writes it
//! starts beside those before it, as far as the declaration goes.

use crate::model::{Step, Version};
use crate::sql::{ConstraintRule, Dialect, ObjectKind, Script, Statement, Table, altered_table};

use super::super::finding::{Finding, first_line};
use super::super::later;
use super::Scripts;

const CODE: &str = "widens-unsaid";

pub(super) fn check(scripts: &Scripts<'_>) -> Vec<(Step, Finding)> {
    // Of a declared change the declaration says who reads what.
    let (Some(expand), false) = (scripts.expand, scripts.is_declared()) else {
        return Vec::new();
    };
    let Some((service, version)) = first_writer(scripts) else {
        return Vec::new();
    };
    let let_in = wider_columns(scripts, expand)
        .into_iter()
        .chain(added_values(scripts.dialect, expand));
    let found = let_in.filter_map(|(index, what)| {
        let statement = expand.statements.get(index)?;
        let finding = Finding::new(
            CODE,
            first_line(statement),
            format!(
                "{what}, and nothing says which versions cannot read that: {service} {version}, which writes it, may start beside all that are live"
            ),
            format!(
                "let a release that reads it come before the one that writes it, and say so under `[services.{service}]`: \
                 `reads = {{ old = \"<{version}\", new = \">={version}\" }}`, `writes` with the release after it as its bound, and `sync = \"to-new\"`; \
                 where all that are live read it already, say that with `-- phasegate:allow {CODE} WHY`"
            ),
        );
        Some((Step::Expand, finding.excusable(index)))
    });
    found.collect()
}

/// The first version that writes the new format beside others before it, where no service has any that reads the old one alone.
fn first_writer<'m>(scripts: &Scripts<'m>) -> Option<(&'m str, Version)> {
    let services = &scripts.manifest?.services;
    if services.values().any(|usage| usage.reads.old.is_some()) {
        return None;
    }
    services.iter().find_map(|(service, usage)| {
        let versions = usage.representatives(None);
        let writes = |version: &Version| {
            let behaviours = usage.behaviours(version);
            behaviours.iter().any(|one| one.writes.new)
        };
        let first = versions.iter().position(writes).filter(|at| *at > 0)?;
        Some((service.as_str(), versions.get(first)?.clone()))
    })
}

/// The columns of earlier tables that may hold more afterwards, by the statement that lets it in.
fn wider_columns(scripts: &Scripts<'_>, expand: &Script) -> Vec<(usize, String)> {
    let dialect = scripts.dialect;
    let mut names: Vec<String> = Vec::new();
    for statement in &expand.statements {
        let words = statement.words(dialect);
        let altered = altered_table(&words).and_then(|at| words.get(at).cloned());
        let renamed = statement.objects().filter_map(|object| {
            let to = object.renamed_to.clone();
            to.filter(|_| object.kind == ObjectKind::Table)
        });
        for name in altered.into_iter().chain(renamed) {
            if !names
                .iter()
                .any(|known| dialect.may_be_same_name(known, &name))
            {
                names.push(name);
            }
        }
    }
    let mut found = Vec::new();
    for name in names {
        let Some(before) = later::table(scripts.before(), dialect, &name) else {
            continue;
        };
        let Some(after) = scripts.table(Step::Expand, &name) else {
            continue;
        };
        for column in &before.columns {
            let Some(what) = Compared {
                dialect,
                before: &before,
                after: &after,
            }
            .of(&column.name) else {
                continue;
            };
            let says = |statement: &Statement| dialect.mentions(&statement.text, &column.name);
            let index = expand.statements.iter().position(says).unwrap_or(0);
            found.push((index, format!("`{}` of `{name}` {what}", column.name)));
        }
    }
    found
}

/// A table before and after.
struct Compared<'t> {
    dialect: Dialect,
    before: &'t Table,
    after: &'t Table,
}

impl Compared<'_> {
    /// What a column may hold that it could not.
    fn of(&self, name: &str) -> Option<&'static str> {
        let was = self.before.column(self.dialect, name)?;
        let is = self.after.column(self.dialect, name)?;
        if !was.is_nullable && is.is_nullable {
            return Some("may be NULL from here on");
        }
        let members = (was.members(self.dialect), is.members(self.dialect));
        if matches!(members, (Some(was), Some(is)) if is.len() > was.len() && is.starts_with(&was))
        {
            return Some("may have another value from here on");
        }
        let lists = |table: &Table| {
            let checks = table
                .constraints
                .iter()
                .filter(|one| one.rule == ConstraintRule::Check && one.is_over(self.dialect, name));
            checks.filter_map(|one| one.lists.clone()).next()
        };
        match (lists(self.before), lists(self.after)) {
            (Some(_), None) => Some("is held to no list of values from here on"),
            (Some(was), Some(is)) => {
                let adds = is.iter().any(|value| !was.contains(value));
                adds.then_some("may have another value from here on")
            }
            _ => None,
        }
    }
}

/// `ALTER TYPE status ADD VALUE 'x'`.
fn added_values(dialect: Dialect, expand: &Script) -> Vec<(usize, String)> {
    let statements = expand.statements.iter().enumerate();
    let added = statements.filter_map(|(index, statement)| {
        let words = statement.words(dialect);
        let is_type = dialect == Dialect::Postgres && words.iter().take(2).eq(["alter", "type"]);
        let adds = words.windows(2).position(|pair| pair == ["add", "value"]);
        let at = adds.filter(|_| is_type)?;
        let name = words.get(at.checked_sub(1)?)?;
        let is_own = expand.statements.iter().take(index).any(|one| {
            let mut objects = one.objects();
            objects.any(|object| dialect.may_be_same_name(&object.name, name))
        });
        (!is_own).then(|| {
            (
                index,
                format!("columns of the type `{name}` may have another value from here on"),
            )
        })
    });
    added.collect()
}
