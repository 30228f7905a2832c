//! Connection to a server: sends its HTTP requests, and holds what all of them share.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::Method;
use http::header::{ACCEPT, HeaderMap, HeaderValue};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Client, Response};
use tokio::sync::{Mutex as AsyncMutex, Semaphore, watch};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::arrivals::Arrivals;
use super::failure;
use super::headers::{self, EVENTS, LAST_EVENT};
use super::message::Summary;
use super::params::Parameters;
use super::session::{HttpSession, Sessions};
use super::target::{ConnectionLimits, Credentials, Endpoint};
use crate::transport::{Frame, TransportError};

/// Requests that may be open at once, each with a connection of its own. Further ones wait.
const OPEN: usize = 128;
/// Redirects that are followed within the server's origin.
const REDIRECTS: usize = 3;
/// Time that a connection is kept for the next request. Node closes it after 5 seconds, which a request must not meet.
const KEPT: Duration = Duration::from_secs(4);
/// Interval of probes by which the system finds that a silent server is gone.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Shared state of a connection.
pub(super) struct Channel {
    http: Client,
    pub(super) endpoint: Endpoint,
    credentials: Credentials,
    pub(super) limits: ConnectionLimits,
    pub(super) sessions: Sessions,
    /// Held while a session is renewed, which is done once for all who need it.
    pub(super) renewing: AsyncMutex<()>,
    /// Number of the session whose stream is to be listened to.
    pub(super) listen: watch::Sender<Option<u64>>,
    pub(super) parameters: Parameters,
    pub(super) arrivals: Arrivals,
    pub(super) places: Semaphore,
    open: Mutex<HashMap<String, OpenRequest>>,
}

/// Request that waits for its response.
struct OpenRequest {
    cancel: CancellationToken,
    is_modern: bool,
}

/// Entry of an open request, which ends with this value.
pub(super) struct Opened<'a> {
    channel: &'a Channel,
    key: String,
}

impl Channel {
    /// Creates the state. Nothing is sent.
    ///
    /// # Errors
    /// When the client of HTTP cannot be built, as without the system's roots of trust.
    pub(super) fn new(
        endpoint: Endpoint,
        credentials: Credentials,
        limits: ConnectionLimits,
        arrivals: Arrivals,
    ) -> Result<Self, TransportError> {
        // An error means that a provider is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut http = Client::builder()
            .user_agent(concat!("taskcell/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::custom(followed))
            .connect_timeout(limits.connect_time)
            .read_timeout(limits.idle_time)
            .pool_idle_timeout(KEPT)
            .tcp_keepalive(KEEPALIVE)
            // What compresses a stream holds its events back.
            .no_gzip()
            .no_brotli()
            .no_deflate()
            .no_zstd()
            // A message must not be sent twice without the transport's knowledge.
            .retry(reqwest::retry::never());
        if endpoint.is_loopback() {
            // Credentials may go to this machine in clear text, so they must not take the way over another.
            http = http.no_proxy();
        }
        let http = http.build().map_err(|error| TransportError::Connect(format!("no client of HTTP: {error}")))?;
        Ok(Self {
            http,
            endpoint,
            credentials,
            limits,
            sessions: Sessions::default(),
            renewing: AsyncMutex::default(),
            listen: watch::Sender::new(None),
            parameters: Parameters::default(),
            arrivals,
            places: Semaphore::new(OPEN),
            open: Mutex::default(),
        })
    }

    /// Sends a message in a POST. Returns once the response has begun.
    ///
    /// # Errors
    /// When the server is not reached or ends the exchange.
    pub(super) async fn post(
        &self,
        session: &HttpSession,
        frame: &Frame,
        about: &Summary,
        more: HeaderMap,
    ) -> Result<Response, TransportError> {
        let mut headers = headers::of_post(about);
        headers.extend(more);
        if !about.is_modern() && about.method != "initialize" {
            session.add_to(&mut headers);
        }
        self.send(Method::POST, headers, Some(frame.clone())).await
    }

    /// Opens a stream of the session with a GET: the server's own, or the one that `last_event` belongs to.
    ///
    /// # Errors
    /// When the server is not reached.
    pub(super) async fn get(
        &self,
        session: &HttpSession,
        last_event: Option<&HeaderValue>,
    ) -> Result<Response, TransportError> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(EVENTS));
        session.add_to(&mut headers);
        if let Some(last_event) = last_event {
            headers.insert(LAST_EVENT, last_event.clone());
        }
        self.send(Method::GET, headers, None).await
    }

    /// Ends the session at the server, if there is one.
    pub(super) async fn delete(&self) {
        let session = self.sessions.current();
        if session.id.is_some() {
            let mut headers = HeaderMap::new();
            session.add_to(&mut headers);
            // A server may refuse it, and forgets the session by itself then.
            if let Err(error) = self.send(Method::DELETE, headers, None).await {
                tracing::debug!(%error, "the session could not be ended");
            }
        }
    }

    /// Notes an open request. Returns the token that cancels it with its entry.
    pub(super) fn open(&self, key: String, is_modern: bool) -> (CancellationToken, Opened<'_>) {
        let cancel = CancellationToken::new();
        self.requests().insert(key.clone(), OpenRequest { cancel: cancel.clone(), is_modern });
        (cancel, Opened { channel: self, key })
    }

    /// Stops waiting for a request. Returns whether the end of its exchange tells the server so, as in revision
    /// 2026-07-28; no message is needed then. [2026-07-28, basic/transports/streamable-http, Cancellation]
    pub(super) fn cancel(&self, key: &str) -> bool {
        let request = self.requests().remove(key);
        if let Some(request) = &request {
            request.cancel.cancel();
        }
        request.map_or_else(|| !self.sessions.current().is_initialized(), |request| request.is_modern)
    }

    async fn send(
        &self,
        method: Method,
        mut headers: HeaderMap,
        body: Option<Frame>,
    ) -> Result<Response, TransportError> {
        headers.extend(self.credentials.headers().clone());
        let mut request = self.http.request(method, self.endpoint.url().clone()).headers(headers);
        if let Some(body) = body {
            request = request.body(body);
        }
        request.send().await.map_err(|error| self.broken(&error))
    }

    /// Describes an exchange that broke off.
    pub(super) fn broken(&self, error: &reqwest::Error) -> TransportError {
        failure::broken(error, &self.endpoint, self.limits.connect_time)
    }

    fn requests(&self) -> MutexGuard<'_, HashMap<String, OpenRequest>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        self.channel.requests().remove(&self.key);
    }
}

/// Follows redirects that keep the message as it is, within the server's origin: credentials go nowhere else.
fn followed(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let origin = |url: &Url| url.origin();
    let stays = attempt.previous().last().is_some_and(|from| origin(from) == origin(attempt.url()));
    let keeps = matches!(attempt.status().as_u16(), 307 | 308);
    if stays && keeps && attempt.previous().len() <= REDIRECTS { attempt.follow() } else { attempt.stop() }
}
