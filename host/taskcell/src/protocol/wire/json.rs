//! Members that are any JSON on the wire and JSON text (`type json`) in the component.
//!
//! The text goes through unparsed: a `_meta` keeps its key order and its numbers to the last digit. What comes
//! from a guest is checked before it goes out, because text that is not JSON, or that holds a line break, would
//! break the frames of the stdio transport, which ends a message at the line break; half a character, which JSON can
//! write and UTF-8 cannot, makes many a parser refuse the whole message, and so does a number that no double reaches.

use std::borrow::Cow;
use std::cell::Cell;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Error as _, Serialize, Serializer};
use serde_json::value::RawValue;

/// The most levels that any limit allows JSON text to nest. serde_json stops at 128, which the message around a member
/// counts towards, and everything here that walks through JSON stays far from the end of its stack.
pub const MAX_DEPTH: usize = 100;

/// Limit on the nesting of JSON text that is read or written on this thread, and whether a text exceeded it.
#[derive(Clone, Copy)]
struct Depth {
    limit: usize,
    exceeded: bool,
}

thread_local! {
    /// serde hands no settings down to the members of a type.
    static DEPTH: Cell<Depth> = const { Cell::new(Depth { limit: MAX_DEPTH, exceeded: false }) };
}

/// Reads or writes messages in which JSON text may nest so deeply, [`MAX_DEPTH`] at most. Says besides whether some
/// nested deeper, which is an error of what was read or written.
pub(crate) fn within<T>(limit: usize, work: impl FnOnce() -> T) -> (T, bool) {
    let outer = DEPTH.replace(Depth { limit: limit.min(MAX_DEPTH), exceeded: false });
    let done = work();
    (done, DEPTH.replace(outer).exceeded)
}

/// For members that may be any JSON.
pub(crate) mod any {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
        let text = checked(text).map_err(S::Error::custom)?;
        let raw: &RawValue = serde_json::from_str(&text).map_err(S::Error::custom)?;
        raw.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        check_depth(raw).map_err(D::Error::custom)?;
        Ok(raw.to_owned())
    }

    /// Serialization as in the parent module, for a member that may be absent.
    pub(crate) mod option {
        use super::*;

        /// A null is read as absent, so it is not written: what was stored goes out as what was not.
        pub(crate) fn is_absent(text: &Option<String>) -> bool {
            text.as_deref().is_none_or(|text| text.trim_ascii() == "null")
        }

        pub(crate) fn serialize<S: Serializer>(text: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
            match text {
                Some(text) => super::serialize(text, serializer),
                None => serializer.serialize_none(),
            }
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
            let raw = Option::<&RawValue>::deserialize(deserializer)?;
            raw.map(|raw| check_depth(raw.get()).map(|()| raw.get().to_owned())).transpose().map_err(D::Error::custom)
        }
    }
}

/// For members that must be a JSON object: `_meta`, schemas, tool input.
pub(crate) mod object {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
        check_object(text).map_err(S::Error::custom)?;
        any::serialize(text, serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
        let text = any::deserialize(deserializer)?;
        check_object(&text).map_err(D::Error::custom)?;
        Ok(text)
    }

    /// Serialization as in the parent module, for a member that may be absent.
    pub(crate) mod option {
        use super::*;

        pub(crate) fn serialize<S: Serializer>(text: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
            match text {
                Some(text) => super::serialize(text, serializer),
                None => serializer.serialize_none(),
            }
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
            let text = any::option::deserialize(deserializer)?;
            if let Some(text) = &text {
                check_object(text).map_err(D::Error::custom)?;
            }
            Ok(text)
        }
    }
}

/// Returns the text without line breaks, after checks of its depth and its characters.
///
/// In valid JSON a line break occurs only between tokens, never in a string, so a blank replaces it.
fn checked(text: &str) -> Result<Cow<'_, str>, String> {
    check_depth(text)?;
    check_surrogates(text)?;
    check_numbers(text)?;
    if text.contains(['\n', '\r']) {
        return Ok(Cow::Owned(text.replace(['\n', '\r'], " ")));
    }
    Ok(Cow::Borrowed(text))
}

fn check_object(text: &str) -> Result<(), String> {
    if text.trim_ascii_start().starts_with('{') {
        return Ok(());
    }
    Err("expected a JSON object".to_owned())
}

/// Refuses text that nests deeper than it may here: see [`within`]. Counts brackets outside of strings; whether the
/// text is JSON at all is the parser's to say.
pub(crate) fn check_depth(text: &str) -> Result<(), String> {
    let limit = DEPTH.get().limit;
    let mut depth = 0usize;
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'{' | b'[' => {
                depth = depth.saturating_add(1);
                if depth > limit {
                    DEPTH.set(Depth { limit, exceeded: true });
                    return Err(format!("JSON nests deeper than {limit} levels"));
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => skip_string(&mut bytes),
            _ => {}
        }
    }
    Ok(())
}

/// Refuses a string with half of a surrogate pair: `"\ud800"` is JSON by its grammar, but no text. [RFC 8259, 8.2]
fn check_surrogates(text: &str) -> Result<(), String> {
    let half = || Err("a string holds half of a surrogate pair".to_owned());
    // In JSON a backslash stands only in strings.
    let mut rest = text;
    while let Some((_, escape)) = rest.split_once('\\') {
        match unit(escape) {
            Some(0xd800..=0xdbff) => match escape.get(5..).and_then(|next| next.strip_prefix('\\')) {
                Some(next) if matches!(unit(next), Some(0xdc00..=0xdfff)) => rest = next,
                _ => return half(),
            },
            Some(0xdc00..=0xdfff) => return half(),
            // The character that is escaped may be a backslash.
            _ => rest = escape.get(1..).unwrap_or_default(),
        }
    }
    Ok(())
}

/// Refuses a number beyond the range of a double, such as `1e999`. [RFC 8259, 6]
fn check_numbers(text: &str) -> Result<(), String> {
    // Without an exponent it takes more digits than that.
    let may_be_large = |number: &str| number.len() > 300 || number.contains(['e', 'E']);
    if any_number(text, |number| may_be_large(number) && number.parse::<f64>().is_ok_and(f64::is_infinite)) {
        return Err("a number is too large".to_owned());
    }
    Ok(())
}

/// Whether each whole number of a JSON text, written without an exponent, is a double: 2^53 is, 2^53 + 1 is not.
pub(crate) fn whole_numbers_are_doubles(text: &str) -> bool {
    !any_number(text, |number| {
        let whole = number
            .split_once('.')
            .map_or(number, |(whole, fraction)| if fraction.bytes().all(|digit| digit == b'0') { whole } else { "" });
        // Fewer digits are always exact.
        whole.len() > 15
            && !whole.contains(['e', 'E'])
            && whole.parse::<f64>().is_ok_and(|d| format!("{d:.0}") != whole)
    })
}

/// Whether any number in a JSON text, outside of strings, satisfies `is_such`.
fn any_number(text: &str, is_such: impl Fn(&str) -> bool) -> bool {
    let mut rest = text;
    loop {
        let (tokens, string) = rest.split_once('"').unwrap_or((rest, ""));
        let mut numbers = tokens.split(|character| !matches!(character, '0'..='9' | '+' | '-' | '.' | 'e' | 'E'));
        if numbers.any(&is_such) {
            return true;
        }
        if string.is_empty() {
            return false;
        }
        let mut bytes = string.bytes();
        skip_string(&mut bytes);
        rest = string.get(string.len().saturating_sub(bytes.len())..).unwrap_or_default();
    }
}

/// Returns the UTF-16 unit of a numeric escape.
fn unit(escape: &str) -> Option<u16> {
    u16::from_str_radix(escape.strip_prefix('u')?.get(..4)?, 16).ok()
}

fn skip_string(bytes: &mut std::str::Bytes<'_>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => {
                bytes.next();
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_in_strings_do_not_count() {
        let text = format!("{{\"a\":\"{}\\\"{}\"}}", "[".repeat(100), "{".repeat(100));
        assert_eq!(check_depth(&text), Ok(()));
    }

    #[test]
    fn depth_is_bounded() {
        assert!(check_depth(&"[".repeat(MAX_DEPTH)).is_ok());
        assert!(check_depth(&"[".repeat(MAX_DEPTH + 1)).is_err());
        for (limit, depth, taken) in [(3, 3, true), (3, 4, false), (usize::MAX, MAX_DEPTH + 1, false)] {
            let (checked, exceeded) = within(limit, || check_depth(&"[".repeat(depth)));
            assert_eq!((checked.is_ok(), exceeded), (taken, !taken), "{depth} of {limit}");
        }
        // What was read within another limit leaves nothing behind.
        assert!(check_depth(&"[".repeat(MAX_DEPTH)).is_ok());
    }

    #[test]
    fn half_a_surrogate_pair_is_refused() {
        #[rustfmt::skip]
        let rows = [
            (r#""\ud83d\ude00""#, true),  (r#""\uD83D\uDE00x""#, true), (r#""\\ud800""#, true),  (r#""\u00e9\n""#, true),
            (r#""\\\ud83d\ude00""#, true), ("{}", true),
            (r#""\ud83d""#, false),        (r#""\ude00""#, false),       (r#""\ude00\ud83d""#, false),
            (r#""\ud83dx\ude00""#, false), (r#""\ud83d\n""#, false),     (r#""\\\ud800""#, false),
        ];
        for (text, taken) in rows {
            assert_eq!(check_surrogates(text).is_ok(), taken, "{text}");
        }
    }

    #[test]
    fn a_number_beyond_doubles_is_refused() {
        let long = "9".repeat(400);
        #[rustfmt::skip]
        let rows = [
            ("1e308", true), ("-1E-999", true), (r#"{"1e999":"1e999\"1e999","a":true}"#, true), ("[0.1,2]", true),
            ("1e999", false), ("[1,-1E+999]", false), (r#"{"a\"":1e309}"#, false), (&long, false),
        ];
        for (text, taken) in rows {
            assert_eq!(check_numbers(text).is_ok(), taken, "{text}");
        }
    }

    #[test]
    fn whole_numbers_beyond_doubles_are_told_apart() {
        #[rustfmt::skip]
        let rows = [
            ("9007199254740992", true), ("-9007199254740992", true), ("9007199254740993", false), ("[-9007199254740993]", false),
            ("18446744073709551616", true), ("18446744073709551615", false), ("1152921504606846976", true),
            ("9007199254740993.0", false), ("0.1234567890123456789", true), ("9007199254740993.5", true), ("1e300", true),
            (r#"{"a":"9007199254740993","9007199254740993":1}"#, true), (r#"{"a":{"b":[1,1420070400123456789]}}"#, false),
        ];
        for (text, exact) in rows {
            assert_eq!(whole_numbers_are_doubles(text), exact, "{text}");
        }
    }

    #[test]
    fn line_breaks_never_reach_the_wire() {
        #[derive(serde::Serialize)]
        struct Out(#[serde(with = "any")] String);
        let out = serde_json::to_string(&Out("{\n\"a\":\r\n\"\\n\"}".to_owned())).unwrap();
        assert_eq!(out, "{ \"a\":  \"\\n\"}");
        assert!(serde_json::to_string(&Out("{} {}".to_owned())).is_err());
    }
}
