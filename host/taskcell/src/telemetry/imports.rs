//! Telemetry of one call of a host function.
//!
//! Functions of `taskcell:handlers`, `wasi:keyvalue` and `wasi:http` have spans. `wasi:config` and the WASI functions
//! of every cell answer at once from memory and have none: a guest that reads a clock in a loop would make a million
//! spans.

use std::future::Future;
use std::time::Instant;

use tracing::field::Empty;
use tracing::{Instrument, Span};

use super::{MAX_NAME, Outcome, begin, end, metrics, span};
use crate::support::polled;
use crate::text::one_line;

/// Host function: its interface, without the version, and its name.
pub(crate) struct Import(pub(crate) &'static str, pub(crate) &'static str);

/// Watches a host function, which returns a result to the guest or traps.
///
/// The span starts now, as a child of the cell's span, because some calls are polled elsewhere.
pub(crate) fn import<T, E, B>(
    import: Import,
    call: impl Future<Output = Result<Result<T, E>, B>>,
) -> impl Future<Output = Result<Result<T, E>, B>> {
    let Import(interface, function) = import;
    let span = span!(
        DEBUG,
        "import",
        otel.name = format!("{interface}.{function}"),
        otel.status_code = Empty,
        taskcell.import.interface = interface,
        taskcell.import.function = function,
        gen_ai.response.model = Empty,
        gen_ai.usage.input_tokens = Empty,
        gen_ai.usage.output_tokens = Empty,
        taskcell.outcome = Empty,
        taskcell.wall_us = Empty,
    );
    let start = begin(&span);
    let mut watch = ImportWatch { span: span.clone(), start, interface, function, outcome: Outcome::Dropped };
    async move {
        let given = polled::inside(call.instrument(span)).await;
        watch.ended(&given);
        given
    }
}

/// Watch of one call of a host function. Dropping it ends the span.
struct ImportWatch {
    span: Span,
    start: Option<Instant>,
    interface: &'static str,
    function: &'static str,
    outcome: Outcome,
}

impl ImportWatch {
    fn ended<T, E, B>(&mut self, given: &Result<Result<T, E>, B>) {
        self.outcome = match given {
            Ok(Ok(_)) => Outcome::Ok,
            Ok(Err(_)) => Outcome::Error,
            Err(_) => Outcome::Failed,
        };
    }
}

impl Drop for ImportWatch {
    fn drop(&mut self) {
        if let Some(start) = self.start {
            let wall = end(&self.span, start, self.outcome);
            metrics::import_ended(self.interface, self.function, self.outcome, wall);
        }
    }
}

/// Records the model and the tokens that it read and wrote, in the span of the current import and in the metrics.
pub(crate) fn model_used(model: Option<&str>, input_tokens: Option<u64>, output_tokens: Option<u64>) {
    metrics::model_tokens(input_tokens, output_tokens);
    let span = Span::current();
    if span.is_disabled() {
        return;
    }
    let number = |tokens: Option<u64>| tokens.and_then(|tokens| i64::try_from(tokens).ok());
    span.record("gen_ai.response.model", model.map(|model| one_line(model, MAX_NAME)));
    span.record("gen_ai.usage.input_tokens", number(input_tokens));
    span.record("gen_ai.usage.output_tokens", number(output_tokens));
}
