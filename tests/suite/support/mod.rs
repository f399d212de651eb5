//! What the tests stand on. A test reads as: make a database, make a project, run `migrate`, look.
#![allow(
    dead_code,
    reason = "a toolbox: each test uses a part, and no tool is deleted because its last user is"
)]

#[cfg(feature = "kubernetes")]
pub mod api_server;
pub mod applied;
#[macro_use]
pub mod backend;
pub mod connection;
pub mod git;
pub mod http;
pub mod lease;
pub mod mysql;
pub mod mysql_backend;
pub mod place;
pub mod pooler;
pub mod postgres;
pub mod postgres_backend;
pub mod project;
pub mod shop;
pub mod snapshot;
pub mod sqlite_backend;
pub mod terminal;
pub mod took;
pub mod wait;
