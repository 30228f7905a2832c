//! Bounds of numbers: exclusive ones become the next number that is allowed.

use serde_json::Value;

use super::Schema;

/// The greatest whole number up to which each has a double of its own.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// Inclusive bound that an exclusive bound becomes.
#[derive(Clone, Copy)]
enum Side {
    Least,
    Greatest,
}

/// Turns exclusive bounds into bounds, and a number without a fraction into a whole number.
pub(super) fn narrow(schema: &mut Schema) -> Option<()> {
    if schema.get("multipleOf").and_then(Value::as_f64) == Some(1.0) {
        schema.remove("multipleOf");
        schema.insert("type".to_owned(), Value::from("integer"));
    }
    let whole = schema.get("type").is_some_and(|name| name == "integer");
    let sides = [("exclusiveMinimum", "minimum", Side::Least), ("exclusiveMaximum", "maximum", Side::Greatest)];
    for (exclusive, bound, side) in sides {
        let Some(limit) = schema.remove(exclusive) else { continue };
        // Draft 4 has a flag here.
        let limit = limit.as_f64().filter(|limit| limit.abs() < MAX_EXACT)?;
        let next = match (side, whole) {
            (Side::Least, true) => limit.floor() + 1.0,
            (Side::Least, false) => limit.next_up(),
            (Side::Greatest, true) => limit.ceil() - 1.0,
            (Side::Greatest, false) => limit.next_down(),
        };
        let tightest = match (schema.get(bound), side) {
            (None, _) => next,
            (Some(own), Side::Least) => own.as_f64()?.max(next),
            (Some(own), Side::Greatest) => own.as_f64()?.min(next),
        };
        // Exact by the checks above.
        let written = if tightest.fract() == 0.0 { Value::from(tightest as i64) } else { Value::from(tightest) };
        schema.insert(bound.to_owned(), written);
    }
    Some(())
}
