//! The trace context of spans that a layer of OpenTelemetry keeps.

use std::collections::HashMap;

use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::observe::{TRACEPARENT, TRACESTATE, TraceContext};

impl Extractor for TraceContext {
    fn get(&self, key: &str) -> Option<&str> {
        match key {
            TRACEPARENT => Some(&self.parent),
            TRACESTATE => self.state.as_deref(),
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT, TRACESTATE]
    }
}

/// That of the span that this is in; none where no layer keeps one.
pub(crate) fn current() -> Option<TraceContext> {
    let span = Span::current();
    if span.is_disabled() {
        return None;
    }
    let mut members = HashMap::new();
    TraceContextPropagator::new().inject_context(&span.context(), &mut members);
    let parent = members.remove(TRACEPARENT)?;
    Some(TraceContext { parent, state: members.remove(TRACESTATE).filter(|state| !state.is_empty()) })
}

/// Has a span that nobody has entered yet continue a trace, and refer to its session by a link.
pub(crate) fn continue_trace(span: &Span, session: &Span, context: &TraceContext) {
    let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), context);
    // It fails only where the layer is not installed.
    if span.set_parent(parent).is_ok() {
        span.follows_from(session);
    }
}
