//! What dumps repeat.

use super::{changed, lines};

/// What a dump writes for each table or object is one problem for each kind of it.
#[test]
fn what_a_dump_repeats_is_told_once() {
    let my = "DROP TABLE IF EXISTS c;\nCREATE TABLE c (id int);\n\
        LOCK TABLES `c` WRITE;\n/*!40000 ALTER TABLE `c` DISABLE KEYS */;\n/*!40000 ALTER TABLE `c` ENABLE KEYS */;\nUNLOCK TABLES;\n\
        LOCK TABLES `d` WRITE;\n/*!40000 ALTER TABLE `d` DISABLE KEYS */;\n/*!40000 ALTER TABLE `d` ENABLE KEYS */;\nUNLOCK TABLES;\n";
    let delimited = "DELIMITER ;;\nCREATE TABLE c (id int);;\nDELIMITER ;\n";
    let pg =
        "ALTER SCHEMA s OWNER TO me;\nALTER FUNCTION f() OWNER TO me;\nALTER TYPE t OWNER TO me;\n";
    for (dialect, dump, told) in [
        (
            "mysql",
            my,
            &[
                ("transaction-control", "4 statements lock a table"),
                ("unknown-effect", "what 4 statements do cannot be told"),
            ][..],
        ),
        (
            "mysql",
            delimited,
            &[(
                "sql",
                "DELIMITER is a command of the mysql client, not SQL (2 times",
            )],
        ),
        (
            "postgres",
            pg,
            &[(
                "unknown-effect",
                "3 statements give what they name to another owner",
            )],
        ),
    ] {
        let config =
            format!("[database]\ndialects = [\"{dialect}\"]\n[services.web]\n[services.worker]\n");
        let files = [
            ("migrate.toml", config.as_str()),
            ("0002_split/expand.sql", dump),
        ];
        let found = lines(&changed(&files), None);
        for (code, part) in told {
            let of_code: Vec<_> = found
                .iter()
                .filter(|line| line.ends_with(&format!("[{code}]")))
                .collect();
            assert!(
                matches!(of_code.as_slice(), [one] if one.contains(part)),
                "{part}: {found:#?}"
            );
        }
    }
    // Two that somebody wrote are told one by one, each with how to vouch for it; one that is vouched for is not counted.
    let two = "ALTER SCHEMA s OWNER TO me;\nALTER TYPE t OWNER TO me;\n";
    let config = "[database]\ndialects = [\"postgres\"]\n[services.web]\n[services.worker]\n";
    let files = [("migrate.toml", config), ("0002_split/expand.sql", two)];
    assert_eq!(lines(&changed(&files), None).len(), 2);
}
