//! Code of a new trigger that makes something else of a text which live versions write: where that cannot be done, the write fails. Whether
//! such texts are there nobody knows by reading, so that this is a warning.

use crate::model::Step;
use crate::sql::{
    Clash, Deed, Dependent, Dependents, Dialect, Outcome, Script, Table, TableColumn,
};

use super::super::finding::{Finding, first_line};
use super::super::later;
use super::Scripts;
use super::formats;
use super::triggers::known_deeds;

pub(super) fn check(scripts: &Scripts<'_>) -> Vec<(Step, Finding)> {
    let dialect = scripts.dialect;
    let is_declared = scripts.is_declared();
    let Some(script) = scripts
        .expand
        .filter(|_| dialect != Dialect::Sqlite && !is_declared)
    else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for (index, statement) in script.statements.iter().enumerate() {
        let code = statement.code(dialect).filter(Dependent::is_fired);
        let Some(code) = code else { continue };
        let Some(parent) = code.table.as_deref() else {
            continue;
        };
        let tables = later::tables_with(scripts.before(), dialect, parent);
        let Some(mut tables) = tables else { continue };
        tables.apply(script);
        let Some(table) = tables.get(dialect, parent) else {
            continue;
        };
        let mut known = Dependents::made_by(script);
        let deeds = known_deeds(scripts.before(), &mut known, &code);
        let texts = known.texts_of(&code);
        // Whoever looks before, or goes on after a failure, knows of it.
        let looks = |text: &&str| {
            let lower = text.to_lowercase();
            [
                "~",
                "regexp",
                "rlike",
                "similar",
                "case",
                "if ",
                "exception",
            ]
            .iter()
            .any(|word| lower.contains(word))
        };
        if texts.iter().any(looks) {
            continue;
        }
        let all = texts
            .into_iter()
            .chain(std::iter::once(code.header.as_str()));
        let mut casts = all.flat_map(|text| dialect.casts_of_row(text));
        let is_cast = casts.find(|cast| {
            let from = table.column(dialect, &cast.column);
            from.is_some_and(|from| is_text(&from.kind)) && !is_text(&cast.to)
        });
        let why = is_cast.map(|cast| {
            format!(
                "`{}` fails for a text that is no `{}`",
                cast.written, cast.to
            )
        });
        let why = why.or_else(|| deeds.iter().find_map(|deed| assigned(dialect, table, deed)));
        let why = why.or_else(|| {
            deeds
                .iter()
                .find_map(|deed| inserted(scripts, script, table, deed))
        });
        if let Some(why) = why {
            let finding = Finding::new(
                "code-may-fail",
                first_line(statement),
                format!(
                    "in the code of `{}` {why}, and with it the write of a live version",
                    code.name
                ),
                "let it look first whether it can be done (`CASE WHEN … THEN … END`), and put NULL there otherwise; `migrate rehearse` tries awkward values",
            );
            found.push((Step::Expand, finding.excusable(index)));
        }
    }
    found
}

/// Whether the column of the row that it is put into may not hold what another one has.
fn assigned(dialect: Dialect, table: &Table, deed: &Deed) -> Option<String> {
    let Deed::Assigns { column, value } = deed else {
        return None;
    };
    let to = table.column(dialect, column)?;
    let outcomes = value.outcomes(dialect).into_iter();
    let mut columns = outcomes.filter_map(|outcome| match outcome {
        Outcome::Column(name) => table.column(dialect, &name),
        _ => None,
    });
    columns.find_map(|from| misfit(from, to))
}

/// Whether a column of another table that it is put into may not hold what one of the row has.
fn inserted(scripts: &Scripts<'_>, script: &Script, from: &Table, deed: &Deed) -> Option<String> {
    let dialect = scripts.dialect;
    let Deed::Inserts(insert) = deed else {
        return None;
    };
    let own = formats::makes(script, &insert.place.table);
    let to = scripts
        .table(Step::Expand, &insert.place.table)
        .filter(|_| own && insert.clash != Clash::Ignores)?;
    let columns: Vec<&str> = match &insert.columns {
        Some(columns) => columns.iter().map(String::as_str).collect(),
        None => to
            .columns
            .iter()
            .map(|column| column.name.as_str())
            .collect(),
    };
    let mut given = insert.rows.iter().flat_map(|row| columns.iter().zip(row));
    given.find_map(|(column, value)| {
        let to = to.column(dialect, column)?;
        let is_of_row = value.text.trim().to_lowercase().starts_with("new");
        let outcomes = value.outcomes(dialect).into_iter().filter(|_| is_of_row);
        let mut columns = outcomes.filter_map(|outcome| match outcome {
            Outcome::Column(name) => from.column(dialect, &name),
            _ => None,
        });
        columns.find_map(|from| misfit(from, to))
    })
}

fn misfit(from: &TableColumn, to: &TableColumn) -> Option<String> {
    if !is_text(&from.kind) {
        return None;
    }
    if !is_text(&to.kind) {
        let is_known = [
            "int", "numeric", "decimal", "date", "time", "uuid", "double", "float", "real",
            "enum(", "set(", "json", "bool", "inet",
        ];
        let lower = to.kind.to_lowercase();
        return is_known.iter().any(|word| lower.contains(word)).then(|| {
            format!(
                "`{}` gets `{}`, and fails for a text that is no `{}`",
                to.name, from.name, to.kind
            )
        });
    }
    let most = length(&to.kind)?;
    let is_longer = length(&from.kind).is_none_or(|length| length > most);
    is_longer.then(|| {
        format!(
            "`{}`, which is `{}`, gets `{}`, and fails for a longer one",
            to.name, to.kind, from.name
        )
    })
}

fn is_text(kind: &str) -> bool {
    let lower = kind.trim().to_lowercase();
    let word: String = lower.chars().take_while(|c| c.is_alphanumeric()).collect();
    matches!(
        word.as_str(),
        "text"
            | "varchar"
            | "char"
            | "character"
            | "citext"
            | "tinytext"
            | "mediumtext"
            | "longtext"
    ) && !lower.contains('[')
}

/// How many characters it holds, where the type says so.
fn length(kind: &str) -> Option<u64> {
    let (_, rest) = kind.split_once('(')?;
    rest.split_once(')')?.0.trim().parse().ok()
}
