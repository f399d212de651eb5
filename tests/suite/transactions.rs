//! What is left behind by statements that fail, wait or must not share a transaction.

mod concurrently;
mod copies;
mod failing;
mod gaps;
mod in_step;
mod left;
mod locks;
mod many;
mod rebuilds;
pub mod sync;
