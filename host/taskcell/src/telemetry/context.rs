//! W3C trace context, from and to `_meta` of messages. [basic, `_meta`: `traceparent`, `tracestate`; W3C Trace Context, 3]
//!
//! With a [`Propagator`], the span of a request continues the trace of the server that sent it, and calls to a server carry the
//! trace on. Without, what a request carries is a field of its span, so that logs can be joined. `baggage` is neither read
//! nor sent: nobody here has a use for it, and it may hold anything.
//!
//! What a server writes is checked before anybody reads it; what is wrong counts as absent. It is left in `_meta`, where the
//! handler finds it as it was. A guest's requests through `wasi:http` carry no context: it would let a third party follow a
//! user.

use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::value::RawValue;
use tracing::Span;

/// The member of `_meta` that names a place in a trace. [W3C Trace Context, 3.2]
pub const TRACEPARENT: &str = "traceparent";
/// The member of `_meta` with what tracing systems add to that. [W3C Trace Context, 3.3]
pub const TRACESTATE: &str = "tracestate";

/// Bytes of a `traceparent`: of version 0, and the most of later ones.
const SIZE: usize = 55;
const MAX_SIZE: usize = 200;
/// Bytes of a `tracestate` that have to be carried on; what has more is left out. [W3C Trace Context, 3.3.1.5]
const MAX_STATE: usize = 512;

/// A place in a trace, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    /// The `traceparent`.
    pub parent: String,
    /// The `tracestate`, where there is one.
    pub state: Option<String>,
}

/// Carries traces on between the spans of this crate and the messages of MCP, for whatever keeps the traces. The crate
/// `taskcell-otel` has one for the layer of OpenTelemetry.
pub trait Propagator: Send + Sync + 'static {
    /// Gives the place in a trace of the span that the caller is in; none where nothing keeps one.
    fn current(&self) -> Option<TraceContext>;

    /// Has `span`, which nobody has entered yet, continue the trace at `context`, and refer to the span of its session by
    /// a link.
    fn continue_trace(&self, span: &Span, session: &Span, context: &TraceContext);
}

static PROPAGATOR: OnceLock<Box<dyn Propagator>> = OnceLock::new();

/// Sets the propagator of the process. The first one stays: false where there is one already.
pub fn set_propagator(propagator: impl Propagator) -> bool {
    PROPAGATOR.set(Box::new(propagator)).is_ok()
}

/// `_meta`, as far as it is about traces. Members of a wrong type must not hide the others.
#[derive(Deserialize)]
struct Meta<'a> {
    #[serde(borrow)]
    traceparent: Option<&'a RawValue>,
    #[serde(borrow)]
    tracestate: Option<&'a RawValue>,
}

impl TraceContext {
    /// That of a request, by its text, which was read as JSON-RPC before.
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
        // Most have none, and are not read again to find that.
        if !text.contains(TRACEPARENT) {
            return None;
        }
        let Request { params } = serde_json::from_str(text).ok()?;
        Self::read(params?.meta?)
    }

    /// That of `_meta`.
    pub(super) fn of_meta(meta: &str) -> Option<Self> {
        Self::read(serde_json::from_str(meta).ok()?)
    }

    fn read(Meta { traceparent, tracestate }: Meta<'_>) -> Option<Self> {
        let text = |value: &RawValue| serde_json::from_str::<String>(value.get()).ok();
        let parent = traceparent.and_then(text).filter(|parent| is_parent(parent))?;
        Some(Self { parent, state: tracestate.and_then(text).filter(|state| is_state(state)) })
    }
}

/// The members that `_meta` of a request gets that is sent now; none where nobody traces.
pub fn outgoing() -> impl Iterator<Item = (&'static str, String)> {
    let context = PROPAGATOR.get().and_then(|propagator| propagator.current());
    let (parent, state) = context.map_or((None, None), |context| (Some(context.parent), context.state));
    parent.map(|parent| (TRACEPARENT, parent)).into_iter().chain(state.map(|state| (TRACESTATE, state)))
}

/// Has a span, which nobody has entered yet, continue the trace of whoever sent this; its own session is a link of it.
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

    /// What a server writes, and what is made of it.
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
