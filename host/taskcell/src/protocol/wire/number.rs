//! JSON numbers that are `f64` in the component.
//!
//! A whole number goes out without a fraction: `42`, not `42.0`, because peers check an answer to a field of
//! type `integer` by how it is written. What is not finite has no JSON and is refused.

use serde::de::{Deserialize, Deserializer};
use serde::ser::{Error as _, Serializer};

/// From here on, 2^64, no integer type of JSON libraries holds a whole number.
const INTEGERS: f64 = 18_446_744_073_709_551_616.0;

pub(crate) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if !value.is_finite() {
        return Err(S::Error::custom("a number that is not finite has no JSON"));
    }
    // Exact, and without an exponent: an id of 64 bits is a whole number to every peer.
    match (value.fract() == 0.0).then_some(value.abs()) {
        Some(size) if size < INTEGERS / 2.0 => serializer.serialize_i64(*value as i64),
        Some(size) if size < INTEGERS && *value > 0.0 => serializer.serialize_u64(*value as u64),
        _ => serializer.serialize_f64(*value),
    }
}

/// Serialization as in the parent module, for a member that may be absent.
pub(crate) mod option {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => super::serialize(value, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
        Option::deserialize(deserializer)
    }
}
