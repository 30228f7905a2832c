//! The handlers of a session: which one takes which kind.

use std::sync::Arc;

use serde_json::Value;

use crate::Error;
use crate::kinds::{self, KINDS, Kind};
use crate::sandbox::Handler;

/// A set of handlers in which each kind has one at most. Cloning it is cheap.
#[derive(Debug, Clone, Default)]
pub struct Handlers {
    by_kind: [Option<Arc<Handler>>; KINDS.len()],
}

impl Handlers {
    /// Puts handlers together.
    ///
    /// # Errors
    /// [`Error::DuplicateKind`] when two export the same kind.
    pub fn new(handlers: impl IntoIterator<Item = Handler>) -> Result<Self, Error> {
        let mut set = Self::default();
        for handler in handlers.into_iter().map(Arc::new) {
            for kind in handler.kinds() {
                let Some(place) = set.by_kind.get_mut(kind as usize) else { continue };
                if let Some(first) = place {
                    let (first, second) = (first.name().to_owned(), handler.name().to_owned());
                    return Err(Error::DuplicateKind { kind, first, second });
                }
                *place = Some(Arc::clone(&handler));
            }
        }
        Ok(set)
    }

    /// The handler of a kind; none means the native default.
    #[must_use]
    pub fn get(&self, kind: Kind) -> Option<&Arc<Handler>> {
        self.by_kind.get(kind as usize)?.as_ref()
    }

    /// The kinds that have a handler.
    pub fn kinds(&self) -> impl Iterator<Item = Kind> {
        KINDS.iter().map(|row| row.kind).filter(|kind| self.get(*kind).is_some())
    }

    /// The largest message to read, in bytes: the least that any handler's engine allows.
    pub(super) fn message_size(&self) -> Option<usize> {
        self.by_kind.iter().flatten().map(|handler| handler.message_size()).min()
    }

    /// The capabilities to declare in `initialize`.
    #[must_use]
    pub fn capabilities(&self) -> Value {
        kinds::capabilities(self.kinds())
    }
}
