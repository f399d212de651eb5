//! What can be wrong around the command, and that it says so: cause, subject and way out.

mod damage;
mod databases;
mod hosts;
mod reading;
mod tls;
mod urls;
mod words;
