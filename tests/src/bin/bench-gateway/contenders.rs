//! The tables: which gateways are measured beside each other, and how each is started.

use std::env;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use taskcell_test_support::provision::{gateway_peers_node, gateway_peers_python, node_peers, python_fastmcp};

use crate::http::{HttpClient, HttpServer};
use crate::pipe;
use crate::stdio::StdioClient;

/// Contenders that take turns.
pub(crate) struct Table {
    pub(crate) title: &'static str,
    /// Members of `params` of the measured `tools/call`.
    pub(crate) params: &'static str,
    pub(crate) server: Server,
    pub(crate) contenders: Vec<Contender>,
}

/// The server behind all contenders of a table.
pub(crate) enum Server {
    /// Started by each contender, whose command has the server's.
    Child,
    /// Started once and reached over HTTP.
    Http(HttpServer),
}

/// A gateway, or the server itself.
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    /// Command that speaks MCP over its stdio; none for a client of the server's port.
    command: Option<Vec<String>>,
    /// Capabilities that the client declares.
    capabilities: &'static str,
}

enum Client {
    Stdio(StdioClient),
    Http(HttpClient),
}

/// A contender that has agreed on a revision.
pub(crate) struct Connected {
    client: Client,
    process: u32,
    next: u64,
    /// Time from the start of the process to the response to `initialize`.
    pub(crate) start: Duration,
}

impl Contender {
    fn new(name: &'static str, command: impl IntoIterator<Item = String>) -> Self {
        Self { name, command: Some(command.into_iter().collect()), capabilities: "{}" }
    }

    /// Starts the contender and initializes it.
    ///
    /// # Errors
    /// When it does not start or refuses.
    pub(crate) fn connect(&self, server: &Server) -> Result<Connected> {
        let start = Instant::now();
        let (client, process) = match (&self.command, server) {
            (Some(command), _) => {
                let client = StdioClient::start(command)?;
                let process = client.process();
                (Client::Stdio(client), process)
            }
            (None, Server::Http(server)) => (Client::Http(HttpClient::connect(server.port)?), server.process()),
            (None, Server::Child) => unreachable!("a contender without a command has a server"),
        };
        let mut connected = Connected { client, process, next: 1, start: Duration::ZERO };
        let identity = r#"{"name":"bench","version":"1"}"#;
        let capabilities = self.capabilities;
        connected.request(
            "initialize",
            &format!(r#"{{"protocolVersion":"2025-11-25","capabilities":{capabilities},"clientInfo":{identity}}}"#),
        )?;
        connected.start = start.elapsed();
        connected.notify(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)?;
        Ok(connected)
    }
}

impl Connected {
    pub(crate) fn process(&self) -> u32 {
        self.process
    }

    /// Calls a tool and waits for its result.
    ///
    /// # Errors
    /// When the call fails.
    pub(crate) fn call(&mut self, params: &str) -> Result<()> {
        self.request("tools/call", params)
    }

    fn request(&mut self, method: &str, params: &str) -> Result<()> {
        let id = self.next;
        self.next += 1;
        let message = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#);
        match &mut self.client {
            Client::Stdio(client) => client.request(id, &message)?,
            Client::Http(client) => client.post(&message)?,
        };
        Ok(())
    }

    fn notify(&mut self, message: &str) -> Result<()> {
        match &mut self.client {
            Client::Stdio(client) => client.send(message),
            Client::Http(client) => client.post(message).map(drop),
        }
    }
}

/// All tables, with servers started and peers installed.
///
/// # Errors
/// When a peer cannot be installed or started.
pub(crate) fn tables(program: &str) -> Result<Vec<Table>> {
    let this = env::current_exe()?.to_string_lossy().into_owned();
    let everything = node_peers()?.join("node_modules/@modelcontextprotocol/server-everything/dist/index.js");
    let everything = everything.to_string_lossy().into_owned();
    let server = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let stdio = server(&["node", &everything, "stdio"]);
    let behind = |words: &[&str]| server(words).into_iter().chain(stdio.clone());
    let fastmcp = python_fastmcp(4)?.to_string_lossy().into_owned();
    let fastmcp_proxy = format!(
        "from fastmcp.server import create_proxy; create_proxy({{'mcpServers': {{'s': {{'command': 'node', \
         'args': ['{everything}', 'stdio']}}}}}}).run(show_banner=False)"
    );
    let node = gateway_peers_node()?.join("node_modules");
    let script = |name: &str| node.join(name).to_string_lossy().into_owned();
    let python = gateway_peers_python()?.to_string_lossy().into_owned();

    let echo = r#"{"name":"echo","arguments":{"message":"hello"}}"#;
    let sample = r#"{"name":"trigger-sampling-request","arguments":{"prompt":"hello","maxTokens":10}}"#;
    let taskcell = |words: &[&str]| behind(&[&[program, "proxy"], words, &["--"]].concat());
    let port = free_port()?;
    let http = HttpServer::start(&server(&["node", &everything, "streamableHttp"]), port)?;
    let url = format!("http://127.0.0.1:{port}/mcp");
    let direct = |capabilities| Contender { capabilities, ..Contender::new("server alone", stdio.clone()) };
    Ok(vec![
        Table {
            title: "echo, stdio to stdio",
            params: echo,
            server: Server::Child,
            contenders: vec![
                direct("{}"),
                Contender::new("bare pipe", behind(&[&this, pipe::WORD])),
                Contender::new("taskcell proxy", taskcell(&[])),
                Contender::new("fastmcp 4.2.3", server(&[&fastmcp, "-c", &fastmcp_proxy])),
            ],
        },
        Table {
            title: "a tool that samples: the client answers at once, or a cell does",
            params: sample,
            server: Server::Child,
            contenders: vec![
                direct(r#"{"sampling":{}}"#),
                Contender {
                    capabilities: r#"{"sampling":{}}"#,
                    ..Contender::new("bare pipe", behind(&[&this, pipe::WORD]))
                },
                Contender::new("taskcell proxy, a cell", taskcell(&[])),
            ],
        },
        Table {
            title: "echo, stdio to HTTP",
            params: echo,
            server: Server::Http(http),
            contenders: vec![
                Contender { name: "server alone", command: None, capabilities: "{}" },
                Contender::new("taskcell proxy --url", server(&[program, "proxy", "--url", &url])),
                Contender::new("mcp-remote 0.15.1", server(&["node", &script("mcp-remote/dist/proxy.js"), &url])),
                Contender::new(
                    "supergateway 4.0.0",
                    server(&["node", &script("supergateway/dist/index.js"), "--streamableHttp", &url]),
                ),
                Contender::new(
                    "mcp-proxy 0.13.0",
                    server(&[&python, "-m", "mcp_proxy", "--transport", "streamablehttp", &url]),
                ),
            ],
        },
    ])
}

/// A port of the loopback address that nobody listens on.
fn free_port() -> Result<u16> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).context("no port is free")?;
    Ok(listener.local_addr()?.port())
}
