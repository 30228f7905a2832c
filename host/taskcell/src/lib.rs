//! Runs the handlers with which an MCP client answers its server, as sandboxed WebAssembly components.
//!
//! An MCP server may ask its client to run a model, to ask the user, to list roots, and (revision 2025-11-25) to do
//! the first two as tasks. The code that answers sees prompts, user data and text from a stranger's server. Here
//! that code is a component: written in any language, replaced without a rebuild, given nothing that it was not
//! granted, and run in a fresh cell for each request.
//!
//! ```
//! use taskcell::protocol::types::Implementation;
//! use taskcell::{Engine, EngineOptions, Grants, Handler, Handlers, Session, SessionOptions};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut grants = Grants::default(); // nothing; the stock handler asks for these
//! grants.tasks = true;
//! grants.progress = true;
//! grants.config = Some([("script".to_owned(), "{}".to_owned())].into_iter().collect());
//! let engine = Engine::new(EngineOptions::default())?;
//! let handler = Handler::from_file(&engine, "assets/stock.wasm".as_ref(), grants).await?;
//! let handlers = Handlers::new([handler])?;
//! let capabilities = handlers.capabilities(); // for `initialize`
//! assert!(capabilities["sampling"].is_object());
//!
//! // From the result of `initialize`.
//! let server: Implementation = serde_json::from_str(r#"{"name":"a server","version":"1"}"#)?;
//! let (session, mut outbox) = Session::new(handlers, SessionOptions::new(server));
//! // A message of the server; run one of these for each.
//! session.handle(br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#).await;
//! let answer = outbox.recv().await; // what to send
//! assert_eq!(answer.as_deref(), Some(br#"{"jsonrpc":"2.0","id":1,"result":{}}"#.as_slice()));
//! # Ok(()) }
//! ```
//!
//! Kinds that need no sandbox are taken by closures of the application: [`Native`].
//!
//! | module | knows |
//! |---|---|
//! | [`kinds`] | the request kinds, their defaults and capabilities: one table |
//! | [`protocol`] | JSON-RPC and MCP types |
//! | [`sandbox`] | engine, component loading, cells, limits |
//! | [`grants`] | what a cell may reach |
//! | [`tasks`] | the task runtime: rules, store, background work |
//! | [`session`] | one conversation with one server |
//! | `rmcp` | handlers beside the `ClientHandler` of an application that uses rmcp (feature `rmcp`) |
//! | `watch` | files that are watched (feature `watch`) |
//! | [`observe`] | spans and metrics: one table each |
//! | `otel` | their export by OpenTelemetry (feature `otel`) |
//! | `cli` | the program `taskcell` (feature `cli`) |
//!
//! Settings, errors, events and what the host alone makes are `#[non_exhaustive]`: they will grow. The records of
//! [`protocol::types`] and what a [`TaskStore`](tasks::TaskStore) keeps are not, because applications make them; they change
//! with the version of the handler protocol or of the store.

#![deny(missing_docs)]

mod aside;
#[cfg(feature = "cli")]
pub mod cli;
mod error;
mod first_poll;
pub mod grants;
mod hit;
pub mod kinds;
pub mod observe;
#[cfg(feature = "otel")]
pub mod otel;
mod printable;
mod private_file;
pub mod protocol;
#[cfg(feature = "rmcp")]
pub mod rmcp;
mod rules;
pub mod sandbox;
pub mod session;
#[cfg(feature = "sqlite")]
mod sqlite_file;
pub mod tasks;
#[cfg(feature = "watch")]
pub mod watch;

pub use error::{Error, Part, Usage};
pub use grants::Grants;
pub use sandbox::{Engine, EngineOptions, Handler, Limits};
pub use session::{Handlers, LiveHandlers, Native, NativeContext, Outbox, Session, SessionOptions};
