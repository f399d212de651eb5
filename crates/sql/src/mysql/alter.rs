//! `ALTER TABLE`: several actions at once, of which the most dangerous decides. The server carries them out
//! together or not at all.

use super::super::facts::{Check, Facts, Name, Needs, NewColumn, Unless};
use super::super::given_out::gives_out;
use super::super::lexeme::{self, Kind};
use super::super::{Effect, Loss, Object, ObjectKind, Verb, checked, nulls};
use super::cursor::Cursor;
use super::fit;
use super::lexer::unquote;

pub(super) fn altered(mut cursor: Cursor<'_>) -> Facts {
    cursor.eat(&["online"]);
    if cursor.is_word("ignore") {
        let why = "deletes rows and cuts values that do not fit, without a word (ALTER IGNORE)";
        return Facts::destructive(why).hazard(Some(why));
    }
    if !cursor.eat(&["table"]) {
        return Facts::unknown("alters something in a way that is not known here");
    }
    let conditional = cursor.eat_condition();
    let Some(table) = cursor.name() else {
        return Facts::unknown("alters a table without a name");
    };
    if cursor.eat(&["wait"]) {
        cursor.skip(1);
    }
    cursor.eat(&["nowait"]);
    let mut whole = Facts::additive().about(table.subject(ObjectKind::Table));
    let mut has_unnamed = false;
    for piece in cursor.pieces() {
        let found = action(&table, piece);
        if rank(&found.effect) > rank(&whole.effect) {
            whole.effect = found.effect;
        }
        whole.loses = whole.loses.or(found.loses);
        whole.unless.extend(found.unless);
        whole.left_null.extend(found.left_null);
        whole.left_apart.extend(found.left_apart);
        whole.nulled.extend(found.nulled);
        has_unnamed |= found.objects.is_empty() && !piece.is_repeatable();
        whole.objects.extend(found.objects);
    }
    // `ALTER TABLE IF EXISTS t ADD a` fails where `a` is there all the same.
    for object in &mut whole.objects {
        object.if_exists_or_not |= conditional && object.kind == ObjectKind::Table;
    }
    // What the server names by itself is looked for in vain, and must not be made twice: it is made together
    // with the rest, so one change of the rest that leaves no doubt tells of it, and nothing else does.
    let is_told = |object: &Object| object.verb != Verb::Alter && !object.if_exists_or_not;
    if has_unnamed && !whole.objects.iter().any(is_told) {
        whole.objects.clear();
    }
    whole
}

impl Cursor<'_> {
    /// Whether an action of which no object is known does the same however often it is carried out.
    fn is_repeatable(&self) -> bool {
        !self.is_word("add") && !self.is_word("drop")
    }
}

const fn rank(effect: &Effect) -> u8 {
    match effect {
        Effect::Additive => 0,
        Effect::Data => 1,
        Effect::Destructive { .. } => 2,
        Effect::SessionSetting { .. } | Effect::TransactionControl { .. } => 3,
        // It may hide anything.
        Effect::Unknown { .. } => 4,
    }
}

fn action(table: &Name, mut cursor: Cursor<'_>) -> Facts {
    let word = cursor
        .first()
        .map(|token| token.text(cursor.text).to_ascii_lowercase())
        .unwrap_or_default();
    cursor.skip(1);
    match word.as_str() {
        "add" => added(table, cursor),
        "drop" => dropped(table, cursor),
        "modify" => {
            cursor.eat(&["column"]);
            let conditional = cursor.eat_condition();
            match cursor.part() {
                Some(name) => changed(table, name).conditionally(conditional),
                None => unknown(),
            }
        }
        "truncate" if cursor.is_word("partition") => without_partition(table),
        "change" => renamed_and_changed(table, cursor),
        "rename" => renamed(table, cursor),
        "alter" => altered_member(table, cursor),
        // How it is carried out, not what.
        "algorithm" | "lock" => Facts::additive(),
        "force" if cursor.is_at_end() => Facts::additive(),
        // The engine that it has, or one that keeps more promises.
        "engine"
            if cursor.tokens.len() <= 2
                && cursor.tokens.last().is_some_and(|engine| {
                    engine.text(cursor.text).eq_ignore_ascii_case("innodb")
                }) =>
        {
            Facts::additive()
        }
        "comment" | "auto_increment" | "row_format" | "stats_persistent" | "stats_auto_recalc"
        | "stats_sample_pages" | "key_block_size"
            if cursor.tokens.len() <= 2 =>
        {
            Facts::additive()
        }
        _ => unknown(),
    }
}

fn without_partition(table: &Name) -> Facts {
    Facts::destructive(format!(
        "deletes the rows of a partition of `{}`",
        table.name
    ))
    .loses(Loss::Rows)
}

fn unknown() -> Facts {
    Facts::unknown("changes the table in a way that is not known here")
}

impl Facts {
    fn conditionally(mut self, conditional: bool) -> Self {
        for object in &mut self.objects {
            object.if_exists_or_not |= conditional;
        }
        self
    }
}

fn changed(table: &Name, name: String) -> Facts {
    Facts::destructive(format!(
        "changes the column `{name}`: old versions may read or write what it no longer takes"
    ))
    .object(table.member(ObjectKind::Column, Verb::Alter, name))
}

fn added(table: &Name, mut cursor: Cursor<'_>) -> Facts {
    let constraint = if cursor.eat(&["constraint"]) {
        cursor.eat_condition();
        let is_unnamed = ["primary", "unique", "foreign", "check"]
            .iter()
            .any(|word| cursor.is_word(word));
        if is_unnamed { None } else { cursor.part() }
    } else {
        None
    };
    let whole = cursor;
    let forbids = |what: &str, kind: ObjectKind, name: Option<String>| {
        let why = format!("adds a {what} that rows of old versions may not satisfy");
        let (needs, columns) = match what {
            "UNIQUE constraint" => (Needs::Any, whole.columns_behind(&["unique"])),
            "foreign key" => (Needs::All, whole.columns_behind(&["key"])),
            "CHECK constraint" => (Needs::All, nulls::checked(whole.text, whole.tokens)),
            _ => (Needs::All, None),
        };
        let mut facts = match columns {
            Some(columns) => Facts::additive().unless(whole.unless(why, needs, table, &columns)),
            None => Facts::destructive(why),
        };
        let member = name.map(|name| table.member(kind, Verb::Create, name));
        facts.objects.extend(member);
        facts
    };
    if cursor.eat(&["primary", "key"]) {
        return forbids("PRIMARY KEY", ObjectKind::Index, Some("PRIMARY".into()));
    }
    if cursor.eat(&["unique"]) {
        let _ = cursor.eat_any(&["index", "key"]);
        let conditional = cursor.eat_condition();
        let name = cursor.part().or(constraint);
        return forbids("UNIQUE constraint", ObjectKind::Index, name).conditionally(conditional);
    }
    if cursor.eat(&["foreign", "key"]) {
        let conditional = cursor.eat_condition();
        let name = cursor.part();
        return forbids("foreign key", ObjectKind::Constraint, constraint.or(name))
            .conditionally(conditional);
    }
    if cursor.eat(&["check"]) {
        return forbids("CHECK constraint", ObjectKind::Constraint, constraint);
    }
    let special = cursor.eat_any(&["fulltext", "spatial", "vector"]).is_some();
    if cursor.eat_any(&["index", "key"]).is_some() || special {
        let conditional = cursor.eat_condition();
        let name = cursor.part();
        let mut facts = Facts::additive();
        facts
            .objects
            .extend(name.map(|name| table.member(ObjectKind::Index, Verb::Create, name)));
        return facts.conditionally(conditional);
    }
    // Where rows are kept; a range that holds some already is refused.
    if cursor.is_word("partition") {
        return Facts::additive();
    }
    if cursor.is_word("period") || cursor.is_word("system") {
        return unknown();
    }
    cursor.eat(&["column"]);
    let conditional = cursor.eat_condition();
    match cursor.inside() {
        Some(several) => several
            .pieces()
            .into_iter()
            .map(|piece| new_column(table, piece))
            .reduce(|mut all, one| {
                if rank(&one.effect) > rank(&all.effect) {
                    all.effect = one.effect;
                }
                all.left_null.extend(one.left_null);
                all.left_apart.extend(one.left_apart);
                all.objects.extend(one.objects);
                all
            })
            .unwrap_or_else(unknown),
        None => new_column(table, cursor),
    }
    .conditionally(conditional)
}

fn new_column(table: &Name, mut cursor: Cursor<'_>) -> Facts {
    let Some(name) = cursor.part() else {
        return unknown();
    };
    let has = |words: &[&str]| {
        (0..cursor.tokens.len()).any(|from| {
            let mut rest = cursor;
            rest.skip(from);
            rest.is_words(words)
        })
    };
    let default = (0..cursor.tokens.len()).find_map(|from| {
        let mut rest = cursor;
        rest.skip(from);
        rest.eat(&["default"]).then_some(rest)
    });
    let has_default = default.is_some_and(|value| !lexeme::is_null(value.text, value.tokens));
    let key = has(&["key"]) && !has(&["unique"]);
    let mut column = NewColumn {
        not_null: has(&["not", "null"]) && !nulls::never_computed(cursor.text, cursor.tokens),
        primary_key: key,
        unique: has(&["unique"]),
        nulls_collide: false,
        has_default,
        gives_out: default.is_some_and(|value| {
            gives_out(
                value
                    .first()
                    .and_then(|first| value.text.get(first.span.start..))
                    .unwrap_or_default(),
            )
        }),
        numbered: has(&["auto_increment"]) || has(&["serial"]),
        generated: checked::has_word(cursor.text, cursor.tokens, "as"),
        references: checked::has_word(cursor.text, cursor.tokens, "references"),
        check: Check::No,
        name: name.clone(),
    };
    column.check = lexeme::check(cursor.text, cursor.tokens, has_default, |word| {
        unquote(word).eq_ignore_ascii_case(&name)
    });
    let may_fail = column.generated
        && (lexeme::may_fail(cursor.text, cursor.tokens)
            || lexeme::reads_json(cursor.text, cursor.tokens)
            || fit::may_not_fit(cursor));
    let effect = if may_fail {
        Effect::Destructive {
            why: format!(
                "adds `{name}`, whose expression may fail for rows that old versions write"
            ),
        }
    } else if default.is_some_and(|default| fit::copies_others(cursor, default)) {
        Effect::Destructive {
            why: format!(
                "adds `{name}` with a default that is made of other columns: what old versions write there may not fit"
            ),
        }
    } else {
        column.effect()
    };
    let mut facts = Facts::new(effect);
    // Some servers give the first of these a default by themselves.
    if column.is_left_null() && !has(&["timestamp"]) {
        facts.left_null.push(table.column(&name));
    }
    if column.gives_out {
        facts.left_apart.push(table.column(&name));
    }
    facts.object(table.member(ObjectKind::Column, Verb::Create, name))
}

fn dropped(table: &Name, mut cursor: Cursor<'_>) -> Facts {
    if cursor.eat(&["primary", "key"]) {
        let object = table.member(ObjectKind::Index, Verb::Drop, "PRIMARY".into());
        return Facts::destructive("drops the primary key").object(object);
    }
    if cursor.is_word("partition") {
        return without_partition(table);
    }
    if cursor.is_word("period") || cursor.is_word("system") {
        return unknown();
    }
    let (kind, what) = if cursor.eat_any(&["index", "key"]).is_some() {
        (ObjectKind::Index, "index")
    } else if cursor.eat(&["foreign", "key"]) || cursor.eat_any(&["constraint", "check"]).is_some()
    {
        (ObjectKind::Constraint, "constraint")
    } else {
        cursor.eat(&["column"]);
        (ObjectKind::Column, "column")
    };
    let conditional = cursor.eat_condition();
    let name = cursor.part();
    let _ = cursor.eat_any(&["restrict", "cascade"]);
    match name.filter(|_| cursor.is_at_end()) {
        Some(name) => Facts::destructive(format!("drops the {what} `{name}`"))
            .object(table.member(kind, Verb::Drop, name))
            .conditionally(conditional),
        None => unknown(),
    }
}

fn renamed_and_changed(table: &Name, mut cursor: Cursor<'_>) -> Facts {
    cursor.eat(&["column"]);
    let conditional = cursor.eat_condition();
    let (Some(old), Some(new)) = (cursor.part(), cursor.part()) else {
        return unknown();
    };
    // Column names have no case.
    if old.eq_ignore_ascii_case(&new) {
        return changed(table, old).conditionally(conditional);
    }
    Facts::destructive(format!("renames the column `{old}`"))
        .object(
            table
                .member(ObjectKind::Column, Verb::Rename, old)
                .renamed_to(Some(new)),
        )
        .conditionally(conditional)
}

fn renamed(table: &Name, mut cursor: Cursor<'_>) -> Facts {
    let member = if cursor.eat(&["column"]) {
        Some((ObjectKind::Column, "column"))
    } else if cursor.eat_any(&["index", "key"]).is_some() {
        Some((ObjectKind::Index, "index"))
    } else {
        None
    };
    if let Some((kind, what)) = member {
        let conditional = cursor.eat_condition();
        let (old, to, new) = (cursor.part(), cursor.eat(&["to"]), cursor.part());
        return match (old, new) {
            (Some(old), Some(new)) if to && cursor.is_at_end() => {
                Facts::destructive(format!("renames the {what} `{old}`"))
                    .object(table.member(kind, Verb::Rename, old).renamed_to(Some(new)))
                    .conditionally(conditional)
            }
            _ => unknown(),
        };
    }
    if cursor.eat_any(&["to", "as"]).is_none()
        && cursor
            .first()
            .is_some_and(|token| token.kind == Kind::Other)
    {
        // `RENAME = new_name`
        cursor.skip(1);
    }
    match cursor.name() {
        Some(new) if cursor.is_at_end() => {
            let object = table.object(ObjectKind::Table, Verb::Rename);
            // In another schema it has no name here.
            let new = (new.schema == table.schema).then_some(new.name);
            Facts::destructive(format!("renames the table `{}`", table.name))
                .object(object.renamed_to(new))
        }
        _ => Facts::destructive(format!("renames the table `{}`", table.name)),
    }
}

/// `ALTER [COLUMN] a SET DEFAULT …`, `ALTER INDEX i INVISIBLE`
fn altered_member(table: &Name, mut cursor: Cursor<'_>) -> Facts {
    if cursor.eat_any(&["index", "key"]).is_some() {
        let name = cursor.part().unwrap_or_default();
        let hides = cursor.eat(&["invisible"]) || cursor.eat(&["ignored"]);
        let shows = cursor.eat(&["visible"]) || cursor.eat(&["not", "ignored"]);
        return match cursor.is_at_end() {
            true if hides => Facts::destructive(format!(
                "hides the index `{name}`: queries that name it fail (FORCE INDEX), and others read the whole table"
            )),
            true if shows => Facts::additive(),
            _ => unknown(),
        };
    }
    cursor.eat(&["column"]);
    let conditional = cursor.eat_condition();
    let Some(name) = cursor.part() else {
        return unknown();
    };
    let object = table.member(ObjectKind::Column, Verb::Alter, name.clone());
    let facts = if cursor.eat(&["set", "default"]) {
        let is = |what: fn(&str, &[lexeme::Token]) -> bool| what(cursor.text, cursor.tokens);
        if is(lexeme::is_null) {
            let mut facts = Facts::additive().unless(Unless {
                why: format!(
                    "sets the default of `{name}` to NULL, which drops it: INSERTs of old versions may rely on it"
                ),
                needs: Needs::All,
                columns: vec![table.column(&name)],
            });
            facts.nulled.push(table.column(&name));
            facts
        } else if is(lexeme::divides_by_zero) {
            Facts::destructive(format!(
                "gives `{name}` a default that fails: INSERTs of old versions may rely on it"
            ))
        } else {
            Facts::additive()
        }
    } else if cursor.eat(&["drop", "default"]) {
        Facts::destructive(format!(
            "drops the default of `{name}`, on which old versions may rely"
        ))
    } else {
        unknown()
    };
    facts.object(object).conditionally(conditional)
}
