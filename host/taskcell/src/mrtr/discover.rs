//! Detection of the revision that a server speaks, by its answer to `server/discover`. [basic/versioning, Backward
//! Compatibility; basic/transports/stdio, Backward Compatibility]

use serde_json::Value;
use serde_json::value::RawValue;

use super::members::Members;
use super::meta::{self, Meta};
use super::{Options, PROTOCOL_VERSION, Response};
use crate::handlers::Handlers;
use crate::protocol::types::{Implementation, RpcError};

/// Errors that revision 2026-07-28 introduced. [basic, Error Codes]
const HEADER_MISMATCH: i32 = -32020;
const MISSING_REQUIRED_CLIENT_CAPABILITY: i32 = -32021;
const UNSUPPORTED_PROTOCOL_VERSION: i32 = -32022;

/// JSON pointer to the server's name and version in a result.
const SERVER_INFO: &str = "/_meta/io.modelcontextprotocol~1serverInfo";

/// Revision that a server speaks, by its answer to `server/discover`.
#[derive(Debug, Clone, PartialEq)]
pub enum Discovered {
    /// The server speaks [`PROTOCOL_VERSION`]: make calls with a [`Caller`](super::Caller).
    Modern {
        /// Name and version of the server; none where the result has none.
        server: Option<Implementation>,
        /// Result of `server/discover`, with capabilities and instructions.
        result: Value,
    },
    /// The server speaks an earlier revision: send `initialize`.
    Legacy,
    /// The server speaks only later revisions than [`PROTOCOL_VERSION`].
    Incompatible {
        /// Revisions that the server speaks, as it writes them.
        supported: Vec<String>,
    },
}

/// Returns the parameters of `server/discover`, the first request of a client that speaks revisions before and since
/// 2026-07-28. It takes handlers, because the session starts only after the answer names the server.
#[must_use]
pub fn discover(handlers: &Handlers, options: &Options) -> Box<RawValue> {
    let mut params = Members::default();
    let capabilities = meta::capabilities(handlers, options);
    // Adding to an absent `_meta` cannot fail.
    let _ = Meta::new(PROTOCOL_VERSION, options.client.as_ref(), &capabilities).add_to(&mut params);
    params.write()
}

/// Reads the answer to [`discover`]. Any error that earlier revisions know means [`Discovered::Legacy`]; so does no
/// answer within a reasonable time, for which the caller decides.
#[must_use]
pub fn discovered(response: &Response) -> Discovered {
    match response {
        Ok(result) => from_result(result),
        Err(error) => match error.code {
            UNSUPPORTED_PROTOCOL_VERSION => from_supported(supported(error)),
            // Only this revision has these errors, so the server speaks it.
            HEADER_MISMATCH | MISSING_REQUIRED_CLIENT_CAPABILITY => {
                Discovered::Modern { server: None, result: Value::Null }
            }
            _ => Discovered::Legacy,
        },
    }
}

fn from_result(result: &RawValue) -> Discovered {
    let Ok(result) = serde_json::from_str::<Value>(result.get()) else { return Discovered::Legacy };
    let versions = result.get("supportedVersions").cloned().and_then(|versions| serde_json::from_value(versions).ok());
    let Some(versions) = versions else { return Discovered::Legacy };
    match from_supported(versions) {
        Discovered::Modern { .. } => {
            // The published revision has it in `_meta`, drafts beside the versions. [basic, Per-response protocol
            // fields]
            let info = result.pointer(SERVER_INFO).or_else(|| result.get("serverInfo"));
            let server = info.and_then(|info| serde_json::from_value(info.clone()).ok());
            Discovered::Modern { server, result }
        }
        other => other,
    }
}

fn supported(error: &RpcError) -> Vec<String> {
    let data = error.data.as_deref().and_then(|data| serde_json::from_str::<Value>(data).ok());
    let versions = data.and_then(|mut data| data.get_mut("supported").map(Value::take));
    versions.and_then(|versions| serde_json::from_value(versions).ok()).unwrap_or_default()
}

fn from_supported(supported: Vec<String>) -> Discovered {
    // Revisions are dates, so they compare as text. An empty list does not prove a later era.
    let modern = |version: &String| version.as_str() >= PROTOCOL_VERSION;
    if supported.iter().any(|version| version == PROTOCOL_VERSION) {
        Discovered::Modern { server: None, result: Value::Null }
    } else if !supported.is_empty() && supported.iter().all(modern) {
        Discovered::Incompatible { supported }
    } else {
        Discovered::Legacy
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[test]
    fn the_era_of_a_server_follows_from_its_answer() {
        let incompatible = |version: &str| Discovered::Incompatible { supported: vec![version.to_owned()] };
        #[rustfmt::skip]
        let rows = [
            (r#"{"error":{"code":-32601,"message":"Method not found"}}"#,       Discovered::Legacy),
            (r#"{"error":{"code":-32602,"message":"Invalid params"}}"#,         Discovered::Legacy),
            (r#"{"error":{"code":-32600,"message":"Not initialized"}}"#,        Discovered::Legacy),
            (r#"{"error":{"code":-32022,"message":"","data":{"supported":["2025-11-25"]}}}"#, Discovered::Legacy),
            (r#"{"error":{"code":-32022,"message":"","data":{"supported":["2027-01-01"]}}}"#, incompatible("2027-01-01")),
            (r#"{"error":{"code":-32022,"message":"","data":{"supported":["2027-01-01","2025-06-18"]}}}"#, Discovered::Legacy),
            (r#"{"error":{"code":-32022,"message":""}}"#,                       Discovered::Legacy),
            (r#"{"result":{}}"#,                                                Discovered::Legacy),
            (r#"{"result":[]}"#,                                                Discovered::Legacy),
            (r#"{"result":{"supportedVersions":[]}}"#,                          Discovered::Legacy),
            (r#"{"result":{"supportedVersions":"2026-07-28"}}"#,                Discovered::Legacy),
            (r#"{"result":{"supportedVersions":["2025-11-25"]}}"#,              Discovered::Legacy),
            (r#"{"result":{"supportedVersions":["2027-01-01"]}}"#,              incompatible("2027-01-01")),
        ];
        for (text, expected) in rows {
            assert_eq!(discovered(&response(text)), expected, "{text}");
        }
    }

    #[test]
    fn a_server_of_this_revision_says_who_it_is_where_the_revision_or_its_drafts_do() {
        #[rustfmt::skip]
        let rows = [
            (r#"{"result":{"supportedVersions":["2025-11-25","2026-07-28"],"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"a","version":"1"}}}}"#, Some("a")),
            (r#"{"result":{"supportedVersions":["2026-07-28"],"serverInfo":{"name":"b","version":"1"}}}"#, Some("b")),
            (r#"{"result":{"supportedVersions":["2026-07-28"]}}"#,                                         None),
            (r#"{"result":{"supportedVersions":["2026-07-28"],"serverInfo":{"name":7}}}"#,                 None),
            (r#"{"error":{"code":-32021,"message":"Missing required client capability"}}"#,                None),
        ];
        for (text, expected) in rows {
            let Discovered::Modern { server, .. } = discovered(&response(text)) else { panic!("{text}") };
            assert_eq!(server.map(|server| server.name).as_deref(), expected, "{text}");
        }
    }

    fn response(text: &str) -> Response {
        #[derive(Deserialize)]
        struct Either {
            result: Option<Box<RawValue>>,
            error: Option<RpcError>,
        }
        let Either { result, error } = serde_json::from_str(text).unwrap();
        error.map_or_else(|| Ok(result.unwrap()), Err)
    }
}
