//! What several layers need: files that hold private things and whose they are, SQLite's way to keep them, and word of what a
//! request waits for.

pub(crate) mod polled;
pub(crate) mod private_file;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite_file;
