//! A server that was made to follow another one, behind connections that are kept: it answers nothing.

use super::admission::{asked, review};
use super::client::Server;
use crate::support::mysql;
use crate::support::pooler::Pooler;
use crate::support::postgres::PrivateServer;
use crate::support::shop::Shop;

/// One connection for all questions, and nothing else that could make a new one.
const ONE_ASKER: [&str; 5] = ["--askers", "1", "--refresh", "1h", "--admission"];

/// Asks whether a version may start, and lets it start.
#[track_caller]
fn starts(server: &Server) {
    let gate = server.get("/v1/gate/deploy?web=1.0.0&as=status");
    assert_eq!(gate.status, 200, "{}", gate.body);
    let (let_in, why) = asked(server, &review("Pod", "1.0.0", "1.0.0"));
    assert!(let_in, "{why}");
}

#[track_caller]
fn answers_nothing(server: &Server, because: &str) {
    let gate = server.get("/v1/gate/deploy?web=1.0.0&as=status");
    assert_eq!(gate.status, 503, "{}", gate.body);
    assert!(gate.body.contains(because), "{}", gate.body);
    let (let_in, why) = asked(server, &review("Pod", "1.0.0", "1.0.0"));
    assert!(!let_in && why.contains(because), "{why}");
}

#[test]
fn a_mariadb_that_became_read_only_answers_nothing_over_kept_connections() {
    let database = mysql::PrivateServer::start();
    let shop = Shop::with_name(database.create("shop"));
    let server = Server::start(&shop.project, &ONE_ASKER);
    starts(&server);
    shop.db.execute("SET GLOBAL read_only = 1");
    answers_nothing(&server, "this server is read only, as replicas are");
    shop.db.execute("SET GLOBAL read_only = 0");
    starts(&server);
    server.stop();
}

#[test]
fn a_standby_behind_a_pooler_that_led_to_a_primary_answers_nothing() {
    let database = PrivateServer::start();
    let shop = Shop::with_name(database.create("shop"));
    let pooler = Pooler::start(database.port(), 2);
    shop.project.env("DATABASE_URL", &pooler.url("shop"));
    let server = Server::start(&shop.project, &ONE_ASKER);
    starts(&server);
    // The pooler keeps its clients, and their next transactions run at a standby.
    database.demote();
    answers_nothing(&server, "this is a standby");
    server.stop();
}
