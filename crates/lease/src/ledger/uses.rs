//! What looks at a server's counters have shown of the statements that name what a contract takes away.
//!
//! This table came later than the others, and a ledger without it is no older for it: nobody has looked yet.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::{Ledger, LedgerError, tables};
use crate::database::{Access, Connection, ErrorKind, Row};

/// What the looks so far have shown, for one migration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UseRecord {
    /// What goes. What was seen of something else says nothing.
    pub subject: String,
    /// Which counters these are: others begin anew.
    pub counters: String,
    /// For how many statements the server has had no room.
    pub evicted: i64,
    /// Since when looks follow one another without a gap, in milliseconds since the epoch.
    pub since: i64,
    /// Why they do so only since then; empty where the first look of all was then.
    pub began: String,
    /// When the last look was taken.
    pub at: i64,
    pub statements: Vec<CountedUse>,
}

impl UseRecord {
    /// What the last look has shown of a statement, by its text and by who sends it.
    #[must_use]
    pub fn of(&self, text: &str, roles: &str) -> Option<&CountedUse> {
        let mut all = self.statements.iter();
        all.find(|one| one.text == text && one.roles == roles)
    }
}

/// A statement that names what goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountedUse {
    /// Without its values.
    pub text: String,
    /// Who has sent it, where the server tells.
    pub roles: String,
    /// How often, at the last look.
    pub calls: i64,
    /// The look that showed it to be sent since the one before; 0 where none has yet.
    pub grew_at: i64,
}

const USES: &str =
    "SELECT number, subject, counters, evicted, since, began, at, statements FROM {uses}";

impl Ledger<'_> {
    /// By the number of the migration, in a transaction of its own; nothing in a ledger without this table.
    ///
    /// # Errors
    /// A database error, or contents that this program did not write.
    pub async fn uses(
        connection: &mut dyn Connection,
    ) -> Result<BTreeMap<u64, UseRecord>, LedgerError> {
        let Some(mut ledger) = Ledger::read(connection).await? else {
            return Ok(BTreeMap::new());
        };
        let read = ledger.query(USES, &[]).await;
        ledger.rollback().await?;
        match read {
            Ok(rows) => rows.iter().map(read_one).collect(),
            Err(LedgerError::Database(error)) if error.kind == ErrorKind::NoTable => {
                Ok(BTreeMap::new())
            }
            Err(error) => Err(error),
        }
    }

    /// Makes this table in a ledger that has none. Only who watches needs it, and rights on it.
    ///
    /// # Errors
    /// A database error.
    pub async fn complete_uses(connection: &mut dyn Connection) -> Result<(), LedgerError> {
        connection.begin(Access::Read).await?;
        let is_there = tables::exists(connection, "uses").await;
        connection.rollback().await?;
        if is_there? {
            return Ok(());
        }
        tables::create_missing(connection).await
    }

    /// Remembers what a look has shown, in place of what the one before has.
    pub fn record_uses(&mut self, number: u64, record: &UseRecord) {
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        let statements: Vec<Json> = record.statements.iter().map(as_json).collect();
        self.execute_later("DELETE FROM {uses} WHERE number = ?", &[number.into()]);
        self.execute_later(
            "INSERT INTO {uses} (number, subject, counters, evicted, since, began, at, statements) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            &[
                number.into(),
                record.subject.as_str().into(),
                record.counters.as_str().into(),
                record.evicted.into(),
                record.since.into(),
                record.began.as_str().into(),
                record.at.into(),
                Json::from(statements).to_string().as_str().into(),
            ],
        );
    }
}

fn as_json(one: &CountedUse) -> Json {
    // PostgreSQL holds no text with this character.
    let clean = |text: &str| text.replace('\0', "");
    json!({ "text": clean(&one.text), "roles": clean(&one.roles), "calls": one.calls, "grew_at": one.grew_at })
}

fn read_one(row: &Row) -> Result<(u64, UseRecord), LedgerError> {
    let number = row.int(0)?;
    let damaged = || LedgerError::Damaged(format!("what is recorded of the use of {number}"));
    let statements: Vec<Json> = serde_json::from_str(row.text(7)?).map_err(|_| damaged())?;
    let statements = statements.iter().map(|one| {
        let text = |name: &str| one.get(name)?.as_str().map(ToOwned::to_owned);
        let int = |name: &str| one.get(name)?.as_i64();
        Some(CountedUse {
            text: text("text")?,
            roles: text("roles")?,
            calls: int("calls")?,
            grew_at: int("grew_at")?,
        })
    });
    let record = UseRecord {
        subject: row.text(1)?.to_owned(),
        counters: row.text(2)?.to_owned(),
        evicted: row.int(3)?,
        since: row.int(4)?,
        began: row.text(5)?.to_owned(),
        at: row.int(6)?,
        statements: statements.collect::<Option<_>>().ok_or_else(damaged)?,
    };
    Ok((u64::try_from(number).map_err(|_| damaged())?, record))
}
