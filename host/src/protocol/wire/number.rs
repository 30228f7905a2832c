//! JSON numbers that are `f64` in the component.
//!
//! A whole number goes out without a fraction: `42`, not `42.0`, because peers check an answer to a field of
//! type `integer` by how it is written. What is not finite has no JSON and is refused.

use serde::de::{Deserialize, Deserializer};
use serde::ser::{Error as _, Serializer};

/// Whole numbers up to here are exact in an `f64`.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

pub(crate) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if !value.is_finite() {
        return Err(S::Error::custom("a number that is not finite has no JSON"));
    }
    if value.fract() == 0.0 && value.abs() <= MAX_EXACT {
        // Exact by the check above.
        return serializer.serialize_i64(*value as i64);
    }
    serializer.serialize_f64(*value)
}

/// The same for a member that may be absent.
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
