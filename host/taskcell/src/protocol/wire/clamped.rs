//! JSON numbers that are `u32` in the component: durations in milliseconds, counts of tokens and characters.
//!
//! The wire has no bound, so what is larger becomes the largest `u32`: a receiver may keep a task for less than
//! was asked and generate fewer tokens. A negative number or one with a fraction is an error.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

struct Clamped(u32);

impl<'de> Deserialize<'de> for Clamped {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberVisitor)
    }
}

struct NumberVisitor;

impl Visitor<'_> for NumberVisitor {
    type Value = Clamped;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number that is not negative")
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Clamped, E> {
        Ok(Clamped(u32::try_from(value).unwrap_or(u32::MAX)))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Clamped, E> {
        u64::try_from(value).map_err(|_| E::invalid_value(serde::de::Unexpected::Signed(value), &self))?;
        self.visit_u64(value.unsigned_abs())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Clamped, E> {
        if value < 0.0 || value.fract() != 0.0 {
            return Err(E::invalid_value(serde::de::Unexpected::Float(value), &self));
        }
        // `as` saturates.
        Ok(Clamped(value as u32))
    }
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    Clamped::deserialize(deserializer).map(|Clamped(value)| value)
}

/// Serialization as in the parent module, for a member that may be absent or null.
pub(crate) mod option {
    use super::*;

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
        Ok(Option::<Clamped>::deserialize(deserializer)?.map(|Clamped(value)| value))
    }
}
