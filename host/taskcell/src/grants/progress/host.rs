//! The interface `progress`, over where the progress of the request goes.

use std::convert::Infallible;

use crate::grants::CellState;
use crate::grants::generated::taskcell::handlers::progress::Host;
use crate::telemetry::{Import, import};

impl Host for &mut CellState {
    async fn report(&mut self, progress: f64, total: Option<f64>, message: Option<String>) -> wasmtime::Result<()> {
        let report = async {
            if let Some(to) = &self.context.progress {
                to.report(progress, total, message);
            }
            Ok(Ok::<_, Infallible>(()))
        };
        import(Import("taskcell:handlers/progress", "report"), report).await.map(|_| ())
    }
}
