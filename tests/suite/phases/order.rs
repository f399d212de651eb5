//! Migrations that come below what is applied: a hotfix, or a branch that was merged late.

use crate::support::backend::Db;
use crate::support::project::Project;

const CONFIG: &str = "[services.web]\nmin_instances = 0\n";

fn table(project: &Project, name: &str) {
    let manifest = format!("description = \"{name}\"\n");
    let sql = format!("CREATE TABLE t_{name} (id INTEGER);\n");
    project.migration(name, &[("migration.toml", &manifest), ("expand.sql", &sql)]);
}

fn hotfix(db: &Db) -> Project {
    let project = Project::new(db, &[]);
    project.file("migrate.toml", CONFIG);
    table(&project, "0001_users");
    table(&project, "0004_d");
    project.migrate(&["expand"]).expect_code(0);
    table(&project, "0002_hotfix");
    table(&project, "0005_e");
    project
}

const LATE: &str = "0002_hotfix comes after 0004_d here, and before it on a new database";

scenario!(
    fn what_comes_below_is_said_wherever_somebody_looks(db: Db) {
        let project = hotfix(&db);
        let asked = project.migrate(&["gate", "expand", "2"]).expect_code(0);
        assert!(asked.stdout.contains(LATE), "{asked:?}");
        let asked = project.migrate(&["gate", "expand", "1"]).expect_code(0);
        assert!(!asked.stdout.contains("new database"), "{asked:?}");
        let status = project.migrate(&["status"]).expect_code(0);
        assert!(
            status.stdout.contains("0004_d was applied before it"),
            "{status:?}"
        );
        let checked = project.migrate(&["check"]).expect_code(0);
        assert_eq!(checked.stderr, "", "the files alone tell nothing of it");
        let checked = project.migrate(&["check", "--applied"]).expect_code(0);
        assert!(
            checked.stderr.contains("0002_hotfix comes after 0004_d"),
            "{checked:?}"
        );
        assert!(!checked.stderr.contains("0005_e"), "{checked:?}");
        let value = project
            .migrate(&["check", "--applied", "--output", "json"])
            .expect_code(0)
            .json();
        assert_eq!(value["applied"]["notes"].as_array().map(Vec::len), Some(1));
        let done = project.migrate(&["expand"]).expect_code(0);
        assert!(done.stdout.contains(LATE), "{done:?}");
        assert!(done.stdout.contains("expanded 0005_e"), "{done:?}");
        let log = project.migrate(&["log"]).expect_code(0);
        assert!(log.stdout.contains("out_of_order_after: 0004_d"), "{log:?}");
        project.migrate(&["log", "--verify"]).expect_code(0);
        // It is done, and there is nothing to say any more.
        let checked = project.migrate(&["check", "--applied"]).expect_code(0);
        assert_eq!(checked.stderr, "");
    }
);

scenario!(
    fn strict_order_refuses_it_until_it_has_another_number(db: Db) {
        let project = hotfix(&db);
        project.file(
            "migrate.toml",
            &format!("[project]\norder = \"strict\"\n{CONFIG}"),
        );
        let asked = project.migrate(&["gate", "expand", "2"]).expect_code(11);
        assert!(asked.stdout.contains(LATE), "{asked:?}");
        assert!(
            asked.stdout.contains("`migrate renumber 0002_hotfix`"),
            "{asked:?}"
        );
        let status = project.migrate(&["status"]).expect_code(0);
        assert!(!status.stdout.contains("safe now"), "{status:?}");
        project.migrate(&["check", "--applied"]).expect_code(1);
        let refused = project.migrate(&["expand"]).expect_code(11);
        assert!(refused.stdout.contains(LATE), "{refused:?}");
        assert!(db.try_execute("SELECT * FROM t_0005_e").is_err());
        // The advice works.
        let done = project.migrate(&["renumber", "0002_hotfix"]).expect_code(0);
        assert!(
            done.stdout.contains("0002_hotfix is 0006_hotfix now"),
            "{done:?}"
        );
        project.migrate(&["check", "--applied"]).expect_code(0);
        project.migrate(&["expand"]).expect_code(0);
        let status = project.migrate(&["status"]).expect_code(0);
        assert!(!status.stdout.contains("pending"), "{status:?}");
    }
);

scenario!(
    fn two_branches_with_one_number(db: Db) {
        let project = Project::new(&db, &[]);
        project.file("migrate.toml", CONFIG);
        table(&project, "0001_users");
        table(&project, "0002_a");
        project.migrate(&["expand"]).expect_code(0);
        table(&project, "0002_b");
        project.file("docs/notes.md", "first\nsee 0002_b for that\n");
        let broken = project.migrate(&["check"]).expect_code(1);
        assert!(
            broken.stderr.contains("`migrate renumber 0002_b`"),
            "{broken:?}"
        );
        let unclear = project.migrate(&["renumber", "2"]).expect_code(2);
        assert!(unclear.stderr.contains("0002_a or 0002_b"), "{unclear:?}");
        let applied = project.migrate(&["renumber", "0002_a"]).expect_code(11);
        assert!(
            applied.stderr.contains("is applied in this database"),
            "{applied:?}"
        );
        let taken = project
            .migrate(&["renumber", "0002_b", "--to", "1"])
            .expect_code(11);
        assert!(taken.stderr.contains("0001_users"), "{taken:?}");
        let done = project.migrate(&["renumber", "0002_b"]).expect_code(0);
        assert!(
            done.stdout.contains("docs/notes.md:2 still names 0002_b"),
            "{done:?}"
        );
        let last = project
            .migrate(&["renumber", "3", "--offline"])
            .expect_code(1);
        assert!(
            last.stderr.contains("there is nothing to renumber"),
            "{last:?}"
        );
        project.migrate(&["check"]).expect_code(0);
        let done = project.migrate(&["expand"]).expect_code(0);
        assert!(done.stdout.contains("expanded 0003_b"), "{done:?}");
    }
);

scenario!(
    fn numbers_may_be_moments(db: Db) {
        let project = Project::new(&db, &[]);
        project.file("migrate.toml", CONFIG);
        table(&project, "20260105103000_first");
        table(&project, "20260105103001_second");
        project.migrate(&["check"]).expect_code(0);
        project.migrate(&["expand"]).expect_code(0);
        let asked = project.migrate(&["gate", "expand", "20260105103000"]);
        asked.expect_code(0);
        project.migrate(&["log", "--verify"]).expect_code(0);
        let made = project.migrate(&["new", "third"]).expect_code(0);
        let year = jiff::Zoned::now().year().to_string();
        assert!(made.stdout.contains(&format!("wrote {year}")), "{made:?}");
    }
);
