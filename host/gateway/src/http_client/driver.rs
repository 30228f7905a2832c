//! Dispatch of the messages to the server: each request has an exchange of its own, all else goes in order.

use std::sync::Arc;
use std::time::Duration;

use http::header::HeaderMap;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::channel::Channel;
use super::exchange;
use super::failure::Refusal;
use super::listen::{self, Listening};
use super::message::{self, Summary};
use super::renew::renew;
use crate::transport::{Frame, TransportError};

/// Time for a message that has no answer.
const TIME: Duration = Duration::from_secs(30);
/// Time that the server's own stream may take before the server is told that the client is initialized.
const LISTEN_TIME: Duration = Duration::from_millis(250);
/// Time for the last messages at the end of a connection, and for ending its session.
const LAST_TIME: Duration = Duration::from_millis(1_500);
/// Notification after which a server may ask.
const INITIALIZED: &str = "notifications/initialized";

/// Entry of the queue to the server.
pub(super) enum Queued {
    /// A message, with its share of the queue's room.
    Frame(Frame, OwnedSemaphorePermit),
    /// The end of the connection; tells when it is done.
    Close(oneshot::Sender<()>),
}

/// A message without an answer, on its way.
type Waiting = (Frame, Summary, OwnedSemaphorePermit);

/// Sends what is queued until the queue ends, or `alive` is canceled.
pub(super) async fn drive(channel: Arc<Channel>, queued: mpsc::UnboundedReceiver<Queued>, alive: CancellationToken) {
    tokio::select! {
        () = alive.cancelled() => {}
        () = send_all(channel, queued) => {}
    }
}

async fn send_all(channel: Arc<Channel>, mut queued: mpsc::UnboundedReceiver<Queued>) {
    let (settled, listening) = watch::channel(Listening::Pending);
    let mut exchanges = JoinSet::new();
    exchanges.spawn(listen::run(Arc::clone(&channel), settled));
    let (in_order, waiting) = mpsc::unbounded_channel();
    let mut ordered = JoinSet::new();
    ordered.spawn(send_in_order(Arc::clone(&channel), waiting));
    while let Some(next) = queued.recv().await {
        while exchanges.try_join_next().is_some() {}
        let (frame, room) = match next {
            Queued::Frame(frame, room) => (frame, room),
            Queued::Close(done) => {
                drop(in_order);
                let _ = timeout(LAST_TIME, ordered.join_next()).await;
                exchanges.shutdown().await;
                let _ = timeout(LAST_TIME, channel.delete()).await;
                // The sender may have stopped waiting.
                let _ = done.send(());
                return;
            }
        };
        let about = Summary::read(&frame);
        if about.id.is_some() {
            let channel = Arc::clone(&channel);
            exchanges.spawn(async move {
                let _room = room;
                exchange::run(channel, frame, about).await;
            });
        } else if about.method == INITIALIZED {
            initialized(&channel, frame, about, listening.clone()).await;
        } else if !about.cancels.as_deref().is_some_and(|id| channel.cancel(&message::key(id))) {
            // The task ends with this function only.
            let _ = in_order.send((frame, about, room));
        }
    }
}

/// Tells the server that the client is initialized. Messages after this one wait, because the server refuses requests
/// before it. Its own stream is opened first: a server may ask at once, and SDKs drop what they have no stream for.
async fn initialized(channel: &Channel, frame: Frame, about: Summary, mut listening: watch::Receiver<Listening>) {
    let number = channel.sessions.current().number;
    channel.listen.send_replace(Some(number));
    let _ = timeout(LISTEN_TIME, listening.wait_for(|listening| *listening != Listening::Pending)).await;
    told(channel, &frame, &about).await;
    let is_refused = *listening.borrow() == Listening::Refused;
    if is_refused {
        channel.listen.send_replace(Some(number));
    }
}

/// Sends messages one after the other: progress before the answer, a cancellation after it.
async fn send_in_order(channel: Arc<Channel>, mut waiting: mpsc::UnboundedReceiver<Waiting>) {
    while let Some((frame, about, _room)) = waiting.recv().await {
        told(&channel, &frame, &about).await;
    }
}

/// Sends a message that has no answer. A failure has nobody to go to but the log.
async fn told(channel: &Channel, frame: &Frame, about: &Summary) {
    let message = if about.method.is_empty() { "a response" } else { &about.method };
    let error = match timeout(TIME, tell(channel, frame, about)).await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("it was not taken within {} s", TIME.as_secs()),
    };
    tracing::warn!(message, error, "the server does not take a message");
}

async fn tell(channel: &Channel, frame: &Frame, about: &Summary) -> Result<(), TransportError> {
    let session = channel.sessions.current();
    let response = channel.post(&session, frame, about, HeaderMap::new()).await?;
    if response.status().is_success() {
        return Ok(());
    }
    let refusal = Refusal::read(response).await;
    if session.id.is_none() || about.is_modern() || !refusal.ends_session() {
        return Err(refusal.error(&channel.endpoint));
    }
    renew(channel, session.number).await?;
    if about.method.is_empty() {
        // The request that it answers went with its session.
        return Ok(());
    }
    let response = channel.post(&channel.sessions.current(), frame, about, HeaderMap::new()).await?;
    match response.status().is_success() {
        true => Ok(()),
        false => Err(Refusal::read(response).await.error(&channel.endpoint)),
    }
}
