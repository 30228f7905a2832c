//! A server process that listens on a port.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// Interval between two checks whether the server listens.
const POLL: Duration = Duration::from_millis(20);
/// Timeout longer than any server takes to start.
const GUARD: Duration = Duration::from_secs(60);

/// A client of reqwest, which is built here without its own cryptography provider.
#[must_use]
pub fn client() -> reqwest::Client {
    // An error means that a provider is already installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

/// A server that runs until dropped.
#[derive(Debug)]
pub struct HttpServer {
    process: Child,
    command: Vec<String>,
    address: SocketAddr,
}

impl HttpServer {
    /// Starts a server by its program and arguments. The server listens on the port in the environment variable `PORT`;
    /// waits until it does.
    ///
    /// # Errors
    /// When the server does not listen in time.
    pub async fn start(command: &[String]) -> Result<Self> {
        // This port was free a moment ago. Servers cannot report a port that they choose themselves.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        Ok(Self { process: Self::run(command, address).await?, command: command.to_vec(), address })
    }

    /// Ends the server's process, and starts another on its port.
    ///
    /// # Errors
    /// When the server does not listen in time.
    pub async fn restart(&mut self) -> Result<()> {
        self.process.kill().await?;
        self.process = Self::run(&self.command, self.address).await?;
        Ok(())
    }

    async fn run(command: &[String], address: SocketAddr) -> Result<Child> {
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
        Ok(process)
    }

    /// Address on which the server listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// URL of the MCP endpoint.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }
}
