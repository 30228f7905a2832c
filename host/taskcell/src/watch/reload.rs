//! Handlers that are reloaded when their files change.

use std::convert::Infallible;
use std::path::Path;
use std::time::Duration;

use super::FileWatch;
use crate::error::{LoadError, LoadFault};
use crate::handlers::HandlerRegistry;
use crate::sandbox::file;

/// Pause before another attempt to check a component for which no cell was free.
const PAUSE: Duration = Duration::from_secs(1);

/// Component that was read from a file.
struct Loaded {
    name: String,
    /// Last state of the file: the digest of the component, or the error of reading it.
    state: String,
}

impl HandlerRegistry {
    /// Reloads components when the [files](crate::Handler::file) that they were loaded from change. Only the components
    /// that serve at the start are watched. The future never ends; dropping it stops watching.
    ///
    /// A file is read once nothing writes to it any more. A fault in it is a warning in the log, once for each state of
    /// the file. The observers of the sessions get an event of the fault or of the replacement
    /// ([`Event`](crate::session::Event)).
    ///
    /// ```no_run
    /// # use taskcell::{Handlers, HandlerRegistry};
    /// # async fn run(handlers: Handlers) {
    /// let handlers = HandlerRegistry::new(handlers);
    /// let watching = tokio::spawn({
    ///     let handlers = handlers.clone();
    ///     async move { handlers.watch().await }
    /// });
    /// // Sessions with `handlers` are served by what stands in the files.
    /// watching.abort();
    /// # }
    /// ```
    pub async fn watch(&self) -> Infallible {
        let handlers = self.current();
        let read = handlers.components().filter_map(|component| {
            let (name, state) = (component.name().to_owned(), component.digest().to_owned());
            Some((component.file()?.to_owned(), Loaded { name, state }))
        });
        let mut read: Vec<_> = read.collect();
        // Watching must not keep replaced handlers alive.
        drop(handlers);
        let mut files = FileWatch::new(read.iter().map(|(path, _)| path.clone()));
        loop {
            let changed = files.changed().await;
            for (path, loaded) in read.iter_mut().filter(|(path, _)| *path == changed) {
                self.read_again(&files, path, loaded).await;
            }
        }
    }

    async fn read_again(&self, files: &FileWatch, path: &Path, loaded: &mut Loaded) {
        loop {
            let turn = self.turn().await;
            // An error means that the application has removed the handler.
            let Ok(running) = self.running(&loaded.name) else { return };
            let read = file::read(running.engine(), path).await;
            if !files.is_same(path).await {
                return;
            }
            let (state, outcome) = match read {
                Ok(bytes) => {
                    let component = Self::hashed(bytes).await;
                    if component.digest == loaded.state {
                        return;
                    }
                    (component.digest.clone(), self.try_reload(&loaded.name, &component).await)
                }
                Err(error) => (error.to_string(), Err(error)),
            };
            if state == loaded.state {
                return;
            }
            if let Err(LoadError { fault: LoadFault::Overloaded { .. }, .. }) = outcome {
                drop(turn);
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            self.report(&loaded.name, &outcome);
            loaded.state = state;
            return;
        }
    }
}
