//! Phasegate: schema migrations that know which application versions are live.
//!
//! An application written in Rust registers with [`Lease`], or with the package `phasegate-lease` alone, which reads no files: what
//! is shown here is what it needs, and docs/library.md has an example of each. The modules are for the `migrate` command. They are
//! public so that they can be tested and checked from outside, and no promise: they are not shown, and change with any version.
//!
//! # The map
//!
//! Arrows point down only: nothing knows anything above it, and a test enforces it. What is pure is in packages of its own, below
//! `crates`, so that nothing impure can be built into it; and so is what an application that holds a lease is built with.
//!
//! | module | what it owns |
//! | --- | --- |
//! | `cli` | arguments, one file per command, how results are shown |
//! | `serve` | answers over HTTP, metrics, and a page |
//! | [`ask`] | answers questions without acting, as data and as JSON |
//! | [`adopt`] | brings a project in that another migration tool has carried so far |
//! | [`rehearse`] | tries a migration on scratch databases, and tests what it declares |
//! | [`rollout`] | carries a plan out, durable and resumable |
//! | [`coordinator`] | observe → decide → act → record, for one step at a time |
//! | [`backfill`] | the batches of a backfill and their checkpoints |
//! | [`lease`] | what an instance does: register, renew, stop itself in time |
//! | [`fleet`] | what all sources say, put together into a snapshot |
//! | [`project`] | `migrate.toml` and the migration directories |
//! | [`source`] | sources of live instances: one file each, with its settings |
//! | [`runner`] | other migration tools that carry out a phase: one file each, and how its history is read |
//! | [`driver`] | what replaces the instances of a service: one file each, with its settings |
//! | [`analysis`] | what is asked while a step of a rollout holds: one file a kind of measure, and what a figure may be |
//! | `program` | programs that are asked something, bounded in time and output |
//! | `cluster` | the API server of a Kubernetes cluster: how it is reached, what it is asked |
//! | `web` | what is asked of other servers, over HTTP |
//! | `telemetry` | sends the spans to a collector of OpenTelemetry |
//! | `span` | what a trace says of a command, its steps and its questions |
//! | [`ledger`] | what is recorded in the user's database |
//! | [`database`] | one file per database: connect, run statements, locks, catalogue, sessions |
//! | [`planner`] | pure: search for the interleaved plan of schema steps and rollouts |
//! | [`gate`] | pure: action + state + snapshot → verdict |
//! | [`model`] | pure: versions, formats, row kinds, and the one invariant |
//! | [`sql`] | pure: the statements of a script, and what each does to old code |
//!
//! # Invariants
//!
//! - What is safe is decided in [`gate`] and [`model`] alone, without I/O, a clock or async.
//! - Every transaction that changes the schema checks the coordinator's token before it commits.
//! - A phase is recorded in the transaction of the statements that bring it about, or before and
//!   after each of them where the database allows no such transaction.
//! - Only the database's clock says whether a lease has ended, and its holder's own deadline is
//!   never later.
//! - No command that only reads writes anything, not even the ledger's tables.

#[doc(hidden)]
pub mod adopt;
#[doc(hidden)]
pub mod analysis;
#[doc(hidden)]
pub mod ask;
#[doc(hidden)]
pub mod backfill;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
#[cfg(feature = "kubernetes")]
mod cluster;
#[doc(hidden)]
pub mod coordinator;
#[doc(hidden)]
pub mod driver;
#[doc(hidden)]
pub mod fleet;
#[doc(hidden)]
pub mod lease;
mod program;
#[doc(hidden)]
pub mod project;
#[doc(hidden)]
pub mod rehearse;
#[doc(hidden)]
pub mod rollout;
mod row;
#[doc(hidden)]
pub mod runner;
#[cfg(feature = "serve")]
#[doc(hidden)]
pub mod serve;
#[doc(hidden)]
pub mod source;
mod span;
#[cfg(feature = "otlp")]
mod telemetry;
#[cfg(feature = "http")]
mod web;

#[doc(inline)]
pub use lease::LeaseBuilderExt;
use phasegate_change as change;
#[doc(inline)]
pub use phasegate_lease::{
    AtLoss, Blocker, BlockerKind, Database, Decision, Declaration, Embedded, FailedRenewal, Lease,
    LeaseBuilder, LeaseConnection, LeaseError, LeaseState, Loss, PasswordSource, Verdict,
};
use phasegate_lease::{crash, process};
#[doc(hidden)]
pub use phasegate_lease::{database, interrupt, ledger};
#[doc(hidden)]
pub use phasegate_model::{gate, model, planner};
#[doc(hidden)]
pub use phasegate_sql as sql;
use phasegate_text as text;

/// What `docs/library.md` shows is compiled.
#[cfg(doctest)]
#[doc = include_str!("../docs/library.md")]
struct Library;
