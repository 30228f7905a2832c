//! Contract of the transports: both sides of the gateway send and receive messages through it.
//!
//! A transport knows frames, not MCP: it splits a stream of bytes into JSON texts and writes them. It looks into a
//! message only where its own rules need that, as streamable HTTP does for ids and the revision. It answers nothing in
//! the name of the other side.

use std::sync::Arc;

use async_trait::async_trait;

/// JSON-RPC message as it came: the bytes of one JSON text, without a line end.
pub type Frame = bytes::Bytes;

/// Sending end of a connection, shared by all tasks that have messages for the other side.
#[async_trait]
pub trait Sender: Send + Sync {
    /// Sends a frame, or queues it in a queue that is bounded in bytes. Waits while there is no room. Frames are sent
    /// in the order of the calls. When the future is dropped before it is done, the frame is sent whole or not at all.
    ///
    /// # Errors
    /// When the connection has ended, in words for people.
    async fn send(&self, frame: Frame) -> Result<(), TransportError>;

    /// Sends what is queued, and then tells the other side that nothing more comes: closes the stdin of a process, ends
    /// a session of HTTP. Returns when that is done, or when the transport's own time for it has passed. What the other
    /// side still sends is received. Further calls do nothing.
    async fn close(&self);
}

/// Receiving end of a connection.
#[async_trait]
pub trait Receiver: Send {
    /// Waits for the next frame; `None` at the end of the connection. Lines that are no messages are dropped and
    /// reported in the transport. Dropping the future loses no frame.
    ///
    /// # Errors
    /// As [`TransportError`] says. After an error that [is final](TransportError::is_final), the connection has ended
    /// and the next call returns `None`.
    async fn next(&mut self) -> Option<Result<Frame, TransportError>>;
}

/// Open connection with one other side: a client, or a server.
///
/// Dropping both ends drops the connection: a process is ended, requests of HTTP are abandoned.
pub struct Connection {
    /// End that takes messages to the other side.
    pub sender: Arc<dyn Sender>,
    /// End that gives messages of the other side.
    pub receiver: Box<dyn Receiver>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

/// Way to one server: a command to start, a URL. The gateway opens it anew after the connection ended.
#[async_trait]
pub trait Connector: Send + Sync {
    /// Opens a connection. `initialize` is the gateway's to send.
    ///
    /// # Errors
    /// When the server cannot be started or reached.
    async fn connect(&self) -> Result<Connection, TransportError>;

    /// Name of the server for people, logs and the audit: its command line or its URL, without secrets.
    fn name(&self) -> &str;
}

/// Error of a connection. Each text is for people and names the remedy where there is one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// A message is longer than the limit, and was skipped. The connection goes on.
    #[error("a message of more than {limit} bytes was skipped")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
        /// First bytes of the message, which may hold its id and its method.
        beginning: Frame,
        /// Last bytes of the message, where some SDKs write the id of a response.
        end: Frame,
    },
    /// A request got no answer, because the exchange that carried it failed. The connection goes on, and other requests
    /// are answered. Only transports that carry each request by itself have this error, as HTTP does.
    #[error("{cause}")]
    NotAnswered {
        /// Id of the request, as it was written.
        id: Frame,
        /// Error of the exchange.
        cause: Box<TransportError>,
    },
    /// The server cannot be started or reached.
    #[error("{0}")]
    Connect(String),
    /// The other side has ended the connection. The text says how, with the last words of a process where there are
    /// some.
    #[error("{0}")]
    Ended(String),
    /// The server does not know the session any more, as after its restart: a new connection has to be opened and
    /// initialized. [2025-11-25, basic/transports, Session Management]
    #[error("the server has ended the session")]
    SessionEnded,
    /// The server refuses to be used with the credentials that it got, or without.
    #[error("{0}")]
    Unauthorized(String),
    /// Reading or writing failed.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

impl TransportError {
    /// Stable word for the error, for logs and metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "message_size",
            Self::NotAnswered { cause, .. } => cause.kind(),
            Self::Connect(_) => "connect",
            Self::Ended(_) => "ended",
            Self::SessionEnded => "session_ended",
            Self::Unauthorized(_) => "unauthorized",
            Self::Io(_) => "io",
        }
    }

    /// Whether the connection has ended with this error.
    pub fn is_final(&self) -> bool {
        !matches!(self, Self::TooLarge { .. } | Self::NotAnswered { .. })
    }
}
