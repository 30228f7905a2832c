//! Reports progress that goes back, stands still and is no number.

use crate::prelude::*;

pub(crate) fn behave(_: &Cell<'_>) -> Answer {
    for step in [1.0, 1.0, 0.5, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -3.0, 1.5, 2.0] {
        progress::report(step, Some(f64::NAN), Some("a\nb"));
    }
    Ok(said("good"))
}
