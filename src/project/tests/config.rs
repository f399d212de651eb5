//! `migrate.toml`.

use std::time::Duration;

use super::*;
use crate::project::{LeaseConnection, PasswordConfig};
use crate::sql::Dialect;

#[test]
fn the_config_has_defaults_and_can_say_everything() {
    let dir = written(&[("migrate.toml", "")]);
    let config = Project::load(dir.path(), None).unwrap().config;
    assert_eq!(format!("{config:?}"), format!("{:?}", Config::default()));
    assert_eq!(config.database.dialects, Dialect::ALL);

    let text = r#"
migrations = "./db/migrations/"
[database]
url = "postgres://localhost/shop"
dialects = ["sqlite", "postgres"]
lock_timeout = "1s"
lock_retry_for = "1m"
busy_timeout = "5s"
[services.web]
min_instances = 2
aliases = { a1b2c3d = "1.2.0" }
releases = ["1.0.0", "1.2.0"]
[fleet]
lease = "5m"
renew = "5s"
connection = "short"
coordinator_lease = "30s"
sources = [
  { kind = "leases" },
  { kind = "command", run = ["bin/list-instances", "-v"], timeout = "5s", max_age = "2m" },
  { kind = "command", run = ["bin/list-instances"], name = "nomad" },
  { kind = "sessions" },
]
"#;
    let dir = written(&[("migrate.toml", text), ("db/migrations/README.md", "")]);
    let config = Project::load(dir.path(), None).unwrap().config;
    assert_eq!(config.migrations, "db/migrations");
    assert_eq!(
        config.database.dialects,
        [Dialect::Sqlite, Dialect::Postgres]
    );
    assert_eq!(config.database.lock_timeout, Duration::from_secs(1));
    assert_eq!(config.fleet.connection, LeaseConnection::Short);
    let names: Vec<_> = config
        .fleet
        .sources
        .iter()
        .map(SourceConfig::name)
        .collect();
    assert_eq!(names, ["leases", "list-instances", "nomad", "sessions"]);
    assert_eq!(config.services["web"].releases.len(), 2);

    assert_eq!(config.place("web", "a1b2c3d").version, "1.2.0".parse().ok());
    assert_eq!(config.place("web", "v1.1").version, "1.1.0".parse().ok());
    assert_eq!(config.place("web", "latest").version, None);
    assert_eq!(config.place("worker", "a1b2c3d").version, None);
}

#[test]
fn the_password_comes_from_one_place() {
    let read = |keys: &str| {
        let dir = written(&[("migrate.toml", &format!("[database]\n{keys}\n"))]);
        let config = Project::load(dir.path(), None).map(|project| project.config);
        config
            .map(|config| config.database.password)
            .map_err(|problems| problems.0[0].code)
    };
    let file = "password_file = \"secret\"";
    let command = "password_command = [\"./token\", \"-q\"]";
    let run = ["./token", "-q"].map(Into::into).into();
    assert_eq!(read(""), Ok(None));
    assert_eq!(read(file), Ok(Some(PasswordConfig::File("secret".into()))));
    assert_eq!(read(command), Ok(Some(PasswordConfig::Command(run))));
    assert_eq!(read(&format!("{file}\n{command}")), Err("two-passwords"));
    for empty in [
        "password_file = \"\"",
        "password_command = []",
        "password_command = [\"\"]",
    ] {
        assert_eq!(read(empty), Err("empty-value"), "{empty}");
    }
}

#[test]
fn the_url_decides_the_dialect_unless_the_file_does() {
    let postgres = "postgresql://u:secret@localhost/shop";
    let bare = written(&[("migrate.toml", "")]);
    let loaded = |dir: &TempDir, url| Project::load(dir.path(), Some(url));
    let config = loaded(&bare, postgres).unwrap().config;
    assert_eq!(config.database.dialects, [Dialect::Postgres]);
    assert_eq!(config.database_url.as_deref(), Some(postgres));
    // The URL from outside wins over the one in the file.
    let config = loaded(&written(GOOD), postgres).unwrap().config;
    assert_eq!(config.database.dialects, [Dialect::Postgres]);

    let fixed = written(&[("migrate.toml", "[database]\ndialects = [\"sqlite\"]\n")]);
    for (dir, url, code) in [
        (&fixed, postgres, "dialect-mismatch"),
        (
            &bare,
            "oracle://u:secret@localhost/shop",
            "unsupported-database",
        ),
        (&bare, "secret", "unsupported-database"),
    ] {
        let problems = loaded(dir, url).unwrap_err();
        assert_eq!(problems.0[0].code, code);
        assert!(!format!("{:?}", problems.0).contains("secret"));
    }
}

#[test]
fn mistakes_in_the_config() {
    for (text, expected) in [
        (
            "servces = 1\n",
            "1:1: there is no key `servces`…[unknown-key]",
        ),
        (
            "[services.web]\nmin_instance = 1\n",
            "2:1: there is no key `min_instance` in `[services.web]`…",
        ),
        (
            "[services.web]\nmin_instances = -1\n",
            "2:17: `min_instances` must be between…[out-of-range]",
        ),
        (
            "[services.web]\nmin_instances = \"2\"\n",
            "2:17: `min_instances` must be a whole number, and this is a string [wrong-type]",
        ),
        (
            "[services.\"a b\"]\n",
            "1:11: `a b` cannot be…[bad-service-name]",
        ),
        (
            "services = 3\n",
            "1:12: `services` must be a table, and this is an integer [wrong-type]",
        ),
        (
            "[services]\nweb = 3\n",
            "2:7: `web` must be a table…[wrong-type]",
        ),
        (
            "[services.web]\naliases = { x = \"latest\" }\n",
            "2:17: `latest` is not a version…[bad-version]",
        ),
        (
            "[services.web]\n[[rollout.check]]\nkind = \"command\"\nrun = [\"x\"]\nservice = \"wbe\"\n",
            "5:11: the service `wbe` is not named in this file [unknown-service]",
        ),
        (
            "[[rollout.check]]\nkind = \"prometheus\"\nurl = \"http://p:9090\"\nquery = \"up\"\n",
            "1:1: `max` is missing…",
        ),
        (
            "[[rollout.check]]\nkind = \"http\"\nurl = \"http://p\"\nmax = 1\n",
            "1:1: `value` is missing…",
        ),
        (
            "[[rollout.check]]\nkind = \"command\"\nrun = [\"x\"]\nmax_increase = 2\n",
            "4:1: `max_increase` holds only beside `max`…[incomplete-limits]",
        ),
        (
            "[[rollout.check]]\nkind = \"command\"\nrun = [\"x\"]\nmax = nan\n",
            "4:7: `max` is no number…[out-of-range]",
        ),
        (
            "[[rollout.check]]\nkind = \"command\"\nrun = [\"x\"]\n[[rollout.check]]\nkind = \"command\"\nrun = [\"y\"]\n",
            "4:1: there are two checks called `command` [duplicate-check]",
        ),
        (
            "[[rollout.check]]\nrun = [\"x\"]\n",
            "1:1: `kind` is missing…",
        ),
        (
            "[services.web]\nreleases = [\"1.0.0\", \"1.2.0\"]\naliases = { \"1.0.0\" = \"1.2.0\" }\n",
            "3:23: `1.0.0` is one of `releases`, and cannot stand for 1.2.0 [alias-is-a-release]",
        ),
        (
            "[services.web]\naliases = { \"v1.0+a\" = \"1.2.0\" }\nreleases = [\"1.0.0\", \"1.2.0\"]\n",
            "2:24: `v1.0+a` is one of `releases`…[alias-is-a-release]",
        ),
        (
            "[services.web]\nreleases = [\"1.0\", \"1.0.0\"]\n",
            "2:20: the release 1.0.0 is listed twice…",
        ),
        (
            "[database]\nurl = 3\n",
            "2:7: `url` must be a string…[wrong-type]",
        ),
        (
            "[database]\nurl = \"oracle://x\"\n",
            "2:7: this URL begins with `oracle:`, which is not supported…[unsupported-database]",
        ),
        (
            "[database]\nurl = \"sqlite:x\"\ndialects = [\"postgres\"]\n",
            "2:7: this URL is for sqlite…[dialect-mismatch]",
        ),
        (
            "[database]\ndialects = [\"oracle\"]\n",
            "2:13: there is no dialect `oracle` [unknown-value]",
        ),
        (
            "[database]\ndialects = []\n",
            "2:1: `dialects` is empty [empty-value]",
        ),
        (
            "[database]\nlock_timeout = \"0s\"\n",
            "2:16: `lock_timeout` must not be zero [bad-duration]",
        ),
        (
            "[fleet]\nrenew = \"4m\"\n",
            "2:9: a lease of 600s has to be renewed more often than every 240s [renew-too-slow]",
        ),
        (
            "[fleet]\nsources = []\n",
            "2:1: without a source…[no-sources]",
        ),
        (
            "[fleet]\nsources = [{ kind = \"lease\" }]\n",
            "2:21: `kind` cannot be `lease` [unknown-value]",
        ),
        (
            "[fleet]\nsources = [{ }]\n",
            "2:12: `kind` is missing…[missing-key]",
        ),
        (
            "[fleet]\nsources = [{ kind = \"leases\" }, { kind = \"leases\" }]\n",
            "2:33: a second source…[duplicate-source]",
        ),
        (
            "[fleet]\nsources = [{ kind = \"command\", run = [] }]\n",
            "2:32: `run` names no program [empty-value]",
        ),
        (
            "[fleet]\nsources = [{ kind = \"command\", run = \"./x\" }]\n",
            "2:38: `run` must be an array of strings…[wrong-type]",
        ),
        (
            "[fleet]\nsources = [{ kind = \"sessions\", pattern = \"{service}\" }]\n",
            "2:43: this pattern has no `{version}` [bad-pattern]",
        ),
        (
            "migrations = \"../x\"\n",
            "1:14: `migrations` must be a directory inside the project [bad-migrations-directory]",
        ),
        (
            "migrations = 10m\n",
            "1:14: TOML: string values must be quoted [toml-syntax]",
        ),
    ] {
        let dir = written(&[("migrate.toml", text)]);
        let found = lines(&dir, None);
        let (start, end) = expected.split_once('…').unwrap_or((expected, ""));
        let fits = found.len() == 1
            && found[0].starts_with(&format!("migrate.toml:{start}"))
            && found[0].ends_with(end);
        assert!(fits, "{text}\nexpected {expected}\nfound {found:#?}");
    }
}
