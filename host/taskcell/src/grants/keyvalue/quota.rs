//! Quotas of a handler's keys and values.

use std::fmt;

/// Quota of a handler's keys and values. All limits are on by default.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quota {
    /// Bytes of all keys and values together; a key counts with the name of its bucket. Default 1 MiB.
    pub bytes: u64,
    /// Keys, in all buckets together. Default 1,000.
    pub keys: u64,
    /// Bytes of one key, and of the name of a bucket. Default 1 KiB.
    pub key_size: u64,
    /// Bytes of one value. Default 256 KiB.
    pub value_size: u64,
}

impl Default for Quota {
    fn default() -> Self {
        Self { bytes: 1 << 20, keys: 1_000, key_size: 1 << 10, value_size: 256 << 10 }
    }
}

/// Excess over a quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Excess {
    /// Of what there would be too much.
    pub what: &'static str,
    /// Amount that would result: bytes, or a number of keys.
    pub current: u64,
    /// Allowed amount.
    pub limit: u64,
}

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, current, limit } = self;
        write!(f, "the quota is {limit} {what}, this would make it {current}")
    }
}

/// Contents of a store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) keys: u64,
    pub(super) bytes: u64,
}

impl Quota {
    /// Refuses a name that is too long for a bucket.
    pub(super) fn bucket(&self, name: &str) -> Result<(), Excess> {
        within("bytes for the name of a bucket", name.len() as u64, self.key_size)
    }

    /// Refuses a key that is too long.
    pub(super) fn key(&self, key: &str) -> Result<(), Excess> {
        within("bytes for a key", key.len() as u64, self.key_size)
    }

    /// Refuses a value that is too long.
    pub(super) fn value(&self, value: &[u8]) -> Result<(), Excess> {
        within("bytes for a value", value.len() as u64, self.value_size)
    }

    /// Refuses more keys in one call than there can be at all.
    pub(super) fn batch(&self, keys: usize) -> Result<(), Excess> {
        within("keys in one call", keys as u64, self.keys)
    }

    /// Refuses a change after which there would be too much, and more than before: with a quota that was lowered,
    /// there is still a way down.
    pub(super) fn change(&self, before: Held, after: Held) -> Result<(), Excess> {
        if after.keys > before.keys {
            within("keys", after.keys, self.keys)?;
        }
        if after.bytes > before.bytes {
            within("bytes for keys and values", after.bytes, self.bytes)?;
        }
        Ok(())
    }
}

impl Held {
    /// After a value of so many bytes was set in place of another, or of none.
    pub(super) fn set(self, bucket: &str, key: &str, old: Option<u64>, new: u64) -> Self {
        let names = bucket.len() as u64 + key.len() as u64;
        match old {
            Some(old) => Self { bytes: self.bytes.saturating_sub(old).saturating_add(new), ..self },
            None => {
                Self { keys: self.keys.saturating_add(1), bytes: self.bytes.saturating_add(names).saturating_add(new) }
            }
        }
    }

    /// After a key with a value of so many bytes was removed.
    pub(super) fn delete(self, bucket: &str, key: &str, old: u64) -> Self {
        let names = bucket.len() as u64 + key.len() as u64;
        Self { keys: self.keys.saturating_sub(1), bytes: self.bytes.saturating_sub(names).saturating_sub(old) }
    }
}

fn within(what: &'static str, current: u64, limit: u64) -> Result<(), Excess> {
    if current > limit { Err(Excess { what, current, limit }) } else { Ok(()) }
}
