//! The way of a call to its provider: one that carries so many bytes of an answer and no more.
//!
//! genai reads an answer whole and has no bound for it. So its HTTP client is given a socket of the host's own instead
//! of the network, and what comes from the provider is counted on its way in. With TLS, what passes here is encrypted:
//! the client speaks TLS through it and checks the provider's certificate. A connection is for one call; dropping the
//! relay ends both of its sides.

use std::path::{Path, PathBuf};

use reqwest::Url;
use tokio::io::{AsyncReadExt, copy};
use tokio::net::{TcpStream, UnixListener, UnixStream};

/// Bytes of a connection besides the answer itself: headers, TLS.
const OVERHEAD: u64 = 64 << 10;

/// A socket that leads to one provider.
pub(super) struct Relay {
    listener: UnixListener,
    path: PathBuf,
    host: String,
    port: u16,
    limit: u64,
}

/// Why a relay carries nothing any more.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// There is no connection to the provider.
    Unreachable,
    /// The provider sent too much.
    TooMuch,
}

impl Relay {
    /// A relay to the host of an address, for an answer of so many bytes.
    pub(super) fn new(url: &Url, answer_size: usize) -> std::io::Result<Self> {
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err(std::io::ErrorKind::InvalidInput.into());
        };
        let path = socket_name();
        let listener = UnixListener::bind(&path)?;
        let host = host.trim_matches(['[', ']']).to_owned();
        Ok(Self { listener, path, host, port, limit: (answer_size as u64).saturating_add(OVERHEAD) })
    }

    /// Where the client connects to.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Carries what passes, until there is nothing more to carry.
    pub(super) async fn run(&self) -> Ended {
        let mut left = self.limit;
        loop {
            let Ok((client, _)) = self.listener.accept().await else { return Ended::Unreachable };
            if !is_own(&client) {
                continue;
            }
            let Ok(provider) = TcpStream::connect((self.host.as_str(), self.port)).await else {
                return Ended::Unreachable;
            };
            left = left.saturating_sub(carry(client, provider, left).await);
            if left == 0 {
                return Ended::TooMuch;
            }
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if cfg!(not(target_os = "linux")) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Carries bytes both ways until a side ends; gives how many came from the provider, `limit` at most.
async fn carry(mut client: UnixStream, mut provider: TcpStream, limit: u64) -> u64 {
    let (mut from_client, mut to_client) = client.split();
    let (from_provider, mut to_provider) = provider.split();
    let mut answer = from_provider.take(limit);
    tokio::select! {
        _ = copy(&mut answer, &mut to_client) => {}
        _ = copy(&mut from_client, &mut to_provider) => {}
    }
    limit.saturating_sub(answer.limit())
}

/// Linux has names that are no files: nothing stays behind, whatever becomes of the process.
fn socket_name() -> PathBuf {
    let name = format!("taskcell-{}", uuid::Uuid::new_v4());
    if cfg!(target_os = "linux") { PathBuf::from(format!("\0{name}")) } else { std::env::temp_dir().join(name) }
}

/// Whether it is this process that connects: any may, and it would take the place of the call's client.
fn is_own(client: &UnixStream) -> bool {
    let process = client.peer_cred().ok().and_then(|credentials| credentials.pid());
    process.is_none_or(|process| u32::try_from(process) == Ok(std::process::id()))
}
