//! Large problems: what is searched grows with what is asked, not with every combination.

use super::plans::problem;
use crate::model::Version;
use crate::planner::{PlanAction, beside_each_other, plan};

/// Each migration names so many of ten services, all of which go through five releases.
fn large(migrations: usize, named: usize) -> (String, String, String, String) {
    const SHAPES: [&str; 3] = [
        "sync both backfill contract",
        "append-only backfill contract",
        "sync both contract",
    ];
    let each = (0..migrations).map(|number| {
        let minor = number % 3 + 1;
        let (new, old) = (minor, minor + 1);
        let services = (0..named).map(|at| {
            let service = (number + at * (number * 6 % 10 + 3)) % 10;
            format!("s{service}: old <1.{old}.0 new >=1.{new}.0")
        });
        format!(
            "{:04}_m {} {}",
            number + 1,
            services.collect::<Vec<_>>().join(" "),
            SHAPES[number % SHAPES.len()]
        )
    });
    let versions = |minors: std::ops::Range<u32>| {
        let all = (0..10).flat_map(|s| minors.clone().map(move |m| format!("s{s} 1.{m}.0")));
        all.collect::<Vec<_>>().join(", ")
    };
    (
        each.collect::<Vec<_>>().join(" | "),
        versions(0..1),
        versions(1..4),
        versions(4..5),
    )
}

#[test]
fn ten_services_that_share_migrations() {
    let (declarations, from, via, to) = large(20, 2);
    let plan = plan(&problem(&declarations, &from, &via, &to)).expect("a plan");
    assert!(plan.is_shortest);
    assert!(plan.left.is_empty());
    let contracts = plan.steps.len() - plan.rollouts();
    assert!(contracts >= 40, "{contracts}");
}

#[test]
fn ten_services_that_every_migration_names() {
    let (declarations, from, via, to) = large(12, 10);
    let plan = plan(&problem(&declarations, &from, &via, &to)).expect("a plan");
    assert!(plan.is_shortest);
    assert!(plan.left.is_empty());
    assert_eq!(plan.rollouts(), 20);
}

/// Whoever may register can make as many as this.
#[test]
fn many_versions_at_once_take_no_line_of_a_hundred_kilobytes() {
    let many: Vec<Version> = (0..20_000).map(|at| Version::new(1, at, 0)).collect();
    assert_eq!(beside_each_other(&many[..2]), "1.0.0 + 1.1.0");
    let all = beside_each_other(&many);
    assert!(all.ends_with("1.7.0 + 19992 more"), "{all}");
    let roll = PlanAction::Roll {
        service: "web".into(),
        from: many,
        to: Version::new(2, 0, 0),
    };
    assert!(roll.to_string().len() < 200);
}
