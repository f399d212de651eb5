//! What an admission asks of many leases is the same as a look at each of them tells.

use std::collections::BTreeSet;
use std::path::Path;

use phasegate::database::{ConnectOptions, Target, connect};
use phasegate::ledger::{Ledger, View};
use phasegate::model::Live;

use crate::support::shop::Shop;

const MINUTE: i64 = 60_000;
const WEEK: i64 = 7 * 24 * 60 * MINUTE;

/// What rows of leases hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// What instances write.
    Sensible,
    /// Whatever the ledger lets anybody write.
    Allowed,
    /// Whatever one of before let anybody write.
    Any,
}

/// Numbers that are the same for the same seed.
struct Chance(u64);

impl Chance {
    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let at = usize::try_from(self.0 >> 33).unwrap_or_default();
        all[at % all.len()]
    }
}

fn lease(chance: &mut Chance, rows: Rows, now: i64, number: usize) -> String {
    const FAR: i64 = 1 << 52;
    let services = ["web", "worker", "a", "Web", "web-2"];
    let versions = [
        "1.0.0",
        "1.1.0",
        "v1.1.0",
        "1.1.0-rc.1",
        "nightly",
        "1.10.0",
    ];
    let ends = [
        now - 2 * WEEK,
        now - MINUTE,
        now + 10 * MINUTE,
        now + 60 * MINUTE,
        now + 6 * 24 * 60 * MINUTE,
    ];
    let renewed = [
        now - 2 * WEEK,
        now - WEEK - MINUTE,
        now - WEEK + MINUTE,
        now - 9 * MINUTE,
        now - MINUTE,
    ];
    let strange = [
        0,
        now - 2 * WEEK,
        now - MINUTE,
        now + MINUTE,
        now + WEEK - MINUTE,
        now + WEEK + MINUTE,
        now + 2 * WEEK,
        FAR,
    ];
    let is_strange = rows != Rows::Sensible && chance.one_of(&[true, false, false, false, false]);
    let [registered_at, renewed_at, expires_at] = if is_strange {
        [(); 3].map(|()| chance.one_of(&strange))
    } else {
        let renewed_at = chance.one_of(&renewed);
        [
            renewed_at - chance.one_of(&[0, MINUTE, WEEK]),
            renewed_at,
            chance.one_of(&ends).max(renewed_at),
        ]
    };
    let (state, renew_ms) = if is_strange && rows == Rows::Any {
        (
            chance.one_of(&[-1, 0, 1, 2, 3, 77]),
            chance.one_of(&[-1, 0, 1, MINUTE, WEEK, WEEK + 1, FAR]),
        )
    } else {
        (chance.one_of(&[0, 1, 2]), chance.one_of(&[1, MINUTE, WEEK]))
    };
    let (service, version) = (chance.one_of(&services), chance.one_of(&versions));
    let instance = chance.one_of(&["one", "two", "three", "four"]);
    format!(
        "('{number}', '{service}', '{version}', '{instance}', {state}, {registered_at}, {renewed_at}, {renew_ms}, {expires_at})"
    )
}

/// The names of the versions that are live, and those that are placed.
fn live(view: &View) -> (BTreeSet<(String, String)>, Vec<Live>) {
    let groups = view.groups.iter().chain(&view.remembered);
    let names = groups.map(|group| (group.service.clone(), group.label.text.clone()));
    (names.collect(), view.live_with(&[]))
}

/// Compares both over leases of many kinds, and says of which seed they were.
pub fn compare(shop: &Shop, rows: Rows, seeds: std::ops::Range<u64>) {
    let leases = shop.ledger("leases");
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("a clock after 1970");
    let now = i64::try_from(now.as_millis()).expect("a moment");
    let target = Target::parse(&shop.db.url, Path::new(".")).expect("a URL");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let mut connection = runtime
        .block_on(connect(&target, ConnectOptions::default()))
        .expect("a database");
    let mut found = BTreeSet::new();
    for seed in seeds {
        let mut chance = Chance(seed);
        let many = chance.one_of(&[0, 1, 2, 5, 15, 40]);
        shop.db.execute(&format!("DELETE FROM {leases}"));
        let values: Vec<String> = (0..many)
            .map(|number| lease(&mut chance, rows, now, number))
            .collect();
        if !values.is_empty() {
            shop.db.execute(&format!(
                "INSERT INTO {leases} (id, service, version, instance, state, registered_at, renewed_at, renew_ms, expires_at) \
                 VALUES {}",
                values.join(", ")
            ));
        }
        let (each, versions) = runtime.block_on(async {
            let mut ledger = Ledger::write(connection.as_mut()).await.expect("a ledger");
            let each = ledger.view().await.expect("a view");
            let versions = ledger.view_of_versions().await.expect("a view");
            ledger.rollback().await.expect("an end");
            (each, versions)
        });
        let rows_of = || format!("{rows:?}, seed {seed}:\n{}", values.join("\n"));
        assert_eq!(live(&versions), live(&each), "{}", rows_of());
        if rows == Rows::Sensible {
            // It is the short way that is compared.
            let (names, _) = live(&versions);
            assert_eq!(versions.groups.len(), names.len(), "{}", rows_of());
        }
        found.insert(live(&each).0.len());
    }
    runtime.block_on(connection.close());
    assert!(found.contains(&0) && found.len() > 3, "{found:?}");
}

scenario!(
    fn an_admission_sees_the_versions_that_a_look_at_each_lease_sees(db: Db) {
        let shop = Shop::with_name(db);
        shop.run(&["expand"], 0);
        compare(&shop, Rows::Sensible, 0..30);
        compare(&shop, Rows::Allowed, 100..130);
    }
);
