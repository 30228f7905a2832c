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
//! let handler = Handler::from_file(&engine, "../cli/assets/stock.wasm".as_ref(), grants).await?;
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
//! Kinds that need no sandbox are taken by closures of the application: [`NativeHandler`].
//!
//! | module | knows |
//! |---|---|
//! | [`protocol`] | JSON-RPC and MCP types; the request kinds, their defaults and capabilities: one table |
//! | [`text`] | text of strangers, made printable |
//! | [`validation`] | what MCP demands of requests and answers |
//! | [`telemetry`] | spans and metrics: one table each |
//! | [`tasks`] | the task runtime: rules, store, background work |
//! | [`sandbox`] | engine, compiling, limits |
//! | [`grants`] | what a cell may reach |
//! | [`handlers`] | components and closures that answer, and which of them answers what |
//! | [`session`] | one conversation with one server |
//! | [`mrtr`] | calls of revision 2026-07-28, in which the server asks by its result |
//! | `watch` | files that are watched (feature `watch`) |
//!
//! A module imports only modules that stand above it; `tests/tests/docs/layers.rs` holds that.
//!
//! Settings, errors, events and what the host alone makes are `#[non_exhaustive]`: they will grow. The records of
//! [`protocol::types`] and what a [`TaskStore`](tasks::TaskStore) keeps are not, because applications make them; they change
//! with the version of the handler protocol or of the store.

#![deny(missing_docs)]

mod error;
pub mod grants;
pub mod handlers;
pub mod mrtr;
pub mod protocol;
pub mod sandbox;
pub mod session;
mod support;
pub mod tasks;
pub mod telemetry;
pub mod text;
pub mod validation;
#[cfg(feature = "watch")]
pub mod watch;

pub use error::{Error, Part};
pub use grants::Grants;
pub use handlers::{Handler, HandlerRegistry, Handlers, NativeContext, NativeHandler};
pub use protocol::kinds;
pub use sandbox::{Engine, EngineOptions, Limits};
pub use session::{Outbox, Session, SessionOptions};
pub use telemetry::Usage;
