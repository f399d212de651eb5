//! `check`: whether every row is as it should be, after the backfill and before the contract.

use super::table::Items;
use crate::support::backend::Db;

const CHECK: &str = "batch = 2\ncheck = \"SELECT id, name FROM items WHERE id > :after AND id <= :upto AND name <> label\"";

scenario!(
    fn a_backfill_that_fills_in_something_wrong_is_not_done(db: Db) {
        let items = Items::numbered(db, 7);
        items
            .declare(CHECK, "name = CASE WHEN id = 4 THEN 'wrong' ELSE label END")
            .expanded();
        let refused = items.project.migrate(&["backfill"]).expect_code(11);
        assert!(
            refused
                .stdout
                .contains("`check` of the backfill finds rows after key 2 up to 4"),
            "{refused:?}"
        );
        assert!(refused.stdout.contains("wrong"), "{refused:?}");
        items.project.migrate(&["contract", "1"]).expect_code(11);
        items.declare(CHECK, "name = label");
        items.project.migrate(&["backfill"]).expect_code(0);
        items.project.migrate(&["contract", "1"]).expect_code(0);
    }
);

scenario!(
    fn a_contract_can_demand_it_once_more(db: Db) {
        let items = Items::numbered(db, 7);
        let rules = format!("{CHECK}\n[contract]\nrequire_check = true");
        items.declare(&rules, "name = label").expanded();
        items.project.migrate(&["backfill"]).expect_code(0);
        items
            .db
            .execute("UPDATE items SET name = 'other' WHERE id = 7");
        let refused = items.project.migrate(&["contract", "1"]).expect_code(11);
        assert!(
            refused.stdout.contains("finds rows after key 6 up to 7"),
            "{refused:?}"
        );
        let status = items
            .project
            .migrate(&["status", "--output", "json"])
            .json();
        assert_eq!(
            status["migrations"][0]["phase"], "backfilled",
            "the fence is down again"
        );
        items
            .db
            .execute("UPDATE items SET name = label WHERE id = 7");
        items.project.migrate(&["contract", "1"]).expect_code(0);
    }
);

#[test]
fn what_a_check_has_to_be() {
    let items = Items::numbered(Db::on("sqlite"), 1);
    for (rules, said) in [
        ("check = \"SELECT 1\"", "`:after` is missing"),
        (
            "check = \"DELETE FROM items WHERE id > :after AND id <= :upto\"",
            "not a SELECT",
        ),
        ("[contract]\nrequire_check = true", "needs a `check`"),
        ("pace = 2", "between 0.01 and 1"),
        ("batch = 3\ntarget_time = \"1s\"", "lets it adapt"),
        ("min_batch = 30\nmax_batch = 3", "`max_batch` is 3"),
        ("throttle = \"SELECT 1\"", "needs `throttle_limit`"),
        ("throttle_limit = 3", "needs `throttle`"),
        ("worker = 3", "did you mean `workers`?"),
    ] {
        items.declare(rules, "name = label");
        let output = items.project.migrate(&["check"]).expect_code(1);
        let text = crate::support::shop::said(&output);
        assert!(text.contains(said), "{rules}: {text}");
    }
}
