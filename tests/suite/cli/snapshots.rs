//! The complete output of what people look at most.

use crate::support::project::Project;
use crate::support::shop::{APPEND_ONLY, NAME, Shop};

/// One migration is backfilled, a second is expanded and a third is pending; two versions are live.
fn in_the_middle(db: crate::support::backend::Db) -> Shop {
    let shop = Shop::with_fleet(
        db,
        "[services.web]\nmin_instances = 2\n[services.worker]\nmin_instances = 0\n",
    );
    let more = |number: usize, column: &str, version: &str| {
        shop.project.migration(
            &format!("{number:04}_{column}"),
            &[
                (
                    "migration.toml",
                    &format!("description = \"Add users.{column}\"\n[services.worker]\nnew = \">={version}\"\n"),
                ),
                ("expand.sql", &format!("ALTER TABLE users ADD COLUMN {column} TEXT;\n")),
            ],
        );
    };
    more(2, "email", "4.0.0");
    more(3, "phone", "5.0.0");
    shop.fleet(&[
        ("web", "server-1", "1.0.0"),
        ("web", "server-2", "1.0.0"),
        ("worker", "w-1", "3.0.0"),
    ]);
    shop.run(&["expand", "--up-to", "2"], 0);
    shop.fleet(&[
        ("web", "server-1", "1.1.0"),
        ("web", "server-2", "1.1.0"),
        ("worker", "w-1", "4.2.0"),
    ]);
    shop.run(&["backfill"], 0);
    shop
}

scenario!(
    fn status_as_text(db: Db) {
        let name = format!("status_{}", db.backend.name);
        let shop = in_the_middle(db);
        insta::assert_snapshot!(name, shop.project.migrate(&["status"]).snapshot());
    }
);

scenario!(
    fn status_before_anything(db: Db) {
        let name = format!("status_before_anything_{}", db.backend.name);
        let shop = Shop::with_name(db);
        insta::assert_snapshot!(name, shop.project.migrate(&["status"]).snapshot());
    }
);

scenario!(
    fn gate_as_text_and_json(db: Db) {
        let shop = in_the_middle(db);
        insta::assert_snapshot!(
            "gate_deploy_go",
            shop.project
                .migrate(&["gate", "deploy", "web=1.2.0"])
                .snapshot()
        );
        insta::assert_snapshot!(
            "gate_deploy_refused",
            shop.project
                .migrate(&["gate", "deploy", "web=1.2.0", "worker=5.0.0"])
                .snapshot()
        );
        insta::assert_snapshot!(
            "gate_contract_json",
            shop.project
                .migrate(&["gate", "contract", "1", "--output", "json"])
                .snapshot()
        );
    }
);

scenario!(
    fn contract_refused_as_text(db: Db) {
        let shop = in_the_middle(db);
        insta::assert_snapshot!(
            "contract_held",
            shop.project.migrate(&["contract", NAME]).snapshot()
        );
        shop.fleet(&[("web", "server-1", "1.1.0")]);
        insta::assert_snapshot!(
            "contract_unknown",
            shop.project.migrate(&["contract", NAME]).snapshot()
        );
        shop.db
            .execute("INSERT INTO users (full_name) VALUES ('Fay')");
        shop.fleet(&[("web", "server-1", "1.2.0"), ("web", "server-2", "1.2.0")]);
        insta::assert_snapshot!(
            "contract_refused",
            shop.project.migrate(&["contract", NAME]).snapshot()
        );
    }
);

#[test]
fn check_with_several_problems() {
    let project = Project::without_database(&["web"]);
    project.file(
        "migrate.toml",
        "[database]\nurl = \"sqlite://shop.db\"\nlock_timout = \"3s\"\n[services.web]\nmin_instances = \"two\"\n",
    );
    project.migration(
        NAME,
        &[
            (
                "migration.toml",
                &APPEND_ONLY
                    .replace("[services.web]", "[services.wbe]")
                    .replace(">=1.1.0", "=>1.1.0"),
            ),
            (
                "expand.sql",
                "ALTER TABLE users DROP COLUMN full_name;\nCREATE TABEL t (id INTEGER);\n",
            ),
            ("backfill.sql", "UPDATE users SET name = full_name;\n"),
        ],
    );
    insta::assert_snapshot!("check_problems", project.migrate(&["check"]).snapshot());
    insta::assert_snapshot!(
        "check_problems_json",
        project.migrate(&["check", "--output", "json"]).snapshot()
    );
}
