//! JSON object whose members stay as they were written.
//!
//! Values that go back to a server stay the same byte for byte, and opaque values are not parsed.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use crate::protocol::plain;

/// Members of an object, by name.
#[derive(Debug, Clone, Default)]
pub(super) struct Members(BTreeMap<String, Box<RawValue>>);

impl Members {
    /// Reads an object. A name that occurs twice is refused, because another reader might take the other value.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| plain(&error.to_string()))
    }

    /// Returns a member; none where it is absent or null.
    pub(super) fn get(&self, name: &str) -> Option<&RawValue> {
        self.0.get(name).map(Box::as_ref).filter(|value| value.get() != "null")
    }

    /// Returns a member that must be a string; none where it is absent or null.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, String> {
        let text = self.get(name).map(|value| serde_json::from_str(value.get())).transpose();
        text.map_err(|error| format!("`{name}`: {}", plain(&error.to_string())))
    }

    pub(super) fn set(&mut self, name: &str, value: Box<RawValue>) {
        self.0.insert(name.to_owned(), value);
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Writes the object on one line. In valid JSON a line break stands only between tokens, so it can become a space.
    pub(super) fn write(&self) -> Box<RawValue> {
        let raw = to_raw_value(&self.0).unwrap_or_else(|_| RawValue::NULL.to_owned());
        match raw.get().contains(['\n', '\r']) {
            true => RawValue::from_string(raw.get().replace(['\n', '\r'], " ")).unwrap_or(raw),
            false => raw,
        }
    }
}

impl IntoIterator for Members {
    type Item = (String, Box<RawValue>);
    type IntoIter = std::collections::btree_map::IntoIter<String, Box<RawValue>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl FromIterator<(String, Box<RawValue>)> for Members {
    fn from_iter<T: IntoIterator<Item = (String, Box<RawValue>)>>(members: T) -> Self {
        Self(members.into_iter().collect())
    }
}

impl Serialize for Members {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    if members.insert(name, value).is_some() {
                        return Err(A::Error::custom("a member comes twice"));
                    }
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_read_stays_as_it_was_written() {
        #[rustfmt::skip]
        let rows = [
            (r#"{"a":1.50e1,"b":"\u0041\/"}"#, Ok(r#"{"a":1.50e1,"b":"\u0041\/"}"#)),
            ("{\"a\":[\n1,\r\n2]}",            Ok(r#"{"a":[ 1,  2]}"#)),
            (r#"{"":{}}"#,                     Ok(r#"{"":{}}"#)),
            (r#"{"a":1,"\u0061":2}"#,          Err("a member comes twice at line 1 column 18")),
            ("[]",                             Err("invalid type: sequence, expected an object at line 1 column 0")),
        ];
        for (text, expected) in rows {
            let written = Members::read(text).map(|members| members.write().get().to_owned());
            assert_eq!(written.as_deref().map_err(String::as_str), expected, "{text}");
        }
    }
}
