//! Errors that say where in the JSON they are.
//!
//! A reader that sees only a part of a message knows only the end of the path. Its message then starts with a point,
//! and whoever reads the whole puts the beginning before it.

use serde::de::{DeserializeSeed, Deserializer};
use serde_path_to_error::Track;

/// Reads a value; the error says where in it the fault is.
pub(crate) fn read<'de, S, D>(seed: S, deserializer: D) -> Result<S::Value, String>
where
    S: DeserializeSeed<'de>,
    D: Deserializer<'de>,
{
    let mut track = Track::new();
    seed.deserialize(serde_path_to_error::Deserializer::new(deserializer, &mut track)).map_err(|error| {
        let error = error.to_string();
        // The position is one inside of a part, which means nothing to who sent the whole.
        let message = plain(error.split(" at line ").next().unwrap_or_default());
        match track.path().to_string().as_str() {
            "." => message,
            path => within(path, &message),
        }
    })
}

/// Puts the path of a part before what was said of it.
pub(crate) fn within(path: &str, message: &str) -> String {
    let end = if message.starts_with('.') { "" } else { ": " };
    format!(".{path}{end}{message}")
}

/// Expectations of serde, in its words and in JSON's. serde's words say how this host stores a value, which means
/// nothing to a peer.
#[rustfmt::skip]
const EXPECTED: &[(&str, &str)] = &[
    ("i8",  "a whole number"), ("i16", "a whole number"), ("i32",   "a whole number"), ("i64",   "a whole number"),
    ("u8",  "a whole number"), ("u16", "a whole number"), ("u32",   "a whole number"), ("u64",   "a whole number"),
    ("i128", "a whole number"), ("u128", "a whole number"), ("isize", "a whole number"), ("usize", "a whole number"),
    ("f32", "a number"),       ("f64", "a number"),       ("a map", "an object"),      ("a sequence", "a list"),
    ("unit", "null"),          ("a borrowed string", "a string"),
];

/// Expectations of serde, by the beginning of its words.
const EXPECTED_KINDS: &[(&str, &str)] =
    &[("struct ", "an object"), ("tuple struct ", "a list"), ("enum ", "one of the values that are known")];

/// Beginning of serde's text about a value that fits none of several types, before the name of their type.
const NONE_OF: &str = "data did not match any variant of ";

/// An error of serde in words that name members and JSON's own types, never the types of this program.
pub fn plain(message: &str) -> String {
    // serde_json puts the position at the end.
    let (message, position) = match message.rfind(" at line ") {
        Some(place) => message.split_at(place),
        None => (message, ""),
    };
    if message.contains(NONE_OF) {
        return format!("the value is of no form that is known{position}");
    }
    let Some((found, expected)) = message.rsplit_once(", expected ") else { return format!("{message}{position}") };
    let exact = EXPECTED.iter().find(|(word, _)| *word == expected);
    let kind = || EXPECTED_KINDS.iter().find(|(word, _)| expected.starts_with(word));
    let expected = exact.or_else(kind).map_or(expected, |(_, plain)| plain);
    format!("{found}, expected {expected}{position}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_type_of_this_program_is_named() {
        #[derive(Debug, serde::Deserialize)]
        struct Thing {
            _size: Option<u32>,
            _share: Option<f64>,
            _list: Option<Vec<bool>>,
            _pair: Option<(i8, i8)>,
            _either: Option<Either>,
            _word: Option<Word>,
            _map: Option<std::collections::BTreeMap<String, u8>>,
        }
        #[derive(Debug, serde::Deserialize)]
        #[serde(untagged)]
        #[expect(dead_code, reason = "what is read into it does not matter")]
        enum Either {
            One(i64),
            Other(String),
        }
        #[derive(Debug, serde::Deserialize)]
        enum Word {
            Yes,
            No,
        }
        #[rustfmt::skip]
        let rows = [
            ("7",                  "invalid type: integer `7`, expected an object at line 1 column 1"),
            (r#"{"_size":"7"}"#,   r#"invalid type: string "7", expected a whole number at line 1 column 12"#),
            (r#"{"_size":-7}"#,    "invalid value: integer `-7`, expected a whole number at line 1 column 11"),
            (r#"{"_share":[]}"#,   "invalid type: sequence, expected a number at line 1 column 10"),
            (r#"{"_list":{}}"#,    "invalid type: map, expected a list at line 1 column 9"),
            (r#"{"_list":[7]}"#,   "invalid type: integer `7`, expected a boolean at line 1 column 11"),
            (r#"{"_map":7}"#,      "invalid type: integer `7`, expected an object at line 1 column 9"),
            (r#"{"_either":1.5}"#, "the value is of no form that is known at line 1 column 15"),
            (r#"{"_word":"x"}"#,   "unknown variant `x`, expected `Yes` or `No` at line 1 column 12"),
            (r#"{"_size":", expected u32"}"#, r#"invalid type: string ", expected u32", expected a whole number at line 1 column 25"#),
        ];
        for (text, expected) in rows {
            let error = serde_json::from_str::<Thing>(text).unwrap_err().to_string();
            let said = plain(&error);
            assert!(said.starts_with(expected), "{text}: {error}: {said}");
            for word in ["Thing", "Either", "Word", "struct", "enum", "u32", "f64", "untagged"] {
                assert!(!said.contains(word) || text.contains(word), "{text}: {said}");
            }
        }
    }
}
