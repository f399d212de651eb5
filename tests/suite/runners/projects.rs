//! A project of each tool: one revision that is applied, one that adds a column, one that takes another away.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::backend::Db;
use crate::support::project::Project;

/// Where the tools are.
fn bin() -> PathBuf {
    let made = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../runners/bin");
    let from = std::env::var_os("TEST_RUNNERS").map(PathBuf::from);
    let bin = from.unwrap_or(made);
    assert!(
        bin.join("alembic").exists(),
        "the migration tools are missing in {}: `sh tests/run.sh` installs them",
        bin.display()
    );
    bin
}

/// Where the packages of Node are.
pub fn node() -> PathBuf {
    let made = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../runners-node/node_modules");
    assert!(
        made.join(".bin/knex").exists(),
        "the migration tools for Node are missing in {}: `sh tests/runners.sh` installs them",
        made.display()
    );
    made
}

/// The file of a tool's program.
fn program_file(program: &str) -> PathBuf {
    match program {
        "knex" | "node-pg-migrate" | "drizzle-kit" | "typeorm" | "prisma" => {
            node().join(".bin").join(program)
        }
        // The project's own.
        "bin/rails" | "./liquibase" => PathBuf::from(program),
        other => bin().join(other),
    }
}

/// A tool, and how its revisions are called here.
#[derive(Clone, Copy, Debug)]
pub struct Tool {
    pub kind: &'static str,
    /// What creates the table, adds `title`, and drops `name`.
    pub revisions: [&'static str; 3],
    /// The rows of its history, one a revision or one a head.
    pub history: &'static str,
    pub write: fn(&Project, &Db),
    /// How somebody has it apply the first one by hand, and how everything.
    pub first: &'static [&'static str],
    pub all: &'static [&'static str],
}

pub const ALEMBIC: Tool = Tool {
    kind: "alembic",
    revisions: ["a1", "b2", "c3"],
    history: "SELECT version_num FROM alembic_version",
    write: alembic,
    first: &["alembic", "upgrade", "a1"],
    all: &["alembic", "upgrade", "head"],
};

pub const DJANGO: Tool = Tool {
    kind: "django",
    revisions: ["shop.0001_initial", "shop.0002_title", "shop.0003_name"],
    history: "SELECT concat(app, '.', name) FROM django_migrations ORDER BY id",
    write: django,
    first: &["python", "manage.py", "migrate", "shop", "0001_initial"],
    all: &["python", "manage.py", "migrate"],
};

pub const DBMATE: Tool = Tool {
    kind: "dbmate",
    revisions: ["20260101000001", "20260101000002", "20260101000003"],
    history: "SELECT version FROM schema_migrations ORDER BY version",
    write: dbmate,
    first: &[
        "dbmate",
        "--no-dump-schema",
        "--migrations-dir",
        "first",
        "migrate",
    ],
    all: &["dbmate", "--no-dump-schema", "migrate"],
};

pub const SQLX: Tool = Tool {
    kind: "sqlx",
    revisions: ["1", "2", "3"],
    history: "SELECT concat(version, '') FROM _sqlx_migrations ORDER BY version",
    write: sqlx,
    first: &["sqlx", "migrate", "run", "--target-version", "1"],
    all: &["sqlx", "migrate", "run"],
};

/// These two need Node, and are tried by `sh tests/runners.sh`.
pub const KNEX: Tool = Tool {
    kind: "knex",
    revisions: [
        "20260101000001_step.js",
        "20260101000002_step.js",
        "20260101000003_step.js",
    ],
    history: "SELECT name FROM knex_migrations ORDER BY name",
    write: knex,
    first: &["knex", "migrate:up", "20260101000001_step.js"],
    all: &["knex", "migrate:latest"],
};

pub const NODE_PG_MIGRATE: Tool = Tool {
    kind: "node-pg-migrate",
    revisions: [
        "1760000000001_step",
        "1760000000002_step",
        "1760000000003_step",
    ],
    history: "SELECT name FROM pgmigrations ORDER BY name",
    write: node_pg_migrate,
    first: &["node-pg-migrate", "up", "--timestamp", "1760000000001"],
    all: &["node-pg-migrate", "up"],
};

pub const CREATE: &str = "CREATE TABLE shop (id integer PRIMARY KEY, name varchar(100))";
pub const ADD: &str = "ALTER TABLE shop ADD COLUMN title varchar(100)";
pub const DROP: &str = "ALTER TABLE shop DROP COLUMN name";

/// Which instances there are is not the point here.
const CONFIG: &str = "\
[services.web]
min_instances = 0
[fleet]
coordinator_lease = \"100ms\"
sessions = \"off\"
";

/// A project in which the first revision is applied, by the tool itself.
pub fn project(tool: &Tool, db: &Db) -> Project {
    let project = bare(tool, db);
    by_hand(&project, tool.first);
    project
}

/// A project of which nothing is applied.
pub fn bare(tool: &Tool, db: &Db) -> Project {
    let project = Project::new(db, &["web"]);
    let bin = with_tools(&project);
    let scheme = match (tool.kind, db.backend.name) {
        ("alembic", "postgres") => "scheme = \"postgresql+psycopg\"\n",
        ("alembic", "mysql") => "scheme = \"mysql+pymysql\"\n",
        ("rails", "mysql") => "scheme = \"mysql2\"\n",
        ("rails", "sqlite") => "scheme = \"sqlite3\"\n",
        _ => "",
    };
    let program = match tool.kind {
        "command" => {
            let run = [
                bin.join("python").display().to_string(),
                "apply.py".into(),
                "command".into(),
                "{revision}".into(),
            ];
            format!(
                "run = {run:?}\nfiles = \"steps\"\nquery = \"SELECT version FROM schema_versions\""
            )
        }
        _ => format!("program = {}", program(tool, &bin)),
    };
    project.file(
        "migrate.toml",
        &format!(
            "{CONFIG}[runner]\nkind = \"{}\"\n{program}\nurl = \"env:DATABASE_URL\"\n{scheme}",
            tool.kind
        ),
    );
    let [_, add, drop] = tool.revisions;
    project.migration(
        "0001_title",
        &[("migration.toml", &manifest_with(add, drop, judged(tool)))],
    );
    (tool.write)(&project, db);
    project
}

/// Lets a project's programs be those of the tests; where they are.
pub fn with_tools(project: &Project) -> PathBuf {
    let path = std::env::var("PATH").unwrap_or_default();
    let bin = bin();
    project.env("PATH", &format!("{}:{path}", bin.display()));
    project.env("PGSSLMODE", "disable");
    project.env("PYTHONDONTWRITEBYTECODE", "1");
    bin
}

fn program(tool: &Tool, bin: &Path) -> String {
    let file = |name: &str| bin.join(name).display().to_string();
    match tool.kind {
        "django" => format!("[{:?}, \"manage.py\"]", file("python")),
        // Stand-ins.
        "golang-migrate" | "flyway" => {
            format!("[{:?}, \"apply.py\", {:?}]", file("python"), tool.kind)
        }
        // What the URL of the tests says of TLS, this client reads as something stricter.
        "knex" | "node-pg-migrate" => {
            let plain = "DATABASE_URL=${DATABASE_URL%%\\?*} exec \"$0\" \"$@\"";
            format!("[\"sh\", \"-c\", {plain:?}, {:?}]", program_file(tool.kind))
        }
        "rails" => "[\"bin/rails\"]".to_owned(),
        "liquibase" => "[\"./liquibase\"]".to_owned(),
        "drizzle" => format!("[{:?}]", program_file("drizzle-kit")),
        "typeorm" | "prisma" => format!("[{:?}]", program_file(tool.kind)),
        kind => format!("[{:?}]", file(kind)),
    }
}

pub fn manifest(add: &str, drop: &str) -> String {
    manifest_with(add, drop, "")
}

/// `judged` is a word for what no file says in SQL.
fn manifest_with(add: &str, drop: &str, judged: &str) -> String {
    format!(
        "description = \"A title in place of the name\"\nsync = \"both\"\n[services.web]\nold = \"<1.2.0\"\nnew = \">=1.1.0\"\n\
         [expand]\nrevisions = [\"{add}\"]\n{judged}[contract]\nrevisions = [\"{drop}\"]\n{judged}"
    )
}

/// What the tools need a word for that are programs.
pub fn judged(tool: &Tool) -> &'static str {
    match tool.kind {
        "alembic" | "django" | "knex" | "rails" | "typeorm" => "judged = \"as it says\"\n",
        "liquibase" if !tool.revisions[1].contains(".sql") => "judged = \"as it says\"\n",
        _ => "",
    }
}

/// Runs one of the tools as somebody does who knows nothing of phases.
#[track_caller]
pub fn by_hand(project: &Project, command: &[&str]) {
    let (code, said) = try_by_hand(project, command);
    assert_eq!(code, Some(0), "{command:?}\n{said}");
}

pub fn try_by_hand(project: &Project, command: &[&str]) -> (Option<i32>, String) {
    let (program, arguments) = command.split_first().expect("a program");
    let output = Command::new(program_file(program))
        .args(arguments)
        .current_dir(project.path())
        .env("DATABASE_URL", url_by_hand(project))
        .env("PGSSLMODE", "disable")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .envs(super::prisma::NO_DOWNLOAD)
        .output()
        .expect("the tool can be started");
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    (output.status.code(), said)
}

/// The URL in the words of the tool, which the project was made with.
pub fn url_by_hand(project: &Project) -> String {
    std::fs::read_to_string(project.path().join("url-by-hand")).expect("each project writes it")
}

pub fn write_url(project: &Project, db: &Db, is_python: bool) {
    // What is only for our own clients.
    let plain = db.url.split('?').next().unwrap_or_default();
    let url = match db.backend.name {
        "sqlite" => plain.replacen("sqlite://", "sqlite:///", 1),
        "postgres" if is_python => plain.replacen("postgres", "postgresql+psycopg", 1),
        "mysql" if is_python => plain.replacen("mysql", "mysql+pymysql", 1),
        _ => plain.to_owned(),
    };
    project.file("url-by-hand", &url);
}

fn alembic(project: &Project, db: &Db) {
    write_url(project, db, true);
    project.file("alembic.ini", "[alembic]\nscript_location = %(here)s/db\n");
    project.file("db/env.py", ALEMBIC_ENV);
    project.file("db/script.py.mako", "");
    for (name, before, sql) in [
        ("a1", "None", CREATE),
        ("b2", "'a1'", ADD),
        ("c3", "'b2'", DROP),
    ] {
        alembic_revision(project, name, before, &format!("op.execute(\"{sql}\")"));
    }
}

pub fn alembic_revision(project: &Project, name: &str, before: &str, body: &str) {
    let body = body.replace('\n', "\n    ");
    project.file(
        format!("db/versions/{name}_.py"),
        &format!(
            "from alembic import op\nimport os, time\nrevision: str = '{name}'\ndown_revision = {before}\n\n\
             def upgrade() -> None:\n    {body}\n\ndef downgrade() -> None:\n    pass\n"
        ),
    );
}

const ALEMBIC_ENV: &str = r#"import os
from alembic import context
from sqlalchemy import create_engine, pool
if context.is_offline_mode():
    context.configure(url=os.environ["DATABASE_URL"], literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    engine = create_engine(os.environ["DATABASE_URL"], poolclass=pool.NullPool)
    with engine.connect() as connection:
        context.configure(connection=connection)
        with context.begin_transaction():
            context.run_migrations()
"#;

fn django(project: &Project, db: &Db) {
    write_url(project, db, false);
    project.file("manage.py", DJANGO_MANAGE);
    project.file("settings.py", DJANGO_SETTINGS);
    project.file("shop/__init__.py", "");
    project.file("shop/migrations/__init__.py", "");
    for (name, before, sql) in [
        ("0001_initial", "", CREATE),
        ("0002_title", "('shop', '0001_initial')", ADD),
        ("0003_name", "('shop', '0002_title')", DROP),
    ] {
        django_migration(
            project,
            name,
            before,
            &format!("migrations.RunSQL(\"{sql}\")"),
        );
    }
}

pub fn django_migration(project: &Project, name: &str, before: &str, operation: &str) {
    project.file(
        format!("shop/migrations/{name}.py"),
        &format!(
            "from django.db import migrations\nimport os, time\n\n\nclass Migration(migrations.Migration):\n    \
             dependencies = [{before}]\n    operations = [{operation}]\n"
        ),
    );
}

const DJANGO_MANAGE: &str = r#"import os, sys
from django.core.management import execute_from_command_line
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
execute_from_command_line(sys.argv)
"#;

const DJANGO_SETTINGS: &str = r#"import os
from urllib.parse import urlsplit
url = urlsplit(os.environ["DATABASE_URL"])
SECRET_KEY = "of a test"
INSTALLED_APPS = ["shop"]
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
if url.scheme == "sqlite":
    DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "/" + url.path.lstrip("/")}}
else:
    engine = "postgresql" if url.scheme.startswith("postgres") else "mysql"
    if engine == "mysql":
        import pymysql
        pymysql.version_info = (2, 2, 1, "final", 0)
        pymysql.install_as_MySQLdb()
    DATABASES = {"default": {"ENGINE": "django.db.backends." + engine, "NAME": url.path[1:], "USER": url.username,
        "PASSWORD": url.password or "", "HOST": url.hostname, "PORT": str(url.port)}}
"#;

fn dbmate(project: &Project, db: &Db) {
    write_url(project, db, false);
    for (number, sql) in [(1, CREATE), (2, ADD), (3, DROP)] {
        let text = format!("-- migrate:up\n{sql};\n\n-- migrate:down\nSELECT 1;\n");
        let name = format!("2026010100000{number}_step.sql");
        project.file(format!("db/migrations/{name}"), &text);
        if number == 1 {
            project.file(format!("first/{name}"), &text);
        }
    }
}

fn sqlx(project: &Project, db: &Db) {
    write_url(project, db, false);
    for (number, sql) in [(1, CREATE), (2, ADD), (3, DROP)] {
        project.file(
            format!("migrations/000{number}_step.sql"),
            &format!("{sql};\n"),
        );
    }
}

fn knex(project: &Project, db: &Db) {
    write_url(project, db, false);
    // It is looked for where the project is.
    std::os::unix::fs::symlink(node(), project.path().join("node_modules")).expect("a link");
    project.file(
        "knexfile.js",
        &format!(
            "module.exports = {{ client: '{}', connection: process.env.DATABASE_URL }};\n",
            if db.backend.name == "mysql" {
                "mysql2"
            } else {
                "pg"
            }
        ),
    );
    for (number, sql) in [(1, CREATE), (2, ADD), (3, DROP)] {
        project.file(
            format!("migrations/2026010100000{number}_step.js"),
            &format!("exports.up = (knex) => knex.raw(\"{sql}\");\nexports.down = () => Promise.resolve();\n"),
        );
    }
}

fn node_pg_migrate(project: &Project, db: &Db) {
    write_url(project, db, false);
    project.file(
        "package.json",
        "{ \"dependencies\": { \"node-pg-migrate\": \"*\" } }\n",
    );
    for (number, sql) in [(1, CREATE), (2, ADD), (3, DROP)] {
        project.file(
            format!("migrations/176000000000{number}_step.sql"),
            &format!("-- Up Migration\n{sql};\n\n-- Down Migration\nSELECT 1;\n"),
        );
    }
}

/// What the tool's own history holds.
pub fn history(tool: &Tool, db: &Db) -> Vec<String> {
    let rows = db.query(tool.history);
    rows.into_iter().map(|row| row.join("|")).collect()
}

pub fn has_column(db: &Db, column: &str) -> bool {
    db.try_execute(&format!("SELECT {column} FROM shop"))
        .is_ok()
}
