//! Streamable HTTP towards clients: each session of a client becomes a [`Connection`].
//! [2025-11-25, basic/transports, Streamable HTTP]
//!
//! A request passes `guard` first, which knows hosts, origins and tokens. `routes` has a function for each method
//! of HTTP, `session` what a client has open, and `history` the events that a client may ask for again.

mod body;
mod guard;
mod history;
mod refusal;
mod routes;
mod session;
mod sse;
mod token;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{interval, sleep};
use tokio_util::task::AbortOnDropHandle;

use crate::transport::Connection;
use guard::Guard;
use session::Session;

pub use token::{Token, TokenError};

/// Connections of TCP that are open at once. Further ones wait in the queue of the operating system.
const CONNECTIONS: usize = 4_096;
/// Time for the head of a request.
const HEAD: Duration = Duration::from_secs(10);
/// Bytes of bodies that are read at once, over all sessions. Further requests wait.
const BODIES: u32 = 64 << 20;
/// Pause after the operating system has refused a connection, as it does when files run out.
const REFUSED: Duration = Duration::from_millis(100);

/// Settings of an [`HttpServer`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct HttpServerOptions {
    /// Address to listen on. Port 0 lets the operating system choose one.
    pub address: SocketAddr,
    /// Whether an address that other machines reach is allowed. Tokens are required there.
    pub allow_remote: bool,
    /// Tokens of the clients. Without any, every client that reaches the address is served.
    pub tokens: Vec<Token>,
    /// Names in `Host` and `Origin` beside the loopback forms `localhost`, `127.0.0.1` and `[::1]`.
    pub hosts: Vec<String>,
    /// Bound of one message in bytes.
    pub message_size: usize,
    /// Bound of the open sessions of one principal.
    pub sessions: usize,
    /// Time without a request after which a session ends.
    pub idle: Duration,
}

impl HttpServerOptions {
    /// Returns the default settings for an address: no tokens, 16 MiB for a message, 1,024 sessions, 30 minutes.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            allow_remote: false,
            tokens: Vec::new(),
            hosts: Vec::new(),
            message_size: 16 << 20,
            sessions: 1_024,
            idle: Duration::from_secs(30 * 60),
        }
    }
}

/// Error of [`HttpServer::bind`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// Other machines reach the address, and that was not allowed.
    #[error("{0} can be reached from other machines; listen on 127.0.0.1, or allow it and set a token")]
    Remote(SocketAddr),
    /// Other machines reach the address, and there is no token.
    #[error("{0} can be reached from other machines, so clients need a token; set one")]
    NoToken(SocketAddr),
    /// The address cannot be had.
    #[error("cannot listen on {0}: {1}")]
    Io(SocketAddr, #[source] std::io::Error),
}

impl ListenError {
    /// Stable word for the error, for logs and metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Remote(_) => "remote_address",
            Self::NoToken(_) => "no_token",
            Self::Io(..) => "listen",
        }
    }
}

/// Session that a client has begun.
#[derive(Debug)]
pub struct Accepted {
    /// Messages of the client and to it.
    pub connection: Connection,
    /// Name of the token that the client showed; none where tokens are not asked for. Each is a principal of its own.
    pub token: Option<Arc<str>>,
}

/// Server of streamable HTTP. Dropping it ends all sessions.
pub struct HttpServer {
    accepted: mpsc::Receiver<Accepted>,
    address: SocketAddr,
    shared: Arc<Shared>,
    _listening: AbortOnDropHandle<()>,
    _expiring: AbortOnDropHandle<()>,
}

impl HttpServer {
    /// Listens on an address.
    ///
    /// # Errors
    /// When the address can be reached from elsewhere without leave or without a token, or cannot be had.
    pub async fn bind(options: HttpServerOptions) -> Result<Self, ListenError> {
        let address = options.address;
        if !address.ip().is_loopback() {
            if !options.allow_remote {
                return Err(ListenError::Remote(address));
            }
            if options.tokens.is_empty() {
                return Err(ListenError::NoToken(address));
            }
        }
        let listener = TcpListener::bind(address).await.map_err(|error| ListenError::Io(address, error))?;
        let address = listener.local_addr().map_err(|error| ListenError::Io(address, error))?;
        let (opened, accepted) = mpsc::channel(1);
        let shared = Arc::new(Shared {
            guard: Guard::new(&options),
            sessions: Mutex::default(),
            opened,
            bodies: Semaphore::new(BODIES as usize),
            options,
        });
        let expiring = tokio::spawn(expire(Arc::clone(&shared)));
        let listening = tokio::spawn(listen(listener, Arc::clone(&shared)));
        let (listening, expiring) = (AbortOnDropHandle::new(listening), AbortOnDropHandle::new(expiring));
        Ok(Self { accepted, address, shared, _listening: listening, _expiring: expiring })
    }

    /// Address that is listened on, with the port that was chosen.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits for the next session. Its first message is the client's `initialize`.
    pub async fn accept(&mut self) -> Option<Accepted> {
        self.accepted.recv().await
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        // Connections of clients may outlive the server for a while.
        self.accepted.close();
        self.shared.sessions().drain().for_each(|(_, session)| session.end());
    }
}

impl std::fmt::Debug for HttpServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpServer").field("address", &self.address).finish_non_exhaustive()
    }
}

/// State that the connections of a server share.
struct Shared {
    options: HttpServerOptions,
    guard: Guard,
    /// Open sessions by their ids.
    sessions: Mutex<HashMap<Arc<str>, Arc<Session>>>,
    opened: mpsc::Sender<Accepted>,
    /// Bytes of bodies that may still be read.
    bodies: Semaphore,
}

impl Shared {
    fn sessions(&self) -> std::sync::MutexGuard<'_, HashMap<Arc<str>, Arc<Session>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends sessions that nobody uses, and forgets those that have ended.
async fn expire(shared: Arc<Shared>) {
    let mut ticks = interval((shared.options.idle / 8).clamp(Duration::from_millis(10), Duration::from_secs(60)));
    loop {
        ticks.tick().await;
        shared.sessions().retain(|_, session| {
            if session.is_idle(shared.options.idle) {
                session.end();
            }
            !session.has_ended()
        });
    }
}

async fn listen(listener: TcpListener, shared: Arc<Shared>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(serve(stream, Arc::clone(&shared), place))),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(REFUSED).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>, _place: OwnedSemaphorePermit) {
    // Small messages are sent at once; a socket that cannot be told so still works.
    let _ = stream.set_nodelay(true);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD).max_headers(64).max_buf_size(32 << 10);
    let service = service_fn(|request| routes::respond(Arc::clone(&shared), request));
    if let Err(error) = http.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "a connection broke");
    }
}
