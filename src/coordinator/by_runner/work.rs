//! Who carries out a step: we, by a script, or another migration tool.

use crate::project::{Revisions, ScriptFile};

/// What carries out a step.
#[derive(Clone, Copy)]
pub(in crate::coordinator) enum Work<'f> {
    Script(&'f ScriptFile),
    Revisions(&'f Revisions),
}

impl<'f> Work<'f> {
    pub(in crate::coordinator) fn of(
        script: Option<&'f ScriptFile>,
        revisions: Option<&'f Revisions>,
    ) -> Option<Self> {
        let script = script.map(Self::Script);
        script.or_else(|| revisions.map(Self::Revisions))
    }
}
