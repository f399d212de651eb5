//! Code of a trigger that ends with an error for some rows: a query for one value that finds several rows, or none where it has to find one,
//! and a division by what may be 0.

use crate::model::Step;
use crate::sql::{Dialect, Table, TableIndex};

use super::Scripts;

type Wrong = (String, String);

/// In words that complete "the trigger …", and what to write instead.
pub(super) fn wrong(
    scripts: &Scripts<'_>,
    step: Step,
    parent: Option<&Table>,
    text: &str,
) -> Option<Wrong> {
    let dialect = scripts.dialect;
    // Whoever goes on after an error knows of it.
    if dialect.goes_on(text) {
        return None;
    }
    let code = Code {
        scripts,
        step,
        words: dialect.words(text),
    };
    let mut each = 0..code.words.len();
    each.find_map(|at| {
        code.strict(at)
            .or_else(|| code.several(at))
            .or_else(|| code.chooses(at))
            .or_else(|| code.divides(at, parent?))
    })
}

struct Code<'c> {
    scripts: &'c Scripts<'c>,
    step: Step,
    words: Vec<String>,
}

impl Code<'_> {
    fn at(&self, place: usize) -> &str {
        self.words.get(place).map_or("", String::as_str)
    }

    fn before(&self, place: usize) -> &str {
        place.checked_sub(1).map_or("", |before| self.at(before))
    }

    /// `INTO STRICT`
    fn strict(&self, place: usize) -> Option<Wrong> {
        let select = (0..place).rev().find(|at| self.at(*at) == "select");
        let is_strict = self.scripts.dialect == Dialect::Postgres
            && self.at(place) == "into"
            && self.at(place + 1) == "strict"
            && !select.is_some_and(|select| self.aggregates(select + 1));
        is_strict.then(|| {
            (
                "asks for exactly one row by INTO STRICT: each write for which there is none, or several, fails".to_owned(),
                "leave STRICT out, and let what is not found be NULL; or catch it: `EXCEPTION WHEN no_data_found OR too_many_rows`".to_owned(),
            )
        })
    }

    /// A query in the place of one value, over a table of which no key says that there is one row.
    fn several(&self, open: usize) -> Option<Wrong> {
        if self.puts_into_variable(open) {
            return self.finds_several(open);
        }
        const BEFORE: &[&str] = &[
            ":=", "=", ",", "(", "then", "else", "return", "+", "||", "<", ">", "and", "or", "not",
        ];
        const MANY: &[&str] = &[
            "in", "exists", "any", "all", "some", "array", "from", "join",
        ];
        let is_query = self.at(open) == "(" && self.at(open + 1) == "select";
        let place = (0..open).rev().find(|at| self.at(*at) != "(");
        let before = place.map_or("", |at| self.at(at));
        if !is_query || !BEFORE.contains(&self.before(open)) || MANY.contains(&before) {
            return None;
        }
        self.finds_several(open + 1)
    }

    /// `CASE … END CASE` as a statement, which fails where no branch is for it.
    fn chooses(&self, place: usize) -> Option<Wrong> {
        const BEFORE: &[&str] = &["", ";", "begin", "then", "else", "loop", "do"];
        if self.at(place) != "case" || !BEFORE.contains(&self.before(place)) {
            return None;
        }
        let (mut depth, mut at) = (0_usize, place);
        while at < self.words.len() {
            match self.at(at) {
                "case" | "begin" => depth += 1,
                "else" if depth == 1 => return None,
                "end" if matches!(self.at(at + 1), "if" | "loop" | "while" | "repeat") => at += 1,
                "end" => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        break;
                    }
                    at += usize::from(self.at(at + 1) == "case");
                }
                _ => {}
            }
            at += 1;
        }
        (depth == 0 && self.at(at + 1) == "case").then(|| {
            (
                "has a CASE without ELSE: each write for which no branch is there fails".to_owned(),
                "write `ELSE NULL;` as its last branch (on MySQL and MariaDB `ELSE BEGIN END;`)"
                    .to_owned(),
            )
        })
    }

    /// Whether the query that begins here may find several rows of a table that is known.
    fn finds_several(&self, select: usize) -> Option<Wrong> {
        let outer = self.outer(select);
        let find = |word: &str| outer.iter().copied().find(|at| self.at(*at) == word);
        let is_one = [
            "limit", "fetch", "union", "distinct", "with", "join", "lateral",
        ];
        if is_one.iter().any(|word| find(word).is_some()) || self.aggregates(select + 1) {
            return None;
        }
        let from = find("from")?;
        let clause = find("where");
        let end = clause.or(find("order")).unwrap_or(*outer.last()? + 1);
        // Of several tables nobody tells.
        if outer
            .iter()
            .any(|at| (from..end).contains(at) && self.at(*at) == ",")
        {
            return None;
        }
        let name = if self.at(from + 2) == "." {
            from + 3
        } else {
            from + 1
        };
        let table = self.at(name);
        let known = self.scripts.table(self.step, table)?;
        let asked = clause.map_or_else(Vec::new, |clause| self.compared(clause, &outer));
        if !known.is_certain || asked.is_empty() && clause.is_some() && find("or").is_some() {
            return None;
        }
        let is_either = find("or").is_some();
        let has = |name: &String| {
            let same = |asked: &&str| self.scripts.dialect.may_be_same_name(asked, name);
            !is_either && asked.iter().any(|one| same(&one.as_str()))
        };
        let is_by = |index: &TableIndex| match index.is_plain {
            true => index.columns.iter().all(has),
            // Of some rows alone: what else it names may stand in its condition.
            false => index.columns.iter().any(has),
        };
        let is_single = !known.primary_key.is_empty() && known.primary_key.iter().all(has)
            || known
                .indexes
                .iter()
                .any(|index| index.is_unique && is_by(index));
        (!is_single).then(|| {
            (
                format!(
                    "asks for one value in a query of `{table}` that may find several rows, as no key of it says otherwise: each write for which it does fails"
                ),
                "write `ORDER BY … LIMIT 1` at its end, or ask by what is unique".to_owned(),
            )
        })
    }

    /// `SELECT a INTO v FROM t`, which MySQL takes no first row of.
    fn puts_into_variable(&self, place: usize) -> bool {
        const BEFORE: &[&str] = &["", ";", "begin", "then", "else", "loop", "do", "row"];
        self.scripts.dialect == Dialect::Mysql
            && self.at(place) == "select"
            && BEFORE.contains(&self.before(place))
            && self.outer(place).iter().any(|at| self.at(*at) == "into")
    }

    /// The places within this parenthesis, or this statement, that are in no parenthesis of their own.
    fn outer(&self, from: usize) -> Vec<usize> {
        let mut depth = 0_usize;
        let mut places = Vec::new();
        for (at, word) in self.words.iter().enumerate().skip(from) {
            match word.as_str() {
                "(" => depth += 1,
                ")" | ";" if depth == 0 => break,
                ")" => depth -= 1,
                _ if depth == 0 => places.push(at),
                _ => {}
            }
        }
        places
    }

    /// Whether all rows come to one value: `SELECT max(a)`.
    fn aggregates(&self, first: usize) -> bool {
        const ALL: &[&str] = &[
            "count",
            "max",
            "min",
            "sum",
            "avg",
            "string_agg",
            "group_concat",
            "array_agg",
            "json_agg",
            "jsonb_agg",
            "json_arrayagg",
            "bool_or",
            "bool_and",
            "coalesce",
        ];
        let outer = self.outer(first);
        let is_grouped = outer.iter().any(|at| self.at(*at) == "group");
        let end = outer.iter().copied().find(|at| self.at(*at) == "from");
        let mut listed = first..end.unwrap_or(first);
        !is_grouped && listed.any(|at| ALL.contains(&self.at(at)) && self.at(at + 1) == "(")
    }

    /// The names on either side of a `=` behind WHERE.
    fn compared(&self, clause: usize, outer: &[usize]) -> Vec<String> {
        let signs = outer
            .iter()
            .copied()
            .filter(|at| *at > clause && self.at(*at) == "=");
        let sides = signs.flat_map(|sign| {
            let right = if self.at(sign + 2) == "." {
                sign + 3
            } else {
                sign + 1
            };
            [sign - 1, right]
        });
        sides.map(|at| self.at(at).to_owned()).collect()
    }

    /// `/ NEW.a`, where nothing looks whether it is 0.
    fn divides(&self, place: usize, parent: &Table) -> Option<Wrong> {
        let is_division = matches!(self.at(place), "/" | "%" | "div" | "mod")
            && self.at(place + 1) == "new"
            && self.at(place + 2) == ".";
        let name = self.at(place + 3);
        let column = parent
            .column(self.scripts.dialect, name)
            .filter(|_| is_division)?;
        let own = column.name.to_lowercase();
        let looks = (0..self.words.len()).any(|at| {
            let sign = self.at(at + 1);
            let end = if matches!(self.at(at + 2), "=" | ">") {
                at + 3
            } else {
                at + 2
            };
            let is_sign = matches!(sign, "=" | "<" | ">" | "!" | "<>" | "!=" | ">=" | "<=");
            let is_compared = is_sign && self.at(end) == "0";
            self.at(at) == own && is_compared || self.at(at) == "nullif"
        });
        let dialect = self.scripts.dialect;
        let is_checked = parent.conditions_on(dialect, name).next().is_some();
        (!looks && !is_checked).then(|| {
            (
                format!("divides by `{name}`: each write of a row in which that is 0 fails"),
                format!("write `nullif(NEW.{name}, 0)`"),
            )
        })
    }
}
