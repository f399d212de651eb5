//! Code of another database on the same server. There a name alone is one of that database: what is ours is named with ours.

use super::super::lexeme;
use super::super::token::Kind;
use super::{Dependent, Dialect};

/// What the code says of `table` of `database`, as code of that database would say it; nothing where it does not name it.
pub(super) fn said_here(
    dialect: Dialect,
    one: &Dependent,
    database: &str,
    table: &str,
) -> Option<Dependent> {
    let grammar = dialect.grammar();
    let text = &one.body;
    let tokens = lexeme::tokens(grammar, text).ok()?;
    let name = |at: usize| {
        let token = tokens.get(at)?;
        matches!(token.kind, Kind::Word | Kind::QuotedName)
            .then(|| (grammar.identifier)(token.text(text)))?
    };
    let is_dot = |at: usize| tokens.get(at).is_some_and(|token| token.text(text) == ".");
    let is = |at: usize, wanted: &str| {
        name(at).is_some_and(|name| dialect.may_be_same_name(&name, wanted))
    };
    let mut kept = String::new();
    for statement in tokens
        .split(|token| token.kind == Kind::Semicolon)
        .scan(0, |from, part| {
            let begins = *from;
            *from += part.len() + 1;
            Some(begins..begins + part.len())
        })
    {
        let is_qualified = |at: usize| is(at, database) && is_dot(at + 1);
        // `EXECUTE IMMEDIATE 'UPDATE shop.users …'` is read as text of text.
        let in_text = |at: usize| {
            tokens.get(at).is_some_and(|token| {
                let text = token.text(text).to_lowercase();
                let has = |word: &str| text.contains(&word.to_lowercase());
                token.kind == Kind::Literal && has(database) && has(table)
            })
        };
        let is_named = statement
            .clone()
            .any(|at| is_qualified(at) && is(at + 2, table) || in_text(at));
        if !is_named {
            continue;
        }
        let mut at = statement.start;
        while at < statement.end {
            // A database, a table, a column; or a database and a table, where the former is not a table of that name.
            let of_other = name(at).is_some() && is_dot(at + 1) && is_dot(at + 3);
            if is_qualified(at) {
                at += 2;
            } else if of_other {
                at += 2;
                kept.push_str("elsewhere ");
                at += 1;
                continue;
            }
            if let Some(token) = tokens.get(at) {
                kept.push_str(token.text(text));
                kept.push(' ');
            }
            at += 1;
        }
        kept.push_str("; ");
    }
    (!kept.is_empty()).then(|| Dependent {
        body: kept,
        ..one.clone()
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::parse;
    use super::super::{Commits, Dependent, Dependents};
    use super::*;
    use crate::{ObjectKind, Runs};

    #[test]
    fn a_name_alone_is_one_of_the_database_that_it_stands_in() {
        let view = "select `shop`.`users`.`full_name` AS `n` from `shop`.`users`";
        for (body, drop_column, is_left) in [
            (view, true, true),
            (view, false, true),
            (
                "select `crm`.`users`.`full_name` AS `n` from `crm`.`users` join `shop`.`orders`",
                true,
                false,
            ),
            (
                "select `crm`.`users`.`full_name` AS `n` from `crm`.`users` join `shop`.`users` on `shop`.`users`.`id` = 1",
                true,
                false,
            ),
            (
                "BEGIN UPDATE shop.users SET full_name = NEW.n WHERE id = NEW.id; END",
                true,
                true,
            ),
            (
                "BEGIN UPDATE users SET full_name = NEW.n; UPDATE shop.orders SET total = 1; END",
                true,
                false,
            ),
            (
                "BEGIN INSERT INTO shop.users (id) VALUES (NEW.id); END",
                true,
                false,
            ),
            (
                "BEGIN INSERT INTO shop.users (id) VALUES (NEW.id); END",
                false,
                true,
            ),
            (
                "BEGIN EXECUTE IMMEDIATE 'UPDATE shop.users SET full_name = 1'; END",
                true,
                true,
            ),
            (
                "BEGIN UPDATE webshop.users SET full_name = 1; END",
                true,
                false,
            ),
        ] {
            let mut code = Dependents::new(Dialect::Mysql);
            code.database = Some("shop".to_owned());
            code.all.push(Dependent {
                kind: ObjectKind::Function,
                word: "trigger",
                schema: Some("crm".to_owned()),
                name: "users_out".to_owned(),
                table: None,
                header: String::new(),
                body: body.to_owned(),
                calls: None,
                arguments: None,
                runs: Runs::Elsewhere,
            });
            let script = match drop_column {
                true => "ALTER TABLE users DROP COLUMN full_name",
                false => "DROP TABLE users",
            };
            let script = parse(Dialect::Mysql, script);
            let left = code.left_by(&script, 0, Commits::EachStatement);
            assert_eq!(!left.is_empty(), is_left, "{body} {script:?}");
            if let Some(left) = left.first() {
                let (said, out) = (left.sentence(), left.way_out(Dialect::Mysql));
                assert!(said.starts_with("the trigger `crm.users_out`"), "{said}");
                assert!(out.contains("DROP TRIGGER crm.users_out;"), "{out}");
            }
        }
    }
}
