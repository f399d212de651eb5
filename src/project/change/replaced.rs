//! Columns that are replaced by others, as `[change]` says it.

use std::collections::BTreeSet;

use crate::change::{Columns, NewColumn, NewIndex, Varied};
use crate::sql::Dialect;

use super::super::problem::listed;
use super::super::reader::{Given, Located, Table};
use super::super::source::Source;
use super::given::{columns, dialect, expressions, names, text, varied};

/// Where keys belong that are in a wrong table.
type Places<'p> = &'p [(&'p str, &'p str)];

pub(super) fn read_columns(
    source: &Source,
    table: &mut Table<'_>,
    places: Places<'_>,
) -> Option<Columns> {
    let key = columns(table, "key", "key = \"id\"");
    let old = columns(table, "old", "old = [\"full_name\"]");
    let example = "new = { first_name = \"text\", last_name = \"text\" }";
    let new = read_new(source, table, places, example);
    let forward = expressions(
        source,
        table,
        "forward",
        "[change.forward] first_name = \"split_part(full_name, ' ', 1)\"",
    );
    let back = expressions(
        source,
        table,
        "back",
        "[change.back] full_name = \"concat_ws(' ', first_name, last_name)\"",
    );
    let keep = names(table, "keep", "keep = [\"updated_at\"]");
    let indexes = read_indexes(source, table, places);
    let drop_indexes = names(table, "drop_indexes", "drop_indexes = [\"users_name\"]");
    let drop_constraints = names(
        table,
        "drop_constraints",
        "drop_constraints = [\"orders_user_id_fkey\"]",
    );
    let columns = Columns {
        key: key?,
        old: old?,
        new,
        forward,
        back,
        keep,
        indexes: indexes?,
        drop_indexes,
        drop_constraints,
    };
    if columns.new.is_empty() {
        return None;
    }
    let header = table.span();
    for (section, given, of) in [
        (
            "forward",
            &columns.forward,
            columns.new.iter().map(|new| &new.name).collect::<Vec<_>>(),
        ),
        ("back", &columns.back, columns.old.iter().collect()),
    ] {
        for name in given.keys().filter(|name| !of.contains(name)) {
            source.error(
                "unknown-column",
                header.clone(),
                format!(
                    "`[change.{section}]` makes `{name}`, which is none of {}",
                    listed(of.iter().map(|name| name.as_str()))
                ),
                "remove it, or name the column among those that change",
            );
        }
    }
    let twice: BTreeSet<&String> = columns
        .new
        .iter()
        .map(|new| &new.name)
        .filter(|name| columns.old.contains(name))
        .collect();
    if let Some(name) = twice.first() {
        source.error(
            "one-name",
            header,
            format!("`{name}` is a column of both formats"),
            "give the new column a name of its own: both are there from expand to contract",
        );
        return None;
    }
    Some(columns)
}

/// `[change.indexes]`: a table for each index over the new columns; `None` if one is wrong.
fn read_indexes(
    source: &Source,
    table: &mut Table<'_>,
    places: Places<'_>,
) -> Option<Vec<NewIndex>> {
    let example = "[change.indexes] users_name = { columns = [\"display_name\"] }";
    let mut found = Vec::new();
    if !table.has("indexes") {
        return Some(found);
    }
    let Some(Given::Table(mut inner)) = table.given("indexes", example) else {
        source.error(
            "wrong-type",
            table.key_span("indexes").unwrap_or_else(|| table.span()),
            "`indexes` is a table with one for each index",
            format!("write `{example}`"),
        );
        return None;
    };
    for (name, given) in inner.all(example) {
        let Given::Table(mut index) = given else {
            source.error(
                "wrong-type",
                name.span.clone(),
                format!("`{}` says nothing of its columns", name.value),
                format!("write `{example}`"),
            );
            return None;
        };
        let on = varied(source, &mut index, "on", "on = \"lower(email)\"");
        let condition = varied(
            source,
            &mut index,
            "where",
            "where = \"deleted_at IS NULL\"",
        );
        let of = if on.is_some() && !index.has("columns") {
            Some(Vec::new())
        } else {
            columns(&mut index, "columns", "columns = [\"display_name\"]")
        };
        let replaces = text(&mut index, "replaces", "replaces = \"users_full_name_key\"");
        let is_unique = index.flag("unique").unwrap_or_default();
        index.finish(places);
        found.push(NewIndex {
            name: name.value.to_owned(),
            columns: of?,
            on,
            condition,
            is_unique,
            replaces,
        });
    }
    Some(found)
}

/// `[change.new]`: columns with their types.
pub(super) fn read_new(
    source: &Source,
    table: &mut Table<'_>,
    places: Places<'_>,
    example: &'static str,
) -> Vec<NewColumn> {
    let mut new: Vec<NewColumn> = Vec::new();
    let Some(Given::Table(mut inner)) = table.given("new", example) else {
        if !table.has("new") {
            table.missing("new", example);
        }
        return new;
    };
    let mut own: Vec<(Dialect, Located<&str>, String)> = Vec::new();
    for (name, given) in inner.all(example) {
        match (given, dialect(name.value)) {
            (Given::Text(kind), _) => new.push(NewColumn {
                name: name.value.to_owned(),
                kind: Varied::from(kind.value),
                ..NewColumn::default()
            }),
            (Given::Table(mut types), Some(dialect)) => {
                for (column, given) in types.all(example) {
                    if let Given::Text(kind) = given {
                        own.push((dialect, column, kind.value.to_owned()));
                    }
                }
            }
            (Given::Table(mut column), None) => {
                let kind = varied(source, &mut column, "type", "type = \"text\"");
                let default = varied(source, &mut column, "default", "default = \"''\"");
                let not_null = column.flag("not_null").unwrap_or_default();
                if kind.is_none() {
                    column.missing("type", "type = \"text\"");
                }
                column.finish(places);
                new.push(NewColumn {
                    name: name.value.to_owned(),
                    kind: kind.unwrap_or_default(),
                    not_null,
                    default,
                });
            }
        }
    }
    for (dialect, column, kind) in own {
        match new.iter_mut().find(|new| new.name == column.value) {
            Some(new) => {
                new.kind.own.insert(dialect, kind);
            }
            None => {
                let mut varied = Varied::default();
                varied.own.insert(dialect, kind);
                new.push(NewColumn {
                    name: column.value.to_owned(),
                    kind: varied,
                    ..NewColumn::default()
                });
            }
        }
    }
    new
}
