//! Progress on standard error: a bar on a terminal, lines elsewhere, nothing with `-q`.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::args::Global;
use super::out::note;
use super::paint::can_be_drawn_over;
use super::summed;
use super::text;
use crate::backfill::{Report, Standing};
use crate::coordinator::{IndexFate, Progress};
use crate::database::Severity;
use crate::gate::{Blocker, Verdict};
use crate::model::MigrationId;
use crate::text::shown::shown;

/// Shows what a coordinator reports.
pub(super) struct Reporter {
    quiet: bool,
    bar: Option<ProgressBar>,
    /// Whether the bar was taken away, for something else to be shown.
    is_away: AtomicBool,
    /// What was last said, so that waiting does not repeat itself.
    last: Mutex<String>,
    /// When it was last told how a backfill gets on.
    told: Mutex<Instant>,
}

/// How often a backfill says how it gets on where there is no terminal.
const TELL_EVERY: Duration = Duration::from_secs(30);

impl Reporter {
    pub(super) fn new(global: &Global) -> Self {
        let on_terminal = can_be_drawn_over(&std::io::stderr()) && !global.quiet;
        let bar = on_terminal.then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) =
                ProgressStyle::with_template("{spinner} {elapsed_precise} {wide_msg}")
            {
                bar.set_style(style);
            }
            bar
        });
        Self {
            quiet: global.quiet,
            bar,
            is_away: AtomicBool::new(false),
            last: Mutex::default(),
            told: Mutex::new(Instant::now()),
        }
    }

    pub(super) fn show(&self, progress: &Progress) {
        let (line, is_passing) = match progress {
            Progress::WaitingForCoordinator { row, at_most } => (
                format!(
                    "{} is at work ({}); waiting, for no more than {} s once it is not heard of any more",
                    row.holder,
                    row.doing,
                    at_most.as_secs()
                ),
                false,
            ),
            Progress::Statement {
                path,
                position,
                of,
                text,
            } => (format!("{path} {position}/{of}: {text}"), true),
            Progress::Said {
                path,
                line,
                severity,
                text,
            } => {
                let line = format!("{path}:{line}: {}: {text}", severity.name());
                return self.say_said(*severity, &line);
            }
            Progress::Weighed(weighed) => {
                for note in weighed.notes() {
                    self.say_aside(&format!("note: {note}"));
                }
                return;
            }
            Progress::Busy(open) => (
                format!(
                    "waiting for a quiet moment: a transaction of {} (session {}) has been open for long",
                    open.who, open.session
                ),
                false,
            ),
            Progress::LockRetry { attempt, holders } => {
                let held = holders.first().map_or_else(String::new, |holder| {
                    format!(", held by {}", holder.description)
                });
                (
                    format!("a lock was not granted{held}; trying again (attempt {attempt})"),
                    false,
                )
            }
            Progress::LockWait { waited, holders } => {
                let names: Vec<&str> = holders
                    .iter()
                    .take(3)
                    .map(|holder| holder.description.as_str())
                    .collect();
                let more = holders.len().saturating_sub(names.len());
                let more = if more > 0 {
                    format!("; and for {more} more")
                } else {
                    String::new()
                };
                (
                    format!(
                        "waiting for {} s, for {}{more}",
                        waited.as_secs(),
                        names.join("; ")
                    ),
                    false,
                )
            }
            Progress::InvalidIndex { name, fate } => (
                match fate {
                    IndexFate::BuiltAgain => format!(
                        "the index {name} is invalid: an earlier build of it failed. Dropping and building it again"
                    ),
                    IndexFate::Left(why) => format!(
                        "the index {name} is left invalid, and a unique one goes on refusing values that are there already: it could \
                         not be dropped ({why}). The next run drops it"
                    ),
                },
                false,
            ),
            Progress::StillRunning { path, sessions } => {
                let ids: Vec<String> = sessions.iter().map(ToString::to_string).collect();
                (
                    format!(
                        "{path}: a statement still runs in session {}, for a run that was killed; waiting for it",
                        ids.join(", ")
                    ),
                    false,
                )
            }
            Progress::Runner(text) => (text.clone(), false),
            Progress::Settling => (
                "waiting until the cluster goes by the new list of its policy".to_owned(),
                false,
            ),
            Progress::Unreachable(error) => (format!("waiting: {error}"), false),
            Progress::Waiting(decision) => {
                let reasons = summed::messages(&decision.blockers, reason);
                // It is this command that holds on until somebody has replaced them.
                let verdict = match decision.verdict {
                    Verdict::Refuse => Verdict::Hold,
                    other => other,
                };
                (
                    format!("waiting ({}): {}", verdict.name(), reasons.join("; ")),
                    false,
                )
            }
            Progress::Backfill { migration, report } => return self.backfill(migration, report),
        };
        self.say(line, is_passing);
    }

    /// Says what goes on: on a terminal in the place of what was said before. What is passing is
    /// noise in a log.
    pub(super) fn say(&self, line: String, is_passing: bool) {
        if self.quiet {
            return;
        }
        match &self.bar {
            Some(bar) => {
                if self.is_away.swap(false, Ordering::Relaxed) {
                    bar.reset();
                }
                bar.set_message(shown(&line).into_owned());
                bar.tick();
            }
            // In a log, what passes by is noise, and what is waited for is said once.
            None if is_passing => tracing::info!("{line}"),
            None => {
                if let Ok(mut last) = self.last.lock()
                    && *last != line
                {
                    note(&line);
                    *last = line;
                }
            }
        }
    }

    /// Says something that is to stay, and makes room for another program's output.
    pub(super) fn say_aside(&self, line: &str) {
        if self.quiet {
            return;
        }
        self.make_room();
        note(line);
    }

    /// Says what the server has said, which stays. Warnings are told to those as well who want to hear little.
    fn say_said(&self, severity: Severity, line: &str) {
        if severity == Severity::Warning || !self.quiet {
            self.make_room();
            note(line);
        }
    }

    /// Clears what is shown, until something is said again.
    pub(super) fn make_room(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
            bar.set_message("");
            self.is_away.store(true, Ordering::Relaxed);
        }
    }

    fn backfill(&self, migration: &MigrationId, report: &Report) {
        let (line, is_passing) = match report {
            Report::Passed(standing) => return self.passed(migration, standing),
            Report::Held(reason) => (format!("{migration} waits: {reason}"), false),
            Report::Released => (format!("{migration} goes on"), false),
            Report::Retry { error, keys } => (
                format!(
                    "{migration}: a batch did not get through ({error}); trying again with {}",
                    text::count(*keys, "row")
                ),
                false,
            ),
            Report::Narrowing { error, keys } => (
                format!(
                    "{migration}: a batch failed ({error}); looking for the row, among the next {}",
                    text::count(*keys, "row")
                ),
                false,
            ),
            Report::Warning(warning) => {
                tracing::warn!("{migration}: {warning}");
                return;
            }
        };
        if let Some(bar) = &self.bar
            && !is_passing
        {
            // Above the bar, where it can be read whole.
            bar.println(shown(&line));
        }
        self.say(line, is_passing);
    }

    fn passed(&self, migration: &MigrationId, standing: &Standing) {
        if self.quiet {
            return;
        }
        let Some(bar) = &self.bar else {
            let line = text::standing(migration, standing);
            // In a log, one line now and then.
            let Ok(mut told) = self.told.lock() else {
                return;
            };
            if told.elapsed() >= TELL_EVERY {
                note(&line);
                *told = Instant::now();
            }
            return;
        };
        // Known from the first batch on, and not before.
        if standing.total > 0
            && bar.length() != Some(standing.total)
            && let Ok(style) = ProgressStyle::with_template(
                "{spinner} {elapsed_precise} [{bar:16}] {percent:>3} % {wide_msg}",
            )
        {
            bar.set_style(style);
            bar.set_length(standing.total);
        }
        bar.set_position(standing.seen.min(standing.total));
        // What the bar shows already is left out, so that the rest fits a line.
        let speed = text::speed(standing.seen, standing.total, standing.rate);
        let check = if standing.is_check { "check, " } else { "" };
        bar.set_message(format!(
            "{check}{}{speed} ({migration})",
            text::count(standing.seen, "row")
        ));
        bar.tick();
    }

    /// Whether nothing is told of what went well.
    pub(super) const fn is_quiet(&self) -> bool {
        self.quiet
    }

    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// What is waited for, and where it was seen.
fn reason(blocker: &Blocker) -> String {
    if blocker.seen.examples.is_empty() {
        return blocker.message();
    }
    format!("{} ({})", blocker.message(), text::names(blocker))
}
