//! Backfills: which keys they go over, how gently, how many at a time, and what shows that they are right.

mod check;
mod gentle;
mod keys;
mod replicas;
mod table;
mod table_and_key;
mod workers;
