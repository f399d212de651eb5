//! `ALTER TABLE`: as bad as the worst of its actions.

use squawk_syntax::{SyntaxKind as K, SyntaxNode};

use super::super::facts::{Check, Facts, Name, Needs, NewColumn, Subject, Unless};
use super::super::given_out::gives_out;
use super::super::{Effect, Object, ObjectKind, Verb, lexeme, nulls};
use super::hazard::{PASSES_TRIGGERS, cascades};
use super::{lexer, read, tree};

pub(super) fn table(statement: &SyntaxNode) -> Facts {
    const TABLE: &[K] = &[K::TABLE_RELATION_NAME, K::RELATION_NAME, K::TABLE_NAME_REF];
    let if_exists = tree::has(statement, K::IF_EXISTS);
    let Some(target) = tree::child(statement, TABLE) else {
        return Facts::unknown("changes every table of a tablespace");
    };
    let Some(table) = tree::name(&target) else {
        return Facts::unknown("changes a table whose name cannot be read");
    };
    let mut facts = Facts::additive().about(table.subject(ObjectKind::Table));
    let (mut destructive, mut unknown) = (Vec::new(), Vec::new());
    for action in statement.children() {
        if action == target || action.kind() == K::IF_EXISTS {
            continue;
        }
        let (asked, left_null) = asks(&table, &action);
        if asked.is_some() && action.kind() == K::ALTER_COLUMN {
            facts
                .nulled
                .extend(asked.iter().flat_map(|asked| asked.columns.clone()));
        }
        facts.unless.extend(asked.clone());
        if action.kind() == K::ADD_COLUMN && left_null.is_some() {
            let typ = tree::child_name(&action, &[K::PATH_TYPE]);
            facts.types.extend(typ.map(|typ| typ.name));
        }
        facts.left_null.extend(left_null);
        if action.kind() == K::ADD_COLUMN {
            let column = new_column(&action);
            let apart = column.gives_out.then(|| table.column(&column.name));
            facts.left_apart.extend(apart);
        }
        match effect(&table, &action) {
            Effect::Destructive { .. } if asked.is_some() => {}
            Effect::Destructive { why } => destructive.push(why),
            Effect::Unknown { why } => unknown.push(why),
            _ => {}
        }
        if action.kind() == K::ATTACH_PARTITION {
            let partition = tree::child_name(&action, TABLE);
            facts.subjects = partition
                .iter()
                .map(|name| name.subject(ObjectKind::Table))
                .collect();
        }
        facts.joins_existing |= matches!(action.kind(), K::ATTACH_PARTITION | K::INHERIT_TABLE);
        facts = facts.hazard(hazard(&action));
        facts.runs = facts.runs.or_else(|| runs(&action));
        facts.needs_no_transaction |= tree::within(&action, K::DETACH_CONCURRENTLY);
        let conditional = tree::within_any(&action, &[K::IF_EXISTS, K::IF_NOT_EXISTS]);
        facts.objects.extend(
            object(&table, &action).map(|object| object.conditional(conditional || if_exists)),
        );
    }
    if facts.objects.is_empty() {
        let object = table.object(ObjectKind::Table, Verb::Alter);
        facts.objects.push(object.conditional(if_exists));
    }
    facts.only_columns = switched_on(&table, statement, &target);
    facts.effect = if !unknown.is_empty() {
        Effect::Unknown {
            why: unknown.join("; "),
        }
    } else if !destructive.is_empty() {
        Effect::Destructive {
            why: destructive.join("; "),
        }
    } else {
        Effect::Additive
    };
    facts
}

/// The triggers that a statement switches on, if it does nothing else: those of its own script fire already.
fn switched_on(table: &Name, statement: &SyntaxNode, target: &SyntaxNode) -> Vec<Subject> {
    let actions = statement.children();
    let triggers: Option<Vec<Subject>> = actions
        .filter(|action| action != target && action.kind() != K::IF_EXISTS)
        .map(|action| {
            let is_switch = matches!(action.kind(), K::ENABLE_TRIGGER | K::ENABLE_ALWAYS_TRIGGER);
            let last = tree::tokens(&action).last().filter(|_| is_switch)?;
            let is_every = ["all", "user"]
                .iter()
                .any(|word| last.text().eq_ignore_ascii_case(word));
            let name = tree::folded(last.text()).filter(|_| !is_every)?;
            Some(table.trigger(&name))
        })
        .collect();
    triggers.unwrap_or_default()
}

/// What a new constraint asks of rows unless its columns are NULL, and the column that old versions leave so.
fn asks(table: &Name, action: &SyntaxNode) -> (Option<Unless>, Option<Subject>) {
    if action.kind() == K::ADD_COLUMN {
        let column = new_column(action);
        let left = column.is_left_null().then(|| table.column(&column.name));
        return (None, left);
    }
    let Effect::Destructive { why } = effect(table, action) else {
        return (None, None);
    };
    if action.kind() == K::ALTER_COLUMN && default_is(action, lexeme::is_null) {
        let columns = tree::child_name(action, &[K::COLUMN_NAME_REF])
            .map(|column| vec![table.column(&column.name)]);
        let unless = columns.map(|columns| Unless {
            why,
            needs: Needs::All,
            columns,
        });
        return (unless, None);
    }
    let constraint = action
        .children()
        .next()
        .filter(|_| action.kind() == K::ADD_CONSTRAINT);
    let text = action.text().to_string();
    let (Some(constraint), Ok(tokens)) = (constraint, lexer::lex(&text)) else {
        return (None, None);
    };
    let (needs, columns) = match constraint.kind() {
        K::UNIQUE_CONSTRAINT if !tree::within(action, K::NULLS_NOT_DISTINCT) => {
            let columns = nulls::columns_behind(&text, &tokens, &["unique"]);
            (Needs::Any, columns)
        }
        K::FOREIGN_KEY_CONSTRAINT => {
            let columns = nulls::columns_behind(&text, &tokens, &["key"]);
            (Needs::All, columns)
        }
        K::CHECK_CONSTRAINT => (Needs::All, nulls::checked(&text, &tokens)),
        _ => (Needs::All, None),
    };
    let unless = columns
        .map(|columns| nulls::unless(why, needs, table, &text, &tokens, &columns, tree::folded));
    (unless, None)
}

/// The function that it runs for rows that are there, or that old versions run with each row from here on.
fn runs(action: &SyntaxNode) -> Option<String> {
    matches!(
        action.kind(),
        K::ADD_COLUMN | K::ALTER_COLUMN | K::ADD_CONSTRAINT
    )
    .then(|| read::strange_call(action))
    .flatten()
}

/// What the action loses without a word.
fn hazard(action: &SyntaxNode) -> Option<&'static str> {
    match action.kind() {
        K::DROP_COLUMN | K::DROP_CONSTRAINT => cascades(action),
        K::DISABLE_TRIGGER | K::ENABLE_REPLICA_TRIGGER => Some(PASSES_TRIGGERS),
        K::ALTER_COLUMN if tree::within(action, K::USING_KW) => {
            Some("gives every value anew with USING: what that cuts off or rounds is gone")
        }
        _ => None,
    }
}

fn effect(table: &Name, action: &SyntaxNode) -> Effect {
    let destructive = |why: String| Effect::Destructive { why };
    let named = |kinds| tree::child_name(action, kinds).map_or_else(String::new, |name| name.name);
    match action.kind() {
        K::ADD_COLUMN if may_fail(action) => Effect::Destructive {
            why: format!(
                "adds `{}`, whose expression may fail for rows that old versions write",
                named(&[K::COLUMN_NAME])
            ),
        },
        K::ADD_COLUMN => new_column(action).effect(),
        K::DROP_COLUMN => destructive(format!(
            "drops the column `{}`",
            named(&[K::COLUMN_NAME_REF])
        )),
        K::RENAME_COLUMN => destructive(format!(
            "renames the column `{}`",
            named(&[K::COLUMN_NAME_REF])
        )),
        K::TABLE_RENAME_TO => destructive(format!("renames the table `{}`", table.name)),
        K::SET_SCHEMA => destructive(format!("moves `{}` to another schema", table.name)),
        K::ALTER_COLUMN => alter_column(action, &named(&[K::COLUMN_NAME_REF])),
        K::ADD_CONSTRAINT => add_constraint(action),
        K::DROP_CONSTRAINT => destructive(format!(
            "drops the constraint `{}`, on which old versions may rely (ON CONFLICT does)",
            named(&[K::CONSTRAINT_NAME_REF])
        )),
        K::RENAME_CONSTRAINT => destructive(format!(
            "renames the constraint `{}`",
            named(&[K::CONSTRAINT_NAME_REF])
        )),
        K::ALTER_CONSTRAINT => destructive("changes when a constraint is enforced".to_owned()),
        K::ENABLE_RLS | K::FORCE_RLS | K::DISABLE_RLS | K::NO_FORCE_RLS => destructive(format!(
            "changes which rows of `{}` old versions see",
            table.name
        )),
        K::DISABLE_TRIGGER => {
            destructive("disables a trigger that old versions may rely on".to_owned())
        }
        K::ENABLE_RULE | K::DISABLE_RULE | K::ENABLE_ALWAYS_RULE | K::ENABLE_REPLICA_RULE => {
            destructive("changes what statements of old versions are rewritten to".to_owned())
        }
        K::ENABLE_TRIGGER | K::ENABLE_ALWAYS_TRIGGER => destructive(format!(
            "has triggers of `{}` fire for what old versions write, and what they do is not in this statement",
            table.name
        )),
        K::ENABLE_REPLICA_TRIGGER => {
            destructive("a trigger no longer fires for applications".to_owned())
        }
        K::OWNER_TO => destructive(format!(
            "changes the owner of `{}`: old versions may lose their rights",
            table.name
        )),
        K::SET_UNLOGGED => destructive(format!(
            "makes `{}` unlogged: a crash would empty it",
            table.name
        )),
        K::INHERIT_TABLE | K::NO_INHERIT_TABLE => {
            destructive("changes which rows queries of the parent table return".to_owned())
        }
        K::ATTACH_PARTITION => destructive(
            "attaches a partition: rows that old versions write to it must now fit its bounds"
                .to_owned(),
        ),
        K::DETACH_PARTITION => destructive(format!(
            "detaches a partition: its rows vanish from `{}`",
            table.name
        )),
        // These concern storage, planning or replication, or only what is already enforced.
        K::VALIDATE_CONSTRAINT
        | K::CLUSTER_ON
        | K::SET_WITHOUT_CLUSTER
        | K::SET_WITHOUT_OIDS
        | K::SET_ACCESS_METHOD
        | K::SET_TABLESPACE
        | K::SET_LOGGED
        | K::SET_OPTIONS
        | K::RESET_OPTIONS => Effect::Additive,
        K::REPLICA_IDENTITY if tree::within(action, K::NOTHING_KW) => destructive(format!(
            "leaves rows of `{}` without identity: where it is published, UPDATE and DELETE fail",
            table.name
        )),
        K::REPLICA_IDENTITY => Effect::Additive,
        _ => Effect::Unknown {
            why: format!("changes `{}` in a way that is not known here", table.name),
        },
    }
}

/// A column that is computed from others, by something that may fail.
fn may_fail(action: &SyntaxNode) -> bool {
    tree::child(action, &[K::GENERATED_CONSTRAINT]).is_some_and(|generated| {
        let text = generated.text().to_string();
        lexer::lex(&text).map_or(true, |tokens| lexeme::may_fail(&text, &tokens))
    })
}

/// Whether the value behind DEFAULT is such a one.
fn default_is(part: &SyntaxNode, is: fn(&str, &[lexeme::Token]) -> bool) -> bool {
    let text = part.text().to_string();
    let Ok(tokens) = lexer::lex(&text) else {
        return false;
    };
    let default = tokens
        .iter()
        .position(|token| token.is_word(&text, "default"));
    default
        .and_then(|default| tokens.get(default + 1..))
        .is_some_and(|value| is(&text, value))
}

fn alter_column(action: &SyntaxNode, column: &str) -> Effect {
    let option = action
        .children()
        .find(|child| child.kind() != K::COLUMN_NAME_REF);
    let why = match option.as_ref().map(SyntaxNode::kind) {
        Some(K::SET_TYPE) => format!("changes the type of `{column}`"),
        Some(K::SET_NOT_NULL) => {
            format!("makes `{column}` NOT NULL: old versions may still write NULL")
        }
        Some(K::DROP_DEFAULT) => {
            format!("drops the default of `{column}`: INSERTs of old versions may rely on it")
        }
        Some(K::DROP_IDENTITY) => format!("`{column}` no longer numbers itself"),
        Some(K::DROP_EXPRESSION) => {
            format!("`{column}` is no longer computed: old versions will not fill it")
        }
        Some(K::SET_EXPRESSION) => format!("changes how `{column}` is computed"),
        Some(K::ADD_GENERATED)
            if option
                .as_ref()
                .is_some_and(|option| tree::within(option, K::GENERATED_ALWAYS)) =>
        {
            format!(
                "makes `{column}` GENERATED ALWAYS: INSERTs of old versions that name it would fail"
            )
        }
        Some(K::SET_GENERATED | K::SET_GENERATED_OPTIONS | K::SET_SEQUENCE_OPTION | K::RESTART) => {
            format!("changes how `{column}` is numbered")
        }
        Some(K::SET_DEFAULT)
            if option
                .as_ref()
                .is_some_and(|option| default_is(option, lexeme::is_null)) =>
        {
            format!(
                "sets the default of `{column}` to NULL, which drops it: INSERTs of old versions may rely on it"
            )
        }
        Some(K::SET_DEFAULT)
            if option
                .as_ref()
                .is_some_and(|option| default_is(option, lexeme::divides_by_zero)) =>
        {
            format!("gives `{column}` a default that fails: INSERTs of old versions may rely on it")
        }
        Some(K::SET_STORAGE)
            if option.as_ref().is_some_and(|option| {
                option.text().to_string().to_lowercase().contains("plain")
            }) =>
        {
            format!(
                "keeps `{column}` in its row, uncompressed: a value that does not fit into a page is refused"
            )
        }
        // A default makes no statement fail, and a value of the column's own type is one that could be there
        // anyway. Lifting NOT NULL changes nothing until a version that knows of it writes NULL.
        Some(
            K::SET_DEFAULT
            | K::DROP_NOT_NULL
            | K::ADD_GENERATED
            | K::SET_STATISTICS
            | K::SET_STORAGE
            | K::SET_COMPRESSION
            | K::SET_OPTIONS
            | K::SET_OPTIONS_LIST
            | K::RESET_OPTIONS,
        ) => return Effect::Additive,
        _ => {
            return Effect::Unknown {
                why: format!("changes `{column}` in a way that is not known here"),
            };
        }
    };
    Effect::Destructive { why }
}

/// NOT VALID makes no difference to old versions: only the rows that exist are spared.
fn add_constraint(action: &SyntaxNode) -> Effect {
    let constraint = action.children().next();
    let using_index = tree::within(action, K::USING_INDEX_NAME);
    let what = match constraint.as_ref().map(SyntaxNode::kind) {
        // The unique index is there already.
        Some(K::UNIQUE_CONSTRAINT) if using_index => return Effect::Additive,
        Some(K::UNIQUE_CONSTRAINT) => {
            "a UNIQUE constraint: old versions may still write duplicates"
        }
        Some(K::PRIMARY_KEY_CONSTRAINT) => {
            "a primary key: old versions may still write NULL or duplicates"
        }
        Some(K::CHECK_CONSTRAINT) => "a CHECK constraint that rows of old versions may not satisfy",
        Some(K::FOREIGN_KEY_CONSTRAINT | K::REFERENCES_CONSTRAINT) => {
            "a foreign key that rows of old versions may not satisfy"
        }
        Some(K::EXCLUDE_CONSTRAINT) => {
            "an exclusion constraint that rows of old versions may not satisfy"
        }
        Some(K::NOT_NULL_CONSTRAINT) => "NOT NULL: old versions may still write NULL",
        _ => "a constraint",
    };
    Effect::Destructive {
        why: format!("adds {what}"),
    }
}

fn new_column(action: &SyntaxNode) -> NewColumn {
    let constraints: Vec<SyntaxNode> = action.children().collect();
    let of = |kind: K| {
        constraints
            .iter()
            .find(|constraint| constraint.kind() == kind)
    };
    let name =
        tree::child_name(action, &[K::COLUMN_NAME]).map_or_else(String::new, |name| name.name);
    let has_default =
        of(K::DEFAULT_CONSTRAINT).is_some_and(|default| !default_is(default, lexeme::is_null));
    let serial = tree::child_name(action, &[K::PATH_TYPE]).is_some_and(|typ| {
        [
            "serial",
            "bigserial",
            "smallserial",
            "serial2",
            "serial4",
            "serial8",
        ]
        .contains(&typ.name.as_str())
    });
    let gives_out =
        of(K::DEFAULT_CONSTRAINT).is_some_and(|default| gives_out(&default.text().to_string()));
    let text = action.text().to_string();
    let check = lexer::lex(&text).map_or(Check::Strict, |tokens| {
        lexeme::check(&text, &tokens, has_default, |word| {
            tree::folded(word).as_deref() == Some(&name)
        })
    });
    // An identity is a generated constraint as well.
    let generated = of(K::GENERATED_CONSTRAINT);
    let identity = generated.is_some_and(|generated| {
        tree::tokens(generated).any(|token| token.text().eq_ignore_ascii_case("identity"))
    });
    // What is computed as something is never NULL, whatever it is computed from.
    let has_value = lexer::lex(&text).is_ok_and(|tokens| nulls::never_computed(&text, &tokens));
    NewColumn {
        not_null: of(K::NOT_NULL_CONSTRAINT).is_some() && !has_value,
        primary_key: of(K::PRIMARY_KEY_CONSTRAINT).is_some(),
        unique: of(K::UNIQUE_CONSTRAINT).is_some(),
        nulls_collide: tree::within(action, K::NULLS_NOT_DISTINCT),
        has_default,
        gives_out,
        numbered: serial || identity,
        generated: generated.is_some() && !identity,
        references: of(K::REFERENCES_CONSTRAINT).is_some(),
        check,
        name,
    }
}

fn object(table: &Name, action: &SyntaxNode) -> Option<Object> {
    let named = |kinds| tree::child_name(action, kinds).map(|name| name.name);
    let member = |kind, verb, name: Option<String>| Some(table.member(kind, verb, name?));
    match action.kind() {
        K::ADD_COLUMN => member(ObjectKind::Column, Verb::Create, named(&[K::COLUMN_NAME])),
        K::DROP_COLUMN => member(ObjectKind::Column, Verb::Drop, named(&[K::COLUMN_NAME_REF])),
        K::ALTER_COLUMN => member(
            ObjectKind::Column,
            Verb::Alter,
            named(&[K::COLUMN_NAME_REF]),
        ),
        K::RENAME_COLUMN => member(
            ObjectKind::Column,
            Verb::Rename,
            named(&[K::COLUMN_NAME_REF]),
        )
        .map(|object| object.renamed_to(named(&[K::COLUMN_NAME]))),
        K::ADD_CONSTRAINT => {
            let name = action
                .descendants()
                .find(|node| node.kind() == K::CONSTRAINT_NAME)
                .and_then(|node| tree::name(&node));
            member(
                ObjectKind::Constraint,
                Verb::Create,
                name.map(|name| name.name),
            )
        }
        K::DROP_CONSTRAINT => member(
            ObjectKind::Constraint,
            Verb::Drop,
            named(&[K::CONSTRAINT_NAME_REF]),
        ),
        K::VALIDATE_CONSTRAINT => member(
            ObjectKind::Constraint,
            Verb::Alter,
            named(&[K::CONSTRAINT_NAME_REF]),
        ),
        K::RENAME_CONSTRAINT => member(
            ObjectKind::Constraint,
            Verb::Rename,
            named(&[K::CONSTRAINT_NAME_REF]),
        )
        .map(|object| object.renamed_to(named(&[K::CONSTRAINT_NAME]))),
        K::TABLE_RENAME_TO => Some(
            table
                .object(ObjectKind::Table, Verb::Rename)
                .renamed_to(named(&[K::TABLE_NAME])),
        ),
        // Where it was it is gone, and under the same name it is no longer found there.
        K::SET_SCHEMA => Some(table.object(ObjectKind::Table, Verb::Rename)),
        _ => None,
    }
}
