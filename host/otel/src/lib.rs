//! Export of spans and metrics through OpenTelemetry: OTLP over HTTP, configured by the standard environment variables.
//!
//! An application with a pipeline of its own needs only [`install_propagator`]: a layer of `tracing-opentelemetry` sees
//! the spans of [`taskcell::telemetry`] like all others, and with the propagator requests continue the traces of their
//! servers. [`Export`] is for the `taskcell` program, and for applications without a pipeline.
//!
//! Spans and metrics go through bounded queues to a thread with a runtime of its own, so no request waits for a
//! collector. Data that does not fit into the queues is lost. Only spans of taskcell are exported, never events: log
//! lines contain what handlers print.
//!
//! ```no_run
//! use tracing_subscriber::layer::SubscriberExt;
//! use tracing_subscriber::util::SubscriberInitExt;
//!
//! let export = taskcell_otel::Export::from_env()?; // none without OTEL_EXPORTER_OTLP_ENDPOINT
//! tracing_subscriber::registry().with(export.as_ref().and_then(|export| export.layer())).init();
//! if let Some(export) = &export {
//!     export.install_metrics()?;
//! }
//! // Here the application runs.
//! if let Some(export) = export {
//!     export.shutdown(std::time::Duration::from_secs(3))?; // sends what is left
//! }
//! # Ok::<(), taskcell_otel::ExportError>(())
//! ```
//!
//! | variable | meaning |
//! |---|---|
//! | `OTEL_EXPORTER_OTLP_ENDPOINT` | URL of the collector, without the path of the signal |
//! | `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` | whole URL for spans; alone, it exports only spans |
//! | `OTEL_EXPORTER_OTLP_METRICS_ENDPOINT` | whole URL for metrics; alone, it exports only metrics |
//! | `OTEL_TRACES_EXPORTER`, `OTEL_METRICS_EXPORTER` | `none` switches the signal off |
//! | `OTEL_SDK_DISABLED` | `true` switches the export off |
//! | `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES` | exporting service; `service.name` is `taskcell` by default |
//! | `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_EXPORTER_OTLP_TIMEOUT` | as in the specification of OpenTelemetry |
//! | `OTEL_TRACES_SAMPLER`, `OTEL_BSP_*`, `OTEL_METRIC_EXPORT_INTERVAL` | as in the specification of OpenTelemetry |

mod metrics;
mod propagation;
mod thread;

use std::sync::mpsc;
use std::time::Duration;

use opentelemetry::Key;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{MetricExporter, SpanExporter};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::runtime::Tokio;
use opentelemetry_sdk::trace::SdkTracerProvider;
use opentelemetry_sdk::trace::span_processor_with_async_runtime::BatchSpanProcessor;
use taskcell::telemetry;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{FilterFn, LevelFilter};
use tracing_subscriber::registry::LookupSpan;

use thread::Thread;

/// Default of `service.name`.
const SERVICE: &str = "taskcell";

/// Time that [`Export`] waits for the collector when it is dropped.
const PATIENCE: Duration = Duration::from_secs(3);

/// Variables that name a collector: for all signals, for spans, for metrics.
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
const METRICS_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT";

/// Reason why spans or metrics are not exported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// An environment variable is wrong, or the exporting thread cannot be started.
    #[error("spans and metrics cannot be exported: {0}; look at the variables OTEL_EXPORTER_OTLP_*")]
    Setup(String),
    /// The process already has a metrics recorder.
    #[error("metrics cannot be exported: another recorder is installed")]
    Recorder,
    /// The last spans and metrics did not reach the collector.
    #[error("the last spans and metrics were not exported: {0}")]
    Flush(String),
}

/// Running export. Dropping it sends the remaining data, and waits up to three seconds for that.
pub struct Export {
    spans: Option<SdkTracerProvider>,
    metrics: Option<(SdkMeterProvider, metrics::Recorder)>,
    /// Exporting thread, which ends after the providers that need it.
    thread: Thread,
}

impl std::fmt::Debug for Export {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Export")
            .field("spans", &self.spans.is_some())
            .field("metrics", &self.metrics.is_some())
            .finish_non_exhaustive()
    }
}

/// Returns whether spans, and whether metrics, are to be exported.
fn wanted() -> (bool, bool) {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let off = variable("OTEL_SDK_DISABLED").eq_ignore_ascii_case("true");
    let wants = |endpoint: &str, exporter: &str| {
        !off && variable(exporter) != "none" && !(variable(ENDPOINT) + &variable(endpoint)).is_empty()
    };
    (wants(TRACES_ENDPOINT, "OTEL_TRACES_EXPORTER"), wants(METRICS_ENDPOINT, "OTEL_METRICS_EXPORTER"))
}

/// Makes requests continue the traces of their servers, and calls to servers carry traces on, under any layer of
/// `tracing-opentelemetry`. It is for an application with a pipeline of its own; [`Export::from_env`] calls it, too.
pub fn install_propagator() {
    // A propagator that is installed already does the same.
    let _ = telemetry::set_propagator(propagation::LayerPropagator);
}

impl Export {
    /// Sets up the export that the environment asks for; none when it names no collector. Nothing is sent yet, so a
    /// missing collector is noticed later.
    ///
    /// # Errors
    /// [`ExportError::Setup`]
    pub fn from_env() -> Result<Option<Self>, ExportError> {
        let (spans, metrics) = wanted();
        if !spans && !metrics {
            return Ok(None);
        }
        // The exporters build reqwest clients. An error means that a provider is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let setup = |error: &dyn std::fmt::Display| ExportError::Setup(error.to_string());
        let thread = Thread::start().map_err(|error| setup(&error))?;
        // Background tasks of the exporters start on the thread.
        let _there = thread.enter();
        let spans = if spans {
            install_propagator();
            let exporter = SpanExporter::builder().with_http().build().map_err(|error| setup(&error))?;
            let processor = BatchSpanProcessor::builder(exporter, Tokio).build();
            Some(SdkTracerProvider::builder().with_resource(resource()).with_span_processor(processor).build())
        } else {
            None
        };
        let metrics = if metrics {
            let exporter = MetricExporter::builder().with_http().build().map_err(|error| setup(&error))?;
            Some(metrics::recorder(exporter, resource()))
        } else {
            None
        };
        Ok(Some(Self { spans, metrics, thread }))
    }

    /// Returns a layer that exports the spans of taskcell; none when only metrics are exported.
    pub fn layer<S>(&self) -> Option<impl Layer<S> + Send + Sync + 'static>
    where
        S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        let tracer = self.spans.as_ref()?.tracer(SERVICE);
        let layer = tracing_opentelemetry::layer().with_tracer(tracer);
        let layer = layer.with_location(false).with_threads(false).with_target(false).with_tracked_inactivity(false);
        let is_ours = FilterFn::new(|metadata| metadata.is_span() && metadata.target().starts_with(TARGET));
        Some(layer.with_filter(is_ours.with_max_level_hint(LevelFilter::DEBUG)))
    }

    /// Installs the recorder of the process, for all its metrics. Those of taskcell have the units and buckets of
    /// [`taskcell::telemetry::METRICS`], so [`describe_metrics`](taskcell::telemetry::describe_metrics) need not be
    /// called.
    ///
    /// # Errors
    /// [`ExportError::Recorder`]
    pub fn install_metrics(&self) -> Result<(), ExportError> {
        match &self.metrics {
            Some((_, recorder)) => ::metrics::set_global_recorder(recorder.clone()).map_err(|_| ExportError::Recorder),
            None => Ok(()),
        }
    }

    /// Sends the remaining data and ends the export. It blocks for up to `limit`, so call it outside of a runtime.
    ///
    /// # Errors
    /// [`ExportError::Flush`]
    pub fn shutdown(mut self, limit: Duration) -> Result<(), ExportError> {
        self.flush(limit)
    }

    fn flush(&mut self, limit: Duration) -> Result<(), ExportError> {
        let (spans, metrics) = (self.spans.take(), self.metrics.take());
        let (told, tells) = mpsc::channel::<OTelSdkResult>();
        let mut left = 0;
        // Both shut down concurrently, on threads of their own, because a shutdown may never end.
        let shutdowns: [Option<Box<dyn FnOnce() -> OTelSdkResult + Send>>; 2] = [
            spans.map(|spans| Box::new(move || spans.shutdown_with_timeout(limit)) as Box<_>),
            metrics.map(|(metrics, _)| Box::new(move || metrics.shutdown_with_timeout(limit)) as Box<_>),
        ];
        for shutdown in shutdowns.into_iter().flatten() {
            let told = told.clone();
            let thread = std::thread::Builder::new().name("taskcell-flush".to_owned());
            let started = thread.spawn(move || {
                let _ = told.send(shutdown());
            });
            started.map_err(|error| ExportError::Flush(error.to_string()))?;
            left += 1;
        }
        let end = std::time::Instant::now() + limit;
        for _ in 0..left {
            let left = end.saturating_duration_since(std::time::Instant::now());
            match tells.recv_timeout(left) {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Err(ExportError::Flush(error.to_string())),
                Err(_) => return Err(ExportError::Flush(format!("the collector did not answer within {limit:?}"))),
            }
        }
        Ok(())
    }
}

impl Drop for Export {
    fn drop(&mut self) {
        if let Err(error) = self.flush(PATIENCE) {
            tracing::warn!(%error, "the export did not end cleanly");
        }
        self.thread.stop();
    }
}

/// Prefix of the targets of taskcell's spans.
const TARGET: &str = "taskcell::observe";

/// Returns the resource that describes the exporting service.
fn resource() -> Resource {
    let resource = Resource::builder().build();
    let name = resource.get(&Key::from_static_str("service.name"));
    // Default of the SDK when no service is named.
    match name.is_none_or(|name| name.as_str().starts_with("unknown_service")) {
        true => Resource::builder().with_service_name(SERVICE).build(),
        false => resource,
    }
}
