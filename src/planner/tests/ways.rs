//! What is named as a way out is one: the plan is there once it is taken.
