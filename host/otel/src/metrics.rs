//! Metrics recorder that exports to OpenTelemetry.
//!
//! `metrics-exporter-opentelemetry` creates an instrument on each request for one, and its gauges start from zero then.
//! So each instrument is created once and kept here. Units and buckets come from the table of metrics, by views: with
//! those of the exporter, the first value of a metric would have a unit and the others none.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, SharedString, Unit};
use opentelemetry_otlp::MetricExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::periodic_reader_with_async_runtime::PeriodicReader;
use opentelemetry_sdk::metrics::{Aggregation, Instrument, SdkMeterProvider, Stream};
use opentelemetry_sdk::runtime::Tokio;

use taskcell::telemetry::{METRICS, MetricInfo, MetricType};

/// Number of instruments that are kept: those of taskcell, and as many of an application.
const MAX_KEPT: usize = 10_000;

/// Metrics recorder. Clones share their instruments.
#[derive(Clone)]
pub(super) struct Recorder(Arc<Kept>);

struct Kept {
    makes: metrics_exporter_opentelemetry::Recorder,
    counters: Table<Counter>,
    gauges: Table<Gauge>,
    histograms: Table<Histogram>,
}

type Table<T> = RwLock<HashMap<Key, T>>;

/// Creates a recorder that exports periodically through `exporter`, on the current runtime.
pub(super) fn recorder(exporter: MetricExporter, resource: Resource) -> (SdkMeterProvider, Recorder) {
    let reader = PeriodicReader::builder(exporter, Tokio).build();
    let builder = metrics_exporter_opentelemetry::Recorder::builder(super::SERVICE);
    let builder = builder.with_meter_provider(|provider| {
        provider.with_reader(reader).with_resource(resource).with_view(|instrument: &Instrument| {
            METRICS.iter().find(|info| info.name == instrument.name()).and_then(stream)
        })
    });
    let (provider, makes) = builder.build();
    let kept = Kept { makes, counters: Table::default(), gauges: Table::default(), histograms: Table::default() };
    (provider, Recorder(Arc::new(kept)))
}

/// Returns the view of a metric.
fn stream(info: &MetricInfo) -> Option<Stream> {
    // OpenTelemetry writes units as in [UCUM].
    let unit = match info.unit {
        Unit::Seconds => "s",
        Unit::Bytes => "By",
        _ => "1",
    };
    let stream = Stream::builder().with_name(info.name).with_unit(unit).with_description(info.about);
    let stream = match info.metric_type {
        MetricType::Histogram(bounds) => stream.with_aggregation(Aggregation::ExplicitBucketHistogram {
            boundaries: bounds.to_vec(),
            record_min_max: true,
        }),
        _ => stream,
    };
    stream.build().ok()
}

fn kept<T: Clone>(table: &Table<T>, key: &Key, make: impl FnOnce() -> T) -> T {
    if let Some(found) = table.read().unwrap_or_else(PoisonError::into_inner).get(key) {
        return found.clone();
    }
    let mut table = table.write().unwrap_or_else(PoisonError::into_inner);
    if table.len() >= MAX_KEPT {
        return make();
    }
    table.entry(key.clone()).or_insert_with(make).clone()
}

impl metrics::Recorder for Recorder {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, metadata: &Metadata<'_>) -> Counter {
        kept(&self.0.counters, key, || self.0.makes.register_counter(key, metadata))
    }

    fn register_gauge(&self, key: &Key, metadata: &Metadata<'_>) -> Gauge {
        kept(&self.0.gauges, key, || self.0.makes.register_gauge(key, metadata))
    }

    fn register_histogram(&self, key: &Key, metadata: &Metadata<'_>) -> Histogram {
        kept(&self.0.histograms, key, || self.0.makes.register_histogram(key, metadata))
    }
}
