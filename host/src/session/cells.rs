//! The cells of a session: so many at once, that one server cannot take all there are.

use crate::Error;
use crate::grants::Scope;
use crate::protocol::types::RpcError;
use crate::sandbox::{self, Export, Handler, Kept, Places, Slice};
use crate::session::Handlers;

/// The places that a session has for cells, and the cells that go on to its next request.
pub(super) struct Cells {
    places: Places,
    kept: Kept,
}

impl Cells {
    /// As many as the handlers' engines allow; without components there is none, and nothing to bound.
    pub(super) fn new(handlers: &Handlers) -> Self {
        let limit = handlers.session_cells().unwrap_or_default();
        Self { places: Places::new(limit), kept: Kept::new(handlers.components()) }
    }

    /// Calls an export in a cell, when there is a place: see [`sandbox::call`].
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
        sandbox::call::<E>(handler, &self.kept, scope, params).await
    }
}
