//! Methods of HTTP at the endpoint `/mcp`: POST takes a message, GET opens a stream, DELETE ends a session.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use serde_json::json;
use serde_json::value::RawValue;
use taskcell::protocol::code;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout;

use super::body::{Body, empty, with_type};
use super::guard::{self, one};
use super::history::EventId;
use super::refusal::Refusal;
use super::session::{Event, Session};
use super::{Accepted, Shared, sse};
use crate::peek::Peek;
use crate::transport::Frame;

/// Revisions that this transport serves; later ones have no sessions.
const REVISIONS: [&str; 3] = ["2025-03-26", "2025-06-18", "2025-11-25"];
/// Revision of a request without the header. [2025-11-25, basic/transports, Protocol Version Header]
const DEFAULT_REVISION: &str = "2025-03-26";
/// First revision whose clients know an event without data.
const OPENING_SINCE: &str = "2025-11-25";
/// Error code of a revision that is not served. [2026-07-28, basic/lifecycle]
const UNSUPPORTED_REVISION: i32 = -32_022;
/// Time for the body of a request.
const BODY: Duration = Duration::from_secs(30);
/// Time for which a response is waited for before a stream is opened. A response that comes sooner is a JSON text, and
/// costs less on both sides.
const PLAIN: Duration = Duration::from_millis(500);

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const REVISION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const LAST_EVENT: HeaderName = HeaderName::from_static("last-event-id");

/// Responds to a request.
pub(super) async fn respond(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let (head, body) = request.into_parts();
    Ok(routed(&shared, &head, body).await.unwrap_or_else(Refusal::into_response))
}

async fn routed(shared: &Shared, head: &Parts, body: Incoming) -> Result<Response<Body>, Refusal> {
    let token = shared.guard.check(head)?;
    if !guard::is_endpoint(&head.uri) {
        return Err(Refusal::new(StatusCode::NOT_FOUND, "the endpoint of MCP is /mcp"));
    }
    let revision = revision(&head.headers)?;
    match head.method {
        Method::POST => post(shared, head, body, token, revision).await,
        Method::GET => get(shared, head, token, revision),
        Method::DELETE => {
            session(shared, &head.headers, token.as_ref())?.end();
            Ok(empty(StatusCode::NO_CONTENT))
        }
        _ => Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "use POST, GET or DELETE")),
    }
}

async fn post(
    shared: &Shared,
    head: &Parts,
    body: Incoming,
    token: Option<Arc<str>>,
    revision: &str,
) -> Result<Response<Body>, Refusal> {
    let is_json = one(&head.headers, CONTENT_TYPE)?.is_some_and(|value| essence(value) == "application/json");
    if !is_json {
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Content-Type must be application/json"));
    }
    accepts(&head.headers, &["application/json", "text/event-stream"])?;
    let share = u32::try_from(shared.options.message_size).unwrap_or(u32::MAX).min(super::BODIES);
    // Held until the session has taken the message, so that a session that takes none costs others no memory.
    let _share = shared.bodies.acquire_many(share.min(body_hint(&head.headers))).await;
    let frame = read(body, shared.options.message_size).await?;
    match Peek::at(&frame) {
        Peek::Request { id, method, params } => {
            let is_first = method == "initialize" && !head.headers.contains_key(SESSION);
            let session = match is_first {
                true => begin(shared, token).await?,
                false => session(shared, &head.headers, token.as_ref())?,
            };
            let room = session.room(&frame).await?;
            // Without a wait between the two: a client that goes away leaves no call that nobody answers.
            let (opening, events) = session.open_call(id, params)?;
            session.take(frame.clone(), room)?;
            let mut response = answer(&session, id, opening, events, revision, is_first).await;
            if let (true, Some(id)) = (is_first, session.header()) {
                response.headers_mut().insert(SESSION, id);
            }
            Ok(response)
        }
        Peek::Notification { method, params } => {
            let session = session(shared, &head.headers, token.as_ref())?;
            session.take(frame.clone(), session.room(&frame).await?)?;
            if method == "notifications/cancelled" {
                session.cancel_call(params);
            }
            Ok(empty(StatusCode::ACCEPTED))
        }
        Peek::Response { .. } => {
            let session = session(shared, &head.headers, token.as_ref())?;
            session.take(frame.clone(), session.room(&frame).await?)?;
            Ok(empty(StatusCode::ACCEPTED))
        }
        Peek::Batch(_) => {
            Err(Refusal::new(StatusCode::BAD_REQUEST, "send one message in each request, not a list of them"))
        }
        Peek::Other => {
            let message = "the body is no JSON-RPC message";
            Err(Refusal::new(StatusCode::BAD_REQUEST, message).with_code(code::PARSE_ERROR))
        }
    }
}

/// Begins a session, and hands it to whoever accepts sessions.
async fn begin(shared: &Shared, token: Option<Arc<str>>) -> Result<Arc<Session>, Refusal> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|error| {
        tracing::error!(%error, "the operating system gives no random numbers");
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the operating system gives no random numbers")
    })?;
    let id: Arc<str> = format!("{:032x}", u128::from_ne_bytes(random)).into();
    let (session, connection) = Session::open(Arc::clone(&id), token.clone());
    {
        let mut sessions = shared.sessions();
        let own = sessions.values().filter(|session| session.token == token && !session.has_ended()).count();
        if own >= shared.options.sessions {
            let message = format!("{own} sessions are open, which is the limit; end one with DELETE");
            return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, message));
        }
        sessions.insert(id, Arc::clone(&session));
    }
    let accepted = shared.opened.send(Accepted { connection, token }).await;
    accepted.map_err(|_| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "the gateway is ending"))?;
    Ok(session)
}

/// Waits for the response to a call. One that does not come at once gets a stream, on which other messages may come
/// first.
async fn answer(
    session: &Session,
    id: &RawValue,
    opening: EventId,
    mut events: UnboundedReceiver<Event>,
    revision: &str,
    is_first: bool,
) -> Response<Body> {
    match timeout(PLAIN, events.recv()).await {
        Ok(Some(event)) if event.last => {
            // A client whose `initialize` was refused has nothing to end.
            if is_first && matches!(Peek::at(&event.frame), Peek::Response { outcome: Err(_), .. }) {
                session.end();
            }
            with_type("application/json", Full::new(event.frame).boxed())
        }
        Ok(None) if session.has_ended() => {
            let (status, message) = match is_first {
                true => (
                    StatusCode::BAD_GATEWAY,
                    "the server behind the gateway cannot be reached; the gateway's log says why",
                ),
                false => (StatusCode::NOT_FOUND, "the session ended before there was a response"),
            };
            Refusal::new(status, message).of(id).into_response()
        }
        // The client has canceled the call.
        Ok(None) => empty(StatusCode::ACCEPTED),
        first => {
            let opening = (revision >= OPENING_SINCE).then_some(opening);
            stream(sse::body(opening, first.ok().flatten(), events))
        }
    }
}

fn get(shared: &Shared, head: &Parts, token: Option<Arc<str>>, revision: &str) -> Result<Response<Body>, Refusal> {
    accepts(&head.headers, &["text/event-stream"])?;
    let session = session(shared, &head.headers, token.as_ref())?;
    let Some(last) = one(&head.headers, LAST_EVENT)? else {
        let opening = EventId { stream: 0, number: 0 };
        return Ok(stream(sse::body((revision >= OPENING_SINCE).then_some(opening), None, session.listen()?)));
    };
    let last = last.parse().map_err(|()| {
        Refusal::new(StatusCode::BAD_REQUEST, format!("{last:?} is no event of this gateway; leave out Last-Event-ID"))
    })?;
    Ok(stream(sse::body(None, None, session.resume(last)?)))
}

/// The session that a request names.
///
/// # Errors
/// When it names none, or none that is open and of the same principal: others are not told that it exists.
fn session(shared: &Shared, headers: &HeaderMap, token: Option<&Arc<str>>) -> Result<Arc<Session>, Refusal> {
    let Some(id) = one(headers, SESSION)? else {
        let message = "the header Mcp-Session-Id is missing; the response to initialize has it";
        return Err(Refusal::new(StatusCode::BAD_REQUEST, message));
    };
    let session = shared.sessions().get(id).map(Arc::clone);
    let Some(session) = session.filter(|session| session.token.as_ref() == token) else {
        let message = "there is no such session; send initialize without Mcp-Session-Id to begin one";
        return Err(Refusal::new(StatusCode::NOT_FOUND, message));
    };
    session.touch()?;
    Ok(session)
}

/// The revision of a request.
///
/// # Errors
/// When it is not served here. [2025-11-25, basic/transports, Protocol Version Header]
fn revision(headers: &HeaderMap) -> Result<&str, Refusal> {
    let Some(revision) = one(headers, REVISION)? else { return Ok(DEFAULT_REVISION) };
    if REVISIONS.contains(&revision) {
        return Ok(revision);
    }
    let message = format!("revision {revision:?} is not served over HTTP; these are: {}", REVISIONS.join(", "));
    let refusal = Refusal::new(StatusCode::BAD_REQUEST, message).with_code(UNSUPPORTED_REVISION);
    Err(refusal.with_data(json!({ "supported": REVISIONS, "requested": revision })))
}

/// Checks that a client takes what may be sent.
fn accepts(headers: &HeaderMap, types: &[&str]) -> Result<(), Refusal> {
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let ranges: Vec<_> = values.flat_map(|value| value.split(',')).map(essence).collect();
    let takes = |wanted: &str| {
        let family = wanted.split('/').next().unwrap_or_default();
        ranges.iter().any(|range| range == wanted || range == "*/*" || *range == format!("{family}/*"))
    };
    if types.iter().all(|wanted| takes(wanted)) {
        return Ok(());
    }
    Err(Refusal::new(StatusCode::NOT_ACCEPTABLE, format!("Accept must name {}", types.join(" and "))))
}

/// A media type without its parameters.
fn essence(value: &str) -> String {
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Bytes that a body announces; all that it may have where it does not.
fn body_hint(headers: &HeaderMap) -> u32 {
    let length = headers.get(http::header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    length.and_then(|value| value.parse().ok()).unwrap_or(u32::MAX)
}

async fn read(body: Incoming, limit: usize) -> Result<Frame, Refusal> {
    let read = timeout(BODY, Limited::new(body, limit).collect()).await;
    let late = || Refusal::new(StatusCode::REQUEST_TIMEOUT, format!("no body came within {} s", BODY.as_secs()));
    match read.map_err(|_| late())? {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            let message = format!("a message has at most {limit} bytes");
            Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, message))
        }
        Err(error) => Err(Refusal::new(StatusCode::BAD_REQUEST, format!("the body broke off: {error}"))),
    }
}

fn stream(body: Body) -> Response<Body> {
    let mut response = with_type("text/event-stream", body);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
