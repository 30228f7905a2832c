//! A server at a URL: the events of its streams are looked at before rmcp reads them.
//!
//! Streams carry text, so what is for the handlers is taken from it as it is on stdio. A body that is plain JSON holds the answer
//! to a request and nothing else; rmcp's client gives it in rmcp's types. What gets lost there is members that these types do
//! not know, of an input that a server of revision 2026-07-28 asks for. The handlers' own messages go out in the types that hold
//! any JSON, by the same client; they are the same JSON, if not byte for byte.

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

/// An event of a stream.
type Event = <BoxedSseResponse as TryStream>::Ok;
type Headers = HashMap<HeaderName, HeaderValue>;
type Posted<E> = Result<StreamableHttpPostResponse, StreamableHttpError<E>>;

tokio::task_local! {
    /// How the request was sent that a call goes on from: a retry has the same headers.
    static ORIGIN: Route;
}

/// An HTTP client for rmcp that leaves to rmcp what the handlers do not take.
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

/// How a message gets to the server.
#[derive(Clone)]
struct Route {
    uri: Arc<str>,
    session: Option<Arc<str>>,
    auth: Option<String>,
    headers: Headers,
    limits: StreamableHttpResponseLimits,
}

impl Route {
    /// The same for another message: without the headers that say what is in it.
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

    /// The same for a request about a task. [basic/transports/streamable-http, Standard MCP Request Headers]
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

    /// Gives rmcp what is not for the handlers. An event of theirs stays without its data: rmcp needs its id to resume.
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

    /// The same of the answer to a request of revision 2026-07-28. It goes on before rmcp gets it, if the server asks. When
    /// rmcp no longer wants it, the stream is dropped, and what goes on with it.
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

/// Whether an event is a message; others are named.
fn is_message(event: &Event) -> bool {
    matches!(event.event.as_deref(), None | Some("" | "message"))
}

/// A request whose result may ask.
struct Asking {
    connection: Arc<Connection>,
    id: RequestId,
    request: ClientRequest,
    route: Route,
}

impl Asking {
    /// The result in a message, when it answers this request and asks.
    fn result_that_asks(&self, message: &str) -> Option<Box<RawValue>> {
        let message = Message::read(message.as_bytes()).ok()?;
        let id: RequestId = serde_json::from_str(message.id?.get()).ok()?;
        message.result.filter(|result| id == self.id && self.connection.asks(result)).map(ToOwned::to_owned)
    }

    async fn resume_call(&self, result: Box<RawValue>) -> String {
        let Some(caller) = self.connection.caller() else { return String::new() };
        let going_on = resume_call(caller, self.id.clone(), self.request.clone(), result);
        String::from_utf8(ORIGIN.scope(self.route.clone(), going_on).await).unwrap_or_default()
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
        // What rmcp uses after the session began is what the handlers use.
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
                        // rmcp waits for a stream without holding a place among its requests.
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

/// The result in a message that is typed already.
fn typed_result(message: &ServerJsonRpcMessage) -> Option<Box<RawValue>> {
    match message {
        JsonRpcMessage::Response(response) => to_raw_value(&response.result).ok(),
        _ => None,
    }
}

/// What the handlers say, one message after the other: the order matters.
struct Posts<C> {
    /// rmcp's clients are cloned for each use; they need not be shared.
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

    /// Reads what a stream has until the answer; what else there is, is rmcp's.
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

/// A message of the session's in the types of rmcp that hold any JSON.
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
