//! Reads a TOML document table by table and collects every problem instead of stopping at the first.

#[cfg(test)]
pub(super) mod asked;
mod given;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::Range;
use std::str::FromStr;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{closest, listed};
use super::source::Source;

/// Something in the document, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Located<T> {
    pub value: T,
    pub span: Range<usize>,
}

impl<T> Located<T> {
    pub fn map<U>(self, with: impl FnOnce(T) -> U) -> Located<U> {
        Located {
            value: with(self.value),
            span: self.span,
        }
    }
}

pub(super) use given::Given;

/// One table of a document. It learns the keys it may have by being asked for them.
pub(super) struct Table<'s> {
    source: &'s Source,
    entries: &'s DeTable<'s>,
    /// How it is headed: `[services.web]`; empty for the top of the file.
    name: String,
    span: Range<usize>,
    asked: Vec<&'static str>,
}

impl<'s> Table<'s> {
    pub fn top(source: &'s Source, entries: &'s DeTable<'s>) -> Self {
        Self {
            source,
            entries,
            name: String::new(),
            span: 0..0,
            asked: Vec::new(),
        }
    }

    /// Its header, or the whole of an inline table.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    fn place(&self) -> String {
        if self.name.is_empty() {
            "at the top of this file".to_owned()
        } else {
            format!("in `{}`", self.name)
        }
    }

    fn get(&mut self, key: &'static str) -> Option<&'s Spanned<DeValue<'s>>> {
        #[cfg(test)]
        asked::note(&self.name, key);
        self.asked.push(key);
        self.entries.get(key)
    }

    pub fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// A key that is known and of no use here; somebody says why.
    pub fn known(&mut self, key: &'static str) {
        self.asked.push(key);
    }

    /// Where `key` itself is written.
    pub fn key_span(&self, key: &str) -> Option<Range<usize>> {
        self.entries.get_key_value(key).map(|(key, _)| key.span())
    }

    /// Where the value of `key` is written.
    pub fn value_span(&self, key: &str) -> Option<Range<usize>> {
        self.entries.get(key).map(Spanned::span)
    }

    /// Where one of the values of the array `key` is written, counted from 0.
    pub fn item_span(&self, key: &str, index: usize) -> Option<Range<usize>> {
        let array = self.entries.get(key)?.get_ref().as_array()?;
        array.get(index).map(Spanned::span)
    }

    /// The text of `key`, if it is one; whoever reads it says what is wrong with it.
    pub fn text(&self, key: &str) -> Option<&'s str> {
        self.entries.get(key)?.get_ref().as_str()
    }

    pub fn is_array(&self, key: &str) -> bool {
        let value = self.entries.get(key);
        value.is_some_and(|value| value.get_ref().is_array())
    }

    fn wrong_type(&self, key: &str, value: &Spanned<DeValue<'_>>, wanted: &str, example: &str) {
        let found = match value.get_ref() {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "an integer",
            DeValue::Float(_) => "a float",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "an array",
            DeValue::Table(_) => "a table",
        };
        self.source.error(
            "wrong-type",
            value.span(),
            format!("`{key}` must be {wanted}, and this is {found}"),
            format!("write for example `{example}`"),
        );
    }

    /// A string that is not blank.
    pub fn string(&mut self, key: &'static str, example: &str) -> Option<Located<&'s str>> {
        let value = self.get(key)?;
        let Some(text) = value.get_ref().as_str() else {
            self.wrong_type(key, value, "a string", example);
            return None;
        };
        if text.trim().is_empty() {
            self.source.error(
                "empty-value",
                value.span(),
                format!("`{key}` is empty"),
                format!("write for example `{example}`"),
            );
            return None;
        }
        Some(Located {
            value: text,
            span: value.span(),
        })
    }

    pub fn required_string(
        &mut self,
        key: &'static str,
        example: &str,
    ) -> Option<Located<&'s str>> {
        if !self.has(key) {
            self.missing(key, example);
        }
        self.string(key, example)
    }

    pub fn missing(&self, key: &str, example: &str) {
        self.source.error(
            "missing-key",
            self.span(),
            format!("`{key}` is missing {}", self.place()),
            format!("write for example `{example}`"),
        );
    }

    /// A string that is one of `choices`.
    pub fn choice<T: Copy>(&mut self, key: &'static str, choices: &[(&str, T)]) -> Option<T> {
        let first = choices.first().map_or("", |(name, _)| name);
        let text = self.string(key, &format!("{key} = \"{first}\""))?;
        let names = || choices.iter().map(|(name, _)| *name);
        if let Some((_, choice)) = choices.iter().find(|(name, _)| *name == text.value) {
            return Some(*choice);
        }
        let guess = closest(text.value, names());
        self.source.error(
            "unknown-value",
            text.span,
            format!("`{key}` cannot be `{}`", text.value),
            match guess {
                Some(guess) => format!("did you mean `{guess}`? It can be {}", listed(names())),
                None => format!("it can be {}", listed(names())),
            },
        );
        None
    }

    /// A string that is read as a `T`, whose error says what is wrong.
    pub fn parsed<T: FromStr<Err: Display>>(
        &mut self,
        key: &'static str,
        code: &'static str,
        example: &str,
    ) -> Option<T> {
        let text = self.string(key, example)?;
        match text.value.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                let help = format!("write for example `{example}`");
                self.source.error(code, text.span, error.to_string(), help);
                None
            }
        }
    }

    /// A whole number between `least` and `most`.
    pub fn count(&mut self, key: &'static str, limits: (u64, u64)) -> Option<u64> {
        let (least, most) = limits;
        let value = self.get(key)?;
        let example = format!("{key} = {}", least.max(1));
        let Some(number) = value.get_ref().as_integer() else {
            self.wrong_type(key, value, "a whole number", &example);
            return None;
        };
        let read = u64::from_str_radix(number.as_str(), number.radix()).ok();
        let allowed = read.filter(|number| (least..=most).contains(number));
        if allowed.is_none() {
            self.source.error(
                "out-of-range",
                value.span(),
                format!("`{key}` must be between {least} and {most}"),
                format!("write for example `{example}`"),
            );
        }
        allowed
    }

    /// Whole numbers, each within `limits`.
    pub fn counts(
        &mut self,
        key: &'static str,
        example: &str,
        limits: (u64, u64),
    ) -> Option<Located<Vec<u64>>> {
        let (least, most) = limits;
        let value = self.get(key)?;
        let Some(array) = value.get_ref().as_array() else {
            self.wrong_type(key, value, "an array of whole numbers", example);
            return None;
        };
        let mut numbers = Vec::new();
        for item in array.iter() {
            let Some(number) = item.get_ref().as_integer() else {
                self.wrong_type(key, item, "an array of whole numbers", example);
                return None;
            };
            let read = u64::from_str_radix(number.as_str(), number.radix()).ok();
            match read.filter(|number| (least..=most).contains(number)) {
                Some(number) => numbers.push(number),
                None => {
                    self.source.error(
                        "out-of-range",
                        item.span(),
                        format!("each of `{key}` must be between {least} and {most}"),
                        format!("write for example `{example}`"),
                    );
                    return None;
                }
            }
        }
        Some(Located {
            value: numbers,
            span: value.span(),
        })
    }

    pub fn flag(&mut self, key: &'static str) -> Option<bool> {
        let value = self.get(key)?;
        let read = value.get_ref().as_bool();
        if read.is_none() {
            self.wrong_type(key, value, "`true` or `false`", &format!("{key} = true"));
        }
        read
    }

    /// A number, with or without a fraction.
    pub fn number(&mut self, key: &'static str, example: &str) -> Option<f64> {
        let value = self.get(key)?;
        let read = match value.get_ref() {
            DeValue::Float(number) => number.as_str().replace('_', "").parse().ok(),
            DeValue::Integer(number) if number.radix() == 10 => {
                number.as_str().replace('_', "").parse().ok()
            }
            _ => None,
        };
        if read.is_none() {
            self.wrong_type(key, value, "a number", example);
        }
        read
    }

    /// A duration such as `"10m"`, of at least a millisecond and at most `longest`.
    pub fn duration(&mut self, key: &'static str, longest: Duration) -> Option<Located<Duration>> {
        self.duration_by(key, longest, super::duration::read)
    }

    /// As [`Self::duration`], and `0s` is one.
    pub fn duration_or_none(
        &mut self,
        key: &'static str,
        longest: Duration,
    ) -> Option<Located<Duration>> {
        self.duration_by(key, longest, super::duration::read_or_none)
    }

    fn duration_by(
        &mut self,
        key: &'static str,
        longest: Duration,
        read: impl Fn(&str, Duration) -> Result<Duration, String>,
    ) -> Option<Located<Duration>> {
        let text = self.string(key, &format!("{key} = \"10m\""))?;
        match read(text.value, longest) {
            Ok(value) => Some(Located {
                value,
                span: text.span,
            }),
            Err(reason) => {
                self.source.error(
                    "bad-duration",
                    text.span,
                    format!("`{key}` {reason}"),
                    "write a number and a unit, for example \"500ms\", \"30s\", \"10m\", \"24h\" or \"7d\"",
                );
                None
            }
        }
    }

    /// An array of strings, none of them blank.
    pub fn strings(&mut self, key: &'static str, example: &str) -> Option<Vec<Located<&'s str>>> {
        let value = self.get(key)?;
        let Some(array) = value.get_ref().as_array() else {
            self.wrong_type(key, value, "an array of strings", example);
            return None;
        };
        let mut strings = Vec::new();
        for item in array.iter() {
            match item.get_ref().as_str() {
                Some(text) if !text.trim().is_empty() => strings.push(Located {
                    value: text,
                    span: item.span(),
                }),
                Some(_) => self.source.error(
                    "empty-value",
                    item.span(),
                    format!("a string in `{key}` is empty"),
                    "fill it in or remove it",
                ),
                None => self.wrong_type(key, item, "an array of strings", example),
            }
        }
        Some(strings)
    }

    fn within(&self, key: &str, value: &'s Spanned<DeValue<'s>>, form: &str) -> Option<Self> {
        let name = match self.name.trim_matches(['[', ']']) {
            "" => form.replace('_', key),
            parent => form.replace('_', &format!("{parent}.{key}")),
        };
        let Some(entries) = value.get_ref().as_table() else {
            self.wrong_type(key, value, "a table", &format!("{name} …"));
            return None;
        };
        Some(Self {
            source: self.source,
            entries,
            name,
            span: value.span(),
            asked: Vec::new(),
        })
    }

    pub fn table(&mut self, key: &'static str) -> Option<Self> {
        let value = self.get(key)?;
        self.within(key, value, "[_]")
    }

    /// An array of tables: `[[key]]`, or inline.
    pub fn tables(&mut self, key: &'static str) -> Option<Vec<Self>> {
        let value = self.get(key)?;
        let Some(array) = value.get_ref().as_array() else {
            let example = format!("[[{}]]", key);
            self.wrong_type(key, value, "an array of tables", &example);
            return None;
        };
        let tables = array.iter();
        Some(
            tables
                .filter_map(|item| self.within(key, item, "[[_]]"))
                .collect(),
        )
    }

    /// The tables under `key`, whose names are free: `[services.web]`.
    pub fn named_tables(&mut self, key: &'static str) -> Vec<(Located<&'s str>, Self)> {
        let Some(parent) = self.table(key) else {
            return Vec::new();
        };
        let mut named: Vec<_> = parent
            .entries
            .iter()
            .filter_map(|(name, value)| {
                let located = Located {
                    value: &**name.get_ref(),
                    span: name.span(),
                };
                Some((located, parent.within(name.get_ref(), value, "[_]")?))
            })
            .collect();
        named.sort_by_key(|(name, _)| name.span.start);
        named
    }

    /// A table of strings, whose keys are free.
    pub fn named_strings(
        &mut self,
        key: &'static str,
        example: &str,
    ) -> BTreeMap<&'s str, Located<&'s str>> {
        let Some(table) = self.table(key) else {
            return BTreeMap::new();
        };
        let entries = table.entries.iter();
        entries
            .filter_map(|(name, value)| {
                let Some(text) = value.get_ref().as_str() else {
                    table.wrong_type(name.get_ref(), value, "a string", example);
                    return None;
                };
                let located = Located {
                    value: text,
                    span: value.span(),
                };
                Some((&**name.get_ref(), located))
            })
            .collect()
    }

    /// Reports every key that nobody asked for. `places` says where a key belongs that is in the
    /// wrong table, which in TOML happens by writing it after a header.
    pub fn finish(self, places: &[(&str, &str)]) {
        for (key, _) in self.entries {
            let name = key.get_ref().as_ref();
            if self.asked.contains(&name) {
                continue;
            }
            let place = places.iter().find(|(known, _)| *known == name);
            let help = if let Some((_, place)) = place {
                format!("`{name}` belongs {place}")
            } else if let Some(guess) = closest(name, self.asked.iter().copied()) {
                format!("did you mean `{guess}`?")
            } else {
                let known = listed(self.asked.iter().copied());
                format!("the keys {} are {known}", self.place())
            };
            self.source.error(
                "unknown-key",
                key.span(),
                format!("there is no key `{name}` {}", self.place()),
                help,
            );
        }
    }
}
