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
        let message = error.split(" at line ").next().unwrap_or_default();
        match track.path().to_string().as_str() {
            "." => message.to_owned(),
            path => within(path, message),
        }
    })
}

/// Puts the path of a part before what was said of it.
pub(crate) fn within(path: &str, message: &str) -> String {
    let end = if message.starts_with('.') { "" } else { ": " };
    format!(".{path}{end}{message}")
}
