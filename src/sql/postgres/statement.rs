//! What one statement does.

use squawk_syntax::{SyntaxKind as K, SyntaxNode};

use super::super::facts::{Facts, Name, Query};
use super::super::{Effect, Object, ObjectKind, Verb};
use super::{alter, read, tree};

const TABLE: &[K] = &[
    K::TABLE_NAME,
    K::TABLE_NAME_REF,
    K::TABLE_RELATION_NAME,
    K::RELATION_NAME,
    K::RELATION_NAME_REF,
];

const TRANSACTION: &[&str] = &["BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE"];

pub(super) fn classify(statement: &SyntaxNode) -> Facts {
    let keywords = tree::keywords(statement);
    let keywords: Vec<&str> = keywords.iter().map(String::as_str).collect();
    let what = || keywords.iter().take(2).copied().collect::<Vec<_>>().join(" ");
    match statement.kind() {
        K::SELECT | K::COMPOUND_SELECT | K::PAREN_SELECT | K::VALUES | K::TABLE => read::select(statement),
        K::SELECT_INTO => created(statement, &tree::within(statement, K::TEMP), None)
            .query(Query::Select {
                problem: Some("creates a table with INTO".to_owned()),
            }),
        K::INSERT | K::UPDATE | K::DELETE | K::MERGE => written(statement),
        K::TRUNCATE => {
            let tables: Vec<Name> = tree::child(statement, &[K::TABLE_LIST])
                .iter()
                .flat_map(SyntaxNode::children)
                .filter_map(|table| tree::name(&table))
                .collect();
            let names: Vec<String> = tables.iter().map(|table| format!("`{}`", table.name)).collect();
            let mut facts = Facts::destructive(format!("deletes every row of {}", names.join(", ")));
            facts.cascade = tree::has(statement, K::CASCADE);
            if !facts.cascade {
                facts.subjects = tables.iter().map(|table| table.subject(ObjectKind::Table)).collect();
            }
            facts
        }
        K::ALTER_TABLE | K::ALTER_FOREIGN_TABLE => alter::table(statement),
        K::CREATE_TABLE | K::CREATE_TABLE_AS | K::CREATE_FOREIGN_TABLE => {
            let transient = tree::has(statement, K::TEMP)
                && !tree::child(statement, &[K::ON_COMMIT]).is_some_and(|end| tree::within(&end, K::DROP_KW));
            created(statement, &transient, None)
        }
        K::CREATE_INDEX => index(statement),
        K::CREATE_TRIGGER => {
            let table = tree::child(statement, &[K::ON_RELATION]).and_then(|on| tree::child_name(&on, TABLE));
            let trigger = tree::child_name(statement, &[K::TRIGGER]);
            let mut facts = Facts::additive();
            facts.objects.extend(table.zip(trigger).map(|(table, trigger)| {
                let object = table.member(ObjectKind::Trigger, Verb::Create, trigger.name);
                object.conditional(tree::has(statement, K::OR_REPLACE))
            }));
            facts
        }
        // What a trigger function does is seen only through its triggers; no application can call it.
        K::CREATE_FUNCTION => {
            let returns = tree::child(statement, &[K::RET_TYPE]).and_then(|returns| tree::child_name(&returns, &[K::PATH_TYPE]));
            let for_triggers = returns.is_some_and(|typ| ["trigger", "event_trigger"].contains(&typ.name.as_str()));
            let replaced = (!for_triggers).then_some("what old versions get from the function");
            let mut facts = created(statement, &false, replaced);
            facts.trigger_function = for_triggers;
            facts
        }
        K::CREATE_PROCEDURE => created(statement, &false, Some("what old versions do with the procedure")),
        K::CREATE_AGGREGATE => created(statement, &false, Some("what old versions get from the aggregate")),
        K::CREATE_VIEW => {
            let temporary = tree::has(statement, K::TEMP);
            created(statement, &temporary, Some("what old versions see through the view"))
        }
        K::CREATE_SEQUENCE => created(statement, &tree::has(statement, K::TEMP), None),
        K::CREATE_RULE => Facts::destructive("changes what statements of old versions are rewritten to"),
        K::CREATE_POLICY if keywordish(statement, "restrictive") => {
            Facts::destructive("hides rows from old versions, or refuses theirs")
        }
        K::CREATE_DATABASE | K::CREATE_TABLESPACE => created(statement, &false, None).outside_transaction(true),
        K::CREATE_SUBSCRIPTION => Facts::unknown("starts a replication").outside_transaction(true),
        K::CREATE_CAST | K::CREATE_EVENT_TRIGGER | K::CREATE_TRANSFORM | K::CREATE_CONVERSION => {
            Facts::unknown(format!("{} changes how other statements behave", what()))
        }
        kind if keywords.first() == Some(&"CREATE") => match object_kind(kind) {
            _ if tree::has(statement, K::OR_REPLACE) => Facts::unknown("may replace something that old versions use"),
            Some(_) => created(statement, &false, None),
            None => Facts::additive(),
        },
        K::DROP_OWNED => Facts::destructive("drops everything that a role owns"),
        _ if keywords.first() == Some(&"DROP") => dropped(statement, &keywords),
        K::ALTER_TYPE => alter_type(statement),
        K::ALTER_SYSTEM => Facts::unknown("changes the whole server").outside_transaction(true),
        K::ALTER_SUBSCRIPTION => Facts::unknown("changes a replication").outside_transaction(true),
        K::ALTER_DATABASE => Facts::unknown("changes the whole database")
            .outside_transaction(tree::within(statement, K::SET_TABLESPACE)),
        K::ALTER_DEFAULT_PRIVILEGES if tree::has(statement, K::GRANT_DEFAULT_PRIVILEGES) => Facts::additive(),
        K::REVOKE | K::ALTER_DEFAULT_PRIVILEGES => Facts::destructive("takes rights away that old versions may need"),
        K::ALTER_SEQUENCE if tree::has(statement, K::OPTION_OWNED_BY) => altered(statement, Facts::additive()),
        K::ALTER_INDEX
            if tree::within_any(statement, &[K::SET_OPTIONS, K::RESET_OPTIONS, K::SET_TABLESPACE, K::ALTER_SET_STATISTICS]) =>
        {
            altered(statement, Facts::additive())
        }
        _ if keywords.first() == Some(&"ALTER") => other_alter(statement, &what()),
        K::REASSIGN => Facts::destructive("changes owners: old versions may lose their rights"),
        K::GRANT | K::COMMENT_ON | K::ANALYZE | K::SHOW | K::CHECKPOINT | K::IMPORT_FOREIGN_SCHEMA => Facts::additive(),
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
        K::REFRESH | K::NOTIFY => Facts::new(Effect::Data),
        K::COPY if tree::has(statement, K::COPY_FROM) => Facts::new(Effect::Data),
        K::COPY => Facts::unknown("writes outside the database"),
        K::EXPLAIN if keywordish(statement, "analyze") || keywordish(statement, "analyse") => {
            Facts::unknown("EXPLAIN ANALYZE runs the statement")
        }
        K::EXPLAIN => Facts::additive(),
        K::DO => Facts::unknown("a DO block may do anything"),
        K::CALL => Facts::unknown("a procedure may do anything, even commit"),
        K::EXECUTE => Facts::unknown("runs a statement that is not here"),
        K::COMMIT_PREPARED | K::ROLLBACK_PREPARED | K::PREPARE_TRANSACTION => Facts::transaction(what()),
        _ if keywords.first().is_some_and(|word| TRANSACTION.contains(word)) => {
            Facts::transaction(keywords.first().copied().unwrap_or_default())
        }
        K::SET_TRANSACTION if tree::has(statement, K::SESSION_CHARACTERISTICS) => {
            Facts::session("SET SESSION CHARACTERISTICS")
        }
        K::SET_TRANSACTION => Facts::transaction("SET TRANSACTION"),
        K::SET | K::SET_ROLE | K::SET_SESSION_AUTH => set(statement),
        K::RESET | K::RESET_ROLE | K::RESET_SESSION_AUTH | K::DISCARD | K::LISTEN | K::UNLISTEN | K::PREPARE
        | K::DEALLOCATE | K::LOAD | K::DECLARE | K::FETCH | K::MOVE | K::CLOSE => {
            Facts::session(keywords.first().copied().unwrap_or_default())
        }
        _ => Facts::unknown("is a kind of statement that is not known here"),
    }
}

/// Whether this word is there, be it a keyword to the parser or a name.
fn keywordish(statement: &SyntaxNode, word: &str) -> bool {
    tree::tokens(statement).any(|token| token.text().eq_ignore_ascii_case(word))
}

fn set(statement: &SyntaxNode) -> Facts {
    // It ends with the transaction.
    if tree::has(statement, K::LOCAL_SCOPE) {
        return Facts::additive();
    }
    let setting = tree::child(statement, &[K::SET_CONFIG])
        .and_then(|config| tree::child_name(&config, &[K::CONFIG_PARAMETER_REF]))
        .map(|name| match name.schema {
            Some(extension) => format!("{extension}.{}", name.name),
            None => name.name,
        });
    let last = tree::keywords(statement).pop().filter(|word| word != "SET");
    Facts::session(format!("SET {}", setting.or(last).unwrap_or_else(|| "of the session".to_owned())))
}

fn written(statement: &SyntaxNode) -> Facts {
    let table = tree::child_name(statement, TABLE);
    let facts = if statement.kind() == K::DELETE {
        let name = table.as_ref().map(|table| format!(" of `{}`", table.name)).unwrap_or_default();
        let facts = Facts::destructive(format!("deletes rows{name}"));
        match table {
            Some(table) => facts.about(table.subject(ObjectKind::Table)),
            None => facts,
        }
    } else if read::deletes(statement) {
        Facts::destructive("deletes rows")
    } else {
        Facts::new(Effect::Data)
    };
    match statement.kind() {
        K::UPDATE => facts.query(Query::Update),
        K::INSERT => facts.query(Query::Insert {
            selects: statement
                .children()
                .any(|child| matches!(child.kind(), K::SELECT | K::COMPOUND_SELECT | K::PAREN_SELECT | K::TABLE)),
            on_conflict: tree::has(statement, K::ON_CONFLICT_CLAUSE),
        }),
        _ => facts,
    }
}

fn index(statement: &SyntaxNode) -> Facts {
    let concurrently = tree::has(statement, K::CONCURRENTLY_KW);
    let Some(table) = tree::child_name(statement, TABLE) else {
        return Facts::unknown("builds an index of a table whose name cannot be read");
    };
    let mut facts = if tree::has(statement, K::UNIQUE_KW) {
        let why = format!("makes values of `{}` unique: old versions may still write duplicates", table.name);
        Facts::destructive(why).about(table.subject(ObjectKind::Table))
    } else {
        Facts::additive()
    };
    facts.objects.extend(tree::child_name(statement, &[K::INDEX]).map(|index| {
        table
            .member(ObjectKind::Index, Verb::Create, index.name)
            .concurrently(concurrently)
            .conditional(tree::has(statement, K::IF_NOT_EXISTS))
    }));
    facts.outside_transaction(concurrently)
}

/// `replaces`: what OR REPLACE may change.
fn created(statement: &SyntaxNode, temporary: &bool, replaces: Option<&str>) -> Facts {
    if *temporary {
        return Facts::session("a temporary object, which lives as long as the session");
    }
    let replacing = tree::has(statement, K::OR_REPLACE);
    let object = object_kind(statement.kind()).zip(first_name(statement)).map(|(kind, name)| {
        name.object(kind, Verb::Create)
            .conditional(replacing || tree::has(statement, K::IF_NOT_EXISTS))
    });
    let mut facts = match (replacing, replaces, &object) {
        (true, Some(what), Some(object)) => Facts::destructive(format!("may change {what} `{}`", object.name)),
        _ => Facts::additive(),
    };
    if let Some(object) = object {
        facts.subjects.push(subject(&object));
        facts.objects.push(object);
    }
    facts
}

fn subject(object: &Object) -> super::super::facts::Subject {
    let name = Name {
        schema: object.schema.clone(),
        name: object.name.clone(),
    };
    name.subject(object.kind)
}

fn first_name(statement: &SyntaxNode) -> Option<Name> {
    if let Some(into) = tree::child(statement, &[K::INTO_CLAUSE]) {
        return tree::child_name(&into, TABLE);
    }
    names(statement).into_iter().next()
}

/// The names that come right after the keywords.
fn names(statement: &SyntaxNode) -> Vec<Name> {
    statement
        .children()
        .filter(|child| {
            !matches!(
                child.kind(),
                K::OR_REPLACE | K::TEMP | K::UNLOGGED | K::IF_NOT_EXISTS | K::IF_EXISTS | K::CASCADE | K::RESTRICT | K::ON_RELATION
            )
        })
        .flat_map(|child| match child.kind() {
            K::FUNCTION_SIG_LIST | K::PROCEDURE_SIG_LIST | K::ROUTINE_SIG_LIST => child.children().collect(),
            _ => vec![child],
        })
        .filter_map(|child| tree::name(&child))
        .collect()
}

fn dropped(statement: &SyntaxNode, keywords: &[&str]) -> Facts {
    let concurrently = tree::has(statement, K::CONCURRENTLY_KW);
    let conditional = tree::has(statement, K::IF_EXISTS);
    let word = keywords
        .iter()
        .skip(1)
        .take_while(|word| word.chars().all(char::is_alphabetic) && **word != "CONCURRENTLY")
        .map(|word| word.to_ascii_lowercase())
        .collect::<Vec<_>>()
        .join(" ");
    let kind = object_kind(statement.kind());
    let names = names(statement);
    let quoted: Vec<String> = names.iter().map(|name| format!("`{}`", name.name)).collect();
    let mut facts = Facts::destructive(format!("drops the {word} {}", quoted.join(", ")).trim_end().to_owned());
    facts.cascade = tree::has(statement, K::CASCADE);
    let on = tree::child(statement, &[K::ON_RELATION]).and_then(|on| tree::child_name(&on, TABLE));
    match (kind, on) {
        (Some(ObjectKind::Trigger), Some(table)) => {
            facts.objects.extend(
                names
                    .into_iter()
                    .map(|name| table.member(ObjectKind::Trigger, Verb::Drop, name.name).conditional(conditional)),
            );
            facts.subjects.push(table.subject(ObjectKind::Table));
        }
        (Some(kind), _) => {
            for name in names {
                facts.subjects.push(name.subject(kind));
                let object = name.object(kind, Verb::Drop);
                facts.objects.push(object.concurrently(concurrently).conditional(conditional));
            }
        }
        (None, _) => {}
    }
    if facts.cascade {
        facts.subjects.clear();
    }
    facts.outside_transaction(
        concurrently || matches!(statement.kind(), K::DROP_DATABASE | K::DROP_TABLESPACE | K::DROP_SUBSCRIPTION),
    )
}

fn alter_type(statement: &SyntaxNode) -> Facts {
    let facts = if tree::has(statement, K::ADD_VALUE) {
        Facts::additive()
    } else if tree::has(statement, K::RENAME_VALUE) {
        Facts::destructive("renames a value that old versions may still read or write")
    } else {
        return other_alter(statement, "ALTER TYPE");
    };
    altered(statement, facts)
}

/// Adds what is changed.
fn altered(statement: &SyntaxNode, mut facts: Facts) -> Facts {
    let object = object_kind(statement.kind()).zip(first_name(statement));
    if let Some((kind, name)) = object {
        facts.subjects.push(name.subject(kind));
        let object = name.object(kind, Verb::Alter);
        facts.objects.push(object.conditional(tree::has(statement, K::IF_EXISTS)));
    }
    facts
}

/// Renames are recognised; whatever else can be altered is left to a human.
fn other_alter(statement: &SyntaxNode, what: &str) -> Facts {
    let name = first_name(statement).map_or_else(String::new, |name| format!(" `{}`", name.name));
    let new_name = statement.children().find_map(|child| {
        let is_rename = tree::keywords(&child).first().is_some_and(|word| word == "RENAME");
        let whole = is_rename && !matches!(child.kind(), K::RENAME_COLUMN | K::RENAME_ATTRIBUTE);
        whole.then(|| child.children().find_map(|new| tree::name(&new)))
    });
    let noun = what.trim_start_matches("ALTER ").to_ascii_lowercase();
    match new_name {
        Some(new_name) => {
            let mut facts = altered(statement, Facts::destructive(format!("renames the {noun}{name}")));
            for object in &mut facts.objects {
                object.verb = Verb::Rename;
                object.renamed_to = new_name.as_ref().map(|name| name.name.clone());
            }
            facts
        }
        None if tree::within_any(statement, &[K::RENAME_COLUMN, K::RENAME_ATTRIBUTE]) => {
            altered(statement, Facts::destructive(format!("renames a part of the {noun}{name}")))
        }
        None if tree::has(statement, K::SET_SCHEMA) => {
            altered(statement, Facts::destructive(format!("moves the {noun}{name} to another schema")))
        }
        None => altered(statement, Facts::unknown(format!("changes the {noun}{name} in a way that is not known here"))),
    }
}

fn object_kind(statement: K) -> Option<ObjectKind> {
    Some(match statement {
        K::CREATE_TABLE | K::CREATE_TABLE_AS | K::CREATE_FOREIGN_TABLE | K::SELECT_INTO | K::DROP_TABLE
        | K::DROP_FOREIGN_TABLE => ObjectKind::Table,
        K::CREATE_INDEX | K::DROP_INDEX | K::ALTER_INDEX => ObjectKind::Index,
        K::CREATE_VIEW | K::DROP_VIEW | K::ALTER_VIEW => ObjectKind::View,
        K::CREATE_MATERIALIZED_VIEW | K::DROP_MATERIALIZED_VIEW | K::ALTER_MATERIALIZED_VIEW => {
            ObjectKind::MaterializedView
        }
        K::DROP_TRIGGER => ObjectKind::Trigger,
        K::CREATE_FUNCTION | K::CREATE_PROCEDURE | K::CREATE_AGGREGATE | K::DROP_FUNCTION | K::DROP_PROCEDURE
        | K::DROP_ROUTINE | K::DROP_AGGREGATE | K::ALTER_FUNCTION | K::ALTER_PROCEDURE => ObjectKind::Function,
        K::CREATE_TYPE | K::CREATE_DOMAIN | K::DROP_TYPE | K::DROP_DOMAIN | K::ALTER_TYPE | K::ALTER_DOMAIN => {
            ObjectKind::Type
        }
        K::CREATE_SEQUENCE | K::DROP_SEQUENCE | K::ALTER_SEQUENCE => ObjectKind::Sequence,
        K::CREATE_SCHEMA | K::DROP_SCHEMA | K::ALTER_SCHEMA => ObjectKind::Schema,
        K::CREATE_EXTENSION | K::DROP_EXTENSION => ObjectKind::Extension,
        K::DROP_POLICY => ObjectKind::Policy,
        K::CREATE_DATABASE | K::DROP_DATABASE => ObjectKind::Database,
        _ => return None,
    })
}
