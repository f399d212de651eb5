//! A program that replaces the instances: a script, or the command of a rollout tool.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::steps;
use super::{Called, Driver, DriverFailure, Kind, Shift, Shifted};
use crate::process::without_credentials;
use crate::program::{Attended, Left, TOLD_EVERY, Unfinished};
use crate::row::{LONGEST_WAIT, Place, Row};

pub(super) const KIND: Kind = Kind {
    kind: "command",
    read: made,
};

/// What an argument may contain.
const PLACEHOLDERS: [&str; 4] = ["service", "from", "to", "step"];

const RUN: &str = "run = [\"./deploy.sh\", \"{service}\", \"{to}\"]";

#[derive(Debug)]
struct Command {
    /// The program and its arguments, with placeholders.
    run: Vec<String>,
    /// How long one call may take.
    timeout: Duration,
    /// How much of the service is to run the new version after each call, in percent: rising, and 100 at the end.
    steps: Vec<u8>,
    /// What of the environment that leads into the database it is given.
    env: Vec<String>,
    told_every: Duration,
}

fn made(row: &mut dyn Row) -> Option<Arc<dyn Driver>> {
    let timeout = row.duration("timeout", LONGEST_WAIT);
    let steps = steps::read(row);
    let env = row.variables();
    if !row.has("run") {
        row.missing("run", RUN);
    }
    let run = row.texts("run", RUN)?;
    if run.is_empty() {
        let help = format!("write for example `{RUN}`");
        let message = "`run` names no program".to_owned();
        row.refuse(Place::Key("run"), "empty-value", message, help);
        return None;
    }
    for (index, part) in run.iter().enumerate() {
        check_placeholders(row, part, Place::Item("run", index));
    }
    Some(Arc::new(Command {
        run,
        timeout: timeout.unwrap_or(Duration::from_mins(10)),
        steps,
        env,
        told_every: TOLD_EVERY,
    }))
}

/// A name in braces that stands for nothing would reach the program as it is written.
fn check_placeholders(row: &dyn Row, text: &str, place: Place) {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else {
            return;
        };
        rest = after;
        let is_word = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase());
        if is_word && !PLACEHOLDERS.contains(&name) {
            let help = match row.meant(name, &PLACEHOLDERS) {
                Some(meant) => format!("write `{{{meant}}}`"),
                None => "there are {service}, {from}, {to} and {step}".to_owned(),
            };
            let message = format!("`{{{name}}}` stands for nothing");
            row.refuse(place, "unknown-placeholder", message, help);
        }
    }
}

#[async_trait]
impl Driver for Command {
    fn steps(&self) -> &[u8] {
        &self.steps
    }

    async fn shift(
        &self,
        shift: &Shift<'_>,
        called: &Called<'_>,
    ) -> Result<Shifted, DriverFailure> {
        let values = values(shift);
        let parts: Vec<String> = self.run.iter().map(|part| fill(part, &values)).collect();
        let Some((program, arguments)) = parts.split_first() else {
            return Err(DriverFailure::Failed("`run` names no program".into()));
        };
        let mut command = std::process::Command::new(program);
        command.args(arguments).current_dir(called.root);
        without_credentials(&mut command, &self.env, called.database_url);
        for (name, value) in &values {
            command.env(format!("PHASEGATE_{}", name.to_uppercase()), value);
        }
        let attended = Attended {
            timeout: self.timeout,
            told_every: self.told_every,
            interrupt: called.interrupt,
            progress: called.progress,
            left: Left::StaysAfterSuccess,
        };
        match attended.run(command).await {
            Ok(()) => Ok(Shifted::Done),
            Err(Unfinished::NotStarted(why) | Unfinished::Failed(why)) => {
                Err(DriverFailure::Failed(why))
            }
            Err(Unfinished::Interrupted) => Err(DriverFailure::Interrupted),
        }
    }
}

/// What each placeholder stands for.
fn values(shift: &Shift<'_>) -> [(&'static str, String); 4] {
    let from: Vec<String> = shift.from.iter().map(ToString::to_string).collect();
    [
        ("service", shift.service.to_owned()),
        ("from", from.join(",")),
        ("to", shift.to.to_string()),
        ("step", shift.step.to_string()),
    ]
}

/// Puts the values in the places of their names. A value is never looked at again, whatever is in it.
fn fill(part: &str, values: &[(&str, String)]) -> String {
    let mut filled = String::with_capacity(part.len());
    let mut rest = part;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let found = after.split_once('}').and_then(|(name, after)| {
            let value = values.iter().find(|(known, _)| *known == name)?;
            Some((&value.1, after))
        });
        match found {
            Some((value, after)) => {
                filled.push_str(value);
                rest = after;
            }
            None => {
                filled.push('{');
                rest = after;
            }
        }
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Mutex;

    use super::*;
    use crate::interrupt::Interrupt;

    #[tokio::test]
    async fn a_program_that_takes_its_time_is_said_to_be_at_work() {
        let driver = Command {
            run: vec!["sleep".into(), "0.3".into()],
            timeout: Duration::from_mins(1),
            steps: vec![100],
            env: Vec::new(),
            told_every: Duration::from_millis(20),
        };
        let told = Mutex::new(Vec::new());
        let called = Called {
            root: Path::new("."),
            database_url: None,
            interrupt: Interrupt::default(),
            watched: None,
            progress: &|text| told.lock().unwrap().push(text.to_owned()),
        };
        let to = "1.1.0".parse().unwrap();
        let shift = Shift {
            service: "web",
            from: &[],
            to: &to,
            step: 100,
        };
        driver.shift(&shift, &called).await.unwrap();
        let told = told.into_inner().unwrap();
        assert_eq!(
            told.first().map(String::as_str),
            Some("`sleep` has been at work for 0 s")
        );
    }

    #[test]
    fn names_in_braces_are_filled_in_once() {
        let values = [("from", "{to}".to_owned()), ("to", "1.1.0".to_owned())];
        for (part, filled) in [
            ("{to}", "1.1.0"),
            ("shop:{to}-{from}", "shop:1.1.0-{to}"),
            ("{{to}}", "{1.1.0}"),
            ("${HOME} {", "${HOME} {"),
            ("{toto}", "{toto}"),
            ("", ""),
        ] {
            assert_eq!(fill(part, &values), filled, "{part}");
        }
    }
}
