//! Agreement with a server on a revision of MCP.
//!
//! The client tries `initialize` first. Servers of both eras announce only the later revision by `server/discover`,
//! though most of their tools that ask the client work only after `initialize`. Some servers refuse `initialize` after
//! a `server/discover`.

use anyhow::bail;
use serde_json::Value;
use std::time::Duration;

use super::child::Started;
use super::foreign;
use super::unasked;
use crate::terminal::{self, Progress};
use taskcell::handlers::Handlers;
use taskcell::mrtr::{self, Discovered, discovered};
use taskcell::protocol::PROTOCOL_VERSION;
use taskcell::protocol::types::{Implementation, RpcError};

/// Older revisions that this client also speaks, newest first. Except for [`BATCHES`], they do not differ in what this
/// client does.
const ALSO_SPOKEN: [&str; 3] = ["2025-06-18", BATCHES, "2024-11-05"];
/// Revision that has batches of messages.
pub(crate) const BATCHES: &str = "2025-03-26";
/// Time that a server which refused `initialize` has to answer `server/discover`.
const PROBE_TIME: Duration = Duration::from_secs(5);
/// Members of an error's data that list the server's revisions. [basic/lifecycle, Error Handling]
const SUPPORTED: [&str; 2] = ["supported", "supportedVersions"];

/// Choice of the revisions to try with a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Protocol {
    /// 2025-11-25 or what the server chooses of those before; 2026-07-28 where the server speaks none of them
    #[default]
    Auto,
    /// 2025-11-25, or what the server chooses of those before
    #[value(name = "2025-11-25")]
    #[serde(rename = "2025-11-25")]
    Initialize,
    /// 2026-07-28 alone: for tools that return input-required results
    #[value(name = "2026-07-28")]
    #[serde(rename = "2026-07-28")]
    Discover,
}

/// Revision agreed with a server.
pub(crate) enum Agreed {
    /// A revision that was agreed by `initialize`.
    Legacy {
        /// Result of `initialize`.
        server: Value,
        /// The agreed revision, such as `2025-11-25`.
        version: String,
    },
    /// Revision 2026-07-28, with the server's identity if it gave one.
    Modern(Option<Implementation>),
}

/// Agrees with a server on a revision.
///
/// # Errors
/// When there is no common revision, or the server does not answer.
pub(crate) async fn agree(
    started: &mut Started,
    protocol: Protocol,
    handlers: &Handlers,
    calls: &mrtr::Options,
    timeout: Duration,
    progress: Progress,
) -> anyhow::Result<Agreed> {
    let probe = mrtr::discover(handlers, calls);
    if protocol == Protocol::Discover {
        return match discovered(&started.probe(&probe, timeout).await?) {
            Discovered::Modern { server, .. } => Ok(Agreed::Modern(server)),
            Discovered::Incompatible { supported } => Err(incompatible(&supported)),
            Discovered::Legacy => {
                bail!(
                    "the server does not speak MCP {}; --protocol auto tries other revisions, too",
                    mrtr::PROTOCOL_VERSION
                )
            }
        };
    }
    let capabilities = handlers.capabilities();
    unasked::tell_declared(progress, &capabilities);
    let refused = match initialize(started, &capabilities, timeout).await? {
        Initialized::With { server, version } => return Ok(Agreed::Legacy { server, version }),
        Initialized::Not(refused) => refused,
    };
    if protocol == Protocol::Auto {
        // A server that does not answer is of an earlier revision. [2026-07-28, basic/transports/stdio, Backward
        // Compatibility]
        let answer = tokio::time::timeout(PROBE_TIME.min(timeout), started.probe(&probe, Duration::MAX)).await;
        // Without an answer, the reason of the refusal says more than how the server ended.
        if let Ok(Ok(answer)) = answer {
            match discovered(&answer) {
                Discovered::Modern { server, .. } => return Ok(Agreed::Modern(server)),
                Discovered::Incompatible { supported } => return Err(incompatible(&supported)),
                Discovered::Legacy => {}
            }
        }
    }
    Err(refused)
}

/// Outcome of `initialize`.
enum Initialized {
    With {
        server: Value,
        version: String,
    },
    /// The server refused, or chose a revision that this client does not speak.
    Not(anyhow::Error),
}

/// Initializes a server. If the server refuses the revision and names one that both speak, tries again once with that
/// one. [basic/lifecycle, Error Handling]
async fn initialize(started: &mut Started, capabilities: &Value, timeout: Duration) -> anyhow::Result<Initialized> {
    let mut version = PROTOCOL_VERSION;
    loop {
        let error = match started.initialize(version, capabilities, timeout).await? {
            Ok(server) => {
                let chosen = server.get("protocolVersion").and_then(Value::as_str).map(str::to_owned);
                let Some(chosen) = chosen else { bail!("the server's initialize result has no protocolVersion") };
                if chosen == PROTOCOL_VERSION || ALSO_SPOKEN.contains(&&*chosen) {
                    return Ok(Initialized::With { server, version: chosen });
                }
                let chosen = terminal::one_line(&chosen);
                let refused = anyhow::anyhow!("the server speaks MCP {chosen:?}, this client {PROTOCOL_VERSION}");
                return Ok(Initialized::Not(refused));
            }
            Err(error) => error,
        };
        let supported = supported(&error);
        match newest(&supported) {
            Some(other) if version == PROTOCOL_VERSION && other != version => version = other,
            _ => {
                let list = terminal::one_line(&supported.join(", "));
                let list = if list.is_empty() { list } else { format!(" (the server speaks {list})") };
                let error = foreign::words(&error);
                return Ok(Initialized::Not(anyhow::anyhow!("the server refused initialize: {error}{list}")));
            }
        }
    }
}

/// Reads the revisions that an error lists.
fn supported(error: &RpcError) -> Vec<String> {
    let data = error.data.as_deref().and_then(|data| serde_json::from_str::<Value>(data).ok());
    let list = data.and_then(|mut data| SUPPORTED.iter().find_map(|key| Some(data.get_mut(key)?.take())));
    let Some(Value::Array(list)) = list else { return Vec::new() };
    list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Picks the newest listed revision that this client can agree on by `initialize`.
fn newest(supported: &[String]) -> Option<&'static str> {
    [PROTOCOL_VERSION].into_iter().chain(ALSO_SPOKEN).find(|version| supported.iter().any(|listed| listed == version))
}

fn incompatible(supported: &[String]) -> anyhow::Error {
    let supported = terminal::one_line(&supported.join(", "));
    anyhow::anyhow!("the server speaks MCP {supported}, this client {} and earlier revisions", mrtr::PROTOCOL_VERSION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_revision_of_both_is_chosen() {
        #[rustfmt::skip]
        let table = [
            (r#"{"supported":["2025-06-18"]}"#,                             Some("2025-06-18")),
            (r#"{"supported":["2024-11-05","2025-06-18","2025-03-26"]}"#,   Some("2025-06-18")),
            (r#"{"supportedVersions":["2024-11-05"]}"#,                     Some("2024-11-05")),
            (r#"{"supported":["2025-11-25","2024-11-05"]}"#,                Some("2025-11-25")),
            (r#"{"supported":["2026-07-28"]}"#,                             None),
            (r#"{"supported":[20250618, null, "2025-03-26"]}"#,             Some("2025-03-26")),
            (r#"{"supported":"2025-06-18"}"#,                               None),
            (r#"["2025-06-18"]"#,                                           None),
        ];
        for (data, expected) in table {
            let error =
                RpcError { data: Some(data.to_owned()), ..RpcError::new(-32602, "Unsupported protocol version") };
            assert_eq!(newest(&supported(&error)), expected, "{data}");
        }
    }
}
