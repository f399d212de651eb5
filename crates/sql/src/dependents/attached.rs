//! What belongs to a table and not to its name: rights, policies, foreign keys, sequences, places in publications, defaults,
//! unique indexes. A copy that takes the place of the table has none of it by itself.

use super::super::lexeme::{self, Kind};
use super::super::{Dialect, ObjectKind, Script, Statement, Verb};
use super::{Attached, Inventory, Relation, RelationKind};

impl Attached {
    fn is_kept_by(&self, other: &Self) -> bool {
        self.what == other.what && self.detail == other.detail && self.number <= other.number
    }
}

impl Script {
    /// Whether it puts another table in the place of this one.
    fn swaps(&self, inventory: &Inventory, table: &str) -> Option<usize> {
        let same = |name: &str| inventory.code.dialect.may_be_same_name(name, table);
        let mut objects = self.statements.iter().enumerate().flat_map(|(index, one)| {
            one.objects()
                .filter(|object| object.kind == ObjectKind::Table)
                .map(move |object| (index, object))
        });
        let is_taken = |(_, object): &(usize, &super::Object)| {
            matches!(object.verb, Verb::Drop | Verb::Rename) && same(&object.name)
        };
        let (index, taken) = objects.find(is_taken)?;
        let is_given = |object: &super::Object| match object.verb {
            Verb::Create => same(&object.name),
            Verb::Rename => object.renamed_to.as_deref().is_some_and(same),
            Verb::Drop | Verb::Alter => false,
        };
        // `RENAME TABLE t TO old, new TO t` is one statement.
        let rest = self.statements.get(index..)?;
        let later = rest.iter().flat_map(Statement::objects);
        later
            .filter(|object| object.kind == ObjectKind::Table)
            .any(|object| !std::ptr::eq(object, taken) && is_given(object))
            .then_some(index)
    }

    /// The table that takes the place of this one, from the statement at `index` on.
    fn copy_for(&self, index: usize, table: &str) -> Option<&str> {
        let rest = self.statements.get(index..)?;
        let mut objects = rest.iter().flat_map(Statement::objects);
        let is_it = |object: &&super::Object| {
            object.kind == ObjectKind::Table
                && object.verb == Verb::Rename
                && object
                    .renamed_to
                    .as_deref()
                    .is_some_and(|to| self.dialect.may_be_same_name(to, table))
        };
        Some(objects.find(is_it)?.name.as_str())
    }

    /// Whether a statement behind the one at `index` may give the table of that name what belongs to `one`.
    fn makes_later(&self, index: usize, one: &Attached) -> bool {
        let mut later = self.statements.iter().skip(index + 1);
        later.any(|statement| {
            let says = |word: &str| super::says(self.dialect, &statement.text, word);
            says(&one.table)
                && one.columns.iter().all(|column| says(column))
                && (says("alter") || says("create"))
        })
    }

    /// Whether the statement at `index` may write rows.
    #[must_use]
    pub fn may_fill(&self, index: usize) -> bool {
        let statement = self.statements.get(index);
        statement.is_some_and(|statement| {
            ["insert", "copy", "merge", "execute", "call", "do"]
                .iter()
                .any(|word| super::says(self.dialect, &statement.text, word))
        })
    }

    fn copies_rows(&self) -> bool {
        ["insert", "select", "copy", "execute"]
            .iter()
            .any(|word| self.says_word(word))
    }

    fn says_word(&self, word: &str) -> bool {
        let mut statements = self.statements.iter();
        statements.any(|statement| super::says(self.dialect, &statement.text, word))
    }
}

impl Inventory {
    /// What the copies that a script puts in the place of tables do not have of what these had, unless the script takes it
    /// away by name.
    #[must_use]
    pub fn left_off(&self, after: &Self, script: &Script) -> Vec<&Attached> {
        let mut missed = self.of_swapped(after, script);
        missed.retain(|one| {
            // Where the new table is empty, the numbers may begin anew.
            if one.number.is_some() && !script.copies_rows() {
                return false;
            }
            let mut same = after
                .attached
                .iter()
                .filter(|other| self.is_same_table(other.schema.as_deref(), &other.table, one));
            !same.any(|other| one.is_kept_by(other))
        });
        missed
    }

    /// What a script whose statements are committed one by one would leave off, by what they say, and at which of them.
    #[must_use]
    pub fn would_leave_off(&self, script: &Script, from: usize) -> Option<(usize, Vec<&Attached>)> {
        // What is made again is seen when it is there.
        if script.says_word("references") {
            return None;
        }
        // Of everything else the names of its statements tell too little.
        let mut keys = self.of_swapped(self, script);
        keys.retain(|one| one.with.is_some());
        let first = keys.first()?;
        let index = script.swaps(self, &first.table)?;
        (index >= from).then_some((index, keys))
    }

    /// The tables in whose place the script puts copies of their rows, each in the words of a query.
    #[must_use]
    pub fn copied(&self, script: &Script) -> Vec<String> {
        if !script.copies_rows() {
            return Vec::new();
        }
        let tables = self
            .relations
            .iter()
            .filter(|one| one.kind == RelationKind::Table);
        let swapped = tables.filter(|table| script.swaps(self, &table.name).is_some());
        let quoted = |name: &str| match self.code.dialect {
            Dialect::Mysql => format!("`{}`", name.replace('`', "``")),
            Dialect::Postgres | Dialect::Sqlite => format!("\"{}\"", name.replace('"', "\"\"")),
        };
        let named = swapped.map(|table| match &table.schema {
            Some(schema) => format!("{}.{}", quoted(schema), quoted(&table.name)),
            None => quoted(&table.name),
        });
        named.collect()
    }

    /// Whether the statement at `index` takes a table away in whose place another comes.
    #[must_use]
    pub fn may_be_swapped_at(&self, script: &Script, index: usize) -> bool {
        let mut tables = self
            .relations
            .iter()
            .filter(|one| one.kind == RelationKind::Table);
        tables.any(|table| script.swaps(self, &table.name) == Some(index))
    }

    /// What a copy that the statement at `index` puts in the place of a table does not have of what that has now, unless the script
    /// takes it away by name. For what is committed statement by statement: afterwards it would be too late.
    #[must_use]
    pub fn lacks(&self, script: &Script, index: usize) -> Vec<&Attached> {
        let dialect = self.code.dialect;
        let is_table = |relation: &&Relation| relation.kind == RelationKind::Table;
        let mut missed = Vec::new();
        for table in self.relations.iter().filter(is_table) {
            if script.swaps(self, &table.name) != Some(index) {
                continue;
            }
            let copy = script.copy_for(index, &table.name);
            let Some(copy) = copy.and_then(|name| self.find(None, name)).filter(is_table) else {
                continue;
            };
            let of = |name: &str| {
                let name = name.to_owned();
                self.attached.iter().filter(move |one| {
                    one.with.is_none() && dialect.may_be_same_name(&one.table, &name)
                })
            };
            missed.extend(of(&table.name).filter(|one| {
                self.could_have(one, copy)
                    && !script.makes_later(index, one)
                    && !takes_away(script, one)
                    && !of(&copy.name).any(|other| one.is_kept_by(other))
            }));
        }
        missed
    }

    /// What is attached to tables that give their place to others, and could be to those.
    fn of_swapped(&self, after: &Self, script: &Script) -> Vec<&Attached> {
        let is_of_swapped = |one: &&Attached| {
            let schema = one.schema.as_deref();
            let is_table = |relation: &&Relation| relation.kind == RelationKind::Table;
            let before = self.find(schema, &one.table).filter(is_table);
            let now = after.find(schema, &one.table).filter(is_table);
            let (Some(before), Some(now)) = (before, now) else {
                return false;
            };
            let is_other = match (&before.identity, &now.identity) {
                (Some(a), Some(b)) if !std::ptr::eq(self, after) => a != b,
                _ => script.swaps(self, &one.table).is_some(),
            };
            is_other && after.could_have(one, now) && !takes_away(script, one)
        };
        self.attached.iter().filter(is_of_swapped).collect()
    }

    fn could_have(&self, one: &Attached, now: &Relation) -> bool {
        let of = match &one.with {
            None => Some(now),
            Some(other) => self.find(None, other),
        };
        of.is_some_and(|of| {
            let has = |column: &String| {
                let mut columns = of.columns.iter();
                columns.any(|other| self.code.dialect.may_be_same_name(other, column))
            };
            one.columns.iter().all(has)
        })
    }

    fn is_same_table(&self, schema: Option<&str>, table: &str, one: &Attached) -> bool {
        let dialect = self.code.dialect;
        dialect.may_be_same_name(table, &one.table)
            && dialect.same_place(schema, one.schema.as_deref())
    }
}

/// Whether a statement takes it away by its name.
fn takes_away(script: &Script, one: &Attached) -> bool {
    const WORDS: &[&str] = &["drop", "revoke", "disable", "owned"];
    let grammar = script.dialect.grammar();
    script.statements.iter().any(|statement| {
        let text = &statement.text;
        let Ok(tokens) = lexeme::tokens(grammar, text) else {
            return false;
        };
        let says = |word: &&str| tokens.iter().any(|token| token.is_word(text, word));
        let names = tokens.iter().any(|token| {
            matches!(token.kind, Kind::Word | Kind::QuotedName)
                && (grammar.identifier)(token.text(text))
                    .is_some_and(|name| script.dialect.may_be_same_name(&name, &one.name))
        });
        let ends_identity = one.number.is_some() && says(&"identity") && says(&"drop");
        ends_identity || names && WORDS.iter().any(says)
    })
}
