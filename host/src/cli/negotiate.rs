//! Which revision of MCP to speak with a server: asked first as revision 2026-07-28 has it, then as those before.

use std::time::Duration;

use anyhow::bail;
use serde_json::value::RawValue;

use super::peer::Peer;
use super::terminal;
use crate::protocol::types::Implementation;
use crate::session::rounds::{self, Discovered, discovered};

/// How long a server may take to say that it knows `server/discover`. One that says nothing is of an earlier revision, or
/// starts slowly; so a server that then refuses `initialize` is asked again.
/// [2026-07-28, basic/transports/stdio, Backward Compatibility]
const PROBE_TIME: Duration = Duration::from_secs(5);

/// The revision to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(super) enum Protocol {
    /// What the server speaks: 2026-07-28, else 2025-11-25 or what it chooses of those before
    #[default]
    Auto,
    /// 2025-11-25, or what the server chooses of those before
    #[value(name = "2025-11-25")]
    Initialize,
    /// 2026-07-28 alone
    #[value(name = "2026-07-28")]
    Discover,
}

/// What came of asking.
pub(super) enum Spoken {
    /// Revision 2026-07-28, by a server that says it is this.
    Modern(Option<Implementation>),
    /// An earlier one.
    Legacy,
    /// The server did not say.
    Silent,
}

/// Sends `server/discover` with these parameters.
pub(super) async fn probe(peer: &Peer, params: &RawValue, timeout: Duration) -> anyhow::Result<Spoken> {
    // The timeout is told from the end of the connection, which is an error.
    let timeout = PROBE_TIME.min(timeout);
    let asked = peer.request_raw("server/discover", &params, Duration::MAX);
    let Ok(answer) = tokio::time::timeout(timeout, asked).await else { return Ok(Spoken::Silent) };
    match discovered(&answer?) {
        Discovered::Modern { server, .. } => Ok(Spoken::Modern(server)),
        Discovered::Legacy => Ok(Spoken::Legacy),
        Discovered::Incompatible { supported } => {
            let supported = terminal::one_line(&supported.join(", "));
            bail!("the server speaks MCP {supported}, this client {} and those before", rounds::PROTOCOL_VERSION)
        }
    }
}
