//! Streams of events, and their resumption. [2025-11-25, basic/transports, Resumability and Redelivery]

use std::collections::VecDeque;
use std::time::Duration;

use http::header::{CONTENT_TYPE, HeaderValue};
use reqwest::Response;

use super::channel::Channel;
use super::headers::EVENTS;
use super::message;
use super::sse::{Event, Parser, Piece};
use crate::transport::{Frame, TransportError};

/// Wait before a new connection where the server names none, and the bounds of one that it names.
const WAIT: Duration = Duration::from_secs(1);
const LEAST_WAIT: Duration = Duration::from_millis(20);
const LONGEST_WAIT: Duration = Duration::from_secs(5 * 60);
/// Longest wait after failures, which double it.
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);
/// Events without a message that are told of.
const TOLD: u64 = 5;

/// Stream of events, as one response carries it.
pub(super) struct Events {
    response: Response,
    parser: Parser,
    pieces: VecDeque<Piece>,
}

/// Message of a stream.
#[derive(Debug)]
pub(super) enum Arriving {
    /// A JSON text.
    Message(Frame),
    /// A message above the limit, by its first bytes.
    TooLarge(Frame),
}

/// Place in a stream, from which another connection goes on.
#[derive(Debug, Default)]
pub(super) struct Cursor {
    /// Id of the last event.
    pub(super) last: Option<HeaderValue>,
    retry: Option<Duration>,
    /// Connections without an event since the last one that had some.
    failures: u32,
    /// Events so far that were no messages.
    foreign: u64,
}

/// Whether a response is a stream of events.
pub(super) fn is_stream(response: &Response) -> bool {
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    response.status().is_success() && kind.eq_ignore_ascii_case(EVENTS)
}

impl Events {
    /// Reads a response as a stream whose messages have at most `max` bytes.
    pub(super) fn new(response: Response, max: usize) -> Self {
        Self { response, parser: Parser::new(max), pieces: VecDeque::new() }
    }

    /// Returns the next message of the stream; `None` at its end. Notes in `cursor` what passed.
    ///
    /// # Errors
    /// When the connection breaks off.
    pub(super) async fn next(
        &mut self,
        channel: &Channel,
        cursor: &mut Cursor,
    ) -> Result<Option<Arriving>, TransportError> {
        loop {
            while let Some(piece) = self.pieces.pop_front() {
                match piece {
                    Piece::TooLarge(beginning) => return Ok(Some(Arriving::TooLarge(beginning))),
                    Piece::Event(event) => {
                        if let Some(message) = cursor.pass(event) {
                            return Ok(Some(Arriving::Message(message)));
                        }
                    }
                }
            }
            match self.response.chunk().await {
                Ok(Some(chunk)) => self.parser.read(&chunk, &mut self.pieces),
                Ok(None) => return Ok(None),
                Err(error) => return Err(channel.broken(&error)),
            }
        }
    }
}

impl Cursor {
    /// Moves over an event, and returns its message if it has one.
    fn pass(&mut self, event: Event) -> Option<Frame> {
        self.failures = 0;
        if let Some(id) = event.id {
            // An empty id takes the last one back.
            self.last = HeaderValue::try_from(id).ok().filter(|id| !id.is_empty());
        }
        if let Some(retry) = event.retry {
            self.retry = Some(Duration::from_millis(retry).clamp(LEAST_WAIT, LONGEST_WAIT));
        }
        // An event without data only tells where the stream is.
        let data = event.data.filter(|data| event.name.is_none() && !data.is_empty())?;
        if message::is_json(&data) {
            return Some(message::flat(data));
        }
        self.foreign = self.foreign.saturating_add(1);
        if self.foreign <= TOLD {
            let event = taskcell::text::one_line(&String::from_utf8_lossy(&data), 100);
            tracing::warn!(event, "an event of the server is no MCP and is skipped");
        }
        None
    }

    /// Waits before the next connection: as long as the server wants, and longer after each failure. Returns the number
    /// of connections in a row that brought nothing.
    pub(super) async fn wait(&mut self) -> u32 {
        let wait = self.retry.unwrap_or(WAIT);
        let backoff = wait.saturating_mul(1 << self.failures.min(10)).min(LONGEST_BACKOFF);
        tokio::time::sleep(backoff.max(wait)).await;
        self.failures = self.failures.saturating_add(1);
        self.failures
    }
}
