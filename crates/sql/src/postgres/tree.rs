//! Reading squawk's syntax tree.

use squawk_syntax::{SyntaxKind, SyntaxNode, SyntaxToken};

use super::super::facts::Name;

/// What names a table, or whatever else has rows.
pub(super) const TABLE: &[SyntaxKind] = &[
    SyntaxKind::TABLE_NAME,
    SyntaxKind::TABLE_NAME_REF,
    SyntaxKind::TABLE_RELATION_NAME,
    SyntaxKind::RELATION_NAME,
    SyntaxKind::RELATION_NAME_REF,
];

/// PostgreSQL cuts names off after this many bytes.
const LONGEST_NAME: usize = 63;

/// The first child of one of these kinds.
pub(super) fn child(node: &SyntaxNode, kinds: &[SyntaxKind]) -> Option<SyntaxNode> {
    node.children().find(|child| kinds.contains(&child.kind()))
}

/// Whether a node or keyword of this kind is a direct part.
pub(super) fn has(node: &SyntaxNode, kind: SyntaxKind) -> bool {
    node.children_with_tokens().any(|part| part.kind() == kind)
}

/// Whether a node or keyword of this kind is anywhere inside.
pub(super) fn within(node: &SyntaxNode, kind: SyntaxKind) -> bool {
    node.descendants_with_tokens()
        .any(|part| part.kind() == kind)
}

pub(super) fn within_any(node: &SyntaxNode, kinds: &[SyntaxKind]) -> bool {
    kinds.iter().any(|kind| within(node, *kind))
}

/// All tokens but space and comments.
pub(super) fn tokens(node: &SyntaxNode) -> impl Iterator<Item = SyntaxToken> {
    node.descendants_with_tokens()
        .filter_map(|part| part.into_token())
        .filter(|token| !matches!(token.kind(), SyntaxKind::WHITESPACE | SyntaxKind::COMMENT))
}

/// The leading keywords of a statement, as `DROP MATERIALIZED VIEW`.
pub(super) fn keywords(node: &SyntaxNode) -> Vec<String> {
    node.children_with_tokens()
        .filter(|part| !matches!(part.kind(), SyntaxKind::WHITESPACE | SyntaxKind::COMMENT))
        .map_while(|part| part.into_token())
        .map(|token| token.text().to_ascii_uppercase())
        .collect()
}

/// The name that a node of any `…_NAME` or `…_REF` kind spells.
pub(super) fn name(node: &SyntaxNode) -> Option<Name> {
    let mut parts = Vec::new();
    let mut joined = true;
    for token in tokens(node) {
        match token.kind() {
            SyntaxKind::ONLY_KW | SyntaxKind::STAR | SyntaxKind::L_PAREN | SyntaxKind::R_PAREN => {}
            SyntaxKind::DOT => joined = true,
            _ if joined => {
                parts.push(folded(token.text())?);
                joined = false;
            }
            _ => break,
        }
    }
    let name = parts.pop()?;
    Some(Name {
        schema: parts.pop(),
        name,
    })
}

pub(super) fn child_name(node: &SyntaxNode, kinds: &[SyntaxKind]) -> Option<Name> {
    name(&child(node, kinds)?)
}

/// Without quotes, in lower case if there were none, and cut off. `None` for the rare `U&"…"`, whose escapes
/// would have to be resolved: better no name than a wrong one.
pub(super) fn folded(written: &str) -> Option<String> {
    let mut name = match written
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
    {
        Some(inner) => inner.replace("\"\"", "\""),
        None if written.contains('"') => return None,
        None => written.to_ascii_lowercase(),
    };
    if name.len() > LONGEST_NAME {
        let end = (0..=LONGEST_NAME)
            .rev()
            .find(|end| name.is_char_boundary(*end));
        name.truncate(end.unwrap_or_default());
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::parse;
    use super::super::super::{Dialect, ObjectKind, Verb};

    #[test]
    fn objects_are_named_as_the_catalogue_names_them() {
        for (sql, kind, verb, schema, name, table) in [
            (
                "CREATE INDEX CONCURRENTLY IF NOT EXISTS Ix ON App.Users (a)",
                ObjectKind::Index,
                Verb::Create,
                Some("app"),
                "ix",
                Some("users"),
            ),
            (
                "CREATE TABLE \"Größe\" (a int)",
                ObjectKind::Table,
                Verb::Create,
                None,
                "Größe",
                None,
            ),
            (
                "CREATE TABLE \"a\"\"b\" (a int)",
                ObjectKind::Table,
                Verb::Create,
                None,
                "a\"b",
                None,
            ),
            (
                "ALTER TABLE a.T ADD COLUMN C int",
                ObjectKind::Column,
                Verb::Create,
                Some("a"),
                "c",
                Some("t"),
            ),
            (
                "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0)",
                ObjectKind::Constraint,
                Verb::Create,
                None,
                "c",
                Some("t"),
            ),
            (
                "ALTER TABLE t RENAME TO u",
                ObjectKind::Table,
                Verb::Rename,
                None,
                "t",
                None,
            ),
            (
                "DROP TRIGGER g ON a.t",
                ObjectKind::Trigger,
                Verb::Drop,
                Some("a"),
                "g",
                Some("t"),
            ),
            (
                "DROP FUNCTION a.f(int)",
                ObjectKind::Function,
                Verb::Drop,
                Some("a"),
                "f",
                None,
            ),
            (
                "ALTER TYPE a.mood ADD VALUE 'x'",
                ObjectKind::Type,
                Verb::Alter,
                Some("a"),
                "mood",
                None,
            ),
            (
                "CREATE SCHEMA IF NOT EXISTS s",
                ObjectKind::Schema,
                Verb::Create,
                None,
                "s",
                None,
            ),
            (
                "DROP INDEX a.i",
                ObjectKind::Index,
                Verb::Drop,
                Some("a"),
                "i",
                None,
            ),
        ] {
            let script = parse(Dialect::Postgres, sql);
            let object = script.statements[0].object.as_ref().expect(sql);
            assert_eq!((object.kind, object.verb), (kind, verb), "{sql}");
            assert_eq!(object.schema.as_deref(), schema, "{sql}");
            assert_eq!(
                (object.name.as_str(), object.table.as_deref()),
                (name, table),
                "{sql}"
            );
        }
        let long = "x".repeat(70);
        let script = parse(Dialect::Postgres, &format!("CREATE TABLE {long} (a int)"));
        assert_eq!(
            script.statements[0].object.as_ref().unwrap().name,
            long[..63]
        );
        let script = parse(Dialect::Postgres, "DROP TABLE a, b; DROP TRIGGER g ON t");
        assert_eq!(script.dropped_tables().count(), 2);
        assert!(script.explicitly_drops(ObjectKind::Trigger, "g"));
        assert!(!script.explicitly_drops(ObjectKind::Trigger, "G"));
    }
}
