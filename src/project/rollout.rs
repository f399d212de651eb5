//! The `[rollout]` section, and the driver of one service.

use std::time::Duration;

use super::problem::closest;
use super::reader::Table;
use super::source::Source;

/// How rollouts are carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolloutConfig {
    /// For each service that names none of its own.
    pub driver: DriverConfig,
    /// How long each step may take to show in the fleet, or to be allowed.
    pub timeout: Duration,
}

impl Default for RolloutConfig {
    fn default() -> Self {
        Self {
            driver: DriverConfig::Manual,
            timeout: Duration::from_mins(30),
        }
    }
}

/// What replaces the instances of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DriverConfig {
    /// Whoever reads what is to be done.
    Manual,
    /// A program.
    Command {
        /// The program and its arguments, with placeholders.
        run: Vec<String>,
        /// How long one call may take.
        timeout: Duration,
        /// How much of the service is to run the new version after each call, in percent: rising,
        /// and 100 at the end.
        steps: Vec<u8>,
        /// Variables of the environment that lead into the database, which it is given all the same.
        env: Vec<String>,
    },
}

/// What an argument of a driver may contain.
pub const PLACEHOLDERS: [&str; 4] = ["service", "from", "to", "step"];

const LONGEST: Duration = Duration::from_hours(24 * 20);
const EXAMPLE: &str =
    "driver = { kind = \"command\", run = [\"./deploy.sh\", \"{service}\", \"{to}\"] }";
const RUN: &str = "run = [\"./deploy.sh\", \"{service}\", \"{to}\"]";
const STEPS: &str = "steps = [10, 50, 100]";
const PLACES: &[(&str, &str)] = &[];

pub(super) fn read(source: &Source, mut table: Table<'_>) -> RolloutConfig {
    let mut config = RolloutConfig::default();
    if let Some(timeout) = table.duration("timeout", LONGEST) {
        config.timeout = timeout.value;
    }
    if let Some(driver) = read_driver(source, &mut table) {
        config.driver = driver;
    }
    table.finish(PLACES);
    config
}

/// The `driver` of a table, if it names one.
pub(super) fn read_driver(source: &Source, table: &mut Table<'_>) -> Option<DriverConfig> {
    #[derive(Clone, Copy)]
    enum Kind {
        Command,
        Manual,
    }
    const KINDS: &[(&str, Kind)] = &[("command", Kind::Command), ("manual", Kind::Manual)];
    let mut table = table.table("driver")?;
    if !table.has("kind") {
        table.missing("kind", EXAMPLE);
        return None;
    }
    let driver = match table.choice("kind", KINDS)? {
        Kind::Manual => Some(DriverConfig::Manual),
        Kind::Command => read_command(source, &mut table),
    };
    table.finish(PLACES);
    driver
}

fn read_command(source: &Source, table: &mut Table<'_>) -> Option<DriverConfig> {
    let timeout = table.duration("timeout", LONGEST);
    let steps = read_steps(source, table);
    let env = read_env(source, table);
    if !table.has("run") {
        table.missing("run", RUN);
    }
    let span = table.key_span("run").unwrap_or_else(|| table.span());
    let parts = table.strings("run", RUN)?;
    if parts.is_empty() {
        let help = format!("write for example `{RUN}`");
        source.error("empty-value", span, "`run` names no program", help);
        return None;
    }
    for part in &parts {
        check_placeholders(source, part.value, part.span.clone());
    }
    Some(DriverConfig::Command {
        run: parts.iter().map(|part| part.value.to_owned()).collect(),
        timeout: timeout.map_or(Duration::from_mins(10), |timeout| timeout.value),
        steps,
        env,
    })
}

/// The `env` of a program: the names of variables.
pub(super) fn read_env(source: &Source, table: &mut Table<'_>) -> Vec<String> {
    const EXAMPLE: &str = "env = [\"DATABASE_URL\"]";
    let names = table.strings("env", EXAMPLE).unwrap_or_default();
    for name in &names {
        if name.value.contains(['=', '\0']) || name.value.contains(char::is_whitespace) {
            source.error(
                "bad-variable",
                name.span.clone(),
                "`env` lists names of environment variables that are handed on, without values",
                format!("write for example `{EXAMPLE}`"),
            );
        }
    }
    names.iter().map(|name| name.value.to_owned()).collect()
}

fn read_steps(source: &Source, table: &mut Table<'_>) -> Vec<u8> {
    let Some(steps) = table.counts("steps", STEPS, (1, 100)) else {
        return vec![100];
    };
    let rises = steps.value.windows(2).all(|pair| pair[0] < pair[1]);
    if !rises || steps.value.last() != Some(&100) {
        source.error(
            "bad-steps",
            steps.span,
            "`steps` has to rise from call to call, and to end with 100",
            format!("write for example `{STEPS}`"),
        );
        return vec![100];
    }
    steps
        .value
        .into_iter()
        .filter_map(|step| u8::try_from(step).ok())
        .collect()
}

/// A name in braces that stands for nothing would reach the program as it is written.
fn check_placeholders(source: &Source, text: &str, span: std::ops::Range<usize>) {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else {
            return;
        };
        rest = after;
        let is_word = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase());
        if is_word && !PLACEHOLDERS.contains(&name) {
            let help = match closest(name, PLACEHOLDERS) {
                Some(meant) => format!("write `{{{meant}}}`"),
                None => "there are {service}, {from}, {to} and {step}".to_owned(),
            };
            source.error(
                "unknown-placeholder",
                span.clone(),
                format!("`{{{name}}}` stands for nothing"),
                help,
            );
        }
    }
}
