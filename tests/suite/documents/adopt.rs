//! docs/adopt.md, walked from an empty folder: each command that it shows, in its order, with what it shows of the answers.

use super::blocks::code_of;
use super::read;
use super::shell::calls_of_migrate;
use crate::support::project::{Output, Process, Project, SESSIONS_OF_TESTS, Signal};
use crate::support::shop::{APPEND_ONLY, BACKFILL, CONTRACT, EXPAND, REVERT, Shop};
use crate::support::wait::{GENEROUS, eventually, poll};

/// The commands of the page's blocks, in order, without `migrate`.
fn shown() -> Vec<String> {
    let (blocks, _) = code_of(&read("docs/adopt.md"));
    let scripts = blocks.iter().filter_map(|block| match &*block.language {
        "sh" => Some(block.text.clone()),
        // Of what a terminal shows, what was typed.
        "console" => {
            let typed = block
                .text
                .lines()
                .filter_map(|line| line.strip_prefix("$ "));
            Some(typed.map(|line| format!("{line}\n")).collect())
        }
        _ => None,
    });
    let calls = scripts.flat_map(|script| calls_of_migrate(&script).expect("a script"));
    calls.map(|words| words.join(" ")).collect()
}

/// The page's block that begins with this command, without it.
fn answer(command: &str) -> String {
    let page = read("docs/adopt.md");
    let (_, rest) = page
        .split_once(&format!("```console\n$ {command}\n"))
        .unwrap_or_else(|| panic!("docs/adopt.md shows no `{command}`"));
    rest.split("```").next().expect("its end").to_owned()
}

/// The words of a text without the ages in it.
fn words(text: &str) -> Vec<&str> {
    let is_age = |word: &&str| word.parse::<u64>().is_ok() || ["ms", "s"].contains(word);
    text.split_whitespace()
        .filter(|word| !is_age(word))
        .collect()
}

/// They go as a rollout lets them go.
fn ended(fleet: [Process; 2]) {
    for instance in fleet {
        instance.signal(Signal::TERM);
        instance.wait();
    }
}

scenario!(
    fn the_page_on_adopting_is_walked_as_it_stands(db: Db) {
        assert_eq!(
            shown(),
            [
                "fleet",
                "adopt --baseline",
                "new split_full_name",
                "check",
                "plan --to web=1.1.0",
                "expand",
                "gate contract 1",
            ],
            "the page shows other commands than are tried here"
        );
        let shop = Shop::new(db);
        let project: &Project = &shop.project;
        let path = |name: &str| project.path().join(name);
        let run = |command: &str, code: i32| -> Output {
            let words: Vec<&str> = command.split(' ').collect();
            project.migrate(&words).expect_code(code)
        };
        std::fs::remove_file(path("migrate.toml")).expect("an empty folder");
        run("init", 0);
        let config = std::fs::read_to_string(path("migrate.toml")).expect("it was written");
        let config = config.replace("min_instances = 1", "min_instances = 2\nmin_ready = \"0s\"");
        // What `init` writes speaks of sessions, and of those of other tests on the same server nothing does.
        project.file("migrate.toml", &format!("{config}{SESSIONS_OF_TESTS}"));
        let nobody = answer("migrate fleet");
        let first = nobody.lines().next().expect("a line");
        let fleet = run("fleet", 0).stdout;
        assert!(fleet.starts_with(first), "{fleet}");
        let adopted = run("adopt --baseline", 0).stdout;
        assert!(adopted.contains("nothing of it was run"), "{adopted}");
        run("expand", 0);
        let start = |version: &str| {
            let fleet = ["web-1", "web-2"].map(|name| shop.instance(version, name));
            // Who has just come proves nothing yet.
            eventually(GENEROUS, || {
                let fleet = shop.json(&["fleet"], 0);
                let groups = fleet["fleet"].as_array().expect("a list").clone();
                let are_there = groups.iter().all(|group| {
                    group["version"] == version
                        && group["state"] == "serving"
                        && group["instances"] == 2
                });
                (are_there && !groups.is_empty()).then_some(())
            });
            fleet
        };
        let fleet = start("1.0.0");
        run("gate deploy web=1.0.0 --record", 0);
        run("new split_full_name", 0);
        // Nothing is filled in.
        run("check", 1);
        let name = "0001_split_full_name";
        let manifest = format!("{APPEND_ONLY}[contract]\nsoak = \"1ms\"\n");
        let files = [
            ("migration.toml", &*manifest),
            ("expand.sql", EXPAND),
            ("backfill.sql", BACKFILL),
            ("contract.sql", CONTRACT),
            ("revert.sql", REVERT),
        ];
        for (file, text) in files {
            assert!(path(name).join(file).exists(), "`new` writes no {file}");
            project.file(format!("{name}/{file}"), text);
        }
        run("check", 0);
        let plan = run("plan --to web=1.1.0", 0).stdout;
        assert!(plan.contains("roll web 1.0.0 → 1.1.0"), "{plan}");
        run("expand", 0);
        // Both things that are to be looked at once. The server may list the session of a command that has ended for a moment more.
        let mut reverted = project.migrate(&["revert", "1"]);
        let is_done = poll(GENEROUS, || {
            if reverted.code != 0 {
                reverted = project.migrate(&["revert", "1"]);
            }
            (reverted.code == 0).then_some(())
        });
        assert!(is_done.is_some(), "{reverted:?}");
        run("expand", 0);
        run("gate deploy web=1.2.0", 11);
        run("gate deploy web=1.1.0 --record", 0);
        ended(fleet);
        let fleet = start("1.1.0");
        run("backfill", 0);
        run("status", 0);
        let expected = answer("migrate gate contract 1");
        eventually(GENEROUS, || {
            let refused = run("gate contract 1", 11).stdout;
            (words(&refused) == words(&expected)).then_some(())
        });
        ended(fleet);
        let fleet = start("1.2.0");
        run("contract 1 --wait 60s", 0);
        run("contract --unless-in-use", 0);
        assert!(run("status", 0).stdout.contains("nothing: it is complete"));
        ended(fleet);
    }
);
