//! How the gate says what a version does.

use crate::model::{Declaration, Format, Freshness, Live, RowKind, Sync};

/// "reads", "writes" or "reads and writes", whichever `who` does with `format`.
#[must_use]
pub fn touch_words(declaration: &Declaration, who: &Live, format: Format) -> &'static str {
    let behaviours = declaration.behaviours(&who.service, &who.version);
    let reads = behaviours.iter().any(|b| b.reads.contains(format));
    let writes = behaviours.iter().any(|b| b.writes.contains(format));
    match (reads, writes) {
        (true, true) => "reads and writes",
        (true, false) => "reads",
        (false, true) => "writes",
        (false, false) => "does not touch",
    }
}

/// How to pin an ambiguous pre-release, to be added to a blocker's message; empty where the
/// version is not ambiguous.
pub(super) fn ambiguity(declaration: &Declaration, who: &Live) -> String {
    if declaration.behaviours(&who.service, &who.version).len() < 2 {
        return String::new();
    }
    let release = who.version.release();
    format!(
        "; {version} may hold the code before {release} or that of {release}, and both have to be \
         safe: name {release}-0 (every pre-release is the new code) or a pre-release in the range of \
         [services.{service}], or an alias for {version} in migrate.toml",
        version = who.version,
        service = who.service,
    )
}

/// Whether both formats are one thing in the database, of which the new one allows more, or less: a
/// value more in an enum, NULL or a constraint. Nothing of a row is stale or missing then.
pub(super) const fn is_one_thing(declaration: &Declaration) -> bool {
    matches!(declaration.sync, Sync::ToNew | Sync::ToOld)
}

/// What is the matter with a row of this kind.
pub(super) fn kind_words(declaration: &Declaration, kind: RowKind) -> String {
    if !is_one_thing(declaration) {
        return kind.describe();
    }
    let words = match (kind.old, kind.new) {
        (Freshness::Fresh, Freshness::Fresh) => "right in both formats",
        (Freshness::Fresh, _) => "right in the old format only",
        (_, Freshness::Fresh) => "right in the new format only",
        _ => "right in neither format",
    };
    words.to_owned()
}
