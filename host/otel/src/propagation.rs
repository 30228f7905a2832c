//! Trace context of spans that a layer of OpenTelemetry keeps.

use std::collections::HashMap;

use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use taskcell::telemetry::{Propagator, TRACEPARENT, TRACESTATE, TraceContext};

/// Adapter that reads a [`TraceContext`] like the members of a message.
struct Members<'a>(&'a TraceContext);

impl Extractor for Members<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        match key {
            TRACEPARENT => Some(&self.0.parent),
            TRACESTATE => self.0.state.as_deref(),
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT, TRACESTATE]
    }
}

/// Propagator for the traces that a layer of OpenTelemetry keeps.
pub(super) struct LayerPropagator;

impl Propagator for LayerPropagator {
    fn current(&self) -> Option<TraceContext> {
        let span = Span::current();
        if span.is_disabled() {
            return None;
        }
        let mut members = HashMap::new();
        TraceContextPropagator::new().inject_context(&span.context(), &mut members);
        let parent = members.remove(TRACEPARENT)?;
        Some(TraceContext { parent, state: members.remove(TRACESTATE).filter(|state| !state.is_empty()) })
    }

    fn continue_trace(&self, span: &Span, session: &Span, context: &TraceContext) {
        let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), &Members(context));
        // Setting the parent fails only without the layer.
        if span.set_parent(parent).is_ok() {
            span.follows_from(session);
        }
    }
}
