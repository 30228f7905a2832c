//! Runs the handlers with which an MCP client answers its server, as sandboxed WebAssembly components.
//!
//! An MCP server may ask its client to run a model, to ask the user, to list roots, and (revision 2025-11-25) to do the
//! first two as tasks. The code that answers handles prompts, user data and text of an untrusted server. In this
//! library that code is a component. It is written in any language and replaced without a rebuild. It has no access
//! that was not granted, and runs in a fresh cell for each request.
//!
//! ```
//! use taskcell::protocol::types::Implementation;
//! use taskcell::{Engine, EngineOptions, Grants, Handler, Handlers, Session, SessionOptions};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut grants = Grants::default(); // grants nothing; the stock handler needs the following
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
//! let server = Implementation::new("a server", "1");
//! let (session, mut outbox) = Session::new(handlers, SessionOptions::new(server));
//! // A message of the server; run one such future for each message.
//! session.handle(br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#).await;
//! let answer = outbox.recv().await; // the message to send
//! assert_eq!(answer.as_deref(), Some(br#"{"jsonrpc":"2.0","id":1,"result":{}}"#.as_slice()));
//! # Ok(()) }
//! ```
//!
//! Closures of the application serve kinds that need no sandbox: [`NativeHandler`].
//!
//! | module | contents |
//! |---|---|
//! | [`protocol`] | JSON-RPC and MCP types; one table of the request kinds with their defaults and capabilities |
//! | [`text`] | display of untrusted text |
//! | [`validation`] | MCP's rules for requests and answers |
//! | [`telemetry`] | spans and metrics: one table each |
//! | [`tasks`] | the task runtime: rules, stores, background work |
//! | [`sandbox`] | engine, compilation, limits |
//! | [`grants`] | access that a cell may have |
//! | [`handlers`] | components and closures that answer, and the choice among them |
//! | [`session`] | one conversation with one server |
//! | [`mrtr`] | calls of revision 2026-07-28, in which the server's result asks the client for input |
//! | `watch` | watching of files (feature `watch`) |
//!
//! A module imports only modules above it in this table; `tests/tests/docs/layers.rs` checks that.
//!
//! Settings, errors, events and types that only the host creates are `#[non_exhaustive]`, because they will grow. The
//! records of [`protocol::types`] and of a [`TaskStore`](tasks::TaskStore) are exhaustive, because applications create
//! them. They change only with the version of the handler protocol or of the store.

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

pub use error::{CellError, EngineError, LoadError, LoadFault, Part};
pub use grants::Grants;
pub use handlers::{Handler, HandlerRegistry, Handlers, NativeContext, NativeHandler};
pub use protocol::kinds;
pub use sandbox::{Engine, EngineOptions, Limits};
pub use session::{Outbox, Session, SessionOptions};
pub use telemetry::Usage;
