//! The command lines of `migrate` in a document: in scripts, in the lists and scripts of YAML, TOML and unit files, and in
//! the text.

use clap::error::ErrorKind;
use regex::Regex;
use serde::Deserialize as _;
use serde_json::Value;

use super::blocks::code_of;
use super::shell::{self, Words, plausible};

/// What a document shows of `migrate`.
#[derive(Debug, Default)]
pub struct Shown {
    /// How many calls were checked.
    pub calls: usize,
    /// What is wrong, each with its line.
    pub wrong: Vec<String>,
}

/// Parses every block whose language is known, and checks every call of `migrate` in the document.
pub fn check(document: &str) -> Shown {
    let mut shown = Shown::default();
    let (blocks, spans) = code_of(document);
    for block in blocks {
        match calls_in_block(&block.language, &block.text) {
            Err(error) => {
                let what = format!("line {}: {}: {error}", block.line, block.language);
                shown.wrong.push(what);
            }
            Ok(calls) => calls
                .into_iter()
                .for_each(|call| shown.note(block.line, Place::ToCopy, call)),
        }
    }
    for span in spans
        .iter()
        .filter(|span| span.text.starts_with("migrate "))
    {
        // `COMMAND` stands for any, and an ellipsis for what the sentence does not need.
        if span.text.starts_with("migrate COMMAND") {
            continue;
        }
        match shell::calls_of_migrate(&span.text) {
            Err(error) => shown.wrong.push(format!("line {}: {error}", span.line)),
            Ok(calls) => {
                for mut call in calls {
                    call.retain(|word| word != "…" && word != "CMD…");
                    shown.note(span.line, Place::InText, call);
                }
            }
        }
    }
    shown
}

/// Where a call stands. A sentence may name a command without all that it needs.
#[derive(Clone, Copy)]
enum Place {
    ToCopy,
    InText,
}

impl Shown {
    fn note(&mut self, line: usize, place: Place, call: Words) {
        self.calls += 1;
        let Err(error) = phasegate::cli::accepts(call.clone()) else {
            return;
        };
        // `migrate contract --wait` in a sentence lacks its duration: then nothing of what it has is wrong.
        let lacks_something = match error.kind() {
            ErrorKind::MissingRequiredArgument
            | ErrorKind::MissingSubcommand
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => true,
            ErrorKind::InvalidValue => error.to_string().contains("but none was supplied"),
            _ => false,
        };
        let is_help = matches!(
            error.kind(),
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
        );
        if is_help || (lacks_something && matches!(place, Place::InText)) {
            return;
        }
        let call = call.join(" ");
        self.wrong
            .push(format!("line {line}: `migrate {call}`: {error}"));
    }
}

/// The calls in a block; an error where it cannot be parsed.
fn calls_in_block(language: &str, text: &str) -> Result<Vec<Words>, String> {
    match language {
        "sh" | "bash" => shell::calls_of_migrate(text),
        "console" => {
            let typed = text.lines().filter_map(|line| line.strip_prefix("$ "));
            shell::calls_of_migrate(&typed.collect::<Vec<_>>().join("\n"))
        }
        "ini" => {
            let commands = text.lines().filter_map(command_of_unit);
            shell::calls_of_migrate(&commands.collect::<Vec<_>>().join("\n"))
        }
        "yaml" => {
            let mut calls = Vec::new();
            for document in yaml_serde::Deserializer::from_str(text) {
                // Its own type first: that is what refuses a key that is there twice.
                let value = yaml_serde::Value::deserialize(document);
                let value = value.map_err(|error| error.to_string())?;
                let value = serde_json::to_value(value).map_err(|error| error.to_string())?;
                calls_in_value(&value, &mut calls)?;
            }
            Ok(calls)
        }
        "toml" => {
            let value: Value = toml::from_str(text).map_err(|error| error.to_string())?;
            let mut calls = Vec::new();
            calls_in_value(&value, &mut calls)?;
            Ok(calls)
        }
        "json" => match serde_json::from_str::<Value>(text) {
            Ok(_) => Ok(Vec::new()),
            Err(error) => Err(error.to_string()),
        },
        "" | "sql" | "rust" | "rust,no_run" | "rust,ignore" | "mermaid" | "dockerfile" | "hcl"
        | "text" => Ok(Vec::new()),
        // What an application in another language does.
        "go" | "java" | "js" | "python" => Ok(Vec::new()),
        _ => Err("a language that no check knows".into()),
    }
}

/// The command in a line of a unit file: `ExecStart=-/usr/bin/migrate agent`.
fn command_of_unit(line: &str) -> Option<&str> {
    let (key, command) = line.split_once('=')?;
    let command = command.trim_start_matches(['-', '@', ':', '+', '!']);
    key.starts_with("Exec").then_some(command)
}

/// Keys whose text is for people.
const PROSE: [&str; 4] = ["name", "description", "message", "title"];

/// The calls in a value: lists that are a command, and texts that are scripts.
fn calls_in_value(value: &Value, calls: &mut Vec<Words>) -> Result<(), String> {
    match value {
        Value::Object(map) => {
            let list = |key: &str| map.get(key).and_then(words_of);
            // Kubernetes: the command, and the arguments that follow it.
            if let (Some(mut command), Some(arguments)) = (list("command"), list("args")) {
                command.extend(arguments);
                calls.extend(shell::calls_in(&command)?);
            } else if let Some(arguments) = list("args").filter(begins_like_migrate) {
                calls.push(arguments);
            } else {
                for command in [list("command"), list("args")].into_iter().flatten() {
                    calls.extend(shell::calls_in(&command)?);
                }
            }
            for (key, value) in map {
                let is_seen_to = ["command", "args"].contains(&key.as_str()) && value.is_array();
                if !is_seen_to && !PROSE.contains(&key.as_str()) {
                    calls_in_value(value, calls)?;
                }
            }
        }
        Value::Array(_) => match words_of(value).map(|words| shell::calls_in(&words)) {
            // A list of scripts, such as GitLab's `script`, or of anything else.
            None => each(value, calls)?,
            Some(found) => match found? {
                found if found.is_empty() => each(value, calls)?,
                found => calls.extend(found),
            },
        },
        Value::String(text) if text.contains("migrate ") => {
            calls.extend(shell::calls_of_migrate(&without_templates(text))?);
        }
        _ => {}
    }
    Ok(())
}

fn each(value: &Value, calls: &mut Vec<Words>) -> Result<(), String> {
    let values = value.as_array().into_iter().flatten();
    values
        .into_iter()
        .try_for_each(|value| calls_in_value(value, calls))
}

/// A list of texts, with plausible values for what a template or the orchestrator puts in.
fn words_of(value: &Value) -> Option<Words> {
    let words = value.as_array()?.iter();
    words
        .map(|word| Some(without_variables(&without_templates(word.as_str()?))))
        .collect()
}

/// For images whose entrypoint is `migrate` itself.
fn begins_like_migrate(words: &Words) -> bool {
    let first = words.first().cloned().into_iter();
    match phasegate::cli::accepts(first) {
        Ok(()) => true,
        Err(error) => matches!(
            error.kind(),
            ErrorKind::MissingRequiredArgument
                | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
        ),
    }
}

/// `{{ .Values.version }}`, `${{ inputs.version }}`.
fn without_templates(text: &str) -> String {
    replaced(text, r"\$?\{\{(.*?)\}\}")
}

/// `$(VERSION)` of Kubernetes, `{to}` of a driver.
fn without_variables(text: &str) -> String {
    replaced(text, r"\$\(([A-Za-z_]+)\)|\{([a-z]+)\}")
}

fn replaced(text: &str, pattern: &str) -> String {
    let pattern = Regex::new(pattern).expect("a pattern that is written here");
    let value = |found: &regex::Captures<'_>| plausible(&found[0]);
    pattern.replace_all(text, value).into_owned()
}

#[test]
fn a_wrong_line_is_found_wherever_it_stands() {
    let wrong = [
        ("text", "Run `migrate contarct` now.\n"),
        ("option in text", "Use `migrate contract --forever`.\n"),
        (
            "sh",
            "```sh\nif true; then migrate gate deploy web; fi\n```\n",
        ),
        (
            "missing",
            "```sh\nmigrate plan --to \"web=$VERSION\" --output yaml\n```\n",
        ),
        ("needs more", "```sh\nmigrate gate deploy\n```\n"),
        (
            "duration",
            "```console\n$ migrate contract 0002 --wait soon\nwaits\n```\n",
        ),
        ("diagram", "```sh\nmigrate status --output mermaid\n```\n"),
        (
            "args",
            "```yaml\ncommand: [migrate]\nargs: [admit, --service, web]\n```\n",
        ),
        ("args alone", "```yaml\nargs: [gate, deploy, web]\n```\n"),
        (
            "second document",
            "```yaml\na: 1\n---\nrun: |\n  migrate gate web=1\n```\n",
        ),
        (
            "list of scripts",
            "```yaml\nscript:\n  - cd a\n  - migrate expand --now\n```\n",
        ),
        (
            "shell in a list",
            "```yaml\ncommand: [sh, -c, \"exec migrate agent -- x\"]\n```\n",
        ),
        (
            "unit",
            "```ini\nExecStart=/usr/bin/migrate agent --service web -- x\n```\n",
        ),
        (
            "toml",
            "```toml\nrun = [\"ssh\", \"host\", \"migrate\", \"flet\"]\n```\n",
        ),
        ("broken yaml", "```yaml\na: [\n```\n"),
        ("a key twice", "```yaml\na: 1\na: 2\n```\n"),
        ("broken toml", "```toml\na = \n```\n"),
        ("broken json", "```json\n{\"a\":}\n```\n"),
        ("broken sh", "```sh\nif true; then\n```\n"),
        ("unknown language", "```fish\nmigrate check\n```\n"),
    ];
    for (what, document) in wrong {
        let shown = check(document);
        assert_eq!(shown.wrong.len(), 1, "{what}: {shown:?}");
    }
}

#[test]
fn right_lines_are_counted_and_let_through() {
    let document = "\
`migrate agent …`, `migrate contract --wait`, `migrate --help`, `migrated rows`.
```sh
migrate gate deploy \"$SERVICE=$VERSION\" && migrate contract --wait \"$WAIT\"
```
```yaml
description: never migrate blindly
command: [migrate]
args: [admit, --service, web, --version, $(APP_VERSION)]
steps:
  - run: migrate plan --to web=${{ inputs.version }} --output mermaid
  - run: echo \"no migrate here\"
```
```ini
ExecStart=/usr/bin/migrate agent --service web --version ${VERSION} -- /opt/web/serve
Environment=migrate nothing
```
";
    let shown = check(document);
    assert!(shown.wrong.is_empty(), "{shown:?}");
    assert_eq!(shown.calls, 8, "{shown:?}");
}
