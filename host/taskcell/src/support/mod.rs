//! What files need that hold private things: whose they are, and SQLite's way to keep them.

pub(crate) mod private_file;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite_file;
