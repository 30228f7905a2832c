//! Way of one request: its POST, and whatever carries its answer.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use http::header::{HeaderMap, HeaderValue};
use reqwest::Response;
use serde_json::value::{RawValue, to_raw_value};

use super::channel::Channel;
use super::events::{Arriving, Cursor, Events, is_stream};
use super::failure::{Refusal, error_in};
use super::message::{self, ServerAnswer, Summary};
use super::renew::{body, learn_tools, renew};
use super::session::HttpSession;
use crate::transport::{Frame, TransportError};

/// Time that a stream is read on after its answer, for its end. The connection can be used again then.
const AFTER_ANSWER: Duration = Duration::from_secs(1);
/// Time to find out whether a server speaks the transport before streamable HTTP.
const PROBE_TIME: Duration = Duration::from_secs(3);
/// Connections in a row that may fail before a stream counts as lost.
const ATTEMPTS: u32 = 5;
/// Error of revision 2026-07-28 for headers that do not repeat what the message says.
const HEADER_MISMATCH: i64 = -32020;
/// Request that begins a session.
const INITIALIZE: &str = "initialize";

/// Sends a request, and passes on all that its exchange brings. A failure is passed on as the request's own.
pub(super) async fn run(channel: Arc<Channel>, frame: Frame, about: Summary) {
    let Some(id) = &about.id else { return };
    let (cancel, _opened) = channel.open(message::key(id), about.is_modern());
    let exchange = RequestExchange { channel: &channel, frame: &frame, about: &about, id };
    let ended = tokio::select! {
        biased;
        () = cancel.cancelled() => return,
        ended = exchange.run() => ended,
    };
    if let Err(cause) = ended {
        let id = Frame::from(id.get().to_owned());
        channel.arrivals.error(TransportError::NotAnswered { id, cause: Box::new(cause) }).await;
    }
}

struct RequestExchange<'a> {
    channel: &'a Channel,
    frame: &'a Frame,
    about: &'a Summary,
    id: &'a RawValue,
}

/// Way that a response took.
enum Passed {
    /// Each message was passed on.
    On,
    /// The server refuses the headers, which the list of tools may correct. The answer says so.
    HeaderMismatch(Frame),
    /// The session has ended, and the request can be sent in another.
    SessionEnded,
}

impl RequestExchange<'_> {
    async fn run(&self) -> Result<(), TransportError> {
        let Self { channel, frame, about, .. } = self;
        let _place = channel.places.acquire().await;
        let (mut renewed, mut listed) = (false, false);
        loop {
            let session = channel.sessions.current();
            let parameters = self.parameters();
            let response = channel.post(&session, frame, about, parameters.clone()).await?;
            let in_session = session.id.is_some() && !about.is_modern() && about.method != INITIALIZE;
            let passed = match () {
                () if is_stream(&response) => self.stream(&session, response).await?,
                () if is_json(&response) => self.json(response).await?,
                () => self.refused(response, in_session && !renewed).await?,
            };
            let answer = match passed {
                Passed::On => return Ok(()),
                Passed::SessionEnded => {
                    renew(channel, session.number).await?;
                    renewed = true;
                    continue;
                }
                Passed::HeaderMismatch(answer) => answer,
            };
            if !listed && learn_tools(channel, frame).await.is_ok() && self.parameters() != parameters {
                listed = true;
                continue;
            }
            channel.arrivals.frame(answer).await;
            return Ok(());
        }
    }

    /// Headers that repeat arguments of a call.
    fn parameters(&self) -> HeaderMap {
        match &self.about.name {
            Some(tool) if self.about.is_modern() && self.about.method == "tools/call" => {
                self.channel.parameters.of_call(tool, self.frame)
            }
            _ => HeaderMap::new(),
        }
    }

    /// Reads an answer that is a single JSON text.
    async fn json(&self, response: Response) -> Result<Passed, TransportError> {
        let headers = response.headers().clone();
        let body = body(self.channel, response).await?;
        if !message::is_json(&body) {
            let body = taskcell::text::one_line(&String::from_utf8_lossy(&body), 200);
            return Err(TransportError::Ended(format!("the server's answer cannot be read: it is no JSON: {body:?}")));
        }
        self.answer(message::flat(body), &headers).await
    }

    /// Reads a stream up to its end, and goes on with it on other connections until the answer has come.
    async fn stream(&self, session: &HttpSession, response: Response) -> Result<Passed, TransportError> {
        let channel = self.channel;
        let headers = response.headers().clone();
        let mut events = Events::new(response, channel.limits.message_size);
        let mut cursor = Cursor::default();
        let mut is_answered = false;
        loop {
            let next = events.next(channel, &mut cursor);
            let next = match is_answered {
                true => tokio::time::timeout(AFTER_ANSWER, next).await.unwrap_or(Ok(None)),
                false => next.await,
            };
            match next {
                Ok(Some(Arriving::Message(frame))) if is_answered => channel.arrivals.frame(frame).await,
                Ok(Some(Arriving::Message(frame))) => {
                    is_answered = ServerAnswer::read(&frame, self.id).is_some();
                    if let mismatch @ Passed::HeaderMismatch(_) = self.answer(frame, &headers).await? {
                        return Ok(mismatch);
                    }
                }
                Ok(Some(Arriving::TooLarge(beginning))) => {
                    let is_answer = !beginning.windows(8).any(|part| part == b"\"method\"");
                    let error =
                        TransportError::TooLarge { limit: channel.limits.message_size, beginning, end: Frame::new() };
                    if is_answer && !is_answered {
                        return Err(error);
                    }
                    channel.arrivals.error(error).await;
                }
                _ if is_answered => return Ok(Passed::On),
                ended => {
                    let why = ended.err().map_or_else(|| "the server's stream ended".to_owned(), |why| why.to_string());
                    events = self.resumed(session, &mut cursor, why).await?;
                }
            }
        }
    }

    /// Connects again to a stream that broke off before the answer. [2025-11-25, basic/transports, Resumability and
    /// Redelivery]
    async fn resumed(&self, session: &HttpSession, cursor: &mut Cursor, why: String) -> Result<Events, TransportError> {
        let channel = self.channel;
        loop {
            // Revision 2026-07-28 has no resumption.
            let Some(last) = cursor.last.clone().filter(|_| !self.about.is_modern()) else {
                return Err(TransportError::Ended(format!("{why} before {} was answered", self.about.method)));
            };
            if cursor.wait().await > ATTEMPTS {
                return Err(TransportError::Ended(format!(
                    "{why} before {} was answered, and {ATTEMPTS} connections brought nothing more of it",
                    self.about.method
                )));
            }
            match channel.get(session, Some(&last)).await {
                Ok(response) if is_stream(&response) => {
                    return Ok(Events::new(response, channel.limits.message_size));
                }
                Ok(response) if response.status().is_server_error() => {}
                Ok(response) => {
                    let refusal = Refusal::read(response).await;
                    if session.id.is_some() && refusal.ends_session() {
                        renew(channel, session.number).await?;
                        let method = &self.about.method;
                        let text = format!("the server ended the session before {method} was answered");
                        return Err(TransportError::Ended(text));
                    }
                    let refusal = refusal.error(&channel.endpoint);
                    return Err(TransportError::Ended(format!(
                        "{why} before {} was answered, and it cannot be resumed: {refusal}",
                        self.about.method
                    )));
                }
                // The server may be starting again.
                Err(error) => tracing::debug!(%error, "a stream could not be resumed"),
            }
        }
    }

    /// Passes on a message of the exchange, after the transport has read its own part of an answer.
    async fn answer(&self, frame: Frame, headers: &HeaderMap) -> Result<Passed, TransportError> {
        let Self { channel, about, id, .. } = self;
        let reads = about.method == INITIALIZE || about.is_modern();
        let Some(answered) = reads.then(|| ServerAnswer::read(&frame, id)).flatten() else {
            channel.arrivals.frame(frame).await;
            return Ok(Passed::On);
        };
        let mut frame = frame;
        match (&answered.result, about.method.as_str()) {
            (Some(result), INITIALIZE) => channel.sessions.begin(self.frame.clone(), headers, result),
            (Some(result), "tools/list") => {
                if let Some(result) = channel.parameters.learn(result).and_then(|result| to_raw_value(&result).ok()) {
                    frame = message::response(id, &result);
                }
            }
            (None, "tools/call") if answered.code() == Some(HEADER_MISMATCH) => {
                return Ok(Passed::HeaderMismatch(frame));
            }
            _ => {}
        }
        channel.arrivals.frame(frame).await;
        Ok(Passed::On)
    }

    /// Reads a response that is no answer: an error of JSON-RPC is passed on as the request's, anything else fails it.
    async fn refused(&self, response: Response, may_renew: bool) -> Result<Passed, TransportError> {
        let channel = self.channel;
        if response.status() == StatusCode::ACCEPTED {
            let method = &self.about.method;
            return Err(TransportError::Ended(format!("the server took {method} and does not answer it")));
        }
        let refusal = Refusal::read(response).await;
        if may_renew && refusal.ends_session() {
            return Ok(Passed::SessionEnded);
        }
        let wants_credentials = refusal.status == StatusCode::UNAUTHORIZED;
        if let Some(error) = error_in(&refusal.body).filter(|_| !wants_credentials) {
            return self.answer(message::refusal(self.id, &error), &HeaderMap::new()).await;
        }
        if self.about.method == INITIALIZE && refusal.may_be_of_http_and_sse() && self.is_http_and_sse().await {
            return Err(TransportError::Connect(format!(
                "{} speaks HTTP+SSE, the transport before streamable HTTP, which this program does not: \
                 ask for the server's URL of streamable HTTP, or put `mcp-remote` in between",
                channel.endpoint.name()
            )));
        }
        Err(refusal.error(&channel.endpoint))
    }

    /// Whether the server speaks the transport of 2024-11-05, whose streams begin with the event `endpoint`.
    /// [2025-11-25, basic/transports, Backwards Compatibility]
    async fn is_http_and_sse(&self) -> bool {
        let probe = async {
            let response = self.channel.get(&HttpSession::default(), None::<&HeaderValue>).await.ok()?;
            let is_stream = is_stream(&response);
            let mut response = response;
            let begin = response.chunk().await.ok()??;
            let text = String::from_utf8_lossy(&begin).into_owned();
            Some(
                is_stream
                    && text
                        .lines()
                        .any(|line| line.trim_end() == "event: endpoint" || line.trim_end() == "event:endpoint"),
            )
        };
        tokio::time::timeout(PROBE_TIME, probe).await.ok().flatten().unwrap_or(false)
    }
}

/// Whether a response is an answer as a single JSON text. The body of a 202 is none.
fn is_json(response: &Response) -> bool {
    let kind = response.headers().get(http::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default();
    let is_answer = response.status().is_success() && response.status() != StatusCode::ACCEPTED;
    is_answer && kind.trim().eq_ignore_ascii_case("application/json")
}
