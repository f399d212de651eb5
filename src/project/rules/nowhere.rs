//! Code of triggers that names a column which its table does not have, where the files tell all of the table: PostgreSQL and MySQL look
//! for it when somebody writes, and each write of a live version fails from then on. What no file tells the step asks the database.

use crate::model::Step;
use crate::sql::{Dependent, Dependents, Dialect, Table};

use super::super::finding::{Finding, first_line};
use super::Scripts;
use super::triggers::known_deeds;

pub(super) fn check(scripts: &Scripts<'_>) -> Vec<(Step, Finding)> {
    let dialect = scripts.dialect;
    let Some(script) = scripts.expand.filter(|_| dialect != Dialect::Sqlite) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for (index, statement) in script.statements.iter().enumerate() {
        let code = statement.code(dialect).filter(Dependent::is_fired);
        let Some(code) = code else { continue };
        let mut known = Dependents::made_by(script);
        known_deeds(scripts.before(), &mut known, &code);
        let table = |name: &str| -> Option<Table> {
            let table = scripts.table(Step::Expand, name);
            table.filter(|table| table.is_certain)
        };
        let in_vain = known.written_by(&code).into_iter().find_map(|written| {
            let of = table(&written.place.table)?;
            let mut columns = written.columns.iter();
            let missing = columns.find(|name| of.column(dialect, name).is_none())?;
            Some(format!(
                "names the column `{missing}` of `{}`",
                written.place.table
            ))
        });
        let of_row = || {
            let name = code.table.as_deref()?;
            let columns: Vec<String> = table(name)?
                .columns
                .into_iter()
                .map(|one| one.name)
                .collect();
            let written = known.names_of_row_in_vain(&code, &columns)?;
            Some(format!("names {written} of `{name}`"))
        };
        if let Some(names) = in_vain.or_else(of_row) {
            let finding = Finding::new(
                "destructive-expand",
                first_line(statement),
                format!(
                    "live versions may not survive this: the code of `{}` {names}, which the files do not make: each write that fires it would fail",
                    code.name
                ),
                "write the column's name as the table has it, or add the column first",
            );
            found.push((Step::Expand, finding.excusable(index)));
        }
    }
    found
}
