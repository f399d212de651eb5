//! The rolling restart that all of this is for, with real parts: an application in Python behind HAProxy, with customers
//! who notice every request that fails and every answer that is wrong.

mod back;
mod client;
mod failing;
mod forgotten;
mod load;
mod scene;
mod whole_way;
