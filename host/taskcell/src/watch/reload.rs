//! Handlers that are replaced when their files are.

use std::convert::Infallible;
use std::path::Path;
use std::time::Duration;

use super::FileWatch;
use crate::Error;
use crate::handlers::HandlerRegistry;
use crate::sandbox::file;

/// How long to wait with a component for which there was no cell to check it in.
const PAUSE: Duration = Duration::from_secs(1);

/// A component that was read from a file.
struct Loaded {
    name: String,
    /// What was last found there: the digest, or why it could not be read.
    state: String,
}

impl HandlerRegistry {
    /// Reloads components when the [files](crate::Handler::file) that they were loaded from change: of those that serve when
    /// this begins. It never ends; when it is dropped, files are not watched any more.
    ///
    /// A file is read once nobody writes to it any more. What is wrong with it is a warning in the log, one for each
    /// state of the file; the observers of the sessions are told of it and of what was replaced
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
        // Who watches does not keep what is replaced.
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
            // Otherwise the application has taken it out.
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
            if let Err(Error::Overloaded { .. }) = outcome {
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
