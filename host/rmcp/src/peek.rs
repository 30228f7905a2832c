//! Classification of a message by its beginning.
//!
//! Most messages of a server are responses, and some are large. They are for rmcp, so only the members before their
//! result are read.

/// Whether a message is a response: a `result` or an `error` stands before any `method`. False where the beginning does
/// not tell, as when it is incomplete. A response that also has a `method` is no message; rmcp reports it.
pub(super) fn is_response(beginning: &[u8]) -> bool {
    first_that_says(beginning).unwrap_or_default()
}

fn first_that_says(beginning: &[u8]) -> Option<bool> {
    let mut rest = beginning.trim_ascii_start().strip_prefix(b"{")?;
    loop {
        let (name, after) = string(rest)?;
        let value = after.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
        match name {
            b"result" | b"error" => return Some(true),
            b"jsonrpc" | b"id" => {}
            _ => return None,
        }
        let after = if value.starts_with(b"\"") { string(value)?.1 } else { number(value) };
        rest = after.trim_ascii_start().strip_prefix(b",")?;
    }
}

/// Splits off a string without escapes. Returns it and the rest.
fn string(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = text.trim_ascii_start().strip_prefix(b"\"")?;
    let end = text.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
    let (string, rest) = text.split_at_checked(end)?;
    Some((string, rest.strip_prefix(b"\"")?))
}

/// Returns the rest after a number.
fn number(text: &[u8]) -> &[u8] {
    let end = text.iter().position(|byte| !matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'));
    text.get(end.unwrap_or(text.len())..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_known_by_its_beginning() {
        #[rustfmt::skip]
        let rows = [
            (r#"{"jsonrpc":"2.0","id":1,"result":{"#,                true),
            (r#" { "id" : "a" , "jsonrpc":"2.0","error" :"#,         true),
            (r#"{"result":"#,                                        true),
            (r#"{"jsonrpc":"2.0","id":-1.5e3,"result":{}}"#,         true),
            // The beginning does not tell, or the message is no response.
            (r#"{"jsonrpc":"2.0","id":1,"resu"#,                     false),
            (r#"{"jsonrpc":"2.0","id":1,"result""#,                  false),
            (r#"{"jsonrpc":"2.0","id":1"#,                           false),
            (r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#,          false),
            (r#"{"jsonrpc":"2.0","method":"ping","result":1}"#,      false),
            // Unusual spellings are left to the full parser.
            (r#"{"jsonrpc":"2.0","i\u0064":1,"result":{}}"#,         false),
            (r#"{"jsonrpc":"2.0","id":"\"","result":{}}"#,           false),
            (r#"{"other":{"result":1},"method":"ping","id":1}"#,     false),
            (r#"{"id":[1],"result":{}}"#,                            false),
            ("", false), ("{", false), ("{\"", false), ("[{\"result\":1}]", false), ("\u{feff}{\"result\":1}", false),
        ];
        for (beginning, expected) in rows {
            assert_eq!(is_response(beginning.as_bytes()), expected, "{beginning}");
        }
    }
}
