//! Runs the handlers with which an MCP client answers its server, as sandboxed WebAssembly components.
//!
//! An MCP server may ask its client to run a model, to ask the user, to list roots, and (revision 2025-11-25) to do
//! the first two as tasks. The code that answers sees prompts, user data and text from a stranger's server. Here
//! that code is a component: written in any language, replaced without a rebuild, given nothing that it was not
//! granted, and run in a fresh cell for each request.
//!
//! ```no_run
//! use taskcell::{Engine, EngineOptions, Grants, Handler, Handlers, Session, SessionOptions};
//!
//! # async fn embed(server: taskcell::protocol::types::Implementation, message: &[u8]) -> Result<(), taskcell::Error> {
//! let engine = Engine::new(EngineOptions::default())?;
//! let handler = Handler::from_file(&engine, "handler.wasm".as_ref(), Grants::default()).await?;
//! let handlers = Handlers::new([handler])?;
//! let capabilities = handlers.capabilities(); // for `initialize`
//! let (session, mut outbox) = Session::new(handlers, SessionOptions::new(server));
//! session.handle(message).await; // a message of the server
//! let answer = outbox.recv().await; // what to send
//! # Ok(()) }
//! ```
//!
//! | module | knows |
//! |---|---|
//! | [`kinds`] | the request kinds, their defaults and capabilities: one table |
//! | [`protocol`] | JSON-RPC and MCP types |
//! | [`sandbox`] | engine, component loading, cells, limits |
//! | [`grants`] | what a cell may reach |
//! | [`tasks`] | the task runtime: rules, store, background work |
//! | [`session`] | one conversation with one server |
//! | `cli` | the program `taskcell` (feature `cli`) |

#[cfg(feature = "cli")]
pub mod cli;
mod error;
mod first_poll;
pub mod grants;
pub mod kinds;
mod printable;
pub mod protocol;
mod rules;
pub mod sandbox;
pub mod session;
pub mod tasks;

pub use error::Error;
pub use grants::Grants;
pub use sandbox::{Engine, EngineOptions, Handler, Limits};
pub use session::{Handlers, Native, NativeContext, Outbox, Session, SessionOptions};
