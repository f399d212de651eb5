//! What is safe, decided without I/O, a clock or async: the same functions answer in production, in tests and in a model checker.
//!
//! [`model`] has the words and the one invariant, [`gate`] asks it about an action, [`planner`] searches for a whole way. Arrows point from
//! the last to the first; `docs/model.md` explains them.

pub mod gate;
pub mod model;
#[cfg(feature = "planner")]
pub mod planner;
