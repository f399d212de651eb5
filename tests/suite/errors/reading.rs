//! Commands that only look, change nothing: not a row, not a table, not a file.

use crate::support::backend::Db;
use crate::support::project::Project;
use crate::support::shop::{APPEND_ONLY, BACKFILL, EXPAND, NAME, Shop, said};

const LOOKING: &[&[&str]] = &[
    &["status"],
    &["fleet"],
    &["log"],
    &["log", "--verify"],
    &["check"],
    &["gate", "deploy", "web=1.0.0"],
    &["gate", "deploy", "web=1.1.0"],
    &["gate", "expand", "1"],
    &["gate", "backfill", "1"],
    &["gate", "contract", "1"],
    &["gate", "revert", "1"],
    &["contract", "--dry-run"],
    &["contract", "1", "--dry-run"],
    &["completions", "bash"],
    &["--help"],
];

fn changes_nothing(shop: &Shop) {
    for command in LOOKING {
        for output in ["text", "json"] {
            let before = shop.dump();
            shop.project
                .migrate(&[*command, &["--output", output]].concat());
            assert_eq!(shop.dump(), before, "{command:?}");
        }
    }
}

scenario!(
    fn looking_changes_nothing_in_any_phase(db: Db) {
        let shop = Shop::with_fleet(db, "[services.web]\nmin_instances = 0\n");
        shop.fleet(&[("web", "a", "1.1.0"), ("web", "b", "odd")]);
        changes_nothing(&shop);
        shop.fleet(&[]);
        for step in ["expand", "backfill", "contract"] {
            shop.run(&[step], 0);
            shop.fleet(&[("web", "a", "1.1.0"), ("web", "b", "odd")]);
            changes_nothing(&shop);
            shop.fleet(&[]);
        }
    }
);

#[test]
fn looking_does_not_create_a_database() {
    let project = Project::without_database(&["web"]);
    project.env("DATABASE_URL", "sqlite://app.db").migration(
        NAME,
        &[
            ("migration.toml", APPEND_ONLY),
            ("expand.sql", EXPAND),
            ("backfill.sql", BACKFILL),
        ],
    );
    for command in LOOKING {
        project.migrate(command);
        let admit = project.migrate(&["admit", "--service", "web", "--version", "1.0.0"]);
        assert_eq!(
            admit.code, 1,
            "a mistyped path would admit anything: {admit:?}"
        );
        let made: Vec<_> = std::fs::read_dir(project.path())
            .expect("the project")
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| name != "migrate.toml" && name != NAME)
            .collect();
        assert!(made.is_empty(), "{command:?} made {made:?}");
    }
    let status = project.migrate(&["status"]).expect_code(0);
    assert!(
        status.stdout.contains("nothing has been applied to it yet"),
        "{status:?}"
    );
}

/// A role that may read the ledger and nothing else can look at everything.
#[test]
fn looking_needs_no_right_to_write() {
    let server = crate::support::postgres::PrivateServer::start();
    let shop = Shop::backfilled(server.create("shop"));
    let role = "CREATE ROLE reader LOGIN PASSWORD 'reader'; GRANT USAGE ON SCHEMA phasegate TO reader; \
                GRANT SELECT ON ALL TABLES IN SCHEMA phasegate TO reader; GRANT SELECT ON users TO reader";
    shop.db.execute(role);
    shop.project
        .env("DATABASE_URL", &server.url_as("reader", "reader", "shop"));
    shop.run(&["status"], 0);
    shop.run(&["fleet"], 0);
    shop.run(&["log", "--verify"], 0);
    shop.run(&["gate", "contract", "1"], 0);
    shop.run(&["contract", "--dry-run"], 0);
    shop.run(&["contract"], 1);
}

#[test]
fn a_read_only_database_can_be_looked_at() {
    let shop = Shop::backfilled(Db::on("postgres"));
    let name = shop.db.value("SELECT current_database()");
    shop.db.execute(&format!(
        "ALTER DATABASE {name} SET default_transaction_read_only = on"
    ));
    for command in [
        &["status"][..],
        &["fleet"],
        &["log"],
        &["gate", "contract", "1"],
    ] {
        shop.run(command, 0);
    }
}

/// Whoever waits for somebody to write into a pipe waits for ever, and hears no signal meanwhile.
#[test]
fn nobody_waits_at_a_pipe() {
    let shop = Shop::with_name(Db::on("sqlite"));
    let pipe = shop.project.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo").success());
    let tells = |arguments: &[&str], code: i32, what: &str| {
        let output = shop.project.migrate(arguments).expect_code(code);
        let text = format!("{} {}", output.stdout, said(&output));
        assert!(text.contains(what), "no {what:?}: {output:?}");
    };
    tells(
        &["status", "--database-url-file", "pipe"],
        1,
        "it is no regular file",
    );
    shop.project.env("PHASEGATE_PIPE_SECONDS", "1");
    let of_image = ["admit", "--service", "web", "--version-file", "pipe"];
    tells(
        &of_image,
        12,
        "nobody has written the whole of it within 1 s",
    );
    let releases = ["plan", "--releases", "pipe", "--to", "web=1.2.0"];
    tells(
        &releases,
        1,
        "nobody has written the whole of it within 1 s",
    );
    // What is written into it at once is read, as a shell hands it over.
    shop.project.env_remove("PHASEGATE_PIPE_SECONDS");
    let writer = std::thread::spawn(move || std::fs::write(pipe, "1.0.0\n"));
    tells(&of_image, 0, "web 1.0.0 may start");
    writer.join().expect("a thread").expect("it was read");
}
