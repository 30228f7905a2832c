//! Log on stderr, and export of spans and metrics when the environment names a collector.

use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use crate::terminal::color;
use crate::terminal::wrap;

#[cfg(feature = "otel")]
pub(super) use exporting::Telemetry;
#[cfg(not(feature = "otel"))]
pub(super) use not_built_in::Telemetry;

/// Returns the log layer. A command that reports on cells itself does not log each failed cell.
fn log<S: tracing::Subscriber + for<'a> LookupSpan<'a>>(verbose: u8, reports_cells: bool) -> impl Layer<S> {
    let level = match verbose {
        0 if reports_cells => "warn,taskcell::error=error,taskcell::hit=error",
        0 => "warn",
        // Spans would add a prefix to each line.
        1 => "taskcell=info,taskcell::observe=warn,warn",
        _ => "taskcell=debug,info",
    };
    let filter = EnvFilter::try_from_env("TASKCELL_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    tracing_subscriber::fmt::layer()
        .with_writer(|| wrap::Log)
        .with_ansi(color::is_on(&std::io::stderr()))
        .with_target(false)
        .with_filter(filter)
}

#[cfg(feature = "otel")]
mod exporting {
    use std::time::Duration;

    use super::*;
    use taskcell_otel::Export;

    /// Time that the end of the program waits for a collector.
    const PATIENCE: Duration = Duration::from_secs(3);

    /// Export of spans and metrics until the end of the program.
    pub(crate) struct Telemetry(Option<Export>);

    impl Telemetry {
        /// Starts the log, and the export for a command that runs handlers for somebody. A fault of either is a log
        /// line, because the command itself must still run.
        pub(crate) fn begin(verbose: u8, exports: bool, reports_cells: bool) -> Self {
            let export = if exports { Export::from_env() } else { Ok(None) };
            let (export, mut error) = match export {
                Ok(export) => (export, None),
                Err(error) => (None, Some(error)),
            };
            let layer = export.as_ref().and_then(Export::layer);
            tracing_subscriber::registry().with(layer).with(log(verbose, reports_cells)).init();
            if let Some(export) = &export {
                error = export.install_metrics().err();
            }
            if let Some(error) = error {
                tracing::warn!("{error}");
            }
            Self(export)
        }

        /// Flushes the export.
        pub(crate) fn end(self) {
            if let Some(Err(error)) = self.0.map(|export| export.shutdown(PATIENCE)) {
                tracing::warn!("{error}");
            }
        }
    }
}

#[cfg(not(feature = "otel"))]
mod not_built_in {
    use super::*;

    /// Environment variables that ask for an export.
    const ASK: [&str; 3] =
        ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"];

    pub(crate) struct Telemetry;

    impl Telemetry {
        /// Starts the log.
        pub(crate) fn begin(verbose: u8, exports: bool, reports_cells: bool) -> Self {
            tracing_subscriber::registry().with(log(verbose, reports_cells)).init();
            let asked = ASK.iter().find(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
            if let (true, Some(name)) = (exports, asked) {
                tracing::warn!(
                    "{name} is set, but this program was built without the feature `otel`: nothing is exported"
                );
            }
            Self
        }

        pub(crate) fn end(self) {}
    }
}
