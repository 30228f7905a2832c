//! Flags of `taskcell proxy` for clients that connect by streamable HTTP, and the sessions of those clients.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, ensure};
use tokio::task::JoinSet;

use crate::config::proxy::ProxyTable;
use crate::config::server_args::{from_variable, name_and_variable};
use crate::signals::Signals;
use taskcell_gateway::http_server::{Accepted, HttpServer, HttpServerOptions, Token};
use taskcell_gateway::{Connector, GatewayOptions, serve};

/// Flags of the address that clients connect to.
#[derive(clap::Args)]
pub(crate) struct ListenArgs {
    /// Serve clients over streamable HTTP at http://ADDRESS/mcp, such as 127.0.0.1:8765, instead of stdin and stdout
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// With --listen: allow an address that other machines reach; every client then needs a token
    #[arg(long)]
    allow_remote: bool,
    /// With --listen: a name by which clients reach this machine, beside localhost, 127.0.0.1 and [::1]; may be given
    /// more than once
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<String>,
    /// With --listen: a client's name, and the environment variable that holds its bearer token; may be given more than
    /// once. Each name has tasks of its own
    #[arg(long = "client-token", value_name = "NAME=VARIABLE", value_parser = name_and_variable)]
    tokens: Vec<(String, String)>,
}

impl ListenArgs {
    /// Merges the flags with the configuration; none when clients use stdin and stdout.
    ///
    /// # Errors
    /// When a token cannot be used, or a flag goes without `--listen`.
    pub(crate) fn settle(&self, table: &ProxyTable) -> anyhow::Result<Option<HttpServerOptions>> {
        let Some(address) = self.listen.or(table.listen) else {
            let alone = self.allow_remote || !self.hosts.is_empty() || !self.tokens.is_empty();
            ensure!(!alone, "--allow-remote, --host and --client-token go with --listen ADDRESS");
            return Ok(None);
        };
        let mut options = HttpServerOptions::new(address);
        options.allow_remote = self.allow_remote || table.allow_remote;
        options.hosts = [&self.hosts[..], &table.hosts].concat();
        let of_flags = self.tokens.iter().map(|(name, variable)| (name, variable));
        for (name, variable) in of_flags.chain(&table.tokens) {
            let known = options.tokens.iter().any(|token: &Token| token.name() == name);
            ensure!(!known, "the client {name:?} has two tokens");
            options.tokens.push(Token::new(name, &from_variable("--client-token", variable)?)?);
        }
        Ok(Some(options))
    }
}

/// Serves clients, each session with a connection of its own to the server, until a signal comes.
///
/// # Errors
/// When the address cannot be listened on.
pub(crate) async fn serve_clients(
    options: HttpServerOptions,
    connector: Arc<dyn Connector>,
    gateway: GatewayOptions,
    mut signals: Signals,
) -> anyhow::Result<()> {
    let mut server = HttpServer::bind(options).await.context("--listen")?;
    (gateway.notice)(&format!("clients are served at http://{}/mcp", server.address()));
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            accepted = server.accept() => {
                let Some(accepted) = accepted else { break };
                sessions.spawn(session(accepted, Arc::clone(&connector), gateway.clone()));
            }
            Some(_) = sessions.join_next() => {}
            () = signals.came(1) => break,
        }
    }
    // Ends the clients' sessions, and thereby what serves them.
    drop(server);
    while sessions.join_next().await.is_some() {}
    Ok(())
}

async fn session(accepted: Accepted, connector: Arc<dyn Connector>, mut gateway: GatewayOptions) {
    if let Some(token) = accepted.token {
        let of_all = Arc::clone(&gateway.session);
        gateway.session = Arc::new(move |server| {
            let mut options = of_all(server);
            options.principal = format!("{} client={token}", options.principal);
            options
        });
    }
    let notice = Arc::clone(&gateway.notice);
    if let Err(error) = serve(accepted.connection, connector, gateway).await {
        notice(&format!("a client's session ended: {error}"));
    }
}
