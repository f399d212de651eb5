//! What follows from what is asked for.

use phasegate_sql::{Script, Tables};

use super::*;
use crate::{Ask, generate, written};

fn known(scripts: &[(Dialect, &str)], said: Said) -> Known {
    let mut known = Known {
        said,
        ..Known::default()
    };
    for (dialect, script) in scripts {
        let script = Script::parse(*dialect, script).unwrap_or_else(|errors| panic!("{errors:?}"));
        let mut tables = Tables::default();
        tables.apply(&script);
        known.dialects.push(*dialect);
        if let Some(table) = tables.get(*dialect, "users") {
            known.tables.insert(*dialect, table.clone());
        }
    }
    known
}

const PG: (Dialect, &str) = (
    Dialect::Postgres,
    "CREATE TABLE users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, full_name varchar(100) NOT NULL DEFAULT 'x', last text, logins integer, \"Odd Name\" text); CREATE UNIQUE INDEX users_full_name_key ON users (full_name);",
);
const MY: (Dialect, &str) = (
    Dialect::Mysql,
    "CREATE TABLE users (id BIGINT AUTO_INCREMENT PRIMARY KEY, full_name VARCHAR(100) NOT NULL DEFAULT 'x', last TEXT, logins INT, `Odd Name` TEXT, UNIQUE KEY users_full_name_key (full_name));",
);
const LITE: (Dialect, &str) = (
    Dialect::Sqlite,
    "CREATE TABLE users (id INTEGER PRIMARY KEY, full_name TEXT, last TEXT, logins INTEGER, \"Odd Name\" TEXT);",
);

/// The declaration, from which scripts follow for every database.
fn asked(ask: Ask, text: &str, known: &Known) -> String {
    let wish = ask.read(text).expect("it is understood");
    let change = match declare(&wish, known) {
        Ok(change) => change,
        Err(unanswered) => return format!("{unanswered:?}"),
    };
    for dialect in &known.dialects {
        let generated = generate(&change, *dialect, "0002");
        assert!(generated.is_ok(), "{text} on {dialect:?}: {generated:?}");
    }
    written(&change)
}

#[test]
fn a_rename_keeps_what_the_column_is() {
    let declared = asked(
        Ask::Rename,
        "users.full_name=display_name",
        &known(&[PG], Said::default()),
    );
    assert_eq!(
        declared,
        "[change]\nkind = \"columns\"\ntable = \"users\"\nkey = \"id\"\nold = [\"full_name\"]\n\n\
         [change.new.display_name]\ntype = \"varchar(100)\"\nnot_null = true\ndefault = \"'x'\"\n\n\
         [change.forward]\ndisplay_name = \"full_name\"\n\n[change.back]\nfull_name = \"display_name\"\n\n\
         [change.indexes.users_display_name_key]\ncolumns = [\"display_name\"]\nunique = true\nreplaces = \"users_full_name_key\"\n"
    );
}

#[test]
fn what_differs_between_databases_is_said_for_each() {
    let all = known(&[LITE, PG, MY], Said::default());
    let declared = asked(Ask::Split, "users.last=a,b", &all);
    for wanted in [
        "type = { sqlite = \"TEXT\", postgres = \"text\", mysql = \"TEXT\" }",
        "[change.forward.mysql]\na = \"substring_index(last, ' ', 1)\"",
        "[change.forward.postgres]\na = \"split_part(last, ' ', 1)\"",
        "[change.back.sqlite]\nlast = \"CASE WHEN a IS NULL",
    ] {
        assert!(declared.contains(wanted), "{wanted}\n{declared}");
    }
    let odd = asked(Ask::Rename, "users.Odd Name=even", &all);
    assert!(
        odd.contains("[change.forward.mysql]\neven = \"`Odd Name`\""),
        "{odd}"
    );
    assert!(
        odd.contains("[change.back]\n\"Odd Name\" = \"even\""),
        "{odd}"
    );
    let merged = asked(
        Ask::Merge,
        "users.full_name,last=whole",
        &known(&[MY], Said::default()),
    );
    assert!(merged.contains("type = \"VARCHAR(201)\""), "{merged}");
    assert!(
        merged.contains(
            "whole = \"CASE WHEN full_name IS NOT NULL OR last IS NOT NULL THEN concat_ws(' ', full_name, nullif(last, '')) END\""
        ),
        "{merged}"
    );
}

#[test]
fn every_way_to_ask_leads_to_scripts() {
    let fill = Said {
        fill: Some("''".to_owned()),
        ..Said::default()
    };
    let plain = Said::default;
    for (ask, text, databases, said, wanted) in [
        (
            Ask::Retype,
            "users.logins=bigint",
            &[PG, MY, LITE][..],
            plain(),
            "logins_bigint = \"logins\"",
        ),
        (
            Ask::Retype,
            "users.logins=big:numeric(10, 2)",
            &[MY],
            plain(),
            "big = \"CAST(logins AS DECIMAL(10, 2))\"",
        ),
        (
            Ask::Retype,
            "users.last=integer",
            &[PG],
            plain(),
            "[change.back]\nlast = \"CAST(last_integer AS text)\"",
        ),
        (
            Ask::NotNull,
            "users.last",
            &[PG, MY],
            plain(),
            "type = \"TEXT\"",
        ),
        (
            Ask::NotNull,
            "users.last",
            &[PG],
            fill,
            "key = \"id\"\nfill = \"''\"",
        ),
        (
            Ask::Drop,
            "users.full_name",
            &[MY],
            plain(),
            "drop_indexes = [\"users_full_name_key\"]",
        ),
        (
            Ask::Drop,
            "users.full_name",
            &[PG],
            plain(),
            "columns = [\"full_name\"]\n",
        ),
        (
            Ask::Drop,
            "users",
            &[LITE],
            plain(),
            "kind = \"drop-table\"",
        ),
        (
            Ask::Add,
            "users.phone=text",
            &[PG, LITE],
            plain(),
            "type = \"text\"",
        ),
        (
            Ask::Unique,
            "users.last",
            &[PG],
            plain(),
            "columns = [\"last\"]",
        ),
        (
            Ask::Index,
            "users.last,logins",
            &[PG, MY, LITE],
            plain(),
            "name = \"users_last_logins\"",
        ),
        (
            Ask::DropIndex,
            "users.users_full_name_key",
            &[PG],
            plain(),
            "name = \"users_full_name_key\"",
        ),
        (
            Ask::Widen,
            "users.full_name=varchar(200)",
            &[PG, MY],
            plain(),
            "to = { postgres = \"varchar(200)\", mysql = \"varchar(200) NOT NULL DEFAULT 'x'\" }",
        ),
        (
            Ask::ForeignKey,
            "users.logins=teams.id",
            &[PG],
            plain(),
            "references = \"teams\"",
        ),
        (
            Ask::Check,
            "users=logins >= 0",
            &[PG, MY],
            plain(),
            "condition = \"logins >= 0\"",
        ),
    ] {
        let declared = asked(ask, text, &known(databases, said));
        assert!(declared.contains(wanted), "{ask:?} {text}: {declared}");
    }
}

#[test]
fn what_mysql_says_of_a_column_is_kept_or_refused() {
    let script = "CREATE TABLE users (id INT PRIMARY KEY, a VARCHAR(9) COLLATE utf8mb4_bin COMMENT 'x', at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, changed TIMESTAMP NULL ON UPDATE CURRENT_TIMESTAMP, KEY a (a));";
    let known = known(&[(Dialect::Mysql, script)], Said::default());
    for (text, wanted) in [
        (
            "users.a=b",
            "type = \"VARCHAR(9) COLLATE utf8mb4_bin COMMENT 'x'\"\n\n",
        ),
        (
            "users.a=b",
            "[change.indexes.users_b]\ncolumns = [\"b\"]\nreplaces = \"a\"\n",
        ),
        (
            "users.at=made",
            "type = \"TIMESTAMP\"\ndefault = \"CURRENT_TIMESTAMP\"\n",
        ),
        ("users.changed=edited", "gives out or computes"),
    ] {
        let declared = asked(Ask::Rename, text, &known);
        assert!(declared.contains(wanted), "{text}: {declared}");
    }
    let split = asked(Ask::Split, "users.a=b,c", &known);
    assert!(split.contains("drop_indexes = [\"a\"]"), "{split}");
}

#[test]
fn what_mysql_has_to_be_told_to_drop_is_declared() {
    let script = "CREATE TABLE users (id INT PRIMARY KEY, team INT, FOREIGN KEY (team) REFERENCES teams (id))";
    let rename = |dialects: &[Dialect]| {
        let scripts: Vec<_> = dialects.iter().map(|dialect| (*dialect, script)).collect();
        let known = known(&scripts, Said::default());
        let wish = Ask::Rename
            .read("users.team=crew")
            .expect("it is understood");
        let change = declare(&wish, &known).expect("it can be declared");
        let contract = dialects.iter().map(|dialect| {
            let generated = generate(&change, *dialect, "0002").expect("it follows");
            generated.scripts[&phasegate_model::model::Step::Contract].clone()
        });
        (written(&change), contract.collect::<Vec<_>>().join("\n"))
    };
    let (declared, contract) = rename(&[Dialect::Mysql]);
    assert!(
        declared.contains("drop_constraints = [\"users_ibfk_1\"]"),
        "{declared}"
    );
    let dropped = "ALTER TABLE users DROP CONSTRAINT users_ibfk_1, DROP COLUMN team";
    assert!(contract.contains(dropped), "{contract}");
    // Elsewhere it goes with its column, and `check` asks whether it may.
    let (declared, contract) = rename(&[Dialect::Postgres]);
    assert!(!declared.contains("drop_constraints"), "{declared}");
    assert!(!contract.contains("CONSTRAINT"), "{contract}");
    // It has another name on each.
    let (declared, _) = rename(&[Dialect::Postgres, Dialect::Mysql]);
    assert!(!declared.contains("drop_constraints"), "{declared}");
}

#[test]
fn what_nobody_knows_is_asked() {
    let nothing = Known {
        dialects: vec![Dialect::Postgres],
        ..Known::default()
    };
    let rename = Ask::Rename.read("users.a=b").expect("it is understood");
    let asks = declare(&rename, &nothing);
    assert!(
        matches!(&asks, Err(Unanswered::Asks(Question::Type { column, .. })) if column == "users.a"),
        "{asks:?}"
    );
    let typed = Known {
        said: Said {
            kind: Some("text".to_owned()),
            ..Said::default()
        },
        ..nothing
    };
    let asks = declare(&rename, &typed);
    assert!(
        matches!(asks, Err(Unanswered::Asks(Question::Key { .. }))),
        "{asks:?}"
    );
    let given = known(&[PG], Said::default());
    let id = Ask::Rename
        .read("users.id=number")
        .expect("it is understood");
    assert!(matches!(declare(&id, &given), Err(Unanswered::Wrong(_))));
}

#[test]
fn what_a_column_is_compared_by_goes_along() {
    let table = |of: &str| format!("CREATE TABLE users (id int PRIMARY KEY, {of})");
    let postgres = table("email text COLLATE ci NOT NULL");
    let mysql = table(
        "email varchar(60) COLLATE utf8mb4_bin NOT NULL, at datetime NOT NULL DEFAULT current_timestamp(), mark varchar(36) NOT NULL DEFAULT uuid()",
    );
    let sqlite = table("email TEXT COLLATE NOCASE");
    for (ask, text, (dialect, script), wanted) in [
        (
            Ask::Rename,
            "users.email=mail",
            (Dialect::Postgres, &postgres),
            "type = \"text COLLATE ci\"",
        ),
        (
            Ask::Retype,
            "users.email=varchar(80)",
            (Dialect::Postgres, &postgres),
            "type = \"varchar(80) COLLATE ci\"",
        ),
        (
            Ask::Retype,
            "users.email=varchar(80) COLLATE \"C\"",
            (Dialect::Postgres, &postgres),
            "type = \"varchar(80) COLLATE \\\"C\\\"\"",
        ),
        (
            Ask::Retype,
            "users.email=bytea",
            (Dialect::Postgres, &postgres),
            "type = \"bytea\"",
        ),
        (
            Ask::Retype,
            "users.email=varchar(80)",
            (Dialect::Mysql, &mysql),
            "type = \"varchar(80) COLLATE utf8mb4_bin\"",
        ),
        (
            Ask::Merge,
            "users.email,mark=both",
            (Dialect::Mysql, &mysql),
            "type = \"varchar(121) COLLATE utf8mb4_bin\"",
        ),
        (
            Ask::Rename,
            "users.email=mail",
            (Dialect::Sqlite, &sqlite),
            "type = \"TEXT COLLATE NOCASE\"",
        ),
        (
            Ask::Split,
            "users.email=a,b",
            (Dialect::Sqlite, &sqlite),
            "type = \"TEXT COLLATE NOCASE\"",
        ),
        // A default that is worked out for each row is no reason to be NULL.
        (
            Ask::Rename,
            "users.at=made",
            (Dialect::Mysql, &mysql),
            "not_null = true\ndefault = \"current_timestamp()\"",
        ),
        (
            Ask::Rename,
            "users.mark=sign",
            (Dialect::Mysql, &mysql),
            "not_null = true\ndefault = \"uuid()\"",
        ),
    ] {
        let declared = asked(ask, text, &known(&[(dialect, script)], Said::default()));
        assert!(declared.contains(wanted), "{text}: {declared}");
        assert!(
            !declared.contains("AS text COLLATE"),
            "no type of a cast: {declared}"
        );
    }
}

#[test]
fn a_moment_that_may_be_null_is_told() {
    let script = "CREATE TABLE users (id int PRIMARY KEY, at timestamp NOT NULL)";
    let known = known(&[(Dialect::Mysql, script)], Said::default());
    let wish = Ask::Rename.read("users.at=made").expect("it is understood");
    let change = declare(&wish, &known).expect("it can be declared");
    let told = doubts(&wish, &known, &change);
    assert!(told[0].message.contains("`made` may be NULL"), "{told:?}");
}

#[test]
fn a_default_that_is_worked_out_is_given_to_both_columns() {
    let script =
        "CREATE TABLE users (id int PRIMARY KEY, mark varchar(36) NOT NULL DEFAULT uuid())";
    let known = known(&[(Dialect::Mysql, script)], Said::default());
    let wish = Ask::Rename
        .read("users.mark=sign")
        .expect("it is understood");
    let change = declare(&wish, &known).expect("it can be declared");
    let generated = generate(&change, Dialect::Mysql, "0002").expect("it follows");
    let contract = &generated.scripts[&phasegate_model::model::Step::Contract];
    for wanted in [
        "MODIFY COLUMN sign varchar(36) NOT NULL, ALGORITHM = INPLACE, LOCK = NONE",
        "ALTER COLUMN sign SET DEFAULT (uuid()), ALGORITHM = INSTANT",
        "ALTER COLUMN mark SET DEFAULT ((uuid())), ALGORITHM = INSTANT",
    ] {
        assert!(contract.contains(wanted), "{wanted}: {contract}");
    }
}

#[test]
fn the_moment_of_a_row_is_given_to_both_columns() {
    let script = "CREATE TABLE users (id int PRIMARY KEY, made datetime NOT NULL DEFAULT now())";
    let known = known(&[(Dialect::Mysql, script)], Said::default());
    let wish = Ask::Rename
        .read("users.made=born")
        .expect("it is understood");
    let change = declare(&wish, &known).expect("it can be declared");
    let generated = generate(&change, Dialect::Mysql, "0002").expect("it follows");
    let contract = &generated.scripts[&phasegate_model::model::Step::Contract];
    for wanted in [
        "MODIFY COLUMN born datetime NOT NULL DEFAULT now(), ALGORITHM = INPLACE, LOCK = NONE",
        "ALTER COLUMN made SET DEFAULT ((now())), ALGORITHM = INSTANT",
    ] {
        assert!(contract.contains(wanted), "{wanted}: {contract}");
    }
}

#[test]
fn names_are_given_once() {
    let script = "CREATE TABLE users (id int PRIMARY KEY, name text, CONSTRAINT users_check CHECK (id > 0)); \
        CREATE INDEX one ON users (name); CREATE UNIQUE INDEX two ON users (name)";
    let known = known(&[(Dialect::Postgres, script)], Said::default());
    let renamed = asked(Ask::Rename, "users.name=nom", &known);
    for wanted in ["[change.indexes.users_nom]", "[change.indexes.users_nom_2]"] {
        assert!(renamed.contains(wanted), "{wanted}: {renamed}");
    }
    let condition = asked(Ask::Check, "users=id < 9", &known);
    assert!(
        condition.contains("name = \"users_check_2\""),
        "{condition}"
    );
}
