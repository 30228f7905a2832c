//! JSON objects with free keys that are lists of records in the component: form fields and their answers.
//!
//! A list keeps the server's order, in which a form is shown. A key that comes twice is refused: whoever reads
//! the object next would pick the other one.

use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde::ser::{Error as _, SerializeMap, Serializer};

/// A record that is one member of a JSON object.
pub(crate) trait Named {
    /// Value of the key.
    type Value;

    fn new(name: String, value: Self::Value) -> Self;
    fn name(&self) -> &str;
    fn value(&self) -> &Self::Value;
}

pub(crate) fn serialize<T, S>(members: &[T], serializer: S) -> Result<S::Ok, S::Error>
where
    T: Named,
    T::Value: serde::Serialize,
    S: Serializer,
{
    let mut map = serializer.serialize_map(Some(members.len()))?;
    let mut seen = HashSet::new();
    for member in members {
        if !seen.insert(member.name()) {
            return Err(S::Error::custom(format!("the name `{}` comes twice", member.name())));
        }
        map.serialize_entry(member.name(), member.value())?;
    }
    map.end()
}

pub(crate) fn deserialize<'de, T, D>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    T: Named,
    T::Value: Deserialize<'de>,
    D: Deserializer<'de>,
{
    deserializer.deserialize_map(MembersVisitor(PhantomData))
}

struct MembersVisitor<T>(PhantomData<T>);

impl<'de, T> Visitor<'de> for MembersVisitor<T>
where
    T: Named,
    T::Value: Deserialize<'de>,
{
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<T>, A::Error> {
        let mut members: Vec<T> = Vec::new();
        let mut seen = HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            if !seen.insert(name.clone()) {
                return Err(A::Error::custom(format!("the name `{name}` comes twice")));
            }
            let value = map.next_value()?;
            members.push(T::new(name, value));
        }
        Ok(members)
    }
}
