//! What goes out: text of others is shown as data and never steers what shows it, and JSON stays exact.

use crate::support::backend::Db;
use crate::support::project::{Output, Project};
use crate::support::shop::{NAME, Shop};

/// What somebody would write who wants a reader to see something else: a verdict of its own, commands to a pipeline, an escape
/// sequence, a turned direction, something without a width, and other ends of a line.
pub const EVIL: &str = "i\n::set-output name=verdict::go\r##[error]x\u{1b}[2J\u{9b}1m\u{202e}ba\u{200b}c\u{2028}d\u{85}e\u{0}";

/// The same without what a database or a command line cannot hold.
fn evil() -> String {
    EVIL.replace('\u{0}', "")
}

#[track_caller]
fn is_tame(output: &Output) {
    for text in [&output.stdout, &output.stderr] {
        for line in text.split('\n') {
            let steers = line
                .chars()
                .any(|c| c.is_control() || "\u{202e}\u{200b}\u{2028}".contains(c));
            assert!(!steers, "{line:?} in {output:?}");
            assert!(!line.trim_start().starts_with("::"), "{output:?}");
            assert!(!line.contains("##["), "{output:?}");
        }
    }
}

#[track_caller]
fn shows(shop: &Shop, arguments: &[&str], what: &str) {
    let output = shop.project.migrate(arguments);
    is_tame(&output);
    let all = format!("{}{}", output.stdout, output.stderr);
    assert!(all.contains(what), "{arguments:?}: {what} in {output:?}");
}

const VISIBLE: &str = "\\n::set-output name=verdict::go\\r#\\u{23}[error]x\\u{1b}[2J\\u{9b}1m\\u{202e}ba\\u{200b}c\\u{2028}d\\u{85}e";

scenario!(
    fn names_and_reasons_of_others_are_data(db: Db) {
        let shop = Shop::with_config(db, "[services.web]\nmin_instances = 1\n");
        shop.name_migration(crate::support::shop::APPEND_ONLY);
        shop.run(&["expand"], 0);
        let evil = evil();
        let admit = |instance| {
            [
                "admit",
                "--service",
                "web",
                "--version",
                "1.0.0",
                "--instance",
                instance,
            ]
        };
        // Nobody comes by such a name through the door.
        let refused = shop.project.migrate(&admit(&evil)).expect_code(1);
        is_tame(&refused);
        shop.run(&admit("server-1"), 0);
        shop.db.execute(&format!(
            "UPDATE {} SET instance = '{evil}'",
            shop.db.ledger("leases")
        ));
        shows(&shop, &["fleet"], VISIBLE);
        shows(&shop, &["gate", "backfill", NAME], VISIBLE);
        shows(&shop, &["gate", "deploy", "web=1.2.0"], "go");
        for command in [
            &["status"][..],
            &["plan", "--to", "web=1.2.0"],
            &["contract"],
            &["contract", "--dry-run"],
        ] {
            is_tame(&shop.project.migrate(command));
        }
        // Exact where a program reads it.
        let fleet = shop.json(&["fleet"], 0);
        assert_eq!(fleet["fleet"][0]["examples"][0], evil.as_str());
        // A reason that is recorded, and an actor.
        shop.db
            .execute(&format!("DELETE FROM {}", shop.db.ledger("leases")));
        is_tame(
            &shop
                .project
                .migrate(&["backfill", "--accept-unknown", &evil]),
        );
        is_tame(
            &shop
                .project
                .migrate(&["contract", "--accept-unknown", &evil]),
        );
        shows(&shop, &["log"], VISIBLE);
        let log = shop.run(&["log"], 0).stdout;
        let events = shop.json(&["log"], 0)["events"].as_array().map(Vec::len);
        assert_eq!(Some(log.lines().count()), events, "{log}");
    }
);

scenario!(
    fn what_a_source_prints_is_data(db: Db) {
        let shop = Shop::with_fleet(db, "[services.web]\nmin_instances = 0\n");
        shop.run(&["expand"], 0);
        let line = |instance: &str, version: &str| {
            serde_json::json!({ "service": "web", "instance": instance, "version": version })
                .to_string()
        };
        shop.fleet_text(&line(EVIL, "1.0.0"));
        shows(&shop, &["fleet"], &format!("{VISIBLE}\\u{{0}}"));
        shop.fleet_text(&line("server-1", EVIL));
        shows(&shop, &["fleet"], VISIBLE);
        shows(&shop, &["gate", "backfill", NAME], VISIBLE);
        let service = serde_json::json!({ "service": EVIL, "instance": "a", "version": "1" });
        shop.fleet_text(&service.to_string());
        shows(&shop, &["fleet"], VISIBLE);
        for verbose in ["-v", "-vv", "-vvv"] {
            is_tame(&shop.project.migrate(&["fleet", verbose]));
        }
        shop.fleet_text(EVIL);
        shows(&shop, &["fleet"], "line 1 of its output");
    }
);

scenario!(
    fn what_a_program_says_when_it_fails_is_data_and_holds_no_secret(db: Db) {
        let said = r#"printf 'x\033[2J\033]0;t\007 seen: postgres://u:M1grSecret@h/x token=M1grSecret' >&2; exit 1"#;
        let config = format!(
            "[services.web]\nmin_instances = 1\n[fleet]\nsources = [{{ kind = \"command\", name = \"list\", run = [\"sh\", \"-c\", {}] }}]\n",
            toml_text(said)
        );
        let shop = Shop::with_config(db, &config);
        shop.name_migration(crate::support::shop::APPEND_ONLY);
        shop.run(&["expand"], 0);
        for command in [
            &["fleet"][..],
            &["gate", "contract", NAME],
            &["backfill", "--accept-unknown", "because"],
            &["log"],
            &["log", "--output", "json"],
            &["fleet", "-vvv"],
        ] {
            let output = shop.project.migrate(command);
            is_tame(&output);
            let all = format!("{}{}", output.stdout, output.stderr);
            assert!(!all.contains("M1grSecret"), "{output:?}");
        }
        let events = shop
            .db
            .query(&format!("SELECT detail FROM {}", shop.db.ledger("events")));
        assert!(!format!("{events:?}").contains("M1grSecret"), "{events:?}");
    }
);

scenario!(
    fn programs_get_no_credentials_unless_they_ask(db: Db) {
        const PRINT: &str = "env | sed -n 's/^\\(DATABASE_URL\\|PGPASSWORD\\|MYSQL_PWD\\|KEPT\\)=.*/\\1/p' | sort | tr '\\n' ' ' >>seen; echo >>seen";
        for (asked, seen) in [
            ("", "KEPT "),
            (
                ", env = [\"DATABASE_URL\", \"PGPASSWORD\"]",
                "DATABASE_URL KEPT PGPASSWORD ",
            ),
        ] {
            let copy = db.copy();
            let config = format!(
                "[services.web]\nreleases = [\"1.0.0\"]\nmin_instances = 0\n[fleet]\nsources = [{{ kind = \"command\", \
                 run = [\"sh\", \"list.sh\"]{asked} }}]\n[rollout]\ntimeout = \"1s\"\ndriver = {{ kind = \"command\", run = \
                 [\"sh\", \"roll.sh\"]{asked} }}\n"
            );
            let shop = Shop::with_config(copy, &config);
            shop.project
                .file("list.sh", &format!("{PRINT}; echo '{{\"service\":\"web\",\"instance\":\"a\",\"version\":\"0.9.0\"}}'"))
                .file("roll.sh", &format!("echo rolled >>seen; {PRINT}; exit 1"));
            for (name, value) in [("PGPASSWORD", "a"), ("MYSQL_PWD", "b"), ("KEPT", "c")] {
                shop.project.env(name, value);
            }
            shop.run(&["expand"], 0);
            shop.project
                .migrate(&["rollout", "--to", "web=1.0.0"])
                .expect_code(1);
            let text =
                std::fs::read_to_string(shop.project.path().join("seen")).expect("it was called");
            let lines: Vec<&str> = text.lines().filter(|line| *line != "rolled").collect();
            assert!(text.contains("rolled"), "{text}");
            assert!(lines.iter().all(|line| *line == seen), "{text}");
        }
    }
);

#[test]
fn of_a_holders_statement_only_its_kind_is_told() {
    let db = Db::on("postgres");
    let shop = Shop::with_config(
        db,
        "[services.web]\nmin_instances = 0\n[database]\nlock_timeout = \"2s\"\nlock_retry_for = \"3s\"\n",
    );
    shop.name_migration(crate::support::shop::APPEND_ONLY);
    let mut holder = shop.db.connect();
    holder.execute("BEGIN");
    holder.execute("LOCK TABLE users");
    holder.execute("SELECT 'password' AS m1grsecret");
    let output = shop.project.migrate(&["expand"]);
    assert_ne!(output.code, 0);
    let all = format!("{}{}", output.stdout, output.stderr);
    assert!(all.contains("last statement: SELECT"), "{all}");
    assert!(!all.contains("m1grsecret"), "{all}");
}

fn toml_text(text: &str) -> String {
    format!("'''{text}'''")
}

#[test]
fn what_the_user_and_the_files_say_is_data() {
    let project = Project::without_database(&["web"]);
    let evil = evil();
    for arguments in [
        &[evil.as_str()][..],
        &["gate", "deploy", &evil],
        &["gate", "contract", &evil],
        &["plan", "--to", &format!("web={evil}")],
        &[
            "plan",
            "--from",
            "web=1.0.0",
            "--to",
            &format!("web={evil}"),
        ],
        &["status", "--database-url", &evil],
        &["status", "--database-url-file", &evil],
        &["status", "-C", &evil],
        &["new", &evil],
    ] {
        let output = project.migrate(arguments);
        assert_ne!(output.code, 0, "{output:?}");
        is_tame(&output);
    }
    project.env("DATABASE_URL", "sqlite://a.db");
    project.migration(
        "0001_a",
        &[
            (
                "migration.toml",
                "description = \"a\"\nodd\u{202e}\u{1b} = 1\n[services.\"w\\n::x\"]\nold = \"x\"\n",
            ),
            (
                "expand.sql",
                "CREATE TABLE \u{1b}[2J\u{202e}::x (id INTEGER);\n##[error]\n",
            ),
        ],
    );
    for (command, code) in [
        (&["check"][..], 1),
        (&["status"], 0),
        (&["check", "-vvv"], 1),
    ] {
        let output = project.migrate(command);
        assert_eq!(output.code, code, "{output:?}");
        is_tame(&output);
    }
}

#[test]
fn a_long_line_is_cut_around_what_is_wrong() {
    let project = Project::without_database(&["web"]);
    project.env("DATABASE_URL", "sqlite://a.db");
    let long = "x".repeat(200_000);
    project.migration(
        "0001_a",
        &[
            (
                "migration.toml",
                &format!("description = \"{long}\" {long}\n{long} = 1\n"),
            ),
            ("expand.sql", &format!("CREATE TABLE {long} (;{long}\n")),
        ],
    );
    let output = project.migrate(&["check"]).expect_code(1);
    assert!(!output.stderr.contains("panicked"), "{output:?}");
    assert!(output.stderr.len() < 50_000, "{}", output.stderr.len());
    project.migration(
        "0001_a",
        &[
            ("migration.toml", "description = \"a\"\n[services.web]\nnew = \">=1.0.0\"\n"),
            ("expand.sql", &format!("CREATE TABLE a (id INTEGER CHECK (id <> '{long}') nonsense nonsense, {long} TEXT;\n")),
        ],
    );
    let output = project.migrate(&["expand"]).expect_code(11);
    assert!(!output.stderr.contains("panicked"), "{output:?}");
    let length = output.stdout.len() + output.stderr.len();
    assert!(length < 50_000, "{length}");
}

/// The password of the database, in whatever form and wherever it gets into what we say or keep.
#[test]
fn the_password_of_the_database_is_kept_nowhere() {
    const FORMS: [&str; 6] = [
        "S3cr3t/Wörd!x",
        "S3cr3t%2FW%C3%B6rd%21x",
        "S3cr3t%2fW%c3%b6rd!x",
        // Its base64, alone and as `bob:` and it; and its bytes.
        "UzNjcjN0L1fDtnJkIXg=",
        "Ym9iOlMzY3IzdC9Xw7ZyZCF4",
        "5333637233742f57c3b672642178",
    ];
    let db = Db::on("postgres");
    let url = db.url.replacen(
        "postgres://postgres@",
        "postgres://postgres:S3cr3t%2FW%C3%B6rd!x@",
        1,
    );
    assert_ne!(url, db.url);
    let said = FORMS.join(" ");
    let config = format!(
        "[services.web]\nmin_instances = 1\n[fleet]\nsources = [{{ kind = \"command\", name = \"list\", run = [\"sh\", \"-c\", {}] }}]\n",
        toml_text(&format!("printf '%s' '{said}' >&2; exit 1"))
    );
    let shop = Shop::with_config(db, &config);
    shop.project.env("DATABASE_URL", &url);
    shop.name_migration(crate::support::shop::APPEND_ONLY);
    shop.run(&["expand"], 0);
    let lease = [
        "admit",
        "--service",
        "web",
        "--version",
        "1.1.0",
        "--instance",
        "a",
        "--for",
        "1h",
    ];
    shop.run(&lease, 0);
    let of_another = format!(
        "because psql postgres://me:{0}@other/x said {said}",
        "An0therOne"
    );
    let wrong = url.replace("postgres://", "postgres:");
    for command in [
        &["fleet"][..],
        &["gate", "contract", NAME],
        &["backfill", "--accept-unknown", &of_another],
        &["contract", "--accept-unknown", &of_another],
        &["fleet", "forget", "a", "--reason", &of_another],
        &["status", &url],
        &["status", "--database-url", &wrong],
        &["show", &of_another],
        &["gate", "deploy", &of_another],
        &["log"],
        &["log", "--output", "json"],
        &["fleet", "-vvvv"],
    ] {
        let output = shop.project.migrate(command);
        let all = format!("{}{}", output.stdout, output.stderr);
        for form in FORMS.iter().chain(&["An0therOne"]) {
            assert!(
                !all.contains(form.trim_end_matches('=')),
                "{form}: {output:?}"
            );
        }
    }
    let events = shop
        .db
        .query(&format!("SELECT detail FROM {}", shop.db.ledger("events")));
    let events = format!("{events:?}");
    assert!(events.contains("because psql"), "{events}");
    for form in FORMS.iter().chain(&["An0therOne"]) {
        assert!(
            !events.contains(form.trim_end_matches('=')),
            "{form}: {events}"
        );
    }
}
