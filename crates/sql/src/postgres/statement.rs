//! What one statement does.

use squawk_syntax::{SyntaxKind as K, SyntaxNode};

use super::super::facts::{Facts, Name, Query};
use super::super::{Effect, Loss, ObjectKind, lexeme};
use super::change::{alter_type, altered, dropped, other_alter};
use super::create::{created, domain, first_name, index, names, object_kind};
use super::hazard::{PASSES_TRIGGERS, cascades};
use super::tree::TABLE;
use super::{alter, block, lexer, read, tree, trigger, write};

const TRANSACTION: &[&str] = &[
    "BEGIN",
    "START",
    "COMMIT",
    "END",
    "ROLLBACK",
    "ABORT",
    "SAVEPOINT",
    "RELEASE",
];

pub(super) fn classify(statement: &SyntaxNode) -> Facts {
    match statement.kind() {
        _ if makes_temporary(statement) => {
            Facts::session("a temporary object, which lives as long as the session")
        }
        K::CREATE_FUNCTION
        | K::CREATE_PROCEDURE
        | K::ALTER_FUNCTION
        | K::ALTER_PROCEDURE
        | K::ALTER_ROUTINE
            if hides_rows(statement) =>
        {
            let mut facts = classify_alone(statement);
            facts.effect = Effect::Destructive {
                why: HIDES_ROWS.to_owned(),
            };
            // Others' rows are what it is about, be the function new.
            facts.subjects.clear();
            facts.hazard(Some(HIDES_ROWS))
        }
        _ => classify_alone(statement),
    }
}

/// Whether it makes something in the schema of temporary objects, by its name.
fn makes_temporary(statement: &SyntaxNode) -> bool {
    let names = first_name(statement).into_iter().chain(names(statement));
    let creates = statement.kind() == K::SELECT_INTO
        || tree::keywords(statement).first().map(String::as_str) == Some("CREATE");
    let ends =
        tree::child(statement, &[K::ON_COMMIT]).is_some_and(|end| tree::within(&end, K::DROP_KW));
    creates
        && !ends
        && names
            .filter_map(|name| name.schema)
            .any(|schema| schema.starts_with("pg_temp"))
}

fn classify_alone(statement: &SyntaxNode) -> Facts {
    let keywords = tree::keywords(statement);
    let keywords: Vec<&str> = keywords.iter().map(String::as_str).collect();
    let what = || {
        keywords
            .iter()
            .take(2)
            .copied()
            .collect::<Vec<_>>()
            .join(" ")
    };
    match statement.kind() {
        K::SELECT | K::COMPOUND_SELECT | K::PAREN_SELECT | K::VALUES | K::TABLE => {
            read::select(statement)
        }
        K::SELECT_INTO => {
            let temporary = tree::within(statement, K::TEMP);
            let made = created(statement, temporary, None).query(Query::Select {
                problem: Some("creates a table with INTO".to_owned()),
            });
            read::kept(statement, made)
        }
        K::INSERT | K::UPDATE | K::DELETE | K::MERGE | K::COPY if writes_catalogue(statement) => {
            Facts::unknown("writes to the catalogue itself")
        }
        K::INSERT | K::UPDATE | K::DELETE | K::MERGE => write::written(statement),
        K::TRUNCATE => {
            let tables: Vec<Name> = tree::child(statement, &[K::TABLE_LIST])
                .iter()
                .flat_map(SyntaxNode::children)
                .filter_map(|table| tree::name(&table))
                .collect();
            let names: Vec<String> = tables
                .iter()
                .map(|table| format!("`{}`", table.name))
                .collect();
            let mut facts =
                Facts::destructive(format!("deletes every row of {}", names.join(", ")))
                    .loses(Loss::Rows);
            facts.cascade = tree::has(statement, K::CASCADE);
            facts = facts.hazard(cascades(statement));
            if !facts.cascade {
                facts.subjects = tables
                    .iter()
                    .map(|table| table.subject(ObjectKind::Table))
                    .collect();
            }
            facts
        }
        K::ALTER_TABLE | K::ALTER_FOREIGN_TABLE => alter::table(statement),
        K::CREATE_TABLE | K::CREATE_TABLE_AS | K::CREATE_FOREIGN_TABLE => {
            let transient = tree::has(statement, K::TEMP)
                && !tree::child(statement, &[K::ON_COMMIT])
                    .is_some_and(|end| tree::within(&end, K::DROP_KW));
            let mut facts = created(statement, transient, None);
            facts.joins_existing = statement.kind() == K::CREATE_FOREIGN_TABLE
                || tree::within_any(statement, &[K::PARTITION_OF, K::INHERITS]);
            match statement.kind() {
                K::CREATE_TABLE_AS => read::kept(statement, facts),
                _ => facts,
            }
        }
        K::CREATE_MATERIALIZED_VIEW => read::kept(statement, created(statement, false, None)),
        K::CREATE_INDEX => index(statement),
        K::CREATE_TRIGGER => trigger::created(statement),
        // What a new trigger function does is seen only through its triggers; one that is there may have some already.
        K::CREATE_FUNCTION => {
            let returns = tree::child(statement, &[K::RET_TYPE])
                .and_then(|returns| tree::child_name(&returns, &[K::PATH_TYPE]));
            let for_triggers = returns
                .is_some_and(|typ| ["trigger", "event_trigger"].contains(&typ.name.as_str()));
            let replaced = match for_triggers {
                true => {
                    "what triggers that are there do with rows of old versions, by the function"
                }
                false => "what old versions get from the function",
            };
            let mut facts = created(statement, false, Some(replaced));
            facts.trigger_function = for_triggers;
            facts.refusal = for_triggers.then(|| trigger::refusal(statement)).flatten();
            facts
        }
        K::CREATE_PROCEDURE => created(
            statement,
            false,
            Some("what old versions do with the procedure"),
        ),
        K::CREATE_AGGREGATE => created(
            statement,
            false,
            Some("what old versions get from the aggregate"),
        ),
        K::CREATE_VIEW => {
            let temporary = tree::has(statement, K::TEMP);
            let seen = Some("what old versions see through the view");
            let mut facts = created(statement, temporary, seen);
            facts.shows = shown(statement);
            facts
        }
        K::CREATE_DOMAIN => domain(statement),
        K::CREATE_SEQUENCE => created(statement, tree::has(statement, K::TEMP), None),
        K::CREATE_RULE => {
            let facts =
                Facts::destructive("changes what statements of old versions are rewritten to");
            match rewritten(statement) {
                Some(table) => facts.about(table.subject(ObjectKind::Table)),
                None => facts,
            }
        }
        K::CREATE_POLICY if keywordish(statement, "restrictive") => {
            Facts::destructive("hides rows from old versions, or refuses theirs")
        }
        K::CREATE_DATABASE | K::CREATE_TABLESPACE => {
            created(statement, false, None).outside_transaction(true)
        }
        K::CREATE_SUBSCRIPTION => Facts::unknown("starts a replication").outside_transaction(true),
        K::CREATE_CAST
        | K::CREATE_EVENT_TRIGGER
        | K::CREATE_PUBLICATION
        | K::CREATE_TRANSFORM
        | K::CREATE_CONVERSION => {
            Facts::unknown(format!("{} changes how other statements behave", what()))
        }
        // A statement of an old version may come to mean another operator than before.
        K::CREATE_OPERATOR | K::CREATE_OPERATOR_CLASS => {
            Facts::unknown(format!("{} changes what expressions mean", what()))
        }
        kind if keywords.first() == Some(&"CREATE") => match object_kind(kind) {
            _ if tree::has(statement, K::OR_REPLACE) => {
                Facts::unknown("may replace something that old versions use")
            }
            Some(_) => created(statement, false, None),
            None if NEW_BY_NAME.contains(&kind) => Facts::additive(),
            None => Facts::unknown(format!("{} is not known here", what())),
        },
        K::DROP_OWNED => Facts::destructive("drops everything that a role owns")
            .hazard(Some("drops what it does not name")),
        _ if keywords.first() == Some(&"DROP") => dropped(statement, &keywords),
        K::ALTER_TYPE => alter_type(statement),
        K::ALTER_SYSTEM => Facts::unknown("changes the whole server").outside_transaction(true),
        K::ALTER_SUBSCRIPTION => Facts::unknown("changes a replication").outside_transaction(true),
        K::ALTER_DATABASE => Facts::unknown("changes the whole database")
            .outside_transaction(tree::within(statement, K::SET_TABLESPACE)),
        K::ALTER_DEFAULT_PRIVILEGES if tree::has(statement, K::GRANT_DEFAULT_PRIVILEGES) => {
            Facts::additive()
        }
        K::REVOKE | K::ALTER_DEFAULT_PRIVILEGES => {
            Facts::destructive("takes rights away that old versions may need")
                .hazard(cascades(statement))
        }
        K::ALTER_SEQUENCE
            if statement.children().all(|part| {
                matches!(
                    part.kind(),
                    K::IF_EXISTS | K::SEQUENCE_REF | K::OPTION_OWNED_BY
                )
            }) =>
        {
            altered(statement, Facts::additive())
        }
        K::ALTER_INDEX
            if tree::within_any(
                statement,
                &[
                    // Each index asks of its rows what it asked before.
                    K::ATTACH_INDEX_PARTITION,
                    K::SET_OPTIONS,
                    K::RESET_OPTIONS,
                    K::SET_TABLESPACE,
                    K::ALTER_SET_STATISTICS,
                ],
            ) =>
        {
            altered(statement, Facts::additive())
        }
        _ if keywords.first() == Some(&"ALTER") => other_alter(statement, &what()),
        K::REASSIGN => Facts::destructive("changes owners: old versions may lose their rights"),
        K::GRANT
        | K::COMMENT_ON
        | K::ANALYZE
        | K::SHOW
        | K::CHECKPOINT
        | K::IMPORT_FOREIGN_SCHEMA => Facts::additive(),
        // Locks delay, and end with the transaction.
        K::LOCK | K::SET_CONSTRAINTS => Facts::additive(),
        K::VACUUM | K::CLUSTER | K::REPACK => Facts::additive().outside_transaction(true),
        K::REINDEX => Facts::additive().outside_transaction(tree::within_any(
            statement,
            &[
                K::CONCURRENTLY_KW,
                K::REINDEX_TARGET_DATABASE,
                K::REINDEX_TARGET_SCHEMA,
                K::REINDEX_TARGET_SYSTEM,
            ],
        )),
        K::REFRESH if tree::within(statement, K::WITH_NO_DATA) => {
            Facts::destructive("leaves a materialized view that nobody can read")
        }
        K::REFRESH | K::NOTIFY => Facts::new(Effect::Data),
        K::COPY if tree::within(statement, K::PROGRAM_KW) => {
            Facts::unknown("runs a program on the server")
        }
        K::COPY if tree::has(statement, K::COPY_FROM) => Facts::new(Effect::Data),
        K::COPY => Facts::unknown("writes outside the database"),
        K::EXPLAIN if keywordish(statement, "analyze") || keywordish(statement, "analyse") => {
            Facts::unknown("EXPLAIN ANALYZE runs the statement")
        }
        K::EXPLAIN => Facts::additive(),
        K::DO => block::guarded(statement)
            .unwrap_or_else(|| Facts::unknown("a DO block may do anything")),
        K::CALL => Facts::unknown("a procedure may do anything, even commit"),
        K::EXECUTE => Facts::unknown("runs a statement that is not here"),
        K::COMMIT_PREPARED | K::ROLLBACK_PREPARED | K::PREPARE_TRANSACTION => {
            Facts::transaction(what())
        }
        _ if keywords
            .first()
            .is_some_and(|word| TRANSACTION.contains(word)) =>
        {
            Facts::transaction(keywords.first().copied().unwrap_or_default())
        }
        K::SET_TRANSACTION if tree::has(statement, K::SESSION_CHARACTERISTICS) => {
            Facts::session("SET SESSION CHARACTERISTICS")
        }
        K::SET_TRANSACTION => Facts::transaction("SET TRANSACTION"),
        K::SET | K::SET_ROLE | K::SET_SESSION_AUTH => set(statement),
        // What it goes back to is what the session began with.
        K::RESET_ROLE | K::RESET_SESSION_AUTH => Facts::additive(),
        K::RESET
        | K::DISCARD
        | K::LISTEN
        | K::UNLISTEN
        | K::PREPARE
        | K::DEALLOCATE
        | K::LOAD
        | K::DECLARE
        | K::FETCH
        | K::MOVE
        | K::CLOSE => Facts::session(keywords.first().copied().unwrap_or_default()),
        _ => Facts::unknown("is a kind of statement that is not known here"),
    }
}

/// The only relation whose rows a view shows.
fn shown(view: &SyntaxNode) -> Option<Name> {
    let text = view.text().to_string();
    let tokens = lexer::lex(&text).ok()?;
    let at = lexeme::only_source(&text, &tokens)?;
    let part = |at: usize| tree::folded(tokens.get(at)?.text(&text));
    Some(match tokens.get(at + 1) {
        Some(dot) if dot.text(&text) == "." => Name {
            schema: Some(part(at)?),
            name: part(at + 2)?,
        },
        _ => Name {
            schema: None,
            name: part(at)?,
        },
    })
}

/// The table that a rule is about: `CREATE RULE r AS ON DELETE TO t`.
fn rewritten(statement: &SyntaxNode) -> Option<Name> {
    let mut tokens = tree::tokens(statement)
        .map(|token| token.text().to_owned())
        .skip_while(|token| !token.eq_ignore_ascii_case("to"))
        .skip(1);
    let first = tree::folded(&tokens.next()?)?;
    Some(if tokens.next().as_deref() == Some(".") {
        Name {
            schema: Some(first),
            name: tree::folded(&tokens.next()?)?,
        }
    } else {
        Name {
            schema: None,
            name: first,
        }
    })
}

/// The catalogue's tables are the schema.
fn writes_catalogue(statement: &SyntaxNode) -> bool {
    let is_copy_out = statement.kind() == K::COPY && !tree::has(statement, K::COPY_FROM);
    !is_copy_out
        && tree::child_name(statement, TABLE).is_some_and(|table| match table.schema {
            Some(schema) => schema == "pg_catalog",
            None => table.name.starts_with("pg_"),
        })
}

/// What is found by its name alone: no statement of an old version names it.
const NEW_BY_NAME: &[K] = &[
    K::CREATE_ACCESS_METHOD,
    K::CREATE_COLLATION,
    K::CREATE_FOREIGN_DATA_WRAPPER,
    K::CREATE_GROUP,
    K::CREATE_LANGUAGE,
    K::CREATE_OPERATOR_FAMILY,
    K::CREATE_POLICY,
    K::CREATE_PROPERTY_GRAPH,
    K::CREATE_ROLE,
    K::CREATE_SERVER,
    K::CREATE_STATISTICS,
    K::CREATE_TEXT_SEARCH_CONFIGURATION,
    K::CREATE_TEXT_SEARCH_DICTIONARY,
    K::CREATE_TEXT_SEARCH_PARSER,
    K::CREATE_TEXT_SEARCH_TEMPLATE,
    K::CREATE_USER,
    K::CREATE_USER_MAPPING,
];

const PASSES_DAMAGE: &[&str] = &["zero_damaged_pages", "ignore_checksum_failure"];
/// What stands in quotes, or what the catalogue lets be written.
const CHANGES_READING: &[&str] = &[
    "standard_conforming_strings",
    "backslash_quote",
    "allow_system_table_mods",
];

const HIDES_ROWS: &str = "turns row security on: rows that a policy hides are passed over, where `row_security = off` would be an error";

/// Whether it sets `row_security` to anything but `off`.
fn hides_rows(statement: &SyntaxNode) -> bool {
    let tokens: Vec<String> = tree::tokens(statement)
        .map(|token| token.text().to_ascii_lowercase())
        .collect();
    tokens.iter().enumerate().any(|(at, token)| {
        let before = at.checked_sub(1).and_then(|before| tokens.get(before));
        let is_set =
            before.is_some_and(|word| ["set", "local", "session"].contains(&word.as_str()));
        let value = tokens.get(at + 2).map(|value| value.trim_matches('\''));
        token.trim_matches('"') == "row_security"
            && is_set
            && !value.is_some_and(|value| ["off", "false", "no", "0"].contains(&value))
    })
}

/// Whether this word is there, be it a keyword to the parser or a name.
fn keywordish(statement: &SyntaxNode, word: &str) -> bool {
    tree::tokens(statement).any(|token| token.text().eq_ignore_ascii_case(word))
}

fn set(statement: &SyntaxNode) -> Facts {
    // It ends with the transaction.
    if tree::has(statement, K::LOCAL_SCOPE) {
        if keywordish(statement, "session_replication_role") {
            return Facts::destructive(PASSES_TRIGGERS).hazard(Some(PASSES_TRIGGERS));
        }
        if hides_rows(statement) {
            return Facts::destructive(HIDES_ROWS).hazard(Some(HIDES_ROWS));
        }
        if PASSES_DAMAGE.iter().any(|name| keywordish(statement, name)) {
            let why = "passes over rows that are damaged, so that they are gone";
            return Facts::destructive(why).hazard(Some(why));
        }
        if CHANGES_READING
            .iter()
            .any(|name| keywordish(statement, name))
        {
            return Facts::unknown("changes how the statements after it are read");
        }
        let mut facts = Facts::additive();
        facts.moves_names = statement.kind() != K::SET || keywordish(statement, "search_path");
        return facts;
    }
    let setting = tree::child(statement, &[K::SET_CONFIG])
        .and_then(|config| tree::child_name(&config, &[K::CONFIG_PARAMETER_REF]))
        .map(|name| match name.schema {
            Some(extension) => format!("{extension}.{}", name.name),
            None => name.name,
        });
    let last = tree::keywords(statement).pop().filter(|word| word != "SET");
    Facts::session(format!(
        "SET {}",
        setting
            .or(last)
            .unwrap_or_else(|| "of the session".to_owned())
    ))
}
