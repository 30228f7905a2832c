//! Objects in which one member determines the others: content blocks by `type`, elicitation by `mode`.
//!
//! serde's own `tag` attribute first copies every such object into a tree, which raw JSON members do not survive. Here
//! the tag is read in place, usually first, and the rest streams on. Only members before the tag are kept, as slices of
//! the input.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::vec;

use serde::de::value::{CowStrDeserializer, MapAccessDeserializer};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::located;

/// A type that is read by its tag.
pub(crate) trait Tagged<'de>: Sized {
    /// Member that determines the others.
    const TAG: &'static str;

    /// Reads the other members; `tag` is none when the object has no such member.
    fn read<A: MapAccess<'de>>(tag: Option<&str>, members: Members<'de, A>) -> Result<Self, A::Error>;
}

pub(crate) fn deserialize<'de, T: Tagged<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_map(TagVisitor(PhantomData))
}

struct TagVisitor<T>(PhantomData<T>);

impl<'de, T: Tagged<'de>> Visitor<'de> for TagVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let mut before = Vec::new();
        let mut tag = None;
        while let Some(Text(key)) = map.next_key::<Text<'de>>()? {
            if key == T::TAG {
                tag = map.next_value::<Option<Text<'de>>>()?.map(|Text(tag)| tag);
                break;
            }
            before.push((key, map.next_value::<&'de RawValue>()?));
        }
        T::read(tag.as_deref(), Members { before: before.into_iter(), value: None, rest: map })
    }
}

/// A string of the input, borrowed where it has no escapes.
pub(crate) struct Text<'de>(pub(crate) Cow<'de, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

/// The members of an object without its tag.
pub(crate) struct Members<'de, A> {
    before: vec::IntoIter<(Cow<'de, str>, &'de RawValue)>,
    value: Option<(Cow<'de, str>, &'de RawValue)>,
    rest: A,
}

impl<'de, A: MapAccess<'de>> Members<'de, A> {
    /// Reads the members as a struct.
    pub(crate) fn into<T: Deserialize<'de>>(self) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(self))
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Members<'de, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        match self.before.next() {
            Some((key, value)) => {
                self.value = Some((key.clone(), value));
                let key: CowStrDeserializer<'_, A::Error> = key.into_deserializer();
                seed.deserialize(key).map(Some)
            }
            None => self.rest.next_key_seed(seed),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        match self.value.take() {
            Some((key, value)) => {
                // Whoever reads the whole cannot see into the slice.
                located::read(seed, value).map_err(|fault| A::Error::custom(located::within(&key, &fault)))
            }
            None => self.rest.next_value_seed(seed),
        }
    }
}

/// Implements `Deserialize` for an enum whose cases are structs, by a tag.
macro_rules! tagged_enum {
    ($name:ident by $tag:literal { $($value:literal => $case:ident),+ $(,)? }) => {
        impl<'de> $crate::protocol::wire::tagged::Tagged<'de> for $name {
            const TAG: &'static str = $tag;

            fn read<A: serde::de::MapAccess<'de>>(
                tag: Option<&str>,
                members: $crate::protocol::wire::tagged::Members<'de, A>,
            ) -> Result<Self, A::Error> {
                match tag {
                    $(Some($value) => members.into().map(Self::$case),)+
                    Some(other) => Err(serde::de::Error::unknown_variant(other, &[$($value),+])),
                    None => Err(serde::de::Error::missing_field($tag)),
                }
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::protocol::wire::tagged::deserialize(deserializer)
            }
        }
    };
}
pub(crate) use tagged_enum;
