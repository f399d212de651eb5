//! What a statement of any kind loses by one of its words.

use squawk_syntax::{SyntaxKind as K, SyntaxNode};

use super::tree;

pub(super) const PASSES_TRIGGERS: &str =
    "lets rows pass by triggers, so that what they keep in step no longer is";

/// What a CASCADE loses.
pub(super) fn cascades(statement: &SyntaxNode) -> Option<&'static str> {
    const WHY: &str = "takes along whatever depends on it, without naming it (CASCADE)";
    tree::has(statement, K::CASCADE).then_some(WHY)
}
