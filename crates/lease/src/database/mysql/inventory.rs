//! Tables, views, triggers, routines and events, by `information_schema`.

use super::Mysql;
use crate::database::{Connection as _, DatabaseError, Row};
use crate::sql::{
    Attached, DEFAULT, Dependent, Dependents, Dialect, Inventory, ObjectKind, Relation,
    RelationKind, Runs, Visible,
};

/// Stands between the names of columns, because no name holds it.
const BETWEEN: char = '\u{1f}';

const QUERIES: &[&str] = &[
    "SELECT CAST(TABLE_NAME AS CHAR), CAST(TABLE_TYPE AS CHAR) FROM information_schema.TABLES \
     WHERE TABLE_SCHEMA = DATABASE()",
    "SELECT CAST(TABLE_NAME AS CHAR), CAST(COLUMN_NAME AS CHAR) FROM information_schema.COLUMNS \
     WHERE TABLE_SCHEMA = DATABASE() ORDER BY TABLE_NAME",
    "SELECT CAST(TRIGGER_NAME AS CHAR), CAST(EVENT_OBJECT_TABLE AS CHAR), CAST(ACTION_STATEMENT AS CHAR), \
     CONCAT(ACTION_TIMING, ' ', EVENT_MANIPULATION) FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE()",
    // What a role may not read is NULL.
    "SELECT CAST(ROUTINE_NAME AS CHAR), CAST(ROUTINE_DEFINITION AS CHAR), CAST(ROUTINE_TYPE AS CHAR) \
     FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE()",
    "SELECT CAST(EVENT_NAME AS CHAR), CAST(EVENT_DEFINITION AS CHAR), 'EVENT' \
     FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE()",
    "SELECT CAST(TABLE_NAME AS CHAR), CAST(VIEW_DEFINITION AS CHAR), 'VIEW' \
     FROM information_schema.VIEWS WHERE TABLE_SCHEMA = DATABASE()",
    // Triggers are shown to those who may make them.
    "SELECT (SELECT count(*) FROM information_schema.USER_PRIVILEGES WHERE PRIVILEGE_TYPE = 'TRIGGER') \
     + (SELECT count(*) FROM information_schema.SCHEMA_PRIVILEGES WHERE PRIVILEGE_TYPE = 'TRIGGER' \
        AND DATABASE() LIKE TABLE_SCHEMA)",
    "SELECT CAST(REFERENCED_TABLE_NAME AS CHAR), CAST(TABLE_NAME AS CHAR), CAST(CONSTRAINT_NAME AS CHAR), \
     CAST(GROUP_CONCAT(COLUMN_NAME ORDER BY ORDINAL_POSITION SEPARATOR '\u{1f}') AS CHAR), \
     CAST(GROUP_CONCAT(REFERENCED_COLUMN_NAME ORDER BY ORDINAL_POSITION SEPARATOR '\u{1f}') AS CHAR) \
     FROM information_schema.KEY_COLUMN_USAGE WHERE TABLE_SCHEMA = DATABASE() AND REFERENCED_TABLE_SCHEMA = DATABASE() \
     GROUP BY REFERENCED_TABLE_NAME, TABLE_NAME, CONSTRAINT_NAME",
    "SELECT CAST(COLUMN_NAME AS CHAR), CAST(TABLE_NAME AS CHAR), CAST(COLUMN_DEFAULT AS CHAR) FROM information_schema.COLUMNS \
     WHERE TABLE_SCHEMA = DATABASE() AND COLUMN_DEFAULT LIKE '%(%'",
    // A part of a column is another index than the whole of it.
    "SELECT CAST(TABLE_NAME AS CHAR), CAST(INDEX_NAME AS CHAR), \
     CAST(GROUP_CONCAT(CONCAT(COLUMN_NAME, COALESCE(CONCAT('(', SUB_PART, ')'), '')) ORDER BY SEQ_IN_INDEX SEPARATOR ', ') AS CHAR), \
     CAST(GROUP_CONCAT(COLUMN_NAME ORDER BY SEQ_IN_INDEX SEPARATOR '\u{1f}') AS CHAR) \
     FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() AND NON_UNIQUE = 0 AND COLUMN_NAME IS NOT NULL \
     GROUP BY TABLE_NAME, INDEX_NAME ORDER BY 1, 2",
    // MariaDB writes NULL out where a column may be left out.
    "SELECT CAST(TABLE_NAME AS CHAR), CAST(COLUMN_NAME AS CHAR), CAST(COALESCE(COLUMN_DEFAULT, '') AS CHAR), CAST(EXTRA AS CHAR), \
     CASE WHEN COLUMN_DEFAULT IS NULL OR COLUMN_DEFAULT = 'NULL' THEN 0 ELSE 1 END \
     FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() \
     AND (COLUMN_DEFAULT <> 'NULL' OR EXTRA LIKE '%auto_increment%' OR EXTRA LIKE '%on update%') \
     ORDER BY 1, ORDINAL_POSITION",
    // Code of other databases that may name what is in this one, where this user may see it.
    "SELECT CAST(ROUTINE_NAME AS CHAR), CAST(ROUTINE_DEFINITION AS CHAR), CAST(ROUTINE_TYPE AS CHAR), CAST(ROUTINE_SCHEMA AS CHAR), \
     DATABASE() FROM information_schema.ROUTINES \
     WHERE ROUTINE_SCHEMA NOT IN (DATABASE(), 'sys', 'mysql') AND LOCATE(DATABASE(), ROUTINE_DEFINITION) > 0 \
     UNION ALL SELECT CAST(EVENT_NAME AS CHAR), CAST(EVENT_DEFINITION AS CHAR), 'EVENT', CAST(EVENT_SCHEMA AS CHAR), DATABASE() \
     FROM information_schema.EVENTS WHERE EVENT_SCHEMA <> DATABASE() AND LOCATE(DATABASE(), EVENT_DEFINITION) > 0 \
     UNION ALL SELECT CAST(TRIGGER_NAME AS CHAR), CAST(ACTION_STATEMENT AS CHAR), 'TRIGGER', CAST(TRIGGER_SCHEMA AS CHAR), DATABASE() \
     FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA NOT IN (DATABASE(), 'sys') AND LOCATE(DATABASE(), ACTION_STATEMENT) > 0 \
     UNION ALL SELECT CAST(TABLE_NAME AS CHAR), CAST(VIEW_DEFINITION AS CHAR), 'VIEW', CAST(TABLE_SCHEMA AS CHAR), DATABASE() \
     FROM information_schema.VIEWS WHERE TABLE_SCHEMA NOT IN (DATABASE(), 'sys') AND LOCATE(DATABASE(), VIEW_DEFINITION) > 0",
];

impl Mysql {
    pub(super) async fn take_stock(&mut self) -> Result<Inventory, DatabaseError> {
        let queries: Vec<String> = QUERIES.iter().map(|sql| (*sql).to_owned()).collect();
        let results = self.query_all(&queries).await?;
        let mut results = results.into_iter();
        let mut next = || results.next().unwrap_or_default();
        let mut inventory = Inventory {
            code: Dependents::new(Dialect::Mysql),
            relations: Vec::new(),
            attached: Vec::new(),
            visible: Visible::Part,
        };
        for row in next() {
            inventory.relations.push(Relation {
                kind: match row.text(1)? {
                    "VIEW" => RelationKind::View,
                    "SEQUENCE" => RelationKind::Sequence,
                    _ => RelationKind::Table,
                },
                schema: None,
                name: row.text(0)?.to_owned(),
                columns: Vec::new(),
                identity: None,
            });
        }
        for row in next() {
            let (table, column) = (row.text(0)?, row.text(1)?);
            let relation = inventory
                .relations
                .iter_mut()
                .find(|relation| relation.name == table);
            if let Some(relation) = relation {
                relation.columns.push(column.to_owned());
            }
        }
        for row in next() {
            inventory.code.all.push(Dependent {
                table: Some(row.text(1)?.to_owned()),
                body: row.text(2)?.to_owned(),
                header: row.text(3)?.to_owned(),
                ..dependent(&row, ObjectKind::Trigger, "trigger")?
            });
        }
        for row in next().into_iter().chain(next()).chain(next()) {
            let (kind, word) = match row.text(2)? {
                "VIEW" => (ObjectKind::View, "view"),
                "EVENT" => (ObjectKind::Function, "event"),
                "PROCEDURE" => (ObjectKind::Function, "procedure"),
                _ => (ObjectKind::Function, "function"),
            };
            let body = row.optional_text(1)?.unwrap_or_default().to_owned();
            inventory.code.all.push(Dependent {
                body,
                ..dependent(&row, kind, word)?
            });
        }
        let may_see = next().first().map_or(Ok(0), |row| row.int(0))?;
        if may_see > 0 {
            inventory.visible = Visible::All;
        }
        for row in next() {
            inventory.attached.extend(foreign_key(&row)?);
        }
        for row in next() {
            inventory.code.all.push(Dependent {
                table: Some(row.text(1)?.to_owned()),
                body: row.text(2)?.to_owned(),
                ..dependent(&row, ObjectKind::Column, DEFAULT)?
            });
        }
        for row in next() {
            inventory.attached.push(unique(&row)?);
        }
        for row in next() {
            inventory.attached.extend(of_column(&row)?);
        }
        for row in next() {
            inventory.code.database = Some(row.text(4)?.to_owned());
            inventory.code.all.push(elsewhere(&row)?);
        }
        Ok(inventory)
    }
}

/// What keeps rows apart.
fn unique(row: &Row) -> Result<Attached, DatabaseError> {
    let (table, name, on) = (row.text(0)?, row.text(1)?, row.text(2)?);
    let (word, add) = match name {
        "PRIMARY" => ("primary key", "PRIMARY KEY"),
        _ => ("unique index", "UNIQUE"),
    };
    Ok(Attached {
        what: format!("its {word} ({on})"),
        columns: row.text(3)?.split(BETWEEN).map(ToOwned::to_owned).collect(),
        again: format!("ALTER TABLE {table} ADD {add} ({on})"),
        ..of_table(table, name)
    })
}

/// What a column gets where a statement leaves it out.
fn of_column(row: &Row) -> Result<Vec<Attached>, DatabaseError> {
    let (table, column, default) = (row.text(0)?, row.text(1)?, row.text(2)?);
    let extra = row.text(3)?.to_ascii_lowercase();
    let attached = |what: String, detail: &str, again: String| Attached {
        what,
        detail: detail.to_owned(),
        columns: vec![column.to_owned()],
        again,
        ..of_table(table, column)
    };
    let mut found = Vec::new();
    if row.int(4)? != 0 {
        found.push(attached(
            format!("the default of `{column}`"),
            default,
            format!("ALTER TABLE {table} ALTER {column} SET DEFAULT {default}"),
        ));
    }
    if extra.contains("auto_increment") {
        found.push(attached(
            format!("AUTO_INCREMENT of `{column}`"),
            "",
            format!("ALTER TABLE {table} MODIFY {column} … AUTO_INCREMENT"),
        ));
    }
    if let Some(at) = extra.find("on update") {
        let rule = extra.get(at..).unwrap_or_default();
        found.push(attached(
            format!("`{column}` {rule}"),
            "",
            format!("ALTER TABLE {table} MODIFY {column} … {rule}"),
        ));
    }
    Ok(found)
}

/// What it is does not matter to names: it goes by none of ours.
fn elsewhere(row: &Row) -> Result<Dependent, DatabaseError> {
    let word = match row.text(2)? {
        "VIEW" => "view",
        "EVENT" => "event",
        "TRIGGER" => "trigger",
        "PROCEDURE" => "procedure",
        _ => "function",
    };
    Ok(Dependent {
        schema: Some(row.text(3)?.to_owned()),
        body: row.text(1)?.to_owned(),
        runs: Runs::Elsewhere,
        ..dependent(row, ObjectKind::Function, word)?
    })
}

fn of_table(table: &str, name: &str) -> Attached {
    Attached {
        schema: None,
        table: table.to_owned(),
        name: name.to_owned(),
        what: String::new(),
        detail: String::new(),
        number: None,
        with: None,
        columns: Vec::new(),
        again: String::new(),
    }
}

/// What it is to the table that it leads to, and to its own.
fn foreign_key(row: &Row) -> Result<[Attached; 2], DatabaseError> {
    let (parent, child, name) = (row.text(0)?, row.text(1)?, row.text(2)?);
    let columns: Vec<String> = row.text(3)?.split(BETWEEN).map(ToOwned::to_owned).collect();
    let parents: Vec<String> = row.text(4)?.split(BETWEEN).map(ToOwned::to_owned).collect();
    let (of, to) = (columns.join(", "), parents.join(", "));
    let again = format!("ALTER TABLE {child} ADD FOREIGN KEY ({of}) REFERENCES {parent} ({to})");
    let of_parent = Attached {
        schema: None,
        table: parent.to_owned(),
        name: name.to_owned(),
        what: format!("the foreign key of `{child}` ({of})"),
        detail: String::new(),
        number: None,
        with: Some(child.to_owned()),
        columns: columns.clone(),
        again: format!("ALTER TABLE {child} DROP FOREIGN KEY {name}; {again}"),
    };
    let of_child = Attached {
        table: child.to_owned(),
        what: format!("its foreign key ({of}) to `{parent}`"),
        with: None,
        columns,
        again,
        ..of_parent.clone()
    };
    Ok([of_parent, of_child])
}

fn dependent(row: &Row, kind: ObjectKind, word: &'static str) -> Result<Dependent, DatabaseError> {
    Ok(Dependent {
        kind,
        word,
        schema: None,
        name: row.text(0)?.to_owned(),
        table: None,
        header: String::new(),
        body: String::new(),
        calls: None,
        arguments: None,
        runs: Runs::Used,
    })
}
