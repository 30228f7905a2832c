//! Streamable HTTP towards a server, of raw messages: the transport of revisions 2025-03-26 to 2025-11-25, with
//! sessions, and that of 2026-07-28, without. [2025-11-25, basic/transports; 2026-07-28,
//! basic/transports/streamable-http]
//!
//! Messages go out as they were written. The transport reads of them what its headers repeat, keeps the session and the
//! agreed revision, goes on with streams that broke off, and begins another session where the server ended one. Which
//! revision a message is of follows from its `_meta`.
//!
//! An exchange that fails fails its request alone: [`TransportError::NotAnswered`].

mod arrivals;
mod channel;
mod driver;
mod events;
mod exchange;
mod failure;
mod headers;
mod listen;
mod message;
mod params;
mod renew;
mod session;
mod sse;
mod target;

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};

pub use target::{ConnectionLimits, Credentials, Endpoint, TargetError};

use crate::transport::{Connection, Connector, Frame, Receiver, Sender, TransportError};
use arrivals::Arrived;
use channel::Channel;
use driver::Queued;

/// Bytes of messages on their way to the server; further ones wait.
const MAX_QUEUED: usize = 10 << 20;
/// Bytes that a message counts besides its own length.
const OVERHEAD: usize = 1 << 10;

/// Way to a server that is reached by a URL.
#[derive(Debug)]
pub struct HttpConnector {
    endpoint: Endpoint,
    credentials: Credentials,
    limits: ConnectionLimits,
    name: String,
}

impl HttpConnector {
    /// Creates the way to `endpoint`. Unless `insecure` allows it, credentials go by TLS or stay on this machine.
    ///
    /// # Errors
    /// [`TargetError::Insecure`] when credentials would cross the network in clear text.
    pub fn new(
        endpoint: Endpoint,
        credentials: Credentials,
        limits: ConnectionLimits,
        insecure: bool,
    ) -> Result<Self, TargetError> {
        target::check(&endpoint, &credentials, insecure)?;
        let name = endpoint.name();
        Ok(Self { endpoint, credentials, limits, name })
    }
}

#[async_trait]
impl Connector for HttpConnector {
    async fn connect(&self) -> Result<Connection, TransportError> {
        let (arrivals, arrived) = arrivals::queue(self.limits.message_size);
        let (endpoint, credentials) = (self.endpoint.clone(), self.credentials.clone());
        let channel = Channel::new(endpoint, credentials, self.limits.clone(), arrivals)?;
        let (queue, queued) = mpsc::unbounded_channel();
        let alive = CancellationToken::new();
        tokio::spawn(driver::drive(Arc::new(channel), queued, alive.clone()));
        let guard = Arc::new(alive.drop_guard());
        let sender = HttpSender { queue, room: Arc::new(Semaphore::new(MAX_QUEUED)), _alive: Arc::clone(&guard) };
        Ok(Connection { sender: Arc::new(sender), receiver: Box::new(HttpReceiver { arrived, _alive: guard }) })
    }

    fn name(&self) -> &str {
        &self.name
    }
}

struct HttpSender {
    queue: mpsc::UnboundedSender<Queued>,
    room: Arc<Semaphore>,
    _alive: Arc<DropGuard>,
}

#[async_trait]
impl Sender for HttpSender {
    async fn send(&self, frame: Frame) -> Result<(), TransportError> {
        let ended = || TransportError::Ended("the connection has ended".to_owned());
        let bytes = u32::try_from(frame.len().saturating_add(OVERHEAD).min(MAX_QUEUED)).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).acquire_many_owned(bytes).await.map_err(|_| ended())?;
        self.queue.send(Queued::Frame(frame, room)).map_err(|_| ended())
    }

    async fn close(&self) {
        let (done, is_done) = oneshot::channel();
        if self.queue.send(Queued::Close(done)).is_ok() {
            let _ = is_done.await;
        }
    }
}

struct HttpReceiver {
    arrived: Arrived,
    _alive: Arc<DropGuard>,
}

#[async_trait]
impl Receiver for HttpReceiver {
    async fn next(&mut self) -> Option<Result<Frame, TransportError>> {
        self.arrived.next().await
    }
}
