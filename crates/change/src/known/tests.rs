//! What is held against a declaration.

mod partitions;
mod split;

use phasegate_sql::{Script, Tables};

use super::*;
use crate::{
    AddColumn, Check, DropIndex, ForeignKey, Index, NewColumn, NewIndex, NotNull, SetDefault,
    Unique, Values, Varied, Widen, Wider,
};

fn columns(old: &str, key: &str) -> Columns {
    Columns {
        key: vec![key.to_owned()],
        old: vec![old.to_owned()],
        new: vec![NewColumn {
            name: "fresh".to_owned(),
            kind: "text".into(),
            ..NewColumn::default()
        }],
        ..Columns::default()
    }
}

/// What is said of a change of the table that the script makes.
fn said(dialect: Dialect, script: &str, kind: Kind) -> String {
    let script = Script::parse(dialect, script).unwrap_or_else(|errors| panic!("{errors:?}"));
    let mut tables = Tables::default();
    tables.apply(&script);
    let table = tables.get(dialect, "users").expect("it is made");
    let change = Change {
        table: "users".to_owned(),
        kind,
    };
    let all = objections(&change, dialect, table).into_iter();
    let all: Vec<String> = all
        .map(|Objection { weight, wrong }| {
            format!("{weight:?}: {} | {}", wrong.message, wrong.help)
        })
        .collect();
    all.join("\n")
}

const LITE: &str = "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, name TEXT NOT NULL, nick TEXT NOT NULL DEFAULT 'x', note TEXT); CREATE UNIQUE INDEX users_nick ON users (nick, note);";
const MY: &str = "CREATE TABLE users (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, email VARCHAR(50) NOT NULL DEFAULT '', name VARCHAR(50) COLLATE utf8mb4_bin, logins INT(11), UNIQUE (email), KEY two (name, logins))";
const PG: &str = "CREATE TABLE users (id bigint PRIMARY KEY, email varchar(50) NOT NULL UNIQUE, name text, logins integer); CREATE INDEX two ON users (lower(name), logins)";

#[test]
fn what_stands_in_the_way_is_said_with_a_way_out() {
    use Dialect::{Mysql, Postgres, Sqlite};
    let carried = NewIndex {
        name: "users_fresh".to_owned(),
        columns: vec!["fresh".to_owned()],
        is_unique: true,
        replaces: Some("users_email_key".to_owned()),
        ..NewIndex::default()
    };
    let add = |column: &str| {
        Kind::AddColumn(AddColumn {
            column: column.to_owned(),
            ..AddColumn::default()
        })
    };
    let drop = |column: &str, indexes: &[&str]| {
        Kind::DropColumn(DropColumn {
            columns: vec![column.to_owned()],
            drop_indexes: indexes.iter().map(|name| (*name).to_owned()).collect(),
            ..DropColumn::default()
        })
    };
    let widen = |from: &str| {
        Kind::Widen(Widen {
            column: "email".to_owned(),
            from: Varied::from(from),
            wider: Wider::To(Varied::default()),
        })
    };
    let not_null = |column: &str, kind: &str| {
        Kind::NotNull(NotNull {
            column: column.to_owned(),
            kind: Varied::from(kind),
            ..NotNull::default()
        })
    };
    let drop_index = |name: &str| {
        Kind::DropIndex(DropIndex {
            name: name.to_owned(),
        })
    };
    let index = |name: &str, column: &str| {
        Kind::Index(Index {
            name: name.to_owned(),
            columns: vec![column.to_owned()],
            ..Index::default()
        })
    };
    for (dialect, script, kind, wanted) in [
        (
            Sqlite,
            LITE,
            Kind::Columns(columns("note_", "id")),
            "Error: `users` has no column `note_` on SQLite",
        ),
        (
            Sqlite,
            LITE,
            Kind::Columns(columns("nick", "rowid")),
            "`users_fresh_note = { columns = [\"fresh\", \"note\"], unique = true, replaces = \"users_nick\" }`",
        ),
        (
            Sqlite,
            LITE,
            Kind::Columns(columns("email", "id")),
            "Error: SQLite cannot drop `email`",
        ),
        (
            Sqlite,
            LITE,
            Kind::Columns(columns("name", "id")),
            "Error: `name` is NOT NULL without a default",
        ),
        (
            Sqlite,
            LITE,
            Kind::Columns(columns("id", "id")),
            "Error: `id` is of the primary key",
        ),
        (
            Sqlite,
            LITE,
            Kind::Columns(columns("note", "email")),
            "Error: `key` of `users` may have one value twice",
        ),
        (
            Sqlite,
            LITE,
            drop("nick", &[]),
            "drop_indexes = [\"users_nick\"]",
        ),
        (Sqlite, LITE, drop("nick", &["users_nick"]), ""),
        (
            Sqlite,
            LITE,
            drop("nick", &["users_nik"]),
            "index `users_nik`",
        ),
        (
            Sqlite,
            LITE,
            add("NICK"),
            "Error: `users` has a column `NICK` already",
        ),
        (Sqlite, LITE, add("other"), ""),
        (
            Postgres,
            PG,
            Kind::Columns(columns("email", "id")),
            "IndexGoes: the unique index `users_email_key` goes",
        ),
        (
            Postgres,
            PG,
            Kind::Columns(Columns {
                indexes: vec![carried],
                ..columns("email", "id")
            }),
            "",
        ),
        (
            Postgres,
            PG,
            Kind::Columns(Columns {
                drop_indexes: vec!["users_email_key".to_owned()],
                ..columns("email", "email")
            }),
            "",
        ),
        (
            Postgres,
            PG,
            Kind::Columns(columns("name", "id")),
            "IndexGoes: the index `two` goes",
        ),
        (
            Postgres,
            PG,
            drop("email", &[]),
            "Error: `email` is NOT NULL without a default: every INSERT of a version that no longer knows it would fail until the contract",
        ),
        (Postgres, PG, drop("logins", &[]), ""),
        (Postgres, PG, widen("varchar(50)"), ""),
        (Postgres, PG, widen("character varying(50)"), ""),
        (
            Postgres,
            PG,
            widen("varchar(40)"),
            "`email` is `varchar(50)`",
        ),
        (
            Postgres,
            PG,
            not_null("email", ""),
            "Error: `email` is NOT NULL already",
        ),
        (Postgres, PG, not_null("name", ""), ""),
        (Postgres, PG, drop_index("two"), ""),
        (
            Postgres,
            PG,
            drop_index("one"),
            "it has users_email_key, two",
        ),
        (
            Postgres,
            PG,
            index("two", "name"),
            "Error: `users` has an index `two` already",
        ),
        (
            Postgres,
            PG,
            index("three", "nam"),
            "it has id, email, name, logins",
        ),
        (
            Mysql,
            MY,
            widen("varchar(50)"),
            "`email` is `VARCHAR(50) NOT NULL DEFAULT ''`",
        ),
        (Mysql, MY, widen("varchar(50) DEFAULT '' NOT NULL"), ""),
        (
            Mysql,
            MY,
            not_null("name", "varchar(50)"),
            "`name`, which is `VARCHAR(50) COLLATE utf8mb4_bin`",
        ),
        (
            Mysql,
            MY,
            not_null("name", "varchar(50) collate utf8mb4_bin"),
            "",
        ),
        (Mysql, MY, not_null("logins", "integer"), ""),
        (
            Mysql,
            MY,
            not_null("logins", "bigint"),
            "`logins`, which is `INT(11)`",
        ),
        (
            Mysql,
            MY,
            drop("logins", &[]),
            "IndexGoes: of the index `two`",
        ),
        (Mysql, MY, drop("logins", &["two"]), ""),
        (
            Mysql,
            MY,
            Kind::Columns(columns("email", "id")),
            "IndexGoes: the unique index `email` goes",
        ),
    ] {
        let found = said(dialect, script, kind.clone());
        let is_right = found.contains(wanted) && (wanted.is_empty() == found.is_empty());
        assert!(is_right, "{dialect:?} {kind:?}: {found}, and not {wanted}");
    }
}

#[test]
fn a_foreign_key_or_a_condition_is_not_lost_without_a_word() {
    use Dialect::{Mysql, Postgres, Sqlite};
    let table = "CREATE TABLE users (id int NOT NULL PRIMARY KEY, team int REFERENCES teams (id), age int CONSTRAINT grown CHECK (age > 17), n int, CHECK (n > 0), FOREIGN KEY (n) REFERENCES numbers (n))";
    let said_of = |old: &str, constraints: &[&str]| {
        Kind::Columns(Columns {
            drop_constraints: constraints.iter().map(|name| (*name).to_owned()).collect(),
            ..columns(old, "id")
        })
    };
    for (dialect, kind, wanted) in [
        (
            Postgres,
            said_of("team", &[]),
            "ConstraintGoes: the foreign key `users_team_fkey` goes with its column",
        ),
        (
            Postgres,
            said_of("n", &["users_n_fkey"]),
            "ConstraintGoes: the CHECK `users_n_check` goes with its column",
        ),
        (
            Postgres,
            said_of("n", &["users_n_fkey", "users_n_check"]),
            "",
        ),
        (
            Sqlite,
            said_of("age", &[]),
            "ConstraintGoes: the CHECK `grown` goes with its column",
        ),
        (Sqlite, said_of("team", &["users_team_fkey"]), ""),
        (
            Sqlite,
            said_of("n", &["users_n_check"]),
            "Error: SQLite drops no column that is of the CHECK `users_n_check`",
        ),
        (
            Mysql,
            said_of("n", &[]),
            "Error: the foreign key `users_ibfk_2` is over a column that the contract drops, which MySQL",
        ),
        (
            Mysql,
            said_of("age", &["nobody"]),
            "ConstraintGoes: the CHECK `grown` goes with its column",
        ),
        // A foreign key in the definition of a column is none on MySQL.
        (Mysql, said_of("team", &[]), ""),
        (Mysql, said_of("age", &["grown"]), ""),
    ] {
        let said = said(dialect, table, kind);
        let is_right = match wanted {
            "" => said.is_empty(),
            wanted => said.contains(wanted),
        };
        assert!(is_right, "{dialect:?}, wanted {wanted:?}: {said}");
    }
    let named = "CREATE TABLE users (id int NOT NULL PRIMARY KEY, n int, CONSTRAINT a FOREIGN KEY (n) REFERENCES numbers (n))";
    let unknown = said(Mysql, named, said_of("n", &["a", "b"]));
    assert!(
        unknown.starts_with("Error: `users` has no constraint `b`"),
        "{unknown}"
    );
    // The server makes an index for a foreign key, and calls it as that, or as its column.
    for index in ["a", "n"] {
        let replaced = Kind::Columns(Columns {
            drop_indexes: vec![index.to_owned()],
            ..match said_of("n", &["a"]) {
                Kind::Columns(columns) => columns,
                _ => Columns::default(),
            }
        });
        assert_eq!(said(Mysql, named, replaced), "");
    }
}

#[test]
fn nothing_is_held_against_it_where_the_table_is_not_known() {
    let script = "CREATE TABLE users AS SELECT 1 AS a;";
    let kind = Kind::Columns(columns("b", "id"));
    assert_eq!(said(Dialect::Sqlite, script, kind), "");
}

#[test]
fn what_a_column_is_stands_against_what_is_said_of_it() {
    use Dialect::{Mysql, Postgres, Sqlite};
    let orders = "CREATE TABLE users (id integer PRIMARY KEY, status enum('new','paid') NOT NULL, country varchar(2) DEFAULT 'NL')";
    let own = "CREATE TABLE users (id integer PRIMARY KEY, status shop.order_status, country text DEFAULT 'NL')";
    let lite =
        "CREATE TABLE users (id integer PRIMARY KEY, status text, country text DEFAULT 'NL')";
    let values = |from: &str, value: &str| {
        Kind::Widen(Widen {
            column: "status".to_owned(),
            from: from.into(),
            wider: Wider::Values(vec![value.to_owned()]),
        })
    };
    let default = |column: &str, from: Option<&str>| {
        Kind::Default(SetDefault {
            column: column.to_owned(),
            from: from.map(Varied::from),
            to: Some("'BE'".into()),
        })
    };
    let rename = |columns: &[&str], defaults: &[&str]| {
        Kind::RenameTable(RenameTable {
            to: "people".to_owned(),
            key: vec!["id".to_owned()],
            columns: columns.iter().map(|name| (*name).to_owned()).collect(),
            defaults: defaults
                .iter()
                .map(|name| ((*name).to_owned(), Varied::from("'NL'")))
                .collect(),
        })
    };
    for (dialect, script, kind, wanted) in [
        (
            Mysql,
            orders,
            values("enum('new','paid') NOT NULL", "late"),
            "",
        ),
        (
            Mysql,
            orders,
            values("ENUM('new', 'paid') NOT NULL", "paid"),
            "knows the value `paid`",
        ),
        (
            Mysql,
            orders,
            values("enum('new','paid')", "late"),
            "forgets of a column",
        ),
        (Postgres, own, values("order_status", "late"), ""),
        (Postgres, own, values("shop.order_status", "late"), ""),
        (
            Postgres,
            own,
            values("status", "late"),
            "`from` says `status`",
        ),
        (Postgres, own, default("country", Some("'NL'::text")), ""),
        (
            Postgres,
            own,
            default("country", Some("'nl'")),
            "write `from = \"'NL'\"`",
        ),
        (
            Postgres,
            own,
            default("country", None),
            "is 'NL' on PostgreSQL",
        ),
        (
            Mysql,
            orders,
            default("status", Some("'new'")),
            "leave `from` out",
        ),
        (Mysql, orders, default("gone", None), "no column `gone`"),
        (
            Sqlite,
            lite,
            rename(&["id", "status", "country"], &["country"]),
            "",
        ),
        (
            Sqlite,
            lite,
            rename(&["id", "status"], &["country"]),
            "leaves out country",
        ),
        (
            Sqlite,
            lite,
            rename(&["id", "status", "country"], &[]),
            "[change.defaults]",
        ),
        (Postgres, own, rename(&[], &[]), ""),
    ] {
        let said = said(dialect, script, kind);
        let is_right = match wanted {
            "" => said.is_empty(),
            wanted => said.contains(wanted),
        };
        assert!(is_right, "{dialect:?}, wanted {wanted:?}: {said}");
    }
}

/// What is left out of the list would be forbidden without anybody having said so.
#[test]
fn the_list_of_a_check_is_the_one_that_is_there() {
    const LISTED: &str = "CREATE TABLE users (id bigint PRIMARY KEY, state text, name text, \
        CONSTRAINT listed CHECK (state IN ('a', 'b')), CONSTRAINT more CHECK (state IN ('a') OR name = 'x'))";
    for (dialect, name, from, wanted) in [
        (Dialect::Postgres, "listed", &["a", "b"][..], ""),
        (Dialect::Postgres, "listed", &["b", "a"], ""),
        (Dialect::Mysql, "listed", &["a"], "lists [\"a\", \"b\"]"),
        (
            Dialect::Postgres,
            "listed",
            &["a", "b", "c"],
            "would be forbidden",
        ),
        (Dialect::Postgres, "more", &["a"], "does more than to list"),
        (Dialect::Mysql, "other", &["a"], "it has listed, more"),
    ] {
        let values = Values {
            column: "state".to_owned(),
            name: name.into(),
            from: from.iter().map(|value| (*value).to_owned()).collect(),
            ..Values::default()
        };
        let said = said(dialect, LISTED, Kind::Values(values));
        let is_right = if wanted.is_empty() {
            said.is_empty()
        } else {
            said.contains(wanted)
        };
        assert!(is_right, "{name} {from:?}: {said}");
    }
}

#[test]
fn a_constant_has_to_be_let_into_every_row() {
    use Dialect::{Mysql, Postgres};
    const SHOP: &str = "CREATE TABLE users (id bigint PRIMARY KEY, email varchar(50) UNIQUE, cc varchar(2), n integer CHECK (n < 5), st varchar(9) CHECK (st IN ('new', 'paid')), team bigint REFERENCES teams (id))";
    let fill = |column: &str, value: &str| {
        Kind::NotNull(NotNull {
            column: column.to_owned(),
            kind: Varied {
                common: None,
                own: [(Mysql, "varchar(50)".to_owned())].into(),
            },
            key: vec!["id".to_owned()],
            fill: Some(value.into()),
        })
    };
    let set = |column: &str, value: &str| {
        Kind::Default(SetDefault {
            column: column.to_owned(),
            from: None,
            to: Some(value.into()),
        })
    };
    let drop = |column: &str, value: &str| {
        Kind::DropColumn(DropColumn {
            columns: vec![column.to_owned()],
            placeholder: Some(value.into()),
            ..DropColumn::default()
        })
    };
    for make in [&fill as &dyn Fn(&str, &str) -> Kind, &set, &drop] {
        for (column, value, told) in [
            ("email", "''", "Error: `email` is unique"),
            ("cc", "'NLD'", "Error: `"),
            ("st", "'lost'", "Error: the CHECK"),
            ("n", "9", "MayBeRefused: the CHECK"),
            ("team", "1", "MayBeRefused: the foreign key"),
        ] {
            let found = said(Postgres, SHOP, make(column, value));
            assert!(found.contains(told), "{column} {value}: {found}");
        }
        for (column, value) in [
            ("email", "gen_random_uuid()"),
            ("cc", "'NL'"),
            ("st", "'new'"),
            ("st", "NULL"),
        ] {
            let found = said(Postgres, SHOP, make(column, value));
            assert!(!found.contains("live version"), "{column} {value}: {found}");
        }
    }
    assert!(said(Mysql, SHOP, set("email", "'-'")).contains("Error: `email` is unique"));
}

/// A trigger runs in the session of an application, the backfill in another one.
#[test]
fn what_a_session_would_decide_is_refused() {
    const TIMES: &str = "CREATE TABLE users (id int PRIMARY KEY, at timestamp, on_day date, seen timestamptz, said text)";
    let change = |old: &str, kind: &str, (forward, back): (&str, &str)| {
        Kind::Columns(Columns {
            key: vec!["id".to_owned()],
            old: vec![old.to_owned()],
            new: vec![NewColumn {
                name: "fresh".to_owned(),
                kind: kind.into(),
                ..NewColumn::default()
            }],
            forward: [("fresh".to_owned(), Varied::from(forward))].into(),
            back: [(old.to_owned(), Varied::from(back))].into(),
            ..Columns::default()
        })
    };
    let named = ("at AT TIME ZONE 'UTC'", "fresh AT TIME ZONE 'UTC'");
    let half = ("at AT TIME ZONE 'UTC'", "CAST(fresh AS timestamp)");
    for (kind, wanted) in [
        (
            change("at", "timestamptz", ("CAST(at AS timestamptz)", "fresh")),
            "Error: on PostgreSQL the time zone of a session decides what `forward` makes of `at`",
        ),
        (
            change("at", "timestamptz", half),
            "Error: on PostgreSQL the time zone of a session decides what `back` makes of `fresh`",
        ),
        (change("at", "timestamptz", named), ""),
        (
            change("on_day", "timestamptz", ("on_day", "fresh::date")),
            "Error",
        ),
        (change("seen", "date", ("seen::date", "fresh")), "Error"),
        (
            change("seen", "text", ("seen::text", "fresh::timestamptz")),
            "Error",
        ),
        (
            change(
                "said",
                "timestamptz",
                ("said::timestamptz", "timezone('UTC', fresh)::text"),
            ),
            "MayBeRefused",
        ),
        (change("at", "date", ("at::date", "fresh")), ""),
    ] {
        let told = format!("{kind:?}");
        let found = said(Dialect::Postgres, TIMES, kind);
        assert_eq!(found.is_empty(), wanted.is_empty(), "{told}: {found}");
        assert!(found.starts_with(wanted), "{told}: {found}");
    }
}

/// What the contract asks of a column that live versions leave out.
#[test]
fn a_default_has_to_be_let_in_by_what_comes() {
    use Dialect::{Mysql, Postgres, Sqlite};
    const SHOP: &str = "CREATE TABLE users (id int PRIMARY KEY, st varchar(9) NOT NULL DEFAULT 'new', code varchar(9) NOT NULL DEFAULT '', n int DEFAULT 0, tag varchar(40) DEFAULT (uuid()), free text, CONSTRAINT st_check CHECK (st IN ('new', 'paid', 'old')))";
    let values = |to: &[&str]| {
        Kind::Values(Values {
            column: "st".to_owned(),
            name: "st_check".into(),
            from: ["new", "paid", "old"].map(str::to_owned).to_vec(),
            to: to.iter().map(|value| (*value).to_owned()).collect(),
            ..Values::default()
        })
    };
    let unique = |columns: &[&str]| {
        Kind::Unique(Unique {
            name: None,
            columns: columns.iter().map(|name| (*name).to_owned()).collect(),
        })
    };
    let check = |condition: &str| {
        Kind::Check(Check {
            name: Some("one".to_owned()),
            condition: condition.into(),
        })
    };
    let key = |column: &str| {
        Kind::ForeignKey(ForeignKey {
            columns: vec![column.to_owned()],
            references: "p".to_owned(),
            referenced: vec!["id".to_owned()],
            ..ForeignKey::default()
        })
    };
    for dialect in [Postgres, Mysql, Sqlite] {
        for (kind, wanted) in [
            (
                values(&["paid", "old"]),
                "Error: the default of `st` is 'new', which goes",
            ),
            (values(&["new", "paid"]), ""),
            (unique(&["code"]), "MayBeRefused: `code` has the default ''"),
            (unique(&["tag"]), ""),
            (unique(&["free"]), ""),
            (unique(&["code", "n"]), ""),
            (check("n > 0"), "Error: `n` has the default 0"),
            (check("n >= 0"), ""),
            (check("odd(n)"), "MayBeRefused: `n` has the default 0"),
            (check("free <> ''"), ""),
            (key("n"), "MayBeRefused: `n` has the default 0"),
            (key("free"), ""),
        ] {
            let told = format!("{dialect:?} {kind:?}");
            let found = said(dialect, SHOP, kind);
            assert_eq!(found.is_empty(), wanted.is_empty(), "{told}: {found}");
            assert!(found.starts_with(wanted), "{told}: {found}");
        }
    }
}

#[test]
fn what_triggers_do_not_see_is_said() {
    use Dialect::{Mysql, Postgres};
    let users = "CREATE TABLE users (id int PRIMARY KEY, code varchar(9) NOT NULL, name text);";
    let identity = "CREATE UNIQUE INDEX by_code ON users (code); ALTER TABLE users REPLICA IDENTITY USING INDEX by_code;";
    let key = |action: &str| {
        format!(
            "CREATE TABLE users (id int PRIMARY KEY, code int, FOREIGN KEY (code) REFERENCES codes (id) {action})"
        )
    };
    let said_of = |dialect, script: &str, kind| said(dialect, script, kind);
    let drop = || {
        Kind::DropColumn(DropColumn {
            columns: vec!["code".to_owned()],
            placeholder: Some("1".into()),
            ..DropColumn::default()
        })
    };
    let index = || {
        Kind::DropIndex(DropIndex {
            name: "by_code".to_owned(),
        })
    };
    let renamed = |old: &str| Kind::Columns(columns(old, "id"));
    for (dialect, script, kind, wanted) in [
        (Postgres, format!("{users}{identity}"), renamed("code"), "is the replica identity"),
        (Postgres, format!("{users}{identity}"), drop(), "is the replica identity"),
        (Postgres, format!("{users}{identity}"), index(), "is the replica identity"),
        (
            Postgres,
            format!("{users} CREATE TABLE admins (level int) INHERITS (users);"),
            renamed("name"),
            "`admins` inherits from `users`",
        ),
        (
            Postgres,
            format!("{users} CREATE TABLE admins (id int); ALTER TABLE admins INHERIT users;"),
            renamed("name"),
            "`admins` inherits from `users`",
        ),
        (
            Postgres,
            format!("{users} CREATE TRIGGER tell AFTER INSERT OR UPDATE OF id, name ON users FOR EACH ROW EXECUTE FUNCTION tell();"),
            renamed("name"),
            "`tell` fires for `UPDATE OF id, name`",
        ),
        (Mysql, key("ON DELETE SET NULL"), renamed("code"), "fire no triggers"),
        (Mysql, key("ON DELETE CASCADE ON UPDATE CASCADE"), renamed("code"), "fire no triggers"),
        (
            Mysql,
            "CREATE TABLE users (id int PRIMARY KEY, code int REFERENCES codes (id) ON UPDATE SET DEFAULT)".to_owned(),
            renamed("code"),
            "fire no triggers",
        ),
    ] {
        let found = said_of(dialect, &script, kind);
        assert!(found.contains("Unseen: ") && found.contains(wanted), "{script}: {found}");
    }
    for (dialect, script, kind) in [
        (Postgres, format!("{users}{identity}"), renamed("name")),
        (
            Postgres,
            format!("{users}{identity} ALTER TABLE users REPLICA IDENTITY DEFAULT;"),
            renamed("code"),
        ),
        (
            Postgres,
            format!("{users} CREATE TABLE admins (level int) INHERITS (users); DROP TABLE admins;"),
            renamed("name"),
        ),
        (
            Postgres,
            format!(
                "{users} CREATE TABLE admins (level int) INHERITS (users); ALTER TABLE admins NO INHERIT users;"
            ),
            renamed("name"),
        ),
        (
            Postgres,
            format!(
                "{users} CREATE TRIGGER tell AFTER UPDATE OF id ON users FOR EACH ROW EXECUTE FUNCTION tell();"
            ),
            renamed("name"),
        ),
        (
            Postgres,
            format!(
                "{users} CREATE TRIGGER tell AFTER UPDATE OF name ON users FOR EACH ROW EXECUTE FUNCTION tell(); DROP TRIGGER tell ON users;"
            ),
            renamed("name"),
        ),
        (Postgres, key("ON DELETE SET NULL"), renamed("code")),
        (
            Mysql,
            key("ON DELETE CASCADE ON UPDATE RESTRICT"),
            renamed("code"),
        ),
        (Mysql, key("ON DELETE SET NULL"), drop()),
    ] {
        let found = said_of(dialect, &script, kind);
        assert!(!found.contains("Unseen: "), "{script}: {found}");
    }
}

#[test]
fn what_goes_along_with_a_column_is_said() {
    use Dialect::{Mysql, Postgres};
    let users = "CREATE TABLE users (id int PRIMARY KEY, code varchar(9), e text, x int";
    let drop = |column: &str| {
        Kind::DropColumn(DropColumn {
            columns: vec![column.to_owned()],
            ..DropColumn::default()
        })
    };
    let renamed = |old: &str| Kind::Columns(columns(old, "id"));
    let in_place = "CREATE UNIQUE INDEX users_e ON users (e); ALTER TABLE users ADD CONSTRAINT e_once UNIQUE USING INDEX users_e;";
    let not_null = || {
        Kind::NotNull(NotNull {
            column: "code".to_owned(),
            kind: "varchar(9)".into(),
            ..NotNull::default()
        })
    };
    let check = || {
        Kind::Check(crate::Check {
            name: None,
            condition: "x > 1".into(),
        })
    };
    for (dialect, script, kind, wanted) in [
        (
            Postgres,
            format!("{users}); {in_place}"),
            renamed("e"),
            "the unique index `e_once` goes",
        ),
        (
            Postgres,
            format!("{users}, UNIQUE (e) INCLUDE (x))"),
            drop("x"),
            "the unique index `users_e_key` goes with `x`",
        ),
        (
            Postgres,
            format!("{users}); CREATE UNIQUE INDEX i ON users (e) INCLUDE (x)"),
            renamed("x"),
            "the unique index `i` goes",
        ),
        (
            Postgres,
            format!("{users}); CREATE UNIQUE INDEX i ON users (e) WHERE x IS NULL"),
            drop("x"),
            "the unique index `i` goes with `x`",
        ),
        (
            Postgres,
            "CREATE TABLE users (id int, x int, PRIMARY KEY (id) INCLUDE (x))".to_owned(),
            drop("x"),
            "is of the primary key",
        ),
        (
            Postgres,
            format!("{users}, EXCLUDE USING gist (e WITH =, x WITH &&))"),
            drop("x"),
            "the exclusion constraint `users_e_x_excl` goes with `x`",
        ),
        (
            Postgres,
            format!("{users}, CONSTRAINT none EXCLUDE USING gist (x WITH &&))"),
            renamed("x"),
            "the exclusion constraint `none` goes",
        ),
        (
            Mysql,
            "CREATE TABLE users (id int PRIMARY KEY, code varchar(9) CHECK (code <> 'bad'))"
                .to_owned(),
            not_null(),
            "Unseen: `code` has a CHECK in its definition (code <> 'bad')",
        ),
        (
            Postgres,
            format!("{users}, CONSTRAINT users_check CHECK (x > 0))"),
            check(),
            "has a constraint `users_check` already",
        ),
    ] {
        let found = said(dialect, &script, kind);
        assert!(found.contains(wanted), "{wanted}\n{script}: {found}");
    }
    let again = "CREATE TABLE users (id int PRIMARY KEY, code varchar(9) CHECK (code <> 'bad')); \
        ALTER TABLE users ADD CONSTRAINT c CHECK (`code` <> 'bad')";
    assert_eq!(said(Mysql, again, not_null()), "");
    assert_eq!(
        said(Postgres, &format!("{users}, UNIQUE (x))"), drop("x")),
        ""
    );
}

#[test]
fn a_list_is_read_as_the_catalogue_prints_it() {
    let values = || {
        Kind::Values(Values {
            column: "st".to_owned(),
            name: "stc".into(),
            from: vec!["new".to_owned(), "x".to_owned()],
            to: vec!["new".to_owned()],
            ..Values::default()
        })
    };
    for condition in [
        "st = ANY (ARRAY['new'::text, 'x'::text])",
        "((st)::text = ANY ((ARRAY['new'::character varying, 'x'::character varying])::text[]))",
    ] {
        let script = format!(
            "CREATE TABLE users (id int PRIMARY KEY, st varchar(9), CONSTRAINT stc CHECK ({condition}))"
        );
        assert_eq!(
            said(Dialect::Postgres, &script, values()),
            "",
            "{condition}"
        );
    }
}

#[test]
fn an_index_over_more_may_refuse_a_constant() {
    let fill = Kind::NotNull(NotNull {
        column: "name".to_owned(),
        key: vec!["id".to_owned()],
        fill: Some("''".into()),
        ..NotNull::default()
    });
    let script =
        "CREATE TABLE users (id int PRIMARY KEY, tenant int, name text, UNIQUE (tenant, name))";
    let found = said(Dialect::Postgres, script, fill);
    assert!(
        found.starts_with("MayBeRefused: the unique index"),
        "{found}"
    );
}
