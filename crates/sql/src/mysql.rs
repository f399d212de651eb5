//! MySQL and MariaDB. No maintained parser reads enough of their SQL, so statements are told apart by their
//! tokens: what is not recognised is unknown.
//!
//! Almost every statement but those that read and write rows commits the transaction around it.

mod alter;
mod client;
mod create;
mod cursor;
mod fit;
mod functions;
mod lexer;
mod split;
mod write;

#[cfg(test)]
mod tests;

use cursor::Cursor;
use write::{IGNORES, REPLACES, ignores};

use super::facts::{Facts, Grammar, Name, Query, Subject};
use super::lexeme::{self, Kind, Token};
use super::{Ddl, Dialect, Effect, Loss, ObjectKind, ScriptError, Verb};

pub(super) const GRAMMAR: Grammar = Grammar {
    dialect: Dialect::Mysql,
    ddl: Ddl::CommitsImplicitly,
    // The names of tables have case where the server's file system has.
    lex: lexer::lex,
    split: split::split,
    inspect,
    identifier: |written| Some(lexer::unquote(written)),
};

/// Whether this is a function of MySQL or MariaDB by its name.
pub(super) fn is_a_function(name: &str) -> bool {
    functions::COMPUTE.contains(&name)
}

fn inspect(sql: &str) -> Result<Facts, ScriptError> {
    let tokens = lexer::lex(sql)?;
    reject(sql, &tokens)?;
    let end = split::statement_end(sql, &tokens);
    if end.open > 0 {
        return Err(ScriptError::new(
            0..sql.len(),
            "the body of this statement is never closed",
            "close each BEGIN with END, IF with END IF, CASE with END CASE, and so on",
        ));
    }
    if end.at < tokens.len() {
        return Ok(Facts::unknown("is more than one statement").outside_transaction(true));
    }
    let hidden = tokens
        .iter()
        .find(|token| token.text(sql).starts_with("/*"));
    if hidden.is_some() {
        if let Some(setting) = settings_in_comments(sql, &tokens) {
            return Ok(setting);
        }
        let why = "has a comment that the server runs, `/*! … */`: write its contents plainly";
        return Ok(Facts::unknown(why).outside_transaction(true));
    }
    let cursor = Cursor {
        text: sql,
        tokens: &tokens,
    };
    Ok(classify(cursor))
}

/// A statement that only sets something, in comments that the server runs: so does `mysqldump`, dozens of times.
fn settings_in_comments(sql: &str, tokens: &[Token]) -> Option<Facts> {
    let mut found = None;
    for token in tokens {
        let inner = lexer::run_comment(token.text(sql))?;
        let inner_tokens = lexer::lex(inner).ok()?;
        // No statement within a statement, and no comment within a comment.
        let is_one = split::statement_end(inner, &inner_tokens).at == inner_tokens.len();
        let is_plain = !inner_tokens
            .iter()
            .any(|token| token.text(inner).starts_with("/*"));
        if !is_one || !is_plain {
            return None;
        }
        let facts = classify(Cursor {
            text: inner,
            tokens: &inner_tokens,
        });
        if !matches!(facts.effect, Effect::SessionSetting { .. }) {
            return None;
        }
        found.get_or_insert(facts);
    }
    found
}

/// What means something else here than its writer expects.
fn reject(sql: &str, tokens: &[Token]) -> Result<(), ScriptError> {
    if let Some(token) = tokens
        .iter()
        .find(|token| matches!(token.kind, Kind::Parameter | Kind::Positional))
    {
        return Err(ScriptError::new(
            token.span.clone(),
            format!("the parameter `{}` has no value here", token.text(sql)),
            "only backfill.sql has parameters: `:after` and `:upto`",
        ));
    }
    if let Some(token) = tokens.iter().find(|token| token.text(sql) == "||") {
        return Err(ScriptError::new(
            token.span.clone(),
            "`||` means OR on MySQL and MariaDB: it does not put texts together",
            "write CONCAT(a, b), or OR",
        ));
    }
    client::reject(sql, tokens)
}

fn classify(mut cursor: Cursor<'_>) -> Facts {
    let whole = cursor;
    let first = cursor
        .first()
        .map(|token| token.text(cursor.text).to_ascii_uppercase())
        .unwrap_or_default();
    cursor.skip(1);
    match first.as_str() {
        "CREATE" => create::created(cursor).outside_transaction(true),
        "ALTER" => alter::altered(cursor).outside_transaction(true),
        "DROP" => dropped(cursor).outside_transaction(true),
        "RENAME" => renamed(cursor).outside_transaction(true),
        "TRUNCATE" => truncated(cursor).outside_transaction(true),
        "SELECT" | "INSERT" | "REPLACE" | "UPDATE" | "DELETE" | "WITH" | "VALUES" | "TABLE"
        | "(" => rows(whole),
        "SHOW" => Facts::additive(),
        "EXPLAIN" | "DESC" | "DESCRIBE" if !cursor.has_outer(&["analyze"]) => Facts::additive(),
        "ANALYZE" | "OPTIMIZE" | "CHECK" | "CHECKSUM" | "REPAIR" => maintained(cursor, &first),
        "SET" => set(cursor),
        "USE" => Facts::session("USE"),
        "PREPARE" | "EXECUTE" | "DEALLOCATE" | "HANDLER" => Facts::session(first),
        "BEGIN" if !cursor.is_words(&["not", "atomic"]) => Facts::transaction("BEGIN"),
        "START" if cursor.is_word("transaction") => Facts::transaction("START TRANSACTION"),
        "COMMIT" | "ROLLBACK" | "SAVEPOINT" | "XA" => Facts::transaction(first),
        "RELEASE" => Facts::transaction("RELEASE SAVEPOINT"),
        "LOCK" if cursor.is_word("table") || cursor.is_word("tables") => {
            Facts::transaction("LOCK TABLES")
        }
        "UNLOCK" => Facts::transaction("UNLOCK TABLES"),
        "GRANT" => Facts::additive().outside_transaction(true),
        "REVOKE" => Facts::destructive("takes rights away, on which old versions may rely")
            .outside_transaction(true),
        "CALL" => Facts::unknown("CALL may do anything").outside_transaction(true),
        "LOAD" => {
            let local = cursor.has_outer(&["local", "ignore"]).then_some(IGNORES);
            let replaces = cursor.has_outer(&["replace"]).then_some(REPLACES);
            Facts::unknown("LOAD is not known here")
                .hazard(replaces.or(local))
                .outside_transaction(true)
        }
        _ => Facts::unknown(format!("{first} is not known here")).outside_transaction(true),
    }
}

/// Statements that read or write rows, and nothing else.
fn rows(cursor: Cursor<'_>) -> Facts {
    let verb = cursor
        .outer_words()
        .map(|token| token.text(cursor.text).to_ascii_uppercase())
        .find(|word| {
            [
                "SELECT", "INSERT", "REPLACE", "UPDATE", "DELETE", "VALUES", "TABLE",
            ]
            .contains(&word.as_str())
        });
    match verb.as_deref() {
        Some("INSERT") => {
            let updates = cursor.has_pair("on", &["duplicate"])
                && !lexeme::keeps_on_conflict(cursor.text, cursor.tokens);
            let handles = cursor.has_pair("on", &["duplicate"]);
            let hazard = cursor.has_pair("insert", &["ignore"]) || ignores(cursor);
            let facts = write::inserted(cursor, updates, hazard.then_some(IGNORES));
            functions::calling(cursor, facts).query(Query::Insert {
                selects: cursor.has_outer(&["from", "table"]),
                on_conflict: hazard || handles,
            })
        }
        Some("REPLACE") => {
            functions::calling(cursor, write::inserted(cursor, false, Some(REPLACES)))
                .query(Query::Other)
        }
        Some("UPDATE") => functions::calling(cursor, write::updated(cursor)).query(Query::Update),
        Some("DELETE") => {
            let hazard = ignores(cursor).then_some(IGNORES);
            functions::calling(cursor, deleted(cursor)).hazard(hazard)
        }
        Some("SELECT" | "VALUES" | "TABLE") | None => {
            let problem = functions::problem(cursor.text, cursor.tokens);
            match problem.clone() {
                Some(why) => Facts::unknown(why),
                None => Facts::additive(),
            }
            .query(Query::Select { problem })
        }
        Some(_) => Facts::unknown("is not known here").outside_transaction(true),
    }
}

fn deleted(mut cursor: Cursor<'_>) -> Facts {
    let is_plain = cursor.is_words(&["delete", "from"]);
    cursor.skip(2);
    match cursor.name() {
        // `DELETE FROM a USING a JOIN b` and `DELETE a, b FROM …` name several.
        Some(table) if is_plain && !cursor.has_outer(&["using", "join"]) => {
            Facts::destructive(format!("deletes rows of `{}`", table.name))
                .loses(Loss::Rows)
                .about(table.subject(ObjectKind::Table))
        }
        _ => Facts::destructive("deletes rows").loses(Loss::Rows),
    }
}

fn dropped(mut cursor: Cursor<'_>) -> Facts {
    const KINDS: &[(&str, ObjectKind)] = &[
        ("table", ObjectKind::Table),
        ("view", ObjectKind::View),
        ("index", ObjectKind::Index),
        ("trigger", ObjectKind::Trigger),
        ("procedure", ObjectKind::Function),
        ("function", ObjectKind::Function),
        ("sequence", ObjectKind::Sequence),
        ("database", ObjectKind::Database),
        ("schema", ObjectKind::Database),
    ];
    if cursor.is_word("temporary") {
        return Facts::session("a temporary object, which lives as long as the connection");
    }
    let found = KINDS.iter().find(|(word, _)| cursor.is_word(word));
    let Some((word, kind)) = found else {
        return Facts::destructive("drops something that old versions may use");
    };
    cursor.skip(1);
    let conditional = cursor.eat_condition();
    if *kind == ObjectKind::Index {
        return dropped_index(cursor, conditional);
    }
    let Some(names) = cursor.names(&["restrict", "cascade"]) else {
        return Facts::destructive(format!("drops a {word}"));
    };
    let quoted: Vec<String> = names
        .iter()
        .map(|name| format!("`{}`", name.name))
        .collect();
    let mut facts = Facts::destructive(format!("drops the {word} {}", quoted.join(", ")));
    for name in names {
        // A trigger is not new because its name is: it is about its table, which is not named here.
        if *kind != ObjectKind::Trigger {
            facts.subjects.push(name.subject(*kind));
        }
        facts
            .objects
            .push(name.object(*kind, Verb::Drop).conditional(conditional));
    }
    facts
}

fn dropped_index(mut cursor: Cursor<'_>, conditional: bool) -> Facts {
    let index = cursor.part();
    let table = if cursor.eat(&["on"]) {
        cursor.name()
    } else {
        None
    };
    let (Some(index), Some(table)) = (index, table) else {
        return Facts::destructive("drops an index");
    };
    let object = table.member(ObjectKind::Index, Verb::Drop, index.clone());
    let mut facts = Facts::destructive(format!("drops the index `{index}`"))
        .about(table.subject(ObjectKind::Table))
        .object(object.conditional(conditional));
    // Whoever does not know the index cannot notice either.
    facts.only_columns.push(Subject {
        kind: ObjectKind::Index,
        ..table.column(&index)
    });
    facts
}

fn renamed(mut cursor: Cursor<'_>) -> Facts {
    let is_table = cursor.eat(&["table"]) || cursor.eat(&["tables"]);
    let conditional = cursor.eat_condition();
    let pairs: Option<Vec<(Name, Name)>> = cursor
        .pieces()
        .into_iter()
        .map(|mut piece| {
            let old = piece.name()?;
            let to = piece.eat(&["to"]);
            let new = piece.name()?;
            (to && piece.is_at_end()).then_some((old, new))
        })
        .collect();
    let Some(pairs) = pairs.filter(|_| is_table) else {
        return Facts::destructive("renames something that old versions may use");
    };
    // Which of two schemas a name is in afterwards cannot be told by the name alone.
    let swaps = |(at, (_, new)): (usize, &(Name, Name))| {
        let mut others = pairs.iter().enumerate().filter(|(other, _)| *other != at);
        others.any(|(_, (old, _))| old.name == new.name)
    };
    let crosses = pairs.iter().any(|(old, new)| old.schema != new.schema);
    if crosses && pairs.iter().enumerate().any(swaps) {
        return Facts::destructive("renames something that old versions may use");
    }
    let quoted: Vec<String> = pairs
        .iter()
        .map(|(old, _)| format!("`{}`", old.name))
        .collect();
    let mut facts = Facts::destructive(format!("renames the table {}", quoted.join(", ")));
    for (old, new) in pairs {
        facts.subjects.push(old.subject(ObjectKind::Table));
        let object = old.object(ObjectKind::Table, Verb::Rename);
        // In another schema it has no name here.
        let new = (new.schema == old.schema).then_some(new.name);
        facts
            .objects
            .push(object.renamed_to(new).conditional(conditional));
    }
    facts
}

fn truncated(mut cursor: Cursor<'_>) -> Facts {
    cursor.eat(&["table"]);
    match cursor.name() {
        Some(table) => Facts::destructive(format!("deletes every row of `{}`", table.name))
            .loses(Loss::Rows)
            .about(table.subject(ObjectKind::Table)),
        None => Facts::destructive("deletes every row of a table").loses(Loss::Rows),
    }
}

fn maintained(mut cursor: Cursor<'_>, first: &str) -> Facts {
    while cursor.eat_any(&["no_write_to_binlog", "local"]).is_some() {}
    if cursor.is_word("table") || cursor.is_word("tables") {
        return Facts::additive().outside_transaction(true);
    }
    Facts::unknown(format!("{first} is not known here")).outside_transaction(true)
}

fn set(mut cursor: Cursor<'_>) -> Facts {
    if cursor.is_word("statement") || cursor.is_word("password") {
        let hazard = cursor.is_word("statement").then_some(
            "runs with other settings: they may let the server cut values or skip errors",
        );
        return Facts::unknown("SET STATEMENT and SET PASSWORD are not known here")
            .hazard(hazard)
            .outside_transaction(true);
    }
    while cursor.eat_any(&["session", "local", "global"]).is_some() {}
    if cursor.is_word("transaction") || cursor.is_word("autocommit") {
        return Facts::transaction("SET TRANSACTION");
    }
    let mut name = String::new();
    for token in cursor.tokens {
        let text = token.text(cursor.text);
        if text == "=" || text == ":" {
            break;
        }
        if token.kind != Kind::Other && name.ends_with(|c: char| c.is_alphanumeric()) {
            name.push(' ');
        }
        name.push_str(text);
    }
    Facts::session(format!("SET {name}"))
}
