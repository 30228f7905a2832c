//! A server process that listens on a port.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// Between two looks whether it listens.
const POLL: Duration = Duration::from_millis(20);
/// Longer than any takes to start.
const GUARD: Duration = Duration::from_secs(60);

/// A client of reqwest, which is built here without a provider of cryptography of its own.
#[must_use]
pub fn client() -> reqwest::Client {
    // An error means that a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

/// A server that runs as long as this lives.
#[derive(Debug)]
pub struct HttpServer {
    _process: Child,
    address: SocketAddr,
}

impl HttpServer {
    /// Starts a server, by its program and arguments, that listens on the port in the environment variable `PORT`. Waits
    /// until it does.
    ///
    /// # Errors
    /// When it does not.
    pub async fn start(command: &[String]) -> Result<Self> {
        // A port that was free a moment ago; servers cannot be asked which they chose.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let (program, arguments) = command.split_first().context("no program")?;
        let mut command = Command::new(program);
        command.args(arguments).env("PORT", address.port().to_string());
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
        let mut process = command.spawn().with_context(|| program.clone())?;
        let listens = async {
            while TcpStream::connect(address).await.is_err() {
                if let Some(status) = process.try_wait()? {
                    bail!("{program} ended: {status}");
                }
                tokio::time::sleep(POLL).await;
            }
            Ok(())
        };
        tokio::time::timeout(GUARD, listens).await.context("it does not listen")??;
        Ok(Self { _process: process, address })
    }

    /// Where its MCP endpoint is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }
}
