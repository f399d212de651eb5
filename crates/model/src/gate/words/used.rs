//! What goes was used of late, or that it was not is not known.

use super::Words;
use crate::gate::InUse;
use crate::model::MigrationId;

pub(super) fn words(migration: &MigrationId, required_ms: i64, found: &InUse) -> Words {
    let asked = span(required_ms);
    match found {
        InUse::Sent { sent, others } => {
            let by = match &*sent.roles {
                "" => String::new(),
                roles => format!(", by {roles},"),
            };
            let others = match others {
                0 => String::new(),
                1 => ", and one more statement".to_owned(),
                others => format!(", and {others} more statements"),
            };
            Words::new(
                format!(
                    "what its contract takes away was used within the last {}{by} and `unused_for` asks for {asked} without: {}{others}",
                    span(sent.ago_ms),
                    sent.text
                ),
                format!(
                    "find who sends it (`migrate uses {migration}` shows all of them, and sessions at work), have it changed, and run the contract once \
                     {asked} have passed without; what goes on without harm, such as a dump, is named under `unused_except`"
                ),
            )
        }
        InUse::NotLongEnough { for_ms, began } => {
            let why = began.as_ref().map(|why| format!(" ({why})"));
            Words::new(
                format!(
                    "nobody was seen to use what its contract takes away, and the server's counters have been looked at for {}{}, while \
                     `unused_for` asks for {asked}",
                    span(*for_ms),
                    why.unwrap_or_default()
                ),
                format!(
                    "look again in {}; what counts are looks that are kept, by steps of a coordinator, by `migrate serve` or by `migrate uses \
                     {migration} --record`",
                    rest(required_ms.saturating_sub(*for_ms))
                ),
            )
        }
        InUse::Unseen { why } => Words::new(
            format!(
                "whether what its contract takes away was used within the last {asked}, as `unused_for` asks, cannot be told: {why}"
            ),
            format!(
                "see to that, and `migrate uses {migration} --record` begins to watch; if it is known from elsewhere, \
                 `migrate contract {migration} --accept-unknown REASON` goes on and records why"
            ),
        ),
    }
}

/// `3 s`, `12 min`, `5 h`, `7 d`, rounded up: more than is said is not asked of anybody.
fn rest(ms: i64) -> String {
    let seconds = ms.max(0).saturating_add(999) / 1000;
    let up = |unit: i64| seconds.saturating_add(unit - 1) / unit;
    match seconds {
        0..=120 => format!("{seconds} s"),
        121..=7200 => format!("{} min", up(60)),
        7201..=172_800 => format!("{} h", up(3600)),
        _ => format!("{} d", up(86_400)),
    }
}

/// The same, rounded down where it is no whole number; at least a second.
fn span(ms: i64) -> String {
    let seconds = (ms.max(0) / 1000).max(1);
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}
