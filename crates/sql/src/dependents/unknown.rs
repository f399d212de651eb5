//! Code of triggers that names a column which the row does not have. PostgreSQL looks for it when somebody writes, and then each write
//! fails; the other databases look when the trigger is made, or are asked afterwards.

use super::super::lexeme::{self, Kind};
use super::super::{Dialect, ObjectKind, Script};
use super::{Inventory, RelationKind};

/// What every row has beside its columns.
const OF_THE_SYSTEM: &[&str] = &["tableoid", "ctid", "xmin", "xmax", "cmin", "cmax"];

/// By these one function serves several tables, each by another part of it.
const TELLS_TABLES_APART: &[&str] = &[
    "tg_table_name",
    "tg_relname",
    "tg_relid",
    "tg_table_schema",
    "tg_argv",
    "tg_nargs",
    "tg_name",
];

/// A column that is not there, as the code of a trigger writes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnknownColumn {
    /// The statement that makes the trigger or its function.
    pub index: usize,
    pub trigger: String,
    pub table: String,
    /// `NEW.nam`
    pub written: String,
}

impl Script {
    /// Whether it makes a trigger, or a function that one may call, in a database that looks at neither.
    #[must_use]
    pub fn makes_unseen_code(&self) -> bool {
        let mut statements = self.statements.iter();
        self.dialect != Dialect::Sqlite
            && statements.any(|statement| {
                let code = statement.code(self.dialect);
                code.is_some_and(|code| {
                    matches!(code.kind, ObjectKind::Trigger | ObjectKind::Function)
                })
            })
    }
}

impl Inventory {
    /// What the triggers that the script has made, or whose function it has, name of the rows of their tables in vain.
    #[must_use]
    pub fn unknown_columns(&self, script: &Script) -> Vec<UnknownColumn> {
        let dialect = script.dialect;
        let mut found: Vec<UnknownColumn> = Vec::new();
        for (index, statement) in script.statements.iter().enumerate() {
            let Some(made) = statement.code(dialect) else {
                continue;
            };
            let is_it = |name: &str| dialect.may_be_same_name(name, &made.name);
            let triggers = self.code.all.iter().filter(|one| {
                one.kind == ObjectKind::Trigger
                    && match made.kind {
                        ObjectKind::Trigger => is_it(&one.name) && one.table == made.table,
                        ObjectKind::Function => one.calls.as_deref().is_some_and(is_it),
                        _ => false,
                    }
            });
            for trigger in triggers {
                let (Some(table), Some(calls)) = (&trigger.table, &trigger.calls) else {
                    continue;
                };
                let mut functions = self.code.all.iter().filter(|one| {
                    one.kind == ObjectKind::Function && dialect.may_be_same_name(&one.name, calls)
                });
                // Of several tables or functions with one name it is not known which it is.
                let (Some(function), None) = (functions.next(), functions.next()) else {
                    continue;
                };
                let mut tables = self
                    .relations
                    .iter()
                    .filter(|one| dialect.may_be_same_name(&one.name, table));
                let (Some(relation), None) = (tables.next(), tables.next()) else {
                    continue;
                };
                if relation.kind != RelationKind::Table {
                    continue;
                }
                let unknown = names_in_vain(dialect, &function.body, &relation.columns);
                let Some(written) = unknown else { continue };
                let unknown = UnknownColumn {
                    index,
                    trigger: trigger.name.clone(),
                    table: table.clone(),
                    written,
                };
                if !found.iter().any(|known| known.written == unknown.written) {
                    found.push(unknown);
                }
            }
        }
        found
    }
}

/// The first `NEW.x` or `OLD.x` of a body that none of these columns is.
pub(super) fn names_in_vain(dialect: Dialect, body: &str, columns: &[String]) -> Option<String> {
    let grammar = dialect.grammar();
    let tokens = lexeme::tokens(grammar, body).ok()?;
    let name = |at: usize| {
        let token = tokens.get(at)?;
        matches!(token.kind, Kind::Word | Kind::QuotedName)
            .then(|| (grammar.identifier)(token.text(body)))
            .flatten()
    };
    let is_sign =
        |at: usize, sign: &str| tokens.get(at).is_some_and(|token| token.text(body) == sign);
    let all = 0..tokens.len();
    let tells_apart = all.clone().any(|at| {
        name(at).is_some_and(|name| TELLS_TABLES_APART.contains(&name.to_lowercase().as_str()))
    });
    if tells_apart {
        return None;
    }
    all.into_iter().find_map(|at| {
        let row = name(at).filter(|row| row == "new" || row == "old")?;
        let is_member = at.checked_sub(1).is_some_and(|before| is_sign(before, "."));
        if is_member || !is_sign(at + 1, ".") {
            return None;
        }
        let column = name(at + 2)?;
        let is_there = columns.contains(&column) || OF_THE_SYSTEM.contains(&column.as_str());
        (!is_there).then(|| format!("{}.{column}", row.to_uppercase()))
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::Dialect;
    use super::names_in_vain;

    #[test]
    fn a_column_that_no_row_has_is_found() {
        let columns = ["id", "full_name", "Odd"].map(str::to_owned);
        for (body, expected) in [
            (
                "BEGIN NEW.full_name := NEW.nam; RETURN NEW; END",
                Some("NEW.nam"),
            ),
            (
                "BEGIN IF OLD.\"full_Name\" IS NULL THEN NULL; END IF; RETURN NEW; END",
                Some("OLD.full_Name"),
            ),
            (
                "BEGIN NEW.Full_Name := NEW.\"Odd\" || NEW.id || OLD.ctid; RETURN NEW; END",
                None,
            ),
            (
                "BEGIN INSERT INTO audit SELECT NEW.*; RETURN NEW; END",
                None,
            ),
            (
                "BEGIN -- NEW.nam\n RAISE NOTICE 'NEW.nam'; RETURN NEW; END",
                None,
            ),
            ("BEGIN r.new.nam := 1; RETURN NEW; END", None),
            (
                "BEGIN IF TG_TABLE_NAME = 'other' THEN NEW.nam := 1; END IF; RETURN NEW; END",
                None,
            ),
        ] {
            let found = names_in_vain(Dialect::Postgres, body, &columns);
            assert_eq!(found.as_deref(), expected, "{body}");
        }
    }
}
