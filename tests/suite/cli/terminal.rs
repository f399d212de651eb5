//! What a person sees in a terminal: colour where it is wanted, lines of the terminal's width, and nothing of others that steers it.

use crate::support::backend::Db;
use crate::support::project::Output;
use crate::support::shop::{NAME, Shop};
use crate::support::terminal::seen;

const RED: &str = "\u{1b}[31m";

#[track_caller]
fn in_terminal(shop: &Shop, columns: u16, arguments: &[&str]) -> Output {
    shop.project.spawn_in_terminal(columns, arguments).wait()
}

/// Columns that a line takes.
fn columns(line: &str) -> usize {
    line.chars()
        .map(|c| usize::from(c.is_ascii()) + 2 * usize::from(!c.is_ascii() && c > '\u{2e80}'))
        .sum()
}

#[test]
fn verdicts_are_coloured_where_that_is_wanted() {
    let shop = Shop::backfilled(Db::on("sqlite"));
    let _old = shop.instance("1.1.0", "server-1");
    let plain = shop.run(&["gate", "contract", NAME], 11).stdout;
    assert!(!plain.contains('\u{1b}'), "{plain:?}");
    for (name, value, is_coloured) in [
        ("CLICOLOR", "1", true),
        ("NO_COLOR", "1", false),
        ("CLICOLOR", "0", false),
        ("TERM", "dumb", false),
    ] {
        let _ = shop.project.env(name, value);
        let shown = in_terminal(&shop, 200, &["gate", "contract", NAME]).expect_code(11);
        assert_eq!(
            shown.stdout.contains(RED),
            is_coloured,
            "{name}={value}: {shown:?}"
        );
        assert_eq!(
            shown.stdout.contains('\u{1b}'),
            is_coloured,
            "{name}={value}: {shown:?}"
        );
        // An age may have gone on by then.
        let first = |text: &str| seen(text).lines().next().map(str::to_owned);
        assert_eq!(first(&shown.stdout), first(&plain));
        let _ = shop.project.env_remove(name);
    }
    // Forced where there is no terminal, and never in what is for programs.
    let _ = shop.project.env("CLICOLOR_FORCE", "1").env("NO_COLOR", "");
    let forced = shop.run(&["gate", "contract", NAME], 11).stdout;
    assert!(forced.contains(RED), "{forced:?}");
    for arguments in [
        &["gate", "contract", NAME, "--output", "json"][..],
        &[
            "plan",
            "--from",
            "web=1.0.0",
            "--to",
            "web=1.1.0",
            "--output",
            "mermaid",
        ],
        &["completions", "bash"],
    ] {
        let shown = shop.project.migrate(arguments).stdout;
        assert!(!shown.contains('\u{1b}'), "{arguments:?}: {shown:?}");
    }
}

#[test]
fn everything_is_broken_to_the_width_of_the_terminal_and_commands_stay_whole() {
    let shop = Shop::backfilled(Db::on("sqlite"));
    let _old = shop.instance(
        "1.1.0",
        "server-東京-with-a-name-that-is-long-enough-to-need-a-line",
    );
    for arguments in [
        &["status"][..],
        &["gate", "contract", NAME],
        &["gate", "deploy", "web=1.0.0"],
        &["gate", "contract", "9"],
        &["log"],
        &["fleet"],
        &["plan", "--from", "web=1.0.0", "--to", "web=1.2.0"],
        &["contract", NAME],
        &["rollout", "status"],
        &["check"],
    ] {
        for width in [40, 64, 200] {
            let shown = in_terminal(&shop, width, arguments);
            let text = seen(&shown.stdout);
            for line in text.lines() {
                let long = usize::from(width.min(52)) - 12;
                let has_long_word = line.split(' ').any(|word| columns(word) > long);
                // What is to be copied stays whole, and has what goes before it on lines of their own.
                let is_command = width == 40 && line.trim_start().starts_with('`');
                assert!(
                    columns(line) <= usize::from(width) || has_long_word || is_command,
                    "{arguments:?} at {width}: {line:?}"
                );
                assert_eq!(line.matches('`').count() % 2, 0, "{arguments:?}: {line:?}");
            }
        }
    }
}

#[test]
fn a_terminal_that_does_not_know_its_width_breaks_nothing() {
    let shop = Shop::backfilled(Db::on("sqlite"));
    let unbroken = seen(&in_terminal(&shop, 400, &["status"]).stdout);
    assert_eq!(seen(&in_terminal(&shop, 0, &["status"]).stdout), unbroken);
}

scenario!(
    fn nothing_of_others_steers_a_terminal(db: Db) {
        let shop = Shop::backfilled(db);
        let _old = shop.instance("1.1.0", "server-1");
        shop.db.execute(&format!(
            "UPDATE {} SET instance = 'a\u{1b}[2J\u{9b}1m\u{7}b'",
            shop.db.ledger("leases")
        ));
        for arguments in [&["fleet"][..], &["gate", "contract", NAME], &["status"]] {
            let shown = in_terminal(&shop, 100, arguments).stdout;
            assert!(!shown.contains("\u{1b}[2J"), "{shown:?}");
            assert!(!shown.contains(['\u{9b}', '\u{7}']), "{shown:?}");
        }
        let fleet = in_terminal(&shop, 200, &["fleet"]).stdout;
        assert!(
            seen(&fleet).contains("a\\u{1b}[2J\\u{9b}1m\\u{7}b"),
            "{fleet:?}"
        );
    }
);
