//! JSON Schema, as far as a form's field needs it: whether a value fits, and two schemas made one.
//!
//! A keyword that is not known here refuses every value: a form that is declined is better than one that is broken.

use serde_json::{Map, Number, Value};

use crate::formats;
use crate::pattern::Pattern;

/// The deepest that schemas are followed.
const DEPTH: u32 = 16;

/// Whether a value fits a schema. `named` says that the server itself named the value, by a default or a constant: then
/// what cannot be told is taken for right.
pub(crate) fn fits(schema: &Value, value: &Value, named: bool) -> bool {
    fits_within(schema, value, named, DEPTH)
}

fn fits_within(schema: &Value, value: &Value, named: bool, depth: u32) -> bool {
    match (schema, depth.checked_sub(1)) {
        (Value::Bool(allows), _) => *allows,
        (Value::Object(members), Some(depth)) => {
            let mut check = Check { schema: members, value, named, depth };
            members.iter().all(|(keyword, argument)| argument.is_null() || check.holds(keyword, argument))
        }
        _ => false,
    }
}

struct Check<'a> {
    schema: &'a Map<String, Value>,
    value: &'a Value,
    named: bool,
    depth: u32,
}

impl Check<'_> {
    fn holds(&mut self, keyword: &str, argument: &Value) -> bool {
        match keyword {
            "type" => match argument {
                Value::Array(types) => types.iter().any(|name| self.is_of(name)),
                name => self.is_of(name),
            },
            "enum" => argument.as_array().into_iter().flatten().any(|value| same(value, self.value)),
            "const" => same(argument, self.value),
            "allOf" => self.count(argument) == self.parts(argument),
            "anyOf" => self.count(argument) > 0,
            "oneOf" => self.count(argument) == 1,
            "not" => !self.fits(argument, self.value),
            "if" => {
                let branch = if self.fits(argument, self.value) { "then" } else { "else" };
                self.schema.get(branch).is_none_or(|branch| self.fits(branch, self.value))
            }
            "$ref" | "$dynamicRef" | "$recursiveRef" => false,
            _ => match self.value {
                Value::String(text) => self.text(keyword, argument, text),
                Value::Number(number) => self.number(keyword, argument, number),
                Value::Array(items) => self.array(keyword, argument, items),
                _ => true,
            },
        }
    }

    fn fits(&self, schema: &Value, value: &Value) -> bool {
        fits_within(schema, value, self.named, self.depth)
    }

    fn parts(&self, argument: &Value) -> usize {
        argument.as_array().map_or(0, Vec::len)
    }

    /// How many of some schemas the value fits.
    fn count(&self, schemas: &Value) -> usize {
        schemas.as_array().into_iter().flatten().filter(|schema| self.fits(schema, self.value)).count()
    }

    fn is_of(&self, name: &Value) -> bool {
        match (name.as_str(), self.value) {
            (Some("string"), Value::String(_))
            | (Some("number"), Value::Number(_))
            | (Some("boolean"), Value::Bool(_))
            | (Some("array"), Value::Array(_)) => true,
            (Some("integer"), Value::Number(number)) => number.as_f64().is_some_and(|number| number.fract() == 0.0),
            _ => false,
        }
    }

    fn text(&self, keyword: &str, argument: &Value, text: &str) -> bool {
        match keyword {
            "minLength" => number(argument).is_some_and(|least| text.chars().count() as f64 >= least),
            "maxLength" => number(argument).is_some_and(|most| text.chars().count() as f64 <= most),
            "format" => argument.as_str().is_some_and(|format| formats::has(format, text, self.named)),
            "pattern" => {
                let pattern = argument.as_str().and_then(Pattern::parse);
                pattern.and_then(|pattern| pattern.is_match(text)).unwrap_or(self.named)
            }
            _ => true,
        }
    }

    fn number(&self, keyword: &str, argument: &Value, value: &Number) -> bool {
        let order = || compare(value, argument.as_number()?);
        // By draft 4 an exclusive bound is a flag beside the bound.
        let flag = |name: &str| self.schema.get(name).and_then(Value::as_bool).unwrap_or(false);
        match keyword {
            "minimum" if flag("exclusiveMinimum") => order().is_some_and(|order| order.is_gt()),
            "maximum" if flag("exclusiveMaximum") => order().is_some_and(|order| order.is_lt()),
            "minimum" => order().is_some_and(|order| order.is_ge()),
            "maximum" => order().is_some_and(|order| order.is_le()),
            "exclusiveMinimum" => argument.is_boolean() || order().is_some_and(|order| order.is_gt()),
            "exclusiveMaximum" => argument.is_boolean() || order().is_some_and(|order| order.is_lt()),
            "multipleOf" => value.as_f64().zip(number(argument)).is_some_and(|(value, step)| {
                let times = value / step;
                (times - times.round()).abs() < 1e-9
            }),
            _ => true,
        }
    }

    fn array(&self, keyword: &str, argument: &Value, items: &[Value]) -> bool {
        let size = items.len() as f64;
        let positions = |list: &Value| self.parts(list);
        match keyword {
            "minItems" => number(argument).is_some_and(|least| size >= least),
            "maxItems" => number(argument).is_some_and(|most| size <= most),
            "uniqueItems" => {
                argument != &Value::Bool(true)
                    || (1..items.len()).all(|place| {
                        let (before, rest) = items.split_at(place);
                        rest.first().is_none_or(|item| !before.contains(item))
                    })
            }
            "prefixItems" => self.each_at(argument, items),
            "items" if argument.is_array() => self.each_at(argument, items),
            "items" => {
                let first = self.schema.get("prefixItems").map_or(0, positions);
                items.iter().skip(first).all(|item| self.fits(argument, item))
            }
            "additionalItems" => {
                let first = self.schema.get("items").filter(|items| items.is_array()).map_or(items.len(), positions);
                items.iter().skip(first).all(|item| self.fits(argument, item))
            }
            "contains" => {
                let bound = |name: &str| self.schema.get(name).and_then(number);
                let found = items.iter().filter(|item| self.fits(argument, item)).count() as f64;
                found >= bound("minContains").unwrap_or(1.0) && bound("maxContains").is_none_or(|most| found <= most)
            }
            "unevaluatedItems" => {
                items.is_empty() || *argument == Value::Bool(true) || self.schema.contains_key("items")
            }
            _ => true,
        }
    }

    fn each_at(&self, schemas: &Value, items: &[Value]) -> bool {
        let schemas = schemas.as_array().into_iter().flatten();
        schemas.zip(items).all(|(schema, item)| self.fits(schema, item))
    }
}

/// A number of a schema.
pub(crate) fn number(value: &Value) -> Option<f64> {
    value.as_f64()
}

/// Whether two values are the same by JSON Schema: `1` is `1.0`.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => compare(one, other).is_some_and(core::cmp::Ordering::is_eq),
        _ => one == other,
    }
}

/// Compares numbers; whole ones digit for digit.
fn compare(one: &Number, other: &Number) -> Option<core::cmp::Ordering> {
    match (whole(one), whole(other)) {
        (Some(one), Some(other)) => Some(one.cmp(&other)),
        _ => one.as_f64()?.partial_cmp(&other.as_f64()?),
    }
}

/// A whole number.
pub(crate) fn whole(number: &Number) -> Option<i128> {
    let exact = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
    let double = || number.as_f64().filter(|double| double.fract() == 0.0 && double.abs() < 1e30);
    exact.or_else(|| double().map(|double| double as i128))
}

/// One schema that allows what both do, as far as that can be said by putting their members together.
pub(crate) fn merged(one: &Map<String, Value>, other: &Map<String, Value>) -> Map<String, Value> {
    let mut all = one.clone();
    for (keyword, argument) in other {
        let own = all.get(keyword).and_then(number).zip(number(argument));
        let keeps_own = match (keyword.as_str(), own) {
            ("minLength" | "minItems" | "minimum" | "exclusiveMinimum", Some((own, other))) => own >= other,
            ("maxLength" | "maxItems" | "maximum" | "exclusiveMaximum", Some((own, other))) => own <= other,
            _ => false,
        };
        if !keeps_own {
            all.insert(keyword.clone(), argument.clone());
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_fit_or_do_not() {
        let rows: Vec<(Value, Vec<Value>, Vec<Value>)> = vec![
            (json!({}), vec![json!("x"), json!(1)], vec![]),
            (json!({ "type": ["string", "null"], "minLength": 2 }), vec![json!("ab")], vec![json!("a"), json!(2)]),
            (
                json!({ "type": "integer", "exclusiveMinimum": 0 }),
                vec![json!(1), json!(2.0)],
                vec![json!(0), json!(0.5)],
            ),
            (json!({ "minimum": 0, "exclusiveMinimum": true }), vec![json!(1)], vec![json!(0)]),
            (
                json!({ "minimum": 9_007_199_254_740_993_u64 }),
                vec![json!(9_007_199_254_740_994.0)],
                vec![json!(9_007_199_254_740_992.0)],
            ),
            (json!({ "multipleOf": 0.01 }), vec![json!(0.07), json!(3)], vec![json!(0.005)]),
            (
                json!({ "enum": [1, "a", true] }),
                vec![json!(1.0), json!("a"), json!(true)],
                vec![json!(2), json!(false)],
            ),
            (
                json!({ "oneOf": [{ "minLength": 1 }, { "maxLength": 2 }] }),
                vec![json!(""), json!("abc")],
                vec![json!("a")],
            ),
            (json!({ "not": { "const": "a" } }), vec![json!("b")], vec![json!("a")]),
            (
                json!({ "if": { "maxLength": 1 }, "then": false, "else": { "pattern": "^a" } }),
                vec![json!("ab")],
                vec![json!("a"), json!("bb")],
            ),
            (
                json!({ "items": { "enum": ["a", "b"] }, "uniqueItems": true, "minItems": 1 }),
                vec![json!(["a", "b"])],
                vec![json!(["a", "a"]), json!([]), json!(["c"])],
            ),
            (
                json!({ "contains": { "const": "a" }, "maxContains": 1 }),
                vec![json!(["b", "a"])],
                vec![json!(["b"]), json!(["a", "a"])],
            ),
            (
                json!({ "prefixItems": [{ "const": "a" }], "items": false }),
                vec![json!(["a"])],
                vec![json!(["b"]), json!(["a", "b"])],
            ),
            (json!({ "$ref": "#" }), vec![], vec![json!("a")]),
        ];
        for (schema, good, bad) in rows {
            for value in good {
                assert!(fits(&schema, &value, false), "{schema} {value}");
            }
            for value in bad {
                assert!(!fits(&schema, &value, false), "{schema} {value}");
            }
        }
    }

    #[test]
    fn what_the_server_named_may_be_of_a_pattern_that_cannot_be_read() {
        let schema = json!({ "pattern": "(?i)a" });
        assert!(fits(&schema, &json!("A"), true) && !fits(&schema, &json!("A"), false));
    }
}
