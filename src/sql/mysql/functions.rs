//! The functions of MySQL and MariaDB that only compute. A stored function may do anything, so what is not
//! listed is not known to be harmless.

use super::super::lexeme::{Kind, Token};

const COMPUTE: &[&str] = &[
    "abs",
    "adddate",
    "any_value",
    "ascii",
    "avg",
    "bin",
    "bit_and",
    "bit_length",
    "bit_or",
    "bit_xor",
    "cast",
    "ceil",
    "ceiling",
    "char",
    "char_length",
    "character_length",
    "coalesce",
    "concat",
    "concat_ws",
    "conv",
    "convert",
    "count",
    "crc32",
    "curdate",
    "current_date",
    "current_timestamp",
    "curtime",
    "date",
    "date_add",
    "date_format",
    "date_sub",
    "datediff",
    "day",
    "dayname",
    "dayofmonth",
    "dayofweek",
    "dayofyear",
    "dense_rank",
    "elt",
    "extract",
    "field",
    "find_in_set",
    "first_value",
    "floor",
    "format",
    "from_days",
    "from_unixtime",
    "greatest",
    "group_concat",
    "hex",
    "hour",
    "if",
    "ifnull",
    "insert",
    "instr",
    "interval",
    "isnull",
    "json_array",
    "json_arrayagg",
    "json_contains",
    "json_contains_path",
    "json_depth",
    "json_exists",
    "json_extract",
    "json_keys",
    "json_length",
    "json_object",
    "json_objectagg",
    "json_query",
    "json_search",
    "json_type",
    "json_unquote",
    "json_valid",
    "json_value",
    "lag",
    "last_day",
    "last_value",
    "lcase",
    "lead",
    "least",
    "left",
    "length",
    "locate",
    "lower",
    "lpad",
    "ltrim",
    "makedate",
    "maketime",
    "max",
    "md5",
    "microsecond",
    "mid",
    "min",
    "minute",
    "mod",
    "month",
    "monthname",
    "now",
    "ntile",
    "nullif",
    "nvl",
    "nvl2",
    "oct",
    "octet_length",
    "ord",
    "percent_rank",
    "period_add",
    "period_diff",
    "position",
    "pow",
    "power",
    "quarter",
    "quote",
    "rank",
    "regexp_instr",
    "regexp_like",
    "regexp_replace",
    "regexp_substr",
    "repeat",
    "replace",
    "reverse",
    "right",
    "round",
    "row_number",
    "rpad",
    "rtrim",
    "sec_to_time",
    "second",
    "sha",
    "sha1",
    "sha2",
    "sign",
    "soundex",
    "space",
    "sqrt",
    "std",
    "stddev",
    "str_to_date",
    "strcmp",
    "subdate",
    "substr",
    "substring",
    "substring_index",
    "sum",
    "sysdate",
    "time",
    "time_format",
    "time_to_sec",
    "timediff",
    "timestamp",
    "timestampadd",
    "timestampdiff",
    "to_days",
    "to_seconds",
    "trim",
    "truncate",
    "ucase",
    "unhex",
    "unix_timestamp",
    "upper",
    "utc_date",
    "utc_timestamp",
    "values",
    "var_pop",
    "variance",
    "week",
    "weekday",
    "weekofyear",
    "year",
    "yearweek",
];

/// Words before a parenthesis that call nothing.
const GRAMMAR: &[&str] = &[
    "all",
    "and",
    "any",
    "as",
    "between",
    "binary",
    "by",
    "case",
    "decimal",
    "distinct",
    "div",
    "else",
    "except",
    "exists",
    "from",
    "having",
    "in",
    "index",
    "intersect",
    "join",
    "key",
    "like",
    "not",
    "on",
    "or",
    "over",
    "partition",
    "regexp",
    "rlike",
    "row",
    "select",
    "some",
    "then",
    "union",
    "using",
    "value",
    "varchar",
    "when",
    "where",
    "xor",
];

/// Why a query does more than read.
pub(super) fn problem(text: &str, tokens: &[Token]) -> Option<String> {
    for (at, token) in tokens.iter().enumerate() {
        let next = tokens.get(at + 1);
        let is_next = |word: &str| next.is_some_and(|next| next.is_word(text, word));
        let has_next = |mark: &str| next.is_some_and(|next| next.text(text) == mark);
        if token.is_word(text, "into") {
            return Some("stores its result with INTO".into());
        }
        if (token.is_word(text, "for") && (is_next("update") || is_next("share")))
            || (token.is_word(text, "lock") && is_next("in"))
        {
            return Some("locks the rows that it reads".into());
        }
        if token.text(text) == ":" && has_next("=") {
            return Some("sets a variable of the session".into());
        }
        // `NEXT VALUE FOR s`, `NEXTVAL(s)`
        if token.is_word(text, "next") && is_next("value") {
            return Some("draws from a sequence".into());
        }
        if !has_next("(") || !matches!(token.kind, Kind::Word | Kind::QuotedName) {
            continue;
        }
        let before = at.checked_sub(1).and_then(|before| tokens.get(before));
        let is_qualified = before.is_some_and(|before| before.text(text) == ".");
        // `WITH x (a, b) AS`, `… AS x (a, b)`
        let names_columns = before.is_some_and(|before| {
            ["with", "recursive", "as"]
                .iter()
                .any(|word| before.is_word(text, word))
        });
        let word = token.text(text).to_ascii_lowercase();
        let is_known = !is_qualified
            && token.kind == Kind::Word
            && (COMPUTE.contains(&word.as_str()) || GRAMMAR.contains(&word.as_str()));
        if !is_known && !names_columns {
            return Some(format!(
                "calls `{word}`, which is not known to only compute"
            ));
        }
    }
    None
}
