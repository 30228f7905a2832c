//! OpenTelemetry collector on loopback. It accepts OTLP over HTTP and keeps the bodies as they came.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A running collector, which ends when dropped.
#[derive(Debug)]
pub struct Collector {
    address: SocketAddr,
    kept: Kept,
    running: JoinHandle<()>,
}

/// Bodies by path, concatenated.
type Kept = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

impl Collector {
    /// Starts a collector.
    ///
    /// # Errors
    /// When the collector cannot listen.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let kept = Kept::default();
        let router = Router::new().fallback(take).with_state(Arc::clone(&kept));
        let running = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, kept, running })
    }

    /// Value of `OTEL_EXPORTER_OTLP_ENDPOINT` for this collector.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Paths that received a body.
    #[must_use]
    pub fn paths(&self) -> Vec<String> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// Whether a path received a body that contains this text; protobuf stores texts unchanged.
    #[must_use]
    pub fn has(&self, path: &str, text: &str) -> bool {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(path).is_some_and(|body| body.windows(text.len()).any(|part| part == text.as_bytes()))
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.running.abort();
    }
}

async fn take(State(kept): State<Kept>, uri: Uri, headers: HeaderMap, body: Bytes) -> StatusCode {
    if headers.get("content-type").is_none_or(|content| content != "application/x-protobuf") {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE;
    }
    kept.lock().unwrap_or_else(PoisonError::into_inner).entry(uri.path().to_owned()).or_default().extend(body);
    StatusCode::OK
}
