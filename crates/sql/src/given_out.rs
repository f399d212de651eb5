//! Defaults by which no two rows get the same: a UNIQUE lets in whatever versions insert that leave the column out.

/// Whether a default, at the beginning of this text, gives each row a value that no other has.
pub(super) fn gives_out(text: &str) -> bool {
    const CALLS: &[&str] = &[
        "gen_random_uuid",
        "nextval",
        "uuid",
        "uuid_generate_v1",
        "uuid_generate_v1mc",
        "uuid_generate_v4",
        "uuidv4",
        "uuidv7",
    ];
    let lower = text.trim_start().to_ascii_lowercase();
    let call = lower.strip_prefix("default").unwrap_or(&lower);
    let call = call.trim_start_matches(['(', ' ', '\n', '\t']);
    let end = call.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '.');
    let (name, rest) = call.split_at(end.unwrap_or(call.len()));
    let name = name.rsplit('.').next().unwrap_or(name);
    // What is made of it, `left(uuid(), 2)`, is none.
    let is_itself = rest.trim_start().starts_with('(')
        && !rest.contains(['%', '+', '|', '/'])
        && (name == "nextval"
            || rest
                .trim_start()
                .get(1..)
                .is_some_and(|rest| rest.trim_start().starts_with(')')));
    CALLS.contains(&name) && is_itself
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Dialect, Effect, Script};

    #[test]
    fn what_is_given_out_is_told_from_what_is_made_of_it() {
        for (default, expected) in [
            ("gen_random_uuid()", true),
            ("DEFAULT (uuid())", true),
            ("(uuid()) NOT NULL", true),
            ("nextval('s'::regclass)", true),
            ("public.uuid_generate_v4()", true),
            ("left(uuid(), 2)", false),
            ("(uuid() || 'x')", false),
            ("nextval('s') % 2", false),
            ("'uuid()'", false),
            ("now()", false),
        ] {
            assert_eq!(gives_out(default), expected, "{default}");
        }
    }

    #[test]
    fn a_unique_column_may_have_such_a_default() {
        use Dialect::{Mysql, Postgres};
        for (dialect, sql, is_fine) in [
            (
                Postgres,
                "ALTER TABLE t ADD COLUMN u uuid UNIQUE DEFAULT gen_random_uuid()",
                true,
            ),
            (
                Postgres,
                "ALTER TABLE t ADD COLUMN u uuid NOT NULL DEFAULT gen_random_uuid() CONSTRAINT x UNIQUE",
                true,
            ),
            (
                Postgres,
                "ALTER TABLE t ADD COLUMN u uuid DEFAULT gen_random_uuid(); CREATE UNIQUE INDEX i ON t (u)",
                true,
            ),
            (
                Postgres,
                "ALTER TABLE t ADD COLUMN u uuid DEFAULT gen_random_uuid(); ALTER TABLE t ADD CONSTRAINT c UNIQUE (u)",
                true,
            ),
            (
                Postgres,
                "ALTER TABLE t ADD COLUMN u uuid UNIQUE DEFAULT 'a'",
                false,
            ),
            (
                Postgres,
                "ALTER TABLE t ADD COLUMN u text UNIQUE DEFAULT left(gen_random_uuid()::text, 2)",
                false,
            ),
            (
                Postgres,
                "ALTER TABLE t ADD COLUMN u uuid DEFAULT gen_random_uuid(); CREATE UNIQUE INDEX i ON t (left(u::text, 2))",
                false,
            ),
            (
                Postgres,
                "ALTER TABLE t ADD COLUMN u int DEFAULT nextval('s') REFERENCES p (id)",
                false,
            ),
            (
                Mysql,
                "ALTER TABLE t ADD COLUMN u char(36) UNIQUE DEFAULT (uuid())",
                true,
            ),
            (
                Mysql,
                "ALTER TABLE t ADD COLUMN u char(36) DEFAULT (uuid()), ADD UNIQUE KEY i (u)",
                true,
            ),
            (
                Mysql,
                "ALTER TABLE t ADD COLUMN u char(36) DEFAULT (uuid()); ALTER TABLE t ADD UNIQUE KEY i (u)",
                true,
            ),
            (
                Mysql,
                "ALTER TABLE t ADD COLUMN u char(36) UNIQUE DEFAULT ''",
                false,
            ),
        ] {
            let script =
                Script::parse(dialect, sql).unwrap_or_else(|errors| panic!("{sql}: {errors:?}"));
            let all = script
                .statements
                .iter()
                .all(|one| one.effect == Effect::Additive);
            assert_eq!(all, is_fine, "{sql}");
        }
    }
}
