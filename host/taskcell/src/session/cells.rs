//! Cells of a session. Their number is limited, so that one server cannot take all cells of the host.

use crate::CellError;
use crate::grants::CallContext;
use crate::handlers::{self, Export, Handler, Handlers, InstancePool};
use crate::protocol::types::RpcError;
use crate::sandbox::{Permits, TimeSlice};

/// Permits for the cells of a session, and the warm cells that wait for its next request.
pub(super) struct Cells {
    permits: Permits,
    pool: InstancePool,
}

impl Cells {
    /// Creates a set without permits; [`Cells::serve`] adds them.
    pub(super) fn new() -> Self {
        Self { permits: Permits::new(0), pool: InstancePool::default() }
    }

    /// Switches to `handlers`, with as many cells as their engines allow. Without components there are no cells.
    pub(super) fn serve(&self, handlers: &Handlers) {
        self.permits.set_limit(handlers.session_cells().unwrap_or_default());
        self.pool.serve(handlers.components());
    }

    /// Calls an export in a cell if a permit is free; see [`handlers::call`].
    pub(super) async fn call<'a, E: Export>(
        &self,
        handler: &'a Handler,
        context: CallContext,
        params: E::Params<'_>,
    ) -> (Result<Result<E::Output, RpcError>, CellError>, CallContext, Option<TimeSlice<'a>>) {
        let Some(_permit) = self.permits.take() else {
            let error = CellError::SessionOverloaded { limit: self.permits.limit() };
            error.log(Some(handler.name()), "a request is refused");
            return (Err(error), context, None);
        };
        handlers::call::<E>(handler, &self.pool, context, params).await
    }
}
