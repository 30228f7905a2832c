//! The cells of a session: so many at once, that one server cannot take all there are.

use tokio::sync::Semaphore;

use crate::Error;
use crate::grants::Scope;
use crate::protocol::types::RpcError;
use crate::sandbox::{self, Export, Handler, Slice};

/// The places that a session has for cells.
pub(super) struct Cells {
    places: Semaphore,
    limit: u32,
}

impl Cells {
    /// As many as `limit`; without handlers there is none, and nothing to bound.
    pub(super) fn new(limit: Option<u32>) -> Self {
        let limit = limit.unwrap_or_default();
        Self { places: Semaphore::new(limit as usize), limit }
    }

    /// Calls an export in a cell, when there is a place: see [`sandbox::call`].
    pub(super) async fn call<'a, E: Export>(
        &self,
        handler: &'a Handler,
        scope: Scope,
        params: E::Params<'_>,
    ) -> (Result<Result<E::Output, RpcError>, Error>, Scope, Option<Slice<'a>>) {
        let Ok(_place) = self.places.try_acquire() else {
            let error = Error::SessionOverloaded { limit: self.limit };
            error.log(Some(handler.name()), "a request is refused");
            return (Err(error), scope, None);
        };
        sandbox::call::<E>(handler, scope, params).await
    }
}
