//! Differences between JSON and the component ABI, one per file.
//!
//! The types derive what serde can derive. The rest stands here, so that the types stay plain: raw JSON members,
//! numbers without a fraction, objects that keep their order, a tag that determines the other members.

pub(crate) mod clamped;
pub(crate) mod json;
pub(crate) mod located;
pub(crate) mod named;
pub(crate) mod number;
pub(crate) mod one_or_many;
pub(crate) mod params;
pub(crate) mod shared;
pub(crate) mod tagged;
