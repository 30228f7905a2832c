//! Grant `progress`: progress notifications for the request being served.

use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use super::generated::taskcell::handlers::progress::Host;
use crate::protocol::types::ProgressToken;
use crate::sandbox::CellState;

/// Where a request's progress goes. It stays until the request, or the task made from it, has ended.
pub struct Progress {
    token: ProgressToken,
    /// The last value sent; progress only grows. [basic/utilities/progress]
    last: Mutex<Option<f64>>,
    send: Box<dyn Fn(&Update<'_>) + Send + Sync>,
}

/// The parameters of `notifications/progress`. MCP: `ProgressNotificationParams`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Update<'a> {
    progress_token: &'a ProgressToken,
    progress: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

impl Progress {
    pub(crate) fn new(token: ProgressToken, send: impl Fn(&Update<'_>) + Send + Sync + 'static) -> Self {
        Self { token, last: Mutex::new(None), send: Box::new(send) }
    }

    fn report(&self, progress: f64, total: Option<f64>, message: Option<String>) {
        if !progress.is_finite() {
            return;
        }
        // Held while sending, so that two reports go out in their order.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|last| progress <= last) {
            return;
        }
        *last = Some(progress);
        let total = total.filter(|total| total.is_finite());
        (self.send)(&Update { progress_token: &self.token, progress, total, message });
    }
}

impl Host for &mut CellState {
    async fn report(&mut self, progress: f64, total: Option<f64>, message: Option<String>) -> wasmtime::Result<()> {
        if let Some(to) = &self.scope.progress {
            to.report(progress, total, message);
        }
        Ok(())
    }
}
