//! Handlers beside the `ClientHandler` of an application that uses rmcp.
//!
//! An [`Adapter`] makes transports for rmcp, over stdio and streamable HTTP. What the server asks of a kind that the handlers
//! take is answered by a [`Session`](taskcell::Session), and the capabilities of the handlers are declared; everything else is
//! between rmcp and the server, the application's `ClientHandler` included. It works below rmcp's types because they have no
//! `params.task` and no `capabilities.tasks`.
//!
//! ```no_run
//! use rmcp::ServiceExt;
//! use taskcell_rmcp::Adapter;
//! use taskcell::{Engine, EngineOptions, Grants, Handler, Handlers};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = Engine::new(EngineOptions::default())?;
//! let handler = Handler::from_file(&engine, "handler.wasm".as_ref(), Grants::default()).await?;
//! let adapter = Adapter::new(Handlers::new([handler])?);
//! let transport = adapter.child_process(tokio::process::Command::new("server"))?; // or `adapter.http(client, config)`
//! let client = ().serve(transport).await?; // `()` is your `ClientHandler`
//! let tools = client.list_all_tools().await?;
//! # Ok(()) }
//! ```
//!
//! | | |
//! |---|---|
//! | requests of kinds that the handlers take | the session has them; so it has one for a task of a kind that they take plainly |
//! | other requests, notifications, answers | rmcp has them, as they came |
//! | `notifications/cancelled` | goes to whoever answers the request |
//! | `initialize` | the handlers' capabilities are added to the application's; where both declare one, the word of the handlers counts, for they answer. `roots.listChanged` and other extensions stay |
//! | closing the service | ends cells and background work, and gives back work that is kept in a store |
//! | dropping it | does so in the background |
//! | the other end goes | is the end of the service, as in rmcp |
//!
//! # Servers of revision 2026-07-28
//!
//! rmcp speaks it with `ClientLifecycleMode::Discover` and `Auto`. A result that asks for input, or is a task, does not get to
//! rmcp: a [`Caller`](taskcell::mrtr::Caller) goes on from it, and what that ends with is the answer to rmcp's request.
//! So `peer.call_tool(..)` gives the final result, which in rmcp alone it does not; giving the call up cancels the retry or
//! the task. Inputs of kinds that the handlers do not take are the `ClientHandler`'s, in the same call. A
//! [`mrtr::Server`] around rmcp's `Peer` would have been another way, but then an application
//! would have to make its calls by it, and rmcp's types of results would be between. [`Adapter::calls`] has the bounds.
//!
//! # What is bounded, and what is lost
//!
//! On a stream a line is read up to rmcp's limit of 16 MiB; one that is longer is rmcp's to drop. Over HTTP the limits of the
//! configuration hold. What is for the handlers is bounded by [`Limits::message_size`](taskcell::Limits::message_size) on top, and
//! of what a server asks 4,096 requests are answered at once; what comes then waits where it is.
//!
//! Over stdio all that the handlers get and give is as it was written. Over HTTP their answers are the same JSON in rmcp's types
//! that hold any: an id that these cannot hold, such as 1.5, stays with rmcp, which takes such a request for no message. Plain
//! JSON in answer to a POST is typed already, so an input that it asks for has only the members that rmcp knows. Nothing else
//! can be asked there. A stream of a retry that ends before its answer is not taken up again: the call fails.

mod calls;
mod capabilities;
mod child_process;
mod connection;
mod http;
mod lines;
mod peek;
mod sink;
mod stdio;
mod transport;
mod writer;

use std::io;
use std::sync::Arc;

use process_wrap::tokio::CommandWrap;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::{StreamableHttpClient, StreamableHttpClientTransportConfig};
use tokio::io::{AsyncRead, AsyncWrite};

pub use child_process::ChildProcess;
pub use http::HttpClient;
pub use stdio::Stdio;
pub use transport::Transport;

use connection::{Carrier, Connection};
use taskcell::handlers::HandlerRegistry;
use taskcell::mrtr;
use taskcell::protocol::types::Implementation;
use taskcell::session::SessionOptions;

/// How the session with a server is set up.
type SetUp = Arc<dyn Fn(Implementation) -> SessionOptions + Send + Sync>;

/// Makes transports of rmcp that have handlers beside them. One will do for any number of servers; each has a session of its
/// own. Cloning it is cheap.
#[derive(Clone)]
pub struct Adapter {
    handlers: HandlerRegistry,
    options: SetUp,
    calls: mrtr::Options,
}

impl std::fmt::Debug for Adapter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Adapter").field("handlers", &self.handlers).finish_non_exhaustive()
    }
}

impl Adapter {
    /// An adapter with these handlers, and sessions as [`SessionOptions::new`] has them.
    ///
    /// [`HandlerRegistry`] can be replaced while it is used; a connection declares those that serve when it is made.
    #[must_use]
    pub fn new(handlers: impl Into<HandlerRegistry>) -> Self {
        let handlers = handlers.into();
        Self { handlers, options: Arc::new(SessionOptions::new), calls: mrtr::Options::default() }
    }

    /// Sets up each session by this: whose tasks they are, where they are kept, who is told. It is called with what the
    /// server says that it is; the revision is filled in.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use taskcell::{Handlers, SessionOptions, tasks::MemoryStore};
    /// # use taskcell_rmcp::Adapter;
    /// let store = Arc::new(MemoryStore::new());
    /// let adapter = Adapter::new(Handlers::default()).sessions(move |server| {
    ///     let mut options = SessionOptions::new(server);
    ///     options.store = store.clone();
    ///     options.principal = "the user and the server".to_owned();
    ///     options
    /// });
    /// ```
    #[must_use]
    pub fn sessions(mut self, set_up: impl Fn(Implementation) -> SessionOptions + Send + Sync + 'static) -> Self {
        self.options = Arc::new(set_up);
        self
    }

    /// Sets how calls of revision 2026-07-28 are made in which the server asks: rounds, tasks of the server's.
    /// [`mrtr::Options::client`] is rmcp's to say.
    #[must_use]
    pub fn calls(mut self, options: mrtr::Options) -> Self {
        self.calls = options;
        self
    }

    /// A transport to a server that is read from and written to by lines, as rmcp's for `(read, write)`.
    pub fn stdio<R, W>(&self, read: R, write: W) -> Transport<Stdio<R, W>>
    where
        R: AsyncRead + Send + Unpin + 'static,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        let (connection, for_rmcp) = Connection::new(self.clone(), Carrier::Stream);
        let (stdio, sink) = Stdio::open(read, write, &connection);
        Transport::new(stdio, connection, sink, for_rmcp)
    }

    /// Starts a server as a child process; the transport to it is as rmcp's `TokioChildProcess`. Its stderr is what the command
    /// says, and the application's by default. A server that is started by a launcher, such as npx, is ended with it when the
    /// command is wrapped in `ProcessGroup::leader()` of the crate process-wrap.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn child_process(&self, command: impl Into<CommandWrap>) -> io::Result<Transport<ChildProcess>> {
        let (connection, for_rmcp) = Connection::new(self.clone(), Carrier::Stream);
        let (child, sink) = ChildProcess::start(command.into(), &connection)?;
        Ok(Transport::new(child, connection, sink, for_rmcp))
    }

    /// A transport to a server at a URL, by this client, such as the one of reqwest. It is as rmcp's with the same client and
    /// configuration, whose limits hold.
    pub fn http<C>(
        &self,
        client: C,
        config: StreamableHttpClientTransportConfig,
    ) -> Transport<StreamableHttpClientTransport<HttpClient<C>>>
    where
        C: StreamableHttpClient,
    {
        let (connection, for_rmcp) = Connection::new(self.clone(), Carrier::Http);
        let (client, sink) = HttpClient::open(client, &connection, &config);
        Transport::new(StreamableHttpClientTransport::with_client(client, config), connection, sink, for_rmcp)
    }
}
