//! How a project's migration tool is called, by what lies beside it; and the migrate.toml of a new project.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::words::{key, quoted};
use super::{MIGRATIONS, Place};
use crate::runner::{Runner, UrlFor};
use crate::sql::Dialect;

/// The migrate.toml of a project that is brought in.
#[derive(Clone, Copy, Debug)]
pub struct NewProject<'a> {
    pub runner: &'a Runner,
    pub dialect: Dialect,
    pub services: &'a [String],
}

impl NewProject<'_> {
    /// The database's URL is not in it: it may hold a password.
    #[must_use]
    pub fn text(&self) -> String {
        let mut services = String::new();
        for service in self.services {
            services.push_str(&format!("[services.{}]\nmin_instances = 1\n", key(service)));
        }
        format!(
            "\
# Phasegate says when, and {tool} applies: docs/runners/README.md

# Where the migrations are that name revisions of {tool}.
migrations = \"{MIGRATIONS}\"

[database]
# What names the database is given from outside, as DATABASE_URL is.
dialects = [\"{dialect}\"]

# Every application that uses the database, and how many instances of it an honest look at the fleet sees at least.
{services}
[fleet]
# Where live instances are learnt from: instances that run under `migrate agent`, and other sources beside it.
sources = [{{ kind = \"leases\" }}]

{section}",
            tool = self.runner.kind(),
            dialect = self.dialect.name(),
            section = section(self.runner),
        )
    }
}

/// The `[runner]` of a migrate.toml.
#[must_use]
pub fn section(runner: &Runner) -> String {
    let mut lines = vec![
        "[runner]".to_owned(),
        format!("kind = \"{}\"", runner.kind()),
    ];
    if !runner.dir.is_empty() {
        lines.push(format!("dir = {}", quoted(&runner.dir)));
    }
    if runner.program != runner.tool.program() {
        let parts: Vec<String> = runner.program.iter().map(|part| quoted(part)).collect();
        lines.push(format!("program = [{}]", parts.join(", ")));
    }
    if let Some(table) = &runner.table {
        lines.push(format!("table = {}", quoted(table)));
    }
    if let Some(url) = &runner.url {
        lines.push(format!("url = \"env:{}\"", url.variable));
        if let Some(scheme) = &url.scheme {
            lines.push(format!("scheme = {}", quoted(scheme)));
        }
    }
    lines.push(String::new());
    lines.join("\n")
}

/// The tool in this place, called as it can be started here.
#[must_use]
pub fn runner_of(root: &Path, place: &Place, dialect: Dialect) -> Option<Runner> {
    let mut runner = Runner::usual(place.kind)?;
    runner.dir.clone_from(&place.dir);
    let dir = root.join(&place.dir);
    if let Some(program) = started_by(&dir, &runner.program) {
        runner.program = program;
    }
    runner.url = url_for(&dir, place.kind, dialect);
    if place.kind == "alembic" {
        let env = runner.tool.files(&dir).replace("/versions", "/env.py");
        let text = fs::read_to_string(dir.join(env)).unwrap_or_default();
        let lines = text
            .lines()
            .filter(|line| !line.trim_start().starts_with('#'));
        runner.table = alembic_table(&lines.collect::<Vec<_>>().join("\n"));
    }
    Some(runner)
}

/// The table of Alembic's history, where env.py gives it another name or schema in plain words.
fn alembic_table(env: &str) -> Option<String> {
    let given = |key: &str| {
        let mut places = env.split(key).skip(1);
        let text = places.find_map(|rest| rest.trim_start().strip_prefix('='))?;
        let text = text.trim_start();
        let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let name = text.get(1..)?.split(quote).next()?;
        (!name.is_empty()).then(|| name.to_owned())
    };
    match (given("version_table_schema"), given("version_table")) {
        (None, None) => None,
        (None, Some(table)) => Some(table),
        (Some(schema), table) => {
            let table = table.as_deref().unwrap_or("alembic_version");
            Some(format!("{schema}.{table}"))
        }
    }
}

/// How the program is started where its usual name is not on the path.
fn started_by(dir: &Path, usual: &[String]) -> Option<Vec<String>> {
    let (program, rest) = usual.split_first()?;
    if is_on_the_path(program) {
        return None;
    }
    for environment in [".venv", "venv", "env"] {
        let inside = format!("{environment}/bin/{program}");
        if is_program(&dir.join(&inside)) {
            return Some(
                std::iter::once(inside)
                    .chain(rest.iter().cloned())
                    .collect(),
            );
        }
    }
    for (lock, by) in [
        ("uv.lock", "uv"),
        ("poetry.lock", "poetry"),
        ("Pipfile.lock", "pipenv"),
    ] {
        if dir.join(lock).exists() && is_on_the_path(by) {
            let by = [by.to_owned(), "run".to_owned()];
            return Some(by.into_iter().chain(usual.iter().cloned()).collect());
        }
    }
    // Debian calls it so.
    (program == "python" && is_on_the_path("python3")).then(|| {
        let python = std::iter::once("python3".to_owned());
        python.chain(rest.iter().cloned()).collect()
    })
}

fn is_on_the_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| is_program(&dir.join(program)))
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// The variable in which the tool is given the database's URL, where it is known to read one.
fn url_for(dir: &Path, kind: &str, dialect: Dialect) -> Option<UrlFor> {
    const VARIABLE: &str = "DATABASE_URL";
    let reads = |files: &[&str]| {
        files.iter().any(|file| {
            let text = fs::read_to_string(dir.join(file)).unwrap_or_default();
            text.contains(VARIABLE)
        })
    };
    let scheme = match kind {
        "dbmate" | "sqlx" | "node-pg-migrate" => None,
        "prisma" if reads(&["prisma/schema.prisma", "prisma.config.ts"]) => None,
        "knex" if reads(&["knexfile.js", "knexfile.ts", "knexfile.cjs", "knexfile.mjs"]) => None,
        "drizzle"
            if reads(&[
                "drizzle.config.ts",
                "drizzle.config.js",
                "drizzle.config.mjs",
            ]) =>
        {
            None
        }
        "typeorm" if reads(&["src/data-source.ts", "data-source.ts", "data-source.js"]) => None,
        "django" if reads_in_settings(dir, VARIABLE) => None,
        "alembic" => {
            let place = Runner::usual(kind)?.tool.files(dir);
            let env = place.replace("/versions", "/env.py");
            if !reads(&[env.as_str(), "alembic.ini"]) {
                return None;
            }
            alembic_scheme(dir, dialect)
        }
        _ => return None,
    };
    Some(UrlFor {
        variable: VARIABLE.to_owned(),
        scheme,
    })
}

/// The settings of a project of Django: a module beside manage.py or below it, or a package of them.
fn reads_in_settings(dir: &Path, variable: &str) -> bool {
    let mut places = vec![dir.to_owned()];
    let below = |dir: &Path| {
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    places.extend(below(dir).into_iter().filter(|path| path.is_dir()));
    let packages: Vec<_> = places.iter().map(|dir| dir.join("settings")).collect();
    places.extend(packages);
    places.iter().flat_map(|dir| below(dir)).any(|file| {
        let name = file
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let is_settings = name.starts_with("settings")
            || file
                .parent()
                .is_some_and(|parent| parent.ends_with("settings"));
        let is_python = file.extension().is_some_and(|end| end == "py");
        is_settings
            && is_python
            && fs::read_to_string(&file)
                .unwrap_or_default()
                .contains(variable)
    })
}

/// SQLAlchemy's word for the database, with the driver that the project names.
fn alembic_scheme(dir: &Path, dialect: Dialect) -> Option<String> {
    let mut named = String::new();
    for file in [
        "pyproject.toml",
        "requirements.txt",
        "Pipfile",
        "setup.cfg",
        "setup.py",
    ] {
        named.push_str(
            &fs::read_to_string(dir.join(file))
                .unwrap_or_default()
                .to_lowercase(),
        );
    }
    let drivers: &[(&str, &str)] = match dialect {
        Dialect::Sqlite => return None,
        Dialect::Postgres => &[
            ("psycopg2", "postgresql+psycopg2"),
            ("psycopg", "postgresql+psycopg"),
            ("asyncpg", "postgresql+asyncpg"),
            ("pg8000", "postgresql+pg8000"),
        ],
        Dialect::Mysql => &[
            ("pymysql", "mysql+pymysql"),
            ("mysqlclient", "mysql+mysqldb"),
            ("mysql-connector", "mysql+mysqlconnector"),
            ("aiomysql", "mysql+aiomysql"),
        ],
    };
    let driver = drivers.iter().find(|(name, _)| named.contains(name));
    let usual = match dialect {
        Dialect::Mysql => "mysql",
        _ => "postgresql",
    };
    Some(driver.map_or(usual, |(_, scheme)| scheme).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(kind: &'static str, dir: &str) -> Place {
        Place {
            dir: dir.to_owned(),
            kind,
        }
    }

    #[test]
    fn a_tool_is_called_as_its_project_calls_it() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("back/alembic.ini", "[alembic]\nscript_location = db\n");
        write("back/db/env.py", "os.environ['DATABASE_URL']");
        write("back/requirements.txt", "psycopg[binary]\npymysql\n");
        write(
            "front/alembic.ini",
            "[alembic]\nscript_location = db\nsqlalchemy.url = x\n",
        );
        write("dj/manage.py", "django");
        write("dj/site/settings/base.py", "env('DATABASE_URL')");
        for (place, dialect, expected) in [
            (
                place("alembic", "back"),
                Dialect::Postgres,
                "dir = \"back\"|url = \"env:DATABASE_URL\"|scheme = \"postgresql+psycopg\"",
            ),
            (
                place("alembic", "back"),
                Dialect::Mysql,
                "dir = \"back\"|url = \"env:DATABASE_URL\"|scheme = \"mysql+pymysql\"",
            ),
            (
                place("alembic", "back"),
                Dialect::Sqlite,
                "dir = \"back\"|url = \"env:DATABASE_URL\"",
            ),
            (
                place("alembic", "front"),
                Dialect::Postgres,
                "dir = \"front\"",
            ),
            (
                place("sqlx", ""),
                Dialect::Postgres,
                "url = \"env:DATABASE_URL\"",
            ),
            (
                place("django", "dj"),
                Dialect::Postgres,
                "dir = \"dj\"|url = \"env:DATABASE_URL\"",
            ),
        ] {
            let runner = runner_of(dir.path(), &place, dialect).unwrap();
            let said = section(&runner);
            let said: Vec<&str> = said
                .lines()
                .filter(|line| !line.starts_with("program"))
                .collect();
            let expected: Vec<&str> = expected.split('|').collect();
            assert_eq!(said[2..], expected, "{place:?}");
            let services = ["web".to_owned()];
            let project = NewProject {
                runner: &runner,
                dialect,
                services: &services,
            };
            toml::from_str::<toml::Table>(&project.text()).unwrap();
        }
    }

    #[test]
    fn a_program_that_is_not_on_the_path_is_found_beside_the_project() {
        let dir = tempfile::tempdir().unwrap();
        let usual = ["phasegate-no-such-program".to_owned(), "x".to_owned()];
        assert_eq!(started_by(dir.path(), &usual), None);
        let program = dir.path().join(".venv/bin/phasegate-no-such-program");
        fs::create_dir_all(program.parent().unwrap()).unwrap();
        fs::write(&program, "").unwrap();
        assert_eq!(started_by(dir.path(), &usual), None, "it cannot be started");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(
            started_by(dir.path(), &usual).unwrap(),
            [".venv/bin/phasegate-no-such-program", "x"]
        );
        assert_eq!(started_by(dir.path(), &["sh".to_owned()]), None);
    }

    #[test]
    fn the_table_of_alembics_history_is_what_its_environment_says() {
        for (env, table) in [
            (
                "context.configure(url=url, version_table='ours')",
                Some("ours"),
            ),
            (
                "configure(\n    version_table_schema = \"app\",\n)",
                Some("app.alembic_version"),
            ),
            (
                "configure(version_table_schema='app', version_table='v')",
                Some("app.v"),
            ),
            ("configure(version_table=NAME)", None),
            ("configure(url=url)", None),
        ] {
            assert_eq!(alembic_table(env).as_deref(), table, "{env}");
        }
    }
}
