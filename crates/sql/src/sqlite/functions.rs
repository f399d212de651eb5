//! Functions that SQLite does not have. In the code of a trigger it looks them up when somebody writes, so that a script that makes one
//! succeeds, and every write of the table fails from then on.

use super::super::lexeme::{self, Kind};
use super::super::{mysql, postgres};
use super::GRAMMAR;

/// Those of SQLite 3.51 itself, and words before a parenthesis that other databases have as functions.
const OWN: &str = "\
abs acos acosh asin asinh atan atan2 atanh avg bm25 cast ceil ceiling changes char coalesce concat concat_ws cos cosh count cume_dist \
current_date current_time current_timestamp date datetime degrees dense_rank exists exp first_value floor format glob group_concat hex \
highlight if ifnull iif in instr json json_array json_array_insert json_array_length json_each json_error_position json_extract \
json_group_array json_group_object json_insert json_object json_patch json_pretty json_quote json_remove json_replace json_set json_tree \
json_type json_valid jsonb jsonb_array jsonb_array_insert jsonb_each jsonb_extract jsonb_group_array jsonb_group_object jsonb_insert \
jsonb_object jsonb_patch jsonb_remove jsonb_replace jsonb_set jsonb_tree julianday lag last_insert_rowid last_value lead length like \
likelihood likely ln load_extension log log10 log2 lower ltrim match matchinfo max median min mod nth_value ntile nullif octet_length \
offsets percent_rank percentile percentile_cont percentile_disc pi pow power printf quote radians random randomblob rank regexp replace \
round row_number rtrim sign sin sinh snippet soundex sqrt strftime string_agg substr substring subtype sum tan tanh time timediff total \
total_changes trim trunc typeof unhex unicode unistr unistr_quote unixepoch unlikely upper values zeroblob";

/// A function of another database that the code calls and SQLite does not have.
pub(in super::super) fn of_another_database(sql: &str) -> Option<String> {
    let tokens = lexeme::tokens(&GRAMMAR, sql).ok()?;
    tokens.windows(3).find_map(|three| {
        let [before, name, open] = three else {
            return None;
        };
        // `CAST(x AS varchar(50))`
        let is_call = name.kind == Kind::Word && open.kind == Kind::Open;
        if !is_call || before.is_word(sql, "as") {
            return None;
        }
        let name = name.text(sql).to_ascii_lowercase();
        let is_known = postgres::is_a_function(&name) || mysql::is_a_function(&name);
        (is_known && !OWN.split(' ').any(|own| own == name)).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_database_calls_by_name_is_found() {
        let trigger = |body: &str| {
            format!(
                "CREATE TRIGGER g AFTER INSERT ON t BEGIN UPDATE t SET a = {body} WHERE id = NEW.id; END"
            )
        };
        for (body, found) in [
            ("split_part(NEW.b, ' ', 1)", Some("split_part")),
            ("substr(NEW.b, STRPOS (NEW.b, ' '))", Some("strpos")),
            ("substring_index(NEW.b, ' ', 1)", Some("substring_index")),
            (
                "lower(trim(NEW.b)) || coalesce(NEW.c, iif(1, 'x', 'y'))",
                None,
            ),
            (
                "(SELECT count(*) FROM u WHERE EXISTS (SELECT 1) AND x IN (1, 2))",
                None,
            ),
            (
                "CAST(NEW.b AS varchar(50)) || CAST(1 AS decimal (5, 2))",
                None,
            ),
            ("'split_part(' || \"strpos\" -- now(\n", None),
            // An author's own: the application may bring it along.
            ("shop_number(NEW.b)", None),
        ] {
            assert_eq!(
                of_another_database(&trigger(body)).as_deref(),
                found,
                "{body}"
            );
        }
    }
}
