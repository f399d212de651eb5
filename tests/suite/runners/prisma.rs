//! Prisma, whose packages come from npm. Its engine is one that it downloads, or the same in WebAssembly, which its packages have:
//! that one is tried here, by a configuration that hands it a driver. `sh tests/runners.sh`.

use super::matrix::killed;
use super::node::link;
use super::projects::{
    ADD, CREATE, DROP, Tool, bare, by_hand, has_column, history, manifest, write_url,
};
use crate::support::backend::Db;
use crate::support::project::Project;
use crate::support::shop::said;

const PRISMA: Tool = Tool {
    kind: "prisma",
    revisions: [
        "20260101000001_step",
        "20260101000002_step",
        "20260101000003_step",
    ],
    history: "SELECT migration_name FROM _prisma_migrations WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL ORDER BY migration_name",
    write: |project, db| {
        write_url(project, db, false);
        link(project);
        project.file("prisma.config.ts", CONFIG);
        project.file("prisma/schema.prisma", SCHEMA);
        let lock = "provider = \"postgresql\"\n";
        project.file("prisma/migrations/migration_lock.toml", lock);
        for (number, sql) in [(1, CREATE), (2, ADD), (3, DROP)] {
            step(project, number, &format!("{sql};\n"));
        }
    },
    first: &["prisma", "migrate", "deploy"],
    all: &["prisma", "migrate", "deploy"],
};

/// Where it is told that it has its engines, it looks for none.
pub const NO_DOWNLOAD: [(&str, &str); 2] = [
    ("PRISMA_QUERY_ENGINE_LIBRARY", "/bin/true"),
    ("PRISMA_SCHEMA_ENGINE_BINARY", "/bin/true"),
];

const SCHEMA: &str =
    "datasource db {\n  provider = \"postgresql\"\n  url      = env(\"DATABASE_URL\")\n}\n";

/// Of the type of names its driver knows nothing: it is a text.
const CONFIG: &str = r#"import { defineConfig } from "prisma/config";
import { PrismaPg } from "@prisma/adapter-pg";
import pg from "pg";
class Pool extends pg.Pool {
  async query(...given: any[]) {
    const result = await (super.query as any)(...given);
    for (const one of [result].flat()) {
      for (const field of one?.fields ?? []) if (field.dataTypeID === 19) field.dataTypeID = 25;
    }
    return result;
  }
}
const connectionString = process.env.DATABASE_URL!.split("?")[0];
export default defineConfig({
  schema: "prisma/schema.prisma",
  experimental: { adapter: true },
  engine: "js",
  adapter: async () => new PrismaPg(new Pool({ connectionString }) as any),
} as any);
"#;

fn step(project: &Project, number: u32, sql: &str) {
    let file = format!("prisma/migrations/2026010100000{number}_step/migration.sql");
    project.file(file, sql);
}

fn without(project: &Project, number: u32) {
    let directory = format!("prisma/migrations/2026010100000{number}_step");
    std::fs::remove_dir_all(project.path().join(directory)).expect("it was written");
}

/// The first one is applied, the second one is pending, and the third one is not written yet.
fn started(db: &Db) -> Project {
    let project = bare(&PRISMA, db);
    for (name, value) in NO_DOWNLOAD {
        project.env(name, value);
    }
    without(&project, 3);
    without(&project, 2);
    by_hand(&project, PRISMA.first);
    step(&project, 2, &format!("{ADD};\n"));
    let [_, add, _] = PRISMA.revisions;
    let expand = format!(
        "description = \"A title\"\n[services.web]\nnew = \">=1.1.0\"\n[expand]\nrevisions = [\"{add}\"]\n"
    );
    project.file("0001_title/migration.toml", &expand);
    project
}

#[test]
#[ignore = "needs Node: sh tests/runners.sh"]
fn prisma_expands_and_contracts() {
    let db = Db::on("postgres");
    let project = started(&db);
    step(&project, 3, &format!("{DROP};\n"));
    // `deploy` alone would apply that as well.
    project.migrate(&["gate", "expand", "1"]).expect_code(0);
    project.migrate(&["expand", "1"]).expect_code(0);
    assert!(has_column(&db, "title") && has_column(&db, "name"));
    assert_eq!(history(&PRISMA, &db).len(), 2);

    let [_, add, drop] = PRISMA.revisions;
    // What is applied stays what it was declared as; the other is a migration of its own.
    let contract = manifest(add, drop);
    let only = contract.replace(&format!("[expand]\nrevisions = [\"{add}\"]\n"), "");
    let only = only
        .replace("sync = \"both\"\n", "")
        .replace("new = \">=1.1.0\"\n", "");
    project.migration("0002_name", &[("migration.toml", &only)]);
    let old = [
        "admit",
        "--service",
        "web",
        "--version",
        "1.1.0",
        "--instance",
        "web-1",
    ];
    project.migrate(&old).expect_code(0);
    project.migrate(&["contract", "2"]).expect_code(10);
    assert!(has_column(&db, "name"));
    let other = db.copy();
    by_hand(&project, PRISMA.all);
    let status = project.migrate(&["status"]).expect_code(1);
    let past = format!("`{drop}` was applied outside of Phasegate");
    assert!(said(&status).contains(&past), "{status:?}");
    project.env("DATABASE_URL", &other.url);
    other.execute("DELETE FROM phasegate.leases");
    project.migrate(&["contract", "2"]).expect_code(0);
    assert_eq!(history(&PRISMA, &other).len(), 3);
}

#[test]
#[ignore = "needs Node: sh tests/runners.sh"]
fn prisma_killed_at_every_point_of_an_expand() {
    let db = Db::on("postgres");
    let project = started(&db);
    killed(&PRISMA, &project, &db, "expand");
}

/// It records that one was begun, and what is to be done with that is said and done.
#[test]
#[ignore = "needs Node: sh tests/runners.sh"]
fn prisma_half_applied() {
    let db = Db::on("postgres");
    let project = started(&db);
    step(&project, 2, &format!("{ADD};\nSELECT nosuch FROM shop;\n"));
    for _ in 0..2 {
        let failed = project.migrate(&["expand", "1"]).expect_code(1);
        for part in [
            "was begun and not finished",
            "`prisma migrate resolve --applied 20260101000002_step`",
            "`prisma migrate resolve --rolled-back 20260101000002_step`",
        ] {
            assert!(said(&failed).contains(part), "{part} in {failed:?}");
        }
        assert_eq!(history(&PRISMA, &db).len(), 1);
    }
    let finished = db.copy();
    let [_, add, _] = PRISMA.revisions;
    if !has_column(&finished, "title") {
        finished.execute(ADD);
    }
    project.env("DATABASE_URL", &finished.url);
    write_url(&project, &finished, false);
    by_hand(
        &project,
        &["prisma", "migrate", "resolve", "--applied", add],
    );
    project.migrate(&["expand", "1"]).expect_code(0);
    assert_eq!(history(&PRISMA, &finished).len(), 2);

    project.env("DATABASE_URL", &db.url);
    write_url(&project, &db, false);
    db.execute("ALTER TABLE shop DROP COLUMN IF EXISTS title");
    by_hand(
        &project,
        &["prisma", "migrate", "resolve", "--rolled-back", add],
    );
    step(&project, 2, &format!("{ADD};\n"));
    project.migrate(&["expand", "1"]).expect_code(0);
    assert!(has_column(&db, "title"));
    assert_eq!(history(&PRISMA, &db).len(), 2);
}
