//! Projects of Drizzle, TypeORM and Liquibase, whose packages come from npm: tried by `sh tests/runners.sh`.

use super::projects::{ADD, CREATE, DROP, Tool, node, write_url};
use crate::support::backend::Db;
use crate::support::project::Project;

pub const DRIZZLE: Tool = Tool {
    kind: "drizzle",
    revisions: ["0000_step", "0001_step", "0002_step"],
    history: "SELECT concat(created_at, '') FROM drizzle.__drizzle_migrations ORDER BY created_at",
    write: drizzle,
    first: &["drizzle-kit", "migrate", "--config=first.config.ts"],
    all: &["drizzle-kit", "migrate"],
};

pub const TYPEORM: Tool = Tool {
    kind: "typeorm",
    revisions: [
        "Step1760000000001",
        "Step1760000000002",
        "Step1760000000003",
    ],
    history: "SELECT name FROM migrations ORDER BY name",
    write: typeorm,
    first: &["typeorm", "migration:run", "-d", "first.js"],
    all: &["typeorm", "migration:run", "-d", "data-source.js"],
};

pub const LIQUIBASE: Tool = Tool {
    kind: "liquibase",
    revisions: [
        "db/changelog/all.sql::1::dev",
        "db/changelog/all.sql::2::dev",
        "db/changelog/all.sql::3::dev",
    ],
    history: "SELECT id FROM DATABASECHANGELOG ORDER BY orderexecuted",
    write: liquibase,
    first: &["./liquibase", "update-count", "--count=1"],
    all: &["./liquibase", "update"],
};

/// The packages are looked for where the project is.
pub fn link(project: &Project) {
    std::os::unix::fs::symlink(node(), project.path().join("node_modules")).expect("a link");
}

fn drizzle(project: &Project, db: &Db) {
    write_url(project, db, false);
    link(project);
    for (file, out) in [
        ("drizzle.config.ts", "drizzle"),
        ("first.config.ts", "first"),
    ] {
        project.file(
            file,
            &format!(
                "import {{ defineConfig }} from \"drizzle-kit\";\n\
                 const url = process.env.DATABASE_URL!.split(\"?\")[0];\n\
                 export default defineConfig({{ dialect: \"postgresql\", out: \"./{out}\", dbCredentials: {{ url }} }});\n"
            ),
        );
        for (number, sql) in [(0, CREATE), (1, ADD), (2, DROP)] {
            project.file(format!("{out}/000{number}_step.sql"), &format!("{sql};\n"));
        }
    }
    drizzle_journal(project, "first", &[(0, 1)]);
    drizzle_journal(project, "drizzle", &[(0, 1), (1, 2), (2, 3)]);
}

/// Writes the journal anew: the number of each revision, and when it was made.
pub fn drizzle_journal(project: &Project, out: &str, entries: &[(u32, u32)]) {
    let entries: Vec<serde_json::Value> = entries
        .iter()
        .map(|(number, when)| {
            serde_json::json!({
                "idx": number, "version": "7", "when": 1_760_000_000_000_u64 + u64::from(*when),
                "tag": format!("000{number}_step"), "breakpoints": true,
            })
        })
        .collect();
    let journal =
        serde_json::json!({ "version": "7", "dialect": "postgresql", "entries": entries });
    project.file(format!("{out}/meta/_journal.json"), &journal.to_string());
}

fn typeorm(project: &Project, db: &Db) {
    write_url(project, db, false);
    link(project);
    for (file, which) in [("data-source.js", "*"), ("first.js", "1760000000001-Step")] {
        project.file(
            file,
            &format!(
                "const {{ DataSource }} = require(\"typeorm\");\n\
                 const url = process.env.DATABASE_URL.split(\"?\")[0];\n\
                 const migrations = [__dirname + \"/migrations/{which}.js\"];\n\
                 exports.source = new DataSource({{ type: \"{}\", url, migrations }});\n",
                db.backend.name
            ),
        );
    }
    for (number, sql) in [(1, CREATE), (2, ADD), (3, DROP)] {
        let class = format!("Step176000000000{number}");
        project.file(
            format!("migrations/176000000000{number}-Step.js"),
            &format!(
                "exports.{class} = class {class} {{\n  async up(query) {{ await query.query(\"{sql}\"); }}\n  async down() {{}}\n}};\n"
            ),
        );
    }
}

fn liquibase(project: &Project, db: &Db) {
    liquibase_program(project, db, "db/changelog/all.sql");
    let mut text = "--liquibase formatted sql\n".to_owned();
    for (number, sql) in [(1, CREATE), (2, ADD), (3, DROP)] {
        text.push_str(&format!("\n--changeset dev:{number}\n{sql};\n"));
    }
    project.file("db/changelog/all.sql", &text);
}

/// The program, and the settings that name this changelog.
pub fn liquibase_program(project: &Project, db: &Db, changelog: &str) {
    write_url(project, db, false);
    let program = node().join("liquibase/dist/liquibase/liquibase");
    project.file(
        "liquibase",
        &format!(
            "#!/bin/sh\n# Its driver takes no user in a URL.\nurl=${{DATABASE_URL#*://}}\nurl=${{url%%\\?*}}\nuser=${{url%@*}}\n\
             export LIQUIBASE_COMMAND_URL=\"jdbc:{}://${{url##*@}}\"\n\
             export LIQUIBASE_COMMAND_USERNAME=\"${{user%%:*}}\"\n\
             case \"$user\" in *:*) export LIQUIBASE_COMMAND_PASSWORD=\"${{user#*:}}\" ;; esac\n\
             exec bash {} \"$@\"\n",
            if db.backend.name == "mysql" { "mariadb" } else { "postgresql" },
            program.display()
        ),
    );
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(project.path().join("liquibase"), mode).expect("it was written");
    project.file(
        "liquibase.properties",
        &format!("changelog-file: {changelog}\n"),
    );
}
