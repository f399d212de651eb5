//! A contract that takes away a column which no INSERT may leave out: the versions that no longer know it are live before the contract, since
//! it waits until nobody else is, and each of their INSERTs is refused until then.

use crate::model::{Format, Step, Usage, Version};
use crate::sql::{
    Deed, Dependent, Dependents, Dialect, Effect, Gone, ObjectKind, Script, Statement, Table,
    TableColumn, Verb,
};

use super::super::finding::{Finding, first_line};
use super::super::later;
use super::Scripts;
use super::triggers::known_deeds;

pub const CODE: &str = "still-required";

pub(super) fn check(scripts: &Scripts<'_>) -> Vec<(Step, Finding)> {
    // Of a declared change it is said with the change.
    let is_declared = scripts.is_declared();
    let (Some(contract), false) = (scripts.contract, is_declared) else {
        return Vec::new();
    };
    let leaving = leaving(scripts);
    if leaving.is_empty() {
        return Vec::new();
    }
    let mut found: Vec<(Step, Finding)> = Vec::new();
    let mut told: Vec<(String, String)> = Vec::new();
    for (index, statement) in contract.statements.iter().enumerate() {
        for gone in statement.gone() {
            for column in taken(scripts, contract, &gone) {
                let of = (gone.table.clone(), column.name.clone());
                if told.contains(&of) {
                    continue;
                }
                let look = Look {
                    scripts,
                    table: &gone.table,
                    column: &column.name,
                };
                if let Some((message, help)) = look.against(&leaving, gone.verb) {
                    let finding = Finding::new(CODE, first_line(statement), message, help);
                    found.push((Step::Contract, finding.excusable(index)));
                    told.push(of);
                }
            }
        }
    }
    found
}

/// A version that may be live before the contract and writes the old format no longer.
struct Leaving<'m> {
    service: &'m str,
    version: Version,
    /// Whether it can start before expand.
    may_come_early: bool,
}

/// The first such version of each service that writes the old format.
fn leaving<'m>(scripts: &Scripts<'m>) -> Vec<Leaving<'m>> {
    let services = scripts
        .manifest
        .into_iter()
        .flat_map(|manifest| manifest.services.iter());
    let of = |(service, usage): (&'m String, &'m Usage)| {
        let versions = usage.representatives(None);
        let leaves: Vec<&Version> = versions
            .iter()
            .filter(|version| !version.is_prerelease() && usage.has_ceased_to_write_old(version))
            .collect();
        let early = |version: &&&Version| {
            let behaviours = usage.behaviours(version);
            !behaviours.iter().all(|one| one.touches(Format::New))
        };
        let is_early = leaves.iter().find(early);
        let version = is_early.or_else(|| leaves.first())?;
        Some(Leaving {
            service,
            version: (*version).clone(),
            may_come_early: is_early.is_some(),
        })
    };
    services.filter_map(of).collect()
}

/// The columns that the contract takes by taking this: it drops them, gives them another name, or builds their table anew without them.
fn taken(scripts: &Scripts<'_>, contract: &Script, gone: &Gone) -> Vec<TableColumn> {
    let dialect = scripts.dialect;
    let Some(before) = scripts.table(Step::Expand, &gone.table) else {
        return Vec::new();
    };
    let after = scripts.table(Step::Contract, &gone.table);
    let stays = |name: &str, after: &Table| after.column(dialect, name).is_some();
    match &gone.column {
        Some(name) => {
            let objects = contract.statements.iter().flat_map(Statement::objects);
            let mut back = objects.filter(|object| object.kind == ObjectKind::Column);
            let is_back = back.any(|object| gone.is_back(dialect, object));
            let column = before.column(dialect, name).filter(|_| !is_back);
            column.cloned().into_iter().collect()
        }
        // Where the table goes as a whole nobody has to write a row of it.
        None => {
            let Some(after) = after.filter(|after| after.is_certain) else {
                return Vec::new();
            };
            let columns = before.columns.into_iter();
            columns.filter(|one| !stays(&one.name, &after)).collect()
        }
    }
}

struct Look<'l> {
    scripts: &'l Scripts<'l>,
    table: &'l str,
    column: &'l str,
}

impl Look<'_> {
    fn dialect(&self) -> Dialect {
        self.scripts.dialect
    }

    fn is(&self, a: &str, b: &str) -> bool {
        self.dialect().may_be_same_name(a, b)
    }

    fn against(&self, leaving: &[Leaving<'_>], verb: Verb) -> Option<(String, String)> {
        let earlier = later::table(self.scripts.before(), self.dialect(), self.table);
        let was_required = earlier.is_some_and(|table| self.is_required(&table));
        if !was_required || self.is_doubtful() || self.is_filled(None) || self.is_in_a_view() {
            return None;
        }
        let by_then = self.scripts.table(Step::Expand, self.table)?;
        let is_eased = !self.is_required(&by_then)
            || self
                .scripts
                .expand
                .is_some_and(|own| self.is_filled(Some(own)));
        let early = leaving.iter().find(|one| one.may_come_early);
        let (table, column) = (self.table, self.column);
        if is_eased {
            let one = early?;
            let Leaving {
                service, version, ..
            } = one;
            return Some((
                format!(
                    "`{column}` of `{table}` may be left out from expand on, and {service} {version}, which no longer names it, may start before: its \
                     INSERTs are refused until then"
                ),
                format!(
                    "let it wait for expand.sql: `new = \">={version}\"` under `[services.{service}]`, and `sync = \"both\"` where a default or a trigger \
                     keeps the old format"
                ),
            ));
        }
        let Leaving {
            service, version, ..
        } = leaving.first()?;
        let does = match verb {
            Verb::Rename => "is given another name",
            _ => "goes",
        };
        Some((
            format!(
                "`{column}` of `{table}` is NOT NULL without a default, and {does} only here, when no version uses it any more: until then each INSERT of \
                 {service} {version} is refused, which no longer names it"
            ),
            self.help(early),
        ))
    }

    fn help(&self, early: Option<&Leaving<'_>>) -> String {
        let dialect = self.dialect();
        let (table, column) = (dialect.quoted(self.table), dialect.quoted(self.column));
        let waits = match early {
            Some(Leaving {
                service, version, ..
            }) => format!(
                ", with `new = \">={version}\"` under `[services.{service}]`, so that it waits for that"
            ),
            None => String::new(),
        };
        match dialect {
            Dialect::Sqlite => format!(
                "build the table anew in the expand.sql of a migration before this one, with `{column} … DEFAULT '-'` or without NOT NULL, and \
                 `[[expand.allow]]` for its DROP TABLE{waits}"
            ),
            Dialect::Postgres | Dialect::Mysql => format!(
                "say in expand.sql what stands in it until then: `ALTER TABLE {table} ALTER COLUMN {column} SET DEFAULT '-'`, or a BEFORE INSERT trigger \
                 that fills it; declare `sync = \"both\"`{waits} (`migrate new NAME --drop {}.{} --fill \"'-'\"` writes all of it)",
                self.table, self.column
            ),
        }
    }

    fn is_required(&self, table: &Table) -> bool {
        let column = table.column(self.dialect(), self.column);
        column.is_some_and(|column| {
            let default = column.default.as_deref().unwrap_or("null");
            // Its first member stands in for what is left out.
            let kind = column.kind.trim_start().to_ascii_lowercase();
            let is_enum = self.dialect() == Dialect::Mysql && kind.starts_with("enum");
            let is_left_empty = column.is_nullable && !self.is_checked(table);
            !is_left_empty
                && !column.is_made
                && !is_enum
                && default.trim().eq_ignore_ascii_case("null")
        })
    }

    /// Whether a CHECK asks for a value: `CHECK (a IS NOT NULL)`.
    fn is_checked(&self, table: &Table) -> bool {
        table.constraints.iter().any(|one| {
            let condition = one.condition.as_deref().unwrap_or_default();
            let bare: String = condition
                .chars()
                .map(|c| {
                    if matches!(c, '(' | ')' | '"' | '`') {
                        ' '
                    } else {
                        c
                    }
                })
                .collect();
            let mut words = bare.split_whitespace();
            let name = words.find(|word| !word.eq_ignore_ascii_case("check"));
            name.is_some_and(|name| self.is(name, self.column))
                && words.map(str::to_ascii_lowercase).eq(["is", "not", "null"])
        })
    }

    /// Whether a statement that cannot be read says something of it.
    fn is_doubtful(&self) -> bool {
        let dialect = self.dialect();
        let doubts = |script: &Script| {
            let mut statements = script.statements.iter();
            statements.any(|one| {
                matches!(one.effect, Effect::Unknown { .. })
                    && dialect.mentions(&one.text, self.table)
                    && dialect.mentions(&one.text, self.column)
            })
        };
        let names = [self.table, self.column];
        let before = later::newest(self.scripts.before(), dialect, &names, |script| {
            doubts(script).then_some(())
        });
        before.is_some() || self.scripts.expand.is_some_and(doubts)
    }

    /// Whether a trigger gives it a value before the row is looked at: one of this script, or of the migrations before.
    fn is_filled(&self, own: Option<&Script>) -> bool {
        let dialect = self.dialect();
        // SQLite's cannot change the row that is written.
        if dialect == Dialect::Sqlite {
            return false;
        }
        let before = self.scripts.before();
        let mut known = match own {
            Some(own) => Dependents::made_by(own),
            None => later::code_about(before, dialect, self.table),
        };
        let fires = |one: &&Dependent| {
            let mut header = one.header.split_whitespace();
            let mut says = |word: &str| header.any(|other| other.eq_ignore_ascii_case(word));
            one.kind == ObjectKind::Trigger
                && one
                    .table
                    .as_deref()
                    .is_some_and(|of| self.is(of, self.table))
                && says("before")
                && says("insert")
        };
        let triggers: Vec<Dependent> = known.all.iter().filter(fires).cloned().collect();
        triggers.iter().any(|trigger| {
            let deeds = known_deeds(before, &mut known, trigger);
            deeds.iter().any(|deed| match deed {
                Deed::Assigns { column, .. } => self.is(column, self.column),
                Deed::Replaces { .. } | Deed::Calls { .. } | Deed::Unknown { .. } => true,
                _ => false,
            })
        })
    }

    /// Whether versions of the new format may write through a view of this migration.
    fn is_in_a_view(&self) -> bool {
        let dialect = self.dialect();
        let expand = self.scripts.expand.into_iter();
        let mut statements = expand.flat_map(|script| &script.statements);
        statements.any(|one| {
            let mut objects = one.objects();
            objects.any(|object| object.kind == ObjectKind::View && object.verb == Verb::Create)
                && dialect.mentions(&one.text, self.table)
                && (dialect.mentions(&one.text, self.column) || one.text.contains('*'))
        })
    }
}
