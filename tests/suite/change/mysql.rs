//! What a value becomes when MySQL or MariaDB assigns it to a column of another type, and when two of them are one.

use crate::support::backend::Db;
use crate::support::shop::Shop;

/// A column that is replaced by one of another type.
struct Pair {
    old: &'static str,
    new: &'static str,
    forward: &'static str,
    back: &'static str,
    /// What old versions have written.
    before: &'static [&'static str],
    /// What a new version writes, and the old column then holds.
    written: (&'static str, &'static str),
}

const PLAIN: Pair = Pair {
    old: "float",
    new: "float",
    forward: "a",
    back: "b",
    before: &["123456.7", "1234567", "0.1", "-0.0", "NULL"],
    written: ("1234569", "1234569"),
};

/// Each of them prints otherwise in one format than in the other, has fewer digits there, or other bytes.
const PAIRS: &[Pair] = &[
    PLAIN,
    Pair {
        old: "decimal(12,2)",
        before: &["123456.78", "1234567.89", "9876543.21"],
        written: ("0.5", "0.50"),
        ..PLAIN
    },
    Pair {
        old: "decimal(12,2)",
        new: "bigint",
        forward: "a * 100",
        back: "b / 100",
        before: &["1.55", "10", "0.07"],
        written: ("12345", "123.45"),
    },
    Pair {
        old: "decimal(12,2)",
        new: "bigint",
        forward: "round(a * 1.21, 2)",
        back: "round(b / 1.21, 2)",
        before: &["10.00", "99.99"],
        written: ("10", "8.26"),
    },
    Pair {
        old: "double",
        new: "int",
        before: &["2.5", "3.5", "1e3"],
        written: ("7", "7"),
        ..PLAIN
    },
    Pair {
        old: "float",
        new: "double",
        before: &["0.1", "1234567.8"],
        written: ("0.2", "0.2"),
        ..PLAIN
    },
    Pair {
        old: "varchar(20)",
        new: "int",
        before: &["'007'", "'12'", "'2.5'"],
        written: ("8", "8"),
        ..PLAIN
    },
    Pair {
        old: "varchar(20)",
        new: "enum('new','Paid')",
        before: &["'paid'", "'NEW'", "'Paid'"],
        written: ("'new'", "new"),
        ..PLAIN
    },
    Pair {
        old: "varchar(20)",
        new: "char(20)",
        before: &["'a  '", "'A'", "''"],
        written: ("'b'", "b"),
        ..PLAIN
    },
    Pair {
        old: "varchar(4)",
        new: "binary(6)",
        back: "trim(TRAILING '\\0' FROM b)",
        before: &["'ab'", "'abcd'"],
        written: ("'xyz'", "xyz"),
        ..PLAIN
    },
    Pair {
        old: "varchar(20) CHARACTER SET latin1",
        new: "varchar(30)",
        before: &["'Zoë'", "'Müller '", "'müller'"],
        written: ("'MÜLLER'", "MÜLLER"),
        ..PLAIN
    },
    Pair {
        old: "datetime",
        new: "datetime(6)",
        before: &["'2020-02-29 01:02:03'"],
        written: ("'2021-01-01 00:00:00'", "2021-01-01 00:00:00"),
        ..PLAIN
    },
];

/// One table for each pair, and a migration that changes it.
fn shop() -> Shop {
    let shop = Shop::new(Db::on("mysql"));
    let tables: Vec<String> = PAIRS
        .iter()
        .enumerate()
        .map(|(at, pair)| {
            format!(
                "CREATE TABLE t{at} (id bigint PRIMARY KEY, a {}, other int) DEFAULT CHARACTER SET utf8mb4;\n",
                pair.old
            )
        })
        .collect();
    shop.project.migration(
        "0001_tables",
        &[
            (
                "migration.toml",
                "description = \"Tables\"\n[services.web]\nnew = \">=1.0.0\"\n",
            ),
            ("expand.sql", &tables.concat()),
        ],
    );
    shop.run(&["expand"], 0);
    for (at, pair) in PAIRS.iter().enumerate() {
        let manifest = format!(
            "description = \"It changes\"\n[services.web]\nold = \"<1.2.0\"\nnew = \">=1.1.0\"\n\
             [change]\nkind = \"columns\"\ntable = \"t{at}\"\nkey = \"id\"\nold = [\"a\"]\nnew = {{ b = \"{}\" }}\n\
             forward = {{ b = \"{}\" }}\nback = {{ a = '''{}''' }}\n",
            pair.new, pair.forward, pair.back
        );
        let id = format!("{:04}_change", at + 2);
        shop.project
            .migration(&id, &[("migration.toml", &manifest)]);
        for (row, value) in pair.before.iter().enumerate() {
            shop.db.execute(&format!(
                "INSERT INTO t{at} (id, a) VALUES ({row}, {value})"
            ));
        }
    }
    shop.run(&["generate"], 0);
    shop.run(&["check"], 0);
    shop
}

/// The rows as they are stored: a FLOAT does not print all that it holds.
fn held(shop: &Shop, at: usize, column: &str) -> Vec<Vec<String>> {
    let digits = match PAIRS[at].old {
        "float" => format!("{column} + 0e0"),
        _ => format!("hex({column})"),
    };
    shop.db.query(&format!(
        "SELECT id, {column}, {digits} FROM t{at} ORDER BY id"
    ))
}

#[test]
fn what_old_versions_wrote_stays_and_what_new_ones_write_goes_back() {
    let shop = shop();
    let all =
        |column: &str| -> Vec<_> { (0..PAIRS.len()).map(|at| held(&shop, at, column)).collect() };
    let before = all("a");
    shop.run(&["expand"], 0);
    shop.run(&["backfill"], 0);
    assert_eq!(all("a"), before);
    for at in 0..PAIRS.len() {
        // The whole format is said again, as many frameworks do: nothing has changed.
        shop.db
            .execute(&format!("UPDATE t{at} SET b = b, other = 1"));
        // A version that writes both, of which the new one is what becomes of the old one.
        shop.db.execute(&format!(
            "INSERT INTO t{at} (id, a, b) SELECT 50 + id, a, b FROM t{at}"
        ));
        shop.db
            .execute(&format!("DELETE FROM t{at} WHERE id >= 50"));
    }
    assert_eq!(all("a"), before);
    for (at, pair) in PAIRS.iter().enumerate() {
        let (new, old) = pair.written;
        for write in [
            format!("UPDATE t{at} SET b = {new} WHERE id = 0"),
            format!("INSERT INTO t{at} (id, b) VALUES (99, {new})"),
        ] {
            shop.db.execute(&write);
        }
        let found = shop
            .db
            .query(&format!("SELECT a FROM t{at} WHERE id IN (0, 99)"));
        if (pair.old, pair.new) == ("float", "float") {
            // Six digits are printed: they are the same in either column.
            let same = format!("SELECT count(*) FROM t{at} WHERE id IN (0, 99) AND a = b");
            assert_eq!(shop.db.value(&same), "2");
        } else {
            assert_eq!(found, [[old], [old]], "{} to {}", pair.old, pair.new);
        }
    }
    // Nothing is left to fill, and the old formats can go.
    shop.run(&["contract"], 0);
}
