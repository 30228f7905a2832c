//! Handlers beside the `ClientHandler` of an application that uses rmcp.
//!
//! An [`Adapter`] makes transports for rmcp, over stdio and streamable HTTP. A [`Session`](taskcell::Session) answers
//! the server's requests of the kinds that the handlers serve, and the capabilities of the handlers are declared. All
//! other messages pass between rmcp, with the application's `ClientHandler`, and the server. The adapter works below
//! rmcp's types, because they have no `params.task` and no `capabilities.tasks`.
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
//! | message or event | handling |
//! |---|---|
//! | request of a kind that the handlers serve | the session answers; also a request for a task of such a kind |
//! | other request, notification, response | passes to rmcp unchanged |
//! | `notifications/cancelled` | goes to the side that answers the request |
//! | `initialize` | gets the capabilities of the handlers, which win over the application's; others stay |
//! | the service is closed | cells and background work end, and stored work is released |
//! | the service is dropped | the same happens in the background |
//! | the server closes the connection | the service ends, as in rmcp |
//!
//! # Servers of revision 2026-07-28
//!
//! rmcp speaks it with `ClientLifecycleMode::Discover` and `Auto`. A result that asks for input, or is a task, does not
//! reach rmcp: a [`Caller`](taskcell::mrtr::Caller) continues the call, and its outcome is the answer to rmcp's
//! request. So `peer.call_tool(..)` returns the final result, which rmcp alone does not. Dropping the call cancels the
//! retry or the task. The `ClientHandler` answers inputs of kinds that the handlers do not serve, in the same call. A
//! [`mrtr::Server`] around rmcp's `Peer` would be an alternative, but the application would have to make its calls
//! through it, and results would pass through rmcp's types. [`Adapter::calls`] sets the limits.
//!
//! # Limits
//!
//! On a stream a line is read up to rmcp's limit of 16 MiB; rmcp drops a longer one. Over HTTP the limits of the
//! configuration hold. Messages for the handlers are also bounded by
//! [`Limits::message_size`](taskcell::Limits::message_size). At most 4,096 requests of a server are answered
//! concurrently; further ones wait in the transport.
//!
//! Over stdio the handlers get and send messages byte for byte. Over HTTP their answers are the same JSON in those
//! types of rmcp that hold any. An id that these cannot hold, such as 1.5, stays with rmcp, which takes such a request
//! for no message. A plain JSON body in answer to a POST is typed already, so an input that it asks for has only the
//! members that rmcp knows; such a body can ask for nothing else. If the stream of a retry ends before its answer, it
//! is not resumed: the call fails.

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

/// Function that makes the settings of the session with a server.
type SetUp = Arc<dyn Fn(Implementation) -> SessionOptions + Send + Sync>;

/// Factory of rmcp transports with handlers beside them. One adapter serves any number of servers, each with a session
/// of its own. Cloning it is cheap.
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
    /// Creates an adapter with `handlers`, and sessions with the defaults of [`SessionOptions::new`].
    ///
    /// [`HandlerRegistry`] may be replaced at any time; a connection declares the capabilities of those that serve when
    /// it opens.
    #[must_use]
    pub fn new(handlers: impl Into<HandlerRegistry>) -> Self {
        let handlers = handlers.into();
        Self { handlers, options: Arc::new(SessionOptions::new), calls: mrtr::Options::default() }
    }

    /// Sets the function that makes the settings of each session, such as the principal, the store and the observer. It
    /// gets the server's name and version; the adapter fills in the revision.
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

    /// Sets how calls of revision 2026-07-28 are made in which the server asks for input: rounds, tasks of the server.
    /// rmcp sets [`mrtr::Options::client`].
    #[must_use]
    pub fn calls(mut self, options: mrtr::Options) -> Self {
        self.calls = options;
        self
    }

    /// Creates a transport to a server that is read and written by lines, like rmcp's for `(read, write)`.
    pub fn stdio<R, W>(&self, read: R, write: W) -> Transport<Stdio<R, W>>
    where
        R: AsyncRead + Send + Unpin + 'static,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        let (connection, for_rmcp) = Connection::new(self.clone(), Carrier::Stream);
        let (stdio, sink) = Stdio::open(read, write, &connection);
        Transport::new(stdio, connection, sink, for_rmcp)
    }

    /// Starts a server as a child process and creates the transport to it, like rmcp's `TokioChildProcess`. The command
    /// sets its stderr, by default the application's. To end a server with the launcher that starts it, such as npx,
    /// wrap the command in `ProcessGroup::leader()` of the crate process-wrap.
    ///
    /// # Errors
    /// The error of starting the process.
    pub fn child_process(&self, command: impl Into<CommandWrap>) -> io::Result<Transport<ChildProcess>> {
        let (connection, for_rmcp) = Connection::new(self.clone(), Carrier::Stream);
        let (child, sink) = ChildProcess::start(command.into(), &connection)?;
        Ok(Transport::new(child, connection, sink, for_rmcp))
    }

    /// Creates a transport to a server at a URL with `client`, such as that of reqwest. It behaves like rmcp's with the
    /// same client and configuration, whose limits hold.
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
