//! Arguments, help and streams.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use crate::support::project::{Project, Signal};
use crate::support::shop::{NAME, Shop, said};
use crate::support::wait::GENEROUS;

/// The commands that a help text lists.
fn listed(help: &str) -> Vec<String> {
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    commands
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_command_explains_itself() {
    let project = Project::without_database(&["web"]);
    let help = project.migrate(&["--help"]).expect_code(0);
    assert!(help.stdout.contains("12  unknown"), "{help:?}");
    let commands = listed(&help.stdout);
    for name in [
        "init",
        "check",
        "status",
        "gate",
        "contract",
        "agent",
        "completions",
    ] {
        assert!(
            commands.iter().any(|command| command == name),
            "{name} in {commands:?}"
        );
    }
    let mut open: Vec<Vec<String>> = commands.into_iter().map(|command| vec![command]).collect();
    while let Some(command) = open.pop() {
        let mut arguments: Vec<&str> = command.iter().map(String::as_str).collect();
        arguments.push("--help");
        let help = project.migrate(&arguments).expect_code(0);
        assert!(
            help.stdout.contains("Usage: migrate"),
            "{command:?}: {help:?}"
        );
        assert!(help.stderr.is_empty(), "{command:?}: {help:?}");
        // Every argument and option has its explanation.
        let bare = help.stdout.lines().find(|line| {
            let line = line.trim_end();
            line.starts_with("      --")
                && line.ends_with('>')
                && !help.stdout.contains(&format!("{line}\n          "))
        });
        assert_eq!(bare, None, "{command:?}");
        open.extend(
            listed(&help.stdout)
                .into_iter()
                .map(|name| [command.clone(), vec![name]].concat()),
        );
    }
    let version = project.migrate(&["--version"]).expect_code(0);
    assert_eq!(
        version.stdout,
        format!("migrate {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn wrong_usage_is_exit_code_2_and_nothing_else() {
    let project = Project::without_database(&["web"]);
    for arguments in [
        &[][..],
        &["migrate"],
        &["status", "--outptu", "json"],
        &["status", "--output", "yaml"],
        &["gate"],
        &["gate", "deploy"],
        &["gate", "deploy", "web=1.0.0", "web"],
        &["contract", "--wait", "soon"],
        &["contract", "--wait", "0s"],
        &["contract", "--wait", "99999999999999999d"],
        &["expand", "1", "--up-to", "2"],
        &["agent", "--service", "web", "--version", "1.0.0"],
        &["resolve", "1", "--step", "x", "--applied"],
        &["status", "-q", "-v"],
        &["new"],
        &["completions", "tcsh"],
    ] {
        let wrong = project.migrate(arguments);
        assert_eq!(wrong.code, 2, "{arguments:?}: {wrong:?}");
        assert!(wrong.stdout.is_empty(), "{arguments:?}: {wrong:?}");
        assert!(!wrong.stderr.is_empty(), "{arguments:?}");
    }
    let close = project.migrate(&["statsu"]).expect_code(2);
    assert!(close.stderr.contains("'status'"), "{close:?}");
}

scenario!(
    fn an_unknown_migration_is_answered_with_the_ones_there_are(db: Db) {
        let shop = Shop::with_name(db);
        for (id, suggestion) in [("0001_nmae", NAME), ("name", NAME), ("7", "0001_name")] {
            for command in ["expand", "backfill", "contract", "revert"] {
                let unknown = shop.run(&[command, id], 2);
                assert!(
                    said(&unknown).contains(&format!("no migration `{id}`")),
                    "{unknown:?}"
                );
                assert!(said(&unknown).contains(suggestion), "{unknown:?}");
            }
            shop.run(&["gate", "contract", id], 2);
            shop.run(&["expand", "--up-to", id], 2);
        }
        let json = shop.json(&["contract", "0001_nmae"], 2);
        assert!(json["error"]["message"].is_string(), "{json}");
        for id in ["1", "01", "0001", "0001_name"] {
            shop.run(&["gate", "expand", id], 0);
        }
    }
);

scenario!(
    fn a_project_can_be_named_from_anywhere(db: Db) {
        let shop = Shop::with_fleet(db, "[services.web]\nmin_instances = 0\n");
        let path = shop.project.path();
        let elsewhere = Project::new(&shop.db, &[]);
        let elsewhere_is_empty = elsewhere.path().join("migrate.toml");
        std::fs::remove_file(&elsewhere_is_empty).expect("the file of a new project");
        let failed = elsewhere.migrate(&["status"]).expect_code(1);
        assert!(said(&failed).contains("migrate.toml"), "{failed:?}");
        let path = path.to_str().expect("a path of letters");
        elsewhere.migrate(&["-C", path, "status"]).expect_code(0);
        elsewhere
            .migrate(&["status", "--project", path])
            .expect_code(0);
        // Sources run in the project, too.
        shop.fleet(&[("web", "a", "1.0.0")]);
        let fleet = elsewhere.migrate(&["fleet", "-C", path]).expect_code(0);
        assert!(fleet.stdout.contains("1.0.0"), "{fleet:?}");
        let failed = elsewhere
            .migrate(&["-C", "nowhere", "status"])
            .expect_code(1);
        assert!(failed.stderr.contains("nowhere"), "{failed:?}");
    }
);

scenario!(
    fn quiet_is_quiet_but_for_errors_and_results(db: Db) {
        let shop = Shop::backfilled(db);
        let _old = shop.instance("1.1.0", "server-1");
        let held = shop.run(&["contract", NAME, "--wait", "2s", "-q"], 11);
        assert_eq!(held.stderr, "", "{held:?}");
        assert!(held.stdout.contains("web 1.1.0"), "{held:?}");
        let loud = shop.run(&["contract", NAME, "--wait", "2s"], 11);
        assert!(loud.stderr.contains("waiting"), "{loud:?}");
        assert!(!shop.run(&["-q", "contract", "9"], 2).stderr.is_empty());
    }
);

/// These many additive migrations, and more that wait for nobody.
fn many(shop: &Shop, numbers: std::ops::RangeInclusive<usize>) {
    for number in numbers {
        shop.project.migration(
            &format!("{number:04}_more"),
            &[
                ("migration.toml", "description = \"More\"\n"),
                ("expand.sql", &format!("CREATE TABLE t{number} (id INT);\n")),
            ],
        );
    }
}

scenario!(
    fn what_went_well_is_told_in_sums_and_to_those_who_want_it(db: Db) {
        let shop = Shop::new(db);
        many(&shop, 1..=3);
        let few = shop.run(&["expand"], 0).stdout;
        assert_eq!(few.lines().count(), 3, "{few}");
        assert!(few.contains("expanded 0002_more (1 statement"), "{few}");
        many(&shop, 4..=15);
        let many_of_them = shop.run(&["expand"], 0).stdout;
        assert_eq!(many_of_them.lines().count(), 1, "{many_of_them}");
        assert!(
            many_of_them.contains("expanded 12 migrations, 0004_more to 0015_more ("),
            "{many_of_them}"
        );
        many(&shop, 16..=30);
        let each = shop.run(&["expand", "--verbose"], 0).stdout;
        assert_eq!(each.lines().count(), 15, "{each}");
        many(&shop, 31..=50);
        let quiet = shop.run(&["expand", "-q"], 0);
        assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
        // What went wrong is told by itself, after what went well before it.
        many(&shop, 51..=70);
        shop.project
            .file("0065_more/expand.sql", "CREATE TABLE t1 (id INT);\n");
        let failed = shop.run(&["expand"], 1);
        assert!(
            failed
                .stdout
                .contains("expanded 14 migrations, 0051_more to 0064_more ("),
            "{failed:?}"
        );
        assert!(failed.stderr.contains("t1"), "{failed:?}");
        let all = shop.json(&["status"], 0);
        assert_eq!(all["migrations"].as_array().map(Vec::len), Some(70));
    }
);

scenario!(
    fn status_is_shown_again_when_something_has_changed(db: Db) {
        let shop = Shop::with_name(db);
        let mut text = shop.project.spawn(&["status", "--watch"]);
        let mut json = shop
            .project
            .spawn(&["status", "--watch", "--output", "json"]);
        text.wait_for_line("0001_name  pending", GENEROUS);
        json.wait_for_line("\"phase\":\"pending\"", GENEROUS);
        shop.run(&["expand"], 0);
        text.wait_for_line("0001_name  expanded", GENEROUS);
        json.wait_for_line("\"phase\":\"expanded\"", GENEROUS);
        for process in [&text, &json] {
            process.signal(Signal::INT);
        }
        let text = text.wait().expect_code(130);
        assert!(!text.stdout.contains('\u{1b}'), "{text:?}");
        for line in json.wait().expect_code(130).stdout.lines() {
            let value: serde_json::Value = serde_json::from_str(line).expect("an object a line");
            assert!(value["migrations"].is_array(), "{line}");
        }
    }
);

#[test]
fn a_watched_status_takes_the_place_of_the_one_before_on_a_terminal() {
    let shop = Shop::with_name(crate::support::backend::Db::on("sqlite"));
    let mut watched = shop.project.spawn_in_terminal(100, &["status", "--watch"]);
    watched.wait_for_line("migrate expand", GENEROUS);
    shop.run(&["expand"], 0);
    watched.wait_for_line("migrate backfill", GENEROUS);
    watched.signal(Signal::INT);
    let shown = watched.wait().expect_code(130).stdout;
    assert!(shown.matches("\u{1b}[H\u{1b}[2J").count() >= 2, "{shown:?}");
}

scenario!(
    fn json_is_one_document_on_standard_output_whatever_happens(db: Db) {
        let shop = Shop::with_fleet(db, "[services.web]\nmin_instances = 0\n");
        for (arguments, code) in [
            (&["check"][..], 0),
            (&["expand"], 0),
            (&["backfill"], 0),
            (&["status"], 0),
            (&["fleet"], 0),
            (&["log"], 0),
            (&["log", "--verify"], 0),
            (&["gate", "deploy", "web=1.1.0"], 0),
            (&["contract", "--dry-run"], 0),
            (&["contract", "9"], 2),
            (&["gate", "deploy", "wbe=1.0.0"], 2),
            (&["gate", "deploy", "web=main"], 12),
            (&["resolve", "1", "--step", "1", "--applied"], 1),
            (
                &[
                    "admit",
                    "--service",
                    "web",
                    "--version",
                    "1.1.0",
                    "--for",
                    "10m",
                ],
                0,
            ),
            // What was let in for a while goes by itself.
            (&["revert", "1"], 10),
            (&["new", "more"], 0),
        ] {
            let json = shop.json(arguments, code);
            assert!(json.is_object(), "{arguments:?}: {json}");
            if !matches!(code, 0 | 10 | 11) {
                assert!(
                    json["error"]["message"].is_string(),
                    "{arguments:?}: {json}"
                );
            }
        }
    }
);

#[test]
fn completions_are_made_for_every_shell() {
    let project = Project::without_database(&["web"]);
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = project.migrate(&["completions", shell]).expect_code(0);
        assert!(script.stdout.contains("PHASEGATE_COMPLETE"), "{shell}");
    }
    project.file(
        "complete.bash",
        &project.migrate(&["completions", "bash"]).stdout,
    );
    let mut checked = project.spawn_program("bash", &["-n", "complete.bash"]);
    checked.has_ended();
    checked.wait().expect_code(0);
}

/// What the script is told at a Tab, of which the last word is being typed.
#[test]
fn a_shell_is_told_of_migrations_services_and_releases() {
    let project = Project::without_database(&[]);
    project.file(
        "shop/migrate.toml",
        "[services.web]\nreleases = [\"1.0.0\", \"1.1.0\"]\n[services.worker]\n",
    );
    for id in ["0001_first", "0002_second"] {
        project.file(format!("shop/{id}/migration.toml"), "");
    }
    for (words, told, untold) in [
        (
            &["contract", ""][..],
            &["0001_first", "0002_second"][..],
            "web",
        ),
        (&["contract", "0002"], &["0002_second"], "0001_first"),
        (&["log", "--migration", ""], &["0001_first"], "web"),
        (
            &["gate", "deploy", "w"],
            &["web=1.0.0", "web=1.1.0", "worker="],
            "0001_first",
        ),
        (
            &["agent", "--service", ""],
            &["web", "worker"],
            "0001_first",
        ),
        (&["con"], &["contract"], "completions"),
    ] {
        let line = [&["migrate", "-C", "shop"], words].concat();
        let asked = Command::new(env!("CARGO_BIN_EXE_migrate"))
            .arg("--")
            .args(&line)
            .current_dir(project.path())
            .env("PHASEGATE_COMPLETE", "bash")
            .env("_CLAP_COMPLETE_INDEX", (line.len() - 1).to_string())
            .env("_CLAP_IFS", "\n")
            .output()
            .expect("migrate starts");
        assert!(asked.stderr.is_empty(), "{asked:?}");
        let candidates = String::from_utf8_lossy(&asked.stdout).into_owned();
        let candidates: Vec<&str> = candidates.lines().map(str::trim).collect();
        for candidate in told {
            assert!(candidates.contains(candidate), "{words:?}: {candidates:?}");
        }
        assert!(!candidates.contains(&untold), "{words:?}: {candidates:?}");
    }
}

#[test]
fn the_manual_has_a_page_for_each_command() {
    let project = Project::without_database(&[]);
    project.migrate(&["man", "share/man1"]).expect_code(0);
    let page = |name: &str| {
        let path = project.path().join("share/man1").join(name);
        std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    assert!(page("migrate.1").contains("Exit codes"));
    assert!(page("migrate-contract.1").contains("\\-\\-wait"));
    let help = project.migrate(&["--help"]).expect_code(0);
    for command in listed(&help.stdout) {
        assert!(
            page(&format!("migrate-{command}.1")).starts_with(".ie"),
            "{command}"
        );
    }
}

/// As in `migrate log | head -1`: nobody reads on, and that is no error.
#[test]
fn a_closed_pipe_ends_a_command_quietly() {
    let shop = Shop::backfilled(crate::support::backend::Db::on("sqlite"));
    let leases: String = (0..3000)
        .map(|number| {
            format!("{{\"service\":\"web\",\"instance\":\"i\",\"version\":\"1.1.{number}\"}}\n")
        })
        .collect();
    shop.project.file(
        "migrate.toml",
        "[services.web]\n[fleet]\nsources = [{ kind = \"command\", run = [\"cat\", \"fleet.jsonl\"] }]\n",
    );
    shop.fleet_text(&leases);
    for arguments in [
        &["fleet"][..],
        &["fleet", "--output", "json"],
        &["completions", "bash"],
        &["log"],
    ] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_migrate"))
            .args(arguments)
            .arg("-C")
            .arg(shop.project.path())
            .env("DATABASE_URL", &shop.db.url)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("migrate starts");
        let mut first = String::new();
        let mut stdout = BufReader::with_capacity(16, child.stdout.take().expect("a pipe"));
        if arguments.len() == 1 {
            stdout.read_line(&mut first).expect("a line");
        }
        drop(stdout);
        let output = child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("panicked"), "{arguments:?}: {said}");
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {said}");
    }
    // Nor is a help text that nobody wants to see.
    let mut child = Command::new(env!("CARGO_BIN_EXE_migrate"))
        .arg("--help")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("migrate starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert!(output.stderr.is_empty(), "{output:?}");
}

/// A wrong answer would be recorded for good.
#[test]
fn what_took_effect_is_not_answered_by_the_usage() {
    let project = Project::without_database(&["web"]);
    let asked = project
        .migrate(&["resolve", "2", "--step", "1"])
        .expect_code(2);
    for part in [
        "`migrate resolve 2 --step 1 --applied`",
        "`migrate resolve 2 --step 1 --not-applied`",
        "nothing of it is there",
    ] {
        let said = asked
            .stderr
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        let said = said.replace("│ ", "");
        assert!(said.contains(part), "{part} in {said}");
    }
}
