//! No password is shown, whatever is printed of a lease and of what asks for it.

use phasegate::Database;

use crate::support::connection::block_on;
use crate::support::lease::of_test;
use crate::support::project::Project;
use crate::support::{mysql, postgres};

const PROGRAM: &str = "PHASEGATE_TEST_TALKATIVE";

/// Not a test: an application that prints all that it can, while its driver says all that it does.
#[test]
#[ignore = "run by other tests"]
fn talkative() {
    let Ok(url) = std::env::var(PROGRAM) else {
        return;
    };
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(std::io::stderr)
        .init();
    let database = Database::from(&url);
    eprintln!("database {database:?}");
    let builder = of_test(database, "web", "1.0.0");
    eprintln!("builder {builder:?}");
    match block_on(builder.acquire()) {
        Ok(lease) => {
            eprintln!("lease {lease:?}, {:?}", lease.state());
            block_on(lease.release()).expect("it is held");
        }
        Err(error) => eprintln!("error {error} {error:?} {:?}", error.help()),
    }
    eprintln!("the end");
}

#[track_caller]
fn said(url: &str) -> String {
    let project = Project::without_database(&["web"]);
    project.env(PROGRAM, url);
    let itself = std::env::current_exe().expect("this program");
    let arguments = [
        "--exact",
        "lease::passwords::talkative",
        "--ignored",
        "--nocapture",
    ];
    let output = project.spawn_program(&itself.display().to_string(), &arguments);
    let output = output.wait().expect_code(0);
    assert!(output.stderr.contains("the end"), "{output:?}");
    format!("{}{}", output.stdout, output.stderr)
}

#[track_caller]
fn silent_about(url: &str, parts: &[&str]) -> String {
    let said = said(url);
    for part in parts {
        assert!(!said.contains(part), "{part} of {url} is in: {said}");
    }
    said
}

/// A password that holds what ends a part of a URL, and what of it must be nowhere.
const PARTS: [&str; 3] = ["hunterq", "zwei7", "drei9"];

#[test]
fn a_password_that_logs_in_is_in_no_word_of_ours_or_the_drivers() {
    let server = postgres::PrivateServer::start();
    let admin = server.create("shop");
    admin.execute("CREATE ROLE odd LOGIN SUPERUSER PASSWORD 'hunterq#zwei7?drei9'");
    let url = server.url_as("odd", "hunterq%23zwei7%3Fdrei9", "shop");
    let said = silent_about(&url, &PARTS);
    assert!(said.contains("lease Lease("), "{said}");

    let server = mysql::PrivateServer::start();
    let admin = server.create("shop");
    admin.execute("CREATE USER odd IDENTIFIED BY 'hunterq#zwei7?drei9'");
    admin.execute("GRANT ALL ON shop.* TO odd");
    let url = server.url_as("odd", "hunterq%23zwei7%3Fdrei9", "shop");
    let said = silent_about(&url, &PARTS);
    assert!(said.contains("lease Lease("), "{said}");
}

#[test]
fn a_url_that_cannot_be_read_is_not_repeated() {
    for scheme in ["postgres", "postgresql", "mysql", "mariadb"] {
        for url in [
            "SCHEME://me:hunterq#zwei7@127.0.0.1:1/shop",
            "SCHEME://me:hunterq?zwei7@127.0.0.1:1/shop",
            "SCHEME://me:hunterq?zwei7#drei9/@127.0.0.1:1/shop",
            "SCHEME://me:hunterq#zwei7",
            "SCHEME:me:hunterq#zwei7@127.0.0.1/shop",
            "SCHEME:///shop?password=hunterq#zwei7&drei9",
            "SCHEME://me:hunterq%23zwei7@127.0.0.1:1/shop?bogus=drei9",
        ] {
            let url = url.replace("SCHEME", scheme);
            let database = Database::from(&url);
            let builder = of_test(database.clone(), "web", "1.0.0");
            let shown = format!("{database:?} {builder:?}");
            let error = block_on(builder.acquire()).expect_err("there is nobody");
            let shown = format!("{shown} {error} {error:?} {:?}", error.help());
            for part in PARTS {
                assert!(!shown.contains(part), "{part} of {url} is in: {shown}");
            }
        }
    }
    silent_about("postgres://me:hunterq#zwei7@127.0.0.1:1/shop", &PARTS);
    silent_about("mysql://me:hunterq?zwei7@127.0.0.1:1/shop", &PARTS);
}

/// The driver's own options show their password, and ours do not.
#[test]
fn options_of_the_driver_are_not_shown_as_it_shows_them() {
    use std::convert::Infallible;

    let postgres = sqlx::postgres::PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(1)
        .username("me")
        .password("hunterq#zwei7?drei9");
    let mysql = sqlx::mysql::MySqlConnectOptions::new()
        .host("127.0.0.1")
        .port(1)
        .username("me")
        .password("hunterq#zwei7?drei9")
        .database("shop");
    let asked = Database::asked(|| async {
        Ok::<_, Infallible>("postgres://me:hunterq%23zwei7@127.0.0.1:1/shop")
    });
    for database in [Database::from(postgres), Database::from(mysql), asked] {
        let builder = of_test(database.clone(), "web", "1.0.0");
        let shown = format!("{database:?} {builder:?}");
        let error = block_on(builder.acquire()).expect_err("there is nobody");
        let shown = format!("{shown} {error} {error:?}");
        for part in PARTS {
            assert!(!shown.contains(part), "{part} is in: {shown}");
        }
    }
}

/// A database of a file has no password, and what looks like one is not shown either.
#[test]
fn a_file_that_looks_like_a_server_is_not_repeated() {
    for url in [
        "sqlite://me:hunterq#zwei7@127.0.0.1/shop",
        "sqlite:me:hunterq?zwei7@127.0.0.1/shop",
    ] {
        let builder = of_test(url, "web", "1.0.0");
        let shown = format!("{builder:?}");
        let error = block_on(builder.acquire()).expect_err("there is no such file");
        let shown = format!("{shown} {error} {error:?}");
        assert!(
            !shown.contains("hunterq") && !shown.contains("zwei7"),
            "{shown}"
        );
    }
}
