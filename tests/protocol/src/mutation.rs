//! Wrong versions of the protocol, each of which the checker has to catch.

/// What is done wrongly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mutation {
    #[default]
    None,
    /// The contract removes the old format on what it saw before its fence was up.
    NoRecheckAfterFence,
    /// The contract checks, and only then raises the fence together with the removal.
    FenceAfterCheck,
    /// A holder counts its deadline from the answer to its renewal.
    DeadlineFromReply,
    /// `1.2.0-rc.1` is taken for 1.2.0.
    PrereleaseIsItsRelease,
    /// An instance that drains is taken for gone.
    DrainingIsGone,
    /// Row kinds come from inserts alone.
    KindsNotClosed,
    /// A backfill ends as done, whoever was admitted meanwhile.
    BackfillDoneRegardless,
    /// What a source said too long ago is taken for an empty fleet.
    StaleSourceIsEmpty,
    /// A coordinator changes things without looking at its token.
    TokenUnchecked,
    /// A backfill is recorded as begun on what was seen before, and an old-only writer that has come since is taken to be
    /// accounted for.
    BackfillBegunUnchecked,
    /// A fence that comes down goes back to the phase in which the step was decided on, whoever has come since.
    BackWhoeverCame,
    /// A fence comes down though statements behind it have run.
    LoweredHalfway,
    /// Only who comes is written down, not those that run on beside them.
    LiveForgotten,
    /// The row kinds are those of versions that were all live together, whoever had gone before another came.
    KindsAllAtOnce,
    /// The same, and whatever looks broken already is no reason to keep out who breaks it.
    BrokenExcuses,
    /// A lease is taken for ended one renewal early.
    LeaseEndsEarly,
}
