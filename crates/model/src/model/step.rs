//! The steps that change a migration.

/// A step that changes one migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    Expand,
    Backfill,
    Contract,
    Revert,
}

impl Step {
    pub const ALL: [Self; 4] = [Self::Expand, Self::Backfill, Self::Contract, Self::Revert];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Expand => "expand",
            Self::Backfill => "backfill",
            Self::Contract => "contract",
            Self::Revert => "revert",
        }
    }
}

impl std::str::FromStr for Step {
    type Err = NoStep;

    fn from_str(text: &str) -> Result<Self, NoStep> {
        let mut all = Self::ALL.into_iter();
        all.find(|step| step.name() == text).ok_or(NoStep)
    }
}

/// A word that names no step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoStep;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_read_as_it_is_written() {
        for step in Step::ALL {
            assert_eq!(step.name().parse(), Ok(step));
        }
        for other in ["", "Expand", "expanded", "contracting"] {
            assert_eq!(other.parse::<Step>(), Err(NoStep));
        }
    }
}
