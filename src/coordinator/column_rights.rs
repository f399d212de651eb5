//! Rights on single columns, which a column that an expand adds has not: a version that needs it would start, and be refused by the server.

use std::collections::BTreeMap;

use crate::database::{Access, Connection, DatabaseError};
use crate::project::ScriptFile;
use crate::sql::{Dialect, ObjectKind, Verb};

/// A column that an expand has added.
struct Added<'f> {
    schema: Option<&'f str>,
    table: &'f str,
    column: &'f str,
}

/// What somebody may do with other columns of the table, by who it is: rights, and the columns of each.
type Rights = BTreeMap<String, Vec<(String, String)>>;

/// Says who has rights on single columns of a table, and none on the column that this expand has added to it.
pub(super) async fn not_carried_over(
    file: &ScriptFile,
    connection: &mut dyn Connection,
) -> Vec<String> {
    let added: Vec<Added<'_>> = added(file).collect();
    let Some(query) = connection.capabilities().column_rights else {
        return Vec::new();
    };
    if added.is_empty() {
        return Vec::new();
    }
    match notes(query, &added, connection).await {
        Ok(notes) => notes,
        // The step is done, whatever cannot be asked after it.
        Err(error) => vec![format!(
            "who has rights on single columns cannot be read, and they are not carried over to new ones: {error}"
        )],
    }
}

async fn notes(
    query: &str,
    added: &[Added<'_>],
    connection: &mut dyn Connection,
) -> Result<Vec<String>, DatabaseError> {
    connection.begin(Access::Read).await?;
    let mut notes = Ok(Vec::new());
    for one in added {
        let told = told(query, one, connection).await;
        notes = notes.and_then(|notes| Ok([notes, told?].concat()));
        if notes.is_err() {
            break;
        }
    }
    connection.rollback().await?;
    notes
}

fn added(file: &ScriptFile) -> impl Iterator<Item = Added<'_>> {
    let statements = file.script.statements.iter();
    let objects = statements.flat_map(|statement| statement.objects());
    objects.filter_map(|object| {
        let is_new = object.kind == ObjectKind::Column && object.verb == Verb::Create;
        Some(Added {
            schema: object.schema.as_deref(),
            table: object.table.as_deref().filter(|_| is_new)?,
            column: &object.name,
        })
    })
}

/// A note for each who has some.
async fn told(
    query: &str,
    added: &Added<'_>,
    connection: &mut dyn Connection,
) -> Result<Vec<String>, DatabaseError> {
    let dialect = connection.capabilities().dialect;
    let schemas = connection.schemas().unwrap_or_default();
    let place = added.schema.unwrap_or(schemas).to_owned();
    let parameters = [
        added.table.to_owned().into(),
        place.into(),
        added.column.to_owned().into(),
    ];
    let rows = connection.query(query, &parameters).await?;
    let mut rights = Rights::new();
    for row in rows {
        let right = (row.text(1)?.to_owned(), row.text(2)?.to_owned());
        rights
            .entry(row.text(0)?.to_owned())
            .or_default()
            .push(right);
    }
    let of_each = rights.iter();
    Ok(of_each
        .map(|(who, rights)| note(who, rights, added, dialect))
        .collect())
}

fn note(who: &str, rights: &[(String, String)], added: &Added<'_>, dialect: Dialect) -> String {
    let (table, column) = (dialect.quoted(added.table), dialect.quoted(added.column));
    let has: Vec<String> = rights
        .iter()
        .map(|(right, columns)| format!("{right} of {columns}"))
        .collect();
    let grants: Vec<String> = rights
        .iter()
        .map(|(right, _)| format!("{right} ({column})"))
        .collect();
    let place = added.schema.map_or(String::new(), |schema| {
        format!("{}.", dialect.quoted(schema))
    });
    format!(
        "{who} has rights on single columns of {table} ({}), and the new {column} is not among them: run \
         `GRANT {} ON {place}{table} TO {who}` before a version that needs it starts",
        has.join("; "),
        grants.join(", ")
    )
}
