//! The coexistence model: what versions read and write, which rows may exist, and the one
//! invariant that every action has to keep.
//!
//! Invariant: everything here is pure. No I/O, no clock, no async: the same functions decide in
//! production, in tests and in a model checker.

mod basis;
mod blame;
mod breach;
mod format;
mod gap;
mod holding;
mod lost;
mod migration;
mod moved;
mod order;
mod pattern;
mod range;
mod rows;
mod rule;
mod sessions;
mod shown;
mod snapshot;
mod state;
mod step;
#[cfg(test)]
pub(crate) mod testing;
mod this;
mod untagged;
mod usage;
mod version;
mod work;

pub use basis::{Basis, Keeps};
pub use breach::{Breach, Clause};
pub use format::{Behaviour, Format, Formats, Sync};
pub use holding::LeaseConnection;
pub use lost::LostLedger;
pub use migration::{Declaration, Fill, IdError, MigrationId, Parts};
pub use moved::Moved;
pub use order::{Gap, Order};
pub use pattern::{LabelPattern, NO_VERSION, OtherNames, PatternError, tells_none};
pub use range::{Range, RangeError, Reading};
pub use rows::{Freshness, RowKind, RowKinds, RowKindsError, Rows};
pub use rule::beside;
pub use sessions::{SessionCheck, SessionRule, Unaccounted, Whereabouts};
pub use shown::{PastDone, Shown};
pub(crate) use snapshot::most_in_one_source;
pub use snapshot::{
    About, Ending, EndingCause, InstanceState, LEASES, Label, Listed, LiveGroup, ORDERED, Settling,
    Snapshot, SourceReport, SourceStatus, Torn, Twins, count, tear,
};
pub use state::{Live, MigrationState, Phase, PhaseError, Schema, Sequence};
pub use step::{NoStep, Step};
pub use this::{names_this, with_release};
pub use usage::{Touched, Usage, Usages};
pub use version::{Version, VersionError};
pub use work::AtWork;
