//! What is left behind by statements that fail, wait or must not share a transaction.

mod concurrently;
mod failing;
mod locks;
mod rebuilds;
mod sync;
