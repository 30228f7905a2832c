//! Grant `progress`: progress notifications for the request being served.

use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use super::generated::taskcell::handlers::progress::Host;
use crate::protocol::types::ProgressToken;
use crate::sandbox::CellState;

/// Characters of a progress message that go out.
const MAX_MESSAGE: usize = 1_000;

/// Where a request's progress goes. It stays until the request, or the task made from it, has ended.
pub struct Progress {
    token: ProgressToken,
    /// The last value sent; progress only grows. [basic/utilities/progress]
    last: Mutex<Last>,
    send: Box<dyn Fn(&Update<'_>) + Send + Sync>,
}

#[derive(Clone, Copy)]
enum Last {
    Nothing,
    Sent(f64),
    /// What the progress was of has ended.
    Closed,
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
        Self { token, last: Mutex::new(Last::Nothing), send: Box::new(send) }
    }

    /// Lets nothing more through: what the progress was of has ended.
    pub(crate) fn close(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Last::Closed;
    }

    fn report(&self, progress: f64, total: Option<f64>, message: Option<String>) {
        if !progress.is_finite() {
            return;
        }
        // Held while sending, so that two reports go out in their order.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match *last {
            Last::Closed => return,
            Last::Sent(last) if progress <= last => return,
            Last::Sent(_) | Last::Nothing => {}
        }
        *last = Last::Sent(progress);
        let total = total.filter(|total| total.is_finite());
        let message = message.map(|message| message.chars().take(MAX_MESSAGE).collect());
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
