//! A declaration as `migration.toml` says it.

use std::fmt::Write as _;

use super::{
    Change, Columns, Formats, Kind, NewColumn, NewIndex, RenameTable, SplitTable, Varied, Wider,
};

/// `[change]` with all of its keys.
#[must_use]
pub fn written(change: &Change) -> String {
    let mut toml = Toml::default();
    toml.line("[change]".to_owned());
    toml.text("kind", change.kind.name());
    toml.text("table", &change.table);
    match &change.kind {
        Kind::Columns(columns) => toml.columns(columns),
        Kind::NotNull(change) => {
            toml.text("column", &change.column);
            toml.varied("type", &change.kind);
            if let Some(fill) = &change.fill {
                toml.names("key", &change.key);
                toml.varied("fill", fill);
            }
        }
        Kind::Check(change) => {
            toml.maybe("name", change.name.as_ref());
            toml.varied("condition", &change.condition);
        }
        Kind::ForeignKey(change) => {
            toml.maybe("name", change.name.as_ref());
            toml.list("columns", &change.columns);
            toml.text("references", &change.references);
            toml.list("referenced", &change.referenced);
            toml.maybe("on_delete", change.on_delete.as_ref());
        }
        Kind::Unique(change) => {
            toml.maybe("name", change.name.as_ref());
            toml.list("columns", &change.columns);
        }
        Kind::AddColumn(change) => {
            toml.text("column", &change.column);
            toml.varied("type", &change.kind);
            if change.not_null {
                toml.line("not_null = true".to_owned());
            }
            if let Some(default) = &change.default {
                toml.varied("default", default);
            }
        }
        Kind::DropColumn(change) => {
            toml.list("columns", &change.columns);
            if !change.drop_indexes.is_empty() {
                toml.list("drop_indexes", &change.drop_indexes);
            }
            if let Some(placeholder) = &change.placeholder {
                toml.varied("placeholder", placeholder);
            }
        }
        Kind::Default(change) => {
            toml.text("column", &change.column);
            for (key, default) in [("from", &change.from), ("to", &change.to)] {
                if let Some(default) = default {
                    toml.varied(key, default);
                }
            }
        }
        Kind::DropTable(_) => {}
        Kind::RenameTable(change) => toml.rename_table(change),
        Kind::SplitTable(change) => toml.split_table(change),
        Kind::Index(change) => {
            toml.text("name", &change.name);
            toml.list("columns", &change.columns);
        }
        Kind::DropIndex(change) => toml.text("name", &change.name),
        Kind::Widen(change) => {
            toml.text("column", &change.column);
            toml.varied("from", &change.from);
            match &change.wider {
                Wider::To(to) => toml.varied("to", to),
                Wider::Values(values) => toml.list("values", values),
            }
        }
        Kind::Values(change) => {
            toml.text("column", &change.column);
            toml.varied("name", &change.name);
            toml.list("from", &change.from);
            toml.list("to", &change.to);
            if !change.instead.is_empty() {
                toml.section("instead");
                for (old, new) in &change.instead {
                    toml.text(old, new);
                }
            }
        }
    }
    toml.text
}

#[derive(Default)]
struct Toml {
    text: String,
}

/// A basic string, with whatever would end it escaped.
fn string(text: &str) -> String {
    let mut written = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => written.push_str("\\\""),
            '\\' => written.push_str("\\\\"),
            '\n' => written.push_str("\\n"),
            '\t' => written.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(written, "\\u{:04X}", u32::from(c));
            }
            c => written.push(c),
        }
    }
    written.push('"');
    written
}

/// A key, in quotes where it has to be.
fn key(name: &str) -> String {
    let is_bare = !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if is_bare {
        name.to_owned()
    } else {
        string(name)
    }
}

fn joined(names: &[&String]) -> String {
    let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
    names.join(" and ")
}

fn listed(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| string(name)).collect();
    format!("[{}]", names.join(", "))
}

impl Toml {
    fn line(&mut self, line: String) {
        self.text.push_str(&line);
        self.text.push('\n');
    }

    fn section(&mut self, name: &str) {
        self.line(format!("\n[change.{name}]"));
    }

    fn text(&mut self, name: &str, value: &str) {
        self.line(format!("{} = {}", key(name), string(value)));
    }

    fn maybe(&mut self, name: &str, value: Option<&String>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    fn list(&mut self, name: &str, values: &[String]) {
        self.line(format!("{} = {}", key(name), listed(values)));
    }

    fn names(&mut self, name: &str, values: &[String]) {
        match values {
            [one] => self.text(name, one),
            several => self.list(name, several),
        }
    }

    fn varied(&mut self, name: &str, value: &Varied) {
        if let Some(common) = &value.common {
            self.text(name, common);
        } else if !value.own.is_empty() {
            let own = value.own.iter();
            let own: Vec<String> = own
                .map(|(dialect, text)| format!("{} = {}", dialect.name(), string(text)))
                .collect();
            self.line(format!("{} = {{ {} }}", key(name), own.join(", ")));
        }
    }

    fn rename_table(&mut self, change: &RenameTable) {
        self.text("to", &change.to);
        if !change.key.is_empty() {
            self.names("key", &change.key);
        }
        if !change.columns.is_empty() {
            self.list("columns", &change.columns);
        }
        if !change.defaults.is_empty() {
            self.section("defaults");
            for (name, default) in &change.defaults {
                self.varied(name, default);
            }
        }
    }

    fn split_table(&mut self, change: &SplitTable) {
        self.names("key", &change.key);
        self.text("to", &change.to);
        self.names("link", &change.link);
        if !change.drop_indexes.is_empty() {
            self.list("drop_indexes", &change.drop_indexes);
        }
        if !change.drop_constraints.is_empty() {
            self.list("drop_constraints", &change.drop_constraints);
        }
        self.new_columns(&change.new);
    }

    fn new_columns(&mut self, columns: &[NewColumn]) {
        for new in columns {
            self.section(&format!("new.{}", key(&new.name)));
            self.varied("type", &new.kind);
            if new.not_null {
                self.line("not_null = true".to_owned());
            }
            if let Some(default) = &new.default {
                self.varied("default", default);
            }
        }
    }

    fn columns(&mut self, columns: &Columns) {
        self.names("key", &columns.key);
        self.list("old", &columns.old);
        if !columns.keep.is_empty() {
            self.list("keep", &columns.keep);
        }
        if !columns.drop_indexes.is_empty() {
            self.list("drop_indexes", &columns.drop_indexes);
        }
        if !columns.drop_constraints.is_empty() {
            self.list("drop_constraints", &columns.drop_constraints);
        }
        self.new_columns(&columns.new);
        let new: Vec<&String> = columns.new.iter().map(|new| &new.name).collect();
        let old: Vec<&String> = columns.old.iter().collect();
        for (section, given, order) in [
            ("forward", &columns.forward, new),
            ("back", &columns.back, old),
        ] {
            let each: Vec<(&String, &Varied)> = order
                .into_iter()
                .filter_map(|name| Some((name, given.get(name)?)))
                .collect();
            self.section(section);
            for (name, text) in &each {
                if let Some(common) = &text.common {
                    self.text(name, common);
                }
            }
            let mut dialects: Vec<_> = each.iter().flat_map(|(_, text)| text.own.keys()).collect();
            dialects.sort();
            dialects.dedup();
            for dialect in dialects {
                self.section(&format!("{section}.{}", dialect.name()));
                for (name, text) in &each {
                    if let Some(own) = text.own.get(dialect) {
                        self.text(name, own);
                    }
                }
            }
        }
        columns.indexes.iter().for_each(|index| self.index(index));
    }

    fn index(&mut self, index: &NewIndex) {
        self.section(&format!("indexes.{}", key(&index.name)));
        self.list("columns", &index.columns);
        if index.is_unique {
            self.line("unique = true".to_owned());
        }
        self.maybe("replaces", index.replaces.as_ref());
    }
}

impl Kind {
    /// The word for it in `migration.toml`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Columns(_) => "columns",
            Self::NotNull(_) => "not-null",
            Self::Check(_) => "check",
            Self::ForeignKey(_) => "foreign-key",
            Self::Unique(_) => "unique",
            Self::AddColumn(_) => "add-column",
            Self::Default(_) => "default",
            Self::DropColumn(_) => "drop-column",
            Self::DropTable(_) => "drop-table",
            Self::RenameTable(_) => "rename-table",
            Self::SplitTable(_) => "split-table",
            Self::Index(_) => "index",
            Self::DropIndex(_) => "drop-index",
            Self::Widen(_) => "widen",
            Self::Values(_) => "values",
        }
    }
}

impl Change {
    /// What it does, in a line.
    #[must_use]
    pub fn described(&self) -> String {
        let table = &self.table;
        let all = |names: &[String]| names.join(" and ");
        match &self.kind {
            Kind::Columns(columns) => {
                let new: Vec<String> = columns.new.iter().map(|new| new.name.clone()).collect();
                let verb = match (columns.old.len(), new.len()) {
                    (1, 1) => "Replace",
                    (1, _) => "Split",
                    _ => "Merge",
                };
                let by = if verb == "Replace" { "by" } else { "into" };
                format!("{verb} {table}.{} {by} {}", all(&columns.old), all(&new))
            }
            Kind::NotNull(change) => format!("{table}.{} is never NULL", change.column),
            Kind::Check(_) => format!("A condition on the rows of {table}"),
            Kind::ForeignKey(change) => {
                format!(
                    "{table}.{} leads to {}",
                    all(&change.columns),
                    change.references
                )
            }
            Kind::Unique(change) => format!("{table}.{} is there once", all(&change.columns)),
            Kind::AddColumn(change) => format!("Add {table}.{}", change.column),
            Kind::Default(change) if change.to.is_none() => {
                format!("{table}.{} has no default any more", change.column)
            }
            Kind::Default(change) => format!("Another default of {table}.{}", change.column),
            Kind::DropColumn(change) => format!("Drop {table}.{}", all(&change.columns)),
            Kind::DropTable(_) => format!("Drop {table}"),
            Kind::RenameTable(change) => format!("Rename {table} to {}", change.to),
            Kind::SplitTable(change) => {
                let moved: Vec<String> = change.moved().map(|new| new.name.clone()).collect();
                format!("Move {table}.{} to {}", all(&moved), change.to)
            }
            Kind::Index(change) => format!("An index over {table}.{}", all(&change.columns)),
            Kind::DropIndex(change) => format!("Drop the index {}", change.name),
            Kind::Widen(change) => match &change.wider {
                Wider::To(_) => format!("{table}.{} holds longer texts", change.column),
                Wider::Values(values) => {
                    format!("{table}.{} may be {}", change.column, all(values))
                }
            },
            Kind::Values(change) => {
                let (added, removed) = (change.added(), change.removed());
                match added.is_empty() {
                    false => format!("{table}.{} may be {}", change.column, joined(&added)),
                    true => format!("{table}.{} is never {}", change.column, joined(&removed)),
                }
            }
        }
    }

    /// Which versions the old and the new format are, for whoever has to say it.
    #[must_use]
    pub fn versions(&self) -> Vec<(&'static str, String)> {
        let table = &self.table;
        let all = |names: &[String]| names.join(" and ");
        let (old, new) = match &self.kind {
            Kind::Columns(columns) => {
                let new: Vec<&str> = columns.new.iter().map(|new| new.name.as_str()).collect();
                (
                    format!("versions that use {table}.{}", columns.old.join(" or ")),
                    format!("versions that use {}", new.join(" and ")),
                )
            }
            Kind::NotNull(change) => (
                format!("versions that may write NULL into {}", change.column),
                "versions that count on a value".to_owned(),
            ),
            Kind::Check(_) | Kind::ForeignKey(_) | Kind::Unique(_) => (
                "versions that may write what this forbids".to_owned(),
                String::new(),
            ),
            Kind::AddColumn(change) => (
                String::new(),
                format!("versions that need {}", change.column),
            ),
            Kind::Default(_) => (
                "versions that count on the default".to_owned(),
                "versions that count on the new default".to_owned(),
            ),
            Kind::DropColumn(change) => (
                format!("versions that use {}", change.columns.join(" or ")),
                "versions that no longer do".to_owned(),
            ),
            Kind::DropTable(_) => (format!("versions that use {table}"), String::new()),
            Kind::RenameTable(change) => (
                format!("versions that use {table}"),
                format!("versions that use {}", change.to),
            ),
            Kind::SplitTable(change) => {
                let moved: Vec<&str> = change.moved().map(|new| new.name.as_str()).collect();
                (
                    format!("versions that use {table}.{}", moved.join(" or ")),
                    format!("versions that use {}", change.to),
                )
            }
            Kind::Index(_) => (String::new(), "versions that need it to be fast".to_owned()),
            Kind::DropIndex(_) => ("versions that need it to be fast".to_owned(), String::new()),
            Kind::Widen(change) => match &change.wider {
                Wider::To(_) => (
                    String::new(),
                    "versions that may write longer texts".to_owned(),
                ),
                Wider::Values(values) => (
                    format!("versions that do not know {} yet", all(values)),
                    format!("versions that write {}", all(values)),
                ),
            },
            Kind::Values(change) => match change.added().as_slice() {
                [] => (
                    format!("versions that write {}", joined(&change.removed())),
                    String::new(),
                ),
                added => (
                    format!("versions that do not know {} yet", joined(added)),
                    format!("versions that write {}", joined(added)),
                ),
            },
        };
        let formats = self.kind.formats();
        let mut all = Vec::new();
        if formats != Formats::New {
            all.push(("old", old));
        }
        if formats != Formats::Old {
            all.push(("new", new));
        }
        all
    }
}
