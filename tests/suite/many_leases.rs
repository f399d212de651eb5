//! What an admission and a gate ask of many leases is the same as a look at each of them tells.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use phasegate::database::{ConnectOptions, Connection, Target, connect};
use phasegate::gate::{Action, Decision, Evidence, Verdict, decide};
use phasegate::lease::evidence;
use phasegate::ledger::{LeaseRules, Ledger, ServiceRules, View};
use phasegate::model::{Live, MigrationId, Step, Version};
use tokio::runtime::Runtime;

use crate::support::shop::{NAME, Shop};

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

/// A connection to the database of this shop, and what waits for its answers.
fn connected(shop: &Shop) -> (Runtime, Box<dyn Connection>) {
    let target = Target::parse(&shop.db.url, Path::new(".")).expect("a URL");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let connection = runtime
        .block_on(connect(&target, ConnectOptions::default()))
        .expect("a database");
    (runtime, connection)
}

/// Leases of this seed in place of those that are there, as they were written.
fn fill(shop: &Shop, rows: Rows, chance: &mut Chance) -> Vec<String> {
    let leases = shop.ledger("leases");
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("a clock after 1970");
    let now = i64::try_from(now.as_millis()).expect("a moment");
    let many = chance.one_of(&[0, 1, 2, 5, 15, 40]);
    shop.db.execute(&format!("DELETE FROM {leases}"));
    let values: Vec<String> = (0..many)
        .map(|number| lease(chance, rows, now, number))
        .collect();
    if !values.is_empty() {
        shop.db.execute(&format!(
            "INSERT INTO {leases} (id, service, version, instance, state, registered_at, renewed_at, renew_ms, expires_at) \
             VALUES {}",
            values.join(", ")
        ));
    }
    values
}

/// Compares both over leases of many kinds, and says of which seed they were.
pub fn compare(shop: &Shop, rows: Rows, seeds: std::ops::Range<u64>) {
    let (runtime, mut connection) = connected(shop);
    let mut found = BTreeSet::new();
    for seed in seeds {
        let values = fill(shop, rows, &mut Chance(seed));
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

/// What the gate says by a look at each lease, and where that is enough, by no more of them than it takes.
struct Answers {
    each: Decision,
    enough: Option<Decision>,
}

/// As a project of these services with so many instances asks.
fn asked(view: View, wanted: &BTreeMap<String, u64>, action: &Action) -> Decision {
    let evidence = Evidence {
        min_instances: wanted.clone(),
        ..evidence(view, &[])
    };
    decide(action.clone(), &evidence)
}

/// When each version was last heard of: of those of whom nobody else has written it down, by what is left of their leases.
fn last_seen(view: &View) -> Vec<(&str, &str, i64)> {
    // A lease that claims to last longer than any may tells of more, and that is why no longer soak is asked for so.
    let known = view
        .sightings
        .iter()
        .filter(|known| known.last_seen_at > view.now - WEEK);
    known
        .map(|known| {
            (
                known.service.as_str(),
                known.label.text.as_str(),
                known.last_seen_at,
            )
        })
        .collect()
}

/// Compares the gate's two ways over leases of many kinds. Those of earlier builds and those that are marked are among them.
fn compare_gates(shop: &Shop, rows: Rows, seeds: std::ops::Range<u64>) {
    let leases = shop.ledger("leases");
    let (runtime, mut connection) = connected(shop);
    let migration: MigrationId = NAME.parse().expect("the name of a migration");
    let step = |step| Action::Step {
        step,
        migration: migration.clone(),
    };
    let candidate = |minor| {
        Action::Deploy(vec![Live {
            service: "web".to_owned(),
            version: Version::new(1, minor, 0),
        }])
    };
    let actions = [
        candidate(0),
        candidate(1),
        candidate(2),
        step(Step::Expand),
        step(Step::Backfill),
        step(Step::Contract),
        step(Step::Revert),
    ];
    let mut verdicts = BTreeSet::new();
    let (mut gone, mut short) = (0, 0);
    for seed in seeds {
        let mut chance = Chance(seed);
        let values = fill(shop, rows, &mut chance);
        let (of_this_build, marked) = (chance.one_of(&[1, 2, 1000]), chance.one_of(&[3, 7, 1000]));
        for (column, value, every) in [
            ("session_name", "'x'", of_this_build),
            ("superseded", "1", marked),
        ] {
            let ids: Vec<String> = (0..values.len())
                .filter(|number| number % every == 0)
                .map(|number| format!("'{number}'"))
                .collect();
            if !ids.is_empty() {
                shop.db.execute(&format!(
                    "UPDATE {leases} SET {column} = {value} WHERE id IN ({})",
                    ids.join(", ")
                ));
            }
        }
        let wanted = BTreeMap::from([
            ("web".to_owned(), chance.one_of(&[0, 1, 2, 5])),
            ("worker".to_owned(), chance.one_of(&[0, 0, 1])),
            ("Web".to_owned(), 0),
        ]);
        let min_ready_ms = chance.one_of(&[None, Some(0), Some(2 * MINUTE)]);
        let of_web = ServiceRules {
            min_ready_ms,
            ..ServiceRules::default()
        };
        let rules = LeaseRules {
            services: BTreeMap::from([("web".to_owned(), of_web)]),
        };
        let (each, enough) = runtime.block_on(async {
            let mut ledger = Ledger::read(connection.as_mut())
                .await
                .expect("a ledger")
                .expect("it is there");
            ledger.judge_by(&rules);
            let each = ledger.view().await.expect("a view");
            let enough = ledger.view_of_enough(&wanted).await.expect("a view");
            ledger.rollback().await.expect("an end");
            (each, enough)
        });
        let rows_of = || {
            format!(
                "{rows:?}, seed {seed}, {wanted:?}, {min_ready_ms:?}:\n{}",
                values.join("\n")
            )
        };
        if let Some(enough) = &enough {
            short += 1;
            assert_eq!(live(enough), live(&each), "{}", rows_of());
            assert_eq!(last_seen(enough), last_seen(&each), "{}", rows_of());
        }
        assert!(enough.is_some() || rows != Rows::Sensible, "{}", rows_of());
        for action in &actions {
            let answers = Answers {
                each: asked(each.clone(), &wanted, action),
                enough: enough.clone().map(|view| asked(view, &wanted, action)),
            };
            verdicts.insert(answers.each.verdict.name());
            let Some(by_enough) = answers.enough else {
                continue;
            };
            assert_eq!(
                by_enough.verdict == Verdict::Go,
                answers.each.verdict == Verdict::Go,
                "{action:?}: {by_enough:?}\n{:?}\n{}",
                answers.each,
                rows_of()
            );
            if by_enough.verdict == Verdict::Go {
                gone += 1;
                assert_eq!(by_enough, answers.each, "{}", rows_of());
            }
        }
    }
    runtime.block_on(connection.close());
    assert!(
        short > 0 && gone > 5 && verdicts.len() > 2,
        "{short}, {gone}, {verdicts:?}"
    );
}

scenario!(
    fn a_gate_says_go_by_a_few_leases_where_it_does_by_each(db: Db) {
        let shop = Shop::with_name(db);
        shop.run(&["expand"], 0);
        compare_gates(&shop, Rows::Sensible, 300..320);
        compare_gates(&shop, Rows::Allowed, 400..420);
        shop.db
            .execute(&format!("DELETE FROM {}", shop.ledger("leases")));
        shop.run(&["backfill"], 0);
        compare_gates(&shop, Rows::Sensible, 500..515);
    }
);

scenario!(
    fn an_admission_sees_the_versions_that_a_look_at_each_lease_sees(db: Db) {
        let shop = Shop::with_name(db);
        shop.run(&["expand"], 0);
        compare(&shop, Rows::Sensible, 0..30);
        compare(&shop, Rows::Allowed, 100..130);
    }
);
