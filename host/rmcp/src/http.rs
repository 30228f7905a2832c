//! Transport to a server at a URL: the events of its streams are inspected before rmcp reads them.
//!
//! Streams carry text, so messages for the handlers are taken from it as on stdio. A body of plain JSON holds only the
//! answer to a request, which rmcp's client returns in rmcp's types. An input that a server of revision 2026-07-28 asks
//! for there loses the members that these types do not know. The handlers' own messages go out through the same client,
//! in types that hold any JSON: the same JSON, if not byte for byte.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{StreamExt, TryStream, stream};
use http::{HeaderName, HeaderValue};
use rmcp::ErrorData;
use rmcp::model::{
    ClientJsonRpcMessage, ClientNotification, ClientRequest, ClientResult, CustomNotification, CustomRequest,
    CustomResult, JsonRpcMessage, RequestId, ServerJsonRpcMessage,
};
use rmcp::transport::common::client_side_sse::BoxedSseResponse;
use rmcp::transport::common::http_header::{HEADER_MCP_METHOD, HEADER_MCP_NAME, HEADER_MCP_PARAM_PREFIX};
use rmcp::transport::streamable_http_client::{
    StreamableHttpClient, StreamableHttpClientTransportConfig, StreamableHttpError, StreamableHttpPostResponse,
    StreamableHttpResponseLimits,
};
use serde_json::value::{RawValue, to_raw_value};

use super::calls::{new_id, response, resume_call};
use super::connection::{Connection, Verdict};
use super::sink::Sink;
use taskcell::mrtr::{INPUT_REQUIRED_METHODS, Response, SendError, Server};
use taskcell::protocol::jsonrpc::Message;

/// Event of a stream.
type Event = <BoxedSseResponse as TryStream>::Ok;
type Headers = HashMap<HeaderName, HeaderValue>;
type Posted<E> = Result<StreamableHttpPostResponse, StreamableHttpError<E>>;

tokio::task_local! {
    /// Route of the request that a call is continued from: a retry has the same headers.
    static ORIGIN: Route;
}

/// HTTP client for rmcp that passes on what the handlers do not take.
#[derive(Clone)]
pub struct HttpClient<C> {
    inner: C,
    connection: Arc<Connection>,
    route: Arc<Mutex<Option<Route>>>,
}

impl<C> std::fmt::Debug for HttpClient<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpClient").finish_non_exhaustive()
    }
}

/// Route of a message to the server.
#[derive(Clone)]
struct Route {
    uri: Arc<str>,
    session: Option<Arc<str>>,
    auth: Option<String>,
    headers: Headers,
    limits: StreamableHttpResponseLimits,
}

impl Route {
    /// Returns the route for another message, without the headers that describe this one.
    fn for_another(&self) -> Self {
        let of_one = |name: &HeaderName| {
            let name = name.as_str();
            let parameter = name.get(..HEADER_MCP_PARAM_PREFIX.len());
            parameter.is_some_and(|start| start.eq_ignore_ascii_case(HEADER_MCP_PARAM_PREFIX))
                || [HEADER_MCP_METHOD, HEADER_MCP_NAME].iter().any(|header| name.eq_ignore_ascii_case(header))
        };
        let mut route = self.clone();
        route.headers.retain(|name, _| !of_one(name));
        route
    }

    /// Returns the route for a request about a task. [basic/transports/streamable-http, Standard MCP Request Headers]
    fn for_task(&self, method: &str, params: &RawValue) -> Result<Self, SendError> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Params {
            task_id: String,
        }
        let Params { task_id } = serde_json::from_str(params.get())?;
        let mut route = self.for_another();
        for (name, value) in [(HEADER_MCP_METHOD, method), (HEADER_MCP_NAME, &task_id)] {
            route.headers.insert(HeaderName::try_from(name)?, HeaderValue::from_str(value)?);
        }
        Ok(route)
    }

    async fn post<C: StreamableHttpClient>(self, client: C, message: ClientJsonRpcMessage) -> Posted<C::Error> {
        let Self { uri, session, auth, headers, limits } = self;
        client.post_message_with_response_limits(uri, message, session, auth, headers, limits).await
    }
}

impl<C: StreamableHttpClient> HttpClient<C> {
    pub(super) fn open(
        inner: C,
        connection: &Arc<Connection>,
        config: &StreamableHttpClientTransportConfig,
    ) -> (Self, Arc<dyn Sink>) {
        let route = Arc::<Mutex<Option<Route>>>::default();
        let posts = Posts {
            client: Mutex::new(inner.clone()),
            route: Arc::clone(&route),
            connection: Arc::downgrade(connection),
            timeout: config.control_request_timeout,
        };
        (Self { inner, connection: Arc::clone(connection), route }, Arc::new(posts))
    }

    /// Removes the handlers' messages from a stream for rmcp. Their events stay without data, because rmcp needs the
    /// ids to resume.
    fn watch(connection: Arc<Connection>, events: BoxedSseResponse) -> BoxedSseResponse {
        let watched = events.then(move |event| {
            let connection = Arc::clone(&connection);
            async move {
                let mut event = event?;
                while let Some(data) = event.data.as_ref().filter(|_| is_message(&event)) {
                    match connection.take(data.as_bytes()) {
                        Verdict::PassThrough => break,
                        Verdict::Taken => event.data = None,
                        Verdict::Busy => connection.capacity(data.len()).await,
                    }
                }
                Ok(event)
            }
        });
        watched.boxed()
    }

    /// Continues the call that a stream answers, if the result asks for input. Dropping the stream, as rmcp does with
    /// an answer that it no longer needs, drops the continuation.
    fn watch_call(asking: Asking, events: BoxedSseResponse) -> BoxedSseResponse {
        let asking = Arc::new(asking);
        let watched = events.then(move |event| {
            let asking = Arc::clone(&asking);
            async move {
                let mut event = event?;
                if let Some(data) = event.data.as_ref().filter(|_| is_message(&event))
                    && let Some(result) = asking.result_that_asks(data)
                {
                    event.data = Some(asking.resume_call(result).await);
                }
                Ok(event)
            }
        });
        watched.boxed()
    }
}

/// Whether an event is a message; other events have names.
fn is_message(event: &Event) -> bool {
    matches!(event.event.as_deref(), None | Some("" | "message"))
}

/// Request whose result may ask for input.
struct Asking {
    connection: Arc<Connection>,
    id: RequestId,
    request: ClientRequest,
    route: Route,
}

impl Asking {
    /// Returns the result in a message, if it answers this request and asks for input.
    fn result_that_asks(&self, message: &str) -> Option<Box<RawValue>> {
        let message = Message::read(message.as_bytes()).ok()?;
        let id: RequestId = serde_json::from_str(message.id?.get()).ok()?;
        message.result.filter(|result| id == self.id && self.connection.asks(result)).map(ToOwned::to_owned)
    }

    async fn resume_call(&self, result: Box<RawValue>) -> String {
        let Some(caller) = self.connection.caller() else { return String::new() };
        let continued = resume_call(caller, self.id.clone(), self.request.clone(), result);
        String::from_utf8(ORIGIN.scope(self.route.clone(), continued).await).unwrap_or_default()
    }
}

impl<C: StreamableHttpClient> StreamableHttpClient for HttpClient<C> {
    type Error = C::Error;

    fn post_message(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session_id: Option<Arc<str>>,
        auth_header: Option<String>,
        custom_headers: Headers,
    ) -> impl Future<Output = Posted<Self::Error>> + Send + '_ {
        let limits = StreamableHttpResponseLimits::default();
        self.post_message_with_response_limits(uri, message, session_id, auth_header, custom_headers, limits)
    }

    fn post_message_with_response_limits(
        &self,
        uri: Arc<str>,
        mut message: ClientJsonRpcMessage,
        session_id: Option<Arc<str>>,
        auth_header: Option<String>,
        custom_headers: Headers,
        limits: StreamableHttpResponseLimits,
    ) -> impl Future<Output = Posted<Self::Error>> + Send + '_ {
        let route = Route {
            uri: Arc::clone(&uri),
            session: session_id.clone(),
            auth: auth_header.clone(),
            headers: custom_headers.clone(),
            limits,
        };
        // The handlers use the route that rmcp uses once the session has started.
        let begins = matches!(&message, JsonRpcMessage::Request(request) if request.request.method() == "initialize");
        if !begins {
            *self.route.lock().unwrap_or_else(PoisonError::into_inner) = Some(route.for_another());
        }
        let connection = Arc::clone(&self.connection);
        let asking = match &message {
            JsonRpcMessage::Request(request)
                if connection.caller().is_some() && INPUT_REQUIRED_METHODS.contains(&request.request.method()) =>
            {
                let (id, request) = (request.id.clone(), request.request.clone());
                Some(Asking { connection: Arc::clone(&connection), id, request, route })
            }
            _ => None,
        };
        connection.initialize(&mut message);
        let posted =
            self.inner.post_message_with_response_limits(uri, message, session_id, auth_header, custom_headers, limits);
        async move {
            Ok(match (posted.await?, asking) {
                (StreamableHttpPostResponse::Sse(events, session), None) => {
                    StreamableHttpPostResponse::Sse(Self::watch(connection, events), session)
                }
                (StreamableHttpPostResponse::Sse(events, session), Some(asking)) => {
                    StreamableHttpPostResponse::Sse(Self::watch_call(asking, events), session)
                }
                (StreamableHttpPostResponse::Json(message, session), Some(asking)) => {
                    match typed_result(&message).filter(|result| asking.connection.asks(result)) {
                        // While rmcp waits for a stream, no place among its requests is taken.
                        Some(result) => {
                            let event = async move { Ok(Event::default().data(asking.resume_call(result).await)) };
                            StreamableHttpPostResponse::Sse(stream::once(event).boxed(), session)
                        }
                        None => StreamableHttpPostResponse::Json(message, session),
                    }
                }
                (other, _) => other,
            })
        }
    }

    fn delete_session(
        &self,
        uri: Arc<str>,
        session_id: Arc<str>,
        auth_header: Option<String>,
        custom_headers: Headers,
    ) -> impl Future<Output = Result<(), StreamableHttpError<Self::Error>>> + Send + '_ {
        self.inner.delete_session(uri, session_id, auth_header, custom_headers)
    }

    fn get_stream(
        &self,
        uri: Arc<str>,
        session_id: Option<Arc<str>>,
        last_event_id: Option<String>,
        auth_header: Option<String>,
        custom_headers: Headers,
    ) -> impl Future<Output = Result<BoxedSseResponse, StreamableHttpError<Self::Error>>> + Send + '_ {
        let got = self.inner.get_stream(uri, session_id, last_event_id, auth_header, custom_headers);
        let connection = Arc::clone(&self.connection);
        async move { Ok(Self::watch(connection, got.await?)) }
    }

    fn get_stream_with_max_sse_event_size(
        &self,
        uri: Arc<str>,
        session_id: Option<Arc<str>>,
        last_event_id: Option<String>,
        auth_header: Option<String>,
        custom_headers: Headers,
        max_sse_event_size: usize,
    ) -> impl Future<Output = Result<BoxedSseResponse, StreamableHttpError<Self::Error>>> + Send + '_ {
        let got = self.inner.get_stream_with_max_sse_event_size(
            uri,
            session_id,
            last_event_id,
            auth_header,
            custom_headers,
            max_sse_event_size,
        );
        let connection = Arc::clone(&self.connection);
        async move { Ok(Self::watch(connection, got.await?)) }
    }
}

/// Returns the result in a typed message.
fn typed_result(message: &ServerJsonRpcMessage) -> Option<Box<RawValue>> {
    match message {
        JsonRpcMessage::Response(response) => to_raw_value(&response.result).ok(),
        _ => None,
    }
}

/// Sender of the handlers' messages, one after the other, because their order matters.
struct Posts<C> {
    /// rmcp clones its clients for each use, so they need not be `Sync`.
    client: Mutex<C>,
    route: Arc<Mutex<Option<Route>>>,
    connection: std::sync::Weak<Connection>,
    timeout: Duration,
}

impl<C: StreamableHttpClient> Posts<C> {
    fn client(&self) -> C {
        self.client.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn route(&self) -> Result<Route, SendError> {
        let route = self.route.lock().unwrap_or_else(PoisonError::into_inner).clone();
        route.ok_or_else(|| "nothing was sent to the server yet".into())
    }

    async fn post(&self, message: &[u8]) -> Result<(), SendError> {
        let message = typed(message).ok_or("the message does not fit rmcp's types")?;
        let posted = self.route()?.post(self.client(), message);
        tokio::time::timeout(self.timeout, posted).await??;
        Ok(())
    }

    /// Reads a stream up to the answer. Other messages on it go to rmcp.
    async fn answer(&self, id: &RequestId, mut events: BoxedSseResponse) -> Result<Response, SendError> {
        while let Some(event) = events.next().await {
            let event = event?;
            let Some(data) = event.data.as_ref().filter(|_| is_message(&event)) else { continue };
            let Ok(message) = Message::read(data.as_bytes()) else { continue };
            let is_answer = message.method.is_none()
                && message.id.and_then(|found| serde_json::from_str(found.get()).ok()).as_ref() == Some(id);
            if is_answer {
                return Ok(response(&message));
            }
            let to_rmcp = self.connection.upgrade().map(|connection| connection.to_rmcp());
            if let (Some(to_rmcp), Ok(message)) = (to_rmcp, serde_json::from_str(data)) {
                to_rmcp.send(message).await?;
            }
        }
        Err("the server's stream ended before its answer".into())
    }
}

#[async_trait]
impl<C: StreamableHttpClient> Sink for Posts<C> {
    async fn send(&self, message: Vec<u8>) {
        if let Err(error) = self.post(&message).await {
            tracing::debug!(%error, "the server does not take a message");
        }
    }
}

#[async_trait]
impl<C: StreamableHttpClient> Server for Posts<C> {
    async fn request(&self, method: &str, params: Box<RawValue>) -> Result<Response, SendError> {
        let route = match ORIGIN.try_with(Clone::clone) {
            Ok(origin) if INPUT_REQUIRED_METHODS.contains(&method) => origin,
            Ok(origin) => origin.for_task(method, &params)?,
            Err(_) => self.route()?.for_task(method, &params)?,
        };
        let id = RequestId::String(new_id().into());
        let request = CustomRequest::new(method, Some(serde_json::from_str(params.get())?));
        let message = JsonRpcMessage::request(ClientRequest::CustomRequest(request), id.clone());
        match route.post(self.client(), message).await? {
            StreamableHttpPostResponse::Sse(events, _) => self.answer(&id, events).await,
            StreamableHttpPostResponse::Json(message, _) => {
                let text = serde_json::to_string(&message)?;
                Ok(response(&Message::read_text(&text).map_err(|error| error.message)?))
            }
            _ => Err("the server took the request and did not answer".into()),
        }
    }
}

/// Converts a message of the session to those types of rmcp that hold any JSON.
fn typed(message: &[u8]) -> Option<ClientJsonRpcMessage> {
    let Message { id, method, params, result, error, .. } = Message::read(message).ok()?;
    let id = id.and_then(|id| serde_json::from_str::<RequestId>(id.get()).ok());
    Some(match (method, result, error) {
        (Some(method), ..) => {
            let params = params.and_then(|params| serde_json::from_str(params.get()).ok());
            let notification = CustomNotification::new(method, params);
            JsonRpcMessage::notification(ClientNotification::CustomNotification(notification))
        }
        (None, Some(result), _) => {
            let result = CustomResult(serde_json::from_str(result.get()).ok()?);
            JsonRpcMessage::response(ClientResult::CustomResult(result), id?)
        }
        (None, None, error) => JsonRpcMessage::error(serde_json::from_str::<ErrorData>(error?.get()).ok()?, id),
    })
}
