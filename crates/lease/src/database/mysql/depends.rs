//! What a server would not take a table or a column away from under, or would make less of along with it.

use super::Flavour;

pub(super) const fn of(flavour: Flavour) -> &'static str {
    match flavour {
        Flavour::MariaDb => MARIADB,
        Flavour::MySql => MYSQL,
    }
}

/// Which says `{checks}` its own way, and marks defaults that are expressions.
macro_rules! depends {
    ($checks:literal, $is_expression:literal) => {
        concat!(
            "WITH w AS (SELECT ? AS tab, ? AS col, ? AS path) \
             SELECT CAST(concat('the foreign key `', k.constraint_name, '` of `', k.table_name, '`') AS CHAR), CAST(k.constraint_name AS CHAR), 0, '' \
             FROM w JOIN information_schema.key_column_usage k ON k.referenced_table_schema = DATABASE() \
               AND (k.referenced_table_name = w.tab AND (w.col = '' AND k.table_name <> w.tab OR k.referenced_column_name = w.col) \
               OR k.table_schema = DATABASE() AND k.table_name = w.tab AND k.column_name = w.col) \
             UNION SELECT CAST(concat('the generated column `', c.column_name, '` of `', c.table_name, '`') AS CHAR), CAST(c.column_name AS CHAR), 0, '' \
             FROM w JOIN information_schema.columns c ON c.table_schema = DATABASE() AND c.table_name = w.tab AND w.col <> '' \
               AND c.column_name <> w.col AND INSTR(LOWER(c.generation_expression), LOWER(concat('`', w.col, '`'))) > 0 \
             UNION SELECT CAST(concat('the default of `', c.column_name, '` of `', c.table_name, '`') AS CHAR), CAST(c.column_name AS CHAR), 0, '' \
             FROM w JOIN information_schema.columns c ON c.table_schema = DATABASE() AND c.table_name = w.tab AND w.col <> '' \
               AND c.column_name <> w.col AND ",
            $is_expression,
            " AND INSTR(LOWER(c.column_default), LOWER(concat('`', w.col, '`'))) > 0 ",
            $checks,
            // What is about this column alone goes with it; of several it would be another key, or the server refuses.
            " UNION SELECT CAST(concat(CASE WHEN s.index_name = 'PRIMARY' THEN 'the primary key' ELSE concat('the unique index `', s.index_name, '`') END, \
               ' of `', s.table_name, '`, which is about other columns as well,') AS CHAR), CAST(s.index_name AS CHAR), 0, \
               CAST(GROUP_CONCAT(o.column_name SEPARATOR '\u{1f}') AS CHAR) \
             FROM w JOIN information_schema.statistics s ON s.table_schema = DATABASE() AND s.table_name = w.tab AND s.non_unique = 0 \
               AND s.column_name = w.col \
             JOIN information_schema.statistics o ON o.table_schema = s.table_schema AND o.table_name = s.table_name \
               AND o.index_name = s.index_name AND o.seq_in_index <> s.seq_in_index GROUP BY s.table_name, s.index_name \
             UNION SELECT CAST(concat('the partitioning of `', p.table_name, '`') AS CHAR), 'PARTITION', 0, '' \
             FROM w JOIN information_schema.partitions p ON p.table_schema = DATABASE() AND p.table_name = w.tab AND w.col <> '' \
               AND INSTR(LOWER(concat(coalesce(p.partition_expression, ''), coalesce(p.subpartition_expression, ''))), \
               LOWER(concat('`', w.col, '`'))) > 0"
        )
    };
}

// A check of a column goes with that column.
const MARIADB: &str = depends!(
    "UNION SELECT CAST(concat('the check `', k.constraint_name, '` of `', k.table_name, '`') AS CHAR), CAST(k.constraint_name AS CHAR), 0, \
     CAST(GROUP_CONCAT(o.column_name SEPARATOR '\u{1f}') AS CHAR) \
     FROM w JOIN information_schema.check_constraints k ON k.constraint_schema = DATABASE() AND k.table_name = w.tab AND w.col <> '' \
       AND NOT (k.level = 'Column' AND k.constraint_name = w.col) \
       AND INSTR(LOWER(k.check_clause), LOWER(concat('`', w.col, '`'))) > 0 \
     JOIN information_schema.columns o ON o.table_schema = k.constraint_schema AND o.table_name = k.table_name \
       AND o.column_name <> w.col AND INSTR(LOWER(k.check_clause), LOWER(concat('`', o.column_name, '`'))) > 0 \
     GROUP BY k.table_name, k.constraint_name",
    "c.column_default IS NOT NULL"
);

// A default that is no expression stands there without quotes.
const MYSQL: &str = depends!(
    "UNION SELECT CAST(concat('the check `', k.constraint_name, '` of `', t.table_name, '`') AS CHAR), CAST(k.constraint_name AS CHAR), 0, \
     CAST(GROUP_CONCAT(o.column_name SEPARATOR '\u{1f}') AS CHAR) \
     FROM w JOIN information_schema.table_constraints t ON t.table_schema = DATABASE() AND t.table_name = w.tab AND w.col <> '' \
       AND t.constraint_type = 'CHECK' \
     JOIN information_schema.check_constraints k ON k.constraint_schema = t.constraint_schema AND k.constraint_name = t.constraint_name \
       AND INSTR(LOWER(k.check_clause), LOWER(concat('`', w.col, '`'))) > 0 \
     JOIN information_schema.columns o ON o.table_schema = t.table_schema AND o.table_name = t.table_name \
       AND o.column_name <> w.col AND INSTR(LOWER(k.check_clause), LOWER(concat('`', o.column_name, '`'))) > 0 \
     GROUP BY t.table_name, k.constraint_name",
    "c.extra LIKE '%DEFAULT_GENERATED%'"
);
