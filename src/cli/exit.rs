//! How a command ends, as the exit code of its process tells it. This is the one table.

use crate::database::{DatabaseError, ErrorKind};
use crate::gate::Verdict;

/// How a command ends. Only `agent` ends with other codes as well: those of its application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    Done,
    Error,
    /// The arguments are wrong, whether that shows at once or once the project is read.
    Usage,
    Hold,
    Refuse,
    /// What the answer rests on is missing: evidence, or the database itself.
    Unknown,
    /// What was asked for was done, and its result could not be written.
    Unwritten,
    /// By a signal, whichever it was.
    Interrupted,
}

impl Exit {
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => Verdict::Go.exit_code(),
            Self::Error => 1,
            Self::Usage => 2,
            Self::Hold => Verdict::Hold.exit_code(),
            Self::Refuse => Verdict::Refuse.exit_code(),
            Self::Unknown => Verdict::Unknown.exit_code(),
            Self::Unwritten => 74,
            Self::Interrupted => 130,
        }
    }

    /// What a code says, in one word.
    #[must_use]
    pub const fn name(code: u8) -> &'static str {
        match code {
            0 => "done",
            2 => "usage",
            10 => "hold",
            11 => "refuse",
            12 => "unknown",
            74 => "unwritten",
            130 => "interrupted",
            _ => "error",
        }
    }

    /// The end of a command that an error of the database ends, whatever the command was.
    #[must_use]
    pub const fn of(error: &DatabaseError) -> Self {
        match error.kind {
            // Nothing was answered by the one that knows.
            ErrorKind::Unreachable | ErrorKind::Full | ErrorKind::Tls | ErrorKind::Standby => {
                Self::Unknown
            }
            ErrorKind::Interrupted => Self::Interrupted,
            _ => Self::Error,
        }
    }

    /// As [`Self::of`] for a question: what a lock hides, or has no room, is not known.
    #[must_use]
    pub const fn of_a_question(error: &DatabaseError) -> Self {
        match error.kind {
            ErrorKind::Locked | ErrorKind::Timeout | ErrorKind::NoSpace => Self::Unknown,
            _ => Self::of(error),
        }
    }
}

impl From<Verdict> for Exit {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Go => Self::Done,
            Verdict::Hold => Self::Hold,
            Verdict::Refuse => Self::Refuse,
            Verdict::Unknown => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_means_one_thing() {
        use Exit::{Done, Error, Hold, Interrupted, Refuse, Unknown, Unwritten, Usage};
        let all = [
            (Done, 0),
            (Error, 1),
            (Usage, 2),
            (Hold, 10),
            (Refuse, 11),
            (Unknown, 12),
            (Unwritten, 74),
            (Interrupted, 130),
        ];
        for (exit, code) in all {
            assert_eq!(exit.code(), code, "{exit:?}");
            assert_eq!(Exit::name(code), format!("{exit:?}").to_lowercase());
        }
        for verdict in [
            Verdict::Go,
            Verdict::Hold,
            Verdict::Refuse,
            Verdict::Unknown,
        ] {
            assert_eq!(Exit::from(verdict).code(), verdict.exit_code());
        }
    }

    #[test]
    fn what_cannot_be_asked_is_unknown_and_what_is_refused_an_error() {
        use ErrorKind as Kind;
        let error = |kind| DatabaseError::new(kind, "");
        for kind in [Kind::Unreachable, Kind::Full, Kind::Tls, Kind::Standby] {
            assert_eq!(Exit::of(&error(kind)), Exit::Unknown, "{kind:?}");
        }
        for kind in [
            Kind::Authentication,
            Kind::Permission,
            Kind::ReadOnly,
            Kind::NoDatabase,
            Kind::Url,
            Kind::Statement,
        ] {
            assert_eq!(Exit::of(&error(kind)), Exit::Error, "{kind:?}");
            assert_eq!(Exit::of_a_question(&error(kind)), Exit::Error, "{kind:?}");
        }
        for kind in [Kind::Locked, Kind::Timeout, Kind::NoSpace] {
            assert_eq!(Exit::of(&error(kind)), Exit::Error, "{kind:?}");
            assert_eq!(Exit::of_a_question(&error(kind)), Exit::Unknown, "{kind:?}");
        }
        assert_eq!(Exit::of(&error(Kind::Interrupted)), Exit::Interrupted);
    }
}
