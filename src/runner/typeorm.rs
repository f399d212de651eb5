//! TypeORM: classes in JavaScript or TypeScript. `migration:run` applies whatever is pending.
//!
//! It is given a data source of ours, which is the project's with a list of migrations in which there is one file.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::history::one_a_row;
use super::settings::inside;
use super::{
    Applied, Call, History, Kind, Reach, Revision, Runner, Scratch, Sql, Table, Tool, files,
};
use crate::row::Row;

pub(super) const KIND: Kind = Kind {
    kind: "typeorm",
    read: made,
};

#[derive(Debug)]
struct TypeOrm {
    /// Relative to where it runs, where the project says so.
    data_source: Option<String>,
}

const DATA_SOURCE: &str = "data_source = \"src/data-source.ts\"";
/// Where its own templates and manual put it.
const DATA_SOURCES: [&str; 6] = [
    "src/data-source.ts",
    "data-source.ts",
    "dist/data-source.js",
    "src/data-source.js",
    "data-source.js",
    "data-source.mjs",
];
const PLACES: [&str; 4] = ["src/migration", "src/migrations", "migration", "migrations"];
const ENDS: [&str; 6] = [".ts", ".js", ".mts", ".mjs", ".cts", ".cjs"];

/// As many digits at the end of a migration's name are the time by which it is sorted.
const DIGITS: usize = 13;

fn made(row: &mut dyn Row) -> Option<Arc<dyn Tool>> {
    let data_source = inside(row, "data_source", DATA_SOURCE);
    Some(Arc::new(TypeOrm { data_source }))
}

fn time(name: &str) -> Option<&str> {
    let digits = name.get(name.len().checked_sub(DIGITS)?..)?;
    digits
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then_some(digits)
}

fn word(text: &str) -> &str {
    let is_of_it = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$');
    let end = text.find(|c| !is_of_it(c)).unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}

/// The text that a line gives to the field `name`.
fn name_field(line: &str) -> Option<&str> {
    let mut rest = line.trim_start();
    for before in ["public ", "override ", "readonly ", "this."] {
        rest = rest.strip_prefix(before).unwrap_or(rest).trim_start();
    }
    let rest = rest.strip_prefix("name")?;
    let (of_type, value) = rest.split_once('=')?;
    let of_type = of_type.trim().trim_start_matches([':', '?']).trim();
    if !matches!(of_type, "" | "string") {
        return None;
    }
    let value = value.trim_start();
    let quote = value
        .chars()
        .next()
        .filter(|c| matches!(c, '"' | '\'' | '`'))?;
    value.get(1..)?.split(quote).next()
}

/// What TypeORM calls the migrations in a file: by their field `name`, or by their class.
fn named_in(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for line in text.lines() {
        if let Some(name) = name_field(line).filter(|name| time(name).is_some()) {
            // It stands in the class that was begun last.
            found.pop();
            found.push(name.to_owned());
        }
        let mut rest = line;
        while let Some((before, after)) = rest.split_once("class ") {
            let is_word =
                !before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '$'));
            let name = word(after.trim_start());
            if is_word && time(name).is_some() {
                found.push(name.to_owned());
            }
            rest = after;
        }
    }
    found
}

impl TypeOrm {
    fn data_source_in(&self, dir: &Path) -> Option<String> {
        let is_there = |file: &&&str| dir.join(file).is_file();
        let usual = || {
            DATA_SOURCES
                .iter()
                .find(is_there)
                .map(|file| (*file).to_owned())
        };
        self.data_source.clone().or_else(usual)
    }
}

impl Tool for TypeOrm {
    fn kind(&self) -> &'static str {
        KIND.kind
    }

    fn program(&self) -> Vec<String> {
        // Where it is not installed, nothing is fetched.
        vec!["npx".into(), "--no-install".into(), "typeorm".into()]
    }

    fn files(&self, dir: &Path) -> String {
        let place = PLACES.iter().find(|place| dir.join(place).is_dir());
        (*place.unwrap_or(&PLACES[0])).to_owned()
    }

    fn history(&self) -> History {
        History::Table(Table {
            name: "migrations".into(),
            on: &[],
            columns: &["name"],
        })
    }

    fn revisions(&self, runner: &Runner, root: &Path) -> Result<Vec<Revision>, String> {
        let all = files::by_name(root, &runner.place(root), |file| {
            let is_one = ENDS.iter().any(|end| file.ends_with(end)) && !file.contains(".d.");
            is_one.then(|| file.to_owned())
        })?;
        let mut found = Vec::new();
        for one in all {
            let file = one.file.clone().unwrap_or_default();
            let names = named_in(&files::text(root, &file)?);
            found.extend(names.into_iter().map(|name| Revision {
                name,
                ..one.clone()
            }));
        }
        found.sort_by_cached_key(|one: &Revision| time(&one.name).map(str::to_owned));
        Ok(found)
    }

    fn read(&self, rows: &[Vec<String>], _known: &[Revision]) -> Result<Vec<Applied>, String> {
        Ok(one_a_row(rows))
    }

    fn reach(&self) -> Reach {
        Reach::Alone
    }

    fn apply(&self, runner: &Runner, root: &Path, revision: &Revision) -> Result<Call, String> {
        let file = revision.file.clone().unwrap_or_default();
        let names = named_in(&files::text(root, &file)?);
        if names != [revision.name.as_str()] {
            return Err(format!(
                "{file} has the migrations `{}`, and TypeORM would apply all of them: put `{}` into a file of its own",
                names.join("`, `"),
                revision.name
            ));
        }
        let full = |path: &Path| {
            let path = std::path::absolute(path).map_err(|why| why.to_string())?;
            Ok::<_, String>(json!(path.display().to_string()).to_string())
        };
        let dir = runner.directory(root);
        let Some(theirs) = self.data_source_in(&dir) else {
            return Err(format!(
                "the data source of TypeORM is not where it usually is: write for example `{DATA_SOURCE}` under [runner]"
            ));
        };
        let text = OURS
            .replace("THEIRS", &full(&dir.join(theirs))?)
            .replace("MIGRATION", &full(&root.join(&file))?);
        let uncopied = |why| {
            format!(
                "a data source for `{}` cannot be written: {why}",
                revision.name
            )
        };
        let scratch = Scratch::empty().map_err(uncopied)?;
        scratch.write("data-source.js", &text).map_err(uncopied)?;
        let ours = scratch.path().join("data-source.js").display().to_string();
        let mut call = Call::new(["migration:run", "--dataSource", &ours]);
        call.scratch = Some(scratch);
        Ok(call)
    }

    fn sql(&self, _revision: &Revision, _text: &str) -> Sql {
        Sql::Hidden
    }

    fn mend(&self, table: Option<&str>, revision: &str) -> String {
        let table = table.unwrap_or("migrations");
        format!(
            "a row in `{table}` with `{revision}` as its `name`, and the {DIGITS} digits at the end of it as its `timestamp`, says that it is \
             done"
        )
    }

    fn is_here(&self, dir: &Path) -> bool {
        self.data_source_in(dir).is_some_and(|file| {
            let text = std::fs::read_to_string(dir.join(file)).unwrap_or_default();
            text.contains("typeorm")
        })
    }
}

/// The project's data source, which a module may export by any name, also as a promise, with one migration.
const OURS: &str = r#"const theirs = THEIRS;
async function loaded() {
  try {
    return require(theirs);
  } catch (error) {
    if (!String(error.code).startsWith("ERR_REQUIRE")) throw error;
    return import(require("node:url").pathToFileURL(theirs).href);
  }
}
async function only() {
  const module = await loaded();
  for (const value of [module, ...Object.values(module)]) {
    const source = await value;
    if (source && typeof source.setOptions === "function") {
      source.setOptions({ migrations: [MIGRATION] });
      return source;
    }
  }
  throw new Error(theirs + " exports no DataSource");
}
module.exports.only = only();
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_migration_is_called_as_its_class_or_as_it_says() {
        for (text, expected) in [
            (
                "export class AddTitle1760000000002 implements MigrationInterface {\n",
                vec!["AddTitle1760000000002"],
            ),
            (
                "module.exports = class A1760000000002 {\n  name = 'B1760000000003'\n  async up(q) {}\n}",
                vec!["B1760000000003"],
            ),
            (
                "class A1760000000002 {\n  constructor() {\n    this.name = \"B1760000000003\";\n",
                vec!["B1760000000003"],
            ),
            (
                "class A1760000000002 {\n  name: string = `x`;\n}\nclass B1760000000003 {}",
                vec!["A1760000000002", "B1760000000003"],
            ),
            ("export class Helper {}\nsubclass A1760000000002", vec![]),
        ] {
            assert_eq!(named_in(text), expected, "{text}");
        }
    }
}
