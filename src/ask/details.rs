//! The fields of a reason as JSON, for a program that wants more than the sentence.
//!
//! Which version, service and migration a blocker is about stands beside them and is not said again.

use serde_json::{Map, Value, json};

use super::moment::time;
use crate::gate::{
    Conflict, FillNeed, FillWork, FlawEffect, InUse, Incompatible, Leaves, Missing, NoSuchPhase,
    Order, Part, Readings, Reason, Requirement, Rows, Sessions, Silence, Stay, Suspicion, Unplaced,
    Unrehearsed, Unseen, WaitsForFill, WrongPhase,
};
use crate::model::{Keeps, Sync, Whereabouts};

/// The fields of a reason beside those that every blocker has.
#[must_use]
pub fn details(reason: &Reason) -> Value {
    match reason {
        Reason::LiveVersion { conflict, stay, .. } => with(
            conflicting(conflict),
            json!({ "leaves_by_itself": *stay == Stay::Leaving }),
        ),
        Reason::Contradiction {
            touch,
            phase,
            suspicion,
            ..
        } => json!({
            "does": touch.name(),
            "phase": phase.name(),
            "suspicion": match suspicion {
                Suspicion::Swapped => "swapped",
                Suspicion::BeginsTooLow => "begins_too_low",
            },
        }),
        Reason::UndeclaredFill(need) => json!({
            "has_to": match need {
                FillNeed::Overwrite => "overwrite",
                FillNeed::OnlyFill => "only_fill",
            },
        }),
        Reason::ExpandFirst {
            migration,
            phase,
            needed_by,
            taken_by,
        } => json!({
            "of": migration,
            "phase": phase.name(),
            "does": needed_by.as_ref().map(|need| need.touch.name()),
            "taken_by": taken_by,
        }),
        Reason::BackfillFirst {
            migration,
            waiting,
            fill,
        } => with(
            json!({
                "of": migration,
                "for": match waiting {
                    WaitsForFill::Contract => "contract",
                    WaitsForFill::Start(_) => "start",
                },
            }),
            filling(fill),
        ),
        Reason::ContractFirst {
            basis,
            taken_by,
            no_room_for,
        } => with(
            json!({ "of": basis.migration, "taken_by": taken_by, "no_room_for": no_room_for }),
            match &basis.keeps {
                Keeps::Columns { table, columns } => json!({ "table": table, "columns": columns }),
                Keeps::Table(name) => json!({ "table": name }),
                Keeps::View(name) => json!({ "view": name }),
                Keeps::Definition { table, name } => json!({ "table": table, "definition": name }),
                Keeps::Outcome { table, name } => json!({ "table": table, "outcome": name }),
                Keeps::Needed { table, column } => json!({ "table": table, "needed": column }),
            },
        ),
        Reason::TooOld {
            touch,
            migration,
            newest,
            ..
        } => json!({ "of": migration, "does": touch.name(), "newest": newest }),
        Reason::OldFormatGone {
            touch,
            migration,
            phase,
            readings,
            ..
        } => json!({
            "of": migration,
            "does": touch.name(),
            "phase": phase.name(),
            "ambiguous": is_ambiguous(*readings),
        }),
        Reason::UnreadableRows {
            migration,
            rows,
            readings,
            ..
        } => with(
            in_rows(*rows),
            json!({ "of": migration, "ambiguous": is_ambiguous(*readings) }),
        ),
        Reason::DataLoss { step, sync, .. } => {
            json!({ "step": step.name(), "sync": sync_name(*sync) })
        }
        Reason::Incompatible(incompatible) => beside(incompatible),
        Reason::Order(order) => ordered(order),
        Reason::NoSuchPhase(none) => match none {
            NoSuchPhase::NoMigration(id) => json!({ "no_migration": id }),
            NoSuchPhase::NoPart {
                migration,
                step,
                part,
            } => {
                json!({ "of": migration, "step": step.name(), "lacks": part_name(*part) })
            }
        },
        Reason::WrongPhase(wrong) => match wrong {
            WrongPhase::BeingReverted {
                migration,
                taken_by,
            } => json!({ "of": migration, "phase": "reverting", "taken_by": taken_by }),
            WrongPhase::PastReturn { migration, phase } => {
                json!({ "of": migration, "phase": phase.name() })
            }
        },
        Reason::OutOfStep { migration, what } => json!({ "of": migration, "what": what }),
        Reason::Requirement(requirement) => required(requirement),
        Reason::Soak { soak, .. } => {
            json!({ "required_ms": soak.required_ms, "quiet_ms": soak.quiet_ms })
        }
        Reason::InUse {
            required_ms, found, ..
        } => with(json!({ "required_ms": required_ms }), in_use(found)),
        Reason::Needed { by, .. } => json!({ "by": by }),
        Reason::Rehearsal { found, .. } => match found {
            Unrehearsed::Never => json!({ "found": "never" }),
            Unrehearsed::OtherFiles { at } => json!({ "found": "other_files", "at": time(*at) }),
            Unrehearsed::Denied { at } => json!({ "found": "denied", "at": time(*at) }),
        },
        Reason::Source(silence) => silent(silence),
        Reason::MissingInstances {
            seen,
            wanted,
            missing,
            ..
        } => with(json!({ "seen": seen, "wanted": wanted }), lacking(missing)),
        Reason::UnplacedVersion(unplaced) => match unplaced {
            Unplaced::TooMany { versions, most, .. } => {
                json!({ "versions": versions, "most": most })
            }
            Unplaced::Label { state, .. } => json!({ "state": state.name() }),
        },
        Reason::UnaccountedSession(sessions) => strangers(sessions),
        Reason::UnknownService { .. } | Reason::UndecidableRows { .. } => json!({}),
        Reason::Files { effect, flaw } => with(
            match effect {
                FlawEffect::Hides => json!({ "effect": "hides" }),
                FlawEffect::CannotRun(step) => {
                    json!({ "effect": "cannot_run", "step": step.name() })
                }
                FlawEffect::CannotLive(_) => json!({ "effect": "cannot_live" }),
                FlawEffect::ComesBefore(id) => json!({ "effect": "comes_before", "of": id }),
            },
            json!({ "error": flaw.error }),
        ),
    }
}

/// One object of two.
fn with(first: Value, second: Value) -> Value {
    let mut all = Map::new();
    for value in [first, second] {
        if let Value::Object(fields) = value {
            all.extend(fields);
        }
    }
    Value::Object(all)
}

fn is_ambiguous(readings: Readings) -> bool {
    readings == Readings::Several
}

/// As `sync` in a migration.toml; `None` if there is none.
const fn sync_name(sync: Sync) -> Option<&'static str> {
    match sync {
        Sync::None => None,
        Sync::Both => Some("both"),
        Sync::ToNew => Some("to-new"),
        Sync::ToOld => Some("to-old"),
    }
}

fn in_rows(rows: Rows) -> Value {
    json!({ "rows": rows.kind.to_string(), "sync": sync_name(rows.sync) })
}

fn conflicting(conflict: &Conflict) -> Value {
    match conflict {
        Conflict::Uses {
            format,
            touch,
            readings,
        } => json!({
            "conflict": "uses",
            "format": format.to_string(),
            "does": touch.name(),
            "ambiguous": is_ambiguous(*readings),
        }),
        Conflict::CannotRead {
            step,
            rows,
            readings,
        } => with(
            json!({
                "conflict": "cannot_read",
                "step": step.name(),
                "ambiguous": is_ambiguous(*readings),
            }),
            in_rows(*rows),
        ),
        Conflict::WritesOnlyOld { sync, readings } => json!({
            "conflict": "writes_only_old",
            "sync": sync_name(*sync),
            "ambiguous": is_ambiguous(*readings),
        }),
        Conflict::Leaves(leaves) => {
            with(json!({ "conflict": "leaves_unreadable" }), left_by(leaves))
        }
    }
}

fn left_by(leaves: &Leaves) -> Value {
    with(
        in_rows(leaves.rows),
        json!({
            "of": leaves.migration,
            "writer": { "service": leaves.writer.service, "version": leaves.writer.version },
            "reader": { "service": leaves.reader.service, "version": leaves.reader.version },
            "ambiguous": is_ambiguous(leaves.readings),
        }),
    )
}

fn filling(fill: &FillWork) -> Value {
    match fill {
        FillWork::Running { by } => json!({ "backfill": "running", "taken_by": by }),
        FillWork::Paused => json!({ "backfill": "paused" }),
        FillWork::Idle { phase, held_up_by } => {
            let versions = held_up_by
                .iter()
                .map(|who| json!({ "service": who.service, "version": who.version }));
            json!({
                "backfill": "idle",
                "phase": phase.name(),
                "held_up_by": versions.collect::<Vec<_>>(),
            })
        }
    }
}

fn beside(incompatible: &Incompatible) -> Value {
    match incompatible {
        Incompatible::WithItself {
            migration,
            rows,
            readings,
            ..
        } => with(
            in_rows(*rows),
            json!({ "with": "itself", "of": migration, "ambiguous": is_ambiguous(*readings) }),
        ),
        Incompatible::WithAnother(leaves) => with(json!({ "with": "another" }), left_by(leaves)),
        Incompatible::NoSequence { .. } => json!({ "with": "migrations" }),
        Incompatible::NoOrder => json!({ "with": "services" }),
        Incompatible::NotAllTried { states } => json!({ "states_tried": states }),
    }
}

fn ordered(order: &Order) -> Value {
    match order {
        Order::Earlier {
            migration,
            phase,
            taken_by,
        } => json!({ "earlier": migration, "phase": phase.name(), "taken_by": taken_by }),
        Order::Later {
            migration,
            dead_end,
            ..
        } => json!({
            "later": migration,
            "dead_end": dead_end.as_ref().map(|reason| {
                json!({ "kind": reason.kind().name(), "details": details(reason) })
            }),
        }),
        Order::Passed { later, keeps, .. } => {
            json!({ "applied_before_it": later, "defines": keeps.to_string() })
        }
        Order::Strict { later, .. } => json!({ "applied_before_it": later }),
    }
}

const fn part_name(part: Part) -> &'static str {
    match part {
        Part::Expand | Part::ExpandToUndo => "expand",
        Part::Backfill => "backfill",
        Part::Contract => "contract",
        Part::WayBack => "revert",
    }
}

fn required(requirement: &Requirement) -> Value {
    match requirement {
        Requirement::Remaining {
            rows,
            examples,
            passed_by,
            ..
        } => json!({
            "query": "remaining",
            "result": rows,
            "keys": examples,
            "passed_by": passed_by,
        }),
        Requirement::Check { found, .. } => {
            json!({ "query": "check", "place": found.place, "keys": found.examples })
        }
        Requirement::Require { query, result } => {
            json!({ "query": "require", "sql": query, "result": result })
        }
    }
}

fn in_use(found: &InUse) -> Value {
    match found {
        InUse::Sent { sent, others } => json!({
            "found": "sent",
            "statement": sent.text,
            "roles": sent.roles,
            "ago_ms": sent.ago_ms,
            "others": others,
        }),
        InUse::NotLongEnough { for_ms, began } => {
            json!({ "found": "not_long_enough", "looked_for_ms": for_ms, "began_anew": began })
        }
        InUse::Unseen { why } => json!({ "found": "unseen", "why": why }),
    }
}

fn silent(silence: &Silence) -> Value {
    match silence {
        Silence::Stale { age_ms, .. } => json!({ "status": "stale", "age_ms": age_ms }),
        Silence::Failed { reason, .. } => json!({ "status": "failed", "error": reason }),
        Silence::Moved {
            moved,
            all_renew_ms,
            ..
        } => json!({
            "status": "moved",
            "last_ms_ago": moved.last_ms_ago,
            "noticed_ms_ago": moved.noticed_ms_ago,
            "all_renew_ms": all_renew_ms,
        }),
        Silence::LedgerLost(lost) => json!({
            "status": "lost",
            "there": lost.there,
            "made_by": lost.migration,
            "ledger": lost.ledger,
        }),
        Silence::Unreachable { error, .. } => json!({ "status": "unreachable", "error": error }),
    }
}

fn lacking(missing: &Missing) -> Value {
    match missing {
        Missing::Settling { instances, left_ms } => {
            json!({ "settling": instances, "left_ms": left_ms })
        }
        Missing::Unseen(unseen) => {
            let Unseen {
                unproven,
                states,
                settling,
                admitted,
                starting,
                lost,
                twins,
                silent,
            } = unseen.as_ref();
            let states: Vec<&str> = states.iter().map(|state| state.name()).collect();
            let shared: Vec<&String> = twins.iter().map(|twins| &twins.instance).collect();
            json!({
                "unproven": unproven,
                "states": states,
                "settling": settling,
                "admitted": admitted,
                "starting": starting,
                "lost": lost,
                "shared_names": shared,
                "silent_sources": silent,
            })
        }
    }
}

fn strangers(sessions: &Sessions) -> Value {
    match sessions {
        Sessions::Unlisted { why } => json!({ "unlisted": why }),
        Sessions::Unaccounted(group) => json!({
            "user": group.user,
            "application": group.application,
            "address": group.address,
            "database": match &group.whereabouts {
                Whereabouts::Here | Whereabouts::Nowhere => None,
                Whereabouts::Database(name) => Some(name),
            },
            "since": group.since.map(time),
        }),
    }
}
