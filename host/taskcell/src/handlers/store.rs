//! The store of a cell: the limits that it has, and which of them ended a guest.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Instant;

use futures_util::poll;
use wasmtime::{Store, Trap, UpdateDeadline};
use wasmtime_wasi::ResourceTableError;

use crate::CellError;
use crate::grants::{CallContext, CellState};
use crate::sandbox::{CpuPermit, Engine, Limits, metered, overdrawn};
use crate::support::polled;
use crate::telemetry::Measured;

/// Runs a guest's future in its CPU and wall time.
///
/// Gives also the turn of its last slice. Who takes turns at once does not begin without one.
///
/// # Errors
/// [`CellError::Time`], and [`CellError::Cpu`] for who used up the CPU time bit by bit; who does so at once traps.
pub(crate) async fn within_limits<'a, F: Future>(
    engine: &'a Engine,
    at_once: bool,
    measured: Option<&Measured>,
    guest: Pin<&mut F>,
) -> (Result<F::Output, CellError>, CpuPermit<'a>) {
    let (limits, start) = (engine.limits(), Instant::now());
    let mut guest = pin!(metered(limits.cpu_time, || engine.touch(), measured, guest));
    let mut computed = None;
    if !at_once {
        if let Poll::Ready(ended) = poll!(guest.as_mut()) {
            let cpu_permit = CpuPermit::none(start, Instant::now());
            return (ended.map_err(|current| CellError::Cpu { current, limit: limits.cpu_time }), cpu_permit);
        }
        computed = Some(start.elapsed());
    }
    let (start, limit) = (Instant::now(), limits.wall_time);
    match tokio::time::timeout(limit, engine.scheduler().run(computed, guest)).await {
        Ok((ended, cpu_permit)) => {
            (ended.map_err(|current| CellError::Cpu { current, limit: limits.cpu_time }), cpu_permit)
        }
        // How much of it was computed is not known: it was long enough to take turns, or waited.
        Err(_) => {
            let now = Instant::now();
            (Err(CellError::Time { current: now.saturating_duration_since(start), limit }), CpuPermit::none(now, now))
        }
    }
}

/// A store with every limit set.
pub(crate) fn new_store(engine: &Engine, context: CallContext) -> Store<CellState> {
    let limits = engine.limits();
    let mut store = Store::new(engine.wasmtime(), CellState::new(limits, context));
    store.limiter(|state| &mut state.limiter);
    store.set_hostcall_fuel(limits.host_call);
    store.set_max_component_handles(limits.handles);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|mut store| {
        if let Some(time) = overdrawn() {
            store.data_mut().overdrawn = time;
            return Ok(UpdateDeadline::Interrupt);
        }
        polled::at_work();
        Ok(UpdateDeadline::Yield(1))
    });
    store
}

/// Finds the limit or fault that ended a guest.
pub(crate) fn why(error: &wasmtime::Error, state: &CellState, limits: &Limits) -> CellError {
    // A guest that was refused memory and went on is not what ended here.
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => {
            let limit = limits.cpu_time;
            return CellError::Cpu { current: limit.saturating_add(state.overdrawn), limit };
        }
        Some(Trap::StackOverflow) => return CellError::Stack { limit: limits.stack },
        _ => {}
    }
    if hands_over_too_much(error) {
        return CellError::HostCall { limit: limits.host_call };
    }
    if holds_too_much(error) {
        return CellError::Handles { limit: limits.handles };
    }
    if let Some(hit) = state.limiter.hit() {
        return hit;
    }
    if error.is::<wasmtime::PoolConcurrencyLimitError>() {
        return CellError::Overloaded { limit: limits.cells };
    }
    // The whole chain, with the guest's stack, is for the log; the peer gets the cause.
    tracing::debug!(error = format!("{error:?}"), "the guest's fault");
    match error.downcast_ref::<Trap>() {
        Some(trap) => CellError::Trap(trap.to_string()),
        None => CellError::Trap(error.root_cause().to_string()),
    }
}

/// Whether a guest handed over more than a host call may move, or asked WASI to make more. wasmtime has no type for it,
/// only words.
fn hands_over_too_much(error: &wasmtime::Error) -> bool {
    let cause = error.root_cause().to_string();
    cause.ends_with("fuel allocated for hostcalls has been exhausted")
        || (cause.starts_with("requested len ") && cause.contains(" exceeds limit "))
}

/// Whether a guest was refused a resource: one that the host makes for it, or a handle to one of its own. For the
/// latter wasmtime has no type, only words.
fn holds_too_much(error: &wasmtime::Error) -> bool {
    let cause = error.root_cause();
    matches!(cause.downcast_ref(), Some(ResourceTableError::Full))
        || cause.to_string().ends_with("store handle limit exceeded")
}
