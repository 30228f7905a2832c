//! The cells of a session: so many at once, that one server cannot take all there are.

use crate::Error;
use crate::grants::Scope;
use crate::handlers::{self, Export, Handler, Handlers, Kept};
use crate::protocol::types::RpcError;
use crate::sandbox::{Places, Slice};

/// The places that a session has for cells, and the cells that go on to its next request.
pub(super) struct Cells {
    places: Places,
    kept: Kept,
}

impl Cells {
    /// None yet: [`Cells::serve`] says for whom.
    pub(super) fn new() -> Self {
        Self { places: Places::new(0), kept: Kept::default() }
    }

    /// Serves with these handlers from now on, with as many cells as their engines allow; without components there is
    /// none, and nothing to bound.
    pub(super) fn serve(&self, handlers: &Handlers) {
        self.places.set_limit(handlers.session_cells().unwrap_or_default());
        self.kept.serve(handlers.components());
    }

    /// Calls an export in a cell, when there is a place: see [`handlers::call`].
    pub(super) async fn call<'a, E: Export>(
        &self,
        handler: &'a Handler,
        scope: Scope,
        params: E::Params<'_>,
    ) -> (Result<Result<E::Output, RpcError>, Error>, Scope, Option<Slice<'a>>) {
        let Some(_place) = self.places.take() else {
            let error = Error::SessionOverloaded { limit: self.places.limit() };
            error.log(Some(handler.name()), "a request is refused");
            return (Err(error), scope, None);
        };
        handlers::call::<E>(handler, &self.kept, scope, params).await
    }
}
