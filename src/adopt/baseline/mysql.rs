//! MySQL and MariaDB show how each thing is made; what names another comes after it.

use std::collections::BTreeMap;

use super::AdoptError;
use super::ordered::in_order;
use crate::database::Connection;

/// So that names stand in backticks, whatever the server's mode is: a mode of our own, for this connection alone.
const QUOTES: &str = "SET SESSION sql_quote_show_create = 1, SESSION sql_mode = ''";

const RELATIONS: &str = "SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = DATABASE() \
     AND table_name NOT LIKE 'phasegate\\_%' ORDER BY table_name";

const KEYS: &str = "SELECT table_name, referenced_table_name FROM information_schema.referential_constraints \
     WHERE constraint_schema = DATABASE() AND unique_constraint_schema = DATABASE()";

const TRIGGERS: &str = "SELECT trigger_name, action_timing, event_manipulation, event_object_table, action_statement \
     FROM information_schema.triggers WHERE trigger_schema = DATABASE() AND event_object_table NOT LIKE 'phasegate\\_%' \
     ORDER BY event_object_table, action_timing, event_manipulation, action_order";

const ROUTINES: &str = "SELECT routine_name, routine_type FROM information_schema.routines WHERE routine_schema = DATABASE() \
     AND routine_type IN ('FUNCTION', 'PROCEDURE') ORDER BY routine_type, routine_name";

const EVENTS: &str = "SELECT event_name FROM information_schema.events WHERE event_schema = DATABASE() ORDER BY event_name";

pub(super) async fn read(connection: &mut dyn Connection) -> Result<Vec<String>, AdoptError> {
    connection.execute(QUOTES, &[]).await?;
    let database = match connection.query("SELECT DATABASE()", &[]).await?.first() {
        Some(row) => row.optional_text(0)?.unwrap_or_default().to_owned(),
        None => String::new(),
    };
    let mut made = Vec::new();
    // What their bodies name is looked up when they are called.
    for row in connection.query(ROUTINES, &[]).await? {
        let (name, kind) = (row.text(0)?, row.text(1)?);
        made.push(shown(connection, kind, name, 2).await?);
    }
    let (mut tables, mut views) = (BTreeMap::new(), BTreeMap::new());
    for row in connection.query(RELATIONS, &[]).await? {
        let name = row.text(0)?;
        match row.text(1)? {
            "VIEW" => {
                views.insert(name.to_owned(), shown(connection, "VIEW", name, 1).await?);
            }
            "SEQUENCE" => made.push(shown(connection, "SEQUENCE", name, 1).await?),
            _ => {
                let text = shown(connection, "TABLE", name, 1).await?;
                let text = without_database(&without_counter(&text), &database);
                tables.insert(name.to_owned(), text);
            }
        }
    }
    let mut needs = no_needs(&tables);
    for row in connection.query(KEYS, &[]).await? {
        if let Some(needs) = needs.get_mut(row.text(0)?) {
            needs.push(row.text(1)?.to_owned());
        }
    }
    made.extend(tables_in_order(&tables, &needs));
    made.extend(views_in_order(&views));
    for row in connection.query(TRIGGERS, &[]).await? {
        let (name, timing, event) = (row.text(0)?, row.text(1)?, row.text(2)?);
        let (table, body) = (row.text(3)?, row.text(4)?);
        made.push(format!(
            "CREATE TRIGGER {} {timing} {event} ON {} FOR EACH ROW {body}",
            quoted(name),
            quoted(table)
        ));
    }
    for row in connection.query(EVENTS, &[]).await? {
        made.push(shown(connection, "EVENT", row.text(0)?, 3).await?);
    }
    Ok(made)
}

/// How the server shows that it is made; the text is in this column.
async fn shown(
    connection: &mut dyn Connection,
    kind: &str,
    name: &str,
    column: usize,
) -> Result<String, AdoptError> {
    let sql = format!("SHOW CREATE {kind} {}", quoted(name));
    let rows = connection.query(&sql, &[]).await?;
    let text = match rows.first() {
        Some(row) => row.optional_text(column)?,
        None => None,
    };
    let text = text.ok_or_else(|| {
        AdoptError::said(
            format!("how {} {name} is made is not shown to this role", kind.to_lowercase()),
            "run this as a role that may see it: its definer, or one with SELECT on mysql.proc (MariaDB) or SHOW_ROUTINE (MySQL)",
        )
    })?;
    Ok(without_definer(text))
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A definer is an account of this server; whoever makes a new database is the one there.
fn without_definer(text: &str) -> String {
    const WORD: &str = "DEFINER=";
    // It stands before the name, and no name is in backticks before it.
    let Some(at) = text.find(WORD) else {
        return text.to_owned();
    };
    let (before, rest) = text.split_at(at);
    if before.contains(['`', '(', '\'']) {
        return text.to_owned();
    }
    let mut within = false;
    let end = rest.find(|c: char| {
        within ^= c == '`';
        c == ' ' && !within
    });
    let after = end.and_then(|end| rest.get(end + 1..)).unwrap_or_default();
    format!("{before}{after}")
}

/// A new table counts from its beginning.
fn without_counter(table: &str) -> String {
    const WORD: &str = " AUTO_INCREMENT=";
    let Some(options) = table.rfind("\n)") else {
        return table.to_owned();
    };
    let (columns, options) = table.split_at(options);
    let Some(at) = options.find(WORD) else {
        return table.to_owned();
    };
    let (before, counter) = options.split_at(at);
    let after = counter
        .get(WORD.len()..)
        .unwrap_or_default()
        .trim_start_matches(|c: char| c.is_ascii_digit());
    format!("{columns}{before}{after}")
}

/// MariaDB names the database of a sequence that a default takes its value from; a new one takes it from its own.
fn without_database(table: &str, database: &str) -> String {
    let named = format!("val({}.", quoted(database));
    // What stands in quotes is nobody's name; a quote in it is written twice.
    let mut pieces: Vec<String> = table.split('\'').map(str::to_owned).collect();
    for piece in pieces.iter_mut().step_by(2) {
        *piece = piece.replace(&named, "val(");
    }
    pieces.join("'")
}

fn no_needs(made: &BTreeMap<String, String>) -> BTreeMap<String, Vec<String>> {
    made.keys().map(|name| (name.clone(), Vec::new())).collect()
}

/// Tables after those that their foreign keys name. Of tables in a circle, the keys come last.
fn tables_in_order(
    tables: &BTreeMap<String, String>,
    needs: &BTreeMap<String, Vec<String>>,
) -> Vec<String> {
    let (ordered, circle) = in_order(needs);
    let text = |name: &String| tables.get(name).cloned();
    let mut made: Vec<String> = ordered.iter().filter_map(text).collect();
    let mut keys = Vec::new();
    for name in &circle {
        let Some(text) = tables.get(name) else {
            continue;
        };
        let (table, its) = without_keys(text);
        made.push(table);
        if !its.is_empty() {
            let added: Vec<String> = its.iter().map(|key| format!("\n  ADD {key}")).collect();
            keys.push(format!("ALTER TABLE {}{}", quoted(name), added.join(",")));
        }
    }
    made.extend(keys);
    made
}

/// The table without its foreign keys, and these.
fn without_keys(table: &str) -> (String, Vec<String>) {
    let is_key = |line: &str| {
        line.trim_start().starts_with("CONSTRAINT `") && line.contains("` FOREIGN KEY (")
    };
    let mut keys = Vec::new();
    let mut lines: Vec<String> = Vec::new();
    for line in table.lines() {
        if is_key(line) {
            keys.push(line.trim().trim_end_matches(',').to_owned());
            continue;
        }
        if line.starts_with(')')
            && let Some(last) = lines.last_mut()
        {
            last.truncate(last.trim_end_matches(',').len());
        }
        lines.push(line.to_owned());
    }
    (lines.join("\n"), keys)
}

/// Views after those that they read.
fn views_in_order(views: &BTreeMap<String, String>) -> Vec<String> {
    let mut needs = no_needs(views);
    for (name, text) in views {
        let read = views.keys().filter(|other| reads(text, other));
        if let Some(needs) = needs.get_mut(name) {
            needs.extend(read.cloned());
        }
    }
    let (ordered, circle) = in_order(&needs);
    let all = ordered.iter().chain(&circle);
    all.filter_map(|name| views.get(name).cloned()).collect()
}

/// Whether a view reads from this one: the server writes every table in backticks, after one of these, and columns with a dot.
fn reads(view: &str, other: &str) -> bool {
    let other = quoted(other);
    ["from ", "join ", "("].iter().any(|before| {
        let named = format!("{before}{other}");
        view.match_indices(&named).any(|(at, found)| {
            let after = view.get(at + found.len()..).unwrap_or_default();
            !after.starts_with('.')
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_of_this_server_goes_and_a_counter_too() {
        for (text, expected) in [
            (
                "CREATE DEFINER=`shop admin`@`%` PROCEDURE `p`()\nSELECT 'DEFINER=`a`'",
                "CREATE PROCEDURE `p`()\nSELECT 'DEFINER=`a`'",
            ),
            (
                "CREATE ALGORITHM=UNDEFINED DEFINER=`a`@`b` SQL SECURITY DEFINER VIEW `v` AS select 1",
                "CREATE ALGORITHM=UNDEFINED SQL SECURITY DEFINER VIEW `v` AS select 1",
            ),
            (
                "CREATE TABLE `DEFINER=x` (a int)",
                "CREATE TABLE `DEFINER=x` (a int)",
            ),
        ] {
            assert_eq!(without_definer(text), expected);
        }
        assert_eq!(
            without_counter(
                "CREATE TABLE `t` (\n  `a` int COMMENT ' AUTO_INCREMENT=7'\n) ENGINE=InnoDB AUTO_INCREMENT=7 COMMENT='x'"
            ),
            "CREATE TABLE `t` (\n  `a` int COMMENT ' AUTO_INCREMENT=7'\n) ENGINE=InnoDB COMMENT='x'"
        );
    }

    #[test]
    fn a_default_names_a_sequence_of_its_own_database() {
        let table = |name: &str| {
            format!(
                "CREATE TABLE `t` (\n  `a` int DEFAULT nextval({name}`s`) COMMENT 'it''s nextval(`old`.`s`)',\n  `b` int DEFAULT lastval({name}`s`)\n)"
            )
        };
        assert_eq!(without_database(&table("`old`."), "old"), table(""));
        assert_eq!(
            without_database(&table("`other`."), "old"),
            table("`other`.")
        );
    }

    #[test]
    fn tables_and_views_come_after_what_they_name() {
        let of = |all: &[(&str, &str)]| -> BTreeMap<String, String> {
            let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
            all.iter().map(owned).collect()
        };
        let views = of(&[
            ("a", "VIEW `a` AS select `b`.`x` AS `x` from `b`"),
            ("b", "VIEW `b` AS select `t`.`a` AS `a` from (`t` join `c`)"),
            ("c", "VIEW `c` AS select `t`.`b` AS `b` from `t`"),
        ]);
        let ordered = views_in_order(&views);
        let expected = ["c", "b", "a"].map(|name| views[name].clone());
        assert_eq!(ordered, expected);
        let table = "CREATE TABLE `x` (\n  `id` int,\n  CONSTRAINT `k` FOREIGN KEY (`id`) REFERENCES `y` (`id`)\n) ENGINE=InnoDB";
        let tables = of(&[("x", table), ("y", "CREATE TABLE `y` (\n  `id` int\n)")]);
        let mut needs = no_needs(&tables);
        needs.insert("x".to_owned(), vec!["y".to_owned()]);
        let expected = ["y", "x"].map(|name| tables[name].clone());
        assert_eq!(tables_in_order(&tables, &needs), expected);
        needs.insert("y".to_owned(), vec!["x".to_owned()]);
        let circle = tables_in_order(&tables, &needs);
        assert_eq!(circle[0], "CREATE TABLE `x` (\n  `id` int\n) ENGINE=InnoDB");
        assert_eq!(
            circle[2],
            "ALTER TABLE `x`\n  ADD CONSTRAINT `k` FOREIGN KEY (`id`) REFERENCES `y` (`id`)"
        );
    }
}
