//! Metrics, through the `metrics` facade.
//!
//! Labels are words from tables of this crate, so their number is bounded whatever a server or a guest does.

use std::time::Duration;

use metrics::Unit;

use super::Outcome;
use crate::kinds::Kind;
use crate::protocol::types::TaskStatus;

/// Description of a metric.
#[derive(Debug)]
#[non_exhaustive]
pub struct MetricInfo {
    /// Name of the metric.
    pub name: &'static str,
    /// Type of the metric.
    pub metric_type: MetricType,
    /// Unit of the values.
    pub unit: Unit,
    /// Labels of each value.
    pub labels: &'static [&'static str],
    /// Meaning of the values.
    pub about: &'static str,
}

/// Type of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum MetricType {
    /// Number that only grows.
    Counter,
    /// Number that goes up and down.
    Gauge,
    /// Distribution of values, with the upper bounds of suitable buckets for recorders that have buckets.
    Histogram(&'static [f64]),
}

/// Buckets for times in seconds.
const SECONDS: MetricType = MetricType::Histogram(&[
    0.000_01, 0.000_025, 0.000_1, 0.000_25, 0.001, 0.002_5, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0, 30.0, 120.0, 600.0,
]);
/// Buckets for memory in bytes.
const BYTES: MetricType = MetricType::Histogram(&[
    65_536.0,
    262_144.0,
    1_048_576.0,
    2_097_152.0,
    4_194_304.0,
    8_388_608.0,
    16_777_216.0,
    33_554_432.0,
    67_108_864.0,
]);

macro_rules! metrics {
    ($($id:ident = $name:literal, $type:expr, $unit:ident, [$($label:literal),*], $about:literal;)+) => {
        $(const $id: &str = $name;)+

        /// All metrics of this crate.
        pub const METRICS: &[MetricInfo] = &[
            $(MetricInfo { name: $id, metric_type: $type, unit: Unit::$unit, labels: &[$($label),*], about: $about },)+
        ];
    };
}

metrics! {
    REQUESTS = "taskcell_requests_total", MetricType::Counter, Count, ["kind", "outcome"],
        "requests of servers that have ended";
    REQUEST_DURATION = "taskcell_request_duration_seconds", SECONDS, Seconds, ["kind"],
        "from a request's text to the answer's";
    CELLS = "taskcell_cells", MetricType::Gauge, Count, [],
        "cells that serve now; those that wait for their next request do not count";
    CELL_CPU = "taskcell_cell_cpu_seconds", SECONDS, Seconds, ["kind"],
        "what a guest computed in one call, with what the host computed for it meanwhile";
    CELL_MEMORY = "taskcell_cell_memory_bytes", BYTES, Bytes, ["kind"],
        "the most memory that a guest had in one call";
    IMPORTS = "taskcell_imports_total", MetricType::Counter, Count, ["interface", "function", "outcome"],
        "calls of host functions";
    IMPORT_DURATION = "taskcell_import_duration_seconds", SECONDS, Seconds, ["interface", "function"],
        "how long a host function took, waiting included";
    MODEL_TOKENS = "taskcell_model_tokens_total", MetricType::Counter, Count, ["direction"],
        "tokens that models read (`input`) and wrote (`output`), where they said so";
    TASKS_CREATED = "taskcell_tasks_created_total", MetricType::Counter, Count, [],
        "tasks that were made";
    TASKS_ENDED = "taskcell_tasks_ended_total", MetricType::Counter, Count, ["status"],
        "tasks that ended, by the status that they ended in";
    LOADS = "taskcell_component_loads_total", MetricType::Counter, Count, ["source"],
        "components that were compiled (`compiler`) or found compiled (`cache`)";
    LOAD_DURATION = "taskcell_component_load_seconds", SECONDS, Seconds, ["source"],
        "time to compile a component, or to find it compiled";
    RELOADS = "taskcell_reloads_total", MetricType::Counter, Count, ["outcome"],
        "reloads of handlers: `replaced`, `unchanged`, `failed`";
    LIMIT_HITS = "taskcell_limit_hits_total", MetricType::Counter, Count, ["kind"],
        "limits that were hit, by the kind of the error";
}

/// Describes all metrics to the installed recorder: their units and meanings. Call it once, after installing the
/// recorder.
pub fn describe_metrics() {
    for MetricInfo { name, metric_type, unit, about, .. } in METRICS {
        match metric_type {
            MetricType::Counter => metrics::describe_counter!(*name, *unit, *about),
            MetricType::Gauge => metrics::describe_gauge!(*name, *unit, *about),
            MetricType::Histogram(_) => metrics::describe_histogram!(*name, *unit, *about),
        }
    }
}

/// Whether a recorder is installed. The no-op recorder has size zero; a recorder that keeps metrics has not.
pub(super) fn recording() -> bool {
    metrics::with_recorder(|recorder| size_of_val(recorder) > 0)
}

/// Returns the label `kind`: the kind's export.
fn label(kind: Option<Kind>) -> &'static str {
    kind.map_or("other", |kind| kind.info().export)
}

pub(super) fn request_ended(kind: Option<Kind>, outcome: Outcome, duration: Duration) {
    if recording() {
        metrics::counter!(REQUESTS, "kind" => label(kind), "outcome" => outcome.into_str()).increment(1);
        metrics::histogram!(REQUEST_DURATION, "kind" => label(kind)).record(duration);
    }
}

pub(super) fn cell_begun() {
    metrics::gauge!(CELLS).increment(1);
}

pub(super) fn cell_ended(export: &'static str, cpu: Duration, memory: usize) {
    metrics::gauge!(CELLS).decrement(1);
    metrics::histogram!(CELL_CPU, "kind" => export).record(cpu);
    #[expect(clippy::cast_precision_loss, reason = "memory is far below 2^52 bytes")]
    metrics::histogram!(CELL_MEMORY, "kind" => export).record(memory as f64);
}

pub(super) fn import_ended(interface: &'static str, function: &'static str, outcome: Outcome, duration: Duration) {
    if recording() {
        let labels = [("interface", interface), ("function", function)];
        metrics::counter!(IMPORTS, "interface" => interface, "function" => function, "outcome" => outcome.into_str())
            .increment(1);
        metrics::histogram!(IMPORT_DURATION, &labels).record(duration);
    }
}

pub(super) fn model_tokens(input: Option<u64>, output: Option<u64>) {
    if recording() {
        metrics::counter!(MODEL_TOKENS, "direction" => "input").increment(input.unwrap_or(0));
        metrics::counter!(MODEL_TOKENS, "direction" => "output").increment(output.unwrap_or(0));
    }
}

/// Counts a new task.
pub(crate) fn task_created() {
    metrics::counter!(TASKS_CREATED).increment(1);
}

/// Counts a task that ended in `status`.
pub(crate) fn task_ended(status: TaskStatus) {
    if recording() {
        metrics::counter!(TASKS_ENDED, "status" => status.as_str()).increment(1);
    }
}

/// Counts a component that was compiled, or found in the cache.
pub(crate) fn component_loaded(cached: bool, duration: Duration) {
    if recording() {
        let source = if cached { "cache" } else { "compiler" };
        metrics::counter!(LOADS, "source" => source).increment(1);
        metrics::histogram!(LOAD_DURATION, "source" => source).record(duration);
    }
}

/// Counts an attempt to replace a handler, by its outcome.
pub(crate) fn reloaded(outcome: &'static str) {
    if recording() {
        metrics::counter!(RELOADS, "outcome" => outcome).increment(1);
    }
}

/// Counts a limit that was hit.
pub(crate) fn limit_hit(kind: &'static str) {
    if recording() {
        metrics::counter!(LIMIT_HITS, "kind" => kind).increment(1);
    }
}
