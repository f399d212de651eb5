//! Which migrations have a word in their scripts: a project of thousands is not read through for every name.
//!
//! Invariant: what is left out does not have the word as a name. What is found may have it in a comment or in a text.

use std::collections::HashMap;

/// The words of the scripts of all migrations, for one database.
#[derive(Default)]
pub(super) struct Mentions {
    /// The places of the migrations that have this word, in their order.
    of: HashMap<String, Vec<usize>>,
    /// Those with a script whose words cannot be told by their letters alone.
    murky: Vec<usize>,
}

impl Mentions {
    /// Adds the scripts of the migration at `place`; those of earlier places were added before.
    pub fn add<'t>(&mut self, place: usize, lower: impl Iterator<Item = &'t str>) {
        let mut is_murky = false;
        for text in lower {
            // `\n` before a name, in a text that is SQL, looks as if the name began with an n.
            is_murky |= text.contains('\\');
            for word in text
                .split(|c| !is_of_word(c))
                .filter(|word| !word.is_empty())
            {
                // `10users` may be two words.
                is_murky |= word.starts_with(|c: char| c.is_ascii_digit()) && !is_number(word);
                match self.of.get_mut(word) {
                    // It is added once, however often it stands there.
                    Some(places) if places.last() == Some(&place) => {}
                    Some(places) => places.push(place),
                    None => {
                        self.of.insert(word.to_owned(), vec![place]);
                    }
                }
            }
        }
        if is_murky {
            self.murky.push(place);
        }
    }

    /// The migrations from `from` to before `upto` that may name all of these, in their order; `None` where each may.
    pub fn of(&self, lower: &[String], from: usize, upto: usize) -> Option<Vec<usize>> {
        let within = |places: &'_ [usize]| {
            let start = places.partition_point(|place| *place < from);
            let end = places.partition_point(|place| *place < upto);
            places.get(start..end).unwrap_or_default().to_vec()
        };
        let words = lower.iter().filter(|name| name.chars().all(is_of_word));
        let of_each = words.map(|word| self.of.get(word.as_str()).map_or(&[][..], Vec::as_slice));
        let mut places = within(of_each.min_by_key(|places| places.len())?);
        places.extend(within(&self.murky));
        places.sort_unstable();
        places.dedup();
        Some(places)
    }
}

/// Whatever a name has without quotes, on any database; a `$` may also stand beside one.
fn is_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii()
}

fn is_number(word: &str) -> bool {
    word.chars().all(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(texts: &[&str], names: &[&str]) -> Option<Vec<usize>> {
        let mut mentions = Mentions::default();
        for (place, text) in texts.iter().enumerate() {
            mentions.add(place, std::iter::once(*text));
        }
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        mentions.of(&names, 0, texts.len())
    }

    #[test]
    fn a_name_is_found_wherever_a_database_may_see_it() {
        for (text, name) in [
            ("drop table users", "users"),
            ("drop table \"users\"", "users"),
            ("drop table `users`", "users"),
            ("drop table app.users", "users"),
            ("execute 'drop table users'", "users"),
            ("do $users$begin end$users$", "users"),
            ("execute e'drop table\\nusers'", "users"),
            ("select 10users", "users"),
            ("select a from größe", "größe"),
            ("select :users", "users"),
            ("select * from 2fa", "2fa"),
            // No word has these signs, so that each may name it.
            ("drop table x", "a b"),
            ("drop table x", "a$b"),
            ("drop table x", "a-b"),
        ] {
            let found = of(&[text], &[name]);
            assert!(found.is_none_or(|found| found == [0]), "{name}: {text}");
        }
    }

    #[test]
    fn only_those_that_have_each_word_are_looked_at() {
        const TEXTS: &[&str] = &[
            "select a from t",
            "select a from u",
            "select b from t",
            "-- t, a",
        ];
        assert_eq!(of(TEXTS, &["b"]), Some(vec![2]));
        assert_eq!(of(TEXTS, &["users"]), Some(vec![]));
        assert_eq!(of(&["drop table usersx"], &["users"]), Some(vec![]));
        assert_eq!(of(TEXTS, &["b", "t"]), Some(vec![2]));
        assert_eq!(of(TEXTS, &["b", "x y"]), Some(vec![2]));
        let mut mentions = Mentions::default();
        for (place, text) in TEXTS.iter().enumerate() {
            mentions.add(place, std::iter::once(*text));
        }
        assert_eq!(mentions.of(&["t".to_owned()], 1, 3), Some(vec![2]));
    }
}
