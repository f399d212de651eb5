//! The keys of `[change]`.

use std::collections::BTreeMap;
use std::ops::Range as Span;

use crate::change::{
    AddColumn, Change, Check, DropColumn, DropIndex, DropTable, ForeignKey, Index, Kind, NotNull,
    RenameTable, SetDefault, SplitTable, Unique, Values, Widen, Wider,
};

use super::super::places;
use super::super::reader::{Given, Table};
use super::super::source::Source;
use super::given::{columns, expressions, names, required, text, varied};
use super::replaced::{read_columns, read_new};

/// A declared change as it was read.
#[derive(Clone, Debug)]
pub(in crate::project) struct Declared {
    pub header: Span<usize>,
    pub change: Change,
}

pub(in crate::project) fn read(source: &Source, mut table: Table<'_>) -> Option<Declared> {
    let header = table.span();
    let kinds: Vec<(&str, &str)> = Kind::NAMES.iter().map(|name| (*name, *name)).collect();
    if !table.has("kind") {
        table.missing("kind", "kind = \"columns\"");
    }
    let kind = table.choice("kind", &kinds);
    let name = table.required_string("table", "table = \"users\"");
    let kind = match kind? {
        "columns" => read_columns(source, &mut table, places::MANIFEST).map(Kind::Columns),
        "not-null" => read_not_null(source, &mut table).map(Kind::NotNull),
        "check" => read_check(source, &mut table).map(Kind::Check),
        "foreign-key" => read_foreign_key(source, &mut table).map(Kind::ForeignKey),
        "unique" => {
            let name = text(&mut table, "name", "name = \"users_email_key\"");
            let columns = columns(&mut table, "columns", "columns = [\"email\"]");
            columns.map(|columns| Kind::Unique(Unique { name, columns }))
        }
        "add-column" => read_add_column(source, &mut table).map(Kind::AddColumn),
        "default" => read_default(source, &mut table).map(Kind::Default),
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
        "split-table" => read_split_table(source, &mut table).map(Kind::SplitTable),
        "rename-table" => read_rename_table(source, &mut table).map(Kind::RenameTable),
        "index" => read_index(source, &mut table).map(Kind::Index),
        "drop-index" => required(&mut table, "name", "name = \"users_phone\"")
            .map(|name| Kind::DropIndex(DropIndex { name })),
        "values" => read_values(source, &mut table).map(Kind::Values),
        _ => read_widen(source, &mut table).map(Kind::Widen),
    };
    table.finish(places::MANIFEST);
    let table = name?.value.trim().to_owned();
    Some(Declared {
        header,
        change: Change { table, kind: kind? },
    })
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

fn read_default(source: &Source, table: &mut Table<'_>) -> Option<SetDefault> {
    let column = required(table, "column", "column = \"country\"");
    let from = varied(source, table, "from", "from = \"'NL'\"");
    let to = varied(source, table, "to", "to = \"'BE'\"");
    Some(SetDefault {
        column: column?,
        from,
        to,
    })
}

fn read_rename_table(source: &Source, table: &mut Table<'_>) -> Option<RenameTable> {
    let to = required(table, "to", "to = \"people\"");
    let listed = |table: &mut Table<'_>, key: &'static str, example| match table.has(key) {
        true => columns(table, key, example),
        false => Some(Vec::new()),
    };
    let key = listed(table, "key", "key = \"id\"");
    let columns = listed(table, "columns", "columns = [\"id\", \"name\"]");
    let example = "[change.defaults] logins = \"0\"";
    let defaults = match table.has("defaults") {
        true => expressions(source, table, "defaults", example),
        false => BTreeMap::new(),
    };
    Some(RenameTable {
        to: to?,
        key: key?,
        columns: columns?,
        defaults,
    })
}

fn read_split_table(source: &Source, table: &mut Table<'_>) -> Option<SplitTable> {
    let key = columns(table, "key", "key = \"id\"");
    let to = required(table, "to", "to = \"addresses\"");
    let link = columns(table, "link", "link = \"user_id\"");
    let example = "new = { user_id = \"bigint\", street = \"text\", city = \"text\" }";
    let new = read_new(source, table, places::MANIFEST, example);
    let drop_indexes = names(table, "drop_indexes", "drop_indexes = [\"users_city\"]");
    let drop_constraints = names(
        table,
        "drop_constraints",
        "drop_constraints = [\"users_city_check\"]",
    );
    if new.is_empty() {
        return None;
    }
    Some(SplitTable {
        key: key?,
        to: to?,
        link: link?,
        new,
        drop_indexes,
        drop_constraints,
    })
}

fn read_values(source: &Source, table: &mut Table<'_>) -> Option<Values> {
    let column = required(table, "column", "column = \"status\"");
    let example = "name = \"orders_status_check\"";
    if !table.has("name") {
        table.missing("name", example);
    }
    let name = varied(source, table, "name", example);
    let from = columns(table, "from", "from = [\"new\", \"paid\"]");
    let to = columns(table, "to", "to = [\"new\", \"paid\", \"refunded\"]");
    let example = "instead = { paid = \"settled\" }";
    let mut instead = BTreeMap::new();
    if let Some(Given::Table(mut inner)) = table.given("instead", example) {
        for (old, given) in inner.all(example) {
            if let Given::Text(new) = given {
                instead.insert(old.value.to_owned(), new.value.to_owned());
            }
        }
    }
    Some(Values {
        column: column?,
        name: name?,
        from: from?,
        to: to?,
        instead,
    })
}

fn read_widen(source: &Source, table: &mut Table<'_>) -> Option<Widen> {
    let column = required(table, "column", "column = \"email\"");
    if !table.has("from") {
        table.missing("from", "from = \"varchar(50)\"");
    }
    let from = varied(source, table, "from", "from = \"varchar(50)\"");
    let example = "values = [\"refunded\"]";
    let values = match table.has("values") {
        true => columns(table, "values", example),
        false => None,
    };
    let is_of_values = table.has("values");
    if !table.has("to") && !is_of_values {
        table.missing("to", "to = \"varchar(200)\"");
    }
    let to = varied(source, table, "to", "to = \"varchar(200)\"");
    if is_of_values && table.has("to") {
        source.error(
            "to-or-values",
            table.key_span("values").unwrap_or_else(|| table.span()),
            "a column gets a longer type with `to`, or more values with `values`",
            "remove one of them: the definition with these values follows from `from`",
        );
        return None;
    }
    let wider = match values {
        Some(values) => Wider::Values(values),
        None => Wider::To(to?),
    };
    Some(Widen {
        column: column?,
        from: from?,
        wider,
    })
}
