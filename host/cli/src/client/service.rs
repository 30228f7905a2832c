//! Service of a server's requests, each handled concurrently.
//!
//! The memory that a server can occupy is bounded: messages read but not started, messages being handled, and responses
//! waiting to be written ([`Outgoing`]).

use std::future::{pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::value::RawValue;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::batch::{self, Batch};
use super::incoming::{Incoming, Sent};
use super::outgoing::Outgoing;
use crate::terminal::Progress;
use taskcell::Session;

use taskcell::protocol::jsonrpc::{self, Message, code};
use taskcell::protocol::types::RpcError;
use taskcell::session::polled;

/// Requests of the server that run at once. Further requests are refused: waiting for a free slot would stop the
/// reader, which must still read cancellations and the response to the program's own request.
const AT_ONCE: u32 = 4_096;
/// Total bytes of the requests that run at once. Further requests are refused, as with [`AT_ONCE`].
const BYTES_AT_ONCE: u32 = 64 << 20;
/// Total bytes of requests that were read and not started, or are being answered. At this bound reading pauses.
const BYTES_AHEAD: u32 = 4 << 20;
/// Requests that are being answered at once: see [`while_heavy`]. Each may hold several copies of a response of
/// megabytes before the queue counts it, so a server that does not read must not have hundreds of them started.
const HEAVY_AT_ONCE: usize = 4;
/// CPU time after which a request that holds at most [`LIGHT`] bytes lets another start. On a busy machine a request
/// may wait for long before it takes any memory, so its age says little.
const SHORT: Duration = Duration::from_millis(20);
/// Age after which such a request lets another start in any case.
const OLD: Duration = Duration::from_secs(1);
/// Bytes of a request and of the memory that its guest took for it, up to which the request counts as light.
const LIGHT: usize = 1 << 20;
/// Bytes that a message counts besides its own length.
const OVERHEAD: u32 = 1 << 10;
/// Time without open requests after which a server counts as quiet. A server that was just initialized sends its first
/// requests 14 to 22 ms later.
const QUIET: Duration = Duration::from_millis(40);
/// Longest time that the server's first requests may delay a call.
const MAX_QUIET: Duration = Duration::from_millis(500);
/// Time to wait for each further request to refuse when the connection ends.
const LAST_LOOK: Duration = Duration::from_millis(20);
/// Total time for refusing requests at the end. A server that does not read, or never stops asking, gets no more.
const REFUSING: Duration = Duration::from_millis(200);

/// Way in which a server asks the client for something.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asks {
    /// By sending requests.
    BySending,
    /// Only in results. [2026-07-28, basic/transports/stdio, Receiving Messages]
    ByResults,
}

/// Classification of a server's message.
enum Routed {
    /// A request with this id.
    Request(Box<RawValue>),
    /// A ping, whose response is small and made at once.
    Ping,
    /// A notification for the session.
    Notification,
    /// A message that is fully handled already.
    Done,
    /// Text that is not a message.
    Broken,
}

/// Handles the requests of one server.
pub(crate) struct Service {
    session: Arc<Session>,
    outgoing: Outgoing,
    asks: Asks,
    progress: Progress,
    /// Number of open requests.
    open: watch::Sender<usize>,
    work: JoinSet<()>,
    places: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    ahead: Arc<Semaphore>,
    heavy: Arc<Semaphore>,
    /// Canceled to refuse all open requests.
    closing: CancellationToken,
}

/// Share of the limits that a request holds until it is answered.
struct RequestPermit {
    _one: OwnedSemaphorePermit,
    bytes: OwnedSemaphorePermit,
    open: watch::Sender<usize>,
}

impl Drop for RequestPermit {
    fn drop(&mut self) {
        self.open.send_modify(|open| *open = open.saturating_sub(1));
    }
}

impl Service {
    pub(crate) fn new(session: Session, outgoing: Outgoing, asks: Asks, progress: Progress) -> Self {
        Self {
            session: Arc::new(session),
            outgoing,
            asks,
            progress,
            open: watch::Sender::new(0),
            work: JoinSet::new(),
            places: Arc::new(Semaphore::new(AT_ONCE as usize)),
            bytes: Arc::new(Semaphore::new(BYTES_AT_ONCE as usize)),
            ahead: Arc::new(Semaphore::new(BYTES_AHEAD as usize)),
            heavy: Arc::new(Semaphore::new(HEAVY_AT_ONCE)),
            closing: CancellationToken::new(),
        }
    }

    /// The session that answers.
    pub(crate) fn session(&self) -> Arc<Session> {
        Arc::clone(&self.session)
    }

    /// Watches the number of open requests of the server.
    pub(crate) fn open(&self) -> watch::Receiver<usize> {
        self.open.subscribe()
    }

    /// Reads the server's messages until its stdout ends.
    ///
    /// # Errors
    /// The errors of [`Incoming::next`].
    pub(crate) async fn serve(&mut self, incoming: &mut Incoming) -> anyhow::Result<()> {
        while let Some(sent) = incoming.next().await? {
            self.take(sent, incoming).await;
            // A server that does not read is not read from.
            self.outgoing.room().await;
        }
        Ok(())
    }

    /// Refuses open requests and those that have just come, and ends the session: unfinished work returns to the store.
    /// Nothing is sent afterwards. What the server still sends is read and discarded until it ends.
    pub(crate) async fn close(mut self, mut incoming: Incoming, ended: bool) {
        self.closing.cancel();
        if !ended {
            let refusing = async {
                while let Ok(Ok(Some(sent))) = timeout(LAST_LOOK, incoming.next()).await {
                    self.take(sent, &mut incoming).await;
                }
                while self.work.join_next().await.is_some() {}
            };
            let _ = timeout(REFUSING, refusing).await;
        }
        self.work.abort_all();
        self.outgoing.finish();
        tokio::spawn(async move { incoming.drain().await });
        self.session.end().await;
    }

    async fn take(&mut self, sent: Sent, incoming: &mut Incoming) {
        match sent {
            Sent::Message(text) => match self.route(&text, incoming) {
                Routed::Request(id) => self.request(text, &id).await,
                // A ping asks whether the program is alive, so it waits for no other request.
                Routed::Ping => self.session.handle_with(text.as_bytes(), |answer| self.outgoing.put(answer)).await,
                // Handled at once: a cancellation must not be late.
                Routed::Notification => self.session.handle(text.as_bytes()).await,
                Routed::Done | Routed::Broken => {}
            },
            Sent::Batch(batch) => self.batch(batch, incoming).await,
        }
    }

    /// Classifies a message, and handles it if it is not for the session.
    fn route(&self, text: &str, incoming: &Incoming) -> Routed {
        let Ok(message) = Message::read_text(text) else { return Routed::Broken };
        let Some(method) = message.method.as_deref() else {
            incoming.response(&message);
            return Routed::Done;
        };
        match (message.id, self.asks) {
            (None, _) => incoming.notification(&message),
            (Some(_), Asks::BySending) if method == "ping" => return Routed::Ping,
            (Some(id), Asks::BySending) => return Routed::Request(id.to_owned()),
            (Some(_), Asks::ByResults) => {
                let said = "which this revision does not allow: there is no response";
                self.progress.line(format!("server asked {method}, {said}"));
            }
        }
        if self.asks == Asks::BySending { Routed::Notification } else { Routed::Done }
    }

    /// Reserves the limits for a request of `bytes` bytes; `None` when they are exhausted.
    fn place(&self, bytes: usize) -> Option<RequestPermit> {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX).saturating_add(OVERHEAD).min(BYTES_AT_ONCE);
        let one = Arc::clone(&self.places).try_acquire_owned().ok()?;
        let bytes = Arc::clone(&self.bytes).try_acquire_many_owned(bytes).ok()?;
        self.open.send_modify(|open| *open = open.saturating_add(1));
        Some(RequestPermit { _one: one, bytes, open: self.open.clone() })
    }

    /// Starts the handling of a request.
    async fn request(&mut self, text: String, id: &RawValue) {
        let Some(place) = self.place(text.len()) else {
            return self.refuse(Some(id), &overloaded()).await;
        };
        let over = RpcError::new(code::INTERNAL_ERROR, "The client is done and closes the connection");
        let refusal = jsonrpc::response::<()>(Some(id), Err(&over));
        let (session, outgoing) = (Arc::clone(&self.session), self.outgoing.clone());
        let answers = outgoing.clone();
        // The answer is queued as soon as it exists, so that other work pauses before it produces more than fits.
        let work = async move { session.handle_with(text.as_bytes(), |answer| answers.put(answer)).await };
        let refuse = async move {
            if let Ok(refusal) = refusal {
                let _ = outgoing.send(refusal).await;
            }
        };
        self.spawn(place, work, refuse).await;
    }

    /// Starts the handling of a batch, which is answered in one array.
    async fn batch(&mut self, Batch(messages): Batch, incoming: &mut Incoming) {
        let empty = messages.is_empty();
        let mut requests = Vec::new();
        for message in messages {
            match self.route(message.get(), incoming) {
                // Text that is not a message is answered with an error.
                Routed::Request(_) | Routed::Ping | Routed::Broken => requests.push(message),
                Routed::Notification => self.session.handle(message.get().as_bytes()).await,
                Routed::Done => {}
            }
        }
        let bytes = requests.iter().map(|request| request.get().len()).sum();
        let Some(place) = (!empty).then(|| self.place(bytes)).flatten() else {
            let error = if empty { RpcError::new(code::INVALID_REQUEST, "An empty batch") } else { overloaded() };
            return self.refuse(None, &error).await;
        };
        if requests.is_empty() {
            return;
        }
        let (session, outgoing) = (Arc::clone(&self.session), self.outgoing.clone());
        let work = async move {
            if let Some(answers) = batch::answer(session, requests).await {
                let _ = outgoing.send(answers).await;
            }
        };
        self.spawn(place, work, async {}).await;
    }

    /// Answers a request with an error of the program's own.
    async fn refuse(&self, id: Option<&RawValue>, error: &RpcError) {
        if let Ok(refusal) = jsonrpc::response::<()>(id, Err(error)) {
            // Sending fails only when the server takes no more messages.
            let _ = self.outgoing.send(refusal).await;
        }
    }

    /// Starts `work`. If the connection ends before the work does, runs `refuse`.
    async fn spawn<W, R>(&mut self, place: RequestPermit, work: W, refuse: R)
    where
        W: Future<Output = ()> + Send + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        while self.work.try_join_next().is_some() {}
        let bytes = place.bytes.num_permits();
        let ahead = u32::try_from(bytes).unwrap_or(u32::MAX).min(BYTES_AHEAD);
        let ahead = Arc::clone(&self.ahead).acquire_many_owned(ahead).await;
        let (outgoing, closing, heavy) = (self.outgoing.clone(), self.closing.clone(), Arc::clone(&self.heavy));
        self.work.spawn(async move {
            let _place = place;
            let worked = async {
                let heavy = heavy.acquire_owned().await;
                outgoing.while_room(pin!(while_heavy(work, bytes, (heavy, ahead)))).await;
            };
            tokio::select! {
                biased;
                () = worked => {}
                () = closing.cancelled() => refuse.await,
            }
        });
    }
}

/// Runs the work of a request of `bytes` bytes. Drops `keeps`, which holds other requests back, as soon as the work is
/// no burden: it waits for something outside the host, or it holds at most [`LIGHT`] bytes after [`SHORT`] or [`OLD`].
async fn while_heavy<F: Future, K>(work: F, bytes: usize, keeps: K) -> F::Output {
    let (mut work, mut old) = (pin!(work), pin!(tokio::time::sleep(OLD)));
    let (mut keeps, mut held, mut computed) = (Some(keeps), bytes, Duration::ZERO);
    poll_fn(|context| {
        if keeps.is_none() {
            return work.as_mut().poll(context);
        }
        let start = cpu_time();
        let (poll, polled) = polled::listen(|| work.as_mut().poll(context));
        computed = computed.saturating_add(cpu_time().saturating_sub(start));
        held = held.saturating_add(polled.grown);
        let long = computed >= SHORT || old.as_mut().poll(context).is_ready();
        if polled.waits_outside || (held <= LIGHT && long) {
            keeps = None;
        }
        poll
    })
    .await
}

/// CPU time of this thread.
#[cfg(unix)]
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// Time since the first call, where threads have no clock of their own.
#[cfg(not(unix))]
fn cpu_time() -> Duration {
    static START: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    START.elapsed()
}

/// The error for a request beyond the limits.
fn overloaded() -> RpcError {
    taskcell::CellError::SessionOverloaded { limit: AT_ONCE }.to_rpc()
}

/// Waits, up to a limit, until the server has sent its first requests and they are answered.
pub(crate) async fn quiet(mut open: watch::Receiver<usize>) {
    let quiet = async {
        loop {
            let waits = *open.borrow_and_update() > 0;
            let changed = open.changed();
            if waits {
                let _ = changed.await;
            } else if timeout(QUIET, changed).await.is_err() {
                return;
            } else if open.has_changed().is_err() {
                // The waiting caller learns of the end by itself.
                pending::<()>().await;
            }
        }
    };
    let _ = timeout(MAX_QUIET, quiet).await;
}
