//! Our own sessions: they see everything or fail, run nothing that somebody has planted, and change no script's meaning.

mod altered_ledger;
mod foreign_ledger;
mod hidden_rows;
mod limits;
mod modes;
mod place;
mod planted;
mod roles;
mod settings;
