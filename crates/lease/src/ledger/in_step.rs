//! What is remembered of the triggers that keep the formats of migrations in step: what marks they had when all was in order,
//! and whether they have been missed since.
//!
//! It stands in rows of `meta` behind the few of the ledger's own, because every role that registers may read that table, so the door
//! knows of it without a new right. Earlier builds look at the first rows alone.

use super::{Ledger, LedgerError, View};
use crate::database::{MarksSeen, MarksTell, Row, TriggerMark, TriggerMarks};
use crate::model::{Live, MigrationState};

/// How many rows of `meta` a migration has room for, and where the first of them stand.
const ROOM: i64 = 100;
const FIRST: i64 = 1000;
/// Stands between a table, a trigger and its mark, because no name holds it.
const BETWEEN: char = '\u{1f}';
/// As much as a text there may have on every database.
const MOST: usize = 250;

/// What the triggers of a migration are compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InStep {
    pub number: u64,
    /// Which database the marks are of.
    pub place: String,
    /// What was missed, as long as nobody has seen it to be back.
    pub missed: Option<String>,
    pub marks: Vec<KnownMark>,
}

/// The mark of a trigger when all was in order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KnownMark {
    pub table: String,
    pub name: String,
    pub mark: String,
    pub is: Standing,
}

/// What a trigger is to the migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It has the name that expand.sql gives it.
    Own,
    /// It is another one of the same table, where none has that name: one of these does it.
    Instead,
}

/// What has become of a trigger since it was looked at, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Touched {
    Gone(String),
    /// Something is there that does the same, and it is not what was there.
    Again(String),
}

impl InStep {
    /// What shows that a trigger was made anew since, or is not there, in words; nothing where all is as it was, where this is a
    /// copy of the database, in which everything was made anew, or where the catalogue may hide it.
    #[must_use]
    pub fn touched(&self, now: &TriggerMarks) -> Option<Touched> {
        if now.seen == MarksSeen::Part {
            return None;
        }
        let find = |known: &KnownMark| {
            let is_it = |one: &&TriggerMark| {
                one.table.eq_ignore_ascii_case(&known.table)
                    && one.name.eq_ignore_ascii_case(&known.name)
            };
            now.all.iter().find(is_it)
        };
        let is_as_it_was =
            |known: &KnownMark| find(known).is_some_and(|one| one.mark == known.mark && one.fires);
        let is_of_here = self.place == now.place
            || now.tell == MarksTell::Which && self.marks.iter().any(is_as_it_was);
        if !is_of_here {
            return None;
        }
        for known in &self.marks {
            let is_done = match known.is {
                Standing::Own => is_as_it_was(known),
                Standing::Instead => self
                    .marks
                    .iter()
                    .filter(|other| other.is == Standing::Instead && other.table == known.table)
                    .any(is_as_it_was),
            };
            if !is_done {
                let name = format!("the trigger `{}` of `{}`", known.name, known.table);
                return Some(match find(known) {
                    None => Touched::Gone(format!("{name} is not there")),
                    Some(one) if !one.fires => Touched::Gone(format!("{name} is disabled")),
                    Some(_) => {
                        Touched::Again(format!("{name} was made again, or disabled for a while"))
                    }
                });
            }
        }
        None
    }

    /// What it is of, among these.
    pub fn of<'s>(
        &self,
        states: impl IntoIterator<Item = &'s MigrationState>,
    ) -> Option<&'s MigrationState> {
        let mut states = states.into_iter();
        states.find(|state| state.id().number() == self.number)
    }
}

impl View {
    /// Every version that was ever seen, and whoever is live now.
    #[must_use]
    pub fn seen_ever(&self) -> Vec<Live> {
        let placed = self.sightings.iter().filter_map(|sighting| {
            Some(Live {
                service: sighting.service.clone(),
                version: sighting.label.version.clone()?,
            })
        });
        let mut seen: Vec<Live> = placed.chain(self.live_with(&[])).collect();
        seen.sort();
        seen.dedup();
        seen
    }
}

fn first_row(number: u64) -> Option<i64> {
    let number = i64::try_from(number).ok()?;
    number.checked_mul(ROOM)?.checked_add(FIRST)
}

fn shortened(text: &str) -> String {
    text.chars().take(MOST).collect()
}

impl Ledger<'_> {
    /// What is remembered, of every migration between its expand and its contract.
    ///
    /// # Errors
    /// A database error.
    pub async fn in_step(&mut self) -> Result<Vec<InStep>, LedgerError> {
        let sql = format!(
            "SELECT id, format, events, head FROM {{meta}} WHERE id >= {FIRST} ORDER BY id"
        );
        let rows = self.query(&sql, &[]).await?;
        let mut all: Vec<InStep> = Vec::new();
        for row in &rows {
            read(row, &mut all)?;
        }
        Ok(all)
    }

    /// Remembers this in place of what is remembered of the migration.
    pub fn record_in_step(&mut self, record: &InStep) {
        let Some(first) = first_row(record.number) else {
            return;
        };
        self.forget_in_step(record.number);
        let number = i64::try_from(record.number).unwrap_or(i64::MAX);
        let missed = i64::from(record.missed.is_some());
        let heads = [
            (missed, shortened(&record.place)),
            (0, shortened(record.missed.as_deref().unwrap_or_default())),
        ];
        let marks = record.marks.iter().map(|known| {
            let head = format!(
                "{}{BETWEEN}{}{BETWEEN}{}",
                known.table, known.name, known.mark
            );
            (i64::from(known.is == Standing::Own), head)
        });
        // A name that is too long to be kept is not compared.
        let marks = marks.filter(|(_, head)| head.chars().count() <= MOST);
        for (id, (flag, head)) in (first..first + ROOM).zip(heads.into_iter().chain(marks)) {
            self.execute_later(
                "INSERT INTO {meta} (id, format, events, head) VALUES (?, ?, ?, ?)",
                &[id.into(), number.into(), flag.into(), head.into()],
            );
        }
    }

    /// Forgets it: the migration has no sync yet, or none any more.
    pub fn forget_in_step(&mut self, number: u64) {
        if let Some(first) = first_row(number) {
            self.execute_later(
                "DELETE FROM {meta} WHERE id >= ? AND id < ?",
                &[first.into(), (first + ROOM).into()],
            );
        }
    }
}

fn read(row: &Row, all: &mut Vec<InStep>) -> Result<(), LedgerError> {
    let number = u64::try_from(row.int(1)?).unwrap_or_default();
    let (flag, head) = (row.int(2)?, row.text(3)?);
    let at = row
        .int(0)?
        .saturating_sub(first_row(number).unwrap_or(i64::MAX));
    match (at, all.last_mut()) {
        (0, _) => all.push(InStep {
            number,
            place: head.to_owned(),
            missed: (flag != 0).then(String::new),
            marks: Vec::new(),
        }),
        (1, Some(last)) if last.number == number => {
            if let Some(missed) = &mut last.missed {
                head.clone_into(missed);
            }
        }
        (2.., Some(last)) if last.number == number => {
            let mut parts = head.split(BETWEEN).map(ToOwned::to_owned);
            if let (Some(table), Some(name), Some(mark)) =
                (parts.next(), parts.next(), parts.next())
            {
                last.marks.push(KnownMark {
                    table,
                    name,
                    mark,
                    is: if flag == 0 {
                        Standing::Instead
                    } else {
                        Standing::Own
                    },
                });
            }
        }
        // Of a later build.
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::MarksTell::{Where, Which};
    use super::*;

    /// What a database has, by the place and the marks of its two triggers.
    fn now(place: &str, tell: MarksTell, marks: [&str; 2]) -> TriggerMarks {
        let all = ["old_to_new", "new_to_old"].iter().zip(marks);
        let all = all.map(|(name, mark)| TriggerMark {
            table: "users".to_owned(),
            name: (*name).to_owned(),
            mark: mark.to_owned(),
            fires: true,
        });
        TriggerMarks {
            place: place.to_owned(),
            all: all.collect(),
            seen: MarksSeen::All,
            tell,
        }
    }

    #[test]
    fn a_copy_is_told_from_a_ledger_whose_table_was_made_anew() {
        let known = now("1", MarksTell::Which, ["10", "11"]);
        let marks = known.all.iter().map(|one| KnownMark {
            table: one.table.clone(),
            name: one.name.clone(),
            mark: one.mark.clone(),
            is: Standing::Own,
        });
        let record = InStep {
            number: 1,
            place: known.place.clone(),
            missed: None,
            marks: marks.collect(),
        };
        for (place, tell, marks, is_touched) in [
            ("1", Which, ["10", "11"], false),
            ("1", Which, ["10", "12"], true),
            // A dump that was read back.
            ("2", Which, ["20", "21"], false),
            // OPTIMIZE of the ledger's table, alone and after a trigger was made again.
            ("2", Which, ["10", "11"], false),
            ("2", Which, ["10", "12"], true),
            // What a copy may say as well.
            ("2", Where, ["10", "12"], false),
        ] {
            let touched = record.touched(&now(place, tell, marks));
            assert_eq!(touched.is_some(), is_touched, "{place} {marks:?}");
        }
    }
}
