//! Exporting thread with a runtime of its own, so that it needs no runtime of an application, and blocks none.

use std::io;

use tokio::runtime::{Builder, EnterGuard, Handle};
use tokio::sync::oneshot;

pub(super) struct Thread {
    runtime: Handle,
    stop: Option<oneshot::Sender<()>>,
}

impl Thread {
    pub(super) fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("taskcell-export".to_owned());
        thread.spawn(move || {
            // An error means that the handle is gone.
            let _ = runtime.block_on(stopped);
            runtime.shutdown_background();
        })?;
        Ok(Self { runtime: handle, stop: Some(stop) })
    }

    /// Enters the runtime: tasks spawned while the guard lives run on the thread.
    pub(super) fn enter(&self) -> EnterGuard<'_> {
        self.runtime.enter()
    }

    /// Stops the thread, whatever it does.
    pub(super) fn stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }
}
