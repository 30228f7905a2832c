//! What MCP demands of a client, kept by the host whatever a handler does.
//!
//! A handler is somebody's code, and a server trusts the client that runs it. So the rules that can be read off a
//! request and its answer are checked here, outside of the sandbox, and a handler need not know them. Everything is a
//! function of protocol types: no cell, no session and no store, so a rule is tested as a table of data. What breaks a
//! rule becomes text for people; it names the place, and never holds what the user entered or the model said.

pub mod elicitation;
mod expected;
mod form;
pub(crate) mod output;
pub(crate) mod related;
pub(crate) mod roots;
pub(crate) mod sampling;

use serde::de::DeserializeOwned;

pub use expected::ExpectedResult;

use crate::text::one_line;

/// Characters of the peer's or the handler's text that an error quotes.
const MAX_QUOTE: usize = 200;

/// Reads a result that a handler wrote as its own JSON object. The error has the place and not what stands there.
fn read_own<T: DeserializeOwned>(object: &str, type_name: &str) -> Result<T, String> {
    // serde would take a list for a struct.
    if !object.trim_ascii_start().starts_with('{') {
        return Err(format!("The handler's object is no {type_name}: no JSON object"));
    }
    let mut text = serde_json::Deserializer::from_str(object);
    let read: Result<T, _> = serde_path_to_error::deserialize(&mut text);
    let result = read.map_err(|error| {
        let place = one_line(&error.path().to_string(), MAX_QUOTE);
        format!("The handler's object is no {type_name}: wrong at `{place}`")
    })?;
    text.end().map_err(|_| format!("The handler's object is no {type_name}: more text after it"))?;
    Ok(result)
}
