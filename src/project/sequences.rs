//! Numbers that the database gives out: which column takes its from a sequence from now on, and which statement lets a
//! sequence go on from where its table is.

use crate::sql::{Dialect, Mode, ObjectKind, Script, Statement};

/// Whether the statement does no more than let a sequence go on behind the largest number of its table, which this script has
/// given that sequence, or swapped for a copy: `SELECT setval(pg_get_serial_sequence('t', 'c'), max(c)) FROM t`. Nobody takes a
/// number meanwhile, because the script holds the lock of that statement.
pub(super) fn only_counts_on(script: &Script, index: usize) -> bool {
    let dialect = script.dialect;
    let Some(statement) = script.statements.get(index) else {
        return false;
    };
    if dialect != Dialect::Postgres || script.mode != Mode::Transactional {
        return false;
    }
    let mut words = statement.words(dialect);
    words.retain(|word| word != ";");
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (table, column) = match words.as_slice() {
        [
            "select",
            "setval",
            "(",
            "pg_get_serial_sequence",
            "(",
            of,
            ",",
            name,
            ")",
            ",",
            "max",
            "(",
            column,
            ")",
            ")",
            "from",
            table,
        ] if sequence(of) == *table && sequence(name) == *column => (*table, *column),
        [
            "select",
            "setval",
            "(",
            _,
            ",",
            "max",
            "(",
            column,
            ")",
            ")",
            "from",
            table,
        ] => (*table, *column),
        _ => return false,
    };
    let before = script.statements.get(..index).unwrap_or_default();
    before.iter().any(|one| {
        let own = one.words(dialect);
        let is_numbered = Numbered::of(&own)
            .is_some_and(|numbered| numbered.table == table && numbered.column == column);
        let is_swapped = one.objects().any(|object| {
            let to = object.renamed_to.as_deref();
            object.kind == ObjectKind::Table
                && to.is_some_and(|to| dialect.may_be_same_name(to, table))
        });
        is_numbered || is_swapped
    })
}

pub(super) struct Numbered<'w> {
    pub table: &'w str,
    pub column: &'w str,
    /// The sequence that is named; of an identity the database makes one.
    pub named: Option<&'w str>,
}

impl<'w> Numbered<'w> {
    /// `ALTER TABLE t ALTER c ADD GENERATED … AS IDENTITY`, and `ALTER TABLE t ALTER c SET DEFAULT nextval('s')`.
    pub fn of(words: &'w [String]) -> Option<Self> {
        let at = |index: usize| words.get(index).map_or("", String::as_str);
        if at(0) != "alter" || at(1) != "table" {
            return None;
        }
        let mut from = 2;
        while matches!(at(from), "if" | "exists" | "only") {
            from += 1;
        }
        while at(from + 1) == "." {
            from += 2;
        }
        let table = words.get(from)?;
        for alter in from + 1..words.len() {
            if at(alter) != "alter" {
                continue;
            }
            let name = match at(alter + 1) {
                "column" => alter + 2,
                _ => alter + 1,
            };
            let column = words.get(name)?;
            let named = match (at(name + 1), at(name + 2), at(name + 3)) {
                ("add", "generated", _) => None,
                ("set", "default", "nextval") => Some(sequence(at(name + 5))),
                _ => continue,
            };
            return Some(Self {
                table,
                column,
                named,
            });
        }
        None
    }

    /// Whether the statement tells the sequence where it goes on.
    pub fn goes_on(&self, dialect: Dialect, statement: &Statement) -> bool {
        let words = statement.words(dialect);
        let tells = |word: &String| word == "setval" || word == "restart";
        let is_it = |word: &String| {
            let name = sequence(word);
            name == self.table
                || self.named == Some(name)
                || name == format!("{}_{}_seq", self.table, self.column)
        };
        words.iter().any(tells) && words.iter().any(is_it)
    }

    pub fn sequence(&self) -> String {
        match self.named {
            Some(named) => format!("'{named}'"),
            None => format!(
                "pg_get_serial_sequence('{}', '{}')",
                self.table, self.column
            ),
        }
    }
}

/// The name in `'public.t_id_seq'`, without its schema.
fn sequence(written: &str) -> &str {
    let name = written.trim_matches('\'');
    name.rsplit('.').next().unwrap_or(name).trim_matches('"')
}
