//! A cell: a fresh store and instance for one call.
//!
//! Nothing of a call is left in the next one, unless the operator lets an instance go on ([`InstancePool`]); and
//! dropping the call's future drops the cell, wherever the guest is: that is how a request is cancelled.

use std::pin::pin;
use std::sync::Arc;

use tracing::Instrument;
use wasmtime::Store;
use wasmtime::component::Instance;

use super::component::Handler;
use super::exports::{Answer, Export, call_checked};
use super::instance_pool::{InstancePool, WarmInstance};
use super::store::{new_store, why, within_limits};
use crate::CellError;
use crate::grants::{CallContext, CellState};
use crate::sandbox::{Permit, Permits, TimeSlice};
use crate::telemetry::CellWatch;

/// Calls one export of a handler in a cell of its own, or in one of `kept` where the handler allows it.
///
/// Gives the handler's answer, or why there is none, in either case what the cell did through its grants, and the slice
/// that it ended in: whoever makes something of the answer keeps it until that is made, but never waits with it.
pub(crate) async fn call<'a, E: Export>(
    handler: &'a Handler,
    pool: &InstancePool,
    context: CallContext,
    params: E::Params<'_>,
) -> (Result<Answer<E::Output>, CellError>, CallContext, Option<TimeSlice<'a>>) {
    let engine = handler.engine();
    let limits = engine.limits();
    let mut watch;
    let mut cell = match pool.take(handler) {
        Some(cell) => Cell::again(cell, context),
        None => match engine.admit() {
            Ok(permit) => Cell::fresh(handler, permit, context),
            Err(error) => {
                error.log(Some(handler.name()), "a request is refused");
                return (Err(error), context, None);
            }
        },
    };
    // Ends after the cell, so that what it used to its end is seen.
    watch = CellWatch::begin(handler.name(), handler.digest(), E::INTERFACE, cell.instance.is_some());
    cell.store.data_mut().limiter.measure(watch.measured());
    let cpu_average = handler.cpu_average();
    let (ended, cpu_permit) = {
        let run = pin!(run::<E>(handler, &mut cell, params));
        // Pinned before it is instrumented: moving it would copy a kilobyte on each request.
        let run = pin!(run.instrument(watch.span().clone()));
        let measured = watch.measured().map(Arc::as_ref);
        within_limits(engine, cpu_average.is_long(), measured, run).await
    };
    let slice = TimeSlice::new(cpu_average, cpu_permit);
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
    let mut context = if reusable { cell.give(handler, pool) } else { cell.store.into_data().context };
    if let (Err(_), Some(logged)) = (&answer, logged) {
        context.printed = logged.last;
    }
    // The cell ends here, within the slice.
    (answer, context, Some(slice))
}

/// A store, and the instance in it once there is one.
struct Cell<'a> {
    store: Store<CellState>,
    instance: Option<Instance>,
    /// Requests that it may answer.
    left: u32,
    permit: CellPermit<'a>,
}

/// A fresh cell's place, or that of one that waited.
enum CellPermit<'a> {
    Fresh(Permit<&'a Permits>),
    Warm(Permit<Arc<Permits>>),
}

impl<'a> Cell<'a> {
    /// A fresh one, in its place.
    fn fresh(handler: &Handler, permit: Permit<&'a Permits>, context: CallContext) -> Self {
        let store = new_store(handler.engine(), context);
        Self { store, instance: None, left: handler.reuse(), permit: CellPermit::Fresh(permit) }
    }

    /// One that waited for this request.
    fn again(WarmInstance { mut store, instance, left, permit }: WarmInstance, context: CallContext) -> Self {
        store.data_mut().begin(context);
        store.set_epoch_deadline(1);
        Self { store, instance: Some(instance), left, permit: CellPermit::Warm(permit) }
    }

    /// Leaves the cell to the next request, if it may answer one more. Gives what it did for this one.
    fn give(self, handler: &Handler, pool: &InstancePool) -> CallContext {
        let Self { mut store, instance, left, permit } = self;
        let left = left.saturating_sub(1);
        let (Some(instance), true) = (instance, left > 0 && store.data().limiter.hit().is_none()) else {
            return store.into_data().context;
        };
        // What waits must not keep a conversation alive.
        let context = std::mem::replace(&mut store.data_mut().context, CallContext::new(handler.info()));
        let permit = match permit {
            CellPermit::Fresh(permit) => permit.keep(handler.engine().permits()),
            CellPermit::Warm(permit) => permit,
        };
        pool.put(handler, WarmInstance { store, instance, left, permit });
        context
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
