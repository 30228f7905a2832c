//! Session of one client: which stream each message belongs to.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use http::{HeaderValue, StatusCode};
use serde_json::value::RawValue;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::history::{EventId, History};
use super::refusal::Refusal;
use crate::peek::{self, CancelledParams, Peek, ProgressParams};
use crate::transport::{Connection, Frame, Receiver, Sender, TransportError};

/// Stream of messages that belong to no call: the one that GET opens.
const GENERAL: u64 = 0;
/// Calls of a session that are open at once.
const CALLS: usize = 256;
/// Bytes of messages of the client that the gateway has not taken yet.
const READ_AHEAD: u32 = 4 << 20;
/// Bytes of messages for the client that are not sent yet.
const UNSENT: u32 = 4 << 20;
/// Bytes that a message counts besides its length.
const OVERHEAD: u32 = 128;
/// Time for which either side may wait for room. A session that stands still so long is given up.
const STALLED: Duration = Duration::from_secs(30);

/// Message on its way to the client.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) id: EventId,
    pub(super) frame: Frame,
    /// Whether it is the response that ends its stream.
    pub(super) last: bool,
    /// Share of [`UNSENT`]; none for a message that is sent once more.
    pub(super) _permit: Option<OwnedSemaphorePermit>,
}

/// Session of one client.
pub(super) struct Session {
    pub(super) id: Arc<str>,
    /// Name of the token that the session was opened with.
    pub(super) token: Option<Arc<str>>,
    taken: UnboundedSender<(Frame, OwnedSemaphorePermit)>,
    read_ahead: Arc<Semaphore>,
    unsent: Arc<Semaphore>,
    state: Mutex<State>,
    ended: CancellationToken,
}

struct State {
    /// Streams of open calls by the calls' ids, as the client wrote them.
    calls: HashMap<Box<str>, u64>,
    /// Streams that may still get events. [`GENERAL`] always may.
    streams: BTreeMap<u64, Stream>,
    next: u64,
    history: History,
    used: Instant,
}

#[derive(Default)]
struct Stream {
    /// Number of the newest event.
    number: u64,
    /// Number of the newest event that was handed to a connection.
    handed: u64,
    /// Connection of the client; none before there is one.
    reader: Option<UnboundedSender<Event>>,
    /// Progress token of the call, as the client wrote it.
    progress_token: Option<Box<str>>,
}

impl Stream {
    fn is_read(&self) -> bool {
        self.reader.as_ref().is_some_and(|reader| !reader.is_closed())
    }
}

impl Session {
    /// Opens a session. Returns the gateway's side of it as well.
    pub(super) fn open(id: Arc<str>, token: Option<Arc<str>>) -> (Arc<Self>, Connection) {
        let (taken, queue) = unbounded_channel();
        let state = State {
            calls: HashMap::new(),
            streams: BTreeMap::from([(GENERAL, Stream::default())]),
            next: GENERAL + 1,
            history: History::default(),
            used: Instant::now(),
        };
        let session = Arc::new(Self {
            id,
            token,
            taken,
            read_ahead: Arc::new(Semaphore::new(READ_AHEAD as usize)),
            unsent: Arc::new(Semaphore::new(UNSENT as usize)),
            state: Mutex::new(state),
            ended: CancellationToken::new(),
        });
        let sender = Arc::new(SessionSender(Arc::clone(&session)));
        let receiver = Box::new(SessionReceiver { queue, session: Arc::clone(&session) });
        (session, Connection { sender, receiver })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the session: open streams end after what they have, and later requests find no session.
    pub(super) fn end(&self) {
        self.ended.cancel();
        let mut state = self.state();
        state.calls.clear();
        state.streams.clear();
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.is_cancelled()
    }

    /// Value of the header that names the session; none once it has ended.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        if self.has_ended() { None } else { HeaderValue::from_str(&self.id).ok() }
    }

    /// Whether nobody has used the session for a time: no request, no open call, no connection that reads.
    pub(super) fn is_idle(&self, time: Duration) -> bool {
        let state = self.state();
        state.used.elapsed() >= time && state.calls.is_empty() && !state.streams.values().any(Stream::is_read)
    }

    /// Notes that the session is used.
    ///
    /// # Errors
    /// When the session has ended.
    pub(super) fn touch(&self) -> Result<(), Refusal> {
        if self.has_ended() {
            return Err(ended());
        }
        self.state().used = Instant::now();
        Ok(())
    }

    /// Waits for room for a message of the client.
    ///
    /// # Errors
    /// When the gateway takes nothing for [`STALLED`].
    pub(super) async fn room(&self, frame: &Frame) -> Result<OwnedSemaphorePermit, Refusal> {
        let busy = || Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "the server behind the gateway takes no messages");
        timeout(STALLED, permit(&self.read_ahead, frame, READ_AHEAD)).await.map_err(|_| busy())
    }

    /// Hands a message of the client to the gateway.
    ///
    /// # Errors
    /// When the session has ended.
    pub(super) fn take(&self, frame: Frame, room: OwnedSemaphorePermit) -> Result<(), Refusal> {
        self.taken.send((frame, room)).map_err(|_| ended())
    }

    /// Opens the stream of a call.
    ///
    /// # Errors
    /// When a call with this id is open, or too many are.
    pub(super) fn open_call(
        &self,
        id: &RawValue,
        params: Option<&RawValue>,
    ) -> Result<(EventId, UnboundedReceiver<Event>), Refusal> {
        let (reader, events) = unbounded_channel();
        let mut state = self.state();
        if self.has_ended() {
            return Err(ended());
        }
        if state.calls.contains_key(id.get()) {
            let message = format!("a request with the id {} is open; each needs an id of its own", id.get());
            return Err(Refusal::new(StatusCode::CONFLICT, message).of(id));
        }
        if state.calls.len() >= CALLS {
            let message = format!("{CALLS} requests of this session are open; wait for their responses");
            return Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, message).of(id));
        }
        let number = state.next;
        state.next = number.saturating_add(1);
        let progress_token = peek::progress_token(params).map(|token| token.get().into());
        state.calls.insert(id.get().into(), number);
        state.streams.insert(number, Stream { reader: Some(reader), progress_token, ..Stream::default() });
        Ok((EventId { stream: number, number: 0 }, events))
    }

    /// Ends the stream of a call that the client has canceled: no response has to come.
    /// [2025-11-25, basic/utilities/cancellation]
    pub(super) fn cancel_call(&self, params: Option<&RawValue>) {
        let Some(canceled) = peek::read::<CancelledParams<'_>>(params) else { return };
        let mut state = self.state();
        if let Some(stream) = state.calls.remove(canceled.request_id.get()) {
            state.streams.remove(&stream);
        }
    }

    /// Opens the stream of messages that belong to no call, with those that came while nobody read. An older connection
    /// of that stream ends.
    ///
    /// # Errors
    /// When the session has ended.
    pub(super) fn listen(&self) -> Result<UnboundedReceiver<Event>, Refusal> {
        let handed = self.state().streams.get(&GENERAL).ok_or_else(ended)?.handed;
        // What was forgotten meanwhile is no reason to refuse the rest.
        self.replay(EventId { stream: GENERAL, number: handed }, false)
    }

    /// Opens a stream again after an event that the client has.
    ///
    /// # Errors
    /// When events after it are not kept any more.
    pub(super) fn resume(&self, id: EventId) -> Result<UnboundedReceiver<Event>, Refusal> {
        self.replay(id, true)
    }

    fn replay(&self, id: EventId, whole: bool) -> Result<UnboundedReceiver<Event>, Refusal> {
        let (reader, events) = unbounded_channel();
        let mut state = self.state();
        if self.has_ended() {
            return Err(ended());
        }
        let kept = state.history.after(id);
        // A stream that has ended is known by what is kept of it.
        let reached = state.streams.get(&id.stream).is_some_and(|stream| id.number <= stream.number);
        let known = reached || kept.as_ref().is_some_and(|kept| !kept.is_empty());
        if whole && (kept.is_none() || !known) {
            let message = format!("the events after {id} are not kept any more; send the request again");
            return Err(Refusal::new(StatusCode::BAD_REQUEST, message));
        }
        for kept in kept.unwrap_or_default() {
            // The receiver is at hand.
            let _ = reader.send(Event { id: kept.id, frame: kept.frame, last: kept.last, _permit: None });
        }
        if let Some(stream) = state.streams.get_mut(&id.stream) {
            stream.handed = stream.number;
            stream.reader = Some(reader);
        }
        Ok(events)
    }

    /// Sends a message of the gateway on the stream that it belongs to, and keeps it.
    fn deliver(&self, frame: Frame, permit: OwnedSemaphorePermit) {
        let mut state = self.state();
        let Some((number, last)) = state.stream_of(&frame) else {
            tracing::debug!("a response to a request that is not open was dropped");
            return;
        };
        let Some(stream) = state.streams.get_mut(&number) else { return };
        stream.number = stream.number.saturating_add(1);
        let id = EventId { stream: number, number: stream.number };
        let event = Event { id, frame: frame.clone(), last, _permit: Some(permit) };
        if stream.reader.as_ref().is_some_and(|reader| reader.send(event).is_ok()) {
            stream.handed = id.number;
        }
        if last {
            state.streams.remove(&number);
        }
        state.history.keep(id, frame, last);
    }
}

impl State {
    /// Chooses the stream of a message, and tells whether the message ends it; none for a response that no call waits
    /// for. A response and progress go to their call. Other messages name no call: they go to the only call, else to
    /// the general stream if it is read, else to the newest call that is.
    fn stream_of(&mut self, frame: &Frame) -> Option<(u64, bool)> {
        let other = match Peek::at(frame) {
            Peek::Response { id: Some(id), .. } => return Some((self.calls.remove(id.get())?, true)),
            Peek::Notification { method, params } if method == "notifications/progress" => {
                let progress = peek::read::<ProgressParams<'_>>(params);
                progress.and_then(|progress| self.with_progress_token(progress.progress_token.get()))
            }
            _ => None,
        };
        Some((other.unwrap_or_else(|| self.any_stream()), false))
    }

    fn with_progress_token(&self, token: &str) -> Option<u64> {
        let mut streams = self.streams.iter();
        streams.find(|(_, stream)| stream.progress_token.as_deref() == Some(token)).map(|(number, _)| *number)
    }

    fn any_stream(&self) -> u64 {
        if let (1, Some(only)) = (self.calls.len(), self.calls.values().next()) {
            return *only;
        }
        if self.streams.get(&GENERAL).is_some_and(Stream::is_read) {
            return GENERAL;
        }
        let mut newest = self.streams.iter().rev();
        newest.find(|(_, stream)| stream.is_read()).map_or(GENERAL, |(number, _)| *number)
    }
}

/// Waits for room for a message.
async fn permit(room: &Arc<Semaphore>, frame: &Frame, bound: u32) -> OwnedSemaphorePermit {
    let bytes = u32::try_from(frame.len()).unwrap_or(bound).saturating_add(OVERHEAD).min(bound);
    match Arc::clone(room).acquire_many_owned(bytes).await {
        Ok(permit) => permit,
        // Nobody closes it.
        Err(_) => std::future::pending().await,
    }
}

fn ended() -> Refusal {
    Refusal::new(
        StatusCode::NOT_FOUND,
        "this session has ended; send initialize without Mcp-Session-Id to begin another",
    )
}

/// Messages to a client.
struct SessionSender(Arc<Session>);

#[async_trait]
impl Sender for SessionSender {
    async fn send(&self, frame: Frame) -> Result<(), TransportError> {
        let ended = || TransportError::Ended("the client has ended its session".to_owned());
        let permit = tokio::select! {
            biased;
            () = self.0.ended.cancelled() => return Err(ended()),
            permit = timeout(STALLED, permit(&self.0.unsent, &frame, UNSENT)) => permit,
        };
        match permit {
            Ok(permit) => self.0.deliver(frame, permit),
            Err(_) => {
                self.0.end();
                let text = format!("the client has read nothing for {} s", STALLED.as_secs());
                return Err(TransportError::Ended(text));
            }
        }
        Ok(())
    }

    async fn close(&self) {
        self.0.end();
    }
}

impl Drop for SessionSender {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Messages of a client.
struct SessionReceiver {
    queue: UnboundedReceiver<(Frame, OwnedSemaphorePermit)>,
    session: Arc<Session>,
}

#[async_trait]
impl Receiver for SessionReceiver {
    async fn next(&mut self) -> Option<Result<Frame, TransportError>> {
        tokio::select! {
            biased;
            taken = self.queue.recv() => taken.map(|(frame, _)| Ok(frame)),
            () = self.session.ended.cancelled() => None,
        }
    }
}

impl Drop for SessionReceiver {
    fn drop(&mut self) {
        self.session.end();
    }
}
