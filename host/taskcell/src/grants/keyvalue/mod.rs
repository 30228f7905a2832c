//! Grant `keyvalue`: keys with values that outlive the cell, through `wasi:keyvalue`.
//!
//! Which keys a handler sees follows from the store it was granted, never from what it says: a bucket is a part of
//! that store. The crate wasmtime-wasi-keyvalue does not do here, for it gives each `open` a copy in memory of its
//! own and bounds nothing; its interfaces are bound to [`KeyValue`] instead.
//!
//! | file | knows |
//! |---|---|
//! | `host` | the interfaces |
//! | `quota` | what bounds a store |
//! | `memory`, `sqlite` | the back ends |

mod host;
mod memory;
mod quota;
#[cfg(feature = "sqlite")]
mod sqlite;

use async_trait::async_trait;

#[allow(unreachable_pub, reason = "generated code names it again, as public")]
pub use host::Bucket;
pub use memory::MemoryKeyValue;
pub use quota::{Excess, Quota};
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteKeyValue;

/// The keys and values of one handler, in buckets. A bucket is there as soon as it is named.
///
/// Each operation happens whole or not at all, whatever happens beside it, and what it said it did is kept as long
/// as the store is.
#[async_trait]
pub trait KeyValue: Send + Sync + 'static {
    /// Quota of the store. The host checks the sizes of keys and values before it asks the store. The store checks the
    /// rest itself, as part of the operation.
    fn quota(&self) -> &Quota;

    /// The value of a key.
    ///
    /// # Errors
    /// [`KeyValueError::Store`]
    async fn get(&self, bucket: &str, key: &str) -> Result<Option<Vec<u8>>, KeyValueError>;

    /// Sets the value of a key.
    ///
    /// # Errors
    /// [`KeyValueError::Quota`], after which all is as before, and [`KeyValueError::Store`].
    async fn set(&self, bucket: &str, key: &str, value: Vec<u8>) -> Result<(), KeyValueError>;

    /// Removes a key; says whether it was there.
    ///
    /// # Errors
    /// [`KeyValueError::Store`]
    async fn delete(&self, bucket: &str, key: &str) -> Result<bool, KeyValueError>;

    /// Whether there is a key.
    ///
    /// # Errors
    /// [`KeyValueError::Store`]
    async fn exists(&self, bucket: &str, key: &str) -> Result<bool, KeyValueError>;

    /// Keys in the order they came, after a place in this list, so many at most. A key that stays is seen once,
    /// whatever else comes and goes between two calls.
    ///
    /// # Errors
    /// [`KeyValueError::Store`]
    async fn list_keys(&self, bucket: &str, after: u64, most: usize) -> Result<Vec<Listed>, KeyValueError>;

    /// Adds to a number that stands as decimal digits, and gives the sum. A key that is not there counts as zero.
    ///
    /// # Errors
    /// [`KeyValueError::NoNumber`] and those of [`KeyValue::set`].
    async fn increment(&self, bucket: &str, key: &str, delta: u64) -> Result<u64, KeyValueError>;
}

/// A key in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The key.
    pub key: String,
    /// Position from which the list can continue: at least 1.
    pub place: u64,
}

/// Why a store did not do something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyValueError {
    /// The operation would exceed the quota.
    #[error("{0}")]
    Quota(Excess),
    /// The value to add to is not a number, or the sum is too large for one.
    #[error("the value is no whole number below 2^64, or would not be one any more")]
    NoNumber,
    /// The store failed. The text is for the log, not for the guest.
    #[error("{0}")]
    Store(String),
}

impl From<Excess> for KeyValueError {
    fn from(excess: Excess) -> Self {
        Self::Quota(excess)
    }
}

/// The sum, and how it is stored.
fn sum(stored: Option<&[u8]>, delta: u64) -> Result<(u64, Vec<u8>), KeyValueError> {
    let number = match stored {
        None => Some(0),
        // What `parse` takes but for a sign.
        Some(digits) if digits.first().is_some_and(u8::is_ascii_digit) => {
            std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<u64>().ok())
        }
        Some(_) => None,
    };
    let sum = number.and_then(|number| number.checked_add(delta)).ok_or(KeyValueError::NoNumber)?;
    Ok((sum, sum.to_string().into_bytes()))
}
