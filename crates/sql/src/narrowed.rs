//! What an `ALTER TABLE` or a unique index asks of INSERTs from then on, or no longer gives them: by its words alone, action
//! by action, and whoever made the table.

use super::lexeme;
use super::tables::{Cursor, items};
use super::{Dialect, Effect, Script, Statement};

/// One action of an `ALTER TABLE`, or a unique index.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Narrowed {
    pub table: String,
    pub what: Narrowing,
    /// Completes the sentence "this statement …".
    pub why: String,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Narrowing {
    /// A new column that takes no NULL and has no default.
    Added(String),
    /// A column that takes no NULL any longer, or that gets no value of its own.
    Column(String),
    PrimaryKey,
    /// A new key over these columns, and every column that is named in an expression of it.
    Unique(Vec<String>),
    /// A new constraint over these columns that is no key.
    Constraint(Vec<String>),
    /// A constraint, or an index, that goes: it may be a key.
    Key(String),
}

impl Statement {
    /// What it asks of INSERTs from then on, or no longer gives them.
    #[must_use]
    pub fn narrowed(&self, dialect: Dialect) -> Vec<Narrowed> {
        let tokens = lexeme::tokens(dialect.grammar(), &self.text).unwrap_or_default();
        let mut cursor = Cursor::new(dialect, &self.text, &tokens);
        let mut found = Vec::new();
        if cursor.eats(&["create", "unique", "index"]) {
            found.extend(unique_index(&mut cursor));
            return found;
        }
        // `ALTER IGNORE TABLE`, `ALTER ONLINE TABLE`
        if !cursor.eat("alter") || cursor.until("table").is_none() {
            return found;
        }
        cursor.eats(&["if", "exists"]);
        cursor.eat("only");
        let Some(table) = cursor.name() else {
            return found;
        };
        for action in items(cursor.rest()) {
            let told = of_action(&mut cursor.within(action)).into_iter();
            found.extend(told.map(|(what, why)| Narrowed {
                table: table.clone(),
                what,
                why,
            }));
        }
        found
    }
}

impl Statement {
    /// Why rows are refused that leave a column out which it adds; completes the sentence "this statement …".
    #[must_use]
    pub fn adds_what_refuses(&self, dialect: Dialect) -> Option<String> {
        let Effect::Destructive { why } = &self.effect else {
            return None;
        };
        if why.starts_with("adds `") {
            return Some(why.clone());
        }
        // Of several actions the first tells its own.
        let alone = self.actions(dialect);
        let mut alone = alone.iter().filter(|_| alone.len() > 1);
        alone.find_map(|sql| {
            let script = Script::parse(dialect, sql).ok()?;
            script.statements.first()?.adds_what_refuses(dialect)
        })
    }

    /// Each action of an `ALTER TABLE` as a statement of its own.
    fn actions(&self, dialect: Dialect) -> Vec<String> {
        let tokens = lexeme::tokens(dialect.grammar(), &self.text).unwrap_or_default();
        let mut cursor = Cursor::new(dialect, &self.text, &tokens);
        if !cursor.eats(&["alter", "table"]) {
            return Vec::new();
        }
        cursor.eats(&["if", "exists"]);
        cursor.eat("only");
        let Some(table) = cursor.name() else {
            return Vec::new();
        };
        let table = dialect.quoted(&table);
        let actions = items(cursor.rest()).into_iter().filter_map(|action| {
            let span = action.first()?.span.start..action.last()?.span.end;
            Some(format!("ALTER TABLE {table} {}", self.text.get(span)?))
        });
        actions.collect()
    }
}

/// From its name on.
fn unique_index(cursor: &mut Cursor<'_>) -> Option<Narrowed> {
    cursor.until("on")?;
    cursor.eat("only");
    let table = cursor.name()?;
    let (what, why) = unique(cursor.index(None, true)?.columns);
    Some(Narrowed { table, what, why })
}

fn unique(columns: Vec<String>) -> (Narrowing, String) {
    let why = format!(
        "makes {} unique: INSERTs of a value that is there already fail",
        listed(&columns)
    );
    (Narrowing::Unique(columns), why)
}

fn listed(columns: &[String]) -> String {
    let quoted: Vec<String> = columns.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// `ADD CONSTRAINT c CHECK (…)` and the like; `None` if it is none, or an index that is there becomes one.
fn constraint(mut action: Cursor<'_>) -> Option<(Narrowing, String)> {
    const KINDS: &[&str] = &["primary", "unique", "check", "foreign", "exclude"];
    if action.eat("constraint") {
        action.eats(&["if", "not", "exists"]);
        if !action.is_any(KINDS) {
            action.name()?;
        }
    }
    if action.eats(&["primary", "key"]) || action.eat("unique") {
        return Some(unique(action.index(None, true)?.columns));
    }
    // A column may have that name.
    let mut next = action.clone();
    let is_exclusion = next.eat("exclude") && (next.eat("using") || next.is_group());
    let kind = match () {
        () if action.eat("check") => "a CHECK",
        () if is_exclusion => "an exclusion",
        () if action.eats(&["foreign", "key"]) => "a foreign key",
        () => return None,
    };
    let mut columns = action.index(None, false)?.columns;
    // `EXCLUDE (a WITH =)`
    columns.retain(|column| !is_exclusion || !column.eq_ignore_ascii_case("with"));
    let why = format!(
        "puts {kind} on {}: INSERTs that do not satisfy it fail",
        listed(&columns)
    );
    Some((Narrowing::Constraint(columns), why))
}

fn of_action(action: &mut Cursor<'_>) -> Vec<(Narrowing, String)> {
    if action.eat("add") {
        if let Some(constraint) = constraint(action.clone()) {
            return vec![constraint];
        }
        return added(action);
    }
    if action.eat("drop") {
        return dropped(action).into_iter().collect();
    }
    if action.eat("alter") {
        action.eat("column");
        return altered(action).into_iter().collect();
    }
    Vec::new()
}

fn added(action: &mut Cursor<'_>) -> Vec<(Narrowing, String)> {
    // No column can be called so without quotes; of the others some databases let it.
    const RESERVED: &[&str] = &["constraint", "primary", "unique", "check", "foreign"];
    const NOT_COLUMNS: &[&str] = &[
        "exclude",
        "index",
        "key",
        "fulltext",
        "spatial",
        "partition",
        "period",
        "system",
    ];
    let is_column = action.eat("column");
    action.eats(&["if", "not", "exists"]);
    // MySQL's `ADD (a INT, b INT)`
    let columns = match action.group() {
        Some(group) => items(group),
        None => vec![action.rest()],
    };
    let strict = columns.into_iter().filter_map(|tokens| {
        let mut column = action.within(tokens);
        let is_other =
            column.is_any(RESERVED) || column.is_any(NOT_COLUMNS) && !column.names_a_column();
        if is_other && !is_column {
            return None;
        }
        let (column, _) = column.column()?;
        let is_null = |default: &String| default.to_lowercase().starts_with("null");
        let is_strict =
            !column.is_nullable && !column.is_made && column.default.as_ref().is_none_or(is_null);
        is_strict.then(|| {
            let why = format!(
                "adds `{}` as NOT NULL without a default: INSERTs that do not name it fail",
                column.name
            );
            (Narrowing::Added(column.name), why)
        })
    });
    strict.collect()
}

fn dropped(action: &mut Cursor<'_>) -> Option<(Narrowing, String)> {
    if action.eats(&["primary", "key"]) {
        let why = "drops the primary key: rows may be there twice, and `ON CONFLICT` finds none";
        return Some((Narrowing::PrimaryKey, why.to_owned()));
    }
    if !(action.eat("constraint") || action.eat("index") || action.eat("key")) {
        return None;
    }
    action.eats(&["if", "exists"]);
    let name = action.name()?;
    let why =
        format!("drops the key `{name}`: rows may be there twice, and `ON CONFLICT` finds none");
    Some((Narrowing::Key(name), why))
}

fn altered(action: &mut Cursor<'_>) -> Option<(Narrowing, String)> {
    action.eats(&["if", "exists"]);
    let name = action.name()?;
    let why = if action.eats(&["set", "not", "null"]) {
        format!("makes `{name}` NOT NULL: INSERTs that leave it out may fail")
    } else if action.eats(&["drop", "default"]) || action.eats(&["set", "default", "null"]) {
        format!("takes its default from `{name}`: INSERTs that leave it out may fail")
    } else if action.eats(&["drop", "identity"]) {
        format!("has `{name}` no longer number itself: INSERTs that leave it out fail")
    } else if action.eats(&["set", "generated", "always"])
        || action.eats(&["add", "generated", "always", "as", "identity"])
    {
        format!("lets nobody but the database give `{name}` a number: INSERTs that name it fail")
    } else if action.eats(&["drop", "expression"]) {
        format!("has `{name}` no longer computed: INSERTs leave it NULL")
    } else {
        return None;
    };
    Some((Narrowing::Column(name), why))
}

#[cfg(test)]
mod tests {
    use super::super::tests::parse;
    use super::*;

    #[test]
    fn each_action_is_read_on_its_own() {
        use Narrowing::{Added, Column, Constraint, Key, PrimaryKey, Unique};
        let name = |name: &str| name.to_owned();
        for (dialect, actions, expected) in [
            (
                Dialect::Mysql,
                "DROP COLUMN a, ADD COLUMN q int NOT NULL",
                vec![Added(name("q"))],
            ),
            (
                Dialect::Mysql,
                "ADD (a int NOT NULL, b int, `key` int NOT NULL DEFAULT 1)",
                vec![Added(name("a"))],
            ),
            (
                Dialect::Mysql,
                "ADD a bigint NOT NULL AUTO_INCREMENT UNIQUE, ADD KEY k (a)",
                vec![],
            ),
            (
                Dialect::Mysql,
                "ADD UNIQUE (a), ADD UNIQUE KEY k (b(10)), ADD CONSTRAINT UNIQUE INDEX (c), ADD FOREIGN KEY i (d) REFERENCES o (e), \
                 ADD CONSTRAINT c CHECK (f > 1), ADD PRIMARY KEY (g), ADD INDEX (h), ADD FULLTEXT KEY x (y)",
                vec![
                    Unique(vec![name("a")]),
                    Unique(vec![name("b")]),
                    Unique(vec![name("c")]),
                    Constraint(vec![name("d")]),
                    Constraint(vec![name("f")]),
                    Unique(vec![name("g")]),
                ],
            ),
            (Dialect::Mysql, "DROP PRIMARY KEY", vec![PrimaryKey]),
            (
                Dialect::Mysql,
                "ALTER a SET DEFAULT NULL, ALTER b DROP DEFAULT, ALTER c SET DEFAULT 1",
                vec![Column(name("a")), Column(name("b"))],
            ),
            (
                Dialect::Postgres,
                "ADD a int NOT NULL DEFAULT 0, ADD b serial NOT NULL, ADD c int, \
                 ADD d int GENERATED ALWAYS AS IDENTITY, ADD e int NOT NULL DEFAULT NULL",
                vec![Added(name("e"))],
            ),
            (
                Dialect::Postgres,
                "ADD CONSTRAINT c CHECK (a IS NOT NULL), ADD PRIMARY KEY (a), ALTER b DROP NOT NULL, \
                 ADD CONSTRAINT p PRIMARY KEY USING INDEX i, ADD \"unique\" int, \
                 ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES o (b) NOT VALID, ADD UNIQUE NULLS NOT DISTINCT (b, c), \
                 ADD EXCLUDE USING gist (r WITH &&), ADD CHECK (lower(a) <> 'x' OR \"B\" > 1), ADD d int REFERENCES o",
                vec![
                    Constraint(vec![name("a")]),
                    Unique(vec![name("a")]),
                    Constraint(vec![name("a")]),
                    Unique(vec![name("b"), name("c")]),
                    Constraint(vec![name("r")]),
                    Constraint(vec![name("a"), name("B")]),
                ],
            ),
            (
                Dialect::Postgres,
                "ALTER COLUMN \"B\" SET NOT NULL, DROP CONSTRAINT IF EXISTS t_pkey",
                vec![Column(name("B")), Key(name("t_pkey"))],
            ),
            (
                Dialect::Postgres,
                "ALTER a SET GENERATED ALWAYS, ALTER b ADD GENERATED ALWAYS AS IDENTITY, ALTER c SET GENERATED BY DEFAULT, \
                 ALTER d ADD GENERATED BY DEFAULT AS IDENTITY",
                vec![Column(name("a")), Column(name("b"))],
            ),
            (
                Dialect::Sqlite,
                "ADD COLUMN a int NOT NULL",
                vec![Added(name("a"))],
            ),
        ] {
            let script = parse(dialect, &format!("ALTER TABLE s.t {actions}"));
            let found = script.statements[0].narrowed(dialect);
            assert!(found.iter().all(|one| one.table == "t"), "{found:?}");
            let what: Vec<Narrowing> = found.into_iter().map(|one| one.what).collect();
            assert_eq!(what, expected, "{actions}");
        }
        for (index, expected) in [
            ("UNIQUE INDEX i ON s.t (a, b DESC)", Some(vec!["a", "b"])),
            (
                "UNIQUE INDEX IF NOT EXISTS i ON t (lower(a))",
                Some(vec!["a"]),
            ),
            ("INDEX i ON t (a)", None),
        ] {
            let script = parse(Dialect::Postgres, &format!("CREATE {index}"));
            let found = script.statements[0].narrowed(Dialect::Postgres);
            let expected = expected.map(|names| Narrowed {
                table: name("t"),
                what: Unique(names.into_iter().map(name).collect()),
                why: found.iter().map(|one| one.why.clone()).collect(),
            });
            assert_eq!(found, Vec::from_iter(expected), "{index}");
        }
    }
}
