//! What is generated, as it is read and reviewed.

use std::collections::BTreeMap;

use phasegate_model::model::Step;
use phasegate_sql::Dialect;

use super::*;

fn split() -> Change {
    let texts = |pairs: &[(&str, &str)]| -> BTreeMap<String, Varied> {
        let pairs = pairs.iter();
        pairs
            .map(|(name, text)| ((*name).to_owned(), Varied::from(*text)))
            .collect()
    };
    let column = |name: &str| NewColumn {
        name: name.to_owned(),
        kind: Varied::from("varchar(200)"),
        ..NewColumn::default()
    };
    Change {
        table: "users".to_owned(),
        kind: Kind::Columns(Columns {
            key: vec!["id".to_owned()],
            old: vec!["Full Name".to_owned()],
            new: vec![column("first"), column("last")],
            forward: texts(&[
                ("first", "head(\"Full Name\")"),
                ("last", "tail(\"Full Name\")"),
            ]),
            back: texts(&[("Full Name", "concat(first, ' ', last)")]),
            keep: vec!["updated_at".to_owned()],
            ..Columns::default()
        }),
    }
}

fn all(change: &Change, dialect: Dialect) -> String {
    let generated = generate(change, dialect, "0002").expect("it follows");
    let mut written = String::new();
    for (step, script) in &generated.scripts {
        written.push_str(&format!("== {}\n{script}", step.name()));
    }
    if let Some(filling) = generated.filling {
        written.push_str(&format!("== remaining\n{}\n", filling.remaining));
    }
    written
}

#[test]
fn names_that_have_to_be_quoted_are_quoted_everywhere() {
    let postgres = all(&split(), Dialect::Postgres);
    assert!(
        postgres.contains("NEW.first := head(NEW.\"Full Name\");"),
        "{postgres}"
    );
    assert!(
        postgres.contains("NEW.\"Full Name\" := other.\"Full Name\";"),
        "{postgres}"
    );
    assert!(postgres.contains("DROP COLUMN \"Full Name\""), "{postgres}");
    let sqlite = all(&split(), Dialect::Sqlite);
    assert!(
        sqlite.contains("UPDATE OF \"Full Name\" ON users"),
        "{sqlite}"
    );
    assert!(!postgres.contains("updated_at") && !sqlite.contains("updated_at"));
}

#[test]
fn mysql_reads_its_own_quotes_and_keeps_what_it_would_set() {
    let mut change = split();
    let Kind::Columns(columns) = &mut change.kind else {
        unreachable!("it is a change of columns");
    };
    for (name, text) in [
        ("first", "head(`Full Name`)"),
        ("last", "tail(`Full Name`)"),
    ] {
        columns.forward.insert(name.to_owned(), Varied::from(text));
    }
    let mysql = all(&change, Dialect::Mysql);
    assert!(
        mysql.contains("SET NEW.first = head(NEW.`Full Name`)"),
        "{mysql}"
    );
    assert!(mysql.contains("updated_at = updated_at"), "{mysql}");
    assert!(mysql.contains("ALGORITHM = INSTANT"), "{mysql}");
}

#[test]
fn what_is_missing_is_named() {
    let mut change = split();
    let Kind::Columns(columns) = &mut change.kind else {
        unreachable!("it is a change of columns");
    };
    columns.back.clear();
    let wrong =
        generate(&change, Dialect::Postgres, "0002").expect_err("nothing says what it is made of");
    assert!(wrong.message.contains("`Full Name`"), "{wrong:?}");
    assert!(wrong.help.contains("[change.back]"), "{wrong:?}");
}

#[test]
fn a_narrower_type_is_no_wider_one() {
    for (from, to, dialect, is_wider) in [
        ("varchar(50)", "varchar(200)", Dialect::Postgres, true),
        ("varchar(50)", "text", Dialect::Postgres, true),
        ("varchar(50)", "varchar(200)", Dialect::Mysql, true),
        ("varchar(200)", "varchar(50)", Dialect::Postgres, false),
        ("varchar(50)", "text", Dialect::Mysql, false),
        ("int", "bigint", Dialect::Postgres, false),
        ("varchar(50)", "varchar(50)", Dialect::Mysql, false),
        (
            "varchar(50) NOT NULL",
            "varchar(60) not null",
            Dialect::Mysql,
            true,
        ),
        ("varchar(50) NOT NULL", "varchar(60)", Dialect::Mysql, false),
        (
            "varchar(50)",
            "varchar(60) DEFAULT ''",
            Dialect::Mysql,
            false,
        ),
        (
            "varchar(50) NOT NULL",
            "varchar(60) NOT NULL",
            Dialect::Postgres,
            false,
        ),
    ] {
        let change = Change {
            table: "users".to_owned(),
            kind: Kind::Widen(Widen {
                column: "email".to_owned(),
                from: from.into(),
                wider: Wider::To(to.into()),
            }),
        };
        let generated = generate(&change, dialect, "0002");
        assert_eq!(generated.is_ok(), is_wider, "{from} to {to} on {dialect:?}");
    }
}

#[test]
fn every_script_says_that_it_is_generated() {
    for dialect in [Dialect::Postgres, Dialect::Sqlite] {
        let generated = generate(&split(), dialect, "0002").expect("it follows");
        for step in Step::ALL {
            let script = generated.scripts.get(&step).expect("each step has one");
            assert!(script.starts_with(GENERATED), "{script}");
        }
    }
}

#[test]
fn what_an_expression_holds_does_not_end_the_function_around_it() {
    let mut change = split();
    let Kind::Columns(columns) = &mut change.kind else {
        unreachable!("it is a change of columns");
    };
    let head = Varied::from("$$a$$ || \"Full Name\" || $body1$b$body1$");
    columns.forward.insert("first".to_owned(), head);
    let written = all(&change, Dialect::Postgres);
    assert!(written.contains("AS $body2$\nDECLARE"), "{written}");
    assert!(written.contains("END\n$body2$;"), "{written}");
}

#[test]
fn a_line_break_in_a_text_stays_as_it_is() {
    for dialect in [Dialect::Postgres, Dialect::Sqlite] {
        let mut change = split();
        let Kind::Columns(columns) = &mut change.kind else {
            unreachable!("it is a change of columns");
        };
        let text = "replace(\"Full Name\", 'a\nb', ' ')";
        columns
            .forward
            .insert("first".to_owned(), Varied::from(text));
        let written = all(&change, dialect);
        let breaks = written.matches("'a\n").count();
        assert!(breaks > 3, "{written}");
        assert_eq!(written.matches("'a\nb'").count(), breaks, "{written}");
    }
}

#[test]
fn what_a_column_holds_is_not_forgotten() {
    let wrong = |name: &str, text: &str| {
        let mut change = split();
        let Kind::Columns(columns) = &mut change.kind else {
            unreachable!("it is a change of columns");
        };
        columns.old.push("nick".to_owned());
        columns.back.insert("nick".to_owned(), "first".into());
        columns
            .forward
            .insert("last".to_owned(), "concat(nick, \"Full Name\")".into());
        assert!(generate(&change, Dialect::Postgres, "0002").is_ok());
        let Kind::Columns(columns) = &mut change.kind else {
            unreachable!("it is a change of columns");
        };
        let section = if name == "last" {
            &mut columns.forward
        } else {
            &mut columns.back
        };
        section.insert(name.to_owned(), text.into());
        let wrong = generate(&change, Dialect::Postgres, "0002");
        wrong.expect_err("it loses something").message
    };
    let forgotten = wrong("last", "tail(\"Full Name\")");
    assert!(forgotten.contains("made of `nick`"), "{forgotten}");
    for (name, text) in [("last", "''"), ("nick", "'nobody'")] {
        let constant = wrong(name, text);
        assert!(constant.contains("the same in every row"), "{constant}");
    }
}

#[test]
fn an_enumeration_gets_values_after_those_that_it_has() {
    let more = |from: &str, dialect: Dialect| {
        let change = Change {
            table: "orders".to_owned(),
            kind: Kind::Widen(Widen {
                column: "status".to_owned(),
                from: from.into(),
                wider: Wider::Values(vec!["it's".to_owned(), "late".to_owned()]),
            }),
        };
        let generated = generate(&change, dialect, "0002")?;
        assert_eq!(generated.sync, Sync::ToNew);
        Ok::<_, Wrong>(generated.scripts.values().cloned().collect::<String>())
    };
    let mysql = more(
        "ENUM ('new', 'a)\\'') NOT NULL DEFAULT 'new'",
        Dialect::Mysql,
    );
    assert!(
        mysql.as_ref().is_ok_and(|script| script.contains(
            "MODIFY COLUMN status ENUM ('new', 'a)\\'','it''s','late') NOT NULL DEFAULT 'new', ALGORITHM"
        )),
        "{mysql:?}"
    );
    let postgres = more("order_status", Dialect::Postgres).expect("it follows");
    assert!(
        postgres.contains(
            "ALTER TYPE order_status ADD VALUE 'it''s';\nALTER TYPE order_status ADD VALUE 'late';"
        ),
        "{postgres}"
    );
    for (from, dialect) in [
        ("text", Dialect::Sqlite),
        ("varchar(20)", Dialect::Mysql),
        ("varchar(20)", Dialect::Postgres),
        ("text", Dialect::Postgres),
        ("enum('a'", Dialect::Mysql),
    ] {
        assert!(more(from, dialect).is_err(), "{from} on {dialect:?}");
    }
}

#[test]
fn a_table_of_another_name_is_a_view_until_the_contract() {
    let rename = |table: &str, to: &str| Change {
        table: table.to_owned(),
        kind: Kind::RenameTable(RenameTable {
            to: to.to_owned(),
            key: vec!["id".to_owned()],
            columns: vec!["id".to_owned(), "Full Name".to_owned()],
            defaults: BTreeMap::from([("Full Name".to_owned(), "'x'".into())]),
        }),
    };
    let postgres = all(&rename("shop.users", "People"), Dialect::Postgres);
    for wanted in [
        "CREATE VIEW shop.\"People\" AS SELECT * FROM shop.users;",
        "'ALTER VIEW shop.\"People\" SET (security_invoker = true)'",
        "== contract\n",
        "DROP VIEW shop.\"People\";\nALTER TABLE shop.users RENAME TO \"People\";",
    ] {
        assert!(postgres.contains(wanted), "{wanted}\n{postgres}");
    }
    let mysql = all(&rename("users", "people"), Dialect::Mysql);
    assert!(
        mysql.contains("RENAME TABLE people TO zz_0002_users_view, users TO people;\nDROP VIEW zz_0002_users_view;"),
        "{mysql}"
    );
    let sqlite = all(&rename("users", "people"), Dialect::Sqlite);
    assert!(
        sqlite.contains("VALUES (NEW.id, coalesce(NEW.\"Full Name\", 'x'));"),
        "{sqlite}"
    );
    for (table, to) in [("users", "users"), ("users", "shop.people")] {
        assert!(
            generate(&rename(table, to), Dialect::Postgres, "0002").is_err(),
            "{to}"
        );
    }
}

#[test]
fn a_list_is_changed_in_one_direction_at_a_time() {
    let texts = |values: &str| -> Vec<String> {
        let values = values.split(' ').filter(|value| !value.is_empty());
        values.map(str::to_owned).collect()
    };
    let of = |from: &str, to: &str, instead: &[(&str, &str)], dialect| {
        let instead = instead.iter();
        let change = Change {
            table: "orders".to_owned(),
            kind: Kind::Values(Values {
                column: "status".to_owned(),
                name: "Listed".into(),
                from: texts(from),
                to: texts(to),
                instead: instead
                    .map(|(old, new)| ((*old).to_owned(), (*new).to_owned()))
                    .collect(),
            }),
        };
        generate(&change, dialect, "0002")
            .map_err(|wrong| format!("{} | {}", wrong.message, wrong.help))
    };
    use Dialect::{Mysql, Postgres, Sqlite};
    for (from, to, instead, wrong) in [
        ("a b", "b a", &[][..], "nothing to do"),
        ("a b", "a c", &[], "take away in a later one"),
        ("a a", "a b", &[], "`a` is listed twice"),
        ("a b", "a", &[("a", "b")], "`a`, which does not go"),
        ("a b", "a", &[("b", "c")], "`c`, which `to` does not list"),
    ] {
        let said = of(from, to, instead, Postgres).expect_err("it cannot be carried out");
        assert!(said.contains(wrong), "{said}");
    }
    let on_sqlite = of("a", "a b", &[], Sqlite).expect_err("SQLite changes no CHECK");
    assert!(on_sqlite.contains("NAME IN ('a', 'b')"), "{on_sqlite}");
    let more = of("a", "a it's", &[], Postgres).expect("it follows");
    assert_eq!(
        more.scripts[&Step::Expand]
            .lines()
            .skip(2)
            .collect::<Vec<_>>(),
        [
            "ALTER TABLE orders DROP CONSTRAINT \"Listed\", ADD CONSTRAINT \"Listed\" CHECK (status IN ('a', 'it''s')) NOT VALID;",
            "ALTER TABLE orders VALIDATE CONSTRAINT \"Listed\";"
        ]
    );
    assert_eq!((more.sync, more.scripts.len()), (Sync::ToNew, 1));
    let fewer = of("a b c", "a", &[("b", "a")], Mysql).expect("it follows");
    let contract = &fewer.scripts[&Step::Contract];
    assert!(
        contract.contains("UPDATE orders SET status = 'a' WHERE status = 'b';"),
        "{contract}"
    );
    assert_eq!(
        fewer.require,
        ["SELECT count(*) FROM orders WHERE status IN ('c')"]
    );
    assert_eq!((fewer.sync, fewer.scripts.len()), (Sync::None, 1));
}

#[test]
fn a_table_that_is_split_has_its_key_in_both() {
    let column = |name: &str| NewColumn {
        name: name.to_owned(),
        kind: Varied::from("varchar(20)"),
        ..NewColumn::default()
    };
    let texts = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let split = || SplitTable {
        key: texts(&["tenant", "id"]),
        to: "Addresses".to_owned(),
        link: texts(&["tenant", "user"]),
        new: ["tenant", "user", "Street"].map(column).to_vec(),
        ..SplitTable::default()
    };
    let of = |split: SplitTable| Change {
        table: "shop.users".to_owned(),
        kind: Kind::SplitTable(split),
    };
    let postgres = all(&of(split()), Dialect::Postgres);
    for wanted in [
        "CREATE TABLE shop.\"Addresses\" (\n    tenant varchar(20) NOT NULL,\n    \"user\" varchar(20) NOT NULL,\n    \"Street\" varchar(20),\n    \
         PRIMARY KEY (tenant, \"user\"),\n    \
         FOREIGN KEY (tenant, \"user\") REFERENCES shop.users (tenant, id) ON UPDATE CASCADE ON DELETE CASCADE\n);",
        "DELETE FROM shop.\"Addresses\"\n        WHERE tenant = NEW.tenant AND \"user\" = NEW.id AND NOT (\"Street\" IS NULL);",
        "UPDATE shop.users AS kept SET \"Street\" = moved.\"Street\"\n        FROM shop.\"Addresses\" AS moved\n        \
         WHERE moved.tenant = NEW.tenant AND moved.\"user\" = NEW.\"user\" AND kept.tenant = moved.tenant AND kept.id = moved.\"user\"\n",
        "WHERE (kept.tenant, kept.id) > :after AND (kept.tenant, kept.id) <= :upto",
        "FOR SHARE OF kept\nON CONFLICT (tenant, \"user\") DO UPDATE SET \"Street\" = excluded.\"Street\"",
        "DROP FUNCTION shop.\"zz_0002_Addresses_to_old\"();\nALTER TABLE shop.users DROP COLUMN \"Street\";",
        "EXECUTE 'GRANT ' || granted.what || ' ON shop.\"Addresses\" TO ' || granted.who;",
    ] {
        assert!(postgres.contains(wanted), "{wanted}\n{postgres}");
    }
    let mysql = all(
        &of(SplitTable {
            drop_indexes: texts(&["streets"]),
            drop_constraints: texts(&["Street", "c"]),
            ..split()
        }),
        Dialect::Mysql,
    );
    for wanted in [
        "DROP TRIGGER shop.zz_0002_users_insert;",
        "ALTER TABLE shop.users DROP CONSTRAINT c, DROP INDEX streets, DROP COLUMN `Street`, ALGORITHM",
        "LOCK IN SHARE MODE\nON DUPLICATE KEY UPDATE `Street` = VALUES(`Street`)",
    ] {
        assert!(mysql.contains(wanted), "{wanted}\n{mysql}");
    }
    let wrong = |split: SplitTable| {
        let wrong = generate(&of(split), Dialect::Postgres, "0002");
        wrong.expect_err("it cannot be carried out").message
    };
    for (split, wanted) in [
        (
            SplitTable {
                to: "shop.addresses".to_owned(),
                ..split()
            },
            "names a schema",
        ),
        (
            SplitTable {
                to: "users".to_owned(),
                ..split()
            },
            "called `users` itself",
        ),
        (
            SplitTable {
                link: texts(&["user"]),
                ..split()
            },
            "`key` names 2 columns, and `link` names 1",
        ),
        (
            SplitTable {
                link: texts(&["tenant", "owner"]),
                ..split()
            },
            "does not say the type of `owner`",
        ),
        (
            SplitTable {
                new: ["tenant", "user"].map(column).to_vec(),
                ..split()
            },
            "no column moves",
        ),
        (
            SplitTable {
                new: ["tenant", "user", "id"].map(column).to_vec(),
                ..split()
            },
            "`id` is of the key",
        ),
        (
            SplitTable {
                new: ["tenant", "user", "Street"]
                    .map(|name| NewColumn {
                        not_null: name == "Street",
                        ..column(name)
                    })
                    .to_vec(),
                ..split()
            },
            "`Street` cannot be NOT NULL",
        ),
    ] {
        let said = wrong(split);
        assert!(said.contains(wanted), "{said}");
    }
}
