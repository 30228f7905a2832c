//! From a message to its answer: read the message, run the request, report the answer.

use std::borrow::Cow;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_util::poll;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tracing::{Instrument, Span};

use super::reply::Reply;
use super::serve::Route;
use super::{Answered, Event, SessionInner};
use crate::handlers::KindHandler;
use crate::kinds::Kind;
use crate::protocol::jsonrpc::code;
use crate::protocol::request::{Incoming, Params};
use crate::protocol::types::RpcError;
use crate::protocol::{Bounds, json};
use crate::tasks::Audited;
use crate::telemetry::{Outcome, RequestWatch, Usage, limit_hit};
use crate::text::one_line;

/// Characters of the peer's text that an error quotes.
const MAX_QUOTE: usize = 200;

/// The result of `ping`.
#[derive(Serialize)]
struct Empty {}

/// A request read as far as its method and its id.
struct Request<'a> {
    text: &'a [u8],
    incoming: Incoming<'a>,
    method: Cow<'a, str>,
    id: &'a RawValue,
}

impl SessionInner {
    /// Answers a message. Returns none for a message that gets no answer: a notification, a response, or a request that
    /// the server cancels. The span of a request is a child of `parent`.
    pub(super) async fn reply(self: &Arc<Self>, text: &[u8], parent: &Span) -> Option<Reply> {
        // The handlers that serve the request from here to its end.
        let active = self.handlers.active();
        let mut request = match self.admit(text, active.bounds) {
            Ok(request) => request?,
            Err(error) => return Some(Reply::error(None, &error)),
        };
        let mut route = Route::new(&active, Kind::of(&request.method, false));
        let mut watch = RequestWatch::begin(parent, &self.protocol_version, &request.method, request.id, text);
        let start = self.observer.as_ref().map(|_| Instant::now());
        // Pinned in place: moving the future would copy a kilobyte for each request.
        let Some(outcome) = pin!(self.run(&mut request, &mut route, watch.span())).await else {
            watch.ended(Outcome::Cancelled, route.kind, route.handler.map(KindHandler::name), None);
            return None;
        };
        let (reply, error) = match outcome {
            Ok(reply) => (reply, None),
            Err(error) => (Reply::error(Some(request.id), &error), Some(error)),
        };
        let outcome = if error.is_none() { Outcome::Ok } else { route.outcome };
        watch.ended(outcome, route.kind, route.handler.map(KindHandler::name), error.as_ref());
        self.report(
            &route,
            &Answered {
                method: &request.method,
                kind: route.kind,
                handler: route.handler.map(KindHandler::name),
                error: error.as_ref(),
                elapsed: start.map_or(Duration::ZERO, |start| start.elapsed()),
                request: text,
                response: &reply.message,
                printed: &route.printed,
            },
        );
        Some(reply)
    }

    /// Reads a message within the bounds of the handlers. Returns a request; none for a notification, which is handled
    /// here, and for a response, which no session waits for.
    ///
    /// # Errors
    /// The answer to a message that is too large, or that is no JSON-RPC message.
    fn admit<'a>(&self, text: &'a [u8], bounds: Bounds) -> Result<Option<Request<'a>>, RpcError> {
        let Bounds { size: limit, depth } = bounds;
        if text.len() > limit {
            let message = format!("The message has {} bytes: too many", text.len());
            let usage = Usage { current: Some(text.len() as u64), limit: limit as u64 };
            limit_hit::log("message_size", usage, None, &message, "a message is refused");
            return Err(RpcError::of_kind(code::INVALID_REQUEST, "message_size", message));
        }
        // A message that nests too deeply is read again with the request's parameters, and refused there.
        let mut incoming = json::within(depth, || Incoming::read(text)).0?;
        let Some(method) = incoming.message.method.take() else { return Ok(None) };
        let Some(id) = incoming.message.id else {
            self.notification(&method, incoming.message.params);
            return Ok(None);
        };
        Ok(Some(Request { text, incoming, method, id }))
    }

    /// Runs a request to its outcome. Returns none when the server cancels it: its cell is dropped then, and the server
    /// expects no answer.
    async fn run(
        self: &Arc<Self>,
        request: &mut Request<'_>,
        route: &mut Route<'_>,
        span: &Span,
    ) -> Option<Result<Reply, RpcError>> {
        let id = request.id.get();
        if self.in_flight.was_cancelled(id) {
            return None;
        }
        let answering = pin!(self.request(request, route));
        // Pinned before it is instrumented: moving it would copy a kilobyte for each request.
        let mut answering = pin!(answering.instrument(span.clone()));
        match poll!(answering.as_mut()) {
            Poll::Ready(outcome) => Some(outcome),
            Poll::Pending => {
                let mut entry = self.in_flight.enter(id);
                tokio::select! {
                    biased;
                    Ok(()) = &mut entry.cancelled => None,
                    outcome = answering => Some(outcome),
                }
            }
        }
    }

    /// Reports an answer to the audit log, when the request was about tasks, and to the observer.
    fn report(&self, route: &Route<'_>, answered: &Answered<'_>) {
        if let (Some(audit), Some(kind)) = (&self.audit, route.kind)
            && kind.is_of_tasks()
        {
            audit.request(&Audited {
                principal: &self.principal,
                server: &self.server.name,
                method: answered.method,
                kind,
                handler: route.handler.map(KindHandler::digest),
                task: route.task.as_deref(),
                error: answered.error.map(|error| error.code),
                request: answered.request,
                response: answered.response,
            });
        }
        if let Some(observer) = &self.observer {
            observer(&Event::Answered(answered));
        }
    }

    fn notification(&self, method: &str, params: Option<&RawValue>) {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Cancelled<'a> {
            #[serde(borrow)]
            request_id: Option<&'a RawValue>,
            #[serde(borrow)]
            reason: Option<&'a RawValue>,
        }
        if method == "notifications/cancelled"
            && let Some(params) = params
            && let Ok(Cancelled { request_id: Some(id), reason }) = serde_json::from_str(params.get())
        {
            let reason = reason.map(|reason| one_line(reason.get(), MAX_QUOTE));
            tracing::debug!(request.id = id.get(), reason, "the server cancels a request");
            self.in_flight.cancel(id.get());
        }
    }

    /// Answers a request by its method. An error is an answer, too.
    async fn request(self: &Arc<Self>, request: &mut Request<'_>, route: &mut Route<'_>) -> Result<Reply, RpcError> {
        let Request { text, incoming, method, id } = request;
        if method == "ping" {
            return Reply::result(id, &Empty {}, Bounds::NONE);
        }
        let Some(kind) = route.kind else {
            return Err(RpcError::new(
                code::METHOD_NOT_FOUND,
                format!("Method not found: {}", one_line(method, MAX_QUOTE)),
            ));
        };
        let bounds = route.active.bounds;
        let (params, too_deep) = json::within(bounds.depth, || incoming.take_params(kind));
        let params = params.map_err(|error| {
            let message = one_line(&error.to_string(), MAX_QUOTE);
            if !too_deep {
                return RpcError::invalid_params(message);
            }
            let limit = bounds.depth as u64;
            let usage = Usage { current: Some(limit.saturating_add(1)), limit };
            limit_hit::log("json_depth", usage, None, &message, "a request is refused");
            RpcError::of_kind(code::INVALID_PARAMS, "json_depth", message)
        })?;
        match params {
            Params::Task(params) => self.task(route, kind, params, id).await,
            Params::List(params) => self.list_tasks(route, kind, params, id).await,
            Params::Sampling(params) => self.sampling(route, kind, *params, id).await,
            Params::Elicitation(params) => self.elicitation(route, kind, *params, id, text).await,
            Params::Roots(params) => self.roots(route, params, id).await,
        }
    }
}
