//! SQLite: `sqlite3-parser` follows the grammar of SQLite itself.

mod alter;
mod functions;
mod lexer;
mod since;

#[cfg(test)]
mod tests;

use bumpalo::Bump;
use fallible_iterator::FallibleIterator as _;
use sqlite3_parser::ast::{
    Cmd, CreateTableBody, Expr, InsertBody, Name as Written, OneSelect, PragmaBody, QualifiedName,
    ResolveType, Select, Stmt, Upsert, UpsertDo,
};
use sqlite3_parser::lexer::sql::Parser;

use super::facts::{Facts, Grammar, Name, Needs, Query};
use super::lexeme::{self, Kind, Token};
use super::{Ddl, Dialect, Effect, Loss, Object, ObjectKind, ScriptError, Verb, nulls};

pub(super) use functions::of_another_database;
pub use since::{Newer, newer};

pub(super) const GRAMMAR: Grammar = Grammar {
    dialect: Dialect::Sqlite,
    ddl: Ddl::Transactional,
    lex: lexer::lex,
    split: lexer::split,
    inspect,
    identifier: |written| Some(lexer::unquote(written)),
};

const TEMPORARY: &str = "a temporary object, which lives as long as the connection";

fn inspect(sql: &str) -> Result<Facts, ScriptError> {
    let tokens = lexer::lex(sql)?;
    if let Some(token) = tokens
        .iter()
        .find(|token| matches!(token.kind, Kind::Parameter | Kind::Positional))
    {
        // SQLite would silently take it for NULL.
        return Err(ScriptError::new(
            token.span.clone(),
            format!("the parameter `{}` has no value here", token.text(sql)),
            "only backfill.sql has parameters: `:after` and `:upto`",
        ));
    }
    let arena = Bump::new();
    let mut parser = Parser::new(&arena, sql.as_bytes());
    let command = match parser.next() {
        Ok(Some(command)) => command,
        Ok(None) => return Ok(Facts::additive()),
        Err(error) => return Err(lexer::syntax_error(sql, &tokens, &error)),
    };
    match parser.next() {
        Ok(None) => {}
        Ok(Some(_)) => return Ok(Facts::unknown("is more than one statement")),
        Err(error) => return Err(lexer::syntax_error(sql, &tokens, &error)),
    }
    Ok(match command {
        // EXPLAIN never runs the statement.
        Cmd::Explain(_) | Cmd::ExplainQueryPlan(_) => Facts::additive(),
        Cmd::Stmt(statement) => classify(sql, &tokens, &statement),
    })
}

fn classify(sql: &str, tokens: &[Token], statement: &Stmt<'_>) -> Facts {
    match statement {
        Stmt::AlterTable(table, body) => alter::table(sql, tokens, &name(table), body),
        Stmt::CreateIndex {
            unique,
            if_not_exists,
            idx_name,
            tbl_name,
            ..
        } => {
            let index = name(idx_name);
            if is_temporary(index.schema.as_deref()) {
                return Facts::session(TEMPORARY);
            }
            let table = Name {
                schema: index.schema.clone(),
                name: unquoted(tbl_name),
            };
            let facts = if lexeme::reads_json(sql, tokens) {
                let why = "builds an index of an expression that may fail for rows that old versions write";
                Facts::destructive(why).about(table.subject(ObjectKind::Table))
            } else if *unique {
                let why = format!(
                    "makes values of `{}` unique: old versions may still write duplicates",
                    table.name
                );
                let identifier = |written: &str| Some(lexer::unquote(written));
                let facts = match nulls::columns_behind(sql, tokens, &["on"]) {
                    Some(columns) => Facts::additive().unless(nulls::unless(
                        why,
                        Needs::Any,
                        &table,
                        sql,
                        tokens,
                        &columns,
                        identifier,
                    )),
                    None => Facts::destructive(why),
                };
                facts.about(table.subject(ObjectKind::Table))
            } else {
                Facts::additive()
            };
            let object = table.member(ObjectKind::Index, Verb::Create, index.name);
            facts.object(object.conditional(*if_not_exists))
        }
        Stmt::CreateTable {
            temporary,
            if_not_exists,
            tbl_name,
            body,
        } => {
            let query = match body {
                CreateTableBody::AsSelect(_) => dangerous_call(sql, tokens),
                CreateTableBody::ColumnsAndConstraints { .. } => None,
            };
            let object = name(tbl_name).object(ObjectKind::Table, Verb::Create);
            let facts = created(*temporary, query, object.conditional(*if_not_exists));
            // Whatever takes the place of another table brings this along.
            match resolution(sql, tokens) {
                Some(why) if facts.effect == Effect::Additive => Facts::destructive(why)
                    .hazard(Some(why))
                    .objects(facts.objects),
                _ => facts,
            }
        }
        Stmt::CreateTrigger {
            temporary,
            if_not_exists,
            trigger_name,
            tbl_name,
            ..
        } => {
            let trigger = name(trigger_name);
            let table = Name {
                schema: trigger.schema,
                ..name(tbl_name)
            };
            let object = table.member(ObjectKind::Trigger, Verb::Create, trigger.name);
            let facts = created(*temporary, None, object.conditional(*if_not_exists));
            let why = raised(sql, tokens).or_else(|| resolution(sql, tokens));
            match why.filter(|_| facts.effect == Effect::Additive) {
                Some(why) => Facts::destructive(why)
                    .about(table.subject(ObjectKind::Table))
                    .hazard(resolution(sql, tokens))
                    .objects(facts.objects),
                None => facts,
            }
        }
        Stmt::CreateView {
            temporary,
            if_not_exists,
            view_name,
            ..
        } => {
            let object = name(view_name).object(ObjectKind::View, Verb::Create);
            let mut facts = created(*temporary, None, object.conditional(*if_not_exists));
            facts.shows = shown(sql, tokens);
            facts
        }
        Stmt::CreateVirtualTable {
            if_not_exists,
            tbl_name,
            ..
        } => {
            let object = name(tbl_name).object(ObjectKind::Table, Verb::Create);
            created(false, None, object.conditional(*if_not_exists))
        }
        Stmt::DropIndex {
            if_exists,
            idx_name,
        } => dropped(ObjectKind::Index, "index", idx_name, *if_exists),
        Stmt::DropTable {
            if_exists,
            tbl_name,
        } => dropped(ObjectKind::Table, "table", tbl_name, *if_exists),
        Stmt::DropTrigger {
            if_exists,
            trigger_name,
        } => dropped(ObjectKind::Trigger, "trigger", trigger_name, *if_exists),
        Stmt::DropView {
            if_exists,
            view_name,
        } => dropped(ObjectKind::View, "view", view_name, *if_exists),
        Stmt::Delete { tbl_name, .. } => {
            let table = name(tbl_name);
            writing(
                &table,
                Facts::destructive(format!("deletes rows of `{}`", table.name)).loses(Loss::Rows),
            )
            .about(table.subject(ObjectKind::Table))
        }
        Stmt::Insert {
            tbl_name,
            or_conflict,
            body,
            ..
        } => {
            let (selects, upserts) = match body {
                InsertBody::Select(select, upsert) => (reads_tables(select), upsert.is_some()),
                InsertBody::DefaultValues => (false, false),
            };
            let updates = match body {
                InsertBody::Select(_, upsert) => {
                    upsert.is_some_and(updates) && !lexeme::keeps_on_conflict(sql, tokens)
                }
                InsertBody::DefaultValues => false,
            };
            let table = name(tbl_name);
            written(&table, *or_conflict, updates).query(Query::Insert {
                selects,
                on_conflict: upserts
                    || matches!(
                        or_conflict,
                        Some(ResolveType::Ignore | ResolveType::Replace)
                    ),
            })
        }
        Stmt::Update {
            tbl_name,
            or_conflict,
            ..
        } => {
            let table = name(tbl_name);
            let mut facts = written(&table, *or_conflict, true).query(Query::Update);
            let columns = lexeme::assigned(sql, tokens).unwrap_or_default();
            facts.only_columns = columns
                .into_iter()
                .filter(|_| facts.hazard.is_none())
                .map(|column| table.column(&lexer::unquote(column)))
                .collect();
            facts
        }
        Stmt::Select(_) => {
            let problem = dangerous_call(sql, tokens);
            match problem.clone() {
                Some(why) => Facts::unknown(why),
                None => Facts::additive(),
            }
            .query(Query::Select { problem })
        }
        Stmt::Analyze(_) | Stmt::Reindex { .. } => Facts::additive(),
        Stmt::Vacuum(_, Some(_)) => {
            Facts::unknown("writes outside the database").outside_transaction(true)
        }
        Stmt::Vacuum(..) => Facts::additive().outside_transaction(true),
        Stmt::Pragma(pragma, body) => {
            pragma_facts(&unquoted(&pragma.name).to_ascii_lowercase(), body.as_ref())
        }
        // The connection keeps an attached database, and a pool keeps the connection.
        Stmt::Attach { .. } => Facts::session("ATTACH"),
        Stmt::Detach(_) => Facts::session("DETACH").outside_transaction(true),
        Stmt::Begin(..) => Facts::transaction("BEGIN"),
        Stmt::Commit(_) => Facts::transaction("COMMIT"),
        Stmt::Rollback { .. } => Facts::transaction("ROLLBACK"),
        Stmt::Savepoint(_) => Facts::transaction("SAVEPOINT"),
        Stmt::Release(_) => Facts::transaction("RELEASE"),
    }
}

fn created(temporary: bool, problem: Option<String>, object: Object) -> Facts {
    if temporary || is_temporary(object.schema.as_deref()) {
        return Facts::session(TEMPORARY);
    }
    problem
        .map_or_else(Facts::additive, Facts::unknown)
        .object(object)
}

/// The only relation whose rows a view shows.
fn shown(sql: &str, tokens: &[Token]) -> Option<Name> {
    let at = lexeme::only_source(sql, tokens)?;
    let part = |at: usize| Some(lexer::unquote(tokens.get(at)?.text(sql)));
    Some(match tokens.get(at + 1) {
        Some(dot) if dot.text(sql) == "." => Name {
            schema: part(at),
            name: part(at + 2)?,
        },
        _ => Name {
            schema: None,
            name: part(at)?,
        },
    })
}

/// The schema that CREATE TEMP makes things in.
fn is_temporary(schema: Option<&str>) -> bool {
    schema.is_some_and(|schema| schema.eq_ignore_ascii_case("temp"))
}

fn dropped(kind: ObjectKind, word: &str, target: &QualifiedName<'_>, if_exists: bool) -> Facts {
    let target = name(target);
    let facts = Facts::destructive(format!("drops the {word} `{}`", target.name))
        .object(target.object(kind, Verb::Drop).conditional(if_exists));
    // A trigger is not new because its name is: it is about its table, which is not named here.
    match kind {
        ObjectKind::Trigger => facts,
        _ => facts.about(target.subject(kind)),
    }
}

/// Rows that are written, and `changes` for those that are there already.
fn written(table: &Name, or_conflict: Option<ResolveType>, changes: bool) -> Facts {
    let hazard = match or_conflict {
        Some(ResolveType::Replace) => Some(format!(
            "deletes rows of `{}` that are in its way, and by ON DELETE CASCADE what belongs to them (OR REPLACE)",
            table.name
        )),
        Some(ResolveType::Ignore) => Some(format!(
            "leaves out rows of `{}` without a word, also for a NULL or a CHECK (OR IGNORE)",
            table.name
        )),
        // On a conflict it would end the transaction that the record is a part of.
        Some(ResolveType::Rollback) => return Facts::transaction("OR ROLLBACK"),
        Some(ResolveType::Abort | ResolveType::Fail) | None => None,
    };
    let facts = match &hazard {
        Some(why) => Facts::destructive(why.clone()),
        None if changes => Facts::destructive(format!(
            "changes rows of `{}` that live versions use: that is a backfill's work",
            table.name
        )),
        None => Facts::new(Effect::Data),
    };
    let mut facts = facts.about(table.subject(ObjectKind::Table)).hazard(hazard);
    facts.loses = match or_conflict {
        Some(ResolveType::Replace) => Some(Loss::Rows),
        _ => changes.then_some(Loss::Values),
    };
    writing(table, facts)
}

fn updates(upsert: &Upsert<'_>) -> bool {
    matches!(upsert.do_clause, UpsertDo::Set { .. }) || upsert.next.is_some_and(updates)
}

/// What `ON CONFLICT REPLACE` in the definition of a table, or `OR REPLACE` in a trigger, does to later statements.
fn resolution(sql: &str, tokens: &[Token]) -> Option<&'static str> {
    tokens.windows(2).find_map(|pair| match pair {
        [before, how] if before.is_word(sql, "conflict") || before.is_word(sql, "or") => {
            if how.is_word(sql, "replace") {
                Some("has later statements delete the rows that are in their way, without a word")
            } else if how.is_word(sql, "ignore") {
                Some("has later statements leave out rows that do not fit, without a word")
            } else {
                None
            }
        }
        [replace, into] if replace.is_word(sql, "replace") && into.is_word(sql, "into") => {
            Some("has later statements delete the rows that are in their way, without a word")
        }
        _ => None,
    })
}

/// `RAISE(ABORT, …)` in a trigger.
fn raised(sql: &str, tokens: &[Token]) -> Option<&'static str> {
    tokens
        .windows(2)
        .any(|pair| matches!(pair, [raise, open] if raise.is_word(sql, "raise") && open.kind == Kind::Open))
        .then_some("has a trigger refuse rows that old versions write")
}

/// Rows of the schema's own tables are the schema.
fn writing(table: &Name, facts: Facts) -> Facts {
    let is = |own: &str| table.name.eq_ignore_ascii_case(own);
    if is("sqlite_master") || is("sqlite_schema") {
        return Facts::unknown("writes to the schema table itself");
    }
    if is("sqlite_sequence") {
        return Facts::unknown("changes how rows are numbered");
    }
    facts
}

fn reads_tables(select: &Select<'_>) -> bool {
    let reads = |one: &OneSelect<'_>| matches!(one, OneSelect::Select { from: Some(_), .. });
    reads(&select.body.select)
        || select
            .body
            .compounds
            .as_ref()
            .is_some_and(|compounds| compounds.iter().any(|part| reads(&part.select)))
}

/// SQLite's functions only compute, apart from these.
fn dangerous_call(sql: &str, tokens: &[Token]) -> Option<String> {
    const DANGEROUS: &[&str] = &["load_extension", "writefile", "edit", "fts3_tokenizer"];
    tokens.windows(2).find_map(|pair| match pair {
        [function, open] if open.kind == Kind::Open => {
            let function = lexer::unquote(function.text(sql)).to_ascii_lowercase();
            DANGEROUS
                .contains(&function.as_str())
                .then(|| format!("calls `{function}`, which does more than compute"))
        }
        _ => None,
    })
}

fn pragma_facts(pragma: &str, body: Option<&PragmaBody<'_>>) -> Facts {
    const ASKS: &[&str] = &[
        "table_info",
        "table_xinfo",
        "table_list",
        "index_list",
        "index_info",
        "index_xinfo",
        "foreign_key_list",
        "foreign_key_check",
        "integrity_check",
        "quick_check",
        "database_list",
        "collation_list",
        "function_list",
        "pragma_list",
        "compile_options",
    ];
    let sets = body.is_some() && !ASKS.contains(&pragma);
    match pragma {
        // It ends with the transaction, and is the way to rebuild a table with foreign keys.
        "defer_foreign_keys" => Facts::additive(),
        // They live in the file and follow the transaction.
        "user_version" | "application_id" if sets => Facts::destructive(format!(
            "changes `{pragma}`, by which applications tell whether this is a database that they know"
        )),
        "optimize" => Facts::additive(),
        "wal_checkpoint" | "incremental_vacuum" => Facts::additive().outside_transaction(true),
        "shrink_memory" | "data_version" | "case_sensitive_like" => {
            Facts::session(format!("PRAGMA {pragma}"))
        }
        _ if sets => Facts::session(format!("PRAGMA {pragma}")).outside_transaction(matches!(
            pragma,
            "foreign_keys" | "journal_mode" | "synchronous" | "auto_vacuum" | "page_size"
        )),
        _ => Facts::additive(),
    }
}

fn name(written: &QualifiedName<'_>) -> Name {
    Name {
        schema: written.db_name.as_ref().map(unquoted),
        name: unquoted(&written.name),
    }
}

fn unquoted(written: &Written<'_>) -> String {
    lexer::unquote(written.0)
}

/// NULL is what a column without a default gets anyway.
fn is_null(expression: &Expr<'_>) -> bool {
    match expression {
        Expr::Literal(sqlite3_parser::ast::Literal::Null) => true,
        Expr::Parenthesized(inner) => matches!(inner.as_slice(), [one] if is_null(one)),
        _ => false,
    }
}
