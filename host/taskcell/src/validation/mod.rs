//! Rules of MCP for a client, enforced by the host whatever a handler does.
//!
//! A handler is third-party code, and a server trusts the client that runs it. So rules that only need a request and
//! its answer are checked here, outside of the sandbox, and a handler need not know them. Every rule is a function of
//! protocol types, without cells, sessions and stores, so it is tested as a table of data. A violation becomes text for
//! people, which names the place and never contains the user's input or the model's output.

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

/// Number of characters of the peer's or the handler's text that an error quotes.
const MAX_QUOTE: usize = 200;

/// Reads a result that a handler wrote as its own JSON object. The error has the place and not the value.
fn read_own<T: DeserializeOwned>(object: &str, type_name: &str) -> Result<T, String> {
    // serde would accept a list for a struct.
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
