//! What would open a way: each is tried on the model before it is named.

use std::collections::BTreeSet;

use super::release::tried;
use super::trial::{declarations, opened_by, opens, stretch, unnamed, way};
use super::{Problem, evidence};
use crate::gate::{Action, Verdict, decide};
use crate::model::{
    Behaviour, Declaration, Formats, Live, MigrationId, MigrationState, Phase, Range, Rows, Schema,
    Step, Sync, Touched, Usage, Version,
};

/// A kind of way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// A release that the declaration speaks of already.
    Release,
    /// A release that does something else than any that the declaration speaks of.
    Bridge,
    Sync,
    AppendOnly,
    Backfill,
    /// A rollout of a service that was to stay as it is.
    Goal,
}

impl Way {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Bridge => "bridge",
            Self::Sync => "sync",
            Self::AppendOnly => "append_only",
            Self::Backfill => "backfill",
            Self::Goal => "goal",
        }
    }
}

/// Something that would make a plan possible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WayOut {
    pub way: Way,
    /// The migration that it opens a way for; `None` if it opens the whole plan.
    pub migration: Option<MigrationId>,
    /// The releases that it takes, all of them; empty where it takes none.
    pub releases: Vec<MissingRelease>,
    pub message: String,
}

impl WayOut {
    fn new(way: Way, message: String) -> Self {
        Self {
            way,
            migration: None,
            releases: Vec::new(),
            message,
        }
    }
}

/// A release that there would have to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingRelease {
    pub service: String,
    /// The versions that it has to be among, as a range of `migration.toml`.
    pub range: String,
}

/// The problem as one migration sees it, with these services alone.
fn part(problem: &Problem, id: &MigrationId, services: &[&str]) -> Problem {
    let mut part = problem.clone();
    part.schema = Schema::new(problem.schema.get(id).into_iter().cloned().collect());
    part.live
        .retain(|who| services.contains(&who.service.as_str()));
    part.goal
        .retain(|service, _| services.contains(&service.as_str()));
    part
}

/// What would open a way for this migration, as far as these of its services go.
pub(super) fn of_migration(problem: &Problem, id: &MigrationId, services: &[&str]) -> Vec<WayOut> {
    let part = part(problem, id, services);
    let Some(state) = part.schema.get(id) else {
        return Vec::new();
    };
    let released = missing_releases(&part);
    // Where releases alone open a way, nothing else needs them as well.
    let spare = match &released {
        Some(_) => Vec::new(),
        None => unnamed(&part),
    };
    let mut found: Vec<WayOut> = released.into_iter().collect();
    found.extend(goals(&part));
    if let Some(first) = first_of_all(problem, state) {
        let redeclared = Redeclared {
            part: &part,
            declaration: &state.declaration,
            spare,
        };
        let mut ways: Vec<WayOut> = redeclared.synced().into_iter().collect();
        if found.iter().all(|way| way.way != Way::Release) {
            ways.extend(redeclared.bridged().or_else(|| redeclared.bridged_twice()));
        }
        ways.extend(redeclared.append_only());
        ways.extend(redeclared.backfilled());
        for way in &mut ways {
            way.message.insert_str(0, &first);
        }
        found.extend(ways);
    }
    for way in &mut found {
        way.migration = Some(id.clone());
    }
    found
}

/// What has to be done before the migration can be declared anew; `None` if it cannot.
fn first_of_all(problem: &Problem, state: &MigrationState) -> Option<String> {
    if state.phase == Phase::Pending {
        return Some(String::new());
    }
    let revert = Action::Step {
        step: Step::Revert,
        migration: state.id().clone(),
    };
    let decision = decide(revert, &evidence(problem.schema.clone(), &problem.live));
    (decision.verdict == Verdict::Go).then(|| format!("`migrate revert {}`, and then ", state.id()))
}

/// Releases that the declarations speak of and that nobody named: together they open a way.
pub(super) fn missing_releases(problem: &Problem) -> Option<WayOut> {
    let used = opened_by(problem, &unnamed(problem))?;
    let releases = missing(problem, &used);
    let message = format!(
        "{}: name {} under `releases` in migrate.toml, or with `{}`",
        named(&releases),
        if used.len() == 1 { "it" } else { "them" },
        via(&used)
    );
    Some(WayOut {
        releases,
        ..WayOut::new(Way::Release, message)
    })
}

fn missing(problem: &Problem, used: &[Live]) -> Vec<MissingRelease> {
    let each = used.iter().map(|release| MissingRelease {
        service: release.service.clone(),
        range: stretch(problem, release),
    });
    each.collect()
}

fn via(used: &[Live]) -> String {
    let each = used
        .iter()
        .map(|Live { service, version }| format!("--via {service}={version}"));
    each.collect::<Vec<_>>().join(" ")
}

/// The migration, declared in other ways.
struct Redeclared<'a> {
    part: &'a Problem,
    declaration: &'a Declaration,
    /// Releases that nobody named.
    spare: Vec<Live>,
}

impl Redeclared<'_> {
    /// Whether the migration would have a way if it were declared so, and by which releases.
    fn opens(&self, declaration: Declaration, more: &Problem) -> Option<Vec<Live>> {
        let changed = Problem {
            schema: Schema::new(vec![MigrationState::pending(declaration)]),
            ..more.clone()
        };
        opens(&changed, &self.spare)
    }

    fn way(&self, way: Way, mut message: String, used: &[Live]) -> WayOut {
        let releases = missing(self.part, used);
        if !used.is_empty() {
            message.push_str(&format!(
                "; and with it {} (`{}`)",
                named(&releases),
                via(used)
            ));
        }
        WayOut {
            releases,
            ..WayOut::new(way, message)
        }
    }

    fn synced(&self) -> Option<WayOut> {
        let mut all = Vec::new();
        for sync in [Sync::Both, Sync::ToNew, Sync::ToOld] {
            let synced = Declaration {
                sync,
                ..self.declaration.clone()
            };
            if sync != self.declaration.sync
                && let Some(used) = self.opens(synced, self.part)
            {
                all.push((used, format!("`sync = \"{}\"`", sync.name())));
            }
        }
        // Those that take the fewest releases.
        let fewest = all
            .iter()
            .map(|(used, _)| used)
            .min_by_key(|used| used.len())?;
        let names = all.iter().filter(|(used, _)| used == fewest);
        let names: Vec<&str> = names.map(|(_, name)| name.as_str()).collect();
        let message = format!(
            "{}, if expand.sql makes every write of one format refresh the other (triggers, a view)",
            names.join(" or ")
        );
        Some(self.way(Way::Sync, message, fewest))
    }

    fn append_only(&self) -> Option<WayOut> {
        if self.declaration.rows == Rows::AppendOnly {
            return None;
        }
        let changed = Declaration {
            rows: Rows::AppendOnly,
            ..self.declaration.clone()
        };
        let used = self.opens(changed, self.part)?;
        let message = "`rows = \"append-only\"`, if it is so: rows are inserted and never updated";
        Some(self.way(Way::AppendOnly, message.to_owned(), &used))
    }

    fn backfilled(&self) -> Option<WayOut> {
        let declaration = self.declaration;
        if declaration.parts.backfill || !declaration.has_old() || !declaration.has_new() {
            return None;
        }
        let mut changed = declaration.clone();
        changed.parts.backfill = true;
        let used = self.opens(changed, self.part)?;
        let message = "a `[backfill]` that brings existing rows into the new format";
        Some(self.way(Way::Backfill, message.to_owned(), &used))
    }

    /// A release that does something else than the declaration says of any, of one service or,
    /// where that is not enough, of each.
    fn bridged(&self) -> Option<WayOut> {
        // There is no release between a version and itself, nor on the way from nowhere.
        let moves =
            |service: &&String| way(self.part, service).is_some_and(|(low, high)| low < high);
        let services: Vec<&String> = self.part.goal.keys().filter(moves).collect();
        let alone = services.iter().map(|service| vec![*service]);
        let groups = alone.chain((services.len() > 1).then(|| services.clone()));
        for group in groups {
            for does in BRIDGES {
                let mut bridged = self.declaration.clone();
                let mut more = self.part.clone();
                for service in &group {
                    let name = tried(service, 0);
                    bridged.services.insert(name.clone(), always(does));
                    let version = self.part.goal.get(*service).cloned();
                    more.releases.extend(version.map(|version| Live {
                        service: name,
                        version,
                    }));
                }
                if let Some(used) = self.opens(bridged, &more) {
                    return Some(self.bridge(&group, does, &used));
                }
            }
        }
        None
    }

    /// Two releases, one after the other: where nothing keeps the formats in step, reading and writing
    /// have to move apart.
    fn bridged_twice(&self) -> Option<WayOut> {
        let moves =
            |service: &&String| way(self.part, service).is_some_and(|(low, high)| low < high);
        for service in self.part.goal.keys().filter(moves) {
            let (low, high) = way(self.part, service)?;
            let mut bridged = self.declaration.clone();
            let mut more = self.part.clone();
            for (index, does) in PAIR.into_iter().enumerate() {
                let name = tried(service, index);
                bridged.services.insert(name.clone(), always(does));
                more.releases.push(Live {
                    service: name,
                    version: high.clone(),
                });
            }
            let Some(used) = self.opens(bridged, &more) else {
                continue;
            };
            let each = MissingRelease {
                service: service.clone(),
                range: format!(">{low}, <{high}"),
            };
            let message = format!(
                "two releases of {service} in the range {}, one after the other: the first reads the old format and writes both \
                 formats, the second reads the new format and still writes both: declare them in migration.toml, with `reads` \
                 and `writes` apart",
                each.range
            );
            let mut way = self.way(Way::Bridge, message, &used);
            way.releases.splice(0..0, [each.clone(), each]);
            return Some(way);
        }
        None
    }

    fn bridge(&self, services: &[&String], does: Behaviour, used: &[Live]) -> WayOut {
        let bridges = services.iter().filter_map(|service| {
            let (low, high) = way(self.part, service)?;
            Some(MissingRelease {
                service: (*service).clone(),
                range: format!(">{low}, <{high}"),
            })
        });
        let mut bridges: Vec<MissingRelease> = bridges.collect();
        let (reads, writes) = (words(does.reads), words(does.writes));
        let what = if reads == writes {
            format!("reads and writes {reads}")
        } else {
            format!("reads {reads} and writes {writes}")
        };
        let message = format!(
            "{} that {what}: declare it in migration.toml, with `reads` and `writes` apart",
            named(&bridges)
        );
        let mut way = self.way(Way::Bridge, message, used);
        bridges.append(&mut way.releases);
        way.releases = bridges;
        way
    }
}

/// What a bridge may do; the first that opens a way is named.
const BRIDGES: [Behaviour; 4] = [
    Behaviour {
        reads: Formats::OLD,
        writes: Formats::BOTH,
    },
    Behaviour {
        reads: Formats::BOTH,
        writes: Formats::OLD,
    },
    Behaviour {
        reads: Formats::BOTH,
        writes: Formats::BOTH,
    },
    Behaviour {
        reads: Formats::BOTH,
        writes: Formats::NEW,
    },
];

/// What two bridges do, the first one first.
const PAIR: [Behaviour; 2] = [
    Behaviour {
        reads: Formats::OLD,
        writes: Formats::BOTH,
    },
    Behaviour {
        reads: Formats::NEW,
        writes: Formats::BOTH,
    },
];

/// Services that stay as they are, and would have to move.
fn goals(part: &Problem) -> Vec<WayOut> {
    let stays: BTreeSet<&String> = part
        .live
        .iter()
        .map(|who| &who.service)
        .filter(|service| !part.goal.contains_key(*service))
        .collect();
    let mut found = Vec::new();
    for service in stays {
        let known = part.releases.iter().filter(|who| who.service == *service);
        let mut targets: Vec<Version> = known.map(|who| who.version.clone()).collect();
        targets.extend(Declaration::representatives(service, declarations(part)));
        let opens = targets.into_iter().find(|version| {
            let mut more = part.clone();
            more.goal.insert(service.clone(), version.clone());
            opens(&more, &[]).is_some()
        });
        found.extend(opens.map(|version| WayOut {
            releases: vec![MissingRelease {
                service: service.clone(),
                range: format!("={version}"),
            }],
            ..WayOut::new(
                Way::Goal,
                format!("a rollout of {service} as well: `--to {service}={version}`"),
            )
        }));
    }
    found
}

fn named(releases: &[MissingRelease]) -> String {
    let each = releases.iter();
    let each = each.map(|MissingRelease { service, range }| {
        format!("a release of {service} in the range {range}")
    });
    each.collect::<Vec<_>>().join(" and ")
}

const fn words(formats: Formats) -> &'static str {
    match (formats.old, formats.new) {
        (true, true) => "both formats",
        (true, false) => "the old format",
        (false, true) => "the new format",
        (false, false) => "neither format",
    }
}

fn always(does: Behaviour) -> Usage {
    let touched = |formats: Formats| Touched {
        old: formats.old.then(Range::all),
        new: formats.new.then(Range::all),
    };
    Usage {
        reads: touched(does.reads),
        writes: touched(does.writes),
    }
}
