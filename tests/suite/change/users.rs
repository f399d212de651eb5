//! The users of a declared change, written at random as versions would, and what each row has to hold then.

use std::collections::BTreeMap;

use crate::support::connection::Connection;

/// What a version may write, with what is awkward in it: nothing, blanks, case, accents, quotes.
pub(super) const VALUES: &[Option<&str>] = &[
    None,
    Some(""),
    Some(" "),
    Some("Ada"),
    Some("ada"),
    Some("ADA"),
    Some("Ada "),
    Some(" Ada"),
    Some("Jean Luc Picard"),
    Some("jean luc picard"),
    Some("Åsa Öberg"),
    Some("Asa Oberg"),
    Some("Miles O'Brien"),
    Some("a  b"),
    Some("NULL"),
];

pub(super) fn literal(value: Option<&str>) -> String {
    value.map_or("NULL".to_owned(), |text| {
        format!("'{}'", text.replace('\'', "''"))
    })
}

/// A row as the declaration says that it is: both formats of one name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) full: Option<String>,
    pub(super) first: Option<String>,
    pub(super) last: Option<String>,
}

impl Row {
    pub(super) fn split(full: Option<&str>) -> (Option<String>, Option<String>) {
        let Some(full) = full else {
            return (None, None);
        };
        let (first, last) = full.split_once(' ').unwrap_or((full, ""));
        (Some(first.to_owned()), Some(last.to_owned()))
    }

    pub(super) fn joined(&self) -> Option<String> {
        let last = self.last.clone().filter(|last| !last.is_empty());
        let parts: Vec<String> = self.first.iter().chain(&last).cloned().collect();
        Some(parts.join(" "))
    }

    pub(super) fn new_format(&self) -> (Option<String>, Option<String>) {
        (self.first.clone(), self.last.clone())
    }

    pub(super) fn agrees(&self) -> bool {
        Self::split(self.full.as_deref()) == self.new_format() || self.joined() == self.full
    }

    /// After it was written over `before`, or as a new row. On SQLite, where a trigger cannot tell an application's update
    /// from that of another trigger, an old format that agrees already changes nothing.
    pub(super) fn settled(mut self, before: Option<&Self>, backend: &str) -> Self {
        let nothing_new = match before {
            None => self.first.is_none() && self.last.is_none(),
            Some(before) => self.new_format() == before.new_format(),
        };
        let nothing_old = before.is_some_and(|before| before.full == self.full);
        let is_left = backend == "sqlite" && before.is_some() && self.agrees();
        if nothing_new && !nothing_old && !is_left {
            (self.first, self.last) = Self::split(self.full.as_deref());
        } else if !nothing_new && !self.agrees() {
            self.full = self.joined();
        }
        self
    }
}

/// The table as it has to be, beside the one that the database has.
pub(super) struct Users {
    pub(super) connection: Connection,
    pub(super) rows: BTreeMap<u64, Row>,
    pub(super) random: fastrand::Rng,
    pub(super) backend: &'static str,
    pub(super) next: u64,
}

impl Users {
    pub(super) fn any(&mut self) -> Option<&'static str> {
        *self.random.choice(VALUES).expect("there are some")
    }

    pub(super) fn some_id(&mut self) -> Option<u64> {
        let ids: Vec<u64> = self.rows.keys().copied().collect();
        self.random.choice(ids)
    }

    pub(super) fn insert(&mut self, columns: &[&str], values: &[Vec<Option<&str>>]) {
        let mut tuples = Vec::new();
        for values in values {
            let id = self.next;
            self.next += 1;
            let row = filled(Row::default(), columns, values).settled(None, self.backend);
            self.rows.insert(id, row);
            let mut tuple = vec![id.to_string()];
            tuple.extend(values.iter().map(|value| literal(*value)));
            tuples.push(format!("({})", tuple.join(", ")));
        }
        let mut names = vec!["id"];
        names.extend(columns);
        self.connection.execute(&format!(
            "INSERT INTO users ({}) VALUES {}",
            names.join(", "),
            tuples.join(", ")
        ));
    }

    pub(super) fn update(&mut self, id: u64, columns: &[&str], values: &[Option<&str>]) {
        let before = self.rows.get(&id).cloned().expect("the row is there");
        let row = filled(before.clone(), columns, values).settled(Some(&before), self.backend);
        self.rows.insert(id, row);
        let set: Vec<String> = columns
            .iter()
            .zip(values)
            .map(|(name, value)| format!("{name} = {}", literal(*value)))
            .collect();
        self.connection.execute(&format!(
            "UPDATE users SET {} WHERE id = {id}",
            set.join(", ")
        ));
    }

    /// Writes a row that is there, or is not, in one statement.
    pub(super) fn upsert(&mut self, id: u64, column: &str, value: Option<&str>) {
        let before = self.rows.get(&id).cloned();
        let written = filled(before.clone().unwrap_or_default(), &[column], &[value]);
        let row = written.settled(before.as_ref(), self.backend);
        self.rows.insert(id, row);
        self.next = self.next.max(id + 1);
        let value = literal(value);
        let instead = if self.backend == "mysql" {
            format!("ON DUPLICATE KEY UPDATE {column} = {value}")
        } else {
            format!("ON CONFLICT (id) DO UPDATE SET {column} = {value}")
        };
        self.connection.execute(&format!(
            "INSERT INTO users (id, {column}) VALUES ({id}, {value}) {instead}"
        ));
    }

    pub(super) fn replace(&mut self, id: u64, value: Option<&str>) {
        if self.backend == "postgres" {
            return;
        }
        let row = filled(Row::default(), &["full_name"], &[value]).settled(None, self.backend);
        self.rows.insert(id, row);
        let value = literal(value);
        self.connection.execute(&format!(
            "REPLACE INTO users (id, full_name) VALUES ({id}, {value})"
        ));
    }

    pub(super) fn move_key(&mut self, id: u64) {
        let to = self.next;
        self.next += 1;
        let row = self.rows.remove(&id).expect("the row is there");
        self.rows.insert(to, row);
        self.connection
            .execute(&format!("UPDATE users SET id = {to} WHERE id = {id}"));
    }

    pub(super) fn step(&mut self) {
        const OLD: &[&str] = &["full_name"];
        const NEW: &[&str] = &["first_name", "last_name"];
        const ALL: &[&str] = &["full_name", "first_name", "last_name"];
        let sets: [&[&str]; 5] = [OLD, NEW, ALL, &["first_name"], &["last_name"]];
        let columns = *self.random.choice(&sets).expect("there are some");
        let values = |of: &mut Self| columns.iter().map(|_| of.any()).collect::<Vec<_>>();
        let event = self.random.u8(0..10);
        match (event, self.some_id()) {
            (0 | 1, _) | (_, None) => {
                let rows = self.random.usize(1..4);
                let values: Vec<_> = (0..rows).map(|_| values(self)).collect();
                self.insert(columns, &values);
            }
            (2, Some(id)) => self.move_key(id),
            (3, Some(id)) => {
                let column = *self.random.choice(ALL).expect("there are some");
                let id = if self.random.bool() { id } else { self.next };
                let value = self.any();
                self.upsert(id, column, value);
            }
            (4, Some(id)) => {
                let value = self.any();
                self.replace(id, value);
            }
            (_, Some(id)) => {
                let values = values(self);
                self.update(id, columns, &values);
            }
        }
    }

    #[track_caller]
    pub(super) fn compare(&mut self, after: &str) {
        let found = self
            .connection
            .query("SELECT id, full_name, first_name, last_name FROM users ORDER BY id");
        let shown = |value: &Option<String>| {
            value
                .clone()
                .map_or("NULL".to_owned(), |text| format!("<{text}>"))
        };
        let found: Vec<String> = found.into_iter().map(|row| row.join("|")).collect();
        let wanted: Vec<String> = self
            .rows
            .iter()
            .map(|(id, row)| {
                let plain =
                    |value: &Option<String>| value.clone().unwrap_or_else(|| "NULL".to_owned());
                assert!(
                    row.agrees(),
                    "{id}: {} {} {}",
                    shown(&row.full),
                    shown(&row.first),
                    shown(&row.last)
                );
                format!(
                    "{id}|{}|{}|{}",
                    plain(&row.full),
                    plain(&row.first),
                    plain(&row.last)
                )
            })
            .collect();
        assert_eq!(found, wanted, "{after}");
    }
}

pub(super) fn filled(mut row: Row, columns: &[&str], values: &[Option<&str>]) -> Row {
    for (column, value) in columns.iter().zip(values) {
        let value = value.map(str::to_owned);
        match *column {
            "full_name" => row.full = value,
            "first_name" => row.first = value,
            _ => row.last = value,
        }
    }
    row
}
