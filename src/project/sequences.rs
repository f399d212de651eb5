//! Numbers that the database gives out: which column takes its from a sequence from now on, and which statement lets a
//! sequence go on from where its table is.

use crate::sql::{Dialect, Mode, ObjectKind, Script, Statement, altered_table};

/// As many numbers may be taken from a sequence one by one.
pub(super) const MOST: u64 = 10_000;

/// How a statement lets a sequence go on, and never back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Forward {
    /// It takes so many numbers, as whoever inserts does: `SELECT nextval(s) FROM generate_series(1, 4)`.
    By(u64),
    /// To this number, where it is not further: `SELECT setval(s, greatest(4, nextval(s)))`.
    To(u64),
    /// Behind the largest number of its table: `SELECT setval(s, max(c)) FROM t`.
    PastAll,
}

/// Whether the statement does no more than let a sequence go on. It goes on to the largest number of a table only where nobody
/// takes one meanwhile, because the script holds a lock: it has given the column that sequence, has put a copy in the place of
/// the table, or has locked it.
pub(super) fn only_counts_on(script: &Script, index: usize) -> bool {
    moved(script, index).is_some()
}

/// How the statement lets the sequence behind this column go on.
pub(super) fn forward(script: &Script, index: usize, table: &str, column: &str) -> Option<Forward> {
    let (of, forward) = moved(script, index)?;
    let dialect = script.dialect;
    let same = |a: &str, b: &str| dialect.may_be_same_name(a, b);
    let is_it = match &of {
        Of::Column(of, name) => same(of, table) && same(name, column),
        Of::Named(name) => same(name, &format!("{table}_{column}_seq")),
    };
    is_it.then_some(forward)
}

/// Whose sequence it is.
#[derive(PartialEq, Eq)]
enum Of {
    Column(String, String),
    Named(String),
}

fn moved(script: &Script, index: usize) -> Option<(Of, Forward)> {
    let dialect = script.dialect;
    let statement = script.statements.get(index)?;
    if dialect != Dialect::Postgres {
        return None;
    }
    let mut words = statement.words(dialect);
    words.retain(|word| !matches!(word.as_str(), ";" | "::" | ":" | "regclass"));
    if words.first().is_none_or(|word| word != "select") {
        return None;
    }
    let (of, text) = with_sequence(&words)?;
    let number = |text: &str| text.parse::<u64>().ok();
    let between = |from: &str, to: &str| text.strip_prefix(from)?.strip_suffix(to);
    if let Some(count) = between("select nextval ( ? ) from generate_series ( 1 , ", " )") {
        return Some((of, Forward::By(number(count)?)));
    }
    if let Some(least) = between("select setval ( ? , greatest ( ", " , nextval ( ? ) ) )") {
        return Some((of, Forward::To(number(least)?)));
    }
    // What is given is the largest number, with or without what makes it never less than before.
    let is_guarded = text.contains("nextval ( ? )");
    let plain = text
        .replace(" , nextval ( ? ) )", " )")
        .replace("greatest ( max (", "max (")
        .replace(" ) ) ) from", " ) ) from");
    let inner = plain.strip_prefix("select setval ( ? , max ( ")?;
    let (column, table) = inner.split_once(" ) ) from ")?;
    let is_told = |name: &str| !name.contains(' ');
    if !is_told(column) || !is_told(table) {
        return None;
    }
    let is_its_own = match &of {
        Of::Column(of, name) => of == table && name == column,
        // That of another table is not moved back either.
        Of::Named(name) => is_guarded || is_named_for(script, index, name, (table, column)),
    };
    let is_held = || script.mode == Mode::Transactional && is_held(script, index, table, column);
    (is_its_own && (is_guarded || is_held())).then_some((of, Forward::PastAll))
}

/// The words as one text, with a sign where the one sequence stands of which they speak.
fn with_sequence(words: &[String]) -> Option<(Of, String)> {
    let mut text: Vec<&str> = Vec::new();
    let mut found: Option<Of> = None;
    let mut rest = words;
    while let Some((word, behind)) = rest.split_first() {
        let (of, behind) = match rest {
            [call, open, of, comma, name, close, behind @ ..]
                if call == "pg_get_serial_sequence"
                    && open == "("
                    && comma == ","
                    && close == ")" =>
            {
                let column = sequence(name).to_owned();
                (Of::Column(sequence(of).to_owned(), column), behind)
            }
            [name, behind @ ..]
                if name.starts_with('\'')
                    && matches!(text.as_slice(), [.., "setval" | "nextval", "("]) =>
            {
                (Of::Named(sequence(name).to_owned()), behind)
            }
            _ => {
                text.push(word);
                rest = behind;
                continue;
            }
        };
        if found.as_ref().is_some_and(|found| *found != of) {
            return None;
        }
        found = Some(of);
        text.push("?");
        rest = behind;
    }
    Some((found?, text.join(" ")))
}

/// Whether a sequence of this name is the column's: by the name that the database gives it, also of a copy that has taken the
/// table's place, or because a statement above this one has given it to the column.
fn is_named_for(script: &Script, index: usize, name: &str, (table, column): (&str, &str)) -> bool {
    let dialect = script.dialect;
    let is_usual = |of: &str| dialect.may_be_same_name(name, &format!("{of}_{column}_seq"));
    let before = script.statements.get(..index).unwrap_or_default();
    is_usual(table)
        || before.iter().any(|one| {
            let words = one.words(dialect);
            let is_given = Numbered::of(&words).is_some_and(|numbered| {
                (numbered.table, numbered.column) == (table, column) && numbered.named == Some(name)
            });
            is_given || is_swapped(dialect, one, table, is_usual)
        })
}

/// Whether the statement puts a copy in the place of this table, whose name `is_it`.
fn is_swapped(
    dialect: Dialect,
    statement: &Statement,
    table: &str,
    is_it: impl Fn(&str) -> bool,
) -> bool {
    statement.objects().any(|object| {
        let to = object.renamed_to.as_deref();
        object.kind == ObjectKind::Table
            && to.is_some_and(|to| dialect.may_be_same_name(to, table))
            && is_it(&object.name)
    })
}

/// Whether nobody else inserts into the table from a statement above this one on.
fn is_held(script: &Script, index: usize, table: &str, column: &str) -> bool {
    let dialect = script.dialect;
    let before = script.statements.get(..index).unwrap_or_default();
    before.iter().any(|one| {
        let own = one.words(dialect);
        let is_numbered = Numbered::of(&own)
            .is_some_and(|numbered| numbered.table == table && numbered.column == column);
        is_numbered || is_swapped(dialect, one, table, |_| true) || locks(&own, table)
    })
}

/// `LOCK TABLE t IN SHARE ROW EXCLUSIVE MODE`, and what is stronger.
fn locks(words: &[String], table: &str) -> bool {
    let text = words.join(" ");
    let text = text.trim_end_matches([' ', ';']);
    let Some(rest) = text.strip_prefix("lock ") else {
        return false;
    };
    let rest = rest.strip_prefix("table ").unwrap_or(rest);
    let rest = rest.strip_prefix("only ").unwrap_or(rest);
    let (names, mode) = rest
        .split_once(" in ")
        .unwrap_or((rest, "access exclusive mode"));
    let is_strong = ["share row exclusive", "exclusive", "access exclusive"]
        .iter()
        .any(|strong| mode.trim_end_matches(" nowait") == format!("{strong} mode"));
    is_strong
        && names
            .split(" , ")
            .any(|name| name.rsplit(" . ").next() == Some(table))
}

pub(super) struct Numbered<'w> {
    pub table: &'w str,
    pub column: &'w str,
    /// The sequence that is named; of an identity the database makes one.
    pub named: Option<&'w str>,
}

/// What is said of each column of an `ALTER TABLE t ALTER c …`: the table, the column, and the words behind it.
fn altered_columns(words: &[String]) -> impl Iterator<Item = (&str, &str, &[String])> {
    let from = altered_table(words).unwrap_or(words.len());
    (from + 1..words.len()).filter_map(move |alter| {
        let is_it = words.get(alter).is_some_and(|word| word == "alter");
        let is_told = words.get(alter + 1).is_some_and(|word| word == "column");
        let name = if is_told { alter + 2 } else { alter + 1 };
        let column = words.get(name).filter(|_| is_it)?;
        Some((
            words.get(from)?.as_str(),
            column.as_str(),
            words.get(name + 1..)?,
        ))
    })
}

/// The table and the column that `ALTER TABLE t ALTER c RESTART` has count on from another number.
pub(super) fn restarted(words: &[String]) -> Option<(&str, &str)> {
    altered_columns(words).find_map(|(table, column, rest)| {
        let mut own = rest.iter().take_while(|word| *word != ",");
        own.any(|word| word == "restart").then_some((table, column))
    })
}

impl<'w> Numbered<'w> {
    /// `ALTER TABLE t ALTER c ADD GENERATED … AS IDENTITY`, and `ALTER TABLE t ALTER c SET DEFAULT nextval('s')`.
    pub fn of(words: &'w [String]) -> Option<Self> {
        altered_columns(words).find_map(|(table, column, rest)| {
            let at = |index: usize| rest.get(index).map_or("", String::as_str);
            let named = match (at(0), at(1), at(2)) {
                ("add", "generated", _) => None,
                ("set", "default", "nextval") => Some(sequence(at(4))),
                _ => return None,
            };
            Some(Self {
                table,
                column,
                named,
            })
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_that_only_goes_on_is_told_from_one_that_may_go_back() {
        const S: &str = "pg_get_serial_sequence('public.roles', 'id')";
        let lock = "LOCK TABLE public.roles IN SHARE ROW EXCLUSIVE MODE;\n";
        for (text, expected) in [
            (
                format!("SELECT nextval({S}) FROM generate_series(1, 4);"),
                Some(Forward::By(4)),
            ),
            (
                "SELECT nextval('roles_id_seq') FROM generate_series(1, 4);".to_owned(),
                Some(Forward::By(4)),
            ),
            (
                "SELECT nextval('others_id_seq') FROM generate_series(1, 4);".to_owned(),
                None,
            ),
            (
                format!("SELECT setval({S}, greatest(4, nextval({S})));"),
                Some(Forward::To(4)),
            ),
            (
                format!("SELECT setval({S}, greatest(4, nextval('other')));"),
                None,
            ),
            (format!("SELECT setval({S}, 4);"), None),
            (format!("SELECT setval({S}, max(id)) FROM roles;"), None),
            (
                format!("SELECT setval({S}, greatest(max(id), nextval({S}))) FROM roles;"),
                Some(Forward::PastAll),
            ),
            (
                format!("SELECT setval({S}, greatest(max(id), nextval({S}))) FROM users;"),
                None,
            ),
            (
                format!("{lock}SELECT setval({S}, max(id)) FROM roles;"),
                Some(Forward::PastAll),
            ),
            (
                format!("{lock}SELECT setval('roles_id_seq'::regclass, max(id)) FROM roles;"),
                Some(Forward::PastAll),
            ),
            (
                format!(
                    "{}SELECT setval({S}, max(id)) FROM roles;",
                    lock.replace("SHARE ROW", "ROW")
                ),
                None,
            ),
            (
                format!(
                    "{}SELECT setval({S}, max(id)) FROM roles;",
                    lock.replace("roles", "users")
                ),
                None,
            ),
            (
                format!("{lock}SELECT setval({S}, max(id)) FROM roles WHERE id < 5;"),
                None,
            ),
            (
                format!("{lock}SELECT setval({S}, max(id)), drop_it() FROM roles;"),
                None,
            ),
        ] {
            let script = Script::parse(Dialect::Postgres, &text).unwrap();
            let last = script.statements.len() - 1;
            assert_eq!(forward(&script, last, "roles", "id"), expected, "{text}");
        }
    }
}
