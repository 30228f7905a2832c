//! Progress line for slow work: compiling a component for the first time.

use std::io::IsTerminal;
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::terminal;

/// Time before the line appears. Loading from the cache, or compiling a small component, is done sooner.
const LONG: Duration = Duration::from_millis(500);
/// Interval between updates of the line.
const TICK: Duration = Duration::from_millis(200);

/// Waits for a component to load, which includes compiling it if it is not in the cache. On a terminal, shows a
/// progress line once that has taken a while.
pub(crate) async fn while_loading<T>(file: &Path, loading: impl Future<Output = T>) -> T {
    if !std::io::stderr().is_terminal() {
        return loading.await;
    }
    let mut loading = pin!(loading);
    if let Ok(loaded) = tokio::time::timeout(LONG, &mut loading).await {
        return loaded;
    }
    let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy();
    let size = std::fs::metadata(file).map_or(String::new(), |file| format!(" ({})", megabytes(file.len())));
    let line = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{msg} … {elapsed}") {
        line.set_style(style);
    }
    line.set_elapsed(LONG);
    line.set_message(format!("compiling {}{size}", terminal::one_line(&name)));
    line.enable_steady_tick(TICK);
    let loaded = loading.await;
    line.finish_and_clear();
    loaded
}

/// Formats a size in megabytes, the usual unit for components.
#[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
pub(crate) fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
