//! The rows that a statement, or the code in it, writes: by its words alone.

/// Rows that are written.
pub(super) struct Write {
    pub event: &'static str,
    pub schema: Option<String>,
    pub table: String,
    /// Where what stands behind the name begins.
    pub behind: usize,
}

/// Rows that are written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Written {
    pub table: String,
    /// `None` if it may be any of them.
    pub columns: Option<Vec<String>>,
}

pub(super) fn writes(words: &[String], names: &[String]) -> Vec<Write> {
    /// What stands before the word where it is an event, a lock or a foreign key's action.
    const NO_VERB: &[&str] = &[
        "for", "on", "after", "before", "or", "of", "then", "no", "grant", ",", "create",
    ];
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    let name = |at: usize| names.get(at).cloned().unwrap_or_default();
    let mut found: Vec<Write> = Vec::new();
    let named = |event: &'static str, mut at: usize| {
        while [
            "only",
            "low_priority",
            "ignore",
            "table",
            "from",
            "into",
            "quick",
            "delayed",
            "high_priority",
        ]
        .contains(&word(at))
        {
            at += 1;
        }
        let mut write = Write {
            event,
            schema: None,
            table: name(at),
            behind: at + 1,
        };
        while word(write.behind) == "." {
            write.schema = Some(write.table);
            write.table = name(write.behind + 1);
            write.behind += 2;
        }
        write
    };
    for at in 0..words.len() {
        let before = at.checked_sub(1).map_or("", word);
        let is_verb = !NO_VERB.contains(&before) || before == "then" && word(at + 1) == "from";
        match word(at) {
            "delete" if is_verb && word(at + 1) == "from" => found.push(named("delete", at + 1)),
            // `DELETE a FROM a JOIN b`
            "delete" if is_verb && !["", ";"].contains(&word(at + 1)) => {
                let rest = words.iter().skip(at).take_while(|word| *word != ";");
                if let Some(from) = rest.clone().position(|word| word == "from") {
                    found.push(named("delete", at + from));
                }
            }
            "truncate" if is_verb && word(at + 1) != "on" => found.push(named("truncate", at + 1)),
            // What is in its way gets other values.
            "update" if before == "do" || before == "key" => {
                let into = found.iter().rfind(|write| write.event == "insert");
                let changed = into.map(|into| (into.schema.clone(), into.table.clone()));
                found.extend(changed.map(|(schema, table)| Write {
                    event: "update",
                    schema,
                    table,
                    behind: at + 1,
                }));
            }
            "update" if is_verb || before == "then" && word(at + 1) != "set" => {
                let skipped = if word(at + 1) == "or" { 3 } else { 1 };
                found.push(named("update", at + skipped));
            }
            "copy" if at == 0 => found.push(named("insert", at + 1)),
            // MySQL's `INSERT t`, `INSERT IGNORE t`; elsewhere the word stands before `INTO`.
            "insert" if (is_verb || before == "then") && !is_before_into(words, at) => {
                found.push(named("insert", at + 1));
            }
            "into"
                if [
                    "insert", "ignore", "abort", "fail", "rollback", "merge", "delayed",
                ]
                .contains(&before) =>
            {
                let write = named("insert", at);
                if before == "merge" {
                    let behind = words.get(at..).unwrap_or_default();
                    for event in ["update", "delete"] {
                        if behind.iter().any(|word| word == event) {
                            found.push(named(event, at));
                        }
                    }
                }
                found.push(write);
            }
            "into" if before == "replace" => {
                found.push(named("delete", at));
                found.push(named("insert", at));
            }
            _ => {}
        }
    }
    // A word at the place of a verb that has no name behind it is none.
    found.retain(|write| {
        write
            .table
            .chars()
            .next()
            .is_some_and(|first| first.is_alphanumeric() || first == '_' || !first.is_ascii())
    });
    found
}

/// Whether what this INSERT writes stands behind an `INTO`, or it is no statement: the event of a trigger or a rule.
fn is_before_into(words: &[String], at: usize) -> bool {
    const BETWEEN: &[&str] = &[
        "or",
        "ignore",
        "abort",
        "fail",
        "rollback",
        "replace",
        "delayed",
        "low_priority",
        "high_priority",
    ];
    let rest = words.iter().skip(at + 1);
    let next = rest
        .into_iter()
        .find(|word| !BETWEEN.contains(&word.as_str()));
    next.is_none_or(|word| {
        [
            "into", "on", "to", ",", "or", "(", ")", ";", "default", "values", "update", "'>",
        ]
        .contains(&word.as_str())
    })
}
