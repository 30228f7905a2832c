//! Stream by which a server of revisions before 2026-07-28 sends what belongs to no request. [2025-11-25,
//! basic/transports, Listening for Messages from the Server]

use std::sync::Arc;

use http::StatusCode;
use tokio::sync::watch;

use super::channel::Channel;
use super::events::{Arriving, Cursor, Events, is_stream};
use super::failure::Refusal;
use super::renew::renew;
use crate::transport::{Frame, TransportError};

/// Outcome of the attempt to listen to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listening {
    /// There is none yet.
    Pending,
    /// The stream is open, or the server says that it has none.
    Settled,
    /// The server refused the stream for another reason.
    Refused,
}

/// Listens to each session whose number is put in `channel.listen`. Tells in `settled` how that went.
pub(super) async fn run(channel: Arc<Channel>, settled: watch::Sender<Listening>) {
    let mut listen = channel.listen.subscribe();
    loop {
        let number = *listen.borrow_and_update();
        let of_session = async {
            if let Some(number) = number {
                session(&channel, number, &settled).await;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            changed = listen.changed() => if changed.is_err() { return },
            () = of_session => {}
        }
    }
}

/// Listens to a session until the server has no stream for it.
async fn session(channel: &Channel, number: u64, settled: &watch::Sender<Listening>) {
    let (mut cursor, mut had_stream) = (Cursor::default(), false);
    loop {
        let session = channel.sessions.current();
        match channel.get(&session, cursor.last.as_ref()).await {
            Ok(response) if is_stream(&response) => {
                settled.send_replace(Listening::Settled);
                had_stream = true;
                pass_on(channel, Events::new(response, channel.limits.message_size), &mut cursor).await;
            }
            Ok(response) if response.status().is_server_error() => {}
            Ok(response) if response.status() == StatusCode::METHOD_NOT_ALLOWED => {
                settled.send_replace(Listening::Settled);
                return;
            }
            Ok(response) => {
                let refusal = Refusal::read(response).await;
                // A session that never had a stream is found ended by its next message.
                if had_stream && session.id.is_some() && refusal.ends_session() {
                    if let Err(error) = renew(channel, number).await {
                        tracing::warn!(%error, "the server ended the session, and begins no other");
                    }
                    return;
                }
                let error = refusal.error(&channel.endpoint);
                tracing::debug!(%error, "the server refuses the stream of the session");
                settled.send_replace(Listening::Refused);
                return;
            }
            Err(error) => tracing::debug!(%error, "the stream of the session is not there"),
        }
        cursor.wait().await;
    }
}

async fn pass_on(channel: &Channel, mut events: Events, cursor: &mut Cursor) {
    loop {
        match events.next(channel, cursor).await {
            Ok(Some(Arriving::Message(frame))) => channel.arrivals.frame(frame).await,
            Ok(Some(Arriving::TooLarge(beginning))) => {
                let limit = channel.limits.message_size;
                channel.arrivals.error(TransportError::TooLarge { limit, beginning, end: Frame::new() }).await;
            }
            Ok(None) => return,
            Err(error) => {
                tracing::debug!(%error, "the stream of the session broke off");
                return;
            }
        }
    }
}
