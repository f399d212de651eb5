//! Statements that store code in the schema. It runs later, for live versions, under the sql_mode of the session that made
//! it: so that is the server's own.

use super::Mysql;
use crate::database::{DatabaseError, LockTimeout};

impl Mysql {
    /// Has a statement of the user's read as the server has it. Answers what puts the session back.
    pub(super) async fn take_scripts_mode(&mut self) -> Result<Option<String>, DatabaseError> {
        let Some(modes) = self.modes.clone() else {
            return Ok(None);
        };
        let Some(scripts) = &modes.scripts else {
            return Ok(None);
        };
        let set = |mode: &str| format!("SET SESSION sql_mode = '{mode}'");
        self.plain(&set(scripts)).await?;
        Ok(Some(set(&modes.own)))
    }

    /// Puts the session back, whatever has become of the statement.
    pub(super) async fn put_back(&mut self, restore: Option<String>) -> Result<(), DatabaseError> {
        let Some(restore) = restore else {
            return Ok(());
        };
        if self.stop.is_lost {
            return Ok(());
        }
        self.stop.ending();
        let restored = self.plain(&restore).await;
        self.stop.ended();
        restored.map(drop)
    }

    /// Lets the session have the server's own sql_mode until its limits are put back.
    pub(super) async fn take_servers_mode(&mut self) -> Result<(), DatabaseError> {
        let Some(modes) = self.modes.clone() else {
            return Ok(());
        };
        let own = format!("SET SESSION sql_mode = '{}'", modes.own);
        self.restore = Some(match self.restore.take() {
            Some(others) => format!("{others};\n{own}"),
            None => own,
        });
        let set = format!("SET SESSION sql_mode = '{}'", modes.servers);
        self.plain(&set).await.map(drop)
    }

    /// Runs a statement of the user's that commits by itself.
    pub(super) async fn run_committing(
        &mut self,
        sql: &str,
        limit: LockTimeout,
    ) -> Result<u64, DatabaseError> {
        self.set_limits(limit).await?;
        let mode = if stores_code(sql) {
            self.take_servers_mode().await?;
            None
        } else {
            self.take_scripts_mode().await?
        };
        self.untransactional = None;
        let ran = self.run_heard(sql).await;
        let mode = self.put_back(mode).await;
        let limits = self.restore.take();
        let restored = self.put_back(limits).await.and(mode);
        let rows = ran?;
        restored?;
        Ok(rows)
    }

    /// Runs a statement of ours that commits by itself.
    pub(super) async fn run_own_committing(
        &mut self,
        sql: &str,
        limit: LockTimeout,
    ) -> Result<(), DatabaseError> {
        self.set_limits(limit).await?;
        self.untransactional = None;
        let ran = self.run_heard(sql).await;
        let limits = self.restore.take();
        let restored = self.put_back(limits).await;
        ran?;
        restored
    }
}

/// Whether a statement makes a trigger, a routine, an event or a view. As mysqldump writes them, parts of it stand in
/// comments that the server reads.
fn stores_code(sql: &str) -> bool {
    const CODE: &[&str] = &[
        "TRIGGER",
        "PROCEDURE",
        "FUNCTION",
        "EVENT",
        "VIEW",
        "PACKAGE",
    ];
    const OTHER: &[&str] = &[
        "TABLE",
        "INDEX",
        "DATABASE",
        "SCHEMA",
        "USER",
        "ROLE",
        "SEQUENCE",
        "SERVER",
        "TABLESPACE",
    ];
    let mut words = words(sql).map(str::to_ascii_uppercase);
    if !matches!(words.next().as_deref(), Some("CREATE" | "ALTER")) {
        return false;
    }
    let kind = words.find(|word| CODE.contains(&word.as_str()) || OTHER.contains(&word.as_str()));
    kind.is_some_and(|word| CODE.contains(&word.as_str()))
}

/// The words outside of quotes, without what is a number.
fn words(sql: &str) -> impl Iterator<Item = &str> {
    let mut quote = None;
    let unquoted = move |c: char| {
        if quote.is_none() && matches!(c, '\'' | '"' | '`') {
            quote = Some(c);
            return true;
        }
        let is_quoted = quote.is_some();
        if quote == Some(c) {
            quote = None;
        }
        is_quoted || !(c.is_alphanumeric() || c == '_' || c == '$')
    };
    sql.split(unquoted)
        .filter(|word| word.starts_with(|c: char| c.is_alphabetic()))
}

#[cfg(test)]
mod tests {
    use super::stores_code;

    #[test]
    fn code_is_told_from_the_rest() {
        for sql in [
            "CREATE TRIGGER tg BEFORE INSERT ON t FOR EACH ROW SET NEW.a = NEW.b",
            "create or replace definer = `table`@'%' sql security invoker view v as select 1",
            "CREATE DEFINER=CURRENT_USER PROCEDURE p() BEGIN END",
            "CREATE AGGREGATE FUNCTION f RETURNS INT SONAME 'x'",
            "/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER a AFTER INSERT ON t FOR EACH ROW SET @a = 1 */",
            "ALTER EVENT e ENABLE",
            "ALTER ALGORITHM = MERGE VIEW v AS SELECT 1",
        ] {
            assert!(stores_code(sql), "{sql}");
        }
        for sql in [
            "CREATE TABLE trigger_log (a int)",
            "CREATE UNIQUE INDEX `VIEW` ON t (a)",
            "ALTER TABLE t ADD COLUMN event int",
            "UPDATE t SET a = 'CREATE VIEW'",
            "DROP TRIGGER tg",
            "CREATE TABLE t (a int)",
        ] {
            assert!(!stores_code(sql), "{sql}");
        }
    }
}
