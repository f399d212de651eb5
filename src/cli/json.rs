//! The shapes of `--output json` that are those of every answer.

pub(super) use crate::ask::json::*;
