//! The functions of MySQL and MariaDB that only compute. A stored function may do anything, so what is not
//! listed is not known to be harmless.

use super::super::Effect;
use super::super::facts::Facts;
use super::super::lexeme::{Kind, Token};
use super::cursor::Cursor;

pub(super) const COMPUTE: &[&str] = &[
    "abs",
    "acos",
    "add_months",
    "adddate",
    "addtime",
    "aes_decrypt",
    "aes_encrypt",
    "any_value",
    "ascii",
    "asin",
    "atan",
    "atan2",
    "avg",
    "bin",
    "bin_to_uuid",
    "bit_and",
    "bit_count",
    "bit_length",
    "bit_or",
    "bit_xor",
    "cast",
    "ceil",
    "ceiling",
    "char",
    "char_length",
    "character_length",
    "charset",
    "chr",
    "coalesce",
    "coercibility",
    "collation",
    "compress",
    "concat",
    "concat_operator_oracle",
    "concat_ws",
    "connection_id",
    "conv",
    "convert",
    "convert_tz",
    "cos",
    "cot",
    "count",
    "crc32",
    "crc32c",
    "cume_dist",
    "curdate",
    "current_date",
    "current_role",
    "current_time",
    "current_timestamp",
    "current_user",
    "curtime",
    "database",
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
    "decode",
    "decode_oracle",
    "default",
    "degrees",
    "dense_rank",
    "elt",
    "encode",
    "exp",
    "export_set",
    "extract",
    "field",
    "find_in_set",
    "first_value",
    "floor",
    "format",
    "found_rows",
    "from_base64",
    "from_days",
    "from_unixtime",
    "greatest",
    "group_concat",
    "grouping",
    "hex",
    "hour",
    "icu_version",
    "if",
    "ifnull",
    "inet6_aton",
    "inet6_ntoa",
    "inet_aton",
    "inet_ntoa",
    "initcap",
    "insert",
    "instr",
    "interval",
    "is_ipv4",
    "is_ipv6",
    "is_uuid",
    "isnull",
    "json_append",
    "json_array",
    "json_array_append",
    "json_array_insert",
    "json_array_intersect",
    "json_arrayagg",
    "json_compact",
    "json_contains",
    "json_contains_path",
    "json_depth",
    "json_detailed",
    "json_equals",
    "json_exists",
    "json_extract",
    "json_insert",
    "json_keys",
    "json_length",
    "json_loose",
    "json_merge",
    "json_merge_patch",
    "json_merge_preserve",
    "json_normalize",
    "json_object",
    "json_object_filter_keys",
    "json_object_to_array",
    "json_objectagg",
    "json_overlaps",
    "json_pretty",
    "json_query",
    "json_quote",
    "json_remove",
    "json_replace",
    "json_schema_valid",
    "json_search",
    "json_set",
    "json_storage_size",
    "json_table",
    "json_type",
    "json_unquote",
    "json_valid",
    "json_value",
    "kdf",
    "lag",
    "last_day",
    "last_insert_id",
    "last_value",
    "lcase",
    "lead",
    "least",
    "left",
    "length",
    "lengthb",
    "linestring",
    "ln",
    "localtime",
    "localtimestamp",
    "locate",
    "log",
    "log10",
    "log2",
    "lower",
    "lpad",
    "ltrim",
    "make_set",
    "makedate",
    "maketime",
    "max",
    "md5",
    "median",
    "microsecond",
    "mid",
    "min",
    "minute",
    "mod",
    "month",
    "monthname",
    "natural_sort_key",
    "now",
    "nth_value",
    "ntile",
    "nullif",
    "nvl",
    "nvl2",
    "oct",
    "octet_length",
    "ord",
    "percent_rank",
    "percentile_cont",
    "percentile_disc",
    "period_add",
    "period_diff",
    "pi",
    "point",
    "polygon",
    "position",
    "pow",
    "power",
    "quarter",
    "quote",
    "radians",
    "rand",
    "random_bytes",
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
    "row_count",
    "row_number",
    "rpad",
    "rtrim",
    "schema",
    "sec_to_time",
    "second",
    "session_user",
    "sformat",
    "sha",
    "sha1",
    "sha2",
    "sign",
    "sin",
    "sleep",
    "soundex",
    "space",
    "sqrt",
    "st_asgeojson",
    "st_astext",
    "st_buffer",
    "st_contains",
    "st_distance",
    "st_distance_sphere",
    "st_geometryfromtext",
    "st_geomfromgeojson",
    "st_geomfromtext",
    "st_intersects",
    "st_latitude",
    "st_longitude",
    "st_pointfromtext",
    "st_srid",
    "st_within",
    "st_x",
    "st_y",
    "std",
    "stddev",
    "stddev_pop",
    "stddev_samp",
    "str_to_date",
    "strcmp",
    "subdate",
    "substr",
    "substr_oracle",
    "substring",
    "substring_index",
    "subtime",
    "sum",
    "sys_guid",
    "sysdate",
    "system_user",
    "tan",
    "time",
    "time_format",
    "time_to_sec",
    "timediff",
    "timestamp",
    "timestampadd",
    "timestampdiff",
    "to_base64",
    "to_char",
    "to_days",
    "to_number",
    "to_seconds",
    "trim",
    "trim_oracle",
    "truncate",
    "ucase",
    "uncompress",
    "unhex",
    "unix_timestamp",
    "upper",
    "user",
    "utc_date",
    "utc_time",
    "utc_timestamp",
    "uuid",
    "uuid_short",
    "uuid_to_bin",
    "uuid_v4",
    "uuid_v7",
    "value",
    "values",
    "var_pop",
    "var_samp",
    "variance",
    "vec_distance",
    "vec_distance_cosine",
    "vec_distance_euclidean",
    "vec_fromtext",
    "vec_totext",
    "version",
    "week",
    "weekday",
    "weekofyear",
    "weight_string",
    "year",
    "yearweek",
];

/// Words before a parenthesis that call nothing.
const GRAMMAR: &[&str] = &[
    "against",
    "all",
    "and",
    "any",
    "as",
    "between",
    "binary",
    "bit",
    "by",
    "case",
    "char",
    "columns",
    "cube",
    "date",
    "datetime",
    "dec",
    "decimal",
    "default",
    "distinct",
    "div",
    "double",
    "else",
    "except",
    "exists",
    "float",
    "force",
    "from",
    "group",
    "having",
    "ignore",
    "in",
    "index",
    "intersect",
    "interval",
    "into",
    "is",
    "join",
    "key",
    "lateral",
    "like",
    "limit",
    "match",
    "nchar",
    "nested",
    "not",
    "numeric",
    "offset",
    "on",
    "or",
    "order",
    "over",
    "partition",
    "path",
    "real",
    "recursive",
    "regexp",
    "returning",
    "rlike",
    "rollup",
    "row",
    "select",
    "separator",
    "set",
    "signed",
    "some",
    "straight_join",
    "then",
    "time",
    "timestamp",
    "union",
    "unsigned",
    "use",
    "using",
    "value",
    "values",
    "varbinary",
    "varchar",
    "when",
    "where",
    "window",
    "with",
    "within",
    "xor",
    "year",
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
        if let Some(word) = unknown_call(text, tokens, at) {
            return Some(format!(
                "calls `{word}`, which is not known to only compute"
            ));
        }
    }
    None
}

/// The function that is called at `at`, where it is none that only computes.
fn unknown_call(text: &str, tokens: &[Token], at: usize) -> Option<String> {
    let token = tokens.get(at)?;
    let opens = tokens.get(at + 1)?.kind == Kind::Open;
    if !opens || !matches!(token.kind, Kind::Word | Kind::QuotedName) {
        return None;
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
    (!is_known && !names_columns).then_some(word)
}

/// The functions that a statement calls do what they do, whatever the statement does itself.
pub(super) fn calling(cursor: Cursor<'_>, mut facts: Facts) -> Facts {
    let (text, tokens) = (cursor.text, cursor.tokens);
    // `INSERT INTO t (a, b)` calls nothing.
    let first = tokens
        .iter()
        .position(|token| token.kind == Kind::Open)
        .unwrap_or_default();
    let is_list = first > 0
        && tokens.iter().take(first).any(|token| {
            ["insert", "replace"]
                .iter()
                .any(|verb| token.is_word(text, verb))
        })
        && !tokens.iter().take(first).any(|token| {
            ["select", "set", "values", "value", "with"]
                .iter()
                .any(|word| token.is_word(text, word))
        });
    let from = if is_list { first } else { 0 };
    let Some(word) = (from..tokens.len()).find_map(|at| unknown_call(text, tokens, at)) else {
        return facts;
    };
    facts.strange = Some(word.clone());
    if matches!(facts.effect, Effect::Additive | Effect::Data) {
        facts.effect = Effect::Unknown {
            why: format!("calls `{word}`, which may do anything"),
        };
    }
    // Nor is that bounded by the tables and columns that are named.
    facts.subjects.clear();
    facts.only_columns.clear();
    facts
}
