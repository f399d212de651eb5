//! Shared by the tests of the pure part: migrations and fleets in a few words.

use std::collections::BTreeMap;

use super::{
    Declaration, Fill, InstanceState, Label, Live, LiveGroup, Parts, Range, Rows, Snapshot,
    SourceReport, SourceStatus, Sync, Touched, Usage, Usages,
};

/// A migration in words, one service or more:
/// `"0002_b old <1.2.0 new >=1.1.0 sync both backfill contract"`,
/// `"reads old <1.2.0 new >=1.2.0 writes old <1.3.0 new >=1.1.0 backfill"`,
/// `"web: old <1.2.0 worker: new >=3.0.0 append-only"`.
///
/// It is `0001_a` of the service `web` unless said otherwise, and has an expand unless it says
/// `no-expand`. Ranges have no spaces in them.
pub(crate) fn declaration(text: &str) -> Declaration {
    let mut service = "web".to_owned();
    let mut services = BTreeMap::<String, Usage>::new();
    let (mut reads, mut writes) = (true, true);
    let mut declaration = Declaration {
        id: "0001_a".parse().unwrap(),
        description: String::new(),
        services: Usages::default(),
        sync: Sync::None,
        rows: Rows::Mutable,
        parts: Parts {
            expand: true,
            ..Parts::default()
        },
        fill: Fill::Unsaid,
    };
    let mut words = text.split_whitespace();
    while let Some(word) = words.next() {
        let mut next = || words.next().expect("a word is missing");
        match word {
            "reads" => (reads, writes) = (true, false),
            "writes" => (reads, writes) = (false, true),
            "old" | "new" => {
                let range: Range = next().parse().unwrap();
                let usage = services.entry(service.clone()).or_default();
                let set = |touched: &mut Touched| match word {
                    "old" => touched.old = Some(range.clone()),
                    _ => touched.new = Some(range.clone()),
                };
                [
                    reads.then_some(&mut usage.reads),
                    writes.then_some(&mut usage.writes),
                ]
                .into_iter()
                .flatten()
                .for_each(set);
            }
            "sync" => {
                let name = next();
                declaration.sync = [Sync::None, Sync::Both, Sync::ToNew, Sync::ToOld]
                    .into_iter()
                    .find(|sync| sync.name() == name)
                    .expect("a sync");
            }
            "append-only" => declaration.rows = Rows::AppendOnly,
            "backfill" => declaration.parts.backfill = true,
            "contract" => declaration.parts.contract = true,
            "revert" => declaration.parts.revert = true,
            "overwrites" => declaration.fill = Fill::Overwrites,
            "checked" => declaration.fill = Fill::Checked,
            "no-expand" => declaration.parts.expand = false,
            _ => {
                if let Some(name) = word.strip_suffix(':') {
                    name.clone_into(&mut service);
                    (reads, writes) = (true, true);
                } else {
                    declaration.id = word.parse().unwrap();
                }
            }
        }
    }
    declaration.services = services.into();
    declaration
}

/// A live version in words: `"web 1.0.0"`.
pub(crate) fn live(text: &str) -> Live {
    let (service, version) = text.split_once(' ').expect("SERVICE VERSION");
    Live {
        service: service.to_owned(),
        version: version.parse().unwrap(),
    }
}

/// One instance, `web-1.0.0-a`, of each version, as the leases show it.
pub(crate) fn group(who: &Live) -> LiveGroup {
    LiveGroup {
        service: who.service.clone(),
        label: Label {
            text: who.version.to_string(),
            version: Some(who.version.clone()),
        },
        state: InstanceState::Serving,
        source: "leases".to_owned(),
        instances: 1,
        examples: vec![format!("{}-{}-a", who.service, who.version)],
        seen_at: 1_000,
    }
}

/// What fresh leases show of these live versions.
pub(crate) fn snapshot<'a>(live: impl IntoIterator<Item = &'a Live>) -> Snapshot {
    let groups: Vec<LiveGroup> = live.into_iter().map(group).collect();
    Snapshot {
        taken_at: 2_000,
        sources: vec![SourceReport {
            name: "leases".to_owned(),
            status: SourceStatus::Fresh,
            instances: Some(groups.len() as u64),
            age_ms: 0,
            notes: Vec::new(),
        }],
        groups,
        ..Snapshot::default()
    }
}
