//! `migrate new NAME --split-table …`: the new table has what the old one has, to the collation of its texts.

use crate::support::backend::Db;
use crate::support::project::Project;
use crate::support::shop::Shop;

const RANGES: [&str; 4] = ["--old", "<1.2.0", "--new", ">=1.2.0"];

fn split(project: &Project) {
    let asked = ["new", "nicks", "--split-table", "users.nick=nicks"];
    let arguments: Vec<&str> = asked.into_iter().chain(RANGES).collect();
    project.migrate(&arguments).expect_code(0);
}

/// A project without a database of this kind.
fn without_database(dialect: &str) -> Project {
    let project = Project::without_database(&[]);
    project.file(
        "migrate.toml",
        &format!("[database]\ndialects = [\"{dialect}\"]\n[services.web]\nmin_instances = 0\n"),
    );
    project
}

#[test]
fn values_of_another_collation_fit_into_the_new_table() {
    let db = Db::on("mysql");
    let shop = Shop::with_config(db, "[services.web]\nmin_instances = 0\n");
    shop.db.execute(
        "ALTER TABLE users ADD COLUMN nick varchar(50); ALTER TABLE users CONVERT TO CHARACTER SET latin1 COLLATE latin1_general_cs",
    );
    shop.db
        .execute("UPDATE users SET nick = 'A' WHERE full_name < 'C'");
    split(&shop.project);
    shop.run(&["check"], 0);
    shop.run(&["expand"], 0);
    shop.run(&["backfill"], 0);
    let collations = "SELECT count(DISTINCT collation_name) FROM information_schema.columns \
        WHERE table_schema = DATABASE() AND table_name IN ('users', 'nicks') AND column_name = 'nick'";
    assert_eq!(shop.db.value(collations), "1");
    // A join of both is no illegal mix of collations.
    shop.db
        .value("SELECT count(*) FROM users u JOIN nicks n ON u.nick = n.nick");
}

/// By the files alone, as whoever writes the declaration by hand has it.
#[test]
fn a_new_table_of_another_character_set_is_refused() {
    let project = without_database("mysql");
    project.migration(
        "0001_users",
        &[
            (
                "migration.toml",
                "description = \"Users\"\n[services.web]\nnew = \">=1.0.0\"\n",
            ),
            (
                "expand.sql",
                "CREATE TABLE users (id bigint PRIMARY KEY, nick varchar(50)) ENGINE = InnoDB DEFAULT CHARSET = latin1;\n",
            ),
        ],
    );
    split(&project);
    project.migrate(&["check"]).expect_code(0);
    let path = project.path().join("0002_nicks/migration.toml");
    let text = std::fs::read_to_string(&path).expect("it was written");
    let without = text.replace(" CHARACTER SET latin1", "");
    assert_ne!(text, without);
    project.file("0002_nicks/migration.toml", &without);
    let output = project.migrate(&["check"]).expect_code(1);
    assert!(
        output
            .stderr
            .contains("`nick` of `users` is CHARACTER SET latin1"),
        "{output:?}"
    );
}

#[test]
fn what_is_not_known_is_asked_for() {
    let project = without_database("postgres");
    let asked = [
        "new",
        "nicks",
        "--split-table",
        "users.nick=nicks",
        "--key",
        "id",
    ];
    let output = project.migrate(&asked).expect_code(1);
    assert!(
        output
            .stderr
            .contains("the type of `users.id` on PostgreSQL is not known"),
        "{output:?}"
    );
    assert!(output.stderr.contains("--database-url"), "{output:?}");
    // Of a table with partitions PostgreSQL builds no index beside writers.
    project.migration(
        "0001_events",
        &[
            (
                "migration.toml",
                "description = \"Events\"\n[services.web]\nnew = \">=1.0.0\"\n",
            ),
            (
                "expand.sql",
                "CREATE TABLE events (id bigint, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);\n",
            ),
        ],
    );
    let asked = [
        "new",
        "by_at",
        "--add-index",
        "events.at",
        "--new",
        ">=1.1.0",
    ];
    let output = project.migrate(&asked).expect_code(1);
    assert!(output.stderr.contains("ON ONLY events"), "{output:?}");
}
