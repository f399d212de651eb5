//! Answers to questions, without acting: for the command line and for whoever else asks.

mod details;
pub mod json;

pub use details::details;
