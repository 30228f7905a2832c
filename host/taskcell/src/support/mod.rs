//! Helpers of several layers: locks, rights of private files, SQLite files, and a record of what a request waits for.

mod mutex;
pub(crate) mod polled;
pub(crate) mod private_file;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite_file;

pub(crate) use mutex::lock;
