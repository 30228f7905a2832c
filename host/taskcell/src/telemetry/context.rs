//! W3C trace context, from and to `_meta` of messages.
//! [basic, `_meta`: `traceparent`, `tracestate`; W3C Trace Context, 3]
//!
//! With a [`Propagator`], the span of a request continues the trace of the server that sent it, and calls to a server
//! carry the trace on. Without one, the trace context of a request is a field of its span, so that logs can be joined.
//! `baggage` is neither read nor sent: the host has no use for it, and it may contain anything.
//!
//! The context of a server is checked before use; a malformed one counts as absent. It stays in `_meta`, where the
//! handler finds it unchanged. A guest's requests through `wasi:http` carry no context, which would let a third party
//! follow a user.

use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::value::RawValue;
use tracing::Span;

/// Member of `_meta` with the position in a trace. [W3C Trace Context, 3.2]
pub const TRACEPARENT: &str = "traceparent";
/// Member of `_meta` with data that tracing systems add to the position. [W3C Trace Context, 3.3]
pub const TRACESTATE: &str = "tracestate";

/// Size of a `traceparent` of version 0, and the limit for later versions, in bytes.
const SIZE: usize = 55;
const MAX_SIZE: usize = 200;
/// Size of a `tracestate` that must be carried on, in bytes; a longer one is left out. [W3C Trace Context, 3.3.1.5]
const MAX_STATE: usize = 512;

/// Position in a trace, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    /// Value of `traceparent`.
    pub parent: String,
    /// Value of `tracestate`, where there is one.
    pub state: Option<String>,
}

/// Bridge between the spans of this crate and the trace context in MCP messages, for the system that keeps the traces.
/// The crate `taskcell-otel` implements it for the layer of OpenTelemetry.
pub trait Propagator: Send + Sync + 'static {
    /// Returns the trace context of the current span; none outside of a trace.
    fn current(&self) -> Option<TraceContext>;

    /// Makes `span`, which is not entered yet, continue the trace at `context`, and link to the span of its `session`.
    fn continue_trace(&self, span: &Span, session: &Span, context: &TraceContext);
}

static PROPAGATOR: OnceLock<Box<dyn Propagator>> = OnceLock::new();

/// Sets the propagator of the process. Returns false, and keeps the first one, if there is one already.
pub fn set_propagator(propagator: impl Propagator) -> bool {
    PROPAGATOR.set(Box::new(propagator)).is_ok()
}

/// Members of `_meta` with trace context. Each is read alone, so that one of a wrong type does not hide the other.
#[derive(Deserialize)]
struct Meta<'a> {
    #[serde(borrow)]
    traceparent: Option<&'a RawValue>,
    #[serde(borrow)]
    tracestate: Option<&'a RawValue>,
}

impl TraceContext {
    /// Reads the trace context of a request from its text, which is known to be JSON-RPC.
    pub(super) fn of_request(text: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Request<'a> {
            #[serde(borrow)]
            params: Option<Params<'a>>,
        }
        #[derive(Deserialize)]
        struct Params<'a> {
            #[serde(borrow, rename = "_meta")]
            meta: Option<Meta<'a>>,
        }
        // Most requests have none, and are not parsed again to find that.
        if !text.contains(TRACEPARENT) {
            return None;
        }
        let Request { params } = serde_json::from_str(text).ok()?;
        Self::read(params?.meta?)
    }

    /// Reads the trace context of a `_meta`.
    pub(super) fn of_meta(meta: &str) -> Option<Self> {
        Self::read(serde_json::from_str(meta).ok()?)
    }

    fn read(Meta { traceparent, tracestate }: Meta<'_>) -> Option<Self> {
        let text = |value: &RawValue| serde_json::from_str::<String>(value.get()).ok();
        let parent = traceparent.and_then(text).filter(|parent| is_parent(parent))?;
        Some(Self { parent, state: tracestate.and_then(text).filter(|state| is_state(state)) })
    }
}

/// Returns the members that continue the current trace in `_meta` of a request to a server: [`TRACEPARENT`], and
/// [`TRACESTATE`] where there is one. Empty without a [`Propagator`], and outside of a trace that one keeps.
/// [basic, `_meta`]
pub fn outgoing_meta() -> impl Iterator<Item = (&'static str, String)> {
    let context = PROPAGATOR.get().and_then(|propagator| propagator.current());
    let (parent, state) = context.map_or((None, None), |context| (Some(context.parent), context.state));
    parent.map(|parent| (TRACEPARENT, parent)).into_iter().chain(state.map(|state| (TRACESTATE, state)))
}

/// Makes a span, which is not entered yet, continue the trace of the sender, with a link to the span of its session.
pub(super) fn adopt(span: &Span, session: &Span, context: Option<TraceContext>) {
    let Some(context) = context else { return };
    span.record("taskcell.traceparent", &*context.parent);
    if let Some(propagator) = PROPAGATOR.get() {
        propagator.continue_trace(span, session, &context);
    }
}

/// Whether a text is a `traceparent`. [W3C Trace Context, 3.2.2]
fn is_parent(text: &str) -> bool {
    let (Some(known), rest) = (text.get(..SIZE), text.get(SIZE..).unwrap_or_default()) else { return false };
    let mut parts = known.split('-');
    let mut part = |size: usize| {
        let part = parts.next().filter(|part| part.len() == size);
        part.filter(|part| part.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')))
    };
    let (Some(version), Some(trace), Some(span), Some(_)) = (part(2), part(32), part(16), part(2)) else {
        return false;
    };
    let is_zero = |id: &str| id.bytes().all(|digit| digit == b'0');
    // Later versions may have more parts.
    let ends = rest.is_empty() || (version != "00" && rest.starts_with('-') && text.len() <= MAX_SIZE);
    version != "ff" && !is_zero(trace) && !is_zero(span) && ends && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_state(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_STATE && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    /// Columns: the two members that a server writes, and whether each is read.
    #[test]
    fn what_is_no_trace_context_counts_as_absent() {
        let long = format!("\"{PARENT}{}\"", "-x".repeat(100));
        let longer_state = format!("\"a={}\"", "b".repeat(511));
        #[rustfmt::skip]
        let rows: &[(&str, &str, bool, bool)] = &[
            ("\"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\"",      "\"a=1,b=2\"",      true,  true),
            ("\"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00\"",      "null",             true,  false),
            ("\"cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more\"", "7",                true,  false),
            ("\"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\"",      "\"\"",             true,  false),
            ("\"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\"",      "\"a=\\u001b[2J\"", true,  false),
            ("\"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\"",      "\"a=é\"",          true,  false),
            ("\"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\"",      &longer_state,      true,  false),
            ("\"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more\"", "\"a=1\"",          false, false),
            ("\"ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\"",      "\"a=1\"",          false, false),
            ("\"00-00000000000000000000000000000000-b7ad6b7169203331-01\"",      "\"a=1\"",          false, false),
            ("\"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01\"",      "\"a=1\"",          false, false),
            ("\"00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01\"",      "\"a=1\"",          false, false),
            ("\"00-0af7651916cd43dd8448eb211c80319-cb7ad6b7169203331-01\"",      "\"a=1\"",          false, false),
            ("\"cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-\\u001b\"", "\"a=1\"",       false, false),
            ("\"00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333é-01\"",      "\"a=1\"",          false, false),
            (&long,                                                              "\"a=1\"",          false, false),
            ("\"\"",                                                             "\"a=1\"",          false, false),
            ("7",                                                                "\"a=1\"",          false, false),
            ("[\"traceparent\"]",                                                "\"a=1\"",          false, false),
            ("null",                                                             "\"a=1\"",          false, false),
        ];
        for (parent, state, has_parent, has_state) in rows {
            let meta = format!(r#"{{"traceparent":{parent},"other":[1],"tracestate":{state}}}"#);
            let request = format!(r#"{{"method":"x","params":{{"a":{{}},"_meta":{meta}}}}}"#);
            let found = TraceContext::of_request(&request);
            assert_eq!(found.is_some(), *has_parent, "{parent}");
            assert_eq!(found.as_ref().is_some_and(|found| found.state.is_some()), *has_state, "{state}");
            assert_eq!(TraceContext::of_meta(&meta), found);
        }
        for text in [r#"{"params":["traceparent"]}"#, r#"{"params":{"_meta":"traceparent"}}"#, r#"{"traceparent":1}"#] {
            assert_eq!(TraceContext::of_request(text), None, "{text}");
        }
    }
}
