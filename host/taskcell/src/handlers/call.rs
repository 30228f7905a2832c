//! A cell: a fresh store and instance for one call.
//!
//! Nothing of a call is left in the next one, unless the operator lets an instance go on ([`Kept`]); and dropping the
//! call's future drops the cell, wherever the guest is: that is how a request is cancelled.

use std::pin::pin;
use std::sync::Arc;

use tracing::Instrument;
use wasmtime::Store;
use wasmtime::component::Instance;

use super::component::Handler;
use super::exports::{Answer, Export, call_checked};
use super::kept::{Kept, KeptCell};
use super::store::{new_store, why, within_limits};
use crate::Error;
use crate::grants::{CellState, Scope};
use crate::sandbox::{Place, Places, Slice};
use crate::telemetry::CellWatch;

/// Calls one export of a handler in a cell of its own, or in one of `kept` where the handler allows it.
///
/// Gives the handler's answer, or why there is none, in either case what the cell did through its grants, and the slice
/// that it ended in: whoever makes something of the answer keeps it until that is made, but never waits with it.
pub(crate) async fn call<'a, E: Export>(
    handler: &'a Handler,
    kept: &Kept,
    scope: Scope,
    params: E::Params<'_>,
) -> (Result<Answer<E::Output>, Error>, Scope, Option<Slice<'a>>) {
    let engine = handler.engine();
    let limits = engine.limits();
    let mut watch;
    let mut cell = match kept.take(handler) {
        Some(cell) => Cell::again(cell, scope),
        None => match engine.admit() {
            Ok(place) => Cell::fresh(handler, place, scope),
            Err(error) => {
                error.log(Some(handler.name()), "a request is refused");
                return (Err(error), scope, None);
            }
        },
    };
    // Ends after the cell, so that what it used to its end is seen.
    watch = CellWatch::begin(handler.name(), handler.digest(), E::KIND, cell.instance.is_some());
    cell.store.data_mut().limiter.measure(watch.measured());
    let lately = handler.lately();
    let (ended, turn) = {
        let run = pin!(run::<E>(handler, &mut cell, params));
        // Pinned before it is instrumented: moving it would copy a kilobyte on each request.
        let run = pin!(run.instrument(watch.span().clone()));
        let measured = watch.measured().map(Arc::as_ref);
        within_limits(engine, lately.is_long(), measured, run).await
    };
    let slice = Slice::new(lately, turn);
    let answer = match ended {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(why(&error, cell.store.data(), limits)),
        Err(error) => Err(error),
    };
    let logged = cell.store.data().log_output();
    watch.ended(&answer);
    if let Err(error) = &answer {
        let _entered = watch.span().enter();
        error.log(Some(handler.name()), "a cell ended without an answer");
    }
    let reusable = answer.is_ok() && logged.as_ref().is_none_or(|logged| logged.all);
    let mut scope = if reusable { cell.give(handler, kept) } else { cell.store.into_data().scope };
    if let (Err(_), Some(logged)) = (&answer, logged) {
        scope.printed = logged.last;
    }
    // The cell ends here, within the slice.
    (answer, scope, Some(slice))
}

/// A store, and the instance in it once there is one.
struct Cell<'a> {
    store: Store<CellState>,
    instance: Option<Instance>,
    /// Requests that it may answer.
    left: u32,
    place: CellPlace<'a>,
}

/// A fresh cell's place, or that of one that waited.
enum CellPlace<'a> {
    Fresh(Place<&'a Places>),
    Kept(Place<Arc<Places>>),
}

impl<'a> Cell<'a> {
    /// A fresh one, in its place.
    fn fresh(handler: &Handler, place: Place<&'a Places>, scope: Scope) -> Self {
        let store = new_store(handler.engine(), scope);
        Self { store, instance: None, left: handler.reuse(), place: CellPlace::Fresh(place) }
    }

    /// One that waited for this request.
    fn again(KeptCell { mut store, instance, left, place }: KeptCell, scope: Scope) -> Self {
        store.data_mut().begin(scope);
        store.set_epoch_deadline(1);
        Self { store, instance: Some(instance), left, place: CellPlace::Kept(place) }
    }

    /// Leaves the cell to the next request, if it may answer one more. Gives what it did for this one.
    fn give(self, handler: &Handler, kept: &Kept) -> Scope {
        let Self { mut store, instance, left, place } = self;
        let left = left.saturating_sub(1);
        let (Some(instance), true) = (instance, left > 0 && store.data().limiter.hit().is_none()) else {
            return store.into_data().scope;
        };
        // What waits must not keep a conversation alive.
        let scope = std::mem::replace(&mut store.data_mut().scope, Scope::new(handler.owner()));
        let place = match place {
            CellPlace::Fresh(place) => place.keep(handler.engine().places()),
            CellPlace::Kept(place) => place,
        };
        kept.put(handler, KeptCell { store, instance, left, place });
        scope
    }
}

async fn run<E: Export>(
    handler: &Handler,
    cell: &mut Cell<'_>,
    params: E::Params<'_>,
) -> wasmtime::Result<Answer<E::Output>> {
    let index = handler.export::<E>().ok_or_else(|| wasmtime::format_err!("the handler does not export this"))?;
    let instance = match cell.instance {
        Some(instance) => instance,
        None => *cell.instance.insert(handler.pre().instantiate_async(&mut cell.store).await?),
    };
    call_checked::<E>(&mut cell.store, &instance, index, params).await
}
