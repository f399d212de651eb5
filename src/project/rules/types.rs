//! The type of a column, as a statement writes it, and which type holds all that another does.

/// The words of a type, up to what is said of the column beside it.
pub(super) fn type_from(words: &[String]) -> Vec<String> {
    const ENDS: &[&str] = &[
        ",",
        ")",
        ";",
        "using",
        "not",
        "null",
        "default",
        "comment",
        "after",
        "first",
        "unique",
        "primary",
        "key",
        "check",
        "constraint",
        "references",
        "generated",
        "as",
        "auto_increment",
        "collate",
        "character",
        "charset",
        "invisible",
        "on",
    ];
    let mut depth = 0usize;
    let mut typ = Vec::new();
    for word in words {
        if depth == 0 && ENDS.contains(&word.as_str()) && (word != "character" || !typ.is_empty()) {
            break;
        }
        match word.as_str() {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            _ => {}
        }
        typ.push(word.clone());
    }
    typ
}

/// Whether every value of the old type is one of the new type as it is.
pub(super) fn loosens(old: &[String], new: &[String]) -> bool {
    const WHOLE: &[&[&str]] = &[
        &["tinyint"],
        &["smallint", "int2"],
        &["mediumint"],
        &["int", "integer", "int4"],
        &["bigint", "int8"],
    ];
    fn rank(typ: &[String]) -> Option<usize> {
        let [typ] = typ else { return None };
        WHOLE.iter().position(|names| names.contains(&typ.as_str()))
    }
    /// The length of a text; without one it has no end.
    fn length(typ: &[String]) -> Option<u64> {
        let typ: Vec<&str> = typ.iter().map(String::as_str).collect();
        match typ.as_slice() {
            ["text" | "longtext"] => Some(u64::MAX),
            ["varchar"] | ["character", "varying"] => Some(u64::MAX - 1),
            ["varchar", "(", length, ")"] | ["character", "varying", "(", length, ")"] => {
                length.parse().ok()
            }
            _ => None,
        }
    }
    old == new
        || matches!((rank(old), rank(new)), (Some(old), Some(new)) if old <= new)
        || matches!((length(old), length(new)), (Some(old), Some(new)) if old <= new)
}
