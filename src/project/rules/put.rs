//! What the code of a trigger puts into the columns of one table, row by row, and whether a rule of that table refuses it.

use crate::sql::{Clash, Deed, Dialect, Insert, Outcome, Table, Value};

use super::asked::Asked;

/// A column, and what it is given.
pub(super) struct Given {
    pub column: String,
    /// `None` if it is left out.
    pub value: Option<Value>,
}

/// How the values come into the table.
enum How<'d> {
    /// The row that fires the code gets them.
    Assigns,
    Inserts(&'d Insert),
    /// Rows that are there get them.
    Updates,
}

/// What is put into one row.
pub(super) struct Row<'d> {
    given: Vec<Given>,
    how: How<'d>,
}

/// Code, and the table that it puts something into.
pub(super) struct Put<'p> {
    pub dialect: Dialect,
    pub table: &'p str,
    /// The table whose rows fire it.
    pub parent: Option<&'p str>,
    /// That table, as earlier migrations leave it.
    pub known: Option<&'p Table>,
    /// The table, as far as expand.sql tells of it.
    pub of: Option<&'p Table>,
    /// Whether expand.sql makes it, so that all its columns are known.
    pub is_whole: bool,
    /// Whether triggers of its own may give it values.
    pub has_triggers: bool,
    pub header: &'p str,
    pub texts: &'p [String],
    pub deeds: &'p [Deed],
}

impl Put<'_> {
    fn is(&self, a: &str, b: &str) -> bool {
        self.dialect.may_be_same_name(a, b)
    }

    /// Whether it is the table whose rows fire the code.
    fn is_of_parent(&self) -> bool {
        self.parent
            .is_some_and(|parent| self.is(parent, self.table))
    }

    pub fn rows(&self) -> Vec<Row<'_>> {
        let mut rows = Vec::new();
        // What an INSERT does where the key is there follows it.
        let mut upserts = false;
        for deed in self.deeds {
            match deed {
                Deed::Assigns { column, value } if self.is_of_parent() => {
                    upserts = false;
                    let is_kept = value.is_itself(self.dialect, column);
                    rows.extend((!is_kept).then(|| self.one(column, value, How::Assigns)));
                }
                Deed::Inserts(insert) => {
                    upserts = insert.clash != Clash::Fails;
                    if self.is(&insert.place.table, self.table) {
                        rows.extend(
                            insert
                                .rows
                                .iter()
                                .filter_map(|row| self.inserted(insert, row)),
                        );
                    }
                }
                Deed::Updates {
                    place,
                    column,
                    value,
                } if !upserts && self.is(&place.table, self.table) => {
                    let is_kept = value.is_just(self.dialect, column);
                    // A name alone may be that of a variable elsewhere.
                    let is_column = self.is_of_parent() && !self.dialect.has_variables();
                    let of_row = value.as_of_row(self.dialect).filter(|_| is_column);
                    let value = of_row.as_ref().unwrap_or(value);
                    rows.extend((!is_kept).then(|| self.one(column, value, How::Updates)));
                }
                Deed::Updates { .. } => {}
                _ => upserts = false,
            }
        }
        rows
    }

    fn one<'d>(&self, column: &str, value: &Value, how: How<'d>) -> Row<'d> {
        Row {
            given: vec![Given {
                column: column.to_owned(),
                value: Some(value.clone()),
            }],
            how,
        }
    }

    fn inserted<'d>(&self, insert: &'d Insert, row: &[Value]) -> Option<Row<'d>> {
        let columns: Vec<&str> = match &insert.columns {
            Some(columns) => columns.iter().map(String::as_str).collect(),
            // Of a table that was there only some columns are known.
            None if self.is_whole => {
                let columns = self.of?.columns.iter();
                columns.map(|column| column.name.as_str()).collect()
            }
            None => return None,
        };
        let is_from_parent = insert
            .from
            .as_deref()
            .is_some_and(|from| self.parent.is_some_and(|parent| self.is(parent, from)));
        let mut given: Vec<Given> = columns
            .iter()
            .zip(row)
            .map(|(column, value)| {
                let of_row = value.as_of_row(self.dialect).filter(|_| is_from_parent);
                Given {
                    column: (*column).to_owned(),
                    value: Some(of_row.unwrap_or_else(|| value.clone())),
                }
            })
            .collect();
        let others = self.of.into_iter().flat_map(|of| &of.columns);
        let others = others.filter(|column| {
            insert.columns.is_some()
                && !column.is_made
                && !columns.iter().any(|named| self.is(named, &column.name))
        });
        let others: Vec<Given> = others
            .map(|column| Given {
                column: column.name.clone(),
                value: column.default.as_ref().map(|default| Value {
                    text: default.clone(),
                }),
            })
            .collect();
        given.extend(others);
        Some(Row {
            given,
            how: How::Inserts(insert),
        })
    }

    /// What the rule refuses of the row.
    pub fn refused(&self, row: Row<'_>, asked: &Asked) -> Option<Given> {
        // Whoever goes on after a refusal does not see one of the row that is written itself.
        let is_own = matches!(row.how, How::Assigns);
        if !is_own && self.texts.iter().any(|text| self.dialect.goes_on(text)) {
            return None;
        }
        let at = match asked {
            Asked::Unique {
                columns,
                name,
                is_primary,
            } => self.doubles(&row, columns, name.as_deref(), *is_primary),
            Asked::Check { columns, condition } => self.fails(&row, columns, condition),
            Asked::NotNull(column) => self.is_null(&row, column),
        }?;
        row.given.into_iter().nth(at)
    }

    fn place(&self, row: &Row<'_>, column: &str) -> Option<usize> {
        let mut given = row.given.iter();
        given.position(|given| self.is(&given.column, column))
    }

    /// Whether two rows may get the same in all of these columns.
    fn doubles(
        &self,
        row: &Row<'_>,
        columns: &[String],
        name: Option<&str>,
        is_primary: bool,
    ) -> Option<usize> {
        let places: Vec<usize> = columns
            .iter()
            .filter_map(|column| self.place(row, column))
            .collect();
        let values: Vec<&Value> = places
            .iter()
            .filter_map(|at| row.given.get(*at)?.value.as_ref())
            .collect();
        let is_inserted = matches!(row.how, How::Inserts(_));
        // What is left out is NULL, or given out by the database.
        if values.is_empty() || is_inserted && values.len() < columns.len() {
            return None;
        }
        let is_null = |value: &&Value| value.outcomes(self.dialect) == [Outcome::Null];
        if values.iter().any(is_null) || values.iter().any(|value| value.is_given_out()) {
            return None;
        }
        if let How::Inserts(insert) = row.how
            && self.passes(insert, columns, name, is_primary)
        {
            return None;
        }
        let looks = |text: &String| self.dialect.looks_up(text, self.table, columns);
        if self.texts.iter().any(looks) {
            return None;
        }
        let mut apart: Vec<String> = values
            .iter()
            .flat_map(|value| value.tells_apart(self.dialect))
            .collect();
        if !is_inserted && self.is_of_parent() {
            let kept = columns
                .iter()
                .filter(|column| self.place(row, column).is_none());
            apart.extend(kept.cloned());
        }
        let is_fine =
            self.is_key(&apart, is_primary) && !(is_inserted && self.comes_again(&values));
        let at = places.into_iter().find(|at| {
            row.given
                .get(*at)
                .is_some_and(|given| given.value.is_some())
        });
        at.filter(|_| !is_fine)
    }

    /// Whether the same row puts the same there a second time: an UPDATE fires the code as well, and nothing of what is put tells one from the next.
    fn comes_again(&self, values: &[&Value]) -> bool {
        let header = self.header.to_lowercase();
        let mut words = header.split(|c: char| !c.is_alphanumeric() && c != '_');
        let is_updated = words.any(|word| word == "update");
        // Who asks what has happened, or takes the one before away, knows of it.
        let knows = |text: &String| {
            let lower = text.to_lowercase();
            ["tg_op", "found", "row_count", "exists"]
                .iter()
                .any(|word| lower.contains(word))
        };
        let is_emptied = self.deeds.iter().any(|deed| {
            matches!(deed, Deed::Deletes { place: Some(place) } if self.is(&place.table, self.table))
        });
        let keys = self
            .known
            .map_or(&[][..], |known| known.primary_key.as_slice());
        let is_kept = |value: &&Value| {
            let outcomes = value.outcomes(self.dialect);
            outcomes.iter().all(|one| match one {
                Outcome::Literal(_) => true,
                Outcome::Column(name) => keys.iter().any(|key| self.is(key, name)),
                Outcome::Null | Outcome::Other => false,
            })
        };
        is_updated
            && !header.contains("when")
            && !is_emptied
            && !self.texts.iter().any(knows)
            && values.iter().all(is_kept)
    }

    /// Whether nothing fails where this key is there already.
    fn passes(
        &self,
        insert: &Insert,
        columns: &[String],
        name: Option<&str>,
        is_primary: bool,
    ) -> bool {
        match &insert.clash {
            Clash::Fails => false,
            Clash::Ignores | Clash::Passes => true,
            Clash::PassesOn(key) => {
                key.len() == columns.len()
                    && key
                        .iter()
                        .all(|one| columns.iter().any(|column| self.is(one, column)))
            }
            Clash::PassesOnKey(key) => match name {
                Some(name) => self.is(key, name),
                None => !self.is_of_another(key, is_primary),
            },
        }
    }

    /// Whether a key has the name of another one than this, which has none that is known.
    fn is_of_another(&self, key: &str, is_primary: bool) -> bool {
        let is_of_primary = self.is(key, &format!("{}_pkey", self.table));
        let mut indexes = self.of.into_iter().flat_map(|of| &of.indexes);
        is_of_primary != is_primary
            && (is_of_primary
                || indexes.any(|index| {
                    let called = index.called(self.dialect, self.table);
                    called.is_some_and(|called| self.is(key, &called))
                }))
    }

    /// Whether no two rows that fire the code have the same in these columns, as far as earlier migrations tell.
    fn is_key(&self, columns: &[String], is_primary: bool) -> bool {
        let has = |name: &String| columns.iter().any(|column| self.is(column, name));
        let Some(known) = self.known.filter(|known| known.is_certain) else {
            // Of a table that no migration makes it is not known; one row for each of its own is what a primary key is for.
            return is_primary && !columns.is_empty() || has(&"id".to_owned());
        };
        let indexes = known
            .indexes
            .iter()
            .filter(|index| index.is_unique && index.is_plain);
        let mut keys = indexes
            .map(|index| &index.columns)
            .chain(std::iter::once(&known.primary_key));
        keys.any(|key| !key.is_empty() && key.iter().all(has))
    }

    /// Whether a CHECK may refuse what is put there.
    fn fails(&self, row: &Row<'_>, columns: &[String], condition: &str) -> Option<usize> {
        if matches!(row.how, How::Inserts(insert) if insert.clash == Clash::Ignores) {
            return None;
        }
        let lower = condition.to_lowercase();
        columns.iter().find_map(|column| {
            let at = self.place(row, column)?;
            let value = row.given.get(at)?.value.as_ref()?;
            if self
                .dialect
                .is_same_condition((condition, column), ("? is not null", "?"))
            {
                return self.is_null(row, column);
            }
            let passes = |outcome: &Outcome| match outcome {
                Outcome::Null => !lower.contains("not null"),
                Outcome::Literal(literal) => {
                    self.dialect.literal_passes(column, literal, condition)
                }
                Outcome::Column(old) => self.is_checked(old, column, condition),
                Outcome::Other => false,
            };
            (!value.outcomes(self.dialect).iter().all(passes)).then_some(at)
        })
    }

    /// Whether the old column has the same CHECK.
    fn is_checked(&self, old: &str, column: &str, condition: &str) -> bool {
        let constraints = self.known.into_iter().flat_map(|known| &known.constraints);
        let mut conditions = constraints.filter_map(|one| one.condition.as_deref());
        conditions.any(|known| {
            self.dialect
                .is_same_condition((known, old), (condition, column))
        })
    }

    /// Whether a column that takes no NULL gets one where the old column has it, and the code does nothing about that.
    fn is_null(&self, row: &Row<'_>, column: &str) -> Option<usize> {
        if matches!(row.how, How::Inserts(insert) if insert.clash == Clash::Ignores) {
            return None;
        }
        let at = self.place(row, column)?;
        let Some(value) = &row.given.get(at)?.value else {
            let is_known = self.is_whole && self.of.is_some_and(|of| of.is_certain);
            let is_key = self
                .of
                .is_some_and(|of| of.primary_key.iter().any(|key| self.is(key, column)));
            return (is_known && !self.has_triggers && !is_key).then_some(at);
        };
        if value.outcomes(self.dialect) == [Outcome::Null] {
            return Some(at);
        }
        let known = self.known.filter(|known| known.is_certain)?;
        let bare = |text: &String, old: &str| {
            matches!(row.how, How::Inserts(insert) if insert.from.is_some())
                && self.dialect.asks_of(text, old)
        };
        let is_met = value.null_with(self.dialect).iter().any(|old| {
            let may_be = known
                .column(self.dialect, old)
                .is_some_and(|column| column.is_nullable && !column.is_made);
            may_be && !self.is_looked_at(old) && !self.texts.iter().any(|text| bare(text, old))
        });
        is_met.then_some(at)
    }

    /// Whether the code does more with a column of the row than to copy it.
    fn is_looked_at(&self, old: &str) -> bool {
        let all = self.texts.iter().map(String::as_str);
        let all = all.chain(std::iter::once(self.header));
        let (mut often, mut copied, mut set) = (0, 0, 0);
        for text in all {
            let named = self.dialect.named_of_row(text, old);
            often += named.often;
            copied += named.compared;
            set += named.set;
        }
        // What an INSERT sets where the key is there is no deed of its own.
        let updates = self.deeds.iter().filter_map(|deed| match deed {
            Deed::Updates { value, .. } => Some(value),
            _ => None,
        });
        let known: usize = updates
            .map(|value| self.dialect.named_of_row(&value.text, old).often)
            .sum();
        copied += set.saturating_sub(known);
        let values = self.deeds.iter().flat_map(|deed| match deed {
            Deed::Assigns { value, .. } | Deed::Updates { value, .. } => vec![value],
            Deed::Inserts(insert) => insert.rows.iter().flatten().collect(),
            _ => Vec::new(),
        });
        for value in values {
            if value
                .null_with(self.dialect)
                .iter()
                .any(|one| self.is(one, old))
            {
                copied += self.dialect.named_of_row(&value.text, old).often;
            }
        }
        often > copied
    }
}
