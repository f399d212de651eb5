//! How far the files are read. Where everything is applied as it stands, nobody runs a script, and what its SQL does was judged
//! when it was applied: then what is declared, and which text each script has, is all that an answer rests on.

/// How far the files of a project were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Everything is judged.
    Whole,
    /// What is declared, and the digest of each script; no SQL was looked at, and there is none to run.
    ///
    /// Invariant: nothing is said to be safe by such a project but where the ledger has each of its migrations complete, and each
    /// script as it is.
    Declared,
}
