//! Which RETURN of a trigger's function of PL/pgSQL each kind of write comes to: there is no NEW where a row is deleted, and no
//! OLD where one is inserted, so that the same words keep one write from happening and let the other pass.

use std::collections::BTreeMap;
use std::ops::Range;

use super::super::flow::Flow;
use super::super::lexeme::Kind;
use super::read::Reader;
use super::{Returns, Write};

/// Whether a condition holds for one kind of write.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Truth {
    Yes,
    No,
    Either,
}

impl Truth {
    fn is(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }

    fn not(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            Self::Either => Self::Either,
        }
    }

    fn may(self) -> bool {
        self != Self::No
    }
}

/// Where the body's RETURNs lead for each of these writes.
pub(super) fn returns(reader: &Reader<'_>, writes: &[Write]) -> Returns {
    let mut found: BTreeMap<usize, Vec<Write>> = BTreeMap::new();
    for write in writes {
        let mut walk = Walk {
            reader,
            write: *write,
            flow: Flow::of(reader.text, reader.tokens),
            reached: Vec::new(),
        };
        walk.statement(true)?;
        for at in walk.reached {
            found.entry(at).or_default().push(*write);
        }
    }
    Some(found)
}

/// Each step answers whether control may go on behind what it has gone over, if it came to it at all (`comes`).
struct Walk<'r, 't> {
    reader: &'r Reader<'t>,
    write: Write,
    flow: Flow<'t>,
    reached: Vec<usize>,
}

impl Walk<'_, '_> {
    fn statement(&mut self, comes: bool) -> Option<bool> {
        self.flow.skip_label();
        let declares = self.flow.at;
        self.flow.skip_declarations()?;
        self.is_told(declares..self.flow.at)?;
        let begins = self.flow.at;
        if self.flow.is(&["begin"]) {
            return self.block(comes);
        }
        if self.flow.is(&["if"]) {
            return self.arms(comes, &["elsif", "elseif"], None);
        }
        if self.flow.is(&["case"]) {
            self.flow.go_to(&["when"])?;
            return self.arms(comes, &["when"], Some(begins + 1..self.flow.at));
        }
        if self.flow.is(&["while", "for", "foreach"]) {
            self.flow.go_to(&["loop"])?;
        }
        if self.flow.is(&["loop"]) {
            self.list(comes, &["end"])?;
            self.flow.semicolon()?;
            return Some(comes);
        }
        self.flow.semicolon()?;
        let is_return = self.flow.returns(begins);
        if is_return && comes {
            self.reached.push(begins);
        }
        if !is_return {
            self.is_told(begins..self.flow.at)?;
        }
        Some(comes && !is_return && !self.flow.raises(begins))
    }

    /// A variable that says which write it is would have to be followed as well.
    fn is_told(&self, range: Range<usize>) -> Option<()> {
        let mut all = range;
        let is_kept = all.any(|at| {
            self.reader.is(at, &["tg_op"])
                && at > 0
                && (matches!(self.reader.sign(at - 1), "=" | ":=")
                    || self.reader.is(at - 1, &["default"]))
        });
        (!is_kept).then_some(())
    }

    /// `BEGIN … EXCEPTION WHEN … THEN … END`
    fn block(&mut self, comes: bool) -> Option<bool> {
        let mut goes_on = self.list(comes, &["exception", "end"])?;
        if self.flow.is(&["exception"]) {
            self.flow.at += 1;
            while self.flow.is(&["when"]) {
                self.flow.go_to(&["then"])?;
                goes_on |= self.list(comes, &["when", "end"])?;
            }
        }
        self.flow.end_of_block();
        Some(goes_on)
    }

    /// What begins with `IF` or the first `WHEN`; `of` is what a CASE compares with its arms.
    fn arms(&mut self, comes: bool, more: &[&str], of: Option<Range<usize>>) -> Option<bool> {
        let ends: Vec<&str> = more.iter().copied().chain(["else", "end"]).collect();
        let mut is_left = comes;
        let mut goes_on = false;
        loop {
            let truth = if self.flow.is(&["else"]) {
                Truth::Yes
            } else {
                let from = self.flow.at + 1;
                self.flow.go_to(&["then"])?;
                match of.clone().filter(|of| !of.is_empty()) {
                    Some(of) => self.compared(of, from..self.flow.at)?,
                    None => self.truth(from..self.flow.at)?,
                }
            };
            goes_on |= self.list(is_left && truth.may(), &ends)?;
            is_left &= truth != Truth::Yes;
            if self.flow.is(&["end"]) {
                self.flow.semicolon()?;
                return Some(goes_on || is_left);
            }
        }
    }

    /// `CASE TG_OP WHEN 'INSERT', 'UPDATE' THEN`
    fn compared(&self, of: Range<usize>, with: Range<usize>) -> Option<Truth> {
        let reader = self.reader;
        let names = of.clone().any(|at| reader.is(at, &["tg_op"]));
        if !names {
            return Some(Truth::Either);
        }
        let is_literals = with
            .clone()
            .all(|at| matches!(reader.kind(at), Some(Kind::Literal | Kind::Comma)));
        (of.len() == 1 && is_literals).then(|| Truth::is(self.names_it(with)))
    }

    /// Whether one of these literals is the write.
    fn names_it(&self, mut range: Range<usize>) -> bool {
        let word = format!("'{}'", self.write.word().to_uppercase());
        range.any(|at| self.reader.sign(at) == word)
    }

    /// `None` if it asks which write it is in words that are not read here.
    fn truth(&self, range: Range<usize>) -> Option<Truth> {
        let reader = self.reader;
        let range = self.bare(range);
        for (word, stops) in [("or", Truth::Yes), ("and", Truth::No)] {
            let parts = self.split(range.clone(), word);
            if parts.len() < 2 {
                continue;
            }
            let mut truth = stops.not();
            for part in parts {
                match self.truth(part)? {
                    one if one == stops => return Some(stops),
                    Truth::Either => truth = Truth::Either,
                    _ => {}
                }
            }
            return Some(truth);
        }
        let at = range.start;
        if reader.is(at, &["not"]) {
            return Some(self.truth(at + 1..range.end)?.not());
        }
        let is_row = |row: &str| reader.is(at, &[row]) && reader.is(at + 1, &["is"]);
        let null = reader.is(range.end.wrapping_sub(1), &["null"]);
        if null && is_row("new") && (range.len() == 3 || reader.is(at + 2, &["not"])) {
            let is_gone = self.write == Write::Delete;
            let asks_for_it = !reader.is(at + 2, &["not"]);
            return Some(match (is_gone, asks_for_it) {
                (true, asks) => Truth::is(asks),
                // `NEW IS NOT NULL` asks that no column of it is NULL.
                (false, true) => Truth::No,
                (false, false) => Truth::Either,
            });
        }
        let asks = range.clone().any(|at| reader.is(at, &["tg_op"]));
        if !asks {
            return Some(Truth::Either);
        }
        let behind: String = (at + 1..range.end.saturating_sub(1))
            .map(|at| reader.sign(at))
            .collect();
        let is_first = reader.is(at, &["tg_op"]);
        let is_last = reader.is(range.end - 1, &["tg_op"]);
        let is_text = |at: usize| reader.kind(at) == Some(Kind::Literal);
        let named = Truth::is(self.names_it(range.clone()));
        match behind.as_str() {
            "=" if is_first && is_text(range.end - 1) || is_last && is_text(at) => Some(named),
            "<>" | "!=" if is_first && is_text(range.end - 1) || is_last && is_text(at) => {
                Some(named.not())
            }
            _ if is_first && reader.is(at + 1, &["in"]) => Some(named),
            _ if is_first && reader.is(at + 1, &["not"]) && reader.is(at + 2, &["in"]) => {
                Some(named.not())
            }
            _ => None,
        }
    }

    /// Without parentheses around it.
    fn bare(&self, range: Range<usize>) -> Range<usize> {
        let Range { mut start, mut end } = range;
        while start + 1 < end
            && self.reader.kind(start) == Some(Kind::Open)
            && self.reader.behind(start) == end
        {
            (start, end) = (start + 1, end - 1);
        }
        start..end
    }

    /// The parts between a word that stands in no parentheses. The AND of a BETWEEN leaves parts that ask nothing.
    fn split(&self, range: Range<usize>, word: &str) -> Vec<Range<usize>> {
        let (mut depth, mut from) = (0_usize, range.start);
        let mut parts = Vec::new();
        for at in range.clone() {
            match self.reader.kind(at) {
                Some(Kind::Open) => depth += 1,
                Some(Kind::Close) => depth = depth.saturating_sub(1),
                _ if depth == 0 && self.reader.is(at, &[word]) => {
                    parts.push(from..at);
                    from = at + 1;
                }
                _ => {}
            }
        }
        parts.push(from..range.end);
        parts
    }

    /// The statements behind this word, up to one of these.
    fn list(&mut self, comes: bool, ends: &[&str]) -> Option<bool> {
        self.flow.at += 1;
        let mut comes = comes;
        while !self.flow.is(ends) {
            self.flow.kind()?;
            comes = self.statement(comes)?;
        }
        Some(comes)
    }
}

#[cfg(test)]
mod tests {
    use crate::deeds::Deed;
    use crate::deeds::tests::of_plpgsql;

    /// There is no NEW where a row is deleted: NULL leaves the row where it is.
    #[test]
    fn each_kind_of_write_gets_its_own_row_back() {
        const ALL: &str = "BEFORE INSERT OR UPDATE OR DELETE";
        for (fires, body, is_right) in [
            ("BEFORE DELETE", "RETURN OLD;", true),
            ("BEFORE DELETE", "RETURN NEW;", false),
            ("BEFORE DELETE", "RETURN (NEW);", false),
            ("AFTER DELETE", "RETURN NEW;", true),
            (ALL, "RETURN NEW;", false),
            (ALL, "RETURN OLD;", false),
            (ALL, "RETURN COALESCE(NEW, OLD);", true),
            (ALL, "RETURN COALESCE(OLD, NEW);", false),
            (
                ALL,
                "IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW;",
                true,
            ),
            (
                ALL,
                "IF (TG_OP = 'DELETE') THEN x := 1; ELSE x := 2; END IF; RETURN NEW;",
                false,
            ),
            (
                ALL,
                "IF TG_OP <> 'DELETE' THEN RETURN NEW; END IF; RETURN OLD;",
                true,
            ),
            (
                ALL,
                "IF TG_OP != 'DELETE' THEN RETURN OLD; END IF; RETURN NEW;",
                false,
            ),
            (
                ALL,
                "IF TG_OP IN ('INSERT', 'UPDATE') THEN RETURN NEW; ELSE RETURN OLD; END IF;",
                true,
            ),
            (
                ALL,
                "IF TG_OP NOT IN ('INSERT', 'UPDATE') THEN RETURN OLD; END IF; RETURN NEW;",
                true,
            ),
            (
                ALL,
                "IF TG_OP = 'INSERT' OR TG_OP = 'UPDATE' THEN RETURN NEW; END IF; RETURN OLD;",
                true,
            ),
            (
                ALL,
                "IF TG_OP = 'DELETE' AND x THEN RETURN OLD; END IF; RETURN NEW;",
                false,
            ),
            (
                ALL,
                "IF NEW IS NULL THEN RETURN OLD; END IF; RETURN NEW;",
                true,
            ),
            (
                ALL,
                "IF TG_OP = 'DELETE' THEN INSERT INTO a VALUES (1); RETURN OLD; ELSIF TG_OP = 'UPDATE' THEN RETURN NEW; END IF; RETURN NEW;",
                true,
            ),
            (
                ALL,
                "CASE TG_OP WHEN 'DELETE' THEN RETURN OLD; ELSE RETURN NEW; END CASE;",
                true,
            ),
            (
                ALL,
                "CASE TG_OP WHEN 'INSERT', 'UPDATE' THEN RETURN OLD; ELSE RETURN NEW; END CASE;",
                false,
            ),
            (
                ALL,
                "CASE WHEN TG_OP = 'DELETE' THEN RETURN OLD; ELSE RETURN NEW; END CASE;",
                true,
            ),
            (
                ALL,
                "BEGIN INSERT INTO a VALUES (1); EXCEPTION WHEN others THEN NULL; END; RETURN NEW;",
                false,
            ),
            (
                ALL,
                "FOR r IN SELECT 1 LOOP IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; END LOOP; RETURN NEW;",
                false,
            ),
            // What cannot be followed is left to whoever wrote it.
            (
                ALL,
                "IF lower(TG_OP) = 'delete' THEN RETURN OLD; END IF; RETURN NEW;",
                true,
            ),
            (
                "BEFORE DELETE",
                "IF lower(TG_OP) = 'delete' THEN RETURN NEW; END IF; RETURN OLD;",
                false,
            ),
            (
                "BEFORE UPDATE OR DELETE",
                "IF TG_OP = 'UPDATE' THEN RETURN NEW; END IF; RETURN OLD;",
                true,
            ),
            (
                "BEFORE UPDATE OR DELETE",
                "IF TG_OP = 'UPDATE' THEN RETURN OLD; END IF; RETURN OLD;",
                false,
            ),
            ("BEFORE INSERT OR UPDATE", "RETURN NEW;", true),
        ] {
            let mut found =
                of_plpgsql(fires, &format!("DECLARE r record; x int; BEGIN {body} END"));
            found.retain(|deed| !matches!(deed, Deed::Inserts(_)));
            assert_eq!(found.is_empty(), is_right, "{fires} {body}: {found:?}");
        }
    }
}
