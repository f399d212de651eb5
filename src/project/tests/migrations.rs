//! Migration directories and what they declare.

use std::time::Duration;

use super::*;
use crate::model::{Parts, Sync};
use crate::sql::Dialect;

#[test]
fn a_good_project_is_read_as_declared() {
    let dir = written(GOOD);
    let project = Project::load(dir.path(), None).unwrap();
    assert!(project.warnings.is_empty());
    assert_eq!(project.config.database.dialects, [Dialect::Sqlite]);
    let [migration] = project.migrations.as_slice() else {
        panic!("{:?}", project.migrations);
    };
    assert_eq!(migration.id().as_str(), "0002_split");
    assert_eq!(migration.declaration.sync, Sync::Both);
    let all = Parts {
        expand: true,
        backfill: true,
        contract: true,
        revert: true,
    };
    assert_eq!(migration.declaration.parts, all);
    assert_eq!(
        migration.contract_rules.soak,
        Some(Duration::from_hours(24))
    );
    assert_eq!(migration.contract_rules.require.len(), 1);
    let backfill = migration.backfill.as_ref().unwrap();
    assert_eq!(backfill.table, "users");
    assert!(matches!(
        backfill.batch,
        BatchRules::Adaptive {
            least: 100,
            most: None,
            ..
        }
    ));
    assert_eq!(backfill.key, ["id"]);
    let files = migration.files(Dialect::Sqlite);
    let expand = files.expand.as_ref().unwrap();
    assert_eq!(expand.path.to_str(), Some("0002_split/expand.sql"));
    assert_eq!(expand.sha256.len(), 64);
    assert!(files.backfill.is_some() && files.contract.is_some() && files.revert.is_some());
    assert_eq!(migration.files(Dialect::Postgres), &Files::default());
    assert_eq!(
        migration.manifest.path.to_str(),
        Some("0002_split/migration.toml")
    );
}

#[test]
fn migrations_are_found_by_number_or_name() {
    let dir = written(GOOD);
    let project = Project::load(dir.path(), None).unwrap();
    for wanted in ["2", "0002", "0002_split"] {
        assert_eq!(project.find(wanted).unwrap().id().number(), 2);
    }
    for wanted in ["split", "0002_splt", "3", ""] {
        let error = project.find(wanted).unwrap_err();
        assert_eq!(error.near, ["0002_split"], "{wanted}");
    }
}

#[test]
fn sections_and_scripts_belong_together() {
    let manifest = "0002_split/migration.toml";
    let without_backfill = SPLIT.replace("[backfill]\ntable = \"users\"\nkey = \"id\"\nremaining = \"SELECT count(*) FROM users WHERE first_name IS NULL\"\n", "");
    let nothing = SPLIT.replace(
        "[backfill]",
        "[expand]\nnothing_to_do = \"text takes anything\"\n[backfill]",
    );
    check(&[
        (
            &[("-0002_split/backfill.sql", "")],
            &["0002_split/migration.toml:6:1: there is a `[backfill]` and no…[missing-script]"],
        ),
        (
            &[("-0002_split/contract.sql", "")],
            &["0002_split/migration.toml:10:1: there is a `[contract]` and no…[missing-script]"],
        ),
        (
            &[("-0002_split/expand.sql", "")],
            &[
                "0002_split/migration.toml:5:7: there is a new format and no…[missing-script]",
                "0002_split/revert.sql:1:1: there is nothing to revert…[revert-without-expand]",
            ],
        ),
        (
            &[(manifest, &without_backfill)],
            &["0002_split/backfill.sql:1:1: nothing says which rows…[undeclared-script]"],
        ),
        (
            &[(manifest, &nothing)],
            &["0002_split/migration.toml:7:17: `nothing_to_do` says…[contradictory-expand]"],
        ),
        (
            &[
                (manifest, &nothing),
                ("-0002_split/expand.sql", ""),
                ("-0002_split/revert.sql", ""),
            ],
            &[],
        ),
        (
            &[("-0002_split/migration.toml", "")],
            &["0002_split: this directory is named like a migration…[missing-manifest]"],
        ),
    ]);
}

#[test]
fn what_a_declaration_means_as_a_whole() {
    let manifest = "0003_x/migration.toml";
    let expand = ("0003_x/expand.sql", "ALTER TABLE users ADD COLUMN x TEXT;");
    let contract = ("0003_x/contract.sql", "ALTER TABLE users DROP COLUMN y;");
    let both = "[services.web]\nold = \"<1.2.0\"\nnew = \">=1.1.0\"\n";
    let with = |head: &str, tail: &str| format!("description = \"x\"\n{head}{tail}");
    let (none, to_old, to_new) = (
        with("", both),
        with("sync = \"to-old\"\n", both),
        with("sync = \"to-new\"\n", both),
    );
    let (bare, old) = (with("", ""), with("", "[services.web]\nold = \"<1.2.0\"\n"));
    let idle = with("sync = \"both\"\n", "[services.web]\nnew = \">=1.2.0\"\n");
    let empty = with("", "[services.web]\n");
    check(&[
        (
            &[(manifest, &none), expand],
            &["0003_x/migration.toml:4:7: nothing brings existing rows…[no-way-to-new]"],
        ),
        (&[(manifest, &to_old), expand], &[]),
        (
            &[(manifest, &to_old), expand, contract],
            &[
                "0003_x/migration.toml:5:7: the contract can never be reached…[unreachable-contract]",
            ],
        ),
        (&[(manifest, &to_new), expand, contract], &[]),
        (
            &[(manifest, &bare)],
            &["0003_x/migration.toml:1:1: this migration has nothing to do [nothing-to-do]"],
        ),
        (&[(manifest, &bare), expand], &[]),
        (
            &[(manifest, &bare), contract],
            &[
                "0003_x/migration.toml:1:1: warning: no version is declared…[ungated-contract]",
                "0003_x/contract.sql:1:1: this takes away…[takes-too-much]",
            ],
        ),
        (&[(manifest, &old), contract], &[]),
        (
            &[(manifest, &old), expand],
            &[
                "0003_x/migration.toml:3:7: warning: an old format is declared…[old-without-contract]",
            ],
        ),
        (
            &[(manifest, &idle), expand],
            &["0003_x/migration.toml:2:8: warning: `sync` keeps…[idle-sync]"],
        ),
        (
            &[(manifest, &empty), expand],
            &["0003_x/migration.toml:2:11: nothing says which versions of `web`…[empty-usage]"],
        ),
    ]);
}

#[test]
fn directories_are_numbered_and_ordered() {
    let manifest = "description = \"x\"\n";
    check(&[
        (
            &[
                ("0002_other/migration.toml", manifest),
                ("0002_other/expand.sql", EXPAND),
            ],
            &["0002_split: `0002_split` has the same number as `0002_other` [duplicate-number]"],
        ),
        (
            &[
                ("10_late/migration.toml", manifest),
                ("10_late/expand.sql", EXPAND),
                ("9_x/migration.toml", manifest),
                ("9_x/expand.sql", EXPAND),
            ],
            &["10_late: warning: `10_late` comes after `9_x`…[text-order-differs]"],
        ),
        (
            &[("3_x/migration.toml", manifest), ("3_x/expand.sql", EXPAND)],
            &[],
        ),
        (
            &[("0003 x/migration.toml", manifest)],
            &["0003 x: `0003 x` is not named like a migration…[bad-migration-name]"],
        ),
        (
            &[("0003_x/README.md", "")],
            &["0003_x: this directory is named like a migration…[missing-manifest]"],
        ),
        (
            &[("0003_x.sql", ""), ("2024-notes.md", "")],
            &["0003_x.sql: warning: this script is not in…[loose-script]"],
        ),
        (
            &[("target/1", ""), (".git/x", ""), ("src/0001_x/y", "")],
            &[],
        ),
        (
            &[("migrate.toml", "migrations = \"db\"\n")],
            &["db: the migrations cannot be listed…[unreadable-directory]"],
        ),
        (
            &[("-migrate.toml", "")],
            &["migrate.toml: there is no such file…[missing-config]"],
        ),
        (
            &[
                ("-0002_split/expand.sql", ""),
                ("0002_split/expand.sql/x", ""),
            ],
            &["0002_split/expand.sql: this is a directory…[not-a-file]"],
        ),
    ]);
    let problems = Project::load(Path::new("no/such/place"), None).unwrap_err();
    assert_eq!(
        problems.0[0].one_line(),
        "no/such/place: there is no such directory"
    );
}

#[test]
fn another_systems_checkout_is_the_same_project() {
    let hash = |dir: &TempDir| {
        let project = Project::load(dir.path(), None).unwrap();
        let expand = project.migrations[0].files(Dialect::Sqlite).expand.clone();
        (
            expand.unwrap().sha256,
            project.migrations[0].manifest.sha256.clone(),
        )
    };
    let windows = |text: &str| format!("\u{feff}{}", text.replace('\n', "\r\n"));
    let changes = [
        ("0002_split/expand.sql", windows(EXPAND)),
        ("0002_split/migration.toml", windows(SPLIT)),
    ];
    let changes: Vec<_> = changes
        .iter()
        .map(|(path, text)| (*path, text.as_str()))
        .collect();
    assert_eq!(hash(&changed(&changes)), hash(&written(GOOD)));
}

#[test]
fn a_domain_of_an_earlier_migration_writes_each_row_anew() {
    for (domain, expected) in [
        ("CREATE DOMAIN positive AS int CHECK (VALUE > 0);\n", 1),
        ("CREATE DOMAIN positive AS int;\n", 0),
    ] {
        let dir = written(&[
            (
                "migrate.toml",
                "[database]\nurl = \"postgres://localhost/shop\"\n[services.web]\n",
            ),
            ("0001_type/migration.toml", "description = \"d\"\n"),
            ("0001_type/expand.sql", domain),
            ("0002_age/migration.toml", "description = \"d\"\n"),
            (
                "0002_age/expand.sql",
                "ALTER TABLE users ADD COLUMN age positive;\n",
            ),
        ]);
        let found = lines(&dir, None);
        let rewrites = found
            .iter()
            .filter(|line| line.ends_with("[rewrites-table]"));
        assert_eq!(rewrites.count(), expected, "{domain}: {found:#?}");
    }
}
