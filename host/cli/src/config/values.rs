//! Types of configuration values, with their error messages.

use std::fmt;
use std::marker::PhantomData;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error as _, MapAccess, Unexpected, Visitor};
use toml::Spanned;

use super::source::ConfigError;

/// Sets a limit from the file. Keeps the default when the file has no value, and fails outside of `bounds`.
pub(crate) fn set<T, V>(
    limit: &mut V,
    found: &Option<Spanned<T>>,
    bounds: RangeInclusive<V>,
    why: &str,
) -> Result<(), ConfigError>
where
    T: Copy + Into<V>,
    V: PartialOrd + fmt::Debug,
{
    let Some(found) = found else { return Ok(()) };
    let value: V = (*found.get_ref()).into();
    if !bounds.contains(&value) {
        let (least, most) = bounds.into_inner();
        let why = format!("{value:?} is not between {least:?} and {most:?}: {why}");
        return Err(ConfigError::new(found.span(), why));
    }
    *limit = value;
    Ok(())
}

/// Duration as text, such as `90s`, `10m` or `1h 30m`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Time(pub(super) Duration);

impl From<Time> for Duration {
    fn from(time: Time) -> Self {
        time.0
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Time;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(r#"a time as text, such as "500ms", "90s", "10m" or "24h""#)
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Time, E> {
                let read: Result<jiff::SignedDuration, _> = text.parse();
                let time = read.ok().and_then(|time| Duration::try_from(time).ok());
                time.map(Time).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
            }
        }

        deserializer.deserialize_str(Text)
    }
}

/// Whole number that is not negative.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NonNegative<T>(pub(crate) T);

impl From<NonNegative<u32>> for u32 {
    fn from(number: NonNegative<u32>) -> Self {
        number.0
    }
}

impl From<NonNegative<u64>> for u64 {
    fn from(number: NonNegative<u64>) -> Self {
        number.0
    }
}

impl From<NonNegative<usize>> for usize {
    fn from(number: NonNegative<usize>) -> Self {
        number.0
    }
}

impl<'de, T: TryFrom<i64>> Deserialize<'de> for NonNegative<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number<T>(PhantomData<T>);

        impl<T: TryFrom<i64>> Visitor<'_> for Number<T> {
            type Value = NonNegative<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number that is not negative")
            }

            fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<NonNegative<T>, E> {
                T::try_from(number).map(NonNegative).map_err(|_| E::invalid_value(Unexpected::Signed(number), &self))
            }
        }

        deserializer.deserialize_i64(Number(PhantomData))
    }
}

/// Number of bytes: a whole number, or text such as `64MiB`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size(usize);

/// Units of a size, with their bytes.
const UNITS: [(&str, u64); 3] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

impl From<Size> for u64 {
    fn from(size: Size) -> Self {
        size.0 as u64
    }
}

impl From<Size> for usize {
    fn from(size: Size) -> Self {
        size.0
    }
}

impl std::str::FromStr for Size {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let with_unit = UNITS.iter().find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?.trim_end(), *bytes)));
        let (number, bytes) = with_unit.ok_or(())?;
        let size = number.parse().ok().and_then(|number: u64| number.checked_mul(bytes));
        size.and_then(|size| size.try_into().ok()).map(Self).ok_or(())
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;

        impl Visitor<'_> for Bytes {
            type Value = Size;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(r#"a whole number of bytes, or text such as "512KiB", "64MiB" or "1GiB""#)
            }

            fn visit_i64<E: serde::de::Error>(self, bytes: i64) -> Result<Size, E> {
                usize::try_from(bytes).map(Size).map_err(|_| E::invalid_value(Unexpected::Signed(bytes), &self))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Size, E> {
                text.parse().map_err(|()| E::invalid_value(Unexpected::Str(text), &self))
            }
        }

        deserializer.deserialize_any(Bytes)
    }
}

/// A string or a table.
#[derive(Debug)]
pub(crate) enum StringOr<T> {
    String(String),
    Table(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for StringOr<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Either<T> {
            type Value = StringOr<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a table")
            }

            fn visit_str<E>(self, text: &str) -> Result<StringOr<T>, E> {
                Ok(StringOr::String(text.to_owned()))
            }

            // Serde's own errors show the value, which may be a secret.
            fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<StringOr<T>, E> {
                Err(E::invalid_type(Unexpected::Other("true or false"), &self))
            }

            fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<StringOr<T>, E> {
                Err(E::invalid_type(Unexpected::Other("a whole number"), &self))
            }

            fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<StringOr<T>, E> {
                Err(E::invalid_type(Unexpected::Other("a number"), &self))
            }

            fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<StringOr<T>, M::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(StringOr::Table)
            }
        }

        deserializer.deserialize_any(Either(PhantomData))
    }
}

/// Name of a principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name(pub(crate) String);

impl Name {
    /// Maximum number of characters. Each task stores the name.
    const MAX: usize = 200;
}

impl std::str::FromStr for Name {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        if name.trim().is_empty() {
            return Err("a principal needs a name".to_owned());
        }
        if name.chars().count() > Self::MAX || name.chars().any(char::is_control) {
            return Err(format!("a principal's name has {} characters at most, and no control characters", Self::MAX));
        }
        Ok(Self(name.to_owned()))
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
