//! A version is held against the migrations that came along with its code.

use phasegate::{BlockerKind, LeaseBuilderExt as _, LeaseError};

use super::claimed;
use crate::support::connection::block_on;
use crate::support::lease::of_test;
use crate::support::shop::{Shop, said};

const NICK: &str = "0002_nick";
const LATER: &str = "0003_email";

/// Puts a directory of the project where nobody looks for migrations, or back.
fn moved(shop: &Shop, from: &str, to: &str) {
    let path = shop.project.path();
    std::fs::rename(path.join(from), path.join(to)).expect("a directory");
}

scenario!(
    fn an_image_whose_migrations_are_older_than_its_version_is_refused(db: Db) {
        let shop = Shop::with_name(db);
        let (manifest, sql) = (
            "description = \"Add\"\n[services.web]\nnew = \">=1.3.0\"\n",
            "ALTER TABLE users ADD COLUMN nick VARCHAR(200);\n",
        );
        let files = [("migration.toml", manifest), ("expand.sql", sql)];
        shop.project.migration(NICK, &files);
        shop.run(&["expand"], 0);
        shop.run(&["backfill"], 0);
        let ask = |version: &str| claimed(&shop, "admit", &["--version", version]);
        ask("1.3.0").expect_code(0);

        // As in the image of 1.2.0, which was built before anybody thought of nicknames, under the label of 1.3.0.
        moved(&shop, NICK, "aside");
        for command in ["admit", "agent"] {
            let refused = claimed(&shop, command, &["--version", "1.3.0"]).expect_code(11);
            let words = format!("{}{}", refused.stdout, said(&refused));
            for told in [
                "web 1.3.0 reads and writes the new format of 0002_nick",
                "end at 0001_name",
                "build it anew with the migrations that its code was written with, 0002_nick among them",
            ] {
                assert!(words.contains(told), "{told}: {refused:?}");
            }
        }
        assert!(!shop.project.path().join("started").exists());
        let arguments = ["admit", "--service", "web", "--version", "1.3.0"];
        let blocker = &shop.json(&arguments, 11)["blockers"][0];
        assert_eq!(blocker["kind"], "too_old");
        assert_eq!(blocker["details"]["newest"], "0001_name");
        let lease = of_test(&shop.db.url, "web", "1.3.0").project(shop.project.path());
        let Err(LeaseError::Refused(decision)) = block_on(lease.acquire()) else {
            panic!("the files that its lease is asked for with are older than it");
        };
        assert_eq!(decision.blockers[0].kind(), BlockerKind::TooOld);

        // What it is itself, and what may be it, starts as before.
        for version in ["1.2.0", "1.1.0", "1.3.0-rc.1", "1.2.0-14-gabc1234"] {
            ask(version).expect_code(0);
        }
        // Whoever asks from elsewhere has other files than the image.
        shop.run(&["gate", "deploy", "web=1.3.0"], 0);

        // Files that cannot be read are there, and so is what was deleted long after it was applied.
        shop.project
            .file(format!("{NICK}/migration.toml"), "sync = \"bth\"\n");
        ask("1.3.0").expect_code(0);
        std::fs::remove_dir_all(shop.project.path().join(NICK)).expect("a directory");
        moved(&shop, "aside", LATER);
        ask("1.2.0").expect_code(0);
        std::fs::remove_dir_all(shop.project.path().join("0001_name")).expect("a directory");
        moved(&shop, LATER, "aside");
        ask("1.3.0").expect_code(0);

        // The advice: its own migrations among them.
        moved(&shop, "aside", NICK);
        ask("1.3.0").expect_code(0);
    }
);
