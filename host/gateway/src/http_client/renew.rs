//! Requests of the transport's own: `initialize` in place of a session that the server ended, and the list of tools.
//! Their answers go to nobody else.

use std::time::Duration;

use http::StatusCode;
use http::header::HeaderMap;
use reqwest::Response;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::channel::Channel;
use super::events::{Arriving, Cursor, Events, is_stream};
use super::failure::{Refusal, error_in};
use super::message::{self, ServerAnswer, Summary};
use super::session::{self, HttpSession};
use crate::transport::{Frame, TransportError};

/// Time for a request of the transport's own.
const TIME: Duration = Duration::from_secs(30);
/// Pages of tools that are read.
const MAX_PAGES: usize = 20;

/// Begins a new session in place of session `ended`, unless that was done meanwhile. [2025-11-25, basic/transports,
/// Session Management]
///
/// # Errors
/// When the server does not begin a session of the agreed revision.
pub(super) async fn renew(channel: &Channel, ended: u64) -> Result<(), TransportError> {
    let _one = channel.renewing.lock().await;
    let session = channel.sessions.current();
    if session.number != ended {
        return Ok(());
    }
    let Some(initialize) = session.initialize() else { return Err(TransportError::SessionEnded) };
    tracing::info!(server = channel.endpoint.name(), "the server ended the session: beginning another");
    let params = message::params(initialize).ok_or(TransportError::SessionEnded)?;
    let (headers, result) = ask(channel, "initialize", &params).await?;
    let version = session::version(&result);
    if version.is_none() || version != session.agreed() {
        let version = taskcell::text::one_line(version.as_deref().unwrap_or("nothing"), 40);
        return Err(TransportError::Ended(format!(
            "the server ended the session, and the next one would speak MCP {version} instead of the agreed revision"
        )));
    }
    channel.sessions.renew(&headers);
    let session = channel.sessions.current();
    let initialized = Frame::from(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    let about = Summary::read(&initialized);
    let post = channel.post(&session, &initialized, &about, HeaderMap::new());
    let response = tokio::time::timeout(TIME, post).await.map_err(|_| late("notifications/initialized"))??;
    if !response.status().is_success() {
        return Err(Refusal::read(response).await.error(&channel.endpoint));
    }
    channel.listen.send_replace(Some(session.number));
    Ok(())
}

/// Asks for the tools of the server, to learn which arguments are repeated in headers. The request has the `_meta` of
/// `call`, a request of revision 2026-07-28.
///
/// # Errors
/// When the server does not list them.
pub(super) async fn learn_tools(channel: &Channel, call: &Frame) -> Result<(), TransportError> {
    let params = message::params(call).and_then(|params| serde_json::from_str(params.get()).ok());
    let params: serde_json::Value = params.unwrap_or_default();
    let mut asked = serde_json::Map::new();
    if let Some(serde_json::Value::Object(meta)) = params.get("_meta") {
        let mut meta = meta.clone();
        meta.remove("progressToken");
        asked.insert("_meta".to_owned(), meta.into());
    }
    for _ in 0..MAX_PAGES {
        let params = serde_json::value::to_raw_value(&asked).map_err(std::io::Error::from)?;
        let (_, result) = ask(channel, "tools/list", &params).await?;
        channel.parameters.learn(&result);
        let result: serde_json::Value = serde_json::from_str(result.get()).unwrap_or_default();
        let Some(cursor) = result.get("nextCursor").filter(|cursor| cursor.is_string()) else { break };
        asked.insert("cursor".to_owned(), cursor.clone());
    }
    Ok(())
}

/// Sends a request outside a session and returns its result, with the headers of the response.
async fn ask(channel: &Channel, method: &str, params: &RawValue) -> Result<(HeaderMap, Box<RawValue>), TransportError> {
    let id = format!("taskcell-{}", Uuid::new_v4());
    let request = message::request(&id, method, params);
    let about = Summary::read(&request);
    let Some(id) = &about.id else { return Err(TransportError::SessionEnded) };
    let asking = async {
        let response = channel.post(&HttpSession::default(), &request, &about, HeaderMap::new()).await?;
        let headers = response.headers().clone();
        let answered = if is_stream(&response) {
            from_stream(channel, response, id).await?
        } else {
            from_body(channel, response, id).await?
        };
        match answered {
            ServerAnswer { result: Some(result), .. } => Ok((headers, result)),
            ServerAnswer { error, .. } => {
                let error = error.map(|error| error.get().to_owned()).unwrap_or_default();
                let error = taskcell::text::one_line(&error, 300);
                Err(TransportError::Ended(format!("the server refuses {method} of a new session: {error}")))
            }
        }
    };
    tokio::time::timeout(TIME, asking).await.map_err(|_| late(method))?
}

async fn from_stream(channel: &Channel, response: Response, id: &RawValue) -> Result<ServerAnswer, TransportError> {
    let (mut events, mut cursor) = (Events::new(response, channel.limits.message_size), Cursor::default());
    while let Some(arriving) = events.next(channel, &mut cursor).await? {
        let Arriving::Message(frame) = arriving else { continue };
        match ServerAnswer::read(&frame, id) {
            Some(answered) => return Ok(answered),
            None => channel.arrivals.frame(frame).await,
        }
    }
    Err(TransportError::Ended("the server's stream ended before its answer".to_owned()))
}

async fn from_body(channel: &Channel, response: Response, id: &RawValue) -> Result<ServerAnswer, TransportError> {
    if response.status() == StatusCode::OK {
        let body = body(channel, response).await?;
        let unreadable = || TransportError::Ended("the server's answer cannot be read".to_owned());
        return ServerAnswer::read(&body, id).ok_or_else(unreadable);
    }
    let refusal = Refusal::read(response).await;
    match error_in(&refusal.body) {
        Some(error) => Ok(ServerAnswer { result: None, error: Some(error) }),
        None => Err(refusal.error(&channel.endpoint)),
    }
}

/// Reads a whole body.
///
/// # Errors
/// When the body is larger than a message may be, or breaks off.
pub(super) async fn body(channel: &Channel, mut response: Response) -> Result<Vec<u8>, TransportError> {
    let (mut body, limit) = (Vec::new(), channel.limits.message_size);
    while let Some(chunk) = response.chunk().await.map_err(|error| channel.broken(&error))? {
        if body.len().saturating_add(chunk.len()) > limit {
            body.truncate(1_000);
            return Err(TransportError::TooLarge { limit, beginning: body.into(), end: Frame::new() });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn late(method: &str) -> TransportError {
    TransportError::Ended(format!("no answer to {method} within {} s", TIME.as_secs()))
}
