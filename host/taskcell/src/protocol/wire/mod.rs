//! How JSON differs from the component ABI, one difference a file.
//!
//! The types derive what serde can derive. What it cannot (raw JSON members, numbers without a fraction,
//! objects that keep their order, a tag that says what the rest is) stands here, so that the types stay plain.

pub(crate) mod clamped;
pub(crate) mod json;
pub(crate) mod located;
pub(crate) mod named;
pub(crate) mod number;
pub(crate) mod one_or_many;
pub(crate) mod params;
pub(crate) mod shared;
pub(crate) mod tagged;
