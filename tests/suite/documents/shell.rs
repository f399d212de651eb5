//! The commands in a shell script, with plausible values for what only its run would tell.

use tree_sitter::{Node, Parser};

/// One command: its name and its arguments, as the shell would hand them over.
pub type Words = Vec<String>;

/// Programs that may name `migrate` without running it.
const NAME_IT_ONLY: [&str; 10] = [
    "cargo", "chmod", "command", "cp", "echo", "install", "ls", "mv", "printf", "which",
];

/// Every command of a script, also inside of substitutions, conditions and functions.
///
/// # Errors
///
/// Where the script cannot be parsed.
pub fn commands(script: &str) -> Result<Vec<Words>, String> {
    let mut parser = Parser::new();
    parser
        .set_language(&tree_sitter_bash::LANGUAGE.into())
        .map_err(|error| error.to_string())?;
    let tree = parser.parse(script, None).ok_or("the parser gave up")?;
    let mut found = Vec::new();
    walk(tree.root_node(), script, &mut found)?;
    Ok(found)
}

/// The arguments of every call of `migrate` in a script, also where another program is asked to make it.
///
/// # Errors
///
/// Where the script cannot be parsed.
pub fn calls_of_migrate(script: &str) -> Result<Vec<Words>, String> {
    let mut calls = Vec::new();
    for words in commands(script)? {
        calls.extend(calls_in(&words)?);
    }
    Ok(calls)
}

/// The arguments of every call of `migrate` in one command.
///
/// # Errors
///
/// Where a script within the command cannot be parsed.
pub fn calls_in(words: &[String]) -> Result<Vec<Words>, String> {
    let name = words.first().map(String::as_str).unwrap_or_default();
    if NAME_IT_ONLY.contains(&name) {
        return Ok(Vec::new());
    }
    let is_migrate = |word: &String| word == "migrate" || word.ends_with("/migrate");
    if let Some((_, arguments)) = words
        .iter()
        .position(is_migrate)
        .and_then(|at| words.get(at..)?.split_first())
    {
        return Ok(vec![arguments.to_vec()]);
    }
    let mut calls = Vec::new();
    // As in `sh -c 'migrate status'` and `ssh server-1 "migrate status"`.
    for script in words.iter().filter(|word| word.contains("migrate ")) {
        calls.extend(calls_of_migrate(script)?);
    }
    Ok(calls)
}

fn walk(node: Node<'_>, script: &str, found: &mut Vec<Words>) -> Result<(), String> {
    if node.is_error() || node.is_missing() {
        let line = node.start_position().row + 1;
        let text = text_of(node, script).lines().next().unwrap_or_default();
        return Err(format!("line {line} of the script is no shell: {text}"));
    }
    if node.kind() == "command" {
        let mut cursor = node.walk();
        let words = node
            .children(&mut cursor)
            .filter(|child| child.is_named() && !is_no_word(child.kind()));
        found.push(words.map(|word| value(word, script)).collect());
    }
    let mut cursor = node.walk();
    for child in node.children(&mut cursor) {
        walk(child, script, found)?;
    }
    Ok(())
}

fn is_no_word(kind: &str) -> bool {
    kind == "variable_assignment" || kind.ends_with("_redirect") || kind == "comment"
}

fn text_of<'a>(node: Node<'_>, script: &'a str) -> &'a str {
    script.get(node.byte_range()).unwrap_or_default()
}

/// What a word would be, with plausible values for its variables and substitutions.
fn value(node: Node<'_>, script: &str) -> String {
    let text = text_of(node, script);
    match node.kind() {
        "simple_expansion"
        | "expansion"
        | "command_substitution"
        | "arithmetic_expansion"
        | "process_substitution" => plausible(text),
        "raw_string" => text.trim_matches('\'').to_owned(),
        "string" | "concatenation" | "command_name" => joined(node, script),
        _ => text.replace("\\\n", "").replace('\\', ""),
    }
}

/// The values of a word's parts, with whatever the grammar leaves between them.
fn joined(node: Node<'_>, script: &str) -> String {
    let mut all = String::new();
    let mut at = node.start_byte();
    let mut cursor = node.walk();
    for child in node.children(&mut cursor) {
        all.push_str(script.get(at..child.start_byte()).unwrap_or_default());
        if child.kind() != "\"" {
            all.push_str(&value(child, script));
        }
        at = child.end_byte();
    }
    all
}

/// A value that something with this name is likely to have.
pub fn plausible(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    let has = |part: &&str| name.contains(part);
    let value = if ["service"].iter().any(has) {
        "web"
    } else if ["wait", "timeout", "duration"].iter().any(has) {
        "10m"
    } else if ["migration"].iter().any(has) {
        "0002"
    } else if ["instance", "host", "server", "pod", "%i"].iter().any(has) {
        "server-1"
    } else if has(&"head") {
        "0:"
    } else {
        "1.1.0"
    };
    value.to_owned()
}

#[test]
fn commands_are_found_wherever_a_script_has_them() {
    let found = |script: &str| calls_of_migrate(script).expect("a script that parses");
    let cases: [(&str, &[&[&str]]); 9] = [
        ("migrate check", &[&["check"]]),
        (
            "cd x && DATABASE_URL=y migrate expand 2>log || exit 1",
            &[&["expand"]],
        ),
        (
            "plan=$(migrate plan --to \"$SERVICE=$VERSION\")",
            &[&["plan", "--to", "web=1.1.0"]],
        ),
        (
            "if ! /opt/migrate gate deploy \\\n  'web=1'; then exit; fi",
            &[&["gate", "deploy", "web=1"]],
        ),
        (
            "f() { exec migrate contract --wait ${WAIT:-1h}; }",
            &[&["contract", "--wait", "10m"]],
        ),
        ("ssh \"$host\" migrate status", &[&["status"]]),
        (
            "ssh \"$host\" \"cd a; migrate status --all\"",
            &[&["status", "--all"]],
        ),
        (
            "echo 'migrate nothing'; cp migrate /usr/bin # migrate no",
            &[],
        ),
        (
            "migrate status | tee log\nmigrate log",
            &[&["status"], &["log"]],
        ),
    ];
    for (script, calls) in cases {
        assert_eq!(found(script), calls, "{script}");
    }
    let error = commands("if true; then\nmigrate check\n").expect_err("the fi is missing");
    assert!(error.contains("no shell"), "{error}");
}
