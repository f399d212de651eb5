//! Database sessions that belong to nobody who is known.

mod adopted;
mod mariadb;
mod relay;

use crate::support::backend::Db;
use crate::support::connection::{Connection, PostgresSession};
use crate::support::project::SESSIONS_OF_TESTS;
use crate::support::shop::{APPEND_ONLY, Shop};
use crate::support::wait::{GENEROUS, eventually};

/// As `migrate init` writes it, but that instances prove themselves sooner; and with what a test adds.
fn config(rule: &str, more: &str) -> String {
    format!(
        "[services.web]\nmin_instances = 1\nmin_ready = \"0s\"\n[fleet]\nrenew = \"100ms\"\nsessions = \"{rule}\"\n{more}{SESSIONS_OF_TESTS}"
    )
}

/// A migration that only its contract is left of, and one instance that no longer needs the old format.
fn ready_for_the_contract(db: Db) -> (Shop, crate::support::project::Process) {
    let shop = Shop::with_config(db, &config("off", ""));
    shop.name_migration(APPEND_ONLY);
    shop.run(&["expand"], 0);
    shop.run(&["backfill", "--accept-unknown", "nothing else runs"], 0);
    let instance = shop.instance("1.2.0", "web-1");
    until_go(&shop);
    shop.project.file("migrate.toml", &config("strict", ""));
    shop.run(&["gate", "contract", "1"], 0);
    (shop, instance)
}

fn until_go(shop: &Shop) {
    eventually(GENEROUS, || {
        let answer = shop.project.migrate(&["gate", "contract", "1"]);
        (answer.code == 0).then_some(())
    });
}

scenario!(
    fn an_application_that_does_not_register_keeps_its_column(db: Db) {
        let (shop, _instance) = ready_for_the_contract(db);
        if shop.db.backend.name == "sqlite" {
            shop.run(&["contract"], 0);
            return;
        }
        // As a process from before the adoption has it, at whatever version.
        let mut plain = shop.db.connect_plainly();
        plain.query("SELECT full_name FROM users");
        let user = match shop.db.backend.name {
            "postgres" => "postgres",
            _ => "root",
        };
        for command in [
            &["gate", "contract", "1"][..],
            &["contract"],
            &["gate", "revert", "1"],
        ] {
            let unknown = shop.project.migrate(command);
            for part in [
                &format!("1 session of the user `{user}`"),
                "migrate agent",
                "allow_session",
            ] {
                assert!(
                    unknown.stdout.contains(part),
                    "{command:?}, {part}: {unknown:?}"
                );
            }
            assert!([11, 12].contains(&unknown.code), "{command:?}: {unknown:?}");
        }
        plain.query("SELECT full_name FROM users");
        let fleet = shop.run(&["fleet"], 0);
        assert!(
            fleet.stderr.contains("to no instance that is known"),
            "{fleet:?}"
        );

        let note = config("note", "");
        let declared = config(
            "strict",
            &format!(
                "[[fleet.allow_session]]\nuser = \"{}*\"\nreason = \"a console\"\n",
                &user[..3]
            ),
        );
        let other = config(
            "strict",
            "[[fleet.allow_session]]\nuser = \"reporting\"\nreason = \"a report\"\n",
        );
        for (text, code) in [(note, 0), (declared, 0), (other, 12)] {
            shop.project.file("migrate.toml", &text);
            shop.run(&["gate", "contract", "1"], code);
        }
        drop(plain);
        until_go(&shop);
        shop.run(&["contract"], 0);
    }
);

#[test]
fn a_session_that_names_an_instance_is_accounted_for() {
    let (shop, _instance) = ready_for_the_contract(Db::on("postgres"));
    let open = |name: &str| {
        let joint = if shop.db.url.contains('?') { '&' } else { '?' };
        let url = format!("{}{joint}application_name={name}", shop.db.url);
        Connection::new(Box::new(PostgresSession::open(&url).expect("a session")))
    };
    // What the agent has its application call its sessions, and what the source `sessions` would read.
    for name in ["lease:web/1.2.0/web-1", "web/1.2.0"] {
        let session = open(name);
        shop.run(&["gate", "contract", "1"], 0);
        drop(session);
    }
    // Of an instance or a version that is not there.
    for name in ["lease:web/1.2.0/web-2", "web/1.0.0", "other/1.2.0"] {
        let session = open(name);
        let unknown = shop.run(&["gate", "contract", "1"], 12);
        assert!(
            unknown.stdout.contains(&format!("named `{name}`")),
            "{unknown:?}"
        );
        drop(session);
        until_go(&shop);
    }
}

#[test]
fn the_name_of_an_instance_is_its_own_users() {
    let (shop, _instance) = ready_for_the_contract(Db::on("postgres"));
    let name = "lease:web/1.2.0/web-1";
    let joint = if shop.db.url.contains('?') { '&' } else { '?' };
    let url = format!("{}{joint}application_name={name}", shop.db.url);
    let session = Connection::new(Box::new(PostgresSession::open(&url).expect("a session")));
    shop.run(&["gate", "contract", "1"], 0);
    // As if somebody else had registered the instance.
    let leases = shop.ledger("leases");
    shop.db
        .execute(&format!("UPDATE {leases} SET written_by = 'shop_web'"));
    let unknown = shop.run(&["gate", "contract", "1"], 12);
    let said = format!("named `{name}`");
    assert!(unknown.stdout.contains(&said), "{unknown:?}");
    // A lease of an earlier build does not say who.
    shop.db
        .execute(&format!("UPDATE {leases} SET written_by = ''"));
    shop.run(&["gate", "contract", "1"], 0);
    drop(session);
}

#[test]
fn an_exception_names_somebody_and_a_reason() {
    let shop = Shop::new(Db::on("sqlite"));
    for (more, said) in [
        (
            "[[fleet.allow_session]]\nreason = \"why not\"\n",
            "allows every session",
        ),
        ("[[fleet.allow_session]]\nuser = \"root\"\n", "reason"),
    ] {
        shop.project.file("migrate.toml", &config("strict", more));
        let wrong = shop.run(&["check"], 1);
        let text = format!("{}{}", wrong.stdout, wrong.stderr);
        assert!(text.contains(said), "{text}");
    }
}
