//! A gateway between an MCP client and a server: it passes messages as they come, and answers for the client what
//! handlers of taskcell can.
//!
//! [`serve`] stands between a [`Connection`] with a client and a [`Connector`] to a server. Messages are JSON texts
//! that pass byte for byte, but for the capabilities in the client's `initialize`. Requests by which the server asks
//! something of the client are routed by a [`Plan`], which is made of the client's and the handlers' capabilities and
//! of a [`Policy`].
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use taskcell::Handlers;
//! use taskcell_gateway::stdio::{self, ServerCommand, StdioServer};
//! use taskcell_gateway::{GatewayOptions, serve};
//!
//! # async fn run(handlers: Handlers) -> Result<(), taskcell_gateway::GatewayError> {
//! let command = ServerCommand { program: "server".into(), arguments: Vec::new(), secrets: Vec::new() };
//! let server = StdioServer::new(command, "server".into(), Arc::new(|_| {}), Arc::new(|_| {}));
//! serve(stdio::client(), Arc::new(server), GatewayOptions::new(handlers)).await
//! # }
//! ```

#![deny(missing_docs)]

mod asking;
mod audit;
mod calls;
pub mod dead_clients;
mod declare;
pub mod error;
mod hold;
pub mod http_client;
pub mod http_server;
mod initialize;
mod kept;
mod lists;
mod options;
mod owners;
mod peek;
mod plan;
pub mod policy;
mod questions;
mod relay;
mod route;
mod serve;
pub mod stdio;
mod text;
pub mod transport;
mod upstream;

pub use audit::Audit;
pub use error::GatewayError;
pub use options::{GatewayOptions, SessionFor};
pub use plan::Plan;
pub use policy::{Policy, Rule, Topic};
pub use route::{ClientFacts, PlanRow, Route};
pub use serve::serve;
pub use transport::{Connection, Connector, Frame, Receiver, Sender, TransportError};
