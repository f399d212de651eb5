//! What keeps a pod from serving.

use super::objects::{PodStatus, Terminated};
use crate::text::secret;
use crate::text::shown::shortened;

/// As much of what the cluster says is told.
const LONGEST_REASON: usize = 200;

/// What keeps a pod from serving, as far as it is said.
#[must_use]
pub fn hindrance(status: &PodStatus) -> Option<String> {
    let of_container = status.containers().find_map(|container| {
        let name = &container.name;
        let last = container.last_state.terminated.as_ref();
        if let Some(waiting) = &container.state.waiting {
            let reason = waiting.reason.as_deref().unwrap_or_default();
            // What every container goes through.
            if matches!(reason, "" | "ContainerCreating" | "PodInitializing") && last.is_none() {
                return None;
            }
            let mut words = format!(
                "{name}: {}",
                if reason.is_empty() { "waits" } else { reason }
            );
            match (last, &waiting.message) {
                (Some(last), _) => words.push_str(&format!(", {}", ended(last))),
                (None, Some(message)) => words.push_str(&format!(": {message}")),
                (None, None) => {}
            }
            return Some(words);
        }
        let now = container.state.terminated.as_ref();
        let failed = now.filter(|now| now.exit_code != 0);
        if let Some(failed) = failed {
            return Some(format!("{name}: {}", ended(failed)));
        }
        let again = last.filter(|_| container.restart_count > 0 && !container.ready)?;
        let times = container.restart_count;
        Some(format!(
            "{name}: started again {times} times, {}",
            ended(again)
        ))
    });
    let unscheduled = || {
        let scheduled = status.condition("PodScheduled")?;
        (scheduled.status == "False").then(|| {
            let reason = scheduled.reason.as_deref().unwrap_or("not scheduled");
            match &scheduled.message {
                Some(message) => format!("{reason}: {message}"),
                None => reason.to_owned(),
            }
        })
    };
    let of_pod = || {
        let reason = status.reason.as_deref()?;
        Some(match &status.message {
            Some(message) => format!("{reason}: {message}"),
            None => reason.to_owned(),
        })
    };
    let words = of_container.or_else(unscheduled).or_else(of_pod)?;
    Some(secret::masked(&shortened(&words, LONGEST_REASON)).into_owned())
}

/// How a container ended; 10, 11 and 12 are what the door ends with.
fn ended(last: &Terminated) -> String {
    let door = match last.exit_code {
        10 => " (the door holds its version now, or an application of its own ended so)",
        11 => " (the door refuses its version, or an application of its own ended so)",
        12 => {
            " (the door has not the evidence to let it in, or an application of its own ended so)"
        }
        _ => "",
    };
    let reason = match last.reason.as_deref() {
        Some(reason) if reason != "Error" => format!(" {reason}"),
        _ => String::new(),
    };
    let said = last.message.as_deref().map(str::trim).unwrap_or_default();
    let said = said.lines().next_back().unwrap_or_default();
    let said = if said.is_empty() {
        String::new()
    } else {
        format!(": {said}")
    };
    format!("ended with {}{reason}{door}{said}", last.exit_code)
}
