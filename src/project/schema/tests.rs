//! The schemas, and the readers that they speak of.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::config::Config;
use super::super::problem::Problem;
use super::super::reader::asked;
use super::super::source::Source;
use super::*;
use crate::change;
use crate::{driver, runner};

/// A value of one key in place of its example.
#[derive(Clone, Copy)]
struct Instead<'a> {
    path: &'a str,
    key: &'a str,
    value: &'a str,
}

fn top(schema: Schema) -> &'static Section {
    match schema {
        Schema::Config => &config::TOP,
        Schema::Manifest => &manifest::TOP,
    }
}

/// How many documents it takes until every kind was in one; the first has no `[change]`.
const VARIANTS: usize = 16;

/// The keys of a section in the document of this number, and which of its kinds stands there.
fn keys(section: &Section, variant: usize) -> (Option<&'static str>, Vec<&'static Key>) {
    let mut keys: Vec<&Key> = section.keys.iter().collect();
    let Some((kind, own)) = section.kinds.get(variant % section.kinds.len().max(1)) else {
        return (None, keys);
    };
    keys.extend(*own);
    (Some(kind), keys)
}

/// What the readers call the table.
fn below(path: &str, key: &str) -> String {
    match path {
        "" => key.to_owned(),
        path => format!("{path}.{key}"),
    }
}

const NAME: &str = "web";

/// The section as an inline table.
fn inline(section: &Section, variant: usize, path: &str, instead: Option<Instead<'_>>) -> String {
    let (kind, keys) = keys(section, variant);
    let mut entries = Vec::new();
    if let Some(kind) = kind {
        let kind = match instead {
            Some(other) if other.path == path && other.key == "kind" => other.value.to_owned(),
            _ => format!("\"{kind}\""),
        };
        entries.push(format!("kind = {kind}"));
    }
    for key in keys {
        entries.push(format!(
            "{} = {}",
            key.name,
            written(key, variant, path, instead)
        ));
    }
    format!("{{ {} }}", entries.join(", "))
}

fn written(key: &Key, variant: usize, path: &str, instead: Option<Instead<'_>>) -> String {
    if let Some(other) = instead
        && other.path == path
        && other.key == key.name
    {
        return other.value.to_owned();
    }
    let inner = below(path, key.name);
    match &key.shape {
        Shape::Table(section) => inline(section, variant, &inner, instead),
        Shape::Tables(section) => format!("[{}]", inline(section, variant, &inner, instead)),
        Shape::TableEach(section) | Shape::Columns(section) => {
            let table = inline(section, variant, &below(&inner, NAME), instead);
            format!("{{ {NAME} = {table} }}")
        }
        _ => key.example.to_owned(),
    }
}

/// The document of this number, with every key of it. A `[change]` leaves nothing to say of a backfill, so the first has none.
fn document(schema: Schema, variant: usize, instead: Option<Instead<'_>>) -> String {
    let lines = top(schema).keys.iter();
    lines
        .filter(|key| variant > 0 || key.name != "change")
        .map(|key| format!("{} = {}\n", key.name, written(key, variant, "", instead)))
        .collect()
}

/// Every key of the document: the kind of the nearest section that has kinds, its table, and itself.
fn every<'k>(
    section: &'k Section,
    variant: usize,
    path: &str,
    label: &str,
    to: &mut Vec<Place<'k>>,
) {
    let (kind, keys) = keys(section, variant);
    let label = kind.map_or_else(|| label.to_owned(), |kind| format!("{label}/{kind}"));
    if kind.is_some() {
        to.push((label.clone(), path.to_owned(), "kind", None));
    }
    for key in keys {
        to.push((label.clone(), path.to_owned(), key.name, Some(key)));
        let inner = below(path, key.name);
        match &key.shape {
            Shape::Table(section) | Shape::Tables(section) => {
                every(section, variant, &inner, &label, to);
            }
            Shape::TableEach(section) | Shape::Columns(section) => {
                every(section, variant, &below(&inner, NAME), &label, to);
            }
            _ => {}
        }
    }
}

type Place<'k> = (String, String, &'static str, Option<&'k Key>);

/// What the reader asks for in this document, and what it says of it.
fn read(schema: Schema, text: &str) -> (BTreeSet<(String, String)>, Vec<Problem>) {
    let source = Source::new("file.toml", "file.toml".into(), text);
    let asked = asked::during(|| match schema {
        Schema::Config => drop(Config::read(&source)),
        Schema::Manifest => drop(super::super::manifest::read(&source)),
    });
    (asked, source.into_parts().1)
}

/// Every key that a reader asks for has a row, and every row is of a key that a reader asks for.
#[test]
fn the_keys_are_those_that_are_read() {
    for schema in Schema::ALL {
        let mut rows = BTreeSet::new();
        let mut seen = BTreeSet::new();
        for variant in 0..VARIANTS {
            let text = document(schema, variant, None);
            let mut places = Vec::new();
            every(top(schema), variant, "", "", &mut places);
            let (asked, problems) = read(schema, &text);
            for problem in problems {
                let codes = [
                    "unknown-key",
                    "wrong-type",
                    "missing-key",
                    "unknown-value",
                    "toml-syntax",
                ];
                assert!(!codes.contains(&problem.code), "{text}\n{problem:?}");
            }
            for (table, key) in asked {
                let place = places
                    .iter()
                    .find(|place| place.1 == table && place.2 == key);
                let Some(place) = place else {
                    panic!("`{key}` is read in `{table}`, and has no row in src/project/schema");
                };
                seen.insert((place.0.clone(), table, key));
            }
            rows.extend(
                places
                    .into_iter()
                    .map(|place| (place.0, place.1, place.2.to_owned())),
            );
        }
        let unread: Vec<_> = rows.difference(&seen).collect();
        assert!(unread.is_empty(), "nobody reads {unread:#?}");
    }
}

/// The words in backticks.
fn quoted(help: &str) -> BTreeSet<&str> {
    help.split('`').skip(1).step_by(2).collect()
}

/// A value of another type, a word that is not listed and a number that is out of bounds are refused, and what is listed is all.
#[test]
fn the_values_are_those_that_are_read() {
    for schema in Schema::ALL {
        let mut tried = BTreeSet::new();
        for variant in 0..VARIANTS {
            let mut places = Vec::new();
            every(top(schema), variant, "", "", &mut places);
            for (label, path, name, key) in places {
                if variant == 0 && path.starts_with("change") || name == "change" {
                    continue;
                }
                // What follows from `[change]` is not read.
                if variant > 0 && path == "backfill" {
                    continue;
                }
                if !tried.insert((label, path.clone(), name)) {
                    continue;
                }
                let with = |value: &str| {
                    let instead = Instead {
                        path: &path,
                        key: name,
                        value,
                    };
                    read(schema, &document(schema, variant, Some(instead))).1
                };
                let refused = |value: &str, codes: &[&str]| {
                    let problems = with(value);
                    let found = problems
                        .iter()
                        .find(|problem| codes.contains(&problem.code));
                    let Some(found) = found else {
                        panic!("{path} {name} = {value}: {problems:?}");
                    };
                    found.clone()
                };
                let wrong = match key.map(|key| &key.shape) {
                    Some(Shape::Flag | Shape::Count(..) | Shape::Counts(..) | Shape::Number) => {
                        "\"x\""
                    }
                    _ => "5",
                };
                refused(wrong, &["wrong-type"]);
                match key.map(|key| &key.shape) {
                    Some(Shape::Choice(words)) => {
                        let found = refused("\"zzzzzz\"", &["unknown-value"]);
                        assert_eq!(
                            quoted(&found.help),
                            words.iter().copied().collect(),
                            "{name}"
                        );
                    }
                    Some(Shape::Choices(words)) => {
                        let found = refused("[\"zzzzzz\"]", &["unknown-value", "unknown-occasion"]);
                        let mut listed = quoted(&found.help);
                        listed.remove(name);
                        assert_eq!(listed, words.iter().copied().collect(), "{name}");
                    }
                    Some(Shape::Count(least, most)) => {
                        let found = refused(&(most + 1).to_string(), &["out-of-range"]);
                        let bounds = format!("between {least} and {most}");
                        assert!(found.message.contains(&bounds), "{found:?}");
                    }
                    Some(Shape::Counts(_, most)) => {
                        refused(&format!("[{}]", most + 1), &["out-of-range"]);
                    }
                    _ => {}
                }
            }
        }
    }
}

/// Under which kinds a table stands in the documents.
fn kinds(schema: Schema, path: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for variant in 0..VARIANTS {
        let mut places = Vec::new();
        every(top(schema), variant, "", "", &mut places);
        let labels = places
            .iter()
            .filter(|place| place.1 == path && place.2 == "kind");
        found.extend(labels.filter_map(|place| Some(place.0.rsplit('/').next()?.to_owned())));
    }
    found
}

#[test]
fn the_kinds_are_those_that_there_are() {
    let sources = crate::source::KINDS.iter().map(|kind| kind.kind);
    let drivers = driver::KINDS.iter().map(|kind| kind.kind);
    let runners = runner::KINDS.iter().map(|kind| kind.kind);
    let checks = crate::analysis::KINDS.iter().map(|kind| kind.kind);
    let there: [(Schema, &str, Vec<&str>); 5] = [
        (
            Schema::Config,
            "fleet.sources",
            sources.chain(["leases"]).collect(),
        ),
        (Schema::Config, "rollout.driver", drivers.collect()),
        (Schema::Config, "rollout.check", checks.collect()),
        (Schema::Config, "runner", runners.collect()),
        (Schema::Manifest, "change", change::Kind::NAMES.to_vec()),
    ];
    for (schema, path, known) in there {
        let known = known.into_iter().map(str::to_owned).collect();
        assert_eq!(kinds(schema, path), known, "{path}");
    }
}

fn no_null(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(values) => values.iter().all(no_null),
        Value::Object(entries) => entries.values().all(no_null),
        _ => true,
    }
}

/// `PHASEGATE_WRITE=1 cargo test --lib the_schemas_of_the_documents` writes them anew.
#[test]
fn the_schemas_of_the_documents_are_those_that_are_printed() {
    for schema in Schema::ALL {
        let value = schema.to_json();
        assert!(no_null(&value), "an example or a default is no TOML");
        let text = format!("{:#}\n", value);
        let path = format!("{}/docs/{}", env!("CARGO_MANIFEST_DIR"), schema.file_name());
        if std::env::var_os("PHASEGATE_WRITE").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            written == text,
            "{path} is not what `migrate schema` prints"
        );
    }
}

/// What a schema says of a file that is read.
struct Checked {
    schemas: boon::Schemas,
    index: boon::SchemaIndex,
}

impl Checked {
    fn by(schema: Schema) -> Self {
        let mut schemas = boon::Schemas::new();
        let mut compiler = boon::Compiler::new();
        let name = schema.file_name();
        compiler.add_resource(name, schema.to_json()).unwrap();
        let index = compiler.compile(name, &mut schemas).unwrap();
        Self { schemas, index }
    }

    fn refuses(&self, text: &str) -> Option<String> {
        let value: Value = toml::from_str(text).unwrap_or_else(|error| panic!("{text}\n{error}"));
        let checked = self.schemas.validate(&value, self.index);
        checked.err().map(|error| error.to_string())
    }
}

/// What the readers take, the schemas take: every key in every kind, what `init` and `new` write, and what the documents show.
#[test]
fn what_is_read_is_right_by_the_schemas() {
    for schema in Schema::ALL {
        let checked = Checked::by(schema);
        for variant in 0..VARIANTS {
            let text = document(schema, variant, None);
            assert_eq!(checked.refuses(&text), None, "{text}");
        }
        let template = match schema {
            Schema::Config => include_str!("../../cli/templates/migrate.toml"),
            Schema::Manifest => include_str!("../../cli/templates/migration.toml"),
        };
        assert_eq!(checked.refuses(template), None);
        let wrong = "[services.web]\nmin_instance = 2\nodl = \"<1.0.0\"\n";
        assert!(checked.refuses(wrong).is_some());
    }
    let (config, manifest) = (Checked::by(Schema::Config), Checked::by(Schema::Manifest));
    let mut blocks = 0;
    for page in [
        "files", "sources", "drivers", "change", "model", "serve", "rehearse",
    ] {
        let path = format!("{}/docs/{page}.md", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        let parts = text.split("```toml\n").skip(1);
        for block in parts.filter_map(|part| part.split("\n```").next()) {
            let first = block.lines().next().unwrap_or_default();
            let by = match first {
                _ if first.starts_with("# migrate.toml") => &config,
                _ if first.starts_with('#') && first.contains("migration.toml") => &manifest,
                _ => continue,
            };
            // A part of a file need not say again what it is about.
            let is_part = !first.starts_with("# migrate.toml") && !block.contains("description =");
            let said = if is_part { "description = \"d\"\n" } else { "" };
            let whole = format!("{said}{block}");
            assert_eq!(by.refuses(&whole), None, "{page}: {block}");
            blocks += 1;
        }
    }
    assert!(blocks >= 8, "{blocks}");
}
