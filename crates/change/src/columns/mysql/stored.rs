//! Whether a column holds what an expression gives once it is assigned to it: the server rounds, pads and converts to the column's
//! type, and two values that print the same are not always one (a FLOAT has six digits there).

/// What decides how a value of a type is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Text,
    /// Text that loses the blanks at its end.
    Padded,
    /// ENUM and SET, which find their members as the collation does.
    Members,
    Integer,
    Decimal,
    Double,
    Float,
    /// DATE, TIME, DATETIME, TIMESTAMP.
    Time,
    /// BINARY, to which zeros are added.
    Zeros,
    Json,
    /// Types of MariaDB that CAST knows by their own name.
    Named,
    Other,
}

/// The declared type of a new column.
pub(super) struct Kind<'k> {
    pub(super) class: Class,
    word: String,
    /// What stands in its parentheses.
    size: Option<&'k str>,
    /// The type without what only a column can have: `COMMENT`, `INVISIBLE`, …
    bare: &'k str,
    has_charset: bool,
}

/// Words that belong to a type after its name.
const OF_A_TYPE: &[&str] = &[
    "ascii",
    "byte",
    "char",
    "character",
    "charset",
    "collate",
    "large",
    "nchar",
    "object",
    "precision",
    "set",
    "signed",
    "unicode",
    "unsigned",
    "varbinary",
    "varchar",
    "varcharacter",
    "varying",
    "zerofill",
];

impl<'k> Kind<'k> {
    pub(super) fn of(text: &'k str) -> Self {
        let text = text.trim();
        let (bare, words, size) = read(text);
        let word = words.first().cloned().unwrap_or_default();
        let has = |wanted: &str| words.iter().any(|word| word == wanted);
        let class = match word.as_str() {
            "char" | "character" | "nchar" | "national" => {
                let varies = ["varying", "varchar", "varcharacter"]
                    .iter()
                    .any(|it| has(it));
                if varies { Class::Text } else { Class::Padded }
            }
            "long" if has("varbinary") => Class::Other,
            "varchar" | "varcharacter" | "nvarchar" | "tinytext" | "text" | "mediumtext"
            | "longtext" | "long" | "clob" => Class::Text,
            "enum" | "set" => Class::Members,
            "tinyint" | "smallint" | "mediumint" | "int" | "integer" | "bigint" | "int1"
            | "int2" | "int3" | "int4" | "int8" | "middleint" | "bool" | "boolean" => {
                Class::Integer
            }
            "decimal" | "numeric" | "dec" | "fixed" | "number" => Class::Decimal,
            "double" | "real" | "float8" => Class::Double,
            "float" | "float4" => match size.and_then(|size| size.trim().parse::<u8>().ok()) {
                Some(25..) => Class::Double,
                _ => Class::Float,
            },
            "date" | "time" | "datetime" | "timestamp" => Class::Time,
            "binary" => Class::Zeros,
            "json" => Class::Json,
            "uuid" | "inet4" | "inet6" => Class::Named,
            _ => Class::Other,
        };
        Self {
            class,
            word,
            size,
            bare,
            has_charset: has("charset") || has("collate") || has("set") && has("character"),
        }
    }

    pub(super) fn is_number(&self) -> bool {
        use Class::{Decimal, Double, Float, Integer};
        matches!(self.class, Integer | Decimal | Double | Float)
    }

    /// The type of a variable that takes what the column takes.
    pub(super) fn variable(&self) -> String {
        let is_text = matches!(self.class, Class::Text | Class::Padded | Class::Members);
        let is_national = matches!(self.word.as_str(), "nchar" | "national" | "nvarchar");
        if is_text && !self.has_charset && !is_national {
            // Otherwise it has that of the database, which may hold less than the table's.
            format!("{} CHARACTER SET utf8mb4", self.bare)
        } else {
            self.bare.to_owned()
        }
    }

    /// Whether two values of this type are one.
    pub(super) fn same(&self, left: &str, right: &str) -> String {
        match self.class {
            Class::Text | Class::Padded | Class::Members => same_text(left, right),
            _ => format!("{left} <=> {right} AND {}", same_bytes(left, right)),
        }
    }

    /// Whether `column`, which is of this type, holds what the assignment of `expression` makes.
    pub(super) fn holds(&self, column: &str, expression: &str) -> String {
        let size = self
            .size
            .map(|size| format!("({size})"))
            .unwrap_or_default();
        match self.class {
            Class::Text => same_text(column, expression),
            Class::Padded => same_text(column, &format!("TRIM(TRAILING ' ' FROM {expression})")),
            Class::Members => {
                let text = |value: &str| {
                    format!("CONVERT({value} USING utf8mb4) COLLATE utf8mb4_general_ci")
                };
                if self.tells_case() {
                    same_text(column, expression)
                } else {
                    format!("{} <=> {}", text(column), text(expression))
                }
            }
            Class::Integer => format!(
                "{column} <=> IF(COERCIBILITY({expression}) = 5, ROUND({expression}), \
                 ROUND(CAST({expression} AS DECIMAL(65, 30))))"
            ),
            Class::Decimal => format!("{column} <=> CAST({expression} AS DECIMAL{size})"),
            Class::Double => format!("{column} <=> {}", self.rounded(expression)),
            Class::Float => {
                format!("{column} <=> CAST({} AS FLOAT)", self.rounded(expression))
            }
            Class::Time => {
                let target = if self.word == "timestamp" {
                    "DATETIME".to_owned()
                } else {
                    self.word.to_uppercase()
                };
                format!("{column} <=> CAST({expression} AS {target}{size})")
            }
            Class::Zeros => {
                let size = self.size.unwrap_or("1");
                format!("CAST({column} AS BINARY) <=> CAST({expression} AS BINARY({size}))")
            }
            Class::Json => same_text(
                &format!("JSON_EXTRACT({column}, '$')"),
                &format!("JSON_EXTRACT({expression}, '$')"),
            ),
            Class::Named => format!("{column} <=> CAST({expression} AS {})", self.word),
            Class::Other => same_bytes(column, expression),
        }
    }

    /// As a number, with the digits after the point that `FLOAT(m, d)` has.
    fn rounded(&self, expression: &str) -> String {
        match self.size.and_then(|size| size.split_once(',')) {
            Some((_, digits)) => format!("ROUND({expression} + 0e0, {})", digits.trim()),
            None => format!("({expression} + 0e0)"),
        }
    }

    /// Whether two members differ in nothing but case.
    fn tells_case(&self) -> bool {
        let members = self.size.unwrap_or_default();
        let all: Vec<&str> = members.split(',').map(str::trim).collect();
        let mut folded: Vec<String> = all.iter().map(|member| member.to_lowercase()).collect();
        folded.sort();
        folded.dedup();
        folded.len() < all.len()
    }
}

/// The type alone, its words in small letters, and what stands in its parentheses.
fn read(text: &str) -> (&str, Vec<String>, Option<&str>) {
    let mut words: Vec<String> = Vec::new();
    let mut size = None;
    let mut end = 0;
    let mut rest = text;
    loop {
        let at = text.len() - rest.trim_start().len();
        rest = rest.trim_start();
        let length = if rest.starts_with('(') {
            let Some(closing) = closing(rest) else {
                break;
            };
            size = size.or(rest.get(1..closing));
            closing + 1
        } else {
            let length = rest
                .find(|letter: char| !(letter.is_alphanumeric() || letter == '_'))
                .unwrap_or(rest.len());
            let word = rest.get(..length).unwrap_or_default().to_lowercase();
            let names = matches!(
                words.last().map(String::as_str),
                Some("collate" | "charset")
            ) || words.len() > 1
                && words.ends_with(&["character".to_owned(), "set".to_owned()]);
            let belongs = words.is_empty() || names || OF_A_TYPE.contains(&word.as_str());
            if length == 0 || !belongs {
                break;
            }
            words.push(word);
            length
        };
        end = at + length;
        rest = text.get(end..).unwrap_or_default();
    }
    (text.get(..end).unwrap_or(text), words, size)
}

/// Where the parenthesis closes that `text` begins with; members of an ENUM are quoted, and may hold one.
fn closing(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut depth = 0_u32;
    for (at, letter) in text.char_indices() {
        match (quote, letter) {
            (None, '\'' | '"') => quote = Some(letter),
            (Some(open), _) if open == letter => quote = None,
            (None, '(') => depth += 1,
            (None, ')') => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// A collation overlooks case and blanks at the end, and the same letters are other bytes in another character set.
pub(super) fn same_text(left: &str, right: &str) -> String {
    let bytes = |value: &str| format!("CAST(CONVERT({value} USING utf8mb4) AS BINARY)");
    format!("{} <=> {}", bytes(left), bytes(right))
}

pub(super) fn same_bytes(left: &str, right: &str) -> String {
    format!("CAST({left} AS BINARY) <=> CAST({right} AS BINARY)")
}

/// Whether `column`, whose type nobody says, holds what `expression` gives. `COERCIBILITY` is 5 of numbers and times alone.
pub(super) fn holds(column: &str, expression: &str, beside_numbers: bool) -> String {
    if beside_numbers {
        // A FLOAT that does not print as what it is shows by that.
        format!(
            "IF(COERCIBILITY({column}) = 5, \
             {column} + 0 <=> ({expression}) + 0 \
             OR (NOT (CONCAT({column}) + 0e0 <=> {column} + 0e0) AND {column} <=> CAST({expression} AS FLOAT)), \
             {})",
            same_text(column, expression)
        )
    } else {
        format!(
            "IF(CHARSET({column}) = 'binary', {}, {})",
            same_bytes(column, expression),
            same_text(column, expression)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{Class, Kind};

    #[test]
    fn of_a_column_a_variable_has_the_type_alone() {
        for (text, class, variable) in [
            (
                "varchar(60)",
                Class::Text,
                "varchar(60) CHARACTER SET utf8mb4",
            ),
            (
                "varchar(60) CHARACTER SET latin1 COLLATE latin1_bin COMMENT 'a (b'",
                Class::Text,
                "varchar(60) CHARACTER SET latin1 COLLATE latin1_bin",
            ),
            (
                "character varying(20) NULL",
                Class::Text,
                "character varying(20) CHARACTER SET utf8mb4",
            ),
            ("CHAR(3)", Class::Padded, "CHAR(3) CHARACTER SET utf8mb4"),
            (
                "enum('a)','it''s') DEFAULT 'a)'",
                Class::Members,
                "enum('a)','it''s') CHARACTER SET utf8mb4",
            ),
            (
                "bigint(20) unsigned INVISIBLE",
                Class::Integer,
                "bigint(20) unsigned",
            ),
            ("double precision", Class::Double, "double precision"),
            ("float", Class::Float, "float"),
            ("float(30)", Class::Double, "float(30)"),
            ("decimal(12, 2)", Class::Decimal, "decimal(12, 2)"),
            ("datetime(6) ON UPDATE now(6)", Class::Time, "datetime(6)"),
            ("json", Class::Json, "json"),
            ("point SRID 4326", Class::Other, "point"),
        ] {
            let kind = Kind::of(text);
            assert_eq!(
                (kind.class, kind.variable().as_str()),
                (class, variable),
                "{text}"
            );
        }
    }
}
