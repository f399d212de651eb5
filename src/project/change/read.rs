//! The keys of `[change]`.

use std::collections::{BTreeMap, BTreeSet};

use crate::change::{
    AddColumn, Change, Check, Columns, DropColumn, DropIndex, DropTable, ForeignKey, Index, Kind,
    NewColumn, NewIndex, NotNull, Unique, Varied, Widen,
};
use crate::sql::Dialect;

use super::super::manifest::PLACES;
use super::super::problem::{closest, listed};
use super::super::reader::{Given, Located, Table};
use super::super::source::Source;
use super::Declared;

pub(in crate::project) fn read(source: &Source, mut table: Table<'_>) -> Option<Declared> {
    let header = table.span();
    let kinds: Vec<(&str, &str)> = Kind::NAMES.iter().map(|name| (*name, *name)).collect();
    if !table.has("kind") {
        table.missing("kind", "kind = \"columns\"");
    }
    let kind = table.choice("kind", &kinds);
    let name = table.required_string("table", "table = \"users\"");
    let kind = match kind? {
        "columns" => read_columns(source, &mut table).map(Kind::Columns),
        "not-null" => read_not_null(source, &mut table).map(Kind::NotNull),
        "check" => read_check(source, &mut table).map(Kind::Check),
        "foreign-key" => read_foreign_key(source, &mut table).map(Kind::ForeignKey),
        "unique" => {
            let name = text(&mut table, "name", "name = \"users_email_key\"");
            let columns = columns(&mut table, "columns", "columns = [\"email\"]");
            columns.map(|columns| Kind::Unique(Unique { name, columns }))
        }
        "add-column" => read_add_column(source, &mut table).map(Kind::AddColumn),
        "drop-column" => {
            let placeholder = varied(source, &mut table, "placeholder", "placeholder = \"''\"");
            let drop_indexes = names(
                &mut table,
                "drop_indexes",
                "drop_indexes = [\"users_nick\"]",
            );
            let columns = columns(&mut table, "columns", "columns = [\"nickname\"]");
            columns.map(|columns| {
                Kind::DropColumn(DropColumn {
                    columns,
                    placeholder,
                    drop_indexes,
                })
            })
        }
        "drop-table" => Some(Kind::DropTable(DropTable)),
        "index" => read_index(source, &mut table).map(Kind::Index),
        "drop-index" => required(&mut table, "name", "name = \"users_phone\"")
            .map(|name| Kind::DropIndex(DropIndex { name })),
        _ => read_widen(source, &mut table).map(Kind::Widen),
    };
    table.finish(PLACES);
    let table = name?.value.trim().to_owned();
    Some(Declared {
        header,
        change: Change { table, kind: kind? },
    })
}

fn text(table: &mut Table<'_>, key: &'static str, example: &str) -> Option<String> {
    let found = table.string(key, example)?;
    Some(found.value.trim().to_owned())
}

fn required(table: &mut Table<'_>, key: &'static str, example: &str) -> Option<String> {
    let found = table.required_string(key, example)?;
    Some(found.value.trim().to_owned())
}

/// Names of columns; at least one.
fn columns(table: &mut Table<'_>, key: &'static str, example: &str) -> Option<Vec<String>> {
    if !table.has(key) {
        table.missing(key, example);
        return None;
    }
    if !table.is_array(key) {
        return Some(vec![required(table, key, example)?]);
    }
    let names: Vec<String> = table
        .strings(key, example)?
        .into_iter()
        .map(|name| name.value.trim().to_owned())
        .collect();
    if names.is_empty() {
        table.missing(key, example);
        return None;
    }
    Some(names)
}

fn dialect(name: &str) -> Option<Dialect> {
    let mut all = Dialect::ALL.iter().copied();
    all.find(|dialect| dialect.name() == name)
}

/// A string, or a table with one for each database.
fn varied(
    source: &Source,
    table: &mut Table<'_>,
    key: &'static str,
    example: &str,
) -> Option<Varied> {
    match table.given(key, example)? {
        Given::Text(text) => Some(Varied::from(text.value)),
        Given::Table(mut inner) => {
            let mut varied = Varied::default();
            for (name, given) in inner.all(example) {
                let Some(dialect) = dialect(name.value) else {
                    unknown_database(source, &name);
                    continue;
                };
                if let Given::Text(text) = given {
                    varied.own.insert(dialect, text.value.to_owned());
                }
            }
            Some(varied)
        }
    }
}

fn unknown_database(source: &Source, name: &Located<&str>) {
    let known = || Dialect::ALL.iter().map(|dialect| dialect.name());
    source.error(
        "unknown-database",
        name.span.clone(),
        format!("`{}` is no database", name.value),
        match closest(name.value, known()) {
            Some(guess) => format!("did you mean `{guess}`?"),
            None => format!("write {}", listed(known())),
        },
    );
}

/// Expressions of columns, with `[change.forward.mysql]` where a database differs.
fn expressions(
    source: &Source,
    table: &mut Table<'_>,
    key: &'static str,
    example: &str,
) -> BTreeMap<String, Varied> {
    let mut found: BTreeMap<String, Varied> = BTreeMap::new();
    let Some(Given::Table(mut inner)) = table.given(key, example) else {
        if !table.has(key) {
            table.missing(key, example);
        }
        return found;
    };
    for (name, given) in inner.all(example) {
        match (given, dialect(name.value)) {
            (Given::Text(text), _) => {
                let entry = found.entry(name.value.to_owned()).or_default();
                entry.common = Some(text.value.to_owned());
            }
            (Given::Table(mut own), Some(dialect)) => {
                for (column, given) in own.all(example) {
                    if let Given::Text(text) = given {
                        let entry = found.entry(column.value.to_owned()).or_default();
                        entry.own.insert(dialect, text.value.to_owned());
                    }
                }
            }
            (Given::Table(_), None) => unknown_database(source, &name),
        }
    }
    found
}

fn read_columns(source: &Source, table: &mut Table<'_>) -> Option<Columns> {
    let key = columns(table, "key", "key = \"id\"");
    let old = columns(table, "old", "old = [\"full_name\"]");
    let example = "new = { first_name = \"text\", last_name = \"text\" }";
    let new = read_new(source, table, example);
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
    let indexes = read_indexes(source, table);
    let drop_indexes = names(table, "drop_indexes", "drop_indexes = [\"users_name\"]");
    let columns = Columns {
        key: key?,
        old: old?,
        new,
        forward,
        back,
        keep,
        indexes: indexes?,
        drop_indexes,
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

/// Names, or none.
fn names(table: &mut Table<'_>, key: &'static str, example: &str) -> Vec<String> {
    let names = table.strings(key, example).unwrap_or_default().into_iter();
    names.map(|name| name.value.trim().to_owned()).collect()
}

/// `[change.indexes]`: a table for each index over the new columns; none where one is wrong.
fn read_indexes(source: &Source, table: &mut Table<'_>) -> Option<Vec<NewIndex>> {
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
        index.finish(PLACES);
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

fn read_new(source: &Source, table: &mut Table<'_>, example: &str) -> Vec<NewColumn> {
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
                column.finish(PLACES);
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

fn read_not_null(source: &Source, table: &mut Table<'_>) -> Option<NotNull> {
    let column = required(table, "column", "column = \"email\"");
    let kind = varied(source, table, "type", "type = \"varchar(200)\"");
    let fill = varied(source, table, "fill", "fill = \"''\"");
    let key = if fill.is_some() {
        columns(table, "key", "key = \"id\"")?
    } else {
        Vec::new()
    };
    Some(NotNull {
        column: column?,
        kind: kind.unwrap_or_default(),
        key,
        fill,
    })
}

fn read_check(source: &Source, table: &mut Table<'_>) -> Option<Check> {
    let example = "condition = \"price > 0\"";
    let name = text(table, "name", "name = \"orders_price_check\"");
    if !table.has("condition") {
        table.missing("condition", example);
    }
    let condition = varied(source, table, "condition", example)?;
    Some(Check { name, condition })
}

fn read_foreign_key(source: &Source, table: &mut Table<'_>) -> Option<ForeignKey> {
    let name = text(table, "name", "name = \"orders_user_fkey\"");
    let of = columns(table, "columns", "columns = [\"user_id\"]");
    let references = required(table, "references", "references = \"users\"");
    let referenced = columns(table, "referenced", "referenced = [\"id\"]");
    let on_delete = text(table, "on_delete", "on_delete = \"cascade\"");
    let (of, referenced) = (of?, referenced?);
    if of.len() != referenced.len() {
        source.error(
            "unequal-columns",
            table.key_span("referenced").unwrap_or_else(|| table.span()),
            format!(
                "`columns` names {}, and `referenced` names {}",
                of.len(),
                referenced.len()
            ),
            "name one referenced column for each",
        );
        return None;
    }
    Some(ForeignKey {
        name,
        columns: of,
        references: references?,
        referenced,
        on_delete,
    })
}

fn read_add_column(source: &Source, table: &mut Table<'_>) -> Option<AddColumn> {
    let column = required(table, "column", "column = \"phone\"");
    if !table.has("type") {
        table.missing("type", "type = \"text\"");
    }
    let kind = varied(source, table, "type", "type = \"text\"");
    let default = varied(source, table, "default", "default = \"''\"");
    let not_null = table.flag("not_null").unwrap_or_default();
    Some(AddColumn {
        column: column?,
        kind: kind?,
        default,
        not_null,
    })
}

fn read_index(source: &Source, table: &mut Table<'_>) -> Option<Index> {
    let name = required(table, "name", "name = \"users_phone\"");
    let on = varied(source, table, "on", "on = \"lower(email)\"");
    let condition = varied(source, table, "where", "where = \"deleted_at IS NULL\"");
    let columns = if on.is_some() && !table.has("columns") {
        Vec::new()
    } else {
        columns(table, "columns", "columns = [\"phone\"]")?
    };
    Some(Index {
        name: name?,
        columns,
        on,
        condition,
    })
}

fn read_widen(source: &Source, table: &mut Table<'_>) -> Option<Widen> {
    let column = required(table, "column", "column = \"email\"");
    for (key, example) in [
        ("from", "from = \"varchar(50)\""),
        ("to", "to = \"varchar(200)\""),
    ] {
        if !table.has(key) {
            table.missing(key, example);
        }
    }
    let from = varied(source, table, "from", "from = \"varchar(50)\"");
    let to = varied(source, table, "to", "to = \"varchar(200)\"");
    Some(Widen {
        column: column?,
        from: from?,
        to: to?,
    })
}
