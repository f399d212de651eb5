//! Rows that are loaded in bulk: triggers see them as any other row.

use crate::support::backend::Db;
use crate::support::shop::Shop;

/// A shop in which one column is about to take another's place, and what loads rows into either of them.
fn both_formats_have_what_is_loaded(backend: &str, load: impl Fn(&Db, u32, &str)) {
    let shop = Shop::with_config(Db::on(backend), "[services.web]\nmin_instances = 0\n");
    let asked = ["new", "name", "--rename", "users.full_name=name"];
    let ranges = ["--old", "<1.2.0", "--new", ">=1.1.0"];
    shop.project
        .migrate(&[asked.as_slice(), &ranges].concat())
        .expect_code(0);
    shop.run(&["expand"], 0);
    load(&shop.db, 5001, "full_name");
    load(&shop.db, 5002, "name");
    let agree = "SELECT count(*) FROM users WHERE id IN (5001, 5002) AND full_name = 'loaded' AND name = 'loaded'";
    assert_eq!(shop.db.value(agree), "2");
    shop.run(&["backfill"], 0);
    shop.run(&["contract"], 0);
    let kept = "SELECT count(*) FROM users WHERE id IN (5001, 5002) AND name = 'loaded'";
    assert_eq!(shop.db.value(kept), "2");
}

#[test]
fn load_data_fills_both_formats() {
    both_formats_have_what_is_loaded("mysql", |db, id, column| {
        // A file of the server, in the directory of this database.
        let file = format!("loaded_{id}.txt");
        db.execute(&format!("SELECT {id}, 'loaded' INTO OUTFILE '{file}'"));
        db.execute(&format!(
            "LOAD DATA INFILE '{file}' INTO TABLE users (id, {column})"
        ));
        // And once more, in place of the row that is there.
        db.execute(&format!(
            "LOAD DATA INFILE '{file}' REPLACE INTO TABLE users (id, {column})"
        ));
    });
}

#[test]
fn copy_fills_both_formats() {
    both_formats_have_what_is_loaded("postgres", |db, id, column| {
        db.execute(&format!(
            "COPY users (id, {column}) FROM PROGRAM 'printf \"{id},loaded\"' WITH (FORMAT csv)"
        ));
    });
}
