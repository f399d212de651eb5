//! What the code of a new trigger does to rows that live versions write: it is judged as the statements of the script are.
//! A trigger that keeps formats in step writes the new format as it likes, and the old one from the new one.

use crate::model::Step;
use crate::sql::{
    Deed, Dependent, Dependents, Effect, ObjectKind, Place, Runs, Script, Statement, Value, Verb,
};

use super::super::finding::{Finding, first_line};
use super::super::later::{self, Forward};
use super::formats::{self, Formats};
use super::{Scripts, again, refuses, shipped};

pub(super) fn check(scripts: &Scripts<'_>) -> Vec<(Step, Finding)> {
    let formats = Formats::of(scripts);
    let made = scripts.expand.map(Dependents::made_by);
    let mut found = Vec::new();
    for (step, script) in scripts.whole() {
        if !script.statements.iter().any(Statement::changes_code) {
            continue;
        }
        let mut known = match step {
            Step::Expand => Dependents::new(scripts.dialect),
            _ => made
                .clone()
                .unwrap_or_else(|| Dependents::new(scripts.dialect)),
        };
        for statement in &script.statements {
            known.apply(statement);
        }
        let codes: Vec<(usize, Dependent)> = script
            .statements
            .iter()
            .enumerate()
            .filter_map(|(index, statement)| Some((index, statement.code(scripts.dialect)?)))
            .collect();
        for (index, code) in &codes {
            let Some(statement) = script.statements.get(*index) else {
                continue;
            };
            if is_told(step, statement) {
                continue;
            }
            let is_met = is_met(scripts, &formats, script, statement, code, &codes);
            let is_on_copy = !is_met && step != Step::Expand && is_on_copy(&formats, script, code);
            if !is_met && !is_on_copy {
                continue;
            }
            let judged = Judged {
                scripts,
                formats: &formats,
                step,
                code,
                known: known.clone(),
            };
            let refuses = judged.refused(statement);
            let writes = if is_met {
                judged.complaints()
            } else {
                Vec::new()
            };
            for (code, why, help) in writes.into_iter().chain(refuses) {
                let message = match (step, code) {
                    (_, UNKNOWN) => why,
                    (Step::Expand, _) => format!("live versions may not survive this: {why}"),
                    _ => format!("{why}, and live versions use them"),
                };
                let code = match (step, code) {
                    (Step::Contract | Step::Revert, BREAKS) => "loses-rows",
                    (_, code) => code,
                };
                let finding = Finding::new(code, first_line(statement), message, help);
                found.push((step, finding.excusable(*index)));
            }
        }
    }
    found
}

/// A trigger on a table that was there, whose code is not as it was.
pub(super) struct Fired<'s> {
    pub step: Step,
    pub script: &'s Script,
    /// Of the statement in the script.
    pub index: usize,
    pub statement: &'s Statement,
    pub code: Dependent,
    /// The table whose rows fire it.
    pub parent: String,
}

impl Fired<'_> {
    /// What live versions may not survive of it: in words that complete "the trigger …", and what to write instead.
    pub fn unsurvived(&self, (why, help): (String, String)) -> (Step, Finding) {
        let message = format!(
            "live versions may not survive this: the trigger `{}` {why}",
            self.code.name
        );
        let span = first_line(self.statement);
        let finding = Finding::unsurvived(self.step, span, message, help);
        (self.step, finding.excusable(self.index))
    }
}

/// Those of the whole scripts of a migration.
pub(super) fn fired<'s>(scripts: &Scripts<'s>) -> Vec<Fired<'s>> {
    let mut fired = Vec::new();
    for (step, script) in scripts.whole() {
        for (index, statement) in script.statements.iter().enumerate() {
            let code = statement.code(scripts.dialect);
            let Some(code) = code.filter(Dependent::is_fired) else {
                continue;
            };
            let Some(parent) = code.table.clone() else {
                continue;
            };
            if formats::makes(script, &parent)
                || again::is_known_trigger(scripts, &script.statements, statement)
            {
                continue;
            }
            fired.push(Fired {
                step,
                script,
                index,
                statement,
                code,
                parent,
            });
        }
    }
    fired
}

const BREAKS: &str = "destructive-expand";
const UNKNOWN: &str = "unknown-effect";

/// Whether the statement is told of as it stands: a contract is not told of what merely takes something away.
fn is_told(step: Step, statement: &Statement) -> bool {
    let is_said = match statement.effect {
        Effect::Additive => false,
        Effect::Destructive { .. } => step == Step::Expand,
        _ => true,
    };
    is_said || statement.hazard.is_some()
}

/// Whether live versions run this code: a trigger on a table that was there, or a function that triggers may call already.
fn is_met(
    scripts: &Scripts<'_>,
    formats: &Formats,
    script: &Script,
    statement: &Statement,
    code: &Dependent,
    codes: &[(usize, Dependent)],
) -> bool {
    let dialect = scripts.dialect;
    match code.kind {
        ObjectKind::Trigger => code.table.as_deref().is_some_and(|table| {
            let is_as_it_was = || again::is_known_trigger(scripts, &script.statements, statement);
            !formats.has_table(table) && !formats::makes(script, table) && !is_as_it_was()
        }),
        ObjectKind::Function => {
            let replaces = statement.objects().any(|object| object.if_exists_or_not);
            let is_judged_there = codes.iter().any(|(_, other)| {
                let calls = other.calls.as_deref();
                calls.is_some_and(|calls| dialect.may_be_same_name(calls, &code.name))
            });
            replaces && code.runs == Runs::ByTriggers && !is_judged_there
        }
        _ => false,
    }
}

/// Whether the trigger is on a copy that takes the place of a table: what it writes there it wrote on that one, as `swapped`
/// and the step see to, so that only what it refuses is new.
fn is_on_copy(formats: &Formats, script: &Script, code: &Dependent) -> bool {
    let same = |a: &str, b: &str| script.dialect.may_be_same_name(a, b);
    let Some(table) = code
        .table
        .as_deref()
        .filter(|_| code.kind == ObjectKind::Trigger)
    else {
        return false;
    };
    let objects = || script.statements.iter().flat_map(Statement::objects);
    let renamed = objects().find_map(|object| {
        let to = object.renamed_to.as_deref()?;
        (object.kind == ObjectKind::Table && same(&object.name, table)).then_some(to)
    });
    let name = renamed.unwrap_or(table);
    let mut gone = script.statements.iter().flat_map(Statement::gone);
    let takes_a_place = gone.any(|gone| gone.column.is_none() && same(&gone.table, name));
    takes_a_place && formats::makes(script, table) && !formats.has_table(name)
}

struct Judged<'s> {
    scripts: &'s Scripts<'s>,
    formats: &'s Formats,
    step: Step,
    code: &'s Dependent,
    known: Dependents,
}

type Complaint = (&'static str, String, &'static str);

impl Judged<'_> {
    fn complaints(mut self) -> Vec<Complaint> {
        let previous = self.previous();
        let mut deeds = self.deeds();
        deeds.retain(|deed| !self.is_as_before(deed, &previous));
        let mut found: Vec<Complaint> = Vec::new();
        for deed in deeds {
            let complaint = self.complaint(&deed);
            found.extend(complaint.filter(|new| !found.iter().any(|known| known.1 == new.1)));
        }
        found
    }

    /// What a function of an earlier migration does to rows, read as if it stood in this script before the trigger.
    fn refused_elsewhere(&self, statement: &Statement) -> Option<Complaint> {
        const HELP: &str = "let the trigger call a function that lets every row pass";
        let dialect = self.known.dialect;
        let calls = self.code.calls.as_deref()?;
        let makes = |statement: &Statement| {
            statement.objects().any(|object| {
                object.kind == ObjectKind::Function
                    && object.verb == Verb::Create
                    && dialect.may_be_same_name(&object.name, calls)
            })
        };
        let own = self.scripts.script(self.step)?;
        let is_own = own.statements.iter().any(makes);
        let expand = self
            .scripts
            .expand
            .filter(|_| !is_own && self.step != Step::Expand);
        let expand =
            expand.and_then(|expand| expand.statements.iter().rev().find(|one| makes(one)));
        let function = match expand {
            _ if is_own => return None,
            Some(function) => function.text.clone(),
            None => later::newest(self.scripts.before(), dialect, &[calls], |script| {
                let mut statements = script.statements.iter().rev();
                Some(statements.find(|one| makes(one))?.text.clone())
            })?,
        };
        let why = refuses::by_call(dialect, &function, &statement.text)?;
        Some((BREAKS, format!("{} {why}", self.what()), HELP))
    }

    /// Whether rows are kept from being written; of an expand that is told with what else its statement does.
    fn refused(&self, statement: &Statement) -> Option<Complaint> {
        const HELP: &str = "let it pass every row, and refuse what is wrong in the application or by a constraint of a migration of its own";
        if self.step == Step::Expand {
            return self.refused_elsewhere(statement);
        }
        let why = match self.code.kind {
            ObjectKind::Trigger if refuses::did_before(self.scripts, self.code) => return None,
            ObjectKind::Trigger => match refuses::by_itself(self.known.dialect, self.code) {
                Some(why) => why,
                None => return self.refused_elsewhere(statement),
            },
            _ => {
                let name = &self.code.name;
                refuses::by_replacement(self.scripts, self.step, statement, name)?
            }
        };
        Some((BREAKS, format!("{} {why}", self.what()), HELP))
    }

    /// What the trigger or function did that an earlier file makes under this name, and that this one takes the place of.
    fn previous(&self) -> Vec<Deed> {
        let dialect = self.known.dialect;
        let all = self.scripts.all;
        let before = all.len().saturating_sub(self.scripts.later.len() + 1);
        let before = all.get(..before).unwrap_or_default();
        let own = self.scripts.expand.filter(|_| self.step != Step::Expand);
        let own = own.map(Dependents::made_by).and_then(|made| {
            let found = made
                .all
                .iter()
                .find(|one| one.is_called_as(dialect, self.code))?
                .clone();
            Some((made, found))
        });
        let made = own.or_else(|| later::made_before(before, dialect, self.code));
        made.map_or_else(Vec::new, |(made, code)| made.deeds(&code))
    }

    /// Whether the one before it did just this, or wrote the same column; whether it keeps in step what it kept is seen in
    /// the database.
    fn is_as_before(&self, deed: &Deed, previous: &[Deed]) -> bool {
        let dialect = self.known.dialect;
        let is_computed = |value: &Value| !value.names(dialect).is_empty();
        previous.iter().any(|before| match (deed, before) {
            (Deed::Assigns { column, value }, Deed::Assigns { column: was, .. }) => {
                is_computed(value) && dialect.may_be_same_name(column, was)
            }
            (
                Deed::Updates {
                    place,
                    column,
                    value,
                },
                Deed::Updates {
                    place: there,
                    column: was,
                    ..
                },
            ) => {
                is_computed(value)
                    && dialect.may_be_same_name(column, was)
                    && dialect.may_be_same_name(&place.table, &there.table)
            }
            _ => false,
        }) || previous.contains(deed)
    }

    /// With the functions that another migration has made.
    fn deeds(&mut self) -> Vec<Deed> {
        let all = self.scripts.all;
        let before = all.get(..all.len().saturating_sub(self.scripts.later.len()));
        known_deeds(before.unwrap_or_default(), &mut self.known, self.code)
    }

    fn what(&self) -> String {
        match self.code.kind {
            ObjectKind::Trigger => format!("the trigger `{}`", self.code.name),
            _ => format!(
                "the function `{}`, which triggers may call,",
                self.code.name
            ),
        }
    }

    fn complaint(&self, deed: &Deed) -> Option<Complaint> {
        const WRITE: &str = "let it write what expand.sql adds, and the old format from that";
        const SPLIT: &str =
            "write out what it does, in the trigger itself or in a function of this script";
        let what = self.what();
        let breaks = |why: String| Some((BREAKS, format!("{what} {why}"), WRITE));
        match deed {
            Deed::Assigns { column, value } => {
                let table = self.code.table.as_deref();
                let is_kept = value.is_itself(self.known.dialect, column);
                (!is_kept)
                    .then(|| self.written(table, column, value))
                    .flatten()
            }
            Deed::Updates {
                place,
                column,
                value,
            } => {
                let is_kept = value.is_just(self.known.dialect, column);
                (!is_kept)
                    .then(|| self.written(Some(&place.table), column, value))
                    .flatten()
            }
            // What it puts where is looked at by `filled`, and what it sends by `moments`.
            Deed::Inserts(_) | Deed::Tells { .. } => None,
            Deed::Changes { place } => {
                let of = self.of(place.as_ref())?;
                breaks(format!("changes rows{of} that were there before it"))
            }
            Deed::Deletes { place } => {
                let of = self.of(place.as_ref())?;
                breaks(format!("deletes rows{of}"))
            }
            Deed::Replaces { why } | Deed::Breaks { why } => breaks(why.clone()),
            Deed::Calls { function } => {
                let is_shipped = shipped::is(function);
                let why = format!(
                    "whether live versions survive this cannot be told: {what} calls `{function}`, which is in no file here"
                );
                (!is_shipped).then_some((UNKNOWN, why, SPLIT))
            }
            Deed::Unknown { why } => {
                let why =
                    format!("whether live versions survive this cannot be told: {what} {why}");
                Some((UNKNOWN, why, SPLIT))
            }
        }
    }

    /// Of which table, in words; `None` if that is the migration's own.
    fn of(&self, place: Option<&Place>) -> Option<String> {
        match place {
            Some(place) if self.formats.has_table(&place.table) => None,
            Some(place) => Some(format!(" of `{}`", place.table)),
            None => Some(String::new()),
        }
    }

    fn written(&self, table: Option<&str>, column: &str, value: &Value) -> Option<Complaint> {
        const HELP: &str = "let it write what expand.sql adds, and the old format from that";
        let dialect = self.known.dialect;
        let is_right = self.formats.is_new(table, column)
            || is_stamp(column) && value.is_of_the_moment(dialect, column)
            || self.formats.is_kept_up(table, column) && self.is_from_new(value);
        let of = table.map_or_else(String::new, |table| format!(" of `{table}`"));
        (!is_right).then(|| {
            let why = format!(
                "{} writes the column `{column}`{of} anew (`{}`), whatever live versions write there",
                self.what(),
                short(&value.text)
            );
            (BREAKS, why, HELP)
        })
    }

    /// Whether the value comes from the new format, by a variable or at once.
    fn is_from_new(&self, value: &Value) -> bool {
        let dialect = self.known.dialect;
        let new = self.formats.new_names();
        let is_new = |name: &String| new.iter().any(|new| dialect.may_be_same_name(new, name));
        value.names(dialect).iter().any(is_new)
            || dialect.has_variables()
                && !value.bare_names(dialect).is_empty()
                && self.known.code_names(self.code, &new)
    }
}

/// What the code does, with the functions that these migrations have made, which become known.
pub(super) fn known_deeds(
    before: &[Forward],
    known: &mut Dependents,
    code: &Dependent,
) -> Vec<Deed> {
    let dialect = known.dialect;
    loop {
        let deeds = known.deeds(code);
        let more = deeds.iter().find_map(|deed| match deed {
            Deed::Calls { function } => {
                let name = function.rsplit('.').next().unwrap_or(function);
                let is_known = known.all.iter().any(|one| {
                    one.kind == ObjectKind::Function && dialect.may_be_same_name(&one.name, name)
                });
                (!is_known)
                    .then(|| later::code_with(before, dialect, name))
                    .flatten()
            }
            _ => None,
        });
        match more {
            Some(more) => known.all.extend(more.all),
            None => return deeds,
        }
    }
}

/// Whether a column says when a row was written last, or by whom.
pub(super) fn is_stamp(column: &str) -> bool {
    let column = column.to_lowercase();
    ["updat", "modif", "chang", "touch", "mtime", "edited"]
        .iter()
        .any(|part| column.contains(part))
}

pub(super) fn short(text: &str) -> String {
    const MOST: usize = 60;
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{} …", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
