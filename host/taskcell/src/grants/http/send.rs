//! One request: what of it is checked, in which order, and how long it may take.

use std::convert::Infallible;
use std::sync::Arc;

use futures_util::FutureExt;
use http::HeaderName;
use http_body::Body;
use http_body_util::BodyExt;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, ForbiddenHeaderFilter, RequestOptions, Result, WasiBody, WasiHttpCtx,
    WasiHttpHooks,
};

use super::body::{Received, Sent};
use super::refusal::{About, Refused};
use super::rules::{Allowed, allowed, target};
use super::{Http, HttpLimits};
use crate::telemetry::{Import, import};

/// Fields that a guest does not set beside those of wasmtime-wasi-http: they are of the connection, too.
/// [RFC 9110, 7.6.1]
const OF_THE_CONNECTION: [HeaderName; 3] = [http::header::TE, http::header::TRAILER, http::header::EXPECT];

/// A response, and the rest of the work on it: none, reqwest does that.
type Response = (http::Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>);

/// State of a cell's requests.
pub(crate) struct Outgoing {
    pub(crate) ctx: WasiHttpCtx,
    pub(crate) hooks: Hooks,
}

/// The way out of a cell.
pub(crate) struct Hooks {
    http: Option<Http>,
    handler: Arc<str>,
    /// Requests so far.
    requests: u64,
    at_once: Arc<Semaphore>,
}

impl Outgoing {
    /// The way out of a cell of this handler.
    pub(crate) fn new(http: Option<&Http>, handler: &Arc<str>) -> Self {
        let at_once = http.map_or(0, |http| http.shared.limits.at_once);
        let hooks = Hooks {
            http: http.cloned(),
            handler: Arc::clone(handler),
            requests: 0,
            at_once: Arc::new(Semaphore::new(at_once as usize)),
        };
        Self { ctx: WasiHttpCtx::new(), hooks }
    }
}

impl WasiHttpHooks for Hooks {
    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        Arc::new(|name| DEFAULT_FORBIDDEN_HEADERS.contains(name) || OF_THE_CONNECTION.contains(name))
    }

    fn set_host_header(&mut self) -> bool {
        // reqwest does, from the address that was checked.
        false
    }

    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<Response>> + Send> {
        let sent = Box::into_pin(self.send(request, options));
        let sent = import(Import("wasi:http/outgoing-handler", "handle"), sent.map(Ok::<_, Infallible>));
        Box::new(sent.map(|Ok(response)| response))
    }
}

impl Hooks {
    /// Sends a request, if it may go out.
    fn send(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
    ) -> Box<dyn Future<Output = Result<Response>> + Send> {
        let Some(http) = self.http.clone() else { return refuse(Error::HttpRequestDenied) };
        let limits = &http.shared.limits;
        self.requests = self.requests.saturating_add(1);
        let about = About::new(
            Arc::clone(&self.handler),
            request.method().as_str(),
            request.uri().authority().map(http::uri::Authority::as_str).unwrap_or_default(),
        );
        let (current, limit) = (self.requests, limits.requests);
        // The first that is too much is logged, the others would flood it.
        if current > limit.saturating_add(1) {
            return refuse(Error::HttpRequestDenied);
        }
        if current > limit {
            return refuse(about.refused(Refused::Requests { current, limit }));
        }
        let Some(url) = target(request.uri()) else { return refuse(about.refused(Refused::Uri)) };
        let Some(Allowed { private }) = allowed(&http.shared.rules, &url, request.method()) else {
            return refuse(about.refused(Refused::Rule));
        };
        let Ok(place) = Arc::clone(&self.at_once).try_acquire_owned() else {
            return refuse(about.refused(Refused::AtOnce { limit: limits.at_once.into() }));
        };
        let (parts, body) = request.into_parts();
        if let Some(current) = announced(&parts.headers).filter(|size| *size > limits.request_size) {
            return refuse(about.refused(Refused::RequestSize { current, limit: limits.request_size }));
        }
        Box::new(async move {
            let HttpLimits { time, request_size, response_size, .. } = http.shared.limits;
            let client = http.client(private).map_err(|why| Error::InternalError(Some(why.to_owned())))?;
            let mut request = client.request(parts.method, url).headers(parts.headers);
            if !body.is_end_stream() && body.size_hint().exact() != Some(0) {
                request = request.body(reqwest::Body::wrap_stream(Sent::new(body, request_size, about.clone())));
            }
            let begun = Instant::now();
            let deadline = begun.checked_add(time).unwrap_or(begun);
            // A guest may wait for less, not for more.
            let wish = options.and_then(|options| options.first_byte_timeout);
            let wish = wish.and_then(|wish| begun.checked_add(wish)).filter(|wish| *wish < deadline);
            let response = match timeout_at(wish.unwrap_or(deadline), request.send()).await {
                Ok(response) => response.map_err(|error| about.failed(&error))?,
                Err(_) if wish.is_some() => return Err(Error::HttpResponseTimeout),
                Err(_) => return Err(about.refused(Refused::Time { limit: time })),
            };
            let (parts, body) = http::Response::<reqwest::Body>::from(response).into_parts();
            let size = body.size_hint().lower();
            if size > response_size {
                return Err(about.refused(Refused::ResponseSize { current: size, limit: response_size }));
            }
            let pause = options.and_then(|options| options.between_bytes_timeout);
            let body = Received::new(body, response_size, (deadline, time), pause, about, place);
            let nothing_more = Box::new(async { Ok(()) }) as Box<_>;
            Ok((http::Response::from_parts(parts, body.boxed_unsync()), nothing_more))
        })
    }
}

fn refuse(error: Error) -> Box<dyn Future<Output = Result<Response>> + Send> {
    Box::new(async { Err(error) })
}

/// The size of a body that the guest announces.
fn announced(headers: &http::HeaderMap) -> Option<u64> {
    headers.get(http::header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
