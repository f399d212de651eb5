//! What a migration is called that a revision becomes.

use crate::runner::Revision;

/// Characters of a name: it is a directory's.
const LONGEST: usize = 60;

/// In the letters that a migration's directory may have, without what only the tool needs: `0002_add_title.up.sql` is `add_title`.
#[must_use]
pub(super) fn slug(revision: &Revision) -> String {
    let file = revision.file.as_deref().unwrap_or_default();
    let file = file.rsplit('/').next().unwrap_or_default();
    // Prisma's files are all called so.
    let stem = match file.split('.').next().unwrap_or_default() {
        "" | "migration" => revision.name.as_str(),
        stem => stem,
    };
    // Django's are those of an application.
    let (app, stem) = match revision.name.split_once('.') {
        Some((app, name)) if name == stem => (Some(app), stem),
        _ => (None, without_name(stem, &revision.name)),
    };
    let bare = stem.trim_start_matches(|c: char| c.is_ascii_digit() || c == '_' || c == '-');
    // Flyway's begin with V2__.
    let bare = match bare.split_once("__") {
        Some((version, name)) if version.starts_with('V') && !name.is_empty() => name,
        _ => bare,
    };
    // Liquibase's are many in one file.
    let identifier = revision.name.split("::").nth(1);
    let whole = match (app.or(identifier), bare) {
        (Some(id), bare) if identifier.is_some() => format!("{bare}_{id}"),
        (Some(app), bare) => format!("{app}_{bare}"),
        (None, "") => revision.name.clone(),
        (None, bare) => bare.to_owned(),
    };
    let mut slug = String::new();
    for c in whole.to_lowercase().chars() {
        if c.is_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('_') {
            slug.push('_');
        }
        if slug.chars().count() >= LONGEST {
            break;
        }
    }
    match slug.trim_end_matches('_') {
        "" => "revision".to_owned(),
        slug => slug.to_owned(),
    }
}

/// What is left of a file's name without that of the revision, if that is more than a number with words behind it.
fn without_name<'s>(stem: &'s str, name: &str) -> &'s str {
    let digits = stem.bytes().take_while(u8::is_ascii_digit).count();
    let has_words = digits > 0
        && stem
            .get(digits..)
            .is_some_and(|rest| rest.starts_with(['_', '-']));
    // Alembic's files may begin with a date.
    let is_long = name.len() >= 4;
    let rest = match stem.split_once(name) {
        Some((before, rest)) if before.is_empty() || is_long => Some(rest),
        _ => None,
    };
    match rest {
        Some("") if has_words => stem,
        Some(rest) => rest,
        None => stem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_the_tool_needs_is_left_out() {
        for (name, file, expected) in [
            ("3f2a91c0", "db/versions/3f2a91c0_add_title.py", "add_title"),
            ("3f2a91c0", "db/versions/3f2a91c0_.py", "3f2a91c0"),
            (
                "3f2a",
                "db/versions/2026_01_02-3f2a_Add Title.py",
                "add_title",
            ),
            (
                "shop.0002_title",
                "shop/migrations/0002_title.py",
                "shop_title",
            ),
            ("2", "migrations/0002_step.sql", "step"),
            ("2", "migrations/0002_step.up.sql", "step"),
            (
                "20260101000002",
                "db/migrations/20260101000002_a-b.sql",
                "a_b",
            ),
            ("1.2", "sql/V1_2__add.sql", "add"),
            (
                "20260101_init",
                "prisma/migrations/20260101_init/migration.sql",
                "init",
            ),
            (
                "20260101000001_m1.js",
                "migrations/20260101000001_m1.js",
                "m1",
            ),
            (
                "1760000000002_step",
                "migrations/1760000000002_step.sql",
                "step",
            ),
            ("db/all.xml::2::dev", "db/all.xml", "all_2"),
            (
                "db/1.0/all.xml::add-zip::dev",
                "db/1.0/all.xml",
                "all_add_zip",
            ),
            ("12", "", "12"),
            ("…", "", "revision"),
        ] {
            let revision = Revision {
                name: name.into(),
                file: (!file.is_empty()).then(|| file.to_owned()),
                after: Vec::new(),
                replaces: Vec::new(),
                key: None,
            };
            let found = slug(&revision);
            assert_eq!(found, expected, "{name} {file}");
            assert!(
                format!("0001_{found}")
                    .parse::<crate::model::MigrationId>()
                    .is_ok()
            );
        }
    }
}
