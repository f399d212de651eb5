//! The first line of a generated script: what another build wrote is known again, and what somebody changed is told.

use std::collections::BTreeMap;
use std::path::PathBuf;

use sha2::{Digest as _, Sha256};

use super::{ID, SPLIT, declared};
use crate::support::backend::Db;
use crate::support::shop::Shop;

fn scripts(shop: &Shop) -> BTreeMap<PathBuf, String> {
    let there = std::fs::read_dir(shop.project.path().join(ID)).expect("it is there");
    let paths = there.map(|entry| entry.expect("it can be read").path());
    let scripts = paths.filter(|path| path.extension().is_some_and(|end| end == "sql"));
    scripts
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("it can be read");
            (path, text)
        })
        .collect()
}

/// What a build would have written that explains in other words what it does.
fn as_another_build_wrote(shop: &Shop) {
    for (path, text) in scripts(shop) {
        let (first, body) = text.split_once('\n').expect("it has lines");
        let (head, seal) = first.split_once(" for ").expect("it is sealed");
        let (dialects, hashes) = seal.split_once(": ").expect("it is sealed");
        let (made_from, _) = hashes.split_once(' ').expect("it is sealed");
        let body = format!("-- Written by another build.\n{body}");
        let step = path.file_stem().and_then(|name| name.to_str());
        let step = step
            .and_then(|name| name.split('.').next())
            .expect("a step");
        let hashed: String = [step, &dialects.replace(", ", " "), head, &body]
            .iter()
            .map(|text| format!("{} {text}\n", text.len()))
            .collect();
        let hash: String = Sha256::digest(hashed.as_bytes())
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let text = format!("{head} for {dialects}: {made_from} {}\n{body}", &hash[..12]);
        std::fs::write(&path, text).expect("it can be written");
    }
}

scenario!(
    fn what_another_build_wrote_is_applied_as_it_is(db: Db) {
        let shop = declared(db, SPLIT);
        as_another_build_wrote(&shop);
        let before = scripts(&shop);
        // Whoever has no database at hand does not write it anew either.
        shop.run(&["check"], 0);
        let left = shop.run(&["generate", "1"], 0);
        assert!(
            left.stdout.contains("as another build of migrate wrote it"),
            "{left:?}"
        );
        assert_eq!(scripts(&shop), before);
        shop.run(&["expand"], 0);
        let refused = shop.run(&["generate", "1", "--anew"], 11);
        assert!(refused.stderr.contains("stays as it is"), "{refused:?}");
        shop.run(&["generate", "--anew"], 0);
        assert_eq!(scripts(&shop), before);
        shop.run(&["backfill"], 0);
        shop.run(&["revert", "1"], 0);
        // What is applied nowhere may become what this build writes.
        shop.run(&["generate", "--anew"], 0);
        shop.run(&["check"], 0);
        assert!(
            scripts(&shop)
                .iter()
                .all(|(path, text)| !text.contains("another build") && *text != before[path])
        );
        shop.run(&["expand"], 0);
        shop.run(&["backfill"], 0);
        shop.run(&["contract"], 0);
    }
);

scenario!(
    fn a_changed_declaration_leaves_the_way_back_open(db: Db) {
        let shop = declared(db, SPLIT);
        shop.run(&["expand"], 0);
        let other = SPLIT.replace("first_name", "given_name");
        shop.project.migration(ID, &[("migration.toml", &other)]);
        let found = shop.run(&["check"], 1);
        assert!(
            found
                .stderr
                .contains("`migrate revert 0001` before you change it"),
            "{found:?}"
        );
        shop.run(&["backfill"], 11);
        shop.run(&["generate", "1"], 11);
        shop.run(&["revert", "1"], 0);
        shop.run(&["generate", "1"], 0);
        shop.run(&["expand"], 0);
        shop.run(&["backfill"], 0);
        shop.run(&["contract"], 0);
    }
);

scenario!(
    fn a_way_back_that_belongs_to_another_expand_is_not_taken(db: Db) {
        let shop = declared(db, SPLIT);
        shop.run(&["expand"], 0);
        let other = SPLIT.replace("first_name", "given_name");
        shop.project.migration(ID, &[("migration.toml", &other)]);
        // Where nothing can be asked what is applied, they are written.
        let generate_alone = || {
            let config = shop.project.path().join("migrate.toml");
            let text = std::fs::read_to_string(&config).expect("it is there");
            let only = format!("[database]\ndialects = [\"{}\"]\n", shop.db.backend.name);
            std::fs::write(&config, only + &text).expect("it can be written");
            shop.project.env_remove("DATABASE_URL");
            shop.run(&["generate", "1"], 0);
            shop.project.env("DATABASE_URL", &shop.db.url);
            std::fs::write(&config, text).expect("it can be written");
        };
        generate_alone();
        let refused = shop.run(&["revert", "1"], 1);
        let said = refused.stdout.clone() + &refused.stderr;
        assert!(
            said.contains("it was generated anew after expand was applied"),
            "{said}"
        );
        shop.project.migration(ID, &[("migration.toml", SPLIT)]);
        generate_alone();
        shop.run(&["revert", "1"], 0);
    }
);

#[test]
fn what_somebody_changed_is_told() {
    let shop = declared(Db::on("sqlite"), SPLIT);
    let file = format!("{ID}/expand.sql");
    let path = shop.project.path().join(&file);
    let generated = std::fs::read_to_string(&path).expect("it was generated");
    let (first, body) = generated.split_once('\n').expect("it has lines");
    for (text, told) in [
        (
            generated.replace("first_name varchar(400)", "first_name varchar(40)"),
            "it was edited since it was generated",
        ),
        // A line without the rest, and another text: nobody knows what it was made from.
        (
            format!(
                "-- migrate: generated from [change]\n{}",
                body.replace("400", "40")
            ),
            "this script does not follow",
        ),
        (format!("{first}\n"), "are not written: `expand`"),
    ] {
        assert_ne!(text, generated, "{told}");
        shop.project.file(&file, &text);
        let output = shop.run(&["check"], 1);
        assert!(
            output.stderr.replace("\n  │ ", " ").contains(told),
            "{told}: {output:?}"
        );
        shop.run(&["generate"], 0);
        assert_eq!(
            std::fs::read_to_string(&path).expect("it is there"),
            generated
        );
    }
    // What says the same follows, whatever its first line tells.
    shop.project.file(
        &file,
        &format!("-- migrate: generated from [change]\n{body}"),
    );
    shop.run(&["check"], 0);
}
