//! What would open a way: each is tried on the model before it is named.

use std::collections::BTreeSet;

use super::schedule::Walk;
use super::space::Space;
use super::{Answer, Problem, search_all};
use crate::model::{
    Behaviour, Declaration, Formats, Live, MigrationId, MigrationState, Phase, Range, Rows, Schema,
    Sync, Touched, Usage, Version,
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
    /// The migration that it opens a way for; none where it opens the whole plan.
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

/// Stands between a service's name and what only a trial adds to it; no service is named so.
const TRIAL: char = '\u{1f}';

/// The service that a release belongs to, also one that only a trial adds.
pub(super) fn service_of(release: &Live) -> &str {
    let name = &release.service;
    name.split(TRIAL).next().unwrap_or(name)
}

/// The problem as one migration sees it, with these services alone.
pub(super) fn part(problem: &Problem, id: &MigrationId, services: &[&str]) -> Problem {
    let mut part = problem.clone();
    part.schema = Schema::new(problem.schema.get(id).into_iter().cloned().collect());
    part.live
        .retain(|who| services.contains(&who.service.as_str()));
    part.goal
        .retain(|service, _| services.contains(&service.as_str()));
    part
}

/// The releases that are rolled out where there is a plan.
fn path(problem: &Problem) -> Option<Vec<Live>> {
    let walk = Walk::expand(problem).ok()?;
    let mut space = Space::new(problem, walk.schema());
    match search_all(&mut space) {
        Answer::Path { rolls, .. } => Some(
            rolls
                .into_iter()
                .map(|(service, release)| space.journeys[service].releases[release].clone())
                .collect(),
        ),
        Answer::Blocked(_) | Answer::DeadEnd { .. } => None,
    }
}

/// What would open a way for this migration, in the part of the problem that it sees.
pub(super) fn of_migration(part: &Problem, id: &MigrationId) -> Vec<WayOut> {
    let Some(state) = part.schema.get(id) else {
        return Vec::new();
    };
    let declaration = &state.declaration;
    let mut found: Vec<WayOut> = missing_releases(part).into_iter().collect();
    found.extend(goals(part));
    // What has been applied is not declared anew.
    if state.phase == Phase::Pending {
        found.extend(syncs(part, declaration));
        if found.iter().all(|way| way.way != Way::Release) {
            found.extend(bridge(part, declaration));
        }
        found.extend(redeclared(part, declaration));
    }
    for way in &mut found {
        way.migration = Some(id.clone());
    }
    found
}

fn with(part: &Problem, declaration: Declaration) -> Problem {
    Problem {
        schema: Schema::new(vec![MigrationState::pending(declaration)]),
        ..part.clone()
    }
}

fn syncs(part: &Problem, declaration: &Declaration) -> Option<WayOut> {
    let opens = |sync: &Sync| {
        let synced = Declaration {
            sync: *sync,
            ..declaration.clone()
        };
        *sync != declaration.sync && path(&with(part, synced)).is_some()
    };
    let names: Vec<String> = [Sync::Both, Sync::ToNew, Sync::ToOld]
        .into_iter()
        .filter(opens)
        .map(|sync| format!("`sync = \"{}\"`", sync.name()))
        .collect();
    (!names.is_empty()).then(|| {
        let message = format!(
            "{}, if expand.sql makes every write of one format refresh the other (triggers, a view)",
            names.join(" or ")
        );
        WayOut::new(Way::Sync, message)
    })
}

fn redeclared(part: &Problem, declaration: &Declaration) -> Vec<WayOut> {
    let mut found = Vec::new();
    let mut add = |way, message: &str, changed: Declaration| {
        if path(&with(part, changed)).is_some() {
            found.push(WayOut::new(way, message.to_owned()));
        }
    };
    if declaration.rows == Rows::Mutable {
        let changed = Declaration {
            rows: Rows::AppendOnly,
            ..declaration.clone()
        };
        let message = "`rows = \"append-only\"`, if it is so: rows are inserted and never updated";
        add(Way::AppendOnly, message, changed);
    }
    if !declaration.parts.backfill && declaration.has_old() && declaration.has_new() {
        let mut changed = declaration.clone();
        changed.parts.backfill = true;
        let message = "a `[backfill]` that brings existing rows into the new format";
        add(Way::Backfill, message, changed);
    }
    found
}

/// Versions that lie on the way, one of each behaviour, and of none that a release has already.
fn unreleased(problem: &Problem, service: &str) -> Vec<Version> {
    let declarations: Vec<&Declaration> = declarations(problem).collect();
    let does = |version: &Version| -> Vec<Vec<Behaviour>> {
        let each = declarations.iter();
        each.map(|declaration| declaration.behaviours(service, version))
            .collect()
    };
    let Some((low, high)) = way(problem, service) else {
        return Vec::new();
    };
    let known = problem.live.iter().chain(&problem.releases);
    let mut seen: Vec<_> = known
        .filter(|who| who.service == service)
        .map(|who| does(&who.version))
        .collect();
    seen.extend(problem.goal.get(service).map(does));
    let mut versions = Declaration::representatives(service, declarations.iter().copied());
    versions.retain(|version| {
        let is_new = low < *version && *version < high && !seen.contains(&does(version));
        if is_new {
            seen.push(does(version));
        }
        is_new
    });
    versions
}

/// The first and the last version between which a service goes.
fn way(problem: &Problem, service: &str) -> Option<(Version, Version)> {
    let goal = problem.goal.get(service)?;
    let live = problem.live.iter().filter(|who| who.service == service);
    let ends: BTreeSet<&Version> = live.map(|who| &who.version).chain([goal]).collect();
    Some(((*ends.first()?).clone(), (*ends.last()?).clone()))
}

fn declarations(problem: &Problem) -> impl Iterator<Item = &Declaration> {
    problem
        .schema
        .migrations()
        .iter()
        .map(|state| &state.declaration)
}

/// Releases that the declarations speak of and that nobody named: together they open a way.
pub(super) fn missing_releases(problem: &Problem) -> Option<WayOut> {
    let mut more = problem.clone();
    let mut added: Vec<Live> = Vec::new();
    for service in problem.goal.keys() {
        added.extend(
            unreleased(problem, service)
                .into_iter()
                .map(|version| Live {
                    service: service.clone(),
                    version,
                }),
        );
    }
    if added.is_empty() {
        return None;
    }
    more.releases.extend(added.iter().cloned());
    let mut used = path(&more)?;
    used.retain(|release| added.contains(release));
    used.sort();
    used.dedup();
    let releases: Vec<MissingRelease> = used
        .iter()
        .map(|release| MissingRelease {
            service: release.service.clone(),
            range: stretch(problem, release),
        })
        .collect();
    let via = used
        .iter()
        .map(|Live { service, version }| format!("--via {service}={version}"));
    let message = format!(
        "{}: name {} under `releases` in migrate.toml, or with `{}`",
        named(&releases),
        if used.len() == 1 { "it" } else { "them" },
        via.collect::<Vec<_>>().join(" ")
    );
    Some(WayOut {
        releases,
        ..WayOut::new(Way::Release, message)
    })
}

/// The versions around `release` that every migration takes for the same, as far as they lie on
/// the way.
fn stretch(problem: &Problem, release: &Live) -> String {
    let service = &release.service;
    let same = |version: &Version| {
        declarations(problem).all(|declaration| {
            declaration.behaviours(service, version)
                == declaration.behaviours(service, &release.version)
        })
    };
    let versions = Declaration::representatives(service, declarations(problem));
    let before = versions.iter().rev().filter(|v| **v <= release.version);
    let first = before.take_while(|v| same(v)).last();
    let end = versions
        .iter()
        .find(|version| **version > release.version && !same(version));
    let first = first.unwrap_or(&release.version);
    match end {
        Some(end) => format!(">={first}, <{end}"),
        None => format!(">={first}"),
    }
}

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
            path(&more).is_some()
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

/// A release that does something else than the declaration says of any, of one service or, where
/// that is not enough, of each.
fn bridge(part: &Problem, declaration: &Declaration) -> Option<WayOut> {
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
    // There is no release between a version and itself, nor on the way from nowhere.
    let moves = |service: &&String| way(part, service).is_some_and(|(low, high)| low < high);
    let services: Vec<&String> = part.goal.keys().filter(moves).collect();
    let alone = services.iter().map(|service| vec![*service]);
    let groups: Vec<Vec<&String>> = alone
        .chain((services.len() > 1).then(|| services.clone()))
        .collect();
    for group in groups {
        for does in BRIDGES {
            let mut bridged = declaration.clone();
            let mut more = part.clone();
            for service in &group {
                let name = format!("{service}{TRIAL}");
                bridged.services.insert(name.clone(), always(does));
                more.releases
                    .extend(part.goal.get(*service).map(|version| Live {
                        service: name,
                        version: version.clone(),
                    }));
            }
            if path(&with(&more, bridged)).is_some() {
                return Some(described(part, &group, does));
            }
        }
    }
    None
}

fn described(part: &Problem, services: &[&String], does: Behaviour) -> WayOut {
    let releases: Vec<MissingRelease> = services
        .iter()
        .filter_map(|service| {
            let (low, high) = way(part, service)?;
            Some(MissingRelease {
                service: (*service).clone(),
                range: format!(">{low}, <{high}"),
            })
        })
        .collect();
    let (reads, writes) = (words(does.reads), words(does.writes));
    let what = if reads == writes {
        format!("reads and writes {reads}")
    } else {
        format!("reads {reads} and writes {writes}")
    };
    let message = format!(
        "{} that {what}: declare it in migration.toml, with `reads` and `writes` apart",
        named(&releases)
    );
    WayOut {
        releases,
        ..WayOut::new(Way::Bridge, message)
    }
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
