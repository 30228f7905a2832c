//! The cells of a session: so many at once, that one server cannot take all there are.

use crate::Error;
use crate::grants::CallContext;
use crate::handlers::{self, Export, Handler, Handlers, InstancePool};
use crate::protocol::types::RpcError;
use crate::sandbox::{Permits, TimeSlice};

/// The places that a session has for cells, and the cells that go on to its next request.
pub(super) struct Cells {
    permits: Permits,
    pool: InstancePool,
}

impl Cells {
    /// None yet: [`Cells::serve`] says for whom.
    pub(super) fn new() -> Self {
        Self { permits: Permits::new(0), pool: InstancePool::default() }
    }

    /// Serves with these handlers from now on, with as many cells as their engines allow; without components there is
    /// none, and nothing to bound.
    pub(super) fn serve(&self, handlers: &Handlers) {
        self.permits.set_limit(handlers.session_cells().unwrap_or_default());
        self.pool.serve(handlers.components());
    }

    /// Calls an export in a cell, when there is a place: see [`handlers::call`].
    pub(super) async fn call<'a, E: Export>(
        &self,
        handler: &'a Handler,
        context: CallContext,
        params: E::Params<'_>,
    ) -> (Result<Result<E::Output, RpcError>, Error>, CallContext, Option<TimeSlice<'a>>) {
        let Some(_permit) = self.permits.take() else {
            let error = Error::SessionOverloaded { limit: self.permits.limit() };
            error.log(Some(handler.name()), "a request is refused");
            return (Err(error), context, None);
        };
        handlers::call::<E>(handler, &self.pool, context, params).await
    }
}
