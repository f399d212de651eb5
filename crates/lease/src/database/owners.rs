//! Whose the ledger may be, and whether anybody has looked.

use super::Access;

/// Whose the ledger's tables may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owners {
    /// The connected role, one that it is a member of, or a superuser: the coordinator owns the ledger.
    Trusted,
    /// Anybody, but the same for all of them: an instance owns nothing.
    One,
}

/// Whether somebody has looked at the ledger's tables through a connection.
///
/// Invariant: nothing is read from them through a connection before somebody has looked, and nothing is written before somebody
/// has looked who is as strict as the one who writes has to be.
#[derive(Debug)]
pub(super) struct FirstLook {
    /// Whose they may be for whoever writes.
    owners: Owners,
    taken_for: Option<Access>,
}

impl FirstLook {
    pub(super) const fn by(owners: Owners) -> Self {
        Self {
            owners,
            taken_for: None,
        }
    }

    /// Whose they may be, where nobody has looked for the sake of this yet. From now on somebody has.
    pub(super) fn due(&mut self, access: Access) -> Option<Owners> {
        let (owners, taken_for) = match (access, self.taken_for) {
            (_, Some(Access::Write)) | (Access::Read, Some(Access::Read)) => return None,
            // A reader owns nothing.
            (Access::Read, None) => (Owners::One, Access::Read),
            (Access::Write, _) => (self.owners, Access::Write),
        };
        self.taken_for = Some(taken_for);
        Some(owners)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_writes_looks_as_strictly_as_that_needs() {
        let mut look = FirstLook::by(Owners::Trusted);
        assert_eq!(look.due(Access::Read), Some(Owners::One));
        assert_eq!(look.due(Access::Read), None);
        assert_eq!(look.due(Access::Write), Some(Owners::Trusted));
        assert_eq!(look.due(Access::Write), None);
        assert_eq!(look.due(Access::Read), None);
        let mut look = FirstLook::by(Owners::One);
        assert_eq!(look.due(Access::Write), Some(Owners::One));
        assert_eq!(look.due(Access::Read), None);
    }
}
