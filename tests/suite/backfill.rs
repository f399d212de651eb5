//! Backfills: which keys they go over, how gently, how many at a time, and what shows that they are right.

mod along;
mod check;
mod failing;
mod gentle;
mod keys;
mod lost;
mod quotes;
mod replicas;
mod table;
mod table_and_key;
mod workers;
